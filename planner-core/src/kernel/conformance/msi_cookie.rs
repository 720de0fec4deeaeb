//! Replays `msi_cookie`: doorbell pages in the MSI window of a domain that user space owns.

use super::dma_domain::{self, Domain, DomainInput};
use super::field::Read;
use super::json::Json;
use super::ops::{self, Step, Words, compare_member};
use super::shape::{Difference, PAIR, Shape};
use super::{Reader, Recorded, code};
use crate::addr::{Address, Hpa, Iova, Span};
use crate::kernel::errno::Errno;
use crate::kernel::msi::MsiCookie;
use crate::version::KernelVersion;

struct Session<'o> {
    input: DomainInput,
    aperture: Span<Iova>,
    steps: Vec<Step<'o, Op>>,
}

#[derive(Clone, Copy)]
enum Op {
    Cookie(Iova),
    Msi(Hpa),
}

const USAGE: &[&str] = &["cookie BASE", "msi ADDR"];

pub(super) const READ: Reader = |input| {
    let (input, object) = dma_domain::input(input)?;
    let steps = object.need("ops", |list| ops::steps(list, op))?;
    Ok(Box::new(Session { aperture: aperture(&input.domain)?, input, steps }))
};

/// Where mappings succeed.
fn aperture(domain: &Domain) -> Read<Span<Iova>> {
    let (start, end) = domain.aperture;
    let fault = || {
        let message = format!("the end {end} lies below the start {start}");
        super::field::Fault::range(message).within("aperture").within("dom")
    };
    if domain.force_aperture { Span::new(start, end).ok_or_else(fault) } else { Ok(Span::full()) }
}

fn op(words: &Words<'_>) -> Read<Op> {
    match words.verb {
        "cookie" => words.numbers(USAGE).map(|[base]| Op::Cookie(Iova::new(base))),
        "msi" => words.numbers(USAGE).map(|[address]| Op::Msi(Hpa::new(address))),
        _ => Err(words.misused(USAGE)),
    }
}

impl Recorded for Session<'_> {
    fn cost(&self) -> u64 {
        self.steps.len() as u64
    }

    fn check(&self, out: &Json<'_>) -> Read<()> {
        let shape = |op: &Op| match op {
            Op::Cookie(_) => Shape::Errno,
            Op::Msi(_) => Shape::Null(&Shape::Hex),
        };
        ops::check_out(&self.steps, shape, &[("nodes", Shape::List(&PAIR))], out)
    }

    fn replay(&self, _: KernelVersion, out: &Json<'_>) -> Result<(), Difference> {
        let mut cookie = None;
        ops::replay_steps(&self.steps, out, |op| self.answer(&mut cookie, *op))?;
        // The window is no part of the allocator's tree.
        compare_member(out, "nodes", &Json::List(Vec::new()))
    }
}

impl Session<'_> {
    fn answer(&self, cookie: &mut Option<MsiCookie>, op: Op) -> Json<'static> {
        match op {
            // iommu_get_msi_cookie: once, and for domains that user space owns.
            Op::Cookie(_) if self.input.domain.kind != "unmanaged" => code(Err(Errno::Inval)),
            Op::Cookie(_) if cookie.is_some() => code(Err(Errno::Exist)),
            Op::Cookie(base) => {
                *cookie = Some(MsiCookie::new(base, self.input.page_size, self.aperture));
                code(Ok(()))
            }
            Op::Msi(address) => {
                let mapped = cookie.as_mut().and_then(|cookie| cookie.map(address));
                mapped.map_or(Json::Null, |iova| Json::hex(iova.get()))
            }
        }
    }
}
