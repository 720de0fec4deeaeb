//! Emission decides nothing: what is emitted, read back by the readers of existing configurations, makes the plan's memory
//! map, with the plan's devices and processors. Left out: names of regions of RAM, which configurations do not keep.

use planner_core::addr::{Gpa, Span};
use planner_core::diag::has_errors;
use planner_core::emit::{OutputFile, Target, emit};
use planner_core::facts::ConfiguredFacts;
use planner_core::facts::guest::Viommu;
use planner_core::plan::{PieceKind, Plan};
use planner_core::read::vmm::{Format, read_text, recognise};
use planner_core::span_set::SpanSet;
use planner_core::vmm::{MemoryMap, RegionKind, Setting, configured_map, configured_request};

/// The targets that there is a reader for.
pub const READABLE: &[Target] = &[
    Target::Qemu,
    Target::QemuReadconfig,
    Target::Libvirt,
    Target::Kvmtool,
    Target::Crosvm,
    Target::CloudHypervisor,
    Target::CloudHypervisorApi,
    Target::Firecracker,
    Target::Openvmm,
];

/// What any of these targets says otherwise than the plan, a line each with the target; nothing for those that refuse it.
#[must_use]
pub fn all_differences(plan: &Plan, targets: &[Target]) -> Vec<String> {
    let told = targets.iter().filter_map(|&target| Some((target, differences(plan, target)?)));
    told.flat_map(|(target, lines)| lines.into_iter().map(move |line| format!("{target}: {line}"))).collect()
}

/// What a target's text says otherwise than the plan, a line each; `None` where the target has no reader, or refuses the
/// plan.
#[must_use]
pub fn differences(plan: &Plan, target: Target) -> Option<Vec<String>> {
    if !READABLE.contains(&target) {
        return None;
    }
    let files = emit(plan, target).ok()?;
    Some(read_back(plan, target, &files).unwrap_or_else(|why| vec![why]))
}

/// What these files of a target say otherwise than the plan.
///
/// # Errors
/// Why they cannot be read, or what the VMM would print.
pub fn read_back(plan: &Plan, target: Target, files: &[OutputFile]) -> Result<Vec<String>, String> {
    let format = match target {
        Target::Libvirt => Format::DomainXml,
        Target::CloudHypervisorApi => Format::CloudHypervisorJson,
        _ => Format::Command,
    };
    // A command that uses a file stands behind it.
    let main = files.last().ok_or("nothing is emitted")?;
    if recognise(&main.text) != Some(format) {
        return Err("not recognised".to_owned());
    }
    let named = files.iter().map(|file| (file.file.clone(), file.text.clone())).collect();
    let (facts, found) = read_text(format, &main.file, &main.text, Some(plan.vmm.version), &named);
    if has_errors(&found) {
        return Err(format!("{found:#?}"));
    }
    // kvmtool is told where huge pages are mounted, and the mount has their size (M117).
    let minded = found.iter().filter(|found| found.code.id != "M117");
    let mut told: Vec<String> =
        minded.map(|found| format!("[{}] {}", found.code.id, found.message)).collect();
    let setting =
        Setting { arch: plan.guest.arch, version: Some(plan.vmm.version), ipa_bits: plan.guest.ipa_bits };
    let request = configured_request(&facts, &setting);
    let map = configured_map(&facts, &request).map_err(|error| error.text)?;
    told.extend(of_map(plan, &map));
    told.extend(of_guest(plan, &facts));
    Ok(told)
}

fn of_map(plan: &Plan, map: &MemoryMap) -> Vec<String> {
    let mut told = Vec::new();
    let planned: SpanSet<Gpa> = plan.ram.iter().map(|piece| piece.span).collect();
    let ram = |region: &&planner_core::vmm::MapRegion| region.kind == RegionKind::Ram;
    let read: SpanSet<Gpa> = map.regions.iter().filter(ram).map(|region| region.span).collect();
    if planned != read {
        told.push(format!("RAM {planned:?}, read back {read:?}"));
    }
    let mut planned: Vec<(RegionKind, Span<Gpa>)> = plan
        .regions
        .iter()
        .filter(|region| !is_planners_own(region.kind, &region.name))
        .map(|region| (region.kind, region.span))
        .collect();
    let others = map.regions.iter().filter(|region| !is_planners_own(region.kind, &region.name));
    let mut read: Vec<(RegionKind, Span<Gpa>)> = others.map(|region| (region.kind, region.span)).collect();
    planned.sort_unstable();
    read.sort_unstable();
    for region in planned.iter().filter(|region| !read.contains(region)) {
        told.push(format!("{} {} is planned and not read back", region.0, region.1));
    }
    for region in read.iter().filter(|region| !planned.contains(region)) {
        told.push(format!("{} {} is read back and not planned", region.0, region.1));
    }
    told
}

/// RAM is compared by itself; room for later is the planner's, and the window of the host's doorbells no region of the
/// guest.
fn is_planners_own(kind: RegionKind, name: &str) -> bool {
    matches!(kind, RegionKind::Ram | RegionKind::Hotplug) || (kind == RegionKind::Msi && name == "msi-window")
}

fn of_guest(plan: &Plan, facts: &ConfiguredFacts) -> Vec<String> {
    let mut told = Vec::new();
    let mut compare = |what: &str, planned: String, read: String| {
        if planned != read {
            told.push(format!("{what} {planned}, read back {read}"));
        }
    };
    let guest = &facts.guest;
    let mut pass: Vec<_> = guest.pass.iter().map(|fact| fact.device).collect();
    pass.sort_unstable();
    compare("devices", format!("{:?}", plan.guest.pass), format!("{pass:?}"));
    compare("processors", plan.guest.vcpus.to_string(), guest.vcpus.unwrap_or(1).to_string());
    compare("iommufd", plan.guest.iommufd.to_string(), guest.iommufd.unwrap_or(false).to_string());
    let viommu = guest.viommu.unwrap_or(Viommu::None);
    compare("IOMMU of the guest", plan.guest.viommu.to_string(), viommu.to_string());
    let modules = |kind| plan.ram.iter().filter(move |piece| piece.kind == kind).count().to_string();
    let read = facts.modules.iter().filter(|module| module.at.is_some()).count().to_string();
    compare("modules at addresses", modules(PieceKind::Dimm), read);
    told
}
