//! The small print of VFIO type1 containers and of iommufd, one rule a test.

use planner_core::addr::{Address, Iova, Span};
use planner_core::kernel::ResvKind;
use planner_core::kernel::errno::Errno;
use planner_core::kernel::iommufd::ioas::{FIXED_IOVA, Ioas, MapRequest as FdRequest, READABLE};
use planner_core::kernel::resv::{RawRegion, group_regions};
use planner_core::kernel::type1::IovaList;
use planner_core::kernel::type1::container::{
    Container, ContainerGroup, Extent, Interface, MapRequest, READ, Settings,
};
use planner_core::size::{PageSize, PageSizes, Size};

const PAGE: u64 = 0x1000;
const WINDOW: (u64, u64, ResvKind) = (0x800_0000, 0x80f_ffff, ResvKind::SoftwareMsi);

fn container(version: &str) -> Container {
    Container::new(Settings {
        version: version.parse().expect("a version"),
        page_size: PageSize::K4,
        unsafe_interrupts: false,
        host_isolates: true,
        interface: Interface::V2,
        mapping_limit: 65535,
    })
}

/// Isolated, of driver 1, without a bound to its addresses.
fn group(id: u32, regions: &[(u64, u64, ResvKind)]) -> ContainerGroup {
    let raw = |&(start, end, kind): &(u64, u64, ResvKind)| RawRegion::from_ends(start, end, kind);
    ContainerGroup {
        id,
        aperture: Span::full(),
        page_sizes: PageSizes::from_bitmap(0x4020_1000),
        driver: 1,
        coherent: true,
        isolated: true,
        devices: vec![Some(regions.iter().map(raw).collect())],
    }
}

fn map(container: &mut Container, iova: u64, size: u64) -> Result<(), Errno> {
    container.map(&MapRequest { iova: Iova::new(iova), size, vaddr: 0x7f00_0000_0000, flags: READ })
}

fn shown(ranges: &[Span<Iova>]) -> Vec<String> {
    ranges.iter().map(ToString::to_string).collect()
}

/// K-T1ORDER.
#[test]
fn a_conflict_comes_before_missing_isolation() {
    let mut container = container("7.3");
    container.attach(group(1, &[])).unwrap();
    let unsafe_group = ContainerGroup { isolated: false, ..group(2, &[WINDOW]) };
    assert_eq!(container.attach(unsafe_group.clone()), Err(Errno::Perm));
    map(&mut container, 0x800_0000, PAGE).unwrap();
    assert_eq!(container.attach(unsafe_group), Err(Errno::Inval));
    assert_eq!(shown(container.usable()), ["0x0..=0xffff_ffff_ffff_ffff"], "the container stays as it was");
}

/// K-T1ONEADDR.
#[test]
fn a_range_of_which_one_address_is_left_goes() {
    let narrowed = |start: u64, end: u64| {
        let mut list = IovaList::default();
        list.resize(Span::of(0, 0x2fff).unwrap());
        list.exclude(&[RawRegion::from_ends(0x1000, 0x1fff, ResvKind::Reserved)]);
        list.resize(Span::of(start, end).unwrap());
        shown(list.ranges())
    };
    assert_eq!(narrowed(0xffe, 0x2fff), ["0xffe..=0xfff", "0x2000..=0x2fff"]);
    assert_eq!(narrowed(0xfff, 0x2fff), ["0x2000..=0x2fff"]);
    assert_eq!(narrowed(0, 0x2000), ["0x0..=0xfff"]);
    assert_eq!(narrowed(0, 0x2001), ["0x0..=0xfff", "0x2000..=0x2001"]);
}

/// K-T1SEAM.
#[test]
fn nothing_is_mapped_across_an_empty_region() {
    let mut container = container("7.3");
    container.attach(group(1, &[(0x4000, 0x3fff, ResvKind::Reserved)])).unwrap();
    assert_eq!(shown(container.usable()), ["0x0..=0x3fff", "0x4000..=0xffff_ffff_ffff_ffff"]);
    assert_eq!(map(&mut container, 0x3000, 2 * PAGE), Err(Errno::Inval));
    assert_eq!(map(&mut container, 0x3000, PAGE), Ok(()));
    assert_eq!(map(&mut container, 0x4000, PAGE), Ok(()));
}

/// K-T1COOKIEJOIN, K-T1SHARED.
#[test]
fn a_group_that_joins_brings_no_window_and_no_tables() {
    let msi_base =
        |container: &Container| container.domains().iter().map(|domain| domain.msi_base).collect::<Vec<_>>();
    let mut first = container("6.12");
    first.attach(group(1, &[])).unwrap();
    let small = ContainerGroup { aperture: Span::of(0, u64::MAX >> 16).unwrap(), ..group(2, &[WINDOW]) };
    first.attach(small).unwrap();
    assert_eq!(msi_base(&first), [None], "its MSIs are not mapped");
    assert_eq!(
        shown(first.usable()),
        ["0x0..=0x7ff_ffff", "0x810_0000..=0xffff_ffff_ffff"],
        "but all is narrowed"
    );
    let mut apart = container("6.12");
    apart.attach(group(1, &[])).unwrap();
    apart.attach(ContainerGroup { driver: 2, ..group(2, &[WINDOW]) }).unwrap();
    assert_eq!(msi_base(&apart), [Some(Iova::at(0x800_0000)), None]);
}

/// K-T1COOKIESTAYS.
#[test]
fn a_window_stays_when_its_group_leaves() {
    let mut container = container("6.12");
    container.attach(group(1, &[WINDOW])).unwrap();
    container.attach(group(2, &[])).unwrap();
    container.detach(1);
    assert_eq!(shown(container.usable()), ["0x0..=0xffff_ffff_ffff_ffff"], "given back as usable");
    assert_eq!(container.domains()[0].msi_base, Some(Iova::at(0x800_0000)), "with doorbells in it");
}

/// K-T1LIMIT.
#[test]
fn a_container_holds_65535_mappings() {
    let mut container = container("7.3");
    container.attach(group(1, &[WINDOW])).unwrap();
    for page in 0..65535 {
        map(&mut container, 0x1_0000_0000 + page * PAGE, PAGE).unwrap();
    }
    assert_eq!(map(&mut container, 0x1_0000_0000, PAGE), Err(Errno::Exist), "overlap is looked at before");
    assert_eq!(map(&mut container, 0x800_0000, PAGE), Err(Errno::NoSpc), "and usable ranges after");
    assert_eq!(container.unmap(Iova::at(0x1_0000_0000), PAGE, Extent::Range), Ok(PAGE));
    assert_eq!(map(&mut container, 0, PAGE), Ok(()));
}

/// K-T1TOP and K-T1EDGE, on either side of 6.18.
#[test]
fn the_last_page_cannot_be_unmapped_by_older_kernels() {
    const TOP: u64 = u64::MAX - PAGE + 1;
    let unmapped = |version| {
        let mut container = container(version);
        container.attach(group(1, &[])).unwrap();
        let wraps = map(&mut container, TOP, 2 * PAGE);
        map(&mut container, TOP, PAGE).unwrap();
        (wraps, container.unmap(Iova::new(TOP), PAGE, Extent::Range))
    };
    assert_eq!(unmapped("6.17"), (Err(Errno::Inval), Ok(0)));
    assert_eq!(unmapped("6.18"), (Err(Errno::Overflow), Ok(PAGE)));
}

/// K-EMULATED: with mediated devices alone there is no list.
#[test]
fn without_an_iommu_everything_may_be_mapped() {
    let mut container = container("6.12");
    assert!(container.usable().is_empty());
    assert_eq!(map(&mut container, 0xfee0_0000, PAGE), Ok(()));
    let msi = (0xfee0_0000, 0xfeef_ffff, ResvKind::Msi);
    assert_eq!(container.attach(group(1, &[msi])), Err(Errno::Inval), "a device that comes later refuses it");
}

/// K-FDUVAFIRST, on either side of 6.13.
#[test]
fn a_length_that_wraps_with_its_memory_is_told_one_way_or_the_other() {
    let answer = |version: &str| {
        let mut ioas = Ioas::new(version.parse().unwrap(), PageSize::K4, Size::mib(2));
        let length = u64::MAX - PAGE + 1;
        ioas.map(&FdRequest { iova: Iova::at(0), length, vaddr: 0x2000, flags: FIXED_IOVA | READABLE })
    };
    assert_eq!(answer("6.12"), Err(Errno::Inval));
    assert_eq!(answer("6.13"), Err(Errno::Overflow));
}

/// K-CONSUMERS: type1 sees two devices merged, iommufd each as it is.
#[test]
fn a_group_is_merged_for_type1_and_not_for_iommufd() {
    let region = |start, end| RawRegion::from_ends(start, end, ResvKind::Reserved);
    let devices = [vec![region(0, 0xfff)], vec![region(0x1000, 0x1fff)]];
    let merged = group_regions(devices.iter().map(|regions| Some(regions.as_slice())));
    assert_eq!(merged, [region(0, 0x1fff)]);
    let mut ioas = Ioas::new("7.3".parse().unwrap(), PageSize::K4, Size::mib(2));
    for (number, regions) in (0..).zip(&devices) {
        ioas.add_device(number, regions).0.unwrap();
    }
    assert_eq!(ioas.reserved().count(), 2);
}
