//! libvirt's domain XML (libvirt, docs/formatdomain.rst). libvirt writes QEMU's command line from it.
//!
//! What libvirt has no element for goes into `<qemu:commandline>`, which marks the domain as tainted: it works, but is no
//! promise of libvirt's. What came with which libvirt is in [`version`]: what the libvirt that the plan names does not have
//! goes there too, or the domain is refused. [`cpu`], [`memory`] and [`devices`] hold those parts, [`xml`] the tree.

mod cpu;
mod devices;
mod memory;
mod version;
mod xml;

use serde::Serialize;

use self::version::Libvirt;
pub use self::version::LibvirtFeature;
use self::xml::Element;
use super::machine::Machine;
use super::parts::{file_name, made_for, needs_firmware, one_line, refuse_modules_and_nodes};
use super::{OutputFile, Unsupported};
use crate::addr::Address;
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::Plan;
use crate::version::Version;

/// What libvirt, as far as the planner knows its versions, can say of a guest of this instruction set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct LibvirtVersions {
    /// The oldest version that domains are written for.
    pub oldest: Version,
    /// The newest version known.
    pub newest: Version,
    /// What came between them.
    pub features: Vec<LibvirtFeature>,
}

/// The versions of libvirt that domains are written for.
#[must_use]
pub fn libvirt_versions(arch: Arch) -> LibvirtVersions {
    let for_arch = |feature: &&LibvirtFeature| feature.arch.is_none_or(|only| only == arch);
    let features = version::FEATURES.iter().filter(for_arch).copied().collect();
    LibvirtVersions { oldest: version::OLDEST, newest: version::NEWEST, features }
}

/// `domain.xml`.
pub(super) fn domain(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    made_for(plan, VmmKind::Qemu)?;
    refuse_modules_and_nodes(plan)?;
    one_line("CPU model", &plan.guest.cpu)?;
    let mut libvirt = Libvirt::of(plan)?;
    let (mut machine, _) = Machine::planned(plan)?;
    let devices = devices::devices(plan, &mut machine, &mut libvirt)?;
    let firmware = wants_firmware(plan, &devices);
    let features = features(plan, &mut machine, firmware);
    let accelerator = machine.accelerator(plan);
    let tcg = machine.take("accel").is_some_and(|accel| accel == "tcg") || accelerator == Some("tcg");
    let hypervisor = if tcg { "qemu" } else { "kvm" };
    let kind = machine.kind.clone();
    libvirt.arguments.extend(machine_options(machine));
    let cpu = cpu::cpu(plan, &mut libvirt)?;
    let iommufd = plan.guest.iommufd && libvirt.has(version::IOMMUFD);

    let mut domain = Element::new("domain").with("type", hypervisor);
    if !libvirt.arguments.is_empty() {
        domain = domain.with("xmlns:qemu", "http://libvirt.org/schemas/domain/qemu/1.0");
    }
    let domain = domain
        .children(comments(plan, &libvirt))
        .child(Element::text("name", file_name(&plan.guest.name)))
        .children(memory::size(plan)?)
        .child(Element::text("vcpu", plan.guest.vcpus.to_string()).with("placement", "static"))
        .children(iommufd.then(|| Element::new("iommufd").with("enabled", "yes")))
        .children(memory::binding(plan)?)
        .child(boot(plan, kind, firmware))
        .children(features)
        .child(cpu)
        .child(Element::new("devices").children(devices).children(memory::modules(plan)?))
        .children(libvirt.commandline());
    Ok(vec![OutputFile { file: "domain.xml".to_owned(), text: domain.document() }])
}

fn comments(plan: &Plan, libvirt: &Libvirt) -> Vec<Element> {
    let version = plan.vmm.version;
    let mut comments =
        vec![format!("Made for QEMU {version}. Add what the guest boots from, its disks and its networks.")];
    comments.extend(plan.hotplug.iter().map(|room| {
        let base = room.first().get();
        format!("Memory plugged in later belongs to {room}: address type='dimm' base='{base:#x}'")
    }));
    comments.extend(libvirt.comments());
    comments.iter().map(|comment| Element::comment(comment)).collect()
}

/// How a domain is to boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Firmware {
    /// As libvirt thinks best.
    Default,
    /// UEFI, and ACPI with it.
    Uefi,
}

/// UEFI on Arm where the guest needs ACPI tables, and where libvirt does ("IOMMU device: 'virtio' requires ACPI",
/// qemu_validate.c).
fn wants_firmware(plan: &Plan, devices: &[Element]) -> Firmware {
    let arm = plan.guest.arch == Arch::Aarch64;
    let bridged = devices.iter().any(devices::is_expander);
    if needs_firmware(plan) || arm && (bridged || plan.guest.viommu == Viommu::Virtio) {
        Firmware::Uefi
    } else {
        Firmware::Default
    }
}

/// Machine type; UEFI firmware, which libvirt finds by itself, with ACPI on Arm.
fn boot(plan: &Plan, machine: String, firmware: Firmware) -> Element {
    let kind = Element::text("type", "hvm").with("arch", plan.guest.arch.word()).with("machine", machine);
    let boot = Element::new("os").child(kind);
    if firmware == Firmware::Uefi { boot.with("firmware", "efi") } else { boot }
}

/// Options of the machine that are features in libvirt; they are taken out of the machine.
fn features(plan: &Plan, machine: &mut Machine, firmware: Firmware) -> Option<Element> {
    let mut features = Vec::new();
    let acpi_off = machine.is_off("acpi");
    let acpi_said = machine.take("acpi").is_some();
    let wanted = plan.guest.arch == Arch::X86_64 || firmware == Firmware::Uefi;
    if !acpi_off && (acpi_said || wanted) {
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
fn machine_options(machine: Machine) -> Option<[String; 2]> {
    let double = |text: &str| text.replace(',', ",,");
    let options = machine.options.iter().map(|(name, value)| format!("{}={}", double(name), double(value)));
    let options: Vec<String> = options.collect();
    (!options.is_empty()).then(|| ["-machine".to_owned(), options.join(",")])
}
