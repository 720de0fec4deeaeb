//! Functions that Linux knows better than their configuration space: which isolate without saying so, and which send DMA
//! under a requester ID that is not theirs. Tables of drivers/pci/quirks.c as of Linux 6.18; devices told apart by their
//! subsystem ID (Adaptec 3405) are left out.

use crate::facts::pci::PortType;
use crate::host::Device;

/// What Linux knows of a function's isolation.
pub(super) enum Quirk {
    /// It isolates, for this reason.
    Isolates(&'static str),
    /// It does not, whatever it says.
    DoesNot,
}

/// When a row holds.
#[derive(Clone, Copy)]
enum When {
    Always,
    /// A root port.
    RootPort,
    /// A root port or a downstream port.
    Port,
    /// An endpoint of the root complex.
    RcEndpoint,
    /// One of several functions on a root bus.
    SeveralOnRootBus,
}

struct Row {
    vendor: u16,
    devices: &'static [(u16, u16)],
    when: When,
    why: &'static str,
}

const ANY: &[(u16, u16)] = &[(0, 0xffff)];

const fn row(vendor: u16, devices: &'static [(u16, u16)], when: When, why: &'static str) -> Row {
    Row { vendor, devices, when, why }
}

const NO_PEERS: &str = "is known to Linux not to pass requests between its functions";
const NO_PORT_PEERS: &str = "is a port that is known to Linux not to pass requests to its peers";

/// `pci_dev_acs_enabled` in drivers/pci/quirks.c.
const ISOLATED: &[Row] = &[
    // AMD southbridges (`pci_quirk_amd_sb_acs`); Linux also asks for the table IVRS, which every host with their IOMMU has.
    row(0x1002, &[(0x4383, 0x4385), (0x4399, 0x4399), (0x439c, 0x439d)], When::SeveralOnRootBus, NO_PEERS),
    row(0x1022, &[(0x7809, 0x7809), (0x780f, 0x780f)], When::SeveralOnRootBus, NO_PEERS),
    // Solarflare.
    row(0x1924, &[(0x0903, 0x0903), (0x0923, 0x0923), (0x0a03, 0x0a03)], When::Always, NO_PEERS),
    // Intel: 82598, 82599, X540; 82580; 82576; 82575; I350; 82571; I219.
    row(
        0x8086,
        &[(0x10c6, 0x10c6), (0x10db, 0x10db), (0x10dd, 0x10dd), (0x10e1, 0x10e1), (0x10f1, 0x10f1)],
        When::Always,
        NO_PEERS,
    ),
    row(
        0x8086,
        &[(0x10f7, 0x10fc), (0x1507, 0x1507), (0x1514, 0x1514), (0x151c, 0x151c)],
        When::Always,
        NO_PEERS,
    ),
    row(
        0x8086,
        &[(0x1529, 0x152a), (0x154d, 0x154d), (0x154f, 0x154f), (0x1551, 0x1551), (0x1558, 0x1558)],
        When::Always,
        NO_PEERS,
    ),
    row(
        0x8086,
        &[(0x1509, 0x1509), (0x150e, 0x1511), (0x1516, 0x1516), (0x1527, 0x1527)],
        When::Always,
        NO_PEERS,
    ),
    row(
        0x8086,
        &[
            (0x10c9, 0x10c9),
            (0x10e6, 0x10e8),
            (0x150a, 0x150a),
            (0x150d, 0x150d),
            (0x1518, 0x1518),
            (0x1526, 0x1526),
        ],
        When::Always,
        NO_PEERS,
    ),
    row(
        0x8086,
        &[(0x10a7, 0x10a7), (0x10a9, 0x10a9), (0x10d6, 0x10d6), (0x1521, 0x1524)],
        When::Always,
        NO_PEERS,
    ),
    row(0x8086, &[(0x105e, 0x1060), (0x10d9, 0x10d9), (0x15b7, 0x15b8)], When::Always, NO_PEERS),
    row(
        0x8086,
        ANY,
        When::RcEndpoint,
        "is part of an Intel root complex, which passes translated requests to peers only",
    ),
    // Qualcomm QDF2xxx and SA8775P, HXT SD4800.
    row(0x17cb, &[(0x0115, 0x0115), (0x0400, 0x0401)], When::Always, NO_PORT_PEERS),
    row(0x1dbf, &[(0x0401, 0x0401)], When::Always, NO_PORT_PEERS),
    // Intel PCH: Ibex Peak, Cougar Point, Panther Point, Lynx Point (H, LP, 9 series), Wildcat, Patsburg, Wellsburg.
    // Linux switches isolation on through the chipset (`pci_quirk_enable_intel_pch_acs`).
    row(
        0x8086,
        &[(0x3b42, 0x3b51), (0x1c10, 0x1c1f), (0x1e10, 0x1e1f), (0x8c10, 0x8c1f), (0x9c10, 0x9c1b)],
        When::RootPort,
        PCH,
    ),
    row(0x8086, &[(0x9c90, 0x9c9b), (0x8d10, 0x8d1e)], When::RootPort, PCH),
    row(
        0x8086,
        &[(0x1d10, 0x1d10), (0x1d12, 0x1d12), (0x1d14, 0x1d14), (0x1d16, 0x1d16)],
        When::RootPort,
        PCH,
    ),
    row(
        0x8086,
        &[(0x1d18, 0x1d18), (0x1d1a, 0x1d1a), (0x1d1c, 0x1d1c), (0x1d1e, 0x1d1e)],
        When::RootPort,
        PCH,
    ),
    row(
        0x8086,
        &[(0x8c90, 0x8c90), (0x8c92, 0x8c92), (0x8c94, 0x8c94), (0x8c96, 0x8c96)],
        When::RootPort,
        PCH,
    ),
    row(
        0x8086,
        &[(0x8c98, 0x8c98), (0x8c9a, 0x8c9a), (0x8c9c, 0x8c9c), (0x8c9e, 0x8c9e)],
        When::RootPort,
        PCH,
    ),
    // Emulex BE3-R and Skyhawk-R.
    row(0x19a2, &[(0x0710, 0x0710)], When::Always, NO_PEERS),
    row(0x10df, &[(0x0720, 0x0720)], When::Always, NO_PEERS),
    // Cavium ThunderX, ThunderX2, ThunderX3, and functions of ThunderX.
    row(0x177d, &[(0xa000, 0xa7ff), (0xaf84, 0xaf84), (0xb884, 0xb884)], When::RootPort, NO_PORT_PEERS),
    row(0x177d, &[(0xa026, 0xa026), (0xa059, 0xa059), (0xa060, 0xa060)], When::Always, NO_PEERS),
    // APM X-Gene, Ampere.
    row(0x10e8, &[(0xe004, 0xe004)], When::Always, NO_PORT_PEERS),
    row(0x1def, &[(0xe005, 0xe00c)], When::Always, NO_PORT_PEERS),
    // Broadcom.
    row(0x14e4, &[(0x16d7, 0x16d7), (0x1750, 0x1752), (0x1760, 0x1763)], When::Always, NO_PEERS),
    row(0x14e4, &[(0xd714, 0xd714)], When::Always, NO_PORT_PEERS),
    // Loongson.
    row(
        0x0014,
        &[(0x3c09, 0x3c09), (0x3c19, 0x3c19), (0x3c29, 0x3c29), (0x7a09, 0x7a09), (0x7a19, 0x7a19)],
        When::Always,
        NO_PORT_PEERS,
    ),
    row(
        0x0014,
        &[(0x7a29, 0x7a29), (0x7a39, 0x7a39), (0x7a49, 0x7a49), (0x7a59, 0x7a59), (0x7a69, 0x7a69)],
        When::Always,
        NO_PORT_PEERS,
    ),
    // Amazon Annapurna Labs.
    row(0x1c36, &[(0x0031, 0x0031)], When::RootPort, NO_PORT_PEERS),
    // Zhaoxin.
    row(0x1d17, &[(0x3038, 0x3038), (0x3104, 0x3104), (0x9083, 0x9083)], When::Always, NO_PEERS),
    row(0x1d17, &[(0x0710, 0x071e), (0x0721, 0x0721), (0x0723, 0x0752)], When::Port, NO_PORT_PEERS),
    // NXP LX2160A and LX2162A.
    row(
        0x1957,
        &[(0x8d80, 0x8d83), (0x8d88, 0x8d8b), (0x8d90, 0x8d93), (0x8d98, 0x8d9b)],
        When::Always,
        NO_PORT_PEERS,
    ),
    row(
        0x1957,
        &[(0x8da0, 0x8da1), (0x8da8, 0x8da9), (0x8db0, 0x8db1), (0x8db8, 0x8db9)],
        When::Always,
        NO_PORT_PEERS,
    ),
    // Wangxun.
    row(
        0x8088,
        &[(0x0100, 0x010f), (0x1001, 0x1001), (0x2001, 0x2001), (0x5010, 0x5010), (0x5025, 0x5025)],
        When::Always,
        NO_PEERS,
    ),
    row(
        0x8088,
        &[(0x5040, 0x5040), (0x5110, 0x5110), (0x5125, 0x5125), (0x5140, 0x5140)],
        When::Always,
        NO_PEERS,
    ),
];

const PCH: &str = "is a root port of an Intel PCH, whose isolation Linux switches on through the chipset";

/// Vendors of which Linux believes no other device (the quirk answers no instead of passing on).
const DISBELIEVED: &[(u16, When)] = &[(0x1d17, When::Port), (0x8088, When::Always)];

/// What Linux knows of this function's isolation.
pub(super) fn quirk(device: &Device, root_bus: bool) -> Option<Quirk> {
    let id = device.id?;
    let among =
        |devices: &[(u16, u16)]| devices.iter().any(|&(first, last)| (first..=last).contains(&id.device));
    let holds = |when| holds(when, device, root_bus);
    let known = ISOLATED.iter().find(|row| row.vendor == id.vendor && among(row.devices) && holds(row.when));
    if let Some(row) = known {
        return Some(Quirk::Isolates(row.why));
    }
    let disbelieved = DISBELIEVED.iter().any(|&(vendor, when)| vendor == id.vendor && holds(when));
    disbelieved.then_some(Quirk::DoesNot)
}

fn holds(when: When, device: &Device, root_bus: bool) -> bool {
    let port_type = device.config.port_type;
    match when {
        When::Always => true,
        When::RootPort => port_type == Some(PortType::RootPort),
        When::Port => matches!(port_type, Some(PortType::RootPort | PortType::DownstreamPort)),
        When::RcEndpoint => port_type == Some(PortType::RcEndpoint),
        When::SeveralOnRootBus => device.config.multifunction && root_bus,
    }
}

/// Under which other device and function number of its bus a function sends DMA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DevfnAlias {
    /// That of this function of its own device.
    Function(u8),
    /// Each of these.
    Fixed(&'static [u8]),
    /// Functions 0 to 4 of every device of the bus.
    EverySlot,
}

/// `quirk_dma_func0_alias`, `quirk_dma_func1_alias`, `quirk_mic_x200_dma_alias`, `quirk_pex_vca_alias`.
pub(super) fn devfn_alias(device: &Device) -> Option<DevfnAlias> {
    let id = device.id?;
    match (id.vendor, id.device) {
        (0x1180, 0xe832 | 0xe476) | (0x6766, 0x3d40 | 0x3d41) => Some(DevfnAlias::Function(0)),
        (
            0x1b4b,
            0x9120 | 0x9123 | 0x9125 | 0x9128 | 0x9130 | 0x9170 | 0x9172 | 0x917a | 0x9182 | 0x9183 | 0x91a0
            | 0x9215 | 0x9220 | 0x9230 | 0x9235,
        )
        | (0x1103, 0x0642 | 0x0645)
        | (0x197b, 0x2392)
        | (0x1c28, 0x0122) => Some(DevfnAlias::Function(1)),
        // Devices and functions 10.0, 11.0 and 12.3.
        (0x8086, 0x2260 | 0x2264) => Some(DevfnAlias::Fixed(&[0x80, 0x88, 0x93])),
        (0x8086, 0x2954..=0x2956 | 0x2958..=0x295a) => Some(DevfnAlias::EverySlot),
        _ => None,
    }
}

/// Bridges from PCI Express to PCI that hide it (`quirk_use_pcie_bridge_dma_alias`).
pub(super) fn hides_express(device: &Device) -> bool {
    device.id.is_some_and(|id| {
        matches!(
            (id.vendor, id.device),
            (0x1b21, 0x1080) | (0x10e3, 0x8113) | (0x1283, 0x8892 | 0x8893) | (0x8086, 0x244e)
        )
    })
}

/// Bridges below which IOMMU and interrupt controller sit (`quirk_bridge_cavm_thrx2_pcie_root`).
pub(super) fn translates_here(device: &Device) -> bool {
    device.id.is_some_and(|id| matches!((id.vendor, id.device), (0x14e4, 0x9000 | 0x9084)))
}
