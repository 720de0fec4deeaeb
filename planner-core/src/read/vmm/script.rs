//! A script, log or terminal session around the command that starts a VMM: which command that is, and what of it only a
//! shell would know.

use super::qemu::Files;
use super::sink::Sink;
use super::words::{self, Script, Unknown, Word};
use super::{codes, files_named, program_at, qemu, read_command};
use crate::diag::{Code, Diagnostic, Origin, TextFile};
use crate::facts::ConfiguredFacts;
use crate::version::Version;

/// Most nested command lines, as in `sh -c '…'`, that are looked into.
const MOST_NESTED: usize = 32;

/// What the command of a script that starts a VMM says.
pub(super) fn read(
    name: &str,
    text: &str,
    version: Option<Version>,
    files: &Files,
) -> (ConfiguredFacts, Vec<Diagnostic>) {
    if qemu::is_readconfig(text) {
        return read_config_file(name, text, version);
    }
    let file = TextFile::new(name, text);
    let script = script(&file, text);
    let mut found = script.found;
    let Some(at) = script.commands.iter().position(|words| program_at(words).is_some()) else {
        let mut sink = Sink::default();
        sink.say(&codes::NO_COMMAND, Origin::file(name), "no command of this file starts a VMM");
        found.extend(sink.finish().1);
        return (ConfiguredFacts::default(), found);
    };
    let rest = script.commands.get(at..).unwrap_or_default();
    let Some((command, after)) = rest.split_first() else { return (ConfiguredFacts::default(), found) };
    found.extend(broken_line(text, after));
    found.extend(second(after));
    found.extend(branches(script.branches.as_ref(), at, command));
    found.extend(typographic(command));
    let (mut facts, more) = read_command(command, version, files);
    let relevant: Vec<Unknown> =
        script.unknown.into_iter().filter(|unknown| stands_in(command, unknown)).collect();
    let more = values_of_the_shell(more, &relevant, &mut facts);
    found.extend(unset(&relevant, &more));
    found.extend(more);
    (facts, found)
}

/// The names of files that the command puts parts of the configuration into.
pub(super) fn files_in(name: &str, text: &str) -> Vec<String> {
    let script = script(&TextFile::new(name, text), text);
    script.commands.iter().flat_map(|words| files_named(words)).collect()
}

/// The commands of a text; where none starts a VMM, those in the words of `sh -c`, `ssh HOST` and the like.
fn script(file: &TextFile, text: &str) -> Script {
    let mut script = words::script(file, text);
    if script.commands.iter().any(|words| program_at(words).is_some()) {
        return script;
    }
    let is_line = |word: &&Word| word.text.contains(" -") && super::starts_one(&word.text);
    let lines: Vec<Word> =
        script.commands.iter().flatten().filter(is_line).take(MOST_NESTED).cloned().collect();
    for line in lines {
        let inner = words::script(&TextFile::new("", &line.text), &line.text);
        let moved = |word: Word| Word::at(word.text, line.origin.clone());
        let commands = inner.commands.into_iter().map(|words| words.into_iter().map(moved).collect());
        script.commands.extend(commands);
    }
    script
}

/// A file for `-readconfig` by itself. Which program reads it stands nowhere; `qemu-kvm` leaves the architecture open.
fn read_config_file(name: &str, text: &str, version: Option<Version>) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let origin = TextFile::new(name, text).origin(0..text.find('\n').unwrap_or(text.len()));
    let word = |text: &str| Word::at(text, origin.clone());
    let files = Files::from([(name.to_owned(), text.to_owned())]);
    read_command(&[word("qemu-kvm"), word("-readconfig"), word(name)], version, &files)
}

/// A line of options behind the command: what was meant to belong to it.
fn broken_line(text: &str, after: &[Vec<Word>]) -> Option<Diagnostic> {
    let first = after.first()?.first()?;
    let Origin::Text { start, .. } = first.origin else { return None };
    let before = text.get(..start)?.rsplit('\n').next().unwrap_or_default();
    let is_option = first.text.len() > 1 && first.text.starts_with('-') && before.trim().is_empty();
    let message = format!("a command cannot start with `{}`: the line before ends without `\\`", first.text);
    is_option.then(|| {
        Diagnostic::new(&codes::BROKEN_LINE, first.origin.clone(), message).help(
            "end every line of the command but the last with a `\\`, and let no comment stand between them",
        )
    })
}

fn second(after: &[Vec<Word>]) -> Option<Diagnostic> {
    let words = after.iter().find(|words| program_at(words).is_some())?;
    let message = "a second VMM is started here; only the first is read";
    Some(Diagnostic::new(&codes::SECOND_COMMAND, words.first()?.origin.clone(), message))
}

/// A decision before the command, where variables bring words along.
fn branches(first: Option<&(Origin, usize)>, at: usize, command: &[Word]) -> Option<Diagnostic> {
    let (first, _) = first.filter(|(_, before)| *before < at)?;
    let message = "the planner decides nothing here: what stands in every branch counts";
    let from_variables = command.iter().any(|word| !word.is_written_here());
    from_variables.then(|| Diagnostic::new(&codes::BRANCHES, first.clone(), message))
}

/// Dashes and quotes that no shell takes for dashes and quotes.
fn typographic(command: &[Word]) -> Option<Diagnostic> {
    let is_dash = |c| matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}');
    let is_quote = |c| matches!(c, '\u{2018}'..='\u{201f}');
    let word = command
        .iter()
        .find(|word| word.text.starts_with(|c| is_dash(c) || is_quote(c)) || word.text.ends_with(is_quote))?;
    let message = format!("`{}` has a typographic dash or quote", word.text);
    let plain = |c| match c {
        c if is_dash(c) => '-',
        c if is_quote(c) => '\'',
        c => c,
    };
    let meant: String = word.text.chars().map(plain).collect();
    Some(Diagnostic::new(&codes::TYPOGRAPHIC, word.origin.clone(), message).help(format!("write `{meant}`")))
}

fn stands_in(command: &[Word], unknown: &Unknown) -> bool {
    command.iter().any(|word| word.text.contains(&unknown.text))
}

/// What the VMM would refuse about a value that it never gets to see: the shell puts another in its place.
fn values_of_the_shell(
    found: Vec<Diagnostic>,
    unknown: &[Unknown],
    facts: &mut ConfiguredFacts,
) -> Vec<Diagnostic> {
    let codes: [&Code; 2] = [&codes::REFUSED, &codes::BAD_VALUE];
    let mut kept: Vec<Diagnostic> = Vec::new();
    for diagnostic in found {
        let source = unknown.iter().find(|unknown| {
            diagnostic.message.contains(&unknown.text) || overlaps(&diagnostic.origin, &unknown.origin)
        });
        let Some(source) = source.filter(|_| codes.contains(&diagnostic.code)) else {
            kept.push(diagnostic);
            continue;
        };
        facts.refusals.retain(|refusal| refusal.origin != diagnostic.origin);
        let message = format!("a value is needed in the place of `{}`: {}", source.text, source.what);
        let value = Diagnostic::new(&codes::SHELL_VALUE, source.origin.clone(), message);
        if !kept.iter().any(|known| known.message == value.message) {
            kept.push(value.help("write the value here, or set the variable in a line before the command"));
        }
    }
    kept
}

fn overlaps(one: &Origin, other: &Origin) -> bool {
    match (one, other) {
        (Origin::Text { file, start, end, .. }, Origin::Text { file: of, start: from, end: to, .. }) => {
            file == of && start < to && from < end
        }
        _ => false,
    }
}

/// What else only the shell knows, told once.
fn unset(unknown: &[Unknown], told: &[Diagnostic]) -> Option<Diagnostic> {
    let mut rest: Vec<&Unknown> = Vec::new();
    for unknown in unknown {
        let is_told =
            told.iter().any(|told| told.code == &codes::SHELL_VALUE && told.message.contains(&unknown.text));
        if !is_told && !rest.iter().any(|known| known.text == unknown.text) {
            rest.push(unknown);
        }
    }
    let first = rest.first()?;
    let message = match rest.len() {
        1 => first.what.clone(),
        count => format!("{count} values are known to the shell only"),
    };
    let mut diagnostic =
        Diagnostic::new(&codes::SHELL, first.origin.clone(), message).label("stays as it is");
    if rest.len() > 1 {
        diagnostic.notes =
            rest.iter().map(|unknown| format!("`{}` ({})", unknown.text, unknown.origin)).collect();
    }
    Some(diagnostic)
}
