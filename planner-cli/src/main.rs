//! The `planner` command.
fn main() {}
