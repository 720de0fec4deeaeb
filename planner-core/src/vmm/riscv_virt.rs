//! QEMU's riscv `virt` machine: nothing can be moved.

use super::qemu::{self, Memory, ModuleArea, Row};
use super::qemu_properties::{self, Board};
use super::riscv_cpu;
use super::{BootRule, Choice, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, region, rules};
use crate::addr::{Address, Gpa, Span};
use crate::size::Size;
use crate::version::Version;

/// Where RAM starts (hw/riscv/virt.c, `virt_memmap`).
const RAM: Gpa = Gpa::at(0x8000_0000);
/// The 64-bit PCI window: as large as this, at a multiple of it, above RAM (hw/riscv/virt.c, `virt_machine_init`).
const WINDOW: Size = Size::gib(16);

/// With a 32-bit CPU the window is fixed, and RAM is cut to what lies below it (hw/riscv/virt.c, `VIRT32_HIGH_PCIE_MMIO_BASE`
/// and `virt_machine_init`).
const RV32_WINDOW: Gpa = Gpa::at(0x3_0000_0000);
const RV32_WINDOW_SIZE: Size = Size::gib(4);
const RV32_RAM: Size = Size::gib(10);

/// hw/riscv/virt.c, `virt_memmap`.
const LOW: &[Row] = &[
    ("debug", RegionKind::Platform, 0, 0x100),
    ("mrom", RegionKind::Flash, 0x1000, 0xf000),
    ("test", RegionKind::Platform, 0x10_0000, 0x1000),
    ("rtc", RegionKind::Platform, 0x10_1000, 0x1000),
    ("pcie-pio", RegionKind::Pio, 0x300_0000, 0x1_0000),
    ("platform-bus", RegionKind::Platform, 0x400_0000, 0x200_0000),
    ("uart0", RegionKind::Platform, 0x1000_0000, 0x100),
    ("virtio-mmio", RegionKind::VirtioMmio, 0x1000_1000, 0x8000),
    ("fw-cfg", RegionKind::Platform, 0x1010_0000, 0x18),
    ("flash", RegionKind::Flash, 0x2000_0000, 0x400_0000),
    ("pcie-ecam", RegionKind::Ecam, 0x3000_0000, 0x1000_0000),
    ("pcie-mmio", RegionKind::Mmio32, 0x4000_0000, 0x4000_0000),
];
const IOMMU: Row = ("iommu-sys", RegionKind::Platform, 0x301_0000, 0x1000);

/// Interrupt controllers by `aia=`. Harts have pages in an IMSIC; the rest of the two areas stays empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Aia {
    None,
    Aplic,
    AplicImsic,
}

struct Options {
    aia: Aia,
    /// `aia-guests=`: interrupt files of guests behind each hart's own.
    aia_guests: u64,
    /// `aclint=`: the parts of the CLINT as devices of their own.
    aclint: bool,
    iommu: bool,
    cpu: riscv_cpu::Cpu,
}

/// The memory map.
pub(super) fn memory_map(
    request: &Request,
    choice: &Choice,
    area: Option<ModuleArea>,
) -> Result<MemoryMap, VmmError> {
    let options = options(request, choice)?;
    let memory = Memory { boot: choice.boot, max: choice.boot, slots: 0 };
    let memory = area.map_or(Ok(memory), |area| qemu::given(request, choice.boot, area))?;
    refuse_modules(request, choice, area)?;
    let too_huge = || qemu::refusal(request.arch, rules::QEMU_RISCV_RAM, "ram size too large");
    let boot = if options.cpu == riscv_cpu::Cpu::Rv32 { memory.boot.min(RV32_RAM) } else { memory.boot };
    let end = RAM.checked_add(boot).ok_or_else(too_huge)?;
    let window = match options.cpu {
        riscv_cpu::Cpu::Rv32 => Span::from_start_size(RV32_WINDOW, RV32_WINDOW_SIZE),
        riscv_cpu::Cpu::Rv64 => end.align_up(WINDOW).and_then(|start| Span::from_start_size(start, WINDOW)),
    };
    let window = window.ok_or_else(too_huge)?;
    let mut regions: Vec<MapRegion> = qemu::regions(LOW).collect();
    regions.extend(qemu::regions(&optional_rows(&options, request)));
    regions.extend(region("mem", RegionKind::Ram, RAM, boot));
    regions.push(MapRegion { name: "pcie-mmio-high".into(), kind: RegionKind::Mmio64, span: window });
    Ok(MemoryMap { regions, needed_bits: qemu::bits_of(window.last()), ..MemoryMap::default() })
}

/// The one setting.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    let default = Choice { knobs: vec![], boot: request.memory, dimms: vec![], hotplug: vec![] };
    options(request, &default)?;
    let spans = Span::new(RAM, Gpa::new(u64::MAX)).into_iter().collect();
    Ok(vec![Variant {
        knobs: vec![],
        boot: BootRule::Fixed { spans, rule: rules::QEMU_RISCV_RAM },
        dimms: None,
        room: None,
    }])
}

/// What QEMU would refuse about the machine.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    let default = Choice { knobs: vec![], boot: request.memory, dimms: vec![], hotplug: vec![] };
    options(request, &default).err().into_iter().collect()
}

fn options(request: &Request, choice: &Choice) -> Result<Options, VmmError> {
    let text = qemu::machine_text(request, &choice.knobs)?;
    let kind = if text.kind.is_empty() { "virt" } else { &text.kind };
    if kind != "virt" {
        return Err(qemu::unknown_machine(request, kind));
    }
    let mut options =
        Options { aia: Aia::None, aia_guests: 0, aclint: false, iommu: false, cpu: riscv_cpu::cpu(request)? };
    for (name, value) in &text.options {
        match name.as_str() {
            "aia" => options.aia = aia(request, value)?,
            "iommu-sys" if request.version >= Version::new(10, 0) => options.iommu = iommu(request, value)?,
            _ => qemu_properties::check(request, Board::RiscvVirt, "virt", name, value)?,
        }
        match name.as_str() {
            "aia-guests" => options.aia_guests = u64::try_from(qemu_properties::atoi(value)).unwrap_or(0),
            "aclint" => options.aclint = qemu::switch(request, name, value)?,
            _ => {}
        }
    }
    Ok(options)
}

/// hw/riscv/virt.c, `virt_set_iommu_sys`: auto is off (`virt_is_iommu_sys_enabled`).
fn iommu(request: &Request, value: &str) -> Result<bool, VmmError> {
    match value {
        "on" => Ok(true),
        "off" | "auto" => Ok(false),
        _ => {
            let text = format!("Parameter 'iommu-sys' does not accept value '{value}'");
            Err(qemu::refusal(request.arch, rules::QEMU_MACHINE, text))
        }
    }
}

fn aia(request: &Request, value: &str) -> Result<Aia, VmmError> {
    match value {
        "none" => Ok(Aia::None),
        "aplic" => Ok(Aia::Aplic),
        "aplic-imsic" => Ok(Aia::AplicImsic),
        _ => Err(qemu::refusal(request.arch, rules::QEMU_MACHINE, "Invalid AIA interrupt controller type")),
    }
}

fn optional_rows(options: &Options, request: &Request) -> Vec<Row> {
    // hw/riscv/virt.c: 0x8000 of an APLIC are registers.
    let mut rows: Vec<Row> = match options.aia {
        Aia::None => vec![("plic", RegionKind::Platform, 0xc00_0000, 0x60_0000)],
        Aia::Aplic | Aia::AplicImsic => vec![
            ("aplic-m", RegionKind::Platform, 0xc00_0000, 0x8000),
            ("aplic-s", RegionKind::Platform, 0xd00_0000, 0x8000),
        ],
    };
    rows.extend(timers(options));
    if options.aia == Aia::AplicImsic {
        // A page per hart, and for supervisors one for each guest besides, rounded to a power of two (IMSIC_HART_SIZE).
        let harts = u64::from(qemu::cpus_at_start(request).min(512));
        let files = options.aia_guests.saturating_add(1).next_power_of_two();
        rows.push(("imsic-m", RegionKind::Msi, 0x2400_0000, harts * 0x1000));
        rows.push((
            "imsic-s",
            RegionKind::Msi,
            0x2800_0000,
            harts.saturating_mul(files).saturating_mul(0x1000),
        ));
    }
    if options.iommu {
        rows.push(IOMMU);
    }
    rows
}

/// The CLINT, or its parts (hw/riscv/virt.c `create_fdt_socket_aclint`, include/hw/intc/riscv_aclint.h); with IMSICs nothing
/// but the timer is left of them.
fn timers(options: &Options) -> Vec<Row> {
    match (options.aclint, options.aia) {
        (false, _) => vec![("clint", RegionKind::Platform, 0x200_0000, 0x1_0000)],
        (true, Aia::AplicImsic) => vec![
            ("aclint-mtimecmp", RegionKind::Platform, 0x200_0000, 0x7ff8),
            ("aclint-mtime", RegionKind::Platform, 0x200_7ff8, 0x8),
        ],
        (true, _) => vec![
            ("aclint-mswi", RegionKind::Platform, 0x200_0000, 0x4000),
            ("aclint-mtimecmp", RegionKind::Platform, 0x200_4000, 0x7ff8),
            ("aclint-mtime", RegionKind::Platform, 0x200_bff8, 0x4008),
            ("aclint-sswi", RegionKind::Platform, 0x2f0_0000, 0x4000),
        ],
    }
}

fn refuse_modules(request: &Request, choice: &Choice, area: Option<ModuleArea>) -> Result<(), VmmError> {
    let refuse = |text: &str| Err(qemu::refusal(request.arch, rules::QEMU_DIMM, text));
    if !choice.dimms.is_empty() {
        return refuse("'pc-dimm' is not a valid device model name");
    }
    // A maxmem= beyond the memory is taken and has no effect.
    if !choice.hotplug.is_empty() || (area.is_none() && !request.hotplug.is_zero()) {
        return refuse("the machine has no area for memory modules");
    }
    Ok(())
}
