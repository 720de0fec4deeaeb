//! Which pages an IOMMU's tables use and what a container makes of them: K-SMMUPGSIZES, K-T1PGSIZES, K-FDGRANULE.

use planner_core::kernel::iommufd::alignment;
use planner_core::kernel::producers::smmu::{ALL_PAGES, granule_pages};
use planner_core::kernel::type1::container_page_sizes;
use planner_core::size::{PageSize, PageSizes, Size};

const GRANULES: [(u64, u64); 3] = [(0x1000, 0x4020_1000), (0x4000, 0x0200_4000), (0x1_0000, 0x2001_0000)];
const HOSTS: [PageSize; 3] = [PageSize::K4, PageSize::K16, PageSize::K64];

/// Every set of the three granules under every host: the host's own, else the next below, else the next above.
#[test]
fn the_granule_is_the_nearest_to_the_hosts_page() {
    for set in 0..8_usize {
        let there =
            || GRANULES.iter().enumerate().filter(move |(at, _)| set & 1 << at != 0).map(|(_, row)| row);
        let supported = there().fold(0, |all, (_, pages)| all | pages);
        for host in HOSTS {
            let page = host.size().bytes();
            let below = there().rev().find(|(granule, _)| *granule <= page);
            let expected = below.or_else(|| there().find(|(granule, _)| *granule > page));
            let pages = granule_pages(PageSizes::from_bitmap(supported), host).bitmap();
            assert_eq!(pages, expected.map_or(0, |(_, pages)| *pages), "{supported:#x} under {page:#x}");
        }
    }
    assert_eq!(GRANULES.iter().fold(0, |all, (_, pages)| all | pages), ALL_PAGES.bitmap());
}

/// Bit by bit: sizes from the host's page on stay, smaller ones stand for the host's page.
#[test]
fn a_container_maps_no_page_below_the_hosts() {
    for low in 0..1_u64 << 9 {
        let common = low << 11 | 1 << 30;
        for host in HOSTS {
            let expected: u64 = (0..64)
                .filter(|bit| common & 1 << bit != 0)
                .map(|bit| 1_u64 << bit)
                .fold(0, |all, size| all | size.max(host.size().bytes()));
            let pages = container_page_sizes(PageSizes::from_bitmap(common), host).bitmap();
            assert_eq!(pages, expected, "{common:#x} under {host:?}");
        }
    }
}

#[test]
fn the_smallest_page_aligns_every_mapping() {
    for shift in 0..64 {
        for more in [0, 1 << 63, u64::MAX] {
            let bitmap = (1_u64 << shift) | more.checked_shl(shift).unwrap_or(0);
            let smallest = (0..64).map(|bit| 1_u64 << bit).find(|size| bitmap & size != 0).unwrap();
            assert_eq!(alignment(PageSizes::from_bitmap(bitmap)), Size::from_bytes(smallest));
        }
    }
    assert_eq!(alignment(PageSizes::default()), Size::from_bytes(1));
}
