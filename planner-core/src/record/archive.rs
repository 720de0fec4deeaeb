//! A tree as `.tar.gz`: sorted, owned by nobody, without times, so that the same tree gives the same bytes.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use crate::read::capture::{Node, Tree};

/// The one directory at the top of the archive.
pub const TOP: &str = "capture";

/// The archive. What stands below a link or a file, which no file system has, is left out.
#[must_use]
pub fn archive(tree: &Tree) -> Vec<u8> {
    // No name and no time (RFC 1952 2.3.1), and `255` for "unknown" as the operating system.
    let stream = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    pack(tree, stream).and_then(flate2::write::GzEncoder::finish).expect("writing to memory cannot fail")
}

fn pack<W: Write>(tree: &Tree, stream: W) -> io::Result<W> {
    let mut builder = Builder::new(stream);
    append(&mut builder, "", &Node::Directory)?;
    for (path, node) in tree.iter().filter(|(path, _)| stands_in_directories(tree, path)) {
        append(&mut builder, path, node)?;
    }
    builder.into_inner()
}

fn append(builder: &mut Builder<impl Write>, path: &str, node: &Node) -> io::Result<()> {
    let path = if path.is_empty() { TOP.to_owned() } else { format!("{TOP}/{path}") };
    match node {
        Node::File(bytes) => {
            builder.append_data(&mut header(EntryType::Regular, bytes.len()), path, bytes.as_slice())
        }
        Node::Link(target) => builder.append_link(&mut header(EntryType::Symlink, 0), path, target),
        Node::Directory => builder.append_data(&mut header(EntryType::Directory, 0), path + "/", io::empty()),
    }
}

fn header(kind: EntryType, length: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(length as u64);
    header.set_mode(match kind {
        EntryType::Symlink => 0o777,
        EntryType::Directory => 0o755,
        _ => 0o644,
    });
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Whether everything above the path is a directory, said or not.
fn stands_in_directories(tree: &Tree, path: &str) -> bool {
    path.match_indices('/')
        .filter_map(|(at, _)| path.get(..at))
        .all(|above| tree.file(above).is_none() && tree.link(above).is_none())
}
