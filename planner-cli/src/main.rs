//! The `planner` command: parse, run, exit.

mod args;
mod codes;
mod commands;
mod crash;
mod flags;
mod input;
mod json;
mod output;
mod paint;
mod session;

use std::process::ExitCode;

use args::Cli;
use clap::Parser;
use output::Status;
use session::Session;

fn main() -> ExitCode {
    crash::install();
    let cli = Cli::parse();
    let color = cli.printing.color;
    let mut session = Session::new(cli.printing.format());
    let result = commands::run(&cli.verb, &mut session);
    output::write_stderr(&session.talk(), color);
    let status = match result {
        Err(stop) => stop.0,
        Ok(output) => match output::write_stdout(&output.text, color) {
            Ok(()) => output.status,
            Err(error) => {
                output::write_stderr(&format!("error: standard output cannot be written: {error}\n"), color);
                Status::BadInput
            }
        },
    };
    ExitCode::from(status.code())
}
