//! Access control services: whether a function, or a port, keeps peer-to-peer requests from passing below the IOMMU.
//!
//! This is `pci_acs_enabled` of drivers/pci/pci.c with the reason of its answer. Where nobody told what a function is,
//! it is taken to isolate: a description that lists devices only must not put them all into one group.

use std::fmt;

use super::Topology;
use super::quirks::{Quirk, quirk};
use crate::facts::pci::{AcsFact, PortType};

// Bits of the capability and the control register (PCIe Base Specification 7.7.11.2).
/// Source validation.
pub const SOURCE_VALIDATION: u16 = 1 << 0;
/// P2P request redirect.
pub const REQUEST_REDIRECT: u16 = 1 << 2;
/// P2P completion redirect.
pub const COMPLETION_REDIRECT: u16 = 1 << 3;
/// Upstream forwarding.
pub const UPSTREAM_FORWARDING: u16 = 1 << 4;
/// P2P egress control.
pub const EGRESS_CONTROL: u16 = 1 << 5;
/// Direct translated P2P.
pub const DIRECT_TRANSLATED: u16 = 1 << 6;

/// What Linux asks for before it lets a function have a group of its own (`REQ_ACS_FLAGS` in drivers/iommu/iommu.c), and
/// also what it switches on where the capability allows (`pci_std_enable_acs` in drivers/pci/pci.c).
pub const REQUIRED: u16 = SOURCE_VALIDATION | REQUEST_REDIRECT | COMPLETION_REDIRECT | UPSTREAM_FORWARDING;

/// Whether a function isolates, and why.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Isolation {
    /// Its access control services are switched on.
    Enabled,
    /// It is the only function of its device and no port: there is nothing to isolate.
    Single,
    /// It has no such capability, but Linux knows that the hardware isolates (`pci_dev_specific_acs_enabled`).
    Quirk(&'static str),
    /// Nobody told what it is; it is taken to isolate.
    Unknown,
    /// These bits can be switched on and are not.
    Off(u16),
    /// It has no such capability.
    NoCapability,
    /// It is a bridge between PCI Express and PCI, which never has it.
    PciBridge,
    /// It is PCI or PCI-X: whatever shares its bus sees its requests.
    Conventional,
}

impl Isolation {
    /// Whether Linux takes it to isolate.
    #[must_use]
    pub fn isolates(self) -> bool {
        matches!(self, Self::Enabled | Self::Single | Self::Quirk(_) | Self::Unknown)
    }
}

/// `has the ACS controls RR, UF switched off`, to stand behind the name of a function.
impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enabled => f.write_str("has its ACS controls switched on"),
            Self::Single => f.write_str("is alone in its device"),
            Self::Quirk(why) => f.write_str(why),
            Self::Unknown => f.write_str("is of unknown kind and taken to isolate"),
            Self::Off(bits) => write!(f, "has the ACS controls {} switched off", names(*bits)),
            Self::NoCapability => f.write_str("has no ACS capability"),
            Self::PciBridge => f.write_str("is a bridge to PCI, which has no ACS"),
            Self::Conventional => f.write_str("is conventional PCI, which has no ACS"),
        }
    }
}

/// The abbreviations that PCI-SIG and lspci use, separated by commas.
#[must_use]
pub fn names(bits: u16) -> String {
    const NAMES: [&str; 7] = ["SV", "TB", "RR", "CR", "UF", "EC", "DT"];
    let set = NAMES.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 != 0);
    set.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

impl AcsFact {
    /// The control register: as it was read, or as Linux sets it.
    #[must_use]
    pub fn effective_control(self) -> u16 {
        self.control.unwrap_or(self.capability & REQUIRED)
    }
}

impl Topology<'_> {
    /// Whether this function isolates in the eyes of Linux, and why.
    #[must_use]
    pub fn isolation(&self, device: usize) -> Isolation {
        let Some(function) = self.devices().get(device) else { return Isolation::Unknown };
        let root_bus = self.bridge_above(device).is_none();
        match quirk(function, root_bus) {
            Some(Quirk::Isolates(why)) => return Isolation::Quirk(why),
            Some(Quirk::DoesNot) => return Isolation::NoCapability,
            None => {}
        }
        let config = &function.config;
        match config.port_type {
            None => Isolation::Unknown,
            Some(PortType::Conventional) => Isolation::Conventional,
            Some(PortType::PcieToPciBridge | PortType::PciToPcieBridge | PortType::RcEventCollector) => {
                Isolation::PciBridge
            }
            Some(PortType::RootPort | PortType::DownstreamPort) => controls(config.acs),
            Some(
                PortType::Endpoint | PortType::LegacyEndpoint | PortType::UpstreamPort | PortType::RcEndpoint,
            ) => {
                if config.multifunction {
                    controls(config.acs)
                } else {
                    Isolation::Single
                }
            }
        }
    }

    /// The nearest port from this one up to the root complex that does not isolate (`pci_acs_path_enabled` in
    /// drivers/pci/pci.c, asked for the whole way).
    #[must_use]
    pub fn first_open_port(&self, bridge: usize) -> Option<(usize, Isolation)> {
        std::iter::once(bridge)
            .chain(self.bridges_above(bridge))
            .map(|port| (port, self.isolation(port)))
            .find(|(_, isolation)| !isolation.isolates())
    }
}

/// `pci_acs_flags_enabled`: what the capability does not offer cannot be needed.
fn controls(acs: Option<AcsFact>) -> Isolation {
    let Some(acs) = acs else { return Isolation::Unknown };
    if acs.is_absent() {
        return Isolation::NoCapability;
    }
    match REQUIRED & acs.capability & !acs.effective_control() {
        0 => Isolation::Enabled,
        off => Isolation::Off(off),
    }
}
