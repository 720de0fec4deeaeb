//! IORT: which SMMU and which ITS group stand behind the requesters of a root complex, and what firmware reserves (Arm
//! DEN 0049, IO Remapping Table, revisions 0 to F).
//!
//! Here are the nodes as the table has them. How Linux follows the ID mappings from one node to the next is in `route`,
//! what comes of it for the host in `facts`. Interrupts of SMMUs and performance counters are left out.

pub(super) mod facts;
mod route;

use std::ops::Range;

use nom::bytes::complete::take;
use nom::multi::many0;
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};

use super::codes;
use super::table::{Form, Structure, Table, fields, kind8_length16};
use crate::addr::{Hpa, grouped_hex};
use crate::diag::{Diagnostic, Origin};
use crate::read::capture::log::Log;

/// The table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Iort {
    /// Revision of the table: 0 is the first, 3 is E.b, 5 and 6 the later ones.
    pub revision: u8,
    /// Its nodes, in the order of the table.
    pub nodes: Vec<Node>,
}

/// A node.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Where it begins in the table: what references to it say.
    pub at: u32,
    /// Revision of its layout.
    pub revision: u8,
    /// What it is.
    pub kind: NodeKind,
    /// Its ID mappings, in the order of the table.
    pub mappings: Vec<IdMapping>,
    /// The bytes of it.
    pub origin: Origin,
}

/// What a node describes.
#[derive(Clone, PartialEq, Debug)]
pub enum NodeKind {
    /// A group of ITSs, by their numbers in the MADT.
    ItsGroup {
        /// The numbers.
        its: Vec<u32>,
    },
    /// A device that is no PCI function.
    NamedComponent {
        /// Its path in the ACPI namespace.
        name: String,
        /// How many address bits it has.
        address_bits: u8,
    },
    /// The root complex of a PCI segment.
    RootComplex {
        /// The segment.
        segment: u32,
        /// Whether its root ports support ATS.
        ats: bool,
        /// How many address bits it has; later than the first revision.
        address_bits: Option<u8>,
        /// How many bits a PASID has there; revision 4 and later.
        pasid_bits: Option<u16>,
    },
    /// An SMMUv1 or SMMUv2.
    Smmu {
        /// Base of its registers.
        base: Hpa,
        /// Length of its registers in bytes.
        span_bytes: u64,
        /// Its model.
        model: u32,
        /// Whether its page table walks are coherent.
        coherent: bool,
    },
    /// An SMMUv3.
    SmmuV3 {
        /// Base of its registers.
        base: Hpa,
        /// Its model.
        model: u32,
        /// Whether firmware overrides `SMMU_IDR0.COHACC`.
        coherent: bool,
        /// Its NUMA node.
        proximity: Option<u32>,
        /// Which of its ID mappings is for its own MSIs, and therefore not for its requesters.
        own_mapping: Option<usize>,
    },
    /// Performance counters.
    Pmcg,
    /// Memory that firmware reserves for streams.
    Rmr {
        /// Whether the operating system may map the memory elsewhere.
        remap_permitted: bool,
        /// Whether the accesses are privileged.
        privileged: bool,
        /// The memory.
        regions: Vec<Descriptor>,
    },
    /// A kind that is not known here.
    Unknown,
}

/// A mapping of IDs that come into a node to IDs that go out to another.
#[derive(Clone, PartialEq, Debug)]
pub struct IdMapping {
    /// First ID that comes in.
    pub input: u32,
    /// How many IDs there are, less one.
    pub count_less_one: u32,
    /// First ID that goes out.
    pub output: u32,
    /// Where in the table the node begins that takes them.
    pub reference: u32,
    /// Whether all IDs go out as `output`.
    pub single: bool,
    /// The bytes of it.
    pub origin: Origin,
}

/// A stretch of memory of an RMR node.
#[derive(Clone, PartialEq, Debug)]
pub struct Descriptor {
    /// First address.
    pub base: u64,
    /// Length in bytes.
    pub length_bytes: u64,
    /// The bytes of it.
    pub origin: Origin,
}

/// How nodes begin: kind, length, revision, identifier, number and offset of the ID mappings.
const FORM: Form = Form { what: "the node", least: 16, head: kind8_length16 };
/// Bytes of an ID mapping.
const MAPPING_BYTES: usize = 20;
/// Bytes of a memory descriptor.
const DESCRIPTOR_BYTES: usize = 20;

/// Reads the table; `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Iort, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let iort = Table::open(file, bytes, *b"IORT", &mut log).map(|table| read(&table, &mut log));
    (iort.unwrap_or_default(), log.finish())
}

fn read(table: &Table<'_>, log: &mut Log) -> Iort {
    let mut iort = Iort { revision: table.header.revision, nodes: Vec::new() };
    let Some((count, first)) = table.fields((le_u32, le_u32)) else {
        let message = "the table ends before the number of its nodes";
        log.push(Diagnostic::new(&codes::STRUCTURE_END, table.origin(0..table.bytes.len()), message));
        return iort;
    };
    let part = usize::try_from(first).unwrap_or(usize::MAX)..table.bytes.len();
    let structures = table.structures(part, Some(count), &FORM, log);
    if structures.len() < usize::try_from(count).unwrap_or(usize::MAX) {
        let message =
            format!("the table says that it has {count} nodes, and {} can be read", structures.len());
        log.push(Diagnostic::new(&codes::NODE_COUNT, table.origin(36..40), message));
    }
    iort.nodes = structures.iter().filter_map(|structure| node(table, structure, log)).collect();
    iort
}

fn node(table: &Table<'_>, structure: &Structure<'_>, log: &mut Log) -> Option<Node> {
    let head = (take(3_usize), le_u8, le_u32, le_u32, le_u32);
    let (_, revision, _, count, offset) = fields(structure.bytes, head)?;
    let kind = kind(table, structure, revision, count, log)?;
    let ids = mappings(table, structure, (count, offset), log);
    let at = u32::try_from(structure.at).ok()?;
    Some(Node { at, revision, kind, mappings: ids, origin: table.origin(structure.range()) })
}

fn kind(
    table: &Table<'_>,
    structure: &Structure<'_>,
    revision: u8,
    mappings: u32,
    log: &mut Log,
) -> Option<NodeKind> {
    match structure.kind {
        0 => its_group(table, structure, log),
        1 => named_component(table, structure, log),
        2 => root_complex(table, structure, revision, log),
        3 => smmu(table, structure, log),
        4 => smmu_v3(table, structure, revision, mappings, log),
        5 => Some(NodeKind::Pmcg),
        6 => rmr(table, structure, log),
        _ => {
            table.unknown(structure, log);
            Some(NodeKind::Unknown)
        }
    }
}

fn its_group(table: &Table<'_>, structure: &Structure<'_>, log: &mut Log) -> Option<NodeKind> {
    let (_, count) = table.fields_of(structure, "an ITS group", (take(16_usize), le_u32), log)?;
    let rest = structure.bytes.get(20..)?;
    let said = usize::try_from(count).unwrap_or(usize::MAX);
    let its: Vec<u32> = fields(rest, many0(le_u32))?.into_iter().take(said).collect();
    if its.len() < said {
        let message = format!(
            "the ITS group at {:#x} says that it has {said} ITSs, and {} fit",
            structure.at,
            its.len()
        );
        log.push(Diagnostic::new(&codes::STRUCTURE_SHORT, table.origin(structure.range()), message));
    }
    Some(NodeKind::ItsGroup { its })
}

fn named_component(table: &Table<'_>, structure: &Structure<'_>, log: &mut Log) -> Option<NodeKind> {
    let head = (take(28_usize), le_u8);
    let (_, address_bits) = table.fields_of(structure, "a named component", head, log)?;
    let name = structure.bytes.get(29..)?.split(|&byte| byte == 0).next()?;
    Some(NodeKind::NamedComponent { name: String::from_utf8_lossy(name).into_owned(), address_bits })
}

fn root_complex(
    table: &Table<'_>,
    structure: &Structure<'_>,
    revision: u8,
    log: &mut Log,
) -> Option<NodeKind> {
    let head = (take(24_usize), le_u32, le_u32);
    let (_, ats, segment) = table.fields_of(structure, "a root complex", head, log)?;
    // The first revision, of which only drafts and very early firmware are made, ends here.
    let later = fields(structure.bytes, (take(32_usize), le_u8, le_u16));
    let address_bits = later.map(|(_, bits, _)| bits).filter(|_| revision >= 1);
    let pasid_bits = later.map(|(_, _, capabilities)| capabilities & 0x1f).filter(|_| revision >= 4);
    Some(NodeKind::RootComplex { segment, ats: ats & 1 != 0, address_bits, pasid_bits })
}

fn smmu(table: &Table<'_>, structure: &Structure<'_>, log: &mut Log) -> Option<NodeKind> {
    let head = (take(16_usize), le_u64, le_u64, le_u32, le_u32);
    let (_, base, span_bytes, model, flags) = table.fields_of(structure, "an SMMU", head, log)?;
    Some(NodeKind::Smmu { base: Hpa::at(base), span_bytes, model, coherent: flags & 2 != 0 })
}

fn smmu_v3(
    table: &Table<'_>,
    structure: &Structure<'_>,
    revision: u8,
    mappings: u32,
    log: &mut Log,
) -> Option<NodeKind> {
    let head = (take(16_usize), le_u64, le_u32, take(12_usize), le_u32, le_u32, le_u32, le_u32, le_u32);
    let (_, base, flags, _, model, event, pri, gerr, sync) =
        table.fields_of(structure, "an SMMUv3", head, log)?;
    // NUMA node and mapping of its own MSIs came later.
    let later = fields(structure.bytes, (take(60_usize), le_u32, le_u32));
    let wired = [event, pri, gerr, sync].iter().all(|&interrupt| interrupt != 0);
    let valid = if revision < 5 { !wired } else { flags & 0x10 != 0 };
    let own = later.map(|(_, _, index)| index).filter(|&index| revision >= 1 && valid && index < mappings);
    Some(NodeKind::SmmuV3 {
        base: Hpa::at(base),
        model,
        coherent: flags & 1 != 0,
        proximity: later.map(|(_, proximity, _)| proximity).filter(|_| flags & 8 != 0),
        own_mapping: own.and_then(|index| usize::try_from(index).ok()),
    })
}

fn rmr(table: &Table<'_>, structure: &Structure<'_>, log: &mut Log) -> Option<NodeKind> {
    let head = (take(16_usize), le_u32, le_u32, le_u32);
    let (_, flags, count, offset) = table.fields_of(structure, "an RMR node", head, log)?;
    let places = array(structure, (count, offset), DESCRIPTOR_BYTES);
    if places.len() < usize::try_from(count).unwrap_or(usize::MAX) {
        let message = format!(
            "the RMR node at {:#x} says that it has {count} memory descriptors from its byte {}, and {} fit \
             into its {} bytes",
            structure.at,
            grouped_hex(offset.into()),
            places.len(),
            structure.bytes.len()
        );
        log.push(Diagnostic::new(&codes::DESCRIPTORS, table.origin(structure.range()), message));
    }
    let descriptor = |place: Range<usize>| {
        let (base, length_bytes) = fields(table.bytes.get(place.clone())?, (le_u64, le_u64))?;
        Some(Descriptor { base, length_bytes, origin: table.origin(place) })
    };
    Some(NodeKind::Rmr {
        remap_permitted: flags & 1 != 0,
        privileged: flags & 2 != 0,
        regions: places.into_iter().filter_map(descriptor).collect(),
    })
}

fn mappings(
    table: &Table<'_>,
    structure: &Structure<'_>,
    (count, offset): (u32, u32),
    log: &mut Log,
) -> Vec<IdMapping> {
    // Without an offset Linux takes the node to have no mappings.
    if offset == 0 {
        return Vec::new();
    }
    let places = array(structure, (count, offset), MAPPING_BYTES);
    if places.len() < usize::try_from(count).unwrap_or(usize::MAX) {
        let message = format!(
            "the node at {:#x} says that it has {count} ID mappings from its byte {}, and {} fit into its {} \
             bytes",
            structure.at,
            grouped_hex(offset.into()),
            places.len(),
            structure.bytes.len()
        );
        log.push(Diagnostic::new(&codes::MAPPING_ARRAY, table.origin(structure.range()), message));
    }
    let mapping = |place: Range<usize>| {
        let (input, count_less_one, output, reference, flags) =
            fields(table.bytes.get(place.clone())?, (le_u32, le_u32, le_u32, le_u32, le_u32))?;
        let origin = table.origin(place);
        Some(IdMapping { input, count_less_one, output, reference, single: flags & 1 != 0, origin })
    };
    places.into_iter().filter_map(mapping).collect()
}

/// Where the elements of an array stand that a node says it holds, as far as they fit into the node.
fn array(structure: &Structure<'_>, (count, offset): (u32, u32), bytes: usize) -> Vec<Range<usize>> {
    let room = usize::try_from(offset).ok().and_then(|offset| structure.bytes.len().checked_sub(offset));
    let fit =
        room.unwrap_or(0).checked_div(bytes).unwrap_or(0).min(usize::try_from(count).unwrap_or(usize::MAX));
    let start = structure.end().saturating_sub(room.unwrap_or(0));
    (0..fit)
        .map(|index| {
            let at = start.saturating_add(index.saturating_mul(bytes));
            at..at.saturating_add(bytes)
        })
        .collect()
}
