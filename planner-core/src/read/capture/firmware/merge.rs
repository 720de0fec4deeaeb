//! Facts of the running kernel and facts of firmware, put together.

use super::bridges::root_complexes;
use super::controllers::{distributors, translation_services};
use super::iommus::{Renames, iommus};
use crate::facts::HostFacts;
use crate::facts::host::RamFact;
use crate::read::capture::log::Log;
use crate::read::capture::tree::Tree;

/// Adds to the facts of the running kernel what only firmware says, and reports what contradicts them.
pub(in crate::read::capture) fn merge(
    facts: &mut HostFacts,
    mut firmware: HostFacts,
    tree: &Tree,
    log: &mut Log,
) {
    facts.arch = facts.arch.or(firmware.arch);
    ram(&mut facts.ram, std::mem::take(&mut firmware.ram));
    distributors(&mut facts.gicv3, &firmware.gicv3, log);
    translation_services(&mut facts.its, &firmware.its, log);
    facts.gicv2m.append(&mut firmware.gicv2m);
    facts.doorbells.append(&mut firmware.doorbells);
    // Where the kernel formed no groups it translates nothing, whatever firmware offers.
    let renames = if facts.groups.is_empty() && tree.exists("sys/kernel/iommu_groups") {
        Renames::new()
    } else {
        iommus(&mut facts.iommus, &firmware.iommus, tree, log)
    };
    root_complexes(&mut facts.root_complexes, firmware.root_complexes, &renames, log);
    facts.firmware.append(&mut firmware.firmware);
}

/// The kernel lists RAM without what firmware keeps; only firmware knows which node it is part of.
fn ram(listed: &mut Vec<RamFact>, said: Vec<RamFact>) {
    if listed.is_empty() {
        *listed = said;
        return;
    }
    for bank in listed {
        let around = said.partition_point(|around| around.span.first() <= bank.span.first()).checked_sub(1);
        let around = around.and_then(|index| said.get(index)).filter(|around| around.span.covers(bank.span));
        bank.node = bank.node.or(around.and_then(|around| around.node));
    }
}
