//! How long allocating and freeing DMA addresses takes among N ranges, with workloads that the kernel's own code can run.
//!
//! `cargo bench -p planner-core --bench iova` prints `name phase N S ns/op ops fails` for each workload and phase, one
//! line each. All workloads: seed 1, xorshift64 (13, 7, 17), pages of 4 KiB, first pfn 1, size-aligned allocations
//! through `alloc_iova`; the size of one is 1, or 1 + random % S when S is above 1.
//!
//! - *churn*: N allocations (fill); then 200 000 times frees a random one, if it is live, and allocates anew (steady).
//! - *frag*: N allocations (fill), every second one freed (punch), then 200 000 times allocates one and frees it (steady).
//! - *lim32*: churn below 4 GiB.
//!
//! A figure is the best of several runs, since whatever else the machine does can only make a run longer. Numbers as
//! arguments replace the default counts N; with `sums` among the arguments, a line ends with a checksum of all answers.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a bench reads arguments and the clock"
)]

use std::time::{Duration, Instant};

use planner_core::kernel::iova::{Alignment, IovaDomain, Pfn};
use planner_core::size::Size;
use planner_core::version::KernelVersion;

/// Rounds of the steady phase.
const STEADY: u64 = 200_000;
/// Time after which a workload is not run again.
const ENOUGH: Duration = Duration::from_millis(1500);
/// The last pfn of a 64-bit space of 4 KiB pages, and of its first 4 GiB.
const LIMIT_64: Pfn = (1 << 52) - 1;
const LIMIT_32: Pfn = 0xf_ffff;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let with_sums = arguments.iter().any(|argument| argument == "sums");
    let counts: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![1_000, 10_000, 100_000, 1_000_000] } else { counts };
    for (name, limit, workload) in WORKLOADS {
        for &count in counts.iter().filter(|&&count| limit == LIMIT_64 || count <= 100_000) {
            for size in [1, 32] {
                let phases = best(|| workload(&mut Load::new(count, size, limit)));
                for Phase { name: phase, time, ops, fails, sum } in phases {
                    #[expect(clippy::cast_precision_loss, reason = "a few digits are enough")]
                    let each = time.as_nanos() as f64 / ops.max(1) as f64;
                    let sum = if with_sums { format!(" {sum:016x}") } else { String::new() };
                    println!("{name} {phase} {count} {size} {each:.1} {ops} {fails}{sum}");
                }
            }
        }
    }
}

type Workload = fn(&mut Load) -> Vec<Phase>;
const WORKLOADS: [(&str, Pfn, Workload); 3] =
    [("churn", LIMIT_64, churn), ("frag", LIMIT_64, frag), ("lim32", LIMIT_32, churn)];

/// One phase of a workload: how long it took, how many operations, how many of them found no room.
#[derive(Clone, Copy)]
struct Phase {
    name: &'static str,
    time: Duration,
    ops: u64,
    fails: u64,
    /// Of all addresses handed out, in order.
    sum: u64,
}

/// Runs a workload until it has been run often enough, and takes the shortest time of each phase.
fn best(run: impl Fn() -> Vec<Phase>) -> Vec<Phase> {
    let start = Instant::now();
    let mut best = run();
    while start.elapsed() < ENOUGH {
        for (best, again) in best.iter_mut().zip(run()) {
            best.time = best.time.min(again.time);
        }
    }
    best
}

fn churn(load: &mut Load) -> Vec<Phase> {
    let fill = load.phase("fill", Load::fill);
    let steady = load.phase("steady", |load| {
        for _ in 0..STEADY {
            let victim = load.draw(load.live.len());
            load.free(victim);
            load.alloc(victim);
        }
    });
    vec![fill, steady]
}

fn frag(load: &mut Load) -> Vec<Phase> {
    let fill = load.phase("fill", Load::fill);
    let punch = load.phase("punch", |load| (0..load.live.len()).step_by(2).for_each(|slot| load.free(slot)));
    let steady = load.phase("steady", |load| {
        for _ in 0..STEADY {
            load.alloc(0);
            load.free(0);
        }
    });
    vec![fill, punch, steady]
}

/// A domain and what is live in it.
struct Load {
    domain: IovaDomain,
    live: Vec<Option<Pfn>>,
    size: u64,
    limit: Pfn,
    random: u64,
    ops: u64,
    fails: u64,
    sum: u64,
}

impl Load {
    fn new(count: usize, size: u64, limit: Pfn) -> Self {
        let domain =
            IovaDomain::new(Size::kib(4), 1, 1, KernelVersion::new(6, 12)).expect("4 KiB is a granule");
        let random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_add(88_172_645_463_325_252);
        Self { domain, live: vec![None; count], size, limit, random, ops: 0, fails: 0, sum: 0 }
    }

    fn phase(&mut self, name: &'static str, run: impl Fn(&mut Self)) -> Phase {
        (self.ops, self.fails) = (0, 0);
        let start = Instant::now();
        run(self);
        Phase { name, time: start.elapsed(), ops: self.ops, fails: self.fails, sum: self.sum }
    }

    fn fill(&mut self) {
        for slot in 0..self.live.len() {
            self.alloc(slot);
        }
    }

    fn alloc(&mut self, slot: usize) {
        let size = if self.size > 1 { 1 + self.next() % self.size } else { 1 };
        let pfn = self.domain.alloc(size, self.limit, Alignment::Size);
        self.ops += 1;
        self.fails += u64::from(pfn.is_none());
        self.sum = self.sum.wrapping_mul(31).wrapping_add(pfn.unwrap_or(1));
        self.live[slot] = pfn;
    }

    fn free(&mut self, slot: usize) {
        if let Some(pfn) = self.live[slot].take() {
            self.domain.free(pfn);
            self.ops += 1;
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        let below = u64::try_from(below).expect("a usize fits 64 bits");
        usize::try_from(self.next() % below).expect("it is below a usize")
    }

    /// xorshift64 with the shifts 13, 7, 17.
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
