//! QEMU's x86 machines q35 and pc (i440fx): RAM below the 32-bit PCI hole and from 4 GiB (or, with an AMD vCPU, 1 TiB)
//! on, then the area for modules, then the 64-bit PCI window (hw/i386/pc.c).
//!
//! Left out: SGX, CXL, and the ECAM of q35, which the firmware puts into the 32-bit PCI hole.

use super::qemu::{self, AREA_ALIGN, Family, Memory, ModuleArea, Row};
use super::qemu_properties;
use super::x86_cpu::{self, Cpu};
use super::{
    BootRule, Choice, DimmRule, Disabled, Knob, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError,
    region, rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::size::Size;
use crate::version::Version;

/// include/hw/i386/ioapic.h, `IO_APIC_DEFAULT_ADDRESS`: end of the 32-bit PCI hole.
const HOLE_END: u64 = 0xfec0_0000;
const FOUR_GIB: Gpa = Gpa::at(0x1_0000_0000);
/// hw/i386/pc.c, `AMD_HT_START` and `AMD_ABOVE_1TB_START`.
const AMD_HT: Gpa = Gpa::at(0xfd_0000_0000);
const AMD_HT_SIZE: Size = Size::gib(12);
const ABOVE_1TB: Gpa = Gpa::at(0x100_0000_0000);
/// hw/i386/pc.c, `pc_memory_init`: before, what the CPU cannot address is made without a word.
const LIMIT_SINCE: Version = Version::new(7, 1);
/// hw/i386/pc.c, `pc_max_used_gpa`: whoever has but 32 bits is asked, too, and a CPU without long mode has no window.
const USED_SINCE: Version = Version::new(8, 2);
/// Up to this machine type the firmware alone made the window, around the BARs that it had placed
/// (include/hw/i386/pc.h, `PC_COMPAT_2_10`: `x-pci-hole64-fix`).
const LAST_WITHOUT_WINDOW: Version = Version::new(2, 10);
/// Up to this machine type the low RAM of `pc` ends at 3.5 GiB (hw/i386/pc_piix.c, `gigabyte_align`).
const UNALIGNED: Version = Version::new(1, 7);
/// Firmware, kernel and initrd need this much boot memory.
const LEAST_BOOT: Size = Size::gib(1);

/// What lies below 4 GiB whatever the options (include/hw/i386/apic.h, include/hw/timer/hpet.h). Firmware ends at
/// 4 GiB; 8 MiB is the most that the default `max-fw-size` takes.
const LOW: &[Row] = &[
    ("ioapic", RegionKind::Platform, HOLE_END, 0x1000),
    ("hpet", RegionKind::Platform, 0xfed0_0000, 0x400),
    ("apic-msi", RegionKind::Msi, 0xfee0_0000, 0x10_0000),
    ("flash", RegionKind::Flash, 0xff80_0000, 0x80_0000),
];

/// The chipset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Board {
    Q35,
    I440fx,
}

impl Board {
    const fn family(self) -> Family {
        match self {
            Self::Q35 => Family { prefix: "pc-q35-", first: Version::new(2, 4) },
            Self::I440fx => Family { prefix: "pc-i440fx-", first: Version::new(1, 4) },
        }
    }

    const fn alias(self) -> &'static str {
        match self {
            Self::Q35 => "q35",
            Self::I440fx => "pc",
        }
    }

    const fn property_owner(self) -> qemu_properties::Board {
        match self {
            Self::Q35 => qemu_properties::Board::Q35,
            Self::I440fx => qemu_properties::Board::I440fx,
        }
    }

    /// hw/pci-host/q35.c `Q35_PCI_HOST_HOLE64_SIZE_DEFAULT`, hw/pci-host/i440fx.c `I440FX_PCI_HOST_HOLE64_SIZE_DEFAULT`.
    const fn window_size(self) -> Size {
        match self {
            Self::Q35 => Size::gib(32),
            Self::I440fx => Size::gib(2),
        }
    }
}

/// The machine with its options resolved.
struct Options {
    board: Board,
    machine: Version,
    max_below: Option<Size>,
    window_size: Size,
    cpu: Cpu,
}

/// Where RAM, the area for modules and the window lie.
struct Layout {
    low: Size,
    above: Gpa,
    high: Size,
    area: Option<Span<Gpa>>,
    window: Option<Span<Gpa>>,
    /// The last address that anything uses.
    top: Gpa,
}

/// The memory map.
pub(super) fn memory_map(
    request: &Request,
    choice: &Choice,
    area: Option<ModuleArea>,
) -> Result<MemoryMap, VmmError> {
    let options = options(request, &choice.knobs)?;
    let memory = qemu::memory(request, choice, area, |memory| area_start(&options, memory))?;
    refuse_area(request, &options, memory)?;
    let layout = layout(request, &options, memory)?;
    let mut regions: Vec<MapRegion> = qemu::regions(LOW).collect();
    regions.extend(region("ram-below-4g", RegionKind::Ram, Gpa::at(0), layout.low));
    let hole = Span::of(layout.low.bytes(), HOLE_END - 1);
    regions.extend(hole.map(|span| MapRegion { name: "pci-hole".into(), kind: RegionKind::Mmio32, span }));
    regions.extend(region("ram-above-4g", RegionKind::Ram, layout.above, layout.high));
    if has_amd_hole(&options) {
        regions.extend(region("amd-ht", RegionKind::Hole, AMD_HT, AMD_HT_SIZE));
    }
    regions.extend(qemu::modules(request, choice, memory, layout.area)?);
    let window = |span| MapRegion { name: "pci-hole64".into(), kind: RegionKind::Mmio64, span };
    regions.extend(layout.window.map(window));
    Ok(MemoryMap {
        regions,
        max_memory: layout.area.map(|_| memory.max),
        slots: layout.area.filter(|_| memory.slots > 0).map(|_| memory.slots),
        needed_bits: qemu::bits_of(layout.top),
        disabled: no_window(&options),
        ..MemoryMap::default()
    })
}

fn no_window(options: &Options) -> Vec<Disabled> {
    if options.machine > LAST_WITHOUT_WINDOW {
        return vec![];
    }
    let because = format!(
        "machine type {} has the window that the firmware makes around the BARs it placed",
        name(options.board, options.machine)
    );
    vec![Disabled { name: "pci-hole64".into(), because }]
}

/// Lower limits for the low RAM and larger 64-bit windows, one knob and then both.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    let options = options(request, &[])?;
    let memory = Memory { boot: request.memory, max: request.memory, slots: 0 };
    let limits: Vec<Knob> = limits(&options, memory).map(|limit| Knob::MaxRamBelow4g { limit }).collect();
    let windows: Vec<Knob> =
        window_sizes(&options, memory).map(|size| Knob::PciHole64Size { size }).collect();
    let mut settings: Vec<Vec<Knob>> = vec![vec![]];
    settings.extend(limits.iter().chain(&windows).map(|knob| vec![knob.clone()]));
    for limit in &limits {
        settings.extend(windows.iter().map(|window| vec![limit.clone(), window.clone()]));
    }
    settings.into_iter().map(|knobs| variant(request, knobs, memory)).collect()
}

fn variant(request: &Request, knobs: Vec<Knob>, memory: Memory) -> Result<Variant, VmmError> {
    let options = options(request, &knobs)?;
    let (low, _) = split(&options, memory.boot);
    let low = Span::from_start_size(Gpa::at(0), below(&options, memory.boot).max(low));
    let high = Span::new(above(&options, memory), qemu::last_of(options.cpu.phys_bits));
    let spans = low.into_iter().chain(high).collect();
    Ok(Variant {
        knobs,
        boot: BootRule::Fixed { spans, rule: rules::QEMU_PC_RAM },
        room: None,
        dimms: has_area(options.machine).then(|| DimmRule {
            align: qemu::module_align(request),
            most: qemu::MAX_SLOTS,
            least_boot: LEAST_BOOT,
            area_align: AREA_ALIGN,
            rule: rules::QEMU_DIMM,
        }),
    })
}

/// Machine types up to 2.0 have no modules (hw/i386/pc_piix.c `pc_i440fx_2_0_machine_options`: `has_reserved_memory`).
fn has_area(machine: Version) -> bool {
    machine > Version::new(2, 0)
}

/// hw/i386/pc.c, `pc_memory_init`.
fn refuse_area(request: &Request, options: &Options, memory: Memory) -> Result<(), VmmError> {
    if has_area(options.machine) || (memory.slots == 0 && memory.max == memory.boot) {
        return Ok(());
    }
    let name = name(options.board, options.machine);
    let text = format!("\"-memory 'slots|maxmem'\" is not supported by: {name}");
    Err(qemu::refusal(request.arch, rules::QEMU_DIMM, text))
}

/// Settings of `max-ram-below-4g=` that lower the split of this memory.
fn limits(options: &Options, memory: Memory) -> impl Iterator<Item = Size> + use<> {
    let (low, _) = split(options, memory.boot);
    [Size::gib(2), Size::gib(1), Size::mib(512)].into_iter().filter(move |limit| *limit < low)
}

/// Powers of two above the window in force that fit the address bits.
fn window_sizes(options: &Options, memory: Memory) -> impl Iterator<Item = Size> {
    let last = qemu::last_of(options.cpu.phys_bits);
    let fits = move |size: Size| {
        let start = window_start(memory, above_for(options, memory, size), options);
        start.and_then(|start| Span::from_start_size(start, size)).is_some_and(|span| span.last() <= last)
    };
    let sizes = (36..52).map(|bit| Size::from_bytes(1 << bit));
    sizes.filter(|size| *size > options.window_size).take_while(move |&size| fits(size))
}

/// What QEMU would refuse about the machine and the CPU.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    options(request, &[]).err().into_iter().collect()
}

/// The versioned machine type.
pub(super) fn machine_name(request: &Request) -> Result<String, VmmError> {
    let text = qemu::machine_text(request, &[])?;
    let (board, machine) = board(request, &text.kind)?;
    Ok(name(board, machine))
}

fn name(board: Board, machine: Version) -> String {
    format!("{}{machine}", board.family().prefix)
}

fn board(request: &Request, kind: &str) -> Result<(Board, Version), VmmError> {
    // Passed devices want PCI Express, so q35 is the planner's default, not QEMU's.
    let kind = if kind.is_empty() { "q35" } else { kind };
    let boards = [Board::Q35, Board::I440fx].into_iter();
    let mut found = boards.filter_map(|board| {
        let version = board.family().version(board.alias(), kind, request.version)?;
        Some((board, version))
    });
    found.next().ok_or_else(|| qemu::unknown_machine(request, kind))
}

fn options(request: &Request, knobs: &[Knob]) -> Result<Options, VmmError> {
    let text = qemu::machine_text(request, knobs)?;
    let (board, machine) = board(request, &text.kind)?;
    let refuse = |text: String| qemu::refusal(request.arch, rules::QEMU_MACHINE, text);
    let mut max_below = None;
    for (option, value) in &text.options {
        if option == "max-ram-below-4g" {
            max_below = Some(limit(request, value).map_err(refuse)?);
        } else {
            qemu_properties::check(request, board.property_owner(), &name(board, machine), option, value)?;
        }
    }
    let window_size = knobs.iter().rev().find_map(|knob| match knob {
        Knob::PciHole64Size { size } => Some(*size),
        _ => None,
    });
    let window_size = window_size.unwrap_or(board.window_size());
    Ok(Options { board, machine, max_below, window_size, cpu: x86_cpu::cpu(request)? })
}

/// hw/i386/pc.c, `pc_machine_set_max_ram_below_4g`.
fn limit(request: &Request, value: &str) -> Result<Size, String> {
    let size = qemu::size(request.version, "max-ram-below-4g", value)?;
    if size > Size::gib(4) {
        let bytes = size.bytes();
        return Err(format!(
            "Machine option 'max-ram-below-4g={bytes}' expects size less than or equal to 4G"
        ));
    }
    Ok(size)
}

/// Most RAM below 4 GiB (hw/i386/pc_q35.c `pc_q35_init`, hw/i386/pc_piix.c `pc_init1`).
fn below(options: &Options, boot: Size) -> Size {
    match options.board {
        Board::Q35 => {
            let large = boot >= Size::from_bytes(0xb000_0000);
            let below = if large { Size::gib(2) } else { Size::from_bytes(0xb000_0000) };
            below.min(options.max_below.filter(|limit| !limit.is_zero()).unwrap_or(Size::gib(4)))
        }
        Board::I440fx => {
            let limit = options.max_below.filter(|limit| !limit.is_zero());
            let limit = limit.unwrap_or(Size::from_bytes(0xe000_0000));
            let aligned = boot >= limit && options.machine > UNALIGNED;
            if aligned { limit.min(Size::gib(3)) } else { limit }
        }
    }
}

/// RAM below 4 GiB and above.
fn split(options: &Options, boot: Size) -> (Size, Size) {
    let low = boot.min(below(options, boot));
    (low, boot.checked_sub(low).unwrap_or(Size::ZERO))
}

/// Whether the machine knows the HyperTransport range (hw/i386/pc.c, `enforce_amd_1tb_hole`).
fn moves_for_amd(options: &Options) -> bool {
    options.cpu.amd && options.machine > Version::new(7, 0)
}

/// Whether e820 lists the range as reserved (hw/i386/pc.c, `pc_memory_init`).
fn has_amd_hole(options: &Options) -> bool {
    moves_for_amd(options) && options.cpu.phys_bits >= 40
}

/// Where RAM above 4 GiB starts (hw/i386/pc.c, `pc_memory_init`).
fn above(options: &Options, memory: Memory) -> Gpa {
    above_for(options, memory, options.window_size)
}

fn above_for(options: &Options, memory: Memory, window_size: Size) -> Gpa {
    let start = window_start(memory, FOUR_GIB, options);
    let last = start.and_then(|start| Span::from_start_size(start, window_size)).map(Span::last);
    let crosses = last.is_none_or(|last| last >= AMD_HT);
    if moves_for_amd(options) && crosses { ABOVE_1TB } else { FOUR_GIB }
}

/// Where the area for modules starts (hw/i386/pc.c, `pc_get_device_memory_range`).
fn area_start(options: &Options, memory: Memory) -> Option<Gpa> {
    area_from(options, memory, above(options, memory))
}

fn area_from(options: &Options, memory: Memory, above: Gpa) -> Option<Gpa> {
    let (_, high) = split(options, memory.boot);
    above.checked_add(high)?.align_up(AREA_ALIGN)
}

/// Machine types up to 2.1 leave no room to align modules (hw/i386/pc_piix.c `pc_i440fx_2_1_machine_options`:
/// `enforce_aligned_dimm`).
fn area_size(options: &Options, memory: Memory) -> Option<Size> {
    let slots = if options.machine > Version::new(2, 1) { memory.slots } else { 0 };
    qemu::area_size(Memory { slots, ..memory })
}

/// Where the 64-bit PCI window starts (hw/i386/pc.c, `pc_pci_hole64_start`).
fn window_start(memory: Memory, above: Gpa, options: &Options) -> Option<Gpa> {
    let start = area_from(options, memory, above)?;
    if memory.max > memory.boot {
        return start.checked_add(area_size(options, memory)?)?.align_up(AREA_ALIGN);
    }
    Some(start)
}

fn layout(request: &Request, options: &Options, memory: Memory) -> Result<Layout, VmmError> {
    let too_huge = || qemu::refusal(request.arch, rules::QEMU_PC_LIMIT, "maxmem/slots too huge");
    let (low, high) = split(options, memory.boot);
    let above = above(options, memory);
    let start = window_start(memory, above, options).ok_or_else(too_huge)?;
    let end = start.checked_add(options.window_size).ok_or_else(too_huge)?;
    let area = if memory.max > memory.boot {
        let start = area_from(options, memory, above).ok_or_else(too_huge)?;
        Span::from_start_size(start, area_size(options, memory).ok_or_else(too_huge)?)
    } else {
        None
    };
    let top = match area {
        _ if ends_with_window(request, options) => Gpa::new(end.get().saturating_sub(1)),
        Some(area) => area.last(),
        None => Gpa::new(above.checked_add(high).ok_or_else(too_huge)?.get().saturating_sub(1)),
    };
    let (bits, last) = (options.cpu.phys_bits, qemu::last_of(options.cpu.phys_bits));
    let asked = match request.version {
        version if version >= USED_SINCE => true,
        version => version >= LIMIT_SINCE && bits > 32,
    };
    if top > last && asked {
        let (last, top) = (last.get(), top.get());
        let text = format!("Address space limit {last:#x} < {top:#x} phys-bits too low ({bits})");
        return Err(qemu::refusal(request.arch, rules::QEMU_PC_LIMIT, text));
    }
    // The window ends on a multiple of 1 GiB (hw/pci-host/q35.c, q35_host_get_pci_hole64_end); the check does not.
    let size = AREA_ALIGN.round_up(options.window_size.bytes()).map(Size::from_bytes).ok_or_else(too_huge)?;
    let window = Span::from_start_size(start, size).filter(|_| options.machine > LAST_WITHOUT_WINDOW);
    Ok(Layout { low, above, high, area, window, top })
}

/// Whether the highest address that counts is the window's (hw/i386/pc.c, `pc_max_used_gpa`).
fn ends_with_window(request: &Request, options: &Options) -> bool {
    options.cpu.long || request.version < USED_SINCE
}
