//! kvmtool: `lkvm run`. One bank of memory, whose base can be moved on arm64.

use super::boot::{behind_hole, boot_memory, boot_size, refuse_elsewhere};
use super::parts::{self, has_modules, huge_pages, made_for};
use super::{OutputFile, Unsupported, shell};
use crate::addr::{Address, Gpa};
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::{Plan, VmmOption};
use crate::size::{KIB, MIB, Size};
use crate::vmm::Knob;

/// Where `-k` finds the kernel and `-i` the initial ramdisk: names to be replaced. Without `-k`, kvmtool would take the
/// host's own kernel (builtin-run.c, find_kernel).
const KERNEL: &str = "Image";
/// Where huge pages are mounted, by systemd and by the kernel's own documentation (dev-hugepages.mount).
const HUGE_PAGES: &str = "/dev/hugepages";
/// Where memory starts on arm64 and RISC-V (arm/include/arm-common/kvm-arch.h, ARM_MEMORY_AREA;
/// riscv/include/kvm/kvm-arch.h, RISCV_RAM).
const RAM: Gpa = Gpa::at(0x8000_0000);

/// `kvmtool.sh`.
pub(super) fn command(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    let comments = [format!(
        "{KERNEL} stands for the guest's kernel; add -i for its initrd and -p for its command line."
    )];
    let text = shell::script(&comments, &options(plan)?);
    Ok(vec![OutputFile { file: "kvmtool.sh".to_owned(), text }])
}

/// The options that the plan needs, with the reason.
pub(super) fn explained(plan: &Plan) -> Vec<VmmOption> {
    match (ram_base(plan), options(plan), memory(plan)) {
        (Some(base), Ok(_), Ok(memory)) => {
            vec![VmmOption { flag: format!("-m {memory}"), why: format!("memory starts at {base}") }]
        }
        _ => Vec::new(),
    }
}

fn options(plan: &Plan) -> Result<Vec<Vec<String>>, Unsupported> {
    made_for(plan, VmmKind::Kvmtool)?;
    refuse(plan)?;
    let guest = &plan.guest;
    let option = |flag: &str, value: String| vec![flag.to_owned(), value];
    let mut options = vec![vec!["lkvm".to_owned(), "run".to_owned()]];
    options.push(option("--name", parts::file_name(&guest.name)));
    options.push(option("-c", guest.vcpus.to_string()));
    options.push(option("-m", memory(plan)?));
    if huge_pages(plan).is_some() {
        options.push(option("--hugetlbfs", HUGE_PAGES.to_owned()));
    }
    if let Some(chip) = irqchip(plan)? {
        options.push(option("--irqchip", chip));
    }
    options.extend(guest.pass.iter().map(|device| option("--vfio-pci", device.to_string())));
    options.push(option("-k", KERNEL.to_owned()));
    Ok(options)
}

/// What kvmtool lacks.
fn refuse(plan: &Plan) -> Result<(), Unsupported> {
    let guest = &plan.guest;
    let lacks =
        |what: &str| Err(Unsupported::new(format!("kvmtool has no {what}"), "plan again with --vmm qemu"));
    if has_modules(plan) {
        return lacks("memory modules");
    }
    if !guest.numa.is_empty() {
        return lacks("NUMA nodes");
    }
    if guest.viommu != Viommu::None {
        return lacks("IOMMU for its guest");
    }
    if guest.iommufd {
        return lacks("iommufd");
    }
    if plan.ram.iter().any(|piece| piece.host_node.is_some()) {
        return lacks("option for the host node that memory comes from");
    }
    match plan.knobs.iter().find(|knob| !matches!(knob, Knob::RamBase { .. })) {
        Some(knob) => lacks(&format!("option for {knob:?}, which the plan sets")),
        None => Ok(()),
    }
}

/// The interrupt controller that the machine text asks for, on arm64 (arm/gic.c, irqchip_parser); kvmtool takes the best
/// that the host has if there is none.
fn irqchip(plan: &Plan) -> Result<Option<String>, Unsupported> {
    let last = plan.guest.machine.split(',').map(str::trim).rfind(|word| !word.is_empty());
    let Some(word) = last.filter(|_| plan.guest.arch == Arch::Aarch64) else { return Ok(None) };
    let chip = word.strip_prefix("irqchip=").unwrap_or(word);
    if ["gicv2", "gicv2m", "gicv3", "gicv3-its"].contains(&chip) {
        return Ok(Some(chip.to_owned()));
    }
    let because = format!("kvmtool has no interrupt controller {:?}", parts::printable(chip));
    Err(Unsupported::new(because, "plan again with --machine gicv3-its"))
}

/// Value of `-m`: `16384M`, `16384M@524288M` (builtin-run.c, mem_parser: size and address are decimal, each with a unit).
fn memory(plan: &Plan) -> Result<String, Unsupported> {
    let base = ram_base(plan);
    if base.is_some() && plan.guest.arch != Arch::Aarch64 {
        // arm64 alone has ARCH_HAS_CFG_RAM_ADDRESS.
        let because = format!("kvmtool cannot move the base of memory on {}", plan.guest.arch);
        return Err(Unsupported::new(because, "plan again with --vmm qemu"));
    }
    let default = if plan.guest.arch == Arch::X86_64 { Gpa::at(0) } else { RAM };
    refuse_elsewhere(plan, base.unwrap_or(default), behind_hole(plan.guest.arch))?;
    let size = in_mebibytes(boot_size(&boot_memory(plan)?)?);
    Ok(match base {
        Some(base) => format!("{size}@{}", in_mebibytes(Size::from_bytes(base.get()))),
        None => size,
    })
}

fn ram_base(plan: &Plan) -> Option<Gpa> {
    plan.knobs.iter().find_map(|knob| match knob {
        Knob::RamBase { at } => Some(*at),
        _ => None,
    })
}

/// In MiB, kvmtool's own unit, or in the largest smaller one that is exact.
fn in_mebibytes(size: Size) -> String {
    let bytes = size.bytes();
    match bytes {
        _ if bytes.is_multiple_of(MIB) => format!("{}M", bytes / MIB),
        _ if bytes.is_multiple_of(KIB) => format!("{}K", bytes / KIB),
        _ => format!("{bytes}B"),
    }
}
