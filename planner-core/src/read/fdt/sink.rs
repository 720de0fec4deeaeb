//! Where diagnostics of one blob go, each with its place in the file.

use std::sync::Arc;

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

    /// Name of the file.
    pub(super) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// A stretch of the file.
    pub(super) fn origin(&self, offset: usize, length: usize) -> Origin {
        Origin::Bytes { file: Arc::clone(&self.file), offset, length }
    }

    /// Keeps a diagnostic about a stretch of the file.
    pub(super) fn say(
        &mut self,
        code: &'static Code,
        offset: usize,
        length: usize,
        message: impl Into<String>,
    ) {
        let origin = self.origin(offset, length);
        self.log.push(Diagnostic::new(code, origin, message));
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
