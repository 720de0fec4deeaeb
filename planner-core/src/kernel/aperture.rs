//! How far a group's IOMMUs translate, and in which pages: said by the host, or predicted from the model.

use std::collections::BTreeSet;

use super::Finding;
use super::predict::Machine;
use super::rules::{self, Rule};
use crate::addr::{Iova, Span};
use crate::diag::Origin;
use crate::facts::Arch;
use crate::facts::host::IommuModel;
use crate::host::{Device, Iommu};
use crate::size::{PageSize, PageSizes, Size};
use crate::version::KernelVersion;

/// What the page tables of a group can map.
#[derive(Clone, Debug)]
pub(super) struct Translated {
    pub(super) aperture: Span<Iova>,
    /// What all IOMMUs of the group have in common, before VFIO looks at the host's pages.
    pub(super) page_sizes: PageSizes,
    /// What had to be assumed.
    pub(super) assumed: Vec<Finding>,
}

/// The intersection over the group's devices. Two IOMMUs that share no IOVA leave the first one's aperture: no kernel
/// would put them into one group.
pub(super) fn of_group(machine: &Machine<'_>, devices: &[&Device]) -> Translated {
    let mut all =
        Translated { aperture: Span::full(), page_sizes: PageSizes::from_bitmap(!0), assumed: Vec::new() };
    let mut seen: BTreeSet<Option<usize>> = BTreeSet::new();
    for device in devices {
        let index = device.translation.as_ref().map(|translation| translation.iommu);
        if seen.insert(index) {
            narrow(machine, &mut all, machine.host.iommu_of(device), machine.model(device));
        }
    }
    if devices.is_empty() {
        narrow(machine, &mut all, None, machine.common_model());
    }
    all
}

fn narrow(machine: &Machine<'_>, all: &mut Translated, iommu: Option<&Iommu>, model: Option<IommuModel>) {
    let aperture = iommu.and_then(|iommu| iommu.aperture).unwrap_or_else(|| {
        let (bits, rule) = default_bits(machine, model);
        let name = iommu.map_or_else(|| "the IOMMU".to_owned(), |iommu| format!("IOMMU {}", iommu.name));
        all.assumed.push(Finding {
            rule: rule.id,
            because: format!("the aperture of {name} was not said: {bits} bits are assumed"),
            origin: iommu.map_or(Origin::Unstated, |iommu| iommu.origin.clone()),
        });
        low_bits(bits)
    });
    all.aperture = all.aperture.intersection(aperture).unwrap_or(all.aperture);
    let pages = page_sizes(machine.version, machine.page_size, model, iommu.and_then(|iommu| iommu.pages));
    let common = all.page_sizes.bitmap() & pages.bitmap();
    all.page_sizes = PageSizes::from_bitmap(common);
}

fn low_bits(bits: u8) -> Span<Iova> {
    let last = 1_u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |end| end.wrapping_sub(1));
    Span::of(0, last).expect("no address lies below 0")
}

fn default_bits(machine: &Machine<'_>, model: Option<IommuModel>) -> (u8, &'static Rule) {
    let x86 = machine.host.arch == Arch::X86_64;
    match model {
        Some(model) if model.is_smmuv3() => {
            (machine.host.kernel.va_bits.unwrap_or(48).clamp(1, 48), &rules::SMMU_APERTURE)
        }
        Some(IommuModel::Mmu500 | IommuModel::CaviumSmmuV2) => (48, &rules::SMMU_APERTURE),
        Some(model) if model.is_smmu() => (40, &rules::SMMU_APERTURE),
        Some(IommuModel::IntelVtd) => (48, &rules::VTD_APERTURE),
        Some(IommuModel::AmdVi) => (64, &rules::AMD_APERTURE),
        Some(IommuModel::VirtioIommu) => (if x86 { 39 } else { 48 }, &rules::VIOMMU_APERTURE),
        Some(IommuModel::Riscv) => (38, &rules::OTHER_APERTURE),
        Some(IommuModel::AppleDart) => (32, &rules::OTHER_APERTURE),
        _ => (64, &rules::OTHER_APERTURE),
    }
}

fn page_sizes(
    version: KernelVersion,
    page_size: PageSize,
    model: Option<IommuModel>,
    said: Option<PageSizes>,
) -> PageSizes {
    match model {
        Some(model) if model.is_smmu() => {
            one_granule(said.unwrap_or(PageSizes::from_bitmap(SMMU_PAGES)), page_size)
        }
        Some(IommuModel::AmdVi) => said.unwrap_or(amd_pages(version)),
        Some(IommuModel::IntelVtd) => said.unwrap_or(PageSizes::from_bitmap(0x4020_1000)),
        Some(IommuModel::AppleDart) => said.unwrap_or(PageSizes::from_bitmap(0x4000)),
        // Whatever the host kernel can: the bits from its page size up.
        _ => said.unwrap_or(PageSizes::from_bitmap(page_size.size().bytes().wrapping_neg())),
    }
}

/// Every page size of the three granules (Arm ARM, D8.2).
const SMMU_PAGES: u64 = 0x4020_1000 | 0x0200_4000 | 0x2001_0000;

/// Bits 12 to 51, or all from 12, without 512 GiB (drivers/iommu/amd/amd_iommu_types.h, `AMD_IOMMU_PGSIZES`).
fn amd_pages(version: KernelVersion) -> PageSizes {
    let newer = rules::AMD_PGSIZES_NEW.holds(version);
    PageSizes::from_bitmap(if newer { 0x000f_ff7f_ffff_f000 } else { 0xffff_ff7f_ffff_f000 })
}

/// The pages of the one granule that the SMMU's page tables use (drivers/iommu/io-pgtable-arm.c,
/// `arm_lpae_restrict_pgsizes`).
fn one_granule(supported: PageSizes, page_size: PageSize) -> PageSizes {
    let (bitmap, page) = (supported.bitmap(), page_size.size().bytes());
    let smaller = bitmap & page.wrapping_sub(1);
    let granule = if bitmap & page != 0 {
        page
    } else if smaller != 0 {
        1 << smaller.ilog2()
    } else {
        bitmap & bitmap.wrapping_neg()
    };
    let of_granule = match Size::from_bytes(granule) {
        g if g == Size::kib(4) => 0x4020_1000,
        g if g == Size::kib(16) => 0x0200_4000,
        g if g == Size::kib(64) => 0x2001_0000,
        _ => 0,
    };
    PageSizes::from_bitmap(bitmap & of_granule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_smmu_uses_the_granule_of_the_host_kernel() {
        let all = PageSizes::from_bitmap(SMMU_PAGES);
        let small = PageSizes::from_bitmap(0x4020_1000);
        let large = PageSizes::from_bitmap(0x2001_0000);
        assert_eq!(one_granule(all, PageSize::K4).bitmap(), 0x4020_1000);
        assert_eq!(one_granule(all, PageSize::K16).bitmap(), 0x0200_4000);
        assert_eq!(one_granule(all, PageSize::K64).bitmap(), 0x2001_0000);
        assert_eq!(one_granule(small, PageSize::K64).bitmap(), 0x4020_1000);
        assert_eq!(one_granule(large, PageSize::K4).bitmap(), 0x2001_0000);
        assert_eq!(one_granule(PageSizes::default(), PageSize::K4).bitmap(), 0);
    }
}
