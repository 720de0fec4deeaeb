//! Free space: the gaps between the spans of a set, and where something of a size and alignment fits into them.

use std::cmp::Reverse;

use super::SpanSet;
use crate::addr::{Address, Span};
use crate::size::Size;

impl<A: Address> SpanSet<A> {
    /// The stretches of `within` that the set leaves free, ascending.
    pub fn gaps(&self, within: Span<A>) -> impl Iterator<Item = Span<A>> + '_ {
        let spans = self.overlapping(within);
        let after = spans.iter().map(|span| span.last().get().checked_add(1));
        let before = spans.iter().map(|span| span.first().get().checked_sub(1));
        let firsts = std::iter::once(Some(within.first().get())).chain(after);
        let lasts = before.chain([Some(within.last().get())]);
        firsts.zip(lasts).filter_map(|(first, last)| Span::of(first?, last?))
    }

    /// The lowest multiple of `align` at which `size` bytes lie wholly in one gap of `within`. None for no bytes.
    #[must_use]
    pub fn first_fit(&self, size: Size, align: Size, within: Span<A>) -> Option<A> {
        self.gaps(within).find_map(|gap| place(gap, size, align)).map(Span::first)
    }

    /// The largest stretch of whole pages of `align` bytes in a gap of `within`, the lowest of several.
    #[must_use]
    pub fn largest_aligned_gap(&self, align: Size, within: Span<A>) -> Option<Span<A>> {
        self.gaps(within).filter_map(|gap| gap.shrink_to(align)).min_by_key(|gap| Reverse(gap.size_bytes()))
    }
}

/// The lowest place of `size` bytes at a multiple of `align` in the gap.
fn place<A: Address>(gap: Span<A>, size: Size, align: Size) -> Option<Span<A>> {
    let placed = Span::from_start_size(gap.first().align_up(align)?, size)?;
    gap.covers(placed).then_some(placed)
}
