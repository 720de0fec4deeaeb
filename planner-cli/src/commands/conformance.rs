//! `planner conformance`: what kernels did, replayed through the model of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use planner_core::diag::Diagnostic;
use planner_core::host;
use planner_core::kernel::conformance::capture::replay_capture;
use planner_core::kernel::conformance::{Failure, Outcome, replay};
use planner_core::read::capture::allow::GROUND_TRUTH;
use planner_core::read::capture::{Tree, facts};
use planner_core::read::{json as facts_json, language};
use planner_core::version::KernelVersion;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{ConformanceArgs, Format};
use crate::input::{Content, Loaded, recordings_in};
use crate::json;
use crate::output::{Output, Status};
use crate::paint::{Ink, paint};
use crate::session::{Session, Stop, device_tree};

/// Name and major version of the JSON.
pub(crate) const SCHEMA: &str = "conformance/1";

/// What came out of a replay: schema `conformance/1`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ConformanceDocument {
    /// Always `conformance/1`.
    schema: &'static str,
    /// Comparisons in which the kernel and the model say the same.
    passed: u64,
    /// Comparisons in which the model says something else.
    failed: u64,
    /// Comparisons that differ because the kernel knew something that the facts do not tell.
    explained: u64,
    /// What captures tell and nothing was compared with.
    not_compared: BTreeSet<String>,
    /// Each file.
    files: Vec<FileDocument>,
}

/// What came out of one file.
#[derive(Serialize, JsonSchema)]
struct FileDocument {
    /// Its name, as typed.
    file: String,
    passed: u64,
    failed: u64,
    explained: u64,
    /// What the capture tells and nothing was compared with.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    not_compared: BTreeSet<String>,
    /// The comparisons that failed, at most ten thousand.
    failures: Vec<Comparison>,
    /// The comparisons that are explained, at most ten thousand.
    explanations: Vec<Comparison>,
}

/// A comparison in which the kernel and the model say different things.
#[derive(Serialize, JsonSchema)]
struct Comparison {
    /// Identifier of the case, or the group or device of a capture.
    case: String,
    /// The release.
    kernel_version: KernelVersion,
    /// Place of the answer in the case.
    place: String,
    /// The operation that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// What the kernel said.
    kernel: String,
    /// What the model says.
    ours: String,
    /// What the facts do not tell, where that explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

/// Every file; one that cannot be used does not keep the others from being replayed.
pub(crate) fn run(args: &ConformanceArgs, session: &mut Session) -> Output {
    let (mut files, mut status) = (Vec::new(), Status::Done);
    let words: Vec<String> = args.files.iter().flat_map(|word| recordings_in(word)).collect();
    for word in &words {
        let (outcome, whole) = replay_one(word, session);
        status = status.max(if whole.is_err() {
            Status::BadInput
        } else if outcome.holds() {
            Status::Done
        } else {
            Status::Finding
        });
        files.push(document(word, outcome));
    }
    let sum = |count: fn(&FileDocument) -> u64| files.iter().map(count).sum();
    let document = ConformanceDocument {
        schema: SCHEMA,
        passed: sum(|file| file.passed),
        failed: sum(|file| file.failed),
        explained: sum(|file| file.explained),
        not_compared: files.iter().flat_map(|file| &file.not_compared).cloned().collect(),
        files,
    };
    let text = match session.format {
        Format::Json => json::pretty(&document),
        Format::Human => told(&document),
    };
    Output { text, status }
}

/// What came out of a file, and whether all of it could be used. Diagnostics name places within a capture, so each says
/// which capture it is about.
fn replay_one(word: &str, session: &mut Session) -> (Outcome, Result<(), Stop>) {
    let Loaded { name, content, .. } = match session.load_unquoted(word) {
        Ok(loaded) => loaded,
        Err(stop) => return (Outcome::default(), Err(stop)),
    };
    let (facts, found, truth) = match &content {
        Content::Json(text) if !is_host(text) => {
            let (outcome, found) = replay(word, text);
            return (outcome, session.tell(found));
        }
        Content::Json(text) => {
            let (facts, found) = facts_json::parse_host_json(word, text);
            (facts, found, None)
        }
        Content::Description(text) => {
            let (facts, found) = language::parse_host(word, text);
            (facts, found, None)
        }
        Content::DeviceTree(blob) => {
            let (facts, found) = device_tree(blob, &name);
            (facts, found, None)
        }
        Content::Capture(tree) => {
            let (facts, found) = facts(tree, &name);
            let about = |diagnostic: Diagnostic| diagnostic.note(format!("in the capture `{word}`"));
            (facts, found.into_iter().map(about).collect(), ground_truth(tree))
        }
    };
    if let Err(stop) = session.tell(found) {
        return (Outcome::default(), Err(stop));
    }
    let (host, found) = host::resolve::resolve(&facts);
    if let Err(stop) = session.tell(found) {
        return (Outcome::default(), Err(stop));
    }
    let file = format!("{word}/{GROUND_TRUTH}");
    let (outcome, found) = replay_capture(&host, truth.as_deref().map(|text| (file.as_str(), text)));
    (outcome, session.tell(found))
}

fn is_host(text: &str) -> bool {
    facts_json::schema_of(text).is_some_and(|schema| schema.starts_with("host/"))
}

fn ground_truth(tree: &Tree) -> Option<String> {
    tree.file(GROUND_TRUTH).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

fn document(word: &str, outcome: Outcome) -> FileDocument {
    let Outcome { passed, failed, explained, failures, explanations, left_out } = outcome;
    let all = |list: Vec<Failure>| list.into_iter().map(comparison).collect();
    FileDocument {
        file: word.to_owned(),
        passed,
        failed,
        explained,
        not_compared: left_out,
        failures: all(failures),
        explanations: all(explanations),
    }
}

fn comparison(failure: Failure) -> Comparison {
    let Failure { case, version, place, step, kernel, ours, because } = failure;
    Comparison { case, kernel_version: version, place, operation: step, kernel, ours, because }
}

fn told(document: &ConformanceDocument) -> String {
    let mut out = String::new();
    for file in &document.files {
        for comparison in &file.failures {
            out.push_str(&told_one(&file.file, comparison, &paint(Ink::Bad, "failed")));
        }
        more(&mut out, file.failed, file.failures.len(), "failed");
        for comparison in &file.explanations {
            out.push_str(&told_one(&file.file, comparison, "explained"));
        }
        more(&mut out, file.explained, file.explanations.len(), "explained");
    }
    let ConformanceDocument { passed, failed, explained, not_compared, .. } = document;
    if *explained > 0 {
        let _ = writeln!(out, "{explained} explained: the kernel knew what the facts do not tell");
    }
    let _ = write!(out, "{passed} passed, {failed} failed");
    if !not_compared.is_empty() {
        let all: Vec<&str> = not_compared.iter().map(String::as_str).collect();
        let _ = write!(out, "; not compared: {}", all.join(", "));
    }
    out.push('\n');
    out
}

fn told_one(file: &str, comparison: &Comparison, word: &str) -> String {
    let Comparison { case, kernel_version, place, operation, kernel, ours, because } = comparison;
    let operation = operation.as_ref().map(|operation| format!(" `{operation}`")).unwrap_or_default();
    let mut out = format!("{word}: {file}: {case}, Linux {kernel_version}, {place}{operation}\n");
    for (who, said) in [("kernel", kernel), ("ours", ours)] {
        let mut lines = said.trim_end().lines();
        let _ = writeln!(out, "    {who:<6}  {}", lines.next().unwrap_or("nothing"));
        for line in lines {
            let _ = writeln!(out, "            {line}");
        }
    }
    if let Some(because) = because {
        let _ = writeln!(out, "    because {because}");
    }
    out
}

/// What is counted and not told.
fn more(out: &mut String, count: u64, told: usize, word: &str) {
    let rest = count.saturating_sub(told as u64);
    if rest > 0 {
        let _ = writeln!(out, "… and {rest} more {word}");
    }
}
