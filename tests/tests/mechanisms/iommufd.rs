//! An address space of iommufd in a few slots: K-FDRANGES, K-FDALLOW, K-FDCONFLICT, K-FDFIXED, K-FDAUTO, K-FDUNMAP,
//! K-FDONEMSI, K-FDGRANULE.

use std::ops::Range;

use planner_core::addr::{Address, Iova};
use planner_core::kernel::ResvKind;
use planner_core::kernel::errno::Errno;
use planner_core::kernel::iommufd::ioas::{FIXED_IOVA, Ioas, MapRequest, Owner, READABLE};
use planner_core::size::{PageSize, PageSizes, Size};
use planner_core::version::KernelVersion;
use proptest::prelude::*;

use crate::slots::{SLOT, SLOTS, aperture, bytes, ends, first, last, meet, raw, regions, runs, slots};

/// Slots beyond the last, which nothing but an aperture ever takes.
const BEYOND: usize = 1000;
/// Address of the user's memory, aligned to more than any size here.
const MEMORY: u64 = 0x7f00_0000_0000;

#[derive(Clone, Debug)]
struct Device {
    regions: Vec<(ResvKind, Range<usize>)>,
    aperture: Range<usize>,
    page_sizes: u64,
}

#[derive(Clone, Debug)]
enum Op {
    AddDevice(usize),
    RemoveDevice(usize),
    AddDomain(usize),
    RemoveDomain(usize),
    Allow(Vec<Range<usize>>),
    Map(Range<usize>),
    /// Slots, and the first page of the user's memory. Memory within a page is left to recordings.
    MapAnywhere(u64, u64),
    Unmap(Range<usize>),
}

struct Slow {
    /// In slots.
    page: u64,
    devices: Vec<(usize, Vec<Range<usize>>)>,
    domains: Vec<usize>,
    allowed: Vec<Range<usize>>,
    areas: Vec<Range<usize>>,
}

impl Slow {
    fn reserved(&self, all: &[Device], slot: usize) -> bool {
        let by_device = self.devices.iter().any(|(_, slots)| slots.iter().any(|slots| slots.contains(&slot)));
        by_device || self.domains.iter().any(|&domain| !all[domain].aperture.contains(&slot))
    }

    /// In slots, at least one: less is not asked for here.
    fn alignment(&self, all: &[Device]) -> u64 {
        let smallest = |&domain: &usize| (1 << all[domain].page_sizes.trailing_zeros()) / SLOT;
        self.domains.iter().map(smallest).max().unwrap_or(1)
    }

    fn meets(&self, slots: &Range<usize>) -> bool {
        self.areas.iter().chain(&self.allowed).any(|other| meet(other, slots))
    }

    fn add_device(&mut self, all: &[Device], device: usize) -> Result<(), Errno> {
        let regions = &all[device].regions;
        let hard: Vec<_> = regions.iter().filter(|(kind, _)| *kind != ResvKind::DirectRelaxable).collect();
        if hard.iter().any(|(_, slots)| self.meets(slots)) {
            return Err(Errno::AddrInUse);
        }
        let count = |asked| hard.iter().filter(|(kind, _)| *kind == asked).count();
        let (windows, hardware) = (count(ResvKind::SoftwareMsi), count(ResvKind::Msi));
        if windows > 1 || windows == 1 && hardware > 0 {
            return Err(Errno::Inval);
        }
        self.devices.push((device, hard.into_iter().map(|(_, slots)| slots.clone()).collect()));
        Ok(())
    }

    fn add_domain(&mut self, all: &[Device], domain: usize) -> Result<(), Errno> {
        if self.domains.contains(&domain) {
            return Err(Errno::Exist);
        }
        let before = self.alignment(all);
        self.domains.push(domain);
        let Device { aperture, .. } = &all[domain];
        let alignment = usize::try_from(self.alignment(all)).expect("few slots");
        let aligned = |slots: &Range<usize>| {
            slots.start.is_multiple_of(alignment) && slots.end.is_multiple_of(alignment)
        };
        let inside = |slots: &Range<usize>| aperture.start <= slots.start && slots.end <= aperture.end;
        let refused = if alignment as u64 > self.page {
            Some(Errno::Inval)
        } else if alignment as u64 != before && !self.areas.iter().all(aligned)
            || !self.areas.iter().chain(&self.allowed).all(inside)
        {
            Some(Errno::AddrInUse)
        } else {
            None
        };
        refused.map_or(Ok(()), |errno| {
            self.domains.pop();
            Err(errno)
        })
    }

    fn allow(&mut self, all: &[Device], ranges: &[Range<usize>]) -> Result<(), Errno> {
        let overlap = |(at, one): (usize, &Range<usize>)| ranges[..at].iter().any(|other| meet(one, other));
        if ranges.iter().enumerate().any(overlap) {
            return Err(Errno::Inval);
        }
        if ranges.iter().any(|slots| slots.clone().any(|slot| self.reserved(all, slot))) {
            return Err(Errno::AddrInUse);
        }
        self.allowed = ranges.to_vec();
        Ok(())
    }

    fn map(&mut self, all: &[Device], slots: &Range<usize>) -> Result<u64, Errno> {
        let alignment = usize::try_from(self.alignment(all)).expect("few slots");
        if !slots.start.is_multiple_of(alignment) || !slots.len().is_multiple_of(alignment) {
            return Err(Errno::Inval);
        }
        if slots.clone().any(|slot| self.reserved(all, slot)) {
            return Err(Errno::Inval);
        }
        if self.areas.iter().any(|other| meet(other, slots)) {
            return Err(Errno::Exist);
        }
        self.areas.push(slots.clone());
        Ok(first(slots))
    }

    /// `memory` is a slot.
    fn map_anywhere(&mut self, all: &[Device], count: u64, memory: u64) -> Result<u64, Errno> {
        let alignment = self.alignment(all);
        let natural = if memory == 0 { u64::MAX } else { memory & memory.wrapping_neg() };
        // A huge page has 16 slots here.
        let wanted = count.next_power_of_two().min(natural).min(16);
        if !count.is_multiple_of(alignment) || wanted < alignment {
            return Err(Errno::Inval);
        }
        let free = |slot: usize| {
            slot as u64 >= self.page
                && (self.allowed.is_empty() || self.allowed.iter().any(|slots| slots.contains(&slot)))
                && !self.reserved(all, slot)
                && !self.areas.iter().any(|slots| slots.contains(&slot))
        };
        let starts = (0..SLOTS + BEYOND).filter(|&start| (start as u64).is_multiple_of(wanted));
        let count = usize::try_from(count).expect("few slots");
        let found = starts.map(|start| start..start + count).find(|slots| slots.clone().all(free));
        let found = found.ok_or(Errno::NoSpc)?;
        self.areas.push(found.clone());
        Ok(first(&found))
    }

    fn unmap(&mut self, slots: &Range<usize>) -> Result<u64, Errno> {
        let mut touched: Vec<Range<usize>> =
            self.areas.iter().filter(|area| meet(area, slots)).cloned().collect();
        touched.sort_by_key(|area| area.start);
        let mut gone = 0;
        for area in touched {
            // What lies below an area that would be cut is gone by then.
            if area.start < slots.start || area.end > slots.end {
                return Err(Errno::NoEnt);
            }
            gone += bytes(&area);
            self.areas.retain(|other| *other != area);
        }
        if gone == 0 { Err(Errno::NoEnt) } else { Ok(gone) }
    }

    fn usable(&self, all: &[Device]) -> Vec<(u64, u64)> {
        let free: Vec<bool> = (0..=SLOTS).map(|slot| !self.reserved(all, slot)).collect();
        let mut runs = runs(&free);
        // Nothing else is reserved beyond, so what is free at the end is free to the end of the space.
        if let Some((_, end)) = runs.last_mut().filter(|(_, end)| *end == last(&(0..SLOTS + 1))) {
            *end = u64::MAX;
        }
        runs
    }
}

fn device() -> impl Strategy<Value = Device> {
    let page_sizes = prop::sample::select(vec![0x4020_1000, 0x0200_4000, 0x2001_0000]);
    (regions(), aperture(), page_sizes).prop_map(|(regions, aperture, page_sizes)| Device {
        regions,
        aperture,
        page_sizes,
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..3_usize).prop_map(Op::AddDevice),
        2 => (0..3_usize).prop_map(Op::RemoveDevice),
        2 => (0..3_usize).prop_map(Op::AddDomain),
        2 => (0..3_usize).prop_map(Op::RemoveDomain),
        2 => prop::collection::vec(slots(), 0..4).prop_map(Op::Allow),
        4 => slots().prop_map(Op::Map),
        6 => (1..20_u64, prop_oneof![Just(0), 0..32_u64]).prop_map(|(count, at)| Op::MapAnywhere(count, at)),
        4 => slots().prop_map(Op::Unmap),
    ]
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("few devices")
}

fn step(fast: &mut Ioas, slow: &mut Slow, all: &[Device], op: &Op) {
    match op {
        Op::AddDevice(device) if slow.devices.iter().any(|(there, _)| there == device) => {}
        Op::AddDevice(device) => {
            let regions: Vec<_> = all[*device].regions.iter().map(raw).collect();
            assert_eq!(fast.add_device(number(*device), &regions).0, slow.add_device(all, *device), "{op:?}");
        }
        Op::RemoveDevice(device) => {
            fast.release(Owner::Device(number(*device)));
            slow.devices.retain(|(there, _)| there != device);
        }
        Op::AddDomain(domain) => {
            let Device { aperture, page_sizes, .. } = &all[*domain];
            let ends = (Iova::new(first(aperture)), Iova::new(last(aperture)));
            let added = fast.add_domain(number(*domain), ends, PageSizes::from_bitmap(*page_sizes));
            assert_eq!(added, slow.add_domain(all, *domain), "{op:?}");
        }
        Op::RemoveDomain(domain) => {
            fast.remove_domain(number(*domain));
            slow.domains.retain(|there| there != domain);
        }
        Op::Allow(ranges) => {
            let pair = |slots: &Range<usize>| (Iova::new(first(slots)), Iova::new(last(slots)));
            let pairs: Vec<_> = ranges.iter().map(pair).collect();
            assert_eq!(fast.allow(&pairs), slow.allow(all, ranges), "{op:?}");
        }
        Op::Map(slots) => {
            let (iova, length) = (Iova::new(first(slots)), bytes(slots));
            let flags = FIXED_IOVA | READABLE;
            let mapped = fast.map(&MapRequest { iova, length, vaddr: MEMORY, flags });
            assert_eq!(mapped.map(Address::get), slow.map(all, slots), "{op:?}");
        }
        Op::MapAnywhere(count, at) => {
            let at = at * slow.page;
            let (length, vaddr) = (count * SLOT, MEMORY + at * SLOT);
            let mapped = fast.map(&MapRequest { iova: Iova::new(0), length, vaddr, flags: READABLE });
            assert_eq!(mapped.map(Address::get), slow.map_anywhere(all, *count, at), "{op:?}");
        }
        Op::Unmap(slots) => {
            let gone = fast.unmap(Iova::new(first(slots)), bytes(slots));
            assert_eq!(gone, slow.unmap(slots), "{op:?}");
        }
    }
    assert_eq!(ends(&fast.usable()), slow.usable(all), "{op:?}");
    let mut areas: Vec<(u64, u64)> = slow.areas.iter().map(|area| (first(area), last(area))).collect();
    areas.sort_unstable();
    assert_eq!(
        fast.areas().map(|(start, end)| (start.get(), end.get())).collect::<Vec<_>>(),
        areas,
        "{op:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_address_space_is_what_asking_every_slot_finds(
        (page, page_size) in prop::sample::select(vec![(1, PageSize::K4), (4, PageSize::K16)]),
        devices in prop::collection::vec(device(), 3),
        ops in prop::collection::vec(op(), 0..40),
    ) {
        let huge_page = Size::from_bytes(16 * SLOT);
        let mut fast = Ioas::new(KernelVersion::new(7, 3), page_size, huge_page);
        let (devices_there, domains, allowed, areas) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut slow = Slow { page, devices: devices_there, domains, allowed, areas };
        for op in &ops {
            step(&mut fast, &mut slow, &devices, op);
        }
    }
}
