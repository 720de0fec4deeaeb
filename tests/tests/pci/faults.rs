//! Sound configuration space of each kind, and one fault in it at a time.

use expect_test::{Expect, expect, expect_file};
use planner_core::read::pci::read;
use proptest::prelude::*;

use super::{Bytes, lines};

/// What is read of an endpoint with everything, without its register tables.
fn full() -> Bytes {
    let mut bytes = Bytes::express();
    bytes
        .put(0x0e, &[0x80])
        .put(0x10, &[0x0c, 0x00, 0x00, 0x80, 0x01, 0x00, 0x00, 0x00])
        .list(&[
            (0x40, &[0x05, 0x00, 0x0a, 0x00]),
            (0x50, &[0x11, 0x00, 0x3f, 0x80, 0x03, 0x20, 0x00, 0x00]),
            (0x70, &[0x10, 0x00, 0x02, 0x00]),
        ])
        .extended(&[
            (0x000d, 0x100, &[0x5f, 0x00, 0x1d, 0x00]),
            (0x000e, 0x140, &[0x00]),
            (0x000f, 0x150, &[0x00]),
            (0x0010, 0x160, &SRIOV),
            (0x0013, 0x1a0, &[0x00]),
            (0x001b, 0x1b0, &[0x00, 0x14, 0x00, 0x00]),
            (0x0015, 0x1c0, &[0x00, 0xf0, 0x01, 0x00, 0x20, 0x0c, 0x00, 0x00]),
        ]);
    bytes
}

/// Eight virtual functions of which two are enabled, from 0x80 on, every second requester ID.
const SRIOV: [u8; 24] = [
    0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x08, 0x00, 0x08, 0x00, 0x02, 0x00, 0x00, 0x00, 0x80,
    0x00, 0x02, 0x00, 0x00, 0x00, 0xca, 0x10,
];

fn check(bytes: &Bytes, expected: &Expect) {
    let (config, diagnostics) = read(&bytes.0, "config");
    let capabilities = [
        ("msi", config.msi.is_some()),
        ("msix", config.msix.is_some()),
        ("express", config.express.is_some()),
        ("acs", config.acs.is_some()),
        ("ari", config.ari),
        ("ats", config.ats),
        ("sriov", config.sriov.is_some()),
        ("pri", config.pri),
        ("pasid", config.pasid_bits.is_some()),
        ("resizable", !config.resizable.is_empty()),
    ];
    let found: Vec<&str> = capabilities.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    expected.assert_eq(&format!("{}\n{}", found.join(" "), lines(&diagnostics)));
}

#[test]
fn everything_of_an_endpoint_is_read() {
    let (config, diagnostics) = read(&full().0, "config");
    assert_eq!(lines(&diagnostics), "");
    expect_file!["../../cases/pci/endpoint.txt"].assert_debug_eq(&config);
}

#[test]
fn a_bridge_is_read() {
    let mut bytes = Bytes::express();
    bytes
        .put(0x0e, &[0x01])
        .put(0x09, &[0x00, 0x04, 0x06])
        .put(0x18, &[0x00, 0x01, 0x05])
        .put(0x1c, &[0x41, 0x51])
        .put(0x20, &[0x00, 0x10, 0x10, 0x10])
        .put(0x24, &[0x01, 0x00, 0xf1, 0x0f, 0x80, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00])
        .list(&[(0x40, &[0x10, 0x00, 0x42, 0x01])])
        .put(0x54, &[0x00, 0x00, 0x18, 0x00])
        .put(0x68, &[0x20])
        .extended(&[(0x000d, 0x100, &[0x5f, 0x00, 0x1d, 0x00])]);
    let (config, diagnostics) = read(&bytes.0, "config");
    assert_eq!(lines(&diagnostics), "");
    expect![[r#"
        (
            Some(
                Bridge {
                    primary: 0,
                    buses: BridgeBusesFact {
                        secondary: 1,
                        subordinate: 5,
                    },
                    io: Some(
                        0x4000..=0x5fff,
                    ),
                    memory: Some(
                        0x1000_0000..=0x101f_ffff,
                    ),
                    prefetchable: Some(
                        0x80_0000_0000..=0x80_0fff_ffff,
                    ),
                },
            ),
            Some(
                Express {
                    port_type: Some(
                        RootPort,
                    ),
                    slot: Some(
                        3,
                    ),
                    ari_forwarding: true,
                },
            ),
            Some(
                AcsFact {
                    capability: 95,
                    control: Some(
                        29,
                    ),
                },
            ),
        )
    "#]]
    .assert_debug_eq(&(config.bridge, config.express, config.acs));
}

#[test]
fn the_registers_of_old_intel_ports_stand_elsewhere() {
    // Sunrise Point uses double words: the control register is four bytes further on.
    let mut bytes = Bytes::express();
    bytes
        .put(0x02, &[0x10, 0xa1])
        .put(0x0e, &[0x01])
        .list(&[(0x40, &[0x10, 0x00, 0x42, 0x01])])
        .extended(&[(0x000d, 0x140, &[0x0f, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x00, 0x00])])
        .extended(&[(0x0001, 0x100, &[]), (0x000d, 0x140, &[])]);
    let acs = read(&bytes.0, "config").0.acs.unwrap();
    assert_eq!((acs.capability, acs.control), (0x0f, Some(0x0d)));
}

#[test]
fn what_a_reader_without_root_sees_is_the_header() {
    let (config, diagnostics) = read(&full().0[..64], "config");
    assert_eq!(lines(&diagnostics), "");
    assert!(config.id.is_some() && config.header.is_some(), "{config:?}");
    assert!(config.msi.is_none() && config.express.is_none() && config.acs.is_none(), "{config:?}");
}

#[test]
fn nothing_answered() {
    check(
        &Bytes(vec![0xff; 4096]),
        &expect![[r#"

        warning[B005] config+0x0: every byte of the header is 0xff: nothing answered
    "#]],
    );
}

#[test]
fn an_unknown_header_type() {
    check(
        Bytes::express().put(0x0e, &[0x05]),
        &expect![[r#"

        warning[B004] config+0xe: the header type is 0x05, where there are 0, 1 and 2
    "#]],
    );
}

#[test]
fn a_list_that_returns() {
    check(
        full().put(0x51, &[0x40]),
        &expect![[r#"
        msi msix acs ari ats sriov pri pasid resizable
        warning[B003] config+0x51: the capability list returns to 0x40
    "#]],
    );
}

#[test]
fn a_list_that_leads_into_the_header() {
    check(
        full().put(0x41, &[0x10]),
        &expect![[r#"
        msi acs ari ats sriov pri pasid resizable
        warning[B002] config+0x41: the capability list leads to 0x10, where no capability is (0x40 to 0x100)
    "#]],
    );
}

#[test]
fn a_list_that_leads_past_the_end() {
    check(
        &Bytes(full().put(0x41, &[0xf0]).0[..0x80].to_vec()),
        &expect![[r#"
        msi
        warning[B002] config+0x41: the capability list leads to 0xf0, where no capability is (0x40 to 0x80)
    "#]],
    );
}

#[test]
fn a_list_that_leads_to_ones() {
    check(
        full().put(0x50, &[0xff; 4]),
        &expect![[r#"
        msi acs ari ats sriov pri pasid resizable
        warning[B002] config+0x41: the capability list leads to 0x50, where no capability is (0x40 to 0x100)
    "#]],
    );
}

#[test]
fn an_extended_list_that_returns() {
    check(
        full().put(0x140, &[0x0e, 0x00, 0x01, 0x10]),
        &expect![[r#"
        msi msix express acs ari
        warning[B003] config+0x140: the extended capability list returns to 0x100
    "#]],
    );
}

#[test]
fn an_extended_list_that_leads_below_its_space() {
    check(
        full().put(0x140, &[0x0e, 0x00, 0x01, 0x04]),
        &expect![[r#"
        msi msix express acs ari
        warning[B002] config+0x140: the extended capability list leads to 0x40, where no capability is (0x100 to 0x1000)
    "#]],
    );
}

#[test]
fn an_extended_list_that_leads_past_the_end() {
    check(
        &Bytes(full().0[..0x158].to_vec()),
        &expect![[r#"
        msi msix express acs ari ats
        warning[B002] config+0x150: the extended capability list leads to 0x160, where no capability is (0x100 to 0x158)
    "#]],
    );
}

#[test]
fn capabilities_that_pass_the_end() {
    check(
        &Bytes(full().0[..0x16c].to_vec()),
        &expect![[r#"
        msi msix express acs ari ats
        warning[B002] config+0x160: the extended capability list leads to 0x1a0, where no capability is (0x100 to 0x16c)
        warning[B006] config+0x168: the SR-IOV capability at 0x168 passes the end of the 364 bytes that are there
    "#]],
    );
    check(
        &Bytes(full().put(0x41, &[0xfc]).put(0xfc, &[0x10, 0x00, 0x02, 0x00]).0[..0xfe].to_vec()),
        &expect![[r#"
            msi
            warning[B006] config+0xfe: the PCI Express capability at 0xfe passes the end of the 254 bytes that are there
        "#]],
    );
}

#[test]
fn a_reserved_port_type() {
    check(
        full().put(0x72, &[0xf2]),
        &expect![[r#"
        msi msix express acs ari ats sriov pri pasid resizable
        warning[B007] config+0x72: the port type is 0xf, which is reserved
    "#]],
    );
}

#[test]
fn a_window_that_ends_below_its_start() {
    let mut bytes = Bytes::express();
    bytes.put(0x0e, &[0x01]).put(0x18, &[0x00, 0x01, 0x01]).put(0x24, &[0x01, 0x00, 0xf1, 0xff, 0x01]);
    check(
        &bytes,
        &expect![[r#"

        warning[B008] config+0x24: the window ends at 0xffff_ffff below its start, 0x1_0000_0000
    "#]],
    );
}

proptest! {
    /// Any bytes are read, in a time and with a memory that the 4096 bytes bound.
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        let (config, diagnostics) = read(&bytes, "config");
        prop_assert!(config.bytes <= 4096 && diagnostics.len() < 100);
        let _ = config.facts();
    }

    /// So are sound ones with some of their bytes changed, or cut.
    #[test]
    fn damaged_bytes_are_read(at in 0..4096_usize, value: u8, cut in 0..=4096_usize) {
        let mut bytes = full();
        bytes.put(at, &[value]);
        let (config, _) = read(&bytes.0[..cut], "config");
        let _ = config.facts();
    }
}
