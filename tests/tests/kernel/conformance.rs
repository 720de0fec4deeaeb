//! Recorded answers of the kernel's own code, replayed through the model, and what is said of files that are not as they
//! should be.

use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use planner_core::kernel::conformance::{Failure, Outcome, replay};
use planner_core::render::{Color, Sources, render};

/// Replays a recording of the repository; everything must pass, and no less than `least` comparisons be made.
#[track_caller]
fn passes(name: &str, least: u64) {
    let path = format!("{}/vectors/kernel/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the recording is there");
    let (outcome, found) = replay(name, &text);
    assert!(found.is_empty(), "{found:#?}");
    let Outcome { passed, failed, failures, .. } = outcome;
    let shown: Vec<_> = failures.iter().take(3).collect();
    assert!(failed == 0, "{name}: {passed} passed, {failed} failed: {shown:#?}");
    assert!(passed >= least, "{name}: only {passed} comparisons");
}

#[test]
fn the_list_of_a_group_is_the_kernels() {
    passes("resv", 2535);
}

#[test]
fn a_container_answers_as_the_kernel_does() {
    passes("vfio_type1", 2664);
}

#[test]
fn an_address_space_answers_as_the_kernel_does() {
    passes("iommufd", 1476);
}

#[test]
fn doorbell_pages_are_where_the_kernel_puts_them() {
    passes("iommufd_swmsi", 23);
}

#[test]
fn doorbells_are_mapped_where_the_kernel_maps_them() {
    passes("msi_cookie", 210);
}

/// K-VIOMMUWRAP, K-RMRALIGN, K-OFONEBYTE.
#[test]
fn drivers_make_of_tables_what_the_kernels_do() {
    passes("producers", 240);
}

#[test]
fn the_allocator_answers_as_the_kernels_does() {
    passes("iova", 1827);
}

#[test]
fn a_domain_of_the_host_answers_as_the_kernels_does() {
    passes("dma_host", 1911);
}

/// All that is said of a recording.
fn told(name: &str, text: &str) -> String {
    let (outcome, found) = replay(name, text);
    let mut said = render(&found, &Sources::new(), Color::Never);
    for Failure { case, version, place, step, kernel, ours, .. } in &outcome.failures {
        let step = step.as_ref().map(|step| format!(" `{step}`")).unwrap_or_default();
        let _ = writeln!(
            said,
            "case {case}, Linux {version}, {place}{step}:\n  kernel {kernel}\n  ours   {ours}"
        );
    }
    let _ = writeln!(said, "{} passed, {} failed", outcome.passed, outcome.failed);
    said
}

#[test]
fn recordings_with_a_fault_are_named_with_case_and_field() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/conformance");
    let entries = std::fs::read_dir(&directory).expect("the cases are there");
    let names = entries.map(|entry| entry.expect("a file").file_name().into_string().expect("a name"));
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    names.sort();
    assert!(names.len() >= 60, "{} cases", names.len());
    for name in names {
        let text = std::fs::read_to_string(directory.join(&name)).expect("a text");
        expect_file![directory.join(format!("{name}.out"))].assert_eq(&told(&name, &text));
    }
}

#[test]
fn wrong_answers_are_told_as_failures() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/conformance");
    for name in ["sysfs", "ret", "range", "msi", "kind"] {
        let path = directory.join(format!("differs-{name}.json"));
        let (outcome, found) = replay(name, &std::fs::read_to_string(path).expect("a text"));
        assert!(found.is_empty() && !outcome.holds(), "{name}");
        assert_eq!((outcome.passed, outcome.failed, outcome.failures.len()), (0, 2, 2), "{name}");
    }
}

/// The recordings without a fault, by name.
fn sound() -> impl Iterator<Item = (&'static str, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/conformance");
    let schemas = ["resv", "iommufd", "vfio_type1", "msi_cookie", "producers", "iova", "dma_host"];
    schemas.into_iter().map(move |schema| {
        let path = directory.join(format!("ok-{schema}.json"));
        (schema, std::fs::read_to_string(path).expect("a text"))
    })
}

#[test]
fn a_recording_that_ends_anywhere_is_not_json() {
    for (schema, text) in sound() {
        for end in 0..text.trim_end().len() {
            let (outcome, found) = replay(schema, &text[..end]);
            assert_eq!((outcome.passed, outcome.failed, found.len()), (0, 0, 1), "{schema} to {end}");
            assert_eq!(found[0].code.id, "X001", "{schema} to {end}");
            if end > text.find("\"in\"").expect("every case has an input") {
                assert!(found[0].message.contains("case `good`"), "{}", found[0].message);
            }
        }
    }
}

#[test]
fn a_recording_with_another_byte_anywhere_is_told_or_differs_or_passes() {
    for (schema, text) in sound() {
        for at in 0..text.len() {
            for byte in [b'0', b'9', b'f', b'"', b'-', b' ', b'[', b'}'] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                let text = String::from_utf8(bytes).expect("the recordings are ASCII");
                let (outcome, found) = replay(schema, &text);
                let compared = outcome.passed + outcome.failed;
                assert!(compared == 2 || !found.is_empty(), "{schema}: {byte} at {at}");
            }
        }
    }
}

#[test]
fn a_recording_that_would_take_hours_is_refused() {
    let operations = vec![r#""resv 1""#; 20_000].join(",");
    let regions = vec![r#"["reserved","0","1"]"#; 1000].join(",");
    let text = format!(
        r#"{{"schema":"iommufd","versions":["7.3"],"cases":[{{"id":"long","in":{{"page":"1000","hpage":"200000",
        "devs":{{"1":[{regions}]}},"doms":{{}},"ops":[{operations}]}},"out":{{}}}}]}}"#
    );
    let (outcome, found) = replay("long", &text);
    assert_eq!((outcome, found.len()), (Outcome::default(), 1));
    assert_eq!(
        found[0].message,
        "long: case `long`, in: replaying the operations of this case would take too long"
    );
}
