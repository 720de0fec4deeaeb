//! Replays `iova`: the allocator of the host's DMA addresses.

use super::field::{self, Fault, Object, Read};
use super::json::Json;
use super::ops::{self, Step, Words, compare_member};
use super::shape::{Difference, PAIR, Shape};
use super::{Reader, Recorded};
use crate::kernel::iova::{Alignment, IovaDomain, IovaRange, Pfn, WhenFull};
use crate::size::Size;
use crate::version::KernelVersion;

struct Session<'o> {
    granule: Size,
    start_pfn: Pfn,
    cpus: u32,
    steps: Vec<Step<'o, Op>>,
}

#[derive(Clone, Copy)]
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
    /// Frees what the operation of this number allocated.
    Free(usize),
    FreeFast(usize),
    FreePfn(Pfn),
    RunOn(u32),
}

const USAGE: &[&str] =
    &["r LO HI", "a SIZE LIMIT ALIGNED", "g SIZE LIMIT FLUSH", "f K", "h K", "F PFN", "c CPU"];

/// CPUs that a recording may have: each has caches of its own.
const MOST_CPUS: u32 = 4096;

pub(super) const READ: Reader = |input| {
    let input = Object::of(input, &["granule", "start_pfn", "cpus", "ops"])?;
    let granule = input.need("granule", field::page_size)?.size();
    let start_pfn = input.need("start_pfn", field::hex)?;
    let cpus = input.need("cpus", cpus)?;
    let steps = input.need("ops", |list| ops::steps(list, |words| op(words, cpus)))?;
    let all = steps.len();
    for (index, step) in steps.iter().enumerate() {
        let (Op::Free(of) | Op::FreeFast(of)) = step.op else { continue };
        if of >= all {
            let message = format!("there is no operation {of:x}");
            return Err(Fault::range(message).within(&format!("[{index}]")).within("ops"));
        }
    }
    Ok(Box::new(Session { granule, start_pfn, cpus, steps }))
};

fn cpus(json: &Json<'_>) -> Read<u32> {
    let cpus = field::small(json)?;
    let fault = || Fault::range(format!("{cpus} is not a number of CPUs from 1 to {MOST_CPUS}"));
    (1..=MOST_CPUS).contains(&cpus).then_some(cpus).ok_or_else(fault)
}

fn op(words: &Words<'_>, cpus: u32) -> Read<Op> {
    Ok(match words.verb {
        "r" => words.numbers(USAGE).map(|[lo, hi]| Op::Reserve { lo, hi })?,
        "a" => {
            let [size, limit, aligned] = words.numbers(USAGE)?;
            let alignment = if ops::flag(aligned)? { Alignment::Size } else { Alignment::None };
            Op::Alloc { size, limit, alignment }
        }
        "g" => {
            let [size, limit, flush] = words.numbers(USAGE)?;
            let when_full = if ops::flag(flush)? { WhenFull::FlushCaches } else { WhenFull::Fail };
            Op::AllocFast { size, limit, when_full }
        }
        "f" => words.numbers(USAGE).map(|[of]| Op::Free(ops::index(of)))?,
        "h" => words.numbers(USAGE).map(|[of]| Op::FreeFast(ops::index(of)))?,
        "F" => words.numbers(USAGE).map(|[pfn]| Op::FreePfn(pfn))?,
        "c" => {
            let [cpu] = words.numbers(USAGE)?;
            let known = u32::try_from(cpu).ok().filter(|&cpu| cpu < cpus);
            Op::RunOn(known.ok_or_else(|| Fault::range(format!("there is no CPU {cpu:x}")))?)
        }
        _ => return Err(words.misused(USAGE)),
    })
}

const END: [(&str, Shape); 5] = [
    ("nodes", Shape::List(&PAIR)),
    ("c32", Shape::Hex),
    ("c64", Shape::Hex),
    ("max32", Shape::Hex),
    ("warns", Shape::Decimal),
];

/// What the operations change.
struct State {
    domain: IovaDomain,
    /// By number of the operation: what it allocated and what is still there, as first pfn and size.
    allocated: Vec<Option<(Pfn, u64)>>,
}

impl Recorded for Session<'_> {
    fn cost(&self) -> u64 {
        // Each operation takes time in proportion to the logarithm of what is there, save for the caches of the CPUs.
        let operations = self.steps.len() as u64;
        operations.saturating_mul(64).saturating_add(u64::from(self.cpus).saturating_mul(64))
    }

    fn check(&self, out: &Json<'_>) -> Read<()> {
        let shape = |op: &Op| match op {
            Op::Reserve { .. } => Shape::Null(&PAIR),
            Op::Alloc { .. } | Op::AllocFast { .. } => Shape::Null(&Shape::Hex),
            _ => Shape::Flag,
        };
        ops::check_out(&self.steps, shape, &END, out)
    }

    fn replay(&self, version: KernelVersion, out: &Json<'_>) -> Result<(), Difference> {
        let domain = IovaDomain::new(self.granule, self.start_pfn, self.cpus, version);
        let Some(domain) = domain else { return compare_member(out, "out", &Json::Null) };
        let mut state = State { domain, allocated: Vec::new() };
        ops::replay_steps(&self.steps, out, |op| state.answer(*op))?;
        let domain = state.domain;
        compare_member(out, "nodes", &Json::List(domain.ranges().map(range).collect()))?;
        compare_member(out, "c32", &Json::hex(domain.cached32_pfn()))?;
        compare_member(out, "c64", &Json::hex(domain.cached_pfn()))?;
        compare_member(out, "max32", &Json::hex(domain.max32_alloc_size()))?;
        compare_member(out, "warns", &Json::integer(domain.warnings()))
    }
}

impl State {
    fn answer(&mut self, op: Op) -> Json<'static> {
        let domain = &mut self.domain;
        let mut allocated = None;
        let answer = match op {
            Op::Reserve { lo, hi } => domain.reserve(lo, hi).map_or(Json::Null, range),
            Op::Alloc { size, limit, alignment } => {
                allocated = domain.alloc(size, limit, alignment).map(|pfn| (pfn, size));
                allocated.map_or(Json::Null, |(pfn, _)| Json::hex(pfn))
            }
            Op::AllocFast { size, limit, when_full } => {
                allocated = domain.alloc_fast(size, limit, when_full).map(|pfn| (pfn, size));
                allocated.map_or(Json::Null, |(pfn, _)| Json::hex(pfn))
            }
            Op::Free(of) => self.free(of, |domain, (pfn, _)| domain.free(pfn)),
            Op::FreeFast(of) => self.free(of, |domain, (pfn, size)| domain.free_fast(pfn, size)),
            Op::FreePfn(pfn) => {
                domain.free(pfn);
                Json::integer(1)
            }
            Op::RunOn(cpu) => {
                domain.run_on(cpu);
                Json::integer(1)
            }
        };
        self.allocated.push(allocated);
        answer
    }

    /// Frees what an operation allocated, once.
    fn free(&mut self, of: usize, free: impl FnOnce(&mut IovaDomain, (Pfn, u64))) -> Json<'static> {
        match self.allocated.get_mut(of).and_then(Option::take) {
            Some(allocated) => {
                free(&mut self.domain, allocated);
                Json::integer(1)
            }
            None => Json::integer(0),
        }
    }
}

pub(super) fn range(range: IovaRange) -> Json<'static> {
    Json::List(vec![Json::hex(range.lo), Json::hex(range.hi)])
}
