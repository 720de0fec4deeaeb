//! `planner inspect`: the host as it was understood.

use planner_core::diag::{Diagnostic, Origin};
use planner_core::host::Host;
use planner_core::ids::PciAddress;
use planner_core::inspect::{Inspection, dot, pair, routes, text, turns};

use crate::args::{Format, InspectArgs};
use crate::codes;
use crate::flags::Flag;
use crate::json;
use crate::output::Output;
use crate::session::{Session, Stop};

/// The host.
pub(crate) fn run(args: &InspectArgs, session: &mut Session) -> Result<Output, Stop> {
    let style = session.style(&args.picture)?;
    let asked = args.p2p.as_ref().filter(|typed| !typed.is_empty());
    let functions = session.flag("--p2p", asked, Flag::pair)?;
    let host = session.host(&args.host)?;
    let mut inspection = Inspection::new(&host, session.found(), session.manifest().as_ref());
    match functions {
        Some([from, to]) => {
            check_function(&host, from, session)?;
            check_function(&host, to, session)?;
            inspection.p2p_pair = pair(&host, from, to);
        }
        None if args.p2p.is_some() => inspection.p2p = Some(turns(&host)),
        None => {}
    }
    Ok(Output::done(match session.format {
        Format::Json => json::pretty(&inspection),
        Format::Human if args.dot => dot(&inspection),
        Format::Human if args.p2p.is_some() => routes(&inspection, &style),
        Format::Human => text(&inspection, &style),
    }))
}

fn check_function(host: &Host, address: PciAddress, session: &mut Session) -> Result<(), Stop> {
    if host.device(address).is_some() {
        return Ok(());
    }
    let message = format!("`{}` has no function {address}", host.name);
    let diagnostic =
        Diagnostic::new(&codes::UNKNOWN_NAME, Origin::argument(format!("--p2p {address}")), message);
    Err(session.refuse(diagnostic.help("`planner inspect` lists the functions")))
}
