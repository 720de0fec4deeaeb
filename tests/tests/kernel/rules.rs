//! Every rule is named by a test of what it says, or stands here with the reason why none can be.

use std::fs;
use std::path::Path;

use planner_core::kernel::rules::RULES;

/// Rules of which nothing can be computed, and what bears them out instead.
const NOT_COMPUTED: &[(&str, &str)] = &[
    ("K-FDFIXEDMSI", "that an option does not exist"),
    ("K-FDCOMPAT", "another way to ask what K-FDRANGES answers"),
    ("K-FDNOIOMMU", "devices that guests cannot use"),
    (
        "K-NOTVIABLE",
        "which drivers are bound is not among the facts; captures show it, and their replay says so",
    ),
    ("K-GROUPATPROBE", "a capture lists the groups that there are"),
    ("K-GROUPWITHPORT", "a capture lists the groups that there are"),
    ("K-VIOMMUVANISH", "a capture lists the groups that there are"),
    ("K-T1NOPAGE", "what the kernel does is not defined"),
    ("K-DIRECTMAP", "page tables of the host's own domains are not modelled"),
    ("K-NOREGIONS", "drivers without regions, which no description can name"),
    ("K-AMDNOSBDF", "devices without a PCI address, which nobody describes"),
    ("K-NOMSICTRL", "without a controller nothing is foretold; a capture shows it, and its replay says so"),
    ("K-MSICOARSE", "page tables are not modelled; K-FDGRANULE is told of such a host"),
    ("K-EXYNOSOF", "a driver that no description can name"),
];

#[test]
fn every_rule_is_named_by_a_test_or_cannot_be_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
    let mut texts = Vec::new();
    for folder in ["tests", "examples", "planner-cli/tests", "planner-core/src"] {
        read(&root.join(folder), &mut texts);
    }
    let excused = |id: &str| NOT_COMPUTED.iter().any(|(known, _)| *known == id);
    let unnamed: Vec<&str> = RULES
        .iter()
        .map(|rule| rule.id)
        .filter(|id| !excused(id) && !texts.iter().any(|text| names(text, id)))
        .collect();
    assert!(unnamed.is_empty(), "no test names {unnamed:?}");
    let unknown: Vec<_> =
        NOT_COMPUTED.iter().filter(|(id, _)| RULES.iter().all(|rule| rule.id != *id)).collect();
    assert!(unknown.is_empty(), "no rules: {unknown:?}");
}

/// Whether the text has the id as a whole word.
fn names(text: &str, id: &str) -> bool {
    text.match_indices(id)
        .any(|(at, _)| !text[at + id.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()))
}

/// What there is of tests and expected outputs below a folder: whole files, and of sources the part behind `#[cfg(test)]`.
fn read(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("folders can be read") {
        let path = entry.expect("folders can be read").path();
        if path.is_dir() {
            read(&path, texts);
            continue;
        }
        if path.ends_with("tests/kernel/rules.rs") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let is_source = path.components().any(|part| part.as_os_str() == "src");
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
        match text.split_once("#[cfg(test)]\nmod tests {") {
            _ if !is_source || is_test => texts.push(text),
            Some((_, tests)) => texts.push(tests.to_owned()),
            None => {}
        }
    }
}
