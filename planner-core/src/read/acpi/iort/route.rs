//! Where the requesters of a root complex end up: Linux's way through the ID mappings (iort_node_map_id and iort_id_map in
//! drivers/acpi/arm64/iort.c), for ranges of IDs at once.
//!
//! The number in an ID mapping is that of its IDs less one. Firmware that forgot the "less one" has ranges one too long,
//! which Linux mends where the next range shows it: the last ID of a range belongs to the range that begins there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::codes;
use super::super::id_map::IdMap;
use super::super::limits::MOST_STEPS;
use super::{IdMapping, Iort, Node, NodeKind};
use crate::addr::grouped_hex;
use crate::diag::{Diagnostic, Origin};
use crate::ids::RequesterId;
use crate::read::capture::log::Log;

/// Nodes on the longest way: root complex, SMMU and ITS group are three.
const LONGEST_CHAIN: usize = 8;

/// What a way leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Goal {
    /// An SMMU of any version.
    Smmu,
    /// An ITS group.
    ItsGroup,
}

/// A range of requesters and where it ends up.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Route {
    pub(super) first: RequesterId,
    pub(super) last: RequesterId,
    /// Index of the node that it leads to.
    pub(super) node: usize,
    /// The ID under which the first requester arrives.
    pub(super) id: u32,
    /// Whether all arrive under that ID.
    pub(super) shared: bool,
    /// The mapping of the root complex.
    pub(super) origin: Origin,
}

/// The nodes with their mappings made ready.
pub(super) struct Routes<'a> {
    nodes: &'a [Node],
    maps: Vec<IdMap<Step>>,
    by_offset: BTreeMap<u32, usize>,
    /// How many more steps from node to node there may be, of all routes together.
    steps_left: usize,
    /// Nodes at which something is wrong, of which enough was said.
    reported: BTreeSet<usize>,
}

/// A mapping, as the value of a range of IDs.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Index in the list of mappings.
    mapping: usize,
    /// Whether all IDs go out as one.
    single: bool,
}

/// A range of requesters on its way.
struct Way {
    requesters: (u32, u32),
    node: usize,
    id: u32,
    shared: bool,
    nodes: usize,
    origin: Origin,
}

impl<'a> Routes<'a> {
    /// Reports what is wrong with the mappings of the nodes on the way.
    pub(super) fn new(iort: &'a Iort, log: &mut Log) -> Self {
        let nodes = iort.nodes.as_slice();
        let offsets = nodes.iter().enumerate().map(|(index, node)| (node.at, index));
        let maps = nodes.iter().map(|node| map(node, log)).collect();
        Self { nodes, maps, by_offset: offsets.collect(), steps_left: MOST_STEPS, reported: BTreeSet::new() }
    }

    /// The node that begins at this offset of the table.
    pub(super) fn node_at(&self, offset: u32) -> Option<usize> {
        self.by_offset.get(&offset).copied()
    }

    /// Where the requesters of a root complex end up, ascending.
    pub(super) fn from(&mut self, root: usize, goal: Goal, log: &mut Log) -> Vec<Route> {
        let mut routes = Vec::new();
        let start = Way {
            requesters: (0, 0xffff),
            node: root,
            id: 0,
            shared: false,
            nodes: 1,
            origin: Origin::Unstated,
        };
        let mut ways = vec![start];
        while let Some(way) = ways.pop() {
            let Some(node) = self.nodes.get(way.node) else { continue };
            if goal.is(&node.kind) {
                routes.extend(arrive(way));
            } else if way.nodes >= LONGEST_CHAIN {
                if self.reported.insert(way.node) {
                    log.push(endless(node, &way));
                }
            } else {
                self.step(&way, node, &mut ways, log);
            }
        }
        routes.sort_by_key(|route: &Route| route.first);
        joined(routes)
    }

    /// One node further.
    fn step(&mut self, way: &Way, node: &Node, ways: &mut Vec<Way>, log: &mut Log) {
        let Some(map) = self.maps.get(way.node) else { return };
        let (first, last) = way.requesters;
        let end = if way.shared { way.id } else { way.id.saturating_add(last.saturating_sub(first)) };
        for (from, to, step) in unsplit(map.pieces(way.id, end)) {
            let Some(left) = self.steps_left.checked_sub(1) else {
                if self.reported.insert(way.node) {
                    let message =
                        format!("the root complexes have more than {MOST_STEPS} ranges of requesters");
                    log.push(Diagnostic::new(&codes::TOO_MANY, way.origin.clone(), message));
                }
                return;
            };
            self.steps_left = left;
            let Some(mapping) = node.mappings.get(step.mapping) else { continue };
            let Some(&next) = self.by_offset.get(&mapping.reference) else {
                if self.reported.insert(way.node) {
                    log.push(dangling(node, mapping));
                }
                continue;
            };
            let before = from.saturating_sub(way.id);
            let requesters = if way.shared {
                way.requesters
            } else {
                (first.saturating_add(before), first.saturating_add(to.saturating_sub(way.id)))
            };
            let shift = if step.single { 0 } else { from.saturating_sub(mapping.input) };
            let origin = if way.nodes == 1 { mapping.origin.clone() } else { way.origin.clone() };
            ways.push(Way {
                requesters,
                node: next,
                id: mapping.output.saturating_add(shift),
                shared: way.shared || step.single,
                nodes: way.nodes.saturating_add(1),
                origin,
            });
        }
    }
}

/// Neighbours that have the same mapping, as one: its last ID stands apart as long as it is doubtful.
fn unsplit(pieces: impl Iterator<Item = (u32, u32, Step)>) -> Vec<(u32, u32, Step)> {
    let mut whole: Vec<(u32, u32, Step)> = Vec::new();
    for (from, to, step) in pieces {
        match whole.last_mut() {
            Some((_, last, before))
                if before.mapping == step.mapping && last.checked_add(1) == Some(from) =>
            {
                *last = to;
            }
            _ => whole.push((from, to, step)),
        }
    }
    whole
}

fn arrive(way: Way) -> Option<Route> {
    Some(Route {
        first: RequesterId(u16::try_from(way.requesters.0).ok()?),
        last: RequesterId(u16::try_from(way.requesters.1).ok()?),
        node: way.node,
        id: way.id,
        shared: way.shared && way.requesters.0 != way.requesters.1,
        origin: way.origin,
    })
}

impl Goal {
    fn is(self, kind: &NodeKind) -> bool {
        match self {
            Self::Smmu => matches!(kind, NodeKind::Smmu { .. } | NodeKind::SmmuV3 { .. }),
            Self::ItsGroup => matches!(kind, NodeKind::ItsGroup { .. }),
        }
    }
}

/// Which mapping of a node takes an ID.
fn map(node: &Node, log: &mut Log) -> IdMap<Step> {
    let mut map = IdMap::default();
    // Last IDs of ranges that are perhaps one too long.
    let mut doubtful: BTreeSet<u32> = BTreeSet::new();
    let own = match node.kind {
        NodeKind::SmmuV3 { own_mapping, .. } => own_mapping,
        _ => None,
    };
    // A reference of zero in the first mapping ends Linux's search. Nothing is searched in RMR nodes.
    let usable = node.mappings.first().is_some_and(|first| first.reference != 0)
        && !matches!(node.kind, NodeKind::Rmr { .. });
    for (index, mapping) in
        node.mappings.iter().enumerate().filter(|(index, _)| usable && Some(*index) != own)
    {
        let step = Step { mapping: index, single: mapping.single };
        if mapping.single {
            if matches!(node.kind, NodeKind::NamedComponent { .. } | NodeKind::RootComplex { .. }) {
                doubtful.iter().for_each(|&id| map.replace_single(id, step));
                map.fill(0, u32::MAX, step);
                break;
            }
            log.push(misplaced_single(node, mapping));
            continue;
        }
        if take_over(mapping, &mut doubtful) {
            map.replace_single(mapping.input, step);
            log.push(one_too_long(node, mapping));
            take(mapping, step, mapping.input.checked_add(1), &mut map, &mut doubtful, log);
        } else {
            take(mapping, step, Some(mapping.input), &mut map, &mut doubtful, log);
        }
    }
    map
}

/// Whether the mapping begins where another ends, and so has the ID that both claim.
fn take_over(mapping: &IdMapping, doubtful: &mut BTreeSet<u32>) -> bool {
    doubtful.remove(&mapping.input)
}

/// Gives the IDs of a mapping, from this one on, to it.
fn take(
    mapping: &IdMapping,
    step: Step,
    first: Option<u32>,
    map: &mut IdMap<Step>,
    doubtful: &mut BTreeSet<u32>,
    log: &mut Log,
) {
    let room = (u32::MAX - mapping.input).min(u32::MAX - mapping.output);
    if mapping.count_less_one > room {
        let message = format!(
            "{} IDs from {} to {} pass 0xffff_ffff",
            u64::from(mapping.count_less_one).saturating_add(1),
            grouped_hex(mapping.input.into()),
            grouped_hex(mapping.output.into())
        );
        log.push(Diagnostic::new(&codes::IDS_END, mapping.origin.clone(), message));
    }
    let last = mapping.input.saturating_add(mapping.count_less_one.min(room));
    let Some(first) = first.filter(|&first| first <= last) else { return };
    let single_id = mapping.count_less_one == 0;
    let inner = if single_id { Some(last) } else { last.checked_sub(1) };
    let mut overlaps = inner.is_some_and(|inner| map.fill(first, inner, step));
    if !single_id {
        let taken = map.fill(last, last, step);
        overlaps |= taken;
        if !taken {
            doubtful.insert(last);
        }
    }
    if overlaps {
        let message = format!(
            "IDs from {} to {} are mapped by an earlier mapping too, which wins",
            grouped_hex(first.into()),
            grouped_hex(last.into())
        );
        log.push(Diagnostic::new(&codes::OVERLAP, mapping.origin.clone(), message));
    }
}

fn one_too_long(node: &Node, mapping: &IdMapping) -> Diagnostic {
    let message = format!(
        "ID {} of the node at {:#x} ends one mapping and begins another: it belongs to the one that it begins",
        grouped_hex(mapping.input.into()),
        node.at
    );
    Diagnostic::new(&codes::OVERLAP, mapping.origin.clone(), message).note(
        "the number in a mapping is that of its IDs less one; the earlier mapping is probably one too long",
    )
}

fn misplaced_single(node: &Node, mapping: &IdMapping) -> Diagnostic {
    let message =
        format!("the node at {:#x} is neither component nor root complex and has a single mapping", node.at);
    Diagnostic::new(&codes::SINGLE, mapping.origin.clone(), message)
}

fn dangling(node: &Node, mapping: &IdMapping) -> Diagnostic {
    let message = format!(
        "the node at {:#x} maps IDs to offset {:#x}, where no node begins",
        node.at, mapping.reference
    );
    Diagnostic::new(&codes::DANGLING, mapping.origin.clone(), message)
}

fn endless(node: &Node, way: &Way) -> Diagnostic {
    let message = format!(
        "requesters {:#x}..={:#x} are sent through {LONGEST_CHAIN} nodes, the last of them at {:#x}, and arrive nowhere",
        way.requesters.0, way.requesters.1, node.at
    );
    Diagnostic::new(&codes::CHAIN, way.origin.clone(), message)
}

/// Neighbours that one mapping sends to one node under IDs that go on, as one.
fn joined(routes: Vec<Route>) -> Vec<Route> {
    let mut joined: Vec<Route> = Vec::with_capacity(routes.len());
    for route in routes {
        if let Some(last) = joined.last_mut().filter(|last| goes_on(last, &route)) {
            last.last = route.last;
        } else {
            joined.push(route);
        }
    }
    joined
}

fn goes_on(before: &Route, after: &Route) -> bool {
    let width = u32::from(before.last.0.saturating_sub(before.first.0)).saturating_add(1);
    before.last.0.checked_add(1) == Some(after.first.0)
        && before.node == after.node
        && before.origin == after.origin
        && !before.shared
        && !after.shared
        && before.id.checked_add(width) == Some(after.id)
}
