//! `planner map`: the picture of a host's address space, with a guest's layout or without.

use std::path::Path;

use planner_core::answer::{Outcome, answer, picture_for};
use planner_core::diag::{Diagnostic, Origin};
use planner_core::guest::GuestSpec;
use planner_core::host::Host;
use planner_core::ids::GroupId;
use planner_core::kernel::ReservedReport;
use planner_core::kernel::report::{Question, report};
use planner_core::map::{AddressMap, TextStyle, groups_of, html, listing, svg, text};
use planner_core::plan::Plan;

use crate::args::MapArgs;
use crate::codes;
use crate::output::{self, Output, Status};
use crate::session::{Session, Stop, Wanted};

/// How the picture is written.
enum Drawing {
    Text,
    Svg,
    Html,
}

/// The picture.
pub(crate) fn run(args: &MapArgs, session: &mut Session) -> Result<Output, Stop> {
    session.no_json("a picture", "`planner plan --json` and `planner reserved --json` have what it shows")?;
    let drawing = drawing(args.output.as_deref()).map_err(|found| session.refuse(*found))?;
    let question = session.question(&args.kernel, &args.flags)?;
    let style = session.style(&args.picture)?;
    let host = session.host(&args.host)?;
    let (map, status) = picture(args, &host, &question, session)?;
    let drawn = match drawing {
        Drawing::Svg => svg(&map),
        Drawing::Html => html(&map),
        Drawing::Text => in_text(&map, &style, args.list),
    };
    match &args.output {
        None => Ok(Output { text: drawn, status }),
        Some(path) => {
            output::write_file(path, &drawn, args.force).map_err(|found| session.refuse(*found))?;
            session.say(&format!("wrote {}\n", path.display()));
            Ok(Output { text: String::new(), status })
        }
    }
}

fn drawing(path: Option<&Path>) -> Result<Drawing, Box<Diagnostic>> {
    let Some(path) = path else { return Ok(Drawing::Text) };
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => Ok(Drawing::Svg),
        Some("html" | "htm") => Ok(Drawing::Html),
        _ => {
            let message = format!("`{}` ends neither in .svg nor in .html", path.display());
            let origin = Origin::argument(format!("-o {}", path.display()));
            let diagnostic = Diagnostic::new(&codes::PICTURE_KIND, origin, message);
            Err(Box::new(diagnostic.help("without -o the picture is drawn on the terminal")))
        }
    }
}

fn in_text(map: &AddressMap, style: &TextStyle, list: bool) -> String {
    let mut out = text(map, style);
    if list {
        out.push('\n');
        out.push_str(&listing(map, style));
    }
    out
}

fn picture(
    args: &MapArgs,
    host: &Host,
    question: &Question,
    session: &mut Session,
) -> Result<(AddressMap, Status), Stop> {
    let reserved = report(host, question);
    let chosen = session.check_groups(&reserved, &args.group, "--group")?;
    let groups = |guest: &GuestSpec| if chosen.is_empty() { groups_of(host, guest) } else { chosen.clone() };
    let guest = match args.guest.as_deref() {
        None if !args.flags.any() => {
            return Ok((AddressMap::new(host, &reserved, &chosen, None), Status::Done));
        }
        None => session.guest(None, &args.flags, host)?,
        Some(word) => match session.layout(word, &args.flags, host)? {
            Wanted::Guest(guest) => *guest,
            Wanted::Plan(plan) => {
                return Ok((with_plan(host, &reserved, &groups(&plan.guest), &plan), Status::Done));
            }
        },
    };
    let answer = answer(host, &guest, question);
    let map = picture_for(host, &guest, &answer, &groups(&guest));
    match &answer.outcome {
        Outcome::Plan(_) if !answer.violations.is_empty() => Err(session.bug(&answer.violations)),
        Outcome::Plan(_) => Ok((map, Status::Done)),
        Outcome::Conflict { conflict, fixes } => {
            session.say(&super::plan::refusal_told(conflict, fixes));
            Ok((map, Status::Finding))
        }
    }
}

fn with_plan(host: &Host, reserved: &ReservedReport, groups: &[GroupId], plan: &Plan) -> AddressMap {
    AddressMap::new(host, reserved, groups, Some(plan))
}
