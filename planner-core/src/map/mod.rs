//! The picture of an address space: one set of bands that the terminal, the SVG export and the browser share.
//!
//! A device's DMA meets three things at one and the same number: a bus address that a root complex may take peer to
//! peer, an IOVA that the kernel may refuse, and, without a vIOMMU, the guest-physical address that it means. The
//! picture therefore has one axis, that of the addresses which devices emit, and a [`Lane`] for each of the three.
//! Equal heights are equal addresses; nothing is ever reordered; stretches that are empty in every lane are
//! compressed to a break with its size written on it.
//!
//! [`AddressMap`] is plain data. It is drawn by [`text`] for the terminal, [`svg`] as a standalone picture and
//! [`html`] as a self-contained page; [`listing`] has every band with its reason. What is left out: whether a plan
//! holds, which [`crate::verify`] decides.

mod axis;
mod bands;
mod drawing;
mod html;
mod label;
mod palette;
mod svg;
mod text;

pub use axis::{Axis, Segment};
pub use drawing::{Drawing, Rect};
pub use html::html;
pub use palette::{BandKind, Colours, Texture};
pub use svg::{style, svg};
pub use text::{Glyphs, TextStyle, listing, text};

use std::collections::BTreeSet;

use crate::addr::{Gpa, Iova, Span};
use crate::facts::guest::LayoutPolicy;
use crate::guest::GuestSpec;
use crate::host::Host;
use crate::ids::GroupId;
use crate::kernel::ReservedReport;
use crate::plan::Plan;
use crate::vmm::MapRegion;

/// Bands of one lane that overlap are drawn side by side in at most this many tracks; further ones are drawn over
/// the last.
pub const MOST_TRACKS: usize = 4;

/// Which of the three address spaces a lane shows. The order is the order on the screen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LaneKind {
    /// Windows of root complexes, in bus addresses.
    Bus,
    /// What the kernel reserves, in IOVAs.
    Iova,
    /// The memory map of the guest.
    Guest,
}

impl LaneKind {
    /// Heading of the lane.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Bus => "PCI bus",
            Self::Iova => "IOVA",
            Self::Guest => "guest",
        }
    }
    /// What the lane shows, in a few words.
    #[must_use]
    pub const fn subtitle(self) -> &'static str {
        match self {
            Self::Bus => "root-complex windows",
            Self::Iova => "what the kernel keeps",
            Self::Guest => "guest-physical",
        }
    }
    /// One word for identifiers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bus => "bus",
            Self::Iova => "iova",
            Self::Guest => "guest",
        }
    }
}

/// A stretch of addresses with an owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Band {
    /// The addresses, on the shared axis.
    pub span: Span<Iova>,
    /// What it is.
    pub kind: BandKind,
    /// Short name: what is written into it. Untrusted.
    pub name: String,
    /// Identifier of the rule behind it, if one is.
    pub rule: String,
    /// Why it is there, in words. Untrusted; may be empty.
    pub because: String,
    /// Where it was said; may be empty.
    pub origin: String,
    /// Whether guest RAM and something that RAM must not touch meet here. Never so for a plan that holds.
    pub conflict: bool,
    /// Which of [`Band::tracks`] it takes, from 0.
    pub track: usize,
    /// Into how many tracks its lane is split where it lies, 1 to [`MOST_TRACKS`].
    pub tracks: usize,
}

impl Band {
    /// Its size in at most nine columns: exact where four digits are enough, else rounded and marked with `~`.
    #[must_use]
    pub fn size(&self) -> String {
        label::size(self.span)
    }

    /// Everything about the band in one line.
    #[must_use]
    pub fn words(&self, lane: LaneKind) -> String {
        let (size, lane, kind) = (self.size(), lane.title(), self.kind.legend());
        let mut words = format!("{lane}: {}, {} ({size}), {kind}", self.name, self.span);
        for (open, text, close) in
            [(". ", &self.because, ""), (" [", &self.rule, "]"), (" (", &self.origin, ")")]
        {
            if !text.is_empty() {
                words.push_str(&format!("{open}{text}{close}"));
            }
        }
        words
    }
}

/// One address space: bands ascending, the longer first where they start together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lane {
    /// Which one.
    pub kind: LaneKind,
    /// Its bands.
    pub bands: Vec<Band>,
}

/// The picture as data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressMap {
    /// Host and guest. Untrusted.
    pub title: String,
    /// Kernel and groups.
    pub subtitle: String,
    /// The lanes; [`LaneKind::Guest`] only when there is a guest.
    pub lanes: Vec<Lane>,
    /// The shared axis.
    pub axis: Axis,
}

/// A layout that was refused: the memory map that the VMM would make if nobody planned.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The guest, for its name, its hazard policy and what it wants kept clear.
    pub guest: &'a GuestSpec,
    /// RAM as the VMM would put it.
    pub ram: &'a [Span<Gpa>],
    /// The rest of the memory map, if known; RAM in it is left out.
    pub regions: &'a [MapRegion],
}

/// The guest in the picture.
#[derive(Clone, Copy, Debug)]
pub enum Layout<'a> {
    /// A plan.
    Plan(&'a Plan),
    /// What was refused.
    Attempt(Attempt<'a>),
}

/// A number that no group has: Linux counts groups from 0 (drivers/iommu/iommu.c, `iommu_group_ida`).
const NO_GROUP: GroupId = GroupId(u32::MAX);

/// The groups whose reservations the guest's layout minds, as [`AddressMap::new`] takes them: those of its devices, or all
/// (an empty list) when the layout shall hold for every device of the host. Without a device it minds none.
#[must_use]
pub fn groups_of(host: &Host, guest: &GuestSpec) -> Vec<GroupId> {
    if guest.policy == LayoutPolicy::Portable {
        return Vec::new();
    }
    let groups: BTreeSet<GroupId> =
        guest.pass.iter().filter_map(|&address| host.device(address)?.group).collect();
    if groups.is_empty() { vec![NO_GROUP] } else { groups.into_iter().collect() }
}

impl AddressMap {
    /// The picture of a host, as `groups` see it (all groups if empty), with the plan of a guest if there is one.
    #[must_use]
    pub fn new(host: &Host, reserved: &ReservedReport, groups: &[GroupId], plan: Option<&Plan>) -> Self {
        Self::with_layout(host, reserved, groups, plan.map(Layout::Plan))
    }

    /// The picture of a refusal: RAM as the VMM would put it, and what it runs into.
    #[must_use]
    pub fn refused(host: &Host, reserved: &ReservedReport, groups: &[GroupId], attempt: Attempt<'_>) -> Self {
        Self::with_layout(host, reserved, groups, Some(Layout::Attempt(attempt)))
    }

    /// The picture with any guest or none.
    #[must_use]
    pub fn with_layout(
        host: &Host,
        reserved: &ReservedReport,
        groups: &[GroupId],
        layout: Option<Layout<'_>>,
    ) -> Self {
        let chosen = bands::Chosen::new(host, reserved, groups);
        let mut lanes = vec![
            Lane { kind: LaneKind::Bus, bands: bands::bus(&chosen) },
            Lane { kind: LaneKind::Iova, bands: bands::iova(&chosen) },
        ];
        if let Some(layout) = layout {
            let mut guest = bands::guest(layout);
            // A plan repeats the window that the kernel keeps for MSIs; once in the picture is enough.
            let known: BTreeSet<(Span<Iova>, BandKind)> =
                lanes.iter().flat_map(|lane| &lane.bands).map(|band| (band.span, band.kind)).collect();
            guest.retain(|band| !known.contains(&(band.span, band.kind)));
            lanes.push(Lane { kind: LaneKind::Guest, bands: guest });
        }
        for lane in &mut lanes {
            axis::assign_tracks(&mut lane.bands);
        }
        let hazards_count = layout.is_none_or(bands::is_strict);
        let axis = Axis::new(&mut lanes, hazards_count);
        Self { title: bands::title(host, layout), subtitle: bands::subtitle(reserved, &chosen), lanes, axis }
    }

    /// Whether guest RAM meets something forbidden anywhere.
    #[must_use]
    pub fn has_conflict(&self) -> bool {
        self.axis.segments.iter().any(|segment| segment.conflict)
    }

    /// Every band with its lane and its identifier, which is also its `id` in the SVG: `band-guest-3`.
    pub fn bands(&self) -> impl Iterator<Item = (String, LaneKind, &Band)> {
        self.lanes.iter().flat_map(|lane| {
            let word = lane.kind.word();
            lane.bands.iter().enumerate().map(move |(n, band)| (format!("band-{word}-{n}"), lane.kind, band))
        })
    }

    /// The kinds of band in the picture, for its legend.
    #[must_use]
    pub fn kinds(&self) -> Vec<BandKind> {
        let present: BTreeSet<BandKind> =
            self.lanes.iter().flat_map(|lane| &lane.bands).map(|band| band.kind).collect();
        present.into_iter().collect()
    }
}
