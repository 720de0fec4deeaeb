//! Recorded behaviour of the kernel, replayed through the model: what the kernel said against what we say.
//!
//! [`replay`] takes a file of what the kernel's own functions answered, [`capture::replay_capture`] what a running host
//! answered. Recordings come from anywhere, so everything in them is checked, and what a file may cost is bounded. A
//! schema is one file here and one row of `SCHEMAS`; how the mechanisms work is told beside their models.

pub mod capture;
pub mod codes;
mod dma_domain;
mod dma_host;
mod field;
mod file;
mod iommufd;
mod iova;
mod json;
mod msi_cookie;
mod ops;
mod producers;
mod resv;
mod shape;
mod syntax;
mod type1;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::addr::{Address, Iova};
use crate::diag::Diagnostic;
use crate::kernel::errno::Errno;
use crate::version::KernelVersion;
use field::Read;
use json::Json;
use shape::Difference;

/// How a replay went.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Outcome {
    /// Comparisons in which the kernel and we say the same.
    pub passed: u64,
    /// Comparisons in which we say something else, and nothing explains it.
    pub failed: u64,
    /// Comparisons that differ because the kernel knew something that the facts do not tell.
    pub explained: u64,
    /// The first of those that failed, at most [`MOST_TOLD`].
    pub failures: Vec<Failure>,
    /// The first of those that are explained, at most [`MOST_TOLD`].
    pub explanations: Vec<Failure>,
    /// What a capture tells and nothing was compared with.
    pub left_out: BTreeSet<String>,
}

/// A comparison in which the kernel and we say different things.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Failure {
    /// Identifier of the case, or of the group or device of a capture.
    pub case: String,
    /// The release.
    pub version: KernelVersion,
    /// Place of the answer in the case.
    pub place: String,
    /// The operation that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What the kernel said.
    pub kernel: String,
    /// What we say.
    pub ours: String,
    /// What the facts do not tell, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// How many differences of each sort are told one by one; the others are counted.
pub const MOST_TOLD: usize = 10_000;

impl Outcome {
    /// Whether nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failed == 0
    }

    /// Adds what came out of another file.
    pub fn add(&mut self, other: Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.explained = self.explained.saturating_add(other.explained);
        self.failures.extend(other.failures);
        self.failures.truncate(MOST_TOLD);
        self.explanations.extend(other.explanations);
        self.explanations.truncate(MOST_TOLD);
        self.left_out.extend(other.left_out);
    }

    fn pass(&mut self) {
        self.passed = self.passed.saturating_add(1);
    }

    fn differ(&mut self, failure: Failure) {
        let (count, told) = match failure.because {
            Some(_) => (&mut self.explained, &mut self.explanations),
            None => (&mut self.failed, &mut self.failures),
        };
        *count = count.saturating_add(1);
        if told.len() < MOST_TOLD {
            told.push(failure);
        }
    }
}

/// A case, read: it can be replayed under any kernel.
trait Recorded {
    /// What one replay may cost, in steps.
    fn cost(&self) -> u64;
    /// Checks the form of an answer.
    fn check(&self, out: &Json<'_>) -> Read<()>;
    /// Replays the case and compares.
    fn replay(&self, version: KernelVersion, out: &Json<'_>) -> Result<(), Difference>;
}

/// Reads the input of a case.
type Reader = for<'o> fn(&'o Json<'_>) -> Read<Box<dyn Recorded + 'o>>;

/// The schemas that are modelled: a mechanism is added here.
const SCHEMAS: &[(&str, Reader)] = &[
    ("resv", resv::READ),
    ("vfio_type1", type1::READ),
    ("iommufd", iommufd::READ),
    ("iommufd_swmsi", iommufd::READ),
    ("msi_cookie", msi_cookie::READ),
    ("producers", producers::READ),
    ("iova", iova::READ),
    ("dma_host", dma_host::READ),
];

/// Names of the schemas that can be replayed.
pub fn schemas() -> impl Iterator<Item = &'static str> {
    SCHEMAS.iter().map(|(name, _)| *name)
}

/// Whether a text looks like a file of recorded answers: JSON with a list of cases.
#[must_use]
pub fn is_recording(text: &str) -> bool {
    let head: String = text.chars().take(4096).collect();
    let words = ["\"schema\"", "\"versions\"", "\"cases\""];
    text.trim_start().starts_with('{') && words.iter().any(|word| head.contains(word))
}

/// Replays every case of a file for every version that it lists and compares whole answers. `file` is its name in
/// messages.
#[must_use]
pub fn replay(file: &str, text: &str) -> (Outcome, Vec<Diagnostic>) {
    file::replay(file, text)
}

/// What the kernel returns: 0 or a negative errno.
fn code(result: Result<(), Errno>) -> Json<'static> {
    Json::integer(result.map_or_else(|errno| errno.number().wrapping_neg(), |()| 0))
}

/// First and last address.
fn pair(start: Iova, end: Iova) -> Json<'static> {
    Json::List(vec![Json::hex(start.get()), Json::hex(end.get())])
}

/// The text, cut after so many characters.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
