//! Freed ranges that wait to be handed out again: per CPU two magazines for each size, and a depot of full ones.
//!
//! What waits here still stands in the tree. Which magazine is taken first, and which entry of it, is the kernel's
//! (drivers/iommu/iova.c, `__iova_rcache_insert`, `__iova_rcache_get`, `iova_magazine_pop`). What is left out: the work
//! that gives one magazine of a long depot back every 100 ms, since nothing here knows a clock.

use std::collections::BTreeMap;

use super::Pfn;

/// `IOVA_RANGE_CACHE_MAX_SIZE`: ranges of 1, 2, 4, 8, 16 and 32 pfns have caches (drivers/iommu/iova.c).
pub(super) const SIZES: usize = 6;
/// First pfns of ranges of one size, the newest last.
pub(super) type Magazine = Vec<Pfn>;

/// The caches of a domain.
#[derive(Clone, Debug)]
pub(super) struct Caches {
    bounds: Bounds,
    cpus: BTreeMap<u32, [Magazines; SIZES]>,
    depots: [Vec<Magazine>; SIZES],
}

/// How much the caches of a kernel hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Ranges in a magazine (`IOVA_MAG_SIZE`).
    pub(super) magazine: usize,
    /// Magazines in a depot, of each size.
    pub(super) depot: usize,
}

/// What a CPU keeps of one size (`struct iova_cpu_rcache`).
#[derive(Clone, Debug, Default)]
struct Magazines {
    loaded: Magazine,
    previous: Magazine,
}

impl Magazines {
    fn swap(&mut self) {
        std::mem::swap(&mut self.loaded, &mut self.previous);
    }
}

/// What became of a freed range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Put {
    /// It waits in a magazine.
    Kept,
    /// It waits in a magazine, and another, full one has to be freed, because the depot takes no more.
    KeptFor(Magazine),
    /// Ranges of this size are not kept.
    TooLarge,
}

impl Caches {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, cpus: BTreeMap::new(), depots: Default::default() }
    }

    /// Keeps a freed range for the CPU.
    pub(super) fn put(&mut self, cpu: u32, size: u64, pfn: Pfn) -> Put {
        let bounds = self.bounds;
        let order = order_of(size);
        let Some(depot) = self.depots.get_mut(order) else { return Put::TooLarge };
        let Some(own) = self.cpus.entry(cpu).or_default().get_mut(order) else { return Put::TooLarge };
        let mut put = Put::Kept;
        if own.loaded.len() >= bounds.magazine {
            if own.previous.len() < bounds.magazine {
                own.swap();
            } else {
                let full = std::mem::take(&mut own.loaded);
                if depot.len() < bounds.depot {
                    depot.push(full);
                } else {
                    put = Put::KeptFor(full);
                }
            }
        }
        own.loaded.push(pfn);
        put
    }

    /// The newest range of this size that starts at `highest` or below, of the one magazine that the CPU turns to.
    pub(super) fn take(&mut self, cpu: u32, size: u64, highest: Pfn) -> Option<Pfn> {
        let order = order_of(size);
        let depot = self.depots.get_mut(order)?;
        let own = self.cpus.entry(cpu).or_default().get_mut(order)?;
        if own.loaded.is_empty() {
            if own.previous.is_empty() {
                own.loaded = depot.pop()?;
            } else {
                own.swap();
            }
        }
        let at = own.loaded.iter().rposition(|&pfn| pfn <= highest)?;
        Some(own.loaded.swap_remove(at))
    }

    /// Empties everything that the first `cpus` CPUs keep, then the depots, in the kernel's order.
    pub(super) fn flush(&mut self, cpus: u32) -> Vec<Pfn> {
        let mut flushed = Vec::new();
        for own in self.cpus.range_mut(..cpus).flat_map(|(_, sizes)| sizes) {
            flushed.append(&mut own.loaded);
            flushed.append(&mut own.previous);
        }
        for depot in &mut self.depots {
            flushed.extend(std::mem::take(depot).into_iter().rev().flatten());
        }
        flushed
    }
}

/// `order_base_2`: the power of two that the size is rounded up to.
fn order_of(size: u64) -> usize {
    let bits = size.checked_next_power_of_two().map_or(u64::BITS, u64::trailing_zeros);
    usize::try_from(bits).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { magazine: 3, depot: 2 };

    #[test]
    fn the_newest_comes_back_first_and_a_limit_skips_what_lies_too_high() {
        let mut caches = Caches::new(BOUNDS);
        for pfn in [10, 30, 20] {
            assert_eq!(caches.put(0, 1, pfn), Put::Kept);
        }
        assert_eq!(caches.take(0, 1, 15), Some(10));
        assert_eq!(caches.take(0, 1, 100), Some(30), "the last entry took the place of the one taken");
        assert_eq!(caches.take(0, 1, 5), None);
        assert_eq!(caches.take(1, 1, 100), None, "another CPU has its own magazines");
        assert_eq!(caches.take(0, 2, 100), None, "another size has its own magazines");
    }

    #[test]
    fn sizes_up_to_32_are_kept() {
        let mut caches = Caches::new(BOUNDS);
        assert_eq!(caches.put(0, 32, 64), Put::Kept);
        assert_eq!(caches.put(0, 33, 64), Put::TooLarge);
        assert_eq!(caches.put(0, u64::MAX, 64), Put::TooLarge);
        assert_eq!(caches.take(0, 17, 64), Some(64), "17 to 32 share a size");
    }

    #[test]
    fn two_magazines_then_the_depot_then_one_must_go() {
        let mut caches = Caches::new(BOUNDS);
        let full = 3;
        let mut overflow = Vec::new();
        for pfn in 0..5 * full {
            match caches.put(0, 1, pfn) {
                Put::KeptFor(magazine) => overflow.push((pfn, magazine)),
                put => assert_eq!(put, Put::Kept),
            }
        }
        // The previous magazine holds the oldest; the depot took the second and the third.
        assert_eq!(overflow, [(4 * full, (3 * full..4 * full).collect::<Vec<_>>())]);
        let flushed = caches.flush(1);
        let expected = (4 * full..5 * full).chain(0..full).chain(2 * full..3 * full).chain(full..2 * full);
        assert_eq!(flushed, expected.collect::<Vec<_>>());
        assert_eq!(caches.flush(1), Vec::<u64>::new());
    }
}
