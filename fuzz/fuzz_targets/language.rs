//! Any bytes as a description and as JSON: nothing panics; what has no errors survives printing; formatting is stable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::diag::has_errors;
use planner_core::read::{json, language};
use planner_core::render::{Color, Sources, render};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (document, found) = language::parse("f", &text);
    let mut sources = Sources::new();
    sources.insert("f", text.clone());
    let _ = render(&found, &sources, Color::Never);
    if !has_errors(&found) {
        for host in &document.hosts {
            let (again, _) = language::parse_host("f", &language::print_host(host));
            assert_eq!(json::host_to_json(&again), json::host_to_json(host));
        }
        for guest in &document.guests {
            let (again, _) = language::parse_guest("f", &language::print_guest(guest));
            assert_eq!(json::guest_to_json(&again), json::guest_to_json(guest));
        }
    }
    if let Ok(formatted) = language::format("f", &text) {
        assert_eq!(language::format("f", &formatted).as_ref(), Ok(&formatted));
        let (again, _) = language::parse("f", &formatted);
        assert_eq!(facts(&again), facts(&document));
    }
    let (_, found) = json::parse_host_json("f", &text);
    let _ = render(&found, &sources, Color::Never);
    let (_, found) = json::parse_guest_json("f", &text);
    let _ = render(&found, &sources, Color::Never);
});

/// The facts of a document without their origins.
fn facts(document: &language::Document) -> (Vec<String>, Vec<String>) {
    (
        document.hosts.iter().map(json::host_to_json).collect(),
        document.guests.iter().map(json::guest_to_json).collect(),
    )
}
