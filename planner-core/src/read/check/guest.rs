//! What is wrong with facts about a guest.

use super::{COUNT, Names, bits, halves};
use crate::diag::Diagnostic;
use crate::facts::GuestFacts;

/// What is wrong with these facts.
#[must_use]
pub fn check_guest(facts: &GuestFacts) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    found.extend(bits("`ipa`", facts.ipa_bits, &facts.origin));
    if facts.vcpus == Some(0) {
        found.push(Diagnostic::new(&COUNT, facts.origin.clone(), "the guest has no virtual CPU"));
    }
    let mut nodes = Names::new();
    for numa in &facts.numa {
        found.extend(nodes.take(numa.node, &numa.origin, || format!("a second NUMA node {}", numa.node)));
        found.extend(halves("the virtual CPUs", numa.first_cpu, numa.last_cpu, &numa.origin));
    }
    found
}
