//! What files say about a host.
//!
//! Everything that a file may leave out is an `Option` or an empty list, and absence means "not said", never "no".

use serde::{Deserialize, Serialize};

use super::pci::ConfigFact;
use super::{Arch, words};
use crate::addr::{BusAddr, Hpa, Iova, Span};
use crate::diag::Origin;
use crate::ids::{GroupId, MsiDeviceId, PciAddress, PciClass, PciId, RequesterId, StreamId};
use crate::size::{PageSize, PageSizes, Size};
use crate::version::KernelVersion;

/// Facts about one host. In JSON: schema `host/1`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HostFacts {
    /// Name of the host, for messages.
    pub name: String,
    /// Where the host was named.
    #[serde(skip)]
    pub origin: Origin,
    /// Instruction set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
    /// The kernel that runs, or shall run, there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelFact>,
    /// Number of guest-physical address bits that the host's hypervisor can give a guest
    /// (`KVM_CAP_ARM_VM_IPA_SIZE`, or the host's physical address bits on x86). 32 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipa_bits: Option<u8>,
    /// System RAM.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ram: Vec<RamFact>,
    /// IOMMUs of any kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub iommus: Vec<IommuFact>,
    /// GICv3 distributors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gicv3: Vec<GicV3Fact>,
    /// Interrupt translation services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub its: Vec<ItsFact>,
    /// GICv2m frames.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gicv2m: Vec<GicV2mFact>,
    /// Doorbells that hardware pins, and MSI controllers that Linux does not remap.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doorbells: Vec<DoorbellFact>,
    /// PCI root complexes, or host bridges.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub root_complexes: Vec<RootComplexFact>,
    /// IOMMU groups, as the kernel formed them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupFact>,
    /// Regions that firmware claims for devices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub firmware: Vec<FirmwareRegionFact>,
}

/// A kernel and what of its configuration matters here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KernelFact {
    /// Release.
    pub version: KernelVersion,
    /// Page size of the kernel (`CONFIG_ARM64_4K_PAGES` and so on).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_size: Option<PageSize>,
    /// Virtual address bits of the kernel (`CONFIG_ARM64_VA_BITS`); bounds the SMMUv3 stage-1 aperture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub va_bits: Option<u8>,
    /// Whether `/dev/iommu` exists (`CONFIG_IOMMUFD`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iommufd: Option<bool>,
    /// Whether `allow_unsafe_interrupts` is set for `vfio_iommu_type1` or `iommufd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsafe_interrupts: Option<bool>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A bank of system RAM.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RamFact {
    /// The addresses.
    pub span: Span<Hpa>,
    /// NUMA node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

words! {
    /// Kind of IOMMU, as far as Linux treats kinds differently.
    IommuModel {
        /// Arm SMMUv3, or a model that behaves as the architecture says.
        SmmuV3 = "smmuv3",
        /// Arm MMU-600 (SMMUv3).
        Mmu600 = "mmu-600",
        /// Arm MMU-700 (SMMUv3).
        Mmu700 = "mmu-700",
        /// HiSilicon hip06/hip07 SMMUv3: IORT model `ACPI_IORT_SMMU_V3_HISILICON_HI161X`, MSI page not translated.
        HisiliconHi161x = "hisilicon-hi161x",
        /// Cavium ThunderX2 SMMUv3.
        CaviumCn99xx = "cavium-cn99xx",
        /// Arm SMMUv1.
        SmmuV1 = "smmuv1",
        /// Arm SMMUv2.
        SmmuV2 = "smmuv2",
        /// Arm MMU-400 (SMMUv1).
        Mmu400 = "mmu-400",
        /// Arm MMU-401 (SMMUv1).
        Mmu401 = "mmu-401",
        /// Arm MMU-500 (SMMUv2).
        Mmu500 = "mmu-500",
        /// Cavium ThunderX SMMUv2.
        CaviumSmmuV2 = "cavium-smmuv2",
        /// virtio-iommu: this "host" is itself a guest.
        VirtioIommu = "virtio-iommu",
        /// Intel VT-d.
        IntelVtd = "intel-vtd",
        /// AMD-Vi.
        AmdVi = "amd-vi",
        /// RISC-V IOMMU.
        Riscv = "riscv-iommu",
        /// Apple DART.
        AppleDart = "apple-dart",
    }
}

impl IommuModel {
    /// Whether it is an Arm SMMU of any version.
    #[must_use]
    pub fn is_smmu(self) -> bool {
        self.is_smmuv3()
            || matches!(
                self,
                Self::SmmuV1 | Self::SmmuV2 | Self::Mmu400 | Self::Mmu401 | Self::Mmu500 | Self::CaviumSmmuV2
            )
    }
    /// Whether the `arm-smmu-v3` driver drives it.
    #[must_use]
    pub fn is_smmuv3(self) -> bool {
        matches!(
            self,
            Self::SmmuV3 | Self::Mmu600 | Self::Mmu700 | Self::HisiliconHi161x | Self::CaviumCn99xx
        )
    }
}

/// An IOMMU.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IommuFact {
    /// Name to which root complexes refer.
    pub name: String,
    /// Kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<IommuModel>,
    /// Base of its registers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Hpa>,
    /// IOVAs that its page tables can translate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aperture: Option<Span<Iova>>,
    /// Page sizes that it can map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PageSizes>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A GICv3 distributor with its redistributors.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GicV3Fact {
    /// Name.
    pub name: String,
    /// Registers of the distributor.
    pub distributor: Span<Hpa>,
    /// Registers of the redistributors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redistributors: Vec<Span<Hpa>>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// An interrupt translation service. Its doorbell is `GITS_TRANSLATER`, 0x10040 above the base.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItsFact {
    /// Name to which root complexes refer.
    pub name: String,
    /// Control and translation frames, 128 KiB.
    pub frame: Span<Hpa>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A GICv2m frame. Its doorbell is `MSI_SETSPI_NS`, 0x40 above the base.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GicV2mFact {
    /// Name to which root complexes refer.
    pub name: String,
    /// Registers, 4 KiB.
    pub frame: Span<Hpa>,
    /// First SPI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_spi: Option<u32>,
    /// Last SPI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_spi: Option<u32>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

words! {
    /// What Linux does with a doorbell that is neither an ITS nor a GICv2m frame.
    DoorbellKind {
        /// Pinned by hardware: reported as `IOMMU_RESV_MSI`, used at its physical address.
        Fixed = "fixed",
        /// An MSI controller whose driver never remaps: behind a translating IOMMU its MSIs fault.
        Unmapped = "unmapped",
    }
}

/// A doorbell that is neither an ITS nor a GICv2m frame.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DoorbellFact {
    /// Name to which root complexes may refer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What Linux does with it.
    pub kind: DoorbellKind,
    /// Where devices write.
    pub span: Span<Hpa>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A PCI root complex, or host bridge.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootComplexFact {
    /// Name, for messages.
    pub name: String,
    /// PCI segment.
    #[serde(default)]
    pub segment: u16,
    /// First bus.
    #[serde(default)]
    pub first_bus: u8,
    /// Last bus.
    #[serde(default = "last_bus")]
    pub last_bus: u8,
    /// NUMA node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// Which IOMMU translates which requesters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamMapFact>,
    /// Which MSI controller serves which requesters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub msi: Vec<MsiMapFact>,
    /// Windows through which CPUs reach devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowFact>,
    /// Windows through which devices reach memory (`dma-ranges`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inbound: Vec<InboundFact>,
    /// Functions below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceFact>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

const fn last_bus() -> u8 {
    0xff
}

/// Requesters that an IOMMU translates, and under which stream IDs (`iommu-map`, IORT ID mapping).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamMapFact {
    /// Name of the IOMMU.
    pub iommu: String,
    /// First requester ID.
    pub first: RequesterId,
    /// Last requester ID.
    pub last: RequesterId,
    /// Stream ID of the first requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamId>,
    /// Whether all requesters share that stream ID (`iommu-map-mask`), instead of counting up from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// Requesters whose MSIs go to a controller, and under which device IDs (`msi-map`, `msi-parent`, IORT).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MsiMapFact {
    /// Name of the ITS, GICv2m frame or doorbell.
    pub controller: String,
    /// First requester ID.
    pub first: RequesterId,
    /// Last requester ID.
    pub last: RequesterId,
    /// ITS device ID of the first requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<MsiDeviceId>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

words! {
    /// Kind of window of a host bridge.
    WindowKind {
        /// Memory below 4 GiB on the bus.
        Mem32 = "mem32",
        /// Memory that 64-bit BARs may use.
        Mem64 = "mem64",
        /// I/O ports.
        Io = "io",
    }
}

words! {
    /// What becomes of a DMA access whose bus address falls into a window of the same root complex.
    PeerToPeer {
        /// The root complex takes it as peer to peer, before the IOMMU sees it.
        Intercepts = "intercepts-p2p",
        /// It goes on to the IOMMU like any other access.
        Translates = "no-p2p",
    }
}

/// A window of a host bridge through which CPUs reach devices.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowFact {
    /// Kind.
    pub kind: WindowKind,
    /// The window as CPUs see it.
    pub cpu: Span<Hpa>,
    /// First bus address of the window; equal to the first CPU address unless the bridge translates.
    pub bus: BusAddr,
    /// Whether firmware calls it prefetchable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefetchable: bool,
    /// What becomes of DMA into it; not said means that nobody knows, and a careful planner keeps out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p2p: Option<PeerToPeer>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A window of a host bridge through which devices reach memory (`dma-ranges`).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InboundFact {
    /// The memory that it leads to.
    pub cpu: Span<Hpa>,
    /// First bus address of the window.
    pub bus: BusAddr,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

words! {
    /// Kind of base address register.
    BarKind {
        /// 32-bit memory.
        Mem32 = "mem32",
        /// 64-bit memory.
        Mem64 = "mem64",
        /// I/O ports.
        Io = "io",
    }
}

/// A base address register.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BarFact {
    /// Index, 0 to 5; 6 is the expansion ROM.
    pub index: u8,
    /// Kind.
    pub kind: BarKind,
    /// Whether reads have no side effects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefetchable: bool,
    /// Size, a power of two.
    pub size: Size,
    /// Where the host placed it, as CPUs see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Hpa>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// Virtual functions of a device.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SriovFact {
    /// How many there can be.
    pub total: u16,
    /// How many there are.
    #[serde(default)]
    pub enabled: u16,
}

/// A PCI function.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceFact {
    /// Its place.
    pub address: PciAddress,
    /// Vendor and device ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PciId>,
    /// Class code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<PciClass>,
    /// NUMA node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// Base address registers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bars: Vec<BarFact>,
    /// Number of MSI-X vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msix: Option<u16>,
    /// Number of MSI vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msi: Option<u16>,
    /// Virtual functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sriov: Option<SriovFact>,
    /// What its configuration space says of its place and of its isolation.
    #[serde(default, skip_serializing_if = "ConfigFact::is_unsaid")]
    pub config: ConfigFact,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

words! {
    /// Kind of a region in `reserved_regions`. The kernel prints `msi` for two kinds; only the model tells them apart.
    ListedKind {
        /// Must be mapped one to one.
        Direct = "direct",
        /// May be mapped one to one, and may be given up.
        DirectRelaxable = "direct-relaxable",
        /// Must not be mapped.
        Reserved = "reserved",
        /// Doorbells: either a hardware MSI region or the software MSI window.
        Msi = "msi",
    }
}

/// One line of a `reserved_regions` file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListedRegion {
    /// First IOVA.
    pub start: Iova,
    /// Last IOVA. May lie one below `start`: the kernel prints a region of length zero so.
    pub end: Iova,
    /// Kind as printed.
    pub kind: ListedKind,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// An IOMMU group.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupFact {
    /// Its number.
    pub id: GroupId,
    /// Functions in it, in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<PciAddress>,
    /// Devices in it that are no PCI functions, by their name in sysfs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// Type of its default domain as sysfs prints it: `DMA`, `DMA-FQ`, `identity`, `blocked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// What the kernel listed, in its order; absent when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Vec<ListedRegion>>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

words! {
    /// What firmware wants with a region.
    FirmwareKind {
        /// Mapped one to one, always (RMR, RMRR, unity map).
        Direct = "direct",
        /// Mapped one to one until a driver takes over (remap permitted, USB and display RMRR).
        DirectRelaxable = "direct-relaxable",
        /// Not mapped at all.
        Reserved = "reserved",
    }
}

/// A region that firmware claims for devices (IORT RMR, DMAR RMRR, IVRS IVMD, devicetree `iommu-addresses`).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirmwareRegionFact {
    /// Name, for messages.
    pub name: String,
    /// What firmware wants with it.
    pub kind: FirmwareKind,
    /// The IOVAs.
    pub span: Span<Iova>,
    /// The devices that it is for.
    pub devices: Vec<PciAddress>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}
