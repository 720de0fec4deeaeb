//! What is passed through, the guest's IOMMU, and the controllers that both need.

use super::super::Unsupported;
use super::super::expander::{Expander, expanders};
use super::super::iommu::{GRANULE_SINCE, Passed, has_msis, output_width, passed, pc_width, refuse};
use super::super::machine::{HIGH_MMIO_SIZE, Machine, pci_hole};
use super::version::{self, Libvirt};
use super::xml::Element;
use crate::facts::Arch;
use crate::facts::guest::Viommu;
use crate::plan::Plan;
use crate::size::{KIB, PageSize, Size, parse_number};

/// libvirt's word for a PCIe expander bridge.
const EXPANDER: &str = "pcie-expander-bus";

/// Controllers, passed devices, IOMMUs. libvirt puts the root ports of a PCIe machine in by itself, but for those below
/// expander bridges.
pub(super) fn devices(
    plan: &Plan,
    machine: &mut Machine,
    libvirt: &mut Libvirt,
) -> Result<Vec<Element>, Unsupported> {
    refuse(plan, machine)?;
    if !plan.guest.pass.is_empty() && !has_msis(plan) {
        let because =
            "libvirt puts passed devices into root ports, which need MSIs, and the machine has none";
        return Err(Unsupported::new(because, "plan again without its=off, or emit for qemu"));
    }
    let iommu = iommu(plan, libvirt)?;
    let iommufd = iommufd(plan, libvirt)?;
    let (expanders, mut rest) = expanders(plan, machine)?;
    let bridged = !expanders.is_empty() && takes_expanders(plan, libvirt);
    let window = window(plan, machine, libvirt)?;
    if !bridged {
        rest = passed(plan);
    }
    let mut elements: Vec<Element> = Vec::new();
    if window.is_some() || bridged {
        let model = if machine.family() == "pc" { "pci-root" } else { "pcie-root" };
        elements.push(controller(0, model).children(window));
    }
    let mut placed = Placed::default();
    for expander in expanders.iter().filter(|_| bridged) {
        placed.expander(plan, expander, iommufd);
    }
    elements.extend(placed.controllers);
    elements.extend(placed.hostdevs);
    elements.extend(rest.iter().map(|device| hostdev(device, iommufd)));
    elements.extend(placed.smmus);
    elements.extend(iommu);
    Ok(elements)
}

/// How a passed device is told to use iommufd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Iommufd {
    /// Not at all, or for the whole domain.
    Unsaid,
    /// By the device itself.
    Said,
}

fn iommufd(plan: &Plan, libvirt: &mut Libvirt) -> Result<Iommufd, Unsupported> {
    if !plan.guest.iommufd || libvirt.has(version::IOMMUFD) {
        return Ok(Iommufd::Unsaid);
    }
    libvirt.require(version::DEVICE_IOMMUFD)?;
    Ok(Iommufd::Said)
}

/// Whether the bridges can be said. Those for SMMUs must be; without those that tell NUMA nodes the guest has the same
/// memory map.
fn takes_expanders(plan: &Plan, libvirt: &mut Libvirt) -> bool {
    let takes = plan.guest.arch != Arch::Aarch64 || libvirt.has(version::ARM_EXPANDER);
    if !takes {
        let remark = "The guest does not see which of its NUMA nodes its devices are near to: on Arm that needs libvirt 9.0.";
        libvirt.remarks.push(remark.to_owned());
    }
    takes
}

/// The guest's IOMMU, but for SMMUs, of which each has a bus.
fn iommu(plan: &Plan, libvirt: &mut Libvirt) -> Result<Option<Element>, Unsupported> {
    let iommu = |model| Element::new("iommu").with("model", model);
    Ok(match plan.guest.viommu {
        Viommu::None => None,
        Viommu::SmmuV3 => {
            libvirt.require(version::ACCELERATED_SMMU)?;
            None
        }
        Viommu::Virtio if plan.guest.arch == Arch::Riscv64 => {
            return Err(Unsupported::new("libvirt has no virtio-iommu for riscv64", "use --vmm qemu"));
        }
        Viommu::Virtio => {
            libvirt.require(version::VIRTIO_IOMMU)?;
            Some(iommu("virtio").children(virtio_options(plan, libvirt)))
        }
        Viommu::Intel => {
            let driver = Element::new("driver")
                .with("intremap", "on")
                .with("caching_mode", "on")
                .with("aw_bits", pc_width(plan).to_string());
            Some(iommu("intel").child(driver))
        }
    })
}

/// Granule and width of a virtio-iommu. An older libvirt leaves them to QEMU, which since 9.0 takes the host's granule and 48
/// bits on Arm, 39 on x86 (hw/arm/virt.c, hw/i386/pc.c, the compatibility properties of virtio-iommu-pci); where the plan
/// wants others, QEMU is told.
fn virtio_options(plan: &Plan, libvirt: &mut Libvirt) -> Option<Element> {
    if plan.vmm.version < GRANULE_SINCE {
        return None;
    }
    let (width, usual) = virtio_widths(plan);
    if libvirt.has(version::GRANULE) {
        let driver = Element::new("driver").with("aw_bits", width.to_string());
        return Some(driver.child(Element::new("granule").with("mode", "host")));
    }
    if plan.host.page_size != PageSize::K4 {
        libvirt.argument("-global", "virtio-iommu-pci.granule=host".to_owned());
    }
    if width != usual {
        libvirt.argument("-global", format!("virtio-iommu-pci.aw-bits={width}"));
    }
    None
}

/// The width that the plan wants, and QEMU's own.
fn virtio_widths(plan: &Plan) -> (u8, u8) {
    if plan.guest.arch == Arch::X86_64 { (pc_width(plan), 39) } else { (48, 48) }
}

/// The size of the root bus's 64-bit window, where the plan sets it: that of a PC, and on Arm that of the machine, unless
/// libvirt lacks it there.
fn window(plan: &Plan, machine: &mut Machine, libvirt: &mut Libvirt) -> Result<Option<Element>, Unsupported> {
    // libvirt keeps it in KiB, rounded up.
    let hole = |size: Size| {
        let kibibytes = size.bytes().div_ceil(KIB).to_string();
        Element::text("pcihole64", kibibytes).with("unit", "KiB")
    };
    if let Some(bridge) = pci_hole(plan, machine)? {
        return Ok(Some(hole(bridge.window)));
    }
    let said = machine.get(HIGH_MMIO_SIZE).and_then(|text| parse_number(text).ok()).map(Size::from_bytes);
    let whole = said.filter(|size| machine.family() == "virt" && size.bytes().is_multiple_of(KIB));
    let Some(size) = whole.filter(|_| libvirt.has(version::ARM_PCI_HOLE)) else { return Ok(None) };
    machine.take(HIGH_MMIO_SIZE);
    Ok(Some(hole(size)))
}

/// Whether the element is a PCIe expander bridge.
pub(super) fn is_expander(element: &Element) -> bool {
    element.attribute("model") == Some(EXPANDER)
}

fn controller(index: usize, model: &str) -> Element {
    Element::new("controller").with("type", "pci").with("index", index.to_string()).with("model", model)
}

fn hostdev((_, device): &Passed, iommufd: Iommufd) -> Element {
    let address = Element::new("address")
        .with("domain", format!("{:#06x}", device.segment()))
        .with("bus", format!("{:#04x}", device.bus()))
        .with("slot", format!("{:#04x}", device.device()))
        .with("function", format!("{:#x}", device.function()));
    let hostdev =
        Element::new("hostdev").with("mode", "subsystem").with("type", "pci").with("managed", "yes");
    let driver = (iommufd == Iommufd::Said).then(|| Element::new("driver").with("iommufd", "yes"));
    hostdev.children(driver).child(Element::new("source").child(address))
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

/// What is below expander bridges. Controllers are numbered in the order in which they are put here, behind the root bus.
#[derive(Default)]
struct Placed {
    controllers: Vec<Element>,
    hostdevs: Vec<Element>,
    smmus: Vec<Element>,
}

impl Placed {
    /// A bridge, a root port for each of its devices, the devices, and the SMMU in front of them if the guest has one.
    fn expander(&mut self, plan: &Plan, expander: &Expander, iommufd: Iommufd) {
        let node = expander.node.map(|node| Element::text("node", node.to_string()));
        let target = Element::new("target").with("busNr", expander.bus_number.to_string()).children(node);
        let bridge = self.controller(EXPANDER, target);
        if plan.guest.viommu == Viommu::SmmuV3 {
            let driver = Element::new("driver").with("pciBus", bridge.to_string()).with("accel", "on");
            let driver = output_width(plan)
                .into_iter()
                .fold(driver, |driver, width| driver.with("oas", width.to_string()));
            self.smmus.push(Element::new("iommu").with("model", "smmuv3").child(driver));
        }
        for (slot, device) in expander.devices.iter().enumerate() {
            let port = self.controller("pcie-root-port", guest_address(bridge, slot));
            self.hostdevs.push(hostdev(device, iommufd).child(guest_address(port, 0)));
        }
    }

    /// Puts a controller in; its index.
    fn controller(&mut self, model: &str, content: Element) -> usize {
        let index = self.controllers.len().saturating_add(1);
        self.controllers.push(controller(index, model).child(content));
        index
    }
}
