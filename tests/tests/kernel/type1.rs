//! VFIO type1 containers.

use std::collections::BTreeMap;

use planner_core::addr::{Address, Iova, Span};
use planner_core::kernel::errno::Errno;
use planner_core::kernel::type1::container::{
    Container, ContainerGroup, Extent, Interface, MapRequest, Settings,
};
use planner_core::size::{PageSize, PageSizes};
use planner_core::version::KernelVersion;
use serde_json::{Value, json};

use crate::vectors::{devices, hex, hex_word, list, replay, text};

#[test]
fn a_container_answers_as_the_kernel_does() {
    replay(include_str!("../../vectors/kernel/vfio_type1.json"), 2600, run);
}

fn run(input: &Value, version: KernelVersion) -> Value {
    let mut container = Container::new(settings(&input["opts"], version));
    let groups: BTreeMap<u32, ContainerGroup> =
        list(&input["groups"]).iter().map(group).map(|group| (group.id, group)).collect();
    let ops = list(&input["ops"]).iter().map(text);
    let out: Vec<Value> = ops.map(|op| step(&mut container, &groups, op)).collect();
    json!({ "out": out })
}

fn settings(opts: &Value, version: KernelVersion) -> Settings {
    let flag = |name: &str| opts[name].as_u64().unwrap_or(0) != 0;
    let page = opts["page"].as_str().map_or(0x1000, hex_word);
    Settings {
        version,
        page_size: PageSize::from_bytes(page).expect("a page size"),
        unsafe_interrupts: flag("unsafe"),
        host_isolates: flag("msi_remap"),
        interface: if opts["v2"].as_u64() == Some(0) { Interface::V1 } else { Interface::V2 },
        mapping_limit: opts["avail"].as_u64().unwrap_or(65535),
    }
}

fn group(group: &Value) -> ContainerGroup {
    let number = |name: &str| group[name].as_u64().expect("a number");
    ContainerGroup {
        id: u32::try_from(number("id")).expect("a small number"),
        aperture: Span::of(hex(&group["aperture"][0]), hex(&group["aperture"][1])).expect("an aperture"),
        page_sizes: PageSizes::from_bitmap(hex(&group["pgsize_bitmap"])),
        driver: number("iommu_ops"),
        coherent: number("coherent") != 0,
        isolated: number("isolated_msi") != 0,
        devices: devices(&group["devs"]),
    }
}

fn step(container: &mut Container, groups: &BTreeMap<u32, ContainerGroup>, op: &str) -> Value {
    let words: Vec<&str> = op.split_whitespace().collect();
    let number = |index: usize| hex_word(words[index]);
    match words[0] {
        "attach" => {
            let id: u32 = words[1].parse().expect("a group");
            let ret = container.attach(groups[&id].clone());
            state(container, code(ret))
        }
        "detach" => {
            container.detach(words[1].parse().expect("a group"));
            state(container, 0)
        }
        "map" => {
            let flags = u32::try_from(number(4)).expect("flags");
            let request = MapRequest { iova: Iova::new(number(1)), size: number(2), vaddr: number(3), flags };
            json!(code(container.map(&request)))
        }
        "unmap" => {
            let extent = if number(3) & 2 != 0 { Extent::All } else { Extent::Range };
            let unmapped = container.unmap(Iova::new(number(1)), number(2), extent);
            json!([code(unmapped.map(drop)), format!("{:x}", unmapped.unwrap_or(0))])
        }
        "valid" => {
            let request = Span::of(number(1), number(2)).expect("a range");
            json!(u8::from(container.allows(request)))
        }
        _ => panic!("an unknown operation: {op}"),
    }
}

fn code(result: Result<(), Errno>) -> i32 {
    result.map_or_else(|errno| -errno.number(), |()| 0)
}

fn state(container: &Container, ret: i32) -> Value {
    let iova: Vec<Value> = container
        .usable()
        .iter()
        .map(|range| json!([format!("{:x}", range.first().get()), format!("{:x}", range.last().get())]))
        .collect();
    let domains: Vec<Value> = container
        .domains()
        .iter()
        .map(|domain| {
            let groups: Vec<u32> = domain.groups.iter().map(|group| group.id).collect();
            json!({ "groups": groups, "msi": domain.msi_base.map(|base| format!("{:x}", base.get())) })
        })
        .collect();
    json!({
        "ret": ret,
        "iova": iova,
        "pgsizes": format!("{:x}", container.page_sizes().bitmap()),
        "domains": domains,
    })
}
