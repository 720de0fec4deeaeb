//! The interesting part of a capture, in memory: paths with file contents, link targets or nothing more than presence.
//!
//! Links are resolved here and nowhere else, inside the tree only. Where the tree comes from is the business of
//! [`super::archive`] and of the command line, which may read directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

/// How many links a path may lead through: what Linux allows (`MAXSYMLINKS` in include/linux/namei.h).
const MAX_LINKS: usize = 40;

/// How deep a tree may be. The longest chain of bridges that PCI allows, 255 buses, fits.
pub const MAX_DEPTH: usize = 300;

/// What stands at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// A file with its content, as far as it was read.
    File(Vec<u8>),
    /// A symbolic link with its target as written.
    Link(String),
    /// A directory. Those that hold something need no node.
    Directory,
}

/// The interesting part of a capture. Paths are relative to its root and written `sys/kernel/iommu_groups/0/type`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkFault {
    /// Through more than 40 links: they form a loop.
    Loop,
    /// Out of the capture, by an absolute target or too many `..`.
    Escape,
    /// To something that the capture does not hold.
    Dangling,
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loop => "leads through more than 40 links: they form a loop",
            Self::Escape => "leads out of the capture",
            Self::Dangling => "leads to something that the capture does not hold",
        })
    }
}

impl Tree {
    /// Puts a node at a path, in place of what was there.
    pub fn insert(&mut self, path: impl Into<String>, node: Node) {
        self.nodes.insert(path.into(), node);
    }

    /// Takes away what stands at exactly this path.
    pub fn remove(&mut self, path: &str) -> Option<Node> {
        self.nodes.remove(path)
    }

    /// Content of the file at exactly this path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        match self.nodes.get(path) {
            Some(Node::File(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// Target of the link at exactly this path.
    #[must_use]
    pub fn link(&self, path: &str) -> Option<&str> {
        match self.nodes.get(path) {
            Some(Node::Link(target)) => Some(target),
            _ => None,
        }
    }

    /// Last component of the target of the link at this path.
    #[must_use]
    pub fn link_name(&self, path: &str) -> Option<&str> {
        self.link(path)?.rsplit('/').find(|part| !part.is_empty())
    }

    /// Whether something stands at this path or below it.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.nodes.contains_key(path) || self.below(&format!("{path}/")).next().is_some()
    }

    /// Names in the directory at exactly this path, ascending by byte. Visits everything below.
    #[must_use]
    pub fn names(&self, path: &str) -> BTreeSet<&str> {
        self.below(&format!("{path}/")).filter_map(|rest| rest.split('/').next()).collect()
    }

    /// What follows `prefix` in every path that starts with it.
    fn below(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.nodes
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .map_while(move |(path, _)| path.strip_prefix(prefix))
    }

    /// The path that this path leads to when every link on the way is followed.
    ///
    /// # Errors
    /// [`LinkFault`] when the links form a loop, leave the tree or lead to nothing.
    pub fn canonical(&self, path: &str) -> Result<String, LinkFault> {
        let path = self.resolve(path)?;
        if self.exists(&path) { Ok(path) } else { Err(LinkFault::Dangling) }
    }

    /// As [`Tree::canonical`], but the path may lead to something that the tree does not hold, yet.
    ///
    /// # Errors
    /// [`LinkFault`] when the links form a loop or leave the tree.
    pub fn resolve(&self, path: &str) -> Result<String, LinkFault> {
        let mut pending: Vec<&str> = path.rsplit('/').collect();
        // One text that grows and shrinks: hosts have thousands of links, each through a dozen directories.
        let mut done = String::with_capacity(path.len());
        let (mut depth, mut links) = (0_usize, 0_usize);
        while let Some(part) = pending.pop() {
            match part {
                "" | "." => continue,
                ".." => {
                    depth = depth.checked_sub(1).ok_or(LinkFault::Escape)?;
                    done.truncate(done.rfind('/').unwrap_or(0));
                    continue;
                }
                _ if depth == MAX_DEPTH => return Err(LinkFault::Dangling),
                name => {
                    depth = depth.saturating_add(1);
                    if !done.is_empty() {
                        done.push('/');
                    }
                    done.push_str(name);
                }
            }
            if let Some(target) = self.link(&done) {
                links = links.saturating_add(1);
                if links > MAX_LINKS {
                    return Err(LinkFault::Loop);
                }
                if target.starts_with('/') {
                    return Err(LinkFault::Escape);
                }
                depth = depth.saturating_sub(1);
                done.truncate(done.rfind('/').unwrap_or(0));
                pending.extend(target.rsplit('/'));
            }
        }
        Ok(done)
    }

    /// Every path with what stands there, ascending by byte.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Takes it apart into paths and what stands there, ascending by byte.
    pub fn into_nodes(self) -> impl Iterator<Item = (String, Node)> {
        self.nodes.into_iter()
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(links: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        tree.insert("a/b/file", Node::File(b"x".to_vec()));
        tree.insert("a/b.d/file", Node::File(b"x".to_vec()));
        for (path, target) in links {
            tree.insert(*path, Node::Link((*target).to_owned()));
        }
        tree
    }

    #[test]
    fn links_are_followed_inside_the_tree() {
        let tree = tree(&[
            ("to-dir", "a/b"),
            ("a/up", "../to-dir/file"),
            ("out", "../etc"),
            ("root", "/a/b"),
            ("self", "self"),
            ("gone", "a/c"),
        ]);
        let cases = [
            ("a/b", Ok("a/b")),
            ("./a//b/./file", Ok("a/b/file")),
            ("to-dir/file", Ok("a/b/file")),
            ("a/up", Ok("a/b/file")),
            ("out", Err(LinkFault::Escape)),
            ("..", Err(LinkFault::Escape)),
            ("root", Err(LinkFault::Escape)),
            ("self", Err(LinkFault::Loop)),
            ("gone", Err(LinkFault::Dangling)),
        ];
        for (path, expected) in cases {
            assert_eq!(tree.canonical(path), expected.map(str::to_owned), "{path}");
        }
    }

    #[test]
    fn names_of_a_directory_are_those_directly_in_it() {
        let tree = tree(&[("a/z", "x")]);
        assert_eq!(tree.names("a").into_iter().collect::<Vec<_>>(), ["b", "b.d", "z"]);
        assert_eq!(tree.names("a/b").into_iter().collect::<Vec<_>>(), ["file"]);
        assert!(tree.names("a/c").is_empty());
    }

    #[test]
    fn a_path_of_thousands_of_components_ends() {
        let deep = "d/".repeat(2000);
        let tree = tree(&[("d", deep.as_str())]);
        assert_eq!(tree.canonical("d"), Err(LinkFault::Loop));
        assert_eq!(tree.canonical(&"x/".repeat(2000)), Err(LinkFault::Dangling));
    }
}
