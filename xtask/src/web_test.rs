//! `cargo xtask web-test`: a person's way through the page, in a headless Chromium.
use crate::Failure;

/// Builds, serves, tests.
pub(crate) fn run() -> Result<(), Failure> {
    Err("to do".into())
}
