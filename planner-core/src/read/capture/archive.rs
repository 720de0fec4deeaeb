//! Archives: `.tar` and `.tar.gz` in memory to a [`Tree`]. Nothing is unpacked, nothing outside the list is copied.
//!
//! Archives come from other people's machines. Everything is bounded; links are kept as text and resolved inside the
//! tree only, later.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use super::allow::{self, Take};
use super::codes;
use super::log::{Log, quoted};
use super::tree::{MAX_DEPTH, Node, Tree};
use crate::diag::{Diagnostic, Origin};
use crate::size::{MIB, Size};

/// How much of an archive is read. A bound that is passed is an error, not the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the archive, as it is stored.
    pub archive_bytes: u64,
    /// Bytes of the archive after decompression.
    pub inflated_bytes: u64,
    /// Entries of the archive.
    pub entries: usize,
    /// Bytes that are kept of all files together.
    pub kept_bytes: usize,
}

/// What a capture of the largest server stays far below, and any machine reads within a second or two.
pub const LIMITS: Limits = Limits {
    archive_bytes: 128 * MIB,
    inflated_bytes: 256 * MIB,
    entries: 400_000,
    kept_bytes: 64 * 1024 * 1024,
};

/// Longest path, and longest target of a link, in bytes (`PATH_MAX` in include/uapi/linux/limits.h).
pub const MAX_PATH_BYTES: usize = 4096;

/// How much is decompressed at once: headers are small reads, and a decompressor is fast only when it may write much.
const CHUNK_BYTES: usize = 128 * 1024;
/// How deep in the archive the capture may stand.
const MAX_ROOT_DEPTH: usize = 3;
/// How many directories may look like a capture before the rest is passed over.
const MAX_ROOTS: usize = 16;

/// Whether the bytes are a gzip stream or a tar archive, by their magic numbers (RFC 1952 2.3.1; `ustar` at 257 in
/// POSIX.1-1988 and GNU archives).
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    is_gzip(bytes) || bytes.get(257..262) == Some(b"ustar")
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// The capture in an archive of this name. What was understood before a fault is in the tree; when nothing usable is,
/// one of the diagnostics is an error.
#[must_use]
pub fn from_archive(bytes: &[u8], name: &str) -> (Tree, Vec<Diagnostic>) {
    from_archive_within(bytes, name, &LIMITS)
}

/// As [`from_archive`], with other bounds.
#[must_use]
pub fn from_archive_within(bytes: &[u8], name: &str, limits: &Limits) -> (Tree, Vec<Diagnostic>) {
    let mut log = Log::of(name);
    if bytes.len() as u64 > limits.archive_bytes {
        let most = Size::from_bytes(limits.archive_bytes);
        log.push(too_large(format!("the archive has {} bytes, more than {most}", bytes.len())));
        return (Tree::default(), log.finish());
    }
    let mut roots = Roots { trees: BTreeMap::new(), kept_bytes: 0, limits: *limits };
    if is_gzip(bytes) {
        read(MultiGzDecoder::new(bytes), &mut roots, &mut log);
    } else {
        read(bytes, &mut roots, &mut log);
    }
    let tree = roots.choose(&mut log);
    (tree, log.finish())
}

/// Reads entries until the end or the first fault of the archive.
fn read(stream: impl Read, roots: &mut Roots, log: &mut Log) {
    let most = roots.limits.inflated_bytes;
    let bounded = Bounded { stream, left: most };
    let mut stream = Forward { stream: BufReader::with_capacity(CHUNK_BYTES, bounded), position: 0 };
    let mut count = 0_usize;
    if let Err(fault) = read_entries(&mut stream, &mut count, roots, log) {
        log.push(fault.diagnostic(count, most));
        return;
    }
    // What follows the end mark is padding and the checksum of the compressed stream, which is checked by reading on.
    if let Err(error) = std::io::copy(&mut stream, &mut std::io::sink()) {
        log.push(Fault::Stream(error).diagnostic(count, most));
    }
}

fn read_entries(
    stream: &mut (impl Read + Seek),
    count: &mut usize,
    roots: &mut Roots,
    log: &mut Log,
) -> Result<(), Fault> {
    for entry in Archive::new(stream).entries_with_seek()? {
        let entry = entry?;
        *count = count.saturating_add(1);
        let most = roots.limits.entries;
        if *count > most {
            return Err(Fault::TooLarge(format!("the archive has more than {most} entries")));
        }
        take_entry(entry, roots, log)?;
    }
    Ok(())
}

/// Why reading stops.
enum Fault {
    Stream(std::io::Error),
    TooLarge(String),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Stream(error)
    }
}

impl Fault {
    /// What to say about it after so many entries, when the stream was bounded to so many bytes.
    fn diagnostic(self, count: usize, most_bytes: u64) -> Diagnostic {
        let error = match self {
            Self::TooLarge(message) => return too_large(message),
            Self::Stream(error) => error,
        };
        let seen =
            if count == 1 { "1 entry was seen".to_owned() } else { format!("{count} entries were seen") };
        match error.kind() {
            ErrorKind::FileTooLarge => {
                let most = Size::from_bytes(most_bytes);
                too_large(format!("the archive holds more than {most} after decompression"))
            }
            ErrorKind::UnexpectedEof => damaged(format!("the archive ends early; {seen}")),
            _ => damaged(format!("the archive cannot be read further; {seen}")).note(escaped(&error)),
        }
    }
}

fn too_large(message: String) -> Diagnostic {
    Diagnostic::new(&codes::TOO_LARGE, Origin::Unstated, message)
}

fn damaged(message: String) -> Diagnostic {
    Diagnostic::new(&codes::DAMAGED, Origin::Unstated, message)
        .help("make or copy the capture again; groups and devices may be missing from this one")
}

/// The words of the decoder; they may repeat bytes of the archive.
fn escaped(error: &std::io::Error) -> String {
    error.to_string().chars().take(200).flat_map(char::escape_debug).collect()
}

/// Takes what the allow-list wants of one entry.
fn take_entry(mut entry: Entry<'_, impl Read>, roots: &mut Roots, log: &mut Log) -> Result<(), Fault> {
    let Some(path) = clean_path(&entry.path_bytes(), log) else { return Ok(()) };
    let Some((root, inner, take)) = locate(&path) else { return Ok(()) };
    let Some(node) = node(&mut entry, &path, take, log)? else { return Ok(()) };
    roots.insert(root, inner, node)
}

/// The path of an entry without empty and `.` components, unless it is refused or nothing that the list could hold.
fn clean_path(bytes: &[u8], log: &mut Log) -> Option<String> {
    let mut refuse = |why: &str| {
        let shown = quoted(&String::from_utf8_lossy(bytes.get(..MAX_PATH_BYTES).unwrap_or(bytes)));
        let message = format!("the entry {shown} {why}");
        log.push(Diagnostic::new(&codes::REFUSED_PATH, Origin::Unstated, message));
        None
    };
    if bytes.len() > MAX_PATH_BYTES {
        return refuse(&format!("has a path of {} bytes, more than {MAX_PATH_BYTES}", bytes.len()));
    }
    if bytes.starts_with(b"/") {
        return refuse("has an absolute path");
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return refuse("leads out of the archive with `..`");
    }
    if parts.len() > MAX_DEPTH {
        return refuse(&format!("is {} directories deep, more than {MAX_DEPTH}", parts.len()));
    }
    Some(parts.join("/"))
}

/// Splits a path of the archive into the root of a capture and a path of the allow-list.
fn locate(path: &str) -> Option<(&str, &str, Take)> {
    let ends = path.match_indices('/').map(|(at, _)| at).take(MAX_ROOT_DEPTH);
    let splits = ends.filter_map(|at| Some((path.get(..at)?, path.get(at.checked_add(1)?..)?)));
    std::iter::once(("", path))
        .chain(splits)
        .find_map(|(root, inner)| Some((root, inner, allow::wanted(inner)?)))
}

/// What the tree shall hold for an entry, if anything.
fn node(
    entry: &mut Entry<'_, impl Read>,
    path: &str,
    take: Take,
    log: &mut Log,
) -> Result<Option<Node>, Fault> {
    let kind = entry.header().entry_type();
    let refuse = |what: &str, log: &mut Log| {
        let message = format!("the entry {} is {what}", quoted(path));
        log.push(Diagnostic::new(&codes::REFUSED_KIND, Origin::Unstated, message));
    };
    match (take, kind) {
        (Take::File(most), EntryType::Regular | EntryType::Continuous) => {
            let (bytes, cut) = content(entry, most)?;
            if cut {
                let message = format!("{} is longer than {}", quoted(path), Size::from_bytes(most as u64));
                log.push(Diagnostic::new(&codes::CUT, Origin::file(path), message));
            }
            return Ok(Some(Node::File(bytes)));
        }
        (Take::Head(most), EntryType::Regular | EntryType::Continuous) => {
            return Ok(Some(Node::File(content(entry, most)?.0)));
        }
        (Take::Link | Take::Presence, EntryType::Symlink) => match target(entry) {
            Some(target) => return Ok(Some(Node::Link(target))),
            None => refuse("a symbolic link whose target is missing, too long or no text", log),
        },
        (Take::Presence, EntryType::Directory) => return Ok(Some(Node::Directory)),
        (Take::File(_) | Take::Head(_), EntryType::Symlink) => refuse("a symbolic link, not a file", log),
        (_, EntryType::Link) => refuse("a hard link", log),
        (_, EntryType::Char | EntryType::Block | EntryType::Fifo) => refuse("a device or a pipe", log),
        (_, EntryType::GNUSparse) => refuse("a sparse file", log),
        _ => {}
    }
    Ok(None)
}

/// At most `most` bytes of an entry, and whether there were more.
fn content(entry: &mut Entry<'_, impl Read>, most: usize) -> Result<(Vec<u8>, bool), Fault> {
    let (size, most) = (entry.size(), most as u64);
    let mut bytes = Vec::new();
    entry.take(most).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < size.min(most) {
        return Err(Fault::Stream(ErrorKind::UnexpectedEof.into()));
    }
    Ok((bytes, size > most))
}

fn target(entry: &Entry<'_, impl Read>) -> Option<String> {
    let target = entry.link_name_bytes()?;
    let target = std::str::from_utf8(&target).ok()?;
    (target.len() <= MAX_PATH_BYTES).then(|| target.to_owned())
}

/// Everything in the archive that looks like the root of a capture: captures often hold copies of parts of
/// themselves, such as the state after an experiment.
struct Roots {
    trees: BTreeMap<String, Tree>,
    kept_bytes: usize,
    limits: Limits,
}

impl Roots {
    fn insert(&mut self, root: &str, inner: &str, node: Node) -> Result<(), Fault> {
        let content = match &node {
            Node::File(bytes) => bytes.len(),
            Node::Link(target) => target.len(),
            Node::Directory => 0,
        };
        self.kept_bytes = self.kept_bytes.saturating_add(content).saturating_add(inner.len());
        if self.kept_bytes > self.limits.kept_bytes {
            let most = Size::from_bytes(self.limits.kept_bytes as u64);
            return Err(Fault::TooLarge(format!("the files that are read hold more than {most} together")));
        }
        if self.trees.len() < MAX_ROOTS || self.trees.contains_key(root) {
            self.trees.entry(root.to_owned()).or_default().insert(inner, node);
        }
        Ok(())
    }

    /// The capture: the root nearest to the top, then the one that holds most.
    fn choose(mut self, log: &mut Log) -> Tree {
        self.trees.retain(|_, tree| tree.exists("sys"));
        let depth = |root: &str| if root.is_empty() { 0 } else { root.split('/').count() };
        let Some(least) = self.trees.keys().map(|root| depth(root)).min() else {
            let message =
                "the archive holds no directory with `sys/kernel/iommu_groups` or `sys/bus/pci/devices`";
            let diagnostic = Diagnostic::new(&codes::NOT_A_CAPTURE, Origin::Unstated, message);
            log.push(diagnostic.help(super::HOW_TO_CAPTURE));
            return Tree::default();
        };
        self.trees.retain(|root, _| depth(root) == least);
        let names: Vec<String> = self.trees.keys().map(|root| quoted(root)).collect();
        let best = self.trees.into_iter().rev().max_by_key(|(_, tree)| tree.len());
        let Some((root, tree)) = best else { return Tree::default() };
        if names.len() > 1 {
            let message = format!(
                "the archive holds several captures, {}; {} was taken",
                names.join(", "),
                quoted(&root)
            );
            log.push(Diagnostic::new(&codes::SEVERAL_CAPTURES, Origin::Unstated, message));
        }
        tree
    }
}

/// A stream of which only so many bytes are read. One more is an error, not the end: the end would look like a whole
/// archive.
struct Bounded<R> {
    stream: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            let more = self.stream.read(&mut [0])?;
            return if more == 0 { Ok(0) } else { Err(ErrorKind::FileTooLarge.into()) };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = match buffer.get_mut(..most) {
            Some(buffer) => self.stream.read(buffer)?,
            None => 0,
        };
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

/// A stream that seeks forward by reading on, without copying what it passes over. Most of an archive is passed over.
struct Forward<R> {
    stream: R,
    position: u64,
}

impl<R: BufRead> Read for Forward<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl<R: BufRead> Seek for Forward<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let SeekFrom::Current(distance) = to else { return Err(ErrorKind::Unsupported.into()) };
        let mut left = u64::try_from(distance).map_err(|_| ErrorKind::Unsupported)?;
        while left > 0 {
            let here = self.stream.fill_buf()?.len();
            if here == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(here);
            self.stream.consume(count);
            left = left.saturating_sub(count as u64);
            self.position = self.position.saturating_add(count as u64);
        }
        Ok(self.position)
    }
}
