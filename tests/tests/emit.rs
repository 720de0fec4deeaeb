//! What each plan of `cases/emit` becomes in each syntax, or why it cannot be said there.
//!
//! A case is a folder. `plan.json` is laid over `cases/emit/base.json` (RFC 7396 merge patch); the other files are
//! what must come out. `UPDATE_EXPECT=1 cargo test` writes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use planner_core::emit::{Target, emit, kernel_parameters, options, targets};
use planner_core::plan::Plan;
use serde_json::Value;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/emit")
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    into.remove(&key);
                } else {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (into, patch) => *into = patch,
    }
}

/// The plan of a case.
fn plan(case: &Path) -> Plan {
    let mut value = json(&cases().join("base.json"));
    merge(&mut value, json(&case.join("plan.json")));
    serde_json::from_value(value).unwrap_or_else(|why| panic!("{}: {why}", case.display()))
}

fn check(case: &Path) {
    let plan = plan(case);
    for option in options(&plan) {
        assert!(!option.flag.is_empty() && !option.why.is_empty());
    }
    let mut said = String::new();
    let mut written = BTreeSet::from(["plan.json".to_owned(), "said.txt".to_owned()]);
    for &(word, target) in Target::WORDS {
        match emit(&plan, target) {
            Ok(files) => {
                assert!(targets(&plan).contains(&target));
                for file in files {
                    let name = file.file;
                    expect_file![case.join(&name)].assert_eq(&file.text);
                    assert!(written.insert(name), "two targets share a file");
                }
            }
            Err(why) => {
                assert!(!targets(&plan).contains(&target));
                said += &format!("{word}: {why}\n");
            }
        }
    }
    for file in kernel_parameters(&plan) {
        let name = file.file;
        expect_file![case.join(&name)].assert_eq(&file.text);
        written.insert(name);
    }
    for option in options(&plan) {
        said += &format!("{}\n    {}\n", option.flag, option.why);
    }
    expect_file![case.join("said.txt")].assert_eq(&said);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        for stale in names_in(case).difference(&written) {
            fs::remove_file(case.join(stale)).expect("a file that was listed");
        }
    }
    assert_eq!(names_in(case), written, "files of {}", case.display());
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder of a case");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    entries.map(|entry| name(entry).expect("a name in UTF-8")).collect()
}

#[test]
fn every_case_comes_out_as_written() {
    let mut count = 0;
    for path in names_in(&cases()).iter().map(|name| cases().join(name)).filter(|path| path.is_dir()) {
        check(&path);
        count += 1;
    }
    assert!(count >= 30, "only {count} cases were found");
}
