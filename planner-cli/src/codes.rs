//! Diagnostics of the command line, for `planner explain`.

use planner_core::diag::{Code, Severity};

macro_rules! codes {
    ($($name:ident = $id:literal $title:literal $explanation:literal;)+) => {
        $(
            #[doc = $title]
            pub(crate) static $name: Code = Code {
                id: $id,
                severity: Severity::Error,
                title: $title,
                explanation: $explanation,
            };
        )+
        /// Every code of the command line.
        pub(crate) static ALL: &[&Code] = &[$(&$name),+];
    };
}

codes! {
    BAD_VALUE = "A001" "the value of a flag cannot be meant"
        "The message names the flag, what was found and what is expected. Sizes are taken as users write them: `16G`, \
         `2M`, `0x4000_0000`, `1048576`; units are binary. PCI addresses are `0000:03:00.0`, or `03:00.0` in segment 0. \
         Versions are `6.12` or `6.1.192`.";
    STDIN_TWICE = "A002" "standard input is read for two things"
        "`-` stands for standard input, which can be read once. Write one of the two to a file.";
    NOT_A_PLAN = "A003" "the file is no plan"
        "A plan is the JSON that `planner plan --json` prints, or the plan.json that `planner plan -o DIR` writes. Its \
         `schema` is `plan/1`. A document that says `impossible` holds no plan either.";
    EXISTS = "A004" "the file to write exists"
        "Nothing was written. `--force` overwrites.";
    CANNOT_WRITE = "A005" "the output cannot be written"
        "Files are first written under a temporary name beside their place and then renamed, all or none. The message \
         has the operating system's reason.";
    UNKNOWN_NAME = "A006" "there is nothing of this name"
        "The message says what was looked for and what there is.";
    NO_SUCH_GROUP = "A007" "the host has no such IOMMU group"
        "Groups are numbered by the kernel, in the order in which it met the devices; the numbers are those below \
         /sys/kernel/iommu_groups. Without a capture planner numbers them itself. `planner reserved HOST` lists them.";
    NO_JSON = "A008" "this output has no JSON form"
        "A picture, a script or the text of a file is printed as it is. What the picture shows is data in \
         `planner plan --json` and `planner reserved --json`.";
    VMM_REFUSES = "A009" "the VMM refuses the machine"
        "The VMM itself would stop with the text in the message. `planner explain` has the rule named there.";
    PICTURE_KIND = "A010" "the kind of picture is not known"
        "The ending of the file says how the picture is written: `.svg` or `.html`.";
    CANNOT_READ = "A011" "the file cannot be read"
        "The message has the operating system's reason. Descriptions and plans are UTF-8 text.";
    NEEDS_HOST = "A012" "an address means nothing without a host"
        "Who owns an address depends on the machine. Name it with `--host`: a description, a capture, or `live`.";
}
