//! How much fits into the free pfns before a range, and the best of it in a whole subtree.
//!
//! This is what makes a search among N ranges take O(log N) steps: a subtree in which nothing fits is passed over. Both
//! measures are exact. An unaligned request fits a gap exactly when it is no larger than the gap; an aligned one exactly
//! when it is no larger than the largest aligned request that fits, because whatever fits leaves room for all that is
//! smaller.

use super::Pfn;

/// What there is before a range, or the best of it before any range of a subtree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gaps {
    /// Most pfns that are free in one piece.
    widest: u64,
    /// Largest request that still fits when it must start at a multiple of its size rounded up to a power of two.
    largest_aligned: u64,
}

impl Gaps {
    /// Of a subtree without ranges.
    pub(super) const NONE: Self = Self { widest: 0, largest_aligned: 0 };

    /// Before the range that starts at `lo`, when the range before it ends below `floor`.
    pub(super) fn before(floor: Pfn, lo: Pfn) -> Self {
        Self { widest: lo.saturating_sub(floor), largest_aligned: largest_aligned(floor, lo) }
    }

    /// The best of both.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            widest: self.widest.max(other.widest),
            largest_aligned: self.largest_aligned.max(other.largest_aligned),
        }
    }
}

/// What a search looks for before a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Want {
    /// So many free pfns.
    Room(u64),
    /// Room for so many pfns that start at a multiple of their number rounded up to a power of two.
    AlignedRoom(u64),
}

impl Want {
    /// Whether the gap from `floor` to before `lo` has it.
    pub(super) const fn fits(self, floor: Pfn, lo: Pfn) -> bool {
        match self {
            Self::Room(size) => size <= lo.saturating_sub(floor),
            Self::AlignedRoom(size) => match size.checked_next_power_of_two() {
                Some(step) => size <= lo && lo.wrapping_sub(size) & !step.wrapping_sub(1) >= floor,
                None => false,
            },
        }
    }

    /// Whether any gap of a subtree has it.
    pub(super) fn met_by(self, gaps: &Gaps) -> bool {
        match self {
            Self::Room(size) => size <= gaps.widest,
            Self::AlignedRoom(size) => size <= gaps.largest_aligned,
        }
    }
}

/// The largest size for which `floor..lo` has room at a multiple of that size rounded up to a power of two.
fn largest_aligned(floor: Pfn, lo: Pfn) -> u64 {
    let Some(bits) = lo.saturating_sub(floor).checked_ilog2() else { return 0 };
    let room = room_at(floor, lo, bits);
    let block = 1 << bits;
    if room >= block {
        // A block of half the next size fits; more than it does only from a multiple of that next size.
        return block.max(room_at(floor, lo, bits.saturating_add(1)));
    }
    // A stretch of 2^n pfns or more always holds an aligned block of 2^(n-1).
    (block >> 1).max(room)
}

/// How many pfns there are from the first multiple of 2^bits up to `lo`.
fn room_at(floor: Pfn, lo: Pfn, bits: u32) -> u64 {
    let Some(step) = 1_u64.checked_shl(bits) else { return 0 };
    let rest = step.wrapping_sub(1);
    floor.checked_add(rest).map_or(0, |beyond| lo.saturating_sub(beyond & !rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_aligned_request_is_what_trying_all_sizes_finds() {
        let fits = |floor: u64, lo: u64, size: u64| {
            let step = size.next_power_of_two();
            lo >= size && (lo - size) / step * step >= floor
        };
        for floor in 0..70 {
            for lo in 0..70 {
                let tried = (1..=70).rev().find(|&size| fits(floor, lo, size)).unwrap_or(0);
                assert_eq!(largest_aligned(floor, lo), tried, "{floor}..{lo}");
                // Whatever is smaller fits as well.
                assert!((1..=tried).all(|size| fits(floor, lo, size)), "{floor}..{lo}");
                let told = |size| Want::AlignedRoom(size).fits(floor, lo);
                assert!((1..=70).all(|size| told(size) == (size <= tried)), "{floor}..{lo}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_space_do_not_wrap() {
        assert_eq!(largest_aligned(0, u64::MAX), 1 << 63);
        assert_eq!(largest_aligned(1, u64::MAX), (1 << 63) - 1);
        assert_eq!(largest_aligned(u64::MAX - 1, u64::MAX), 1);
        assert_eq!(largest_aligned(u64::MAX, 0), 0);
    }
}
