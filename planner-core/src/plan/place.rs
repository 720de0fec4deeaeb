//! The search: all placements of RAM over normalised positions, the best first.
//!
//! What is placed is few: boot memory, modules beyond it, room for memory plugged in later. A placement that exists also
//! exists with every piece pushed down to the start of a gap or to the end of the piece below, so only such positions are
//! tried. Ranking, in this order: fewest pieces, biggest alignment of the pieces, fewest knobs turned, lowest end.
//!
//! ```text
//!   forbidden   ####......####..........#####
//!   boot (fixed at the bottom of the first gap)  modules fill whole gaps; the last one ends where the memory ends
//!               ####BBBBBB####MMMMMMMMMM#####MM
//! ```

use super::bars::{self, BarDemand, NoRoom};
use super::problem::{Demand, Problem, rule_reason};
use super::{PieceKind, Reason, layout, rules};
use crate::addr::{Address, Gpa, Span};
use crate::size::{PageSize, Size};
use crate::span_set::SpanSet;
use crate::vmm::{
    self, BootRule, Choice, Dimm, DimmRule, Knob, MemoryMap, RegionKind, Request, RoomRule, Variant,
};

/// A placement that holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Solution {
    /// What the VMM is told.
    pub choice: Choice,
    /// The map that it makes of it; `None` when the VMM's own rules were not among the constraints.
    pub map: Option<MemoryMap>,
    /// RAM, ascending, before it is cut at NUMA nodes.
    pub ram: Vec<(Span<Gpa>, PieceKind)>,
    /// Whether the search moved something, or took what the VMM does by itself.
    pub searched: bool,
}

/// The best placement, if there is any.
#[must_use]
pub fn search(problem: &Problem) -> Option<Solution> {
    let forbidden = problem.forbidden();
    let variants = variants(problem)?;
    let most = variants.iter().filter_map(|variant| variant.dimms.as_ref()).map(|rule| rule.most).max();
    // One piece a gap is enough, and boot memory may share its gap with a module.
    let gaps = u32::try_from(forbidden.len()).unwrap_or(u32::MAX).saturating_add(2);
    let most_pieces = most.unwrap_or(0).saturating_add(1).min(gaps);
    let boot_spans = variants.iter().map(|variant| spans_of(&variant.boot)).max().unwrap_or(1);
    let clear_of = |variant: &Variant| match accepts(problem) {
        true => forbidden.union(&vmm::kept_clear(&problem.request, &variant.knobs)),
        false => forbidden.clone(),
    };
    let variants: Vec<(SpanSet<Gpa>, Variant)> =
        variants.into_iter().map(|variant| (clear_of(&variant), variant)).collect();
    for pieces in 1..=most_pieces {
        if !could_fit(problem, &forbidden, boot_spans.saturating_add(pieces).saturating_sub(1)) {
            continue;
        }
        for align in alignments(problem) {
            for (forbidden, variant) in &variants {
                let found = placements(problem, variant, forbidden, pieces, align)
                    .into_iter()
                    .find_map(|placement| accept(problem, variant, forbidden, placement));
                if found.is_some() {
                    return found;
                }
            }
        }
    }
    None
}

/// The VMM's own rules as constraints, with the reason for each.
pub(super) fn vmm_rules(request: &Request) -> Vec<(Demand, Reason)> {
    let name = vmm::describe(request);
    let mut rules = Vec::new();
    let first = vmm::variants(request).ok().and_then(|variants| variants.into_iter().next());
    if let Some(variant) = first {
        let (rule, because) = match &variant.boot {
            BootRule::Fixed { spans, rule } => {
                let base = spans.first().map_or(Gpa::at(0), |span| span.first());
                (*rule, format!("{name} starts RAM at {base} and cannot move it"))
            }
            BootRule::Movable { within, rule, .. } => {
                (*rule, format!("{name} can start RAM anywhere from {} up", within.first()))
            }
        };
        rules.push((Demand::BootRule, rule_reason(rule, because)));
        let (rule, because) = match &variant.dimms {
            Some(dimms) => (
                dimms.rule,
                format!(
                    "{name} takes further memory as modules of whole {}, above boot memory of at least {}",
                    dimms.align, dimms.least_boot
                ),
            ),
            None => (rules::ONE_PIECE, format!("{name} takes RAM in one piece")),
        };
        rules.push((Demand::PieceRule, rule_reason(rule, because)));
    }
    let refusal = refusal(request);
    let rule = refusal.as_ref().map_or(rules::ACCEPTS, |(rule, _)| rule.as_str()).to_owned();
    let because = refusal
        .map_or_else(|| format!("{name} must accept the layout"), |(_, text)| format!("{name}: {text}"));
    rules.push((Demand::VmmAccepts, rule_reason(&rule, because)));
    rules
}

/// What the VMM says to its own default layout, if it refuses it.
fn refusal(request: &Request) -> Option<(String, String)> {
    let error = match vmm::variants(request) {
        Err(error) => error,
        Ok(_) => by_itself(request, &[]).err()?,
    };
    Some((error.rule, error.text))
}

/// The memory map that the VMM makes with these knobs when nobody places anything.
fn by_itself(request: &Request, knobs: &[Knob]) -> Result<MemoryMap, vmm::VmmError> {
    let choice =
        Choice { knobs: knobs.to_vec(), boot: request.memory, dimms: Vec::new(), hotplug: Vec::new() };
    vmm::memory_map(request, &choice)
}

/// What the windows of the VMM must hold, and which BAR finds no room in the windows that it has by itself, if any.
pub(super) fn bar_room(request: &Request, demand: &BarDemand) -> String {
    let name = vmm::describe(request);
    let tight =
        by_itself(request, &[]).ok().and_then(|map| bars::fit(demand, &map).err().map(|no| (no, map)));
    match tight {
        None => format!("the BARs of the passed devices ({demand}) need room in the PCI windows of {name}"),
        Some((NoRoom::Function(function), _)) => {
            format!("{function} finds no room on the PCI segments of {name}, each of which is one bus")
        }
        Some((NoRoom::Bar(bar), map)) => format!(
            "BAR {} of {} ({}) finds no room in the PCI windows of {name}: {}",
            bar.index,
            bar.device,
            bar.size,
            bars::windows_in_words(&map)
        ),
    }
}

/// Whether some setting of the knobs gives the BARs windows that will do. Asked where the VMM's rules do not all hold,
/// so that no map of a placement can be had.
fn some_windows_do(problem: &Problem) -> bool {
    let variants = vmm::variants(&problem.request).unwrap_or_default();
    let mut maps =
        variants.iter().filter_map(|variant| by_itself(&problem.request, &variant.knobs).ok()).peekable();
    maps.peek().is_none() || maps.any(|map| windows_do(problem, &map))
}

/// The VMM's settings, or what takes their place where its rules are not among the constraints.
fn variants(problem: &Problem) -> Option<Vec<Variant>> {
    let anywhere = BootRule::Movable {
        within: Span::full(),
        align: problem.guest.pages.size(),
        default: Gpa::at(0),
        rule: rules::ANYWHERE,
    };
    let accepts = accepts(problem);
    let mut variants = match vmm::variants_around(&problem.request, &problem.forbidden()) {
        Ok(variants) => variants,
        Err(_) if accepts => return None,
        Err(_) => vec![Variant { knobs: Vec::new(), boot: anywhere.clone(), dimms: None, room: None }],
    };
    for variant in &mut variants {
        if !problem.demands(|demand| *demand == Demand::BootRule) {
            variant.boot = anywhere.clone();
            variant.room = variant.room.take().map(|room| RoomRule { rule: rules::ANYWHERE, ..room });
        }
        if !problem.demands(|demand| *demand == Demand::PieceRule) {
            variant.dimms = Some(free_modules(problem, variant.dimms.as_ref()));
        }
    }
    Some(variants)
}

/// Whether the VMM must accept the layout.
fn accepts(problem: &Problem) -> bool {
    problem.demands(|demand| *demand == Demand::VmmAccepts)
}

/// Modules anywhere. That some boot memory remains is the business of the rule on boot memory, not of this one.
fn free_modules(problem: &Problem, rule: Option<&DimmRule>) -> DimmRule {
    let page = problem.guest.pages.size();
    DimmRule {
        align: page,
        most: 64,
        least_boot: rule.map_or(page, |rule| rule.least_boot),
        area_align: Size::ZERO,
        rule: rules::ANYWHERE,
    }
}

/// Whether the VMM's rules all hold, so that it can be asked for the memory map.
fn vmm_rules_hold(problem: &Problem) -> bool {
    problem.demands(|demand| *demand == Demand::BootRule)
        && problem.demands(|demand| *demand == Demand::PieceRule)
        && problem.demands(|demand| *demand == Demand::VmmAccepts)
}

/// Linux adds memory in whole blocks, and refuses a module that is no multiple of them (mm/memory_hotplug.c,
/// `check_hotplug_memory_range`). A block is a section or more: 128 MiB on x86, and on arm64 with 4K or 16K pages
/// (`SECTION_SIZE_BITS` in asm/sparsemem.h).
pub(super) const GUEST_BLOCK: Size = Size::mib(128);

/// Alignments of the pieces worth trying, the biggest first. The smallest is the page of the backing memory.
fn alignments(problem: &Problem) -> Vec<Size> {
    let least = problem.guest.pages.size();
    let sizes = [PageSize::G1.size(), GUEST_BLOCK, PageSize::M2.size(), least];
    let mut sizes: Vec<Size> = sizes.into_iter().filter(|&size| size >= least).collect();
    sizes.dedup();
    sizes
}

/// Over how many spans boot memory goes, which counts as one piece.
fn spans_of(boot: &BootRule) -> u32 {
    match boot {
        BootRule::Fixed { spans, .. } => u32::try_from(spans.len()).unwrap_or(u32::MAX),
        BootRule::Movable { .. } => 1,
    }
}

/// A cheap bound: so many pieces cannot hold more than so many of the largest gaps.
fn could_fit(problem: &Problem, forbidden: &SpanSet<Gpa>, pieces: u32) -> bool {
    let mut gaps: Vec<u128> = forbidden.gaps(Span::full()).map(Span::size_bytes).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    let most = usize::try_from(pieces).unwrap_or(usize::MAX);
    gaps.iter().take(most).sum::<u128>() >= u128::from(problem.guest.memory.bytes())
}

/// Boot memory and modules, not yet checked against the map of the VMM.
struct Placement {
    boot: Vec<Span<Gpa>>,
    modules: Vec<Span<Gpa>>,
    base: Option<Gpa>,
    hotplug: Vec<Span<Gpa>>,
}

fn placements(
    problem: &Problem,
    variant: &Variant,
    forbidden: &SpanSet<Gpa>,
    pieces: u32,
    align: Size,
) -> Vec<Placement> {
    let found = match (&variant.boot, pieces) {
        (BootRule::Fixed { spans, .. }, 1) => whole_boot(problem, spans, forbidden).into_iter().collect(),
        (BootRule::Movable { .. }, 1) => moved_boot(problem, &variant.boot, forbidden, align),
        (boot, _) => match &variant.dimms {
            Some(rule) => split(problem, boot, rule, forbidden, pieces, align),
            None => Vec::new(),
        },
    };
    found.into_iter().filter_map(|placement| with_hotplug(problem, variant, forbidden, placement)).collect()
}

/// All memory as boot memory at its fixed place.
fn whole_boot(problem: &Problem, spans: &[Span<Gpa>], forbidden: &SpanSet<Gpa>) -> Option<Placement> {
    let boot = fill(spans, problem.guest.memory)?;
    let clear = boot.iter().all(|&span| !forbidden.overlaps(span));
    clear.then_some(Placement { boot, modules: Vec::new(), base: None, hotplug: Vec::new() })
}

/// `size` bytes from the bottom of the spans, in their order; `None` when they are too small.
pub(super) fn fill(spans: &[Span<Gpa>], size: Size) -> Option<Vec<Span<Gpa>>> {
    let mut left = size;
    let mut filled = Vec::new();
    for &span in spans {
        if left.is_zero() {
            break;
        }
        let take = span.size().map_or(left, |room| room.min(left));
        filled.push(Span::from_start_size(span.first(), take)?);
        left = left.checked_sub(take)?;
    }
    left.is_zero().then_some(filled)
}

/// All memory in one piece: where the VMM puts it by itself, or at the lowest place that is free.
fn moved_boot(problem: &Problem, boot: &BootRule, forbidden: &SpanSet<Gpa>, align: Size) -> Vec<Placement> {
    let BootRule::Movable { within, align: rule_align, default, .. } = boot else { return Vec::new() };
    let align = align.max(*rule_align);
    let at = |base: Gpa| {
        let span = Span::from_start_size(base, problem.guest.memory)?;
        let base = (base != *default).then_some(base);
        Some(Placement { boot: vec![span], modules: Vec::new(), base, hotplug: Vec::new() })
    };
    let stays = Span::from_start_size(*default, problem.guest.memory)
        .filter(|&span| within.covers(span) && default.is_aligned(align) && !forbidden.overlaps(span));
    let bases =
        stays.map(|_| *default).into_iter().chain(forbidden.first_fit(problem.guest.memory, align, *within));
    bases.filter_map(at).collect()
}

/// Boot memory as far as it goes and the rest in modules, `pieces` in all.
fn split(
    problem: &Problem,
    boot: &BootRule,
    rule: &DimmRule,
    forbidden: &SpanSet<Gpa>,
    pieces: u32,
    align: Size,
) -> Vec<Placement> {
    let align = align.max(rule.align);
    let modules = pieces.saturating_sub(1).min(rule.most);
    let spans: Vec<Span<Gpa>> = match boot {
        BootRule::Fixed { spans, .. } => spans.clone(),
        BootRule::Movable { within, .. } => {
            forbidden.gaps(*within).filter_map(|gap| gap.shrink_to(align)).collect()
        }
    };
    if let (BootRule::Movable { within, .. }, false) = (boot, rule.rule == rules::ANYWHERE) {
        return pieces_anywhere(problem, *within, forbidden, align, modules).into_iter().collect();
    }
    let mut found = Vec::new();
    // Whole blocks suffice for sizes: boot memory is worth more than modules of whole GiB.
    let grain = align.min(GUEST_BLOCK).max(rule.align);
    for size in boot_sizes(problem, &spans, (rule, grain), forbidden) {
        let Some(boot) = fill(&spans, size) else { continue };
        if boot.iter().any(|&span| forbidden.overlaps(span)) {
            continue;
        }
        let end = boot.last().map_or(Some(Gpa::at(0)), |span| span.last().checked_add(Size::from_bytes(1)));
        let area =
            end.and_then(|end| end.align_up(rule.area_align)).and_then(|at| Span::new(at, Gpa::at(u64::MAX)));
        let rest = problem.guest.memory.checked_sub(size);
        let (Some(area), Some(rest)) = (area, rest) else { continue };
        if let Some(modules) = fill_gaps(forbidden, area, rest, align, modules) {
            let base = match boot.first() {
                Some(first) if rule.rule == rules::ANYWHERE => Some(first.first()),
                _ => None,
            };
            found.push(Placement { boot, modules, base, hotplug: Vec::new() });
        }
    }
    found.sort_by_key(|placement| placement.modules.last().map(|span| span.last()));
    found
}

/// Memory in pieces at any addresses, of which the lowest is boot memory and must lie within a span.
fn pieces_anywhere(
    problem: &Problem,
    within: Span<Gpa>,
    forbidden: &SpanSet<Gpa>,
    align: Size,
    modules: u32,
) -> Option<Placement> {
    let memory = problem.guest.memory;
    let area = Span::new(within.first(), Gpa::at(u64::MAX))?;
    let placement = |boot: Span<Gpa>, modules: Vec<Span<Gpa>>| {
        let base = Some(boot.first());
        Placement { boot: vec![boot], modules, base, hotplug: Vec::new() }
    };
    let mut pieces = fill_gaps(forbidden, area, memory, align, modules.saturating_add(1))?.into_iter();
    if let Some(boot) = pieces.next().filter(|&boot| within.covers(boot)) {
        return Some(placement(boot, pieces.collect()));
    }
    let mut gaps: Vec<Span<Gpa>> = forbidden.gaps(within).filter_map(|gap| gap.shrink_to(align)).collect();
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.size_bytes()));
    gaps.truncate(BOOT_GAPS);
    let split = gaps.into_iter().filter_map(|boot| {
        let rest = memory.checked_sub(boot.size()?)?;
        let above = Span::new(boot.last().checked_add(Size::from_bytes(1))?, Gpa::at(u64::MAX))?;
        Some(placement(boot, fill_gaps(forbidden, above, rest, align, modules)?))
    });
    split.min_by_key(|placement| placement.modules.last().map(|span| span.last()))
}

/// So many of the largest gaps are tried for boot memory that must lie within a span and cannot hold all of it.
const BOOT_GAPS: usize = 16;

/// Sizes of boot memory worth trying: the most that fits below the first forbidden byte, and what ends at a multiple of
/// the area's alignment below a gap (the area for modules starts there, so a smaller boot memory can open that gap).
/// What they leave for modules is a multiple of the grain.
fn boot_sizes(
    problem: &Problem,
    spans: &[Span<Gpa>],
    (rule, grain): (&DimmRule, Size),
    forbidden: &SpanSet<Gpa>,
) -> Vec<Size> {
    let memory = problem.guest.memory;
    let mut room = Size::ZERO;
    let mut sizes = Vec::new();
    for &span in spans {
        let free = forbidden.gaps(span).next().filter(|gap| gap.first() == span.first());
        let Some(free) = free else { break };
        for edge in forbidden.gaps(Span::full()).map(|gap| gap.first().align_down(rule.area_align)) {
            if free.contains(edge) {
                let below = Size::from_bytes(edge.get().saturating_sub(free.first().get()));
                sizes.extend(room.checked_add(below));
            }
        }
        let Some(sum) = free.size().and_then(|size| room.checked_add(size)) else { break };
        room = sum;
        if free != span {
            break;
        }
    }
    sizes.push(room.min(memory));
    let mut sizes: Vec<Size> = sizes
        .into_iter()
        .filter_map(|size| whole_modules(memory, size.min(room).min(memory), grain))
        .filter(|&size| size >= rule.least_boot.min(memory) && size < memory)
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    sizes
}

/// The most boot memory of at most `size` that leaves whole modules for the rest.
fn whole_modules(memory: Size, size: Size, align: Size) -> Option<Size> {
    let rest = memory.checked_sub(size)?;
    memory.checked_sub(Size::from_bytes(align.round_up(rest.bytes())?))
}

/// At most `most` pieces of free space within `area` that hold `size` bytes and end as low as possible; `None` when
/// they cannot. Every piece but the last fills its gap.
fn fill_gaps(
    forbidden: &SpanSet<Gpa>,
    area: Span<Gpa>,
    size: Size,
    align: Size,
    most: u32,
) -> Option<Vec<Span<Gpa>>> {
    let most = usize::try_from(most).ok().filter(|&most| most > 0)?;
    let mut largest: Vec<Span<Gpa>> = Vec::new();
    for gap in forbidden.gaps(area).filter_map(|gap| gap.shrink_to(align)) {
        let full: u128 = largest.iter().take(most.saturating_sub(1)).map(|gap| gap.size_bytes()).sum();
        let rest = u128::from(size.bytes()).saturating_sub(full);
        if rest <= gap.size_bytes() {
            let rest = u64::try_from(rest).ok().map(Size::from_bytes)?;
            let mut pieces: Vec<Span<Gpa>> = largest.into_iter().take(most.saturating_sub(1)).collect();
            pieces.extend(Span::from_start_size(gap.first(), rest));
            pieces.sort_unstable();
            return Some(pieces);
        }
        // Largest first; of equals the lower first.
        let at = largest.partition_point(|known| known.size_bytes() >= gap.size_bytes());
        largest.insert(at, gap);
        largest.truncate(most);
    }
    None
}

/// Adds room for memory plugged in later, above everything else that the placement holds.
fn with_hotplug(
    problem: &Problem,
    variant: &Variant,
    forbidden: &SpanSet<Gpa>,
    placement: Placement,
) -> Option<Placement> {
    let size = problem.guest.hotplug;
    if size.is_zero() {
        return Some(placement);
    }
    let Some(rule) = variant.dimms.as_ref() else {
        let hotplug = room_behind(problem, variant.room.as_ref()?, forbidden, &placement)?;
        return Some(Placement { hotplug, ..placement });
    };
    let taken: SpanSet<Gpa> = placement.boot.iter().chain(&placement.modules).copied().collect();
    let end = placement.boot.last()?.last().checked_add(Size::from_bytes(1))?.align_up(rule.area_align)?;
    let area = Span::new(end, Gpa::at(u64::MAX))?;
    let taken = taken.union(forbidden);
    let align = rule.align.max(problem.guest.pages.size());
    let modules = u32::try_from(placement.modules.len()).unwrap_or(u32::MAX);
    let slots = rule.most.saturating_sub(modules);
    let rooms = |align| (1..=slots).find_map(|most| fill_gaps(&taken, area, size, align, most));
    let hotplug = rooms(align.max(GUEST_BLOCK)).or_else(|| rooms(align))?;
    Some(Placement { hotplug, ..placement })
}

/// The room that the VMM puts behind RAM by itself, if nothing forbids it there.
fn room_behind(
    problem: &Problem,
    rule: &RoomRule,
    forbidden: &SpanSet<Gpa>,
    placement: &Placement,
) -> Option<Vec<Span<Gpa>>> {
    let size = problem.guest.hotplug;
    if rule.rule == rules::ANYWHERE {
        let taken: SpanSet<Gpa> = placement.boot.iter().copied().collect();
        return fill_gaps(&taken.union(forbidden), Span::full(), size, problem.guest.pages.size(), 64);
    }
    let end = placement.boot.last()?.last().checked_add(Size::from_bytes(1))?.align_up(rule.align)?;
    let room = Span::from_start_size(end.max(rule.least), size)?;
    (!forbidden.overlaps(room)).then(|| vec![room])
}

/// Turns a placement into a solution when the VMM and the BARs agree.
fn accept(
    problem: &Problem,
    variant: &Variant,
    forbidden: &SpanSet<Gpa>,
    placement: Placement,
) -> Option<Solution> {
    let boot: u128 = placement.boot.iter().map(|span| span.size_bytes()).sum();
    let mut knobs = variant.knobs.clone();
    knobs.extend(placement.base.map(|at| Knob::RamBase { at }));
    let choice = Choice {
        knobs,
        boot: Size::from_bytes(u64::try_from(boot).ok()?),
        dimms: modules_of_nodes(problem, &placement),
        hotplug: placement.hotplug,
    };
    let searched = !choice.knobs.is_empty() || !choice.dimms.is_empty();
    if !vmm_rules_hold(problem) {
        if !some_windows_do(problem) {
            return None;
        }
        let boot = placement.boot.iter().map(|&span| (span, PieceKind::Boot));
        let modules = choice.dimms.iter().map(|dimm| (dimm.span, PieceKind::Dimm));
        return Some(Solution { ram: boot.chain(modules).collect(), map: None, searched, choice });
    }
    let map = vmm::memory_map(&problem.request, &choice).ok()?;
    let boot: Vec<Span<Gpa>> = map
        .regions
        .iter()
        .filter(|region| region.kind == RegionKind::Ram)
        .map(|region| region.span)
        .collect();
    let modules: SpanSet<Gpa> = choice.dimms.iter().map(|dimm| dimm.span).collect();
    let mut ram: Vec<(Span<Gpa>, PieceKind)> = boot
        .iter()
        .filter(|span| !modules.covers(**span))
        .map(|&span| (span, PieceKind::Boot))
        .chain(choice.dimms.iter().map(|dimm| (dimm.span, PieceKind::Dimm)))
        .collect();
    ram.sort_unstable();
    let clear = ram.iter().all(|(span, _)| !forbidden.overlaps(*span));
    (clear && windows_do(problem, &map)).then_some(Solution { ram, map: Some(map), searched, choice })
}

/// The modules of a placement, cut where a NUMA node ends: a module belongs to one node, and each takes a slot.
fn modules_of_nodes(problem: &Problem, placement: &Placement) -> Vec<Dimm> {
    let boot = placement.boot.iter().map(|&span| (span, PieceKind::Boot));
    let modules = placement.modules.iter().map(|&span| (span, PieceKind::Dimm));
    let ram: Vec<(Span<Gpa>, PieceKind)> = boot.chain(modules).collect();
    let pieces = layout::pieces(&problem.guest.numa, &ram).into_iter();
    pieces.filter(|piece| piece.kind == PieceKind::Dimm).map(|piece| Dimm { span: piece.span }).collect()
}

/// Whether the PCI windows of a map will do for the BARs of the passed devices, as far as the constraints ask for it.
fn windows_do(problem: &Problem, map: &MemoryMap) -> bool {
    let bars = bars::handed_out(&problem.bars, map);
    problem.constraints.iter().all(|constraint| match &constraint.demand {
        Demand::BarRoom => bars::fit(&problem.bars, map).is_ok(),
        Demand::BarsKeepOut(set) => bars.iter().all(|&span| !set.overlaps(span)),
        _ => true,
    })
}
