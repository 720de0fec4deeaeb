//! Processors: model, topology, NUMA cells.

use super::super::Unsupported;
use super::super::boot::{boot_memory, boot_size};
use super::super::machine::split_options;
use super::super::parts::{cpu_range, has_modules, processors_of_nodes, topology};
use super::memory::kibibytes;
use super::version::{self, Libvirt};
use super::xml::Element;
use crate::facts::Arch;
use crate::plan::Plan;
use crate::size::Size;

/// `<cpu>`.
pub(super) fn cpu(plan: &Plan, libvirt: &mut Libvirt) -> Result<Element, Unsupported> {
    let mut cpu = model(plan, libvirt)?;
    let is_host = cpu.attribute("mode") == Some("host-passthrough");
    if plan.guest.arch == Arch::Riscv64 && !(is_host && plan.guest.numa.is_empty()) {
        libvirt.require(version::RISCV_CPU)?;
    }
    if let Some((sockets, cores)) = topology(plan) {
        let topology = Element::new("topology").with("sockets", sockets.to_string());
        cpu = cpu.child(topology.with("cores", cores.to_string()).with("threads", "1"));
    }
    Ok(cpu.children(cells(plan)?))
}

/// The model, and of its options the width of physical addresses.
fn model(plan: &Plan, libvirt: &mut Libvirt) -> Result<Element, Unsupported> {
    let words = split_options(&plan.guest.cpu);
    let (model, options) = words.split_first().map_or(("", [].as_slice()), |(model, rest)| (model, rest));
    let mut cpu = Element::new("cpu");
    cpu = match model {
        "" | "host" => cpu.with("mode", "host-passthrough"),
        "max" => {
            libvirt.require(version::CPU_MAXIMUM)?;
            cpu.with("mode", "maximum")
        }
        model => cpu.with("mode", "custom").with("match", "exact").child(Element::text("model", model)),
    };
    let mut width = None;
    for option in options {
        width = match option.split_once('=') {
            Some(("host-phys-bits", "on" | "true")) => Some(width.unwrap_or(Width::Host)),
            Some(("host-phys-bits-limit", bits)) => Some(Width::AtMost(bits)),
            Some(("phys-bits", bits)) => Some(Width::Bits(bits)),
            _ => {
                let because = format!("the planner knows no libvirt element for the CPU option {option}");
                return Err(Unsupported::new(
                    because,
                    "plan again without it and add it to the domain by hand",
                ));
            }
        };
    }
    Ok(match width {
        Some(width) => cpu.children(width.said(libvirt)),
        None => cpu,
    })
}

/// The width of physical addresses that the CPU has.
#[derive(Clone, Copy, Debug)]
enum Width<'a> {
    /// The host's.
    Host,
    /// The host's, or these bits if that is fewer.
    AtMost(&'a str),
    /// So many bits.
    Bits(&'a str),
}

impl Width<'_> {
    /// The element, or what QEMU is told where libvirt has none: its CPU takes the same properties as globals
    /// (target/i386/cpu.c, x86_cpu_properties).
    fn said(self, libvirt: &mut Libvirt) -> Option<Element> {
        let element = libvirt.has(version::ADDRESS_WIDTH).then(|| Element::new("maxphysaddr"));
        let limited =
            matches!(self, Self::AtMost(_)) && element.is_some() && libvirt.has(version::WIDTH_LIMIT);
        let mut global = |name: &str, value: &str| {
            libvirt.argument("-global", format!("x86_64-cpu.{name}={}", value.replace(',', ",,")));
        };
        match (self, element) {
            (Self::Host, Some(element)) => return Some(element.with("mode", "passthrough")),
            (Self::Bits(bits), Some(element)) => {
                return Some(element.with("mode", "emulate").with("bits", bits));
            }
            (Self::AtMost(bits), Some(element)) => {
                let element = element.with("mode", "passthrough");
                if limited {
                    return Some(element.with("limit", bits));
                }
                global("host-phys-bits-limit", bits);
                return Some(element);
            }
            (Self::Host, None) => global("host-phys-bits", "on"),
            (Self::Bits(bits), None) => global("phys-bits", bits),
            (Self::AtMost(bits), None) => {
                global("host-phys-bits", "on");
                global("host-phys-bits-limit", bits);
            }
        }
        None
    }
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
