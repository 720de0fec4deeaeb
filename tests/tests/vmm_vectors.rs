//! Every recorded QEMU command line, read word by word and put to the model of that QEMU: whole maps and exact refusals.
//!
//! The recordings are described in `vectors/vmm/README.md`.
#![expect(clippy::unwrap_used, reason = "a recording that cannot be read fails the test")]

use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::read::vmm::words::Word;
use planner_core::read::vmm::{is_refusal, read_command};
use planner_core::size::{Size, parse_number};
use planner_core::version::Version;
use planner_core::vmm::{
    MapRegion, MemoryMap, RegionKind, Setting, VmmError, configured_map, configured_request, ovmf_window,
};
use serde_json::Value;

/// The recordings: a matrix of machines, CPUs and memory of QEMU 7.2 and newer, the same of an older one, and what else
/// people write.
const RECORDINGS: [&str; 3] = [
    include_str!("../vectors/vmm/qemu-virt-vectors.json"),
    include_str!("../vectors/vmm/qemu-5.2-vectors.json"),
    include_str!("../vectors/vmm/qemu-command-lines.json"),
];

/// What the planner makes of the command line of a row, word by word as it was typed.
fn map(program: &str, row: &Value) -> Result<MemoryMap, VmmError> {
    let mut words = vec![row["binary"].as_str().unwrap_or(program).to_owned()];
    let args = strings(&row["args"]);
    words.extend(
        row["machine"]
            .as_str()
            .filter(|_| args.first().is_none_or(|first| !first.starts_with("-m")))
            .into_iter()
            .flat_map(|machine| ["-machine".to_owned(), machine.to_owned()]),
    );
    words.extend(args.into_iter().filter(|word| !word.starts_with("qemu-system")));
    map_of(&words, row["qemu"].as_str().unwrap())
}

fn map_of(words: &[String], qemu: &str) -> Result<MemoryMap, VmmError> {
    let version = Some(qemu.parse().unwrap());
    let words: Vec<Word> = words.iter().map(|word| Word::argument(word)).collect();
    let (facts, found) = read_command(&words, version, &Default::default());
    let doubtful: Vec<_> = found.iter().filter(|found| !is_refusal(found)).collect();
    assert!(doubtful.is_empty(), "{doubtful:?} of {words:?}");
    let setting = Setting { arch: Arch::Aarch64, version, ipa_bits: None };
    configured_map(&facts, &configured_request(&facts, &setting))
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
    let area = of_kind(map, RegionKind::DeviceMemory);
    let is_module = |region: &MapRegion| {
        region.kind == RegionKind::Ram && area.iter().any(|area| area.covers(region.span))
    };
    let outside: Vec<&MapRegion> = map.regions.iter().filter(|region| !is_module(region)).collect();
    for pair in outside.windows(2) {
        let [below, above] = pair else { unreachable!() };
        assert!(!below.span.overlaps(above.span), "{below:?} and {above:?} of {row}");
    }
}

/// Replays a group of every recording and says how many rows there were in each.
fn replay(group: &str, compare: impl Fn(&Value)) -> Vec<usize> {
    let rows = |recording: &&str| {
        let vectors: Value = serde_json::from_str(recording).unwrap();
        let rows = vectors[group].as_array().map_or(&[][..], Vec::as_slice);
        rows.iter().for_each(&compare);
        rows.len()
    };
    RECORDINGS.iter().map(rows).collect()
}

/// Puts a row to the model and compares the map or the refusal.
fn judge(program: &str, row: &Value, compare: impl Fn(&MemoryMap)) {
    match map(program, row) {
        Err(error) => {
            assert!(!row["ok"].as_bool().unwrap(), "refused: {} for {row}", error.text);
            assert_eq!(error.text, refusal(row), "{row}");
        }
        Ok(map) => {
            assert!(row["ok"].as_bool().unwrap(), "not refused: {row}");
            compare(&map);
        }
    }
}

#[test]
fn arm_virt() {
    let rows = replay("arm_virt", |row| {
        judge("qemu-system-aarch64", row, |map| {
            compare_arm(map, row);
            assert_disjoint(map, row);
        });
    });
    assert_eq!(rows, [388, 262, 438]);
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
            // riscv's timers are one region of the map.
            let timer = device["node"].as_str().is_some_and(|node| node.starts_with("mtimer"));
            let found = map.regions.iter().any(|r| {
                let parts = timer || (flash && r.kind == RegionKind::Flash);
                r.span == recorded || (parts && r.span.covers(recorded))
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
    assert_eq!(boot_memory(map, row), [whole], "{row}");
}

/// Memory other than the modules that were recorded, which are compared on the way.
fn boot_memory(map: &MemoryMap, row: &Value) -> Vec<Span<Gpa>> {
    let mut memory = of_kind(map, RegionKind::Ram);
    for module in row["placed"].as_array().into_iter().flatten() {
        let module = Span::from_start_size(
            Gpa::new(parse_number(module["addr"].as_str().unwrap()).unwrap()),
            Size::from_bytes(parse_number(module["size"].as_str().unwrap()).unwrap()),
        );
        let at = memory.iter().position(|span| Some(*span) == module);
        memory.remove(at.unwrap_or_else(|| panic!("{module:?} is not in the map of {row}")));
    }
    memory
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
        // A matrix was recorded without what a GICv2 has for hypervisors in the guest.
        let interfaces = if recorded.len() > 2 { usize::MAX } else { 1 };
        gic.extend(of_kind(map, RegionKind::Gicc).into_iter().take(interfaces));
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
        judge("qemu-system-riscv64", row, |map| {
            compare_memory(map, row);
            compare_pcie(map, row);
            compare_platform(map, row);
            assert_disjoint(map, row);
        });
    });
    assert_eq!(rows, [30, 18, 353]);
}

/// Interrupt controllers by `aia=`, `aclint=`, `aia-guests=` and sockets; IOMMUs; refusals.
#[test]
fn riscv_virt_interrupts() {
    let rows: Value = serde_json::from_str(include_str!("../vectors/vmm/riscv-virt-vectors.json")).unwrap();
    let rows = rows["riscv_virt"].as_array().unwrap();
    for row in rows {
        match map("qemu-system-riscv64", row) {
            Err(error) => {
                assert!(!row["ok"].as_bool().unwrap(), "refused: {} for {row}", error.text);
                assert_eq!(error.text, refusal(row), "{row}");
            }
            Ok(map) => {
                assert!(row["ok"].as_bool().unwrap(), "not refused: {row}");
                compare_memory(&map, row);
                compare_pcie(&map, row);
                compare_sockets(&map, row);
                assert_disjoint(&map, row);
            }
        }
    }
    assert_eq!(rows.len(), 241);
}

/// Registers of the machine's devices are regions of the map, the timers' within one, and no interrupt controller is made
/// up.
fn compare_sockets(map: &MemoryMap, row: &Value) {
    let mut controllers = 0;
    for device in row["platform"].as_array().unwrap() {
        let node = device["node"].as_str().unwrap();
        let parts = node.starts_with("mtimer") || node.starts_with("flash");
        controllers += usize::from(
            ["plic", "aplic", "imsics", "interrupt-controller"]
                .iter()
                .any(|name| node.split('@').next() == Some(name)),
        ) * device["reg"].as_array().unwrap().len();
        for reg in device["reg"].as_array().unwrap() {
            let recorded = span(reg, "size");
            let found = map.regions.iter().any(|r| r.span == recorded || (parts && r.span.covers(recorded)));
            assert!(found, "{device} is not in the map of {row}");
        }
    }
    let is_controller = |name: &str| ["plic", "aplic-", "imsic-"].iter().any(|start| name.starts_with(start));
    let mapped = map.regions.iter().filter(|region| is_controller(&region.name)).count();
    assert_eq!(mapped, controllers, "{row}");
}

/// Where OVMF puts 64-bit BARs, by its version.
#[test]
fn ovmf_windows() {
    let rows: Value = serde_json::from_str(include_str!("../vectors/vmm/ovmf-windows.json")).unwrap();
    let rows = rows["rows"].as_array().unwrap();
    for row in rows {
        let mut words = vec!["qemu-system-x86_64".to_owned()];
        words.extend(strings(&row["args"]));
        let version = Some("7.2.22".parse().unwrap());
        let words: Vec<Word> = words.iter().map(|word| Word::argument(word)).collect();
        let (facts, found) = read_command(&words, version, &Default::default());
        assert!(found.is_empty(), "{found:?} of {row}");
        let setting = Setting { arch: Arch::X86_64, version, ipa_bits: None };
        let request = configured_request(&facts, &setting);
        let map = configured_map(&facts, &request).unwrap();
        let (year, month) = row["edk2"].as_str().unwrap().split_at(4);
        let edk2 = Version::new(year.parse().unwrap(), month.parse().unwrap());
        let window = ovmf_window(&request, &map, edk2, facts.ovmf_window).unwrap();
        let bar = parse_number(row["bar"].as_str().unwrap()).unwrap();
        assert_eq!(window.first(), Gpa::new(bar), "{row}");
    }
    assert_eq!(rows.len(), 27);
}

#[test]
fn x86_pc_q35() {
    let rows = replay("x86_pc_q35", |row| {
        judge("qemu-system-x86_64", row, |map| {
            compare_pc(map, row);
            assert_disjoint(map, row);
        });
    });
    assert_eq!(rows, [145, 202, 493]);
}

fn compare_pc(map: &MemoryMap, row: &Value) {
    let ram = row["ram"].as_array().unwrap().iter();
    // i440fx also shows the window of the VGA's memory within the low RAM.
    let mut recorded: Vec<Span<Gpa>> = ram
        .filter(|ram| ram["name"] != "pam-pci" && ram["base"] != "0xa0000")
        .map(|ram| span(ram, "size"))
        .collect();
    recorded.sort();
    assert_eq!(boot_memory(map, row), recorded, "{row}");
    // Ends are recorded exclusive; no window is one from 0 to 0.
    let hole = |name: &str| {
        let number = |edge: &str| parse_number(row[format!("{name}-{edge}")].as_str().unwrap()).unwrap();
        let last = number("end").checked_sub(1);
        last.and_then(|last| Span::of(number("start"), last)).into_iter().collect::<Vec<Span<Gpa>>>()
    };
    assert_eq!(of_kind(map, RegionKind::Mmio32), hole("pci-hole"), "{row}");
    assert_eq!(of_kind(map, RegionKind::Mmio64), hole("pci-hole64"), "{row}");
}

#[test]
fn pc_dimm_addr() {
    let rows = replay("pc_dimm_addr", |row| {
        judge(row["args"][0].as_str().unwrap(), row, |map| compare_modules(map, row));
    });
    assert_eq!(rows, [39, 43, 0]);
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
