//! IOMMUs: those that the kernel drives, with what firmware says of their kind and place.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{IommuFact, IommuModel};
use crate::read::capture::codes;
use crate::read::capture::log::Log;
use crate::read::capture::tree::Tree;

/// Names that firmware's facts give to IOMMUs, and the names that the kernel gives to them.
pub(super) type Renames = BTreeMap<String, String>;

/// Adds what firmware says to the IOMMUs of the kernel. Firmware's own are added where nobody looked which ones the
/// kernel drives.
pub(super) fn iommus(listed: &mut Vec<IommuFact>, said: &[IommuFact], tree: &Tree, log: &mut Log) -> Renames {
    let looked = !listed.is_empty() || tree.exists("sys/kernel/iommu_groups");
    let by_base = listed.iter().enumerate().filter_map(|(index, iommu)| Some((iommu.base?, index)));
    let by_base: BTreeMap<_, _> = by_base.collect();
    let by_name = listed.iter().enumerate().map(|(index, iommu)| (iommu.name.clone(), index));
    let by_name: BTreeMap<_, _> = by_name.collect();
    let mut renames = Renames::new();
    let mut described = vec![false; listed.len()];
    for fact in said {
        let index =
            fact.base.and_then(|base| by_base.get(&base)).or_else(|| by_name.get(&fact.name)).copied();
        match index.and_then(|index| Some((listed.get_mut(index)?, described.get_mut(index)?))) {
            Some((same, described)) => {
                *described = true;
                refine(same, fact, log);
                renames.insert(fact.name.clone(), same.name.clone());
            }
            None if looked => log.push(idle(fact)),
            None => {
                renames.insert(fact.name.clone(), fact.name.clone());
                listed.push(fact.clone());
            }
        }
    }
    if let Some(first) = said.first() {
        for (iommu, _) in listed.iter().zip(described).filter(|(_, described)| !described) {
            log.push(undescribed(iommu, &first.origin));
        }
    }
    renames
}

/// The kernel's name for an IOMMU tells its driver, firmware tells which of the kinds that the driver knows it is.
fn refine(listed: &mut IommuFact, said: &IommuFact, log: &mut Log) {
    match (listed.model, said.model) {
        (None, model) => listed.model = model,
        (Some(one), Some(other)) if driver(one) == driver(other) => listed.model = said.model,
        _ => {}
    }
    match (listed.base, said.base) {
        (None, base) => listed.base = base,
        (Some(one), Some(other)) if one != other => {
            let message =
                format!("`{}` is at {one} for the kernel, and firmware has it at {other}", listed.name);
            let diagnostic = Diagnostic::new(&codes::OTHER_IOMMU, listed.origin.clone(), message);
            log.push(diagnostic.related(said.origin.clone(), "what firmware says"));
        }
        _ => {}
    }
}

/// What stands for the driver of an IOMMU.
fn driver(model: IommuModel) -> IommuModel {
    match model {
        model if model.is_smmuv3() => IommuModel::SmmuV3,
        model if model.is_smmu() => IommuModel::SmmuV2,
        model => model,
    }
}

fn idle(said: &IommuFact) -> Diagnostic {
    let message = format!("firmware describes the IOMMU `{}`, and the kernel does not drive it", said.name);
    let place = Origin::file("sys/class/iommu");
    Diagnostic::new(&codes::IDLE_IOMMU, said.origin.clone(), message).related(place, "not here")
}

fn undescribed(listed: &IommuFact, said: &Origin) -> Diagnostic {
    let message = format!("the kernel drives the IOMMU `{}`, which firmware does not describe", listed.name);
    let diagnostic = Diagnostic::new(&codes::OTHER_IOMMU, listed.origin.clone(), message);
    diagnostic.related(said.clone(), "what firmware says of IOMMUs")
}
