//! The list of a group and its text: K-RESVMERGE, K-RESVWRAP, K-RESVPROT, K-RESVSTOP, K-RESVPAGE.

use planner_core::kernel::ResvKind;
use planner_core::kernel::resv::{RawRegion, group_regions, sysfs_text};
use planner_core::size::PageSize;
use planner_core::version::KernelVersion;
use proptest::prelude::*;

use crate::slots::kind;

/// drivers/iommu/iommu.c, `iommu_insert_resv_region`, line by line: find the place, then go over the whole list.
fn insert(list: &mut Vec<RawRegion>, new: RawRegion) {
    let comes_before = |old: &RawRegion| {
        new.start < old.start || new.start == old.start && order(new.kind) <= order(old.kind)
    };
    let at = list.iter().position(comes_before).unwrap_or(list.len());
    list.insert(at, new);
    let mut stack: Vec<RawRegion> = Vec::new();
    for region in list.drain(..) {
        let top = stack.iter_mut().rev().find(|top| top.kind == region.kind);
        match top {
            Some(top) if region.kind == new.kind && region.start <= last(top).wrapping_add(1) => {
                top.length = last(top).max(last(&region)).wrapping_sub(top.start).wrapping_add(1);
            }
            _ => stack.push(region),
        }
    }
    *list = stack;
}

fn last(region: &RawRegion) -> u64 {
    region.start.wrapping_add(region.length).wrapping_sub(1)
}

/// include/linux/iommu.h, `enum iommu_resv_type`.
fn order(kind: ResvKind) -> u8 {
    match kind {
        ResvKind::Direct => 0,
        ResvKind::DirectRelaxable => 1,
        ResvKind::Reserved => 2,
        ResvKind::Msi => 3,
        ResvKind::SoftwareMsi => 4,
    }
}

fn word(kind: ResvKind) -> &'static str {
    ["direct", "direct-relaxable", "reserved", "msi", "msi"][usize::from(order(kind))]
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..40_u64, 1 => u64::MAX - 20..=u64::MAX, 1 => any::<u64>()]
}

fn region() -> impl Strategy<Value = RawRegion> {
    (address(), prop_oneof![4 => 0..12_u64, 1 => address()], kind(), 0..4_u32)
        .prop_map(|(start, length, kind, prot)| RawRegion { start, length, kind, prot })
}

/// A group: each device with its regions, or without an IOMMU.
fn devices() -> impl Strategy<Value = Vec<Option<Vec<RawRegion>>>> {
    let device = prop::option::weighted(0.95, prop::collection::vec(region(), 0..14));
    prop::collection::vec(device, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_list_is_what_inserting_one_by_one_makes(devices in devices()) {
        let mut slow = Vec::new();
        for &region in devices.iter().map_while(Option::as_ref).flatten() {
            insert(&mut slow, region);
        }
        prop_assert_eq!(group_regions(devices.iter().map(Option::as_deref)), slow);
    }

    #[test]
    fn the_text_has_a_line_for_each_region(regions in prop::collection::vec(region(), 0..120)) {
        let mut slow = String::new();
        for region in &regions {
            slow += &format!("{:#018x} {:#018x} {}\n", region.start, last(region), word(region.kind));
        }
        let text = |version: &str| sysfs_text(&regions, version.parse().unwrap(), PageSize::K4);
        prop_assert_eq!(text("6.1"), slow.clone());
        slow.truncate(4095);
        prop_assert_eq!(text("6.12"), slow);
    }
}

#[test]
fn the_version_of_a_group_does_not_matter() {
    // The list has been made in the same way since it exists; only the text is cut.
    let region = RawRegion::from_ends(0, 0xfff, ResvKind::Reserved);
    let text = |minor| sysfs_text(&[region], KernelVersion::new(4, minor), PageSize::K4);
    assert_eq!(text(11), text(19));
}
