//! QEMU's riscv `virt` machine: nothing can be moved.

use super::qemu::{self, ModuleArea, Row};
use super::{BootRule, Choice, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, region, rules};
use crate::addr::{Address, Gpa, Span};
use crate::size::Size;
use crate::version::Version;

/// Where RAM starts (hw/riscv/virt.c, `virt_memmap`).
const RAM: Gpa = Gpa::at(0x8000_0000);
/// The 64-bit PCI window: as large as this, at a multiple of it, above RAM (hw/riscv/virt.c, `virt_machine_init`).
const WINDOW: Size = Size::gib(16);

/// hw/riscv/virt.c, `virt_memmap`.
const LOW: &[Row] = &[
    ("debug", RegionKind::Platform, 0, 0x100),
    ("mrom", RegionKind::Flash, 0x1000, 0xf000),
    ("test", RegionKind::Platform, 0x10_0000, 0x1000),
    ("rtc", RegionKind::Platform, 0x10_1000, 0x1000),
    ("clint", RegionKind::Platform, 0x200_0000, 0x1_0000),
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

/// `aia=` and `aia-guests=`.
const AIA_SINCE: Version = Version::new(7, 0);

/// Interrupt controllers by `aia=`. A hart has one page in an IMSIC; the rest of the two areas stays empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Aia {
    None,
    Aplic,
    AplicImsic,
}

struct Options {
    aia: Aia,
    iommu: bool,
}

/// The memory map.
pub(super) fn memory_map(
    request: &Request,
    choice: &Choice,
    area: Option<ModuleArea>,
) -> Result<MemoryMap, VmmError> {
    let options = options(request, choice)?;
    refuse_modules(request, choice, area)?;
    let too_huge = || qemu::refusal(request.arch, rules::QEMU_RISCV_RAM, "ram size too large");
    let end = RAM.checked_add(choice.boot).ok_or_else(too_huge)?;
    let window =
        end.align_up(WINDOW).and_then(|start| Span::from_start_size(start, WINDOW)).ok_or_else(too_huge)?;
    let mut regions: Vec<MapRegion> = qemu::regions(LOW).collect();
    regions.extend(qemu::regions(&optional_rows(&options, request)));
    let later = LATER.iter().filter(|(since, _)| *since <= request.version).map(|(_, row)| row);
    regions.extend(qemu::regions(later));
    regions.extend(region("mem", RegionKind::Ram, RAM, choice.boot));
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
    let mut options = Options { aia: Aia::None, iommu: false };
    for (name, value) in &text.options {
        match name.as_str() {
            "aia" if request.version >= AIA_SINCE => options.aia = aia(request, value)?,
            "iommu-sys" if request.version >= Version::new(10, 0) => {
                options.iommu = value == "auto" || qemu::switch(request, name, value)?;
            }
            "aclint" if request.version >= Version::new(6, 2) => {}
            "aia-guests" if request.version >= AIA_SINCE => {}
            "acpi" if request.version >= Version::new(8, 0) => {}
            "accel"
            | "memory-backend"
            | "dumpdtb"
            | "usb"
            | "smp"
            | "memory"
            | "firmware"
            | "kernel"
            | "initrd"
            | "append"
            | "dtb"
            | "graphics"
            | "pflash0"
            | "pflash1"
            | "dump-guest-core"
            | "dt-compatible"
            | "mem-merge"
            | "phandle-start"
            | "suppress-vmdesc"
            | "kernel-irqchip"
            | "confidential-guest-support"
            | "memory-encryption" => {}
            _ => {
                return Err(qemu::unknown_property(request, "virt", name));
            }
        }
    }
    Ok(options)
}

fn aia(request: &Request, value: &str) -> Result<Aia, VmmError> {
    match value {
        "none" => Ok(Aia::None),
        "aplic" => Ok(Aia::Aplic),
        "aplic-imsic" => Ok(Aia::AplicImsic),
        _ => Err(qemu::refusal(request.arch, rules::QEMU_MACHINE, "Invalid AIA interrupt controller type")),
    }
}

/// Most harts (include/hw/riscv/virt.h, `VIRT_CPUS_MAX`).
pub(super) fn most_harts(version: Version) -> u32 {
    match version {
        version if version < Version::new(6, 2) => 8,
        version if version < Version::new(7, 0) => 32,
        _ => 512,
    }
}

/// Room for two contexts of every hart that there can be (include/hw/riscv/virt.h, `VIRT_PLIC_SIZE`).
fn plic_size(version: Version) -> u64 {
    0x20_0000 + u64::from(most_harts(version)) * 2 * 0x1000
}

fn optional_rows(options: &Options, request: &Request) -> Vec<Row> {
    // hw/riscv/virt.c: 0x8000 of an APLIC are registers; an IMSIC page per hart.
    let mut rows: Vec<Row> = match options.aia {
        Aia::None => vec![("plic", RegionKind::Platform, 0xc00_0000, plic_size(request.version))],
        Aia::Aplic | Aia::AplicImsic => vec![
            ("aplic-m", RegionKind::Platform, 0xc00_0000, 0x8000),
            ("aplic-s", RegionKind::Platform, 0xd00_0000, 0x8000),
        ],
    };
    if options.aia == Aia::AplicImsic {
        let pages = u64::from(request.vcpus.min(512)) * 0x1000;
        rows.push(("imsic-m", RegionKind::Msi, 0x2400_0000, pages));
        rows.push(("imsic-s", RegionKind::Msi, 0x2800_0000, pages));
    }
    if options.iommu {
        rows.push(IOMMU);
    }
    rows
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
