//! What is passed through, and the guest's IOMMU in front of it.

use super::super::Unsupported;
use super::super::expander::{Expander, PLACES_OF_ROOT_BUS, expanders};
use super::super::iommu::{GRANULE_SINCE, Passed, has_msis, output_width, pc_width, refuse};
use super::super::machine::Machine;
use super::QemuOption;
use crate::facts::Arch;
use crate::facts::guest::Viommu;
use crate::plan::Plan;

/// IOMMU first: it must be there before the devices behind it.
pub(super) fn options(plan: &Plan) -> Result<Vec<QemuOption>, Unsupported> {
    let (machine, _) = Machine::planned(plan)?;
    refuse(plan, &machine)?;
    let mut options = Vec::new();
    if plan.guest.iommufd {
        let option = QemuOption::new("-object").head("iommufd").with("id", "iommufd0");
        options.push(option.because("the guest's devices are passed through with iommufd"));
    }
    match plan.guest.viommu {
        Viommu::None | Viommu::SmmuV3 => {}
        Viommu::Virtio => options.push(virtio_iommu(plan)),
        Viommu::Intel => options.push(intel_iommu(plan)),
    }
    let (expanders, rest) = expanders(plan, &machine)?;
    refuse_crowd(plan, &machine, expanders.len().saturating_add(rest.len()))?;
    for (index, expander) in (1..).zip(&expanders) {
        options.extend(behind_expander(plan, index, expander));
    }
    for device in &rest {
        // i440FX has no PCIe: devices are on its one bus. So are they where no port can be.
        if machine.family() == "pc" || !has_msis(plan) {
            options.push(vfio(plan, device));
        } else {
            options.extend(behind_port(plan, "pcie.0", device));
        }
    }
    Ok(options)
}

/// Refuses more devices and expander bridges than the root bus has places: a PC's chips have one more of them than
/// `virt`.
fn refuse_crowd(plan: &Plan, machine: &Machine, count: usize) -> Result<(), Unsupported> {
    let chips = usize::from(machine.family() != "virt");
    let iommu = usize::from(plan.guest.viommu == Viommu::Virtio);
    let most = PLACES_OF_ROOT_BUS.saturating_sub(chips + iommu);
    if count <= most {
        return Ok(());
    }
    let because = format!("{count} devices are passed, and the guest's root bus has place for {most}");
    Err(Unsupported::new(
        because,
        "pass fewer devices, or emit for libvirt, which puts eight ports in one place",
    ))
}

fn vfio(plan: &Plan, (_, device): &Passed) -> QemuOption {
    let option = QemuOption::new("-device").head("vfio-pci").with("host", device.to_string());
    if plan.guest.iommufd { option.with("iommufd", "iommufd0") } else { option }
}

/// The device behind a root port of its own, so that it is a PCIe device for the guest and can be unplugged.
fn behind_port(plan: &Plan, bus: &str, device: &Passed) -> [QemuOption; 2] {
    let (index, _) = device;
    let name = format!("rp{index}");
    let port = QemuOption::new("-device").head("pcie-root-port").with("id", &name).with("bus", bus);
    let chassis = index.saturating_add(1).to_string();
    [port.with("chassis", chassis), vfio(plan, device).with("bus", name)]
}

/// hw/virtio/virtio-iommu-pci.c. On Arm 48 bits are the machine's own default (hw/arm/virt.c).
fn virtio_iommu(plan: &Plan) -> QemuOption {
    let width = if plan.guest.arch == Arch::X86_64 { pc_width(plan) } else { 48 };
    let option = QemuOption::new("-device").head("virtio-iommu-pci");
    let option = if plan.vmm.version < GRANULE_SINCE {
        option
    } else {
        option.with("granule", "host").with("aw-bits", width.to_string())
    };
    option.because("the guest asked for a virtio-iommu; its pages are no smaller than the host's")
}

/// hw/i386/intel_iommu.c; `caching-mode` is what makes the guest tell of every new mapping, as VFIO needs.
fn intel_iommu(plan: &Plan) -> QemuOption {
    let option = QemuOption::new("-device").head("intel-iommu").with("intremap", "on");
    let option = option.with("caching-mode", "on").with("aw-bits", pc_width(plan).to_string());
    option.because("the guest asked for an Intel IOMMU; caching-mode lets VFIO follow its mappings")
}

/// A PCIe expander bridge with its devices, and the SMMU in front of them if the guest has one.
fn behind_expander(plan: &Plan, index: usize, expander: &Expander) -> Vec<QemuOption> {
    let bus = format!("pcie.{index}");
    let mut bridge = QemuOption::new("-device").head("pxb-pcie").with("id", &bus).with("bus", "pcie.0");
    bridge = bridge.with("bus_nr", expander.bus_number.to_string());
    if let Some(node) = expander.node {
        let why = format!("the guest sees that these devices are near the memory of its node {node}");
        bridge = bridge.with("numa_node", node.to_string()).because(why);
    }
    let mut options = vec![bridge];
    if plan.guest.viommu == Viommu::SmmuV3 {
        options.push(smmu(plan, index, &bus));
    }
    options.extend(expander.devices.iter().flat_map(|device| behind_port(plan, &bus, device)));
    options
}

/// An accelerated SMMU. What it tells of the host's SMMU beyond the width of addresses (ats, ril, ssidsize and with it
/// PASIDs) QEMU 11.1 reads from the host's registers (hw/arm/smmuv3-accel.c, smmuv3_accel_auto_finalise).
fn smmu(plan: &Plan, index: usize, bus: &str) -> QemuOption {
    let smmu = QemuOption::new("-device").head("arm-smmuv3").with("primary-bus", bus);
    let smmu = smmu.with("id", format!("smmu{index}")).with("accel", "on");
    match output_width(plan) {
        None => smmu.because(
            "the guest asked for an SMMUv3, accelerated by the host's in front of these devices",
        ),
        Some(width) => smmu.with("oas", width.to_string()).because(format!(
            "the guest asked for an SMMUv3, accelerated by the host's in front of these devices, and its map needs {} \
             address bits",
            plan.needed_bits
        )),
    }
}
