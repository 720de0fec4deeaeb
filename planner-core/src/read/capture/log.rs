//! Collects diagnostics, a bounded number of each kind: a hostile capture must not fill the screen.

use crate::diag::{Code, Diagnostic};

/// How many diagnostics of one kind are kept; the last of them says how many more there were.
const MAX_OF_A_KIND: usize = 10;
/// How much of an untrusted text is repeated in a message, in characters.
const MAX_QUOTED: usize = 60;

/// Diagnostics of one run of a reader.
#[derive(Debug, Default)]
pub(super) struct Log {
    kept: Vec<Diagnostic>,
    /// How many of each kind there were. Kinds are few.
    counts: Vec<(&'static Code, usize)>,
}

impl Log {
    /// Keeps or counts a diagnostic.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
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
            self.kept.push(diagnostic);
        }
    }

    /// What was kept, in the order of arrival.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        for (code, count) in self.counts {
            let last = self.kept.iter_mut().rev().find(|kept| kept.code == code);
            if let (Some(last), Some(more @ 1..)) = (last, count.checked_sub(MAX_OF_A_KIND)) {
                last.notes.push(format!("{more} more of this kind are not shown"));
            }
        }
        self.kept
    }
}

/// An untrusted text for a message: control characters escaped, cut after 60 characters.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_QUOTED).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
