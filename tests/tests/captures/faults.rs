//! Captures with one fault each: what is said about it, and that the rest is still understood.

use expect_test::{Expect, expect};
use planner_core::read::capture::{Node, Tree, facts};

use super::capture;
use super::summary::{diagnostic_lines, of};

const IOMEM: &str = "proc/iomem";
const REGIONS: &str = "sys/kernel/iommu_groups/3/reserved_regions";
const FUNCTION: &str = "sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0";

/// A sound capture; the faults are put into it. Firmware would make up for some of them, so it is left out.
fn sound() -> Tree {
    without(&capture("arm64-7.3-smmu-its-dt"), "sys/firmware")
}

/// The tree with this file instead of what was there.
fn with(mut tree: Tree, path: &str, content: impl AsRef<[u8]>) -> Tree {
    tree.insert(path, Node::File(content.as_ref().to_vec()));
    tree
}

/// The tree without what starts with this path.
fn without(tree: &Tree, prefix: &str) -> Tree {
    let mut rest = Tree::default();
    for (path, node) in tree.iter().filter(|(path, _)| !path.starts_with(prefix)) {
        rest.insert(path, node.clone());
    }
    rest
}

/// Compares what is said about the capture, and the lines in which the facts differ from those of the sound one.
fn check(tree: &Tree, expected: &Expect) {
    let (host, diagnostics) = facts(tree, "x");
    let (before, after) = (of(&facts(&sound(), "x").0, &[]), of(&host, &[]));
    let lost = before.lines().filter(|line| !after.lines().any(|other| other == *line));
    let found = after.lines().filter(|line| !before.lines().any(|other| other == *line));
    let lines = lost.map(|line| format!("- {line}\n")).chain(found.map(|line| format!("+ {line}\n")));
    expected.assert_eq(&(lines.collect::<String>() + &diagnostic_lines(&diagnostics)));
}

#[test]
fn a_sound_capture_has_nothing_to_report() {
    check(&sound(), &expect![[r#""#]]);
}

#[test]
fn iomem_read_without_root_is_noticed() {
    let hidden =
        "00000000-00000000 : GICD\n00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n";
    check(
        &with(sound(), IOMEM, hidden),
        &expect![[r#"
        - ram 0x4000_0000..=0xbfff_ffff  proc/iomem:49
        - gicv3 0x800_0000..=0x800_ffff  [0x80a_0000..=0x8ff_ffff]
        -   window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
        -   window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        warning[C040] proc/iomem: all 3 addresses are 00000000-00000000: the file was read without root
            help: read it as root; without it RAM and the windows of host bridges are not known
    "#]],
    );
}

#[test]
fn iomem_is_missing() {
    check(
        &without(&sound(), IOMEM),
        &expect![[r#"
        - ram 0x4000_0000..=0xbfff_ffff  proc/iomem:49
        - gicv3 0x800_0000..=0x800_ffff  [0x80a_0000..=0x8ff_ffff]
        -   window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
        -   window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        warning[C041] proc/iomem: the capture holds no `proc/iomem`: RAM and the windows of host bridges are not known
    "#]],
    );
}

#[test]
fn iomem_has_garbage_between_its_lines() {
    let text = "40000000-bfffffff : System RAM\ngarbage \u{1b}[31m\n5-4 : upside down\n\
                1ffffffffffffffff-20000000000000000 : too far\n  42930000-42d6ffff : System RAM\n\
                10000000-3efeffff : pcie@10000000\r\n";
    check(
        &with(sound(), IOMEM, text),
        &expect![[r#"
        - ram 0x4000_0000..=0xbfff_ffff  proc/iomem:49
        - gicv3 0x800_0000..=0x800_ffff  [0x80a_0000..=0x8ff_ffff]
        -   window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        + ram 0x4000_0000..=0xbfff_ffff  proc/iomem:1
        warning[C042] proc/iomem:2: `garbage \u{1b}[31m` is no resource
        warning[C042] proc/iomem:3: `5-4 : upside down` is no resource
        warning[C042] proc/iomem:4: `1ffffffffffffffff-20000000000000000 : too far` is no resource
    "#]],
    );
}

#[test]
fn iomem_without_windows_of_the_bridge() {
    check(
        &with(sound(), IOMEM, "40000000-bfffffff : System RAM\n"),
        &expect![[r#"
        - ram 0x4000_0000..=0xbfff_ffff  proc/iomem:49
        - gicv3 0x800_0000..=0x800_ffff  [0x80a_0000..=0x8ff_ffff]
        -   window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
        -   window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        + ram 0x4000_0000..=0xbfff_ffff  proc/iomem:1
        warning[C056] proc/iomem: no entry of `proc/iomem` is a window of PCI Bus 0000:00
    "#]],
    );
}

#[test]
fn windows_are_found_without_the_name_of_the_node() {
    check(&without(&sound(), "sys/devices/platform/4010000000.pcie/of_node"), &expect![[r#""#]]);
}

#[test]
fn regions_of_every_form_are_read() {
    let text = "0x0000000000000000 0xffffffffffffffff reserved\r\n0x8000000 0x7ffffff msi\n\
                0x0000000000000000 0xffffffffffffffff direct-relaxable\n\n  0x10 0x1f   direct  \n";
    check(
        &with(sound(), REGIONS, text),
        &expect![[r#"
        - group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]
        + group 3  DMA  0000:00:04.0  [0x0..=0xffff_ffff_ffff_ffff reserved]  [0x800_0000..=0x7ff_ffff msi]  [0x0..=0xffff_ffff_ffff_ffff direct-relaxable]  [0x10..=0x1f direct]
    "#]],
    );
}

#[test]
fn regions_of_unknown_kind_are_reserved() {
    let text =
        "0x0000000008000000 0x00000000080fffff msi\n0x1000 0x1fff translated-by-somebody-with-a-long-name\n";
    check(
        &with(sound(), REGIONS, text),
        &expect![[r#"
        - group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]
        + group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]  [0x1000..=0x1fff reserved]
        warning[C032] sys/kernel/iommu_groups/3/reserved_regions:2: 0x1000..=0x1fff is of the unknown kind `translated-by-somebody-with-a-long-name`; treated as `reserved`
    "#]],
    );
}

#[test]
fn garbage_between_regions_is_noticed() {
    let text = b"0x0000000008000000 0x00000000080fffff msi\n0x8000000 msi\n0xgg 0x1 msi\n\xff\xfe\n\
                 0x10000000000000000 0x10000000000000001 msi\n0x2000 0x2fff reserved today\n";
    check(
        &with(sound(), REGIONS, text),
        &expect![[r#"
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:2: `0x8000000 msi` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:3: `0xgg 0x1 msi` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:4: `��` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:5: `0x10000000000000000 0x10000000000000001 msi` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:6: `0x2000 0x2fff reserved today` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
    "#]],
    );
}

#[test]
fn a_region_that_wrapped_is_noticed() {
    check(
        &with(sound(), REGIONS, "0x0000000000000005 0x0000000000000003 reserved\n"),
        &expect![[r#"
        - group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]
        + group 3  DMA  0000:00:04.0  [0x5..=0x3 reserved]
        warning[C033] sys/kernel/iommu_groups/3/reserved_regions:1: the region starts at 0x5 and ends at 0x3
    "#]],
    );
}

#[test]
fn a_group_without_regions_lists_nothing() {
    check(
        &without(&sound(), REGIONS),
        &expect![[r#"
        - group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]
        + group 3  DMA  0000:00:04.0  nothing listed
        warning[C034] sys/kernel/iommu_groups/3/reserved_regions: `sys/kernel/iommu_groups/3/reserved_regions` is not in the capture: what the group reserves is predicted
    "#]],
    );
    check(
        &with(sound(), REGIONS, ""),
        &expect![[r#"
        - group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]
        + group 3  DMA  0000:00:04.0
    "#]],
    );
}

#[test]
fn no_groups_at_all() {
    check(
        &without(&sound(), "sys/kernel/iommu_groups"),
        &expect![[r#"
            - group 0  DMA  0000:00:00.0  [0x800_0000..=0x80f_ffff msi]
            - group 1  DMA  0000:00:02.0  [0x800_0000..=0x80f_ffff msi]
            - group 2  DMA  0000:00:03.0  [0x800_0000..=0x80f_ffff msi]
            - group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]
            - group 4  DMA  0000:00:05.0  [0x800_0000..=0x80f_ffff msi]
            - group 5  DMA  0000:00:06.0  [0x800_0000..=0x80f_ffff msi]
            - group 6  DMA  0000:00:07.0  [0x800_0000..=0x80f_ffff msi]
            - group 7  DMA  0000:01:00.0  [0x800_0000..=0x80f_ffff msi]
            - group 8  DMA  0000:02:00.0  [0x800_0000..=0x80f_ffff msi]
            - group 9  DMA  0000:03:00.0  [0x800_0000..=0x80f_ffff msi]
            - group 10  DMA  0000:04:00.0  0000:05:01.0  [0x800_0000..=0x80f_ffff msi]
            warning[C030] sys/kernel/iommu_groups: `sys/kernel/iommu_groups` is not in the capture: groups, and what they reserve, are predicted from what firmware says
        "#]],
    );
}

#[test]
fn a_group_whose_name_is_no_number() {
    check(
        &with(sound(), "sys/kernel/iommu_groups/07/type", "DMA\n"),
        &expect![[r#"
        warning[C035] sys/kernel/iommu_groups: `07` is no group number
    "#]],
    );
}

#[test]
fn a_group_may_hold_devices_that_are_not_pci() {
    check(
        &with(sound(), "sys/kernel/iommu_groups/3/devices/9050000.dma\n\"x\"", ""),
        &expect![[r#"
        - group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]
        + group 3  DMA  0000:00:04.0  9050000.dma
        + "x"  [0x800_0000..=0x80f_ffff msi]
    "#]],
    );
}

#[test]
fn a_resource_file_with_a_short_line() {
    let text = "0x0000000010840000 0x000000001085ffff 0x0000000000040200\n0x0000000010860000\n";
    check(
        &with(sound(), &format!("{FUNCTION}/resource"), text),
        &expect![[r#"
            -   device 0000:00:06.0  8086:10d3  0200  msi 1  msix 5  rc-endpoint  bar0 mem32 128K at 0x1084_0000  bar1 mem32 128K at 0x1086_0000  bar2 io 32  bar3 mem32 16K at 0x1088_0000  bar6 mem32 prefetchable 256K at 0x1080_0000
            +   device 0000:00:06.0  8086:10d3  0200  msi 1  msix 5  rc-endpoint  bar0 mem32 128K at 0x1084_0000
            warning[C052] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0/resource:2: `0x0000000010860000` is no resource of a PCI function
        "#]],
    );
}

#[test]
fn registers_of_odd_size_and_without_place() {
    let text = "0x0000000010840000 0x0000000010842fff 0x0000000000040200\n\
                0x0000000000000000 0x0000000000000fff 0x0000000020040200\n\
                0x0000000000000000 0xffffffffffffffff 0x0000000000100200\n\
                0x0000000000002000 0x0000000000001fff 0x0000000000040200\n";
    check(
        &with(sound(), &format!("{FUNCTION}/resource"), text),
        &expect![[r#"
            -   device 0000:00:06.0  8086:10d3  0200  msi 1  msix 5  rc-endpoint  bar0 mem32 128K at 0x1084_0000  bar1 mem32 128K at 0x1086_0000  bar2 io 32  bar3 mem32 16K at 0x1088_0000  bar6 mem32 prefetchable 256K at 0x1080_0000
            +   device 0000:00:06.0  8086:10d3  0200  msi 1  msix 5  rc-endpoint  bar0 mem32 16K at 0x1084_0000  bar1 mem32 4K
            warning[C053] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0/resource:1: register 0 at 0x1084_0000..=0x1084_2fff has 12288 bytes, no power of two
            warning[C053] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0/resource:3: register 2 at 0x0..=0xffff_ffff_ffff_ffff has 18446744073709551616 bytes, no power of two
            warning[C052] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0/resource:4: register 3 ends at 0x1fff below its start
        "#]],
    );
}

#[test]
fn attributes_that_are_no_numbers() {
    let tree = with(sound(), &format!("{FUNCTION}/vendor"), "Intel\n");
    let tree = with(tree, &format!("{FUNCTION}/class"), "0x1234567\n");
    check(
        &with(tree, &format!("{FUNCTION}/numa_node"), "none\n"),
        &expect![[r#"
            -   device 0000:00:06.0  8086:10d3  0200  msi 1  msix 5  rc-endpoint  bar0 mem32 128K at 0x1084_0000  bar1 mem32 128K at 0x1086_0000  bar2 io 32  bar3 mem32 16K at 0x1088_0000  bar6 mem32 prefetchable 256K at 0x1080_0000
            +   device 0000:00:06.0  msi 1  msix 5  rc-endpoint  bar0 mem32 128K at 0x1084_0000  bar1 mem32 128K at 0x1086_0000  bar2 io 32  bar3 mem32 16K at 0x1088_0000  bar6 mem32 prefetchable 256K at 0x1080_0000
            warning[C054] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0/vendor: the file holds `Intel` and not one number that fits
            warning[C054] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0/class: the file holds `0x1234567` and not a class of 24 bits
            warning[C054] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0/numa_node: the file holds `none` and not one number that fits
        "#]],
    );
}

#[test]
fn a_function_whose_directory_is_missing() {
    check(
        &without(&sound(), FUNCTION),
        &expect![[r#"
            -   stream 0x30..=0x30  smmu3.0x0000000009050000
            -   device 0000:00:06.0  8086:10d3  0200  msi 1  msix 5  rc-endpoint  bar0 mem32 128K at 0x1084_0000  bar1 mem32 128K at 0x1086_0000  bar2 io 32  bar3 mem32 16K at 0x1088_0000  bar6 mem32 prefetchable 256K at 0x1080_0000
            warning[C007] sys/bus/pci/devices/0000:00:06.0: the link to `../../../devices/platform/4010000000.pcie/pci0000:00/0000:00:06.0` leads to something that the capture does not hold
        "#]],
    );
}

#[test]
fn links_that_lead_out_or_in_circles() {
    let mut tree = sound();
    for (name, target) in [
        ("0000:00:06.0", "/sys/devices/pci0000:00/0000:00:06.0"),
        ("0000:00:07.0", "../../../../../../etc"),
        ("0000:01:00.0", "0000:02:00.0"),
        ("0000:02:00.0", "0000:01:00.0"),
    ] {
        tree.insert(format!("sys/bus/pci/devices/{name}"), Node::Link(target.to_owned()));
    }
    check(
        &tree,
        &expect![[r#"
            -   stream 0x30..=0x30  smmu3.0x0000000009050000
            -   stream 0x38..=0x38  smmu3.0x0000000009050000
            -   stream 0x100..=0x100  smmu3.0x0000000009050000
            -   stream 0x200..=0x200  smmu3.0x0000000009050000
            -   device 0000:00:06.0  8086:10d3  0200  msi 1  msix 5  rc-endpoint  bar0 mem32 128K at 0x1084_0000  bar1 mem32 128K at 0x1086_0000  bar2 io 32  bar3 mem32 16K at 0x1088_0000  bar6 mem32 prefetchable 256K at 0x1080_0000
            -   device 0000:00:07.0  1b36:000b  0600  conventional
            -   device 0000:01:00.0  8086:10d3  0200  msi 1  msix 5  endpoint  bar0 mem32 128K at 0x1004_0000  bar1 mem32 128K at 0x1006_0000  bar2 io 32  bar3 mem32 16K at 0x1008_0000  bar6 mem32 prefetchable 256K at 0x1000_0000
            -   device 0000:02:00.0  1b36:0010  010802  msix 65  endpoint  bar0 mem64 16K at 0x1020_0000
            warning[C007] sys/bus/pci/devices/0000:00:06.0: the link to `/sys/devices/pci0000:00/0000:00:06.0` leads out of the capture
            warning[C007] sys/bus/pci/devices/0000:00:07.0: the link to `../../../../../../etc` leads out of the capture
            warning[C007] sys/bus/pci/devices/0000:01:00.0: the link to `0000:02:00.0` leads through more than 40 links: they form a loop
            warning[C007] sys/bus/pci/devices/0000:02:00.0: the link to `0000:01:00.0` leads through more than 40 links: they form a loop
        "#]],
    );
}

#[test]
fn functions_behind_vmd_are_passed_over() {
    let mut tree = sound();
    tree.insert("sys/bus/pci/devices/10000:e1:00.0", Node::Link("../../../devices/x".to_owned()));
    check(
        &tree,
        &expect![[r#"
        warning[C051] sys/bus/pci/devices/10000:e1:00.0: `10000:e1:00.0` is no PCI function in a segment of 16 bits
    "#]],
    );
}

#[test]
fn no_functions_at_all() {
    check(
        &without(&without(&sound(), "sys/bus"), "sys/devices/platform/4010000000.pcie"),
        &expect![[r#"
            - root-complex pci0000:00  buses 00..=ff  sys/devices/platform/4010000000.pcie/pci0000:00
            -   window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
            -   window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
            -   stream 0x0..=0x0  smmu3.0x0000000009050000
            -   stream 0x10..=0x10  smmu3.0x0000000009050000
            -   stream 0x18..=0x18  smmu3.0x0000000009050000
            -   stream 0x20..=0x20  smmu3.0x0000000009050000
            -   stream 0x28..=0x28  smmu3.0x0000000009050000
            -   stream 0x30..=0x30  smmu3.0x0000000009050000
            -   stream 0x38..=0x38  smmu3.0x0000000009050000
            -   stream 0x100..=0x100  smmu3.0x0000000009050000
            -   stream 0x200..=0x200  smmu3.0x0000000009050000
            -   stream 0x300..=0x300  smmu3.0x0000000009050000
            -   stream 0x400..=0x400  smmu3.0x0000000009050000
            -   stream 0x508..=0x508  smmu3.0x0000000009050000
            -   device 0000:00:00.0  1b36:0008  0600  conventional
            -   device 0000:00:02.0  1b36:000c  0604  msix 1  root-port  buses 01..=01  acs 0x5f control 0x1d  bar0 mem32 4K at 0x1088_4000
            -   device 0000:00:03.0  1b36:000c  0604  msix 1  root-port  buses 02..=02  acs 0x5f control 0x1d  bar0 mem32 4K at 0x1088_5000
            -   device 0000:00:04.0  1b36:000c  0604  msix 1  root-port  buses 03..=03  acs 0x5f control 0x1d  bar0 mem32 4K at 0x1088_6000
            -   device 0000:00:05.0  1b36:000c  0604  msix 1  root-port  buses 04..=05  acs 0x5f control 0x1d  bar0 mem32 4K at 0x1088_7000
            -   device 0000:00:06.0  8086:10d3  0200  msi 1  msix 5  rc-endpoint  bar0 mem32 128K at 0x1084_0000  bar1 mem32 128K at 0x1086_0000  bar2 io 32  bar3 mem32 16K at 0x1088_0000  bar6 mem32 prefetchable 256K at 0x1080_0000
            -   device 0000:00:07.0  1b36:000b  0600  conventional
            -   device 0000:01:00.0  8086:10d3  0200  msi 1  msix 5  endpoint  bar0 mem32 128K at 0x1004_0000  bar1 mem32 128K at 0x1006_0000  bar2 io 32  bar3 mem32 16K at 0x1008_0000  bar6 mem32 prefetchable 256K at 0x1000_0000
            -   device 0000:02:00.0  1b36:0010  010802  msix 65  endpoint  bar0 mem64 16K at 0x1020_0000
            -   device 0000:03:00.0  8086:10c9  0200  msi 1  msix 10  vfs 0/7  endpoint  vfs 0x80+n*0x2 Some(10ca)  vf-bar0 mem64 prefetchable 16K at 0x80_0040_0000  vf-bar3 mem64 prefetchable 16K at 0x80_0042_0000  bar0 mem32 128K at 0x1040_0000  bar1 mem32 128K at 0x1042_0000  bar2 io 32  bar3 mem64 16K at 0x1044_0000
            -   device 0000:04:00.0  1b36:000e  0604  msi 1  pcie-to-pci-bridge  buses 05..=05  bar0 mem64 256 at 0x1070_0000
            -   device 0000:05:01.0  8086:100e  0200  conventional  bar0 mem32 128K at 0x1068_0000  bar1 io 64  bar6 mem32 prefetchable 256K at 0x1060_0000
            -   device 0000:05:02.0  1af4:1000  0200  msix 4  conventional  bar0 io 32  bar1 mem32 4K at 0x106a_0000  bar4 mem64 prefetchable 16K at 0x80_0060_0000  bar6 mem32 prefetchable 256K at 0x1064_0000
            warning[C050] sys/bus/pci/devices: `sys/bus/pci/devices` holds no PCI functions
        "#]],
    );
}

#[test]
fn directories_in_place_of_links_lose_the_host_bridge() {
    let mut tree = Tree::default();
    for (name, content) in [("vendor", "0x8086\n"), ("device", "0x10d3\n"), ("class", "0x020000\n")] {
        tree.insert(format!("sys/bus/pci/devices/0000:00:06.0/{name}"), Node::File(content.into()));
    }
    let (host, diagnostics) = facts(&tree, "x");
    expect![[r#"
        host x
        root-complex pci0000:00  buses 00..=ff  sys/bus/pci/devices/0000:00:06.0
          device 0000:00:06.0  8086:10d3  0200
        warning[C022] proc/version: no file of the capture tells the architecture
        warning[C020] proc/version: no file of the capture tells the kernel's release
            help: say which kernel runs there: `--kernel 6.12`
        warning[C041] proc/iomem: the capture holds no `proc/iomem`: RAM and the windows of host bridges are not known
        warning[C055] sys/bus/pci/devices/0000:00:06.0: the host bridge of 0000:00:06.0 is not in the capture
        warning[C030] sys/kernel/iommu_groups: `sys/kernel/iommu_groups` is not in the capture: groups, and what they reserve, are predicted from what firmware says
    "#]].assert_eq(&of(&host, &diagnostics));
}

#[test]
fn an_iommu_of_unknown_kind_and_one_that_is_lost() {
    let mut tree = without(&sound(), "sys/class/iommu");
    tree.insert(
        "sys/class/iommu/fd900000.iommu",
        Node::Link("../../devices/platform/fd900000.iommu".to_owned()),
    );
    check(
        &tree,
        &expect![[r#"
        - iommu smmu3.0x0000000009050000  smmuv3  at 0x905_0000
        + iommu fd900000.iommu
        warning[C060] sys/class/iommu/fd900000.iommu: the IOMMU `fd900000.iommu` is of a kind that is not known here
        warning[C061] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:00.0: `smmu3.0x0000000009050000`, the IOMMU of 0000:00:00.0 and 11 other functions, is not in `sys/class/iommu`
    "#]],
    );
}

#[test]
fn nobody_says_which_kernel_it_is() {
    check(
        &without(&sound(), "proc/version"),
        &expect![[r#"
        - kernel 7.3.4  page 4K  unsafe-interrupts false  proc/version:1
        + kernel 7.3.4  page 4K  unsafe-interrupts false  uname.txt:1
    "#]],
    );
    check(
        &without(&without(&sound(), "proc/version"), "uname.txt"),
        &expect![[r#"
        - kernel 7.3.4  page 4K  unsafe-interrupts false  proc/version:1
        warning[C020] proc/version: no file of the capture tells the kernel's release
            help: say which kernel runs there: `--kernel 6.12`
    "#]],
    );
    check(
        &with(without(&sound(), "uname.txt"), "proc/version", "Linux version next\n"),
        &expect![[r#"
        - kernel 7.3.4  page 4K  unsafe-interrupts false  proc/version:1
        warning[C020] proc/version: no file of the capture tells the kernel's release
            help: say which kernel runs there: `--kernel 6.12`
    "#]],
    );
}

#[test]
fn nobody_says_which_architecture_it_is() {
    let tree = without(&without(&sound(), "uname.txt"), "proc/cpuinfo");
    check(
        &with(tree, "proc/version", "Linux version 6.12.1 (gcc)\n"),
        &expect![[r#"
        - host x  aarch64
        - kernel 7.3.4  page 4K  unsafe-interrupts false  proc/version:1
        + host x
        + kernel 6.12.1  unsafe-interrupts false  proc/version:1
        warning[C022] proc/version: no file of the capture tells the architecture
        note[C021] proc/version: nothing in the capture tells the page size of `6.12.1`
            help: say it with `--page 4K`, `--page 16K` or `--page 64K`
    "#]],
    );
}

#[test]
fn nobody_says_the_page_size() {
    check(
        &without(&sound(), "proc/meminfo"),
        &expect![[r#"
        - kernel 7.3.4  page 4K  unsafe-interrupts false  proc/version:1
        + kernel 7.3.4  unsafe-interrupts false  proc/version:1
        note[C021] proc/version: nothing in the capture tells the page size of `7.3.4+deb13-arm64`
            help: say it with `--page 4K`, `--page 16K` or `--page 64K`
    "#]],
    );
}

#[test]
fn a_page_size_is_told_by_the_release() {
    let tree = without(&sound(), "proc/meminfo");
    check(
        &with(tree, "proc/version", "Linux version 6.8.0-31-generic-64k (x)\n"),
        &expect![[r#"
        - kernel 7.3.4  page 4K  unsafe-interrupts false  proc/version:1
        + kernel 6.8  page 64K  unsafe-interrupts false  proc/version:1
    "#]],
    );
}

#[test]
fn unsafe_interrupts_may_stand_on_the_command_line() {
    let tree = without(&sound(), "sys/module");
    let command_line = "quiet vfio_iommu_type1.allow_unsafe_interrupts=1\n";
    check(
        &with(tree, "proc/cmdline", command_line),
        &expect![[r#"
        - kernel 7.3.4  page 4K  unsafe-interrupts false  proc/version:1
        + kernel 7.3.4  page 4K  unsafe-interrupts true  proc/version:1
    "#]],
    );
}

/// A capture in which only the function [`FUNCTION`] shows its registers.
fn one_config(config: &[u8]) -> Tree {
    let mut tree = Tree::default();
    let sound = sound();
    for (path, node) in sound.iter().filter(|(path, _)| !path.ends_with("/config")) {
        tree.insert(path, node.clone());
    }
    with(tree, &format!("{FUNCTION}/config"), config)
}

/// Compares the windows and what is said.
fn check_windows(tree: &Tree, expected: &Expect) {
    let (host, diagnostics) = facts(tree, "x");
    let text = of(&host, &diagnostics);
    let lines = text.lines().filter(|line| line.starts_with("  window") || line.contains("[C05"));
    expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn a_bridge_that_translates_is_told_by_its_devices() {
    let mut config = sound().file(&format!("{FUNCTION}/config")).unwrap().to_vec();
    // Registers 0, 1 and 3 hold bus addresses 0x1000_0000 below what CPUs use.
    for high_byte in [0x13, 0x17, 0x1f] {
        assert_eq!(config[high_byte], 0x10);
        config[high_byte] = 0;
    }
    check_windows(
        &one_config(&config),
        &expect![[r#"
          window mem32  0x1000_0000..=0x3efe_ffff  bus 0x0
          window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        note[C057] proc/iomem: no device shows the bus address of the window 0x80_0000_0000..=0xff_ffff_ffff; it is taken to be the CPU's address
    "#]],
    );
}

#[test]
fn devices_that_disagree_about_the_bridge_are_not_believed() {
    let mut config = sound().file(&format!("{FUNCTION}/config")).unwrap().to_vec();
    config[0x13] = 0;
    check_windows(
        &one_config(&config),
        &expect![[r#"
          window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
          window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        warning[C058] proc/iomem:11: devices in the window 0x1000_0000..=0x3efe_ffff show the offsets 0x0 and 0x10000000
        note[C057] proc/iomem: no device shows the bus address of the window 0x80_0000_0000..=0xff_ffff_ffff; it is taken to be the CPU's address
    "#]],
    );
}

#[test]
fn an_offset_that_leads_out_of_the_bus_is_not_believed() {
    let mut config = sound().file(&format!("{FUNCTION}/config")).unwrap().to_vec();
    // Bus addresses 0x1080_0000 below what CPUs use, where the window starts at 0x1000_0000.
    for (high_byte, value) in [(0x13, 0), (0x12, 0x04), (0x17, 0), (0x16, 0x06), (0x1f, 0), (0x1e, 0x08)] {
        config[high_byte] = value;
    }
    check_windows(
        &one_config(&config),
        &expect![[r#"
          window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
          window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        warning[C058] proc/iomem:11: the offset 0x10800000 would put the window 0x1000_0000..=0x3efe_ffff across the end of the bus
        note[C057] proc/iomem: no device shows the bus address of the window 0x80_0000_0000..=0xff_ffff_ffff; it is taken to be the CPU's address
    "#]],
    );
}

#[test]
fn without_registers_the_bridge_is_taken_not_to_translate() {
    check_windows(
        &one_config(&[]),
        &expect![[r#"
          window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
          window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        note[C057] proc/iomem: no device shows the bus address of the windows 0x1000_0000..=0x3efe_ffff, 0x80_0000_0000..=0xff_ffff_ffff; it is taken to be the CPU's address
    "#]],
    );
}

#[test]
fn configuration_space_read_without_root_still_tells_the_bus_addresses() {
    let config = sound().file(&format!("{FUNCTION}/config")).unwrap().to_vec();
    check_windows(
        &one_config(&config[..64]),
        &expect![[r#"
          window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
          window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
        note[C057] proc/iomem: no device shows the bus address of the window 0x80_0000_0000..=0xff_ffff_ffff; it is taken to be the CPU's address
    "#]],
    );
}

#[test]
fn many_faults_of_a_kind_are_counted() {
    check(
        &with(sound(), REGIONS, "x\n".repeat(100)),
        &expect![[r#"
        - group 3  DMA  0000:00:04.0  [0x800_0000..=0x80f_ffff msi]
        + group 3  DMA  0000:00:04.0
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:1: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:2: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:3: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:4: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:5: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:6: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:7: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:8: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:9: `x` is no reserved region
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
        warning[C031] sys/kernel/iommu_groups/3/reserved_regions:10: `x` is no reserved region
            note: 90 more of this kind are not shown
            help: the kernel prints `0x0000000008000000 0x00000000080fffff msi`
    "#]],
    );
}
