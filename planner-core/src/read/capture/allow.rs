//! The allow-list: which files of a capture are read, and how much of each. Everything else is passed over.
//!
//! It is data, so that the archive reader, the directory reader and whoever makes captures agree. What the files mean
//! is the business of the readers beside this file.

mod rows;

pub use rows::ROWS;

/// Where a row of the list applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The pattern is a path from the root of the capture; `*` stands for one whole component.
    Root,
    /// The pattern is a name in the directory of a PCI function: below `sys/devices`, a directory named `0000:03:00.0`.
    Function,
    /// The pattern is a path in the directory of an IOMMU: below `sys/devices`, `…/iommu/NAME`.
    Iommu,
    /// The pattern is a name beside the directory of a PCI root bus: next to `pci0000:00`, in `sys/devices/platform`.
    HostBridge,
}

/// What is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// A file of at most so many bytes; a longer one is cut and reported.
    File(usize),
    /// The first bytes of a file; that it goes on is no fault.
    Head(usize),
    /// The target of a symbolic link.
    Link,
    /// That a directory, or a link in its place, exists.
    Presence,
}

/// Who can read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Everybody.
    Anyone,
    /// Root only.
    Root,
    /// Everybody, but others than root see a part of it, or zeros in place of addresses.
    Partly,
    /// It is in captures only, no file of a machine.
    Capture,
}

/// One row of the allow-list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Where the pattern applies.
    pub place: Place,
    /// Path or name. The component `*` stands for any; a `#` at the end of one for nothing or a decimal number of up to
    /// three digits, with which the kernel tells tables of one signature apart (`acpi_table_attr_init` in
    /// drivers/acpi/sysfs.c).
    pub pattern: &'static str,
    /// What is taken.
    pub take: Take,
    /// Who can read it.
    pub access: Access,
    /// What is read out of it, for people.
    pub why: &'static str,
}

/// The recorded answers of a capture.
pub const GROUND_TRUTH: &str = "groundtruth.json";

/// What whoever made a capture says about it.
pub const MANIFEST: &str = "MANIFEST";

/// The rows of one place.
pub fn rows(place: Place) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.place == place)
}

/// What is taken of this path, if it is on the list. The path is relative to the root of the capture, without `.` or
/// `..`.
#[must_use]
pub fn wanted(path: &str) -> Option<Take> {
    // Most paths of an archive are asked about once for each place where the capture might start.
    if !["sys/", "proc/", "uname.txt", MANIFEST, GROUND_TRUTH].iter().any(|start| path.starts_with(start)) {
        return None;
    }
    let parts: Vec<&str> = path.split('/').collect();
    ROWS.iter().find(|row| applies(row, &parts)).map(|row| row.take)
}

/// Whether `name` has the form of a PCI function in sysfs, `0000:03:00.0` (`pci_setup_device` in drivers/pci/probe.c).
#[must_use]
pub fn is_function_name(name: &str) -> bool {
    let mut parts = name.split([':', '.']);
    let mut hex = |lengths: std::ops::RangeInclusive<usize>| {
        parts.next().is_some_and(|part| {
            lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    hex(4..=8) && hex(2..=2) && hex(2..=2) && hex(1..=1) && parts.next().is_none() && name.contains('.')
}

/// Whether `name` has the form of a PCI root bus in sysfs, `pci0000:00` (`pci_register_host_bridge` in
/// drivers/pci/probe.c).
#[must_use]
pub fn is_root_bus_name(name: &str) -> bool {
    name.strip_prefix("pci")
        .and_then(|rest| rest.split_once(':'))
        .is_some_and(|(segment, bus)| is_hex(segment, 4..=8) && is_hex(bus, 2..=2))
}

fn is_hex(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn applies(row: &Row, parts: &[&str]) -> bool {
    match row.place {
        Place::Root => matches(row.pattern, parts),
        Place::Function => below(parts, 1).is_some_and(|(directory, name)| {
            matches(row.pattern, name) && directory.last().is_some_and(|last| is_function_name(last))
        }),
        Place::Iommu => below(parts, row.pattern.split('/').count()).is_some_and(|(directory, name)| {
            matches(row.pattern, name) && directory.iter().rev().nth(1) == Some(&"iommu")
        }),
        Place::HostBridge => below(parts, 1).is_some_and(|(directory, name)| {
            matches(row.pattern, name) && directory.get(2) == Some(&"platform")
        }),
    }
}

/// Directory and name of a path below the directories of devices, when the name has `length` components.
fn below<'p, 'a>(parts: &'p [&'a str], length: usize) -> Option<(&'p [&'a str], &'p [&'a str])> {
    let device = matches!(parts, ["sys", "devices", ..] | ["sys", "bus", "pci", "devices", ..]);
    device.then(|| parts.len().checked_sub(length).and_then(|at| parts.split_at_checked(at))).flatten()
}

fn matches(pattern: &str, parts: &[&str]) -> bool {
    let mut wanted = pattern.split('/');
    parts.iter().all(|part| wanted.next().is_some_and(|want| is_meant(want, part))) && wanted.next().is_none()
}

/// Whether one component of a pattern stands for this name.
#[must_use]
pub fn is_meant(component: &str, name: &str) -> bool {
    match component.strip_suffix('#') {
        _ if component == "*" => true,
        None => component == name,
        Some(start) => name
            .strip_prefix(start)
            .is_some_and(|number| number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit())),
    }
}

#[cfg(test)]
mod tests {
    use super::rows::{ATTRIBUTE, IOMEM};
    use super::*;

    #[test]
    fn paths_are_taken_or_passed_over() {
        let cases = [
            ("proc/iomem", Some(IOMEM)),
            ("proc/iomem/x", None),
            ("post/proc/iomem", None),
            ("MANIFEST", Some(IOMEM)),
            ("sys/firmware/fdt", Some(IOMEM)),
            ("sys/firmware/acpi/tables/IORT", Some(Take::File(1 << 20))),
            ("sys/firmware/acpi/tables/APIC12", Some(Take::File(1 << 20))),
            ("sys/firmware/acpi/tables/APIC1234", None),
            ("sys/firmware/acpi/tables/APICX", None),
            ("sys/firmware/acpi/tables/DSDT", None),
            ("sys/kernel/iommu_groups/7/type", Some(ATTRIBUTE)),
            ("sys/kernel/iommu_groups/7/devices/0000:00:01.0", Some(Take::Presence)),
            ("sys/kernel/iommu_groups/7/devices/0000:00:01.0/vendor", None),
            ("sys/bus/pci/devices/0000:00:01.0", Some(Take::Presence)),
            ("sys/bus/pci/devices/0000:00:01.0/vendor", Some(ATTRIBUTE)),
            ("sys/devices/pci0000:00/0000:00:01.0/vendor", Some(ATTRIBUTE)),
            ("sys/devices/pci0000:00/vendor", None),
            ("sys/devices/pci0000:00/0000:00:1e.0/iommu/ivhd0/amd-iommu/cap", Some(ATTRIBUTE)),
            ("sys/devices/virtual/iommu/dmar0/intel-iommu/cap", Some(ATTRIBUTE)),
            ("sys/devices/virtual/iommu/dmar0/intel-iommu/domains_used", None),
            ("sys/devices/platform/soc/4010000000.pcie/of_node", Some(Take::Link)),
            ("", None),
        ];
        for (path, expected) in cases {
            assert_eq!(wanted(path), expected, "{path}");
        }
    }

    #[test]
    fn every_row_of_the_root_is_reached() {
        for row in rows(Place::Root) {
            assert_eq!(
                wanted(&row.pattern.replace('*', "x").replace('#', "1")),
                Some(row.take),
                "{}",
                row.pattern
            );
        }
    }

    #[test]
    fn names_of_functions_and_root_buses() {
        for name in ["0000:00:1f.7", "10000:e1:00.0"] {
            assert!(is_function_name(name), "{name}");
        }
        for name in ["0000:00:1f", "00:1f.7", "0000.00.1f.7x", "0000:00:1f.", "0000:00:1f:7"] {
            assert!(!is_function_name(name), "{name}");
        }
        assert!(is_root_bus_name("pci0000:00") && is_root_bus_name("pci10000:e0"));
        assert!(!is_root_bus_name("pci_bus") && !is_root_bus_name("pci0000:0"));
    }
}
