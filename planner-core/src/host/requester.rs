//! Stream and device IDs: the requester ID under which the DMA of a function arrives, put through the maps of its root
//! complex (`iommu-map` and `msi-map`, IORT ID mappings).
//!
//! A function behind a bridge to PCI is known by the bridge's requester ID (`iort_pci_iommu_init` and
//! `pci_msi_domain_get_msi_rid` walk the DMA aliases). Where the maps know the function's own only, as those made of
//! sysfs do, the IOMMU is known but the ID is not.

use std::collections::{BTreeMap, BTreeSet};

use super::topology::Topology;
use super::{MsiTarget, Translation};
use crate::facts::host::{MsiMapFact, RootComplexFact, StreamMapFact};
use crate::ids::{MsiDeviceId, RequesterId, StreamId};

/// Names of IOMMUs and doorbells, with their indices.
pub(super) struct Names<'a> {
    pub(super) iommus: BTreeMap<&'a str, usize>,
    pub(super) doorbells: BTreeMap<&'a str, usize>,
}

/// What a function is known by.
#[derive(Clone, Default)]
pub(super) struct Identity {
    pub(super) translation: Option<Translation>,
    pub(super) msi_target: Option<MsiTarget>,
}

/// What each function is known by, by index.
pub(super) fn identities(
    topology: &Topology<'_>,
    complexes: &[RootComplexFact],
    names: &Names<'_>,
) -> Vec<Identity> {
    let mut seen: Vec<BTreeSet<RequesterId>> = vec![BTreeSet::new(); complexes.len()];
    let requesters: Vec<(RequesterId, RequesterId)> = topology
        .devices()
        .iter()
        .enumerate()
        .map(|(index, device)| {
            let own = device.address.requester_id();
            let alias = topology.dma_requester(index).unwrap_or(own);
            if let Some(seen) = device.root_complex.and_then(|complex| seen.get_mut(complex)) {
                seen.extend([own, alias]);
            }
            (own, alias)
        })
        .collect();
    let maps: Vec<Maps> =
        complexes.iter().zip(&seen).map(|(complex, seen)| Maps::new(complex, seen, names)).collect();
    let identity = |(device, &(own, alias)): (&super::Device, &(RequesterId, RequesterId))| {
        let found = device.root_complex.and_then(|at| complexes.get(at).zip(maps.get(at)));
        found.map(|(complex, maps)| maps.identity(complex, names, own, alias)).unwrap_or_default()
    };
    topology.devices().iter().zip(&requesters).map(identity).collect()
}

/// Which map of a root complex holds for which requester: the first that names something known.
struct Maps {
    streams: BTreeMap<RequesterId, usize>,
    msi: BTreeMap<RequesterId, usize>,
}

impl Maps {
    fn new(complex: &RootComplexFact, seen: &BTreeSet<RequesterId>, names: &Names<'_>) -> Self {
        let streams = complex.streams.iter().enumerate();
        let streams = streams.filter(|(_, map)| names.iommus.contains_key(map.iommu.as_str()));
        let msi = complex.msi.iter().enumerate();
        let msi = msi.filter(|(_, map)| names.doorbells.contains_key(map.controller.as_str()));
        Self {
            streams: first_matches(seen, streams.map(|(index, map)| (index, map.first, map.last))),
            msi: first_matches(seen, msi.map(|(index, map)| (index, map.first, map.last))),
        }
    }

    fn identity(
        &self,
        complex: &RootComplexFact,
        names: &Names<'_>,
        own: RequesterId,
        alias: RequesterId,
    ) -> Identity {
        let stream_map = |requester| self.streams.get(&requester).and_then(|&map| complex.streams.get(map));
        let msi_map = |requester| self.msi.get(&requester).and_then(|&map| complex.msi.get(map));
        let translation = match (stream_map(alias), stream_map(own)) {
            (Some(map), _) => translation(map, Some(alias), names),
            (None, Some(map)) => translation(map, None, names),
            (None, None) => None,
        };
        let msi_target = match (msi_map(alias), msi_map(own)) {
            (Some(map), _) => msi_target(map, Some(alias), names),
            (None, Some(map)) => msi_target(map, None, names),
            (None, None) => None,
        };
        Identity { translation, msi_target }
    }
}

/// For each requester the first map that holds it. Each requester is taken out once, however many maps there are.
fn first_matches(
    seen: &BTreeSet<RequesterId>,
    maps: impl Iterator<Item = (usize, RequesterId, RequesterId)>,
) -> BTreeMap<RequesterId, usize> {
    let mut pending = seen.clone();
    let mut found = BTreeMap::new();
    for (index, first, last) in maps {
        if first > last || pending.is_empty() {
            continue;
        }
        let hit: Vec<RequesterId> = pending.range(first..=last).copied().collect();
        for requester in hit {
            pending.remove(&requester);
            found.insert(requester, index);
        }
    }
    found
}

fn translation(
    map: &StreamMapFact,
    requester: Option<RequesterId>,
    names: &Names<'_>,
) -> Option<Translation> {
    let step = |requester: RequesterId| {
        if map.shared { Some(0) } else { requester.0.checked_sub(map.first.0).map(u32::from) }
    };
    let stream = |requester| map.stream?.0.checked_add(step(requester)?).map(StreamId);
    Some(Translation { iommu: *names.iommus.get(map.iommu.as_str())?, stream: requester.and_then(stream) })
}

fn msi_target(map: &MsiMapFact, requester: Option<RequesterId>, names: &Names<'_>) -> Option<MsiTarget> {
    let id = |requester: RequesterId| {
        let step = requester.0.checked_sub(map.first.0)?;
        map.device_id?.0.checked_add(u32::from(step)).map(MsiDeviceId)
    };
    Some(MsiTarget {
        doorbell: *names.doorbells.get(map.controller.as_str())?,
        device_id: requester.and_then(id),
    })
}
