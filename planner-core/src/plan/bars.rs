//! BARs of the passed devices and the windows of the guest that must hold them.
//!
//! The guest's firmware or kernel places BARs, not the VMM; what can be said beforehand is whether they fit.

use std::collections::BTreeMap;
use std::fmt;

use crate::addr::{Address, Gpa, Span};
use crate::facts::host::BarKind;
use crate::host::Device;
use crate::ids::PciAddress;
use crate::size::{MIB, Size};
use crate::span_set::SpanSet;
use crate::vmm::{BarOrder, MemoryMap, RegionKind};

/// A bridge window is a multiple of this (PCI-to-PCI Bridge Architecture Specification 3.2.5.6), and each passed device
/// sits behind a root port of its own.
const BRIDGE_WINDOW: Size = Size::from_bytes(MIB);

/// One BAR that wants room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bar {
    /// Its size.
    pub size: Size,
    /// The device.
    pub device: PciAddress,
    /// Its index.
    pub index: u8,
}

/// Memory BARs of the passed devices, biggest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BarDemand {
    /// BARs that must lie below 4 GiB: 32-bit ones, and 64-bit ones that are not prefetchable, since the
    /// non-prefetchable window of a bridge has 32 bits.
    pub low: Vec<Bar>,
    /// 64-bit prefetchable BARs.
    pub high: Vec<Bar>,
    /// The passed functions, with BARs or without.
    pub functions: Vec<PciAddress>,
}

impl BarDemand {
    /// The BARs of these devices. Expansion ROMs are left out: VMMs do not need to map them.
    #[must_use]
    pub fn new(passed: &[&Device]) -> Self {
        let mut demand = Self::default();
        for device in passed {
            demand.functions.push(device.address);
            for fact in device.bars.iter().filter(|bar| bar.index < 6 && bar.kind != BarKind::Io) {
                let bar = Bar { size: fact.size, device: device.address, index: fact.index };
                if fact.kind == BarKind::Mem64 && fact.prefetchable {
                    demand.high.push(bar);
                } else {
                    demand.low.push(bar);
                }
            }
        }
        demand.low.sort_by_key(|bar| (std::cmp::Reverse(bar.size), bar.device, bar.index));
        demand.high.sort_by_key(|bar| (std::cmp::Reverse(bar.size), bar.device, bar.index));
        demand
    }

    /// What each function wants, in the order of the functions.
    fn by_function(&self) -> Vec<(PciAddress, Self)> {
        let mut own: BTreeMap<PciAddress, Self> = BTreeMap::new();
        for &bar in &self.low {
            own.entry(bar.device).or_default().low.push(bar);
        }
        for &bar in &self.high {
            own.entry(bar.device).or_default().high.push(bar);
        }
        let wanted = |&function| (function, own.get(&function).cloned().unwrap_or_default());
        self.functions.iter().map(wanted).collect()
    }

    /// The largest of its BARs.
    fn biggest(&self) -> Option<Bar> {
        self.low.iter().chain(&self.high).copied().max_by_key(|bar| (bar.size, std::cmp::Reverse(*bar)))
    }

    /// Whether there is nothing to place.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.low.is_empty() && self.high.is_empty()
    }
}

impl fmt::Display for BarDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |bars: &[Bar]| {
            crate::size::binary_size(bars.iter().map(|bar| u128::from(bar.size.bytes())).sum())
        };
        write!(f, "{} below 4 GiB, {} that can lie above", sum(&self.low), sum(&self.high))
    }
}

/// What finds no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoRoom {
    /// No window of the map has room for this BAR.
    Bar(Bar),
    /// No PCI segment has a place for this function, or none that has one has room for its BARs.
    Function(PciAddress),
}

/// Whether the windows of a map have room for the BARs.
///
/// # Errors
/// The first BAR, biggest first, that finds no room.
pub fn fit(demand: &BarDemand, map: &MemoryMap) -> Result<(), NoRoom> {
    if !map.segments.is_empty() {
        return segments(demand, map).map(drop);
    }
    let windows =
        |kind| map.regions.iter().filter(move |region| region.kind == kind).map(|region| region.span);
    let mut low = Windows { free: windows(RegionKind::Mmio32).collect() };
    let mut high = Windows { free: windows(RegionKind::Mmio64).collect() };
    for &bar in &demand.high {
        if !high.take(bar.size.max(BRIDGE_WINDOW)) && !low.take(bar.size.max(BRIDGE_WINDOW)) {
            return Err(NoRoom::Bar(bar));
        }
    }
    // Small BARs of one device share a bridge window.
    let mut rest = Size::ZERO;
    for &bar in &demand.low {
        if bar.size < BRIDGE_WINDOW {
            rest = rest.checked_add(bar.size).unwrap_or(rest);
        } else if !low.take(bar.size) {
            return Err(NoRoom::Bar(bar));
        }
    }
    let rest = BRIDGE_WINDOW.round_up(rest.bytes()).map_or(rest, Size::from_bytes);
    match demand.low.first() {
        Some(&bar) if !rest.is_zero() && !low.take_unaligned(rest) => Err(NoRoom::Bar(bar)),
        _ => Ok(()),
    }
}

/// The PCI segment of each passed function, in the order of [`BarDemand::functions`], for a VMM whose segments have no
/// bridges; empty for others. The function with the biggest BAR goes to the first segment that has room, and so on.
///
/// # Errors
/// The first BAR or function, biggest first, that finds no room.
pub fn segments(demand: &BarDemand, map: &MemoryMap) -> Result<Vec<u16>, NoRoom> {
    let mut rooms = rooms(map);
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let own = demand.by_function();
    let mut order: Vec<usize> = (0..own.len()).collect();
    let size = |index: &usize| own.get(*index).and_then(|(_, wanted)| wanted.biggest()).map(|bar| bar.size);
    order.sort_by_key(|index| (std::cmp::Reverse(size(index)), *index));
    let mut placed: Vec<(usize, u16)> = Vec::new();
    for index in order {
        let Some((function, wanted)) = own.get(index) else { continue };
        let at = rooms.iter_mut().position(|room| room.take(wanted));
        let segment = at.and_then(|at| u16::try_from(at).ok());
        placed.push((index, segment.ok_or_else(|| no_room(*function, wanted, &rooms))?));
    }
    placed.sort_unstable();
    Ok(placed.into_iter().map(|(_, segment)| segment).collect())
}

/// What is left of a PCI segment.
struct Room {
    functions: u32,
    low: Windows,
    high: Windows,
}

fn rooms(map: &MemoryMap) -> Vec<Room> {
    let windows = |kind, index: usize| Windows {
        free: map
            .regions
            .iter()
            .filter(|region| region.kind == kind)
            .nth(index)
            .map(|region| region.span)
            .into_iter()
            .collect(),
    };
    let room = |(index, &functions): (usize, &u32)| Room {
        functions,
        low: windows(RegionKind::Mmio32, index),
        high: windows(RegionKind::Mmio64, index),
    };
    map.segments.iter().enumerate().map(room).collect()
}

impl Room {
    /// Takes what a function wants, or nothing.
    fn take(&mut self, demand: &BarDemand) -> bool {
        let Some(left) = self.functions.checked_sub(1) else { return false };
        let (mut low, mut high) = (self.low.clone(), self.high.clone());
        let highs =
            demand.high.iter().all(|bar| high.take(bar.size.max(PAGE)) || low.take(bar.size.max(PAGE)));
        let fits = highs && demand.low.iter().all(|bar| low.take(bar.size.max(PAGE)));
        if fits {
            *self = Self { functions: left, low, high };
        }
        fits
    }
}

/// The biggest BAR of the function, or the function where every bus is full.
fn no_room(function: PciAddress, wanted: &BarDemand, rooms: &[Room]) -> NoRoom {
    let full = rooms.iter().all(|room| room.functions == 0);
    wanted.biggest().filter(|_| !full).map_or(NoRoom::Function(function), NoRoom::Bar)
}

/// The least that a BAR takes where it is mapped for the guest (pci/src/vfio.rs, `allocate_bars`: a page).
const PAGE: Size = Size::kib(4);

/// What emulated devices may take of the end of a window before passed ones get theirs: Cloud Hypervisor puts the BAR of a
/// virtio device at a multiple of 8 MiB since 53.0 (virtio-devices/src/transport/pci_device.rs; pull request 8205), and a bus
/// has 32 devices. A described VMM is taken to put them where Cloud Hypervisor did before, 512 KiB each.
const EMULATED_ON_SEGMENTS: Size = Size::mib(256);
const EMULATED: Size = Size::mib(16);

/// Where the BARs come to lie, as far as the VMM hands them out itself; nothing where the guest does.
#[must_use]
pub fn handed_out(demand: &BarDemand, map: &MemoryMap) -> Vec<Span<Gpa>> {
    match map.bar_order {
        BarOrder::Guest => Vec::new(),
        BarOrder::FromStart => {
            let low = map.regions.iter().find(|region| region.kind == RegionKind::Mmio32);
            low.and_then(|window| bumped(demand, window.span)).into_iter().collect()
        }
        BarOrder::FromEnd => by_segment(demand, map)
            .iter()
            .enumerate()
            .flat_map(|(segment, demand)| from_end(demand, map, segment))
            .collect(),
    }
}

/// What is wanted of each segment; all of the first where there are no segments, or not all find room.
fn by_segment(demand: &BarDemand, map: &MemoryMap) -> Vec<BarDemand> {
    let Ok(segments) = segments(demand, map) else { return vec![demand.clone()] };
    if map.segments.len() < 2 {
        return vec![demand.clone()];
    }
    let mut all = vec![BarDemand::default(); map.segments.len()];
    for ((_, own), segment) in demand.by_function().into_iter().zip(segments) {
        if let Some(wanted) = all.get_mut(usize::from(segment)) {
            wanted.low.extend(own.low);
            wanted.high.extend(own.high);
        }
    }
    all
}

fn from_end(demand: &BarDemand, map: &MemoryMap, segment: usize) -> impl Iterator<Item = Span<Gpa>> {
    let window = |kind| {
        map.regions.iter().filter(move |region| region.kind == kind).nth(segment).map(|region| region.span)
    };
    let emulated = if map.segments.is_empty() { EMULATED } else { EMULATED_ON_SEGMENTS };
    // A 64-bit BAR that is not prefetchable counts as low, and Cloud Hypervisor puts it high.
    let all: Vec<Bar> = demand.low.iter().chain(&demand.high).copied().collect();
    let low = window(RegionKind::Mmio32).and_then(|window| sunk(&demand.low, window, emulated));
    low.into_iter().chain(window(RegionKind::Mmio64).and_then(|window| sunk(&all, window, emulated)))
}

/// The part of a window that BARs take when they are handed out one below the other from its end, each at a multiple of
/// its size (vm-allocator/src/address.rs, `first_available_range`); all of it when they do not fit.
fn sunk(bars: &[Bar], window: Span<Gpa>, emulated: Size) -> Option<Span<Gpa>> {
    let mut bars = bars.to_vec();
    bars.sort_by_key(|bar| (bar.device, bar.index));
    bars.first()?;
    let top = window.last().get().checked_sub(emulated.bytes());
    let below = |end: u64, bar: &Bar| {
        let start = end.checked_add(1)?.checked_sub(bar.size.bytes())?;
        bar.size.round_down(start).checked_sub(1)
    };
    let start = top.and_then(|top| bars.iter().try_fold(top, below));
    let start = start.and_then(|end| end.checked_add(1)).filter(|&start| start >= window.first().get());
    let start = start.unwrap_or(window.first().get());
    Span::of(start, window.last().get())
}

/// The part of a window that the BARs take when they are handed out one after the other from its start, each at a
/// multiple of its size, as kvmtool does (pci.c, `pci_get_mmio_block`).
fn bumped(demand: &BarDemand, window: Span<Gpa>) -> Option<Span<Gpa>> {
    let mut bars: Vec<Bar> = demand.low.iter().chain(&demand.high).copied().collect();
    bars.sort_by_key(|bar| (bar.device, bar.index));
    let mut end = window.first();
    for bar in bars {
        end = end.align_up(bar.size)?.checked_add(bar.size)?;
    }
    Span::from_start_size(window.first(), Size::from_bytes(end.get().checked_sub(window.first().get())?))
}

/// The PCI windows of a map, for messages.
#[must_use]
pub fn windows_in_words(map: &MemoryMap) -> String {
    let windows =
        map.regions.iter().filter(|region| matches!(region.kind, RegionKind::Mmio32 | RegionKind::Mmio64));
    let words: Vec<String> = windows
        .map(|region| {
            format!(
                "{} {} ({})",
                region.name,
                region.span,
                crate::size::binary_size(region.span.size_bytes())
            )
        })
        .collect();
    if words.is_empty() { "there are none".into() } else { words.join(", ") }
}

/// Free space of windows of one kind.
#[derive(Clone)]
struct Windows {
    free: SpanSet<Gpa>,
}

impl Windows {
    /// Takes `size` bytes at a multiple of `size`, as a BAR wants them.
    fn take(&mut self, size: Size) -> bool {
        self.take_aligned(size, size)
    }

    fn take_unaligned(&mut self, size: Size) -> bool {
        self.take_aligned(size, BRIDGE_WINDOW)
    }

    fn take_aligned(&mut self, size: Size, align: Size) -> bool {
        let at = self.free.complement().first_fit(size, align, Span::full());
        let Some(span) = at.and_then(|at| Span::from_start_size(at, size)) else { return false };
        self.free = self.free.difference(&[span].into_iter().collect());
        true
    }
}
