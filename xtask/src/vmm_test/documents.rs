//! The other VMMs, none of which can be started here: their JSON is held against closed schemas, and every command line and
//! document is read back and must make the planned memory map.

use planner_core::emit::{Target, emit};
use planner_core::facts::guest::VmmKind;
use planner_core::plan::Plan;
use planner_tests::closed_schema::{faults, schema};
use planner_tests::round_trip;

use super::case::{Case, Planned};
use super::proof::Verdict;

/// The VMMs, with the document of each that has a schema.
pub(super) const KINDS: [(VmmKind, Option<(Target, &str)>); 4] = [
    (VmmKind::CloudHypervisor, Some((Target::CloudHypervisorApi, "cloud-hypervisor"))),
    (VmmKind::Firecracker, Some((Target::Firecracker, "firecracker"))),
    (VmmKind::Crosvm, None),
    (VmmKind::Openvmm, None),
];

/// What came of a case, planned for each VMM.
pub(super) fn prove(case: &Case) -> Vec<(VmmKind, Verdict)> {
    KINDS.iter().map(|&(kind, document)| (kind, of_kind(case, kind, document))).collect()
}

fn of_kind(case: &Case, kind: VmmKind, document: Option<(Target, &str)>) -> Verdict {
    match case.plan_for(kind) {
        Err(why) => Verdict::Wrong { why: vec![why.to_string()], line: String::new() },
        Ok(Planned::Nothing(why)) => Verdict::NotPlanned(why),
        Ok(Planned::Plan(plan)) => {
            let mut why = round_trip::all_differences(&plan, round_trip::READABLE);
            why.extend(document.into_iter().flat_map(|(target, name)| against_schema(&plan, target, name)));
            if why.is_empty() { Verdict::AsPlanned } else { Verdict::Wrong { why, line: String::new() } }
        }
    }
}

/// What is wrong with the document; nothing where the target cannot express the plan.
fn against_schema(plan: &Plan, target: Target, name: &str) -> Vec<String> {
    let Ok(files) = emit(plan, target) else { return Vec::new() };
    let documents = files.iter().filter(|file| file.file.ends_with(".json"));
    documents
        .flat_map(|file| match serde_json::from_str(&file.text) {
            Ok(value) => faults(&schema(name), &value),
            Err(why) => vec![format!("{}: {why}", file.file)],
        })
        .collect()
}
