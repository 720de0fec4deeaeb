//! The allocator of DMA addresses against a slow and obvious one that walks from range to range, as the kernel does; on
//! either side of K-DMARETRY, K-DMAMAG127 and K-DMADEPOT.

#[path = "iova/walk.rs"]
mod walk;

use planner_core::kernel::iova::{Alignment, IovaDomain, IovaRange, Pfn, WhenFull};
use planner_core::size::Size;
use planner_core::version::KernelVersion;
use proptest::prelude::*;

use walk::{Undefined, Walk};

/// With granules of 16 MiB, 4 GiB are 256 pfns, so that random numbers meet at the boundary.
const GRANULE: Size = Size::mib(16);
const BELOW_4G: Pfn = 256;
/// No address has more pfns than this.
const LAST: Pfn = u64::MAX >> 24;
const CPUS: u32 = 3;

#[derive(Clone, Copy, Debug)]
enum Op {
    Reserve {
        lo: Pfn,
        hi: Pfn,
    },
    Alloc {
        size: u64,
        limit: Pfn,
        alignment: Alignment,
    },
    AllocFast {
        size: u64,
        limit: Pfn,
        when_full: WhenFull,
    },
    /// Of what the n-th operation allocated, counted back from here.
    Free(usize),
    FreeFast(usize),
    FreePfn(Pfn),
    RunOn(u32),
}

/// Both allocators, and what they handed out.
struct Pair {
    domain: IovaDomain,
    walk: Walk,
    live: Vec<Option<(Pfn, u64)>>,
}

impl Pair {
    fn new(version: KernelVersion, start_pfn: Pfn) -> Self {
        let domain = IovaDomain::new(GRANULE, start_pfn, CPUS, version).expect("16 MiB is a granule");
        Self { domain, walk: Walk::new(24, start_pfn, CPUS, version), live: Vec::new() }
    }

    /// Lets both do it and compares what they answer. An error tells that the kernel's answer is not defined from here on.
    fn step(&mut self, op: Op) -> Result<(), Undefined> {
        let Self { domain, walk, live } = self;
        match op {
            Op::Reserve { lo, hi } => assert_eq!(domain.reserve(lo, hi), walk.reserve(lo, hi)?),
            Op::Alloc { size, limit, alignment } => {
                let expected = walk.alloc(size, limit, alignment)?;
                assert_eq!(domain.alloc(size, limit, alignment), expected);
                live.push(expected.map(|pfn| (pfn, size)));
            }
            Op::AllocFast { size, limit, when_full } => {
                let expected = walk.alloc_fast(size, limit, when_full)?;
                assert_eq!(domain.alloc_fast(size, limit, when_full), expected);
                live.push(expected.map(|pfn| (pfn, size)));
            }
            Op::Free(back) => {
                if let Some((pfn, _)) = take(live, back) {
                    domain.free(pfn);
                    walk.free(pfn)?;
                }
            }
            Op::FreeFast(back) => {
                if let Some((pfn, size)) = take(live, back) {
                    domain.free_fast(pfn, size);
                    walk.free_fast(pfn, size)?;
                }
            }
            Op::FreePfn(pfn) => {
                domain.free(pfn);
                walk.free(pfn)?;
            }
            Op::RunOn(cpu) => {
                domain.run_on(cpu);
                walk.run_on(cpu);
            }
        }
        Ok(())
    }

    fn compare(&self) {
        let Self { domain, walk, .. } = self;
        assert_eq!(domain.ranges().collect::<Vec<IovaRange>>(), walk.ranges());
        let state =
            (domain.cached32_pfn(), domain.cached_pfn(), domain.max32_alloc_size(), domain.warnings());
        assert_eq!(state, walk.state());
    }
}

fn take(live: &mut [Option<(Pfn, u64)>], back: usize) -> Option<(Pfn, u64)> {
    let index = live.len().checked_sub(1 + back)?;
    live[index].take()
}

/// Runs operations as far as the kernel's answers are defined. Compares all state after each.
fn run(version: KernelVersion, start_pfn: Pfn, ops: &[Op]) {
    let mut pair = Pair::new(version, start_pfn);
    for &op in ops {
        if pair.step(op).is_err() {
            return;
        }
        pair.compare();
    }
}

fn version() -> impl Strategy<Value = KernelVersion> {
    prop::sample::select(vec![(5, 10), (5, 19), (6, 1), (6, 12), (7, 3)])
        .prop_map(|(major, minor)| KernelVersion::new(major, minor))
}

/// Low numbers, and the edges of the 32-bit space and of the whole.
fn pfn() -> impl Strategy<Value = Pfn> {
    prop_oneof![6 => 0..600_u64, 2 => BELOW_4G - 3..BELOW_4G + 3, 1 => LAST - 2..=LAST]
}

fn limit() -> impl Strategy<Value = Pfn> {
    let edges = prop::sample::select(vec![BELOW_4G - 1, BELOW_4G, LAST, u64::MAX]);
    prop_oneof![2 => pfn(), 3 => Just(BELOW_4G - 1), 2 => edges]
}

/// A few pfns and many, powers of two and others, and what does not fit anywhere.
fn size() -> impl Strategy<Value = u64> {
    let odd = prop::sample::select(vec![0, 1 << 63, (1 << 63) + 1, u64::MAX, BELOW_4G, LAST]);
    prop_oneof![8 => 1..9_u64, 6 => 1..70_u64, 1 => odd]
}

fn allocation() -> impl Strategy<Value = Op> {
    let alignment = prop::sample::select(vec![Alignment::None, Alignment::Size]);
    let when_full = prop::sample::select(vec![WhenFull::Fail, WhenFull::FlushCaches]);
    prop_oneof![
        (size(), limit(), alignment).prop_map(|(size, limit, alignment)| Op::Alloc {
            size,
            limit,
            alignment
        }),
        (size(), limit(), when_full).prop_map(|(size, limit, when_full)| Op::AllocFast {
            size,
            limit,
            when_full
        }),
    ]
}

/// `length` may be zero, which makes a range that ends below its start.
fn reservation() -> impl Strategy<Value = Op> {
    (pfn(), 0..40_u64)
        .prop_map(|(lo, length)| Op::Reserve { lo, hi: lo.saturating_add(length).saturating_sub(1) })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => allocation(),
        1 => reservation(),
        4 => (0..30_usize).prop_map(Op::Free),
        4 => (0..30_usize).prop_map(Op::FreeFast),
        1 => pfn().prop_map(Op::FreePfn),
        1 => (0..CPUS).prop_map(Op::RunOn),
    ]
}

/// Reservations and allocations without freeing: with ranges that wrap, even what is found for a pfn is left to chance.
fn op_with_wrapped_ranges() -> impl Strategy<Value = Op> {
    let reserve = (pfn(), pfn()).prop_map(|(lo, hi)| Op::Reserve { lo, hi });
    prop_oneof![3 => allocation(), 1 => reserve, 1 => reservation()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_that_of_the_walk(
        version in version(),
        start_pfn in prop_oneof![Just(1_u64), 0..300_u64],
        ops in prop::collection::vec(op(), 1..150),
    ) {
        run(version, start_pfn, &ops);
    }

    #[test]
    fn ranges_that_wrap_are_walked_past_as_the_kernel_does(
        start_pfn in prop_oneof![Just(1_u64), 0..300_u64],
        ops in prop::collection::vec(op_with_wrapped_ranges(), 1..60),
    ) {
        run(KernelVersion::new(6, 12), start_pfn, &ops);
    }
}

// ---- The workloads of the bench, at a size that a walk bears.

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn churn(count: usize, limit: Pfn, rounds: usize) {
    let mut random = Random(88_172_645_463_325_252);
    let mut domain = IovaDomain::new(Size::kib(4), 1, 1, KernelVersion::new(6, 12)).expect("a granule");
    let mut walk = Walk::new(12, 1, 1, KernelVersion::new(6, 12));
    let mut live = vec![None; count];
    let fill = 0..count;
    for round in 0..count + rounds {
        let victim = if fill.contains(&round) {
            round
        } else {
            usize::try_from(random.below(count as u64)).expect("a slot")
        };
        if let Some(pfn) = live[victim].take() {
            domain.free(pfn);
            walk.free(pfn).expect("ranges do not overlap");
        }
        let size = 1 + random.below(32);
        live[victim] = walk.alloc(size, limit, Alignment::Size).expect("ranges do not overlap");
        assert_eq!(domain.alloc(size, limit, Alignment::Size), live[victim], "round {round}");
    }
    assert_eq!(domain.ranges().collect::<Vec<IovaRange>>(), walk.ranges());
}

#[test]
fn a_thousand_ranges_that_come_and_go() {
    churn(1000, (1 << 52) - 1, 10_000);
}

#[test]
fn a_space_that_is_too_small_for_all() {
    churn(1000, 12_000, 10_000);
}
