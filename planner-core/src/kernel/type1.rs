//! VFIO type1: which IOVAs a container lets user space map.

use super::ResvKind;
use super::resv::RawRegion;
use crate::addr::{Address, Iova, Span};
use crate::size::{PageSize, PageSizes};

/// The usable ranges of a container (`iommu->iova_list`). Empty before the first group with an IOMMU joins, and then
/// everything is usable.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IovaList(Vec<Span<Iova>>);

impl IovaList {
    /// The ranges in their order, as `VFIO_IOMMU_GET_INFO` reports them.
    #[must_use]
    pub fn ranges(&self) -> &[Span<Iova>] {
        &self.0
    }

    /// Whether a request may be mapped: it must lie within a single range (`vfio_iommu_iova_dma_valid`).
    #[must_use]
    pub fn allows(&self, request: Span<Iova>) -> bool {
        self.0.is_empty() || self.0.iter().any(|range| range.covers(request))
    }

    /// Narrows the ranges to an aperture (`vfio_iommu_aper_resize`). A range of which only one address would be left
    /// goes altogether.
    pub fn resize(&mut self, aperture: Span<Iova>) {
        if self.0.is_empty() {
            self.0.push(aperture);
            return;
        }
        let (start, end) = (aperture.first(), aperture.last());
        let kept = self.0.iter().position(|range| start < range.last()).unwrap_or(self.0.len());
        self.0.drain(..kept);
        if let Some(first) = self.0.first_mut()
            && let Some(cut) = Span::new(start.max(first.first()), first.last())
        {
            *first = cut;
        }
        self.0.retain(|range| range.first() < end);
        for range in &mut self.0 {
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
        let mut left = Vec::with_capacity(self.0.len().saturating_add(1));
        for &range in &self.0 {
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
        self.0 = left;
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
