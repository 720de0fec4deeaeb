//! libvirt's domain XML (libvirt, docs/formatdomain.rst). libvirt writes QEMU's command line from it.
//!
//! What libvirt has no element for goes into `<qemu:commandline>`, which marks the domain as tainted: it works, but is no
//! promise of libvirt's. [`cpu`], [`memory`] and [`devices`] hold those parts, [`xml`] the tree.

mod cpu;
mod devices;
mod memory;
mod xml;

use self::xml::Element;
use super::machine::Machine;
use super::parts::{file_name, made_for, needs_firmware, one_line, refuse_modules_and_nodes};
use super::{OutputFile, Unsupported};
use crate::addr::Address;
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::Plan;

/// `domain.xml`.
pub(super) fn domain(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    made_for(plan, VmmKind::Qemu)?;
    refuse_modules_and_nodes(plan)?;
    one_line("CPU model", &plan.guest.cpu)?;
    let (mut machine, _) = Machine::planned(plan)?;
    let features = features(plan, &mut machine);
    let accelerator = machine.accelerator(plan);
    let tcg = machine.take("accel").is_some_and(|accel| accel == "tcg") || accelerator == Some("tcg");
    let hypervisor = if tcg { "qemu" } else { "kvm" };
    let kind = machine.kind.clone();
    let devices = devices::devices(plan, &machine)?;
    let arguments = commandline(machine);

    let mut domain = Element::new("domain").with("type", hypervisor);
    if arguments.is_some() {
        domain = domain.with("xmlns:qemu", "http://libvirt.org/schemas/domain/qemu/1.0");
    }
    let domain = domain
        .children(comments(plan, arguments.is_some()))
        .child(Element::text("name", file_name(&plan.guest.name)))
        .children(memory::size(plan)?)
        .child(Element::text("vcpu", plan.guest.vcpus.to_string()).with("placement", "static"))
        .children(plan.guest.iommufd.then(|| Element::new("iommufd").with("enabled", "yes")))
        .children(memory::binding(plan)?)
        .child(boot(plan, kind))
        .children(features)
        .child(cpu::cpu(plan)?)
        .child(Element::new("devices").children(devices).children(memory::modules(plan)?))
        .children(arguments);
    Ok(vec![OutputFile { file: "domain.xml".to_owned(), text: domain.document() }])
}

fn comments(plan: &Plan, tainted: bool) -> Vec<Element> {
    let version = plan.vmm.version;
    let mut comments =
        vec![format!("Made for QEMU {version}. Add what the guest boots from, its disks and its networks.")];
    comments.extend(devices::needed_libvirt(plan));
    comments.extend(plan.hotplug.iter().map(|room| {
        let base = room.first().get();
        format!("Memory plugged in later belongs to {room}: address type='dimm' base='{base:#x}'")
    }));
    if tainted {
        comments.push(
            "libvirt has no element for what qemu:commandline says, and marks the domain as tainted."
                .to_owned(),
        );
    }
    comments.iter().map(|comment| Element::comment(comment)).collect()
}

/// Whether the domain has ACPI on Arm: where the guest needs it, and where libvirt does ("IOMMU device: 'virtio' requires
/// ACPI", qemu_validate.c).
fn wants_firmware(plan: &Plan) -> bool {
    needs_firmware(plan) || plan.guest.arch == Arch::Aarch64 && plan.guest.viommu == Viommu::Virtio
}

/// Machine type; UEFI firmware, which libvirt finds by itself, with ACPI on Arm.
fn boot(plan: &Plan, machine: String) -> Element {
    let kind = Element::text("type", "hvm").with("arch", plan.guest.arch.word()).with("machine", machine);
    let boot = Element::new("os").child(kind);
    if wants_firmware(plan) { boot.with("firmware", "efi") } else { boot }
}

/// Options of the machine that are features in libvirt; they are taken out of the machine.
fn features(plan: &Plan, machine: &mut Machine) -> Option<Element> {
    let mut features = Vec::new();
    let acpi_off = machine.is_off("acpi");
    let acpi_said = machine.take("acpi").is_some();
    if !acpi_off && (acpi_said || plan.guest.arch == Arch::X86_64 || wants_firmware(plan)) {
        features.push(Element::new("acpi"));
    }
    if plan.guest.arch == Arch::X86_64 {
        features.push(Element::new("apic"));
    }
    if let Some(version) = gic_version(machine) {
        features.push(Element::new("gic").with("version", version));
    }
    if plan.guest.viommu == Viommu::Intel {
        machine.take("kernel-irqchip");
        features.push(Element::new("ioapic").with("driver", "qemu"));
    }
    (!features.is_empty()).then(|| Element::new("features").children(features))
}

/// The version of the GIC, if libvirt has a word for it (domaincommon.rng: `host`, `2`, `3`); QEMU's others stay with the
/// machine's options.
fn gic_version(machine: &mut Machine) -> Option<String> {
    let known = machine.get("gic-version").is_some_and(|version| ["host", "2", "3"].contains(&version));
    if known { machine.take("gic-version") } else { None }
}

/// The options of the machine that libvirt has no element for. A second `-machine` adds to the first
/// (system/vl.c, keyval_parse_into).
fn commandline(machine: Machine) -> Option<Element> {
    let double = |text: &str| text.replace(',', ",,");
    let options = machine.options.iter().map(|(name, value)| format!("{}={}", double(name), double(value)));
    let options: Vec<String> = options.collect();
    let argument = |value: String| Element::new("qemu:arg").with("value", value);
    let arguments = [argument("-machine".to_owned()), argument(options.join(","))];
    (!options.is_empty()).then(|| Element::new("qemu:commandline").children(arguments))
}
