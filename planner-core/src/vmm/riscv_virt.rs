//! QEMU's riscv `virt` machine: nothing can be moved.
//!
//! What each socket has is in [`super::riscv_sockets`].

use super::qemu::{self, Memory, ModuleArea, Row};
use super::qemu_properties::{self, Board};
use super::riscv_cpu;
use super::riscv_sockets::{self as sockets, Aia, Interrupts};
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
    ("uart0", RegionKind::Platform, 0x1000_0000, 0x100),
    ("virtio-mmio", RegionKind::VirtioMmio, 0x1000_1000, 0x8000),
    ("flash", RegionKind::Flash, 0x2000_0000, 0x400_0000),
    ("pcie-ecam", RegionKind::Ecam, 0x3000_0000, 0x1000_0000),
    ("pcie-mmio", RegionKind::Mmio32, 0x4000_0000, 0x4000_0000),
];
/// What came to lie there later, by version.
const LATER: &[(Version, Row)] = &[
    (Version::new(6, 0), ("fw-cfg", RegionKind::Platform, 0x1010_0000, 0x18)),
    (Version::new(7, 1), ("platform-bus", RegionKind::Platform, 0x400_0000, 0x200_0000)),
];
/// "hw/riscv: virt: Map high mmio for PCIe".
const WINDOW_SINCE: Version = Version::new(6, 0);
const IOMMU: Row = ("iommu-sys", RegionKind::Platform, 0x301_0000, 0x1000);

/// The QEMUs that brought `aclint=`, `aia=` and `aia-guests=`, and `iommu-sys=`.
const ACLINT_SINCE: Version = Version::new(6, 2);
const AIA_SINCE: Version = Version::new(7, 0);
const IOMMU_SYS_SINCE: Version = Version::new(10, 0);

struct Options {
    interrupts: Interrupts,
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
    let harts = sockets::harts(request)?;
    check_aclint(request, &options)?;
    let mut regions: Vec<MapRegion> = qemu::regions(LOW).collect();
    regions.extend(sockets::regions(request, options.interrupts, &harts));
    regions.extend(qemu::regions(options.iommu.then_some(&IOMMU)));
    let later = LATER.iter().filter(|(since, _)| *since <= request.version).map(|(_, row)| row);
    regions.extend(qemu::regions(later));
    regions.extend(region("mem", RegionKind::Ram, RAM, boot));
    let mut last = Gpa::new(end.get().saturating_sub(1));
    if request.version >= WINDOW_SINCE {
        regions.push(MapRegion { name: "pcie-mmio-high".into(), kind: RegionKind::Mmio64, span: window });
        last = window.last();
    }
    Ok(MemoryMap { regions, needed_bits: qemu::bits_of(last), ..MemoryMap::default() })
}

/// The one setting.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    let default = Choice { knobs: vec![], boot: request.memory, dimms: vec![], hotplug: vec![] };
    let options = options(request, &default)?;
    sockets::harts(request)?;
    check_aclint(request, &options)?;
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
    let interrupts = Interrupts { aia: Aia::None, aclint: false, guests: 0 };
    let mut options = Options { interrupts, iommu: false, cpu: riscv_cpu::Cpu::Rv64 };
    for (name, value) in &text.options {
        set(request, &mut options, name, value)?;
    }
    options.cpu = riscv_cpu::cpu(request)?;
    Ok(options)
}

/// One option. QEMU sets them in the order in which they were given, and ends at the first that it does not take.
fn set(request: &Request, options: &mut Options, name: &str, value: &str) -> Result<(), VmmError> {
    match name {
        "aia" if request.version >= AIA_SINCE => options.interrupts.aia = aia(request, value)?,
        "aia-guests" if request.version >= AIA_SINCE => {
            options.interrupts.guests = sockets::guests(request, value)?;
        }
        "aclint" if request.version >= ACLINT_SINCE => {
            options.interrupts.aclint = qemu::switch(request, name, value)?;
        }
        "iommu-sys" if request.version >= IOMMU_SYS_SINCE => options.iommu = iommu(request, value)?,
        _ => qemu_properties::check(request, Board::RiscvVirt, "virt", name, value)?,
    }
    Ok(())
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

/// KVM has the timers in itself.
fn check_aclint(request: &Request, options: &Options) -> Result<(), VmmError> {
    let refused = options.interrupts.aclint
        && qemu::is_kvm(request)
        && request.version >= sockets::ACLINT_REFUSED_SINCE;
    if refused {
        let text = "'aclint' is only available with TCG acceleration";
        return Err(qemu::refusal(request.arch, rules::QEMU_RISCV_SOCKETS, text));
    }
    Ok(())
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
