//! Words and commands for the POSIX shell (IEEE Std 1003.1-2017, Shell Command Language, 2.2 Quoting).

/// The word as the shell reads it back: unchanged if no shell gives any of its characters a meaning, else in single
/// quotes, within which every character but the quote itself stands for itself (2.2.2).
///
/// A NUL cannot be part of an argument of a process, whatever the quotes; callers keep it out.
#[must_use]
pub fn quote(word: &str) -> String {
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    let mut text = String::with_capacity(word.len() + 2);
    text.push('\'');
    for c in word.chars() {
        // Leave the quotes, an escaped quote, back into quotes.
        if c == '\'' { text.push_str("'\\''") } else { text.push(c) }
    }
    text.push('\'');
    text
}

/// Letters, digits and the punctuation that no shell expands. `~` and `=` are left out for the start of a word and for
/// assignments; `=` within an option such as `size=3G` is harmless behind the letters of its own word.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-+./:,=@%".contains(&byte)
}

/// A command, one option a line; the first group is the program. Comments stand above it.
#[must_use]
pub(crate) fn script(comments: &[String], options: &[Vec<String>]) -> String {
    let mut text = String::new();
    for comment in comments {
        text.push_str("# ");
        text.push_str(comment);
        text.push('\n');
    }
    for (index, words) in options.iter().enumerate() {
        if index != 0 {
            text.push_str(" \\\n  ");
        }
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        text.push_str(&quoted.join(" "));
    }
    text.push('\n');
    text
}
