//! `iommu-addresses` of reserved memory: what devices must find mapped, or must not (`of_iommu_get_resv_regions` in
//! drivers/iommu/of_iommu.c).

use super::address::{BusAddress, Direction, first_register, translate};
use super::codes;
use super::pci::{Functions, Place};
use super::sink::Sink;
use super::tree::{NodeRef, Tree, Value};
use crate::addr::{Address as _, Hpa, Iova, Span};
use crate::facts::host::{FirmwareKind, FirmwareRegionFact};
use crate::size::Size;

/// Most regions of one blob.
const MAX_REGIONS: usize = 65536;

/// The regions of PCI functions, in the order in which Linux finds them.
pub(super) fn regions(
    tree: &Tree<'_>,
    functions: &Functions<'_>,
    sink: &mut Sink,
) -> Vec<FirmwareRegionFact> {
    let mut regions: Vec<FirmwareRegionFact> = Vec::new();
    for device in tree.enabled() {
        let Some(memory) = device.property("memory-region") else { continue };
        for phandle in memory.cells() {
            if !tree.step() {
                return regions;
            }
            let Some(reserved) = tree.by_phandle(phandle).filter(|node| node.has("iommu-addresses")) else {
                continue;
            };
            for region in regions_of(device, reserved, functions, sink) {
                add(region, &mut regions);
            }
            if regions.len() > MAX_REGIONS {
                return regions;
            }
        }
    }
    regions
}

/// The same region of several devices is one.
fn add(region: FirmwareRegionFact, regions: &mut Vec<FirmwareRegionFact>) {
    match regions.last_mut().filter(|last| last.origin == region.origin && last.span == region.span) {
        Some(last) => last.devices.extend(region.devices),
        None => regions.push(region),
    }
}

fn regions_of(
    device: NodeRef<'_, '_>,
    reserved: NodeRef<'_, '_>,
    functions: &Functions<'_>,
    sink: &mut Sink,
) -> Vec<FirmwareRegionFact> {
    let address = match functions.place(device) {
        Place::Function(address) => address,
        Place::Platform => return Vec::new(),
        Place::Unknown => {
            let (offset, length) = device.place();
            let message = format!(
                "`{}` is for `{}`, and it is not known on which bus that is",
                reserved.path(),
                device.path()
            );
            sink.say(&codes::NO_FUNCTION, offset, length, message);
            return Vec::new();
        }
    };
    let own = first_register(reserved, sink).map(|first| first.span);
    let region = |(row, span): (Value<'_>, Span<Iova>)| FirmwareRegionFact {
        name: reserved.name().to_owned(),
        kind: kind(own, span),
        span,
        devices: vec![address],
        requesters: Vec::new(),
        origin: sink.origin(row.offset, row.bytes.len()),
    };
    let entries = entries(device, reserved);
    entries.into_iter().map(region).collect()
}

/// `iommu_resv_region_get_type`. A `reg` of one byte counts as none, since Linux asks whether its start lies below its
/// end.
fn kind(own: Option<Span<Hpa>>, span: Span<Iova>) -> FirmwareKind {
    let same = own.filter(|own| own.first() < own.last()).is_some_and(|own| own.cast() == span);
    if same { FirmwareKind::Direct } else { FirmwareKind::Reserved }
}

/// The entries for a device. Linux looks at one cell after the other for the device's phandle, then takes as many cells
/// as an address and a size on the device's own bus have.
fn entries<'a>(device: NodeRef<'_, 'a>, reserved: NodeRef<'_, 'a>) -> Vec<(Value<'a>, Span<Iova>)> {
    let mut found = Vec::new();
    let (Some(value), Some(bus)) = (reserved.property("iommu-addresses"), device.parent()) else {
        return found;
    };
    let cells = bus.child_cells();
    if !cells.are_possible() {
        return found;
    }
    let length = cells.address.saturating_add(cells.size);
    let mut at = 0_usize;
    while let Some(phandle) = value.cell(at).filter(|_| device.tree().step()) {
        at = at.saturating_add(1);
        if device.tree().by_phandle(phandle).map(NodeRef::index) != Some(device.index()) {
            continue;
        }
        let Some(row) = part(value, at, length) else { break };
        at = at.saturating_add(length);
        let address = BusAddress::read(row, 0, cells.address);
        let iova = address.and_then(|address| translate(bus, address, Direction::Dma));
        let size = row.number(cells.address, cells.size);
        let span = iova
            .zip(size)
            .and_then(|(iova, size)| Span::from_start_size(Iova::new(iova), Size::from_bytes(size)));
        found.extend(span.map(|span| (row, span)));
    }
    found
}

/// So many cells of a value from one on.
fn part(value: Value<'_>, from: usize, cells: usize) -> Option<Value<'_>> {
    let start = from.checked_mul(4)?;
    let bytes = value.bytes.get(start..start.checked_add(cells.checked_mul(4)?)?)?;
    Some(Value { bytes, offset: value.offset.saturating_add(start) })
}
