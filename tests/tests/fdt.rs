//! Devicetrees: what is read out of them, and what is said of broken ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "fdt/compile.rs"]
mod compile;
#[path = "fdt/properties.rs"]
mod properties;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use compile::compile;
use expect_test::expect_file;
use planner_core::diag::Diagnostic;
use planner_core::read::fdt::facts;
use planner_core::read::language::print_host;

/// The sources of the cases, ascending by name.
fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/fdt");
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut sources: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "dts")).collect();
    sources.sort();
    assert!(sources.len() >= 50, "{} cases", sources.len());
    sources
}

#[test]
fn sources_are_read_as_expected() {
    for path in cases() {
        let source = std::fs::read_to_string(&path).unwrap();
        expect_file![path.with_extension("txt")].assert_eq(&read(&compile(&source), "x.dtb"));
    }
}

/// Facts in the words of the description language, then everything that is said about them.
fn read(blob: &[u8], name: &str) -> String {
    let (host, diagnostics) = facts(blob, name);
    let mut text = print_host(&host);
    for diagnostic in &diagnostics {
        let Diagnostic { code, message, origin, notes, related, .. } = diagnostic;
        writeln!(text, "{}[{}] {origin}: {message}", code.severity, code.id).unwrap();
        related.iter().for_each(|(place, label)| writeln!(text, "    {place}: {label}").unwrap());
        notes.iter().for_each(|note| writeln!(text, "    note: {note}").unwrap());
    }
    text
}

/// The fuzzer starts from the blobs of the cases. `UPDATE_EXPECT=1` writes them, as it does all that is expected.
#[test]
fn the_fuzzer_starts_from_these_cases() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/fdt");
    for path in cases() {
        let blob = compile(&std::fs::read_to_string(&path).unwrap());
        let seed = seeds.join(path.with_extension("dtb").file_name().unwrap());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::create_dir_all(&seeds).unwrap();
            std::fs::write(&seed, &blob).unwrap();
        }
        assert!(
            std::fs::read(&seed).unwrap_or_default() == blob,
            "{} is old: UPDATE_EXPECT=1",
            seed.display()
        );
    }
}
