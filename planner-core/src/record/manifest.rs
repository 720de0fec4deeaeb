//! `MANIFEST`: what a capture holds, what it lacks and why, and what was redacted in it. A text for people, of one line
//! for each file, that is read again where a capture is made of a capture.

use std::fmt;

use serde::Serialize;

use super::Redaction;
use crate::read::capture::Tree;

/// In which way something is not as it was on the machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// It is there and could not be read.
    Unread,
    /// A part of it could be read.
    Partly,
    /// It was not taken, or taken out again, because it could not be redacted.
    LeftOut,
    /// Something in it was taken out.
    Redacted,
}

impl Lack {
    /// The word of the manifest.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Partly => "partly",
            Self::LeftOut => "left-out",
            Self::Redacted => "redacted",
        }
    }
}

const LACKS: [Lack; 4] = [Lack::Unread, Lack::Partly, Lack::LeftOut, Lack::Redacted];

/// What a capture lacks of one file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, schemars::JsonSchema)]
pub struct Note {
    /// In which way.
    pub lack: Lack,
    /// The file.
    pub path: String,
    /// Why, or what.
    pub why: String,
}

/// What a capture holds and lacks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// What made it.
    pub maker: String,
    /// Whether it was redacted.
    pub redaction: Redaction,
    /// What it lacks, sorted, each once.
    pub notes: Vec<Note>,
    /// What it holds: files, links and directories, ascending.
    pub read: Vec<String>,
}

/// Most lines of a foreign manifest that are looked at: more than the files of the largest capture.
const MAX_LINES: usize = 400_000;

impl Manifest {
    /// Nothing yet, made by this program.
    pub(super) fn new(redaction: Redaction) -> Self {
        let maker = concat!("planner ", env!("CARGO_PKG_VERSION")).to_owned();
        Self { maker, redaction, notes: Vec::new(), read: Vec::new() }
    }

    /// Takes over what an earlier manifest says is lacking: what was redacted then is still redacted.
    pub(super) fn take_over(&mut self, earlier: &Self) {
        self.notes.extend(earlier.notes.iter().cloned());
        if earlier.redaction == Redaction::On {
            self.redaction = Redaction::On;
        }
    }

    /// Lists what the tree holds, and sorts.
    pub(super) fn finish(&mut self, tree: &Tree) {
        self.read = tree.iter().map(|(path, _)| path.to_owned()).collect();
        self.notes.sort();
        self.notes.dedup();
    }

    /// What the text says. Lines that are no part of a manifest are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut manifest =
            Self { maker: String::new(), redaction: Redaction::Off, notes: Vec::new(), read: Vec::new() };
        for line in text.lines().take(MAX_LINES) {
            let Some((word, rest)) = line.split_once(' ') else { continue };
            match word {
                "maker" => rest.clone_into(&mut manifest.maker),
                "redaction" if rest == "on" => manifest.redaction = Redaction::On,
                "read" => manifest.read.push(rest.to_owned()),
                _ => manifest.notes.extend(note(word, rest)),
            }
        }
        manifest
    }
}

fn note(word: &str, rest: &str) -> Option<Note> {
    let lack = LACKS.into_iter().find(|lack| lack.word() == word)?;
    let (path, why) = rest.split_once(": ")?;
    Some(Note { lack, path: path.to_owned(), why: why.to_owned() })
}

/// The first lines of a manifest.
pub(super) const HEADING: &str = "\
# A capture of a host for `planner`. `read` is what it holds. The other lines say what it lacks: what could not be
# read, was read in part, was left out, or was redacted, and why.
";

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEADING)?;
        let redaction = if self.redaction == Redaction::On { "on" } else { "off" };
        write!(f, "maker {}\nredaction {redaction}\n", self.maker)?;
        for Note { lack, path, why } in &self.notes {
            writeln!(f, "{} {path}: {why}", lack.word())?;
        }
        self.read.iter().try_for_each(|path| writeln!(f, "read {path}"))
    }
}
