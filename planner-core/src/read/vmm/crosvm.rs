//! A command line of crosvm (`crosvm run …`) as a guest (src/crosvm/cmdline.rs).

use super::codes;
use super::options::{LongOption, options, pairs};
use super::sink::Sink;
use super::words::Word;
use crate::diag::Diagnostic;
use crate::facts::configured::{Accelerator, ConfiguredFacts};
use crate::facts::guest::{MemoryFact, PassFact, Viommu, VmmFact, VmmKind};
use crate::facts::value_of;
use crate::ids::PciAddress;
use crate::size::{MIB, PageSize, Size};
use crate::version::Version;

/// Options without effect on the memory map, by the start of their names.
const HARMLESS: &[&str] = &[
    "--android-fstab",
    "--balloon",
    "--battery",
    "--block",
    "--bios",
    "--capture-path",
    "--cid",
    "--console",
    "--core-scheduling",
    "--cpu-affinity",
    "--cpu-capacity",
    "--cpu-cluster",
    "--cpuset",
    "--delay-rt",
    "--disable-sandbox",
    "--disk",
    "--display",
    "--dump-device-tree-blob",
    "--fs-device",
    "--fwcfg",
    "--gdb",
    "--gpu",
    "--host-ip",
    "--initrd",
    "--input",
    "--jail",
    "--kernel",
    "--log-level",
    "--mac",
    "--media-decoder",
    "--mouse",
    "--name",
    "--net",
    "--no-balloon",
    "--no-i8042",
    "--no-rng",
    "--no-rtc",
    "--no-smt",
    "--no-usb",
    "--params",
    "--per-vm-core-scheduling",
    "--pmem",
    "--pstore",
    "--rng",
    "--root",
    "--rt-cpus",
    "--rwdisk",
    "--rwroot",
    "--seccomp",
    "--serial",
    "--shared-dir",
    "--smbios",
    "--socket",
    "--sound",
    "--splash",
    "--syslog",
    "--tap",
    "--trackpad",
    "--tube",
    "--usb",
    "--vhost",
    "--video",
    "--virtio-snd",
    "--vsock",
    "--wayland",
    "--x-display",
    "-b",
    "-d",
    "-i",
    "-p",
    "-r",
    "-s",
    "-v",
    "-q",
];

/// Whether a word names crosvm.
#[must_use]
pub fn is_program(word: &str) -> bool {
    word.rsplit('/').next() == Some("crosvm")
}

/// What a command line says, from the name of the program on.
#[must_use]
pub fn read(words: &[Word], version: Option<Version>) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let origin = words.first().map(|word| word.origin.clone()).unwrap_or_default();
    let mut facts = ConfiguredFacts { accelerator: Some(Accelerator::Kvm), ..ConfiguredFacts::default() };
    facts.guest.origin = origin.clone();
    let vmm =
        |kind| VmmFact { kind, version, machine: None, cpu: None, custom: None, origin: origin.clone() };
    facts.guest.vmm = value_of(VmmKind::WORDS, "crosvm").map(vmm);
    if facts.guest.vmm.is_none() {
        sink.say(&codes::NO_MODEL, origin, "the planner has no model of crosvm");
    }
    for option in options(words.get(1..).unwrap_or_default()) {
        read_option(&option, &mut facts, &mut sink);
    }
    let (refusals, found) = sink.finish();
    facts.refusals = refusals;
    (facts, found)
}

fn read_option(option: &LongOption, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let read: fn(&Word, &mut ConfiguredFacts, &mut Sink) = match option.name.as_str() {
        "-m" | "--mem" => memory,
        "-c" | "--cpus" => cpus,
        "--vfio" => pass,
        "--pci" => pci,
        "--hugepages" => {
            set_pages(facts, option);
            return;
        }
        name if HARMLESS.iter().any(|start| name.starts_with(start)) => return,
        name => {
            let words: Vec<&str> = option.values.iter().take(1).map(|word| word.text.as_str()).collect();
            return sink
                .odd(option.origin.clone(), [name].into_iter().chain(words).collect::<Vec<_>>().join(" "));
        }
    };
    match option.values.first() {
        Some(value) => read(value, facts, sink),
        None => sink.say(&codes::NO_VALUE, option.origin.clone(), format!("{} has no value", option.name)),
    }
}

/// `mem=[start=,size=],cam=[start=]`: the machine, in crosvm's own words (arch/src/lib.rs, `PciConfig`).
fn pci(word: &Word, facts: &mut ConfiguredFacts, _: &mut Sink) {
    if let Some(vmm) = facts.guest.vmm.as_mut() {
        vmm.machine = Some(word.text.clone());
    }
}

/// Huge pages are transparent ones of 2 MiB.
fn set_pages(facts: &mut ConfiguredFacts, option: &LongOption) {
    let pages = Some(PageSize::M2);
    let none =
        MemoryFact { size: Size::ZERO, pages, hotplug: None, slots: None, origin: option.origin.clone() };
    facts.guest.memory.get_or_insert(none).pages = pages;
}

/// `16384` or `size=16384`, in MiB.
fn memory(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let parts = pairs(&word.text);
    let text =
        parts.iter().find(|(name, _)| name.is_empty() || name == "size").map(|(_, value)| value.as_str());
    let size = text.and_then(|text| text.parse::<u64>().ok()?.checked_mul(MIB)).map(Size::from_bytes);
    let Some(size) = size else {
        return sink.bad_value(word.origin.clone(), "--mem", &word.text, "a number of MiB");
    };
    for (name, value) in parts.iter().filter(|(name, _)| !name.is_empty() && name != "size") {
        sink.odd(word.origin.clone(), format!("{name}={value}"));
    }
    facts.boot = Some(size);
    let pages = facts.guest.memory.as_ref().and_then(|memory| memory.pages);
    facts.guest.memory =
        Some(MemoryFact { size, pages, hotplug: None, slots: None, origin: word.origin.clone() });
}

fn cpus(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let parts = pairs(&word.text);
    let text = parts
        .iter()
        .find(|(name, _)| name.is_empty() || name == "num-cores")
        .map(|(_, value)| value.as_str());
    match text.and_then(|text| text.parse().ok()) {
        Some(count) => facts.guest.vcpus = Some(count),
        None => sink.bad_value(word.origin.clone(), "--cpus", &word.text, "a number of virtual CPUs"),
    }
}

/// `PATH[,iommu=…]`, the path below `/sys/bus/pci/devices`.
fn pass(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let parts = pairs(&word.text);
    let path = parts.iter().find(|(name, _)| name.is_empty() || name == "path").map_or("", |(_, path)| path);
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match name.parse::<PciAddress>() {
        Ok(device) => facts.guest.pass.push(PassFact { device, origin: word.origin.clone() }),
        Err(_) => sink.bad_value(
            word.origin.clone(),
            "--vfio",
            path,
            "a path such as /sys/bus/pci/devices/0000:03:00.0",
        ),
    }
    for (name, value) in &parts {
        match (name.as_str(), value.as_str()) {
            ("iommu", "viommu" | "on") => facts.guest.viommu = Some(Viommu::Virtio),
            ("iommu", "off") | ("" | "path" | "guest-address" | "dt-symbol", _) => {}
            ("iommu", other) => {
                let message = format!("the planner has no model of the IOMMU `{other}`");
                sink.say(&codes::OTHER_IOMMU, word.origin.clone(), message);
            }
            (name, value) => sink.odd(word.origin.clone(), format!("{name}={value}")),
        }
    }
}
