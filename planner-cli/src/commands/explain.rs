//! `planner explain`: a code, a rule, an address of a host, or lines of a log.

mod catalogue;
mod lines;
mod log;
mod owners;
mod verdict;

use planner_core::addr::{Iova, Span};
use planner_core::diag::{Diagnostic, Origin};
use planner_core::host::Host;
use planner_core::kernel::report::report;
use planner_core::kernel::{GroupReport, ReservedReport};
use planner_core::size::parse_number;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{ExplainArgs, Format, GuestArgs};
use crate::codes;
use crate::json;
use crate::output::Output;
use crate::paint::{Ink, paint, paragraph, table};
use crate::session::{Session, Stop};

/// Columns of running text.
const WIDTH: usize = 100;
/// Name and major version of the JSON.
const SCHEMA: &str = "explain/1";

/// What `planner explain --json` prints: schema `explain/1`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ExplainDocument {
    /// Always `explain/1`.
    schema: &'static str,
    /// An explanation for each thing asked about.
    explanations: Vec<Explanation>,
}

/// One explanation.
#[derive(Serialize, JsonSchema)]
struct Explanation {
    /// What was asked about.
    subject: String,
    /// One line.
    title: String,
    /// Paragraphs.
    text: Vec<String>,
    /// Who owns an address, in every space of addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    owners: Vec<Owner>,
}

/// Who owns an address.
#[derive(PartialEq, Serialize, JsonSchema)]
struct Owner {
    /// The space: `CPU`, `bus` or `IOVA`.
    space: &'static str,
    /// What is owned, in numbers of that space.
    #[serde(flatten)]
    span: Span<Iova>,
    /// Whose it is.
    owner: String,
    /// The rule behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
}

/// A host and what is reserved on it.
struct Machine {
    host: Host,
    reserved: ReservedReport,
}

/// The explanations.
pub(crate) fn run(args: &ExplainArgs, session: &mut Session) -> Result<Output, Stop> {
    let question = session.question(&args.kernel, &GuestArgs::default())?;
    let machine = match &args.host {
        None => None,
        Some(word) => {
            let host = session.host(word)?;
            let reserved = report(&host, &question);
            Some(Machine { host, reserved })
        }
    };
    let asked = args.what.join(" ");
    let explanations = if asked == "-" {
        pasted(machine.as_ref(), session)?
    } else {
        vec![one(&asked, machine.as_ref()).map_err(|found| session.refuse(*found))?]
    };
    let document = ExplainDocument { schema: SCHEMA, explanations };
    Ok(Output::done(match session.format {
        Format::Json => json::pretty(&document),
        Format::Human => document.explanations.iter().map(told).collect::<Vec<_>>().join("\n"),
    }))
}

fn pasted(machine: Option<&Machine>, session: &mut Session) -> Result<Vec<Explanation>, Stop> {
    let text = session.text("-")?;
    let explanations: Vec<Explanation> =
        text.lines().filter_map(|line| lines::explain(line, machine)).collect();
    if explanations.is_empty() {
        let message = "none of the lines is one that planner knows";
        return Err(session.refuse(Diagnostic::new(&codes::UNKNOWN_NAME, Origin::file("-"), message)));
    }
    Ok(explanations)
}

fn one(asked: &str, machine: Option<&Machine>) -> Result<Explanation, Box<Diagnostic>> {
    if let Some(explanation) = catalogue::explain(asked) {
        return Ok(explanation);
    }
    if let Ok(address) = parse_number(asked) {
        return match machine {
            Some(machine) => Ok(owners::explain(asked, address, machine)),
            None => Err(Box::new(needs_host(asked))),
        };
    }
    lines::explain(asked, machine).ok_or_else(|| Box::new(unknown(asked)))
}

fn needs_host(asked: &str) -> Diagnostic {
    let message = format!("who owns {asked} depends on the host");
    Diagnostic::new(&codes::NEEDS_HOST, Origin::argument(asked), message)
        .help("add `--host HOST`: a description, a capture, or `live`")
}

fn unknown(asked: &str) -> Diagnostic {
    let message = format!("`{asked}` is no code, no rule, no address and no line that planner knows");
    let diagnostic = Diagnostic::new(&codes::UNKNOWN_NAME, Origin::argument(asked), message);
    let near = catalogue::near(asked);
    if near.is_empty() {
        diagnostic.help("`planner rules` lists the rules; diagnostics have their code in brackets")
    } else {
        diagnostic.help(format!("there are: {}", near.join(", ")))
    }
}

/// What the groups say, each statement once with the groups that make it, in the order in which they come.
fn folded<T: PartialEq>(
    groups: &[GroupReport],
    says: impl Fn(&GroupReport) -> Vec<T>,
) -> Vec<(T, Vec<String>)> {
    let mut folded: Vec<(T, Vec<String>)> = Vec::new();
    for group in groups {
        for statement in says(group) {
            match folded.iter_mut().find(|(known, _)| *known == statement) {
                Some((_, numbers)) => numbers.push(group.id.to_string()),
                None => folded.push((statement, vec![group.id.to_string()])),
            }
        }
    }
    folded
}

/// `group 5`, `groups 1, 2, 3`, `groups 0, 1, 2, 3, 4, 5, 6, 7 and 12 more`
fn numbered(numbers: &[String]) -> String {
    const MOST: usize = 8;
    let word = if numbers.len() == 1 { "group" } else { "groups" };
    let first = numbers.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match numbers.len().checked_sub(MOST) {
        None | Some(0) => format!("{word} {first}"),
        Some(more) => format!("{word} {first} and {more} more"),
    }
}

fn told(explanation: &Explanation) -> String {
    let title = paragraph("", &explanation.title, WIDTH);
    let mut out = format!("{}\n", paint(Ink::Bold, title.trim_end()));
    for text in &explanation.text {
        out.push_str(&paragraph("", text, WIDTH));
    }
    let rows: Vec<[String; 3]> = explanation
        .owners
        .iter()
        .map(|owner| {
            let rule = owner.rule.map(|rule| format!(" [{rule}]")).unwrap_or_default();
            [owner.space.into(), owner.span.to_string(), format!("{}{rule}", owner.owner)]
        })
        .collect();
    out + &table(&rows)
}
