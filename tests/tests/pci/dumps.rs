//! Text of `lspci -xxxx` as a host.

use std::fmt::Write as _;

use expect_test::{Expect, expect, expect_file};
use planner_core::host::resolve::resolve;
use planner_core::read::capture::from_archive;
use planner_core::read::language::print_host;
use planner_core::read::pci::lspci::{facts, is_dump};
use proptest::prelude::*;

use super::lines;

/// As lspci prints these bytes.
fn dump(head: &str, bytes: &[u8]) -> String {
    let mut text = format!("{head}\n");
    for (at, line) in bytes.chunks(16).enumerate() {
        let words: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(text, "{:02x}: {}", at * 16, words.join(" ")).unwrap();
    }
    text + "\n"
}

/// The functions of a capture, as `lspci -D -xxxx` would have printed them there.
fn dump_of(name: &str) -> String {
    let path = format!("{}/captures/{name}.tar.gz", env!("CARGO_MANIFEST_DIR"));
    let tree = from_archive(&std::fs::read(path).unwrap(), name).0;
    let functions = tree.names("sys/bus/pci/devices");
    let one = |function: &&str| {
        let path = tree.canonical(&format!("sys/bus/pci/devices/{function}")).unwrap();
        dump(&format!("{function} Some device"), tree.file(&format!("{path}/config")).unwrap())
    };
    functions.iter().map(one).collect()
}

fn check(text: &str, expected: &Expect) {
    let (host, diagnostics) = facts(text, "dump.txt");
    expected.assert_eq(&(print_host(&host) + &lines(&diagnostics)));
}

#[test]
fn the_dump_of_a_captured_host_is_a_host() {
    let text = dump_of("arm64-7.3-smmu-sriov-acpi");
    assert!(is_dump(&text));
    let (facts, diagnostics) = facts(&text, "dump.txt");
    assert_eq!(lines(&diagnostics), "");
    expect_file!["../../cases/pci/sriov.host"].assert_eq(&print_host(&facts));
    let (host, _) = resolve(&facts);
    assert!(host.groups.is_empty(), "no IOMMU is known");
}

#[test]
fn words_between_the_bytes_are_passed_over() {
    let text = "00:1f.0 ISA bridge: Intel\n\tSubsystem: Red Hat\n\tMemory behind bridge: 12: 34\n00: 86 80 18 29 07 01 00 00 02 00 01 06 00 00 80 00\n10: 00 00\n";
    check(
        text,
        &expect![[r#"
            host "dump.txt" {
                root-complex pci0000:00 {
                    device 00:1f.0 { id 8086:2918  class 0601  multifunction }
                }
            }
            note[B014] dump.txt:1: the addresses have no segment: 0000 is taken
            warning[B001] dump.txt: only the first 64 bytes of 1 of 1 functions were read
                note: interrupt vectors, types of ports, and what isolates functions are not known for them
        "#]],
    );
}

#[test]
fn a_text_without_a_dump() {
    check(
        "00:1f.0 ISA bridge: Intel\n",
        &expect![[r#"
        host "dump.txt" {}
        error[B013] dump.txt: no function is dumped here
    "#]],
    );
    assert!(!is_dump("host x { }"));
    assert!(!is_dump(""));
}

#[test]
fn a_line_that_is_no_bytes() {
    check(
        "0000:00:01.0 x\n00: 86 80 zz\n00: 86 80 18 29\n",
        &expect![[r#"
            host "dump.txt" {
                root-complex pci0000:00 {
                    device 00:01.0 { id 8086:2918 }
                }
            }
            warning[B010] dump.txt:2: `00: 86 80 zz` is no line of a dump
            warning[B001] dump.txt: only the first 64 bytes of 1 of 1 functions were read
                note: interrupt vectors, types of ports, and what isolates functions are not known for them
        "#]],
    );
}

#[test]
fn a_gap_in_the_bytes() {
    check(
        "0000:00:01.0 x\n00: 86 80 18 29\n20: 00\n",
        &expect![[r#"
            host "dump.txt" {
                root-complex pci0000:00 {
                    device 00:01.0 { id 8086:2918 }
                }
            }
            warning[B011] dump.txt:3: bytes from 0x20 on, where 0x4 comes next
            warning[B001] dump.txt: only the first 64 bytes of 1 of 1 functions were read
                note: interrupt vectors, types of ports, and what isolates functions are not known for them
        "#]],
    );
}

#[test]
fn a_function_twice() {
    check(
        "0000:00:01.0 x\n00: 86 80 18 29\n\n0000:00:01.0 x\n00: 86 80 19 29\n",
        &expect![[r#"
            host "dump.txt" {
                root-complex pci0000:00 {
                    device 00:01.0 { id 8086:2918 }
                }
            }
            warning[B012] dump.txt:4: 0000:00:01.0 is dumped a second time
            warning[B001] dump.txt: only the first 64 bytes of 1 of 1 functions were read
                note: interrupt vectors, types of ports, and what isolates functions are not known for them
        "#]],
    );
}

proptest! {
    #[test]
    fn any_text_is_read(text in "([0-9a-f:. ]{0,20}\n|\\PC{0,20}\n|0000:0[0-3]:0[0-3]\\.0 x\n|[0-2]0:( [0-9a-f]{2}){1,16}\n){0,20}") {
        let (host, _) = facts(&text, "any");
        let _ = resolve(&host);
    }
}
