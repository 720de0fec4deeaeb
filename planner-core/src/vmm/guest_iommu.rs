//! What a VMM tells its guest, through the guest's IOMMU, of what the host keeps: the guest's kernel hands out DMA addresses
//! behind that IOMMU by itself, and must know which ones the host refuses or misroutes.
//!
//! No VMM tells of windows of the host's root complexes: the host's kernel does not tell the VMM.

use super::Request;
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::version::Version;

/// hw/virtio/virtio-iommu.c, virtio_iommu_set_iova_ranges (later virtio_iommu_set_host_iova_ranges): what VFIO may not map
/// comes out of PROBE as RESV_MEM. It came after 7.2 and is in 9.0; of the versions between, too much is told rather than too
/// little.
const QEMU_RANGES_SINCE: Version = Version::new(9, 0);

/// What the guest is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Where the host's kernel maps MSI doorbells, or where they are fixed.
    pub msi: bool,
    /// What else the host's kernel refuses to map, with the end of the addresses that its IOMMU translates.
    pub refused: bool,
}

/// What this VMM tells its guest through the IOMMU that the request names.
///
/// QEMU: above; for an accelerated SMMUv3 hw/arm/virt-acpi-build.c, build_iort_rmr_nodes has the doorbell window, and the
/// guest's addresses end where the host's do, since it reads the host's registers. Cloud Hypervisor
/// (virtio-devices/src/iommu.rs) and crosvm (devices/src/virtio/iommu.rs, probe) tell of MSIs only, and crosvm of those of a
/// PC whatever the architecture. On a PC the doorbell is architectural, 0xfee0_0000 (Intel SDM 3A, 11.11.1).
#[must_use]
pub fn told(request: &Request) -> Told {
    let pc = request.arch == Arch::X86_64;
    match (request.kind, request.viommu) {
        (VmmKind::Qemu, Viommu::Virtio) => {
            let ranges = request.version >= QEMU_RANGES_SINCE;
            Told { msi: pc || ranges, refused: ranges }
        }
        (VmmKind::Qemu, Viommu::SmmuV3) => Told { msi: true, refused: false },
        _ => Told { msi: pc, refused: false },
    }
}

/// Width of the addresses that a configuration gives a guest's IOMMU whose VMM asks for one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IommuWidth {
    /// In bits.
    pub bits: u8,
}

impl IommuWidth {
    /// 39 bits, which every host has, unless the guest's own memory map is wider. QEMU refuses to start with more than the
    /// host has ("aw-bits 48 > host aw-bits 39", hw/i386/intel_iommu.c, vtd_check_hiod; since QEMU 9.2 the default is 48).
    #[must_use]
    pub const fn for_map(needed_bits: u8) -> Self {
        Self { bits: if needed_bits > 39 { 48 } else { 39 } }
    }
}

/// Width of the addresses behind the guest's IOMMU, where its configuration limits them below 64 bits and the host's own
/// limits do not reach it.
#[must_use]
pub fn width(request: &Request, needed_bits: u8) -> Option<IommuWidth> {
    match (request.kind, request.viommu) {
        (VmmKind::Qemu, Viommu::Intel) | (VmmKind::CloudHypervisor, Viommu::Virtio) => {
            Some(IommuWidth::for_map(needed_bits))
        }
        _ => None,
    }
}
