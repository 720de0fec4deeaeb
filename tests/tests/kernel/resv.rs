//! `iommu_insert_resv_region`, the merge of a group, and the text in sysfs.

use planner_core::kernel::resv::{RawRegion, group_regions, sysfs_text};
use planner_core::size::PageSize;
use planner_core::version::KernelVersion;
use serde_json::{Value, json};

use crate::vectors::{devices, kind_word, replay};

#[test]
fn the_list_of_a_group_is_the_kernels() {
    replay(include_str!("../../vectors/kernel/resv.json"), 2500, run);
}

fn run(input: &Value, version: KernelVersion) -> Value {
    let devices = devices(&input["devs"]);
    let merged = group_regions(devices.iter().map(Option::as_deref));
    let regions: Vec<Value> = merged.iter().map(print).collect();
    json!({ "regions": regions, "sysfs": sysfs_text(&merged, version, PageSize::K4) })
}

fn print(region: &RawRegion) -> Value {
    let RawRegion { start, length, kind, prot } = region;
    json!([kind_word(*kind), format!("{start:x}"), format!("{length:x}"), prot])
}
