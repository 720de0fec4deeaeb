//! OpenVMM: one allocator places everything: what is pinned, then 32-bit windows from 4 GiB downwards, RAM from the bottom
//! around them, 64-bit windows behind RAM.
//!
//! The machine is the way that it boots: `linux` (directly, the default) or `uefi`. Modelled is one PCIe root complex,
//! `rc0`, and no VMBus. Read in its tree of October 2026 (openvmm/openvmm_core/src/worker/memory_layout.rs,
//! vm/vmcore/vm_topology/src/layout.rs).
//!
//! Left out: windows at pinned addresses (`low_mmio_base=`), around which RAM would be split; `--machine microvm`.

use super::fixed::{address_bits, filled, refusal, refuse_cut_pages, refuse_foreign, refuse_modules};
use super::qemu;
use super::{
    BootRule, Choice, Knob, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, region, rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::size::Size;
use crate::span_set::SpanSet;

const FOUR_GIB: Gpa = Gpa::at(0x1_0000_0000);
/// vmm_core/vm_manifest_builder, `layout_config`: the chipset's window ends at 4 GiB.
const ARM_CHIPSET: Size = Size::mib(512);
const X86_CHIPSET: Size = Size::mib(128);
/// `ram_start_address` of a directly booted arm64 Linux: clear of the window where Linux maps MSI doorbells.
const ARM_LINUX_RAM: Gpa = Gpa::at(0x4000_0000);
/// openvmm/openvmm_entry/src/cli_args.rs, `PcieRootComplexCli`: sizes of the windows unless told otherwise.
const LOW_MMIO: Size = Size::mib(64);
const HIGH_MMIO: Size = Size::gib(1);
/// memory_layout.rs: alignments, and the configuration space of 256 buses.
const LOW_ALIGN: Size = Size::mib(2);
const HIGH_ALIGN: Size = Size::gib(1);
const ECAM: Size = Size::mib(256);
const ECAM_ALIGN: Size = Size::mib(1);
/// Other sizes of the windows that this planner offers.
const LOW_SIZES: [Size; 3] = [Size::mib(256), Size::gib(1), Size::gib(2)];
const HIGH_SIZES: [Size; 5] =
    [Size::gib(16), Size::gib(64), Size::gib(256), Size::gib(1024), Size::gib(4096)];

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    refuse_foreign(request, rules::OPENVMM_RAM)?;
    refuse_modules(request, choice, rules::OPENVMM_RAM)?;
    let low = low_part(request, &choice.knobs)?;
    let spans = [low.ram, Span::new(FOUR_GIB, Gpa::new(u64::MAX))];
    let spans: Vec<Span<Gpa>> = spans.into_iter().flatten().collect();
    let ram = filled(&["ram0-low", "ram0-high"], &spans, choice.boot);
    let ram = ram.ok_or_else(|| exhausted("ram0", choice.boot, HIGH_ALIGN, "Ram"))?;
    let end = ram.last().and_then(|region| region.span.last().checked_add(Size::from_bytes(1)));
    let mut regions = vec![low.chipset, low.window];
    regions.extend(ram);
    regions.extend(high_part(end.unwrap_or(FOUR_GIB), size(&choice.knobs, HIGH_MMIO, high_size))?);
    refuse_cut_pages(request, &regions, rules::OPENVMM_RAM)?;
    let last = regions.iter().map(|region| region.span.last()).max().unwrap_or(FOUR_GIB);
    let (needed_bits, offered) = (qemu::bits_of(last), address_bits(request, 64));
    if needed_bits > offered {
        let end = u128::from(last.get()) + 1;
        let text =
            format!("memory layout ends at {end:#x}, which exceeds the address width of {offered} bits");
        return Err(refusal(rules::OPENVMM_LIMIT, text));
    }
    Ok(MemoryMap { regions, needed_bits, ..MemoryMap::default() })
}

/// The default, then larger windows, alone before together.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    refuse_foreign(request, rules::OPENVMM_RAM)?;
    let high = || HIGH_SIZES.into_iter().map(|size| Knob::HighMmioSize { size });
    let low = || LOW_SIZES.into_iter().map(|size| Knob::LowMmioSize { size });
    let mut settings: Vec<Vec<Knob>> = vec![vec![]];
    settings.extend(high().map(|knob| vec![knob]));
    settings.extend(low().map(|knob| vec![knob]));
    settings.extend(low().flat_map(|low| high().map(move |high| vec![low.clone(), high])));
    let mut variants = Vec::new();
    for knobs in settings {
        let low = low_part(request, &knobs)?;
        let spans = low.ram.into_iter().chain(Span::new(FOUR_GIB, Gpa::new(u64::MAX))).collect();
        let boot = BootRule::Fixed { spans, rule: rules::OPENVMM_RAM };
        variants.push(Variant { knobs, boot, dimms: None, room: None });
    }
    Ok(variants)
}

/// What OpenVMM would refuse about the machine.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    refuse_foreign(request, rules::OPENVMM_RAM)
        .and_then(|()| boots_linux(request))
        .err()
        .into_iter()
        .collect()
}

/// `linux` or `uefi`.
pub(super) fn machine_name(request: &Request) -> Result<String, VmmError> {
    Ok(if boots_linux(request)? { "linux" } else { "uefi" }.to_owned())
}

fn boots_linux(request: &Request) -> Result<bool, VmmError> {
    match request.machine.trim() {
        "" | "linux" => Ok(true),
        "uefi" => Ok(false),
        other => {
            let text = format!("the planner knows the machines linux and uefi of OpenVMM, not {other:?}");
            Err(refusal(rules::OPENVMM_MACHINE, text))
        }
    }
}

/// What lies below 4 GiB.
struct LowPart {
    /// The chipset's window.
    chipset: MapRegion,
    /// The 32-bit window of the root complex.
    window: MapRegion,
    /// What is left for RAM.
    ram: Option<Span<Gpa>>,
}

fn low_part(request: &Request, knobs: &[Knob]) -> Result<LowPart, VmmError> {
    let arm = request.arch == Arch::Aarch64;
    let bottom = if arm && boots_linux(request)? { ARM_LINUX_RAM } else { Gpa::at(0) };
    let chipset_size = if arm { ARM_CHIPSET } else { X86_CHIPSET };
    let size = size(knobs, LOW_MMIO, low_size);
    let chipset = Gpa::new(FOUR_GIB.get() - chipset_size.bytes());
    let start = chipset.get().checked_sub(size.bytes()).map(|at| Gpa::new(LOW_ALIGN.round_down(at)));
    let no_room = || exhausted("pcie-rc0-low-mmio", size, LOW_ALIGN, "Mmio32");
    let start = start.filter(|&start| start >= bottom).ok_or_else(no_room)?;
    let window = region("pcie-rc0-low-mmio", RegionKind::Mmio32, start, size).ok_or_else(no_room)?;
    let chipset = region("chipset-low-mmio", RegionKind::Platform, chipset, chipset_size);
    let ram = start.get().checked_sub(1).and_then(|last| Span::new(bottom, Gpa::new(last)));
    Ok(LowPart { chipset: chipset.ok_or_else(no_room)?, window, ram })
}

/// What lies behind RAM, never below 4 GiB: the window first, since its alignment is larger; the configuration space
/// where there is room for it.
fn high_part(ram_end: Gpa, size: Size) -> Result<Vec<MapRegion>, VmmError> {
    let floor = ram_end.max(FOUR_GIB);
    let window = floor
        .align_up(HIGH_ALIGN)
        .and_then(|start| region("pcie-rc0-high-mmio", RegionKind::Mmio64, start, size))
        .ok_or_else(|| exhausted("pcie-rc0-high-mmio", size, HIGH_ALIGN, "Mmio64"))?;
    let taken: SpanSet<Gpa> = [window.span].into_iter().collect();
    let above = Span::new(floor, Gpa::new(u64::MAX));
    let ecam = above
        .and_then(|above| taken.first_fit(ECAM, ECAM_ALIGN, above))
        .and_then(|start| region("pcie-seg0-ecam", RegionKind::Ecam, start, ECAM))
        .ok_or_else(|| exhausted("pcie-seg0-ecam", ECAM, ECAM_ALIGN, "Mmio64"))?;
    Ok(vec![window, ecam])
}

fn size(knobs: &[Knob], default: Size, of: fn(&Knob) -> Option<Size>) -> Size {
    knobs.iter().rev().find_map(of).unwrap_or(default)
}

fn low_size(knob: &Knob) -> Option<Size> {
    if let Knob::LowMmioSize { size } = knob { Some(*size) } else { None }
}

fn high_size(knob: &Knob) -> Option<Size> {
    if let Knob::HighMmioSize { size } = knob { Some(*size) } else { None }
}

/// layout.rs, `AllocateError::Exhausted`, but for the free space that it adds.
fn exhausted(tag: &str, size: Size, align: Size, phase: &str) -> VmmError {
    let (size, align) = (size.bytes(), align.bytes());
    let text = format!("{tag}: cannot allocate {size:#x} bytes with alignment {align:#x} during {phase}");
    refusal(rules::OPENVMM_LIMIT, text)
}
