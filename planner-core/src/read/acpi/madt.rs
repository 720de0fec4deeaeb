//! MADT (signature `APIC`): interrupt controllers (ACPI Specification 6.5, 5.2.12).
//!
//! Of x86 only the I/O APICs and the number of processors are kept; of RISC-V that it is RISC-V. Interrupt overrides and
//! the rest of the routing of wires are left out.

use nom::bytes::complete::take;
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};

use super::limits::MOST_PARTS;
use super::parts::Parts;
use super::table::{Form, HEADER_BYTES, Structure, Table, kind8_length8, span};
use crate::addr::{Address, Hpa};
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::facts::host::{GicV2mFact, GicV3Fact, ItsFact};
use crate::read::capture::log::Log;
use crate::size::KIB;

/// The table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Madt {
    /// Distributors (GICD).
    pub distributors: Vec<Distributor>,
    /// Regions of redistributors (GICR).
    pub redistributors: Vec<Redistributors>,
    /// CPU interfaces of enabled processors (GICC).
    pub cpu_interfaces: Vec<CpuInterface>,
    /// Interrupt translation services.
    pub its: Vec<Its>,
    /// GICv2m frames.
    pub frames: Vec<MsiFrame>,
    /// I/O APICs.
    pub io_apics: Vec<IoApic>,
    /// How many local APICs and x2APICs there are.
    pub local_apics: usize,
    /// How many harts there are.
    pub harts: usize,
}

/// A GIC distributor.
#[derive(Clone, PartialEq, Debug)]
pub struct Distributor {
    /// Base of its registers.
    pub base: Hpa,
    /// Version of the GIC, 1 to 4; 0 leaves it to the operating system to find out.
    pub version: u8,
    /// The bytes of it.
    pub origin: Origin,
}

/// A region of redistributors, one beside the other.
#[derive(Clone, PartialEq, Debug)]
pub struct Redistributors {
    /// First address.
    pub base: Hpa,
    /// Length in bytes.
    pub length_bytes: u32,
    /// The bytes of it.
    pub origin: Origin,
}

/// The GIC CPU interface of a processor.
#[derive(Clone, PartialEq, Debug)]
pub struct CpuInterface {
    /// Base of its redistributor, where no region of redistributors is described.
    pub redistributor: Option<Hpa>,
    /// The bytes of it.
    pub origin: Origin,
}

/// An interrupt translation service.
#[derive(Clone, PartialEq, Debug)]
pub struct Its {
    /// The number by which the IORT refers to it.
    pub id: u32,
    /// Base of its registers.
    pub base: Hpa,
    /// The bytes of it.
    pub origin: Origin,
}

/// A GICv2m frame.
#[derive(Clone, PartialEq, Debug)]
pub struct MsiFrame {
    /// Base of its registers.
    pub base: Hpa,
    /// First SPI and number of SPIs, where the table overrides the frame's own register.
    pub spis: Option<(u16, u16)>,
    /// The bytes of it.
    pub origin: Origin,
}

/// An I/O APIC.
#[derive(Clone, PartialEq, Debug)]
pub struct IoApic {
    /// Its number.
    pub id: u8,
    /// Base of its registers.
    pub base: Hpa,
    /// The bytes of it.
    pub origin: Origin,
}

const FORM: Form = Form { what: "the structure", least: 2, head: kind8_length8 };
/// Where the structures begin: after the address of the local APICs and the flags.
const STRUCTURES: usize = HEADER_BYTES + 8;

/// Reads the table; `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, bytes: &[u8]) -> (Madt, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let mut madt = Madt::default();
    if let Some(table) = Table::open(file, bytes, *b"APIC", &mut log) {
        for structure in table.structures(STRUCTURES..table.bytes.len(), None, &FORM, &mut log) {
            take_structure(&table, &structure, &mut madt, &mut log);
        }
    }
    (madt, log.finish())
}

/// What a structure says; `None` when it is too short, which was reported.
fn take_structure(
    table: &Table<'_>,
    structure: &Structure<'_>,
    madt: &mut Madt,
    log: &mut Log,
) -> Option<()> {
    let origin = || table.origin(structure.range());
    match structure.kind {
        // Local APIC, x2APIC.
        0 | 9 => madt.local_apics = madt.local_apics.saturating_add(1),
        1 => {
            let fields = (take(2_usize), le_u8, le_u8, le_u32);
            let (_, id, _, base) = table.fields_of(structure, "an I/O APIC", fields, log)?;
            madt.io_apics.push(IoApic { id, base: Hpa::at(base.into()), origin: origin() });
        }
        0x0b => madt.cpu_interfaces.extend(cpu_interface(table, structure, log)?),
        0x0c => {
            let fields = (take(8_usize), le_u64, le_u32, le_u8);
            let (_, base, _, version) = table.fields_of(structure, "a GIC distributor", fields, log)?;
            madt.distributors.push(Distributor { base: Hpa::at(base), version, origin: origin() });
        }
        0x0d => {
            let fields = (take(8_usize), le_u64, le_u32, le_u16, le_u16);
            let (_, base, flags, count, first) =
                table.fields_of(structure, "a GIC MSI frame", fields, log)?;
            let spis = Some((first, count)).filter(|_| flags & 1 != 0);
            madt.frames.push(MsiFrame { base: Hpa::at(base), spis, origin: origin() });
        }
        0x0e => {
            let fields = (take(4_usize), le_u64, le_u32);
            let (_, base, length_bytes) = table.fields_of(structure, "GIC redistributors", fields, log)?;
            madt.redistributors.push(Redistributors { base: Hpa::at(base), length_bytes, origin: origin() });
        }
        0x0f => {
            let fields = (take(4_usize), le_u32, le_u64);
            let (_, id, base) = table.fields_of(structure, "an ITS", fields, log)?;
            madt.its.push(Its { id, base: Hpa::at(base), origin: origin() });
        }
        // RINTC.
        0x18 => madt.harts = madt.harts.saturating_add(1),
        // Wires, SAPIC, wakeup, interrupt domains, controllers of LoongArch and RISC-V: nothing is planned with them.
        2..=8 | 0x0a | 0x10..=0x17 | 0x19..=0x1b => {}
        _ => table.unknown(structure, log),
    }
    Some(())
}

/// The interface of a processor, if it is enabled.
fn cpu_interface(
    table: &Table<'_>,
    structure: &Structure<'_>,
    log: &mut Log,
) -> Option<Option<CpuInterface>> {
    let (_, flags) = table.fields_of(structure, "a GIC CPU interface", (take(12_usize), le_u32), log)?;
    // The first layout, of ACPI 5.0, had no redistributor.
    let later = super::table::fields(structure.bytes, (take(60_usize), le_u64));
    let redistributor = later.map(|(_, base)| base).filter(|&base| base != 0).map(Hpa::at);
    let origin = table.origin(structure.range());
    Some((flags & 1 != 0).then_some(CpuInterface { redistributor, origin }))
}

/// Registers of a distributor (Arm IHI 0069, 12.8).
const DISTRIBUTOR_BYTES: u64 = 64 * KIB;
/// Registers of a redistributor of GICv3: two frames (Arm IHI 0069, 12.10; gic_acpi_parse_madt_gicc in
/// drivers/irqchip/irq-gic-v3.c, which takes four of GICv4).
const REDISTRIBUTOR_BYTES: u64 = 128 * KIB;
/// Registers of an ITS: two frames (Arm IHI 0069, 12.18).
const ITS_BYTES: u64 = 128 * KIB;
/// Registers of a GICv2m frame (acpi_parse_madt_msi in drivers/irqchip/irq-gic-v2m.c).
const FRAME_BYTES: u64 = 4 * KIB;

/// What the table says about the host.
pub(super) fn facts(madt: &Madt, parts: &mut Parts) {
    parts.gicv3.extend(gicv3(madt));
    for (index, its) in madt.its.iter().take(MOST_PARTS).enumerate() {
        let Some(frame) = span(its.base.get(), ITS_BYTES) else { continue };
        let name = format!("its{index}");
        parts.its_by_id.entry(its.id).or_insert_with(|| name.clone());
        parts.its.push(ItsFact { name, frame, origin: its.origin.clone() });
    }
    for (index, frame) in madt.frames.iter().take(MOST_PARTS).enumerate() {
        parts.gicv2m.extend(gicv2m(index, frame));
    }
    parts.arch = parts.arch.or(arch(madt));
}

fn arch(madt: &Madt) -> Option<Arch> {
    if !madt.distributors.is_empty() || !madt.cpu_interfaces.is_empty() {
        Some(Arch::Aarch64)
    } else if madt.local_apics > 0 || !madt.io_apics.is_empty() {
        Some(Arch::X86_64)
    } else {
        (madt.harts > 0).then_some(Arch::Riscv64)
    }
}

/// The GICv3: Linux takes the only distributor, and redistributors one by one where no region is described.
fn gicv3(madt: &Madt) -> Option<GicV3Fact> {
    let distributor = madt.distributors.first()?;
    if !matches!(distributor.version, 0 | 3 | 4) {
        return None;
    }
    let regions = madt.redistributors.iter();
    let mut redistributors: Vec<_> =
        regions.filter_map(|region| span(region.base.get(), region.length_bytes.into())).collect();
    if redistributors.is_empty() {
        let each = madt.cpu_interfaces.iter().take(MOST_PARTS).filter_map(|cpu| cpu.redistributor);
        redistributors = each.filter_map(|base| span(base.get(), REDISTRIBUTOR_BYTES)).collect();
    }
    // Without a version, redistributors tell a GICv3 from a GICv2.
    if distributor.version == 0 && redistributors.is_empty() {
        return None;
    }
    Some(GicV3Fact {
        name: "gic".to_owned(),
        distributor: span(distributor.base.get(), DISTRIBUTOR_BYTES)?,
        redistributors,
        origin: distributor.origin.clone(),
    })
}

fn gicv2m(index: usize, frame: &MsiFrame) -> Option<GicV2mFact> {
    let spis = frame.spis.and_then(|(first, count)| Some((first, first.checked_add(count.checked_sub(1)?)?)));
    Some(GicV2mFact {
        name: format!("v2m{index}"),
        frame: span(frame.base.get(), FRAME_BYTES)?,
        first_spi: spis.map(|(first, _)| first.into()),
        last_spi: spis.map(|(_, last)| last.into()),
        origin: frame.origin.clone(),
    })
}
