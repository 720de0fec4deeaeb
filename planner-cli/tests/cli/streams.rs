//! Colours, pipes, and the same bytes every time.

use std::io::Write as _;
use std::process::Stdio;

use crate::{command, data, finish, run};

#[test]
fn the_same_input_gives_the_same_bytes() {
    let lines = [
        "plan board.host nic.guest --json",
        "plan board.host virt.guest --json",
        "reserved board.host --json",
        "vmm --json",
        "rules --json",
        "schema plan",
    ];
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(run(&words).stdout, run(&words).stdout, "{line}");
    }
}

#[test]
fn a_pipe_that_was_closed_is_no_error() {
    let mut planner = command(&["fmt", "-"]);
    planner.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut planner = planner.spawn().unwrap();
    drop(planner.stdout.take()); // before it has anything to write: it still waits for its input
    planner.stdin.take().unwrap().write_all(&std::fs::read(data("board.host")).unwrap()).unwrap();
    let output = planner.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn colours_only_when_somebody_sees_them_or_asks() {
    let coloured = |arguments: &[&str]| run(arguments).told().contains('\u{1b}');
    assert!(!coloured(&["plan", "board.host", "nic.guest"]));
    assert!(coloured(&["plan", "board.host", "nic.guest", "--color", "always"]));
    assert!(!coloured(&["plan", "board.host", "nic.guest", "--color", "never"]));
    assert!(coloured(&["plan", "nowhere.host", "nic.guest", "--color", "always"]));
    assert!(!coloured(&["plan", "nowhere.host", "nic.guest"]));
}

#[test]
fn no_color_is_heeded() {
    let mut planner = command(&["plan", "board.host", "nic.guest"]);
    let run = finish(planner.env("CLICOLOR_FORCE", "1"));
    assert!(run.stdout.contains('\u{1b}'));
    let mut planner = command(&["plan", "board.host", "nic.guest"]);
    let run = finish(planner.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"));
    assert!(!run.stdout.contains('\u{1b}'));
}

#[test]
fn the_picture_is_as_wide_as_the_terminal_says() {
    let widest = |run: crate::Run| run.stdout.lines().map(|line| line.chars().count()).max();
    let mut planner = command(&["map", "board.host"]);
    assert_eq!(widest(finish(planner.env("COLUMNS", "120"))), Some(120));
    assert_eq!(widest(run(&["map", "board.host"])), Some(80));
    assert_eq!(widest(run(&["map", "board.host", "--width", "100"])), Some(100));
}
