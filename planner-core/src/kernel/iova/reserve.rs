//! How pfns are kept from being handed out (`reserve_iova`). Reservations stand in the tree like allocations.

use super::gaps::Want;
use super::tree::{Inserted, NodeId, Side};
use super::{IovaDomain, IovaRange, Order, Pfn};

impl IovaDomain {
    /// Takes the pfns `lo..=hi`, as far as they are free, and tells the last range that has to do with them
    /// (`reserve_iova`). `None`, and a warning, for pfns that no 64-bit address has.
    ///
    /// The ranges in the way stay. Each grows down to the end of the one before, and what is left behind the last
    /// becomes a range of its own. Takes as long as there are gaps to be filled.
    pub fn reserve(&mut self, lo: Pfn, hi: Pfn) -> Option<IovaRange> {
        if lo | hi > u64::MAX >> self.shift {
            self.warn();
            return None;
        }
        let mut rest = lo;
        let mut at = self.first_in_the_way(lo, hi);
        while self.tree.range(at).overlaps(rest, hi) && !at.is_nil() {
            if rest < self.tree.range(at).lo {
                self.tree.extend_down(at, rest);
            }
            let range = self.tree.range(at);
            if hi <= range.hi {
                return Some(range);
            }
            rest = range.hi.wrapping_add(1);
            at = self.tree.neighbour(at, Side::Right);
            if self.order == Order::Plain {
                // Ranges without a gap between them need no change.
                at = self.tree.first_with(Want::Room(1), at);
                rest = self.tree.at(at).floor;
                if hi < rest {
                    return self.find(hi);
                }
            }
        }
        self.reserve_rest(IovaRange { lo: rest, hi })
    }

    /// The lowest range that overlaps, or any that does not.
    fn first_in_the_way(&self, lo: Pfn, hi: Pfn) -> NodeId {
        if self.order < Order::Tangled {
            return self.tree.last_with_floor_up_to(lo);
        }
        let first = self.tree.iter().find(|(_, range)| range.overlaps(lo, hi));
        first.map_or(NodeId::NIL, |(id, _)| id)
    }

    fn reserve_rest(&mut self, range: IovaRange) -> Option<IovaRange> {
        self.order = self.order.max(Order::with(range));
        if let Inserted::Outside(_) = self.tree.insert(range, NodeId::NIL)? {
            self.warn();
        }
        Some(range)
    }
}
