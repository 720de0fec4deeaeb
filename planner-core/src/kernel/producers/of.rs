//! Devicetree: `iommu-addresses` of reserved-memory nodes (drivers/iommu/of_iommu.c).

use crate::kernel::ResvKind;

/// The kind of a region of `length` bytes at `iova` (`iommu_resv_region_get_type`). `memory` is the first and last
/// address of the node's own `reg`, if it has one.
///
/// A `reg` of one byte counts as none, since the kernel asks whether its start lies below its end.
#[must_use]
pub fn region_kind(memory: Option<(u64, u64)>, iova: u64, length: u64) -> ResvKind {
    let end = iova.wrapping_add(length).wrapping_sub(1);
    match memory {
        Some((first, last)) if first < last && (iova, end) == (first, last) => ResvKind::Direct,
        _ => ResvKind::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K-OFIOVA, K-OFONEBYTE.
    #[test]
    fn a_region_is_direct_only_where_it_is_its_own_memory() {
        use ResvKind::{Direct, Reserved};
        assert_eq!(region_kind(None, 0x1000, 0x1000), Reserved);
        assert_eq!(region_kind(Some((0x1000, 0x1fff)), 0x1000, 0x1000), Direct);
        assert_eq!(region_kind(Some((0x1000, 0x1fff)), 0x2000, 0x1000), Reserved);
        assert_eq!(region_kind(Some((0x1000, 0x1000)), 0x1000, 1), Reserved);
    }
}
