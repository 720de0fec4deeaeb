//! Sizes in bytes, page sizes, and the one parser for numbers as users write them.

pub mod strto;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One kibibyte, in bytes.
pub const KIB: u64 = 1 << 10;
/// One mebibyte, in bytes.
pub const MIB: u64 = 1 << 20;
/// One gibibyte, in bytes.
pub const GIB: u64 = 1 << 30;
/// One tebibyte, in bytes.
pub const TIB: u64 = 1 << 40;

/// A number of bytes. Zero is allowed; a [`crate::addr::Span`] of zero bytes is not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(u64);

impl Size {
    /// No bytes at all.
    pub const ZERO: Self = Self(0);

    /// So many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }
    /// So many KiB. For constants: wraps nothing, panics at compile time when it does not fit.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count * KIB)
    }
    /// So many MiB. For constants.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count * MIB)
    }
    /// So many GiB. For constants.
    #[must_use]
    pub const fn gib(count: u64) -> Self {
        Self(count * GIB)
    }
    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
    /// Whether it is no bytes at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
    /// The sum, or `None` past 2^64-1.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
    /// The difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
    /// `value` rounded up to a multiple of this size, or `None` past 2^64-1. A size of zero rounds nothing.
    #[must_use]
    pub fn round_up(self, value: u64) -> Option<u64> {
        if self.0 == 0 { Some(value) } else { value.checked_next_multiple_of(self.0) }
    }
    /// `value` rounded down to a multiple of this size. A size of zero rounds nothing.
    #[must_use]
    pub fn round_down(self, value: u64) -> u64 {
        if self.0 == 0 { value } else { value - value % self.0 }
    }
    /// The largest power of two that divides this size; for zero, 2^63.
    #[must_use]
    pub fn natural_alignment(self) -> Self {
        if self.0 == 0 { Self(1 << 63) } else { Self(1 << self.0.trailing_zeros()) }
    }
    /// The number with the largest unit that divides it, as VMMs and descriptions take it: `16G`, `1536M`, `65535`.
    #[must_use]
    pub fn compact(self) -> String {
        for (unit, suffix) in [(TIB, "T"), (GIB, "G"), (MIB, "M"), (KIB, "K")] {
            if self.0 != 0 && self.0.is_multiple_of(unit) {
                return format!("{}{suffix}", self.0 / unit);
            }
        }
        self.0.to_string()
    }
}

/// For people: `16 GiB`, `1.5 MiB` is written `1536 KiB`; what no unit divides is in bytes.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_binary(f, u128::from(self.0))
    }
}
impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A byte count of up to 2^64 for people, as [`Size`] prints it.
#[must_use]
pub fn binary_size(bytes: u128) -> String {
    struct Bytes(u128);
    impl fmt::Display for Bytes {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_binary(f, self.0)
        }
    }
    Bytes(bytes).to_string()
}

const UNITS: [(u32, &str); 6] =
    [(60, "EiB"), (50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];

/// A byte count of up to 2^64 for people who want its order: in at most nine columns, exact where four digits are
/// enough, else rounded and marked with `~`.
#[must_use]
pub fn approximate_size(bytes: u128) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let exact = binary_size(bytes);
    if exact.len() <= "1234 MiB".len() {
        return exact;
    }
    let unit = UNITS.iter().find(|(shift, _)| bytes >> shift > 0);
    unit.map_or(exact, |(shift, unit)| {
        let half = 1u128 << shift.saturating_sub(1);
        format!("~{} {unit}", bytes.saturating_add(half) >> shift)
    })
}

fn write_binary(f: &mut fmt::Formatter<'_>, bytes: u128) -> fmt::Result {
    for (shift, unit) in UNITS {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return write!(f, "{} {unit}", bytes >> shift);
        }
    }
    if bytes == 1 { f.write_str("1 byte") } else { write!(f, "{bytes} bytes") }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}
impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_u64(deserializer).map(Self)
    }
}
impl schemars::JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        hex_schema("number of bytes, lower-case hexadecimal")
    }
}

/// Why a number that a user wrote is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberError {
    /// No digit, a digit that the base has not, or an unknown unit.
    NotANumber,
    /// The number, with its unit, does not fit 64 bits.
    TooLarge,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "not a number (write 0x4000_0000, 1048576, 16G or 2M)",
            Self::TooLarge => "does not fit 64 bits",
        })
    }
}

/// A number as users write it: `0x4000_0000`, `1_048_576`, `16G`, `2MiB`, `64k`. Units are binary.
///
/// # Errors
/// [`NumberError`] when the text is no such number or does not fit 64 bits.
pub fn parse_number(text: &str) -> Result<u64, NumberError> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return parse_digits(digits, 16);
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        "p" | "pib" => 50,
        "e" | "eib" => 60,
        _ => return Err(NumberError::NotANumber),
    };
    parse_digits(digits, 10)?.checked_mul(1 << shift).ok_or(NumberError::TooLarge)
}

fn parse_digits(digits: &str, radix: u32) -> Result<u64, NumberError> {
    let mut value: u64 = 0;
    let mut seen = false;
    for c in digits.chars().filter(|&c| c != '_') {
        let digit = c.to_digit(radix).ok_or(NumberError::NotANumber)?;
        value = value
            .checked_mul(u64::from(radix))
            .and_then(|v| v.checked_add(u64::from(digit)))
            .ok_or(NumberError::TooLarge)?;
        seen = true;
    }
    if seen { Ok(value) } else { Err(NumberError::NotANumber) }
}

/// Reads a JSON string such as `"0x8000000"` or `"16G"`, or a JSON integer.
pub(crate) fn deserialize_u64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Visitor;
    impl serde::de::Visitor<'_> for Visitor {
        type Value = u64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a hexadecimal string such as \"0x8000000\"")
        }
        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<u64, E> {
            Ok(value)
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
            parse_number(text).map_err(|why| E::custom(format_args!("`{text}` {why}")))
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// The JSON Schema of a hexadecimal string.
pub(crate) fn hex_schema(description: &str) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "pattern": "^0x[0-9a-f]+$", "description": description })
}

/// A size of pages: a power of two of at least 512 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageSize(u8);

impl PageSize {
    /// 4 KiB.
    pub const K4: Self = Self(12);
    /// 16 KiB.
    pub const K16: Self = Self(14);
    /// 64 KiB.
    pub const K64: Self = Self(16);
    /// 2 MiB.
    pub const M2: Self = Self(21);
    /// 1 GiB.
    pub const G1: Self = Self(30);

    /// The page size of so many bytes, if that is a power of two of at least 512.
    #[must_use]
    pub fn from_bytes(bytes: u64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "a bit number of a u64 is below 64")]
        (bytes.is_power_of_two() && bytes >= 512).then(|| Self(bytes.trailing_zeros() as u8))
    }
    /// The size.
    #[must_use]
    pub const fn size(self) -> Size {
        Size(1 << self.0)
    }
    /// Number of address bits within a page.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}
impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.size().compact())
    }
}
impl Serialize for PageSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.size().serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for PageSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserialize_u64(deserializer)?;
        Self::from_bytes(bytes).ok_or_else(|| {
            serde::de::Error::custom(format_args!("{bytes:#x} is no page size (a power of two)"))
        })
    }
}
impl schemars::JsonSchema for PageSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PageSize".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        hex_schema("page size in bytes, a power of two, lower-case hexadecimal")
    }
}

/// The page sizes that an IOMMU can map: bit *n* set means pages of 2^n bytes, as in the kernel's `pgsize_bitmap`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PageSizes(u64);

impl PageSizes {
    /// The set with these bits.
    #[must_use]
    pub const fn from_bitmap(bitmap: u64) -> Self {
        Self(bitmap)
    }
    /// The bits, as the kernel prints them.
    #[must_use]
    pub const fn bitmap(self) -> u64 {
        self.0
    }
    /// This set and one page size more.
    #[must_use]
    pub const fn with(self, page: PageSize) -> Self {
        Self(self.0 | page.size().bytes())
    }
    /// Whether pages of this size are in the set.
    #[must_use]
    pub const fn contains(self, page: PageSize) -> bool {
        self.0 & page.size().bytes() != 0
    }
    /// The smallest page, if there is any of at least 512 bytes.
    #[must_use]
    pub fn smallest(self) -> Option<PageSize> {
        self.iter().next()
    }
    /// The page sizes, ascending.
    pub fn iter(self) -> impl Iterator<Item = PageSize> {
        (9..64).map(PageSize).filter(move |&page| self.contains(page))
    }
}
impl Serialize for PageSizes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}
impl<'de> Deserialize<'de> for PageSizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_u64(deserializer).map(Self)
    }
}
impl schemars::JsonSchema for PageSizes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PageSizes".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        hex_schema("bit n set: pages of 2^n bytes can be mapped; lower-case hexadecimal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_users_write_them() {
        let cases = [
            ("0x4000_0000", Ok(0x4000_0000)),
            ("16G", Ok(16 * GIB)),
            ("2MiB", Ok(2 * MIB)),
            ("64k", Ok(64 * KIB)),
            ("1_000", Ok(1000)),
            ("0xffffffffffffffff", Ok(u64::MAX)),
            ("16E", Err(NumberError::TooLarge)),
            ("0x1_0000_0000_0000_0000", Err(NumberError::TooLarge)),
            ("0x", Err(NumberError::NotANumber)),
            ("", Err(NumberError::NotANumber)),
            ("_", Err(NumberError::NotANumber)),
            ("16Q", Err(NumberError::NotANumber)),
            ("0xg", Err(NumberError::NotANumber)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_number(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_print_in_the_unit_that_divides_them() {
        let print = |bytes| (Size::from_bytes(bytes).to_string(), Size::from_bytes(bytes).compact());
        assert_eq!(print(16 * GIB), ("16 GiB".into(), "16G".into()));
        assert_eq!(print(3 * MIB / 2), ("1536 KiB".into(), "1536K".into()));
        assert_eq!(print(0), ("0 bytes".into(), "0".into()));
        assert_eq!(print(513), ("513 bytes".into(), "513".into()));
        assert_eq!(binary_size(1 << 64), "16 EiB");
    }

    #[test]
    fn page_size_sets_list_ascending() {
        let sizes = PageSizes::from_bitmap(0x4020_1000);
        assert_eq!(sizes.iter().collect::<Vec<_>>(), [PageSize::K4, PageSize::M2, PageSize::G1]);
        assert_eq!(sizes.smallest(), Some(PageSize::K4));
        assert_eq!(PageSizes::default().smallest(), None);
    }
}
