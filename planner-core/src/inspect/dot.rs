//! An inspection as a graph in the DOT language of Graphviz: who is below whom, which IOMMU translates for which root
//! complex, and where MSIs go. `dot -Tsvg` draws it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Function, Inspection};

/// The graph. Every name is quoted and stands as text: nothing in it is taken for syntax or for an escape.
#[must_use]
pub fn dot(inspection: &Inspection) -> String {
    let mut out = format!("digraph {} {{\n", quoted(&[&inspection.host.name]));
    out.push_str("  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    for iommu in &inspection.iommus {
        let lines = [iommu.name.as_str(), iommu.model.word()];
        node(&mut out, &iommu_id(&iommu.name), &lines, "style=filled, fillcolor=\"#fde0c5\"");
    }
    for doorbell in &inspection.doorbells {
        let address = doorbell.address.to_string();
        let lines = [doorbell.name.as_str(), doorbell.kind, &address];
        node(
            &mut out,
            &doorbell_id(&doorbell.name),
            &lines,
            "shape=cds, style=filled, fillcolor=\"#d9e8fb\"",
        );
    }
    for (index, complex) in inspection.root_complexes.iter().enumerate() {
        let id = format!("root complex {index}");
        let buses =
            format!("{:04x}, buses {:02x}..={:02x}", complex.segment, complex.first_bus, complex.last_bus);
        node(&mut out, &id, &[&complex.name, &buses], "style=filled, fillcolor=\"#e6e6e6\"");
        functions(&mut out, Some(&id), &complex.functions);
        paths(&mut out, &id, &complex.functions);
    }
    functions(&mut out, None, &inspection.elsewhere);
    out.push_str("}\n");
    out
}

fn iommu_id(name: &str) -> String {
    format!("iommu {name}")
}

fn doorbell_id(name: &str) -> String {
    format!("doorbell {name}")
}

fn functions(out: &mut String, root: Option<&str>, entries: &[Function]) {
    for entry in entries {
        let id = entry.address.to_string();
        let place =
            if entry.count > 1 { format!("{} x {id} to {}", entry.count, entry.last) } else { id.clone() };
        let named = entry.id.map_or(String::new(), |named| named.to_string());
        let group = match entry.groups.as_slice() {
            [] => String::new(),
            [only] => format!("group {only}"),
            [first, .., last] => format!("groups {first} to {last}"),
        };
        let lines: Vec<&str> = [place.as_str(), entry.what, &named, &group]
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        node(out, &id, &lines, if entry.is_virtual { "style=dashed" } else { "" });
        let above = entry.above.map(|above| above.to_string());
        if let Some(above) = above.as_deref().or(root) {
            let _ = writeln!(out, "  {} -> {} [dir=none];", quoted(&[above]), quoted(&[&id]));
        }
    }
}

/// The ways of DMA and of MSIs, each once with the number of functions that take it.
fn paths(out: &mut String, root: &str, entries: &[Function]) {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for entry in entries {
        let stops = [
            Some(root.to_owned()),
            entry.iommu.as_deref().map(iommu_id),
            entry.doorbell.as_deref().map(doorbell_id),
        ];
        let stops: Vec<String> = stops.into_iter().flatten().collect();
        for (from, to) in stops.iter().zip(stops.iter().skip(1)) {
            let count = counts.entry((from.clone(), to.clone())).or_insert(0);
            *count = count.saturating_add(entry.count);
        }
    }
    for ((from, to), count) in counts {
        let _ =
            writeln!(out, "  {} -> {} [label=\"{count}\", style=bold];", quoted(&[&from]), quoted(&[&to]));
    }
}

fn node(out: &mut String, id: &str, lines: &[&str], attributes: &str) {
    let separator = if attributes.is_empty() { "" } else { ", " };
    let _ = writeln!(out, "  {} [label={}{separator}{attributes}];", quoted(&[id]), quoted(lines));
}

/// Lines as one quoted string. Backslashes begin escapes such as `\N` in labels, so they are doubled.
fn quoted(lines: &[&str]) -> String {
    let escaped = lines.iter().map(|line| {
        line.chars()
            .map(|c| match c {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                c if c.is_control() => "\u{fffd}".to_owned(),
                c => c.to_string(),
            })
            .collect::<String>()
    });
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("\\n"))
}
