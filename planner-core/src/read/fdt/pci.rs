//! PCI host bridges with their segments and buses, and the place of functions that the devicetree describes.

use std::collections::{BTreeMap, BTreeSet};

use super::address::is_pci;
use super::codes;
use super::sink::Sink;
use super::tree::{NodeRef, Tree};
use crate::ids::PciAddress;

/// Most host bridges; the largest machines have several hundred.
const MAX_BRIDGES: usize = 4096;

/// A host bridge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bridge<'t, 'a> {
    /// Its node.
    pub(super) node: NodeRef<'t, 'a>,
    /// PCI segment.
    pub(super) segment: u16,
    /// First bus.
    pub(super) first_bus: u8,
    /// Last bus.
    pub(super) last_bus: u8,
}

/// The host bridges, in the order of the blob. `segments` are numbers that a kernel gave, by the path of the node.
pub(super) fn bridges<'t, 'a>(
    tree: &'t Tree<'a>,
    segments: &BTreeMap<String, u16>,
    sink: &mut Sink,
) -> Vec<Bridge<'t, 'a>> {
    let is_bridge = |node: &NodeRef<'_, '_>| is_pci(*node) && !node.parent().is_some_and(is_pci);
    let mut segments = Segments::new(tree, segments);
    let mut bridges: Vec<Bridge<'_, '_>> = Vec::new();
    for node in tree.enabled().filter(is_bridge) {
        if bridges.len() >= MAX_BRIDGES {
            let (offset, length) = node.place();
            let message = format!("`{}` is one more than {MAX_BRIDGES} host bridges", node.path());
            sink.say(&codes::TOO_MANY, offset, length, message);
            break;
        }
        let (first_bus, last_bus) = buses(node, sink);
        let segment = segments.of(node);
        let bridge = Bridge { node, segment, first_bus, last_bus };
        match bridges.iter().find(|other| overlap(other, &bridge)) {
            Some(other) => domain_taken(&bridge, other, sink),
            None => bridges.push(bridge),
        }
    }
    bridges
}

fn overlap(one: &Bridge<'_, '_>, other: &Bridge<'_, '_>) -> bool {
    one.segment == other.segment && one.first_bus <= other.last_bus && other.first_bus <= one.last_bus
}

fn domain_taken(bridge: &Bridge<'_, '_>, other: &Bridge<'_, '_>, sink: &mut Sink) {
    let message = format!(
        "`{}` and `{}` both have domain {}, which Linux gives to the first only",
        other.node.path(),
        bridge.node.path(),
        bridge.segment
    );
    let value = bridge.node.property("linux,pci-domain").map(|value| (value.offset, value.bytes.len()));
    let (offset, length) = value.unwrap_or(bridge.node.place());
    sink.say(&codes::DOMAIN_TAKEN, offset, length, message);
}

/// `bus-range`, or all buses (`devm_of_pci_get_host_bridge_resources` in drivers/pci/of.c).
fn buses(node: NodeRef<'_, '_>, sink: &mut Sink) -> (u8, u8) {
    let Some(value) = node.property("bus-range") else { return (0, 0xff) };
    let bus = |index| value.cell(index).and_then(|bus| u8::try_from(bus).ok());
    match bus(0).zip(bus(1)).filter(|(first, last)| first <= last) {
        Some(buses) => buses,
        None => {
            let said: Vec<String> = value.cells().take(4).map(|cell| format!("{cell:#x}")).collect();
            let message =
                format!("`bus-range` of `{}` is <{}>; all buses are assumed", node.path(), said.join(" "));
            sink.say(&codes::BAD_BUSES, value.offset, value.bytes.len(), message);
            (0, 0xff)
        }
    }
}

/// Numbers of segments (`of_pci_bus_find_domain_nr` in drivers/pci/pci.c): those that nodes state, present or not, are
/// set aside; all others count up, in the order in which drivers find the host bridges, for which the order of the
/// blob stands.
struct Segments<'s> {
    given: &'s BTreeMap<String, u16>,
    taken: BTreeSet<u16>,
    next: u16,
}

impl<'s> Segments<'s> {
    fn new(tree: &Tree<'_>, given: &'s BTreeMap<String, u16>) -> Self {
        let stated = tree.nodes().filter(|node| node.is_of_type("pci")).filter_map(stated_segment);
        Self { given, taken: stated.chain(given.values().copied()).collect(), next: 0 }
    }

    fn of(&mut self, node: NodeRef<'_, '_>) -> u16 {
        if let Some(segment) = stated_segment(node).or_else(|| self.given.get(&node.path()).copied()) {
            return segment;
        }
        while self.taken.contains(&self.next) {
            self.next = self.next.saturating_add(1);
            if self.next == u16::MAX {
                break;
            }
        }
        let segment = self.next;
        self.next = self.next.saturating_add(1);
        segment
    }
}

/// `linux,pci-domain`, of which Linux takes 16 bits (`of_get_pci_domain_nr` in drivers/pci/of.c).
fn stated_segment(node: NodeRef<'_, '_>) -> Option<u16> {
    node.number("linux,pci-domain").and_then(|domain| u16::try_from(domain & 0xffff).ok())
}

/// Where functions stand that the devicetree describes.
pub(super) struct Functions<'t> {
    /// Segment and first bus of each host bridge, by the number of its node.
    bridges: BTreeMap<usize, (u16, u8)>,
    /// Bus below each bridge, where somebody looked.
    buses: &'t BTreeMap<PciAddress, u8>,
}

/// What a node stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// No PCI function.
    Platform,
    /// This PCI function.
    Function(PciAddress),
    /// A PCI function, but below a bridge of which nobody says to which bus it leads.
    Unknown,
}

impl<'t> Functions<'t> {
    /// Functions below these host bridges. `buses` tells to which bus each bridge below them leads, as far as known.
    pub(super) fn new(bridges: &[Bridge<'_, '_>], buses: &'t BTreeMap<PciAddress, u8>) -> Self {
        let bridges = bridges.iter().map(|bridge| (bridge.node.index(), (bridge.segment, bridge.first_bus)));
        Self { bridges: bridges.collect(), buses }
    }

    /// What a node stands for. Linux finds the node of a function by device and function number below the node of the
    /// bus (`of_pci_find_child_device` in drivers/pci/of.c); the bus number in `reg` is what whoever wrote the tree
    /// expected, and is used where nothing better is known.
    pub(super) fn place(&self, node: NodeRef<'_, '_>) -> Place {
        if self.bridges.contains_key(&node.index()) {
            return Place::Platform;
        }
        // From the function up to the host bridge, which is at most as far as nodes are nested.
        let mut chain = vec![node];
        let mut top = None;
        for above in node.above() {
            if let Some(&bridge) = self.bridges.get(&above.index()) {
                top = Some(bridge);
                break;
            }
            chain.push(above);
        }
        let Some((segment, first_bus)) = top else { return Place::Platform };
        match self.walk(&chain, segment, first_bus) {
            Some(address) => Place::Function(address),
            None => Place::Unknown,
        }
    }

    fn walk(&self, chain: &[NodeRef<'_, '_>], segment: u16, first_bus: u8) -> Option<PciAddress> {
        let mut at: Option<PciAddress> = None;
        for node in chain.iter().rev() {
            let [_, stated_bus, device, _] = node.number("reg")?.to_be_bytes();
            let bus = match at {
                None => first_bus,
                Some(bridge) => {
                    self.buses.get(&bridge).copied().or(Some(stated_bus).filter(|&bus| bus > bridge.bus()))?
                }
            };
            at = PciAddress::new(segment, bus, device >> 3, device & 7);
        }
        at
    }
}
