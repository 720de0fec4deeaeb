//! What the DMAR says about the host: which unit serves which requesters, and reserved memory.
//!
//! Virtual functions are served by the unit of their physical function, wherever their own requester ID lies; that is
//! not told here, where no function is known.

use std::collections::BTreeMap;

use super::super::codes;
use super::super::id_map::IdMap;
use super::super::limits::{MOST_PARTS, MOST_ROWS};
use super::super::parts::{Known, Parts, Served, region, rows};
use super::{BridgeBuses, Dmar, Reserved, Scope, ScopeKind, Unit};
use crate::addr::{Address, Span, grouped_hex};
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::facts::host::{FirmwareKind, IommuFact, IommuModel, RequesterRange};
use crate::ids::{PciAddress, RequesterId};
use crate::read::capture::log::Log;

/// The buses behind bridges.
type Bridges = BTreeMap<PciAddress, BridgeBuses>;

/// Adds what the table says.
pub(in super::super) fn facts(dmar: &Dmar, bridges: &Bridges, parts: &mut Parts, log: &mut Log) {
    parts.arch = parts.arch.or(Some(Arch::X86_64));
    let first = parts.iommus.len();
    let mut units: Vec<(usize, &Unit)> = Vec::new();
    for (index, unit) in dmar.units.iter().take(MOST_PARTS).enumerate() {
        if matches!(unit.base.get(), 0 | u64::MAX) {
            let message = format!("unit {index} has its registers at {}", unit.base);
            log.push(
                Diagnostic::new(&codes::UNIT_BASE, unit.origin.clone(), message)
                    .help("update the firmware; Linux uses no remapping unit at all with such a table"),
            );
            continue;
        }
        units.push((first.saturating_add(units.len()), unit));
        parts.iommus.push(IommuFact {
            // As in sysfs (alloc_iommu in drivers/iommu/intel/dmar.c).
            name: format!("dmar{index}"),
            model: Some(IommuModel::IntelVtd),
            base: Some(unit.base),
            aperture: None,
            pages: None,
            origin: unit.origin.clone(),
        });
    }
    serve(&units, bridges, parts, log);
    for (index, memory) in dmar.reserved.iter().enumerate() {
        reserve(index, memory, bridges, parts, log);
    }
}

/// Which unit serves which requesters. Units with `INCLUDE_PCI_ALL` come last; of the others a later one is asked before
/// an earlier one (dmar_register_drhd_unit and device_lookup_iommu in drivers/iommu/intel).
fn serve(units: &[(usize, &Unit)], bridges: &Bridges, parts: &mut Parts, log: &mut Log) {
    let mut maps: BTreeMap<u16, IdMap<(Option<Served>, usize)>> = BTreeMap::new();
    let mut origins: Vec<Origin> = Vec::new();
    let others = units.iter().rev().filter(|(_, unit)| !unit.include_all);
    let all = units.iter().filter(|(_, unit)| unit.include_all);
    for &(iommu, unit) in others.chain(all) {
        parts.name_segment(unit.segment, &unit.origin);
        let map = maps.entry(unit.segment).or_default();
        let served = Served { iommu, known: Known::Unsaid };
        for scope in &unit.scopes {
            for range in ranges(unit.segment, scope, bridges, log) {
                map.fill(range.first.0.into(), range.last.0.into(), (Some(served), origins.len()));
            }
            origins.push(scope.origin.clone());
        }
        if unit.include_all {
            map.fill(0, 0xffff, (Some(served), origins.len()));
            origins.push(unit.origin.clone());
        }
    }
    for (segment, map) in maps {
        parts.streams.insert(segment, rows(&map, &parts.iommus, &origins));
    }
}

/// Adds the memory of an RMRR.
fn reserve(index: usize, memory: &Reserved, bridges: &Bridges, parts: &mut Parts, log: &mut Log) {
    let (first, last) = (memory.first, memory.last);
    let Some(span) = Span::of(first, last) else {
        let message = format!("the RMRR goes from {} to {}", grouped_hex(first), grouped_hex(last));
        log.push(Diagnostic::new(&codes::REGION, memory.origin.clone(), message));
        return;
    };
    if first % PAGE_BYTES != 0 || last % PAGE_BYTES != PAGE_BYTES - 1 {
        let message = format!("the RMRR {span} does not begin and end with pages of 4 KiB");
        log.push(Diagnostic::new(&codes::UNALIGNED_RMRR, memory.origin.clone(), message));
    }
    let mut requesters: Vec<RequesterRange> = Vec::new();
    for scope in memory.scopes.iter().take(MOST_ROWS) {
        requesters.extend(ranges(memory.segment, scope, bridges, log));
    }
    let name = format!("rmrr{index}");
    // Whether it may be given up is told by the class of the device, in the kernel's room.
    parts.add_region(region(name, FirmwareKind::Direct, span, &requesters, memory.origin.clone()), log);
}

/// What an RMRR is made of.
const PAGE_BYTES: u64 = 4096;

/// The requesters of a device scope: a function alone, or a bridge and all below it (dmar_match_pci_path and
/// is_downstream_to_pci_bridge in drivers/iommu/intel).
fn ranges(segment: u16, scope: &Scope, bridges: &Bridges, log: &mut Log) -> Vec<RequesterRange> {
    if !matches!(scope.kind, ScopeKind::Endpoint | ScopeKind::Bridge) {
        return Vec::new();
    }
    let device = match device(segment, scope, bridges) {
        Ok(device) => device,
        Err(why) => {
            log.push(no_device(scope, &why));
            return Vec::new();
        }
    };
    let id = device.requester_id();
    let mut ranges = vec![RequesterRange { segment, first: id, last: id }];
    if scope.kind == ScopeKind::Bridge {
        match bridges.get(&device) {
            Some(buses) if buses.secondary > device.bus() && buses.secondary <= buses.subordinate => {
                let first = RequesterId(u16::from_be_bytes([buses.secondary, 0]));
                let last = RequesterId(u16::from_be_bytes([buses.subordinate, 0xff]));
                ranges.push(RequesterRange { segment, first, last });
            }
            // A bridge behind which there is no bus.
            Some(_) => {}
            None => {
                let message = format!(
                    "the device scope is {device} and all below it, and the buses below are not known"
                );
                log.push(unknown_buses(scope, message));
            }
        }
    }
    ranges
}

/// Why a path leads to no function that is known.
enum Unresolved {
    /// The bus behind this bridge is not known.
    Behind(PciAddress),
    /// There is no such device or function.
    Impossible(u8, u8),
    /// It has no step.
    Empty,
}

/// The function to which a path leads.
fn device(segment: u16, scope: &Scope, bridges: &Bridges) -> Result<PciAddress, Unresolved> {
    let mut bus = scope.bus;
    let mut hops = scope.path.iter().peekable();
    while let Some(&(device, function)) = hops.next() {
        let here = PciAddress::new(segment, bus, device, function)
            .ok_or(Unresolved::Impossible(device, function))?;
        if hops.peek().is_none() {
            return Ok(here);
        }
        bus = bridges.get(&here).ok_or(Unresolved::Behind(here))?.secondary;
    }
    Err(Unresolved::Empty)
}

fn no_device(scope: &Scope, why: &Unresolved) -> Diagnostic {
    let wrong = |message: String| Diagnostic::new(&codes::SCOPE_PATH, scope.origin.clone(), message);
    match why {
        Unresolved::Behind(bridge) => unknown_buses(
            scope,
            format!(
                "the path of the device scope leads through {bridge}, and the bus behind it is not known"
            ),
        ),
        Unresolved::Impossible(device, function) => wrong(format!(
            "the path of the device scope names device {device:#04x}, function {function:#x}: devices go to 0x1f, \
             functions to 0x7"
        )),
        Unresolved::Empty => wrong("the device scope has no path".to_owned()),
    }
}

fn unknown_buses(scope: &Scope, message: String) -> Diagnostic {
    Diagnostic::new(&codes::SCOPE_PATH, scope.origin.clone(), message)
        .help("capture the configuration space of the bridges: `sys/bus/pci/devices/*/config`")
}
