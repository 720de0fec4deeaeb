//! Collects diagnostics, a bounded number of each kind: a hostile capture must not fill the screen.

use crate::diag::{Code, Diagnostic, Origin};

/// How many diagnostics of one kind are kept; the last of them says how many more there were.
const MAX_OF_A_KIND: usize = 10;
/// How much of an untrusted text is repeated in a message, in characters.
const MAX_QUOTED: usize = 120;

/// Diagnostics of one run of a reader.
#[derive(Debug, Default)]
pub struct Log {
    kept: Vec<Diagnostic>,
    /// How many of each kind there were. Kinds are few.
    counts: Vec<(&'static Code, usize)>,
    /// Where it happened, for diagnostics that name no place of their own.
    place: Origin,
}

impl Log {
    /// Nothing yet. Diagnostics that name no place happened in this file.
    #[must_use]
    pub fn of(file: &str) -> Self {
        Self { place: Origin::file(file), ..Self::default() }
    }

    /// Keeps or counts a diagnostic.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        let code = diagnostic.code;
        let count = match self.counts.iter_mut().find(|(other, _)| other.id == code.id) {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count
            }
            None => {
                self.counts.push((code, 1));
                1
            }
        };
        if count <= MAX_OF_A_KIND {
            if diagnostic.origin == Origin::Unstated {
                diagnostic.origin = self.place.clone();
            }
            self.kept.push(diagnostic);
        }
    }

    /// Keeps or counts each of them.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// What was kept, in the order of arrival.
    #[must_use]
    pub fn finish(mut self) -> Vec<Diagnostic> {
        for (code, count) in self.counts {
            let last = self.kept.iter_mut().rev().find(|kept| kept.code == code);
            if let (Some(last), Some(more @ 1..)) = (last, count.checked_sub(MAX_OF_A_KIND)) {
                last.notes.push(format!("{more} more of this kind are not shown"));
            }
        }
        self.kept
    }
}

/// An untrusted text for a message: control characters escaped, cut after 120 characters.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_QUOTED).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
