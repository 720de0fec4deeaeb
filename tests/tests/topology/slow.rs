//! Random hosts against slow and obvious implementations of grouping and of peer-to-peer routes.

use std::collections::BTreeMap;

use planner_core::facts::pci::PortType;
use planner_core::host::topology::Topology;
use planner_core::host::topology::groups::groups;
use planner_core::host::topology::p2p::{Peers, Place, RouteKind};
use planner_core::host::{Device, Host};
use proptest::prelude::*;

use super::resolved;

/// A tree of ports: each line a device, below the bridge of a random earlier line.
fn description() -> impl Strategy<Value = String> {
    let acs = prop_oneof![
        Just("acs 0x0"),
        Just("acs 0x5f"),
        Just("acs 0x5f control 0x1d"),
        Just("acs 0x5f control 0x11"),
        Just("acs 0x5f control 0x5"),
        Just("acs 0x7f control 0x31"),
        Just(""),
    ];
    let node = (any::<prop::sample::Index>(), 0..7_usize, acs, any::<bool>(), 0..4_u8, 0..3_u8);
    let p2p = prop_oneof![Just(""), Just("intercepts-p2p"), Just("no-p2p")];
    (prop::collection::vec(node, 1..24), p2p, any::<bool>()).prop_map(|(nodes, p2p, translated)| {
        let mut buses: Vec<(u8, u8)> = vec![(0, 0)];
        let mut taken = std::collections::BTreeSet::new();
        let mut text = String::new();
        for (parent, kind, acs, multifunction, slot, function) in nodes {
            let (bus, of) = buses[parent.index(buses.len())];
            if !taken.insert((bus, slot, function)) {
                continue;
            }
            let next = u8::try_from(buses.len()).unwrap();
            let port_type = match (kind, of) {
                (0 | 1, 0) => "root-port",
                (0 | 1, 2) => "downstream-port",
                (0 | 1, _) => "upstream-port",
                (2, _) => "pcie-to-pci-bridge",
                (3, _) => "conventional",
                (4, 0) => "rc-endpoint",
                _ => "endpoint",
            };
            let bridge = kind < 3 || kind == 3 && multifunction;
            let several = if multifunction { "multifunction" } else { "" };
            let below = if bridge { format!("buses {next}..=0xff") } else { String::new() };
            text += &format!(
                "device {bus:02x}:{slot:02x}.{function} {{ type {port_type} {several} {below} {acs} }}\n"
            );
            if bridge {
                buses.push((next, if port_type == "upstream-port" { 2 } else { 1 }));
            }
        }
        let smmu = if translated { "smmu smmu0" } else { "" };
        format!(
            "host test {{ arch aarch64 kernel linux 6.12 {{ page 4K }} smmu smmu0
    root-complex pcie0 {{ {smmu} window mem32 0x1000_0000 + 256M {p2p}
{text} }} }}"
        )
    })
}

/// Bridges above a function, nearest first: whoever has its bus as secondary one, and so on.
fn above(host: &Host, device: &Device) -> Vec<usize> {
    let mut bus = device.address.bus();
    let mut found = Vec::new();
    while bus != 0 {
        let bridge = host
            .devices
            .iter()
            .position(|other| other.config.buses.is_some_and(|buses| buses.secondary == bus));
        let Some(bridge) = bridge else { break };
        found.push(bridge);
        bus = host.devices[bridge].address.bus();
    }
    found
}

fn isolates(device: &Device) -> bool {
    let controls = || match device.config.acs {
        None => true,
        Some(acs) if acs.is_absent() => false,
        Some(acs) => acs.effective_control() & 0x1d & acs.capability == 0x1d & acs.capability,
    };
    match device.config.port_type.unwrap() {
        PortType::RootPort | PortType::DownstreamPort => controls(),
        PortType::Conventional | PortType::PcieToPciBridge => false,
        _ => !device.config.multifunction || controls(),
    }
}

/// The groups by repeated joining: the kernel's conditions taken as a relation, not as a walk.
fn slow_groups(host: &Host) -> Vec<Vec<String>> {
    let mut number: BTreeMap<usize, usize> = BTreeMap::new();
    let all: Vec<usize> = (0..host.devices.len()).collect();
    for &index in all.iter().filter(|&&index| host.devices[index].translation.is_some()) {
        let device = &host.devices[index];
        let bridges = above(host, device);
        // The topmost bridge that takes ownership of DMA, or the function itself.
        let owner = bridges.iter().rposition(|&bridge| {
            matches!(
                host.devices[bridge].config.port_type,
                Some(PortType::PcieToPciBridge | PortType::Conventional)
            )
        });
        let joins_alias = bridges.iter().find(|&&bridge| {
            let owns = matches!(
                host.devices[bridge].config.port_type,
                Some(PortType::PcieToPciBridge | PortType::Conventional)
            );
            owns && number.contains_key(&bridge)
        });
        let from = owner.map_or(0, |owner| owner + 1);
        // Bridges, bottom up, as long as something from there on up does not isolate.
        let open: Vec<usize> = (from..bridges.len())
            .take_while(|&at| !bridges[at..].iter().all(|&bridge| isolates(&host.devices[bridge])))
            .map(|at| bridges[at])
            .collect();
        let top = open.last().copied().or(owner.map(|owner| bridges[owner])).unwrap_or(index);
        let slot = |other: usize| {
            let (one, other) = (&host.devices[top], &host.devices[other]);
            one.address.bus() == other.address.bus() && one.address.device() == other.address.device()
        };
        let sibling = all.iter().find(|&&other| {
            let loose = host.devices[top].config.multifunction && !isolates(&host.devices[top]);
            loose && slot(other) && !isolates(&host.devices[other]) && number.contains_key(&other)
        });
        let joined = joins_alias
            .or(open.iter().find(|bridge| number.contains_key(bridge)))
            .or(sibling)
            .map(|member| number[member]);
        let fresh = number.values().max().map_or(0, |most| most + 1);
        number.insert(index, joined.unwrap_or(fresh));
    }
    let mut groups: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (index, group) in number {
        groups.entry(group).or_default().push(host.devices[index].address.to_string());
    }
    groups.into_values().collect()
}

/// The kind of way, by following the request bridge by bridge.
fn slow_kind(host: &Host, from: usize, to: usize) -> RouteKind {
    let path = |device: usize| {
        let mut path = vec![device];
        path.extend(above(host, &host.devices[device]));
        path
    };
    let (mut up, down) = (path(from), path(to));
    if up.contains(&to) || down.contains(&from) {
        return RouteKind::Unknown;
    }
    // The first bridge on the way up that is also above the peer.
    let meet = up.iter().position(|bridge| down.contains(bridge));
    let entry = meet.map_or(up[up.len() - 1], |at| up[at - 1]);
    let exit = match meet {
        Some(at) => down[down.iter().position(|&bridge| bridge == up[at]).unwrap() - 1],
        None => down[down.len() - 1],
    };
    let kind = |device: usize| host.devices[device].config.port_type.unwrap();
    let control = |device: usize| host.devices[device].config.acs.map_or(0, |acs| acs.effective_control());
    let translated = host.devices[from].translation.is_some();
    let root = |entry: usize| {
        if !translated {
            return RouteKind::RootComplex;
        }
        if kind(entry) == PortType::RootPort && control(entry) & 4 != 0 {
            return RouteKind::Iommu;
        }
        match host.root_complexes[0].windows[0].p2p.map(|p2p| p2p.word()) {
            Some("intercepts-p2p") => RouteKind::RootComplex,
            Some(_) => RouteKind::Iommu,
            None => RouteKind::Unknown,
        }
    };
    let same = |one: usize, other: usize| {
        let (one, other) = (host.devices[one].address, host.devices[other].address);
        (one.bus(), one.device()) == (other.bus(), other.device())
    };
    let bridges = meet.map(|at| up.split_off(at)).unwrap_or_default();
    let climb = || {
        for &port in &bridges {
            if !matches!(kind(port), PortType::RootPort | PortType::DownstreamPort) {
                continue;
            }
            if host.devices[port].config.acs.is_none() || control(port) & 0x10 == 0 {
                return RouteKind::Unknown;
            }
        }
        if translated { RouteKind::Iommu } else { RouteKind::RootComplex }
    };
    let inside = |after: &dyn Fn() -> RouteKind| {
        let device = &host.devices[entry];
        let port = matches!(kind(entry), PortType::RootPort | PortType::DownstreamPort);
        match (kind(entry), device.config.acs) {
            (PortType::Conventional, _) => RouteKind::Direct,
            (PortType::PcieToPciBridge, _) => after(),
            _ if !port && !device.config.multifunction => after(),
            (_, None) => RouteKind::Unknown,
            (_, Some(acs)) if acs.is_absent() => RouteKind::Direct,
            _ if control(entry) & 4 != 0 => after(),
            _ if control(entry) & 0x20 != 0 => RouteKind::Unknown,
            _ => RouteKind::Direct,
        }
    };
    match meet {
        None if same(entry, exit) && kind(entry) != PortType::RootPort => inside(&|| root(entry)),
        None => root(entry),
        Some(_) => match kind(bridges[0]) {
            PortType::PcieToPciBridge | PortType::Conventional => RouteKind::Direct,
            _ if kind(entry) == PortType::Conventional => RouteKind::Direct,
            _ => inside(&climb),
        },
    }
}

proptest! {
    #[test]
    fn groups_are_those_of_the_slow_way(text in description()) {
        let (host, _) = resolved(&text);
        let found = groups(&Topology::new(&host), &host.iommus, host.kernel.version);
        let fast: Vec<Vec<String>> =
            found.groups.iter().map(|group| group.devices.iter().map(ToString::to_string).collect()).collect();
        prop_assert_eq!(fast, slow_groups(&host), "{}", text);
    }

    #[test]
    fn routes_are_those_of_the_slow_way(text in description()) {
        let (host, _) = resolved(&text);
        let topology = Topology::new(&host);
        for from in 0..host.devices.len() {
            for to in 0..host.devices.len() {
                let route = topology.p2p(from, to);
                prop_assert_eq!(route.kind, slow_kind(&host, from, to), "{} to {}\n{}", from, to, text);
            }
        }
    }

    /// Every pair's way is the one of the row for the port where its request turns.
    #[test]
    fn the_listing_covers_every_pair(text in description()) {
        let (host, _) = resolved(&text);
        let topology = Topology::new(&host);
        let turns = topology.p2p_turns();
        let rows: usize = turns.iter().map(|turn| turn.from.len()).sum();
        prop_assert!(rows <= 2 * host.devices.len());
        for from in 0..host.devices.len() {
            for to in 0..host.devices.len() {
                let Some((below, entry, peers)) = turn_of(&host, from, to) else { continue };
                let row: Vec<RouteKind> = turns
                    .iter()
                    .filter(|turn| turn.below == below && turn.to == peers && turn.from.contains(&entry))
                    .map(|turn| turn.route.kind)
                    .collect();
                prop_assert_eq!(row, [topology.p2p(from, to).kind], "{} to {}\n{}", from, to, text);
            }
        }
    }
}

/// Where the request turns: below which bridge or root complex, through which port it came there, and whether to a function
/// of the same device. `None` for a bridge and what is below it.
fn turn_of(host: &Host, from: usize, to: usize) -> Option<(Place, usize, Peers)> {
    let path = |device: usize| {
        let mut path = above(host, &host.devices[device]);
        path.insert(0, device);
        path
    };
    let (up, down) = (path(from), path(to));
    if up.contains(&to) || down.contains(&from) {
        return None;
    }
    let meet = up.iter().position(|bridge| down.contains(bridge));
    let entry = up[meet.unwrap_or(up.len()) - 1];
    let exit =
        down[meet.and_then(|at| down.iter().position(|&bridge| bridge == up[at])).unwrap_or(down.len()) - 1];
    let slot = |device: usize| (host.devices[device].address.bus(), host.devices[device].address.device());
    let peers = if slot(entry) == slot(exit) { Peers::SameDevice } else { Peers::SameParent };
    Some((meet.map_or(Place::RootComplex(0), |at| Place::Device(up[at])), entry, peers))
}
