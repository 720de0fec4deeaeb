//! The JSON that is written for Cloud Hypervisor and Firecracker holds against closed schemas of their configuration
//! (`schemas/`). The validator knows the words that those schemas use, and no others.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

fn schema(name: &str) -> Value {
    read(&tests().join("schemas").join(format!("{name}.schema.json")))
}

/// What is wrong with a value, each with its place.
fn faults(root: &Value, value: &Value) -> Vec<String> {
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

/// The files of this name among the emitted cases.
fn emitted(name: &str) -> Vec<PathBuf> {
    let folders = fs::read_dir(tests().join("cases/emit")).expect("the cases can be read");
    let files = folders.map(|folder| folder.expect("an entry").path().join(name));
    files.filter(|path| path.exists()).collect()
}

#[test]
fn every_emitted_file_holds() {
    for (file, name, least) in
        [("vm.create.json", "cloud-hypervisor", 5), ("firecracker.json", "firecracker", 2)]
    {
        let schema = schema(name);
        let files = emitted(file);
        assert!(files.len() >= least, "{} of {file}", files.len());
        for path in files {
            assert_eq!(faults(&schema, &read(&path)), Vec::<String>::new(), "{}", path.display());
        }
    }
}

/// A schema that takes anything would prove nothing.
#[test]
fn one_fault_is_one_complaint() {
    let good = json!({
        "cpus": { "boot_vcpus": 8, "max_vcpus": 8 },
        "memory": { "size": 0, "zones": [{ "id": "mem0", "size": 1 }] },
        "payload": { "kernel": "Image" },
        "devices": [{ "path": "/sys/bus/pci/devices/0000:03:00.0" }],
    });
    let schema = schema("cloud-hypervisor");
    assert_eq!(faults(&schema, &good), Vec::<String>::new());
    for (place, value, complaint) in [
        ("/cpus/boot_vcpus", json!("8"), "/cpus/boot_vcpus: \"8\" is no \"integer\""),
        ("/memory/hugepage", json!(true), "/memory/hugepage: unknown"),
        (
            "/memory/hotplug_method",
            json!("virtio-mem"),
            "/memory/hotplug_method: \"virtio-mem\" is none of [\"Acpi\",\"VirtioMem\"]",
        ),
        ("/memory/zones/0/size", json!(0), "/memory/zones/0/size: 0 is out of range"),
        ("/cpus/max_phys_bits", json!(65), "/cpus/max_phys_bits: 65 is out of range"),
        ("/devices/0", json!({}), "/devices/0/path: missing"),
    ] {
        let mut bad = good.clone();
        let (parent, last) = place.rsplit_once('/').expect("a place");
        match bad.pointer_mut(parent).expect("the parent is there") {
            Value::Object(members) => drop(members.insert(last.to_owned(), value)),
            Value::Array(items) => items[last.parse::<usize>().expect("a number")] = value,
            other => panic!("{other} has no members"),
        }
        assert_eq!(faults(&schema, &bad), [complaint]);
    }
}
