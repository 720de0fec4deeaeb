//! What the IVRS says about the host: which IOMMU serves which requesters under which ID, and reserved memory.

use std::collections::BTreeMap;

use super::super::id_map::IdMap;
use super::super::limits::MOST_PARTS;
use super::super::parts::{Known, Parts, Served, no_region, region, rows};
use super::super::table::span;
use super::{Entry, Ivrs, Reserved, Unit};
use crate::diag::Origin;
use crate::facts::Arch;
use crate::facts::host::{FirmwareKind, IommuFact, IommuModel, RequesterRange};
use crate::read::capture::log::Log;

/// Adds what the table says.
pub(in super::super) fn facts(ivrs: &Ivrs, parts: &mut Parts, log: &mut Log) {
    parts.arch = parts.arch.or(Some(Arch::X86_64));
    let kind = chosen(ivrs);
    let first = parts.iommus.len();
    let units: Vec<&Unit> =
        ivrs.units.iter().filter(|unit| Some(unit.kind) == kind).take(MOST_PARTS).collect();
    parts.iommus.extend(units.iter().enumerate().map(|(index, unit)| IommuFact {
        // As in sysfs (iommu_init_pci in drivers/iommu/amd/init.c).
        name: format!("ivhd{index}"),
        model: Some(IommuModel::AmdVi),
        base: Some(unit.base),
        aperture: None,
        pages: None,
        origin: unit.origin.clone(),
    }));
    serve(&units, first, parts);
    for (index, memory) in ivrs.reserved.iter().enumerate() {
        reserve(index, memory, parts, log);
    }
}

/// The kind of block that Linux takes of all IOMMUs: the last that the table has for the IOMMU of its first block
/// (get_highest_supported_ivhd_type in drivers/iommu/amd/init.c).
fn chosen(ivrs: &Ivrs) -> Option<u8> {
    let first = ivrs.units.first()?;
    ivrs.units.iter().rev().find(|unit| unit.device == first.device).map(|unit| unit.kind)
}

/// Which IOMMU serves which requesters. A later entry wins over an earlier one (set_dev_entry_from_acpi in
/// drivers/iommu/amd/init.c), and none serves itself (init_iommu_one).
fn serve(units: &[&Unit], first_iommu: usize, parts: &mut Parts) {
    let mut maps: BTreeMap<u16, IdMap<(Option<Served>, usize)>> = BTreeMap::new();
    let mut origins: Vec<Origin> = Vec::new();
    for unit in units {
        parts.name_segment(unit.segment, &unit.origin);
        let own = u32::from(unit.device.0);
        maps.entry(unit.segment).or_default().fill(own, own, (None, 0));
    }
    for (index, unit) in units.iter().enumerate().rev() {
        let map = maps.entry(unit.segment).or_default();
        for entry in unit.entries.iter().rev() {
            let iommu = first_iommu.saturating_add(index);
            let served = Served { iommu, known: known(entry) };
            map.fill(entry.first.0.into(), entry.last.0.into(), (Some(served), origins.len()));
            origins.push(entry.origin.clone());
        }
    }
    for (segment, map) in maps {
        parts.streams.insert(segment, rows(&map, &parts.iommus, &origins));
    }
}

/// The IOMMU looks a requester up by its own ID, or by its alias.
fn known(entry: &Entry) -> Known {
    let id = u32::from(entry.first.0);
    entry.alias.map_or(Known::From { requester: id, id }, |alias| Known::As(alias.0.into()))
}

/// Adds the memory of an IVMD, unity map and exclusion range alike (init_unity_map_range in drivers/iommu/amd/init.c).
fn reserve(index: usize, memory: &Reserved, parts: &mut Parts, log: &mut Log) {
    /// Unity map, exclusion range (`IVMD_FLAG_UNITY_MAP`, `IVMD_FLAG_EXCL_RANGE`).
    const TAKEN: u8 = 0x01 | 0x08;
    if memory.flags & TAKEN == 0 {
        return;
    }
    let Some(span) = span(memory.base, memory.length_bytes) else {
        log.push(no_region(memory.base, memory.length_bytes, memory.origin.clone()));
        return;
    };
    let range = RequesterRange { segment: memory.segment, first: memory.first, last: memory.last };
    let name = format!("ivmd{index}");
    parts.add_region(region(name, FirmwareKind::Direct, span, &[range], memory.origin.clone()), log);
}
