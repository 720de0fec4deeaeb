//! Recorded answers of the kernel's own code, replayed through the model, and what is said of files that are not as they
//! should be.

use planner_core::kernel::conformance::{Outcome, replay};

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

#[test]
fn drivers_make_of_tables_what_the_kernels_do() {
    passes("producers", 240);
}
