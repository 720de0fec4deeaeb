//! `iommu-map` and `msi-map`: requester IDs to IDs of an IOMMU or MSI controller (`of_map_id` in drivers/of/base.c).

use super::address::check_even;
use super::codes;
use super::sink::Sink;
use super::tree::{NodeRef, Value};
use crate::diag::Origin;
use crate::ids::RequesterId;

/// Most rows of one map. Firmware that gives each function its own row stays below.
const MAX_ROWS: usize = 4096;
/// Most runs of requesters with one ID that a mask may make of a row: one for each bus.
const MAX_RUNS: u32 = 256;
/// Cells of a row: first requester ID, phandle, first ID, number.
const ROW_CELLS: usize = 4;

/// Requesters that have one IOMMU or MSI controller.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    /// Number of the node of the IOMMU or MSI controller.
    pub(super) node: usize,
    /// First requester.
    pub(super) first: RequesterId,
    /// Last requester.
    pub(super) last: RequesterId,
    /// ID of the first requester, if it can be said.
    pub(super) id: Option<u32>,
    /// Whether all have that ID, instead of counting up.
    pub(super) shared: bool,
    /// The row.
    pub(super) origin: Origin,
}

/// A row of a map as it stands there.
struct Row {
    node: usize,
    base: u32,
    id: u32,
    count: u32,
    origin: Origin,
}

/// Which properties make a map.
#[derive(Clone, Copy, Debug)]
pub(super) struct MapNames {
    /// The rows.
    pub(super) map: &'static str,
    /// What is applied to requester IDs before they are looked up.
    pub(super) mask: &'static str,
}

/// The map for IOMMUs.
pub(super) const IOMMU_MAP: MapNames = MapNames { map: "iommu-map", mask: "iommu-map-mask" };
/// The map for MSI controllers.
pub(super) const MSI_MAP: MapNames = MapNames { map: "msi-map", mask: "msi-map-mask" };

/// The mappings of a host bridge, in the order in which Linux looks for the first that fits. Those to nodes that are
/// not there are left out.
pub(super) fn mappings(bridge: NodeRef<'_, '_>, names: MapNames, sink: &mut Sink) -> Vec<Mapping> {
    let Some(map) = bridge.property(names.map) else { return Vec::new() };
    check_even(bridge, names.map, map, ROW_CELLS, sink);
    let mask = bridge.number(names.mask).unwrap_or(u32::MAX) & 0xffff;
    let rows = rows(bridge, names, map, mask, sink);
    let dropped = mask ^ 0xffff;
    if mask == 0xffff {
        rows.into_iter().filter_map(plain).collect()
    } else if dropped & dropped.wrapping_add(1) == 0 && runs(&rows, dropped) <= MAX_RUNS {
        rows.iter().flat_map(|row| masked(row, dropped)).collect()
    } else {
        let message = format!(
            "`{}` of `{}` is {mask:#06x}, with bits left out in the middle: the IDs are not known",
            names.mask,
            bridge.path()
        );
        sink.say(&codes::ONE_IOMMU_EACH, map.offset, map.bytes.len(), message);
        of_all(rows)
    }
}

fn rows(bridge: NodeRef<'_, '_>, names: MapNames, map: Value<'_>, mask: u32, sink: &mut Sink) -> Vec<Row> {
    let mut rows = Vec::new();
    for value in map.rows(ROW_CELLS) {
        if rows.len() >= MAX_ROWS {
            let message = format!("`{}` of `{}` has more than {MAX_ROWS} rows", names.map, bridge.path());
            sink.say(&codes::TOO_MANY, value.offset, value.bytes.len(), message);
            break;
        }
        let mut cells = value.cells();
        let (Some(base), Some(phandle), Some(id), Some(count)) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            break;
        };
        if base & !mask != 0 || count.checked_sub(1).is_some_and(|more| id.checked_add(more).is_none()) {
            let message = format!(
                "`{}` of `{}` maps {count:#x} IDs from {base:#x} with mask {mask:#x} to {id:#x}",
                names.map,
                bridge.path()
            );
            sink.say(&codes::BAD_MAP, value.offset, value.bytes.len(), message);
            break;
        }
        let Some(node) = bridge.tree().by_phandle(phandle) else {
            let message =
                format!("`{}` of `{}` refers to {phandle:#x}, which no node has", names.map, bridge.path());
            sink.say(&codes::NO_NODE, value.offset.saturating_add(4), 4, message);
            continue;
        };
        if node.is_enabled() && count != 0 {
            let origin = sink.origin(value.offset, value.bytes.len());
            rows.push(Row { node: node.index(), base, id, count, origin });
        }
    }
    rows
}

/// Last of so many requesters, within 16 bits.
fn last(row: &Row) -> u32 {
    row.base.saturating_add(row.count.saturating_sub(1)).min(0xffff)
}

fn requester(id: u32) -> Option<RequesterId> {
    u16::try_from(id).ok().map(RequesterId)
}

fn plain(row: Row) -> Option<Mapping> {
    Some(Mapping {
        node: row.node,
        first: requester(row.base)?,
        last: requester(last(&row))?,
        id: Some(row.id),
        shared: false,
        origin: row.origin,
    })
}

/// How many runs of requesters a mask makes that leaves out these low bits.
fn runs(rows: &[Row], dropped: u32) -> u32 {
    let step = dropped.saturating_add(1);
    let of = |row: &Row| (last(row).saturating_sub(row.base) / step).saturating_add(1);
    rows.iter().map(of).fold(0, u32::saturating_add)
}

/// A row where the mask leaves out low bits: runs of requesters look like the first of each.
fn masked(row: &Row, dropped: u32) -> impl Iterator<Item = Mapping> {
    let step = usize::try_from(dropped).unwrap_or(0).saturating_add(1);
    (row.base..=last(row)).step_by(step).filter_map(move |base| {
        Some(Mapping {
            node: row.node,
            first: requester(base)?,
            last: requester(base | dropped)?,
            id: Some(row.id.checked_add(base.checked_sub(row.base)?)?),
            shared: dropped != 0,
            origin: row.origin.clone(),
        })
    })
}

/// The node that serves all requesters, when there is only one.
fn of_all(rows: Vec<Row>) -> Vec<Mapping> {
    let mut rows = rows.into_iter();
    let Some(first) = rows.next() else { return Vec::new() };
    if rows.any(|row| row.node != first.node) {
        return Vec::new();
    }
    let (node, origin) = (first.node, first.origin);
    vec![Mapping {
        node,
        first: RequesterId(0),
        last: RequesterId(u16::MAX),
        id: None,
        shared: false,
        origin,
    }]
}
