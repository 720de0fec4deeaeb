//! The interrupt controller of Arm hosts, as far as `proc/iomem` shows it: sysfs shows nothing of it.

use super::iomem::Resource;
use crate::facts::host::{GicV3Fact, ItsFact};
use crate::size::KIB;

/// GICv3 distributors with all redistributors (`GICD` and `GICR`: `gic_request_region` in
/// drivers/irqchip/irq-gic-v3.c).
pub(super) fn distributors(iomem: &[Resource]) -> Vec<GicV3Fact> {
    let Some(distributor) = iomem.iter().find(|resource| resource.name == "GICD") else { return Vec::new() };
    let redistributors =
        iomem.iter().filter(|resource| resource.name == "GICR").map(|resource| resource.span);
    vec![GicV3Fact {
        name: "gic".to_owned(),
        distributor: distributor.span,
        redistributors: redistributors.collect(),
        origin: distributor.origin.clone(),
    }]
}

/// Interrupt translation services, where the kernel requests their frames: two of 64 KiB each (Arm IHI 0069, 12.18).
pub(super) fn translation_services(iomem: &[Resource]) -> Vec<ItsFact> {
    let frames = iomem
        .iter()
        .filter(|resource| resource.name == "ITS" && resource.span.size_bytes() == 128 * u128::from(KIB));
    let its = |(index, resource): (usize, &Resource)| ItsFact {
        name: format!("its{index}"),
        frame: resource.span,
        origin: resource.origin.clone(),
    };
    frames.enumerate().map(its).collect()
}
