//! What files and flags say about a guest.

use serde::{Deserialize, Serialize};

use super::custom::CustomVmm;
use super::{Arch, words};
use crate::addr::{Gpa, Span};
use crate::diag::Origin;
use crate::ids::PciAddress;
use crate::size::{PageSize, Size};
use crate::version::Version;

/// Facts about one guest. In JSON: schema `guest/1`. What is absent gets the default of the VMM or of the planner.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GuestFacts {
    /// Name of the guest; VMMs take it as the name of the machine.
    pub name: String,
    /// Where the guest was named.
    #[serde(skip)]
    pub origin: Origin,
    /// Instruction set; the host's if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
    /// The VMM that shall run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmm: Option<VmmFact>,
    /// Its memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryFact>,
    /// NUMA nodes, in order; their memory adds up to the guest's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numa: Vec<NumaFact>,
    /// Number of virtual CPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u32>,
    /// Host devices to pass through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pass: Vec<PassFact>,
    /// The guest's IOMMU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viommu: Option<Viommu>,
    /// Whether the VMM uses iommufd rather than VFIO type1 containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iommufd: Option<bool>,
    /// What hazards do to RAM; strict if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hazards: Option<HazardPolicy>,
    /// Whether the layout is made for this host or for all of its devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<LayoutPolicy>,
    /// Number of guest-physical address bits; the host's if absent. 32 to 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipa_bits: Option<u8>,
    /// Further guest-physical addresses to keep clear of RAM.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub avoid: Vec<AvoidFact>,
    /// The version of libvirt that a domain is written for, where libvirt runs the VMM; the newest known if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libvirt: Option<Version>,
}

words! {
    /// A virtual machine monitor that the planner knows.
    VmmKind {
        /// QEMU, any machine type.
        Qemu = "qemu",
        /// kvmtool (`lkvm`).
        Kvmtool = "kvmtool",
        /// crosvm.
        Crosvm = "crosvm",
        /// Cloud Hypervisor.
        CloudHypervisor = "cloud-hypervisor",
        /// Firecracker. It passes no host devices through.
        Firecracker = "firecracker",
        /// OpenVMM.
        Openvmm = "openvmm",
        /// Xen: an HVM domain of libxl on x86, a domain without dom0 ("dom0less") on arm64.
        Xen = "xen",
        /// A VMM that the guest's file describes.
        Custom = "custom",
    }
}

/// The VMM that shall run the guest, in its own words.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VmmFact {
    /// Which one.
    pub kind: VmmKind,
    /// Its version; the newest known if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Machine type and options in the VMM's own words: `virt,gic-version=3,highmem=off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// CPU model in the VMM's own words: `host`, `neoverse-n1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// What a `custom` VMM can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomVmm>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// The guest's memory.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryFact {
    /// How much there is at boot.
    pub size: Size,
    /// Size of the host pages behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<PageSize>,
    /// How much more may be plugged in later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotplug: Option<Size>,
    /// Slots for what is plugged in later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A NUMA node of the guest.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumaFact {
    /// Its number.
    pub node: u32,
    /// Its memory.
    pub memory: Size,
    /// First virtual CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_cpu: Option<u32>,
    /// Last virtual CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_cpu: Option<u32>,
    /// Host node that its memory comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_node: Option<u32>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

/// A host device to pass through.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassFact {
    /// Its place on the host.
    pub device: PciAddress,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}

words! {
    /// The guest's IOMMU.
    Viommu {
        /// None: IOVAs are guest-physical addresses.
        None = "none",
        /// virtio-iommu.
        Virtio = "virtio",
        /// SMMUv3, accelerated by the host's (nested translation). RAM is still mapped at its guest-physical address.
        SmmuV3 = "smmuv3",
        /// Intel VT-d.
        Intel = "intel",
    }
}

words! {
    /// What hazards (regions that the kernel does not refuse but the hardware may misroute) do.
    HazardPolicy {
        /// RAM keeps out of them; BARs are only warned about.
        Strict = "strict",
        /// RAM is only warned about too.
        Relaxed = "relaxed",
        /// Not looked at.
        Ignore = "ignore",
    }
}

words! {
    /// For whom the layout is made.
    LayoutPolicy {
        /// For this host and these devices.
        HostFit = "host-fit",
        /// For every device of this host: it keeps clear of what any group reserves and of every window.
        Portable = "portable",
    }
}

/// Guest-physical addresses to keep clear of RAM.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AvoidFact {
    /// The addresses.
    pub span: Span<Gpa>,
    /// Where it was said.
    #[serde(skip)]
    pub origin: Origin,
}
