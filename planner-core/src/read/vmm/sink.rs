//! What the readers of configurations have to say: faults, and what they did not understand, told together at the end.

use super::codes;
use crate::diag::{Code, Diagnostic, Origin};
use crate::facts::configured::{RefusalFact, Stage};

/// Most words that the note on what was not understood lists.
const MOST_LISTED: usize = 40;
/// Most diagnostics of a reader; more help nobody.
const MOST_FOUND: usize = 200;

/// Collects diagnostics.
#[derive(Default)]
pub(super) struct Sink {
    found: Vec<Diagnostic>,
    odd: Vec<(Origin, String)>,
    gone: Vec<(Origin, String)>,
    refusals: Vec<RefusalFact>,
}

impl Sink {
    /// A diagnostic of this kind; its label waits to be set.
    pub(super) fn tell(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < MOST_FOUND {
            self.found.push(diagnostic);
        }
    }

    /// A diagnostic of this kind.
    pub(super) fn say(&mut self, code: &'static Code, origin: Origin, message: impl Into<String>) {
        self.tell(Diagnostic::new(code, origin, message));
    }

    /// `found`, where `expected` was wanted.
    pub(super) fn bad_value(&mut self, origin: Origin, what: &str, found: &str, expected: &str) {
        let message = format!("{what}: found `{found}`, expected {expected}");
        self.tell(Diagnostic::new(&codes::BAD_VALUE, origin, message).label(format!("expected {expected}")));
    }

    /// Words whose meaning is not known.
    pub(super) fn odd(&mut self, origin: Origin, words: impl Into<String>) {
        self.odd.push((origin, words.into()));
    }

    /// Words that newer versions no longer have.
    pub(super) fn gone(&mut self, origin: Origin, what: String) {
        self.gone.push((origin, what));
    }

    /// What the VMM itself would print.
    pub(super) fn refuse(&mut self, stage: Stage, origin: Origin, text: impl Into<String>) {
        self.refuse_with(stage, origin, text, None);
    }

    /// What the VMM itself would print, with the way out where one is known.
    pub(super) fn refuse_with(
        &mut self,
        stage: Stage,
        origin: Origin,
        text: impl Into<String>,
        help: Option<String>,
    ) {
        let text = text.into();
        if self.refusals.len() < MOST_FOUND {
            let message = format!("the VMM refuses this: {text}");
            let diagnostic = Diagnostic::new(&codes::REFUSED, origin.clone(), message);
            self.tell(match help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
            self.refusals.push(RefusalFact { stage, text, origin });
        }
    }

    /// Everything, and what the VMM refuses, the earliest first.
    pub(super) fn finish(mut self) -> (Vec<RefusalFact>, Vec<Diagnostic>) {
        if let Some((origin, first)) = self.odd.first() {
            let message = match self.odd.len() {
                1 => format!("`{first}` is not understood and does not count for the layout"),
                count => format!("{count} things are not understood and do not count for the layout"),
            };
            let mut diagnostic = Diagnostic::new(&codes::NOT_UNDERSTOOD, origin.clone(), message);
            if self.odd.len() > 1 {
                let listed = self.odd.iter().take(MOST_LISTED);
                diagnostic.notes = listed.map(|(origin, words)| format!("`{words}` ({origin})")).collect();
            }
            if let Some(more) = self.odd.len().checked_sub(MOST_LISTED).filter(|&more| more > 0) {
                diagnostic.notes.push(format!("and {more} more"));
            }
            self.found.push(diagnostic);
        }
        if let Some((origin, first)) = self.gone.first() {
            let message = format!("{first}; an older QEMU is assumed, because its version is not said");
            let mut diagnostic = Diagnostic::new(&codes::GONE, origin.clone(), message);
            let others = self.gone.iter().skip(1).take(MOST_LISTED);
            diagnostic.notes = others.map(|(origin, what)| format!("{what} ({origin})")).collect();
            self.found.push(diagnostic);
        }
        self.refusals.sort_by_key(|refusal| refusal.stage);
        (self.refusals, self.found)
    }
}
