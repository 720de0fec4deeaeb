//! What the clauses of a `host` block mean.

use super::{Node, Place, Value};
use crate::addr::{Address, BusAddr, Hpa, Iova, Span};
use crate::facts::Arch;
use crate::facts::host::{
    BarFact, BarKind, DeviceFact, DoorbellFact, DoorbellKind, FirmwareKind, FirmwareRegionFact, GicV2mFact,
    GicV3Fact, GroupFact, HostFacts, InboundFact, IommuFact, IommuModel, ItsFact, KernelFact, ListedKind,
    ListedRegion, MsiMapFact, PeerToPeer, RamFact, RootComplexFact, SriovFact, StreamMapFact, WindowFact,
    WindowKind,
};
use crate::facts::pci::{AcsFact, BridgeBusesFact, ConfigFact, PortType, ResizableBarFact};
use crate::facts::value_of;
use crate::ids::{GroupId, MsiDeviceId, PciAddress, PciClass, PciId, RequesterId, StreamId};
use crate::size::PageSizes;
use crate::version::KernelVersion;

/// The facts of a `host` block.
pub(in super::super) fn host(node: &Node, place: &Place) -> HostFacts {
    let mut facts = HostFacts {
        name: node.name("NAME").unwrap_or_default(),
        origin: place.of(node),
        ..HostFacts::default()
    };
    for clause in node.inner() {
        // What a clause fails to say was reported when it was read.
        let _ = take(clause, place, &mut facts);
    }
    facts
}

fn take(node: &Node, place: &Place, facts: &mut HostFacts) -> Option<()> {
    match node.keyword() {
        "arch" => facts.arch = node.word("ARCH", &Arch::WORDS),
        "kernel" => facts.kernel = kernel(node, place),
        "ipa" => facts.ipa_bits = node.number("N"),
        "ram" => facts.ram.push(RamFact {
            span: node.span("SPAN")?,
            node: node.number("N"),
            origin: place.of(node),
        }),
        "gicv3" => facts.gicv3.push(gicv3(node, place)?),
        "its" => facts.its.push(ItsFact {
            name: node.name("NAME")?,
            frame: node.find("frame")?.span("SPAN")?,
            origin: place.of(node),
        }),
        "gicv2m" => facts.gicv2m.push(gicv2m(node, place)?),
        "doorbell" => facts.doorbells.push(DoorbellFact {
            name: node.name("NAME"),
            kind: node.word("KIND", DoorbellKind::WORDS)?,
            span: node.span("SPAN")?,
            origin: place.of(node),
        }),
        "smmu" => facts.iommus.push(iommu(node, place)?),
        "root-complex" => facts.root_complexes.push(root_complex(node, place)?),
        "group" => facts.groups.push(group(node, place)?),
        "firmware" => facts.firmware.push(firmware(node, place)?),
        _ => {}
    }
    Some(())
}

fn kernel(node: &Node, place: &Place) -> Option<KernelFact> {
    let version: KernelVersion = match node.value("VERSION")? {
        Value::Version(version) => *version,
        _ => return None,
    };
    Some(KernelFact {
        version,
        page_size: node.find("page").and_then(|inner| inner.page("SIZE")),
        va_bits: node.find("va").and_then(|inner| inner.number("N")),
        iommufd: node.find("iommufd").and_then(|inner| inner.yes("YES")),
        unsafe_interrupts: node.find("unsafe-interrupts").and_then(|inner| inner.yes("YES")),
        origin: place.of(node),
    })
}

fn gicv3(node: &Node, place: &Place) -> Option<GicV3Fact> {
    let redistributors = node.each("redistributors");
    Some(GicV3Fact {
        name: node.name("NAME")?,
        distributor: node.find("distributor")?.span("SPAN")?,
        redistributors: redistributors
            .flat_map(|inner| inner.all("SPAN").filter_map(|given| given.value.span()))
            .collect(),
        origin: place.of(node),
    })
}

fn gicv2m(node: &Node, place: &Place) -> Option<GicV2mFact> {
    let spis = node.find("spis").and_then(|inner| inner.range("FIRST"));
    Some(GicV2mFact {
        name: node.name("NAME")?,
        frame: node.find("frame")?.span("SPAN")?,
        first_spi: spis.map(|(first, _)| first),
        last_spi: spis.map(|(_, last)| last),
        origin: place.of(node),
    })
}

fn iommu(node: &Node, place: &Place) -> Option<IommuFact> {
    let pages = |inner: &Node| inner.pages("SIZE").fold(PageSizes::default(), PageSizes::with);
    Some(IommuFact {
        name: node.name("NAME")?,
        model: node.find("model").and_then(|inner| inner.word("MODEL", IommuModel::WORDS)),
        base: node.find("base").and_then(|inner| inner.u64("ADDR")).map(Hpa::at),
        aperture: node.find("aperture").and_then(|inner| inner.span("APERTURE")),
        pages: node.find("pages").map(pages),
        origin: place.of(node),
    })
}

fn root_complex(node: &Node, place: &Place) -> Option<RootComplexFact> {
    let segment = node.find("segment").and_then(|inner| inner.number("N")).unwrap_or(0);
    let buses = node.find("buses").and_then(|inner| inner.range("FIRST"));
    let (first_bus, last_bus) = buses.unwrap_or((0, 0xff));
    let mut facts = RootComplexFact {
        name: node.name("NAME")?,
        segment,
        first_bus,
        last_bus,
        origin: place.of(node),
        ..RootComplexFact::default()
    };
    for clause in node.inner() {
        let _ = take_of_root_complex(clause, place, &mut facts);
    }
    Some(facts)
}

fn take_of_root_complex(node: &Node, place: &Place, facts: &mut RootComplexFact) -> Option<()> {
    match node.keyword() {
        "node" => facts.node = node.number("N"),
        "smmu" => streams(node, place, &mut facts.streams)?,
        "msi" => msis(node, place, &mut facts.msi)?,
        "window" => {
            let (cpu, bus) = window(node)?;
            facts.windows.push(WindowFact {
                kind: node.word("KIND", WindowKind::WORDS)?,
                cpu,
                bus,
                prefetchable: node.has("PREFETCHABLE"),
                p2p: node.word("P2P", PeerToPeer::WORDS),
                origin: place.of(node),
            });
        }
        "inbound" => {
            let (cpu, bus) = window(node)?;
            facts.inbound.push(InboundFact { cpu, bus, origin: place.of(node) });
        }
        "device" => facts.devices.push(device(node, place, facts.segment)?),
        _ => {}
    }
    Some(())
}

fn window(node: &Node) -> Option<(Span<Hpa>, BusAddr)> {
    match *node.value("SPAN")? {
        Value::Window(first, last, bus) => Some((Span::of(first, last)?, BusAddr::at(bus))),
        _ => None,
    }
}

/// All requesters there can be.
const ALL: (RequesterId, RequesterId) = (RequesterId(0), RequesterId(0xffff));

fn requesters(node: &Node) -> Option<(RequesterId, RequesterId)> {
    node.range("FIRST").map(|(first, last)| (RequesterId(first), RequesterId(last)))
}

fn streams(node: &Node, place: &Place, facts: &mut Vec<StreamMapFact>) -> Option<()> {
    let iommu = node.name("NAME")?;
    let fact = |(first, last), stream, shared, origin| StreamMapFact {
        iommu: iommu.clone(),
        first,
        last,
        stream,
        shared,
        origin,
    };
    if node.inner().is_empty() {
        facts.push(fact(ALL, None, false, place.of(node)));
    }
    for rid in node.inner() {
        let stream = rid.number("N").map(StreamId);
        facts.push(fact(requesters(rid)?, stream, rid.has("SHARED"), place.of(rid)));
    }
    Some(())
}

fn msis(node: &Node, place: &Place, facts: &mut Vec<MsiMapFact>) -> Option<()> {
    let controller = node.name("NAME")?;
    let fact = |(first, last), device_id, origin| MsiMapFact {
        controller: controller.clone(),
        first,
        last,
        device_id,
        origin,
    };
    if node.inner().is_empty() {
        facts.push(fact(ALL, None, place.of(node)));
    }
    for rid in node.inner() {
        facts.push(fact(requesters(rid)?, rid.number("N").map(MsiDeviceId), place.of(rid)));
    }
    Some(())
}

fn device(node: &Node, place: &Place, segment: u16) -> Option<DeviceFact> {
    let mut facts = DeviceFact {
        address: node.value("BDF")?.pci(segment)?,
        id: None,
        class: None,
        node: None,
        bars: Vec::new(),
        msix: None,
        msi: None,
        sriov: None,
        config: ConfigFact::default(),
        origin: place.of(node),
    };
    for clause in node.inner() {
        let _ = take_of_device(clause, place, &mut facts);
    }
    Some(facts)
}

fn take_of_device(node: &Node, place: &Place, facts: &mut DeviceFact) -> Option<()> {
    match node.keyword() {
        "id" => facts.id = pci_id(node),
        "class" => facts.class = pci_class(node),
        "node" => facts.node = node.number("N"),
        "bar" => facts.bars.push(bar(node, place)?),
        "msix" => facts.msix = node.number("N"),
        "msi" => facts.msi = node.number("N"),
        "sriov" => {
            let enabled = node.number("ENABLED").unwrap_or(0);
            facts.sriov = Some(SriovFact { total: node.number("TOTAL")?, enabled });
        }
        _ => config(node, place, facts)?,
    }
    Some(())
}

fn bar(node: &Node, place: &Place) -> Option<BarFact> {
    Some(BarFact {
        index: node.number("INDEX")?,
        kind: node.word("KIND", BarKind::WORDS)?,
        prefetchable: node.has("PREFETCHABLE"),
        size: node.size("SIZE")?,
        at: node.u64("ADDR").map(Hpa::at),
        origin: place.of(node),
    })
}

/// What configuration space says.
fn config(node: &Node, place: &Place, facts: &mut DeviceFact) -> Option<()> {
    let segment = facts.address.segment();
    let config = &mut facts.config;
    match node.keyword() {
        "type" => config.port_type = node.word("TYPE", PortType::WORDS),
        "buses" => {
            let (secondary, subordinate) = node.range("SECONDARY")?;
            config.buses = Some(BridgeBusesFact { secondary, subordinate });
        }
        "multifunction" => config.multifunction = true,
        "acs" => {
            config.acs = Some(AcsFact { capability: node.number("CAP")?, control: node.number("CONTROL") });
        }
        "vf-of" => config.physical_function = node.value("BDF")?.pci(segment),
        "vfs" => {
            let vfs = config.virtual_functions.get_or_insert_default();
            (vfs.offset, vfs.stride) = (node.number("OFFSET")?, node.number("STRIDE")?);
            vfs.device_id = node.number("ID");
            vfs.bars = node.each("bar").filter_map(|inner| bar(inner, place)).collect();
        }
        "ats" => config.ats = true,
        "pri" => config.pri = true,
        "pasid" => config.pasid_bits = node.number("N"),
        "resizable" => config.resizable.push(ResizableBarFact {
            index: node.number("INDEX")?,
            sizes: node.pages("SIZE").fold(PageSizes::from_bitmap(0), PageSizes::with),
        }),
        _ => {}
    }
    Some(())
}

fn pci_id(node: &Node) -> Option<PciId> {
    match node.value("ID")? {
        Value::PciId(id) => Some(*id),
        _ => None,
    }
}

fn pci_class(node: &Node) -> Option<PciClass> {
    match node.value("CLASS")? {
        Value::PciClass(class) => Some(*class),
        _ => None,
    }
}

fn devices(node: &Node) -> impl Iterator<Item = PciAddress> {
    let clauses = node.each("devices");
    clauses.flat_map(|inner| inner.all("BDF").filter_map(|given| given.value.pci(0)))
}

fn group(node: &Node, place: &Place) -> Option<GroupFact> {
    let others = node.each("other");
    Some(GroupFact {
        id: GroupId(node.number("N")?),
        devices: devices(node).collect(),
        others: others.filter_map(|inner| inner.name("NAME")).collect(),
        domain: node.find("domain").and_then(|inner| inner.name("TYPE")),
        listed: listed(node, place),
        origin: place.of(node),
    })
}

/// The listed regions; an empty list where the only thing listed is `none`.
fn listed(node: &Node, place: &Place) -> Option<Vec<ListedRegion>> {
    node.find("listed")?;
    let clauses = node.each("listed");
    let regions = clauses.flat_map(|inner| inner.all("REGION")).filter_map(|given| match given.value {
        Value::Listed(Some((kind, start, end))) => Some(ListedRegion {
            start: Iova::new(start),
            end: Iova::new(end),
            kind: value_of(ListedKind::WORDS, kind)?,
            origin: place.at(&given.at),
        }),
        _ => None,
    });
    Some(regions.collect())
}

fn firmware(node: &Node, place: &Place) -> Option<FirmwareRegionFact> {
    Some(FirmwareRegionFact {
        name: node.name("NAME")?,
        kind: node.word("KIND", FirmwareKind::WORDS)?,
        span: node.span("SPAN")?,
        devices: devices(node).collect(),
        origin: place.of(node),
    })
}
