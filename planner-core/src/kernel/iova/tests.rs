//! The tree keeps its promises, whatever is inserted and removed; what a domain does at the edges of what the kernel
//! thought of.

use super::gaps::Gaps;
use super::tree::{Inserted, NodeId, Side, Tree};
use super::*;

/// xorshift64.
fn random(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

/// Checks a subtree, and tells its number of black nodes on each way down and its best gaps.
fn check(tree: &Tree, id: NodeId, ranges: &mut Vec<IovaRange>) -> (u32, Gaps) {
    if id.is_nil() {
        return (0, Gaps::NONE);
    }
    let node = tree.at(id);
    let (left, right) = (node.child(Side::Left), node.child(Side::Right));
    for child in [left, right] {
        assert!(child.is_nil() || tree.at(child).parent == id);
        assert!(!(node.red && tree.at(child).red), "a red node below a red one");
    }
    let (blacks, left_best) = check(tree, left, ranges);
    let floor = ranges.last().map_or(0, |below: &IovaRange| below.hi + 1);
    assert_eq!(node.floor, floor);
    ranges.push(node.range);
    let (right_blacks, right_best) = check(tree, right, ranges);
    assert_eq!(blacks, right_blacks, "ways down with more black nodes than others");
    let best = Gaps::before(floor, node.range.lo).or(&left_best).or(&right_best);
    if node.stale {
        assert!(node.parent.is_nil() || tree.at(node.parent).stale, "a stale node below a fresh one");
    } else {
        assert_eq!(node.best, best);
    }
    (blacks + u32::from(!node.red), best)
}

fn check_all(tree: &Tree, expected: &[IovaRange]) {
    let mut ranges = Vec::new();
    check(tree, tree.root, &mut ranges);
    assert!(!tree.at(tree.root).red);
    assert_eq!(ranges.pop(), Some(IovaRange { lo: Pfn::MAX, hi: Pfn::MAX }));
    assert_eq!(ranges, expected);
}

#[test]
fn the_tree_stays_balanced_and_its_gaps_true() {
    let (mut tree, mut state) = (Tree::new(), 88_172_645_463_325_252);
    let mut live: Vec<(NodeId, IovaRange)> = Vec::new();
    for round in 0..4000 {
        // It grows, shrinks, and grows again.
        let grows = round / 1000 % 2 == 0;
        if random(&mut state, 10) < if grows { 7 } else { 3 } || live.is_empty() {
            let lo = random(&mut state, 3000) * 8;
            let range = IovaRange { lo, hi: lo + random(&mut state, 8) };
            match tree.insert(range, NodeId::NIL).unwrap() {
                Inserted::Inside(id) => live.push((id, range)),
                Inserted::Outside(_) => assert!(live.iter().any(|(_, other)| other.lo == lo)),
            }
        } else {
            let (id, _) = live.swap_remove(usize::try_from(random(&mut state, live.len() as u64)).unwrap());
            tree.remove(id, tree.neighbour(id, Side::Right));
        }
        let mut expected: Vec<IovaRange> = live.iter().map(|&(_, range)| range).collect();
        expected.sort_by_key(|range| range.lo);
        check_all(&tree, &expected);
        if !live.is_empty() && random(&mut state, 3) == 0 {
            // Some of the tree is looked at, and is fresh then.
            let (id, _) = live[usize::try_from(random(&mut state, live.len() as u64)).unwrap()];
            tree.best(id);
            assert!(!tree.at(id).stale);
            check_all(&tree, &expected);
        }
    }
    for (id, _) in live {
        tree.remove(id, tree.neighbour(id, Side::Right));
    }
    check_all(&tree, &[]);
}

fn domain() -> IovaDomain {
    IovaDomain::new(Size::kib(4), 1, 2, KernelVersion::new(6, 12)).unwrap()
}

#[test]
fn only_powers_of_two_up_to_4_gib_are_granules() {
    let new = |bytes| IovaDomain::new(Size::from_bytes(bytes), 1, 1, KernelVersion::new(6, 12));
    assert!([0, 3, 0x1001, 1 << 33, u64::MAX].into_iter().all(|bytes| new(bytes).is_none()));
    assert!([1, 0x1000, 0x1_0000, 1 << 32].into_iter().all(|bytes| new(bytes).is_some()));
}

/// K-DMATOPDOWN, K-DMARETRY.
#[test]
fn an_allocation_starts_below_the_last_one_and_turns_back_when_nothing_is_left() {
    let mut domain = domain();
    assert_eq!(domain.alloc(1, 0x9, Alignment::None), Some(0x9));
    assert_eq!(domain.alloc(1, 0x9, Alignment::None), Some(0x8));
    domain.reserve(1, 0x7);
    assert_eq!(domain.alloc(1, 0xff, Alignment::None), Some(0xff), "nothing below, so above");
    assert_eq!(domain.cached32_pfn(), 0xff);
}

/// K-DMA32BAR.
#[test]
fn a_failure_bars_32_bit_requests_until_something_below_4_gib_is_freed() {
    let mut domain = domain();
    assert_eq!(domain.alloc(1, 0, Alignment::None), None);
    assert_eq!(domain.alloc(1, 0xf_ffff, Alignment::None), None, "the space is empty");
    assert_eq!(domain.alloc(1, 0x10_0000, Alignment::None), Some(0x10_0000));
    domain.free(0x10_0000);
    assert_eq!(domain.alloc(1, 0xf_ffff, Alignment::None), None);
    domain.reserve(5, 5);
    domain.free(5);
    assert_eq!(domain.alloc(1, 0xf_ffff, Alignment::None), Some(0xf_ffff));
}

/// K-DMACACHE.
#[test]
fn what_was_freed_fast_still_stands_in_the_tree_until_caches_are_flushed() {
    let mut domain = domain();
    let pfn = domain.alloc_fast(3, 0xf_ffff, WhenFull::Fail).unwrap();
    assert_eq!(domain.find(pfn), Some(IovaRange { lo: pfn, hi: pfn + 3 }), "3 were rounded up to 4");
    domain.free_fast(pfn, 3);
    assert_eq!(domain.ranges().count(), 1);
    domain.reserve(0, pfn - 1);
    domain.run_on(1);
    assert_eq!(domain.alloc_fast(4, 0xf_ffff, WhenFull::Fail), None, "it waits for the other CPU");
    assert_eq!(domain.alloc_fast(4, 0xf_ffff, WhenFull::FlushCaches), Some(pfn));
}

/// An empty range takes nothing, but no range can start where it starts, if the kernel comes by it on its way down the
/// tree. Then the new range is not in the tree, and is handed out all the same.
#[test]
fn a_range_that_meets_another_at_its_start_is_handed_out_and_forgotten() {
    let mut domain = domain();
    domain.reserve(0x10, 0xf);
    assert_eq!(domain.alloc(0xf_fff0, 0xf_ffff, Alignment::None), Some(0x10));
    assert_eq!(domain.warnings(), 1);
    assert_eq!(domain.ranges().collect::<Vec<_>>(), [IovaRange { lo: 0x10, hi: 0xf }]);
    assert_eq!(domain.cached32_pfn(), 0x10);
    // The kernel would crash now. Nothing else is said about what follows.
    domain.alloc(1, 0xf_ffff, Alignment::None);
    domain.free(0x10);
    domain.alloc(1, 0xf_ffff, Alignment::None);
}

/// An allocation of nothing leaves an empty range as well. It does not overlap what is reserved over it, so that it ends
/// the walk along what does, and the rest meets it at its start.
#[test]
fn an_allocation_of_nothing_ends_the_run_of_a_reservation() {
    let mut domain = domain();
    domain.reserve(0xff, 0x100);
    assert_eq!(domain.alloc(0, 0x100, Alignment::None), Some(0x101));
    assert_eq!(domain.reserve(0xff, 0x105), Some(IovaRange { lo: 0x101, hi: 0x105 }));
    assert_eq!(domain.warnings(), 1);
    let left = [IovaRange { lo: 0xff, hi: 0x100 }, IovaRange { lo: 0x101, hi: 0x100 }];
    assert_eq!(domain.ranges().collect::<Vec<_>>(), left);
}

/// Reserving all of a space twice must not look at every range twice.
#[test]
fn a_reservation_skips_ranges_without_gaps() {
    let mut domain = domain();
    for pfn in (0..2000).step_by(2) {
        domain.reserve(pfn, pfn);
    }
    for _ in 0..2000 {
        assert_eq!(domain.reserve(0, 1998), Some(IovaRange { lo: 1997, hi: 1998 }));
    }
    assert_eq!(domain.ranges().count(), 1000);
}

/// With granules of one byte even the anchor can be reserved. It cannot be freed.
#[test]
fn the_anchor_stays() {
    let mut domain = IovaDomain::new(Size::from_bytes(1), 1, 1, KernelVersion::new(6, 12)).unwrap();
    let all = IovaRange { lo: 5, hi: u64::MAX };
    assert_eq!(domain.reserve(5, u64::MAX), Some(all));
    assert_eq!(domain.reserve(2, u64::MAX), Some(IovaRange { lo: 2, hi: u64::MAX }));
    let mut domain = IovaDomain::new(Size::from_bytes(1), 1, 1, KernelVersion::new(6, 12)).unwrap();
    domain.reserve(5, u64::MAX - 1);
    assert_eq!(
        domain.reserve(5, u64::MAX),
        Some(IovaRange { lo: u64::MAX, hi: u64::MAX }),
        "no gap below it"
    );
    domain.free(u64::MAX);
    assert_eq!(domain.find(u64::MAX), Some(IovaRange { lo: u64::MAX, hi: u64::MAX }));
    assert_eq!(domain.alloc(4, u64::MAX - 1, Alignment::None), Some(1));
    let below = IovaRange { lo: 5, hi: u64::MAX - 1 };
    assert_eq!(domain.ranges().collect::<Vec<_>>(), [IovaRange { lo: 1, hi: 4 }, below]);
}

#[test]
fn no_number_is_too_large() {
    let numbers = [0, 1, 0x10_0000, 1 << 52, 1 << 63, u64::MAX - 1, u64::MAX];
    let mut domain = domain();
    for size in numbers {
        for limit in numbers {
            for alignment in [Alignment::None, Alignment::Size] {
                domain.alloc(size, limit, alignment);
            }
            domain.alloc_fast(size, limit, WhenFull::FlushCaches);
            domain.free_fast(limit, size);
            domain.reserve(size, limit);
            domain.free(size);
        }
    }
}
