//! Readers: files in, facts and diagnostics out. Nothing is believed here; [`crate::host`] does that.

pub mod capture;
pub mod check;
pub mod json;
pub mod language;
