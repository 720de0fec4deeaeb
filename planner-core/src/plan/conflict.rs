//! No layout: a minimal set of constraints that leave none.

use serde::{Deserialize, Serialize};

use super::Reason;
use super::place;
use super::problem::{Constraint, Demand, Problem};
use crate::addr::{Gpa, Span};
use crate::vmm::{self, BootRule};

/// Why there is no layout.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Conflict {
    /// What has no place, in words: `16 GiB of RAM for "nfv0" on qemu 11.1 virt`.
    pub subject: String,
    /// Causes that suffice: together they leave no layout, without any one of them there is one.
    pub causes: Vec<Reason>,
    /// Further reasons, each of which would suffice by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Reason>,
    /// Where the VMM would put RAM by itself, for the picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempted: Vec<Span<Gpa>>,
    /// The largest stretch that is free for RAM, whatever the VMM can do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_hole: Option<Span<Gpa>>,
}

/// The conflict of a guest that no layout can help.
#[must_use]
pub fn blocked(problem: &Problem) -> Conflict {
    let mut blockers = problem.blockers.iter().cloned();
    Conflict {
        subject: subject(problem),
        causes: blockers.next().into_iter().collect(),
        also: blockers.collect(),
        attempted: Vec::new(),
        largest_hole: None,
    }
}

/// The conflict of a problem that has no solution.
#[must_use]
pub fn explain(problem: &Problem) -> Conflict {
    let core = minimal_core(problem);
    let hole = problem
        .forbidden()
        .gaps(Span::full())
        .max_by_key(|gap| (gap.size_bytes(), std::cmp::Reverse(gap.first())));
    Conflict {
        subject: subject(problem),
        causes: core.into_iter().map(|constraint| constraint.reason).collect(),
        also: Vec::new(),
        attempted: attempted(problem),
        largest_hole: hole,
    }
}

/// A minimal unsolvable subset of the constraints, in their order. Found by trying to do without each in turn, those
/// that explain least first: that the VMM must accept the layout, then regions that take little of the space where RAM
/// would lie, then larger ones, then the VMM's rules on RAM.
#[must_use]
pub fn minimal_core(problem: &Problem) -> Vec<Constraint> {
    let top = attempted(problem).last().map_or(Gpa::at(u64::MAX), |span| span.last());
    let mut order: Vec<usize> = (0..problem.constraints.len()).collect();
    order.sort_by_key(|&index| {
        problem.constraints.get(index).map(|constraint| (weight(constraint, top), index))
    });
    let mut core = problem.clone();
    let mut kept: Vec<bool> = vec![true; problem.constraints.len()];
    for index in order {
        if let Some(keep) = kept.get_mut(index) {
            *keep = false;
        }
        core.constraints = chosen(problem, &kept);
        if place::search(&core).is_some()
            && let Some(keep) = kept.get_mut(index)
        {
            *keep = true;
        }
    }
    chosen(problem, &kept)
}

fn chosen(problem: &Problem, kept: &[bool]) -> Vec<Constraint> {
    let constraints = problem.constraints.iter().zip(kept);
    constraints.filter(|(_, keep)| **keep).map(|(constraint, _)| constraint.clone()).collect()
}

/// Small weights are dropped first.
fn weight(constraint: &Constraint, top: Gpa) -> (u8, u128) {
    match &constraint.demand {
        Demand::VmmAccepts => (0, 0),
        Demand::BarsKeepOut(_) => (1, 0),
        Demand::KeepOut(_) => (2, constraint.bytes_below(top)),
        Demand::BarRoom => (3, 0),
        Demand::PieceRule => (4, 0),
        Demand::BootRule => (5, 0),
    }
}

/// Where RAM would lie if nothing forbade it.
pub(super) fn attempted(problem: &Problem) -> Vec<Span<Gpa>> {
    let Some(variant) = vmm::variants(&problem.request).ok().and_then(|variants| variants.into_iter().next())
    else {
        return Vec::new();
    };
    let memory = problem.guest.memory;
    match variant.boot {
        BootRule::Fixed { spans, .. } => place::fill(&spans, memory).unwrap_or_default(),
        BootRule::Movable { default, .. } => Span::from_start_size(default, memory).into_iter().collect(),
    }
}

fn subject(problem: &Problem) -> String {
    format!(
        "{} of RAM for `{}` on {}",
        problem.guest.memory,
        problem.guest.name,
        vmm::describe(&problem.request)
    )
}
