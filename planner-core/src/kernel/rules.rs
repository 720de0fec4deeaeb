//! What Linux does, as rows: which rule, since when, until when, how sure we are, where it stands, and the way out.
//!
//! Every difference between kernel versions is a row of this table. The files that compute ask for a row by its name
//! (`rules::DIRECT_BLOCKS.holds(version)`) and compare no versions themselves. The rows stand in one file per subject;
//! this file holds their shape, the whole table and the lookup. What the rows do is elsewhere in [`crate::kernel`].

mod address_space;
mod container;
mod dma;
mod doorbells;
mod drivers;
mod firmware;
mod groups;
mod iommufd;
mod listing;
mod platform;
mod producers;
mod tables;
mod type1;

pub use address_space::*;
pub use container::*;
pub use dma::*;
pub use doorbells::*;
pub use drivers::*;
pub use firmware::*;
pub use groups::*;
pub use iommufd::*;
pub use listing::*;
pub use platform::*;
pub use producers::*;
pub use tables::*;
pub use type1::*;

use serde::Serialize;

use crate::version::KernelVersion;

/// How well the versions of a rule are known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Read in the sources of releases on both sides of the change, or the same in all that were read.
    Read,
    /// The kernel's documentation or the change itself names the release.
    Documented,
    /// The behaviour was read, but the release that brought it was not: the true one may lie a little earlier.
    Believed,
}

/// One thing that Linux, or the hardware below it, does to the address space of a device.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Rule {
    /// Stable identifier: `K-` for the kernel, `H-` for a hazard of the hardware.
    pub id: &'static str,
    /// One sentence: what happens.
    pub says: &'static str,
    /// First release in which it holds; `None` for as long as the mechanism exists.
    pub since: Option<KernelVersion>,
    /// First release in which it holds no more; `None` when the newest release still does it.
    pub until: Option<KernelVersion>,
    /// How well `since` and `until` are known.
    pub confidence: Confidence,
    /// Kernel file and function, or the document.
    pub citation: &'static str,
    /// Why it is so and what follows from it. Several sentences.
    pub why: &'static str,
    /// What the user can do about it.
    pub way_out: &'static str,
}

impl Rule {
    /// Whether a kernel of this version follows the rule.
    #[must_use]
    pub fn holds(&self, version: KernelVersion) -> bool {
        self.since.is_none_or(|since| since <= version) && self.until.is_none_or(|until| version < until)
    }

    /// `since 6.6`, `4.12 to before 4.18`, `all versions`.
    #[must_use]
    pub fn versions(&self) -> String {
        match (self.since, self.until) {
            (None, None) => "all versions".into(),
            (Some(since), None) => format!("since {since}"),
            (None, Some(until)) => format!("before {until}"),
            (Some(since), Some(until)) => format!("{since} to before {until}"),
        }
    }

    /// What `planner explain` prints: the sentence, why, since when, where it stands, what to do.
    #[must_use]
    pub fn explanation(&self) -> String {
        let Self { id, says, why, way_out, citation, .. } = self;
        let sure = match self.confidence {
            Confidence::Read => "read in the sources",
            Confidence::Documented => "as documented",
            Confidence::Believed => "the exact release is believed, not verified",
        };
        let versions = self.versions();
        format!(
            "{id}: {says}\n\n{why}\n\nversions: {versions} ({sure})\nsource: {citation}\nway out: {way_out}\n"
        )
    }
}

const SECTIONS: [&[Rule]; 13] = [
    producers::ROWS,
    drivers::ROWS,
    firmware::ROWS,
    tables::ROWS,
    listing::ROWS,
    groups::ROWS,
    type1::ROWS,
    container::ROWS,
    iommufd::ROWS,
    address_space::ROWS,
    dma::ROWS,
    doorbells::ROWS,
    platform::ROWS,
];

/// Every rule, subject by subject.
pub const RULES: &[Rule] = &joined::<{ count(&SECTIONS) }>(&SECTIONS);

/// The rule with this identifier, in any case of letters.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(id))
}

const fn count(sections: &[&[Rule]]) -> usize {
    let (mut total, mut section) = (0, 0);
    while section < sections.len() {
        total += sections[section].len();
        section += 1;
    }
    total
}

/// Whether `allow_unsafe_interrupts` of the host lifts a refusal that rests on this rule.
#[must_use]
pub fn lifted_by_unsafe_interrupts(id: &str) -> bool {
    [ISOLATED_GROUP.id, ISOLATED_ANY.id, FD_ISOLATED.id, INTERRUPT_REMAPPING.id].contains(&id)
}

/// The sections one after the other. Runs at compile time only, where an index out of range is a compile error.
const fn joined<const N: usize>(sections: &[&[Rule]]) -> [Rule; N] {
    let mut table = [producers::SWMSI; N];
    let (mut at, mut section) = (0, 0);
    while section < sections.len() {
        let mut row = 0;
        while row < sections[section].len() {
            table[at] = sections[section][row];
            at += 1;
            row += 1;
        }
        section += 1;
    }
    table
}

/// Declares rows: each becomes a constant, to be asked for by name, and a row of the file's `ROWS`.
macro_rules! rules {
    ($($name:ident = $id:literal, $since:expr, $until:expr, $confidence:ident {
        says: $says:literal,
        why: $why:literal,
        way_out: $way_out:literal,
        from: $citation:literal,
    })+) => {
        $(
            #[doc = $says]
            pub const $name: Rule = Rule {
                id: $id,
                says: $says,
                since: $since,
                until: $until,
                confidence: Confidence::$confidence,
                citation: $citation,
                why: $why,
                way_out: $way_out,
            };
        )+
        /// The rows of this file.
        pub(super) const ROWS: &[Rule] = &[$($name),+];
    };
}
use rules;

/// A release, for the rows.
const fn v(major: u16, minor: u16) -> Option<KernelVersion> {
    Some(KernelVersion::new(major, minor))
}

/// No bound, for the rows.
const ALWAYS: Option<KernelVersion> = None;

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    #[test]
    fn identifiers_are_unique_and_start_with_their_letter() {
        let mut ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        assert!(ids.iter().all(|id| id.starts_with("K-") || id.starts_with("H-")), "{ids:?}");
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }

    #[test]
    fn texts_are_sentences_and_bounds_are_in_order() {
        for rule in RULES {
            assert!(!rule.says.ends_with('.'), "{}: `says` is one sentence without full stop", rule.id);
            assert!(rule.why.ends_with('.'), "{}: `why` is prose", rule.id);
            assert!(!rule.way_out.is_empty() && !rule.citation.is_empty(), "{}", rule.id);
            if let (Some(since), Some(until)) = (rule.since, rule.until) {
                assert!(since < until, "{}", rule.id);
            }
        }
    }

    #[test]
    fn a_rule_holds_from_its_first_release_to_before_its_last() {
        let at = |rule: &Rule, text: &str| rule.holds(text.parse().unwrap());
        assert!(!at(&DIRECT_BLOCKS, "6.5.13") && at(&DIRECT_BLOCKS, "6.6") && at(&DIRECT_BLOCKS, "7.3"));
        assert!(!at(&WINDOWS_LISTED, "4.18") && at(&WINDOWS_LISTED, "4.17.9"));
        assert!(!at(&SWMSI, "4.10") && at(&SWMSI, "4.11"));
    }

    #[test]
    fn a_rule_is_found_by_its_identifier() {
        assert_eq!(rule("k-swmsi"), Some(&SWMSI));
        assert_eq!(rule("K-NOSUCH"), None);
    }

    #[test]
    fn the_version_matrix() {
        let text: String = RULES
            .iter()
            .filter(|rule| rule.since.is_some() || rule.until.is_some())
            .map(|rule| format!("{:<14} {:<22} {:?}\n", rule.id, rule.versions(), rule.confidence))
            .collect();
        expect_file!["rules/versions.txt"].assert_eq(&text);
    }
}
