//! The ranges of a domain in the kernel's own red-black tree, each subtree knowing its best gaps.
//!
//! The shape is that of lib/rbtree.c, so that even an answer that depends on it (which of two overlapping ranges is
//! found) is the kernel's. Nodes are numbers into one vector and keep them as long as they live, which is what the
//! kernel's cached nodes need. A number that leads nowhere reads as [`NOTHING`]. How the tree keeps its balance is told
//! in [`balance`](super::balance), how it is searched in [`search`](super::search).

use super::gaps::Gaps;
use super::{IovaRange, Pfn};

/// A node, for as long as its range is in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// No node.
    pub(super) const NIL: Self = Self(u32::MAX);
    /// The kernel's sentinel above all ranges, which is there from the start and stays (`IOVA_ANCHOR`).
    pub(super) const ANCHOR: Self = Self(0);

    fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
    pub(super) fn is_nil(self) -> bool {
        self == Self::NIL
    }
}

/// A side of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// Lower ranges.
    Left,
    /// Higher ranges.
    Right,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// One line of a cache: with a million ranges, waiting for memory is most of the work.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Node {
    pub(super) range: IovaRange,
    left: NodeId,
    right: NodeId,
    pub(super) parent: NodeId,
    pub(super) red: bool,
    /// Whether `best` has to be found out anew. Then this is so for all ancestors, too.
    pub(super) stale: bool,
    /// Whether `own` has to be found out anew.
    own_stale: bool,
    /// The first pfn behind the range before; 0 for the lowest range.
    pub(super) floor: Pfn,
    /// What is free before this range.
    own: Gaps,
    /// The best of the gaps before this range and before all below it in the tree.
    pub(super) best: Gaps,
}

/// What a number that leads nowhere stands for.
const NOTHING: Node = Node {
    range: IovaRange { lo: 0, hi: 0 },
    left: NodeId::NIL,
    right: NodeId::NIL,
    parent: NodeId::NIL,
    red: false,
    stale: false,
    own_stale: true,
    floor: 0,
    own: Gaps::NONE,
    best: Gaps::NONE,
};

impl Node {
    pub(super) const fn child(&self, side: Side) -> NodeId {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }

    const fn set_floor(&mut self, floor: Pfn) {
        (self.floor, self.own_stale) = (floor, true);
    }

    /// What is free before this range.
    fn own(&self) -> Gaps {
        if self.own_stale { Gaps::before(self.floor, self.range.lo) } else { self.own }
    }
}

/// Ranges in order of their first pfn, and the anchor above them.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    vacant: Vec<NodeId>,
    pub(super) root: NodeId,
}

impl Tree {
    pub(super) fn new() -> Self {
        let anchor = Node { range: IovaRange { lo: Pfn::MAX, hi: Pfn::MAX }, stale: true, ..NOTHING };
        Self { nodes: vec![anchor], vacant: Vec::new(), root: NodeId::ANCHOR }
    }

    pub(super) fn at(&self, id: NodeId) -> &Node {
        self.nodes.get(id.index()).unwrap_or(&NOTHING)
    }

    pub(super) fn range(&self, id: NodeId) -> IovaRange {
        self.at(id).range
    }

    /// The ranges, ascending; the last is the anchor.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, IovaRange)> {
        let lowest = self.outermost(self.root, Side::Left);
        let ids = std::iter::successors(Some(lowest), |&id| Some(self.neighbour(id, Side::Right)));
        ids.take_while(|id| !id.is_nil()).map(|id| (id, self.range(id)))
    }

    /// The next range above or below (`rb_next`, `rb_prev`).
    pub(super) fn neighbour(&self, id: NodeId, side: Side) -> NodeId {
        let child = self.at(id).child(side);
        if child.is_nil() { self.ancestor(id, side) } else { self.outermost(child, side.other()) }
    }

    fn outermost(&self, top: NodeId, side: Side) -> NodeId {
        let mut at = top;
        loop {
            let child = self.at(at).child(side);
            if child.is_nil() {
                return at;
            }
            at = child;
        }
    }

    /// The nearest ancestor on that side.
    pub(super) fn ancestor(&self, id: NodeId, side: Side) -> NodeId {
        let mut at = id;
        loop {
            let parent = self.at(at).parent;
            if parent.is_nil() || self.at(parent).child(side) != at {
                return parent;
            }
            at = parent;
        }
    }

    /// Puts a range into the tree, searching its place from `near` downward (`iova_insert_rbtree`). When another range
    /// starts at the same pfn, the new one stays outside: it has a node, but no neighbours. `None` when there are no
    /// numbers left for nodes.
    pub(super) fn insert(&mut self, range: IovaRange, near: NodeId) -> Option<Inserted> {
        let id = self.take_node(range)?;
        let mut at = if self.is_linked(near) { near } else { self.root };
        let (mut parent, mut side) = (NodeId::NIL, Side::Left);
        while !at.is_nil() {
            let node = self.at(at);
            if range.lo == node.range.lo {
                return Some(Inserted::Outside(id));
            }
            parent = at;
            side = if range.lo < node.range.lo { Side::Left } else { Side::Right };
            at = node.child(side);
        }
        self.set_child(parent, side, id);
        let above = self.neighbour(id, Side::Right);
        let floor = self.at(above).floor;
        self.edit(id, |node| {
            node.red = true;
            node.set_floor(floor);
        });
        self.edit(above, |node| node.set_floor(range.hi.saturating_add(1)));
        self.mark_stale(id);
        self.rebalance_inserted(id);
        Some(Inserted::Inside(id))
    }

    fn is_linked(&self, id: NodeId) -> bool {
        id == self.root || !self.at(id).parent.is_nil()
    }

    fn take_node(&mut self, range: IovaRange) -> Option<NodeId> {
        let node = Node { range, ..NOTHING };
        if let Some(id) = self.vacant.pop() {
            self.edit(id, |vacant| *vacant = node);
            return Some(id);
        }
        let id = NodeId(u32::try_from(self.nodes.len()).ok()?);
        if id.is_nil() {
            return None;
        }
        self.nodes.push(node);
        Some(id)
    }

    /// Removes a range, given the one above it (`rb_erase`). Its number may then stand for another.
    pub(super) fn remove(&mut self, id: NodeId, above: NodeId) {
        let floor = self.at(id).floor;
        self.edit(above, |above| above.set_floor(floor));
        let unlinked = self.unlink(id, above);
        self.mark_stale(unlinked.lowest_changed);
        self.edit(above, |above| above.stale = true);
        if !unlinked.was_red {
            self.rebalance_removed(unlinked.child, unlinked.parent);
        }
        self.vacant.push(id);
    }

    /// Moves the start of a range down to `lo`.
    pub(super) fn extend_down(&mut self, id: NodeId, lo: Pfn) {
        self.edit(id, |node| {
            (node.range.lo, node.own_stale) = (lo, true);
        });
        self.mark_stale(id);
    }

    pub(super) fn edit(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(id.index()) {
            change(node);
        }
    }

    /// Hangs a subtree, or nothing, below a node; below no node, it is the whole tree.
    pub(super) fn set_child(&mut self, parent: NodeId, side: Side, child: NodeId) {
        if parent.is_nil() {
            self.root = child;
        }
        self.edit(parent, |node| match side {
            Side::Left => node.left = child,
            Side::Right => node.right = child,
        });
        self.edit(child, |node| node.parent = parent);
    }

    /// Something changed in a node or below it. Goes up only as far as nobody said so before.
    fn mark_stale(&mut self, id: NodeId) {
        let mut at = id;
        while let Some(node) = self.nodes.get_mut(at.index()).filter(|node| !node.stale) {
            node.stale = true;
            at = node.parent;
        }
    }

    /// The best gaps of a subtree. Each change is paid for once: what nobody asks for is not found out.
    pub(super) fn best(&mut self, top: NodeId) -> Gaps {
        let mut at = top;
        while self.at(top).stale {
            let node = self.at(at);
            let (left, right) = (self.at(node.left), self.at(node.right));
            if left.stale || right.stale {
                at = if left.stale { node.left } else { node.right };
                continue;
            }
            let (own, parent) = (node.own(), node.parent);
            let best = own.or(&left.best).or(&right.best);
            self.edit(at, |node| {
                (node.own, node.own_stale) = (own, false);
                (node.best, node.stale) = (best, false);
            });
            at = parent;
        }
        self.at(top).best
    }
}

/// Where a new range came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Inserted {
    /// In the tree.
    Inside(NodeId),
    /// Not in the tree, because another range starts at the same pfn.
    Outside(NodeId),
}
