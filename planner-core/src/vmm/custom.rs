//! A VMM that its user describes in the guest's file: a row of data instead of a model.
//!
//! Its windows are knobs: each that can be moved is offered at a few places of its span, in each of its sizes.

use super::fixed::refusal;
use super::qemu;
use super::{
    BarOrder, BootRule, Choice, DimmRule, Knob, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError,
    region, rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::facts::custom::{BarMapping, CustomRegionKind, CustomVmm, CustomWindow, CustomWindowKind};
use crate::size::Size;
use crate::span_set::SpanSet;

/// The most settings that are offered: with two windows, every place and size of one with every one of the other.
const MOST_VARIANTS: usize = 256;
/// Places of a window that are offered, from the start of its span; its end is offered besides.
const LOW_PLACES: u64 = 8;
/// The most pieces of memory.
pub(super) const MOST_PIECES: u32 = 64;
/// A VMM of which nothing is said.
static ANYTHING: CustomVmm = CustomVmm {
    ram: Vec::new(),
    movable: None,
    align: None,
    pieces: None,
    regions: Vec::new(),
    windows: Vec::new(),
    ipa_bits: None,
    bars: None,
};

/// The description of the request's VMM.
fn described(request: &Request) -> &CustomVmm {
    request.custom.as_ref().unwrap_or(&ANYTHING)
}

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    let custom = described(request);
    let mut regions = boot(request, choice)?;
    regions.extend(modules(request, choice)?);
    regions.extend(choice.hotplug.iter().enumerate().map(|(index, &span)| MapRegion {
        name: format!("room{index}"),
        kind: RegionKind::Hotplug,
        span,
    }));
    if !request.hotplug.is_zero() && pieces(custom) < 2 {
        let text = format!("the VMM takes no further pieces of memory, and {} may come", request.hotplug);
        return Err(refusal(rules::CUSTOM_PIECES, text));
    }
    regions.extend(others(custom, &choice.knobs)?);
    regions.sort_by_key(|region| region.span);
    refuse_overlaps(&regions)?;
    let last = regions.iter().map(|region| region.span.last()).max().unwrap_or(Gpa::at(0));
    let needed_bits = qemu::bits_of(last);
    refuse_bits(request, needed_bits)?;
    let bar_order = if dies(request) { BarOrder::FromEnd } else { BarOrder::Guest };
    Ok(MemoryMap { regions, needed_bits, bar_order, ..MemoryMap::default() })
}

/// The default, then each place and size of one window, then of two windows.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    let custom = described(request);
    others(custom, &[])?;
    let each: Vec<Vec<Knob>> = custom.windows.iter().map(places).collect();
    let alone = each.iter().flatten().map(|knob| vec![knob.clone()]);
    let pairs = each.iter().enumerate().flat_map(|(index, first)| {
        let later = each.iter().skip(index.saturating_add(1)).flatten();
        later.flat_map(move |second| first.iter().map(move |first| vec![first.clone(), second.clone()]))
    });
    let settings = std::iter::once(Vec::new()).chain(alone).chain(pairs);
    let variant = |knobs: Vec<Knob>| Variant {
        boot: boot_rule(request, &knobs),
        dimms: dimms(request),
        room: None,
        knobs,
    };
    Ok(settings.take(MOST_VARIANTS).map(variant).collect())
}

/// What of the map does not depend on where memory lies: memory must keep clear of it.
pub(super) fn kept_clear(request: &Request, knobs: &[Knob]) -> SpanSet<Gpa> {
    let others = others(described(request), knobs).unwrap_or_default();
    others.iter().map(|region| region.span).collect()
}

/// What lies at fixed addresses, with its name.
pub(super) fn fixed_regions(request: &Request) -> impl Iterator<Item = (&str, Span<Gpa>)> {
    let custom = described(request);
    let windows = custom.windows.iter().filter(|window| window.size.is_none());
    let windows = windows.map(|window| (window.name.as_str(), window.span));
    custom.regions.iter().map(|region| (region.name.as_str(), region.span)).chain(windows)
}

/// Whether it dies when a BAR cannot be mapped.
pub(super) fn dies(request: &Request) -> bool {
    described(request).bars == Some(BarMapping::Dies)
}

/// Whether it maps BARs.
pub(super) fn maps_bars(request: &Request) -> bool {
    matches!(described(request).bars, Some(BarMapping::Warns | BarMapping::Dies))
}

/// Whether windows are described at all.
pub(super) fn has_windows(request: &Request) -> bool {
    !described(request).windows.is_empty()
}

fn pieces(custom: &CustomVmm) -> u32 {
    let silent = custom.ram.is_empty() && custom.movable.is_none();
    custom.pieces.unwrap_or(if silent { MOST_PIECES } else { 1 }).clamp(1, MOST_PIECES)
}

fn align(request: &Request) -> Size {
    described(request).align.unwrap_or(Size::ZERO).max(request.pages.size())
}

fn boot_rule(request: &Request, knobs: &[Knob]) -> BootRule {
    let custom = described(request);
    if !custom.ram.is_empty() {
        return BootRule::Fixed { spans: custom.ram.clone(), rule: rules::CUSTOM_RAM };
    }
    let (within, align) = (custom.movable.unwrap_or(Span::full()), align(request));
    let taken = kept_clear(request, knobs);
    let default = taken.first_fit(request.memory, align, within);
    let default = default.or_else(|| within.first().align_up(align)).unwrap_or(within.first());
    BootRule::Movable { within, align, default, rule: rules::CUSTOM_RAM }
}

fn dimms(request: &Request) -> Option<DimmRule> {
    let most = pieces(described(request)).checked_sub(1).filter(|&most| most > 0)?;
    let least_boot = request.pages.size();
    let area_align = Size::ZERO;
    Some(DimmRule { align: align(request), most, least_boot, area_align, rule: rules::CUSTOM_PIECES })
}

fn boot(request: &Request, choice: &Choice) -> Result<Vec<MapRegion>, VmmError> {
    let base = choice.knobs.iter().find_map(|knob| match knob {
        Knob::RamBase { at } => Some(*at),
        _ => None,
    });
    let small = || refusal(rules::CUSTOM_RAM, format!("the VMM has no room for {} of memory", choice.boot));
    let base = match (boot_rule(request, &choice.knobs), base) {
        (BootRule::Fixed { .. }, Some(at)) => {
            return Err(refusal(rules::CUSTOM_RAM, format!("the VMM cannot start memory at {at}")));
        }
        (BootRule::Fixed { spans, .. }, None) => return filled(&spans, choice.boot).ok_or_else(small),
        (BootRule::Movable { default, .. }, base) => base.unwrap_or(default),
    };
    let within = described(request).movable.unwrap_or(Span::full());
    let ram = region("ram", RegionKind::Ram, base, choice.boot).ok_or_else(small)?;
    if !within.covers(ram.span) || !base.is_aligned(align(request)) {
        let text = format!("the VMM puts memory at multiples of {} within {within}", align(request));
        return Err(refusal(rules::CUSTOM_RAM, text));
    }
    Ok(vec![ram])
}

fn filled(spans: &[Span<Gpa>], size: Size) -> Option<Vec<MapRegion>> {
    let mut left = size;
    let mut regions = Vec::new();
    for (index, &span) in spans.iter().enumerate() {
        let take = span.size().map_or(left, |room| room.min(left));
        regions.extend(region(&format!("ram{index}"), RegionKind::Ram, span.first(), take));
        left = left.checked_sub(take)?;
    }
    left.is_zero().then_some(regions)
}

fn modules(request: &Request, choice: &Choice) -> Result<Vec<MapRegion>, VmmError> {
    let (most, align) = (pieces(described(request)), align(request));
    let count = choice.dimms.len().saturating_add(1);
    if u32::try_from(count).map_or(true, |count| count > most) {
        let text = format!("the VMM takes memory in {most} pieces at most, not in {count}");
        return Err(refusal(rules::CUSTOM_PIECES, text));
    }
    let modules = choice.dimms.iter().enumerate().map(|(index, dimm)| {
        if dimm.span.shrink_to(align) != Some(dimm.span) {
            let text = format!("start and size of {} are no multiples of {align}", dimm.span);
            return Err(VmmError { dimm: Some(index), ..refusal(rules::CUSTOM_PIECES, text) });
        }
        Ok(MapRegion { name: format!("piece{index}"), kind: RegionKind::Ram, span: dimm.span })
    });
    modules.collect()
}

/// Everything but memory.
fn others(custom: &CustomVmm, knobs: &[Knob]) -> Result<Vec<MapRegion>, VmmError> {
    let fixed = custom.regions.iter().map(|region| MapRegion {
        name: region.name.clone(),
        kind: kind(region.kind),
        span: region.span,
    });
    let mut regions: Vec<MapRegion> = fixed.collect();
    for window in &custom.windows {
        regions.push(placed(window, knobs)?);
    }
    Ok(regions)
}

/// A window where its knob puts it, or at the start of its span.
fn placed(window: &CustomWindow, knobs: &[Knob]) -> Result<MapRegion, VmmError> {
    let turned = knobs.iter().rev().find_map(|knob| match knob {
        Knob::Window { name, start, size } if *name == window.name => Span::from_start_size(*start, *size),
        _ => None,
    });
    let span = match (window.size, turned) {
        (None, _) => Some(window.span),
        (Some(_), Some(span)) => window.span.covers(span).then_some(span),
        (Some(size), None) => at(window, size, 0),
    };
    let kind = match window.kind {
        CustomWindowKind::Mmio32 => RegionKind::Mmio32,
        CustomWindowKind::Mmio64 => RegionKind::Mmio64,
    };
    let outside = || {
        let text = format!("the window {} does not fit into {}", window.name, window.span);
        refusal(rules::CUSTOM_WINDOW, text)
    };
    Ok(MapRegion { name: window.name.clone(), kind, span: span.ok_or_else(outside)? })
}

/// Places and sizes of a window but its default, the smallest size first.
fn places(window: &CustomWindow) -> Vec<Knob> {
    let Some(least) = window.size else { return Vec::new() };
    let most = window.most.unwrap_or(least);
    let sizes =
        std::iter::successors(Some(least), |size| size.checked_add(*size).filter(|&next| next <= most));
    let knob = |span: Span<Gpa>| {
        let size = span.size()?;
        Some(Knob::Window { name: window.name.clone(), start: span.first(), size })
    };
    let mut spans: Vec<Span<Gpa>> = Vec::new();
    for size in sizes.take_while(|size| !size.is_zero()) {
        spans.extend((0..LOW_PLACES).filter_map(|index| at(window, size, index)));
        spans.extend(
            at_end(window, size).filter(|span| !spans.contains(span)).into_iter().collect::<Vec<_>>(),
        );
    }
    let default = at(window, least, 0);
    spans.into_iter().filter(|&span| Some(span) != default).filter_map(knob).collect()
}

/// The place with this number, from the start of the span; a BAR as large as the window has its alignment.
fn at(window: &CustomWindow, size: Size, index: u64) -> Option<Span<Gpa>> {
    let align = natural(size);
    let first = window.span.first().align_up(align)?;
    let start = first.checked_add(Size::from_bytes(align.bytes().checked_mul(index)?))?;
    Span::from_start_size(start, size).filter(|&span| window.span.covers(span))
}

fn at_end(window: &CustomWindow, size: Size) -> Option<Span<Gpa>> {
    let start = window.span.last().get().checked_sub(size.bytes().checked_sub(1)?)?;
    let start = Gpa::new(start).align_down(natural(size));
    Span::from_start_size(start, size).filter(|&span| window.span.covers(span))
}

/// The largest power of two in it.
fn natural(size: Size) -> Size {
    Size::from_bytes(size.bytes().checked_ilog2().map_or(1, |bit| 1 << bit))
}

fn refuse_overlaps(regions: &[MapRegion]) -> Result<(), VmmError> {
    let overlap = regions.windows(2).find_map(|pair| match pair {
        [low, high] if low.span.overlaps(high.span) => Some((low, high)),
        _ => None,
    });
    match overlap {
        None => Ok(()),
        Some((low, high)) => {
            let text = format!("{} at {} overlaps {} at {}", low.name, low.span, high.name, high.span);
            Err(refusal(rules::CUSTOM_REGION, text))
        }
    }
}

fn refuse_bits(request: &Request, needed: u8) -> Result<(), VmmError> {
    let offered = described(request).ipa_bits.into_iter().chain(request.ipa_bits).min();
    match offered.filter(|&offered| offered < needed) {
        None => Ok(()),
        Some(offered) => {
            let text = format!("the layout needs {needed} address bits, and there are {offered}");
            Err(refusal(rules::CUSTOM_LIMIT, text))
        }
    }
}

fn kind(kind: CustomRegionKind) -> RegionKind {
    match kind {
        CustomRegionKind::Platform => RegionKind::Platform,
        CustomRegionKind::Ecam => RegionKind::Ecam,
        CustomRegionKind::Pio => RegionKind::Pio,
        CustomRegionKind::Flash => RegionKind::Flash,
        CustomRegionKind::Gicd => RegionKind::Gicd,
        CustomRegionKind::Gicr => RegionKind::Gicr,
        CustomRegionKind::Its => RegionKind::Its,
        CustomRegionKind::V2m => RegionKind::V2m,
        CustomRegionKind::Smmu => RegionKind::Smmu,
        CustomRegionKind::VirtioMmio => RegionKind::VirtioMmio,
        CustomRegionKind::Msi => RegionKind::Msi,
        CustomRegionKind::Hole => RegionKind::Hole,
    }
}
