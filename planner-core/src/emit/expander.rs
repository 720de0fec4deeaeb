//! PCIe expander bridges: which passed devices lie below one, on which bus, and what it tells the guest.
//!
//! A bridge stands for an SMMU of the host that the guest nests in, or for a NUMA node of the host that memory of the
//! guest comes from, so that the guest finds its devices near that memory. What stands for neither stays on the root bus.

use std::collections::BTreeMap;

use super::Unsupported;
use super::iommu::{Passed, has_msis, passed};
use super::machine::Machine;
use crate::facts::Arch;
use crate::facts::guest::Viommu;
use crate::ids::PciAddress;
use crate::plan::{PassedDevice, Plan};
use crate::size::{MIB, Size};
use crate::version::Version;
use crate::vmm::RegionKind;

/// A PCI bus has so many places for root ports (PCI Local Bus Specification 3.0, 3.2.2.3.1).
const SLOTS_OF_BUS: usize = 32;
/// A bus number has 8 bits.
const MOST_BUSES: usize = 256;
/// hw/pci-host/gpex-acpi.c, acpi_dsdt_add_gpex, which tells an Arm guest of further host bridges.
const ARM_SINCE: Version = Version::new(6, 0);
/// The host bridge has one of the places of the root bus.
pub(super) const PLACES_OF_ROOT_BUS: usize = SLOTS_OF_BUS - 1;

/// A PCIe expander bridge with a root port for each of its devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Expander {
    /// Number of its bus; each root port has the next.
    pub(super) bus_number: u8,
    /// NUMA node of the guest, where all its devices belong to one.
    pub(super) node: Option<u32>,
    /// The devices.
    pub(super) devices: Vec<Passed>,
}

/// What a bridge stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stands {
    /// An SMMU of the host.
    Smmu(String),
    /// The SMMU in front of a bus of the host, whose name is not known: a host has at most one there.
    Bus(u16, u8),
    /// A NUMA node of the guest.
    Node(u32),
}

/// The bridges, and the devices that stay on the root bus.
///
/// # Errors
/// [`Unsupported`] when there are more devices or bridges than buses or places for them.
pub(super) fn expanders(plan: &Plan, machine: &Machine) -> Result<(Vec<Expander>, Vec<Passed>), Unsupported> {
    let places = Places::of(plan, machine);
    let mut known: BTreeMap<Stands, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<Passed>> = Vec::new();
    let mut rest = Vec::new();
    for device in passed(plan) {
        let Some(stands) = places.stands_for(device.1) else {
            rest.push(device);
            continue;
        };
        let index = *known.entry(stands).or_insert(groups.len());
        match groups.get_mut(index) {
            Some(devices) => devices.push(device),
            None => groups.push(vec![device]),
        }
    }
    let numbers = bus_numbers(&groups.iter().map(Vec::len).collect::<Vec<_>>(), buses(plan))?;
    let expander = |(devices, bus_number): (Vec<Passed>, u8)| Expander {
        bus_number,
        node: places.common_node(&devices),
        devices,
    };
    Ok((groups.into_iter().zip(numbers).map(expander).collect(), rest))
}

/// Whether there is any bridge. On Arm the guest learns of it from ACPI tables alone: the device tree has the root bus
/// (hw/arm/virt.c, create_pcie).
pub(super) fn any(plan: &Plan, machine: &Machine) -> bool {
    let places = Places::of(plan, machine);
    plan.guest.pass.iter().any(|&device| places.stands_for(device).is_some())
}

/// Where the passed devices are on the host.
struct Places<'a> {
    passed: BTreeMap<PciAddress, &'a PassedDevice>,
    /// Node of the guest by the node of the host that its memory comes from; the lowest, where several share one.
    nodes: BTreeMap<u32, u32>,
    behind_smmus: bool,
}

impl<'a> Places<'a> {
    fn of(plan: &'a Plan, machine: &Machine) -> Self {
        let mut nodes = BTreeMap::new();
        if tells_nodes(plan, machine) {
            for node in plan.guest.numa.iter() {
                let Some(host_node) = node.host_node else { continue };
                nodes.entry(host_node).or_insert(node.node);
            }
        }
        Self {
            passed: plan.passed.iter().map(|passed| (passed.address, passed)).collect(),
            nodes,
            behind_smmus: plan.guest.viommu == Viommu::SmmuV3,
        }
    }

    fn stands_for(&self, device: PciAddress) -> Option<Stands> {
        if !self.behind_smmus {
            return self.node(device).map(Stands::Node);
        }
        let smmu = self.passed.get(&device).and_then(|passed| passed.iommu.clone());
        Some(smmu.map_or_else(|| Stands::Bus(device.segment(), device.bus()), Stands::Smmu))
    }

    /// The node of the guest whose memory comes from the host's node that the device belongs to.
    fn node(&self, device: PciAddress) -> Option<u32> {
        self.nodes.get(&self.passed.get(&device)?.host_node?).copied()
    }

    fn common_node(&self, devices: &[Passed]) -> Option<u32> {
        let mut nodes = devices.iter().map(|&(_, device)| self.node(device));
        let first = nodes.next()??;
        nodes.all(|node| node == Some(first)).then_some(first)
    }
}

/// Whether the machine has bridges that carry a NUMA node, and the guest would learn of them.
fn tells_nodes(plan: &Plan, machine: &Machine) -> bool {
    let has = match plan.guest.arch {
        Arch::Aarch64 => machine.family() == "virt" && plan.vmm.version >= ARM_SINCE,
        Arch::X86_64 => machine.family() == "q35",
        // Its tables describe one host bridge (hw/riscv/virt.c, create_fdt_pcie; hw/riscv/virt-acpi-build.c).
        Arch::Riscv64 => false,
    };
    has && has_msis(plan) && !machine.is_off("acpi")
}

/// How many buses the machine's configuration space reaches: each takes 1 MiB of ECAM (PCI Express Base Specification 6.0,
/// 7.2.2), of which `virt` has 16 MiB without its high one.
fn buses(plan: &Plan) -> usize {
    let ecam = plan.regions.iter().find(|region| region.kind == RegionKind::Ecam);
    let bytes = ecam.and_then(|region| region.span.size()).map(Size::bytes);
    bytes
        .and_then(|bytes| usize::try_from(bytes / MIB).ok())
        .map_or(MOST_BUSES, |buses| buses.min(MOST_BUSES))
}

/// A bus for each bridge with so many ports, packed down from the last one, so that those below stay with the machine's own
/// root bus.
fn bus_numbers(ports: &[usize], buses: usize) -> Result<Vec<u8>, Unsupported> {
    let too_many = || {
        let because = format!("the passed devices need more PCI buses than the {buses} that there are");
        Unsupported::new(because, "pass fewer devices")
    };
    if ports.len() > PLACES_OF_ROOT_BUS {
        let because = format!(
            "the passed devices need {} PCIe expander bridges, and the root bus has place for {PLACES_OF_ROOT_BUS}",
            ports.len()
        );
        return Err(Unsupported::new(because, "pass fewer devices"));
    }
    let mut end = buses;
    let mut numbers = Vec::new();
    for &count in ports {
        if count > SLOTS_OF_BUS {
            let because = format!(
                "{count} passed devices share an SMMU or a node of the host, and a PCIe expander bridge takes {SLOTS_OF_BUS}"
            );
            return Err(Unsupported::new(because, "pass fewer devices"));
        }
        end = end.checked_sub(count.saturating_add(1)).filter(|&end| end > 0).ok_or_else(too_many)?;
        numbers.push(u8::try_from(end).map_err(|_| too_many())?);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expander_has_a_bus_for_itself_and_one_for_each_port() {
        assert_eq!(bus_numbers(&[], 256).unwrap(), [0; 0]);
        assert_eq!(bus_numbers(&[1], 256).unwrap(), [254]);
        assert_eq!(bus_numbers(&[2, 1], 256).unwrap(), [253, 251]);
        assert_eq!(bus_numbers(&[2, 1], 16).unwrap(), [13, 11]);
    }

    #[test]
    fn more_devices_than_buses_are_refused() {
        assert_eq!(bus_numbers(&[1; 31], 256).unwrap().last(), Some(&194));
        assert!(bus_numbers(&[1; 32], 256).is_err());
        assert_eq!(bus_numbers(&[8; 28], 256).unwrap().last(), Some(&4));
        assert!(bus_numbers(&[8; 29], 256).is_err());
        assert!(bus_numbers(&[32], 256).is_ok());
        assert!(bus_numbers(&[33], 256).is_err());
        assert!(bus_numbers(&[7, 6], 16).is_ok());
        assert!(bus_numbers(&[7, 7], 16).is_err());
    }
}
