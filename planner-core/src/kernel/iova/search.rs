//! How the tree is searched: for a pfn, for a limit, and for the nearest gap that has what is wanted.

use super::IovaRange;
use super::Pfn;
use super::gaps::Want;
use super::tree::{NodeId, Side, Tree};

impl Tree {
    /// The range that holds the pfn (`private_find_iova`).
    pub(super) fn find(&self, pfn: Pfn) -> Option<NodeId> {
        let mut at = self.root;
        while !at.is_nil() {
            let node = self.at(at);
            let IovaRange { lo, hi } = node.range;
            if lo <= pfn && pfn <= hi {
                return Some(at);
            }
            at = node.child(if pfn < lo { Side::Left } else { Side::Right });
        }
        None
    }

    /// The lowest range that starts at `limit` or above, or the one that spans it (`iova_find_limit`).
    pub(super) fn find_limit(&self, limit: Pfn) -> NodeId {
        let mut lowest = self.root;
        while !lowest.is_nil() && self.range(lowest).hi < limit {
            lowest = self.at(lowest).child(Side::Right);
        }
        let mut next = self.at(lowest).child(Side::Left);
        while !next.is_nil() {
            let node = self.at(next);
            if node.range.lo >= limit {
                lowest = next;
                next = node.child(Side::Left);
            } else {
                next = node.child(Side::Right);
            }
        }
        lowest
    }

    /// The highest range at `from` or below with such a gap before it.
    pub(super) fn last_with(&mut self, want: Want, from: NodeId) -> NodeId {
        self.nearest_with(want, from, Side::Left)
    }

    /// The lowest range at `from` or above with such a gap before it; if none has, the anchor.
    pub(super) fn first_with(&mut self, want: Want, from: NodeId) -> NodeId {
        let found = self.nearest_with(want, from, Side::Right);
        if found.is_nil() { NodeId::ANCHOR } else { found }
    }

    /// The highest range before which a gap begins at `pfn` or below, while gaps begin in order; it is also the lowest
    /// that ends at `pfn` or above.
    pub(super) fn last_with_floor_up_to(&self, pfn: Pfn) -> NodeId {
        let (mut at, mut last) = (self.root, NodeId::NIL);
        while !at.is_nil() {
            let node = self.at(at);
            let fits = node.floor <= pfn;
            if fits {
                last = at;
            }
            at = node.child(if fits { Side::Right } else { Side::Left });
        }
        last
    }

    /// Up from `from` as far as needed, then down again: what is near is found in few steps.
    fn nearest_with(&mut self, want: Want, from: NodeId, side: Side) -> NodeId {
        let mut at = from;
        while !at.is_nil() {
            let node = self.at(at);
            if want.fits(node.floor, node.range.lo) {
                return at;
            }
            let beyond = node.child(side);
            if self.has(beyond, want) {
                return self.outermost_with(want, beyond, side.other());
            }
            at = self.ancestor(at, side);
        }
        at
    }

    /// The outermost range of a subtree that is known to have what is wanted.
    fn outermost_with(&mut self, want: Want, top: NodeId, side: Side) -> NodeId {
        let mut at = top;
        loop {
            let outer = self.at(at).child(side);
            if self.has(outer, want) {
                at = outer;
                continue;
            }
            let node = self.at(at);
            let inner = node.child(side.other());
            if inner.is_nil() || want.fits(node.floor, node.range.lo) {
                return at;
            }
            at = inner;
        }
    }

    fn has(&mut self, top: NodeId, want: Want) -> bool {
        !top.is_nil() && want.met_by(&self.best(top))
    }
}
