//! `planner reserved`: what the kernel reserves for each IOMMU group, and what is left.

mod document;
mod told;

pub(crate) use document::ReservedDocument;

use planner_core::diag::{Diagnostic, Origin};
use planner_core::host::Host;
use planner_core::ids::GroupId;
use planner_core::kernel::ReservedReport;
use planner_core::kernel::report::{Question, report};
use planner_core::kernel::rules::RESV_SYSFS;

use crate::args::{Format, ReservedArgs};
use crate::codes;
use crate::flags::Flag;
use crate::json;
use crate::output::Output;
use crate::session::{Session, Stop};

/// The report, or the text of one file of sysfs.
pub(crate) fn run(args: &ReservedArgs, session: &mut Session) -> Result<Output, Stop> {
    let question = Question {
        version: session.flag("--kernel", args.kernel.as_ref(), Flag::version)?,
        page_size: session.flag("--page", args.page.as_ref(), Flag::page)?,
    };
    let host = session.host(&args.host)?;
    let mut report = report(&host, &question);
    if let Some(typed) = &args.sysfs {
        return sysfs(&report, typed, session);
    }
    let chosen = session.check_groups(&report, &args.group, "--group")?;
    keep_groups(&mut report, &chosen);
    note_no_groups(&host, session)?;
    Ok(Output::done(match session.format {
        Format::Json => json::pretty(&ReservedDocument::new(&report)),
        Format::Human => told::told(&report),
    }))
}

fn sysfs(report: &ReservedReport, typed: &String, session: &mut Session) -> Result<Output, Stop> {
    let chosen = session.check_groups(report, std::slice::from_ref(typed), "--sysfs")?;
    let text = chosen.first().and_then(|&id| report.sysfs_text(id));
    text.map(Output::done).ok_or_else(|| {
        let message = format!("Linux {} has no file reserved_regions", report.kernel);
        let origin = Origin::argument(format!("--sysfs {typed}"));
        let diagnostic = Diagnostic::new(&codes::UNKNOWN_NAME, origin, message);
        session.refuse(diagnostic.help(format!("it came {}", RESV_SYSFS.versions())))
    })
}

fn keep_groups(report: &mut ReservedReport, chosen: &[GroupId]) {
    if !chosen.is_empty() {
        report.groups.retain(|group| chosen.contains(&group.id));
        report.differences.retain(|difference| chosen.contains(&difference.group));
    }
}

fn note_no_groups(host: &Host, session: &mut Session) -> Result<(), Stop> {
    if !host.groups.is_empty() {
        return Ok(());
    }
    let message = format!("`{}` has no IOMMU group", host.name);
    let diagnostic = Diagnostic::new(&codes::NO_GROUPS, Origin::Unstated, message)
        .help("say which IOMMU translates for a root complex, and which devices are behind it");
    session.tell(vec![diagnostic])
}
