//! A large host as a capture: root complexes of 256 functions in 32 groups each.
//!
//! Below each root complex: a root port with access control services, a switch with 30 downstream ports without, and
//! below each of those a device of 7 or 8 functions, which share the group of their port.

use std::fmt::Write as _;

use planner_core::read::capture::{Node, Tree};

/// Downstream ports of each switch.
const PORTS: u8 = 30;
/// What every function prints as `reserved_regions` of its group.
const REGIONS: &str = "0x0000000008000000 0x00000000080fffff msi\n";

/// The capture of a host with so many root complexes, each a segment of its own.
pub(super) fn capture(complexes: u16) -> Tree {
    let mut host = Capture { tree: Tree::default(), iomem: String::new(), groups: 0 };
    let version = "Linux version 7.3.4 (builder@example) (aarch64-linux-gnu-gcc) #1 SMP PREEMPT\n";
    host.file("proc/version", version);
    host.file("proc/sys/kernel/arch", "aarch64\n");
    // Multiples of 4 KiB and of nothing larger, by which the page size is told.
    let amounts =
        ["MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "Active", "Inactive", "Mapped", "Slab"];
    let meminfo: String =
        (1..).zip(amounts).map(|(at, name)| format!("{name}:  {} kB\n", at * 1_000_004)).collect();
    host.file("proc/meminfo", &meminfo);
    host.file("proc/cmdline", "console=ttyAMA0\n");
    for complex in 0..complexes {
        host.root_complex(complex);
    }
    host.iomem.push_str("8000000000-80ffffffff : System RAM\n");
    let iomem = std::mem::take(&mut host.iomem);
    host.file("proc/iomem", &iomem);
    host.tree
}

struct Capture {
    tree: Tree,
    iomem: String,
    groups: u32,
}

/// What a function is: number of its port type, whether it has siblings, the buses below it, its ACS registers.
struct Function {
    port_type: u8,
    multifunction: bool,
    buses: Option<(u8, u8, u8)>,
    acs: Option<(u16, u16)>,
    bar: Option<u64>,
}

impl Capture {
    fn file(&mut self, path: &str, content: &str) {
        self.tree.insert(path, Node::File(content.as_bytes().to_vec()));
    }

    fn root_complex(&mut self, segment: u16) {
        let base = (0x1_0000_0000_u64).wrapping_mul(u64::from(segment) + 0x100);
        let _ = writeln!(self.iomem, "{base:x}-{:x} : PCI Bus {segment:04x}:00", base + 0xffff_ffff);
        let smmu = format!("smmu3.0x{:016x}", 0x2000_0000 + u64::from(segment) * 0x10_0000);
        let platform = format!("sys/devices/platform/arm-smmu-v3.{segment}.auto/iommu/{smmu}");
        let _ = writeln!(
            self.iomem,
            "{:x}-{:x} : arm-smmu-v3.{segment}.auto",
            0x2000_0000 + u64::from(segment) * 0x10_0000,
            0x2000_0000 + u64::from(segment) * 0x10_0000 + 0xdff
        );
        self.tree.insert(
            format!("sys/class/iommu/{smmu}"),
            Node::Link(format!("../../../{}", platform.trim_start_matches("sys/"))),
        );
        self.tree
            .insert(format!("{platform}/device"), Node::Link(format!("../../../arm-smmu-v3.{segment}.auto")));
        self.functions(segment, base, &platform);
    }

    fn functions(&mut self, segment: u16, base: u64, smmu: &str) {
        let last = 3 + PORTS - 1;
        let root = format!("sys/devices/pci{segment:04x}:00/{segment:04x}:00:00.0");
        let port = Function {
            port_type: 4,
            multifunction: false,
            buses: Some((0, 1, last)),
            acs: Some((0x5f, 0x1d)),
            bar: None,
        };
        let group = self.group();
        self.function(&root, smmu, group, &port);
        let upstream = format!("{root}/{segment:04x}:01:00.0");
        let group = self.group();
        let port = Function { port_type: 5, buses: Some((1, 2, last)), acs: None, ..port };
        self.function(&upstream, smmu, group, &port);
        for slot in 0..PORTS {
            let bus = 3 + slot;
            let downstream = format!("{upstream}/{segment:04x}:02:{slot:02x}.0");
            let group = self.group();
            let port = Function { port_type: 6, buses: Some((2, bus, bus)), acs: None, bar: None, ..port };
            self.function(&downstream, smmu, group, &port);
            // 14 devices of 8 functions and 16 of 7 make 256 with the ports.
            for function in 0..if slot < 14 { 8 } else { 7_u8 } {
                let path = format!("{downstream}/{segment:04x}:{bus:02x}:00.{function}");
                let bar = base + (u64::from(slot) * 8 + u64::from(function)) * 0x10_0000;
                let endpoint =
                    Function { port_type: 0, multifunction: true, buses: None, acs: None, bar: Some(bar) };
                self.function(&path, smmu, group, &endpoint);
            }
        }
    }

    fn group(&mut self) -> u32 {
        let number = self.groups;
        self.groups += 1;
        self.file(&format!("sys/kernel/iommu_groups/{number}/reserved_regions"), REGIONS);
        self.file(&format!("sys/kernel/iommu_groups/{number}/type"), "DMA\n");
        number
    }

    fn function(&mut self, path: &str, smmu: &str, group: u32, function: &Function) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let up = |from: usize| "../".repeat(from) + path.trim_start_matches("sys/");
        self.tree.insert(format!("sys/bus/pci/devices/{name}"), Node::Link(up(3)));
        self.tree.insert(format!("sys/kernel/iommu_groups/{group}/devices/{name}"), Node::Link(up(4)));
        let depth = path.matches('/').count();
        let target = "../".repeat(depth) + smmu.trim_start_matches("sys/");
        self.tree.insert(format!("{path}/iommu"), Node::Link(target));
        self.file(&format!("{path}/vendor"), "0x15b3\n");
        self.file(&format!("{path}/device"), "0x101e\n");
        self.file(
            &format!("{path}/class"),
            if function.buses.is_some() { "0x060400\n" } else { "0x020000\n" },
        );
        self.file(&format!("{path}/numa_node"), "0\n");
        self.file(&format!("{path}/resource"), &resource(function));
        self.tree.insert(format!("{path}/config"), Node::File(config(function)));
    }
}

fn resource(function: &Function) -> String {
    let mut text = String::new();
    for line in 0..7 {
        let (first, last, flags) = match function.bar {
            Some(bar) if line == 0 => (bar, bar + 0xf_ffff, 0x14_220c),
            _ => (0, 0, 0),
        };
        let _ = writeln!(text, "0x{first:016x} 0x{last:016x} 0x{flags:016x}");
    }
    text
}

/// 4096 bytes: header, PCI Express and MSI-X capabilities, and ACS where it is there.
fn config(function: &Function) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0x00, &[0xb3, 0x15, 0x1e, 0x10]);
    put(0x06, &[0x10, 0x00]);
    put(0x0a, if function.buses.is_some() { &[0x04, 0x06] } else { &[0x00, 0x02] });
    put(0x0e, &[u8::from(function.buses.is_some()) | u8::from(function.multifunction) << 7]);
    put(0x34, &[0x40]);
    put(0x40, &[0x10, 0x80, 0x02 | function.port_type << 4, 0x00]);
    put(0x80, &[0x11, 0x00, 0x3f, 0x80]);
    if let Some(bar) = function.bar {
        put(0x10, &(bar | 0xc).to_le_bytes());
    }
    if let Some((primary, secondary, subordinate)) = function.buses {
        put(0x18, &[primary, secondary, subordinate]);
        // Closed windows: limits below bases.
        put(0x20, &[0xf0, 0xff, 0x00, 0x00, 0xf0, 0xff, 0x00, 0x00]);
    }
    // An advanced error reporting capability, and access control services behind it.
    let next: u16 = if function.acs.is_some() { 0x148 } else { 0 };
    put(0x100, &[0x01, 0x00]);
    put(0x102, &(0x2 | next << 4).to_le_bytes());
    if let Some((capability, control)) = function.acs {
        put(0x148, &[0x0d, 0x00, 0x01, 0x00]);
        put(0x14c, &capability.to_le_bytes());
        put(0x14e, &control.to_le_bytes());
    }
    bytes
}
