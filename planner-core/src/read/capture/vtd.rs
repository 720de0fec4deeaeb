//! What the capability registers of an Intel VT-d unit say about its page tables (Intel Virtualization Technology for
//! Directed I/O, revision 4.1, 11.4.2 and 11.4.3; include/linux/intel-iommu.h and drivers/iommu/intel/iommu.h name the
//! fields).

use crate::addr::{Iova, Span};
use crate::size::{PageSize, PageSizes};

/// Which page tables Linux gives to a device that is passed through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tables {
    /// First stage, in scalable mode: the processor's format, of which Linux uses the lower half.
    FirstStage,
    /// Second stage: VT-d's own format.
    SecondStage,
}

/// The page tables that Linux chooses (intel_iommu_domain_alloc_paging_flags in drivers/iommu/intel/iommu.c): first
/// stage where scalable mode is on and the hardware has it. Whether scalable mode is on by default is a matter of the
/// kernel's configuration; unless the command line switches it off, the smaller address space is assumed.
pub(super) fn tables(ecap: u64, command_line: &str) -> Tables {
    let off = command_line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("intel_iommu="))
        .flat_map(|options| options.split(','))
        .rfind(|option| matches!(*option, "sm_on" | "sm_off"))
        == Some("sm_off");
    let scalable = bit(ecap, 43) && !off;
    if scalable && bit(ecap, 47) { Tables::FirstStage } else { Tables::SecondStage }
}

/// The addresses that the tables translate, or `None` when the registers state no depth that Linux knows.
pub(super) fn aperture(cap: u64, tables: Tables) -> Option<Span<Iova>> {
    let most = field(cap, 16, 6).checked_add(1)?;
    let bits = match tables {
        // Five levels, else four; the upper half belongs to addresses with the sign bit set.
        Tables::FirstStage => most.min(if bit(cap, 60) { 57 } else { 48 }).checked_sub(1)?,
        // Supported adjusted guest address widths: bit 1 is 39 bits, bit 2 is 48, bit 3 is 57.
        Tables::SecondStage => {
            most.min(39 + 9 * (1..=3_u64).rev().find(|&level| bit(cap, 8 + level))?.checked_sub(1)?)
        }
    };
    Span::of(0, 1_u64.checked_shl(u32::try_from(bits).ok()?)?.checked_sub(1)?)
}

/// The page sizes that the tables map.
pub(super) fn pages(cap: u64, tables: Tables) -> PageSizes {
    let (large, huge) = match tables {
        Tables::FirstStage => (true, bit(cap, 56)),
        Tables::SecondStage => (bit(cap, 34), bit(cap, 35)),
    };
    let with = |pages: PageSizes, page, wanted: bool| if wanted { pages.with(page) } else { pages };
    let small = PageSizes::default().with(PageSize::K4);
    with(with(small, PageSize::M2, large), PageSize::G1, huge)
}

fn bit(register: u64, number: u64) -> bool {
    register >> number & 1 != 0
}

fn field(register: u64, from: u64, width: u64) -> u64 {
    register >> from & ((1 << width) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maximum guest address width, supported adjusted widths, large and huge pages.
    const CAP_48: u64 = 0x80d2_008c_222f_0606;
    /// Scalable mode with first stage only.
    const ECAP_SCALABLE: u64 = 0x8800_00f0_0f4a;

    #[test]
    fn scalable_mode_is_used_unless_it_is_switched_off() {
        let cases = [
            (ECAP_SCALABLE, "intel_iommu=on,sm_on", Tables::FirstStage),
            (ECAP_SCALABLE, "quiet", Tables::FirstStage),
            (ECAP_SCALABLE, "intel_iommu=sm_off", Tables::SecondStage),
            (ECAP_SCALABLE, "intel_iommu=sm_off intel_iommu=sm_on", Tables::FirstStage),
            (0xf0_0f4a, "intel_iommu=sm_on", Tables::SecondStage),
        ];
        for (ecap, command_line, expected) in cases {
            assert_eq!(tables(ecap, command_line), expected, "{ecap:#x} {command_line}");
        }
    }

    #[test]
    fn the_aperture_is_the_lesser_of_two_widths() {
        let cap = |mgaw: u64, sagaw: u64, five_levels: u64| (mgaw - 1) << 16 | sagaw << 8 | five_levels << 60;
        let cases = [
            (CAP_48, Tables::SecondStage, Some(48)),
            (CAP_48, Tables::FirstStage, Some(47)),
            (cap(39, 0b110, 0), Tables::SecondStage, Some(39)),
            (cap(46, 0b100, 0), Tables::SecondStage, Some(46)),
            (cap(57, 0b010, 0), Tables::SecondStage, Some(39)),
            (cap(57, 0b1110, 0), Tables::SecondStage, Some(57)),
            (cap(57, 0b1110, 0), Tables::FirstStage, Some(47)),
            (cap(57, 0b1110, 1), Tables::FirstStage, Some(56)),
            (cap(48, 0b00001, 0), Tables::SecondStage, None),
            (u64::MAX, Tables::SecondStage, Some(57)),
        ];
        for (cap, tables, bits) in cases {
            let expected = bits.and_then(|bits| Span::of(0, (1_u64 << bits) - 1));
            assert_eq!(aperture(cap, tables), expected, "{cap:#x} {tables:?}");
        }
    }

    #[test]
    fn page_sizes_follow_the_tables() {
        assert_eq!(pages(CAP_48, Tables::SecondStage).bitmap(), 0x4020_1000);
        assert_eq!(pages(0, Tables::SecondStage).bitmap(), 0x1000);
        assert_eq!(pages(0, Tables::FirstStage).bitmap(), 0x20_1000);
    }
}
