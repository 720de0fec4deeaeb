//! The first 64 bytes: identity, base address registers, what a bridge forwards.

use nom::Parser;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u16, le_u32};

use super::codes;
use super::{Bridge, ConfigSpace, Header, Register, Scan};
use crate::addr::{Address, BusAddr, Span};
use crate::facts::host::BarKind;
use crate::facts::pci::BridgeBusesFact;
use crate::ids::{PciClass, PciId};

// Offsets of the header (PCIe Base Specification 7.5.1).
const CLASS: usize = 0x09;
const HEADER_TYPE: usize = 0x0e;
const BARS: usize = 0x10;
const BRIDGE: usize = 0x18;

/// Reads the header.
pub(super) fn read(scan: &mut Scan<'_, '_>, config: &mut ConfigSpace) {
    let id = scan.parse(0, |input| (le_u16, le_u16).parse(input));
    // Virtual functions read as ones here; their identity is that of their physical function.
    config.id = id.filter(|&id| id != (0xffff, 0xffff)).map(|(vendor, device)| PciId { vendor, device });
    let class = scan.parse(CLASS, |input| (le_u8, le_u16).parse(input));
    config.class = class
        .and_then(|(interface, class)| PciClass::from_code(u32::from(class) << 8 | u32::from(interface)));
    let Some(header_type) = scan.parse(HEADER_TYPE, |input| le_u8.parse(input)) else { return };
    config.multifunction = header_type & 0x80 != 0;
    let registers = match header_type & 0x7f {
        0 => {
            config.header = Some(Header::Device);
            6
        }
        1 => {
            config.header = Some(Header::Bridge);
            config.bridge = bridge(scan);
            2
        }
        2 => {
            config.header = Some(Header::CardBus);
            config.bridge = buses(scan).map(|(primary, buses)| Bridge {
                primary,
                buses,
                io: None,
                memory: None,
                prefetchable: None,
            });
            0
        }
        other => {
            let message = format!("the header type is {other:#04x}, where there are 0, 1 and 2");
            scan.report(&codes::HEADER_TYPE, HEADER_TYPE, 1, message);
            0
        }
    };
    config.bars = registers_at(scan, BARS, registers);
}

/// So many base address registers from this offset on; the upper half of a 64-bit one is no register of its own.
pub(super) fn registers_at(scan: &Scan<'_, '_>, offset: usize, number: usize) -> Vec<Register> {
    let words = scan.parse(offset, |input| count(le_u32, number).parse(input)).unwrap_or_default();
    let mut registers = Vec::new();
    let mut words = (0_u8..).zip(words);
    while let Some((index, low)) = words.next() {
        let wide = low & 0b111 == 0b100;
        let high = if wide { words.next().map_or(0, |(_, high)| high) } else { 0 };
        registers.extend(register(index, low, high));
    }
    registers
}

/// A register that reads as zero is not there, or was never given an address: only writing would tell.
fn register(index: u8, low: u32, high: u32) -> Option<Register> {
    if (low, high) == (0, 0) {
        return None;
    }
    let io = low & 1 != 0;
    let kind = match low & 0b111 {
        _ if io => BarKind::Io,
        0b100 => BarKind::Mem64,
        _ => BarKind::Mem32,
    };
    let low_address = low & if io { !0b11 } else { !0b1111 };
    let address = u64::from(high) << 32 | u64::from(low_address);
    // A device that sleeps reads as ones.
    let ones = low == u32::MAX;
    Some(Register {
        index,
        kind,
        prefetchable: !io && low & 0b1000 != 0,
        address: (address != 0 && !ones).then(|| BusAddr::new(address)),
    })
}

fn buses(scan: &Scan<'_, '_>) -> Option<(u8, BridgeBusesFact)> {
    let (primary, secondary, subordinate) = scan.parse(BRIDGE, |input| (le_u8, le_u8, le_u8).parse(input))?;
    Some((primary, BridgeBusesFact { secondary, subordinate }))
}

/// The registers of a bridge (PCI-to-PCI Bridge Architecture Specification 3.2.5).
fn bridge(scan: &mut Scan<'_, '_>) -> Option<Bridge> {
    let (primary, buses) = buses(scan)?;
    let (io_base, io_limit) = scan.parse(0x1c, |input| (le_u8, le_u8).parse(input))?;
    let (io_base_high, io_limit_high) = scan.parse(0x30, |input| (le_u16, le_u16).parse(input))?;
    let (base, limit) = scan.parse(0x20, |input| (le_u16, le_u16).parse(input))?;
    let (p_base, p_limit) = scan.parse(0x24, |input| (le_u16, le_u16).parse(input))?;
    let (p_base_high, p_limit_high) = scan.parse(0x28, |input| (le_u32, le_u32).parse(input))?;
    // The low four bits tell whether the upper halves count.
    let io = |low: u8, high: u16| {
        let high = if low & 0xf == 1 { u64::from(high) << 16 } else { 0 };
        high | u64::from(low >> 4) << 12
    };
    let memory = |low: u16, high: u32| {
        let high = if low & 0xf == 1 { u64::from(high) << 32 } else { 0 };
        high | u64::from(low >> 4) << 20
    };
    Some(Bridge {
        primary,
        buses,
        io: window(scan, 0x1c, io(io_base, io_base_high), io(io_limit, io_limit_high), 0xfff),
        memory: window(scan, 0x20, memory(base & !0xf, 0), memory(limit & !0xf, 0), 0xf_ffff),
        prefetchable: window(
            scan,
            0x24,
            memory(p_base, p_base_high),
            memory(p_limit, p_limit_high),
            0xf_ffff,
        ),
    })
}

/// A window from `base` to `limit` with the low bits set. A closed one has its limit below its base; that is reported
/// only where upper halves contradict the lower ones.
fn window(
    scan: &mut Scan<'_, '_>,
    offset: usize,
    base: u64,
    limit: u64,
    low_bits: u64,
) -> Option<Span<BusAddr>> {
    let span = Span::of(base, limit | low_bits);
    if span.is_none() && base >> 32 != limit >> 32 {
        let message = format!(
            "the window ends at {} below its start, {}",
            BusAddr::new(limit | low_bits),
            BusAddr::new(base)
        );
        scan.report(&codes::BAD_WINDOW, offset, 4, message);
    }
    // A register that is all zero is a window that nobody set, not the first megabyte.
    span.filter(|_| (base, limit) != (0, 0))
}
