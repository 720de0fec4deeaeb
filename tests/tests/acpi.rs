//! Tables of ACPI firmware: what is read of recorded and of made ones, what is said about faulty ones, and that the tables
//! alone foretell what the kernel listed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "acpi/faults.rs"]
mod faults;
#[path = "acpi/faults_iort.rs"]
mod faults_iort;
#[path = "acpi/made.rs"]
mod made;
#[path = "acpi/prediction.rs"]
mod prediction;
#[path = "acpi/properties.rs"]
mod properties;
#[path = "acpi/summary.rs"]
mod summary;
#[path = "acpi/writer.rs"]
mod writer;

use std::path::{Path, PathBuf};

use expect_test::expect_file;
use planner_core::diag::Diagnostic;
use planner_core::facts::HostFacts;
use planner_core::read::acpi::{BridgeBuses, TableFile, facts};

/// The tables of a machine: signature and bytes.
pub(crate) type Tables = Vec<(String, Vec<u8>)>;

/// Every machine of the repository, ascending by name.
pub(crate) fn machines() -> Vec<(String, Tables)> {
    let machines: Vec<_> = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("acpi"))
        .into_iter()
        .filter(|path| path.is_dir())
        .map(|path| (name(&path), tables(&path)))
        .collect();
    assert!(machines.len() >= 15, "{} machines", machines.len());
    machines
}

/// The tables of the machine of this name.
pub(crate) fn machine(wanted: &str) -> Tables {
    machines().into_iter().find(|(name, _)| name == wanted).unwrap().1
}

/// What the reader makes of tables.
pub(crate) fn read(tables: &Tables, bridges: &[BridgeBuses]) -> (HostFacts, Vec<Diagnostic>) {
    let files: Vec<TableFile<'_>> = tables.iter().map(|(name, bytes)| TableFile { name, bytes }).collect();
    facts(&files, bridges)
}

fn tables(folder: &Path) -> Tables {
    entries(folder).iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn every_recorded_machine_is_understood() {
    for (name, tables) in machines() {
        let (host, diagnostics) = read(&tables, &[]);
        expect_file![format!("../acpi/{name}.txt")].assert_eq(&summary::of(&host, &diagnostics));
    }
}

#[test]
fn what_is_read_can_be_written_by_people() {
    use planner_core::read::language::{parse_host, print_host};
    for (name, tables) in machines() {
        let host = HostFacts { name: name.clone(), ..read(&tables, &[]).0 };
        let text = print_host(&host);
        let (again, diagnostics) = parse_host(&name, &text);
        assert!(diagnostics.is_empty(), "{name}: {diagnostics:#?}\n{text}");
        assert_eq!(print_host(&again), text, "{name}");
        let json = serde_json::to_value(&host).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), json, "{name}");
    }
}
