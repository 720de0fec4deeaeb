//! Intel VT-d (drivers/iommu/intel/iommu.c).

use super::{low_bits, x86_interrupts};
use crate::addr::{Iova, Span};
use crate::ids::PciClass;
use crate::kernel::ResvKind;
use crate::kernel::resv::RawRegion;
use crate::size::PageSizes;

/// PCI class of an ISA bridge, base class and sub-class (PCI Code and ID Assignment Specification, 1.7).
const ISA_BRIDGE: u32 = 0x0601;
/// PCI class of a USB controller (PCI Code and ID Assignment Specification, 1.13).
const USB: u32 = 0x0c03;
/// PCI base class of display controllers (PCI Code and ID Assignment Specification, 1.4).
const DISPLAY: u32 = 0x03;

/// The regions of a device (`intel_iommu_get_resv_regions`): the RMRRs, first and last address, in whose scope it or a
/// bridge above it is, then the floppy workaround, then the interrupt range. What is not known of the class of the
/// device is taken not to be so.
#[must_use]
pub fn regions(
    rmrrs: &[(u64, u64)],
    class: Option<PciClass>,
    workaround: FloppyWorkaround,
) -> Vec<RawRegion> {
    let kind = rmrr_kind(class);
    let mut regions: Vec<RawRegion> =
        rmrrs.iter().map(|&(base, end)| RawRegion::from_ends(base, end, kind)).collect();
    if workaround == FloppyWorkaround::Built && is_isa_bridge(class) {
        regions.push(floppy());
    }
    regions.push(x86_interrupts());
    regions
}

/// Whether the kernel is built with `CONFIG_INTEL_IOMMU_FLOPPY_WA`, as it is by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FloppyWorkaround {
    /// It is.
    Built,
    /// It is not.
    Absent,
}

/// The kind of an RMRR of a device: drivers of USB controllers and of graphics take over from firmware
/// (`device_rmrr_is_relaxable`).
#[must_use]
pub fn rmrr_kind(class: Option<PciClass>) -> ResvKind {
    let takes_over = |class: PciClass| class.base_and_sub() == USB || class.base_and_sub() >> 8 == DISPLAY;
    if class.is_some_and(takes_over) { ResvKind::DirectRelaxable } else { ResvKind::Direct }
}

/// Whether the floppy workaround is for this device.
#[must_use]
pub fn is_isa_bridge(class: Option<PciClass>) -> bool {
    class.is_some_and(|class| class.base_and_sub() == ISA_BRIDGE)
}

/// What the floppy workaround reserves: the first 16 MiB.
#[must_use]
pub fn floppy() -> RawRegion {
    RawRegion::from_ends(0, 0xff_ffff, ResvKind::DirectRelaxable)
}

/// Which tables translate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tables {
    /// First-stage tables, the processor's own format.
    First,
    /// Second-stage tables.
    Second,
}

/// What a domain translates. `table_bits` is what its tables reach: 39, 48 or 57 with second-stage tables (`SAGAW`), 48
/// or 57 with first-stage tables; `guest_bits` is `MGAW`, the guest address width. Of first-stage tables only the
/// lower canonical half is used.
#[must_use]
pub fn aperture(tables: Tables, table_bits: u8, guest_bits: u8) -> Span<Iova> {
    let bits = table_bits.min(guest_bits);
    match tables {
        Tables::Second => low_bits(bits),
        Tables::First => low_bits(bits.min(table_bits.saturating_sub(1))),
    }
}

/// 4 KiB, 2 MiB, 1 GiB: what every unit of today can; the large ones are bits of the capability register.
pub const PAGES: PageSizes = PageSizes::from_bitmap(0x4020_1000);

#[cfg(test)]
mod tests {
    use super::*;

    fn told(class: u32, workaround: FloppyWorkaround) -> Vec<(ResvKind, u64)> {
        let regions = regions(&[(0x7000_0000, 0x700f_ffff)], PciClass::from_code(class), workaround);
        regions.iter().map(|region| (region.kind, region.start)).collect()
    }

    /// K-RMRR, K-FLOPPYWA.
    #[test]
    fn an_rmrr_is_relaxable_where_a_driver_takes_over() {
        use ResvKind::{Direct, DirectRelaxable, Msi};
        let built = FloppyWorkaround::Built;
        assert_eq!(told(0x02_0000, built), [(Direct, 0x7000_0000), (Msi, 0xfee0_0000)]);
        for class in [0x0c_0330, 0x03_0000, 0x03_8000] {
            assert_eq!(told(class, built)[0], (DirectRelaxable, 0x7000_0000), "{class:x}");
        }
        assert_eq!(told(0x0c_0500, built)[0], (Direct, 0x7000_0000));
        assert_eq!(told(0x06_0100, built), [(Direct, 0x7000_0000), (DirectRelaxable, 0), (Msi, 0xfee0_0000)]);
        assert_eq!(told(0x06_0100, FloppyWorkaround::Absent).len(), 2);
    }

    /// K-VTDTABLES.
    #[test]
    fn first_stage_tables_lose_the_upper_half() {
        assert_eq!(aperture(Tables::Second, 48, 48), low_bits(48));
        assert_eq!(aperture(Tables::Second, 48, 39), low_bits(39));
        assert_eq!(aperture(Tables::First, 48, 48), low_bits(47));
        assert_eq!(aperture(Tables::First, 57, 57), low_bits(56));
        assert_eq!(aperture(Tables::First, 48, 39), low_bits(39));
    }
}
