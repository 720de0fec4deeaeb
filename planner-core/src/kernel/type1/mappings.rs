//! The mappings of a container: what overlaps what, and what an unmap request takes.
//!
//! Kernels before the rule [`crate::kernel::rules::T1_INCLUSIVE`] compute with exclusive ends that wrap to zero, so that a mapping
//! which ends at 2^64-1 is missed; it is missed here, too.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How a kernel compares ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    /// `start + size`, which wraps to zero at the top.
    Exclusive,
    /// `start + size - 1`.
    Inclusive,
}

/// The mappings (`iommu->dma_list`): start and size, in the kernel's order.
#[derive(Clone, PartialEq, Debug)]
pub struct Mappings {
    ends: Ends,
    sizes: BTreeMap<Place, u64>,
    inserted: u64,
}

/// Sorts by start; among equal starts, which only the very top of the space can have, the newest comes first
/// (`vfio_link_dma`).
type Place = (u64, Reverse<u64>);

impl Mappings {
    /// No mappings yet.
    #[must_use]
    pub fn new(ends: Ends) -> Self {
        Self { ends, sizes: BTreeMap::new(), inserted: 0 }
    }

    /// A mapping that overlaps the request, as start and size (`vfio_find_dma`).
    #[must_use]
    pub fn find(&self, start: u64, size: u64) -> Option<(u64, u64)> {
        let end = start.wrapping_add(size);
        let last = end.wrapping_sub(1);
        let below = |iova: u64| match self.ends {
            Ends::Exclusive => end > iova,
            Ends::Inclusive => last >= iova,
        };
        let above = |iova: u64, size: u64| match self.ends {
            Ends::Exclusive => start < iova.wrapping_add(size),
            Ends::Inclusive => start <= iova.wrapping_add(size).wrapping_sub(1),
        };
        // Mappings below the top do not overlap one another, so only the highest that starts below the request's end
        // can reach into it, but those at the top may lie between.
        let mut candidates = self.sizes.iter().rev().filter(|((iova, _), _)| below(*iova));
        let normal = |(&(iova, _), &size): (&Place, &u64)| {
            let wraps = iova.wrapping_add(size) == 0 && self.ends == Ends::Exclusive;
            (!wraps).then_some((iova, size))
        };
        let (iova, size) = candidates.find_map(normal)?;
        above(iova, size).then_some((iova, size))
    }

    /// Records a mapping.
    pub fn insert(&mut self, start: u64, size: u64) {
        self.sizes.insert((start, Reverse(self.inserted)), size);
        self.inserted = self.inserted.saturating_add(1);
    }

    /// Removes every mapping.
    pub fn clear(&mut self) {
        self.sizes.clear();
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

    /// Removes the mappings from the first that reaches beyond `start` up to the first that starts past the request,
    /// and tells sizes in bytes and number. With [`Removal::FromStart`], stops at one that starts before the request.
    pub fn remove(&mut self, start: u64, size: u64, removal: Removal) -> Removed {
        let past = |iova: u64| match self.ends {
            Ends::Exclusive => iova >= start.wrapping_add(size),
            Ends::Inclusive => iova > start.wrapping_add(size).wrapping_sub(1),
        };
        let reaches = |iova: u64, size: u64| match self.ends {
            Ends::Exclusive => start < iova.wrapping_add(size),
            Ends::Inclusive => start <= iova.wrapping_add(size).wrapping_sub(1),
        };
        let from_first = self.sizes.iter().skip_while(|((iova, _), size)| !reaches(*iova, **size));
        let gone: Vec<(Place, u64)> = from_first
            .take_while(|((iova, _), _)| !past(*iova))
            .take_while(|((iova, _), _)| removal == Removal::Whole || start <= *iova)
            .map(|(&place, &size)| (place, size))
            .collect();
        let mut removed = Removed::default();
        for (place, size) in gone {
            self.sizes.remove(&place);
            removed.bytes = removed.bytes.wrapping_add(size);
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
