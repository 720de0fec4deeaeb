//! Long options as kvmtool, crosvm and cloud-hypervisor take them: `--name value`, `--name=value`, `-n value`.

use super::words::Word;
use crate::diag::Origin;

/// An option with what stands behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LongOption {
    /// With its dashes, without `=`.
    pub(super) name: String,
    /// Where it stands.
    pub(super) origin: Origin,
    /// Words up to the next option; the part behind `=` first.
    pub(super) values: Vec<Word>,
    /// Whether the value was written behind `=`.
    pub(super) joined: bool,
}

/// The options of a command line. Words before the first option are left out.
pub(super) fn options(words: &[Word]) -> Vec<LongOption> {
    let mut options: Vec<LongOption> = Vec::new();
    for word in words {
        let is_option = word.text.len() > 1
            && word.text.starts_with('-')
            && !word.text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        if !is_option {
            if let Some(option) = options.last_mut() {
                option.values.push(word.clone());
            }
            continue;
        }
        let (name, value) = match word.text.split_once('=').filter(|_| word.text.starts_with("--")) {
            Some((name, value)) => (name, Some(value)),
            None => (word.text.as_str(), None),
        };
        let start = name.len().saturating_add(1);
        options.push(LongOption {
            name: name.to_owned(),
            origin: word.origin.clone(),
            joined: value.is_some(),
            values: value
                .map(|value| Word::at(value, word.part(start..word.text.len())))
                .into_iter()
                .collect(),
        });
    }
    options
}

/// `name=value,…` with commas within brackets and quotes kept (cloud-hypervisor's option_parser, crosvm's serde_keyvalue).
/// A part without `=` has an empty name.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quoted) = (0_usize, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' if !quoted => depth = depth.saturating_add(1),
            ']' if !quoted => depth = depth.saturating_sub(1),
            ',' if depth == 0 && !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut().filter(|_| c != '"') {
            part.push(c);
        }
    }
    let pair = |part: String| match part.split_once('=') {
        Some((name, value)) if !part.starts_with('[') => (name.trim().to_owned(), value.trim().to_owned()),
        _ => (String::new(), part),
    };
    parts.into_iter().filter(|part| !part.is_empty()).map(pair).collect()
}
