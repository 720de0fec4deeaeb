//! How the tree keeps its balance: as lib/rbtree.c does (`__rb_insert`, `__rb_erase_augmented`, `____rb_erase_color`),
//! which is the red-black tree of Cormen, Leiserson, Rivest and Stein.

use super::tree::{NodeId, Side, Tree};

/// What unlinking a node left to be done.
pub(super) struct Unlinked {
    /// The node below which everything is still right.
    pub(super) lowest_changed: NodeId,
    /// Whether the colour that the tree lost is red, which does no harm.
    pub(super) was_red: bool,
    /// The subtree that lacks a black node if it is not, perhaps an empty one.
    pub(super) child: NodeId,
    /// Where it hangs.
    pub(super) parent: NodeId,
}

impl Tree {
    fn is_red(&self, id: NodeId) -> bool {
        self.at(id).red
    }

    fn paint(&mut self, id: NodeId, red: bool) {
        self.edit(id, |node| node.red = red);
    }

    fn side_of(&self, id: NodeId, parent: NodeId) -> Side {
        if self.at(parent).child(Side::Left) == id { Side::Left } else { Side::Right }
    }

    /// Puts a subtree, or nothing, where a node hangs.
    fn replace(&mut self, id: NodeId, by: NodeId) {
        let parent = self.at(id).parent;
        let side = self.side_of(id, parent);
        self.set_child(parent, side, by);
    }

    /// Lets a node sink to one side; its child on the other side takes its place. Both are on a way up from a change, or
    /// next to it, so that all their ancestors are stale.
    fn rotate(&mut self, id: NodeId, side: Side) {
        let riser = self.at(id).child(side.other());
        let inner = self.at(riser).child(side);
        self.replace(id, riser);
        self.set_child(id, side.other(), inner);
        self.set_child(riser, side, id);
        self.edit(id, |node| node.stale = true);
        self.edit(riser, |node| node.stale = true);
    }

    /// No red node below a red one: settles it for a new red leaf.
    pub(super) fn rebalance_inserted(&mut self, id: NodeId) {
        let mut at = id;
        loop {
            let parent = self.at(at).parent;
            let grandparent = self.at(parent).parent;
            if !self.is_red(parent) || grandparent.is_nil() {
                break;
            }
            let side = self.side_of(parent, grandparent);
            let uncle = self.at(grandparent).child(side.other());
            if self.is_red(uncle) {
                self.paint(parent, false);
                self.paint(uncle, false);
                self.paint(grandparent, true);
                at = grandparent;
                continue;
            }
            if self.at(parent).child(side.other()) == at {
                self.rotate(parent, side);
            }
            let top = self.at(grandparent).child(side);
            self.paint(top, false);
            self.paint(grandparent, true);
            self.rotate(grandparent, side.other());
            break;
        }
        self.paint(self.root, false);
    }

    /// Takes a node out. With two children, its successor `above` takes its place and its colour.
    pub(super) fn unlink(&mut self, id: NodeId, above: NodeId) -> Unlinked {
        let node = *self.at(id);
        let (left, right) = (node.child(Side::Left), node.child(Side::Right));
        if left.is_nil() || right.is_nil() {
            let child = if left.is_nil() { right } else { left };
            self.replace(id, child);
            let lowest_changed = if child.is_nil() { node.parent } else { child };
            return Unlinked { lowest_changed, was_red: node.red, child, parent: node.parent };
        }
        let (child, was_red) = (self.at(above).child(Side::Right), self.is_red(above));
        let mut parent = above;
        if above != right {
            parent = self.at(above).parent;
            self.set_child(parent, Side::Left, child);
            self.set_child(above, Side::Right, right);
        }
        self.replace(id, above);
        self.set_child(above, Side::Left, left);
        self.paint(above, node.red);
        Unlinked { lowest_changed: parent, was_red, child, parent }
    }

    /// As many black nodes on every way down: settles it for a subtree that lacks one.
    pub(super) fn rebalance_removed(&mut self, child: NodeId, parent: NodeId) {
        let (mut at, mut parent) = (child, parent);
        while !parent.is_nil() && !self.is_red(at) {
            let side = self.side_of(at, parent);
            if self.is_red(self.at(parent).child(side.other())) {
                self.paint(self.at(parent).child(side.other()), false);
                self.paint(parent, true);
                self.rotate(parent, side);
            }
            let sibling = self.at(parent).child(side.other());
            let (near, far) = (self.at(sibling).child(side), self.at(sibling).child(side.other()));
            if self.is_red(near) || self.is_red(far) {
                self.settle_at_sibling(parent, side);
                return;
            }
            self.paint(sibling, true);
            (at, parent) = (parent, self.at(parent).parent);
        }
        self.paint(at, false);
    }

    /// The sibling is black and has a red child: a rotation or two make up for the black node.
    fn settle_at_sibling(&mut self, parent: NodeId, side: Side) {
        let sibling = self.at(parent).child(side.other());
        let (near, far) = (self.at(sibling).child(side), self.at(sibling).child(side.other()));
        let mut top = sibling;
        if !self.is_red(far) {
            self.paint(near, false);
            self.paint(sibling, true);
            self.rotate(sibling, side.other());
            top = near;
        }
        self.paint(top, self.is_red(parent));
        self.paint(parent, false);
        self.paint(self.at(top).child(side.other()), false);
        self.rotate(parent, side);
    }
}
