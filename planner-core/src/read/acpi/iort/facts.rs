//! What the IORT says about the host: SMMUs, who stands behind them, where MSIs go, and reserved memory.

use std::collections::{BTreeMap, BTreeSet};

use super::super::codes;
use super::super::limits::{MOST_PARTS, MOST_ROWS};
use super::super::parts::{Parts, no_region, region};
use super::super::table::span;
use super::route::{Goal, Route, Routes};
use super::{IdMapping, Iort, Node, NodeKind};
use crate::addr::{Address, Hpa, grouped_hex};
use crate::diag::Diagnostic;
use crate::facts::Arch;
use crate::facts::host::{FirmwareKind, IommuFact, IommuModel, MsiMapFact, RequesterRange, StreamMapFact};
use crate::ids::{MsiDeviceId, RequesterId, StreamId};
use crate::read::capture::log::Log;

/// The first revision of the table whose RMR nodes Linux takes (iort_find_rmrs in drivers/acpi/arm64/iort.c).
const RMR_SINCE: u8 = 5;

/// Adds what the table says.
pub(in super::super) fn facts(iort: &Iort, parts: &mut Parts, log: &mut Log) {
    parts.arch = parts.arch.or(Some(Arch::Aarch64));
    let names = smmus(iort, parts);
    let mut routes = Routes::new(iort, log);
    let mut streams = Streams::default();
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    // ITS groups that are asked for and whose ITS is not known.
    let mut unknown: BTreeSet<usize> = BTreeSet::new();
    for (index, node) in iort.nodes.iter().enumerate() {
        let NodeKind::RootComplex { segment, .. } = node.kind else { continue };
        if let Some(first) = seen.get(&segment).and_then(|&first| iort.nodes.get(first)) {
            log.push(second(node, first, segment));
            continue;
        }
        seen.insert(segment, index);
        let Ok(segment) = u16::try_from(segment) else {
            log.push(no_segment(node, segment));
            continue;
        };
        parts.name_segment(segment, &node.origin);
        let to_smmu = routes.from(index, Goal::Smmu, log);
        let to_its = routes.from(index, Goal::ItsGroup, log);
        parts.streams.insert(segment, to_smmu.iter().filter_map(|route| stream(route, &names)).collect());
        unknown.extend(
            to_its.iter().filter(|route| controller(route, iort, parts).is_none()).map(|route| route.node),
        );
        parts.msi.insert(segment, to_its.iter().filter_map(|route| msi(route, iort, parts)).collect());
        streams.add(segment, to_smmu);
    }
    for node in unknown.into_iter().filter_map(|index| iort.nodes.get(index)) {
        log.push(unknown_its(node, parts));
    }
    streams.sort();
    reserved(iort, &routes, &streams, parts, log);
}

/// Adds the SMMUs under the names that their drivers give them in sysfs (arm_smmu_device_probe in
/// drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c and arm-smmu/arm-smmu.c); gives the names by node.
fn smmus(iort: &Iort, parts: &mut Parts) -> BTreeMap<usize, String> {
    let mut names = BTreeMap::new();
    let mut described = BTreeSet::new();
    for (index, node) in iort.nodes.iter().enumerate() {
        let (base, model, driver) = match node.kind {
            NodeKind::Smmu { base, model, .. } => (base, smmu_model(model), "smmu"),
            NodeKind::SmmuV3 { base, model, .. } => (base, smmu_v3_model(model), "smmu3"),
            _ => continue,
        };
        if names.len() >= MOST_PARTS {
            break;
        }
        let name = format!("{driver}.{:#018x}", base.get());
        // Two nodes of one name are one SMMU described twice.
        if described.insert(name.clone()) {
            parts.iommus.push(iommu(name.clone(), model, base, node));
        }
        names.insert(index, name);
    }
    names
}

fn iommu(name: String, model: IommuModel, base: Hpa, node: &Node) -> IommuFact {
    let origin = node.origin.clone();
    IommuFact { name, model: Some(model), base: Some(base), aperture: None, pages: None, origin }
}

/// Models of SMMUv1 and v2 (Arm DEN 0049, SMMUv1 and SMMUv2 nodes; acpi_smmu_get_data in
/// drivers/iommu/arm/arm-smmu/arm-smmu.c).
fn smmu_model(model: u32) -> IommuModel {
    match model {
        0 => IommuModel::SmmuV1,
        2 => IommuModel::Mmu400,
        3 => IommuModel::Mmu500,
        4 => IommuModel::Mmu401,
        5 => IommuModel::CaviumSmmuV2,
        _ => IommuModel::SmmuV2,
    }
}

/// Models of SMMUv3 (Arm DEN 0049, SMMUv3 nodes; acpi_smmu_get_options in drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c).
fn smmu_v3_model(model: u32) -> IommuModel {
    match model {
        1 => IommuModel::HisiliconHi161x,
        2 => IommuModel::CaviumCn99xx,
        _ => IommuModel::SmmuV3,
    }
}

fn stream(route: &Route, names: &BTreeMap<usize, String>) -> Option<StreamMapFact> {
    Some(StreamMapFact {
        iommu: names.get(&route.node)?.clone(),
        first: route.first,
        last: route.last,
        stream: Some(StreamId(route.id)),
        shared: route.shared,
        origin: route.origin.clone(),
    })
}

/// The ITS that takes the MSIs: Linux takes the first of the group for all devices (iort_dev_find_its_id in
/// drivers/acpi/arm64/iort.c).
fn controller<'p>(route: &Route, iort: &Iort, parts: &'p Parts) -> Option<&'p String> {
    match &iort.nodes.get(route.node)?.kind {
        NodeKind::ItsGroup { its } => parts.its_by_id.get(its.first()?),
        _ => None,
    }
}

fn msi(route: &Route, iort: &Iort, parts: &Parts) -> Option<MsiMapFact> {
    Some(MsiMapFact {
        controller: controller(route, iort, parts)?.clone(),
        first: route.first,
        last: route.last,
        device_id: (!route.shared).then_some(MsiDeviceId(route.id)),
        origin: route.origin.clone(),
    })
}

fn unknown_its(node: &Node, parts: &Parts) -> Diagnostic {
    let first = match &node.kind {
        NodeKind::ItsGroup { its } => its.first(),
        _ => None,
    };
    let wanted = first.map_or("no ITS at all".to_owned(), |id| format!("ITS {id}"));
    let known: Vec<String> = parts.its_by_id.keys().take(8).map(ToString::to_string).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let message =
        format!("the first of the ITS group at {:#x} is {wanted}, and the MADT has {known}", node.at);
    Diagnostic::new(&codes::UNKNOWN_ITS, node.origin.clone(), message)
}

fn second(node: &Node, first: &Node, segment: u32) -> Diagnostic {
    let message = format!(
        "segment {segment:#06x} has a second root complex, at {:#x}, which Linux never finds",
        node.at
    );
    Diagnostic::new(&codes::SECOND_ROOT_COMPLEX, node.origin.clone(), message)
        .related(first.origin.clone(), "first here")
}

fn no_segment(node: &Node, segment: u32) -> Diagnostic {
    let message = format!(
        "the root complex at {:#x} is of segment {segment:#x}, and there are at most 0x10000",
        node.at
    );
    Diagnostic::new(&codes::SECOND_ROOT_COMPLEX, node.origin.clone(), message)
}

/// Requesters by the stream IDs under which they come to an SMMU.
#[derive(Default)]
struct Streams {
    /// By node of the SMMU: first stream, last stream, the requesters; ascending.
    rows: BTreeMap<usize, Vec<(u32, u32, u16, Route)>>,
    /// By node of the SMMU: the highest stream of all rows up to each.
    highest: BTreeMap<usize, Vec<u32>>,
}

impl Streams {
    fn add(&mut self, segment: u16, routes: Vec<Route>) {
        for route in routes {
            let width = if route.shared { 0 } else { u32::from(route.last.0.saturating_sub(route.first.0)) };
            let last = route.id.saturating_add(width);
            self.rows.entry(route.node).or_default().push((route.id, last, segment, route));
        }
    }

    fn sort(&mut self) {
        for (node, rows) in &mut self.rows {
            rows.sort_by_key(|(first, _, segment, route)| (*first, *segment, route.first));
            let mut highest = 0;
            let highest_so_far = rows.iter().map(|(_, last, ..)| {
                highest = highest.max(*last);
                highest
            });
            self.highest.insert(*node, highest_so_far.collect());
        }
    }

    /// The requesters whose stream IDs at an SMMU are within these; looks at no more than `visits` rows.
    fn requesters(&self, node: usize, (first, last): (u32, u32), visits: &mut usize) -> Vec<RequesterRange> {
        let rows = self.rows.get(&node).map_or(&[][..], Vec::as_slice);
        let highest = self.highest.get(&node).map_or(&[][..], Vec::as_slice);
        let end = rows.partition_point(|row| row.0 <= last);
        let mut found = Vec::new();
        for (row, highest) in rows.iter().zip(highest).take(end).rev() {
            let Some(left) = visits.checked_sub(1).filter(|_| *highest >= first) else { break };
            *visits = left;
            found.extend(within(row, first, last));
        }
        found.reverse();
        found
    }
}

/// The requesters of a row whose stream IDs are within these.
fn within(row: &(u32, u32, u16, Route), first: u32, last: u32) -> Option<RequesterRange> {
    let (row_first, row_last, segment, route) = row;
    if *row_last < first || last < *row_first {
        return None;
    }
    let (from, to) = if route.shared {
        (route.first.0, route.last.0)
    } else {
        let skipped = u16::try_from(first.saturating_sub(*row_first)).ok()?;
        let cut = u16::try_from(row_last.saturating_sub(last)).ok()?;
        (route.first.0.checked_add(skipped)?, route.last.0.checked_sub(cut)?)
    };
    Some(RequesterRange { segment: *segment, first: RequesterId(from), last: RequesterId(to) })
}

/// Adds the memory of RMR nodes (iort_node_get_rmr_info in drivers/acpi/arm64/iort.c).
fn reserved(iort: &Iort, routes: &Routes<'_>, streams: &Streams, parts: &mut Parts, log: &mut Log) {
    let nodes = || iort.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Rmr { .. }));
    if iort.revision < RMR_SINCE {
        if let Some(first) = nodes().next() {
            let message = format!(
                "the table is of revision {}, and Linux takes RMR nodes from revision {RMR_SINCE} on",
                iort.revision
            );
            log.push(Diagnostic::new(&codes::RMR_REVISION, first.origin.clone(), message));
        }
        return;
    }
    let mut visits = MOST_ROWS;
    for (number, node) in nodes().enumerate() {
        let NodeKind::Rmr { remap_permitted, regions, .. } = &node.kind else { continue };
        let mut requesters = Vec::new();
        for mapping in &node.mappings {
            requesters.extend(of_mapping(node, mapping, iort, routes, streams, &mut visits, log));
        }
        if requesters.is_empty() {
            log.push(nobodys(node));
        }
        let kind = if *remap_permitted { FirmwareKind::DirectRelaxable } else { FirmwareKind::Direct };
        for (index, descriptor) in regions.iter().enumerate() {
            let Some(span) = span(descriptor.base, descriptor.length_bytes) else {
                log.push(no_region(descriptor.base, descriptor.length_bytes, descriptor.origin.clone()));
                continue;
            };
            let name =
                if regions.len() == 1 { format!("rmr{number}") } else { format!("rmr{number}.{index}") };
            parts.add_region(region(name, kind, span, &requesters, descriptor.origin.clone()), log);
        }
    }
}

/// The requesters whose streams a mapping of an RMR node names.
fn of_mapping(
    node: &Node,
    mapping: &IdMapping,
    iort: &Iort,
    routes: &Routes<'_>,
    streams: &Streams,
    visits: &mut usize,
    log: &mut Log,
) -> Vec<RequesterRange> {
    let smmu = |index: &usize| {
        let kind = iort.nodes.get(*index).map(|node| &node.kind);
        matches!(kind, Some(NodeKind::Smmu { .. } | NodeKind::SmmuV3 { .. }))
    };
    let Some(target) = routes.node_at(mapping.reference).filter(smmu) else {
        let message = format!(
            "the RMR node at {:#x} maps IDs to offset {}, where no SMMU begins",
            node.at,
            grouped_hex(mapping.reference.into())
        );
        log.push(Diagnostic::new(&codes::DANGLING, mapping.origin.clone(), message));
        return Vec::new();
    };
    let last = mapping.output.saturating_add(mapping.count_less_one);
    let found = streams.requesters(target, (mapping.output, last), visits);
    if *visits == 0 {
        let message = format!("the RMR nodes name more than {MOST_ROWS} ranges of requesters");
        log.push(Diagnostic::new(&codes::TOO_MANY, mapping.origin.clone(), message));
    }
    found
}

fn nobodys(node: &Node) -> Diagnostic {
    let ids: Vec<String> = node.mappings.iter().take(4).map(stream_ids).collect();
    let ids =
        if ids.is_empty() { "no stream IDs".to_owned() } else { format!("stream IDs {}", ids.join(", ")) };
    let message =
        format!("the RMR node at {:#x} is for {ids}, which no root complex gives to its requesters", node.at);
    Diagnostic::new(&codes::NOBODYS_REGION, node.origin.clone(), message)
}

fn stream_ids(mapping: &IdMapping) -> String {
    let last = mapping.output.saturating_add(mapping.count_less_one);
    format!("{}..={}", grouped_hex(mapping.output.into()), grouped_hex(last.into()))
}
