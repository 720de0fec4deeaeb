//! Descriptions in, text and graph out.

use expect_test::{Expect, expect};

use super::*;
use crate::host::resolve;
use crate::map::{Glyphs, TextStyle};
use crate::read::language;
use crate::render::Color;

fn inspect(description: &str) -> Inspection {
    let (facts, mut found) = language::parse_host("x.host", description);
    let (host, more) = resolve::resolve(&facts);
    found.extend(more);
    Inspection::new(&host, &found, None)
}

fn style(width: usize) -> TextStyle {
    TextStyle { width, glyphs: Glyphs::Box, color: Color::Never }
}

const BOARD: &str = r#"host "board" {
    kernel linux 6.12 { page 4K }
    ram 0x8000_0000 + 2G
    its its0 { frame 0x808_0000 + 128K }
    smmu smmu0 { model smmuv3 aperture 48 bits pages 4K 2M 1G }
    root-complex pcie0 {
        segment 0 buses 0x00..=0x7f
        smmu smmu0 { rid 0x0..=0xffff -> stream 0x1_0000 }
        msi its0 { rid 0x0..=0xffff -> device-id 0x0 }
        window mem32 cpu 0x50_4000_0000 bus 0x4000_0000 size 1G intercepts-p2p
        window mem64 0x80_0000_0000 + 4G prefetchable
        inbound cpu 0x8000_0000 bus 0x8000_0000 size 2G
        device 00:00.0 { id 1b36:0008 class 0600 }
        device 00:01.0 { id 8086:1520 class 0200 }
        device 00:02.0 { id 1b36:0010 class 010802 msix 65 }
        device 00:03.0 { id 1b36:0010 class 010802 msix 65 }
        device 00:04.0 { id 1b36:0010 class 010802 msix 65 }
        device 00:05.0 { id 1b36:0010 class 010802 msix 65 }
    }
    group 0 { devices 00:00.0 }
    group 1 { devices 00:01.0 00:02.0 00:03.0 00:04.0 00:05.0 }
}"#;

#[track_caller]
fn check(inspection: &Inspection, width: usize, expected: Expect) {
    expected.assert_eq(&text(inspection, &style(width)));
}

#[test]
fn a_host_is_told_in_full() {
    check(
        &inspect(BOARD),
        100,
        expect![[r#"
            board: aarch64, Linux 6.12 with 4K pages
              RAM 0x8000_0000..=0xffff_ffff (2 GiB)

            IOMMUs
              smmu0  smmuv3  aperture 0x0..=0xffff_ffff_ffff  pages 4K 2M 1G  6 functions

            doorbells
              its0  its  written at 0x809_0040  registers 0x808_0000..=0x809_ffff  6 functions

            root complex pcie0: segment 0000, buses 00..=7f, 6 functions
              window mem32  0x50_4000_0000..=0x50_7fff_ffff (1 GiB)  on the bus 0x4000_0000..=0x7fff_ffff
                  intercepts-p2p
              window mem64  0x80_0000_0000..=0x80_ffff_ffff (4 GiB)  prefetchable
              inbound  0x8000_0000..=0xffff_ffff (2 GiB)  on the bus 0x8000_0000..=0xffff_ffff
              ├─ 0000:00:00.0  1b36:0008  host bridge  group 0  stream 0x10000  device ID 0x0
              ├─ 0000:00:01.0  8086:1520  Ethernet controller  group 1  stream 0x10008  device ID 0x8
              └─ 4 x 0000:00:02.0 to 0000:00:05.0  1b36:0010  NVMe controllers  group 1
                   streams 0x10010, 0x10018, 0x10020, 0x10028  device IDs 0x10, 0x18, 0x20, 0x28

            IOMMU groups: 2, 1 of one function
              1  0000:00:01.0  0000:00:02.0  0000:00:03.0  0000:00:04.0  0000:00:05.0
        "#]],
    );
}

#[test]
fn a_narrow_terminal_gets_more_lines() {
    let inspection = inspect(BOARD);
    check(
        &inspection,
        50,
        expect![[r#"
            board: aarch64, Linux 6.12 with 4K pages
              RAM 0x8000_0000..=0xffff_ffff (2 GiB)

            IOMMUs
              smmu0  smmuv3  aperture 0x0..=0xffff_ffff_ffff
                  pages 4K 2M 1G  6 functions

            doorbells
              its0  its  written at 0x809_0040
                  registers 0x808_0000..=0x809_ffff
                  6 functions

            root complex pcie0: segment 0000, buses 00..=7f, 6 functions
              window mem32
                  0x50_4000_0000..=0x50_7fff_ffff (1 GiB)
                  on the bus 0x4000_0000..=0x7fff_ffff
                  intercepts-p2p
              window mem64
                  0x80_0000_0000..=0x80_ffff_ffff (4 GiB)
                  prefetchable
              inbound  0x8000_0000..=0xffff_ffff (2 GiB)
                  on the bus 0x8000_0000..=0xffff_ffff
              ├─ 0000:00:00.0  1b36:0008  host bridge  group 0
              │    stream 0x10000  device ID 0x0
              ├─ 0000:00:01.0  8086:1520  Ethernet controller
              │    group 1  stream 0x10008  device ID 0x8
              └─ 4 x 0000:00:02.0 to 0000:00:05.0  1b36:0010
                   NVMe controllers  group 1
                   streams 0x10010, 0x10018, 0x10020, 0x10028
                   device IDs 0x10, 0x18, 0x20, 0x28

            IOMMU groups: 2, 1 of one function
              1  0000:00:01.0  0000:00:02.0  0000:00:03.0
                  0000:00:04.0  0000:00:05.0
        "#]],
    );
    let ascii = TextStyle { glyphs: Glyphs::Ascii, ..style(80) };
    assert!(text(&inspection, &ascii).is_ascii());
}

#[test]
fn graphs_quote_every_name() {
    let mut inspection = inspect(BOARD);
    inspection.host.name = "a\"; b\\N\n".to_owned();
    expect![[r##"
        digraph "a\"; b\\N�" {
          rankdir=LR;
          node [shape=box, fontname="sans-serif"];
          "iommu smmu0" [label="smmu0\nsmmuv3", style=filled, fillcolor="#fde0c5"];
          "doorbell its0" [label="its0\nits\n0x809_0040", shape=cds, style=filled, fillcolor="#d9e8fb"];
          "root complex 0" [label="pcie0\n0000, buses 00..=7f", style=filled, fillcolor="#e6e6e6"];
          "0000:00:00.0" [label="0000:00:00.0\nhost bridge\n1b36:0008\ngroup 0"];
          "root complex 0" -> "0000:00:00.0" [dir=none];
          "0000:00:01.0" [label="0000:00:01.0\nEthernet controller\n8086:1520\ngroup 1"];
          "root complex 0" -> "0000:00:01.0" [dir=none];
          "0000:00:02.0" [label="4 x 0000:00:02.0 to 0000:00:05.0\nNVMe controller\n1b36:0010\ngroup 1"];
          "root complex 0" -> "0000:00:02.0" [dir=none];
          "iommu smmu0" -> "doorbell its0" [label="6", style=bold];
          "root complex 0" -> "iommu smmu0" [label="6", style=bold];
        }
    "##]]
    .assert_eq(&dot(&inspection));
}

/// A switch below a root port, and a card with virtual functions on further buses.
#[test]
fn functions_stand_below_their_bridges() {
    let mut functions = String::new();
    for (bus, device) in [(4, 0), (4, 1), (5, 0)] {
        functions +=
            &format!("device {bus:02x}:{device:02x}.4 {{ id 8086:154c class 0200 vf-of 04:00.0 }}\n");
    }
    let description = format!(
        r#"host "tree" {{
            kernel linux 6.12 {{ page 4K }}
            root-complex pci0 {{
                device 00:01.0 {{ class 0604 type root-port buses 0x01..=0x06 }}
                device 00:02.0 {{ class 0604 type root-port buses 0x07..=0x07 }}
                device 01:00.0 {{ class 0604 type upstream-port buses 0x02..=0x06 }}
                device 02:00.0 {{ class 0604 type downstream-port buses 0x03..=0x03 }}
                device 02:01.0 {{ class 0604 type downstream-port buses 0x04..=0x06 }}
                device 03:00.0 {{ id 1b36:0010 class 010802 }}
                device 04:00.0 {{ id 8086:1572 class 0200 sriov total 64 enabled 3 }}
                device 07:00.0 {{ class 0302 }}
                device 09:00.0 {{ class 0880 }}
                {functions}
            }}
        }}"#
    );
    check(
        &inspect(&description),
        100,
        expect![[r#"
            tree: aarch64, Linux 6.12 with 4K pages
              RAM is not known

            IOMMUs
              none

            doorbells
              none is known

            root complex pci0: segment 0000, buses 00..=ff, 12 functions
              ├─ 0000:00:01.0  root port  buses 01..=06
              │  └─ 0000:01:00.0  upstream port  buses 02..=06
              │     ├─ 0000:02:00.0  downstream port  bus 03
              │     │  └─ 0000:03:00.0  1b36:0010  NVMe controller
              │     └─ 0000:02:01.0  downstream port  buses 04..=06
              │        └─ 0000:04:00.0  8086:1572  Ethernet controller  3 of 64 virtual functions
              │           └─ 3 x 0000:04:00.4 to 0000:05:00.4  8086:154c
              │                virtual functions, Ethernet controllers
              ├─ 0000:00:02.0  root port  bus 07
              │  └─ 0000:07:00.0  3D controller
              └─ 0000:09:00.0  system peripheral

            IOMMU groups: none

            missing or doubtful
              H003  the architecture is not known  x.host:1
              H022  the bridge above a function is not known  x.host:12
        "#]],
    );
}

/// A switch of which one port redirects and one does not, and a second root complex.
#[test]
fn routes_say_why() {
    let description = r#"host "switch" {
        kernel linux 6.12 { page 4K }
        smmu smmu0 { model smmuv3 }
        root-complex pci0 {
            buses 0x00..=0x0f
            smmu smmu0
            window mem32 0x4000_0000 + 1G intercepts-p2p
            device 00:01.0 { class 0604 type root-port buses 0x01..=0x04 acs 0x1f }
            device 01:00.0 { class 0604 type upstream-port buses 0x02..=0x04 }
            device 02:00.0 { class 0604 type downstream-port buses 0x03..=0x03 acs 0x1f control 0x1d }
            device 02:01.0 { class 0604 type downstream-port buses 0x04..=0x04 acs 0x1f control 0x0 }
            device 03:00.0 { class 010802 type endpoint }
            device 04:00.0 { class 0302 type endpoint ats }
        }
        root-complex pci1 { buses 0x10..=0x1f smmu smmu0 device 10:00.0 { class 0200 type endpoint } }
    }"#;
    let (facts, _) = language::parse_host("x.host", description);
    let (host, _) = resolve::resolve(&facts);
    let mut inspection = Inspection::new(&host, &[], None);
    inspection.p2p = Some(turns(&host));
    expect![[r#"
        switch: DMA from one function to a register of another
          below pci0, from 0000:00:01.0 to what is below other root complexes: through the IOMMU
            because pci0 is another root complex than that of the peer
          below pci1, from 0000:10:00.0 to what is below other root complexes: through the IOMMU
            because pci1 is another root complex than that of the peer
          below 0000:01:00.0, from 0000:02:01.0 to everything else below it: directly, the IOMMU
            does not see it
            because the port does not redirect requests (ACS P2P request redirect is off)
          below 0000:01:00.0, from 0000:02:00.0 to everything else below it: through the IOMMU
            because the port redirects requests upwards (ACS P2P request redirect)
    "#]]
    .assert_eq(&routes(&inspection, &style(90)));
    inspection.p2p = None;
    inspection.p2p_pair =
        pair(&host, "03:00.0".parse().expect("an address"), "04:00.0".parse().expect("an address"));
    expect![[r#"
        switch: DMA from one function to a register of another
          from 0000:03:00.0 to 0000:04:00.0: through the IOMMU
            because 0000:02:00.0 redirects requests upwards (ACS P2P
              request redirect)
    "#]]
    .assert_eq(&routes(&inspection, &style(60)));
    assert_eq!(pair(&host, host.devices[0].address, "1f:00.0".parse().expect("an address")), None);
}

#[test]
fn a_chain_of_all_buses_is_no_trouble() {
    let bridges: String = (0..255)
        .map(|bus| format!("device {bus:02x}:00.0 {{ class 0604 buses {:#04x}..=0xff }}\n", bus + 1))
        .collect();
    let inspection =
        inspect(&format!("host \"chain\" {{ kernel linux 6.12 root-complex a {{ {bridges} }} }}"));
    let functions = &inspection.root_complexes[0].functions;
    assert_eq!((functions.len(), functions[254].depth), (255, 254));
    assert!(text(&inspection, &style(80)).lines().count() > 255);
}
