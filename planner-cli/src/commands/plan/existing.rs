//! What becomes of an existing configuration as it stands, for people: before the plan that it could become.

use std::fmt::Write as _;

use planner_core::answer::{Answer, Outcome};
use planner_core::existing::{AsItStands, Outlook};

use crate::paint::{Ink, paint, paragraph};

/// The judgement, and the words that lead over to the plan.
pub(super) fn told(judgement: &AsItStands, answer: &Answer, width: usize) -> String {
    let (ink, words) = match judgement.outlook {
        Outlook::Works => (Ink::Good, "works"),
        Outlook::Unsafe => (Ink::Bad, "starts, and DMA to part of its memory may go astray"),
        Outlook::Fails => (Ink::Bad, "fails when its memory is mapped for the devices"),
        Outlook::Refused => (Ink::Bad, "is refused"),
    };
    let mut out = format!("as it stands: {}\n", paint(ink, words));
    for reason in &judgement.because {
        out.push_str(&paragraph("  because ", &format!("{} [{}]", reason.because, reason.rule), width));
    }
    for reason in &judgement.warnings {
        out.push_str(&paragraph("  mind: ", &format!("{} [{}]", reason.because, reason.rule), width));
    }
    if let Some(message) = &judgement.message {
        let _ = writeln!(out, "  {message}");
    }
    let is_planned = matches!(answer.outcome, Outcome::Plan(_));
    match (judgement.outlook, is_planned) {
        (Outlook::Works, true) if judgement.changes.is_empty() => {
            out.push_str("nothing has to change; the planner's own plan:\n");
        }
        (Outlook::Works, true) => out.push_str("nothing has to change; the planner's own plan differs:\n"),
        (Outlook::Works, false) => {
            out.push_str(
                "nothing has to change; but for all that the guest may grow to there is no layout:\n",
            );
        }
        (_, true) if judgement.changes.is_empty() => out.push_str("to make it work, use the plan below:\n"),
        (_, true) => out.push_str("to make it work:\n"),
        (_, false) => out.push_str("to make it work there is no layout:\n"),
    }
    for change in judgement.changes.iter().filter(|_| is_planned) {
        out.push_str(&paragraph("  - ", change, width));
    }
    out.push('\n');
    out
}
