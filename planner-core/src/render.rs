//! Diagnostics as text, in the manner of rustc: the line, a caret under the words, the code, the other places
//! involved, notes and help.
//!
//! Nothing here decides what is wrong; see [`crate::diag`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin as Path, Renderer, Snippet,
    normalize_untrusted_str,
};

use crate::diag::{Diagnostic, Origin, Severity};

/// Whether to colour what is rendered, with ANSI escapes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// Plain text.
    #[default]
    Never,
    /// ANSI escapes.
    Always,
}

/// The texts that diagnostics point into, by their names.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: BTreeMap<String, Source>,
}

#[derive(Clone, Debug)]
struct Source {
    text: String,
    /// Where each line starts.
    lines: Vec<usize>,
}

impl Sources {
    /// No texts: diagnostics name their places and show none.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under the name that origins have for it.
    pub fn insert(&mut self, file: impl Into<String>, text: impl Into<String>) {
        let text = text.into();
        let breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        self.texts.insert(file.into(), Source { text, lines });
    }

    /// The text of this name.
    #[must_use]
    pub fn get(&self, file: &str) -> Option<&str> {
        self.texts.get(file).map(|source| source.text.as_str())
    }
}

/// Renders diagnostics, each followed by an empty line.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: Color) -> String {
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let _ = writeln!(out, "{}\n", render_one(diagnostic, sources, &renderer));
    }
    out
}

/// A stretch of a text to show: whole lines, and within them what to mark.
struct Shown<'s> {
    file: &'s str,
    lines: &'s str,
    /// Number of the first of the lines, from 1.
    first: usize,
    marked: Range<usize>,
}

fn render_one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.code.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(clean(&diagnostic.message)).id(diagnostic.code.id);
    let mut group = title.elements(std::iter::empty::<Element<'_>>());
    group = match sources.shown(&diagnostic.origin) {
        Some(shown) => group.element(snippet(&shown, AnnotationKind::Primary, &diagnostic.label)),
        None => place(group, diagnostic),
    };
    for (origin, label) in &diagnostic.related {
        group = match sources.shown(origin) {
            Some(shown) => group.element(snippet(&shown, AnnotationKind::Context, label)),
            None => group.element(Level::NOTE.message(clean(&format!("{label}: {origin}")))),
        };
    }
    let notes = diagnostic.notes.iter().map(|note| Level::NOTE.message(clean(note)));
    let help = diagnostic.help.iter().map(|help| Level::HELP.message(clean(help)));
    renderer.render(&[group.elements(notes).elements(help)])
}

fn place<'g>(group: Group<'g>, diagnostic: &'g Diagnostic) -> Group<'g> {
    match &diagnostic.origin {
        Origin::Unstated => group,
        Origin::Line { file, line } => group.element(Path::path(clean(file)).line(*line)),
        other => group.element(Path::path(clean(&other.to_string()))),
    }
}

fn snippet<'s>(shown: &Shown<'s>, kind: AnnotationKind, label: &'s str) -> Snippet<'s, Annotation<'s>> {
    let label = (!label.is_empty()).then(|| clean(label));
    Snippet::source(shown.lines)
        .path(clean(shown.file))
        .line_start(shown.first)
        .annotation(kind.span(shown.marked.clone()).label(label))
}

/// Text of others without control characters: a terminal must not obey it.
fn clean(text: &str) -> String {
    normalize_untrusted_str(text)
}

impl Sources {
    fn shown<'s>(&'s self, origin: &'s Origin) -> Option<Shown<'s>> {
        match origin {
            Origin::Text { file, start, end } => self.texts.get(&**file)?.stretch(file, *start, *end),
            Origin::Line { file, line } => {
                let source = self.texts.get(&**file)?;
                let start = *source.lines.get(line.checked_sub(1)?)?;
                let end = source.lines.get(*line).map_or(source.text.len(), |next| next.saturating_sub(1));
                source.stretch(file, start, end)
            }
            _ => None,
        }
    }
}

impl Source {
    /// The lines around these bytes. Odd ends are moved to the nearest sensible ones.
    fn stretch<'s>(&'s self, file: &'s str, start: usize, end: usize) -> Option<Shown<'s>> {
        let start = self.boundary(start);
        let end = self.boundary(end).max(start);
        let first = self.line_of(start);
        let last = self.line_of(end);
        let from = *self.lines.get(first)?;
        let to = self.lines.get(last + 1).copied().unwrap_or(self.text.len());
        let lines = self.text.get(from..to)?;
        Some(Shown { file, lines, first: first + 1, marked: start - from..end - from })
    }

    /// The nearest boundary of a character at or below this byte.
    fn boundary(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at.min(self.text.len()))
    }

    /// Index of the line that this byte stands in.
    fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|&start| start <= at).saturating_sub(1)
    }
}
