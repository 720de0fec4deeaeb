//! Domains of the host's own DMA.

use planner_core::addr::{Address, Hpa, Iova};
use planner_core::kernel::dma_domain::{BridgeWindow, DmaDevice, DmaDomain, DomainSettings, HostBridge};
use planner_core::size::{PageSize, PageSizes, Size};
use planner_core::version::KernelVersion;
use serde_json::{Value, json};

use crate::iova::{range, word};
use crate::vectors::{hex, hex_word, list, region, replay, text};

#[test]
fn a_domain_answers_as_the_kernel_does() {
    replay(include_str!("../../vectors/kernel/dma_host.json"), 1900, run);
}

fn run(input: &Value, version: KernelVersion) -> Value {
    let domain = &input["dom"];
    let settings = DomainSettings {
        version,
        page_size: PageSize::from_bytes(hex(&input["page"])).expect("a page size"),
        page_sizes: PageSizes::from_bitmap(hex(&domain["pgsize_bitmap"])),
        aperture_start: Iova::new(hex(&domain["aperture"][0])),
        aperture_end: Iova::new(hex(&domain["aperture"][1])),
        force_aperture: domain["force_aperture"].as_u64() != Some(0),
        cpus: 1,
    };
    let mut state = State { domain: DmaDomain::new(settings), device: device(input), allocated: Vec::new() };
    let out: Vec<Value> = list(&input["ops"]).iter().map(|op| step(&mut state, text(op))).collect();
    json!({ "out": out, "nodes": nodes(&state.domain) })
}

fn device(input: &Value) -> DmaDevice {
    let device = &input["dev"];
    let is_pci = device["pci"].as_u64() != Some(0);
    let base_limit = &input["base_limit_6_1"];
    let dma_base_limit =
        if base_limit.is_null() { (0, u64::MAX) } else { (hex(&base_limit[0]), hex(&base_limit[1])) };
    let dma_range = |range: &Value| (Iova::new(hex(&range[0])), Size::from_bytes(hex(&range[2])));
    DmaDevice {
        bridge: is_pci.then(|| bridge(input)),
        regions: list(&input["resv"]).iter().map(region).collect(),
        dma_mask: hex(&device["dma_mask"]),
        bus_dma_limit: hex(&device["bus_dma_limit"]),
        dma_base_limit: (Iova::new(dma_base_limit.0), Iova::new(dma_base_limit.1)),
        dma_range_map: list(&input["dma_range_map"]).iter().map(dma_range).collect(),
        tries_32bit: is_pci && device["forcedac"].as_u64() == Some(0),
    }
}

fn bridge(input: &Value) -> HostBridge {
    let window = |start: &Value, end: &Value, offset: &Value| BridgeWindow {
        start: Hpa::new(hex(start)),
        end: Hpa::new(hex(end)),
        offset: hex(offset),
    };
    let memory = list(&input["windows"]).iter().filter(|entry| entry[0] == "mem");
    HostBridge {
        memory_windows: memory.map(|entry| window(&entry[1], &entry[2], &entry[3])).collect(),
        dma_ranges: list(&input["dma_ranges"])
            .iter()
            .map(|entry| window(&entry[0], &entry[1], &entry[2]))
            .collect(),
    }
}

struct State {
    domain: DmaDomain,
    device: DmaDevice,
    /// By index of the operation: what it allocated and what is still there.
    allocated: Vec<Option<(Iova, Size)>>,
}

fn step(state: &mut State, op: &str) -> Value {
    let words: Vec<&str> = op.split_whitespace().collect();
    let number = |index: usize| hex_word(words[index]);
    let State { domain, device, .. } = state;
    let mut allocated = None;
    let out = match words[0] {
        "init" => {
            let ret = domain.init(device).map_or_else(|errno| -errno.number(), |()| 0);
            let start_pfn = domain.iovas().map_or(0, |iovas| iovas.start_pfn());
            json!({ "ret": ret, "start_pfn": word(start_pfn), "nodes": nodes(domain) })
        }
        "alloc" => {
            let size = Size::from_bytes(number(1));
            allocated = domain.alloc(device, size, number(2)).map(|iova| (iova, size));
            json!(allocated.map(|(iova, _)| word(iova.get())))
        }
        "free" => {
            let index = usize::try_from(number(1)).expect("an index");
            let freed = state.allocated.get_mut(index).and_then(Option::take);
            if let Some((iova, size)) = freed {
                domain.free(iova, size);
            }
            json!(i32::from(freed.is_some()))
        }
        "msi" => json!(domain.map_doorbell(device, Hpa::new(number(1))).map(|iova| word(iova.get()))),
        _ => panic!("an unknown operation: {op}"),
    };
    state.allocated.push(allocated);
    out
}

fn nodes(domain: &DmaDomain) -> Value {
    json!(domain.iovas().map_or_else(Vec::new, |iovas| iovas.ranges().map(range).collect()))
}
