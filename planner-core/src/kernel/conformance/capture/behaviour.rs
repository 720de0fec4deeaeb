//! VFIO type1: four pages are mapped, mapped again, and unmapped in parts; holes between usable ranges are bridged.

use super::truth::{number, word};
use super::{Check, MEMORY, World, name};
use crate::addr::{Address, Iova};
use crate::kernel::conformance::field::{Object, Read};
use crate::kernel::conformance::json::Json;
use crate::kernel::type1::container::{Container, Extent, MapRequest, READ, WRITE};

/// What was answered, in the order in which it was asked.
pub(super) struct Behaviour {
    steps: Vec<(&'static Step, String, Option<u64>)>,
    /// Number of a hole, and the answer of mapping it and one page on either side.
    spans: Vec<(usize, String)>,
}

/// A request, in pages from the first of the four.
struct Step {
    /// Member with the answer.
    key: &'static str,
    /// Member with the number of bytes that were unmapped, of a request to unmap.
    size_key: Option<&'static str>,
    first: u64,
    pages: u64,
}

const STEPS: [Step; 7] = [
    Step { key: MAP_A, size_key: None, first: 0, pages: 4 },
    Step { key: "map_overlap_same", size_key: None, first: 0, pages: 4 },
    Step { key: "map_overlap_partial", size_key: None, first: 2, pages: 4 },
    Step { key: "map_adjacent", size_key: None, first: 4, pages: 1 },
    Step { key: "unmap_partial_of_A", size_key: Some("unmap_partial_size"), first: 1, pages: 1 },
    Step { key: "unmap_A_and_adjacent", size_key: Some("unmap_both_size"), first: 0, pages: 5 },
    Step { key: "unmap_nothing", size_key: Some("unmap_nothing_size"), first: 0, pages: 4 },
];
const MAP_A: &str = "map_A";

/// Where the four pages may have been: the recording does not tell, but everything recorded fits the first place.
const PLACES: [u64; 3] = [0x5000_0000, 0x6000_0000, 0x7000_0000];

/// How many holes are looked for.
const MOST_HOLES: usize = 64;

/// Reads the answers.
pub(super) fn read(json: &Json<'_>) -> Read<Behaviour> {
    let told = Object::loose(json)?;
    let mut steps = Vec::new();
    for step in &STEPS {
        let size = step.size_key.map_or(Ok(None), |key| told.may(key, number))?;
        steps.extend(told.may(step.key, word)?.map(|answer| (step, answer, size)));
    }
    let mut spans = Vec::new();
    for hole in 0..MOST_HOLES {
        spans.extend(told.may(&format!("{SPAN}{hole}"), word)?.map(|answer| (hole, answer)));
    }
    Ok(Behaviour { steps, spans })
}

/// What members begin with that tell of a hole.
pub(super) const SPAN: &str = "span_gap_";

/// Compares with a container that has been through everything that was tried before.
pub(super) fn compare(world: &World<'_>, told: &Behaviour, container: &mut Container, check: &mut Check) {
    let page = world.host.kernel.page_size.size().bytes();
    let base = place(told, container, page);
    for (step, kernel, size) in &told.steps {
        let start = base.wrapping_add(step.first.wrapping_mul(page));
        let asked = step.pages.wrapping_mul(page);
        if step.size_key.is_none() {
            let ours = name(container.map(&request(start, asked)));
            check.equal(&format!("behaviour: {}", step.key), kernel, &ours, None);
            continue;
        }
        let unmapped = container.unmap(Iova::new(start), asked, Extent::Range);
        check.equal(&format!("behaviour: {}", step.key), kernel, &name(unmapped.map(drop)), None);
        if let Some(size) = size {
            // The size that was asked for stays where it is when nothing is done.
            let ours = unmapped.unwrap_or(asked);
            check.equal(
                &format!("behaviour: {}, size", step.key),
                &format!("{size:#x}"),
                &format!("{ours:#x}"),
                None,
            );
        }
    }
    for (hole, kernel) in &told.spans {
        let ours = bridged(container, *hole, page);
        check.equal(&format!("behaviour: {SPAN}{hole}"), kernel, &ours, None);
    }
}

/// A place that can or cannot be mapped, as the kernel said of its own.
fn place(told: &Behaviour, container: &Container, page: u64) -> u64 {
    let mapped = told.steps.iter().any(|(step, answer, _)| step.key == MAP_A && answer == "OK");
    let suits = |&&base: &&u64| container.clone().map(&request(base, page.wrapping_mul(4))).is_ok() == mapped;
    let [first, ..] = &PLACES;
    *PLACES.iter().find(suits).unwrap_or(first)
}

/// Maps a hole between two usable ranges, the last page below and the first above.
fn bridged(container: &mut Container, hole: usize, page: u64) -> &'static str {
    let Some([below, above, ..]) = container.usable().get(hole..) else { return "no such hole" };
    let start = below.last().get().wrapping_add(1).wrapping_sub(page);
    let end = above.first().get().wrapping_add(page);
    name(container.map(&request(start, end.wrapping_sub(start))))
}

fn request(iova: u64, size: u64) -> MapRequest {
    MapRequest { iova: Iova::new(iova), size, vaddr: MEMORY, flags: READ | WRITE }
}
