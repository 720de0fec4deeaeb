//! Facts to host: names become indices, gaps get their defaults, contradictions become diagnostics.

use std::collections::BTreeMap;

use super::codes;
use super::requester::{Names, identities};
use super::topology::groups::{self, Grouping};
use super::topology::{Topology, compare};
use super::{Device, Doorbell, DoorbellSource, Group, Host, Inbound, Iommu, Kernel, RootComplex, Window};
use crate::addr::{Address, Hpa, Span};
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::facts::host::{DeviceFact, DoorbellKind, HostFacts, IommuModel, RootComplexFact};
use crate::ids::{GroupId, PciAddress};
use crate::size::{PageSize, Size};
use crate::version::KernelVersion;

/// The newest kernel whose behaviour the rules were checked against.
pub const NEWEST_KERNEL: KernelVersion = KernelVersion::new(7, 3);

/// Offset of `GITS_TRANSLATER` in an ITS: translation frame at 64 KiB, register at 0x40 (Arm IHI 0069, 12.18).
pub const ITS_TRANSLATER: Size = Size::from_bytes(0x1_0040);
/// Offset of `MSI_SETSPI_NS` in a GICv2m frame (Arm Server Base System Architecture, appendix E).
pub const V2M_SETSPI: Size = Size::from_bytes(0x40);

/// The host that the facts describe, with everything that is doubtful about them.
///
/// A host comes back whatever the diagnostics say; with an error among them it must not be planned for.
#[must_use]
pub fn resolve(facts: &HostFacts) -> (Host, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let iommus: Vec<Iommu> = facts.iommus.iter().map(|iommu| resolve_iommu(facts, iommu)).collect();
    let doorbells = doorbells(facts);
    let root_complexes: Vec<RootComplex> = facts.root_complexes.iter().map(root_complex).collect();
    let names = Names {
        iommus: iommus.iter().enumerate().map(|(index, iommu)| (iommu.name.as_str(), index)).collect(),
        doorbells: doorbells.iter().enumerate().map(|(index, bell)| (bell.name.as_str(), index)).collect(),
    };
    check_names(facts, &names, &mut found);
    let mut devices = devices(facts, &mut found);
    identify(facts, &mut devices, &root_complexes, &names, &mut found);
    let kernel = kernel(facts, &mut found);
    let predicted = {
        let (topology, _) = Topology::of_functions(&devices, &root_complexes);
        groups::groups(&topology, &iommus, kernel.version)
    };
    let groups = groups(facts, &predicted, &mut devices, &mut found);
    if !facts.groups.is_empty() {
        let (topology, _) = Topology::of_functions(&devices, &root_complexes);
        found.extend(compare::compare(&topology, &predicted, &groups));
    }
    let mut ram = facts.ram.clone();
    ram.sort_by_key(|bank| bank.span);
    let host = Host {
        name: facts.name.clone(),
        arch: arch(facts, &mut found),
        kernel,
        ipa_bits: facts.ipa_bits,
        ram,
        iommus,
        doorbells,
        root_complexes,
        devices,
        groups,
        firmware: facts.firmware.clone(),
    };
    super::check::check(&host, &mut found);
    (host, found)
}

/// Gives every function its IOMMU and its doorbell, by the requester ID under which its DMA arrives.
fn identify(
    facts: &HostFacts,
    devices: &mut [Device],
    root_complexes: &[RootComplex],
    names: &Names<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let (topology, wrong) = Topology::of_functions(devices, root_complexes);
    let identities = identities(&topology, &facts.root_complexes, names);
    found.extend(wrong);
    for (device, identity) in devices.iter_mut().zip(identities) {
        device.translation = identity.translation;
        device.msi_target = identity.msi_target;
    }
}

fn kernel(facts: &HostFacts, found: &mut Vec<Diagnostic>) -> Kernel {
    let Some(kernel) = &facts.kernel else {
        found.push(
            Diagnostic::new(
                &codes::KERNEL_ASSUMED,
                facts.origin.clone(),
                format!(
                    "the kernel of `{}` is not said; Linux {NEWEST_KERNEL} with 4 KiB pages is assumed",
                    facts.name
                ),
            )
            .help("add `kernel linux 6.12 { page 4K }`, or ask with `--kernel 6.12 --page 4K`"),
        );
        return Kernel {
            version: NEWEST_KERNEL,
            page_size: PageSize::K4,
            va_bits: None,
            iommufd: None,
            unsafe_interrupts: None,
            origin: Origin::Unstated,
        };
    };
    Kernel {
        version: kernel.version,
        page_size: kernel.page_size.unwrap_or(PageSize::K4),
        va_bits: kernel.va_bits,
        iommufd: kernel.iommufd,
        unsafe_interrupts: kernel.unsafe_interrupts,
        origin: kernel.origin.clone(),
    }
}

fn arch(facts: &HostFacts, found: &mut Vec<Diagnostic>) -> Arch {
    let by_iommu = facts.iommus.iter().filter_map(|iommu| iommu.model).find_map(|model| match model {
        IommuModel::IntelVtd | IommuModel::AmdVi => Some(Arch::X86_64),
        IommuModel::Riscv => Some(Arch::Riscv64),
        model if model.is_smmu() || model == IommuModel::AppleDart => Some(Arch::Aarch64),
        _ => None,
    });
    let has_gic = !facts.gicv3.is_empty() || !facts.its.is_empty() || !facts.gicv2m.is_empty();
    facts.arch.or(by_iommu).or(has_gic.then_some(Arch::Aarch64)).unwrap_or_else(|| {
        let message = format!("the architecture of `{}` is not said; aarch64 is assumed", facts.name);
        found.push(
            Diagnostic::new(&codes::ARCH_ASSUMED, facts.origin.clone(), message)
                .help("add `arch aarch64`, `arch x86_64` or `arch riscv64`"),
        );
        Arch::Aarch64
    })
}

fn resolve_iommu(facts: &HostFacts, iommu: &crate::facts::host::IommuFact) -> Iommu {
    let default = match facts.arch {
        Some(Arch::X86_64) => IommuModel::IntelVtd,
        Some(Arch::Riscv64) => IommuModel::Riscv,
        Some(Arch::Aarch64) | None => IommuModel::SmmuV3,
    };
    Iommu {
        name: iommu.name.clone(),
        model: iommu.model.unwrap_or(default),
        base: iommu.base,
        aperture: iommu.aperture,
        pages: iommu.pages,
        origin: iommu.origin.clone(),
    }
}

fn doorbells(facts: &HostFacts) -> Vec<Doorbell> {
    let register = |frame: Span<Hpa>, offset: Size| frame.first().checked_add(offset).unwrap_or(frame.last());
    let its = facts.its.iter().map(|its| Doorbell {
        name: its.name.clone(),
        source: DoorbellSource::Its,
        address: register(its.frame, ITS_TRANSLATER),
        frame: its.frame,
        origin: its.origin.clone(),
    });
    let v2m = facts.gicv2m.iter().map(|v2m| Doorbell {
        name: v2m.name.clone(),
        source: DoorbellSource::GicV2m,
        address: register(v2m.frame, V2M_SETSPI),
        frame: v2m.frame,
        origin: v2m.origin.clone(),
    });
    let others = facts.doorbells.iter().map(|bell| Doorbell {
        name: bell.name.clone().unwrap_or_else(|| format!("doorbell@{:x}", bell.span.first().get())),
        source: match bell.kind {
            DoorbellKind::Fixed => DoorbellSource::Fixed,
            DoorbellKind::Unmapped => DoorbellSource::Unmapped,
        },
        address: bell.span.first(),
        frame: bell.span,
        origin: bell.origin.clone(),
    });
    its.chain(v2m).chain(others).collect()
}

fn root_complex(facts: &RootComplexFact) -> RootComplex {
    // A window whose bus addresses would pass 2^64 is refused by the readers; should one come through, it is left out.
    let windows = facts.windows.iter().filter_map(|window| {
        Some(Window {
            kind: window.kind,
            cpu: window.cpu,
            bus: moved(window.cpu, window.bus)?,
            prefetchable: window.prefetchable,
            p2p: window.p2p,
            origin: window.origin.clone(),
        })
    });
    let inbound = facts.inbound.iter().filter_map(|inbound| {
        Some(Inbound {
            cpu: inbound.cpu,
            bus: moved(inbound.cpu, inbound.bus)?,
            origin: inbound.origin.clone(),
        })
    });
    RootComplex {
        name: facts.name.clone(),
        segment: facts.segment,
        first_bus: facts.first_bus,
        last_bus: facts.last_bus,
        node: facts.node,
        windows: windows.collect(),
        inbound: inbound.collect(),
        origin: facts.origin.clone(),
    }
}

/// A span of the same size that starts at `first`, in the space of `first`.
fn moved<A: Address, B: Address>(span: Span<A>, first: B) -> Option<Span<B>> {
    let length = span.last().get().checked_sub(span.first().get())?;
    Span::new(first, B::new(first.get().checked_add(length)?))
}

fn check_names(facts: &HostFacts, names: &Names<'_>, found: &mut Vec<Diagnostic>) {
    let mut unknown = |what: &str, name: &str, known: &BTreeMap<&str, usize>, origin: &Origin| {
        let mut diagnostic = Diagnostic::new(
            &codes::UNKNOWN_NAME,
            origin.clone(),
            format!("there is no {what} named `{name}`"),
        )
        .label("not defined in this host");
        if known.is_empty() {
            diagnostic = diagnostic.help(format!("define it: `{what} {name} {{ … }}`"));
        } else {
            let list: Vec<&str> = known.keys().copied().collect();
            diagnostic = diagnostic.help(format!("defined are: {}", list.join(", ")));
        }
        found.push(diagnostic);
    };
    for complex in &facts.root_complexes {
        for map in &complex.streams {
            if !names.iommus.contains_key(map.iommu.as_str()) {
                unknown("smmu", &map.iommu, &names.iommus, &map.origin);
            }
        }
        for map in &complex.msi {
            if !names.doorbells.contains_key(map.controller.as_str()) {
                unknown("MSI controller", &map.controller, &names.doorbells, &map.origin);
            }
        }
    }
}

fn devices(facts: &HostFacts, found: &mut Vec<Diagnostic>) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for (index, complex) in facts.root_complexes.iter().enumerate() {
        devices.extend(complex.devices.iter().map(|fact| device(fact, index, complex)));
    }
    devices.sort_by_key(|device| device.address);
    for pair in devices.windows(2) {
        if let [first, second] = pair
            && first.address == second.address
        {
            let message = format!("the function {} is described twice", second.address);
            found.push(
                Diagnostic::new(&codes::DEVICE_TWICE, second.origin.clone(), message)
                    .related(first.origin.clone(), "first here"),
            );
        }
    }
    devices.dedup_by_key(|device| device.address);
    devices
}

fn device(fact: &DeviceFact, index: usize, complex: &RootComplexFact) -> Device {
    let mut bars = fact.bars.clone();
    bars.sort_by_key(|bar| bar.index);
    Device {
        address: fact.address,
        id: fact.id,
        class: fact.class,
        node: fact.node.or(complex.node),
        bars,
        msix: fact.msix,
        msi: fact.msi,
        sriov: fact.sriov,
        config: fact.config.clone(),
        root_complex: Some(index),
        translation: None,
        msi_target: None,
        group: None,
        origin: fact.origin.clone(),
    }
}

fn groups(
    facts: &HostFacts,
    predicted: &Grouping,
    devices: &mut [Device],
    found: &mut Vec<Diagnostic>,
) -> Vec<Group> {
    if facts.groups.is_empty() {
        return formed_groups(predicted, devices);
    }
    let mut groups: Vec<Group> = facts
        .groups
        .iter()
        .map(|fact| Group {
            id: fact.id,
            devices: fact.devices.clone(),
            others: fact.others.clone(),
            domain: fact.domain.clone(),
            listed: fact.listed.clone(),
            origin: fact.origin.clone(),
        })
        .collect();
    groups.sort_by_key(|group| group.id);
    for group in &mut groups {
        group.devices.sort_unstable();
        group.devices.dedup();
        for &address in &group.devices {
            join(group.id, address, &group.origin, devices, found);
        }
    }
    groups
}

fn join(
    id: GroupId,
    address: PciAddress,
    origin: &Origin,
    devices: &mut [Device],
    found: &mut Vec<Diagnostic>,
) {
    let index = devices.binary_search_by_key(&address, |device| device.address).ok();
    match index.and_then(|index| devices.get_mut(index)) {
        None => found.push(
            Diagnostic::new(
                &codes::GROUP_UNKNOWN_DEVICE,
                origin.clone(),
                format!("group {id} lists {address}, which stands under no root complex"),
            )
            .help("describe the device under its root complex, or take it out of the group"),
        ),
        Some(Device { group: Some(other), .. }) if *other != id => found.push(Diagnostic::new(
            &codes::GROUP_TWICE,
            origin.clone(),
            format!("{address} is in group {other} and in group {id}"),
        )),
        Some(device) => device.group = Some(id),
    }
}

/// Groups of a host that lists none: as Linux would form them. A device without IOMMU has no group.
fn formed_groups(predicted: &Grouping, devices: &mut [Device]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (number, predicted) in (0..).zip(&predicted.groups) {
        let id = GroupId(number);
        for address in &predicted.devices {
            let index = devices.binary_search_by_key(address, |device| device.address).ok();
            if let Some(device) = index.and_then(|index| devices.get_mut(index)) {
                device.group = Some(id);
            }
        }
        groups.push(Group {
            id,
            devices: predicted.devices.clone(),
            others: Vec::new(),
            domain: None,
            listed: None,
            origin: Origin::rule("K-GROUP"),
        });
    }
    groups
}
