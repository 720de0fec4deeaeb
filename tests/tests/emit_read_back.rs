//! Every plan of `cases/plan` and of the examples, made again for each VMM that passes devices through or has a file of its
//! own, emitted, read back and compared.

use std::path::{Path, PathBuf};

use planner_core::answer::{Outcome, answer};
use planner_core::facts::guest::VmmKind;
use planner_core::facts::{GuestFacts, HostFacts};
use planner_core::guest::resolve as guest_resolve;
use planner_core::host::resolve as host_resolve;
use planner_core::kernel::report::Question;
use planner_core::plan::Plan;
use planner_core::read::{capture, language};
use planner_core::vmm::newest;
use planner_tests::round_trip;

const KINDS: [VmmKind; 4] =
    [VmmKind::Crosvm, VmmKind::CloudHypervisor, VmmKind::Firecracker, VmmKind::Openvmm];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|end| end == extension)
}

/// The hosts and guests of `cases/plan` and of the examples.
fn cases() -> Vec<(String, HostFacts, GuestFacts)> {
    let mut cases = Vec::new();
    let small = sorted(&root().join("tests/cases/plan"));
    for path in small.iter().filter(|path| has_extension(path, "host")) {
        let text = std::fs::read_to_string(path).expect("the case can be read");
        let (document, _) = language::parse("case", &text);
        cases.push((path.display().to_string(), document.hosts[0].clone(), document.guests[0].clone()));
    }
    for folder in sorted(&root().join("examples")).iter().filter(|path| path.is_dir()) {
        let host = match std::fs::read_to_string(folder.join("host.host")) {
            Ok(text) => language::parse_host("host", &text).0,
            Err(_) => {
                let bytes = std::fs::read(folder.join("host.tar.gz")).expect("a description or a capture");
                capture::facts(&capture::from_archive(&bytes, "host.tar.gz").0, "capture").0
            }
        };
        for path in sorted(folder).iter().filter(|path| has_extension(path, "guest")) {
            let text = std::fs::read_to_string(path).expect("the guest can be read");
            cases.push((path.display().to_string(), host.clone(), language::parse_guest("guest", &text).0));
        }
    }
    cases
}

/// The plan for this VMM, if it has one: in the words of the case where it is the case's own.
fn plan(host: &HostFacts, guest: &GuestFacts, kind: VmmKind) -> Option<Plan> {
    let host = host_resolve::resolve(host).0;
    let mut guest = guest_resolve::resolve(guest, &host).0?;
    if guest.vmm != kind {
        (guest.vmm, guest.version, guest.custom) = (kind, newest(kind), None);
        guest.machine.clear();
        guest.cpu.clear();
    }
    if kind == VmmKind::Firecracker {
        guest.pass.clear();
    }
    match answer(&host, &guest, &Question::default()).outcome {
        Outcome::Plan(plan) => Some(*plan),
        Outcome::Conflict { .. } => None,
    }
}

#[test]
fn what_is_emitted_makes_the_planned_map() {
    let mut counts = [0; KINDS.len()];
    for (name, host, guest) in cases() {
        for (index, &kind) in KINDS.iter().enumerate() {
            let Some(plan) = plan(&host, &guest, kind) else { continue };
            assert_eq!(
                round_trip::all_differences(&plan, round_trip::READABLE),
                Vec::<String>::new(),
                "{name} for {kind}"
            );
            counts[index] += 1;
        }
    }
    assert!(counts.iter().all(|&count| count >= 20), "{counts:?}");
}

/// A comparison that nothing fails would prove nothing.
#[test]
fn a_wrong_window_is_seen() {
    let (name, host, guest) = cases().into_iter().next().expect("there are cases");
    let mut plan = plan(&host, &guest, VmmKind::CloudHypervisor).expect(&name);
    let window = plan.regions.iter().position(|region| region.name == "pci-mmio64").expect("a window");
    plan.regions.remove(window);
    assert_eq!(round_trip::all_differences(&plan, round_trip::READABLE).len(), 2);
}
