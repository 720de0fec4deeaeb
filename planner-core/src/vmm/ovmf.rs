//! The 64-bit PCI window that OVMF, edk2's firmware for QEMU's PCs, chooses by itself
//! (OvmfPkg/Library/PlatformInitLib/MemDetect.c). BARs end up there, and QEMU's own window is only a hint: QEMU learns of
//! the other one when the firmware has programmed the BARs.
//!
//! Left out: five-level paging, which OVMF turns on for guests that use more than 1 TiB of addresses on CPUs that have it;
//! CPUs without pages of 1 GiB; confidential guests; SeaBIOS, which stays within or just above QEMU's window.

use super::qemu;
use super::x86_cpu;
use super::{Choice, MemoryMap, Model, RegionKind, Request, memory_map};
use crate::addr::{Address, Gpa, Span};
use crate::size::Size;
use crate::span_set::SpanSet;
use crate::version::Version;

/// The stable tag of edk2 that the planner takes a guest to have, unless told otherwise: `edk2-stable202502`, that of
/// Debian 13.
pub const USUAL_EDK2: Version = Version::new(2025, 2);

/// The window at the end of the address space came with edk2-stable202211; before, it lay just above memory
/// (`PlatformDynamicMmioWindow`).
const DYNAMIC_SINCE: Version = Version::new(2022, 11);
/// edk2-stable202302 takes no more than 46 bits with four-level paging instead of 47, and moves the window below what e820
/// reserves (`PlatformAddressWidthFromCpuid`, `PlatformReservationConflictCB`).
const LIMITED_SINCE: Version = Version::new(2023, 2);
/// A size that the user asks for is taken as it is, and the window then lies just above memory; before, it was the least
/// (tianocore/edk2 pull request 10856, which Debian's 2025.02 carries).
const ASKED_SINCE: Version = Version::new(2025, 2);
/// A quarter of the address space rather than an eighth (tianocore/edk2 pull request 12997 of August 2026;
/// edk2-stable202608 does not have it).
const QUARTER_SINCE: Version = Version::new(2026, 11);
/// OvmfPkg/OvmfPkgX64.dsc, `PcdPciMmio64Size`.
const LEAST: Size = Size::gib(32);
/// Both ends of the window are multiples of this at least (`PlatformGetFirstNonAddress`).
const ALIGN: Size = Size::gib(1);
/// RAM above 4 GiB, or nothing, starts here.
const FOUR_GIB: Gpa = Gpa::at(0x1_0000_0000);

/// Where OVMF of this version (year and month of the stable tag) puts the 64-bit window of this machine: `None` for
/// machines that it is not for, and where it depends on the host's address bits and those are unknown. `asked` is what
/// `-fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=` asks for.
#[must_use]
pub fn ovmf_window(
    request: &Request,
    map: &MemoryMap,
    edk2: Version,
    asked: Option<Size>,
) -> Option<Span<Gpa>> {
    // Nobody said how many bits the host has.
    let unknown = has_host_bits(request) && request.ipa_bits.is_none();
    if Model::of(request) != Ok(Model::Pc) || unknown {
        return None;
    }
    let asked = asked.filter(|asked| !asked.is_zero());
    let size = ALIGN.round_up(asked.unwrap_or(LEAST).bytes()).map(Size::from_bytes)?;
    let classic = classic(map, size)?;
    let takes_asked = asked.is_some() && edk2 >= ASKED_SINCE;
    let bits = address_bits(request, edk2).filter(|_| edk2 >= DYNAMIC_SINCE && !takes_asked);
    let Some(bits) = bits else { return Some(classic) };
    let space = qemu::last_of(bits).get().checked_add(1)?;
    let dynamic = Size::from_bytes(if edk2 < QUARTER_SINCE { space >> 3 } else { space >> 2 });
    let below = classic.first().checked_add(dynamic).is_some_and(|end| end.get() < space);
    if size >= dynamic || !below {
        return Some(classic);
    }
    let window = Span::from_start_size(Gpa::new(space.checked_sub(dynamic.bytes())?), dynamic)?;
    if edk2 < LIMITED_SINCE { Some(window) } else { Some(clear_of_holes(map, window)) }
}

/// A limit on the guest's address bits that brings the window out of a set, what `-cpu` then says, and where the window
/// comes to lie; the mildest limit with which the machine still takes the memory of this choice.
#[must_use]
pub fn ovmf_limit(
    request: &Request,
    choice: &Choice,
    forbidden: &SpanSet<Gpa>,
) -> Option<(String, Span<Gpa>)> {
    let bits = x86_cpu::cpu(request).ok()?.phys_bits;
    let model = if request.cpu.is_empty() { "host" } else { &request.cpu };
    let name = if has_host_bits(request) { "host-phys-bits-limit" } else { "phys-bits" };
    (36..bits).rev().find_map(|limit| {
        let limited = Request { cpu: format!("{model},{name}={limit}"), ..request.clone() };
        let map = memory_map(&limited, choice).ok()?;
        let window = ovmf_window(&limited, &map, USUAL_EDK2, None)?;
        (!forbidden.overlaps(window)).then_some((limited.cpu, window))
    })
}

/// Just above memory and room for more (`PlatformGetFirstNonAddress`), at a multiple of the largest BAR that it holds.
fn classic(map: &MemoryMap, size: Size) -> Option<Span<Gpa>> {
    let memory =
        map.regions.iter().filter(|region| matches!(region.kind, RegionKind::Ram | RegionKind::DeviceMemory));
    let last = memory.map(|region| region.span.last()).max()?;
    let end = last.checked_add(Size::from_bytes(1))?.max(FOUR_GIB);
    let natural = Size::from_bytes(1_u64.checked_shl(size.bytes().checked_ilog2()?)?);
    let start = end.align_up(ALIGN)?.align_up(natural)?;
    Span::from_start_size(start, size)
}

/// The address bits that OVMF believes in (`PlatformAddressWidthFromCpuid`): QEMU says 40 where nobody chose, so of small
/// numbers it believes those that CPUs of the vendor have.
fn address_bits(request: &Request, edk2: Version) -> Option<u8> {
    let cpu = x86_cpu::cpu(request).ok()?;
    let believed = match cpu.phys_bits {
        41.. => true,
        40 => cpu.amd || has_host_bits(request),
        36 | 39 => !cpu.amd,
        _ => false,
    };
    let most = if edk2 < LIMITED_SINCE { 47 } else { 46 };
    believed.then_some(cpu.phys_bits.min(most))
}

/// Whether the guest's CPU has the address bits of the host's.
fn has_host_bits(request: &Request) -> bool {
    let model = request.cpu.split(',').next().unwrap_or_default();
    let is_host = matches!(model, "" | "host" | "max");
    qemu::is_kvm(request) && (is_host || request.cpu.contains("host-phys-bits=on"))
}

/// Below what e820 reserves: the HyperTransport range of a guest with an AMD vCPU.
fn clear_of_holes(map: &MemoryMap, window: Span<Gpa>) -> Span<Gpa> {
    let holes = map.regions.iter().filter(|region| region.kind == RegionKind::Hole);
    holes.fold(window, |window, hole| {
        if !hole.span.overlaps(window) {
            return window;
        }
        let moved = window.size().and_then(|size| {
            let start = hole.span.first().get().checked_sub(size.bytes())?;
            Span::from_start_size(Gpa::new(size.round_down(start)), size)
        });
        moved.unwrap_or(window)
    })
}
