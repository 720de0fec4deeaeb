//! Redaction: the input is cut into files at bytes 0xff 0xfe. What was redacted has nothing left to redact, and no file of
//! fixed layout changes its length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::read::capture::{Node, Tree, from_archive};
use planner_core::record::archive::archive;
use planner_core::record::redact::redact;

const FILES: [&str; 6] = [
    "sys/firmware/fdt",
    "sys/devices/pci0000:00/0000:00:01.0/config",
    "proc/cmdline",
    "proc/version",
    "proc/cpuinfo",
    "proc/iomem",
];

fuzz_target!(|bytes: &[u8]| {
    let mut tree = Tree::default();
    let mut rest = bytes;
    for path in FILES {
        let end = rest.windows(2).position(|pair| pair == [0xff, 0xfe]).unwrap_or(rest.len());
        let (content, after) = rest.split_at(end);
        tree.insert(path, Node::File(content.to_vec()));
        rest = after.get(2..).unwrap_or_default();
    }
    let (once, _) = redact(tree.clone(), Vec::new());
    let (twice, notes) = redact(once.clone(), Vec::new());
    assert_eq!(twice, once);
    assert!(notes.is_empty(), "{notes:?}");
    for path in &FILES[..2] {
        if let Some(redacted) = once.file(path) {
            assert_eq!(Some(redacted.len()), tree.file(path).map(<[u8]>::len), "{path}");
        }
    }
    // What is not read back is said: no `sys`, a file that is longer than the kernel makes it.
    let (read, said) = from_archive(&archive(&once), "fuzz");
    assert!(read == once || !said.is_empty());
});
