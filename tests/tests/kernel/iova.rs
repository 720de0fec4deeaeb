//! The allocator of the host's DMA addresses.

use planner_core::kernel::iova::{Alignment, IovaDomain, IovaRange, Pfn, WhenFull};
use planner_core::size::Size;
use planner_core::version::KernelVersion;
use serde_json::{Value, json};

use crate::vectors::{hex, hex_word, list, replay, text};

#[test]
fn the_allocator_answers_as_the_kernel_does() {
    replay(include_str!("../../vectors/kernel/iova.json"), 1800, run);
}

fn run(input: &Value, version: KernelVersion) -> Value {
    let granule = Size::from_bytes(hex(&input["granule"]));
    let cpus = u32::try_from(input["cpus"].as_u64().expect("a number")).expect("a small number");
    let domain = IovaDomain::new(granule, hex(&input["start_pfn"]), cpus, version).expect("a granule");
    let mut state = State { domain, allocated: Vec::new() };
    let out: Vec<Value> = list(&input["ops"]).iter().map(|op| step(&mut state, text(op))).collect();
    let domain = state.domain;
    json!({
        "out": out,
        "nodes": domain.ranges().map(range).collect::<Vec<_>>(),
        "c32": word(domain.cached32_pfn()),
        "c64": word(domain.cached_pfn()),
        "max32": word(domain.max32_alloc_size()),
        "warns": domain.warnings(),
    })
}

struct State {
    domain: IovaDomain,
    /// By index of the operation: what it allocated and what is still there, as first pfn and size.
    allocated: Vec<Option<(Pfn, u64)>>,
}

fn step(state: &mut State, op: &str) -> Value {
    let words: Vec<&str> = op.split_whitespace().collect();
    let number = |index: usize| hex_word(words[index]);
    let domain = &mut state.domain;
    let mut allocated = None;
    let out = match words[0] {
        "r" => json!(domain.reserve(number(1), number(2)).map(range)),
        "a" => {
            let alignment = if number(3) == 0 { Alignment::None } else { Alignment::Size };
            allocated = domain.alloc(number(1), number(2), alignment);
            json!(allocated.map(word))
        }
        "g" => {
            let when_full = if number(3) == 0 { WhenFull::Fail } else { WhenFull::FlushCaches };
            allocated = domain.alloc_fast(number(1), number(2), when_full);
            json!(allocated.map(word))
        }
        "F" => {
            domain.free(number(1));
            json!(1)
        }
        "c" => {
            domain.run_on(u32::try_from(number(1)).expect("a small number"));
            json!(1)
        }
        kind @ ("f" | "h") => {
            let index = usize::try_from(number(1)).expect("an index");
            let freed = state.allocated.get_mut(index).and_then(Option::take);
            match (kind, freed) {
                ("f", Some((pfn, _))) => domain.free(pfn),
                (_, Some((pfn, size))) => domain.free_fast(pfn, size),
                (_, None) => {}
            }
            json!(i32::from(freed.is_some()))
        }
        _ => panic!("an unknown operation: {op}"),
    };
    state.allocated.push(allocated.map(|pfn| (pfn, number(1))));
    out
}

pub(crate) fn range(range: IovaRange) -> Value {
    json!([word(range.lo), word(range.hi)])
}

pub(crate) fn word(number: u64) -> String {
    format!("{number:x}")
}
