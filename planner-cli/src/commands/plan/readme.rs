//! The README.md that `planner plan -o` writes beside the configuration: what was decided, and why.

use std::fmt::Write as _;

use planner_core::emit::{self, OutputFile};
use planner_core::plan::{Plan, VmmOption};
use planner_core::size::binary_size;
use planner_core::vmm::RegionKind;

use super::fits::{placed, ram_reasons, summary, vmm_name};

/// The text, in Markdown.
pub(super) fn readme(plan: &Plan, config: &[OutputFile]) -> String {
    let mut out =
        format!("# {} on {}\n\n{}\n", inline(&plan.guest.name), vmm_name(plan), inline(&summary(plan)));
    out.push_str("\n## Memory map\n\n| region | addresses | size | placed |\n|---|---|---|---|\n");
    for region in &plan.regions {
        let size = binary_size(region.span.size_bytes());
        let placed =
            if region.kind == RegionKind::Msi { "kept by the kernel" } else { placed(region.placed) };
        let _ = writeln!(out, "| {} | {} | {size} | {placed} |", inline(&region.name), region.span);
    }
    let reasons = ram_reasons(plan);
    section(
        &mut out,
        "Why RAM lies there",
        reasons.iter().map(|r| format!("{} [{}]", inline(&r.because), r.rule)),
    );
    section(&mut out, "Options of the VMM", emit::options(plan).iter().map(option));
    section(&mut out, "Set on the host first", plan.host_settings.iter().map(option));
    section(
        &mut out,
        "Warnings",
        plan.warnings.iter().map(|w| format!("{} [{}]", inline(&w.because), w.rule)),
    );
    let own = [("plan.json", "the plan, for `planner check`, `emit` and `map`"), ("map.svg", "the picture")];
    let config = config.iter().map(|file| format!("`{}`: configuration", file.file));
    section(&mut out, "Files", own.iter().map(|(name, what)| format!("`{name}`: {what}")).chain(config));
    out.push_str("\n`planner check HOST plan.json` verifies the plan again, on this host or another.\n");
    out
}

fn section(out: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return;
    }
    let _ = write!(out, "\n## {title}\n\n");
    for item in items {
        let _ = writeln!(out, "- {item}");
    }
}

fn option(option: &VmmOption) -> String {
    format!("`{}`: {}", option.flag.replace('`', "'"), inline(&option.why))
}

/// Text of others on one line, without what Markdown or HTML would obey.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '|' => out.push_str("\\|"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
