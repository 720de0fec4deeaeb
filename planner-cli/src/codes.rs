//! Diagnostics of the command line, for `planner explain`.

planner_core::diag::diagnostic_codes! {
    BAD_VALUE = "A001" Error "the value of a flag cannot be meant"
        "The message names the flag, what was found and what is expected. Sizes are taken as users write them: `16G`, \
         `2M`, `0x4000_0000`, `1048576`; units are binary. PCI addresses are `0000:03:00.0`, or `03:00.0` in segment 0. \
         Versions are `6.12` or `6.1.192`.";
    STDIN_TWICE = "A002" Error "standard input is read for two things"
        "`-` stands for standard input, which can be read once. Write one of the two to a file.";
    NOT_A_PLAN = "A003" Error "the file is no plan"
        "A plan is the JSON that `planner plan --json` prints, or the plan.json that `planner plan -o DIR` writes. Its \
         `schema` is `plan/1`. A document that says `impossible` holds no plan either.";
    EXISTS = "A004" Error "the file to write exists"
        "Nothing was written. `--force` overwrites.";
    CANNOT_WRITE = "A005" Error "the output cannot be written"
        "Files are first written under a temporary name beside their place and then renamed, all or none. The message \
         has the operating system's reason.";
    UNKNOWN_NAME = "A006" Error "there is nothing of this name"
        "The message says what was looked for and what there is.";
    NO_SUCH_GROUP = "A007" Error "the host has no such IOMMU group"
        "Groups are numbered by the kernel, in the order in which it met the devices; the numbers are those below \
         /sys/kernel/iommu_groups. Without a capture planner numbers them itself. `planner reserved HOST` lists them.";
    NO_JSON = "A008" Error "this output has no JSON form"
        "A picture, a script or the text of a file is printed as it is. What the picture shows is data in \
         `planner plan --json` and `planner reserved --json`.";
    PICTURE_KIND = "A010" Error "the kind of picture is not known"
        "The ending of the file says how the picture is written: `.svg` or `.html`.";
    CANNOT_READ = "A011" Error "the file cannot be read"
        "The message has the operating system's reason. Descriptions and plans are UTF-8 text.";
    NEEDS_HOST = "A012" Error "an address means nothing without a host"
        "Who owns an address depends on the machine. Name it with `--host`: a description, a capture, or `live`.";
    NO_GROUPS = "A013" Warning "the host has no IOMMU group"
        "Reserved regions belong to IOMMU groups, and groups are made of devices behind an IOMMU. The host has no \
         IOMMU, it is switched off, or the description does not say which root complex is behind which IOMMU.";
    LOCK_KEPT = "A014" Note "an earlier layout is kept"
        "`--locked` found that RAM can lie where the earlier plan has it, on today's host and for today's guest.";
    LOCK_LOST = "A015" Warning "an earlier layout does not hold any more"
        "The layout is part of what a guest sees: a guest that was suspended or is to be migrated must find it \
         unchanged. The notes say what of the earlier plan fails and what lies elsewhere in the new one. Start the \
         guest anew with the new plan, or give it a host where the earlier one holds.";
    NOT_A_CAPTURE = "A030" Error "the input is no capture"
        "`planner capture --from` makes a capture of a capture: a directory or an archive laid out like the live system. \
         A description says what people believe about a host and not what its files hold.";
}
