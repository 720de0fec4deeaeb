//! How fast descriptions of about 1 MB are read, printed and formatted, in MB/s.
//!
//! `cargo bench -p planner-core --bench language`, with ` -- read` only what has `read` in its name.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a bench reads arguments and the clock"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use planner_core::read::{json, language};

fn main() {
    let text = description(1 << 20);
    let (facts, found) = language::parse_host("bench.host", &text);
    assert!(found.is_empty(), "{found:#?}");
    let as_json = json::host_to_json(&facts);
    let broken = text.replace("window", "widnow").replace(" bar ", " bra ");
    measure("read", &text, |text| {
        black_box(language::parse_host("bench.host", text));
    });
    measure("print", &text, |_| {
        black_box(language::print_host(&facts));
    });
    measure("format", &text, |text| {
        let _ = black_box(language::format("bench.host", text));
    });
    measure("read with faults", &broken, |text| {
        black_box(language::parse_host("bench.host", text));
    });
    measure("read JSON", &as_json, |text| {
        black_box(json::parse_host_json("bench.json", text));
    });
    measure("read braces", &"{ ".repeat(1 << 19), |text| {
        black_box(language::parse_host("bench.host", text));
    });
    measure("read one long line", &text.replace("   # one for all", "").replace('\n', " "), |text| {
        black_box(language::parse_host("bench.host", text));
    });
}

/// Prints the best of some rounds.
fn measure(what: &str, text: &str, mut work: impl FnMut(&str)) {
    if std::env::args().skip(1).any(|filter| !filter.starts_with("--") && !what.contains(&filter)) {
        return;
    }
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        work(text);
        best = best.min(start.elapsed());
    }
    let megabytes = text.len() as f64 / 1e6;
    println!("{what:>20}: {:7.1} MB/s  ({megabytes:.2} MB in {best:.1?})", megabytes / best.as_secs_f64());
}

/// A host as they are, only larger: root complexes with windows, devices with BARs, groups with listed regions.
fn description(bytes: usize) -> String {
    let mut text = String::from("host \"bench\" {\n    kernel linux 6.12 { page 4K  va 48 bits }\n");
    for segment in 0.. {
        if text.len() > bytes {
            break;
        }
        let _ = writeln!(
            text,
            "    smmu smmu{segment} {{ model smmuv3  aperture 48 bits  pages 4K 2M 1G }}
    its its{segment} {{ frame 0x{segment:x}_0808_0000 + 128K }}
    root-complex pcie{segment} {{
        segment {segment}   buses 0x00..=0xff   node {}
        smmu smmu{segment} {{ rid 0x0..=0xffff -> stream 0x{segment:x}_0000 }}   # one for all
        msi its{segment}
        window mem32 cpu 0x{segment:x}_4000_0000 bus 0x4000_0000 size 1G intercepts-p2p
        window mem64 0x{segment:x}80_0000_0000 + 512G prefetchable",
            segment % 4
        );
        for bus in 1..32 {
            let _ = writeln!(
                text,
                "        device {bus:02x}:00.0 {{ id 8086:1520  class 0200  bar 0 mem64 prefetchable 16K  msix 3 }}"
            );
        }
        text.push_str("    }\n");
        for bus in 1..32 {
            let _ = writeln!(
                text,
                "    group {} {{ devices {segment:04x}:{bus:02x}:00.0  listed msi 0x800_0000..=0x80f_ffff }}",
                segment * 32 + bus
            );
        }
    }
    text.push_str("}\n");
    text
}
