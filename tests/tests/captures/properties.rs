//! Whatever the bytes: the readers return.

use planner_core::read::capture::{Node, Tree, facts, from_archive};
use proptest::collection::vec;
use proptest::prelude::*;

use super::captures;

/// Paths of the allow-list that hold text or numbers.
const FILES: [&str; 14] = [
    "uname.txt",
    "proc/version",
    "proc/cmdline",
    "proc/iomem",
    "proc/meminfo",
    "proc/cpuinfo",
    "sys/kernel/iommu_groups/0/reserved_regions",
    "sys/kernel/iommu_groups/0/type",
    "sys/devices/pci0000:00/0000:00:01.0/resource",
    "sys/devices/pci0000:00/0000:00:01.0/config",
    "sys/devices/pci0000:00/0000:00:01.0/class",
    "sys/devices/virtual/iommu/dmar0/intel-iommu/cap",
    "sys/devices/virtual/iommu/dmar0/intel-iommu/ecap",
    "sys/devices/pci0000:00/0000:00:02.0/iommu/ivhd0/amd-iommu/features",
];

/// The links that make the files above part of a host.
fn links() -> Tree {
    let mut tree = Tree::default();
    for (path, target) in [
        ("sys/bus/pci/devices/0000:00:01.0", "../../../devices/pci0000:00/0000:00:01.0"),
        ("sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0"),
        ("sys/class/iommu/ivhd0", "../../devices/pci0000:00/0000:00:02.0/iommu/ivhd0"),
    ] {
        tree.insert(path, Node::Link(target.to_owned()));
    }
    tree
}

/// Texts that are nearly what the readers expect.
fn near_text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        "(0x)?[0-9a-f]{1,18}",
        "[0-9a-f]{8}-[0-9a-f]{8} : (System RAM|PCI Bus 0000:00|PCI ECAM 0000 \\[bus 00-ff\\]|GICD)",
        "(direct|msi|reserved|direct-relaxable|translated)",
        "Linux version [0-9]{1,6}\\.[0-9]{1,6}",
        "MemTotal: [0-9]{1,20} kB",
        "[ \\t]{1,4}",
        "\\PC{0,4}",
    ];
    vec((word, prop_oneof![Just(" "), Just("\n"), Just("\r\n"), Just("")]), 0..30)
        .prop_map(|words| words.into_iter().flat_map(|(word, end)| (word + end).into_bytes()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_as_an_archive(bytes in vec(any::<u8>(), 0..2000)) {
        let _ = from_archive(&bytes, "x");
        let _ = from_archive(&[&[0x1f, 0x8b, 8, 0], bytes.as_slice()].concat(), "x");
    }

    #[test]
    fn a_mutated_capture_is_read(
        which in 0..55_usize,
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = captures().swap_remove(which).bytes;
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(end.index(bytes.len()) * 2);
        let (tree, _) = from_archive(&bytes, "x");
        let _ = facts(&tree, "x");
    }

    #[test]
    fn any_files_are_read(contents in vec((0..FILES.len(), near_text()), 0..6)) {
        let mut tree = links();
        for (file, content) in contents {
            tree.insert(FILES[file], Node::File(content));
        }
        let first = facts(&tree, "x");
        prop_assert_eq!(first, facts(&tree, "x"));
    }

    #[test]
    fn any_links_are_resolved(links in vec(("[ab/.]{0,12}", "[ab/.]{0,20}"), 0..8), path in "[ab/.]{0,20}") {
        let mut tree = Tree::default();
        for (from, to) in links {
            tree.insert(from, Node::Link(to));
        }
        if let Ok(found) = tree.canonical(&path) {
            prop_assert!(!found.split('/').any(|part| part == ".."));
        }
    }
}
