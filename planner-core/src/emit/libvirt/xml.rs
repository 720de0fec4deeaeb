//! A small tree of XML and its text. quick-xml writes and escapes; this only says what.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// An element, or a comment.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: Content,
}

#[derive(Clone, PartialEq, Debug)]
enum Content {
    /// Elements; none at all for `<x/>`.
    Children(Vec<Element>),
    /// Text.
    Text(String),
    /// The element is a comment.
    Comment(String),
}

impl Element {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), content: Content::Children(Vec::new()) }
    }
    /// `<name>text</name>`.
    pub(super) fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, attributes: Vec::new(), content: Content::Text(xml_text(&text.into())) }
    }
    /// A comment. XML knows no `--` within one; of `---` the first pass leaves a pair.
    pub(super) fn comment(text: &str) -> Self {
        let text = xml_text(text).replace("--", "- -").replace("--", "- -");
        Self { name: "", attributes: Vec::new(), content: Content::Comment(text) }
    }
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, xml_text(&value.into())));
        self
    }
    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
    pub(super) fn child(self, child: Self) -> Self {
        self.children([child])
    }
    pub(super) fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        if let Content::Children(known) = &mut self.content {
            known.extend(children);
        }
        self
    }

    /// The document of which this is the root, with a newline at the end.
    pub(super) fn document(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        self.write(&mut writer).expect("writing to memory cannot fail");
        let mut text = String::from_utf8(writer.into_inner()).expect("the writer was given UTF-8");
        text.push('\n');
        text
    }

    /// As deep as the elements of this program nest, which is less than ten.
    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, value.as_str()));
        }
        match &self.content {
            Content::Comment(text) => {
                writer.write_event(Event::Comment(BytesText::from_escaped(format!(" {text} "))))
            }
            Content::Children(children) if children.is_empty() => writer.write_event(Event::Empty(start)),
            Content::Children(children) => {
                writer.write_event(Event::Start(start))?;
                children.iter().try_for_each(|child| child.write(writer))?;
                writer.write_event(Event::End(BytesEnd::new(self.name)))
            }
            Content::Text(text) => {
                writer.write_event(Event::Start(start))?;
                writer.write_event(Event::Text(BytesText::new(text)))?;
                writer.write_event(Event::End(BytesEnd::new(self.name)))
            }
        }
    }
}

/// Replaces what XML 1.0 cannot hold even escaped (2.2 Characters), and line breaks and tabs, which a parser would
/// change within an attribute (3.3.3).
fn xml_text(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;

    use super::*;

    /// Text, attribute and comment of a document, as another parser reads them.
    fn read_back(document: &str) -> (String, String, String) {
        let mut reader = Reader::from_str(document);
        let (mut text, mut attribute, mut comment) = (String::new(), String::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    if let Some(found) = start.attributes().next() {
                        attribute = quick_xml::escape::unescape(&found.unwrap().value).unwrap().into_owned();
                    }
                }
                Event::Text(found) => text += &found,
                Event::GeneralRef(found) => {
                    text += &quick_xml::escape::unescape(&format!("&{};", &*found)).unwrap();
                }
                Event::Comment(found) => comment = found.to_string(),
                Event::Eof => return (text, attribute, comment),
                _ => {}
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in any::<String>(), any in any::<String>()) {
            let written = Element::new("a").with("b", &text).child(Element::comment(&any)).child(Element::text("c", &text));
            let document = written.document();
            let (read, attribute, comment) = read_back(&document);
            let expected = xml_text(&text);
            prop_assert_eq!(read.trim(), expected.trim());
            prop_assert_eq!(attribute, expected);
            prop_assert!(!comment.contains("--"));
            let holds = |c: char| c == '\n' || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
            prop_assert!(document.chars().all(holds));
        }
    }

    #[test]
    fn a_comment_cannot_end_itself() {
        for text in ["-->", "a--", "-", "---", "--->"] {
            let document = Element::new("a").child(Element::comment(text)).document();
            let inner = document.split_once("<!--").unwrap().1.rsplit_once("-->").unwrap().0;
            assert!(!inner.contains("--") && !inner.ends_with('-'), "{document}");
        }
    }
}
