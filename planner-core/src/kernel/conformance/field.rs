//! Reads the fields of a case: what is not as the schema says is a [`Fault`] with the path of the field.

use std::collections::{BTreeMap, BTreeSet};

use super::json::Json;
use crate::addr::{Address, Iova, Span};
use crate::diag::Code;
use crate::kernel::ResvKind;
use crate::kernel::resv::RawRegion;
use crate::size::{PageSize, PageSizes};

/// Why a field cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::kernel) struct Fault {
    pub(super) code: &'static Code,
    /// `in.groups[0].aperture[1]`
    pub(super) path: String,
    pub(super) message: String,
}

/// What a reader of a field gives.
pub(in crate::kernel) type Read<T> = Result<T, Fault>;

impl Fault {
    pub(in crate::kernel) fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self { code, path: String::new(), message: message.into() }
    }
    /// The value is of the wrong type.
    pub(in crate::kernel) fn wrong(expected: &str, found: &Json<'_>) -> Self {
        let shown = match found {
            Json::List(_) | Json::Object(_) | Json::Null | Json::NoInteger => found.kind().to_owned(),
            other => format!("{} {}", other.kind(), super::shortened(&other.to_string(), 40)),
        };
        Self::new(&super::codes::TYPE, format!("expected {expected}, found {shown}"))
    }
    /// The value is of the right type, but cannot be meant.
    pub(in crate::kernel) fn range(message: impl Into<String>) -> Self {
        Self::new(&super::codes::RANGE, message)
    }
    /// The same fault, seen from the value around.
    #[must_use]
    pub(in crate::kernel) fn within(mut self, outer: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{outer}{dot}{}", self.path);
        self
    }
}

/// An object of which every member is known and there once.
pub(in crate::kernel) struct Object<'o, 'a>(&'o Json<'a>);

impl<'o, 'a> Object<'o, 'a> {
    /// The object, when it has no members but these.
    pub(in crate::kernel) fn of(json: &'o Json<'a>, known: &[&str]) -> Read<Self> {
        let Json::Object(members) = json else { return Err(Fault::wrong("an object", json)) };
        let mut seen = BTreeSet::new();
        for (key, _) in members {
            let shown = super::shortened(key, 40);
            if !known.contains(&key.as_ref()) {
                let message = format!("there is no such member; known are {}", known.join(", "));
                return Err(Fault::new(&super::codes::FIELD, message).within(&shown));
            }
            if !seen.insert(key.as_ref()) {
                return Err(Fault::new(&super::codes::FIELD, "it is there twice").within(&shown));
            }
        }
        Ok(Self(json))
    }

    /// The object, whatever members it has.
    pub(in crate::kernel) fn loose(json: &'o Json<'a>) -> Read<Self> {
        match json {
            Json::Object(_) => Ok(Self(json)),
            other => Err(Fault::wrong("an object", other)),
        }
    }

    /// A member that must be there.
    pub(in crate::kernel) fn need<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'o Json<'a>) -> Read<T>,
    ) -> Read<T> {
        let missing = || Fault::new(&super::codes::FIELD, "it is missing").within(key);
        let json = self.0.member(key).ok_or_else(missing)?;
        read(json).map_err(|fault| fault.within(key))
    }

    /// A member that may be there.
    pub(in crate::kernel) fn may<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'o Json<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        let json = self.0.member(key);
        json.map(|json| read(json).map_err(|fault| fault.within(key))).transpose()
    }
}

/// A list of values that are read alike.
pub(in crate::kernel) fn list<'o, 'a, T>(
    json: &'o Json<'a>,
    read: impl Fn(&'o Json<'a>) -> Read<T>,
) -> Read<Vec<T>> {
    let Json::List(items) = json else { return Err(Fault::wrong("a list", json)) };
    let one = |(index, item)| read(item).map_err(|fault| fault.within(&format!("[{index}]")));
    items.iter().enumerate().map(one).collect()
}

/// An object whose keys are decimal numbers.
pub(in crate::kernel) fn by_id<'o, 'a, T>(
    json: &'o Json<'a>,
    read: impl Fn(&'o Json<'a>) -> Read<T>,
) -> Read<BTreeMap<u32, T>> {
    let Json::Object(members) = json else { return Err(Fault::wrong("an object", json)) };
    let mut all = BTreeMap::new();
    for (key, value) in members {
        let shown = super::shortened(key, 40);
        let within = |fault: Fault| fault.within(&shown);
        let value = read(value).map_err(within)?;
        if all.insert(id_word(key).map_err(within)?, value).is_some() {
            return Err(within(Fault::new(&super::codes::FIELD, "it is there twice")));
        }
    }
    Ok(all)
}

/// The values of a list of exactly so many.
pub(in crate::kernel) fn tuple<'o, 'a, const N: usize>(json: &'o Json<'a>) -> Read<[&'o Json<'a>; N]> {
    let Json::List(items) = json else { return Err(Fault::wrong(&format!("a list of {N} values"), json)) };
    let wrong = || Fault::new(&super::codes::TYPE, format!("expected {N} values, found {}", items.len()));
    let all: Vec<&Json<'_>> = items.iter().collect();
    all.try_into().map_err(|_| wrong())
}

pub(in crate::kernel) fn text<'o>(json: &'o Json<'_>) -> Read<&'o str> {
    match json {
        Json::Text(text) => Ok(text),
        other => Err(Fault::wrong("a string", other)),
    }
}

/// A number of 64 bits: a string of lower-case hexadecimal digits.
pub(in crate::kernel) fn hex(json: &Json<'_>) -> Read<u64> {
    match json {
        Json::Text(word) => hex_word(word),
        other => Err(Fault::wrong("a string of hexadecimal digits", other)),
    }
}

pub(in crate::kernel) fn hex_word(word: &str) -> Read<u64> {
    let shown = || super::shortened(word, 40);
    let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if word.is_empty() || !word.bytes().all(digits) {
        let message = format!("expected lower-case hexadecimal digits without 0x, found `{}`", shown());
        return Err(Fault::new(&super::codes::TYPE, message));
    }
    let large = |_| Fault::range(format!("`{}` needs more than 64 bits", shown()));
    u64::from_str_radix(word, 16).map_err(large)
}

pub(in crate::kernel) fn id_word(word: &str) -> Read<u32> {
    let fault = |_| {
        let shown = super::shortened(word, 40);
        Fault::new(
            &super::codes::TYPE,
            format!("expected a decimal number of a group, device or domain, found `{shown}`"),
        )
    };
    word.parse().map_err(fault)
}

/// A decimal number.
pub(in crate::kernel) fn decimal(json: &Json<'_>) -> Read<u64> {
    match json {
        Json::Integer(value) => u64::try_from(*value)
            .map_err(|_| Fault::range(format!("{value} is not a number from 0 to 2^64-1"))),
        other => Err(Fault::wrong("a decimal number", other)),
    }
}

/// A decimal number of 32 bits.
pub(in crate::kernel) fn small(json: &Json<'_>) -> Read<u32> {
    let value = decimal(json)?;
    u32::try_from(value).map_err(|_| Fault::range(format!("{value} is not a number from 0 to 2^32-1")))
}

/// 0 or 1.
pub(in crate::kernel) fn flag(json: &Json<'_>) -> Read<bool> {
    match json {
        Json::Integer(0) => Ok(false),
        Json::Integer(1) => Ok(true),
        Json::Integer(other) => Err(Fault::range(format!("{other} is neither 0 nor 1"))),
        other => Err(Fault::wrong("0 or 1", other)),
    }
}

/// A page size: a power of two of at least 512.
pub(in crate::kernel) fn page_size(json: &Json<'_>) -> Read<PageSize> {
    let bytes = hex(json)?;
    let fault = || Fault::range(format!("{bytes:x} is no page size: not a power of two, or below 200"));
    PageSize::from_bytes(bytes).ok_or_else(fault)
}

pub(in crate::kernel) fn page_sizes(json: &Json<'_>) -> Read<PageSizes> {
    hex(json).map(PageSizes::from_bitmap)
}

/// First and last address, in whichever order.
pub(in crate::kernel) fn ends(json: &Json<'_>) -> Read<(Iova, Iova)> {
    let [start, end] = tuple(json)?;
    let end_at = |json, index: &str| hex(json).map(Iova::new).map_err(|fault: Fault| fault.within(index));
    Ok((end_at(start, "[0]")?, end_at(end, "[1]")?))
}

/// First and last address of a stretch that is not empty.
pub(in crate::kernel) fn span(json: &Json<'_>) -> Read<Span<Iova>> {
    let (start, end) = ends(json)?;
    let fault = || Fault::range(format!("the end {end} lies below the start {start}"));
    Span::new(start, end).ok_or_else(fault)
}

/// Words of the kinds of regions in recorded answers.
const KINDS: [(&str, ResvKind); 5] = [
    ("direct", ResvKind::Direct),
    ("relax", ResvKind::DirectRelaxable),
    ("reserved", ResvKind::Reserved),
    ("hwmsi", ResvKind::Msi),
    ("swmsi", ResvKind::SoftwareMsi),
];

pub(in crate::kernel) fn kind(json: &Json<'_>) -> Read<ResvKind> {
    let word = text(json)?;
    let known = KINDS.iter().find(|(known, _)| *known == word);
    let fault = || {
        let words = KINDS.map(|(word, _)| word).join(", ");
        Fault::range(format!("`{}` is no kind of region; kinds are {words}", super::shortened(word, 40)))
    };
    known.map(|&(_, kind)| kind).ok_or_else(fault)
}

pub(in crate::kernel) fn kind_word(kind: ResvKind) -> Json<'static> {
    let word = KINDS.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| word);
    Json::Text(word.into())
}

/// `[type, start, length]` or `[type, start, length, prot]`.
pub(in crate::kernel) fn region(json: &Json<'_>) -> Read<RawRegion> {
    let at = |fault: Fault, index: usize| fault.within(&format!("[{index}]"));
    let (first, prot) = match json {
        Json::List(items) => match items.as_slice() {
            [kind, start, length] => ([kind, start, length], None),
            [kind, start, length, prot] => ([kind, start, length], Some(prot)),
            other => {
                let message = format!(
                    "expected [type, start, length] or [type, start, length, prot], found {} values",
                    other.len()
                );
                return Err(Fault::new(&super::codes::TYPE, message));
            }
        },
        other => return Err(Fault::wrong("[type, start, length]", other)),
    };
    let [kind_of, start, length] = first;
    Ok(RawRegion {
        kind: kind(kind_of).map_err(|fault| at(fault, 0))?,
        start: hex(start).map_err(|fault| at(fault, 1))?,
        length: hex(length).map_err(|fault| at(fault, 2))?,
        prot: prot.map_or(Ok(0), small).map_err(|fault| at(fault, 3))?,
    })
}

/// A device of a group: its regions in the order of its driver, or `"noiommu"`.
pub(in crate::kernel) fn device(json: &Json<'_>) -> Read<Option<Vec<RawRegion>>> {
    match json {
        Json::Text(word) if word == "noiommu" => Ok(None),
        Json::List(_) => list(json, region).map(Some),
        other => Err(Fault::wrong("a list of regions or \"noiommu\"", other)),
    }
}
