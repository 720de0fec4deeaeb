//! `config` of a PCI function: the few fields of configuration space that sysfs does not show in words.
//!
//! Without root only the first 64 bytes are there; what lies behind them is then not known.

/// Capability identifier of MSI (PCIe Base Specification 7.7.1).
const MSI: u8 = 0x05;
/// Capability identifier of MSI-X (PCIe Base Specification 7.7.2).
const MSI_X: u8 = 0x11;
/// Most capabilities that fit between 0x40 and 0x100; a longer list is a loop (`PCI_FIND_CAP_TTL`, drivers/pci/pci.c).
const MAX_CAPABILITIES: usize = 48;

/// Numbers of interrupt vectors that a function asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Vectors {
    /// MSI, if the function has it.
    pub(super) msi: Option<u16>,
    /// MSI-X, if the function has it.
    pub(super) msix: Option<u16>,
}

/// The interrupt vectors of a function.
pub(super) fn vectors(config: &[u8]) -> Vectors {
    let mut vectors = Vectors::default();
    let status = word(config, 0x06).unwrap_or(0);
    if status >> 4 & 1 == 0 {
        return vectors;
    }
    let mut at = config.get(0x34).copied().unwrap_or(0);
    for _ in 0..MAX_CAPABILITIES {
        // The two low bits are reserved and the header ends at 0x40.
        let place = usize::from(at & !3);
        let (Some(&id), Some(&next), true) = (config.get(place), config.get(place | 1), place >= 0x40) else {
            break;
        };
        let control = word(config, place | 2);
        match id {
            // Multiple Message Capable: log2 of the number, 0 to 5.
            MSI => vectors.msi = control.map(|control| 1 << (control >> 1 & 7).min(5)),
            // Table Size: the number minus one.
            MSI_X => vectors.msix = control.map(|control| (control & 0x7ff).saturating_add(1)),
            _ => {}
        }
        at = next;
    }
    vectors
}

/// What a memory base address register holds: the address on the bus. `None` when it is not in the file, or holds no
/// address.
pub(super) fn bar_address(config: &[u8], index: u8, width: BarWidth) -> Option<u64> {
    let at = usize::from(index).checked_mul(4)?.checked_add(0x10)?;
    let low = dword(config, at)? & !0xf;
    // A device that is powered down reads as ones.
    if low == !0xf {
        return None;
    }
    let high = match width {
        BarWidth::Bits32 => 0,
        BarWidth::Bits64 => u64::from(dword(config, at.checked_add(4)?)?),
    };
    Some(high << 32 | u64::from(low)).filter(|&address| address != 0)
}

/// Width of a memory base address register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BarWidth {
    /// One register.
    Bits32,
    /// Two registers.
    Bits64,
}

fn word(config: &[u8], at: usize) -> Option<u16> {
    config.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

fn dword(config: &[u8], at: usize) -> Option<u32> {
    config.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Configuration space with a capability list that starts at 0x40.
    fn config(capabilities: &[(usize, [u8; 4])]) -> Vec<u8> {
        let mut config = vec![0; 256];
        config[0x06] = 0x10;
        config[0x34] = 0x40;
        for (at, bytes) in capabilities {
            config[*at..*at + 4].copy_from_slice(bytes);
        }
        config
    }

    #[test]
    fn vectors_are_counted() {
        let config = config(&[(0x40, [MSI, 0x50, 0b1010, 0]), (0x50, [MSI_X, 0, 0x3f, 0x80])]);
        assert_eq!(vectors(&config), Vectors { msi: Some(32), msix: Some(64) });
    }

    #[test]
    fn lists_that_loop_or_leave_the_file_end() {
        let looped = config(&[(0x40, [0x01, 0x50, 0, 0]), (0x50, [0x10, 0x40, 0, 0])]);
        assert_eq!(vectors(&looped), Vectors::default());
        let header = config(&[(0x40, [0x01, 0x04, 0, 0]), (0x04, [MSI, 0, 0, 0])]);
        assert_eq!(vectors(&header), Vectors::default());
        let whole = config(&[(0x40, [MSI, 0, 0, 0])]);
        assert_eq!(vectors(&whole).msi, Some(1));
        assert_eq!(vectors(&whole[..64]), Vectors::default());
        assert_eq!(vectors(&whole[..66]), Vectors::default());
        assert_eq!(vectors(&[]), Vectors::default());
    }

    #[test]
    fn registers_hold_bus_addresses() {
        let mut config = vec![0; 64];
        config[0x10..0x18].copy_from_slice(&[0x0c, 0x00, 0x00, 0x80, 0x01, 0, 0, 0]);
        assert_eq!(bar_address(&config, 0, BarWidth::Bits32), Some(0x8000_0000));
        assert_eq!(bar_address(&config, 0, BarWidth::Bits64), Some(0x1_8000_0000));
        assert_eq!(bar_address(&config, 2, BarWidth::Bits32), None);
        assert_eq!(bar_address(&config[..0x14], 0, BarWidth::Bits64), None);
        assert_eq!(bar_address(&[0xff; 64], 0, BarWidth::Bits64), None);
    }
}
