//! Peer to peer: where a DMA request goes that names an address in a register of another function.
//!
//! A request climbs from port to port until one of them has the address below it. There it turns, without the IOMMU
//! seeing it, unless access control services redirect it further up (PCIe Base Specification 6.12.3). In a root complex
//! it depends on the complex whether a request turns before the IOMMU or after it; a window says so, or nobody knows.
//!
//! [`Topology::p2p`] answers for one pair and climbs once: nothing is made for all pairs. [`Topology::p2p_turns`] lists
//! what happens at each port, from which every pair follows. Not here: whether a translation of the IOMMU leads to the
//! peer in the end, which is up to what is mapped.

use std::collections::BTreeMap;
use std::fmt;

use super::Topology;
use super::acs::{DIRECT_TRANSLATED, EGRESS_CONTROL, Isolation, REQUEST_REDIRECT, UPSTREAM_FORWARDING};
use crate::facts::host::{BarKind, PeerToPeer, WindowKind};
use crate::facts::pci::PortType;
use crate::host::{RootComplex, Window};

/// Where a request goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RouteKind {
    /// Directly: the IOMMU does not see it.
    Direct,
    /// Through the root complex, which does not translate it.
    RootComplex,
    /// Through the IOMMU.
    Iommu,
    /// That is not known.
    Unknown,
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "directly",
            Self::RootComplex => "through the root complex, not translated",
            Self::Iommu => "through the IOMMU",
            Self::Unknown => "not known",
        })
    }
}

/// What a request meets on its way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Because {
    /// Both are on, or below, a bus of conventional PCI, where everybody sees every request.
    SharedBus,
    /// The port does not redirect requests.
    RedirectOff,
    /// The port, or function, has no ACS capability.
    NoAcs,
    /// The port redirects requests upwards.
    Redirected,
    /// Linux knows that the hardware passes nothing to peers.
    KnownToIsolate,
    /// The port decides by a table that was not read.
    EgressControl,
    /// Nobody told what the port can do.
    PortUnknown,
    /// A port above has to send back what it was sent, and may not do so: upstream forwarding is off.
    ForwardingOff,
    /// One is the bridge above the other.
    OwnBridge,
    /// The window of the root complex takes requests before the IOMMU.
    WindowIntercepts,
    /// The root complex passes requests for the window on to the IOMMU.
    WindowTranslates,
    /// Nobody told what the root complex does with requests for its windows.
    WindowUnknown,
    /// They are below different root complexes.
    OtherRootComplex,
    /// No IOMMU translates for the sender.
    NotTranslated,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SharedBus => "shares a conventional PCI bus",
            Self::RedirectOff => "does not redirect requests (ACS P2P request redirect is off)",
            Self::NoAcs => "has no ACS capability",
            Self::Redirected => "redirects requests upwards (ACS P2P request redirect)",
            Self::KnownToIsolate => "is known to pass nothing to its peers",
            Self::EgressControl => "decides by its ACS egress control vector, which was not read",
            Self::PortUnknown => "is of unknown kind",
            Self::ForwardingOff => {
                "is not set to forward upwards what leads back down (ACS upstream forwarding is off)"
            }
            Self::OwnBridge => "is the bridge above the other function",
            Self::WindowIntercepts => "takes requests for its windows before the IOMMU",
            Self::WindowTranslates => "passes requests for its windows to the IOMMU",
            Self::WindowUnknown => {
                "is not known to pass requests for its windows to the IOMMU, or to take them"
            }
            Self::OtherRootComplex => "is another root complex than that of the peer",
            Self::NotTranslated => "has no IOMMU for the sender",
        })
    }
}

/// Where something happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// At this function, mostly a port: an index into the devices.
    Device(usize),
    /// In this root complex, an index.
    RootComplex(usize),
    /// In a row of [`Topology::p2p_turns`]: at the port, or function, through which the request comes.
    Entry,
}

/// Way of a request, with the reason at each place that has a say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    /// Where it goes.
    pub kind: RouteKind,
    /// What it meets, from the sender upwards.
    pub because: Vec<(Place, Because)>,
    /// Whether requests that the sender had translated (ATS) go directly all the same.
    pub translated_direct: bool,
}

/// Which peers of a port are meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Peers {
    /// The other functions of the same device.
    SameDevice,
    /// Everything else below the same bridge, or root complex.
    SameParent,
    /// Everything below other root complexes.
    OtherRootComplexes,
}

/// What happens to requests that enter through some ports: a row of the listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Where the ports, or functions, are: below this bridge or root complex.
    pub below: Place,
    /// The ports and functions through which the requests come, ascending.
    pub from: Vec<usize>,
    /// Whom they are for.
    pub to: Peers,
    /// What becomes of them.
    pub route: Route,
}

impl Route {
    fn new(kind: RouteKind, place: Place, because: Because) -> Self {
        Self { kind, because: vec![(place, because)], translated_direct: false }
    }

    fn after(mut self, place: Place, because: Because) -> Self {
        self.because.insert(0, (place, because));
        self
    }
}

/// How two functions are related.
enum Meeting {
    /// Both are below this bridge, the sender below, or as, this function directly below it.
    Bridge(usize, usize),
    /// Both are below this root complex, each below, or as, one of these functions.
    RootComplex(usize, usize, usize),
    /// They are below different root complexes; the sender's, if known.
    Nowhere(Option<usize>),
    /// This one is a bridge above the other, or both are one.
    Ancestor(usize),
}

impl Topology<'_> {
    /// Where a request of the function `from` goes that is for a register of the function `to`, both indices into the
    /// devices. Takes time in proportion to the number of bridges above them.
    #[must_use]
    pub fn p2p(&self, from: usize, to: usize) -> Route {
        match self.meeting(from, to) {
            Meeting::Ancestor(bridge) => {
                Route::new(RouteKind::Unknown, Place::Device(bridge), Because::OwnBridge)
            }
            Meeting::Nowhere(complex) => self.to_other_complex(from, complex),
            Meeting::Bridge(bridge, entry) => self.turn_below(from, bridge, entry),
            Meeting::RootComplex(complex, entry, exit) => {
                self.in_root_complex_or_device(from, complex, (entry, exit), to)
            }
        }
    }

    /// What happens at each bridge and root complex that has several functions directly below it: for every port the way
    /// of requests that enter through it, equal ones together. All pairs follow from it, in as many rows as there are
    /// ports at most.
    #[must_use]
    pub fn p2p_turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        for complex in 0..self.root_complexes().len() {
            let below = self.below_root_complex(complex);
            self.turns_at(Place::RootComplex(complex), &below, &mut turns);
            if self.root_complexes().len() > 1 {
                let route =
                    |&entry: &usize| (Peers::OtherRootComplexes, self.to_other_complex(entry, Some(complex)));
                collect(
                    Place::RootComplex(complex),
                    below.iter().map(|entry| (*entry, route(entry))),
                    &mut turns,
                );
            }
        }
        for bridge in 0..self.devices().len() {
            let below = self.below_bridge(bridge);
            self.turns_at(Place::Device(bridge), &below, &mut turns);
        }
        turns
    }

    fn turns_at(&self, below: Place, children: &[usize], turns: &mut Vec<Turn>) {
        // Functions of a device are neighbours, and the first and the last child stand for all others.
        let (Some(&first), Some(&last)) = (children.first(), children.last()) else { return };
        let mut rows = Vec::new();
        for (at, &entry) in children.iter().enumerate() {
            let neighbours = [at.checked_sub(1), at.checked_add(1)].into_iter().flatten();
            let sibling =
                neighbours.filter_map(|at| children.get(at)).find(|&&other| self.same_device(entry, other));
            let stranger =
                [first, last].into_iter().find(|&other| other != entry && !self.same_device(entry, other));
            rows.extend(sibling.map(|&sibling| (entry, (Peers::SameDevice, self.p2p(entry, sibling)))));
            rows.extend(stranger.map(|stranger| {
                let route = match below {
                    Place::RootComplex(complex) => self.in_root_complex(entry, complex, entry, None),
                    Place::Device(_) | Place::Entry => self.p2p(entry, stranger),
                };
                (entry, (Peers::SameParent, route))
            }));
        }
        collect(below, rows.into_iter(), turns);
    }

    fn meeting(&self, from: usize, to: usize) -> Meeting {
        let (mut one, mut other) = (from, to);
        let climb = |device: usize, depth: usize| {
            std::iter::once(device)
                .chain(self.bridges_above(device))
                .find(|&above| self.depth(above) <= depth)
                .unwrap_or(device)
        };
        let depth = self.depth(from).min(self.depth(to));
        (one, other) = (climb(one, depth), climb(other, depth));
        if one == other {
            return Meeting::Ancestor(one);
        }
        loop {
            match (self.bridge_above(one), self.bridge_above(other)) {
                (Some(above), Some(other_above)) if above == other_above => {
                    return Meeting::Bridge(above, one);
                }
                (Some(above), Some(other_above)) => (one, other) = (above, other_above),
                _ => break,
            }
        }
        let complex = |device: usize| self.devices().get(device).and_then(|device| device.root_complex);
        match (complex(one), complex(other)) {
            (Some(complex), Some(other_complex)) if complex == other_complex => {
                Meeting::RootComplex(complex, one, other)
            }
            (complex, _) => Meeting::Nowhere(complex),
        }
    }

    /// Whether two functions are of one device: same bus and device number, or of one physical function.
    fn same_device(&self, one: usize, other: usize) -> bool {
        let (Some(one), Some(other)) = (self.devices().get(one), self.devices().get(other)) else {
            return false;
        };
        let place = |device: &crate::host::Device| {
            let whole = device.config.physical_function.unwrap_or(device.address);
            (whole.segment(), whole.bus(), whole.device())
        };
        place(one) == place(other)
    }

    /// Below a bridge: between the ports of a switch, on a bus, within a device.
    fn turn_below(&self, from: usize, bridge: usize, entry: usize) -> Route {
        let port_type = self.port_type(bridge);
        let conventional = matches!(port_type, Some(PortType::PcieToPciBridge | PortType::Conventional))
            || self.port_type(entry) == Some(PortType::Conventional);
        if conventional {
            return Route::new(RouteKind::Direct, Place::Device(entry), Because::SharedBus);
        }
        match port_type {
            // Through a downstream port of a switch to another. A link leads to one device: what looks like several
            // below a port is one with alternative routing IDs.
            Some(PortType::UpstreamPort | PortType::RootPort | PortType::DownstreamPort) => {
                self.within_device(from, entry, |topology| topology.upwards(from, bridge))
            }
            _ => Route::new(RouteKind::Unknown, Place::Device(bridge), Because::PortUnknown),
        }
    }

    /// From one function of a device, or port of a switch, to another.
    fn within_device(&self, from: usize, entry: usize, upwards: impl Fn(&Self) -> Route) -> Route {
        let place = Place::Device(entry);
        match self.isolation(entry) {
            Isolation::Quirk(_) => upwards(self).after(place, Because::KnownToIsolate),
            Isolation::Conventional => Route::new(RouteKind::Direct, place, Because::SharedBus),
            Isolation::NoCapability => Route::new(RouteKind::Direct, place, Because::NoAcs),
            Isolation::Unknown => Route::new(RouteKind::Unknown, place, Because::PortUnknown),
            // Virtual functions, and what has a device for itself, have no peers inside.
            Isolation::Single | Isolation::PciBridge => upwards(self),
            Isolation::Enabled | Isolation::Off(_) => self.redirecting(from, entry, upwards),
        }
    }

    /// At a port, or function, with access control services.
    fn redirecting(&self, from: usize, entry: usize, upwards: impl Fn(&Self) -> Route) -> Route {
        let place = Place::Device(entry);
        let control = self.control(entry);
        let mut route = if control & REQUEST_REDIRECT != 0 {
            upwards(self).after(place, Because::Redirected)
        } else if control & EGRESS_CONTROL != 0 {
            Route::new(RouteKind::Unknown, place, Because::EgressControl)
        } else {
            Route::new(RouteKind::Direct, place, Because::RedirectOff)
        };
        let ats = self.devices().get(from).is_some_and(|device| device.config.ats);
        route.translated_direct = ats && control & DIRECT_TRANSLATED != 0;
        route
    }

    /// A request that was redirected below a bridge goes up to the root complex. Every port that it enters from below
    /// would send it back, unless it forwards upwards.
    fn upwards(&self, from: usize, bridge: usize) -> Route {
        for port in std::iter::once(bridge).chain(self.bridges_above(bridge)) {
            let downward =
                matches!(self.port_type(port), Some(PortType::RootPort | PortType::DownstreamPort));
            if !downward {
                continue;
            }
            let place = Place::Device(port);
            match self.isolation(port) {
                Isolation::Quirk(_) => {}
                Isolation::Unknown => return Route::new(RouteKind::Unknown, place, Because::PortUnknown),
                _ if self.control(port) & UPSTREAM_FORWARDING != 0 => {}
                _ => return Route::new(RouteKind::Unknown, place, Because::ForwardingOff),
            }
        }
        let complex = self.devices().get(from).and_then(|device| device.root_complex);
        let place = complex.map_or(Place::Device(from), Place::RootComplex);
        if self.translated(from) {
            Route { kind: RouteKind::Iommu, because: Vec::new(), translated_direct: false }
        } else {
            Route::new(RouteKind::RootComplex, place, Because::NotTranslated)
        }
    }

    /// Between functions on a root bus, or what is below them.
    fn in_root_complex_or_device(
        &self,
        from: usize,
        complex: usize,
        (entry, exit): (usize, usize),
        to: usize,
    ) -> Route {
        // Root ports are mostly functions of one device, but what passes between them passes through the root complex.
        if self.same_device(entry, exit) && self.port_type(entry) != Some(PortType::RootPort) {
            return self.within_device(from, entry, |topology| {
                topology.in_root_complex(from, complex, entry, Some(to))
            });
        }
        self.in_root_complex(from, complex, entry, Some(to))
    }

    /// From one port, or integrated endpoint, of a root complex to another; `to` tells the window, if it is known.
    fn in_root_complex(&self, from: usize, complex: usize, entry: usize, to: Option<usize>) -> Route {
        let place = Place::RootComplex(complex);
        if !self.translated(from) {
            return Route::new(RouteKind::RootComplex, place, Because::NotTranslated);
        }
        if self.port_type(entry) == Some(PortType::RootPort) {
            let redirect = Place::Device(entry);
            if matches!(self.isolation(entry), Isolation::Quirk(_)) {
                return Route::new(RouteKind::Iommu, redirect, Because::KnownToIsolate);
            }
            if self.control(entry) & REQUEST_REDIRECT != 0 {
                let mut route = Route::new(RouteKind::Iommu, redirect, Because::Redirected);
                let ats = self.devices().get(from).is_some_and(|device| device.config.ats);
                route.translated_direct = ats && self.control(entry) & DIRECT_TRANSLATED != 0;
                return route;
            }
        }
        match self.root_complexes().get(complex).and_then(|complex| self.window_p2p(complex, to)) {
            Some(PeerToPeer::Intercepts) => {
                Route::new(RouteKind::RootComplex, place, Because::WindowIntercepts)
            }
            Some(PeerToPeer::Translates) => Route::new(RouteKind::Iommu, place, Because::WindowTranslates),
            None => Route::new(RouteKind::Unknown, place, Because::WindowUnknown),
        }
    }

    fn to_other_complex(&self, from: usize, complex: Option<usize>) -> Route {
        let place = complex.map_or(Place::Device(from), Place::RootComplex);
        if self.translated(from) {
            Route::new(RouteKind::Iommu, place, Because::OtherRootComplex)
        } else {
            Route::new(RouteKind::RootComplex, place, Because::NotTranslated)
        }
    }

    /// What the windows in which the registers of `to` lie do with requests; without a register that has a place, all
    /// memory windows. One that intercepts decides, and one of which nothing is known comes next.
    fn window_p2p(&self, complex: &RootComplex, to: Option<usize>) -> Option<PeerToPeer> {
        let memory = complex.windows.iter().filter(|window| window.kind != WindowKind::Io);
        let target = to.and_then(|to| self.devices().get(to));
        let bars = target.into_iter().flat_map(|device| &device.bars).filter(|bar| bar.kind != BarKind::Io);
        let places: Vec<_> = bars.filter_map(|bar| bar.at).collect();
        let counts = |window: &&Window| places.is_empty() || places.iter().any(|&at| window.cpu.contains(at));
        let answers: Vec<Option<PeerToPeer>> = memory.filter(counts).map(|window| window.p2p).collect();
        if answers.contains(&Some(PeerToPeer::Intercepts)) {
            return Some(PeerToPeer::Intercepts);
        }
        let all = !answers.is_empty() && answers.iter().all(|answer| *answer == Some(PeerToPeer::Translates));
        all.then_some(PeerToPeer::Translates)
    }

    fn port_type(&self, device: usize) -> Option<PortType> {
        self.devices().get(device)?.config.port_type
    }

    fn control(&self, device: usize) -> u16 {
        let acs = self.devices().get(device).and_then(|device| device.config.acs);
        acs.map_or(0, crate::facts::pci::AcsFact::effective_control)
    }

    fn translated(&self, device: usize) -> bool {
        self.devices().get(device).is_some_and(|device| device.translation.is_some())
    }
}

/// Rows of the listing: ports with the same way together.
fn collect(below: Place, rows: impl Iterator<Item = (usize, (Peers, Route))>, turns: &mut Vec<Turn>) {
    let mut by_route: BTreeMap<(Peers, Route), Vec<usize>> = BTreeMap::new();
    for (entry, (to, mut route)) in rows {
        for (place, _) in &mut route.because {
            if *place == Place::Device(entry) {
                *place = Place::Entry;
            }
        }
        by_route.entry((to, route)).or_default().push(entry);
    }
    turns.extend(by_route.into_iter().map(|((to, route), from)| Turn { below, from, to, route }));
}
