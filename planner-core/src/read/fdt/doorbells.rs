//! MSI controllers of host bridges that are neither an ITS nor a GICv2m frame.

use std::collections::BTreeMap;

use super::address::first_register;
use super::sink::Sink;
use super::tree::{NodeRef, Tree};
use crate::facts::host::{DoorbellFact, DoorbellKind};

/// The doorbells of the nodes with these numbers, those with names left out.
pub(super) fn doorbells(
    tree: &Tree<'_>,
    named: &BTreeMap<usize, String>,
    wanted: impl Iterator<Item = usize>,
    sink: &mut Sink,
) -> BTreeMap<usize, DoorbellFact> {
    let mut found = BTreeMap::new();
    for index in wanted {
        if named.contains_key(&index) || found.contains_key(&index) {
            continue;
        }
        if let Some(fact) = tree.node(index).and_then(|node| doorbell(node, sink)) {
            found.insert(index, fact);
        }
    }
    found
}

/// A controller whose registers are where devices write. A host bridge that is its own controller keeps its doorbell
/// to itself, and other controllers may, too: `None`.
fn doorbell(node: NodeRef<'_, '_>, sink: &mut Sink) -> Option<DoorbellFact> {
    if super::address::is_pci(node) {
        return None;
    }
    let first = first_register(node, sink)?;
    Some(DoorbellFact {
        name: Some(node.name().to_owned()),
        kind: DoorbellKind::Unmapped,
        span: first.span,
        origin: sink.origin(first.offset, first.length),
    })
}
