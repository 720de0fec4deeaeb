//! PCI functions of s390 (drivers/iommu/s390-iommu.c, arch/s390/include/asm/pci_dma.h).

use crate::kernel::resv::RawRegion;
use crate::kernel::{ResvKind, rules};
use crate::version::KernelVersion;

/// What the domain that is attached translates through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attached {
    /// No tables: a blocked or identity domain.
    NoTables,
    /// A region-third table (`ZPCI_TABLE_SIZE_RT`): 42 bits.
    RegionThird,
    /// A region-second table (`ZPCI_TABLE_SIZE_RS`): 53 bits.
    RegionSecond,
    /// A region-first table: 64 bits.
    RegionFirst,
}

/// The regions of a function (`s390_iommu_get_resv_regions`) that may use DMA addresses from `start_dma` to `end_dma`:
/// what lies below and what the tables reach above. Newer kernels look at the tables of the domain that happens to be
/// attached, so that the list changes with it; older ones have region-third tables only; those before list nothing.
#[must_use]
pub fn regions(start_dma: u64, end_dma: u64, attached: Attached, version: KernelVersion) -> Vec<RawRegion> {
    let mut regions = Vec::new();
    if !rules::S390_REGIONS.holds(version) {
        return regions;
    }
    let reserved = |start, length| RawRegion { start, length, kind: ResvKind::Reserved, prot: 0 };
    if start_dma > 0 {
        regions.push(reserved(0, start_dma));
    }
    let attached = if rules::S390_TABLES.holds(version) { attached } else { Attached::RegionThird };
    let last = match attached {
        Attached::NoTables => return regions,
        Attached::RegionThird => (1 << 42) - 1,
        Attached::RegionSecond => (1 << 53) - 1,
        Attached::RegionFirst => u64::MAX,
    };
    if end_dma < last {
        regions.push(reserved(end_dma.wrapping_add(1), last.wrapping_sub(end_dma)));
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-S390DMA, K-S390TABLES.
    #[test]
    fn the_tail_depends_on_the_tables_that_are_attached() {
        let ends = |attached, major, minor| -> Vec<(u64, u64)> {
            let version = KernelVersion::new(major, minor);
            let regions = regions(0x1_0000_0000, 0x1_ffff_ffff, attached, version);
            regions.iter().map(|region| (region.start, region.end())).collect()
        };
        let (below, above) = ((0, 0xffff_ffff), 0x2_0000_0000);
        assert_eq!(ends(Attached::RegionFirst, 6, 1), []);
        assert_eq!(ends(Attached::RegionFirst, 6, 12), [below, (above, (1 << 42) - 1)]);
        assert_eq!(ends(Attached::NoTables, 6, 12), [below, (above, (1 << 42) - 1)]);
        assert_eq!(ends(Attached::NoTables, 7, 3), [below]);
        assert_eq!(ends(Attached::RegionSecond, 7, 3), [below, (above, (1 << 53) - 1)]);
        assert_eq!(ends(Attached::RegionFirst, 7, 3), [below, (above, u64::MAX)]);
    }
}
