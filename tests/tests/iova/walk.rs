//! The slow and obvious allocator: ranges in a sorted list, and the kernel's walk along it, step by step
//! (drivers/iommu/iova.c).

use std::collections::BTreeMap;

use planner_core::kernel::iova::{Alignment, IovaRange, Pfn, WhenFull};
use planner_core::version::KernelVersion;

/// From here on the kernel's own answer is left to chance, or it has crashed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undefined;

const ANCHOR: u64 = 0;
const SIZES: usize = 6;

#[derive(Clone, Copy)]
struct Node {
    id: u64,
    lo: Pfn,
    hi: Pfn,
}

pub(crate) struct Walk {
    /// Sorted by `lo`; the last is the anchor.
    nodes: Vec<Node>,
    ids: u64,
    shift: u32,
    start_pfn: Pfn,
    below_4g: Pfn,
    max32: u64,
    cached32: u64,
    cached64: u64,
    warnings: u64,
    /// Some range ends far below its start, or lies over others.
    wrapped: bool,
    version: KernelVersion,
    cpu: u32,
    cpus: u32,
    loaded: BTreeMap<(u32, usize), Vec<Pfn>>,
    previous: BTreeMap<(u32, usize), Vec<Pfn>>,
    depots: Vec<Vec<Vec<Pfn>>>,
}

impl Walk {
    pub(crate) fn new(shift: u32, start_pfn: Pfn, cpus: u32, version: KernelVersion) -> Self {
        Self {
            nodes: vec![Node { id: ANCHOR, lo: u64::MAX, hi: u64::MAX }],
            ids: 1,
            shift,
            start_pfn,
            below_4g: 1 << (32 - shift),
            max32: 1 << (32 - shift),
            cached32: ANCHOR,
            cached64: ANCHOR,
            warnings: 0,
            wrapped: false,
            version,
            cpu: 0,
            cpus,
            loaded: BTreeMap::new(),
            previous: BTreeMap::new(),
            depots: vec![Vec::new(); SIZES],
        }
    }

    pub(crate) fn ranges(&self) -> Vec<IovaRange> {
        let all = self.nodes.iter().filter(|node| node.id != ANCHOR);
        all.map(|node| IovaRange { lo: node.lo, hi: node.hi }).collect()
    }

    pub(crate) fn state(&self) -> (Pfn, Pfn, u64, u64) {
        (self.node(self.cached32).lo, self.node(self.cached64).lo, self.max32, self.warnings)
    }

    pub(crate) fn run_on(&mut self, cpu: u32) {
        self.cpu = cpu;
    }

    fn index(&self, id: u64) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    fn node(&self, id: u64) -> Node {
        self.nodes[self.index(id).expect("a cached range is in the list")]
    }

    /// Inserts, or warns when another starts at the same pfn. The number of the new node.
    fn insert(&mut self, lo: Pfn, hi: Pfn) -> u64 {
        let node = Node { id: self.ids, lo, hi };
        self.ids += 1;
        if self.nodes.iter().any(|other| other.lo == lo) {
            self.warnings += 1;
        } else {
            let at = self.nodes.iter().position(|other| lo < other.lo).expect("the anchor is above");
            self.nodes.insert(at, node);
        }
        node.id
    }

    pub(crate) fn alloc(
        &mut self,
        size: u64,
        limit: Pfn,
        alignment: Alignment,
    ) -> Result<Option<Pfn>, Undefined> {
        let limit = limit.wrapping_add(1);
        if limit <= self.below_4g && size >= self.max32 {
            return Ok(None);
        }
        let bits = 64 - size.wrapping_sub(1).leading_zeros();
        let mask = if alignment == Alignment::Size { u64::MAX.wrapping_shl(bits) } else { u64::MAX };
        let cached = if limit <= self.below_4g { self.cached32 } else { self.cached64 };
        let from = self.index(cached).expect("a cached range is in the list");
        let mut found = self.walk(from, size, limit, mask, self.start_pfn);
        let tried = self.nodes[from].hi;
        if found.is_none() && tried < limit && self.version >= KernelVersion::new(5, 11) {
            let from = if limit > self.below_4g {
                self.nodes.len() - 1
            } else if self.wrapped {
                return Err(Undefined);
            } else {
                self.nodes.iter().position(|node| node.hi >= limit).expect("the anchor is above")
            };
            found = self.walk(from, size, limit, mask, tried + 1);
        }
        let Some((lo, above)) = found else {
            self.max32 = size;
            return Ok(None);
        };
        // The kernel searches the place in the tree from the range above, so with ranges out of order, or with one that
        // starts at the same pfn, the place depends on the shape of the tree.
        let after_all_below = above.checked_sub(1).is_none_or(|below| self.nodes[below].lo < lo);
        if !after_all_below || lo == self.nodes[above].lo {
            return Err(Undefined);
        }
        let hi = lo.wrapping_add(size).wrapping_sub(1);
        // Nothing, taken at 0, ends at 2^64-1.
        self.wrapped |= lo == 0 && hi == u64::MAX;
        let id = self.insert(lo, hi);
        *(if hi < self.below_4g { &mut self.cached32 } else { &mut self.cached64 }) = id;
        Ok(Some(lo))
    }

    /// The place, and the range above it.
    fn walk(&self, from: usize, size: u64, limit: Pfn, mask: u64, low: Pfn) -> Option<(Pfn, usize)> {
        let mut high = limit;
        let mut at = from;
        loop {
            high = high.min(self.nodes[at].lo);
            let new = high.wrapping_sub(size) & mask;
            let below = at.checked_sub(1).map(|below| self.nodes[below]);
            if below.is_none_or(|below| new > below.hi) || new < low {
                return (high >= size && new >= low).then_some((new, at));
            }
            at -= 1;
        }
    }

    pub(crate) fn alloc_fast(
        &mut self,
        size: u64,
        limit: Pfn,
        when_full: WhenFull,
    ) -> Result<Option<Pfn>, Undefined> {
        let size = if size < 32 { size.next_power_of_two() } else { size };
        if let Some(pfn) = self.take(size, limit.wrapping_add(1).wrapping_sub(size)).filter(|&pfn| pfn != 0) {
            return Ok(Some(pfn));
        }
        let mut found = self.alloc(size, limit, Alignment::Size)?;
        if found.is_none() && when_full == WhenFull::FlushCaches {
            for cpu in 0..self.cpus {
                for order in 0..SIZES {
                    let own = [self.loaded.remove(&(cpu, order)), self.previous.remove(&(cpu, order))];
                    self.free_all(own.into_iter().flatten().flatten().collect())?;
                }
            }
            for order in 0..SIZES {
                while let Some(magazine) = self.depots[order].pop() {
                    self.free_all(magazine)?;
                }
            }
            found = self.alloc(size, limit, Alignment::Size)?;
        }
        Ok(found.filter(|&pfn| pfn != 0))
    }

    fn take(&mut self, size: u64, highest: Pfn) -> Option<Pfn> {
        let order = order(size)?;
        let own = (self.cpu, order);
        if self.loaded.entry(own).or_default().is_empty() {
            if self.previous.entry(own).or_default().is_empty() {
                let full = self.depots[order].pop()?;
                self.loaded.insert(own, full);
            } else {
                self.swap(own);
            }
        }
        let loaded = self.loaded.get_mut(&own).expect("it was made above");
        let at = (0..loaded.len()).rev().find(|&at| loaded[at] <= highest)?;
        let pfn = loaded[at];
        let last = loaded.pop().expect("it has an entry");
        if at < loaded.len() {
            loaded[at] = last;
        }
        Some(pfn)
    }

    fn swap(&mut self, own: (u32, usize)) {
        let loaded = self.loaded.remove(&own).unwrap_or_default();
        let previous = self.previous.insert(own, loaded).unwrap_or_default();
        self.loaded.insert(own, previous);
    }

    fn capacity(&self) -> usize {
        if self.version >= KernelVersion::new(6, 0) { 127 } else { 128 }
    }

    pub(crate) fn free_fast(&mut self, pfn: Pfn, size: u64) -> Result<(), Undefined> {
        let Some(order) = order(size) else { return self.free(pfn) };
        let own = (self.cpu, order);
        let mut full = None;
        if self.loaded.entry(own).or_default().len() == self.capacity() {
            if self.previous.entry(own).or_default().len() < self.capacity() {
                self.swap(own);
            } else {
                full = self.loaded.remove(&own);
            }
        }
        self.loaded.entry(own).or_default().push(pfn);
        match full {
            Some(full) if self.depots[order].len() >= 32 && self.version < KernelVersion::new(6, 7) => {
                self.free_all(full)
            }
            full => {
                self.depots[order].extend(full);
                Ok(())
            }
        }
    }

    fn free_all(&mut self, magazine: Vec<Pfn>) -> Result<(), Undefined> {
        for pfn in magazine {
            if self.wrapped || self.nodes.iter().any(|node| node.lo <= pfn && pfn <= node.hi) {
                self.free(pfn)?;
            } else {
                self.warnings += 1;
            }
        }
        Ok(())
    }

    pub(crate) fn free(&mut self, pfn: Pfn) -> Result<(), Undefined> {
        if self.wrapped {
            return Err(Undefined);
        }
        let mut holding =
            (0..self.nodes.len()).filter(|&at| self.nodes[at].lo <= pfn && pfn <= self.nodes[at].hi);
        let Some(at) = holding.next() else { return Ok(()) };
        if holding.next().is_some() || self.nodes[at].id == ANCHOR {
            return Err(Undefined);
        }
        let (freed, above) = (self.nodes[at], self.nodes[at + 1]);
        let cached = self.node(self.cached32);
        if freed.id == cached.id || freed.hi < self.below_4g && freed.lo >= cached.lo {
            self.cached32 = above.id;
        }
        if freed.lo < self.below_4g {
            self.max32 = self.below_4g;
        }
        if freed.lo >= self.node(self.cached64).lo {
            self.cached64 = above.id;
        }
        self.nodes.remove(at);
        Ok(())
    }

    pub(crate) fn reserve(&mut self, lo: Pfn, hi: Pfn) -> Result<Option<IovaRange>, Undefined> {
        if lo | hi > u64::MAX >> self.shift {
            self.warnings += 1;
            return Ok(None);
        }
        let (mut lo, mut overlapped) = (lo, false);
        for node in &mut self.nodes {
            if lo <= node.hi && hi >= node.lo {
                node.lo = node.lo.min(lo);
                if hi <= node.hi {
                    let answer = IovaRange { lo: node.lo, hi: node.hi };
                    return self.in_order(answer);
                }
                lo = node.hi + 1;
                overlapped = true;
            } else if overlapped {
                break;
            }
        }
        self.insert(lo, hi);
        self.wrapped |= hi.saturating_add(1) < lo;
        self.in_order(IovaRange { lo, hi })
    }

    /// Once ranges are out of order, all depends on the shape of the tree.
    fn in_order(&self, answer: IovaRange) -> Result<Option<IovaRange>, Undefined> {
        if self.nodes.is_sorted_by(|a, b| a.lo < b.lo) { Ok(Some(answer)) } else { Err(Undefined) }
    }
}

fn order(size: u64) -> Option<usize> {
    (0..SIZES).find(|&order| size <= 1 << order)
}
