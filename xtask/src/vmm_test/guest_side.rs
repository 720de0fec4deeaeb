//! The guest's side of a plan in the programs that it is for: `dtc` compiles the overlay and `fdtoverlay` lays it over the
//! device tree that QEMU made of the same plan; `iasl` compiles the IORT, which the planner's own reader reads back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use planner_core::addr::{Address, Gpa, Iova, Span};
use planner_core::emit::{self, Target};
use planner_core::plan::{GuestPatch, Plan};
use planner_core::read::acpi::{self, TableFile};
use planner_core::size::Size;
use planner_core::span_set::SpanSet;

use super::case::{Case, HostSource, Planned, Wanted};
use super::process;
use crate::{Failure, step};

const LIMIT: Duration = Duration::from_secs(30);

/// The first iasl that was seen to know every field of the table (Debian 13); 20200925 (Debian 12) knows no RMR nodes.
const IASL_SINCE: u32 = 2023_0628;

/// What the device tree of a started QEMU, with the plan's overlay over it, says otherwise than the plan; nothing for a plan
/// without one.
pub(super) fn differences(plan: &Plan, pci: &str, blob: &Path) -> Result<Vec<String>, Failure> {
    let Ok(files) = emit::emit(plan, Target::GuestDt) else { return Ok(Vec::new()) };
    let folder = blob.parent().unwrap_or(blob);
    let source = files.first().ok_or("the overlay has no file")?;
    fs::write(folder.join(&source.file), &source.text)?;
    run("dtc", &["-q", "-@", "-I", "dts", "-O", "dtb", "-o", "guest-side.dtbo", &source.file], folder)?;
    let blob = blob.file_name().and_then(|name| name.to_str()).ok_or("a device tree without a name")?;
    run("fdtoverlay", &["-i", blob, "-o", "guest-side.dtb", "guest-side.dtbo"], folder)?;
    let text = run("dtc", &["-q", "-I", "dtb", "-O", "dts", "guest-side.dtb"], folder)?;
    let tree = Tree::read(&text);
    let mut told = memory(plan, &tree);
    told.extend(dma(plan, &tree, pci));
    Ok(told)
}

fn memory(plan: &Plan, tree: &Tree) -> Vec<String> {
    let told = plan.guest_reserved.memory_by == Some(GuestPatch::DeviceTree);
    let planned: SpanSet<Gpa> =
        plan.guest_reserved.memory.iter().filter(|_| told).map(|row| row.span).collect();
    let kept = tree.nodes.iter().filter(|(_, node)| node.contains_key("no-map"));
    let found: SpanSet<Gpa> = kept.filter_map(|(_, node)| span(node.get("reg")?.first_chunk()?)).collect();
    if planned == found { Vec::new() } else { vec![format!("no-map is {found:?}, planned {planned:?}")] }
}

/// Every reservation names the node of its device, which names it, and stands where QEMU has the device's port.
fn dma(plan: &Plan, tree: &Tree, pci: &str) -> Vec<String> {
    let reserved = &plan.guest_reserved;
    let mut told = Vec::new();
    let mut found: BTreeMap<u64, SpanSet<Iova>> = BTreeMap::new();
    for (path, node) in &tree.nodes {
        for cells in node.get("iommu-addresses").map_or(&[][..], Vec::as_slice).chunks(6) {
            let [device, _, place @ ..] = cells else { continue };
            let Some(span) = place.first_chunk().and_then(span) else { continue };
            found.entry(*device).or_default().insert(span);
            if !tree.refers(*device, node.get("phandle")) {
                told.push(format!("the device of {path} does not name it"));
            }
        }
    }
    let mut found: Vec<SpanSet<Iova>> = found.into_values().collect();
    let by_tree = reserved.dma_by == Some(GuestPatch::DeviceTree);
    let of = |device| reserved.dma.iter().filter(move |row| row.devices.contains(device)).map(|row| row.span);
    let rows = plan.guest.pass.iter().filter(|_| by_tree).map(|device| of(device).collect());
    let mut planned: Vec<SpanSet<Iova>> = rows.filter(|set: &SpanSet<Iova>| !set.is_empty()).collect();
    found.sort_by_key(SpanSet::size_bytes);
    planned.sort_by_key(SpanSet::size_bytes);
    if found != planned {
        told.push(format!("devices must not use {found:?}, planned {planned:?}"));
    }
    told.extend(ports(tree, pci));
    told
}

/// The ports of the overlay are bridges of QEMU's root bus.
fn ports(tree: &Tree, pci: &str) -> Vec<String> {
    let bridges: BTreeSet<u64> = bridges(pci).collect();
    let ports = tree.nodes.iter().filter(|(path, _)| path.split('/').count() == 3 && path.contains("/pcie@"));
    let places = ports.filter_map(|(path, node)| {
        let place = (node.get("reg")?.first()? >> 11) & 0x1f;
        path.rsplit('/').next()?.starts_with("pcie@").then_some((path, place))
    });
    let missing = places.filter(|(_, place)| !bridges.contains(place));
    missing
        .map(|(path, place)| format!("{path} is device {place} of the root bus, and QEMU has no port there"))
        .collect()
}

/// Places of bridges on the root bus: `Bus  0, device   2, function 0:` with `PCI bridge: …` on the line below.
fn bridges(pci: &str) -> impl Iterator<Item = u64> + '_ {
    let pairs = pci.lines().zip(pci.lines().skip(1));
    pairs.filter(|(_, what)| what.trim_start().starts_with("PCI bridge")).filter_map(|(place, _)| {
        let rest = place.trim().strip_prefix("Bus  0, device")?;
        rest.split(',').next()?.trim().parse().ok()
    })
}

fn span<A: Address>(cells: &[u64; 4]) -> Option<Span<A>> {
    let [high, low, size_high, size_low] = cells;
    Span::from_start_size(A::new((high << 32) | low), Size::from_bytes((size_high << 32) | size_low))
}

/// A device tree as `dtc` writes it: properties that are numbers, or nothing, by the path of their node.
struct Tree {
    nodes: BTreeMap<String, BTreeMap<String, Vec<u64>>>,
}

impl Tree {
    fn read(text: &str) -> Self {
        let mut path: Vec<String> = Vec::new();
        let mut nodes: BTreeMap<String, BTreeMap<String, Vec<u64>>> = BTreeMap::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_suffix(" {") {
                path.push(name.trim_start_matches('/').to_owned());
            } else if line == "};" {
                path.pop();
            } else if let Some((name, cells)) =
                line.strip_suffix(';').map(|line| line.split_once(" = <").unwrap_or((line, "")))
            {
                let words = cells.trim_end_matches('>').split_whitespace();
                let cells = words.filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
                nodes.entry(path.join("/")).or_default().insert(name.to_owned(), cells.collect());
            }
        }
        Self { nodes }
    }

    /// Whether the node with a phandle names a reservation with another.
    fn refers(&self, device: u64, reservation: Option<&Vec<u64>>) -> bool {
        let Some([reservation]) = reservation.map(Vec::as_slice) else { return false };
        let is_device =
            |node: &&BTreeMap<String, Vec<u64>>| node.get("phandle").is_some_and(|own| own == &[device]);
        let device = self.nodes.values().find(is_device);
        device.and_then(|node| node.get("memory-region")).is_some_and(|regions| regions.contains(reservation))
    }
}

/// Compiles the IORT of a guest with two accelerated SMMUs, and reads it back. QEMU itself makes such a guest with KVM only.
pub(super) fn prove_tables(folder: &Path) -> Result<(), Failure> {
    let done = process::run(Command::new("iasl").arg("-v"), folder, "", LIMIT);
    let said = done.map(|done| done.stdout).map_err(|why| format!("{why}; install acpica-tools"))?;
    let word = said.split_once("version ").and_then(|(_, rest)| rest.split_whitespace().next());
    let version: u32 = word.and_then(|word| word.parse().ok()).ok_or("iasl -v tells no version")?;
    if version < IASL_SINCE {
        step(&format!("IORT of the guest: not proved here, iasl {version} does not know all of its fields"));
        return Ok(());
    }
    let Planned::Plan(plan) = two_smmus().plan()? else {
        return Err("there is no plan for two SMMUs".into());
    };
    let files = emit::emit(&plan, Target::GuestIort).map_err(|why| why.to_string())?;
    let source = files.first().ok_or("the table has no file")?;
    fs::write(folder.join(&source.file), &source.text)?;
    run("iasl", &["-p", "guest-iort", &source.file], folder)?;
    let bytes = fs::read(folder.join("guest-iort.aml"))?;
    let (facts, _) = acpi::facts(&[TableFile { name: "IORT", bytes: &bytes }], &[]);
    let found: SpanSet<Iova> = facts.firmware.iter().map(|region| region.span).collect();
    let mut planned: SpanSet<Iova> = plan.guest_reserved.dma.iter().map(|row| row.span).collect();
    planned.insert(Span::of(0x800_0000, 0x80f_ffff).ok_or("a window")?);
    if found != planned {
        return Err(format!("the IORT reserves {found:?}, planned {planned:?}").into());
    }
    step(&format!("IORT of the guest: compiled by iasl {version}, read back as planned"));
    Ok(())
}

fn two_smmus() -> Case {
    let host = "host h { arch aarch64 kernel linux 6.12 ipa 48 bits smmu s { model smmuv3 } root-complex r { smmu s \
                window mem32 0x2000_0000 + 256M intercepts-p2p window mem64 0x100_0000_0000 + 64G intercepts-p2p \
                device 01:00.0 { class 0200 } device 02:00.0 { class 0200 } } }";
    let guest = "guest g { vmm qemu 11.1 { machine \"virt,gic-version=3\" } memory 2G viommu smmuv3 iommufd yes \
                 pass 0000:01:00.0 0000:02:00.0 }";
    Case {
        name: String::new(),
        host: HostSource::Text(host.to_owned()),
        guest: guest.to_owned(),
        version: None,
        wanted: Wanted::Started,
    }
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<String, Failure> {
    let done = process::run(Command::new(program).args(arguments), folder, "", LIMIT)?;
    if done.success {
        Ok(done.stdout)
    } else {
        Err(format!("{program}: {} {}", done.stdout, done.stderr).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_of_the_root_bus_are_found() {
        let text = "  Bus  0, device   0, function 0:\n    Host bridge: PCI device 1b36:0008\n  Bus  0, device   2, function 0:\n    \
                    PCI bridge: PCI device 1b36:000c\n      IRQ 0, pin A\n  Bus  1, device   0, function 0:\n    PCI bridge: x\n";
        assert_eq!(bridges(text).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_device_that_does_not_name_its_reservation_is_found() {
        let text = "/ {\n\tdma-0 {\n\t\tphandle = <0x2>;\n\t};\n\tpcie@1 {\n\t\tdevice@0,0 {\n\t\t\tphandle = <0x3>;\n\
                    \t\t\tmemory-region = <0x02>;\n\t\t};\n\t};\n};\n";
        let tree = Tree::read(text);
        assert!(tree.refers(3, Some(&vec![2])));
        assert!(!tree.refers(3, Some(&vec![4])));
        assert!(!tree.refers(2, Some(&vec![2])));
        assert!(tree.nodes.contains_key("/pcie@1/device@0,0"));
    }
}
