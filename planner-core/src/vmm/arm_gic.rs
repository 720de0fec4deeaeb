//! The GIC of QEMU's arm `virt` machine: which version, how many CPUs it takes, where its parts lie.

use super::arm_options::{GicWord, MsiWord, Options};
use super::qemu::{self, Row};
use super::{RegionKind, Request, VmmError, rules};
use crate::version::Version;

/// The version of the GIC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gic {
    /// GICv2.
    V2,
    /// GICv3.
    V3,
    /// GICv4: GICv3 with larger redistributors.
    V4,
    /// GICv5, experimental.
    V5,
}

/// Where MSIs are written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Msi {
    /// The ITS.
    Its,
    /// The GICv2m frame.
    V2m,
    /// Nowhere.
    None,
}

/// "hw/arm/virt: Support TCG GICv4".
pub(super) const GICV4_SINCE: Version = Version::new(7, 1);
/// "hw/arm/virt: Increase the number of redistributors": there is a high region.
const HIGH_REDIST_SINCE: Version = Version::new(3, 0);
/// The emulated GICv3 takes a second region of redistributors ("hw/intc/arm_gicv3: Support multiple redistributor
/// regions").
const SECOND_REGION_SINCE: Version = Version::new(6, 2);
/// KVM may give a guest the virtualization extensions of its own CPU; before, the board refuses.
const NESTED_SINCE: Version = Version::new(10, 0);
/// Most CPUs of a GICv2 (include/hw/intc/arm_gic_common.h, `GIC_NCPU`).
const GICV2_CPUS: u64 = 8;
/// Most CPUs of any `virt` machine (hw/arm/virt.c, `virt_machine_class_init`), and up to machine type 2.12
/// (`virt_machine_2_12_options`).
const MACHINE_CPUS: u32 = 512;
const MACHINE_CPUS_2_12: u32 = 255;
/// The low redistributor region and the high one (hw/arm/virt.c, `base_memmap` and `extended_memmap`).
const REDIST_SIZE: u64 = 0xf6_0000;
const HIGH_REDIST_SIZE: u64 = 0x400_0000;

/// The version of the GIC (hw/arm/virt.c, `finalize_gic_version`), or QEMU's refusal.
///
/// What a host's KVM offers is not part of a request. By default it is taken for a GICv3 without a GICv2 inside, as
/// servers are; who asks for GICv2 is taken to have it.
pub(super) fn version(request: &Request, options: &Options) -> Result<Gic, VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_VIRT_GIC, text));
    let kvm = qemu::is_kvm(request);
    match options.gic {
        GicWord::V2 => Ok(Gic::V2),
        GicWord::V3 => Ok(Gic::V3),
        GicWord::V4 if kvm || !options.virtualization => refuse(no_gicv4(request, kvm)),
        GicWord::V4 => Ok(Gic::V4),
        GicWord::V5 => Ok(Gic::V5),
        GicWord::Host if !kvm => refuse("gic-version=host requires KVM".into()),
        GicWord::Host => Ok(Gic::V3),
        GicWord::Max if !kvm && options.virtualization && request.version >= GICV4_SINCE => Ok(Gic::V4),
        GicWord::Max => Ok(Gic::V3),
        // Up to 4.2 the machine has a GICv2 unless told otherwise, even on a host whose GIC has none inside.
        GicWord::Default if kvm && request.version >= Version::new(5, 0) => Ok(Gic::V3),
        // Up to 7.2 an emulated machine has a GICv2 unless told otherwise; later more than 8 CPUs make it a GICv3.
        GicWord::Default if request.version < Version::new(8, 0) => Ok(Gic::V2),
        GicWord::Default if u64::from(request.vcpus) <= GICV2_CPUS => Ok(Gic::V2),
        GicWord::Default => Ok(Gic::V3),
    }
}

fn no_gicv4(request: &Request, kvm: bool) -> String {
    if request.version < Version::new(8, 0) {
        return "gic-version=4 requires virtualization enabled".into();
    }
    let accelerator = if kvm { "KVM" } else { "tcg" };
    format!("{accelerator} does not support GICv4 emulation, is virtualization=on?")
}

/// Where MSIs are written to (hw/arm/virt.c, `finalize_msi_controller`; before 11.0 `create_gic`).
pub(super) fn msi(request: &Request, options: &Options, gic: Gic) -> Result<Msi, VmmError> {
    Ok(match (options.msi, gic) {
        (MsiWord::Its, Gic::V2) if request.version >= Version::new(11, 0) => {
            let text = "GICv2 + ITS is an invalid configuration.";
            return Err(qemu::refusal(request.arch, rules::QEMU_VIRT_GIC, text));
        }
        (MsiWord::Off, _) | (_, Gic::V5) => Msi::None,
        (MsiWord::V2m, _) | (MsiWord::Auto | MsiWord::Its | MsiWord::NoIts, Gic::V2) => Msi::V2m,
        // virt_machine_6_1_options, no_tcg_its: QEMU's own ITS came with 6.2.
        (MsiWord::Auto | MsiWord::Its, _)
            if qemu::is_kvm(request) || options.machine > Version::new(6, 1) =>
        {
            Msi::Its
        }
        (MsiWord::Auto | MsiWord::Its | MsiWord::NoIts, _) => Msi::None,
    })
}

/// Refuses a secure world and a hypervisor's world under KVM (hw/arm/virt.c, `machvirt_init`).
pub(super) fn check_worlds(request: &Request, options: &Options) -> Result<(), VmmError> {
    let refuse = |text: &str| Err(qemu::refusal(request.arch, rules::QEMU_MACHINE, text));
    if !qemu::is_kvm(request) {
        return Ok(());
    }
    if options.secure && request.version < Version::new(7, 0) {
        return refuse("mach-virt: KVM does not support Security extensions");
    }
    if options.secure {
        return refuse(
            "mach-virt: KVM does not support providing Security extensions (TrustZone) to the guest CPU",
        );
    }
    if options.virtualization && request.version < NESTED_SINCE {
        return refuse(
            "mach-virt: KVM does not support providing Virtualization extensions to the guest CPU",
        );
    }
    Ok(())
}

/// Most CPUs of a machine type, whatever its GIC.
pub(super) fn machine_cpus(machine: Version) -> u32 {
    if machine <= Version::new(2, 12) { MACHINE_CPUS_2_12 } else { MACHINE_CPUS }
}

/// Refuses more CPUs than the GIC takes (hw/arm/virt.c, `machvirt_init`).
pub(super) fn check_cpus(request: &Request, gic: Gic, options: &Options, high: bool) -> Result<(), VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_VIRT_GIC, text));
    let (cpus, most) = (request.vcpus, machine_cpus(options.machine));
    if cpus > most {
        let name = options.name();
        return refuse(format!(
            "Invalid SMP CPUs {cpus}. The max CPUs supported by machine '{name}' is {most}"
        ));
    }
    // Up to 7.2 the high region counted even where it did not fit; check_redists then finds out.
    let counts = (HIGH_REDIST_SINCE..Version::new(8, 0)).contains(&request.version);
    let most = most_cpus(gic, high || counts);
    if u64::from(cpus) > most {
        return refuse(format!(
            "Number of SMP CPUs requested ({cpus}) exceeds max CPUs supported by machine 'mach-virt' ({most})"
        ));
    }
    Ok(())
}

/// Refuses redistributors in the high region where the emulated GICv3 takes none (hw/intc/arm_gicv3.c up to 6.1,
/// `arm_gic_realize`), and more CPUs than the redistributors that fit serve (hw/intc/arm_gicv3_common.c,
/// `arm_gicv3_common_realize`).
pub(super) fn check_redists(request: &Request, gic: Gic, high: bool) -> Result<(), VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_VIRT_GIC, text));
    let takes = qemu::is_kvm(request) || request.version >= SECOND_REGION_SINCE;
    if !takes && needs_high_redists(request, gic) {
        return refuse("VGICv3 redist region number(2) not equal to 1".into());
    }
    let cpus = qemu::cpus_at_start(request);
    let capacity = most_cpus(gic, high);
    if matches!(gic, Gic::V2 | Gic::V5) || u64::from(cpus) <= capacity {
        return Ok(());
    }
    refuse(format!("Capacity of the redist regions({capacity}) does not match the number of vcpus({cpus})"))
}

fn most_cpus(gic: Gic, high: bool) -> u64 {
    match gic {
        Gic::V2 => GICV2_CPUS,
        Gic::V3 | Gic::V4 => {
            let each = redist_size(gic);
            REDIST_SIZE / each + if high { HIGH_REDIST_SIZE / each } else { 0 }
        }
        Gic::V5 => u64::from(MACHINE_CPUS),
    }
}

/// Size of one redistributor: two frames of 64 KiB, four with GICv4 (include/hw/intc/arm_gicv3_common.h).
fn redist_size(gic: Gic) -> u64 {
    if gic == Gic::V4 { 0x4_0000 } else { 0x2_0000 }
}

/// Whether the redistributors reach into the high region (hw/arm/virt.c, `virt_gicv3_redist_region_count`).
pub(super) fn needs_high_redists(request: &Request, gic: Gic) -> bool {
    matches!(gic, Gic::V3 | Gic::V4)
        && u64::from(qemu::cpus_at_start(request)) > REDIST_SIZE / redist_size(gic)
}

/// The parts of the GIC below 128 MiB + 16 MiB (hw/arm/virt.c, `base_memmap`).
pub(super) fn rows(options: &Options, gic: Gic, msi: Msi) -> Vec<Row> {
    let mut rows: Vec<Row> = match gic {
        Gic::V2 => vec![
            ("gic-dist", RegionKind::Gicd, 0x800_0000, 0x1_0000),
            ("gic-cpu", RegionKind::Gicc, 0x801_0000, 0x1_0000),
        ],
        Gic::V3 | Gic::V4 => vec![
            ("gic-dist", RegionKind::Gicd, 0x800_0000, 0x1_0000),
            ("gic-redist", RegionKind::Gicr, 0x80a_0000, REDIST_SIZE),
        ],
        Gic::V5 => vec![("gic", RegionKind::Gicd, 0x800_0000, 0x100_0000)],
    };
    if gic == Gic::V2 && options.virtualization {
        rows.push(("gic-hyp", RegionKind::Gicc, 0x803_0000, 0x1_0000));
        rows.push(("gic-vcpu", RegionKind::Gicc, 0x804_0000, 0x1_0000));
    }
    match msi {
        Msi::Its => rows.push(("gic-its", RegionKind::Its, 0x808_0000, 0x2_0000)),
        Msi::V2m => rows.push(("gic-v2m", RegionKind::V2m, 0x802_0000, 0x1000)),
        Msi::None => {}
    }
    rows
}
