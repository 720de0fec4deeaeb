//! What QEMU refuses about `-numa`, node by node (hw/core/numa.c, `parse_numa_node`, `parse_numa_distance`,
//! `numa_complete_configuration`).
//!
//! Left out: `-numa cpu` and the attributes of HMAT.

use std::collections::{BTreeMap, BTreeSet};

use super::super::keyval::Keyval;
use super::super::sink::Sink;
use super::Line;
use super::machine;
use crate::facts::Arch;
use crate::facts::configured::{ConfiguredFacts, Stage};
use crate::size::strto;
use crate::version::Version;

/// include/sysemu/numa.h, `MAX_NODES`.
const MOST_NODES: u64 = 128;
/// qapi/machine.json, `NumaNodeOptions`.
const OF_NODES: &[&str] = &["type", "nodeid", "cpus", "mem", "memdev", "initiator"];

/// How the memory of the nodes is said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    Mem,
    Memdev,
}

/// What the nodes so far have said.
#[derive(Default)]
struct Nodes {
    ids: BTreeSet<u64>,
    memory: Option<Memory>,
    backends: BTreeMap<String, usize>,
}

/// Tells what QEMU refuses.
pub(super) fn check(line: &Line, facts: &ConfiguredFacts, sink: &mut Sink) {
    let mut nodes = Nodes::default();
    for options in &line.numa {
        let found = match options.get("type") {
            Some("node") => nodes.add(line, facts, options),
            Some("dist") => nodes.check_distance(options),
            Some("cpu" | "hmat-lb" | "hmat-cache") => Ok(()),
            Some(other) => Err(format!("Parameter 'type' does not accept value '{other}'")),
            None => Err("Parameter 'type' is missing".into()),
        };
        if let Err(text) = found {
            let text = format!("{}: {text}", options.option);
            sink.refuse(Stage::Machine, options.origin.clone(), text);
            return;
        }
    }
    let count = u64::try_from(nodes.ids.len()).unwrap_or(MOST_NODES);
    let highest = nodes.ids.last().copied().unwrap_or(0);
    // Looked for from the highest down.
    let missing = (0..highest).rev().find(|id| !nodes.ids.contains(id)).filter(|_| count <= highest);
    if let Some(missing) = missing {
        sink.refuse(Stage::Machine, line.origin.clone(), format!("numa: Node ID missing: {missing}"));
    }
    if let Some((id, _)) = nodes.backends.iter().find(|(_, uses)| **uses > 1) {
        let text = format!("memory backend {id} can't be used multiple times.");
        sink.refuse(Stage::Backends, line.origin.clone(), text);
    }
}

impl Nodes {
    fn add(&mut self, line: &Line, facts: &ConfiguredFacts, options: &Keyval) -> Result<(), String> {
        if let Some(pair) = options.pairs.iter().find(|pair| !OF_NODES.contains(&pair.name.as_str())) {
            return Err(format!("Invalid parameter '{}'", pair.name));
        }
        let next = u64::try_from(self.ids.len()).unwrap_or(MOST_NODES);
        let id = match options.get("nodeid").map(strto::uint64) {
            None => next,
            Some(Ok(id)) => id,
            Some(Err(_)) => return Err("Parameter 'nodeid' expects a number".into()),
        };
        check_ranges(options)?;
        if options.get("mem").is_some_and(|text| strto::size(text, line.qemu()).is_err()) {
            return Err("Parameter 'mem' expects a size value".into());
        }
        if id >= MOST_NODES {
            return Err(format!("Max number of NUMA nodes reached: {id}"));
        }
        if !self.ids.insert(id) {
            return Err(format!("Duplicate NUMA nodeid: {id}"));
        }
        check_cpus(facts, options)?;
        self.check_memory(line, options)
    }

    fn check_memory(&mut self, line: &Line, options: &Keyval) -> Result<(), String> {
        let said = [("mem", Memory::Mem), ("memdev", Memory::Memdev)];
        let said: Vec<Memory> =
            said.into_iter().filter(|(name, _)| options.get(name).is_some()).map(|(_, kind)| kind).collect();
        let before = self.memory.or(said.first().copied());
        if said.iter().any(|&kind| Some(kind) != before) {
            return Err(
                "numa configuration should use either mem= or memdev=,mixing both is not allowed".into()
            );
        }
        self.memory = before;
        if said.contains(&Memory::Mem) && !takes_mem(line) {
            return Err("Parameter -numa node,mem is not supported by this machine type".into());
        }
        if let Some(id) = options.get("memdev") {
            let uses = self.backends.entry(id.to_owned()).or_default();
            *uses = uses.saturating_add(1);
        }
        Ok(())
    }

    fn check_distance(&self, options: &Keyval) -> Result<(), String> {
        let ends = ["src", "dst"].map(|name| options.get(name).and_then(|text| strto::uint64(text).ok()));
        if ends.iter().flatten().any(|id| !self.ids.contains(id)) {
            return Err(
                "Source/Destination NUMA node is missing. Please use '-numa node' option to declare it \
                        first."
                    .into(),
            );
        }
        Ok(())
    }
}

/// `mem=` went with the machine types 5.1 of arm and x86 (hw/core/machine.c, `numa_mem_supported`).
fn takes_mem(line: &Line) -> bool {
    let kind = machine::kind(line).unwrap_or_default();
    let version: Option<Version> = kind.rsplit('-').next().and_then(|version| version.parse().ok());
    line.arch == Some(Arch::Riscv64) || version.unwrap_or(line.qemu()) < Version::new(5, 1)
}

/// The ranges of `cpus=`.
fn ranges(options: &Keyval) -> impl Iterator<Item = (Option<u64>, Option<u64>)> {
    options.pairs.iter().filter(|pair| pair.name == "cpus").map(|pair| {
        let (first, last) = pair.value.split_once('-').unwrap_or((&pair.value, &pair.value));
        (strto::uint64(first).ok(), strto::uint64(last).ok())
    })
}

fn check_ranges(options: &Keyval) -> Result<(), String> {
    let bad = ranges(options).any(|(first, last)| first.is_none() || last.is_none() || first > last);
    if bad { Err("Parameter 'cpus' expects a uint64 value or range".into()) } else { Ok(()) }
}

fn check_cpus(facts: &ConfiguredFacts, options: &Keyval) -> Result<(), String> {
    let at_start = facts.smp.at_start();
    let most = u64::from(facts.smp.maxcpus.filter(|&count| count > 0).unwrap_or(at_start));
    let beyond = ranges(options).filter_map(|(first, last)| Some((first?, last?)));
    match beyond.map(|(first, last)| (first.max(most), last)).find(|(first, last)| first <= last) {
        Some((cpu, _)) => Err(format!("CPU index ({cpu}) should be smaller than maxcpus ({most})")),
        None => Ok(()),
    }
}
