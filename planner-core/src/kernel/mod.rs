//! What Linux does with a host: reserved regions, usable ranges, the MSI window, blockers and hazards.
//!
//! One file per mechanism; which version does what is data in [`rules`], not `if`s in the mechanisms.

mod aperture;
pub mod conformance;
pub mod dma_domain;
pub mod errno;
mod findings;
pub mod iova;
pub mod iommufd;
mod listing;
pub mod msi;
mod predict;
pub mod producers;
pub mod report;
pub mod resv;
pub mod rules;
pub mod type1;

pub use report::{Question, report, sysfs_text_of};

use serde::{Deserialize, Serialize};

use crate::addr::{BusAddr, Hpa, Iova, Span};
use crate::diag::Origin;
use crate::ids::{GroupId, PciAddress};
use crate::size::{PageSize, PageSizes, Size};
use crate::version::KernelVersion;

/// Kind of a reserved region, in the kernel's order, which decides how equal starts sort
/// (`enum iommu_resv_type`, include/linux/iommu.h).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ResvKind {
    /// `IOMMU_RESV_DIRECT`: must be mapped one to one.
    Direct,
    /// `IOMMU_RESV_DIRECT_RELAXABLE`: may be given up.
    DirectRelaxable,
    /// `IOMMU_RESV_RESERVED`: must not be mapped.
    Reserved,
    /// `IOMMU_RESV_MSI`: doorbells that are not translated.
    Msi,
    /// `IOMMU_RESV_SW_MSI`: the window where the kernel maps doorbells.
    SoftwareMsi,
}

impl ResvKind {
    /// The word in `reserved_regions`; both MSI kinds print alike (drivers/iommu/iommu.c,
    /// `iommu_group_resv_type_string`).
    #[must_use]
    pub const fn sysfs_word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::DirectRelaxable => "direct-relaxable",
            Self::Reserved => "reserved",
            Self::Msi | Self::SoftwareMsi => "msi",
        }
    }
}

/// The MSI window of Arm SMMUs and virtio-iommus: `MSI_IOVA_BASE` and `MSI_IOVA_LENGTH`
/// (drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c; the same in arm-smmu.c and virtio-iommu.c).
fn software_msi_window() -> Span<Iova> {
    Span::of(0x800_0000, 0x80f_ffff).expect("the end lies above the start")
}

/// On what a statement about the kernel rests.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The kernel said so: a capture or a description lists it.
    Listed,
    /// A rule says so.
    Predicted,
}

/// A region of a group's IOVA space that the kernel keeps.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ReservedRegion {
    /// First IOVA.
    pub start: Iova,
    /// Last IOVA; one below `start` for the zero-length regions that the kernel can list.
    pub end: Iova,
    /// Kind; in JSON the word of `reserved_regions`, which the rule tells apart where one word stands for two kinds.
    #[serde(rename = "type", serialize_with = "as_sysfs_word")]
    pub kind: ResvKind,
    /// The rule that makes it.
    pub rule: &'static str,
    /// Listed or predicted.
    pub basis: Basis,
    /// Where it was said.
    pub origin: Origin,
}

fn as_sysfs_word<S: serde::Serializer>(kind: &ResvKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.sysfs_word())
}

impl ReservedRegion {
    /// The addresses, or `None` for a region of length zero.
    #[must_use]
    pub fn span(&self) -> Option<Span<Iova>> {
        Span::new(self.start, self.end)
    }

    /// Whether Linux itself made it up: where it maps doorbells, and the 16 MiB that it maps for ISA bridges. Another
    /// owner of the IOMMU reserves neither.
    #[must_use]
    pub fn is_of_linux(&self) -> bool {
        self.kind == ResvKind::SoftwareMsi || self.rule == rules::FLOPPY.id
    }
}

/// A statement with the rule behind it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finding {
    /// Identifier of the rule.
    pub rule: &'static str,
    /// One sentence, with names and numbers.
    pub because: String,
    /// Where it was said.
    pub origin: Origin,
}

/// What VFIO type1 lets user space map.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Type1Answer {
    /// Usable ranges, ascending, to the byte, as `VFIO_IOMMU_GET_INFO` reports them.
    pub usable: Vec<Span<Iova>>,
    /// `iova_pgsizes`.
    pub page_sizes: PageSizes,
}

/// What iommufd lets user space map, once the device is attached.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum IommufdAnswer {
    /// It can be attached.
    Usable {
        /// Usable ranges, ascending, to the byte, as `IOMMU_IOAS_IOVA_RANGES` reports them.
        usable: Vec<Span<Iova>>,
        /// `out_iova_alignment`.
        alignment: Size,
    },
    /// It cannot.
    Blocked {
        /// Why.
        blocked: Finding,
    },
}

/// A doorbell as a device of the group sees it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MappedDoorbell {
    /// Where it is.
    pub address: Hpa,
    /// The address that the kernel programs into the device.
    pub iova: Iova,
}

/// Where a group's MSIs go.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MsiWindow {
    /// Base of the window.
    pub base: Iova,
    /// The whole window.
    pub span: Span<Iova>,
    /// How many doorbell pages fit; the kernel does not check it.
    pub doorbell_pages: u64,
    /// The doorbells of the group's devices, in the order in which the kernel meets them.
    pub doorbells: Vec<MappedDoorbell>,
}

/// Bus addresses that the kernel lets user space map, but that may never reach the IOMMU.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Hazard {
    /// The bus addresses.
    #[serde(flatten)]
    pub span: Span<BusAddr>,
    /// Identifier of the rule.
    pub rule: &'static str,
    /// One sentence: which window of which root complex.
    pub because: String,
    /// Whether the hardware is known to intercept, or it is merely not known that it does not.
    pub certain: bool,
    /// Where it was said.
    pub origin: Origin,
}

/// Everything about one IOMMU group.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct GroupReport {
    /// Number.
    pub id: GroupId,
    /// PCI functions in it.
    pub devices: Vec<PciAddress>,
    /// Reserved regions, in the kernel's order.
    pub reserved: Vec<ReservedRegion>,
    /// IOVAs that the group's IOMMU translates.
    pub aperture: Span<Iova>,
    /// VFIO type1.
    pub type1: Type1Answer,
    /// iommufd.
    pub iommufd: IommufdAnswer,
    /// The MSI window, if the group has one.
    pub msi: Option<MsiWindow>,
    /// Why no device of the group can be given to a guest, if so.
    pub blockers: Vec<Finding>,
    /// What had to be assumed, and what cannot be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Finding>,
    /// Windows that may take DMA before the IOMMU sees it.
    pub hazards: Vec<Hazard>,
}

/// What a difference says about the rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceWeight {
    /// It could not be foreseen: the facts lack what the kernel knew.
    Unforeseen,
    /// A rule, or a fact that it rests on, is wrong for this host.
    Contradiction,
}

/// A difference between what the kernel listed and what the rules predict.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// The group.
    pub group: GroupId,
    /// The region.
    pub region: ReservedRegion,
    /// Which side has it alone.
    pub only: Basis,
    /// Whether a rule is contradicted by it.
    pub weight: DifferenceWeight,
    /// What that means, in one sentence.
    pub because: String,
}

/// Everything that Linux reserves on a host.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ReservedReport {
    /// Name of the host.
    pub host: String,
    /// The kernel asked about.
    pub kernel: KernelVersion,
    /// Its page size.
    pub page_size: PageSize,
    /// Groups, ascending.
    pub groups: Vec<GroupReport>,
    /// Where prediction and listing differ.
    pub differences: Vec<Difference>,
}

impl ReservedReport {
    /// The group with this number.
    #[must_use]
    pub fn group(&self, id: GroupId) -> Option<&GroupReport> {
        self.groups.iter().find(|group| group.id == id)
    }
}
