//! Flattened device trees: properties that tell one machine from another are overwritten, length and structure stay
//! (Devicetree Specification v0.4, chapter 5).
//!
//! Only blobs that are whole are redacted; of another nobody knows where an identifier may stand. What lies between the
//! blocks and behind them is overwritten with zeros, because tools that change a blob leave old content there.

use super::identity;
use crate::record::command_line;

/// First word of a blob (5.2).
const MAGIC: u32 = 0xd00d_feed;
/// Bytes of the header of version 17; that of version 16 lacks the last word.
const HEADER_BYTES: usize = 40;
/// Tokens of the structure block (5.4.1).
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// Endings of names of properties that hold an identifier or a secret (2.3 and 3.4 of the specification, and
/// Documentation/devicetree/bindings/net/ethernet-controller.yaml).
const IDENTIFYING: &[&str] = &[
    "serial-number",
    "serial-no",
    "serialno",
    "-serial",
    "asset-tag",
    "mac-address",
    "bd-address",
    "uuid",
    "-seed",
];
/// Longest name of a property that is looked at; the specification allows 31 (2.2.4).
const MAX_NAME_BYTES: usize = 256;

/// The blob without identities, and how many properties were changed.
///
/// # Errors
/// What is wrong with the blob.
pub(super) fn redact(blob: &[u8]) -> Result<(Vec<u8>, usize), &'static str> {
    let layout = Layout::of(blob)?;
    let mut out = vec![0; blob.len()];
    for (from, to) in [(0, HEADER_BYTES), layout.reserved, layout.structure, layout.strings] {
        let source = blob.get(from..to).ok_or("a block lies outside the file")?;
        out.get_mut(from..to).ok_or("a block lies outside the file")?.copy_from_slice(source);
    }
    let changed = walk(blob, &layout, &mut out)?;
    Ok((out, changed))
}

/// Where the blocks are: first byte and one past the last.
struct Layout {
    reserved: (usize, usize),
    structure: (usize, usize),
    strings: (usize, usize),
}

impl Layout {
    fn of(blob: &[u8]) -> Result<Self, &'static str> {
        let field = |index: usize| word(blob, index.saturating_mul(4)).ok_or("its header is cut");
        if field(0)? != MAGIC {
            return Err("it does not begin with 0xd00dfeed");
        }
        let total = as_usize(field(1)?);
        if total > blob.len() {
            return Err("it is longer than the file");
        }
        let version = field(5)?;
        if !(16..=17).contains(&version) {
            return Err("its version is neither 16 nor 17");
        }
        let structure = as_usize(field(2)?);
        let strings = as_usize(field(3)?);
        let reserved = as_usize(field(4)?);
        let structure_end =
            if version == 17 { end(structure, as_usize(field(9)?)) } else { end_of_tokens(blob, structure) };
        let layout = Self {
            reserved: (reserved, end_of_reservations(blob, reserved).ok_or("its reservations do not end")?),
            structure: (structure, structure_end.ok_or("its structure does not end")?),
            strings: (strings, end(strings, as_usize(field(8)?)).ok_or("its strings do not end")?),
        };
        let inside = [layout.reserved, layout.structure, layout.strings];
        if inside.iter().any(|&(start, end)| start < HEADER_BYTES || end > total) {
            return Err("a block lies outside of it");
        }
        Ok(layout)
    }
}

fn end(start: usize, length: usize) -> Option<usize> {
    start.checked_add(length)
}

/// The reservations end with a pair of zeros (5.3.2).
fn end_of_reservations(blob: &[u8], start: usize) -> Option<usize> {
    let pairs = blob.get(start..)?.chunks_exact(16);
    let count = pairs.into_iter().position(|pair| pair.iter().all(|&byte| byte == 0))?;
    start.checked_add(count.checked_add(1)?.checked_mul(16)?)
}

fn end_of_tokens(blob: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let (token, next) = token(blob, at)?;
        if matches!(token, Token::End) {
            return Some(next);
        }
        at = next;
    }
}

enum Token<'a> {
    Begin(&'a [u8]),
    EndNode,
    Property { name: usize, value: (usize, usize) },
    Nop,
    End,
}

/// The token at this place and the place of the next one.
fn token(blob: &[u8], at: usize) -> Option<(Token<'_>, usize)> {
    let after = at.checked_add(4)?;
    match word(blob, at)? {
        BEGIN_NODE => {
            let rest = blob.get(after..)?;
            let name = rest.get(..rest.iter().position(|&byte| byte == 0)?)?;
            let next = after.checked_add(name.len())?.checked_add(1)?;
            Some((Token::Begin(name), aligned(next)?))
        }
        END_NODE => Some((Token::EndNode, after)),
        PROPERTY => {
            let length = as_usize(word(blob, after)?);
            let name = as_usize(word(blob, after.checked_add(4)?)?);
            let start = after.checked_add(8)?;
            let end = start.checked_add(length).filter(|&end| end <= blob.len())?;
            Some((Token::Property { name, value: (start, end) }, aligned(end)?))
        }
        NOP => Some((Token::Nop, after)),
        END => Some((Token::End, after)),
        _ => None,
    }
}

/// Overwrites in `out` what identifies the machine in `blob`, and counts it.
fn walk(blob: &[u8], layout: &Layout, out: &mut [u8]) -> Result<usize, &'static str> {
    let strings = blob.get(layout.strings.0..layout.strings.1).unwrap_or_default();
    let mut changed = 0_usize;
    let mut depth = 0_usize;
    let mut in_chosen = false;
    let mut at = layout.structure.0;
    while at < layout.structure.1 {
        let (token, next) = token(blob, at).ok_or("its structure is damaged")?;
        match token {
            Token::Begin(name) => {
                depth = depth.saturating_add(1);
                if depth == 2 {
                    in_chosen = name == b"chosen";
                }
            }
            Token::EndNode => depth = depth.checked_sub(1).ok_or("a node ends that did not begin")?,
            Token::Property { name, value: (start, end) } => {
                let name = string(strings, name).ok_or("the name of a property does not end")?;
                let value = out.get_mut(start..end).ok_or("a property lies outside the structure")?;
                changed = changed.saturating_add(usize::from(redact_property(name, value, in_chosen)));
            }
            Token::Nop => {}
            Token::End => return Ok(changed),
        }
        at = next;
    }
    Err("its structure does not end")
}

/// Overwrites a value, and says whether something changed.
fn redact_property(name: &[u8], value: &mut [u8], in_chosen: bool) -> bool {
    if IDENTIFYING.iter().any(|ending| name.ends_with(ending.as_bytes())) {
        let said_something = value.iter().any(|&byte| byte != 0);
        value.fill(0);
        return said_something;
    }
    if in_chosen && matches!(name, b"bootargs" | b"bootargs-append") {
        return blank_words(value);
    }
    identity::zero(value)
}

/// Overwrites the words of a command line that go with spaces.
fn blank_words(value: &mut [u8]) -> bool {
    let mut changed = false;
    for word in value.split_mut(|byte| matches!(byte, b' ' | b'\t' | b'\n' | 0)) {
        let is_kept = std::str::from_utf8(word).is_ok_and(command_line::is_kept);
        if !word.is_empty() && !is_kept {
            word.fill(b' ');
            changed = true;
        }
    }
    changed
}

fn string(strings: &[u8], at: usize) -> Option<&[u8]> {
    let rest = strings.get(at..)?;
    let rest = rest.get(..MAX_NAME_BYTES).unwrap_or(rest);
    rest.get(..rest.iter().position(|&byte| byte == 0)?)
}

fn aligned(at: usize) -> Option<usize> {
    at.checked_next_multiple_of(4)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

fn as_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
