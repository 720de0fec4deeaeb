//! A space of a few slots of 4 KiB each, as a list of flags.

use std::ops::Range;

use planner_core::addr::{Address, Iova, Span};
use planner_core::kernel::ResvKind;
use planner_core::kernel::resv::RawRegion;
use proptest::prelude::*;

/// How many slots there are.
pub(crate) const SLOTS: usize = 48;
/// Bytes of a slot.
pub(crate) const SLOT: u64 = 0x1000;

/// The slots from one to before another, never none.
pub(crate) fn slots() -> impl Strategy<Value = Range<usize>> {
    (0..SLOTS, 1..9_usize).prop_map(|(first, count)| first..(first + count).min(SLOTS))
}

/// The slots that an aperture leaves: most of them.
pub(crate) fn aperture() -> impl Strategy<Value = Range<usize>> {
    (0..6_usize, 0..6_usize).prop_map(|(below, above)| below..SLOTS - above)
}

pub(crate) fn kind() -> impl Strategy<Value = ResvKind> {
    prop::sample::select(vec![
        ResvKind::Direct,
        ResvKind::DirectRelaxable,
        ResvKind::Reserved,
        ResvKind::Msi,
        ResvKind::SoftwareMsi,
    ])
}

/// A few regions of a device.
pub(crate) fn regions() -> impl Strategy<Value = Vec<(ResvKind, Range<usize>)>> {
    prop::collection::vec((kind(), slots()), 0..4)
}

pub(crate) fn first(slots: &Range<usize>) -> u64 {
    slots.start as u64 * SLOT
}

pub(crate) fn last(slots: &Range<usize>) -> u64 {
    slots.end as u64 * SLOT - 1
}

pub(crate) fn bytes(slots: &Range<usize>) -> u64 {
    slots.len() as u64 * SLOT
}

pub(crate) fn span(slots: &Range<usize>) -> Span<Iova> {
    Span::of(first(slots), last(slots)).expect("there is a slot")
}

pub(crate) fn raw((kind, slots): &(ResvKind, Range<usize>)) -> RawRegion {
    RawRegion::from_ends(first(slots), last(slots), *kind)
}

pub(crate) fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// First and last address of each run of slots that are free.
pub(crate) fn runs(free: &[bool]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for slot in (0..free.len()).filter(|&slot| free[slot]) {
        let here = slot..slot + 1;
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == first(&here) => *end = last(&here),
            _ => runs.push((first(&here), last(&here))),
        }
    }
    runs
}

/// The numbers of ranges.
pub(crate) fn ends(ranges: &[Span<Iova>]) -> Vec<(u64, u64)> {
    ranges.iter().map(|range| (range.first().get(), range.last().get())).collect()
}
