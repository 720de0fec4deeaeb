//! Words of a command line with their places, and the small part of the shell's language that scripts around a VMM use:
//! quotes, comments, continued lines, and variables and arrays that the same file sets.
//!
//! Left out: everything that would run something. Control structures are passed over word by word.

use std::collections::BTreeMap;
use std::ops::Range;

use super::codes;
use crate::diag::{Diagnostic, Origin, TextFile};

/// A word of a command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// Without quotes.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
    /// Whether the text stands in its file exactly as it is here, so that parts of it have places of their own.
    verbatim: bool,
}

impl Word {
    /// A word of this program's own command line.
    #[must_use]
    pub fn argument(text: &str) -> Self {
        Self { text: text.to_owned(), origin: Origin::argument(text), verbatim: false }
    }

    /// A word that stands for something in a file.
    #[must_use]
    pub fn at(text: impl Into<String>, origin: Origin) -> Self {
        Self { text: text.into(), origin, verbatim: false }
    }

    /// The place of a part of the word; that of the whole word where quotes or variables were replaced.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Origin {
        match &self.origin {
            Origin::Text { file, line, start, .. } if self.verbatim => Origin::Text {
                file: file.clone(),
                line: *line,
                start: start.saturating_add(range.start),
                end: start.saturating_add(range.end),
            },
            whole => whole.clone(),
        }
    }
}

/// Most bytes that variables may add to the words of a file.
const MOST_EXPANDED_BYTES: usize = 1 << 20;

/// The commands of a shell script, in order, each a list of words.
#[must_use]
pub fn commands(file: &TextFile, text: &str) -> (Vec<Vec<Word>>, Vec<Diagnostic>) {
    let mut shell = Shell {
        file,
        text,
        at: 0,
        commands: Vec::new(),
        command: Vec::new(),
        variables: BTreeMap::new(),
        expanded: 0,
        found: Vec::new(),
        collecting: None,
        skip_next: false,
    };
    while shell.step() {}
    shell.end_command();
    (shell.commands, shell.found)
}

struct Shell<'t> {
    file: &'t TextFile,
    text: &'t str,
    at: usize,
    commands: Vec<Vec<Word>>,
    command: Vec<Word>,
    /// What the file has set so far. A plain variable is one word, an array several.
    variables: BTreeMap<String, Vec<Word>>,
    expanded: usize,
    found: Vec<Diagnostic>,
    /// The array that is being set, and the words of it so far.
    collecting: Option<(String, Vec<Word>)>,
    /// The next word names the file of a redirection.
    skip_next: bool,
}

/// A word in the making. Unquoted variables may end it and begin another.
struct Growing {
    text: String,
    start: usize,
    /// Whether there is a word even when the text is empty.
    quoted: bool,
    changed: bool,
    /// Where the text was set, if all of it came from a variable, and how long it was then.
    from: Option<(Word, usize)>,
    /// Words that a variable brought along, complete.
    done: Vec<Word>,
}

impl Growing {
    fn word(text: String, from: Option<(Word, usize)>, here: impl FnOnce() -> Word) -> Word {
        match from {
            Some((source, length)) if length == text.len() => {
                Word { verbatim: source.verbatim && source.text == text, origin: source.origin, text }
            }
            _ => Word { text, ..here() },
        }
    }
}

impl Shell<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at = self.at.saturating_add(c.len_utf8());
        Some(c)
    }

    /// Reads one thing. False at the end.
    fn step(&mut self) -> bool {
        let Some(c) = self.peek() else { return false };
        match c {
            '\n' if self.collecting.is_some() => _ = self.take(),
            '\n' | ';' | '&' | '|' | '(' => {
                self.take();
                self.end_command();
            }
            ')' => {
                self.take();
                self.close();
            }
            '<' | '>' => {
                while matches!(self.peek(), Some('<' | '>' | '&' | '|')) {
                    self.take();
                }
                self.skip_next = true;
            }
            '#' => self.comment(),
            '\\' if self.rest().starts_with("\\\n") => self.skip(2),
            '\\' if self.rest().starts_with("\\\r\n") => self.skip(3),
            c if c.is_whitespace() => _ = self.take(),
            _ => self.word(),
        }
        true
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn comment(&mut self) {
        let length = self.rest().find('\n').unwrap_or(self.rest().len());
        self.skip(length);
    }

    fn word(&mut self) {
        let mut word = Growing {
            text: String::new(),
            start: self.at,
            quoted: false,
            changed: false,
            from: None,
            done: Vec::new(),
        };
        while let Some(c) = self.peek() {
            if c.is_whitespace() || matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')') {
                break;
            }
            self.take();
            match c {
                '\'' | '"' => self.quoted(c, &mut word),
                '\\' => self.escaped(&mut word),
                '$' => self.dollar(&mut word, false),
                '`' => self.substitution("`", &mut word),
                c => word.text.push(c),
            }
        }
        if self.opens_array(&word) {
            return;
        }
        self.finish(word);
    }

    /// `NAME=(` and `NAME+=(`.
    fn opens_array(&mut self, word: &Growing) -> bool {
        let Some(name) = word.text.strip_suffix('=').filter(|_| self.peek() == Some('(') && !word.changed)
        else {
            return false;
        };
        let (name, before) = match name.strip_suffix('+') {
            Some(name) => (name, self.variables.get(name).cloned().unwrap_or_default()),
            None => (name, Vec::new()),
        };
        if !is_name(name) {
            return false;
        }
        self.collecting = Some((name.to_owned(), before));
        self.take();
        true
    }

    fn close(&mut self) {
        match self.collecting.take() {
            Some((name, words)) => _ = self.variables.insert(name, words),
            None => self.end_command(),
        }
    }

    fn finish(&mut self, word: Growing) {
        let mut words = word.done;
        if !word.text.is_empty() || word.quoted {
            let origin = self.file.origin(word.start..self.at);
            let here = || Word { text: String::new(), origin, verbatim: !word.changed };
            words.push(Growing::word(word.text, word.from, here));
        }
        if std::mem::take(&mut self.skip_next) {
            return;
        }
        if let Some((_, collected)) = &mut self.collecting {
            collected.extend(words);
            return;
        }
        for word in words {
            if self.command.is_empty() && self.assign(&word) {
                continue;
            }
            self.command.push(word);
        }
    }

    /// `NAME=value` before any command.
    fn assign(&mut self, word: &Word) -> bool {
        let Some((name, value)) = word.text.split_once('=').filter(|(name, _)| is_name(name)) else {
            return false;
        };
        let origin = word.part(name.len().saturating_add(1)..word.text.len());
        let value = Word { text: value.to_owned(), origin, verbatim: word.verbatim };
        self.variables.insert(name.to_owned(), vec![value]);
        true
    }

    fn quoted(&mut self, quote: char, word: &mut Growing) {
        let opening = self.at.saturating_sub(1);
        word.quoted = true;
        word.changed = true;
        loop {
            match self.take() {
                None => {
                    let origin = self.file.origin(opening..opening.saturating_add(1));
                    let message = format!("the quote {quote} is not closed");
                    self.found.push(Diagnostic::new(&codes::QUOTE, origin, message).label("opens here"));
                    return;
                }
                Some(c) if c == quote => return,
                Some('\\') if quote == '"' => match self.take() {
                    Some('\n') | None => {}
                    Some(c @ ('"' | '\\' | '$' | '`')) => word.text.push(c),
                    Some(c) => word.text.extend(['\\', c]),
                },
                Some('$') if quote == '"' => self.dollar(word, true),
                Some('`') if quote == '"' => self.substitution("`", word),
                Some(c) => word.text.push(c),
            }
        }
    }

    fn escaped(&mut self, word: &mut Growing) {
        word.changed = true;
        match self.take() {
            Some('\n') | None => {}
            Some(c) => word.text.push(c),
        }
    }

    /// A variable, or what the shell would have to run.
    fn dollar(&mut self, word: &mut Growing, in_quotes: bool) {
        let start = self.at.saturating_sub(1);
        if self.peek() == Some('(') {
            self.take();
            return self.substitution(")", word);
        }
        let Some(name) = self.variable_name() else {
            word.text.push('$');
            return;
        };
        word.changed = true;
        // `${NAME:-default}` has its value with it.
        let (name, default) =
            name.split_once(":-").map_or((name.as_str(), None), |(name, value)| (name, Some(value)));
        let value = self.variables.get(name.trim_end_matches("[@]").trim_end_matches("[*]")).cloned();
        let here = self.file.origin(start..self.at);
        let value = value.or(default.map(|value| vec![Word::at(value, here.clone())]));
        let Some(value) = value else {
            let origin = here;
            let message = format!("the variable {name} is not set in this file");
            self.found.push(Diagnostic::new(&codes::SHELL, origin, message).label("stays as it is"));
            word.text.push_str(self.text.get(start..self.at).unwrap_or_default());
            return;
        };
        self.expanded = value
            .iter()
            .fold(self.expanded, |sum, part| sum.saturating_add(part.text.len()).saturating_add(8));
        if self.expanded > MOST_EXPANDED_BYTES {
            self.too_long(start);
            return;
        }
        let each = name.ends_with("[@]");
        expand(&value, each, in_quotes, word);
    }

    fn too_long(&mut self, start: usize) {
        let origin = self.file.origin(start..self.at);
        let message = "the values of variables make the command longer than 1 MiB";
        if !self.found.iter().any(|known| known.code == &codes::TOO_LONG) {
            self.found.push(Diagnostic::new(&codes::TOO_LONG, origin, message));
        }
    }

    fn variable_name(&mut self) -> Option<String> {
        if self.peek() == Some('{') {
            let length = self.rest().find('}')?;
            let name = self.rest().get(1..length)?.to_owned();
            self.skip(length.saturating_add(1));
            return Some(name);
        }
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = if length == 0 {
            rest.get(..1).filter(|c| matches!(*c, "@" | "*" | "#" | "?" | "!"))?
        } else {
            rest.get(..length)?
        };
        let name = name.to_owned();
        self.skip(name.len());
        Some(name)
    }

    /// `$(…)` or backquotes: told and left out.
    fn substitution(&mut self, end: &str, word: &mut Growing) {
        let start = self.at.saturating_sub(end.len());
        word.changed = true;
        let mut depth: usize = 1;
        while let Some(c) = self.take() {
            match c {
                '(' if end == ")" => depth = depth.saturating_add(1),
                ')' | '`' if end.starts_with(c) => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let origin = self.file.origin(start..self.at);
        let message = "the output of another command stands here, and the planner runs nothing";
        self.found.push(Diagnostic::new(&codes::SHELL, origin, message).label("left out"));
    }

    fn end_command(&mut self) {
        self.skip_next = false;
        let command = std::mem::take(&mut self.command);
        if !command.is_empty() {
            self.commands.push(command);
        }
    }
}

/// Puts the value of a variable into a word: as it is within quotes, word by word outside, an array element by element.
fn expand(value: &[Word], each: bool, in_quotes: bool, word: &mut Growing) {
    let mut first = true;
    for part in value {
        let pieces: Vec<&str> =
            if in_quotes { vec![part.text.as_str()] } else { part.text.split_whitespace().collect() };
        for piece in pieces {
            let joins = first || (in_quotes && !each);
            if !first && joins {
                word.text.push(' ');
            } else if !joins {
                let text = std::mem::take(&mut word.text);
                let here = || Word::at("", part.origin.clone());
                word.done.push(Growing::word(text, word.from.take(), here));
            }
            if word.text.is_empty() {
                word.from = Some((part.clone(), piece.len()));
            }
            word.text.push_str(piece);
            first = false;
        }
    }
    if first && each {
        word.quoted = false;
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
