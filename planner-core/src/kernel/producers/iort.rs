//! IORT, the ACPI table of Arm's IOMMUs (drivers/acpi/arm64/iort.c).

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
