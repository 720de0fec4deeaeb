//! Doorbell pages in the MSI window of VFIO domains.

use planner_core::addr::{Address, Hpa, Iova, Span};
use planner_core::kernel::errno::Errno;
use planner_core::kernel::msi::MsiCookie;
use planner_core::size::PageSize;
use serde_json::{Value, json};

use crate::vectors::{hex, hex_word, list, replay, text};

#[test]
fn doorbells_are_mapped_where_the_kernel_maps_them() {
    replay(include_str!("../../vectors/kernel/msi_cookie.json"), 210, |input, _| run(input));
}

fn run(input: &Value) -> Value {
    let mut cookie = None;
    let ops = list(&input["ops"]).iter().map(text);
    let out: Vec<Value> = ops.map(|op| step(input, &mut cookie, op)).collect();
    json!({ "out": out, "nodes": [] })
}

fn step(input: &Value, cookie: &mut Option<MsiCookie>, op: &str) -> Value {
    let words: Vec<&str> = op.split_whitespace().collect();
    let number = hex_word(words[1]);
    match words[0] {
        // iommu_get_msi_cookie: once, and for domains that user space owns.
        "cookie" if text(&input["dom"]["type"]) != "unmanaged" => json!(-Errno::Inval.number()),
        "cookie" if cookie.is_some() => json!(-Errno::Exist.number()),
        "cookie" => {
            *cookie = Some(new_cookie(input, Iova::new(number)));
            json!(0)
        }
        "msi" => {
            let mapped = cookie.as_mut().and_then(|cookie| cookie.map(Hpa::new(number)));
            json!(mapped.map(|iova| format!("{:x}", iova.get())))
        }
        _ => panic!("an unknown operation: {op}"),
    }
}

fn new_cookie(input: &Value, base: Iova) -> MsiCookie {
    let domain = &input["dom"];
    let aperture = match domain["force_aperture"].as_u64() {
        Some(0) => Span::full(),
        _ => Span::of(hex(&domain["aperture"][0]), hex(&domain["aperture"][1])).expect("an aperture"),
    };
    let page_size = PageSize::from_bytes(hex(&input["page"])).expect("a page size");
    MsiCookie::new(base, page_size, aperture)
}
