//! What was typed on the command line, nothing more. What the words mean is decided in [`crate::flags`] and by each verb.
//!
//! Help, completions and the man page are made from these definitions.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, Styles, TypedValueParser};
use clap::{Arg, Args, Command, Parser, Subcommand, ValueEnum, ValueHint};
use planner_core::emit::Target;
use planner_core::facts::Arch;
use planner_core::facts::guest::{HazardPolicy, LayoutPolicy, Viommu};
use planner_core::version::Version;

/// Lays a guest out around what the host's IOMMU reserves
///
/// Linux keeps stretches of a device's address space for itself: the window for MSIs, what firmware claims, what lies
/// outside the IOMMU's aperture; and windows of root complexes take DMA before the IOMMU sees it. A guest with a
/// passed-through device has no RAM there, or dies with "VFIO_MAP_DMA failed". planner predicts those regions, places
/// the guest around them, checks the result with independent code and writes the configuration of the VMM.
#[derive(Parser, Debug)]
#[command(name = "planner", version, max_term_width = 100, styles = Styles::styled(), after_help = EXIT_STATUS)]
#[command(after_long_help = EXIT_STATUS, subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// How to print.
    #[command(flatten)]
    pub(crate) printing: Printing,
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXIT_STATUS: &str = "\
Exit status: 0 done, the guest fits, all checks hold; 1 a finding: no layout, a violation, a difference;
2 bad usage or bad input; 3 a bug in planner.

HOST is a description (*.host), the same as JSON, a capture directory laid out like the live system,
a capture .tar.gz, `live` for this machine, or - for standard input.
GUEST is a description (*.guest), the same as JSON, flags such as --memory 16G, or what you run already: a
command line or script of QEMU, kvmtool, crosvm or cloud-hypervisor, libvirt's XML, cloud-hypervisor's JSON.";

/// How to print.
#[derive(Args, Debug)]
pub(crate) struct Printing {
    /// Print for people or for machines
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Printing"
    )]
    format: Format,
    /// Short for --format json
    #[arg(long, global = true, help_heading = "Printing")]
    json: bool,
    /// When to use colours; NO_COLOR switches them off, too
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "Printing")]
    pub(crate) color: When,
}

impl Printing {
    /// The format asked for by either flag.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// For whom to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// For machines; `planner schema` lists the schemas
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Lay a guest out on a host, or say why that cannot be done
    Plan(Box<PlanArgs>),
    /// Verify a plan made earlier, perhaps on another host
    Check(Box<CheckArgs>),
    /// Print what the kernel reserves for each IOMMU group, and what is left
    Reserved(ReservedArgs),
    /// Print what was understood of a host
    Inspect(InspectArgs),
    /// Read this machine into a capture that planner reads elsewhere
    Capture(CaptureArgs),
    /// Print the configuration of a VMM from a plan
    Emit(EmitArgs),
    /// Draw the address space
    Map(Box<MapArgs>),
    /// Print a description in canonical form
    Fmt(FmtArgs),
    /// Print the JSON Schema of an input or output
    Schema(SchemaArgs),
    /// Replay what kernels did through the model of them, and compare
    Conformance(ConformanceArgs),
    /// Print the table of rules, with versions and citations
    Rules(RulesArgs),
    /// Print the VMMs known, or the memory map that one would make
    Vmm(VmmArgs),
    /// Explain a diagnostic, a rule, an address or a line of a log
    Explain(ExplainArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

/// `planner plan`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner plan seattle.host nfv0.guest
  planner plan live --memory 16G --vcpus 8 --pass 0000:03:00.0 --vmm qemu --machine virt
  planner plan capture.tar.gz nfv0.guest --emit qemu > nfv0.sh
  planner plan seattle.host nfv0.guest -o nfv0/")]
pub(crate) struct PlanArgs {
    /// The host
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) host: String,
    /// The guest; flags override it
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) guest: Option<String>,
    /// The guest, by flags.
    #[command(flatten)]
    pub(crate) flags: GuestArgs,
    /// The kernel.
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Print only the configuration, for this VMM; libvirt=11.3 for that libvirt
    #[arg(long, value_name = "TARGET", value_parser = TargetWords, conflicts_with = "json", conflicts_with = "output")]
    pub(crate) emit: Option<String>,
    /// Write plan.json, the configuration, map.svg and README.md into this directory
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Keep the layout of this earlier plan if it still holds, else say what moved
    #[arg(long, value_name = "PLAN", value_hint = ValueHint::FilePath)]
    pub(crate) locked: Option<String>,
    /// The picture.
    #[command(flatten)]
    pub(crate) picture: PictureArgs,
}

/// `planner check`
#[derive(Args, Debug)]
#[command(
    override_usage = "planner check [OPTIONS] <HOST> [GUEST] <PLAN>",
    after_help = "\
Examples:
  planner check seattle.host nfv0.guest plan.json
  planner check other.host plan.json        the guest is the one in the plan
  planner check live plan.json --json"
)]
pub(crate) struct CheckArgs {
    /// The host
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) host: String,
    /// The guest, if not the one in the plan; then the plan
    #[arg(required = true, num_args = 1..=2, value_name = "GUEST|PLAN", value_hint = ValueHint::FilePath)]
    pub(crate) guest_and_plan: Vec<String>,
    /// The guest, by flags.
    #[command(flatten)]
    pub(crate) flags: GuestArgs,
    /// The kernel.
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
}

/// `planner reserved`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner reserved live
  planner reserved seattle.host --kernel 6.12 --page 4K --json
  planner reserved capture/ --sysfs 5       the bytes of that group's reserved_regions")]
pub(crate) struct ReservedArgs {
    /// The host
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) host: String,
    /// Ask about this kernel instead of the host's
    #[arg(long, value_name = "VERSION")]
    pub(crate) kernel: Option<String>,
    /// Ask about a kernel with this page size
    #[arg(long, value_name = "SIZE")]
    pub(crate) page: Option<String>,
    /// Print the exact text of the reserved_regions of this group
    #[arg(long, value_name = "GROUP", conflicts_with = "group", conflicts_with = "json")]
    pub(crate) sysfs: Option<String>,
    /// Only this group; may be given several times
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Vec<String>,
}

/// `planner inspect`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner inspect live
  planner inspect capture.tar.gz --json
  planner inspect live --p2p=0000:01:00.0,0000:02:00.0
  planner inspect seattle.host --dot | dot -Tsvg > seattle.svg")]
pub(crate) struct InspectArgs {
    /// The host
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) host: String,
    /// Print where peer-to-peer DMA goes and why: at each bridge, or from one function to another
    #[arg(long, value_name = "FROM,TO", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) p2p: Option<String>,
    /// Print the topology as a graph for Graphviz
    #[arg(long, conflicts_with = "json", conflicts_with = "p2p")]
    pub(crate) dot: bool,
    /// The picture.
    #[command(flatten)]
    pub(crate) picture: PictureArgs,
}

/// `planner capture`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner capture                           capture.tar.gz of this machine
  planner capture -o board.tar.gz --force
  planner capture --list                    what is read, why, and who can read it
  planner capture --script > capture.sh     a script that does it without planner
  planner capture --from board/ -o - | ssh elsewhere planner inspect -")]
pub(crate) struct CaptureArgs {
    /// Write the capture to this file; without it, to capture.tar.gz; - for standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Make it of this capture, a directory or an archive, instead of this machine
    #[arg(long, value_name = "CAPTURE", value_hint = ValueHint::AnyPath)]
    pub(crate) from: Option<String>,
    /// Leave serial numbers, MAC addresses, UUIDs and host names in
    #[arg(long)]
    pub(crate) no_redact: bool,
    /// Print the list of what is read, and read nothing
    #[arg(long, conflicts_with_all = ["output", "force", "from", "no_redact", "script"])]
    pub(crate) list: bool,
    /// Print a POSIX shell script that does the same, and read nothing
    #[arg(long, conflicts_with_all = ["output", "force", "from", "no_redact", "json"])]
    pub(crate) script: bool,
}

/// `planner emit`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner emit plan.json --vmm libvirt > nfv0.xml
  planner emit plan.json --vmm libvirt=9.0 > nfv0.xml
  planner plan live nfv0.guest --json | planner emit - --vmm qemu")]
pub(crate) struct EmitArgs {
    /// The plan
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) plan: String,
    /// What to write, libvirt=11.3 for that libvirt; without it, what the plan was made for
    #[arg(long, value_name = "TARGET", value_parser = TargetWords)]
    pub(crate) vmm: Option<String>,
}

/// `planner map`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner map seattle.host
  planner map seattle.host nfv0.guest -o nfv0.svg
  planner map live plan.json -o layout.html")]
pub(crate) struct MapArgs {
    /// The host
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) host: String,
    /// The guest, or a plan made earlier
    #[arg(value_name = "GUEST|PLAN", value_hint = ValueHint::FilePath)]
    pub(crate) guest: Option<String>,
    /// The guest, by flags.
    #[command(flatten)]
    pub(crate) flags: GuestArgs,
    /// The kernel.
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
    /// Only what this IOMMU group sees; may be given several times
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Vec<String>,
    /// Write the picture to this file; its ending, .svg or .html, says how
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// List every band with its reason below the picture
    #[arg(long)]
    pub(crate) list: bool,
    /// The picture.
    #[command(flatten)]
    pub(crate) picture: PictureArgs,
}

/// How the picture is drawn on a terminal.
#[derive(Args, Debug)]
pub(crate) struct PictureArgs {
    /// Columns of the picture; COLUMNS, or 80
    #[arg(long, value_name = "COLUMNS", help_heading = "Picture")]
    pub(crate) width: Option<String>,
    /// Draw with ASCII only
    #[arg(long, help_heading = "Picture")]
    pub(crate) ascii: bool,
}

/// `planner fmt`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner fmt seattle.host
  planner fmt --write seattle.host nfv0.guest
  planner fmt --check *.host                exit status 1 if one is not in canonical form")]
pub(crate) struct FmtArgs {
    /// Descriptions; - for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<String>,
    /// Print nothing but the names of files that are not in canonical form
    #[arg(long, conflicts_with = "write")]
    pub(crate) check: bool,
    /// Change the files
    #[arg(long)]
    pub(crate) write: bool,
}

/// `planner schema`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner schema                            the names
  planner schema plan > plan.schema.json")]
pub(crate) struct SchemaArgs {
    /// Which one: host, guest, plan, reserved, …
    pub(crate) name: Option<String>,
}

/// `planner conformance`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner conformance tests/vectors/kernel  every recording in a directory
  planner conformance capture.tar.gz        listed against predicted regions, and ground truth if it has any
  planner conformance live --json")]
pub(crate) struct ConformanceArgs {
    /// Recorded answers of a kernel as JSON, a directory of such, a capture, or live
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<String>,
}

/// `planner rules`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner rules
  planner rules --kernel 5.10               those that this kernel follows")]
pub(crate) struct RulesArgs {
    /// Only the rules that this kernel follows
    #[arg(long, value_name = "VERSION")]
    pub(crate) kernel: Option<String>,
}

/// `planner vmm`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner vmm                               the VMMs known
  planner vmm qemu=11.1                     what this version can express
  planner vmm qemu=11.1 --machine virt,gic-version=3 --cpu neoverse-n1 --vcpus 8 --memory 1G --json
  planner vmm qemu=11.1.3 -- qemu-system-aarch64 -machine virt -cpu neoverse-n1 -m 1G")]
pub(crate) struct VmmArgs {
    /// A VMM, perhaps with its version: qemu=11.1
    #[arg(value_name = "VMM[=VERSION]")]
    pub(crate) vmm: Option<String>,
    /// Machine type and options in the VMM's own words
    #[arg(long, value_name = "MACHINE")]
    pub(crate) machine: Option<String>,
    /// CPU model in the VMM's own words
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Memory, as 4G or 4G,maxmem=64G,slots=4
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Number of virtual CPUs
    #[arg(long, value_name = "N")]
    pub(crate) vcpus: Option<String>,
    /// Host pages behind the memory
    #[arg(long, value_name = "SIZE")]
    pub(crate) page: Option<String>,
    /// Instruction set of the guest; without it, what the machine type says, else aarch64
    #[arg(long, value_name = "ARCH", value_parser = words(&Arch::WORDS))]
    pub(crate) arch: Option<String>,
    /// The guest's IOMMU
    #[arg(long, value_name = "KIND", value_parser = words(Viommu::WORDS))]
    pub(crate) viommu: Option<String>,
    /// Guest-physical address bits that the hypervisor offers
    #[arg(long, value_name = "N")]
    pub(crate) ipa_bits: Option<String>,
    /// The command line of a VMM instead of flags: print the memory map that it makes
    #[arg(last = true, value_name = "COMMAND", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["machine", "cpu", "memory", "vcpus", "page", "viommu"])]
    pub(crate) command: Vec<String>,
}

/// `planner explain`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner explain K-SWMSI
  planner explain H003
  planner explain 0x8020000 --host seattle.host
  planner explain 'vfio_container_dma_map(0x5581, 0x40000000, 0x80000000, 0x7f31) = -22' --host live
  dmesg | planner explain - --host live")]
pub(crate) struct ExplainArgs {
    /// A code, a rule, an address, or a line of a log; - reads lines from standard input
    #[arg(required = true, value_name = "CODE|RULE|ADDRESS|LINE", allow_hyphen_values = false)]
    pub(crate) what: Vec<String>,
    /// The host that the address or the line is from
    #[arg(long, value_name = "HOST", value_hint = ValueHint::AnyPath)]
    pub(crate) host: Option<String>,
    /// The kernel.
    #[command(flatten)]
    pub(crate) kernel: KernelArgs,
}

/// `planner completions`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner completions bash > ~/.local/share/bash-completion/completions/planner
  planner completions fish > ~/.config/fish/completions/planner.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `planner man`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  planner man | man -l -
  planner man plan > planner-plan.1")]
pub(crate) struct ManArgs {
    /// The page of this verb, rather than that of planner
    #[arg(value_name = "VERB")]
    pub(crate) verb: Option<String>,
}

/// Which kernel to ask about.
#[derive(Args, Debug, Default)]
pub(crate) struct KernelArgs {
    /// Ask about this kernel instead of the host's
    #[arg(long, value_name = "VERSION", help_heading = "Kernel")]
    pub(crate) kernel: Option<String>,
    /// Ask about a kernel with this page size
    #[arg(long, value_name = "SIZE", help_heading = "Kernel")]
    pub(crate) kernel_page: Option<String>,
}

/// The guest, by flags. They override what a description says.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Guest")]
pub(crate) struct GuestArgs {
    /// Memory, as 16G or 4G,maxmem=64G,slots=4
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Number of virtual CPUs
    #[arg(long, value_name = "N")]
    pub(crate) vcpus: Option<String>,
    /// Host devices to pass through, as 0000:03:00.0,0000:03:00.1
    #[arg(long, value_name = "DEVICE", value_delimiter = ',')]
    pub(crate) pass: Vec<String>,
    /// The VMM, as qemu or qemu=11.1
    #[arg(long, value_name = "VMM[=VERSION]")]
    pub(crate) vmm: Option<String>,
    /// Machine type and options in the VMM's own words, as virt,gic-version=3
    #[arg(long, value_name = "MACHINE")]
    pub(crate) machine: Option<String>,
    /// CPU model in the VMM's own words
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,
    /// Host pages behind the memory, as 2M
    #[arg(long, value_name = "SIZE")]
    pub(crate) page: Option<String>,
    /// Instruction set; without it, the host's
    #[arg(long, value_name = "ARCH", value_parser = words(&Arch::WORDS))]
    pub(crate) arch: Option<String>,
    /// Guest-physical address bits that the hypervisor offers
    #[arg(long, value_name = "N")]
    pub(crate) ipa_bits: Option<String>,
    /// A NUMA node, as 8G,cpus=0-3,host-node=1; once for each, in order
    #[arg(long, value_name = "NODE")]
    pub(crate) numa: Vec<String>,
    /// The guest's IOMMU
    #[arg(long, value_name = "KIND", value_parser = words(Viommu::WORDS))]
    pub(crate) viommu: Option<String>,
    /// Use iommufd rather than VFIO type1 containers
    #[arg(long)]
    pub(crate) iommufd: bool,
    /// What windows that may take DMA do to RAM
    #[arg(long, value_name = "POLICY", value_parser = words(HazardPolicy::WORDS))]
    pub(crate) hazards: Option<String>,
    /// Lay out for this host and these devices, or for all devices of the host
    #[arg(long, value_name = "POLICY", value_parser = words(LayoutPolicy::WORDS))]
    pub(crate) policy: Option<String>,
}

/// A target; libvirt perhaps with its version, as in `libvirt=11.3`.
#[derive(Clone)]
struct TargetWords;

impl TypedValueParser for TargetWords {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        let (word, version) = target_words(value.to_str().unwrap_or_default());
        if word == Target::Libvirt.word() && version.is_some_and(|text| text.parse::<Version>().is_ok()) {
            return Ok(value.to_string_lossy().into_owned());
        }
        words(Target::WORDS).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Target::WORDS.iter().map(|(word, _)| PossibleValue::new(*word))))
    }
}

/// A target and its version, if one was typed.
pub(crate) fn target_words(typed: &str) -> (&str, Option<&str>) {
    typed.split_once('=').map_or((typed, None), |(word, version)| (word, Some(version)))
}

/// The words of a table are the possible values.
fn words<T>(table: &'static [(&'static str, T)]) -> PossibleValuesParser {
    PossibleValuesParser::new(table.iter().map(|(word, _)| *word))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example() {
        for verb in Cli::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Examples:\n  planner "), "{}: {help}", verb.get_name());
        }
    }
}
