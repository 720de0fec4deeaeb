//! Captures of booted kernels: the groups that are predicted without reading the listed ones are the listed ones.

use std::collections::BTreeSet;
use std::path::Path;

use planner_core::facts::HostFacts;
use planner_core::host::resolve::resolve;
use planner_core::host::topology::Topology;
use planner_core::host::topology::groups::{Grouping, STREAM_ALIAS_SINCE, VIOMMU_VANISH_SINCE, groups};
use planner_core::ids::PciAddress;
use planner_core::kernel::rules;
use planner_core::read::capture::{facts, from_archive};

/// Name and facts of every capture.
fn captures() -> Vec<(String, HostFacts)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut archives: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
    archives.sort();
    assert!(archives.len() >= 55, "{} captures", archives.len());
    let read = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().trim_end_matches(".tar.gz").to_owned();
        let tree = from_archive(&std::fs::read(path).unwrap(), &name).0;
        let (facts, _) = facts(&tree, &name);
        (name, facts)
    };
    archives.iter().map(read).collect()
}

fn members<'g>(groups: impl Iterator<Item = &'g [PciAddress]>) -> BTreeSet<Vec<PciAddress>> {
    groups.filter(|devices| !devices.is_empty()).map(<[PciAddress]>::to_vec).collect()
}

fn grouping(facts: &HostFacts) -> Grouping {
    let (host, _) = resolve(facts);
    groups(&Topology::new(&host), &host.iommus, host.kernel.version)
}

/// Before 6.15 a function on Arm has a group only once a driver is bound to it (rule `K-GROUPATPROBE`); which drivers are
/// bound no table tells. There, functions without a group are left out of the comparison, and only there.
fn has_every_group(name: &str) -> bool {
    !name.starts_with("arm64-6.")
}

#[test]
fn predicted_groups_are_the_listed_ones() {
    let (mut hosts, mut compared) = (0, 0);
    for (name, mut facts) in captures() {
        let listed = members(facts.groups.iter().map(|group| group.devices.as_slice()));
        let bound: BTreeSet<PciAddress> = listed.iter().flatten().copied().collect();
        facts.groups.clear();
        let (host, _) = resolve(&facts);
        let known = |device: &PciAddress| has_every_group(&name) || bound.contains(device);
        let predicted: Vec<Vec<PciAddress>> =
            host.groups.iter().map(|group| group.devices.iter().copied().filter(known).collect()).collect();
        let predicted = members(predicted.iter().map(Vec::as_slice));
        assert_eq!(predicted, listed, "{name}");
        hosts += usize::from(!listed.is_empty());
        compared += listed.len();
    }
    assert!(hosts >= 42 && compared > 500, "{hosts} hosts with {compared} groups");
}

/// Numbers are given in the order in which functions are found. That is known where no driver has a part in it and where
/// there is one root complex; under ACPI, the order of the root complexes is that of the tables.
#[test]
fn numbers_are_predicted_where_the_order_is_known() {
    let mut compared = 0;
    for (name, mut facts) in captures() {
        let by_probe = name.starts_with("arm64-6.");
        if facts.root_complexes.len() > 1 && name.starts_with("arm64") || by_probe {
            continue;
        }
        let listed: Vec<_> = facts.groups.iter().map(|group| (group.id, group.devices.clone())).collect();
        facts.groups.clear();
        let (host, _) = resolve(&facts);
        let predicted: Vec<_> = host.groups.iter().map(|group| (group.id, group.devices.clone())).collect();
        assert_eq!(predicted, listed, "{name}");
        compared += listed.len();
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn what_is_listed_contradicts_nothing() {
    for (name, facts) in captures() {
        let (_, diagnostics) = resolve(&facts);
        let told = diagnostics.iter().filter(|diagnostic| ("H020".."H030").contains(&diagnostic.code.id));
        assert_eq!(told.count(), 0, "{name}: {diagnostics:#?}");
    }
}

#[test]
fn devices_behind_a_bridge_to_pci_are_joined_for_that_reason() {
    let (_, facts) = captures().into_iter().find(|(name, _)| name == "x86-7.3-amd").unwrap();
    let reasons: Vec<String> =
        grouping(&facts).groups.iter().flat_map(|group| &group.joined).map(ToString::to_string).collect();
    expect_test::expect![[r#"
        0000:00:1f.2 joins 0000:00:1f.0: a function of the same device that is conventional PCI, which has no ACS
        0000:00:1f.3 joins 0000:00:1f.0: a function of the same device that is conventional PCI, which has no ACS
        0000:05:01.0 joins 0000:04:00.0: its DMA arrives under the bridge's requester ID 0x500
        0000:05:02.0 joins 0000:04:00.0: its DMA arrives under the bridge's requester ID 0x500"#]]
    .assert_eq(&reasons.join("\n"));
}

#[test]
fn without_acs_a_root_port_and_its_device_are_one_group() {
    let (_, facts) = captures().into_iter().find(|(name, _)| name == "arm64-6.1-smmu-its-dt").unwrap();
    let reasons: Vec<String> =
        grouping(&facts).groups.iter().flat_map(|group| &group.joined).map(ToString::to_string).collect();
    expect_test::expect![[r#"
        0000:01:00.0 joins 0000:00:02.0: the port 0000:00:02.0 has the ACS controls SV, RR, CR, UF switched off
        0000:02:00.0 joins 0000:00:03.0: the port 0000:00:03.0 has the ACS controls SV, RR, CR, UF switched off
        0000:03:00.0 joins 0000:00:04.0: the port 0000:00:04.0 has the ACS controls SV, RR, CR, UF switched off
        0000:04:00.0 joins 0000:00:05.0: the port 0000:00:05.0 has the ACS controls SV, RR, CR, UF switched off
        0000:05:01.0 joins 0000:04:00.0: its DMA arrives under the bridge's requester ID 0x500
        0000:05:02.0 joins 0000:04:00.0: its DMA arrives under the bridge's requester ID 0x500"#]]
    .assert_eq(&reasons.join("\n"));
}

#[test]
fn versions_are_those_of_the_rules() {
    let since = |id: &str| rules::RULES.iter().find(|rule| rule.id == id).unwrap().since.unwrap();
    assert_eq!(since("K-STREAMALIAS"), STREAM_ALIAS_SINCE);
    assert_eq!(since("K-VIOMMUVANISH"), VIOMMU_VANISH_SINCE);
}
