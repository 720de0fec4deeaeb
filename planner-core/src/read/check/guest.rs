//! What is wrong with facts about a guest.

use super::{COUNT, Names, TWICE, bits, halves};
use crate::diag::Diagnostic;
use crate::facts::GuestFacts;
use crate::facts::guest::NumaFact;

/// What is wrong with these facts.
#[must_use]
pub fn check_guest(facts: &GuestFacts) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    found.extend(bits("`ipa`", facts.ipa_bits, &facts.origin));
    if facts.vcpus == Some(0) {
        found.push(Diagnostic::new(&COUNT, facts.origin.clone(), "the guest has no virtual CPU"));
    }
    if let Some(memory) = facts.memory.as_ref().filter(|memory| memory.size.is_zero()) {
        found.push(Diagnostic::new(&COUNT, memory.origin.clone(), "the guest has no memory"));
    }
    let mut passed = Names::new();
    for pass in &facts.pass {
        let message = || format!("{} is passed through twice", pass.device);
        found.extend(passed.take(pass.device, &pass.origin, message));
    }
    let mut nodes = Names::new();
    for numa in &facts.numa {
        found.extend(nodes.take(numa.node, &numa.origin, || format!("a second NUMA node {}", numa.node)));
        found.extend(halves("the virtual CPUs", numa.first_cpu, numa.last_cpu, &numa.origin));
    }
    cpus(&facts.numa, &mut found);
    found
}

/// Virtual CPUs that are in two nodes.
fn cpus(numa: &[NumaFact], found: &mut Vec<Diagnostic>) {
    let ranges = numa.iter().filter_map(|node| Some((node.first_cpu?, node.last_cpu?, node)));
    let mut ranges: Vec<_> = ranges.filter(|(first, last, _)| first <= last).collect();
    ranges.sort_by_key(|&(first, last, _)| (first, last));
    for pair in ranges.windows(2) {
        let [(_, last, one), (first, _, two)] = pair else { continue };
        if first <= last && one.node != two.node {
            let message =
                format!("virtual CPU {first} is in NUMA node {} and in NUMA node {}", one.node, two.node);
            let fault = Diagnostic::new(&TWICE, two.origin.clone(), message);
            found.push(fault.related(one.origin.clone(), "the other node"));
        }
    }
}
