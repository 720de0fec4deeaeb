//! Processors: model, topology, NUMA cells.

use super::super::Unsupported;
use super::super::boot::{boot_memory, boot_size};
use super::super::machine::split_options;
use super::super::parts::{cpu_range, has_modules, processors_of_nodes, topology};
use super::memory::kibibytes;
use super::xml::Element;
use crate::plan::Plan;
use crate::size::Size;

/// `<cpu>`.
pub(super) fn cpu(plan: &Plan) -> Result<Element, Unsupported> {
    let mut cpu = model(plan)?;
    if let Some((sockets, cores)) = topology(plan) {
        let topology = Element::new("topology").with("sockets", sockets.to_string());
        cpu = cpu.child(topology.with("cores", cores.to_string()).with("threads", "1"));
    }
    Ok(cpu.children(cells(plan)?))
}

/// The model, and of its options the width of physical addresses (libvirt 9.3 for `limit`).
fn model(plan: &Plan) -> Result<Element, Unsupported> {
    let words = split_options(&plan.guest.cpu);
    let (model, options) = words.split_first().map_or(("", [].as_slice()), |(model, rest)| (model, rest));
    let mut cpu = Element::new("cpu");
    cpu = match model {
        "" | "host" => cpu.with("mode", "host-passthrough"),
        "max" => cpu.with("mode", "maximum"),
        model => cpu.with("mode", "custom").with("match", "exact").child(Element::text("model", model)),
    };
    let mut width: Option<Element> = None;
    for option in options {
        let host = || Element::new("maxphysaddr").with("mode", "passthrough");
        width = match option.split_once('=') {
            Some(("host-phys-bits", "on" | "true")) => width.or_else(|| Some(host())),
            Some(("host-phys-bits-limit", bits)) => Some(host().with("limit", bits)),
            Some(("phys-bits", bits)) => {
                Some(Element::new("maxphysaddr").with("mode", "emulate").with("bits", bits))
            }
            _ => {
                let because = format!("the planner knows no libvirt element for the CPU option {option}");
                return Err(Unsupported::new(
                    because,
                    "plan again without it and add it to the domain by hand",
                ));
            }
        };
    }
    Ok(cpu.children(width))
}

/// NUMA cells. libvirt wants one where there are memory modules.
fn cells(plan: &Plan) -> Result<Option<Element>, Unsupported> {
    let boot = boot_memory(plan)?;
    let cell = |id: u32, cpus: Option<String>, size: Size| {
        let cell = Element::new("cell").with("id", id.to_string());
        let cell = cpus.into_iter().fold(cell, |cell, cpus| cell.with("cpus", cpus));
        Ok(cell.with("memory", kibibytes(size)?).with("unit", "KiB"))
    };
    let numa = Element::new("numa");
    if plan.guest.numa.is_empty() {
        let last = plan.guest.vcpus.saturating_sub(1);
        return if has_modules(plan) {
            cell(0, Some(cpu_range((0, last))), boot_size(&boot)?).map(|one| Some(numa.child(one)))
        } else {
            Ok(None)
        };
    }
    let mut cells = Vec::new();
    for (id, cpus) in (0..).zip(processors_of_nodes(plan)) {
        let part = boot.iter().find(|part| part.node == Some(id)).ok_or_else(|| without_memory(id))?;
        cells.push(cell(id, cpus.map(cpu_range), part.size)?);
    }
    Ok(Some(numa.children(cells)))
}

/// libvirt 9.0 makes a backend of size 0 for such a cell, which QEMU refuses: "property 'size' of memory-backend-ram doesn't
/// take value '0'" (backends/hostmem.c, host_memory_backend_set_size).
fn without_memory(id: u32) -> Unsupported {
    Unsupported::new(
        format!("libvirt gives every NUMA cell boot memory, and node {id} has all of its memory in modules"),
        "emit for qemu, or plan with less memory in the nodes before it",
    )
}
