//! The report for people: a table per group, groups that are alike together.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use planner_core::addr::{Address, Span};
use planner_core::kernel::{
    Basis, Difference, Finding, GroupReport, IommufdAnswer, MsiWindow, ReservedReport,
};
use planner_core::size::{PageSizes, binary_size};

use crate::paint::{Ink, paint, paragraph, table};

/// Columns of running text.
const WIDTH: usize = 100;
/// Most devices named in the title of a group.
const MOST_NAMED: usize = 6;

/// The whole report.
pub(super) fn told(report: &ReservedReport) -> String {
    let ReservedReport { host, kernel, page_size, .. } = report;
    let mut out = paint(Ink::Bold, &format!("{host}: Linux {kernel} with {page_size} pages"));
    out.push('\n');
    for (body, groups) in folded(&report.groups) {
        let _ = write!(out, "\n{}\n{body}", paint(Ink::Bold, &title(&groups)));
    }
    if !report.differences.is_empty() {
        let _ = write!(
            out,
            "\n{}\n",
            paint(Ink::Care, "what the kernel listed and what the rules predict differ")
        );
        report.differences.iter().for_each(|difference| out.push_str(&differing(difference)));
    }
    out
}

/// Groups with the same body, in the order in which they come. What a body says of its own group and devices is no
/// difference.
fn folded(groups: &[GroupReport]) -> Vec<(String, Vec<&GroupReport>)> {
    let mut place = BTreeMap::new();
    let mut folded: Vec<(String, Vec<&GroupReport>)> = Vec::new();
    for group in groups {
        let alike = body(group, &|text| impersonal(group, text));
        let index = *place.entry(alike.clone()).or_insert(folded.len());
        match folded.get_mut(index) {
            Some((_, groups)) => groups.push(group),
            None => folded.push((alike, vec![group])),
        }
    }
    for (alike, groups) in &mut folded {
        if let [only] = groups.as_slice() {
            *alike = body(only, &str::to_owned);
        }
    }
    folded
}

/// A sentence that holds for groups which are alike.
fn impersonal(group: &GroupReport, text: &str) -> String {
    let mut text = text.to_owned();
    for device in &group.devices {
        text = text.replace(&device.to_string(), "its device");
    }
    for after in [" ", ",", ":"] {
        text = text.replace(&format!("group {}{after}", group.id), &format!("the group{after}"));
    }
    text
}

fn title(groups: &[&GroupReport]) -> String {
    let devices: Vec<String> =
        groups.iter().flat_map(|group| &group.devices).map(ToString::to_string).collect();
    let named = devices.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = match devices.len().checked_sub(MOST_NAMED) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    let word = if groups.len() == 1 { "group" } else { "groups" };
    format!("{word} {}: {named}{more}", numbers(groups))
}

/// `0, 4-14, 20`
fn numbers(groups: &[&GroupReport]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for group in groups {
        let number = group.id.0;
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run =
        |(first, last): (u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    runs.into_iter().map(run).collect::<Vec<_>>().join(", ")
}

fn body(group: &GroupReport, worded: &dyn Fn(&str) -> String) -> String {
    let mut out = String::new();
    reserved(group, &mut out);
    let _ = writeln!(out, "  usable with VFIO type1, in pages of {}", pages(group.type1.page_sizes));
    out.push_str(&spans(&group.type1.usable));
    iommufd(group, worded, &mut out);
    if let Some(window) = &group.msi {
        out.push_str(&msi(window));
    }
    for hazard in &group.hazards {
        let lead = format!("  {} ", paint(Ink::Care, "hazard:"));
        out.push_str(&paragraph(&lead, &format!("{} [{}]", hazard.because, hazard.rule), WIDTH));
    }
    out.push_str(&findings(&paint(Ink::Bad, "blocked:"), &group.blockers, worded));
    out.push_str(&findings(&paint(Ink::Faint, "note:"), &group.notes, worded));
    out
}

fn reserved(group: &GroupReport, out: &mut String) {
    if group.reserved.is_empty() {
        out.push_str("  nothing is reserved\n");
        return;
    }
    out.push_str("  reserved\n");
    let rows: Vec<[String; 4]> = group
        .reserved
        .iter()
        .map(|region| {
            let (span, size) = match region.span() {
                Some(span) => (span.to_string(), binary_size(span.size_bytes())),
                None => (format!("{} (empty)", region.start), binary_size(0)),
            };
            let basis = if region.basis == Basis::Listed { "listed" } else { "predicted" };
            [
                span,
                size,
                region.kind.sysfs_word().into(),
                paint(Ink::Faint, &format!("{basis} [{}]", region.rule)),
            ]
        })
        .collect();
    out.push_str(&indented(&table(&rows)));
}

fn iommufd(group: &GroupReport, worded: &dyn Fn(&str) -> String, out: &mut String) {
    match &group.iommufd {
        IommufdAnswer::Blocked { blocked } => {
            let lead = "  not usable with iommufd: ";
            out.push_str(&paragraph(
                lead,
                &format!("{} [{}]", worded(&blocked.because), blocked.rule),
                WIDTH,
            ));
        }
        IommufdAnswer::Usable { usable, alignment } if *usable == group.type1.usable => {
            let _ = writeln!(out, "  usable with iommufd: the same, aligned to {}", alignment.compact());
        }
        IommufdAnswer::Usable { usable, alignment } => {
            let _ = writeln!(out, "  usable with iommufd, aligned to {}", alignment.compact());
            out.push_str(&spans(usable));
        }
    }
}

fn msi(window: &MsiWindow) -> String {
    let mut out =
        format!("  MSI window {} has room for {} doorbell pages\n", window.span, window.doorbell_pages);
    for bell in &window.doorbells {
        let _ = writeln!(out, "    the doorbell at {} is seen at {}", bell.address, bell.iova);
    }
    out
}

fn findings(word: &str, findings: &[Finding], worded: &dyn Fn(&str) -> String) -> String {
    let told = |finding: &Finding| format!("{} [{}]", worded(&finding.because), finding.rule);
    findings.iter().map(|finding| paragraph(&format!("  {word} "), &told(finding), WIDTH)).collect()
}

fn differing(difference: &Difference) -> String {
    let Difference { group, region, only, because, .. } = difference;
    let side = if *only == Basis::Listed { "listed only" } else { "predicted only" };
    let word = region.kind.sysfs_word();
    paragraph(
        &format!("  group {group}, {side}: "),
        &format!("{}..={} {word}: {because}", region.start, region.end),
        WIDTH,
    )
}

fn spans<A: Address>(spans: &[Span<A>]) -> String {
    let rows: Vec<[String; 2]> =
        spans.iter().map(|span| [span.to_string(), binary_size(span.size_bytes())]).collect();
    if rows.is_empty() { "    nothing\n".into() } else { indented(&table(&rows)) }
}

fn pages(sizes: PageSizes) -> String {
    sizes.iter().map(|page| page.to_string()).collect::<Vec<_>>().join(" ")
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}
