//! Diagnostics as text, in the manner of rustc: the line, a caret under the words, the code, the other places
//! involved, notes and help.
//!
//! Nothing here decides what is wrong; see [`crate::diag`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    AnnotationKind, Element, Level, Message, Origin as Path, Renderer, Snippet, normalize_untrusted_str,
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
    marks: Vec<Marked<'s>>,
}

/// Bytes of a text to mark, and what to write there.
struct Marked<'s> {
    kind: AnnotationKind,
    at: Range<usize>,
    label: &'s str,
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
        group = group.elements(shown.elements());
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

/// Bytes of lines that are shown: the renderer looks at every character of them, for each diagnostic.
const MOST_SHOWN: usize = 1 << 20;

impl<'s> Shown<'s> {
    /// What the renderer is given: the lines with all marks, or of endless lines the places alone.
    fn elements(self) -> Vec<Element<'s>> {
        let lines = self.source.lines(self.first, self.last);
        if lines.len() > MOST_SHOWN {
            return self.marks.iter().map(|mark| self.place(mark).into()).collect();
        }
        let text = printable(self.source.text.get(lines.clone()).unwrap_or_default());
        let mut snippet =
            Snippet::source(text).path(clean(self.file)).line_start(self.first.saturating_add(1));
        for mark in self.marks {
            let within = mark.at.start.saturating_sub(lines.start)..mark.at.end.saturating_sub(lines.start);
            let label = (!mark.label.is_empty()).then(|| clean(mark.label));
            snippet = snippet.annotation(mark.kind.span(within).label(label));
        }
        vec![snippet.into()]
    }

    /// The line and column of a mark.
    fn place(&self, mark: &Marked<'s>) -> Path<'s> {
        let line = self.source.line_of(mark.at.start);
        let start = self.source.lines(line, line).start;
        let before = self.source.text.get(start..mark.at.start).unwrap_or_default().chars().count();
        Path::path(clean(self.file)).line(line.saturating_add(1)).char_column(before.saturating_add(1))
    }
}

/// Text of others without control characters: a terminal must not obey it.
fn clean(text: &str) -> String {
    normalize_untrusted_str(&printable(text))
}

/// The text with the control characters U+0080 to U+009F replaced by one of the same length in UTF-8. The renderer takes
/// care of all others, but of these, which some terminals obey, it does not.
fn printable(text: &str) -> Cow<'_, str> {
    let obeyed = |c: char| ('\u{80}'..='\u{9f}').contains(&c);
    if text.contains(obeyed) { text.replace(obeyed, "\u{bf}").into() } else { text.into() }
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
            marks: vec![Marked { kind: mark.kind, at: start..end, label: mark.label }],
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

    /// The bytes of lines by the indices of the first and the last, with their ends.
    fn lines(&self, first: usize, last: usize) -> Range<usize> {
        let start = self.lines.get(first).copied().unwrap_or(self.text.len());
        let end = self.lines.get(last.saturating_add(1)).copied().unwrap_or(self.text.len());
        start..end.max(start)
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
