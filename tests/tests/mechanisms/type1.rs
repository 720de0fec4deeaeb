//! A container in a space of a few slots: K-T1RANGES, K-T1HOLE, K-T1APER, K-T1CONFLICT, K-T1DETACH, K-RELAXABLE.
//!
//! Every group has a driver of its own, so that it also has a domain of its own: what is usable is then what every group
//! that is there leaves.

use std::ops::Range;

use planner_core::addr::{Address, Iova};
use planner_core::kernel::ResvKind;
use planner_core::kernel::errno::Errno;
use planner_core::kernel::type1::container::{
    Container, ContainerGroup, Extent, Interface, MapRequest, READ, Settings,
};
use planner_core::size::{PageSize, PageSizes};
use planner_core::version::KernelVersion;
use proptest::prelude::*;

use crate::slots::{SLOTS, aperture, bytes, ends, first, meet, raw, regions, runs, slots, span};

#[derive(Clone, Debug)]
struct Group {
    aperture: Range<usize>,
    regions: Vec<(ResvKind, Range<usize>)>,
}

impl Group {
    fn leaves(&self, slot: usize) -> bool {
        let taken = |(kind, slots): &(ResvKind, Range<usize>)| {
            *kind != ResvKind::DirectRelaxable && slots.contains(&slot)
        };
        self.aperture.contains(&slot) && !self.regions.iter().any(taken)
    }
}

#[derive(Clone, Debug)]
enum Op {
    Attach(usize),
    Detach(usize),
    Map(Range<usize>),
    Unmap(Range<usize>),
    UnmapAll,
}

#[derive(Default)]
struct Slow {
    groups: Vec<usize>,
    mapped: Vec<Range<usize>>,
}

impl Slow {
    fn free(&self, all: &[Group]) -> Vec<bool> {
        (0..SLOTS).map(|slot| self.groups.iter().all(|&group| all[group].leaves(slot))).collect()
    }

    fn attach(&mut self, all: &[Group], new: usize) -> Result<(), Errno> {
        let kept = |slots: &Range<usize>| slots.clone().all(|slot| all[new].leaves(slot));
        if self.groups.contains(&new) || !self.mapped.iter().all(kept) {
            return Err(Errno::Inval);
        }
        self.groups.push(new);
        if !self.free(all).contains(&true) {
            self.groups.pop();
            return Err(Errno::Inval);
        }
        Ok(())
    }

    fn detach(&mut self, old: usize) {
        let there = self.groups.contains(&old);
        self.groups.retain(|&group| group != old);
        if there && self.groups.is_empty() {
            self.mapped.clear();
        }
    }

    fn map(&mut self, all: &[Group], slots: &Range<usize>) -> Result<(), Errno> {
        if self.mapped.iter().any(|other| meet(other, slots)) {
            return Err(Errno::Exist);
        }
        let free = self.free(all);
        if !slots.clone().all(|slot| free[slot]) {
            return Err(Errno::Inval);
        }
        self.mapped.push(slots.clone());
        Ok(())
    }

    fn unmap(&mut self, slots: &Range<usize>) -> Result<u64, Errno> {
        let cut = |other: &Range<usize>| {
            meet(other, slots) && !(slots.start <= other.start && other.end <= slots.end)
        };
        if self.mapped.iter().any(cut) {
            return Err(Errno::Inval);
        }
        let gone = self.mapped.iter().filter(|other| meet(other, slots)).map(bytes).sum();
        self.mapped.retain(|other| !meet(other, slots));
        Ok(gone)
    }
}

fn group() -> impl Strategy<Value = Group> {
    (aperture(), regions()).prop_map(|(aperture, regions)| Group { aperture, regions })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..4_usize).prop_map(Op::Attach),
        2 => (0..4_usize).prop_map(Op::Detach),
        6 => slots().prop_map(Op::Map),
        4 => slots().prop_map(Op::Unmap),
        1 => Just(Op::UnmapAll),
    ]
}

fn settings(version: KernelVersion) -> Settings {
    Settings {
        version,
        page_size: PageSize::K4,
        unsafe_interrupts: false,
        host_isolates: true,
        interface: Interface::V2,
        mapping_limit: 65535,
    }
}

fn member(id: usize, group: &Group) -> ContainerGroup {
    ContainerGroup {
        id: u32::try_from(id).expect("few groups"),
        aperture: span(&group.aperture),
        page_sizes: PageSizes::from_bitmap(0x4020_1000),
        driver: id as u64,
        coherent: true,
        isolated: true,
        devices: vec![Some(group.regions.iter().map(raw).collect())],
    }
}

fn step(fast: &mut Container, slow: &mut Slow, all: &[Group], op: &Op) {
    match op {
        Op::Attach(group) => {
            assert_eq!(fast.attach(member(*group, &all[*group])), slow.attach(all, *group), "{op:?}");
        }
        Op::Detach(group) => {
            fast.detach(u32::try_from(*group).expect("few groups"));
            slow.detach(*group);
        }
        // Without a group the usable ranges are none or all of 2^64 bytes, whose end wraps on older kernels: recordings show
        // what happens then.
        Op::Map(_) if slow.groups.is_empty() => {}
        Op::Map(slots) => {
            let (iova, size) = (Iova::new(first(slots)), bytes(slots));
            let request = MapRequest { iova, size, vaddr: 0x7f00_0000_0000, flags: READ };
            assert_eq!(fast.map(&request), slow.map(all, slots), "{op:?}");
        }
        Op::Unmap(slots) => {
            let gone = fast.unmap(Iova::new(first(slots)), bytes(slots), Extent::Range);
            assert_eq!(gone, slow.unmap(slots), "{op:?}");
        }
        Op::UnmapAll => {
            let gone = fast.unmap(Iova::new(0), 0, Extent::All);
            assert_eq!(gone, slow.unmap(&(0..SLOTS)), "{op:?}");
        }
    }
    if !slow.groups.is_empty() {
        assert_eq!(ends(fast.usable()), runs(&slow.free(all)), "{op:?}");
    }
    for slot in 0..SLOTS {
        let mapped = slow.mapped.iter().find(|slots| slots.contains(&slot));
        let found = fast.find(Iova::new(first(&(slot..slot + 1))), 1);
        assert_eq!(found, mapped.map(|slots| (Iova::new(first(slots)), bytes(slots))), "{op:?}, slot {slot}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_container_is_what_all_its_groups_leave(
        version in prop::sample::select(vec!["5.4", "6.1", "6.12", "7.3"]),
        groups in prop::collection::vec(group(), 4),
        ops in prop::collection::vec(op(), 0..40),
    ) {
        let mut fast = Container::new(settings(version.parse().unwrap()));
        let mut slow = Slow::default();
        for op in &ops {
            step(&mut fast, &mut slow, &groups, op);
        }
    }
}
