//! Existing configurations of VMMs, read as guests: command lines and scripts of QEMU, kvmtool, crosvm, cloud-hypervisor,
//! Firecracker and OpenVMM, the JSON of cloud-hypervisor and Firecracker, and libvirt's domain XML.
//!
//! Each reader keeps what the layout depends on, tells what it does not understand, and passes silently over what has
//! nothing to do with the memory map (displays, disks, networks).

pub mod cloud_hypervisor;
pub mod codes;
pub mod crosvm;
pub mod firecracker;
mod keyval;
pub mod kvmtool;
pub mod libvirt;
pub mod openvmm;
mod options;
pub mod qemu;
mod sink;
mod tree;
pub mod words;

use self::qemu::Files;
use self::sink::Sink;
use self::words::Word;
use crate::diag::{Diagnostic, Origin, TextFile};
use crate::facts::ConfiguredFacts;
use crate::version::Version;

/// The forms of existing configurations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A command line, perhaps in a script.
    Command,
    /// The body of cloud-hypervisor's `vm.create`.
    CloudHypervisorJson,
    /// A file for Firecracker's `--config-file`.
    FirecrackerJson,
    /// libvirt's domain XML.
    DomainXml,
}

/// The form of a text, by its content; nothing for what is no configuration of a VMM. A description of the planner's own
/// never is.
#[must_use]
pub fn recognise(text: &str) -> Option<Format> {
    let start = text.trim_start();
    if start.starts_with('<') {
        return Some(Format::DomainXml);
    }
    if start.starts_with('{') {
        let of_planner = start.contains("\"schema\"");
        let of_firecracker = ["\"machine-config\"", "\"boot-source\""];
        if !of_planner && of_firecracker.iter().any(|name| start.contains(name)) {
            return Some(Format::FirecrackerJson);
        }
        let named = ["\"payload\"", "\"boot_vcpus\"", "\"hugepages\"", "\"zones\"", "\"devices\""];
        return (!of_planner && named.iter().any(|name| start.contains(name)))
            .then_some(Format::CloudHypervisorJson);
    }
    // A description may name a VMM, too, but never as the first word of a command.
    let starts_one = start.lines().any(|line| {
        let line = line.trim_start();
        let comment = line.starts_with('#') && !line.starts_with("#!");
        !comment
            && line.split_whitespace().any(|word| {
                Program::of(word.trim_matches(['"', '\''])).is_some_and(|program| program.is_sure(line))
            })
    });
    let describes = ["host ", "guest ", "host\t", "guest\t"]
        .iter()
        .any(|word| text.lines().any(|line| line.starts_with(word)));
    (starts_one && !describes).then_some(Format::Command)
}

/// Which VMM a program is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Program {
    Qemu,
    Kvmtool,
    Crosvm,
    CloudHypervisor,
    Firecracker,
    Openvmm,
}

impl Program {
    fn of(word: &str) -> Option<Self> {
        if qemu::is_program(word) {
            Some(Self::Qemu)
        } else if kvmtool::is_program(word) {
            Some(Self::Kvmtool)
        } else if crosvm::is_program(word) {
            Some(Self::Crosvm)
        } else if firecracker::is_program(word) {
            Some(Self::Firecracker)
        } else if openvmm::is_program(word) {
            Some(Self::Openvmm)
        } else {
            cloud_hypervisor::is_program(word).then_some(Self::CloudHypervisor)
        }
    }

    /// Whether a line with the name of the program looks like one that runs it: `kvm` alone is a word of many uses.
    fn is_sure(self, line: &str) -> bool {
        let is_word = matches!(self, Self::Qemu | Self::Firecracker | Self::Openvmm);
        !is_word || line.contains("qemu-") || line.contains(" -") || line.trim_end().ends_with('\\')
    }
}

/// A configuration in a text of this form. `version` is the VMM's, if the user knows it; `files` are the texts of those
/// that [`files_in`] named.
#[must_use]
pub fn read_text(
    format: Format,
    name: &str,
    text: &str,
    version: Option<Version>,
    files: &Files,
) -> (ConfiguredFacts, Vec<Diagnostic>) {
    match format {
        Format::DomainXml => libvirt::read(name, text, version),
        Format::CloudHypervisorJson => cloud_hypervisor::read_json(name, text, version),
        Format::FirecrackerJson => firecracker::read_json(name, text, version),
        Format::Command => read_script(name, text, version, files),
    }
}

/// The names of files that a text puts parts of the configuration into.
#[must_use]
pub fn files_in(format: Format, name: &str, text: &str) -> Vec<String> {
    if format != Format::Command {
        return Vec::new();
    }
    let (commands, _) = words::commands(&TextFile::new(name, text), text);
    commands.iter().flat_map(|words| files_named(words)).collect()
}

fn read_script(
    name: &str,
    text: &str,
    version: Option<Version>,
    files: &Files,
) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let file = TextFile::new(name, text);
    let (commands, mut found) = words::commands(&file, text);
    let mut of_vmms = commands.iter().filter(|words| program_at(words).is_some());
    let Some(first) = of_vmms.next() else {
        let mut sink = Sink::default();
        sink.say(&codes::NO_COMMAND, Origin::file(name), "no command of this file starts a VMM");
        found.extend(sink.finish().1);
        return (ConfiguredFacts::default(), found);
    };
    if let Some(word) = of_vmms.next().and_then(|words| words.first()) {
        let message = "a second VMM is started here; only the first is read";
        found.push(Diagnostic::new(&codes::SECOND_COMMAND, word.origin.clone(), message));
    }
    let (facts, more) = read_command(first, version, files);
    found.extend(more);
    (facts, found)
}

/// The names of files that a command line puts parts of the configuration into, as they are written.
#[must_use]
pub fn files_named(words: &[Word]) -> Vec<String> {
    [qemu::files_named(words), firecracker::files_named(words)].concat()
}

/// Whether a diagnostic says what the VMM itself would refuse; the facts have it, too.
#[must_use]
pub fn is_refusal(diagnostic: &Diagnostic) -> bool {
    diagnostic.code == &codes::REFUSED
}

/// Where the program stands. `kvm` is also a module of the kernel and an accelerator: it must come first, with an option
/// behind it.
fn program_at(words: &[Word]) -> Option<usize> {
    let is_option = |word: &Word| word.text.starts_with('-');
    words.iter().enumerate().position(|(index, word)| {
        let sure = word.text.rsplit('/').next() != Some("kvm");
        let first = index <= 1 && words.get(index.saturating_add(1)).is_some_and(is_option);
        Program::of(&word.text).is_some() && (sure || first)
    })
}

/// What the words of a command line say. Words before the VMM's program, such as `sudo`, are passed over. `version` is
/// the VMM's, if the user knows it; `files` are the texts of those that [`files_named`] named.
#[must_use]
pub fn read_command(
    words: &[Word],
    version: Option<Version>,
    files: &Files,
) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let command = program_at(words).and_then(|at| words.get(at..)).unwrap_or_default();
    match command.first().and_then(|word| Program::of(&word.text)) {
        Some(Program::Qemu) => qemu::read(command, version, files),
        Some(Program::Kvmtool) => kvmtool::read(command, version),
        Some(Program::Crosvm) => crosvm::read(command, version),
        Some(Program::CloudHypervisor) => cloud_hypervisor::read(command, version),
        Some(Program::Firecracker) => firecracker::read(command, version, files),
        Some(Program::Openvmm) => openvmm::read(command, version),
        None => {
            let mut sink = Sink::default();
            let origin = words.first().map_or(Origin::Unstated, |word| word.origin.clone());
            sink.say(&codes::NO_COMMAND, origin, "no program of a VMM is among these words");
            (ConfiguredFacts::default(), sink.finish().1)
        }
    }
}
