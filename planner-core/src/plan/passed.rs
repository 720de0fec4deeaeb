//! What the plan says of passed devices beyond their addresses, and whether an SMMU of the guest can stand for the ones in
//! front of them.

use super::problem::rule_reason;
use super::{PassedDevice, Reason, rules};
use crate::facts::guest::Viommu;
use crate::guest::GuestSpec;
use crate::host::{Device, Host};
use crate::kernel::rules::FD_HW_SMMU;
use crate::version::KernelVersion;

/// A passed device. One that does not say its NUMA node belongs to that of its root complex.
pub(super) fn of(host: &Host, device: &Device) -> PassedDevice {
    let node = || host.root_complex_of(device).and_then(|root_complex| root_complex.node);
    PassedDevice {
        address: device.address,
        iommu: host.iommu_of(device).map(|iommu| iommu.name.clone()),
        host_node: device.node.or_else(node),
    }
}

/// Why the guest cannot have an SMMUv3: passed devices behind it are translated by the host's, whose second stage the
/// kernel keeps and whose first the guest gets. What is not known of the host refuses nothing.
pub(crate) fn refuse_nesting(host: &Host, kernel: KernelVersion, guest: &GuestSpec) -> Vec<Reason> {
    if guest.viommu != Viommu::SmmuV3 || guest.pass.is_empty() {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    for device in guest.pass.iter().filter_map(|&address| host.device(address)) {
        let Some(iommu) = host.iommu_of(device).filter(|iommu| !iommu.model.is_smmuv3()) else { continue };
        let because = format!(
            "an SMMUv3 of the guest nests in an SMMUv3 of the host, and {} is behind {}, a {}",
            device.address, iommu.name, iommu.model
        );
        let origin = iommu.origin.to_string();
        reasons.push(Reason { rule: rules::NESTED.into(), because, origin });
    }
    if !FD_HW_SMMU.holds(kernel) {
        let because = format!("Linux {kernel} has no page tables of an SMMUv3 that others nest in");
        reasons.push(rule_reason(FD_HW_SMMU.id, because));
    }
    if !guest.iommufd {
        let because = "an SMMUv3 of the guest nests in the host's through iommufd, and the guest uses a type1 container";
        reasons.push(rule_reason(rules::NESTED, because));
    }
    reasons
}
