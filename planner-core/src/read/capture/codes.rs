//! The kinds of diagnostics of this room, `C` and three digits: what `planner explain` says about each.

crate::diag::diagnostic_codes! {
    NOT_A_CAPTURE = "C001" Error
        "no capture in it"
        "A capture is a directory, or a .tar or .tar.gz of one, that is laid out like the live system: `sys/…` \
         and `proc/…`, possibly below one directory with a name of its own. Nothing of that kind was found. \
         Make one with `planner capture`, or with the script that `planner capture --script` prints, or plan on the \
         machine itself with `live`.";
    DAMAGED = "C002" Warning
        "the archive is damaged"
        "The archive ends early or a part of it cannot be read: it was cut in transit, or the disk was full when \
         it was made. What stands before the damage was read, so the host may have more groups, devices and \
         reserved regions than are listed. Make or copy the capture again.";
    TOO_LARGE = "C003" Error
        "the capture is larger than a capture can be"
        "Captures come from other people's machines, so the reader bounds what it takes: bytes of the file, bytes \
         after decompression, number of entries. A capture of a large server stays far below these bounds; an \
         archive above them is something else. Make one that holds only what the planner reads, with `planner \
         capture`.";
    REFUSED_PATH = "C004" Warning
        "a path of the archive is refused"
        "Paths in an archive must be relative, without `..`, and of bounded length and depth. Such an entry is \
         passed over. `tar` makes clean archives with `tar -C DIRECTORY -czf capture.tar.gz .`.";
    REFUSED_KIND = "C005" Warning
        "a kind of file that a capture cannot hold"
        "A capture holds files, directories and symbolic links. Hard links, devices, sockets and sparse files are \
         passed over, because nothing in sysfs or procfs is one of these.";
    SEVERAL_CAPTURES = "C006" Warning
        "more than one capture in it"
        "The archive holds more than one directory with `sys/` and `proc/` at the same depth. One of them was \
         taken. Unpack it and name the directory that you mean.";
    BAD_LINK = "C007" Warning
        "a symbolic link leads nowhere"
        "Links are followed inside the capture only. A link that leads out of it, in a loop, or to something that \
         was not captured is as good as none, and what it would have led to is not known.";
    UNREADABLE = "C008" Warning
        "a file could not be read"
        "The system refused to let the planner read a file of the allow-list. Run it as root, or accept that what \
         the file would have said is not known.";
    CUT = "C009" Warning
        "a file is longer than is read"
        "The file is longer than the kernel ever makes it, so only its first part was read.";
    NO_INPUT = "C010" Error
        "an input that cannot be opened"
        "The file or directory does not exist, or the system does not let this user read it.";
    NOT_AN_INPUT = "C011" Error
        "a file of a kind that is not read"
        "The planner reads descriptions, JSON, capture directories, `.tar` and `.tar.gz` files of captures, and \
         `live`, this machine. What a file is, is told by its content, not by its name.";
    NO_KERNEL = "C020" Warning
        "the kernel's version is not in the capture"
        "It is read from `proc/version`, `proc/sys/kernel/osrelease` or `uname.txt`. Reserved regions, VFIO and \
         iommufd differ between releases, so say which one runs there: `--kernel 6.12`.";
    NO_PAGE_SIZE = "C021" Note
        "the kernel's page size is not in the capture"
        "sysfs does not tell the page size. It is deduced from the amounts in `proc/meminfo`, which are multiples \
         of it, or from the name of the release (`-16k`, `-64k`). Where all of these are missing, say it: `--page \
         16K`.";
    NO_ARCH = "C022" Warning
        "the architecture is not in the capture"
        "It is read from `proc/sys/kernel/arch`, `uname.txt`, `proc/cpuinfo` or `proc/version`, none of which \
         says it. Say it with `--arch`.";
    NO_GROUPS = "C030" Warning
        "no IOMMU groups"
        "`sys/kernel/iommu_groups` is missing or empty. Either the host has no IOMMU, or it is switched off in \
         firmware or on the command line, or its driver has not loaded, or the directory was not captured. \
         Groups are then predicted from the tables or the device tree of the firmware and from configuration space, and so \
         is what they reserve; where firmware names no IOMMU either, no device can be passed through.";
    BAD_REGION = "C031" Warning
        "a line of reserved_regions cannot be read"
        "The kernel prints one region per line: first address, last address, kind (`0x0000000008000000 \
         0x00000000080fffff msi`; iommu_group_show_resv_regions in drivers/iommu/iommu.c). This line is different \
         and was passed over, so the group may reserve more than is listed.";
    UNKNOWN_REGION_KIND = "C032" Warning
        "an unknown kind of reserved region"
        "The kernel that made the capture prints a kind that this planner does not know; it knows `direct`, \
         `direct-relaxable`, `reserved` and `msi`. The region is kept and treated as `reserved`: nothing is \
         placed there.";
    INVERTED_REGION = "C033" Warning
        "a reserved region ends before it starts"
        "The kernel prints a region of length zero with its end one below its start. A lower end means a length \
         that wrapped around, which virtio-iommu accepts from its device. The line is kept as it is, but it \
         covers nothing here.";
    NO_REGIONS = "C034" Warning
        "a group without reserved_regions"
        "The file `reserved_regions` of the group was not captured, or the kernel is older than 4.11. What it \
         reserves is predicted, not read.";
    BAD_GROUP = "C035" Warning
        "a name in iommu_groups is no group number"
        "The directories in `sys/kernel/iommu_groups` are decimal numbers. This one is not and was passed over.";
    HIDDEN_IOMEM = "C040" Warning
        "proc/iomem was read without root"
        "The kernel shows every address in `proc/iomem` as 00000000-00000000 to readers without CAP_SYS_ADMIN. So \
         the host's RAM and the windows of its host bridges are not known, and neither is where DMA may go peer \
         to peer instead of to the IOMMU. Read it as root.";
    NO_IOMEM = "C041" Warning
        "proc/iomem is not in the capture"
        "Without `proc/iomem` the host's RAM and the windows of its host bridges are not known, and neither is \
         where DMA may go peer to peer instead of to the IOMMU.";
    BAD_IOMEM = "C042" Warning
        "a line of proc/iomem cannot be read"
        "Lines look like `  40200000-4292ffff : Kernel code` (r_show in kernel/resource.c). This one is different \
         and was passed over.";
    NO_FUNCTIONS = "C050" Warning
        "no PCI functions"
        "`sys/bus/pci/devices` is missing or empty, or the directories to which its links lead were not captured.";
    BAD_FUNCTION = "C051" Warning
        "a name in sys/bus/pci/devices is no PCI function of 16-bit segment"
        "PCI functions are named `0000:03:00.0`. Segments above ffff exist only behind Intel VMD, whose functions \
         cannot be passed through one by one. It was passed over.";
    BAD_RESOURCE = "C052" Warning
        "a line of a resource file cannot be read"
        "Each line of `resource` has three hexadecimal numbers: first address, last address, flags (resource_show \
         in drivers/pci/pci-sysfs.c). This one is different, so the register behind it is not known.";
    ODD_BAR = "C053" Warning
        "a base address register whose size is no power of two"
        "The size of a base address register is a power of two (PCIe Base Specification 7.5.1.2.1), except for \
         resources fixed by Enhanced Allocation. The next power of two is assumed.";
    BAD_ATTRIBUTE = "C054" Warning
        "an attribute cannot be read"
        "The file should hold one number and does not. What it would have said is not known.";
    NO_BRIDGE = "C055" Warning
        "functions whose host bridge is not in the capture"
        "The place of a function's directory below `sys/devices/…/pci0000:00` tells its host bridge. Here \
         `sys/bus/pci/devices` holds directories instead of links, so one host bridge per segment is assumed. \
         Keep symbolic links when copying (`cp -a`, `tar` without `-h`).";
    NO_WINDOWS = "C056" Warning
        "a host bridge without windows"
        "No entry of `proc/iomem` is a window of this host bridge, so it is not known which addresses it claims \
         and where DMA may go peer to peer instead of to the IOMMU.";
    BUS_UNKNOWN = "C057" Note
        "the bus addresses of a window are not in the capture"
        "A host bridge may translate: the address that devices see is the address that CPUs see minus an offset. \
         The offset shows where a base address register of a device stands in the window, as the difference \
         between `resource` and `config`. No device tells it for this window, so no offset is assumed.";
    BUS_DISAGREE = "C058" Warning
        "base address registers disagree about the offset of a window"
        "All devices in one window of a host bridge should show the same difference between `resource`, the \
         address for CPUs, and the register in `config`, the address on the bus. They do not, so no offset is \
         assumed.";
    TOO_MANY_BRIDGES = "C059" Warning
        "more host bridges than a machine has"
        "The largest machines have several hundred host bridges; the reader takes 4096. Functions below further \
         ones were passed over.";
    UNKNOWN_IOMMU = "C060" Warning
        "an IOMMU of unknown kind"
        "The kind of an IOMMU is told by its name in `sys/class/iommu`, which its driver makes. No driver known \
         to this planner makes this name. What the IOMMU reserves and translates is not predicted.";
    LOST_IOMMU = "C061" Warning
        "a device refers to an IOMMU that is not in sys/class/iommu"
        "The device's link `iommu` names an IOMMU of which nothing else is known. The capture may be incomplete.";
    FIRMWARE_UNREADABLE = "C080" Warning
        "the firmware's description of the host cannot be read"
        "A device tree or a table of firmware is in the capture and is not what it should be. What the kernel lists is \
         known all the same; stream IDs, MSI controllers, bus addresses and what firmware reserves are not.";
    OTHER_IOMMU = "C081" Warning
        "the kernel and firmware disagree about an IOMMU"
        "The kernel drives an IOMMU that firmware does not describe, or at another place. What the kernel shows was \
         taken. The capture may hold files of two machines, or tables that an overlay or an override changed after \
         the kernel read them.";
    IDLE_IOMMU = "C082" Note
        "an IOMMU that the kernel does not drive"
        "Firmware describes an IOMMU that is not in `sys/class/iommu`: its driver is missing or switched off, or waits \
         for something. Devices behind it are not translated.";
    OTHER_WINDOW = "C083" Warning
        "a window of a host bridge that firmware does not describe"
        "`proc/iomem` shows a window of the host bridge that is in none of those that firmware describes. What the \
         kernel shows was taken. Whether it is translated on the way to the bus is only known where devices show it.";
    UNCLAIMED_WINDOW = "C084" Warning
        "a window of a host bridge that the kernel did not take"
        "Firmware describes a window of a host bridge of which `proc/iomem` has nothing. The kernel refused it, \
         perhaps because something else has the addresses, and hands nothing out of it. The hardware may still \
         decode it: DMA to it may go peer to peer.";
    OTHER_OFFSET = "C085" Warning
        "devices and firmware disagree about the bus addresses of a window"
        "The base address registers of the devices show which bus addresses a window has, and firmware states others. \
         What the devices show was taken.";
    OTHER_BUSES = "C086" Warning
        "a function beyond the buses of its host bridge"
        "Firmware gives fewer buses to the host bridge than are in use. What the kernel shows was taken; stream IDs \
         and MSI controllers of functions beyond are perhaps not known.";
    OTHER_BRIDGE = "C087" Warning
        "a host bridge that firmware does not describe"
        "The kernel found functions below a host bridge that firmware does not mention. Their stream IDs and MSI \
         controllers are not known. Host bridges inside of devices, such as Intel VMD, are of that kind.";
    OTHER_GIC = "C088" Warning
        "the kernel and firmware disagree about the interrupt controller"
        "`proc/iomem` shows the GIC or an ITS elsewhere than firmware describes it. Both are kept. The capture may \
         hold files of two machines.";
    OTHER_STREAM = "C089" Warning
        "the kernel and firmware disagree about the IOMMU of a function"
        "The function's link `iommu` names another IOMMU than firmware's map of requester IDs. What the kernel shows \
         was taken; the stream ID is not known.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_stand_once() {
        let ids: Vec<&str> = CODES.iter().map(|code| code.id).collect();
        assert!(ids.iter().all(|id| id.starts_with('C')));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    }
}
