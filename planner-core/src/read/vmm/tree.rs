//! XML and JSON as one kind of tree with places, which is all that the readers of configurations need of either.
//!
//! Left out of XML: namespaces (names keep their prefixes), document types (entities that they declare stay as they are
//! written, so that none can grow), comments and processing instructions.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::codes;
use super::sink::Sink;
use crate::diag::{Diagnostic, Origin, TextFile};
use crate::read::json::outline::Outline;

/// Deepest nesting that is read; libvirt's elements nest ten deep.
const DEEPEST: usize = 64;
/// Most elements of a text.
const MOST_NODES: usize = 100_000;

/// An element, or a JSON value.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Node {
    /// Name of the element or of the member; empty for items of a list.
    pub(super) name: String,
    /// Its text, trimmed; for JSON the scalar.
    pub(super) text: String,
    /// Attributes of an element.
    pub(super) attributes: Vec<(String, String)>,
    /// What stands in it.
    pub(super) children: Vec<Node>,
    /// Where it stands.
    pub(super) origin: Origin,
}

impl Node {
    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The node that a path of names leads to.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.child(name))
    }

    /// Every child of this name.
    pub(super) fn all<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The root element of an XML text; nothing when it is not well-formed.
pub(super) fn xml(file: &TextFile, text: &str, sink: &mut Sink) -> Option<Node> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Node> = vec![Node::default()];
    let mut count: usize = 0;
    loop {
        let start = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
        let event = reader.read_event();
        let end = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
        let origin = file.origin(start..end);
        let step = match event {
            Err(error) => {
                let at = usize::try_from(reader.error_position()).unwrap_or(start).min(text.len());
                let place = file.origin(at..at.saturating_add(1).min(text.len()));
                Err(Box::new(Diagnostic::new(
                    &codes::XML,
                    place,
                    format!("the XML is not well-formed: {error}"),
                )))
            }
            Ok(Event::Eof) => break,
            Ok(event) => {
                count = count.saturating_add(1);
                take(&mut open, event, origin.clone())
            }
        };
        let step = step.and_then(|()| within_bounds(&open, count, &origin));
        if let Err(diagnostic) = step {
            sink.tell(*diagnostic);
            return None;
        }
    }
    root(open, file, text, sink)
}

fn within_bounds(open: &[Node], count: usize, origin: &Origin) -> Result<(), Box<Diagnostic>> {
    if open.len() > DEEPEST {
        let message = format!("elements nest deeper than {DEEPEST}");
        return Err(Box::new(Diagnostic::new(&codes::TOO_LONG, origin.clone(), message)));
    }
    if count > MOST_NODES {
        let message = format!("there are more than {MOST_NODES} pieces of XML");
        return Err(Box::new(Diagnostic::new(&codes::TOO_LONG, origin.clone(), message)));
    }
    Ok(())
}

/// Puts one event where it belongs. `open` holds the elements that are not closed yet, the document first.
fn take(open: &mut Vec<Node>, event: Event<'_>, origin: Origin) -> Result<(), Box<Diagnostic>> {
    match event {
        Event::Start(start) => open.push(element(&start, origin)?),
        Event::Empty(start) => {
            let node = element(&start, origin)?;
            add(open, node);
        }
        // The reader has compared the names already.
        Event::End(_) => {
            if let Some(node) = open.pop().filter(|_| !open.is_empty()) {
                add(open, node);
            }
        }
        Event::Text(text) => append(open, &text),
        Event::CData(text) => append(open, &text),
        Event::GeneralRef(name) => append(open, &entity(&name)),
        _ => {}
    }
    Ok(())
}

fn add(open: &mut [Node], mut node: Node) {
    node.text = node.text.trim().to_owned();
    if let Some(parent) = open.last_mut() {
        parent.children.push(node);
    }
}

fn append(open: &mut [Node], text: &str) {
    if let Some(node) = open.last_mut() {
        node.text.push_str(text);
    }
}

/// A character by its number, or one of the five that XML names; anything else stays as it is.
fn entity(name: &str) -> String {
    let number = match name.strip_prefix('#').map(|digits| (digits.strip_prefix('x'), digits)) {
        Some((Some(hex), _)) => u32::from_str_radix(hex, 16).ok(),
        Some((None, digits)) => digits.parse().ok(),
        None => None,
    };
    if let Some(c) = number.and_then(char::from_u32) {
        return c.to_string();
    }
    match quick_xml::escape::resolve_predefined_entity(name) {
        Some(text) => text.to_owned(),
        None => format!("&{name};"),
    }
}

fn element(start: &BytesStart<'_>, origin: Origin) -> Result<Node, Box<Diagnostic>> {
    let name = start.name().as_ref().to_owned();
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| {
            let message = format!("the XML is not well-formed: <{name}>: {error}");
            Box::new(Diagnostic::new(&codes::XML, origin.clone(), message))
        })?;
        attributes.push((attribute.key.as_ref().to_owned(), unescaped(&attribute.value)));
    }
    Ok(Node { name, attributes, origin, ..Node::default() })
}

fn unescaped(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        match after.split_once(';') {
            Some((name, after)) => {
                out.push_str(&entity(name));
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn root(mut open: Vec<Node>, file: &TextFile, text: &str, sink: &mut Sink) -> Option<Node> {
    if open.len() > 1 {
        let unclosed = open.pop()?;
        let message = format!("the XML is not well-formed: <{}> is not closed", unclosed.name);
        sink.tell(Diagnostic::new(&codes::XML, unclosed.origin, message).label("opens here"));
        return None;
    }
    let root = open.pop()?.children.into_iter().next();
    if root.is_none() {
        sink.say(&codes::XML, file.origin(0..text.len().min(1)), "the XML has no element");
    }
    root
}

/// A JSON text; nothing when it is none.
pub(super) fn json(file: &TextFile, text: &str, sink: &mut Sink) -> Option<Node> {
    let outline = match Outline::of(text) {
        Ok(outline) => outline,
        Err(fault) => {
            sink.say(&codes::NOT_THIS_JSON, file.origin(fault.at), fault.message);
            return None;
        }
    };
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(json_node("", &value, &outline, 0, file))
}

/// serde_json ends at 128 levels, and the outline before that.
fn json_node(name: &str, value: &serde_json::Value, outline: &Outline, at: usize, file: &TextFile) -> Node {
    let origin = file.origin(outline.shown(at));
    let children = match value {
        serde_json::Value::Object(members) => members
            .iter()
            .filter_map(|(key, value)| Some(json_node(key, value, outline, outline.member(at, key)?, file)))
            .collect(),
        serde_json::Value::Array(items) => {
            let places = outline.children(at);
            items
                .iter()
                .zip(places)
                .map(|(value, place)| json_node("", value, outline, place, file))
                .collect()
        }
        _ => Vec::new(),
    };
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Object(_) | serde_json::Value::Array(_) => String::new(),
        other => other.to_string(),
    };
    Node { name: name.to_owned(), text, attributes: Vec::new(), children, origin }
}
