//! Firecracker as a guest: the file for its `--config-file` (src/vmm/src/resources.rs, `VmmConfig`), or a command line that
//! names one. It passes no devices through; what is read is the memory and the processors.

use super::codes;
use super::options::options;
use super::qemu::Files;
use super::sink::Sink;
use super::tree::{self, Node};
use super::words::Word;
use crate::diag::{Diagnostic, Origin, TextFile};
use crate::facts::configured::{Accelerator, ConfiguredFacts};
use crate::facts::guest::{MemoryFact, VmmFact, VmmKind};
use crate::size::{MIB, PageSize, Size};
use crate::version::Version;

/// Members of the file without effect on the memory map.
const HARMLESS: &[&str] = &[
    "balloon",
    "boot-source",
    "cpu-config",
    "drives",
    "entropy",
    "logger",
    "metrics",
    "mmds-config",
    "network-interfaces",
    "pmem",
    "serial",
    "vsock",
];
/// Options of the command line likewise.
const HARMLESS_OPTIONS: &[&str] = &[
    "--api-sock",
    "--boot-timer",
    "--enable-pci",
    "--http-api-max-payload-size",
    "--id",
    "--level",
    "--log-path",
    "--metadata",
    "--metrics-path",
    "--mmds-size-limit",
    "--module",
    "--no-api",
    "--no-seccomp",
    "--parent-cpu-time-us",
    "--seccomp-filter",
    "--show-level",
    "--show-log-origin",
    "--start-time-cpu-us",
    "--start-time-us",
];
/// src/vmm/src/vmm_config/machine_config.rs, `DEFAULT_MEM_SIZE_MIB`; there is one vCPU unless more are asked for.
const DEFAULT_MEMORY: Size = Size::mib(128);
const MACHINE: &[&str] =
    &["cpu_template", "huge_pages", "mem_size_mib", "smt", "track_dirty_pages", "vcpu_count"];

/// Whether a word names Firecracker.
#[must_use]
pub fn is_program(word: &str) -> bool {
    word.rsplit('/').next() == Some("firecracker")
}

/// The file that a command line names.
#[must_use]
pub fn files_named(words: &[Word]) -> Vec<String> {
    let at = words.iter().position(|word| is_program(&word.text));
    let own = at.and_then(|at| words.get(at..)).unwrap_or_default();
    let files = options(own).into_iter().filter(|option| option.name == "--config-file");
    files.filter_map(|option| option.values.first().map(|word| word.text.clone())).collect()
}

/// What the file says.
#[must_use]
pub fn read_json(name: &str, text: &str, version: Option<Version>) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let facts = config(name, text, version, &mut sink);
    (facts, sink.finish().1)
}

/// What a command line and the file that it names say. `files` are the texts of those that [`files_named`] named.
#[must_use]
pub fn read(words: &[Word], version: Option<Version>, files: &Files) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let origin = words.first().map_or(Origin::Unstated, |word| word.origin.clone());
    let mut facts = empty(origin.clone(), version);
    let mut named = false;
    for option in options(words.get(1..).unwrap_or_default()) {
        match option.name.as_str() {
            "--config-file" => {
                named = true;
                let file = option.values.first().map(|word| word.text.as_str()).unwrap_or_default();
                match files.get(file) {
                    Some(text) => facts = config(file, text, version, &mut sink),
                    None => {
                        sink.say(&codes::NO_FILE, option.origin.clone(), format!("{file:?} is not at hand"));
                    }
                }
            }
            name if HARMLESS_OPTIONS.contains(&name) => {}
            name => sink.odd(option.origin.clone(), name),
        }
    }
    if !named {
        sink.odd(origin, "a guest that is configured through the API");
    }
    (facts, sink.finish().1)
}

fn empty(origin: Origin, version: Option<Version>) -> ConfiguredFacts {
    let mut facts = ConfiguredFacts { accelerator: Some(Accelerator::Kvm), ..ConfiguredFacts::default() };
    facts.guest.origin = origin.clone();
    let kind = VmmKind::Firecracker;
    facts.guest.vmm = Some(VmmFact { kind, version, machine: None, cpu: None, custom: None, origin });
    facts
}

fn config(name: &str, text: &str, version: Option<Version>, sink: &mut Sink) -> ConfiguredFacts {
    let file = TextFile::new(name, text);
    let Some(root) = tree::json(&file, text, sink) else { return ConfiguredFacts::default() };
    let mut facts = empty(root.origin.clone(), version);
    for member in &root.children {
        match member.name.as_str() {
            "machine-config" => machine(member, &mut facts, sink),
            name if HARMLESS.contains(&name) => {}
            name => sink.odd(member.origin.clone(), name),
        }
    }
    if facts.boot.is_none() {
        let (size, origin) = (DEFAULT_MEMORY, root.origin.clone());
        facts.boot = Some(size);
        facts.guest.memory = Some(MemoryFact { size, pages: None, hotplug: None, slots: None, origin });
    }
    facts
}

/// `MachineConfig` (src/vmm/src/vmm_config/machine_config.rs).
fn machine(node: &Node, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    for child in node.children.iter().filter(|child| !MACHINE.contains(&child.name.as_str())) {
        sink.odd(child.origin.clone(), format!("machine-config.{}", child.name));
    }
    if let Some(count) = node.child("vcpu_count") {
        match count.text.parse() {
            Ok(vcpus) => facts.guest.vcpus = Some(vcpus),
            Err(_) => {
                sink.bad_value(count.origin.clone(), "vcpu_count", &count.text, "a number of virtual CPUs");
            }
        }
    }
    let Some(said) = node.child("mem_size_mib") else { return };
    let size = said.text.parse::<u64>().ok().and_then(|count| count.checked_mul(MIB)).map(Size::from_bytes);
    let Some(size) = size else {
        return sink.bad_value(said.origin.clone(), "mem_size_mib", &said.text, "a number of MiB");
    };
    let pages = node.child("huge_pages").filter(|pages| pages.text == "2M").map(|_| PageSize::M2);
    facts.boot = Some(size);
    facts.guest.memory =
        Some(MemoryFact { size, pages, hotplug: None, slots: None, origin: said.origin.clone() });
}
