//! What configuration space says about a PCI function beyond its registers and vectors: its place in the hierarchy of
//! bridges, what isolates it from its neighbours, its virtual functions.
//!
//! As everywhere in the facts, what is absent was not said. That a function has *no* access control services is a fact
//! of its own: [`AcsFact`] with nothing in `capability`.

use serde::{Deserialize, Serialize};

use super::host::BarFact;
use super::words;
use crate::ids::PciAddress;
use crate::size::PageSizes;

words! {
    /// Device/Port Type of the PCI Express capability (PCIe Base Specification 7.5.3.2), or that there is none.
    PortType {
        /// PCI Express endpoint.
        Endpoint = "endpoint",
        /// Legacy PCI Express endpoint.
        LegacyEndpoint = "legacy-endpoint",
        /// Root port.
        RootPort = "root-port",
        /// Upstream port of a switch.
        UpstreamPort = "upstream-port",
        /// Downstream port of a switch.
        DownstreamPort = "downstream-port",
        /// Bridge from PCI Express to PCI or PCI-X.
        PcieToPciBridge = "pcie-to-pci-bridge",
        /// Bridge from PCI or PCI-X to PCI Express.
        PciToPcieBridge = "pci-to-pcie-bridge",
        /// Endpoint that is part of the root complex.
        RcEndpoint = "rc-endpoint",
        /// Event collector of the root complex.
        RcEventCollector = "rc-event-collector",
        /// No PCI Express capability: PCI or PCI-X.
        Conventional = "conventional",
    }
}

impl PortType {
    /// The type with this number, the four bits of the PCI Express Capabilities Register.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            0x0 => Self::Endpoint,
            0x1 => Self::LegacyEndpoint,
            0x4 => Self::RootPort,
            0x5 => Self::UpstreamPort,
            0x6 => Self::DownstreamPort,
            0x7 => Self::PcieToPciBridge,
            0x8 => Self::PciToPcieBridge,
            0x9 => Self::RcEndpoint,
            0xa => Self::RcEventCollector,
            _ => return None,
        })
    }
}

/// Buses below a bridge (PCI-to-PCI Bridge Architecture Specification 3.2.5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BridgeBusesFact {
    /// The bus directly below it.
    pub secondary: u8,
    /// The highest bus below it.
    pub subordinate: u8,
}

/// Access control services (PCIe Base Specification 6.12 and 7.7.11). Bits of both registers: 0 source validation,
/// 1 translation blocking, 2 P2P request redirect, 3 P2P completion redirect, 4 upstream forwarding, 5 P2P egress
/// control, 6 direct translated P2P.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcsFact {
    /// What it can do. Zero without `control` says that it has no such capability.
    pub capability: u16,
    /// What is switched on, if that was said. Otherwise Linux switches on what it always does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<u16>,
}

impl AcsFact {
    /// Whether it says that there is no such capability.
    #[must_use]
    pub fn is_absent(self) -> bool {
        self == Self::default()
    }
}

/// Where the virtual functions of a physical function are, and which registers each has (PCIe Base Specification 9.3.3).
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VirtualFunctionsFact {
    /// Requester ID of the first one, less that of the physical function.
    pub offset: u16,
    /// From the requester ID of one to that of the next.
    pub stride: u16,
    /// Their device ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<u16>,
    /// Base address registers of one virtual function.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bars: Vec<BarFact>,
}

/// A base address register that can have other sizes (PCIe Base Specification 7.8.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResizableBarFact {
    /// Index of the register, 0 to 5.
    pub index: u8,
    /// The sizes that it can have: bit n stands for 2^n bytes. 1 MiB to 2^63 bytes.
    pub sizes: PageSizes,
}

/// What configuration space says. In JSON: `config` of a device.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFact {
    /// What kind of port or device it is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub port_type: Option<PortType>,
    /// Buses below it, if it is a bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buses: Option<BridgeBusesFact>,
    /// Whether its device says that it has several functions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub multifunction: bool,
    /// Access control services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acs: Option<AcsFact>,
    /// The physical function that it is a virtual function of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_function: Option<PciAddress>,
    /// Its virtual functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_functions: Option<VirtualFunctionsFact>,
    /// Whether it can ask the IOMMU for translations (ATS).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ats: bool,
    /// Whether it can ask the IOMMU for pages (PRI).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pri: bool,
    /// Width of the PASIDs that it can send, 0 to 20 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pasid_bits: Option<u8>,
    /// Registers that can be resized.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resizable: Vec<ResizableBarFact>,
}

impl ConfigFact {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_unsaid(&self) -> bool {
        *self == Self::default()
    }
}
