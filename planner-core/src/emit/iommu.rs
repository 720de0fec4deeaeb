//! What QEMU asks of a guest with an IOMMU, by version.

use super::Unsupported;
use super::machine::Machine;
use super::parts::{needs, needs_firmware};
use crate::facts::Arch;
use crate::facts::guest::Viommu;
use crate::ids::PciAddress;
use crate::plan::Plan;
use crate::size::PageSize;
use crate::version::Version;
use crate::vmm::{IommuWidth, RegionKind};

/// backends/iommufd.c: the object came with QEMU 9.0.
const IOMMUFD_SINCE: Version = Version::new(9, 0);
/// hw/virtio/virtio-iommu.c: `granule` and `aw-bits` came with QEMU 9.0 (v9.0.0-rc0~9^2~11, ~7). Before, the guest's
/// pages are of 4 KiB, and a host with larger ones cannot map them.
pub(super) const GRANULE_SINCE: Version = Version::new(9, 0);
/// hw/riscv/virt.c: `create_fdt_virtio_iommu` came with QEMU 9.0.
const RISCV_VIRTIO_SINCE: Version = Version::new(9, 0);
/// hw/arm/smmuv3.c: `accel=on` of arm-smmuv3; 11.1.3 has it, 10.0.13 lacks even the device.
const ACCELERATED_SMMU_SINCE: Version = Version::new(11, 0);
/// A passed device and its number, which names it.
pub(super) type Passed = (usize, PciAddress);

/// The passed devices with their numbers.
pub(super) fn passed(plan: &Plan) -> Vec<Passed> {
    plan.guest.pass.iter().copied().enumerate().collect()
}

/// Whether devices of the guest have somewhere to write MSIs: a GICv3 without an ITS or a GICv2m frame has nothing (hw/arm/virt.c,
/// `its=off`). Root ports need it: "MSI-X is not supported by interrupt controller" (hw/pci-bridge/pcie_root_port.c,
/// rp_realize). A passed device itself falls back to a wire.
pub(super) fn has_msis(plan: &Plan) -> bool {
    let has = |kinds: &[RegionKind]| plan.regions.iter().any(|region| kinds.contains(&region.kind));
    !has(&[RegionKind::Gicr]) || has(&[RegionKind::Its, RegionKind::V2m])
}

/// Refuses an IOMMU or iommufd that the machine or the version of QEMU does not have.
pub(super) fn refuse(plan: &Plan, machine: &Machine) -> Result<(), Unsupported> {
    if plan.guest.iommufd {
        needs(plan, IOMMUFD_SINCE, "iommufd")?;
    }
    refuse_silent(plan, machine)?;
    match plan.guest.viommu {
        Viommu::None => Ok(()),
        Viommu::Virtio if plan.vmm.version < virtio_since(plan) => {
            needs(plan, virtio_since(plan), "virtio-iommu that this guest would find")
        }
        Viommu::Virtio if plan.host.page_size == PageSize::K4 => Ok(()),
        Viommu::Virtio => needs(plan, GRANULE_SINCE, "virtio-iommu with granule="),
        Viommu::Intel if machine.family() == "q35" => Ok(()),
        Viommu::Intel => {
            let because = format!("the machine {} has no Intel IOMMU", machine.kind);
            Err(Unsupported::new(because, "plan again with --machine q35"))
        }
        Viommu::SmmuV3 if plan.guest.arch != Arch::Aarch64 => {
            let because = format!("QEMU has no SMMUv3 for {}", plan.guest.arch);
            Err(Unsupported::new(because, "plan again with another IOMMU for the guest"))
        }
        Viommu::SmmuV3 if !has_msis(plan) => {
            let because =
                "the devices behind an SMMUv3 are in root ports, which need MSIs, and the machine has none";
            Err(Unsupported::new(because, "plan again without its=off"))
        }
        Viommu::SmmuV3 if !plan.guest.iommufd => {
            // hw/arm/smmuv3-accel.c: "vfio-pci endpoint devices without an iommufd backend not allowed".
            Err(Unsupported::new("an accelerated SMMUv3 needs iommufd", "plan again with iommufd"))
        }
        Viommu::SmmuV3 if plan.needed_bits > 48 => {
            let because = format!(
                "an SMMUv3 of QEMU reaches 48 bits of guest-physical address, and the guest needs {}",
                plan.needed_bits
            );
            Err(Unsupported::new(because, "plan again with less memory or a smaller PCI window"))
        }
        Viommu::SmmuV3 => needs(plan, ACCELERATED_SMMU_SINCE, "arm-smmuv3 with accel=on"),
    }
}

/// hw/virtio/virtio-iommu.c tells VFIO of mappings since 5.2 (virtio_iommu_replay), to guests with a device tree. Those with
/// ACPI find it since 6.2 on a PC and 7.0 on Arm (hw/acpi/viot.c; before, "machine fails to create iommu-map device tree
/// bindings", hw/virtio/virtio-iommu-pci.c), those of riscv64 since 9.0 (hw/riscv/virt.c, create_fdt_virtio_iommu).
fn virtio_since(plan: &Plan) -> Version {
    match plan.guest.arch {
        Arch::X86_64 => Version::new(6, 2),
        Arch::Riscv64 => RISCV_VIRTIO_SINCE,
        Arch::Aarch64 if needs_firmware(plan) => Version::new(7, 0),
        Arch::Aarch64 => Version::new(5, 2),
    }
}

/// Refuses passed devices behind the machine's own RISC-V IOMMU, of which VFIO learns nothing (hw/riscv/riscv-iommu.c,
/// riscv_iommu_memory_region_notify).
fn refuse_silent(plan: &Plan, machine: &Machine) -> Result<(), Unsupported> {
    let on = plan.guest.arch == Arch::Riscv64 && machine.get("iommu-sys") == Some("on");
    if !on || plan.guest.pass.is_empty() || plan.guest.viommu == Viommu::Virtio {
        return Ok(());
    }
    Err(Unsupported::new(
        "passed devices behind the IOMMU of iommu-sys=on reach no memory: QEMU does not tell VFIO of its mappings",
        "plan again without iommu-sys=on, or with --viommu virtio",
    ))
}

/// Width of the addresses of the guest's IOMMU.
pub(super) fn pc_width(plan: &Plan) -> u8 {
    IommuWidth::for_map(plan.needed_bits).bits
}

/// Width of the addresses that an accelerated SMMU hands to the host's second stage, where QEMU's own 44 bits (oas=auto;
/// hw/arm/smmuv3-accel.c, smmuv3_accel_idr_override) do not reach what the guest has.
pub(super) fn output_width(plan: &Plan) -> Option<u8> {
    (plan.needed_bits > 44).then_some(48)
}
