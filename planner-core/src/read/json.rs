//! Facts about hosts and guests as JSON: the same model as the description language, for machines.
//!
//! A fault is told with its place and the path of the field. serde stops at the first fault, so what is at fault is
//! blanked out and the rest is read again, until nothing is at fault.

mod origins;
pub(super) mod outline;

use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::outline::Outline;
use super::check;
use crate::diag::{Code, Diagnostic, Origin, Severity, TextFile};
use crate::facts::{GuestFacts, HostFacts};

/// What the member `schema` of a host says.
pub const HOST_SCHEMA: &str = "host/1";
/// What the member `schema` of a guest says.
pub const GUEST_SCHEMA: &str = "guest/1";

static SYNTAX: Code = Code {
    id: "J001",
    severity: Severity::Error,
    title: "not JSON",
    explanation: "The text breaks the rules of JSON (RFC 8259): a comma, a quote or a brace is missing or too many. Nothing \
                  behind that place was read.",
};
static FIELD: Code = Code {
    id: "J002",
    severity: Severity::Error,
    title: "a value that is not what the schema says",
    explanation: "A member is unknown, missing or twice there, or its value has the wrong type, the wrong form, or does not \
                  fit. The message names the path of the member. `planner schema host` and `planner schema guest` print \
                  what is expected. Addresses and sizes are strings: \"0x40000000\" or \"16G\".",
};
static SCHEMA: Code = Code {
    id: "J003",
    severity: Severity::Error,
    title: "another schema",
    explanation: "The member `schema` names what the text is: \"host/1\" for a host and \"guest/1\" for a guest. A number other \
                  than 1 is of a later version of the planner.",
};
static NO_SCHEMA: Code = Code {
    id: "J004",
    severity: Severity::Warning,
    title: "no schema is named",
    explanation: "The text has no member `schema`. It was read as what was asked for. Write \"schema\": \"host/1\" or \
                  \"schema\": \"guest/1\" so that files cannot be mixed up.",
};
static TOO_MANY: Code = Code {
    id: "J005",
    severity: Severity::Error,
    title: "too many faults",
    explanation: "After twenty faults the planner stops reading. Often the file is of another kind altogether.",
};

/// Every kind of diagnostic about JSON, for `planner explain`.
pub static CODES: &[&Code] = &[&SYNTAX, &FIELD, &SCHEMA, &NO_SCHEMA, &TOO_MANY];

/// Reads a host. `file` is its name in messages.
#[must_use]
pub fn parse_host_json(file: &str, text: &str) -> (HostFacts, Vec<Diagnostic>) {
    let mut reader = Reader::new(file, text);
    let mut facts: HostFacts = reader.read(HOST_SCHEMA);
    if let Some(outline) = reader.outline() {
        origins::host(&mut facts, &outline, &reader.file);
    }
    reader.found.extend(check::check_host(&mut facts));
    (facts, reader.found)
}

/// Reads a guest. `file` is its name in messages.
#[must_use]
pub fn parse_guest_json(file: &str, text: &str) -> (GuestFacts, Vec<Diagnostic>) {
    let mut reader = Reader::new(file, text);
    let mut facts: GuestFacts = reader.read(GUEST_SCHEMA);
    if let Some(outline) = reader.outline() {
        origins::guest(&mut facts, &outline, &reader.file);
    }
    reader.found.extend(check::check_guest(&facts));
    (facts, reader.found)
}

/// What the member `schema` says, of a text that is JSON; to tell hosts, guests and plans apart.
#[must_use]
pub fn schema_of(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        schema: Option<String>,
    }
    serde_json::from_str::<Named>(text).ok()?.schema
}

#[derive(Serialize)]
struct WithSchema<'f, T> {
    schema: &'static str,
    #[serde(flatten)]
    facts: &'f T,
}

/// A host as JSON, indented, ending with a line break. Reading it gives the same facts.
#[must_use]
pub fn host_to_json(facts: &HostFacts) -> String {
    to_json(HOST_SCHEMA, facts)
}

/// A guest as JSON, indented, ending with a line break. Reading it gives the same facts.
#[must_use]
pub fn guest_to_json(facts: &GuestFacts) -> String {
    to_json(GUEST_SCHEMA, facts)
}

fn to_json<T: Serialize>(schema: &'static str, facts: &T) -> String {
    let text = serde_json::to_string_pretty(&WithSchema { schema, facts });
    text.expect("facts have string keys and serialise without errors") + "\n"
}

/// The JSON Schema of a host.
#[must_use]
pub fn host_schema() -> Value {
    schema(schemars::schema_for!(HostFacts), HOST_SCHEMA, "Host")
}

/// The JSON Schema of a guest.
#[must_use]
pub fn guest_schema() -> Value {
    schema(schemars::schema_for!(GuestFacts), GUEST_SCHEMA, "Guest")
}

fn schema(schema: schemars::Schema, name: &str, title: &str) -> Value {
    let mut value = schema.to_value();
    value["title"] = title.into();
    value["$id"] = format!("https://guest-layout-planner.github.io/schema/{name}.json").into();
    value["properties"]["schema"] = serde_json::json!({ "const": name, "description": "what this text is" });
    value["required"] = serde_json::json!(["schema"]);
    value
}

/// The value that serde complains about at this byte.
fn at_fault(outline: &Outline, at: usize, said: &str) -> usize {
    let innermost = outline.innermost(at);
    if said.starts_with("missing field") {
        innermost
    } else if said.starts_with("invalid type: map") || said.starts_with("invalid type: sequence") {
        outline.about_to_come(innermost, at)
    } else {
        outline.just_passed(innermost, at)
    }
}

/// Reads a text, blanking out what is at fault.
struct Reader {
    file: TextFile,
    text: String,
    found: Vec<Diagnostic>,
}

impl Reader {
    fn new(file: &str, text: &str) -> Self {
        let mut text = text.to_owned();
        if text.starts_with('\u{feff}') {
            text.replace_range(..'\u{feff}'.len_utf8(), "   ");
        }
        Self { file: TextFile::new(file, &text), text, found: Vec::new() }
    }

    /// Nothing when the text is no JSON.
    fn outline(&self) -> Option<Outline> {
        Outline::of(&self.text).ok()
    }

    fn at(&self, at: Range<usize>) -> Origin {
        self.file.origin(at)
    }

    /// Reads what is not at fault.
    fn read<T: DeserializeOwned + Default>(&mut self, schema: &str) -> T {
        const MOST: usize = 20;
        let whole = match Outline::of(&self.text) {
            Ok(outline) => outline,
            Err(fault) => {
                let fault = Diagnostic::new(&SYNTAX, self.at(fault.at), fault.message);
                self.found.push(fault);
                return T::default();
            }
        };
        if !self.text.trim_start().starts_with('{') {
            let fault =
                Diagnostic::new(&FIELD, self.at(whole.shown(0)), "a description is an object, `{ … }`");
            self.found.push(fault);
            return T::default();
        }
        if !self.take_schema(&whole, schema) {
            return T::default();
        }
        for _ in 0..MOST {
            match serde_json::from_str(&self.text) {
                Ok(facts) => return facts,
                Err(error) if self.blank_out(&error, &whole) => {}
                Err(_) => return T::default(),
            }
        }
        let message = format!("more than {MOST} faults; the rest is not read");
        self.found.push(Diagnostic::new(&TOO_MANY, Origin::file(self.file.name()), message));
        T::default()
    }

    /// Takes the member `schema` out of the text. False when it names another schema.
    fn take_schema(&mut self, outline: &Outline, schema: &str) -> bool {
        let Some(member) = outline.member(0, "schema") else {
            let message = format!("no member `schema`: read as \"{schema}\"");
            let fault = Diagnostic::new(&NO_SCHEMA, self.at(0..1), message);
            self.found.push(fault.help(format!("add \"schema\": \"{schema}\"")));
            return true;
        };
        let said = self.text.get(outline.value(member)).unwrap_or_default();
        if said.trim_matches('"') == schema {
            self.blank(outline.with_comma(member));
            return true;
        }
        let message =
            format!("the schema is {}, where \"{schema}\" was asked for", super::language::shown(said));
        self.found.push(Diagnostic::new(&SCHEMA, self.at(outline.value(member)), message));
        false
    }

    /// Reports what serde found and blanks it out. False when that leads nowhere.
    fn blank_out(&mut self, error: &serde_json::Error, whole: &Outline) -> bool {
        let Ok(outline) = Outline::of(&self.text) else { return false };
        let at = self.byte_of(error.line(), error.column());
        let said = error.to_string();
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        let member_alone = said.starts_with("unknown field") || said.starts_with("duplicate field");
        let innermost = at_fault(&outline, at, said);
        // The text without what was blanked out counts the items of lists anew: the user counts in the whole.
        let original = whole.same_place(&outline, innermost);
        let path = whole.path(original);
        let message = if path.is_empty() { said.to_owned() } else { format!("{path}: {said}") };
        let fault = Diagnostic::new(&FIELD, self.at(whole.shown(original)), message);
        self.found.push(fault);
        match outline.removable(innermost, member_alone) {
            Some(node) => {
                self.blank(outline.with_comma(node));
                true
            }
            None => false,
        }
    }

    /// The byte that a line and column of serde_json mean: both from 1, the column in bytes.
    fn byte_of(&self, line: usize, column: usize) -> usize {
        let before =
            self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
        before.saturating_add(column.saturating_sub(1)).min(self.text.len().saturating_sub(1))
    }

    fn blank(&mut self, at: Range<usize>) {
        let spaces = self
            .text
            .get(at.clone())
            .map(|text| text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect::<String>());
        if let Some(spaces) = spaces {
            self.text.replace_range(at, &spaces);
        }
    }
}
