//! kvmtool: `lkvm run`. One bank of memory, whose base can be moved on arm64.

use super::parts::{self, boot_memory, dimms, made_for};
use super::{OutputFile, Unsupported, shell};
use crate::addr::{Address, Gpa};
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::{Plan, VmmOption};
use crate::size::{KIB, MIB, Size};
use crate::vmm::Knob;

/// Where `-k` finds the kernel and `-i` the initial ramdisk: names to be replaced. Without `-k`, kvmtool would take the
/// host's own kernel (builtin-run.c, kernel_usage_with_options).
const KERNEL: &str = "Image";

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
    let Some(base) = ram_base(plan) else { return Vec::new() };
    let Ok(memory) = memory(plan) else { return Vec::new() };
    vec![VmmOption { flag: format!("-m {memory}"), why: format!("memory starts at {base}") }]
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
    if guest.pages > plan.host.page_size {
        options.push(option("--hugetlbfs", "/dev/hugepages".to_owned()));
    }
    for device in &guest.pass {
        options.push(option("--vfio-pci", device.to_string()));
    }
    options.push(option("-k", KERNEL.to_owned()));
    Ok(options)
}

/// What kvmtool lacks.
fn refuse(plan: &Plan) -> Result<(), Unsupported> {
    let guest = &plan.guest;
    let lacks = |what: &str| Unsupported::new(format!("kvmtool has no {what}"), "plan again with --vmm qemu");
    if dimms(plan).next().is_some() || !plan.hotplug.is_empty() {
        return Err(lacks("memory modules"));
    }
    if !guest.numa.is_empty() {
        return Err(lacks("NUMA nodes"));
    }
    if guest.viommu != Viommu::None {
        return Err(lacks("IOMMU for its guest"));
    }
    if guest.iommufd {
        return Err(lacks("iommufd"));
    }
    Ok(())
}

/// Value of `-m`: `16384M`, `16384M@524288M` (builtin-run.c, mem_parser: size and address are decimal, each with a unit).
fn memory(plan: &Plan) -> Result<String, Unsupported> {
    let size = boot_memory(plan)?.first().map_or(Size::ZERO, |memory| memory.size);
    let size = in_mebibytes(size);
    Ok(match ram_base(plan) {
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
