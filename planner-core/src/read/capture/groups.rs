//! `sys/kernel/iommu_groups`: which devices share a group, and what the kernel lists as reserved for it.

use super::codes;
use super::log::{Log, quoted};
use super::regions::regions;
use super::text::{first_line, text};
use super::tree::Tree;
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::GroupFact;
use crate::ids::{GroupId, PciAddress};

const PATH: &str = "sys/kernel/iommu_groups";

/// The groups, ascending.
pub(super) fn groups(tree: &Tree, log: &mut Log) -> Vec<GroupFact> {
    let names = tree.names(PATH);
    if names.is_empty() {
        let state = if tree.exists(PATH) { "is empty" } else { "is not in the capture" };
        let message =
            format!("`{PATH}` {state}: groups, and what they reserve, are predicted from what firmware says");
        log.push(Diagnostic::new(&codes::NO_GROUPS, Origin::file(PATH), message));
    }
    let mut groups: Vec<GroupFact> = names.into_iter().filter_map(|name| group(tree, name, log)).collect();
    groups.sort_by_key(|group| group.id);
    groups
}

fn group(tree: &Tree, name: &str, log: &mut Log) -> Option<GroupFact> {
    let path = format!("{PATH}/{name}");
    // A number in another spelling, such as `007`, is no directory of the kernel's.
    let id = name.parse().ok().filter(|id: &u32| id.to_string() == name);
    let Some(id) = id else {
        let message = format!("{} is no group number", quoted(name));
        log.push(Diagnostic::new(&codes::BAD_GROUP, Origin::file(PATH), message));
        return None;
    };
    let (devices, others) = members(tree, &path);
    Some(GroupFact {
        id: GroupId(id),
        devices,
        others,
        domain: first_line(tree, &format!("{path}/type")),
        listed: listed(tree, &path, log),
        origin: Origin::file(&path),
    })
}

/// PCI functions and other devices of a group.
fn members(tree: &Tree, path: &str) -> (Vec<PciAddress>, Vec<String>) {
    let (mut devices, mut others) = (Vec::new(), Vec::new());
    for name in tree.names(&format!("{path}/devices")) {
        match name.parse() {
            Ok(address) => devices.push(address),
            Err(_) => others.push(name.to_owned()),
        }
    }
    devices.sort();
    (devices, others)
}

fn listed(tree: &Tree, path: &str, log: &mut Log) -> Option<Vec<crate::facts::host::ListedRegion>> {
    let path = format!("{path}/reserved_regions");
    let Some(text) = text(tree, &path) else {
        let message = format!("`{path}` is not in the capture: what the group reserves is predicted");
        log.push(Diagnostic::new(&codes::NO_REGIONS, Origin::file(&path), message));
        return None;
    };
    Some(regions(&text, &path, log))
}
