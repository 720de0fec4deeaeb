//! The making of captures: from a tree that was read on a machine to an archive that may leave it.
//!
//! [`record`] takes out what tells one machine from another ([`redact`]) and adds the [`manifest`]; [`archive`] packs the
//! result so that the same machine gives the same bytes; [`script`] is a POSIX shell script that does all of it on a
//! machine without this program, made of the same [allow-list](crate::read::capture::allow).
//!
//! Not here: reading a machine. The command line does that.

pub mod archive;
pub mod command_line;
pub mod manifest;
pub mod redact;
pub mod script;

use crate::read::capture::allow::MANIFEST;
use crate::read::capture::{Node, Tree};
use manifest::{Lack, Manifest, Note};

/// Whether what tells one machine from another is taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redaction {
    /// Serial numbers, MAC addresses, UUIDs and host names are taken out.
    On,
    /// Everything stays as it was read.
    Off,
}

/// A capture of this tree, with its manifest in it. `unread` is what could not be read. What the manifest of an earlier
/// capture says, where the tree is one, is kept.
#[must_use]
pub fn record(mut tree: Tree, unread: Vec<Note>, redaction: Redaction) -> (Tree, Manifest) {
    let mut manifest = Manifest::new(redaction);
    if let Some(Node::File(earlier)) = tree.remove(MANIFEST) {
        manifest.take_over(&Manifest::parse(&String::from_utf8_lossy(&earlier)));
    }
    manifest.notes.extend(unread);
    manifest.notes.extend(partly_read(&tree));
    if redaction == Redaction::On {
        (tree, manifest.notes) = redact::redact(tree, std::mem::take(&mut manifest.notes));
    }
    manifest.finish(&tree);
    tree.insert(MANIFEST, Node::File(manifest.to_string().into_bytes()));
    (tree, manifest)
}

/// Bytes of configuration space that others than root read (`pci_read_config` in drivers/pci/pci-sysfs.c).
const CONFIG_WITHOUT_ROOT: usize = 64;

/// Files of which only a part was there to be read.
fn partly_read(tree: &Tree) -> Vec<Note> {
    let part = |(path, node): (&str, &Node)| {
        let Node::File(bytes) = node else { return None };
        let why = if path.ends_with("/config") && bytes.len() == CONFIG_WITHOUT_ROOT {
            "the first 64 bytes; root reads the rest"
        } else if path == "proc/iomem" && bytes.starts_with(b"00000000-00000000 ") {
            "the names; root reads the addresses"
        } else {
            return None;
        };
        Some(Note { lack: Lack::Partly, path: path.to_owned(), why: why.to_owned() })
    };
    tree.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests;
