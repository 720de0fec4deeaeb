//! A file of recorded answers: its frame is read here, what its cases hold is the business of each schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::field::{self, Fault, Object, Read};
use super::json::Json;
use super::shape::Difference;
use super::{Failure, Outcome, Reader, SCHEMAS, codes, shortened, syntax};
use crate::diag::{Code, Diagnostic, Origin};
use crate::version::KernelVersion;

/// Steps that one file may cost, a second or few: some twenty times what the largest known recording costs.
const MOST_STEPS: u64 = 200_000_000;
/// Releases that one file may list.
const MOST_VERSIONS: usize = 32;
/// Faults that are told of one file.
const MOST_FAULTS: usize = 20;

/// Replays a file.
pub(super) fn replay(file: &str, text: &str) -> (Outcome, Vec<Diagnostic>) {
    let mut replay = Replay {
        file: file.into(),
        text,
        outcome: Outcome::default(),
        steps: 0,
        faults: 0,
        found: Vec::new(),
    };
    replay.run();
    (replay.outcome, replay.found)
}

struct Replay<'t> {
    file: Arc<str>,
    text: &'t str,
    outcome: Outcome,
    steps: u64,
    faults: usize,
    found: Vec<Diagnostic>,
}

/// The frame of a file.
struct Frame<'o, 'a> {
    read: Reader,
    versions: Vec<(String, KernelVersion)>,
    cases: &'o [Json<'a>],
}

impl Replay<'_> {
    fn run(&mut self) {
        let json: Json<'_> = match serde_json::from_str(self.text.trim_start_matches('\u{feff}')) {
            Ok(json) => json,
            Err(error) => return self.not_json(&error),
        };
        let frame = match frame(&json) {
            Ok(frame) => frame,
            Err(fault) => return self.tell(fault, None, 1),
        };
        if frame.cases.is_empty() {
            let message = format!("{}: there is no case in `cases`", self.file);
            self.push(&codes::NO_CASES, message, 1);
        }
        for (index, case) in frame.cases.iter().enumerate() {
            if let Err(fault) = self.case(&frame, case) {
                let id = case.member("id").and_then(|id| field::text(id).ok());
                self.faults = self.faults.saturating_add(1);
                if self.faults > MOST_FAULTS {
                    continue;
                }
                let line = self.line_of(id);
                let fault = if id.is_some() { fault } else { fault.within(&format!("cases[{index}]")) };
                self.tell(fault, id, line);
            }
        }
        if self.faults > MOST_FAULTS {
            let message = format!("{}: {} faults, of which {MOST_FAULTS} are told", self.file, self.faults);
            self.push(&codes::TOO_MANY, message, 1);
        }
    }

    /// Replays one case under every release.
    fn case(&mut self, frame: &Frame<'_, '_>, json: &Json<'_>) -> Read<()> {
        let case = Object::of(json, &["id", "in", "out", "out_by"])?;
        let id = case.need("id", field::text)?;
        let recorded = case.need("in", frame.read)?;
        let outs = outs(&case, frame)?;
        let cost = recorded.cost().saturating_add(1).saturating_mul(frame.versions.len() as u64);
        self.steps = self.steps.saturating_add(cost);
        if self.steps > MOST_STEPS {
            self.steps = self.steps.saturating_sub(cost);
            let message = "replaying the operations of this case would take too long".to_owned();
            return Err(Fault::new(&codes::TOO_MUCH, message).within("in"));
        }
        for out in &outs {
            recorded.check(out.json).map_err(|fault| fault.within(&out.path))?;
        }
        for ((_, version), out) in frame.versions.iter().zip(&outs) {
            match recorded.replay(*version, out.json) {
                Ok(()) => self.outcome.pass(),
                Err(difference) => self.outcome.differ(failure(id, *version, difference)),
            }
        }
        Ok(())
    }

    fn not_json(&mut self, error: &serde_json::Error) {
        let before: usize =
            self.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let byte = before.saturating_add(error.column());
        let syntax::Place { case, path } = syntax::place(self.text, byte);
        let said = error.to_string();
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        let place = match (&case, path.as_str()) {
            (_, "") => String::new(),
            (None, path) => format!(", in {path}"),
            (Some(case), path) => format!(", in case `{case}`, {path}"),
        };
        let message = format!("{}: not JSON{place}: {said}", self.file);
        self.push(&codes::SYNTAX, message, error.line());
    }

    fn tell(&mut self, fault: Fault, id: Option<&str>, line: usize) {
        let Fault { code, path, message } = fault;
        let case = id.map(|id| format!("case `{}`, ", shortened(id, 60))).unwrap_or_default();
        let path = if path.is_empty() { "the file".to_owned() } else { path };
        self.push(code, format!("{}: {case}{path}: {message}", self.file), line);
    }

    fn push(&mut self, code: &'static Code, message: String, line: usize) {
        self.found.push(Diagnostic::new(code, Origin::line(&self.file, line), message));
    }

    /// The line on which a case stands: recordings have one a line.
    fn line_of(&self, id: Option<&str>) -> usize {
        let Some(id) = id else { return 1 };
        let at = [format!("\"id\":\"{id}\""), format!("\"id\": \"{id}\"")];
        let found = at.iter().find_map(|written| self.text.find(written.as_str()));
        let before = found.and_then(|at| self.text.get(..at)).unwrap_or_default();
        before.bytes().filter(|&byte| byte == b'\n').count().saturating_add(1)
    }
}

fn failure(id: &str, version: KernelVersion, difference: Difference) -> Failure {
    let Difference { path, step, kernel, ours } = difference;
    Failure { case: shortened(id, 200), version, place: path, step, kernel, ours, because: None }
}

fn frame<'o, 'a>(json: &'o Json<'a>) -> Read<Frame<'o, 'a>> {
    let file = Object::of(json, &["schema", "versions", "what", "cases"])?;
    let read = file.need("schema", schema)?;
    file.may("what", |what| field::text(what).map(drop))?;
    let versions = file.need("versions", versions)?;
    let cases = file.need("cases", |cases| match cases {
        Json::List(cases) => Ok(cases.as_slice()),
        other => Err(Fault::wrong("a list", other)),
    })?;
    Ok(Frame { read, versions, cases })
}

fn schema(json: &Json<'_>) -> Read<Reader> {
    let name = field::text(json)?;
    let known = SCHEMAS.iter().find(|(known, _)| *known == name);
    let fault = || {
        let all: Vec<&str> = super::schemas().collect();
        let message = format!(
            "the schema `{}` is not modelled here; modelled are {}",
            shortened(name, 40),
            all.join(", ")
        );
        Fault::new(&codes::NOT_MODELLED, message)
    };
    known.map(|&(_, read)| read).ok_or_else(fault)
}

fn versions(json: &Json<'_>) -> Read<Vec<(String, KernelVersion)>> {
    let versions = field::list(json, |version| {
        let text = field::text(version)?;
        let fault = |why| Fault::new(&codes::TYPE, format!("`{}`: {why}", shortened(text, 40)));
        Ok((text.to_owned(), text.parse().map_err(fault)?))
    })?;
    if versions.is_empty() || versions.len() > MOST_VERSIONS {
        return Err(Fault::range(format!("{} releases, expected 1 to {MOST_VERSIONS}", versions.len())));
    }
    let distinct: BTreeMap<KernelVersion, &String> =
        versions.iter().map(|(text, version)| (*version, text)).collect();
    if distinct.len() < versions.len() {
        return Err(Fault::new(&codes::FIELD, "a release is there twice"));
    }
    Ok(versions)
}

/// What the kernel said under one release.
struct Out<'o, 'a> {
    json: &'o Json<'a>,
    path: String,
}

/// One answer for each release, in the order of the file.
fn outs<'o, 'a>(case: &Object<'o, 'a>, frame: &'o Frame<'_, '_>) -> Read<Vec<Out<'o, 'a>>> {
    let same = case.may("out", Ok)?;
    let by = case.may("out_by", Ok)?;
    let all: Vec<&str> = frame.versions.iter().map(|(text, _)| text.as_str()).collect();
    match (same, by) {
        (Some(json), None) => Ok(all.iter().map(|_| Out { json, path: "out".into() }).collect()),
        (None, Some(by)) => {
            let by = Object::of(by, &all).map_err(|fault| fault.within("out_by"))?;
            let one = |&version: &&'o str| {
                by.need(version, |json| {
                    let path = format!("out_by.{version}");
                    Ok(Out { json, path })
                })
            };
            all.iter().map(one).collect::<Read<_>>().map_err(|fault| fault.within("out_by"))
        }
        (Some(_), Some(_)) => {
            Err(Fault::new(&codes::FIELD, "both `out` and `out_by` are there").within("out"))
        }
        (None, None) => Err(Fault::new(&codes::FIELD, "neither `out` nor `out_by` is there").within("out")),
    }
}
