//! The structure block: tokens to nodes and properties (Devicetree Specification 0.4, 5.4).
//!
//! One pass without recursion, whose work and memory grow with the length of the block and nothing else. Of the
//! properties only those are kept that some reader beside this file asks for.

use std::collections::BTreeMap;
use std::ops::Range;

use nom::bytes::complete::{take, take_till};
use nom::number::complete::be_u32;
use nom::{IResult, Parser};

use super::blob::Blob;
use super::codes;
use super::sink::Sink;

/// How deep nodes may be nested (`FDT_MAX_DEPTH` in drivers/of/fdt.c).
const MAX_DEPTH: usize = 64;

/// The tokens (5.4.1).
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// Properties that readers ask for. All others are passed over.
const KNOWN: &[&str] = &[
    "#address-cells",
    "#iommu-cells",
    "#msi-cells",
    "#redistributor-regions",
    "#size-cells",
    "arm,msi-base-spi",
    "arm,msi-num-spis",
    "bus-range",
    "compatible",
    "device_type",
    "dma-ranges",
    "iommu-addresses",
    "iommu-map",
    "iommu-map-mask",
    "iommus",
    "linux,pci-domain",
    "linux,phandle",
    "linux,usable-memory",
    "mbi-alias",
    "mbi-ranges",
    "memory-region",
    "msi-controller",
    "msi-map",
    "msi-map-mask",
    "msi-parent",
    "numa-node-id",
    "phandle",
    "ranges",
    "reg",
    "status",
];
/// Longest of these names with its end, and so as far as a name is looked at.
const MAX_NAME_BYTES: usize = 32;

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    /// Its name with the unit address; empty for the root.
    pub(super) name: &'a str,
    /// Index of the node that it is in.
    pub(super) parent: Option<usize>,
    /// One past the index of the last node inside of it; the nodes between are all inside.
    pub(super) end: usize,
    /// Where its name stands in the file.
    pub(super) offset: usize,
    /// Its properties, each name once.
    pub(super) properties: Vec<Property<'a>>,
    /// Whether it and all nodes around it are there: `status` is absent, `okay` or `ok`.
    pub(super) enabled: bool,
}

/// A property.
#[derive(Clone, Copy, Debug)]
pub(super) struct Property<'a> {
    /// Its name, one of the known ones.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: &'a [u8],
    /// Where the value stands in the file.
    pub(super) offset: usize,
}

/// The nodes of a blob in their order, the root first, and who has which phandle.
#[derive(Debug, Default)]
pub(super) struct Structure<'a> {
    /// The nodes.
    pub(super) nodes: Vec<Node<'a>>,
    /// Index of the first node with each phandle.
    pub(super) phandles: BTreeMap<u32, usize>,
}

/// The nodes of the blob, as far as they can be read.
pub(super) fn structure<'a>(blob: &Blob<'a>, sink: &mut Sink) -> Structure<'a> {
    let mut builder = Builder { nodes: Vec::new(), open: Vec::new(), too_deep: 0 };
    let mut rest = blob.structure;
    let position =
        |rest: &[u8]| blob.structure_at.saturating_add(blob.structure.len().saturating_sub(rest.len()));
    loop {
        let at = position(rest);
        match builder.step(rest, blob, at, sink) {
            Ok(Some(next)) => rest = next,
            Ok(None) => break,
            Err(message) => {
                sink.say(&codes::BROKEN, at, rest.len().min(4), message);
                break;
            }
        }
    }
    let mut nodes = builder.nodes;
    let count = nodes.len();
    // Where the block broke off, nodes were not closed.
    for open in builder.open {
        if let Some(node) = nodes.get_mut(open) {
            node.end = count;
        }
    }
    mark_enabled(&mut nodes);
    let phandles = phandles(&nodes, sink);
    Structure { nodes, phandles }
}

struct Builder<'a> {
    nodes: Vec<Node<'a>>,
    /// The nodes that have begun and not ended.
    open: Vec<usize>,
    /// How many levels below the deepest that is taken.
    too_deep: usize,
}

/// Name, value and the place of the value of a property.
type RawProperty<'a> = (u32, &'a [u8]);

impl<'a> Builder<'a> {
    /// Takes the next token; what follows it, or `None` at the end.
    fn step(
        &mut self,
        input: &'a [u8],
        blob: &Blob<'a>,
        at: usize,
        sink: &mut Sink,
    ) -> Result<Option<&'a [u8]>, String> {
        let (rest, token) = cell(input).map_err(|_| "the structure block ends without a mark".to_owned())?;
        match token {
            BEGIN_NODE => {
                let (rest, name) = name(rest).map_err(|_| "the name of a node does not end".to_owned())?;
                self.begin(name, at, sink)?;
                Ok(Some(rest))
            }
            END_NODE => self.end().map(|()| Some(rest)),
            PROP => {
                let (after, (name, value)) = property(rest)
                    .map_err(|_| "a property reaches beyond the end of the structure block".to_owned())?;
                // Token, length and name stand before the value.
                self.keep(name, value, blob, at.saturating_add(12), sink)?;
                Ok(Some(after))
            }
            NOP => Ok(Some(rest)),
            END if self.open.is_empty() && !self.nodes.is_empty() => Ok(None),
            END => Err(format!("the tree ends with {} open nodes", self.open.len())),
            other => Err(format!("{other:#x} is no token")),
        }
    }

    fn begin(&mut self, name: &'a str, at: usize, sink: &mut Sink) -> Result<(), String> {
        if self.open.is_empty() && !self.nodes.is_empty() {
            return Err("a second root node begins".to_owned());
        }
        if self.open.len() >= MAX_DEPTH {
            if self.too_deep == 0 {
                let message = format!("`{name}` is more than {MAX_DEPTH} levels deep");
                sink.say(&codes::TOO_DEEP, at, 4, message);
            }
            self.too_deep = self.too_deep.saturating_add(1);
            return Ok(());
        }
        let index = self.nodes.len();
        self.nodes.push(Node {
            name,
            parent: self.open.last().copied(),
            end: index,
            offset: at.saturating_add(4),
            properties: Vec::new(),
            enabled: true,
        });
        self.open.push(index);
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        if let Some(less) = self.too_deep.checked_sub(1) {
            self.too_deep = less;
            return Ok(());
        }
        let index = self.open.pop().ok_or("a node ends that has not begun")?;
        let end = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(index) {
            node.end = end;
        }
        Ok(())
    }

    fn keep(
        &mut self,
        name_at: u32,
        value: &'a [u8],
        blob: &Blob<'a>,
        offset: usize,
        sink: &mut Sink,
    ) -> Result<(), String> {
        let name = match known_name(blob.strings, name_at) {
            Name::Known(name) => name,
            Name::Other => return Ok(()),
            Name::Bad => {
                let message = format!(
                    "the name of the property would stand at {name_at:#x} of {:#x} bytes of strings",
                    blob.strings.len()
                );
                sink.say(&codes::BAD_NAME, offset.saturating_sub(4), 4, message);
                return Ok(());
            }
        };
        let open = self.open.last().copied().ok_or("a property stands outside of all nodes")?;
        let node = self.nodes.get_mut(open).filter(|_| self.too_deep == 0);
        // Of two properties with one name Linux finds the first.
        if let Some(node) = node
            && node.properties.iter().all(|property| property.name != name)
        {
            node.properties.push(Property { name, value, offset });
        }
        Ok(())
    }
}

fn cell(input: &[u8]) -> IResult<&[u8], u32> {
    be_u32.parse(input)
}

/// A name with its end, padded to whole cells. A name that is no UTF-8 is as good as none.
fn name(input: &[u8]) -> IResult<&[u8], &str> {
    let (rest, name) = take_till(|byte| byte == 0).parse(input)?;
    let (rest, _) = take(1_usize).parse(rest)?;
    let (rest, _) = padding(rest, name.len().saturating_add(1))?;
    Ok((rest, std::str::from_utf8(name).unwrap_or("\u{fffd}")))
}

/// Offset of the name, and the value.
fn property(input: &[u8]) -> IResult<&[u8], RawProperty<'_>> {
    let (rest, (length, name)) = (be_u32, be_u32).parse(input)?;
    let (rest, value) = take(length).parse(rest)?;
    let (rest, _) = padding(rest, value.len())?;
    Ok((rest, (name, value)))
}

/// What fills the last cell of so many bytes. At the very end of a block it may be missing.
fn padding(input: &[u8], length: usize) -> IResult<&[u8], &[u8]> {
    let missing = length.wrapping_neg() & 3;
    take(missing.min(input.len())).parse(input)
}

enum Name {
    Known(&'static str),
    Other,
    Bad,
}

/// The name at an offset of the strings block.
fn known_name(strings: &[u8], at: u32) -> Name {
    let Some(from) =
        usize::try_from(at).ok().and_then(|at| strings.get(at..)).filter(|from| !from.is_empty())
    else {
        return Name::Bad;
    };
    let shown = from.get(..MAX_NAME_BYTES).unwrap_or(from);
    match shown.iter().position(|&byte| byte == 0) {
        Some(end) => {
            let name = shown.get(..end).unwrap_or_default();
            let known = KNOWN.binary_search_by(|known| known.as_bytes().cmp(name)).ok();
            known.and_then(|index| KNOWN.get(index)).map_or(Name::Other, |name| Name::Known(name))
        }
        None if shown.len() == from.len() => Name::Bad,
        None => Name::Other,
    }
}

/// A node is there when its `status` says so, and all nodes around it are (`of_device_is_available` in
/// drivers/of/base.c, asked of each bus by `of_platform_bus_create`).
fn mark_enabled(nodes: &mut [Node<'_>]) {
    for index in 0..nodes.len() {
        let around = nodes.get(index).and_then(|node| node.parent).and_then(|parent| nodes.get(parent));
        let around = around.is_none_or(|parent| parent.enabled);
        if let Some(node) = nodes.get_mut(index) {
            let status = node.properties.iter().find(|property| property.name == "status");
            node.enabled = around && status.is_none_or(|status| matches!(status.value, b"okay\0" | b"ok\0"));
        }
    }
}

/// Who has which phandle. 0 and all ones stand for none.
fn phandles(nodes: &[Node<'_>], sink: &mut Sink) -> BTreeMap<u32, usize> {
    let mut phandles: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let named = |name: &str| node.properties.iter().find(|property| property.name == name);
        let Some(property) = named("phandle").or_else(|| named("linux,phandle")) else { continue };
        let Some(phandle) = property.value.first_chunk().copied().map(u32::from_be_bytes) else { continue };
        match phandles.get(&phandle).and_then(|&first| nodes.get(first)) {
            _ if matches!(phandle, 0 | u32::MAX) => {}
            Some(first) => {
                let message = format!("`{}` has the phandle {phandle:#x} of `{}`", node.name, first.name);
                let origin = sink.origin(property.offset, property.value.len());
                let other = sink.origin(first.offset, first.name.len());
                let diagnostic = crate::diag::Diagnostic::new(&codes::TWICE, origin, message);
                sink.push(diagnostic.related(other, "the first node with it"));
            }
            None => {
                phandles.insert(phandle, index);
            }
        }
    }
    phandles
}

/// Indices of the nodes directly in the nodes `inside`, one past a node to its last.
pub(super) fn children<'t>(nodes: &'t [Node<'_>], inside: Range<usize>) -> impl Iterator<Item = usize> + 't {
    let last = inside.end;
    std::iter::successors(Some(inside.start), move |&index| Some(nodes.get(index)?.end))
        .take_while(move |&index| index < last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_sorted_and_short() {
        assert!(KNOWN.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(KNOWN.iter().all(|name| name.len() < MAX_NAME_BYTES));
    }

    #[test]
    fn names_end_in_the_strings_block() {
        let strings = b"reg\0phandle\0an-uninteresting-name-of-more-than-thirty-two-bytes\0reg";
        assert!(matches!(known_name(strings, 0), Name::Known("reg")));
        // The end of a name may serve as another.
        assert!(matches!(known_name(strings, 1), Name::Other));
        assert!(matches!(known_name(strings, 12), Name::Other));
        assert!(matches!(known_name(strings, 65), Name::Bad));
        assert!(matches!(known_name(strings, 68), Name::Bad));
    }
}
