//! Where a fact came from, and what is wrong with an input.
//!
//! Readers never stop at the first fault: they return what they understood and a list of [`Diagnostic`]s. Each has a
//! code that `planner explain` knows, one sentence, a place, the numbers that clash and, where there is one, the way out.
//! How they look on a screen is the business of [`crate::render`].

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Where a fact came from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Origin {
    /// Nobody said it: a default of this program.
    #[default]
    Unstated,
    /// A stretch of a text that people write.
    Text {
        /// Name of the text, as the user knows it.
        file: Arc<str>,
        /// Line of the first byte, from 1.
        line: usize,
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
    },
    /// One line of a file of a capture or of the live system.
    Line {
        /// Path within the capture, such as `proc/iomem`.
        file: Arc<str>,
        /// Line number, from 1.
        line: usize,
    },
    /// Bytes of a binary file.
    Bytes {
        /// Path within the capture.
        file: Arc<str>,
        /// First byte, from 0.
        offset: usize,
        /// Number of bytes.
        length: usize,
    },
    /// A whole file, or a directory, or its absence.
    File {
        /// Path within the capture, or name of the file.
        file: Arc<str>,
    },
    /// An argument of the command line.
    Argument {
        /// The argument as typed, such as `--memory 16G`.
        argument: String,
    },
    /// A rule of the kernel, of a VMM or of this planner.
    Rule {
        /// Identifier that `planner explain` knows, such as `K-SWMSI`.
        rule: String,
    },
}

impl Origin {
    /// A whole file.
    #[must_use]
    pub fn file(file: &str) -> Self {
        Self::File { file: file.into() }
    }
    /// One line of a file.
    #[must_use]
    pub fn line(file: &Arc<str>, line: usize) -> Self {
        Self::Line { file: Arc::clone(file), line }
    }
    /// A rule.
    #[must_use]
    pub fn rule(rule: &str) -> Self {
        Self::Rule { rule: rule.into() }
    }
    /// An argument of the command line.
    #[must_use]
    pub fn argument(argument: impl Into<String>) -> Self {
        Self::Argument { argument: argument.into() }
    }
}

/// In running text: `proc/iomem:12`, `host.host:7`, `--memory 16G`, `K-SWMSI`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unstated => f.write_str("default"),
            // The name alone: what is printed and drawn must not depend on where the file lies.
            Self::Text { file, line, .. } => {
                write!(f, "{}:{line}", file.rsplit('/').next().unwrap_or(file))
            }
            Self::Line { file, line } => write!(f, "{file}:{line}"),
            Self::Bytes { file, offset, .. } => write!(f, "{file}+{offset:#x}"),
            Self::File { file } => f.write_str(file),
            Self::Argument { argument } => f.write_str(argument),
            Self::Rule { rule } => f.write_str(rule),
        }
    }
}

/// A text that people write, as a source of origins.
#[derive(Clone, Debug)]
pub struct TextFile {
    name: Arc<str>,
    line_starts: Arc<[usize]>,
}

impl TextFile {
    /// The text of this name.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        let after_breaks =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at.saturating_add(1));
        Self { name: name.into(), line_starts: std::iter::once(0).chain(after_breaks).collect() }
    }
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
    /// A stretch of it, in bytes.
    #[must_use]
    pub fn origin(&self, at: std::ops::Range<usize>) -> Origin {
        let line = self.line_starts.partition_point(|&start| start <= at.start);
        Origin::Text { file: Arc::clone(&self.name), line, start: at.start, end: at.end }
    }
}

/// How much a diagnostic matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The input cannot be used.
    Error,
    /// The input can be used, but something in it is doubtful or missing.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// A kind of diagnostic: the row from which `planner explain CODE` speaks.
#[derive(PartialEq, Eq, Debug)]
pub struct Code {
    /// Stable identifier: a letter for the room and three digits. `L` language, `J` JSON, `C` capture, `B` configuration space, `H` host,
    /// `G` guest, `M` VMM, `P` plan, `V` verify, `E` emit.
    pub id: &'static str,
    /// How much diagnostics of this kind matter.
    pub severity: Severity,
    /// One line: what is wrong.
    pub title: &'static str,
    /// What it means, how it comes about, what to do about it. Several sentences.
    pub explanation: &'static str,
}

/// Declares the kinds of diagnostics of a room, each with the text for `planner explain`, and the list `CODES` of them.
#[macro_export]
macro_rules! diagnostic_codes {
    ($($name:ident = $id:literal $severity:ident $title:literal $explanation:literal;)+) => {
        $(
            #[doc = $title]
            pub static $name: $crate::diag::Code = $crate::diag::Code {
                id: $id,
                severity: $crate::diag::Severity::$severity,
                title: $title,
                explanation: $explanation,
            };
        )+
        /// Every kind of this room, in the order of the numbers.
        pub static CODES: &[&$crate::diag::Code] = &[$(&$name),+];
    };
}

pub use diagnostic_codes;

/// One thing that is wrong with, or worth knowing about, an input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// The kind.
    pub code: &'static Code,
    /// One sentence, lower case, no full stop, with the numbers that clash.
    pub message: String,
    /// The place.
    pub origin: Origin,
    /// What to write under the caret; may be empty.
    pub label: String,
    /// Other places involved, each with what to write there.
    pub related: Vec<(Origin, String)>,
    /// Further facts.
    pub notes: Vec<String>,
    /// Ways out.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic of this kind at this place.
    #[must_use]
    pub fn new(code: &'static Code, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            origin,
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }
    /// With this text under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
    /// With another place involved.
    #[must_use]
    pub fn related(mut self, origin: Origin, label: impl Into<String>) -> Self {
        self.related.push((origin, label.into()));
        self
    }
    /// With a further fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
    /// With a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
    /// Whether the input cannot be used because of it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.code.severity == Severity::Error
    }
}

/// Whether any of them is an error.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}

/// In JSON a diagnostic carries its code's id and severity.
impl Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            code: &'a str,
            severity: Severity,
            message: &'a str,
            origin: &'a Origin,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            notes: &'a [String],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            help: &'a [String],
        }
        Json {
            code: self.code.id,
            severity: self.code.severity,
            message: &self.message,
            origin: &self.origin,
            notes: &self.notes,
            help: &self.help,
        }
        .serialize(serializer)
    }
}
