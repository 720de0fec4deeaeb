//! The guest's IORT with reserved memory ranges, as source for `iasl`: what the guest's kernel must not use for DMA behind
//! its SMMUs, mapped one to one by it and so never handed out (drivers/acpi/arm64/iort.c, iort_node_get_rmr_info).
//!
//! The table is that of QEMU 11 (hw/arm/virt-acpi-build.c, build_iort) with more ranges in its RMR nodes, in the form of
//! Arm DEN 0049E.d. Source for iasl is a list of fields, each with its size in bytes; iasl computes the checksum.

use std::fmt::Write as _;

use super::expander::{Expander, expanders};
use super::machine::Machine;
use super::parts::printable;
use super::{OutputFile, Unsupported};
use crate::addr::{Address, Gpa, Iova, Span};
use crate::facts::guest::VmmKind;
use crate::plan::{GuestPatch, Plan, ReservedDma};
use crate::size::Size;
use crate::span_set::SpanSet;
use crate::vmm::RegionKind;

/// Name of the file.
const FILE: &str = "guest-iort.asl";
/// Size of the header of the table (DEN 0049E.d, 3.1, table 2), behind which the first node begins.
const FIRST_NODE: u32 = 48;
/// Sizes of nodes without mappings and ranges, of a mapping, and of a memory range (DEN 0049E.d, tables 3 to 19).
const ITS_GROUP: u32 = 24;
const SMMU_V3: u32 = 68;
const ROOT_COMPLEX: u32 = 36;
const RMR: u32 = 28;
const MAPPING: u32 = 20;
const RANGE: u32 = 20;
/// Requester IDs of a segment.
const REQUESTERS: u32 = 0x1_0000;
/// Base address and length of an RMR are multiples of this (DEN 0049E.d, 3.1.1.5).
const RMR_ALIGN: Size = Size::kib(64);
/// Registers of an SMMUv3; QEMU puts one behind the other (hw/core/platform-bus.c, platform_bus_map_mmio).
const SMMU_REGISTERS: Size = Size::kib(128);
/// Interrupts of QEMU's platform bus begin here (hw/arm/virt.c, a15irqmap: 112 behind the 32 of each CPU), four for each SMMU:
/// events, PRI, command sync, errors (hw/arm/smmuv3-internal.h, SMMUIrq).
const QEMU_IRQS: u32 = 144;
const IRQS_OF_SMMU: u32 = 4;

/// First and last address of QEMU's own range, for the doorbells of the host (hw/arm/virt-acpi-build.c,
/// build_iort_rmr_nodes: MSI_IOVA_BASE, MSI_IOVA_LENGTH).
const QEMU_DOORBELLS: (u64, u64) = (0x800_0000, 0x80f_ffff);

/// A mapping of IDs, one to one.
struct Mapping {
    first: u32,
    count: u32,
    /// Offset of the node that it leads to.
    to: u32,
}

/// An SMMU of the guest.
struct Smmu {
    base: Gpa,
    /// Requesters behind it: first and how many.
    requesters: (u32, u32),
    /// What is reserved, mapped by the guest one to one.
    reserved: SpanSet<Iova>,
    /// Its first interrupt, where it is known.
    irq: Option<u32>,
}

/// `guest-iort.asl`.
///
/// # Errors
/// [`Unsupported`] when the plan does not ask for it, or does not say where the guest's SMMU is.
pub(super) fn table(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    if plan.guest_reserved.dma_by != Some(GuestPatch::Iort) {
        let because = "the plan has nothing that the guest's IORT must say";
        return Err(Unsupported::new(because, "leave the table as the VMM makes it"));
    }
    let smmus = smmus(plan)?;
    let its = plan.regions.iter().any(|region| region.kind == RegionKind::Its);
    let mut nodes = Nodes::default();
    let its_at = its.then(|| nodes.its_group());
    let at: Vec<u32> = smmus.iter().map(|smmu| nodes.smmu(smmu, its_at)).collect();
    nodes.root_complex(&smmus, &at, its_at);
    for (smmu, &at) in smmus.iter().zip(&at).filter(|(smmu, _)| !smmu.reserved.is_empty()) {
        nodes.rmr(smmu, at);
    }
    let text = comments(plan) + &header(&nodes) + &nodes.text;
    Ok(vec![OutputFile { file: FILE.to_owned(), text }])
}

/// The SMMUs: of QEMU one for each SMMU of the host that devices are passed from, else one for all.
fn smmus(plan: &Plan) -> Result<Vec<Smmu>, Unsupported> {
    let base =
        plan.regions.iter().find(|region| region.kind == RegionKind::Smmu).map(|region| region.span.first());
    let base = base.ok_or_else(|| {
        let because = "the plan does not say where the guest's SMMU is";
        Unsupported::new(because, "name it among the regions of the VMM")
    })?;
    if plan.vmm.name != VmmKind::Qemu {
        let rows: Vec<&ReservedDma> = plan.guest_reserved.dma.iter().collect();
        return Ok(vec![Smmu {
            base,
            requesters: (0, REQUESTERS),
            reserved: ranges(plan, &rows),
            irq: None,
        }]);
    }
    let (machine, _) = Machine::planned(plan)?;
    let (groups, _) = expanders(plan, &machine)?;
    let smmus = (0_u32..).zip(groups).map(|(number, group)| of_qemu(plan, base, number, &group));
    smmus.collect::<Option<Vec<Smmu>>>().ok_or_else(|| {
        Unsupported::new("the guest's SMMUs do not fit behind each other", "pass fewer devices")
    })
}

fn of_qemu(plan: &Plan, base: Gpa, number: u32, group: &Expander) -> Option<Smmu> {
    let behind = |row: &&ReservedDma| group.devices.iter().any(|(_, device)| row.devices.contains(device));
    let rows: Vec<&ReservedDma> = plan.guest_reserved.dma.iter().filter(behind).collect();
    let offset = SMMU_REGISTERS.bytes().checked_mul(u64::from(number))?;
    let ports = u32::try_from(group.devices.len()).ok()?;
    Some(Smmu {
        base: base.checked_add(Size::from_bytes(offset))?,
        requesters: (u32::from(group.bus_number) << 8, ports.checked_add(1)?.checked_mul(256)?),
        reserved: ranges(plan, &rows),
        irq: number.checked_mul(IRQS_OF_SMMU)?.checked_add(QEMU_IRQS),
    })
}

/// What an SMMU's devices must not use, in the units of the table, without overlaps, of which Linux complains
/// (drivers/acpi/arm64/iort.c, iort_rmr_desc_check_overlap). The doorbell window is QEMU's own range, which the table keeps.
fn ranges(plan: &Plan, rows: &[&ReservedDma]) -> SpanSet<Iova> {
    let widened = |span: Span<Iova>| {
        let first = span.first().align_down(RMR_ALIGN);
        let last = span.last().get() | RMR_ALIGN.bytes().saturating_sub(1);
        Span::new(first, Iova::at(last)).unwrap_or(span)
    };
    let own = Some(QEMU_DOORBELLS).filter(|_| plan.vmm.name == VmmKind::Qemu);
    let own = own.and_then(|(first, last)| Span::of(first, last));
    rows.iter().map(|row| widened(row.span)).chain(own).collect()
}

fn comments(plan: &Plan) -> String {
    let by_vmm = match plan.vmm.name {
        VmmKind::Qemu => {
            " * It takes the place of QEMU's: devices behind further SMMUs or expanders are not in it. A kernel with\n\
             \x20* CONFIG_ACPI_TABLE_UPGRADE takes it from its initial ramdisk, as kernel/firmware/acpi/iort.aml.\n"
        }
        _ => " * GSIVs of 0 stand for those of your VMM.\n",
    };
    let name = printable(&plan.guest.name).replace("*/", "* /");
    let mut text = format!(
        "/*\n * IORT of the guest {name}, with what its kernel must not use for DMA.\n\
         \x20* iasl {FILE} (of 2023 or later) makes guest-iort.aml of it.\n{by_vmm}",
    );
    for row in &plan.guest_reserved.dma {
        let because = printable(&row.because.because).replace("*/", "* /");
        let _ = writeln!(
            text,
            " * {}: {} {because}",
            row.span,
            printable(&row.because.rule).replace("*/", "* /")
        );
    }
    text + " */\n"
}

/// The header. Linux takes a table from its initial ramdisk for one of the same names, if its revision is higher
/// (drivers/acpi/tables.c, acpi_table_initrd_override); QEMU's has 1 (hw/acpi/aml-build.c, acpi_table_begin).
fn header(nodes: &Nodes) -> String {
    let mut text = String::new();
    quoted(&mut text, 4, "Signature", "IORT");
    field(&mut text, 4, "Table Length", u64::from(nodes.end));
    field(&mut text, 1, "Revision", 5);
    field(&mut text, 1, "Checksum", 0);
    quoted(&mut text, 6, "Oem ID", "BOCHS ");
    quoted(&mut text, 8, "Oem Table ID", "BXPC    ");
    field(&mut text, 4, "Oem Revision", 2);
    quoted(&mut text, 4, "Asl Compiler ID", "BXPC");
    field(&mut text, 4, "Asl Compiler Revision", 1);
    text.push('\n');
    field(&mut text, 4, "Node Count", u64::from(nodes.count));
    field(&mut text, 4, "Node Offset", u64::from(FIRST_NODE));
    field(&mut text, 4, "Reserved", 0);
    text
}

/// The nodes written so far.
struct Nodes {
    text: String,
    /// Where the next node begins.
    end: u32,
    count: u32,
}

impl Default for Nodes {
    fn default() -> Self {
        Self { text: String::new(), end: FIRST_NODE, count: 0 }
    }
}

impl Nodes {
    /// The head of a node (DEN 0049E.d, table 3); its offset.
    fn begin(&mut self, kind: u8, revision: u8, length: u32, mappings: usize, mappings_at: u32) -> u32 {
        let at = self.end;
        let out = &mut self.text;
        out.push('\n');
        field(out, 1, "Type", u64::from(kind));
        field(out, 2, "Length", u64::from(length));
        field(out, 1, "Revision", u64::from(revision));
        field(out, 4, "Identifier", u64::from(self.count));
        field(out, 4, "Mapping Count", mappings as u64);
        field(out, 4, "Mapping Offset", if mappings == 0 { 0 } else { u64::from(mappings_at) });
        out.push('\n');
        self.end = at.saturating_add(length);
        self.count = self.count.saturating_add(1);
        at
    }

    fn its_group(&mut self) -> u32 {
        let at = self.begin(0, 1, ITS_GROUP, 0, 0);
        field(&mut self.text, 4, "ItsCount", 1);
        field(&mut self.text, 4, "Identifiers", 0);
        at
    }

    fn smmu(&mut self, smmu: &Smmu, its: Option<u32>) -> u32 {
        let mappings: Vec<Mapping> =
            its.map(|to| Mapping { first: 0, count: REQUESTERS, to }).into_iter().collect();
        let at = self.begin(4, 4, with(SMMU_V3, &mappings), mappings.len(), SMMU_V3);
        let irq = |offset: u32| u64::from(smmu.irq.map_or(0, |irq| irq.saturating_add(offset)));
        let out = &mut self.text;
        field(out, 8, "Base Address", smmu.base.get());
        flags(
            out,
            4,
            "Flags",
            &[
                ("COHACC Override", 1, 1),
                ("HTTU Override", 0, 2),
                ("Proximity Domain Valid", 0, 1),
                ("DeviceID Valid", 0, 1),
            ],
        );
        field(out, 4, "Reserved", 0);
        field(out, 8, "VATOS Address", 0);
        field(out, 4, "Model", 0);
        field(out, 4, "Event GSIV", irq(0));
        field(out, 4, "PRI GSIV", irq(1));
        field(out, 4, "GERR GSIV", irq(3));
        field(out, 4, "Sync GSIV", irq(2));
        field(out, 4, "Proximity Domain", 0);
        field(out, 4, "Device ID Mapping Index", 0);
        self.mappings(&mappings, 0);
        at
    }

    /// The root complex: the requesters of each SMMU go there, all others to the ITS.
    fn root_complex(&mut self, smmus: &[Smmu], at: &[u32], its: Option<u32>) {
        let mut mappings: Vec<Mapping> = smmus
            .iter()
            .zip(at)
            .map(|(smmu, &to)| Mapping { first: smmu.requesters.0, count: smmu.requesters.1, to })
            .collect();
        mappings.sort_by_key(|mapping| mapping.first);
        let mut next = 0;
        let mut rest = Vec::new();
        for mapping in &mappings {
            rest.push((next, mapping.first.saturating_sub(next)));
            next = mapping.first.saturating_add(mapping.count);
        }
        rest.push((next, REQUESTERS.saturating_sub(next)));
        for (first, count) in rest.into_iter().filter(|&(_, count)| count != 0) {
            mappings.extend(its.map(|to| Mapping { first, count, to }));
        }
        self.begin(2, 3, with(ROOT_COMPLEX, &mappings), mappings.len(), ROOT_COMPLEX);
        let out = &mut self.text;
        out.push_str("[0008] Memory Properties : [IORT Memory Access Properties]\n");
        field(out, 4, "Cache Coherency", 1);
        flags(
            out,
            1,
            "Hints",
            &[("Transient", 0, 1), ("Write Allocate", 0, 1), ("Read Allocate", 0, 1), ("Override", 0, 1)],
        );
        field(out, 2, "Reserved", 0);
        flags(
            out,
            1,
            "Memory Flags",
            &[("Coherency", 1, 1), ("Device Attribute", 1, 1), ("Ensured Coherency of Accesses", 0, 1)],
        );
        field(out, 4, "ATS Attribute", 0);
        field(out, 4, "PCI Segment Number", 0);
        field(out, 1, "Memory Size Limit", 64);
        field(out, 2, "PASID Capabilities", 0);
        field(out, 1, "Reserved", 0);
        self.mappings(&mappings, 0);
    }

    /// Reserved memory ranges of an SMMU's devices: not to be remapped, with the attributes of device memory.
    fn rmr(&mut self, smmu: &Smmu, to: u32) {
        let count = smmu.reserved.len();
        let of_ranges = RANGE.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        let mappings_at = RMR.saturating_add(of_ranges);
        let (first, requesters) = smmu.requesters;
        let mappings = [Mapping { first, count: requesters, to }];
        self.begin(6, 3, with(mappings_at, &mappings), 1, mappings_at);
        let out = &mut self.text;
        flags(
            out,
            4,
            "Flags",
            &[("Remapping Permitted", 0, 1), ("Access Privileged", 0, 1), ("Access Attributes", 0, 8)],
        );
        field(out, 4, "Number of RMR Descriptors", count as u64);
        field(out, 4, "RMR Descriptor Offset", u64::from(RMR));
        for span in smmu.reserved.iter() {
            out.push('\n');
            field(out, 8, "Base Address of RMR", span.first().get());
            field(out, 8, "Length of RMR", span.size().map_or(0, Size::bytes));
            field(out, 4, "Reserved", 0);
        }
        self.mappings(&mappings, 1);
    }

    fn mappings(&mut self, mappings: &[Mapping], single: u64) {
        let out = &mut self.text;
        for mapping in mappings {
            out.push('\n');
            field(out, 4, "Input base", u64::from(mapping.first));
            field(out, 4, "ID Count", u64::from(mapping.count.saturating_sub(1)));
            field(out, 4, "Output Base", u64::from(mapping.first));
            field(out, 4, "Output Reference", u64::from(mapping.to));
            flags(out, 4, "Flags", &[("Single Mapping", single, 1)]);
        }
    }
}

/// Size of a node with its mappings.
fn with(node: u32, mappings: &[Mapping]) -> u32 {
    let count = u32::try_from(mappings.len()).unwrap_or(u32::MAX);
    node.saturating_add(MAPPING.saturating_mul(count))
}

/// A number of so many bytes, in hexadecimal.
fn field(out: &mut String, bytes: usize, name: &str, value: u64) {
    let _ = writeln!(out, "[{bytes:04}] {name} : {value:0width$X}", width = bytes.saturating_mul(2));
}

fn quoted(out: &mut String, bytes: usize, name: &str, value: &str) {
    let _ = writeln!(out, "[{bytes:04}] {name} : \"{value}\"");
}

/// A number with its parts, each with value and width in bits, from the lowest.
fn flags(out: &mut String, bytes: usize, name: &str, parts: &[(&str, u64, u32)]) {
    let mut shift = 0_u32;
    let mut whole = 0_u64;
    for &(_, value, bits) in parts {
        whole |= value.checked_shl(shift).unwrap_or(0);
        shift = shift.saturating_add(bits);
    }
    field(out, bytes, &format!("{name} (decoded below)"), whole);
    for (name, value, _) in parts {
        let _ = writeln!(out, "       {name} : {value:X}");
    }
}
