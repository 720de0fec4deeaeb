//! Replays `producers`: what the drivers make of the tables of hypervisor and firmware.

use super::field::{self, Fault, Object, Read};
use super::json::Json;
use super::ops::{self, Step, Words};
use super::shape::{Difference, Shape};
use super::{Reader, Recorded, code};
use crate::kernel::producers::{iort, of, virtio::ProbedRegions};
use crate::kernel::resv::RawRegion;
use crate::kernel::rules;
use crate::size::PageSize;
use crate::version::KernelVersion;

struct Session<'o> {
    page_size: PageSize,
    steps: Vec<Step<'o, Op>>,
}

#[derive(Clone, Copy)]
enum Op {
    Mem { subtype: u8, start: u64, end: u64 },
    Get,
    Rmr { base: u64, length: u64 },
    OfType { memory: (u64, u64), iova: u64, length: u64 },
}

const USAGE: &[&str] =
    &["mem SUBTYPE START END", "get", "rmr BASE LEN", "oftype PHYS_START PHYS_END IOVA LEN"];

pub(super) const READ: Reader = |input| {
    let input = Object::of(input, &["page", "ops"])?;
    let steps = input.need("ops", |list| ops::steps(list, op))?;
    Ok(Box::new(Session { page_size: input.need("page", field::page_size)?, steps }))
};

fn op(words: &Words<'_>) -> Read<Op> {
    Ok(match words.verb {
        "mem" => {
            let [subtype, start, end] = words.numbers(USAGE)?;
            let fault = |_| Fault::range(format!("the subtype {subtype:x} needs more than 8 bits"));
            Op::Mem { subtype: u8::try_from(subtype).map_err(fault)?, start, end }
        }
        "get" => words.numbers::<0>(USAGE).map(|_| Op::Get)?,
        "rmr" => words.numbers(USAGE).map(|[base, length]| Op::Rmr { base, length })?,
        "oftype" => {
            let [first, last, iova, length] = words.numbers(USAGE)?;
            Op::OfType { memory: (first, last), iova, length }
        }
        _ => return Err(words.misused(USAGE)),
    })
}

const REGION: Shape = Shape::Tuple(&[Shape::Kind, Shape::Hex, Shape::Hex]);

impl Recorded for Session<'_> {
    fn cost(&self) -> u64 {
        ops::cost(self.steps.len(), 0)
    }

    fn check(&self, out: &Json<'_>) -> Read<()> {
        let shape = |op: &Op| match op {
            Op::Mem { .. } => Shape::Errno,
            Op::Get => Shape::List(&REGION),
            Op::Rmr { .. } => super::shape::PAIR,
            Op::OfType { .. } => Shape::Null(&Shape::Kind),
        };
        ops::check_out(&self.steps, shape, &[], out)
    }

    fn replay(&self, version: KernelVersion, out: &Json<'_>) -> Result<(), Difference> {
        let mut probed = ProbedRegions::default();
        ops::replay_steps(&self.steps, out, |op| self.answer(&mut probed, *op, version))
    }
}

impl Session<'_> {
    fn answer(&self, probed: &mut ProbedRegions, op: Op, version: KernelVersion) -> Json<'static> {
        match op {
            Op::Mem { subtype, start, end } => code(probed.add(subtype, start, end)),
            Op::Get => Json::List(probed.regions().iter().map(region).collect()),
            Op::Rmr { base, length } => {
                let (start, length) = iort::rmr_pages(base, length, self.page_size);
                Json::List(vec![Json::hex(start), Json::hex(length)])
            }
            Op::OfType { .. } if !rules::OF_IOVA.holds(version) => Json::Null,
            Op::OfType { memory, iova, length } => {
                field::kind_word(of::region_kind(Some(memory), iova, length))
            }
        }
    }
}

fn region(region: &RawRegion) -> Json<'static> {
    Json::List(vec![field::kind_word(region.kind), Json::hex(region.start), Json::hex(region.length)])
}
