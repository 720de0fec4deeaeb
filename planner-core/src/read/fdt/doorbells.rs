//! MSI controllers of host bridges that are neither an ITS nor a GICv2m frame.

use std::collections::BTreeMap;

use super::address::first_register;
use super::sink::Sink;
use super::tree::{NodeRef, Tree};
use crate::addr::{Address as _, Hpa, Span};
use crate::facts::host::{DoorbellFact, DoorbellKind};
use crate::size::Size;

/// The doorbells of the nodes with these numbers, those with names left out.
pub(super) fn doorbells(
    tree: &Tree<'_>,
    named: &BTreeMap<usize, String>,
    wanted: impl Iterator<Item = usize>,
    sink: &mut Sink,
) -> BTreeMap<usize, DoorbellFact> {
    let mut found = BTreeMap::new();
    for index in wanted {
        if named.contains_key(&index) || found.contains_key(&index) {
            continue;
        }
        if let Some(fact) = tree.node(index).and_then(|node| doorbell(node, sink)) {
            found.insert(index, fact);
        }
    }
    found
}

/// Controllers whose drivers map their doorbell for the device (`iommu_dma_prepare_msi`), which is their first register
/// (drivers/irqchip/irq-ls-scfg-msi.c). One of these words is misspelt there and in old trees.
const REMAPPED: [&str; 6] = [
    "fsl,ls1012a-msi",
    "fsl,ls1021a-msi",
    "fsl,ls1043a-msi",
    "fsl,ls1043a-v1.1-msi",
    "fsl,ls1046a-msi",
    "fsl,1s1021a-msi",
];
/// Offset of `GICD_SETSPI_NSR`, through which a GICv3 distributor takes MSIs (Arm IHI 0069, 12.9;
/// drivers/irqchip/irq-gic-v3-mbi.c).
const SETSPI: Size = Size::from_bytes(0x40);

/// A controller whose registers are where devices write. A host bridge that is its own controller keeps its doorbell
/// to itself, and other controllers may, too: `None`.
fn doorbell(node: NodeRef<'_, '_>, sink: &mut Sink) -> Option<DoorbellFact> {
    if super::address::is_pci(node) {
        return None;
    }
    let first = first_register(node, sink)?;
    let (kind, span) = if node.is_compatible("arm,gic-v3") {
        (DoorbellKind::Remapped, set_spi(node, first.span)?)
    } else if REMAPPED.iter().any(|word| node.is_compatible(word)) {
        (DoorbellKind::Remapped, first.span)
    } else {
        (DoorbellKind::Unmapped, first.span)
    };
    Some(DoorbellFact {
        name: Some(format!("{}@{:x}", node.bare_name(), first.span.first().get())),
        kind,
        span,
        origin: sink.origin(first.offset, first.length),
    })
}

/// The register of the distributor, or of its alias for devices (`mbi_init`).
fn set_spi(node: NodeRef<'_, '_>, distributor: Span<Hpa>) -> Option<Span<Hpa>> {
    if !node.has("mbi-ranges") {
        return None;
    }
    let cells = node.child_cells().address;
    let alias = node.property("mbi-alias").and_then(|value| value.number(0, cells)).map(Hpa::new);
    Span::from_start_size(alias.unwrap_or(distributor.first()).checked_add(SETSPI)?, Size::from_bytes(4))
}
