//! Versions of kernels and VMMs, compared by number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::json_as_text;

/// `major.minor` or `major.minor.patch`. A version without patch compares as patch 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number.
    pub major: u16,
    /// Second number.
    pub minor: u16,
    /// Third number, 0 when it was not given.
    pub patch: u16,
}

/// A release of Linux.
pub type KernelVersion = Version;

impl Version {
    /// `major.minor`, patch 0.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: 0 }
    }

    /// The version at the start of a release string such as `7.3.4+deb13-arm64` or `6.1.0-17-amd64`.
    #[must_use]
    pub fn from_release(release: &str) -> Option<Self> {
        let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
        let text = release.get(..end)?.trim_end_matches('.');
        let mut numbers = text.splitn(4, '.');
        let (major, minor) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        let patch = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch != 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}
impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
impl FromStr for Version {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WHY: &str = "not a version (write 6.12 or 6.1.192)";
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.ends_with('.');
        let parts = text.split('.').count();
        if !plain || !(2..=3).contains(&parts) {
            return Err(WHY);
        }
        let mut numbers = text.split('.').map(str::parse::<u16>);
        let mut next = || numbers.next().unwrap_or(Ok(0)).map_err(|_| WHY);
        Ok(Self { major: next()?, minor: next()?, patch: next()? })
    }
}
json_as_text!(Version, "^[0-9]+\\.[0-9]+(\\.[0-9]+)?$", "major.minor or major.minor.patch");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("6.2") < version("6.12"));
        assert!(version("6.12") < version("6.12.1"));
        assert_eq!(version("6.12"), version("6.12.0"));
        assert_eq!(version("6.1.192").to_string(), "6.1.192");
        for text in ["6", "6.", "6.x", "", "6.1.2.3", "99999.1", ".6"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_release_string_starts_with_its_version() {
        let from = |text| Version::from_release(text).map(|v| v.to_string());
        assert_eq!(from("7.3.4+deb13-arm64"), Some("7.3.4".into()));
        assert_eq!(from("6.1.0-17-amd64"), Some("6.1".into()));
        assert_eq!(from("7.3.0-rc1"), Some("7.3".into()));
        assert_eq!(from("next"), None);
    }
}
