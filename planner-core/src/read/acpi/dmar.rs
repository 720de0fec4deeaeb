//! DMAR: the remapping units of Intel VT-d, the devices in their scopes, and what firmware reserves (Intel Virtualization
//! Technology for Directed I/O, revision 4.1, chapter 8).
//!
//! Here are the structures as the table has them; what they mean for the host is in `facts`.

pub(super) mod facts;

use std::ops::Range;

use nom::bytes::complete::take;
use nom::multi::many0;
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};

use super::table::{Form, HEADER_BYTES, Structure, Table, fields, kind8_length8, kind16_length16};
use crate::addr::Hpa;
use crate::diag::{Diagnostic, Origin};
use crate::ids::PciAddress;
use crate::read::capture::log::Log;

/// The table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Dmar {
    /// How many address bits DMA has on this machine.
    pub address_bits: u8,
    /// Whether the machine supports interrupt remapping.
    pub interrupt_remapping: bool,
    /// Whether firmware asks not to switch on x2APIC mode.
    pub x2apic_opt_out: bool,
    /// Whether firmware asks for DMA protection at boot.
    pub dma_control_opt_in: bool,
    /// Remapping units (DRHD), in the order of the table.
    pub units: Vec<Unit>,
    /// Reserved memory (RMRR).
    pub reserved: Vec<Reserved>,
    /// Root ports that support ATS (ATSR).
    pub root_ports: Vec<RootPorts>,
    /// Integrated devices with ATS (SATC).
    pub integrated: Vec<Integrated>,
    /// NUMA nodes of units (RHSA).
    pub affinities: Vec<Affinity>,
}

/// A remapping unit.
#[derive(Clone, PartialEq, Debug)]
pub struct Unit {
    /// Base of its registers.
    pub base: Hpa,
    /// PCI segment.
    pub segment: u16,
    /// Whether it serves every device of the segment that is in no other unit's scope.
    pub include_all: bool,
    /// The devices that it serves.
    pub scopes: Vec<Scope>,
    /// The bytes of it.
    pub origin: Origin,
}

/// Reserved memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Reserved {
    /// First address.
    pub first: u64,
    /// Last address.
    pub last: u64,
    /// PCI segment.
    pub segment: u16,
    /// The devices that it is for.
    pub scopes: Vec<Scope>,
    /// The bytes of it.
    pub origin: Origin,
}

/// Root ports that support ATS.
#[derive(Clone, PartialEq, Debug)]
pub struct RootPorts {
    /// PCI segment.
    pub segment: u16,
    /// Whether all root ports of the segment do.
    pub all: bool,
    /// The root ports.
    pub scopes: Vec<Scope>,
    /// The bytes of it.
    pub origin: Origin,
}

/// Devices of the chip itself that use ATS.
#[derive(Clone, PartialEq, Debug)]
pub struct Integrated {
    /// PCI segment.
    pub segment: u16,
    /// Whether they need it to work.
    pub required: bool,
    /// The devices.
    pub scopes: Vec<Scope>,
    /// The bytes of it.
    pub origin: Origin,
}

/// The NUMA node of a unit.
#[derive(Clone, PartialEq, Debug)]
pub struct Affinity {
    /// Base of the unit's registers.
    pub base: Hpa,
    /// The node.
    pub node: u32,
    /// The bytes of it.
    pub origin: Origin,
}

/// A device that a structure is about.
#[derive(Clone, PartialEq, Debug)]
pub struct Scope {
    /// What kind of device.
    pub kind: ScopeKind,
    /// Number of the I/O APIC, HPET or ACPI device.
    pub enumeration_id: u8,
    /// The bus on which the path begins.
    pub bus: u8,
    /// Device and function on that bus, then on the bus behind that bridge, and so on.
    pub path: Vec<(u8, u8)>,
    /// The bytes of it.
    pub origin: Origin,
}

/// Kind of a device scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScopeKind {
    /// A PCI function alone.
    Endpoint,
    /// A bridge and everything below it.
    Bridge,
    /// An I/O APIC.
    IoApic,
    /// A timer that sends MSIs.
    Hpet,
    /// A device of the ACPI namespace.
    Namespace,
}

/// What is known of a bridge from its configuration space: the buses behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BridgeBuses {
    /// The bridge.
    pub bridge: PciAddress,
    /// The bus behind it.
    pub secondary: u8,
    /// The last bus below it.
    pub subordinate: u8,
}

const FORM: Form = Form { what: "the structure", least: 4, head: kind16_length16 };
const SCOPES: Form = Form { what: "the device scope", least: 6, head: kind8_length8 };
/// Where the structures begin: after address width, flags and ten reserved bytes.
const STRUCTURES: usize = HEADER_BYTES + 12;

/// Reads the table; `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Dmar, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let mut dmar = Dmar::default();
    if let Some(table) = Table::open(file, bytes, *b"DMAR", &mut log) {
        if let Some((width, flags)) = table.fields((le_u8, le_u8)) {
            dmar.address_bits = width.saturating_add(1);
            dmar.interrupt_remapping = flags & 1 != 0;
            dmar.x2apic_opt_out = flags & 2 != 0;
            dmar.dma_control_opt_in = flags & 4 != 0;
        }
        for structure in table.structures(STRUCTURES..table.bytes.len(), None, &FORM, &mut log) {
            take_structure(&table, &structure, &mut dmar, &mut log);
        }
    }
    (dmar, log.finish())
}

/// What a structure says; `None` when it is too short, which was reported.
fn take_structure(
    table: &Table<'_>,
    structure: &Structure<'_>,
    dmar: &mut Dmar,
    log: &mut Log,
) -> Option<()> {
    let origin = table.origin(structure.range());
    match structure.kind {
        0 => {
            let head = (take(4_usize), le_u8, le_u8, le_u16, le_u64);
            let (_, flags, _, segment, base) = table.fields_of(structure, "a DRHD", head, log)?;
            let scopes = scopes(table, structure, 16, log);
            let (base, include_all) = (Hpa::at(base), flags & 1 != 0);
            dmar.units.push(Unit { base, segment, include_all, scopes, origin });
        }
        1 => {
            let head = (take(6_usize), le_u16, le_u64, le_u64);
            let (_, segment, first, last) = table.fields_of(structure, "an RMRR", head, log)?;
            let scopes = scopes(table, structure, 24, log);
            dmar.reserved.push(Reserved { first, last, segment, scopes, origin });
        }
        2 => {
            let (flags, segment) = flags_and_segment(table, structure, "an ATSR", log)?;
            let scopes = scopes(table, structure, 8, log);
            dmar.root_ports.push(RootPorts { segment, all: flags & 1 != 0, scopes, origin });
        }
        3 => {
            let head = (take(8_usize), le_u64, le_u32);
            let (_, base, node) = table.fields_of(structure, "an RHSA", head, log)?;
            dmar.affinities.push(Affinity { base: Hpa::at(base), node, origin });
        }
        5 => {
            let (flags, segment) = flags_and_segment(table, structure, "an SATC", log)?;
            let scopes = scopes(table, structure, 8, log);
            dmar.integrated.push(Integrated { segment, required: flags & 1 != 0, scopes, origin });
        }
        // Names of ACPI devices (ANDD) and properties of devices of the chip (SIDP): nothing is planned with them.
        4 | 6 => {}
        _ => table.unknown(structure, log),
    }
    Some(())
}

fn flags_and_segment(
    table: &Table<'_>,
    structure: &Structure<'_>,
    name: &str,
    log: &mut Log,
) -> Option<(u8, u16)> {
    let head = (take(4_usize), le_u8, le_u8, le_u16);
    let (_, flags, _, segment) = table.fields_of(structure, name, head, log)?;
    Some((flags, segment))
}

/// The device scopes of a structure, from this byte of it on.
fn scopes(table: &Table<'_>, structure: &Structure<'_>, from: usize, log: &mut Log) -> Vec<Scope> {
    let part: Range<usize> = structure.at.saturating_add(from)..structure.end();
    let mut found = Vec::new();
    for entry in table.structures(part, None, &SCOPES, log) {
        found.extend(scope(table, &entry, log));
    }
    found
}

fn scope(table: &Table<'_>, entry: &Structure<'_>, log: &mut Log) -> Option<Scope> {
    let kind = match entry.kind {
        1 => ScopeKind::Endpoint,
        2 => ScopeKind::Bridge,
        3 => ScopeKind::IoApic,
        4 => ScopeKind::Hpet,
        5 => ScopeKind::Namespace,
        _ => {
            table.unknown(entry, log);
            return None;
        }
    };
    // A scope without a path names no device.
    let head = (take(4_usize), le_u8, le_u8, le_u8, le_u8);
    let (_, enumeration_id, bus, ..) = table.fields_of(entry, "a device scope with a path", head, log)?;
    let path = fields(entry.bytes.get(6..)?, many0((le_u8, le_u8)))?;
    Some(Scope { kind, enumeration_id, bus, path, origin: table.origin(entry.range()) })
}
