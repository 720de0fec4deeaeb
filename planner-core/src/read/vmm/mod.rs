//! Existing configurations of VMMs, read as guests: command lines and scripts of QEMU, kvmtool, crosvm and
//! cloud-hypervisor, cloud-hypervisor's JSON, and libvirt's domain XML.
//!
//! Each reader keeps what the layout depends on, tells what it does not understand, and passes silently over what has
//! nothing to do with the memory map (displays, disks, networks).

pub mod codes;
mod keyval;
pub mod qemu;
mod sink;
pub mod words;

use self::qemu::Files;
use self::sink::Sink;
use self::words::Word;
use crate::diag::{Diagnostic, Origin};
use crate::facts::ConfiguredFacts;
use crate::version::Version;

/// Which VMM a program is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Program {
    Qemu,
}

impl Program {
    fn of(word: &str) -> Option<Self> {
        qemu::is_program(word).then_some(Self::Qemu)
    }
}

/// The names of files that a command line puts parts of the configuration into, as they are written.
#[must_use]
pub fn files_named(words: &[Word]) -> Vec<String> {
    qemu::files_named(words)
}

/// Whether a diagnostic says what the VMM itself would refuse; the facts have it, too.
#[must_use]
pub fn is_refusal(diagnostic: &Diagnostic) -> bool {
    diagnostic.code == &codes::REFUSED
}

/// What the words of a command line say. Words before the VMM's program, such as `sudo`, are passed over. `version` is
/// the VMM's, if the user knows it; `files` are the texts of those that [`files_named`] named.
#[must_use]
pub fn read_command(
    words: &[Word],
    version: Option<Version>,
    files: &Files,
) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let at = words.iter().position(|word| Program::of(&word.text).is_some());
    let command = at.and_then(|at| words.get(at..)).unwrap_or_default();
    match command.first().and_then(|word| Program::of(&word.text)) {
        Some(Program::Qemu) => qemu::read(command, version, files),
        None => {
            let mut sink = Sink::default();
            let origin = words.first().map_or(Origin::Unstated, |word| word.origin.clone());
            sink.say(&codes::NO_COMMAND, origin, "no program of a VMM is among these words");
            (ConfiguredFacts::default(), sink.finish().1)
        }
    }
}
