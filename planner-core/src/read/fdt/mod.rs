//! Flattened devicetrees: `sys/firmware/fdt` and `.dtb` files (Devicetree Specification 0.4, chapter 5).
//!
//! What the tree says of memory, interrupt controllers, IOMMUs and PCI host bridges, as Linux would read it: which
//! nodes are there, how many cells an address has, through which buses it is translated, which number a segment gets.
//! Every fact names the bytes that it comes from. Nodes that say nothing about these are passed over in silence.
//!
//! No crate of those for this format serves: `fdt`, `fdt-rs`, `flat_device_tree` and `hermit-dtb` are made for kernels
//! that trust their boot loader. They give no offsets, so nothing could name its place, and stop at the first fault or
//! panic. The structure block is four kinds of tokens; what takes care is what comes after.
//!
//! ```text
//! bytes ─blob▶ blocks ─structure▶ nodes ─tree, address▶ what the other files ask ─▶ facts
//! ```

pub mod codes;

mod address;
mod blob;
mod bridges;
mod doorbells;
mod gic;
mod iommus;
mod maps;
mod memory;
mod pci;
mod reserved;
mod sink;
mod structure;
mod tree;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diagnostic, Origin};
use crate::facts::HostFacts;
use crate::ids::PciAddress;
use bridges::Names;
use pci::Functions;
use sink::Sink;
use tree::Tree;

/// Whether the bytes start as a flattened devicetree does.
#[must_use]
pub fn is_fdt(bytes: &[u8]) -> bool {
    bytes.starts_with(&blob::MAGIC)
}

/// What a blob says about the host. `name` is its path, for origins and messages.
///
/// When there is no tree at all, one of the diagnostics is an error.
#[must_use]
pub fn facts(blob: &[u8], name: &str) -> (HostFacts, Vec<Diagnostic>) {
    facts_numbered(blob, name, &Numbering::default())
}

/// Numbers that a running kernel gave, where the tree leaves them to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbering {
    /// The bus below each bridge. Without it, a device that the tree describes below a bridge is found by the bus number
    /// that the tree expects.
    pub buses: BTreeMap<PciAddress, u8>,
    /// The segment of each host bridge, by the path of its node, `/soc/pcie@10000000`. Without it, host bridges for which
    /// the tree states none count up in the order of the tree.
    pub segments: BTreeMap<String, u16>,
}

/// As [`facts`], of a machine of which it is known how its kernel numbered host bridges and buses.
#[must_use]
pub fn facts_numbered(blob: &[u8], name: &str, numbering: &Numbering) -> (HostFacts, Vec<Diagnostic>) {
    let mut sink = Sink::new(name);
    let mut facts = HostFacts { name: name.to_owned(), origin: Origin::file(name), ..HostFacts::default() };
    if let Some(blob) = blob::blob(blob, &mut sink) {
        let tree = Tree::new(structure::structure(&blob, &mut sink));
        fill(&mut facts, &tree, numbering, &mut sink);
    }
    (facts, sink.finish())
}

/// Names hold addresses, so two nodes of one name are one thing described twice: the first stays.
fn each_once(facts: &mut HostFacts) {
    let mut taken = BTreeSet::new();
    facts.its.retain(|its| taken.insert(its.name.clone()));
    facts.gicv2m.retain(|frame| taken.insert(frame.name.clone()));
    facts.doorbells.retain(|bell| bell.name.as_ref().is_none_or(|name| taken.insert(name.clone())));
    taken.clear();
    facts.iommus.retain(|iommu| taken.insert(iommu.name.clone()));
    facts.gicv3.retain(|gic| taken.insert(gic.name.clone()));
}

fn fill(facts: &mut HostFacts, tree: &Tree<'_>, numbering: &Numbering, sink: &mut Sink) {
    let bridges = pci::bridges(tree, &numbering.segments, sink);
    let functions = Functions::new(&bridges, &numbering.buses);
    facts.arch = memory::arch(tree);
    facts.ram = memory::ram(tree, sink);
    facts.gicv3 = gic::distributors(tree, sink);
    let its = gic::translation_services(tree, sink);
    let frames = gic::frames(tree, sink);
    let iommus = iommus::iommus(tree, &functions, sink);
    let mut controllers: BTreeMap<usize, String> = BTreeMap::new();
    controllers.extend(its.iter().map(|(node, its)| (*node, its.name.clone())));
    controllers.extend(frames.iter().map(|(node, frame)| (*node, frame.name.clone())));
    let msi: Vec<_> = bridges.iter().map(|bridge| bridges::msi(bridge.node, sink)).collect();
    let wanted = msi.iter().flatten().map(|mapping| mapping.node);
    let doorbells = doorbells::doorbells(tree, &controllers, wanted, sink);
    controllers.extend(doorbells.iter().filter_map(|(node, bell)| Some((*node, bell.name.clone()?))));
    let names = Names {
        iommus: iommus.iter().map(|(node, iommu)| (*node, iommu.name.clone())).collect(),
        controllers,
        services: its.iter().map(|(node, _)| *node).collect(),
    };
    facts.root_complexes = bridges
        .iter()
        .zip(&msi)
        .map(|(bridge, msi)| bridges::root_complex(bridge, msi, &names, sink))
        .collect();
    facts.firmware = reserved::regions(tree, &functions, sink);
    facts.its = its.into_iter().map(|(_, its)| its).collect();
    facts.gicv2m = frames.into_iter().map(|(_, frame)| frame).collect();
    facts.iommus = iommus.into_iter().map(|(_, iommu)| iommu).collect();
    facts.doorbells = doorbells.into_values().collect();
    each_once(facts);
    if tree.is_exhausted() {
        let message = "its addresses take more translation than those of any board";
        sink.push(Diagnostic::new(&codes::TOO_MANY, Origin::Unstated, message));
    }
}
