//! IVRS: the IOMMUs of AMD, the requesters that they serve and under which ID, and what firmware reserves (AMD I/O
//! Virtualization Technology Specification 3.10, 5.2).
//!
//! Firmware describes each IOMMU up to three times, in blocks that tell more and more; Linux takes one kind of block.
//! Here are the blocks as the table has them; what they mean for the host is in `facts`.

pub(super) mod facts;

use nom::bytes::complete::take;
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};

use super::codes;
use super::table::{Form, HEADER_BYTES, Structure, Table, fields, kind8_other8_length16};
use crate::addr::Hpa;
use crate::diag::{Diagnostic, Origin};
use crate::ids::RequesterId;
use crate::read::capture::log::Log;

/// The table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ivrs {
    /// How many physical address bits the IOMMUs have, as the table says.
    pub physical_bits: u8,
    /// How many virtual address bits they have, as the table says.
    pub virtual_bits: u8,
    /// Descriptions of IOMMUs (IVHD), in the order of the table.
    pub units: Vec<Unit>,
    /// Reserved memory (IVMD).
    pub reserved: Vec<Reserved>,
}

/// A description of an IOMMU.
#[derive(Clone, PartialEq, Debug)]
pub struct Unit {
    /// Kind of the block: 0x10, 0x11 or 0x40, each telling more than the one before.
    pub kind: u8,
    /// Its own requester ID.
    pub device: RequesterId,
    /// PCI segment.
    pub segment: u16,
    /// Base of its registers.
    pub base: Hpa,
    /// What the block says of its extended features; blocks of kind 0x10 do not say it.
    pub features: Option<u64>,
    /// The requesters that it serves, in the order of the block.
    pub entries: Vec<Entry>,
    /// The bytes of it.
    pub origin: Origin,
}

/// Requesters that an IOMMU serves.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// First requester.
    pub first: RequesterId,
    /// Last requester.
    pub last: RequesterId,
    /// The requester ID that their accesses carry, if another.
    pub alias: Option<RequesterId>,
    /// What it is, if no PCI function.
    pub special: Option<Special>,
    /// The bytes of it.
    pub origin: Origin,
}

/// A device that is no PCI function, under a requester ID that it borrows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Special {
    /// An I/O APIC of this number.
    IoApic(u8),
    /// A timer of this number.
    Hpet(u8),
    /// A device of this variety and number.
    Other(u8, u8),
    /// A device of the ACPI namespace, with its hardware ID.
    Acpi(String),
}

/// Reserved memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Reserved {
    /// PCI segment.
    pub segment: u16,
    /// First requester.
    pub first: RequesterId,
    /// Last requester.
    pub last: RequesterId,
    /// First address.
    pub base: u64,
    /// Length in bytes.
    pub length_bytes: u64,
    /// What is done with it: bit 0 unity mapped, bit 1 readable, bit 2 writable, bit 3 excluded from translation.
    pub flags: u8,
    /// The bytes of it.
    pub origin: Origin,
}

const FORM: Form = Form { what: "the block", least: 4, head: kind8_other8_length16 };
/// Where the blocks begin: after the flags and eight reserved bytes (`IVRS_HEADER_LENGTH`).
const BLOCKS: usize = HEADER_BYTES + 12;

/// Reads the table; `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Ivrs, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let mut ivrs = Ivrs::default();
    if let Some(table) = Table::open(file, bytes, *b"IVRS", &mut log) {
        if let Some(info) = table.fields(le_u32) {
            ivrs.physical_bits = field(info, 8, 7);
            ivrs.virtual_bits = field(info, 15, 7);
        }
        for block in table.structures(BLOCKS..table.bytes.len(), None, &FORM, &mut log) {
            take_block(&table, &block, &mut ivrs, &mut log);
        }
    }
    (ivrs, log.finish())
}

/// Bits of a register.
fn field(value: u32, from: u32, width: u32) -> u8 {
    let bits =
        value.checked_shr(from).unwrap_or(0) & 1_u32.checked_shl(width).map_or(0, |end| end.wrapping_sub(1));
    u8::try_from(bits).unwrap_or(u8::MAX)
}

fn take_block(table: &Table<'_>, block: &Structure<'_>, ivrs: &mut Ivrs, log: &mut Log) {
    match block.kind {
        0x10 | 0x11 | 0x40 => ivrs.units.extend(unit(table, block, log)),
        0x20..=0x22 => ivrs.reserved.extend(reserved(table, block, log)),
        _ => table.unknown(block, log),
    }
}

fn unit(table: &Table<'_>, block: &Structure<'_>, log: &mut Log) -> Option<Unit> {
    let head = (take(4_usize), le_u16, le_u16, le_u64, le_u16);
    let (_, device, _, base, segment) = table.fields_of(block, "an IVHD", head, log)?;
    let kind = u8::try_from(block.kind).ok()?;
    // Kind 0x10 has a header of 24 bytes, the others of 40 (get_ivhd_header_size in drivers/iommu/amd/init.c).
    let (features, entries) = if kind == 0x10 {
        (None, 24)
    } else {
        let (_, features, _) = table.fields_of(block, "an IVHD", (take(24_usize), le_u64, le_u64), log)?;
        (Some(features), 40)
    };
    Some(Unit {
        kind,
        device: RequesterId(device),
        segment,
        base: Hpa::at(base),
        features,
        entries: self::entries(table, block, entries, log),
        origin: table.origin(block.range()),
    })
}

/// The start of a range whose end has not come yet.
struct Open {
    first: RequesterId,
    alias: Option<RequesterId>,
    at: usize,
}

/// The device entries of a block, from this byte of it on (init_iommu_from_acpi in drivers/iommu/amd/init.c).
fn entries(table: &Table<'_>, block: &Structure<'_>, from: usize, log: &mut Log) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut open: Option<Open> = None;
    let mut at = from;
    while let Some(rest) = block.bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let place = block.at.saturating_add(at);
        let Some(bytes) = entry_length(rest).and_then(|length| rest.get(..length)) else {
            let kind = rest.first().copied().unwrap_or_default();
            let message = format!(
                "the device entry at {place:#x} is of kind {kind:#04x} and {} bytes are left",
                rest.len()
            );
            log.push(Diagnostic::new(&codes::DEVICE_ENTRY, table.origin(place..block.end()), message));
            break;
        };
        found.extend(entry(table, place, bytes, &mut open, log));
        at = at.saturating_add(bytes.len());
    }
    if let Some(open) = open {
        log.push(half(table, open.at, "starts a range that does not end"));
    }
    found
}

/// Length of the entry that begins here (ivhd_entry_length in drivers/iommu/amd/init.c).
fn entry_length(rest: &[u8]) -> Option<usize> {
    match rest.first()? {
        0..=0x3f => Some(4),
        0x40..=0x7f => Some(8),
        // The last field, the unique ID, has a length of its own.
        0xf0 => rest.get(21).map(|&length| usize::from(length).saturating_add(22)),
        _ => None,
    }
}

fn entry(
    table: &Table<'_>,
    at: usize,
    bytes: &[u8],
    open: &mut Option<Open>,
    log: &mut Log,
) -> Option<Entry> {
    let (kind, device) = fields(bytes, (le_u8, le_u16))?;
    let device = RequesterId(device);
    let extended = fields(bytes, (take(4_usize), le_u32)).map(|(_, extended)| extended);
    let alias = extended.and_then(|extended| u16::try_from(extended >> 8 & 0xffff).ok()).map(RequesterId);
    let of = |first, last, alias, special| {
        let origin = table.origin(at..at.saturating_add(bytes.len()));
        Some(Entry { first, last, alias, special, origin })
    };
    match kind {
        // Padding.
        0 => None,
        1 => of(RequesterId(0), RequesterId(0xffff), None, None),
        // One function, without and with an alias, and with extended flags.
        2 | 0x46 => of(device, device, None, None),
        0x42 => of(device, device, alias, None),
        // Starts of ranges.
        3 | 0x43 | 0x47 => {
            let alias = alias.filter(|_| kind == 0x43);
            if let Some(lost) = open.replace(Open { first: device, alias, at }) {
                log.push(half(table, lost.at, "starts a range that does not end"));
            }
            None
        }
        4 => match open.take() {
            Some(start) if start.first <= device => of(start.first, device, start.alias, None),
            Some(start) => {
                log.push(half(
                    table,
                    start.at,
                    &format!("starts a range at {}, which ends at {device}", start.first),
                ));
                None
            }
            None => {
                log.push(half(table, at, "ends a range that did not start"));
                None
            }
        },
        0x48 => special(extended?, of),
        0xf0 => {
            let hid = String::from_utf8_lossy(bytes.get(4..12)?).trim_end_matches('\0').to_owned();
            of(device, device, None, Some(Special::Acpi(hid)))
        }
        _ => {
            let message =
                format!("the device entry at {at:#x} is of kind {kind:#04x}, which is not known here");
            let origin = table.origin(at..at.saturating_add(bytes.len()));
            log.push(Diagnostic::new(&codes::UNKNOWN_STRUCTURE, origin, message));
            None
        }
    }
}

/// A special device: handle, requester ID and variety.
fn special(
    extended: u32,
    of: impl Fn(RequesterId, RequesterId, Option<RequesterId>, Option<Special>) -> Option<Entry>,
) -> Option<Entry> {
    let [handle, low, high, variety] = extended.to_le_bytes();
    let device = RequesterId(u16::from_le_bytes([low, high]));
    let special = match variety {
        1 => Special::IoApic(handle),
        2 => Special::Hpet(handle),
        _ => Special::Other(variety, handle),
    };
    of(device, device, None, Some(special))
}

fn half(table: &Table<'_>, at: usize, what: &str) -> Diagnostic {
    let message = format!("the device entry at {at:#x} {what}");
    Diagnostic::new(&codes::RANGE_PAIR, table.origin(at..at.saturating_add(4)), message)
}

fn reserved(table: &Table<'_>, block: &Structure<'_>, log: &mut Log) -> Option<Reserved> {
    let head = (le_u8, le_u8, le_u16, le_u16, le_u16, le_u16, take(6_usize), le_u64, le_u64);
    let (kind, flags, _, device, aux, segment, _, base, length_bytes) =
        table.fields_of(block, "an IVMD", head, log)?;
    let (first, last) = match kind {
        0x20 => (0, 0xffff),
        0x21 => (device, device),
        _ => (device, aux),
    };
    if last < first {
        log.push(half(table, block.at, &format!("ends at {last:#x}, below its start, {first:#x}")));
        return None;
    }
    let origin = table.origin(block.range());
    Some(Reserved {
        segment,
        first: RequesterId(first),
        last: RequesterId(last),
        base,
        length_bytes,
        flags,
        origin,
    })
}
