//! `resource` of a PCI function: its base address registers, as `resource_show` in drivers/pci/pci-sysfs.c prints them.
//!
//! Lines 1 to 6 are the base address registers, line 7 is the expansion ROM, and lines 8 to 13 are the registers of all
//! virtual functions together. What follows, windows of bridges, is not read.

use std::sync::Arc;

use nom::character::complete::{space0, space1};
use nom::combinator::all_consuming;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use super::codes;
use super::log::{Log, quoted};
use super::text::hex_u64;
use crate::addr::{Address, Hpa, Span};
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{BarFact, BarKind};
use crate::size::Size;

// Flags of include/linux/ioport.h.
const IORESOURCE_IO: u64 = 0x100;
const IORESOURCE_MEM: u64 = 0x200;
const IORESOURCE_PREFETCH: u64 = 0x2000;
const IORESOURCE_MEM_64: u64 = 0x10_0000;
/// No address was assigned; first and last address tell the size only.
const IORESOURCE_UNSET: u64 = 0x2000_0000;
/// The ROM is a copy that the firmware left in RAM, not what the register would show.
const IORESOURCE_ROM_SHADOW: u64 = 0x2;
/// Index of the expansion ROM (`PCI_ROM_RESOURCE` in include/linux/pci.h).
const ROM: u8 = 6;

/// The base address registers that exist.
pub(super) fn bars(text: &str, path: &str, log: &mut Log) -> Vec<BarFact> {
    let file: Arc<str> = path.into();
    let lines = text.lines().enumerate();
    lines
        .zip(0..=ROM)
        .filter_map(|((at, line), index)| bar(line, index, &Origin::line(&file, at.saturating_add(1)), log))
        .collect()
}

fn bar(line: &str, index: u8, origin: &Origin, log: &mut Log) -> Option<BarFact> {
    let Ok((_, resource)) = all_consuming(resource_line).parse(line) else {
        let message = format!("{} is no resource of a PCI function", quoted(line));
        log.push(Diagnostic::new(&codes::BAD_RESOURCE, origin.clone(), message));
        return None;
    };
    register(resource, index, origin, log)
}

/// The register of this first and last address and these flags.
fn register(
    (first, last, flags): (u64, u64, u64),
    index: u8,
    origin: &Origin,
    log: &mut Log,
) -> Option<BarFact> {
    let kind = match flags {
        _ if flags & IORESOURCE_IO != 0 => BarKind::Io,
        _ if flags & IORESOURCE_MEM == 0 => return None,
        _ if flags & IORESOURCE_MEM_64 != 0 => BarKind::Mem64,
        _ => BarKind::Mem32,
    };
    if index == ROM && flags & IORESOURCE_ROM_SHADOW != 0 {
        return None;
    }
    let Some(span) = Span::<Hpa>::of(first, last) else {
        let message = format!("register {index} ends at {} below its start", Hpa::new(last));
        log.push(Diagnostic::new(&codes::BAD_RESOURCE, origin.clone(), message));
        return None;
    };
    // Address 0 stands for none as well (`pci_claim_resource` in drivers/pci/setup-res.c).
    let placed = kind != BarKind::Io && flags & IORESOURCE_UNSET == 0 && first != 0;
    Some(BarFact {
        index,
        kind,
        prefetchable: flags & IORESOURCE_PREFETCH != 0,
        size: size(span, index, origin, log)?,
        at: placed.then_some(span.first()),
        origin: origin.clone(),
    })
}

/// The base address registers of one virtual function. Each line tells the room of all of them, `total` times that of one
/// (`sriov_init` in drivers/pci/iov.c).
pub(super) fn virtual_bars(text: &str, path: &str, total: u16) -> Vec<BarFact> {
    let lines: Vec<&str> = text.lines().collect();
    let Some(lines) = lines.get(VF_BARS).filter(|_| lines.len() >= VF_BARS.end) else { return Vec::new() };
    let file: Arc<str> = path.into();
    let mut ignored = Log::default();
    let one = |(index, (number, line)): (u8, (usize, &&str))| {
        let origin = Origin::line(&file, number);
        let (_, (first, last, flags)) = all_consuming(resource_line).parse(line).ok()?;
        let bytes = last.checked_sub(first)?.checked_add(1)?.checked_div(u64::from(total))?;
        let last = first.checked_add(bytes.checked_sub(1)?)?;
        register((first, last, flags), index, &origin, &mut ignored)
    };
    (0_u8..).zip((VF_BARS.start.saturating_add(1)..).zip(lines)).filter_map(one).collect()
}

/// Lines of the registers of virtual functions (`PCI_IOV_RESOURCES` in include/linux/pci.h), from 0. A kernel without
/// `CONFIG_PCI_IOV` prints fewer lines: 7, and for a bridge 11.
const VF_BARS: std::ops::Range<usize> = 7..13;

fn size(span: Span<Hpa>, index: u8, origin: &Origin, log: &mut Log) -> Option<Size> {
    let bytes = span.size().and_then(|size| size.bytes().checked_next_power_of_two());
    let odd = bytes.map(u128::from) != Some(span.size_bytes());
    if odd {
        let message = format!("register {index} at {span} has {} bytes, no power of two", span.size_bytes());
        log.push(Diagnostic::new(&codes::ODD_BAR, origin.clone(), message));
    }
    bytes.map(Size::from_bytes)
}

fn resource_line(input: &str) -> IResult<&str, (u64, u64, u64)> {
    (preceded(space0, hex_u64), preceded(space1, hex_u64), delimited(space1, hex_u64, space0)).parse(input)
}
