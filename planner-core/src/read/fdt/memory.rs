//! System RAM and the instruction set.

use super::address::{Registers, rows};
use super::sink::Sink;
use super::tree::{NodeRef, Tree};
use crate::addr::{Hpa, Span};
use crate::facts::Arch;
use crate::facts::host::RamFact;

/// Most banks of RAM; a server has one or two for each node.
const MAX_BANKS: usize = 4096;

/// Cores that know no 64-bit instructions, of which this planner has no word.
const CORES_OF_32_BITS: [&str; 7] = [
    "arm,cortex-a5",
    "arm,cortex-a7",
    "arm,cortex-a8",
    "arm,cortex-a9",
    "arm,cortex-a12",
    "arm,cortex-a15",
    "arm,cortex-a17",
];

/// The banks of RAM, ascending and apart, as Linux joins them (`early_init_dt_scan_memory` in drivers/of/fdt.c,
/// `memblock_add`).
pub(super) fn ram(tree: &Tree<'_>, sink: &mut Sink) -> Vec<RamFact> {
    let mut banks: Vec<RamFact> = Vec::new();
    let Some(root) = tree.root() else { return banks };
    for node in root.children().filter(|node| node.is_enabled() && node.is_of_type("memory")) {
        banks.extend(banks_of(node, sink));
    }
    banks.truncate(MAX_BANKS);
    banks.sort_by_key(|bank| bank.span);
    let mut joined: Vec<RamFact> = Vec::new();
    for bank in banks {
        match joined.last_mut() {
            Some(last) if last.span.overlaps(bank.span) => last.span = around(last.span, bank.span),
            _ => joined.push(bank),
        }
    }
    joined
}

fn around(low: Span<Hpa>, high: Span<Hpa>) -> Span<Hpa> {
    Span::new(low.first().min(high.first()), low.last().max(high.last())).unwrap_or(low)
}

/// Firmware states what the kernel may use beside what there is.
fn banks_of(node: NodeRef<'_, '_>, sink: &mut Sink) -> Vec<RamFact> {
    let name = if node.has("linux,usable-memory") { "linux,usable-memory" } else { "reg" };
    let numa = node.number("numa-node-id");
    let found = rows(node, name, sink);
    let bank = |registers: &Registers| RamFact {
        span: registers.span,
        node: numa,
        origin: sink.origin(registers.offset, registers.length),
    };
    found.iter().map(bank).collect()
}

/// The instruction set, by the processors: the root node has no word for it.
pub(super) fn arch(tree: &Tree<'_>) -> Option<Arch> {
    let cpus = tree.root()?.children().find(|node| node.name() == "cpus")?;
    let cpu = cpus.children().find(|node| node.is_of_type("cpu"))?;
    let mut compatible = cpu.compatible();
    if compatible.any(|word| word == "riscv") {
        return Some(Arch::Riscv64);
    }
    let word = cpu.compatible().next()?;
    (!CORES_OF_32_BITS.contains(&word)).then_some(Arch::Aarch64)
}
