//! What a started QEMU says of itself against what the plan says of it.

use std::collections::BTreeMap;

use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::plan::{PieceKind, Plan, RamPiece};
use planner_core::size::Size;
use planner_core::span_set::SpanSet;
use planner_core::vmm::RegionKind;

use super::memory_tree::{self, Seen};
use super::qemu::{Answers, Module};

/// Kinds that QEMU's memory tree shows at their whole size, by architecture. The GIC itself is not among them: QEMU makes
/// as many redistributors as there are processors, and of a GICv2 the registers that it emulates, in larger regions.
fn in_memory_tree(arch: Arch) -> &'static [RegionKind] {
    use RegionKind::{DeviceMemory, Ecam, Flash, Its, Mmio32, Mmio64, Msi, Pio, Ram, V2m};
    match arch {
        Arch::Aarch64 => &[Ram, DeviceMemory, Flash, Ecam, Mmio32, Mmio64, Pio, Its, V2m],
        Arch::X86_64 => &[Ram, DeviceMemory, Msi],
        Arch::Riscv64 => &[Ram, Flash, Ecam, Mmio32, Mmio64, Pio, Msi],
    }
}

/// Kinds that the guest's device tree names. It knows nothing of modules; of a PC there is none.
fn in_device_tree(arch: Arch) -> &'static [RegionKind] {
    use RegionKind::{Ecam, Flash, Gicc, Gicd, Gicr, Its, Mmio32, Mmio64, Msi, Pio, Ram, V2m, VirtioMmio};
    match arch {
        Arch::Aarch64 => &[Ram, Flash, Ecam, Mmio32, Mmio64, Pio, Gicd, Gicr, Gicc, Its, V2m, VirtioMmio],
        Arch::X86_64 => &[],
        Arch::Riscv64 => &[Ram, Ecam, Mmio32, Mmio64, Pio, Msi, VirtioMmio],
    }
}

/// Every difference, a sentence each. `device_tree` holds what the guest's device tree names, if there is one.
pub(super) fn differences(plan: &Plan, answers: &Answers, device_tree: Option<&[Seen]>) -> Vec<String> {
    let mut found = Vec::new();
    let arch = plan.guest.arch;
    let planned = planned(plan);
    let in_tree = under_kvm(plan, &memory_tree::regions(&answers.memory_tree));
    let in_tree: Vec<Seen> = in_tree.iter().map(|seen| whole_files(plan, seen)).collect();
    let seen = by_kind(&in_tree);
    compare("QEMU's memory tree", in_memory_tree(arch), &planned, &seen, &mut found);
    if arch == Arch::X86_64 {
        compare(
            "QEMU's host bridge",
            &[RegionKind::Mmio32, RegionKind::Mmio64],
            &planned,
            &windows(answers),
            &mut found,
        );
    } else {
        match device_tree {
            Some(seen) => {
                let planned = without_modules(plan, &planned);
                let seen = by_kind(&under_kvm(plan, seen));
                compare("the device tree", in_device_tree(arch), &planned, &seen, &mut found);
            }
            None => found.push("there is no device tree".to_owned()),
        }
    }
    found.extend(modules(plan, answers));
    found.extend(nodes(plan, answers));
    found.extend(name(plan, answers));
    found
}

type Kinds = BTreeMap<RegionKind, SpanSet<Gpa>>;

/// The plan by kind. The window of the host's MSIs is no part of the guest's machine.
fn planned(plan: &Plan) -> Kinds {
    let mut kinds = Kinds::new();
    for region in plan.regions.iter().filter(|region| region.name != "msi-window") {
        kinds.entry(region.kind).or_default().insert(region.span);
    }
    kinds
}

fn without_modules(plan: &Plan, planned: &Kinds) -> Kinds {
    let mut kinds = planned.clone();
    let boot = plan.ram.iter().filter(|piece| piece.kind == PieceKind::Boot).map(|piece| piece.span);
    kinds.insert(RegionKind::Ram, boot.collect());
    kinds
}

/// Without what only an emulated processor has: plans are made for KVM, and a hart under KVM has no machine mode, whose
/// interrupt files are at 0x2400_0000 (hw/riscv/virt.c, virt_create_aia).
fn under_kvm(plan: &Plan, seen: &[Seen]) -> Vec<Seen> {
    let machine_mode: Option<Span<Gpa>> = Span::of(0x2400_0000, 0x27ff_ffff);
    let hidden = |seen: &&Seen| {
        plan.guest.arch == Arch::Riscv64
            && seen.kind == RegionKind::Msi
            && machine_mode.is_some_and(|mode| mode.covers(seen.span))
    };
    seen.iter().filter(|seen| !hidden(seen)).cloned().collect()
}

/// A hart's interrupt files take a power of two of pages, of which QEMU's memory tree shows those that are there
/// (hw/intc/riscv_imsic.c, riscv_imsic_create; hw/riscv/virt.c, imsic_num_bits).
fn whole_files(plan: &Plan, seen: &Seen) -> Seen {
    let size = seen.span.size().map_or(0, Size::bytes);
    let whole = Size::from_bytes(size.checked_next_power_of_two().unwrap_or(size));
    match Span::from_start_size(seen.span.first(), whole) {
        Some(span) if plan.guest.arch == Arch::Riscv64 && seen.kind == RegionKind::Msi && size <= 0x8000 => {
            Seen { span, ..seen.clone() }
        }
        _ => seen.clone(),
    }
}

fn by_kind(seen: &[Seen]) -> Kinds {
    let mut kinds = Kinds::new();
    for seen in seen {
        kinds.entry(seen.kind).or_default().insert(seen.span);
    }
    kinds
}

fn windows(answers: &Answers) -> Kinds {
    let window = |&(first, end): &(u64, u64)| Span::of(first, end.checked_sub(1)?);
    let kinds = [RegionKind::Mmio32, RegionKind::Mmio64].into_iter();
    let windows = answers.windows.iter().filter_map(window);
    kinds.zip(windows).map(|(kind, span)| (kind, [span].into_iter().collect())).collect()
}

fn compare(source: &str, kinds: &[RegionKind], planned: &Kinds, seen: &Kinds, found: &mut Vec<String>) {
    let nothing = SpanSet::new();
    for kind in kinds {
        let [planned, seen] = [planned, seen].map(|kinds| kinds.get(kind).unwrap_or(&nothing));
        if planned != seen {
            found.push(format!("{kind}: planned {}, {source} has {}", list(planned), list(seen)));
        }
    }
}

fn list(set: &SpanSet<Gpa>) -> String {
    let spans: Vec<String> = set.iter().map(|span| span.to_string()).collect();
    if spans.is_empty() { "nothing".to_owned() } else { spans.join(", ") }
}

/// The modules that must be there once the room for later ones is filled: see [`rooms`].
fn modules(plan: &Plan, answers: &Answers) -> Option<String> {
    let dimms = plan.ram.iter().filter(|piece| piece.kind == PieceKind::Dimm);
    let module = |span: Span<Gpa>, node: u32| Module {
        address: span.first().get(),
        size_bytes: span.size().map_or(0, Size::bytes),
        node: u64::from(node),
    };
    let mut planned: Vec<Module> =
        dimms.map(|piece: &RamPiece| module(piece.span, piece.node.unwrap_or(0))).collect();
    planned.extend(rooms(plan).iter().map(|&room| module(room, 0)));
    planned.sort();
    (planned != answers.modules)
        .then(|| format!("modules: planned {planned:x?}, QEMU has {:x?}", answers.modules))
}

/// Room for modules that are plugged in later, as far as there is a slot for each.
pub(super) fn rooms(plan: &Plan) -> Vec<Span<Gpa>> {
    let dimms = plan.ram.iter().filter(|piece| piece.kind == PieceKind::Dimm).count();
    let slots = usize::try_from(plan.slots.unwrap_or(0)).unwrap_or(0).saturating_sub(dimms);
    plan.hotplug.iter().copied().take(slots).collect()
}

/// Memory of each NUMA node, in MiB: `node 0 size: 4096 MB`.
fn nodes(plan: &Plan, answers: &Answers) -> Option<String> {
    if plan.guest.numa.is_empty() {
        return None;
    }
    let size = |node: u32| -> u64 {
        let pieces = plan.ram.iter().filter(|piece| piece.node == Some(node));
        pieces.filter_map(|piece| piece.span.size()).map(|size| size.bytes() >> 20).sum()
    };
    let planned: Vec<String> = plan
        .guest
        .numa
        .iter()
        .map(|node| format!("node {} size: {} MB", node.node, size(node.node)))
        .collect();
    let seen: Vec<&str> =
        answers.numa.lines().map(str::trim).filter(|line| line.contains(" size: ")).collect();
    (planned != seen).then(|| format!("NUMA: planned {planned:?}, QEMU has {seen:?}"))
}

/// A name with characters that cannot be printed is emitted without them.
fn name(plan: &Plan, answers: &Answers) -> Option<String> {
    let planned = plan.guest.name.as_str();
    let plain = !planned.is_empty() && !planned.contains(char::is_control);
    (plain && answers.name.as_deref() != Some(planned))
        .then(|| format!("the guest's name is {planned:?}, QEMU has {:?}", answers.name))
}

#[cfg(test)]
mod tests {
    use super::super::replace::tests::plan;
    use super::*;

    /// A QEMU that made a PC of what `plan` plans: 2 GiB of RAM.
    fn answers(plan: &Plan) -> Answers {
        let tree = "address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-000000007fffffff (prio 0, ram): alias ram-below-4g @pc.ram 0000000000000000-000000007fffffff
    00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
";
        Answers {
            memory_tree: tree.to_owned(),
            numa: "0 nodes".to_owned(),
            pci: String::new(),
            modules: Vec::new(),
            name: Some(plan.guest.name.clone()),
            windows: vec![(0x8000_0000, 0xfec0_0000), (0x1_0000_0000, 0x9_0000_0000)],
            device_tree: false,
        }
    }

    #[test]
    fn what_lies_as_planned_has_no_difference() {
        let plan = plan("x86_64", 40);
        assert_eq!(differences(&plan, &answers(&plan), None), [""; 0]);
    }

    #[test]
    fn each_difference_is_told() {
        let plan = plan("x86_64", 40);
        let check = |change: &dyn Fn(&mut Answers), told: &str| {
            let mut answers = answers(&plan);
            change(&mut answers);
            assert_eq!(differences(&plan, &answers, None), [told]);
        };
        check(
            &|answers| answers.memory_tree = answers.memory_tree.replace("7fffffff", "7fffefff"),
            "ram: planned 0x0..=0x7fff_ffff, QEMU's memory tree has 0x0..=0x7fff_efff",
        );
        check(
            &|answers| answers.memory_tree = answers.memory_tree.replace("apic-msi", "other"),
            "msi: planned 0xfee0_0000..=0xfeef_ffff, QEMU's memory tree has nothing",
        );
        check(
            &|answers| answers.windows.truncate(1),
            "mmio64: planned 0x1_0000_0000..=0x8_ffff_ffff, QEMU's host bridge has nothing",
        );
        check(
            &|answers| answers.modules.push(Module { address: 0x10, size_bytes: 0x20, node: 0 }),
            "modules: planned [], QEMU has [Module { address: 10, size_bytes: 20, node: 0 }]",
        );
        check(&|answers| answers.name = None, "the guest's name is \"g\", QEMU has None");
    }

    #[test]
    fn a_board_without_a_device_tree_is_told() {
        let plan = plan("aarch64", 44);
        assert!(differences(&plan, &answers(&plan), None).contains(&"there is no device tree".to_owned()));
    }
}
