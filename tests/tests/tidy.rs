//! House rules that no compiler knows, checked on the text of the whole workspace: which room may use which, how long
//! files and functions are, what must not be in the repository, and that the codes of diagnostics are unique.
//!
//! Each rule is a function from text to complaints. At the end of the file each is shown a bad sample and must complain.
//! The rules lean on rustfmt: an item ends at the first `}` that stands as far left as the item.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Usable by every room, and by one another.
const VOCABULARY: &[&str] = &["addr", "size", "span_set", "ids", "version", "diag", "render"];

/// A room of planner-core, besides itself and the vocabulary, may use the rooms of the first list, and of those of the
/// second list the types only.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    ("facts", &[], &[]),
    ("read", &["facts"], &[]),
    // The other way round: from what was read to a capture.
    ("record", &["read"], &[]),
    ("host", &["facts"], &[]),
    ("kernel", &["facts", "host"], &[]),
    ("vmm", &["facts"], &[]),
    ("guest", &["facts", "host", "vmm"], &[]),
    ("plan", &["facts", "host", "kernel", "guest", "vmm"], &[]),
    // The second opinion: it asks the VMM's model again, and knows what a plan is but not how one is found.
    ("verify", &["facts", "host", "kernel", "guest", "vmm"], &["plan"]),
    // Syntax only.
    ("emit", &["facts", "guest"], &["vmm", "plan"]),
    ("map", &["facts", "host", "kernel", "guest", "vmm"], &["plan"]),
    // A configuration as it stands, beside the plan that it could become.
    ("existing", &["facts", "host", "kernel", "guest", "vmm", "plan"], &[]),
    ("inspect", &["facts", "record", "host"], &["map"]),
    // The two that look back on all of it.
    ("advise", ALL_BUT_THE_LAST, &[]),
    ("explain", ALL_BUT_THE_LAST, &[]),
    // All of it in one call.
    (
        "answer",
        &[
            "facts", "read", "host", "kernel", "vmm", "guest", "plan", "verify", "emit", "map", "advise",
            "existing",
        ],
        &[],
    ),
];
const ALL_BUT_THE_LAST: &[&str] =
    &["facts", "read", "host", "kernel", "vmm", "guest", "plan", "verify", "emit", "map"];

/// No file is longer, tests aside.
const MOST_LINES_OF_A_FILE: usize = 600;
/// No function is longer, tests aside.
const MOST_LINES_OF_A_FUNCTION: usize = 70;

#[test]
fn rooms_use_only_what_lies_before_them() {
    complain(rust_files().filter_map(|(path, text)| {
        let inside = path.strip_prefix("planner-core/src/")?;
        Some(forbidden_uses(inside, &text))
    }));
}

#[test]
fn the_core_depends_on_nothing_of_ours() {
    let manifest = fs::read_to_string(root().join("planner-core/Cargo.toml")).unwrap();
    complain([own_dependencies(&manifest)]);
}

#[test]
fn files_and_functions_are_short() {
    complain(rust_files().filter(|(path, _)| !is_test(path)).map(|(path, text)| too_long(&path, &text)));
}

#[test]
fn files_say_what_they_hold() {
    complain(rust_files().filter(|(path, _)| !is_test(path)).map(|(path, text)| no_opening(&path, &text)));
}

#[test]
fn nothing_is_left_unfinished() {
    complain(rust_files().map(|(path, text)| unfinished(&path, &text)));
}

#[test]
fn files_name_no_place_outside_the_repository() {
    complain(files().map(|(path, text)| outside_places(&path, &text)));
}

/// Far below the number of codes that there are, and far above what a check that has gone blind would see.
const LEAST_CODES: usize = 40;

#[test]
fn codes_of_diagnostics_are_unique() {
    let files = rust_files().filter(|(path, _)| !is_test(path));
    let rows: Vec<_> = files.flat_map(|(path, text)| code_rows(&path, &text)).collect();
    assert!(rows.len() > LEAST_CODES, "only {} rows found: are they written in another way now?", rows.len());
    complain([bad_codes(rows)]);
}

fn complain(complaints: impl IntoIterator<Item = Vec<String>>) {
    let all: Vec<String> = complaints.into_iter().flatten().collect();
    assert!(all.is_empty(), "{} complaints:\n{}", all.len(), all.join("\n"));
}

// ---- The files.

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}

fn rust_files() -> impl Iterator<Item = (String, String)> {
    files().filter(|(path, _)| path.ends_with(".rs"))
}

/// Path from the root, with `/`, and content of every text file that git would track.
fn files() -> impl Iterator<Item = (String, String)> {
    let ignored = fs::read_to_string(root().join(".gitignore")).expect(".gitignore is a text file");
    let ignored: Vec<String> = ignored.lines().map(|line| anchored(line).to_owned()).collect();
    let mut paths = Vec::new();
    walk(&root(), "", &ignored, &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "only {} files found below {}", paths.len(), root().display());
    paths.into_iter().filter_map(|path| Some((path.clone(), fs::read_to_string(root().join(&path)).ok()?)))
}

/// What a line of `.gitignore` leaves out. Only paths from the root are understood here, so only those may be written.
fn anchored(line: &str) -> &str {
    line.strip_prefix('/').filter(|path| !path.contains('*')).unwrap_or_else(|| {
        panic!(".gitignore: `{line}` is no plain path from the root, which is all that tidy.rs understands")
    })
}

fn walk(folder: &Path, inside: &str, ignored: &[String], found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("folders can be read") {
        let entry = entry.expect("folders can be read");
        let name = entry.file_name().into_string().expect("names of files are UTF-8");
        let path = if inside.is_empty() { name } else { format!("{inside}/{name}") };
        if path == ".git" || ignored.contains(&path) {
            continue;
        }
        let kind = entry.file_type().expect("every entry has a type");
        if kind.is_dir() {
            walk(&entry.path(), &path, ignored, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

// ---- The rules.

/// `path` is the file's path below `planner-core/src`.
fn forbidden_uses(path: &str, text: &str) -> Vec<String> {
    if path == "lib.rs" || is_test(&format!("/{path}")) {
        return Vec::new();
    }
    let modules: Vec<&str> = path.trim_end_matches(".rs").split('/').filter(|&name| name != "mod").collect();
    let room = modules[0];
    if !is_known(room) {
        return vec![format!(
            "planner-core/src/{path}: `{room}` is no room: give it a row in tests/tests/tidy.rs"
        )];
    }
    let uses = crate_paths(&code(text), modules.len());
    let refused = uses.iter().filter_map(|(line, used)| Some((line, used, refusal(room, used)?)));
    refused
        .map(|(line, used, why)| format!("planner-core/src/{path}:{line}: `crate::{used}`: {why}"))
        .collect()
}

fn is_known(room: &str) -> bool {
    VOCABULARY.contains(&room) || ROOMS.iter().any(|&(name, ..)| name == room)
}

fn refusal(room: &str, used: &str) -> Option<String> {
    let (target, item) = used.split_once("::").unwrap_or((used, ""));
    let (_, whole, types) =
        ROOMS.iter().find(|&&(name, ..)| name == room).unwrap_or(&("vocabulary", &[], &[]));
    if target == room || VOCABULARY.contains(&target) || whole.contains(&target) {
        None
    } else if !is_known(target) {
        Some(format!("`{target}` is no room: name the room, or give it a row in tests/tests/tidy.rs"))
    } else if !types.contains(&target) {
        Some(format!("`{room}` must not use `{target}`"))
    } else if item.starts_with(|c: char| c.is_ascii_uppercase()) {
        None
    } else {
        Some(format!("`{room}` may use the types of `{target}` only, each by its name"))
    }
}

fn own_dependencies(manifest: &str) -> Vec<String> {
    let named =
        |line: &&str| line.starts_with("planner") || line.contains("path =") && !line.starts_with('[');
    manifest.lines().filter(named).map(|line| format!("planner-core/Cargo.toml: `{line}`")).collect()
}

fn too_long(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES_OF_A_FILE {
        complaints.push(format!("{path}: {lines} lines, more than {MOST_LINES_OF_A_FILE}"));
    }
    for (line, length, name) in functions(&code(text)) {
        if length > MOST_LINES_OF_A_FUNCTION {
            complaints
                .push(format!("{path}:{line}: {name}: {length} lines, more than {MOST_LINES_OF_A_FUNCTION}"));
        }
    }
    complaints
}

fn no_opening(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//! ") {
        return Vec::new();
    }
    vec![format!("{path}: does not open with `//!`, what it holds and what it leaves out")]
}

fn unfinished(path: &str, text: &str) -> Vec<String> {
    let code = blank(text);
    let marks = ["todo!", "unimplemented!", "dbg!", "#[ignore"];
    let found = code.lines().enumerate().flat_map(|(index, line)| {
        marks.into_iter().filter(|mark| line.contains(mark)).map(move |mark| (index + 1, mark))
    });
    found.map(|(line, mark)| format!("{path}:{line}: `{mark}`")).collect()
}

fn outside_places(path: &str, text: &str) -> Vec<String> {
    // In pieces, or this file would complain about itself.
    let relative = concat!("../", "shared");
    let absolute =
        [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/"), concat!("/", "Users/")];
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let starts_path =
            |(at, _): (usize, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}".contains(c));
        let named = absolute.into_iter().find(|place| line.match_indices(place).any(starts_path));
        if let Some(place) = named.or(line.contains(relative).then_some(relative)) {
            complaints.push(format!("{path}:{}: `{place}` is a place outside the repository", index + 1));
        }
    }
    complaints
}

/// Place and id of every row that gives a code its meaning. They are written in three ways: `Code { id: "L001"`, in the
/// `codes!` tables `NAME = "L001" Error`, and in verify's list of checks `("V001", "…`.
fn code_rows(path: &str, text: &str) -> Vec<(String, String)> {
    let text = without_tests(text);
    let row = |(at, _): (usize, &str)| {
        let before = &text[..at];
        let (id, after) = text[at + 1..].split_once('"')?;
        let severity = ["Error", "Warning", "Note"].iter().any(|word| after.trim_start().starts_with(word));
        let field = before.strip_suffix("id: ").is_some_and(|before| before.trim_end().ends_with("Code {"));
        let listed = before.ends_with("    (") && after.starts_with(", \"") && is_code_id(id);
        let line = before.matches('\n').count() + 1;
        (field || listed || before.ends_with(" = ") && severity)
            .then(|| (format!("{path}:{line}"), id.to_owned()))
    };
    text.match_indices('"').filter_map(row).collect()
}

fn is_code_id(id: &str) -> bool {
    matches!(id.as_bytes(), [letter, digits @ ..]
        if letter.is_ascii_uppercase() && digits.len() == 3 && digits.iter().all(u8::is_ascii_digit))
}

fn bad_codes(rows: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let mut places = BTreeMap::new();
    let mut complaints = Vec::new();
    for (place, id) in rows {
        if !is_code_id(&id) {
            complaints.push(format!("{place}: the code `{id}` is not a capital letter and three digits"));
        }
        if let Some(other) = places.insert(id.clone(), place.clone()) {
            complaints.push(format!("{place}: the code `{id}` is taken by {other}"));
        }
    }
    complaints
}

// ---- Reading Rust.

/// What counts: no comments, no content of strings, no test modules. Lines keep their numbers.
fn code(text: &str) -> String {
    without_tests(&blank(text))
}

/// Comments, strings and characters replaced by spaces.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest, out.ends_with(is_word)).unwrap_or(0);
        let (gone, kept) = rest.split_at(length);
        out.extend(gone.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = kept;
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Length of the comment, string or character at the start of the text, if there is one.
fn skipped(text: &str, in_word: bool) -> Option<usize> {
    let to = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(to("*/", 2));
    }
    if let Some(raw) = text.strip_prefix('r').filter(|_| !in_word) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            return Some(to(&format!("\"{}", "#".repeat(hashes)), hashes + 2));
        }
    }
    if let Some(string) = text.strip_prefix('"') {
        return Some(1 + closing(string, '"'));
    }
    // A quote opens a character if it closes after one character or an escape; else it is a lifetime.
    let character = text.strip_prefix('\'')?;
    let escaped = character.starts_with('\\');
    (escaped || character.chars().nth(1) == Some('\'')).then(|| 1 + closing(character, '\''))
}

/// Length up to and with the closing quote.
fn closing(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Items under `#[cfg(test)]` replaced by empty lines.
fn without_tests(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = indent_of(line);
            loop {
                out.push('\n');
                let Some(line) = lines.next() else { break };
                if indent_of(line) == indent && line.trim_end().ends_with(['}', ';']) {
                    break;
                }
            }
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Line, number of lines and name of every function.
fn functions(code: &str) -> Vec<(usize, usize, String)> {
    let lines: Vec<&str> = code.lines().collect();
    let starts = lines.iter().enumerate().filter_map(|(index, line)| Some((index, function_name(line)?)));
    let length = |index: usize| {
        let indent = indent_of(lines[index]);
        let ends = |line: &&str| indent_of(line) == indent && line.trim_end().ends_with(['}', ';']);
        lines[index..].iter().position(ends).map_or(lines.len() - index, |at| at + 1)
    };
    starts.map(|(index, name)| (index + 1, length(index), name.to_owned())).collect()
}

fn function_name(line: &str) -> Option<&str> {
    let before = ["pub", "const", "async", "unsafe", "extern", "default"];
    let mut words =
        line.split_whitespace().skip_while(|word| before.contains(word) || word.starts_with("pub("));
    let name = words.next().filter(|&word| word == "fn").and(words.next())?;
    name.split(|c| !is_word(c)).next()
}

/// Line and path, without `crate::`, of everything that is named from the root of the crate. In a module `depth` levels
/// below the root, so many `super::` lead there too.
fn crate_paths(code: &str, depth: usize) -> Vec<(usize, String)> {
    let up = "super::".repeat(depth);
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::").chain(code.match_indices(up.as_str())) {
        if code[..at].ends_with(is_word) || code[..at].ends_with("super::") {
            continue;
        }
        let mut paths = Vec::new();
        expand(&code[at + start.len()..], "", &mut paths);
        let line = code[..at].matches('\n').count() + 1;
        found.extend(paths.into_iter().map(|path| (line, path)));
    }
    found
}

/// The paths of a use tree, each in full, or the one path of an expression. Gives back what follows.
fn expand<'a>(tree: &'a str, prefix: &str, paths: &mut Vec<String>) -> &'a str {
    let tree = tree.trim_start();
    if let Some(mut group) = tree.strip_prefix('{') {
        while !group.trim_start().starts_with('}') && !group.is_empty() {
            let after = expand(group, prefix, paths);
            group = after.find([',', '}']).map_or("", |at| after[at..].trim_start_matches(','));
        }
        return group.trim_start().strip_prefix('}').unwrap_or_default();
    }
    let end = tree.find(|c| !is_word(c) && c != '*').unwrap_or(tree.len());
    let (name, after) = tree.split_at(end);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    match after.strip_prefix("::").filter(|next| next.starts_with(|c| is_word(c) || c == '{' || c == '*')) {
        Some(next) => expand(next, &path, paths),
        None => {
            paths.push(path);
            after
        }
    }
}

// ---- Every rule can fail.

#[test]
fn a_use_of_a_later_room_is_found() {
    let complaints = |path: &str, text: &str| forbidden_uses(path, text).join("\n");
    let lines = |path: &str, text: &str| forbidden_uses(path, text).len();
    assert_eq!(
        complaints("read/sysfs.rs", "//! x\nuse crate::host::Host;\n"),
        "planner-core/src/read/sysfs.rs:2: `crate::host::Host`: `read` must not use `host`"
    );
    assert_eq!(lines("addr.rs", "use crate::facts::Arch;\n"), 1, "the vocabulary knows no room");
    assert_eq!(lines("host/mod.rs", "use crate::{addr::Iova, read::{json, fdt as f}, ids::GroupId};"), 2);
    assert_eq!(
        lines("host/mod.rs", "use crate::{\n    addr::Iova,\n    facts::{self, host::HostFacts},\n};"),
        0
    );
    assert_eq!(lines("kernel/smmu.rs", "fn f() -> u8 { crate::plan::plan(1) }"), 1);
    assert_eq!(lines("kernel/smmu.rs", "use super::super::plan::Plan;"), 1, "crate by another name");
    assert_eq!(lines("kernel/smmu.rs", "use super::rules::Rule;"), 0);
    assert_eq!(lines("host/mod.rs", "use super::verify::verify;"), 1);
    assert_eq!(lines("plan/search.rs", "use crate::verify::verify;"), 1);
    assert_eq!(lines("plan/search.rs", "use crate::advise::advise;"), 1);
    assert_eq!(lines("advise.rs", "use crate::answer::answer;"), 1);
    assert_eq!(lines("explain.rs", "use crate::advise::advise;\nuse crate::plan::plan;"), 1);
    assert_eq!(lines("plan/search.rs", "use crate::Plan;"), 1, "not by a name that the root re-exports");
    assert_eq!(lines("attic.rs", ""), 1, "a room without a row");
}

#[test]
fn of_some_rooms_only_types_are_used() {
    let lines = |path: &str, text: &str| forbidden_uses(path, text).len();
    assert_eq!(
        lines("verify.rs", "use crate::plan::{PieceKind, Plan};\nuse crate::vmm::{self, MemoryMap};"),
        0
    );
    assert_eq!(lines("verify.rs", "use crate::plan::{Plan, search};"), 1);
    assert_eq!(lines("verify.rs", "use crate::plan::search::Order;"), 1);
    assert_eq!(lines("verify.rs", "use crate::plan;"), 1);
    assert_eq!(lines("verify.rs", "use crate::plan::*;"), 1);
    assert_eq!(lines("verify.rs", "use crate::plan::{self};"), 1);
    assert_eq!(lines("emit/qemu.rs", "use crate::vmm::{Knob, memory_map};\nuse crate::host::Host;"), 2);
}

#[test]
fn tests_comments_and_strings_may_name_any_room() {
    let text = "//! See [`crate::plan::plan`].\nconst A: &str = \"crate::plan::x\"; // crate::emit\n\
                #[cfg(test)]\nmod tests {\n    use crate::plan::plan;\n}\n";
    assert_eq!(forbidden_uses("read/mod.rs", text), [""; 0]);
    assert_eq!(forbidden_uses("read/tests.rs", "use crate::plan::plan;"), [""; 0]);
    assert_eq!(
        forbidden_uses("read/mod.rs", &format!("{text}use crate::plan::Plan;\n")).len(),
        1,
        "after the tests"
    );
}

#[test]
fn a_dependency_of_the_core_on_a_package_of_ours_is_found() {
    assert_eq!(own_dependencies("[dependencies]\nplanner-cli.workspace = true\n").len(), 1);
    assert_eq!(own_dependencies("[dependencies]\nother = { path = \"../other\" }\n").len(), 1);
    assert_eq!(
        own_dependencies("[package]\nname = \"planner-core\"\n[dependencies]\nnom.workspace = true\n").len(),
        0
    );
}

#[test]
fn a_long_file_and_a_long_function_are_found() {
    let of_lines = |count: usize| {
        format!("    pub(crate) fn f(\n        a: u8,\n    ) {{\n{}    }}\n", "        g();\n".repeat(count))
    };
    assert_eq!(functions(&of_lines(66)), [(1, 70, "f".to_owned())]);
    assert_eq!(too_long("x.rs", &of_lines(66)), [""; 0]);
    assert_eq!(too_long("x.rs", &of_lines(67)), ["x.rs:1: f: 71 lines, more than 70"]);
    assert_eq!(too_long("x.rs", &format!("#[cfg(test)]\nmod tests {{\n{}}}\n", of_lines(99))), [""; 0]);
    let short = "trait T {\n    fn a();\n    fn b() {}\n    fn c() {\n        let f = |a: fn(u8)| {\n        };\n    }\n}\n";
    let lengths: Vec<_> = functions(short).into_iter().map(|(_, length, name)| (length, name)).collect();
    assert_eq!(lengths, [(1, "a".to_owned()), (1, "b".to_owned()), (4, "c".to_owned())]);
    assert_eq!(too_long("x.rs", &"\n".repeat(600)), [""; 0]);
    assert_eq!(too_long("x.rs", &"\n".repeat(601)), ["x.rs: 601 lines, more than 600"]);
}

#[test]
fn a_file_without_an_opening_is_found() {
    assert_eq!(no_opening("x.rs", "//! What it holds.\n").len(), 0);
    assert_eq!(no_opening("x.rs", "use std::fmt;\n//! Too late.\n").len(), 1);
    assert_eq!(no_opening("x.rs", "").len(), 1);
}

#[test]
fn unfinished_work_is_found_in_code_only() {
    let found = |text: &str| unfinished("x.rs", text).len();
    assert_eq!(
        found("fn f() { todo!() }\nfn g() { dbg!(1); unimplemented!(\"a\") }\n#[ignore = \"slow\"]\n"),
        4
    );
    assert_eq!(
        found("// todo!\nconst A: &str = \"dbg!\"; const B: &str = r#\" \" todo! \"#; const C: char = '\"';"),
        0
    );
    assert_eq!(found("const A: char = '\"'; fn f<'a>(b: &'a str) { todo!() } const D: char = '\\'';"), 1);
}

#[test]
fn a_place_outside_the_repository_is_found() {
    let found = |text: &str| outside_places("x", text).len();
    for bad in [concat!("see ../", "shared/notes"), concat!("`/", "work/wt`"), concat!("\"/", "home/me/x\"")]
    {
        assert_eq!(found(bad), 1, "{bad}");
    }
    for good in [concat!("https://example.org/", "work/a"), "a/network/b", "proc/iomem"] {
        assert_eq!(found(good), 0, "{good}");
    }
}

#[test]
fn a_code_that_is_taken_or_ill_formed_is_found() {
    let rows = |text: &str| code_rows("x.rs", text);
    let row = |id: &str| format!("pub static A: Code = Code {{\n    id: \"{id}\",\n}};\n");
    assert_eq!(rows(&row("L001")), [("x.rs:2".to_owned(), "L001".to_owned())]);
    assert_eq!(bad_codes(rows(&format!("{}{}", row("L001"), row("L002")))), [""; 0]);
    assert_eq!(
        bad_codes(rows(&format!("{}{}", row("L001"), row("L001")))),
        ["x.rs:5: the code `L001` is taken by x.rs:2"]
    );
    assert_eq!(bad_codes(rows(&row("L1"))).len(), 1);
    assert_eq!(bad_codes(rows(&row("l001"))).len(), 1);
    let table = "A = \"C001\" Error\n    \"a\";\nB = \"C001\" Note, \"b\";\nC = \"c2\" Warning \"c\";\n";
    assert_eq!(bad_codes(rows(table)).len(), 2, "one is taken, one is ill-formed");
    let checks = "    (\"V001\", \"a\"),\n    (\"V001\", \"b\"),\n";
    assert_eq!(bad_codes(rows(checks)), ["x.rs:2: the code `V001` is taken by x.rs:1"]);
    assert_eq!(rows("violation(found, \"V001\", message)").len(), 0, "a use is no row");
    assert_eq!(rows("Rule { id: \"K-SWMSI\" }").len(), 0, "rules have ids of another kind");
    assert_eq!(rows(&format!("#[cfg(test)]\nmod tests {{\n    {}}}\n", row("L001"))).len(), 0);
}
