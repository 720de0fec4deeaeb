//! A POSIX shell script that makes a capture on a machine without this program: the frame in `script.sh`, and the rows of
//! the [allow-list](allow), so that the two cannot drift apart.

use std::fmt::Write as _;

use super::command_line::{MODULES, PARAMETERS};
use super::manifest::HEADING;
use super::redact::{MAX_CAPABILITIES, MAX_EXTENDED};
use crate::read::capture::allow::{self, Access, Place, Row, Take};

/// The frame. Words between `@` are replaced.
const FRAME: &str = include_str!("script.sh");

/// The script.
#[must_use]
pub fn script() -> String {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    FRAME
        .replace("@MAKER@", &format!("planner {VERSION}"))
        .replace("@VERSION@", VERSION)
        .replace("@HEADING@", HEADING.trim_end())
        .replace("@MAX_CAPABILITIES@", &MAX_CAPABILITIES.to_string())
        .replace("@MAX_EXTENDED@", &MAX_EXTENDED.to_string())
        .replace("@SWITCHES@", &switches())
        .replace("@ROOT@\n", &root())
        .replace("@FUNCTION@\n", &directory(Place::Function))
        .replace("@HOST_BRIDGE@\n", &directory(Place::HostBridge))
        .replace("@IOMMU@\n", &directory(Place::Iommu))
}

/// Branches of a `case` that keep the words that stay. `[-_]` is either.
fn switches() -> String {
    let either = |name: &str| name.replace('_', "[-_]");
    let parameters = PARAMETERS.iter().map(|name| format!("{0} | {0}=*", either(name)));
    // A module's name ends at the first dot of the word, so the value may have dots.
    let modules = MODULES.iter().map(|name| format!("{}.*", either(name)));
    let branches = parameters.chain(modules).map(|words| format!("        {words}) kept=\"$kept $word\" ;;"));
    branches.collect::<Vec<_>>().join("\n")
}

/// Lines that take everything of the rows with whole paths.
fn root() -> String {
    let mut out = String::new();
    for row in allow::rows(Place::Root).filter(|row| row.access != Access::Capture) {
        let _ = writeln!(out, "for path in {}; do {}; done", patterns(row.pattern), taking(row, "\"$path\""));
    }
    out
}

/// Lines that take everything of a directory, the first argument of the function in which they stand.
fn directory(place: Place) -> String {
    let mut out = String::new();
    for row in allow::rows(place) {
        let _ = writeln!(out, "    {}", taking(row, &format!("\"$1/{}\"", row.pattern)));
    }
    out
}

fn taking(row: &Row, path: &str) -> String {
    match row.take {
        Take::File(most) | Take::Head(most) => format!("file {path} {most}"),
        Take::Link => format!("link {path}"),
        Take::Presence => format!("presence {path}"),
    }
}

/// A pattern of the list as patterns of the shell. One that matches nothing stands for itself, which does not exist.
fn patterns(pattern: &str) -> String {
    match pattern.strip_suffix('#') {
        None => pattern.to_owned(),
        Some(start) => {
            ["", "[0-9]", "[0-9][0-9]", "[0-9][0-9][0-9]"].map(|number| format!("{start}{number}")).join(" ")
        }
    }
}
