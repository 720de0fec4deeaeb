//! OpenVMM: one root complex, a root port for each passed device, NUMA nodes with pages and places of their own.
//!
//! Its Guide, "CLI", is the reference; it calls the command line unstable between versions.

use super::boot::{BEHIND_4G, BootMemory, boot_memory, refuse_elsewhere};
use super::machine::{window_reason, with_unit};
use super::parts::{cpu_range, has_modules, huge_pages, made_for, processors_of_nodes};
use super::{OutputFile, Unsupported, shell};
use crate::addr::{Address, Gpa};
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::{PieceKind, Plan, VmmOption};
use crate::size::Size;
use crate::vmm::Knob;

/// The guest's kernel: a name to be replaced.
const KERNEL: &str = "Image";
/// Where a directly booted arm64 Linux has its memory (openvmm_core/src/worker/memory_layout.rs, `ram_start_address`).
const ARM_LINUX_RAM: Gpa = Gpa::at(0x4000_0000);
/// Nodes of less are aligned to 2 MiB, others to this (`resolve_memory_layout`).
const NODE_ALIGN: Size = Size::gib(1);
const SMALL_NODE_ALIGN: Size = Size::mib(2);

/// `openvmm.sh`.
pub(super) fn command(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    let boot = if is_uefi(plan) {
        "Its firmware is found by OPENVMM_UEFI_FIRMWARE; add the guest's disks and its networks.".to_owned()
    } else {
        format!("{KERNEL} stands for the guest's kernel; add -r for its initrd, its disks and its networks.")
    };
    let text = shell::script(&[boot], &options(plan)?);
    Ok(vec![OutputFile { file: "openvmm.sh".to_owned(), text }])
}

/// The options that the plan needs, with the reason.
pub(super) fn explained(plan: &Plan) -> Vec<VmmOption> {
    if options(plan).is_err() || plan.knobs.is_empty() {
        return Vec::new();
    }
    let reason = |knob: &Knob| match knob {
        Knob::HighMmioSize { size } => Some(window_reason(plan, *size)),
        Knob::LowMmioSize { size } => Some(format!("the 32-bit PCI window is {size} large")),
        _ => None,
    };
    let why: Vec<String> = plan.knobs.iter().filter_map(reason).collect();
    vec![VmmOption { flag: format!("--pcie-root-complex {}", root_complex(plan)), why: why.join(", and ") }]
}

fn options(plan: &Plan) -> Result<Vec<Vec<String>>, Unsupported> {
    made_for(plan, VmmKind::Openvmm)?;
    refuse(plan)?;
    let guest = &plan.guest;
    let option = |flag: &str, value: String| vec![flag.to_owned(), value];
    let mut options = vec![vec!["openvmm".to_owned()]];
    options.push(option("--processors", guest.vcpus.to_string()));
    options.extend(memory(plan)?);
    options.push(option("--pcie-root-complex", root_complex(plan)));
    if guest.iommufd {
        options.push(option("--iommu", "id=iommu0".to_owned()));
    }
    let through = if guest.iommufd { ",iommu=iommu0" } else { "" };
    for (index, device) in guest.pass.iter().enumerate() {
        options.push(option("--pcie-root-port", format!("rc0:rp{index}")));
        options.push(option("--vfio", format!("host={device},port=rp{index}{through}")));
    }
    options.push(if is_uefi(plan) {
        vec!["--uefi".to_owned(), "--no-vmbus".to_owned()]
    } else {
        option("--kernel", KERNEL.to_owned())
    });
    Ok(options)
}

fn is_uefi(plan: &Plan) -> bool {
    plan.guest.machine.trim() == "uefi"
}

/// What OpenVMM lacks.
fn refuse(plan: &Plan) -> Result<(), Unsupported> {
    let lacks =
        |what: &str| Err(Unsupported::new(format!("OpenVMM has no {what}"), "plan again with --vmm qemu"));
    if has_modules(plan) {
        return lacks("memory modules");
    }
    if plan.guest.viommu != Viommu::None {
        return lacks("IOMMU for its guest that passed devices could lie behind");
    }
    let known = |knob: &&Knob| matches!(knob, Knob::HighMmioSize { .. } | Knob::LowMmioSize { .. });
    match plan.knobs.iter().find(|knob| !known(knob)) {
        Some(knob) => lacks(&format!("option for {knob:?}, which the plan sets")),
        None => Ok(()),
    }
}

/// `rc0,low_mmio=256M,high_mmio=64G`.
fn root_complex(plan: &Plan) -> String {
    let mut text = "rc0".to_owned();
    for knob in &plan.knobs {
        match knob {
            Knob::LowMmioSize { size } => text += &format!(",low_mmio={}", with_unit(*size)),
            Knob::HighMmioSize { size } => text += &format!(",high_mmio={}", with_unit(*size)),
            _ => {}
        }
    }
    text
}

/// `--memory`, or `--numa` for each node.
fn memory(plan: &Plan) -> Result<Vec<Vec<String>>, Unsupported> {
    let linux_on_arm = plan.guest.arch == Arch::Aarch64 && !is_uefi(plan);
    let base = if linux_on_arm { ARM_LINUX_RAM } else { Gpa::at(0) };
    refuse_elsewhere(plan, base, BEHIND_4G)?;
    refuse_unaligned_nodes(plan)?;
    let pages = match huge_pages(plan) {
        Some(pages) => format!(",hugepages=on,hugepage_size={}", with_unit(pages.size())),
        None => String::new(),
    };
    let boot = boot_memory(plan)?;
    let [BootMemory { node: None, size, .. }] = boot.as_slice() else {
        let processors = processors_of_nodes(plan);
        let nodes = boot.iter().zip(processors.into_iter().chain(std::iter::repeat(None)));
        return Ok(nodes.map(|(part, vps)| numa(part, vps, &pages)).collect());
    };
    Ok(vec![vec!["--memory".to_owned(), format!("size={}{pages}", with_unit(*size))]])
}

fn numa(part: &BootMemory, vps: Option<(u32, u32)>, pages: &str) -> Vec<String> {
    let mut value = format!("size={}{pages}", with_unit(part.size));
    if let Some(node) = part.host_node {
        value += &format!(",host_numa_node={node}");
    }
    value += &format!(",vps=[{}]", vps.map(cpu_range).unwrap_or_default());
    vec!["--numa".to_owned(), value]
}

/// OpenVMM aligns the start of every node, so packed nodes come out as planned only where they start aligned.
fn refuse_unaligned_nodes(plan: &Plan) -> Result<(), Unsupported> {
    let mut before = None;
    for piece in plan.ram.iter().filter(|piece| piece.kind == PieceKind::Boot) {
        let size = plan.guest.numa.iter().find(|node| Some(node.node) == piece.node).map(|node| node.memory);
        let align = if size.is_some_and(|size| size < NODE_ALIGN) { SMALL_NODE_ALIGN } else { NODE_ALIGN };
        let starts = before != Some(piece.node);
        if starts && align.round_down(piece.span.first().get()) != piece.span.first().get() {
            let because = format!(
                "OpenVMM starts a NUMA node at a multiple of {align}, and the plan has one at {}",
                piece.span.first()
            );
            return Err(Unsupported::new(because, "plan again with nodes of other sizes, or without NUMA"));
        }
        before = Some(piece.node);
    }
    Ok(())
}
