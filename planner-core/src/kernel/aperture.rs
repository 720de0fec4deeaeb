//! How far a group's IOMMUs translate, and in which pages: said by the host, or predicted from the model.

use std::collections::BTreeSet;

use super::Finding;
use super::predict::Machine;
use super::producers::{amd, dart, intel, low_bits, smmu};
use super::rules::{self, Rule};
use crate::addr::{Iova, Span};
use crate::diag::Origin;
use crate::facts::Arch;
use crate::facts::host::IommuModel;
use crate::host::{Device, Iommu};
use crate::size::{PageSize, PageSizes};
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
        Some(model) if model.is_smmu() => smmu::granule_pages(said.unwrap_or(smmu::ALL_PAGES), page_size),
        Some(IommuModel::AmdVi) => said.unwrap_or(amd::pages(version)),
        Some(IommuModel::IntelVtd) => said.unwrap_or(intel::PAGES),
        Some(IommuModel::AppleDart) => said.unwrap_or(dart::PAGES),
        // Whatever the host kernel can: the bits from its page size up.
        _ => said.unwrap_or(PageSizes::from_bitmap(page_size.size().bytes().wrapping_neg())),
    }
}
