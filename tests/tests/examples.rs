//! Every folder of `examples/`: host and guests are read, planned and verified; plan, picture and configuration are
//! compared with `expected/`. `UPDATE_EXPECT=1 cargo test` rewrites them.

use std::path::{Path, PathBuf};

use expect_test::expect_file;
use planner_core::answer::{Outcome, PlanDocument, answer};
use planner_core::emit;
use planner_core::facts::HostFacts;
use planner_core::guest::{GuestSpec, resolve as guest_resolve};
use planner_core::host::{Host, resolve as host_resolve};
use planner_core::kernel::report::Question;
use planner_core::read::{capture, language};

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

fn guest(path: &Path, host: &Host) -> GuestSpec {
    let text = std::fs::read_to_string(path).expect("the guest can be read");
    let (facts, found) = language::parse_guest("guest.guest", &text);
    assert!(found.is_empty(), "{}: {found:#?}", path.display());
    let (guest, found) = guest_resolve::resolve(&facts, host);
    guest.unwrap_or_else(|| panic!("{}: {found:#?}", path.display()))
}

#[test]
fn examples_give_what_they_promise() {
    for folder in folders() {
        let host = host(&folder);
        for path in guests(&folder) {
            let guest = guest(&path, &host);
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let answer = answer(&host, &guest, &Question::default());
            assert_eq!(answer.violations, [], "{}", path.display());
            let expected = folder.join("expected");
            std::fs::create_dir_all(&expected).expect("expected/ can be made");
            let document =
                serde_json::to_string_pretty(&PlanDocument::new(&host, &guest, &answer)).expect("JSON");
            expect_file![expected.join(format!("{name}.plan.json"))].assert_eq(&(document + "\n"));
            let picture = planner_core::answer::picture(&host, &guest, &answer);
            let text = planner_core::map::text(&picture, &planner_core::map::TextStyle::default());
            expect_file![expected.join(format!("{name}.map.txt"))].assert_eq(&text);
            if let Outcome::Plan(plan) = &answer.outcome {
                for target in emit::targets(plan) {
                    for file in emit::emit(plan, target).expect("a target of the plan") {
                        expect_file![expected.join(format!("{name}.{}", file.file))].assert_eq(&file.text);
                    }
                }
            }
        }
    }
}

#[test]
fn every_example_has_a_readme() {
    for folder in folders() {
        assert!(folder.join("README.md").is_file(), "{} has no README.md", folder.display());
    }
}
