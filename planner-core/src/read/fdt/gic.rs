//! The Arm interrupt controller: distributor, interrupt translation services, GICv2m frames and message-based SPIs.

use super::address::{Registers, first_register, registers};
use super::codes;
use super::sink::Sink;
use super::tree::{NodeRef, Tree};
use crate::addr::{Address as _, Hpa, Span};
use crate::facts::host::{GicV2mFact, GicV3Fact, ItsFact};
use crate::size::{KIB, Size};

/// Most controllers of one kind; the largest machines have some tens.
const MAX_CONTROLLERS: usize = 1024;
/// Control and translation frames of an ITS (Arm IHI 0069, 12.18).
const ITS_FRAMES: Size = Size::kib(128);

/// GICv3 distributors with their redistributors (`gic_of_init` in drivers/irqchip/irq-gic-v3.c).
pub(super) fn distributors(tree: &Tree<'_>, sink: &mut Sink) -> Vec<GicV3Fact> {
    let nodes = tree.enabled().filter(|node| node.is_compatible("arm,gic-v3"));
    nodes.take(MAX_CONTROLLERS).filter_map(|node| distributor(node, sink)).collect()
}

fn distributor(node: NodeRef<'_, '_>, sink: &mut Sink) -> Option<GicV3Fact> {
    let registers = registers(node, sink);
    let (first, others) = registers.split_first()?;
    let regions = node.number("#redistributor-regions").and_then(|count| usize::try_from(count).ok());
    Some(GicV3Fact {
        name: format!("gic@{:x}", first.span.first().get()),
        distributor: first.span,
        redistributors: others.iter().take(regions.unwrap_or(1)).map(|region| region.span).collect(),
        origin: origin(first, sink),
    })
}

fn origin(registers: &Registers, sink: &Sink) -> crate::diag::Origin {
    sink.origin(registers.offset, registers.length)
}

/// Whether Linux takes the node for an MSI controller; one that lacks the property is reported.
fn controls_msi(node: NodeRef<'_, '_>, sink: &mut Sink) -> bool {
    let does = node.has("msi-controller");
    if !does {
        let (offset, length) = node.place();
        let message = format!("`{}` has no `msi-controller`", node.path());
        sink.say(&codes::NO_MSI_PROPERTY, offset, length, message);
    }
    does
}

/// Interrupt translation services (`its_of_probe` in drivers/irqchip/irq-gic-v3-its.c), each with the number of its
/// node.
pub(super) fn translation_services(tree: &Tree<'_>, sink: &mut Sink) -> Vec<(usize, ItsFact)> {
    let nodes = tree.enabled().filter(|node| node.is_compatible("arm,gic-v3-its"));
    nodes.take(MAX_CONTROLLERS).filter_map(|node| Some((node.index(), service(node, sink)?))).collect()
}

fn service(node: NodeRef<'_, '_>, sink: &mut Sink) -> Option<ItsFact> {
    if !controls_msi(node, sink) {
        return None;
    }
    let first = first_register(node, sink)?;
    let start = first.span.first();
    Some(ItsFact {
        name: format!("its@{:x}", start.get()),
        // Some boards state one frame, some the pages of virtual interrupts, too.
        frame: Span::from_start_size(start, ITS_FRAMES)?,
        origin: origin(&first, sink),
    })
}

/// GICv2m frames (`gicv2m_of_init` in drivers/irqchip/irq-gic-v2m.c), each with the number of its node.
pub(super) fn frames(tree: &Tree<'_>, sink: &mut Sink) -> Vec<(usize, GicV2mFact)> {
    let nodes = tree.enabled().filter(|node| node.is_compatible("arm,gic-v2m-frame"));
    nodes.take(MAX_CONTROLLERS).filter_map(|node| Some((node.index(), frame(node, sink)?))).collect()
}

fn frame(node: NodeRef<'_, '_>, sink: &mut Sink) -> Option<GicV2mFact> {
    if !controls_msi(node, sink) {
        return None;
    }
    let first = first_register(node, sink)?;
    let said = node.number("arm,msi-base-spi").zip(node.number("arm,msi-num-spis"));
    let last = said.and_then(|(base, count)| base.checked_add(count.checked_sub(1)?));
    Some(GicV2mFact {
        name: format!("v2m@{:x}", first.span.first().get()),
        frame: frame_of(first.span),
        first_spi: last.and(said).map(|(base, _)| base),
        last_spi: last,
        origin: origin(&first, sink),
    })
}

/// The 4 KiB of a frame that hold its registers; some boards state 64 KiB, so that pages of that size do not share it.
fn frame_of(span: Span<Hpa>) -> Span<Hpa> {
    let frame = Span::from_start_size(span.first(), Size::from_bytes(4 * KIB));
    frame.filter(|&frame| span.covers(frame)).unwrap_or(span)
}
