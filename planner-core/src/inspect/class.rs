//! PCI class codes in words (PCI Code and ID Assignment Specification 1.16, section 1).

use crate::facts::pci::PortType;
use crate::ids::PciClass;

/// Sub-classes that passthrough meets, before their base classes.
const SUB_CLASSES: &[(u32, &str)] = &[
    (0x0100, "SCSI controller"),
    (0x0104, "RAID controller"),
    (0x0106, "SATA controller"),
    (0x0107, "SAS controller"),
    (0x0108, "NVMe controller"),
    (0x0200, "Ethernet controller"),
    (0x0207, "InfiniBand controller"),
    (0x0300, "VGA controller"),
    (0x0302, "3D controller"),
    (0x0403, "audio device"),
    (0x0502, "CXL memory"),
    (0x0600, "host bridge"),
    (0x0601, "ISA bridge"),
    (0x0604, "PCI bridge"),
    (0x0609, "PCI bridge"),
    (0x0800, "interrupt controller"),
    (0x0805, "SD host controller"),
    (0x0806, "IOMMU"),
    (0x0c03, "USB controller"),
    (0x0c05, "SMBus"),
];

/// Base classes.
const BASE_CLASSES: &[(u32, &str)] = &[
    (0x00, "unclassified"),
    (0x01, "storage controller"),
    (0x02, "network controller"),
    (0x03, "display controller"),
    (0x04, "multimedia device"),
    (0x05, "memory controller"),
    (0x06, "bridge"),
    (0x07, "communication controller"),
    (0x08, "system peripheral"),
    (0x09, "input device"),
    (0x0a, "docking station"),
    (0x0b, "processor"),
    (0x0c, "serial bus controller"),
    (0x0d, "wireless controller"),
    (0x0e, "intelligent I/O controller"),
    (0x0f, "satellite controller"),
    (0x10, "encryption controller"),
    (0x11, "signal processor"),
    (0x12, "accelerator"),
    (0x13, "instrumentation"),
];

/// Ports and bridges, of which the class says less.
const PORTS: &[(PortType, &str)] = &[
    (PortType::RootPort, "root port"),
    (PortType::UpstreamPort, "upstream port"),
    (PortType::DownstreamPort, "downstream port"),
    (PortType::PcieToPciBridge, "PCIe-to-PCI bridge"),
    (PortType::PciToPcieBridge, "PCI-to-PCIe bridge"),
];

/// What a function is, in words.
pub(super) fn words(class: Option<PciClass>, port: Option<PortType>) -> &'static str {
    if let Some(&(_, words)) = PORTS.iter().find(|(row, _)| Some(*row) == port) {
        return words;
    }
    let Some(class) = class else { return "function" };
    let (sub, base) = (class.base_and_sub(), class.base_and_sub() >> 8);
    let find = |table: &[(u32, &'static str)], code| {
        table.iter().find(|(row, _)| *row == code).map(|&(_, words)| words)
    };
    find(SUB_CLASSES, sub).or_else(|| find(BASE_CLASSES, base)).unwrap_or("function")
}
