//! `planner rules`: what Linux, VMMs and the planner itself do, as a table with versions and citations.

use planner_core::kernel::rules::{Confidence, RULES};
use planner_core::plan::rules::RULES as PLAN_RULES;
use planner_core::version::KernelVersion;
use planner_core::vmm::rules::RULES as VMM_RULES;
use serde::Serialize;

use crate::args::{Format, RulesArgs};
use crate::flags::Flag;
use crate::json;
use crate::output::Output;
use crate::paint::{Ink, paint, paragraph};
use crate::session::{Session, Stop};

/// Name and major version of the JSON.
pub(crate) const SCHEMA: &str = "rules/1";

/// The table: schema `rules/1`.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct RulesDocument {
    /// Always `rules/1`.
    schema: &'static str,
    /// The rules of the kernel, then those of VMMs, then the planner's own.
    rules: Vec<Row>,
}

/// A rule.
#[derive(Serialize, schemars::JsonSchema)]
struct Row {
    /// Identifier, which `planner explain` knows.
    id: &'static str,
    /// One sentence: what happens.
    says: &'static str,
    /// First Linux release in which it holds, if it did not always.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<KernelVersion>,
    /// First Linux release in which it holds no more, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<KernelVersion>,
    /// How well the releases are known: `read`, `documented` or `believed`. Rules of the kernel only.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<&'static str>,
    /// Where it stands: file and function, or document.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    /// Why it is so, and, where there is no `way_out`, what can be done about it.
    why: &'static str,
    /// What can be done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    way_out: Option<&'static str>,
}

/// The table, for one kernel or for all.
pub(crate) fn run(args: &RulesArgs, session: &mut Session) -> Result<Output, Stop> {
    let kernel = session.flag("--kernel", args.kernel.as_ref(), Flag::version)?;
    let document = RulesDocument { schema: SCHEMA, rules: rows(kernel) };
    Ok(Output::done(match session.format {
        Format::Json => json::pretty(&document),
        Format::Human => told(&document),
    }))
}

fn rows(kernel: Option<KernelVersion>) -> Vec<Row> {
    let linux =
        RULES.iter().filter(|rule| kernel.is_none_or(|version| rule.holds(version))).map(|rule| Row {
            id: rule.id,
            says: rule.says,
            since: rule.since,
            until: rule.until,
            confidence: Some(match rule.confidence {
                Confidence::Read => "read",
                Confidence::Documented => "documented",
                Confidence::Believed => "believed",
            }),
            source: Some(rule.citation),
            why: rule.why,
            way_out: Some(rule.way_out),
        });
    let row = |id, says, source, why| Row {
        id,
        says,
        since: None,
        until: None,
        confidence: None,
        source,
        why,
        way_out: None,
    };
    let vmms = VMM_RULES.iter().map(|rule| row(rule.id, rule.title, Some(rule.source), rule.explanation));
    let own = PLAN_RULES.iter().map(|rule| row(rule.id, rule.title, None, rule.explanation));
    linux.chain(vmms).chain(own).collect()
}

fn told(document: &RulesDocument) -> String {
    let widest = document.rules.iter().map(|row| row.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    for row in &document.rules {
        let lead = format!("{}{}  ", paint(Ink::Bold, row.id), " ".repeat(widest - row.id.len()));
        out.push_str(&paragraph(&lead, row.says, 100));
        let place = [versions(row), row.source.map(str::to_owned)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ");
        if !place.is_empty() {
            out.push_str(&paint(Ink::Faint, paragraph(&" ".repeat(widest + 2), &place, 100).trim_end()));
            out.push('\n');
        }
    }
    out
}

fn versions(row: &Row) -> Option<String> {
    match (row.since, row.until) {
        (None, None) => None,
        (Some(since), None) => Some(format!("since {since}")),
        (None, Some(until)) => Some(format!("before {until}")),
        (Some(since), Some(until)) => Some(format!("{since} to before {until}")),
    }
}
