//! The kernel's red-black tree, rotation by rotation (lib/rbtree.c).
//!
//! A sorted map would do if the kernel's searches depended on the order alone. They do not: before the rule
//! [`crate::kernel::rules::T1_INCLUSIVE`] a mapping that ends at 2^64-1 sends every search that meets it to the right,
//! so what is found depends on whether it lies on the way, which is the shape of the tree.

/// A node, by its place in the store.
pub(super) type Id = usize;

/// A mapping in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Node {
    pub(super) start: u64,
    pub(super) size: u64,
    parent: Option<Id>,
    children: [Option<Id>; 2],
    red: bool,
}

/// One of the two sides of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    Left,
    Right,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// The tree.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Places in the store that are free.
    free: Vec<Id>,
    root: Option<Id>,
}

impl Tree {
    /// The node where every search begins.
    pub(super) fn root(&self) -> Option<Id> {
        self.root
    }

    /// The node at a place that the tree gave out.
    pub(super) fn node(&self, id: Id) -> Node {
        self.nodes.get(id).copied().unwrap_or_default()
    }

    pub(super) fn child(&self, id: Id, side: Side) -> Option<Id> {
        let [left, right] = self.node(id).children;
        match side {
            Side::Left => left,
            Side::Right => right,
        }
    }

    /// The next node by order (`rb_next`).
    pub(super) fn next(&self, id: Id) -> Option<Id> {
        if let Some(right) = self.child(id, Side::Right) {
            return Some(self.outermost(right, Side::Left));
        }
        let mut id = id;
        while let Some(parent) = self.node(id).parent {
            if self.child(parent, Side::Left) == Some(id) {
                return Some(parent);
            }
            id = parent;
        }
        None
    }

    fn outermost(&self, id: Id, side: Side) -> Id {
        let mut id = id;
        while let Some(child) = self.child(id, side) {
            id = child;
        }
        id
    }

    fn change(&mut self, id: Id, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(id) {
            change(node);
        }
    }

    fn is_red(&self, id: Option<Id>) -> bool {
        id.is_some_and(|id| self.node(id).red)
    }

    fn paint(&mut self, id: Id, red: bool) {
        self.change(id, |node| node.red = red);
    }

    fn set_child(&mut self, id: Id, side: Side, child: Option<Id>) {
        self.change(id, |node| {
            let [left, right] = &mut node.children;
            *match side {
                Side::Left => left,
                Side::Right => right,
            } = child;
        });
        if let Some(child) = child {
            self.change(child, |node| node.parent = Some(id));
        }
    }

    /// On which side of its parent a node hangs.
    fn side(&self, parent: Id, id: Id) -> Side {
        if self.child(parent, Side::Left) == Some(id) { Side::Left } else { Side::Right }
    }

    /// Puts another node, or none, where this one hangs.
    fn replace(&mut self, id: Id, other: Option<Id>) {
        match self.node(id).parent {
            Some(parent) => {
                let side = self.side(parent, id);
                self.set_child(parent, side, other);
            }
            None => {
                self.root = other;
                if let Some(other) = other {
                    self.change(other, |node| node.parent = None);
                }
            }
        }
    }

    /// Turns a node down to one side; its child from the other side takes its place.
    fn rotate(&mut self, id: Id, down: Side) {
        let Some(up) = self.child(id, down.other()) else { return };
        let inner = self.child(up, down);
        self.replace(id, Some(up));
        self.set_child(id, down.other(), inner);
        self.set_child(up, down, Some(id));
    }

    /// Puts a mapping before the first that starts no earlier (`vfio_link_dma`).
    pub(super) fn insert(&mut self, start: u64, size: u64) {
        let mut place = None;
        let mut next = self.root;
        while let Some(id) = next {
            let side = if start <= self.node(id).start { Side::Left } else { Side::Right };
            place = Some((id, side));
            next = self.child(id, side);
        }
        let node = Node { start, size, red: true, ..Node::default() };
        let id = match self.free.pop() {
            Some(id) => {
                self.change(id, |free| *free = node);
                id
            }
            None => {
                self.nodes.push(node);
                self.nodes.len().saturating_sub(1)
            }
        };
        match place {
            Some((parent, side)) => self.set_child(parent, side, Some(id)),
            None => self.root = Some(id),
        }
        self.balance_inserted(id);
    }

    /// `__rb_insert`.
    fn balance_inserted(&mut self, mut id: Id) {
        while let Some(parent) = self.node(id).parent.filter(|&parent| self.node(parent).red) {
            // A red node is not the root.
            let Some(above) = self.node(parent).parent else { break };
            let side = self.side(above, parent);
            if let Some(uncle) = self.child(above, side.other()).filter(|&uncle| self.node(uncle).red) {
                self.paint(parent, false);
                self.paint(uncle, false);
                self.paint(above, true);
                id = above;
                continue;
            }
            let mut top = parent;
            if self.side(parent, id) != side {
                self.rotate(parent, side);
                top = id;
            }
            self.paint(top, false);
            self.paint(above, true);
            self.rotate(above, side.other());
            break;
        }
        if let Some(root) = self.root {
            self.paint(root, false);
        }
    }

    /// Takes a node out (`rb_erase`).
    pub(super) fn remove(&mut self, id: Id) {
        let Node { children, red, .. } = self.node(id);
        let (lost_black, place, heir) = match children {
            [Some(left), Some(right)] => self.remove_inner(id, left, right),
            [heir, None] | [None, heir] => {
                let place = self.node(id).parent.map(|parent| (parent, self.side(parent, id)));
                self.replace(id, heir);
                (!red, place, heir)
            }
        };
        self.free.push(id);
        match (lost_black, heir, place) {
            (true, Some(heir), _) if self.node(heir).red => self.paint(heir, false),
            (true, _, Some((parent, side))) => self.balance_removed(parent, side),
            _ => {}
        }
    }

    /// A node with two children is replaced by the next one by order. Tells whether a black node is missing, where,
    /// and what hangs there now.
    fn remove_inner(&mut self, id: Id, left: Id, right: Id) -> (bool, Option<(Id, Side)>, Option<Id>) {
        let next = self.outermost(right, Side::Left);
        let heir = self.child(next, Side::Right);
        let lost_black = !self.node(next).red;
        let place = match self.node(next).parent {
            Some(parent) if parent != id => {
                self.set_child(parent, Side::Left, heir);
                self.set_child(next, Side::Right, Some(right));
                (parent, Side::Left)
            }
            _ => (next, Side::Right),
        };
        let red = self.node(id).red;
        self.replace(id, Some(next));
        self.set_child(next, Side::Left, Some(left));
        self.paint(next, red);
        (lost_black, Some(place), heir)
    }

    /// `____rb_erase_color`: one black node is missing on a side of `parent`.
    fn balance_removed(&mut self, mut parent: Id, mut side: Side) {
        loop {
            let far = side.other();
            let Some(mut sibling) = self.child(parent, far) else { return };
            if self.node(sibling).red {
                self.paint(sibling, false);
                self.paint(parent, true);
                self.rotate(parent, side);
                let Some(next) = self.child(parent, far) else { return };
                sibling = next;
            }
            let (near_child, far_child) = (self.child(sibling, side), self.child(sibling, far));
            if !self.is_red(near_child) && !self.is_red(far_child) {
                self.paint(sibling, true);
                if self.node(parent).red {
                    self.paint(parent, false);
                    return;
                }
                let Some(above) = self.node(parent).parent else { return };
                side = self.side(above, parent);
                parent = above;
                continue;
            }
            if !self.is_red(far_child) {
                self.rotate(sibling, far);
                if let Some(near_child) = near_child {
                    self.paint(near_child, false);
                    self.paint(sibling, true);
                    sibling = near_child;
                }
            }
            let red = self.node(parent).red;
            self.rotate(parent, side);
            self.paint(sibling, red);
            self.paint(parent, false);
            if let Some(far_child) = self.child(sibling, far) {
                self.paint(far_child, false);
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Number of black nodes down to every leaf; panics where a rule of red-black trees is broken.
    fn black_height(tree: &Tree, id: Option<Id>, parent: Option<Id>) -> usize {
        let Some(id) = id else { return 1 };
        let node = tree.node(id);
        assert_eq!(node.parent, parent);
        assert!(!(node.red && (tree.is_red(node.children[0]) || tree.is_red(node.children[1]))));
        let heights = node.children.map(|child| black_height(tree, child, Some(id)));
        assert_eq!(heights[0], heights[1]);
        heights[0] + usize::from(!node.red)
    }

    fn first(tree: &Tree) -> Option<Id> {
        tree.root().map(|root| tree.outermost(root, Side::Left))
    }

    fn starts(tree: &Tree) -> Vec<u64> {
        let mut next = first(tree);
        let mut starts = Vec::new();
        while let Some(id) = next {
            starts.push(tree.node(id).start);
            next = tree.next(id);
        }
        starts
    }

    proptest! {
        #[test]
        fn it_stays_sorted_and_balanced(ops in proptest::collection::vec((any::<bool>(), 0_u64..64), 0..200)) {
            let mut tree = Tree::default();
            let mut sorted: Vec<u64> = Vec::new();
            for (insert, start) in ops {
                if insert {
                    tree.insert(start, 1);
                    sorted.push(start);
                    sorted.sort_unstable();
                } else {
                    let mut next = first(&tree);
                    while let Some(id) = next.filter(|&id| tree.node(id).start < start) {
                        next = tree.next(id);
                    }
                    if let Some(id) = next {
                        sorted.remove(sorted.iter().position(|&s| s == tree.node(id).start).unwrap());
                        tree.remove(id);
                    }
                }
                prop_assert!(!tree.is_red(tree.root()));
                black_height(&tree, tree.root(), None);
                prop_assert_eq!(starts(&tree), sorted.clone());
            }
        }
    }
}
