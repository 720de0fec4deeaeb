//! Readers: files in, facts and diagnostics out. Nothing is believed here; [`crate::host`] does that.

pub mod capture;
pub mod check;
pub mod json;
pub mod language;
pub mod pci;

use crate::diag::Code;

/// Every kind of diagnostic of the readers, for `planner explain`: `L` for the language and for facts, `J` for JSON,
/// `C` for captures, `B` for configuration space.
pub fn codes() -> impl Iterator<Item = &'static Code> {
    [language::CODES, check::CODES, json::CODES, capture::codes::CODES, pci::codes::CODES]
        .into_iter()
        .flatten()
        .copied()
}
