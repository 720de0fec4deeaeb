//! The text of `lspci -x`, `-xxx` and `-xxxx`: heads with an address, lines with an offset and bytes. What `-v` prints
//! in between is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use nom::bytes::complete::{take_while_m_n, take_while1};
use nom::character::complete::{char, one_of};
use nom::combinator::{all_consuming, map_res, opt, rest, verify};
use nom::multi::many1;
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use super::EXPRESS_BYTES;
use super::codes;
use crate::diag::{Diagnostic, Origin};
use crate::ids::PciAddress;
use crate::read::capture::log::{Log, quoted};

/// One function of a dump.
pub(super) struct Dumped {
    /// Line of its head.
    pub(super) origin: Origin,
    /// Its bytes, as many as there are without a gap.
    pub(super) bytes: Vec<u8>,
}

/// A line that matters.
enum Line {
    /// The head of a function, and whether the segment was written.
    Head(PciAddress, bool),
    /// An offset and the bytes from there on.
    Bytes(usize, Vec<u8>),
}

/// The functions of a dump.
pub(super) fn dump(text: &str, name: &str, log: &mut Log) -> BTreeMap<PciAddress, Dumped> {
    let file: Arc<str> = name.into();
    let mut functions: BTreeMap<PciAddress, Dumped> = BTreeMap::new();
    let mut current: Option<PciAddress> = None;
    let mut without_segment = None;
    for (number, line) in (1_usize..).zip(text.lines()) {
        let origin = Origin::line(&file, number);
        match parse(line) {
            Some(Line::Head(address, segment)) => {
                if !segment {
                    without_segment.get_or_insert_with(|| origin.clone());
                }
                current = begin(&mut functions, address, origin, log);
            }
            Some(Line::Bytes(offset, bytes)) => {
                // Bytes without a head belong to a function that was passed over.
                let Some(function) = current.and_then(|address| functions.get_mut(&address)) else {
                    continue;
                };
                extend(function, offset, &bytes, origin, log);
            }
            None if looks_like_bytes(line) => {
                let message = format!("{} is no line of a dump", quoted(line));
                log.push(Diagnostic::new(&codes::DUMP_LINE, origin, message));
            }
            None => {}
        }
    }
    functions.retain(|_, function| !function.bytes.is_empty());
    if let Some(origin) = without_segment.filter(|_| !functions.is_empty()) {
        let message = "the addresses have no segment: 0000 is taken".to_owned();
        log.push(Diagnostic::new(&codes::DUMP_NO_DOMAIN, origin, message));
    }
    functions
}

fn begin(
    functions: &mut BTreeMap<PciAddress, Dumped>,
    address: PciAddress,
    origin: Origin,
    log: &mut Log,
) -> Option<PciAddress> {
    if let Some(first) = functions.get(&address) {
        let message = format!("{address} is dumped a second time");
        log.push(
            Diagnostic::new(&codes::DUMP_TWICE, origin, message).related(first.origin.clone(), "first here"),
        );
        return None;
    }
    functions.insert(address, Dumped { origin, bytes: Vec::new() });
    Some(address)
}

fn extend(function: &mut Dumped, offset: usize, bytes: &[u8], origin: Origin, log: &mut Log) {
    let expected = function.bytes.len();
    if offset == expected && offset.saturating_add(bytes.len()) <= EXPRESS_BYTES {
        function.bytes.extend_from_slice(bytes);
        return;
    }
    let message = format!("bytes from {offset:#x} on, where {expected:#x} comes next");
    log.push(Diagnostic::new(&codes::DUMP_ORDER, origin, message));
}

fn parse(line: &str) -> Option<Line> {
    let line = line.trim_end();
    let head = (address, rest).map(|((address, segment), _)| Line::Head(address, segment));
    let bytes = all_consuming((terminated(hex(2, 3), char(':')), many1(preceded(char(' '), hex(2, 2)))));
    let bytes = map_res(bytes, |(offset, bytes)| {
        let bytes: Result<Vec<u8>, _> = bytes.into_iter().map(u8::try_from).collect();
        let offset = usize::try_from(offset).map_err(|_| ())?;
        let bytes = bytes.map_err(|_| ())?;
        if bytes.len() <= 16 { Ok(Line::Bytes(offset, bytes)) } else { Err(()) }
    });
    bytes.or(head).parse(line).ok().map(|(_, line)| line)
}

/// So many hexadecimal digits, as a number.
fn hex<'t>(
    least: usize,
    most: usize,
) -> impl Parser<&'t str, Output = u32, Error = nom::error::Error<&'t str>> {
    let digits = take_while_m_n(least, most, |c: char| c.is_ascii_hexdigit());
    map_res(digits, |digits: &str| u32::from_str_radix(digits, 16))
}

/// `0000:03:00.0 ` or `03:00.0 `, at the start of a line.
fn address(input: &str) -> IResult<&str, (PciAddress, bool)> {
    let mut segment =
        opt(terminated(verify(take_while1(|c: char| c.is_ascii_hexdigit()), is_segment), char(':')));
    let (input, segment) = segment.parse(input)?;
    let place = (terminated(hex(2, 2), char(':')), terminated(hex(2, 2), char('.')), one_of("01234567"));
    map_res((place, after_address), move |((bus, device, function), ())| {
        let number = u16::from_str_radix(segment.unwrap_or("0"), 16).map_err(|_| ())?;
        let function = function.to_digit(8).and_then(|digit| u8::try_from(digit).ok()).ok_or(())?;
        let (bus, device) = (u8::try_from(bus).map_err(|_| ())?, u8::try_from(device).map_err(|_| ())?);
        PciAddress::new(number, bus, device, function).map(|address| (address, segment.is_some())).ok_or(())
    })
    .parse(input)
}

/// Segments have four digits; longer ones (Intel VMD) do not fit and are passed over.
fn is_segment(digits: &str) -> bool {
    digits.len() == 4
}

fn after_address(input: &str) -> IResult<&str, ()> {
    if input.is_empty() || input.starts_with(' ') {
        return Ok((input, ()));
    }
    Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Space)))
}

/// `40: …`: meant as bytes. What `-v` prints is indented or has other words before its colon.
fn looks_like_bytes(line: &str) -> bool {
    let Some((offset, _)) = line.split_once(": ") else { return false };
    (2..=3).contains(&offset.len()) && offset.bytes().all(|byte| byte.is_ascii_hexdigit())
}
