//! Trees in, trees and archives out.

use expect_test::{Expect, expect};

use super::*;
use crate::read::capture::from_archive;

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, content) in files {
        let node = match content.strip_prefix("-> ") {
            Some(target) => Node::Link(target.to_owned()),
            None => Node::File(content.as_bytes().to_vec()),
        };
        tree.insert(*path, node);
    }
    tree
}

fn sample() -> Tree {
    let mut tree = tree(&[
        ("proc/cmdline", "root=UUID=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 iommu=pt quiet\n"),
        ("proc/version", "Linux version 6.12.1 (me@alpha) (gcc (Debian) 14) #1 SMP\n"),
        ("proc/cpuinfo", "CPU implementer\t: 0x41\nSerial\t\t: 10000000a3b2c1d0\n"),
        ("proc/iomem", "00000000-00000000 : System RAM\n"),
        ("uname.txt", "Linux alpha 6.12.1 #1 SMP aarch64 GNU/Linux\n"),
        (
            "sys/kernel/iommu_groups/1/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
            "-> ../../../../devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
        ),
        ("sys/kernel/iommu_groups/1/type", "DMA\n"),
        ("sys/firmware/fdt", "no tree"),
        ("sys/bus/pci/devices/0000:00:01.0", "-> ../../../devices/pci0000:00/0000:00:01.0"),
    ]);
    tree.insert("sys/devices/pci0000:00/0000:00:01.0/config", Node::File(vec![0; 64]));
    tree.insert("sys/module/iommufd", Node::Directory);
    tree
}

#[track_caller]
fn check(tree: &Tree, expected: Expect) {
    let mut out = String::new();
    for (path, node) in tree.iter() {
        out += &match node {
            Node::File(bytes) if path.ends_with("/config") => format!("{path}: {} bytes\n", bytes.len()),
            Node::File(bytes) => format!("{path}:\n{}", String::from_utf8_lossy(bytes)),
            Node::Link(target) => format!("{path} -> {target}\n"),
            Node::Directory => format!("{path}/\n"),
        };
    }
    expected.assert_eq(&out);
}

fn unread() -> Vec<Note> {
    vec![Note {
        lack: Lack::Unread,
        path: "sys/firmware/acpi/tables/DMAR".to_owned(),
        why: "permission denied".to_owned(),
    }]
}

#[test]
fn what_identifies_the_machine_goes() {
    check(
        &record(sample(), unread(), Redaction::On).0,
        expect![[r#"
        MANIFEST:
        # A capture of a host for `planner`. `read` is what it holds. The other lines say what it lacks: what could not be
        # read, was read in part, was left out, or was redacted, and why.
        maker planner 0.1.0
        redaction on
        unread sys/firmware/acpi/tables/DMAR: permission denied
        partly proc/iomem: the names; root reads the addresses
        partly sys/devices/pci0000:00/0000:00:01.0/config: the first 64 bytes; root reads the rest
        left-out sys/firmware/fdt: it is no whole device tree: it does not begin with 0xd00dfeed
        redacted proc/cmdline: 2 words that are no switches of IOMMU, VFIO or PCI
        redacted proc/cpuinfo: the serial number of the processor
        redacted proc/version: who built the kernel, and where
        redacted sys/kernel/iommu_groups/1/devices/00000000-0000-0000-0000-000000000001: an identifier in the name
        redacted uname.txt: the name of the host
        read proc/cmdline
        read proc/cpuinfo
        read proc/iomem
        read proc/version
        read sys/bus/pci/devices/0000:00:01.0
        read sys/devices/pci0000:00/0000:00:01.0/config
        read sys/kernel/iommu_groups/1/devices/00000000-0000-0000-0000-000000000001
        read sys/kernel/iommu_groups/1/type
        read sys/module/iommufd
        read uname.txt
        proc/cmdline:
        iommu=pt
        proc/cpuinfo:
        CPU implementer	: 0x41
        Serial		: 0000000000000000
        proc/iomem:
        00000000-00000000 : System RAM
        proc/version:
        Linux version 6.12.1 (redacted) (gcc (Debian) 14) #1 SMP
        sys/bus/pci/devices/0000:00:01.0 -> ../../../devices/pci0000:00/0000:00:01.0
        sys/devices/pci0000:00/0000:00:01.0/config: 64 bytes
        sys/kernel/iommu_groups/1/devices/00000000-0000-0000-0000-000000000001 -> ../../../../devices/00000000-0000-0000-0000-000000000001
        sys/kernel/iommu_groups/1/type:
        DMA
        sys/module/iommufd/
        uname.txt:
        Linux redacted 6.12.1 #1 SMP aarch64 GNU/Linux
    "#]],
    );
}

#[test]
fn nothing_is_changed_when_not_asked() {
    let (recorded, manifest) = record(sample(), unread(), Redaction::Off);
    let mut without = recorded.clone();
    without.remove(MANIFEST);
    assert_eq!(without, sample());
    assert_eq!(manifest.redaction, Redaction::Off);
    assert_eq!(manifest.notes.len(), 3);
}

#[test]
fn a_capture_of_a_capture_is_the_same() {
    let (once, manifest) = record(sample(), unread(), Redaction::On);
    assert_eq!(record(once.clone(), Vec::new(), Redaction::On), (once.clone(), manifest.clone()));
    assert_eq!(record(once.clone(), Vec::new(), Redaction::Off).0, once, "what is redacted stays so");
    assert_eq!(Manifest::parse(&manifest.to_string()), manifest);
}

#[test]
fn archives_hold_what_was_packed() {
    let (tree, _) = record(sample(), Vec::new(), Redaction::On);
    let archive = archive::archive(&tree);
    assert_eq!(from_archive(&archive, "x"), (tree.clone(), Vec::new()));
    assert_eq!(archive, archive::archive(&tree));
    // Bytes 4 to 7 of a gzip stream are the time.
    assert_eq!(archive.get(4..8), Some([0; 4].as_slice()));
}

#[test]
fn nothing_is_packed_below_a_link() {
    let tree =
        tree(&[("sys", "-> /etc"), ("sys/kernel/iommu_groups/0/type", "DMA\n"), ("proc/version", "Linux")]);
    let packed = archive::archive(&tree);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(names, ["capture/", "capture/proc/version", "capture/sys"]);
}

#[test]
fn the_script_takes_every_row() {
    let script = script::script();
    let mut after_marks = script.split('@').skip(1);
    assert!(!after_marks.any(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase())), "a mark is left");
    for row in crate::read::capture::allow::ROWS {
        let name = row.pattern.trim_end_matches('#');
        let listed =
            script.contains(&format!("for path in {name}")) || script.contains(&format!("$1/{name}\""));
        assert_eq!(listed, row.access != crate::read::capture::allow::Access::Capture, "{name}");
    }
}
