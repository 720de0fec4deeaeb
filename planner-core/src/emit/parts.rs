//! What several targets read off a plan in the same way: modules, pages, processors, names; and what all refuse.

use super::Unsupported;
use crate::facts::Arch;
use crate::facts::guest::{NumaFact, Viommu, VmmKind};
use crate::plan::{PieceKind, Plan, RamPiece};
use crate::size::PageSize;
use crate::version::Version;

/// hw/acpi: ACPI_MAX_RAM_SLOTS (include/hw/acpi/acpi.h).
const MOST_MODULES: usize = 256;
/// MAX_NODES (include/sysemu/numa.h).
const MOST_NODES: usize = 128;

/// Size of the huge pages behind the guest's memory; `None` for pages of the host's kernel.
pub(super) fn huge_pages(plan: &Plan) -> Option<PageSize> {
    (plan.guest.pages > plan.host.page_size).then_some(plan.guest.pages)
}

/// Refuses more modules or nodes than QEMU takes, and gaps between nodes (hw/core/numa.c, numa_complete_configuration:
/// "numa: Node ID missing").
pub(super) fn refuse_modules_and_nodes(plan: &Plan) -> Result<(), Unsupported> {
    let refuse = |count: usize, most: usize, what: &str| {
        let because = format!("QEMU takes at most {most} {what}, and the plan has {count}");
        if count > most { Err(Unsupported::new(because, "plan again with fewer")) } else { Ok(()) }
    };
    refuse(dimms(plan).count(), MOST_MODULES, "memory modules")?;
    refuse(plan.guest.numa.len(), MOST_NODES, "NUMA nodes")?;
    if plan.guest.arch == Arch::Riscv64 && has_modules(plan) {
        // "'pc-dimm' is not a valid device model name".
        return Err(Unsupported::new(
            "QEMU has no memory modules for riscv64",
            "plan again with all memory at boot",
        ));
    }
    match (0..).zip(&plan.guest.numa).find(|(number, node)| *number != node.node) {
        None => Ok(()),
        Some((number, node)) => Err(Unsupported::new(
            format!(
                "NUMA nodes are numbered from 0 without a gap, and node {} stands for {number}",
                node.node
            ),
            "plan again with the nodes numbered in order",
        )),
    }
}

/// Whether memory modules are there, or may come.
pub(super) fn has_modules(plan: &Plan) -> bool {
    plan.slots.is_some_and(|slots| slots != 0) || dimms(plan).next().is_some() || !plan.hotplug.is_empty()
}

/// Whether the guest finds what the plan gives it only in ACPI tables, which on Arm come with UEFI firmware: modules
/// (hw/arm/virt.c, virt_memory_pre_plug: "memory hotplug is not enabled: missing acpi-ged device"; no device tree lists
/// them) and accelerated SMMUs ("SMMUv3 device only supported with pcie.0 for DT").
pub(super) fn needs_firmware(plan: &Plan) -> bool {
    plan.guest.arch == Arch::Aarch64 && (has_modules(plan) || plan.guest.viommu == Viommu::SmmuV3)
}

/// The processors of each NUMA node, in the order of the nodes. Where none are stated, each node gets its share: QEMU
/// and libvirt would each choose differently.
pub(super) fn processors_of_nodes(plan: &Plan) -> Vec<Option<(u32, u32)>> {
    let numa = &plan.guest.numa;
    if numa.iter().any(|node| node.first_cpu.is_some() || node.last_cpu.is_some()) {
        return numa.iter().map(stated).collect();
    }
    let (vcpus, nodes) = (u64::from(plan.guest.vcpus), numa.len() as u64);
    let start = |index: u64| vcpus.saturating_mul(index).checked_div(nodes);
    let share = |index: u64| {
        let (first, end) = (start(index)?, start(index.checked_add(1)?)?);
        let last = end.checked_sub(1).filter(|&last| last >= first)?;
        Some((u32::try_from(first).ok()?, u32::try_from(last).ok()?))
    };
    (0..nodes).map(share).collect()
}

fn stated(node: &NumaFact) -> Option<(u32, u32)> {
    let first = node.first_cpu.or(node.last_cpu)?;
    Some((first, node.last_cpu.unwrap_or(first)))
}

/// A range of processors as QEMU and libvirt write it: `0-3`.
pub(super) fn cpu_range((first, last): (u32, u32)) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// Sockets and cores in each. Every NUMA node is made of whole sockets, without which QEMU warns (hw/core/machine.c,
/// machine_numa_finish_cpu_init). `None` for a guest without NUMA.
pub(super) fn topology(plan: &Plan) -> Option<(u32, u32)> {
    let vcpus = plan.guest.vcpus;
    let nodes = u32::try_from(plan.guest.numa.len()).ok().filter(|&nodes| nodes != 0)?;
    let cores = vcpus.checked_div(nodes)?;
    let is_socket = |(first, last): (u32, u32)| {
        let end = last.checked_add(1);
        first.is_multiple_of(cores) && end.and_then(|end| end.checked_sub(first)) == Some(cores)
    };
    let mut ranges = processors_of_nodes(plan).into_iter();
    let even = vcpus.is_multiple_of(nodes) && ranges.all(|range| range.is_some_and(is_socket));
    Some(if even { (nodes, cores) } else { (vcpus, 1) })
}

/// The modules, ascending by address.
pub(super) fn dimms(plan: &Plan) -> impl Iterator<Item = &RamPiece> {
    plan.ram.iter().filter(|piece| piece.kind == PieceKind::Dimm)
}

/// Refuses a plan that was made for another VMM: its layout is that VMM's memory map.
pub(super) fn made_for(plan: &Plan, kind: VmmKind) -> Result<(), Unsupported> {
    if plan.vmm.name == kind {
        return Ok(());
    }
    Err(Unsupported::new(
        format!("the plan was made for {} {}", plan.vmm.name, plan.vmm.version),
        format!("plan again with --vmm {kind}"),
    ))
}

/// Refuses a name that QEMU does not take as an identifier (util/id.c, id_wellformed).
pub(super) fn identifier(name: &str) -> Result<&str, Unsupported> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Ok(name);
    }
    let because = format!("the memory {:?} of the plan has a name that QEMU does not take", printable(name));
    Err(Unsupported::new(because, "name it with letters and digits, ram0"))
}

/// A name that is safe on one line of any file: what is no printable character becomes `_`, and so do the characters
/// that turn the direction of text, with which a line reads differently from what it says (Unicode TR 36, 2.11).
pub(super) fn printable(name: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let bad = |c: char| c.is_control() || turns(c) || matches!(c, '\u{fffe}' | '\u{ffff}');
    name.chars().map(|c| if bad(c) { '_' } else { c }).collect()
}

/// A name for what keeps a guest's files under its name (libvirt, kvmtool's socket): printable, no `/`, not blank.
pub(super) fn file_name(name: &str) -> String {
    let name = printable(name).replace('/', "_");
    if name.trim().is_empty() { "guest".to_owned() } else { name }
}

/// Refuses what no argument of a process and no line of a file can hold.
pub(super) fn one_line<'a>(what: &str, text: &'a str) -> Result<&'a str, Unsupported> {
    if printable(text) == text {
        return Ok(text);
    }
    Err(Unsupported::new(
        format!("the {what} {:?} holds a character that cannot be printed", printable(text)),
        format!("plan again with a {what} in the VMM's own words"),
    ))
}

/// Refuses what the plan's version of QEMU does not have yet.
pub(super) fn needs(plan: &Plan, since: Version, what: &str) -> Result<(), Unsupported> {
    if plan.vmm.version >= since {
        return Ok(());
    }
    Err(Unsupported::new(
        format!("QEMU {} has no {what}, which came with QEMU {since}", plan.vmm.version),
        format!("plan again with --vmm qemu={since} or newer"),
    ))
}
