//! `planner emit`: the configuration of a VMM from a plan.

use planner_core::diag::Origin;
use planner_core::emit::{OutputFile, Target, emit};
use planner_core::facts::value_of;
use planner_core::plan::Plan;
use planner_core::version::Version;

use crate::args::{EmitArgs, Format, target_words};
use crate::json;
use crate::output::{Output, Status};
use crate::session::{Session, Stop};

/// The configuration.
pub(crate) fn run(args: &EmitArgs, session: &mut Session) -> Result<Output, Stop> {
    let plan = session.plan(&args.plan)?;
    emitted(&plan, "--vmm", args.vmm.as_deref(), session)
}

/// The configuration for a target, or for the plan's own VMM. A target that cannot express the plan is a finding.
pub(crate) fn emitted(
    plan: &Plan,
    flag: &str,
    target: Option<&str>,
    session: &mut Session,
) -> Result<Output, Stop> {
    let (word, version) = target.map(target_words).unzip();
    let target =
        word.and_then(|word| value_of(Target::WORDS, word)).unwrap_or_else(|| super::plan::own_target(plan));
    let asked = version.flatten().and_then(|text| text.parse().ok());
    let plan = &with_libvirt(plan, asked);
    match emit(plan, target) {
        Ok(files) => Ok(Output::done(match session.format {
            Format::Json => json::pretty(&files),
            Format::Human => together(&files),
        })),
        Err(unsupported) => {
            let version = version.flatten().map(|version| format!("={version}")).unwrap_or_default();
            session.refuse(unsupported.diagnostic(Origin::argument(format!("{flag} {target}{version}"))));
            Err(Stop(Status::Finding))
        }
    }
}

/// The plan, for the libvirt that was asked for.
fn with_libvirt(plan: &Plan, asked: Option<Version>) -> Plan {
    let mut plan = plan.clone();
    plan.guest.libvirt = asked.or(plan.guest.libvirt);
    plan
}

/// One file as it is; several one after the other, each below its name.
fn together(files: &[OutputFile]) -> String {
    match files {
        [only] => only.text.clone(),
        files => files.iter().map(|OutputFile { file, text }| format!("# --- {file}\n{text}")).collect(),
    }
}
