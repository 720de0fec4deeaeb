//! What Linux reserves on a host, group by group: the room's answer.
//!
//! Each part of the answer is computed elsewhere: the regions by the drivers in `predict`, weighed against the
//! kernel's own listing in `listing`, how far the IOMMU translates in `aperture`, what stands in the way in `findings`.

use std::collections::BTreeSet;

use super::aperture::{self, Translated};
use super::listing::{self, to_raw};
use super::msi::{self, MsiCookie};
use super::predict::Machine;
use super::resv::{RawRegion, sysfs_text};
use super::rules::{self, Rule};
use super::type1::{IovaList, container_page_sizes};
use super::{
    GroupReport, Hazard, IommufdAnswer, MappedDoorbell, MsiWindow, ReservedRegion, ReservedReport,
    Type1Answer, findings, iommufd,
};
use crate::addr::{Address, BusAddr, Iova, Span};
use crate::facts::Arch;
use crate::facts::host::{PeerToPeer, WindowKind};
use crate::host::{Device, DoorbellSource, Group, Host, RootComplex, Window};
use crate::ids::GroupId;
use crate::size::{PageSize, Size};
use crate::version::KernelVersion;

/// Which kernel to answer for; what is `None` is as on the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Question {
    /// Release.
    pub version: Option<KernelVersion>,
    /// Page size.
    pub page_size: Option<PageSize>,
}

/// What Linux reserves, group by group, on this host and under the kernel asked about.
///
/// Under the host's own kernel the kernel's listing is taken as it is, where there is one; under any other kernel the
/// rules predict, and what was listed and no rule explains is kept.
#[must_use]
pub fn report(host: &Host, question: &Question) -> ReservedReport {
    let kernel = &host.kernel;
    let version = question.version.unwrap_or(kernel.version);
    let page_size = question.page_size.unwrap_or(kernel.page_size);
    let own = Machine::new(host, kernel.version, kernel.page_size);
    let other = (version != kernel.version || page_size != kernel.page_size)
        .then(|| Machine::new(host, version, page_size));
    let mut differences = Vec::new();
    let mut groups = Vec::with_capacity(host.groups.len());
    for group in &host.groups {
        let devices: Vec<&Device> =
            group.devices.iter().filter_map(|&address| host.device(address)).collect();
        let weighed = listing::weigh(&own, other.as_ref(), group, &devices);
        differences.extend(weighed.differences);
        groups.push(group_report(other.as_ref().unwrap_or(&own), group, &devices, weighed.reserved));
    }
    ReservedReport { host: host.name.clone(), kernel: version, page_size, groups, differences }
}

/// The exact text of a group's `reserved_regions` under the host's own kernel, or `None` when there is no such group or
/// the kernel has no such file.
#[must_use]
pub fn sysfs_text_of(host: &Host, group: GroupId) -> Option<String> {
    let report = report(host, &Question::default());
    report.sysfs_text(group)
}

/// What `reserved_regions` of every group would say by the rules alone, under the host's own kernel, in the order of the
/// host's groups; what the kernel listed is not looked at, except for what only a hypervisor knows.
#[must_use]
pub fn foretold_sysfs_texts(host: &Host) -> Vec<String> {
    let own = Machine::new(host, host.kernel.version, host.kernel.page_size);
    let text = |group: &Group| {
        let devices: Vec<&Device> =
            group.devices.iter().filter_map(|&address| host.device(address)).collect();
        let raws: Vec<RawRegion> = listing::foretold(&own, group, &devices).iter().map(to_raw).collect();
        sysfs_text(&raws, own.version, own.page_size)
    };
    host.groups.iter().map(text).collect()
}

impl ReservedReport {
    /// The exact text of a group's `reserved_regions` under the kernel asked about, or `None` when there is no such
    /// group or the kernel has no such file.
    #[must_use]
    pub fn sysfs_text(&self, group: GroupId) -> Option<String> {
        let group = self.group(group).filter(|_| rules::RESV_SYSFS.holds(self.kernel))?;
        let raws: Vec<RawRegion> = group.reserved.iter().map(to_raw).collect();
        Some(sysfs_text(&raws, self.kernel, self.page_size))
    }
}

fn group_report(
    machine: &Machine<'_>,
    group: &Group,
    devices: &[&Device],
    reserved: Vec<ReservedRegion>,
) -> GroupReport {
    let Translated { aperture, page_sizes, assumed } = aperture::of_group(machine, devices);
    let mut raws: Vec<RawRegion> = reserved.iter().map(to_raw).collect();
    // The kernel's order already, unless a description lists regions in another.
    raws.sort_by_key(|region| (region.start, region.kind));
    let mut list = IovaList::default();
    list.resize(aperture);
    list.exclude(&raws);
    let type1 = Type1Answer {
        usable: list.ranges().to_vec(),
        page_sizes: container_page_sizes(page_sizes, machine.page_size),
    };
    let subject = findings::Subject { machine, group, devices, reserved: &reserved };
    let iommufd = match findings::iommufd_refusal(&subject, page_sizes) {
        Some(blocked) => IommufdAnswer::Blocked { blocked },
        None => IommufdAnswer::Usable {
            usable: iommufd::usable(&raws, aperture),
            alignment: iommufd::alignment(page_sizes),
        },
    };
    let blockers = findings::blockers(&subject);
    let mut notes = if findings::without_iommu(&subject).is_some() { Vec::new() } else { assumed };
    notes.extend(findings::notes(&subject));
    let msi = msi_window(machine, devices, &raws, aperture);
    let mut hazards = window_hazards(machine.host, devices);
    hazards.extend(msi.as_ref().and_then(|window| overrun(window, machine.page_size)));
    GroupReport {
        id: group.id,
        devices: group.devices.clone(),
        reserved,
        aperture,
        type1,
        iommufd,
        msi,
        blockers,
        notes,
        hazards,
    }
}

/// The MSI window with the doorbells of the group's devices, in the order of the devices.
fn msi_window(
    machine: &Machine<'_>,
    devices: &[&Device],
    regions: &[RawRegion],
    aperture: Span<Iova>,
) -> Option<MsiWindow> {
    let region = msi::window(regions)?;
    let span = Span::of(region.start, region.end())?;
    let mut cookie = MsiCookie::new(span.first(), machine.page_size, aperture);
    let mut seen = BTreeSet::new();
    let mut doorbells = Vec::new();
    for doorbell in devices.iter().filter_map(|device| machine.host.doorbell_of(device)) {
        let remapped = !matches!(doorbell.source, DoorbellSource::Fixed | DoorbellSource::Unmapped);
        if remapped
            && seen.insert(doorbell.address)
            && let Some(iova) = cookie.map(doorbell.address)
        {
            doorbells.push(MappedDoorbell { address: doorbell.address, iova });
        }
    }
    let doorbell_pages = region.length / machine.page_size.size().bytes();
    Some(MsiWindow { base: span.first(), span, doorbell_pages, doorbells })
}

/// The pages behind the window that doorbells take when there are more than fit.
fn overrun(window: &MsiWindow, page_size: PageSize) -> Option<Hazard> {
    let page = page_size.size();
    let last = window.doorbells.iter().map(|doorbell| doorbell.iova.align_down(page)).max()?;
    let last = Span::from_start_size(last, page)?.last();
    let behind = window.span.last().checked_add(Size::from_bytes(1))?;
    let span = Span::new(BusAddr::new(behind.get()), BusAddr::new(last.get()))?;
    Some(hazard(
        span,
        &rules::DOORBELL_OVERRUN,
        format!(
            "{} doorbells need more than the {} pages of the MSI window {}, and the kernel maps the rest \
             behind it",
            window.doorbells.len(),
            window.doorbell_pages,
            window.span
        ),
        true,
        crate::diag::Origin::rule(rules::DOORBELL_OVERRUN.id),
    ))
}

/// Every memory window of the root complexes above the group's devices that may take DMA as peer to peer.
fn window_hazards(host: &Host, devices: &[&Device]) -> Vec<Hazard> {
    let roots: BTreeSet<usize> = devices.iter().filter_map(|device| device.root_complex).collect();
    roots
        .into_iter()
        .filter_map(|index| host.root_complexes.get(index))
        .flat_map(|root| root.windows.iter().filter_map(|window| window_hazard(host.arch, root, window)))
        .collect()
}

fn window_hazard(arch: Arch, root: &RootComplex, window: &Window) -> Option<Hazard> {
    let certain = match (window.kind, window.p2p) {
        (WindowKind::Io, _) | (_, Some(PeerToPeer::Translates)) => return None,
        (_, Some(PeerToPeer::Intercepts)) => true,
        (_, None) if arch == Arch::X86_64 => return None, // rules::X86_TRANSLATES_FIRST
        (_, None) => false,
    };
    let Window { kind, cpu, bus, .. } = window;
    let name = &root.name;
    let place = if cpu.first().get() == bus.first().get() {
        bus.to_string()
    } else {
        format!("{bus} (CPU address {})", cpu.first())
    };
    let verb = if certain { "is" } else { "may be" };
    let because = format!(
        "DMA into window {kind} {place} of root complex {name} {verb} taken as peer to peer before the \
         IOMMU sees it"
    );
    Some(hazard(*bus, &rules::P2P_WINDOW, because, certain, window.origin.clone()))
}

fn hazard(
    span: Span<BusAddr>,
    rule: &Rule,
    because: String,
    certain: bool,
    origin: crate::diag::Origin,
) -> Hazard {
    Hazard { span, rule: rule.id, because, certain, origin }
}
