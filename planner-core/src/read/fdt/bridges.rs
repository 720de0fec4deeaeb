//! Host bridges to root complexes: windows, and who translates and who takes the MSIs of which requesters.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::maps::{IOMMU_MAP, MSI_MAP, Mapping, mappings};
use super::pci::Bridge;
use super::sink::Sink;
use super::tree::NodeRef;
use super::windows::{inbound, windows};
use crate::facts::host::{MsiMapFact, RootComplexFact, StreamMapFact};
use crate::ids::{MsiDeviceId, RequesterId, StreamId};
use crate::read::capture::log::quoted;

/// Names of the IOMMUs and MSI controllers, by the numbers of their nodes.
pub(super) struct Names {
    /// IOMMUs.
    pub(super) iommus: BTreeMap<usize, String>,
    /// MSI controllers.
    pub(super) controllers: BTreeMap<usize, String>,
    /// Which of them are ITSs, which know devices by IDs.
    pub(super) services: BTreeSet<usize>,
}

/// What the devicetree says of a host bridge.
pub(super) fn root_complex(
    bridge: &Bridge<'_, '_>,
    msi: &[Mapping],
    names: &Names,
    sink: &mut Sink,
) -> RootComplexFact {
    let (offset, length) = bridge.node.place();
    let with_self = std::iter::once(bridge.node).chain(bridge.node.above());
    RootComplexFact {
        name: format!("pci{:04x}:{:02x}", bridge.segment, bridge.first_bus),
        segment: bridge.segment,
        first_bus: bridge.first_bus,
        last_bus: bridge.last_bus,
        // `of_node_to_nid` in drivers/of/of_numa.c asks the nodes around, too.
        node: with_self.into_iter().find_map(|node| node.number("numa-node-id")),
        streams: streams(bridge.node, names, sink),
        msi: msi.iter().filter_map(|mapping| msi_map(mapping, names)).collect(),
        windows: windows(bridge.node, sink),
        inbound: inbound(bridge.node, sink),
        devices: Vec::new(),
        origin: sink.origin(offset, length),
    }
}

fn streams(bridge: NodeRef<'_, '_>, names: &Names, sink: &mut Sink) -> Vec<StreamMapFact> {
    if !bridge.has(IOMMU_MAP.map)
        && let Some(value) = bridge.property("iommus")
    {
        let message = format!(
            "`{}` has `iommus` and no `iommu-map`, so its PCI devices are not translated",
            bridge.path()
        );
        sink.say(&codes::BRIDGE_ONLY, value.offset, value.bytes.len(), message);
    }
    let mut streams = Vec::new();
    for mapping in mappings(bridge, IOMMU_MAP, sink) {
        match names.iommus.get(&mapping.node) {
            Some(name) => streams.push(StreamMapFact {
                iommu: name.clone(),
                first: mapping.first,
                last: mapping.last,
                stream: mapping.id.map(StreamId),
                shared: mapping.shared,
                origin: mapping.origin,
            }),
            None => {
                let message = format!(
                    "{} is the IOMMU of the requesters {}..={} below `{}`, and of a kind that is not known here",
                    described(bridge, mapping.node),
                    mapping.first,
                    mapping.last,
                    bridge.path()
                );
                sink.say_at(&codes::UNKNOWN_IOMMU, mapping.origin, message);
            }
        }
    }
    streams
}

/// Path and first word of what a node is compatible with.
fn described(bridge: NodeRef<'_, '_>, node: usize) -> String {
    let Some(node) = bridge.tree().node(node) else { return String::new() };
    let word = node.compatible().next().unwrap_or_default();
    format!("`{}` ({})", node.path(), quoted(word))
}

fn msi_map(mapping: &Mapping, names: &Names) -> Option<MsiMapFact> {
    Some(MsiMapFact {
        controller: names.controllers.get(&mapping.node)?.clone(),
        first: mapping.first,
        last: mapping.last,
        device_id: mapping
            .id
            .filter(|_| names.services.contains(&mapping.node) && !mapping.shared)
            .map(MsiDeviceId),
        origin: mapping.origin.clone(),
    })
}

/// Which controllers take the MSIs of which requesters: `msi-map`, else the first of `msi-parent`, which takes all
/// (`pci_host_bridge_of_msi_domain` in drivers/pci/of.c, `of_msi_xlate` in drivers/of/irq.c).
pub(super) fn msi(bridge: NodeRef<'_, '_>, sink: &mut Sink) -> Vec<Mapping> {
    if bridge.has(MSI_MAP.map) {
        return mappings(bridge, MSI_MAP, sink);
    }
    let Some(value) = bridge.property("msi-parent") else { return Vec::new() };
    let Some(phandle) = value.cell(0) else { return Vec::new() };
    let Some(controller) = bridge.tree().by_phandle(phandle) else {
        let message =
            format!("`msi-parent` of `{}` refers to {phandle:#x}, which no node has", bridge.path());
        sink.say(&codes::NO_NODE, value.offset, 4, message);
        return Vec::new();
    };
    if !controller.is_enabled() {
        return Vec::new();
    }
    // Requester IDs are device IDs, unless the controller wants cells that only platform devices give.
    let counts = controller.number("#msi-cells").unwrap_or(0) == 0;
    vec![Mapping {
        node: controller.index(),
        first: RequesterId(0),
        last: RequesterId(u16::MAX),
        id: counts.then_some(0),
        shared: false,
        origin: sink.origin(value.offset, value.bytes.len()),
    }]
}
