//! Address spaces of iommufd, and its doorbell pages.

use planner_core::addr::{Address, Hpa, Iova};
use planner_core::kernel::errno::Errno;
use planner_core::kernel::iommufd::ioas::{Ioas, LargePages, MapRequest, Owner};
use planner_core::kernel::iommufd::sw_msi::SwMsiMaps;
use planner_core::kernel::resv::RawRegion;
use planner_core::size::{PageSize, PageSizes, Size};
use serde_json::{Value, json};

use crate::vectors::{hex, hex_word, list, region, replay, text};

#[test]
fn an_address_space_answers_as_the_kernel_does() {
    replay(include_str!("../../vectors/kernel/iommufd.json"), 1470, |input, _| run(input));
}

#[test]
fn doorbell_pages_are_where_the_kernel_puts_them() {
    replay(include_str!("../../vectors/kernel/iommufd_swmsi.json"), 20, |input, _| run(input));
}

struct State<'a> {
    input: &'a Value,
    ioas: Ioas,
    doorbells: SwMsiMaps,
}

fn run(input: &Value) -> Value {
    let page_size = PageSize::from_bytes(hex(&input["page"])).expect("a page size");
    let huge_page = Size::from_bytes(hex(&input["hpage"]));
    let ioas = Ioas::new(page_size, huge_page);
    let mut state = State { input, ioas, doorbells: SwMsiMaps::new(page_size) };
    let out: Vec<Value> = list(&input["ops"]).iter().map(|op| step(&mut state, text(op))).collect();
    let areas: Vec<Value> = state.ioas.areas().map(pair).collect();
    let reserved: Vec<Value> = state.ioas.reserved().map(pair).collect();
    json!({ "out": out, "areas": areas, "resv": reserved })
}

fn step(state: &mut State<'_>, op: &str) -> Value {
    let words: Vec<&str> = op.split_whitespace().collect();
    let number = |index: usize| hex_word(words[index]);
    let id = || words[1].parse::<u32>().expect("an id");
    let ioas = &mut state.ioas;
    match words[0] {
        "resv" => {
            let regions: Vec<RawRegion> = list(&state.input["devs"][words[1]]).iter().map(region).collect();
            let (ret, base) = ioas.add_device(id(), &regions);
            json!([code(ret), base.map(address)])
        }
        "unresv" => {
            ioas.release(Owner::Device(id()));
            json!(0)
        }
        "adddom" => json!(code(add_domain(ioas, id(), &state.input["doms"][words[1]]))),
        "deldom" => {
            ioas.remove_domain(id());
            json!(0)
        }
        "map" => {
            let flags = u32::try_from(number(4)).expect("flags");
            let request =
                MapRequest { iova: Iova::new(number(1)), length: number(2), vaddr: number(3), flags };
            ioas.map(&request).map_or_else(|errno| json!(-errno.number()), |iova| json!(address(iova)))
        }
        "unmap" => {
            let unmapped = ioas.unmap(Iova::new(number(1)), number(2));
            json!([code(unmapped.map(drop)), format!("{:x}", unmapped.unwrap_or(0))])
        }
        "allow" => {
            let ranges: Vec<(Iova, Iova)> = words[1..].iter().map(|range| ends(range)).collect();
            json!(code(ioas.allow(&ranges)))
        }
        "ranges" => {
            let iova: Vec<Value> =
                ioas.usable().iter().map(|span| pair((span.first(), span.last()))).collect();
            json!({ "ret": 0, "align": format!("{:x}", ioas.alignment().bytes()), "iova": iova })
        }
        "nohuge" => json!(code(ioas.set_large_pages(LargePages::Disabled))),
        "huge" => json!(code(ioas.set_large_pages(LargePages::Enabled))),
        "swmsi" => {
            let page = state.doorbells.page_of(Iova::new(number(1)), Hpa::new(number(2)));
            page.map_or_else(|errno| json!(-errno.number()), |iova| json!(address(iova)))
        }
        _ => panic!("an unknown operation: {op}"),
    }
}

fn add_domain(ioas: &mut Ioas, id: u32, domain: &Value) -> Result<(), Errno> {
    let aperture = &domain["aperture"];
    let aperture = (Iova::new(hex(&aperture[0])), Iova::new(hex(&aperture[1])));
    ioas.add_domain(id, aperture, PageSizes::from_bitmap(hex(&domain["pgsize_bitmap"])))
}

fn ends(range: &str) -> (Iova, Iova) {
    let (start, end) = range.split_once(':').expect("start:end");
    (Iova::new(hex_word(start)), Iova::new(hex_word(end)))
}

fn address(iova: Iova) -> String {
    format!("{:x}", iova.get())
}

fn pair((start, end): (Iova, Iova)) -> Value {
    json!([address(start), address(end)])
}

fn code(result: Result<(), Errno>) -> i32 {
    result.map_or_else(|errno| -errno.number(), |()| 0)
}
