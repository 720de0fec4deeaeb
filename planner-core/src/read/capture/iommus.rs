//! `sys/class/iommu`: the IOMMUs. Their drivers make the names, and the names tell the kind.

use super::allow::is_function_name;
use super::codes;
use super::iomem::Resource;
use super::log::{Log, quoted};
use super::text::{bad_attribute, first_line, hex_attribute, hex_u64};
use super::tree::{LinkFault, Tree};
use super::vtd;
use crate::addr::{Address, Hpa, Iova, Span};
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{IommuFact, IommuModel};
use crate::version::KernelVersion;

const PATH: &str = "sys/class/iommu";

/// The release from which AMD-Vi page tables have the depth that the hardware states (drivers/iommu/amd/iommu.c,
/// conversion to the generic page table); before it they grow to six levels whatever it states.
const AMD_HATS_SINCE: KernelVersion = KernelVersion::new(6, 19);

/// The IOMMUs, ascending by name.
pub(super) fn iommus(
    tree: &Tree,
    iomem: &[Resource],
    version: Option<KernelVersion>,
    log: &mut Log,
) -> Vec<IommuFact> {
    let mut iommus: Vec<IommuFact> =
        tree.names(PATH).into_iter().map(|name| iommu(tree, name, version, log)).collect();
    if let [only] = iommus.as_mut_slice()
        && only.model == Some(IommuModel::AmdVi)
    {
        only.base = amd_base(iomem);
    }
    iommus
}

fn iommu(tree: &Tree, name: &str, version: Option<KernelVersion>, log: &mut Log) -> IommuFact {
    let link = format!("{PATH}/{name}");
    let path = match tree.canonical(&link) {
        // Most drivers put nothing into the directory that is on the allow-list.
        Err(LinkFault::Dangling) => link.clone(),
        _ => super::follow(tree, &link, log).unwrap_or_else(|| link.clone()),
    };
    let (model, base) = model(name);
    let mut fact = IommuFact {
        name: name.to_owned(),
        model,
        base,
        aperture: None,
        pages: None,
        origin: Origin::file(&link),
    };
    match model {
        Some(IommuModel::IntelVtd) => intel(tree, &path, &mut fact, log),
        Some(IommuModel::AmdVi) => fact.aperture = amd_aperture(tree, &path, version, log),
        Some(_) => {}
        None => {
            let message = format!("the IOMMU {} is of a kind that is not known here", quoted(name));
            log.push(Diagnostic::new(&codes::UNKNOWN_IOMMU, Origin::file(&link), message));
        }
    }
    fact
}

/// Kind and base of the registers, by the name that the driver gives: `iommu_device_sysfs_add` in arm-smmu-v3.c
/// (`smmu3.%pa`), arm-smmu.c (`smmu.%pa`, version 1 or 2), intel/dmar.c, amd/init.c, riscv/iommu.c, apple-dart.c and
/// virtio-iommu.c (the name of the virtio device's parent).
fn model(name: &str) -> (Option<IommuModel>, Option<Hpa>) {
    let prefixes = [
        ("smmu3.", IommuModel::SmmuV3),
        ("smmu.", IommuModel::SmmuV2),
        ("dmar", IommuModel::IntelVtd),
        ("ivhd", IommuModel::AmdVi),
        ("riscv-iommu@", IommuModel::Riscv),
        ("apple-dart.", IommuModel::AppleDart),
    ];
    let known = prefixes.into_iter().find_map(|(prefix, model)| Some((model, name.strip_prefix(prefix)?)));
    match known {
        Some((model, rest)) if model.is_smmu() => {
            let base = hex_u64(rest).ok().filter(|(rest, _)| rest.is_empty());
            (Some(model), base.map(|(_, base)| Hpa::new(base)))
        }
        Some((model, _)) => (Some(model), None),
        None if is_function_name(name) || name.ends_with(".virtio_mmio") => {
            (Some(IommuModel::VirtioIommu), None)
        }
        None => (None, None),
    }
}

fn intel(tree: &Tree, path: &str, fact: &mut IommuFact, log: &mut Log) {
    fact.base = hex_attribute(tree, &format!("{path}/intel-iommu/address"), log).map(Hpa::new);
    let cap = hex_attribute(tree, &format!("{path}/intel-iommu/cap"), log);
    let ecap = hex_attribute(tree, &format!("{path}/intel-iommu/ecap"), log);
    let (Some(cap), Some(ecap)) = (cap, ecap) else { return };
    let tables = vtd::tables(ecap, &first_line(tree, "proc/cmdline").unwrap_or_default());
    fact.aperture = vtd::aperture(cap, tables);
    fact.pages = Some(vtd::pages(cap, tables));
}

/// Host page tables of AMD-Vi (AMD I/O Virtualization Technology Specification 3.4.9, Extended Feature Register, HATS:
/// 0 is four levels, 1 five, 2 six). Six levels translate more than 64 bits.
fn amd_aperture(
    tree: &Tree,
    path: &str,
    version: Option<KernelVersion>,
    log: &mut Log,
) -> Option<Span<Iova>> {
    // The second kind of page table, `amd_iommu=pgtbl_v2`, has a depth that sysfs does not tell.
    if first_line(tree, "proc/cmdline").is_some_and(|line| line.contains("pgtbl_v2")) {
        return None;
    }
    if version? < AMD_HATS_SINCE {
        return Some(Span::full());
    }
    // `EFR:EFR2`; before 6.5 `EFR` alone.
    let path = format!("{path}/amd-iommu/features");
    let line = first_line(tree, &path)?;
    let Some(features) = line.split(':').next().and_then(|efr| hex_u64(efr).ok()).map(|(_, efr)| efr) else {
        log.push(bad_attribute(&path, &line, "the extended features"));
        return None;
    };
    match features >> 10 & 3 {
        0 => Span::of(0, (1 << 48) - 1),
        1 => Span::of(0, (1 << 57) - 1),
        2 => Some(Span::full()),
        _ => None,
    }
}

/// Registers of the only AMD IOMMU: `amd_iommu` in `proc/iomem` (`iommu_map_mmio_space` in drivers/iommu/amd/init.c).
/// With more than one IOMMU it is not known whose they are.
fn amd_base(iomem: &[Resource]) -> Option<Hpa> {
    iomem.iter().find(|resource| resource.name == "amd_iommu").map(|resource| resource.span.first())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::capture::Node;

    #[test]
    fn names_tell_the_kind() {
        let cases = [
            ("smmu3.0x000000000c020000", Some(IommuModel::SmmuV3), Some(Hpa::at(0xc02_0000))),
            ("smmu3.?", Some(IommuModel::SmmuV3), None),
            ("smmu.0x2b500000", Some(IommuModel::SmmuV2), Some(Hpa::at(0x2b50_0000))),
            ("dmar12", Some(IommuModel::IntelVtd), None),
            ("ivhd0", Some(IommuModel::AmdVi), None),
            ("0000:00:01.0", Some(IommuModel::VirtioIommu), None),
            ("a003e00.virtio_mmio", Some(IommuModel::VirtioIommu), None),
            ("riscv-iommu@3010000.iommu", Some(IommuModel::Riscv), None),
            ("fd900000.iommu", None, None),
        ];
        for (name, kind, base) in cases {
            assert_eq!(model(name), (kind, base), "{name}");
        }
    }

    #[test]
    fn amd_page_tables_are_as_deep_as_the_hardware_says_since_the_generic_page_table() {
        let aperture = |features: &str, version| {
            let mut tree = Tree::default();
            tree.insert("x/amd-iommu/features", Node::File(features.as_bytes().to_vec()));
            amd_aperture(&tree, "x", version, &mut Log::default())
        };
        let (old, new) = (Some(KernelVersion::new(6, 12)), Some(KernelVersion::new(7, 3)));
        assert_eq!(aperture("29d3:0\n", new), Some(Span::full()));
        assert_eq!(aperture("21d3:0\n", new), Span::of(0, (1 << 48) - 1));
        assert_eq!(aperture("25d3\n", new), Span::of(0, (1 << 57) - 1));
        assert_eq!(aperture("2dd3\n", new), None);
        assert_eq!(aperture("21d3:0\n", old), Some(Span::full()));
        assert_eq!(aperture("21d3:0\n", None), None);
        assert_eq!(aperture("?\n", new), None);
    }
}
