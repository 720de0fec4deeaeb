//! Doorbell pages: K-DOORBELLS, K-DOORBELLOVERRUN, K-FDSWMSI, K-FDDOMAINMSI, K-HWMSI.

use planner_core::addr::{Address, Hpa, Iova, Span};
use planner_core::kernel::ResvKind;
use planner_core::kernel::errno::Errno;
use planner_core::kernel::iommufd::sw_msi::SwMsiMaps;
use planner_core::kernel::msi::{MsiCookie, window};
use planner_core::kernel::resv::RawRegion;
use planner_core::size::PageSize;
use proptest::prelude::*;

use crate::slots::{raw, regions};

fn page_size() -> impl Strategy<Value = PageSize> {
    prop::sample::select(vec![PageSize::K4, PageSize::K16, PageSize::K64])
}

/// Doorbells of which several share a page, more or fewer by the size of pages.
fn doorbells() -> impl Strategy<Value = Vec<u64>> {
    let near =
        (0..30_u64, 0..0x40_u64).prop_map(|(frame, register)| 0x2c1c_0000 + frame * 0x1000 + register * 4);
    prop::collection::vec(prop_oneof![8 => near, 1 => any::<u64>()], 0..90)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// A page that was seen before is where it was; a new one comes right behind the last.
    #[test]
    fn a_window_fills_from_its_base(
        page_size in page_size(),
        base in prop_oneof![4 => Just(0x800_0000), 1 => Just(0_u64)],
        doorbells in doorbells(),
        room in 1..40_u64,
    ) {
        let page = page_size.size().bytes();
        let aperture = Span::of(0, base + room * page - 1).unwrap();
        let mut cookie = MsiCookie::new(Iova::new(base), page_size, aperture);
        let (mut seen, mut next): (Vec<(u64, u64)>, u64) = (Vec::new(), base);
        for doorbell in doorbells {
            let here = doorbell / page;
            let known = seen.iter().find(|(other, _)| *other == here).map(|&(_, iova)| iova);
            let expected = match known {
                Some(iova) => Some(iova),
                // The kernel takes 0 for a failure, but has moved on.
                None if next == 0 => { next += page; None }
                None if next + page > base + room * page => None,
                None => { seen.push((here, next)); next += page; Some(next - page) }
            };
            let expected = expected.map(|iova| Iova::new(iova + doorbell % page));
            prop_assert_eq!(cookie.map(Hpa::new(doorbell)), expected);
            prop_assert_eq!(cookie.pages(), seen.len());
        }
    }

    /// Of one file descriptor: by window, in the order of their first use, 64 in all.
    #[test]
    fn a_file_descriptor_has_64_pages_in_all(
        page_size in page_size(),
        asked in prop::collection::vec((0..3_u64, 0..60_u64, 0..0x1_0000_u64), 0..150),
    ) {
        let page = page_size.size().bytes();
        let mut maps = SwMsiMaps::new(page_size);
        let mut seen: Vec<(u64, u64)> = Vec::new();
        for (window, frame, register) in asked {
            let (base, doorbell) = (0x800_0000 + window * 0x1000_0000, frame * 0x1_0000 + register);
            let here = (base, doorbell / page);
            let expected = if seen.contains(&here) || seen.len() < 64 {
                if !seen.contains(&here) {
                    seen.push(here);
                }
                let of_window = seen.iter().filter(|(other, _)| *other == base);
                Ok(base + page * of_window.take_while(|other| **other != here).count() as u64)
            } else {
                Err(Errno::Overflow)
            };
            prop_assert_eq!(maps.page_of(Iova::new(base), Hpa::new(doorbell)).map(Address::get), expected);
        }
    }

    /// drivers/vfio/vfio_iommu_type1.c, `vfio_iommu_has_sw_msi`, line by line.
    #[test]
    fn the_last_window_counts_unless_hardware_has_one(regions in regions()) {
        let list: Vec<RawRegion> = regions.iter().map(raw).collect();
        let mut expected = None;
        for region in &list {
            if region.kind == ResvKind::Msi {
                expected = None;
                break;
            }
            if region.kind == ResvKind::SoftwareMsi {
                expected = Some(*region);
            }
        }
        prop_assert_eq!(window(&list), expected);
    }
}

/// As many doorbell pages as fit the window of 1 MiB, and the first that does not.
#[test]
fn a_window_holds_256_64_or_16_pages() {
    for (page_size, fit) in [(PageSize::K4, 256), (PageSize::K16, 64), (PageSize::K64, 16)] {
        let mut cookie = MsiCookie::new(Iova::at(0x800_0000), page_size, Span::full());
        let at = |n: u64| Hpa::new(0x10_0000_0000 + n * page_size.size().bytes());
        let last = (0..fit).map(|n| cookie.map(at(n))).last().flatten().unwrap();
        assert!(last < Iova::at(0x810_0000));
        assert_eq!(cookie.map(at(fit)), Some(Iova::at(0x810_0000)));
    }
}
