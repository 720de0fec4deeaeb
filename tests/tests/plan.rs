//! Plans of small described hosts: one matter a case. `cases/plan/NAME.host` holds host and guest, `NAME.txt` the answer;
//! `UPDATE_EXPECT=1` rewrites the answers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use planner_core::answer::{Answer, Outcome, answer};
use planner_core::guest::resolve as guest_resolve;
use planner_core::host::resolve as host_resolve;
use planner_core::kernel::report::Question;
use planner_core::read::language;
use planner_core::verify::verify;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/plan");
    let entries = std::fs::read_dir(folder).expect("cases/plan can be read");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "host"))
        .collect();
    cases.sort();
    cases
}

fn told(text: &str) -> String {
    let (document, found) = language::parse("case", text);
    assert!(!planner_core::diag::has_errors(&found), "{found:#?}");
    let (host, mut found) = host_resolve::resolve(&document.hosts[0]);
    let (guest, more) = guest_resolve::resolve(&document.guests[0], &host);
    found.extend(more);
    let mut out = String::new();
    for diagnostic in &found {
        writeln!(out, "{}[{}]: {}", diagnostic.code.severity, diagnostic.code.id, diagnostic.message)
            .expect("a string");
    }
    if let Some(guest) = guest {
        let answer = answer(&host, &guest, &Question::default());
        assert_eq!(answer.violations, []);
        tell(&answer, &mut out).expect("a string");
    }
    out
}

fn tell(answer: &Answer, out: &mut String) -> std::fmt::Result {
    match &answer.outcome {
        Outcome::Plan(plan) => {
            for piece in &plan.ram {
                let node = piece.node.map_or(String::new(), |node| format!(" node {node}"));
                writeln!(out, "{} {:?} {}{node}", piece.name, piece.kind, piece.span)?;
            }
            if let (Some(slots), Some(most)) = (plan.slots, plan.max_memory) {
                writeln!(out, "slots {slots}, {most} at most")?;
            }
            for room in &plan.hotplug {
                writeln!(out, "room {room}")?;
            }
            for knob in &plan.knobs {
                writeln!(out, "knob {knob:?}")?;
            }
            for (device, segment) in plan.guest.pass.iter().zip(&plan.segments) {
                writeln!(out, "segment {segment} {device}")?;
            }
            for doorbell in plan.msi_window.iter().flat_map(|msi| &msi.doorbells) {
                writeln!(out, "doorbell {} at {}", doorbell.address, doorbell.iova)?;
            }
            for setting in &plan.host_settings {
                writeln!(out, "host setting {}", setting.flag)?;
            }
            for warning in &plan.warnings {
                writeln!(out, "warning [{}] {}", warning.rule, warning.because)?;
            }
        }
        Outcome::Conflict { conflict, fixes } => {
            writeln!(out, "no layout: {}", conflict.subject)?;
            for cause in conflict.causes.iter().chain(&conflict.also) {
                writeln!(out, "because [{}] {}", cause.rule, cause.because)?;
            }
            for fix in fixes {
                writeln!(out, "help ({}) {} {:?}", fix.cost, fix.change, fix.options)?;
            }
        }
    }
    Ok(())
}

#[test]
fn cases_are_answered_as_written() {
    let cases = cases();
    assert!(cases.len() >= 15, "{} cases", cases.len());
    for case in cases {
        let text = std::fs::read_to_string(&case).expect("the case can be read");
        expect_file![case.with_extension("txt")].assert_eq(&told(&text));
    }
}

/// The verifier counts for itself what lies on each PCI segment.
#[test]
fn devices_that_crowd_a_segment_are_seen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/plan");
    let text = std::fs::read_to_string(folder.join("cloud-hypervisor-many-functions.host"));
    let (document, _) = language::parse("case", &text.expect("the case can be read"));
    let host = host_resolve::resolve(&document.hosts[0]).0;
    let guest = guest_resolve::resolve(&document.guests[0], &host).0.expect("a guest");
    let answer = answer(&host, &guest, &Question::default());
    let Outcome::Plan(plan) = answer.outcome else { panic!("a plan") };
    let said = |change: fn(&mut Vec<u16>)| {
        let mut plan = plan.clone();
        change(&mut plan.segments);
        let found = verify(&host, &answer.reserved, &guest, &plan);
        found.into_iter().map(|found| format!("{} {}", found.code, found.message)).collect::<Vec<_>>()
    };
    assert_eq!(said(|_| {}), Vec::<String>::new());
    let crowd = said(|segments| segments.fill(0));
    assert_eq!(crowd, ["V013 PCI segment 0 takes 24 passed devices, and the plan has 40"]);
    assert_eq!(said(|segments| segments[0] = 7), ["V013 there is no PCI segment 7"]);
    let none = said(Vec::clear);
    assert_eq!(none, ["V013 0 devices have a segment, and 40 need one of the VMM's 2"]);
}
