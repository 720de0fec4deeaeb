//! Sets of addresses, kept as spans.
//!
//! A [`SpanSet`] is always normal: its spans ascend, are disjoint, and spans that touch are one. So sets of the same
//! addresses are equal, and the whole 64-bit space is one span. Every operation is total: it neither panics nor
//! overflows, at address 0 and at 2^64-1 as anywhere else.
//!
//! Here are the type, how it is built, and lookups by binary search. The set operations are in `algebra`, the
//! search of free space is in `gaps`. What is left out: what a span stands for. A set knows addresses, not causes.

mod algebra;
mod gaps;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::addr::{Address, Span};

/// A set of addresses of one space, as ascending, disjoint spans of which no two touch.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SpanSet<A> {
    spans: Vec<Span<A>>,
    /// The last address of every full block of [`BLOCK`] spans. A lookup searches here first: this list stays in
    /// the processor's cache when the spans do not.
    landmarks: Vec<A>,
}

/// Spans in a block. Four steps of a binary search, a few cache lines, and landmarks that add a thirty-second.
const BLOCK: usize = 16;

impl<A: Address> SpanSet<A> {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { spans: Vec::new(), landmarks: Vec::new() }
    }

    /// The set of spans that are in normal form already.
    fn from_normal(spans: Vec<Span<A>>) -> Self {
        let mut set = Self { spans, landmarks: Vec::new() };
        set.mark_from(0);
        set
    }

    /// Sets the landmarks anew from the block that holds the span of this index.
    fn mark_from(&mut self, index: usize) {
        let (blocks, _) = self.spans.as_chunks::<BLOCK>();
        self.landmarks.truncate(index / BLOCK);
        let marked = self.landmarks.len();
        self.landmarks.extend(blocks.iter().skip(marked).map(|[.., highest]| highest.last()));
    }

    /// The spans, ascending, disjoint, none touching the next.
    #[must_use]
    pub fn as_slice(&self) -> &[Span<A>] {
        &self.spans
    }

    /// The spans, ascending.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, Span<A>>> {
        self.spans.iter().copied()
    }

    /// Number of spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether no address is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Number of addresses, 0 to 2^64 (which needs the 65th bit).
    #[must_use]
    pub fn size_bytes(&self) -> u128 {
        self.iter().map(Span::size_bytes).sum()
    }

    /// Whether the address is in the set.
    #[must_use]
    pub fn contains(&self, at: A) -> bool {
        self.find(at).is_some()
    }

    /// The span of the set in which the address lies.
    #[must_use]
    pub fn find(&self, at: A) -> Option<Span<A>> {
        self.spans.get(self.count_below(at)).copied().filter(|span| span.first() <= at)
    }

    /// How many spans lie wholly below the address.
    fn count_below(&self, at: A) -> usize {
        let (blocks, rest) = self.spans.as_chunks::<BLOCK>();
        let index = self.landmarks.partition_point(|&last| last < at);
        let within = match blocks.get(index) {
            // Not one call for both: with a block of known length the compiler unrolls the search.
            Some(block) => block.partition_point(|span| span.last() < at),
            None => rest.partition_point(|span| span.last() < at),
        };
        index.saturating_mul(BLOCK).saturating_add(within)
    }

    /// How many spans start at the address or below it.
    fn count_started(&self, at: A) -> usize {
        self.count_below(at).saturating_add(usize::from(self.contains(at)))
    }

    /// Whether every address of the span is in the set.
    #[must_use]
    pub fn covers(&self, span: Span<A>) -> bool {
        self.find(span.first()).is_some_and(|found| found.covers(span))
    }

    /// Whether any address of the span is in the set.
    #[must_use]
    pub fn overlaps(&self, span: Span<A>) -> bool {
        !self.overlapping(span).is_empty()
    }

    /// The spans of the set that share an address with this one, whole, ascending.
    #[must_use]
    pub fn overlapping(&self, span: Span<A>) -> &[Span<A>] {
        let (start, end) = (self.count_below(span.first()), self.count_started(span.last()));
        self.spans.get(start..end).unwrap_or_default()
    }

    /// Adds the addresses of one span. Moves all spans above it: many spans are added at once by [`Extend`].
    pub fn insert(&mut self, span: Span<A>) {
        let start = self.count_below(A::new(span.first().get().saturating_sub(1)));
        let end = self.count_started(A::new(span.last().get().saturating_add(1)));
        let (mut first, mut last) = (span.first(), span.last());
        if let Some([lowest, .., highest] | [lowest @ highest]) = self.spans.get(start..end) {
            first = first.min(lowest.first());
            last = last.max(highest.last());
        }
        self.spans.splice(start..end, Span::new(first, last));
        self.mark_from(start);
    }
}

/// Whether a span that starts at or above `span` and at `first` would overlap or touch it.
fn reaches<A: Address>(span: Span<A>, first: A) -> bool {
    first.get() <= span.last().get().saturating_add(1)
}

/// Puts spans of any order into normal form.
fn normalise<A: Address>(mut spans: Vec<Span<A>>) -> Vec<Span<A>> {
    spans.sort_unstable_by_key(|span| span.first());
    spans.dedup_by(|next, kept| {
        let joined = reaches(*kept, next.first());
        if joined && let Some(both) = Span::new(kept.first(), kept.last().max(next.last())) {
            *kept = both;
        }
        joined
    });
    spans
}

impl<A: Address> Default for SpanSet<A> {
    fn default() -> Self {
        Self::new()
    }
}

/// From spans in any order, which may overlap, touch and repeat. Spans that come sorted are not sorted again.
impl<A: Address> FromIterator<Span<A>> for SpanSet<A> {
    fn from_iter<I: IntoIterator<Item = Span<A>>>(spans: I) -> Self {
        Self::from_normal(normalise(spans.into_iter().collect()))
    }
}

impl<A: Address> Extend<Span<A>> for SpanSet<A> {
    fn extend<I: IntoIterator<Item = Span<A>>>(&mut self, spans: I) {
        let mut all = std::mem::take(&mut self.spans);
        all.extend(spans);
        *self = Self::from_normal(normalise(all));
    }
}

impl<A> IntoIterator for SpanSet<A> {
    type Item = Span<A>;
    type IntoIter = std::vec::IntoIter<Span<A>>;
    fn into_iter(self) -> Self::IntoIter {
        self.spans.into_iter()
    }
}

impl<'a, A: Address> IntoIterator for &'a SpanSet<A> {
    type Item = Span<A>;
    type IntoIter = std::iter::Copied<std::slice::Iter<'a, Span<A>>>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The spans with commas between them; `nothing` for the empty set.
impl<A: Address> fmt::Display for SpanSet<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for span in self {
            write!(f, "{separator}{span}")?;
            separator = ", ";
        }
        if self.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}
impl<A: Address> fmt::Debug for SpanSet<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

/// In JSON, an array of `{"start", "end"}`. What is read may be in any order and overlap.
impl<A: Address + Serialize> Serialize for SpanSet<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}
impl<'de, A: Address + Deserialize<'de>> Deserialize<'de> for SpanSet<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|spans| Self::from_normal(normalise(spans)))
    }
}
impl<A: Address + schemars::JsonSchema> schemars::JsonSchema for SpanSet<A> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}SpanSet", A::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = Vec::<Span<A>>::json_schema(generator);
        schema.insert("description".into(), "spans, ascending, disjoint, none touching the next".into());
        schema
    }
}
