//! cloud-hypervisor as a guest: the body of its API's `vm.create` (vmm/src/api/openapi/cloud-hypervisor.yaml, `VmConfig`),
//! or its command line, whose options are read into the names of the API (vmm/src/vm_config.rs, vmm/src/config.rs).
//!
//! What is said of PCI segments becomes the machine, in the words of the command line; on which of them a device lies is
//! left to the planner.

use super::codes;
use super::options::{LongOption, options, pairs};
use super::sink::Sink;
use super::tree::{self, Node};
use super::words::Word;
use crate::diag::{Diagnostic, Origin, TextFile};
use crate::facts::configured::{Accelerator, ConfiguredFacts};
use crate::facts::guest::{MemoryFact, NumaFact, PassFact, Viommu, VmmFact, VmmKind};
use crate::facts::value_of;
use crate::ids::PciAddress;
use crate::size::{PageSize, Size, parse_number};
use crate::version::Version;

/// Members of `VmConfig` without effect on the memory map but for BARs of virtio devices.
const HARMLESS: &[&str] = &[
    "balloon",
    "console",
    "debug_console",
    "disks",
    "fs",
    "gdb",
    "generic-vhost-user",
    "generic_vhost_user",
    "ivshmem",
    "landlock_enable",
    "landlock_rules",
    "net",
    "payload",
    "preserved_fds",
    "pvpanic",
    "rate_limit_groups",
    "rng",
    "rtc",
    "serial",
    "tpm",
    "user_devices",
    "vdpa",
    "vsock",
    "watchdog",
    "kernel",
    "cmdline",
    "initramfs",
];
/// Options without effect on the memory map.
const HARMLESS_OPTIONS: &[&str] = &[
    "--api-socket",
    "--balloon",
    "--cmdline",
    "--console",
    "--debug-console",
    "--disk",
    "--event-monitor",
    "--firmware",
    "--fs",
    "--fw-cfg-config",
    "--gdb",
    "--generic-vhost-user",
    "--initramfs",
    "--kernel",
    "--landlock",
    "--landlock-rules",
    "--log-file",
    "--log-format",
    "--net",
    "--no-shutdown",
    "--pvpanic",
    "--rate-limit-group",
    "--restore",
    "--rng",
    "--rtc",
    "--seccomp",
    "--serial",
    "--tpm",
    "--vdpa",
    "--vsock",
    "--watchdog",
    "-v",
    "-vv",
    "-vvv",
];
const CPUS: &[&str] = &[
    "affinity",
    "boot_vcpus",
    "features",
    "kvm_hyperv",
    "max_phys_bits",
    "max_vcpus",
    "nested",
    "profile",
    "topology",
    "core_scheduling",
];
const MEMORY: &[&str] = &[
    "hotplug_method",
    "hotplug_size",
    "hotplugged_size",
    "hugepage_size",
    "hugepages",
    "mergeable",
    "prefault",
    "reserve",
    "shared",
    "size",
    "thp",
    "zones",
];
const ZONE: &[&str] = &[
    "file",
    "host_numa_node",
    "hotplug_size",
    "hotplugged_size",
    "hugepage_size",
    "hugepages",
    "id",
    "mergeable",
    "prefault",
    "reserve",
    "shared",
    "size",
];
const DEVICE: &[&str] = &[
    "bdf_device",
    "fd",
    "host_mmap_bars",
    "id",
    "iommu",
    "path",
    "pci_device_id",
    "pci_segment",
    "x_exclude_mmap_bars",
    "x_nv_gpudirect_clique",
];
const NUMA: &[&str] = &["cpus", "device_id", "distances", "guest_numa_id", "memory_zones", "pci_segments"];
const PLATFORM: &[&str] = &[
    "chassis_asset_tag",
    "iommu_address_width",
    "iommu_address_width_bits",
    "iommu_segments",
    "iommufd",
    "iommufd_fd",
    "num_pci_segments",
    "oem_strings",
    "serial_number",
    "system_family",
    "system_manufacturer",
    "system_product_name",
    "system_serial_number",
    "system_sku_number",
    "system_uuid",
    "system_version",
    "uuid",
    "vfio_p2p_dma",
];
const SEGMENT: &[&str] = &["mmio32_aperture_weight", "mmio64_aperture_weight", "pci_segment"];
/// vmm/src/vm_config.rs, `DEFAULT_MEMORY_MB`.
const DEFAULT_MEMORY: Size = Size::mib(512);

/// Whether a word names cloud-hypervisor.
#[must_use]
pub fn is_program(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("cloud-hypervisor" | "cloud-hypervisor-static"))
}

/// What the body of `vm.create` says.
#[must_use]
pub fn read_json(name: &str, text: &str, version: Option<Version>) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let file = TextFile::new(name, text);
    let facts = match tree::json(&file, text, &mut sink) {
        Some(root) => facts(&root, version, &mut sink),
        None => ConfiguredFacts::default(),
    };
    (facts, sink.finish().1)
}

/// What a command line says, from the name of the program on.
#[must_use]
pub fn read(words: &[Word], version: Option<Version>) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let origin = words.first().map(|word| word.origin.clone()).unwrap_or_default();
    let mut root = Node { origin, ..Node::default() };
    for option in options(words.get(1..).unwrap_or_default()) {
        add_option(&option, &mut root, &mut sink);
    }
    let facts = facts(&root, version, &mut sink);
    (facts, sink.finish().1)
}

/// Puts an option under the name that it has in the API.
fn add_option(option: &LongOption, root: &mut Node, sink: &mut Sink) {
    let (name, list) = match option.name.as_str() {
        "--cpus" => ("cpus", false),
        "--memory" => ("memory", false),
        "--memory-zone" => ("zones", true),
        "--device" => ("devices", true),
        "--numa" => ("numa", true),
        "--platform" => ("platform", false),
        "--pci-segment" => ("pci_segments", true),
        "--pmem" => ("pmem", true),
        name if HARMLESS_OPTIONS.contains(&name) => return,
        name => return sink.odd(option.origin.clone(), name),
    };
    if option.values.is_empty() {
        sink.say(&codes::NO_VALUE, option.origin.clone(), format!("{} has no value", option.name));
    }
    let items = option.values.iter().map(|value| item(if list { "" } else { name }, value));
    if !list {
        root.children.extend(items);
        return;
    }
    let at = root.children.iter().position(|child| child.name == name).unwrap_or_else(|| {
        root.children.push(Node { name: name.into(), origin: option.origin.clone(), ..Node::default() });
        root.children.len().saturating_sub(1)
    });
    if let Some(child) = root.children.get_mut(at) {
        child.children.extend(items);
    }
}

fn item(name: &str, word: &Word) -> Node {
    let member = |(name, value): (String, String)| {
        let name = match name.as_str() {
            "boot" => "boot_vcpus".to_owned(),
            "max" => "max_vcpus".to_owned(),
            "" => "size".to_owned(),
            _ => name,
        };
        let listed = value.strip_prefix('[').and_then(|list| list.strip_suffix(']'));
        let leaf =
            |text: &str| Node { text: text.trim().into(), origin: word.origin.clone(), ..Node::default() };
        let children = listed.into_iter().flat_map(|list| list.split(',')).map(leaf).collect();
        Node { name, text: value, children, origin: word.origin.clone(), ..Node::default() }
    };
    let children = pairs(&word.text).into_iter().map(member).collect();
    Node { name: name.into(), children, origin: word.origin.clone(), ..Node::default() }
}

fn facts(root: &Node, version: Option<Version>, sink: &mut Sink) -> ConfiguredFacts {
    let mut facts = ConfiguredFacts { accelerator: Some(Accelerator::Kvm), ..ConfiguredFacts::default() };
    facts.guest.origin = root.origin.clone();
    let vmm =
        |kind| VmmFact { kind, version, machine: None, cpu: None, custom: None, origin: root.origin.clone() };
    facts.guest.vmm = value_of(VmmKind::WORDS, "cloud-hypervisor").map(vmm);
    if facts.guest.vmm.is_none() {
        sink.say(&codes::NO_MODEL, root.origin.clone(), "the planner has no model of cloud-hypervisor");
    }
    for member in &root.children {
        match member.name.as_str() {
            "cpus" => cpus(member, &mut facts, sink),
            "memory" | "zones" | "numa" | "pci_segments" => {}
            "devices" => member.children.iter().for_each(|device| pass(device, &mut facts, sink)),
            "platform" => platform(member, &mut facts, sink),
            "iommu" if member.text == "true" => facts.guest.viommu = Some(Viommu::Virtio),
            "iommu" => {}
            name if HARMLESS.contains(&name) => {}
            name => sink.odd(member.origin.clone(), name),
        }
    }
    memory(root, &mut facts, sink);
    let machine = segments(root, sink);
    if let Some(vmm) = facts.guest.vmm.as_mut() {
        vmm.machine = machine;
    }
    facts
}

/// The words of `--platform`, `--pci-segment` and `--numa` that are about segments; nothing where there is one segment.
fn segments(root: &Node, sink: &mut Sink) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    let platform = root.child("platform");
    let count = platform.and_then(|platform| platform.child("num_pci_segments"));
    words.extend(
        count.filter(|count| count.text != "1").map(|count| format!("num_pci_segments={}", count.text)),
    );
    let behind =
        platform.and_then(|platform| platform.child("iommu_segments")).filter(|node| node.text != "null");
    words.extend(behind.and_then(|node| listed("iommu_segments", node)));
    for segment in root.child("pci_segments").into_iter().flat_map(|list| &list.children) {
        unknown(segment, SEGMENT, sink);
        let value = |name: &str| segment.child(name).map_or("1", |node| node.text.as_str());
        let weights = (value("mmio32_aperture_weight"), value("mmio64_aperture_weight"));
        if weights == ("1", "1") {
            continue;
        }
        let id = segment.child("pci_segment").map_or("0", |node| node.text.as_str());
        let (low, high) = weights;
        words.push(format!("pci_segment={id},mmio32_aperture_weight={low},mmio64_aperture_weight={high}"));
    }
    for node in root.child("numa").into_iter().flat_map(|list| &list.children) {
        let owned = node.child("pci_segments").and_then(|list| listed("pci_segments", list));
        let id = node.child("guest_numa_id").map_or("0", |id| id.text.as_str());
        // Segment 0 of node 0 is what every guest with nodes has.
        let owned = owned.filter(|owned| (id, owned.as_str()) != ("0", "pci_segments=[0]"));
        words.extend(owned.map(|owned| format!("guest_numa_id={id},{owned}")));
    }
    (!words.is_empty()).then(|| words.join(","))
}

/// `name=[0,1]` of a list, or of a number alone.
fn listed(name: &str, node: &Node) -> Option<String> {
    let items: Vec<&str> = node.children.iter().map(|item| item.text.as_str()).collect();
    let text = if items.is_empty() { node.text.trim().to_owned() } else { items.join(",") };
    (!text.is_empty() && text != "[]").then(|| format!("{name}=[{text}]"))
}

/// Members that no version of the API has.
fn unknown(node: &Node, known: &[&str], sink: &mut Sink) {
    let is_unknown = |child: &&Node| !child.name.is_empty() && !known.contains(&child.name.as_str());
    for child in node.children.iter().filter(is_unknown) {
        let path =
            if node.name.is_empty() { child.name.clone() } else { format!("{}.{}", node.name, child.name) };
        sink.odd(child.origin.clone(), path);
    }
}

fn number<T: std::str::FromStr>(node: Option<&Node>, sink: &mut Sink) -> Option<T> {
    let node = node?;
    let value = node.text.parse().ok();
    if value.is_none() {
        sink.bad_value(node.origin.clone(), &node.name, &node.text, "a number");
    }
    value
}

fn cpus(node: &Node, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    unknown(node, CPUS, sink);
    facts.guest.vcpus = number(node.child("boot_vcpus").or(node.child("size")), sink);
    facts.address_bits = number(node.child("max_phys_bits"), sink);
}

/// A number of bytes, or `16G` on the command line.
fn size(node: Option<&Node>, sink: &mut Sink) -> Option<Size> {
    let node = node.filter(|node| node.text != "null")?;
    let bytes = parse_number(&node.text).ok();
    if bytes.is_none() {
        sink.bad_value(node.origin.clone(), &node.name, &node.text, "a number of bytes");
    }
    bytes.map(Size::from_bytes)
}

/// Host pages behind memory or a zone.
fn pages(node: &Node, sink: &mut Sink) -> Option<PageSize> {
    let on = node.child("hugepages").is_some_and(|on| matches!(on.text.as_str(), "true" | "on"));
    if !on {
        return None;
    }
    let said = size(node.child("hugepage_size"), sink);
    // vmm/src/memory_manager.rs: without a size the pages are the host's default, 2 MiB on most.
    Some(said.and_then(|size| PageSize::from_bytes(size.bytes())).unwrap_or(PageSize::M2))
}

/// A zone of memory.
struct Zone {
    id: String,
    size: Size,
    pages: Option<PageSize>,
    host_node: Option<u32>,
}

fn memory(root: &Node, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let node = root.child("memory");
    let none = Node::default();
    let memory = node.unwrap_or(&none);
    unknown(memory, MEMORY, sink);
    let zones = memory.child("zones").or(root.child("zones"));
    let mut read: Vec<Zone> = Vec::new();
    let mut hotplug = size(memory.child("hotplug_size"), sink);
    let mut pages_behind = pages(memory, sink);
    for zone in zones.into_iter().flat_map(|zones| &zones.children) {
        unknown(zone, ZONE, sink);
        let id = zone.child("id").map(|id| id.text.clone()).unwrap_or_default();
        let host_node = zone.child("host_numa_node").filter(|node| node.text != "null");
        let more = size(zone.child("hotplug_size"), sink);
        hotplug = hotplug
            .unwrap_or(Size::ZERO)
            .checked_add(more.unwrap_or(Size::ZERO))
            .filter(|size| !size.is_zero());
        let pages = pages(zone, sink);
        if read.first().is_some_and(|first| first.pages != pages) {
            sink.odd(zone.origin.clone(), "zones with pages of different sizes");
        }
        pages_behind = pages_behind.max(pages);
        let size = size(zone.child("size"), sink).unwrap_or(Size::ZERO);
        read.push(Zone { id, size, pages, host_node: number(host_node, sink) });
    }
    let whole = size(memory.child("size"), sink).filter(|size| !size.is_zero());
    let in_zones = read.iter().try_fold(Size::ZERO, |sum, zone| sum.checked_add(zone.size));
    let unsaid = (node.is_none() && zones.is_none()).then_some(DEFAULT_MEMORY);
    let Some(whole) = whole.or(in_zones.filter(|size| !size.is_zero())).or(unsaid) else { return };
    facts.boot = Some(whole);
    let origin = node.or(zones).map_or(Origin::Unstated, |node| node.origin.clone());
    facts.guest.memory = Some(MemoryFact { size: whole, pages: pages_behind, hotplug, slots: None, origin });
    facts.guest.numa = numa(root, &read, sink);
}

fn numa(root: &Node, zones: &[Zone], sink: &mut Sink) -> Vec<NumaFact> {
    let mut nodes: Vec<NumaFact> = Vec::new();
    for node in root.child("numa").into_iter().flat_map(|numa| &numa.children) {
        unknown(node, NUMA, sink);
        let names: Vec<&str> = node
            .child("memory_zones")
            .into_iter()
            .flat_map(|list| &list.children)
            .map(|name| name.text.as_str())
            .collect();
        let own: Vec<&Zone> = zones.iter().filter(|zone| names.contains(&zone.id.as_str())).collect();
        let memory = own.iter().try_fold(Size::ZERO, |sum, zone| sum.checked_add(zone.size));
        let (first_cpu, last_cpu) = cpu_range(node.child("cpus"));
        nodes.push(NumaFact {
            node: number(node.child("guest_numa_id"), sink).unwrap_or(0),
            memory: memory.unwrap_or(Size::ZERO),
            first_cpu,
            last_cpu,
            host_node: own.first().and_then(|zone| zone.host_node),
            origin: node.origin.clone(),
        });
    }
    // Nodes of processors only have no place in the layout.
    if nodes.iter().all(|node| node.memory.is_zero()) { Vec::new() } else { nodes }
}

/// The first and the last of `0, 1, 2` or `0-2`, if they are one range.
fn cpu_range(node: Option<&Node>) -> (Option<u32>, Option<u32>) {
    let items = node.map(|node| node.children.as_slice()).unwrap_or_default();
    let mut numbers: Vec<(u32, u32)> = Vec::new();
    for item in items {
        let (first, last) = item.text.split_once('-').unwrap_or((&item.text, &item.text));
        let (Ok(first), Ok(last)) = (first.parse(), last.parse()) else { return (None, None) };
        numbers.push((first, last));
    }
    numbers.sort_unstable();
    let whole = numbers
        .windows(2)
        .all(|pair| matches!(pair, [(_, last), (next, _)] if last.checked_add(1) == Some(*next)));
    match (numbers.first(), numbers.last()) {
        (Some((first, _)), Some((_, last))) if whole => (Some(*first), Some(*last)),
        _ => (None, None),
    }
}

fn pass(node: &Node, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    unknown(node, DEVICE, sink);
    let Some(path) = node.child("path") else {
        return sink.odd(node.origin.clone(), "a device without a path");
    };
    let name = path.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match name.parse::<PciAddress>() {
        Ok(device) => facts.guest.pass.push(PassFact { device, origin: path.origin.clone() }),
        Err(_) => {
            sink.bad_value(
                path.origin.clone(),
                "path",
                &path.text,
                "a path such as /sys/bus/pci/devices/0000:03:00.0/",
            );
        }
    }
    if node.child("iommu").is_some_and(|iommu| matches!(iommu.text.as_str(), "true" | "on")) {
        facts.guest.viommu = Some(Viommu::Virtio);
    }
}

fn platform(node: &Node, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    unknown(node, PLATFORM, sink);
    if node.child("iommufd").is_some_and(|on| matches!(on.text.as_str(), "true" | "on")) {
        facts.guest.iommufd = Some(true);
    }
    if node.child("vfio_p2p_dma").is_some_and(|on| matches!(on.text.as_str(), "false" | "off")) {
        facts.peer_dma = Some(false);
    }
}
