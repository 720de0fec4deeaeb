//! Where in a file of recorded answers the text stops being JSON: the case and the field.

/// The place of a byte in a text that is JSON up to there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// Identifier of the case, when it was read before.
    pub(super) case: Option<String>,
    /// `cases[17].in.ops[3]`
    pub(super) path: String,
}

/// An object or list that is open at the byte.
struct Open {
    is_object: bool,
    /// The key that was read last, or its place in a list.
    key: String,
    index: usize,
    expects_key: bool,
}

/// Finds the place by one walk over the text.
pub(super) fn place(text: &str, byte: usize) -> Place {
    let mut open: Vec<Open> = Vec::new();
    let mut case = None;
    let mut at = 0;
    while let Some(&c) = text.as_bytes().get(at).filter(|_| at < byte) {
        let mut next = at.saturating_add(1);
        match c {
            b'{' | b'[' => {
                let is_object = c == b'{';
                if is_object && is_cases(&open) {
                    case = None;
                }
                open.push(Open { is_object, key: String::new(), index: 0, expects_key: is_object });
            }
            b'}' | b']' => drop(open.pop()),
            b',' => {
                if let Some(top) = open.last_mut() {
                    top.index = top.index.saturating_add(1);
                    top.expects_key = top.is_object;
                }
            }
            b'"' => {
                next = string_end(text, at);
                let word = text.get(at.saturating_add(1)..next).unwrap_or_default();
                // A text that ends within the string has no quote there.
                take_string(&mut open, word.strip_suffix('"').unwrap_or(word), &mut case);
            }
            _ => {}
        }
        at = next;
    }
    Place { case, path: path(&open) }
}

fn is_cases(open: &[Open]) -> bool {
    matches!(open, [file, _] if file.key == "cases")
}

/// A string is a key, a value, or the identifier of a case.
fn take_string(open: &mut [Open], word: &str, case: &mut Option<String>) {
    let in_case = matches!(open, [file, _, _] if file.key == "cases");
    let Some(top) = open.last_mut() else { return };
    if top.expects_key {
        top.key = super::shortened(word, 60);
        top.expects_key = false;
    } else if in_case && top.key == "id" {
        *case = Some(super::shortened(word, 60));
    }
}

/// One past the quote that ends the string which begins here, or the end of the text.
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

fn path(open: &[Open]) -> String {
    let mut path = String::new();
    // Deeper than any recording goes.
    for level in open.iter().take(16) {
        if !level.is_object {
            path.push_str(&format!("[{}]", level.index));
        } else if !level.key.is_empty() {
            path.push_str(if path.is_empty() { "" } else { "." });
            path.push_str(&level.key);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_end(text: &str) -> String {
        let Place { case, path } = place(text, text.len());
        format!("{} {path}", case.as_deref().unwrap_or("-"))
    }

    #[test]
    fn the_case_and_the_field_are_told() {
        assert_eq!(at_end(r#"{"schema":"resv","ver"#), "- ver");
        assert_eq!(
            at_end(r#"{"cases":[{"id":"a","in":{}},{"id":"b","in":{"ops":["x","y"#),
            "b cases[1].in.ops[1]"
        );
        assert_eq!(
            at_end(r#"{"cases":[{"id":"a","out":1},{"in":{"devs":[[["res"#),
            "- cases[1].in.devs[0][0][0]"
        );
        assert_eq!(at_end(r#"{"cases":[{"id":"a\"]","out":"#), r#"a\"] cases[0].out"#);
        assert_eq!(at_end(""), "- ");
    }
}
