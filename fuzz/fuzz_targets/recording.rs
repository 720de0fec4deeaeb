//! Recorded behaviour of kernels: whatever the bytes, the replay returns, says the same again, and either tells what is
//! wrong or compares something.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::kernel::conformance::replay;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (outcome, found) = replay("fuzz", text);
    let compared = outcome.passed + outcome.failed;
    assert!(compared > 0 || !found.is_empty(), "nothing was compared and nothing said");
    assert_eq!((outcome, found), replay("fuzz", text), "the same text gives the same answer");
});
