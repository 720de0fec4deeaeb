//! Jobs of several steps.
fn main() {}
