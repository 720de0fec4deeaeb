//! Machine, CPU model, number of CPUs and global properties of a QEMU command line.

use std::collections::BTreeMap;

use super::super::codes;
use super::super::keyval::{Keyval, Pair};
use super::super::sink::Sink;
use super::Line;
use crate::diag::Diagnostic;
use crate::facts::Arch;
use crate::facts::configured::{SmpFact, Stage};
use crate::size::Size;
use crate::size::strto::{self, StrtoError};
use crate::version::Version;

/// Words of `-smp` that came after 2.12 (qapi/machine.json, `SMPConfiguration`).
const SMP_LATER: &[(&str, Version)] = &[
    ("dies", Version::new(4, 1)),
    ("clusters", Version::new(7, 0)),
    ("books", Version::new(8, 2)),
    ("drawers", Version::new(8, 2)),
    ("modules", Version::new(9, 1)),
];
/// `-smp` is a property of the machine; before, it had a list of words of its own (system/vl.c, `qemu_smp_opts`).
const SMP_OF_MACHINE_SINCE: Version = Version::new(6, 1);

/// Properties of a machine that other options set or that hold names of files: they are not part of what a machine is.
const NOT_OF_THE_MACHINE: &[&str] = &[
    "accel",
    "append",
    "dtb",
    "dumpdtb",
    "firmware",
    "initrd",
    "kernel",
    "memory-backend",
    "pflash0",
    "pflash1",
];

/// Properties that add something to the memory map of which the planner has no model, by the start of their names
/// (hw/i386/sgx-epc.c, hw/cxl/cxl-host.c).
const WITHOUT_A_MODEL: &[&str] = &["cxl", "sgx-epc"];
/// Properties without effect on the memory map that only some builds and boards have.
const OF_SOME: &[&str] = &["hmat", "igd-passthru", "kvm-type"];

/// The machine in QEMU's words, `virt,gic-version=3`: the last type with all properties, of each the last.
pub(super) fn text(line: &Line, sink: &mut Sink) -> Option<String> {
    let kind = last(&line.machine, "type").map(|pair| plain_type(pair, sink));
    let mut words: Vec<String> = kind.into_iter().collect();
    let places = line.machine.iter().enumerate().map(|(index, pair)| (pair.name.as_str(), index));
    let last_of: BTreeMap<&str, usize> = places.collect();
    for (index, pair) in line.machine.iter().enumerate() {
        let again = last_of.get(pair.name.as_str()) != Some(&index);
        let sub = pair.name.starts_with("memory.") || pair.name.starts_with("smp.");
        // A comma would end the value for whoever reads this text; no value that matters has one.
        let other = NOT_OF_THE_MACHINE.contains(&pair.name.as_str()) || pair.value.contains(',');
        if again || sub || other || pair.name == "type" || OF_SOME.contains(&pair.name.as_str()) {
            continue;
        }
        if WITHOUT_A_MODEL.iter().any(|start| pair.name.starts_with(start)) {
            sink.odd(pair.origin.clone(), format!("-machine {}={}", pair.name, pair.value));
            continue;
        }
        words.push(format!("{}={}", pair.name, pair.value));
    }
    (!words.is_empty()).then(|| words.join(","))
}

/// The type of a machine without what a distribution adds to its name: `q35+pve1` (Proxmox) is `q35`; of
/// `pc-q35-rhel9.4.0` (Red Hat) and `pc-i440fx-jammy` (Ubuntu) only the board is known.
fn plain_type(pair: &Pair, sink: &mut Sink) -> String {
    let said = pair.value.as_str();
    if let Some((kind, _)) = said.split_once("+pve") {
        return kind.to_owned();
    }
    const BOARDS: &[(&str, &str)] = &[("pc-q35-", "q35"), ("pc-i440fx-", "pc"), ("virt-", "virt")];
    let of_distribution = |(start, board): &(&'static str, &'static str)| {
        let rest = said.strip_prefix(start)?;
        let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        (word.len() > 3).then_some((*start, *board))
    };
    let Some((start, board)) = BOARDS.iter().find_map(of_distribution) else { return said.to_owned() };
    let message = format!("`{said}` is a machine type of a distribution; it is read as the newest `{board}`");
    let help = format!("`--machine {start}7.2` and the like name QEMU's own type behind it");
    sink.tell(Diagnostic::new(&codes::DISTRIBUTION, pair.origin.clone(), message).help(help));
    board.to_owned()
}

/// The machine type.
pub(super) fn kind(line: &Line) -> Option<&str> {
    last(&line.machine, "type").map(|pair| pair.value.as_str())
}

fn last<'p>(pairs: &'p [Pair], name: &str) -> Option<&'p Pair> {
    pairs.iter().rev().find(|pair| pair.name == name)
}

/// The CPU in QEMU's words, with what `-global` says about its class. What `-cpu` says comes later and holds.
pub(super) fn cpu(line: &Line) -> Option<String> {
    let said = line.cpu.as_ref()?;
    let (model, features) = match said.text.split_once(',') {
        Some((model, features)) => (model, Some(features)),
        None => (said.text.as_str(), None),
    };
    let mut words = vec![model.to_owned()];
    for (driver, property, value) in line.globals.iter().filter_map(global) {
        let class = match line.arch {
            Some(Arch::Aarch64) => driver.strip_suffix("-arm-cpu"),
            Some(Arch::X86_64) => driver.strip_suffix("-x86_64-cpu"),
            _ => None,
        };
        if class == Some(model) {
            words.push(format!("{property}={value}"));
        }
    }
    words.extend(features.map(str::to_owned));
    Some(words.join(","))
}

/// `driver.property=value`, or `driver=…,property=…,value=…`.
pub(super) fn global(options: &Keyval) -> Option<(&str, &str, &str)> {
    if let (Some(driver), Some(property), Some(value)) =
        (options.get("driver"), options.get("property"), options.get("value"))
    {
        return Some((driver, property, value));
    }
    let first = options.pairs.first().filter(|pair| pair.has_value)?;
    let (driver, property) = first.name.split_once('.')?;
    Some((driver, property, &first.value))
}

/// Classes whose properties have nothing to do with the memory map, by the start of their names.
const HARMLESS_CLASSES: &[&str] = &[
    "ICH9",
    "PIIX",
    "cirrus",
    "ide",
    "isa",
    "kvm-pit",
    "mc146818rtc",
    "migration",
    "nec-usb",
    "nvme",
    "pcie-root-port",
    "pvpanic",
    "qxl",
    "ramfb",
    "scsi",
    "usb",
    "vfio-pci",
    "virtio",
    "vmgenid",
    "cfi.pflash",
    "isa-",
    "kvm-",
    "fw_cfg",
    "nvme-ns",
    "PIIX4",
    "intel-hda",
    "hda-",
    "e1000",
];

/// Size of the 64-bit PCI window of a PC (hw/pci-host/q35.c, hw/pci-host/i440fx.c: `pci-hole64-size`).
pub(super) fn pci_window(line: &Line, sink: &mut Sink) -> Option<Size> {
    let host = match kind(line).unwrap_or("pc") {
        kind if kind.starts_with("q35") || kind.starts_with("pc-q35") => "q35-pcihost",
        _ => "i440FX-pcihost",
    };
    let mut window = None;
    for options in &line.globals {
        let Some((driver, property, value)) = global(options) else {
            sink.refuse(
                Stage::Words,
                options.origin.clone(),
                format!("{}: {}", options.option, no_global(options)),
            );
            continue;
        };
        if property == "pci-hole64-size" && driver == host && line.arch == Some(Arch::X86_64) {
            match strto::size(value, line.qemu()) {
                Ok(size) => window = Some(size),
                Err(fault) => {
                    let text = format!(
                        "can't apply global {driver}.{property}={value}: {}",
                        no_size(property, value, fault)
                    );
                    sink.refuse(Stage::Machine, options.origin.clone(), text);
                }
            }
            continue;
        }
        // A class that the machine has not is warned about and has no effect.
        let other_board = matches!(driver, "q35-pcihost" | "i440FX-pcihost") && property == "pci-hole64-size";
        let harmless = HARMLESS_CLASSES.iter().any(|class| driver.starts_with(class));
        if !other_board && !driver.ends_with("-cpu") && !harmless {
            sink.odd(options.origin.clone(), &options.option);
        }
    }
    window
}

/// What is wrong with a size (util/qemu-option.c, `parse_option_size`).
fn no_size(name: &str, value: &str, fault: StrtoError) -> String {
    match fault {
        StrtoError::Range => format!("Value '{value}' is out of range for parameter '{name}'"),
        StrtoError::Invalid => format!("Parameter '{name}' expects a non-negative number below 2^64"),
    }
}

/// What is wrong with a `-global` (system/vl.c, `global_init_func` and qemu_global_option).
fn no_global(options: &Keyval) -> String {
    match options.pairs.first() {
        Some(pair) if pair.name == "driver" || pair.name == "property" || pair.name == "value" => {
            "options 'driver', 'property', and 'value' are required".into()
        }
        Some(pair) => format!("Invalid parameter '{}'", pair.name),
        None => "Invalid parameter ''".into(),
    }
}

/// Accelerators that QEMU has on some system (accel/accel-system.c, `accel_find`).
const ACCELERATORS: &[&str] = &["hax", "hvf", "kvm", "mshv", "nitro", "nvmm", "qtest", "tcg", "whpx", "xen"];

/// Accelerators that there are not (system/vl.c, `configure_accelerators`).
pub(super) fn check_accelerators(line: &Line, sink: &mut Sink) {
    for pair in line.machine.iter().filter(|pair| pair.name == "accel") {
        let odd = pair.value.split(':').find(|name| !ACCELERATORS.contains(name));
        match odd {
            Some("") => sink.refuse(Stage::Machine, pair.origin.clone(), "no accelerator found"),
            Some(name) => {
                sink.refuse(Stage::Machine, pair.origin.clone(), format!("invalid accelerator {name}"));
            }
            None => {}
        }
    }
    for name in line.accelerators.iter().filter(|name| !ACCELERATORS.contains(&name.as_str())) {
        let text = format!("-accel {name}: invalid accelerator {name}");
        sink.refuse(Stage::Machine, line.origin.clone(), text);
    }
}

/// `-smp`; the options of all that were given, of each the last (hw/core/machine-smp.c reads them).
pub(super) fn smp(line: &Line, sink: &mut Sink) -> SmpFact {
    let mut smp = SmpFact::default();
    let of_machine =
        line.machine.iter().filter_map(|pair| Some((pair.name.strip_prefix("smp.")?, pair, "-machine")));
    let of_smp = line.smp.iter().flat_map(|options| {
        options.pairs.iter().map(move |pair| (pair.name.as_str(), pair, options.option.as_str()))
    });
    for (name, pair, option) in of_smp.chain(of_machine) {
        let place = smp_place(&mut smp, name, line.qemu());
        let fault = match (place, count(&pair.value)) {
            (None, _) if line.qemu() < SMP_OF_MACHINE_SINCE => {
                let text = format!("{option}: Invalid parameter '{name}'");
                sink.refuse(Stage::Words, pair.origin.clone(), text);
                continue;
            }
            (None, _) => "is unexpected",
            (Some(_), None) => "expects integer",
            (Some(place), Some(count)) => {
                *place = Some(count);
                continue;
            }
        };
        sink.refuse(Stage::Machine, pair.origin.clone(), format!("Parameter 'smp.{name}' {fault}"));
    }
    smp
}

fn smp_place<'s>(smp: &'s mut SmpFact, name: &str, version: Version) -> Option<&'s mut Option<u32>> {
    if SMP_LATER.iter().any(|(later, since)| *later == name && version < *since) {
        return None;
    }
    match name {
        "cpus" => Some(&mut smp.cpus),
        "maxcpus" => Some(&mut smp.maxcpus),
        "sockets" => Some(&mut smp.sockets),
        "dies" => Some(&mut smp.dies),
        "clusters" => Some(&mut smp.clusters),
        "modules" => Some(&mut smp.modules),
        "cores" => Some(&mut smp.cores),
        "threads" => Some(&mut smp.threads),
        "books" => Some(&mut smp.books),
        "drawers" => Some(&mut smp.drawers),
        _ => None,
    }
}

/// hw/core/machine-smp.c, `machine_parse_smp_config`: a 64-bit integer is put into an unsigned one of 32 bits.
fn count(text: &str) -> Option<u32> {
    let low = u64::from(u32::MAX);
    strto::int64(text).ok().and_then(|count| u32::try_from(count.cast_unsigned() & low).ok())
}
