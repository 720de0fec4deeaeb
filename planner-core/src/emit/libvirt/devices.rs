//! What is passed through, the guest's IOMMU, and the controllers that both need.

use super::super::Unsupported;
use super::super::iommu::{Passed, has_msis, passed, pc_width, refuse, smmu_groups};
use super::super::machine::{Machine, pci_hole};
use super::xml::Element;
use crate::facts::Arch;
use crate::facts::guest::Viommu;
use crate::plan::Plan;
use crate::size::KIB;

/// Controllers, passed devices, IOMMU. libvirt puts the root ports of a PCIe machine in by itself.
pub(super) fn devices(plan: &Plan, machine: &Machine) -> Result<Vec<Element>, Unsupported> {
    refuse(plan, machine)?;
    if plan.guest.viommu == Viommu::Virtio && plan.guest.arch == Arch::Riscv64 {
        return Err(Unsupported::new("libvirt has no virtio-iommu for riscv64", "use --vmm qemu"));
    }
    if !plan.guest.pass.is_empty() && !has_msis(plan) {
        let because =
            "libvirt puts passed devices into root ports, which need MSIs, and the machine has none";
        return Err(Unsupported::new(because, "plan again without its=off, or emit for qemu"));
    }
    if plan.guest.viommu == Viommu::SmmuV3 {
        return smmus(plan);
    }
    let mut elements = Vec::new();
    elements.extend(pci_root(plan, machine)?);
    elements.extend(passed(plan).iter().map(hostdev));
    let iommu = |model| Element::new("iommu").with("model", model);
    elements.extend(match plan.guest.viommu {
        Viommu::Virtio => Some(iommu("virtio")),
        Viommu::Intel => {
            let driver = Element::new("driver")
                .with("intremap", "on")
                .with("caching_mode", "on")
                .with("aw_bits", pc_width(plan).to_string());
            Some(iommu("intel").child(driver))
        }
        Viommu::None | Viommu::SmmuV3 => None,
    });
    Ok(elements)
}

/// The oldest libvirt that has all elements (docs/formatdomain.rst), if it is not simply an old one.
pub(super) fn needed_libvirt(plan: &Plan) -> Option<String> {
    let version = match plan.guest.viommu {
        Viommu::SmmuV3 => "12.7",
        _ if plan.guest.iommufd => "12.2",
        _ if plan.guest.cpu.contains("host-phys-bits-limit=") => "9.3",
        _ => return None,
    };
    Some(format!("Needs libvirt {version} or newer."))
}

/// The root bus of a PC, when the plan sets the size of its 64-bit window.
fn pci_root(plan: &Plan, machine: &Machine) -> Result<Option<Element>, Unsupported> {
    let Some(bridge) = pci_hole(plan, machine)? else { return Ok(None) };
    // libvirt keeps it in KiB, rounded up.
    let kibibytes = bridge.window.bytes().div_ceil(KIB).to_string();
    let hole = Element::text("pcihole64", kibibytes).with("unit", "KiB");
    Ok(Some(controller(0, bridge.libvirt).child(hole)))
}

fn controller(index: usize, model: &str) -> Element {
    Element::new("controller").with("type", "pci").with("index", index.to_string()).with("model", model)
}

fn hostdev((_, device): &Passed) -> Element {
    let address = Element::new("address")
        .with("domain", format!("{:#06x}", device.segment()))
        .with("bus", format!("{:#04x}", device.bus()))
        .with("slot", format!("{:#04x}", device.device()))
        .with("function", format!("{:#x}", device.function()));
    let hostdev =
        Element::new("hostdev").with("mode", "subsystem").with("type", "pci").with("managed", "yes");
    hostdev.child(Element::new("source").child(address))
}

/// Place of a device on a bus of the guest, by controller index and slot.
fn guest_address(bus: usize, slot: usize) -> Element {
    Element::new("address")
        .with("type", "pci")
        .with("domain", "0x0000")
        .with("bus", format!("{bus:#04x}"))
        .with("slot", format!("{slot:#04x}"))
        .with("function", "0x0")
}

/// Accelerated SMMUs: for each a PCIe expander bridge, a root port for each of its devices, the devices, and the SMMU.
fn smmus(plan: &Plan) -> Result<Vec<Element>, Unsupported> {
    let (mut controllers, mut devices, mut smmus) =
        (vec![controller(0, "pcie-root")], Vec::new(), Vec::new());
    for group in smmu_groups(plan)? {
        let bridge = controllers.len();
        let target = Element::new("target").with("busNr", group.bus_number.to_string());
        controllers.push(controller(bridge, "pcie-expander-bus").child(target));
        let driver = Element::new("driver").with("pciBus", bridge.to_string()).with("accel", "on");
        smmus.push(Element::new("iommu").with("model", "smmuv3").child(driver));
        for (slot, device) in group.devices.iter().enumerate() {
            let port = controllers.len();
            controllers.push(controller(port, "pcie-root-port").child(guest_address(bridge, slot)));
            devices.push(hostdev(device).child(guest_address(port, 0)));
        }
    }
    Ok(controllers.into_iter().chain(devices).chain(smmus).collect())
}
