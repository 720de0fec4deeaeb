//! What the user names on the command line, read into memory. Only this module reads files.
//!
//! Kinds are recognised by content, not by name. Nothing is understood here beyond the kind; texts go to the readers of
//! the language, captures become a [`Tree`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use planner_core::diag::{Diagnostic, Origin, has_errors};
use planner_core::read::capture::archive::LIMITS;
use planner_core::read::capture::{Tree, codes, from_archive, is_archive};
use planner_core::read::fdt::is_fdt;
use planner_core::record::manifest::Note;
use planner_core::size::{MIB, Size};

mod directory;

/// Most bytes of a description or of JSON. A text of this size has a hundred thousand lines.
const MAX_TEXT_BYTES: u64 = 16 * MIB;

/// Most files that a configuration may name.
const MOST_NAMED_FILES: usize = 64;

/// An input in memory.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Name of the thing described, for messages: file or directory name without what tells the format.
    pub(crate) name: String,
    /// The input.
    pub(crate) content: Content,
    /// What is doubtful about it; no error among them.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Files of a directory or of this machine that are there and could not be read, all of them.
    pub(crate) unread: Vec<Note>,
}

/// The kinds of input.
#[derive(Debug)]
pub(crate) enum Content {
    /// A text in the description language.
    Description(String),
    /// A JSON text.
    Json(String),
    /// A capture, or the live system.
    Capture(Tree),
    /// A flattened devicetree.
    DeviceTree(Vec<u8>),
}

/// Reads what `path` names: a file, a capture directory, `-` for standard input or `live` for this machine.
///
/// # Errors
/// The diagnostics, at least one of them an error, when it cannot be read or is nothing that the planner reads.
pub(crate) fn load(path: &str) -> Result<Loaded, Vec<Diagnostic>> {
    if path == "live" {
        return directory("live", Path::new("/"), "live");
    }
    if path == "-" {
        return recognise("-", "stdin", bounded(std::io::stdin().lock(), path)?);
    }
    let file = Path::new(path);
    let metadata = fs::metadata(file).map_err(|error| vec![unreadable(path, &error)])?;
    let name = name_of(file);
    if metadata.is_dir() {
        return directory(&name, file, path);
    }
    if !metadata.is_file() {
        let message = format!("`{path}` is neither a file nor a directory");
        return Err(vec![Diagnostic::new(&codes::NOT_AN_INPUT, Origin::file(path), message)]);
    }
    if metadata.len() > LIMITS.archive_bytes {
        return Err(vec![too_large(path, LIMITS.archive_bytes)]);
    }
    let file = File::open(file).map_err(|error| vec![unreadable(path, &error)])?;
    recognise(path, &name, bounded(file, path)?)
}

/// The recordings that a word of the command line stands for: the JSON files of a directory that is no capture, in the
/// order of their names; else the word itself.
pub(crate) fn recordings_in(word: &str) -> Vec<String> {
    let directory = Path::new(word);
    let itself = vec![word.to_owned()];
    if directory.join("sys").exists() || directory.join("proc").exists() {
        return itself;
    }
    let Ok(entries) = fs::read_dir(directory) else { return itself };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path().to_str()?.to_owned()));
    let mut files: Vec<String> = paths.filter(|path| path.ends_with(".json")).collect();
    files.sort_unstable();
    if files.is_empty() { itself } else { files }
}

/// The texts of files that a configuration names, looked up from `folder`. What cannot be read is left out; the reader of
/// the configuration tells it with the place where it is named.
pub(crate) fn named_files(names: &[String], folder: &Path) -> BTreeMap<String, String> {
    let text = |name: &String| {
        let path = folder.join(name);
        let metadata = fs::metadata(&path).ok().filter(|metadata| metadata.is_file())?;
        (metadata.len() <= MAX_TEXT_BYTES).then(|| fs::read_to_string(path).ok())?
    };
    names.iter().take(MOST_NAMED_FILES).filter_map(|name| Some((name.clone(), text(name)?))).collect()
}

fn bounded(stream: impl Read, path: &str) -> Result<Vec<u8>, Vec<Diagnostic>> {
    let mut bytes = Vec::new();
    let most = LIMITS.archive_bytes;
    stream.take(most + 1).read_to_end(&mut bytes).map_err(|error| vec![unreadable(path, &error)])?;
    if bytes.len() as u64 > most { Err(vec![too_large(path, most)]) } else { Ok(bytes) }
}

/// Tells an archive, a devicetree, JSON and a description apart.
fn recognise(path: &str, name: &str, bytes: Vec<u8>) -> Result<Loaded, Vec<Diagnostic>> {
    if is_archive(&bytes) {
        let (tree, diagnostics) = from_archive(&bytes, path);
        return capture(name, tree, diagnostics, Vec::new());
    }
    if bytes.len() as u64 > MAX_TEXT_BYTES {
        return Err(vec![too_large(path, MAX_TEXT_BYTES)]);
    }
    if is_fdt(&bytes) {
        return Ok(Loaded {
            name: name.to_owned(),
            content: Content::DeviceTree(bytes),
            diagnostics: Vec::new(),
            unread: Vec::new(),
        });
    }
    let text = text(path, bytes)?;
    let content = if text.trim_start().starts_with(['{', '[']) {
        Content::Json(text)
    } else {
        Content::Description(text)
    };
    Ok(Loaded { name: name.to_owned(), content, diagnostics: Vec::new(), unread: Vec::new() })
}

fn directory(name: &str, root: &Path, path: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let (tree, diagnostics, unread) = directory::capture(root, path);
    capture(name, tree, diagnostics, unread)
}

fn capture(
    name: &str,
    tree: Tree,
    diagnostics: Vec<Diagnostic>,
    unread: Vec<Note>,
) -> Result<Loaded, Vec<Diagnostic>> {
    if has_errors(&diagnostics) {
        return Err(diagnostics);
    }
    Ok(Loaded { name: name.to_owned(), content: Content::Capture(tree), diagnostics, unread })
}

/// The bytes as text, without a byte order mark.
fn text(path: &str, bytes: Vec<u8>) -> Result<String, Vec<Diagnostic>> {
    let refuse = |message: String, help: &str| {
        Err(vec![Diagnostic::new(&codes::NOT_AN_INPUT, Origin::file(path), message).help(help)])
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        let help = "a description starts with `host \"NAME\" {` or `guest \"NAME\" {`";
        return refuse(format!("`{path}` is empty"), help);
    }
    if let Some((kind, help)) = foreign(&bytes) {
        return refuse(format!("`{path}` is {kind}"), help);
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            return refuse(format!("`{path}` is no text: byte {at} is not UTF-8"), INPUTS);
        }
    };
    if let Some(at) = text.find('\0') {
        return refuse(format!("`{path}` is no text: byte {at} is zero"), INPUTS);
    }
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

const INPUTS: &str = "inputs are descriptions, JSON, capture directories, `.tar` and `.tar.gz` captures, devicetrees (`.dtb`), and `live`";

/// Formats that users try and that are not read, with the way out.
fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const FORMATS: [(&[u8], &str, &str); 5] = [
        (
            b"PK\x03\x04",
            "a zip file",
            "unpack it and name the directory; zip files may have lost symbolic links",
        ),
        (b"\xfd7zXZ\0", "compressed with xz", "`xz -dc FILE | planner … -` reads it"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd", "`zstd -dc FILE | planner … -` reads it"),
        (b"BZh", "compressed with bzip2", "`bzip2 -dc FILE | planner … -` reads it"),
        (b"\x7fELF", "a program", INPUTS),
    ];
    FORMATS.iter().find(|(magic, ..)| bytes.starts_with(magic)).map(|&(_, kind, help)| (kind, help))
}

fn too_large(path: &str, most_bytes: u64) -> Diagnostic {
    let message = format!("`{path}` is larger than {}", Size::from_bytes(most_bytes));
    Diagnostic::new(&codes::TOO_LARGE, Origin::file(path), message)
}

fn unreadable(path: &str, error: &std::io::Error) -> Diagnostic {
    let (message, help) = match error.kind() {
        ErrorKind::NotFound => (format!("`{path}` does not exist"), "`live` reads this machine"),
        ErrorKind::PermissionDenied => {
            (format!("`{path}` may not be read"), "run as root, or copy it with root's help")
        }
        _ => (format!("`{path}` cannot be read: {error}"), INPUTS),
    };
    Diagnostic::new(&codes::NO_INPUT, Origin::file(path), message).help(help)
}

/// Name of a capture or description: the last component of its path without the suffixes of its format.
pub(crate) fn name_of(path: &Path) -> String {
    // `.` and `..` have a name only when the links are followed.
    let canonical = path.file_name().is_none().then(|| path.canonicalize().ok()).flatten();
    let path = canonical.as_deref().unwrap_or(path);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let suffixes =
        [".tar.gz", ".tgz", ".tar", ".json", ".host", ".guest", ".dtb", ".xml", ".sh", ".txt", ".log", ".md"];
    let stem = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
    if stem.is_empty() { name } else { stem.to_owned() }
}

#[cfg(test)]
mod tests;
