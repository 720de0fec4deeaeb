//! virtio-iommu: the regions that a hypervisor reports for an endpoint (drivers/iommu/virtio-iommu.c).

use crate::kernel::ResvKind;
use crate::kernel::errno::Errno;
use crate::kernel::resv::RawRegion;

/// `VIRTIO_IOMMU_RESV_MEM_T_MSI` (Virtio 1.3, 5.13.6.8.1). Subtype 0 is reserved; the driver warns about any other and
/// takes it as reserved, too.
pub const SUBTYPE_MSI: u8 = 1;

/// The regions of an endpoint (`struct viommu_endpoint.resv_regions`), sorted by start.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ProbedRegions {
    list: Vec<RawRegion>,
}

impl ProbedRegions {
    /// Takes one RESV_MEM property with the first and last address that it names (`viommu_add_resv_mem`).
    ///
    /// An end two or more below the start is taken: the length wraps, and the region covers almost everything.
    ///
    /// # Errors
    /// `EOVERFLOW` exactly when the length would be 2^64: from 0 to 2^64-1, and for an end one below the start.
    pub fn add(&mut self, subtype: u8, start: u64, end: u64) -> Result<(), Errno> {
        let length = end.wrapping_sub(start).wrapping_add(1);
        if length < end.wrapping_sub(start) {
            return Err(Errno::Overflow);
        }
        let kind = if subtype == SUBTYPE_MSI { ResvKind::Msi } else { ResvKind::Reserved };
        // Among equal starts the newer one goes behind.
        let at = self.list.partition_point(|region| region.start <= start);
        self.list.insert(at, RawRegion { start, length, kind, prot: 0 });
        Ok(())
    }

    /// The regions of the endpoint (`viommu_get_resv_regions`): with the MSI window when the hypervisor reported no
    /// MSI region.
    #[must_use]
    pub fn regions(&self) -> Vec<RawRegion> {
        let mut regions = self.list.clone();
        if !regions.iter().any(|region| region.kind == ResvKind::Msi) {
            // The same window as an SMMU's.
            regions.push(super::smmu::msi_window());
        }
        regions
    }
}
