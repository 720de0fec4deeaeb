//! What the tables say, put together to the facts of one host.
//!
//! The tables know segments, not host bridges: those are in AML, which nobody here executes. So there is one root complex
//! for each entry of the MCFG, and one for each segment without an entry to which a table refers.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::id_map::IdMap;
use super::limits::{MOST_REGIONS, MOST_ROWS};
use crate::addr::{Iova, Span, grouped_hex};
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{
    FirmwareKind, FirmwareRegionFact, GicV2mFact, GicV3Fact, IommuFact, ItsFact, MsiMapFact, RequesterRange,
    RootComplexFact, StreamMapFact,
};
use crate::facts::{Arch, HostFacts};
use crate::ids::{MsiDeviceId, PciAddress, RequesterId, StreamId};
use crate::read::capture::log::Log;

/// What was gathered so far.
pub(super) struct Parts {
    pub(super) arch: Option<Arch>,
    pub(super) iommus: Vec<IommuFact>,
    pub(super) gicv3: Vec<GicV3Fact>,
    pub(super) its: Vec<ItsFact>,
    /// Names of ITSs by the number that the MADT gives them.
    pub(super) its_by_id: BTreeMap<u32, String>,
    pub(super) gicv2m: Vec<GicV2mFact>,
    /// By segment, ascending and disjoint.
    pub(super) streams: BTreeMap<u16, Vec<StreamMapFact>>,
    /// By segment, ascending and disjoint.
    pub(super) msi: BTreeMap<u16, Vec<MsiMapFact>>,
    firmware: Vec<FirmwareRegionFact>,
    /// How many more ranges of requesters the regions may be for.
    ranges_left: usize,
    /// Segments to which a table refers, and where it does so first.
    named: BTreeMap<u16, Origin>,
    /// By segment and first bus, disjoint.
    buses: BTreeMap<(u16, u8), Buses>,
}

/// Buses of a segment that configuration space is described for.
#[derive(Clone, Debug)]
pub(super) struct Buses {
    pub(super) segment: u16,
    pub(super) first_bus: u8,
    pub(super) last_bus: u8,
    pub(super) origin: Origin,
}

/// All requesters of a segment.
const ALL: (RequesterId, RequesterId) = (RequesterId(0), RequesterId(0xffff));

impl Parts {
    pub(super) fn new() -> Self {
        Self {
            arch: None,
            iommus: Vec::new(),
            gicv3: Vec::new(),
            its: Vec::new(),
            its_by_id: BTreeMap::new(),
            gicv2m: Vec::new(),
            streams: BTreeMap::new(),
            msi: BTreeMap::new(),
            firmware: Vec::new(),
            ranges_left: MOST_ROWS,
            named: BTreeMap::new(),
            buses: BTreeMap::new(),
        }
    }

    /// Takes buses, unless some of them are taken: then it tells where that was said.
    pub(super) fn add_buses(&mut self, buses: Buses) -> Option<Origin> {
        let key = (buses.segment, buses.first_bus);
        let before = self.buses.range((buses.segment, 0)..=(buses.segment, buses.last_bus)).next_back();
        if let Some((_, other)) = before.filter(|(_, other)| other.last_bus >= buses.first_bus) {
            return Some(other.origin.clone());
        }
        self.buses.insert(key, buses);
        None
    }

    /// Takes note that there is such a segment.
    pub(super) fn name_segment(&mut self, segment: u16, origin: &Origin) {
        self.named.entry(segment).or_insert_with(|| origin.clone());
    }

    /// Takes a region, unless there are too many, or they are for too many ranges of requesters.
    pub(super) fn add_region(&mut self, region: FirmwareRegionFact, log: &mut Log) {
        let ranges = region.devices.len().saturating_add(region.requesters.len());
        let left = self.ranges_left.checked_sub(ranges).filter(|_| self.firmware.len() < MOST_REGIONS);
        let Some(left) = left else {
            let message = format!(
                "there are more than {MOST_REGIONS} regions, or they are for more than {MOST_ROWS} ranges of requesters"
            );
            log.push(Diagnostic::new(&codes::TOO_MANY, region.origin, message));
            return;
        };
        self.ranges_left = left;
        self.firmware.push(region);
    }

    /// The facts.
    pub(super) fn finish(mut self) -> HostFacts {
        self.serve_msis_by_frame();
        let root_complexes = self.root_complexes();
        HostFacts {
            arch: self.arch,
            iommus: self.iommus,
            gicv3: self.gicv3,
            its: self.its,
            gicv2m: self.gicv2m,
            root_complexes,
            firmware: self.firmware,
            ..HostFacts::default()
        }
    }

    /// Without an ITS, Linux gives the first GICv2m frame to all host bridges (gicv2m_get_fwnode in
    /// drivers/irqchip/irq-gic-v2m.c).
    fn serve_msis_by_frame(&mut self) {
        let Some(frame) = self.gicv2m.first().filter(|_| self.its.is_empty()) else { return };
        let all = MsiMapFact {
            controller: frame.name.clone(),
            first: ALL.0,
            last: ALL.1,
            device_id: None,
            origin: frame.origin.clone(),
        };
        for segment in self.segments() {
            self.msi.insert(segment, vec![all.clone()]);
        }
    }

    /// Every segment that a table speaks of.
    pub(super) fn segments(&self) -> BTreeSet<u16> {
        self.buses.keys().map(|&(segment, _)| segment).chain(self.named.keys().copied()).collect()
    }

    fn root_complexes(&self) -> Vec<RootComplexFact> {
        let described: BTreeSet<u16> = self.buses.keys().map(|&(segment, _)| segment).collect();
        let mut buses: Vec<Buses> = self.buses.values().cloned().collect();
        for (&segment, origin) in self.named.iter().filter(|(segment, _)| !described.contains(segment)) {
            buses.push(Buses { segment, first_bus: 0, last_bus: 0xff, origin: origin.clone() });
        }
        buses.sort_by_key(|buses| (buses.segment, buses.first_bus));
        buses.into_iter().map(|buses| self.root_complex(buses)).collect()
    }

    fn root_complex(&self, buses: Buses) -> RootComplexFact {
        let Buses { segment, first_bus, last_bus, origin } = buses;
        let first = RequesterId(u16::from_be_bytes([first_bus, 0]));
        let last = RequesterId(u16::from_be_bytes([last_bus, 0xff]));
        let streams = self.streams.get(&segment).map_or(&[][..], Vec::as_slice);
        let msi = self.msi.get(&segment).map_or(&[][..], Vec::as_slice);
        RootComplexFact {
            name: format!("pci{segment:04x}:{first_bus:02x}"),
            segment,
            first_bus,
            last_bus,
            streams: within(streams, |row| (row.first, row.last), first, last)
                .map(|row| stream(row, first, last))
                .collect(),
            msi: within(msi, |row| (row.first, row.last), first, last)
                .map(|row| target(row, first, last))
                .collect(),
            origin,
            ..RootComplexFact::default()
        }
    }
}

/// Those of ascending, disjoint rows that reach into these requesters.
fn within<T>(
    rows: &[T],
    ends: impl Fn(&T) -> (RequesterId, RequesterId),
    first: RequesterId,
    last: RequesterId,
) -> impl Iterator<Item = &T> {
    let from = rows.partition_point(|row| ends(row).1 < first);
    let to = rows.partition_point(|row| ends(row).0 <= last);
    rows.get(from..to).unwrap_or_default().iter()
}

/// A row, cut to these requesters.
fn stream(row: &StreamMapFact, first: RequesterId, last: RequesterId) -> StreamMapFact {
    let cut = if row.shared { 0 } else { u32::from(first.0.saturating_sub(row.first.0)) };
    let (first, last) = (row.first.max(first), row.last.min(last));
    let stream = row.stream.map(|stream| StreamId(stream.0.saturating_add(cut)));
    StreamMapFact { first, last, stream, shared: row.shared && first != last, ..row.clone() }
}

fn target(row: &MsiMapFact, first: RequesterId, last: RequesterId) -> MsiMapFact {
    let cut = u32::from(first.0.saturating_sub(row.first.0));
    let device_id = row.device_id.map(|id| MsiDeviceId(id.0.saturating_add(cut)));
    MsiMapFact { first: row.first.max(first), last: row.last.min(last), device_id, ..row.clone() }
}

/// A region for the requesters of these ranges; those that are one function become devices.
pub(super) fn region(
    name: String,
    kind: FirmwareKind,
    span: Span<Iova>,
    ranges: &[RequesterRange],
    origin: Origin,
) -> FirmwareRegionFact {
    let (functions, requesters): (Vec<RequesterRange>, Vec<RequesterRange>) =
        ranges.iter().partition(|range| range.first == range.last);
    let mut devices: Vec<PciAddress> =
        functions.iter().map(|range| PciAddress::from_requester(range.segment, range.first)).collect();
    devices.sort_unstable();
    devices.dedup();
    FirmwareRegionFact { name, kind, span, devices, requesters, origin }
}

/// Says of bytes from `base` on that they are no region.
pub(super) fn no_region(base: u64, length_bytes: u64, origin: Origin) -> Diagnostic {
    let base = grouped_hex(base);
    let message = if length_bytes == 0 {
        format!("the region at {base} has no length")
    } else {
        format!("{} bytes from {base} pass the end of the address space", grouped_hex(length_bytes))
    };
    Diagnostic::new(&codes::REGION, origin, message)
}

/// What an IOMMU is to the requesters of a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    /// Index in the list of IOMMUs.
    pub(super) iommu: usize,
    /// What it knows them by.
    pub(super) known: Known,
}

/// By which ID an IOMMU knows its requesters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// Not told, because it does not matter.
    Unsaid,
    /// Each by an ID of its own, which counts up from this one at the first requester given here.
    From {
        /// Requester that has the ID.
        requester: u32,
        /// The ID.
        id: u32,
    },
    /// All by this one.
    As(u32),
}

/// Rows for the ranges of a segment. `None` as a value stands for requesters that nothing translates. Each value comes
/// with an index into `origins`.
pub(super) fn rows(
    map: &IdMap<(Option<Served>, usize)>,
    iommus: &[IommuFact],
    origins: &[Origin],
) -> Vec<StreamMapFact> {
    let row = |(first, last, (served, origin)): (u32, u32, (Option<Served>, usize))| {
        let served = served?;
        let stream = match served.known {
            Known::Unsaid => None,
            Known::From { requester, id } => Some(id.saturating_add(first.saturating_sub(requester))),
            Known::As(id) => Some(id),
        };
        Some(StreamMapFact {
            iommu: iommus.get(served.iommu)?.name.clone(),
            first: RequesterId(u16::try_from(first).ok()?),
            last: RequesterId(u16::try_from(last).ok()?),
            stream: stream.map(StreamId),
            shared: matches!(served.known, Known::As(_)) && first != last,
            origin: origins.get(origin)?.clone(),
        })
    };
    map.iter().filter_map(row).collect()
}
