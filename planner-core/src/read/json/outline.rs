//! Where the values of a JSON text stand: what serde does not keep and diagnostics need.

use std::ops::Range;

/// A value of the text.
struct Node {
    /// The value that it stands in; the outermost is its own.
    parent: usize,
    /// Its key, with quotes, when it stands in an object.
    key: Option<Range<usize>>,
    /// The value.
    value: Range<usize>,
    /// Number of values that stand in it.
    children: usize,
    /// Its place among the values that stand in its parent.
    index: usize,
}

/// The values of a text, each before those that stand in it.
pub(in crate::read) struct Outline {
    nodes: Vec<Node>,
    keys: Vec<String>,
    commas: Vec<usize>,
}

/// Why a text has no outline.
pub(in crate::read) struct Fault {
    pub(in crate::read) at: Range<usize>,
    pub(in crate::read) message: String,
}

/// The facts nest six deep.
const DEEPEST: usize = 64;

impl Outline {
    /// The outline of a text, or why it is no JSON.
    pub(in crate::read) fn of(text: &str) -> Result<Self, Fault> {
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            return Err(syntax(text, &error));
        }
        let mut scan = Scan::default();
        let mut at = 0;
        while let Some(&byte) = text.as_bytes().get(at) {
            at = scan.step(text, at, byte)?;
        }
        let nodes = scan.nodes;
        let key = |node: &Node| node.key.clone().and_then(|key| text.get(key)).unwrap_or_default();
        let keys = nodes.iter().map(|node| key(node).trim_matches('"').to_owned()).collect();
        Ok(Self { nodes, keys, commas: scan.commas })
    }

    /// The value of this key in an object.
    pub(in crate::read) fn member(&self, object: usize, key: &str) -> Option<usize> {
        self.children(object).find(|&node| self.keys.get(node).is_some_and(|name| name == key))
    }

    /// The values that stand in this one, in order. Values that stand in those are passed over, so that asking for all
    /// children of all values takes time in proportion to the text times its depth.
    pub(in crate::read) fn children(&self, parent: usize) -> impl Iterator<Item = usize> {
        let end = self.node(parent).map_or(0, |node| node.value.end);
        let inside = self.nodes.iter().enumerate().skip(parent.saturating_add(1));
        let inside = inside.take_while(move |(_, node)| node.value.start < end);
        inside.filter(move |(_, node)| node.parent == parent).map(|(index, _)| index)
    }

    /// The bytes of a value.
    pub(in crate::read) fn value(&self, node: usize) -> Range<usize> {
        self.node(node).map_or(0..0, |node| node.value.clone())
    }

    /// The bytes to underline for a value: its key and itself, or of a value with others in it its first member.
    pub(in crate::read) fn shown(&self, node: usize) -> Range<usize> {
        let Some(found) = self.node(node) else { return 0..0 };
        let start = found.key.as_ref().map_or(found.value.start, |key| key.start);
        if found.children == 0 {
            return start..found.value.end;
        }
        if found.key.is_some() {
            return found.key.clone().unwrap_or_default();
        }
        match self.node(node.saturating_add(1)) {
            Some(first) if first.children == 0 => {
                first.key.as_ref().map_or(first.value.start, |key| key.start)..first.value.end
            }
            _ => found.value.start..found.value.start.saturating_add(1),
        }
    }

    /// The value of this outline at the place of a value of another one, of the same text with parts blanked out.
    pub(in crate::read) fn same_place(&self, other: &Self, node: usize) -> usize {
        let start = other.value(node).start;
        self.nodes.binary_search_by_key(&start, |node| node.value.start).unwrap_or(0)
    }

    /// The innermost value that a fault at this byte is about.
    pub(in crate::read) fn innermost(&self, at: usize) -> usize {
        let covers = |node: &Node| {
            let start = node.key.as_ref().map_or(node.value.start, |key| key.start);
            start <= at && at < node.value.end
        };
        self.nodes.iter().rposition(covers).unwrap_or(0)
    }

    /// The last value in this one that ends at or before this byte, else the value itself: serde looks at what a value
    /// says after it has passed it.
    pub(in crate::read) fn just_passed(&self, node: usize, at: usize) -> usize {
        self.children(node)
            .take_while(|&child| self.value(child).end <= at.saturating_add(1))
            .last()
            .unwrap_or(node)
    }

    /// The first value in this one that starts behind this byte, else the value itself.
    pub(in crate::read) fn about_to_come(&self, node: usize, at: usize) -> usize {
        self.children(node).find(|&child| self.value(child).start > at).unwrap_or(node)
    }

    /// `root_complexes[0].windows[1].kind`
    pub(in crate::read) fn path(&self, node: usize) -> String {
        let mut parts = Vec::new();
        let mut at = node;
        while at != 0 {
            let Some(found) = self.node(at) else { break };
            parts.push(match &found.key {
                Some(_) => format!(".{}", self.keys.get(at).map_or("", String::as_str)),
                None => format!("[{}]", found.index),
            });
            at = found.parent;
        }
        parts.reverse();
        parts.concat().trim_start_matches('.').to_owned()
    }

    /// What to take out so that the rest can be read: the member alone, or the item of a list that it belongs to, or
    /// the member of the whole.
    pub(in crate::read) fn removable(&self, node: usize, member_alone: bool) -> Option<usize> {
        let mut at = node;
        while at != 0 {
            let found = self.node(at)?;
            if member_alone || found.key.is_none() || found.parent == 0 {
                return Some(at);
            }
            at = found.parent;
        }
        None
    }

    /// The bytes of a value with its key and one comma beside it.
    pub(in crate::read) fn with_comma(&self, node: usize) -> Range<usize> {
        let Some(found) = self.node(node) else { return 0..0 };
        let start = found.key.as_ref().map_or(found.value.start, |key| key.start);
        let end = found.value.end;
        let siblings = self.node(found.parent).map_or(1, |parent| parent.children);
        let next = self.commas.partition_point(|&comma| comma < end);
        if found.index.saturating_add(1) < siblings {
            return start..self.commas.get(next).map_or(end, |comma| comma.saturating_add(1));
        }
        let before = self.commas.partition_point(|&comma| comma < start);
        match before.checked_sub(1).and_then(|before| self.commas.get(before)) {
            Some(&comma) if found.index > 0 => comma..end,
            _ => start..end,
        }
    }

    fn node(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)
    }
}

/// The place of a syntax error.
fn syntax(text: &str, error: &serde_json::Error) -> Fault {
    let said = error.to_string();
    let message = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said).to_owned();
    let start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = start.saturating_add(error.column().saturating_sub(1)).min(text.len());
    Fault { at: at..at.saturating_add(1).min(text.len()), message }
}

/// The state of a walk over a text that is known to be JSON.
#[derive(Default)]
struct Scan {
    nodes: Vec<Node>,
    commas: Vec<usize>,
    /// The objects and lists around the place, with whether they are objects.
    open: Vec<(usize, bool)>,
    key: Option<Range<usize>>,
}

impl Scan {
    /// Takes what begins at this byte and returns where it ends.
    fn step(&mut self, text: &str, at: usize, byte: u8) -> Result<usize, Fault> {
        let next = at.saturating_add(1);
        match byte {
            b'{' | b'[' => {
                if self.open.len() >= DEEPEST {
                    let message = format!("values nest deeper than {DEEPEST}");
                    return Err(Fault { at: at..next, message });
                }
                let node = self.push(at..next);
                self.open.push((node, byte == b'{'));
            }
            b'}' | b']' => {
                if let Some(node) = self.open.pop().and_then(|(node, _)| self.nodes.get_mut(node)) {
                    node.value.end = next;
                }
            }
            b',' => self.commas.push(at),
            b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => return Ok(self.string(at..string_end(text, at))),
            _ => {
                let rest = text.get(at..).unwrap_or_default();
                let length = rest.find([',', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
                let end = at.saturating_add(length.max(1));
                self.push(at..end);
                return Ok(end);
            }
        }
        Ok(next)
    }

    fn string(&mut self, at: Range<usize>) -> usize {
        let end = at.end;
        if self.key.is_none() && self.open.last().is_some_and(|&(_, object)| object) {
            self.key = Some(at);
        } else {
            self.push(at);
        }
        end
    }

    fn push(&mut self, value: Range<usize>) -> usize {
        let parent = self.open.last().map_or(0, |&(node, _)| node);
        let mut index = 0;
        if let Some(around) = self.nodes.get_mut(parent) {
            index = around.children;
            around.children = around.children.saturating_add(1);
        }
        self.nodes.push(Node { parent, key: self.key.take(), value, children: 0, index });
        self.nodes.len().saturating_sub(1)
    }
}

/// One past the quote that ends the string which begins here.
fn string_end(text: &str, start: usize) -> usize {
    let mut at = start.saturating_add(1);
    while let Some(byte) = text.as_bytes().get(at) {
        at = at.saturating_add(match byte {
            b'"' => return at.saturating_add(1),
            b'\\' => 2,
            _ => 1,
        });
    }
    text.len()
}
