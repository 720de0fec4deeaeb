//! A host as it was understood, for people and programs that look at it: schema `inspect/1`, a text, a graph.
//!
//! [`Inspection::new`] puts the host in order, functions as a tree below their bridges and alike ones together;
//! [`text()`] and [`dot()`] write it; [`routes`] writes where peer-to-peer requests go. Nothing is decided here: what a thing means for a guest is the business of
//! [`crate::kernel`].

mod class;
mod dot;
mod p2p;
mod text;
mod tree;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::addr::{BusAddr, Hpa, Iova, Span};
use crate::diag::{Diagnostic, Severity};
use crate::facts::Arch;
use crate::facts::host::{FirmwareKind, IommuModel, PeerToPeer, WindowKind};
use crate::host::{DoorbellSource, Host, RootComplex};
use crate::ids::{GroupId, MsiDeviceId, PciAddress, PciClass, PciId, StreamId};
use crate::record::Redaction;
use crate::record::manifest::{Lack, Manifest};
use crate::size::{PageSize, PageSizes};
use crate::version::KernelVersion;

pub use dot::dot;
pub use p2p::{Pair, Turn, Way, pair, turns};
pub use text::{routes, text};

/// A host as it was understood.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Inspection {
    /// Always `inspect/1`.
    pub schema: &'static str,
    /// The machine and its kernel.
    pub host: Machine,
    /// How it was captured, if a capture says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
    /// IOMMUs.
    pub iommus: Vec<Iommu>,
    /// Where devices write to signal an interrupt.
    pub doorbells: Vec<Doorbell>,
    /// Root complexes with what is below them.
    pub root_complexes: Vec<Bridge>,
    /// Functions below no known root complex.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Function>,
    /// IOMMU groups, ascending.
    pub groups: Vec<Group>,
    /// Regions that firmware claims.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub firmware: Vec<Firmware>,
    /// Where peer-to-peer requests go, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p2p: Option<Vec<Turn>>,
    /// Where requests from one function to another go, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p2p_pair: Option<Pair>,
    /// What is missing or doubtful in the input: each kind of diagnostic once.
    pub missing: Vec<Missing>,
}

/// The machine and its kernel. What is absent is not known.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Machine {
    /// Its name, for messages.
    pub name: String,
    /// Instruction set.
    pub arch: Arch,
    /// Release of the kernel.
    pub kernel: KernelVersion,
    /// Page size of the kernel.
    pub page_size: PageSize,
    /// Virtual address bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub va_bits: Option<u8>,
    /// Guest-physical address bits that its hypervisor offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipa_bits: Option<u8>,
    /// Whether iommufd is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iommufd: Option<bool>,
    /// Whether `allow_unsafe_interrupts` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsafe_interrupts: Option<bool>,
    /// System RAM.
    pub ram: Vec<Span<Hpa>>,
}

/// What the manifest of a capture says.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Capture {
    /// What made it.
    pub maker: String,
    /// Whether it was redacted.
    pub redacted: bool,
    /// How many files could not be read.
    pub unread: usize,
    /// How many files could be read in part only.
    pub partly: usize,
    /// How many files were left out.
    pub left_out: usize,
}

/// An IOMMU.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Iommu {
    /// Name.
    pub name: String,
    /// Kind.
    pub model: IommuModel,
    /// Base of its registers, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Hpa>,
    /// IOVAs that it translates, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aperture: Option<Span<Iova>>,
    /// Page sizes that it maps, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_sizes: Option<PageSizes>,
    /// How many functions it translates for.
    pub functions: usize,
}

/// Where devices write to signal an interrupt.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Doorbell {
    /// Name.
    pub name: String,
    /// `its`, `gicv2m`, `fixed` or `unmapped`.
    pub kind: &'static str,
    /// The address written.
    pub address: Hpa,
    /// The registers around it.
    pub frame: Span<Hpa>,
    /// How many functions write to it.
    pub functions: usize,
}

/// A root complex with what is below it.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Bridge {
    /// Name.
    pub name: String,
    /// PCI segment.
    pub segment: u16,
    /// First bus.
    pub first_bus: u8,
    /// Last bus.
    pub last_bus: u8,
    /// NUMA node, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// Windows through which CPUs reach devices.
    pub windows: Vec<Window>,
    /// Windows through which devices reach memory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inbound: Vec<Inbound>,
    /// Functions, each bridge followed by what is below it.
    pub functions: Vec<Function>,
}

/// A window through which CPUs reach devices.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Window {
    /// Kind.
    pub kind: WindowKind,
    /// As CPUs see it.
    pub cpu: Span<Hpa>,
    /// As devices see it.
    pub bus: Span<BusAddr>,
    /// Whether it is prefetchable.
    pub prefetchable: bool,
    /// What becomes of DMA into it, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p2p: Option<PeerToPeer>,
}

/// A window through which devices reach memory.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Inbound {
    /// The memory.
    pub cpu: Span<Hpa>,
    /// As devices see it.
    pub bus: Span<BusAddr>,
}

/// A PCI function, or several that are alike and neighbours.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Function {
    /// Its place; of several, the first.
    pub address: PciAddress,
    /// The last of several.
    pub last: PciAddress,
    /// How many there are.
    pub count: usize,
    /// How many bridges are above it. A virtual function counts its physical function as one.
    pub depth: usize,
    /// The bridge or physical function above it, if it is below one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<PciAddress>,
    /// Whether what is above is its physical function.
    #[serde(rename = "virtual")]
    pub is_virtual: bool,
    /// Vendor and device ID, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<PciId>,
    /// Class, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<PciClass>,
    /// The class in words.
    pub what: &'static str,
    /// Buses below it, if it is a bridge and they are known: first and last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buses: Option<[u8; 2]>,
    /// MSI-X vectors of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msix: Option<u16>,
    /// How many virtual functions it has and could have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_functions: Option<[u16; 2]>,
    /// IOMMU groups, in the order of the functions.
    pub groups: Vec<GroupId>,
    /// Its IOMMU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iommu: Option<String>,
    /// Stream IDs, in the order of the functions, where they are known.
    pub streams: Vec<StreamId>,
    /// The doorbell that it writes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doorbell: Option<String>,
    /// ITS device IDs, in the order of the functions, where they are known.
    pub device_ids: Vec<MsiDeviceId>,
}

/// An IOMMU group.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Group {
    /// Number.
    pub id: GroupId,
    /// Type of its default domain, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// PCI functions in it.
    pub devices: Vec<PciAddress>,
    /// Other devices in it, by their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
}

/// A region that firmware claims.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Firmware {
    /// Name.
    pub name: String,
    /// What firmware wants with it.
    pub kind: FirmwareKind,
    /// The IOVAs.
    #[serde(flatten)]
    pub span: Span<Iova>,
    /// The functions that it is for.
    pub devices: Vec<PciAddress>,
}

/// A kind of diagnostic that the input gave.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Missing {
    /// Its code; `planner explain` knows more.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What is wrong.
    pub title: &'static str,
    /// How many there are.
    pub count: usize,
    /// Where the first is.
    pub place: String,
}

impl Inspection {
    /// The host in order. `found` is what reading and resolving it had to say, `manifest` that of the capture that it
    /// was read from.
    #[must_use]
    pub fn new(host: &Host, found: &[Diagnostic], manifest: Option<&Manifest>) -> Self {
        let mut functions = tree::functions(host);
        let mut of = |index| functions.remove(&index).unwrap_or_default();
        Self {
            schema: "inspect/1",
            host: machine(host),
            capture: manifest.map(captured),
            iommus: iommus(host),
            doorbells: doorbells(host),
            root_complexes: host
                .root_complexes
                .iter()
                .enumerate()
                .map(|(index, complex)| bridge(complex, of(Some(index))))
                .collect(),
            elsewhere: of(None),
            groups: groups(host),
            firmware: firmware(host),
            p2p: None,
            p2p_pair: None,
            missing: missing(found),
        }
    }
}

fn machine(host: &Host) -> Machine {
    Machine {
        name: host.name.clone(),
        arch: host.arch,
        kernel: host.kernel.version,
        page_size: host.kernel.page_size,
        va_bits: host.kernel.va_bits,
        ipa_bits: host.ipa_bits,
        iommufd: host.kernel.iommufd,
        unsafe_interrupts: host.kernel.unsafe_interrupts,
        ram: host.ram.iter().map(|ram| ram.span).collect(),
    }
}

fn captured(manifest: &Manifest) -> Capture {
    let lacking = |lack| manifest.notes.iter().filter(|note| note.lack == lack).count();
    Capture {
        maker: manifest.maker.clone(),
        redacted: manifest.redaction == Redaction::On,
        unread: lacking(Lack::Unread),
        partly: lacking(Lack::Partly),
        left_out: lacking(Lack::LeftOut),
    }
}

fn iommus(host: &Host) -> Vec<Iommu> {
    let mut counts = BTreeMap::new();
    for translation in host.devices.iter().filter_map(|device| device.translation.as_ref()) {
        count(&mut counts, translation.iommu);
    }
    let iommu = |(index, iommu): (usize, &crate::host::Iommu)| Iommu {
        name: iommu.name.clone(),
        model: iommu.model,
        base: iommu.base,
        aperture: iommu.aperture,
        page_sizes: iommu.pages,
        functions: counts.get(&index).copied().unwrap_or(0),
    };
    host.iommus.iter().enumerate().map(iommu).collect()
}

fn doorbells(host: &Host) -> Vec<Doorbell> {
    let mut counts = BTreeMap::new();
    for target in host.devices.iter().filter_map(|device| device.msi_target.as_ref()) {
        count(&mut counts, target.doorbell);
    }
    let doorbell = |(index, doorbell): (usize, &crate::host::Doorbell)| Doorbell {
        name: doorbell.name.clone(),
        kind: match doorbell.source {
            DoorbellSource::Its => "its",
            DoorbellSource::GicV2m => "gicv2m",
            DoorbellSource::Fixed => "fixed",
            DoorbellSource::Unmapped => "unmapped",
            DoorbellSource::Remapped => "remapped",
        },
        address: doorbell.address,
        frame: doorbell.frame,
        functions: counts.get(&index).copied().unwrap_or(0),
    };
    host.doorbells.iter().enumerate().map(doorbell).collect()
}

fn count(counts: &mut BTreeMap<usize, usize>, index: usize) {
    let count = counts.entry(index).or_insert(0);
    *count = count.saturating_add(1);
}

fn bridge(complex: &RootComplex, functions: Vec<Function>) -> Bridge {
    let window = |window: &crate::host::Window| Window {
        kind: window.kind,
        cpu: window.cpu,
        bus: window.bus,
        prefetchable: window.prefetchable,
        p2p: window.p2p,
    };
    Bridge {
        name: complex.name.clone(),
        segment: complex.segment,
        first_bus: complex.first_bus,
        last_bus: complex.last_bus,
        node: complex.node,
        windows: complex.windows.iter().map(window).collect(),
        inbound: complex
            .inbound
            .iter()
            .map(|inbound| Inbound { cpu: inbound.cpu, bus: inbound.bus })
            .collect(),
        functions,
    }
}

fn groups(host: &Host) -> Vec<Group> {
    let group = |group: &crate::host::Group| Group {
        id: group.id,
        domain: group.domain.clone(),
        devices: group.devices.clone(),
        others: group.others.clone(),
    };
    host.groups.iter().map(group).collect()
}

fn firmware(host: &Host) -> Vec<Firmware> {
    let region = |region: &crate::facts::host::FirmwareRegionFact| Firmware {
        name: region.name.clone(),
        kind: region.kind,
        span: region.span,
        devices: region.devices.clone(),
    };
    host.firmware.iter().map(region).collect()
}

/// Each code once, in the order in which they came, errors first.
fn missing(found: &[Diagnostic]) -> Vec<Missing> {
    let mut kinds: Vec<Missing> = Vec::new();
    for diagnostic in found {
        let code = diagnostic.code;
        match kinds.iter_mut().find(|kind| kind.code == code.id) {
            Some(kind) => kind.count = kind.count.saturating_add(1),
            None => kinds.push(Missing {
                code: code.id,
                severity: code.severity,
                title: code.title,
                count: 1,
                place: diagnostic.origin.to_string(),
            }),
        }
    }
    kinds.sort_by_key(|kind| kind.severity);
    kinds
}

#[cfg(test)]
mod tests;
