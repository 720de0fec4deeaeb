//! RIMT: which RISC-V IOMMU stands behind the requesters of a root complex (RISC-V IO Mapping Table Specification 1.0).
//!
//! Platform devices and interrupt wires are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use nom::bytes::complete::take;
use nom::number::complete::{le_u16, le_u32, le_u64};

use super::codes;
use super::id_map::IdMap;
use super::limits::MOST_PARTS;
use super::parts::{Known, Parts, Served, rows};
use super::table::{Form, Structure, Table, fields, kind8_other8_length16};
use crate::addr::Hpa;
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::facts::host::{IommuFact, IommuModel};
use crate::ids::{PciAddress, RequesterId};
use crate::read::capture::log::Log;

/// The table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rimt {
    /// IOMMUs, in the order of the table.
    pub iommus: Vec<RiscvIommu>,
    /// Root complexes, in the order of the table.
    pub root_complexes: Vec<RootComplex>,
}

/// An IOMMU.
#[derive(Clone, PartialEq, Debug)]
pub struct RiscvIommu {
    /// Where it begins in the table: what references to it say.
    pub at: u32,
    /// Base of its registers; of no meaning when it is a PCI function.
    pub base: Hpa,
    /// The PCI function that it is, if it is one.
    pub function: Option<PciAddress>,
    /// The bytes of it.
    pub origin: Origin,
}

/// The root complex of a segment.
#[derive(Clone, PartialEq, Debug)]
pub struct RootComplex {
    /// PCI segment.
    pub segment: u16,
    /// Whether it supports ATS.
    pub ats: bool,
    /// What its requesters are mapped to, in the order of the table.
    pub mappings: Vec<IdMapping>,
    /// The bytes of it.
    pub origin: Origin,
}

/// A mapping of requesters to an IOMMU.
#[derive(Clone, PartialEq, Debug)]
pub struct IdMapping {
    /// First requester.
    pub input: u32,
    /// How many IDs follow the first, as Linux takes the number of IDs (rimt_id_map in drivers/acpi/riscv/rimt.c).
    pub more: u32,
    /// The ID by which the IOMMU knows the first requester.
    pub output: u32,
    /// Where in the table the IOMMU begins.
    pub reference: u32,
    /// The bytes of it.
    pub origin: Origin,
}

const FORM: Form = Form { what: "the node", least: 8, head: kind8_other8_length16 };
/// Bytes of an ID mapping.
const MAPPING_BYTES: usize = 20;

/// Reads the table; `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Rimt, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let table = Table::open(file, bytes, *b"RIMT", &mut log);
    (table.map(|table| read(&table, &mut log)).unwrap_or_default(), log.finish())
}

fn read(table: &Table<'_>, log: &mut Log) -> Rimt {
    let mut rimt = Rimt::default();
    let Some((count, first)) = table.fields((le_u32, le_u32)) else {
        let message = "the table ends before the number of its nodes";
        log.push(Diagnostic::new(&codes::STRUCTURE_END, table.origin(0..table.bytes.len()), message));
        return rimt;
    };
    let part = usize::try_from(first).unwrap_or(usize::MAX)..table.bytes.len();
    let nodes = table.structures(part, Some(count), &FORM, log);
    if nodes.len() < usize::try_from(count).unwrap_or(usize::MAX) {
        let message = format!("the table says that it has {count} nodes, and {} can be read", nodes.len());
        log.push(Diagnostic::new(&codes::NODE_COUNT, table.origin(36..40), message));
    }
    for node in &nodes {
        take_node(table, node, &mut rimt, log);
    }
    rimt
}

/// What a node says; `None` when it is too short, which was reported.
fn take_node(table: &Table<'_>, node: &Structure<'_>, rimt: &mut Rimt, log: &mut Log) -> Option<()> {
    let origin = table.origin(node.range());
    match node.kind {
        0 => {
            let head = (take(16_usize), le_u64, le_u32, le_u32, le_u16, le_u16);
            let (_, base, flags, _, segment, device) = table.fields_of(node, "an IOMMU", head, log)?;
            let function = PciAddress::from_requester(segment, RequesterId(device));
            rimt.iommus.push(RiscvIommu {
                at: u32::try_from(node.at).ok()?,
                base: Hpa::at(base),
                function: (flags & 1 != 0).then_some(function),
                origin,
            });
        }
        1 => {
            let head = (take(8_usize), le_u32, le_u16, le_u16, le_u16, le_u16);
            let (_, flags, _, segment, offset, count) = table.fields_of(node, "a root complex", head, log)?;
            let mappings = mappings(table, node, (count, offset), log);
            rimt.root_complexes.push(RootComplex { segment, ats: flags & 1 != 0, mappings, origin });
        }
        // A platform device.
        2 => {}
        _ => table.unknown(node, log),
    }
    Some(())
}

fn mappings(
    table: &Table<'_>,
    node: &Structure<'_>,
    (count, offset): (u16, u16),
    log: &mut Log,
) -> Vec<IdMapping> {
    if offset == 0 {
        return Vec::new();
    }
    let start = node.at.saturating_add(usize::from(offset));
    let room = node.end().saturating_sub(start);
    let fit = room.checked_div(MAPPING_BYTES).unwrap_or(0).min(usize::from(count));
    if fit < usize::from(count) {
        let message = format!(
            "the node at {:#x} says that it has {count} ID mappings from its byte {offset:#x}, and {fit} fit into its \
             {} bytes",
            node.at,
            node.bytes.len()
        );
        log.push(Diagnostic::new(&codes::MAPPING_ARRAY, table.origin(node.range()), message));
    }
    let mapping = |place: Range<usize>| {
        let (input, more, output, reference) =
            fields(table.bytes.get(place.clone())?, (le_u32, le_u32, le_u32, le_u32))?;
        Some(IdMapping { input, more, output, reference, origin: table.origin(place) })
    };
    let places = (start..).step_by(MAPPING_BYTES).map(|at| at..at.saturating_add(MAPPING_BYTES));
    places.take(fit).filter_map(mapping).collect()
}

/// Adds what the table says.
pub(super) fn facts(rimt: &Rimt, parts: &mut Parts, log: &mut Log) {
    parts.arch = parts.arch.or(Some(Arch::Riscv64));
    let first = parts.iommus.len();
    let units = rimt.iommus.iter().take(MOST_PARTS);
    parts.iommus.extend(units.clone().map(iommu));
    let by_offset: BTreeMap<u32, usize> =
        units.enumerate().map(|(index, unit)| (unit.at, first.saturating_add(index))).collect();
    let mut seen = BTreeSet::new();
    for root in &rimt.root_complexes {
        if !seen.insert(root.segment) {
            let message =
                format!("segment {:#06x} has a second root complex, which Linux never finds", root.segment);
            log.push(Diagnostic::new(&codes::SECOND_ROOT_COMPLEX, root.origin.clone(), message));
            continue;
        }
        parts.name_segment(root.segment, &root.origin);
        let map = serve(root, &by_offset, log);
        let origins: Vec<Origin> = root.mappings.iter().map(|mapping| mapping.origin.clone()).collect();
        parts.streams.insert(root.segment, rows(&map, &parts.iommus, &origins));
    }
}

/// Which IOMMU serves which requesters: the first mapping that has one.
fn serve(
    root: &RootComplex,
    by_offset: &BTreeMap<u32, usize>,
    log: &mut Log,
) -> IdMap<(Option<Served>, usize)> {
    let mut map = IdMap::default();
    for (index, mapping) in root.mappings.iter().enumerate() {
        let iommu = by_offset.get(&mapping.reference);
        if iommu.is_none() {
            let message =
                format!("the mapping leads to offset {:#x}, where no IOMMU begins", mapping.reference);
            log.push(Diagnostic::new(&codes::DANGLING, mapping.origin.clone(), message));
        }
        let known = Known::From { requester: mapping.input, id: mapping.output };
        let served = iommu.map(|&iommu| Served { iommu, known });
        let last = mapping.input.saturating_add(mapping.more).min(0xffff);
        map.fill(mapping.input, last, (served, index));
    }
    map
}

/// The IOMMU. A PCI function has the name that its driver gives it in sysfs (riscv_iommu_init in
/// drivers/iommu/riscv/iommu.c); that of a platform device is in AML.
fn iommu(unit: &RiscvIommu) -> IommuFact {
    let (name, base) = match unit.function {
        Some(function) => (format!("riscv-iommu@{function}"), None),
        None => (format!("riscv-iommu@{}", unit.base), Some(unit.base)),
    };
    let origin = unit.origin.clone();
    IommuFact { name, model: Some(IommuModel::Riscv), base, aperture: None, pages: None, origin }
}
