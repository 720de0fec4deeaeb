//! IORT, the ACPI table of Arm's IOMMUs (drivers/acpi/arm64/iort.c).

use crate::kernel::ResvKind;
use crate::kernel::resv::RawRegion;
use crate::size::PageSize;

/// Alignment that the table asks of RMR descriptors (Arm DEN 0049, Memory range descriptor: 64 KiB).
const RMR_ALIGNMENT: u64 = 0x1_0000;

/// Start and length of an RMR as the kernel takes it (`iort_rmr_alloc`): as it is when both are multiples of 64 KiB,
/// otherwise widened to pages of the host kernel. A length of zero is taken with a warning.
#[must_use]
pub fn rmr_pages(base: u64, length: u64, page_size: PageSize) -> (u64, u64) {
    if base.is_multiple_of(RMR_ALIGNMENT) && length.is_multiple_of(RMR_ALIGNMENT) {
        return (base, length);
    }
    let mask = page_size.size().bytes().wrapping_sub(1);
    let whole = length.wrapping_add(base & mask).wrapping_add(mask) & !mask;
    (base & !mask, whole)
}

/// The kind of an RMR (`iort_rmr_alloc`), by its flag "remapping permitted" (Arm DEN 0049, RMR node flags).
#[must_use]
pub fn rmr_kind(remap: Remap) -> ResvKind {
    match remap {
        Remap::Permitted => ResvKind::DirectRelaxable,
        Remap::Forbidden => ResvKind::Direct,
    }
}

/// What an RMR node says of remapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remap {
    /// The operating system may give the one-to-one mapping up.
    Permitted,
    /// It may not.
    Forbidden,
}

/// What kind of device an RMR is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requester {
    /// Not PCI.
    Platform,
    /// PCI, below a host bridge whose firmware asks to preserve the boot configuration (`_DSM` function 5).
    PreservedPci,
    /// PCI, below any other host bridge.
    Pci,
}

/// Whether an RMR counts for a device with this stream ID (`iort_find_rmrs`, `iort_iommu_rmr_get_resv_regions`). An ID
/// mapping says its first output and its number of IDs *less one*, so the last one counts.
#[must_use]
pub fn rmr_applies(requester: Requester, stream: u32, first: u32, count_less_one: u32) -> bool {
    requester != Requester::Pci && stream >= first && stream <= first.saturating_add(count_less_one)
}

/// The doorbell that an SMMUv3 of HiSilicon's hip06 and hip07 does not translate (erratum 161010801): the translation
/// frame of the ITS, 64 KiB from 64 KiB above its base (`iort_iommu_msi_get_resv_regions`). It comes after the MSI window
/// in the list of the device.
#[must_use]
pub fn its_frame(its_base: u64) -> RawRegion {
    const FRAME_BYTES: u64 = 0x1_0000;
    let start = its_base.wrapping_add(FRAME_BYTES);
    RawRegion { start, length: FRAME_BYTES, kind: ResvKind::Msi, prot: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-RMRIDS.
    #[test]
    fn the_last_stream_of_a_mapping_counts() {
        let pci = Requester::PreservedPci;
        assert!(rmr_applies(pci, 0x100, 0x100, 0) && !rmr_applies(pci, 0x101, 0x100, 0));
        assert!(rmr_applies(pci, 0x10f, 0x100, 0xf) && !rmr_applies(pci, 0xff, 0x100, 0xf));
        assert!(!rmr_applies(Requester::Pci, 0x100, 0x100, 0));
        assert!(rmr_applies(Requester::Platform, 5, 0, u32::MAX));
    }

    #[test]
    fn a_doorbell_of_hip07() {
        let frame = its_frame(0xc600_0000);
        assert_eq!((frame.start, frame.end(), frame.kind), (0xc601_0000, 0xc601_ffff, ResvKind::Msi));
    }
}
