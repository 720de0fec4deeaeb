//! Peer-to-peer routes for people and programs: at each bridge and root complex, where requests go that enter through its
//! ports, or the route from one function to another.

use schemars::JsonSchema;
use serde::Serialize;

use crate::host::Host;
use crate::host::topology::Topology;
use crate::host::topology::p2p::{Peers, Place, Route, RouteKind};
use crate::ids::PciAddress;

/// Where requests go that enter through some ports: every pair of functions follows from these rows.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Turn {
    /// The bridge or root complex that the ports are below.
    pub below: String,
    /// The ports, or functions, through which the requests come.
    pub from: Vec<PciAddress>,
    /// Whom they are for: `same-device`, `same-parent` or `other-root-complexes`.
    pub to: &'static str,
    /// What becomes of them.
    #[serde(flatten)]
    pub way: Way,
}

/// The route from one function to another.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Pair {
    /// Who sends the request.
    pub from: PciAddress,
    /// Whose register it names.
    pub to: PciAddress,
    /// What becomes of it.
    #[serde(flatten)]
    pub way: Way,
}

/// What becomes of a request.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct Way {
    /// `direct`, `root-complex`, `iommu` or `unknown`.
    pub route: &'static str,
    /// What it meets, from the sender upwards.
    pub because: Vec<String>,
    /// Whether requests that the sender had translated (ATS) go directly all the same.
    pub translated_direct: bool,
}

impl Way {
    /// The route in words.
    #[must_use]
    pub fn words(&self) -> &'static str {
        ROUTES.iter().find(|(_, word, _)| *word == self.route).map_or("not known", |(.., words)| words)
    }
}

const ROUTES: &[(RouteKind, &str, &str)] = &[
    (RouteKind::Direct, "direct", "directly, the IOMMU does not see it"),
    (RouteKind::RootComplex, "root-complex", "through the root complex, not translated"),
    (RouteKind::Iommu, "iommu", "through the IOMMU"),
    (RouteKind::Unknown, "unknown", "not known"),
];

/// What happens at each bridge and root complex.
#[must_use]
pub fn turns(host: &Host) -> Vec<Turn> {
    let topology = Topology::new(host);
    let turn = |turn: crate::host::topology::p2p::Turn| Turn {
        below: place(host, turn.below),
        from: turn.from.iter().filter_map(|&device| Some(host.devices.get(device)?.address)).collect(),
        to: match turn.to {
            Peers::SameDevice => "same-device",
            Peers::SameParent => "same-parent",
            Peers::OtherRootComplexes => "other-root-complexes",
        },
        way: way(host, &turn.route),
    };
    topology.p2p_turns().into_iter().map(turn).collect()
}

/// The route between two functions, if the host has both.
#[must_use]
pub fn pair(host: &Host, from: PciAddress, to: PciAddress) -> Option<Pair> {
    let topology = Topology::new(host);
    let route = topology.p2p(topology.find(from)?, topology.find(to)?);
    Some(Pair { from, to, way: way(host, &route) })
}

fn way(host: &Host, route: &Route) -> Way {
    let row = ROUTES.iter().find(|(kind, ..)| *kind == route.kind);
    Way {
        route: row.map_or("unknown", |(_, word, _)| word),
        because: route.because.iter().map(|&(at, why)| format!("{} {why}", place(host, at))).collect(),
        translated_direct: route.translated_direct,
    }
}

fn place(host: &Host, place: Place) -> String {
    let name = match place {
        Place::Device(device) => host.devices.get(device).map(|device| device.address.to_string()),
        Place::RootComplex(complex) => host.root_complexes.get(complex).map(|complex| complex.name.clone()),
        Place::Entry => Some("the port".to_owned()),
    };
    name.unwrap_or_default()
}
