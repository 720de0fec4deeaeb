//! Every capture against the model: what the rules foretell, and what VFIO and iommufd answered on the running host.

use std::fmt::Write as _;

use expect_test::expect_file;
use planner_core::host::resolve::resolve;
use planner_core::kernel::conformance::capture::replay_capture;
use planner_core::kernel::conformance::{Failure, Outcome};
use planner_core::read::capture::allow::GROUND_TRUTH;
use planner_core::read::capture::{facts, from_archive};

use crate::{Capture, captures};

/// All that is compared of a capture.
fn replay(capture: &Capture) -> Outcome {
    let Capture { name, bytes } = capture;
    let (tree, _) = from_archive(bytes, name);
    let (host, _) = resolve(&facts(&tree, name).0);
    let truth = std::str::from_utf8(tree.file(GROUND_TRUTH).unwrap()).unwrap();
    let (outcome, found) = replay_capture(&host, Some((GROUND_TRUTH, truth)));
    assert!(found.is_empty(), "{name}: {found:#?}");
    outcome
}

#[test]
fn running_kernels_answered_as_the_rules_foretell() {
    let (mut told, mut all) = (String::new(), Outcome::default());
    for capture in captures() {
        let outcome = replay(&capture);
        let Outcome { passed, failed, explained, .. } = outcome;
        writeln!(told, "{}: {passed} passed, {failed} failed, {explained} explained", capture.name).unwrap();
        for Failure { case, place, kernel, ours, because, .. } in outcome.failures.iter().chain(&outcome.explanations) {
            let because = because.as_deref().unwrap_or("FAILED");
            writeln!(told, "    {case}, {place}: {because}").unwrap();
            if because == "FAILED" {
                writeln!(told, "        kernel {kernel}\n        ours   {ours}").unwrap();
            }
        }
        all.add(outcome);
    }
    expect_file!["../conformance.txt"].assert_eq(&told);
}
