//! From the tables alone: which IOMMU serves which device, and what the kernel lists as reserved. Judged by the captures
//! of the machines, of which only the functions, their groups and the configuration space of bridges are taken.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::expect;
use planner_core::addr::Address;
use planner_core::facts::HostFacts;
use planner_core::facts::host::{ListedRegion, RootComplexFact};
use planner_core::host::{Host, resolve::resolve};
use planner_core::kernel::report::foretold_sysfs_texts;
use planner_core::read::acpi::BridgeBuses;
use planner_core::read::capture::{Tree, facts, from_archive};

use super::{machine, read};

/// Each capture with the machine whose tables it has.
const CAPTURES: [(&str, &str); 24] = [
    ("arm64-6.12-smmu-iort-rmr", "arm64-smmu-iort-rmr"),
    ("arm64-6.12-smmu-its-acpi", "arm64-smmu-its"),
    ("arm64-7.3-smmu-6.5g-highmmio-acpi", "arm64-smmu-its"),
    ("arm64-7.3-smmu-bypass-pxb-acpi", "arm64-smmu-bypass-pxb"),
    ("arm64-7.3-smmu-iort-hi161x", "arm64-smmu-iort-hi161x"),
    ("arm64-7.3-smmu-iort-rmr", "arm64-smmu-iort-rmr"),
    ("arm64-7.3-smmu-its-acpi", "arm64-smmu-its"),
    ("arm64-7.3-smmu-multi-acpi", "arm64-smmu-multi"),
    ("arm64-7.3-smmu-sriov-acpi", "arm64-smmu-its"),
    ("arm64-7.3-viommu-its-acpi", "arm64-viommu"),
    ("arm64-7.3-viommu-noconv-its-acpi", "arm64-viommu-noconv"),
    ("x86-6.1-amd", "x86-amd"),
    ("x86-6.1-intel-intremap", "x86-intel"),
    ("x86-6.12-intel-intremap", "x86-intel"),
    ("x86-6.12-intel-rmrr", "x86-intel-rmrr"),
    ("x86-7.3-amd-ivmd", "x86-amd-ivmd"),
    ("x86-7.3-amd-ivrsioapic", "x86-amd"),
    ("x86-7.3-amd", "x86-amd"),
    ("x86-7.3-intel-intremap", "x86-intel"),
    ("x86-7.3-intel-ovmf", "x86-intel-ovmf"),
    ("x86-7.3-intel-rmrr", "x86-intel-rmrr"),
    ("x86-7.3-viommu-noconv", "x86-viommu-noconv"),
    ("x86-7.3-viommu", "x86-viommu"),
    ("x86-7.3iommufd-intel-nointremap", "x86-intel-nointremap"),
];

fn capture(name: &str) -> Tree {
    let path = format!("{}/captures/{name}.tar.gz", env!("CARGO_MANIFEST_DIR"));
    from_archive(&std::fs::read(path).unwrap(), name).0
}

/// The buses behind bridges, from their configuration space (PCI-to-PCI Bridge Architecture Specification 1.2, 3.2.5).
fn bridges(tree: &Tree, host: &HostFacts) -> Vec<BridgeBuses> {
    let devices = host.root_complexes.iter().flat_map(|root| &root.devices);
    let buses = devices.filter_map(|device| {
        let path = tree.canonical(&format!("sys/bus/pci/devices/{}", device.address)).ok()?;
        let config = tree.file(&format!("{path}/config"))?;
        let is_bridge = config.get(0x0e)? & 0x7f == 1;
        let (secondary, subordinate) = (*config.get(0x19)?, *config.get(0x1a)?);
        is_bridge.then_some(BridgeBuses { bridge: device.address, secondary, subordinate })
    });
    buses.collect()
}

/// The functions and groups of a capture with what the tables say of all else.
fn joined(captured: &HostFacts, tables: HostFacts) -> HostFacts {
    let by_segment: BTreeMap<u16, &RootComplexFact> =
        tables.root_complexes.iter().map(|root| (root.segment, root)).collect();
    let mut host = captured.clone();
    for root in &mut host.root_complexes {
        let said = by_segment.get(&root.segment);
        root.streams = said.map(|said| said.streams.clone()).unwrap_or_default();
        root.msi = said.map(|said| said.msi.clone()).unwrap_or_default();
    }
    HostFacts {
        arch: tables.arch,
        iommus: tables.iommus,
        its: tables.its,
        gicv2m: tables.gicv2m,
        firmware: tables.firmware,
        ..host
    }
}

/// One line as the kernel prints it.
fn kernel_line(region: &ListedRegion) -> String {
    format!("{:#018x} {:#018x} {}\n", region.start.get(), region.end.get(), region.kind)
}

fn iommus_of(host: &Host) -> Vec<(String, Option<String>)> {
    let name = |device| host.iommu_of(device).map(|iommu| iommu.name.clone());
    host.devices.iter().map(|device| (device.address.to_string(), name(device))).collect()
}

/// Where they differ, the kernel had reasons that are in no table: on 6.12 functions without a driver have no IOMMU yet;
/// of two functions behind one conventional bridge 7.3 gives the second none; and where a virtio-iommu meets such a bridge,
/// 7.3 gives up on all.
#[test]
fn tables_tell_which_iommu_serves_which_device() {
    let mut differences = String::new();
    for (name, tables) in CAPTURES {
        let tree = capture(name);
        let captured = facts(&tree, name).0;
        let (host, _) = resolve(&joined(&captured, read(&machine(tables), &bridges(&tree, &captured)).0));
        let linked: BTreeMap<String, Option<String>> = iommus_of(&resolve(&captured).0).into_iter().collect();
        for (device, foretold) in iommus_of(&host) {
            if linked[&device] != foretold {
                let linked = linked[&device].as_deref().unwrap_or("none");
                let foretold = foretold.as_deref().unwrap_or("none");
                writeln!(differences, "{name} {device}: {linked} in sysfs, {foretold} in the tables")
                    .unwrap();
            }
        }
    }
    expect![[r#"
        arm64-7.3-viommu-its-acpi 0000:00:00.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:00:02.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:00:03.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:00:04.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:00:05.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:00:06.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:00:07.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:01:00.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:02:00.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:03:00.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:04:00.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:05:01.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:05:02.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:40:00.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:40:01.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:41:00.0: none in sysfs, 0000:00:01.0 in the tables
        arm64-7.3-viommu-its-acpi 0000:42:00.0: none in sysfs, 0000:00:01.0 in the tables
        x86-7.3-viommu 0000:00:00.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:01.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:02.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:03.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:04.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:05.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:06.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:07.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:1f.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:1f.2: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:00:1f.3: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:01:00.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:02:00.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:03:00.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:04:00.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:05:01.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:05:02.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:40:00.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:40:01.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:41:00.0: none in sysfs, 0000:00:09.0 in the tables
        x86-7.3-viommu 0000:42:00.0: none in sysfs, 0000:00:09.0 in the tables
    "#]]
    .assert_eq(&differences);
}

/// Not of virtio-iommus: what the hypervisor reserves is in no table. One kernel was built without
/// `CONFIG_INTEL_IOMMU_FLOPPY_WA`, and its ISA bridge has a region less than others.
#[test]
fn tables_foretell_what_the_kernel_lists() {
    let mut told = String::new();
    for (name, tables) in CAPTURES.into_iter().filter(|(name, _)| !name.contains("viommu")) {
        let tree = capture(name);
        let captured = facts(&tree, name).0;
        let (host, _) = resolve(&joined(&captured, read(&machine(tables), &bridges(&tree, &captured)).0));
        let (mut groups, mut lines) = (0, 0);
        for (group, foretold) in host.groups.iter().zip(foretold_sysfs_texts(&host)) {
            let listed: String = group.listed.iter().flatten().map(kernel_line).collect();
            if foretold == listed {
                groups += 1;
                lines += listed.lines().count();
            } else {
                writeln!(told, "{name} group {}:\n listed\n{listed} foretold\n{foretold}", group.id).unwrap();
            }
        }
        writeln!(told, "{name}: {groups} groups with {lines} regions are as foretold").unwrap();
    }
    expect![[r#"
        arm64-6.12-smmu-iort-rmr: 13 groups with 18 regions are as foretold
        arm64-6.12-smmu-its-acpi: 13 groups with 13 regions are as foretold
        arm64-7.3-smmu-6.5g-highmmio-acpi: 15 groups with 15 regions are as foretold
        arm64-7.3-smmu-bypass-pxb-acpi: 11 groups with 11 regions are as foretold
        arm64-7.3-smmu-iort-hi161x: 13 groups with 26 regions are as foretold
        arm64-7.3-smmu-iort-rmr: 15 groups with 20 regions are as foretold
        arm64-7.3-smmu-its-acpi: 15 groups with 15 regions are as foretold
        arm64-7.3-smmu-multi-acpi: 15 groups with 15 regions are as foretold
        arm64-7.3-smmu-sriov-acpi: 17 groups with 17 regions are as foretold
        x86-6.1-amd: 17 groups with 34 regions are as foretold
        x86-6.1-intel-intremap: 17 groups with 18 regions are as foretold
        x86-6.12-intel-intremap: 17 groups with 18 regions are as foretold
        x86-6.12-intel-rmrr: 17 groups with 21 regions are as foretold
        x86-7.3-amd-ivmd: 17 groups with 37 regions are as foretold
        x86-7.3-amd-ivrsioapic: 17 groups with 34 regions are as foretold
        x86-7.3-amd: 17 groups with 34 regions are as foretold
        x86-7.3-intel-intremap: 17 groups with 18 regions are as foretold
        x86-7.3-intel-ovmf: 17 groups with 18 regions are as foretold
        x86-7.3-intel-rmrr: 17 groups with 21 regions are as foretold
        x86-7.3iommufd-intel-nointremap group 8:
         listed
        0x00000000fee00000 0x00000000feefffff msi
         foretold
        0x0000000000000000 0x0000000000ffffff direct-relaxable
        0x00000000fee00000 0x00000000feefffff msi

        x86-7.3iommufd-intel-nointremap: 16 groups with 16 regions are as foretold
    "#]]
    .assert_eq(&told);
}
