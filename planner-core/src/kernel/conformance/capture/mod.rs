//! A capture of a booted host against the model: what the rules foretell and what the running kernel answered.
//!
//! Every comparison counts. A difference that comes of something which the kernel knew and the facts do not tell is
//! counted apart, with the reason. What the capture holds beyond the kernel's own files is ground truth, recorded by a
//! program that opened the devices; a user's capture has none, and then only regions are compared.

mod behaviour;
mod hardware;
mod iommufd;
mod left_out;
mod msi;
mod truth;
mod type1;

use std::collections::BTreeMap;
use std::fmt::Display;

use super::{Failure, Outcome, codes};
use crate::addr::{Address, Iova, Span};
use crate::diag::{Diagnostic, Origin};
use crate::host::{Group, Host};
use crate::kernel::listing::to_raw;
use crate::kernel::report::{Question, foretold_sysfs_texts, report};
use crate::kernel::resv::{RawRegion, sysfs_text};
use crate::kernel::rules::{self, Rule};
use crate::kernel::{Basis, Difference, DifferenceWeight, GroupReport, IommufdAnswer, ReservedReport};
use crate::size::PageSizes;
use crate::version::KernelVersion;

/// Compares what the rules foretell for a host with what its own kernel listed and, where `groundtruth.json` is given
/// as its name and text, with what VFIO and iommufd answered.
#[must_use]
pub fn replay_capture(host: &Host, groundtruth: Option<(&str, &str)>) -> (Outcome, Vec<Diagnostic>) {
    let foretold = report(host, &Question::default());
    let mut check = Check::new(host);
    for (group, text) in host.groups.iter().zip(foretold_sysfs_texts(host)) {
        check.regions(group, &text, &foretold);
    }
    if let Some((file, text)) = groundtruth {
        let (truth, found) = truth::read(file, text);
        check.found.extend(found);
        check.outcome.left_out.extend(truth.left_out.iter().cloned());
        let mut trusting = host.clone();
        trusting.kernel.unsafe_interrupts = Some(true);
        let trusting = report(&trusting, &Question::default());
        let world = World { file, host, foretold: &foretold, trusting: &trusting };
        let spaces = type1::compare(&world, &truth, &mut check);
        if let Some(iommufd) = &truth.iommufd {
            iommufd::compare(&world, iommufd, &spaces, &mut check);
        }
    }
    if check.outcome == Outcome::default() && check.found.is_empty() {
        let message = format!("{}: there is no listing and no ground truth to compare with", host.name);
        check.found.push(Diagnostic::new(&codes::NO_CASES, Origin::file(&host.name), message));
    }
    (check.outcome, check.found)
}

/// What is compared with.
struct World<'a> {
    /// Name of the ground truth, for messages.
    file: &'a str,
    host: &'a Host,
    foretold: &'a ReservedReport,
    /// The same with `allow_unsafe_interrupts` set.
    trusting: &'a ReservedReport,
}

/// The address space of a group: what its container or IOAS is made of.
#[derive(Clone)]
struct Space {
    regions: Vec<RawRegion>,
    aperture: Span<Iova>,
    page_sizes: PageSizes,
}

type Spaces = BTreeMap<u32, Space>;

impl Space {
    fn of(group: &GroupReport) -> Self {
        Self {
            regions: group.reserved.iter().map(to_raw).collect(),
            aperture: group.aperture,
            page_sizes: group.type1.page_sizes,
        }
    }
}

/// The sum of all comparisons.
struct Check {
    outcome: Outcome,
    found: Vec<Diagnostic>,
    version: KernelVersion,
    case: String,
}

impl Check {
    fn new(host: &Host) -> Self {
        Self {
            outcome: Outcome::default(),
            found: Vec::new(),
            version: host.kernel.version,
            case: String::new(),
        }
    }

    /// Compares one answer. `because` tells what the facts lack, where that explains a difference.
    fn equal(
        &mut self,
        place: &str,
        kernel: &impl Display,
        ours: &impl Display,
        because: Option<&str>,
    ) -> bool {
        let (kernel, ours) = (kernel.to_string(), ours.to_string());
        if kernel == ours {
            self.outcome.pass();
            return true;
        }
        self.differ(place, kernel, ours, because);
        false
    }

    fn differ(&mut self, place: &str, kernel: String, ours: String, because: Option<&str>) {
        self.outcome.differ(Failure {
            case: self.case.clone(),
            version: self.version,
            place: place.to_owned(),
            step: None,
            kernel: super::shortened(&kernel, 2000),
            ours: super::shortened(&ours, 2000),
            because: because.map(str::to_owned),
        });
    }

    /// Something was told that nothing is compared with.
    fn leave_out(&mut self, about: &str) {
        self.outcome.left_out.insert(about.to_owned());
    }

    /// There is nothing to compare with.
    fn unknown(&mut self, world: &World<'_>, what: &str) {
        let message = format!("{}: {what} is not in the capture", world.file);
        self.found.push(Diagnostic::new(&codes::NOT_COMPARABLE, Origin::file(world.file), message));
    }

    /// The text of `reserved_regions`, to the letter.
    fn regions(&mut self, group: &Group, ours: &str, foretold: &ReservedReport) {
        let Some(listed) = foretold.group(group.id).filter(|_| group.listed.is_some()) else { return };
        self.case = format!("group {}", group.id);
        let raws: Vec<RawRegion> = listed.reserved.iter().map(to_raw).collect();
        let kernel = sysfs_text(&raws, self.version, foretold.page_size);
        let differences: Vec<&Difference> =
            foretold.differences.iter().filter(|difference| difference.group == group.id).collect();
        let unforeseen = differences.iter().all(|one| one.weight == DifferenceWeight::Unforeseen);
        let because: Vec<String> = differences.iter().map(|one| told(one)).collect();
        let because = (unforeseen && !because.is_empty()).then(|| because.join("; "));
        self.equal("reserved_regions", &kernel, &ours, because.as_deref());
    }
}

fn told(difference: &Difference) -> String {
    let Difference { region, only, because, .. } = difference;
    let side = match only {
        Basis::Listed => "listed",
        Basis::Predicted => "predicted",
    };
    format!("{side} alone: {}..={} {}: {because}", region.start, region.end, region.kind.sysfs_word())
}

/// The rule among these findings' rules that is one of those asked for.
fn rule_among<'r>(findings: &[crate::kernel::Finding], asked: &[&'r Rule]) -> Option<&'r Rule> {
    asked.iter().copied().find(|rule| findings.iter().any(|finding| finding.rule == rule.id))
}

/// What a list of stretches looks like in messages.
fn shown(ranges: &[(u64, u64)]) -> String {
    let all: Vec<String> = ranges.iter().map(|(start, end)| format!("{start:#x}..={end:#x}")).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// The numbers of stretches.
fn ends(ranges: &[Span<Iova>]) -> Vec<(u64, u64)> {
    ranges.iter().map(|range| (range.first().get(), range.last().get())).collect()
}

/// Why an aperture may be another than ours, where it was only assumed.
fn assumed_aperture(group: &GroupReport) -> Option<String> {
    let apertures = [
        &rules::SMMU_APERTURE,
        &rules::VTD_APERTURE,
        &rules::AMD_APERTURE,
        &rules::VIOMMU_APERTURE,
        &rules::OTHER_APERTURE,
    ];
    let assumed = group.notes.iter().find(|note| apertures.iter().any(|rule| rule.id == note.rule));
    assumed.map(|note| note.because.clone())
}

/// Whether two lists of ranges differ only in where they end.
fn same_below(one: &[(u64, u64)], other: &[(u64, u64)]) -> bool {
    let end = |list: &[(u64, u64)]| list.last().map_or(0, |&(_, end)| end);
    let top = end(one).min(end(other));
    let cut = |list: &[(u64, u64)]| -> Vec<(u64, u64)> {
        list.iter().filter(|(start, _)| *start <= top).map(|&(start, end)| (start, end.min(top))).collect()
    };
    top != 0 && cut(one) == cut(other)
}

/// The name of an answer: `OK`, or the error.
fn name(answer: Result<(), crate::kernel::errno::Errno>) -> &'static str {
    answer.map_or_else(crate::kernel::errno::Errno::name, |()| "OK")
}

/// Where the program that recorded the ground truth had its memory: aligned to more than any page.
const MEMORY: u64 = 0x7f00_0000_0000;
