//! IOMMUs: which nodes are one, of which kind, and under which name Linux shows them.

use super::address::first_register;
use super::pci::{Functions, Place};
use super::sink::Sink;
use super::tree::{NodeRef, Tree};
use crate::addr::{Address as _, Hpa};
use crate::facts::host::{IommuFact, IommuModel};

/// Most IOMMUs; the largest machines have some hundreds.
const MAX_IOMMUS: usize = 4096;

/// What drivers match: `arm_smmu_of_match` in drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c and in
/// drivers/iommu/arm/arm-smmu/arm-smmu.c, `apple_dart_of_match` in drivers/iommu/apple-dart.c,
/// `riscv_iommu_of_match` in drivers/iommu/riscv/iommu-platform.c.
const MODELS: &[(&str, IommuModel)] = &[
    ("arm,smmu-v3", IommuModel::SmmuV3),
    ("arm,smmu-v1", IommuModel::SmmuV1),
    ("arm,smmu-v2", IommuModel::SmmuV2),
    ("arm,mmu-400", IommuModel::Mmu400),
    ("arm,mmu-401", IommuModel::Mmu401),
    ("arm,mmu-500", IommuModel::Mmu500),
    ("cavium,smmu-v2", IommuModel::CaviumSmmuV2),
    ("nvidia,smmu-500", IommuModel::Mmu500),
    ("qcom,smmu-v2", IommuModel::SmmuV2),
    ("apple,t8103-dart", IommuModel::AppleDart),
    ("apple,t8103-usb4-dart", IommuModel::AppleDart),
    ("apple,t8110-dart", IommuModel::AppleDart),
    ("apple,t6000-dart", IommuModel::AppleDart),
    ("apple,s5l8960x-dart", IommuModel::AppleDart),
    ("riscv,iommu", IommuModel::Riscv),
];

/// IOMMUs that are PCI functions, where the driver looks at vendor and device and not at the devicetree
/// (Documentation/devicetree/bindings/virtio/pci-iommu.yaml, bindings/iommu/riscv,iommu.yaml).
const PCI_MODELS: &[(&str, IommuModel)] = &[
    ("virtio,pci-iommu", IommuModel::VirtioIommu),
    ("pci1af4,1057", IommuModel::VirtioIommu),
    ("riscv,pci-iommu", IommuModel::Riscv),
    ("pci1efd,edf1", IommuModel::Riscv),
];

/// The IOMMUs of kinds that are known here, each with the number of its node.
pub(super) fn iommus(tree: &Tree<'_>, functions: &Functions<'_>, sink: &mut Sink) -> Vec<(usize, IommuFact)> {
    let known = tree.enabled().filter_map(|node| Some((node, model(node)?)));
    known
        .take(MAX_IOMMUS)
        .filter_map(|(node, model)| Some((node.index(), iommu(node, model, functions, sink)?)))
        .collect()
}

fn model(node: NodeRef<'_, '_>) -> Option<IommuModel> {
    let of = |models: &[(&str, IommuModel)], word: &str| {
        models.iter().find(|(known, _)| *known == word).map(|&(_, model)| model)
    };
    if let Some(model) = node.compatible().find_map(|word| of(MODELS, word)) {
        return Some(model);
    }
    if !node.has("#iommu-cells") {
        return None;
    }
    // Which device is behind a virtio transport is not in the devicetree, but only an IOMMU has cells for others.
    let transport = node.is_compatible("virtio,mmio").then_some(IommuModel::VirtioIommu);
    transport.or_else(|| node.compatible().find_map(|word| of(PCI_MODELS, word)))
}

fn iommu(
    node: NodeRef<'_, '_>,
    model: IommuModel,
    functions: &Functions<'_>,
    sink: &mut Sink,
) -> Option<IommuFact> {
    let (offset, length) = node.place();
    let fact = |name, base, origin| IommuFact {
        name,
        model: Some(model),
        base,
        aperture: None,
        pages: None,
        origin,
    };
    match functions.place(node) {
        Place::Function(address) => {
            let name = match model {
                IommuModel::Riscv => format!("riscv-iommu@{address}"),
                _ => address.to_string(),
            };
            Some(fact(name, None, sink.origin(offset, length)))
        }
        Place::Unknown => Some(fact(node.path(), None, sink.origin(offset, length))),
        Place::Platform => {
            let first = first_register(node, sink)?;
            let base = first.span.first();
            Some(fact(name(node, model, base), Some(base), sink.origin(first.offset, first.length)))
        }
    }
}

/// The name in `sys/class/iommu`: what each driver gives to `iommu_device_sysfs_add`.
fn name(node: NodeRef<'_, '_>, model: IommuModel, base: Hpa) -> String {
    // `of_device_make_bus_id` in drivers/of/platform.c.
    let device = format!("{:x}.{}", base.get(), node.bare_name());
    match model {
        model if model.is_smmuv3() => format!("smmu3.{:#018x}", base.get()),
        model if model.is_smmu() => format!("smmu.{:#018x}", base.get()),
        IommuModel::AppleDart => format!("apple-dart.{device}"),
        IommuModel::Riscv => format!("riscv-iommu@{device}"),
        _ => device,
    }
}
