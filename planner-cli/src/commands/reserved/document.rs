//! The report as JSON: schema `reserved/1`.

use planner_core::addr::{Hpa, Iova, Span};
use planner_core::ids::{GroupId, PciAddress};
use planner_core::kernel::{
    Basis, Difference, Finding, GroupReport, Hazard, IommufdAnswer, MsiWindow, ReservedRegion, ReservedReport,
};
use planner_core::size::{PageSize, PageSizes, Size};
use planner_core::version::KernelVersion;
use schemars::JsonSchema;
use serde::Serialize;

/// Name and major version.
pub(crate) const SCHEMA: &str = "reserved/1";

/// What Linux reserves on a host, group by group.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReservedDocument {
    /// Always `reserved/1`.
    schema: &'static str,
    /// The host, and the kernel asked about.
    host: HostDocument,
    /// IOMMU groups, ascending.
    groups: Vec<GroupDocument>,
    /// What was listed and not predicted, or predicted and not listed.
    differences: Vec<DifferenceDocument>,
}

#[derive(Serialize, JsonSchema)]
struct HostDocument {
    name: String,
    kernel: KernelVersion,
    page_size: PageSize,
}

#[derive(Serialize, JsonSchema)]
struct GroupDocument {
    /// Number.
    id: GroupId,
    /// PCI functions in it.
    devices: Vec<PciAddress>,
    /// Reserved regions, in the kernel's order.
    reserved: Vec<RegionDocument>,
    /// What VFIO type1 lets user space map.
    type1: Type1Document,
    /// What iommufd lets user space map.
    iommufd: IommufdDocument,
    /// The window where the kernel maps doorbells.
    msi: Option<MsiDocument>,
    /// Why no device of the group can be given to a guest.
    blockers: Vec<FindingDocument>,
    /// Windows that may take DMA before the IOMMU sees it.
    hazards: Vec<HazardDocument>,
    /// What had to be assumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<FindingDocument>,
}

#[derive(Serialize, JsonSchema)]
struct RegionDocument {
    /// First IOVA.
    start: Iova,
    /// Last IOVA; one below the first for a region of length zero.
    end: Iova,
    /// The word in `reserved_regions`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The rule that makes it.
    rule: &'static str,
    /// Whether the kernel listed it or a rule predicts it.
    basis: Basis,
}

#[derive(Serialize, JsonSchema)]
struct Type1Document {
    usable: Vec<Span<Iova>>,
    page_sizes: PageSizes,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum IommufdDocument {
    Usable { usable: Vec<Span<Iova>>, alignment: Size },
    Blocked { blocked: FindingDocument },
}

#[derive(Serialize, JsonSchema)]
struct MsiDocument {
    /// Where the kernel puts the first doorbell page.
    base: Iova,
    /// How many doorbell pages fit.
    doorbell_pages: u64,
    /// The doorbells of the group's devices.
    doorbells: Vec<DoorbellDocument>,
}

#[derive(Serialize, JsonSchema)]
struct DoorbellDocument {
    address: Hpa,
    /// The address that the kernel programs into devices.
    iova: Iova,
}

#[derive(Serialize, JsonSchema)]
struct FindingDocument {
    rule: &'static str,
    because: String,
}

#[derive(Serialize, JsonSchema)]
struct HazardDocument {
    #[serde(flatten)]
    span: Span<planner_core::addr::BusAddr>,
    rule: &'static str,
    because: String,
}

#[derive(Serialize, JsonSchema)]
struct DifferenceDocument {
    /// The group.
    group: GroupId,
    #[serde(flatten)]
    region: RegionDocument,
    /// Which side has it alone.
    only: Basis,
    because: String,
}

impl ReservedDocument {
    /// The document of a report.
    pub(crate) fn new(report: &ReservedReport) -> Self {
        let ReservedReport { host, kernel, page_size, groups, differences } = report;
        Self {
            schema: SCHEMA,
            host: HostDocument { name: host.clone(), kernel: *kernel, page_size: *page_size },
            groups: groups.iter().map(group).collect(),
            differences: differences.iter().map(difference).collect(),
        }
    }
}

fn group(report: &GroupReport) -> GroupDocument {
    GroupDocument {
        id: report.id,
        devices: report.devices.clone(),
        reserved: report.reserved.iter().map(region).collect(),
        type1: Type1Document { usable: report.type1.usable.clone(), page_sizes: report.type1.page_sizes },
        iommufd: match &report.iommufd {
            IommufdAnswer::Usable { usable, alignment } => {
                IommufdDocument::Usable { usable: usable.clone(), alignment: *alignment }
            }
            IommufdAnswer::Blocked { blocked } => IommufdDocument::Blocked { blocked: finding(blocked) },
        },
        msi: report.msi.as_ref().map(msi),
        blockers: report.blockers.iter().map(finding).collect(),
        hazards: report.hazards.iter().map(hazard).collect(),
        notes: report.notes.iter().map(finding).collect(),
    }
}

fn region(region: &ReservedRegion) -> RegionDocument {
    let ReservedRegion { start, end, kind, rule, basis, .. } = *region;
    RegionDocument { start, end, kind: kind.sysfs_word(), rule, basis }
}

fn msi(window: &MsiWindow) -> MsiDocument {
    let bell = |bell: &planner_core::kernel::MappedDoorbell| DoorbellDocument {
        address: bell.address,
        iova: bell.iova,
    };
    MsiDocument {
        base: window.base,
        doorbell_pages: window.doorbell_pages,
        doorbells: window.doorbells.iter().map(bell).collect(),
    }
}

fn finding(finding: &Finding) -> FindingDocument {
    FindingDocument { rule: finding.rule, because: finding.because.clone() }
}

fn hazard(hazard: &Hazard) -> HazardDocument {
    HazardDocument { span: hazard.span, rule: hazard.rule, because: hazard.because.clone() }
}

fn difference(difference: &Difference) -> DifferenceDocument {
    let Difference { group, region: differing, only, because, .. } = difference;
    DifferenceDocument { group: *group, region: region(differing), only: *only, because: because.clone() }
}
