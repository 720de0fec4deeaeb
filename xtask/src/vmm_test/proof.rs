//! One case, proved: planned, emitted, read by a shell, started, and asked where everything is.

use std::fs;
use std::path::{Path, PathBuf};

use planner_core::emit::{self, Target};
use planner_core::plan::Plan;
use planner_core::version::Version;

use super::case::{Case, Planned, Wanted};
use super::{compare, device_tree, guest_side, qemu, readconfig, replace, shell};
use crate::Failure;

/// UEFI firmware for arm64 (Debian: qemu-efi-aarch64) by the names that emitted lines give it.
const FIRMWARE: [(&str, &str); 2] = [
    ("AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_CODE.fd"),
    ("AAVMF_VARS.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
];

/// What came of a line or a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Started, and everything is where it was planned.
    AsPlanned,
    /// The planner has no plan for QEMU here, and says why; nothing was started.
    NotPlanned(String),
    /// Cannot be started on this machine, and why.
    NotHere(String),
    /// Refused or different: what is wrong, and the line.
    Wrong { why: Vec<String>, line: String },
}

/// A place to work: a folder with the firmware and with stand-ins for the programs.
pub(super) struct Bench {
    /// Where QEMU runs.
    pub(super) folder: PathBuf,
    stubs: PathBuf,
    installed: Version,
}

/// Who wrote a command line. libvirt gives every device a place of its own; the overlay of the guest's device tree is for the
/// places in the planner's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Writer {
    /// The planner.
    Planner,
    /// libvirt, from a domain of the planner's.
    Libvirt,
}

impl Bench {
    /// Prepares a folder for proofs with the installed QEMU.
    pub(super) fn new(folder: PathBuf, installed: Version) -> Result<Self, Failure> {
        let stubs = folder.join("stubs");
        let programs = ["qemu-system-aarch64", "qemu-system-x86_64", "qemu-system-riscv64"];
        shell::write_stubs(&stubs, &programs)?;
        for (name, from) in FIRMWARE {
            fs::copy(from, folder.join(name))
                .map_err(|why| format!("{from}: {why}; install qemu-efi-aarch64"))?;
        }
        Ok(Self { folder, stubs, installed })
    }

    /// The words that a shell makes of an emitted command.
    pub(super) fn words(&self, text: &str) -> Result<Vec<String>, Failure> {
        shell::words(text, &self.stubs)
    }

    /// The plan of a case that this QEMU can be asked about, or what came of the case instead.
    pub(super) fn plan(&self, case: &Case) -> Result<Plan, Verdict> {
        match case.plan() {
            Err(why) => Err(wrong(why.to_string(), "")),
            Ok(Planned::Nothing(why)) if case.wanted == Wanted::StartedIfPlanned => {
                Err(Verdict::NotPlanned(why))
            }
            Ok(Planned::Nothing(why)) => Err(wrong(format!("not planned: {why}"), "")),
            Ok(Planned::Plan(plan)) if plan.vmm.version > self.installed => {
                Err(Verdict::NotHere(format!("planned for QEMU {}", plan.vmm.version)))
            }
            Ok(Planned::Plan(plan)) => Ok(*plan),
        }
    }

    /// Proves the QEMU command line of a plan.
    pub(super) fn prove(&self, plan: &Plan) -> Verdict {
        match emit::emit(plan, Target::Qemu) {
            Err(refusal) => wrong(format!("not emitted: {refusal}"), ""),
            Ok(files) => self.prove_command(plan, files.first().map_or("", |file| &file.text)),
        }
    }

    /// Proves the `-readconfig` file of a plan and the command that uses it.
    pub(super) fn prove_readconfig(&self, plan: &Plan) -> Verdict {
        let files = match emit::emit(plan, Target::QemuReadconfig) {
            Ok(files) => files,
            Err(refusal) => return wrong(format!("not emitted: {refusal}"), ""),
        };
        let [config, command] = files.as_slice() else { return wrong("not two files".to_owned(), "") };
        let startable = match readconfig::startable(&config.text, plan) {
            Ok(startable) => startable,
            Err(why) => return Verdict::NotHere(why),
        };
        match fs::write(self.folder.join(&config.file), startable) {
            Ok(()) => self.prove_command(plan, &command.text),
            Err(why) => wrong(why.to_string(), ""),
        }
    }

    fn prove_command(&self, plan: &Plan, text: &str) -> Verdict {
        match self.words(text) {
            Ok(words) => self.prove_words(plan, &words, Writer::Planner),
            Err(why) => wrong(why.to_string(), text),
        }
    }

    /// Starts a command line with what this machine lacks replaced, and compares.
    pub(super) fn prove_words(&self, plan: &Plan, words: &[String], writer: Writer) -> Verdict {
        let line = match replace::startable(words, plan) {
            Ok(line) => line,
            Err(why) => return Verdict::NotHere(why),
        };
        let program = qemu::program(plan.guest.arch);
        let shown =
            std::iter::once(program.to_owned()).chain(line.iter().map(|word| emit::shell::quote(word)));
        let shown = shown.collect::<Vec<_>>().join(" ");
        match self.compare(plan, program, &line, writer) {
            Err(why) => wrong(why.to_string(), &shown),
            Ok(why) if why.is_empty() => Verdict::AsPlanned,
            Ok(why) => Verdict::Wrong { why, line: shown },
        }
    }

    fn compare(
        &self,
        plan: &Plan,
        program: &str,
        words: &[String],
        writer: Writer,
    ) -> Result<Vec<String>, Failure> {
        let bridge = if plan.vmm.machine.starts_with("pc-i440fx") { "i440fx" } else { "q35" };
        let answers = qemu::ask(program, words, bridge, &compare::rooms(plan), &self.folder)?;
        let blob = self.folder.join(qemu::DEVICE_TREE);
        let tree = if answers.device_tree { Some(device_tree::regions(&blob)?) } else { None };
        let mut differences = compare::differences(plan, &answers, tree.as_deref());
        if answers.device_tree && writer == Writer::Planner {
            differences.extend(guest_side::differences(plan, &answers.pci, &blob)?);
        }
        Ok(differences)
    }
}

fn wrong(why: String, line: &str) -> Verdict {
    Verdict::Wrong { why: vec![why], line: line.to_owned() }
}

/// The folder that everything is left in.
pub(super) fn folder(root: &Path) -> PathBuf {
    root.join("target/vmm-test")
}
