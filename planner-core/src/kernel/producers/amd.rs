//! AMD-Vi (drivers/iommu/amd/iommu.c, init.c).

use super::{low_bits, x86_interrupts};
use crate::addr::{Iova, Span};
use crate::kernel::resv::RawRegion;
use crate::kernel::{ResvKind, rules};
use crate::size::PageSizes;
use crate::version::KernelVersion;

/// Pages of an AMD-Vi table and of every x86 host.
const PAGE_BYTES: u64 = 0x1000;

/// Whether all IOMMUs of the host say `HT_RANGE_IGNORE` in their second extended features (AMD I/O Virtualization
/// Technology Specification, EFR2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HyperTransport {
    /// They do not: addresses of HyperTransport never reach memory.
    Reserved,
    /// They do: these addresses are ordinary.
    Ordinary,
}

/// The regions of a device (`amd_iommu_get_resv_regions`): the IVMD entries, start and length, that cover it, then the
/// interrupt range, then HyperTransport's. A device without a requester ID has none at all.
#[must_use]
pub fn regions(
    ivmds: &[(u64, u64)],
    hyper_transport: HyperTransport,
    version: KernelVersion,
) -> Vec<RawRegion> {
    let mut regions: Vec<RawRegion> = ivmds.iter().map(|&(start, length)| ivmd(start, length)).collect();
    regions.push(x86_interrupts());
    if hyper_transport == HyperTransport::Reserved || !rules::AMD_HT_IGNORED.holds(version) {
        regions.push(hyper_transport_range());
    }
    regions
}

/// An IVMD entry, unity map or exclusion range: both end up direct, since `init_unity_map_range` sets the protection of
/// either. Start and length are each rounded up to pages.
#[must_use]
pub fn ivmd(start: u64, length: u64) -> RawRegion {
    let mask = PAGE_BYTES.wrapping_sub(1);
    let up = |value: u64| value.wrapping_add(mask) & !mask;
    RawRegion { start: up(start), length: up(length), kind: ResvKind::Direct, prot: 0 }
}

/// The 12 GiB below 1 TiB (`HT_RANGE_START`, `HT_RANGE_END` in drivers/iommu/amd/amd_iommu_types.h).
#[must_use]
pub fn hyper_transport_range() -> RawRegion {
    RawRegion::from_ends(0xfd_0000_0000, 0xff_ffff_ffff, ResvKind::Reserved)
}

/// Which tables translate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tables {
    /// The IOMMU's own format, the default. `levels` is the most that the extended features allow (`HATS`): 4, 5 or 6.
    V1 {
        /// Number of levels.
        levels: u8,
    },
    /// The processor's format, of 4 or 5 levels.
    V2 {
        /// Number of levels.
        levels: u8,
    },
}

/// What a domain translates (`amd_iommu_domain_alloc_paging_flags`).
#[must_use]
pub fn aperture(tables: Tables, version: KernelVersion) -> Span<Iova> {
    /// Bits that a table of so many levels reaches: 9 for each above the 12 of a page.
    fn reach(levels: u8) -> u8 {
        levels.saturating_mul(9).saturating_add(12)
    }
    match tables {
        Tables::V1 { levels } if rules::AMD_HATS.holds(version) => low_bits(reach(levels).min(64)),
        // The tables grow by levels as they are filled.
        Tables::V1 { .. } => low_bits(64),
        Tables::V2 { levels } if rules::AMD_V2_HALF.holds(version) => {
            low_bits(reach(levels).saturating_sub(1))
        }
        Tables::V2 { .. } => low_bits(48),
    }
}

/// The pages of the IOMMU's own tables (drivers/iommu/amd/amd_iommu_types.h, `AMD_IOMMU_PGSIZES`): bits 12 to 51, or all
/// from 12, without 512 GiB.
#[must_use]
pub fn pages(version: KernelVersion) -> PageSizes {
    let newer = rules::AMD_PGSIZES_NEW.holds(version);
    PageSizes::from_bitmap(if newer { 0x000f_ff7f_ffff_f000 } else { 0xffff_ff7f_ffff_f000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: KernelVersion = KernelVersion::new(6, 12);
    const NEW: KernelVersion = KernelVersion::new(7, 3);

    /// K-IVMD.
    #[test]
    fn an_ivmd_entry_is_rounded_up_at_both_ends() {
        assert_eq!((ivmd(0x1001, 0x1001).start, ivmd(0x1001, 0x1001).length), (0x2000, 0x2000));
        assert_eq!((ivmd(0x1000, 0x1000).start, ivmd(0x1000, 0x1000).length), (0x1000, 0x1000));
        assert_eq!(ivmd(u64::MAX, 0).start, 0);
    }

    /// K-AMDHT, K-AMDHTIGNORE.
    #[test]
    fn hypertransport_is_ordinary_only_where_all_say_so_and_the_kernel_asks() {
        let count = |ht, version| regions(&[(0x7000_0000, 0x1000)], ht, version).len();
        assert_eq!(count(HyperTransport::Reserved, NEW), 3);
        assert_eq!(count(HyperTransport::Ordinary, NEW), 2);
        assert_eq!(count(HyperTransport::Ordinary, OLD), 3);
    }

    /// K-AMDHATS, K-AMDV2HALF.
    #[test]
    fn tables_reach_as_far_as_their_levels() {
        assert_eq!(aperture(Tables::V1 { levels: 4 }, OLD), low_bits(64));
        assert_eq!(aperture(Tables::V1 { levels: 4 }, NEW), low_bits(48));
        assert_eq!(aperture(Tables::V1 { levels: 6 }, NEW), low_bits(64));
        assert_eq!(aperture(Tables::V2 { levels: 4 }, KernelVersion::new(6, 1)), low_bits(48));
        assert_eq!(aperture(Tables::V2 { levels: 4 }, OLD), low_bits(47));
        assert_eq!(aperture(Tables::V2 { levels: 5 }, OLD), low_bits(56));
    }

    /// K-AMDPGSIZES, as booted kernels reported on either side of 6.12.
    #[test]
    fn page_sizes_that_no_entry_expresses_are_gone() {
        assert_eq!(pages(KernelVersion::new(6, 1)).bitmap(), 0xffff_ff7f_ffff_f000);
        assert_eq!(pages(OLD).bitmap(), 0x000f_ff7f_ffff_f000);
    }
}
