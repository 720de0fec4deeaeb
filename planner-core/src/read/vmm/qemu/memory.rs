//! Memory of a QEMU command line: `-m`, memory backends, NUMA nodes, modules at addresses.

use std::collections::{BTreeMap, BTreeSet};

use super::super::codes;
use super::super::keyval::{Keyval, Pair};
use super::super::sink::Sink;
use super::Line;
use super::options;
use crate::addr::{Address, Gpa};
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::facts::configured::{ConfiguredFacts, ModuleFact, ModuleKind, Stage};
use crate::facts::guest::{MemoryFact, NumaFact};
use crate::size::strto::{self, StrtoError};
use crate::size::{PageSize, Size};
use crate::version::Version;

/// QEMU's memory without `-m` (hw/core/machine.c, `machine_class_init`: `default_ram_size`).
const DEFAULT_MEMORY: Size = Size::mib(128);
/// `-m` is rounded up to this (system/vl.c, `parse_memory_options`).
const MEMORY_ALIGN: Size = Size::kib(8);
/// Most memory devices that are read: more than there are slots.
const MOST_MODULES: usize = 300;
/// Most NUMA nodes (include/system/numa.h, `MAX_NODES`).
const MOST_NODES: u32 = 128;
/// backends/hostmem*.c.
const BACKENDS: &[&str] = &[
    "memory-backend-ram",
    "memory-backend-file",
    "memory-backend-memfd",
    "memory-backend-epc",
    "memory-backend-shm",
];

/// A memory backend.
struct Backend {
    size: Size,
    pages: Option<PageSize>,
    host_node: Option<u32>,
}

/// Reads everything about memory.
pub(super) fn read(line: &Line, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let backends = backends(line, sink);
    limits(line, facts, sink);
    let mut busy = BTreeSet::new();
    let of_machine = machine_backend(line, &backends, facts, &mut busy, sink);
    let mut nodes = nodes(line, &backends, facts, &mut busy, sink);
    modules(line, &backends, facts, &mut busy, sink);
    add_modules(line, facts, &mut nodes);
    let boot = facts.boot.unwrap_or(DEFAULT_MEMORY);
    let in_modules = facts.modules.iter().try_fold(Size::ZERO, |sum, module| sum.checked_add(module.size));
    let in_modules = in_modules.unwrap_or(Size::ZERO);
    let size = boot.checked_add(in_modules).unwrap_or(boot);
    let left = facts.max_memory.and_then(|max| max.checked_sub(size)).filter(|left| !left.is_zero());
    let dimms = facts.modules.iter().filter(|module| module.kind == ModuleKind::Dimm).count();
    let slots = facts.slots.map(|slots| slots.saturating_sub(u32::try_from(dimms).unwrap_or(slots)));
    let path_pages = line.mem_path.as_ref().and_then(|path| pages_of(&path.text, &path.origin, sink));
    facts.guest.memory = Some(MemoryFact {
        size,
        pages: of_machine.or(path_pages).or_else(|| nodes.iter().find_map(|node| node.pages)),
        hotplug: left,
        slots: slots.filter(|slots| left.is_some() && *slots > 0),
        origin: line.memory.last().map_or(line.origin.clone(), |options| options.origin.clone()),
    });
    facts.guest.numa = nodes.into_iter().map(|node| node.fact).collect();
}

/// `-m`: the parts of all that were given, of each the last.
fn limits(line: &Line, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    for options in &line.memory {
        for Pair { name, value, origin, .. } in &options.pairs {
            let read = match name.as_str() {
                "size" if value.is_empty() => continue,
                "size" => strto::size(value, line.qemu()).map(|_| ()),
                "maxmem" => strto::size(value, line.qemu()).map(|size| facts.max_memory = Some(size)),
                "slots" => strto::uint64(value).map(|slots| facts.slots = Some(saturated(slots))),
                _ => continue,
            };
            if let Err(error) = read {
                let text = format!("{}: {}", options.option, bad_number(name, value, error));
                sink.refuse_with(Stage::Words, origin.clone(), text, unit_meant(line, value));
            } else if name == "size" {
                set_boot(line, name, value, origin, facts, sink);
            }
        }
    }
    for pair in line.machine.iter().filter(|pair| pair.name == "memory.size") {
        set_boot(line, "size", &pair.value, &pair.origin, facts, sink);
    }
}

fn saturated(slots: u64) -> u32 {
    u32::try_from(slots).unwrap_or(u32::MAX)
}

/// What is wrong with a number of `-m` (util/qemu-option.c, `parse_option_size` and `parse_option_number`).
fn bad_number(name: &str, value: &str, error: StrtoError) -> String {
    match (name, error) {
        ("slots", StrtoError::Invalid) => format!("Parameter '{name}' expects a number"),
        ("slots", StrtoError::Range) => format!("Value '{value}' is too large for parameter '{name}'"),
        (_, StrtoError::Invalid) => {
            format!("Parameter '{name}' expects a non-negative number below 2^64")
        }
        (_, StrtoError::Range) => format!("Value '{value}' is out of range for parameter '{name}'"),
    }
}

/// Memory at boot, which the machine reads once more, with the unit that `-m` lacks (system/vl.c, `parse_memory_options`;
/// hw/core/machine.c, `machine_set_mem`).
fn set_boot(
    line: &Line,
    name: &str,
    value: &str,
    origin: &Origin,
    facts: &mut ConfiguredFacts,
    sink: &mut Sink,
) {
    match boot_size(line, value) {
        Some(size) => facts.boot = size,
        None => {
            let text = format!("Parameter 'memory.{name}' expects size");
            sink.refuse(Stage::Machine, origin.clone(), text);
        }
    }
}

/// QEMU's units are one letter, `8G`; people write `8GB` and `8 GiB`.
fn unit_meant(line: &Line, text: &str) -> Option<String> {
    let digits = text.len().saturating_sub(text.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    let (number, unit) = text.split_at(digits);
    let letter = unit.trim().chars().next().filter(char::is_ascii_alphabetic)?.to_ascii_uppercase();
    let plain = format!("{number}{letter}");
    (unit.trim().len() > 1 && size(line, &plain).is_some()).then(|| format!("write `{plain}`"))
}

/// A bare number is in MiB; nothing is the default.
fn boot_size(line: &Line, text: &str) -> Option<Option<Size>> {
    let bare = text.ends_with(|c: char| c.is_ascii_digit());
    let text = if bare { format!("{text}M") } else { text.to_owned() };
    let bytes = size(line, &text)?;
    let rounded = Size::from_bytes(MEMORY_ALIGN.round_up(bytes.bytes())?);
    Some((!rounded.is_zero()).then_some(rounded))
}

fn size(line: &Line, text: &str) -> Option<Size> {
    strto::size(text, line.qemu()).ok()
}

fn backends(line: &Line, sink: &mut Sink) -> BTreeMap<String, Backend> {
    let mut backends = BTreeMap::new();
    for options in &line.objects {
        let kind = options.get("qom-type").unwrap_or_default();
        if !kind.starts_with("memory-backend") {
            if !options::is_harmless_object(kind) {
                sink.odd(options.origin.clone(), &options.option);
            }
            continue;
        }
        let mut refuse = |text: String| {
            sink.refuse(Stage::Words, options.origin.clone(), format!("{}: {text}", options.option));
        };
        if !BACKENDS.contains(&kind) {
            refuse(format!("Parameter 'qom-type' does not accept value '{kind}'"));
            continue;
        }
        match (options.get("id"), options.get("size").map(|text| size(line, text))) {
            (None, _) => refuse("Parameter 'id' is missing".into()),
            (_, None) => refuse("Parameter 'size' is missing".into()),
            (_, Some(None)) => refuse("Parameter 'size' expects a size value".into()),
            (Some(id), Some(Some(size))) => {
                let backend =
                    Backend { size, pages: pages(line, options, sink), host_node: host_node(options) };
                backends.insert(id.to_owned(), backend);
            }
        }
    }
    backends
}

fn host_node(options: &Keyval) -> Option<u32> {
    let nodes =
        options.pairs.iter().filter(|pair| pair.name == "host-nodes" || pair.name.starts_with("host-nodes."));
    let nodes: Vec<u32> = nodes.filter_map(|pair| pair.value.trim_matches(['[', ']']).parse().ok()).collect();
    match nodes.as_slice() {
        [node] => Some(*node),
        _ => None,
    }
}

/// Size of the host pages behind a backend.
fn pages(line: &Line, options: &Keyval, sink: &mut Sink) -> Option<PageSize> {
    if let Some(pair) = options.pair("mem-path") {
        return pages_of(&pair.value, &pair.origin, sink);
    }
    if !options.is_on("hugetlb") {
        return None;
    }
    match options
        .get("hugetlbsize")
        .and_then(|text| size(line, text))
        .and_then(|size| PageSize::from_bytes(size.bytes()))
    {
        Some(pages) => Some(pages),
        None => Some(guessed(&options.origin, sink)),
    }
}

/// Size of the pages of a hugetlbfs, from the name of its mount point.
fn pages_of(path: &str, origin: &Origin, sink: &mut Sink) -> Option<PageSize> {
    const NAMES: &[(&str, u64)] = &[
        ("1g", 1 << 30),
        ("1048576k", 1 << 30),
        ("512m", 512 << 20),
        ("32m", 32 << 20),
        ("2m", 2 << 20),
        ("2048k", 2 << 20),
        ("64k", 64 << 10),
    ];
    let path = path.to_ascii_lowercase();
    let (_, after) = path.split_once("huge")?;
    let named = NAMES.iter().find(|(name, _)| after.contains(name));
    match named.and_then(|&(_, bytes)| PageSize::from_bytes(bytes)) {
        Some(pages) => Some(pages),
        None => Some(guessed(origin, sink)),
    }
}

fn guessed(origin: &Origin, sink: &mut Sink) -> PageSize {
    sink.say(
        &codes::PAGES_GUESSED,
        origin.clone(),
        "the size of these huge pages is not said, 2M is assumed",
    );
    PageSize::M2
}

/// The backend of the memory at boot (hw/core/machine.c, `machine_run_board_init`).
fn machine_backend(
    line: &Line,
    backends: &BTreeMap<String, Backend>,
    facts: &mut ConfiguredFacts,
    busy: &mut BTreeSet<String>,
    sink: &mut Sink,
) -> Option<PageSize> {
    let pair = line.machine.iter().rev().find(|pair| pair.name == "memory-backend")?;
    busy.insert(pair.value.clone());
    let Some(backend) = backends.get(&pair.value) else {
        let text = format!("Memory backend '{}' not found", pair.value);
        sink.refuse(Stage::Backends, pair.origin.clone(), text);
        return None;
    };
    let boot = *facts.boot.get_or_insert(backend.size);
    if boot != backend.size {
        let text = "Machine memory size does not match the size of the memory backend";
        sink.refuse(Stage::Backends, pair.origin.clone(), text);
    }
    backend.pages
}

/// A node with the pages behind its memory.
struct Node {
    fact: NumaFact,
    pages: Option<PageSize>,
}

/// NUMA nodes; none where their memory is not said.
fn nodes(
    line: &Line,
    backends: &BTreeMap<String, Backend>,
    facts: &ConfiguredFacts,
    busy: &mut BTreeSet<String>,
    sink: &mut Sink,
) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let rows = line.numa.iter().filter(|options| options.get("type") == Some("node"));
    for (options, index) in rows.zip(0_u32..) {
        // `numa` tells that there are too many, and that two have one number.
        if index >= MOST_NODES {
            return Vec::new();
        }
        let backend = options.get("memdev").map(|id| {
            busy.insert(id.to_owned());
            (id, backends.get(id))
        });
        if let Some((id, None)) = backend {
            let text = format!("{}: memdev={id} is ambiguous", options.option);
            sink.refuse(Stage::Backends, options.origin.clone(), text);
        }
        let backend = backend.and_then(|(_, backend)| backend);
        let node = options.get("nodeid").and_then(|id| id.parse().ok()).unwrap_or(index);
        if nodes.iter().any(|known| known.fact.node == node) {
            return Vec::new();
        }
        let memory = options.get("mem").and_then(|text| boot_size(line, text).flatten());
        let (first_cpu, last_cpu) = cpus(options);
        let fact = NumaFact {
            node,
            memory: backend.map(|backend| backend.size).or(memory).unwrap_or(Size::ZERO),
            first_cpu,
            last_cpu,
            host_node: backend.and_then(|backend| backend.host_node),
            origin: options.origin.clone(),
        };
        nodes.push(Node { fact, pages: backend.and_then(|backend| backend.pages) });
    }
    let sum = nodes.iter().try_fold(Size::ZERO, |sum, node| sum.checked_add(node.fact.memory));
    let sum = sum.unwrap_or(Size::ZERO);
    let boot = facts.boot.unwrap_or(DEFAULT_MEMORY);
    // Machine types before 5.1 shared the memory out.
    if sum.is_zero() && line.qemu() < Version::new(5, 1) {
        nodes.clear();
    } else if sum != boot && !nodes.is_empty() {
        let (sum, boot) = (sum.bytes(), boot.bytes());
        let text = format!("total memory for NUMA nodes ({sum:#x}) should equal RAM size ({boot:#x})");
        sink.refuse(Stage::Backends, line.origin.clone(), text);
    }
    nodes
}

/// The virtual CPUs of a node, if they are one range.
fn cpus(options: &Keyval) -> (Option<u32>, Option<u32>) {
    let ranges: Vec<&Pair> = options.pairs.iter().filter(|pair| pair.name == "cpus").collect();
    let [range] = ranges.as_slice() else { return (None, None) };
    let (first, last) = range.value.split_once('-').unwrap_or((&range.value, &range.value));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => (Some(first), Some(last)),
        _ => (None, None),
    }
}

/// Memory of modules belongs to nodes, too: to the first unless they say otherwise.
fn add_modules(line: &Line, facts: &ConfiguredFacts, nodes: &mut [Node]) {
    let options = line.devices.iter().filter(|options| module_kind(options).is_some());
    let wanted: BTreeMap<String, u32> = options
        .filter_map(|options| Some((options.option.clone(), options.get("node")?.parse().ok()?)))
        .collect();
    for module in &facts.modules {
        let number = wanted.get(&module.option).copied().unwrap_or(0);
        let Some(node) = nodes.iter_mut().find(|node| node.fact.node == number) else { continue };
        node.fact.memory = node.fact.memory.checked_add(module.size).unwrap_or(node.fact.memory);
    }
}

fn module_kind(options: &Keyval) -> Option<ModuleKind> {
    match options.get("driver")? {
        "pc-dimm" | "nvdimm" => Some(ModuleKind::Dimm),
        "virtio-mem-pci" | "virtio-mem-device" | "virtio-pmem-pci" => Some(ModuleKind::VirtioMem),
        _ => None,
    }
}

fn modules(
    line: &Line,
    backends: &BTreeMap<String, Backend>,
    facts: &mut ConfiguredFacts,
    busy: &mut BTreeSet<String>,
    sink: &mut Sink,
) {
    for options in &line.devices {
        let Some(kind) = module_kind(options) else { continue };
        if facts.modules.len() >= MOST_MODULES {
            sink.say(
                &codes::TOO_LONG,
                options.origin.clone(),
                format!("there are more than {MOST_MODULES} memory devices"),
            );
            return;
        }
        let memdev = options.get("memdev");
        let backend = memdev.and_then(|id| backends.get(id));
        // The `addr` of a PCI device is its place on the bus.
        let property = if kind == ModuleKind::Dimm { "addr" } else { "memaddr" };
        let address = options.get(property).map(|text| strto::uint64(text).map(Gpa::new));
        let fault = match (memdev, backend, address) {
            (Some(id), None, _) => Some(format!("Device '{id}' not found")),
            (_, _, Some(Err(_))) => Some(format!("Parameter '{property}' expects integer")),
            _ if kind == ModuleKind::VirtioMem && options.get("slot").is_some() => {
                Some(format!("Property '{}.slot' not found", options.get("driver").unwrap_or_default()))
            }
            _ => None,
        };
        let plug_fault = match memdev {
            _ if lacks_nvdimm(line, options) => Some(no_nvdimm(line).to_owned()),
            None => Some("'memdev' property must be set".to_owned()),
            Some(id) if !busy.insert(id.to_owned()) => Some(format!("can't use already busy memdev: {id}")),
            Some(_) => slot_fault(options, facts, kind),
        };
        for fault in fault.iter().chain(&plug_fault) {
            let text = format!("the VMM refuses this: {}: {fault}", options.option);
            sink.tell(Diagnostic::new(&codes::REFUSED, options.origin.clone(), text));
        }
        facts.modules.push(ModuleFact {
            id: options.get("id").map(str::to_owned),
            kind,
            size: backend.map_or(Size::ZERO, |backend| backend.size),
            // 0 is no address (hw/mem/memory-device.c, `memory_device_pre_plug`).
            at: address.and_then(Result::ok).filter(|at| at.get() != 0),
            option: options.option.clone(),
            fault,
            plug_fault,
            origin: options.origin.clone(),
        });
    }
}

/// Whether the machine was not told that there are NVDIMMs.
fn lacks_nvdimm(line: &Line, options: &Keyval) -> bool {
    let said = line.machine.iter().rev().find(|pair| pair.name == "nvdimm");
    let on = said.is_some_and(|pair| matches!(pair.value.as_str(), "on" | "yes" | "true" | "y"));
    options.get("driver") == Some("nvdimm") && !on
}

/// hw/arm/virt.c `virt_memory_pre_plug`, hw/i386/pc.c `pc_memory_pre_plug`.
fn no_nvdimm(line: &Line) -> &'static str {
    if line.arch == Some(Arch::X86_64) {
        "nvdimm is not enabled: missing 'nvdimm' in '-M'"
    } else {
        "nvdimm is not enabled: add 'nvdimm=on' to '-M'"
    }
}

/// hw/mem/pc-dimm.c, `pc_dimm_get_free_slot`.
fn slot_fault(options: &Keyval, facts: &ConfiguredFacts, kind: ModuleKind) -> Option<String> {
    let slots = facts.slots.filter(|&slots| slots > 0)?;
    let slot: i64 = options.get("slot").filter(|_| kind == ModuleKind::Dimm)?.parse().ok()?;
    let last = i64::from(slots).saturating_sub(1);
    (slot > last || slot < -1).then(|| format!("invalid slot number {slot}, valid range is [0-{last}]"))
}
