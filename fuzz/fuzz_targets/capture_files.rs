//! Files of a capture: the input is cut into files at bytes 0xff, and put where the readers look.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::read::capture::{Node, Tree, facts};

const FILES: [&str; 14] = [
    "proc/iomem",
    "sys/kernel/iommu_groups/0/reserved_regions",
    "sys/devices/pci0000:00/0000:00:01.0/resource",
    "sys/devices/pci0000:00/0000:00:01.0/config",
    "proc/version",
    "proc/cmdline",
    "proc/meminfo",
    "proc/cpuinfo",
    "uname.txt",
    "sys/devices/virtual/iommu/dmar0/intel-iommu/cap",
    "sys/devices/virtual/iommu/dmar0/intel-iommu/ecap",
    "sys/devices/pci0000:00/0000:00:02.0/iommu/ivhd0/amd-iommu/features",
    "sys/devices/pci0000:00/0000:00:01.0/class",
    "sys/devices/pci0000:00/0000:00:01.0/numa_node",
];

const LINKS: [(&str, &str); 3] = [
    ("sys/bus/pci/devices/0000:00:01.0", "../../../devices/pci0000:00/0000:00:01.0"),
    ("sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0"),
    ("sys/class/iommu/ivhd0", "../../devices/pci0000:00/0000:00:02.0/iommu/ivhd0"),
];

fuzz_target!(|bytes: &[u8]| {
    let mut tree = Tree::default();
    for (path, target) in LINKS {
        tree.insert(path, Node::Link(target.to_owned()));
    }
    for (path, content) in FILES.iter().zip(bytes.split(|&byte| byte == 0xff)) {
        tree.insert(*path, Node::File(content.to_vec()));
    }
    let first = facts(&tree, "fuzz");
    assert_eq!(first, facts(&tree, "fuzz"), "the same tree gives the same facts");
});
