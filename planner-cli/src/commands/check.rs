//! `planner check`: the verifier on a plan made earlier, every check by name.

use std::fmt::Write as _;

use planner_core::kernel::ReservedReport;
use planner_core::kernel::report::report;
use planner_core::size::PageSize;
use planner_core::verify::{CHECKS, Violation, verify};
use planner_core::version::KernelVersion;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{CheckArgs, Format};
use crate::json;
use crate::output::{Output, Status};
use crate::paint::{Ink, paint, paragraph};
use crate::session::{Session, Stop};

/// Name and major version of the JSON.
pub(crate) const SCHEMA: &str = "check/1";

/// Every check of a plan: schema `check/1`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CheckDocument {
    /// Always `check/1`.
    schema: &'static str,
    /// The host, and the kernel asked about.
    host: HostDocument,
    /// Name of the guest.
    guest: String,
    /// Whether all checks hold.
    holds: bool,
    /// Every check.
    checks: Vec<Check>,
}

#[derive(Serialize, JsonSchema)]
struct HostDocument {
    name: String,
    kernel: KernelVersion,
    page_size: PageSize,
}

#[derive(Serialize, JsonSchema)]
struct Check {
    /// Identifier.
    code: &'static str,
    /// What holds if it holds.
    states: &'static str,
    holds: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<String>,
}

/// All checks.
pub(crate) fn run(args: &CheckArgs, session: &mut Session) -> Result<Output, Stop> {
    let question = session.question(&args.kernel, &args.flags)?;
    let (guest, plan) = match args.guest_and_plan.as_slice() {
        [guest, plan] => (Some(guest.as_str()), plan),
        [plan, ..] => (None, plan),
        [] => return Err(Stop(Status::BadInput)), // clap demands one
    };
    let host = session.host_for(&args.host, guest)?;
    let plan = session.plan(plan)?;
    let spec = match guest {
        None if !args.flags.any() => plan.guest.clone(),
        guest => session.guest(guest, &args.flags, &host)?,
    };
    let reserved = report(&host, &question);
    let violations = verify(&host, &reserved, &spec, &plan);
    let document = document(&reserved, spec.name, &violations);
    let status = if document.holds { Status::Done } else { Status::Finding };
    let text = match session.format {
        Format::Json => json::pretty(&document),
        Format::Human => told(&document),
    };
    Ok(Output { text, status })
}

fn document(reserved: &ReservedReport, guest: String, violations: &[Violation]) -> CheckDocument {
    let checks = CHECKS.iter().map(|&(code, states)| {
        let wrong = violations.iter().filter(|violation| violation.code == code);
        let violations: Vec<String> = wrong.map(|violation| violation.message.clone()).collect();
        Check { code, states, holds: violations.is_empty(), violations }
    });
    CheckDocument {
        schema: SCHEMA,
        host: HostDocument {
            name: reserved.host.clone(),
            kernel: reserved.kernel,
            page_size: reserved.page_size,
        },
        guest,
        holds: violations.is_empty(),
        checks: checks.collect(),
    }
}

fn told(document: &CheckDocument) -> String {
    let CheckDocument { host, guest, checks, .. } = document;
    let title = format!("`{guest}` on `{}`: Linux {} with {} pages", host.name, host.kernel, host.page_size);
    let mut out = paint(Ink::Bold, &title);
    out.push('\n');
    for check in checks {
        let word = if check.holds { paint(Ink::Good, "ok      ") } else { paint(Ink::Bad, "violated") };
        let _ = writeln!(out, "  {word}  {}  {}", check.code, check.states);
        for violation in &check.violations {
            out.push_str(&paragraph("                  ", violation, 100));
        }
    }
    out
}
