//! A QEMU that is started with its processors stopped, asked over QMP what it made of its command line, and ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::size::Size;
use planner_core::version::Version;
use serde_json::{Value, json};

use super::process;
use crate::Failure;

/// Name of the file that QEMU writes the guest's device tree to.
pub(super) const DEVICE_TREE: &str = "guest.dtb";

/// Longer than any start takes; a machine with 512 processors needs some seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Programs by architecture.
pub(super) fn program(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 => "qemu-system-aarch64",
        Arch::X86_64 => "qemu-system-x86_64",
        Arch::Riscv64 => "qemu-system-riscv64",
    }
}

/// The version of the installed QEMU.
pub(super) fn version(arch: Arch) -> Result<Version, Failure> {
    let program = program(arch);
    let done = process::run(Command::new(program).arg("--version"), Path::new("/"), "", LIMIT)?;
    // QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)
    let word = done.stdout.split_whitespace().nth(3).unwrap_or_default();
    word.parse().map_err(|_| format!("{program} --version says `{}`", done.stdout.trim()).into())
}

/// A memory module as QEMU has it.
#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub(super) struct Module {
    /// First address.
    pub(super) address: u64,
    /// Size in bytes.
    pub(super) size_bytes: u64,
    /// NUMA node.
    pub(super) node: u64,
}

/// What a QEMU says of itself.
#[derive(Debug)]
pub(super) struct Answers {
    /// `info mtree`.
    pub(super) memory_tree: String,
    /// `info numa`.
    pub(super) numa: String,
    /// `info pci`.
    pub(super) pci: String,
    /// Memory modules, ascending.
    pub(super) modules: Vec<Module>,
    /// Name of the guest.
    pub(super) name: Option<String>,
    /// A PC's PCI windows below and above 4 GiB: first address and the one behind the last.
    pub(super) windows: Vec<(u64, u64)>,
    /// Whether the file with the device tree was written.
    pub(super) device_tree: bool,
}

/// What is asked, in order; the answers come with the same identifiers.
fn questions(device_tree: &Path, host_bridge: &str, rooms: &[Span<Gpa>]) -> Vec<Value> {
    let human = |line: &str| json!({ "execute": "human-monitor-command", "id": line, "arguments": { "command-line": line } });
    let property = |name: &str| {
        json!({ "execute": "qom-get", "id": name,
                "arguments": { "path": format!("/machine/{host_bridge}"), "property": name } })
    };
    let mut all = vec![
        json!({ "execute": "qmp_capabilities" }),
        human("info mtree"),
        human("info numa"),
        human("info pci"),
    ];
    all.extend(WINDOW_BOUNDS.iter().map(|name| property(name)));
    all.extend(rooms.iter().enumerate().flat_map(|(index, &room)| plug(index, room)));
    all.extend([
        json!({ "execute": "query-memory-devices", "id": "modules" }),
        json!({ "execute": "query-name", "id": "name" }),
        json!({ "execute": "dumpdtb", "id": "dumpdtb", "arguments": { "filename": device_tree } }),
        json!({ "execute": "quit" }),
    ]);
    all
}

/// A PC's windows: the bounds of the one below 4 GiB and of the one above.
const WINDOW_BOUNDS: [&str; 4] = ["pci-hole-start", "pci-hole-end", "pci-hole64-start", "pci-hole64-end"];

/// Plugs in a module that fills a room.
fn plug(index: usize, room: Span<Gpa>) -> [Value; 2] {
    let (backend, module) = (format!("later{index}"), format!("later-dimm{index}"));
    let size = room.size().map_or(0, Size::bytes);
    [
        json!({ "execute": "object-add", "id": backend, "arguments":
                { "qom-type": "memory-backend-ram", "id": backend, "size": size, "reserve": false } }),
        json!({ "execute": "device_add", "id": module, "arguments":
                { "driver": "pc-dimm", "id": module, "memdev": backend, "addr": room.first().get() } }),
    ]
}

/// Starts the program with these arguments in a folder, and plugs a module into each of the rooms. A PC is asked for the
/// windows of its host bridge. The device tree, if the machine has one, is left in the folder as [`DEVICE_TREE`].
///
/// # Errors
/// What QEMU says when it refuses the line.
pub(super) fn ask(
    program: &str,
    words: &[String],
    host_bridge: &str,
    rooms: &[Span<Gpa>],
    folder: &Path,
) -> Result<Answers, Failure> {
    let device_tree = folder.join(DEVICE_TREE);
    let questions = questions(&device_tree, host_bridge, rooms);
    let input: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let mut command = Command::new(program);
    command.args(words).args(["-S", "-monitor", "none", "-qmp", "stdio"]);
    let done = process::run(&mut command, folder, &input, LIMIT)?;
    if !done.success {
        return Err(format!("refused: {}", done.stderr.trim()).into());
    }
    read(&done.stdout)
}

/// Takes the answers apart: one line each, with QEMU's events between them.
fn read(text: &str) -> Result<Answers, Failure> {
    let mut answers = BTreeMap::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        if let Some(id) = line.get("id").and_then(Value::as_str) {
            answers.insert(id.to_owned(), line);
        }
    }
    if let Some((id, answer)) =
        answers.iter().find(|(id, answer)| id.starts_with("later") && answer.get("error").is_some())
    {
        return Err(format!("{id} cannot be plugged in: {}", answer["error"]["desc"]).into());
    }
    let answer = |id: &str| answers.get(id).and_then(|answer| answer.get("return"));
    let text = |id: &str| answer(id).and_then(Value::as_str).map(str::to_owned);
    let bounds: Vec<u64> = WINDOW_BOUNDS.iter().filter_map(|id| answer(id)?.as_u64()).collect();
    Ok(Answers {
        memory_tree: text("info mtree").ok_or("info mtree has no answer")?,
        numa: text("info numa").ok_or("info numa has no answer")?,
        pci: text("info pci").unwrap_or_default(),
        modules: modules(answer("modules").ok_or("query-memory-devices has no answer")?),
        name: answer("name").and_then(|name| name.get("name")?.as_str().map(str::to_owned)),
        windows: bounds.as_chunks().0.iter().map(|&[first, end]| (first, end)).collect(),
        device_tree: answer("dumpdtb").is_some(),
    })
}

fn modules(answer: &Value) -> Vec<Module> {
    let module = |value: &Value| {
        let data = value.get("data")?;
        let number = |name: &str| data.get(name).and_then(Value::as_u64);
        Some(Module { address: number("addr")?, size_bytes: number("size")?, node: number("node")? })
    };
    let mut modules: Vec<Module> = answer.as_array().into_iter().flatten().filter_map(module).collect();
    modules.sort();
    modules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_by_their_identifiers() {
        let text = r#"{"QMP": {}}
{"return": {}}
{"return": "tree", "id": "info mtree"}
{"timestamp": {}, "event": "RESET"}
{"return": "0 nodes", "id": "info numa"}
{"return": 5, "id": "pci-hole-start"}
{"return": 9, "id": "pci-hole-end"}
{"error": {"desc": "no FDT"}, "id": "dumpdtb"}
{"return": [{"data": {"addr": 4096, "size": 2, "node": 1}, "type": "dimm"}], "id": "modules"}
{"return": {"name": "g"}, "id": "name"}"#;
        let answers = read(text).unwrap();
        assert_eq!(answers.modules, [Module { address: 4096, size_bytes: 2, node: 1 }]);
        assert_eq!(answers.windows, [(5, 9)]);
        assert_eq!(answers.name.as_deref(), Some("g"));
        assert!(!answers.device_tree);
        assert!(read(r#"{"error": {"desc": "no slot"}, "id": "later-dimm0"}"#).is_err());
    }
}
