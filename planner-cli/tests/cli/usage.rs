//! Help, wrong words, completions and the manual page.

use expect_test::expect;

use crate::{check, run};

const VERBS: [&str; 15] = [
    "plan",
    "check",
    "reserved",
    "inspect",
    "capture",
    "conformance",
    "emit",
    "map",
    "fmt",
    "schema",
    "rules",
    "vmm",
    "explain",
    "completions",
    "man",
];

#[test]
fn every_verb_has_help_with_an_example() {
    for verb in VERBS {
        let run = run(&[verb, "--help"]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{verb}");
        let example = format!("Examples:\n  planner {verb}");
        assert!(run.stdout.contains(&example), "{verb}: {}", run.stdout);
    }
}

#[test]
fn no_verb_is_bad_usage() {
    let run = run(&[]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("Usage: planner [OPTIONS] <VERB>"), "{}", run.stderr);
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(run(&["--version"]).told(), format!("planner {}\n--- exit 0\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_misspelled_verb_is_put_right() {
    check(
        "reservd board.host",
        expect![[r#"
        --- stderr
        error: unrecognized subcommand 'reservd'

          tip: a similar subcommand exists: 'reserved'

        Usage: planner [OPTIONS] <VERB>

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

#[test]
fn a_misspelled_flag_is_put_right() {
    check(
        "plan board.host --memroy 1G",
        expect![[r#"
        --- stderr
        error: unexpected argument '--memroy' found

          tip: a similar argument exists: '--memory'

        Usage: planner plan --memory <SIZE> <HOST> [GUEST]

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

#[test]
fn a_word_that_a_flag_does_not_take() {
    check(
        "plan board.host nic.guest --policy portabel",
        expect![[r#"
        --- stderr
        error: invalid value 'portabel' for '--policy <POLICY>'
          [possible values: host-fit, portable]

          tip: a similar value exists: 'portable'

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = run(&["completions", shell]);
        assert_eq!(run.status, 0, "{shell}");
        assert!(VERBS.iter().all(|verb| run.stdout.contains(verb)), "{shell}: {}", run.stdout);
    }
    assert_eq!(run(&["completions", "tcsh"]).status, 2);
}

#[test]
fn the_manual_page_is_roff() {
    let planner = run(&["man"]);
    assert!(
        planner.stdout.contains(".TH planner 1") && planner.stdout.contains("planner\\-reserved(1)"),
        "{}",
        planner.stdout
    );
    let plan = run(&["man", "plan"]);
    let title = format!(".TH planner-plan 1  \"planner {}\"", env!("CARGO_PKG_VERSION"));
    assert!(plan.stdout.contains(&title), "{}", plan.stdout);
    check(
        "man pla",
        expect![[r#"
            --- stderr
            error[A006]: there is no verb `pla`
            --> pla
             = help: there are: plan, check, reserved, inspect, capture, emit, map, fmt, schema, conformance, rules, vmm, explain, completions, man

            --- exit 2
        "#]],
    );
}
