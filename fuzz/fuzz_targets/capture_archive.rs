//! Archives of captures: whatever the bytes, the reader returns, and so does whoever reads the tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::read::capture::archive::Limits;
use planner_core::read::capture::{facts, from_archive_within};

/// Bounds that keep one run short.
const LIMITS: Limits =
    Limits { archive_bytes: 1 << 20, inflated_bytes: 1 << 22, entries: 1000, kept_bytes: 1 << 20 };

fuzz_target!(|bytes: &[u8]| {
    let (tree, _) = from_archive_within(bytes, "fuzz", &LIMITS);
    let _ = facts(&tree, "fuzz");
});
