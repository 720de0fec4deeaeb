//! A command line of kvmtool (`lkvm run …`) as a guest (builtin-run.c, arm/include/arm-common/kvm-config-arch.h).

use super::address;
use super::codes;
use super::options::{LongOption, options};
use super::sink::Sink;
use super::words::Word;
use crate::addr::{Address, Gpa};
use crate::diag::Diagnostic;
use crate::facts::configured::{Accelerator, ConfiguredFacts, Stage};
use crate::facts::guest::{MemoryFact, PassFact, VmmFact, VmmKind};
use crate::size::{MIB, PageSize, Size};
use crate::version::Version;

/// Options without effect on the memory map.
const HARMLESS: &[&str] = &[
    "--9p",
    "--balloon",
    "--console",
    "--debug",
    "--debug-ioport",
    "--debug-mmio",
    "--debug-nohostfs",
    "--debug-single-step",
    "--dev",
    "--disable-mte",
    "--disk",
    "--dump-dtb",
    "--firmware",
    "--firmware-address",
    "--flash",
    "--force-pci",
    "--gtk",
    "--initrd",
    "--kernel",
    "--loglevel",
    "--network",
    "--no-dhcp",
    "--no-pvtime",
    "--nodefaults",
    "--params",
    "--pmu",
    "--pmuv3",
    "--psci",
    "--rng",
    "--sandbox",
    "--sdl",
    "--sve-max-vl",
    "--tty",
    "--vcpu-affinity",
    "--virtio-legacy",
    "--virtio-transport",
    "--vnc",
    "--vsock",
    "-F",
    "-d",
    "-f",
    "-i",
    "-k",
    "-n",
    "-p",
    "-s",
];

/// Whether a word names kvmtool: `lkvm`, `vm` of its own tree, `kvmtool`.
#[must_use]
pub fn is_program(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("lkvm" | "lkvm-static" | "kvmtool"))
}

/// Whether these are the words `vm run`: kvmtool calls itself `vm` where it is built (Makefile, `PROGRAM_ALIAS`).
pub(super) fn is_own_name(words: &[&str]) -> bool {
    matches!(words, [program, "run", ..] if program.rsplit('/').next() == Some("vm"))
}

/// Whether a word asks kvmtool for something other than to start a guest (kvm-cmd.c).
pub(super) fn is_other_verb(word: &str) -> bool {
    matches!(
        word,
        "balloon" | "debug" | "help" | "list" | "pause" | "resume" | "setup" | "stat" | "stop" | "version"
    )
}

/// What a command line says, from the name of the program on.
#[must_use]
pub fn read(words: &[Word], version: Option<Version>) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let program = words.first();
    let origin = program.map(|word| word.origin.clone()).unwrap_or_default();
    let mut facts = ConfiguredFacts { accelerator: Some(Accelerator::Kvm), ..ConfiguredFacts::default() };
    facts.guest.origin = origin.clone();
    facts.guest.vmm =
        Some(VmmFact { kind: VmmKind::Kvmtool, version, machine: None, cpu: None, custom: None, origin });
    let words: Vec<Word> =
        words.iter().skip(1).take_while(|word| word.text != "--").flat_map(apart).collect();
    for option in options(&words) {
        read_option(&option, &mut facts, &mut sink);
    }
    default_memory(&mut facts);
    let (refusals, found) = sink.finish();
    facts.refusals = refusals;
    (facts, found)
}

/// `-m16384` is `-m 16384` (util/parse-options.c, `get_arg`).
fn apart(word: &Word) -> Vec<Word> {
    let value = ["-m", "-c"].iter().find_map(|name| Some((*name, word.text.strip_prefix(name)?)));
    match value.filter(|(_, value)| value.starts_with(|c: char| c.is_ascii_digit())) {
        Some((name, value)) => {
            let origin = word.part(name.len()..word.text.len());
            vec![Word::at(name, word.origin.clone()), Word::at(value, origin)]
        }
        None => vec![word.clone()],
    }
}

/// 64 MiB for each CPU and 192 MiB, where the CPUs are said (builtin-run.c, `get_ram_size`; hosts with so little memory
/// that it takes less are left out).
fn default_memory(facts: &mut ConfiguredFacts) {
    let (None, Some(cpus)) = (facts.boot, facts.guest.vcpus) else { return };
    let Some(bytes) = (64 * MIB).checked_mul(u64::from(cpus).saturating_add(3)) else { return };
    let size = Size::from_bytes(bytes);
    let pages = facts.guest.memory.as_ref().and_then(|memory| memory.pages);
    let origin = facts.guest.origin.clone();
    facts.boot = Some(size);
    facts.guest.memory = Some(MemoryFact { size, pages, hotplug: None, slots: None, origin });
}

fn read_option(option: &LongOption, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let value = option.values.first();
    let read: fn(&Word, &mut ConfiguredFacts, &mut Sink) = match option.name.as_str() {
        "-m" | "--mem" => memory,
        "-c" | "--cpus" => cpus,
        "--vfio-pci" => pass,
        "--irqchip" => irqchip,
        "--hugetlbfs" => hugetlbfs,
        "--name" => |word, facts, _| facts.guest.name.clone_from(&word.text),
        "--aarch32" => return sink.odd(option.origin.clone(), "--aarch32"),
        name if HARMLESS.contains(&name) => return,
        name => return sink.odd(option.origin.clone(), name),
    };
    match value {
        Some(value) => read(value, facts, sink),
        None => sink.say(&codes::NO_VALUE, option.origin.clone(), format!("{} has no value", option.name)),
    }
}

/// `SIZE[@ADDRESS]`, MiB unless a unit says otherwise (builtin-run.c, `mem_parser`).
fn memory(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let (size, base) =
        word.text.split_once('@').map_or((word.text.as_str(), None), |(size, base)| (size, Some(base)));
    let base = base.map(bytes);
    let (Some(size), None | Some(Some(_))) = (bytes(size), base) else {
        let text = format!("Fatal: Invalid memory specifier: '{}'", word.text);
        return sink.refuse(Stage::Words, word.origin.clone(), text);
    };
    if facts.boot.is_some() {
        let message = "the memory is said twice; kvmtool takes the last";
        sink.say(&codes::TWICE, word.origin.clone(), message);
    }
    facts.ram_base = base.flatten().map(Gpa::new);
    let size = Size::from_bytes(size);
    facts.boot = Some(size);
    let pages = facts.guest.memory.as_ref().and_then(|memory| memory.pages);
    facts.guest.memory =
        Some(MemoryFact { size, pages, hotplug: None, slots: None, origin: word.origin.clone() });
}

fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let shift = match unit {
        "B" | "b" => 0,
        "K" | "k" => 10,
        "" | "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        "P" | "p" => 50,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn cpus(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    match word.text.parse() {
        Ok(count) if count > 0 => facts.guest.vcpus = Some(count),
        _ => sink.bad_value(word.origin.clone(), "-c", &word.text, "a number of virtual CPUs"),
    }
}

fn pass(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    match word.text.parse() {
        Ok(device) => facts.guest.pass.push(PassFact { device, origin: word.origin.clone() }),
        Err(_) => sink.tell(address::refused(word.origin.clone(), "--vfio-pci", &word.text)),
    }
}

fn irqchip(word: &Word, facts: &mut ConfiguredFacts, _: &mut Sink) {
    if let Some(vmm) = &mut facts.guest.vmm {
        vmm.machine = Some(format!("irqchip={}", word.text));
    }
}

/// The pages of a hugetlbfs have the size that its mount says; kvmtool asks the mount.
fn hugetlbfs(word: &Word, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let large = word.text.to_ascii_lowercase().contains("1g");
    if !large {
        let message = "the size of the pages of this hugetlbfs is not said, 2M is assumed";
        sink.say(&codes::PAGES_GUESSED, word.origin.clone(), message);
    }
    let pages = if large { PageSize::from_bytes(1 << 30) } else { Some(PageSize::M2) };
    let none =
        MemoryFact { size: Size::ZERO, pages, hotplug: None, slots: None, origin: word.origin.clone() };
    facts.guest.memory.get_or_insert(none).pages = pages;
}
