//! Drives the built `planner`: arguments in, standard output, standard error and exit status out.
//!
//! The inputs in `data/` are made up: `board.host` has one SMMUv3, an ITS and two network cards below a host bridge
//! that takes DMA into its 32-bit window; the guests ask for kvmtool and for QEMU; the others have one fault each.

mod capture;
mod check;
mod conformance;
mod explain;
mod files;
mod inspect;
mod plan;
mod reserved;
mod streams;
mod usage;
mod vmm;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use expect_test::Expect;

/// The command, in the directory of the inputs and without anything of the user's environment that it looks at.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_planner"));
    command.args(arguments).current_dir(data("")).stdin(Stdio::null());
    for variable in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

/// A file of the inputs.
fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// What a run gave.
struct Run {
    stdout: String,
    stderr: String,
    status: i32,
}

fn run(arguments: &[&str]) -> Run {
    finish(&mut command(arguments))
}

fn finish(command: &mut Command) -> Run {
    let output = command.output().expect("the binary was built");
    Run {
        stdout: String::from_utf8(output.stdout).expect("the output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("the talk is UTF-8"),
        status: output.status.code().expect("no signal ended it"),
    }
}

impl Run {
    /// Everything in one text: standard output, then standard error, then the status.
    fn told(&self) -> String {
        let Self { stdout, stderr, status } = self;
        let talk = if stderr.is_empty() { String::new() } else { format!("--- stderr\n{stderr}") };
        format!("{stdout}{talk}--- exit {status}\n")
    }
}

/// Runs the words of a line and compares everything.
#[track_caller]
fn check(line: &str, expected: Expect) {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    expected.assert_eq(&run(&arguments).told());
}

/// An empty directory of this test's own.
fn scratch(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory); // of an earlier run
    std::fs::create_dir_all(&directory).expect("the directory of temporary files can be written");
    directory
}

/// The names in a directory, sorted.
fn names(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("it is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
