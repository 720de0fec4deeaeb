//! A plan for people: verdict, summary, picture, RAM with reasons, options, warnings, configuration.

use std::fmt::Write as _;

use planner_core::emit;
use planner_core::map::{AddressMap, TextStyle, text};
use planner_core::plan::{Placed, Plan, Reason, Verdict, VmmOption};
use planner_core::size::binary_size;
use planner_core::vmm::RegionKind;

use super::own_configuration;
use crate::paint::{Ink, paint, paragraph, table};

/// The whole answer.
pub(super) fn told(picture: &AddressMap, plan: &Plan, style: &TextStyle) -> String {
    let width = style.width;
    let mut out = format!("{}\n{}\n", verdict(plan), paragraph("", &summary(plan), width));
    out.push_str(&text(picture, style));
    out.push_str(&heading("RAM"));
    out.push_str(&ram(plan));
    reasons(&ram_reasons(plan), "because", width, &mut out);
    options("options", &emit::options(plan), width, &mut out);
    options("set on the host", &plan.host_settings, width, &mut out);
    if !plan.warnings.is_empty() {
        out.push_str(&heading("warnings"));
        reasons(&plan.warnings, "-", width, &mut out);
    }
    for file in own_configuration(plan).unwrap_or_default() {
        let _ = write!(out, "{}{}", heading(&file.file), file.text);
    }
    out
}

fn verdict(plan: &Plan) -> String {
    let name = &plan.guest.name;
    match plan.verdict {
        Verdict::Fits => paint(Ink::Good, &format!("fits: `{name}` on {}", vmm_name(plan))),
        _ => paint(Ink::Good, &format!("fits with options: `{name}` on {}", vmm_name(plan))),
    }
}

/// `qemu 11.1 virt`
pub(super) fn vmm_name(plan: &Plan) -> String {
    let summary = &plan.vmm;
    let machine = summary.machine.split(',').next().unwrap_or_default();
    format!("{} {} {machine}", summary.name, summary.version).trim_end().to_owned()
}

/// One paragraph.
pub(super) fn summary(plan: &Plan) -> String {
    let Plan { host, guest, ram, .. } = plan;
    let pieces = if ram.len() == 1 { "one piece".into() } else { format!("{} pieces", ram.len()) };
    let passed: Vec<String> = guest.pass.iter().map(ToString::to_string).collect();
    let with = if passed.is_empty() {
        "without a passed device".into()
    } else {
        format!("with {}", passed.join(", "))
    };
    let mut text = format!(
        "{} of RAM in {pieces} on host `{}` (Linux {}, {} pages), {with}. The guest needs {} bits of \
         guest-physical address.",
        guest.memory, host.name, host.kernel, host.page_size, plan.needed_bits
    );
    if let Some(msi) = &plan.msi_window {
        let _ = write!(
            text,
            " The kernel maps MSI doorbells at {}, {} of {} pages are taken.",
            msi.span,
            msi.doorbells.len(),
            msi.capacity_pages
        );
    }
    text
}

fn heading(words: &str) -> String {
    format!("\n{}\n", paint(Ink::Bold, words))
}

fn ram(plan: &Plan) -> String {
    let rows: Vec<[String; 4]> = plan
        .regions
        .iter()
        .filter(|region| region.kind == RegionKind::Ram)
        .map(|region| {
            let node = plan.ram.iter().find(|piece| piece.name == region.name).and_then(|piece| piece.node);
            let node = node.map(|node| format!(", node {node}")).unwrap_or_default();
            let size = binary_size(region.span.size_bytes());
            [region.name.clone(), region.span.to_string(), size, format!("{}{node}", placed(region.placed))]
        })
        .collect();
    table(&rows)
}

/// How a region came to lie where it lies, in words.
pub(super) fn placed(placed: Placed) -> &'static str {
    match placed {
        Placed::Fixed => "where the VMM puts it",
        Placed::Knob => "moved by an option",
        Placed::Search => "placed by the planner",
    }
}

/// Every reason of RAM once.
pub(super) fn ram_reasons(plan: &Plan) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    let ram = plan.regions.iter().filter(|region| region.kind == RegionKind::Ram);
    for reason in ram.flat_map(|region| &region.because) {
        if !reasons.contains(reason) {
            reasons.push(reason.clone());
        }
    }
    reasons
}

fn reasons(reasons: &[Reason], word: &str, width: usize, out: &mut String) {
    for reason in reasons {
        let lead = format!("  {word} ");
        out.push_str(&paragraph(&lead, &format!("{} [{}]", reason.because, reason.rule), width));
    }
}

fn options(title: &str, options: &[VmmOption], width: usize, out: &mut String) {
    if options.is_empty() {
        return;
    }
    out.push_str(&heading(title));
    for option in options {
        let _ = writeln!(out, "  {}", paint(Ink::Bold, &option.flag));
        out.push_str(&paragraph("      ", &option.why, width));
    }
}
