//! iommufd: which IOVAs an address space (IOAS) lets user space map.

use super::ResvKind;
use super::resv::RawRegion;
use crate::addr::{Address, Iova, Span};
use crate::size::{PageSizes, Size};

/// The usable ranges of an address space with devices attached: what neither their reserved regions nor the ends of the
/// aperture take (`IOMMU_IOAS_IOVA_RANGES`, drivers/iommu/iommufd/ioas.c, `iommufd_ioas_iova_ranges`).
///
/// A region of length zero splits a range in two that touch.
#[must_use]
pub fn usable(regions: &[RawRegion], aperture: Span<Iova>) -> Vec<Span<Iova>> {
    let mut taken: Vec<(u64, u64)> = regions
        .iter()
        .filter(|region| region.kind != ResvKind::DirectRelaxable)
        .map(|region| (region.start, region.end()))
        .collect();
    if let Some(below) = aperture.first().get().checked_sub(1) {
        taken.push((0, below));
    }
    if let Some(above) = aperture.last().get().checked_add(1) {
        taken.push((above, u64::MAX));
    }
    taken.sort_unstable();
    let mut free = Vec::new();
    let mut next = Some(0);
    for (start, end) in taken {
        let Some(from) = next else { break };
        if let Some(before) = start.checked_sub(1) {
            free.extend(Span::of(from, before));
        }
        if end >= from {
            next = end.checked_add(1);
        }
    }
    free.extend(next.and_then(|from| Span::of(from, u64::MAX)));
    free
}

/// The alignment that every mapping must have (`out_iova_alignment`): the smallest page of the IOMMUs.
#[must_use]
pub fn alignment(page_sizes: PageSizes) -> Size {
    Size::from_bytes(page_sizes.bitmap() & page_sizes.bitmap().wrapping_neg()).max(Size::from_bytes(1))
}
