//! Every folder of `examples/`: host and guests are read, planned and verified; plan, picture and configuration are
//! compared with `expected/`. The guest of `guest.guest` is planned again for every other VMM: `expected/VMM/` has what comes
//! of it, and the table of `examples/README.md` the verdicts. `UPDATE_EXPECT=1 cargo test` rewrites all of them.

use std::path::{Path, PathBuf};

use expect_test::expect_file;
use planner_core::answer::{Answer, Outcome, PlanDocument, answer};
use planner_core::emit;
use planner_core::facts::guest::{VmmFact, VmmKind};
use planner_core::facts::{GuestFacts, HostFacts};
use planner_core::guest::{GuestSpec, resolve as guest_resolve};
use planner_core::host::{Host, resolve as host_resolve};
use planner_core::kernel::report::Question;
use planner_core::plan::{Plan, Verdict};
use planner_core::read::{capture, language};
use planner_tests::round_trip;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .canonicalize()
        .expect("examples/ stands beside tests/")
}

fn folders() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(examples()).expect("examples/ can be read");
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The facts of `host.host` or `host.tar.gz`.
fn facts(folder: &Path) -> HostFacts {
    let (facts, found) = match std::fs::read_to_string(folder.join("host.host")) {
        Ok(text) => language::parse_host("host.host", &text),
        Err(_) => {
            let bytes = std::fs::read(folder.join("host.tar.gz")).expect("host.host or host.tar.gz");
            let (tree, found) = capture::from_archive(&bytes, "host.tar.gz");
            assert!(!planner_core::diag::has_errors(&found), "{found:#?}");
            capture::facts(&tree, "capture")
        }
    };
    assert!(!planner_core::diag::has_errors(&found), "{}: {found:#?}", folder.display());
    facts
}

fn host(folder: &Path) -> Host {
    let (host, found) = host_resolve::resolve(&facts(folder));
    assert!(!planner_core::diag::has_errors(&found), "{}: {found:#?}", folder.display());
    host
}

fn guests(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut guests: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "guest"))
        .collect();
    guests.sort();
    assert!(!guests.is_empty(), "{} has no guest", folder.display());
    guests
}

/// The guest that is planned for every VMM: `guest.guest`, or the first of those that are named for their VMMs.
fn first_guest(folder: &Path) -> PathBuf {
    let named = folder.join("guest.guest");
    if named.is_file() { named } else { guests(folder).remove(0) }
}

fn guest_facts(path: &Path) -> GuestFacts {
    let text = std::fs::read_to_string(path).expect("the guest can be read");
    let (facts, found) = language::parse_guest("guest.guest", &text);
    assert!(found.is_empty(), "{}: {found:#?}", path.display());
    facts
}

fn guest(facts: &GuestFacts, host: &Host) -> GuestSpec {
    let (guest, found) = guest_resolve::resolve(facts, host);
    guest.unwrap_or_else(|| panic!("{}: {found:#?}", facts.name))
}

/// The guest under another VMM, its newest version, with that VMM's defaults.
fn under(kind: VmmKind, facts: &GuestFacts) -> GuestFacts {
    let origin = Default::default();
    let vmm = VmmFact { kind, version: None, machine: None, cpu: None, custom: None, origin };
    GuestFacts { vmm: Some(vmm), ..facts.clone() }
}

fn check_plan(path: &Path, host: &Host, guest: &GuestSpec, answer: &Answer) {
    assert_eq!(answer.violations, [], "{}", path.display());
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("expected/ can be made");
    let document = serde_json::to_string_pretty(&PlanDocument::new(host, guest, answer)).expect("JSON");
    expect_file![path.with_added_extension("plan.json")].assert_eq(&(document + "\n"));
}

fn check_configuration(path: &Path, plan: &Plan) {
    for target in emit::targets(plan) {
        for file in emit::emit(plan, target).expect("a target of the plan") {
            expect_file![path.with_added_extension(&file.file)].assert_eq(&file.text);
        }
        let told = round_trip::differences(plan, target).unwrap_or_default();
        assert!(told.is_empty(), "{} {target}: {told:#?}", path.display());
    }
    for file in emit::kernel_parameters(plan) {
        expect_file![path.with_added_extension(&file.file)].assert_eq(&file.text);
    }
}

#[test]
fn examples_give_what_they_promise() {
    for folder in folders() {
        let host = host(&folder);
        for path in guests(&folder) {
            let guest = guest(&guest_facts(&path), &host);
            let answer = answer(&host, &guest, &Question::default());
            let expected = folder.join("expected").join(path.file_stem().expect("a name"));
            check_plan(&expected, &host, &guest, &answer);
            let picture = planner_core::answer::picture(&host, &guest, &answer);
            let text = planner_core::map::text(&picture, &planner_core::map::TextStyle::default());
            expect_file![expected.with_added_extension("map.txt")].assert_eq(&text);
            if let Outcome::Plan(plan) = &answer.outcome {
                check_configuration(&expected, plan);
            }
        }
    }
}

/// A `custom` VMM is what its user describes.
fn vmms() -> impl Iterator<Item = VmmKind> {
    VmmKind::WORDS.iter().map(|&(_, kind)| kind).filter(|&kind| kind != VmmKind::Custom)
}

#[test]
fn examples_under_every_vmm_are_as_the_readme_says() {
    let mut table = String::from("| example |");
    table.extend(vmms().map(|kind| format!(" {kind} |")));
    table += "\n|---|";
    table.extend(vmms().map(|_| "---|"));
    table.push('\n');
    let mut causes = String::new();
    for folder in folders() {
        let (host, facts) = (host(&folder), guest_facts(&first_guest(&folder)));
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        table += &format!("| {name} |");
        for kind in vmms() {
            let own = facts.vmm.as_ref().is_some_and(|vmm| vmm.kind == kind);
            let guest = guest(&if own { facts.clone() } else { under(kind, &facts) }, &host);
            let answer = answer(&host, &guest, &Question::default());
            let expected = folder.join("expected").join(kind.word()).join("guest");
            let verdict = match &answer.outcome {
                Outcome::Plan(plan) => {
                    if !own {
                        check_plan(&expected, &host, &guest, &answer);
                        check_configuration(&expected, plan);
                    }
                    if plan.verdict == Verdict::Fits { "fits" } else { "with options" }
                }
                Outcome::Conflict { conflict, .. } => {
                    let stale = expected.with_added_extension("plan.json");
                    assert!(!stale.exists(), "{} stands for a plan that there is not", stale.display());
                    let because = conflict.causes.iter().map(|cause| cause.because.replace('|', "\\|"));
                    let because: Vec<String> = because.collect();
                    causes += &format!("- {name}, {kind}: {}\n", because.join("; "));
                    "no"
                }
            };
            table += &format!(" {verdict}{} |", if own { " (own)" } else { "" });
        }
        table.push('\n');
    }
    check_readme(&format!("{table}\nWhy not:\n\n{causes}"));
}

/// What stands in `examples/README.md` between the marks.
fn check_readme(table: &str) {
    const MARKS: [&str; 2] =
        ["<!-- verdicts: written by tests/tests/examples.rs -->\n", "<!-- end of verdicts -->\n"];
    let path = examples().join("README.md");
    let text = std::fs::read_to_string(&path).expect("examples/README.md can be read");
    let (before, rest) = text.split_once(MARKS[0]).expect("a mark where the table begins");
    let (_, after) = rest.split_once(MARKS[1]).expect("a mark where it ends");
    let expected = format!("{before}{}\n{table}\n{}{after}", MARKS[0], MARKS[1]);
    expect_file![path].assert_eq(&expected);
}

#[test]
fn every_example_has_a_readme() {
    for folder in folders() {
        assert!(folder.join("README.md").is_file(), "{} has no README.md", folder.display());
    }
}
