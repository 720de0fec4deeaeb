//! Facts about a host to text.

use super::super::layout::{Entry, Line, text};
use super::super::token::{quoted, spelled};
use super::{bdfs, pages, range, round, span, window, yes};
use crate::addr::{Address, Iova, Span, grouped_hex};
use crate::facts::HostFacts;
use crate::facts::host::{
    BarFact, DeviceFact, DoorbellFact, FirmwareRegionFact, GicV2mFact, GicV3Fact, GroupFact, InboundFact,
    IommuFact, IommuModel, ItsFact, KernelFact, ListedRegion, MsiMapFact, RamFact, RootComplexFact,
    StreamMapFact, WindowFact,
};
use crate::facts::pci::{ConfigFact, VirtualFunctionsFact};
use crate::ids::{PciAddress, RequesterId};

/// The description of a host, in canonical form. Reading it gives the same facts.
#[must_use]
pub fn print_host(facts: &HostFacts) -> String {
    let mut lines = Vec::new();
    lines.extend(facts.arch.map(|arch| Line::new(format!("arch {arch}"))));
    lines.extend(facts.kernel.as_ref().map(kernel));
    lines.extend(facts.ipa_bits.map(|bits| Line::new(format!("ipa {bits} bits"))));
    lines.extend(facts.ram.iter().map(ram));
    lines.extend(facts.gicv3.iter().map(gicv3));
    lines.extend(facts.its.iter().map(its));
    lines.extend(facts.gicv2m.iter().map(gicv2m));
    lines.extend(facts.doorbells.iter().map(doorbell));
    lines.extend(facts.iommus.iter().map(iommu));
    lines.extend(facts.root_complexes.iter().map(root_complex));
    lines.extend(facts.groups.iter().map(group));
    lines.extend(facts.firmware.iter().map(firmware));
    let host = Line::new(format!("host {}", quoted(&facts.name)));
    text(&[Entry::Clause(host.tall(lines))])
}

fn kernel(fact: &KernelFact) -> Line {
    let mut inner = Vec::new();
    inner.extend(fact.page_size.map(|page| Line::new(format!("page {page}"))));
    inner.extend(fact.va_bits.map(|bits| Line::new(format!("va {bits} bits"))));
    inner.extend(fact.iommufd.map(|is| Line::new(format!("iommufd {}", yes(is)))));
    inner.extend(fact.unsafe_interrupts.map(|is| Line::new(format!("unsafe-interrupts {}", yes(is)))));
    Line::new(format!("kernel linux {}", fact.version)).inline(inner)
}

fn ram(fact: &RamFact) -> Line {
    let node = fact.node.map(|node| format!(" node {node}")).unwrap_or_default();
    Line::new(format!("ram {}{node}", span(fact.span)))
}

fn gicv3(fact: &GicV3Fact) -> Line {
    let mut inner = vec![Line::new(format!("distributor {}", span(fact.distributor)))];
    inner.extend(fact.redistributors.iter().map(|&at| Line::new(format!("redistributors {}", span(at)))));
    Line::new(format!("gicv3 {}", spelled(&fact.name))).inline(inner)
}

fn its(fact: &ItsFact) -> Line {
    let inner = vec![Line::new(format!("frame {}", span(fact.frame)))];
    Line::new(format!("its {}", spelled(&fact.name))).inline(inner)
}

fn gicv2m(fact: &GicV2mFact) -> Line {
    let mut inner = vec![Line::new(format!("frame {}", span(fact.frame)))];
    let spis = fact.first_spi.zip(fact.last_spi);
    inner.extend(
        spis.map(|(first, last)| Line::new(format!("spis {}", range(first, last, |spi| spi.to_string())))),
    );
    Line::new(format!("gicv2m {}", spelled(&fact.name))).inline(inner)
}

fn doorbell(fact: &DoorbellFact) -> Line {
    let name = fact.name.as_ref().map(|name| format!(" {}", spelled(name))).unwrap_or_default();
    Line::new(format!("doorbell {}{name} {}", fact.kind, span(fact.span)))
}

fn iommu(fact: &IommuFact) -> Line {
    let mut inner = Vec::new();
    inner.extend(fact.model.map(|model| Line::new(format!("model {model}"))));
    inner.extend(fact.base.map(|base| Line::new(format!("base {base}"))));
    inner.extend(fact.aperture.map(|at| Line::new(format!("aperture {}", aperture(at)))));
    inner.extend(fact.pages.map(|sizes| Line::new(pages(sizes.iter()))));
    let keyword = if fact.model.is_none_or(IommuModel::is_smmu) { "smmu" } else { "iommu" };
    Line::new(format!("{keyword} {}", spelled(&fact.name))).inline(inner)
}

/// `40 bits` where the aperture is that, else the span.
fn aperture(at: Span<Iova>) -> String {
    let bits = 64_u32.saturating_sub(at.last().get().leading_zeros());
    let whole = at.first().get() == 0 && at.last().get().count_ones() == bits && bits >= 12;
    if whole { format!("{bits} bits") } else { span(at) }
}

fn root_complex(fact: &RootComplexFact) -> Line {
    let mut inner = Vec::new();
    if fact.segment != 0 {
        inner.push(Line::new(format!("segment {}", fact.segment)));
    }
    if (fact.first_bus, fact.last_bus) != (0, 0xff) {
        let buses = range(fact.first_bus, fact.last_bus, |bus| format!("{bus:#04x}"));
        inner.push(Line::new(format!("buses {buses}")).joining());
    }
    inner.extend(fact.node.map(|node| Line::new(format!("node {node}")).joining()));
    inner.extend(fact.streams.chunk_by(grouped).map(streams));
    inner.extend(fact.msi.chunk_by(|a, b| a.controller == b.controller && !all(b) && !all(a)).map(msis));
    inner.extend(fact.windows.iter().map(window_line));
    inner.extend(fact.inbound.iter().map(inbound));
    inner.extend(fact.devices.iter().map(|device| device_line(device, fact.segment)));
    Line::new(format!("root-complex {}", spelled(&fact.name))).tall(inner)
}

const LAST: RequesterId = RequesterId(0xffff);

/// Whether two mappings stand in one block: same IOMMU, and neither is said by the name alone.
fn grouped(a: &StreamMapFact, b: &StreamMapFact) -> bool {
    a.iommu == b.iommu && !plain(a) && !plain(b)
}

/// All requesters, nothing known of their stream IDs: said by the name alone.
fn plain(fact: &StreamMapFact) -> bool {
    fact.first == RequesterId(0) && fact.last == LAST && fact.stream.is_none() && !fact.shared
}

fn all(fact: &MsiMapFact) -> bool {
    fact.first == RequesterId(0) && fact.last == LAST && fact.device_id.is_none()
}

fn streams(facts: &[StreamMapFact]) -> Line {
    let rid = |fact: &StreamMapFact| {
        let stream = fact
            .stream
            .map(|stream| format!(" -> stream {}", grouped_hex(stream.0.into())))
            .unwrap_or_default();
        let shared = if fact.shared { " shared" } else { "" };
        Line::new(format!("rid {}{stream}{shared}", rids(fact.first, fact.last)))
    };
    let name = facts.first().map(|fact| spelled(&fact.iommu)).unwrap_or_default();
    let inner = facts.iter().filter(|fact| !plain(fact)).map(rid).collect();
    Line::new(format!("smmu {name}")).inline(inner)
}

fn msis(facts: &[MsiMapFact]) -> Line {
    let rid = |fact: &MsiMapFact| {
        let id = fact
            .device_id
            .map(|id| format!(" -> device-id {}", grouped_hex(id.0.into())))
            .unwrap_or_default();
        Line::new(format!("rid {}{id}", rids(fact.first, fact.last)))
    };
    let name = facts.first().map(|fact| spelled(&fact.controller)).unwrap_or_default();
    let inner = facts.iter().filter(|fact| !all(fact)).map(rid).collect();
    Line::new(format!("msi {name}")).inline(inner)
}

fn rids(first: RequesterId, last: RequesterId) -> String {
    range(first, last, |rid| rid.to_string())
}

fn window_line(fact: &WindowFact) -> Line {
    let prefetchable = if fact.prefetchable { " prefetchable" } else { "" };
    let p2p = fact.p2p.map(|p2p| format!(" {p2p}")).unwrap_or_default();
    Line::new(format!("window {} {}{prefetchable}{p2p}", fact.kind, window(fact.cpu, fact.bus)))
}

fn inbound(fact: &InboundFact) -> Line {
    Line::new(format!("inbound {}", window(fact.cpu, fact.bus)))
}

fn device_line(fact: &DeviceFact, segment: u16) -> Line {
    let address = within(fact.address, segment);
    let mut inner = Vec::new();
    inner.extend(fact.id.map(|id| Line::new(format!("id {id}"))));
    inner.extend(fact.class.map(|class| Line::new(format!("class {class}"))));
    inner.extend(fact.node.map(|node| Line::new(format!("node {node}"))));
    inner.extend(fact.bars.iter().map(bar));
    inner.extend(fact.msix.map(|vectors| Line::new(format!("msix {vectors}"))));
    inner.extend(fact.msi.map(|vectors| Line::new(format!("msi {vectors}"))));
    inner.extend(fact.sriov.map(|sriov| {
        let enabled = if sriov.enabled == 0 { String::new() } else { format!(" enabled {}", sriov.enabled) };
        Line::new(format!("sriov total {}{enabled}", sriov.total))
    }));
    config(&fact.config, fact.address.segment(), &mut inner);
    Line::new(format!("device {address}")).inline(inner)
}

/// What configuration space says.
fn config(fact: &ConfigFact, segment: u16, inner: &mut Vec<Line>) {
    inner.extend(fact.port_type.map(|kind| Line::new(format!("type {kind}"))));
    inner.extend(fact.buses.map(|buses| {
        let buses = range(buses.secondary, buses.subordinate, |bus| format!("{bus:#04x}"));
        Line::new(format!("buses {buses}"))
    }));
    inner.extend(fact.multifunction.then(|| Line::new("multifunction")));
    inner.extend(fact.acs.map(|acs| {
        let control = acs.control.map(|control| format!(" control {control:#x}")).unwrap_or_default();
        Line::new(format!("acs {:#x}{control}", acs.capability))
    }));
    inner.extend(fact.physical_function.map(|pf| Line::new(format!("vf-of {}", within(pf, segment)))));
    inner.extend(fact.virtual_functions.as_ref().map(virtual_functions));
    inner.extend(fact.ats.then(|| Line::new("ats")));
    inner.extend(fact.pri.then(|| Line::new("pri")));
    inner.extend(fact.pasid_bits.map(|bits| Line::new(format!("pasid {bits} bits"))));
    inner.extend(fact.resizable.iter().map(|bar| {
        let sizes: Vec<String> = bar.sizes.iter().map(|size| size.to_string()).collect();
        Line::new(format!("resizable {} {}", bar.index, sizes.join(" ")))
    }));
}

fn virtual_functions(fact: &VirtualFunctionsFact) -> Line {
    let id = fact.device_id.map(|id| format!(" id {id:#06x}")).unwrap_or_default();
    let header = format!("vfs offset {:#x} stride {:#x}{id}", fact.offset, fact.stride);
    Line::new(header).inline(fact.bars.iter().map(bar).collect())
}

/// The address of a function as it is written below a root complex of this segment.
fn within(address: PciAddress, segment: u16) -> String {
    let full = address.to_string();
    match full.split_once(':') {
        Some((_, short)) if address.segment() == segment => short.to_owned(),
        _ => full,
    }
}

fn bar(fact: &BarFact) -> Line {
    let prefetchable = if fact.prefetchable { " prefetchable" } else { "" };
    let at = fact.at.map(|at| format!(" at {at}")).unwrap_or_default();
    Line::new(format!("bar {} {}{prefetchable} {}{at}", fact.index, fact.kind, round(fact.size)))
}

fn group(fact: &GroupFact) -> Line {
    let mut inner = bdfs("devices", &fact.devices);
    inner.extend(fact.others.iter().map(|name| Line::new(format!("other {}", spelled(name)))));
    inner.extend(fact.domain.as_ref().map(|domain| Line::new(format!("domain {}", spelled(domain)))));
    match fact.listed.as_deref() {
        None => {}
        Some([]) => inner.push(Line::new("listed none")),
        Some(regions) => inner.extend(regions.iter().map(listed)),
    }
    Line::new(format!("group {}", fact.id)).inline(inner)
}

fn listed(region: &ListedRegion) -> Line {
    let (start, end) = (region.start.get(), region.end.get());
    Line::new(format!("listed {} {}..={}", region.kind, grouped_hex(start), grouped_hex(end)))
}

fn firmware(fact: &FirmwareRegionFact) -> Line {
    let header = format!("firmware {} {} {}", spelled(&fact.name), span(fact.span), fact.kind);
    Line::new(header).inline(bdfs("devices", &fact.devices))
}
