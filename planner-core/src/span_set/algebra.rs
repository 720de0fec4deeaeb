//! Union, intersection, difference, complement: each one pass over both sets.
//!
//! Which of two sets of unrelated origin has the next span, and whether it joins the one before, is a coin toss that
//! no branch predictor wins, and a lost one costs more than the rest of the step. So union and intersection select
//! and count instead of branching; [`keep_some`] is the loop that they share.

use super::{SpanSet, reaches};
use crate::addr::{Address, Span};
use crate::size::Size;

impl<A: Address> SpanSet<A> {
    /// The addresses that are in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut ascending = ascending(self.as_slice(), other.as_slice());
        let Some(mut open) = ascending() else { return Self::new() };
        let mut spans = keep_some(self.len().saturating_add(other.len()), || {
            let next = ascending()?;
            let closed = open;
            let joined = reaches(closed, next.first());
            let first = if joined { closed.first() } else { next.first() };
            open = Span::new(first, closed.last().max(next.last())).unwrap_or(next);
            Some((closed, !joined))
        });
        spans.push(open);
        Self::from_normal(spans)
    }

    /// The addresses that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (left, right) = (self.as_slice(), other.as_slice());
        let (mut l, mut r) = (0, 0);
        let spans = keep_some(left.len().saturating_add(right.len()), || {
            let (a, b) = (*left.get(l)?, *right.get(r)?);
            l += usize::from(a.last() <= b.last());
            r += usize::from(b.last() <= a.last());
            let both = a.intersection(b);
            Some((both.unwrap_or(a), both.is_some()))
        });
        Self::from_normal(spans)
    }

    /// The addresses of this set that are not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// The addresses that are not in the set.
    #[must_use]
    pub fn complement(&self) -> Self {
        // Two spans of a normal set never touch, so neither do two of its gaps.
        Self::from_normal(self.gaps(Span::full()).collect())
    }

    /// Every span shrunk to whole pages of `align` bytes, see [`Span::shrink_to`]; what holds no whole page is gone.
    #[must_use]
    pub fn shrink_to(&self, align: Size) -> Self {
        Self::from_normal(self.iter().filter_map(|span| span.shrink_to(align)).collect())
    }
}

/// The spans of two ascending lists, in the order of their first addresses, one a call.
fn ascending<A: Address>(left: &[Span<A>], right: &[Span<A>]) -> impl FnMut() -> Option<Span<A>> {
    let (mut l, mut r) = (0, 0);
    move || {
        let (a, b) = (left.get(l), right.get(r));
        let from_left = match (a, b) {
            (Some(a), Some(b)) => a.first() <= b.first(),
            (a, _) => a.is_some(),
        };
        l += usize::from(from_left);
        r += usize::from(!from_left);
        if from_left { a.copied() } else { b.copied() }
    }
}

/// The spans that `step` gives with `true`, until it gives none. Every span is stored and the next is stored over it
/// unless it is kept. The chunk is on the stack because room on the heap would first have to be filled.
fn keep_some<A: Address>(most: usize, mut step: impl FnMut() -> Option<(Span<A>, bool)>) -> Vec<Span<A>> {
    let mut spans = Vec::with_capacity(most);
    let mut chunk = [Span::full(); 64];
    loop {
        let mut kept = 0;
        while let Some(slot) = chunk.get_mut(kept)
            && let Some((span, keep)) = step()
        {
            *slot = span;
            kept += usize::from(keep);
        }
        spans.extend_from_slice(chunk.get(..kept).unwrap_or_default());
        if kept < chunk.len() {
            return spans;
        }
    }
}
