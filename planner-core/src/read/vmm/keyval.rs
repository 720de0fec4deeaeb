//! Values of QEMU's options: `name=value,…` with `,,` for a comma, or a JSON object; the first part may stand without its
//! name (util/keyval.c `keyval_parse_one`, util/qemu-option.c `opts_do_parse`).

use std::ops::Range;

use super::words::Word;
use crate::diag::Origin;

/// The value of an option, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Keyval {
    /// The option with its value, as QEMU quotes it in messages: `-device pc-dimm,id=d`. A file that `-readconfig` reads is
    /// quoted by its name and line.
    pub(super) option: String,
    /// In order; a name may stand twice, and then the last one holds.
    pub(super) pairs: Vec<Pair>,
    /// Where the option stands.
    pub(super) origin: Origin,
}

/// `name=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pair {
    /// Name.
    pub(super) name: String,
    /// Value; `on` or `off` where only a name was written (`nofoo` is `foo=off`).
    pub(super) value: String,
    /// Whether `=` was written.
    pub(super) has_value: bool,
    /// Where it stands.
    pub(super) origin: Origin,
}

impl Keyval {
    /// The value of `option`. A first part without `=` belongs to `implied`.
    pub(super) fn new(option: &str, word: &Word, implied: &str) -> Self {
        let pairs = json(word).unwrap_or_else(|| plain(word, implied));
        Self { option: format!("{option} {}", word.text), pairs, origin: word.origin.clone() }
    }

    /// The last value of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pair(name).map(|pair| pair.value.as_str())
    }

    /// The last pair of this name.
    pub(super) fn pair(&self, name: &str) -> Option<&Pair> {
        self.pairs.iter().rev().find(|pair| pair.name == name)
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        matches!(self.get(name), Some("on" | "yes" | "true" | "y"))
    }
}

fn plain(word: &Word, implied: &str) -> Vec<Pair> {
    let parts = split(&word.text);
    let mut pairs = Vec::new();
    for (index, (range, text)) in parts.into_iter().enumerate() {
        let origin = word.part(range);
        let pair = |name: &str, value: &str, has_value| Pair {
            name: name.to_owned(),
            value: value.to_owned(),
            has_value,
            origin: origin.clone(),
        };
        pairs.push(match text.split_once('=') {
            Some((name, value)) => pair(name, value, true),
            None if index == 0 && !implied.is_empty() => pair(implied, &text, true),
            None => match text.strip_prefix("no") {
                Some(name) if !name.is_empty() && !text.starts_with("node") => pair(name, "off", false),
                _ => pair(&text, "on", false),
            },
        });
    }
    pairs
}

/// The parts between single commas, `,,` read as a comma, with the places of the parts.
fn split(text: &str) -> Vec<(Range<usize>, String)> {
    let mut parts = Vec::new();
    let (mut start, mut part) = (0, String::new());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != ',' {
            part.push(c);
        } else if chars.next_if(|&(_, next)| next == ',').is_some() {
            part.push(',');
        } else {
            parts.push((start..at, std::mem::take(&mut part)));
            start = at.saturating_add(1);
        }
    }
    if !part.is_empty() || parts.is_empty() {
        parts.push((start..text.len(), part));
    }
    parts
}

/// `{"driver": "pc-dimm", …}`, as libvirt writes it. Members of members get names with dots.
fn json(word: &Word) -> Option<Vec<Pair>> {
    if !word.text.starts_with('{') {
        return None;
    }
    let serde_json::Value::Object(members) = serde_json::from_str(&word.text).ok()? else { return None };
    let mut pairs = Vec::new();
    flatten("", &members, word, &mut pairs);
    Some(pairs)
}

/// serde_json ends at 128 levels, so this does, too.
fn flatten(
    prefix: &str,
    members: &serde_json::Map<String, serde_json::Value>,
    word: &Word,
    pairs: &mut Vec<Pair>,
) {
    for (name, value) in members {
        let name = format!("{prefix}{name}");
        let value = match value {
            serde_json::Value::Object(inner) => {
                flatten(&format!("{name}."), inner, word, pairs);
                continue;
            }
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Bool(on) => if *on { "on" } else { "off" }.to_owned(),
            other => other.to_string(),
        };
        pairs.push(Pair { name, value, has_value: true, origin: word.origin.clone() });
    }
}
