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
