//! What the first device of a domain makes it keep out of: the windows of its host bridge, what its inbound windows
//! leave out, and its reserved regions (drivers/iommu/dma-iommu.c, `iova_reserve_iommu_regions`).
//!
//! Computed as the kernel does, with addresses that wrap at 2^64.

use super::{BridgeWindow, DmaDevice, MsiPages};
use crate::addr::{Hpa, Span};
use crate::kernel::ResvKind;
use crate::kernel::errno::Errno;
use crate::kernel::iova::IovaDomain;
use crate::kernel::resv::RawRegion;
use crate::kernel::rules;
use crate::size::Size;
use crate::version::KernelVersion;

/// Reserves all of it, as far as it gets.
pub(super) fn device(
    iovad: &mut IovaDomain,
    msi_pages: &mut MsiPages,
    device: &DmaDevice,
    version: KernelVersion,
) -> Result<(), Errno> {
    if let Some(bridge) = &device.bridge {
        for (start, end) in bridge.memory_windows.iter().map(BridgeWindow::bus) {
            bytes(iovad, start, end);
        }
        if rules::DMA_RANGES.holds(version) {
            outside(iovad, &bridge.dma_ranges, version)?;
        }
    }
    for region in device.regions.iter().filter(|region| region.kind != ResvKind::SoftwareMsi) {
        bytes(iovad, region.start, region.end());
    }
    let doorbells = device.regions.iter().filter(|region| region.kind == ResvKind::Msi);
    msi_pages.identity.extend(doorbells.flat_map(|region| whole_pages(iovad, region)));
    Ok(())
}

/// Rounds out to whole granules.
fn bytes(iovad: &mut IovaDomain, start: u64, end: u64) {
    let shift = iovad.shift();
    iovad.reserve(start >> shift, end >> shift);
}

/// What lies between the inbound windows and behind the last one (the second half of `iova_reserve_pci_windows`). What
/// is reserved ends with the first address of the next window, not before it.
fn outside(iovad: &mut IovaDomain, ranges: &[BridgeWindow], version: KernelVersion) -> Result<(), Errno> {
    let mut sorted: Vec<&BridgeWindow> = ranges.iter().collect();
    sorted.sort_by_key(|window| window.start);
    let mut start = 0;
    for window in &sorted {
        let (first, last) = window.bus();
        between(iovad, start, first, version)?;
        start = last.wrapping_add(1);
    }
    match sorted.last() {
        Some(window) if window.bus().0 != u64::MAX => between(iovad, start, u64::MAX, version),
        _ => Ok(()),
    }
}

fn between(iovad: &mut IovaDomain, start: u64, end: u64, version: KernelVersion) -> Result<(), Errno> {
    if end < start || end == start && rules::DMA_RANGES_TOUCHING.holds(version) {
        return Err(Errno::Inval);
    }
    if end > start {
        bytes(iovad, start, end);
    }
    Ok(())
}

/// The pages of a hardware MSI region, which are taken as mapped one to one (`cookie_init_hw_msi_region`): in two pieces
/// when they pass the end of the space.
fn whole_pages(iovad: &IovaDomain, region: &RawRegion) -> impl Iterator<Item = Span<Hpa>> {
    let granule = Size::from_bytes(1 << iovad.shift());
    let first = granule.round_down(region.start);
    let length = region.start.wrapping_add(region.length).wrapping_sub(first);
    let pages = length.wrapping_add(granule.bytes().wrapping_sub(1)) >> iovad.shift();
    // The kernel counts them in an `int`, and there is no loop to a negative number.
    let pages = Some(pages & 0xffff_ffff).filter(|&pages| pages <= 0x7fff_ffff).unwrap_or(0);
    let last = first.wrapping_add(pages << iovad.shift()).wrapping_sub(1);
    let pieces = match pages {
        0 => [None, None],
        _ if first <= last => [Span::of(first, last), None],
        _ => [Span::of(first, u64::MAX), Span::of(0, last)],
    };
    pieces.into_iter().flatten()
}
