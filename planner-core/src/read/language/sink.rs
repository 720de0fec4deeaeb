//! Where the diagnostics of one text gather.

use std::ops::Range;

use super::codes;
use crate::diag::{Code, Diagnostic, Origin, TextFile};

/// Nobody reads more, and a file that is no description at all would give one for every word.
const MOST: usize = 200;

/// The diagnostics of one text.
pub(super) struct Sink {
    file: TextFile,
    list: Vec<Diagnostic>,
    dropped: usize,
}

impl Sink {
    pub(super) fn new(file: TextFile) -> Self {
        Self { file, list: Vec::new(), dropped: 0 }
    }

    /// A stretch of the text as an origin.
    pub(super) fn origin(&self, at: Range<usize>) -> Origin {
        self.file.origin(at)
    }

    /// A diagnostic of this kind for this stretch of the text.
    pub(super) fn at(&self, code: &'static Code, at: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.origin(at), message)
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < MOST {
            self.list.push(diagnostic);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        crate::diag::has_errors(&self.list)
    }

    /// What was gathered, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|diagnostic| match diagnostic.origin {
            Origin::Text { start, .. } => start,
            _ => usize::MAX,
        });
        if self.dropped > 0 {
            let message = format!("{} more faults are not shown", self.dropped);
            let origin = Origin::file(self.file.name());
            self.list.push(Diagnostic::new(&codes::TOO_MANY, origin, message));
        }
        self.list
    }
}
