//! Shared helpers of the test suites.

pub mod round_trip;
