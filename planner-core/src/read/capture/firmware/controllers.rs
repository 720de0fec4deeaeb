//! Interrupt controllers: what `proc/iomem` shows of them beside what firmware says.

use std::collections::{BTreeMap, BTreeSet};

use crate::addr::{Hpa, Span};
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{GicV3Fact, ItsFact};
use crate::read::capture::codes;
use crate::read::capture::log::Log;

/// Distributors: those of firmware where the kernel shows none.
pub(super) fn distributors(listed: &mut Vec<GicV3Fact>, said: &[GicV3Fact], log: &mut Log) {
    let Some(first) = said.first() else { return };
    if listed.is_empty() {
        listed.extend_from_slice(said);
        return;
    }
    for fact in listed {
        if said.iter().all(|said| said.distributor.first() != fact.distributor.first()) {
            log.push(elsewhere(
                "the distributor of the GIC",
                (fact.distributor, &fact.origin),
                (first.distributor, &first.origin),
            ));
        }
    }
}

/// Translation services: those that the kernel shows under the names of firmware, to which its maps refer, and those
/// that only firmware knows.
pub(super) fn translation_services(listed: &mut Vec<ItsFact>, said: &[ItsFact], log: &mut Log) {
    let by_base: BTreeMap<Hpa, &ItsFact> = said.iter().map(|its| (its.frame.first(), its)).collect();
    for its in listed.iter_mut() {
        match by_base.get(&its.frame.first()) {
            Some(same) => its.name.clone_from(&same.name),
            None => {
                if let Some(first) = said.first() {
                    log.push(elsewhere("an ITS", (its.frame, &its.origin), (first.frame, &first.origin)));
                }
            }
        }
    }
    let bases: BTreeSet<Hpa> = listed.iter().map(|its| its.frame.first()).collect();
    let first = listed.first().cloned();
    for its in said.iter().filter(|its| !bases.contains(&its.frame.first())) {
        // Many kernels show no ITS at all; one that shows some shows all.
        if let Some(first) = &first {
            let message = format!("firmware has an ITS at {}, where `proc/iomem` shows none", its.frame);
            let diagnostic = Diagnostic::new(&codes::OTHER_GIC, its.origin.clone(), message);
            log.push(diagnostic.related(first.origin.clone(), "an ITS that it shows"));
        }
        listed.push(its.clone());
    }
}

fn elsewhere(what: &str, listed: (Span<Hpa>, &Origin), said: (Span<Hpa>, &Origin)) -> Diagnostic {
    let message = format!("{what} is at {} for the kernel, and firmware has one at {}", listed.0, said.0);
    Diagnostic::new(&codes::OTHER_GIC, listed.1.clone(), message)
        .related(said.1.clone(), "what firmware says")
}
