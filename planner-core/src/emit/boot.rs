//! Boot memory: by node, and whether the VMM puts it where the plan has it.

use super::Unsupported;
use crate::addr::{Address, Gpa};
use crate::facts::Arch;
use crate::plan::{PieceKind, Plan, RamPiece};
use crate::size::Size;

/// Where boot memory goes on behind a hole (hw/i386/pc.c; kvmtool x86/include/kvm/kvm-arch.h, KVM_32BIT_MAX_MEM_SIZE;
/// likewise for the others).
const FOUR_GIB: Gpa = Gpa::at(0x1_0000_0000);
/// A VMM whose boot memory has one hole, which ends at 4 GiB.
pub(super) const BEHIND_4G: &[Gpa] = &[FOUR_GIB];

/// Where boot memory goes on behind the hole of a PC; nowhere on other boards of QEMU and kvmtool.
pub(super) fn behind_hole(arch: Arch) -> &'static [Gpa] {
    if arch == Arch::X86_64 { BEHIND_4G } else { &[] }
}

/// What to do about a plan that no planner made.
const DAMAGED: &str = "the plan was changed by hand or is damaged: plan again";

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
        return Err(Unsupported::new("the boot memory of NUMA nodes lies out of order", DAMAGED));
    }
    if all.is_empty() {
        return Err(Unsupported::new("the plan has no boot memory", DAMAGED));
    }
    Ok(all)
}

/// All boot memory together.
pub(super) fn boot_size(boot: &[BootMemory]) -> Result<Size, Unsupported> {
    boot.iter().try_fold(Size::ZERO, |sum, part| sum.checked_add(part.size)).ok_or_else(|| {
        Unsupported::new("the boot memory of the plan is larger than 64 bits can say", DAMAGED)
    })
}

/// The NUMA node of a piece, which must be one of the guest's.
pub(super) fn node_of(plan: &Plan, piece: &RamPiece) -> Result<u32, Unsupported> {
    let known = |&node: &u32| plan.guest.numa.iter().any(|fact| fact.node == node);
    piece.node.filter(known).ok_or_else(|| {
        Unsupported::new(
            format!("{} of the plan belongs to none of the guest's NUMA nodes", piece.name),
            DAMAGED,
        )
    })
}

/// Refuses a plan whose boot memory is not what a VMM makes that packs it from `base` upwards, around holes that end at
/// `behind`.
pub(super) fn refuse_elsewhere(plan: &Plan, base: Gpa, behind: &[Gpa]) -> Result<(), Unsupported> {
    let mut next = Some(base);
    for piece in plan.ram.iter().filter(|piece| piece.kind == PieceKind::Boot) {
        let first = piece.span.first();
        let over_hole = behind.contains(&first) && next.is_some_and(|next| next < first);
        if next != Some(first) && !over_hole {
            let expected = next.map_or_else(|| "nowhere".to_owned(), |next| format!("at {next}"));
            let because = format!(
                "the plan has {} at {first}, and {} puts that memory {expected}",
                piece.name, plan.vmm.name
            );
            return Err(Unsupported::new(because, DAMAGED));
        }
        next = piece.span.last().checked_add(Size::from_bytes(1));
    }
    Ok(())
}

/// The size of a piece.
pub(super) fn piece_size(piece: &RamPiece) -> Result<Size, Unsupported> {
    piece.span.size().ok_or_else(|| too_large(piece))
}

fn too_large(piece: &RamPiece) -> Unsupported {
    Unsupported::new(
        format!("the memory up to {} of the plan is larger than 64 bits can say", piece.name),
        DAMAGED,
    )
}
