//! `planner conformance`: recordings and captures of the repository, and files that are not as they should be.

use expect_test::expect;

use crate::{Run, run, scratch};

/// A file of the workspace's tests.
fn file(name: &str) -> String {
    format!("../../../tests/{name}")
}

fn conformance(names: &[&str]) -> Run {
    let files: Vec<String> = names.iter().map(|name| file(name)).collect();
    let mut arguments = vec!["conformance"];
    arguments.extend(files.iter().map(String::as_str));
    run(&arguments)
}

#[test]
fn recordings_pass() {
    let names =
        ["resv", "vfio_type1", "iommufd", "iommufd_swmsi", "msi_cookie", "producers", "iova", "dma_host"];
    let names = names.map(|name| format!("vectors/kernel/{name}.json"));
    let run = conformance(&names.each_ref().map(String::as_str));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    expect![[r#"
        10886 passed, 0 failed
    "#]]
    .assert_eq(&run.stdout);
}

#[test]
fn a_directory_stands_for_its_recordings() {
    let run = conformance(&["vectors/kernel"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, "10886 passed, 0 failed\n");
}

#[test]
fn an_answer_that_no_kernel_gave_is_a_finding() {
    let run = conformance(&["cases/conformance/ok-resv.json", "cases/conformance/differs-sysfs.json"]);
    expect![[r#"
        failed: ../../../tests/cases/conformance/differs-sysfs.json: good, Linux 6.12, sysfs
            kernel  "0x0000000000001000 0x0000000000002fff reserved\n"
            ours    "0x0000000000001000 0x0000000000001fff reserved\n"
        failed: ../../../tests/cases/conformance/differs-sysfs.json: good, Linux 7.3, sysfs
            kernel  "0x0000000000001000 0x0000000000002fff reserved\n"
            ours    "0x0000000000001000 0x0000000000001fff reserved\n"
        2 passed, 2 failed
        --- exit 1
    "#]]
    .assert_eq(&run.told());
}

#[test]
fn a_recording_with_a_fault_is_bad_input_and_the_others_are_replayed() {
    let names = ["op-unknown", "json-truncated-in-ops", "type-case", "differs-ret"];
    let names = names.map(|name| format!("cases/conformance/{name}.json"));
    let run = conformance(&names.each_ref().map(String::as_str));
    expect![[r#"
        failed: ../../../tests/cases/conformance/differs-ret.json: good, Linux 6.12, out[3] `map 8000000 1000 7f0000000000 7`
            kernel  -17
            ours    -22
        failed: ../../../tests/cases/conformance/differs-ret.json: good, Linux 7.3, out[3] `map 8000000 1000 7f0000000000 7`
            kernel  -17
            ours    -22
        2 passed, 2 failed
        --- stderr
        error[X005]: ../../../tests/cases/conformance/op-unknown.json: case `good`, in.ops[2]: unknown operation `frob`; there are `resv ID`, `unresv ID`, `adddom ID`, `deldom ID`, `map IOVA LEN UVA FLAGS`, `unmap IOVA LEN`, `allow A:B …`, `ranges`, `nohuge`, `huge`, `swmsi START DOORBELL`
        --> ../../../tests/cases/conformance/op-unknown.json:2

        error[X001]: ../../../tests/cases/conformance/json-truncated-in-ops.json: not JSON, in case `good`, cases[0].in.ops[3]: EOF while parsing a string
        --> ../../../tests/cases/conformance/json-truncated-in-ops.json:2

        error[X003]: ../../../tests/cases/conformance/type-case.json: cases[0]: expected an object, found a list
        --> ../../../tests/cases/conformance/type-case.json:1

        --- exit 2
    "#]].assert_eq(&run.told());
}

#[test]
fn a_file_that_is_not_there_is_bad_input_and_the_others_are_replayed() {
    let run = conformance(&["cases/conformance/none.json", "cases/conformance/ok-resv.json"]);
    expect![[r#"
        2 passed, 0 failed
        --- stderr
        error[C010]: `../../../tests/cases/conformance/none.json` does not exist
        --> ../../../tests/cases/conformance/none.json
         = help: `live` reads this machine

        --- exit 2
    "#]]
    .assert_eq(&run.told());
}

#[test]
fn a_capture_is_compared_with_what_its_kernel_answered() {
    let run = conformance(&["captures/arm64-7.3-smmu-gicv2m-dt.tar.gz"]);
    assert_eq!(run.status, 0);
    expect![[r#"
        explained: ../../../tests/captures/arm64-7.3-smmu-gicv2m-dt.tar.gz: group 10, Linux 7.3.4, VFIO_GROUP_SET_CONTAINER
            kernel  EPERM
            ours    OK
            because the group is not viable: another device of it has a driver of the host, and the facts do not tell which drivers are bound
        explained: ../../../tests/captures/arm64-7.3-smmu-gicv2m-dt.tar.gz: iommufd, Linux 7.3.4, opening /dev/iommu
            kernel  ENOENT
            ours    OK
            because whether the kernel has iommufd was not said
        2 explained: the kernel knew what the facts do not tell
        802 passed, 0 failed; not compared: MSI capabilities beyond the address, capabilities of the container beyond its ranges, mapping the MSI window after use, the device's configuration space, what VFIO says of the device's regions and interrupts
    "#]].assert_eq(&run.stdout);
}

#[test]
fn a_description_without_listings_has_nothing_to_compare() {
    expect![[r#"
        0 passed, 0 failed
        --- stderr
        warning[X009]: board: there is no listing and no ground truth to compare with
        --> board

        --- exit 0
    "#]]
    .assert_eq(&run(&["conformance", "board.host"]).told());
}

#[test]
fn the_outcome_in_json() {
    let run = run(&["conformance", &file("cases/conformance/differs-msi.json"), "--json"]);
    assert_eq!(run.status, 1);
    expect![[r#"
        {
          "schema": "conformance/1",
          "passed": 0,
          "failed": 2,
          "explained": 0,
          "not_compared": [],
          "files": [
            {
              "file": "../../../tests/cases/conformance/differs-msi.json",
              "passed": 0,
              "failed": 2,
              "explained": 0,
              "failures": [
                {
                  "case": "good",
                  "kernel_version": "6.12",
                  "place": "out[1]",
                  "operation": "msi 2c1f0040",
                  "kernel": "\"8001040\"",
                  "ours": "\"8000040\""
                },
                {
                  "case": "good",
                  "kernel_version": "7.3",
                  "place": "out[1]",
                  "operation": "msi 2c1f0040",
                  "kernel": "\"8001040\"",
                  "ours": "\"8000040\""
                }
              ],
              "explanations": []
            }
          ]
        }
    "#]]
    .assert_eq(&run.stdout);
}

#[test]
fn a_host_in_json_is_told_from_a_recording() {
    let path = scratch("conformance-host").join("host.json");
    std::fs::write(&path, r#"{"schema":"host/1","name":"x","groups":[]}"#).unwrap();
    let run = run(&["conformance", &path.to_string_lossy()]);
    assert!(run.status == 0 && run.stderr.contains("H003"), "{}", run.told());
}
