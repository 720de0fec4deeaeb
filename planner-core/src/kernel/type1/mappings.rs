//! The mappings of a container: what overlaps what, and what an unmap request takes.
//!
//! Kernels before the rule [`crate::kernel::rules::T1_INCLUSIVE`] compute with exclusive ends that wrap to zero, so that
//! a mapping which ends at 2^64-1 leads their searches astray. The searches here go the same ways through the same tree.

use super::tree::{Id, Side, Tree};

/// How a kernel compares ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    /// `start + size`, which wraps to zero at the top.
    Exclusive,
    /// `start + size - 1`.
    Inclusive,
}

/// The mappings (`iommu->dma_list`): start and size, in the kernel's tree.
#[derive(Clone, PartialEq, Debug)]
pub struct Mappings {
    ends: Ends,
    tree: Tree,
}

impl Mappings {
    /// No mappings yet.
    #[must_use]
    pub fn new(ends: Ends) -> Self {
        Self { ends, tree: Tree::default() }
    }

    /// Whether a request ends before an address.
    fn ends_before(&self, start: u64, size: u64, other: u64) -> bool {
        match self.ends {
            Ends::Exclusive => start.wrapping_add(size) <= other,
            Ends::Inclusive => start.wrapping_add(size).wrapping_sub(1) < other,
        }
    }

    /// Whether a mapping ends at or before the start of a request.
    fn is_behind(&self, start: u64, id: Id) -> bool {
        let node = self.tree.node(id);
        self.ends_before(node.start, node.size, start)
    }

    /// A mapping that overlaps the request, as start and size (`vfio_find_dma`).
    #[must_use]
    pub fn find(&self, start: u64, size: u64) -> Option<(u64, u64)> {
        let mut next = self.tree.root();
        while let Some(id) = next {
            let node = self.tree.node(id);
            if self.ends_before(start, size, node.start) {
                next = self.tree.child(id, Side::Left);
            } else if self.is_behind(start, id) {
                next = self.tree.child(id, Side::Right);
            } else {
                return Some((node.start, node.size));
            }
        }
        None
    }

    /// The mapping at which an unmap request begins (`vfio_find_dma_first_node`).
    fn find_first(&self, start: u64, size: u64) -> Option<Id> {
        let mut found = None;
        let mut next = self.tree.root();
        while let Some(id) = next {
            if self.is_behind(start, id) {
                next = self.tree.child(id, Side::Right);
                continue;
            }
            found = Some(id);
            if start >= self.tree.node(id).start {
                break;
            }
            next = self.tree.child(id, Side::Left);
        }
        let past = |id: &Id| size != 0 && self.ends_before(start, size, self.tree.node(*id).start);
        found.filter(|id| !past(id))
    }

    /// Records a mapping.
    pub fn insert(&mut self, start: u64, size: u64) {
        self.tree.insert(start, size);
    }

    /// Removes every mapping.
    pub fn clear(&mut self) {
        self.tree = Tree::default();
    }

    /// Whether an unmap request would cut a mapping in two, which VFIO type1 v2 refuses.
    #[must_use]
    pub fn bisects(&self, start: u64, size: u64) -> bool {
        let end = start.wrapping_add(size);
        let last_size = match self.ends {
            Ends::Exclusive => 0,
            Ends::Inclusive => 1,
        };
        let first = self.find(start, 1).is_some_and(|(iova, _)| iova != start);
        let last = self.find(end.wrapping_sub(1), last_size);
        first || last.is_some_and(|(iova, size)| iova.wrapping_add(size) != end)
    }

    /// Removes the mappings from the first that the request meets up to the first that starts past it, and tells sizes
    /// in bytes and number. With [`Removal::FromStart`], stops at one that starts before the request.
    pub fn remove(&mut self, start: u64, size: u64, removal: Removal) -> Removed {
        let mut removed = Removed::default();
        let mut next = self.find_first(start, size);
        while let Some(id) = next {
            let node = self.tree.node(id);
            let cut = removal == Removal::FromStart && start > node.start;
            if self.ends_before(start, size, node.start) || cut {
                break;
            }
            next = self.tree.next(id);
            self.tree.remove(id);
            removed.bytes = removed.bytes.wrapping_add(node.size);
            removed.count = removed.count.saturating_add(1);
        }
        removed
    }
}

/// What an unmap request does with a mapping that starts before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    /// VFIO type1 v2: it cannot be there, or it goes altogether.
    Whole,
    /// VFIO type1 v1: the removal ends there.
    FromStart,
}

/// What an unmap request removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    /// Bytes; wraps as the kernel's counter does.
    pub bytes: u64,
    /// Mappings.
    pub count: u64,
}
