//! crosvm: on arm64 RAM is one piece from 2 GiB on, on x86 it lies below and above the 32-bit PCI window. Its one knob is
//! that window (`--pci mem=[start=,size=]`), which by default is small on arm64.
//!
//! Read in its tree of August 2026 (f1e797a6); crosvm has no releases. Left out: protected VMs, the firmware of a guest
//! that boots with one, `--pci cam=` and `ecam=`.

use super::fixed::{address_bits, filled, refusal, refuse_cut_pages, refuse_foreign, refuse_modules};
use super::qemu::{self, Row};
use super::{
    BootRule, Choice, Knob, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, region, rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::size::Size;

/// aarch64/src/lib.rs, `AARCH64_PHYS_MEM_START`.
const ARM_RAM: Gpa = Gpa::at(0x8000_0000);
/// aarch64/src/lib.rs, `AARCH64_PLATFORM_MMIO_SIZE`: directly behind RAM. It was 8 MiB in trees of 2025.
const ARM_PLATFORM: Size = Size::gib(1);
/// aarch64/src/lib.rs: the distributor ends at 1 GiB, the redistributors lie below it, the ITS above.
const ARM_GIC_DIST: u64 = 0x3fff_0000;
const ARM_REDIST_SIZE: u64 = 0x2_0000;
/// aarch64/src/lib.rs, `AARCH64_PCI_MEM_BASE_DEFAULT`, `AARCH64_PCI_MEM_SIZE_DEFAULT`.
const ARM_WINDOW: (u64, u64) = (0x200_0000, 0x200_0000);

/// aarch64/src/lib.rs.
const ARM: &[Row] = &[
    ("rtc", RegionKind::Platform, 0x2000, 0x1000),
    ("vmwdt", RegionKind::Platform, 0x3000, 0x1000),
    ("pci-cam", RegionKind::Ecam, 0x1_0000, 0x100_0000),
    ("virtfreq", RegionKind::Platform, 0x104_0000, 0x1_0000),
    ("pvtime", RegionKind::Platform, 0x1ff_0000, 0x1_0000),
    ("gic-dist", RegionKind::Gicd, ARM_GIC_DIST, 0x1_0000),
    ("gic-its", RegionKind::Its, 0x4000_0000, 0x2_0000),
];
/// Other places of the arm64 window that this planner offers: below the GIC, each as large as its alignment, but for the
/// last, which takes all that is free below the redistributors of 512 CPUs.
const ARM_WINDOWS: &[(u64, u64)] = &[
    (0x400_0000, 0x400_0000),
    (0x800_0000, 0x800_0000),
    (0x1000_0000, 0x1000_0000),
    (0x400_0000, 0x3800_0000),
];

/// x86_64/src/lib.rs, `MEM_32BIT_GAP_SIZE`: where the window starts, and where it ends at the ECAM.
const X86_WINDOW: u64 = 0xd000_0000;
const X86_ECAM: Row = ("pci-ecam", RegionKind::Ecam, 0xf400_0000, X86_ECAM_SIZE);
const X86_ECAM_SIZE: u64 = 0x400_0000;
/// Where the last 128 MiB below 4 GiB start, `RESERVED_MEM_SIZE`: `--pci mem=` windows end there by default.
const X86_WINDOW_END: u64 = 0xf800_0000;
/// Other starts of the x86 window that this planner offers.
const X86_WINDOWS: &[u64] = &[0xc000_0000, 0x8000_0000];
/// x86_64/src/lib.rs, `HIGH_MMIO_MAX_END`: 46 bits.
const X86_MOST_BITS: u8 = 46;
const FOUR_GIB: Gpa = Gpa::at(0x1_0000_0000);
const X86: &[Row] = &[
    X86_ECAM,
    ("ioapic", RegionKind::Platform, 0xfec0_0000, 0x1000),
    ("apic-msi", RegionKind::Msi, 0xfee0_0000, 0x10_0000),
];

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    refuse_foreign(request, rules::CROSVM_RAM)?;
    refuse_modules(request, choice, rules::CROSVM_RAM)?;
    let window = window(request, &choice.knobs)?;
    let regions = match request.arch {
        Arch::Aarch64 => arm(request, choice.boot, window)?,
        _ => x86(request, choice.boot, window)?,
    };
    refuse_cut_pages(request, &regions, rules::CROSVM_RAM)?;
    let last = regions.iter().map(|region| region.span.last()).max().unwrap_or(ARM_RAM);
    Ok(MemoryMap { regions, needed_bits: qemu::bits_of(last), takes_all_bits: true, ..MemoryMap::default() })
}

/// The default, then other places of the window.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    refuse_foreign(request, rules::CROSVM_RAM)?;
    let other = |(start, size): (u64, u64)| {
        let knob = Knob::LowMmioWindow { start: Gpa::at(start), size: Size::from_bytes(size) };
        variant(request, vec![knob])
    };
    let mut variants = vec![variant(request, vec![])?];
    let windows: Vec<(u64, u64)> = match request.arch {
        Arch::Aarch64 => ARM_WINDOWS.to_vec(),
        _ => X86_WINDOWS.iter().map(|&start| (start, X86_WINDOW_END - start)).collect(),
    };
    // A window that runs into the redistributors of this many CPUs is none.
    variants.extend(windows.into_iter().filter_map(|window| other(window).ok()));
    Ok(variants)
}

/// crosvm has nothing to check before it knows the memory.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    refuse_foreign(request, rules::CROSVM_RAM).err().into_iter().collect()
}

fn variant(request: &Request, knobs: Vec<Knob>) -> Result<Variant, VmmError> {
    let window = window(request, &knobs)?;
    let (spans, rule) = match request.arch {
        Arch::Aarch64 => {
            (Span::new(ARM_RAM, Gpa::new(u64::MAX)).into_iter().collect(), rules::CROSVM_ARM_RAM)
        }
        _ => (x86_spans(window), rules::CROSVM_RAM),
    };
    Ok(Variant { knobs, boot: BootRule::Fixed { spans, rule }, dimms: None, room: None })
}

/// The 32-bit PCI window; it must lie between other things (arch/src/lib.rs, `PciConfig`).
fn window(request: &Request, knobs: &[Knob]) -> Result<Span<Gpa>, VmmError> {
    let (default, free) = match request.arch {
        Arch::Aarch64 => (ARM_WINDOW, (0x200_0000, arm_redist(request)?)),
        _ => ((X86_WINDOW, X86_WINDOW_END - X86_WINDOW), (0x10_0000, X86_WINDOW_END)),
    };
    let turned = knobs.iter().rev().find_map(|knob| match knob {
        Knob::LowMmioWindow { start, size } => Some((start.get(), size.bytes())),
        _ => None,
    });
    let (start, size) = turned.unwrap_or(default);
    let span = Span::<Gpa>::from_start_size(Gpa::new(start), Size::from_bytes(size));
    let within = span.filter(|span| start >= free.0 && span.last().get() < free.1);
    within.ok_or_else(|| {
        let text = "bad PCI mem configuration: region overlaps other devices";
        refusal(rules::CROSVM_WINDOW, text)
    })
}

/// Where the redistributors start, below the distributor.
fn arm_redist(request: &Request) -> Result<u64, VmmError> {
    let size = u64::from(request.vcpus).saturating_mul(ARM_REDIST_SIZE);
    ARM_GIC_DIST
        .checked_sub(size)
        .filter(|&start| start >= ARM_WINDOW.0 + ARM_WINDOW.1)
        .ok_or_else(|| refusal(rules::CROSVM_ARM_RAM, "failed to create GIC: the redistributors do not fit"))
}

fn arm(request: &Request, boot: Size, window: Span<Gpa>) -> Result<Vec<MapRegion>, VmmError> {
    let bits = address_bits(request, 64);
    let end = u128::from(qemu::last_of(bits).get()) + 1;
    let ram_end = ARM_RAM.checked_add(boot);
    let Some(high) =
        ram_end.and_then(|at| at.checked_add(ARM_PLATFORM)).and_then(|at| Span::new(at, qemu::last_of(bits)))
    else {
        let base = u128::from(ARM_RAM.get()) + u128::from(boot.bytes()) + u128::from(ARM_PLATFORM.bytes());
        let text = format!("guest_phys_end {end:#x} < high_mmio_base {base:#x}");
        return Err(refusal(rules::CROSVM_ARM_LIMIT, text));
    };
    let redist = arm_redist(request)?;
    let redist_size = Size::from_bytes(ARM_GIC_DIST.saturating_sub(redist));
    let mut regions: Vec<MapRegion> = qemu::regions(ARM).collect();
    regions.extend(region("gic-redist", RegionKind::Gicr, Gpa::new(redist), redist_size));
    regions.push(MapRegion { name: "pci-mem".into(), kind: RegionKind::Mmio32, span: window });
    regions.extend(region("ram", RegionKind::Ram, ARM_RAM, boot));
    regions.extend(ram_end.and_then(|at| region("platform-mmio", RegionKind::Platform, at, ARM_PLATFORM)));
    regions.push(MapRegion { name: "high-mmio".into(), kind: RegionKind::Mmio64, span: high });
    Ok(regions)
}

/// RAM below the window and from 4 GiB on.
fn x86_spans(window: Span<Gpa>) -> Vec<Span<Gpa>> {
    let low_end = Gpa::new(window.first().get().saturating_sub(1));
    let low = Span::new(Gpa::at(0), low_end);
    low.into_iter().chain(Span::new(FOUR_GIB, Gpa::new(u64::MAX))).collect()
}

/// x86_64/src/lib.rs, `arch_memory_regions`, `get_pcie_vcfg_mmio_range`, `get_high_mmio_range`. The 384 KiB below 1 MiB
/// belong to RAM: they are mapped for devices like the rest.
fn x86(request: &Request, boot: Size, window: Span<Gpa>) -> Result<Vec<MapRegion>, VmmError> {
    let too_large = || {
        let bits = address_bits(request, X86_MOST_BITS);
        let text = format!("memory of {boot} and the PCI windows above it exceed {bits} address bits");
        refusal(rules::CROSVM_RAM, text)
    };
    let ram = filled(&["ram-low", "ram-high"], &x86_spans(window), boot).ok_or_else(too_large)?;
    let end = ram.last().and_then(|ram| ram.span.last().checked_add(Size::from_bytes(1)));
    let vcfg = end.and_then(|end| end.align_up(Size::mib(2))).map(|end| end.max(FOUR_GIB));
    let vcfg_size = Size::from_bytes(2 * X86_ECAM_SIZE);
    let last = qemu::last_of(address_bits(request, X86_MOST_BITS));
    let high = vcfg.and_then(|at| at.checked_add(vcfg_size)).and_then(|at| Span::new(at, last));
    let (Some(vcfg), Some(high)) = (vcfg, high) else { return Err(too_large()) };
    let mut regions: Vec<MapRegion> = qemu::regions(X86).collect();
    let below_ecam =
        Span::new(window.first(), Gpa::at(X86_ECAM.2 - 1)).and_then(|span| span.intersection(window));
    regions.extend(below_ecam.map(|span| MapRegion {
        name: "pci-mem".into(),
        kind: RegionKind::Mmio32,
        span,
    }));
    regions.extend(ram);
    regions.extend(region("pcie-vcfg", RegionKind::Platform, vcfg, vcfg_size));
    regions.push(MapRegion { name: "high-mmio".into(), kind: RegionKind::Mmio64, span: high });
    Ok(regions)
}
