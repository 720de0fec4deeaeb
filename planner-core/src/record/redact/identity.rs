//! UUIDs and MAC addresses in names and texts, replaced by numbers: equal ones by equal numbers, so that links still lead
//! where they led.

use std::collections::BTreeMap;

/// Lengths of the groups of hexadecimal digits of a UUID (RFC 9562, 4).
const UUID: &[usize] = &[8, 4, 4, 4, 12];
/// Lengths of the groups of a MAC address (IEEE 802, 8.1).
const MAC: &[usize] = &[2, 2, 2, 2, 2, 2];

/// The numbers given so far.
#[derive(Debug, Default)]
pub(super) struct Pseudonyms {
    numbers: BTreeMap<String, usize>,
}

impl Pseudonyms {
    /// The text with every UUID and MAC address replaced by one that is zero but for its last digits. One that already
    /// looks like that stays.
    pub(super) fn replaced(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut in_word = false;
        while let Some(first) = rest.chars().next() {
            let found = if in_word { None } else { identifier(rest) };
            let length = found.unwrap_or(first.len_utf8());
            let (piece, after) = rest.split_at(length);
            match found {
                Some(_) => out.push_str(&self.pseudonym(piece)),
                None => out.push_str(piece),
            }
            in_word = piece.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric() || c == ':');
            rest = after;
        }
        out
    }

    fn pseudonym(&mut self, identifier: &str) -> String {
        if is_number(identifier.as_bytes()) {
            return identifier.to_owned();
        }
        let next = self.numbers.len().saturating_add(1);
        let number = *self.numbers.entry(identifier.to_ascii_lowercase()).or_insert(next);
        let total = identifier.bytes().filter(u8::is_ascii_hexdigit).count();
        let mut hex = format!("{number:0total$x}").into_bytes().into_iter().map(char::from);
        identifier
            .chars()
            .map(|c| if c.is_ascii_hexdigit() { hex.next().unwrap_or('0') } else { c })
            .collect()
    }
}

/// Whether an identifier is zero but for the last four digits, as after a redaction.
fn is_number(identifier: &[u8]) -> bool {
    identifier.iter().rev().filter(|byte| byte.is_ascii_hexdigit()).skip(4).all(|&digit| digit == b'0')
}

/// Length of the UUID or MAC address at the start of the text, if there is one.
fn identifier(text: &str) -> Option<usize> {
    [(UUID, b'-'), (MAC, b':'), (MAC, b'-')]
        .into_iter()
        .find_map(|(groups, separator)| shaped(text.as_bytes(), groups, separator))
}

/// Length of groups of hexadecimal digits of these lengths at the start, if no further digit, letter or separator
/// follows.
fn shaped(text: &[u8], groups: &[usize], separator: u8) -> Option<usize> {
    let mut at = 0_usize;
    for (index, &length) in groups.iter().enumerate() {
        if index != 0 {
            (text.get(at) == Some(&separator)).then_some(())?;
            at = at.checked_add(1)?;
        }
        let end = at.checked_add(length)?;
        text.get(at..end)?.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        at = end;
    }
    let goes_on = text.get(at).is_some_and(|next| next.is_ascii_alphanumeric() || *next == separator);
    (!goes_on).then_some(at)
}

/// Overwrites the digits of every UUID and MAC address in the bytes of a text with zeros, and says whether there was one.
pub(super) fn zero(bytes: &mut [u8]) -> bool {
    let mut found = false;
    let mut at = 0_usize;
    let mut in_word = false;
    while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let groups = [(UUID, b'-'), (MAC, b':'), (MAC, b'-')];
        let shape = groups.into_iter().find_map(|(groups, separator)| shaped(rest, groups, separator));
        let length = shape.filter(|_| !in_word).unwrap_or(1);
        let piece = rest.get_mut(..length).unwrap_or_default();
        if length > 1 && !is_number(piece) {
            let digits = piece.iter_mut().filter(|byte| byte.is_ascii_hexdigit() && **byte != b'0');
            digits.for_each(|digit| {
                *digit = b'0';
                found = true;
            });
        }
        in_word = piece.last().is_some_and(|last| last.is_ascii_alphanumeric() || *last == b':');
        at = at.saturating_add(length);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[(&str, &str)] = &[
        ("/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "/devices/00000000-0000-0000-0000-000000000001"),
        ("mac 52:54:00:12:34:56, 52-54-00-12-34-56", "mac 00:00:00:00:00:01, 00-00-00-00-00-02"),
        // No identifiers: functions, ranges, longer words, one that is redacted already.
        ("0000:03:00.0 00000000-0000ffff", "0000:03:00.0 00000000-0000ffff"),
        ("52:54:00:12:34:56:78", "52:54:00:12:34:56:78"),
        ("x52:54:00:12:34:56", "x52:54:00:12:34:56"),
        ("00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000007"),
        ("ü52:54:00:12:34:56", "ü00:00:00:00:00:01"),
    ];

    #[test]
    fn identifiers_become_numbers() {
        for (text, expected) in CASES {
            assert_eq!(Pseudonyms::default().replaced(text), *expected);
        }
    }

    #[test]
    fn equal_identifiers_get_equal_numbers() {
        let (a, b) = ("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "93B8F4F2-509F-382F-3C1E-E6BFE0FA1001");
        let mut names = Pseudonyms::default();
        assert_eq!(names.replaced(&format!("{a} {b}")), names.replaced(&format!("{} {b}", a.to_uppercase())));
        assert_ne!(names.replaced(a), names.replaced(b));
    }

    #[test]
    fn identifiers_in_bytes_become_zeros_of_the_same_length() {
        for (text, expected) in CASES {
            let mut bytes = text.as_bytes().to_vec();
            let found = zero(&mut bytes);
            assert_eq!(found, text != expected, "{text}");
            assert_eq!(bytes.len(), text.len());
        }
        let mut bytes = b"a=52:54:00:12:34:56\0".to_vec();
        assert!(zero(&mut bytes));
        assert_eq!(bytes, b"a=00:00:00:00:00:00\0");
    }
}
