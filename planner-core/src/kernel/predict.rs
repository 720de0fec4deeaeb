//! Which regions the kernel's drivers would give for a device: the producers, before merging.
//!
//! What the kernel really listed is weighed against this in [`super::listing`].

use std::collections::{BTreeMap, BTreeSet};

use super::ResvKind;
use super::producers::{amd, dart, intel, iort, smmu, x86_interrupts};
use super::resv::RawRegion;
use super::rules::{self, Rule};
use crate::addr::{Address, Iova, Span};
use crate::diag::Origin;
use crate::facts::host::{FirmwareKind, FirmwareRegionFact, IommuModel, RequesterRange, WindowKind};
use crate::host::{Device, Doorbell, DoorbellSource, Host, Iommu, Window};
use crate::ids::{PciAddress, PciClass};
use crate::size::PageSize;
use crate::version::KernelVersion;

/// A region with the reason for it.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) raw: RawRegion,
    pub(super) rule: &'static Rule,
    pub(super) origin: Origin,
}

/// A host under a kernel that is not necessarily its own.
pub(super) struct Machine<'a> {
    pub(super) host: &'a Host,
    pub(super) version: KernelVersion,
    pub(super) page_size: PageSize,
    firmware: BTreeMap<PciAddress, Vec<&'a FirmwareRegionFact>>,
    /// What all IOMMUs of the host are, if they are alike: the best guess for a device whose IOMMU nobody named.
    common_model: Option<IommuModel>,
}

/// Whether a virtio-iommu is known to report an MSI region of its own for the group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ProbedMsi {
    Unknown,
    Listed,
}

impl<'a> Machine<'a> {
    pub(super) fn new(host: &'a Host, version: KernelVersion, page_size: PageSize) -> Self {
        let mut firmware: BTreeMap<PciAddress, Vec<&FirmwareRegionFact>> = BTreeMap::new();
        for region in &host.firmware {
            for device in devices_of(region, host) {
                firmware.entry(device).or_default().push(region);
            }
        }
        let mut models = host.iommus.iter().map(|iommu| iommu.model);
        let first = models.next();
        let common_model = first.filter(|&first| models.all(|model| model == first));
        Self { host, version, page_size, firmware, common_model }
    }

    /// The kind of IOMMU of a device. Where nobody named it, but the kernel has put the device into a group, it is
    /// what all IOMMUs of the host are.
    pub(super) fn model(&self, device: &Device) -> Option<IommuModel> {
        self.host.iommu_of(device).map(|iommu| iommu.model).or_else(|| {
            let group = self.host.group(device.group?)?;
            group.listed.as_ref().and(self.common_model)
        })
    }

    pub(super) fn common_model(&self) -> Option<IommuModel> {
        self.common_model
    }

    pub(super) fn firmware(&self, device: PciAddress) -> &[&'a FirmwareRegionFact] {
        self.firmware.get(&device).map_or(&[], Vec::as_slice)
    }

    /// The regions of a device in the order of its IOMMU driver.
    pub(super) fn device_regions(&self, device: &Device, probed: ProbedMsi) -> Vec<Cause> {
        let Some(model) = self.model(device) else { return Vec::new() };
        let mut causes = match model {
            IommuModel::VirtioIommu => self.virtio(device, probed),
            IommuModel::IntelVtd => self.intel(device),
            IommuModel::AmdVi => self.amd(device),
            IommuModel::AppleDart => self.dart(device),
            IommuModel::Riscv => Vec::new(),
            _ => self.smmu(device, model),
        };
        let own = self.host.doorbell_of(device).filter(|bell| bell.source == DoorbellSource::Fixed);
        causes.extend(own.map(pinned));
        causes.retain(|cause| cause.rule.holds(self.version));
        causes
    }

    /// The regions that devices of a group have in common, each once, however many devices have it: the windows of
    /// their host bridges, and all pinned doorbells when it is not known which of them a device writes to.
    pub(super) fn shared_regions(&self, devices: &[&Device]) -> Vec<Cause> {
        let smmu = |device: &&&Device| self.model(device).is_some_and(IommuModel::is_smmu);
        let roots: BTreeSet<usize> =
            devices.iter().filter(smmu).filter_map(|device| device.root_complex).collect();
        let roots = roots.into_iter().filter_map(|index| self.host.root_complexes.get(index));
        let windows = roots.flat_map(|root| &root.windows).filter(|window| window.kind != WindowKind::Io);
        let mut causes: Vec<Cause> = windows.map(listed_window).collect();
        let unknown = |device: &&Device| device.msi_target.is_none() && self.model(device).is_some();
        if devices.iter().any(unknown) {
            causes.extend(self.fixed_doorbells().map(pinned));
        }
        causes.retain(|cause| cause.rule.holds(self.version));
        causes
    }

    fn fixed_doorbells(&self) -> impl Iterator<Item = &'a Doorbell> {
        self.host.doorbells.iter().filter(|doorbell| doorbell.source == DoorbellSource::Fixed)
    }

    /// `arm_smmu_get_resv_regions`, and below it `iommu_dma_get_resv_regions`.
    fn smmu(&self, device: &Device, model: IommuModel) -> Vec<Cause> {
        let iommu = self.host.iommu_of(device);
        let mut causes = vec![window(&rules::SWMSI, iommu)];
        if model == IommuModel::HisiliconHi161x {
            causes.extend(self.host.doorbell_of(device).and_then(hi161x));
        }
        causes.extend(self.firmware_regions(device, model));
        causes
    }

    /// `viommu_get_resv_regions`. A region that the hypervisor reports is known only from a listing.
    fn virtio(&self, device: &Device, probed: ProbedMsi) -> Vec<Cause> {
        let fixed = match self.host.doorbell_of(device) {
            Some(doorbell) => doorbell.source == DoorbellSource::Fixed,
            None => self.fixed_doorbells().next().is_some(),
        };
        let window = window(&rules::VIOMMU_SWMSI, self.host.iommu_of(device));
        let mut causes = Vec::new();
        if probed == ProbedMsi::Unknown && !fixed {
            causes.push(window);
        }
        causes.extend(self.firmware_regions(device, IommuModel::VirtioIommu));
        causes
    }

    /// `intel_iommu_get_resv_regions`.
    fn intel(&self, device: &Device) -> Vec<Cause> {
        let mut causes = self.firmware_regions(device, IommuModel::IntelVtd);
        if intel::is_isa_bridge(device.class) {
            let raw = intel::floppy();
            causes.push(Cause { raw, rule: &rules::FLOPPY, origin: device.origin.clone() });
        }
        causes.push(self.interrupt_range(device));
        causes
    }

    /// `amd_iommu_get_resv_regions`.
    fn amd(&self, device: &Device) -> Vec<Cause> {
        let mut causes = self.firmware_regions(device, IommuModel::AmdVi);
        causes.push(self.interrupt_range(device));
        // What all IOMMUs say of the range is not among the facts.
        let raw = amd::hyper_transport_range();
        causes.push(Cause { raw, rule: &rules::AMD_HT, origin: self.iommu_origin(device) });
        causes
    }

    /// `apple_dart_get_resv_regions`.
    fn dart(&self, device: &Device) -> Vec<Cause> {
        let raw = dart::doorbell_page(self.page_size);
        let mut causes = vec![Cause { raw, rule: &rules::DART_MSI, origin: self.iommu_origin(device) }];
        causes.extend(self.firmware_regions(device, IommuModel::AppleDart));
        causes
    }

    fn interrupt_range(&self, device: &Device) -> Cause {
        Cause { raw: x86_interrupts(), rule: &rules::X86_MSI, origin: self.iommu_origin(device) }
    }

    fn iommu_origin(&self, device: &Device) -> Origin {
        self.host.iommu_of(device).map_or(Origin::Unstated, |iommu| iommu.origin.clone())
    }

    fn firmware_regions(&self, device: &Device, model: IommuModel) -> Vec<Cause> {
        let regions = self.firmware(device.address).iter();
        regions.map(|region| self.firmware_region(region, device.class, model)).collect()
    }

    fn firmware_region(
        &self,
        region: &FirmwareRegionFact,
        class: Option<PciClass>,
        model: IommuModel,
    ) -> Cause {
        let rule = firmware_rule(region, model);
        let mut kind = match region.kind {
            FirmwareKind::Direct if rule.id == rules::RMRR.id => intel::rmrr_kind(class),
            FirmwareKind::Direct => ResvKind::Direct,
            FirmwareKind::DirectRelaxable => ResvKind::DirectRelaxable,
            FirmwareKind::Reserved => ResvKind::Reserved,
        };
        let mut named = rule;
        if kind == ResvKind::DirectRelaxable && !rules::RELAXABLE.holds(self.version) {
            // Listed as direct, but nothing was refused for it.
            kind = ResvKind::Direct;
            named = if rule.holds(self.version) { &rules::RELAXED_DIRECT } else { rule };
        }
        let (start, length) = firmware_pages(rule, region.span, self.page_size);
        Cause { raw: RawRegion { start, length, kind, prot: 0 }, rule: named, origin: region.origin.clone() }
    }
}

/// The devices that a region of firmware is for: those that it names, and those of the host whose requester IDs it names.
fn devices_of(region: &FirmwareRegionFact, host: &Host) -> BTreeSet<PciAddress> {
    let in_range = |range: &RequesterRange| {
        let first = PciAddress::from_requester(range.segment, range.first);
        let last = PciAddress::from_requester(range.segment, range.last);
        let start = host.devices.partition_point(|device| device.address < first);
        let end = host.devices.partition_point(|device| device.address <= last);
        host.devices.get(start..end).unwrap_or_default()
    };
    let ranges = region.requesters.iter().flat_map(in_range).map(|device| device.address);
    region.devices.iter().copied().chain(ranges).collect()
}

/// A window of the host bridge, which SMMU drivers reported for a few releases.
fn listed_window(window: &Window) -> Cause {
    let (first, last) = (window.bus.first().get(), window.bus.last().get());
    let raw = RawRegion::from_ends(first, last, ResvKind::Reserved);
    Cause { raw, rule: &rules::WINDOWS_LISTED, origin: window.origin.clone() }
}

fn pinned(doorbell: &Doorbell) -> Cause {
    let (first, last) = (doorbell.frame.first().get(), doorbell.frame.last().get());
    let raw = RawRegion::from_ends(first, last, ResvKind::Msi);
    Cause { raw, rule: &rules::FIXED_DOORBELL, origin: doorbell.origin.clone() }
}

fn window(rule: &'static Rule, iommu: Option<&Iommu>) -> Cause {
    Cause {
        raw: smmu::msi_window(),
        rule,
        origin: iommu.map_or(Origin::Unstated, |iommu| iommu.origin.clone()),
    }
}

/// The doorbell of an ITS that the SMMU does not translate.
fn hi161x(doorbell: &Doorbell) -> Option<Cause> {
    if doorbell.source != DoorbellSource::Its {
        return None;
    }
    let raw = iort::its_frame(doorbell.frame.first().get());
    Some(Cause { raw, rule: &rules::HI161X, origin: doorbell.origin.clone() })
}

/// Which table of firmware a region comes from: told by the file that it was read from, or by the kind of IOMMU.
pub(super) fn firmware_rule(region: &FirmwareRegionFact, model: IommuModel) -> &'static Rule {
    const FILES: [(&str, &Rule); 6] = [
        ("IORT", &rules::RMR),
        ("DMAR", &rules::RMRR),
        ("IVRS", &rules::IVMD),
        ("fdt", &rules::OF_IOVA),
        ("devicetree", &rules::OF_IOVA),
        (".dtb", &rules::OF_IOVA),
    ];
    let file = match &region.origin {
        Origin::Bytes { file, .. } | Origin::File { file } => file.as_ref(),
        _ => "",
    };
    match (FILES.iter().find(|(name, _)| file.contains(name)), model) {
        (Some((_, rule)), _) => rule,
        (None, IommuModel::IntelVtd) => &rules::RMRR,
        (None, IommuModel::AmdVi) => &rules::IVMD,
        (None, _) => &rules::FIRMWARE,
    }
}

/// Start and length of a firmware region as the table's reader rounds it to pages of the host kernel.
fn firmware_pages(rule: &Rule, span: Span<Iova>, page_size: PageSize) -> (u64, u64) {
    let start = span.first().get();
    let length = span.last().get().wrapping_sub(start).wrapping_add(1);
    if rule.id == rules::IVMD.id {
        let region = amd::ivmd(start, length);
        (region.start, region.length)
    } else if rule.id == rules::RMR.id {
        iort::rmr_pages(start, length, page_size)
    } else {
        (start, length)
    }
}
