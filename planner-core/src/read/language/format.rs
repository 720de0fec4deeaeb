//! A text in canonical form: its comments, its order, its lines; our indentation, spacing and spelling of numbers.

use std::iter::Peekable;
use std::slice::Iter;

use super::grammar::Shape;
use super::layout::{Entry, Inner, Line, text as laid_out};
use super::sink::Sink;
use super::token::{Comment, Kind, Token, Tokens, quoted, spelled, tokens};
use super::tree::{Braces, Given, Node, tree};
use super::value::Value;
use crate::diag::{Diagnostic, TextFile};

/// The canonical form of a description. It says the same; formatting it again changes nothing.
///
/// Clauses stay in their order, and those that share a line go on sharing it while there is room. Comments stay with
/// the clause beside or below them. Of empty lines between clauses one stays.
///
/// # Errors
/// What is wrong with the spelling of the text; then there is no canonical form. What is wrong with the facts does not
/// matter here.
pub fn format(file: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut sink = Sink::new(TextFile::new(file, text));
    let tokens = tokens(text, &mut sink);
    let nodes = tree(text, &tokens, &mut sink);
    if sink.has_errors() {
        return Err(sink.finish());
    }
    let mut formatter = Formatter { text, tokens: &tokens, comments: tokens.comments.iter().peekable() };
    let end = tokens.tokens.last().map_or(text.len(), |token| token.end);
    let entries = formatter.entries(&nodes, end);
    Ok(laid_out(&entries))
}

struct Formatter<'t> {
    text: &'t str,
    tokens: &'t Tokens,
    /// Those that were not yet given a place.
    comments: Peekable<Iter<'t, Comment>>,
}

impl Formatter<'_> {
    /// Clauses and the comments among them, up to the byte where their block ends.
    fn entries(&mut self, nodes: &[Node], end: usize) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(nodes.len());
        // The line on which the entry before ends.
        let mut before: Option<usize> = None;
        for node in nodes {
            self.own_lines(node.header.start, &mut before, &mut entries);
            let blank_before = before.is_some_and(|line| node.line > line.saturating_add(1));
            let joins = before == Some(node.line);
            let text = self.header(node);
            let block = node.body.as_ref().map(|braces| self.block(braces));
            let last_line = node.body.as_ref().map_or(node.line, |braces| braces.close.line);
            let trailing = self.comment_on(last_line);
            before = Some(last_line);
            entries.push(Entry::Clause(Line { text, block, trailing, blank_before, joins }));
        }
        self.own_lines(end, &mut before, &mut entries);
        entries
    }

    /// Comments before this byte, each on a line of its own.
    fn own_lines(&mut self, end: usize, before: &mut Option<usize>, entries: &mut Vec<Entry>) {
        while let Some(comment) = self.comments.next_if(|comment| comment.start < end) {
            let blank_before = before.is_some_and(|line| comment.line > line.saturating_add(1));
            *before = Some(comment.line);
            entries.push(Entry::Comment { text: self.words(comment), blank_before });
        }
    }

    /// The next comment if it stands on this line.
    fn comment_on(&mut self, line: usize) -> Option<String> {
        let comment = self.comments.next_if(|comment| comment.line == line)?;
        Some(self.words(comment))
    }

    fn words(&self, comment: &Comment) -> String {
        self.text.get(comment.start..comment.end).unwrap_or_default().to_owned()
    }

    fn block(&mut self, braces: &Braces) -> Inner {
        let mut early = Vec::new();
        self.own_lines(braces.open.start, &mut None, &mut early);
        let mut early = early.into_iter();
        let opening = early.next().and_then(|entry| match entry {
            Entry::Comment { text, .. } => Some(text),
            Entry::Clause(_) => None,
        });
        let opening = opening.or_else(|| self.comment_on(braces.open.line));
        let mut entries: Vec<Entry> = early.collect();
        entries.extend(self.entries(&braces.nodes, braces.close.start));
        Inner { opening, entries, inline: braces.open.line == braces.close.line }
    }

    /// A clause without its block.
    fn header(&self, node: &Node) -> String {
        let keyword = self.lexeme(self.first(node.header.start));
        let mut out = keyword.to_owned();
        for given in &node.values {
            match (&given.value, keyword) {
                (Value::Name(name), "host" | "guest") => push(&quoted(name), &mut out),
                (Value::Name(name), _) => push(&spelled(name), &mut out),
                _ => self.value(given, &mut out),
            }
        }
        out
    }

    /// A value with the words in front of it.
    fn value(&self, given: &Given, out: &mut String) {
        let from = self.tokens.tokens.partition_point(|token| token.start < given.at.start);
        let tokens = self.tokens.tokens.get(from..).unwrap_or_default();
        for &token in tokens.iter().take_while(|token| token.end <= given.at.end) {
            let word = self.lexeme(token);
            match (token.kind, given.arg.shape) {
                (Kind::Through, _) => out.push_str(word),
                (Kind::Word, Shape::Pci | Shape::PciId | Shape::PciClass) => {
                    push(&word.to_ascii_lowercase(), out);
                }
                (Kind::Word, _) if word.starts_with(|c: char| c.is_ascii_digit()) => {
                    if !out.ends_with("..=") {
                        out.push(' ');
                    }
                    out.push_str(&number(word));
                }
                _ => push(word, out),
            }
        }
    }

    /// The token that starts at this byte.
    fn first(&self, start: usize) -> Token {
        let at = self.tokens.tokens.partition_point(|token| token.start < start);
        let end = Token { kind: Kind::End, start, end: start, line: 0, spoilt: false };
        self.tokens.tokens.get(at).copied().unwrap_or(end)
    }

    fn lexeme(&self, token: Token) -> &str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }
}

fn push(word: &str, out: &mut String) {
    out.push(' ');
    out.push_str(word);
}

/// A number in canonical spelling: hexadecimal digits small and in groups of four, units one capital letter. Base,
/// unit and leading zeros stay as they were written, because they tell what was meant.
fn number(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        return format!("0x{}", grouped(&digits.replace('_', "")));
    }
    let unit_at = lower.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(lower.len());
    let (digits, unit) = lower.split_at(unit_at);
    match unit.chars().next() {
        None | Some('b') => digits.to_owned(),
        Some(unit) => format!("{digits}{}", unit.to_ascii_uppercase()),
    }
}

/// Digits with an underscore before every four.
fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 4);
    for (index, digit) in digits.char_indices() {
        if index != 0 && digits.len().saturating_sub(index).is_multiple_of(4) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_spelling_for_each_base_and_unit() {
        let cases = [
            ("0X4000_0000", "0x4000_0000"),
            ("0x40000000", "0x4000_0000"),
            ("0x0800_0000", "0x0800_0000"),
            ("0xDEADBEEF", "0xdead_beef"),
            ("16GiB", "16G"),
            ("64k", "64K"),
            ("512b", "512"),
            ("1_000", "1_000"),
            ("6.12", "6.12"),
        ];
        for (written, canonical) in cases {
            assert_eq!(number(written), canonical);
            assert_eq!(number(canonical), canonical);
        }
    }
}
