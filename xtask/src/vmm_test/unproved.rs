//! What this machine cannot prove: the list of `tests/README.md`, printed where people see it.

use crate::{Failure, root, step};

const HEADING: &str = "## What cannot be proved here\n";

/// Prints the list.
pub(super) fn print() -> Result<(), Failure> {
    let text = std::fs::read_to_string(root().join("tests/README.md"))?;
    let list = list(&text).ok_or("tests/README.md does not say what cannot be proved")?;
    step(&format!("not proved here:\n{list}"));
    Ok(())
}

/// The list below the heading, as it is written.
fn list(text: &str) -> Option<&str> {
    let (_, below) = text.split_once(HEADING)?;
    let start = below.find("\n- ")? + 1;
    let list = below.get(start..)?;
    Some(list.split("\n\n").next().unwrap_or(list).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_ends_with_its_paragraph() {
        let text = format!("a\n\n{HEADING}\nWords:\n\n- b\n- c\n  d\n\n## E\n- f\n");
        assert_eq!(list(&text), Some("- b\n- c\n  d"));
        assert_eq!(list("- b\n"), None);
    }
}
