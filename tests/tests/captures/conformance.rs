//! Every capture against the model: what the rules foretell, and what VFIO and iommufd answered on the running host.

use std::fmt::Write as _;

use expect_test::{Expect, expect, expect_file};
use planner_core::host::Host;
use planner_core::host::resolve::resolve;
use planner_core::kernel::conformance::capture::replay_capture;
use planner_core::kernel::conformance::{Failure, Outcome};
use planner_core::read::capture::allow::GROUND_TRUTH;
use planner_core::read::capture::{facts, from_archive};

use crate::{Capture, captures};

/// A capture, read: the host, and what was recorded on it.
fn read(capture: &Capture) -> (Host, String) {
    let Capture { name, bytes } = capture;
    let (tree, _) = from_archive(bytes, name);
    let truth = String::from_utf8(tree.file(GROUND_TRUTH).unwrap().to_vec()).unwrap();
    (resolve(&facts(&tree, name).0).0, truth)
}

/// All that is compared of a capture.
fn replay(capture: &Capture) -> Outcome {
    let (host, truth) = read(capture);
    let (outcome, found) = replay_capture(&host, Some((GROUND_TRUTH, &truth)));
    assert!(found.is_empty(), "{}: {found:#?}", capture.name);
    outcome
}

#[test]
fn running_kernels_answered_as_the_rules_foretell() {
    let (mut told, mut all) = (String::new(), Outcome::default());
    for capture in captures() {
        let outcome = replay(&capture);
        let Outcome { passed, failed, explained, .. } = outcome;
        writeln!(told, "{}: {passed} passed, {failed} failed, {explained} explained", capture.name).unwrap();
        for Failure { case, place, kernel, ours, because, .. } in
            outcome.failures.iter().chain(&outcome.explanations)
        {
            let because = because.as_deref().unwrap_or("FAILED");
            writeln!(told, "    {case}, {place}: {because}").unwrap();
            if because == "FAILED" {
                writeln!(told, "        kernel {kernel}\n        ours   {ours}").unwrap();
            }
        }
        all.add(outcome);
    }
    let left_out: Vec<String> = all.left_out.iter().cloned().collect();
    writeln!(told, "not compared: {}", left_out.join(", ")).unwrap();
    assert!(all.holds() && all.passed > 57_000 && all.explained < 300, "{all:#?}");
    expect_file!["../../captures/conformance.txt"].assert_eq(&told);
}

/// What is said of the ground truth of one boot after a change to its text.
#[track_caller]
fn changed(from: &str, to: &str, expected: Expect) {
    let name = "arm64-7.3iommufd-smmu-its-dt";
    let capture = captures().into_iter().find(|capture| capture.name == name).unwrap();
    let (host, truth) = read(&capture);
    assert!(truth.contains(from), "{from}");
    let (outcome, found) = replay_capture(&host, Some((GROUND_TRUTH, &truth.replacen(from, to, 1))));
    let mut told: String =
        found.iter().map(|found| format!("{}: {}\n", found.code.id, found.message)).collect();
    for Failure { case, place, kernel, ours, .. } in &outcome.failures {
        writeln!(told, "{case}, {place}: kernel {kernel}, ours {ours}").unwrap();
    }
    expected.assert_eq(&told);
}

#[test]
fn an_answer_that_no_kernel_gave_is_a_failure() {
    changed(
        r#""end":"0x7ffffff""#,
        r#""end":"0x7fffffe""#,
        expect![[r#"
        group 5, usable ranges: kernel 0x0..=0x7fffffe, 0x8100000..=0xffffffffffff, ours 0x0..=0x7ffffff, 0x8100000..=0xffffffffffff
    "#]],
    );
    changed(
        r#""name":"its_trans","iova":"0x8090000","size":"0x1000","rc":"EINVAL""#,
        r#""name":"its_trans","iova":"0x8090000","size":"0x1000","rc":"OK""#,
        expect![[r#"
            group 5, map its_trans (0x8090000+0x1000): kernel OK, ours EINVAL
        "#]],
    );
    changed(
        r#""addr_lo":"0x8000040""#,
        r#""addr_lo":"0x8090040""#,
        expect![[r#"
            group 5, MSI-X of 0000:00:06.0 through type1: kernel 0x8090040, ours 0x8000040
        "#]],
    );
    changed(
        r#""size":"0x10000","rc":"OK","iova":"0x10000""#,
        r#""size":"0x10000","rc":"OK","iova":"0x20000""#,
        expect![[r#"
            device 0000:00:06.0, automatic IOVA, auto_alloc[4] (0x10000 bytes): kernel 0x20000, ours 0x10000
        "#]],
    );
    changed(
        r#""set_container":"OK""#,
        r#""set_container":"EINVAL""#,
        expect![[r#"
        group 5, VFIO_GROUP_SET_CONTAINER: kernel EINVAL, ours OK
    "#]],
    );
    changed(
        r#""iova_pgsizes":"0x40201000""#,
        r#""iova_pgsizes":"0x40200000""#,
        expect![[r#"
        group 5, iova_pgsizes: kernel 0x40200000, ours 0x40201000
    "#]],
    );
}

#[test]
fn a_mapping_or_page_tables_that_no_kernel_gave_are_a_failure() {
    changed(
        r#""map_overlap_same":"EEXIST""#,
        r#""map_overlap_same":"OK""#,
        expect![[r#"
            group 5, behaviour: map_overlap_same: kernel OK, ours EEXIST
        "#]],
    );
    changed(
        r#""unmap_both_size":"0x5000""#,
        r#""unmap_both_size":"0x4000""#,
        expect![[r#"
            group 5, behaviour: unmap_A_and_adjacent, size: kernel 0x4000, ours 0x5000
        "#]],
    );
    changed(
        r#""span_gap_0":"EINVAL""#,
        r#""span_gap_0":"OK""#,
        expect![[r#"
        group 5, behaviour: span_gap_0: kernel OK, ours EINVAL
    "#]],
    );
    changed(
        r#""rc":"OK","type":2"#,
        r#""rc":"OK","type":1"#,
        expect![[r#"
        device 0000:00:06.0, IOMMU_GET_HW_INFO: type: kernel 1, ours 2
        device 0000:00:06.0, IOMMU_HWPT_ALLOC, nesting parent: kernel OK, ours EOPNOTSUPP
    "#]],
    );
    changed(
        r#""alloc_nest_parent":"OK""#,
        r#""alloc_nest_parent":"EOPNOTSUPP""#,
        expect![[r#"
            device 0000:00:06.0, IOMMU_HWPT_ALLOC, nesting parent: kernel EOPNOTSUPP, ours OK
        "#]],
    );
}

#[test]
fn ground_truth_that_is_not_as_it_should_be_is_named_with_its_place() {
    changed(
        r#""data":"00000000"#,
        r#""data":"0000000g"#,
        expect![[r#"
        X010: groundtruth.json: iommufd.devices[0].hw_info.data: expected hexadecimal digits
    "#]],
    );
    changed(
        r#""map_A":"OK""#,
        r#""map_A":1"#,
        expect![[r#"
        X010: groundtruth.json: type1.groups[0].behaviour.map_A: expected a string, found a number 1
    "#]],
    );
    changed(
        r#""iova_pgsizes":"0x40201000""#,
        r#""iova_pgsizes":"many""#,
        expect![[r#"
        X010: groundtruth.json: type1.groups[0].get_info.iova_pgsizes: `many` is not a number of 64 bits
    "#]],
    );
    changed(
        r#""iova":"0x1000""#,
        r#""iova":4096"#,
        expect![[r#"
        X010: groundtruth.json: type1.groups[0].map_trials[1].iova: expected a string, found a number 4096
    "#]],
    );
    changed(
        r#"{"group":5,"devices""#,
        r#"{"group":99,"devices""#,
        expect![[r#"
        X011: groundtruth.json: group 99 is not in the capture
    "#]],
    );
    changed(
        r#""type1":{"#,
        r#""type1":[{"#,
        expect![[r#"
        X010: groundtruth.json: not JSON: expected `,` or `]` at line 132 column 11
    "#]],
    );
}
