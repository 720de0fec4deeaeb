//! Takes out of a tree what tells one machine from another: serial numbers, MAC addresses, UUIDs, names of hosts and
//! users, seeds. Lengths and structures stay, so the readers find the same facts as before.
//!
//! ACPI tables are kept as they are: the tables of the list hold identifiers of vendors and of processors, and no serial
//! number, and the kernel tells machines with faults by their OEM identifiers.

mod config;
mod fdt;
mod identity;

use super::command_line;
use super::manifest::{Lack, Note};
use crate::read::capture::{Node, Tree};
pub(super) use config::{MAX_CAPABILITIES, MAX_EXTENDED};
use identity::Pseudonyms;

/// The tree without identities; and what was taken out where, after the notes that there were.
#[must_use]
pub fn redact(tree: Tree, notes: Vec<Note>) -> (Tree, Vec<Note>) {
    let mut redaction = Redact { tree: Tree::default(), notes, names: Pseudonyms::default() };
    for (path, node) in tree.into_nodes() {
        redaction.take(&path, node);
    }
    for note in &mut redaction.notes {
        note.path = redaction.names.replaced(&note.path);
    }
    (redaction.tree, redaction.notes)
}

/// What happens to the content of a file.
enum Verdict {
    /// It stays.
    Kept(Vec<u8>),
    /// Something was taken out.
    Redacted(Vec<u8>, String),
    /// The file goes.
    LeftOut(String),
}

struct Redact {
    tree: Tree,
    notes: Vec<Note>,
    names: Pseudonyms,
}

impl Redact {
    fn take(&mut self, path: &str, node: Node) {
        let renamed = self.names.replaced(path);
        if let Some(place) = first_difference(path, &renamed) {
            self.note(Lack::Redacted, place, "an identifier in the name".to_owned());
        }
        let node = match node {
            Node::File(bytes) => match self.content(path, bytes) {
                Verdict::Kept(bytes) => Node::File(bytes),
                Verdict::Redacted(bytes, what) => {
                    self.note(Lack::Redacted, &renamed, what);
                    Node::File(bytes)
                }
                Verdict::LeftOut(why) => return self.note(Lack::LeftOut, &renamed, why),
            },
            Node::Link(target) => Node::Link(self.names.replaced(&target)),
            Node::Directory => Node::Directory,
        };
        self.tree.insert(renamed, node);
    }

    fn note(&mut self, lack: Lack, path: &str, why: String) {
        self.notes.push(Note { lack, path: path.to_owned(), why });
    }

    fn content(&mut self, path: &str, bytes: Vec<u8>) -> Verdict {
        match path {
            "sys/firmware/fdt" => return device_tree(&bytes),
            "proc/cmdline" => return words_left_out(&bytes),
            _ if path.starts_with("sys/firmware/acpi/") => return Verdict::Kept(bytes),
            _ if path.ends_with("/config") => return configuration(bytes),
            _ => {}
        }
        let text = String::from_utf8_lossy(&bytes);
        let (named, what) = match path {
            "proc/version" => (without_builder(&text), "who built the kernel, and where"),
            "uname.txt" => (without_node_name(&text), "the name of the host"),
            "proc/cpuinfo" => (without_serial(&text), "the serial number of the processor"),
            _ => (text.clone().into_owned(), ""),
        };
        let replaced = self.names.replaced(&named);
        let what: Vec<&str> = [(named != text, what), (replaced != named, "MAC addresses or UUIDs")]
            .into_iter()
            .filter_map(|(changed, what)| changed.then_some(what))
            .collect();
        if what.is_empty() {
            return Verdict::Kept(bytes);
        }
        Verdict::Redacted(replaced.into_bytes(), what.join(", "))
    }
}

/// The path up to and with the first component that was renamed.
fn first_difference<'a>(before: &str, after: &'a str) -> Option<&'a str> {
    let same = before.split('/').zip(after.split('/')).take_while(|(before, after)| before == after);
    let length = same.fold(0_usize, |length, (part, _)| length.saturating_add(part.len()).saturating_add(1));
    let rest = after.get(length..)?;
    after.get(..length.checked_add(rest.find('/').unwrap_or(rest.len()))?)
}

fn device_tree(blob: &[u8]) -> Verdict {
    match fdt::redact(blob) {
        Err(why) => Verdict::LeftOut(format!("it is no whole device tree: {why}")),
        Ok((redacted, 0)) if redacted != blob => {
            Verdict::Redacted(redacted, "what lay between its blocks".to_owned())
        }
        Ok((redacted, properties)) if redacted != blob => {
            Verdict::Redacted(redacted, format!("{properties} properties with identifiers or seeds"))
        }
        Ok((redacted, _)) => Verdict::Kept(redacted),
    }
}

fn words_left_out(bytes: &[u8]) -> Verdict {
    let (kept, gone) = command_line::kept(&String::from_utf8_lossy(bytes));
    let kept = format!("{kept}\n").into_bytes();
    if gone == 0 {
        return Verdict::Kept(kept);
    }
    Verdict::Redacted(kept, format!("{gone} words that are no switches of IOMMU, VFIO or PCI"))
}

fn configuration(mut bytes: Vec<u8>) -> Verdict {
    let found = config::redact(&mut bytes);
    if found.is_empty() { Verdict::Kept(bytes) } else { Verdict::Redacted(bytes, found.join(", ")) }
}

/// `Linux version 6.12.1 (builder@host) (gcc …) #1 …` without the pair: what stands in parentheses and has an `@`
/// (`linux_proc_banner` in init/version.c).
fn without_builder(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        out.push_str(before);
        out.push('(');
        let length = after.find(['(', ')']).unwrap_or(after.len());
        let (inner, left) = after.split_at(length);
        out.push_str(if inner.contains('@') && left.starts_with(')') { "redacted" } else { inner });
        rest = left;
    }
    out + rest
}

/// `Linux HOST 6.12.1 …`, as `uname -a` prints it.
fn without_node_name(text: &str) -> String {
    match text.split_once(' ').and_then(|(system, rest)| Some((system, rest.split_once(' ')?))) {
        Some((system, (_, rest))) => format!("{system} redacted {rest}"),
        None => text.to_owned(),
    }
}

/// `Serial : 10000000a3b2c1d0`, which arm kernels print after the processors (`c_show` in arch/arm/kernel/setup.c).
fn without_serial(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| match line.split_once(':') {
        Some((name, value)) if name.trim_end() == "Serial" => {
            let zeros = value.replace(|c: char| c.is_ascii_hexdigit(), "0");
            format!("{name}:{zeros}")
        }
        _ => line.to_owned(),
    });
    lines.collect()
}
