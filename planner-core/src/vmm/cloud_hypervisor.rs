//! Cloud Hypervisor: RAM is packed around a hole below 4 GiB, the 64-bit PCI window takes everything behind it up to the
//! address bits. BARs are handed out from the end of the windows, and one that cannot be mapped for DMA between devices ends
//! the VMM.
//!
//! Read at v53.0-246 (ae44c2971), older releases in their notes. Left out: TDX and SEV-SNP; gaps around memory that is plugged
//! in through ACPI, which 54.0 has again (pull request 8780) and virtio-mem, which this planner emits, does not need.

mod segments;

pub use segments::{PciSegments, SegmentNode, SegmentWeights};

use super::fixed::{address_bits, filled, refusal, refuse_foreign};
use super::qemu::{self, Row};
use super::{
    BarOrder, BootRule, Choice, Knob, MapRegion, MemoryMap, RegionKind, Request, RoomRule, Variant, VmmError,
    region, rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::size::Size;
use crate::version::Version;

/// arch/src/aarch64/layout.rs.
const ARM: &[Row] = &[
    ("uefi-flash", RegionKind::Flash, 0, 0x40_0000),
    ("gic-dist", RegionKind::Gicd, GIC_DIST, 0x1_0000),
    ("serial", RegionKind::Platform, 0x900_0000, 0x1000),
    ("rtc", RegionKind::Platform, 0x901_0000, 0x1000),
    ("gpio", RegionKind::Platform, 0x902_0000, 0x1000),
    ("pci-io", RegionKind::Pio, 0x905_0000, 0x1_0000),
    ("pci-ecam", RegionKind::Ecam, 0x3000_0000, 0x1000_0000),
];
const ARM_MMIO32: (u64, u64) = (0x1000_0000, 0x2000_0000);
/// devices/src/gic.rs: the distributor ends at 144 MiB, redistributors and ITS lie below.
const GIC_DIST: u64 = 0x8ff_0000;
const REDIST_SIZE: u64 = 0x2_0000;
const ITS_SIZE: u64 = 0x2_0000;
/// arch/src/aarch64/layout.rs, `RAM_START`, `MEM_32BIT_RESERVED_START`.
const ARM_LOW: (u64, u64) = (0x4000_0000, 0xfc00_0000);

/// arch/src/riscv64/layout.rs: as on arm64 but for the interrupt controllers, and RAM without a hole.
const RISCV: &[Row] = &[
    ("uefi-flash", RegionKind::Flash, 0, 0x40_0000),
    ("aplic", RegionKind::Platform, 0x40_0000, 0x4000),
    ("serial", RegionKind::Platform, 0x800_0000, 0x1000),
    ("pci-io", RegionKind::Pio, 0x905_0000, 0x1_0000),
    ("pci-ecam", RegionKind::Ecam, 0x3000_0000, 0x1000_0000),
];
/// The same file, `IMSIC_START` and `IMSIC_SIZE`, one page a vCPU, below the serial port.
const RISCV_IMSIC: (u64, u64, u64) = (0x400_0000, 0x1000, 0x800_0000);
const RISCV_RAM: Gpa = Gpa::at(0x4000_0000);
/// arch/src/riscv64/mod.rs, `get_host_cpu_phys_bits`, whatever the host has.
const RISCV_BITS: u8 = 40;

/// arch/src/x86_64/layout.rs.
const X86: &[Row] = &[
    ("pci-ecam", RegionKind::Ecam, 0xe800_0000, 0x1000_0000),
    ("tss-identity", RegionKind::Platform, 0xf800_0000, 0x4000),
    ("ioapic", RegionKind::Platform, 0xfec0_0000, 0x1000),
    ("tpm", RegionKind::Platform, 0xfed4_0000, 0x1000),
    ("apic-msi", RegionKind::Msi, 0xfee0_0000, 0x10_0000),
];
const X86_MMIO32: (u64, u64) = (0xc000_0000, 0x2800_0000);
const X86_LOW: (u64, u64) = (0, 0xc000_0000);
/// arch/src/*/layout.rs, `RAM_64BIT_START`.
const HIGH: Gpa = Gpa::at(0x1_0000_0000);

/// vmm/src/vm_config.rs, `DEFAULT_MAX_PHYS_BITS`.
const MOST_BITS: u8 = 46;
/// Smaller settings of `max_phys_bits=` that this planner offers: what the IOMMUs of Intel's small hosts translate (39),
/// and the widths of Arm hosts below 48 (Arm ARM, ID_AA64MMFR0_EL1.PARange).
const FEWER_BITS: [u8; 4] = [44, 42, 40, 39];
/// vmm/src/device_manager.rs, `DeviceManager::new`: each segment's part of the windows is a whole number of these.
const MMIO64_STEP: Size = Size::gib(4);
const MMIO32_STEP: Size = Size::kib(4);
/// Numbers of segments that this planner offers, so that more functions can be passed than one bus holds.
const SEGMENTS: [u16; 2] = [2, 4];
/// vmm/src/vm.rs, `mmio_address_space_size`, and vmm/src/memory_manager.rs, `PLATFORM_DEVICE_AREA_SIZE`.
const TOP: Size = Size::kib(64);
const PLATFORM: Size = Size::mib(1);
/// vmm/src/memory_manager.rs, `start_addr`, and virtio-devices, `VIRTIO_MEM_ALIGN_SIZE`.
const ROOM_ALIGN: Size = Size::mib(128);
/// `--platform iommufd=,vfio_p2p_dma=` came with 52.0 (its release notes, pull request 7981).
pub(super) const IOMMUFD_SINCE: Version = Version::new(52, 0);
/// Experimental riscv64 support (release notes of 45.0).
const RISCV_SINCE: Version = Version::new(45, 0);
/// 48.0 takes more vCPUs than a byte counts (its release notes, "Increased vCPU Limit on x86_64/kvm").
const MANY_VCPUS_SINCE: Version = Version::new(48, 0);
const MOST_VCPUS_BEFORE: u32 = 254;

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    refuse_other_machines(request)?;
    refuse_modules(request, choice)?;
    let segments = PciSegments::of(&request.machine, &choice.knobs)?;
    let bits = bits(request, &choice.knobs);
    let spans = spans(request);
    let names: &[&str] = if spans.len() == 1 { &["ram"] } else { &["ram-low", "ram-high"] };
    let ram = filled(names, &spans, choice.boot).ok_or_else(|| no_window(request, bits))?;
    let mut regions: Vec<MapRegion> = match request.arch {
        Arch::Aarch64 => qemu::regions(ARM).chain(gic(request)?).collect(),
        Arch::X86_64 => qemu::regions(X86).collect(),
        Arch::Riscv64 => qemu::regions(RISCV).chain([imsic(request)?]).collect(),
    };
    regions.extend(windows32(request, &segments)?);
    let end = ram.last().and_then(|region| region.span.last().checked_add(Size::from_bytes(1)));
    regions.extend(ram);
    let above = above(request, choice, &segments, end, bits);
    regions.extend(above.ok_or_else(|| no_window(request, bits))?);
    refuse_stray_room(&regions)?;
    let last = regions.iter().map(|region| region.span.last()).max().unwrap_or(HIGH);
    let bar_order =
        if choice.knobs.contains(&Knob::PeerDmaOff) { BarOrder::Guest } else { BarOrder::FromEnd };
    Ok(MemoryMap {
        regions,
        needed_bits: qemu::bits_of(last),
        takes_all_bits: true,
        bar_order,
        segments: segments.functions(request.viommu),
        ..MemoryMap::default()
    })
}

/// The default; a lower end of the 64-bit window; BARs that are not mapped; more segments.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    refuse_other_machines(request)?;
    let rule = ram_rule(request.arch);
    let least = if request.arch == Arch::Riscv64 { RISCV_RAM } else { HIGH };
    let variant = |knobs: Vec<Knob>| Variant {
        knobs,
        boot: BootRule::Fixed { spans: spans(request), rule },
        dimms: None,
        room: Some(RoomRule { align: ROOM_ALIGN, least, rule: rules::CH_ROOM }),
    };
    let offered = bits(request, &[]);
    let fewer = FEWER_BITS.into_iter().filter(|&bits| bits < offered);
    let fewer = fewer.map(|bits| vec![Knob::MaxPhysBits { bits }]);
    let off = (request.version >= IOMMUFD_SINCE).then(|| vec![Knob::PeerDmaOff]);
    let counts = SEGMENTS.into_iter().filter(|_| request.machine.is_empty());
    let more: Vec<Vec<Knob>> = counts.map(|count| vec![Knob::PciSegments { count }]).collect();
    let both = off.iter().flat_map(|off| more.iter().map(|more| [more.clone(), off.clone()].concat()));
    let both: Vec<Vec<Knob>> = both.collect();
    let all = [vec![]].into_iter().chain(fewer).chain(off).chain(more).chain(both);
    Ok(all.map(variant).collect())
}

/// What Cloud Hypervisor would refuse about the machine.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    let machine = refuse_other_machines(request).and_then(|()| match request.arch {
        Arch::Aarch64 => gic(request).map(|_| ()),
        Arch::Riscv64 => imsic(request).map(|_| ()),
        Arch::X86_64 => Ok(()),
    });
    machine.err().into_iter().collect()
}

/// Other instruction sets, words that are no segments, and more vCPUs than an old version counts.
fn refuse_other_machines(request: &Request) -> Result<(), VmmError> {
    refuse_foreign(&Request { machine: String::new(), ..request.clone() }, rules::CH_RAM)?;
    PciSegments::of(&request.machine, &[])?;
    if request.arch == Arch::Riscv64 && request.version < RISCV_SINCE {
        let version = request.version;
        let text =
            format!("cloud-hypervisor {version} is not made for riscv64, which came with {RISCV_SINCE}");
        return Err(refusal(rules::VERSION, text));
    }
    if request.version < MANY_VCPUS_SINCE && request.vcpus > MOST_VCPUS_BEFORE {
        let text = format!("cloud-hypervisor {} takes {MOST_VCPUS_BEFORE} vCPUs at most", request.version);
        return Err(refusal(rules::CH_VCPUS, text));
    }
    Ok(())
}

fn ram_rule(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 => rules::CH_ARM_RAM,
        Arch::X86_64 => rules::CH_RAM,
        Arch::Riscv64 => rules::CH_RISCV_RAM,
    }
}

/// vmm/src/cpu.rs, `physical_bits`: the host's, or fewer where `max_phys_bits=` says so.
fn bits(request: &Request, knobs: &[Knob]) -> u8 {
    let most = knobs.iter().rev().find_map(|knob| match knob {
        Knob::MaxPhysBits { bits } => Some(*bits),
        _ => None,
    });
    let host = if request.arch == Arch::Riscv64 { RISCV_BITS } else { u8::MAX };
    address_bits(request, most.unwrap_or(MOST_BITS)).min(host)
}

/// vmm/src/memory_manager.rs, `create_memory_regions_from_zones`: the part below 4 GiB is cut down to whole pages.
fn spans(request: &Request) -> Vec<Span<Gpa>> {
    if request.arch == Arch::Riscv64 {
        return Span::new(RISCV_RAM, Gpa::new(u64::MAX)).into_iter().collect();
    }
    let (start, end) = if request.arch == Arch::Aarch64 { ARM_LOW } else { X86_LOW };
    let low = Size::from_bytes(request.pages.size().round_down(end.saturating_sub(start)));
    let low = Span::from_start_size(Gpa::new(start), low);
    low.into_iter().chain(Span::new(HIGH, Gpa::new(u64::MAX))).collect()
}

/// The 32-bit window, one part a segment.
fn windows32(request: &Request, segments: &PciSegments) -> Result<Vec<MapRegion>, VmmError> {
    let (start, size) = if request.arch == Arch::X86_64 { X86_MMIO32 } else { ARM_MMIO32 };
    let window = Span::from_start_size(Gpa::new(start), Size::from_bytes(size));
    let parts = window.and_then(|window| segments.of_mmio32(window, MMIO32_STEP));
    let parts = parts.ok_or_else(|| {
        refusal(rules::CH_SEGMENTS, "the weights leave a PCI segment without a 32-bit window")
    })?;
    Ok(named("pci-mmio32", RegionKind::Mmio32, parts))
}

/// Parts of a window by segment: `pci-mmio32` where there is one, else `pci-mmio32-0`, `pci-mmio32-1`, …
fn named(name: &str, kind: RegionKind, parts: Vec<Span<Gpa>>) -> Vec<MapRegion> {
    let single = parts.len() == 1;
    let name = |index: usize| if single { name.to_owned() } else { format!("{name}-{index}") };
    parts.into_iter().enumerate().map(|(index, span)| MapRegion { name: name(index), kind, span }).collect()
}

/// Room for memory plugged in later, the 64-bit windows and the platform devices at the end (`MemoryManager::new`).
fn above(
    request: &Request,
    choice: &Choice,
    segments: &PciSegments,
    ram_end: Option<Gpa>,
    bits: u8,
) -> Option<Vec<MapRegion>> {
    let top = 1_u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |end| end);
    let platform = top.checked_sub(TOP.bytes())?.checked_sub(PLATFORM.bytes())?;
    let mut start = ram_end?;
    if request.arch != Arch::Riscv64 {
        start = start.max(HIGH);
    }
    let mut regions = Vec::new();
    if !request.hotplug.is_zero() {
        start = start.align_up(ROOM_ALIGN)?;
        regions.extend(region("hotplug-area", RegionKind::DeviceMemory, start, request.hotplug));
        start = start.checked_add(request.hotplug)?;
    }
    for (index, &span) in choice.hotplug.iter().enumerate() {
        regions.push(MapRegion { name: format!("hotplug{index}"), kind: RegionKind::Hotplug, span });
    }
    let window = Span::of(start.get(), platform.checked_sub(1)?)?;
    regions.extend(named("pci-mmio64", RegionKind::Mmio64, segments.of_mmio64(window, MMIO64_STEP)?));
    regions.extend(region("platform-devices", RegionKind::Platform, Gpa::new(platform), PLATFORM));
    Some(regions)
}

/// The words are ours: Cloud Hypervisor ends in a failed assertion while it divides the 64-bit window.
fn no_window(request: &Request, bits: u8) -> VmmError {
    let text = format!(
        "{} of memory leaves no room for the 64-bit PCI window below the end of {bits} address bits",
        request.memory
    );
    refusal(rules::CH_LIMIT, text)
}

/// Redistributors and ITS, downwards from the distributor, above the flash.
fn gic(request: &Request) -> Result<Vec<MapRegion>, VmmError> {
    let no_room = || refusal(rules::CH_ARM_RAM, "Cannot create the interrupt controller: too many vCPUs");
    let redist_size = u64::from(request.vcpus).saturating_mul(REDIST_SIZE);
    let redist = GIC_DIST.checked_sub(redist_size).ok_or_else(no_room)?;
    let its = redist.checked_sub(ITS_SIZE).filter(|&its| its >= 0x40_0000).ok_or_else(no_room)?;
    let rows =
        [("gic-redist", RegionKind::Gicr, redist, redist_size), ("gic-its", RegionKind::Its, its, ITS_SIZE)];
    Ok(qemu::regions(&rows).collect())
}

/// One interrupt file a vCPU.
fn imsic(request: &Request) -> Result<MapRegion, VmmError> {
    let (start, page, end) = RISCV_IMSIC;
    let size = u64::from(request.vcpus).saturating_mul(page);
    let fits = start.checked_add(size).is_some_and(|last| last <= end);
    let imsic = region("imsic", RegionKind::Platform, Gpa::new(start), Size::from_bytes(size));
    imsic
        .filter(|_| fits)
        .ok_or_else(|| refusal(rules::CH_RISCV_RAM, "Cannot create the interrupt controller: too many vCPUs"))
}

/// Room for later memory lies nowhere but where Cloud Hypervisor puts it.
fn refuse_stray_room(regions: &[MapRegion]) -> Result<(), VmmError> {
    let area = regions.iter().find(|region| region.kind == RegionKind::DeviceMemory).map(|area| area.span);
    let mut rooms = regions.iter().filter(|region| region.kind == RegionKind::Hotplug);
    match rooms.find(|room| area.is_none_or(|area| !area.covers(room.span))) {
        None => Ok(()),
        Some(room) => {
            let at = area.map_or_else(|| "none".to_owned(), |area| format!("it at {area}"));
            let text = format!("room for later memory at {}, and cloud-hypervisor has {at}", room.span);
            Err(refusal(rules::CH_ROOM, text))
        }
    }
}

/// There are no modules at chosen addresses; room for later ones is in whole blocks, and lies where the VMM puts it.
fn refuse_modules(request: &Request, choice: &Choice) -> Result<(), VmmError> {
    if !choice.dimms.is_empty() {
        return Err(refusal(rules::CH_ROOM, "cloud-hypervisor cannot place memory modules"));
    }
    if ROOM_ALIGN.round_down(request.hotplug.bytes()) != request.hotplug.bytes() {
        // vmm/src/memory_manager.rs, `Error::InvalidSize`.
        return Err(refusal(rules::CH_ROOM, "Invalid size: hotplug_size must be a multiple of 128 MiB"));
    }
    Ok(())
}
