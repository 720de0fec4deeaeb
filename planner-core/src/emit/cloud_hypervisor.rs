//! Cloud Hypervisor: one configuration in the names of its API (vmm/src/api/openapi/cloud-hypervisor.yaml, `VmConfig`),
//! written as the body of `vm.create` or as options of the command line.
//!
//! The parser of the options splits at commas outside of brackets and quotes (option_parser/src/lib.rs, `split_commas`).
//! No value that is written here holds one: paths are made of PCI addresses, everything else is a number or a name of ours.

use serde::Serialize;

use super::boot::{BEHIND_4G, boot_memory, boot_size, refuse_elsewhere};
use super::iommu::pc_width;
use super::parts::{cpu_range, dimms, huge_pages, made_for, processors_of_nodes};
use super::{OutputFile, Unsupported, shell};
use crate::addr::Gpa;
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::{Plan, VmmOption};
use crate::size::{GIB, KIB, MIB};
use crate::version::Version;
use crate::vmm::{Knob, PciSegments, RegionKind};

/// The guest's kernel: a name to be replaced.
const KERNEL: &str = "Image";
/// arch/src/aarch64/layout.rs and arch/src/riscv64/layout.rs, `RAM_START`.
const ARM_RAM: Gpa = Gpa::at(0x4000_0000);
/// `iommufd` and `vfio_p2p_dma` came with 52.0 (its release notes, pull request 7981).
const IOMMUFD_SINCE: Version = Version::new(52, 0);
/// `iommu_address_width` came with 44.0 (its release notes); before, the guest chose addresses of 64 bits.
const IOMMU_WIDTH_SINCE: Version = Version::new(44, 0);
/// More vCPUs than any hypervisor takes (arch/x86/include/asm/kvm_host.h, KVM_MAX_VCPUS: 4096 at most).
const MOST_VCPUS: u32 = 4096;

/// `VmConfig`.
#[derive(Serialize)]
struct VmConfig {
    cpus: Cpus,
    memory: Memory,
    payload: Payload,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    numa: Vec<Numa>,
    #[serde(skip_serializing_if = "Platform::is_default")]
    platform: Platform,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pci_segments: Vec<PciSegment>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    iommu: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    devices: Vec<Device>,
}

/// `CpusConfig`.
#[derive(Serialize)]
struct Cpus {
    boot_vcpus: u32,
    max_vcpus: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_phys_bits: Option<u8>,
}

/// `MemoryConfig`. With zones, its size is 0.
#[derive(Serialize)]
struct Memory {
    size: u64,
    #[serde(flatten)]
    pages: Pages,
    #[serde(skip_serializing_if = "Option::is_none")]
    hotplug_method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hotplug_size: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    zones: Vec<Zone>,
}

/// The pages behind memory or a zone.
#[derive(Clone, Copy, Default, Serialize)]
struct Pages {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hugepages: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hugepage_size: Option<u64>,
}

/// `MemoryZoneConfig`.
#[derive(Serialize)]
struct Zone {
    id: String,
    size: u64,
    #[serde(flatten)]
    pages: Pages,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_numa_node: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hotplug_size: Option<u64>,
}

/// `PayloadConfig`.
#[derive(Serialize)]
struct Payload {
    kernel: &'static str,
}

/// `NumaConfig`.
#[derive(Serialize)]
struct Numa {
    guest_numa_id: u32,
    cpus: Vec<u32>,
    memory_zones: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pci_segments: Vec<u16>,
    #[serde(skip)]
    range: Option<(u32, u32)>,
}

/// `PlatformConfig`.
#[derive(Serialize)]
struct Platform {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_pci_segments: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    iommu_segments: Vec<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iommu_address_width_bits: Option<u8>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    iommufd: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    vfio_p2p_dma: Option<bool>,
}

impl Platform {
    fn is_default(&self) -> bool {
        self.num_pci_segments.is_none()
            && self.iommu_segments.is_empty()
            && self.iommu_address_width_bits.is_none()
            && !self.iommufd
            && self.vfio_p2p_dma.is_none()
    }
}

/// `PciSegmentConfig`.
#[derive(Serialize)]
struct PciSegment {
    pci_segment: u16,
    mmio32_aperture_weight: u32,
    mmio64_aperture_weight: u32,
}

/// `DeviceConfig`.
#[derive(Serialize)]
struct Device {
    path: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    iommu: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pci_segment: Option<u16>,
}

/// `vm.create.json`.
pub(super) fn api(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    let text = serde_json::to_string_pretty(&config(plan)?).expect("names and numbers") + "\n";
    Ok(vec![OutputFile { file: "vm.create.json".to_owned(), text }])
}

/// `cloud-hypervisor.sh`.
pub(super) fn command(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    let comments = [
        format!("Made for Cloud Hypervisor {}.", plan.vmm.version),
        format!(
            "{KERNEL} stands for the guest's kernel or firmware; add its command line, disks and networks."
        ),
    ];
    let text = shell::script(&comments, &options(&config(plan)?));
    Ok(vec![OutputFile { file: "cloud-hypervisor.sh".to_owned(), text }])
}

/// The options that the plan needs, with the reason.
pub(super) fn explained(plan: &Plan) -> Vec<VmmOption> {
    let Ok(config) = config(plan) else { return Vec::new() };
    let explain = |knob: &Knob| {
        match knob {
        Knob::MaxPhysBits { .. } => {
            let window = plan.regions.iter().find(|region| region.kind == RegionKind::Mmio64);
            let at = window.map_or_else(String::new, |region| format!(" at {}", region.span));
            let why = format!("BARs lie at the end of the 64-bit PCI window{at}, where the host lets them be mapped");
            Some(VmmOption { flag: format!("--cpus {}", cpus(&config.cpus)), why })
        }
        Knob::PeerDmaOff => Some(VmmOption {
            flag: format!("--platform {}", platform(&config.platform)),
            why: "a BAR lies where the host does not let it be mapped, so passed devices do not reach each other directly"
                .to_owned(),
        }),
        Knob::PciSegments { count } => Some(VmmOption {
            flag: format!("--platform {}", platform(&config.platform)),
            why: format!("{} functions are passed, and one bus has too few places: {count} PCI segments", plan.guest.pass.len()),
        }),
        _ => None,
    }
    };
    plan.knobs.iter().filter_map(explain).collect()
}

fn config(plan: &Plan) -> Result<VmConfig, Unsupported> {
    made_for(plan, VmmKind::CloudHypervisor)?;
    refuse(plan)?;
    let guest = &plan.guest;
    let iommu = guest.viommu == Viommu::Virtio;
    let max_phys_bits = plan.knobs.iter().rev().find_map(|knob| match knob {
        Knob::MaxPhysBits { bits } => Some(*bits),
        _ => None,
    });
    let segments = segments(plan)?;
    let places = plan.segments.iter().map(|&segment| Some(segment)).chain(std::iter::repeat(None));
    let device =
        |(device, pci_segment)| Device { path: format!("/sys/bus/pci/devices/{device}"), iommu, pci_segment };
    let (memory, mut numa) = memory(plan)?;
    for node in &mut numa {
        let owned = segments.nodes.iter().filter(|owner| owner.node == node.guest_numa_id);
        node.pci_segments = owned.flat_map(|owner| owner.segments.iter().copied()).collect();
    }
    Ok(VmConfig {
        cpus: Cpus { boot_vcpus: guest.vcpus, max_vcpus: guest.vcpus, max_phys_bits },
        memory,
        payload: Payload { kernel: KERNEL },
        numa,
        platform: Platform {
            num_pci_segments: segments.are_many().then_some(segments.count),
            iommu_segments: segments.behind_iommu,
            iommu_address_width_bits: iommu.then(|| pc_width(plan)),
            iommufd: guest.iommufd,
            vfio_p2p_dma: plan.knobs.contains(&Knob::PeerDmaOff).then_some(false),
        },
        pci_segments: segments
            .weights
            .iter()
            .map(|weights| PciSegment {
                pci_segment: weights.segment,
                mmio32_aperture_weight: weights.mmio32,
                mmio64_aperture_weight: weights.mmio64,
            })
            .collect(),
        iommu: iommu && !guest.pass.is_empty(),
        devices: guest.pass.iter().zip(places).map(device).collect(),
    })
}

/// The PCI segments of the plan, each passed device on one of them.
fn segments(plan: &Plan) -> Result<PciSegments, Unsupported> {
    let damaged =
        || Unsupported::new("the plan puts a device on a PCI segment that is not there", "plan again");
    let segments = PciSegments::of(&plan.guest.machine, &plan.knobs)
        .map_err(|refusal| Unsupported::new(refusal.text, "plan again with --machine corrected"))?;
    let strays = plan.segments.iter().any(|&segment| segment >= segments.count);
    let placed = !segments.are_many() || plan.segments.len() == plan.guest.pass.len();
    if strays || !placed { Err(damaged()) } else { Ok(segments) }
}

/// What Cloud Hypervisor, or its version, lacks.
fn refuse(plan: &Plan) -> Result<(), Unsupported> {
    let (guest, version) = (&plan.guest, plan.vmm.version);
    let lacks = |what: &str| {
        let because = format!("Cloud Hypervisor {version} has no {what}");
        Err(Unsupported::new(because, "plan again with --vmm qemu"))
    };
    if dimms(plan).next().is_some() {
        return lacks("memory modules at addresses of their own");
    }
    if !matches!(guest.viommu, Viommu::None | Viommu::Virtio) {
        return lacks(&format!("{} IOMMU for its guest", guest.viommu));
    }
    if guest.viommu == Viommu::Virtio && version < IOMMU_WIDTH_SINCE {
        return lacks("option for the address bits of its virtio-iommu");
    }
    if guest.vcpus > MOST_VCPUS {
        return lacks(&format!("room for {} vCPUs", guest.vcpus));
    }
    let modern = version >= IOMMUFD_SINCE;
    if guest.iommufd && !modern {
        return lacks("iommufd");
    }
    let known = |knob: &&Knob| match knob {
        Knob::MaxPhysBits { .. } | Knob::PciSegments { .. } => true,
        Knob::PeerDmaOff => modern,
        _ => false,
    };
    match plan.knobs.iter().find(|knob| !known(knob)) {
        Some(knob) => lacks(&format!("option for {knob:?}, which the plan sets")),
        None => Ok(()),
    }
}

/// All memory as one number, or a zone for each NUMA node; Cloud Hypervisor packs zones in their order.
fn memory(plan: &Plan) -> Result<(Memory, Vec<Numa>), Unsupported> {
    let base = if plan.guest.arch == Arch::X86_64 { Gpa::at(0) } else { ARM_RAM };
    refuse_elsewhere(plan, base, BEHIND_4G)?;
    let boot = boot_memory(plan)?;
    let pages = match huge_pages(plan) {
        Some(pages) => Pages { hugepages: true, hugepage_size: Some(pages.size().bytes()) },
        None => Pages::default(),
    };
    let room = (!plan.hotplug.is_empty()).then(|| plan.guest.hotplug.bytes());
    let mut memory = Memory {
        size: boot_size(&boot)?.bytes(),
        pages,
        hotplug_method: room.map(|_| "VirtioMem"),
        hotplug_size: room,
        zones: Vec::new(),
    };
    if plan.guest.numa.is_empty() {
        return Ok((memory, Vec::new()));
    }
    let processors = processors_of_nodes(plan);
    let mut numa = Vec::new();
    for (part, range) in boot.iter().zip(processors.into_iter().chain(std::iter::repeat(None))) {
        let guest_numa_id = part.node.unwrap_or(0);
        let id = format!("mem{guest_numa_id}");
        let cpus = cpus_of(range)?;
        numa.push(Numa {
            guest_numa_id,
            cpus,
            memory_zones: vec![id.clone()],
            pci_segments: Vec::new(),
            range,
        });
        let (size, host_numa_node) = (part.size.bytes(), part.host_node);
        memory.zones.push(Zone { id, size, pages, host_numa_node, hotplug_size: None });
    }
    // Room lies behind all RAM and is a zone's, so the last node's.
    if let Some(zone) = memory.zones.last_mut() {
        zone.hotplug_size = memory.hotplug_size.take();
    }
    memory.size = 0;
    memory.pages = Pages::default();
    Ok((memory, numa))
}

fn cpus_of(range: Option<(u32, u32)>) -> Result<Vec<u32>, Unsupported> {
    let Some((first, last)) = range else { return Ok(Vec::new()) };
    if last >= MOST_VCPUS {
        let because = format!("Cloud Hypervisor has no vCPU {last}");
        return Err(Unsupported::new(because, "plan again with fewer vCPUs"));
    }
    Ok((first..=last).collect())
}

/// The configuration as options (vmm/src/config.rs).
fn options(config: &VmConfig) -> Vec<Vec<String>> {
    let option = |flag: &str, value: String| vec![flag.to_owned(), value];
    let many = |flag: &str, values: Vec<String>| {
        (!values.is_empty()).then(|| [flag.to_owned()].into_iter().chain(values).collect::<Vec<String>>())
    };
    let mut options = vec![vec!["cloud-hypervisor".to_owned()]];
    options.push(option("--cpus", cpus(&config.cpus)));
    options.push(option("--memory", memory_value(&config.memory)));
    options.extend(many("--memory-zone", config.memory.zones.iter().map(zone).collect()));
    options.extend(many("--numa", config.numa.iter().map(numa).collect()));
    if !config.platform.is_default() {
        options.push(option("--platform", platform(&config.platform)));
    }
    options.extend(many("--pci-segment", config.pci_segments.iter().map(pci_segment).collect()));
    options.extend(many("--device", config.devices.iter().map(device).collect()));
    options.push(option("--kernel", config.payload.kernel.to_owned()));
    options
}

fn cpus(cpus: &Cpus) -> String {
    let bits = cpus.max_phys_bits.map_or_else(String::new, |bits| format!(",max_phys_bits={bits}"));
    format!("boot={}{bits}", cpus.boot_vcpus)
}

fn memory_value(memory: &Memory) -> String {
    let mut text = format!("size={}{}", byte_sized(memory.size), pages_value(memory.pages));
    if memory.hotplug_method.is_some() {
        text += ",hotplug_method=virtio-mem";
    }
    if let Some(room) = memory.hotplug_size {
        text += &format!(",hotplug_size={}", byte_sized(room));
    }
    text
}

fn pages_value(pages: Pages) -> String {
    match pages.hugepage_size {
        Some(size) => format!(",hugepages=on,hugepage_size={}", byte_sized(size)),
        None => String::new(),
    }
}

fn zone(zone: &Zone) -> String {
    let node = zone.host_numa_node.map_or_else(String::new, |node| format!(",host_numa_node={node}"));
    let room =
        zone.hotplug_size.map_or_else(String::new, |room| format!(",hotplug_size={}", byte_sized(room)));
    format!("id={},size={}{}{node}{room}", zone.id, byte_sized(zone.size), pages_value(zone.pages))
}

fn numa(numa: &Numa) -> String {
    let cpus = numa.range.map_or_else(String::new, |range| format!(",cpus=[{}]", cpu_range(range)));
    let segments = listed("pci_segments", &numa.pci_segments);
    let segments = segments.map_or_else(String::new, |segments| format!(",{segments}"));
    let (id, zones) = (numa.guest_numa_id, numa.memory_zones.join(","));
    format!("guest_numa_id={id}{cpus},memory_zones=[{zones}]{segments}")
}

/// `name=[0,2]`, if there is anything to list.
fn listed(name: &str, numbers: &[u16]) -> Option<String> {
    let numbers: Vec<String> = numbers.iter().map(u16::to_string).collect();
    (!numbers.is_empty()).then(|| format!("{name}=[{}]", numbers.join(",")))
}

fn pci_segment(segment: &PciSegment) -> String {
    format!(
        "pci_segment={},mmio32_aperture_weight={},mmio64_aperture_weight={}",
        segment.pci_segment, segment.mmio32_aperture_weight, segment.mmio64_aperture_weight
    )
}

fn platform(platform: &Platform) -> String {
    let count = platform.num_pci_segments.map(|count| format!("num_pci_segments={count}"));
    let behind = listed("iommu_segments", &platform.iommu_segments);
    let width = platform.iommu_address_width_bits.map(|bits| format!("iommu_address_width={bits}"));
    let iommufd = platform.iommufd.then(|| "iommufd=on".to_owned());
    let peer = platform.vfio_p2p_dma.map(|on| format!("vfio_p2p_dma={}", if on { "on" } else { "off" }));
    [count, behind, width, iommufd, peer].into_iter().flatten().collect::<Vec<_>>().join(",")
}

fn device(device: &Device) -> String {
    let segment = device.pci_segment.map_or_else(String::new, |segment| format!(",pci_segment={segment}"));
    format!("path={}{}{segment}", device.path, if device.iommu { ",iommu=on" } else { "" })
}

/// A size as option_parser's `ByteSized` takes it: `K`, `M`, `G`, or bytes without a unit.
fn byte_sized(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        _ if bytes.is_multiple_of(GIB) => format!("{}G", bytes / GIB),
        _ if bytes.is_multiple_of(MIB) => format!("{}M", bytes / MIB),
        _ if bytes.is_multiple_of(KIB) => format!("{}K", bytes / KIB),
        _ => bytes.to_string(),
    }
}
