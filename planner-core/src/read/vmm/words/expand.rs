//! Variables and what stands for a value in a script: `$NAME`, `${NAME:-default}`, `$((8 * 1024))`.
//!
//! Left out: patterns (`${NAME%x}`) and everything that runs a command; both stay as they are written, and are told.

use super::{Growing, MOST_EXPANDED_BYTES, MOST_UNKNOWN, Shell, Unknown, Word, codes};
use crate::diag::Diagnostic;

/// What `${…}` asks for.
struct Parameter<'t> {
    name: &'t str,
    /// `:-`, `-`, `:=`, `=`: the value if there is none.
    default: Option<&'t str>,
    /// `:+`, `+`: the value if there is one.
    instead: Option<&'t str>,
}

impl<'t> Parameter<'t> {
    fn of(text: &'t str) -> Self {
        let plain = |name| Self { name, default: None, instead: None };
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() || rest.is_empty() {
            return plain(text);
        }
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        match (rest.get(..1), rest.get(1..)) {
            (Some("-" | "="), value) => Self { name, default: value, instead: None },
            (Some("+"), value) => Self { name, default: Some(""), instead: value },
            (Some("?"), _) => plain(name),
            _ => plain(text),
        }
    }
}

impl Shell<'_> {
    /// A variable, or what the shell would have to run.
    pub(super) fn dollar(&mut self, word: &mut Growing, in_quotes: bool) {
        let start = self.at.saturating_sub(1);
        if self.peek() == Some('(') {
            self.take();
            return self.substitution(")", start, word);
        }
        // `$'…'` and `$"…"` are quotes.
        if !in_quotes && matches!(self.peek(), Some('\'' | '"')) {
            return;
        }
        let Some(text) = self.variable_name() else {
            word.text.push('$');
            return;
        };
        word.changed = true;
        let parameter = Parameter::of(&text);
        let name = parameter.name.trim_end_matches("[@]").trim_end_matches("[*]");
        let value = self.variables.get(if name == "*" { "@" } else { name }).cloned();
        let here = self.file.origin(start..self.at);
        let said = |text: &str| vec![Word::at(text, here.clone())];
        let value = match (value, parameter.instead) {
            (Some(_), Some(instead)) => Some(said(instead)),
            (value, _) => value.or(parameter.default.map(said)),
        };
        let Some(value) = value else {
            let what = format!("the variable {name} is not set in this file");
            return self.not_known(start, what, word);
        };
        self.expanded = value
            .iter()
            .fold(self.expanded, |sum, part| sum.saturating_add(part.text.len()).saturating_add(8));
        if self.expanded > MOST_EXPANDED_BYTES {
            self.too_long(start);
            return;
        }
        let each = text.ends_with("[@]") || text == "@";
        expand(&value, each, in_quotes, word);
    }

    /// Keeps what only the shell knows as it is written.
    fn not_known(&mut self, start: usize, what: String, word: &mut Growing) {
        word.changed = true;
        let text = self.text.get(start..self.at).unwrap_or_default().to_owned();
        word.text.push_str(&text);
        if self.unknown.len() < MOST_UNKNOWN {
            let origin = self.file.origin(start..self.at);
            self.unknown.push(Unknown { text, what, origin });
        }
    }

    fn too_long(&mut self, start: usize) {
        let origin = self.file.origin(start..self.at);
        let message = "the values of variables make the command longer than 1 MiB";
        if !self.found.iter().any(|known| known.code == &codes::TOO_LONG) {
            self.found.push(Diagnostic::new(&codes::TOO_LONG, origin, message));
        }
    }

    /// Where the brace closes that opens here.
    fn closing_brace(&mut self) -> Option<usize> {
        let mut depth: usize = 0;
        for (at, c) in self.text.get(self.at..)?.char_indices().take(self.lookahead.min(1 << 10)) {
            self.lookahead = self.lookahead.saturating_sub(1);
            match c {
                '{' => depth = depth.saturating_add(1),
                '}' => depth = depth.saturating_sub(1),
                '\n' => return None,
                _ => {}
            }
            if depth == 0 {
                return Some(at);
            }
        }
        None
    }

    fn variable_name(&mut self) -> Option<String> {
        if self.peek() == Some('{') {
            let length = self.closing_brace()?;
            let name = self.rest().get(1..length)?.to_owned();
            self.skip(length.saturating_add(1));
            return Some(name);
        }
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = if length == 0 {
            rest.get(..1).filter(|c| matches!(*c, "@" | "*" | "#" | "?" | "!"))?
        } else {
            rest.get(..length)?
        };
        let name = name.to_owned();
        self.skip(name.len());
        Some(name)
    }

    /// `$(…)` or backquotes, which stay as they are; `$((…))` is computed.
    pub(super) fn substitution(&mut self, end: &str, start: usize, word: &mut Growing) {
        let mut depth: usize = 1;
        while let Some(c) = self.take() {
            match c {
                '(' if end == ")" => depth = depth.saturating_add(1),
                ')' | '`' if end.starts_with(c) => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let sum = text.strip_prefix("$((").and_then(|text| text.strip_suffix("))"));
        if let Some(value) = sum.and_then(|sum| self.computed(sum)) {
            word.changed = true;
            word.text.push_str(&value.to_string());
            return;
        }
        let what = "the output of another command stands here, and the planner runs nothing";
        self.not_known(start, what.into(), word);
    }

    /// A sum of products of numbers and variables, without brackets: `8 * 1024`, `RAM*1024+512`.
    fn computed(&self, text: &str) -> Option<u64> {
        let factor = |text: &str| {
            let text = text.trim().trim_start_matches('$').trim_matches(['{', '}']);
            let value = match self.variables.get(text).map(Vec::as_slice) {
                Some([value]) => value.text.trim(),
                _ => text,
            };
            value.parse::<u64>().ok()
        };
        let product = |text: &str| {
            text.split('*').try_fold(1_u64, |product, part| {
                let mut parts = part.split('/');
                let first = factor(parts.next()?)?;
                let part = parts.try_fold(first, |value, by| value.checked_div(factor(by)?))?;
                product.checked_mul(part)
            })
        };
        text.split('+').try_fold(0_u64, |sum, text| {
            let mut parts = text.split('-');
            let first = product(parts.next()?)?;
            sum.checked_add(parts.try_fold(first, |value, less| value.checked_sub(product(less)?))?)
        })
    }
}

/// Puts the value of a variable into a word: as it is within quotes, word by word outside, an array element by element.
fn expand(value: &[Word], each: bool, in_quotes: bool, word: &mut Growing) {
    let mut first = true;
    for part in value {
        let pieces: Vec<&str> =
            if in_quotes { vec![part.text.as_str()] } else { part.text.split_whitespace().collect() };
        for piece in pieces {
            let joins = first || (in_quotes && !each);
            if !first && joins {
                word.text.push(' ');
            } else if !joins {
                let text = std::mem::take(&mut word.text);
                let here = || Word::at("", part.origin.clone());
                word.done.push(Growing::word(text, word.from.take(), here));
            }
            if word.text.is_empty() {
                word.from = Some((part.clone(), piece.len()));
            }
            word.text.push_str(piece);
            first = false;
        }
    }
    if first && each {
        word.quoted = false;
    }
}
