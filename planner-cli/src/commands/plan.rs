//! `planner plan`: lay a guest out on a host, or say why that cannot be done.

mod existing;
mod fits;
mod locked;
mod readme;
mod refused;

pub(crate) use refused::told as refusal_told;

use planner_core::answer::{Outcome, PlanDocument, answer, as_it_stands};
use planner_core::emit::{OutputFile, Target, emit, kernel_parameters};
use planner_core::facts::guest::VmmKind;
use planner_core::facts::{Arch, value_of};
use planner_core::map::{AddressMap, svg};
use planner_core::plan::Plan;

use crate::args::{Format, PlanArgs};
use crate::json;
use crate::output::{self, Output, Status};
use crate::session::{Session, Stop};

/// The plan, or why there is none.
pub(crate) fn run(args: &PlanArgs, session: &mut Session) -> Result<Output, Stop> {
    let question = session.question(&args.kernel, &args.flags)?;
    let style = session.style(&args.picture)?;
    let host = session.host_for(&args.host, args.guest.as_deref())?;
    let guest = session.guest(args.guest.as_deref(), &args.flags, &host)?;
    let mut answer = answer(&host, &guest, &question);
    if let Some(word) = &args.locked {
        let earlier = session.plan(word)?;
        locked::keep(&host, &guest, &mut answer, &earlier, session);
    }
    if !answer.violations.is_empty() {
        return Err(session.bug(&answer.violations));
    }
    let judgement = session.existing().map(|facts| as_it_stands(&host, &guest, &answer, facts));
    let before = judgement
        .as_ref()
        .map(|judgement| existing::told(judgement, &answer, style.width))
        .unwrap_or_default();
    let document = PlanDocument::new(&host, &guest, &answer).beside(judgement);
    match &answer.outcome {
        Outcome::Conflict { conflict, fixes } => {
            let told = before + &refused::told(conflict, fixes);
            if args.emit.is_some() {
                session.say(&told);
                return Err(Stop(Status::Finding));
            }
            let text = if session.format == Format::Json { json::pretty(&document) } else { told };
            Ok(Output { text, status: Status::Finding })
        }
        Outcome::Plan(plan) => {
            if let Some(target) = &args.emit {
                return super::emit::emitted(plan, "--emit", Some(target), session);
            }
            let groups = planner_core::map::groups_of(&host, &guest);
            let picture = AddressMap::new(&host, &answer.reserved, &groups, Some(plan));
            if let Some(directory) = &args.output {
                let files = files(&picture, plan, &document);
                output::write_all(directory, &files, args.force).map_err(|found| session.refuse(*found))?;
                let names: Vec<&str> = files.iter().map(|file| file.file.as_str()).collect();
                session.say(&format!("wrote {} to {}\n", names.join(", "), directory.display()));
            }
            Ok(Output::done(match session.format {
                Format::Json => json::pretty(&document),
                Format::Human => before + &fits::told(&picture, plan, &style),
            }))
        }
    }
}

/// Everything that `-o` writes.
fn files(picture: &AddressMap, plan: &Plan, document: &PlanDocument) -> Vec<OutputFile> {
    let mut config = match document {
        PlanDocument::Fits(fits) => fits.config.clone(),
        PlanDocument::Impossible(_) => Vec::new(),
    };
    config.extend(kernel_parameters(plan));
    let file = |name: &str, text: String| OutputFile { file: name.into(), text };
    let readme = readme::readme(plan, &config);
    let mut files = vec![file("plan.json", json::pretty(document))];
    files.extend(config);
    files.push(file("map.svg", svg(picture)));
    files.push(file("README.md", readme));
    files
}

/// The configuration of the plan's own VMM.
pub(crate) fn own_configuration(plan: &Plan) -> Option<Vec<OutputFile>> {
    emit(plan, own_target(plan)).ok()
}

/// What configures the plan's own VMM: the target that is called like it, but for domains that Xen builds at boot.
pub(crate) fn own_target(plan: &Plan) -> Target {
    if (plan.vmm.name, plan.guest.arch) == (VmmKind::Xen, Arch::Aarch64) {
        return Target::XenDom0less;
    }
    value_of(Target::WORDS, plan.vmm.name.word()).unwrap_or(Target::Qemu)
}
