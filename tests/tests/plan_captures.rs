//! Every device of every capture is planned for every VMM of its architecture: a plan that the verifier accepts, or a
//! refusal that names its cause. The answers are compared with `captures/plans/NAME.txt`; `UPDATE_EXPECT=1` rewrites them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use planner_core::answer::{Answer, Outcome, answer_given};
use planner_core::emit;
use planner_core::facts::guest::{GuestFacts, MemoryFact, PassFact, VmmFact, VmmKind};
use planner_core::guest::{GuestSpec, resolve as guest_resolve};
use planner_core::host::{Host, resolve as host_resolve};
use planner_core::ids::{PciAddress, PciClass};
use planner_core::kernel::report::{Question, report};
use planner_core::plan::Plan;
use planner_core::read::capture;
use planner_core::size::Size;
use planner_core::vmm::{self, Known};

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let entries = std::fs::read_dir(folder).expect("captures/ can be read");
    let mut archives: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .collect();
    archives.sort();
    assert!(archives.len() > 40, "{} captures", archives.len());
    archives
}

fn host(archive: &Path, name: &str) -> Host {
    let bytes = std::fs::read(archive).expect("the archive can be read");
    let (tree, found) = capture::from_archive(&bytes, "capture");
    assert!(!planner_core::diag::has_errors(&found), "{name}: {found:#?}");
    let (facts, _) = capture::facts(&tree, name);
    host_resolve::resolve(&facts).0
}

fn guest(host: &Host, device: PciAddress, known: &Known) -> Option<GuestSpec> {
    let facts = GuestFacts {
        name: "guest".into(),
        vmm: Some(VmmFact {
            kind: known.kind,
            version: None,
            machine: (!known.machine.is_empty()).then(|| known.machine.into()),
            cpu: None,
            custom: None,
            origin: Default::default(),
        }),
        memory: Some(MemoryFact {
            size: Size::gib(4),
            pages: None,
            hotplug: None,
            slots: None,
            origin: Default::default(),
        }),
        pass: vec![PassFact { device, origin: Default::default() }],
        ..GuestFacts::default()
    };
    guest_resolve::resolve(&facts, host).0
}

/// One line that tells where RAM goes, or why it goes nowhere.
fn line(host: &Host, guest: &GuestSpec, answer: &Answer) -> String {
    match &answer.outcome {
        Outcome::Plan(plan) => {
            assert_eq!(answer.violations, [], "{} {guest:?}", host.name);
            assert!(!emit::targets(plan).is_empty(), "{}: no configuration says {plan:?}", host.name);
            ram(plan)
        }
        Outcome::Conflict { conflict, fixes } => {
            assert!(!conflict.causes.is_empty(), "{}: {conflict:?}", host.name);
            assert!(fixes.iter().all(|fix| fix.verified));
            let causes: Vec<String> =
                conflict.causes.iter().map(|cause| format!("[{}] {}", cause.rule, cause.because)).collect();
            let fixes: Vec<&str> = fixes.iter().map(|fix| fix.change.as_str()).collect();
            format!("no layout: {} / would help: {}", causes.join("; "), fixes.join("; "))
        }
    }
}

fn ram(plan: &Plan) -> String {
    let pieces: Vec<String> = plan.ram.iter().map(|piece| piece.span.to_string()).collect();
    let settings: Vec<&str> = plan.host_settings.iter().map(|setting| setting.flag.as_str()).collect();
    format!("{} {}", pieces.join(" + "), settings.join(" ")).trim_end().to_owned()
}

#[test]
fn every_device_of_every_capture_has_an_answer() {
    for archive in captures() {
        let name = archive.file_name().expect("a name").to_string_lossy().replace(".tar.gz", "");
        let host = host(&archive, &name);
        let endpoints = host.devices.iter().filter(|device| !device.class.is_some_and(PciClass::is_bridge));
        let reserved = report(&host, &Question::default());
        let mut text = String::new();
        for device in endpoints {
            // A VMM of which nothing is said could do anything.
            let said = |known: &&Known| known.arch == host.arch && known.kind != VmmKind::Custom;
            for known in vmm::known().iter().filter(said) {
                let Some(guest) = guest(&host, device.address, known) else { continue };
                let answer = answer_given(&host, reserved.clone(), &guest);
                let vmm = format!("{} {}", known.kind, known.machine);
                writeln!(text, "{} {:<12} {}", device.address, vmm.trim(), line(&host, &guest, &answer))
                    .expect("a string");
            }
        }
        assert!(!text.is_empty(), "{name} has no endpoint");
        let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("captures/plans/{name}.txt"));
        expect_file![expected].assert_eq(&text);
    }
}
