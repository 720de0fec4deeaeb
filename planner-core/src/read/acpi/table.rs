//! What all tables have in common: the header with its length and checksum, and the row of structures behind it.
//!
//! A table that is longer or shorter than it says, and one whose checksum is wrong, is read as far as it goes; a structure
//! whose length leads nowhere ends the reading. What the structures mean is left to the file of each table.

use std::ops::Range;
use std::sync::Arc;

use nom::bytes::complete::take;
use nom::number::complete::{le_u8, le_u16, le_u32};
use nom::{IResult, Parser};

use super::codes;
use crate::addr::{Address, Span};
use crate::diag::{Diagnostic, Origin};
use crate::read::capture::log::{Log, quoted};

/// Length of the header of every table (ACPI Specification 6.5, 5.2.6).
pub const HEADER_BYTES: usize = 36;

/// What the header says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Four letters that name the table.
    pub signature: [u8; 4],
    /// Length of the whole table in bytes, as it says.
    pub length_bytes: u32,
    /// Revision of the table's layout.
    pub revision: u8,
}

/// A table: its bytes from the first of the header to the last that both the header and the file allow.
#[derive(Clone, Debug)]
pub(super) struct Table<'a> {
    pub(super) header: Header,
    pub(super) bytes: &'a [u8],
    file: Arc<str>,
}

impl<'a> Table<'a> {
    /// The table in a file, if it is of this kind; every fault of the header is reported.
    pub(super) fn open(file: &str, bytes: &'a [u8], signature: [u8; 4], log: &mut Log) -> Option<Self> {
        let file: Arc<str> = file.into();
        let Ok((_, header)) = header(bytes) else {
            let message = format!("the file has {} bytes, and the header of a table has 36", bytes.len());
            log.push(Diagnostic::new(&codes::SHORT_TABLE, place(&file, 0, bytes.len()), message));
            return None;
        };
        if header.signature != signature {
            let message = format!("the table is {}, not {}", letters(header.signature), letters(signature));
            log.push(Diagnostic::new(&codes::SIGNATURE, place(&file, 0, 4), message));
            return None;
        }
        let said = usize::try_from(header.length_bytes).unwrap_or(usize::MAX);
        let table = bytes.get(..said).filter(|_| said >= HEADER_BYTES);
        if said != bytes.len() {
            let message =
                format!("the table says that it has {said} bytes, and the file has {}", bytes.len());
            log.push(Diagnostic::new(&codes::TABLE_LENGTH, place(&file, 4, 4), message));
        }
        let sum = table.unwrap_or_default().iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        if sum != 0 {
            let message = format!("the bytes of the table add up to {sum:#04x}, not to 0");
            log.push(
                Diagnostic::new(&codes::CHECKSUM, place(&file, 9, 1), message)
                    .help("Linux uses the table all the same; capture it again to rule out damage"),
            );
        }
        Some(Self { header, bytes: table.unwrap_or(bytes), file })
    }

    /// A stretch of the table.
    pub(super) fn origin(&self, at: Range<usize>) -> Origin {
        place(&self.file, at.start, at.len())
    }

    /// Its fields behind the header.
    pub(super) fn fields<O>(
        &self,
        parser: impl Parser<&'a [u8], Output = O, Error = TooShort<'a>>,
    ) -> Option<O> {
        fields(self.bytes.get(HEADER_BYTES..)?, parser)
    }

    /// The structures in a part of the table. `most` bounds their number where the table counts them.
    pub(super) fn structures(
        &self,
        part: Range<usize>,
        most: Option<u32>,
        form: &Form,
        log: &mut Log,
    ) -> Vec<Structure<'a>> {
        let mut found = Vec::new();
        let end = part.end.min(self.bytes.len());
        let mut at = part.start;
        while at < end && most.is_none_or(|most| found.len() < usize::try_from(most).unwrap_or(usize::MAX)) {
            let Some(structure) = self.structure(at..end, form, log) else { break };
            at = structure.end();
            found.push(structure);
        }
        found
    }

    fn structure(&self, part: Range<usize>, form: &Form, log: &mut Log) -> Option<Structure<'a>> {
        let rest = self.bytes.get(part.clone())?;
        let at = part.start;
        let what = form.what;
        let Some((kind, length)) = rest.get(..form.least).and_then(|head| fields(head, form.head)) else {
            let message =
                format!("{} bytes are left at {at:#x}, too few for the header of {what}", rest.len());
            log.push(Diagnostic::new(&codes::STRUCTURE_END, self.origin(part), message));
            return None;
        };
        let length = usize::from(length);
        if length < form.least {
            let message = format!(
                "{what} at {at:#x} says that it has {length} bytes, and its header alone has {}",
                form.least
            );
            let help = "what stands behind it is not read; only firmware can mend this";
            log.push(
                Diagnostic::new(
                    &codes::STRUCTURE_LENGTH,
                    self.origin(at..at.saturating_add(form.least)),
                    message,
                )
                .help(help),
            );
            return None;
        }
        let Some(bytes) = rest.get(..length) else {
            let message = format!("{what} at {at:#x} has {length} bytes, and only {} are left", rest.len());
            log.push(Diagnostic::new(&codes::STRUCTURE_END, self.origin(part), message));
            return None;
        };
        Some(Structure { what, kind, at, bytes })
    }

    /// A structure of a kind that is not known.
    pub(super) fn unknown(&self, structure: &Structure<'_>, log: &mut Log) {
        let Structure { what, kind, at, .. } = structure;
        let message = format!("{what} at {at:#x} is of kind {kind:#x}, which is not known here");
        log.push(Diagnostic::new(&codes::UNKNOWN_STRUCTURE, self.origin(structure.range()), message));
    }

    /// The fields of a structure; reports one that is too short for them, whose name is given.
    pub(super) fn fields_of<O>(
        &self,
        structure: &Structure<'a>,
        name: &str,
        parser: impl Parser<&'a [u8], Output = O, Error = TooShort<'a>>,
        log: &mut Log,
    ) -> Option<O> {
        let found = fields(structure.bytes, parser);
        if found.is_none() {
            let Structure { what, at, bytes, .. } = structure;
            let message = format!("{what} at {at:#x} is {name} and has only {} bytes", bytes.len());
            log.push(Diagnostic::new(&codes::STRUCTURE_SHORT, self.origin(structure.range()), message));
        }
        found
    }
}

/// A parser of the kind and the length of a structure, in bytes.
type Head = fn(&[u8]) -> IResult<&[u8], (u16, u16)>;

/// How the structures of a table begin.
pub(super) struct Form {
    /// What a message calls one of them.
    pub(super) what: &'static str,
    /// Length of the part that all have.
    pub(super) least: usize,
    /// Reads kind and length of the structure that begins here.
    pub(super) head: Head,
}

/// A structure of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Structure<'a> {
    what: &'static str,
    /// Its kind.
    pub(super) kind: u16,
    /// Its first byte.
    pub(super) at: usize,
    /// All of it, header included.
    pub(super) bytes: &'a [u8],
}

impl Structure<'_> {
    /// Where it stands in the table.
    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.end()
    }
    /// Where the next one stands.
    pub(super) fn end(&self) -> usize {
        self.at.saturating_add(self.bytes.len())
    }
}

/// Kind and length in one byte each (MADT, device scopes of the DMAR).
pub(super) fn kind8_length8(input: &[u8]) -> IResult<&[u8], (u16, u16)> {
    (le_u8.map(u16::from), le_u8.map(u16::from)).parse(input)
}
/// A byte of kind, two of length (IORT).
pub(super) fn kind8_length16(input: &[u8]) -> IResult<&[u8], (u16, u16)> {
    (le_u8.map(u16::from), le_u16).parse(input)
}
/// A byte of kind, a byte of something else, two of length (IVRS, RIMT, VIOT).
pub(super) fn kind8_other8_length16(input: &[u8]) -> IResult<&[u8], (u16, u16)> {
    (le_u8, le_u8, le_u16).map(|(kind, _, length)| (u16::from(kind), length)).parse(input)
}
/// Kind and length in two bytes each (DMAR, RHCT).
pub(super) fn kind16_length16(input: &[u8]) -> IResult<&[u8], (u16, u16)> {
    (le_u16, le_u16).parse(input)
}

/// Why a parser of fields fails: there are too few bytes.
pub(super) type TooShort<'a> = nom::error::Error<&'a [u8]>;

/// The fields at the start of these bytes; what follows them is of no interest.
pub(super) fn fields<'a, O>(
    bytes: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = O, Error = TooShort<'a>>,
) -> Option<O> {
    parser.parse(bytes).ok().map(|(_, found)| found)
}

/// So many addresses from here, if there are that many and at least one.
pub(super) fn span<A: Address>(first: u64, length_bytes: u64) -> Option<Span<A>> {
    Span::of(first, first.checked_add(length_bytes.checked_sub(1)?)?)
}

/// The signature in a header.
pub(super) fn signature(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.get(..4)?.try_into().ok()
}

/// A signature for a message.
pub(super) fn letters(signature: [u8; 4]) -> String {
    quoted(&String::from_utf8_lossy(&signature))
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    let (input, (letters, length_bytes, revision, _)) =
        (take(4_usize), le_u32, le_u8, take(27_usize)).parse(input)?;
    let signature = signature(letters).unwrap_or_default();
    Ok((input, Header { signature, length_bytes, revision }))
}

fn place(file: &Arc<str>, offset: usize, length: usize) -> Origin {
    Origin::Bytes { file: Arc::clone(file), offset, length }
}
