//! What VMMs have in common whose RAM lies at fixed places, and whose refusals are words of a Rust program.

use super::{Choice, MapRegion, RegionKind, Request, UNKNOWN_HOST_BITS, VmmError, known, region, rules};
use crate::addr::{Gpa, Span};
use crate::size::Size;

/// The request's address bits, or what a host is taken to offer, but never more than `most`.
pub(super) fn address_bits(request: &Request, most: u8) -> u8 {
    request.ipa_bits.unwrap_or(UNKNOWN_HOST_BITS).min(most)
}

/// A refusal in the VMM's words, or in ours where it has none.
pub(super) fn refusal(rule: &str, text: impl Into<String>) -> VmmError {
    VmmError { text: text.into(), rule: rule.into(), dimm: None }
}

/// RAM that fills the spans from the bottom, one region a span; nothing of it when the spans are too small.
pub(super) fn filled(names: &[&str], spans: &[Span<Gpa>], size: Size) -> Option<Vec<MapRegion>> {
    let mut left = size;
    let mut regions = Vec::new();
    for (&name, &span) in names.iter().zip(spans) {
        let take = span.size().map_or(left, |room| room.min(left));
        regions.extend(region(name, RegionKind::Ram, span.first(), take));
        left = left.checked_sub(take)?;
    }
    left.is_zero().then_some(regions)
}

/// Refuses RAM whose pieces do not end on pages of the host: the backing memory is one file, and the next piece would be
/// mapped from the middle of a page.
pub(super) fn refuse_cut_pages(request: &Request, regions: &[MapRegion], rule: &str) -> Result<(), VmmError> {
    let cut = |region: &&MapRegion| region.span.shrink_to(request.pages.size()) != Some(region.span);
    match regions.iter().find(|region| region.kind == RegionKind::Ram && cut(region)) {
        None => Ok(()),
        Some(region) => {
            let (kind, pages) = (request.kind, request.pages);
            let text = format!("{kind} would cut {} at {} within a {pages} page", region.name, region.span);
            Err(refusal(rule, text))
        }
    }
}

/// Refuses memory modules, and room for memory plugged in later where the VMM has none.
pub(super) fn refuse_modules(request: &Request, choice: &Choice, rule: &str) -> Result<(), VmmError> {
    let wanted = !choice.dimms.is_empty() || !choice.hotplug.is_empty() || !request.hotplug.is_zero();
    let text = || format!("{} has no memory modules", request.kind);
    if wanted { Err(refusal(rule, text())) } else { Ok(()) }
}

/// Refuses instruction sets that the VMM, or its model here, does not have, and machine types where it has none.
pub(super) fn refuse_foreign(request: &Request, rule: &str) -> Result<(), VmmError> {
    let mut machines = known().iter().filter(|known| known.kind == request.kind).map(|known| known.machine);
    if !request.machine.is_empty() && machines.all(str::is_empty) {
        let text = format!("{} has no machine types, and {:?} is asked for", request.kind, request.machine);
        return Err(refusal(rules::NO_MACHINES, text));
    }
    let known = known().iter().any(|known| known.kind == request.kind && known.arch == request.arch);
    let text = || format!("the planner has no model of {} for {}", request.kind, request.arch);
    if known { Ok(()) } else { Err(refusal(rule, text())) }
}
