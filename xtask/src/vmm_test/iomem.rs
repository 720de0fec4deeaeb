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

#[cfg(test)]
mod tests {
    use super::super::replace::tests::plan;
    use super::*;

    const AS_PLANNED: &str = "\
08000000-0800ffff : GICD
080a0000-08ffffff : GICR
10000000-3efeffff : PCI Bus 0000:00
  10000000-101fffff : PCI Bus 0000:01
40000000-a443ffff : System RAM
  4016c000-4016cfff : reserved
a4440000-a472ffff : reserved
a4730000-bfffffff : System RAM
4010000000-401fffffff : PCI ECAM
8000000000-ffffffffff : PCI Bus 0000:00
";

    fn check(text: &str) -> Vec<String> {
        differences(&plan("aarch64", 44), &resources(text))
    }

    #[test]
    fn a_guest_as_planned_has_no_difference() {
        assert_eq!(check(AS_PLANNED), [""; 0]);
    }

    #[test]
    fn each_difference_is_told() {
        for (from, to, told) in [
            ("a4730000-b", "a4740000-b", "System RAM: the guest lacks 0xa473_0000..=0xa473_ffff"),
            ("-bfffffff", "-c0000fff", "System RAM: the guest has 0xc000_0000..=0xc000_0fff too"),
            (
                "3efeffff : PCI",
                "3effffff : PCI",
                "PCI Bus 0000:00: planned 0x1000_0000..=0x3efe_ffff, 0x80_0000_0000..=0xff_ffff_ffff, the guest has \
                 0x1000_0000..=0x3eff_ffff, 0x80_0000_0000..=0xff_ffff_ffff",
            ),
            ("GICR", "OTHER", "GICR: planned 0x80a_0000..=0x8ff_ffff, the guest has nothing"),
        ] {
            assert!(AS_PLANNED.contains(from));
            assert_eq!(check(&AS_PLANNED.replace(from, to)), [told]);
        }
        let unused = AS_PLANNED.replace("System RAM", "reserved");
        assert_eq!(check(&unused), ["System RAM: the guest uses nothing of ram0"]);
    }
}
