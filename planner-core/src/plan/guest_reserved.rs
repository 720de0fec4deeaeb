//! What the guest's own kernel must leave unused, and its VMM does not tell it of.
//!
//! Behind an IOMMU of its own, the guest chooses DMA addresses by itself: those that the host refuses or misroutes must be
//! known to it. And where the policy lets RAM lie in a hazard, the guest can still leave that part of its memory alone.

use serde::{Deserialize, Serialize};

use super::problem::{Demand, Problem, region_reason, rule_reason};
use super::{PieceKind, Plan, Reason, rules};
use crate::addr::{Address, Gpa, Iova, Span};
use crate::facts::Arch;
use crate::facts::guest::{HazardPolicy, NumaFact, Viommu, VmmKind};
use crate::ids::PciAddress;
use crate::kernel::{GroupReport, ResvKind};
use crate::size::Size;
use crate::span_set::SpanSet;
use crate::vmm::{self, Told};

/// Kernel, initial ramdisk and device tree lie this far from the start of RAM at most, and cannot be left out of it
/// (kvmtool arm/kvm.c, kvm__load_kernel: SZ_256M; QEMU hw/arm/boot.c keeps to 128 MiB).
const LOADED: Size = Size::mib(256);

/// DMA addresses that a passed device must not use, behind the guest's IOMMU.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReservedDma {
    /// The addresses.
    #[serde(flatten)]
    pub span: Span<Iova>,
    /// The passed devices that must not use them.
    pub devices: Vec<PciAddress>,
    /// Why.
    pub because: Reason,
}

/// RAM of the guest that it should leave unused.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ReservedMemory {
    /// The addresses.
    #[serde(flatten)]
    pub span: Span<Gpa>,
    /// Why.
    pub because: Reason,
}

/// How the guest's kernel can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GuestPatch {
    /// An overlay of its device tree.
    DeviceTree,
    /// Reserved memory ranges in its IORT.
    Iort,
    /// Parameters of its kernel.
    KernelParameters,
}

/// What the guest's kernel must leave unused without hearing it from its VMM.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GuestReserved {
    /// DMA addresses behind the guest's IOMMU, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dma: Vec<ReservedDma>,
    /// How the guest can be told of them; nothing can if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dma_by: Option<GuestPatch>,
    /// RAM, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<ReservedMemory>,
    /// How the guest can be told of it; nothing can if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_by: Option<GuestPatch>,
}

impl GuestReserved {
    /// Whether the guest need not be told anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dma.is_empty() && self.memory.is_empty()
    }
}

/// The DMA addresses that the passed devices of these groups must not use and the guest is not told of; nothing without an
/// IOMMU of the guest's own, where DMA addresses are those of its RAM.
pub(super) fn of_groups(problem: &Problem, groups: &[&GroupReport]) -> Vec<ReservedDma> {
    if problem.guest.viommu == Viommu::None {
        return Vec::new();
    }
    let told = vmm::told(&problem.request);
    let mut all: Vec<ReservedDma> = Vec::new();
    for group in groups {
        let passed = |device: &&PciAddress| problem.guest.pass.contains(device);
        let devices: Vec<PciAddress> = group.devices.iter().filter(passed).copied().collect();
        for (span, because) in of_group(problem, group, told) {
            add(&mut all, span, &devices, because);
        }
    }
    all.sort_by(|a, b| (a.span, &a.because.rule).cmp(&(b.span, &b.because.rule)));
    all
}

/// Devices of several groups share a row where addresses and rule are the same.
fn add(all: &mut Vec<ReservedDma>, span: Span<Iova>, devices: &[PciAddress], because: Reason) {
    if devices.is_empty() {
        return;
    }
    match all.iter_mut().find(|row| row.span == span && row.because.rule == because.rule) {
        Some(row) => {
            row.devices.extend(devices);
            row.devices.sort_unstable();
            row.devices.dedup();
        }
        None => all.push(ReservedDma { span, devices: devices.to_vec(), because }),
    }
}

fn of_group(problem: &Problem, group: &GroupReport, told: Told) -> Vec<(Span<Iova>, Reason)> {
    let nested = problem.guest.viommu == Viommu::SmmuV3;
    let mut rows = Vec::new();
    for region in &group.reserved {
        let hidden = match region.kind {
            ResvKind::SoftwareMsi | ResvKind::Msi => !told.msi,
            ResvKind::Reserved | ResvKind::Direct => !told.refused,
            ResvKind::DirectRelaxable => false,
        };
        let span = region.span().filter(|_| hidden);
        rows.extend(span.map(|span| (span, region_reason(region, group))));
    }
    let whole: SpanSet<Iova> = [group.aperture].into_iter().collect();
    // An accelerated SMMU has the width of the host's, and the guest reads it in its registers.
    for span in whole.complement().iter().filter(|_| !told.refused && !nested) {
        let because = format!("the IOMMU of group {} translates {} only", group.id, group.aperture);
        rows.push((span, rule_reason(crate::kernel::rules::T1_APERTURE.id, because)));
    }
    for hazard in group.hazards.iter().filter(|_| problem.guest.hazards != HazardPolicy::Ignore) {
        let reason = Reason {
            rule: hazard.rule.into(),
            because: hazard.because.clone(),
            origin: hazard.origin.to_string(),
        };
        rows.push((hazard.span.cast(), reason));
    }
    rows
}

/// Writes down what the guest must be told, and how; warns of what it cannot be told.
pub(super) fn write_down(problem: &Problem, plan: &mut Plan) {
    let (memory, lost) = memory_in_hazards(problem, plan);
    let dma = within_width(problem, plan);
    let reserved = GuestReserved {
        dma_by: dma_patch(plan).filter(|_| !dma.is_empty()),
        dma,
        memory_by: memory_patch(plan).filter(|_| !memory.is_empty()),
        memory,
    };
    if !reserved.dma.is_empty() {
        plan.warnings.push(dma_warning(plan, &reserved));
    }
    if !reserved.memory.is_empty() {
        plan.warnings.push(memory_warning(&reserved));
    }
    for span in lost {
        let because = format!(
            "{span} of RAM lies in a hazard too, and cannot be left unused: it is in a memory module, or within the first \
             {LOADED} of RAM, where the guest's kernel is loaded"
        );
        plan.warnings.push(rule_reason(rules::GUEST_RAM, because));
    }
    plan.guest_reserved = reserved;
}

/// Without what lies beyond the addresses that the guest's IOMMU has.
fn within_width(problem: &Problem, plan: &Plan) -> Vec<ReservedDma> {
    let width = vmm::width(&problem.request, plan.needed_bits);
    let end = width.and_then(|width| 1_u64.checked_shl(u32::from(width.bits)));
    let inside = |row: &&ReservedDma| end.is_none_or(|end| row.span.first().get() < end);
    problem.guest_dma.iter().filter(inside).cloned().collect()
}

/// The parts of RAM that lie in hazards which the policy tolerates: those that can be left unused, and the others.
fn memory_in_hazards(problem: &Problem, plan: &Plan) -> (Vec<ReservedMemory>, Vec<Span<Gpa>>) {
    let loaded = plan.ram.first().and_then(|piece| Span::from_start_size(piece.span.first(), LOADED));
    let loaded: SpanSet<Gpa> = loaded.into_iter().collect();
    let of_kind = |kind| plan.ram.iter().filter(move |piece| piece.kind == kind).map(|piece| piece.span);
    let boot: SpanSet<Gpa> = of_kind(PieceKind::Boot).collect();
    let modules: SpanSet<Gpa> = of_kind(PieceKind::Dimm).collect();
    let (mut usable, needed) = (boot.difference(&loaded), modules.union(&boot.intersection(&loaded)));
    let (mut rows, mut lost) = (Vec::new(), SpanSet::default());
    for constraint in &problem.tolerated {
        let Demand::KeepOut(hazard) = &constraint.demand else { continue };
        let hit = usable.intersection(hazard);
        usable = usable.difference(&hit);
        rows.extend(hit.iter().map(|span| ReservedMemory { span, because: constraint.reason.clone() }));
        lost = lost.union(&needed.intersection(hazard));
    }
    rows.sort_by_key(|row| row.span);
    (rows, lost.iter().collect())
}

/// Whether the guest boots with ACPI tables only, which on Arm is so with memory modules, accelerated SMMUs, and devices that are
/// told to be near to a NUMA node.
fn has_acpi_only(plan: &Plan) -> bool {
    let near = |node: &NumaFact| plan.passed.iter().any(|device| device.host_node == node.host_node);
    let near = plan.guest.numa.iter().filter(|node| node.host_node.is_some()).any(near);
    let modules = !plan.hotplug.is_empty() || plan.ram.iter().any(|piece| piece.kind == PieceKind::Dimm);
    plan.guest.arch == Arch::X86_64
        || plan.guest.vmm == VmmKind::CloudHypervisor
        || (plan.guest.vmm == VmmKind::Qemu && (modules || near || plan.guest.viommu == Viommu::SmmuV3))
}

/// Linux takes reserved DMA addresses from device trees for any IOMMU (drivers/iommu/of_iommu.c,
/// of_iommu_get_resv_regions, since 6.3) and from ACPI for SMMUs only (drivers/acpi/arm64/iort.c,
/// iort_iommu_get_resv_regions).
fn dma_patch(plan: &Plan) -> Option<GuestPatch> {
    match plan.guest.viommu {
        Viommu::SmmuV3 => Some(GuestPatch::Iort),
        Viommu::Virtio if !has_acpi_only(plan) => Some(GuestPatch::DeviceTree),
        Viommu::Virtio | Viommu::Intel | Viommu::None => None,
    }
}

/// Reserved memory is of the device tree (drivers/of/of_reserved_mem.c); on x86 it is `memmap=` (arch/x86/kernel/e820.c,
/// parse_memmap_one).
fn memory_patch(plan: &Plan) -> Option<GuestPatch> {
    match plan.guest.arch {
        Arch::X86_64 => Some(GuestPatch::KernelParameters),
        Arch::Aarch64 | Arch::Riscv64 if has_acpi_only(plan) => None,
        Arch::Aarch64 | Arch::Riscv64 => Some(GuestPatch::DeviceTree),
    }
}

fn dma_warning(plan: &Plan, reserved: &GuestReserved) -> Reason {
    let spans: SpanSet<Iova> = reserved.dma.iter().map(|row| row.span).collect();
    let spans: Vec<String> = spans.iter().map(|span| span.to_string()).collect();
    let how = match reserved.dma_by {
        Some(GuestPatch::DeviceTree) => "the overlay guest-dt tells it",
        Some(GuestPatch::Iort) => "the table guest-iort tells it",
        Some(GuestPatch::KernelParameters) | None => {
            "no table can tell it; with iommu.passthrough=1 it uses the addresses of its RAM, which lie elsewhere, and gives \
             up the isolation of its devices"
        }
    };
    let because = format!(
        "the guest's kernel must not use {} for DMA of the passed devices, and {} does not tell it: {how}",
        spans.join(", "),
        plan.vmm.name
    );
    rule_reason(rules::GUEST_DMA, because)
}

fn memory_warning(reserved: &GuestReserved) -> Reason {
    let spans: Vec<String> = reserved.memory.iter().map(|row| row.span.to_string()).collect();
    let how = match reserved.memory_by {
        Some(GuestPatch::DeviceTree) => "the overlay guest-dt has the guest leave it unused",
        Some(GuestPatch::KernelParameters) => "parameters of the guest's kernel have it leave that unused",
        Some(GuestPatch::Iort) | None => {
            "a guest that boots with ACPI cannot be told to leave it unused: plan again with --hazards strict"
        }
    };
    rule_reason(rules::GUEST_RAM, format!("RAM at {} lies in hazards: {how}", spans.join(", ")))
}
