//! What is drawn: the bands of each lane, from the host, the kernel's report and the guest's layout.
//!
//! Many groups reserve the same region, and many root complexes have the same window: what is equal in addresses and
//! kind is one band that names all its owners.

use std::collections::{BTreeMap, BTreeSet};

use super::{Attempt, Band, BandKind, Layout};
use crate::addr::{Address, BusAddr, Iova, Span};
use crate::facts::guest::HazardPolicy;
use crate::facts::host::{PeerToPeer, WindowKind};
use crate::guest::GuestSpec;
use crate::host::{Host, RootComplex, Window};
use crate::ids::GroupId;
use crate::kernel::{Basis, GroupReport, Hazard, ReservedRegion, ReservedReport, ResvKind};
use crate::plan::{PieceKind, PlacedRegion, Plan, RamPiece, Reason};
use crate::vmm::RegionKind;

/// Within how many bytes small devices are drawn as one.
const NEIGHBOURS_BYTES: u128 = 1 << 20;
/// How many owners or reasons of one band are spelled out.
const MOST_NAMED: usize = 6;

/// The part of the host that the picture is about.
pub(super) struct Chosen<'a> {
    host: &'a Host,
    groups: Vec<&'a GroupReport>,
    /// Whether the picture is about every group.
    all: bool,
}

impl<'a> Chosen<'a> {
    /// The groups with these numbers; all if there are none.
    pub(super) fn new(host: &'a Host, reserved: &'a ReservedReport, groups: &[GroupId]) -> Self {
        let wanted: BTreeSet<GroupId> = groups.iter().copied().collect();
        let all = wanted.is_empty();
        let groups = reserved.groups.iter().filter(|group| all || wanted.contains(&group.id)).collect();
        Self { host, groups, all }
    }

    /// Root complexes above a chosen group.
    fn root_complexes(&self) -> impl Iterator<Item = &'a RootComplex> {
        let groups: BTreeSet<GroupId> = self.groups.iter().map(|group| group.id).collect();
        let in_group = |group: Option<GroupId>| group.is_some_and(|id| groups.contains(&id));
        let above: BTreeSet<usize> = self
            .host
            .devices
            .iter()
            .filter(|device| in_group(device.group))
            .filter_map(|device| device.root_complex)
            .collect();
        let all = self.all;
        let numbered = self.host.root_complexes.iter().enumerate();
        numbered.filter(move |(index, _)| all || above.contains(index)).map(|(_, complex)| complex)
    }
}

/// `amd-seattle / nfv0 on kvmtool 2026.1`.
pub(super) fn title(host: &Host, layout: Option<Layout<'_>>) -> String {
    let guest = match layout {
        Some(Layout::Plan(plan)) => &plan.guest,
        Some(Layout::Attempt(attempt)) => attempt.guest,
        None => return host.name.clone(),
    };
    format!("{} / {} on {} {}", host.name, guest.name, guest.vmm, guest.version)
}

/// Kernel, page size and groups.
pub(super) fn subtitle(reserved: &ReservedReport, chosen: &Chosen<'_>) -> String {
    let ids: Vec<String> = chosen.groups.iter().map(|group| group.id.to_string()).collect();
    let groups = match ids.len() {
        0 => "no IOMMU group".to_owned(),
        count if chosen.all && count > MOST_NAMED => format!("all {count} groups"),
        _ => in_words(&ids),
    };
    format!("Linux {}, {} pages, {groups}", reserved.kernel, reserved.page_size)
}

/// Whether RAM must keep out of hazards.
pub(super) fn is_strict(layout: Layout<'_>) -> bool {
    let guest = match layout {
        Layout::Plan(plan) => &plan.guest,
        Layout::Attempt(attempt) => attempt.guest,
    };
    guest.hazards == HazardPolicy::Strict
}

/// Windows of root complexes, and hazards that are no window of ours.
pub(super) fn bus(chosen: &Chosen<'_>) -> Vec<Band> {
    let hazards: BTreeMap<Span<BusAddr>, &Hazard> =
        chosen.groups.iter().flat_map(|group| &group.hazards).map(|hazard| (hazard.span, hazard)).collect();
    let mut lane = Drafts::default();
    let mut drawn: BTreeSet<Span<BusAddr>> = BTreeSet::new();
    for complex in chosen.root_complexes() {
        for window in complex.windows.iter().filter(|window| window.kind != WindowKind::Io) {
            drawn.insert(window.bus);
            window_band(&mut lane, complex, window, hazards.get(&window.bus).copied());
        }
    }
    for (span, hazard) in hazards.iter().filter(|(span, _)| !drawn.contains(*span)) {
        let draft = lane.at(span.cast(), hazard_kind(hazard));
        draft.name("hazard").rule(hazard.rule).because(&hazard.because).origin(&hazard.origin.to_string());
    }
    lane.finish()
}

fn hazard_kind(hazard: &Hazard) -> BandKind {
    if hazard.certain { BandKind::WindowIntercepts } else { BandKind::WindowUnknown }
}

fn window_band(lane: &mut Drafts, complex: &RootComplex, window: &Window, hazard: Option<&Hazard>) {
    let kind = hazard.map_or(BandKind::Window, hazard_kind);
    let draft = lane.at(window.bus.cast(), kind);
    let prefetchable = if window.prefetchable { " pref" } else { "" };
    draft.name(&format!("{}{prefetchable} {}", window.kind, complex.name));
    match (hazard, window.p2p) {
        (Some(hazard), _) => draft.rule(hazard.rule).because(&hazard.because),
        (None, Some(PeerToPeer::Translates)) => {
            draft.because(&format!("DMA into this window of {} goes on to the IOMMU", complex.name))
        }
        (None, _) => draft.because(&format!("window of {}, no hazard for these groups", complex.name)),
    };
    if window.cpu.first().get() != window.bus.first().get() {
        draft.because(&format!("CPUs see it at {}", window.cpu));
    }
    draft.origin(&window.origin.to_string());
}

/// Reserved regions, and what the IOMMU does not translate.
pub(super) fn iova(chosen: &Chosen<'_>) -> Vec<Band> {
    let mut lane = Drafts::default();
    for group in &chosen.groups {
        for region in &group.reserved {
            if let Some(span) = region.span() {
                region_band(&mut lane, span, region, group);
            }
        }
        outside(&mut lane, group);
    }
    lane.finish()
}

fn region_band(lane: &mut Drafts, span: Span<Iova>, region: &ReservedRegion, group: &GroupReport) {
    let (kind, name) = match region.kind {
        ResvKind::Direct => (BandKind::Direct, "direct"),
        ResvKind::DirectRelaxable => (BandKind::DirectRelaxable, "relaxable"),
        ResvKind::Reserved => (BandKind::Reserved, "reserved"),
        ResvKind::Msi => (BandKind::HardwareMsi, "doorbell"),
        ResvKind::SoftwareMsi => (BandKind::SoftwareMsi, "MSI window"),
    };
    let said = match region.basis {
        Basis::Listed => "listed by the kernel",
        Basis::Predicted => "predicted",
    };
    let draft = lane.at(span, kind).name(name).rule(region.rule);
    draft.concerns(said, group.id).origin(&region.origin.to_string());
}

fn outside(lane: &mut Drafts, group: &GroupReport) {
    let aperture = group.aperture;
    let below = aperture.first().get().checked_sub(1).and_then(|last| Span::of(0, last));
    let above = aperture.last().get().checked_add(1).and_then(|first| Span::of(first, u64::MAX));
    for span in [below, above].into_iter().flatten() {
        let draft = lane.at(span, BandKind::OutsideAperture).name("outside aperture");
        draft.concerns(&format!("the IOMMU translates nothing but {aperture}"), group.id);
    }
}

/// The guest's memory map.
pub(super) fn guest(layout: Layout<'_>) -> Vec<Band> {
    let mut lane = Drafts::default();
    match layout {
        Layout::Plan(plan) => planned(&mut lane, plan),
        Layout::Attempt(attempt) => attempted(&mut lane, attempt),
    }
    merge_devices(lane.finish())
}

/// Platform devices that lie close together as one band: a dozen registers of a few bytes, each between two breaks, say
/// nothing to the eye.
fn merge_devices(bands: Vec<Band>) -> Vec<Band> {
    let mut neighbours: Vec<Vec<Band>> = Vec::new();
    for band in bands {
        match neighbours.last_mut() {
            Some(group) if together(group, &band) => group.push(band),
            _ => neighbours.push(vec![band]),
        }
    }
    neighbours.into_iter().filter_map(as_one).collect()
}

/// Whether a device joins its neighbours below.
fn together(group: &[Band], next: &Band) -> bool {
    let Some(lowest) = group.first() else { return false };
    let devices = lowest.kind == BandKind::Platform && next.kind == BandKind::Platform;
    let room = Span::new(lowest.span.first(), next.span.last());
    devices && room.is_some_and(|room| room.size_bytes() <= NEIGHBOURS_BYTES)
}

fn as_one(group: Vec<Band>) -> Option<Band> {
    let last = group.iter().map(|band| band.span.last()).max()?;
    if let [_] = group.as_slice() {
        return group.into_iter().next();
    }
    let names: Vec<&str> = group.iter().map(|band| band.name.as_str()).collect();
    let words = |band: &Band| match band.because.as_str() {
        "" => format!("{} {}", band.name, band.span),
        because => format!("{} {} ({because})", band.name, band.span),
    };
    let because: Vec<String> = group.iter().map(words).collect();
    let (name, because) = (names.join(", "), because.join("; "));
    let lowest = group.first()?;
    Some(Band { span: Span::new(lowest.span.first(), last)?, name, because, ..lowest.clone() })
}

fn planned(lane: &mut Drafts, plan: &Plan) {
    let reasons: BTreeMap<(Span<_>, RegionKind), &PlacedRegion> =
        plan.regions.iter().map(|region| ((region.span, region.kind), region)).collect();
    for piece in &plan.ram {
        let reasons = reasons.get(&(piece.span, RegionKind::Ram)).map_or(&[][..], |region| &region.because);
        let draft = lane.at(piece.span.cast(), BandKind::Ram).name(&piece.name);
        draft.because(&piece_words(piece)).reasons(reasons);
    }
    // The pieces above are the RAM; a region of RAM is the same once more, perhaps several of them as one.
    let with_pieces = !plan.ram.is_empty();
    for region in plan.regions.iter().filter(|region| !(with_pieces && region.kind == RegionKind::Ram)) {
        let draft = lane.at(region.span.cast(), kind_of(region.kind)).name(&region.name);
        draft.reasons(&region.because);
    }
    for span in &plan.hotplug {
        let draft = lane.at(span.cast(), BandKind::MemoryRoom).name("hotplug");
        draft.because("room for memory plugged in later");
    }
    avoided(lane, &plan.guest);
}

fn piece_words(piece: &RamPiece) -> String {
    let given = match piece.kind {
        PieceKind::Boot => "memory at boot",
        PieceKind::Dimm => "memory module",
    };
    let node = piece.node.map_or(String::new(), |node| format!(", guest node {node}"));
    let host_node = piece.host_node.map_or(String::new(), |node| format!(", from host node {node}"));
    format!("{given}{node}{host_node}")
}

fn attempted(lane: &mut Drafts, attempt: Attempt<'_>) {
    for span in attempt.ram {
        lane.at(span.cast(), BandKind::Ram).name("RAM").because("where the VMM would put it");
    }
    for region in attempt.regions.iter().filter(|region| region.kind != RegionKind::Ram) {
        lane.at(region.span.cast(), kind_of(region.kind)).name(&region.name);
    }
    avoided(lane, attempt.guest);
}

fn avoided(lane: &mut Drafts, guest: &GuestSpec) {
    for span in &guest.avoid {
        let draft = lane.at(span.cast(), BandKind::Avoid).name("avoid");
        draft.because("the guest's description asks to keep RAM out");
    }
}

fn kind_of(kind: RegionKind) -> BandKind {
    match kind {
        RegionKind::Ram => BandKind::Ram,
        RegionKind::DeviceMemory | RegionKind::Hotplug => BandKind::MemoryRoom,
        RegionKind::Mmio32 | RegionKind::Mmio64 | RegionKind::Pio => BandKind::PciWindow,
        RegionKind::Ecam => BandKind::Ecam,
        RegionKind::Gicd | RegionKind::Gicr | RegionKind::Gicc | RegionKind::Its | RegionKind::V2m => {
            BandKind::InterruptController
        }
        RegionKind::Smmu | RegionKind::Flash | RegionKind::Platform | RegionKind::VirtioMmio => {
            BandKind::Platform
        }
        RegionKind::Msi => BandKind::SoftwareMsi,
        RegionKind::Bar => BandKind::Bar,
        RegionKind::Hole => BandKind::Hole,
    }
}

/// Bands of a lane in the making: one for each span and kind.
#[derive(Default)]
struct Drafts {
    drafts: BTreeMap<(Span<Iova>, BandKind), Draft>,
}

/// What is known of one band, each list without repetitions and in order of arrival.
#[derive(Default)]
struct Draft {
    names: Vec<String>,
    rules: Vec<String>,
    reasons: Vec<String>,
    origins: Vec<String>,
    /// What holds for which groups.
    groups: BTreeMap<String, Vec<String>>,
    /// How many owners there are beyond those spelled out.
    further: usize,
}

impl Drafts {
    fn at(&mut self, span: Span<Iova>, kind: BandKind) -> &mut Draft {
        self.drafts.entry((span, kind)).or_default()
    }
    fn finish(self) -> Vec<Band> {
        self.drafts.into_iter().map(|((span, kind), draft)| draft.finish(span, kind)).collect()
    }
}

impl Draft {
    fn name(&mut self, name: &str) -> &mut Self {
        note(&mut self.names, name);
        self
    }
    fn rule(&mut self, rule: &str) -> &mut Self {
        note(&mut self.rules, rule);
        self
    }
    fn because(&mut self, reason: &str) -> &mut Self {
        if !note(&mut self.reasons, reason) {
            self.further = self.further.saturating_add(1);
        }
        self
    }
    /// A reason that holds for a group.
    fn concerns(&mut self, reason: &str, group: GroupId) -> &mut Self {
        self.groups.entry(reason.to_owned()).or_default().push(group.to_string());
        self
    }
    fn origin(&mut self, origin: &str) -> &mut Self {
        if origin != "default" {
            note(&mut self.origins, origin);
        }
        self
    }
    fn reasons(&mut self, reasons: &[Reason]) -> &mut Self {
        for reason in reasons {
            self.rule(&reason.rule).because(&reason.because).origin(&reason.origin);
        }
        self
    }
    fn finish(self, span: Span<Iova>, kind: BandKind) -> Band {
        let of_groups =
            self.groups.iter().map(|(reason, groups)| format!("{reason} for {}", in_words(groups)));
        let reasons: Vec<String> = of_groups.chain(self.reasons).collect();
        let mut because = reasons.join("; ");
        if self.further > 0 {
            because.push_str(&format!("; and {} more", self.further));
        }
        let rules = &self.rules;
        let origins: Vec<String> =
            self.origins.into_iter().filter(|origin| !rules.contains(origin)).collect();
        Band {
            span,
            kind,
            name: self.names.join(", "),
            rule: self.rules.join(", "),
            because,
            origin: origins.join(", "),
            conflict: false,
            track: 0,
            tracks: 1,
        }
    }
}

/// Adds a text unless it is there or the list is full. Returns whether the text is in the list.
fn note(list: &mut Vec<String>, text: &str) -> bool {
    let known = list.iter().any(|old| old == text);
    if !known && !text.is_empty() && list.len() < MOST_NAMED {
        list.push(text.to_owned());
        return true;
    }
    known || text.is_empty()
}

/// `group 1`, `groups 1, 2`, `groups 1, 2, 3, 4, 5, 6 and 94 more`.
fn in_words(groups: &[String]) -> String {
    let named = groups.get(..MOST_NAMED.min(groups.len())).unwrap_or(groups).join(", ");
    match groups.len().saturating_sub(MOST_NAMED) {
        0 if groups.len() == 1 => format!("group {named}"),
        0 => format!("groups {named}"),
        further => format!("groups {named} and {further} more"),
    }
}
