//! The tree: who is above whom, and what properties say. A thin view of [`super::structure::Structure`].

use std::cell::Cell;

use super::structure::{Node, Property, Structure, children};

/// How many steps of translation one blob may cost. The largest boards need a few thousand.
const MAX_STEPS: u32 = 1 << 22;

/// The nodes of a blob.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    structure: Structure<'a>,
    /// Steps of translation that are left.
    steps: Cell<u32>,
}

impl<'a> Tree<'a> {
    /// The tree of these nodes.
    pub(super) fn new(structure: Structure<'a>) -> Self {
        Self { structure, steps: Cell::new(MAX_STEPS) }
    }

    /// Every node, in the order of the blob.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeRef<'_, 'a>> {
        self.structure.nodes.iter().enumerate().map(|(index, node)| NodeRef { tree: self, index, node })
    }

    /// Every node that is there, in the order of the blob.
    pub(super) fn enabled(&self) -> impl Iterator<Item = NodeRef<'_, 'a>> {
        self.nodes().filter(|node| node.node.enabled)
    }

    /// The root.
    pub(super) fn root(&self) -> Option<NodeRef<'_, 'a>> {
        self.node(0)
    }

    /// The node with this phandle.
    pub(super) fn by_phandle(&self, phandle: u32) -> Option<NodeRef<'_, 'a>> {
        self.node(*self.structure.phandles.get(&phandle)?)
    }

    /// The node with this number.
    pub(super) fn node(&self, index: usize) -> Option<NodeRef<'_, 'a>> {
        self.structure.nodes.get(index).map(|node| NodeRef { tree: self, index, node })
    }

    /// Takes a step; false when there were too many.
    pub(super) fn step(&self) -> bool {
        let left = self.steps.get().checked_sub(1);
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether steps were refused.
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps.get() == 0
    }
}

/// A node in its tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeRef<'t, 'a> {
    tree: &'t Tree<'a>,
    index: usize,
    node: &'t Node<'a>,
}

impl<'t, 'a> NodeRef<'t, 'a> {
    /// The tree that it is in.
    pub(super) fn tree(self) -> &'t Tree<'a> {
        self.tree
    }
    /// Number of the node: nodes come in the order of the blob.
    pub(super) fn index(self) -> usize {
        self.index
    }
    /// Name with the unit address.
    pub(super) fn name(self) -> &'a str {
        self.node.name
    }
    /// Name without the unit address.
    pub(super) fn bare_name(self) -> &'a str {
        self.node.name.split('@').next().unwrap_or_default()
    }
    /// Where its name stands in the file, and how many bytes it has.
    pub(super) fn place(self) -> (usize, usize) {
        (self.node.offset, self.node.name.len())
    }
    /// Whether it and all nodes around it are there.
    pub(super) fn is_enabled(self) -> bool {
        self.node.enabled
    }
    /// The node around it.
    pub(super) fn parent(self) -> Option<Self> {
        self.tree.node(self.node.parent?)
    }
    /// The nodes around it, from the inside.
    pub(super) fn above(self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), |node| node.parent())
    }
    /// The nodes directly in it.
    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        let inside = self.index.saturating_add(1)..self.node.end;
        children(&self.tree.structure.nodes, inside).filter_map(move |index| self.tree.node(index))
    }

    /// Its path, `/soc/pcie@10000000`, for messages.
    pub(super) fn path(self) -> String {
        let mut names: Vec<&str> = self.above().map(Self::name).collect();
        names.reverse();
        names.push(self.name());
        if names.len() == 1 { "/".to_owned() } else { names.join("/") }
    }

    /// The value of a property. The name must be one that [`super::structure`] keeps.
    pub(super) fn property(self, name: &str) -> Option<Value<'a>> {
        let found = self.node.properties.iter().find(|property| property.name == name)?;
        let Property { value: bytes, offset, .. } = *found;
        Some(Value { bytes, offset })
    }
    /// Whether it has a property, of whatever value.
    pub(super) fn has(self, name: &str) -> bool {
        self.property(name).is_some()
    }
    /// The first cell of a property.
    pub(super) fn number(self, name: &str) -> Option<u32> {
        self.property(name)?.cell(0)
    }
    /// What it is compatible with, the most specific first.
    pub(super) fn compatible(self) -> impl Iterator<Item = &'a str> {
        self.property("compatible").into_iter().flat_map(Value::strings)
    }
    /// Whether it is compatible with this.
    pub(super) fn is_compatible(self, with: &str) -> bool {
        self.compatible().any(|compatible| compatible == with)
    }
    /// Whether its `device_type` is this.
    pub(super) fn is_of_type(self, device_type: &str) -> bool {
        self.property("device_type").is_some_and(|value| value.strings().next() == Some(device_type))
    }

    /// Numbers of cells of addresses and sizes in `reg` of its children: its own words, else those of the nodes around
    /// it (`of_bus_n_addr_cells` in drivers/of/base.c), else 2 and 1 (Devicetree Specification 0.4, 2.3.5).
    pub(super) fn child_cells(self) -> CellCounts {
        let number = |name| std::iter::once(self).chain(self.above()).find_map(|node| node.number(name));
        CellCounts {
            address: number("#address-cells").map_or(2, wide),
            size: number("#size-cells").map_or(1, wide),
        }
    }
}

fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// How many cells an address and a size have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CellCounts {
    /// Of an address.
    pub(super) address: usize,
    /// Of a size.
    pub(super) size: usize,
}

impl CellCounts {
    /// Whether Linux takes such numbers (`OF_CHECK_ADDR_COUNT` in drivers/of/address.c).
    pub(super) fn are_possible(self) -> bool {
        (1..=4).contains(&self.address) && self.size <= 4
    }
}

/// The value of a property, or a row of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    /// The bytes.
    pub(super) bytes: &'a [u8],
    /// Where they stand in the file.
    pub(super) offset: usize,
}

impl<'a> Value<'a> {
    /// A cell by its number.
    pub(super) fn cell(self, index: usize) -> Option<u32> {
        self.bytes.get(index.checked_mul(4)?..)?.first_chunk().copied().map(u32::from_be_bytes)
    }
    /// The number in so many cells from one on; of more than two the last two count (`of_read_number` in
    /// include/linux/of.h).
    pub(super) fn number(self, from: usize, count: usize) -> Option<u64> {
        let mut number = 0_u64;
        for index in from..from.checked_add(count)? {
            number = number << 32 | u64::from(self.cell(index)?);
        }
        Some(number)
    }
    /// The cells.
    pub(super) fn cells(self) -> impl Iterator<Item = u32> + 'a {
        self.bytes.chunks_exact(4).filter_map(|cell| cell.first_chunk().copied().map(u32::from_be_bytes))
    }
    /// The strings.
    pub(super) fn strings(self) -> impl Iterator<Item = &'a str> {
        self.bytes.split(|&byte| byte == 0).filter_map(|text| std::str::from_utf8(text).ok())
    }
    /// Rows of so many cells.
    pub(super) fn rows(self, cells: usize) -> impl Iterator<Item = Value<'a>> {
        let length = cells.saturating_mul(4).max(4);
        self.bytes.chunks_exact(length).enumerate().map(move |(index, bytes)| {
            let offset = self.offset.saturating_add(index.saturating_mul(length));
            Value { bytes, offset }
        })
    }
    /// Whether it comes out even in rows of so many cells.
    pub(super) fn is_even(self, cells: usize) -> bool {
        let length = cells.saturating_mul(4).max(4);
        self.bytes.len().is_multiple_of(length)
    }
}
