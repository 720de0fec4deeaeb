//! The regions that the guest's device tree names. `dtc` turns the blob into text; this reads the text.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use planner_core::addr::{Gpa, Span};
use planner_core::size::Size;
use planner_core::vmm::RegionKind;

use super::memory_tree::Seen;
use super::process;
use crate::Failure;

const LIMIT: Duration = Duration::from_secs(30);

/// A property with its numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Property {
    /// Name of the node it is in.
    node: String,
    name: String,
    cells: Vec<u64>,
}

/// The regions of a blob.
pub(super) fn regions(blob: &Path) -> Result<Vec<Seen>, Failure> {
    let folder = blob.parent().unwrap_or(blob);
    let mut dtc = Command::new("dtc");
    dtc.args(["-q", "-I", "dtb", "-O", "dts"]).arg(blob);
    let done = process::run(&mut dtc, folder, "", LIMIT)?;
    if !done.success {
        return Err(format!("dtc refuses the device tree: {}", done.stderr).into());
    }
    Ok(read(&done.stdout))
}

/// Both machines have two cells for addresses and two for sizes everywhere but in PCI's own addresses.
fn read(text: &str) -> Vec<Seen> {
    let properties = properties(text);
    let compatible = |node: &str, word: &str| {
        let lines = text.lines().map(str::trim);
        let mut inside = lines.skip_while(|line| *line != format!("{node} {{"));
        inside.find(|line| line.starts_with("compatible = ")).is_some_and(|line| line.contains(word))
    };
    let mut seen = Vec::new();
    for property in &properties {
        let base = property.node.split('@').next().unwrap_or_default();
        let pairs = pairs(&property.cells);
        match (base, property.name.as_str()) {
            ("memory", "reg") => push(&mut seen, RegionKind::Ram, &pairs),
            ("pcie" | "pci", "reg") => push(&mut seen, RegionKind::Ecam, &pairs),
            ("pcie" | "pci", "ranges") => seen.extend(property.cells.chunks(7).filter_map(window)),
            ("flash", "reg") => push(&mut seen, RegionKind::Flash, &pairs),
            ("virtio_mmio", "reg") => push(&mut seen, RegionKind::VirtioMmio, &pairs),
            ("its", "reg") => push(&mut seen, RegionKind::Its, &pairs),
            ("v2m", "reg") => push(&mut seen, RegionKind::V2m, &pairs),
            ("imsics", "reg") => push(&mut seen, RegionKind::Msi, &pairs),
            // Distributor first, then redistributors or CPU interfaces (arm,gic.yaml, arm,gic-v3.yaml).
            ("intc", "reg") => {
                let rest =
                    if compatible(&property.node, "gic-v3") { RegionKind::Gicr } else { RegionKind::Gicc };
                push(&mut seen, RegionKind::Gicd, pairs.get(..1).unwrap_or_default());
                push(&mut seen, rest, pairs.get(1..).unwrap_or_default());
            }
            _ => {}
        }
    }
    seen
}

fn push(seen: &mut Vec<Seen>, kind: RegionKind, pairs: &[Span<Gpa>]) {
    seen.extend(pairs.iter().map(|&span| Seen { kind, span }));
}

fn pairs(cells: &[u64]) -> Vec<Span<Gpa>> {
    cells.chunks(4).filter_map(|cells| span(cells.first_chunk()?)).collect()
}

fn span(cells: &[u64; 4]) -> Option<Span<Gpa>> {
    let [high, low, size_high, size_low] = cells;
    Span::from_start_size(Gpa::at((high << 32) | low), Size::from_bytes((size_high << 32) | size_low))
}

/// A window: PCI's own address in three cells, the CPU's in two, the size in two (IEEE 1275 PCI binding, 2.2.1.1: the
/// space is in bits 25 and 24 of the first).
fn window(cells: &[u64]) -> Option<Seen> {
    let [space, _, _, place @ ..] = cells else { return None };
    let kind = match (space >> 24) & 3 {
        1 => RegionKind::Pio,
        2 => RegionKind::Mmio32,
        3 => RegionKind::Mmio64,
        _ => return None,
    };
    Some(Seen { kind, span: span(place.first_chunk()?)? })
}

/// The properties that are lists of numbers, with the node that each is in.
fn properties(text: &str) -> Vec<Property> {
    let mut nodes: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_suffix(" {") {
            nodes.push(name.to_owned());
        } else if line == "};" {
            nodes.pop();
        } else if let Some((name, list)) = line.split_once(" = <") {
            let words = list.trim_end_matches(['>', ';']).split_whitespace();
            let cells = words.filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
            let node = nodes.last().cloned().unwrap_or_default();
            found.push(Property { node, name: name.to_owned(), cells: cells.collect() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_the_kinds_of_a_plan() {
        let text = "\
/dts-v1/;

/ {
	memory@40000000 {
		reg = <0x00 0x40000000 0x00 0x68000000>;
		device_type = \"memory\";
	};

	pcie@10000000 {
		ranges = <0x1000000 0x00 0x00 0x00 0x3eff0000 0x00 0x10000 0x3000000 0x80 0x00 0x80 0x00 0x80 0x00>;
		reg = <0x40 0x10000000 0x00 0x10000000>;
	};

	intc@8000000 {
		reg = <0x00 0x8000000 0x00 0x10000 0x00 0x80a0000 0x00 0xf60000>;
		compatible = \"arm,gic-v3\";

		its@8080000 {
			reg = <0x00 0x8080000 0x00 0x20000>;
		};
	};
};
";
        let lines: Vec<String> =
            read(text).iter().map(|seen| format!("{} {}", seen.kind, seen.span)).collect();
        assert_eq!(
            lines,
            [
                "ram 0x4000_0000..=0xa7ff_ffff",
                "pio 0x3eff_0000..=0x3eff_ffff",
                "mmio64 0x80_0000_0000..=0xff_ffff_ffff",
                "ecam 0x40_1000_0000..=0x40_1fff_ffff",
                "gicd 0x800_0000..=0x800_ffff",
                "gicr 0x80a_0000..=0x8ff_ffff",
                "its 0x808_0000..=0x809_ffff",
            ]
        );
    }
}
