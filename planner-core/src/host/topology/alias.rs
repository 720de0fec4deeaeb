//! Under which requester IDs the DMA of a function arrives: its own, those that quirks add, and that of a bridge to PCI
//! above it, which takes ownership. This is `pci_for_each_dma_alias` of drivers/pci/search.c.

use super::Topology;
use super::quirks::{DevfnAlias, devfn_alias, hides_express, translates_here};
use crate::facts::pci::PortType;
use crate::host::Device;
use crate::ids::RequesterId;

/// A requester ID under which DMA arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alias {
    /// The function that the requester ID stands for: the function itself, or a bridge above it.
    pub device: usize,
    /// The requester ID.
    pub requester: RequesterId,
}

impl Topology<'_> {
    /// The requester IDs of a function's DMA, its own first, that of the topmost bridge last.
    #[must_use]
    pub fn dma_aliases(&self, device: usize) -> Vec<Alias> {
        let Some(function) = self.devices().get(device) else { return Vec::new() };
        let own = function.address.requester_id();
        let mut aliases = vec![Alias { device, requester: own }];
        aliases.extend(devfn_aliases(function).map(|requester| Alias { device, requester }));
        for index in self.bridges_above(device) {
            let Some(bridge) = self.devices().get(index) else { continue };
            if translates_here(bridge) {
                break;
            }
            let requester = self.alias_of_bridge(index, bridge);
            aliases.extend(requester.map(|requester| Alias { device: index, requester }));
        }
        aliases
    }

    /// The requester ID that the IOMMU and the MSI controller see: that of the topmost bridge to PCI, if there is one.
    #[must_use]
    pub fn dma_requester(&self, device: usize) -> Option<RequesterId> {
        let aliases = self.dma_aliases(device);
        let bridge = aliases.iter().rev().find(|alias| alias.device != device);
        bridge.or(aliases.first()).map(|alias| alias.requester)
    }

    /// The requester ID under which a bridge passes on what comes from below, if it does not keep that of the device
    /// (PCI Express to PCI/PCI-X Bridge Specification 2.3: secondary bus number, device 0, function 0).
    fn alias_of_bridge(&self, index: usize, bridge: &Device) -> Option<RequesterId> {
        let secondary = || {
            let bus = bridge.config.buses.map(|buses| buses.secondary)?;
            Some(RequesterId(u16::from(bus) << 8))
        };
        match bridge.config.port_type? {
            PortType::PcieToPciBridge => secondary(),
            PortType::PciToPcieBridge => Some(bridge.address.requester_id()),
            PortType::Conventional if self.hides_express(index, bridge) => secondary(),
            PortType::Conventional => Some(bridge.address.requester_id()),
            _ => None,
        }
    }

    fn hides_express(&self, index: usize, bridge: &Device) -> bool {
        let above = self.bridge_above(index).and_then(|above| self.devices().get(above));
        let above = above.and_then(|above| above.config.port_type);
        hides_express(bridge)
            && above.is_some_and(|above| !matches!(above, PortType::Conventional | PortType::PcieToPciBridge))
    }

    /// Whether one of two functions of a bus sends DMA under the requester ID of the other (`pci_devs_are_dma_aliases`).
    pub(super) fn are_aliases(&self, one: usize, other: usize) -> bool {
        let (Some(one), Some(other)) = (self.devices().get(one), self.devices().get(other)) else {
            return false;
        };
        let is = |of: &Device, whose: &Device| {
            devfn_aliases(of).any(|requester| requester == whose.address.requester_id())
        };
        is(one, other) || is(other, one)
    }
}

/// Whether a function has requester IDs on its bus that are not its own.
pub(super) fn has_devfn_alias(device: &Device) -> bool {
    devfn_alias(device).is_some()
}

fn devfn_aliases(device: &Device) -> impl Iterator<Item = RequesterId> {
    let own = device.address.requester_id();
    let devfns: Vec<u8> = match devfn_alias(device) {
        None => Vec::new(),
        Some(DevfnAlias::Function(function)) => vec![device.address.device() << 3 | function],
        Some(DevfnAlias::Fixed(devfns)) => devfns.to_vec(),
        Some(DevfnAlias::EverySlot) => (0..=u8::MAX).filter(|devfn| devfn & 7 < 5).collect(),
    };
    let bus = own.0 & 0xff00;
    devfns
        .into_iter()
        .map(move |devfn| RequesterId(bus | u16::from(devfn)))
        .filter(move |&alias| alias != own)
}
