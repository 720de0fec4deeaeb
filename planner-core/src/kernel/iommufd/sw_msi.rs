//! Where iommufd maps doorbell pages since the rework ([`crate::kernel::rules::FD_SWMSI`]): one table for each open file.

use crate::addr::{Address, Hpa, Iova};
use crate::kernel::errno::Errno;
use crate::size::PageSize;

/// How many doorbell pages one open file may have: the bits of `struct iommufd_sw_msi_maps`
/// (drivers/iommu/iommufd/iommufd_private.h).
pub const MOST_PAGES: usize = 64;

/// The doorbell pages of one open `/dev/iommu` (`ictx->sw_msi_list`).
#[derive(Clone, PartialEq, Debug)]
pub struct SwMsiMaps {
    page_size: PageSize,
    /// Base of the window, page of the doorbell, number within the window.
    maps: Vec<(Iova, Hpa, u64)>,
}

impl SwMsiMaps {
    /// No doorbell pages yet.
    #[must_use]
    pub fn new(page_size: PageSize) -> Self {
        Self { page_size, maps: Vec::new() }
    }

    /// The IOVA of the doorbell's *page* in the window at `base` (`iommufd_sw_msi_get_map`). It may lie behind the end
    /// of the window.
    ///
    /// # Errors
    /// `EOVERFLOW` for the 65th page.
    pub fn page_of(&mut self, base: Iova, doorbell: Hpa) -> Result<Iova, Errno> {
        let page = doorbell.align_down(self.page_size.size());
        let here = |(window, _, _): &&(Iova, Hpa, u64)| *window == base;
        let known = self.maps.iter().filter(here).find(|(_, known, _)| *known == page);
        let number = match known {
            Some(&(_, _, number)) => number,
            None if self.maps.len() >= MOST_PAGES => return Err(Errno::Overflow),
            None => {
                let number = self.maps.iter().filter(here).map(|(_, _, number)| number.saturating_add(1));
                let number = number.max().unwrap_or(0);
                self.maps.push((base, page, number));
                number
            }
        };
        let offset = number.wrapping_mul(self.page_size.size().bytes());
        Ok(Iova::new(base.get().wrapping_add(offset)))
    }
}
