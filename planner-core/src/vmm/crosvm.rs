//! crosvm: on arm64 RAM is one piece from 2 GiB on, on x86 it lies below and above the 32-bit PCI window, on riscv64 it is
//! one piece from 2 GiB on and nothing can be moved. Its knob is that window (`--pci mem=[start=,size=]`), which by default
//! is small on arm64; the configuration space moves where the user says (`cam=`, `ecam=`).
//!
//! Read in its tree of August 2026 (f1e797a6); crosvm has no releases. Left out: protected VMs, the firmware of a guest
//! that boots with one.

mod pci_option;

pub use pci_option::{PciOption, PciRange};

use super::fixed::{address_bits, filled, refusal, refuse_cut_pages, refuse_foreign, refuse_modules};
use super::qemu::{self, Row};
use super::{
    BootRule, Choice, Knob, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, region, rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::size::{MIB, Size};
use crate::span_set::SpanSet;

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
    ("virtfreq", RegionKind::Platform, 0x104_0000, 0x1_0000),
    ("pvtime", RegionKind::Platform, 0x1ff_0000, 0x1_0000),
    ("gic-dist", RegionKind::Gicd, ARM_GIC_DIST, 0x1_0000),
    ("gic-its", RegionKind::Its, 0x4000_0000, 0x2_0000),
];
/// aarch64/src/lib.rs, `AARCH64_PCI_CAM_BASE_DEFAULT`, `AARCH64_PCI_CAM_SIZE_DEFAULT`; the size cannot be chosen.
const ARM_CAM: (u64, u64) = (0x1_0000, 0x100_0000);
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
const X86_ECAM: (u64, u64) = (0xf400_0000, 0x400_0000);
/// The same file, `create_arch_memory_layout`: 256 buses.
const X86_MOST_ECAM: Size = Size::mib(256);
/// Where the last 128 MiB below 4 GiB start, `RESERVED_MEM_SIZE`: `--pci mem=` windows end there by default.
const X86_WINDOW_END: u64 = 0xf800_0000;
/// Other starts of the x86 window that this planner offers.
const X86_WINDOWS: &[u64] = &[0xc000_0000, 0x8000_0000];
/// x86_64/src/lib.rs, `HIGH_MMIO_MAX_END`: 46 bits.
const X86_MOST_BITS: u8 = 46;
const FOUR_GIB: Gpa = Gpa::at(0x1_0000_0000);
const X86: &[Row] = &[
    ("ioapic", RegionKind::Platform, 0xfec0_0000, 0x1000),
    ("apic-msi", RegionKind::Msi, 0xfee0_0000, 0x10_0000),
];

/// riscv64/src/lib.rs; devices/src/irqchip/kvm/riscv64.rs: an IMSIC page a hart, the APLIC behind them.
const RISCV: &[Row] = &[
    ("pci-cam", RegionKind::Ecam, 0x1_0000, 0x100_0000),
    ("low-mmio", RegionKind::Mmio32, 0x300_0000, 0x10_0000),
];
const RISCV_RAM: Gpa = Gpa::at(0x8000_0000);
const RISCV_IMSIC: Gpa = Gpa::at(0x800_0000);
const RISCV_IMSIC_SIZE: u64 = 0x1000;
const RISCV_APLIC_SIZE: Size = Size::kib(16);

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    refuse_other_machines(request)?;
    refuse_modules(request, choice, rules::CROSVM_RAM)?;
    let regions = match request.arch {
        Arch::Aarch64 => arm(request, choice.boot, window(request, &choice.knobs)?)?,
        Arch::X86_64 => x86(request, choice.boot, window(request, &choice.knobs)?)?,
        Arch::Riscv64 => riscv(request, choice.boot)?,
    };
    refuse_overlap(&regions)?;
    refuse_cut_pages(request, &regions, rules::CROSVM_RAM)?;
    let last = regions.iter().map(|region| region.span.last()).max().unwrap_or(ARM_RAM);
    Ok(MemoryMap { regions, needed_bits: qemu::bits_of(last), takes_all_bits: true, ..MemoryMap::default() })
}

/// The configuration space moves anywhere; crosvm finds out when it puts devices on its bus (devices/src/bus.rs,
/// `Error::Overlap`), or not at all.
fn refuse_overlap(regions: &[MapRegion]) -> Result<(), VmmError> {
    let mut sorted: Vec<&MapRegion> = regions.iter().collect();
    sorted.sort_by_key(|region| region.span);
    let overlap = sorted.windows(2).find_map(|pair| match pair {
        [low, high] if low.span.overlaps(high.span) => Some((low, high)),
        _ => None,
    });
    match overlap {
        None => Ok(()),
        Some((low, high)) => {
            let text = format!("{} at {} overlaps {} at {}", low.name, low.span, high.name, high.span);
            Err(refusal(rules::CROSVM_WINDOW, text))
        }
    }
}

/// The default, then other places of the window, unless the user has said where it lies.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    refuse_other_machines(request)?;
    let other = |(start, size): (u64, u64)| {
        let knob = Knob::LowMmioWindow { start: Gpa::at(start), size: Size::from_bytes(size) };
        variant(request, vec![knob])
    };
    let mut variants = vec![variant(request, vec![])?];
    let windows: Vec<(u64, u64)> = match request.arch {
        Arch::Aarch64 => ARM_WINDOWS.to_vec(),
        Arch::X86_64 => X86_WINDOWS.iter().map(|&start| (start, X86_WINDOW_END - start)).collect(),
        Arch::Riscv64 => Vec::new(),
    };
    let said = PciOption::read(&request.machine, request.arch)?.mem.is_some();
    // A window that runs into the redistributors of this many CPUs is none.
    variants.extend(windows.into_iter().filter(|_| !said).filter_map(|window| other(window).ok()));
    Ok(variants)
}

/// What crosvm refuses before it knows the memory.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    refuse_other_machines(request).err().into_iter().collect()
}

/// Other instruction sets, and words that are none of `--pci`.
fn refuse_other_machines(request: &Request) -> Result<(), VmmError> {
    refuse_foreign(&Request { machine: String::new(), ..request.clone() }, rules::CROSVM_RAM)?;
    let option = PciOption::read(&request.machine, request.arch)?;
    if request.arch == Arch::Riscv64 && option.mem.is_some() {
        return Err(refusal(rules::CROSVM_WINDOW, "PCI mem region not configurable on riscv (yet)"));
    }
    configuration(request).map(|_| ())
}

fn variant(request: &Request, knobs: Vec<Knob>) -> Result<Variant, VmmError> {
    let behind = |at| Span::new(at, Gpa::new(u64::MAX)).into_iter().collect();
    let (spans, rule) = match request.arch {
        Arch::Aarch64 => {
            window(request, &knobs)?;
            (behind(ARM_RAM), rules::CROSVM_ARM_RAM)
        }
        Arch::X86_64 => (x86_spans(window(request, &knobs)?), rules::CROSVM_RAM),
        Arch::Riscv64 => (behind(RISCV_RAM), rules::CROSVM_RISCV_RAM),
    };
    Ok(Variant { knobs, boot: BootRule::Fixed { spans, rule }, dimms: None, room: None })
}

/// The 32-bit PCI window: a knob, what the user says, or the default (arch/src/lib.rs, `PciConfig`). It must lie between
/// other things.
fn window(request: &Request, knobs: &[Knob]) -> Result<Span<Gpa>, VmmError> {
    let overlaps =
        || refusal(rules::CROSVM_WINDOW, "bad PCI mem configuration: region overlaps other devices");
    let space = configuration(request)?;
    let arm = request.arch == Arch::Aarch64;
    let (default, free) = if arm {
        (ARM_WINDOW, (ARM_WINDOW.0, arm_redist(request)?))
    } else {
        let start = X86_WINDOW.min(space.first().get());
        ((start, X86_WINDOW_END.saturating_sub(start)), (0x10_0000, X86_WINDOW_END))
    };
    let turned = knobs.iter().rev().find_map(|knob| match knob {
        Knob::LowMmioWindow { start, size } => Some((start.get(), size.bytes())),
        _ => None,
    });
    let said = PciOption::read(&request.machine, request.arch)?.mem.map(|mem| {
        // aarch64 takes the usual size, x86_64 goes on to the usual end.
        let rest = if arm { ARM_WINDOW.1 } else { X86_WINDOW_END.saturating_sub(mem.start.get()) };
        (mem.start.get(), mem.size.map_or(rest, Size::bytes))
    });
    let (start, size) = turned.or(said).unwrap_or(default);
    let span = Span::<Gpa>::from_start_size(Gpa::new(start), Size::from_bytes(size));
    let within = span.filter(|span| start >= free.0 && span.last().get() < free.1);
    within.filter(|span| !arm || !span.overlaps(space)).ok_or_else(overlaps)
}

/// PCI configuration space: `cam=` on arm64 (aarch64/src/lib.rs, `arch_memory_layout`), `ecam=` on x86 (x86_64/src/lib.rs,
/// `create_arch_memory_layout`).
fn configuration(request: &Request) -> Result<Span<Gpa>, VmmError> {
    let said = PciOption::read(&request.machine, request.arch)?.configuration;
    let x86 = request.arch == Arch::X86_64;
    let refuse = |text: String| {
        let what = if x86 { "ECAM" } else { "CAM" };
        refusal(rules::CROSVM_WINDOW, format!("bad PCI {what} configuration: {text}"))
    };
    let default = if x86 { X86_ECAM } else { ARM_CAM };
    let start = said.map_or(default.0, |said| said.start.get());
    let size = match said.and_then(|said| said.size) {
        Some(size) if x86 => size.min(X86_MOST_ECAM).bytes(),
        Some(size) if size.bytes() != ARM_CAM.1 => {
            let (most, size) = (ARM_CAM.1, size.bytes());
            return Err(refuse(format!("PCI CAM size must be {most:#x}, got {size:#x}")));
        }
        Some(size) => size.bytes(),
        None if x86 => X86_WINDOW_END.saturating_sub(start),
        None => ARM_CAM.1,
    };
    let span = Span::from_start_size(Gpa::new(start), Size::from_bytes(size));
    if x86 {
        let whole = |number: u64| number.is_multiple_of(MIB);
        let fits = size != 0 && start.is_multiple_of(size) && whole(start) && whole(size);
        let text = "base and len must be aligned to 1MB and base must be a multiple of len";
        let span = span.filter(|_| fits).ok_or_else(|| refuse(text.to_owned()))?;
        let beyond = || refuse("end address can't go beyond 4G".to_owned());
        return Some(span).filter(|span| span.last() < FOUR_GIB).ok_or_else(beyond);
    }
    let before = |span: &Span<Gpa>| span.last() < ARM_RAM;
    span.filter(before).ok_or_else(|| {
        refuse(format!("PCI CAM ({start:#x}, {size:#x}) must be before start of RAM ({:#x})", ARM_RAM.get()))
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
    regions.push(MapRegion { name: "pci-cam".into(), kind: RegionKind::Ecam, span: configuration(request)? });
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
    // x86_64/src/lib.rs, `get_pcie_vcfg_mmio_range`: twice the ECAM.
    let ecam = configuration(request)?;
    let vcfg_size = Size::from_bytes(ecam.size().map_or(0, Size::bytes).saturating_mul(2));
    let last = qemu::last_of(address_bits(request, X86_MOST_BITS));
    let high = vcfg.and_then(|at| at.checked_add(vcfg_size)).and_then(|at| Span::new(at, last));
    let (Some(vcfg), Some(high)) = (vcfg, high) else { return Err(too_large()) };
    let mut regions: Vec<MapRegion> = qemu::regions(X86).collect();
    regions.push(MapRegion { name: "pci-ecam".into(), kind: RegionKind::Ecam, span: ecam });
    let around: SpanSet<Gpa> =
        [window].into_iter().collect::<SpanSet<Gpa>>().difference(&[ecam].into_iter().collect());
    regions.extend(around.iter().enumerate().map(|(index, span)| MapRegion {
        name: if index == 0 { "pci-mem".into() } else { format!("pci-mem{index}") },
        kind: RegionKind::Mmio32,
        span,
    }));
    regions.extend(ram);
    regions.extend(region("pcie-vcfg", RegionKind::Platform, vcfg, vcfg_size));
    regions.push(MapRegion { name: "high-mmio".into(), kind: RegionKind::Mmio64, span: high });
    Ok(regions)
}

/// riscv64/src/lib.rs, `guest_memory_layout`, `get_high_mmio_base_size`: the window lies directly behind RAM.
fn riscv(request: &Request, boot: Size) -> Result<Vec<MapRegion>, VmmError> {
    let last = qemu::last_of(address_bits(request, 64));
    let high = RISCV_RAM.checked_add(boot).and_then(|at| Span::new(at, last));
    let high = high.ok_or_else(|| {
        let base = u128::from(RISCV_RAM.get()) + u128::from(boot.bytes());
        let end = u128::from(last.get()) + 1;
        let text = format!("guest_phys_end {end:#x} < high_mmio_base {base:#x}");
        refusal(rules::CROSVM_RISCV_RAM, text)
    })?;
    let imsic = Size::from_bytes(u64::from(request.vcpus).saturating_mul(RISCV_IMSIC_SIZE));
    let aplic = RISCV_IMSIC.checked_add(imsic);
    let mut regions: Vec<MapRegion> = qemu::regions(RISCV).collect();
    regions.extend(region("imsic", RegionKind::Platform, RISCV_IMSIC, imsic));
    regions.extend(aplic.and_then(|at| region("aplic", RegionKind::Platform, at, RISCV_APLIC_SIZE)));
    if regions.iter().any(|region| region.span.last() >= RISCV_RAM) {
        return Err(refusal(rules::CROSVM_RISCV_RAM, "the interrupt files of so many vCPUs run into RAM"));
    }
    regions.extend(region("ram", RegionKind::Ram, RISCV_RAM, boot));
    regions.push(MapRegion { name: "high-mmio".into(), kind: RegionKind::Mmio64, span: high });
    Ok(regions)
}
