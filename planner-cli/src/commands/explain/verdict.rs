//! Whether the groups of a host can map a stretch of IOVAs, and what it runs into.

use planner_core::addr::{BusAddr, Iova, Span};
use planner_core::kernel::{GroupReport, ResvKind};
use planner_core::size::Size;

use super::{Machine, folded, numbered};

/// The stretch, if it has a size and ends within the 64-bit space.
pub(super) fn span(iova: u64, size_bytes: u64) -> Option<Span<Iova>> {
    Span::from_start_size(Iova::at(iova), Size::from_bytes(size_bytes))
}

/// What the groups say, those that say the same together. Without a size, about the first byte.
pub(super) fn of_groups(machine: &Machine, iova: u64, size_bytes: Option<u64>) -> Vec<String> {
    let Machine { host, reserved } = machine;
    let Some(span) = span(iova, size_bytes.unwrap_or(1)) else {
        return vec!["The mapping has no size, or runs past the end of the 64-bit space.".into()];
    };
    let said = folded(&reserved.groups, |group| of_group(group, span));
    if said.is_empty() {
        return vec![format!("On `{}` every group can map it under Linux {}.", host.name, reserved.kernel)];
    }
    said.into_iter()
        .map(|(sentence, groups)| format!("On `{}`, {}: {sentence}.", host.name, numbered(&groups)))
        .collect()
}

fn of_group(group: &GroupReport, span: Span<Iova>) -> Vec<String> {
    let mut said = Vec::new();
    for region in group.reserved.iter().filter(|region| region.kind != ResvKind::DirectRelaxable) {
        if let Some(hit) = region.span().filter(|reserved| reserved.overlaps(span)) {
            let word = region.kind.sysfs_word();
            said.push(format!("it meets {hit}, which the kernel reserves ({word}) [{}]", region.rule));
        }
    }
    if !group.aperture.covers(span) {
        said.push(format!("it leaves the aperture {}, which is what the IOMMU translates", group.aperture));
    }
    for hazard in group.hazards.iter().filter(|hazard| hazard.span.overlaps(span.cast::<BusAddr>())) {
        said.push(format!("the kernel maps it, but {} [{}]", hazard.because, hazard.rule));
    }
    said
}
