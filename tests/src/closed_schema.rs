//! Closed JSON Schemas of what other programs read (`schemas/`). The validator knows the words that those schemas use, and
//! no others.

use std::path::Path;

use serde_json::{Value, json};

/// The schema of this name.
///
/// # Panics
/// When the file cannot be read.
#[must_use]
pub fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// What is wrong with a value, each with its place.
#[must_use]
pub fn faults(root: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(root, root, value, "", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/$defs/").expect("references are to definitions");
        return check(root, &root["$defs"][name], value, at, found);
    }
    let is = match schema["type"].as_str().expect("every schema has a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64(),
        other => panic!("the validator does not know the type {other}"),
    };
    if !is {
        found.push(format!("{at}: {value} is no {}", schema["type"]));
        return;
    }
    check_members(root, schema, value, at, found);
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(root, &schema["items"], item, &format!("{at}/{index}"), found);
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    let below = |least: &Value| value.as_u64() < least.as_u64();
    if schema.get("minimum").is_some_and(below)
        || schema.get("maximum").is_some_and(|most| value.as_u64() > most.as_u64())
    {
        found.push(format!("{at}: {value} is out of range"));
    }
}

fn check_members(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return };
    assert_eq!(schema["additionalProperties"], json!(false), "{at}: the schema is open");
    for required in schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().expect("a name");
        if !members.contains_key(name) {
            found.push(format!("{at}/{name}: missing"));
        }
    }
    for (name, member) in members {
        match schema["properties"].get(name) {
            Some(schema) => check(root, schema, member, &format!("{at}/{name}"), found),
            None => found.push(format!("{at}/{name}: unknown")),
        }
    }
}
