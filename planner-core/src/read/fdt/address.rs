//! Addresses: from the cells of a node to what CPUs, or devices, see, through all buses above (drivers/of/address.c).

use super::codes;
use super::sink::Sink;
use super::tree::{CellCounts, NodeRef, Value};
use crate::addr::{Address as _, Hpa, Span};
use crate::size::Size;

/// Most rows of `reg` that are read; the largest GICs have some tens of redistributor regions.
const MAX_REGISTERS: usize = 256;

/// Which property translates: for CPUs that reach devices, or for devices that reach memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    /// `ranges`. Without it nothing below the bus can be reached.
    Cpu,
    /// `dma-ranges`. Without it addresses are the same on both sides.
    Dma,
}

impl Direction {
    fn property(self) -> &'static str {
        match self {
            Self::Cpu => "ranges",
            Self::Dma => "dma-ranges",
        }
    }
}

/// An address on some bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BusAddress {
    /// The first cell, where there are more than two: on a PCI bus the space with its flags.
    pub(super) high: u32,
    /// The last two cells.
    pub(super) low: u64,
}

impl BusAddress {
    /// The address in so many cells from one on.
    pub(super) fn read(row: Value<'_>, from: usize, cells: usize) -> Option<Self> {
        let high = if cells > 2 { row.cell(from)? } else { 0 };
        Some(Self { high, low: row.number(from, cells)? })
    }

    /// Whether the address is of the same kind as one of a range: on PCI memory or I/O (`of_bus_pci_map`), elsewhere
    /// whatever stands in the first cell (`of_bus_default_flags_map`).
    fn is_like(self, other: Self, bus: NodeRef<'_, '_>) -> bool {
        let is_io = |address: Self| address.high >> 24 & 3 == 1;
        if is_pci(bus) { is_io(self) == is_io(other) } else { self.high == other.high }
    }
}

/// Whether a node is a PCI bus (`of_bus_pci_match`): a host bridge or a bridge below one. Some host bridges have no
/// `device_type`, only the name and the cells (`of_node_is_pcie`).
pub(super) fn is_pci(node: NodeRef<'_, '_>) -> bool {
    let untyped = || {
        !node.has("device_type")
            && node.bare_name() == "pcie"
            && node.has("ranges")
            && node.number("#address-cells") == Some(3)
    };
    node.is_of_type("pci") || untyped()
}

/// The address outside of all buses of an address on `bus`; `None` when one of the buses does not pass it on.
pub(super) fn translate(bus: NodeRef<'_, '_>, address: BusAddress, direction: Direction) -> Option<u64> {
    let (mut bus, mut address) = (bus, address);
    while let Some(parent) = bus.parent() {
        address = through(bus, parent, address, direction)?;
        bus = parent;
    }
    Some(address.low)
}

/// One bus further up (`of_translate_one`).
fn through(
    bus: NodeRef<'_, '_>,
    parent: NodeRef<'_, '_>,
    address: BusAddress,
    direction: Direction,
) -> Option<BusAddress> {
    let Some(ranges) = bus.property(direction.property()) else {
        return (direction == Direction::Dma).then_some(address);
    };
    if ranges.bytes.is_empty() {
        return bus.tree().step().then_some(address);
    }
    let (own, outer) = (bus.child_cells(), parent.child_cells());
    let cells = own.address.checked_add(outer.address)?.checked_add(own.size)?;
    if !own.are_possible() || !outer.are_possible() {
        return None;
    }
    for row in ranges.rows(cells) {
        if !bus.tree().step() {
            return None;
        }
        let start = BusAddress::read(row, 0, own.address)?;
        let size = row.number(own.address.checked_add(outer.address)?, own.size)?;
        let offset = address.low.wrapping_sub(start.low);
        if address.low >= start.low && offset < size && address.is_like(start, bus) {
            let to = BusAddress::read(row, own.address, outer.address)?;
            return Some(BusAddress { high: to.high, low: to.low.checked_add(offset)? });
        }
    }
    None
}

/// One row of `reg`, as CPUs see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Registers {
    /// The addresses.
    pub(super) span: Span<Hpa>,
    /// Where the row stands in the file.
    pub(super) offset: usize,
    /// How many bytes the row has.
    pub(super) length: usize,
}

/// The rows of `reg` of a node as CPUs see them. What cannot be reached is reported and left out.
pub(super) fn registers(node: NodeRef<'_, '_>, sink: &mut Sink) -> Vec<Registers> {
    rows(node, "reg", sink)
}

/// The first row of `reg` of a node as CPUs see it.
pub(super) fn first_register(node: NodeRef<'_, '_>, sink: &mut Sink) -> Option<Registers> {
    first_rows(node, "reg", 1, sink).first().copied()
}

/// As [`registers`], for another property of the same form.
pub(super) fn rows(node: NodeRef<'_, '_>, name: &str, sink: &mut Sink) -> Vec<Registers> {
    first_rows(node, name, MAX_REGISTERS, sink)
}

fn first_rows(node: NodeRef<'_, '_>, name: &str, most: usize, sink: &mut Sink) -> Vec<Registers> {
    let (Some(bus), Some(reg)) = (node.parent(), node.property(name)) else { return Vec::new() };
    let cells = bus.child_cells();
    if !check_rows(node, name, reg, cells, sink) {
        return Vec::new();
    }
    let rows = reg.rows(cells.address.saturating_add(cells.size)).take(most);
    rows.filter_map(|row| one_register(node, bus, row, cells, sink)).collect()
}

fn one_register(
    node: NodeRef<'_, '_>,
    bus: NodeRef<'_, '_>,
    row: Value<'_>,
    cells: CellCounts,
    sink: &mut Sink,
) -> Option<Registers> {
    let address = BusAddress::read(row, 0, cells.address)?;
    let size = row.number(cells.address, cells.size)?;
    let Some(start) = translate(bus, address, Direction::Cpu) else {
        let message =
            format!("{} of `{}` is on a bus that CPUs do not reach", Hpa::at(address.low), node.path());
        sink.say(&codes::NO_ADDRESS, row.offset, row.bytes.len(), message);
        return None;
    };
    let span = Span::from_start_size(Hpa::new(start), Size::from_bytes(size));
    // Sizes of zero are for the boot loader to fill in.
    if span.is_none() && size != 0 {
        let message =
            format!("{size:#x} bytes from {} of `{}` are no addresses", Hpa::at(start), node.path());
        sink.say(&codes::BAD_SPAN, row.offset, row.bytes.len(), message);
    }
    Some(Registers { span: span?, offset: row.offset, length: row.bytes.len() })
}

/// Whether rows of address and size can be read from a property; what is wrong with it is reported.
pub(super) fn check_rows(
    node: NodeRef<'_, '_>,
    name: &str,
    value: Value<'_>,
    cells: CellCounts,
    sink: &mut Sink,
) -> bool {
    if !cells.are_possible() {
        let message = format!(
            "`{name}` of `{}` has addresses of {} and sizes of {} cells",
            node.path(),
            cells.address,
            cells.size
        );
        sink.say(&codes::BAD_CELLS, value.offset, value.bytes.len(), message);
        return false;
    }
    check_even(node, name, value, cells.address.saturating_add(cells.size), sink);
    true
}

/// Reports a property that does not come out even in rows of so many cells.
pub(super) fn check_even(node: NodeRef<'_, '_>, name: &str, value: Value<'_>, cells: usize, sink: &mut Sink) {
    if !value.is_even(cells) {
        let message = format!(
            "`{name}` of `{}` has {} bytes, which is no multiple of {}",
            node.path(),
            value.bytes.len(),
            cells.saturating_mul(4)
        );
        sink.say(&codes::BAD_LENGTH, value.offset, value.bytes.len(), message);
    }
}
