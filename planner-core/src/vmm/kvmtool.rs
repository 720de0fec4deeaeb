//! kvmtool: one piece of RAM, which arm64 can start anywhere from 2 GiB on; everything else below it is fixed.
//!
//! Of the machine text only the interrupt controller matters: `gicv2`, `gicv2m`, `gicv3` or `gicv3-its`, bare or as
//! `irqchip=…`.

use super::qemu::{self, Row};
use super::{
    BarOrder, BootRule, Choice, Disabled, Knob, MapRegion, MemoryMap, RegionKind, Request, UNKNOWN_HOST_BITS,
    Variant, VmmError, region, rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::size::Size;

/// Where RAM starts by default, and where it starts at the lowest (arm/include/arm-common/kvm-arch.h,
/// `ARM_MEMORY_AREA`; riscv/include/kvm/kvm-arch.h, `RISCV_RAM`).
const RAM: Gpa = Gpa::at(0x8000_0000);
/// Linux wants its image on 2 MiB (Documentation/arch/arm64/booting.rst), and huge pages of the host line up with it.
const RAM_ALIGN: Size = Size::mib(2);
/// The distributor ends at `ARM_AXI_AREA`; all the GIC lies below (arm/include/arm-common/kvm-arch.h).
const GIC_DIST: u64 = 0x3fff_0000;
const GIC_CPUI: u64 = 0x3ffd_0000;
/// One redistributor (arm/include/arm-common/kvm-arch.h, `ARM_GIC_REDIST_SIZE`).
const REDIST_SIZE: u64 = 0x2_0000;
const ITS_SIZE: u64 = 0x2_0000;
const V2M_SIZE: u64 = 0x1000;
/// `KVM_VIRTIO_MMIO_AREA`; the area runs up to the GIC.
const VIRTIO_MMIO: u64 = 0x300_0000;

const ARM: &[Row] = &[
    ("ioport", RegionKind::Pio, 0, 0x1_0000),
    ("uart", RegionKind::Platform, 0x100_0000, 0x1_0000),
    ("rtc", RegionKind::Platform, 0x101_0000, 0x1_0000),
    ("pvtime", RegionKind::Platform, 0x102_0000, 0x1_0000),
    ("flash", RegionKind::Flash, 0x200_0000, 0x100_0000),
    ("pci-cfg", RegionKind::Ecam, 0x4000_0000, 0x1000_0000),
    ("pci-mmio", RegionKind::Mmio32, 0x5000_0000, 0x3000_0000),
];

/// x86/include/kvm/kvm-arch.h: the gap below 4 GiB and what lies in it.
const X86: &[Row] = &[
    ("pci-cfg", RegionKind::Ecam, 0xd100_0000, 0x100_0000),
    ("pci-mmio", RegionKind::Mmio32, 0xd200_0000, 0x100_0000),
    ("virtio-mmio", RegionKind::VirtioMmio, 0xd300_0000, 0x2bc0_0000),
    ("ioapic", RegionKind::Platform, 0xfec0_0000, 0x1000),
    ("apic-msi", RegionKind::Msi, 0xfee0_0000, 0x10_0000),
];
const X86_GAP: Gpa = Gpa::at(0xd000_0000);
const FOUR_GIB: Gpa = Gpa::at(0x1_0000_0000);

/// riscv/include/kvm/kvm-arch.h.
const RISCV: &[Row] = &[
    ("ioport", RegionKind::Pio, 0, 0x1_0000),
    ("uart", RegionKind::Platform, 0x1000_0000, 0x1_0000),
    ("rtc", RegionKind::Platform, 0x1001_0000, 0x1_0000),
    ("virtio-mmio", RegionKind::VirtioMmio, 0x1002_0000, 0x1ffe_0000),
    ("pci-cfg", RegionKind::Ecam, 0x3000_0000, 0x1000_0000),
    ("pci-mmio", RegionKind::Mmio32, 0x4000_0000, 0x4000_0000),
];

/// riscv/include/kvm/kvm-arch.h, `RISCV_IRQCHIP` and `RISCV_IRQCHIP_SIZE`.
const RISCV_IRQCHIP: (u64, u64) = (0x800_0000, 0x800_0000);
/// One hart's interrupt file, and the APLIC behind those of all harts (arch/riscv/include/uapi/asm/kvm.h of Linux,
/// `KVM_DEV_RISCV_IMSIC_SIZE` and `KVM_DEV_RISCV_APLIC_SIZE`; riscv/aia.c, `AIA_APLIC_ADDR`).
const IMSIC_SIZE: u64 = 0x1000;
const APLIC_SIZE: u64 = 0x4000;
/// The last address of RAM (riscv/include/kvm/kvm-arch.h, `RISCV_HIMAP_MAX_MEMORY`).
const RISCV_LAST: Gpa = Gpa::at(0xff_ffff_ffff);

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    if let Some(refusal) = check(request).into_iter().next() {
        return Err(refusal);
    }
    refuse_modules(request, choice)?;
    let ram = ram(request, choice)?;
    let mut regions: Vec<MapRegion> = match request.arch {
        Arch::Aarch64 => qemu::regions(ARM).chain(qemu::regions(&gic(request)?)).collect(),
        Arch::X86_64 => qemu::regions(X86).collect(),
        Arch::Riscv64 => qemu::regions(RISCV).chain(qemu::regions(&aia(request))).collect(),
    };
    let last = ram.iter().map(|region| region.span.last()).max().unwrap_or(RAM);
    regions.extend(ram);
    Ok(MemoryMap {
        regions,
        disabled: cut_off(request, choice).into_iter().collect(),
        needed_bits: qemu::bits_of(last),
        bar_order: BarOrder::FromStart,
        ..MemoryMap::default()
    })
}

/// riscv/kvm.c, `kvm__arch_init`: the guest gets the smaller of what was asked for and what there can be.
fn cut_off(request: &Request, choice: &Choice) -> Option<Disabled> {
    let most = Span::new(RAM, RISCV_LAST)?.size()?;
    (request.arch == Arch::Riscv64 && choice.boot > most).then(|| Disabled {
        name: "ram".into(),
        because: format!("kvmtool has room for {most} from {RAM} on, and drops what is beyond"),
    })
}

/// Interrupt files of the harts, to which devices write MSIs, and the APLIC; on hosts without AIA a PLIC lies there instead.
fn aia(request: &Request) -> [Row; 3] {
    let (base, size) = RISCV_IRQCHIP;
    let files = u64::from(request.vcpus).saturating_mul(IMSIC_SIZE).clamp(IMSIC_SIZE, size - 2 * APLIC_SIZE);
    let (aplic, rest) = (base + files, base + files + APLIC_SIZE);
    [
        ("imsic", RegionKind::Msi, base, files),
        ("aplic", RegionKind::Platform, aplic, APLIC_SIZE),
        ("irqchip", RegionKind::Platform, rest, base + size - rest),
    ]
}

/// There is one setting; on arm64 its base is free.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    if let Some(refusal) = check(request).into_iter().next() {
        return Err(refusal);
    }
    let boot = match request.arch {
        Arch::Aarch64 => movable(request)?,
        Arch::X86_64 => {
            let low = Span::new(Gpa::at(0), Gpa::new(X86_GAP.get() - 1));
            let high = Span::new(FOUR_GIB, Gpa::new(u64::MAX));
            BootRule::Fixed { spans: low.into_iter().chain(high).collect(), rule: rules::KVMTOOL_RAM }
        }
        Arch::Riscv64 => {
            let spans = Span::new(RAM, RISCV_LAST).into_iter().collect();
            BootRule::Fixed { spans, rule: rules::KVMTOOL_RAM }
        }
    };
    Ok(vec![Variant { knobs: vec![], boot, dimms: None, room: None }])
}

/// What kvmtool would refuse about the machine.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    if request.arch != Arch::Aarch64 {
        return vec![];
    }
    irqchip(request).err().into_iter().collect()
}

fn movable(request: &Request) -> Result<BootRule, VmmError> {
    let bits = request.ipa_bits.unwrap_or(UNKNOWN_HOST_BITS);
    let within = Span::new(RAM, qemu::last_of(bits)).ok_or_else(|| too_large(32, bits))?;
    let align = RAM_ALIGN.max(request.pages.size());
    Ok(BootRule::Movable { within, align, default: RAM, rule: rules::KVMTOOL_ARM_RAM })
}

/// RAM where the knob puts it.
fn ram(request: &Request, choice: &Choice) -> Result<Vec<MapRegion>, VmmError> {
    let base = choice.knobs.iter().find_map(|knob| match knob {
        Knob::RamBase { at } => Some(*at),
        _ => None,
    });
    match request.arch {
        Arch::Aarch64 => arm_ram(request, choice.boot, base.unwrap_or(RAM)),
        _ if base.is_some() => {
            // builtin-run.c, mem_parser.
            let at = base.map_or(0, Gpa::get);
            let text = format!("Invalid memory specifier: {}B@{at}B", choice.boot.bytes());
            Err(refusal(rules::KVMTOOL_RAM, text))
        }
        Arch::Riscv64 => {
            let ram = region("ram", RegionKind::Ram, RAM, choice.boot);
            let ram = ram.filter(|ram| ram.span.last() <= RISCV_LAST).or_else(|| {
                let span = Span::new(RAM, RISCV_LAST)?;
                Some(MapRegion { name: "ram".into(), kind: RegionKind::Ram, span })
            });
            Ok(ram.into_iter().collect())
        }
        Arch::X86_64 => {
            let low = choice.boot.min(Size::from_bytes(X86_GAP.get()));
            let high = choice.boot.checked_sub(low).unwrap_or(Size::ZERO);
            let low = region("ram-low", RegionKind::Ram, Gpa::at(0), low);
            Ok(low.into_iter().chain(region("ram-high", RegionKind::Ram, FOUR_GIB, high)).collect())
        }
    }
}

/// arm/kvm.c `kvm__arch_validate_cfg`, arm/aarch64/kvm.c `kvm__get_vm_type`.
fn arm_ram(request: &Request, boot: Size, base: Gpa) -> Result<Vec<MapRegion>, VmmError> {
    if base < RAM {
        let text = "RAM address is below the I/O region ending at 2GB";
        return Err(refusal(rules::KVMTOOL_ARM_RAM, text));
    }
    let bits = request.ipa_bits.unwrap_or(UNKNOWN_HOST_BITS);
    let Some(ram) = region("ram", RegionKind::Ram, base, boot) else {
        return Err(too_large(64, bits));
    };
    let needed = qemu::bits_of(ram.span.last());
    if request.ipa_bits.is_some_and(|bits| needed > bits) {
        return Err(too_large(needed, bits));
    }
    Ok(vec![ram])
}

fn too_large(needed: u8, available: u8) -> VmmError {
    let text = format!("Memory too large for this system (needs {needed} bits, {available} available)");
    refusal(rules::KVMTOOL_ARM_LIMIT, text)
}

fn refuse_modules(request: &Request, choice: &Choice) -> Result<(), VmmError> {
    let wanted = !choice.dimms.is_empty() || !choice.hotplug.is_empty() || !request.hotplug.is_zero();
    if wanted { Err(refusal(rules::KVMTOOL_RAM, "kvmtool has no memory modules")) } else { Ok(()) }
}

/// The interrupt controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Irqchip {
    GicV2,
    GicV2m,
    GicV3,
    GicV3Its,
}

/// Without the option kvmtool takes the best that the host has; servers have GICv3 with ITS.
fn irqchip(request: &Request) -> Result<Irqchip, VmmError> {
    let mut chip = Irqchip::GicV3Its;
    for word in request.machine.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        chip = match word.strip_prefix("irqchip=").unwrap_or(word) {
            "gicv2" => Irqchip::GicV2,
            "gicv2m" => Irqchip::GicV2m,
            "gicv3" => Irqchip::GicV3,
            "gicv3-its" => Irqchip::GicV3Its,
            "virt" | "auto" => continue,
            other => {
                return Err(refusal(rules::KVMTOOL_IRQCHIP, format!("irqchip: unknown type \"{other}\"")));
            }
        };
    }
    Ok(chip)
}

/// The GIC, downwards from 1 GiB, and the virtio-mmio area below it (arm/gic.c, `gic__create`).
fn gic(request: &Request) -> Result<Vec<Row>, VmmError> {
    let chip = irqchip(request)?;
    let mut rows = vec![("gic-dist", RegionKind::Gicd, GIC_DIST, 0x1_0000)];
    let mut bottom = match chip {
        Irqchip::GicV2 | Irqchip::GicV2m => {
            rows.push(("gic-cpui", RegionKind::Gicc, GIC_CPUI, 0x2_0000));
            GIC_CPUI
        }
        Irqchip::GicV3 | Irqchip::GicV3Its => {
            let size = u64::from(request.vcpus).saturating_mul(REDIST_SIZE);
            let base = GIC_DIST.checked_sub(size).filter(|&base| base > VIRTIO_MMIO + ITS_SIZE);
            let base = base.ok_or_else(|| refusal(rules::KVMTOOL_IRQCHIP, "Failed to create virtual GIC"))?;
            rows.push(("gic-redist", RegionKind::Gicr, base, size));
            base
        }
    };
    let msi = match chip {
        Irqchip::GicV2m => Some(("gic-v2m", RegionKind::V2m, V2M_SIZE)),
        Irqchip::GicV3Its => Some(("gic-its", RegionKind::Its, ITS_SIZE)),
        Irqchip::GicV2 | Irqchip::GicV3 => None,
    };
    if let Some((name, kind, size)) = msi {
        bottom = bottom.saturating_sub(size);
        rows.push((name, kind, bottom, size));
    }
    rows.push(("virtio-mmio", RegionKind::VirtioMmio, VIRTIO_MMIO, bottom.saturating_sub(VIRTIO_MMIO)));
    Ok(rows)
}

fn refusal(rule: &str, message: impl std::fmt::Display) -> VmmError {
    VmmError { text: format!("Fatal: {message}"), rule: rule.into(), dimm: None }
}
