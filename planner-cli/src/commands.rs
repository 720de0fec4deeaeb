//! The verbs, a file each.

mod capture;
mod check;
mod completions;
mod conformance;
mod emit;
mod explain;
mod fmt;
mod inspect;
mod man;
mod map;
mod plan;
mod reserved;
mod rules;
mod schema;
mod vmm;
mod vmm_list;

use crate::args::Verb;
use crate::output::Output;
use crate::session::{Session, Stop};

/// Does what was asked.
pub(crate) fn run(verb: &Verb, session: &mut Session) -> Result<Output, Stop> {
    match verb {
        Verb::Plan(args) => plan::run(args, session),
        Verb::Check(args) => check::run(args, session),
        Verb::Reserved(args) => reserved::run(args, session),
        Verb::Inspect(args) => inspect::run(args, session),
        Verb::Capture(args) => capture::run(args, session),
        Verb::Emit(args) => emit::run(args, session),
        Verb::Map(args) => map::run(args, session),
        Verb::Fmt(args) => fmt::run(args, session),
        Verb::Schema(args) => schema::run(args, session),
        Verb::Conformance(args) => Ok(conformance::run(args, session)),
        Verb::Rules(args) => rules::run(args, session),
        Verb::Vmm(args) => vmm::run(args, session),
        Verb::Explain(args) => explain::run(args, session),
        Verb::Completions(args) => Ok(completions::run(args)),
        Verb::Man(args) => man::run(args, session),
    }
}
