//! The kernel's own arithmetic of reserved regions: how a group's regions are sorted, merged and printed.
//!
//! Everything here computes as the kernel does, with start and length in 64 bits that wrap, so that the outcome is the
//! same to the byte for lengths of zero and regions that end at 2^64-1. Which regions there are is told by
//! [`mod@crate::kernel::report`].

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ResvKind, rules};
use crate::size::PageSize;
use crate::version::KernelVersion;

/// A region as the kernel holds it (`struct iommu_resv_region`, include/linux/iommu.h).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawRegion {
    /// First IOVA.
    pub start: u64,
    /// Number of bytes; may be zero, and `start + length` may pass 2^64.
    pub length: u64,
    /// Kind.
    pub kind: ResvKind,
    /// Protection flags, which only travel along.
    pub prot: u32,
}

impl RawRegion {
    /// The region from `start` to `end` inclusive; `end` one below `start` makes a length of zero.
    #[must_use]
    pub fn from_ends(start: u64, end: u64, kind: ResvKind) -> Self {
        Self { start, length: end.wrapping_sub(start).wrapping_add(1), kind, prot: 0 }
    }
    /// The last IOVA, as the kernel computes it: one below `start` for a length of zero.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start.wrapping_add(self.length).wrapping_sub(1)
    }
}

/// The reserved regions of a group, as they stand in the kernel's list.
///
/// `iommu_insert_resv_region` walks the whole list for every region that it inserts. The outcome needs no walk: an
/// insertion changes only regions of its own kind, the list is always sorted by start and kind, and the regions of one
/// kind that an earlier insertion left apart stay apart unless the new one lies between them. So each kind has its own
/// map here, and only the neighbours are looked at.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RegionList {
    kinds: BTreeMap<ResvKind, BTreeMap<Place, RawRegion>>,
    inserted: u64,
}

/// Sorts by start; among equal starts the region that was inserted last comes first.
type Place = (u64, Reverse<u64>);

impl RegionList {
    /// Inserts a region and merges what overlaps or touches (drivers/iommu/iommu.c, `iommu_insert_resv_region`).
    pub fn insert(&mut self, new: RawRegion) {
        let place = (new.start, Reverse(self.inserted));
        self.inserted = self.inserted.saturating_add(1);
        let same = self.kinds.entry(new.kind).or_default();
        same.insert(place, new);
        let before = same.range(..place).next_back().map(|(&place, _)| place);
        let top = match before {
            Some(before) if merge(same, before, place) => before,
            _ => place,
        };
        while let Some(next) = after(same, top) {
            if !merge(same, top, next) {
                break;
            }
        }
    }

    /// The regions in the kernel's order: by start, then by kind.
    #[must_use]
    pub fn regions(&self) -> Vec<RawRegion> {
        let mut regions: Vec<RawRegion> = self.kinds.values().flat_map(BTreeMap::values).copied().collect();
        regions.sort_by_key(|region| (region.start, region.kind));
        regions
    }
}

fn after(same: &BTreeMap<Place, RawRegion>, place: Place) -> Option<Place> {
    use std::ops::Bound::{Excluded, Unbounded};
    same.range((Excluded(place), Unbounded)).next().map(|(&place, _)| place)
}

/// Merges the region at `place` into the one at `top` if it starts no later than right behind it.
fn merge(same: &mut BTreeMap<Place, RawRegion>, top: Place, place: Place) -> bool {
    let (Some(upper), Some(lower)) = (same.get(&place).copied(), same.get_mut(&top)) else {
        return false;
    };
    if upper.start > lower.end().wrapping_add(1) {
        return false;
    }
    lower.length = lower.end().max(upper.end()).wrapping_sub(lower.start).wrapping_add(1);
    same.remove(&place);
    true
}

/// The merged regions of a group. Each device gives its regions in the order of its driver, or `None` when it has no
/// IOMMU, at which the kernel stops without a word (drivers/iommu/iommu.c, `iommu_get_group_resv_regions`).
pub fn group_regions<'a>(devices: impl IntoIterator<Item = Option<&'a [RawRegion]>>) -> Vec<RawRegion> {
    let mut list = RegionList::default();
    for device in devices {
        let Some(regions) = device else { break };
        for &region in regions {
            list.insert(region);
        }
    }
    list.regions()
}

/// The text of `reserved_regions` (drivers/iommu/iommu.c, `iommu_group_show_resv_regions`), cut at one page by the
/// kernels that cut.
#[must_use]
pub fn sysfs_text(regions: &[RawRegion], version: KernelVersion, page_size: PageSize) -> String {
    let mut text = String::new();
    for region in regions {
        let (start, end, word) = (region.start, region.end(), region.kind.sysfs_word());
        writeln!(text, "0x{start:016x} 0x{end:016x} {word}")
            .expect("a String takes all that is written to it");
    }
    if rules::RESV_PAGE.holds(version) {
        // sysfs_emit_at keeps the last byte of the page for the terminating zero; the text is plain ASCII.
        let room = page_size.size().bytes().saturating_sub(1);
        text.truncate(usize::try_from(room).unwrap_or(usize::MAX));
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(regions: &[(u64, u64, ResvKind)], expected: Expect) {
        let raw: Vec<RawRegion> =
            regions.iter().map(|&(start, length, kind)| RawRegion { start, length, kind, prot: 0 }).collect();
        let merged = group_regions([Some(raw.as_slice())]);
        expected.assert_eq(&sysfs_text(&merged, KernelVersion::new(6, 1), PageSize::K4));
    }

    #[test]
    fn the_smmu_window_stands_once_however_many_devices_have_it() {
        let window = RawRegion::from_ends(0x800_0000, 0x80f_ffff, ResvKind::SoftwareMsi);
        let device = [window];
        assert_eq!(group_regions([Some(&device[..]), Some(&device), Some(&device)]), [window]);
    }

    #[test]
    fn touching_regions_merge_and_kinds_stay_apart() {
        check(
            &[
                (0x2000, 0x1000, ResvKind::Reserved),
                (0x1000, 0x1000, ResvKind::Reserved),
                (0x2800, 0x1000, ResvKind::Direct),
                (0x4000, 0x1000, ResvKind::Reserved),
            ],
            expect![[r#"
                0x0000000000001000 0x0000000000002fff reserved
                0x0000000000002800 0x00000000000037ff direct
                0x0000000000004000 0x0000000000004fff reserved
            "#]],
        );
    }

    #[test]
    fn behind_the_end_of_the_space_nothing_merges() {
        check(
            &[
                (0xffff_ffff_ffff_f000, 0x1000, ResvKind::Reserved),
                (0xffff_ffff_ffff_f800, 0x800, ResvKind::Reserved),
            ],
            expect![[r#"
                0xfffffffffffff000 0xffffffffffffffff reserved
                0xfffffffffffff800 0xffffffffffffffff reserved
            "#]],
        );
    }

    #[test]
    fn a_device_without_iommu_ends_the_list() {
        let region = [RawRegion::from_ends(0, 0xfff, ResvKind::Reserved)];
        assert_eq!(group_regions([None, Some(&region[..])]), []);
    }

    #[test]
    fn newer_kernels_cut_the_text_at_a_page() {
        let regions: Vec<RawRegion> =
            (0..100).map(|n| RawRegion::from_ends(n << 16, (n << 16) + 0xfff, ResvKind::Reserved)).collect();
        let length = |version| sysfs_text(&regions, version, PageSize::K4).len();
        assert_eq!(length(KernelVersion::new(6, 1)), 4700);
        assert_eq!(length(KernelVersion::new(6, 12)), 4095);
        assert_eq!(sysfs_text(&regions, KernelVersion::new(6, 12), PageSize::K64).len(), 4700);
    }
}
