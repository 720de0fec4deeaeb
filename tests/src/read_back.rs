//! What is emitted, read back by the planner's own readers of configurations: it must make the memory map that was planned.
//! The readers share nothing with the emitters, and neither knows the plan.

use std::collections::BTreeMap;

use planner_core::addr::{Gpa, Span};
use planner_core::diag::{Severity, has_errors};
use planner_core::emit::{OutputFile, Target, emit};
use planner_core::plan::Plan;
use planner_core::read::vmm::{Format, read_text, recognise};
use planner_core::span_set::SpanSet;
use planner_core::vmm::{RegionKind, Setting, configured_map, configured_request};

/// The targets that are read back, with the file that is read.
pub const TARGETS: &[(Target, &str)] = &[
    (Target::Crosvm, "crosvm.sh"),
    (Target::CloudHypervisor, "cloud-hypervisor.sh"),
    (Target::CloudHypervisorApi, "vm.create.json"),
    (Target::Firecracker, "firecracker.sh"),
    (Target::Openvmm, "openvmm.sh"),
];

/// What of a plan's configuration says something else than the plan; nothing where the target cannot express it.
#[must_use]
pub fn differences(plan: &Plan) -> Vec<String> {
    let emitted = TARGETS.iter().filter_map(|&(target, file)| Some((file, emit(plan, target).ok()?)));
    emitted.flat_map(|(file, files)| of_file(plan, file, &files)).collect()
}

fn of_file(plan: &Plan, name: &str, files: &[OutputFile]) -> Vec<String> {
    let told = |what: String| vec![format!("{name}: {what}")];
    let Some(file) = files.iter().find(|file| file.file == name) else {
        return told("not among the files".to_owned());
    };
    let others: BTreeMap<String, String> =
        files.iter().map(|file| (file.file.clone(), file.text.clone())).collect();
    let format = if name.ends_with(".json") { Format::CloudHypervisorJson } else { Format::Command };
    if recognise(&file.text) != Some(format) {
        return told("not recognised".to_owned());
    }
    let (facts, found) = read_text(format, name, &file.text, Some(plan.vmm.version), &others);
    if has_errors(&found) || found.iter().any(|found| found.code.severity == Severity::Warning) {
        return told(format!("{found:?}"));
    }
    let guest = &plan.guest;
    let passed: Vec<_> = facts.guest.pass.iter().map(|pass| pass.device).collect();
    let mut differences = Vec::new();
    if passed != guest.pass {
        differences.extend(told(format!("passes {passed:?}, planned are {:?}", guest.pass)));
    }
    let setting = Setting { arch: guest.arch, version: Some(plan.vmm.version), ipa_bits: guest.ipa_bits };
    match configured_map(&facts, &configured_request(&facts, &setting)) {
        Err(refusal) => differences.extend(told(refusal.text)),
        Ok(map) => {
            let made = spans(map.regions.iter().map(|region| (region.kind, region.span)));
            let planned = spans(plan.regions.iter().map(|region| (region.kind, region.span)));
            for kind in [RegionKind::Ram, RegionKind::Mmio32, RegionKind::Mmio64, RegionKind::Ecam] {
                let (made, planned) = (made.get(&kind), planned.get(&kind));
                if made != planned {
                    differences.extend(told(format!("{kind} at {made:?}, planned is {planned:?}")));
                }
            }
        }
    }
    differences
}

/// The addresses of each kind; RAM is cut at NUMA nodes in a plan and joined here.
fn spans(regions: impl Iterator<Item = (RegionKind, Span<Gpa>)>) -> BTreeMap<RegionKind, SpanSet<Gpa>> {
    let mut all: BTreeMap<RegionKind, SpanSet<Gpa>> = BTreeMap::new();
    for (kind, span) in regions {
        all.entry(kind).or_default().insert(span);
    }
    all
}
