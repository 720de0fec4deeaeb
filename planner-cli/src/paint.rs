//! Text for people: emphasis, tables, wrapped paragraphs. Escape sequences are written always and left out by
//! [`crate::output`] where nobody sees colours.

use std::fmt::Write as _;

/// Emphasis of a piece of text (ECMA-48, Select Graphic Rendition).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ink {
    /// Headings and names.
    Bold,
    /// What stays in the background: rules, origins.
    Faint,
    /// All is well.
    Good,
    /// Something is wrong.
    Bad,
    /// Something needs attention.
    Care,
}

impl Ink {
    const fn sgr(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Faint => "90",
            Self::Good => "1;32",
            Self::Bad => "1;31",
            Self::Care => "1;33",
        }
    }
}

/// The text with this emphasis.
pub(crate) fn paint(ink: Ink, text: &str) -> String {
    format!("\u{1b}[{}m{text}\u{1b}[0m", ink.sgr())
}

/// Columns that a text takes on a terminal, one for each character that is no escape sequence.
fn columns(text: &str) -> usize {
    let mut count = 0;
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => escaped = true,
            'm' if escaped => escaped = false,
            _ if escaped => {}
            _ => count += 1,
        }
    }
    count
}

/// Rows with their columns aligned, two spaces apart, after an indentation of two.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| columns(cell)).max();
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, &width) in row.iter().zip(&widths) {
            let _ = write!(line, " {cell}{} ", " ".repeat(width.saturating_sub(columns(cell))));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A paragraph in lines of at most `width` columns; the first after `lead`, the others indented to where it ended.
/// Words are not broken, and neither are the line breaks of the text.
pub(crate) fn paragraph(lead: &str, text: &str, width: usize) -> String {
    let indent = columns(lead);
    let mut out = lead.to_owned();
    for (number, line) in text.lines().enumerate() {
        if number != 0 {
            let _ = write!(out, "\n{}", " ".repeat(indent));
        }
        let mut at = indent;
        for (position, word) in line.split(' ').enumerate() {
            let length = columns(word);
            if position != 0 && at + 1 + length > width {
                let _ = write!(out, "\n{}", " ".repeat(indent));
                at = indent;
            } else if position != 0 {
                out.push(' ');
                at += 1;
            }
            out.push_str(word);
            at += length;
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_columns() {
        let rows =
            [["a".into(), paint(Ink::Good, "ok"), "x".into()], ["bbb".into(), "violated".into(), "y".into()]];
        let plain = table(&rows).replace("\u{1b}[1;32m", "").replace("\u{1b}[0m", "");
        assert_eq!(plain, "  a    ok        x\n  bbb  violated  y\n");
    }

    #[test]
    fn paragraphs_hang_from_their_lead() {
        assert_eq!(paragraph("help: ", "one two three four", 15), "help: one two\n      three\n      four\n");
        assert_eq!(paragraph("", "averyveryverylongword x", 5), "averyveryverylongword\nx\n");
        assert_eq!(paragraph("- ", "one\ntwo", 40), "- one\n  two\n");
    }
}
