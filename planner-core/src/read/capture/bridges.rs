//! Host bridges: from the place of the functions in the device tree of sysfs, which says who stands below whom.

use std::collections::BTreeMap;

use super::allow::is_root_bus_name;
use super::codes;
use super::functions::Function;
use super::iomem::Resource;
use super::log::Log;
use super::tree::Tree;
use super::windows::windows;
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{RootComplexFact, StreamMapFact};
use crate::facts::{Arch, HostFacts};

/// Most host bridges of one host; the largest machines have several hundred.
const MAX_BRIDGES: usize = 4096;

/// A host bridge while its parts are gathered.
pub(super) struct Bridge {
    /// PCI segment.
    pub(super) segment: u16,
    /// First bus.
    pub(super) first_bus: u8,
    /// Last bus.
    pub(super) last_bus: u8,
    /// Name of its devicetree node, if it has one.
    pub(super) node_name: Option<String>,
    /// Its directory, `…/pci0000:00`; empty when the capture does not tell.
    path: String,
    /// The functions below it, ascending.
    pub(super) functions: Vec<Function>,
}

/// The root complexes, ascending by segment and first bus. `said` is what firmware says.
pub(super) fn root_complexes(
    tree: &Tree,
    functions: Vec<Function>,
    iomem: &[Resource],
    (arch, said): (Option<Arch>, &HostFacts),
    log: &mut Log,
) -> Vec<RootComplexFact> {
    let mut bridges = bridges(tree, functions, log);
    bound_buses(&mut bridges, iomem);
    let mut windows = windows(&bridges, iomem, (arch, &said.root_complexes), log).into_iter();
    bridges.into_iter().map(|bridge| root_complex(bridge, windows.next().unwrap_or_default())).collect()
}

fn bridges(tree: &Tree, functions: Vec<Function>, log: &mut Log) -> Vec<Bridge> {
    let mut bridges: BTreeMap<(u16, u8), Bridge> = BTreeMap::new();
    for function in functions {
        let segment = function.fact.address.segment();
        let (first_bus, path) = root_bus(&function.path).unwrap_or((0, ""));
        if bridges.len() >= MAX_BRIDGES && !bridges.contains_key(&(segment, first_bus)) {
            let message =
                format!("{} is below one more than {MAX_BRIDGES} host bridges", function.fact.address);
            log.push(Diagnostic::new(&codes::TOO_MANY_BRIDGES, function.fact.origin.clone(), message));
            continue;
        }
        let bridge = bridges.entry((segment, first_bus)).or_insert_with(|| {
            if path.is_empty() {
                let message = format!("the host bridge of {} is not in the capture", function.fact.address);
                log.push(Diagnostic::new(&codes::NO_BRIDGE, function.fact.origin.clone(), message));
            }
            Bridge {
                segment,
                first_bus,
                last_bus: 0xff,
                node_name: node_name(tree, path),
                path: path.to_owned(),
                functions: Vec::new(),
            }
        });
        bridge.functions.push(function);
    }
    bridges.into_values().collect()
}

/// Number of the root bus above a function and the directory of that bus: the last `pciSSSS:BB` of the path.
pub(super) fn root_bus(path: &str) -> Option<(u8, &str)> {
    let at = path.rmatch_indices('/').find_map(|(end, _)| {
        let bus = path.get(..end)?;
        bus.rsplit('/').next().filter(|name| is_root_bus_name(name)).map(|_| bus)
    })?;
    let number = u8::from_str_radix(at.rsplit(':').next()?, 16).ok()?;
    Some((number, at))
}

/// The devicetree node of a host bridge: the platform device above the root bus links to it.
fn node_name(tree: &Tree, path: &str) -> Option<String> {
    let (platform_device, _) = path.rsplit_once('/')?;
    tree.link_name(&format!("{platform_device}/of_node")).map(str::to_owned)
}

/// Path of the devicetree node of a host bridge, `/soc/pcie@10000000`.
pub(super) fn node_path(tree: &Tree, path: &str) -> Option<String> {
    let (platform_device, _) = path.rsplit_once('/')?;
    let (_, node) = tree.link(&format!("{platform_device}/of_node"))?.split_once("/devicetree/base")?;
    Some(node.to_owned())
}

/// Sets the last bus of each bridge: below the next bridge of its segment, and within the configuration space that
/// `PCI ECAM 0000 [bus 00-ff]` names (`PCI MMCONFIG` before 6.8; arch/x86/pci/mmconfig-shared.c).
fn bound_buses(bridges: &mut [Bridge], iomem: &[Resource]) {
    let ecam: BTreeMap<(u16, u8), u8> =
        iomem.iter().filter_map(|resource| ecam_buses(&resource.name)).collect();
    let mut next: Option<(u16, u8)> = None;
    for bridge in bridges.iter_mut().rev() {
        let nearest = ecam.range((bridge.segment, 0)..=(bridge.segment, bridge.first_bus)).next_back();
        let end = nearest.map(|(_, &last)| last).filter(|&last| last >= bridge.first_bus).unwrap_or(0xff);
        let before_next =
            next.filter(|&(segment, _)| segment == bridge.segment).map(|(_, bus)| bus.saturating_sub(1));
        bridge.last_bus = before_next.map_or(end, |bus| bus.min(end)).max(bridge.first_bus);
        next = Some((bridge.segment, bridge.first_bus));
    }
}

/// Segment and buses of `PCI ECAM 0000 [bus 00-ff]`.
fn ecam_buses(name: &str) -> Option<((u16, u8), u8)> {
    let rest = name.strip_prefix("PCI ECAM ").or_else(|| name.strip_prefix("PCI MMCONFIG "))?;
    let (segment, buses) = rest.split_once(" [bus ")?;
    let (first, last) = buses.strip_suffix(']')?.split_once('-')?;
    let segment = u16::from_str_radix(segment, 16).ok()?;
    Some(((segment, u8::from_str_radix(first, 16).ok()?), u8::from_str_radix(last, 16).ok()?))
}

fn root_complex(bridge: Bridge, windows: Vec<crate::facts::host::WindowFact>) -> RootComplexFact {
    let Bridge { segment, first_bus, last_bus, path, functions, .. } = bridge;
    let origin = functions.first().map(|function| function.fact.origin.clone()).unwrap_or_default();
    RootComplexFact {
        name: format!("pci{segment:04x}:{first_bus:02x}"),
        segment,
        first_bus,
        last_bus,
        node: common_node(&functions),
        streams: streams(&functions),
        windows,
        devices: functions.into_iter().map(|function| function.fact).collect(),
        origin: if path.is_empty() { origin } else { Origin::file(&path) },
        ..RootComplexFact::default()
    }
}

/// The NUMA node that all functions share.
fn common_node(functions: &[Function]) -> Option<u32> {
    let first = functions.first()?.fact.node?;
    functions.iter().all(|function| function.fact.node == Some(first)).then_some(first)
}

/// Which requesters are behind which IOMMU: each function's link `iommu`, neighbours joined. The stream IDs are not in
/// a capture.
fn streams(functions: &[Function]) -> Vec<StreamMapFact> {
    let mut streams: Vec<StreamMapFact> = Vec::new();
    for function in functions {
        let Some(iommu) = &function.iommu else { continue };
        let requester = function.fact.address.requester_id();
        let last = streams.last_mut().filter(|last| last.iommu == *iommu);
        match last.filter(|last| last.last.0.checked_add(1) == Some(requester.0)) {
            Some(last) => last.last = requester,
            None => streams.push(StreamMapFact {
                iommu: iommu.clone(),
                first: requester,
                last: requester,
                stream: None,
                shared: false,
                origin: Origin::file(&format!("{}/iommu", function.path)),
            }),
        }
    }
    streams
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_bus_is_the_last_of_a_path() {
        let cases = [
            ("sys/devices/pci0000:00/0000:00:01.0", Some((0, "sys/devices/pci0000:00"))),
            (
                "sys/devices/platform/x.pcie/pci0002:40/0002:40:00.0/0002:41:00.0",
                Some((0x40, "sys/devices/platform/x.pcie/pci0002:40")),
            ),
            (
                "sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0",
                Some((0xe0, "sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0")),
            ),
            ("sys/bus/pci/devices/0000:00:01.0", None),
        ];
        for (path, expected) in cases {
            assert_eq!(root_bus(path), expected, "{path}");
        }
    }

    #[test]
    fn buses_end_at_the_next_bridge_or_where_configuration_space_ends() {
        let bridge = |segment, first_bus| Bridge {
            segment,
            first_bus,
            last_bus: 0xff,
            node_name: None,
            path: String::new(),
            functions: Vec::new(),
        };
        let mut bridges = vec![bridge(0, 0), bridge(0, 0x40), bridge(1, 0), bridge(2, 0xff)];
        let iomem = [
            "PCI ECAM 0000 [bus 00-7f]",
            "PCI MMCONFIG 0001 [bus 00-0f]",
            "PCI ECAM",
            "PCI ECAM 0002 [bus 00-zz]",
        ];
        let resource = |name: &str| Resource {
            span: crate::addr::Span::full(),
            name: name.to_owned(),
            parent: None,
            origin: Origin::Unstated,
        };
        bound_buses(&mut bridges, &iomem.map(resource));
        let last: Vec<u8> = bridges.iter().map(|bridge| bridge.last_bus).collect();
        assert_eq!(last, [0x3f, 0x7f, 0x0f, 0xff]);
    }
}
