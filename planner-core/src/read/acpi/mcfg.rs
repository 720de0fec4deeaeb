//! MCFG: where the configuration space of PCI segments lies (PCI Firmware Specification 3.3, 4.1.2).

use nom::multi::many0;
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};

use super::codes;
use super::limits::MOST_PARTS;
use super::parts::{Buses, Parts};
use super::table::{HEADER_BYTES, Table, fields};
use crate::addr::Hpa;
use crate::diag::{Diagnostic, Origin};
use crate::read::capture::log::Log;

/// The table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Mcfg {
    /// Its entries, in the order of the table.
    pub entries: Vec<Entry>,
}

/// Configuration space of some buses of a segment.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Where that of bus 0 would be; the first bus of the entry is 1 MiB for each bus above.
    pub base: Hpa,
    /// The segment.
    pub segment: u16,
    /// First bus.
    pub first_bus: u8,
    /// Last bus.
    pub last_bus: u8,
    /// The bytes of it.
    pub origin: Origin,
}

/// Where the entries begin: after eight reserved bytes.
const ENTRIES: usize = HEADER_BYTES + 8;
/// Bytes of an entry.
const ENTRY_BYTES: usize = 16;

/// Reads the table; `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Mcfg, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let table = Table::open(file, bytes, *b"MCFG", &mut log);
    (table.map(|table| read(&table, &mut log)).unwrap_or_default(), log.finish())
}

fn read(table: &Table<'_>, log: &mut Log) -> Mcfg {
    let rest = table.bytes.get(ENTRIES..).unwrap_or_default();
    let entry = (le_u64, le_u16, le_u8, le_u8, le_u32);
    let found = fields(rest, many0(entry)).unwrap_or_default();
    let places = (ENTRIES..).step_by(ENTRY_BYTES);
    let entries = places.zip(found).map(|(at, (base, segment, first_bus, last_bus, _))| Entry {
        base: Hpa::at(base),
        segment,
        first_bus,
        last_bus,
        origin: table.origin(at..at.saturating_add(ENTRY_BYTES)),
    });
    let entries: Vec<Entry> = entries.collect();
    let left = rest.len().checked_rem(ENTRY_BYTES).unwrap_or(0);
    if left != 0 {
        let message = format!("{left} bytes are left behind {} entries of {ENTRY_BYTES}", entries.len());
        let end = table.bytes.len();
        log.push(Diagnostic::new(
            &codes::STRUCTURE_END,
            table.origin(end.saturating_sub(left)..end),
            message,
        ));
    }
    Mcfg { entries }
}

/// What the table says about the host: which buses there may be.
pub(super) fn facts(mcfg: &Mcfg, parts: &mut Parts, log: &mut Log) {
    for entry in mcfg.entries.iter().take(MOST_PARTS) {
        let Entry { segment, first_bus, last_bus, .. } = *entry;
        let buses = Buses { segment, first_bus, last_bus, origin: entry.origin.clone() };
        if last_bus < first_bus {
            let message = format!("segment {segment:#06x} has buses {first_bus:#04x} to {last_bus:#04x}");
            log.push(Diagnostic::new(&codes::ECAM_OVERLAP, entry.origin.clone(), message));
        } else if let Some(other) = parts.add_buses(buses) {
            let message = format!(
                "segment {segment:#06x} has buses {first_bus:#04x}..={last_bus:#04x}, some for a second time"
            );
            log.push(
                Diagnostic::new(&codes::ECAM_OVERLAP, entry.origin.clone(), message)
                    .related(other, "first here"),
            );
        }
    }
}
