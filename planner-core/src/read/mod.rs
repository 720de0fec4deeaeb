//! Readers.

pub mod language;
