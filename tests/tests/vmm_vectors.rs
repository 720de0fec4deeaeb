//! Every recorded QEMU command line, replayed through the model of that QEMU: whole maps and exact refusals.
//!
//! The recordings are described in `vectors/vmm/README.md`.
#![expect(clippy::unwrap_used, reason = "a recording that cannot be read fails the test")]

use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::facts::guest::{Viommu, VmmKind};
use planner_core::size::{PageSize, Size, parse_number};
use planner_core::vmm::{
    Choice, Dimm, Knob, MapRegion, MemoryMap, ModuleArea, RegionKind, Request, VmmError, memory_map_given,
};
use serde_json::Value;

/// The recordings.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/vmm/qemu-virt-vectors.json")).unwrap()
}

/// A command line as far as the map depends on it.
struct Line {
    request: Request,
    choice: Choice,
    area: ModuleArea,
}

impl Line {
    fn map(&self) -> Result<MemoryMap, VmmError> {
        memory_map_given(&self.request, &self.choice, Some(self.area))
    }
}

/// Reads the options of a QEMU command line that the recordings use. A machine outside `args` is given apart.
fn line(qemu: &str, arch: Arch, machine: Option<&str>, args: &[String]) -> Line {
    let mut line = Line {
        request: Request {
            kind: VmmKind::Qemu,
            version: qemu.parse().unwrap(),
            arch,
            machine: machine.unwrap_or_default().into(),
            cpu: String::new(),
            custom: None,
            vcpus: 1,
            ipa_bits: None,
            memory: Size::ZERO,
            pages: PageSize::K4,
            hotplug: Size::ZERO,
            slots: 0,
            viommu: Viommu::None,
        },
        choice: Choice { knobs: vec![], boot: Size::ZERO, dimms: vec![], hotplug: vec![] },
        area: ModuleArea { max_memory: None, slots: None },
    };
    let mut backends = Vec::new();
    for pair in args.windows(2) {
        let [option, value] = pair else { unreachable!() };
        match option.as_str() {
            "-machine" | "-M" => line.request.machine = value.clone(),
            "-cpu" => line.request.cpu = value.clone(),
            "-smp" => line.request.vcpus = value.parse().unwrap(),
            "-m" => read_memory(value, &mut line),
            "-object" => backends.push((property(value, "id").unwrap(), property(value, "size").unwrap())),
            "-global" => {
                let size = value.split_once("pci-hole64-size=").unwrap().1;
                line.choice.knobs.push(Knob::PciHole64Size { size: size_of(size) });
            }
            "-device" => read_device(value, &backends, &mut line),
            _ => {}
        }
    }
    line
}

fn read_memory(text: &str, line: &mut Line) {
    let boot = size_of(text.split(',').next().unwrap());
    line.request.memory = boot;
    line.choice.boot = boot;
    line.area.max_memory = property(text, "maxmem").map(size_of);
    line.area.slots = property(text, "slots").map(|slots| slots.parse().unwrap());
}

/// A module without an address goes to the start of the area, which the caller knows only afterwards.
fn read_device(text: &str, backends: &[(&str, &str)], line: &mut Line) {
    let Some(at) = property(text, "addr") else { return };
    let backend = property(text, "memdev").unwrap();
    let size = backends.iter().find(|(id, _)| *id == backend).unwrap().1;
    let at = Gpa::new(parse_number(at).unwrap());
    line.choice.dimms.push(Dimm { span: Span::from_start_size(at, size_of(size)).unwrap() });
}

fn property<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

fn size_of(text: &str) -> Size {
    Size::from_bytes(parse_number(text).unwrap())
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// `[base, size]` as recorded, as the span that the model uses.
fn span(value: &Value, size: &str) -> Span<Gpa> {
    let number = |name: &str| parse_number(value[name].as_str().unwrap()).unwrap();
    let base = if value["cpu"].is_string() { number("cpu") } else { number("base") };
    Span::from_start_size(Gpa::new(base), Size::from_bytes(number(size))).unwrap()
}

fn of_kind(map: &MemoryMap, kind: RegionKind) -> Vec<Span<Gpa>> {
    map.regions.iter().filter(|region| region.kind == kind).map(|region| region.span).collect()
}

/// What `error_report` printed: the first line of the recorded text.
fn refusal(row: &Value) -> String {
    row["stderr"][0].as_str().unwrap().to_owned()
}

/// Modules and room for them lie in the area for modules; everything else is disjoint.
fn assert_disjoint(map: &MemoryMap, row: &Value) {
    let outside: Vec<&MapRegion> =
        map.regions.iter().filter(|region| !region.name.starts_with("dimm")).collect();
    for pair in outside.windows(2) {
        let [below, above] = pair else { unreachable!() };
        assert!(!below.span.overlaps(above.span), "{below:?} and {above:?} of {row}");
    }
}

/// Replays a group and says how many rows there were.
fn replay(group: &str, compare: impl Fn(&Value)) -> usize {
    let vectors = vectors();
    let rows = vectors[group].as_array().unwrap();
    for row in rows {
        compare(row);
    }
    rows.len()
}

#[test]
fn arm_virt() {
    let rows = replay("arm_virt", |row| {
        let machine = row["machine"].as_str();
        let line = line(row["qemu"].as_str().unwrap(), Arch::Aarch64, machine, &strings(&row["args"]));
        match line.map() {
            Err(error) => {
                assert!(!row["ok"].as_bool().unwrap(), "refused: {} for {row}", error.text);
                assert_eq!(error.text, refusal(row), "{row}");
            }
            Ok(map) => {
                assert!(row["ok"].as_bool().unwrap(), "not refused: {row}");
                compare_arm(&map, row);
                assert_disjoint(&map, row);
            }
        }
    });
    assert_eq!(rows, 388);
}

fn compare_arm(map: &MemoryMap, row: &Value) {
    compare_memory(map, row);
    compare_pcie(map, row);
    compare_gic(map, row);
    // The recordings of NUMA guests keep memory, PCI and the GIC only.
    if row["group"] == "numa" {
        return;
    }
    let platform = compare_platform(map, row);
    let smmus = platform.iter().filter(|device| device["compatible"] == "arm,smmu-v3").count();
    assert_eq!(of_kind(map, RegionKind::Smmu).len(), smmus, "{row}");
    compare_transports(map, row);
}

/// Every device of the device tree lies in the map with its whole registers; the map may say more.
fn compare_platform<'a>(map: &MemoryMap, row: &'a Value) -> &'a [Value] {
    let platform = row["platform"].as_array().unwrap();
    for device in platform {
        for reg in device["reg"].as_array().unwrap() {
            let recorded = span(reg, "size");
            let flash = device["compatible"] == "cfi-flash";
            let found = map.regions.iter().any(|r| {
                r.span == recorded || (flash && r.kind == RegionKind::Flash && r.span.covers(recorded))
            });
            assert!(found, "{device} is not in the map of {row}");
        }
    }
    platform
}

fn compare_transports(map: &MemoryMap, row: &Value) {
    let recorded = &row["virtio_mmio"];
    if recorded.is_null() {
        assert_eq!(of_kind(map, RegionKind::VirtioMmio), [], "{row}");
        return;
    }
    let size = Size::from_bytes(recorded["count"].as_u64().unwrap() * 0x200);
    let first = Gpa::new(parse_number(recorded["first"].as_str().unwrap()).unwrap());
    assert_eq!(of_kind(map, RegionKind::VirtioMmio), [Span::from_start_size(first, size).unwrap()], "{row}");
}

/// NUMA nodes are packed, so their sum is one piece.
fn compare_memory(map: &MemoryMap, row: &Value) {
    let mut recorded: Vec<Span<Gpa>> =
        row["memory"].as_array().unwrap().iter().map(|node| span(node, "size")).collect();
    recorded.sort();
    let first = recorded.first().unwrap().first();
    let last = recorded.last().unwrap().last();
    let bytes: u128 = recorded.iter().map(|span| span.size_bytes()).sum();
    let whole = Span::new(first, last).unwrap();
    assert_eq!(bytes, whole.size_bytes(), "{row}");
    assert_eq!(of_kind(map, RegionKind::Ram), [whole], "{row}");
}

fn compare_pcie(map: &MemoryMap, row: &Value) {
    let pcie = &row["pcie"][0];
    assert_eq!(of_kind(map, RegionKind::Ecam), [span(&pcie["ecam"][0], "size")], "{row}");
    let kinds = [("io", RegionKind::Pio), ("mem32", RegionKind::Mmio32), ("mem64", RegionKind::Mmio64)];
    for (word, kind) in kinds {
        let ranges = pcie["ranges"].as_array().unwrap();
        let recorded: Vec<Span<Gpa>> =
            ranges.iter().filter(|range| range["kind"] == word).map(|range| span(range, "size")).collect();
        assert_eq!(of_kind(map, kind), recorded, "{word} of {row}");
    }
}

fn compare_gic(map: &MemoryMap, row: &Value) {
    let recorded: Vec<Span<Gpa>> =
        row["gic"]["reg"].as_array().unwrap().iter().map(|reg| span(reg, "size")).collect();
    // The GICv5 node was recorded without its registers.
    if row["gic"]["compatible"] != "arm,gic-v5" {
        let mut gic = of_kind(map, RegionKind::Gicd);
        gic.extend(of_kind(map, RegionKind::Gicr));
        gic.extend(of_kind(map, RegionKind::Gicc).into_iter().take(1));
        assert_eq!(gic, recorded, "{row}");
    }
    for (compatible, kind) in [("arm,gic-v3-its", RegionKind::Its), ("arm,gic-v2m-frame", RegionKind::V2m)] {
        let msi = row["msi"].as_array().unwrap().iter().filter(|msi| msi["compatible"] == compatible);
        let recorded: Vec<Span<Gpa>> = msi.map(|msi| span(&msi["reg"][0], "size")).collect();
        assert_eq!(of_kind(map, kind), recorded, "{compatible} of {row}");
    }
}

#[test]
fn riscv_virt() {
    let rows = replay("riscv_virt", |row| {
        let machine = row["machine"].as_str();
        let line = line(row["qemu"].as_str().unwrap(), Arch::Riscv64, machine, &strings(&row["args"]));
        let map = line.map().unwrap_or_else(|error| panic!("{} for {row}", error.text));
        compare_memory(&map, row);
        compare_pcie(&map, row);
        compare_platform(&map, row);
        assert_disjoint(&map, row);
    });
    assert_eq!(rows, 30);
}

#[test]
fn x86_pc_q35() {
    let rows = replay("x86_pc_q35", |row| {
        let line = line(row["qemu"].as_str().unwrap(), Arch::X86_64, None, &strings(&row["args"]));
        match line.map() {
            Err(error) => {
                assert!(!row["ok"].as_bool().unwrap(), "refused: {} for {row}", error.text);
                assert_eq!(error.text, refusal(row), "{row}");
            }
            Ok(map) => {
                assert!(row["ok"].as_bool().unwrap(), "not refused: {row}");
                compare_pc(&map, row);
                assert_disjoint(&map, row);
            }
        }
    });
    assert_eq!(rows, 145);
}

fn compare_pc(map: &MemoryMap, row: &Value) {
    let ram = row["ram"].as_array().unwrap().iter();
    // i440fx also shows the window of the VGA's memory within the low RAM.
    let mut recorded: Vec<Span<Gpa>> = ram
        .filter(|ram| ram["name"] != "pam-pci" && ram["base"] != "0xa0000")
        .map(|ram| span(ram, "size"))
        .collect();
    recorded.sort();
    assert_eq!(of_kind(map, RegionKind::Ram), recorded, "{row}");
    // Ends are recorded exclusive.
    let hole = |name: &str| {
        let number = |edge: &str| parse_number(row[format!("{name}-{edge}")].as_str().unwrap()).unwrap();
        Span::of(number("start"), number("end") - 1).unwrap()
    };
    assert_eq!(of_kind(map, RegionKind::Mmio32), [hole("pci-hole")], "{row}");
    assert_eq!(of_kind(map, RegionKind::Mmio64), [hole("pci-hole64")], "{row}");
}

#[test]
fn pc_dimm_addr() {
    let rows = replay("pc_dimm_addr", |row| {
        let arch = if row["arch"] == "arm" { Arch::Aarch64 } else { Arch::X86_64 };
        let args = strings(&row["args"]);
        let mut line = line(row["qemu"].as_str().unwrap(), arch, None, &args);
        place_free(&mut line, row);
        match line.map() {
            Err(error) => {
                let device = args.iter().filter(|arg| arg.starts_with("pc-dimm,")).nth(error.dimm.unwrap());
                let option = format!("-device {}", device.unwrap());
                assert_eq!(error.located(&option), refusal(row), "{row}");
            }
            Ok(map) => {
                assert!(row["ok"].as_bool().unwrap(), "not refused: {row}");
                compare_modules(&map, row);
            }
        }
    });
    assert_eq!(rows, 39);
}

/// A module without an address goes to the start of the area; the model leaves that to its caller.
fn place_free(line: &mut Line, row: &Value) {
    if row["dimms"][0][1].is_null() {
        let map = line.map().unwrap();
        let start = of_kind(&map, RegionKind::DeviceMemory)[0].first();
        let size = Size::from_bytes(row["dimms"][0][0].as_u64().unwrap());
        line.choice.dimms.push(Dimm { span: Span::from_start_size(start, size).unwrap() });
    }
}

fn compare_modules(map: &MemoryMap, row: &Value) {
    let area = row["device_memory"].as_array().unwrap();
    let number = |value: &Value| parse_number(value.as_str().unwrap()).unwrap();
    let recorded =
        Span::from_start_size(Gpa::new(number(&area[0])), Size::from_bytes(number(&area[1]))).unwrap();
    assert_eq!(of_kind(map, RegionKind::DeviceMemory), [recorded], "{row}");
    let recorded: Vec<Span<Gpa>> = row["placed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|module| {
            let at = Gpa::new(number(&module["addr"]));
            Span::from_start_size(at, Size::from_bytes(number(&module["size"]))).unwrap()
        })
        .collect();
    let modules = map.regions.iter().filter(|region| region.name.starts_with("dimm"));
    assert_eq!(modules.map(|region| region.span).collect::<Vec<_>>(), recorded, "{row}");
    assert_eq!(map.max_memory, Some(Size::from_bytes(row["maxmem"].as_u64().unwrap())), "{row}");
}
