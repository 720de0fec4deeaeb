//! How long the operations of `SpanSet` take, beside `rangemap::RangeInclusiveSet` doing the same.
//!
//! `cargo bench -p planner-core --bench span_set` prints one line a measurement: ours, theirs, the goal where there is
//! one. A figure is the best of many runs, since whatever else the machine does can only make a run longer. Inputs
//! come from a fixed xorshift sequence. Numbers as arguments replace the default counts of ranges.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a bench reads arguments and the clock"
)]

use std::hint::black_box;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use planner_core::addr::{Address, Iova, Span};
use planner_core::size::Size;
use planner_core::span_set::SpanSet;
use rangemap::RangeInclusiveSet;

const PAGE: u64 = 4096;
/// A measurement is repeated this often at least, and until it has taken [`PATIENCE`]; the best run counts.
const LEAST_RUNS: usize = 5;
const PATIENCE: Duration = Duration::from_millis(500);
/// Addresses looked up in one run: few, so that a run is over before a busy machine takes the processor and its cache away.
const LOOKUPS: usize = 1 << 13;
/// Every run takes other addresses than the few before it.
const BATCHES: usize = 32;

fn main() {
    let counts: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![1_000, 10_000, 100_000, 1_000_000] } else { counts };
    println!(
        "{:>9}  {:<33} {:>9} {:>9}  {:<11}  goal",
        "ranges", "measurement", "SpanSet", "rangemap", "unit"
    );
    for count in counts {
        build(count);
        merge(count);
        lookup(count);
        gap_search(count);
    }
}

/// From spans in random order, none of which touch, and from spans of which many overlap.
fn build(count: usize) {
    for (name, spans, goal) in [
        ("build, shuffled", shuffled(scattered(count, 1)), "40"),
        ("build, shuffled, half overlapping", shuffled(overlapping(count)), ""),
        ("build, already sorted", scattered(count, 1), ""),
    ] {
        let ours = best(|| spans.iter().copied().collect::<SpanSet<Iova>>().len());
        let theirs = best(|| spans.iter().map(range).collect::<RangeInclusiveSet<u64>>().len());
        report(count, name, ours.per(count), Some(theirs.per(count)), "ns a range", goal);
    }
}

/// Two sets of `count` ranges each; time is given per range of both.
fn merge(count: usize) {
    let (a, b) = (scattered(count, 1), scattered(count, 2));
    let (left, right) = (ours(&a), ours(&b));
    let (their_left, their_right) = (theirs(&a), theirs(&b));
    let both = 2 * count;
    let time = best(|| left.union(&right).len());
    let their_time = best(|| their_left.union(&their_right).collect::<Vec<_>>().len());
    report(count, "union", time.per(both), Some(their_time.per(both)), "ns a range", "8");
    let time = best(|| left.intersection(&right).len());
    let their_time = best(|| their_left.intersection(&their_right).collect::<Vec<_>>().len());
    report(count, "intersection", time.per(both), Some(their_time.per(both)), "ns a range", "8");
    let time = best(|| left.difference(&right).len());
    report(count, "difference", time.per(both), None, "ns a range", "");
    let time = best(|| left.complement().len());
    let their_time = best(|| their_left.gaps(&(0..=u64::MAX)).collect::<Vec<_>>().len());
    report(count, "complement", time.per(count), Some(their_time.per(count)), "ns a range", "");
}

/// Addresses drawn evenly from the space that the set takes; about half of them are in it.
fn lookup(count: usize) {
    let spans = scattered(count, 1);
    let end = spans.last().map_or(1, |span| span.last().get());
    let mut random = XorShift(7);
    let addresses: Vec<u64> = (0..LOOKUPS * BATCHES).map(|_| random.below(end)).collect();
    let mut batches = addresses.chunks(LOOKUPS).cycle();
    let mut batch = || batches.next().unwrap_or_default().iter();
    let (set, their_set) = (ours(&spans), theirs(&spans));
    let time = best(|| batch().filter(|&&at| set.contains(Iova::at(at))).count());
    let their_time = best(|| batch().filter(|&at| their_set.contains(at)).count());
    report(count, "lookup", time.per(LOOKUPS), Some(their_time.per(LOOKUPS)), "ns a lookup", "35");
}

/// Searches that look at every gap: all too small, or all large enough but without an aligned address.
fn gap_search(count: usize) {
    let cases = [
        ("gap search, every gap too small", scattered(count, 1), 65 * PAGE, PAGE),
        ("gap search, every gap misaligned", straddling(count), PAGE, STRADDLED),
        ("gap search, misaligned by 3 pages", scattered(count, 1), 65 * PAGE, 3 * PAGE),
    ];
    for (name, spans, size, align) in cases {
        let end = spans.last().map_or(0, |span| span.last().get());
        let (set, their_set) = (ours(&spans), theirs(&spans));
        let within = Span::full();
        let fit = set
            .first_fit(Size::from_bytes(size), Size::from_bytes(align), within)
            .expect("there is room above");
        assert!(fit.get() > end, "the search must pass every gap");
        let time = best(|| set.first_fit(Size::from_bytes(size), Size::from_bytes(align), within));
        let their_time = best(|| {
            their_set.gaps(&(0..=u64::MAX)).find_map(|gap| {
                let first = gap.start().checked_next_multiple_of(align)?;
                (first.checked_add(size - 1)? <= *gap.end()).then_some(first)
            })
        });
        report(count, name, time.micros(), Some(their_time.micros()), "us a search", "100");
    }
}

/// Spans of 1 to 64 pages with gaps of 1 to 64 pages, ascending.
fn scattered(count: usize, seed: u64) -> Vec<Span<Iova>> {
    let mut random = XorShift(seed);
    let mut next = 0;
    let mut span = || {
        let first = next + PAGE * (1 + random.below(64));
        let last = first + PAGE * (1 + random.below(64)) - 1;
        next = last + 1;
        Span::of(first, last).expect("at least one page")
    };
    (0..count).map(|_| span()).collect()
}

/// Spans of 1 to 64 pages, drawn so closely that about half of them overlap another.
fn overlapping(count: usize) -> Vec<Span<Iova>> {
    let mut random = XorShift(3);
    let pages = 96 * u64::try_from(count).expect("a count is small");
    let mut span = || {
        let first = PAGE * random.below(pages);
        Span::of(first, first + PAGE * (1 + random.below(64)) - 1).expect("at least one page")
    };
    (0..count).map(|_| span()).collect()
}

/// Distance of the addresses on which a span of [`straddling`] lies.
const STRADDLED: u64 = 2 << 20;

/// Spans of a few pages, each across a multiple of 2 MiB, so that no gap holds such a multiple.
fn straddling(count: usize) -> Vec<Span<Iova>> {
    let mut random = XorShift(5);
    let mut at = 0;
    let mut span = || {
        at += STRADDLED;
        let (below, above) = (PAGE * random.below(64), PAGE * (1 + random.below(64)));
        Span::of(at - below, at + above - 1).expect("at least one page")
    };
    std::iter::once(Span::single(Iova::at(0))).chain((1..count).map(|_| span())).collect()
}

fn shuffled(mut spans: Vec<Span<Iova>>) -> Vec<Span<Iova>> {
    let mut random = XorShift(11);
    for index in (1..spans.len()).rev() {
        let other = random.below(u64::try_from(index).expect("an index fits") + 1);
        spans.swap(index, usize::try_from(other).expect("at most the index"));
    }
    spans
}

fn ours(spans: &[Span<Iova>]) -> SpanSet<Iova> {
    spans.iter().copied().collect()
}

fn theirs(spans: &[Span<Iova>]) -> RangeInclusiveSet<u64> {
    spans.iter().map(range).collect()
}

fn range(span: &Span<Iova>) -> RangeInclusive<u64> {
    span.first().get()..=span.last().get()
}

/// Seconds.
struct Seconds(f64);

impl Seconds {
    fn per(&self, count: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let count = count as f64;
        self.0 * 1e9 / count
    }
    fn micros(&self) -> f64 {
        self.0 * 1e6
    }
}

/// The shortest of many runs.
fn best<T>(mut run: impl FnMut() -> T) -> Seconds {
    let (begin, mut runs, mut shortest) = (Instant::now(), 0, Duration::MAX);
    while runs < LEAST_RUNS || begin.elapsed() < PATIENCE {
        let start = Instant::now();
        black_box(run());
        shortest = shortest.min(start.elapsed());
        runs += 1;
    }
    Seconds(shortest.as_secs_f64())
}

fn report(count: usize, name: &str, ours: f64, theirs: Option<f64>, unit: &str, goal: &str) {
    let theirs = theirs.map_or("-".into(), |theirs| format!("{theirs:.1}"));
    let goal = if count == 100_000 { goal } else { "" };
    println!("{count:>9}  {name:<33} {ours:>9.1} {theirs:>9}  {unit:<11}  {goal:>4}");
}

/// Marsaglia's xorshift64; the same sequence on every machine.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}
