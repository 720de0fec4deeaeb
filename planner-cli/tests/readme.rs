//! The README shows real output: every block below `<!-- output: ARGUMENTS -->` is what the command prints.
//! `UPDATE_EXPECT=1 cargo test` rewrites them.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the command prints, run from the root of the repository.
fn output(arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_planner"))
        .args(arguments.split_whitespace())
        .current_dir(root())
        .env("COLUMNS", "100")
        .env_remove("NO_COLOR")
        .output()
        .expect("the command starts");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The text with every block replaced by what its command prints.
fn renewed(readme: &str) -> String {
    const MARK: &str = "<!-- output: ";
    let mut parts = readme.split(MARK);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (arguments, rest) = part.split_once(" -->\n```text\n").expect("a block follows the mark");
        let (_, after) = rest.split_once("```\n").expect("the block ends");
        text.push_str(&format!("{MARK}{arguments} -->\n```text\n{}```\n{after}", output(arguments)));
    }
    text
}

#[test]
fn the_readme_shows_real_output() {
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).expect("README.md");
    assert_eq!(readme.matches("<!-- output: ").count(), 2);
    expect_test::expect_file![path.canonicalize().expect("README.md")].assert_eq(&renewed(&readme));
}
