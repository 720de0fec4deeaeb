//! Domains that Xen builds on arm64 at boot, from its device tree, without a toolstack ("dom0less").
//!
//! By itself Xen maps RAM at two banks of its own. With `xen,static-mem` and `direct-map` each bank lies at the addresses
//! of the host memory behind it, so the memory can be put anywhere that the host has memory (machine `direct-map`). Without
//! `direct-map`, `xen,static-mem` chooses the memory of the host and not the addresses of the guest.
//!
//! Read in the trees of 4.17.5 and 4.20.3 (xen/arch/arm/domain_build.c, dom0less-build.c, static-memory.c), which agree.
//! Left out: LLC colouring, `xen,shared-mem`, the devices of a `direct-map` domain, which keep the host's addresses.

use super::fixed::{refusal, refuse_cut_pages, refuse_foreign, refuse_modules};
use super::qemu::{self, Row};
use super::{
    BootRule, Choice, DimmRule, Knob, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, region,
    rules,
};
use crate::addr::{Gpa, Span};
use crate::facts::Arch;
use crate::size::Size;

/// xen/include/public/arch-arm.h, `GUEST_RAM0_BASE`, `GUEST_RAM0_SIZE`, `GUEST_RAM1_BASE`, `GUEST_RAM1_SIZE`.
const BANKS: [(u64, u64); 2] = [(0x4000_0000, 0xc000_0000), (0x2_0000_0000, 0xfe_0000_0000)];
/// xen/include/public/arch-arm.h. A host with a GICv2 has its CPU interface at 0x300_2000, within `gicd`.
const REGIONS: &[Row] = &[
    ("virtio-mmio", RegionKind::VirtioMmio, 0x200_0000, 0x10_0000),
    ("gicd", RegionKind::Gicd, 0x300_1000, 0x1_0000),
    ("gicr", RegionKind::Gicr, 0x302_0000, 0x100_0000),
    ("vpci-ecam", RegionKind::Ecam, 0x1000_0000, 0x1000_0000),
    ("acpi", RegionKind::Platform, 0x2000_0000, 0x200_0000),
    ("vpl011", RegionKind::Platform, 0x2200_0000, 0x1000),
    ("vpci-mem", RegionKind::Mmio32, 0x2300_0000, 0x1000_0000),
    ("grant-table", RegionKind::Platform, 0x3800_0000, 0x100_0000),
    ("magic", RegionKind::Platform, 0x3900_0000, 0x100_0000),
    ("vpci-prefetch", RegionKind::Mmio64, 0x1_0000_0000, 0x1_0000_0000),
];
/// xen/include/public/arch-arm.h, `GUEST_MAX_VCPUS`.
const MOST_VCPUS: u32 = 128;
/// Banks of a domain, xen/include/xen/bootfdt.h `NR_MEM_BANKS` (256), less some for the host's own.
const MOST_BANKS: u32 = 64;
/// Xen asks for whole pages (static-memory.c, acquire_static_memory_bank); Linux wants its image at a multiple of 2 MiB
/// (Documentation/arch/arm64/booting.rst), and Xen maps by 2 MiB what is aligned to it.
const BANK_ALIGN: Size = Size::mib(2);
/// Kernel, device tree and initrd lie in the first bank (xen/arch/arm/kernel.c, place_modules): room for those of a
/// distribution.
const FIRST_BANK: Size = Size::mib(128);

/// With which words Xen stops (static-memory.c, `assign_static_memory_11`); the first domain is `d1`.
const REFUSED: &str = "Failed to assign requested static memory for direct-map domain d1.";

/// How Xen lays a domain out, as its machine says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Machine {
    /// x86, built by libxl.
    Hvm,
    /// RAM at Xen's own banks.
    Dom0less,
    /// RAM at the addresses of the host memory behind it.
    DirectMap,
}

/// The machine of the request.
pub(super) fn machine(request: &Request) -> Result<Machine, VmmError> {
    match (request.arch, request.machine.trim()) {
        (Arch::X86_64, "" | "hvm") => Ok(Machine::Hvm),
        (Arch::Aarch64, "" | "dom0less") => Ok(Machine::Dom0less),
        (Arch::Aarch64, "direct-map") => Ok(Machine::DirectMap),
        (arch, other) => {
            let text = format!(
                "the planner knows the machines hvm (x86_64), dom0less and direct-map (aarch64) of Xen, not {other:?} \
                 for {arch}"
            );
            Err(refusal(rules::XEN_MACHINE, text))
        }
    }
}

/// The machine's name, `dom0less` for the default.
pub(super) fn machine_name(request: &Request) -> Result<String, VmmError> {
    let name = match machine(request)? {
        Machine::Hvm => "hvm",
        Machine::Dom0less => "dom0less",
        Machine::DirectMap => "direct-map",
    };
    Ok(name.to_owned())
}

/// xen/arch/arm/domain.c and xen/arch/x86/domain.c, `arch_sanitise_domain_config`.
pub(super) fn refuse_vcpus(request: &Request, most: u32) -> Result<(), VmmError> {
    let text = || format!("Requested vCPUs ({}) exceeds max ({most})", request.vcpus);
    if request.vcpus > most { Err(refusal(rules::XEN_VCPUS, text())) } else { Ok(()) }
}

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    let regions = match check_request(request)? {
        Machine::DirectMap => direct_map(request, choice)?,
        _ => banks(request, choice)?,
    };
    refuse_cut_pages(request, &regions, rules::XEN_STATIC_MEM)?;
    let last = regions.iter().map(|region| region.span.last()).max().unwrap_or(Gpa::at(0));
    let needed_bits = qemu::bits_of(last);
    refuse_bits(request, needed_bits)?;
    Ok(MemoryMap { regions, needed_bits, ..MemoryMap::default() })
}

/// Xen has nothing to turn: the machine decides.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    let machine = check_request(request)?;
    let fixed = || BootRule::Fixed { spans: bank_spans().collect(), rule: rules::XEN_ARM_RAM };
    let align = BANK_ALIGN.max(request.pages.size());
    let rule = rules::XEN_STATIC_MEM;
    let (boot, dimms) = match machine {
        Machine::DirectMap => (
            BootRule::Movable { within: Span::full(), align, default: Gpa::at(BANKS[0].0), rule },
            Some(DimmRule { align, most: MOST_BANKS, least_boot: FIRST_BANK, area_align: Size::ZERO, rule }),
        ),
        _ => (fixed(), None),
    };
    Ok(vec![Variant { knobs: Vec::new(), boot, dimms, room: None }])
}

/// What Xen would refuse about the machine.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    check_request(request).err().into_iter().collect()
}

fn check_request(request: &Request) -> Result<Machine, VmmError> {
    refuse_foreign(request, rules::XEN_ARM_RAM)?;
    refuse_vcpus(request, MOST_VCPUS)?;
    machine(request)
}

fn bank_spans() -> impl Iterator<Item = Span<Gpa>> {
    BANKS
        .into_iter()
        .filter_map(|(start, size)| Span::from_start_size(Gpa::at(start), Size::from_bytes(size)))
}

/// RAM at Xen's own banks (domain_build.c, `allocate_memory`).
fn banks(request: &Request, choice: &Choice) -> Result<Vec<MapRegion>, VmmError> {
    refuse_modules(request, choice, rules::XEN_ARM_RAM)?;
    let spans: Vec<Span<Gpa>> = bank_spans().collect();
    let ram = super::fixed::filled(&["ram0", "ram1"], &spans, choice.boot).ok_or_else(|| {
        let room: u64 = BANKS.iter().map(|(_, size)| size).sum();
        let left = choice.boot.bytes().saturating_sub(room) / 1024;
        let text = format!(
            "Failed to allocate requested domain memory. {left}KB unallocated. Fix the VMs configurations."
        );
        refusal(rules::XEN_ARM_RAM, text)
    })?;
    Ok(qemu::regions(REGIONS).chain(ram).collect())
}

/// RAM where the choice has it: one bank for each piece. Xen's own devices are where the host has its own.
fn direct_map(request: &Request, choice: &Choice) -> Result<Vec<MapRegion>, VmmError> {
    if !request.hotplug.is_zero() || !choice.hotplug.is_empty() {
        return Err(refusal(rules::XEN_STATIC_MEM, "Xen builds a domain with all of its memory"));
    }
    let base = choice.knobs.iter().rev().find_map(|knob| match knob {
        Knob::RamBase { at } => Some(*at),
        _ => None,
    });
    let first = region("ram0", RegionKind::Ram, base.unwrap_or(Gpa::at(BANKS[0].0)), choice.boot);
    if choice.boot < FIRST_BANK.min(request.memory) {
        let text = "Not enough memory in the first bank for the kernel+dtb+initrd";
        return Err(refusal(rules::XEN_STATIC_MEM, text));
    }
    let nowhere = || refusal(rules::XEN_STATIC_MEM, REFUSED);
    let mut ram: Vec<MapRegion> = vec![first.ok_or_else(nowhere)?];
    ram.extend((1..).zip(&choice.dimms).map(|(index, dimm)| MapRegion {
        name: format!("ram{index}"),
        kind: RegionKind::Ram,
        span: dimm.span,
    }));
    if ram.len() > MOST_BANKS as usize {
        return Err(refusal(rules::XEN_STATIC_MEM, "d1: exceed max number of supported guest memory banks."));
    }
    refuse_overlaps(&ram)?;
    Ok(ram)
}

/// Two banks over the same memory: the second finds it taken (static-memory.c, `acquire_static_memory_bank`). Xen 4.20 sees
/// it earlier still, and stops with "Early FDT parsing failed (-22)" (bootfdt.c, check_reserved_regions_overlap).
fn refuse_overlaps(ram: &[MapRegion]) -> Result<(), VmmError> {
    let mut spans: Vec<Span<Gpa>> = ram.iter().map(|region| region.span).collect();
    spans.sort_unstable();
    let clash = spans.windows(2).any(|pair| matches!(pair, [low, high] if low.overlaps(*high)));
    if !clash {
        return Ok(());
    }
    Err(refusal(rules::XEN_STATIC_MEM, REFUSED))
}

/// The bits of stage 2 are the host's (xen/arch/arm/mmu/p2m.c, `setup_virt_paging`).
fn refuse_bits(request: &Request, needed: u8) -> Result<(), VmmError> {
    match request.ipa_bits.filter(|&offered| offered < needed) {
        None => Ok(()),
        Some(offered) => {
            let text = format!("the layout needs {needed} address bits, and Xen has {offered} on this host");
            Err(refusal(rules::XEN_ARM_LIMIT, text))
        }
    }
}
