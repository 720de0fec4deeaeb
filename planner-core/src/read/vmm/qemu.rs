//! A command line of QEMU as a guest: the options that its memory map depends on, the devices that it passes through,
//! and what QEMU would refuse about the words, in its own words.
//!
//! Left out: everything that stays the same whatever the memory map, by the lists in `options`. What is on no list is
//! told.

mod devices;
mod machine;
mod memory;
mod numa;
mod options;
mod readconfig;

use std::collections::BTreeMap;

use self::options::Use;
use super::codes;
use super::keyval::{Keyval, Pair};
use super::sink::Sink;
use super::words::Word;
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::facts::configured::{Accelerator, ConfiguredFacts, Stage};
use crate::facts::guest::{VmmFact, VmmKind};
use crate::size::Size;
use crate::version::Version;

/// `-machine` takes no bare `word` for `word=on` (system/vl.c, "vl: switch -M parsing to keyval").
const KEYVAL_SINCE: Version = Version::new(6, 1);

/// Texts of the files that a command line names, by their names.
pub type Files = BTreeMap<String, String>;

/// Longest name of a guest that is one: names become names of files.
const LONGEST_NAME: usize = 255;

/// The words of a QEMU command line, sorted by what they are about.
#[derive(Default)]
struct Line {
    program: String,
    arch: Option<Arch>,
    version: Option<Version>,
    origin: Origin,
    name: Option<String>,
    machine: Vec<Pair>,
    machine_option: Option<String>,
    accelerators: Vec<String>,
    kvm: bool,
    cpu: Option<Word>,
    memory: Vec<Keyval>,
    smp: Vec<Keyval>,
    globals: Vec<Keyval>,
    objects: Vec<Keyval>,
    devices: Vec<Keyval>,
    numa: Vec<Keyval>,
    mem_path: Option<Word>,
    firmware: bool,
    ovmf_window: Option<Size>,
}

/// The names of files that the words of a command line put parts of the configuration into.
#[must_use]
pub fn files_named(words: &[Word]) -> Vec<String> {
    let pairs = words.iter().zip(words.iter().skip(1));
    let named = pairs.filter(|(option, file)| {
        option.text.trim_start_matches('-') == "readconfig" && !is_of_proxmox(&file.text)
    });
    named.map(|(_, file)| file.text.clone()).collect()
}

/// What a command line says, from the name of the program on. `version` is that of the binary, if the user knows it;
/// else it is looked for in the program's path.
#[must_use]
pub fn read(words: &[Word], version: Option<Version>, files: &Files) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let Some((program, rest)) = words.split_first() else {
        sink.say(&codes::NO_COMMAND, Origin::Unstated, "there is no command");
        return (ConfiguredFacts::default(), sink.finish().1);
    };
    let mut line = Line::of(program, version);
    let other = line.program.strip_prefix("qemu-system-").filter(|_| line.arch.is_none());
    if let Some(target) = other {
        let message = format!("the planner has no model of QEMU for {target}");
        sink.say(&codes::NO_MODEL, program.origin.clone(), message);
    }
    line.scan(rest, files, &mut sink);
    let mut facts = line.facts(&mut sink);
    let (refusals, found) = sink.finish();
    facts.refusals = refusals;
    (facts, found)
}

/// Whether a word names a QEMU: `qemu-system-…`, `qemu-kvm`, `kvm`, with or without a path, `.exe` or the `-spice` that
/// Debian and Ubuntu once had.
#[must_use]
pub fn is_program(word: &str) -> bool {
    let name = base_name(word);
    let target = name.strip_prefix("qemu-system-");
    let is_target = |target: &str| target.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    target.is_some_and(is_target) || matches!(name, "qemu-kvm" | "kvm")
}

/// Whether a text is a file for `-readconfig`.
pub(super) fn is_readconfig(text: &str) -> bool {
    readconfig::is_file(text)
}

fn base_name(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    name.strip_suffix("-spice").unwrap_or(name)
}

impl Line {
    fn of(program: &Word, version: Option<Version>) -> Self {
        let name = base_name(&program.text);
        let arch = match name.strip_prefix("qemu-system-") {
            Some("aarch64") => Some(Arch::Aarch64),
            Some(target) if target.starts_with("x86_64") => Some(Arch::X86_64),
            Some("riscv64") => Some(Arch::Riscv64),
            _ => None,
        };
        Self {
            program: name.to_owned(),
            arch,
            version: version.or_else(|| version_in(&program.text)),
            origin: program.origin.clone(),
            ..Self::default()
        }
    }

    /// The version, or one that is newer than all if it is not said.
    fn qemu(&self) -> Version {
        self.version.unwrap_or(Version { major: u16::MAX, minor: 0, patch: 0 })
    }

    /// Reads option by option, as QEMU does; the first word that is none of its options ends it (system/vl.c,
    /// `lookup_opt`).
    fn scan(&mut self, words: &[Word], files: &Files, sink: &mut Sink) {
        let mut words = words.iter();
        // Without quotes, as logs print it, a value that has a space goes on in the next word.
        let mut goes_on = false;
        while let Some(word) = words.next() {
            let Some(name) = word.text.strip_prefix('-').filter(|_| word.text != "-") else {
                // A bare word is the image of a disk.
                if !goes_on && word.text.contains(['=', '{', '$', '`']) {
                    sink.odd(word.origin.clone(), &word.text);
                }
                continue;
            };
            let name = name.strip_prefix('-').unwrap_or(name);
            let Some(row) = self.option(name, word, sink) else { continue };
            goes_on = matches!(name, "append" | "smbios");
            if !row.takes_value {
                self.alone(name, row.use_, word, sink);
                continue;
            }
            match words.next() {
                Some(value) => self.with_value(name, row.use_, word, value, files, sink),
                None => {
                    let text = format!("{}: requires an argument", word.text);
                    sink.refuse(Stage::Words, word.origin.clone(), text);
                }
            }
        }
    }

    /// The option of this name. One that newer versions no longer have is taken where the version is not said.
    fn option(&self, name: &str, word: &Word, sink: &mut Sink) -> Option<options::OptionRow> {
        let row = options::option(name);
        let gone = row.and_then(|row| row.gone_since);
        if let (Some(since), None) = (gone, self.version) {
            sink.gone(word.origin.clone(), format!("`{}` is gone since QEMU {since}", word.text));
        }
        let refused = gone.is_some_and(|since| self.version.is_some_and(|version| since <= version));
        if row.is_none() || refused {
            sink.refuse(Stage::Words, word.origin.clone(), format!("{}: invalid option", word.text));
            return None;
        }
        row
    }

    fn alone(&mut self, name: &str, use_: Use, word: &Word, sink: &mut Sink) {
        match name {
            "enable-kvm" => self.kvm = true,
            "no-acpi" => self.machine.push(self.pair("acpi", "off", word)),
            _ if use_ == Use::Unread => sink.odd(word.origin.clone(), &word.text),
            _ => {}
        }
    }

    fn pair(&self, name: &str, value: &str, word: &Word) -> Pair {
        Pair { name: name.into(), value: value.into(), has_value: true, origin: word.origin.clone() }
    }

    fn with_value(
        &mut self,
        name: &str,
        use_: Use,
        option: &Word,
        value: &Word,
        files: &Files,
        sink: &mut Sink,
    ) {
        match name {
            "readconfig" if is_of_proxmox(&value.text) => {}
            "readconfig" => readconfig::read(self, value, files, sink),
            "cpu" => {
                if value.text.is_empty() {
                    sink.refuse(Stage::Machine, value.origin.clone(), "-cpu option cannot be empty");
                }
                self.cpu = Some(value.clone());
            }
            "mem-path" => self.mem_path = Some(value.clone()),
            "bios" | "pflash" => self.firmware = true,
            "fw_cfg" => self.fw_cfg(&Keyval::new(&option.text, value, "name")),
            _ => match (implied(name), use_) {
                (Some(implied), Use::Layout) => {
                    self.group(name, Keyval::new(&option.text, value, implied), sink);
                }
                (_, Use::Unread) => {
                    sink.odd(option.origin.clone(), format!("{} {}", option.text, value.text));
                }
                _ => {}
            },
        }
    }

    /// Takes the options of one group, from the command line or from a file of `-readconfig`.
    fn group(&mut self, name: &str, options: Keyval, sink: &mut Sink) {
        match name {
            "M" | "machine" => self.machine(options, sink),
            "accel" => self.accelerators.extend(options.get("accel").map(str::to_owned)),
            "m" | "memory" => self.add_memory(options, sink),
            "smp" | "smp-opts" => self.smp.push(options),
            "global" => self.globals.push(options),
            "object" => self.objects.push(options),
            "device" => self.devices.push(options),
            "numa" => self.numa.push(options),
            "name" => self.name = options.get("guest").map(str::to_owned),
            "drive" if options.get("if") == Some("pflash") => self.firmware = true,
            "fw_cfg" => self.fw_cfg(&options),
            _ => {}
        }
    }

    /// OVMF reads the number of mebibytes, 16 TiB at most (OvmfPkg/Library/PlatformInitLib/MemDetect.c,
    /// PlatformGetFirstNonAddress).
    fn fw_cfg(&mut self, options: &Keyval) {
        if options.get("name") == Some("opt/ovmf/X-PciMmio64Mb") {
            let mebibytes = options.get("string").and_then(|text| text.parse::<u64>().ok());
            self.ovmf_window = mebibytes.filter(|&mebibytes| mebibytes <= 0x100_0000).map(Size::mib);
        }
    }

    /// Machine properties gather over all `-machine` options.
    fn machine(&mut self, options: Keyval, sink: &mut Sink) {
        self.machine_option.get_or_insert_with(|| options.option.clone());
        let takes_bare_words = self.qemu() < KEYVAL_SINCE;
        for mut pair in options.pairs {
            // system/vl.c, `keyval_dashify`.
            pair.name = pair.name.replace('_', "-");
            if pair.name.is_empty() {
                let text = format!("{}: Invalid parameter ''", options.option);
                sink.refuse(Stage::Words, pair.origin, text);
            } else if pair.has_value || takes_bare_words {
                self.machine.push(pair);
            } else {
                let name = if pair.value == "off" { format!("no{}", pair.name) } else { pair.name };
                let text = format!("{}: Expected '=' after parameter '{name}'", options.option);
                sink.refuse(Stage::Words, pair.origin, text);
            }
        }
    }

    fn add_memory(&mut self, options: Keyval, sink: &mut Sink) {
        let unknown =
            options.pairs.iter().find(|pair| !matches!(pair.name.as_str(), "size" | "maxmem" | "slots"));
        if let Some(pair) = unknown {
            let text = format!("{}: Invalid parameter '{}'", options.option, pair.name);
            sink.refuse(Stage::Words, pair.origin.clone(), text);
        }
        if let Some(before) =
            self.memory.last().filter(|before| before.get("size").is_some() && options.get("size").is_some())
        {
            let message =
                format!("the size of the memory is said twice; QEMU takes the last, `{}`", options.option);
            let twice = Diagnostic::new(&codes::TWICE, options.origin.clone(), message);
            sink.tell(twice.related(before.origin.clone(), "first here"));
        }
        self.memory.push(options);
    }

    fn facts(&self, sink: &mut Sink) -> ConfiguredFacts {
        let mut facts = ConfiguredFacts {
            program: self.program.clone(),
            machine_option: self.machine_option.clone(),
            memory_option: self.memory.first().map(|options| options.option.clone()),
            accelerator: self.accelerator(),
            firmware: self.firmware,
            ovmf_window: self.ovmf_window,
            smp: machine::smp(self, sink),
            pci_window: machine::pci_window(self, sink),
            ..ConfiguredFacts::default()
        };
        let is_a_name = |name: &&String| name.len() <= LONGEST_NAME;
        facts.guest.name = self.name.as_ref().filter(is_a_name).cloned().unwrap_or_default();
        facts.guest.origin = self.origin.clone();
        facts.guest.arch = self.arch;
        facts.guest.vcpus = (!self.smp.is_empty()).then(|| facts.smp.at_start());
        facts.guest.vmm = Some(VmmFact {
            kind: VmmKind::Qemu,
            version: self.version,
            machine: machine::text(self, sink),
            cpu: machine::cpu(self),
            custom: None,
            origin: self.origin.clone(),
        });
        if let Some(pair) =
            self.machine.iter().find(|pair| pair.name == "accel" && !self.accelerators.is_empty())
        {
            let text = "The -accel and \"-machine accel=\" options are incompatible";
            sink.refuse(Stage::Machine, pair.origin.clone(), text);
        }
        machine::check_accelerators(self, sink);
        numa::check(self, &facts, sink);
        devices::read(self, &mut facts, sink);
        memory::read(self, &mut facts, sink);
        facts
    }

    /// QEMU emulates unless told otherwise, but for a program whose name ends with `kvm` (system/vl.c,
    /// `configure_accelerators`).
    fn accelerator(&self) -> Option<Accelerator> {
        let of_machine = self.machine.iter().rev().find(|pair| pair.name == "accel");
        let said =
            of_machine.map(|pair| pair.value.as_str()).or(self.accelerators.first().map(String::as_str));
        let kvm = match said {
            Some(said) => said.starts_with("kvm"),
            None => self.kvm || self.program.ends_with("kvm"),
        };
        Some(if kvm { Accelerator::Kvm } else { Accelerator::Emulated })
    }
}

/// The files of Proxmox add controllers and ports, nothing else (qemu-server, `qemu-configs`).
fn is_of_proxmox(file: &str) -> bool {
    file.strip_prefix("/usr/share/qemu-server/").is_some_and(|name| name.starts_with("pve-"))
}

/// The name that the first part of an option's value may lack.
fn implied(option: &str) -> Option<&'static str> {
    Some(match option {
        "M" | "machine" => "type",
        "accel" => "accel",
        "m" => "size",
        "smp" => "cpus",
        "object" => "qom-type",
        "device" => "driver",
        "numa" => "type",
        "name" => "guest",
        "global" | "drive" => "",
        _ => return None,
    })
}

/// The version in a path such as `/opt/qemu-11.1.3/bin/qemu-system-aarch64`.
fn version_in(path: &str) -> Option<Version> {
    path.split('/').find_map(|part| {
        // `/nix/store/HASH-qemu-8.2.0/bin`, too.
        let part = part.find("-qemu-").and_then(|at| part.get(at.saturating_add(1)..)).unwrap_or(part);
        let rest = part.strip_prefix("qemu-").or_else(|| part.strip_prefix("qemu"))?;
        rest.starts_with(|c: char| c.is_ascii_digit()).then(|| Version::from_release(rest)).flatten()
    })
}
