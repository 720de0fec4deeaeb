//! Names and sizes as they are written into a picture.
//!
//! Names come from other people's machines: what could steer a terminal, end an XML text or turn the direction of
//! writing is replaced before it reaches a screen.

use crate::addr::{Iova, Span};
use crate::size::approximate_size;

/// Widest size that [`size`] prints.
pub(super) const SIZE_COLUMNS: usize = 9;

/// Size of a span in at most [`SIZE_COLUMNS`].
pub(super) fn size(span: Span<Iova>) -> String {
    approximate_size(span.size_bytes())
}

/// The text with everything that is no plain printable character replaced by `?`; what is left takes one column
/// each (Latin, Greek, Cyrillic).
pub(super) fn one_column_each(text: &str) -> String {
    text.chars().map(|c| if is_narrow(c) { c } else { '?' }).collect()
}

fn is_narrow(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{52f}')
}

/// As much of a text as fits into so many columns of a fixed-width font, a wide character taking two; cut with `…`.
pub(super) fn fit_wide(text: &str, columns: usize) -> String {
    let width = |c: char| if is_narrow(c) { 1usize } else { 2 };
    if text.chars().map(width).sum::<usize>() <= columns {
        return text.to_owned();
    }
    let mut used = 1usize;
    let fits = |c: &char| {
        used = used.saturating_add(width(*c));
        used <= columns
    };
    let cut: String = text.chars().take_while(fits).collect();
    if columns > 0 { cut + "…" } else { cut }
}

/// As much of a text of one-column characters as fits, the last character being `ellipsis` where it was cut.
pub(super) fn fit(text: &str, columns: usize, ellipsis: char) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(columns.saturating_sub(1)).collect();
    if columns > 0 {
        cut.push(ellipsis);
    }
    cut
}

/// Text for XML and HTML, in elements and in quoted attributes. Characters that XML forbids, and those that change
/// the direction of the text around them, become U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' | '\r' => safe.push(' '),
            _ if c.is_control() || is_unsafe(c) => safe.push('\u{fffd}'),
            _ => safe.push(c),
        }
    }
    safe
}

/// Bidirectional controls (Unicode Standard Annex 9) and the noncharacters that XML 1.0 forbids.
fn is_unsafe(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_their_column() {
        let of = |first, last| size(Span::of(first, last).unwrap());
        assert_eq!(of(0, 0xfffff), "1 MiB");
        assert_eq!(of(0, 0x2fff_ffff), "768 MiB");
        assert_eq!(of(0, 0), "1 B");
        assert_eq!(of(0, u64::MAX), "16 EiB");
        assert_eq!(of(0x1_0000_0000_0000, u64::MAX), "~16 EiB");
        assert_eq!(of(0xa00_4000, 0xfff_ffff), "~96 MiB");
        assert_eq!(of(0, 1022), "1023 B");
        assert_eq!(of(0, 0x1000_1000), "~256 MiB");
        for last in (0..64).map(|bits| u64::MAX >> bits) {
            assert!(of(0, last).len() <= SIZE_COLUMNS, "{last:#x}");
            assert!(of(1, last.max(1)).len() <= SIZE_COLUMNS, "{last:#x}");
        }
    }

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(one_column_each("a\u{1b}[31m\u{202e}é漢\n"), "a?[31m?é??");
        assert_eq!(escape("</title>'\"&\u{0}\u{202e}\n"), "&lt;/title&gt;&#39;&quot;&amp;\u{fffd}\u{fffd} ");
        assert_eq!(fit("redistributors", 8, '…'), "redistr…");
        assert_eq!(fit("ram0", 8, '…'), "ram0");
        assert_eq!(fit("ram0", 0, '…'), "");
        assert_eq!(fit_wide("漢字漢字", 8), "漢字漢字");
        assert_eq!(fit_wide("漢字漢字", 7), "漢字漢…");
        assert_eq!(fit_wide("ram0", 0), "");
    }
}
