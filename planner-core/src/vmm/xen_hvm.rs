//! Xen's HVM domains on x86: RAM below the hole for MMIO and, the rest, from 4 GiB on; hvmloader hands the BARs out.
//!
//! libxl ends RAM below 4 GiB at 3840 MiB, `mmio_hole=` lower. Where reserved device memory (an RMRR, an IVMD block) of a
//! passed device would lie in RAM and starts above `rdm_mem_boundary=`, libxl ends RAM there by itself
//! (tools/libs/light/libxl_dm.c, `libxl__domain_device_construct_rdm`). What lies lower or above 4 GiB it never moves RAM
//! for: with the policy `strict` it refuses the domain. The planner says the same end by `mmio_hole=`, which also serves
//! windows that Xen knows nothing of, and leaves libxl nothing to move.
//!
//! Read in the trees of 4.17.5 and 4.20.3, which agree in every line that matters here. Left out: PV and PVH domains (the
//! latter take no devices), vNUMA, the 128 KiB of VGA below 1 MiB, video memory (`vga="none"` has none).

use super::fixed::{address_bits, filled, refusal, refuse_cut_pages, refuse_foreign, refuse_modules};
use super::qemu::{self, Row};
use super::{BootRule, Choice, Knob, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, rules};
use crate::addr::{Address, Gpa, Span};
use crate::size::{MIB, Size};
use crate::span_set::SpanSet;

const FOUR_GIB: Gpa = Gpa::at(0x1_0000_0000);
/// xen/include/public/hvm/e820.h, `HVM_BELOW_4G_MMIO_LENGTH`: the hole unless told otherwise, and the smallest.
const HOLE: Size = Size::mib(256);
/// xen/include/public/hvm/e820.h, `HVM_BELOW_4G_MMIO_START`, which is the largest hole, too (tools/xl/xl_parse.c,
/// `parse_config_data`).
const LARGEST_HOLE: Size = Size::mib(3840);
/// Holes that are offered for the sake of BARs. hvmloader aligns BARs to their size from the start of the hole on.
const HOLES: [Size; 4] = [Size::mib(512), Size::gib(1), Size::gib(2), Size::gib(3)];
/// What `rdm=` rounds an end of RAM down to, so that it keeps large pages (libxl__domain_device_construct_rdm).
const END_ALIGN: Size = Size::mib(2);
/// tools/firmware/hvmloader/config.h, `RESERVED_MEMBASE`: BARs below 4 GiB end here.
const BARS_END: u64 = 0xfc00_0000;
/// xen/include/public/hvm/hvm_info_table.h, `HVM_MAX_VCPUS`.
const MOST_VCPUS: u32 = 128;

/// tools/firmware/hvmloader/config.h, `RESERVED_MEMBASE`, `LAPIC_BASE_ADDRESS`; the special pages
/// (tools/libs/guest/xg_dom_x86.c, `X86_HVM_END_SPECIAL_REGION`) and the firmware lie above the latter.
const REGIONS: &[Row] = &[
    ("hvmloader", RegionKind::Platform, BARS_END, 0x2e0_0000),
    ("apic-msi", RegionKind::Msi, 0xfee0_0000, 0x10_0000),
    ("firmware", RegionKind::Flash, 0xfef0_0000, 0x110_0000),
];

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    refuse(request)?;
    refuse_modules(request, choice, rules::XEN_HVM_RAM)?;
    let end = low_end(&choice.knobs)?;
    let ram = filled(&["ram-low", "ram-high"], &spans(end), choice.boot).unwrap_or_default();
    let last = qemu::last_of(address_bits(request, 64));
    let top = ram.last().map_or(Some(FOUR_GIB), |ram| ram.span.last().checked_add(Size::from_bytes(1)));
    let high = top.and_then(|top| Span::new(top.max(FOUR_GIB), last));
    let Some(high) = high.filter(|_| !ram.is_empty()) else {
        let (size, bits) = (choice.boot, address_bits(request, 64));
        let text = format!("memory of {size} leaves no room for BARs above it within {bits} address bits");
        return Err(refusal(rules::XEN_HVM_LIMIT, text));
    };
    let mut regions: Vec<MapRegion> = qemu::regions(REGIONS).collect();
    let window = Span::of(hole_start(end, &ram, choice), BARS_END - 1);
    let windows = [("pci-mem", RegionKind::Mmio32, window), ("pci-hi-mem", RegionKind::Mmio64, Some(high))];
    regions.extend(
        windows
            .into_iter()
            .filter_map(|(name, kind, span)| Some(MapRegion { name: name.into(), kind, span: span? })),
    );
    regions.extend(ram);
    refuse_cut_pages(request, &regions, rules::XEN_HVM_RAM)?;
    let needed_bits = qemu::bits_of(high.last());
    Ok(MemoryMap { regions, needed_bits, takes_all_bits: true, ..MemoryMap::default() })
}

/// The default, then larger holes.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    variants_around(request, &SpanSet::new())
}

/// The default, then larger holes, among them the one whose RAM ends just below what it must keep out of.
pub(super) fn variants_around(request: &Request, forbidden: &SpanSet<Gpa>) -> Result<Vec<Variant>, VmmError> {
    refuse(request)?;
    let below_4g = Span::new(Gpa::at(0), FOUR_GIB);
    // RAM that ends below the lowest of them is clear of all.
    let lowest = below_4g.and_then(|span| forbidden.overlapping(span).first());
    let mut holes: Vec<Size> =
        lowest.and_then(|span| hole_below(request, span.first())).into_iter().collect();
    holes.extend(HOLES);
    holes.sort_unstable();
    holes.dedup();
    let settings =
        std::iter::once(Vec::new()).chain(holes.into_iter().map(|size| vec![Knob::MmioHole { size }]));
    let variant = |knobs: Vec<Knob>| {
        let spans = spans(low_end(&knobs)?);
        let boot = BootRule::Fixed { spans, rule: rules::XEN_HVM_RAM };
        Ok(Variant { knobs, boot, dimms: None, room: None })
    };
    settings.map(variant).collect()
}

/// What Xen would refuse about the machine.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    refuse(request).err().into_iter().collect()
}

fn refuse(request: &Request) -> Result<(), VmmError> {
    refuse_foreign(request, rules::XEN_HVM_RAM)?;
    super::xen_dom0less::machine(request)?;
    super::xen_dom0less::refuse_vcpus(request, MOST_VCPUS)
}

/// The hole that starts at or just below this address; nothing if it would be no larger than by default, or too large.
fn hole_below(request: &Request, at: Gpa) -> Option<Size> {
    let end = at.align_down(END_ALIGN.max(request.pages.size()));
    let size = Size::from_bytes(FOUR_GIB.get().checked_sub(end.get())?);
    (size > HOLE && size <= LARGEST_HOLE).then_some(size)
}

/// Where RAM below 4 GiB ends (tools/xl/xl_parse.c, `parse_config_data`; tools/libs/light/libxl_dom.c, `libxl__build_hvm`).
fn low_end(knobs: &[Knob]) -> Result<Gpa, VmmError> {
    let size = knobs.iter().rev().find_map(|knob| match knob {
        Knob::MmioHole { size } => Some(*size),
        _ => None,
    });
    let size = size.unwrap_or(HOLE);
    let whole = size.bytes().is_multiple_of(MIB) && size >= HOLE && size <= LARGEST_HOLE;
    let end = FOUR_GIB.get().checked_sub(size.bytes()).filter(|_| whole).map(Gpa::new);
    end.ok_or_else(|| {
        let text = format!("ERROR: invalid value {} for \"mmio_hole\"", size.bytes() / MIB);
        refusal(rules::XEN_HVM_HOLE, text)
    })
}

fn spans(end: Gpa) -> Vec<Span<Gpa>> {
    let low = end.get().checked_sub(1).and_then(|last| Span::of(0, last));
    low.into_iter().chain(Span::new(FOUR_GIB, Gpa::new(u64::MAX))).collect()
}

/// Where BARs may start below 4 GiB. Without `mmio_hole=` hvmloader doubles the hole while BARs ask for it and RAM lets it,
/// to 2 GiB at most (tools/firmware/hvmloader/pci.c, `pci_setup`: the start is shifted left).
fn hole_start(end: Gpa, ram: &[MapRegion], choice: &Choice) -> u64 {
    let turned = choice.knobs.iter().any(|knob| matches!(knob, Knob::MmioHole { .. }));
    let starts = [0x8000_0000, 0xc000_0000, 0xe000_0000];
    let low = ram.iter().find(|ram| ram.span.first() < FOUR_GIB).map_or(0, |ram| ram.span.last().get());
    let grown = starts.into_iter().find(|&start| !turned && low < start);
    grown.unwrap_or(end.get())
}
