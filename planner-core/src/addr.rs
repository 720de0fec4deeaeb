//! Addresses and spans of addresses.
//!
//! Four address spaces meet in this problem and a plan that mixes them is wrong, so each has a type of its own:
//! [`Iova`], [`Gpa`], [`Hpa`] and [`BusAddr`]. A [`Span`] is inclusive at both ends and never empty, so that
//! the last byte of the 64-bit space is an ordinary address. There is no `+`: arithmetic is checked and named.
//!
//! What is left out: sets of spans ([`crate::span_set`]) and sizes ([`crate::size`]).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::size::Size;

/// An address of one of the four spaces. Implemented by the four types of this file and by nothing else.
pub trait Address: Copy + Ord + fmt::Debug + fmt::Display + sealed::Sealed + 'static {
    /// What people call an address of this space, for messages: `IOVA`, `guest-physical address`, …
    const SPACE: &'static str;
    /// The address with this value. Every 64-bit value is an address.
    fn new(value: u64) -> Self;
    /// The address as a number of bytes from the start of its space.
    fn get(self) -> u64;

    /// The address `size` bytes further up, or `None` past the end of the space.
    fn checked_add(self, size: Size) -> Option<Self> {
        self.get().checked_add(size.bytes()).map(Self::new)
    }

    /// The nearest address at or above this one that is a multiple of `align`, or `None` past the end of the space.
    fn align_up(self, align: Size) -> Option<Self> {
        align.round_up(self.get()).map(Self::new)
    }

    /// The nearest address at or below this one that is a multiple of `align`.
    fn align_down(self, align: Size) -> Self {
        Self::new(align.round_down(self.get()))
    }

    /// Whether the address is a multiple of `align`.
    fn is_aligned(self, align: Size) -> bool {
        align.round_down(self.get()) == self.get()
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! address_space {
    ($(#[$doc:meta])* $name:ident, $space:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl sealed::Sealed for $name {}
        impl Address for $name {
            const SPACE: &'static str = $space;
            fn new(value: u64) -> Self {
                Self(value)
            }
            fn get(self) -> u64 {
                self.0
            }
        }
        impl $name {
            /// The address with this value, in constants.
            #[must_use]
            pub const fn at(value: u64) -> Self {
                Self(value)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&grouped_hex(self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&format_args!("{:#x}", self.0))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::size::deserialize_u64(deserializer).map(Self)
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                crate::size::hex_schema(concat!($space, ", lower-case hexadecimal"))
            }
        }
    };
}

address_space! {
    /// An address that a device puts into a DMA transaction and that the IOMMU translates.
    Iova, "IOVA"
}
address_space! {
    /// An address in the physical memory map of a guest.
    Gpa, "guest-physical address"
}
address_space! {
    /// An address in the physical memory map of the host, as its CPUs see it.
    Hpa, "host-physical address"
}
address_space! {
    /// An address on a PCI bus. A host bridge may translate: the resource that the CPU sees is the bus address plus
    /// the offset of its window.
    BusAddr, "PCI bus address"
}

impl Gpa {
    /// The IOVA at which a device reaches this guest-physical address when there is no vIOMMU.
    #[must_use]
    pub const fn identity_iova(self) -> Iova {
        Iova(self.0)
    }
}
impl Iova {
    /// The guest-physical address that a device reaches at this IOVA when there is no vIOMMU.
    #[must_use]
    pub const fn identity_gpa(self) -> Gpa {
        Gpa(self.0)
    }
}
impl BusAddr {
    /// The IOVA with which a device would hit this bus address: on the bus, a DMA address *is* a bus address.
    #[must_use]
    pub const fn as_iova(self) -> Iova {
        Iova(self.0)
    }
}

/// A stretch of addresses, inclusive at both ends, never empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span<A> {
    first: A,
    last: A,
}

impl<A: Address> Span<A> {
    /// `first..=last`, or `None` when `last` lies below `first`.
    #[must_use]
    pub fn new(first: A, last: A) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// `first..=last` of numbers, or `None` when `last` lies below `first`.
    #[must_use]
    pub fn of(first: u64, last: u64) -> Option<Self> {
        Self::new(A::new(first), A::new(last))
    }

    /// `size` bytes from `start`, or `None` when the size is zero or the end would pass the end of the space.
    #[must_use]
    pub fn from_start_size(start: A, size: Size) -> Option<Self> {
        let last = start.get().checked_add(size.bytes().checked_sub(1)?)?;
        Self::new(start, A::new(last))
    }

    /// The one address `at`.
    #[must_use]
    pub fn single(at: A) -> Self {
        Self { first: at, last: at }
    }

    /// The whole 64-bit space.
    #[must_use]
    pub fn full() -> Self {
        Self { first: A::new(0), last: A::new(u64::MAX) }
    }

    /// The first address.
    #[must_use]
    pub fn first(self) -> A {
        self.first
    }

    /// The last address, part of the span.
    #[must_use]
    pub fn last(self) -> A {
        self.last
    }

    /// Number of bytes, 1 to 2^64 (which needs the 65th bit).
    #[must_use]
    pub fn size_bytes(self) -> u128 {
        u128::from(self.last.get().wrapping_sub(self.first.get())).saturating_add(1)
    }

    /// The size, or `None` for the one span whose size does not fit 64 bits.
    #[must_use]
    pub fn size(self) -> Option<Size> {
        u64::try_from(self.size_bytes()).ok().map(Size::from_bytes)
    }

    /// Whether the address lies in the span.
    #[must_use]
    pub fn contains(self, at: A) -> bool {
        self.first <= at && at <= self.last
    }

    /// Whether all of `other` lies in this span.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether the two share an address.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// What the two share.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// The part of the span that starts and ends on multiples of `align` (the end being exclusive there), if any.
    #[must_use]
    pub fn shrink_to(self, align: Size) -> Option<Self> {
        let first = self.first.align_up(align)?;
        // One past the end needs the 65th bit, and 2^64 is no multiple of an alignment that is no power of two.
        let end = u128::from(self.last.get()).saturating_add(1);
        let step = u128::from(align.bytes().max(1));
        let last = (end / step).saturating_mul(step).checked_sub(1)?;
        Self::new(first, A::new(u64::try_from(last).ok()?))
    }

    /// The same numbers in another address space. The caller states by this that both are the same there.
    #[must_use]
    pub fn cast<B: Address>(self) -> Span<B> {
        Span { first: B::new(self.first.get()), last: B::new(self.last.get()) }
    }
}

impl<A: Address> fmt::Display for Span<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}
impl<A: Address> fmt::Debug for Span<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How a span stands in JSON: inclusive ends, named.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Span", description = "first and last address, both part of the span")]
struct SpanJson<A> {
    start: A,
    end: A,
}

impl<A: Address + Serialize> Serialize for Span<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SpanJson { start: self.first, end: self.last }.serialize(serializer)
    }
}
impl<'de, A: Address + Deserialize<'de>> Deserialize<'de> for Span<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let SpanJson { start, end } = SpanJson::<A>::deserialize(deserializer)?;
        Self::new(start, end).ok_or_else(|| {
            serde::de::Error::custom(format_args!("the end {end} of the span lies below its start {start}"))
        })
    }
}
impl<A: Address + schemars::JsonSchema> schemars::JsonSchema for Span<A> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}Span", A::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        SpanJson::<A>::json_schema(generator)
    }
}

/// `0x4000_0000`: hexadecimal with an underscore before every four digits, as the project's texts write addresses.
#[must_use]
pub fn grouped_hex(value: u64) -> String {
    let digits = format!("{value:x}");
    let mut text = String::with_capacity(2 + digits.len() + digits.len() / 4);
    text.push_str("0x");
    for (index, digit) in digits.char_indices() {
        if index != 0 && (digits.len() - index) % 4 == 0 {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: u64, last: u64) -> Span<Iova> {
        Span::of(first, last).unwrap()
    }

    #[test]
    fn hexadecimal_is_grouped_by_four() {
        let texts: Vec<String> =
            [0, 0xfff, 0x1000, 0x4000_0000, u64::MAX].into_iter().map(grouped_hex).collect();
        assert_eq!(texts, ["0x0", "0xfff", "0x1000", "0x4000_0000", "0xffff_ffff_ffff_ffff"]);
    }

    #[test]
    fn the_whole_space_is_a_span() {
        assert_eq!(Span::<Iova>::full().size_bytes(), 1 << 64);
        assert_eq!(Span::<Iova>::full().size(), None);
        assert!(Span::<Iova>::full().covers(span(u64::MAX, u64::MAX)));
        assert_eq!(
            Span::<Gpa>::from_start_size(Gpa::at(u64::MAX), Size::from_bytes(1)),
            Span::of(u64::MAX, u64::MAX)
        );
        assert_eq!(Span::<Gpa>::from_start_size(Gpa::at(u64::MAX), Size::from_bytes(2)), None);
        assert_eq!(Span::<Gpa>::from_start_size(Gpa::at(0), Size::from_bytes(0)), None);
    }

    #[test]
    fn touching_is_not_overlapping() {
        assert!(!span(0, 0xfff).overlaps(span(0x1000, 0x1fff)));
        assert!(span(0, 0x1000).overlaps(span(0x1000, 0x1fff)));
        assert_eq!(span(0, 0x1000).intersection(span(0x1000, 0x1fff)), Some(span(0x1000, 0x1000)));
        assert_eq!(span(0, 0xfff).intersection(span(0x1000, 0x1fff)), None);
    }

    #[test]
    fn shrinking_keeps_whole_pages_and_reaches_the_top() {
        let page = Size::from_bytes(0x1000);
        assert_eq!(span(1, 0x2fff).shrink_to(page), Some(span(0x1000, 0x2fff)));
        assert_eq!(span(1, 0x1ffe).shrink_to(page), None);
        assert_eq!(span(0, u64::MAX).shrink_to(page), Some(span(0, u64::MAX)));
        assert_eq!(span(u64::MAX - 5, u64::MAX).shrink_to(page), None);
        let three = Size::from_bytes(3);
        assert_eq!(span(0, u64::MAX).shrink_to(three), Some(span(0, u64::MAX - 1)));
    }

    #[test]
    fn json_is_a_pair_of_lower_case_hexadecimal() {
        let text = serde_json::to_string(&span(0x800_0000, 0x80f_ffff)).unwrap();
        assert_eq!(text, r#"{"start":"0x8000000","end":"0x80fffff"}"#);
        assert_eq!(serde_json::from_str::<Span<Iova>>(&text).unwrap(), span(0x800_0000, 0x80f_ffff));
        assert!(serde_json::from_str::<Span<Iova>>(r#"{"start":"0x1","end":"0x0"}"#).is_err());
    }
}
