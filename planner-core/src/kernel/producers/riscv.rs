//! The RISC-V IOMMU (drivers/iommu/riscv/iommu.c). Its driver has no `get_resv_regions`: nothing is reserved, and there
//! is no MSI window.

use super::low_bits;
use crate::addr::{Iova, Span};

/// Mode of the tables (RISC-V Privileged Architecture, 12.4 to 12.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Three levels.
    Sv39,
    /// Four levels.
    Sv48,
    /// Five levels.
    Sv57,
}

/// What a domain translates (`riscv_iommu_alloc_paging_domain`): the lower half, since upper addresses would have to be
/// sign-extended.
#[must_use]
pub fn aperture(mode: Mode) -> Span<Iova> {
    low_bits(match mode {
        Mode::Sv39 => 38,
        Mode::Sv48 => 47,
        Mode::Sv57 => 56,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-RISCVAPER.
    #[test]
    fn the_upper_half_of_each_mode_is_lost() {
        let last = |mode| aperture(mode).last();
        assert_eq!(last(Mode::Sv39), Iova::at(0x3f_ffff_ffff));
        assert_eq!(last(Mode::Sv48), Iova::at(0x7fff_ffff_ffff));
        assert_eq!(last(Mode::Sv57), Iova::at(0xff_ffff_ffff_ffff));
    }
}
