//! What holds of every description: reading undoes printing, formatting changes no fact, nothing panics.

use std::sync::Arc;

use planner_core::diag::{Diagnostic, Origin, has_errors};
use planner_core::facts::{GuestFacts, HostFacts};
use planner_core::read::{check, codes, json, language};
use planner_core::render::{Color, Sources, render};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{cases, generate};

fn shown(text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut sources = Sources::new();
    sources.insert("f", text);
    format!("{}\n{text}", render(diagnostics, &sources, Color::Never))
}

/// Facts without their origins.
fn host_facts(facts: &HostFacts) -> String {
    serde_json::to_string_pretty(facts).expect("facts serialise")
}

fn guest_facts(facts: &GuestFacts) -> String {
    serde_json::to_string_pretty(facts).expect("facts serialise")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn reading_undoes_printing_of_hosts(facts in generate::host()) {
        prop_assert_eq!(&check::check_host(&mut facts.clone()), &[], "the generator makes sound facts");
        let text = language::print_host(&facts);
        let (again, found) = language::parse_host("f", &text);
        prop_assert!(found.is_empty(), "{}", shown(&text, &found));
        prop_assert_eq!(host_facts(&again), host_facts(&facts), "{}", text);
        prop_assert_eq!(language::format("f", &text), Ok(text), "what is printed is canonical");
    }

    #[test]
    fn reading_undoes_printing_of_guests(facts in generate::guest()) {
        let text = language::print_guest(&facts);
        let (again, found) = language::parse_guest("f", &text);
        prop_assert!(found.is_empty(), "{}", shown(&text, &found));
        prop_assert_eq!(guest_facts(&again), guest_facts(&facts), "{}", text);
        prop_assert_eq!(language::format("f", &text), Ok(text), "what is printed is canonical");
    }

    #[test]
    fn json_says_the_same(host in generate::host(), guest in generate::guest()) {
        let text = json::host_to_json(&host);
        let (again, found) = json::parse_host_json("f", &text);
        prop_assert!(found.is_empty(), "{}", shown(&text, &found));
        prop_assert_eq!(host_facts(&again), host_facts(&host));
        let text = json::guest_to_json(&guest);
        let (again, found) = json::parse_guest_json("f", &text);
        prop_assert!(found.is_empty(), "{}", shown(&text, &found));
        prop_assert_eq!(guest_facts(&again), guest_facts(&guest));
    }

    #[test]
    fn formatting_changes_no_fact_and_loses_no_comment(
        facts in generate::host(),
        choices in proptest::collection::vec(any::<u8>(), 64),
    ) {
        let text = disorder(&language::print_host(&facts), &choices);
        let (before, found) = language::parse_host("f", &text);
        prop_assert!(found.is_empty(), "{}", shown(&text, &found));
        let formatted = language::format("f", &text).unwrap();
        let (after, found) = language::parse_host("f", &formatted);
        prop_assert!(found.is_empty(), "{}", shown(&formatted, &found));
        prop_assert_eq!(host_facts(&before), host_facts(&after), "{}\n{}", text, formatted);
        prop_assert_eq!(comments(&text), comments(&formatted), "{}\n{}", text, formatted);
        prop_assert_eq!(language::format("f", &formatted).unwrap(), formatted, "{}", text);
    }

    #[test]
    fn nothing_panics_on_damaged_text(
        case in any::<Index>(),
        damage in proptest::collection::vec((any::<Index>(), 0..12_usize, piece()), 1..8),
    ) {
        let paths = cases();
        let mut text = std::fs::read_to_string(&paths[case.index(paths.len())]).unwrap();
        for (at, length, piece) in damage {
            let at = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((at + length).min(text.len())).max(at);
            text.replace_range(at..end, &piece);
        }
        survives(&text)?;
    }

    #[test]
    fn nothing_panics_on_any_text(pieces in proptest::collection::vec(piece(), 0..60)) {
        survives(&pieces.concat())?;
    }

    #[test]
    fn rendering_survives_odd_places(
        text in "(\\PC|\n|\t|\r|\0){0,80}",
        places in proptest::collection::vec((0..120_usize, 0..120_usize, 0..6_u8), 1..5),
        message in generate::text(),
    ) {
        let file: Arc<str> = "f".into();
        let origin = |(start, end, kind): (usize, usize, u8)| match kind {
            0 => Origin::Line { file: Arc::clone(&file), line: start },
            1 => Origin::Bytes { file: Arc::clone(&file), offset: start, length: end },
            2 => Origin::argument(message.clone()),
            _ => Origin::Text { file: Arc::clone(&file), line: 1, start, end },
        };
        let code = codes().next().unwrap();
        let mut diagnostic = Diagnostic::new(code, origin(places[0]), message.clone()).label(message.clone());
        for &place in &places[1..] {
            diagnostic = diagnostic.related(origin(place), message.clone());
        }
        let diagnostic = diagnostic.note(message.clone()).help(message.clone());
        let mut sources = Sources::new();
        sources.insert("f", text);
        for color in [Color::Never, Color::Always] {
            let rendered = render(std::slice::from_ref(&diagnostic), &sources, color);
            prop_assert!(rendered.contains("[L001]"));
            prop_assert!(color == Color::Always || !rendered.contains('\u{1b}'), "{}", rendered);
        }
    }
}

/// Words of the language, numbers, signs, and anything else.
fn piece() -> impl Strategy<Value = String> {
    let words = vec![
        "host ",
        "guest ",
        "{",
        "}",
        " { ",
        " }\n",
        "\n",
        " ",
        "# c",
        "\"",
        "\\",
        "smmu",
        "root-complex ",
        "window ",
        "mem32 ",
        "device ",
        "01:00.0 ",
        "bar ",
        "0x1000",
        " + ",
        "4K",
        "..=",
        "..",
        "->",
        "rid ",
        "msi ",
        "kernel ",
        "linux ",
        "6.12",
        "40 ",
        "bits ",
        "listed ",
        "none ",
        "group ",
        "1 ",
        "é",
        "\u{0}",
        "\r\n",
        ",",
        "\"schema\"",
        ":",
        "[",
        "]",
        "18446744073709551615",
        "99999999999999999999",
        "numa ",
        "pass ",
        "vmm qemu ",
        "memory 1G",
    ];
    prop_oneof![
        8 => select(words).prop_map(str::to_owned),
        1 => generate::text(),
    ]
}

/// Reads a text in every way and renders what is found.
fn survives(text: &str) -> Result<(), TestCaseError> {
    let (document, found) = language::parse("f", text);
    let rendered = shown(text, &found);
    prop_assert_eq!(found.is_empty(), rendered.starts_with('\n'));
    if !has_errors(&found) {
        for host in &document.hosts {
            let printed = language::print_host(host);
            prop_assert_eq!(host_facts(&language::parse_host("f", &printed).0), host_facts(host), "{}", text);
        }
        for guest in &document.guests {
            let printed = language::print_guest(guest);
            prop_assert_eq!(
                guest_facts(&language::parse_guest("f", &printed).0),
                guest_facts(guest),
                "{}",
                text
            );
        }
    }
    match language::format("f", text) {
        Ok(formatted) => {
            let again = language::format("f", &formatted);
            prop_assert_eq!(again.as_ref(), Ok(&formatted), "{}", text);
        }
        Err(faults) => prop_assert!(has_errors(&faults)),
    }
    for found in [json::parse_host_json("f", text).1, json::parse_guest_json("f", text).1] {
        shown(text, &found);
    }
    let _ = (language::parse_host("f", text), language::parse_guest("f", text), json::schema_of(text));
    Ok(())
}

/// Other spacing, other lines, and comments, at places that say the same.
fn disorder(text: &str, choices: &[u8]) -> String {
    let mut choices = choices.iter().cycle().zip((0..=u8::MAX).cycle());
    let mut out = String::new();
    for line in text.lines() {
        let mut next = || choices.next().map_or(0, |(choice, at)| choice.wrapping_add(at));
        if next().is_multiple_of(4) {
            out.push_str("\n\n");
        }
        if next().is_multiple_of(4) {
            out.push_str(&format!("\t# above {}\n", next()));
        }
        let line = if line.contains('"') { line.to_owned() } else { broken(line, &mut next) };
        out.push_str(&line);
        match next() % 4 {
            0 => out.push_str(&format!("  #behind {} \r\n", next())),
            1 if line.ends_with('{') && !line.contains('"') => out.push(' '),
            _ => out.push('\n'),
        }
    }
    out
}

/// The line with its clauses on lines of their own, or its braces.
fn broken(line: &str, next: &mut impl FnMut() -> u8) -> String {
    let indent = line.len() - line.trim_start().len();
    let (indent, rest) = line.split_at(indent);
    let mut rest = rest.to_owned();
    if next().is_multiple_of(3) {
        rest = rest.replace("  ", "\n");
    }
    if next().is_multiple_of(3) {
        rest = rest.replace(" {", &format!(" # before {}\n{{", next()));
    }
    if next().is_multiple_of(3) {
        rest = rest.replace("{ ", &format!("{{ # after {}\n", next()));
    }
    if next().is_multiple_of(3) {
        rest = rest.replace(" }", "\n}");
    }
    format!("{indent}{rest}")
}

/// Every comment, in order.
fn comments(text: &str) -> Vec<String> {
    let words = ["# above", "#behind", "# before", "# after"];
    let of_line =
        |line: &str| words.iter().find_map(|word| line.find(word)).map(|at| line[at..].trim_end().to_owned());
    text.lines().filter_map(of_line).collect()
}
