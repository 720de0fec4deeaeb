//! What the kernel lists against what firmware says: one contradiction each, told with both places, and who is believed.

use expect_test::{Expect, expect};
use planner_core::diag::Diagnostic;
use planner_core::read::capture::{Node, Tree, facts};

use super::compile::compile;
use super::{capture, summary};

const FDT: &str = "sys/firmware/fdt";
const IOMEM: &str = "proc/iomem";

/// A devicetree of the machine that `arm64-7.3-smmu-its-dt` was captured on, as far as it matters here.
const BOARD: &str = r#"
/ {
    #address-cells = <2>;
    #size-cells = <2>;
    memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x80000000>; numa-node-id = <1>; };
    smmu: iommu@9050000 { compatible = "arm,smmu-v3"; #iommu-cells = <1>; reg = <0 0x9050000 0 0x20000>; };
    other: iommu@a000000 { compatible = "arm,smmu-v3"; reg = <0 0xa000000 0 0x20000>; status = "disabled"; };
    intc@8000000 {
        compatible = "arm,gic-v3";
        #address-cells = <2>;
        #size-cells = <2>;
        ranges;
        reg = <0 0x8000000 0 0x10000>, <0 0x80a0000 0 0xf60000>;
        its: its@8080000 { compatible = "arm,gic-v3-its"; msi-controller; reg = <0 0x8080000 0 0x20000>; };
    };
    pcie@10000000 {
        device_type = "pci";
        #address-cells = <3>;
        #size-cells = <2>;
        linux,pci-domain = <0>;
        bus-range = <0 0xff>;
        ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x2eff0000>, <0x3000000 0x80 0 0x80 0 0x80 0>;
        iommu-map = <0 &smmu 0x1000 0x8000>;
        msi-map = <0 &its 0x2000 0x10000>;
    };
};
"#;

/// The capture with this devicetree instead of its own.
fn with_board(board: &str) -> Tree {
    with(FDT, compile(board))
}

/// The capture with this file instead of its own.
fn with(path: &str, content: impl Into<Vec<u8>>) -> Tree {
    let mut tree = capture("arm64-7.3-smmu-its-dt");
    tree.insert(FDT, Node::File(compile(BOARD)));
    tree.insert(path, Node::File(content.into()));
    tree
}

/// The board with a part of it changed.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(BOARD.matches(from).count(), 1, "{from}");
    BOARD.replace(from, to)
}

/// Compares what differs from the facts of the undisturbed capture, and what is said.
fn check(tree: &Tree, expected: &Expect) {
    let (host, diagnostics) = facts(tree, "x");
    let before = summary::of(&facts(&with_board(BOARD), "x").0, &[]);
    let after = summary::of(&host, &[]);
    let lost = before.lines().filter(|line| !after.lines().any(|other| bare(other) == bare(line)));
    let found = after.lines().filter(|line| !before.lines().any(|other| bare(other) == bare(line)));
    let lines = lost.map(|line| format!("- {line}\n")).chain(found.map(|line| format!("+ {line}\n")));
    expected.assert_eq(&(lines.collect::<String>() + &told(&diagnostics)));
}

/// A line without its place in the devicetree, which every change of it moves.
fn bare(line: &str) -> &str {
    line.split("  sys/firmware/fdt+").next().unwrap_or(line)
}

/// Each diagnostic with both places.
fn told(diagnostics: &[Diagnostic]) -> String {
    let line = |found: &Diagnostic| {
        let others = found.related.iter().map(|(place, label)| format!("    {place}: {label}\n"));
        let others: String = others.collect();
        format!("{}[{}] {}: {}\n{others}", found.code.severity, found.code.id, found.origin, found.message)
    };
    diagnostics.iter().map(line).collect()
}

#[test]
fn what_agrees_is_not_told() {
    check(&with_board(BOARD), &expect![[r#""#]]);
}

#[test]
fn firmware_completes_what_the_kernel_lists() {
    let text = summary::of(&facts(&with_board(BOARD), "x").0, &[]);
    let kinds = ["ram", "iommu", "its", "root-complex", "  window", "  stream", "  msi"];
    let lines = text.lines().filter(|line| kinds.iter().any(|kind| line.starts_with(kind)));
    expect![[r#"
        ram 0x4000_0000..=0xbfff_ffff  node 1  proc/iomem:49
        iommu smmu3.0x0000000009050000  smmuv3  at 0x905_0000
        its its@8080000  0x808_0000..=0x809_ffff  sys/firmware/fdt+0x39c
        root-complex pci0000:00  buses 00..=ff  sys/devices/platform/4010000000.pcie/pci0000:00
          window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
          window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x80_0000_0000
          stream 0x0..=0x7fff  smmu3.0x0000000009050000  stream 0x1000  sys/firmware/fdt+0x46c
          msi 0x0..=0xffff  its@8080000  device-id 0x2000  sys/firmware/fdt+0x488
    "#]]
    .assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn a_tree_that_cannot_be_read_is_no_reason_not_to_plan() {
    check(
        &with(FDT, "no tree"),
        &expect![[r#"
        - ram 0x4000_0000..=0xbfff_ffff  node 1  proc/iomem:49
        - its its@8080000  0x808_0000..=0x809_ffff  sys/firmware/fdt+0x39c
        -   stream 0x0..=0x7fff  smmu3.0x0000000009050000  stream 0x1000  sys/firmware/fdt+0x46c
        -   msi 0x0..=0xffff  its@8080000  device-id 0x2000  sys/firmware/fdt+0x488
        + ram 0x4000_0000..=0xbfff_ffff  proc/iomem:49
        +   stream 0x0..=0x0  smmu3.0x0000000009050000
        +   stream 0x10..=0x10  smmu3.0x0000000009050000
        +   stream 0x18..=0x18  smmu3.0x0000000009050000
        +   stream 0x20..=0x20  smmu3.0x0000000009050000
        +   stream 0x28..=0x28  smmu3.0x0000000009050000
        +   stream 0x30..=0x30  smmu3.0x0000000009050000
        +   stream 0x38..=0x38  smmu3.0x0000000009050000
        +   stream 0x100..=0x100  smmu3.0x0000000009050000
        +   stream 0x200..=0x200  smmu3.0x0000000009050000
        +   stream 0x300..=0x300  smmu3.0x0000000009050000
        +   stream 0x400..=0x400  smmu3.0x0000000009050000
        +   stream 0x508..=0x508  smmu3.0x0000000009050000
        warning[C080] sys/firmware/fdt+0x0: it starts with 6e 6f 20 74, not with d0 0d fe ed
    "#]],
    );
}

#[test]
fn an_iommu_is_elsewhere() {
    let board = changed("reg = <0 0x9050000 0 0x20000>", "reg = <0 0x9060000 0 0x20000>");
    check(
        &with_board(&board),
        &expect![[r#"
        -   stream 0x0..=0x7fff  smmu3.0x0000000009050000  stream 0x1000  sys/firmware/fdt+0x46c
        +   stream 0x0..=0x0  smmu3.0x0000000009050000
        +   stream 0x10..=0x10  smmu3.0x0000000009050000
        +   stream 0x18..=0x18  smmu3.0x0000000009050000
        +   stream 0x20..=0x20  smmu3.0x0000000009050000
        +   stream 0x28..=0x28  smmu3.0x0000000009050000
        +   stream 0x30..=0x30  smmu3.0x0000000009050000
        +   stream 0x38..=0x38  smmu3.0x0000000009050000
        +   stream 0x100..=0x100  smmu3.0x0000000009050000
        +   stream 0x200..=0x200  smmu3.0x0000000009050000
        +   stream 0x300..=0x300  smmu3.0x0000000009050000
        +   stream 0x400..=0x400  smmu3.0x0000000009050000
        +   stream 0x508..=0x508  smmu3.0x0000000009050000
        note[C082] sys/firmware/fdt+0x23c: firmware describes the IOMMU `smmu3.0x0000000009060000`, and the kernel does not drive it
            sys/class/iommu: not here
        warning[C081] sys/class/iommu/smmu3.0x0000000009050000: the kernel drives the IOMMU `smmu3.0x0000000009050000`, which firmware does not describe
            sys/firmware/fdt+0x23c: what firmware says of IOMMUs
    "#]],
    );
}

#[test]
fn functions_are_behind_another_iommu() {
    let board = changed("&smmu 0x1000 0x8000", "&other 0x1000 0x8000").replace("status = \"disabled\";", "");
    let mut tree = with_board(&board);
    tree.insert("sys/class/iommu/smmu3.0x000000000a000000", Node::Directory);
    check(
        &tree,
        &expect![[r#"
            -   stream 0x0..=0x7fff  smmu3.0x0000000009050000  stream 0x1000  sys/firmware/fdt+0x46c
            + iommu smmu3.0x000000000a000000  smmuv3  at 0xa00_0000
            +   stream 0x0..=0x0  smmu3.0x0000000009050000
            +   stream 0x10..=0x10  smmu3.0x0000000009050000
            +   stream 0x18..=0x18  smmu3.0x0000000009050000
            +   stream 0x20..=0x20  smmu3.0x0000000009050000
            +   stream 0x28..=0x28  smmu3.0x0000000009050000
            +   stream 0x30..=0x30  smmu3.0x0000000009050000
            +   stream 0x38..=0x38  smmu3.0x0000000009050000
            +   stream 0x100..=0x100  smmu3.0x0000000009050000
            +   stream 0x200..=0x200  smmu3.0x0000000009050000
            +   stream 0x300..=0x300  smmu3.0x0000000009050000
            +   stream 0x400..=0x400  smmu3.0x0000000009050000
            +   stream 0x508..=0x508  smmu3.0x0000000009050000
            +   stream 0x0..=0x7fff  smmu3.0x000000000a000000  stream 0x1000  sys/firmware/fdt+0x450
            warning[C089] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:00.0/iommu: 12 runs of requesters, the first 0x0, are behind `smmu3.0x0000000009050000`, and firmware puts them behind `smmu3.0x000000000a000000`
                sys/firmware/fdt+0x450: what firmware says
        "#]],
    );
}

#[test]
fn an_its_is_elsewhere() {
    let mut iomem = capture("arm64-7.3-smmu-its-dt").file(IOMEM).unwrap().to_vec();
    iomem.extend(b"09080000-0909ffff : ITS\n");
    check(
        &with(IOMEM, iomem),
        &expect![[r#"
            + its its0  0x908_0000..=0x909_ffff  proc/iomem:74
            warning[C088] proc/iomem:74: an ITS is at 0x908_0000..=0x909_ffff for the kernel, and firmware has one at 0x808_0000..=0x809_ffff
                sys/firmware/fdt+0x39c: what firmware says
            warning[C088] sys/firmware/fdt+0x39c: firmware has an ITS at 0x808_0000..=0x809_ffff, where `proc/iomem` shows none
                proc/iomem:74: an ITS that it shows
        "#]],
    );
}

#[test]
fn a_distributor_is_elsewhere() {
    let board = changed("reg = <0 0x8000000 0 0x10000>", "reg = <0 0x7000000 0 0x10000>");
    check(
        &with_board(&board),
        &expect![[r#"
        warning[C088] proc/iomem:1: the distributor of the GIC is at 0x800_0000..=0x800_ffff for the kernel, and firmware has one at 0x700_0000..=0x700_ffff
            sys/firmware/fdt+0x328: what firmware says
    "#]],
    );
}

#[test]
fn a_host_bridge_has_another_segment() {
    check(
        &with_board(&changed("linux,pci-domain = <0>", "linux,pci-domain = <1>")),
        &expect![[r#"
        -   stream 0x0..=0x7fff  smmu3.0x0000000009050000  stream 0x1000  sys/firmware/fdt+0x46c
        -   msi 0x0..=0xffff  its@8080000  device-id 0x2000  sys/firmware/fdt+0x488
        +   stream 0x0..=0x0  smmu3.0x0000000009050000
        +   stream 0x10..=0x10  smmu3.0x0000000009050000
        +   stream 0x18..=0x18  smmu3.0x0000000009050000
        +   stream 0x20..=0x20  smmu3.0x0000000009050000
        +   stream 0x28..=0x28  smmu3.0x0000000009050000
        +   stream 0x30..=0x30  smmu3.0x0000000009050000
        +   stream 0x38..=0x38  smmu3.0x0000000009050000
        +   stream 0x100..=0x100  smmu3.0x0000000009050000
        +   stream 0x200..=0x200  smmu3.0x0000000009050000
        +   stream 0x300..=0x300  smmu3.0x0000000009050000
        +   stream 0x400..=0x400  smmu3.0x0000000009050000
        +   stream 0x508..=0x508  smmu3.0x0000000009050000
        warning[C087] sys/devices/platform/4010000000.pcie/pci0000:00: firmware does not describe the host bridge `pci0000:00`
            sys/firmware/fdt+0x3b8: a host bridge that it describes
    "#]],
    );
}

#[test]
fn a_host_bridge_of_no_stated_segment_is_found_by_its_node() {
    // Another host bridge, without devices, stands first in the tree and would be counted as the first.
    let other = "pcie@1 { device_type = \"pci\"; #address-cells = <3>; #size-cells = <2>; ranges; };";
    let board = changed("linux,pci-domain = <0>;", "")
        .replace("    pcie@10000000", &format!("    {other}\n    pcie@10000000"));
    check(&with_board(&board), &expect![[r#""#]]);
}

#[test]
fn a_host_bridge_has_fewer_buses() {
    check(
        &with_board(&changed("bus-range = <0 0xff>", "bus-range = <0 3>")),
        &expect![[r#"
        - root-complex pci0000:00  buses 00..=ff  sys/devices/platform/4010000000.pcie/pci0000:00
        -   stream 0x0..=0x7fff  smmu3.0x0000000009050000  stream 0x1000  sys/firmware/fdt+0x46c
        -   msi 0x0..=0xffff  its@8080000  device-id 0x2000  sys/firmware/fdt+0x488
        + root-complex pci0000:00  buses 00..=05  sys/devices/platform/4010000000.pcie/pci0000:00
        +   stream 0x0..=0x5ff  smmu3.0x0000000009050000  stream 0x1000  sys/firmware/fdt+0x46c
        +   msi 0x0..=0x5ff  its@8080000  device-id 0x2000  sys/firmware/fdt+0x488
        warning[C086] sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:05.0/0000:04:00.0/0000:05:02.0: 0000:05:02.0 is beyond bus 0x03, the last that firmware gives to `pci0000:00`
            sys/firmware/fdt+0x3b8: what firmware says
    "#]],
    );
}

#[test]
fn a_window_is_only_the_kernels() {
    check(
        &with_board(&changed(", <0x3000000 0x80 0 0x80 0 0x80 0>", "")),
        &expect![[r#"
        warning[C083] proc/iomem:64: the window 0x80_0000_0000..=0xff_ffff_ffff is in no window that firmware describes
            sys/firmware/fdt+0x428: the first that it describes
    "#]],
    );
}

#[test]
fn a_window_is_only_firmwares() {
    let board = changed(
        "<0x3000000 0x80 0 0x80 0 0x80 0>",
        "<0x3000000 0x80 0 0x80 0 0x80 0>, <0x3000000 0x200 0 0x200 0 1 0>",
    );
    check(
        &with_board(&board),
        &expect![[r#"
        warning[C084] sys/firmware/fdt+0x460: firmware describes the window 0x200_0000_0000..=0x200_ffff_ffff, of which `proc/iomem` has nothing
            proc/iomem: not here
    "#]],
    );
}

#[test]
fn devices_show_other_bus_addresses() {
    let board = changed("<0x2000000 0 0x10000000 0 0x10000000", "<0x2000000 0 0x20000000 0 0x10000000");
    check(
        &with_board(&board),
        &expect![[r#"
            warning[C085] proc/iomem:11: devices show the offset 0x0 in the window 0x1000_0000..=0x3efe_ffff, and firmware states -0x1000_0000
                sys/firmware/fdt+0x428: what firmware says
        "#]],
    );
}

#[test]
fn firmware_tells_the_bus_addresses_that_no_device_shows() {
    let board = changed("<0x3000000 0x80 0 0x80 0 0x80 0>", "<0x43000000 0x100 0 0x80 0 0x80 0>");
    let mut tree = with_board(&board);
    // Without configuration space nobody knows what stands in the registers.
    for (path, _) in capture("arm64-7.3-smmu-its-dt").iter().filter(|(path, _)| path.ends_with("/config")) {
        tree.insert(path, Node::File(Vec::new()));
    }
    let windows: String = summary::of(&facts(&tree, "x").0, &[])
        .lines()
        .filter(|line| line.starts_with("  window"))
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    expect![[r#"
          window mem32  0x1000_0000..=0x3efe_ffff  bus 0x1000_0000
          window mem64  0x80_0000_0000..=0xff_ffff_ffff  bus 0x100_0000_0000  prefetchable
    "#]]
    .assert_eq(&windows);
}
