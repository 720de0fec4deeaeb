//! The functions of a host in the order of a tree: each bridge is followed by what is below it, each physical function
//! by its virtual ones; neighbours that are alike and have nothing below them become one entry.

use std::collections::BTreeMap;

use super::{Function, class};
use crate::host::topology::Topology;
use crate::host::{Device, Host};
use crate::ids::PciAddress;

/// So many alike neighbours are one entry; of virtual functions, any number.
const ENOUGH_ALIKE: usize = 4;

/// Entries of each root complex, by index; of `None`, of functions below no known one.
pub(super) fn functions(host: &Host) -> BTreeMap<Option<usize>, Vec<Function>> {
    let forest = Forest::new(host);
    let mut entries: BTreeMap<Option<usize>, Vec<Function>> = BTreeMap::new();
    for (&root_complex, tops) in &forest.tops {
        entries.insert(root_complex, forest.entries(tops));
    }
    entries
}

/// Who is below whom: below a bridge, as in the [`Topology`], or a virtual function below its physical one. Neither
/// makes a loop, since a physical function is not virtual and a virtual one here is no bridge.
struct Forest<'a> {
    host: &'a Host,
    above: BTreeMap<PciAddress, PciAddress>,
    below: BTreeMap<PciAddress, Vec<&'a Device>>,
    /// Functions below nothing, by root complex.
    tops: BTreeMap<Option<usize>, Vec<&'a Device>>,
}

impl<'a> Forest<'a> {
    fn new(host: &'a Host) -> Self {
        let topology = Topology::new(host);
        let mut forest = Self { host, above: BTreeMap::new(), below: BTreeMap::new(), tops: BTreeMap::new() };
        for (index, device) in host.devices.iter().enumerate() {
            let physical = physical_function(device).filter(|&physical| {
                host.device(physical).is_some_and(|device| physical_function(device).is_none())
            });
            let bridge = || Some(host.devices.get(topology.bridge_above(index)?)?.address);
            match physical.or_else(bridge) {
                Some(parent) => {
                    forest.above.insert(device.address, parent);
                    forest.below.entry(parent).or_default().push(device);
                }
                None => forest.tops.entry(device.root_complex).or_default().push(device),
            }
        }
        forest
    }

    /// The entries of these functions and of everything below them, without recursion: a chain of bridges is long.
    fn entries(&self, tops: &[&'a Device]) -> Vec<Function> {
        let mut out = Vec::new();
        let mut pending: Vec<(usize, Vec<&'a Device>)> = self.runs(0, tops);
        while let Some((depth, run)) = pending.pop() {
            let Some((first, last)) = run.first().zip(run.last()) else { continue };
            out.push(self.entry(depth, &run, first, last));
            if let ([_], Some(below)) = (run.as_slice(), self.below.get(&first.address)) {
                pending.extend(self.runs(depth.saturating_add(1), below));
            }
        }
        out
    }

    /// Functions cut where neighbours differ, the last first.
    fn runs(&self, depth: usize, functions: &[&'a Device]) -> Vec<(usize, Vec<&'a Device>)> {
        let alike = |one: &&Device, other: &&Device| self.are_alike(one, other);
        let cut = functions.chunk_by(alike).flat_map(|run| match run {
            [first, ..] if run.len() >= ENOUGH_ALIKE || physical_function(first).is_some() => {
                vec![run.to_vec()]
            }
            _ => run.iter().map(|&device| vec![device]).collect(),
        });
        let mut runs: Vec<_> = cut.map(|run| (depth, run)).collect();
        runs.reverse();
        runs
    }

    fn are_alike(&self, one: &Device, other: &Device) -> bool {
        let what = |device: &Device| {
            let iommu = device.translation.as_ref().map(|translation| translation.iommu);
            let doorbell = device.msi_target.as_ref().map(|target| target.doorbell);
            let bars: Vec<_> = device.bars.iter().map(|bar| (bar.index, bar.kind, bar.size)).collect();
            let is_grouped = device.group.is_some();
            (
                device.id,
                device.class,
                device.msix,
                iommu,
                doorbell,
                bars,
                is_grouped,
                physical_function(device),
            )
        };
        let is_plain = |device: &Device| {
            device.sriov.is_none()
                && !device.class.is_some_and(|class| class.is_bridge())
                && !self.below.contains_key(&device.address)
        };
        is_plain(one) && is_plain(other) && what(one) == what(other)
    }

    fn entry(&self, depth: usize, run: &[&Device], first: &Device, last: &Device) -> Function {
        let streams = run.iter().filter_map(|device| device.translation.as_ref()?.stream);
        let device_ids = run.iter().filter_map(|device| device.msi_target.as_ref()?.device_id);
        let mut groups: Vec<_> = run.iter().filter_map(|device| device.group).collect();
        groups.dedup();
        Function {
            address: first.address,
            last: last.address,
            count: run.len(),
            depth,
            above: self.above.get(&first.address).copied(),
            is_virtual: physical_function(first).is_some(),
            id: first.id,
            class: first.class,
            what: class::words(first.class, first.config.port_type),
            buses: buses(first),
            msix: first.msix,
            virtual_functions: first.sriov.map(|sriov| [sriov.enabled, sriov.total]),
            groups,
            iommu: self.host.iommu_of(first).map(|iommu| iommu.name.clone()),
            streams: streams.collect(),
            doorbell: self.host.doorbell_of(first).map(|doorbell| doorbell.name.clone()),
            device_ids: device_ids.collect(),
        }
    }
}

/// Buses below a bridge: first and last.
fn buses(device: &Device) -> Option<[u8; 2]> {
    device.config.buses.map(|buses| [buses.secondary, buses.subordinate])
}

/// The physical function of a virtual one. A bridge is none, whatever the input says.
fn physical_function(device: &Device) -> Option<PciAddress> {
    device.config.physical_function.filter(|_| device.config.buses.is_none())
}
