//! `planner inspect`: the host as it was understood.

use planner_core::inspect::{Inspection, dot, text};

use crate::args::{Format, InspectArgs};
use crate::json;
use crate::output::Output;
use crate::session::{Session, Stop};

/// The host.
pub(crate) fn run(args: &InspectArgs, session: &mut Session) -> Result<Output, Stop> {
    let style = session.style(&args.picture)?;
    let host = session.host(&args.host)?;
    let inspection = Inspection::new(&host, session.found(), session.manifest().as_ref());
    Ok(Output::done(match session.format {
        Format::Json => json::pretty(&inspection),
        Format::Human if args.dot => dot(&inspection),
        Format::Human => text(&inspection, &style),
    }))
}
