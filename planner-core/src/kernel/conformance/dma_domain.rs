//! The input of `dma_host` and `msi_cookie`: a domain, a device, and what lies around it.

use super::field::{self, Fault, Object, Read};
use super::json::Json;
use crate::addr::{Address, Iova};
use crate::kernel::resv::RawRegion;
use crate::size::{PageSize, PageSizes};

/// Everything but the operations.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::kernel) struct DomainInput {
    pub(in crate::kernel) page_size: PageSize,
    pub(in crate::kernel) domain: Domain,
    pub(in crate::kernel) device: Device,
    /// Kind, first and last CPU address, offset.
    pub(in crate::kernel) windows: Vec<(WindowKind, u64, u64, u64)>,
    /// First and last CPU address, offset.
    pub(in crate::kernel) dma_ranges: Vec<(u64, u64, u64)>,
    pub(in crate::kernel) regions: Vec<RawRegion>,
    /// What firmware says of the device's DMA addresses, first and last; used by 6.1 only.
    pub(in crate::kernel) base_limit: (u64, u64),
    /// First DMA address, first CPU address, size; used since 6.12 only.
    pub(in crate::kernel) dma_range_map: Vec<(u64, u64, u64)>,
}

/// A domain of the IOMMU API.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::kernel) struct Domain {
    pub(in crate::kernel) page_sizes: PageSizes,
    pub(in crate::kernel) aperture: (Iova, Iova),
    pub(in crate::kernel) force_aperture: bool,
    /// `dma`, `unmanaged`, …
    pub(in crate::kernel) kind: String,
}

/// What is known of the device.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::kernel) struct Device {
    pub(in crate::kernel) pci: bool,
    pub(in crate::kernel) forcedac: bool,
    /// 0 for none.
    pub(in crate::kernel) bus_dma_limit: u64,
    pub(in crate::kernel) dma_mask: u64,
}

/// Kind of a window of a host bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::kernel) enum WindowKind {
    Memory,
    Io,
    Bus,
}

/// The members of the input; `ops` is read by the schema.
const MEMBERS: [&str; 9] =
    ["page", "dom", "dev", "windows", "dma_ranges", "resv", "base_limit_6_1", "dma_range_map", "ops"];

/// Reads the input, and tells where the operations are.
pub(in crate::kernel) fn input<'o, 'a>(json: &'o Json<'a>) -> Read<(DomainInput, Object<'o, 'a>)> {
    let object = Object::of(json, &MEMBERS)?;
    let triples = |json| field::list(json, triple);
    let input = DomainInput {
        page_size: object.need("page", field::page_size)?,
        domain: object.need("dom", domain)?,
        device: object.need("dev", device)?,
        windows: object.need("windows", |json| field::list(json, window))?,
        dma_ranges: object.need("dma_ranges", triples)?,
        regions: object.need("resv", |json| field::list(json, field::region))?,
        base_limit: object.may("base_limit_6_1", pair)?.unwrap_or((0, u64::MAX)),
        dma_range_map: object.may("dma_range_map", triples)?.unwrap_or_default(),
    };
    Ok((input, object))
}

fn domain(json: &Json<'_>) -> Read<Domain> {
    let domain = Object::of(json, &["pgsize_bitmap", "aperture", "force_aperture", "type"])?;
    Ok(Domain {
        page_sizes: domain.need("pgsize_bitmap", field::page_sizes)?,
        aperture: domain.need("aperture", field::ends)?,
        force_aperture: domain.need("force_aperture", field::flag)?,
        kind: domain.need("type", |json| domain_kind(field::text(json)?))?,
    })
}

/// The kinds of domains (`IOMMU_DOMAIN_*` in include/linux/iommu.h).
fn domain_kind(word: &str) -> Read<String> {
    const KINDS: [&str; 5] = ["dma", "dma_fq", "unmanaged", "identity", "blocked"];
    if KINDS.contains(&word) {
        return Ok(word.to_owned());
    }
    let shown = super::shortened(word, 40);
    Err(Fault::range(format!("`{shown}` is no kind of domain; kinds are {}", KINDS.join(", "))))
}

fn device(json: &Json<'_>) -> Read<Device> {
    let device = Object::of(json, &["pci", "forcedac", "bus_dma_limit", "dma_mask"])?;
    Ok(Device {
        pci: device.need("pci", field::flag)?,
        forcedac: device.need("forcedac", field::flag)?,
        bus_dma_limit: device.need("bus_dma_limit", field::hex)?,
        dma_mask: device.need("dma_mask", field::hex)?,
    })
}

fn window(json: &Json<'_>) -> Read<(WindowKind, u64, u64, u64)> {
    let [kind, first, last, offset] = field::tuple(json)?;
    let kind = match field::text(kind).map_err(|fault| fault.within("[0]"))? {
        "mem" => WindowKind::Memory,
        "io" => WindowKind::Io,
        "bus" => WindowKind::Bus,
        other => {
            let shown = super::shortened(other, 40);
            return Err(Fault::range(format!("`{shown}` is none of mem, io, bus")).within("[0]"));
        }
    };
    Ok((kind, at(first, 1)?, at(last, 2)?, at(offset, 3)?))
}

fn triple(json: &Json<'_>) -> Read<(u64, u64, u64)> {
    let [first, second, third] = field::tuple(json)?;
    Ok((at(first, 0)?, at(second, 1)?, at(third, 2)?))
}

fn pair(json: &Json<'_>) -> Read<(u64, u64)> {
    let (first, last) = field::ends(json)?;
    Ok((first.get(), last.get()))
}

fn at(json: &Json<'_>, index: usize) -> Read<u64> {
    field::hex(json).map_err(|fault| fault.within(&format!("[{index}]")))
}
