//! What stands in the way of giving a group to a guest, and what cannot be told.

use std::collections::BTreeMap;

use super::predict::Machine;
use super::rules::{self, Rule};
use super::{Finding, ReservedRegion, ResvKind};
use crate::addr::{Iova, Span};
use crate::diag::Origin;
use crate::facts::Arch;
use crate::facts::host::IommuModel;
use crate::host::{Device, Doorbell, DoorbellSource, Group};
use crate::ids::PciAddress;
use crate::size::{PageSizes, Size};

/// The group that is judged.
pub(super) struct Subject<'a> {
    pub(super) machine: &'a Machine<'a>,
    pub(super) group: &'a Group,
    pub(super) devices: &'a [&'a Device],
    pub(super) reserved: &'a [ReservedRegion],
}

/// Why no device of the group can be given to a guest, or would be of no use there.
pub(super) fn blockers(subject: &Subject<'_>) -> Vec<Finding> {
    let mut blockers: Vec<Finding> = without_iommu(subject).into_iter().collect();
    blockers.extend(direct_regions(subject));
    blockers.extend(not_isolated(subject, type1_isolation(subject)));
    blockers.extend(no_cookie(subject));
    blockers
}

/// Why iommufd refuses the group, in the order in which the kernel checks.
pub(super) fn iommufd_refusal(subject: &Subject<'_>, page_sizes: PageSizes) -> Option<Finding> {
    no_iommufd(subject)
        .or_else(|| without_iommu(subject))
        .or_else(|| not_isolated(subject, &rules::FD_ISOLATED))
        .or_else(|| direct_regions(subject).into_iter().next())
        .or_else(|| two_msi_regions(subject))
        .or_else(|| coarse_pages(subject, page_sizes))
}

/// What cannot be told about the group, or is worth knowing.
pub(super) fn notes(subject: &Subject<'_>) -> Vec<Finding> {
    let mut notes = Vec::new();
    let Subject { machine, group, reserved, .. } = subject;
    let direct = reserved.iter().find(|region| region.kind == ResvKind::Direct);
    let hole = |region: &&ReservedRegion| {
        let named = region.rule != rules::RELAXED_DIRECT.id;
        named && rules::DIRECT_HOLE.holds(machine.version) && direct_regions(subject).is_empty()
    };
    if let Some(region) = direct.filter(hole) {
        let because = format!(
            "group {} has the direct region {}..={}, which is only a hole on Linux {}: from {} on the \
             group cannot be taken",
            group.id,
            region.start,
            region.end,
            machine.version,
            since(&rules::DIRECT_BLOCKS)
        );
        notes.push(finding(&rules::DIRECT_HOLE, because, &region.origin));
    }
    if !rules::T1_RANGES.holds(machine.version) {
        notes.push(finding(
            &rules::T1_RANGES,
            format!(
                "Linux {} refuses no mapping over a reserved region: user space itself has to keep out",
                machine.version
            ),
            &machine.host.kernel.origin,
        ));
    }
    notes.extend(unknown_isolation(subject));
    let unmapped = bells(subject).find(|(_, bell)| bell.source == DoorbellSource::Unmapped);
    if let Some((device, bell)) = unmapped {
        notes.push(finding(
            &rules::UNMAPPED_DOORBELL,
            format!(
                "{} signals through {} at {}, which Linux never maps: behind a translating IOMMU its \
                 MSIs fault",
                device.address, bell.name, bell.address
            ),
            &bell.origin,
        ));
    }
    notes.extend(reported_by_hypervisor(subject));
    notes
}

/// What a prediction cannot hold: regions that the hypervisor reports to the driver of a virtio-iommu.
fn reported_by_hypervisor(subject: &Subject<'_>) -> Option<Finding> {
    let Subject { machine, group, devices, .. } = subject;
    let is_virtio = |device: &&&Device| machine.model(device) == Some(IommuModel::VirtioIommu);
    let device = devices.iter().find(is_virtio).filter(|_| group.listed.is_none())?;
    let because = format!(
        "the hypervisor reports to the virtio-iommu of {} what it reserves, and no table tells it: QEMU reports where MSIs \
         go (0xfee0_0000..=0xfeef_ffff on x86, the page of the ITS on Arm), which takes the place of the MSI window; \
         reserved_regions of a running kernel lists it",
        device.address
    );
    Some(finding(&rules::VIOMMU_RESV, because, &device.origin))
}

fn finding(rule: &'static Rule, because: String, origin: &Origin) -> Finding {
    Finding { rule: rule.id, because, origin: origin.clone() }
}

/// The release that brought a rule, for messages.
fn since(rule: &Rule) -> String {
    rule.since.map_or_else(|| "the first release".into(), |since| format!("Linux {since}"))
}

fn bells<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (&'a Device, &'a Doorbell)> {
    let host = subject.machine.host;
    let devices = subject.devices.iter().copied();
    devices.filter_map(move |device| Some((device, host.doorbell_of(device)?)))
}

/// A group that the kernel did not form and whose devices are behind no IOMMU.
pub(super) fn without_iommu(subject: &Subject<'_>) -> Option<Finding> {
    let Subject { machine, group, devices, .. } = subject;
    let first = devices.first()?;
    let translated = devices.iter().any(|device| machine.model(device).is_some());
    if translated || group.listed.is_some() {
        return None;
    }
    let because = format!(
        "{} is behind no IOMMU that is known of, so VFIO cannot take group {}",
        first.address, group.id
    );
    Some(finding(&rules::NO_IOMMU, because, &first.origin))
}

/// Regions that must be mapped one to one.
fn direct_regions(subject: &Subject<'_>) -> Vec<Finding> {
    let Subject { machine, group, devices, reserved } = subject;
    let intel = devices.iter().any(|device| machine.model(device) == Some(IommuModel::IntelVtd));
    let (rule, errno) = if rules::DIRECT_BLOCKS.holds(machine.version) {
        (&rules::DIRECT_BLOCKS, "EINVAL")
    } else if intel && rules::RMRR_INELIGIBLE.holds(machine.version) {
        (&rules::RMRR_INELIGIBLE, "EPERM")
    } else {
        return Vec::new();
    };
    let owners = owners(subject);
    let direct = reserved.iter().filter(|region| region.kind == ResvKind::Direct);
    direct
        .filter(|region| region.rule != rules::RELAXED_DIRECT.id)
        .map(|region| {
            let owner = Span::new(region.start, region.end)
                .and_then(|span| owners.range(span.first()..=span.last()).next());
            let (who, name) = match (owner, devices) {
                (Some((_, (device, name))), _) => (device.to_string(), format!(" ({name})")),
                (None, [only]) => (only.address.to_string(), String::new()),
                (None, _) => ("a device of the group".to_owned(), String::new()),
            };
            let because = format!(
                "{who} must reach {}..={}{name} one to one, so taking group {} fails with {errno}: pass \
                 another device, or have firmware drop or relax the region",
                region.start, region.end, group.id
            );
            finding(rule, because, &region.origin)
        })
        .collect()
}

/// By first IOVA of each firmware region of the group: the device that it is for, and its name.
fn owners<'a>(subject: &Subject<'a>) -> BTreeMap<Iova, (PciAddress, &'a str)> {
    let mut owners = BTreeMap::new();
    for device in subject.devices {
        for fact in subject.machine.firmware(device.address) {
            owners.entry(fact.span.first()).or_insert((device.address, fact.name.as_str()));
        }
    }
    owners
}

fn type1_isolation(subject: &Subject<'_>) -> &'static Rule {
    let by_group = rules::ISOLATED_GROUP.holds(subject.machine.version);
    if by_group { &rules::ISOLATED_GROUP } else { &rules::ISOLATED_ANY }
}

/// A doorbell that isolates nothing, when the administrator has not accepted that.
fn not_isolated(subject: &Subject<'_>, rule: &'static Rule) -> Option<Finding> {
    let Subject { machine, group, devices, .. } = subject;
    let host = machine.host;
    let first = devices.first()?;
    if host.kernel.unsafe_interrupts == Some(true) {
        return None;
    }
    let way_out = "if the guest is trusted, set allow_unsafe_interrupts=1";
    if host.arch == Arch::X86_64 {
        let virtio = machine.model(first) == Some(IommuModel::VirtioIommu);
        let because = format!(
            "a virtio-iommu remaps no interrupts, so the MSIs of {} are not isolated and taking group {} \
             fails with EPERM: {way_out}",
            first.address, group.id
        );
        return virtio.then(|| finding(rule, because, &first.origin));
    }
    let open = |bell: &&Doorbell| {
        use DoorbellSource::{GicV2m, Remapped, Unmapped};
        matches!(bell.source, GicV2m | Unmapped | Remapped)
    };
    let bell = if rule.id == rules::ISOLATED_ANY.id {
        host.doorbells.iter().find(open)
    } else {
        bells(subject).map(|(_, bell)| bell).find(open)
    }?;
    let because = format!(
        "the MSI controller {} (doorbell {}) isolates no interrupts, so taking group {} with {} fails \
         with EPERM: {way_out}, or use a machine with an ITS",
        bell.name, bell.address, group.id, first.address
    );
    Some(finding(rule, because, &bell.origin))
}

/// Whether MSIs are isolated cannot be told.
fn unknown_isolation(subject: &Subject<'_>) -> Option<Finding> {
    let Subject { machine, group, devices, .. } = subject;
    let first = devices.first()?;
    if machine.host.kernel.unsafe_interrupts == Some(true) {
        return None;
    }
    if machine.host.arch == Arch::X86_64 {
        let remapping = matches!(machine.model(first), Some(IommuModel::IntelVtd | IommuModel::AmdVi));
        let because = format!(
            "whether interrupt remapping is on was not said: without it, taking group {} fails with EPERM",
            group.id
        );
        return remapping.then(|| finding(&rules::INTERRUPT_REMAPPING, because, &first.origin));
    }
    let unknown = devices.iter().find(|device| machine.host.doorbell_of(device).is_none())?;
    let because = format!(
        "the MSI controller of {} was not said: where it isolates no interrupts, or where there is none, \
         taking group {} fails with EPERM",
        unknown.address, group.id
    );
    Some(finding(&rules::UNKNOWN_DOORBELL, because, &unknown.origin))
}

/// A hardware MSI region on Arm under a kernel that then enables no MSIs.
fn no_cookie(subject: &Subject<'_>) -> Option<Finding> {
    let Subject { machine, group, devices, reserved } = subject;
    if machine.host.arch != Arch::Aarch64 || !rules::NO_COOKIE.holds(machine.version) {
        return None;
    }
    let region = reserved.iter().find(|region| region.kind == ResvKind::Msi)?;
    let remaps = |device: &&&Device| {
        let source = machine.host.doorbell_of(device).map(|bell| bell.source);
        let gic = matches!(
            source,
            None | Some(DoorbellSource::Its | DoorbellSource::GicV2m | DoorbellSource::Remapped)
        );
        gic && machine.model(device) != Some(IommuModel::AppleDart)
    };
    let device = devices.iter().find(remaps)?;
    let because = format!(
        "group {} has the hardware MSI region {}..={}, so it gets no MSI window, and Linux {} then \
         refuses to enable the MSIs of {} (ENOSPC): use a kernel older than {}, or keep the region away \
         from the device",
        group.id,
        region.start,
        region.end,
        machine.version,
        device.address,
        since(&rules::NO_COOKIE)
    );
    Some(finding(&rules::NO_COOKIE, because, &region.origin))
}

fn no_iommufd(subject: &Subject<'_>) -> Option<Finding> {
    let Subject { machine, .. } = subject;
    let kernel = &machine.host.kernel;
    if !rules::IOMMUFD.holds(machine.version) {
        let because =
            format!("Linux {} has no iommufd, which came with {}", machine.version, since(&rules::IOMMUFD));
        return Some(finding(&rules::IOMMUFD, because, &kernel.origin));
    }
    let off = kernel.iommufd == Some(false) && machine.version == kernel.version;
    let because = "this kernel has no /dev/iommu (CONFIG_IOMMUFD is off): use VFIO type1".to_owned();
    off.then(|| finding(&rules::IOMMUFD, because, &kernel.origin))
}

fn two_msi_regions(subject: &Subject<'_>) -> Option<Finding> {
    let find = |kind| subject.reserved.iter().find(move |region| region.kind == kind);
    let (software, hardware) = (find(ResvKind::SoftwareMsi)?, find(ResvKind::Msi)?);
    let because = format!(
        "group {} has both the MSI window {}..={} and the hardware MSI region {}..={}, and iommufd \
         refuses to attach such a device (EINVAL): use VFIO type1",
        subject.group.id, software.start, software.end, hardware.start, hardware.end
    );
    Some(finding(&rules::FD_ONE_MSI, because, &hardware.origin))
}

fn coarse_pages(subject: &Subject<'_>, page_sizes: PageSizes) -> Option<Finding> {
    let page = subject.machine.page_size.size();
    let smallest = super::iommufd::alignment(page_sizes);
    if smallest <= page || smallest == Size::ZERO {
        return None;
    }
    let because = format!(
        "the smallest page of the IOMMU is {smallest}, larger than the host's pages of {page}: attaching \
         fails with EINVAL; use a host kernel with pages of {smallest}"
    );
    let origin = subject.devices.first().map_or(Origin::Unstated, |device| device.origin.clone());
    Some(finding(&rules::FD_GRANULE, because, &origin))
}
