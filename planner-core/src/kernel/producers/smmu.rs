//! Arm SMMUs (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, drivers/iommu/arm/arm-smmu/arm-smmu.c).

use super::low_bits;
use crate::addr::{Address, Iova, Span};
use crate::kernel::resv::RawRegion;
use crate::kernel::{ResvKind, rules, software_msi_window};
use crate::size::{PageSize, PageSizes};
use crate::version::KernelVersion;

/// The region that every device has, whether it uses MSIs or not, before those of firmware
/// (`arm_smmu_get_resv_regions`).
#[must_use]
pub fn msi_window() -> RawRegion {
    let window = software_msi_window();
    RawRegion::from_ends(window.first().get(), window.last().get(), ResvKind::SoftwareMsi)
}

/// Stage of translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// What VFIO and iommufd use where the SMMU has it.
    One,
    /// What nesting parents use.
    Two,
}

/// What the ID registers of an SMMUv3 say (`arm_smmu_device_hw_probe`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SmmuV3 {
    /// `IDR5.VAX`: virtual addresses of 52 bits.
    pub vax: bool,
    /// `IDR0.TTF`: AArch32 tables, too.
    pub aarch32: bool,
    /// `IDR5.OAS`, in bits.
    pub output_bits: u8,
}

/// What a domain of an SMMUv3 translates (`arm_smmu_domain_finalise`), on a kernel with so many virtual address bits.
#[must_use]
pub fn v3_aperture(smmu: SmmuV3, stage: Stage, va_bits: u8, version: KernelVersion) -> Span<Iova> {
    let SmmuV3 { vax, aarch32, output_bits } = smmu;
    low_bits(match stage {
        Stage::One => va_bits.min(if vax { 52 } else { 48 }),
        Stage::Two if rules::SMMU_STAGE2_OAS.holds(version) => output_bits,
        // The intermediate addresses of AArch32 tables have 40 bits.
        Stage::Two => output_bits.max(if aarch32 { 40 } else { 0 }),
    })
}

/// What the ID registers of an SMMUv1 or v2 say (`arm_smmu_device_cfg_probe`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SmmuV2 {
    /// Whether it has stage 1, which is then used.
    pub stage1: bool,
    /// Virtual address bits.
    pub va_bits: u8,
    /// Bits of an intermediate address.
    pub ipa_bits: u8,
    /// Format of its tables.
    pub format: Format,
}

/// Format of the tables of an SMMUv1 or v2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// VMSAv8-64.
    Aarch64,
    /// VMSAv8-32, long or short descriptors.
    Aarch32,
    /// The upper half of the tables of an Adreno (`IO_PGTABLE_QUIRK_ARM_TTBR1`).
    AdrenoUpper,
}

/// What a domain of an SMMUv1 or v2 translates (`arm_smmu_init_domain_context`).
#[must_use]
pub fn v2_aperture(smmu: SmmuV2) -> Span<Iova> {
    let input_bits = if smmu.stage1 { smmu.va_bits } else { smmu.ipa_bits };
    match smmu.format {
        Format::Aarch64 => low_bits(input_bits),
        Format::Aarch32 => low_bits(input_bits.min(if smmu.stage1 { 32 } else { 40 })),
        Format::AdrenoUpper => {
            let first = u64::MAX.checked_shl(u32::from(input_bits)).unwrap_or(u64::MAX);
            Span::new(Iova::new(first), Iova::new(u64::MAX)).expect("nothing lies above the last address")
        }
    }
}

/// Every page size of the three granules (Arm ARM, D8.2).
pub const ALL_PAGES: PageSizes = PageSizes::from_bitmap(0x4020_1000 | 0x0200_4000 | 0x2001_0000);

/// The pages of the one granule that the tables use (drivers/iommu/io-pgtable-arm.c, `arm_lpae_restrict_pgsizes`): the
/// host's page, else the largest below, else the smallest above.
#[must_use]
pub fn granule_pages(supported: PageSizes, page_size: PageSize) -> PageSizes {
    let (bitmap, page) = (supported.bitmap(), page_size.size().bytes());
    let smaller = bitmap & page.wrapping_sub(1);
    let granule = if bitmap & page != 0 {
        page
    } else if smaller != 0 {
        1 << smaller.ilog2()
    } else {
        bitmap & bitmap.wrapping_neg()
    };
    let of_granule = match granule {
        0x1000 => 0x4020_1000,
        0x4000 => 0x0200_4000,
        0x1_0000 => 0x2001_0000,
        _ => 0,
    };
    PageSizes::from_bitmap(bitmap & of_granule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_use_the_granule_of_the_host_kernel() {
        let small = PageSizes::from_bitmap(0x4020_1000);
        let large = PageSizes::from_bitmap(0x2001_0000);
        assert_eq!(granule_pages(ALL_PAGES, PageSize::K4).bitmap(), 0x4020_1000);
        assert_eq!(granule_pages(ALL_PAGES, PageSize::K16).bitmap(), 0x0200_4000);
        assert_eq!(granule_pages(ALL_PAGES, PageSize::K64).bitmap(), 0x2001_0000);
        assert_eq!(granule_pages(small, PageSize::K64).bitmap(), 0x4020_1000);
        assert_eq!(granule_pages(large, PageSize::K4).bitmap(), 0x2001_0000);
        assert_eq!(granule_pages(PageSizes::default(), PageSize::K4).bitmap(), 0);
    }

    /// K-SMMUAPER, K-SMMUS2OAS.
    #[test]
    fn stage_1_is_bounded_by_the_kernel_and_stage_2_by_the_output() {
        let smmu = SmmuV3 { vax: false, aarch32: true, output_bits: 36 };
        let last = |smmu, stage, va_bits, minor| {
            v3_aperture(smmu, stage, va_bits, KernelVersion::new(if minor == 1 { 6 } else { 7 }, minor))
                .last()
        };
        assert_eq!(last(smmu, Stage::One, 39, 3), Iova::at(0x7f_ffff_ffff));
        assert_eq!(last(smmu, Stage::One, 52, 3), Iova::at(0xffff_ffff_ffff));
        assert_eq!(last(SmmuV3 { vax: true, ..smmu }, Stage::One, 52, 3), Iova::at(0xf_ffff_ffff_ffff));
        assert_eq!(last(smmu, Stage::Two, 48, 1), Iova::at(0xff_ffff_ffff));
        assert_eq!(last(smmu, Stage::Two, 48, 3), Iova::at(0xf_ffff_ffff));
    }

    #[test]
    fn an_old_smmu_translates_what_its_format_can() {
        let smmu = SmmuV2 { stage1: true, va_bits: 48, ipa_bits: 40, format: Format::Aarch64 };
        assert_eq!(v2_aperture(smmu), low_bits(48));
        assert_eq!(v2_aperture(SmmuV2 { stage1: false, ..smmu }), low_bits(40));
        assert_eq!(v2_aperture(SmmuV2 { format: Format::Aarch32, ..smmu }), low_bits(32));
        let upper = v2_aperture(SmmuV2 { format: Format::AdrenoUpper, ..smmu });
        assert_eq!(upper, Span::of(0xffff_0000_0000_0000, u64::MAX).unwrap());
    }
}
