//! What a `root-complex` block of a host may hold.

use super::{
    Arg, Block, Body, CLAUSE, Clause, Count, Shape, U16, U32, after, flag, many, may, must, option, words_of,
};
use crate::facts::host::{BarKind, PeerToPeer, WindowKind};
use crate::facts::pci::PortType;

const BARS: &[&str] = &words_of::<_, { BarKind::WORDS.len() }>(BarKind::WORDS);
const TYPES: &[&str] = &words_of::<_, { PortType::WORDS.len() }>(PortType::WORDS);
const P2P: &[&str] = &words_of::<_, { PeerToPeer::WORDS.len() }>(PeerToPeer::WORDS);
const WINDOWS: &[&str] = &words_of::<_, { WindowKind::WORDS.len() }>(WindowKind::WORDS);

pub(super) static ROOT_COMPLEX: Block = Block {
    name: "root-complex",
    clauses: &[
        Clause {
            keyword: "segment",
            args: &[must("N", Shape::Number(U16))],
            doc: "Its PCI segment; Linux says domain.",
            absent: "`0`",
            example: "segment 1",
            ..CLAUSE
        },
        Clause {
            keyword: "buses",
            args: &[must("FIRST", Shape::Range(0xff))],
            doc: "The buses below it.",
            absent: "`0x00..=0xff`",
            example: "buses 0x00..=0x7f",
            ..CLAUSE
        },
        Clause {
            keyword: "node",
            args: &[must("N", Shape::Number(U32))],
            doc: "Its NUMA node.",
            absent: "not known",
            example: "node 1",
            ..CLAUSE
        },
        Clause {
            keyword: "smmu",
            synonym: Some("iommu"),
            args: &[must("NAME", Shape::Name)],
            body: Body::May(&STREAMS),
            count: Count::Many,
            doc: "The IOMMU that translates what the devices below do. Without a block: all of them, under stream IDs \
                  that are not known.",
            absent: "nothing is known to translate, and the devices cannot be passed through",
            example: "smmu pcie-smmu { rid 0x0..=0xffff -> stream 0x0 }",
        },
        Clause {
            keyword: "msi",
            args: &[must("NAME", Shape::Name)],
            body: Body::May(&MSI),
            count: Count::Many,
            doc: "The ITS, GICv2m frame or doorbell that takes the MSIs of the devices below. Without a block: of all \
                  of them.",
            absent: "not known",
            example: "msi its0 { rid 0x0..=0xffff -> device-id 0x0 }",
            ..CLAUSE
        },
        Clause {
            keyword: "window",
            args: &[
                must("KIND", Shape::Word(WINDOWS)),
                must("SPAN", Shape::Window),
                flag(&["prefetchable"], "PREFETCHABLE"),
                may("P2P", Shape::Word(P2P)),
            ],
            count: Count::Many,
            doc: "A window through which CPUs reach devices. A window whose CPU address is not its bus address takes \
                  the long form. `intercepts-p2p`: DMA to a bus address in it goes to a peer before the IOMMU sees \
                  it, so a guest must not have RAM there. `no-p2p`: it goes to the IOMMU like any other. Neither: \
                  nobody knows, and a strict plan keeps out.",
            example: "window mem32 cpu 0x80_4000_0000 bus 0x4000_0000 size 1G prefetchable no-p2p",
            ..CLAUSE
        },
        Clause {
            keyword: "inbound",
            args: &[must("SPAN", Shape::Window)],
            count: Count::Many,
            doc: "A window through which devices reach memory (devicetree `dma-ranges`).",
            absent: "devices reach everything",
            example: "inbound cpu 0x0 bus 0x4_0000_0000 size 16G",
            ..CLAUSE
        },
        Clause {
            keyword: "device",
            args: &[must("BDF", Shape::Pci)],
            body: Body::May(&DEVICE),
            count: Count::Many,
            doc: "A PCI function. Without a segment, its address takes that of the root complex.",
            example: "device 01:00.0 { id 8086:1520  class 0200  bar 0 mem64 prefetchable 16K  msix 3 }",
            ..CLAUSE
        },
    ],
};

static STREAMS: Block = Block {
    name: "smmu",
    clauses: &[Clause {
        keyword: "rid",
        args: &[
            must("FIRST", Shape::Range(U16)),
            option(&["->", "stream"], "N", Shape::Number(U32)),
            flag(&["shared"], "SHARED"),
        ],
        count: Count::Many,
        doc: "These requester IDs are translated, the first under this stream ID and the others counting up from it; \
              with `shared`, all under the same (`iommu-map` and `iommu-map-mask`, IORT ID mappings).",
        absent: "all requesters, under stream IDs that are not known",
        example: "rid 0x0..=0xff -> stream 0x100",
        ..CLAUSE
    }],
};

static MSI: Block = Block {
    name: "msi",
    clauses: &[Clause {
        keyword: "rid",
        args: &[must("FIRST", Shape::Range(U16)), option(&["->", "device-id"], "N", Shape::Number(U32))],
        count: Count::Many,
        doc: "The MSIs of these requester IDs go there, the first under this ITS device ID and the others counting up \
              from it (`msi-map`, IORT ID mappings).",
        absent: "all requesters, under device IDs that are not known",
        example: "rid 0x0..=0xffff -> device-id 0x0",
        ..CLAUSE
    }],
};

static DEVICE: Block = Block {
    name: "device",
    clauses: &[
        Clause {
            keyword: "id",
            args: &[must("ID", Shape::PciId)],
            doc: "Vendor and device ID, as `lspci -n` prints them.",
            absent: "not known",
            example: "id 8086:1520",
            ..CLAUSE
        },
        Clause {
            keyword: "class",
            args: &[must("CLASS", Shape::PciClass)],
            doc: "Class code: base class and sub-class, and the programming interface if it is not 0.",
            absent: "not known",
            example: "class 010802",
            ..CLAUSE
        },
        Clause {
            keyword: "node",
            args: &[must("N", Shape::Number(U32))],
            doc: "Its NUMA node.",
            absent: "that of its root complex",
            example: "node 0",
            ..CLAUSE
        },
        Clause {
            keyword: "bar",
            args: BAR,
            count: Count::Many,
            doc: "A base address register: its index (0 to 5; 6 is the expansion ROM), kind and size, and where the \
                  host placed it as CPUs see it. A `mem64` register takes the next index too.",
            example: "bar 0 mem64 prefetchable 16K at 0x40_0000_0000",
            ..CLAUSE
        },
        Clause {
            keyword: "msix",
            args: &[must("N", Shape::Number(U16))],
            doc: "Number of MSI-X vectors, at most 2048.",
            absent: "not known",
            example: "msix 64",
            ..CLAUSE
        },
        Clause {
            keyword: "msi",
            args: &[must("N", Shape::Number(U16))],
            doc: "Number of MSI vectors, at most 32.",
            absent: "not known",
            example: "msi 1",
            ..CLAUSE
        },
        Clause {
            keyword: "sriov",
            args: &[
                after(&["total"], "TOTAL", Shape::Number(U16)),
                option(&["enabled"], "ENABLED", Shape::Number(U16)),
            ],
            doc: "How many virtual functions it can have, and how many are enabled (none, if that is not said).",
            absent: "it has none",
            example: "sriov total 8 enabled 4",
            ..CLAUSE
        },
        Clause {
            keyword: "type",
            args: &[must("TYPE", Shape::Word(TYPES))],
            doc: "What kind of port or device it is, from its PCI Express capability; `conventional` when it has none.",
            absent: "not known, and taken to be isolated from its neighbours",
            example: "type root-port",
            ..CLAUSE
        },
        Clause {
            keyword: "buses",
            args: &[must("SECONDARY", Shape::Range(0xff))],
            doc: "The buses below a bridge: its secondary and subordinate bus numbers.",
            absent: "it is no bridge, or its buses are not known",
            example: "buses 0x01..=0x04",
            ..CLAUSE
        },
        Clause {
            keyword: "multifunction",
            doc: "Its device says that it has several functions (bit 7 of the header type).",
            absent: "it is alone, or nobody looked",
            example: "multifunction",
            ..CLAUSE
        },
        Clause {
            keyword: "acs",
            args: &[must("CAP", Shape::Number(U16)), option(&["control"], "CONTROL", Shape::Number(U16))],
            doc: "Access control services: the capability register, `0x0` alone when there is no such capability, and \
                  the control register. Without `control`, Linux is taken to have switched on what it always does: source \
                  validation, request and completion redirect, upstream forwarding.",
            absent: "not known",
            example: "acs 0x5f control 0x1d",
            ..CLAUSE
        },
        Clause {
            keyword: "vf-of",
            args: &[must("BDF", Shape::Pci)],
            doc: "It is a virtual function of this physical function.",
            absent: "it is no virtual function, or nobody looked",
            example: "vf-of 01:00.0",
            ..CLAUSE
        },
        Clause {
            keyword: "vfs",
            args: &[
                after(&["offset"], "OFFSET", Shape::Number(U16)),
                after(&["stride"], "STRIDE", Shape::Number(U16)),
                option(&["id"], "ID", Shape::Number(U16)),
            ],
            body: Body::May(&VFS),
            doc: "Where its virtual functions are: the requester ID of the first less its own, and from one to the \
                  next; and their device ID.",
            absent: "not known",
            example: "vfs offset 0x80 stride 0x2 id 0x10ca { bar 0 mem64 prefetchable 16K }",
            ..CLAUSE
        },
        Clause {
            keyword: "ats",
            doc: "It can ask the IOMMU for translations (ATS).",
            absent: "it cannot, or nobody looked",
            example: "ats",
            ..CLAUSE
        },
        Clause {
            keyword: "pri",
            doc: "It can ask the IOMMU for pages (PRI).",
            absent: "it cannot, or nobody looked",
            example: "pri",
            ..CLAUSE
        },
        Clause {
            keyword: "pasid",
            args: &[must("N", Shape::Bits(0, 20))],
            doc: "It can send PASIDs of this width.",
            absent: "it cannot, or nobody looked",
            example: "pasid 20 bits",
            ..CLAUSE
        },
        Clause {
            keyword: "resizable",
            args: &[must("INDEX", Shape::Number(5)), many("SIZE", Shape::PageSize)],
            count: Count::Many,
            doc: "A base address register that can be resized, and the sizes that it can have.",
            absent: "none can",
            example: "resizable 0 256M 512M 1G",
            ..CLAUSE
        },
    ],
};

static VFS: Block = Block {
    name: "vfs",
    clauses: &[Clause {
        keyword: "bar",
        args: BAR,
        count: Count::Many,
        doc: "A base address register of each virtual function. `at` is where that of the first one is.",
        example: "bar 0 mem64 prefetchable 16K",
        ..CLAUSE
    }],
};

/// The values of a base address register.
const BAR: &[Arg] = &[
    must("INDEX", Shape::Number(0xff)),
    must("KIND", Shape::Word(BARS)),
    flag(&["prefetchable"], "PREFETCHABLE"),
    must("SIZE", Shape::Size),
    option(&["at"], "ADDR", Shape::Address),
];
