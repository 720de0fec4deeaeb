//! What several targets read off a plan in the same way: boot memory by node, modules, pages, names.

use super::Unsupported;
use crate::facts::Arch;
use crate::facts::guest::{NumaFact, Viommu, VmmKind};
use crate::guest::GuestSpec;
use crate::plan::{PieceKind, Plan, RamPiece};
use crate::size::{PageSize, Size};
use crate::version::Version;

/// hw/acpi: ACPI_MAX_RAM_SLOTS (include/hw/acpi/acpi.h).
const MOST_MODULES: usize = 256;
/// MAX_NODES (include/sysemu/numa.h).
const MOST_NODES: usize = 128;

/// A stretch of boot memory that gets a backend of its own: all of it, or that of one NUMA node.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct BootMemory {
    /// Name of its first piece; QEMU's messages call the memory by it.
    pub(super) name: String,
    /// Guest NUMA node.
    pub(super) node: Option<u32>,
    /// Host node that it comes from.
    pub(super) host_node: Option<u32>,
    /// Its size, over all pieces: a PC's boot memory lies below and above 4 GiB.
    pub(super) size: Size,
}

/// Boot memory by node, in the order of addresses; one entry for a guest without NUMA.
///
/// # Errors
/// [`Unsupported`] when the nodes do not lie in the order of their numbers: VMMs pack them so.
pub(super) fn boot_memory(plan: &Plan) -> Result<Vec<BootMemory>, Unsupported> {
    let numa = !plan.guest.numa.is_empty();
    let mut all: Vec<BootMemory> = Vec::new();
    for piece in plan.ram.iter().filter(|piece| piece.kind == PieceKind::Boot) {
        let size = piece_size(piece)?;
        let node = if numa { Some(node_of(plan, piece)?) } else { None };
        match all.last_mut() {
            Some(last) if last.node == node => {
                last.size = last.size.checked_add(size).ok_or_else(|| too_large(piece))?;
            }
            _ => all.push(BootMemory { name: piece.name.clone(), node, host_node: piece.host_node, size }),
        }
    }
    if !all.is_sorted_by(|a, b| a.node < b.node) {
        return Err(Unsupported::new("the boot memory of NUMA nodes lies out of order", "plan again"));
    }
    if all.is_empty() {
        return Err(Unsupported::new("the plan has no boot memory", "plan again"));
    }
    Ok(all)
}

/// All boot memory together.
pub(super) fn boot_size(boot: &[BootMemory]) -> Result<Size, Unsupported> {
    boot.iter().try_fold(Size::ZERO, |sum, part| sum.checked_add(part.size)).ok_or_else(|| {
        Unsupported::new("the boot memory of the plan is larger than 64 bits can say", "plan again")
    })
}

/// The NUMA node of a piece, which must be one of the guest's.
pub(super) fn node_of(plan: &Plan, piece: &RamPiece) -> Result<u32, Unsupported> {
    let known = |&node: &u32| plan.guest.numa.iter().any(|fact| fact.node == node);
    piece.node.filter(known).ok_or_else(|| {
        Unsupported::new(
            format!("{} of the plan belongs to none of the guest's NUMA nodes", piece.name),
            "plan again",
        )
    })
}

/// Size of the huge pages behind the guest's memory; `None` for pages of the host's kernel.
pub(super) fn huge_pages(plan: &Plan) -> Option<PageSize> {
    (plan.guest.pages > plan.host.page_size).then_some(plan.guest.pages)
}

/// Refuses more modules or nodes than QEMU takes.
pub(super) fn refuse_too_many(plan: &Plan) -> Result<(), Unsupported> {
    let refuse = |count: usize, most: usize, what: &str| {
        let because = format!("QEMU takes at most {most} {what}, and the plan has {count}");
        if count > most { Err(Unsupported::new(because, "plan again with fewer")) } else { Ok(()) }
    };
    refuse(dimms(plan).count(), MOST_MODULES, "memory modules")?;
    refuse(plan.guest.numa.len(), MOST_NODES, "NUMA nodes")
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

/// Number of sockets with which every NUMA node is made of whole sockets, without which QEMU warns
/// (hw/core/machine.c, machine_numa_finish_cpu_init). `None` for a guest without NUMA.
pub(super) fn sockets(plan: &Plan) -> Option<u32> {
    let GuestSpec { numa, vcpus, .. } = &plan.guest;
    let nodes = u32::try_from(numa.len()).ok().filter(|&nodes| nodes != 0)?;
    let each = vcpus.checked_div(nodes).filter(|&each| each != 0 && vcpus.is_multiple_of(nodes));
    let even = each.is_some_and(|each| (0_u32..).zip(numa).all(|(index, node)| is_share(node, index, each)));
    Some(if even { nodes } else { *vcpus })
}

/// Whether the node's processors, if stated, are the `index`th `each` of them.
fn is_share(node: &NumaFact, index: u32, each: u32) -> bool {
    let first = index.checked_mul(each);
    let last = first.and_then(|first| first.checked_add(each)).and_then(|end| end.checked_sub(1));
    match (node.first_cpu, node.last_cpu) {
        (None, None) => true,
        (first_cpu, last_cpu) => first_cpu == first && last_cpu.or(first_cpu) == last,
    }
}

/// The processors of a node as a range, `0-3`, if stated.
pub(super) fn cpu_range(node: &NumaFact) -> Option<String> {
    match (node.first_cpu, node.last_cpu) {
        (Some(first), Some(last)) if first != last => Some(format!("{first}-{last}")),
        (Some(only), _) | (None, Some(only)) => Some(only.to_string()),
        (None, None) => None,
    }
}

/// The modules, ascending by address.
pub(super) fn dimms(plan: &Plan) -> impl Iterator<Item = &RamPiece> {
    plan.ram.iter().filter(|piece| piece.kind == PieceKind::Dimm)
}

/// The size of a piece.
pub(super) fn piece_size(piece: &RamPiece) -> Result<Size, Unsupported> {
    piece.span.size().ok_or_else(|| too_large(piece))
}

fn too_large(piece: &RamPiece) -> Unsupported {
    Unsupported::new(
        format!("the memory up to {} of the plan is larger than 64 bits can say", piece.name),
        "plan again",
    )
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
