//! What a domain of the host's own DMA keeps out of, page by page: K-DMAWIN, K-DMARANGES, K-DMAORDER, K-DMARESV, K-DMAMAP.

use planner_core::addr::{Address, Hpa, Iova};
use planner_core::kernel::ResvKind;
use planner_core::kernel::dma_domain::{BridgeWindow, DmaDevice, DmaDomain, DomainSettings, HostBridge};
use planner_core::kernel::errno::Errno;
use planner_core::kernel::resv::RawRegion;
use planner_core::size::{PageSize, PageSizes, Size};
use planner_core::version::KernelVersion;
use proptest::prelude::*;

use crate::slots::kind;

const PAGE: u64 = 0x1000;
/// Pages that are looked at.
const PAGES: u64 = 64;

/// First and last byte, in bus addresses; and how far the CPU's addresses lie above them.
type Window = (u64, u64, u64);

#[derive(Clone, Debug)]
struct Bridge {
    windows: Vec<Window>,
    inbound: Vec<Window>,
    regions: Vec<(ResvKind, u64, u64)>,
}

/// Not aligned to pages, so that rounding shows.
fn window() -> impl Strategy<Value = Window> {
    let bytes = || (0..PAGES * 2).prop_map(|half| half * PAGE / 2);
    (bytes(), 1..8_u64, prop::sample::select(vec![0, 0x10_0000, 0x8000_0000]))
        .prop_map(|(start, halves, offset)| (start, start + halves * PAGE / 2 - 1, offset))
}

/// Inbound windows as firmware gives them, mostly one behind the other.
fn inbound() -> impl Strategy<Value = Vec<Window>> {
    let stretch = (0..6_u64, 1..8_u64, prop::sample::select(vec![0, 0, 0, 0x10_0000]));
    let ascending = prop::collection::vec(stretch, 0..4).prop_map(|stretches| {
        let mut at = 0;
        let place = |(gap, pages, offset): (u64, u64, u64)| {
            let start = at + gap * PAGE;
            at = start + pages * PAGE;
            (start, at - 1, offset)
        };
        stretches.into_iter().map(place).collect()
    });
    prop_oneof![3 => ascending.prop_shuffle(), 1 => prop::collection::vec(window(), 0..4)]
}

fn bridge() -> impl Strategy<Value = Bridge> {
    let region = (kind(), window()).prop_map(|(kind, (start, end, _))| (kind, start, end));
    (prop::collection::vec(window(), 0..4), inbound(), prop::collection::vec(region, 0..4))
        .prop_map(|(windows, inbound, regions)| Bridge { windows, inbound, regions })
}

/// Whether each page is kept out of, or the error.
fn slow(bridge: &Bridge) -> Result<Vec<bool>, Errno> {
    let mut kept_out = vec![false; usize::try_from(PAGES).expect("few pages")];
    let mut keep_out = |first: u64, last: u64| {
        for page in first / PAGE..=(last / PAGE).min(PAGES - 1) {
            kept_out[usize::try_from(page).expect("few pages")] = true;
        }
    };
    bridge.windows.iter().for_each(|&(first, last, _)| keep_out(first, last));
    let mut inbound = bridge.inbound.clone();
    inbound.sort_by_key(|&(first, _, offset)| first + offset);
    let mut next = 0;
    for (first, last, _) in &inbound {
        if *first < next {
            return Err(Errno::Inval);
        }
        // Up to and with the first address of the window.
        if *first > next {
            keep_out(next, *first);
        }
        next = last + 1;
    }
    if !inbound.is_empty() {
        keep_out(next, u64::MAX);
    }
    let regions = bridge.regions.iter().filter(|(kind, _, _)| *kind != ResvKind::SoftwareMsi);
    regions.for_each(|&(_, first, last)| keep_out(first, last));
    Ok(kept_out)
}

fn device(bridge: &Bridge) -> DmaDevice {
    let window = |&(first, last, offset): &Window| BridgeWindow {
        start: Hpa::new(first + offset),
        end: Hpa::new(last + offset),
        offset,
    };
    let region = |&(kind, first, last): &(ResvKind, u64, u64)| RawRegion::from_ends(first, last, kind);
    DmaDevice {
        bridge: Some(HostBridge {
            memory_windows: bridge.windows.iter().map(window).collect(),
            dma_ranges: bridge.inbound.iter().map(window).collect(),
        }),
        regions: bridge.regions.iter().map(region).collect(),
        dma_mask: u64::MAX,
        bus_dma_limit: 0,
        dma_base_limit: (Iova::new(0), Iova::new(u64::MAX)),
        dma_range_map: Vec::new(),
        tries_32bit: false,
    }
}

fn domain(version: KernelVersion) -> DmaDomain {
    DmaDomain::new(DomainSettings {
        version,
        page_size: PageSize::K4,
        page_sizes: PageSizes::from_bitmap(0x4020_1000),
        aperture_start: Iova::new(0),
        aperture_end: Iova::new((1 << 48) - 1),
        force_aperture: true,
        cpus: 1,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_domain_keeps_out_of_windows_gaps_and_regions(
        version in prop::sample::select(vec!["6.1", "6.12", "7.3"]),
        bridge in bridge(),
    ) {
        let mut domain = domain(version.parse().unwrap());
        let mut device = device(&bridge);
        let kept_out = match slow(&bridge) {
            Err(errno) => {
                prop_assert_eq!(domain.init(&device), Err(errno));
                return Ok(());
            }
            Ok(kept_out) => kept_out,
        };
        prop_assert_eq!(domain.init(&device), Ok(()));
        let held = |page: u64| domain.iovas().unwrap().ranges().any(|range| range.lo <= page && page <= range.hi);
        let fast: Vec<bool> = (0..PAGES).map(held).collect();
        prop_assert_eq!(fast, kept_out.clone());
        // What is handed out below is every other page but the first, from the top.
        let limit = PAGES * PAGE - 1;
        let mut free = (1..kept_out.len()).rev().filter(|&page| !kept_out[page]);
        for _ in 0..PAGES {
            let expected = free.next().map(|page| Iova::new(page as u64 * PAGE));
            prop_assert_eq!(domain.alloc(&mut device, Size::from_bytes(PAGE), limit), expected);
        }
    }
}
