//! The IOMMU groups that Linux would form: `pci_device_group` of drivers/iommu/iommu.c, function after function in the
//! order in which Linux enumerates them, each with the reason why it joins an older group.
//!
//! Only functions that an IOMMU translates for have a group. Numbers count up from 0 in that order, as they do where
//! all functions are there when the IOMMU's driver comes up; a running host may have given numbers to other devices
//! first, so groups are compared by their members ([`super::compare`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Topology;
use super::acs::Isolation;
use super::alias::has_devfn_alias;
use crate::facts::host::IommuModel;
use crate::host::{Device, Iommu};
use crate::ids::{PciAddress, RequesterId, StreamId};
use crate::version::KernelVersion;

/// Since when the second device under one stream ID of an SMMUv3 gets no group (rule `K-STREAMALIAS`).
pub const STREAM_ALIAS_SINCE: KernelVersion = KernelVersion::new(7, 3);
/// Since when a device below a bridge to PCI makes all groups of a virtio-iommu vanish (rule `K-VIOMMUVANISH`).
pub const VIOMMU_VANISH_SINCE: KernelVersion = KernelVersion::new(7, 3);

/// A group that Linux would form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PredictedGroup {
    /// Its functions, ascending by address.
    pub devices: Vec<PciAddress>,
    /// Why each of them but the first is in it, in the order in which they join.
    pub joined: Vec<Joined>,
}

/// A function that joined a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The function.
    pub device: PciAddress,
    /// The member for whose sake it joined.
    pub because_of: PciAddress,
    /// Why.
    pub why: Why,
}

/// Why a function joins a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Its DMA arrives under the requester ID of a bridge to PCI.
    BridgeAlias(RequesterId),
    /// One of the two sends DMA under the requester ID of the other.
    DevfnAlias,
    /// A port above it does not isolate.
    OpenPort(PciAddress, Isolation),
    /// Functions of one device that do not isolate.
    OpenFunction(Isolation),
    /// Both have this stream ID.
    SharedStream(StreamId),
}

/// `0000:05:01.0 joins 0000:04:00.0: its DMA arrives under the bridge's requester ID 0x500`
impl fmt::Display for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, because_of, why } = self;
        write!(f, "{device} joins {because_of}: ")?;
        match why {
            Why::BridgeAlias(requester) => {
                write!(f, "its DMA arrives under the bridge's requester ID {requester}")
            }
            Why::DevfnAlias => f.write_str("one sends DMA under the requester ID of the other"),
            Why::OpenPort(port, isolation) => write!(f, "the port {port} {isolation}"),
            Why::OpenFunction(isolation) => write!(f, "a function of the same device that {isolation}"),
            Why::SharedStream(stream) => write!(f, "both have the stream ID {stream}"),
        }
    }
}

/// Why a function that an IOMMU translates for has no group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoGroup {
    /// An SMMUv3 takes one device for a stream ID, and this one was first.
    StreamTaken(PciAddress),
    /// A virtio-iommu takes no device whose DMA arrives under two requester IDs.
    BelowPciBridge(RequesterId),
    /// This device, below a bridge to PCI, made all groups vanish.
    Vanished(PciAddress),
}

/// In a sentence about the function.
impl fmt::Display for NoGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamTaken(first) => write!(f, "the SMMU knows {first} by the same stream ID"),
            Self::BelowPciBridge(requester) => {
                write!(f, "its DMA arrives under {requester} too, and virtio-iommu takes one ID only")
            }
            Self::Vanished(device) => {
                write!(f, "{device} is below a bridge to PCI, which virtio-iommu cannot take")
            }
        }
    }
}

/// The groups of a host.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grouping {
    /// The groups by number, from 0.
    pub groups: Vec<PredictedGroup>,
    /// Functions behind an IOMMU that get no group, ascending by address.
    pub without: Vec<(PciAddress, NoGroup)>,
}

/// The groups that this kernel would form, with these IOMMUs in the order to which translations refer.
#[must_use]
pub fn groups(topology: &Topology<'_>, iommus: &[Iommu], kernel: KernelVersion) -> Grouping {
    let order = enumeration(topology);
    if let Some(culprit) = vanishing(topology, iommus, kernel, &order) {
        let mut without: Vec<_> = order
            .iter()
            .filter_map(|&index| topology.devices().get(index))
            .map(|device| (device.address, NoGroup::Vanished(culprit)))
            .collect();
        without.sort_unstable_by_key(|(address, _)| *address);
        return Grouping { groups: Vec::new(), without };
    }
    let mut formation = Formation {
        topology,
        iommus,
        kernel,
        aliased: topology
            .devices()
            .iter()
            .filter(|device| has_devfn_alias(device))
            .map(|device| (device.address.segment(), device.address.bus()))
            .collect(),
        group_of: vec![None; topology.devices().len()],
        streams: BTreeMap::new(),
        result: Grouping::default(),
    };
    for index in order {
        formation.add(index);
    }
    let mut result = formation.result;
    result.groups.iter_mut().for_each(|group| group.devices.sort_unstable());
    result.without.sort_unstable_by_key(|(address, _)| *address);
    result
}

/// The functions behind an IOMMU in the order in which Linux meets them: one root complex after the other, each bus
/// before those below it, which is the order of addresses; virtual functions when the others are there.
fn enumeration(topology: &Topology<'_>) -> Vec<usize> {
    let devices = topology.devices().iter().enumerate();
    let mut order: Vec<(bool, Option<usize>, usize)> = devices
        .filter(|(_, device)| device.translation.is_some())
        .map(|(index, device)| (device.config.physical_function.is_some(), device.root_complex, index))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, _, index)| index).collect()
}

fn iommu<'i>(iommus: &'i [Iommu], device: &Device) -> Option<&'i Iommu> {
    iommus.get(device.translation.as_ref()?.iommu)
}

/// The requester ID of the bridge that takes ownership of a function's DMA.
fn bridge_alias(topology: &Topology<'_>, device: usize) -> Option<RequesterId> {
    let own = topology.devices().get(device)?.address.requester_id();
    topology.dma_requester(device).filter(|&requester| requester != own)
}

/// The device below a bridge to PCI that makes the groups of a virtio-iommu vanish.
fn vanishing(
    topology: &Topology<'_>,
    iommus: &[Iommu],
    kernel: KernelVersion,
    order: &[usize],
) -> Option<PciAddress> {
    if kernel < VIOMMU_VANISH_SINCE {
        return None;
    }
    order.iter().find_map(|&index| {
        let device = topology.devices().get(index)?;
        let of_virtio = iommu(iommus, device)?.model == IommuModel::VirtioIommu;
        (of_virtio && bridge_alias(topology, index).is_some()).then_some(device.address)
    })
}

/// What an IOMMU knows a function by: a stream ID, or where that is not known, what it would be made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum StreamKey {
    Stream(usize, StreamId),
    Requester(usize, u16, RequesterId),
}

struct Formation<'t, 'h> {
    topology: &'t Topology<'h>,
    iommus: &'t [Iommu],
    kernel: KernelVersion,
    /// Buses with a function that sends DMA under another's requester ID. They are rare, and looked through whole.
    aliased: BTreeSet<(u16, u8)>,
    /// Number of the group of each function.
    group_of: Vec<Option<usize>>,
    /// The first function under each stream ID.
    streams: BTreeMap<StreamKey, usize>,
    result: Grouping,
}

impl Formation<'_, '_> {
    fn device(&self, index: usize) -> Option<&Device> {
        self.topology.devices().get(index)
    }

    fn address(&self, index: usize) -> PciAddress {
        let nowhere = PciAddress::from_requester(0, RequesterId(0));
        self.device(index).map_or(nowhere, |device| device.address)
    }

    fn group(&self, index: usize) -> Option<usize> {
        self.group_of.get(index).copied().flatten()
    }

    fn add(&mut self, index: usize) {
        let address = self.address(index);
        let joined = match self.through_stream(index) {
            Err(reason) => {
                self.result.without.push((address, reason));
                return;
            }
            Ok(Some(first)) if self.asks_for_streams_first(index) => Some(first),
            Ok(first) => self.through_bus(index).or(first),
        };
        let number = match joined {
            Some((member, why)) => {
                let Some(number) = self.group(member) else { return };
                let because_of = self.address(member);
                if let Some(group) = self.result.groups.get_mut(number) {
                    group.devices.push(address);
                    group.joined.push(Joined { device: address, because_of, why });
                }
                number
            }
            None => {
                self.result.groups.push(PredictedGroup { devices: vec![address], joined: Vec::new() });
                self.result.groups.len().saturating_sub(1)
            }
        };
        if let Some(group) = self.group_of.get_mut(index) {
            *group = Some(number);
        }
    }

    /// What the IOMMU's driver has to say before the bus is looked at: the member of the group to join, if any.
    fn through_stream(&mut self, index: usize) -> Result<Option<(usize, Why)>, NoGroup> {
        let alias = bridge_alias(self.topology, index);
        let Some(device) = self.device(index) else { return Ok(None) };
        let Some(translation) = device.translation.clone() else { return Ok(None) };
        let model = iommu(self.iommus, device).map(|iommu| iommu.model);
        if let Some(requester) = alias.filter(|_| model == Some(IommuModel::VirtioIommu)) {
            return Err(NoGroup::BelowPciBridge(requester));
        }
        let own = device.address.requester_id();
        let key = match translation.stream {
            Some(stream) => StreamKey::Stream(translation.iommu, stream),
            None => StreamKey::Requester(translation.iommu, device.address.segment(), alias.unwrap_or(own)),
        };
        let first = *self.streams.entry(key).or_insert(index);
        if first == index {
            return Ok(None);
        }
        if model.is_some_and(IommuModel::is_smmuv3) && self.kernel >= STREAM_ALIAS_SINCE {
            return Err(NoGroup::StreamTaken(self.address(first)));
        }
        Ok(translation.stream.map(|stream| (first, Why::SharedStream(stream))))
    }

    /// Whether the IOMMU's driver joins whom it knows by the stream ID before it looks at the bus:
    /// `arm_smmu_device_group` in drivers/iommu/arm/arm-smmu/arm-smmu.c does.
    fn asks_for_streams_first(&self, index: usize) -> bool {
        let model = self.device(index).and_then(|device| iommu(self.iommus, device)).map(|iommu| iommu.model);
        model.is_some_and(|model| model.is_smmu() && !model.is_smmuv3())
    }

    /// `pci_device_group`: the member of the group to join, if any.
    fn through_bus(&self, index: usize) -> Option<(usize, Why)> {
        let mut cursor = index;
        for alias in self.topology.dma_aliases(index) {
            cursor = alias.device;
            if alias.device != index && self.group(cursor).is_some() {
                return Some((cursor, Why::BridgeAlias(alias.requester)));
            }
        }
        while let Some(bridge) = self.topology.bridge_above(cursor) {
            let Some((port, isolation)) = self.topology.first_open_port(bridge) else { break };
            cursor = bridge;
            if self.group(cursor).is_some() {
                return Some((cursor, Why::OpenPort(self.address(port), isolation)));
            }
        }
        let mut visited = BTreeSet::new();
        let alias = self.through_devfn(cursor, &mut visited).map(|member| (member, Why::DevfnAlias));
        alias.or_else(|| self.through_slot(cursor, &mut visited))
    }

    /// `get_pci_alias_group`, without its recursion.
    fn through_devfn(&self, start: usize, visited: &mut BTreeSet<usize>) -> Option<usize> {
        let mut pending = vec![start];
        while let Some(index) = pending.pop() {
            if !visited.insert(index) {
                continue;
            }
            if self.group(index).is_some() {
                return Some(index);
            }
            let address = self.address(index);
            if self.aliased.contains(&(address.segment(), address.bus())) {
                let aliases = self.on_bus(address).filter(|&other| self.topology.are_aliases(index, other));
                // The last one is looked at first.
                let at = pending.len();
                pending.extend(aliases);
                if let Some(added) = pending.get_mut(at..) {
                    added.reverse();
                }
            }
        }
        None
    }

    /// `get_pci_function_alias_group`.
    fn through_slot(&self, index: usize, visited: &mut BTreeSet<usize>) -> Option<(usize, Why)> {
        let isolation = self.topology.isolation(index);
        if !self.device(index)?.config.multifunction || isolation.isolates() {
            return None;
        }
        let address = self.address(index);
        let slot = self.on_bus(address).filter(|&other| {
            other != index
                && self.address(other).device() == address.device()
                && !self.topology.isolation(other).isolates()
        });
        slot.into_iter()
            .find_map(|other| self.through_devfn(other, visited))
            .map(|member| (member, Why::OpenFunction(isolation)))
    }

    /// The functions of a bus, ascending.
    fn on_bus(&self, address: PciAddress) -> impl Iterator<Item = usize> {
        let devices = self.topology.devices();
        let bus = (address.segment(), address.bus());
        let of = |device: &Device| (device.address.segment(), device.address.bus());
        let first = devices.partition_point(|device| of(device) < bus);
        let end = devices.partition_point(|device| of(device) <= bus);
        first..end
    }
}
