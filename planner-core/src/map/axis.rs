//! The shared axis: where it is cut, what lies between the cuts, and where RAM meets what it must not.
//!
//! Everything here is linear in the number of bands once they are sorted, whatever overlaps what.

use std::ops::Range;

use super::{Band, Lane, LaneKind, MOST_TRACKS};
use crate::addr::{Address, Iova, Span};

/// A stretch of the axis within which nothing begins or ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// The addresses.
    pub span: Span<Iova>,
    /// Whether no lane has anything here. Such a stretch is drawn as a break.
    pub free: bool,
    /// Whether guest RAM and something forbidden meet here.
    pub conflict: bool,
}

/// The axis: segments without gap between them, from address 0 to the end of the last band.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Axis {
    /// Ascending.
    pub segments: Vec<Segment>,
}

impl Axis {
    /// Cuts the axis at every start and end of a band, and marks bands that are in conflict. Hazards are forbidden
    /// to RAM only if `hazards_count`.
    pub(super) fn new(lanes: &mut [Lane], hazards_count: bool) -> Self {
        let mut axis = Self { segments: cut(lanes) };
        let mut ram = Coverage::new(axis.segments.len());
        let mut forbidden = ram.clone();
        let mut any = ram.clone();
        for lane in lanes.iter() {
            for band in &lane.bands {
                let range = axis.range_of(band.span);
                any.add(&range);
                if is_ram(lane.kind, band) {
                    ram.add(&range);
                } else if band.kind.forbids_ram(hazards_count) {
                    forbidden.add(&range);
                }
            }
        }
        let covers = any.totals().zip(ram.totals()).zip(forbidden.totals());
        for (segment, ((any, ram), forbidden)) in axis.segments.iter_mut().zip(covers) {
            segment.free = any == 0;
            segment.conflict = ram > 0 && forbidden > 0;
        }
        axis.mark_bands(lanes, hazards_count);
        axis
    }

    /// The segments that a span is made of. Empty when the span does not begin at a cut.
    #[must_use]
    pub fn range_of(&self, span: Span<Iova>) -> Range<usize> {
        let start = self.segments.partition_point(|segment| segment.span.first() < span.first());
        let end = self.segments.partition_point(|segment| segment.span.last() <= span.last());
        start..end.max(start)
    }

    fn mark_bands(&self, lanes: &mut [Lane], hazards_count: bool) {
        let mut before = 0usize;
        let mut conflicts_before = vec![0usize];
        for segment in &self.segments {
            before = before.saturating_add(usize::from(segment.conflict));
            conflicts_before.push(before);
        }
        let until = |at: usize| conflicts_before.get(at).copied().unwrap_or(before);
        for lane in lanes {
            let kind = lane.kind;
            for band in &mut lane.bands {
                let range = self.range_of(band.span);
                let concerned = is_ram(kind, band) || band.kind.forbids_ram(hazards_count);
                band.conflict = concerned && until(range.end) > until(range.start);
            }
        }
    }
}

fn is_ram(lane: LaneKind, band: &Band) -> bool {
    lane == LaneKind::Guest && band.kind.is_ram()
}

/// Address 0, the start of every band, and the address after each.
fn cut(lanes: &[Lane]) -> Vec<Segment> {
    let spans = || lanes.iter().flat_map(|lane| &lane.bands).map(|band| band.span);
    let Some(last) = spans().map(Span::last).max() else {
        return Vec::new();
    };
    let ends = spans().filter_map(|span| span.last().get().checked_add(1));
    let mut cuts: Vec<u64> = spans().map(|span| span.first().get()).chain(ends).chain([0]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let nexts = cuts.iter().skip(1).map(|next| next.saturating_sub(1)).chain([last.get()]);
    let pieces = cuts.iter().zip(nexts).filter_map(|(&first, last)| Span::of(first, last));
    pieces.map(|span| Segment { span, free: true, conflict: false }).collect()
}

/// How many of something cover each segment, kept as differences between neighbours.
#[derive(Clone)]
struct Coverage {
    changes: Vec<i64>,
}

impl Coverage {
    fn new(segments: usize) -> Self {
        Self { changes: vec![0; segments.saturating_add(1)] }
    }
    fn add(&mut self, range: &Range<usize>) {
        for (at, change) in [(range.start, 1), (range.end, -1)] {
            if let Some(slot) = self.changes.get_mut(at) {
                *slot = slot.saturating_add(change);
            }
        }
    }
    fn totals(&self) -> impl Iterator<Item = i64> {
        self.changes.iter().scan(0i64, |total, change| {
            *total = total.saturating_add(*change);
            Some(*total)
        })
    }
}

/// Sorts bands and puts those that overlap side by side, as a calendar does with its appointments.
pub(super) fn assign_tracks(bands: &mut [Band]) {
    bands.sort_by(|a, b| {
        let key = |band: &Band| (band.span.first(), std::cmp::Reverse(band.span.last()), band.kind);
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
    });
    let mut rest = bands;
    while !rest.is_empty() {
        let (cluster, others) = rest.split_at_mut(cluster_length(rest));
        let mut ends: Vec<Iova> = Vec::new();
        for band in cluster.iter_mut() {
            band.track = take_track(&mut ends, band.span);
        }
        for band in cluster {
            band.tracks = ends.len().max(1);
        }
        rest = others;
    }
}

/// How many of the first bands hang together: up to the first that begins where all before it have ended.
fn cluster_length(bands: &[Band]) -> usize {
    let mut reach: Option<Iova> = None;
    let alone = |band: &Band| {
        let begins_after = reach.is_some_and(|end| end < band.span.first());
        reach = reach.max(Some(band.span.last()));
        begins_after
    };
    bands.iter().position(alone).unwrap_or(bands.len())
}

/// The first track that is free where `span` begins, or a new one, or the last.
fn take_track(ends: &mut Vec<Iova>, span: Span<Iova>) -> usize {
    if let Some(track) = ends.iter().position(|end| *end < span.first()) {
        if let Some(end) = ends.get_mut(track) {
            *end = span.last();
        }
        return track;
    }
    if ends.len() < MOST_TRACKS {
        ends.push(span.last());
    } else if let Some(end) = ends.last_mut() {
        *end = span.last().max(*end);
    }
    ends.len().saturating_sub(1)
}
