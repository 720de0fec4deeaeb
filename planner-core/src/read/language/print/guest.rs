//! Facts about a guest to text.

use super::super::layout::{Entry, Line, text};
use super::super::token::{quoted, spelled};
use super::{bdfs, pages, range, round, span, yes};
use crate::facts::GuestFacts;
use crate::facts::custom::{CustomVmm, CustomWindow};
use crate::facts::guest::{MemoryFact, NumaFact, VmmFact};

/// The description of a guest, in canonical form. Reading it gives the same facts.
#[must_use]
pub fn print_guest(facts: &GuestFacts) -> String {
    let mut lines = Vec::new();
    lines.extend(facts.arch.map(|arch| Line::new(format!("arch {arch}"))));
    lines.extend(facts.vmm.as_ref().map(vmm));
    lines.extend(facts.memory.as_ref().map(memory));
    lines.extend(facts.numa.iter().map(numa));
    lines.extend(facts.vcpus.map(|vcpus| Line::new(format!("vcpus {vcpus}"))));
    lines.extend(bdfs("pass", facts.pass.iter().map(|pass| &pass.device)));
    lines.extend(rest(facts).into_iter().map(Line::new));
    let guest = Line::new(format!("guest {}", quoted(&facts.name)));
    text(&[Entry::Clause(guest.tall(lines))])
}

/// The clauses of one word or number each.
fn rest(facts: &GuestFacts) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(facts.viommu.map(|viommu| format!("viommu {viommu}")));
    lines.extend(facts.iommufd.map(|is| format!("iommufd {}", yes(is))));
    lines.extend(facts.hazards.map(|hazards| format!("hazards {hazards}")));
    lines.extend(facts.policy.map(|policy| format!("policy {policy}")));
    lines.extend(facts.ipa_bits.map(|bits| format!("ipa {bits} bits")));
    lines.extend(facts.avoid.iter().map(|avoid| format!("avoid {}", span(avoid.span))));
    lines.extend(facts.libvirt.map(|version| format!("libvirt {version}")));
    lines
}

fn vmm(fact: &VmmFact) -> Line {
    let version = fact.version.map(|version| format!(" {version}")).unwrap_or_default();
    let mut inner = Vec::new();
    inner.extend(fact.machine.as_ref().map(|machine| Line::new(format!("machine {}", spelled(machine)))));
    inner.extend(fact.cpu.as_ref().map(|cpu| Line::new(format!("cpu {}", spelled(cpu)))));
    inner.extend(fact.custom.iter().flat_map(custom).map(Line::new));
    Line::new(format!("vmm {}{version}", fact.kind)).inline(inner)
}

fn custom(custom: &CustomVmm) -> Vec<String> {
    let mut lines: Vec<String> = custom.ram.iter().map(|&ram| format!("ram {}", span(ram))).collect();
    lines.extend(custom.movable.map(|within| format!("movable {}", span(within))));
    lines.extend(custom.align.map(|align| format!("align {}", round(align))));
    lines.extend(custom.pieces.map(|pieces| format!("pieces {pieces}")));
    lines.extend(
        custom
            .regions
            .iter()
            .map(|region| format!("region {} {} {}", spelled(&region.name), span(region.span), region.kind)),
    );
    lines.extend(custom.windows.iter().map(window));
    lines.extend(custom.ipa_bits.map(|bits| format!("ipa {bits} bits")));
    lines.extend(custom.bars.map(|bars| format!("bars {bars}")));
    lines
}

fn window(window: &CustomWindow) -> String {
    let size = window.size.map(|size| format!(" size {}", round(size))).unwrap_or_default();
    let most = window.most.map(|most| format!(" most {}", round(most))).unwrap_or_default();
    format!("window {} {} {}{size}{most}", spelled(&window.name), window.kind, span(window.span))
}

fn memory(fact: &MemoryFact) -> Line {
    let mut inner = Vec::new();
    inner.extend(fact.pages.map(|page| Line::new(pages(std::iter::once(page)))));
    inner.extend(fact.hotplug.map(|size| Line::new(format!("hotplug {}", round(size)))));
    inner.extend(fact.slots.map(|slots| Line::new(format!("slots {slots}"))));
    Line::new(format!("memory {}", round(fact.size))).inline(inner)
}

fn numa(fact: &NumaFact) -> Line {
    let mut inner = vec![Line::new(format!("memory {}", round(fact.memory)))];
    inner.extend(
        fact.first_cpu
            .zip(fact.last_cpu)
            .map(|(first, last)| Line::new(format!("cpus {}", range(first, last, |cpu| cpu.to_string())))),
    );
    inner.extend(fact.host_node.map(|node| Line::new(format!("host-node {node}"))));
    Line::new(format!("numa {}", fact.node)).inline(inner)
}
