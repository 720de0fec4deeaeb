//! Existing configurations of VMMs, read as guests: command lines and scripts of QEMU, kvmtool, crosvm, cloud-hypervisor,
//! Firecracker and OpenVMM, the JSON of cloud-hypervisor and Firecracker, and libvirt's domain XML.
//!
//! Each reader keeps what the layout depends on, tells what it does not understand, and passes silently over what has
//! nothing to do with the memory map (displays, disks, networks).

mod address;
pub mod cloud_hypervisor;
pub mod codes;
pub mod crosvm;
pub mod firecracker;
mod keyval;
pub mod kvmtool;
pub mod libvirt;
pub mod openvmm;
mod options;
mod prepare;
pub mod qemu;
mod script;
mod sink;
mod tree;
pub mod words;

use self::qemu::Files;
use self::sink::Sink;
use self::words::Word;
use crate::diag::{Diagnostic, Origin};
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
    let prepared = prepare::prepared(text);
    let start = prepared.trim_start();
    if prepare::domain_start(&prepared).is_some() {
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
    let describes = ["host ", "guest ", "host\t", "guest\t"]
        .iter()
        .any(|word| prepared.lines().any(|line| line.starts_with(word)));
    let is_command = !describes && prepared.lines().any(starts_one);
    (is_command || qemu::is_readconfig(&prepared)).then_some(Format::Command)
}

/// Whether a line starts a VMM. A description may name one, too, but never as the first word of a command.
fn starts_one(line: &str) -> bool {
    let line = line.trim_start();
    let comment = line.starts_with('#') && !line.starts_with("#!");
    let words = || line.split_whitespace().map(|word| word.rsplit('=').next().unwrap_or(word));
    let named = |word: &str| {
        let word = word.trim_matches(['"', '\'', ';', '`', '(', ')']);
        Program::of(word).is_some_and(|program| program.is_sure(line))
    };
    !comment && (words().any(named) || kvmtool::is_own_name(&words().collect::<Vec<_>>()))
}

/// What a text is that no reader here knows: the configuration of a program that starts VMMs, with the way to one that is
/// read. Nothing for anything else.
#[must_use]
pub fn foreign(name: &str, text: &str) -> Option<Diagnostic> {
    prepare::foreign(name, text)
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
    let text = prepare::prepared(text);
    match format {
        Format::DomainXml => {
            let start = prepare::domain_start(&text).unwrap_or_default();
            libvirt::read(name, &prepare::from(&text, start), version)
        }
        Format::CloudHypervisorJson => cloud_hypervisor::read_json(name, &text, version),
        Format::FirecrackerJson => firecracker::read_json(name, &text, version),
        Format::Command => script::read(name, &text, version, files),
    }
}

/// The names of files that a text puts parts of the configuration into.
#[must_use]
pub fn files_in(format: Format, name: &str, text: &str) -> Vec<String> {
    if format != Format::Command {
        return Vec::new();
    }
    script::files_in(name, &prepare::prepared(text))
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
        let next = words.get(index.saturating_add(1));
        let first = index <= 1 && next.is_some_and(is_option);
        let own = next.is_some_and(|next| kvmtool::is_own_name(&[&word.text, &next.text]));
        own || (Program::of(&word.text).is_some() && (sure || first) && !starts_nothing(words, index))
    })
}

/// Whether the program is asked for something other than to start a guest.
fn starts_nothing(words: &[Word], program: usize) -> bool {
    let next = words.get(program.saturating_add(1)).map_or("", |word| word.text.as_str());
    let name = words.get(program).map_or("", |word| word.text.as_str());
    kvmtool::is_program(name) && kvmtool::is_other_verb(next)
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
    let own = command.first().is_some_and(|word| word.text.rsplit('/').next() == Some("vm"));
    match command.first().and_then(|word| Program::of(&word.text)).or(own.then_some(Program::Kvmtool)) {
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
