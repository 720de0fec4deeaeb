//! Words of a command line with their places, and the small part of the shell's language that scripts around a VMM use:
//! quotes, comments, continued lines, and variables and arrays that the same file sets.
//!
//! Left out: everything that would run something. Control structures are passed over word by word, so what stands in
//! every branch is read; a caller that minds asks for them.

mod expand;

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
    /// Whether it stands in the command itself rather than in a variable.
    here: bool,
}

impl Word {
    /// A word of this program's own command line.
    #[must_use]
    pub fn argument(text: &str) -> Self {
        Self { text: text.to_owned(), origin: Origin::argument(text), verbatim: false, here: true }
    }

    /// A word that stands for something in a file.
    #[must_use]
    pub fn at(text: impl Into<String>, origin: Origin) -> Self {
        Self { text: text.into(), origin, verbatim: false, here: true }
    }

    /// Whether the word stands in the file as it is here, and came from no variable.
    pub(super) fn is_written_here(&self) -> bool {
        self.here
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

/// Most things that only the shell knows that are kept; more help nobody.
const MOST_UNKNOWN: usize = 200;
/// Longest JSON object without quotes around it.
const LONGEST_JSON: usize = 1 << 14;
/// Most characters that are looked at ahead of their turn, in all: what opens and never closes must not be searched for
/// again and again.
const MOST_LOOKAHEAD: usize = 1 << 22;
/// Most faults of a text that are told.
const MOST_FAULTS: usize = 20;
/// Words of the shell before a command, and those that decide whether it runs.
const KEYWORDS: &[&str] = &["!", "do", "else", "then", "time", "{", "}", "fi", "done", "esac"];
const DECIDING: &[&str] = &["case", "elif", "for", "if", "select", "until", "while"];
/// Commands whose arguments set variables.
const DECLARING: &[&str] = &["declare", "export", "local", "readonly", "typeset"];
/// Most bytes that variables may add to the words of a file.
const MOST_EXPANDED_BYTES: usize = 1 << 20;

/// A shell script, as far as it can be read without running anything.
pub(super) struct Script {
    /// Its commands, in order, each a list of words.
    pub(super) commands: Vec<Vec<Word>>,
    /// What is wrong with the text itself.
    pub(super) found: Vec<Diagnostic>,
    /// What only a shell would know; the words hold it as it is written.
    pub(super) unknown: Vec<Unknown>,
    /// The first place where the shell would have to decide, and the number of commands before it.
    pub(super) branches: Option<(Origin, usize)>,
}

/// Something in a script that only the shell that runs it knows.
pub(super) struct Unknown {
    /// As it is written: `$MEM`, `$(nproc)`.
    pub(super) text: String,
    /// What it is, for people.
    pub(super) what: String,
    /// Where it stands.
    pub(super) origin: Origin,
}

/// The commands of a shell script, in order, each a list of words.
#[must_use]
pub fn commands(file: &TextFile, text: &str) -> (Vec<Vec<Word>>, Vec<Diagnostic>) {
    let Script { commands, mut found, unknown, .. } = script(file, text);
    found.extend(
        unknown.into_iter().map(|unknown| {
            Diagnostic::new(&codes::SHELL, unknown.origin, unknown.what).label("stays as it is")
        }),
    );
    (commands, found)
}

/// A shell script.
pub(super) fn script(file: &TextFile, text: &str) -> Script {
    let mut shell = Shell {
        file,
        text,
        at: 0,
        commands: Vec::new(),
        command: Vec::new(),
        // Without arguments, as a script is mostly started.
        variables: BTreeMap::from([("@".to_owned(), Vec::new())]),
        expanded: 0,
        lookahead: MOST_LOOKAHEAD,
        found: Vec::new(),
        unknown: Vec::new(),
        branches: None,
        collecting: None,
        skip_next: false,
    };
    while shell.step() {}
    shell.end_command();
    let Shell { commands, found, unknown, branches, .. } = shell;
    Script { commands, found, unknown, branches }
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
    /// Characters that may still be looked at ahead of their turn.
    lookahead: usize,
    found: Vec<Diagnostic>,
    unknown: Vec<Unknown>,
    branches: Option<(Origin, usize)>,
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
            Some((source, length)) if length == text.len() => Word {
                verbatim: source.verbatim && source.text == text,
                origin: source.origin,
                here: false,
                text,
            },
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
        if let Some(length) = self.bare_json() {
            let origin = self.file.origin(self.at..self.at.saturating_add(length));
            let text = self.rest().get(..length).unwrap_or_default().to_owned();
            self.skip(length);
            self.command.push(Word { text, origin, verbatim: true, here: true });
            return;
        }
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
                '`' => self.substitution("`", self.at.saturating_sub(1), &mut word),
                c => word.text.push(c),
            }
        }
        if self.opens_array(&word) {
            return;
        }
        self.finish(word);
    }

    /// The length of a JSON object that stands without quotes, as `ps` and logs print the arguments that libvirt writes.
    fn bare_json(&mut self) -> Option<usize> {
        let rest = self.text.get(self.at..)?;
        let inner = rest.strip_prefix('{')?;
        if self.command.is_empty() || !inner.trim_start().starts_with('"') {
            return None;
        }
        let most = LONGEST_JSON.min(self.lookahead);
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        for (at, c) in rest.char_indices().take(most) {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '{' if !quoted => depth = depth.saturating_add(1),
                '}' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                let length = at.saturating_add(1);
                self.lookahead = self.lookahead.saturating_sub(length);
                let is_json = serde_json::from_str::<serde_json::Value>(rest.get(..length)?).is_ok();
                return is_json.then_some(length);
            }
        }
        self.lookahead = self.lookahead.saturating_sub(most);
        None
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
            let here = || Word { text: String::new(), origin, verbatim: !word.changed, here: true };
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
            if self.command.is_empty() && KEYWORDS.contains(&word.text.as_str()) {
                continue;
            }
            if self.command.is_empty() && DECIDING.contains(&word.text.as_str()) && self.branches.is_none() {
                self.branches = Some((word.origin.clone(), self.commands.len()));
            }
            if self.sets_variables() && self.assign(&word) {
                continue;
            }
            self.command.push(word);
        }
    }

    /// Whether `NAME=value` sets a variable here: before any command, or behind one that declares.
    fn sets_variables(&self) -> bool {
        let mut words = self.command.iter();
        words.next().is_none_or(|first| DECLARING.contains(&first.text.as_str()))
            && words.all(|word| word.text.starts_with('-'))
    }

    /// `NAME=value` and `NAME+=value`.
    fn assign(&mut self, word: &Word) -> bool {
        let Some((name, value)) = word.text.split_once('=') else { return false };
        let start = name.len().saturating_add(1);
        let (name, adds) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        if !is_name(name) {
            return false;
        }
        let before = self.variables.get_mut(name).and_then(|words| words.first_mut()).filter(|_| adds);
        match before {
            Some(before) => {
                before.text.push_str(value);
                before.verbatim = false;
            }
            None => {
                let origin = word.part(start..word.text.len());
                let value = Word { text: value.to_owned(), origin, verbatim: word.verbatim, here: true };
                self.variables.insert(name.to_owned(), vec![value]);
            }
        }
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
                Some('`') if quote == '"' => self.substitution("`", self.at.saturating_sub(1), word),
                Some(c) => word.text.push(c),
            }
        }
    }

    fn escaped(&mut self, word: &mut Growing) {
        word.changed = true;
        let blanks = self.rest().find(|c| c != ' ' && c != '\t' && c != '\r').unwrap_or(0);
        if blanks > 0 && self.rest().get(blanks..).is_some_and(|rest| rest.starts_with('\n')) {
            let origin = self.file.origin(self.at.saturating_sub(1)..self.at.saturating_add(blanks));
            let message = "a space stands behind this `\\`, so the command ends with the line";
            let found = Diagnostic::new(&codes::BROKEN_LINE, origin, message);
            if self.found.len() < MOST_FAULTS {
                self.found.push(found.help("take the space away").label("no space behind it"));
            }
            self.skip(blanks);
        }
        match self.take() {
            Some('\n') | None => {}
            Some(c) => word.text.push(c),
        }
    }

    fn end_command(&mut self) {
        self.skip_next = false;
        let command = std::mem::take(&mut self.command);
        // `set -- …` sets the arguments of the script.
        if let [set, dashes, arguments @ ..] = command.as_slice()
            && (set.text.as_str(), dashes.text.as_str()) == ("set", "--")
        {
            self.variables.insert("@".into(), arguments.to_vec());
        }
        if !command.is_empty() {
            self.commands.push(command);
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
