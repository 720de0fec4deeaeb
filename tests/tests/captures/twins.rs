//! Captures of one virtual machine, booted with a devicetree and with ACPI tables: both give the same host but for names
//! and origins. What differs is QEMU's or the kernel's own, and stands here with its reason.

use std::collections::BTreeSet;

use planner_core::addr::{BusAddr, Hpa};
use planner_core::facts::host::WindowKind;
use planner_core::host::resolve::resolve;
use planner_core::host::{Device, Host};
use planner_core::read::capture::facts;
use planner_core::span_set::SpanSet;

use super::capture;

/// Pairs of captures of one machine and kernel: with a devicetree, and with tables.
const TWINS: [(&str, &str); 4] = [
    ("arm64-6.12-smmu-its-dt", "arm64-6.12-smmu-its-acpi"),
    ("arm64-7.3-smmu-its-dt", "arm64-7.3-smmu-its-acpi"),
    ("arm64-7.3-viommu-its-dt", "arm64-7.3-viommu-its-acpi"),
    ("arm64-7.3iommufd-smmu-its-dt", "arm64-7.3iommufd-smmu-its-acpi"),
];

/// What may stand in one capture only: which captures, how the line starts, and why.
const REASONS: &[(&str, &str, &str)] = &[
    ("", "window io", "under ACPI the windows for I/O ports are in `_CRS`, which nobody executes"),
    (
        "arm64-6.12-",
        "group",
        "6.12 asks for ACS only after enumeration where a devicetree describes the IOMMU",
    ),
    ("arm64-7.3-viommu-", "group", "7.3 drops groups behind a virtio-iommu with a conventional bridge"),
];

#[test]
fn a_devicetree_and_tables_describe_the_same_host() {
    for (tree, tables) in TWINS {
        let (one, other) = (lines(tree), lines(tables));
        for line in one.symmetric_difference(&other) {
            let reason =
                REASONS.iter().find(|(name, start, _)| tree.starts_with(name) && line.starts_with(start));
            assert!(reason.is_some(), "{line}\nis only in one of {tree} and {tables}");
        }
        assert!(one.intersection(&other).count() > 15, "{tree}");
    }
}

/// The host of a capture without names, numbers of groups and origins, and without what is below the second host
/// bridge, which QEMU's devicetree does not describe.
fn lines(name: &str) -> BTreeSet<String> {
    let host = resolve(&facts(&capture(name), name).0).0;
    let mut lines = BTreeSet::new();
    lines.insert(format!("arch {}", host.arch));
    lines.insert(format!("kernel {} page {}", host.kernel.version, host.kernel.page_size));
    // UEFI keeps some of the RAM for itself: both ends are the same.
    let ends = host.ram.first().zip(host.ram.last()).map(|(low, high)| (low.span.first(), high.span.last()));
    lines.insert(format!("ram {ends:?}"));
    lines.extend(host.iommus.iter().map(|iommu| format!("iommu {} at {:?}", iommu.model, iommu.base)));
    lines.extend(host.doorbells.iter().map(|bell| format!("doorbell {:?} at {}", bell.source, bell.address)));
    windows(&host, &mut lines);
    let first = host.root_complexes.first().map_or(0, |complex| complex.first_bus);
    let devices: Vec<&Device> = host.devices.iter().filter(|device| device.root_complex == Some(0)).collect();
    assert_eq!(first, 0);
    lines.extend(devices.iter().map(|device| device_line(&host, device)));
    for group in &host.groups {
        let members: Vec<String> = group
            .devices
            .iter()
            .filter(|member| devices.iter().any(|device| device.address == **member))
            .map(ToString::to_string)
            .collect();
        if !members.is_empty() {
            lines.insert(format!(
                "group {} listed {:?}",
                members.join(" "),
                group.listed.as_ref().map(Vec::len)
            ));
        }
    }
    lines
}

/// Firmware with tables splits the windows between the host bridges: together they are the same.
fn windows(host: &Host, lines: &mut BTreeSet<String>) {
    let (mut cpu, mut bus): (SpanSet<Hpa>, SpanSet<BusAddr>) = (SpanSet::new(), SpanSet::new());
    for window in host.root_complexes.iter().flat_map(|complex| &complex.windows) {
        if window.kind == WindowKind::Io {
            lines.insert(format!("window io {}", window.cpu));
        } else {
            cpu.insert(window.cpu);
            bus.insert(window.bus);
        }
    }
    lines.insert(format!(
        "windows {:?} on the bus {:?}",
        cpu.iter().collect::<Vec<_>>(),
        bus.iter().collect::<Vec<_>>()
    ));
}

fn device_line(host: &Host, device: &Device) -> String {
    // Not where the registers are: UEFI assigns addresses in another order than Linux.
    let bars: Vec<String> =
        device.bars.iter().map(|bar| format!("{} {} {}", bar.index, bar.kind, bar.size)).collect();
    let iommu = host.iommu_of(device).map(|iommu| (iommu.model, iommu.base));
    let stream = device.translation.as_ref().and_then(|translation| translation.stream);
    let bell = host.doorbell_of(device).map(|bell| bell.address);
    let device_id = device.msi_target.as_ref().and_then(|target| target.device_id);
    format!(
        "device {} {:?} {:?} msi {:?} msix {:?} {bars:?} behind {iommu:?} as {stream:?} writes to {bell:?} as {device_id:?}",
        device.address, device.id, device.class, device.msi, device.msix
    )
}
