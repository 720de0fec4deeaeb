//! The list of conventional capabilities, from 0x40 to 0xff.

use nom::Parser;
use nom::number::complete::{le_u8, le_u16, le_u32};

use super::codes;
use super::{CONVENTIONAL_BYTES, ConfigSpace, Express, HEADER_BYTES, Header, MsiX, Scan};
use crate::facts::pci::PortType;

// Capability identifiers (PCI Code and ID Assignment Specification, section 2).
const MSI: u8 = 0x05;
const PCI_X: u8 = 0x07;
const EXPRESS: u8 = 0x10;
const MSI_X: u8 = 0x11;

/// Status register, and its bit "Capabilities List".
const STATUS: usize = 0x06;
const HAS_LIST: u16 = 1 << 4;
/// Where the pointer to the first capability stands; in a CardBus bridge, elsewhere.
const POINTER: usize = 0x34;
const CARDBUS_POINTER: usize = 0x14;

/// Reads the conventional capabilities.
pub(super) fn read(scan: &mut Scan<'_, '_>, config: &mut ConfigSpace) {
    let status = scan.parse(STATUS, |input| le_u16.parse(input)).unwrap_or(0);
    // Beyond the header there is nothing to follow; that root was missing is said once for all functions.
    if status & HAS_LIST == 0 || scan.bytes.len() <= HEADER_BYTES {
        return;
    }
    let pointer = if config.header == Some(Header::CardBus) { CARDBUS_POINTER } else { POINTER };
    for (id, at) in list(scan, pointer) {
        capability(scan, id, at, config);
    }
}

/// Identifier and offset of each capability.
fn list(scan: &mut Scan<'_, '_>, pointer: usize) -> Vec<(u8, usize)> {
    let mut found: Vec<(u8, usize)> = Vec::new();
    // One bit for each of the places where a capability can begin.
    let mut visited = 0_u64;
    let mut named_at = pointer;
    while let Some(next) = scan.parse(named_at, |input| le_u8.parse(input)) {
        // The two low bits are reserved.
        let at = usize::from(next & !0b11);
        if at == 0 {
            break;
        }
        let bit = 1_u64 << (at >> 2 & 63);
        if visited & bit != 0 {
            let message = format!("the capability list returns to {at:#x}");
            scan.report(&codes::LOOP, named_at, 1, message);
            break;
        }
        visited |= bit;
        let id = scan.parse(at, |input| le_u8.parse(input)).filter(|&id| at >= HEADER_BYTES && id != 0xff);
        let Some(id) = id else {
            let end = scan.bytes.len().min(CONVENTIONAL_BYTES);
            let message =
                format!("the capability list leads to {at:#x}, where no capability is (0x40 to {end:#x})");
            scan.report(&codes::BAD_POINTER, named_at, 1, message);
            break;
        };
        found.push((id, at));
        named_at = at | 1;
    }
    found
}

fn capability(scan: &mut Scan<'_, '_>, id: u8, at: usize, config: &mut ConfigSpace) {
    // After the identifier and the pointer to the next.
    let body = at.saturating_add(2);
    match id {
        // Multiple Message Capable: log2 of the number, 0 to 5 (PCIe Base Specification 7.7.1.2).
        MSI => {
            let control = scan.need("the MSI capability", body, |input| le_u16.parse(input));
            config.msi = control.map(|control| 1 << (control >> 1 & 7).min(5));
        }
        MSI_X => config.msix = msix(scan, body),
        PCI_X => config.pcix = true,
        EXPRESS => config.express = express(scan, at),
        _ => {}
    }
}

fn msix(scan: &mut Scan<'_, '_>, body: usize) -> Option<MsiX> {
    let (control, table) = scan.need("the MSI-X capability", body, |input| (le_u16, le_u32).parse(input))?;
    Some(MsiX {
        // Table Size: the number minus one.
        vectors: (control & 0x7ff).saturating_add(1),
        table_bar: u8::try_from(table & 0b111).unwrap_or(0),
        table_offset: table & !0b111,
    })
}

// Offsets in the PCI Express capability, and bits of its registers (PCIe Base Specification 7.5.3).
const SLOT_CAPABILITIES: usize = 0x14;
const DEVICE_CONTROL_2: usize = 0x28;
const SLOT_IMPLEMENTED: u16 = 1 << 8;
const ARI_FORWARDING_ENABLE: u16 = 1 << 5;

fn express(scan: &mut Scan<'_, '_>, at: usize) -> Option<Express> {
    let flags = scan.need("the PCI Express capability", at.saturating_add(2), |input| le_u16.parse(input))?;
    let number = flags >> 4 & 0xf;
    let port_type = PortType::from_number(number);
    if port_type.is_none() {
        let message = format!("the port type is {number:#x}, which is reserved");
        scan.report(&codes::PORT_TYPE, at.saturating_add(2), 2, message);
    }
    let slot = scan.parse(at.saturating_add(SLOT_CAPABILITIES), |input| le_u32.parse(input));
    let control2 = scan.parse(at.saturating_add(DEVICE_CONTROL_2), |input| le_u16.parse(input));
    // Version 1 of the structure ends before the second control register.
    let control2 = control2.filter(|_| flags & 0xf >= 2).unwrap_or(0);
    Some(Express {
        port_type,
        slot: slot.filter(|_| flags & SLOT_IMPLEMENTED != 0).and_then(|slot| u16::try_from(slot >> 19).ok()),
        ari_forwarding: control2 & ARI_FORWARDING_ENABLE != 0,
    })
}
