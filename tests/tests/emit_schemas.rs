//! The JSON that is written for Cloud Hypervisor and Firecracker holds against closed schemas of their configuration
//! (`schemas/`).

use std::fs;
use std::path::{Path, PathBuf};

use planner_tests::closed_schema::{faults, schema};
use serde_json::{Value, json};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
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
