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
    check(&with_board(BOARD), &expect![[]]);
}

#[test]
fn firmware_completes_what_the_kernel_lists() {
    let text = summary::of(&facts(&with_board(BOARD), "x").0, &[]);
    let kinds = ["ram", "iommu", "its", "root-complex", "  window", "  stream", "  msi"];
    let lines = text.lines().filter(|line| kinds.iter().any(|kind| line.starts_with(kind)));
    expect![[]].assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn a_tree_that_cannot_be_read_is_no_reason_not_to_plan() {
    check(&with(FDT, "no tree"), &expect![[]]);
}

#[test]
fn an_iommu_is_elsewhere() {
    let board = changed("reg = <0 0x9050000 0 0x20000>", "reg = <0 0x9060000 0 0x20000>");
    check(&with_board(&board), &expect![[]]);
}

#[test]
fn functions_are_behind_another_iommu() {
    let board = changed("&smmu 0x1000 0x8000", "&other 0x1000 0x8000").replace("status = \"disabled\";", "");
    let mut tree = with_board(&board);
    tree.insert("sys/class/iommu/smmu3.0x000000000a000000", Node::Directory);
    check(&tree, &expect![[]]);
}

#[test]
fn an_its_is_elsewhere() {
    let mut iomem = capture("arm64-7.3-smmu-its-dt").file(IOMEM).unwrap().to_vec();
    iomem.extend(b"09080000-0909ffff : ITS\n");
    check(&with(IOMEM, iomem), &expect![[]]);
}

#[test]
fn a_distributor_is_elsewhere() {
    let board = changed("reg = <0 0x8000000 0 0x10000>", "reg = <0 0x7000000 0 0x10000>");
    check(&with_board(&board), &expect![[]]);
}

#[test]
fn a_host_bridge_has_another_segment() {
    check(&with_board(&changed("linux,pci-domain = <0>", "linux,pci-domain = <1>")), &expect![[]]);
}

#[test]
fn a_host_bridge_has_fewer_buses() {
    check(&with_board(&changed("bus-range = <0 0xff>", "bus-range = <0 3>")), &expect![[]]);
}

#[test]
fn a_window_is_only_the_kernels() {
    check(&with_board(&changed(", <0x3000000 0x80 0 0x80 0 0x80 0>", "")), &expect![[]]);
}

#[test]
fn a_window_is_only_firmwares() {
    let board = changed(
        "<0x3000000 0x80 0 0x80 0 0x80 0>",
        "<0x3000000 0x80 0 0x80 0 0x80 0>, <0x3000000 0x200 0 0x200 0 1 0>",
    );
    check(&with_board(&board), &expect![[]]);
}

#[test]
fn devices_show_other_bus_addresses() {
    let board = changed("<0x2000000 0 0x10000000 0 0x10000000", "<0x2000000 0 0x20000000 0 0x10000000");
    check(&with_board(&board), &expect![[]]);
}

#[test]
fn firmware_tells_the_bus_addresses_that_no_device_shows() {
    let board = changed("<0x3000000 0x80 0 0x80 0 0x80 0>", "<0x43000000 0x100 0 0x80 0 0x80 0>");
    let mut tree = with_board(&board);
    for (path, node) in capture("arm64-7.3-smmu-its-dt").iter() {
        // Without configuration space nobody knows what stands in the registers.
        if path.ends_with("/config") {
            tree.insert(path, Node::File(Vec::new()));
            let _ = node;
        }
    }
    let windows: String = summary::of(&facts(&tree, "x").0, &[])
        .lines()
        .filter(|line| line.starts_with("  window"))
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[]].assert_eq(&windows);
}
