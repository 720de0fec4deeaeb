//! Windows of host bridges, from `proc/iomem`, and the offset between CPU and bus addresses, from the devices in them.
//!
//! Under ACPI the windows are the entries `PCI Bus 0000:00` with the root bus's own number. Under devicetree they have
//! the name of the host bridge's node, `pcie@10000000`; where the capture does not tell that name, it is the name of
//! whatever holds the bridge's buses and functions. Where firmware describes the windows, it tells the offset, too, and
//! windows for I/O ports, which `proc/iomem` does not hold.

use std::collections::{BTreeMap, BTreeSet};

use super::allow::is_function_name;
use super::bridges::Bridge;
use super::codes;
use super::firmware::said_of;
use super::iomem::Resource;
use super::log::Log;
use crate::addr::{Address, BusAddr, Hpa, Span, grouped_hex};
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::facts::host::{RootComplexFact, WindowFact, WindowKind};
use crate::size::GIB;

/// Most windows of one bridge that are read; firmware gives a handful.
const MAX_WINDOWS: usize = 64;

/// The windows of each bridge, in the order of the bridges.
pub(super) fn windows(
    bridges: &[Bridge],
    iomem: &[Resource],
    (arch, said): (Option<Arch>, &[RootComplexFact]),
    log: &mut Log,
) -> Vec<Vec<WindowFact>> {
    let index = Index::new(iomem);
    let mut unproven: Vec<Span<Hpa>> = Vec::new();
    let mut windows = Vec::new();
    for bridge in bridges {
        let found = index.windows(bridge);
        let said = said_of(said, bridge.segment, bridge.first_bus).map_or(&[][..], |said| &said.windows);
        if iomem.is_empty() {
            windows.push(said.to_vec());
            continue;
        }
        if found.is_empty() {
            let message = format!("no entry of `proc/iomem` is a window of {}", bus_name(bridge));
            log.push(Diagnostic::new(&codes::NO_WINDOWS, Origin::file("proc/iomem"), message));
        }
        windows.push(windows_of(&found, bridge, said, &mut unproven, log));
    }
    // The host bridges of PCs do not translate memory addresses.
    if !unproven.is_empty() && arch != Some(Arch::X86_64) {
        log.push(bus_unknown(&unproven));
    }
    windows
}

fn windows_of(
    found: &[&Resource],
    bridge: &Bridge,
    said: &[WindowFact],
    unproven: &mut Vec<Span<Hpa>>,
    log: &mut Log,
) -> Vec<WindowFact> {
    let shown: Vec<Option<u64>> = found.iter().map(|resource| offset(resource, bridge, log)).collect();
    // Firmware that does not translate one window below (or above) 4 GiB does not translate its neighbours.
    let identity = |low: bool| {
        found.iter().zip(&shown).any(|(resource, offset)| *offset == Some(0) && is_low(resource) == low)
    };
    let mut windows = Vec::new();
    for (resource, &shown) in found.iter().zip(&shown) {
        let same = said.iter().find(|said| is_memory(said) && said.cpu.covers(resource.span));
        let offset = shown.or(same.map(offset_of));
        if offset.is_none() && !identity(is_low(resource)) {
            unproven.push(resource.span);
        }
        compare(resource, shown, same, said, log);
        let prefetchable = same.is_some_and(|said| said.prefetchable);
        windows.push(WindowFact { prefetchable, ..window(resource, offset.unwrap_or(0)) });
    }
    report_unclaimed(found, said, log);
    windows.extend(said.iter().filter(|said| !is_memory(said)).cloned());
    windows
}

fn is_memory(window: &WindowFact) -> bool {
    window.kind != WindowKind::Io
}

/// CPU address minus bus address. Offsets may be negative, so they wrap.
fn offset_of(said: &WindowFact) -> u64 {
    said.cpu.first().get().wrapping_sub(said.bus.get())
}

/// An offset that may be negative.
fn signed(offset: u64) -> String {
    if offset >> 63 == 0 { grouped_hex(offset) } else { format!("-{}", grouped_hex(offset.wrapping_neg())) }
}

/// Reports where a window of the kernel is none of firmware's, or devices show another offset than firmware states.
fn compare(
    resource: &Resource,
    shown: Option<u64>,
    same: Option<&WindowFact>,
    said: &[WindowFact],
    log: &mut Log,
) {
    let diagnostic = match (same, shown) {
        (Some(same), Some(shown)) if shown != offset_of(same) => {
            let message = format!(
                "devices show the offset {} in the window {}, and firmware states {}",
                signed(shown),
                resource.span,
                signed(offset_of(same))
            );
            let diagnostic = Diagnostic::new(&codes::OTHER_OFFSET, resource.origin.clone(), message);
            diagnostic.related(same.origin.clone(), "what firmware says")
        }
        (None, _) => {
            let Some(first) = said.first() else { return };
            let message = format!("the window {} is in no window that firmware describes", resource.span);
            let diagnostic = Diagnostic::new(&codes::OTHER_WINDOW, resource.origin.clone(), message);
            diagnostic.related(first.origin.clone(), "the first that it describes")
        }
        _ => return,
    };
    log.push(diagnostic);
}

/// Reports windows that only firmware knows: the kernel hands nothing out of them.
fn report_unclaimed(found: &[&Resource], said: &[WindowFact], log: &mut Log) {
    for said in said.iter().filter(|said| is_memory(said)) {
        if !found.iter().any(|resource| resource.span.overlaps(said.cpu)) {
            let message =
                format!("firmware describes the window {}, of which `proc/iomem` has nothing", said.cpu);
            let diagnostic = Diagnostic::new(&codes::UNCLAIMED_WINDOW, said.origin.clone(), message);
            log.push(diagnostic.related(Origin::file("proc/iomem"), "not here"));
        }
    }
}

fn is_low(resource: &Resource) -> bool {
    resource.span.last().get() < 4 * GIB
}

fn bus_unknown(windows: &[Span<Hpa>]) -> Diagnostic {
    let spans: Vec<String> = windows.iter().take(8).map(Span::to_string).collect();
    let noun = if windows.len() == 1 { "the window" } else { "the windows" };
    let message = format!(
        "no device shows the bus address of {noun} {}; it is taken to be the CPU's address",
        spans.join(", ")
    );
    Diagnostic::new(&codes::BUS_UNKNOWN, Origin::file("proc/iomem"), message)
}

/// The resources by what a host bridge is looked up with.
struct Index<'a> {
    iomem: &'a [Resource],
    by_name: BTreeMap<&'a str, Vec<&'a Resource>>,
    /// Segment and bus of each resource of a bus or function, with the name of what directly holds it and is neither.
    holders: BTreeSet<(u16, u8, &'a str)>,
}

impl<'a> Index<'a> {
    fn new(iomem: &'a [Resource]) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
        for resource in iomem {
            by_name.entry(&resource.name).or_default().push(resource);
        }
        let holder = |resource: &Resource| {
            let (segment, bus) = bus_of(&resource.name)?;
            let holder = iomem.get(resource.parent?)?.name.as_str();
            bus_of(holder).is_none().then_some((segment, bus, holder))
        };
        Self { iomem, by_name, holders: iomem.iter().filter_map(holder).collect() }
    }

    /// The resources that are windows of this bridge: the outermost of each name that stands for it.
    fn windows(&self, bridge: &Bridge) -> Vec<&'a Resource> {
        let bus = bus_name(bridge);
        let said: BTreeSet<&str> = bridge.node_name.as_deref().into_iter().chain([bus.as_str()]).collect();
        let found = self.outermost(&said);
        if !found.is_empty() {
            return found;
        }
        let buses = (bridge.segment, bridge.first_bus, "")..=(bridge.segment, bridge.last_bus, "\u{10ffff}");
        self.outermost(&self.holders.range(buses).map(|&(_, _, name)| name).take(MAX_WINDOWS).collect())
    }

    fn outermost(&self, names: &BTreeSet<&str>) -> Vec<&'a Resource> {
        let named = names.iter().filter_map(|name| self.by_name.get(name)).flatten().copied();
        let nested = |resource: &&Resource| {
            above(resource, self.iomem).any(|above| names.contains(above.name.as_str()))
        };
        let mut found: Vec<&Resource> =
            named.take(MAX_WINDOWS).filter(|resource| !nested(resource)).collect();
        found.sort_by_key(|resource| resource.span);
        found
    }
}

/// Segment and bus of `PCI Bus 0000:01` or `0000:01:00.0`.
fn bus_of(name: &str) -> Option<(u16, u8)> {
    let place = name.strip_prefix("PCI Bus ");
    let (segment, rest) = place.or_else(|| is_function_name(name).then_some(name))?.split_once(':')?;
    let bus = rest.split(':').next()?;
    Some((u16::from_str_radix(segment, 16).ok()?, u8::from_str_radix(bus, 16).ok()?))
}

/// The resources that hold this one, from the inside. The kernel prints five levels (`MAX_IOMEM_LEVEL` in
/// kernel/resource.c); deeper indentation is somebody's joke.
fn above<'a>(resource: &Resource, iomem: &'a [Resource]) -> impl Iterator<Item = &'a Resource> {
    std::iter::successors(parent(resource, iomem), |resource| parent(resource, iomem)).take(8)
}

fn parent<'a>(resource: &Resource, iomem: &'a [Resource]) -> Option<&'a Resource> {
    iomem.get(resource.parent?)
}

/// As `pci_bus_add_resource` and ACPI's pci_root.c name a root bus.
fn bus_name(bridge: &Bridge) -> String {
    format!("PCI Bus {:04x}:{:02x}", bridge.segment, bridge.first_bus)
}

fn window(resource: &Resource, offset: u64) -> WindowFact {
    let cpu = resource.span;
    WindowFact {
        kind: if bus_address(cpu.last(), offset).get() < 4 * GIB {
            WindowKind::Mem32
        } else {
            WindowKind::Mem64
        },
        cpu,
        bus: bus_address(cpu.first(), offset),
        prefetchable: false,
        p2p: None,
        origin: resource.origin.clone(),
    }
}

/// CPU address minus bus address, as the base address registers in the window show it; `None` when none does.
fn offset(resource: &Resource, bridge: &Bridge, log: &mut Log) -> Option<u64> {
    let placed = bridge.functions.iter().flat_map(|function| &function.placed);
    let offsets: BTreeSet<u64> = placed
        .filter(|(cpu, _)| resource.span.contains(*cpu))
        .map(|(cpu, bus)| cpu.get().wrapping_sub(bus.get()))
        .collect();
    let mut offsets = offsets.into_iter();
    let offset = offsets.next()?;
    let disagree = if let Some(other) = offsets.next() {
        format!("devices in the window {} show the offsets {offset:#x} and {other:#x}", resource.span)
    } else if bus_address(resource.span.first(), offset) > bus_address(resource.span.last(), offset) {
        format!("the offset {offset:#x} would put the window {} across the end of the bus", resource.span)
    } else {
        return Some(offset);
    };
    log.push(Diagnostic::new(&codes::BUS_DISAGREE, resource.origin.clone(), disagree));
    Some(0)
}

/// Offsets may be negative, so they wrap.
fn bus_address(cpu: Hpa, offset: u64) -> BusAddr {
    BusAddr::new(cpu.get().wrapping_sub(offset))
}
