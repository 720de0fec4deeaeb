//! What firmware says of the host: the device tree or the ACPI tables of the capture, whichever Linux took.
//!
//! What sysfs and procfs list wins over it; [`merge`] puts the two together and reports where they contradict each
//! other.

mod bridges;
mod controllers;
mod iommus;
mod merge;

use super::bridges::{node_path, root_bus};
use super::codes;
use super::functions::Function;
use super::log::Log;
use super::text::first_line;
use super::tree::Tree;
use crate::diag::Diagnostic;
use crate::facts::HostFacts;
use crate::facts::pci::BridgeBusesFact;
use crate::read::acpi::{self, BridgeBuses, TableFile};
use crate::read::fdt::{self, Numbering};

pub(super) use bridges::said_of;
pub(super) use merge::merge;

/// The flattened devicetree that the kernel was given.
const DEVICE_TREE: &str = "sys/firmware/fdt";
/// Directory of the ACPI tables.
const TABLES: &str = "sys/firmware/acpi/tables";

/// What firmware says. No facts when the capture holds neither tables nor a tree, or nothing of interest in them.
pub(super) fn firmware(tree: &Tree, functions: &[Function], log: &mut Log) -> HostFacts {
    let bridges: Vec<BridgeBuses> = functions.iter().filter_map(bridge_buses).collect();
    let (described, found) = device_tree(tree, functions, &bridges);
    let (tables, has_tables) = tables(tree, &bridges);
    // A kernel that boots with ACPI is given a stub of a tree, which says nothing but where the kernel's arguments are.
    let (facts, found) = if is_silent(&described) || (has_tables && forces_acpi(tree)) {
        if has_tables { tables } else { (described, found) }
    } else {
        (described, found)
    };
    found.into_iter().for_each(|diagnostic| log.push(bearable(diagnostic)));
    facts
}

/// Whether the tree describes no hardware. Then Linux takes the tables (`dt_is_stub` in arch/arm64/kernel/acpi.c).
fn is_silent(facts: &HostFacts) -> bool {
    facts.root_complexes.is_empty() && facts.ram.is_empty() && facts.iommus.is_empty()
}

/// Whether the command line wants ACPI, whatever the tree holds (`parse_acpi` in arch/arm64/kernel/acpi.c).
fn forces_acpi(tree: &Tree) -> bool {
    let line = first_line(tree, "proc/cmdline").unwrap_or_default();
    line.split_whitespace()
        .rfind(|word| word.starts_with("acpi="))
        .is_some_and(|word| matches!(word, "acpi=force" | "acpi=on"))
}

fn device_tree(tree: &Tree, functions: &[Function], bridges: &[BridgeBuses]) -> (HostFacts, Vec<Diagnostic>) {
    let Some(blob) = tree.file(DEVICE_TREE) else { return Default::default() };
    let segment = |function: &Function| {
        let path = node_path(tree, root_bus(&function.path)?.1)?;
        Some((path, function.fact.address.segment()))
    };
    let numbering = Numbering {
        buses: bridges.iter().map(|buses| (buses.bridge, buses.secondary)).collect(),
        segments: functions.iter().filter_map(segment).collect(),
    };
    fdt::facts_numbered(blob, DEVICE_TREE, &numbering)
}

/// What the tables say, and whether there are any.
fn tables(tree: &Tree, bridges: &[BridgeBuses]) -> ((HostFacts, Vec<Diagnostic>), bool) {
    let paths: Vec<String> = tree.names(TABLES).iter().map(|name| format!("{TABLES}/{name}")).collect();
    let file = |path: &'_ String| tree.file(path).map(|bytes| (path.clone(), bytes));
    let files: Vec<(String, &[u8])> = paths.iter().filter_map(file).collect();
    let tables: Vec<TableFile<'_>> = files.iter().map(|(name, bytes)| TableFile { name, bytes }).collect();
    (acpi::facts(&tables, bridges), !tables.is_empty())
}

/// Which buses are below a bridge, as its configuration space says.
fn bridge_buses(function: &Function) -> Option<BridgeBuses> {
    let buses = function.fact.config.buses?;
    let BridgeBusesFact { secondary, subordinate } = buses;
    Some(BridgeBuses { bridge: function.fact.address, secondary, subordinate })
}

/// Tables that cannot be read are no reason not to plan: what the kernel lists is there.
fn bearable(diagnostic: Diagnostic) -> Diagnostic {
    if diagnostic.is_error() {
        Diagnostic { code: &codes::FIRMWARE_UNREADABLE, ..diagnostic }
    } else {
        diagnostic
    }
}
