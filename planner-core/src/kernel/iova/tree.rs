//! The ranges of a domain in the kernel's own red-black tree, each subtree knowing its best gaps.
//!
//! The shape is that of lib/rbtree.c, so that even an answer that depends on it (which of two overlapping ranges is
//! found) is the kernel's. Nodes are numbers into one vector and keep them as long as they live, which is what the
//! kernel's cached nodes need. A number that leads nowhere reads as [`NOTHING`]. How the tree keeps its balance is told
//! in [`balance`](super::balance); what is searched for, in [`gaps`](super::gaps).

use super::gaps::{Gaps, Want};
use super::{IovaRange, Pfn};

/// A node, for as long as its range is in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// No node.
    pub(super) const NIL: Self = Self(u32::MAX);

    fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
    pub(super) fn is_nil(self) -> bool {
        self == Self::NIL
    }
}

/// A side of a node: lower ranges are on the left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// Lower.
    Left,
    /// Higher.
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

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) range: IovaRange,
    /// The first pfn behind the range before; 0 for the first range.
    floor: Pfn,
    left: NodeId,
    right: NodeId,
    pub(super) parent: NodeId,
    pub(super) red: bool,
    /// The best of the gaps before this range and before all below it in the tree.
    best: Gaps,
}

/// What a number that leads nowhere stands for.
const NOTHING: Node = Node {
    range: IovaRange { lo: 0, hi: 0 },
    floor: 0,
    left: NodeId::NIL,
    right: NodeId::NIL,
    parent: NodeId::NIL,
    red: false,
    best: Gaps::NONE,
};

impl Node {
    pub(super) const fn child(&self, side: Side) -> NodeId {
        match side {
            Side::Left => self.left,
            Side::Right => self.right,
        }
    }
    fn own_gap(&self) -> Gaps {
        Gaps::before(self.floor, self.range.lo)
    }
}

/// Ranges in order of their first pfn.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    vacant: Vec<NodeId>,
    pub(super) root: NodeId,
}

impl Tree {
    pub(super) const fn new() -> Self {
        Self { nodes: Vec::new(), vacant: Vec::new(), root: NodeId::NIL }
    }

    pub(super) fn at(&self, id: NodeId) -> &Node {
        self.nodes.get(id.index()).unwrap_or(&NOTHING)
    }

    pub(super) fn range(&self, id: NodeId) -> IovaRange {
        self.at(id).range
    }

    /// What lies before a range: the first pfn behind its predecessor.
    pub(super) fn floor(&self, id: NodeId) -> Pfn {
        self.at(id).floor
    }

    /// The ranges, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, IovaRange)> {
        let first = self.outermost(self.root, Side::Left);
        let ids = std::iter::successors(Some(first), |&id| Some(self.neighbour(id, Side::Right)));
        ids.take_while(|id| !id.is_nil()).map(|id| (id, self.range(id)))
    }

    /// The next range above or below (`rb_next`, `rb_prev`).
    pub(super) fn neighbour(&self, id: NodeId, side: Side) -> NodeId {
        let child = self.at(id).child(side);
        if !child.is_nil() {
            return self.outermost(child, side.other());
        }
        self.ancestor_beyond(id, side)
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

    /// The range that holds the pfn (`private_find_iova`).
    pub(super) fn find(&self, pfn: Pfn) -> Option<NodeId> {
        let mut at = self.root;
        while !at.is_nil() {
            let node = self.at(at);
            at = match node.range {
                IovaRange { lo, .. } if pfn < lo => node.left,
                IovaRange { hi, .. } if pfn > hi => node.right,
                _ => return Some(at),
            };
        }
        None
    }

    /// The lowest range that starts at `limit` or above, or the one that spans it (`iova_find_limit`).
    pub(super) fn find_limit(&self, limit: Pfn) -> NodeId {
        let mut at = self.root;
        while !at.is_nil() && self.range(at).hi < limit {
            at = self.at(at).right;
        }
        let (mut lowest, mut next) = (at, self.at(at).left);
        while !next.is_nil() {
            if self.range(next).lo >= limit {
                lowest = next;
                next = self.at(next).left;
            } else {
                next = self.at(next).right;
            }
        }
        lowest
    }

    /// The highest range at `from` or below before which there is what is wanted.
    pub(super) fn last_with(&self, want: Want, from: NodeId) -> NodeId {
        self.nearest_with(want, from, Side::Left)
    }

    /// The lowest range at `from` or above before which there is what is wanted.
    pub(super) fn first_with(&self, want: Want, from: NodeId) -> NodeId {
        self.nearest_with(want, from, Side::Right)
    }

    /// The lowest range of all before which there is what is wanted.
    pub(super) fn first_of_all_with(&self, want: Want) -> NodeId {
        if want.met_by(&self.at(self.root).best) {
            self.outermost_with(want, self.root, Side::Left)
        } else {
            NodeId::NIL
        }
    }

    /// Up from `from` as far as needed, then down again: a place near by is found in few steps.
    fn nearest_with(&self, want: Want, from: NodeId, side: Side) -> NodeId {
        let mut at = from;
        while !at.is_nil() {
            let node = self.at(at);
            if want.met_by(&node.own_gap()) {
                return at;
            }
            let beyond = node.child(side);
            if !beyond.is_nil() && want.met_by(&self.at(beyond).best) {
                return self.outermost_with(want, beyond, side.other());
            }
            at = self.ancestor_beyond(at, side);
        }
        at
    }

    /// The nearest ancestor on that side.
    fn ancestor_beyond(&self, id: NodeId, side: Side) -> NodeId {
        let mut at = id;
        loop {
            let parent = self.at(at).parent;
            if parent.is_nil() || self.at(parent).child(side) != at {
                return parent;
            }
            at = parent;
        }
    }

    /// The outermost range of a subtree that is known to have what is wanted.
    fn outermost_with(&self, want: Want, top: NodeId, side: Side) -> NodeId {
        let mut at = top;
        loop {
            let node = self.at(at);
            let outer = node.child(side);
            if !outer.is_nil() && want.met_by(&self.at(outer).best) {
                at = outer;
                continue;
            }
            let inner = node.child(side.other());
            if inner.is_nil() || want.met_by(&node.own_gap()) {
                return at;
            }
            at = inner;
        }
    }

    /// Puts a range into the tree, searching its place from `near` downward (`iova_insert_rbtree`). When another range
    /// starts at the same pfn, the new one stays outside: it has a node, but no neighbours. `None` when there are no
    /// numbers left for nodes.
    pub(super) fn insert(&mut self, range: IovaRange, near: NodeId) -> Option<Inserted> {
        let id = self.take_node(range)?;
        let from = if self.is_linked(near) { near } else { self.root };
        let (mut parent, mut side, mut at) = (NodeId::NIL, Side::Left, from);
        while !at.is_nil() {
            let node = self.at(at);
            if range.lo == node.range.lo {
                return Some(Inserted::Outside(id));
            }
            parent = at;
            side = if range.lo < node.range.lo { Side::Left } else { Side::Right };
            at = node.child(side);
        }
        self.edit(id, |node| (node.parent, node.red) = (parent, true));
        self.set_child(parent, side, id);
        let above = self.neighbour(id, Side::Right);
        let floor = self.floor(above);
        self.edit(id, |node| node.floor = floor);
        self.edit(above, |node| node.floor = range.hi.saturating_add(1));
        self.update(id, above);
        self.rebalance_inserted(id);
        Some(Inserted::Inside(id))
    }

    fn is_linked(&self, id: NodeId) -> bool {
        id == self.root || !self.at(id).parent.is_nil()
    }

    fn take_node(&mut self, range: IovaRange) -> Option<NodeId> {
        let node = Node { range, best: Gaps::before(0, range.lo), ..NOTHING };
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

    /// Removes a range (`rb_erase`). Its number may then stand for another.
    pub(super) fn remove(&mut self, id: NodeId) {
        let node = *self.at(id);
        let above = self.neighbour(id, Side::Right);
        self.edit(above, |above| above.floor = node.floor);
        let unlinked = self.unlink(id, above);
        self.update(unlinked.lowest_changed, above);
        if !unlinked.was_red {
            self.rebalance_removed(unlinked.child, unlinked.parent);
        }
        self.vacant.push(id);
    }

    /// Moves the start of a range down to `lo`.
    pub(super) fn extend_down(&mut self, id: NodeId, lo: Pfn) {
        self.edit(id, |node| node.range.lo = lo);
        self.update(id, id);
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

    /// Finds out anew the best gaps from a node upward, at least up to another, then as far as something changes.
    fn update(&mut self, from: NodeId, at_least_to: NodeId) {
        let (mut at, mut reached) = (from, false);
        while !at.is_nil() {
            reached |= at == at_least_to;
            if !self.update_one(at) && reached {
                return;
            }
            at = self.at(at).parent;
        }
    }

    /// Finds out the best gaps of one subtree from its parts, and tells whether they changed.
    pub(super) fn update_one(&mut self, id: NodeId) -> bool {
        let node = self.at(id);
        let best = node.own_gap().or(self.at(node.left).best).or(self.at(node.right).best);
        let changed = best != node.best;
        self.edit(id, |node| node.best = best);
        changed
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
