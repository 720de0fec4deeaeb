//! MediaTek's M4U (drivers/iommu/mtk_iommu.c).

use crate::kernel::ResvKind;
use crate::kernel::resv::RawRegion;

/// A region of the multimedia IOVA space (`struct mtk_iommu_iova_region`): base and size.
pub type IovaRegion = (u64, u64);

/// The regions of a device in the region `own` (`mtk_iommu_get_resv_regions`): those of the chip that lie strictly inside
/// it, at neither end, which are other devices' own.
#[must_use]
pub fn regions(chip: &[IovaRegion], own: IovaRegion) -> Vec<RawRegion> {
    let end = |(base, size): IovaRegion| base.wrapping_add(size);
    let inside = chip.iter().filter(|&&region| region.0 > own.0 && end(region) < end(own));
    inside.map(|&(start, length)| RawRegion { start, length, kind: ResvKind::Reserved, prot: 0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-MTKREGIONS.
    #[test]
    fn the_mt8192_keeps_its_camera_units_apart() {
        // mt8192_multi_dom: one region for each 4 GiB, and two of 64 MiB inside the third.
        let chip = [
            (0x0, 1 << 32),
            (0x1_0000_0000, 1 << 32),
            (0x2_0000_0000, 1 << 32),
            (0x2_4000_0000, 0x400_0000),
            (0x2_4400_0000, 0x400_0000),
        ];
        let starts = |own| regions(&chip, own).iter().map(|region| region.start).collect::<Vec<_>>();
        assert_eq!(starts(chip[2]), [0x2_4000_0000, 0x2_4400_0000]);
        assert!(starts(chip[0]).is_empty() && starts(chip[3]).is_empty());
    }
}
