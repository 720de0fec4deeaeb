//! Memory: size, pages, host nodes, modules at their addresses.

use super::super::Unsupported;
use super::super::boot::{behind_hole, boot_memory, boot_size, node_of, piece_size, refuse_elsewhere};
use super::super::machine::ram_base;
use super::super::parts::{dimms, huge_pages};
use super::xml::Element;
use crate::addr::Address;
use crate::plan::Plan;
use crate::size::{KIB, MIB, Size};

/// `<maxMemory>`, `<memory>` and `<memoryBacking>`. libvirt counts modules as part of `<memory>`.
pub(super) fn size(plan: &Plan) -> Result<Vec<Element>, Unsupported> {
    refuse_elsewhere(plan, ram_base(plan.guest.arch), behind_hole(plan.guest.arch))?;
    let mut all = boot_size(&boot_memory(plan)?)?;
    for piece in dimms(plan) {
        let sum = all.checked_add(piece_size(piece)?);
        all = sum.ok_or_else(|| {
            Unsupported::new("the memory of the plan does not fit 64 bits", "plan again with less")
        })?;
    }
    let mut elements = Vec::new();
    if let Some(most) = plan.max_memory {
        let slots = plan.slots.filter(|&slots| slots != 0).ok_or_else(without_slots)?.to_string();
        elements.push(Element::text("maxMemory", kibibytes(most)?).with("slots", slots).with("unit", "KiB"));
    }
    elements.push(Element::text("memory", kibibytes(all)?).with("unit", "KiB"));
    if let Some(pages) = huge_pages(plan) {
        let page =
            Element::new("page").with("size", (pages.size().bytes() / KIB).to_string()).with("unit", "KiB");
        elements.push(Element::new("memoryBacking").child(Element::new("hugepages").child(page)));
    }
    Ok(elements)
}

/// src/conf/domain_postparse.c, virDomainDefPostParseMemory: "both maximum memory size and memory slot count must be
/// specified".
fn without_slots() -> Unsupported {
    Unsupported::new(
        "libvirt takes a maximum of memory with slots alone, and the plan has none",
        "plan again with slots",
    )
}

/// `<numatune>`: which host node the boot memory comes from.
pub(super) fn binding(plan: &Plan) -> Result<Option<Element>, Unsupported> {
    let strict = |name| Element::new(name).with("mode", "strict");
    let mut bindings = Vec::new();
    for part in boot_memory(plan)? {
        let Some(host_node) = part.host_node else { continue };
        bindings.push(match part.node {
            Some(node) => {
                strict("memnode").with("cellid", node.to_string()).with("nodeset", host_node.to_string())
            }
            None => strict("memory").with("nodeset", host_node.to_string()),
        });
    }
    Ok((!bindings.is_empty()).then(|| Element::new("numatune").children(bindings)))
}

/// `<memory model='dimm'>` for each module.
pub(super) fn modules(plan: &Plan) -> Result<Vec<Element>, Unsupported> {
    let mut modules = Vec::new();
    for (slot, piece) in dimms(plan).enumerate() {
        let node = if plan.guest.numa.is_empty() { 0 } else { node_of(plan, piece)? };
        let source = piece
            .host_node
            .map(|host_node| Element::new("source").child(Element::text("nodemask", host_node.to_string())));
        let size = Element::text("size", kibibytes(piece_size(piece)?)?).with("unit", "KiB");
        let target = Element::new("target").child(size).child(Element::text("node", node.to_string()));
        let base = format!("{:#x}", piece.span.first().get());
        let address =
            Element::new("address").with("type", "dimm").with("slot", slot.to_string()).with("base", base);
        modules
            .push(Element::new("memory").with("model", "dimm").children(source).child(target).child(address));
    }
    Ok(modules)
}

/// The size in KiB, libvirt's own unit. libvirt rounds up to whole MiB without a word (qemu_domain.c,
/// qemuDomainAlignMemorySizes), which would be another guest than the one that was planned.
pub(super) fn kibibytes(size: Size) -> Result<String, Unsupported> {
    if size.bytes().is_multiple_of(MIB) {
        return Ok((size.bytes() / KIB).to_string());
    }
    let because = format!("libvirt rounds memory to whole MiB, and {size} are not");
    Err(Unsupported::new(because, "plan again with whole MiB"))
}
