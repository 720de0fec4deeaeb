//! Replays `iommufd` and `iommufd_swmsi`: an address space of iommufd, and the doorbell pages of an open file.

use std::collections::BTreeMap;

use super::field::{self, Fault, Object, Read};
use super::json::Json;
use super::ops::{self, Step, Words, compare_member};
use super::shape::{Difference, PAIR, Shape};
use super::{Reader, Recorded, code, pair};
use crate::addr::{Address, Hpa, Iova};
use crate::kernel::errno::Errno;
use crate::kernel::iommufd::ioas::{Ioas, LargePages, MapRequest, Owner};
use crate::kernel::iommufd::sw_msi::SwMsiMaps;
use crate::kernel::resv::RawRegion;
use crate::size::{PageSize, PageSizes, Size};
use crate::version::KernelVersion;

struct Session<'o> {
    page_size: PageSize,
    huge_page: Size,
    devices: BTreeMap<u32, Vec<RawRegion>>,
    domains: BTreeMap<u32, Domain>,
    steps: Vec<Step<'o, Op>>,
}

struct Domain {
    aperture: (Iova, Iova),
    page_sizes: PageSizes,
}

#[derive(Clone)]
enum Op {
    Resv(u32),
    Unresv(u32),
    AddDomain(u32),
    DropDomain(u32),
    Map(MapRequest),
    Unmap { iova: Iova, length: u64 },
    Allow(Vec<(Iova, Iova)>),
    Ranges,
    LargePages(LargePages),
    SwMsi { start: Iova, doorbell: Hpa },
}

const USAGE: &[&str] = &[
    "resv ID",
    "unresv ID",
    "adddom ID",
    "deldom ID",
    "map IOVA LEN UVA FLAGS",
    "unmap IOVA LEN",
    "allow A:B …",
    "ranges",
    "nohuge",
    "huge",
    "swmsi START DOORBELL",
];

pub(super) const READ: Reader = |input| {
    let input = Object::of(input, &["page", "hpage", "devs", "doms", "ops"])?;
    let devices =
        input.need("devs", |devs| field::by_id(devs, |device| field::list(device, field::region)))?;
    let domains = input.need("doms", |doms| field::by_id(doms, domain))?;
    let has = |known: bool, what: &str, id: u32| {
        let fault = || Fault::range(format!("there is no {what} {id}"));
        known.then_some(id).ok_or_else(fault)
    };
    let device = |id: u32| has(devices.contains_key(&id), "device", id);
    let domain = |id: u32| has(domains.contains_key(&id), "domain", id);
    let steps = input.need("ops", |list| ops::steps(list, |words| op(words, device, domain)))?;
    Ok(Box::new(Session {
        page_size: input.need("page", field::page_size)?,
        huge_page: input.need("hpage", field::page_size)?.size(),
        steps,
        devices,
        domains,
    }))
};

fn domain(json: &Json<'_>) -> Read<Domain> {
    let domain = Object::of(json, &["aperture", "pgsize_bitmap"])?;
    Ok(Domain {
        aperture: domain.need("aperture", field::ends)?,
        page_sizes: domain.need("pgsize_bitmap", field::page_sizes)?,
    })
}

fn op(words: &Words<'_>, device: impl Fn(u32) -> Read<u32>, domain: impl Fn(u32) -> Read<u32>) -> Read<Op> {
    Ok(match words.verb {
        "resv" => Op::Resv(device(words.id(USAGE)?)?),
        "unresv" => Op::Unresv(device(words.id(USAGE)?)?),
        "adddom" => Op::AddDomain(domain(words.id(USAGE)?)?),
        "deldom" => Op::DropDomain(domain(words.id(USAGE)?)?),
        "map" => {
            let [iova, length, vaddr, flags] = words.numbers(USAGE)?;
            Op::Map(MapRequest { iova: Iova::new(iova), length, vaddr, flags: ops::flags(flags)? })
        }
        "unmap" => {
            let [iova, length] = words.numbers(USAGE)?;
            Op::Unmap { iova: Iova::new(iova), length }
        }
        "allow" => Op::Allow(words.operands.iter().map(|range| ends(range, words)).collect::<Read<_>>()?),
        "ranges" => words.numbers::<0>(USAGE).map(|_| Op::Ranges)?,
        "nohuge" => words.numbers::<0>(USAGE).map(|_| Op::LargePages(LargePages::Disabled))?,
        "huge" => words.numbers::<0>(USAGE).map(|_| Op::LargePages(LargePages::Enabled))?,
        "swmsi" => {
            let [start, doorbell] = words.numbers(USAGE)?;
            Op::SwMsi { start: Iova::new(start), doorbell: Hpa::new(doorbell) }
        }
        _ => return Err(words.misused(USAGE)),
    })
}

fn ends(range: &str, words: &Words<'_>) -> Read<(Iova, Iova)> {
    let (start, end) = range.split_once(':').ok_or_else(|| words.misused(USAGE))?;
    Ok((Iova::new(field::hex_word(start)?), Iova::new(field::hex_word(end)?)))
}

const PLACE: Shape = Shape::Either(&Shape::Hex, &Shape::Errno);
const RANGES: Shape =
    Shape::Object(&[("ret", Shape::Errno), ("align", Shape::Hex), ("iova", Shape::List(&PAIR))]);
const TREES: [(&str, Shape); 2] = [("areas", Shape::List(&PAIR)), ("resv", Shape::List(&PAIR))];

/// What the operations change.
struct State {
    ioas: Ioas,
    doorbells: SwMsiMaps,
}

impl Recorded for Session<'_> {
    fn cost(&self) -> u64 {
        let allowed = self.steps.iter().map(|step| match &step.op {
            Op::Allow(ranges) => ranges.len(),
            _ => 0,
        });
        ops::cost(self.steps.len(), self.devices.values().map(Vec::len).chain(allowed).sum())
    }

    fn check(&self, out: &Json<'_>) -> Read<()> {
        let shape = |op: &Op| match op {
            Op::Resv(_) => Shape::Tuple(&[Shape::Errno, Shape::Null(&Shape::Hex)]),
            Op::Unmap { .. } => Shape::Tuple(&[Shape::Errno, Shape::Hex]),
            Op::Map(_) | Op::SwMsi { .. } => PLACE,
            Op::Ranges => RANGES,
            _ => Shape::Errno,
        };
        ops::check_out(&self.steps, shape, &TREES, out)
    }

    fn replay(&self, version: KernelVersion, out: &Json<'_>) -> Result<(), Difference> {
        let ioas = Ioas::new(version, self.page_size, self.huge_page);
        let mut state = State { ioas, doorbells: SwMsiMaps::new(self.page_size) };
        ops::replay_steps(&self.steps, out, |op| self.answer(&mut state, op))?;
        let State { ioas, .. } = state;
        compare_member(
            out,
            "areas",
            &Json::List(ioas.areas().map(|(start, end)| pair(start, end)).collect()),
        )?;
        compare_member(
            out,
            "resv",
            &Json::List(ioas.reserved().map(|(start, end)| pair(start, end)).collect()),
        )
    }
}

impl Session<'_> {
    fn answer(&self, state: &mut State, op: &Op) -> Json<'static> {
        let ioas = &mut state.ioas;
        match op {
            Op::Resv(id) => {
                let regions = self.devices.get(id).map_or(&[][..], Vec::as_slice);
                let (ret, base) = ioas.add_device(*id, regions);
                Json::List(vec![code(ret), base.map_or(Json::Null, |base| Json::hex(base.get()))])
            }
            Op::Unresv(id) => {
                ioas.release(Owner::Device(*id));
                code(Ok(()))
            }
            Op::AddDomain(id) => code(
                self.domains
                    .get(id)
                    .map_or(Ok(()), |domain| ioas.add_domain(*id, domain.aperture, domain.page_sizes)),
            ),
            Op::DropDomain(id) => {
                ioas.remove_domain(*id);
                code(Ok(()))
            }
            Op::Map(request) => place(ioas.map(request)),
            Op::Unmap { iova, length } => {
                let unmapped = ioas.unmap(*iova, *length);
                Json::List(vec![code(unmapped.map(drop)), Json::hex(unmapped.unwrap_or(0))])
            }
            Op::Allow(ranges) => code(ioas.allow(ranges)),
            Op::Ranges => ranges(ioas),
            Op::LargePages(large_pages) => code(ioas.set_large_pages(*large_pages)),
            Op::SwMsi { start, doorbell } => place(state.doorbells.page_of(*start, *doorbell)),
        }
    }
}

fn place(mapped: Result<Iova, Errno>) -> Json<'static> {
    mapped.map_or_else(|errno| Json::integer(errno.number().wrapping_neg()), |iova| Json::hex(iova.get()))
}

fn ranges(ioas: &Ioas) -> Json<'static> {
    let ranges = ioas.usable().into_iter().map(|range| pair(range.first(), range.last()));
    Json::object([
        ("ret", Json::integer(0)),
        ("align", Json::hex(ioas.alignment().bytes())),
        ("iova", Json::List(ranges.collect())),
    ])
}
