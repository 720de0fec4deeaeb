//! What the drivers of IOMMUs and the readers of firmware tables reserve, how far they translate and in which pages: as
//! functions over plain inputs.
//!
//! One file per driver or table. Regions come in the order of the driver. Which device of a host has which inputs is told
//! in `predict` and `aperture`; what a group makes of the regions of its devices in [`super::resv`]. Drivers that
//! reserve nothing (hyperv, tegra-smmu, rockchip, ipmmu-vmsa, sun50i, sprd, omap, msm, qcom, fsl_pamu, vsi) have no file.

pub mod amd;
pub mod dart;
pub mod intel;
pub mod iort;
pub mod mediatek;
pub mod of;
pub mod riscv;
pub mod s390;
pub mod smmu;
pub mod virtio;

use super::ResvKind;
use super::resv::RawRegion;
use crate::addr::{Iova, Span};

/// All addresses of so many bits; more than 64 are the whole space.
#[must_use]
pub fn low_bits(bits: u8) -> Span<Iova> {
    let last = 1_u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |end| end.wrapping_sub(1));
    Span::of(0, last).expect("no address lies below 0")
}

/// The interrupt range of x86, which no IOMMU translates (`IOAPIC_RANGE_START` in drivers/iommu/intel/iommu.h,
/// `MSI_RANGE_START` in drivers/iommu/amd/amd_iommu_types.h).
#[must_use]
pub fn x86_interrupts() -> RawRegion {
    RawRegion::from_ends(0xfee0_0000, 0xfeef_ffff, ResvKind::Msi)
}
