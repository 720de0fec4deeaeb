//! Readers: files in, facts and diagnostics out.

pub mod capture;
