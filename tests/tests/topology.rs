//! The topology of hosts: captured ones, whose kernels say which groups they formed, and described ones, with one oddity
//! each.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "topology/captured.rs"]
mod captured;
#[path = "topology/described.rs"]
mod described;
#[path = "topology/large.rs"]
mod large;
#[path = "topology/peers.rs"]
mod peers;
#[path = "topology/slow.rs"]
mod slow;

use planner_core::facts::HostFacts;
use planner_core::host::Host;
use planner_core::host::resolve::resolve;
use planner_core::read::language;

/// The facts of a description without faults.
pub(crate) fn described(text: &str) -> HostFacts {
    let (facts, diagnostics) = language::parse_host("test.host", text);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    facts
}

/// The host of a description, and what is said about it, without what every short description earns.
pub(crate) fn resolved(text: &str) -> (Host, String) {
    let (host, diagnostics) = resolve(&described(text));
    let told = diagnostics.iter().filter(|diagnostic| !matches!(diagnostic.code.id, "H002" | "H003"));
    let lines = told.map(|diagnostic| {
        let related = diagnostic.related.iter().map(|(origin, label)| format!("    {origin}: {label}\n"));
        let first = format!(
            "{}[{}] {}: {}\n",
            diagnostic.code.severity, diagnostic.code.id, diagnostic.origin, diagnostic.message
        );
        first + &related.collect::<String>()
    });
    let lines: String = lines.collect();
    (host, lines)
}

/// `0: 0000:00:01.0 0000:01:00.0`, a line for each group.
pub(crate) fn group_lines(host: &Host) -> String {
    let line = |group: &planner_core::host::Group| {
        let devices: Vec<String> = group.devices.iter().map(ToString::to_string).collect();
        format!("{}: {}\n", group.id, devices.join(" "))
    };
    host.groups.iter().map(line).collect()
}
