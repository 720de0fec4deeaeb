//! `--locked`: an earlier layout is kept where it still holds; where it does not, what moved is told.

use planner_core::addr::{Gpa, Span};
use planner_core::answer::{Answer, Outcome};
use planner_core::diag::{Diagnostic, Origin};
use planner_core::guest::GuestSpec;
use planner_core::host::Host;
use planner_core::plan::problem::{Constraint, Demand};
use planner_core::plan::{Plan, Problem, Reason, rules, solve};
use planner_core::span_set::SpanSet;
use planner_core::verify::verify;

use crate::codes;
use crate::session::Session;

const KEPT: &str = "the earlier plan has its RAM there, and --locked keeps it";

/// Replaces the plan of an answer by one with the earlier layout, if that still holds.
pub(super) fn keep(
    host: &Host,
    guest: &GuestSpec,
    answer: &mut Answer,
    earlier: &Plan,
    session: &mut Session,
) {
    let Outcome::Plan(fresh) = &answer.outcome else { return };
    let same = |plan: &&Plan| plan.ram == earlier.ram && plan.hotplug == earlier.hotplug;
    let kept = again(host, guest, answer, earlier);
    let plan = kept.as_ref().filter(same).unwrap_or(fresh);
    let moved = moved(earlier, plan);
    let diagnostic = if moved.is_empty() {
        let message = format!("the layout of the earlier plan for `{}` is kept", earlier.guest.name);
        Diagnostic::new(&codes::LOCK_KEPT, Origin::argument("--locked"), message)
    } else {
        let message =
            format!("the layout of the earlier plan for `{}` does not hold any more", earlier.guest.name);
        let why = verify(host, &answer.reserved, guest, earlier);
        let why = why.into_iter().map(|violation| format!("{} [{}]", violation.message, violation.code));
        let mut diagnostic = Diagnostic::new(&codes::LOCK_LOST, Origin::argument("--locked"), message);
        diagnostic.notes.extend(why.chain(moved));
        diagnostic
    };
    // Neither code is an error.
    let _ = session.tell(vec![diagnostic]);
    if let Some(plan) = kept.filter(|kept| same(&kept)) {
        answer.violations = verify(host, &answer.reserved, guest, &plan);
        answer.outcome = Outcome::Plan(Box::new(plan));
    }
}

/// Plans with the earlier RAM and the earlier room for more as the only places for them.
fn again(host: &Host, guest: &GuestSpec, answer: &Answer, earlier: &Plan) -> Option<Plan> {
    let places: SpanSet<Gpa> =
        earlier.ram.iter().map(|piece| piece.span).chain(earlier.hotplug.iter().copied()).collect();
    let elsewhere: SpanSet<Gpa> = places.gaps(Span::full()).collect();
    let mut problem = Problem::new(host, &answer.reserved, guest);
    let reason = Reason { rule: rules::AVOID.into(), because: KEPT.into(), origin: "--locked".into() };
    problem.constraints.push(Constraint { demand: Demand::KeepOut(elsewhere), reason });
    let mut plan = solve(&problem).ok()?;
    // The lock forbids everything but RAM's place, so it "meets" every PCI window; that is no news about the host.
    plan.warnings.retain(|warning| !warning.because.ends_with(KEPT));
    Some(plan)
}

/// What lies elsewhere, is new or is gone.
fn moved(earlier: &Plan, now: &Plan) -> Vec<String> {
    let mut moved = Vec::new();
    for region in &now.regions {
        let before =
            earlier.regions.iter().find(|before| before.name == region.name && before.kind == region.kind);
        match before {
            Some(before) if before.span == region.span => {}
            Some(before) => {
                moved.push(format!("{} moved from {} to {}", region.name, before.span, region.span));
            }
            None => moved.push(format!("{} at {} is new", region.name, region.span)),
        }
    }
    for before in &earlier.regions {
        if !now.regions.iter().any(|region| region.name == before.name && region.kind == before.kind) {
            moved.push(format!("{} at {} is gone", before.name, before.span));
        }
    }
    moved
}
