//! What a `host` block may hold.

use super::{
    ARCHES, Block, Body, CLAUSE, Clause, Count, Shape, U16, U32, YES_NO, after, many, may, must, option,
    words_of,
};
use crate::facts::host::{DoorbellKind, FirmwareKind, IommuModel, ListedKind};

const MODELS: &[&str] = &words_of::<_, { IommuModel::WORDS.len() }>(IommuModel::WORDS);
const DOORBELLS: &[&str] = &words_of::<_, { DoorbellKind::WORDS.len() }>(DoorbellKind::WORDS);
const FIRMWARE: &[&str] = &words_of::<_, { FirmwareKind::WORDS.len() }>(FirmwareKind::WORDS);
pub(in super::super) const LISTED: &[&str] = &words_of::<_, { ListedKind::WORDS.len() }>(ListedKind::WORDS);

pub(super) static HOST: Block = Block {
    name: "host",
    clauses: &[
        Clause {
            keyword: "arch",
            args: &[must("ARCH", Shape::Word(ARCHES))],
            doc: "Instruction set of the host.",
            absent: "guessed from the IOMMUs and interrupt controllers",
            example: "arch aarch64",
            ..CLAUSE
        },
        Clause {
            keyword: "kernel",
            args: &[after(&["linux"], "VERSION", Shape::Version)],
            body: Body::May(&KERNEL),
            doc: "The kernel that runs, or shall run, on the host (`uname -r`).",
            absent: "the newest kernel that the planner knows, with a warning",
            example: "kernel linux 6.12 { page 4K  va 48 bits }",
            ..CLAUSE
        },
        Clause {
            keyword: "ipa",
            args: &[must("N", Shape::Bits(32, 64))],
            doc: "How many guest-physical address bits KVM can give a guest there (`KVM_CAP_ARM_VM_IPA_SIZE`; on x86 \
                  the physical address bits of `/proc/cpuinfo`).",
            absent: "not known: layouts are not bounded by it",
            example: "ipa 44 bits",
            ..CLAUSE
        },
        Clause {
            keyword: "ram",
            args: &[must("SPAN", Shape::Span), option(&["node"], "N", Shape::Number(U32))],
            count: Count::Many,
            doc: "A bank of system RAM (`System RAM` in `/proc/iomem`), and the NUMA node it belongs to.",
            example: "ram 0x80_0000_0000 + 16G node 0",
            ..CLAUSE
        },
        Clause {
            keyword: "gicv3",
            args: &[must("NAME", Shape::Name)],
            body: Body::Must(&GICV3),
            count: Count::Many,
            doc: "A GICv3 distributor with its redistributors.",
            example: "gicv3 gic { distributor 0x800_0000 + 64K  redistributors 0x80a_0000 + 16M }",
            ..CLAUSE
        },
        Clause {
            keyword: "its",
            args: &[must("NAME", Shape::Name)],
            body: Body::Must(&ITS),
            count: Count::Many,
            doc: "A GICv3 interrupt translation service. Devices write their MSIs to `GITS_TRANSLATER`, 0x1_0040 \
                  above the start of its frame.",
            example: "its its0 { frame 0x808_0000 + 128K }",
            ..CLAUSE
        },
        Clause {
            keyword: "gicv2m",
            args: &[must("NAME", Shape::Name)],
            body: Body::Must(&GICV2M),
            count: Count::Many,
            doc: "A GICv2m frame. Devices write their MSIs to `MSI_SETSPI_NS`, 0x40 above the start of its frame.",
            example: "gicv2m v2m0 { frame 0xe118_0000 + 4K  spis 64..=319 }",
            ..CLAUSE
        },
        Clause {
            keyword: "doorbell",
            args: &[
                must("KIND", Shape::Word(DOORBELLS)),
                may("NAME", Shape::Name),
                must("SPAN", Shape::Span),
            ],
            count: Count::Many,
            doc: "Another place where devices write their MSIs. `fixed`: hardware pins it and Linux reports it as \
                  reserved (the local APICs of x86). `unmapped`: a controller whose driver does not remap it; behind \
                  a translating IOMMU its MSIs fault. `remapped`: a controller that Linux remaps as it does a GICv2m \
                  frame; devices write to the first address.",
            example: "doorbell fixed 0xfee0_0000 + 1M",
            ..CLAUSE
        },
        Clause {
            keyword: "smmu",
            synonym: Some("iommu"),
            args: &[must("NAME", Shape::Name)],
            body: Body::May(&SMMU),
            count: Count::Many,
            doc: "An IOMMU of any kind.",
            example: "smmu pcie-smmu { model mmu-401  aperture 40 bits  pages 4K 2M 1G }",
            ..CLAUSE
        },
        Clause {
            keyword: "root-complex",
            args: &[must("NAME", Shape::Name)],
            body: Body::May(&super::root_complex::ROOT_COMPLEX),
            count: Count::Many,
            doc: "A PCI root complex, or host bridge, with its windows and the devices below it.",
            example: "root-complex pcie0 { segment 0  buses 0x00..=0x7f }",
            ..CLAUSE
        },
        Clause {
            keyword: "group",
            args: &[must("N", Shape::Number(U32))],
            body: Body::May(&GROUP),
            count: Count::Many,
            doc: "An IOMMU group as the kernel formed it (`/sys/kernel/iommu_groups/N`).",
            absent: "formed as Linux would form them, from what is said of bridges, ACS and stream IDs",
            example: "group 5 { devices 0000:01:00.0 0000:01:00.1  domain DMA-FQ }",
            ..CLAUSE
        },
        Clause {
            keyword: "firmware",
            args: &[
                must("NAME", Shape::Name),
                must("SPAN", Shape::Span),
                must("KIND", Shape::Word(FIRMWARE)),
            ],
            body: Body::May(&FIRMWARE_REGION),
            count: Count::Many,
            doc: "IOVAs that firmware claims for devices (IORT RMR, DMAR RMRR, IVRS IVMD, devicetree \
                  `iommu-addresses`). `direct`: mapped one to one, always. `direct-relaxable`: until a driver takes \
                  over. `reserved`: not mapped at all.",
            example: "firmware framebuffer 0x8000_0000 + 16M direct { devices 0000:01:00.0 }",
            ..CLAUSE
        },
    ],
};

static KERNEL: Block = Block {
    name: "kernel",
    clauses: &[
        Clause {
            keyword: "page",
            args: &[must("SIZE", Shape::PageSize)],
            doc: "Page size of the kernel (`getconf PAGE_SIZE`).",
            absent: "`4K`",
            example: "page 64K",
            ..CLAUSE
        },
        Clause {
            keyword: "va",
            args: &[must("N", Shape::Bits(32, 64))],
            doc: "Virtual address bits of the kernel (`CONFIG_ARM64_VA_BITS`). An SMMUv3 offers no wider aperture.",
            absent: "`48 bits`",
            example: "va 48 bits",
            ..CLAUSE
        },
        Clause {
            keyword: "iommufd",
            args: &[must("YES", Shape::Word(YES_NO))],
            doc: "Whether `/dev/iommu` exists (`CONFIG_IOMMUFD`).",
            absent: "not known",
            example: "iommufd yes",
            ..CLAUSE
        },
        Clause {
            keyword: "unsafe-interrupts",
            args: &[must("YES", Shape::Word(YES_NO))],
            doc: "Whether `allow_unsafe_interrupts` is set for `vfio_iommu_type1` or `iommufd`.",
            absent: "not known",
            example: "unsafe-interrupts yes",
            ..CLAUSE
        },
    ],
};

static GICV3: Block = Block {
    name: "gicv3",
    clauses: &[
        Clause {
            keyword: "distributor",
            args: &[must("SPAN", Shape::Span)],
            count: Count::Required,
            doc: "Registers of the distributor.",
            example: "distributor 0x800_0000 + 64K",
            ..CLAUSE
        },
        Clause {
            keyword: "redistributors",
            args: &[many("SPAN", Shape::Span)],
            count: Count::Many,
            doc: "Registers of the redistributors, one span for each region.",
            example: "redistributors 0x80a_0000 + 16M",
            ..CLAUSE
        },
    ],
};

static ITS: Block = Block {
    name: "its",
    clauses: &[Clause {
        keyword: "frame",
        args: &[must("SPAN", Shape::Span)],
        count: Count::Required,
        doc: "Its control and translation frames, 128 KiB.",
        example: "frame 0x808_0000 + 128K",
        ..CLAUSE
    }],
};

static GICV2M: Block = Block {
    name: "gicv2m",
    clauses: &[
        Clause {
            keyword: "frame",
            args: &[must("SPAN", Shape::Span)],
            count: Count::Required,
            doc: "Its registers, 4 KiB.",
            example: "frame 0xe118_0000 + 4K",
            ..CLAUSE
        },
        Clause {
            keyword: "spis",
            args: &[must("FIRST", Shape::Range(U32))],
            doc: "The shared peripheral interrupts that it can raise.",
            absent: "not known",
            example: "spis 64..=319",
            ..CLAUSE
        },
    ],
};

static SMMU: Block = Block {
    name: "smmu",
    clauses: &[
        Clause {
            keyword: "model",
            args: &[must("MODEL", Shape::Word(MODELS))],
            doc: "Its kind, as far as Linux treats kinds differently.",
            absent: "the usual kind of the architecture: `smmuv3`, `intel-vtd`, `riscv-iommu`",
            example: "model mmu-401",
            ..CLAUSE
        },
        Clause {
            keyword: "base",
            args: &[must("ADDR", Shape::Address)],
            doc: "Start of its registers.",
            absent: "not known",
            example: "base 0xe0a0_0000",
            ..CLAUSE
        },
        Clause {
            keyword: "aperture",
            args: &[must("APERTURE", Shape::Aperture)],
            doc: "The IOVAs that its page tables can translate.",
            absent: "predicted from the model and the kernel",
            example: "aperture 40 bits",
            ..CLAUSE
        },
        Clause {
            keyword: "pages",
            args: &[many("SIZE", Shape::PageSize)],
            doc: "The page sizes that it can map (`pgsize_bitmap` in the kernel's log).",
            absent: "predicted from the model and the kernel",
            example: "pages 4K 2M 1G",
            ..CLAUSE
        },
    ],
};

static GROUP: Block = Block {
    name: "group",
    clauses: &[
        Clause {
            keyword: "devices",
            args: &[many("BDF", Shape::Pci)],
            count: Count::Many,
            doc: "PCI functions in it. Without a segment, segment 0.",
            example: "devices 0000:01:00.0 0000:01:00.1",
            ..CLAUSE
        },
        Clause {
            keyword: "other",
            args: &[must("NAME", Shape::Name)],
            count: Count::Many,
            doc: "A device in it that is no PCI function, by its name in sysfs.",
            example: "other \"fc000000.usb\"",
            ..CLAUSE
        },
        Clause {
            keyword: "domain",
            args: &[must("TYPE", Shape::Name)],
            doc: "Type of its default domain as its file `type` says: `DMA`, `DMA-FQ`, `identity`, `blocked`.",
            absent: "not known",
            example: "domain DMA-FQ",
            ..CLAUSE
        },
        Clause {
            keyword: "listed",
            args: &[many("REGION", Shape::Listed)],
            count: Count::Many,
            doc: "What its file `reserved_regions` lists, in that order. `listed none`: the file is empty. Where it \
                  is said, it wins over what the planner predicts.",
            absent: "nobody looked: the planner predicts",
            example: "listed msi 0x800_0000..=0x80f_ffff",
            ..CLAUSE
        },
    ],
};

static FIRMWARE_REGION: Block = Block {
    name: "firmware",
    clauses: &[
        Clause {
            keyword: "devices",
            args: &[many("BDF", Shape::Pci)],
            count: Count::Many,
            doc: "The PCI functions that it is for. Without a segment, segment 0.",
            example: "devices 0000:01:00.0",
            ..CLAUSE
        },
        Clause {
            keyword: "rid",
            args: &[must("FIRST", Shape::Range(U16)), option(&["segment"], "N", Shape::Number(U16))],
            count: Count::Many,
            doc: "Requester IDs that it is for, of this segment or of segment 0, whatever devices have them.",
            example: "rid 0x100..=0x1ff segment 1",
            ..CLAUSE
        },
    ],
};
