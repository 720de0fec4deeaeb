//! Machine, accelerator, processors and firmware.

use super::super::Unsupported;
use super::super::machine::{Machine, pci_hole, window_reason, with_unit};
use super::super::parts::{printable, topology};
use super::memory::Memory;
use super::{QemuOption, double};
use crate::facts::guest::Viommu;
use crate::plan::Plan;

/// What stands in for UEFI firmware: file names to be replaced.
const FIRMWARE: (&str, &str) = ("AAVMF_CODE.fd", "AAVMF_VARS.fd");

/// Everything that comes before memory.
pub(super) fn options(plan: &Plan, memory: &Memory) -> Result<Vec<QemuOption>, Unsupported> {
    let mut options = Vec::new();
    if !plan.guest.name.is_empty() {
        options.push(QemuOption::new("-name").with("guest", printable(&plan.guest.name)));
    }
    let (machine, reasons) = machine(plan, memory)?;
    // system/vl.c, configure_accelerators refuses -accel beside -machine accel=.
    let accelerator = machine.accelerator(plan);
    let window = window(plan, &machine)?;
    let mut option = QemuOption::new("-machine").head(double(&machine.kind));
    option.properties = machine.options;
    option.why = (!reasons.is_empty()).then(|| reasons.join("; "));
    options.push(option);
    options.extend(accelerator.map(|name| QemuOption::new("-accel").head(name)));
    let cpu = if plan.guest.cpu.is_empty() { "host" } else { &plan.guest.cpu };
    options.push(QemuOption::new("-cpu").head(cpu));
    options.push(processors(plan));
    options.extend(window);
    Ok(options)
}

/// The machine with the knobs of the plan turned, and why each is.
fn machine(plan: &Plan, memory: &Memory) -> Result<(Machine, Vec<String>), Unsupported> {
    let (mut machine, reasons) = Machine::planned(plan)?;
    if let Some(backend) = &memory.machine_backend {
        machine.set("memory-backend", backend);
    }
    if plan.guest.viommu == Viommu::Intel && machine.get("kernel-irqchip").is_none() {
        // hw/i386/intel_iommu.c, vtd_decide_config: interrupt remapping needs the I/O APIC in user space.
        machine.set("kernel-irqchip", "split");
    }
    Ok((machine, reasons))
}

/// The 64-bit PCI window of a PC.
fn window(plan: &Plan, machine: &Machine) -> Result<Option<QemuOption>, Unsupported> {
    let Some(bridge) = pci_hole(plan, machine)? else { return Ok(None) };
    let value = format!("{}.pci-hole64-size={}", bridge.qemu, with_unit(bridge.window));
    Ok(Some(QemuOption::new("-global").head(value).because(window_reason(plan, bridge.window))))
}

/// `-smp`, with a socket for each NUMA node.
fn processors(plan: &Plan) -> QemuOption {
    let vcpus = plan.guest.vcpus;
    let option = QemuOption::new("-smp").head(vcpus.to_string());
    match topology(plan) {
        Some((sockets, cores)) => {
            option.with("sockets", sockets.to_string()).with("cores", cores.to_string()).with("threads", "1")
        }
        None => option,
    }
}

/// Flash with UEFI, for guests that need ACPI on Arm.
pub(super) fn firmware(plan: &Plan) -> Vec<QemuOption> {
    if !wants_firmware(plan) {
        return Vec::new();
    }
    let flash = || QemuOption::new("-drive").with("if", "pflash").with("format", "raw");
    let why = "the guest learns of its memory modules, PCIe expander bridges and SMMUs from ACPI tables, which need UEFI firmware";
    vec![
        flash().with("unit", "0").with("readonly", "on").with("file", FIRMWARE.0).because(why),
        flash().with("unit", "1").with("file", FIRMWARE.1),
    ]
}

fn wants_firmware(plan: &Plan) -> bool {
    Machine::planned(plan).is_ok_and(|(machine, _)| machine.wants_firmware(plan))
}

/// Says what stands in for the firmware.
pub(super) fn firmware_comment(plan: &Plan) -> Option<String> {
    let (code, variables) = FIRMWARE;
    wants_firmware(plan).then(|| {
        format!("{code} and {variables} stand for UEFI firmware and a copy of its variables (Debian: qemu-efi-aarch64).")
    })
}

/// No devices but those that are asked for: a default network or display would have BARs that nobody planned.
pub(super) fn no_defaults() -> [QemuOption; 3] {
    [
        QemuOption::new("-nodefaults"),
        QemuOption::new("-display").head("none"),
        QemuOption::new("-serial").head("mon:stdio"),
    ]
}
