//! The second opinion: checks a plan with nothing of the planner's code.
//!
//! It starts from what the kernel answers (usable ranges), not from the constraints that the search used, and asks the
//! VMM's model for the memory map again. A plan made earlier, by hand or for another host is checked the same way.

use serde::Serialize;

use crate::addr::{Address, Gpa, Iova, Span};
use crate::facts::guest::{HazardPolicy, LayoutPolicy};
use crate::facts::host::BarKind;
use crate::guest::GuestSpec;
use crate::host::{Device, Host};
use crate::kernel::{GroupReport, IommufdAnswer, ReservedRegion, ReservedReport, ResvKind};
use crate::plan::{PieceKind, Plan, RamPiece};
use crate::size::{Size, binary_size};
use crate::span_set::SpanSet;
use crate::vmm::{self, BarOrder, Choice, Dimm, MemoryMap, RegionKind};

/// Something that a plan must not do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Violation {
    /// Identifier, `V001` and so on.
    pub code: &'static str,
    /// One sentence with names and numbers.
    pub message: String,
}

/// Every check of this room, with what it states. `planner check` prints those that hold, too.
pub const CHECKS: &[(&str, &str)] = &[
    ("V001", "the pieces of RAM add up to the memory of the guest and do not overlap"),
    ("V002", "all RAM lies where the kernel lets the passed devices map it"),
    ("V003", "RAM keeps out of windows that take DMA as peer to peer"),
    ("V004", "every passed device is on the host and can be given to a guest"),
    ("V005", "the VMM makes exactly the regions of the plan"),
    ("V006", "the MSI window of the plan is the kernel's, and no RAM lies in it"),
    ("V007", "RAM keeps out of what the guest is told to avoid"),
    ("V008", "the guest-physical address bits suffice"),
    ("V009", "the pieces of RAM lie on page boundaries"),
    ("V010", "every NUMA node has the memory that it was promised"),
    ("V011", "the VMM can do with host devices what the guest asks of it"),
    ("V012", "BARs that the VMM maps for DMA lie where the kernel lets it map them"),
    ("V013", "every passed device has a PCI segment with a place for it and room for its BARs"),
];

/// Everything that is wrong with the plan on this host; nothing if the list is empty.
#[must_use]
pub fn verify(host: &Host, reserved: &ReservedReport, guest: &GuestSpec, plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    check_sum(guest, plan, &mut found);
    let groups = groups(host, reserved, guest, &mut found);
    for group in &groups {
        check_usable(group, guest, plan, &mut found);
        check_hazards(group, guest, plan, &mut found);
        if vmm::uses_vfio(guest.vmm) {
            check_msi(group, plan, &mut found);
        }
    }
    check_host_memory(host, guest, plan, &mut found);
    check_map(guest, plan, &mut found);
    check_vmm(guest, &mut found);
    check_bars(host, guest, plan, &groups, &mut found);
    check_segments(host, guest, plan, &mut found);
    check_avoid(guest, plan, &mut found);
    check_pages(guest, plan, &mut found);
    check_nodes(guest, plan, &mut found);
    found
}

fn violation(found: &mut Vec<Violation>, code: &'static str, message: String) {
    let violation = Violation { code, message };
    if !found.contains(&violation) {
        found.push(violation);
    }
}

fn check_sum(guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    let sum: u128 = plan.ram.iter().map(|piece| piece.span.size_bytes()).sum();
    if sum != u128::from(guest.memory.bytes()) {
        let message =
            format!("the pieces of RAM add up to {}, the guest wants {}", binary_size(sum), guest.memory);
        violation(found, "V001", message);
    }
    let mut pieces: Vec<&RamPiece> = plan.ram.iter().collect();
    pieces.sort_by_key(|piece| piece.span);
    for pair in pieces.windows(2) {
        if let [low, high] = pair
            && low.span.overlaps(high.span)
        {
            violation(found, "V001", format!("{} and {} overlap", low.name, high.name));
        }
    }
}

/// The groups whose reservations count, and what is wrong with giving their devices away.
fn groups<'a>(
    host: &Host,
    reserved: &'a ReservedReport,
    guest: &GuestSpec,
    found: &mut Vec<Violation>,
) -> Vec<&'a GroupReport> {
    let mut groups: Vec<&GroupReport> = Vec::new();
    for &address in &guest.pass {
        let group = host.device(address).and_then(|device| device.group).and_then(|id| reserved.group(id));
        match group {
            None => violation(found, "V004", format!("{address} is not on the host or has no IOMMU group")),
            Some(group) => {
                check_assignable(host, guest, group, found);
                groups.push(group);
            }
        }
    }
    if guest.policy == LayoutPolicy::Portable {
        return reserved.groups.iter().collect();
    }
    groups.sort_by_key(|group| group.id);
    groups.dedup_by_key(|group| group.id);
    groups
}

fn check_assignable(host: &Host, guest: &GuestSpec, group: &GroupReport, found: &mut Vec<Violation>) {
    // Xen has IOMMU drivers of its own, which refuse nothing that Linux's would.
    if !vmm::uses_vfio(guest.vmm) {
        if !host.iommus.iter().any(|iommu| vmm::drives(guest.vmm, iommu.model)) {
            violation(found, "V004", format!("{} has no driver for the IOMMU of the host", guest.vmm));
        }
        return;
    }
    for blocker in &group.blockers {
        let a_setting_helps = crate::kernel::rules::lifted_by_unsafe_interrupts(blocker.rule)
            && host.kernel.unsafe_interrupts != Some(false);
        if !a_setting_helps {
            violation(found, "V004", format!("group {}: {}", group.id, blocker.because));
        }
    }
    if let (true, IommufdAnswer::Blocked { blocked }) = (guest.iommufd, &group.iommufd) {
        violation(found, "V004", format!("group {}: {}", group.id, blocked.because));
    }
}

fn check_usable(group: &GroupReport, guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    for piece in &plan.ram {
        let iova: Span<Iova> = piece.span.cast();
        if !can_be_mapped(group, guest, iova) {
            let why = region_hit(group, guest, iova);
            let message =
                format!("{} at {} cannot be mapped for group {}: {why}", piece.name, piece.span, group.id);
            violation(found, "V002", message);
        }
    }
}

fn can_be_mapped(group: &GroupReport, guest: &GuestSpec, iova: Span<Iova>) -> bool {
    if !vmm::uses_vfio(guest.vmm) {
        let regions = group.reserved.iter().filter(|region| !region.is_of_linux());
        let mut spans = regions.filter_map(ReservedRegion::span);
        return group.aperture.covers(iova) && !spans.any(|span| span.overlaps(iova));
    }
    let usable: &[Span<Iova>] = match &group.iommufd {
        IommufdAnswer::Usable { usable, .. } if guest.iommufd => usable,
        _ => &group.type1.usable,
    };
    // The kernel looks for one range that holds the whole request, so touching ranges do not help each other.
    usable.iter().any(|range| range.covers(iova))
}

fn region_hit(group: &GroupReport, guest: &GuestSpec, iova: Span<Iova>) -> String {
    let counts = |region: &ReservedRegion| match vmm::uses_vfio(guest.vmm) {
        true => region.kind != ResvKind::DirectRelaxable,
        false => !region.is_of_linux(),
    };
    let hit = group
        .reserved
        .iter()
        .find(|region| counts(region) && region.span().is_some_and(|span| span.overlaps(iova)));
    match hit {
        Some(region) => format!("{}..={} is reserved [{}]", region.start, region.end, region.rule),
        None => format!("its IOMMU translates {} only", group.aperture),
    }
}

fn check_hazards(group: &GroupReport, guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    if guest.hazards != HazardPolicy::Strict {
        return;
    }
    for hazard in &group.hazards {
        for piece in plan.ram.iter().filter(|piece| piece.span.cast().overlaps(hazard.span)) {
            let message =
                format!("{} at {} meets {}: {}", piece.name, piece.span, hazard.span, hazard.because);
            violation(found, "V003", message);
        }
    }
}

fn check_msi(group: &GroupReport, plan: &Plan, found: &mut Vec<Violation>) {
    let Some(msi) = &group.msi else { return };
    match &plan.msi_window {
        Some(window) if window.span == msi.span => {}
        Some(window) => {
            let message = format!(
                "the plan expects the MSI window at {}, group {} has it at {}",
                window.span, group.id, msi.span
            );
            violation(found, "V006", message);
        }
        None => {
            violation(
                found,
                "V006",
                format!("the plan knows no MSI window, group {} has one at {}", group.id, msi.span),
            );
        }
    }
    for piece in plan.ram.iter().filter(|piece| piece.span.cast().overlaps(msi.span)) {
        violation(
            found,
            "V006",
            format!("{} at {} lies in the MSI window {}", piece.name, piece.span, msi.span),
        );
    }
}

/// RAM whose guest-physical addresses are the host's must be RAM there.
fn check_host_memory(host: &Host, guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    if !vmm::is_direct_mapped(&guest.request()) {
        return;
    }
    let ram: SpanSet<Gpa> = host.ram.iter().map(|bank| bank.span.cast()).collect();
    for piece in plan.ram.iter().filter(|piece| !ram.covers(piece.span)) {
        let message =
            format!("{} at {} is no RAM of the host, whose addresses it has", piece.name, piece.span);
        violation(found, "V002", message);
    }
}

/// Asks the VMM's model again and compares region by region.
fn check_map(guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    let map = match vmm::memory_map(&guest.request(), &choice(plan)) {
        Ok(map) => map,
        Err(error) => {
            violation(found, "V005", format!("the VMM refuses: {}", error.text));
            return;
        }
    };
    let ram =
        |kind| plan.ram.iter().filter(move |piece: &&RamPiece| piece.kind == kind).map(|piece| piece.span);
    let made: SpanSet<Gpa> = map
        .regions
        .iter()
        .filter(|region| region.kind == RegionKind::Ram)
        .map(|region| region.span)
        .collect();
    let planned: SpanSet<Gpa> = ram(PieceKind::Boot).chain(ram(PieceKind::Dimm)).collect();
    if !planned.difference(&made).is_empty() || !made.difference(&planned).is_empty() {
        violation(found, "V005", format!("the VMM puts RAM at {made:?}, the plan at {planned:?}"));
    }
    for region in map.regions.iter().filter(|region| region.kind != RegionKind::Ram) {
        let same =
            |planned: &&crate::plan::PlacedRegion| planned.name == region.name && planned.kind == region.kind;
        match plan.regions.iter().find(same) {
            Some(planned) if planned.span == region.span => {}
            Some(planned) => {
                let message =
                    format!("the VMM puts {} at {}, the plan at {}", region.name, region.span, planned.span);
                violation(found, "V005", message);
            }
            None => violation(found, "V005", format!("the plan lacks {} at {}", region.name, region.span)),
        }
    }
    if (plan.slots, plan.max_memory) != (map.slots, map.max_memory) {
        violation(found, "V005", slots_differ(plan, &map));
    }
    if guest.ipa_bits.is_some_and(|bits| bits < map.needed_bits) {
        let bits = guest.ipa_bits.unwrap_or(0);
        violation(
            found,
            "V008",
            format!("the map needs {} address bits, the hypervisor offers {bits}", map.needed_bits),
        );
    }
}

fn check_vmm(guest: &GuestSpec, found: &mut Vec<Violation>) {
    let can = vmm::capabilities_of(&guest.request());
    let mut lacks = |missing: bool, what: &str| {
        if missing {
            violation(found, "V011", format!("{} {} has no {what}", guest.vmm, guest.version));
        }
    };
    lacks(!guest.pass.is_empty() && !can.passthrough, "way to pass host devices through");
    lacks(guest.iommufd && !can.iommufd, "iommufd");
    lacks(!can.viommus.contains(&guest.viommu), "such IOMMU for passed devices to lie behind");
}

/// A BAR that a VMM hands out from the end of its window lies, at best, at the last multiple of its size.
fn check_bars(
    host: &Host,
    guest: &GuestSpec,
    plan: &Plan,
    groups: &[&GroupReport],
    found: &mut Vec<Violation>,
) {
    let Ok(map) = vmm::memory_map(&guest.request(), &choice(plan)) else { return };
    if map.bar_order != BarOrder::FromEnd {
        return;
    }
    let devices = passed(host, guest, plan);
    let bars = devices.flat_map(|(device, at)| device.bars.iter().map(move |bar| (device.address, at, bar)));
    for (address, segment, bar) in bars.filter(|(_, _, bar)| bar.index < 6) {
        let kind = match bar.kind {
            BarKind::Mem64 => RegionKind::Mmio64,
            BarKind::Mem32 => RegionKind::Mmio32,
            BarKind::Io => continue,
        };
        let window = map.regions.iter().filter(|region| region.kind == kind).nth(segment);
        let Some(place) = window.and_then(|window| last_place(window.span, bar.size)) else { continue };
        if guest.iommufd {
            let message = format!("BAR {} of {address} cannot be mapped: iommufd maps no BARs", bar.index);
            violation(found, "V012", message);
        }
        for group in groups.iter().filter(|group| !can_be_mapped(group, guest, place.cast())) {
            let why = region_hit(group, guest, place.cast());
            let message = format!(
                "BAR {} of {address} at {place} cannot be mapped for group {}: {why}",
                bar.index, group.id
            );
            violation(found, "V012", message);
        }
    }
}

/// The passed devices, each with its PCI segment.
fn passed<'h>(
    host: &'h Host,
    guest: &'h GuestSpec,
    plan: &'h Plan,
) -> impl Iterator<Item = (&'h Device, usize)> {
    let segments = plan.segments.iter().map(|&segment| usize::from(segment));
    let pairs = guest.pass.iter().zip(segments.chain(std::iter::repeat(0)));
    pairs.filter_map(|(&address, segment)| Some((host.device(address)?, segment)))
}

/// Counts what lies on each segment of a VMM without bridges; what fits in a sum may still not fit, but not the reverse.
fn check_segments(host: &Host, guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    let Ok(map) = vmm::memory_map(&guest.request(), &choice(plan)) else { return };
    let wanted = if map.segments.len() > 1 { guest.pass.len() } else { 0 };
    if plan.segments.len() != wanted {
        let (has, count) = (plan.segments.len(), map.segments.len());
        let message = format!("{has} devices have a segment, and {wanted} need one of the VMM's {count}");
        return violation(found, "V013", message);
    }
    let segments: Vec<usize> = passed(host, guest, plan).map(|(_, segment)| segment).collect();
    if let Some(segment) = segments.iter().find(|&&at| !map.segments.is_empty() && at >= map.segments.len()) {
        return violation(found, "V013", format!("there is no PCI segment {segment}"));
    }
    for (index, &most) in map.segments.iter().enumerate() {
        let devices: Vec<&Device> = passed(host, guest, plan)
            .filter(|&(_, segment)| segment == index)
            .map(|(device, _)| device)
            .collect();
        if u32::try_from(devices.len()).is_ok_and(|count| count > most) {
            let count = devices.len();
            let message =
                format!("PCI segment {index} takes {most} passed devices, and the plan has {count}");
            violation(found, "V013", message);
        }
        check_low_bars(&map, index, &devices, found);
    }
}

/// The 32-bit BARs on a segment, in all.
fn check_low_bars(map: &MemoryMap, segment: usize, devices: &[&Device], found: &mut Vec<Violation>) {
    let bars = devices.iter().flat_map(|device| &device.bars);
    let low = bars.filter(|bar| bar.index < 6 && bar.kind == BarKind::Mem32);
    let low: u128 = low.map(|bar| u128::from(bar.size.bytes())).sum();
    let mut windows = map.regions.iter().filter(|region| region.kind == RegionKind::Mmio32);
    let window = windows.nth(segment).map_or(0, |region| region.span.size_bytes());
    if low > window {
        let (low, window) = (binary_size(low), binary_size(window));
        let message = format!("32-bit BARs of {low} lie on PCI segment {segment}, whose window has {window}");
        violation(found, "V013", message);
    }
}

/// The last multiple of `size` in the window at which so many bytes fit.
fn last_place(window: Span<Gpa>, size: Size) -> Option<Span<Gpa>> {
    let start = window.last().get().checked_add(1)?.checked_sub(size.bytes())?;
    Span::from_start_size(Gpa::new(size.round_down(start)), size)
}

fn slots_differ(plan: &Plan, map: &MemoryMap) -> String {
    let words = |slots: Option<u32>, most: Option<Size>| {
        let most = most.map_or_else(|| "no room".to_owned(), |most| format!("{most} at most"));
        format!("{} slots and {most}", slots.unwrap_or(0))
    };
    format!(
        "the VMM needs {} for the modules, the plan has {}",
        words(map.slots, map.max_memory),
        words(plan.slots, plan.max_memory)
    )
}

fn choice(plan: &Plan) -> Choice {
    let boot: u128 = plan
        .ram
        .iter()
        .filter(|piece| piece.kind == PieceKind::Boot)
        .map(|piece| piece.span.size_bytes())
        .sum();
    // One by one, even where those of neighbouring nodes touch: each takes a slot, and each slot makes the area larger.
    let dimms = plan.ram.iter().filter(|piece| piece.kind == PieceKind::Dimm);
    Choice {
        knobs: plan.knobs.clone(),
        boot: Size::from_bytes(u64::try_from(boot).unwrap_or(u64::MAX)),
        dimms: dimms.map(|piece| Dimm { span: piece.span }).collect(),
        hotplug: plan.hotplug.clone(),
    }
}

fn check_avoid(guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    for piece in &plan.ram {
        for avoid in guest.avoid.iter().filter(|avoid| avoid.overlaps(piece.span)) {
            violation(found, "V007", format!("{} at {} meets {avoid}", piece.name, piece.span));
        }
    }
}

fn check_pages(guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    for piece in &plan.ram {
        if piece.span.shrink_to(guest.pages.size()) != Some(piece.span) {
            let message = format!("{} at {} is cut off the {} page", piece.name, piece.span, guest.pages);
            violation(found, "V009", message);
        }
    }
}

fn check_nodes(guest: &GuestSpec, plan: &Plan, found: &mut Vec<Violation>) {
    for node in &guest.numa {
        let has: u128 = plan
            .ram
            .iter()
            .filter(|piece| piece.node == Some(node.node))
            .map(|piece| piece.span.size_bytes())
            .sum();
        if has != u128::from(node.memory.bytes()) {
            let message = format!("NUMA node {} has {} of its {}", node.node, binary_size(has), node.memory);
            violation(found, "V010", message);
        }
    }
}
