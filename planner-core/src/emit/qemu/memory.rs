//! Memory: its size, the backends behind it, NUMA nodes, and modules at their addresses.

use super::super::Unsupported;
use super::super::boot::{
    BootMemory, behind_hole, boot_memory, boot_size, node_of, piece_size, refuse_elsewhere,
};
use super::super::machine::{ram_base, with_unit};
use super::super::parts::{cpu_range, dimms, has_modules, huge_pages, identifier, processors_of_nodes};
use super::QemuOption;
use crate::addr::Address;
use crate::facts::guest::NumaFact;
use crate::plan::{Plan, RamPiece};
use crate::size::Size;
use crate::version::Version;

/// `-machine memory-backend=` (hw/core/machine.c, machine_set_memdev). Before, memory has a backend through a NUMA node.
const MACHINE_BACKEND_SINCE: Version = Version::new(5, 0);
/// QEMU rounds boot memory up to this without a word (system/vl.c, parse_memory_options).
const GRAIN: Size = Size::kib(8);

/// What memory adds to the command line.
pub(super) struct Memory {
    /// The backend of all boot memory, when the machine names it rather than a NUMA node.
    pub(super) machine_backend: Option<String>,
    /// The options.
    pub(super) options: Vec<QemuOption>,
}

impl Memory {
    /// Memory as the plan has it. QEMU packs boot memory by itself, node by node from the base of the machine's memory,
    /// and goes around its own hole; modules lie where `addr=` says (hw/mem/memory-device.c,
    /// memory_device_get_free_addr).
    pub(super) fn of(plan: &Plan) -> Result<Self, Unsupported> {
        refuse_elsewhere(plan, ram_base(plan.guest.arch), behind_hole(plan.guest.arch))?;
        let boot = boot_memory(plan)?;
        boot.iter().try_for_each(|part| identifier(&part.name).map(drop))?;
        let mut memory = Self { machine_backend: None, options: vec![size(plan, boot_size(&boot)?)?] };
        if !plan.guest.numa.is_empty() {
            for (node, cpus) in plan.guest.numa.iter().zip(processors_of_nodes(plan)) {
                memory.node(plan, node, cpus, boot.iter().find(|part| part.node == Some(node.node)));
            }
        } else if let [all] = boot.as_slice() {
            memory.whole(plan, all);
        }
        for (index, piece) in dimms(plan).enumerate() {
            memory.module(plan, index, piece)?;
        }
        Ok(memory)
    }

    /// A NUMA node with its boot memory, if it has any.
    fn node(&mut self, plan: &Plan, node: &NumaFact, cpus: Option<(u32, u32)>, part: Option<&BootMemory>) {
        let mut option = QemuOption::new("-numa").head("node").with("nodeid", node.node.to_string());
        if let Some(cpus) = cpus {
            option = option.with("cpus", cpu_range(cpus));
        }
        if let Some(part) = part {
            self.options.push(backend(plan, &part.name, part.size, part.host_node));
            option = option.with("memdev", &part.name);
        }
        self.options.push(option);
    }

    /// The boot memory of a guest without NUMA. Modules need a node to belong to; otherwise only memory that is not
    /// ordinary needs a backend of its own.
    fn whole(&mut self, plan: &Plan, all: &BootMemory) {
        let modules = has_modules(plan);
        if !modules && huge_pages(plan).is_none() && all.host_node.is_none() {
            return;
        }
        self.options.push(backend(plan, &all.name, all.size, all.host_node));
        if modules || plan.vmm.version < MACHINE_BACKEND_SINCE {
            self.options
                .push(QemuOption::new("-numa").head("node").with("nodeid", "0").with("memdev", &all.name));
        } else {
            self.machine_backend = Some(all.name.clone());
        }
    }

    /// A module at its address.
    fn module(&mut self, plan: &Plan, index: usize, piece: &RamPiece) -> Result<(), Unsupported> {
        let node = if plan.guest.numa.is_empty() { 0 } else { node_of(plan, piece)? };
        identifier(&piece.name)?;
        self.options.push(backend(plan, &piece.name, piece_size(piece)?, piece.host_node));
        let dimm = QemuOption::new("-device")
            .head("pc-dimm")
            .with("id", format!("dimm{index}"))
            .with("memdev", &piece.name)
            .with("addr", format!("{:#x}", piece.span.first().get()))
            .with("node", node.to_string());
        self.options.push(dimm.because(why_there(plan, piece)));
        Ok(())
    }
}

/// `-m`: boot memory, and with modules the room for all of them.
fn size(plan: &Plan, boot: Size) -> Result<QemuOption, Unsupported> {
    if !boot.bytes().is_multiple_of(GRAIN.bytes()) {
        let because = format!("QEMU rounds boot memory up to {GRAIN}, and {boot} are no multiple");
        return Err(Unsupported::new(because, "plan again with whole MiB"));
    }
    let mut option = QemuOption::new("-m").head(with_unit(boot));
    if let Some(most) = plan.max_memory {
        let slots = plan.slots.unwrap_or(0);
        option = option.with("slots", slots.to_string()).with("maxmem", with_unit(most));
    }
    option.why = why_size(plan, boot);
    Ok(option)
}

fn why_size(plan: &Plan, boot: Size) -> Option<String> {
    let modules = dimms(plan).count();
    let mut reasons = Vec::new();
    if modules != 0 {
        let plural = if modules == 1 { "a module at an address" } else { "modules at addresses" };
        reasons.push(format!(
            "{boot} of {} are boot memory, the rest is in {plural} of its own",
            plan.guest.memory
        ));
    }
    for room in &plan.hotplug {
        reasons.push(format!("{room} is room for memory plugged in later"));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Where a module lies and, if the plan says so, why.
fn why_there(plan: &Plan, piece: &RamPiece) -> String {
    let region = plan.regions.iter().find(|region| region.name == piece.name);
    let reasons = region.into_iter().flat_map(|region| &region.because);
    let reasons: Vec<&str> = reasons.map(|reason| reason.because.as_str()).collect();
    let place = format!("{} lies at {}", piece.name, piece.span);
    if reasons.is_empty() { place } else { format!("{place}: {}", reasons.join("; ")) }
}

/// A memory backend. Huge pages come from a memfd rather than from a mounted hugetlbfs: the page size is then said and
/// not guessed from a path, and nothing need be mounted (backends/hostmem-memfd.c; Linux 4.16).
fn backend(plan: &Plan, id: &str, size: Size, host_node: Option<u32>) -> QemuOption {
    let option = QemuOption::new("-object");
    let mut option = match huge_pages(plan) {
        None => option.head("memory-backend-ram").with("id", id).with("size", with_unit(size)),
        Some(pages) => option
            .head("memory-backend-memfd")
            .with("id", id)
            .with("size", with_unit(size))
            .with("hugetlb", "on")
            .with("hugetlbsize", with_unit(pages.size()))
            .with("prealloc", "on"),
    };
    if let Some(node) = host_node {
        option = option.with("host-nodes", node.to_string()).with("policy", "bind");
    }
    option
}
