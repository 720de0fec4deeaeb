//! What a `guest` block may hold.

use super::{
    ARCHES, Block, Body, CLAUSE, Clause, Count, Shape, U32, YES_NO, many, may, must, option, words_of,
};
use crate::facts::custom::{BarMapping, CustomRegionKind, CustomWindowKind};
use crate::facts::guest::{HazardPolicy, LayoutPolicy, Viommu, VmmKind};

const VMMS: &[&str] = &words_of::<_, { VmmKind::WORDS.len() }>(VmmKind::WORDS);
const REGIONS: &[&str] = &words_of::<_, { CustomRegionKind::WORDS.len() }>(CustomRegionKind::WORDS);
const WINDOWS: &[&str] = &words_of::<_, { CustomWindowKind::WORDS.len() }>(CustomWindowKind::WORDS);
const MAPPINGS: &[&str] = &words_of::<_, { BarMapping::WORDS.len() }>(BarMapping::WORDS);
const VIOMMUS: &[&str] = &words_of::<_, { Viommu::WORDS.len() }>(Viommu::WORDS);
const HAZARDS: &[&str] = &words_of::<_, { HazardPolicy::WORDS.len() }>(HazardPolicy::WORDS);
const POLICIES: &[&str] = &words_of::<_, { LayoutPolicy::WORDS.len() }>(LayoutPolicy::WORDS);

pub(super) static GUEST: Block = Block {
    name: "guest",
    clauses: &[
        Clause {
            keyword: "arch",
            args: &[must("ARCH", Shape::Word(ARCHES))],
            doc: "Instruction set of the guest.",
            absent: "that of the host",
            example: "arch aarch64",
            ..CLAUSE
        },
        Clause {
            keyword: "vmm",
            args: &[must("VMM", Shape::Word(VMMS)), may("VERSION", Shape::Version)],
            body: Body::May(&VMM),
            doc: "The virtual machine monitor that shall run it, and its version.",
            absent: "`qemu`, in the newest version that the planner knows",
            example: "vmm qemu 11.1 { machine \"virt,gic-version=3\"  cpu host }",
            ..CLAUSE
        },
        Clause {
            keyword: "memory",
            args: &[must("SIZE", Shape::Size)],
            body: Body::May(&MEMORY),
            doc: "How much memory it has at boot.",
            absent: "it must be said elsewhere, as with `--memory`",
            example: "memory 16G { pages 2M }",
            ..CLAUSE
        },
        Clause {
            keyword: "numa",
            args: &[must("N", Shape::Number(U32))],
            body: Body::Must(&NUMA),
            count: Count::Many,
            doc: "A NUMA node of the guest.",
            absent: "a guest without NUMA",
            example: "numa 0 { memory 8G  cpus 0..=3 }",
            ..CLAUSE
        },
        Clause {
            keyword: "vcpus",
            args: &[must("N", Shape::Number(U32))],
            doc: "Number of virtual CPUs.",
            absent: "`1`",
            example: "vcpus 8",
            ..CLAUSE
        },
        Clause {
            keyword: "pass",
            args: &[many("BDF", Shape::Pci)],
            count: Count::Many,
            doc: "Devices of the host to pass through. Without a segment, segment 0.",
            absent: "none",
            example: "pass 0000:01:00.0 0000:01:00.1",
            ..CLAUSE
        },
        Clause {
            keyword: "viommu",
            args: &[must("KIND", Shape::Word(VIOMMUS))],
            doc: "The IOMMU that the guest itself sees.",
            absent: "`none`",
            example: "viommu virtio",
            ..CLAUSE
        },
        Clause {
            keyword: "iommufd",
            args: &[must("YES", Shape::Word(YES_NO))],
            doc: "Whether the VMM shall use iommufd rather than VFIO type1 containers.",
            absent: "`no`",
            example: "iommufd yes",
            ..CLAUSE
        },
        Clause {
            keyword: "hazards",
            args: &[must("POLICY", Shape::Word(HAZARDS))],
            doc: "What is done about addresses that the kernel does not refuse but that the hardware may misroute. \
                  `strict`: RAM keeps out, BARs are warned about. `relaxed`: RAM is warned about too. `ignore`: \
                  nobody looks.",
            absent: "`strict`",
            example: "hazards relaxed",
            ..CLAUSE
        },
        Clause {
            keyword: "policy",
            args: &[must("POLICY", Shape::Word(POLICIES))],
            doc: "`host-fit`: a layout for this host and these devices. `portable`: one that keeps clear of what any \
                  group of the host reserves, so that another device can be passed through later.",
            absent: "`host-fit`",
            example: "policy portable",
            ..CLAUSE
        },
        Clause {
            keyword: "ipa",
            args: &[must("N", Shape::Bits(32, 64))],
            doc: "How many guest-physical address bits the guest may use.",
            absent: "what the host offers",
            example: "ipa 40 bits",
            ..CLAUSE
        },
        Clause {
            keyword: "avoid",
            args: &[must("SPAN", Shape::Span)],
            count: Count::Many,
            doc: "Guest-physical addresses to keep clear of RAM, for a reason of your own.",
            example: "avoid 0x1_0000_0000 + 4G",
            ..CLAUSE
        },
        Clause {
            keyword: "libvirt",
            args: &[must("VERSION", Shape::Version)],
            doc: "The version of libvirt that runs the VMM, for domains that are written from the plan.",
            absent: "the newest that the planner knows",
            example: "libvirt 11.3",
            ..CLAUSE
        },
    ],
};

static VMM: Block = Block {
    name: "vmm",
    clauses: &[
        Clause {
            keyword: "machine",
            args: &[must("MACHINE", Shape::Name)],
            doc: "Machine type and options in the VMM's own words: of QEMU what `-machine` takes, of crosvm what `--pci` \
                  takes, of Cloud Hypervisor what `--platform`, `--pci-segment` and `--numa` say of PCI segments \
                  (`num_pci_segments=2,pci_segment=1,mmio64_aperture_weight=4`).",
            absent: "the VMM's default",
            example: "machine \"virt,gic-version=3\"",
            ..CLAUSE
        },
        Clause {
            keyword: "cpu",
            args: &[must("MODEL", Shape::Name)],
            doc: "CPU model in the VMM's own words.",
            absent: "`host`",
            example: "cpu host",
            ..CLAUSE
        },
        Clause {
            keyword: "ram",
            args: &[must("SPAN", Shape::Span)],
            count: Count::Many,
            doc: "Of a `custom` VMM, as all that follows: memory at boot fills these spans in order.",
            absent: "it can be moved",
            example: "ram 0x4000_0000 + 3G",
            ..CLAUSE
        },
        Clause {
            keyword: "movable",
            args: &[must("SPAN", Shape::Span)],
            doc: "Memory at boot is one piece anywhere in here.",
            absent: "anywhere, where there is no `ram`",
            example: "movable 0x8000_0000 + 1T",
            ..CLAUSE
        },
        Clause {
            keyword: "align",
            args: &[must("SIZE", Shape::Size)],
            doc: "Start and size of pieces at chosen addresses are multiples of this power of two.",
            absent: "the size of the pages behind the memory",
            example: "align 2M",
            ..CLAUSE
        },
        Clause {
            keyword: "pieces",
            args: &[must("N", Shape::Number(64))],
            doc: "In how many pieces the VMM takes memory: memory at boot, and the others above it at addresses of the \
                  planner's choice.",
            absent: "`1`; 64 without `ram` and `movable`",
            example: "pieces 4",
            ..CLAUSE
        },
        Clause {
            keyword: "region",
            args: &[must("NAME", Shape::Name), must("SPAN", Shape::Span), must("KIND", Shape::Word(REGIONS))],
            count: Count::Many,
            doc: "What else lies in the guest's address space.",
            example: "region uart 0x900_0000 + 4K platform",
            ..CLAUSE
        },
        Clause {
            keyword: "window",
            args: &[
                must("NAME", Shape::Name),
                must("KIND", Shape::Word(WINDOWS)),
                must("SPAN", Shape::Span),
                option(&["size"], "SIZE", Shape::Size),
                option(&["most"], "MOST", Shape::Size),
            ],
            count: Count::Many,
            doc: "A window for BARs. With a size it can be moved within the span; with a larger `most` it can be given the \
                  doubles of that size, too.",
            absent: "BARs are left out of account",
            example: "window high mmio64 0x80_0000_0000 + 512G size 64G most 256G",
            ..CLAUSE
        },
        Clause {
            keyword: "ipa",
            args: &[must("N", Shape::Bits(32, 64))],
            doc: "The most guest-physical address bits that the VMM handles.",
            absent: "those of the host",
            example: "ipa 44 bits",
            ..CLAUSE
        },
        Clause {
            keyword: "bars",
            args: &[must("MAPPING", Shape::Word(MAPPINGS))],
            doc: "Whether the VMM maps BARs of passed devices into the IOMMU, and what it does when it cannot: it goes on \
                  with a warning, or it dies.",
            absent: "`none`",
            example: "bars warns",
            ..CLAUSE
        },
    ],
};

static MEMORY: Block = Block {
    name: "memory",
    clauses: &[
        Clause {
            keyword: "pages",
            args: &[must("SIZE", Shape::PageSize)],
            doc: "Size of the host pages behind it. RAM is placed on multiples of it.",
            absent: "the host's page size",
            example: "pages 2M",
            ..CLAUSE
        },
        Clause {
            keyword: "hotplug",
            args: &[must("SIZE", Shape::Size)],
            doc: "How much more may be plugged in later; room is kept for it.",
            absent: "none",
            example: "hotplug 32G",
            ..CLAUSE
        },
        Clause {
            keyword: "slots",
            args: &[must("N", Shape::Number(U32))],
            doc: "Into how many slots that may be plugged.",
            absent: "none",
            example: "slots 4",
            ..CLAUSE
        },
    ],
};

static NUMA: Block = Block {
    name: "numa",
    clauses: &[
        Clause {
            keyword: "memory",
            args: &[must("SIZE", Shape::Size)],
            count: Count::Required,
            doc: "Its share of the memory.",
            example: "memory 8G",
            ..CLAUSE
        },
        Clause {
            keyword: "cpus",
            args: &[must("FIRST", Shape::Range(U32))],
            doc: "Its virtual CPUs.",
            absent: "left to the VMM",
            example: "cpus 0..=3",
            ..CLAUSE
        },
        Clause {
            keyword: "host-node",
            args: &[must("N", Shape::Number(U32))],
            doc: "The host's NUMA node that its memory comes from.",
            absent: "any",
            example: "host-node 0",
            ..CLAUSE
        },
    ],
};
