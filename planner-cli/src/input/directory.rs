//! A capture directory, or `/`, to a [`Tree`]: reads what the allow-list names and lists no other directory.
//!
//! Captures come from other people's machines: symbolic links are read, never followed by the operating system, so
//! nothing outside the directory is opened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use planner_core::diag::{Diagnostic, Origin};
use planner_core::read::capture::allow::{self, Place, Row, Take};
use planner_core::read::capture::archive::{LIMITS, MAX_PATH_BYTES};
use planner_core::read::capture::log::Log;
use planner_core::read::capture::{Node, Tree, codes};
use planner_core::record::manifest::{Lack, Note};
use planner_core::size::Size;

/// The capture in a directory. This machine is the capture in `/`. Of files that cannot be read, a bounded number is
/// reported and all are noted.
pub(super) fn capture(root: &Path, name: &str) -> (Tree, Vec<Diagnostic>, Vec<Note>) {
    let mut log = Log::of(name);
    // A link in place of `sys` is not followed, so it is as good as none.
    if !fs::symlink_metadata(root.join("sys")).is_ok_and(|metadata| metadata.is_dir()) {
        log.push(no_capture(root));
        return (Tree::default(), log.finish(), Vec::new());
    }
    walk(root, log)
}

fn no_capture(root: &Path) -> Diagnostic {
    let message = format!("the directory `{}` holds no directory `sys`", root.display());
    let diagnostic = Diagnostic::new(&codes::NOT_A_CAPTURE, Origin::Unstated, message);
    let below = fs::read_dir(root).into_iter().flatten().flatten().take(100).map(|entry| entry.path());
    let mut captures: Vec<PathBuf> = below.filter(|path| path.join("sys").is_dir()).collect();
    captures.sort();
    match captures.first() {
        Some(capture) => diagnostic.help(format!("`{}` holds one", capture.display())),
        None => diagnostic.help(planner_core::read::capture::HOW_TO_CAPTURE),
    }
}

fn walk(root: &Path, log: Log) -> (Tree, Vec<Diagnostic>, Vec<Note>) {
    let mut walk = Walk {
        root,
        tree: Tree::default(),
        log,
        unread: Vec::new(),
        listed: BTreeMap::new(),
        real: BTreeSet::from([String::new()]),
        links: BTreeSet::new(),
        left: LIMITS.kept_bytes,
        entries: LIMITS.entries,
    };
    for row in allow::rows(Place::Root) {
        walk.expand("", row.pattern, row);
    }
    let functions = walk.targets("sys/bus/pci/devices");
    let bridges: BTreeSet<String> = functions.iter().filter_map(|path| platform_device(path)).collect();
    let iommus = walk.targets("sys/class/iommu");
    for (place, directories) in
        [(Place::Function, functions), (Place::HostBridge, bridges), (Place::Iommu, iommus)]
    {
        for directory in directories {
            for row in allow::rows(place) {
                walk.take(format!("{directory}/{}", row.pattern), row.take);
            }
        }
    }
    (walk.tree, walk.log.finish(), walk.unread)
}

/// The directory that holds the root bus above a function.
fn platform_device(function: &str) -> Option<String> {
    let parts: Vec<&str> = function.split('/').collect();
    let at = parts.iter().rposition(|part| allow::is_root_bus_name(part))?;
    Some(parts.get(..at)?.join("/"))
}

struct Walk<'a> {
    root: &'a Path,
    tree: Tree,
    log: Log,
    /// What could not be read.
    unread: Vec<Note>,
    /// Names in directories that were listed: several rows begin alike.
    listed: BTreeMap<String, Vec<String>>,
    /// Directories whose every component is a directory and not a link.
    real: BTreeSet<String>,
    /// Links where a directory was expected, reported.
    links: BTreeSet<String>,
    /// Bytes that may still be kept.
    left: usize,
    /// Names that may still be listed.
    entries: usize,
}

impl Walk<'_> {
    /// Takes everything that a pattern stands for.
    fn expand(&mut self, directory: &str, pattern: &str, row: &Row) {
        let (component, rest) = match pattern.split_once('/') {
            Some((component, rest)) => (component, Some(rest)),
            None => (pattern, None),
        };
        let names = if component.ends_with(['*', '#']) {
            let mut names = self.list(directory);
            names.retain(|name| allow::is_meant(component, name));
            names
        } else {
            vec![component.to_owned()]
        };
        for name in names {
            let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
            match rest {
                Some(rest) => self.expand(&path, rest, row),
                None => self.take(path, row.take),
            }
        }
    }

    /// Where the links in a directory lead; what leads nowhere is reported by who needs it.
    fn targets(&self, directory: &str) -> BTreeSet<String> {
        let names = self.tree.names(directory);
        names.into_iter().filter_map(|name| self.tree.resolve(&format!("{directory}/{name}")).ok()).collect()
    }

    fn list(&mut self, directory: &str) -> Vec<String> {
        if let Some(names) = self.listed.get(directory) {
            return names.clone();
        }
        let names = if self.is_real(directory) { self.read_names(directory) } else { Vec::new() };
        self.listed.insert(directory.to_owned(), names.clone());
        names
    }

    fn read_names(&mut self, directory: &str) -> Vec<String> {
        let entries = match fs::read_dir(self.root.join(directory)) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable(directory, &error);
                return Vec::new();
            }
        };
        // What is no UTF-8 is on no list.
        let names =
            entries.flatten().take(self.entries).filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        self.entries = self.entries.saturating_sub(names.len());
        if self.entries == 0 {
            let message = format!("the directories hold more than {} entries", LIMITS.entries);
            self.log.push(Diagnostic::new(&codes::TOO_LARGE, Origin::Unstated, message));
        }
        names.sort();
        names
    }

    /// Puts what is wanted of a path into the tree.
    fn take(&mut self, path: String, take: Take) {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !self.is_real(parent) {
            return;
        }
        let file = self.root.join(&path);
        let kind = match fs::symlink_metadata(&file) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => return self.unreadable(&path, &error),
        };
        let node = match take {
            Take::File(most) if kind.is_file() => self.content(&path, &file, most, Cut::Reported),
            Take::Head(most) if kind.is_file() => self.content(&path, &file, most, Cut::Expected),
            Take::Link | Take::Presence if kind.is_symlink() => self.link(&path, &file),
            Take::Presence if kind.is_dir() => Some(Node::Directory),
            Take::File(_) | Take::Head(_) => return self.refuse(&path),
            _ => None,
        };
        if let Some(node) = node {
            self.tree.insert(path, node);
        }
    }

    fn content(&mut self, path: &str, file: &Path, most: usize, cut: Cut) -> Option<Node> {
        let mut bytes = Vec::with_capacity(4096);
        let read = File::open(file).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            self.unreadable(path, &error);
            return None;
        }
        if bytes.len() > most && cut == Cut::Reported {
            let message = format!("`{path}` is longer than {}", Size::from_bytes(most as u64));
            self.log.push(Diagnostic::new(&codes::CUT, Origin::file(path), message));
        }
        bytes.truncate(most);
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            let message = format!(
                "the files that are read hold more than {}",
                Size::from_bytes(LIMITS.kept_bytes as u64)
            );
            self.log.push(Diagnostic::new(&codes::TOO_LARGE, Origin::Unstated, message));
            return None;
        };
        self.left = left;
        Some(Node::File(bytes))
    }

    fn link(&mut self, path: &str, file: &Path) -> Option<Node> {
        match fs::read_link(file) {
            Ok(target) => target
                .to_str()
                .filter(|target| target.len() <= MAX_PATH_BYTES)
                .map(|target| Node::Link(target.to_owned())),
            Err(error) => {
                self.unreadable(path, &error);
                None
            }
        }
    }

    /// Whether a directory exists and the way to it leads through no link.
    fn is_real(&mut self, directory: &str) -> bool {
        if self.real.contains(directory) {
            return true;
        }
        let parent = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        if !self.is_real(parent) {
            return false;
        }
        let kind = fs::symlink_metadata(self.root.join(directory)).map(|metadata| metadata.file_type());
        let real = kind.as_ref().is_ok_and(|kind| kind.is_dir());
        if real {
            self.real.insert(directory.to_owned());
        } else if kind.is_ok_and(|kind| kind.is_symlink()) && self.links.insert(directory.to_owned()) {
            let message = format!("the directory `{directory}` is a symbolic link and was not entered");
            self.log.push(Diagnostic::new(&codes::BAD_LINK, Origin::file(directory), message));
        }
        real
    }

    fn refuse(&mut self, path: &str) {
        let message = format!("`{path}` is not a file");
        self.log.push(Diagnostic::new(&codes::REFUSED_KIND, Origin::file(path), message));
    }

    /// Reports a fault, unless the thing is just not there: whoever needs it says what is lost.
    fn unreadable(&mut self, path: &str, error: &std::io::Error) {
        if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
            return;
        }
        self.unread.push(Note { lack: Lack::Unread, path: path.to_owned(), why: reason(error) });
        let message = format!("`{path}` cannot be read: {error}");
        let help = "run as root, or capture as root and name the capture";
        self.log.push(Diagnostic::new(&codes::UNREADABLE, Origin::file(path), message).help(help));
    }
}

/// The reason in words that do not depend on the system.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "it cannot be read; root may read it".to_owned(),
        kind => format!("it cannot be read: {kind}"),
    }
}

/// Whether a file that goes on behind what is read is worth a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Reported,
    Expected,
}
