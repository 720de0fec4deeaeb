//! Who owns an address of a host: as CPUs see it, as devices put it on the bus, and as an IOVA of each group.

use planner_core::addr::{Address, BusAddr, Hpa, Iova, Span};
use planner_core::host::{Host, RootComplex, Window};
use planner_core::kernel::{GroupReport, ReservedReport, ResvKind};

use super::{Explanation, Machine, Owner, folded, numbered};

/// Every owner of the address.
pub(super) fn explain(asked: &str, address: u64, machine: &Machine) -> Explanation {
    let Machine { host, reserved } = machine;
    let mut owners = as_cpu_address(host, Hpa::new(address));
    owners.extend(as_bus_address(host, BusAddr::new(address)));
    owners.extend(as_iova(reserved, Iova::new(address)));
    let title = format!("{} on `{}`, Linux {}", Iova::new(address), host.name, reserved.kernel);
    let text = if owners.is_empty() {
        vec!["Nothing owns it: no RAM, no window, no doorbell, and the host has no IOMMU group.".into()]
    } else {
        Vec::new()
    };
    Explanation { subject: asked.into(), title, text, owners }
}

fn owner<A: Address>(space: &'static str, span: Span<A>, owner: String) -> Owner {
    Owner { space, span: span.cast(), owner, rule: None }
}

fn as_cpu_address(host: &Host, at: Hpa) -> Vec<Owner> {
    let mut owners = Vec::new();
    for bank in host.ram.iter().filter(|bank| bank.span.contains(at)) {
        let node = bank.node.map(|node| format!(" of NUMA node {node}")).unwrap_or_default();
        owners.push(owner("CPU", bank.span, format!("system RAM{node}")));
    }
    for bell in host.doorbells.iter().filter(|bell| bell.frame.contains(at)) {
        let what = if bell.address == at { "the doorbell" } else { "registers" };
        owners.push(owner("CPU", bell.frame, format!("{what} of MSI controller `{}`", bell.name)));
    }
    for iommu in host.iommus.iter().filter(|iommu| iommu.base == Some(at)) {
        owners.push(owner("CPU", Span::single(at), format!("first register of IOMMU `{}`", iommu.name)));
    }
    for (root, window) in windows(host).filter(|(_, window)| window.cpu.contains(at)) {
        let within = at.get().wrapping_sub(window.cpu.first().get());
        let on_the_bus = BusAddr::new(window.bus.first().get().wrapping_add(within));
        owners.push(owner("CPU", window.cpu, format!("{}, bus address {on_the_bus}", name_of(root, window))));
    }
    owners.extend(as_bar(host, at));
    owners
}

fn as_bar(host: &Host, at: Hpa) -> Vec<Owner> {
    let bars = host.devices.iter().flat_map(|device| device.bars.iter().map(move |bar| (device, bar)));
    bars.filter_map(|(device, bar)| {
        let span = Span::from_start_size(bar.at?, bar.size).filter(|span| span.contains(at))?;
        Some(owner("CPU", span, format!("BAR {} of {}", bar.index, device.address)))
    })
    .collect()
}

fn as_bus_address(host: &Host, at: BusAddr) -> Vec<Owner> {
    let mut owners = Vec::new();
    for (root, window) in windows(host).filter(|(_, window)| window.bus.contains(at)) {
        owners.push(owner("bus", window.bus, name_of(root, window)));
    }
    for root in &host.root_complexes {
        for inbound in root.inbound.iter().filter(|inbound| inbound.bus.contains(at)) {
            let what = format!(
                "inbound window of root complex `{}` to memory at {}",
                root.name,
                inbound.cpu.first()
            );
            owners.push(owner("bus", inbound.bus, what));
        }
    }
    owners
}

fn windows(host: &Host) -> impl Iterator<Item = (&RootComplex, &Window)> {
    host.root_complexes.iter().flat_map(|root| root.windows.iter().map(move |window| (root, window)))
}

fn name_of(root: &RootComplex, window: &Window) -> String {
    format!("window {} of root complex `{}`", window.kind, root.name)
}

/// What each group says.
fn as_iova(reserved: &ReservedReport, at: Iova) -> Vec<Owner> {
    let said = folded(&reserved.groups, |group| of_group(group, at, reserved));
    let owner = |(mut owner, groups): (Owner, Vec<String>)| {
        owner.owner = format!("{}, {}", owner.owner, numbered(&groups));
        owner
    };
    said.into_iter().map(owner).collect()
}

fn of_group(group: &GroupReport, at: Iova, reserved: &ReservedReport) -> Vec<Owner> {
    let mut owners = Vec::new();
    for region in &group.reserved {
        let Some(span) = region.span().filter(|span| span.contains(at)) else { continue };
        let what = if region.kind == ResvKind::SoftwareMsi {
            doorbell_page(group, at, reserved)
        } else {
            format!("reserved ({})", region.kind.sysfs_word())
        };
        owners.push(Owner { rule: Some(region.rule), ..owner("IOVA", span, what) });
    }
    if !group.aperture.contains(at) {
        owners.push(owner("IOVA", group.aperture, "the aperture, which it is outside of".into()));
    }
    for span in group.type1.usable.iter().filter(|span| span.contains(at)) {
        owners.push(owner("IOVA", *span, "usable with VFIO type1".into()));
    }
    for hazard in group.hazards.iter().filter(|hazard| hazard.span.contains(BusAddr::new(at.get()))) {
        let what = if hazard.certain { "taken before the IOMMU" } else { "may be taken before the IOMMU" };
        owners.push(Owner { rule: Some(hazard.rule), ..owner("IOVA", hazard.span, what.into()) });
    }
    owners
}

/// The MSI window, with the doorbell whose page the address is in.
fn doorbell_page(group: &GroupReport, at: Iova, reserved: &ReservedReport) -> String {
    let page = reserved.page_size.size();
    let mut bells = group.msi.iter().flat_map(|window| &window.doorbells);
    match bells.find(|bell| bell.iova.align_down(page) == at.align_down(page)) {
        Some(bell) => format!("MSI window, page of the doorbell at {}", bell.address),
        None => "MSI window".into(),
    }
}
