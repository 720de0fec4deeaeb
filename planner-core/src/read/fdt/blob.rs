//! The blob: header and blocks (Devicetree Specification 0.4, chapter 5). What stands in the blocks is the business of
//! [`super::structure`].

use nom::bytes::complete::tag;
use nom::number::complete::be_u32;
use nom::{IResult, Parser};

use super::codes;
use super::sink::Sink;

/// First bytes of every blob (5.2, `magic`).
pub(super) const MAGIC: [u8; 4] = [0xd0, 0x0d, 0xfe, 0xed];
/// The version that this reader was written for (5.2, `version`), and the oldest with the same structure block.
const VERSIONS: std::ops::RangeInclusive<u32> = 16..=17;
/// Most bytes of a blob. Linux takes 2 MiB on arm64 (`MAX_FDT_SIZE` in arch/arm64/include/asm/boot.h).
pub(super) const MAX_BLOB_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of an entry of the memory reservation block: address and size (5.3.2).
const RESERVATION_BYTES: usize = 16;

/// The blocks of a blob that hold the tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob<'a> {
    /// The structure block, as far as it is in the file.
    pub(super) structure: &'a [u8],
    /// Where the structure block starts in the file.
    pub(super) structure_at: usize,
    /// The strings block.
    pub(super) strings: &'a [u8],
}

/// The numbers of the header that are used (5.2).
struct Header {
    total_bytes: u32,
    structure_at: u32,
    strings_at: u32,
    reservations_at: u32,
    version: u32,
    last_compatible_version: u32,
    strings_bytes: u32,
    /// Only since version 17.
    structure_bytes: Option<u32>,
}

/// The blocks of the blob, unless the header is so wrong that there are none.
pub(super) fn blob<'a>(bytes: &'a [u8], sink: &mut Sink) -> Option<Blob<'a>> {
    let Ok((_, header)) = header(bytes) else {
        let message = if bytes.starts_with(&MAGIC) {
            format!("the file ends after {} bytes, within the header", bytes.len())
        } else {
            format!("it starts with {}, not with d0 0d fe ed", first_bytes(bytes))
        };
        sink.say(&codes::NOT_A_TREE, 0, bytes.len().min(4), message);
        return None;
    };
    if !VERSIONS.contains(&header.last_compatible_version) || header.version < 16 {
        let Header { version, last_compatible_version: compatible, .. } = header;
        let message = format!("version {version}, compatible with {compatible}; 16 and 17 are read");
        sink.say(&codes::BAD_VERSION, 20, 8, message);
        return None;
    }
    let present = within_total(bytes, header.total_bytes, sink);
    check_reservations(present, &header, sink);
    let structure_at = usize::try_from(header.structure_at).ok()?;
    let structure_bytes = header.structure_bytes.map(|bytes| ("structure", bytes, 36));
    let structure = block(present, ("structure", header.structure_at, 8), structure_bytes, sink)?;
    let strings_bytes = Some(("strings", header.strings_bytes, 32));
    let strings = block(present, ("strings", header.strings_at, 12), strings_bytes, sink)?;
    Some(Blob { structure, structure_at, strings })
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    let (input, _) = tag(&MAGIC[..]).parse(input)?;
    let (input, (total_bytes, structure_at, strings_at, reservations_at)) =
        (be_u32, be_u32, be_u32, be_u32).parse(input)?;
    // The fifth is the boot processor.
    let (input, (version, last_compatible_version, _, strings_bytes)) =
        (be_u32, be_u32, be_u32, be_u32).parse(input)?;
    let (input, structure_bytes) = if version >= 17 { be_u32.map(Some).parse(input)? } else { (input, None) };
    let header = Header {
        total_bytes,
        structure_at,
        strings_at,
        reservations_at,
        version,
        last_compatible_version,
        strings_bytes,
        structure_bytes,
    };
    Ok((input, header))
}

fn first_bytes(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(" ") }
}

/// The file without what follows the blob: QEMU and firmware pad it.
fn within_total<'a>(bytes: &'a [u8], total_bytes: u32, sink: &mut Sink) -> &'a [u8] {
    let total = usize::try_from(total_bytes).unwrap_or(usize::MAX);
    if total > bytes.len() {
        let message = format!("the header says {total} bytes, the file has {}", bytes.len());
        sink.say(&codes::CUT, 4, 4, message);
    }
    let most = total.min(MAX_BLOB_BYTES);
    if total.min(bytes.len()) > MAX_BLOB_BYTES {
        sink.say(&codes::TOO_MANY, 4, 4, format!("{total} bytes, of which the first {most} were read"));
    }
    bytes.get(..most).unwrap_or(bytes)
}

/// A block by its name, its offset and the place of that in the header; and likewise its size, if it is said.
fn block<'a>(
    bytes: &'a [u8],
    (name, start, at): (&str, u32, usize),
    size: Option<(&str, u32, usize)>,
    sink: &mut Sink,
) -> Option<&'a [u8]> {
    let from =
        usize::try_from(start).ok().and_then(|start| bytes.get(start..)).filter(|from| !from.is_empty());
    let Some(from) = from else {
        let message =
            format!("the {name} block starts at {start:#x}, and the blob ends at {:#x}", bytes.len());
        sink.say(&codes::BAD_BLOCK, at, 4, message);
        return None;
    };
    let Some((_, size, at)) = size else { return Some(from) };
    let block = usize::try_from(size).ok().and_then(|size| from.get(..size));
    if block.is_none() {
        let message = format!(
            "the {name} block has {size:#x} bytes from {start:#x}, and the blob ends at {:#x}",
            bytes.len()
        );
        sink.say(&codes::CUT, at, 4, message);
    }
    Some(block.unwrap_or(from))
}

/// Memory reservations are for whoever loads the kernel and say nothing about devices; only their end is checked.
fn check_reservations(bytes: &[u8], header: &Header, sink: &mut Sink) {
    let rows =
        usize::try_from(header.reservations_at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let ended = rows.chunks_exact(RESERVATION_BYTES).any(|row| row.iter().all(|&byte| byte == 0));
    if !ended {
        let at = header.reservations_at;
        let message = format!("the memory reservations at {at:#x} do not end within the blob");
        sink.say(&codes::CUT, 16, 4, message);
    }
}
