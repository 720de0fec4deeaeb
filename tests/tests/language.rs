//! The description language: text to facts, facts to text, and what is said about faults.

use expect_test::expect;
use planner_core::read::language;
use planner_core::render::{Color, Sources, render};

const SEATTLE: &str = include_str!("../cases/language/seattle.host");

#[test]
fn the_sketch_reads_and_prints() {
    let (document, diagnostics) = language::parse("seattle.host", SEATTLE);
    let mut sources = Sources::new();
    sources.insert("seattle.host", SEATTLE);
    assert_eq!(render(&diagnostics, &sources, Color::Never), "");
    let hosts: String = document.hosts.iter().map(language::print_host).collect();
    let guests: String = document.guests.iter().map(language::print_guest).collect();
    expect![[r#"
        host amd-seattle {
            kernel linux 6.12 { page 4K }
            ram 0x80_0000_0000 + 16G
            gicv2m v2m0 { frame 0xe118_0000 + 4K  spis 64..=319 }
            doorbell fixed 0xfee0_0000 + 1M
            smmu pcie-smmu { model mmu-401  aperture 40 bits  pages 4K 2M 1G }
            root-complex pcie0 {
                buses 0x00..=0x7f
                smmu pcie-smmu { rid 0x0..=0xffff -> stream 0x0 }
                msi v2m0
                window mem32 0x4000_0000 + 2G intercepts-p2p
                window mem64 0x1_0000_0000 + 508G intercepts-p2p
                device 01:00.0 { id 8086:1520  class 0200  bar 0 mem64 prefetchable 16K  msix 3 }
            }
        }
        guest nfv0 {
            vmm kvmtool
            memory 16G { pages 2M }
            vcpus 8
            pass 0000:01:00.0
        }
    "#]]
    .assert_eq(&format!("{hosts}{guests}"));
}
