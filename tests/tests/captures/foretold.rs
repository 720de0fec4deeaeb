//! Groups, reserved regions, usable ranges and doorbells that are foretold without reading what the kernel listed, against
//! what it listed. Each difference stands in the golden text with what the planner itself says of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::expect_file;
use planner_core::host::resolve::resolve;
use planner_core::ids::PciAddress;
use planner_core::kernel::report::{Question, report};
use planner_core::kernel::{GroupReport, IommufdAnswer, ReservedReport};
use planner_core::read::capture::{Tree, facts, from_archive};

use crate::{Capture, captures};

/// What the kernel said of its groups, and nothing else.
fn is_listed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("sys/kernel/iommu_groups")
        || path.starts_with("sys/devices/") && matches!(name, "iommu" | "iommu_group")
}

fn without_groups(mut tree: Tree) -> Tree {
    let listed: Vec<String> =
        tree.iter().map(|(path, _)| path.to_owned()).filter(|path| is_listed(path)).collect();
    for path in listed {
        tree.remove(&path);
    }
    tree
}

fn reported(tree: &Tree, name: &str) -> ReservedReport {
    report(&resolve(&facts(tree, name).0).0, &Question::default())
}

/// What must be the same: regions with their printed kinds, usable ranges and pages, doorbells with their IOVAs.
fn lines(group: &GroupReport) -> String {
    let regions: Vec<String> = group
        .reserved
        .iter()
        .map(|region| format!("{}..={} {}", region.start, region.end, region.kind.sysfs_word()))
        .collect();
    let iommufd = match &group.iommufd {
        IommufdAnswer::Usable { usable, alignment } => format!("{usable:?} by {alignment}"),
        IommufdAnswer::Blocked { blocked } => blocked.rule.to_owned(),
    };
    let doorbells = group.msi.as_ref().map(|window| &window.doorbells);
    format!(
        "{}; usable {:?} in {:?}, with iommufd {iommufd}; doorbells {doorbells:?}",
        regions.join(", "),
        group.type1.usable,
        group.type1.page_sizes
    )
}

fn by_members(report: &ReservedReport) -> BTreeMap<Vec<PciAddress>, &GroupReport> {
    report.groups.iter().map(|group| (group.devices.clone(), group)).collect()
}

#[test]
fn groups_and_regions_are_foretold_without_the_listed_ones() {
    let (mut told, mut same, mut all) = (String::new(), 0, 0);
    for Capture { name, bytes } in captures() {
        let tree = from_archive(&bytes, &name).0;
        let listed = reported(&tree, &name);
        let foretold = reported(&without_groups(tree), &name);
        let (listed, foretold) = (by_members(&listed), by_members(&foretold));
        let equal = |(members, group): &(&Vec<PciAddress>, &&GroupReport)| {
            foretold.get(*members).is_some_and(|other| lines(group) == lines(other))
        };
        let count = listed.iter().filter(equal).count();
        writeln!(told, "{name}: {count} of {} groups", listed.len()).unwrap();
        differences(&listed, &foretold, &mut told);
        same += count;
        all += listed.len();
    }
    assert!(all > 500 && same > 400, "{same} of {all}");
    expect_file!["../../captures/foretold.txt"].assert_eq(&told);
}

/// Each difference once, however many groups have it.
fn differences(
    listed: &BTreeMap<Vec<PciAddress>, &GroupReport>,
    foretold: &BTreeMap<Vec<PciAddress>, &GroupReport>,
    told: &mut String,
) {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for (members, group) in listed {
        let line = match foretold.get(members) {
            None => format!("listed only: {members:?}"),
            Some(other) if lines(group) != lines(other) => {
                let notes: Vec<&str> = other.notes.iter().map(|note| note.rule).collect();
                format!("other regions, and it is said that {}", notes.join(", "))
            }
            Some(_) => continue,
        };
        *found.entry(line).or_default() += 1;
    }
    for members in foretold.keys().filter(|members| !listed.contains_key(*members)) {
        *found.entry(format!("foretold only: {members:?}")).or_default() += 1;
    }
    for (line, count) in found {
        writeln!(told, "    {count} x {line}").unwrap();
    }
}
