//! The allocator of the host's own DMA addresses (drivers/iommu/iova.c): which pfns a domain hands out, and in which order.
//!
//! It gives the kernel's answers, and everything that can be observed of it: it searches downward from the last
//! allocation and only then above; a failure bars 32-bit requests of that size until something below 4 GiB is freed;
//! freed ranges of up to 32 pfns stay taken and wait in caches. Where the kernel walks from range to range, the tree
//! here knows the best gap of each subtree, so that an allocation among N ranges takes O(log N) steps.
//!
//! What is left out: what other CPUs do meanwhile, running out of memory, the flush queue, and the work that empties
//! long depots after a time. How a device's allocations become requests to a domain is told in
//! [`dma_domain`](super::dma_domain).

mod balance;
mod cache;
mod gaps;
mod reserve;
mod search;
mod tree;
#[cfg(test)]
mod tests;

use super::rules;
use crate::size::Size;
use crate::version::KernelVersion;
use cache::{Bounds, Caches, Magazine, Put};
use gaps::Want;
use tree::{Inserted, NodeId, Side, Tree};

/// Number of a granule of IOVA space. A plain number, because the kernel's arithmetic on it wraps at 2^64.
pub type Pfn = u64;

/// `MAX_GLOBAL_MAGS`: full magazines that a depot takes, for one size, while it is an array
/// (drivers/iommu/iova.c of 6.1).
const BOUNDED_DEPOT: usize = 32;

/// A range of a domain. Neighbours are not merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IovaRange {
    /// First pfn.
    pub lo: Pfn,
    /// Last pfn; below `lo` for what the kernel makes of a region of length zero or of one that wraps.
    pub hi: Pfn,
}

impl IovaRange {
    /// As the kernel compares (`__is_range_overlap`).
    const fn overlaps(self, lo: Pfn, hi: Pfn) -> bool {
        lo <= self.hi && self.lo <= hi
    }
}

/// Where an allocation may start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alignment {
    /// Anywhere.
    None,
    /// At a multiple of its size rounded up to a power of two.
    Size,
}

/// What a fast allocation does when the tree has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// It fails.
    Fail,
    /// It gives everything that waits in caches back to the tree and tries once more.
    FlushCaches,
}

/// The allocator of one domain (`struct iova_domain`).
#[derive(Clone, Debug)]
pub struct IovaDomain {
    tree: Tree,
    shift: u32,
    start_pfn: Pfn,
    /// First pfn at 4 GiB or above.
    dma_32bit_pfn: Pfn,
    max32_alloc_size: u64,
    cached32: NodeId,
    cached64: NodeId,
    order: Order,
    caches: Caches,
    cpu: u32,
    cpus: u32,
    retries_above: bool,
    warnings: u64,
}

/// What ranges that end below their start have left of the order of the ranges.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Order {
    /// All ranges end at their start or above.
    Plain,
    /// Some range ends right below its start, as regions of length zero and allocations of nothing make them. It takes no
    /// pfn, but ends runs of ranges without a gap.
    WithEmpty,
    /// Some range ends far below its start, as regions make them that wrap past the end of the space. It is in the way
    /// of nothing and hides what it lies above, so that nothing less than the kernel's own walk gives its answers.
    Tangled,
}

impl Order {
    /// What a range does to it.
    const fn with(range: IovaRange) -> Self {
        match range {
            // What an allocation of nothing at 0 makes. It lies above nothing and over everything.
            IovaRange { lo: 0, hi: Pfn::MAX } => Self::Tangled,
            IovaRange { lo, hi } if hi >= lo => Self::Plain,
            IovaRange { lo, hi } if hi.wrapping_add(1) == lo => Self::WithEmpty,
            IovaRange { .. } => Self::Tangled,
        }
    }
}

/// One request, with all that the search needs.
#[derive(Clone, Copy, Debug)]
struct Request {
    size: u64,
    /// One above the last pfn that it may end at.
    limit: Pfn,
    /// Clear in the bits that must be zero in the first pfn.
    align_mask: u64,
    /// Where the search begins, and works downward.
    from: NodeId,
    /// First pfn that it may start at.
    low: Pfn,
}

impl Request {
    /// The highest place below `high`.
    const fn below(&self, high: Pfn) -> Pfn {
        high.wrapping_sub(self.size) & self.align_mask
    }

    /// What a gap must have.
    const fn want(&self) -> Want {
        if self.align_mask == u64::MAX { Want::Room(self.size) } else { Want::AlignedRoom(self.size) }
    }
}

impl IovaDomain {
    /// An empty domain of a kernel of this version (`init_iova_domain`). Nothing below `start_pfn` is handed out, and
    /// `cpus` CPUs are online. `None` for a granule that the kernel stops at: no power of two, or above 4 GiB.
    #[must_use]
    pub fn new(granule: Size, start_pfn: Pfn, cpus: u32, version: KernelVersion) -> Option<Self> {
        let shift = granule.bytes().trailing_zeros();
        if !granule.bytes().is_power_of_two() || shift > 32 {
            return None;
        }
        let dma_32bit_pfn = 1 << 32_u32.saturating_sub(shift);
        Some(Self {
            tree: Tree::new(),
            shift,
            start_pfn,
            dma_32bit_pfn,
            max32_alloc_size: dma_32bit_pfn,
            cached32: NodeId::ANCHOR,
            cached64: NodeId::ANCHOR,
            order: Order::Plain,
            caches: Caches::new(cache_bounds(version)),
            cpu: 0,
            cpus,
            retries_above: rules::IOVA_RETRY.holds(version),
            warnings: 0,
        })
    }

    /// The granule, as a number of address bits.
    #[must_use]
    pub const fn shift(&self) -> u32 {
        self.shift
    }

    /// The first pfn that may be handed out.
    #[must_use]
    pub const fn start_pfn(&self) -> Pfn {
        self.start_pfn
    }

    /// The ranges, ascending by their first pfn, with those that wait in caches and without the anchor.
    pub fn ranges(&self) -> impl Iterator<Item = IovaRange> {
        self.tree.iter().filter(|&(id, _)| id != NodeId::ANCHOR).map(|(_, range)| range)
    }

    /// The first pfn of the range from which searches for 32-bit addresses go downward; 2^64-1 for the anchor.
    #[must_use]
    pub fn cached32_pfn(&self) -> Pfn {
        self.tree.range(self.cached32).lo
    }

    /// The same for all other searches.
    #[must_use]
    pub fn cached_pfn(&self) -> Pfn {
        self.tree.range(self.cached64).lo
    }

    /// Requests of this size or above for 32-bit addresses fail at once.
    #[must_use]
    pub const fn max32_alloc_size(&self) -> u64 {
        self.max32_alloc_size
    }

    /// How often the kernel would have printed a warning with a backtrace.
    #[must_use]
    pub const fn warnings(&self) -> u64 {
        self.warnings
    }

    /// Lets the calls that follow come from another CPU.
    pub const fn run_on(&mut self, cpu: u32) {
        self.cpu = cpu;
    }

    /// The range that holds the pfn (`find_iova`).
    #[must_use]
    pub fn find(&self, pfn: Pfn) -> Option<IovaRange> {
        self.tree.find(pfn).map(|id| self.tree.range(id))
    }
}

fn cache_bounds(version: KernelVersion) -> Bounds {
    Bounds {
        magazine: if rules::MAGAZINE_127.holds(version) { 127 } else { 128 },
        depot: if rules::DEPOT_BOUNDED.holds(version) { BOUNDED_DEPOT } else { usize::MAX },
    }
}

// ---- Allocation.

impl IovaDomain {
    /// Takes `size` pfns that end at `limit` or below, and tells the first (`alloc_iova`).
    pub fn alloc(&mut self, size: u64, limit: Pfn, alignment: Alignment) -> Option<Pfn> {
        let limit = limit.wrapping_add(1);
        let is_32bit = limit <= self.dma_32bit_pfn;
        if is_32bit && size >= self.max32_alloc_size {
            return None;
        }
        let from = if is_32bit { self.cached32 } else { self.cached64 };
        let request =
            Request { size, limit, align_mask: align_mask(size, alignment), from, low: self.start_pfn };
        let Some((above, lo)) = self.place(&request).or_else(|| self.place_above(&request)) else {
            // Also when the request was not for a 32-bit address.
            self.max32_alloc_size = size;
            return None;
        };
        let range = IovaRange { lo, hi: lo.wrapping_add(size).wrapping_sub(1) };
        self.order = self.order.max(Order::with(range));
        let id = match self.tree.insert(range, above)? {
            Inserted::Inside(id) => id,
            Inserted::Outside(id) => {
                self.warn();
                id
            }
        };
        let cached = if range.hi < self.dma_32bit_pfn { &mut self.cached32 } else { &mut self.cached64 };
        *cached = id;
        Some(lo)
    }

    /// The first place that the kernel's walk down from a range comes to, and the range above it
    /// (`__alloc_and_insert_iova_range`).
    fn place(&mut self, request: &Request) -> Option<(NodeId, Pfn)> {
        let &Request { limit, low, mut from, .. } = request;
        let top = request.below(limit);
        if limit < request.size || top < low {
            return None;
        }
        if self.order == Order::Tangled {
            return self.walk(request);
        }
        if self.tree.range(from).lo >= limit {
            if self.tree.at(from).floor > top {
                from = self.tree.last_with_floor_up_to(top);
            }
            if self.tree.range(from).lo >= limit {
                return Some((from, top));
            }
        }
        let above = self.tree.last_with(request.want(), from);
        let lo = request.below(self.tree.range(above).lo);
        (!above.is_nil() && lo >= low).then_some((above, lo))
    }

    /// The kernel's walk, range by range.
    fn walk(&self, request: &Request) -> Option<(NodeId, Pfn)> {
        let (mut above, mut high) = (request.from, request.limit);
        loop {
            high = high.min(self.tree.range(above).lo);
            let lo = request.below(high);
            let below = self.tree.neighbour(above, Side::Left);
            if below.is_nil() || lo > self.tree.range(below).hi || lo < request.low {
                return (high >= request.size && lo >= request.low).then_some((above, lo));
            }
            above = below;
        }
    }

    /// The second try, in what lies above the range at which the first one began.
    fn place_above(&mut self, request: &Request) -> Option<(NodeId, Pfn)> {
        let tried = self.tree.range(request.from).hi;
        if !self.retries_above || tried >= request.limit {
            return None;
        }
        let is_32bit = request.limit <= self.dma_32bit_pfn;
        let from = if is_32bit { self.tree.find_limit(request.limit) } else { NodeId::ANCHOR };
        self.place(&Request { from, low: tried.wrapping_add(1), ..*request })
    }

    /// Takes a waiting range, or else new pfns aligned to their number, and tells the first (`alloc_iova_fast`).
    pub fn alloc_fast(&mut self, size: u64, limit: Pfn, when_full: WhenFull) -> Option<Pfn> {
        // What may wait in a cache later is rounded up, so that it can serve any request of its cache.
        let size = if size < 1 << (cache::SIZES - 1) { size.next_power_of_two() } else { size };
        let highest = limit.wrapping_add(1).wrapping_sub(size);
        // The kernel takes pfn 0 for a failure, wherever it comes from.
        if let Some(pfn) = self.caches.take(self.cpu, size, highest).filter(|&pfn| pfn != 0) {
            return Some(pfn);
        }
        let mut allocated = self.alloc(size, limit, Alignment::Size);
        if allocated.is_none() && when_full == WhenFull::FlushCaches {
            let flushed = self.caches.flush(self.cpus);
            self.free_magazine(flushed);
            allocated = self.alloc(size, limit, Alignment::Size);
        }
        allocated.filter(|&pfn| pfn != 0)
    }

    const fn warn(&mut self) {
        self.warnings = self.warnings.saturating_add(1);
    }
}

/// Shifting by 64, which a size of 0 and sizes above 2^63 lead to, is a shift by 0 on x86 and on Arm.
const fn align_mask(size: u64, alignment: Alignment) -> u64 {
    match alignment {
        Alignment::None => u64::MAX,
        Alignment::Size => {
            u64::MAX.wrapping_shl(u64::BITS.saturating_sub(size.wrapping_sub(1).leading_zeros()))
        }
    }
}

// ---- Giving back.

impl IovaDomain {
    /// Frees the range that holds the pfn, if there is one (`free_iova`).
    pub fn free(&mut self, pfn: Pfn) {
        if let Some(id) = self.tree.find(pfn) {
            self.free_node(id);
        }
    }

    /// Frees a range into a cache when its size has one, else into the tree (`free_iova_fast`).
    pub fn free_fast(&mut self, pfn: Pfn, size: u64) {
        match self.caches.put(self.cpu, size, pfn) {
            Put::Kept => {}
            Put::KeptFor(magazine) => self.free_magazine(magazine),
            Put::TooLarge => self.free(pfn),
        }
    }

    /// `iova_magazine_free_pfns`.
    fn free_magazine(&mut self, magazine: Magazine) {
        for pfn in magazine {
            match self.tree.find(pfn) {
                Some(id) => self.free_node(id),
                None => self.warn(),
            }
        }
    }

    /// `remove_iova` and `__cached_rbnode_delete_update`. The kernel would not survive the loss of its anchor, so that
    /// stays.
    fn free_node(&mut self, id: NodeId) {
        if id == NodeId::ANCHOR {
            return;
        }
        let (freed, above) = (self.tree.range(id), self.tree.neighbour(id, Side::Right));
        let below_4g = freed.hi < self.dma_32bit_pfn;
        if id == self.cached32 || below_4g && freed.lo >= self.cached32_pfn() {
            self.cached32 = above;
        }
        if freed.lo < self.dma_32bit_pfn {
            self.max32_alloc_size = self.dma_32bit_pfn;
        }
        if freed.lo >= self.cached_pfn() {
            self.cached64 = above;
        }
        self.tree.remove(id, above);
    }
}
