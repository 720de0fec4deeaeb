//! Tables of ACPI firmware: what they say about IOMMUs, interrupt controllers, PCI segments and reserved memory.
//!
//! One file for each table. Each has `parse`, from the bytes of the table to its structures as plain data, and a function
//! that tells what they mean for the host; [`facts()`] puts all of them together. Every fact names the bytes of the
//! table that it comes from. Lengths are checked everywhere, work and memory are bounded by the size of the tables, and
//! what cannot be right is reported and passed over.
//!
//! Not here: tables that are programs (DSDT, SSDT), so neither host bridges and their windows nor whether firmware asks to
//! preserve the boot configuration (`_DSM`), on which RMR nodes of PCI devices depend.

pub mod codes;
pub mod dmar;
pub mod iort;
pub mod ivrs;
pub mod madt;
pub mod mcfg;
pub mod rhct;
pub mod rimt;
pub mod table;
pub mod viot;

mod id_map;
mod limits;
mod parts;

use std::collections::{BTreeMap, BTreeSet};

pub use dmar::BridgeBuses;

use crate::diag::{Diagnostic, Origin};
use crate::facts::HostFacts;
use crate::ids::PciAddress;
use crate::read::capture::log::{Log, quoted};
use parts::Parts;

/// The signatures of the tables that are read. In sysfs a table lies in the file of its signature.
pub const SIGNATURES: [&str; 8] = ["APIC", "DMAR", "IORT", "IVRS", "MCFG", "RHCT", "RIMT", "VIOT"];

/// A file with a table.
#[derive(Clone, Copy, Debug)]
pub struct TableFile<'a> {
    /// Its name in messages and origins: `sys/firmware/acpi/tables/IORT`.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// What the tables say about a host. Tables of other signatures are passed over. `bridges` are the buses behind bridges, as
/// their configuration space tells them, as far as they are known: device scopes of Intel's tables need them.
///
/// The facts have a root complex for each range of buses of the MCFG, without windows and devices. IOMMUs have the names
/// that they have in `sys/class/iommu`, as far as the tables tell them; ITSs and GICv2m frames are numbered in the order
/// of the MADT: `its0`, `v2m0`.
#[must_use]
pub fn facts(tables: &[TableFile<'_>], bridges: &[BridgeBuses]) -> (HostFacts, Vec<Diagnostic>) {
    let mut log = Log::default();
    let files = by_signature(tables, &mut log);
    let mut reader = Reader { files, found: log.finish(), log: Log::default() };
    let bridges: BTreeMap<PciAddress, BridgeBuses> =
        bridges.iter().map(|buses| (buses.bridge, *buses)).collect();
    let mut parts = Parts::new();
    // The MADT before the IORT, which refers to its ITSs.
    reader.read("APIC", madt::parse, |madt, _| madt::facts(madt, &mut parts));
    reader.read("MCFG", mcfg::parse, |mcfg, log| mcfg::facts(mcfg, &mut parts, log));
    reader.read("IORT", iort::parse, |iort, log| iort::facts::facts(iort, &mut parts, log));
    reader.read("DMAR", dmar::parse, |dmar, log| dmar::facts::facts(dmar, &bridges, &mut parts, log));
    reader.read("IVRS", ivrs::parse, |ivrs, log| ivrs::facts::facts(ivrs, &mut parts, log));
    reader.read("RIMT", rimt::parse, |rimt, log| rimt::facts(rimt, &mut parts, log));
    reader.read("RHCT", rhct::parse, |rhct, _| rhct::facts(rhct, &mut parts));
    reader.read("VIOT", viot::parse, |viot, log| viot::facts(viot, &mut parts, log));
    (parts.finish(), reader.found)
}

/// Reads one table after the other.
struct Reader<'a> {
    files: BTreeMap<&'static str, TableFile<'a>>,
    found: Vec<Diagnostic>,
    log: Log,
}

impl Reader<'_> {
    /// Reads the table of this signature, if there is one, and tells what it means.
    fn read<T>(
        &mut self,
        signature: &str,
        parse: fn(&str, &[u8]) -> (T, Vec<Diagnostic>),
        facts: impl FnOnce(&T, &mut Log),
    ) {
        let Some(file) = self.files.get(signature) else { return };
        let (table, diagnostics) = parse(file.name, file.bytes);
        self.found.extend(diagnostics);
        facts(&table, &mut self.log);
        self.found.extend(std::mem::take(&mut self.log).finish());
    }
}

/// The first table of each signature that is read.
fn by_signature<'a>(tables: &[TableFile<'a>], log: &mut Log) -> BTreeMap<&'static str, TableFile<'a>> {
    let mut files: BTreeMap<&'static str, TableFile<'a>> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    for file in tables {
        let Some(signature) = wanted(file) else { continue };
        let Some(first) = files.get(signature) else {
            files.insert(signature, *file);
            continue;
        };
        if twice.insert(signature) {
            let message =
                format!("{} is a second {signature}, after {}", quoted(file.name), quoted(first.name));
            log.push(Diagnostic::new(&codes::SECOND_TABLE, Origin::file(file.name), message));
        }
    }
    files
}

/// The signature under which a file is read: that of the table or, where it is none of ours, that of its name, so that a
/// damaged table is reported and not passed over.
fn wanted(file: &TableFile<'_>) -> Option<&'static str> {
    let name = file.name.rsplit('/').next().unwrap_or(file.name);
    let holds = |signature: &&str| file.bytes.starts_with(signature.as_bytes());
    let named = |signature: &&str| name.starts_with(signature);
    SIGNATURES.into_iter().find(holds).or_else(|| SIGNATURES.into_iter().find(named))
}
