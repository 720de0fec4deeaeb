//! `planner fmt`: descriptions in canonical form.

use planner_core::diag::{Diagnostic, Origin};
use planner_core::read::json::{guest_to_json, host_to_json, parse_guest_json, parse_host_json, schema_of};
use planner_core::read::language::format;

use crate::args::FmtArgs;
use crate::codes;
use crate::input::Content;
use crate::output::{self, Output, Status};
use crate::session::{Session, Stop};

/// Prints, compares or writes; every file is read before the first is written.
pub(crate) fn run(args: &FmtArgs, session: &mut Session) -> Result<Output, Stop> {
    session.no_json("a description", "`planner fmt` of a JSON file prints that file in canonical form")?;
    let mut formatted: Vec<(&str, String, bool)> = Vec::new();
    for word in &args.files {
        let (text, canonical) = canonical(word, session)?;
        formatted.push((word, canonical.clone(), text == canonical));
    }
    if args.check {
        let different: Vec<String> =
            formatted.iter().filter(|(_, _, same)| !same).map(|(word, ..)| format!("{word}\n")).collect();
        let status = if different.is_empty() { Status::Done } else { Status::Finding };
        return Ok(Output { text: different.concat(), status });
    }
    if !args.write {
        return Ok(Output::done(
            formatted.into_iter().map(|(_, canonical, _)| canonical).collect::<String>(),
        ));
    }
    for (word, canonical, _) in formatted.iter().filter(|(_, _, same)| !same) {
        write(word, canonical, session)?;
    }
    Ok(Output::done(""))
}

fn write(word: &str, text: &str, session: &mut Session) -> Result<(), Stop> {
    if word == "-" {
        session.say(text);
        return Ok(());
    }
    output::write_file(word.as_ref(), text, true).map_err(|found| session.refuse(*found))
}

/// The text of a file and its canonical form.
fn canonical(word: &str, session: &mut Session) -> Result<(String, String), Stop> {
    let (text, formatted) = match session.load(word)?.content {
        Content::Description(text) => {
            let formatted = format(word, &text);
            (text, formatted)
        }
        Content::Json(text) => {
            let formatted = canonical_json(word, &text);
            (text, formatted)
        }
        content @ (Content::Capture(_) | Content::DeviceTree(_)) => {
            let kind = if matches!(content, Content::Capture(_)) { "capture" } else { "devicetree" };
            let message = format!("`{word}` is a {kind}, expected a description");
            return Err(session.refuse(Diagnostic::new(&codes::CANNOT_READ, Origin::file(word), message)));
        }
    };
    match formatted {
        Ok(canonical) => Ok((text, canonical)),
        Err(found) => {
            session.tell(found)?;
            Err(Stop(Status::BadInput))
        }
    }
}

fn canonical_json(word: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let (canonical, found) = if schema_of(text).is_some_and(|schema| schema.starts_with("guest/")) {
        let (facts, found) = parse_guest_json(word, text);
        (guest_to_json(&facts), found)
    } else {
        let (facts, found) = parse_host_json(word, text);
        (host_to_json(&facts), found)
    };
    if planner_core::diag::has_errors(&found) { Err(found) } else { Ok(canonical) }
}
