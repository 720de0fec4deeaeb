//! VFIO type1: what a container answered for each group, and for all groups together.

use super::behaviour;
use super::msi::{self, Through};
use super::truth::{AllGroups, Group, Info, Trial, Truth};
use super::{
    Check, MEMORY, Space, Spaces, World, assumed_aperture, ends, name, rule_among, same_below, shown,
};
use crate::addr::{Address, Iova, Span};
use crate::ids::GroupId;
use crate::kernel::type1::container::{
    Container, ContainerGroup, Extent, Interface, MapRequest, READ, Settings, WRITE,
};
use crate::kernel::{GroupReport, rules};
use crate::size::PageSizes;

/// Compares everything about type1, and tells the address spaces for what comes after.
pub(super) fn compare(world: &World<'_>, truth: &Truth, check: &mut Check) -> Spaces {
    let mut spaces: Spaces =
        world.foretold.groups.iter().map(|group| (group.id.0, Space::of(group))).collect();
    for told in &truth.groups {
        check.case = format!("group {}", told.id);
        let Some(group) = world.foretold.group(GroupId(told.id)) else {
            check.unknown(world, &format!("group {}", told.id));
            continue;
        };
        let Some(space) = spaces.get_mut(&told.id) else { continue };
        compare_group(world, told, group, space, check);
        for probe in &told.probes {
            msi::compare(world, Through::Domain("type1"), probe, group, check);
        }
    }
    if let Some(all) = &truth.all_groups {
        check.case = "all groups in one container".to_owned();
        compare_all(world, all, &spaces, check);
    }
    spaces
}

fn compare_group(world: &World<'_>, told: &Group, group: &GroupReport, space: &mut Space, check: &mut Check) {
    if !compare_set_container(told, group, check) {
        return;
    }
    compare_set_iommu(told, group, check);
    if let Some(info) = &told.info {
        compare_info(info, group, space, check);
    }
    let mut container = container(world);
    if container.attach(member(0, space)).is_ok() {
        compare_trials(&told.trials, &mut container, check);
        if let Some(told) = &told.behaviour {
            behaviour::compare(world, told, &mut container, check);
        }
    }
}

/// Whether the group was taken.
fn compare_set_container(told: &Group, group: &GroupReport, check: &mut Check) -> bool {
    let refused = rule_among(&group.blockers, &[&rules::DIRECT_BLOCKS, &rules::RMRR_INELIGIBLE]);
    let ours = match refused.map(|rule| rule.id) {
        None => "OK",
        Some(id) if id == rules::RMRR_INELIGIBLE.id => "EPERM",
        Some(_) => "EINVAL",
    };
    let held = told.status == Some(0);
    let because = held.then_some(
        "the group is not viable: another device of it has a driver of the host, and the facts do not tell \
         which drivers are bound",
    );
    if let Some(kernel) = &told.set_container {
        check.equal("VFIO_GROUP_SET_CONTAINER", kernel, &ours, because);
    }
    if let Some(kernel) = &told.set_container_again {
        check.equal("VFIO_GROUP_SET_CONTAINER after unbinding bridges", kernel, &ours, None);
    }
    ours == "OK"
}

fn compare_set_iommu(told: &Group, group: &GroupReport, check: &mut Check) {
    let Some(kernel) = &told.set_iommu else { return };
    let unsafe_msis = rule_among(&group.blockers, &[&rules::ISOLATED_GROUP, &rules::ISOLATED_ANY]);
    let ours = if unsafe_msis.is_some() { "EPERM" } else { "OK" };
    let because = unknown_isolation(group, kernel);
    check.equal("VFIO_SET_IOMMU", kernel, &ours, because.as_deref());
    if let Some(kernel) = &told.set_iommu_unsafe {
        check.equal("VFIO_SET_IOMMU with allow_unsafe_interrupts", kernel, &"OK", None);
    }
}

/// Why it cannot be told whether MSIs are isolated, when the kernel refused for that.
pub(super) fn unknown_isolation(group: &GroupReport, kernel: &str) -> Option<String> {
    let unknown = [&rules::INTERRUPT_REMAPPING, &rules::UNKNOWN_DOORBELL];
    let note = group.notes.iter().find(|note| unknown.iter().any(|rule| rule.id == note.rule));
    note.filter(|_| kernel == "EPERM").map(|note| note.because.clone())
}

fn compare_info(info: &Info, group: &GroupReport, space: &mut Space, check: &mut Check) {
    let ours = group.type1.page_sizes.bitmap();
    check.equal("iova_pgsizes", &format!("{:#x}", info.page_sizes), &format!("{ours:#x}"), None);
    let Some(kernel) = &info.ranges else { return };
    let ours = ends(&group.type1.usable);
    let assumed = assumed_aperture(group).filter(|_| same_below(kernel, &ours));
    let same = check.equal("usable ranges", &shown(kernel), &shown(&ours), assumed.as_deref());
    if !same && assumed.is_some() {
        // What follows is asked of the kernel's own aperture.
        let last = kernel.last().and_then(|&(_, last)| Span::new(space.aperture.first(), Iova::new(last)));
        space.aperture = last.unwrap_or(space.aperture);
    }
}

fn container(world: &World<'_>) -> Container {
    Container::new(Settings {
        version: world.host.kernel.version,
        page_size: world.host.kernel.page_size,
        // The recording program set allow_unsafe_interrupts where it was refused.
        unsafe_interrupts: true,
        host_isolates: true,
        interface: Interface::V2,
        mapping_limit: 65535,
    })
}

fn member(id: u32, space: &Space) -> ContainerGroup {
    ContainerGroup {
        id,
        aperture: space.aperture,
        page_sizes: space.page_sizes,
        driver: 0,
        coherent: true,
        isolated: true,
        devices: vec![Some(space.regions.clone())],
    }
}

/// The map requests, one after the other; what was mapped is unmapped again.
fn compare_trials(trials: &[Trial], container: &mut Container, check: &mut Check) {
    for trial in trials {
        let place = format!("map {} ({:#x}+{:#x})", trial.name, trial.iova, trial.size);
        let request = MapRequest {
            iova: Iova::new(trial.iova),
            size: trial.size,
            vaddr: MEMORY.wrapping_add(trial.vaddr_offset),
            flags: READ | WRITE,
        };
        let mapped = container.map(&request);
        check.equal(&place, &trial.answer, &name(mapped), None);
        if mapped.is_ok() {
            let unmapped = container.unmap(request.iova, request.size, Extent::Range).unwrap_or(0);
            let kernel = trial.unmapped.unwrap_or(trial.size);
            check.equal(&format!("un{place}"), &format!("{kernel:#x}"), &format!("{unmapped:#x}"), None);
        }
    }
}

fn compare_all(world: &World<'_>, all: &AllGroups, spaces: &Spaces, check: &mut Check) {
    let Some(info) = &all.info else { return };
    let mut container = container(world);
    for (id, attached) in &all.attached {
        // What was refused was refused before it came to the container, and stands with its own group.
        let Some(space) = spaces.get(id).filter(|_| *attached) else { continue };
        let ours = name(container.attach(member(*id, space)));
        check.equal(&format!("attaching group {id}"), &"OK", &ours, None);
    }
    let sizes: PageSizes = container.page_sizes();
    check.equal("iova_pgsizes", &format!("{:#x}", info.page_sizes), &format!("{:#x}", sizes.bitmap()), None);
    if let Some(kernel) = &info.ranges {
        check.equal("usable ranges", &shown(kernel), &shown(&ends(container.usable())), None);
    }
}
