//! `/proc/iomem` of a booted guest against the plan (kernel/resource.c).

use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::plan::Plan;
use planner_core::size::MIB;
use planner_core::span_set::SpanSet;
use planner_core::vmm::RegionKind;

/// What firmware keeps of RAM and the kernel lists beside it (arch/arm64/kernel/setup.c, `request_standard_resources`;
/// arch/x86/kernel/e820.c, `e820_type_to_string`).
const KEPT: &[&str] = &["reserved", "Reserved", "ACPI Tables", "ACPI Non-volatile Storage"];

/// A line that is not within another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Resource {
    pub(super) span: Span<Gpa>,
    pub(super) name: String,
}

/// The outermost lines: `40000000-a443ffff : System RAM`.
pub(super) fn resources(text: &str) -> Vec<Resource> {
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let outermost = text.lines().filter(|line| !line.starts_with(' '));
    let resource = |line: &str| {
        let (range, name) = line.trim_end().split_once(" : ")?;
        let (first, last) = range.split_once('-')?;
        Some(Resource { span: Span::of(number(first)?, number(last)?)?, name: name.to_owned() })
    };
    outermost.filter_map(resource).collect()
}

/// Every difference, a sentence each.
pub(super) fn differences(plan: &Plan, resources: &[Resource]) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(memory(plan, resources));
    match plan.guest.arch {
        Arch::X86_64 => found.extend(windows_of_firmware(plan, resources)),
        _ => {
            for (name, kinds) in [
                ("PCI Bus 0000:00", &[RegionKind::Mmio32, RegionKind::Mmio64] as &[_]),
                ("PCI ECAM", &[RegionKind::Ecam]),
                ("GICD", &[RegionKind::Gicd]),
                ("GICR", &[RegionKind::Gicr]),
            ] {
                found.extend(same(name, &of_kinds(plan, kinds), &named(resources, &[name])));
            }
        }
    }
    found
}

/// All RAM of the plan is RAM of the guest, or kept by firmware; and none is elsewhere. A PC's first MiB has always had
/// holes in it.
fn memory(plan: &Plan, resources: &[Resource]) -> Vec<String> {
    let low = match plan.guest.arch {
        Arch::X86_64 => Span::of(0, MIB - 1).into_iter().collect(),
        _ => SpanSet::new(),
    };
    let planned = plan.ram.iter().map(|piece| piece.span).collect::<SpanSet<Gpa>>().difference(&low);
    let ram = named(resources, &["System RAM"]).difference(&low);
    let kept = named(resources, KEPT).difference(&low);
    let mut found = Vec::new();
    let elsewhere = ram.difference(&planned);
    if !elsewhere.is_empty() {
        found.push(format!("System RAM: the guest has {} too", list(&elsewhere)));
    }
    let missing = planned.difference(&ram).difference(&kept);
    if !missing.is_empty() {
        found.push(format!("System RAM: the guest lacks {}", list(&missing)));
    }
    let unused = plan.ram.iter().filter(|piece| !ram.overlaps(piece.span));
    found.extend(unused.map(|piece| format!("System RAM: the guest uses nothing of {}", piece.name)));
    found
}

/// Firmware of a PC takes of the planned windows what it needs.
fn windows_of_firmware(plan: &Plan, resources: &[Resource]) -> Vec<String> {
    let planned = of_kinds(plan, &[RegionKind::Mmio32, RegionKind::Mmio64]);
    let seen = named(resources, &["PCI Bus 0000:00"]);
    let above = seen.iter().filter(|span| span.first().get() >= MIB);
    let outside = above.filter(|span| !planned.covers(*span));
    outside.map(|span| format!("PCI Bus 0000:00: {span} is in no planned window")).collect()
}

fn of_kinds(plan: &Plan, kinds: &[RegionKind]) -> SpanSet<Gpa> {
    plan.regions.iter().filter(|region| kinds.contains(&region.kind)).map(|region| region.span).collect()
}

fn named(resources: &[Resource], names: &[&str]) -> SpanSet<Gpa> {
    let named = resources.iter().filter(|resource| names.contains(&resource.name.as_str()));
    named.map(|resource| resource.span).collect()
}

fn same(name: &str, planned: &SpanSet<Gpa>, seen: &SpanSet<Gpa>) -> Option<String> {
    (planned != seen).then(|| format!("{name}: planned {}, the guest has {}", list(planned), list(seen)))
}

fn list(set: &SpanSet<Gpa>) -> String {
    let spans: Vec<String> = set.iter().map(|span| span.to_string()).collect();
    if spans.is_empty() { "nothing".to_owned() } else { spans.join(", ") }
}
