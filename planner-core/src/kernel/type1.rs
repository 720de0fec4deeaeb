//! VFIO type1: which IOVAs a container lets user space map.
//!
//! This file holds the list of usable ranges, which is all that a report needs; the whole state of a container, driven
//! request by request, is in [`container`], its mappings in [`mappings`].

pub mod container;
pub mod mappings;
mod tree;

use super::ResvKind;
use super::resv::RawRegion;
use crate::addr::{Address, Iova, Span};
use crate::size::{PageSize, PageSizes};

/// The usable ranges of a container (`iommu->iova_list`). Empty before the first group with an IOMMU joins, and then
/// everything is usable.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IovaList {
    ranges: Vec<Span<Iova>>,
    /// A region that wraps past 2^64 leaves ranges that overlap, and then their order tells nothing.
    tangled: bool,
}

impl IovaList {
    /// The ranges in their order, as `VFIO_IOMMU_GET_INFO` reports them.
    #[must_use]
    pub fn ranges(&self) -> &[Span<Iova>] {
        &self.ranges
    }

    /// Whether a request from `start` to `end` inclusive may be mapped: it must lie within a single range (`vfio_iommu_iova_dma_valid`).
    #[must_use]
    pub fn allows(&self, start: Iova, end: Iova) -> bool {
        self.ranges.is_empty()
            || self.ranges.iter().any(|range| range.first() <= start && end <= range.last())
    }

    /// Narrows the ranges to an aperture (`vfio_iommu_aper_resize`). A range of which only one address would be left
    /// goes altogether.
    pub fn resize(&mut self, aperture: Span<Iova>) {
        if self.ranges.is_empty() {
            self.ranges.push(aperture);
            return;
        }
        let (start, end) = (aperture.first(), aperture.last());
        let kept = self.ranges.iter().position(|range| start < range.last()).unwrap_or(self.ranges.len());
        self.ranges.drain(..kept);
        if let Some(first) = self.ranges.first_mut()
            && let Some(cut) = Span::new(start.max(first.first()), first.last())
        {
            *first = cut;
        }
        self.ranges.retain(|range| range.first() < end);
        for range in &mut self.ranges {
            *range = Span::new(range.first(), end.min(range.last())).unwrap_or(*range);
        }
    }

    /// Takes the regions of a group out, to the byte (`vfio_iommu_resv_exclude`).
    pub fn exclude(&mut self, regions: &[RawRegion]) {
        for region in regions.iter().filter(|region| region.kind != ResvKind::DirectRelaxable) {
            self.exclude_one(region.start, region.end());
        }
    }

    fn exclude_one(&mut self, start: u64, end: u64) {
        let touched = self.touched(start, end);
        let mut left = Vec::new();
        for &range in self.ranges.get(touched.clone()).unwrap_or_default() {
            let (first, last) = (range.first().get(), range.last().get());
            if start > last || end < first {
                left.push(range);
                continue;
            }
            if start > first {
                left.extend(Span::of(first, start.wrapping_sub(1)));
            }
            if end < last {
                left.extend(Span::of(end.wrapping_add(1), last));
            }
        }
        self.ranges.splice(touched, left);
        self.tangled |= start > end.wrapping_add(1);
    }

    /// The ranges among which are all that the region touches: a few, while the list is in order.
    fn touched(&self, start: u64, end: u64) -> std::ops::Range<usize> {
        if self.tangled || start > end {
            return 0..self.ranges.len();
        }
        let from = self.ranges.partition_point(|range| range.last().get() < start);
        let to = self.ranges.partition_point(|range| range.first().get() <= end);
        from..to.max(from)
    }

    /// Gives the list new ends: that of its first range and that of its last (`vfio_iommu_aper_expand`).
    fn expand(&mut self, aperture: Span<Iova>) {
        if let Some(first) = self.ranges.first_mut() {
            *first = Span::new(aperture.first(), first.last()).unwrap_or(*first);
        }
        if let Some(last) = self.ranges.last_mut() {
            *last = Span::new(last.first(), aperture.last()).unwrap_or(*last);
        }
    }

    /// From the start of the first range to the end of the last.
    fn hull(&self) -> Option<Span<Iova>> {
        Span::new(self.ranges.first()?.first(), self.ranges.last()?.last())
    }
}

/// The page sizes that a container reports for what its IOMMUs have in common: none below the host's own
/// (`vfio_update_pgsize_bitmap`).
#[must_use]
pub fn container_page_sizes(common: PageSizes, page_size: PageSize) -> PageSizes {
    let page = page_size.size().bytes();
    let smaller = page.wrapping_sub(1);
    let bitmap = common.bitmap();
    if bitmap & smaller == 0 { common } else { PageSizes::from_bitmap(bitmap & !smaller | page) }
}
