//! PCI segments of Cloud Hypervisor: how many there are, how the windows are split among them, and which of them lie
//! behind the guest's IOMMU or belong to a NUMA node.
//!
//! Its machine, in its own words, is what stands behind `--platform`, `--pci-segment` and `--numa`, one after the other:
//! `num_pci_segments=2,iommu_segments=[1],pci_segment=1,mmio64_aperture_weight=4,guest_numa_id=1,pci_segments=[1]`.

use super::super::fixed::refusal;
use super::super::{Knob, VmmError, rules};
use crate::addr::{Address, Gpa, Span};
use crate::facts::guest::Viommu;
use crate::size::Size;

/// vmm/src/config.rs, `MAX_NUM_PCI_SEGMENTS`.
const MOST_SEGMENTS: u16 = 96;
/// A segment has one bus of 32 devices without bridges, the first of which is its root (pci/src/bus.rs,
/// `NUM_DEVICE_IDS`).
const FUNCTIONS: u32 = 31;
/// On segment 0 lie the emulated devices, too: console, entropy source, IOMMU, disks, networks, memory. So many places are
/// left to passed functions.
const FUNCTIONS_OF_THE_FIRST: u32 = 24;

/// How the windows are split among PCI segments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PciSegments {
    /// How many there are: 1 to 96.
    pub count: u16,
    /// Those whose devices all lie behind the guest's IOMMU, ascending.
    pub behind_iommu: Vec<u16>,
    /// Weights that were said, ascending; each other segment has the weight 1 in both windows.
    pub weights: Vec<SegmentWeights>,
    /// Segments of the guest's NUMA nodes, as far as they were said.
    pub nodes: Vec<SegmentNode>,
}

/// A segment's share of the windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentWeights {
    /// Which segment.
    pub segment: u16,
    /// Its share of the 32-bit window.
    pub mmio32: u32,
    /// Its share of the 64-bit window.
    pub mmio64: u32,
}

/// Segments that belong to a NUMA node of the guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentNode {
    /// The node.
    pub node: u32,
    /// Its segments, ascending.
    pub segments: Vec<u16>,
}

impl PciSegments {
    /// The segments that the machine asks for, or else a knob.
    ///
    /// # Errors
    /// What Cloud Hypervisor prints when it refuses the words (vmm/src/config.rs, `ValidationError`).
    pub fn of(machine: &str, knobs: &[Knob]) -> Result<Self, VmmError> {
        let mut segments = Self::read(machine)?;
        let turned = knobs.iter().rev().find_map(|knob| match knob {
            Knob::PciSegments { count } => Some(*count),
            _ => None,
        });
        segments.count = turned.unwrap_or(segments.count);
        segments.check()?;
        Ok(segments)
    }

    fn read(machine: &str) -> Result<Self, VmmError> {
        let mut segments =
            Self { count: 1, behind_iommu: Vec::new(), weights: Vec::new(), nodes: Vec::new() };
        for word in words(machine) {
            let Some((name, value)) = word.split_once('=') else {
                let text = format!("cloud-hypervisor has no machine types, and {word:?} is asked for");
                return Err(refusal(rules::NO_MACHINES, text));
            };
            segments.take(name.trim(), value.trim())?;
        }
        segments.weights.sort_unstable_by_key(|weights| weights.segment);
        Ok(segments)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), VmmError> {
        let bad = || refusal(rules::CH_SEGMENTS, format!("invalid value for {name}: {value}"));
        match name {
            "num_pci_segments" => self.count = value.parse().map_err(|_| bad())?,
            "iommu_segments" => self.behind_iommu = list(value).ok_or_else(bad)?,
            "pci_segment" => {
                let segment = value.parse().map_err(|_| bad())?;
                self.weights.push(SegmentWeights { segment, mmio32: 1, mmio64: 1 });
            }
            "mmio32_aperture_weight" => {
                self.weights.last_mut().ok_or_else(bad)?.mmio32 = value.parse().map_err(|_| bad())?;
            }
            "mmio64_aperture_weight" => {
                self.weights.last_mut().ok_or_else(bad)?.mmio64 = value.parse().map_err(|_| bad())?;
            }
            "guest_numa_id" => {
                let node = value.parse().map_err(|_| bad())?;
                self.nodes.push(SegmentNode { node, segments: Vec::new() });
            }
            "pci_segments" => {
                self.nodes.last_mut().ok_or_else(bad)?.segments = list(value).ok_or_else(bad)?;
            }
            // option_parser/src/lib.rs, `OptionParserError::UnknownOption`.
            _ => return Err(refusal(rules::CH_SEGMENTS, format!("unknown option: {name}"))),
        }
        Ok(())
    }

    /// vmm/src/config.rs, `VmConfig::validate`.
    fn check(&self) -> Result<(), VmmError> {
        let refuse = |text: String| Err(refusal(rules::CH_SEGMENTS, text));
        if self.count == 0 || self.count > MOST_SEGMENTS {
            let count = self.count;
            return refuse(format!("Number of PCI segments ({count}) not in range of 1 to {MOST_SEGMENTS}"));
        }
        let of_nodes = self.nodes.iter().flat_map(|node| node.segments.iter());
        let weighed = self.weights.iter().map(|weights| &weights.segment);
        let mut named = weighed.chain(&self.behind_iommu).chain(of_nodes);
        if let Some(segment) = named.find(|&&segment| segment >= self.count) {
            return refuse(format!("Invalid PCI segment id: {segment}"));
        }
        if self.weights.iter().any(|weights| weights.mmio32 == 0 || weights.mmio64 == 0) {
            return refuse("Invalid PCI segment aperture weight: 0".to_owned());
        }
        match self.misplaced() {
            Some(text) => refuse(text),
            None => Ok(()),
        }
    }

    /// A segment belongs to one node, and segment 0 to node 0 if to any.
    fn misplaced(&self) -> Option<String> {
        for segment in 0..self.count {
            let mut owners = self.nodes.iter().filter(|node| node.segments.contains(&segment));
            let first = owners.next();
            if let (Some(first), Some(second)) = (first, owners.next()) {
                let (first, second) = (first.node, second.node);
                return Some(format!(
                    "PCI segment: {segment} belongs to multiple NUMA nodes {first} and {second}"
                ));
            }
            if let Some(owner) = first.filter(|owner| segment == 0 && owner.node != 0) {
                return Some(format!("Default PCI segment assigned to non-zero NUMA node {}", owner.node));
            }
        }
        None
    }

    /// Whether the guest gets more than the one segment that it has by default.
    #[must_use]
    pub fn are_many(&self) -> bool {
        self.count > 1
    }

    /// The parts of the 32-bit window, by segment; nothing if a segment would get none.
    pub(super) fn of_mmio32(&self, window: Span<Gpa>, step: Size) -> Option<Vec<Span<Gpa>>> {
        self.split(window, step, |weights| weights.mmio32)
    }

    /// The parts of the 64-bit window likewise.
    pub(super) fn of_mmio64(&self, window: Span<Gpa>, step: Size) -> Option<Vec<Span<Gpa>>> {
        self.split(window, step, |weights| weights.mmio64)
    }

    /// vmm/src/device_manager.rs, `create_mmio_allocators`: the unit of weight is a whole number of steps, and what is left
    /// over at the end is nobody's.
    fn split(
        &self,
        window: Span<Gpa>,
        step: Size,
        weight: fn(&SegmentWeights) -> u32,
    ) -> Option<Vec<Span<Gpa>>> {
        let said = |segment: u16| {
            let last = self.weights.iter().rev().find(|weights| weights.segment == segment);
            u64::from(last.map_or(1, weight))
        };
        let weights: Vec<u64> = (0..self.count).map(said).collect();
        let total: u64 = weights.iter().sum();
        let size = u64::try_from(window.size_bytes()).ok()?;
        let unit = size.checked_div(step.bytes().checked_mul(total)?)?.checked_mul(step.bytes())?;
        let mut start = window.first().get();
        let mut parts = Vec::new();
        for weight in weights {
            let size = unit.checked_mul(weight)?;
            parts.push(Span::from_start_size(Gpa::new(start), Size::from_bytes(size))?);
            start = start.checked_add(size)?;
        }
        Some(parts)
    }

    /// How many passed functions each segment takes. Behind an IOMMU they belong on the segments that are, where there are
    /// any; without one, on the others (vmm/src/config.rs, `ValidationError::OnIommuSegment`).
    pub(super) fn functions(&self, viommu: Viommu) -> Vec<u32> {
        let behind = viommu == Viommu::Virtio && !self.behind_iommu.is_empty();
        let room = |segment: u16| match self.behind_iommu.contains(&segment) == behind {
            false => 0,
            true if segment == 0 => FUNCTIONS_OF_THE_FIRST,
            true => FUNCTIONS,
        };
        (0..self.count).map(room).collect()
    }
}

/// Words at commas outside of brackets (option_parser/src/lib.rs, `split_commas`).
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                words.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words.into_iter().filter(|word| !word.trim().is_empty()).collect()
}

/// `[0,2-3]`, or a number alone (option_parser/src/lib.rs, `IntegerList`).
fn list(text: &str) -> Option<Vec<u16>> {
    let text = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let mut numbers = Vec::new();
    for item in text.split(',') {
        let (first, last) = item.trim().split_once('-').unwrap_or((item.trim(), item.trim()));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        // One beyond the most is kept, so that it is refused by its number.
        numbers.extend(first..=last.min(first.max(MOST_SEGMENTS)));
        if numbers.len() > usize::from(MOST_SEGMENTS) * 2 {
            return None;
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(machine: &str) -> String {
        PciSegments::of(machine, &[]).expect_err("refused").text
    }

    #[test]
    fn words_are_those_of_three_options() {
        let machine = "num_pci_segments=4,iommu_segments=[1,3],pci_segment=1,mmio64_aperture_weight=4,guest_numa_id=1,\
                       pci_segments=[1-2]";
        let segments = PciSegments::of(machine, &[]).expect("they are right");
        assert_eq!((segments.count, segments.behind_iommu.as_slice()), (4, [1, 3].as_slice()));
        assert_eq!(segments.weights, [SegmentWeights { segment: 1, mmio32: 1, mmio64: 4 }]);
        assert_eq!(segments.nodes, [SegmentNode { node: 1, segments: vec![1, 2] }]);
        assert_eq!(segments.functions(Viommu::None), [24, 0, 31, 0]);
        assert_eq!(segments.functions(Viommu::Virtio), [0, 31, 0, 31]);
        assert_eq!(PciSegments::of("", &[Knob::PciSegments { count: 2 }]).map(|made| made.count), Ok(2));
    }

    #[test]
    fn what_is_left_over_is_nobodys() {
        let window = Span::from_start_size(Gpa::at(0x1_0000_0000), Size::gib(30)).expect("a span");
        let segments =
            PciSegments::of("num_pci_segments=2,pci_segment=1,mmio64_aperture_weight=2", &[]).expect("right");
        let parts = segments.of_mmio64(window, Size::gib(4)).expect("there is room");
        let starts: Vec<u64> = parts.iter().map(|part| part.first().get()).collect();
        assert_eq!(starts, [0x1_0000_0000, 0x3_0000_0000]);
        assert_eq!(parts.last().map(|part| part.last()), Some(Gpa::at(0x6_ffff_ffff)));
        let narrow = Span::from_start_size(Gpa::at(0x1_0000_0000), Size::gib(11)).expect("a span");
        assert_eq!(segments.of_mmio64(narrow, Size::gib(4)), None);
    }

    #[test]
    fn refusals_are_those_of_cloud_hypervisor() {
        assert_eq!(refused("num_pci_segments=97"), "Number of PCI segments (97) not in range of 1 to 96");
        assert_eq!(refused("num_pci_segments=0"), "Number of PCI segments (0) not in range of 1 to 96");
        assert_eq!(refused("pci_segment=1"), "Invalid PCI segment id: 1");
        assert_eq!(refused("iommu_segments=[0,7-65535]"), "Invalid PCI segment id: 7");
        assert_eq!(
            refused("pci_segment=0,mmio32_aperture_weight=0"),
            "Invalid PCI segment aperture weight: 0"
        );
        assert_eq!(
            refused("guest_numa_id=1,pci_segments=[0]"),
            "Default PCI segment assigned to non-zero NUMA node 1"
        );
        let twice = "num_pci_segments=2,guest_numa_id=0,pci_segments=[0,1],guest_numa_id=1,pci_segments=1";
        assert_eq!(refused(twice), "PCI segment: 1 belongs to multiple NUMA nodes 0 and 1");
        assert_eq!(refused("mmio32_aperture_weight=2"), "invalid value for mmio32_aperture_weight: 2");
        assert_eq!(refused("segments=2"), "unknown option: segments");
        assert_eq!(refused("virt"), "cloud-hypervisor has no machine types, and \"virt\" is asked for");
    }
}
