//! How long a host of 4096 functions in 512 groups over 16 root complexes takes, step by step and in all.
//!
//! `cargo bench -p planner-core --bench large_host`
#![expect(clippy::disallowed_types, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use planner_core::answer::{Outcome, answer};
use planner_core::guest;
use planner_core::host::resolve::resolve;
use planner_core::host::topology::Topology;
use planner_core::kernel::report::Question;
use planner_core::read::capture::facts;
use planner_core::read::language::parse_guest;

#[path = "large_host/generator.rs"]
mod generator;

const GUEST: &str = "guest nfv0 { vmm qemu  memory 16G  vcpus 8  pass 0003:05:00.0 }";
const ROUNDS: usize = 20;

fn main() {
    let tree = generator::capture(16);
    let (host_facts, found) = facts(&tree, "large");
    assert!(found.is_empty(), "{found:#?}");
    let mut without_groups = host_facts.clone();
    without_groups.groups.clear();
    let (host, found) = resolve(&host_facts);
    assert!(found.is_empty(), "{found:#?}");
    let (guest_facts, _) = parse_guest("large", GUEST);
    let (guest, _) = guest::resolve::resolve(&guest_facts, &host);
    let guest = guest.expect("the guest can be meant");
    println!(
        "{} functions in {} groups over {} root complexes, {} files and links",
        host.devices.len(),
        host.groups.len(),
        host.root_complexes.len(),
        tree.len()
    );
    let read = measure("read the capture", || facts(&tree, "large"));
    let model = measure("model, groups compared", || resolve(&host_facts));
    measure("model, groups formed", || resolve(&without_groups));
    measure("topology", || Topology::new(&host));
    let plan = measure("report, plan and verify", || {
        let answer = answer(&host, &guest, &Question::default());
        assert!(matches!(answer.outcome, Outcome::Plan(_)));
        answer
    });
    println!("{:>28}: {:8.1?}", "all of it", read + model + plan);
    let topology = Topology::new(&host);
    let peers = measure("a million p2p queries", || {
        let many = host.devices.len();
        let mut from = 1;
        for round in 0..1_000_000_usize {
            from = (from * 5 + round) % many;
            black_box(topology.p2p(from, (from + round) % many));
        }
    });
    println!("{:>28}: {:8.1?}", "one p2p query", peers / 1_000_000);
    measure("all p2p turns", || topology.p2p_turns());
}

/// The best of some rounds.
fn measure<T>(what: &str, mut work: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(work());
        best = best.min(start.elapsed());
    }
    println!("{what:>28}: {best:8.1?}");
    best
}
