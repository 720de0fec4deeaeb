//! What is wrong with facts about a host.

use super::{
    BAR_INDEX, BAR_SIZE, BAR_TAKEN, BEYOND_4G, BUS_END, COUNT, IDS_END, NAMELESS, Names, PAGES, REVERSED,
    bits, halves, reversed,
};
use crate::addr::{Address, BusAddr, Hpa, Span, grouped_hex};
use crate::diag::{Code, Diagnostic, Origin};
use crate::facts::HostFacts;
use crate::facts::host::{
    BarFact, BarKind, DeviceFact, GroupFact, IommuFact, ListedRegion, MsiMapFact, RootComplexFact,
    StreamMapFact, WindowFact, WindowKind,
};
use crate::ids::RequesterId;
use crate::size::{GIB, Size};

/// What is wrong with these facts; and puts into order what has an order, the devices of groups.
#[must_use]
pub fn check_host(facts: &mut HostFacts) -> Vec<Diagnostic> {
    for devices in facts.groups.iter_mut().map(|group| &mut group.devices) {
        devices.sort_unstable();
    }
    let mut found = Vec::new();
    found.extend(bits("`ipa`", facts.ipa_bits, &facts.origin));
    if let Some(kernel) = &facts.kernel {
        found.extend(bits("`va` of the kernel", kernel.va_bits, &kernel.origin));
    }
    names(facts, &mut found);
    facts.iommus.iter().for_each(|iommu| found.extend(pages(iommu)));
    for frame in &facts.gicv2m {
        found.extend(halves("the SPIs", frame.first_spi, frame.last_spi, &frame.origin));
    }
    for root_complex in &facts.root_complexes {
        check_root_complex(root_complex, &mut found);
    }
    groups(&facts.groups, &mut found);
    found
}

/// Names that are empty or stand twice. What a name can be taken for bounds where it must be unique.
fn names(facts: &HostFacts, found: &mut Vec<Diagnostic>) {
    let its = facts.its.iter().map(|its| (its.name.as_str(), &its.origin));
    let frames = facts.gicv2m.iter().map(|frame| (frame.name.as_str(), &frame.origin));
    let doorbells = facts.doorbells.iter().filter_map(|bell| Some((bell.name.as_deref()?, &bell.origin)));
    unique("IOMMU", facts.iommus.iter().map(|iommu| (iommu.name.as_str(), &iommu.origin)), found);
    unique("MSI controller", its.chain(frames).chain(doorbells), found);
    unique("GICv3", facts.gicv3.iter().map(|gic| (gic.name.as_str(), &gic.origin)), found);
    unique("root complex", facts.root_complexes.iter().map(|rc| (rc.name.as_str(), &rc.origin)), found);
}

fn unique<'f>(kind: &str, named: impl Iterator<Item = (&'f str, &'f Origin)>, found: &mut Vec<Diagnostic>) {
    let mut names = Names::new();
    for (name, origin) in named {
        if name.is_empty() {
            let fault =
                Diagnostic::new(&NAMELESS, origin.clone(), format!("the name of this {kind} is empty"));
            found.push(fault.help("give it a name to which others can refer"));
        } else {
            found.extend(names.take(name, origin, || format!("a second {kind} of the name `{name}`")));
        }
    }
}

fn pages(iommu: &IommuFact) -> Option<Diagnostic> {
    let sizes = iommu.pages?.bitmap();
    let message = match sizes {
        0 => format!("the IOMMU `{}` maps no page size at all", iommu.name),
        _ if sizes & 0x1ff != 0 => format!("the page sizes {sizes:#x} hold pages below 512 bytes"),
        _ => return None,
    };
    Some(Diagnostic::new(&PAGES, iommu.origin.clone(), message))
}

fn check_root_complex(facts: &RootComplexFact, found: &mut Vec<Diagnostic>) {
    let hex = |bus| RequesterId(u16::from(bus));
    found.extend(reversed("the buses", &hex(facts.first_bus), &hex(facts.last_bus), &facts.origin));
    facts.streams.iter().for_each(|map| found.extend(stream_map(map)));
    facts.msi.iter().for_each(|map| found.extend(msi_map(map)));
    facts.windows.iter().for_each(|window| found.extend(check_window(window)));
    for inbound in &facts.inbound {
        if bus_span(inbound.cpu, inbound.bus).is_none() {
            found.push(past_the_end(inbound.cpu, inbound.bus, &inbound.origin));
        }
    }
    let map = BusMap::new(&facts.windows);
    for device in &facts.devices {
        bars(&device.bars, &map, found);
        found.extend(counts(device));
        config(device, &map, found);
    }
}

fn stream_map(map: &StreamMapFact) -> Option<Diagnostic> {
    let first = map.stream.map_or(0, |stream| stream.0);
    reversed("the requester IDs", &map.first, &map.last, &map.origin).or_else(|| {
        (!map.shared).then(|| ids("stream IDs", first, (map.first, map.last), &map.origin)).flatten()
    })
}

fn msi_map(map: &MsiMapFact) -> Option<Diagnostic> {
    let first = map.device_id.map_or(0, |id| id.0);
    reversed("the requester IDs", &map.first, &map.last, &map.origin)
        .or_else(|| ids("ITS device IDs", first, (map.first, map.last), &map.origin))
}

/// Complains when IDs that count up from `first`, one for each requester, pass 32 bits.
fn ids(
    what: &str,
    first: u32,
    (from, to): (RequesterId, RequesterId),
    origin: &Origin,
) -> Option<Diagnostic> {
    let more = u32::from(to.0.saturating_sub(from.0));
    let message = || {
        format!("{what} from {} for the requesters {from}..={to} pass 0xffff_ffff", grouped_hex(first.into()))
    };
    first.checked_add(more).is_none().then(|| Diagnostic::new(&IDS_END, origin.clone(), message()))
}

/// The bus addresses of a window, if there are so many.
fn bus_span(cpu: Span<Hpa>, bus: BusAddr) -> Option<Span<BusAddr>> {
    let length = cpu.last().get().saturating_sub(cpu.first().get());
    Span::of(bus.get(), bus.get().checked_add(length)?)
}

fn past_the_end(cpu: Span<Hpa>, bus: BusAddr, origin: &Origin) -> Diagnostic {
    let size = crate::size::binary_size(cpu.size_bytes());
    let message = format!("{size} from bus address {bus} end above 0xffff_ffff_ffff_ffff");
    Diagnostic::new(&BUS_END, origin.clone(), message)
}

const LAST_32: u64 = 4 * GIB - 1;

fn check_window(window: &WindowFact) -> Option<Diagnostic> {
    let Some(bus) = bus_span(window.cpu, window.bus) else {
        return Some(past_the_end(window.cpu, window.bus, &window.origin));
    };
    if window.kind == WindowKind::Mem64 || bus.last().get() <= LAST_32 {
        return None;
    }
    let message = format!("the `{}` window {bus} passes 4 GiB on the bus", window.kind);
    let fault = Diagnostic::new(&BEYOND_4G, window.origin.clone(), message);
    Some(if window.cpu.first().get() == window.bus.get() {
        fault.help("if CPUs see the window there, write its bus address too: `cpu ADDR bus ADDR size SIZE`")
    } else {
        fault.help("a window above 4 GiB is `mem64`")
    })
}

/// Where CPU addresses are on the bus: windows by their first CPU address.
struct BusMap(Vec<(Span<Hpa>, BusAddr)>);

impl BusMap {
    fn new(windows: &[WindowFact]) -> Self {
        let mut map: Vec<_> = windows.iter().map(|window| (window.cpu, window.bus)).collect();
        map.sort_unstable();
        Self(map)
    }

    /// The bus address of a CPU address, if a window shows it.
    fn bus(&self, at: Hpa) -> Option<u64> {
        let behind = self.0.partition_point(|(cpu, _)| cpu.first() <= at);
        let (cpu, bus) = self.0.get(behind.checked_sub(1)?)?;
        let offset = at.get().checked_sub(cpu.first().get())?;
        if cpu.contains(at) { bus.get().checked_add(offset) } else { None }
    }
}

fn bars(bars: &[BarFact], map: &BusMap, found: &mut Vec<Diagnostic>) {
    let mut taken: [Option<&BarFact>; 7] = [None; 7];
    for bar in bars {
        if let Some(fault) = bar_alone(bar) {
            found.push(fault);
            continue;
        }
        let also = (bar.kind == BarKind::Mem64).then(|| bar.index.saturating_add(1));
        let mut other = None;
        for index in [Some(bar.index), also].into_iter().flatten() {
            if let Some(slot) = taken.get_mut(usize::from(index)) {
                other = other.or(*slot);
                slot.get_or_insert(bar);
            }
        }
        match other {
            Some(other) => found.push(bar_taken(bar, other)),
            None => found.extend(bar_beyond(bar, map)),
        }
    }
}

/// What is wrong with a register on its own.
fn bar_alone(bar: &BarFact) -> Option<Diagnostic> {
    let fault =
        |code: &'static Code, message: String| Some(Diagnostic::new(code, bar.origin.clone(), message));
    let (least, most) = match bar.kind {
        BarKind::Mem32 => (16, 2 * GIB),
        BarKind::Mem64 => (16, 1 << 63),
        BarKind::Io => (4, 2 * GIB),
    };
    let (index, kind, size) = (bar.index, bar.kind, bar.size);
    if index > 6 {
        return fault(
            &BAR_INDEX,
            format!("there is no BAR {index}: BARs are 0 to 5, the expansion ROM is 6"),
        );
    }
    if kind == BarKind::Mem64 && index >= 5 {
        return fault(
            &BAR_INDEX,
            format!("BAR {index} cannot be `mem64`: it would take index {} too", index + 1),
        );
    }
    if kind == BarKind::Io && index == 6 {
        return fault(&BAR_INDEX, "BAR 6 is the expansion ROM, which is 32-bit memory, not `io`".into());
    }
    if !size.bytes().is_power_of_two() {
        let near = size.bytes().checked_next_power_of_two().map(Size::from_bytes);
        let help = near.map(|near| format!("the next power of two is `{}`", near.compact()));
        let mut found = fault(&BAR_SIZE, format!("BAR {index} has {size}, which is no power of two"))?;
        found.help.extend(help.filter(|_| !size.is_zero()));
        return Some(found);
    }
    if !(least..=most).contains(&size.bytes()) {
        let (least, most) = (Size::from_bytes(least), Size::from_bytes(most));
        return fault(&BAR_SIZE, format!("BAR {index} has {size}, but a `{kind}` BAR has {least} to {most}"));
    }
    None
}

fn bar_taken(bar: &BarFact, other: &BarFact) -> Diagnostic {
    let message = if bar.index == other.index {
        format!("a second BAR {}", bar.index)
    } else {
        let (low, high) = (bar.index.min(other.index), bar.index.max(other.index));
        format!("BAR {high} is the upper half of BAR {low}, which is `mem64`")
    };
    let fault = Diagnostic::new(&BAR_TAKEN, bar.origin.clone(), message);
    fault.related(other.origin.clone(), format!("BAR {} is here", other.index))
}

/// A 32-bit register that lies above 4 GiB on the bus, or passes it.
fn bar_beyond(bar: &BarFact, map: &BusMap) -> Option<Diagnostic> {
    let at = bar.at?;
    let bus = map.bus(at)?;
    let last = bus.checked_add(bar.size.bytes().checked_sub(1)?);
    if bar.kind == BarKind::Mem64 || last.is_some_and(|last| last <= LAST_32) {
        return None;
    }
    let message = format!(
        "BAR {} of 32 bits is at bus address {} and has {}: it passes 4 GiB",
        bar.index,
        BusAddr::at(bus),
        bar.size
    );
    Some(Diagnostic::new(&BEYOND_4G, bar.origin.clone(), message))
}

fn counts(device: &DeviceFact) -> Option<Diagnostic> {
    let message = if let Some(vectors) = device.msix.filter(|&vectors| vectors > 2048) {
        format!("{vectors} MSI-X vectors: a function has at most 2048")
    } else if let Some(vectors) =
        device.msi.filter(|&vectors| !matches!(vectors, 0 | 1 | 2 | 4 | 8 | 16 | 32))
    {
        format!("{vectors} MSI vectors: a function has 1, 2, 4, 8, 16 or 32")
    } else if let Some(sriov) = device.sriov.filter(|sriov| sriov.enabled > sriov.total) {
        format!("{} virtual functions are enabled of {}", sriov.enabled, sriov.total)
    } else {
        return None;
    };
    Some(Diagnostic::new(&COUNT, device.origin.clone(), message))
}

/// What configuration space cannot say.
fn config(device: &DeviceFact, map: &BusMap, found: &mut Vec<Diagnostic>) {
    let config = &device.config;
    let hex = |bus| RequesterId(u16::from(bus));
    if let Some(buses) = config.buses {
        let (secondary, subordinate) = (hex(buses.secondary), hex(buses.subordinate));
        found.extend(reversed("the buses of the bridge", &secondary, &subordinate, &device.origin));
    }
    if let Some(vfs) = &config.virtual_functions {
        bars(&vfs.bars, map, found);
    }
    let fault = |code: &'static Code, message: String| Diagnostic::new(code, device.origin.clone(), message);
    if let Some(bits) = config.pasid_bits.filter(|&bits| bits > 20) {
        found.push(fault(&COUNT, format!("PASIDs of {bits} bits: they have at most 20")));
    }
    for bar in &config.resizable {
        let sizes = bar.sizes.bitmap();
        if bar.index > 5 {
            found
                .push(fault(&BAR_INDEX, format!("there is no BAR {} to resize: BARs are 0 to 5", bar.index)));
        } else if sizes == 0 || sizes.trailing_zeros() < 20 {
            let message =
                format!("BAR {} resizes to {}, where sizes are 1M to 8E", bar.index, grouped_hex(sizes));
            found.push(fault(&BAR_SIZE, message));
        }
    }
}

fn groups(groups: &[GroupFact], found: &mut Vec<Diagnostic>) {
    let mut numbers = Names::new();
    for group in groups {
        found.extend(numbers.take(group.id, &group.origin, || format!("a second group {}", group.id)));
        found.extend(group.listed.iter().flatten().filter_map(listed));
    }
}

/// A listed region that ends more than one below its start.
fn listed(region: &ListedRegion) -> Option<Diagnostic> {
    let (start, end) = (region.start, region.end);
    let empty = end.get().wrapping_add(1) == start.get();
    let message = || format!("the listed region ends at {end}, below its start, {start}");
    (end < start && !empty).then(|| Diagnostic::new(&REVERSED, region.origin.clone(), message()))
}
