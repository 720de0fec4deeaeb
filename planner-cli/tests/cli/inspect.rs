//! `planner inspect`: what was understood of a host.

use expect_test::expect;
use serde_json::Value;

use crate::{check, run};

#[test]
fn a_description_is_told() {
    check(
        "inspect board.host",
        expect![[r#"
        board: aarch64, Linux 6.12 with 4K pages
          RAM 0x80_0000_0000..=0x87_ffff_ffff (32 GiB)
            44 bits of guest-physical address

        IOMMUs
          smmu0  mmu-600  aperture 0x0..=0xffff_ffff_ffff  pages 4K 2M 1G  2 functions

        doorbells
          its0  its  written at 0x603_0040  registers 0x602_0000..=0x603_ffff
              2 functions

        root complex pcie0: segment 0000, buses 00..=0f, 2 functions
          window mem32  0x4000_0000..=0x7fff_ffff (1 GiB)  intercepts-p2p
          window mem64  0x90_0000_0000..=0x93_ffff_ffff (16 GiB)
              on the bus 0x10_0000_0000..=0x13_ffff_ffff  prefetchable  no-p2p
          ├─ 0000:01:00.0  8086:1520  Ethernet controller  group 0  stream 0x100
          │    device ID 0x100
          └─ 0000:02:00.0  8086:1520  Ethernet controller  group 1  stream 0x200
               device ID 0x200

        IOMMU groups: 2, 2 of one function
        --- exit 0
    "#]],
    );
}

#[test]
fn a_capture_is_told() {
    check(
        "inspect ../../../tests/captures/x86-7.3-noiommu.tar.gz --width 100",
        expect![[r#"
            x86-7.3-noiommu: x86_64, Linux 7.3.4 with 4K pages
              RAM about 4095 MiB in 3 pieces from 0x1000 to 0x1_7fff_ffff  40 bits of guest-physical address
                unsafe interrupts are not allowed

            IOMMUs
              none

            doorbells
              none is known

            root complex pci0000:00: segment 0000, buses 00..=3f, 17 functions
              window mem32  0xa_0000..=0xb_ffff (128 KiB)
              window mem32  0x8000_0000..=0xafff_ffff (768 MiB)
              window mem32  0xc000_0000..=0xfdff_ffff (992 MiB)
              window mem32  0xfe40_0000..=0xfea9_9fff (6760 KiB)
              window mem32  0xfea9_c000..=0xfebf_ffff (1424 KiB)
              window mem64  0xc0_4000_0000..=0xc8_3fff_ffff (32 GiB)
              ├─ 0000:00:00.0  8086:29c0  host bridge
              ├─ 0000:00:01.0  1234:1111  VGA controller
              ├─ 0000:00:02.0  1b36:000c  root port  bus 01
              │  └─ 0000:01:00.0  8086:10d3  Ethernet controller
              ├─ 0000:00:03.0  1b36:000c  root port  bus 02
              │  └─ 0000:02:00.0  1b36:0010  NVMe controller
              ├─ 0000:00:04.0  1b36:000c  root port  bus 03
              │  └─ 0000:03:00.0  8086:10c9  Ethernet controller  0 of 7 virtual functions
              ├─ 0000:00:05.0  1b36:000c  root port  buses 04..=05
              │  └─ 0000:04:00.0  1b36:000e  PCIe-to-PCI bridge  bus 05
              │     ├─ 0000:05:01.0  8086:100e  Ethernet controller
              │     └─ 0000:05:02.0  1af4:1000  Ethernet controller
              ├─ 0000:00:06.0  8086:10d3  Ethernet controller
              ├─ 0000:00:07.0  1b36:000b  host bridge
              ├─ 0000:00:1f.0  8086:2918  ISA bridge
              ├─ 0000:00:1f.2  8086:2922  SATA controller
              └─ 0000:00:1f.3  8086:2930  SMBus

            root complex pci0000:40: segment 0000, buses 40..=ff, 4 functions
              window mem32  0xfe00_0000..=0xfe3f_ffff (4 MiB)
              window mem32  0xfea9_a000..=0xfea9_bfff (8 KiB)
              window mem64  0xc0_0000_0000..=0xc0_3fff_ffff (1 GiB)
              ├─ 0000:40:00.0  1b36:000c  root port  bus 41
              │  └─ 0000:41:00.0  1b36:0010  NVMe controller
              └─ 0000:40:01.0  1b36:000c  root port  bus 42
                 └─ 0000:42:00.0  8086:10d3  Ethernet controller

            IOMMU groups: none

            missing or doubtful
              C030  no IOMMU groups  sys/kernel/iommu_groups
            --- stderr
            warning[C030]: `sys/kernel/iommu_groups` is empty: groups, and what they reserve, are predicted from what firmware says
            --> sys/kernel/iommu_groups

            --- exit 0
        "#]],
    );
}

#[test]
fn a_graph_is_printed() {
    check(
        "inspect board.host --dot",
        expect![[r##"
            digraph "board" {
              rankdir=LR;
              node [shape=box, fontname="sans-serif"];
              "iommu smmu0" [label="smmu0\nmmu-600", style=filled, fillcolor="#fde0c5"];
              "doorbell its0" [label="its0\nits\n0x603_0040", shape=cds, style=filled, fillcolor="#d9e8fb"];
              "root complex 0" [label="pcie0\n0000, buses 00..=0f", style=filled, fillcolor="#e6e6e6"];
              "0000:01:00.0" [label="0000:01:00.0\nEthernet controller\n8086:1520\ngroup 0"];
              "root complex 0" -> "0000:01:00.0" [dir=none];
              "0000:02:00.0" [label="0000:02:00.0\nEthernet controller\n8086:1520\ngroup 1"];
              "root complex 0" -> "0000:02:00.0" [dir=none];
              "iommu smmu0" -> "doorbell its0" [label="2", style=bold];
              "root complex 0" -> "iommu smmu0" [label="2", style=bold];
            }
            --- exit 0
        "##]],
    );
}

#[test]
fn what_was_understood_is_json() {
    let told = run(&["inspect", "board.host", "--json"]);
    let document: Value = serde_json::from_str(&told.stdout).expect("it is JSON");
    assert_eq!(document["schema"], "inspect/1");
    assert_eq!(document["iommus"][0]["page_sizes"], "0x40201000");
    let function = &document["root_complexes"][0]["functions"][1];
    assert_eq!(function["address"], "0000:02:00.0");
    assert_eq!(function["streams"][0], "0x200");
    assert_eq!(function["what"], "Ethernet controller");
}

#[test]
fn bad_input_is_refused() {
    check(
        "inspect nowhere.tar.gz",
        expect![[r#"
        --- stderr
        error[C010]: `nowhere.tar.gz` does not exist
        --> nowhere.tar.gz
         = help: `live` reads this machine

        --- exit 2
    "#]],
    );
}

#[test]
fn peers_are_told_with_reasons() {
    check(
        "inspect board.host --p2p",
        expect![[r#"
        board: DMA from one function to a register of another
          below pcie0, from 0000:01:00.0, 0000:02:00.0 to everything else below it:
            through the root complex, not translated
            because pcie0 takes requests for its windows before the IOMMU
        --- exit 0
    "#]],
    );
    check(
        "inspect board.host --p2p=01:00.0,02:00.0",
        expect![[r#"
        board: DMA from one function to a register of another
          from 0000:01:00.0 to 0000:02:00.0: through the root complex, not translated
            because pcie0 takes requests for its windows before the IOMMU
        --- exit 0
    "#]],
    );
}

#[test]
fn a_function_that_is_not_there_is_refused() {
    check(
        "inspect board.host --p2p=01:00.0,03:00.0",
        expect![[r#"
        --- stderr
        error[A006]: `board` has no function 0000:03:00.0
        --> --p2p 0000:03:00.0
         = help: `planner inspect` lists the functions

        --- exit 2
    "#]],
    );
    check(
        "inspect board.host --p2p=01:00.0",
        expect![[r#"
        --- stderr
        error[A001]: --p2p: found `01:00.0`, expected two PCI addresses such as 0000:01:00.0,0000:02:00.0
        --> --p2p 01:00.0

        --- exit 2
    "#]],
    );
}

#[test]
fn peers_are_in_the_json_when_asked() {
    let told = |more: &[&str]| -> Value {
        let arguments: Vec<&str> = ["inspect", "board.host", "--json"].iter().chain(more).copied().collect();
        serde_json::from_str(&run(&arguments).stdout).expect("it is JSON")
    };
    assert!(told(&[]).get("p2p").is_none());
    assert_eq!(told(&["--p2p"])["p2p"][0]["below"], "pcie0");
    assert_eq!(told(&["--p2p=01:00.0,02:00.0"])["p2p_pair"]["to"], "0000:02:00.0");
}
