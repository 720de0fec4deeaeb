//! What QEMU asks of a guest with an IOMMU, by version, and which passed devices share an SMMU.

use super::Unsupported;
use super::machine::Machine;
use super::parts::needs;
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
/// hw/arm/smmuv3.c: `accel=on` of arm-smmuv3; 11.1.3 has it, 10.0.13 lacks even the device.
const ACCELERATED_SMMU_SINCE: Version = Version::new(11, 0);
/// A PCI bus has so many places for root ports (PCI Local Bus Specification 3.0, 3.2.2.3.1).
const SLOTS_OF_BUS: usize = 32;
/// The host bridge has one of the places of the root bus.
pub(super) const PLACES_OF_ROOT_BUS: usize = SLOTS_OF_BUS - 1;

/// A passed device and its number, which names it.
pub(super) type Passed = (usize, PciAddress);

/// Passed devices behind one SMMU of the guest, on a PCIe expander bridge of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SmmuGroup {
    /// Bus number of the expander; each root port has the next.
    pub(super) bus_number: u8,
    /// The devices.
    pub(super) devices: Vec<Passed>,
}

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
    match plan.guest.viommu {
        Viommu::None => Ok(()),
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
        Viommu::SmmuV3 => needs(plan, ACCELERATED_SMMU_SINCE, "arm-smmuv3 with accel=on"),
    }
}

/// Width of the addresses of the guest's IOMMU.
pub(super) fn pc_width(plan: &Plan) -> u8 {
    IommuWidth::for_map(plan.needed_bits).bits
}

/// Devices of one bus of the host share an SMMU: the guest's SMMU must stand for one of the host's, and a host has at
/// most one in front of a bus. Bus numbers are packed down from 255, so that those below stay with the machine's own
/// root bus.
pub(super) fn smmu_groups(plan: &Plan) -> Result<Vec<SmmuGroup>, Unsupported> {
    groups_of(&passed(plan))
}

fn groups_of(devices: &[Passed]) -> Result<Vec<SmmuGroup>, Unsupported> {
    let too_many =
        || Unsupported::new("the passed devices need more PCI buses than there are", "pass fewer devices");
    let bus = |device: &Passed| (device.1.segment(), device.1.bus());
    let mut end: usize = 256;
    let mut groups = Vec::new();
    for devices in devices.chunk_by(|a, b| bus(a) == bus(b)) {
        if devices.len() > SLOTS_OF_BUS {
            let because = format!(
                "{} passed devices share a bus of the host, and an SMMU takes {SLOTS_OF_BUS}",
                devices.len()
            );
            return Err(Unsupported::new(because, "pass fewer devices"));
        }
        end = end.checked_sub(devices.len().saturating_add(1)).filter(|&end| end > 0).ok_or_else(too_many)?;
        let bus_number = u8::try_from(end).map_err(|_| too_many())?;
        if groups.len() == PLACES_OF_ROOT_BUS {
            let because = format!(
                "the passed devices need more than {PLACES_OF_ROOT_BUS} SMMUs, one for each bus of the host"
            );
            return Err(Unsupported::new(because, "pass fewer devices"));
        }
        groups.push(SmmuGroup { bus_number, devices: devices.to_vec() });
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(devices: &[&str]) -> Result<Vec<(u8, usize)>, Unsupported> {
        let devices: Vec<Passed> = devices.iter().map(|text| text.parse().unwrap()).enumerate().collect();
        Ok(groups_of(&devices)?.into_iter().map(|group| (group.bus_number, group.devices.len())).collect())
    }

    #[test]
    fn an_expander_has_a_bus_for_itself_and_one_for_each_port() {
        assert_eq!(numbers(&[]).unwrap(), []);
        assert_eq!(numbers(&["0000:01:00.0"]).unwrap(), [(254, 1)]);
        let three = ["0000:01:00.0", "0000:01:00.1", "0001:01:00.0"];
        assert_eq!(numbers(&three).unwrap(), [(253, 2), (251, 1)]);
    }

    #[test]
    fn more_devices_than_buses_are_refused() {
        let many: Vec<String> = (0..200).map(|bus| format!("0000:{bus:02x}:00.0")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(numbers(many.get(..31).unwrap()).unwrap().last(), Some(&(194, 1)));
        assert!(numbers(many.get(..32).unwrap()).is_err());
        let eight_each: Vec<String> = (0..240).map(|n| format!("0000:{:02x}:00.{}", n / 8, n % 8)).collect();
        let eight_each: Vec<&str> = eight_each.iter().map(String::as_str).collect();
        assert_eq!(numbers(eight_each.get(..224).unwrap()).unwrap().last(), Some(&(4, 8)));
        assert!(numbers(&eight_each).is_err());
        let one_bus: Vec<String> = (0..33).map(|n| format!("0000:01:{:02x}.{}", n / 8, n % 8)).collect();
        let one_bus: Vec<&str> = one_bus.iter().map(String::as_str).collect();
        assert!(numbers(&one_bus).is_err());
        assert!(numbers(one_bus.get(..32).unwrap()).is_ok());
    }
}
