//! The groups that a kernel listed against those that Linux would form: what does not agree, with both sides' reasons.
//! What was listed wins; this only says so.

use std::collections::{BTreeMap, BTreeSet};

use super::Topology;
use super::groups::{Grouping, Joined};
use crate::diag::{Diagnostic, Origin};
use crate::host::{Group, codes};
use crate::ids::{GroupId, PciAddress};

/// What does not agree. Functions that no group lists are passed over: on many kernels a function without driver has
/// none (rule `K-GROUPATPROBE`).
pub(in crate::host) fn compare(
    topology: &Topology<'_>,
    predicted: &Grouping,
    listed: &[Group],
) -> Vec<Diagnostic> {
    let listed_in: BTreeMap<PciAddress, &Group> =
        listed.iter().flat_map(|group| group.devices.iter().map(move |&device| (device, group))).collect();
    let comparison = Comparison { topology, listed_in };
    let mut found = Vec::new();
    found.extend(predicted.groups.iter().filter_map(|group| comparison.split(&group.devices, &group.joined)));
    let predicted_in: BTreeMap<PciAddress, usize> = (0..)
        .zip(&predicted.groups)
        .flat_map(|(number, group)| group.devices.iter().map(move |&device| (device, number)))
        .collect();
    found.extend(listed.iter().filter_map(|group| comparison.merged(group, &predicted_in)));
    for (address, reason) in &predicted.without {
        if let Some(group) = comparison.listed_in.get(address) {
            let message =
                format!("{address} is in group {}, where Linux would give it none: {reason}", group.id);
            found.push(Diagnostic::new(&codes::GROUP_UNEXPECTED, group.origin.clone(), message));
        }
    }
    found
}

struct Comparison<'t, 'h> {
    topology: &'t Topology<'h>,
    listed_in: BTreeMap<PciAddress, &'t Group>,
}

impl Comparison<'_, '_> {
    /// Functions that Linux would put into one group and that are listed in several.
    fn split(&self, devices: &[PciAddress], joined: &[Joined]) -> Option<Diagnostic> {
        let numbers: BTreeSet<GroupId> =
            devices.iter().filter_map(|device| self.listed_in.get(device)).map(|group| group.id).collect();
        if numbers.len() < 2 || !self.known(devices) {
            return None;
        }
        // The first pair that was told apart, for the reason of exactly that pair.
        let apart = |join: &&Joined| {
            let (one, other) = (self.listed_in.get(&join.device), self.listed_in.get(&join.because_of));
            one.zip(other).is_some_and(|(one, other)| one.id != other.id)
        };
        let join = joined.iter().find(apart).or(joined.last())?;
        let group = self.listed_in.get(&join.device)?;
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let message =
            format!("groups {} are listed apart, where Linux would form one: {join}", numbers.join(", "));
        let diagnostic = Diagnostic::new(&codes::GROUP_SPLIT, group.origin.clone(), message);
        Some(diagnostic.related(self.origin(join.because_of), "what the reason was read from").help(OVERRIDE))
    }

    /// Functions that are listed in one group and that Linux would keep apart.
    fn merged(&self, group: &Group, predicted_in: &BTreeMap<PciAddress, usize>) -> Option<Diagnostic> {
        let mut firsts: BTreeMap<usize, PciAddress> = BTreeMap::new();
        for &device in &group.devices {
            firsts.entry(*predicted_in.get(&device)?).or_insert(device);
        }
        if firsts.len() < 2 || !self.known(&group.devices) {
            return None;
        }
        let apart: Vec<String> = firsts.values().map(ToString::to_string).collect();
        let message = format!(
            "group {} holds {}, which Linux would keep apart: every port between them isolates",
            group.id,
            apart.join(" and ")
        );
        let origin = firsts.values().next_back().map(|&address| self.origin(address)).unwrap_or_default();
        let diagnostic = Diagnostic::new(&codes::GROUP_MERGED, group.origin.clone(), message);
        Some(diagnostic.related(origin, "this function"))
    }

    /// Whether enough is known of these functions, and of the bridges above them, to contradict a kernel.
    fn known(&self, devices: &[PciAddress]) -> bool {
        devices.iter().filter_map(|&address| self.topology.find(address)).all(|device| {
            std::iter::once(device).chain(self.topology.bridges_above(device)).all(|device| {
                self.topology.devices().get(device).is_some_and(|device| device.config.port_type.is_some())
            })
        })
    }

    fn origin(&self, address: PciAddress) -> Origin {
        let device = self.topology.find(address).and_then(|device| self.topology.devices().get(device));
        device.map(|device| device.origin.clone()).unwrap_or_default()
    }
}

const OVERRIDE: &str =
    "a kernel with `pcie_acs_override` on its command line tells functions apart that are not";
