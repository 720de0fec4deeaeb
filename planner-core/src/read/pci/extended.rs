//! The list of extended capabilities, from 0x100 to 0xfff.

use nom::Parser;
use nom::multi::count;
use nom::number::complete::{le_u16, le_u32};

use super::codes;
use super::header::registers_at;
use super::{CONVENTIONAL_BYTES, ConfigSpace, EXPRESS_BYTES, Scan, Sriov};
use crate::facts::pci::{AcsFact, ResizableBarFact};
use crate::size::PageSizes;

// Extended capability identifiers (PCI Code and ID Assignment Specification, section 3).
const ACS: u16 = 0x000d;
const ARI: u16 = 0x000e;
const ATS: u16 = 0x000f;
const SR_IOV: u16 = 0x0010;
const PRI: u16 = 0x0013;
const RESIZABLE_BAR: u16 = 0x0015;
const PASID: u16 = 0x001b;

/// Reads the extended capabilities.
pub(super) fn read(scan: &mut Scan<'_, '_>, config: &mut ConfigSpace) {
    for (id, at) in list(scan) {
        capability(scan, id, at, config);
    }
}

/// Identifier and offset of each capability. At 0x100 zero stands for an empty list, and ones for no extended space.
fn list(scan: &mut Scan<'_, '_>) -> Vec<(u16, usize)> {
    let mut found: Vec<(u16, usize)> = Vec::new();
    // One flag for each of the 1024 places where a capability can begin.
    let mut visited = [false; EXPRESS_BYTES / 4];
    let (mut at, mut named_at) = (CONVENTIONAL_BYTES, CONVENTIONAL_BYTES);
    while let Some(header) = scan.parse(at, |input| le_u32.parse(input)) {
        if header == 0 || header == u32::MAX {
            break;
        }
        match visited.get_mut(at / 4) {
            Some(visited @ false) => *visited = true,
            _ => {
                let message = format!("the extended capability list returns to {at:#x}");
                scan.report(&codes::LOOP, named_at, 4, message);
                return found;
            }
        }
        found.push((u16::try_from(header & 0xffff).unwrap_or(0), at));
        let next = usize::try_from(header >> 20 & 0xffc).unwrap_or(0);
        (named_at, at) = (at, next);
        if next == 0 {
            return found;
        }
        if next < CONVENTIONAL_BYTES {
            break;
        }
    }
    if at != CONVENTIONAL_BYTES {
        let end = scan.bytes.len();
        let message = format!(
            "the extended capability list leads to {at:#x}, where no capability is (0x100 to {end:#x})"
        );
        scan.report(&codes::BAD_POINTER, named_at, 4, message);
    }
    found
}

fn capability(scan: &mut Scan<'_, '_>, id: u16, at: usize, config: &mut ConfigSpace) {
    let body = at.saturating_add(4);
    match id {
        ACS => {
            let registers = scan.need("the ACS capability", body, |input| (le_u16, le_u16).parse(input));
            config.acs =
                registers.map(|(capability, control)| AcsFact { capability, control: Some(control) });
        }
        ARI => config.ari = true,
        ATS => config.ats = true,
        PRI => config.pri = true,
        PASID => {
            let register = scan.need("the PASID capability", body, |input| le_u16.parse(input));
            // Max PASID Width (PCIe Base Specification 7.8.9.2).
            config.pasid_bits = register
                .and_then(|register| u8::try_from(register >> 8 & 0x1f).ok())
                .map(|bits| bits.min(20));
        }
        SR_IOV => config.sriov = sriov(scan, at),
        RESIZABLE_BAR => config.resizable = resizable(scan, body),
        _ => {}
    }
}

/// The SR-IOV structure (PCIe Base Specification 9.3.3).
fn sriov(scan: &mut Scan<'_, '_>, at: usize) -> Option<Sriov> {
    let words =
        scan.need("the SR-IOV capability", at.saturating_add(0x08), |input| count(le_u16, 10).parse(input))?;
    let [control, _status, _initial, total, enabled, _links, offset, stride, _reserved, device_id] =
        words.as_slice()
    else {
        return None;
    };
    Some(Sriov {
        total: *total,
        // VF Enable: without it NumVFs counts for nothing.
        enabled: if control & 1 != 0 { *enabled } else { 0 },
        offset: *offset,
        stride: *stride,
        device_id: *device_id,
        bars: registers_at(scan, at.saturating_add(0x24), 6),
    })
}

/// Pairs of a capability and a control register; the first control register tells how many (PCIe Base Specification
/// 7.8.6).
fn resizable(scan: &mut Scan<'_, '_>, body: usize) -> Vec<ResizableBarFact> {
    let pair = |scan: &mut Scan<'_, '_>, number: usize| {
        let at = body.saturating_add(number.saturating_mul(8));
        scan.need("the Resizable BAR capability", at, |input| (le_u32, le_u32).parse(input))
    };
    let Some((_, first)) = pair(scan, 0) else { return Vec::new() };
    let number = usize::try_from(first >> 5 & 0b111).unwrap_or(0).min(6);
    let mut found = Vec::new();
    for (capability, control) in (0..number).map_while(|number| pair(scan, number)) {
        // Bits 4 to 31 of the capability register stand for 1 MiB to 128 TiB, the upper half of the control register
        // for 256 TiB to 8 EiB.
        let sizes = u64::from(capability >> 4) << 20 | u64::from(control >> 16) << 48;
        let index = u8::try_from(control & 0b111).unwrap_or(0);
        if sizes != 0 && index < 6 {
            found.push(ResizableBarFact { index, sizes: PageSizes::from_bitmap(sizes) });
        }
    }
    found
}
