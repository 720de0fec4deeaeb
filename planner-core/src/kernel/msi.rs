//! Where MSIs go: the base of a group's MSI window and the place of each doorbell in it.
//!
//! What is left out: the window of iommufd since 6.15 ([`crate::kernel::iommufd`]), which is shared by all address
//! spaces of a file descriptor, and the doorbells of the host's own DMA domains.

use std::collections::BTreeMap;

use super::ResvKind;
use super::resv::RawRegion;
use crate::addr::{Address, Hpa, Iova, Span};
use crate::size::PageSize;

/// The region in which a group's doorbells are mapped (drivers/vfio/vfio_iommu_type1.c, `vfio_iommu_has_sw_msi`): none
/// when there is a hardware MSI region anywhere in the group, otherwise the last MSI window of the list.
#[must_use]
pub fn window(regions: &[RawRegion]) -> Option<RawRegion> {
    if regions.iter().any(|region| region.kind == ResvKind::Msi) {
        return None;
    }
    regions.iter().rev().find(|region| region.kind == ResvKind::SoftwareMsi).copied()
}

/// The allocator of doorbell pages of one domain (drivers/iommu/dma-iommu.c, `iommu_get_msi_cookie` and
/// `iommu_dma_get_msi_page`).
#[derive(Clone, Debug)]
pub struct MsiCookie {
    next: u64,
    page_size: PageSize,
    aperture: Span<Iova>,
    pages: BTreeMap<u64, u64>,
}

impl MsiCookie {
    /// An empty window at `base` for a host kernel with these pages, in a domain that translates `aperture`.
    #[must_use]
    pub fn new(base: Iova, page_size: PageSize, aperture: Span<Iova>) -> Self {
        Self { next: base.get(), page_size, aperture, pages: BTreeMap::new() }
    }

    /// The IOVA at which a device reaches the doorbell, or `None` when it cannot be mapped.
    ///
    /// The kernel takes an IOVA of 0 for a failure, but has by then moved on: the next request succeeds.
    pub fn map(&mut self, doorbell: Hpa) -> Option<Iova> {
        let page = self.page_size.size();
        let (frame, offset) = (doorbell.align_down(page).get(), doorbell.get() % page.bytes());
        if let Some(iova) = self.pages.get(&frame) {
            return Some(Iova::new(iova.wrapping_add(offset)));
        }
        let iova = self.next;
        let mapped = Span::from_start_size(Iova::new(iova), page);
        if iova != 0 && !mapped.is_some_and(|mapped| self.aperture.covers(mapped)) {
            return None;
        }
        self.next = iova.wrapping_add(page.bytes());
        if iova == 0 {
            return None;
        }
        self.pages.insert(frame, iova);
        Some(Iova::new(iova.wrapping_add(offset)))
    }

    /// How many pages of the window are taken.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(page_size: PageSize, doorbells: &[u64]) -> Vec<String> {
        let mut cookie = MsiCookie::new(Iova::at(0x800_0000), page_size, Span::full());
        doorbells.iter().map(|&at| cookie.map(Hpa::at(at)).unwrap().to_string()).collect()
    }

    #[test]
    fn doorbells_take_pages_in_order_and_share_them() {
        let doorbells = [0x2c1f_0040, 0x2c1e_0040, 0x2c1f_0044, 0x2c1f_1040];
        assert_eq!(place(PageSize::K4, &doorbells), ["0x800_0040", "0x800_1040", "0x800_0044", "0x800_2040"]);
        assert_eq!(
            place(PageSize::K64, &doorbells),
            ["0x800_0040", "0x801_0040", "0x800_0044", "0x800_1040"]
        );
    }

    #[test]
    fn the_window_is_not_bounded() {
        let mut cookie = MsiCookie::new(Iova::at(0x800_0000), PageSize::K64, Span::full());
        let last = (0..17).map(|n| cookie.map(Hpa::at(n << 16))).last().unwrap();
        assert_eq!(last, Some(Iova::at(0x810_0000)));
    }

    #[test]
    fn a_base_of_zero_fails_once() {
        let mut cookie = MsiCookie::new(Iova::at(0), PageSize::K4, Span::full());
        assert_eq!(cookie.map(Hpa::at(0x1040)), None);
        assert_eq!(cookie.map(Hpa::at(0x1040)), Some(Iova::at(0x1040)));
    }

    #[test]
    fn a_hardware_region_anywhere_leaves_no_window() {
        let sw = RawRegion::from_ends(0x800_0000, 0x80f_ffff, ResvKind::SoftwareMsi);
        let hw = RawRegion::from_ends(0x809_0000, 0x809_ffff, ResvKind::Msi);
        assert_eq!(window(&[sw]), Some(sw));
        assert_eq!(window(&[sw, hw]), None);
        assert_eq!(window(&[]), None);
    }
}
