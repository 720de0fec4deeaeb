//! The browser planner.
fn main() {}
