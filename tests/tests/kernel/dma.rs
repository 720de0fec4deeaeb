//! Domains of the host's own DMA, where no recording shows what they do.

use planner_core::addr::{Address, Hpa, Iova};
use planner_core::kernel::ResvKind;
use planner_core::kernel::dma_domain::{BridgeWindow, DmaDevice, DmaDomain, DomainSettings, HostBridge};
use planner_core::kernel::errno::Errno;
use planner_core::kernel::resv::RawRegion;
use planner_core::size::{PageSize, PageSizes, Size};
use planner_core::version::KernelVersion;

fn settings(version: (u16, u16)) -> DomainSettings {
    DomainSettings {
        version: KernelVersion::new(version.0, version.1),
        page_size: PageSize::K4,
        page_sizes: PageSizes::from_bitmap(0x4020_1000),
        aperture_start: Iova::new(0),
        aperture_end: Iova::new((1 << 48) - 1),
        force_aperture: true,
        cpus: 1,
    }
}

fn pci_device(dma_ranges: &[(u64, u64)], regions: &[(u64, u64)]) -> DmaDevice {
    let window =
        |&(start, end): &(u64, u64)| BridgeWindow { start: Hpa::new(start), end: Hpa::new(end), offset: 0 };
    let dma_ranges = dma_ranges.iter().map(window).collect();
    let reserved = |&(start, end): &(u64, u64)| RawRegion::from_ends(start, end, ResvKind::Reserved);
    DmaDevice {
        bridge: Some(HostBridge { memory_windows: Vec::new(), dma_ranges }),
        regions: regions.iter().map(reserved).collect(),
        dma_mask: u64::MAX,
        bus_dma_limit: 0,
        dma_base_limit: (Iova::new(0), Iova::new(u64::MAX)),
        dma_range_map: Vec::new(),
        tries_32bit: true,
    }
}

const PAGE: Size = Size::kib(4);

fn alloc(domain: &mut DmaDomain, device: &mut DmaDevice) -> Option<u64> {
    domain.alloc(device, PAGE, u64::MAX).map(Address::get)
}

/// K-DMADOORBELL.
#[test]
fn with_one_page_free_below_a_reserved_upper_part_one_doorbell_page_is_mapped() {
    let mut device = pci_device(&[], &[(0, 0xffff), (0x1_1000, (1 << 48) - 1)]);
    let mut domain = DmaDomain::new(settings((6, 12)));
    domain.init(&device).unwrap();
    let mut map = |at| domain.map_doorbell(&mut device, Hpa::new(at)).map(Address::get);
    assert_eq!(map(0x808_0040), Some(0x1_0040));
    assert_eq!(map(0x809_0040), None, "no page is left");
    assert_eq!(map(0x808_0044), Some(0x1_0044), "the page is there already");
}

#[test]
fn a_doorbell_outside_of_the_aperture_gives_its_page_back() {
    let mut device = pci_device(&[], &[]);
    device.tries_32bit = false;
    device.dma_mask = 0x4_0fff;
    // The first page of the aperture is only half inside.
    let aperture_start = Iova::new(0x4_0800);
    let mut domain = DmaDomain::new(DomainSettings { aperture_start, ..settings((6, 12)) });
    domain.init(&device).unwrap();
    assert_eq!(domain.map_doorbell(&mut device, Hpa::new(0x808_0040)), None);
    let waiting = domain.iovas().unwrap().find(0x40);
    assert_eq!(waiting.map(|range| (range.lo, range.hi)), Some((0x40, 0x40)), "it waits in a cache");
    let again = domain.alloc(&mut device, PAGE, 0x4_0fff);
    assert_eq!(again, Some(Iova::new(0x4_0000)), "and comes out of it, although it cannot be mapped");
}

/// K-DMATOUCH.
#[test]
fn inbound_windows_that_touch_were_an_error_once() {
    let init =
        |version, ranges: &[(u64, u64)]| DmaDomain::new(settings(version)).init(&pci_device(ranges, &[]));
    let touching = [(0x8000_0000, 0xffff_ffff), (0x1_0000_0000, 0x1_ffff_ffff)];
    assert_eq!(init((5, 9), &touching), Err(Errno::Inval));
    assert_eq!(init((5, 10), &touching), Ok(()));
    assert_eq!(init((5, 9), &[(0, 0xffff_ffff)]), Err(Errno::Inval));
    assert_eq!(init((5, 2), &touching), Ok(()), "nobody looked");
}

/// K-DMAORDER.
#[test]
fn a_failed_setup_leaves_a_domain_without_its_reservations() {
    let mut device =
        pci_device(&[(0, 0x8fff_ffff), (0x8000_0000, 0xffff_ffff)], &[(0xffff_f000, 0xffff_ffff)]);
    let mut domain = DmaDomain::new(settings((6, 12)));
    assert_eq!(domain.init(&device), Err(Errno::Inval));
    assert_eq!(domain.init(&device), Ok(()));
    assert_eq!(alloc(&mut domain, &mut device), Some(0xffff_f000), "its region was never reserved");
}

/// K-DMARESV.
#[test]
fn only_the_first_device_counts() {
    let mut domain = DmaDomain::new(settings((6, 12)));
    domain.init(&pci_device(&[], &[])).unwrap();
    let mut second = pci_device(&[], &[(0xffff_f000, 0xffff_ffff)]);
    domain.init(&second).unwrap();
    assert_eq!(alloc(&mut domain, &mut second), Some(0xffff_f000));
}

/// K-DMABASE.
#[test]
fn older_kernels_want_the_same_start_of_every_device() {
    let init = |version| {
        let mut domain = DmaDomain::new(settings(version));
        domain.init(&pci_device(&[], &[])).unwrap();
        let mut second = pci_device(&[], &[]);
        second.dma_base_limit = (Iova::new(0x8000_0000), Iova::new(u64::MAX));
        domain.init(&second)
    };
    assert_eq!(init((6, 9)), Err(Errno::Fault));
    assert_eq!(init((6, 10)), Ok(()));
}

/// Of the space below 4 GiB two pages are free; one is given back after a third page had to be taken above.
///
/// K-DMA32EVERY, K-DMA32FIRST.
#[test]
fn after_the_space_below_4_gib_was_full_once_newer_kernels_stay_above() {
    let third_and_fourth = |version| {
        let mut device = pci_device(&[], &[(0, 0xffff_dfff)]);
        let mut domain = DmaDomain::new(settings(version));
        domain.init(&device).unwrap();
        assert_eq!(alloc(&mut domain, &mut device), Some(0xffff_f000));
        assert_eq!(alloc(&mut domain, &mut device), Some(0xffff_e000));
        let third = alloc(&mut domain, &mut device);
        // A size that no cache takes.
        domain.free(Iova::new(0xffff_f000), Size::mib(1));
        (third, domain.alloc(&mut device, PAGE, u64::MAX).map(Address::get))
    };
    let top = (1 << 48) - 0x1000;
    assert_eq!(third_and_fourth((6, 5)), (Some(top), Some(0xffff_f000)));
    assert_eq!(third_and_fourth((6, 6)), (Some(top), Some(top - 0x1000)));
}

#[test]
fn an_iommu_with_larger_pages_than_the_host_has_no_such_domain() {
    let page_sizes = PageSizes::from_bitmap(0x2001_0000);
    let mut domain = DmaDomain::new(DomainSettings { page_sizes, ..settings((6, 12)) });
    assert_eq!(domain.init(&pci_device(&[], &[])), Err(Errno::Inval));
    assert_eq!(alloc(&mut domain, &mut pci_device(&[], &[])), None);
    assert!(domain.iovas().is_none());
}

/// A region may be larger than any list of its pages could be.
#[test]
fn a_huge_hardware_msi_region_stands_for_itself() {
    let map = |length| {
        let mut device = pci_device(&[], &[]);
        device.regions = vec![RawRegion { start: 0, length, kind: ResvKind::Msi, prot: 0 }];
        let mut domain = DmaDomain::new(settings((6, 12)));
        domain.init(&device).unwrap();
        domain.map_doorbell(&mut device, Hpa::new(0xfee0_0040)).map(Address::get)
    };
    let most = 0x7fff_ffff * PAGE.bytes();
    assert_eq!(map(most), Some(0xfee0_0040));
    let elsewhere = (1 << 48) - PAGE.bytes() + 0x40;
    assert_eq!(map(most + 1), Some(elsewhere), "the number of pages is negative, so there are none");
}

#[test]
fn no_number_is_too_large() {
    let edges = [0, 1, 0xfff, 0x8000_0000, 1 << 63, u64::MAX - 0xfff, u64::MAX];
    for start in edges {
        for length in edges {
            let mut device = pci_device(&[(start, length), (length, start)], &[(start, length)]);
            device.regions.push(RawRegion { start, length, kind: ResvKind::Msi, prot: 0 });
            device.dma_range_map = vec![(Iova::new(start), Size::from_bytes(length))];
            let (aperture_start, aperture_end) = (Iova::new(start), Iova::new(length));
            let mut domain =
                DmaDomain::new(DomainSettings { aperture_start, aperture_end, ..settings((6, 12)) });
            let _may_fail = domain.init(&device);
            domain.alloc(&mut device, Size::from_bytes(length), start);
            domain.map_doorbell(&mut device, Hpa::new(start));
            domain.free(Iova::new(start), Size::from_bytes(length));
        }
    }
}
