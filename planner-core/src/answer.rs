//! The whole way in one call: reserved regions, plan or conflict, second opinion, fixes, configuration. This is what the
//! command, the browser and orchestration tools use.

use serde::Serialize;

use crate::advise::{self, Fix};
use crate::emit::{self, OutputFile};
use crate::existing::{AsItStands, changes, judge};
use crate::facts::ConfiguredFacts;
use crate::guest::GuestSpec;
use crate::host::Host;
use crate::ids::GroupId;
use crate::kernel::ReservedReport;
use crate::kernel::report::{Question, report};
use crate::map::{AddressMap, Attempt, groups_of};
use crate::plan::{self, Conflict, HostSummary, Plan, Problem, Verdict, VmmOption, VmmSummary};
use crate::verify::{Violation, verify};
use crate::vmm::{self, Choice, MapRegion};

/// The answer to "does this guest fit on this host, and how?".
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// What the kernel reserves.
    pub reserved: ReservedReport,
    /// The plan or the conflict.
    pub outcome: Outcome,
    /// What the verifier says against the plan. Anything here is a bug of the planner.
    pub violations: Vec<Violation>,
}

/// A plan, or why there is none.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// A layout.
    Plan(Box<Plan>),
    /// No layout.
    Conflict {
        /// Why.
        conflict: Conflict,
        /// What would help, the cheapest first.
        fixes: Vec<Fix>,
    },
}

/// Plans the guest on the host and checks the plan.
#[must_use]
pub fn answer(host: &Host, guest: &GuestSpec, question: &Question) -> Answer {
    answer_given(host, report(host, question), guest)
}

/// Plans the guest where what the kernel reserves is known already, and checks the plan.
#[must_use]
pub fn answer_given(host: &Host, reserved: ReservedReport, guest: &GuestSpec) -> Answer {
    match plan::plan(host, &reserved, guest) {
        Ok(plan) => {
            let violations = verify(host, &reserved, guest, &plan);
            Answer { reserved, outcome: Outcome::Plan(Box::new(plan)), violations }
        }
        Err(conflict) => {
            let fixes = advise::fixes(host, &reserved, guest);
            Answer { reserved, outcome: Outcome::Conflict { conflict, fixes }, violations: Vec::new() }
        }
    }
}

/// What becomes of the configuration that a guest came from, as it stands, with what the answer changes about it.
#[must_use]
pub fn as_it_stands(host: &Host, guest: &GuestSpec, answer: &Answer, facts: &ConfiguredFacts) -> AsItStands {
    let mut judgement = judge(host, &answer.reserved, guest, facts);
    if let Outcome::Plan(plan) = &answer.outcome {
        judgement.changes = changes(&judgement, plan);
    }
    judgement
}

/// The picture of an answer: the plan, or RAM as the VMM would put it and what it runs into, as the groups that the layout
/// minds see it.
#[must_use]
pub fn picture(host: &Host, guest: &GuestSpec, answer: &Answer) -> AddressMap {
    picture_for(host, guest, answer, &groups_of(host, guest))
}

/// The picture of an answer as these groups see it; all groups if there are none.
#[must_use]
pub fn picture_for(host: &Host, guest: &GuestSpec, answer: &Answer, groups: &[GroupId]) -> AddressMap {
    match &answer.outcome {
        Outcome::Plan(plan) => AddressMap::new(host, &answer.reserved, groups, Some(plan)),
        Outcome::Conflict { conflict, .. } => {
            let regions = made_by_itself(&Problem::new(host, &answer.reserved, guest));
            let attempt = Attempt { guest, ram: &conflict.attempted, regions: &regions };
            AddressMap::refused(host, &answer.reserved, groups, attempt)
        }
    }
}

/// The memory map that the VMM would make of the guest by itself; nothing where it refuses even that.
fn made_by_itself(problem: &Problem) -> Vec<MapRegion> {
    let choice =
        Choice { knobs: Vec::new(), boot: problem.guest.memory, dimms: Vec::new(), hotplug: Vec::new() };
    vmm::memory_map(&problem.request, &choice).map_or_else(|_| Vec::new(), |map| map.regions)
}

/// What `plan --json` prints: schema `plan/1`.
#[derive(Clone, PartialEq, Debug, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum PlanDocument {
    /// A layout.
    Fits(Box<FittingDocument>),
    /// No layout.
    Impossible(Box<ImpossibleDocument>),
}

/// A plan with the configuration that carries it out.
#[derive(Clone, PartialEq, Debug, Serialize, schemars::JsonSchema)]
pub struct FittingDocument {
    /// Always `plan/1`.
    pub schema: String,
    /// The plan.
    #[serde(flatten)]
    pub plan: Plan,
    /// Options that the VMM must be given beyond its defaults.
    pub options: Vec<VmmOption>,
    /// Configuration of the VMM, a file each.
    pub config: Vec<OutputFile>,
    /// What becomes of the guest as its existing configuration stands, if it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_it_stands: Option<AsItStands>,
}

/// Why there is no plan, and what would help.
#[derive(Clone, PartialEq, Debug, Serialize, schemars::JsonSchema)]
pub struct ImpossibleDocument {
    /// Always `plan/1`.
    pub schema: String,
    /// Always `impossible`.
    pub verdict: Verdict,
    /// The host.
    pub host: HostSummary,
    /// The guest.
    pub guest: GuestSpec,
    /// The VMM.
    pub vmm: VmmSummary,
    /// Why.
    pub conflict: ConflictDocument,
    /// What becomes of the guest as its existing configuration stands, if it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_it_stands: Option<AsItStands>,
}

/// A conflict with its fixes.
#[derive(Clone, PartialEq, Debug, Serialize, schemars::JsonSchema)]
pub struct ConflictDocument {
    /// Why.
    #[serde(flatten)]
    pub conflict: Conflict,
    /// What would help.
    pub fixes: Vec<Fix>,
}

/// Name and major version of the plan's JSON.
pub const PLAN_SCHEMA: &str = "plan/1";

impl PlanDocument {
    /// The document of an answer for a guest.
    #[must_use]
    pub fn new(host: &Host, guest: &GuestSpec, answer: &Answer) -> Self {
        match &answer.outcome {
            Outcome::Plan(plan) => Self::Fits(Box::new(FittingDocument {
                schema: PLAN_SCHEMA.into(),
                plan: (**plan).clone(),
                options: emit::options(plan),
                config: configuration(plan),
                as_it_stands: None,
            })),
            Outcome::Conflict { conflict, fixes } => Self::Impossible(Box::new(ImpossibleDocument {
                schema: PLAN_SCHEMA.into(),
                verdict: Verdict::Impossible,
                host: HostSummary {
                    name: host.name.clone(),
                    arch: host.arch,
                    kernel: answer.reserved.kernel,
                    page_size: answer.reserved.page_size,
                },
                guest: guest.clone(),
                vmm: VmmSummary { name: guest.vmm, version: guest.version, machine: guest.machine.clone() },
                conflict: ConflictDocument { conflict: conflict.clone(), fixes: fixes.clone() },
                as_it_stands: None,
            })),
        }
    }

    /// With the judgement of the configuration that the guest came from.
    #[must_use]
    pub fn beside(mut self, judgement: Option<AsItStands>) -> Self {
        match &mut self {
            Self::Fits(document) => document.as_it_stands = judgement,
            Self::Impossible(document) => document.as_it_stands = judgement,
        }
        self
    }
}

/// The configuration of every VMM format that can express the plan.
fn configuration(plan: &Plan) -> Vec<OutputFile> {
    emit::targets(plan).into_iter().filter_map(|target| emit::emit(plan, target).ok()).flatten().collect()
}

/// Why a text is no plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlanError {
    /// It is no JSON, or not of this schema; with serde's line, column and words.
    Malformed {
        /// Line, from 1; 0 when it is not known.
        line: usize,
        /// Column, from 1; 0 when it is not known.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// It says that there is no layout.
    Impossible,
}

/// Reads a plan from the JSON that `plan --json` prints.
///
/// # Errors
/// [`PlanError`] when the text is no such document or holds no plan.
pub fn read_plan(text: &str) -> Result<Plan, PlanError> {
    let malformed = |error: &serde_json::Error| PlanError::Malformed {
        line: error.line(),
        column: error.column(),
        message: error.to_string(),
    };
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let schema = value.get("schema").and_then(serde_json::Value::as_str);
    if schema != Some(PLAN_SCHEMA) {
        let message = match schema {
            Some(other) => format!("its schema is `{other}`, expected `{PLAN_SCHEMA}`"),
            None => format!("it has no \"schema\"; a plan says \"{PLAN_SCHEMA}\""),
        };
        return Err(PlanError::Malformed { line: 0, column: 0, message });
    }
    if value.get("verdict").and_then(serde_json::Value::as_str) == Some("impossible") {
        return Err(PlanError::Impossible);
    }
    serde_json::from_value(value).map_err(|error| malformed(&error))
}
