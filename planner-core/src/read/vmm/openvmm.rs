//! A command line of OpenVMM as a guest (openvmm/openvmm_entry/src/cli_args.rs).
//!
//! Left out: windows at pinned addresses (`low_mmio_base=`), more than one root complex, VMBus.

use super::codes;
use super::options::{LongOption, options, pairs};
use super::sink::Sink;
use super::words::Word;
use crate::diag::Diagnostic;
use crate::facts::configured::{Accelerator, ConfiguredFacts};
use crate::facts::guest::{MemoryFact, NumaFact, PassFact, VmmFact, VmmKind};
use crate::ids::PciAddress;
use crate::size::{PageSize, Size, parse_number};
use crate::version::Version;

/// Options without effect on the memory map, by the start of their names.
const HARMLESS: &[&str] = &[
    "--cmdline",
    "--com",
    "--disk",
    "--gfx",
    "--hv",
    "--hypervisor",
    "--initrd",
    "--iommu",
    "--kernel",
    "--log",
    "--net",
    "--no-vmbus",
    "--nvme",
    "--paused",
    "--pcie-remote",
    "--pcie-root-port",
    "--pcie-switch",
    "--serial",
    "--uefi-firmware",
    "--virtio",
    "--vmgs",
    "--write-saved-state-proto",
    "-c",
    "-k",
    "-r",
];

/// Whether a word names OpenVMM.
#[must_use]
pub fn is_program(word: &str) -> bool {
    word.rsplit('/').next() == Some("openvmm")
}

/// What a command line says, from the name of the program on.
#[must_use]
pub fn read(words: &[Word], version: Option<Version>) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let origin = words.first().map(|word| word.origin.clone()).unwrap_or_default();
    let mut facts = ConfiguredFacts { accelerator: Some(Accelerator::Kvm), ..ConfiguredFacts::default() };
    facts.guest.origin = origin.clone();
    let kind = VmmKind::Openvmm;
    facts.guest.vmm = Some(VmmFact { kind, version, machine: None, cpu: None, custom: None, origin });
    for option in options(words.get(1..).unwrap_or_default()) {
        read_option(&option, &mut facts, &mut sink);
    }
    // The nodes say how much memory there is.
    if let Some(first) = facts.guest.numa.first().filter(|_| facts.boot.is_none()) {
        let nodes = facts.guest.numa.iter();
        let size = nodes.fold(Size::ZERO, |sum, node| sum.checked_add(node.memory).unwrap_or(sum));
        let origin = first.origin.clone();
        facts.boot = Some(size);
        let pages = facts.guest.memory.as_ref().and_then(|memory| memory.pages);
        facts.guest.memory = Some(MemoryFact { size, pages, hotplug: None, slots: None, origin });
    }
    (facts, sink.finish().1)
}

fn read_option(option: &LongOption, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let read: fn(&Word, &mut ConfiguredFacts, &mut Sink) = match option.name.as_str() {
        "-m" | "--memory" => memory,
        "-p" | "--processors" => processors,
        "--numa" => node,
        "--pcie-root-complex" => root_complex,
        "--vfio" => pass,
        "--uefi" => {
            if let Some(vmm) = facts.guest.vmm.as_mut() {
                vmm.machine = Some("uefi".to_owned());
            }
            return;
        }
        name if HARMLESS.iter().any(|start| name.starts_with(start)) => return,
        name => return sink.odd(option.origin.clone(), name),
    };
    match option.values.first() {
        Some(value) => read(value, facts, sink),
        None => sink.say(&codes::NO_VALUE, option.origin.clone(), format!("{} has no value", option.name)),
    }
}

/// `16G`, `16GB`: binary units.
fn size(word: &Word, what: &str, text: &str, sink: &mut Sink) -> Option<Size> {
    let digits = text.strip_suffix(['B', 'b']).unwrap_or(text);
    let bytes = parse_number(digits).ok().map(Size::from_bytes);
    if bytes.is_none() {
        sink.bad_value(word.origin.clone(), what, text, "a size such as 16G");
    }
    bytes
}

fn on(value: &str) -> bool {
    matches!(value, "on" | "true")
}

/// The size and the huge pages of `--memory` and `--numa`; the other members are given back.
fn backed(
    word: &Word,
    what: &str,
    sink: &mut Sink,
) -> (Option<Size>, Option<PageSize>, Vec<(String, String)>) {
    let (mut bytes, mut huge, mut pages, mut rest) = (None, false, None, Vec::new());
    for (name, value) in pairs(&word.text) {
        match name.as_str() {
            "" | "size" => bytes = size(word, what, &value, sink),
            "hugepages" => huge = on(&value),
            "hugepage_size" => {
                pages = size(word, "hugepage_size", &value, sink)
                    .and_then(|size| PageSize::from_bytes(size.bytes()));
            }
            "shared" | "prefetch" | "private" | "transparent_hugepages" => {}
            _ => rest.push((name, value)),
        }
    }
    (bytes, huge.then(|| pages.unwrap_or(PageSize::M2)), rest)
}

fn memory(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let (bytes, pages, rest) = backed(word, "--memory", sink);
    for (name, value) in rest {
        sink.odd(word.origin.clone(), format!("{name}={value}"));
    }
    let Some(size) = bytes else { return };
    facts.boot = Some(size);
    facts.guest.memory =
        Some(MemoryFact { size, pages, hotplug: None, slots: None, origin: word.origin.clone() });
}

fn processors(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    match word.text.parse() {
        Ok(count) => facts.guest.vcpus = Some(count),
        Err(_) => {
            sink.bad_value(word.origin.clone(), "--processors", &word.text, "a number of virtual CPUs");
        }
    }
}

/// `size=8G,host_numa_node=0,vps=[0-3]`: one node each time.
fn node(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let (bytes, pages, rest) = backed(word, "--numa", sink);
    let (mut host_node, mut cpus) = (None, (None, None));
    for (name, value) in rest {
        match name.as_str() {
            "host_numa_node" => host_node = value.parse().ok(),
            "vps" => cpus = range(value.trim_matches(['[', ']'])),
            _ => sink.odd(word.origin.clone(), format!("{name}={value}")),
        }
    }
    let count = u32::try_from(facts.guest.numa.len()).unwrap_or(u32::MAX);
    facts.guest.numa.push(NumaFact {
        node: count,
        memory: bytes.unwrap_or(Size::ZERO),
        first_cpu: cpus.0,
        last_cpu: cpus.1,
        host_node,
        origin: word.origin.clone(),
    });
    if pages.is_some() && facts.guest.memory.is_none() {
        let origin = word.origin.clone();
        facts.guest.memory = Some(MemoryFact { size: Size::ZERO, pages, hotplug: None, slots: None, origin });
    }
}

/// `0-3`, or a number alone.
fn range(text: &str) -> (Option<u32>, Option<u32>) {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) => (Some(first), Some(last)),
        _ => (None, None),
    }
}

/// `rc0,low_mmio=256M,high_mmio=64G`.
fn root_complex(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    for (name, value) in pairs(&word.text) {
        match name.as_str() {
            "" => {}
            "low_mmio" => facts.low_window = size(word, "low_mmio", &value, sink),
            "high_mmio" => facts.pci_window = size(word, "high_mmio", &value, sink),
            _ => sink.odd(word.origin.clone(), format!("{name}={value}")),
        }
    }
}

/// `host=0000:03:00.0,port=rp0,iommu=iommu0`.
fn pass(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    for (name, value) in pairs(&word.text) {
        match name.as_str() {
            "" | "host" => match value.parse::<PciAddress>() {
                Ok(device) => facts.guest.pass.push(PassFact { device, origin: word.origin.clone() }),
                Err(_) => {
                    sink.bad_value(word.origin.clone(), "--vfio", &value, "a device such as 0000:03:00.0");
                }
            },
            "port" => {}
            "iommu" => facts.guest.iommufd = Some(true),
            _ => sink.odd(word.origin.clone(), format!("{name}={value}")),
        }
    }
}
