//! `planner completions`: the completion script of a shell.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::output::Output;

/// The script.
pub(crate) fn run(args: &CompletionsArgs) -> Output {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "planner", &mut script);
    Output::done(String::from_utf8_lossy(&script))
}
