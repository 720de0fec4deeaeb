//! Reads the recorded answers of the kernel's code; the format is told in vectors/kernel/README.md.

use planner_core::kernel::ResvKind;
use planner_core::kernel::resv::RawRegion;
use planner_core::version::KernelVersion;
use serde_json::Value;

/// Replays every case of a file for every version that it lists and compares whole outputs.
///
/// Panics with the first few differences, and when fewer than `least` comparisons were made.
pub(crate) fn replay(file: &str, least: usize, run: impl Fn(&Value, KernelVersion) -> Value) {
    let vectors: Value = serde_json::from_str(file).expect("the recorded file is JSON");
    let (mut passed, mut failed) = (0_usize, Vec::new());
    for case in list(&vectors["cases"]) {
        for name in list(&vectors["versions"]).iter().map(text) {
            let expected = if case["out"].is_null() { &case["out_by"][name] } else { &case["out"] };
            let version = name.parse().expect("a version");
            let got = run(&case["in"], version);
            if got == *expected {
                passed += 1;
            } else {
                failed.push(format!(
                    "{} on {name}\n  input    {}\n  expected {expected}\n  got      {got}",
                    case["id"], case["in"]
                ));
            }
        }
    }
    let shown: Vec<&str> = failed.iter().take(3).map(String::as_str).collect();
    assert!(failed.is_empty(), "{passed} passed, {} failed\n{}", failed.len(), shown.join("\n"));
    assert!(passed >= least, "only {passed} comparisons");
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

pub(crate) fn hex(value: &Value) -> u64 {
    hex_word(text(value))
}

pub(crate) fn hex_word(word: &str) -> u64 {
    u64::from_str_radix(word, 16).expect("a hexadecimal number")
}

pub(crate) fn region(literal: &Value) -> RawRegion {
    let prot = literal[3].as_u64().unwrap_or(0);
    RawRegion {
        start: hex(&literal[1]),
        length: hex(&literal[2]),
        kind: kind(text(&literal[0])),
        prot: u32::try_from(prot).expect("protection flags are small"),
    }
}

const KINDS: [(&str, ResvKind); 5] = [
    ("direct", ResvKind::Direct),
    ("relax", ResvKind::DirectRelaxable),
    ("reserved", ResvKind::Reserved),
    ("hwmsi", ResvKind::Msi),
    ("swmsi", ResvKind::SoftwareMsi),
];

fn kind(word: &str) -> ResvKind {
    KINDS.iter().find(|(w, _)| *w == word).expect("a kind of region").1
}
