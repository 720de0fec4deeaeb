//! Shared helpers of the test suites, and of the proof by running.

pub mod closed_schema;
pub mod round_trip;
