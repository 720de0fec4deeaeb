//! What each VMM could express from version to version: the matrix that `planner vmm` prints. Computed from the models,
//! not written down a second time.

use serde::Serialize;

use super::{
    BootRule, Capabilities, Choice, Knob, Known, RegionKind, Request, Variant, capabilities_of, memory_map,
    newest, oldest, variants,
};
use crate::addr::Span;
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::size::{PageSize, Size};
use crate::version::Version;

/// Releases in which a VMM could express the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct Era {
    /// The first of them with a model.
    pub since: Version,
    /// The last of them.
    pub until: Version,
    /// What they can express.
    #[serde(flatten)]
    pub can: Capabilities,
    /// The largest window for 64-bit BARs that a setting of the knobs makes, or for 32-bit BARs where there is no other: for a
    /// guest of 4 GiB and 4 vCPUs on a hypervisor with 48 address bits. Absent where nothing is known of windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bar_room: Option<Size>,
}

/// The eras of a VMM, oldest first; one at least.
#[must_use]
pub fn eras(known: &Known) -> Vec<Era> {
    let mut eras: Vec<Era> = Vec::new();
    for version in releases(known.kind, known.arch) {
        let request = sample(known, version);
        // A VMM may have come to this architecture later.
        let Ok(variants) = variants(&request) else { continue };
        let can = capabilities_of(&request);
        let bar_room = variants.iter().filter_map(|variant| window(&request, variant)).max();
        match eras.last_mut() {
            Some(last) if last.can == can && last.bar_room == bar_room => last.until = version,
            _ => eras.push(Era { since: version, until: version, can, bar_room }),
        }
    }
    eras
}

/// What this version of a known VMM can express with that machine type.
#[must_use]
pub fn capabilities_at(known: &Known, version: Version) -> Capabilities {
    capabilities_of(&sample(known, version))
}

/// The releases between the oldest and the newest with a model, ascending; the newest alone where trees rather than
/// releases were read.
fn releases(kind: VmmKind, arch: Arch) -> Vec<Version> {
    let (first, last) = (oldest(kind, arch), newest(kind));
    if !super::capabilities::has_releases(kind) {
        return vec![last];
    }
    let majors = first.major..=last.major;
    let all = majors.flat_map(|major| (0..minors(kind, major)).map(move |minor| Version::new(major, minor)));
    all.filter(|version| (first..=last).contains(version)).collect()
}

/// How many minor releases a major one has had. QEMU has three a year since 4.0; 2 ended with 2.12 and 3 with 3.1.
fn minors(kind: VmmKind, major: u16) -> u16 {
    match (kind, major) {
        (VmmKind::Qemu, 2) => 13,
        (VmmKind::Qemu, 3) => 2,
        (VmmKind::Qemu, _) => 3,
        (VmmKind::Firecracker | VmmKind::Xen, _) => newest(kind).minor.saturating_add(1),
        _ => 1,
    }
}

/// The largest window of this setting.
fn window(request: &Request, variant: &Variant) -> Option<Size> {
    let mut knobs = variant.knobs.clone();
    if let BootRule::Movable { default, .. } = variant.boot {
        knobs.push(Knob::RamBase { at: default });
    }
    let choice = Choice { knobs, boot: request.memory, dimms: Vec::new(), hotplug: Vec::new() };
    let map = memory_map(request, &choice).ok()?;
    let largest = |kind| {
        let windows = map.regions.iter().filter(|region| region.kind == kind);
        windows.filter_map(|region| Span::size(region.span)).max()
    };
    largest(RegionKind::Mmio64).or_else(|| largest(RegionKind::Mmio32))
}

fn sample(known: &Known, version: Version) -> Request {
    Request {
        kind: known.kind,
        version,
        arch: known.arch,
        machine: known.machine.to_owned(),
        cpu: String::new(),
        custom: None,
        vcpus: 4,
        node_cpus: Vec::new(),
        ipa_bits: Some(48),
        memory: Size::gib(4),
        pages: PageSize::K4,
        hotplug: Size::ZERO,
        slots: 0,
        viommu: Viommu::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vmm::known;

    #[test]
    fn eras_follow_each_other_from_the_oldest_to_the_newest_version() {
        for vmm in known() {
            let eras = eras(vmm);
            assert_eq!(eras.last().map(|era| era.until), Some(newest(vmm.kind)), "{vmm:?}");
            assert!(eras.is_sorted_by(|a, b| a.until < b.since), "{vmm:?}");
            assert!(
                eras.windows(2)
                    .all(|pair| pair[0].can != pair[1].can || pair[0].bar_room != pair[1].bar_room)
            );
        }
    }

    #[test]
    fn releases_are_those_that_were_made() {
        let qemu: Vec<String> =
            releases(VmmKind::Qemu, Arch::Aarch64).iter().map(ToString::to_string).collect();
        assert!(qemu.ends_with(&["10.0", "10.1", "10.2", "11.0", "11.1"].map(str::to_owned)), "{qemu:?}");
        assert_eq!(releases(VmmKind::Kvmtool, Arch::Aarch64), [newest(VmmKind::Kvmtool)]);
    }
}
