//! `ranges` and `dma-ranges` of a host bridge: what is where on the bus and for CPUs (drivers/of/address.c,
//! `of_pci_range_parser_one`; drivers/pci/of.c, `devm_of_pci_get_host_bridge_resources`).

use super::address::{BusAddress, Direction, check_even, translate};
use super::codes;
use super::sink::Sink;
use super::tree::{CellCounts, NodeRef, Value};
use crate::addr::{Address as _, BusAddr, Hpa, Span};
use crate::diag::Origin;
use crate::facts::host::{InboundFact, WindowFact, WindowKind};
use crate::size::{GIB, Size};

/// Most rows of one property.
const MAX_ROWS: usize = 1024;
/// Cells below a PCI bus (IEEE Std 1275, PCI Bus Binding 2.1, 2.1).
const PCI_CELLS: CellCounts = CellCounts { address: 3, size: 2 };

/// Space codes in bits 24 and 25 of the first cell, and the prefetchable bit (PCI Bus Binding 2.1, 2.2.1.1).
const IO: u32 = 1;
const PREFETCHABLE: u32 = 1 << 30;

/// A row, or several that continue each other.
#[derive(Clone, Debug)]
struct Range {
    flags: u32,
    bus: u64,
    cpu: u64,
    size: u64,
    offset: usize,
    length: usize,
}

/// The windows through which CPUs reach devices.
pub(super) fn windows(bridge: NodeRef<'_, '_>, sink: &mut Sink) -> Vec<WindowFact> {
    let ranges = ranges(bridge, Direction::Cpu, sink);
    let window = |range: &Range| {
        let (cpu, bus) = spans(range)?;
        let kind = match (space(range.flags), bus.last().get() < 4 * GIB) {
            (IO, _) => WindowKind::Io,
            (_, true) => WindowKind::Mem32,
            (_, false) => WindowKind::Mem64,
        };
        let prefetchable = kind != WindowKind::Io && range.flags & PREFETCHABLE != 0;
        let origin = origin(range, sink);
        Some(WindowFact { kind, cpu, bus: bus.first(), prefetchable, p2p: None, origin })
    };
    ranges.iter().filter_map(window).collect()
}

/// The windows through which devices reach memory.
pub(super) fn inbound(bridge: NodeRef<'_, '_>, sink: &mut Sink) -> Vec<InboundFact> {
    let ranges = ranges(bridge, Direction::Dma, sink);
    let inbound = |range: &Range| {
        let (cpu, bus) = spans(range)?;
        Some(InboundFact { cpu, bus: bus.first(), origin: origin(range, sink) })
    };
    ranges.iter().filter(|range| space(range.flags) != IO).filter_map(inbound).collect()
}

fn origin(range: &Range, sink: &Sink) -> Origin {
    sink.origin(range.offset, range.length)
}

fn space(flags: u32) -> u32 {
    flags >> 24 & 3
}

/// Both sides of a range, neither of which passes the end of its space.
fn spans(range: &Range) -> Option<(Span<Hpa>, Span<BusAddr>)> {
    let size = Size::from_bytes(range.size);
    Some((
        Span::from_start_size(Hpa::new(range.cpu), size)?,
        Span::from_start_size(BusAddr::new(range.bus), size)?,
    ))
}

/// The rows for memory and I/O; rows that continue the one before are part of it.
fn ranges(bridge: NodeRef<'_, '_>, direction: Direction, sink: &mut Sink) -> Vec<Range> {
    let name = if direction == Direction::Cpu { "ranges" } else { "dma-ranges" };
    let (Some(value), Some(parent)) = (bridge.property(name), bridge.parent()) else { return Vec::new() };
    let (own, outer) = (bridge.child_cells(), parent.child_cells());
    if own != PCI_CELLS || !outer.are_possible() {
        let message = format!(
            "`{name}` of `{}` has addresses of {} and {} and sizes of {} cells",
            bridge.path(),
            own.address,
            outer.address,
            own.size
        );
        sink.say(&codes::BAD_CELLS, value.offset, value.bytes.len(), message);
        return Vec::new();
    }
    let cells = own.address.saturating_add(outer.address).saturating_add(own.size);
    check_even(bridge, name, value, cells, sink);
    let mut ranges: Vec<Range> = Vec::new();
    for row in value.rows(cells).take(MAX_ROWS) {
        let Some(range) = range(bridge, parent, row, outer.address, direction, sink) else { continue };
        match ranges.last_mut().filter(|last| continues(last, &range)) {
            Some(last) => {
                last.size = last.size.saturating_add(range.size);
                last.length = last.length.saturating_add(range.length);
            }
            None => ranges.push(range),
        }
    }
    ranges
}

fn continues(last: &Range, range: &Range) -> bool {
    last.flags == range.flags
        && last.bus.checked_add(last.size) == Some(range.bus)
        && last.cpu.checked_add(last.size) == Some(range.cpu)
        && last.size.checked_add(range.size).is_some()
}

fn range(
    bridge: NodeRef<'_, '_>,
    parent: NodeRef<'_, '_>,
    row: Value<'_>,
    outer_cells: usize,
    direction: Direction,
    sink: &mut Sink,
) -> Option<Range> {
    let own = BusAddress::read(row, 0, PCI_CELLS.address)?;
    let outer = BusAddress::read(row, PCI_CELLS.address, outer_cells)?;
    let size = row.number(PCI_CELLS.address.checked_add(outer_cells)?, PCI_CELLS.size)?;
    // Configuration space is no window.
    if size == 0 || space(own.high) == 0 {
        return None;
    }
    let place = |sink: &mut Sink, code, message| sink.say(code, row.offset, row.bytes.len(), message);
    let Some(cpu) = translate(parent, outer, direction) else {
        let message =
            format!("{} of `{}` is on a bus that CPUs do not reach", Hpa::at(outer.low), bridge.path());
        place(sink, &codes::NO_ADDRESS, message);
        return None;
    };
    let range =
        Range { flags: own.high, bus: own.low, cpu, size, offset: row.offset, length: row.bytes.len() };
    // I/O ports have addresses of 32 bits.
    let fits = spans(&range).is_some_and(|(_, bus)| space(own.high) != IO || bus.last().get() < 4 * GIB);
    if !fits {
        let message = format!(
            "{size:#x} bytes from {} on the bus and {} for CPUs pass the end",
            BusAddr::at(range.bus),
            Hpa::at(cpu)
        );
        place(sink, &codes::BAD_SPAN, message);
        return None;
    }
    Some(range)
}
