//! Host bridges: those below which the kernel found functions, with what firmware says of IDs, windows and buses.

use std::collections::BTreeMap;

use crate::diag::Diagnostic;
use crate::facts::host::{MsiMapFact, RootComplexFact, StreamMapFact};
use crate::ids::{MsiDeviceId, RequesterId, StreamId};
use crate::read::capture::codes;
use crate::read::capture::log::Log;

use super::iommus::Renames;

/// What firmware says of the host bridge of this segment and first bus. Tables know segments, so one root complex of
/// theirs may stand for several host bridges.
pub(in crate::read::capture) fn said_of(
    said: &[RootComplexFact],
    segment: u16,
    first_bus: u8,
) -> Option<&RootComplexFact> {
    said.iter().find(|said| said.segment == segment && (said.first_bus..=said.last_bus).contains(&first_bus))
}

/// Adds what firmware says to the root complexes of the kernel; takes firmware's where the capture holds no functions.
pub(super) fn root_complexes(
    listed: &mut Vec<RootComplexFact>,
    mut said: Vec<RootComplexFact>,
    renames: &Renames,
    log: &mut Log,
) {
    for complex in &mut said {
        complex.streams.retain_mut(|map| match renames.get(&map.iommu) {
            Some(name) => {
                map.iommu.clone_from(name);
                true
            }
            None => false,
        });
    }
    if listed.is_empty() {
        *listed = said;
        return;
    }
    for complex in listed {
        match said_of(&said, complex.segment, complex.first_bus) {
            Some(said) => root_complex(complex, said, log),
            None => {
                if let Some(first) = said.first() {
                    let message = format!("firmware does not describe the host bridge `{}`", complex.name);
                    let diagnostic = Diagnostic::new(&codes::OTHER_BRIDGE, complex.origin.clone(), message);
                    log.push(diagnostic.related(first.origin.clone(), "a host bridge that it describes"));
                }
            }
        }
    }
}

fn root_complex(listed: &mut RootComplexFact, said: &RootComplexFact, log: &mut Log) {
    listed.node = listed.node.or(said.node);
    buses(listed, said, log);
    streams(listed, said, log);
    let all = (requester(listed.first_bus, 0), requester(listed.last_bus, 0xff));
    listed.msi = said.msi.iter().filter_map(|map| msi_within(map, all)).collect();
    listed.inbound.clone_from(&said.inbound);
}

fn requester(bus: u8, function: u8) -> RequesterId {
    RequesterId(u16::from_be_bytes([bus, function]))
}

/// Firmware bounds the buses; where functions stand beyond, the kernel is right.
fn buses(listed: &mut RootComplexFact, said: &RootComplexFact, log: &mut Log) {
    let used = listed.devices.iter().max_by_key(|device| device.address.bus());
    if let Some(beyond) = used.filter(|device| device.address.bus() > said.last_bus) {
        let message = format!(
            "{} is beyond bus {:#04x}, the last that firmware gives to `{}`",
            beyond.address, said.last_bus, listed.name
        );
        let diagnostic = Diagnostic::new(&codes::OTHER_BUSES, beyond.origin.clone(), message);
        log.push(diagnostic.related(said.origin.clone(), "what firmware says"));
    }
    let last_used = used.map_or(0, |device| device.address.bus());
    listed.last_bus = listed.last_bus.min(said.last_bus).max(last_used).max(listed.first_bus);
}

/// Firmware says which requesters have which stream IDs. Where the kernel shows another IOMMU, it is right; where it
/// shows one and firmware none, nothing is known of stream IDs.
fn streams(listed: &mut RootComplexFact, said: &RootComplexFact, log: &mut Log) {
    let all = (requester(listed.first_bus, 0), requester(listed.last_bus, 0xff));
    let said: Vec<StreamMapFact> = said.streams.iter().filter_map(|map| stream_within(map, all)).collect();
    let mappings = Mappings::new(&said);
    // By the IOMMU that the kernel shows and that of firmware: the first mapping that differs, and how many do.
    let mut elsewhere = BTreeMap::new();
    let shown = std::mem::take(&mut listed.streams);
    for map in shown {
        let covering = mappings.of(map.first).filter(|covering| map.last <= covering.last);
        if covering.is_some_and(|covering| covering.iommu == map.iommu) {
            continue;
        }
        if let Some(other) = covering {
            let key = (map.iommu.clone(), other.iommu.as_str());
            let (_, _, count) = elsewhere.entry(key).or_insert_with(|| (map.clone(), other, 0_usize));
            *count = count.saturating_add(1);
        }
        listed.streams.push(map);
    }
    for ((shown, said), (map, other, count)) in elsewhere {
        let message = format!(
            "{count} runs of requesters, the first {}, are behind `{shown}`, and firmware puts them behind `{said}`",
            map.first
        );
        let diagnostic = Diagnostic::new(&codes::OTHER_STREAM, map.origin, message);
        log.push(diagnostic.related(other.origin.clone(), "what firmware says"));
    }
    listed.streams.extend(said);
}

/// Mappings by requester, of which the first that fits holds.
struct Mappings<'a> {
    rows: &'a [StreamMapFact],
    /// Whether they ascend and do not overlap, as tables give them: then the one is found without looking at all.
    ascend: bool,
}

impl<'a> Mappings<'a> {
    fn new(rows: &'a [StreamMapFact]) -> Self {
        let apart = |pair: &[StreamMapFact]| matches!(pair, [one, other] if one.last < other.first);
        Self { rows, ascend: rows.windows(2).all(apart) }
    }

    /// The mapping that holds for a requester.
    fn of(&self, requester: RequesterId) -> Option<&'a StreamMapFact> {
        let mut from = self.rows;
        if self.ascend {
            let at = self.rows.partition_point(|row| row.last < requester);
            from = self.rows.get(at..)?.get(..1)?;
        }
        from.iter().find(|row| row.first <= requester && requester <= row.last)
    }
}

/// The part of a mapping for these requesters.
fn stream_within(map: &StreamMapFact, all: (RequesterId, RequesterId)) -> Option<StreamMapFact> {
    let (first, last) = (map.first.max(all.0), map.last.min(all.1));
    let step = if map.shared { 0 } else { first.0.checked_sub(map.first.0)? };
    let stream = map.stream.and_then(|stream| stream.0.checked_add(u32::from(step))).map(StreamId);
    (first <= last).then(|| StreamMapFact { first, last, stream, ..map.clone() })
}

/// The part of a mapping for these requesters.
fn msi_within(map: &MsiMapFact, all: (RequesterId, RequesterId)) -> Option<MsiMapFact> {
    let (first, last) = (map.first.max(all.0), map.last.min(all.1));
    let step = u32::from(first.0.checked_sub(map.first.0)?);
    let device_id = map.device_id.and_then(|id| id.0.checked_add(step)).map(MsiDeviceId);
    (first <= last).then(|| MsiMapFact { first, last, device_id, ..map.clone() })
}
