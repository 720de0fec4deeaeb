//! How long it takes to read each devicetree blob of a directory, and what is found in it. One core does it all.
//! `cargo bench -p planner-core --bench fdt -- DIRECTORY`, which `cargo xtask dtb-corpus` calls with the blobs of
//! Debian's kernels.
//!
//! Prints for each blob, with tabs between: name, SMMUs, interrupt translation services, GICv2m frames, host bridges,
//! microseconds, and codes of diagnostics.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reads its input and the clock"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use planner_core::facts::host::IommuModel;
use planner_core::host::resolve::resolve;
use planner_core::read::fdt::facts;

fn main() {
    let Some(directory) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        println!("usage: cargo bench -p planner-core --bench fdt -- DIRECTORY");
        return;
    };
    let entries = std::fs::read_dir(directory).expect("the directory can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "dtb"));
    paths.sort();
    for path in paths {
        let blob = std::fs::read(&path).expect("a blob can be read");
        println!("{}", measure(&path.file_name().unwrap_or_default().to_string_lossy(), &blob));
    }
}

/// The best of three rounds, so that what else the machine does counts less.
fn measure(name: &str, blob: &[u8]) -> String {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let read = facts(blob, name);
        best = best.min(start.elapsed());
        drop(read);
    }
    let (host, mut found) = facts(blob, name);
    found.extend(resolve(&host).1);
    let smmus = host.iommus.iter().filter(|iommu| iommu.model.is_some_and(IommuModel::is_smmu)).count();
    let codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code.id).collect();
    format!(
        "{name}\t{smmus}\t{}\t{}\t{}\t{}\t{}",
        host.its.len(),
        host.gicv2m.len(),
        host.root_complexes.len(),
        best.as_micros(),
        codes.join(" ")
    )
}
