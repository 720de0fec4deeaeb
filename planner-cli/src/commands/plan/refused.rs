//! No layout, for people: the causes that suffice, the largest hole, and what would help.

use std::fmt::Write as _;

use planner_core::advise::Fix;
use planner_core::plan::{Conflict, Reason};
use planner_core::size::binary_size;

use crate::paint::{Ink, paint, paragraph};

/// Columns of running text.
const WIDTH: usize = 100;

/// The whole refusal.
pub(crate) fn told(conflict: &Conflict, fixes: &[Fix]) -> String {
    let mut out = paint(Ink::Bad, &format!("no layout: {}", conflict.subject));
    out.push('\n');
    for cause in &conflict.causes {
        out.push_str(&because("  because ", cause));
    }
    for cause in &conflict.also {
        out.push_str(&because("  and because ", cause));
    }
    if let Some(hole) = conflict.largest_hole {
        let _ = writeln!(out, "  the largest hole for RAM is {hole} ({})", binary_size(hole.size_bytes()));
    }
    for fix in fixes {
        out.push_str(&paragraph(&format!("{} ", paint(Ink::Good, "help:")), &fix.change, WIDTH));
        for option in &fix.options {
            let _ = writeln!(out, "        {option}");
        }
    }
    if fixes.is_empty() {
        let _ = writeln!(out, "{} nothing that the planner tried would help", paint(Ink::Good, "help:"));
    }
    out
}

fn because(lead: &str, reason: &Reason) -> String {
    let Reason { rule, because, origin } = reason;
    let cited = if origin == rule || origin.is_empty() { rule.clone() } else { format!("{rule}, {origin}") };
    paragraph(lead, &format!("{because} [{cited}]"), WIDTH)
}
