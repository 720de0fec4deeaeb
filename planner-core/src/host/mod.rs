//! The host as we believe it to be: facts resolved to one another, contradictions reported.

pub mod besides;
mod check;
pub mod codes;
mod requester;
pub mod resolve;
pub mod topology;

use serde::Serialize;

use crate::addr::{BusAddr, Hpa, Iova, Span};
use crate::diag::Origin;
use crate::facts::Arch;
use crate::facts::host::{
    BarFact, FirmwareRegionFact, IommuModel, ListedRegion, PeerToPeer, RamFact, SriovFact, WindowKind,
};
use crate::facts::pci::ConfigFact;
use crate::ids::{GroupId, MsiDeviceId, PciAddress, PciClass, PciId, StreamId};
use crate::size::{PageSize, PageSizes};
use crate::version::KernelVersion;

/// A host. Devices are sorted by address, groups by number.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Host {
    /// Its name, for messages.
    pub name: String,
    /// Instruction set.
    pub arch: Arch,
    /// The kernel.
    pub kernel: Kernel,
    /// Guest-physical address bits that its hypervisor offers, if known.
    pub ipa_bits: Option<u8>,
    /// System RAM, ascending.
    pub ram: Vec<RamFact>,
    /// IOMMUs.
    pub iommus: Vec<Iommu>,
    /// Everything that devices write to in order to signal an interrupt.
    pub doorbells: Vec<Doorbell>,
    /// Root complexes.
    pub root_complexes: Vec<RootComplex>,
    /// PCI functions.
    pub devices: Vec<Device>,
    /// IOMMU groups.
    pub groups: Vec<Group>,
    /// Regions that firmware claims.
    pub firmware: Vec<FirmwareRegionFact>,
}

/// The kernel with the defaults filled in.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Kernel {
    /// Release.
    pub version: KernelVersion,
    /// Page size.
    pub page_size: PageSize,
    /// Virtual address bits, if known.
    pub va_bits: Option<u8>,
    /// Whether iommufd is there, if known.
    pub iommufd: Option<bool>,
    /// Whether `allow_unsafe_interrupts` is set, if known.
    pub unsafe_interrupts: Option<bool>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// An IOMMU. What is `None` is not known; [`crate::kernel`] then predicts it from the model.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Iommu {
    /// Name.
    pub name: String,
    /// Kind.
    pub model: IommuModel,
    /// Base of its registers.
    pub base: Option<Hpa>,
    /// IOVAs that its page tables translate.
    pub aperture: Option<Span<Iova>>,
    /// Page sizes that it maps.
    pub pages: Option<PageSizes>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// What stands behind a doorbell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorbellSource {
    /// GICv3 ITS: Linux remaps it, MSIs are isolated.
    Its,
    /// GICv2m frame: Linux remaps it, MSIs are not isolated.
    GicV2m,
    /// Pinned by hardware.
    Fixed,
    /// A controller whose driver never remaps.
    Unmapped,
}

/// Where devices write to signal an interrupt.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Doorbell {
    /// Name.
    pub name: String,
    /// What stands behind it.
    pub source: DoorbellSource,
    /// The address written: `GITS_TRANSLATER`, `MSI_SETSPI_NS`, or the start of a fixed doorbell.
    pub address: Hpa,
    /// The registers around it.
    pub frame: Span<Hpa>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A root complex.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RootComplex {
    /// Name.
    pub name: String,
    /// PCI segment.
    pub segment: u16,
    /// First bus.
    pub first_bus: u8,
    /// Last bus.
    pub last_bus: u8,
    /// NUMA node.
    pub node: Option<u32>,
    /// Windows through which CPUs reach devices.
    pub windows: Vec<Window>,
    /// Windows through which devices reach memory.
    pub inbound: Vec<Inbound>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A window of a root complex.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Window {
    /// Kind.
    pub kind: WindowKind,
    /// As CPUs see it.
    pub cpu: Span<Hpa>,
    /// As devices see it. A guest collides with this one.
    pub bus: Span<BusAddr>,
    /// Whether it is prefetchable.
    pub prefetchable: bool,
    /// What becomes of DMA into it, if known.
    pub p2p: Option<PeerToPeer>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A window through which devices reach memory.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Inbound {
    /// The memory.
    pub cpu: Span<Hpa>,
    /// As devices see it.
    pub bus: Span<BusAddr>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// The IOMMU of a device.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Translation {
    /// Index into [`Host::iommus`].
    pub iommu: usize,
    /// Stream ID, if known.
    pub stream: Option<StreamId>,
}

/// The MSI controller of a device.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MsiTarget {
    /// Index into [`Host::doorbells`].
    pub doorbell: usize,
    /// ITS device ID, if known.
    pub device_id: Option<MsiDeviceId>,
}

/// A PCI function.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Device {
    /// Its place.
    pub address: PciAddress,
    /// Vendor and device ID.
    pub id: Option<PciId>,
    /// Class.
    pub class: Option<PciClass>,
    /// NUMA node.
    pub node: Option<u32>,
    /// Base address registers.
    pub bars: Vec<BarFact>,
    /// MSI-X vectors.
    pub msix: Option<u16>,
    /// MSI vectors.
    pub msi: Option<u16>,
    /// Virtual functions.
    pub sriov: Option<SriovFact>,
    /// What its configuration space says of its place and of its isolation.
    pub config: ConfigFact,
    /// Index into [`Host::root_complexes`].
    pub root_complex: Option<usize>,
    /// Its IOMMU.
    pub translation: Option<Translation>,
    /// Its MSI controller.
    pub msi_target: Option<MsiTarget>,
    /// Its IOMMU group.
    pub group: Option<GroupId>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// An IOMMU group.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Group {
    /// Number.
    pub id: GroupId,
    /// PCI functions in it, ascending.
    pub devices: Vec<PciAddress>,
    /// Other devices in it.
    pub others: Vec<String>,
    /// Type of its default domain.
    pub domain: Option<String>,
    /// What the kernel listed.
    pub listed: Option<Vec<ListedRegion>>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

impl Host {
    /// The function at this place.
    #[must_use]
    pub fn device(&self, address: PciAddress) -> Option<&Device> {
        let index = self.devices.binary_search_by_key(&address, |device| device.address).ok()?;
        self.devices.get(index)
    }
    /// The group with this number.
    #[must_use]
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        let index = self.groups.binary_search_by_key(&id, |group| group.id).ok()?;
        self.groups.get(index)
    }
    /// The IOMMU of a device.
    #[must_use]
    pub fn iommu_of(&self, device: &Device) -> Option<&Iommu> {
        self.iommus.get(device.translation.as_ref()?.iommu)
    }
    /// The root complex above a device.
    #[must_use]
    pub fn root_complex_of(&self, device: &Device) -> Option<&RootComplex> {
        self.root_complexes.get(device.root_complex?)
    }
    /// The doorbell that a device writes to.
    #[must_use]
    pub fn doorbell_of(&self, device: &Device) -> Option<&Doorbell> {
        self.doorbells.get(device.msi_target.as_ref()?.doorbell)
    }
}
