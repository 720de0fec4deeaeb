//! Runs a program of set operations on a `SpanSet` and on a bit for each of 128 addresses, and compares after each step.
//!
//! The model's addresses are the first 64 and the last 64 of the 64-bit space, so both ends are always in play; what lies
//! between them is in the set as a whole or not at all.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use planner_core::addr::{Address, Iova, Span};
use planner_core::size::Size;
use planner_core::span_set::SpanSet;

/// One step. Numbers are taken modulo what the model has.
#[derive(Arbitrary, Debug)]
enum Step {
    Insert(u8, u8),
    Extend(Vec<(u8, u8)>),
    Union(Vec<(u8, u8)>),
    Intersect(Vec<(u8, u8)>),
    Subtract(Vec<(u8, u8)>),
    Complement,
    FirstFit { size: u8, align: u8, within: (u8, u8) },
    Gaps(u8, u8),
}

fuzz_target!(|steps: Vec<Step>| {
    let (mut set, mut model) = (SpanSet::new(), Model::default());
    for step in steps {
        apply(&step, &mut set, &mut model);
        compare(&set, &model);
    }
});

fn apply(step: &Step, set: &mut SpanSet<Iova>, model: &mut Model) {
    match step {
        Step::Insert(a, b) => {
            set.insert(span(*a, *b));
            model.add(*a, *b);
        }
        Step::Extend(spans) => {
            set.extend(spans.iter().map(|&(a, b)| span(a, b)));
            spans.iter().for_each(|&(a, b)| model.add(a, b));
        }
        Step::Union(spans) => {
            *set = set.union(&collect(spans));
            spans.iter().for_each(|&(a, b)| model.add(a, b));
        }
        Step::Intersect(spans) => {
            *set = set.intersection(&collect(spans));
            let other = Model::of(spans);
            model.edges &= other.edges;
            model.middle &= other.middle;
        }
        Step::Subtract(spans) => {
            *set = set.difference(&collect(spans));
            let other = Model::of(spans);
            model.edges &= !other.edges;
            model.middle &= !other.middle;
        }
        Step::Complement => {
            *set = set.complement();
            model.edges = !model.edges;
            model.middle = !model.middle;
        }
        Step::FirstFit { size, align, within: (a, b) } => {
            let (size, align) = (u64::from(size % 64), u64::from(align % 64));
            let within = span(*a, *b);
            let found = set.first_fit(Size::from_bytes(size), Size::from_bytes(align), within);
            check_fit(found, model, size, align, within);
        }
        Step::Gaps(a, b) => {
            let within = span(*a, *b);
            let gaps: SpanSet<Iova> = set.gaps(within).collect();
            assert_eq!(gaps, set.complement().intersection(&collect(&[(*a, *b)])));
        }
    }
}

/// What the model knows of a fit: the place found is free, and no lower address of the model was.
fn check_fit(found: Option<Iova>, model: &Model, size: u64, align: u64, within: Span<Iova>) {
    let fits = |number: u32| {
        let first = address(number);
        (align == 0 || first % align == 0)
            && first.checked_add(size.wrapping_sub(1)).is_some_and(|last| {
                within.contains(Iova::at(first))
                    && within.contains(Iova::at(last))
                    && model.is_free(number, size)
            })
    };
    // The middle of the space has no numbers, so an address there is compared with those below it only.
    let lowest = (0..128).find(|&number| size != 0 && fits(number)).map(address);
    match found.map(Iova::get) {
        Some(at) if (64..=u64::MAX - 64).contains(&at) => {
            assert!(!model.middle && lowest.is_none_or(|lowest| lowest > at), "{at:#x} {lowest:x?}");
        }
        at => {
            assert_eq!(at, lowest);
            let middle = Span::of(64, u64::MAX - 64).expect("the middle is not empty");
            assert!(
                size == 0 || model.middle || !within.covers(middle) || at.is_some_and(|at| at < 64),
                "missed the middle"
            );
        }
    }
}

fn compare(set: &SpanSet<Iova>, model: &Model) {
    for pair in set.as_slice().windows(2) {
        let [lower, upper] = pair else { unreachable!("windows of two") };
        assert!(upper.first().get() - lower.last().get() > 1, "{lower} and {upper} are one span");
    }
    for number in 0..128 {
        let bit = model.edges >> number & 1 == 1;
        assert_eq!(set.contains(Iova::at(address(number))), bit, "{set:?} at number {number}");
    }
    assert_eq!(set.contains(Iova::at(1 << 63)), model.middle);
    let middle = if model.middle { u128::from(u64::MAX) + 1 - 128 } else { 0 };
    assert_eq!(set.size_bytes(), u128::from(model.edges.count_ones()) + middle);
}

/// A bit for each of the first 64 and the last 64 addresses, and one for all between them.
#[derive(Default)]
struct Model {
    edges: u128,
    middle: bool,
}

impl Model {
    fn of(spans: &[(u8, u8)]) -> Self {
        let mut model = Self::default();
        spans.iter().for_each(|&(a, b)| model.add(a, b));
        model
    }
    fn add(&mut self, a: u8, b: u8) {
        let (first, last) = numbers(a, b);
        (first..=last).for_each(|number| self.edges |= 1 << number);
        self.middle |= first < 64 && last >= 64;
    }
    fn is_free(&self, number: u32, size: u64) -> bool {
        let last = u64::from(number) + size - 1;
        // From the lower half a size below 64 does not reach the upper half, but it may reach the middle.
        let crosses = number < 64 && last >= 64;
        let end = if crosses { 63 } else { last.min(127) };
        !(crosses && self.middle) && (u64::from(number)..=end).all(|number| self.edges >> number & 1 == 0)
    }
}

fn numbers(a: u8, b: u8) -> (u32, u32) {
    let (a, b) = (u32::from(a % 128), u32::from(b % 128));
    (a.min(b), a.max(b))
}

fn address(number: u32) -> u64 {
    if number < 64 { number.into() } else { u64::MAX - u64::from(127 - number) }
}

fn span(a: u8, b: u8) -> Span<Iova> {
    let (first, last) = numbers(a, b);
    Span::of(address(first), address(last)).expect("numbers ascend and so do their addresses")
}

fn collect(spans: &[(u8, u8)]) -> SpanSet<Iova> {
    spans.iter().map(|&(a, b)| span(a, b)).collect()
}
