//! Replays `vfio_type1`: a container of VFIO type1.

use std::collections::BTreeMap;

use super::field::{self, Fault, Object, Read};
use super::json::Json;
use super::ops::{self, Step, Words};
use super::shape::{Difference, PAIR, Shape};
use super::{Reader, Recorded, code};
use crate::addr::{Address, Iova};
use crate::kernel::type1::container::{
    Container, ContainerGroup, Domain, Extent, Interface, MapRequest, Settings,
};
use crate::size::PageSize;
use crate::version::KernelVersion;

struct Session<'o> {
    options: Options,
    groups: BTreeMap<u32, ContainerGroup>,
    steps: Vec<Step<'o, Op>>,
}

struct Options {
    page_size: PageSize,
    unsafe_interrupts: bool,
    host_isolates: bool,
    interface: Interface,
    mapping_limit: u64,
}

#[derive(Clone, Copy)]
enum Op {
    Attach(u32),
    Detach(u32),
    Map(MapRequest),
    Unmap { iova: Iova, size: u64, extent: Extent },
    Valid { start: Iova, end: Iova },
    Find { start: Iova, size: u64 },
}

const USAGE: &[&str] = &[
    "attach ID",
    "detach ID",
    "map IOVA SIZE VADDR FLAGS",
    "unmap IOVA SIZE FLAGS",
    "valid START END",
    "find START SIZE",
];

pub(super) const READ: Reader = |input| {
    let input = Object::of(input, &["opts", "groups", "ops"])?;
    let options = input.need("opts", options)?;
    let mut groups = BTreeMap::new();
    for group in input.need("groups", |groups| field::list(groups, group))? {
        let id = group.id;
        if groups.insert(id, group).is_some() {
            return Err(Fault::range(format!("two groups have the number {id}")).within("groups"));
        }
    }
    let steps = input.need("ops", |list| ops::steps(list, |words| op(words, &groups)))?;
    Ok(Box::new(Session { options, groups, steps }))
};

fn options(json: &Json<'_>) -> Read<Options> {
    let options = Object::of(json, &["page", "unsafe", "msi_remap", "v2", "avail"])?;
    let v2 = options.may("v2", field::flag)?.unwrap_or(true);
    Ok(Options {
        page_size: options.may("page", field::page_size)?.unwrap_or(PageSize::K4),
        unsafe_interrupts: options.may("unsafe", field::flag)?.unwrap_or(false),
        host_isolates: options.may("msi_remap", field::flag)?.unwrap_or(false),
        interface: if v2 { Interface::V2 } else { Interface::V1 },
        // The default of the module parameter dma_entry_limit.
        mapping_limit: options.may("avail", field::decimal)?.unwrap_or(65535),
    })
}

fn group(json: &Json<'_>) -> Read<ContainerGroup> {
    let known = ["id", "aperture", "pgsize_bitmap", "iommu_ops", "isolated_msi", "coherent", "devs"];
    let group = Object::of(json, &known)?;
    Ok(ContainerGroup {
        id: group.need("id", field::small)?,
        aperture: group.need("aperture", field::span)?,
        page_sizes: group.need("pgsize_bitmap", field::page_sizes)?,
        driver: group.need("iommu_ops", field::decimal)?,
        coherent: group.need("coherent", field::flag)?,
        isolated: group.need("isolated_msi", field::flag)?,
        devices: group.need("devs", |devs| field::list(devs, field::device))?,
    })
}

fn op(words: &Words<'_>, groups: &BTreeMap<u32, ContainerGroup>) -> Read<Op> {
    let known = |id: u32| {
        let fault = || Fault::range(format!("there is no group {id}"));
        groups.contains_key(&id).then_some(id).ok_or_else(fault)
    };
    Ok(match words.verb {
        "attach" => Op::Attach(known(words.id(USAGE)?)?),
        "detach" => Op::Detach(known(words.id(USAGE)?)?),
        "map" => {
            let [iova, size, vaddr, flags] = words.numbers(USAGE)?;
            Op::Map(MapRequest { iova: Iova::new(iova), size, vaddr, flags: ops::flags(flags)? })
        }
        "unmap" => {
            let [iova, size, flags] = words.numbers(USAGE)?;
            let extent = if flags & UNMAP_ALL != 0 { Extent::All } else { Extent::Range };
            Op::Unmap { iova: Iova::new(iova), size, extent }
        }
        "valid" => {
            let [start, end] = words.numbers(USAGE)?;
            Op::Valid { start: Iova::new(start), end: Iova::new(end) }
        }
        "find" => {
            let [start, size] = words.numbers(USAGE)?;
            Op::Find { start: Iova::new(start), size }
        }
        _ => return Err(words.misused(USAGE)),
    })
}

/// `VFIO_DMA_UNMAP_FLAG_ALL` (include/uapi/linux/vfio.h).
const UNMAP_ALL: u64 = 2;

const DOMAIN: Shape =
    Shape::Object(&[("groups", Shape::List(&Shape::Decimal)), ("msi", Shape::Null(&Shape::Hex))]);
const STATE: Shape = Shape::Object(&[
    ("ret", Shape::Errno),
    ("iova", Shape::List(&PAIR)),
    ("pgsizes", Shape::Hex),
    ("domains", Shape::List(&DOMAIN)),
]);

impl Recorded for Session<'_> {
    fn cost(&self) -> u64 {
        let regions = self.groups.values().flat_map(|group| &group.devices).flatten().map(Vec::len);
        ops::cost(self.steps.len(), regions.sum())
    }

    fn check(&self, out: &Json<'_>) -> Read<()> {
        let shape = |op: &Op| match op {
            Op::Attach(_) | Op::Detach(_) => STATE,
            Op::Map(_) => Shape::Errno,
            Op::Unmap { .. } => Shape::Tuple(&[Shape::Errno, Shape::Hex]),
            Op::Valid { .. } => Shape::Flag,
            Op::Find { .. } => Shape::Null(&Shape::Hex),
        };
        ops::check_out(&self.steps, shape, &[], out)
    }

    fn replay(&self, version: KernelVersion, out: &Json<'_>) -> Result<(), Difference> {
        let Options { page_size, unsafe_interrupts, host_isolates, interface, mapping_limit } = self.options;
        let settings =
            Settings { version, page_size, unsafe_interrupts, host_isolates, interface, mapping_limit };
        let mut container = Container::new(settings);
        ops::replay_steps(&self.steps, out, |op| self.answer(&mut container, *op))
    }
}

impl Session<'_> {
    fn answer(&self, container: &mut Container, op: Op) -> Json<'static> {
        match op {
            Op::Attach(id) => {
                let ret = self.groups.get(&id).map_or(Ok(()), |group| container.attach(group.clone()));
                state(container, code(ret))
            }
            Op::Detach(id) => {
                container.detach(id);
                state(container, code(Ok(())))
            }
            Op::Map(request) => code(container.map(&request)),
            Op::Unmap { iova, size, extent } => {
                let unmapped = container.unmap(iova, size, extent);
                Json::List(vec![code(unmapped.map(drop)), Json::hex(unmapped.unwrap_or(0))])
            }
            Op::Valid { start, end } => Json::integer(u8::from(container.allows(start, end))),
            Op::Find { start, size } => {
                container.find(start, size).map_or(Json::Null, |(start, _)| Json::hex(start.get()))
            }
        }
    }
}

fn state(container: &Container, ret: Json<'static>) -> Json<'static> {
    let ranges = container.usable().iter().map(|range| super::pair(range.first(), range.last()));
    let domains = container.domains().iter().map(domain);
    Json::object([
        ("ret", ret),
        ("iova", Json::List(ranges.collect())),
        ("pgsizes", Json::hex(container.page_sizes().bitmap())),
        ("domains", Json::List(domains.collect())),
    ])
}

fn domain(domain: &Domain) -> Json<'static> {
    let groups = domain.groups.iter().map(|group| Json::integer(group.id));
    let msi = domain.msi_base.map_or(Json::Null, |base| Json::hex(base.get()));
    Json::object([("groups", Json::List(groups.collect())), ("msi", msi)])
}
