//! Placement: where RAM goes, and which knobs of the VMM put it there; or why there is no such place.
//!
//! [`problem`] turns host, reserved regions and guest into a list of constraints; [`place`] searches all placements over
//! normalised positions; [`conflict`] finds a minimal set of constraints that leave no placement; [`layout`] writes the
//! answer down. The answer is a value either way.

pub mod bars;
pub mod conflict;
pub mod layout;
pub(crate) mod passed;
pub mod place;
pub mod problem;
pub mod rules;

use serde::{Deserialize, Serialize};

pub use conflict::Conflict;
pub use problem::Problem;

use crate::addr::{Gpa, Hpa, Iova, Span};
use crate::facts::Arch;
use crate::facts::guest::VmmKind;
use crate::guest::GuestSpec;
use crate::host::Host;
use crate::ids::PciAddress;
use crate::kernel::ReservedReport;
use crate::size::{PageSize, Size};
use crate::version::{KernelVersion, Version};
use crate::vmm::{Disabled, Knob, RegionKind};

/// Lays the guest out, or says why that cannot be done. The same input gives the same answer.
///
/// # Errors
/// [`Conflict`] when there is no layout.
pub fn plan(host: &Host, reserved: &ReservedReport, guest: &GuestSpec) -> Result<Plan, Conflict> {
    solve(&Problem::new(host, reserved, guest))
}

/// Solves a problem that is already written down. With fewer constraints than [`Problem::new`] made, this answers what
/// would be possible without them.
///
/// # Errors
/// [`Conflict`] when there is no layout.
pub fn solve(problem: &Problem) -> Result<Plan, Conflict> {
    if !problem.blockers.is_empty() {
        return Err(conflict::blocked(problem));
    }
    match place::search(problem) {
        Some(solution) => Ok(layout::write_down(problem, solution)),
        None => Err(conflict::explain(problem)),
    }
}

/// How a region came to lie where it lies.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Placed {
    /// The VMM puts it there.
    Fixed,
    /// An option of the VMM puts it there.
    Knob,
    /// The search put it there.
    Search,
}

/// A reason, in words, with the rule or fact behind it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reason {
    /// Identifier of the rule.
    pub rule: String,
    /// One sentence with names and numbers.
    pub because: String,
    /// Where it was said, as text.
    pub origin: String,
}

/// A region of the plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlacedRegion {
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: RegionKind,
    /// The addresses.
    #[serde(flatten)]
    pub span: Span<Gpa>,
    /// How it came to lie there.
    pub placed: Placed,
    /// Why it lies there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Reason>,
}

/// How a piece of RAM is given to the guest.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum PieceKind {
    /// Memory at boot.
    Boot,
    /// A module at an explicit address, present at start.
    Dimm,
}

/// A piece of the guest's RAM: contiguous, of one NUMA node.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RamPiece {
    /// `ram0`, `ram1`, …
    pub name: String,
    /// The addresses.
    #[serde(flatten)]
    pub span: Span<Gpa>,
    /// How it is given.
    pub kind: PieceKind,
    /// Guest NUMA node, for a guest with NUMA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// Host node that its memory comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_node: Option<u32>,
}

/// A passed device, with what of its place on the host the guest can be told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PassedDevice {
    /// Its address on the host.
    pub address: PciAddress,
    /// Name of the host's IOMMU in front of it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iommu: Option<String>,
    /// NUMA node of the host that it belongs to, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_node: Option<u32>,
}

/// Where MSIs of the passed devices go.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MsiPlan {
    /// The window that the kernel keeps for doorbells.
    #[serde(flatten)]
    pub span: Span<Iova>,
    /// How many doorbell pages fit.
    pub capacity_pages: u64,
    /// The doorbells of the passed devices.
    pub doorbells: Vec<DoorbellPlan>,
}

/// A doorbell and the address that the kernel gives it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DoorbellPlan {
    /// Where it is.
    pub address: Hpa,
    /// Where devices write.
    pub iova: Iova,
}

/// An option that the VMM must be given, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VmmOption {
    /// The option as it is written.
    pub flag: String,
    /// Why.
    pub why: String,
}

/// What of the host the plan rests on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HostSummary {
    /// Name.
    pub name: String,
    /// Instruction set.
    pub arch: Arch,
    /// Kernel.
    pub kernel: KernelVersion,
    /// Page size of the kernel.
    pub page_size: PageSize,
}

/// The VMM of the plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VmmSummary {
    /// Which one.
    pub name: VmmKind,
    /// Its version.
    pub version: Version,
    /// Its machine type in full, as every later version of the VMM knows it: `virt-11.1`. Empty where there are none.
    pub machine: String,
}

/// How well the guest fits.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// With the VMM's defaults.
    Fits,
    /// With the options listed.
    FitsWithOptions,
    /// Not at all.
    Impossible,
}

/// A layout of a guest on a host.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Plan {
    /// How well it fits; never [`Verdict::Impossible`].
    pub verdict: Verdict,
    /// The host.
    pub host: HostSummary,
    /// The guest.
    pub guest: GuestSpec,
    /// The VMM.
    pub vmm: VmmSummary,
    /// The guest's RAM, ascending. Sizes add up to the guest's memory.
    pub ram: Vec<RamPiece>,
    /// Room for memory plugged in later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hotplug: Vec<Span<Gpa>>,
    /// The whole memory map, ascending by start.
    pub regions: Vec<PlacedRegion>,
    /// PCI segment of each passed function, in the order of the guest's; empty where there is one segment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<u16>,
    /// Regions that the VMM leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disabled: Vec<Disabled>,
    /// Knobs turned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub knobs: Vec<Knob>,
    /// `maxmem=`, where modules are used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory: Option<Size>,
    /// `slots=` likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Guest-physical address bits that the map needs.
    pub needed_bits: u8,
    /// The passed devices, ascending by address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<PassedDevice>,
    /// Where MSIs go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msi_window: Option<MsiPlan>,
    /// What must be set on the host before the plan can run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_settings: Vec<VmmOption>,
    /// What the user should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Reason>,
}
