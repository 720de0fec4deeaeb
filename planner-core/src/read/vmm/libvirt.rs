//! libvirt's domain XML as a guest. It is turned into the words that libvirt would start QEMU with, as far as the memory
//! map depends on them (src/qemu/qemu_command.c), and read like those, so that `qemu:commandline` is simply more words.
//!
//! Left out: everything without effect on the memory map, by a list; what is on no list is told.

mod hostdev;

use super::codes;
use super::qemu::{self, Files};
use super::sink::Sink;
use super::tree::{self, Node};
use super::words::Word;
use crate::diag::{Diagnostic, TextFile};
use crate::facts::ConfiguredFacts;
use crate::size::Size;
use crate::version::Version;

/// What a domain says.
#[must_use]
pub fn read(name: &str, text: &str, version: Option<Version>) -> (ConfiguredFacts, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let file = TextFile::new(name, text);
    let root = tree::xml(&file, text, &mut sink);
    let Some(domain) = root.as_ref().and_then(domain) else {
        if let Some(root) = &root {
            let message = format!("<{}> is no <domain>", root.name);
            let help = "`virsh dumpxml NAME` prints a whole domain";
            sink.tell(Diagnostic::new(&codes::XML, root.origin.clone(), message).help(help));
        }
        return (ConfiguredFacts::default(), sink.finish().1);
    };
    let mut words = Words { words: Vec::new(), sink: &mut sink };
    words.domain(domain);
    let words = words.words;
    let (facts, more) = qemu::read(&words, version, &Files::new());
    let (_, mut found) = sink.finish();
    found.extend(more);
    (facts, found)
}

/// The domain itself, or the one in a `<domainsnapshot>` or `<domstatus>`.
fn domain(root: &Node) -> Option<&Node> {
    if root.name == "domain" { Some(root) } else { root.child("domain") }
}

/// Elements of a domain without effect on the memory map.
const HARMLESS: &[&str] = &[
    "bandwidth",
    "blkiotune",
    "bootloader",
    "bootloader_args",
    "clock",
    "cputune",
    "currentMemory",
    "description",
    "fibrechannel",
    "genid",
    "id",
    "idmap",
    "iothreadids",
    "iothreads",
    "keywrap",
    "launchSecurity",
    "memtune",
    "metadata",
    "numatune",
    "on_crash",
    "on_lockfailure",
    "on_poweroff",
    "on_reboot",
    "perf",
    "pm",
    "resource",
    "seclabel",
    "sysinfo",
    "throttlegroups",
    "title",
    "uuid",
    "vcpus",
    "defaultiothread",
];
/// Those that are read.
const READ: &[&str] =
    &["cpu", "devices", "features", "iommufd", "maxMemory", "memory", "memoryBacking", "name", "os", "vcpu"];
/// Devices without effect on the memory map but for their BARs.
const HARMLESS_DEVICES: &[&str] = &[
    "audio",
    "channel",
    "console",
    "crypto",
    "disk",
    "emulator",
    "filesystem",
    "graphics",
    "hub",
    "input",
    "interface",
    "lease",
    "memballoon",
    "nvram",
    "panic",
    "parallel",
    "pstore",
    "redirdev",
    "redirfilter",
    "rng",
    "serial",
    "shmem",
    "smartcard",
    "sound",
    "tpm",
    "video",
    "vsock",
    "watchdog",
];

/// The words so far.
struct Words<'s> {
    words: Vec<Word>,
    sink: &'s mut Sink,
}

impl Words<'_> {
    fn push(&mut self, option: &str, value: String, node: &Node) {
        self.words.push(Word::at(option, node.origin.clone()));
        self.words.push(Word::at(value, node.origin.clone()));
    }

    fn domain(&mut self, domain: &Node) {
        let devices = domain.child("devices");
        self.program(domain, devices);
        if let Some(name) = domain.child("name") {
            self.push("-name", format!("guest={}", value(&name.text)), name);
        }
        self.machine(domain);
        self.cpu(domain);
        self.memory(domain, devices);
        for device in devices.into_iter().flat_map(|devices| &devices.children) {
            self.device(device, domain);
        }
        for child in &domain.children {
            let name = child.name.as_str();
            let known = HARMLESS.contains(&name) || READ.contains(&name);
            match name.split_once(':') {
                Some((prefix, name)) => self.of_qemu(domain, child, prefix, name),
                None if !known => self.sink.odd(child.origin.clone(), format!("<{name}>")),
                None => {}
            }
        }
    }

    /// An element of QEMU's namespace (src/qemu/qemu_domain.c, `qemuDomainDefNamespaceParse`).
    fn of_qemu(&mut self, domain: &Node, node: &Node, prefix: &str, name: &str) {
        const QEMU: &str = "http://libvirt.org/schemas/domain/qemu/1.0";
        let declared = |node: &Node| node.attribute(&format!("xmlns:{prefix}")).map(str::to_owned);
        let Some(namespace) = declared(node).or_else(|| declared(domain)) else {
            let message = format!("libvirt drops <{}>: nothing declares the prefix `{prefix}`", node.name);
            let help = format!("add xmlns:{prefix}='{QEMU}' to <domain>");
            self.sink.tell(Diagnostic::new(&codes::NO_PREFIX, node.origin.clone(), message).help(help));
            return;
        };
        match name {
            "commandline" if namespace == QEMU => {
                for argument in node.all(&format!("{prefix}:arg")) {
                    let text = argument.attribute("value").unwrap_or_default();
                    self.words.push(Word::at(text, argument.origin.clone()));
                }
            }
            "override" if namespace == QEMU => self.overrides(node),
            "capabilities" | "deprecation" if namespace == QEMU => {}
            _ => self.sink.odd(node.origin.clone(), format!("<{}>", node.name)),
        }
    }

    fn program(&mut self, domain: &Node, devices: Option<&Node>) {
        let emulator = devices.and_then(|devices| devices.child("emulator"));
        let path = emulator.map(|node| node.text.as_str()).filter(|path| qemu::is_program(path));
        let arch = domain.at(&["os", "type"]).and_then(|kind| kind.attribute("arch")).unwrap_or_default();
        let by_arch = format!("qemu-system-{arch}");
        let word = match (path, arch) {
            // A distribution's own name says no architecture, and then <os> does.
            (Some(path), "") => path,
            (Some(path), _) if path.contains("qemu-system-") => path,
            (_, "") => "qemu-kvm",
            _ => by_arch.as_str(),
        };
        self.words.push(Word::at(word, emulator.map_or(domain.origin.clone(), |node| node.origin.clone())));
    }

    fn machine(&mut self, domain: &Node) {
        let kind = domain.at(&["os", "type"]);
        let mut words: Vec<String> =
            kind.and_then(|kind| kind.attribute("machine")).map(value).into_iter().collect();
        let features = domain.child("features");
        let gic =
            features.and_then(|features| features.child("gic")).and_then(|gic| gic.attribute("version"));
        words.extend(gic.map(|version| format!("gic-version={}", value(version))));
        let arch = kind.and_then(|kind| kind.attribute("arch")).unwrap_or_default();
        if arch == "aarch64" && features.is_none_or(|features| features.child("acpi").is_none()) {
            words.push("acpi=off".into());
        }
        let node = kind.unwrap_or(domain);
        if !words.is_empty() {
            self.push("-machine", words.join(","), node);
        }
        match domain.attribute("type") {
            Some("kvm") => self.push("-accel", "kvm".into(), domain),
            Some("qemu") => self.push("-accel", "tcg".into(), domain),
            Some(other) => {
                let message = format!("the planner reads domains of QEMU, and this one is of `{other}`");
                self.sink.say(&codes::NO_MODEL, domain.origin.clone(), message);
            }
            None => {}
        }
        let loader = domain.at(&["os", "loader"]);
        let os = domain.child("os").filter(|os| os.attribute("firmware").is_some());
        if let Some(node) = loader.or(os) {
            self.push("-drive", "if=pflash".into(), node);
        }
    }

    fn cpu(&mut self, domain: &Node) {
        if let Some(cpu) = domain.child("cpu") {
            let model = match cpu.attribute("mode") {
                Some("host-passthrough" | "host-model") => "host",
                Some("maximum") => "max",
                _ => cpu.child("model").map_or("", |model| model.text.as_str()),
            };
            let mut words: Vec<String> =
                [model].into_iter().filter(|model| !model.is_empty()).map(value).collect();
            if let Some(bits) = cpu.child("maxphysaddr").filter(|_| !words.is_empty()) {
                words.extend(address_bits(bits));
            }
            if !words.is_empty() {
                self.push("-cpu", words.join(","), cpu);
            }
        }
        let Some(count) = domain.child("vcpu") else { return };
        let current = count.attribute("current").unwrap_or(&count.text);
        self.push("-smp", format!("{},maxcpus={}", value(current), value(&count.text)), count);
    }

    fn memory(&mut self, domain: &Node, devices: Option<&Node>) {
        let is_module = |module: &&Node| module.attribute("model") != Some("sgx-epc");
        let modules: Vec<&Node> =
            devices.into_iter().flat_map(|devices| devices.all("memory")).filter(is_module).collect();
        let whole = domain.child("memory").and_then(|node| self.size(node));
        let in_modules = modules.iter().filter_map(|module| module.at(&["target", "size"]));
        let in_modules: Vec<Size> =
            in_modules.collect::<Vec<_>>().into_iter().filter_map(|node| self.size(node)).collect();
        let cells: Vec<(&Node, Size)> = self.cells(domain);
        let of_cells = cells.iter().try_fold(Size::ZERO, |sum, (_, size)| sum.checked_add(*size));
        let of_modules = in_modules.iter().try_fold(Size::ZERO, |sum, size| sum.checked_add(*size));
        // <memory> counts the modules that are there at start; with cells the cells are the boot memory.
        let boot = match (of_cells, whole, of_modules) {
            (Some(cells), ..) if !cells.is_zero() => Some(cells),
            (_, Some(whole), Some(modules)) => whole.checked_sub(modules).or(Some(whole)),
            (_, whole, _) => whole,
        };
        let Some((node, boot)) =
            domain.child("memory").zip(boot).or(cells.first().map(|(node, _)| *node).zip(boot))
        else {
            if domain.child("memory").is_none() {
                // src/conf/domain_postparse.c, `virDomainDefPostParseMemory`.
                let message = "the domain has no <memory>, and libvirt refuses it";
                self.sink.say(&codes::BAD_VALUE, domain.origin.clone(), message);
            }
            return;
        };
        let mut text = format!("size={}", written(boot));
        if let Some(most) = domain.child("maxMemory")
            && let Some(size) = self.size(most)
        {
            text.push_str(&format!(
                ",slots={},maxmem={}",
                value(most.attribute("slots").unwrap_or("0")),
                written(size)
            ));
        }
        self.push("-m", text, node);
        self.backends(domain, &cells, boot);
    }

    fn cells<'n>(&mut self, domain: &'n Node) -> Vec<(&'n Node, Size)> {
        // One more than QEMU takes, so that it says so.
        let cells = domain.at(&["cpu", "numa"]).into_iter().flat_map(|numa| numa.all("cell")).take(129);
        let mut sized = Vec::new();
        for cell in cells {
            let Some(text) = cell.attribute("memory") else { continue };
            sized.extend(self.size_of(text, cell).map(|size| (cell, size)));
        }
        sized
    }

    /// A backend for each cell, or one for all memory where its pages matter.
    fn backends(&mut self, domain: &Node, cells: &[(&Node, Size)], boot: Size) {
        let pages = domain.at(&["memoryBacking", "hugepages"]);
        for (index, &(cell, size)) in cells.iter().enumerate() {
            let id = cell.attribute("id").map_or_else(|| index.to_string(), str::to_owned);
            let host = host_node(domain, &id);
            let kind = self.backend(pages, Some(&id));
            let text = format!("{kind},id=ram-node{},size={}{host}", value(&id), written(size));
            self.push("-object", text, cell);
            let cpus = cell.attribute("cpus").map(cpu_ranges).unwrap_or_default();
            let text = format!("node,nodeid={}{cpus},memdev=ram-node{}", value(&id), value(&id));
            self.push("-numa", text, cell);
        }
        if let (true, Some(node)) = (cells.is_empty(), pages) {
            let kind = self.backend(pages, None);
            self.push("-object", format!("{kind},id=ram,size={}", written(boot)), node);
            self.push("-machine", "memory-backend=ram".into(), node);
        }
    }

    /// The kind of backend for these huge pages: of all pages that are named, those for this node, or the first.
    fn backend(&mut self, pages: Option<&Node>, node: Option<&str>) -> String {
        let Some(pages) = pages else { return "memory-backend-ram".into() };
        let for_node = |page: &&Node| {
            node.is_some_and(|node| page.attribute("nodeset").is_some_and(|set| in_set(set, node)))
        };
        let page = pages
            .all("page")
            .find(for_node)
            .or(pages.all("page").find(|page| page.attribute("nodeset").is_none()));
        let size = page.and_then(|page| self.size_of(page.attribute("size").unwrap_or_default(), page));
        match size {
            Some(size) => format!("memory-backend-memfd,hugetlb=on,hugetlbsize={}", written(size)),
            None => "memory-backend-memfd,hugetlb=on".into(),
        }
    }

    fn device(&mut self, device: &Node, domain: &Node) {
        match device.name.as_str() {
            "hostdev" => self.hostdev(device, domain),
            "interface" if device.attribute("type") == Some("hostdev") => self.hostdev(device, domain),
            "memory" => self.module(device),
            "controller" => self.controller(device, domain),
            "iommu" => self.iommu(device),
            name if HARMLESS_DEVICES.contains(&name) => {}
            name => self.sink.odd(device.origin.clone(), format!("<{name}>")),
        }
    }

    fn module(&mut self, device: &Node) {
        if device.attribute("model") == Some("sgx-epc") {
            self.sink.odd(device.origin.clone(), "<memory model='sgx-epc'>");
            return;
        }
        let index = self.words.len();
        let size = device.at(&["target", "size"]).and_then(|node| self.size(node));
        let Some(size) = size else {
            self.sink.say(&codes::NO_BACKEND, device.origin.clone(), "this memory device has no size");
            return;
        };
        let pages = device.at(&["source", "pagesize"]).and_then(|node| self.size(node));
        let pages =
            pages.map_or_else(String::new, |size| format!(",hugetlb=on,hugetlbsize={}", written(size)));
        let kind = if pages.is_empty() { "memory-backend-ram" } else { "memory-backend-memfd" };
        self.push("-object", format!("{kind},id=mem{index},size={}{pages}", written(size)), device);
        let address = device.child("address").and_then(|address| address.attribute("base"));
        let address =
            address.or(device.at(&["target", "address"]).and_then(|address| address.attribute("base")));
        let node = device
            .at(&["target", "node"])
            .map_or_else(String::new, |node| format!(",node={}", value(&node.text)));
        let (driver, name) = match device.attribute("model") {
            Some("virtio-mem") => ("virtio-mem-pci", "memaddr"),
            Some("virtio-pmem") => ("virtio-pmem-pci", "memaddr"),
            Some("nvdimm") => ("nvdimm", "addr"),
            _ => ("pc-dimm", "addr"),
        };
        if driver == "nvdimm" {
            // src/qemu/qemu_command.c, qemuBuildMachineCommandLine.
            self.push("-machine", "nvdimm=on".into(), device);
        }
        let address = address.map_or_else(String::new, |base| format!(",{name}={}", value(base)));
        self.push("-device", format!("{driver},id=dimm{index},memdev=mem{index}{address}{node}"), device);
    }

    /// The size of the 64-bit PCI window is said at the root.
    fn controller(&mut self, device: &Node, domain: &Node) {
        let Some(node) = device.child("pcihole64") else { return };
        let Some(size) = self.size(node) else { return };
        let machine =
            domain.at(&["os", "type"]).and_then(|kind| kind.attribute("machine")).unwrap_or_default();
        if machine.starts_with("virt") {
            self.push("-machine", format!("highmem-mmio-size={}", written(size)), node);
            return;
        }
        let bridge =
            if device.attribute("model") == Some("pci-root") { "i440FX-pcihost" } else { "q35-pcihost" };
        self.push("-global", format!("{bridge}.pci-hole64-size={}", written(size)), node);
    }

    fn iommu(&mut self, device: &Node) {
        let driver = device.child("driver");
        let accel = driver.is_some_and(|driver| driver.attribute("accel") == Some("on"));
        match device.attribute("model").unwrap_or_default() {
            "intel" => self.push("-device", "intel-iommu".into(), device),
            "virtio" => self.push("-device", "virtio-iommu-pci".into(), device),
            "smmuv3" if driver.is_some_and(|driver| driver.attribute("pciBus").is_some()) || accel => {
                let accel = if accel { ",accel=on" } else { "" };
                self.push("-device", format!("arm-smmuv3{accel}"), device);
            }
            "smmuv3" => self.push("-machine", "iommu=smmuv3".into(), device),
            "amd" => self.push("-device", "amd-iommu".into(), device),
            other => self.sink.odd(device.origin.clone(), format!("<iommu model='{other}'>")),
        }
    }

    fn size(&mut self, node: &Node) -> Option<Size> {
        self.size_of(&node.text, node)
    }

    /// A number with its unit, KiB if none is said (src/conf/domain_conf.c, `virDomainParseMemory`).
    fn size_of(&mut self, text: &str, node: &Node) -> Option<Size> {
        let unit = node.attribute("unit").unwrap_or("KiB");
        let bytes: Option<u64> = match unit {
            "b" | "byte" | "bytes" => Some(1),
            "KB" => Some(1_000),
            "k" | "K" | "KiB" => Some(1 << 10),
            "MB" => Some(1_000_000),
            "M" | "MiB" => Some(1 << 20),
            "GB" => Some(1_000_000_000),
            "G" | "GiB" => Some(1 << 30),
            "TB" => Some(1_000_000_000_000),
            "T" | "TiB" => Some(1 << 40),
            _ => None,
        };
        let size = bytes.and_then(|bytes| text.trim().parse::<u64>().ok()?.checked_mul(bytes));
        if size.is_none() {
            let found = format!("{text} {unit}");
            self.sink.bad_value(
                node.origin.clone(),
                &node.name,
                found.trim(),
                "a number and a unit such as KiB or GiB",
            );
        }
        size.map(Size::from_bytes)
    }
}

/// A size as QEMU reads it wherever it stands: a bare number behind `-m` would be MiB.
fn written(size: Size) -> String {
    let compact = size.compact();
    if compact.ends_with(|c: char| c.is_ascii_digit()) { format!("{compact}B") } else { compact }
}

/// A text as a value of a QEMU option.
fn value(text: impl AsRef<str>) -> String {
    text.as_ref().replace(',', ",,")
}

/// `,cpus=0-3` for each range of `0-3,8`.
fn cpu_ranges(text: &str) -> String {
    text.split(',').map(|range| format!(",cpus={}", range.trim())).collect()
}

/// `host-nodes=` of the cell, if it is bound to one node.
fn host_node(domain: &Node, cell: &str) -> String {
    let nodes = domain.child("numatune").into_iter().flat_map(|tune| tune.all("memnode"));
    let bound = nodes.into_iter().find(|node| node.attribute("cellid") == Some(cell));
    let bound = bound
        .and_then(|node| node.attribute("nodeset"))
        .filter(|set| set.bytes().all(|b| b.is_ascii_digit()));
    bound.map_or_else(String::new, |set| format!(",host-nodes={set},policy=bind"))
}

/// Whether a set such as `0-1,4` has this number.
fn in_set(set: &str, number: &str) -> bool {
    let Ok(number) = number.parse::<u32>() else { return false };
    set.split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        matches!((first.trim().parse::<u32>(), last.trim().parse::<u32>()), (Ok(first), Ok(last)) if (first..=last).contains(&number))
    })
}

/// `host-phys-bits=` and what belongs to it (`qemuBuildCpuCommandLine`).
fn address_bits(node: &Node) -> Vec<String> {
    match node.attribute("mode") {
        Some("emulate") => {
            node.attribute("bits").map(|bits| format!("phys-bits={}", value(bits))).into_iter().collect()
        }
        _ => {
            let limit = node.attribute("limit").map(|limit| format!("host-phys-bits-limit={}", value(limit)));
            ["host-phys-bits=on".to_owned()].into_iter().chain(limit).collect()
        }
    }
}
