//! The value of a QEMU option taken apart: `pc-dimm,id=dimm0,addr=0x1_0000` or, as libvirt writes it, an object of JSON.

use serde_json::Value;

/// What stands first and the named rest, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Properties {
    head: String,
    rest: Vec<(String, String)>,
}

impl Properties {
    /// Takes the value apart (util/qemu-option.c, opts_do_parse: `,,` is a comma; qapi/qobject-input-visitor.c: a value
    /// that starts with `{` is JSON).
    pub(super) fn read(value: &str) -> Self {
        if let Ok(Value::Object(fields)) = serde_json::from_str(value) {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let is_head = |name: &str| name == "driver" || name == "qom-type";
            let head = fields.iter().find(|(name, _)| is_head(name)).map(|(_, value)| text(value));
            let rest = fields.iter().filter(|(name, _)| !is_head(name));
            let rest = rest.map(|(name, value)| (name.clone(), text(value))).collect();
            return Self { head: head.unwrap_or_default(), rest };
        }
        let parts = if value.is_empty() { Vec::new() } else { split(value) };
        let mut parts = parts.into_iter().peekable();
        let head = parts.next_if(|first| !first.contains('=')).unwrap_or_default();
        let rest = parts.map(|part| match part.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (part, "on".to_owned()),
        });
        Self { head, rest: rest.collect() }
    }

    /// The value as QEMU reads it.
    pub(super) fn write(&self) -> String {
        let rest = self.rest.iter().map(|(name, value)| format!("{name}={}", value.replace(',', ",,")));
        let head = (!self.head.is_empty()).then(|| self.head.clone());
        head.into_iter().chain(rest).collect::<Vec<_>>().join(",")
    }

    /// What stands first; empty when nothing does.
    pub(super) fn head(&self) -> &str {
        &self.head
    }

    /// Changes what stands first.
    pub(super) fn set_head(&mut self, head: &str) {
        head.clone_into(&mut self.head);
    }

    /// Names and values.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rest.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.rest.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Adds a name.
    pub(super) fn push(&mut self, name: &str, value: &str) {
        self.rest.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a name out.
    pub(super) fn remove(&mut self, name: &str) {
        self.rest.retain(|(known, _)| known != name);
    }

    /// Takes every other name out.
    pub(super) fn keep(&mut self, names: &[&str]) {
        self.rest.retain(|(known, _)| names.contains(&known.as_str()));
    }
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let separates = c == ',' && chars.next_if_eq(&',').is_none();
        match parts.last_mut() {
            Some(part) if !separates => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_json_are_read_alike() {
        let option = Properties::read("pc-dimm,id=dimm0,addr=65536");
        let json = Properties::read(r#"{"driver":"pc-dimm","id":"dimm0","addr":65536}"#);
        assert_eq!(option.head(), json.head());
        assert_eq!([option.get("id"), option.get("addr")], [json.get("id"), json.get("addr")]);
        assert_eq!(json.get("addr"), Some("65536"));
    }

    #[test]
    fn what_is_read_is_written_again() {
        for value in ["virt,gic-version=3", "guest=a,,b", "3G,slots=1,maxmem=32G", "tcg"] {
            assert_eq!(Properties::read(value).write(), value);
        }
        assert_eq!(Properties::read("guest=a,,b").get("guest"), Some("a,b"));
    }
}
