//! The `planner` command.

#[cfg_attr(not(test), expect(dead_code, reason = "no verb reads an input yet"))]
mod input;

fn main() {}
