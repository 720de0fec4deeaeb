//! A VMM that the guest's file describes: the plan as a table in JSON, which that VMM, or what starts it, reads.

use serde::Serialize;

use super::parts::made_for;
use super::{OutputFile, Unsupported};
use crate::addr::{Gpa, Iova, Span};
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::ids::PciAddress;
use crate::plan::{PieceKind, Plan, VmmOption};
use crate::size::{PageSize, Size};
use crate::vmm::RegionKind;

/// Name and major version of the JSON.
const SCHEMA: &str = "layout/1";

/// The file. Spans have their first and last address, as everywhere in the planner.
#[derive(Serialize)]
struct Layout<'p> {
    schema: &'static str,
    name: &'p str,
    arch: Arch,
    vcpus: u32,
    address_bits: u8,
    /// Size of the host pages behind the memory.
    pages: PageSize,
    memory: Vec<Memory<'p>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hotplug: &'p Vec<Span<Gpa>>,
    regions: Vec<Region<'p>>,
    pass: &'p Vec<PciAddress>,
    viommu: Viommu,
    iommufd: bool,
    /// Where the host's kernel maps MSI doorbells; no memory lies there.
    #[serde(skip_serializing_if = "Option::is_none")]
    msi_window: Option<Span<Iova>>,
}

#[derive(Serialize)]
struct Memory<'p> {
    name: &'p str,
    #[serde(flatten)]
    span: Span<Gpa>,
    size: Option<Size>,
    /// `boot`, or `further`: a piece beyond the memory at boot.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_node: Option<u32>,
}

#[derive(Serialize)]
struct Region<'p> {
    name: &'p str,
    kind: RegionKind,
    #[serde(flatten)]
    span: Span<Gpa>,
    size: Option<Size>,
}

/// `layout.json`.
pub(super) fn layout(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    made_for(plan, VmmKind::Custom)?;
    let guest = &plan.guest;
    let layout = Layout {
        schema: SCHEMA,
        name: &guest.name,
        arch: guest.arch,
        vcpus: guest.vcpus,
        address_bits: plan.needed_bits,
        pages: guest.pages,
        memory: memory(plan),
        hotplug: &plan.hotplug,
        regions: regions(plan),
        pass: &guest.pass,
        viommu: guest.viommu,
        iommufd: guest.iommufd,
        msi_window: plan.msi_window.as_ref().map(|msi| msi.span),
    };
    let text = serde_json::to_string_pretty(&layout).expect("names and numbers") + "\n";
    Ok(vec![OutputFile { file: "layout.json".to_owned(), text }])
}

/// What the search chose is in the file, not in options.
pub(super) fn explained(plan: &Plan) -> Vec<VmmOption> {
    let chosen = !plan.knobs.is_empty() || plan.ram.iter().any(|piece| piece.kind == PieceKind::Dimm);
    let option = || VmmOption {
        flag: "layout.json".to_owned(),
        why: "memory and windows lie where it says, not where the VMM would put them by itself".to_owned(),
    };
    if chosen { vec![option()] } else { Vec::new() }
}

fn memory(plan: &Plan) -> Vec<Memory<'_>> {
    let pieces = plan.ram.iter().map(|piece| Memory {
        name: &piece.name,
        span: piece.span,
        size: piece.span.size(),
        kind: if piece.kind == PieceKind::Boot { "boot" } else { "further" },
        node: piece.node,
        host_node: piece.host_node,
    });
    pieces.collect()
}

/// Everything but memory and what belongs to the host.
fn regions(plan: &Plan) -> Vec<Region<'_>> {
    let of_the_host = |kind, name: &str| kind == RegionKind::Msi && name == "msi-window";
    let others = plan.regions.iter().filter(|region| {
        !matches!(region.kind, RegionKind::Ram | RegionKind::Hotplug)
            && !of_the_host(region.kind, &region.name)
    });
    let told = others.map(|region| Region {
        name: &region.name,
        kind: region.kind,
        span: region.span,
        size: region.span.size(),
    });
    told.collect()
}
