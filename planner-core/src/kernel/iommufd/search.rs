//! How iommufd chooses an IOVA itself: the lowest that suits (drivers/iommu/iommufd/io_pagetable.c, `iopt_alloc_iova`).

use super::holes;
use crate::addr::{Address, Iova, Span};
use crate::kernel::errno::Errno;

/// What decides where a mapping may go.
pub(super) struct Search<'a> {
    pub(super) page_bytes: u64,
    pub(super) huge_page_bytes: u64,
    pub(super) alignment: u64,
    /// Allowed stretches by start; empty when everything is allowed.
    pub(super) allowed: &'a [(u64, u64)],
    /// Reserved and mapped stretches, sorted by start.
    pub(super) taken: &'a [(u64, u64)],
}

impl Search<'_> {
    /// The first place for `length` bytes of user memory at `vaddr`.
    pub(super) fn place(&self, vaddr: u64, length: u64) -> Result<u64, Errno> {
        if length == 0 || length >= u64::MAX / 2 {
            return Err(Errno::Overflow);
        }
        let rounded = length.checked_next_power_of_two().ok_or(Errno::Overflow)?;
        let natural = if vaddr == 0 { rounded } else { rounded.min(vaddr & vaddr.wrapping_neg()) };
        let align = natural.min(self.huge_page_bytes);
        if align < self.alignment {
            return Err(Errno::Inval);
        }
        let fit = Fit { align, offset: vaddr % self.page_bytes, length };
        self.allowed_stretches().iter().find_map(|&allowed| self.within(allowed, &fit)).ok_or(Errno::NoSpc)
    }

    /// The first place within an allowed stretch. The stretch itself must have room, and its first candidate is where
    /// the search for holes starts.
    fn within(&self, allowed: Span<Iova>, fit: &Fit) -> Option<u64> {
        let start = fit.first(allowed)?;
        let from = self.taken.partition_point(|&(first, _)| first < start);
        // A stretch that starts before may still reach in; the furthest of them stands for all.
        let reach = self.taken.get(..from).unwrap_or_default().iter().map(|&(_, last)| last).max();
        let before = reach.filter(|&last| last >= start).map(|last| (start, last));
        let after = self.taken.get(from..).unwrap_or_default();
        let taken = before.into_iter().chain(after.iter().copied());
        holes(taken, start, allowed.last().get()).into_iter().find_map(|hole| fit.first(hole))
    }

    /// Allowed stretches that overlap or touch count as one; the first and the last page are never allowed.
    fn allowed_stretches(&self) -> Vec<Span<Iova>> {
        let (first, last) = (self.page_bytes, u64::MAX.wrapping_sub(self.page_bytes));
        if self.allowed.is_empty() {
            return Span::of(first, last).into_iter().collect();
        }
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for &(start, end) in self.allowed {
            match joined.last_mut() {
                Some((_, top)) if start <= top.saturating_add(1) => *top = end.max(*top),
                _ => joined.push((start, end)),
            }
        }
        joined.into_iter().filter_map(|(start, end)| Span::of(start.max(first), end.min(last))).collect()
    }
}

/// What a place must offer.
struct Fit {
    align: u64,
    offset: u64,
    length: u64,
}

impl Fit {
    /// The first suitable address of a stretch (`__alloc_iova_check_range`); a stretch of one byte never suits.
    fn first(&self, stretch: Span<Iova>) -> Option<u64> {
        let mask = self.align.wrapping_sub(1);
        let start = stretch.first().get().checked_add(mask)? & !mask | self.offset;
        let room = stretch.last().get().checked_sub(start).filter(|&room| room > 0)?;
        (room >= self.length.wrapping_sub(1)).then_some(start)
    }
}
