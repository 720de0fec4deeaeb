//! Where diagnostics of one blob go, each with its place in the file.

use std::sync::Arc;

use super::codes;
use crate::diag::{Code, Diagnostic, Origin};
use crate::read::capture::log::Log;

/// Diagnostics of one blob.
pub(super) struct Sink {
    file: Arc<str>,
    log: Log,
}

impl Sink {
    /// Nothing yet, about the file of this name.
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.into(), log: Log::of(file) }
    }

    /// A stretch of the file.
    pub(super) fn origin(&self, offset: usize, length: usize) -> Origin {
        Origin::Bytes { file: Arc::clone(&self.file), offset, length }
    }

    /// Keeps a diagnostic about a stretch of the file, with the way out that its kind has.
    pub(super) fn say(
        &mut self,
        code: &'static Code,
        offset: usize,
        length: usize,
        message: impl Into<String>,
    ) {
        self.say_at(code, self.origin(offset, length), message);
    }

    /// As [`Sink::say`], about what an origin names.
    pub(super) fn say_at(&mut self, code: &'static Code, origin: Origin, message: impl Into<String>) {
        let diagnostic = Diagnostic::new(code, origin, message);
        let way_out = codes::WAYS_OUT.iter().find(|(with, _)| *with == code);
        self.push(match way_out {
            Some((_, help)) => diagnostic.help(*help),
            None => diagnostic,
        });
    }

    /// Keeps a diagnostic.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.log.push(diagnostic);
    }

    /// What was kept.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.log.finish()
    }
}
