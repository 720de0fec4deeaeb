//! PCI configuration space: the bytes of a function's `config` in sysfs, or of `lspci -xxxx`.
//!
//! [`read`] takes 64, 256 or 4096 bytes: what a reader without privileges sees, a conventional function, an Express one.
//! What stands beyond the end is not known, and a capability list that leads astray is followed as far as it goes.
//! [`facts`](ConfigSpace::facts) makes of it what the host room needs. Not here: sizes of registers, which only writing
//! to them would show (sysfs tells them in `resource`).

pub mod codes;
pub mod lspci;

mod capabilities;
mod dump;
mod extended;
mod header;

use std::sync::Arc;

use nom::IResult;

use crate::addr::{BusAddr, Span};
use crate::diag::{Code, Diagnostic, Origin};
use crate::facts::host::BarKind;
use crate::facts::pci::{
    AcsFact, BridgeBusesFact, ConfigFact, PortType, ResizableBarFact, VirtualFunctionsFact,
};
use crate::ids::{PciClass, PciId};
use crate::read::capture::log::Log;

/// Bytes that every reader sees: the header (`pci_read_config` in drivers/pci/pci-sysfs.c, without `CAP_SYS_ADMIN`).
pub const HEADER_BYTES: usize = 64;
/// Bytes of conventional configuration space (PCI Local Bus Specification 6.1).
pub const CONVENTIONAL_BYTES: usize = 256;
/// Bytes of extended configuration space (PCIe Base Specification 7.2.1).
pub const EXPRESS_BYTES: usize = 4096;

/// Header type, without the bit for several functions (PCI Code and ID Assignment; PCIe Base Specification 7.5.1.1.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Header {
    /// Type 0: a device.
    Device,
    /// Type 1: a bridge between PCI buses.
    Bridge,
    /// Type 2: a bridge to CardBus.
    CardBus,
}

/// A base address register as it reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register {
    /// Index, 0 to 5.
    pub index: u8,
    /// Kind.
    pub kind: BarKind,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
    /// The address on the bus; `None` when it holds none (zero, or ones as a sleeping device reads).
    pub address: Option<BusAddr>,
}

/// What a bridge forwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bridge {
    /// The bus that it is on.
    pub primary: u8,
    /// The buses below it.
    pub buses: BridgeBusesFact,
    /// I/O ports that it forwards downwards.
    pub io: Option<Span<BusAddr>>,
    /// Memory that it forwards downwards.
    pub memory: Option<Span<BusAddr>>,
    /// Prefetchable memory that it forwards downwards.
    pub prefetchable: Option<Span<BusAddr>>,
}

/// MSI-X (PCIe Base Specification 7.7.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MsiX {
    /// Vectors, 1 to 2048.
    pub vectors: u16,
    /// Index of the register that holds the table.
    pub table_bar: u8,
    /// Where the table begins, in bytes from the register's start.
    pub table_offset: u32,
}

/// The PCI Express capability (PCIe Base Specification 7.5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Express {
    /// What it is; `None` for a number that is reserved.
    pub port_type: Option<PortType>,
    /// Number of the slot below it, if there is a slot.
    pub slot: Option<u16>,
    /// Whether it forwards to functions 8 to 255 of the device below (ARI).
    pub ari_forwarding: bool,
}

/// Single root I/O virtualisation (PCIe Base Specification 9.3.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sriov {
    /// How many virtual functions there can be.
    pub total: u16,
    /// How many there are.
    pub enabled: u16,
    /// Requester ID of the first, less that of the physical function.
    pub offset: u16,
    /// From one requester ID to the next.
    pub stride: u16,
    /// Device ID of all of them.
    pub device_id: u16,
    /// Registers of the first one.
    pub bars: Vec<Register>,
}

/// Configuration space of a function, as far as it is there. `None` stands for no such capability or for one that was
/// not read; [`ConfigSpace::bytes`] tells how much was there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigSpace {
    /// How many bytes there are.
    pub bytes: usize,
    /// Vendor and device ID.
    pub id: Option<PciId>,
    /// Class code.
    pub class: Option<PciClass>,
    /// Layout of the header, if it is a known one.
    pub header: Option<Header>,
    /// Whether its device says that it has several functions.
    pub multifunction: bool,
    /// Base address registers.
    pub bars: Vec<Register>,
    /// What it forwards, if it is a bridge.
    pub bridge: Option<Bridge>,
    /// MSI vectors.
    pub msi: Option<u16>,
    /// MSI-X.
    pub msix: Option<MsiX>,
    /// Whether it has the PCI-X capability.
    pub pcix: bool,
    /// PCI Express.
    pub express: Option<Express>,
    /// Access control services.
    pub acs: Option<AcsFact>,
    /// Virtual functions.
    pub sriov: Option<Sriov>,
    /// Whether it has alternative routing IDs: up to 256 functions and no devices (ARI).
    pub ari: bool,
    /// Whether it can ask for translations.
    pub ats: bool,
    /// Whether it can ask for pages.
    pub pri: bool,
    /// Width of its PASIDs in bits.
    pub pasid_bits: Option<u8>,
    /// Registers that can be resized.
    pub resizable: Vec<ResizableBarFact>,
}

/// What these bytes say. `file` names them in diagnostics.
#[must_use]
pub fn read(bytes: &[u8], file: &str) -> (ConfigSpace, Vec<Diagnostic>) {
    let mut log = Log::of(file);
    let config = read_into(bytes, file, &mut log);
    (config, log.finish())
}

/// As [`read`], for a reader of many.
pub(in crate::read) fn read_into(bytes: &[u8], file: &str, log: &mut Log) -> ConfigSpace {
    let bytes = bytes.get(..EXPRESS_BYTES).unwrap_or(bytes);
    let mut config = ConfigSpace { bytes: bytes.len(), ..ConfigSpace::default() };
    let mut scan = Scan { bytes, file: file.into(), log };
    if bytes.is_empty() {
        return config;
    }
    let header = bytes.get(..HEADER_BYTES).unwrap_or(bytes);
    if header.iter().all(|&byte| byte == 0xff) {
        let message = "every byte of the header is 0xff: nothing answered".to_owned();
        scan.report(&codes::NO_ANSWER, 0, header.len(), message);
        return config;
    }
    header::read(&mut scan, &mut config);
    capabilities::read(&mut scan, &mut config);
    extended::read(&mut scan, &mut config);
    config
}

impl ConfigSpace {
    /// Whether the capabilities were there to be read.
    #[must_use]
    pub fn has_capabilities(&self) -> bool {
        self.bytes >= CONVENTIONAL_BYTES
    }

    /// What the host room needs of it.
    #[must_use]
    pub fn facts(&self) -> ConfigFact {
        let port_type = match self.express {
            Some(express) => express.port_type,
            None => self.has_capabilities().then_some(PortType::Conventional),
        };
        ConfigFact {
            port_type,
            buses: self.bridge.map(|bridge| bridge.buses),
            multifunction: self.multifunction,
            acs: self.acs_fact(port_type),
            physical_function: None,
            virtual_functions: self.sriov.as_ref().map(|sriov| VirtualFunctionsFact {
                offset: sriov.offset,
                stride: sriov.stride,
                device_id: Some(sriov.device_id),
                bars: Vec::new(),
            }),
            ats: self.ats,
            pri: self.pri,
            pasid_bits: self.pasid_bits,
            resizable: self.resizable.clone(),
        }
    }

    /// That a function has no access control services is said where it matters: of ports, and of one function among
    /// several. It is known only where extended configuration space was read.
    fn acs_fact(&self, port_type: Option<PortType>) -> Option<AcsFact> {
        let port =
            matches!(port_type, Some(PortType::RootPort | PortType::DownstreamPort | PortType::UpstreamPort));
        let matters = self.express.is_some() && (port || self.multifunction);
        let lacks = || (self.bytes > CONVENTIONAL_BYTES && matters).then(AcsFact::default);
        self.acs.or_else(lacks)
    }
}

/// The bytes while they are read.
struct Scan<'b, 'l> {
    bytes: &'b [u8],
    file: Arc<str>,
    log: &'l mut Log,
}

impl<'b> Scan<'b, '_> {
    /// What a parser makes of the bytes from `offset` on.
    fn parse<T>(&self, offset: usize, parser: impl FnOnce(&'b [u8]) -> IResult<&'b [u8], T>) -> Option<T> {
        parser(self.bytes.get(offset..)?).ok().map(|(_, value)| value)
    }

    fn report(&mut self, code: &'static Code, offset: usize, length: usize, message: String) {
        let origin = Origin::Bytes { file: Arc::clone(&self.file), offset, length };
        self.log.push(Diagnostic::new(code, origin, message));
    }

    /// As [`Scan::parse`]; that the structure passes the end of the bytes is reported.
    fn need<T>(
        &mut self,
        what: &str,
        offset: usize,
        parser: impl FnOnce(&'b [u8]) -> IResult<&'b [u8], T>,
    ) -> Option<T> {
        let parsed = self.parse(offset, parser);
        if parsed.is_none() {
            let end = self.bytes.len();
            let message = format!("{what} at {offset:#x} passes the end of the {end} bytes that are there");
            self.report(&codes::CUT_CAPABILITY, offset, end.saturating_sub(offset), message);
        }
        parsed
    }
}
