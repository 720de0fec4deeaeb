//! VIOT: which requesters stand behind a virtio-iommu (ACPI Specification 6.5, Virtual I/O Translation Table). The host is
//! then itself a guest.
//!
//! Devices that are no PCI functions are left out.

use std::collections::{BTreeMap, BTreeSet};

use nom::bytes::complete::take;
use nom::number::complete::{le_u16, le_u32, le_u64};

use super::codes;
use super::id_map::IdMap;
use super::limits::MOST_ROWS;
use super::parts::{Known, Parts, Served, rows};
use super::table::{Form, Structure, Table, kind8_other8_length16};
use crate::addr::Hpa;
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{IommuFact, IommuModel};
use crate::ids::{PciAddress, RequesterId};
use crate::read::capture::log::Log;

/// The table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Viot {
    /// IOMMUs, in the order of the table.
    pub iommus: Vec<VirtioIommu>,
    /// PCI functions behind them, in the order of the table.
    pub ranges: Vec<PciRange>,
}

/// A virtio-iommu.
#[derive(Clone, PartialEq, Debug)]
pub struct VirtioIommu {
    /// Where it begins in the table: what ranges refer to.
    pub at: u16,
    /// What it is on the bus.
    pub transport: Transport,
    /// The bytes of it.
    pub origin: Origin,
}

/// How the guest talks to its virtio-iommu.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// It is this PCI function.
    Pci(PciAddress),
    /// Its registers are here.
    Mmio(Hpa),
}

/// PCI functions behind a virtio-iommu.
#[derive(Clone, PartialEq, Debug)]
pub struct PciRange {
    /// Endpoint ID of the first function.
    pub endpoint: u32,
    /// First segment.
    pub first_segment: u16,
    /// Last segment.
    pub last_segment: u16,
    /// First requester of each segment.
    pub first: RequesterId,
    /// Last requester of each segment.
    pub last: RequesterId,
    /// Where in the table the IOMMU begins.
    pub output: u16,
    /// The bytes of it.
    pub origin: Origin,
}

const FORM: Form = Form { what: "the node", least: 4, head: kind8_other8_length16 };

/// Reads the table; `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Viot, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let table = Table::open(file, bytes, *b"VIOT", &mut log);
    (table.map(|table| read(&table, &mut log)).unwrap_or_default(), log.finish())
}

fn read(table: &Table<'_>, log: &mut Log) -> Viot {
    let mut viot = Viot::default();
    let Some((count, first)) = table.fields((le_u16, le_u16)) else {
        let message = "the table ends before the number of its nodes";
        log.push(Diagnostic::new(&codes::STRUCTURE_END, table.origin(0..table.bytes.len()), message));
        return viot;
    };
    let part = usize::from(first)..table.bytes.len();
    let nodes = table.structures(part, Some(count.into()), &FORM, log);
    if nodes.len() < usize::from(count) {
        let message = format!("the table says that it has {count} nodes, and {} can be read", nodes.len());
        log.push(Diagnostic::new(&codes::NODE_COUNT, table.origin(36..38), message));
    }
    for node in &nodes {
        take_node(table, node, &mut viot, log);
    }
    viot
}

/// What a node says; `None` when it is too short, which was reported.
fn take_node(table: &Table<'_>, node: &Structure<'_>, viot: &mut Viot, log: &mut Log) -> Option<()> {
    let origin = table.origin(node.range());
    let at = u16::try_from(node.at).ok()?;
    match node.kind {
        1 => {
            let head = (take(4_usize), le_u32, le_u16, le_u16, le_u16, le_u16, le_u16);
            let (_, endpoint, first_segment, last_segment, first, last, output) =
                table.fields_of(node, "a PCI range", head, log)?;
            let (first, last) = (RequesterId(first), RequesterId(last));
            viot.ranges.push(PciRange { endpoint, first_segment, last_segment, first, last, output, origin });
        }
        3 => {
            let head = (take(4_usize), le_u16, le_u16);
            let (_, segment, device) = table.fields_of(node, "a virtio-iommu on PCI", head, log)?;
            let transport = Transport::Pci(PciAddress::from_requester(segment, RequesterId(device)));
            viot.iommus.push(VirtioIommu { at, transport, origin });
        }
        4 => {
            let (_, base) =
                table.fields_of(node, "a virtio-iommu in memory", (take(8_usize), le_u64), log)?;
            viot.iommus.push(VirtioIommu { at, transport: Transport::Mmio(Hpa::at(base)), origin });
        }
        // A device that is no PCI function.
        2 => {}
        _ => table.unknown(node, log),
    }
    Some(())
}

/// Adds what the table says. Linux asks it for what the IORT leaves untranslated (acpi_iommu_configure_id in
/// drivers/acpi/scan.c).
pub(super) fn facts(viot: &Viot, parts: &mut Parts, log: &mut Log) {
    let first = parts.iommus.len();
    let mut maps = translated(parts);
    for unit in &viot.iommus {
        parts.iommus.push(iommu(unit));
        // Nothing translates what it does itself (viot_dev_iommu_init in drivers/acpi/viot.c).
        if let Transport::Pci(own) = unit.transport {
            let id = u32::from(own.requester_id().0);
            maps.entry(own.segment()).or_default().fill(id, id, (None, 0));
        }
    }
    let units: BTreeMap<u16, usize> =
        viot.iommus.iter().enumerate().map(|(index, unit)| (unit.at, first.saturating_add(index))).collect();
    let known = parts.segments();
    let mut left = MOST_ROWS;
    for (index, range) in viot.ranges.iter().enumerate() {
        let Some(&iommu) = units.get(&range.output) else {
            let message =
                format!("the range leads to offset {:#x}, where no virtio-iommu begins", range.output);
            log.push(Diagnostic::new(&codes::DANGLING, range.origin.clone(), message));
            continue;
        };
        for segment in segments(range, &known) {
            let Some(fewer) = left.checked_sub(1) else { break };
            left = fewer;
            parts.name_segment(segment, &range.origin);
            let map = maps.entry(segment).or_default();
            serve(range, segment, (iommu, index), map);
        }
    }
    let origins: Vec<Origin> = viot.ranges.iter().map(|range| range.origin.clone()).collect();
    for (segment, map) in maps {
        let more = rows(&map, &parts.iommus, &origins);
        let all = parts.streams.entry(segment).or_default();
        all.extend(more);
        all.sort_by_key(|row| row.first);
    }
}

/// The requesters that an earlier table has translated, by segment.
fn translated(parts: &Parts) -> BTreeMap<u16, IdMap<(Option<Served>, usize)>> {
    let mut maps: BTreeMap<u16, IdMap<(Option<Served>, usize)>> = BTreeMap::new();
    for (&segment, rows) in &parts.streams {
        for row in rows {
            maps.entry(segment).or_default().fill(row.first.0.into(), row.last.0.into(), (None, 0));
        }
    }
    maps
}

/// The segments of a range: those that other tables know of, for a range often claims all there can be. If they know of none
/// of them, the first.
fn segments(range: &PciRange, known: &BTreeSet<u16>) -> Vec<u16> {
    if range.last_segment < range.first_segment {
        return Vec::new();
    }
    let within: Vec<u16> = known.range(range.first_segment..=range.last_segment).copied().collect();
    if within.is_empty() { vec![range.first_segment] } else { within }
}

/// Gives the requesters of a range to their IOMMU, under endpoint IDs that count on over segments
/// (viot_pci_dev_iommu_init in drivers/acpi/viot.c).
fn serve(
    range: &PciRange,
    segment: u16,
    (iommu, origin): (usize, usize),
    map: &mut IdMap<(Option<Served>, usize)>,
) {
    let before = u32::from(segment.saturating_sub(range.first_segment)) << 16;
    let id = range.endpoint.saturating_add(before);
    let requester = u32::from(range.first.0);
    let served = Served { iommu, known: Known::From { requester, id } };
    map.fill(requester, range.last.0.into(), (Some(served), origin));
}

/// The IOMMU under the name of the device that its driver shows in sysfs (viommu_probe in drivers/iommu/virtio-iommu.c).
fn iommu(unit: &VirtioIommu) -> IommuFact {
    let (name, base) = match unit.transport {
        Transport::Pci(own) => (own.to_string(), None),
        Transport::Mmio(base) => (format!("virtio-mmio@{base}"), Some(base)),
    };
    let origin = unit.origin.clone();
    IommuFact { name, model: Some(IommuModel::VirtioIommu), base, aperture: None, pages: None, origin }
}
