//! How long it takes to replay every recording of the repository for every release in it. One core does it all.
//! `cargo bench -p planner-core --bench conformance`
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reads its input and the clock"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use planner_core::kernel::conformance::replay;

/// What all recordings together may take.
const GOAL: Duration = Duration::from_secs(2);

fn main() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/kernel");
    let entries = std::fs::read_dir(&directory).expect("the recordings are in the repository");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
    paths.sort();
    let (mut all, mut bytes, mut passed) = (Duration::ZERO, 0, 0);
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a recording is text");
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let (time, count) = measure(&name, &text);
        println!("{name:>16}: {time:>8.1?}  {count:>5} passed  {:.2} MB", text.len() as f64 / 1e6);
        all += time;
        bytes += text.len();
        passed += count;
    }
    let verdict = if all < GOAL { "met" } else { "MISSED" };
    println!("{:>16}: {all:>8.1?}  {passed:>5} passed  {:.2} MB", "all", bytes as f64 / 1e6);
    println!("goal: under {GOAL:?}: {verdict}");
}

/// The best of some rounds, reading the text included, and how many comparisons were made.
fn measure(name: &str, text: &str) -> (Duration, u64) {
    let (mut best, mut passed) = (Duration::MAX, 0);
    for _ in 0..5 {
        let start = Instant::now();
        let (outcome, found) = replay(name, text);
        best = best.min(start.elapsed());
        assert!(outcome.holds() && found.is_empty(), "{name}: {} failed, {found:?}", outcome.failed);
        passed = outcome.passed;
    }
    (best, passed)
}
