//! `planner inspect`: the host as it was understood.

use crate::args::InspectArgs;
use crate::output::Output;
use crate::session::{Session, Stop};

/// The host.
pub(crate) fn run(args: &InspectArgs, session: &mut Session) -> Result<Output, Stop> {
    let host = session.host(&args.host)?;
    Ok(Output::done(host.name))
}
