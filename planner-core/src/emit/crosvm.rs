//! crosvm: `crosvm run`. One number for the memory, one PCI window that can be placed.

use super::boot::{BEHIND_4G, boot_memory, boot_size, refuse_elsewhere};
use super::parts::{has_modules, huge_pages, made_for};
use super::{OutputFile, Unsupported, shell};
use crate::addr::{Address, Gpa};
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::{Plan, VmmOption};
use crate::size::{MIB, PageSize, Size};
use crate::vmm::{Knob, PciOption, PciRange};

/// The kernel, which stands last: a name to be replaced.
const KERNEL: &str = "Image";
/// aarch64/src/lib.rs, `AARCH64_PHYS_MEM_START`; riscv64/src/lib.rs, `RISCV64_PHYS_MEM_START`.
const ARM_RAM: Gpa = Gpa::at(0x8000_0000);

/// `crosvm.sh`.
pub(super) fn command(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    let comments = [format!(
        "{KERNEL} stands for the guest's kernel; add --initrd, -p for its command line, its disks and its networks."
    )];
    let text = shell::script(&comments, &options(plan)?);
    Ok(vec![OutputFile { file: "crosvm.sh".to_owned(), text }])
}

/// The options that the plan needs, with the reason.
pub(super) fn explained(plan: &Plan) -> Vec<VmmOption> {
    match (window(plan), pci(plan), options(plan)) {
        (Some((start, size)), Ok(Some(value)), Ok(_)) => vec![VmmOption {
            flag: format!("--pci {value}"),
            why: format!("the 32-bit PCI window is {size} large, at {start}"),
        }],
        _ => Vec::new(),
    }
}

fn options(plan: &Plan) -> Result<Vec<Vec<String>>, Unsupported> {
    made_for(plan, VmmKind::Crosvm)?;
    refuse(plan)?;
    let guest = &plan.guest;
    let option = |flag: &str, value: String| vec![flag.to_owned(), value];
    let mut options = vec![vec!["crosvm".to_owned(), "run".to_owned()]];
    options.push(option("-c", guest.vcpus.to_string()));
    options.push(option("-m", memory(plan)?));
    if huge_pages(plan).is_some() {
        options.push(vec!["--hugepages".to_owned()]);
    }
    options.extend(pci(plan)?.map(|value| option("--pci", value)));
    let behind = if guest.viommu == Viommu::Virtio { ",iommu=viommu" } else { "" };
    options.extend(
        guest.pass.iter().map(|device| option("--vfio", format!("/sys/bus/pci/devices/{device}{behind}"))),
    );
    options.push(vec![KERNEL.to_owned()]);
    Ok(options)
}

/// What crosvm lacks.
fn refuse(plan: &Plan) -> Result<(), Unsupported> {
    let guest = &plan.guest;
    let lacks =
        |what: &str| Err(Unsupported::new(format!("crosvm has no {what}"), "plan again with --vmm qemu"));
    if has_modules(plan) {
        return lacks("memory modules");
    }
    if !guest.numa.is_empty() {
        return lacks("NUMA nodes");
    }
    if !matches!(guest.viommu, Viommu::None | Viommu::Virtio) {
        return lacks(&format!("{} IOMMU for its guest", guest.viommu));
    }
    if guest.iommufd {
        return lacks("iommufd");
    }
    if huge_pages(plan).is_some_and(|pages| pages != PageSize::M2) {
        // src/crosvm/cmdline.rs: --hugepages advises the kernel, which then takes transparent ones.
        return lacks("huge pages but transparent ones of 2 MiB");
    }
    match plan.knobs.iter().find(|knob| !matches!(knob, Knob::LowMmioWindow { .. })) {
        Some(knob) => lacks(&format!("option for {knob:?}, which the plan sets")),
        None => Ok(()),
    }
}

/// Value of `-m`: mebibytes.
fn memory(plan: &Plan) -> Result<String, Unsupported> {
    let (base, behind): (_, &[Gpa]) = match plan.guest.arch {
        Arch::X86_64 => (Gpa::at(0), BEHIND_4G),
        _ => (ARM_RAM, &[]),
    };
    refuse_elsewhere(plan, base, behind)?;
    let size = boot_size(&boot_memory(plan)?)?;
    if !size.bytes().is_multiple_of(MIB) {
        let because = format!("crosvm takes whole mebibytes of memory, and the plan has {size}");
        return Err(Unsupported::new(because, "plan again with a multiple of 1M"));
    }
    Ok((size.bytes() / MIB).to_string())
}

fn window(plan: &Plan) -> Option<(Gpa, Size)> {
    plan.knobs.iter().rev().find_map(|knob| match knob {
        Knob::LowMmioWindow { start, size } => Some((*start, *size)),
        _ => None,
    })
}

/// Value of `--pci`: what the user said, with the window where the plan has it.
fn pci(plan: &Plan) -> Result<Option<String>, Unsupported> {
    let arch = plan.guest.arch;
    let said = PciOption::read(&plan.guest.machine, arch)
        .map_err(|refusal| Unsupported::new(refusal.text, "plan again with --machine corrected"))?;
    let turned = window(plan).map(|(start, size)| PciRange { start, size: Some(size) });
    let space = if arch == Arch::X86_64 { "ecam" } else { "cam" };
    let range = |name: &str, range: PciRange| {
        let size = range.size.map_or_else(String::new, |size| format!(",size={:#x}", size.bytes()));
        format!("{name}=[start={:#x}{size}]", range.start.get())
    };
    let mem = turned.or(said.mem).map(|mem| range("mem", mem));
    let configuration = said.configuration.map(|configuration| range(space, configuration));
    let words: Vec<String> = mem.into_iter().chain(configuration).collect();
    Ok((!words.is_empty()).then(|| words.join(",")))
}
