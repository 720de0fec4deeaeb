//! What is passed through, and the guest's IOMMU in front of it.

use super::super::Unsupported;
use super::super::iommu::{
    GRANULE_SINCE, PLACES_OF_ROOT_BUS, Passed, has_msis, passed, pc_width, refuse, smmu_groups,
};
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
        Viommu::None => {}
        Viommu::Virtio => options.push(virtio_iommu(plan)),
        Viommu::Intel => options.push(intel_iommu(plan)),
        Viommu::SmmuV3 => {
            options.extend(smmus(plan)?);
            return Ok(options);
        }
    }
    refuse_crowd(plan, &machine)?;
    for device in &passed(plan) {
        // i440FX has no PCIe: devices are on its one bus. So are they where no port can be.
        if machine.family() == "pc" || !has_msis(plan) {
            options.push(vfio(plan, device));
        } else {
            options.extend(behind_port(plan, "pcie.0", device));
        }
    }
    Ok(options)
}

/// Refuses more devices than the root bus has places: a PC's chips have one more of them than `virt`.
fn refuse_crowd(plan: &Plan, machine: &Machine) -> Result<(), Unsupported> {
    let chips = usize::from(machine.family() != "virt");
    let iommu = usize::from(plan.guest.viommu == Viommu::Virtio);
    let (most, count) = (PLACES_OF_ROOT_BUS.saturating_sub(chips + iommu), plan.guest.pass.len());
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

/// Accelerated SMMUs, each in front of a PCIe expander bridge with its devices.
fn smmus(plan: &Plan) -> Result<Vec<QemuOption>, Unsupported> {
    let mut options = Vec::new();
    for (index, group) in (1..).zip(smmu_groups(plan)?) {
        let bus = format!("pcie.{index}");
        let bridge = QemuOption::new("-device").head("pxb-pcie").with("id", &bus).with("bus", "pcie.0");
        options.push(bridge.with("bus_nr", group.bus_number.to_string()));
        let smmu = QemuOption::new("-device").head("arm-smmuv3").with("primary-bus", &bus);
        let smmu = smmu.with("id", format!("smmu{index}")).with("accel", "on");
        options.push(
            smmu.because(
                "the guest asked for an SMMUv3, accelerated by the host's in front of these devices",
            ),
        );
        options.extend(group.devices.iter().flat_map(|device| behind_port(plan, &bus, device)));
    }
    Ok(options)
}
