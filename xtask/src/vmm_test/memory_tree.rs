//! The regions that `info mtree` prints, as far as a plan speaks of them.

use planner_core::addr::{Gpa, Span};
use planner_core::vmm::RegionKind;

/// A region by the name that QEMU gives it (the names are those of `memory_region_init` in the files of each board).
const NAMES: &[(&str, RegionKind)] = &[
    // hw/arm/virt.c, hw/riscv/virt.c, hw/pci-host/gpex.c
    ("pcie-ecam", RegionKind::Ecam),
    ("pcie-mmio", RegionKind::Mmio32),
    ("pcie-mmio-high", RegionKind::Mmio64),
    ("gpex_ioport_window", RegionKind::Pio),
    // Machine types before virt-5.2 have no window around it.
    ("gpex_ioport", RegionKind::Pio),
    ("virt.flash0", RegionKind::Flash),
    ("virt.flash1", RegionKind::Flash),
    ("riscv_virt_board.mrom", RegionKind::Flash),
    // hw/intc
    ("gicv3_its", RegionKind::Its),
    ("gicv2m", RegionKind::V2m),
    ("riscv.imsic", RegionKind::Msi),
    // hw/i386/pc.c
    ("ram-below-4g", RegionKind::Ram),
    ("ram-above-4g", RegionKind::Ram),
    ("apic-msi", RegionKind::Msi),
    ("device-memory", RegionKind::DeviceMemory),
    ("hotplug-memory", RegionKind::DeviceMemory),
];

/// A region of QEMU's memory tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// What a plan calls it.
    pub(super) kind: RegionKind,
    /// Where it is.
    pub(super) span: Span<Gpa>,
}

/// The regions of the address space `memory` that have a kind. RAM of a PC is found by name: its address space has RAM
/// once more, in windows of the firmware.
pub(super) fn regions(text: &str) -> Vec<Seen> {
    let block = text.lines().map(str::trim_end).skip_while(|line| *line != "address-space: memory").skip(1);
    let block = block.take_while(|line| !line.is_empty());
    let mut regions = Vec::new();
    let mut parent = String::new();
    for line in block.filter(|line| !line.ends_with("[disabled]")) {
        let Some((span, access, name)) = region(line) else { continue };
        let is_alias = line.contains("): alias ");
        let depth = line.len() - line.trim_start().len();
        let known = NAMES.iter().find(|(known, _)| *known == name).map(|&(_, kind)| kind);
        let inside = depth > 4;
        // Memory itself, and memory within a container: NUMA nodes and modules.
        let is_memory =
            access == "ram" && (!inside || parent.ends_with(".ram") || parent.ends_with("-memory"));
        if let Some(kind) = known.or((is_memory && !is_alias).then_some(RegionKind::Ram)) {
            regions.push(Seen { kind, span });
        }
        if !inside {
            name.clone_into(&mut parent);
        }
    }
    regions
}

/// `0000000040000000-000000007fffffff (prio 0, ram): mach-virt.ram`, or `…: alias NAME @OF …`.
fn region(line: &str) -> Option<(Span<Gpa>, &str, &str)> {
    let (range, rest) = line.trim_start().split_once(" (prio ")?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let span = Span::of(number(first)?, number(last)?)?;
    let (access, name) = rest.split_once("): ")?;
    let access = access.rsplit(' ').next()?;
    let name = match name.strip_prefix("alias ") {
        Some(alias) => alias.split(" @").next()?,
        None => name,
    };
    Some((span, access, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM: &str = "\
address-space: cpu-memory-0\r
address-space: memory\r
  0000000000000000-ffffffffffffffff (prio 0, i/o): system\r
    0000000000000000-0000000003ffffff (prio 0, romd): virt.flash0\r
    0000000008080000-000000000809ffff (prio 0, i/o): gicv3_its\r
      0000000008080000-000000000808ffff (prio 0, i/o): control\r
    0000000010000000-000000003efeffff (prio 0, i/o): alias pcie-mmio @gpex_mmio_window 0000000010000000-000000003efeffff\r
    0000000040000000-00000000a7ffffff (prio 0, i/o): mach-virt.ram\r
      0000000040000000-00000000a7ffffff (prio 0, ram): ram-node0\r
    00000000c0000000-00000004bfffffff (prio 0, i/o): device-memory\r
      0000000100000000-0000000497ffffff (prio 0, ram): ram1\r
\r
address-space: I/O\r
  0000000000000000-000000000000ffff (prio 0, ram): io\r
";

    fn check(text: &str) -> String {
        let line = |seen: &Seen| format!("{} {}\n", seen.kind, seen.span);
        regions(text).iter().map(line).collect()
    }

    #[test]
    fn regions_have_the_kinds_of_a_plan() {
        assert_eq!(
            check(ARM),
            "flash 0x0..=0x3ff_ffff\nits 0x808_0000..=0x809_ffff\nmmio32 0x1000_0000..=0x3efe_ffff\n\
             ram 0x4000_0000..=0xa7ff_ffff\ndevice-memory 0xc000_0000..=0x4_bfff_ffff\n\
             ram 0x1_0000_0000..=0x4_97ff_ffff\n"
        );
    }

    #[test]
    fn memory_of_a_pc_is_counted_once() {
        let text = "address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-00000000bfffffff (prio 0, ram): alias ram-below-4g @pc.ram 0000000000000000-00000000bfffffff
    0000000000000000-ffffffffffffffff (prio -1, i/o): pci
      00000000000e0000-00000000000fffff (prio 1, rom): alias isa-bios @pc.bios 0000000000020000-000000000003ffff
    00000000000c0000-00000000000c3fff (prio 1, ram): alias pam-ram @pc.ram 00000000000c0000-00000000000c3fff [disabled]
    00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
";
        assert_eq!(check(text), "ram 0x0..=0xbfff_ffff\nmsi 0xfee0_0000..=0xfeef_ffff\n");
    }
}
