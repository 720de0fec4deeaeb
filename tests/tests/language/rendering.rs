//! How diagnostics look: places of every kind, other places involved, long lines, colour.

use std::sync::Arc;

use expect_test::{Expect, expect};
use planner_core::diag::{Diagnostic, Origin};
use planner_core::read::codes;
use planner_core::render::{Color, Sources, render};

/// A diagnostic at this place.
fn at(origin: Origin) -> Diagnostic {
    let code = codes().next().expect("there are codes");
    Diagnostic::new(code, origin, "a message")
}

fn text(file: &str, start: usize, end: usize) -> Origin {
    Origin::Text { file: file.into(), line: 1, start, end }
}

fn check(diagnostic: Diagnostic, sources: &[(&str, &str)], expected: Expect) {
    let mut known = Sources::new();
    for (file, text) in sources {
        known.insert(*file, *text);
    }
    expected.assert_eq(&render(&[diagnostic], &known, Color::Never));
}

#[test]
fn a_line_of_a_capture_is_shown_when_its_text_is_at_hand() {
    let file: Arc<str> = "proc/iomem".into();
    let iomem = "00000000-000fffff : reserved\n  40000000-bfffffff : System RAM\n";
    check(
        at(Origin::line(&file, 2)).label("here"),
        &[("proc/iomem", iomem)],
        expect![[r#"
        error[L001]: a message
         --> proc/iomem:2:3
          |
        2 |   40000000-bfffffff : System RAM
          |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ here

    "#]],
    );
    check(
        at(Origin::line(&file, 2)),
        &[],
        expect![[r#"
        error[L001]: a message
        --> proc/iomem:2

    "#]],
    );
    check(
        at(Origin::line(&file, 9)),
        &[("proc/iomem", iomem)],
        expect![[r#"
        error[L001]: a message
        --> proc/iomem:9

    "#]],
    );
}

#[test]
fn places_without_a_text_are_one_line() {
    check(
        at(Origin::Bytes { file: "IORT".into(), offset: 0x24, length: 4 }),
        &[],
        expect![[r#"
        error[L001]: a message
        --> IORT+0x24

    "#]],
    );
    check(
        at(Origin::file("sys/kernel/iommu_groups")),
        &[],
        expect![[r#"
        error[L001]: a message
        --> sys/kernel/iommu_groups

    "#]],
    );
    check(
        at(Origin::argument("--memory 16G")),
        &[],
        expect![[r#"
        error[L001]: a message
        --> --memory 16G

    "#]],
    );
    check(
        at(Origin::rule("K-SWMSI")).note("a fact").help("a way out"),
        &[],
        expect![[r#"
        error[L001]: a message
        --> K-SWMSI
         = note: a fact
         = help: a way out

    "#]],
    );
    check(
        at(Origin::Unstated),
        &[],
        expect![[r#"
        error[L001]: a message

    "#]],
    );
}

#[test]
fn other_places_share_the_picture_when_they_are_near() {
    let near = "one\ntwo\nthree\n";
    let far = format!("one\n{}three\n", "two\n".repeat(100));
    let end = far.len() - 6;
    let diagnostic =
        |start, end| at(text("f", start, end)).label("this").related(text("f", 0, 3), "and this");
    check(
        diagnostic(8, 13),
        &[("f", near)],
        expect![[r#"
        error[L001]: a message
         --> f:3:1
          |
        1 | one
          | --- and this
        2 | two
        3 | three
          | ^^^^^ this

    "#]],
    );
    check(
        diagnostic(end, end + 5),
        &[("f", &far)],
        expect![[r#"
        error[L001]: a message
           --> f:102:1
            |
        102 | three
            | ^^^^^ this
            |
           ::: f:1:1
            |
          1 | one
            | --- and this

    "#]],
    );
    let other = at(text("f", 0, 3))
        .related(text("g", 4, 7), "there")
        .related(Origin::rule("K-SWMSI"), "by this rule");
    check(
        other,
        &[("f", near), ("g", near)],
        expect![[r#"
        error[L001]: a message
         --> f:1:1
          |
        1 | one
          | ^^^
          |
         ::: g:2:1
          |
        2 | two
          | --- there
          |
          = note: by this rule: K-SWMSI

    "#]],
    );
}

#[test]
fn columns_count_characters_and_odd_places_are_moved() {
    let line = "smmu größe { x }\n";
    check(
        at(text("f", 14, 15)),
        &[("f", line)],
        expect![[r#"
        error[L001]: a message
         --> f:1:13
          |
        1 | smmu größe { x }
          |             ^

    "#]],
    );
    check(
        at(text("f", 8, 8)),
        &[("f", line)],
        expect![[r#"
        error[L001]: a message
         --> f:1:8
          |
        1 | smmu größe { x }
          |        ^

    "#]],
    );
    check(
        at(text("f", 900, 3)),
        &[("f", line)],
        expect![[r#"
        error[L001]: a message
         --> f:2:1
          |
        2 |
          | ^

    "#]],
    );
}

#[test]
fn a_long_line_is_cut_around_the_place_and_of_an_endless_one_the_place_is_told() {
    let line = |times| format!("{}here{}\n", "a ".repeat(times), " b".repeat(times));
    let diagnostic =
        |at_byte| at(text("f", at_byte, at_byte + 4)).label("this").related(text("f", 0, 1), "here");
    check(
        at(text("f", 40_000, 40_004)).label("this"),
        &[("f", &line(20_000))],
        expect![[r#"
        error[L001]: a message
         --> f:1:40001
          |
        1 | ...a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a here b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b...
          |                                                                ^^^^ this

    "#]],
    );
    check(
        diagnostic(1_200_000),
        &[("f", &line(600_000))],
        expect![[r#"
        error[L001]: a message
        --> f:1:1200001
        ::: f:1:1

    "#]],
    );
}

#[test]
fn a_terminal_obeys_nothing_that_others_wrote() {
    let mut diagnostic =
        at(text("f\u{1b}[2J", 0, 3)).label("\u{1b}[31mlabel").note("\u{7}note").help("\u{9b}help");
    diagnostic.message = "\u{1b}]0;title\u{7}".into();
    check(
        diagnostic,
        &[("f\u{1b}[2J", "\u{1b}[1m text")],
        expect![[r#"
        error[L001]: ␛]0;title␇
         --> f␛[2J:1:1
          |
        1 | ␛[1m text
          | ^^^ ␛[31mlabel
          |
          = note: ␇note
          = help: ¿help

    "#]],
    );
}

#[test]
fn colour_is_asked_for() {
    let plain = render(&[at(Origin::Unstated)], &Sources::new(), Color::Never);
    let coloured = render(&[at(Origin::Unstated)], &Sources::new(), Color::Always);
    assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
}
