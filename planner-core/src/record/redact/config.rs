//! Configuration space: the Device Serial Number capability, and what the Vital Product Data register last showed.

/// Capability identifier of Vital Product Data (PCIe Base Specification 7.9.18).
const VITAL_PRODUCT_DATA: u8 = 0x03;
/// Extended capability identifier of the Device Serial Number (PCIe Base Specification 7.9.3).
const SERIAL_NUMBER: u16 = 0x0003;
/// Most capabilities that fit between 0x40 and 0x100 (`PCI_FIND_CAP_TTL` in drivers/pci/pci.h).
pub(in crate::record) const MAX_CAPABILITIES: usize = 48;
/// Most extended capabilities that fit between 0x100 and 0x1000, of at least 8 bytes each (`pci_find_next_ext_capability`
/// in drivers/pci/pci.c).
pub(in crate::record) const MAX_EXTENDED: usize = 480;

/// Overwrites them with zeros and says which there were.
pub(super) fn redact(config: &mut [u8]) -> Vec<&'static str> {
    let mut found = Vec::new();
    if zero_vital_product_data(config) {
        found.push("the register of Vital Product Data");
    }
    if zero_serial_number(config) {
        found.push("the device serial number");
    }
    found
}

fn zero_vital_product_data(config: &mut [u8]) -> bool {
    let has_list = config.get(0x06).is_some_and(|status| status & 0x10 != 0);
    let mut at = config.get(0x34).copied().filter(|_| has_list).unwrap_or(0);
    let mut found = false;
    for _ in 0..MAX_CAPABILITIES {
        let place = usize::from(at & !3);
        let (Some(&id), Some(&next), true) = (config.get(place), config.get(place | 1), place >= 0x40) else {
            break;
        };
        if id == VITAL_PRODUCT_DATA {
            found |= zero(config, place.saturating_add(4), 4);
        }
        at = next;
    }
    found
}

fn zero_serial_number(config: &mut [u8]) -> bool {
    let mut place = 0x100_usize;
    let mut found = false;
    for _ in 0..MAX_EXTENDED {
        let Some(header) = config.get(place..).and_then(<[u8]>::first_chunk).copied() else { break };
        let header = u32::from_le_bytes(header);
        // Without extended capabilities the header reads as zeros, or as ones on a bus that hides them.
        if header == 0 || header == u32::MAX {
            break;
        }
        let [low, high, ..] = header.to_le_bytes();
        if u16::from_le_bytes([low, high]) == SERIAL_NUMBER {
            found |= zero(config, place.saturating_add(4), 8);
        }
        place = usize::try_from(header >> 20 & !3).unwrap_or(0);
        if place < 0x100 {
            break;
        }
    }
    found
}

/// Overwrites bytes that are all there, and says whether one of them was not zero.
fn zero(config: &mut [u8], at: usize, length: usize) -> bool {
    let bytes = at.checked_add(length).and_then(|end| config.get_mut(at..end)).unwrap_or_default();
    let said_something = bytes.iter().any(|&byte| byte != 0);
    bytes.fill(0);
    said_something
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Extended space with a serial number at 0x140 behind another capability, and a VPD capability at 0x50.
    fn config() -> Vec<u8> {
        let mut config = vec![0; 4096];
        config[0x06] = 0x10;
        config[0x34] = 0x50;
        config[0x50..0x58].copy_from_slice(&[3, 0, 0x04, 0x80, b'S', b'N', b'1', b'2']);
        config[0x100..0x104].copy_from_slice(&0x1401_000d_u32.to_le_bytes());
        config[0x140..0x144].copy_from_slice(&0x0001_0003_u32.to_le_bytes());
        config[0x144..0x14c].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        config
    }

    #[test]
    fn the_serial_number_goes_and_nothing_else() {
        let (before, mut after) = (config(), config());
        assert_eq!(redact(&mut after), ["the register of Vital Product Data", "the device serial number"]);
        let changed: Vec<usize> = (0..4096).filter(|&at| before[at] != after[at]).collect();
        assert_eq!(changed, (0x54..0x58).chain(0x144..0x14c).collect::<Vec<_>>());
        assert!(after[0x54..0x58].iter().chain(&after[0x144..0x14c]).all(|&byte| byte == 0));
        assert!(redact(&mut after).is_empty(), "a second time there is nothing left");
    }

    #[test]
    fn lists_that_loop_or_leave_the_file_end() {
        for length in 0..0x160 {
            redact(&mut config()[..length]);
        }
        let mut looped = config();
        looped[0x51] = 0x50;
        looped[0x140..0x144].copy_from_slice(&0x1401_0003_u32.to_le_bytes());
        assert_eq!(redact(&mut looped).len(), 2);
        assert!(redact(&mut [0xff; 4096]).is_empty());
        assert!(redact(&mut []).is_empty());
    }
}
