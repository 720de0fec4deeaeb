//! Cloud Hypervisor: RAM is packed around a hole below 4 GiB, the 64-bit PCI window takes everything behind it up to the
//! address bits. BARs are handed out from the end of the windows, and one that cannot be mapped for DMA between devices ends
//! the VMM.
//!
//! Read at v53.0-246 (ae44c2971). Left out: more than one PCI segment, TDX and SEV-SNP, RISC-V.

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
    ("pci-mmio32", RegionKind::Mmio32, 0x1000_0000, 0x2000_0000),
    ("pci-ecam", RegionKind::Ecam, 0x3000_0000, 0x1000_0000),
];
/// devices/src/gic.rs: the distributor ends at 144 MiB, redistributors and ITS lie below.
const GIC_DIST: u64 = 0x8ff_0000;
const REDIST_SIZE: u64 = 0x2_0000;
const ITS_SIZE: u64 = 0x2_0000;
/// arch/src/aarch64/layout.rs, `RAM_START`, `MEM_32BIT_RESERVED_START`.
const ARM_LOW: (u64, u64) = (0x4000_0000, 0xfc00_0000);

/// arch/src/x86_64/layout.rs.
const X86: &[Row] = &[
    ("pci-mmio32", RegionKind::Mmio32, 0xc000_0000, 0x2800_0000),
    ("pci-ecam", RegionKind::Ecam, 0xe800_0000, 0x1000_0000),
    ("tss-identity", RegionKind::Platform, 0xf800_0000, 0x4000),
    ("ioapic", RegionKind::Platform, 0xfec0_0000, 0x1000),
    ("tpm", RegionKind::Platform, 0xfed4_0000, 0x1000),
    ("apic-msi", RegionKind::Msi, 0xfee0_0000, 0x10_0000),
];
const X86_LOW: (u64, u64) = (0, 0xc000_0000);
/// arch/src/*/layout.rs, `RAM_64BIT_START`.
const HIGH: Gpa = Gpa::at(0x1_0000_0000);

/// vmm/src/vm_config.rs, `DEFAULT_MAX_PHYS_BITS`.
const MOST_BITS: u8 = 46;
/// Smaller settings of `max_phys_bits=` that this planner offers: what the IOMMUs of Intel's small hosts translate (39),
/// and the widths of Arm hosts below 48 (Arm ARM, ID_AA64MMFR0_EL1.PARange).
const FEWER_BITS: [u8; 4] = [44, 42, 40, 39];
/// vmm/src/device_manager.rs, `create_mmio_allocators`: the 64-bit window is a whole number of these.
const WINDOW_STEP: Size = Size::gib(4);
/// vmm/src/vm.rs, `mmio_address_space_size`, and vmm/src/memory_manager.rs, `PLATFORM_DEVICE_AREA_SIZE`.
const TOP: Size = Size::kib(64);
const PLATFORM: Size = Size::mib(1);
/// vmm/src/memory_manager.rs, `start_addr`, and virtio-devices, `VIRTIO_MEM_ALIGN_SIZE`.
const ROOM_ALIGN: Size = Size::mib(128);
/// The tree of 53.0 has `--platform iommufd=,vfio_p2p_dma=`; when they came was not looked up.
pub(super) const IOMMUFD_SINCE: Version = Version::new(53, 0);

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    refuse_foreign(request, rules::CH_RAM)?;
    refuse_modules(request, choice)?;
    let bits = bits(request, &choice.knobs);
    let spans = spans(request);
    let ram =
        filled(&["ram-low", "ram-high"], &spans, choice.boot).ok_or_else(|| no_window(request, bits))?;
    let mut regions: Vec<MapRegion> = match request.arch {
        Arch::Aarch64 => qemu::regions(ARM).chain(gic(request)?).collect(),
        _ => qemu::regions(X86).collect(),
    };
    let end = ram.last().and_then(|region| region.span.last().checked_add(Size::from_bytes(1)));
    regions.extend(ram);
    regions.extend(above(request, choice, end, bits).ok_or_else(|| no_window(request, bits))?);
    refuse_stray_room(&regions)?;
    let last = regions.iter().map(|region| region.span.last()).max().unwrap_or(HIGH);
    let bar_order =
        if choice.knobs.contains(&Knob::PeerDmaOff) { BarOrder::Guest } else { BarOrder::FromEnd };
    Ok(MemoryMap {
        regions,
        needed_bits: qemu::bits_of(last),
        takes_all_bits: true,
        bar_order,
        ..MemoryMap::default()
    })
}

/// The default; a lower end of the 64-bit window; BARs that are not mapped.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    refuse_foreign(request, rules::CH_RAM)?;
    let rule = if request.arch == Arch::Aarch64 { rules::CH_ARM_RAM } else { rules::CH_RAM };
    let variant = |knobs: Vec<Knob>| Variant {
        knobs,
        boot: BootRule::Fixed { spans: spans(request), rule },
        dimms: None,
        room: Some(RoomRule { align: ROOM_ALIGN, least: HIGH, rule: rules::CH_ROOM }),
    };
    let offered = address_bits(request, MOST_BITS);
    let fewer = FEWER_BITS.into_iter().filter(|&bits| bits < offered);
    let fewer = fewer.map(|bits| variant(vec![Knob::MaxPhysBits { bits }]));
    let off = (request.version >= IOMMUFD_SINCE).then(|| variant(vec![Knob::PeerDmaOff]));
    Ok([variant(vec![])].into_iter().chain(fewer).chain(off).collect())
}

/// What Cloud Hypervisor would refuse about the machine.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    let arch = refuse_foreign(request, rules::CH_RAM);
    arch.and_then(|()| if request.arch == Arch::Aarch64 { gic(request).map(|_| ()) } else { Ok(()) })
        .err()
        .into_iter()
        .collect()
}

/// vmm/src/cpu.rs, `physical_bits`: the host's, or fewer where `max_phys_bits=` says so.
fn bits(request: &Request, knobs: &[Knob]) -> u8 {
    let most = knobs.iter().rev().find_map(|knob| match knob {
        Knob::MaxPhysBits { bits } => Some(*bits),
        _ => None,
    });
    address_bits(request, most.unwrap_or(MOST_BITS))
}

/// vmm/src/memory_manager.rs, `create_memory_regions_from_zones`: the part below 4 GiB is cut down to whole pages.
fn spans(request: &Request) -> Vec<Span<Gpa>> {
    let (start, end) = if request.arch == Arch::Aarch64 { ARM_LOW } else { X86_LOW };
    let low = Size::from_bytes(request.pages.size().round_down(end.saturating_sub(start)));
    let low = Span::from_start_size(Gpa::new(start), low);
    low.into_iter().chain(Span::new(HIGH, Gpa::new(u64::MAX))).collect()
}

/// Room for memory plugged in later, the 64-bit window and the platform devices at the end (`MemoryManager::new`).
fn above(request: &Request, choice: &Choice, ram_end: Option<Gpa>, bits: u8) -> Option<Vec<MapRegion>> {
    let top = 1_u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |end| end);
    let platform = top.checked_sub(TOP.bytes())?.checked_sub(PLATFORM.bytes())?;
    let mut start = ram_end?.max(HIGH);
    let mut regions = Vec::new();
    if !request.hotplug.is_zero() {
        start = start.align_up(ROOM_ALIGN)?;
        regions.extend(region("hotplug-area", RegionKind::DeviceMemory, start, request.hotplug));
        start = start.checked_add(request.hotplug)?;
    }
    for (index, &span) in choice.hotplug.iter().enumerate() {
        regions.push(MapRegion { name: format!("hotplug{index}"), kind: RegionKind::Hotplug, span });
    }
    let size = WINDOW_STEP.round_down(platform.checked_sub(start.get())?);
    let window =
        region("pci-mmio64", RegionKind::Mmio64, start, Size::from_bytes(size)).filter(|_| size > 0)?;
    regions.push(window);
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
