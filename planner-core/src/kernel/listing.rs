//! What the kernel listed, weighed against what the rules predict.
//!
//! The listing wins for the kernel that made it. For another kernel the prediction is taken, and with it what was listed
//! and no rule explains, since firmware and hypervisor do not change with the kernel.

use std::collections::BTreeMap;

use super::predict::{Cause, Machine, ProbedMsi};
use super::resv::{RawRegion, group_regions};
use super::rules::{self, Rule};
use super::{Basis, Difference, DifferenceWeight, ReservedRegion, ResvKind, software_msi_window};
use crate::addr::{Address, Iova};
use crate::diag::Origin;
use crate::facts::Arch;
use crate::facts::host::{IommuModel, ListedKind, ListedRegion};
use crate::host::{Device, Group};

/// The regions of a group under the kernel asked about, and where listing and prediction differ.
pub(super) struct Weighed {
    pub(super) reserved: Vec<ReservedRegion>,
    pub(super) differences: Vec<Difference>,
}

/// Weighs the regions of one group. `own` is the host under its own kernel, `asked` under the one asked about; they are
/// the same when nobody asked for another.
pub(super) fn weigh(
    own: &Machine<'_>,
    asked: Option<&Machine<'_>>,
    group: &Group,
    devices: &[&Device],
) -> Weighed {
    let model = group_model(own, group, devices);
    let Some(listed) = &group.listed else {
        let reserved = predicted(asked.unwrap_or(own), devices, ProbedMsi::Unknown, Vec::new());
        return Weighed { reserved, differences: Vec::new() };
    };
    let classified: Vec<(RawRegion, &ListedRegion)> =
        listed.iter().map(|region| (raw(region, model, own.host.arch), region)).collect();
    let probed = probed(model, &classified);
    let expected = predicted(own, devices, probed, Vec::new());
    let reserved: Vec<ReservedRegion> = explain(&classified, &expected, model);
    let differences = differences(group, &reserved, &expected);
    let Some(asked) = asked else {
        return Weighed { reserved, differences };
    };
    let unexplained = differences.iter().filter(|difference| difference.only == Basis::Listed);
    let kept = unexplained.map(|difference| difference.region.clone()).collect();
    Weighed { reserved: predicted(asked, devices, probed, kept), differences }
}

/// What the drivers would give for a group that the kernel listed, in the kernel's order.
pub(super) fn foretold(own: &Machine<'_>, group: &Group, devices: &[&Device]) -> Vec<ReservedRegion> {
    let model = group_model(own, group, devices);
    let listed = group.listed.iter().flatten().map(|region| (raw(region, model, own.host.arch), region));
    let classified: Vec<(RawRegion, &ListedRegion)> = listed.collect();
    predicted(own, devices, probed(model, &classified), Vec::new())
}

fn group_model(own: &Machine<'_>, group: &Group, devices: &[&Device]) -> Option<IommuModel> {
    let named = devices.iter().find_map(|device| own.model(device));
    named.or_else(|| group.listed.as_ref().and(own.common_model()))
}

/// Whether the hypervisor of a virtio-iommu reported an MSI region, so that its driver adds no window.
fn probed(model: Option<IommuModel>, listed: &[(RawRegion, &ListedRegion)]) -> ProbedMsi {
    let hardware = listed.iter().any(|(raw, _)| raw.kind == ResvKind::Msi);
    let virtio = model == Some(IommuModel::VirtioIommu);
    if virtio && hardware { ProbedMsi::Listed } else { ProbedMsi::Unknown }
}

/// The kind that the kernel meant: `msi` in sysfs stands for two.
fn raw(region: &ListedRegion, model: Option<IommuModel>, arch: Arch) -> RawRegion {
    let window = software_msi_window();
    let at_window = region.start == window.first() && region.end == window.last();
    let has_window = match model {
        Some(model) => model.is_smmu() || model == IommuModel::VirtioIommu,
        None => arch == Arch::Aarch64,
    };
    let kind = match region.kind {
        ListedKind::Direct => ResvKind::Direct,
        ListedKind::DirectRelaxable => ResvKind::DirectRelaxable,
        ListedKind::Reserved => ResvKind::Reserved,
        ListedKind::Msi if at_window && has_window => ResvKind::SoftwareMsi,
        ListedKind::Msi => ResvKind::Msi,
    };
    RawRegion::from_ends(region.start.get(), region.end.get(), kind)
}

/// What the drivers would give for the group, merged, with what is known besides.
fn predicted(
    machine: &Machine<'_>,
    devices: &[&Device],
    probed: ProbedMsi,
    kept: Vec<ReservedRegion>,
) -> Vec<ReservedRegion> {
    let mut per_device: Vec<Vec<Cause>> =
        devices.iter().map(|device| machine.device_regions(device, probed)).collect();
    per_device.push(machine.shared_regions(devices));
    let mut raws: Vec<Vec<RawRegion>> =
        per_device.iter().map(|causes| causes.iter().map(|cause| cause.raw).collect()).collect();
    let holds_relaxable = rules::RELAXABLE.holds(machine.version);
    let listing = rules::RESV_SYSFS.holds(machine.version);
    let mut reasons: BTreeMap<(u64, ResvKind), Reason> = BTreeMap::new();
    for cause in per_device.into_iter().flatten() {
        let reason = Reason { rule: cause.rule, basis: Basis::Predicted, origin: cause.origin };
        reasons.entry((cause.raw.start, cause.raw.kind)).or_insert(reason);
    }
    for mut region in kept.into_iter().filter(|_| listing) {
        if region.kind == ResvKind::DirectRelaxable && !holds_relaxable {
            region.kind = ResvKind::Direct;
            region.rule = rules::RELAXED_DIRECT.id;
        }
        let rule = rules::rule(region.rule).unwrap_or(&rules::LISTED);
        raws.push(vec![to_raw(&region)]);
        let reason = Reason { rule, basis: Basis::Listed, origin: region.origin };
        reasons.entry((region.start.get(), region.kind)).or_insert(reason);
    }
    let merged = group_regions(raws.iter().map(|regions| Some(regions.as_slice())));
    merged.iter().map(|region| reserved(region, reasons.get(&(region.start, region.kind)))).collect()
}

/// Why a region is there.
struct Reason {
    rule: &'static Rule,
    basis: Basis,
    origin: Origin,
}

fn reserved(raw: &RawRegion, reason: Option<&Reason>) -> ReservedRegion {
    let unknown = Reason { rule: &rules::LISTED, basis: Basis::Predicted, origin: Origin::Unstated };
    let reason = reason.unwrap_or(&unknown);
    ReservedRegion {
        start: Iova::new(raw.start),
        end: Iova::new(raw.end()),
        kind: raw.kind,
        rule: reason.rule.id,
        basis: reason.basis,
        origin: reason.origin.clone(),
    }
}

pub(super) fn to_raw(region: &ReservedRegion) -> RawRegion {
    RawRegion::from_ends(region.start.get(), region.end.get(), region.kind)
}

/// What one line of the listing and one predicted region must share to be the same.
type Line = (u64, u64, &'static str);

fn line(region: &ReservedRegion) -> Line {
    (region.start.get(), region.end.get(), region.kind.sysfs_word())
}

/// The listed regions, each with the rule of the predicted region that it equals, or the likeliest one.
fn explain(
    listed: &[(RawRegion, &ListedRegion)],
    expected: &[ReservedRegion],
    model: Option<IommuModel>,
) -> Vec<ReservedRegion> {
    let by_line: BTreeMap<Line, &ReservedRegion> =
        expected.iter().map(|region| (line(region), region)).collect();
    let explain_one = |(raw, listed): &(RawRegion, &ListedRegion)| {
        let expected = by_line.get(&(raw.start, raw.end(), raw.kind.sysfs_word()));
        ReservedRegion {
            start: listed.start,
            end: listed.end,
            kind: expected.map_or(raw.kind, |expected| expected.kind),
            rule: expected.map_or_else(|| likeliest(raw, model).id, |expected| expected.rule),
            basis: Basis::Listed,
            origin: listed.origin.clone(),
        }
    };
    listed.iter().map(explain_one).collect()
}

/// Whether a region has the size and alignment of the translation frame of an ITS, 64 KiB.
fn is_its_frame(raw: &RawRegion) -> bool {
    raw.length == 0x1_0000 && raw.start.is_multiple_of(0x1_0000)
}

fn likeliest(raw: &RawRegion, model: Option<IommuModel>) -> &'static Rule {
    match (raw.kind, model) {
        (ResvKind::SoftwareMsi, Some(IommuModel::VirtioIommu)) => &rules::VIOMMU_SWMSI,
        (ResvKind::SoftwareMsi, _) => &rules::SWMSI,
        (_, Some(IommuModel::VirtioIommu)) => &rules::VIOMMU_RESV,
        (ResvKind::Msi, Some(model)) if model.is_smmuv3() && is_its_frame(raw) => &rules::HI161X,
        (ResvKind::Direct, Some(IommuModel::IntelVtd)) => &rules::RMRR,
        (ResvKind::DirectRelaxable, Some(IommuModel::IntelVtd)) if raw.start == 0 => &rules::FLOPPY,
        (ResvKind::DirectRelaxable, Some(IommuModel::IntelVtd)) => &rules::RMRR,
        (ResvKind::Direct, Some(IommuModel::AmdVi)) => &rules::IVMD,
        (ResvKind::Msi, _) => &rules::LISTED,
        _ => &rules::FIRMWARE,
    }
}

fn differences(group: &Group, listed: &[ReservedRegion], expected: &[ReservedRegion]) -> Vec<Difference> {
    let lines = |regions: &[ReservedRegion]| -> BTreeMap<Line, ()> {
        regions.iter().map(|region| (line(region), ())).collect()
    };
    let (in_listing, in_prediction) = (lines(listed), lines(expected));
    let only = |region: &ReservedRegion, only: Basis, (weight, because): (DifferenceWeight, &str)| {
        Difference { group: group.id, region: region.clone(), only, weight, because: because.to_owned() }
    };
    let mut differences: Vec<Difference> = listed
        .iter()
        .filter(|region| !in_prediction.contains_key(&line(region)))
        .map(|region| only(region, Basis::Listed, listed_only(region)))
        .collect();
    differences.extend(
        expected
            .iter()
            .filter(|region| !in_listing.contains_key(&line(region)))
            .map(|region| only(region, Basis::Predicted, predicted_only(region))),
    );
    differences
}

fn predicted_only(region: &ReservedRegion) -> (DifferenceWeight, &'static str) {
    if region.rule == rules::FLOPPY.id {
        (
            DifferenceWeight::Unforeseen,
            "the kernel did not list it: it is built without CONFIG_INTEL_IOMMU_FLOPPY_WA",
        )
    } else if region.rule == rules::RMR.id {
        (
            DifferenceWeight::Unforeseen,
            "the kernel did not list it: firmware does not ask to preserve the boot configuration (_DSM \
             function 5)",
        )
    } else {
        (
            DifferenceWeight::Contradiction,
            "a rule makes this region, but the kernel did not list it: the rule, or the fact that it rests \
             on, is wrong for this host",
        )
    }
}

fn listed_only(region: &ReservedRegion) -> (DifferenceWeight, &'static str) {
    match region.kind {
        ResvKind::Direct | ResvKind::DirectRelaxable | ResvKind::Reserved => (
            DifferenceWeight::Unforeseen,
            "the kernel lists it, and the facts about the host name no firmware table or device property \
             that asks for it: nothing contradicts it, it could only not be foreseen",
        ),
        ResvKind::Msi if region.rule == rules::VIOMMU_RESV.id => (
            DifferenceWeight::Unforeseen,
            "the hypervisor reported it to the guest kernel, which no table tells: it could only not be \
             foreseen",
        ),
        ResvKind::Msi if region.rule == rules::HI161X.id => (
            DifferenceWeight::Unforeseen,
            "the kernel lists it: the IORT says that the SMMU is of the model that does not translate \
             doorbells, and the IORT is not among the facts",
        ),
        ResvKind::Msi | ResvKind::SoftwareMsi => {
            (DifferenceWeight::Contradiction, "the kernel lists it, and no rule makes it for this IOMMU")
        }
    }
}
