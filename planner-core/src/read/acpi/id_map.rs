//! Ranges of IDs with a value each: what the ID mappings of a node, or the device entries of an IOMMU, come to.
//!
//! A range is taken by the first that claims it. Work is proportional to the number of ranges, whatever their overlaps.

use std::collections::BTreeMap;

/// Disjoint ranges of IDs, each with a value.
#[derive(Clone, Debug)]
pub(super) struct IdMap<V> {
    /// By first ID: last ID and value.
    ranges: BTreeMap<u32, (u32, V)>,
    /// By first ID: last ID of what is taken, neighbours joined.
    taken: BTreeMap<u32, u32>,
}

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self { ranges: BTreeMap::new(), taken: BTreeMap::new() }
    }
}

impl<V: Copy> IdMap<V> {
    /// Gives the value to those IDs from `first` to `last` that have none yet. Tells whether some had one.
    pub(super) fn fill(&mut self, first: u32, last: u32, value: V) -> bool {
        if last < first {
            return false;
        }
        let before = self.taken.range(..=first).next_back().map(|(&from, &to)| (from, to));
        let touching = before.filter(|&(_, to)| to >= first || to.checked_add(1) == Some(first));
        let from = touching.map_or(first, |(from, _)| from);
        let mut next = Some(first);
        let mut had = false;
        let mut end = last;
        // What is taken joins into one range here, so no range is visited twice for nothing.
        while let Some((taken_first, taken_last)) =
            self.taken.range(from..=last).next().map(|(&a, &b)| (a, b))
        {
            self.taken.remove(&taken_first);
            had |= taken_last >= first;
            if let Some(start) = next
                && let Some(stop) = taken_first.checked_sub(1)
                && start <= stop
            {
                self.ranges.insert(start, (stop, value));
            }
            next = taken_last.checked_add(1).map(|after| next.map_or(after, |start| after.max(start)));
            end = end.max(taken_last);
        }
        if let Some(start) = next.filter(|&start| start <= last) {
            self.ranges.insert(start, (last, value));
        }
        self.taken.insert(from, end);
        had
    }

    /// Puts another value in the place of that of a range which holds this ID alone.
    pub(super) fn replace_single(&mut self, id: u32, value: V) {
        if let Some(range) = self.ranges.get_mut(&id).filter(|(last, _)| *last == id) {
            range.1 = value;
        }
    }

    /// The ranges from `first` to `last`, cut to these bounds, ascending.
    pub(super) fn pieces(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, u32, V)> {
        let before = self.ranges.range(..first).next_back().filter(|(_, (end, _))| *end >= first);
        let within = (first <= last).then(|| self.ranges.range(first..=last)).into_iter().flatten();
        let cut = move |(&from, &(to, value)): (&u32, &(u32, V))| (from.max(first), to.min(last), value);
        before.filter(|_| first <= last).into_iter().chain(within).map(cut)
    }

    /// All ranges, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32, V)> {
        self.ranges.iter().map(|(&first, &(last, value))| (first, last, value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_claim_wins() {
        let mut map = IdMap::default();
        assert!(!map.fill(10, 19, 'a'));
        assert!(map.fill(15, 29, 'b'));
        assert!(map.fill(0, u32::MAX, 'c'));
        assert!(map.fill(0, u32::MAX, 'd'));
        let ranges: Vec<_> = map.iter().collect();
        assert_eq!(ranges, [(0, 9, 'c'), (10, 19, 'a'), (20, 29, 'b'), (30, u32::MAX, 'c')]);
        let pieces: Vec<_> = map.pieces(18, 20).collect();
        assert_eq!(pieces, [(18, 19, 'a'), (20, 20, 'b')]);
        assert_eq!(map.pieces(5, 4).count(), 0);
    }

    proptest! {
        #[test]
        fn as_a_table_of_ids_would(claims in prop::collection::vec((0_u32..64, 0_u32..64), 0..24)) {
            let mut map = IdMap::default();
            let mut table = [None; 64];
            for (number, &(first, last)) in claims.iter().enumerate() {
                let had = map.fill(first, last, number);
                let range = if first <= last { first as usize..last as usize + 1 } else { 0..0 };
                prop_assert_eq!(had, table[range.clone()].iter().any(Option::is_some));
                table[range].iter_mut().for_each(|id| *id = id.or(Some(number)));
            }
            let mut told = [None; 64];
            for (first, last, number) in map.iter() {
                for id in first..=last {
                    prop_assert_eq!(told[id as usize].replace(number), None);
                }
            }
            prop_assert_eq!(told, table);
            let some: Vec<_> = map.pieces(20, 40).flat_map(|(first, last, _)| first..=last).collect();
            let expected: Vec<_> = (20..=40).filter(|&id| table[id as usize].is_some()).collect();
            prop_assert_eq!(some, expected);
        }
    }
}
