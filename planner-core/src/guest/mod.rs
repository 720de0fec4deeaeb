//! What the guest needs, with every default filled in.

pub mod codes;
mod custom;
pub mod resolve;

use serde::{Deserialize, Serialize};

use crate::addr::{Gpa, Span};
use crate::facts::Arch;
use crate::facts::custom::CustomVmm;
use crate::facts::guest::{HazardPolicy, LayoutPolicy, NumaFact, Viommu, VmmKind};
use crate::ids::PciAddress;
use crate::size::{PageSize, Size};
use crate::version::Version;
use crate::vmm::Request;

/// The needs of one guest.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuestSpec {
    /// Its name.
    pub name: String,
    /// Instruction set.
    pub arch: Arch,
    /// The VMM.
    pub vmm: VmmKind,
    /// Its version.
    pub version: Version,
    /// Machine type and options in the VMM's own words.
    pub machine: String,
    /// CPU model in the VMM's own words.
    pub cpu: String,
    /// What a `custom` VMM can do; nothing said binds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomVmm>,
    /// Memory at boot.
    pub memory: Size,
    /// Host pages behind it.
    pub pages: PageSize,
    /// Memory that may be plugged in later.
    pub hotplug: Size,
    /// Slots for it.
    pub slots: u32,
    /// NUMA nodes, in order; empty for a guest without NUMA.
    pub numa: Vec<NumaFact>,
    /// Number of virtual CPUs.
    pub vcpus: u32,
    /// Host devices to pass through, ascending.
    pub pass: Vec<PciAddress>,
    /// The guest's IOMMU.
    pub viommu: Viommu,
    /// Whether the VMM uses iommufd.
    pub iommufd: bool,
    /// What hazards do to RAM.
    pub hazards: HazardPolicy,
    /// For whom the layout is made.
    pub policy: LayoutPolicy,
    /// Guest-physical address bits that the hypervisor offers, if known.
    pub ipa_bits: Option<u8>,
    /// Addresses to keep clear of RAM.
    pub avoid: Vec<Span<Gpa>>,
    /// The version of libvirt that a domain is written for; the newest known if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libvirt: Option<Version>,
}

impl GuestSpec {
    /// The guest, as its VMM is asked about it.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            kind: self.vmm,
            version: self.version,
            arch: self.arch,
            machine: self.machine.clone(),
            cpu: self.cpu.clone(),
            custom: self.custom.clone(),
            vcpus: self.vcpus,
            ipa_bits: self.ipa_bits,
            memory: self.memory,
            pages: self.pages,
            hotplug: self.hotplug,
            slots: self.slots,
            viommu: self.viommu,
        }
    }
}
