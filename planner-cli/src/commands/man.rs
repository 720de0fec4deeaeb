//! `planner man`: the manual page, of planner or of one verb.

use clap::{Command, CommandFactory};
use planner_core::diag::{Diagnostic, Origin};

use crate::args::{Cli, ManArgs};
use crate::codes;
use crate::output::Output;
use crate::session::{Session, Stop};

/// The page.
pub(crate) fn run(args: &ManArgs, session: &mut Session) -> Result<Output, Stop> {
    let mut planner = Cli::command();
    planner.build();
    let command = match &args.verb {
        None => planner,
        Some(verb) => match planner.find_subcommand(verb) {
            Some(command) => command.clone(),
            None => return Err(session.refuse(unknown(verb, &planner))),
        },
    };
    let mut page = Vec::new();
    let source = concat!("planner ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command)
        .source(source)
        .render(&mut page)
        .expect("a Vec takes all that is written to it");
    Ok(Output::done(String::from_utf8_lossy(&page)))
}

fn unknown(verb: &str, planner: &Command) -> Diagnostic {
    let verbs: Vec<&str> = planner.get_subcommands().map(Command::get_name).collect();
    Diagnostic::new(&codes::UNKNOWN_NAME, Origin::argument(verb), format!("there is no verb `{verb}`"))
        .help(format!("there are: {}", verbs.join(", ")))
}
