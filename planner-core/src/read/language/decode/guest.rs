//! What the clauses of a `guest` block mean.

use super::{Node, Place, Value};
use crate::facts::Arch;
use crate::facts::custom::{
    BarMapping, CustomRegion, CustomRegionKind, CustomVmm, CustomWindow, CustomWindowKind,
};
use crate::facts::guest::{
    AvoidFact, GuestFacts, HazardPolicy, LayoutPolicy, MemoryFact, NumaFact, PassFact, Viommu, VmmFact,
    VmmKind,
};
use crate::version::Version;

/// The facts of a `guest` block.
pub(in super::super) fn guest(node: &Node, place: &Place) -> GuestFacts {
    let mut facts = GuestFacts {
        name: node.name("NAME").unwrap_or_default(),
        origin: place.of(node),
        ..GuestFacts::default()
    };
    for clause in node.inner() {
        // What a clause fails to say was reported when it was read.
        let _ = take(clause, place, &mut facts);
    }
    facts
}

fn take(node: &Node, place: &Place, facts: &mut GuestFacts) -> Option<()> {
    match node.keyword() {
        "arch" => facts.arch = node.word("ARCH", &Arch::WORDS),
        "vmm" => facts.vmm = vmm(node, place),
        "memory" => facts.memory = memory(node, place),
        "numa" => facts.numa.push(numa(node, place)?),
        "vcpus" => facts.vcpus = node.number("N"),
        "pass" => {
            for given in node.all("BDF") {
                facts.pass.push(PassFact { device: given.value.pci(0)?, origin: place.at(&given.at) });
            }
        }
        "viommu" => facts.viommu = node.word("KIND", Viommu::WORDS),
        "iommufd" => facts.iommufd = node.yes("YES"),
        "hazards" => facts.hazards = node.word("POLICY", HazardPolicy::WORDS),
        "policy" => facts.policy = node.word("POLICY", LayoutPolicy::WORDS),
        "ipa" => facts.ipa_bits = node.number("N"),
        "libvirt" => facts.libvirt = version(node),
        "avoid" => facts.avoid.push(AvoidFact { span: node.span("SPAN")?, origin: place.of(node) }),
        _ => {}
    }
    Some(())
}

fn vmm(node: &Node, place: &Place) -> Option<VmmFact> {
    Some(VmmFact {
        kind: node.word("VMM", VmmKind::WORDS)?,
        version: version(node),
        machine: node.find("machine").and_then(|inner| inner.name("MACHINE")),
        cpu: node.find("cpu").and_then(|inner| inner.name("MODEL")),
        custom: Some(custom(node)).filter(|custom| *custom != CustomVmm::default()),
        origin: place.of(node),
    })
}

fn version(node: &Node) -> Option<Version> {
    match node.value("VERSION") {
        Some(Value::Version(version)) => Some(*version),
        _ => None,
    }
}

fn custom(node: &Node) -> CustomVmm {
    let region = |inner: &Node| {
        Some(CustomRegion {
            name: inner.name("NAME")?,
            span: inner.span("SPAN")?,
            kind: inner.word("KIND", CustomRegionKind::WORDS)?,
        })
    };
    let window = |inner: &Node| {
        Some(CustomWindow {
            name: inner.name("NAME")?,
            kind: inner.word("KIND", CustomWindowKind::WORDS)?,
            span: inner.span("SPAN")?,
            size: inner.size("SIZE"),
            most: inner.size("MOST"),
        })
    };
    CustomVmm {
        ram: node.each("ram").filter_map(|inner| inner.span("SPAN")).collect(),
        movable: node.find("movable").and_then(|inner| inner.span("SPAN")),
        align: node.find("align").and_then(|inner| inner.size("SIZE")),
        pieces: node.find("pieces").and_then(|inner| inner.number("N")),
        regions: node.each("region").filter_map(region).collect(),
        windows: node.each("window").filter_map(window).collect(),
        ipa_bits: node.find("ipa").and_then(|inner| inner.number("N")),
        bars: node.find("bars").and_then(|inner| inner.word("MAPPING", BarMapping::WORDS)),
    }
}

fn memory(node: &Node, place: &Place) -> Option<MemoryFact> {
    Some(MemoryFact {
        size: node.size("SIZE")?,
        pages: node.find("pages").and_then(|inner| inner.page("SIZE")),
        hotplug: node.find("hotplug").and_then(|inner| inner.size("SIZE")),
        slots: node.find("slots").and_then(|inner| inner.number("N")),
        origin: place.of(node),
    })
}

fn numa(node: &Node, place: &Place) -> Option<NumaFact> {
    let cpus = node.find("cpus").and_then(|inner| inner.range("FIRST"));
    Some(NumaFact {
        node: node.number("N")?,
        memory: node.find("memory")?.size("SIZE")?,
        first_cpu: cpus.map(|(first, _)| first),
        last_cpu: cpus.map(|(_, last)| last),
        host_node: node.find("host-node").and_then(|inner| inner.number("N")),
        origin: place.of(node),
    })
}
