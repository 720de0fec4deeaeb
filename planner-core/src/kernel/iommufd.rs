//! iommufd: which IOVAs an address space (IOAS) lets user space map.
//!
//! This file computes what a report needs; the whole state of an address space, driven request by request, is in
//! [`ioas`], the doorbell pages of a file descriptor in [`sw_msi`],
//! what it tells of the hardware in [`hw_info`].

pub mod hw_info;
pub mod ioas;
mod search;
pub mod sw_msi;

use super::ResvKind;
use super::resv::RawRegion;
use crate::addr::{Address, Iova, Span};
use crate::size::{PageSizes, Size};

/// The usable ranges of an address space with devices attached: what neither their reserved regions nor the ends of the
/// aperture take (`IOMMU_IOAS_IOVA_RANGES`, drivers/iommu/iommufd/ioas.c, `iommufd_ioas_iova_ranges`).
#[must_use]
pub fn usable(regions: &[RawRegion], aperture: Span<Iova>) -> Vec<Span<Iova>> {
    let hard = regions.iter().filter(|region| region.kind != ResvKind::DirectRelaxable);
    let mut taken: Vec<(u64, u64)> = hard.map(|region| (region.start, region.end())).collect();
    taken.extend(outside((aperture.first(), aperture.last())));
    taken.sort_unstable();
    holes(taken, 0, u64::MAX)
}

/// What lies below and above an aperture.
fn outside((first, last): (Iova, Iova)) -> impl Iterator<Item = (u64, u64)> {
    let below = first.get().checked_sub(1).map(|last| (0, last));
    let above = last.get().checked_add(1).map(|first| (first, u64::MAX));
    below.into_iter().chain(above)
}

/// The holes between taken stretches, sorted by start, within `first..=last` (lib/interval_tree.c,
/// `interval_tree_span_iter_next`). A stretch of length zero splits a hole in two that touch.
fn holes(taken: impl IntoIterator<Item = (u64, u64)>, first: u64, last: u64) -> Vec<Span<Iova>> {
    let mut holes = Vec::new();
    let mut next = Some(first);
    for (start, end) in taken {
        let Some(from) = next else { break };
        if start > last {
            break;
        }
        if let Some(before) = start.checked_sub(1) {
            holes.extend(Span::of(from, before));
        }
        if end >= from {
            next = end.checked_add(1);
        }
    }
    holes.extend(next.and_then(|from| Span::of(from, last)));
    holes
}

/// The alignment that every mapping must have (`out_iova_alignment`): the smallest page of the IOMMUs.
#[must_use]
pub fn alignment(page_sizes: PageSizes) -> Size {
    let bitmap = page_sizes.bitmap();
    Size::from_bytes((bitmap & bitmap.wrapping_neg()).max(1))
}
