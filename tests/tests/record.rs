//! Redaction and archives: what a redacted capture says of the host is what the whole one says, whatever is in it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use planner_core::read::capture::{Node, Tree, facts, from_archive};
use planner_core::record::archive::archive;
use planner_core::record::redact::redact;
use planner_core::record::{Redaction, record};
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn a_redacted_capture_says_the_same() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "gz") {
            continue;
        }
        let (tree, _) = from_archive(&std::fs::read(&path).unwrap(), "x");
        let (redacted, manifest) = record(tree.clone(), Vec::new(), Redaction::On);
        assert_eq!(facts(&redacted, "x"), facts(&tree, "x"), "{}", path.display());
        assert!(!manifest.notes.is_empty(), "every capture has a command line");
        // Packing is slow where nothing is optimised.
        if count % 8 == 0 {
            let packed = archive(&redacted);
            assert_eq!(from_archive(&packed, "x"), (redacted.clone(), Vec::new()), "{}", path.display());
        }
        assert_eq!(record(redacted.clone(), Vec::new(), Redaction::On), (redacted, manifest));
        count += 1;
    }
    assert!(count >= 55, "{count}");
}

const FILES: [&str; 7] = [
    "proc/cmdline",
    "proc/version",
    "proc/cpuinfo",
    "uname.txt",
    "proc/iomem",
    "sys/firmware/fdt",
    "sys/devices/pci0000:00/0000:00:01.0/config",
];

/// A tree of these contents, with a name that may be an identifier.
fn tree(contents: &[Vec<u8>], name: &str) -> Tree {
    let mut tree = Tree::default();
    for (path, content) in FILES.iter().zip(contents) {
        tree.insert(*path, Node::File(content.clone()));
    }
    tree.insert(format!("sys/kernel/iommu_groups/0/devices/{name}"), Node::Link(format!("../{name}")));
    tree
}

/// Texts made of what redaction looks for.
fn near_text() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "([0-9A-F]{2}[:-]){5}[0-9A-F]{2}",
        "(iommu|root|quiet|vfio.x|arm-smmu.y)=?[a-z\"]{0,5}",
        "Serial[ \\t]{0,2}: [0-9a-f]{1,8}\n",
        "Linux version \\([a-z@]{1,8}\\)?",
        "\\PC{0,6}",
    ];
    vec((word, "[ \\n:/-]?"), 0..12)
        .prop_map(|words| words.into_iter().flat_map(|(word, end)| (word + &end).into_bytes()).collect())
}

/// Configuration space with capabilities at random places.
fn config() -> impl Strategy<Value = Vec<u8>> {
    let capability = (0x40..0xfc_usize, 0..6_u8, any::<u8>());
    let extended = (0x40..0x3ff_usize, 0..5_u32, 0..0xfff_u32);
    (vec(capability, 0..6), vec(extended, 0..6), any::<u8>(), 0..=4096_usize).prop_map(
        |(capabilities, extended, fill, length)| {
            let mut config = vec![fill; 4096];
            config[0x06] = 0x10;
            config[0x34] = capabilities.first().map_or(0, |(at, ..)| u8::try_from(*at).unwrap());
            for (at, id, next) in capabilities {
                config[at..at + 2].copy_from_slice(&[id, next]);
            }
            for (index, (at, id, next)) in extended.into_iter().enumerate() {
                let at = if index == 0 { 0x100 } else { at * 4 };
                config[at..at + 4].copy_from_slice(&(next << 20 | id).to_le_bytes());
            }
            config.truncate(length);
            config
        },
    )
}

/// Blobs that begin like a device tree.
fn blob() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![0..10_u32, (0..64_u32).prop_map(|at| at * 4), any::<u32>()];
    vec(word, 0..60).prop_map(|mut words| {
        for (at, value) in [(0, 0xd00d_feed), (5, 17)] {
            if let Some(word) = words.get_mut(at) {
                *word = value;
            }
        }
        words.into_iter().flat_map(u32::to_be_bytes).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redacting_twice_is_redacting_once(
        texts in vec(near_text(), 5),
        fdt in blob(),
        config in config(),
        name in "(0000:00:01\\.0|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
    ) {
        let contents: Vec<Vec<u8>> = texts.into_iter().chain([fdt, config.clone()]).collect();
        let whole = tree(&contents, &name);
        let (once, _) = redact(whole.clone(), Vec::new());
        let (twice, notes) = redact(once.clone(), Vec::new());
        prop_assert_eq!(&twice, &once);
        // Only a device tree that is none is left out again; nothing is taken out again.
        prop_assert!(notes.is_empty(), "{:?}", notes);
        let config_path = FILES[6];
        prop_assert_eq!(once.file(config_path).map(<[u8]>::len), Some(config.len()));
        prop_assert_eq!(facts(&once, "x").0.root_complexes, facts(&whole, "x").0.root_complexes);
        prop_assert_eq!(from_archive(&archive(&once), "x").0.len(), once.len());
    }
}
