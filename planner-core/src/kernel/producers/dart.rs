//! Apple's DART (drivers/iommu/apple-dart.c).

use super::low_bits;
use crate::addr::{Iova, Span};
use crate::kernel::resv::RawRegion;
use crate::kernel::{ResvKind, rules};
use crate::size::{PageSize, PageSizes};
use crate::version::KernelVersion;

/// `CONFIG_PCIE_APPLE_MSI_DOORBELL_ADDR` (drivers/pci/controller/Kconfig).
const DOORBELL: u64 = 0xffff_f000;

/// The region of a PCI function (`apple_dart_get_resv_regions`): the page of the host kernel that holds the doorbell.
/// Other devices have none.
#[must_use]
pub fn doorbell_page(page_size: PageSize) -> RawRegion {
    let page = page_size.size();
    RawRegion { start: page.round_down(DOORBELL), length: page.bytes(), kind: ResvKind::Msi, prot: 0 }
}

/// What a domain translates (`apple_dart_finalize_domain`): the first DARTs have 32 bits; newer kernels read the number
/// from the hardware.
#[must_use]
pub fn aperture(input_bits: u8, version: KernelVersion) -> Span<Iova> {
    low_bits(if rules::DART_BITS.holds(version) { input_bits } else { 32 })
}

/// Pages of 16 KiB.
pub const PAGES: PageSizes = PageSizes::from_bitmap(0x4000);

#[cfg(test)]
mod tests {
    use super::*;

    /// K-DARTMSI, K-DARTBITS.
    #[test]
    fn the_region_is_a_page_of_the_host() {
        let ends = |page| (doorbell_page(page).start, doorbell_page(page).end());
        assert_eq!(ends(PageSize::K4), (0xffff_f000, 0xffff_ffff));
        assert_eq!(ends(PageSize::K16), (0xffff_c000, 0xffff_ffff));
        assert_eq!(aperture(42, KernelVersion::new(6, 1)), low_bits(32));
        assert_eq!(aperture(42, KernelVersion::new(6, 12)), low_bits(42));
    }
}
