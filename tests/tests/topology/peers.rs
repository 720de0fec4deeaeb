//! Where peer-to-peer requests go, for one pair and for all ports.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use planner_core::host::Host;
use planner_core::host::topology::Topology;
use planner_core::host::topology::p2p::{Peers, Place, Route, Turn};

use super::resolved;

/// Two root ports, a switch below the first, a bridge to PCI below the second, a device of two functions.
const MACHINE: &str = "host test {
    arch aarch64
    kernel linux 6.12 { page 4K }
    smmu smmu0 { model smmuv3 }
    root-complex pcie0 {
        buses 0x00..=0x3f
        smmu smmu0
        window mem32 0x1000_0000 + 256M P2P
        device 00:01.0 { type root-port buses 0x01..=0x04 acs 0x5f ROOT }
        device 00:02.0 { type root-port buses 0x05..=0x06 acs 0x5f }
        device 01:00.0 { type upstream-port buses 0x02..=0x04 }
        device 02:00.0 { type downstream-port buses 0x03..=0x03 acs 0x5f }
        device 02:01.0 { type downstream-port buses 0x04..=0x04 acs 0x5f control 0x11 }
        device 03:00.0 { type endpoint ats }
        device 04:00.0 { type endpoint multifunction acs 0x0 }
        device 04:00.1 { type endpoint multifunction acs 0x0 }
        device 05:00.0 { type pcie-to-pci-bridge buses 0x06..=0x06 }
        device 06:01.0 { type conventional }
        device 06:02.0 { type conventional }
    }
    root-complex pcie1 {
        buses 0x40..=0x7f
        device 40:00.0 { type rc-endpoint }
    }
}";

fn machine(root: &str, p2p: &str) -> Host {
    resolved(&MACHINE.replace("ROOT", root).replace("P2P", p2p)).0
}

fn place(host: &Host, place: Place) -> String {
    match place {
        Place::Device(device) => host.devices[device].address.to_string(),
        Place::RootComplex(complex) => host.root_complexes[complex].name.clone(),
        Place::Entry => "it".to_owned(),
    }
}

fn route(host: &Host, route: &Route) -> String {
    let because: Vec<String> =
        route.because.iter().map(|&(at, because)| format!("{} {because}", place(host, at))).collect();
    let ats = if route.translated_direct { " (directly if translated before)" } else { "" };
    format!("{}{ats}: {}", route.kind, because.join("; "))
}

fn check(host: &Host, pairs: &[(&str, &str)], expected: &Expect) {
    let topology = Topology::new(host);
    let mut text = String::new();
    for (from, to) in pairs {
        let index = |address: &str| topology.find(address.parse().unwrap()).unwrap();
        let found = topology.p2p(index(from), index(to));
        writeln!(text, "{from} -> {to} {}", route(host, &found)).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn every_kind_of_way() {
    check(
        &machine("", ""),
        &[
            ("03:00.0", "04:00.0"),
            ("04:00.0", "03:00.0"),
            ("04:00.0", "04:00.1"),
            ("06:01.0", "06:02.0"),
            ("03:00.0", "06:01.0"),
            ("06:01.0", "03:00.0"),
            ("03:00.0", "02:00.0"),
            ("03:00.0", "40:00.0"),
            ("40:00.0", "03:00.0"),
        ],
        &expect![[r#"
            03:00.0 -> 04:00.0 through the IOMMU: 0000:02:00.0 redirects requests upwards (ACS P2P request redirect)
            04:00.0 -> 03:00.0 directly: 0000:02:01.0 does not redirect requests (ACS P2P request redirect is off)
            04:00.0 -> 04:00.1 directly: 0000:04:00.0 has no ACS capability
            06:01.0 -> 06:02.0 directly: 0000:06:01.0 shares a conventional PCI bus
            03:00.0 -> 06:01.0 through the IOMMU: 0000:00:01.0 redirects requests upwards (ACS P2P request redirect)
            06:01.0 -> 03:00.0 through the IOMMU: 0000:00:02.0 redirects requests upwards (ACS P2P request redirect)
            03:00.0 -> 02:00.0 not known: 0000:02:00.0 is the bridge above the other function
            03:00.0 -> 40:00.0 through the IOMMU: pcie0 is another root complex than that of the peer
            40:00.0 -> 03:00.0 through the root complex, not translated: pcie1 has no IOMMU for the sender
        "#]],
    );
}

#[test]
fn a_root_complex_decides_where_ports_do_not() {
    for p2p in ["", "intercepts-p2p", "no-p2p"] {
        let expected = match p2p {
            "intercepts-p2p" => expect![[r#"
                03:00.0 -> 06:01.0 through the root complex, not translated: pcie0 takes requests for its windows before the IOMMU
            "#]],
            "no-p2p" => expect![[r#"
                03:00.0 -> 06:01.0 through the IOMMU: pcie0 passes requests for its windows to the IOMMU
            "#]],
            _ => expect![[r#"
                03:00.0 -> 06:01.0 not known: pcie0 is not known to pass requests for its windows to the IOMMU, or to take them
            "#]],
        };
        check(&machine("control 0x11", p2p), &[("03:00.0", "06:01.0")], &expected);
    }
}

#[test]
fn what_a_switch_redirects_comes_back_where_the_root_port_does_not_forward() {
    check(
        &machine("control 0x0d", ""),
        &[("03:00.0", "04:00.0")],
        &expect![[r#"
        03:00.0 -> 04:00.0 not known: 0000:02:00.0 redirects requests upwards (ACS P2P request redirect); 0000:00:01.0 is not set to forward upwards what leads back down (ACS upstream forwarding is off)
    "#]],
    );
}

#[test]
fn the_listing_names_each_port_once() {
    let host = machine("", "intercepts-p2p");
    let topology = Topology::new(&host);
    let line = |turn: &Turn| {
        let from: Vec<String> =
            turn.from.iter().map(|&device| host.devices[device].address.to_string()).collect();
        let to = match turn.to {
            Peers::SameDevice => "the same device",
            Peers::SameParent => "the others",
            Peers::OtherRootComplexes => "other root complexes",
        };
        format!(
            "below {}: {} -> {to} {}\n",
            place(&host, turn.below),
            from.join(" "),
            route(&host, &turn.route)
        )
    };
    let lines: String = topology.p2p_turns().iter().map(line).collect();
    expect![[r#"
        below pcie0: 0000:00:01.0 0000:00:02.0 -> the others through the IOMMU: it redirects requests upwards (ACS P2P request redirect)
        below pcie0: 0000:00:01.0 0000:00:02.0 -> other root complexes through the IOMMU: pcie0 is another root complex than that of the peer
        below pcie1: 0000:40:00.0 -> other root complexes through the root complex, not translated: pcie1 has no IOMMU for the sender
        below 0000:01:00.0: 0000:02:01.0 -> the others directly: it does not redirect requests (ACS P2P request redirect is off)
        below 0000:01:00.0: 0000:02:00.0 -> the others through the IOMMU: it redirects requests upwards (ACS P2P request redirect)
        below 0000:02:01.0: 0000:04:00.0 0000:04:00.1 -> the same device directly: it has no ACS capability
        below 0000:05:00.0: 0000:06:01.0 0000:06:02.0 -> the others directly: it shares a conventional PCI bus
    "#]].assert_eq(&lines);
}
