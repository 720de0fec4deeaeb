//! `reserved_regions` of an IOMMU group, as `iommu_group_show_resv_regions` in drivers/iommu/iommu.c prints it.

use std::sync::Arc;

use nom::bytes::complete::take_while1;
use nom::character::complete::{space0, space1};
use nom::combinator::all_consuming;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use super::codes;
use super::log::{Log, quoted};
use super::text::{hex_u64, lines};
use crate::addr::{Address, Iova};
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{ListedKind, ListedRegion};
use crate::facts::value_of;

/// The regions of one file, in its order.
pub(super) fn regions(text: &str, path: &str, log: &mut Log) -> Vec<ListedRegion> {
    let file: Arc<str> = path.into();
    lines(text).filter_map(|(number, line)| region(line, Origin::line(&file, number), log)).collect()
}

fn region(line: &str, origin: Origin, log: &mut Log) -> Option<ListedRegion> {
    let Ok((_, (start, end, word))) = all_consuming(region_line).parse(line) else {
        let message = format!("{} is no reserved region", quoted(line));
        let help = "the kernel prints `0x0000000008000000 0x00000000080fffff msi`";
        log.push(Diagnostic::new(&codes::BAD_REGION, origin, message).help(help));
        return None;
    };
    let (start, end) = (Iova::new(start), Iova::new(end));
    let kind = value_of(ListedKind::WORDS, word).unwrap_or_else(|| {
        let message =
            format!("{start}..={end} is of the unknown kind {}; treated as `reserved`", quoted(word));
        log.push(Diagnostic::new(&codes::UNKNOWN_REGION_KIND, origin.clone(), message));
        ListedKind::Reserved
    });
    // A length of zero prints an end one below the start, at 0 the last address of the space.
    if end < start && end.get().wrapping_add(1) != start.get() {
        let message = format!("the region starts at {start} and ends at {end}");
        log.push(Diagnostic::new(&codes::INVERTED_REGION, origin.clone(), message));
    }
    Some(ListedRegion { start, end, kind, origin })
}

fn region_line(input: &str) -> IResult<&str, (u64, u64, &str)> {
    let word = take_while1(|c: char| !c.is_whitespace());
    (preceded(space0, hex_u64), preceded(space1, hex_u64), delimited(space1, word, space0)).parse(input)
}
