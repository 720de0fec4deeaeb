//! Whether the description of a VMM can be meant.

use std::collections::BTreeSet;

use super::codes;
use crate::addr::{Address, Gpa, Span};
use crate::diag::Diagnostic;
use crate::facts::custom::{CustomVmm, CustomWindow, CustomWindowKind};
use crate::facts::guest::{VmmFact, VmmKind};
use crate::size::Size;

/// The most windows, and the most regions and spans, that a description may have.
const MOST_WINDOWS: usize = 16;
const MOST_REGIONS: usize = 256;
/// What the plan calls the window where the kernel maps doorbells.
const TAKEN_NAME: &str = "msi-window";
const FOUR_GIB: u64 = 0x1_0000_0000;

/// What is wrong with it.
pub(super) fn check(vmm: &VmmFact) -> Vec<Diagnostic> {
    let Some(custom) = &vmm.custom else { return Vec::new() };
    let origin = || vmm.origin.clone();
    if vmm.kind != VmmKind::Custom {
        let message = format!("{} is described, which the planner has a model of", vmm.kind);
        return vec![
            Diagnostic::new(&codes::NOT_CUSTOM, origin(), message)
                .help("say `vmm custom { … }`, or leave it out"),
        ];
    }
    let found = faults(custom).into_iter();
    found.map(|message| Diagnostic::new(&codes::DESCRIBED, origin(), message)).collect()
}

fn faults(custom: &CustomVmm) -> Vec<String> {
    let many = custom.ram.len().saturating_add(custom.regions.len());
    if custom.windows.len() > MOST_WINDOWS || many > MOST_REGIONS {
        return vec![format!(
            "the VMM has {} windows and {many} regions and spans of memory; {MOST_WINDOWS} and {MOST_REGIONS} are the most",
            custom.windows.len()
        )];
    }
    let mut found = Vec::new();
    if custom.movable.is_some() && !custom.ram.is_empty() {
        found.push("memory at boot has fixed places (`ram`) and can be moved (`movable`)".to_owned());
    }
    if let Some(align) = custom.align.filter(|align| !align.bytes().is_power_of_two()) {
        found.push(format!("the alignment of {align} is no power of two"));
    }
    if custom.pieces.is_some_and(|pieces| pieces == 0 || pieces > 64) {
        found.push("memory lies in 1 to 64 pieces".to_owned());
    }
    if custom.ipa_bits.is_some_and(|bits| !(32..=64).contains(&bits)) {
        found.push("there are 32 to 64 address bits".to_owned());
    }
    if !custom.ram.is_sorted_by(|low, high| low.last() < high.first()) {
        found.push("the spans of memory at boot do not follow each other".to_owned());
    }
    found.extend(names(custom));
    found.extend(overlap(custom));
    found.extend(custom.windows.iter().filter_map(window));
    found
}

fn names(custom: &CustomVmm) -> Option<String> {
    let regions = custom.regions.iter().map(|region| region.name.as_str());
    let mut names = regions.chain(custom.windows.iter().map(|window| window.name.as_str()));
    let mut known = BTreeSet::from([TAKEN_NAME]);
    let twice = names.find(|&name| !known.insert(name))?;
    Some(if twice == TAKEN_NAME {
        format!("the planner itself calls something {TAKEN_NAME}")
    } else {
        format!("two regions or windows are called {twice:?}")
    })
}

/// Two things at fixed addresses in each other's way.
fn overlap(custom: &CustomVmm) -> Option<String> {
    let ram = custom.ram.iter().map(|&span| (span, "memory at boot"));
    let regions = custom.regions.iter().map(|region| (region.span, region.name.as_str()));
    let windows = custom.windows.iter().filter(|window| window.size.is_none());
    let windows = windows.map(|window| (window.span, window.name.as_str()));
    let mut all: Vec<(Span<Gpa>, &str)> = ram.chain(regions).chain(windows).collect();
    all.sort_unstable();
    all.windows(2).find_map(|pair| match pair {
        [(low, a), (high, b)] if low.overlaps(*high) => Some(format!("{a} at {low} overlaps {b} at {high}")),
        _ => None,
    })
}

fn window(window: &CustomWindow) -> Option<String> {
    let CustomWindow { name, span, size, most, .. } = window;
    let last = span.last().get();
    if window.kind == CustomWindowKind::Mmio32 && last >= FOUR_GIB {
        return Some(format!("the window {name:?} for 32-bit BARs reaches beyond 4 GiB, to {}", span.last()));
    }
    match (size, most) {
        (None, None) => None,
        (None, Some(_)) => Some(format!("the window {name:?} has a largest size and no least one")),
        (Some(size), _) if size.is_zero() || u128::from(size.bytes()) > span.size_bytes() => {
            Some(format!("the window {name:?} of {size} does not fit into {span}"))
        }
        (Some(size), Some(most)) if most < size => {
            Some(format!("the window {name:?} has {size} at least and {most} at most"))
        }
        (Some(size), _) => unaligned(*span, *size)
            .then(|| format!("no multiple of its size in {span} has room for the window {name:?} of {size}")),
    }
}

/// A window lies at a multiple of the largest power of two in its size.
fn unaligned(span: Span<Gpa>, size: Size) -> bool {
    let align = Size::from_bytes(size.bytes().checked_ilog2().map_or(1, |bit| 1 << bit));
    let start = span.first().align_up(align);
    !start.and_then(|start| Span::from_start_size(start, size)).is_some_and(|at| span.covers(at))
}
