//! Replays `dma_host`: a domain of the host's own DMA.

use super::dma_domain::{self, DomainInput, WindowKind};
use super::field::{Fault, Read};
use super::iova::range;
use super::json::Json;
use super::ops::{self, Step, Words, compare_member};
use super::shape::{Difference, PAIR, Shape};
use super::{Reader, Recorded, code};
use crate::addr::{Address, Hpa, Iova};
use crate::kernel::dma_domain::{BridgeWindow, DmaDevice, DmaDomain, DomainSettings, HostBridge};
use crate::size::Size;
use crate::version::KernelVersion;

struct Session<'o> {
    input: DomainInput,
    steps: Vec<Step<'o, Op>>,
}

#[derive(Clone, Copy)]
enum Op {
    Init,
    Alloc {
        size: Size,
        limit: u64,
    },
    /// Frees what the operation of this number allocated.
    Free(usize),
    Msi(Hpa),
}

const USAGE: &[&str] = &["init", "alloc SIZE_BYTES DMA_LIMIT", "free K", "msi ADDR"];

pub(super) const READ: Reader = |input| {
    let (input, object) = dma_domain::input(input)?;
    let steps = object.need("ops", |list| ops::steps(list, op))?;
    let all = steps.len();
    for (index, step) in steps.iter().enumerate() {
        let Op::Free(of) = step.op else { continue };
        if of >= all {
            let message = format!("there is no operation {of:x}");
            return Err(Fault::range(message).within(&format!("[{index}]")).within("ops"));
        }
    }
    Ok(Box::new(Session { input, steps }))
};

fn op(words: &Words<'_>) -> Read<Op> {
    Ok(match words.verb {
        "init" => words.numbers::<0>(USAGE).map(|_| Op::Init)?,
        "alloc" => {
            let [size, limit] = words.numbers(USAGE)?;
            Op::Alloc { size: Size::from_bytes(size), limit }
        }
        "free" => words.numbers(USAGE).map(|[of]| Op::Free(ops::index(of)))?,
        "msi" => words.numbers(USAGE).map(|[address]| Op::Msi(Hpa::new(address)))?,
        _ => return Err(words.misused(USAGE)),
    })
}

const NODES: Shape = Shape::List(&PAIR);

/// What the operations change.
struct State {
    domain: DmaDomain,
    device: DmaDevice,
    /// By number of the operation: what it allocated and what is still there.
    allocated: Vec<Option<(Iova, Size)>>,
}

impl Recorded for Session<'_> {
    fn cost(&self) -> u64 {
        let DomainInput { windows, dma_ranges, regions, dma_range_map, .. } = &self.input;
        let around = [windows.len(), dma_ranges.len(), regions.len(), dma_range_map.len()];
        ops::cost(self.steps.len(), around.iter().sum())
    }

    fn check(&self, out: &Json<'_>) -> Read<()> {
        const INIT: Shape =
            Shape::Object(&[("ret", Shape::Errno), ("start_pfn", Shape::Hex), ("nodes", NODES)]);
        let shape = |op: &Op| match op {
            Op::Init => INIT,
            Op::Free(_) => Shape::Flag,
            Op::Alloc { .. } | Op::Msi(_) => Shape::Null(&Shape::Hex),
        };
        ops::check_out(&self.steps, shape, &[("nodes", NODES)], out)
    }

    fn replay(&self, version: KernelVersion, out: &Json<'_>) -> Result<(), Difference> {
        let domain = &self.input.domain;
        let settings = DomainSettings {
            version,
            page_size: self.input.page_size,
            page_sizes: domain.page_sizes,
            aperture_start: domain.aperture.0,
            aperture_end: domain.aperture.1,
            force_aperture: domain.force_aperture,
            cpus: 1,
        };
        let domain = DmaDomain::new(settings);
        let mut state = State { domain, device: device(&self.input), allocated: Vec::new() };
        ops::replay_steps(&self.steps, out, |op| state.answer(*op))?;
        compare_member(out, "nodes", &nodes(&state.domain))
    }
}

fn device(input: &DomainInput) -> DmaDevice {
    let DomainInput { device, windows, dma_ranges, regions, base_limit, dma_range_map, .. } = input;
    let window = |start, end, offset| BridgeWindow { start: Hpa::new(start), end: Hpa::new(end), offset };
    let memory = windows.iter().filter(|(kind, ..)| *kind == WindowKind::Memory);
    let bridge = || HostBridge {
        memory_windows: memory.map(|&(_, start, end, offset)| window(start, end, offset)).collect(),
        dma_ranges: dma_ranges.iter().map(|&(start, end, offset)| window(start, end, offset)).collect(),
    };
    let dma_range = |&(start, _, size): &(u64, u64, u64)| (Iova::new(start), Size::from_bytes(size));
    DmaDevice {
        bridge: device.pci.then(bridge),
        regions: regions.clone(),
        dma_mask: device.dma_mask,
        bus_dma_limit: device.bus_dma_limit,
        dma_base_limit: (Iova::new(base_limit.0), Iova::new(base_limit.1)),
        dma_range_map: dma_range_map.iter().map(dma_range).collect(),
        tries_32bit: device.pci && !device.forcedac,
    }
}

impl State {
    fn answer(&mut self, op: Op) -> Json<'static> {
        let Self { domain, device, .. } = self;
        let mut allocated = None;
        let answer = match op {
            Op::Init => {
                let ret = code(domain.init(device));
                let start_pfn = domain.iovas().map_or(0, |iovas| iovas.start_pfn());
                let start_pfn = Json::hex(start_pfn);
                Json::object([("ret", ret), ("start_pfn", start_pfn), ("nodes", nodes(domain))])
            }
            Op::Alloc { size, limit } => {
                allocated = domain.alloc(device, size, limit).map(|iova| (iova, size));
                allocated.map_or(Json::Null, |(iova, _)| Json::hex(iova.get()))
            }
            Op::Free(of) => match self.allocated.get_mut(of).and_then(Option::take) {
                Some((iova, size)) => {
                    domain.free(iova, size);
                    Json::integer(1)
                }
                None => Json::integer(0),
            },
            Op::Msi(address) => {
                domain.map_doorbell(device, address).map_or(Json::Null, |iova| Json::hex(iova.get()))
            }
        };
        self.allocated.push(allocated);
        answer
    }
}

fn nodes(domain: &DmaDomain) -> Json<'static> {
    Json::List(domain.iovas().map_or_else(Vec::new, |iovas| iovas.ranges().map(range).collect()))
}
