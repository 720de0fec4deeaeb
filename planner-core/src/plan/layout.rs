//! The answer written down: pieces of RAM with their nodes, the whole memory map, and why each lies where it lies.

use super::bars;
use super::place::{GUEST_BLOCK, Solution};
use super::problem::{Constraint, Demand, Problem, rule_reason};
use super::{PieceKind, Placed, PlacedRegion, Plan, RamPiece, Reason, Verdict, VmmSummary, rules};
use crate::addr::{Gpa, Span};
use crate::facts::guest::{NumaFact, VmmKind};
use crate::size::Size;
use crate::vmm::{self, Knob, MapRegion, MemoryMap, RegionKind};

/// The plan that a solution makes.
#[must_use]
pub fn write_down(problem: &Problem, solution: Solution) -> Plan {
    let map = solution.map.unwrap_or_default();
    let ram = pieces(&problem.guest.numa, &solution.ram);
    let because = displaced(problem);
    let regions = regions(problem, &map, &ram, &solution.choice.knobs, solution.searched, &because);
    let mut plan = Plan {
        verdict: if solution.searched || !problem.host_settings.is_empty() {
            Verdict::FitsWithOptions
        } else {
            Verdict::Fits
        },
        host: problem.host.clone(),
        guest: problem.guest.clone(),
        vmm: VmmSummary {
            name: problem.guest.vmm,
            version: problem.guest.version,
            machine: vmm::machine_name(&problem.request).unwrap_or_default(),
        },
        ram,
        hotplug: solution.choice.hotplug,
        regions,
        segments: segments(problem, &map),
        disabled: map.disabled,
        knobs: solution.choice.knobs,
        max_memory: map.max_memory,
        slots: map.slots,
        needed_bits: map.needed_bits,
        passed: problem.passed.clone(),
        msi_window: problem.msi.clone(),
        host_settings: problem.host_settings.clone(),
        warnings: problem.warnings.clone(),
    };
    warn_of_tolerated(problem, &mut plan);
    if !map.takes_all_bits {
        warn_of_bits(&mut plan);
    }
    add_warnings(problem, &mut plan);
    plan
}

/// The segment of each passed function, where there is more than one.
fn segments(problem: &Problem, map: &MemoryMap) -> Vec<u16> {
    if map.segments.len() < 2 {
        return Vec::new();
    }
    bars::segments(&problem.bars, map).unwrap_or_default()
}

fn warn_of_bits(plan: &mut Plan) {
    if plan.guest.ipa_bits.is_none() && plan.needed_bits > 0 {
        let because = format!(
            "the layout needs {} bits of guest-physical address; what the host's hypervisor offers is not known",
            plan.needed_bits
        );
        plan.warnings.push(rule_reason(rules::IPA_BITS, because));
    }
}

/// RAM cut at the boundaries of NUMA nodes, which fill it in order.
pub(super) fn pieces(numa: &[NumaFact], ram: &[(Span<Gpa>, PieceKind)]) -> Vec<RamPiece> {
    let mut nodes = numa.iter().map(|node| (node, node.memory)).peekable();
    let mut pieces: Vec<RamPiece> = Vec::new();
    let mut push = |span: Span<Gpa>, kind, node: Option<&NumaFact>| {
        pieces.push(RamPiece {
            name: format!("ram{}", pieces.len()),
            span,
            kind,
            node: node.map(|node| node.node),
            host_node: node.and_then(|node| node.host_node),
        });
    };
    for &(span, kind) in ram {
        let mut rest = Some(span);
        while let Some(span) = rest {
            while nodes.next_if(|(_, left)| left.is_zero()).is_some() {}
            let Some((node, left)) = nodes.peek_mut() else {
                push(span, kind, None);
                break;
            };
            let take = span.size().map_or(*left, |size| size.min(*left));
            let Some(piece) = Span::from_start_size(span.first(), take) else { break };
            push(piece, kind, Some(node));
            *left = left.checked_sub(take).unwrap_or(Size::ZERO);
            rest = crate::addr::Address::checked_add(span.first(), take)
                .and_then(|at| Span::new(at, span.last()));
        }
    }
    pieces
}

/// Why RAM does not simply lie where the VMM would put it.
fn displaced(problem: &Problem) -> Vec<Reason> {
    let stays = super::conflict::attempted(problem);
    let hits = |constraint: &&Constraint| match &constraint.demand {
        Demand::KeepOut(set) => stays.iter().any(|&span| set.overlaps(span)),
        _ => false,
    };
    problem.constraints.iter().filter(hits).map(|constraint| constraint.reason.clone()).collect()
}

fn regions(
    problem: &Problem,
    map: &MemoryMap,
    ram: &[RamPiece],
    knobs: &[Knob],
    searched: bool,
    because: &[Reason],
) -> Vec<PlacedRegion> {
    let moved = knobs.iter().any(|knob| matches!(knob, Knob::RamBase { .. }));
    let ram = ram.iter().map(|piece| {
        let placed = if piece.kind == PieceKind::Dimm || moved { Placed::Search } else { Placed::Fixed };
        PlacedRegion {
            name: piece.name.clone(),
            kind: RegionKind::Ram,
            span: piece.span,
            placed,
            because: if searched && placed == Placed::Search { because.to_vec() } else { Vec::new() },
        }
    });
    let others =
        map.regions.iter().filter(|region| region.kind != RegionKind::Ram).map(|region| PlacedRegion {
            name: region.name.clone(),
            kind: region.kind,
            span: region.span,
            placed: placed_by(region, knobs),
            because: Vec::new(),
        });
    let msi = problem.msi.iter().map(|msi| PlacedRegion {
        name: "msi-window".into(),
        kind: RegionKind::Msi,
        span: msi.span.cast(),
        placed: Placed::Fixed,
        because: vec![rule_reason(crate::kernel::rules::SWMSI.id, "the kernel maps MSI doorbells here")],
    });
    let mut regions: Vec<PlacedRegion> = ram.chain(others).chain(msi).collect();
    regions.sort_by(|a, b| (a.span, a.kind, &a.name).cmp(&(b.span, b.kind, &b.name)));
    regions
}

fn placed_by(region: &MapRegion, knobs: &[Knob]) -> Placed {
    let named = |knob: &Knob| matches!(knob, Knob::Window { name, .. } if *name == region.name);
    let turned = match region.kind {
        RegionKind::Mmio64 | RegionKind::Mmio32 if knobs.iter().any(named) => true,
        RegionKind::Mmio64 => knobs.iter().any(|knob| {
            matches!(
                knob,
                Knob::HighMmioSize { .. }
                    | Knob::PciHole64Size { .. }
                    | Knob::MaxPhysBits { .. }
                    | Knob::PciSegments { .. }
            )
        }),
        RegionKind::Mmio32 => knobs.iter().any(|knob| {
            matches!(
                knob,
                Knob::MaxRamBelow4g { .. }
                    | Knob::LowMmioSize { .. }
                    | Knob::LowMmioWindow { .. }
                    | Knob::MmioHole { .. }
                    | Knob::PciSegments { .. }
            )
        }),
        RegionKind::Hotplug | RegionKind::DeviceMemory => true,
        _ => false,
    };
    if turned { Placed::Knob } else { Placed::Fixed }
}

fn warn_of_tolerated(problem: &Problem, plan: &mut Plan) {
    for constraint in &problem.tolerated {
        let Demand::KeepOut(set) = &constraint.demand else { continue };
        if let Some(piece) = plan.ram.iter().find(|piece| set.overlaps(piece.span)) {
            let reason = &constraint.reason;
            plan.warnings.push(Reason {
                because: format!("{} at {} lies in it: {}", piece.name, piece.span, reason.because),
                ..reason.clone()
            });
        }
    }
}

fn add_warnings(problem: &Problem, plan: &mut Plan) {
    // How a described VMM tells its guest of further pieces is its own affair, and a bank of Xen is memory like the first.
    if !matches!(plan.guest.vmm, VmmKind::Custom | VmmKind::Xen) {
        add_module_warnings(plan);
    }
    for disabled in &plan.disabled {
        let because = format!("the VMM leaves out `{}` without a word: {}", disabled.name, disabled.because);
        plan.warnings.push(rule_reason(rules::LEFT_OUT, because));
    }
    add_peer_warnings(problem, plan);
}

fn add_module_warnings(plan: &mut Plan) {
    let modules: Vec<&RamPiece> = plan.ram.iter().filter(|piece| piece.kind == PieceKind::Dimm).collect();
    let mut warnings = Vec::new();
    if !modules.is_empty() {
        let because = "part of the RAM is in memory modules: the guest must boot with ACPI firmware, and its kernel must \
                       have CONFIG_ACPI_HOTPLUG_MEMORY and bring them online (memhp_default_state=online)";
        warnings.push(rule_reason(rules::MODULES, because));
    }
    for module in modules.iter().filter(|module| module.span.shrink_to(GUEST_BLOCK) != Some(module.span)) {
        let because = format!(
            "{} at {} is no whole number of blocks of {GUEST_BLOCK}: a Linux guest does not use it",
            module.name, module.span
        );
        warnings.push(rule_reason(rules::MODULES, because));
    }
    plan.warnings.extend(warnings);
}

/// BARs at addresses that the host keeps: only traffic between passed devices is affected, so with one device there is
/// nothing to say.
fn add_peer_warnings(problem: &Problem, plan: &mut Plan) {
    if problem.bars.is_empty() || plan.guest.pass.len() < 2 {
        return;
    }
    let forbidden = problem.forbidden();
    let windows =
        plan.regions.iter().filter(|region| matches!(region.kind, RegionKind::Mmio32 | RegionKind::Mmio64));
    for window in windows {
        let hits: Vec<String> = forbidden.overlapping(window.span).iter().map(ToString::to_string).collect();
        if !hits.is_empty() {
            let because = format!(
                "traffic between the passed devices may fail where their BARs meet {}: the guest's PCI window `{}` at {} \
                 overlaps what the host keeps there; DMA to RAM is not affected",
                hits.join(", "),
                window.name,
                window.span
            );
            plan.warnings.push(rule_reason(rules::PEER, because));
        }
    }
}
