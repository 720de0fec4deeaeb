//! Free space: the gaps between the spans of a set, and where something of a size and alignment fits into them.

use std::cmp::Reverse;

use super::SpanSet;
use crate::addr::{Address, Span};
use crate::size::Size;

impl<A: Address> SpanSet<A> {
    /// The stretches of `within` that the set leaves free, ascending.
    pub fn gaps(&self, within: Span<A>) -> impl Iterator<Item = Span<A>> + '_ {
        let spans = self.overlapping(within).iter();
        let firsts = std::iter::once(Some(within.first().get())).chain(spans.clone().map(after));
        let lasts = spans.map(before).chain([Some(within.last().get())]);
        firsts.zip(lasts).filter_map(|(first, last)| Span::of(first?, last?))
    }

    /// The lowest multiple of `align` at which `size` bytes lie wholly in one gap of `within`; none for no bytes.
    /// An alignment of zero aligns nothing.
    #[must_use]
    pub fn first_fit(&self, size: Size, align: Size, within: Span<A>) -> Option<A> {
        let spans = self.overlapping(within);
        let (Some(lowest), Some(highest)) = (spans.first(), spans.last()) else {
            return place(within, size, align);
        };
        let bottom = before(lowest).and_then(|last| Span::of(within.first().get(), last));
        let top = after(highest).and_then(|first| Span::of(first, within.last().get()));
        let place_in = |gap: Option<Span<A>>| gap.and_then(|gap| place(gap, size, align));
        place_in(bottom).or_else(|| place_in(inner_fit(spans, size, align))).or_else(|| place_in(top))
    }

    /// The largest stretch of whole pages of `align` bytes in a gap of `within`, the lowest of several.
    #[must_use]
    pub fn largest_aligned_gap(&self, align: Size, within: Span<A>) -> Option<Span<A>> {
        self.gaps(within).filter_map(|gap| gap.shrink_to(align)).min_by_key(|gap| Reverse(gap.size_bytes()))
    }
}

/// The address after a span, if there is one.
fn after<A: Address>(span: &Span<A>) -> Option<u64> {
    span.last().get().checked_add(1)
}

/// The address before a span, if there is one.
fn before<A: Address>(span: &Span<A>) -> Option<u64> {
    span.first().get().checked_sub(1)
}

/// The lowest place of `size` bytes at a multiple of `align` in the gap.
fn place<A: Address>(gap: Span<A>, size: Size, align: Size) -> Option<A> {
    let placed = Span::from_start_size(gap.first().align_up(align)?, size)?;
    gap.covers(placed).then_some(placed.first())
}

/// The first gap between two of the spans that has a place of `size` bytes at a multiple of `align`.
fn inner_fit<A: Address>(spans: &[Span<A>], size: Size, align: Size) -> Option<Span<A>> {
    let mask = align.bytes().saturating_sub(1);
    // What a gap loses to alignment follows from the last address below it. An alignment that is
    // no power of two needs a division, which makes the scan three times slower.
    if mask & align.bytes() == 0 {
        scan(spans, size, |last| !last & mask)
    } else {
        scan(spans, size, |last| mask.saturating_sub(last % align.bytes().max(1)))
    }
}

/// The first gap between two of the spans that has `size` bytes more than it `loses` at its start.
///
/// A search of many gaps is a search of gaps that do not fit, so this is the loop to keep short: no span is made of a
/// gap before it fits. Nothing wraps: spans of a set ascend and do not touch.
fn scan<A: Address>(spans: &[Span<A>], size: Size, loses: impl Fn(u64) -> u64) -> Option<Span<A>> {
    let [lower, upper] = spans.array_windows().find(|[lower, upper]| {
        let last = lower.last().get();
        let room = upper.first().get().wrapping_sub(last).wrapping_sub(1);
        room.saturating_sub(loses(last)) >= size.bytes()
    })?;
    Span::of(after(lower)?, before(upper)?)
}
