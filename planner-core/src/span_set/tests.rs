//! Cases at the ends of the space, then random sets against two judges: a `BTreeSet` of single addresses, which is
//! obvious but small, and `rangemap`, which is somebody else's code and reaches all 64 bits.

use std::collections::BTreeSet;

use expect_test::expect;
use proptest::collection::vec;
use proptest::prelude::*;
use rangemap::RangeInclusiveSet;

use super::*;
use crate::addr::Iova;
use crate::size::Size;

const MAX: u64 = u64::MAX;

fn span(first: u64, last: u64) -> Span<Iova> {
    Span::of(first, last).unwrap()
}

fn set<const N: usize>(spans: [(u64, u64); N]) -> SpanSet<Iova> {
    spans.into_iter().map(|(first, last)| span(first, last)).collect()
}

fn bytes(bytes: u64) -> Size {
    Size::from_bytes(bytes)
}

#[test]
fn spans_of_any_order_become_normal() {
    let spans = [(0x30, 0x3f), (0x10, 0x1f), (0x18, 0x1a), (0x20, 0x20), (0x40, 0x40), (0x10, 0x1f)];
    assert_eq!(set(spans).as_slice(), [span(0x10, 0x20), span(0x30, 0x40)]);
}

#[test]
fn the_whole_space_is_one_span() {
    let full = set([(0, MAX)]);
    assert_eq!(set([(1 << 63, MAX), (0, (1 << 63) - 1)]), full);
    assert_eq!(full.as_slice(), [Span::full()]);
    assert_eq!(full.size_bytes(), 1 << 64);
    assert_eq!(full.complement(), SpanSet::new());
    assert_eq!(SpanSet::<Iova>::new().complement(), full);
    assert_eq!(full.shrink_to(bytes(0x1000)), full);
    assert_eq!(full.first_fit(bytes(1), bytes(1), Span::full()), None);
    assert_eq!(full.union(&full), full);
    let mut grown = set([(0, 0), (MAX, MAX)]);
    assert_eq!(grown.complement().as_slice(), [span(1, MAX - 1)]);
    grown.insert(span(1, MAX - 1));
    assert_eq!(grown, full);
}

#[test]
fn a_span_set_knows_what_it_covers() {
    let set = set([(0, 0xf), (0x20, 0x2f), (MAX, MAX)]);
    assert_eq!(set.find(Iova::at(0x2f)), Some(span(0x20, 0x2f)));
    assert_eq!(set.find(Iova::at(0x30)), None);
    assert!(set.contains(Iova::at(0)) && set.contains(Iova::at(MAX)) && !set.contains(Iova::at(MAX - 1)));
    assert!(set.covers(span(0x20, 0x2f)) && !set.covers(span(0xf, 0x20)) && !set.covers(span(0x20, 0x30)));
    assert!(set.overlaps(span(0xf, 0x1f)) && !set.overlaps(span(0x10, 0x1f)));
    assert_eq!(set.overlapping(span(0xf, 0x20)), [span(0, 0xf), span(0x20, 0x2f)]);
    assert_eq!(set.overlapping(span(0x30, MAX - 1)), []);
    assert_eq!(set.overlapping(Span::full()).len(), 3);
}

#[test]
fn gaps_are_cut_to_the_stretch_asked_for() {
    let set = set([(0, 0xf), (0x20, 0x2f), (0x40, MAX)]);
    let gaps = |first, last| set.gaps(span(first, last)).collect::<Vec<_>>();
    assert_eq!(gaps(0, MAX), [span(0x10, 0x1f), span(0x30, 0x3f)]);
    assert_eq!(gaps(0x18, 0x31), [span(0x18, 0x1f), span(0x30, 0x31)]);
    assert_eq!(gaps(0x12, 0x13), [span(0x12, 0x13)]);
    assert_eq!(gaps(0x20, 0x2f), []);
}

#[test]
fn a_fit_is_aligned_and_wholly_free() {
    let set = set([(0x800, 0x17ff), (0x3800, 0x3fff), (0x6000, 0x6fff)]);
    let fit =
        |size, align, first, last| set.first_fit(bytes(size), bytes(align), span(first, last)).map(Iova::get);
    assert_eq!(fit(0x800, 0x1000, 0, MAX), Some(0));
    assert_eq!(fit(0x801, 0x1000, 0, MAX), Some(0x2000));
    assert_eq!(fit(0x1800, 0x1000, 0, MAX), Some(0x2000));
    assert_eq!(fit(0x1801, 0x1000, 0, MAX), Some(0x4000));
    assert_eq!(fit(0x2001, 0x1000, 0, MAX), Some(0x7000));
    assert_eq!(fit(0x1801, 0x1000, 0, 0x57ff), None, "the stretch ends too early");
    assert_eq!(fit(0x1800, 0x1000, 0x2001, 0x5fff), Some(0x4000), "the stretch starts too late for 0x2000");
    assert_eq!(fit(0x600, 0x600, 0, MAX), Some(0));
    assert_eq!(fit(0x900, 0x600, 0, MAX), Some(0x1800), "an odd alignment");
    assert_eq!(fit(1, 0, 0x900, MAX), Some(0x1800), "no alignment");
    assert_eq!(fit(0, 0x1000, 0, MAX), None, "nothing to place");
    assert_eq!(fit(MAX, 1, 0, MAX), None, "too large");
    assert_eq!(SpanSet::new().first_fit(bytes(MAX), bytes(1), Span::full()), Some(Iova::at(0)));
}

#[test]
fn a_fit_may_end_at_the_top_of_the_space() {
    let set = set([(0, MAX - 0x1fff)]);
    let fit = |size| set.first_fit(bytes(size), bytes(0x1000), Span::full());
    assert_eq!(
        fit(0x1000),
        Some(Iova::at(MAX - 0xfff)),
        "0x1000 below the top, the page below being touched"
    );
    assert_eq!(fit(0x1001), None);
    assert_eq!(set.first_fit(bytes(1), bytes(1 << 63), Span::full()), None);
}

#[test]
fn the_largest_gap_is_measured_in_whole_pages() {
    let set = set([(0x1000, 0x17ff), (0x3800, 0x4fff), (0x7000, MAX)]);
    let largest = |align, within| set.largest_aligned_gap(bytes(align), within);
    assert_eq!(largest(1, Span::full()), Some(span(0x1800, 0x37ff)));
    assert_eq!(largest(0x1000, Span::full()), Some(span(0x5000, 0x6fff)));
    assert_eq!(largest(0x1000, span(0, 0x5fff)), Some(span(0, 0xfff)), "the lowest of three");
    assert_eq!(largest(0x10000, Span::full()), None);
}

#[test]
fn a_set_prints_and_reads_as_its_spans() {
    let msi = set([(0x800_0000, 0x80f_ffff), (0xfee0_0000, 0xfeef_ffff)]);
    expect!["0x800_0000..=0x80f_ffff, 0xfee0_0000..=0xfeef_ffff"].assert_eq(&msi.to_string());
    expect!["{0x800_0000..=0x80f_ffff, 0xfee0_0000..=0xfeef_ffff}"].assert_eq(&format!("{msi:?}"));
    expect!["nothing"].assert_eq(&SpanSet::<Iova>::new().to_string());
    let json = serde_json::to_string(&msi).unwrap();
    expect![[r#"[{"start":"0x8000000","end":"0x80fffff"},{"start":"0xfee00000","end":"0xfeefffff"}]"#]]
        .assert_eq(&json);
    assert_eq!(serde_json::from_str::<SpanSet<Iova>>(&json).unwrap(), msi);
    let unsorted = r#"[{"start":"0x10","end":"0x1f"},{"start":"0x0","end":"0xf"}]"#;
    assert_eq!(serde_json::from_str::<SpanSet<Iova>>(unsorted).unwrap(), set([(0, 0x1f)]));
    expect!["IovaSpanSet array"].assert_eq(&{
        let schema = schemars::schema_for!(SpanSet<Iova>);
        format!(
            "{} {}",
            schema.get("title").unwrap().as_str().unwrap(),
            schema.get("type").unwrap().as_str().unwrap()
        )
    });
}

/// How many addresses at each end of the space the small model knows.
const EDGE: u64 = 80;

/// The address of the small model's number: the lower half are the first addresses of the space, the upper the last.
fn edge_address(number: u64) -> u64 {
    if number < EDGE { number } else { MAX - (2 * EDGE - 1 - number) }
}

/// Spans of the small model: numbers `first..=last`, all in the lower half or all in the upper.
fn edge_span() -> impl Strategy<Value = (u64, u64)> {
    (0..2_u64, 0..EDGE, 0..12_u64)
        .prop_map(|(half, first, more)| (half * EDGE + first, half * EDGE + (first + more).min(EDGE - 1)))
}

/// Random sets are larger than two blocks, so that lookups meet full blocks and the rest.
fn edge_spans() -> impl Strategy<Value = Vec<(u64, u64)>> {
    vec(edge_span(), 0..40)
}

fn of_model(spans: &[(u64, u64)]) -> SpanSet<Iova> {
    spans.iter().map(|&(first, last)| span(edge_address(first), edge_address(last))).collect()
}

fn model(spans: &[(u64, u64)]) -> BTreeSet<u64> {
    spans.iter().flat_map(|&(first, last)| first..=last).map(edge_address).collect()
}

/// The model's addresses that are in the set; and the set must be normal.
fn members(set: &SpanSet<Iova>) -> BTreeSet<u64> {
    assert_normal(set);
    (0..2 * EDGE).map(edge_address).filter(|&at| set.contains(Iova::at(at))).collect()
}

fn assert_normal(set: &SpanSet<Iova>) {
    for pair in set.as_slice().windows(2) {
        assert!(pair[0].last().get().checked_add(1).unwrap() < pair[1].first().get(), "{pair:?}");
    }
    let highest_of_blocks: Vec<_> =
        set.spans.as_chunks::<BLOCK>().0.iter().map(|block| block[BLOCK - 1].last()).collect();
    assert_eq!(set.landmarks, highest_of_blocks);
}

/// The lowest number at which the search of the small model succeeds, tried one by one.
fn slow_fit(taken: &BTreeSet<u64>, size: u64, align: u64, within: Span<Iova>) -> Option<u64> {
    let all: BTreeSet<u64> = (0..2 * EDGE).map(edge_address).collect();
    let fits = |at: u64| {
        at.is_multiple_of(align)
            && at.checked_add(size - 1).is_some_and(|last| {
                within.covers(span(at, last))
                    && (at..=last).all(|at| all.contains(&at) && !taken.contains(&at))
            })
    };
    all.iter().copied().find(|&at| fits(at))
}

fn any_spans() -> impl Strategy<Value = Vec<Span<Iova>>> {
    // Lengths of every magnitude; starts near the ends, and anywhere.
    let start = prop_oneof![any::<u64>(), 0..0x4000_u64, (MAX - 0x4000)..=MAX];
    let one = (start, 0..64_u32, any::<u64>())
        .prop_map(|(first, bits, length)| span(first, first.saturating_add(length >> bits)));
    vec(one, 0..60)
}

fn theirs(set: &SpanSet<Iova>) -> RangeInclusiveSet<u64> {
    set.iter().map(|span| span.first().get()..=span.last().get()).collect()
}

fn as_spans(ranges: impl IntoIterator<Item = std::ops::RangeInclusive<u64>>) -> Vec<Span<Iova>> {
    ranges.into_iter().map(|range| span(*range.start(), *range.end())).collect()
}

proptest! {
    #[test]
    fn operations_agree_with_membership(a in edge_spans(), b in edge_spans()) {
        let (left, right, left_model, right_model) = (of_model(&a), of_model(&b), model(&a), model(&b));
        prop_assert_eq!(members(&left), left_model.clone());
        prop_assert_eq!(left.size_bytes(), u128::try_from(left_model.len()).unwrap());
        prop_assert_eq!(members(&left.union(&right)), &left_model | &right_model);
        prop_assert_eq!(members(&left.intersection(&right)), &left_model & &right_model);
        prop_assert_eq!(members(&left.difference(&right)), &left_model - &right_model);
        let all: BTreeSet<u64> = (0..2 * EDGE).map(edge_address).collect();
        prop_assert_eq!(members(&left.complement()), &all - &left_model);
    }

    #[test]
    fn inserting_one_by_one_equals_collecting(spans in edge_spans()) {
        let (mut inserted, mut extended) = (SpanSet::new(), SpanSet::new());
        for &(first, last) in &spans {
            inserted.insert(span(edge_address(first), edge_address(last)));
            assert_normal(&inserted);
            extended.extend([span(edge_address(first), edge_address(last))]);
        }
        prop_assert_eq!(&inserted, &of_model(&spans));
        prop_assert_eq!(&extended, &of_model(&spans));
    }

    #[test]
    fn lookups_of_spans_agree_with_a_walk(spans in edge_spans(), (first, last) in edge_span()) {
        let (set, taken) = (of_model(&spans), model(&spans));
        let asked = span(edge_address(first), edge_address(last));
        let inside: Vec<u64> = (first..=last).map(edge_address).collect();
        prop_assert_eq!(set.covers(asked), inside.iter().all(|at| taken.contains(at)));
        prop_assert_eq!(set.overlaps(asked), inside.iter().any(|at| taken.contains(at)));
        let walked: Vec<_> = set.iter().filter(|span| span.overlaps(asked)).collect();
        prop_assert_eq!(set.overlapping(asked), walked);
        let free: Vec<u64> = set.gaps(asked).flat_map(|gap| gap.first().get()..=gap.last().get()).collect();
        let expected: Vec<u64> = inside.into_iter().filter(|at| !taken.contains(at)).collect();
        prop_assert_eq!(free, expected);
    }

    #[test]
    fn the_first_fit_is_the_lowest(
        spans in edge_spans(), within in edge_span(), size in 1..12_u64, align in 1..12_u64,
    ) {
        let within = span(edge_address(within.0), edge_address(within.1));
        let found = of_model(&spans).first_fit(bytes(size), bytes(align), within);
        prop_assert_eq!(found.map(Iova::get), slow_fit(&model(&spans), size, align, within));
    }

    #[test]
    fn the_largest_aligned_gap_fits_and_nothing_larger_does(
        spans in edge_spans(), within in edge_span(), align_bits in 0..5_u32,
    ) {
        let (set, align) = (of_model(&spans), 1_u64 << align_bits);
        let within = span(edge_address(within.0), edge_address(within.1));
        let size = set.largest_aligned_gap(bytes(align), within).map_or(0, |gap| gap.size().unwrap().bytes());
        let fit = |size| set.first_fit(bytes(size), bytes(align), within);
        prop_assert_eq!(fit(size.max(1)).is_some(), size > 0 || fit(1).is_some());
        prop_assert_eq!(fit(size + align), None);
    }

    #[test]
    fn the_laws_of_sets_hold(a in any_spans(), b in any_spans(), c in any_spans()) {
        let [a, b, c] = [a, b, c].map(|spans| spans.into_iter().collect::<SpanSet<Iova>>());
        let (union, intersection) = (a.union(&b), a.intersection(&b));
        for set in [&a, &union, &intersection, &a.difference(&b), &a.complement(), &a.shrink_to(bytes(0x100))] {
            assert_normal(set);
        }
        prop_assert_eq!(&a.complement().complement(), &a);
        prop_assert_eq!(union.complement(), a.complement().intersection(&b.complement()), "De Morgan");
        prop_assert_eq!(intersection.complement(), a.complement().union(&b.complement()), "De Morgan");
        prop_assert_eq!(&a.union(&a), &a);
        prop_assert_eq!(&a.intersection(&a), &a);
        prop_assert_eq!(&union, &b.union(&a));
        prop_assert_eq!(&intersection, &b.intersection(&a));
        prop_assert_eq!(union.union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersection(&b.union(&c)), intersection.union(&a.intersection(&c)));
        prop_assert_eq!(&a.difference(&b).union(&intersection), &a);
        prop_assert_eq!(a.difference(&a), SpanSet::new());
        prop_assert_eq!(union.size_bytes() + intersection.size_bytes(), a.size_bytes() + b.size_bytes());
        prop_assert!(a.iter().all(|span| union.covers(span)));
        prop_assert!(intersection.iter().all(|span| a.covers(span) && b.covers(span)));
    }

    #[test]
    fn rangemap_agrees_in_the_whole_space(a in any_spans(), b in any_spans(), at in any::<u64>()) {
        let (left, right): (SpanSet<_>, SpanSet<_>) = (a.iter().copied().collect(), b.iter().copied().collect());
        let (their_left, their_right) = (theirs(&a.into_iter().collect()), theirs(&right));
        prop_assert_eq!(left.as_slice(), as_spans(their_left.iter().cloned()));
        let union = left.union(&right);
        prop_assert_eq!(union.as_slice(), as_spans(their_left.union(&their_right)));
        let intersection = left.intersection(&right);
        prop_assert_eq!(intersection.as_slice(), as_spans(their_left.intersection(&their_right)));
        let within = span(at >> 1, at);
        let gaps: Vec<_> = left.gaps(within).collect();
        prop_assert_eq!(gaps, as_spans(their_left.gaps(&(at >> 1..=at))));
        for at in [at, left.iter().next().map_or(0, |span| span.last().get())] {
            prop_assert_eq!(left.contains(Iova::at(at)), their_left.contains(&at));
        }
    }

    #[test]
    fn json_gives_back_the_set(spans in any_spans()) {
        let set: SpanSet<Iova> = spans.into_iter().collect();
        let json = serde_json::to_string(&set).unwrap();
        prop_assert_eq!(serde_json::from_str::<SpanSet<Iova>>(&json).unwrap(), set);
    }
}
