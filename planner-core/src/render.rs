//! Diagnostics as text, in the manner of rustc: the line, a caret under the words, the code, the other places
//! involved, notes and help.
//!
//! Nothing here decides what is wrong; see [`crate::diag`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    Annotation, AnnotationKind, Level, Message, Origin as Path, Renderer, Snippet, normalize_untrusted_str,
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

/// Lines of a text to show, and what to mark in them.
struct Shown<'s> {
    file: &'s str,
    source: &'s Source,
    /// Index of the first line.
    first: usize,
    /// Index of the last line.
    last: usize,
    /// What to mark, in bytes of the text, each with what to write there.
    marks: Vec<(AnnotationKind, Range<usize>, &'s str)>,
}

fn render_one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.code.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(clean(&diagnostic.message)).id(diagnostic.code.id);
    let primary =
        Mark { origin: &diagnostic.origin, label: &diagnostic.label, kind: AnnotationKind::Primary };
    let related = diagnostic.related.iter().map(|(origin, label)| Mark {
        origin,
        label,
        kind: AnnotationKind::Context,
    });
    let mut notes: Vec<Message<'_>> = Vec::new();
    let mut snippets: Vec<Shown<'_>> = Vec::new();
    for mark in std::iter::once(primary).chain(related) {
        match sources.shown(&mark) {
            Some(shown) => join(shown, &mut snippets),
            None if matches!(mark.kind, AnnotationKind::Primary) => {}
            None => notes.push(Level::NOTE.message(clean(&format!("{}: {}", mark.label, mark.origin)))),
        }
    }
    notes.extend(diagnostic.notes.iter().map(|note| Level::NOTE.message(clean(note))));
    notes.extend(diagnostic.help.iter().map(|help| Level::HELP.message(clean(help))));
    let mut group = title.elements(place(diagnostic, sources));
    for shown in snippets {
        group = group.element(shown.snippet());
    }
    renderer.render(&[group.elements(notes)])
}

/// Something to point at.
struct Mark<'d> {
    origin: &'d Origin,
    label: &'d str,
    kind: AnnotationKind,
}

/// A line for the place of a diagnostic whose text is not at hand.
fn place<'p>(diagnostic: &Diagnostic, sources: &Sources) -> Option<Path<'p>> {
    let mark = Mark { origin: &diagnostic.origin, label: "", kind: AnnotationKind::Primary };
    match &diagnostic.origin {
        _ if sources.shown(&mark).is_some() => None,
        Origin::Unstated => None,
        Origin::Line { file, line } => Some(Path::path(clean(file)).line(*line)),
        other => Some(Path::path(clean(&other.to_string()))),
    }
}

/// Adds what is to be shown to a stretch of the same text near by, or else on its own.
fn join<'s>(shown: Shown<'s>, snippets: &mut Vec<Shown<'s>>) {
    /// Between the first and the last line of one picture.
    const FARTHEST: usize = 40;
    let near = snippets.iter_mut().find(|other| {
        let (first, last) = (other.first.min(shown.first), other.last.max(shown.last));
        std::ptr::eq(other.source, shown.source) && last.saturating_sub(first) <= FARTHEST
    });
    match near {
        Some(other) => {
            other.first = other.first.min(shown.first);
            other.last = other.last.max(shown.last);
            other.marks.extend(shown.marks);
        }
        None => snippets.push(shown),
    }
}

impl<'s> Shown<'s> {
    fn snippet(self) -> Snippet<'s, Annotation<'s>> {
        let from = self.source.lines.get(self.first).copied().unwrap_or(0);
        let to =
            self.source.lines.get(self.last.saturating_add(1)).copied().unwrap_or(self.source.text.len());
        let lines = self.source.text.get(from..to).unwrap_or_default();
        let mut snippet =
            Snippet::source(lines).path(clean(self.file)).line_start(self.first.saturating_add(1));
        for (kind, marked, label) in self.marks {
            let label = (!label.is_empty()).then(|| clean(label));
            let within = marked.start.saturating_sub(from)..marked.end.saturating_sub(from);
            snippet = snippet.annotation(kind.span(within).label(label));
        }
        snippet
    }
}

/// Text of others without control characters: a terminal must not obey it.
fn clean(text: &str) -> String {
    normalize_untrusted_str(text)
}

impl Sources {
    fn shown<'s>(&'s self, mark: &Mark<'s>) -> Option<Shown<'s>> {
        let (file, range) = match mark.origin {
            Origin::Text { file, start, end, .. } => (file, *start..*end),
            Origin::Line { file, line } => (file, self.texts.get(&**file)?.line(*line)?),
            _ => return None,
        };
        let source = self.texts.get(&**file)?;
        // Odd ends are moved to the nearest sensible ones.
        let start = source.boundary(range.start);
        let end = source.boundary(range.end).max(start);
        Some(Shown {
            file,
            source,
            first: source.line_of(start),
            last: source.line_of(end),
            marks: vec![(mark.kind, start..end, mark.label)],
        })
    }
}

impl Source {
    /// The nearest boundary of a character at or below this byte.
    fn boundary(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at.min(self.text.len()))
    }

    /// Index of the line that this byte stands in.
    fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|&start| start <= at).saturating_sub(1)
    }

    /// The bytes of a line by its number from 1, without its end.
    fn line(&self, number: usize) -> Option<Range<usize>> {
        let start = *self.lines.get(number.checked_sub(1)?)?;
        let end = self.lines.get(number).copied().unwrap_or(self.text.len());
        let line = self.text.get(start..end)?;
        let indent = line.len().saturating_sub(line.trim_ascii_start().len());
        Some(
            start.saturating_add(indent).min(end)
                ..start.saturating_add(line.trim_ascii_end().len()).max(start),
        )
    }
}
