//! Any bytes as a flattened devicetree: nothing panics, facts survive printing, and the host can be resolved.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::host::resolve::resolve;
use planner_core::read::{fdt, json, language};
use planner_core::render::{Color, Sources, render};

fuzz_target!(|data: &[u8]| {
    let (host, found) = fdt::facts(data, "f.dtb");
    let _ = render(&found, &Sources::new(), Color::Never);
    let (again, found) = language::parse_host("f", &language::print_host(&host));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(json::host_to_json(&again), json::host_to_json(&host));
    let _ = resolve(&host);
});
