//! A host from the text of `lspci -D -xxxx` alone: its functions and how bridges connect them. Nothing else of a host is
//! in such a text: no IOMMU, no groups, no windows of host bridges, no sizes of registers.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::dump::{Dumped, dump};
use super::{ConfigSpace, HEADER_BYTES, read_into};
use crate::diag::{Diagnostic, Origin};
use crate::facts::HostFacts;
use crate::facts::host::{DeviceFact, RootComplexFact, SriovFact};
use crate::ids::{PciAddress, PciId};
use crate::read::capture::log::Log;

/// How somebody makes such a text, for the help of diagnostics.
pub const HOW_TO_DUMP: &str = "make it with `lspci -D -xxxx`, as root";

/// Whether a text looks like a dump of lspci: its first line that is not empty is the head of a function.
#[must_use]
pub fn is_dump(text: &str) -> bool {
    let Some(line) = text.lines().find(|line| !line.trim().is_empty()) else { return false };
    line.split_once(' ').is_some_and(|(head, _)| {
        let form = head.len() == "00:00.0".len() || head.len() == "0000:00:00.0".len();
        form && head.parse::<PciAddress>().is_ok()
    })
}

/// What the text says about the host. `name` is the host's name, for messages.
#[must_use]
pub fn facts(text: &str, name: &str) -> (HostFacts, Vec<Diagnostic>) {
    let mut log = Log::of(name);
    let dumped = dump(text, name, &mut log);
    if dumped.is_empty() {
        let message = "no function is dumped here".to_owned();
        log.push(Diagnostic::new(&codes::DUMP_EMPTY, Origin::file(name), message).help(HOW_TO_DUMP));
    }
    let mut short = Short::default();
    let mut devices: Vec<DeviceFact> =
        dumped.into_iter().map(|(address, dumped)| device(address, dumped, &mut short, &mut log)).collect();
    log.extend(short.diagnostic(Origin::file(name)));
    link_virtual_functions(&mut devices.iter_mut().collect::<Vec<_>>());
    let facts = HostFacts {
        name: name.to_owned(),
        origin: Origin::file(name),
        root_complexes: root_complexes(devices),
        ..HostFacts::default()
    };
    (facts, log.finish())
}

fn device(address: PciAddress, dumped: Dumped, short: &mut Short, log: &mut Log) -> DeviceFact {
    let config = read_into(&dumped.bytes, &address.to_string(), log);
    short.count(&config);
    let sriov = config.sriov.as_ref().map(|sriov| SriovFact { total: sriov.total, enabled: sriov.enabled });
    DeviceFact {
        address,
        id: config.id,
        class: config.class,
        node: None,
        bars: Vec::new(),
        msix: config.msix.map(|msix| msix.vectors),
        msi: config.msi,
        sriov: sriov.filter(|sriov| sriov.enabled <= sriov.total),
        config: config.facts(),
        origin: dumped.origin,
    }
}

/// Counts functions of which only the header was read.
#[derive(Default)]
pub(in crate::read) struct Short {
    functions: usize,
    short: usize,
}

impl Short {
    pub(in crate::read) fn count(&mut self, config: &ConfigSpace) {
        if config.bytes > 0 {
            self.functions = self.functions.saturating_add(1);
        }
        if (1..=HEADER_BYTES).contains(&config.bytes) {
            self.short = self.short.saturating_add(1);
        }
    }

    /// What was lost, said once.
    pub(in crate::read) fn diagnostic(&self, origin: Origin) -> Option<Diagnostic> {
        let Self { functions, short } = self;
        let message = format!("only the first 64 bytes of {short} of {functions} functions were read");
        let lost = "interrupt vectors, types of ports, and what isolates functions are not known for them";
        (*short > 0)
            .then(|| Diagnostic::new(&codes::HEADER_ONLY, origin, message).note(lost).help("read it as root"))
    }
}

/// Tells each virtual function which physical function it belongs to, by offset and stride (PCIe Base Specification
/// 9.2.1.2), and gives it an identity where it has none. Devices ascend by address.
pub(in crate::read) fn link_virtual_functions(devices: &mut [&mut DeviceFact]) {
    // Every virtual function that is enabled is a device of its own, so a sound host needs no more steps than it has
    // devices; one that is not sound stops here.
    let mut steps = devices.len();
    let mut links: Vec<(usize, PciAddress, Option<PciId>)> = Vec::new();
    for device in devices.iter() {
        let (Some(vfs), Some(sriov)) = (&device.config.virtual_functions, device.sriov) else { continue };
        let id = device.id.zip(vfs.device_id).map(|(own, device)| PciId { device, ..own });
        let mut requester = device.address.requester_id().0.checked_add(vfs.offset);
        for _ in 0..sriov.enabled {
            let Some(left) = steps.checked_sub(1) else { break };
            steps = left;
            let Some(at) = requester.filter(|_| vfs.offset != 0) else { break };
            let address = PciAddress::from_requester(device.address.segment(), crate::ids::RequesterId(at));
            if let Ok(index) = devices.binary_search_by_key(&address, |other| other.address) {
                links.push((index, device.address, id));
            }
            requester = at.checked_add(vfs.stride);
        }
    }
    for (index, physical, id) in links {
        let Some(device) = devices.get_mut(index) else { continue };
        device.config.physical_function.get_or_insert(physical);
        device.id = device.id.or(id);
    }
}

/// One root complex for each bus that no bridge leads to.
fn root_complexes(devices: Vec<DeviceFact>) -> Vec<RootComplexFact> {
    let mut below: BTreeSet<(u16, u8)> = BTreeSet::new();
    for device in &devices {
        let Some(buses) = device.config.buses else { continue };
        // As Linux, disbelieve a bridge to its own bus or to one before it (`pci_scan_bridge_extend`).
        if device.address.bus() < buses.secondary
            && !below.contains(&(device.address.segment(), buses.secondary))
        {
            below.extend((buses.secondary..=buses.subordinate).map(|bus| (device.address.segment(), bus)));
        }
    }
    let mut roots: BTreeMap<(u16, u8), RootComplexFact> = BTreeMap::new();
    for device in devices {
        let (segment, bus) = (device.address.segment(), device.address.bus());
        let under = roots.range((segment, 0)..=(segment, bus)).next_back().map(|(&key, _)| key);
        let virtual_function = device.config.physical_function.is_some();
        let key = match under.filter(|_| below.contains(&(segment, bus)) || virtual_function) {
            Some(key) => key,
            None => (segment, bus),
        };
        roots.entry(key).or_insert_with(|| root_complex(segment, key.1, &device.origin)).devices.push(device);
    }
    let mut complexes: Vec<RootComplexFact> = roots.into_values().collect();
    let starts: Vec<(u16, u8)> =
        complexes.iter().skip(1).map(|complex| (complex.segment, complex.first_bus)).collect();
    for (complex, (segment, next)) in complexes.iter_mut().zip(starts) {
        if complex.segment == segment {
            complex.last_bus = next.saturating_sub(1);
        }
    }
    complexes
}

fn root_complex(segment: u16, first_bus: u8, origin: &Origin) -> RootComplexFact {
    RootComplexFact {
        name: format!("pci{segment:04x}:{first_bus:02x}"),
        segment,
        first_bus,
        last_bus: 0xff,
        origin: origin.clone(),
        ..RootComplexFact::default()
    }
}
