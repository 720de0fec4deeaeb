//! How the functions of a host hang together: device → bridge → root port → root complex, and from each function to the
//! IOMMU that translates for it and the doorbell that it rings.
//!
//! Buses connect functions, not names: a function on bus 5 is below the bridge whose secondary bus is 5. So a bridge is
//! believed only if its secondary bus lies above its own (as `pci_scan_bridge_extend` in drivers/pci/probe.c demands),
//! and the graph has no cycles whatever the input says.
//!
//! Below this file: what access control services let through ([`acs`]), under whose requester ID DMA arrives
//! ([`alias`]), the groups that Linux would form ([`groups`]), and where peer-to-peer requests go ([`p2p`]).

pub mod acs;
pub mod alias;
pub mod compare;
pub mod groups;
pub mod p2p;

mod quirks;

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::codes;
use super::{Device, Host, RootComplex};
use crate::diag::Diagnostic;
use crate::ids::PciAddress;

/// A node of the graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Node {
    /// Index into [`Host::devices`]: a function, bridges among them.
    Device(usize),
    /// Index into [`Host::root_complexes`].
    RootComplex(usize),
    /// Index into [`Host::iommus`].
    Iommu(usize),
    /// Index into [`Host::doorbells`].
    Doorbell(usize),
}

/// An edge of the graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Link {
    /// From a function to the bridge, or root complex, that it is below.
    Below,
    /// From a function to the IOMMU that translates for it.
    TranslatedBy,
    /// From a function to the doorbell that takes its MSIs.
    Rings,
}

/// The graph, with the functions that it is about.
#[derive(Clone, Debug)]
pub struct Topology<'h> {
    devices: &'h [Device],
    complexes: &'h [RootComplex],
    graph: DiGraph<Node, Link>,
    /// By index into the devices.
    device_nodes: Vec<NodeIndex>,
    /// By index into the root complexes.
    complex_nodes: Vec<NodeIndex>,
    /// Number of bridges above each device.
    depths: Vec<usize>,
}

impl<'h> Topology<'h> {
    /// The graph of a host. What is wrong with its bridges was said when the host was resolved.
    #[must_use]
    pub fn new(host: &'h Host) -> Self {
        let (mut topology, _) = Self::of_functions(&host.devices, &host.root_complexes);
        let iommus: Vec<NodeIndex> =
            (0..host.iommus.len()).map(|index| topology.graph.add_node(Node::Iommu(index))).collect();
        let doorbells: Vec<NodeIndex> =
            (0..host.doorbells.len()).map(|index| topology.graph.add_node(Node::Doorbell(index))).collect();
        for (device, &node) in host.devices.iter().zip(&topology.device_nodes) {
            let iommu = device.translation.as_ref().and_then(|translation| iommus.get(translation.iommu));
            let doorbell = device.msi_target.as_ref().and_then(|target| doorbells.get(target.doorbell));
            for (target, link) in [(iommu, Link::TranslatedBy), (doorbell, Link::Rings)] {
                if let Some(&target) = target {
                    topology.graph.add_edge(node, target, link);
                }
            }
        }
        topology
    }

    /// The graph of these functions, which ascend by address, alone; and what is wrong with their bridges.
    pub(super) fn of_functions(
        devices: &'h [Device],
        complexes: &'h [RootComplex],
    ) -> (Self, Vec<Diagnostic>) {
        let mut graph = DiGraph::with_capacity(
            devices.len().saturating_add(complexes.len()),
            devices.len().saturating_mul(3),
        );
        let complex_nodes =
            (0..complexes.len()).map(|index| graph.add_node(Node::RootComplex(index))).collect();
        let device_nodes = (0..devices.len()).map(|index| graph.add_node(Node::Device(index))).collect();
        let depths = vec![0; devices.len()];
        let mut topology = Self { devices, complexes, graph, device_nodes, complex_nodes, depths };
        let mut found = Vec::new();
        topology.hang(&Bridges::new(devices, &mut found), &mut found);
        (topology, found)
    }

    /// Hangs every function below its bridge or its root complex. A bridge stands on a lower bus than what is below it,
    /// so it comes first.
    fn hang(&mut self, bridges: &Bridges, found: &mut Vec<Diagnostic>) {
        for (index, device) in self.devices.iter().enumerate() {
            let parent = match self.upstream(device, bridges) {
                Upstream::Root => None,
                Upstream::Bridge(bridge) => Some(bridge),
                Upstream::Hidden(bridge) => {
                    found.extend(bridges.hidden(self.devices, device, bridge));
                    bridge
                }
            };
            let above =
                parent.and_then(|bridge| self.depths.get(bridge)).map_or(0, |depth| depth.saturating_add(1));
            if let Some(depth) = self.depths.get_mut(index) {
                *depth = above;
            }
            let target = match parent {
                Some(bridge) => self.device_nodes.get(bridge),
                None => device.root_complex.and_then(|complex| self.complex_nodes.get(complex)),
            };
            if let (Some(&node), Some(&target)) = (self.device_nodes.get(index), target) {
                self.graph.add_edge(node, target, Link::Below);
            }
        }
    }

    fn upstream(&self, device: &Device, bridges: &Bridges) -> Upstream {
        let complex = device.root_complex.and_then(|complex| self.complexes.get(complex));
        if complex.is_none_or(|complex| complex.first_bus == device.address.bus()) {
            return Upstream::Root;
        }
        if let Some(bridge) = bridges.directly_above(self.devices, device) {
            return Upstream::Bridge(bridge);
        }
        // Virtual functions may be on buses of their own, which no bridge has as its secondary one.
        let physical = device.config.physical_function.and_then(|address| self.find(address));
        if let Some(physical) = physical.and_then(|physical| self.devices.get(physical))
            && physical.address < device.address
            && physical.config.physical_function.is_none()
        {
            return self.upstream(physical, bridges);
        }
        Upstream::Hidden(bridges.around(self.devices, device))
    }

    /// The functions, ascending by address.
    #[must_use]
    pub fn devices(&self) -> &'h [Device] {
        self.devices
    }

    /// The root complexes.
    #[must_use]
    pub fn root_complexes(&self) -> &'h [RootComplex] {
        self.complexes
    }

    /// The graph itself, for walks that this type does not offer.
    #[must_use]
    pub fn graph(&self) -> &DiGraph<Node, Link> {
        &self.graph
    }

    /// Index of the function at this address.
    #[must_use]
    pub fn find(&self, address: PciAddress) -> Option<usize> {
        self.devices.binary_search_by_key(&address, |device| device.address).ok()
    }

    /// The bridge directly above a function; `None` on a root bus.
    #[must_use]
    pub fn bridge_above(&self, device: usize) -> Option<usize> {
        match self.above(*self.device_nodes.get(device)?)? {
            Node::Device(bridge) => Some(bridge),
            _ => None,
        }
    }

    /// The bridges above a function, from the nearest to the one on the root bus.
    pub fn bridges_above(&self, device: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.bridge_above(device), |&bridge| self.bridge_above(bridge))
    }

    /// Number of bridges above a function.
    #[must_use]
    pub fn depth(&self, device: usize) -> usize {
        self.depths.get(device).copied().unwrap_or(0)
    }

    /// The functions directly below a bridge, ascending by address.
    #[must_use]
    pub fn below_bridge(&self, bridge: usize) -> Vec<usize> {
        self.device_nodes.get(bridge).map(|&node| self.below(node)).unwrap_or_default()
    }

    /// The functions on the root bus of a root complex, ascending by address.
    #[must_use]
    pub fn below_root_complex(&self, complex: usize) -> Vec<usize> {
        self.complex_nodes.get(complex).map(|&node| self.below(node)).unwrap_or_default()
    }

    fn above(&self, node: NodeIndex) -> Option<Node> {
        let edges = self.graph.edges_directed(node, Direction::Outgoing);
        edges
            .filter(|edge| *edge.weight() == Link::Below)
            .find_map(|edge| self.graph.node_weight(edge.target()).copied())
    }

    fn below(&self, node: NodeIndex) -> Vec<usize> {
        let edges = self.graph.edges_directed(node, Direction::Incoming);
        let mut below: Vec<usize> = edges
            .filter_map(|edge| match self.graph.node_weight(edge.source()) {
                Some(&Node::Device(device)) => Some(device),
                _ => None,
            })
            .collect();
        below.sort_unstable();
        below
    }
}

/// What is above a function.
enum Upstream {
    /// Its root complex.
    Root,
    /// This bridge.
    Bridge(usize),
    /// Something that nobody told of, at best below this bridge.
    Hidden(Option<usize>),
}

/// The bridges that can be believed, by segment and secondary bus.
struct Bridges(BTreeMap<(u16, u8), usize>);

impl Bridges {
    fn new(devices: &[Device], found: &mut Vec<Diagnostic>) -> Self {
        let mut bridges: BTreeMap<(u16, u8), usize> = BTreeMap::new();
        for (index, device) in devices.iter().enumerate() {
            let Some(buses) = device.config.buses else { continue };
            // A bridge that nobody set up leads nowhere.
            if (buses.secondary, buses.subordinate) == (0, 0) {
                continue;
            }
            if buses.secondary <= device.address.bus() || buses.subordinate < buses.secondary {
                found.push(misled(device));
                continue;
            }
            let taken = bridges.entry((device.address.segment(), buses.secondary)).or_insert(index);
            if let Some(first) = devices.get(*taken).filter(|_| *taken != index) {
                found.push(claimed_twice(device, first));
            }
        }
        Self(bridges)
    }

    /// The bridge with the function's bus as its secondary one.
    fn directly_above(&self, devices: &[Device], device: &Device) -> Option<usize> {
        let address = device.address;
        let bridge = *self.0.get(&(address.segment(), address.bus()))?;
        devices.get(bridge).filter(|bridge| bridge.root_complex == device.root_complex).map(|_| bridge)
    }

    /// The innermost bridge with the function's bus below it. A segment has at most 255 bridges here.
    fn around(&self, devices: &[Device], device: &Device) -> Option<usize> {
        let (segment, bus) = (device.address.segment(), device.address.bus());
        self.0.range((segment, 0)..=(segment, bus)).rev().map(|(_, &bridge)| bridge).find(|&bridge| {
            devices.get(bridge).is_some_and(|bridge| {
                bridge.root_complex == device.root_complex
                    && bridge.config.buses.is_some_and(|buses| buses.subordinate >= bus)
            })
        })
    }

    /// That the bridge above a function is not among the functions. A host of which no bridge was told is described
    /// that way on purpose.
    fn hidden(&self, devices: &[Device], device: &Device, around: Option<usize>) -> Option<Diagnostic> {
        let segment = device.address.segment();
        self.0.range((segment, 0)..=(segment, u8::MAX)).next()?;
        let place = match around.and_then(|bridge| devices.get(bridge)) {
            Some(bridge) => format!("somewhere below {}", bridge.address),
            None => "somewhere below its root complex".to_owned(),
        };
        let message = format!(
            "no bridge leads to bus {:#04x} of {}: it is {place}",
            device.address.bus(),
            device.address
        );
        Some(Diagnostic::new(&codes::HIDDEN_BRIDGE, device.origin.clone(), message))
    }
}

fn misled(device: &Device) -> Diagnostic {
    let (secondary, subordinate) =
        device.config.buses.map_or((0, 0), |buses| (buses.secondary, buses.subordinate));
    let message = format!(
        "the bridge {} on bus {:#04x} leads to buses {secondary:#04x}..={subordinate:#04x}, which are not below it",
        device.address,
        device.address.bus()
    );
    Diagnostic::new(&codes::BRIDGE_BUSES, device.origin.clone(), message)
}

fn claimed_twice(device: &Device, first: &Device) -> Diagnostic {
    let secondary = device.config.buses.map_or(0, |buses| buses.secondary);
    let message = format!("{} and {} both lead to bus {secondary:#04x}", first.address, device.address);
    Diagnostic::new(&codes::BRIDGE_TWICE, device.origin.clone(), message)
        .related(first.origin.clone(), "this bridge is believed")
}
