//! Diagnostics about existing configurations of VMMs, for `planner explain`.

crate::diag::diagnostic_codes! {
    QUOTE = "M101" Error "a quote that is not closed"
        "The shell reads up to the matching quote, over line ends. `'` takes everything up to the next `'`; within `\"` a \
         backslash takes the next character as it is.";
    NO_COMMAND = "M102" Error "no VMM is started"
        "A command line of a VMM names its program: `qemu-system-aarch64`, `qemu-system-x86_64`, `qemu-system-riscv64`, \
         `qemu-kvm`, `lkvm`, `crosvm`, `cloud-hypervisor`, `firecracker` or `openvmm`, with or without a path and with words such as `sudo` or \
         `numactl` before it.";
    NO_VALUE = "M103" Error "an option without its value"
        "The option is the last word of the command and needs one more behind it. Write the value there, or take the \
         option out.";
    BAD_VALUE = "M104" Error "a value that cannot be meant"
        "The message says what was found and what is expected there: a number, a size such as `16G`, or one of a few \
         words of the VMM.";
    NOT_UNDERSTOOD = "M105" Warning "not understood, does not count for the layout"
        "The planner does not know what these words do and goes on as if they were not there. Options that are known to \
         leave the memory map alone, such as displays, disks and networks, are not listed. If one of the listed words adds \
         memory, moves it, passes a device through or makes a window larger, the answer is not about this guest.";
    TWICE = "M106" Warning "an option that is given twice"
        "The VMM takes the last one, and the planner does likewise. One of them is perhaps left over.";
    SHELL = "M107" Warning "words that only the shell knows"
        "A variable that is not set in this file, the output of another command, or a file name pattern. The planner runs \
         nothing; the words stay as they are written. Put the value in place, or read the command line of the running \
         VMM: `tr '\\\\0' ' ' < /proc/PID/cmdline`.";
    XML = "M108" Error "text that is no well-formed XML"
        "The message has the words of the XML reader. `virsh dumpxml NAME` prints a well-formed description of a domain.";
    OTHER_IOMMU = "M109" Warning "a guest IOMMU that the planner has no model of"
        "The guest is planned as if it had none. Its RAM must keep clear of what the host reserves either way, because it \
         is mapped one to one until the guest takes over.";
    NOT_THIS_JSON = "M110" Error "no configuration of a VMM in this JSON"
        "The reader knows the body of cloud-hypervisor's `vm.create`, an object with `memory` and `payload` or `devices`, \
         the file for Firecracker's `--config-file`, an object with `machine-config` and `boot-source`, \
         and the planner's own guests, which say \"schema\": \"guest/1\".";
    NO_FILE = "M111" Error "a file that the configuration names cannot be read"
        "Options such as `-readconfig` put part of the configuration into another file. The name is looked up from where \
         the command runs; for a script, from the script's directory.";
    REFUSED = "M112" Error "the VMM refuses these words"
        "The message is what the VMM itself prints when it reads its configuration, before it makes any memory map. Other \
         versions of the VMM may take the words: `--vmm qemu=11.1` names one.";
    NO_MODEL = "M113" Error "a VMM or machine that the planner has no model of"
        "`planner vmm` lists what there is a model of. The memory map of others is not known here.";
    TOO_LONG = "M114" Error "a configuration that is too large"
        "Words grow when variables are put in their place, and elements of XML can be nested without end; the readers stop \
         at bounds far above what anybody writes.";
    SECOND_COMMAND = "M115" Note "a second VMM is started"
        "A file is read as one guest, the one of the first command that starts a VMM. Write the others to files of their \
         own.";
    NO_BACKEND = "M116" Warning "memory whose size is not said"
        "A memory device takes its size from the backend that it names. Without it the planner leaves the device out.";
    PAGES_GUESSED = "M117" Note "the size of the huge pages is not said"
        "Memory comes from hugetlbfs, whose page size the configuration does not say; the mount does. 2 MiB is assumed. \
         `--page 1G` says otherwise.";
    BROKEN_LINE = "M131" Error "a command that is cut into pieces"
        "A command goes on in the next line only where a `\\` is the very last character of the line: a space behind it, \
         a missing one, or a comment between the lines ends the command there, and the VMM never sees the rest.";
    SHELL_VALUE = "M132" Error "a value that only the shell knows"
        "The layout depends on this value, and it stands in a variable that the file does not set, or comes from another \
         command. Write the value in its place, or a line such as `MEM=8G` before the command.";
    TYPOGRAPHIC = "M133" Error "a typographic dash or quote"
        "Web pages and word processors turn `-` into a longer dash and straight quotes into curved ones. The shell and the \
         VMM take those for ordinary letters. Write `-` and `'`.";
    GONE = "M134" Warning "options that newer versions no longer have"
        "The version of the VMM is not said, so one that still has these options is assumed. `--vmm qemu=5.2` names a \
         version; the VMM's newer versions end with `invalid option`.";
    DISTRIBUTION = "M135" Warning "a machine type of a distribution"
        "Distributions give machine types names of their own: `pc-q35-rhel9.4.0`, `pc-i440fx-jammy`, `q35+pve1`. Which of \
         QEMU's types stands behind a name is not known here, so the newest is taken. That matters on a PC of more than \
         about 980 GiB before 7.1, and on `virt` before 7.2 with a small address space: `--machine pc-q35-6.2` names one.";
    MEDIATED = "M136" Note "a mediated device"
        "The driver of the physical device does the DMA of a mediated device and pins what the guest names, page by page. \
         No IOMMU translates for it alone, so reserved regions and apertures do not bind the guest's memory \
         (drivers/vfio/vfio_main.c, `vfio_register_emulated_iommu_dev`).";
    UNNAMED_DEVICE = "M137" Warning "a passed device without an address"
        "Which function of the host this is does not stand in the words: a file descriptor says it to the VMM only. The \
         answer is about a guest without it until `--pass 0000:03:00.0` names it.";
    BRANCHES = "M138" Note "decisions of a script"
        "The planner does not run the script, so it does not know which branch is taken: what stands in every branch counts, \
         in order. The command line of the running VMM has the truth: `tr '\\0' ' ' < /proc/PID/cmdline`.";
    FOREIGN = "M139" Error "a configuration of another program"
        "Programs that start VMMs have configurations of their own. The planner reads what they make of them: a command \
         line or a domain of libvirt. The help line says how to get it.";
    NO_PREFIX = "M140" Warning "elements of a namespace that is not declared"
        "libvirt passes `qemu:commandline` on only where <domain> says xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'. \
         Without it libvirt drops the elements, and so does the planner.";
}
