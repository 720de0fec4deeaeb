//! `planner capture`, and the shell script that does the same: what both take, take out and say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::expect;
use planner_core::read::capture::allow::MANIFEST;
use planner_core::read::capture::{Node, Tree, from_archive};
use serde_json::Value;

use crate::{Run, command, finish, run, scratch};

/// The capture in an archive of the repository.
fn recorded(name: &str) -> Tree {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures").join(format!("{name}.tar.gz"));
    archive(&path)
}

fn archive(path: &Path) -> Tree {
    let (tree, found) = from_archive(&fs::read(path).expect("it was written"), "x");
    assert_eq!(found, [], "{}", path.display());
    tree
}

/// The tree as files and links below a directory.
fn unpack(tree: &Tree, directory: &Path) {
    for (path, node) in tree.iter() {
        let place = directory.join(path);
        fs::create_dir_all(place.parent().expect("it lies in the directory")).expect("it can be made");
        match node {
            Node::File(bytes) => fs::write(&place, bytes).expect("it can be written"),
            #[cfg(unix)]
            Node::Link(target) => std::os::unix::fs::symlink(target, &place).expect("it can be made"),
            #[cfg(not(unix))]
            Node::Link(_) => {}
            Node::Directory => fs::create_dir_all(&place).expect("it can be made"),
        }
    }
}

fn capture(from: &Path, to: &Path, more: &[&str]) -> Run {
    let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
    let mut arguments = vec!["capture", "--from", &from, "-o", &to];
    arguments.extend(more);
    run(&arguments)
}

/// Runs the script as it was printed.
fn script(scratch: &Path, arguments: &[&str]) -> Run {
    let path = scratch.join("capture.sh");
    fs::write(&path, run(&["capture", "--script"]).stdout).expect("it can be written");
    finish(Command::new("sh").arg(path).args(arguments).current_dir(scratch).stdin(Stdio::null()))
}

/// What a verb says of a host as JSON, without what a manifest adds.
fn document(verb: &str, host: &Path) -> Value {
    let answer = run(&[verb, &host.to_string_lossy(), "--json"]);
    assert_eq!(answer.status, 0, "{}", answer.told());
    let mut document: Value = serde_json::from_str(&answer.stdout).expect("it is JSON");
    document.as_object_mut().expect("it is an object").remove("capture");
    document
}

/// A tree as what can be compared, without the manifest.
fn nodes(tree: &Tree) -> BTreeMap<String, Node> {
    let nodes = tree.iter().filter(|(path, _)| *path != MANIFEST);
    nodes.map(|(path, node)| (path.to_owned(), node.clone())).collect()
}

/// Where two trees differ: whole trees are too long to be shown.
fn differences(one: &BTreeMap<String, Node>, other: &BTreeMap<String, Node>) -> Vec<String> {
    let paths = one.keys().chain(other.keys().filter(|&path| !one.contains_key(path)));
    paths.filter(|&path| one.get(path) != other.get(path)).cloned().collect()
}

/// The manifest of a tree without the lines of what was read.
fn lacks(tree: &Tree) -> String {
    let manifest = tree.file(MANIFEST).expect("every capture has one");
    let manifest = String::from_utf8(manifest.to_vec()).expect("it is text");
    manifest.lines().filter(|line| !line.starts_with("read ")).map(|line| format!("{line}\n")).collect()
}

const HOSTS: [&str; 4] =
    ["arm64-7.3-smmu-sriov-acpi", "arm64-6.12-smmu-its-dt", "x86-7.3iommufd-intel-scalable", "x86-6.1-amd"];

#[test]
#[cfg(unix)]
fn a_capture_says_what_the_machine_says() {
    for name in HOSTS {
        let place = scratch(&format!("capture-{name}"));
        // The same name in three directories: it stands in the documents.
        let [directory, ours, scripts] =
            ["live/host", "ours/host.tar.gz", "scripts/host.tar.gz"].map(|path| {
                let path = place.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                path
            });
        unpack(&recorded(name), &directory);
        let made = capture(&directory, &ours, &[]);
        assert_eq!((made.status, made.stdout.as_str()), (0, ""), "{}", made.told());
        let [root, output] = [&directory, &scripts].map(|path| path.to_string_lossy());
        let made = script(&place, &["--root", &root, "-o", &output]);
        assert_eq!((made.status, made.stdout.as_str()), (0, ""), "{}", made.told());

        let mut expected = nodes(&archive(&ours));
        // Two files are in captures only, and a script does not redact a device tree.
        expected.retain(|path, _| !["groundtruth.json", "uname.txt", "sys/firmware/fdt"].contains(&&**path));
        assert_eq!(differences(&nodes(&archive(&scripts)), &expected), [""; 0], "{name}");
        for verb in ["reserved", "inspect"] {
            assert_eq!(document(verb, &ours), document(verb, &directory), "{name}: {verb}");
            if !name.ends_with("-dt") {
                assert_eq!(document(verb, &scripts), document(verb, &directory), "{name}: {verb}");
            }
        }
    }
}

/// A machine with something to take out in every place where something is taken out.
fn specimen() -> Tree {
    let mut tree = Tree::default();
    let mut file = |path: &str, bytes: &[u8]| tree.insert(path, Node::File(bytes.to_vec()));
    file(
        "proc/cmdline",
        b"root=UUID=5ec4e7aa-509f-382f-3c1e-e6bfe0fa1001 intel_iommu=on hostname=secret-host\n",
    );
    file("proc/version", b"Linux version 6.12.1 (secret-user@secret-host) (gcc 14) #1 SMP\n");
    file("proc/cpuinfo", b"vendor_id\t: GenuineIntel\nSerial\t\t: 5ec4e7\n");
    file("proc/iomem", b"00001000-3fffffff : System RAM\n");
    file("sys/kernel/iommu_groups/3/type", b"DMA\n");
    file("sys/firmware/acpi/tables/DMAR", b"table");
    file("sys/firmware/acpi/tables/APIC2", b"table");
    file("sys/firmware/acpi/tables/DSDT", b"not on the list");
    file("sys/firmware/fdt", b"secret");
    let function = "sys/devices/pci0000:00/0000:00:01.0";
    let mut config = vec![0_u8; 4096];
    config[0x06] = 0x10;
    config[0x34] = 0x40;
    config[0x40..0x44].copy_from_slice(&[0x05, 0x60, 0, 0]);
    config[0x60..0x68].copy_from_slice(b"\x03\0\x04\x80VPD!");
    config[0x100..0x104].copy_from_slice(&0x1481_0001_u32.to_le_bytes());
    config[0x148..0x14c].copy_from_slice(&0x0001_0003_u32.to_le_bytes());
    config[0x14c..0x154].copy_from_slice(b"SERIALNO");
    file(&format!("{function}/config"), &config);
    file(&format!("{function}/vendor"), b"0x8086\n");
    file(&format!("{function}/secret"), b"not on the list");
    let mut link = |path: &str, target: &str| tree.insert(path, Node::Link(target.to_owned()));
    link("sys/bus/pci/devices/0000:00:01.0", "../../../devices/pci0000:00/0000:00:01.0");
    let mediated = "5ec4e7f2-509f-382f-3c1e-e6bfe0fa1001";
    link(
        &format!("sys/kernel/iommu_groups/3/devices/{mediated}"),
        &format!("../../../../devices/pci0000:00/0000:00:01.0/{mediated}"),
    );
    tree
}

const SECRETS: [&str; 7] = ["secret", "5ec4e7", "VPD!", "SERIALNO", "not on", "e6bfe0fa", "UUID="];

/// Everything in a tree, as text.
fn everything(tree: &Tree) -> String {
    tree.iter().fold(String::new(), |all, (path, node)| match node {
        Node::File(bytes) => all + path + &String::from_utf8_lossy(bytes),
        Node::Link(target) => all + path + target,
        Node::Directory => all + path,
    })
}

#[test]
#[cfg(unix)]
fn identities_are_taken_out_by_both() {
    let place = scratch("capture-redacted");
    let root = place.join("root");
    unpack(&specimen(), &root);
    let ours = place.join("ours.tar.gz");
    let told = capture(&root, &ours, &[]).stderr;
    // How many bytes the archive has is the business of whoever compresses it.
    let (_, told) = told.split_once('\n').expect("the first line tells the size");
    let told: String = told.lines().map(|line| format!("|{line}\n")).collect();
    expect![[r#"
        |  left-out: sys/firmware/fdt: it is no whole device tree: it does not begin with 0xd00dfeed
        |  redacted: proc/cmdline: 2 words that are no switches of IOMMU, VFIO or PCI
        |  redacted: sys/kernel/iommu_groups/3/devices/00000000-0000-0000-0000-000000000001: an identifier in
        |            the name
        |  redacted: sys/devices/pci0000:00/0000:00:01.0/config: the register of Vital Product Data, the
        |            device serial number
        |  redacted: proc/cpuinfo: the serial number of the processor
        |  redacted: proc/version: who built the kernel, and where
    "#]]
    .assert_eq(&told);
    script(&place, &["--root", &root.to_string_lossy(), "-o", "scripts.tar.gz"]);
    let trees = [ours, place.join("scripts.tar.gz")].map(|path| archive(&path));
    for tree in &trees {
        let text = everything(tree);
        let left: Vec<&str> = SECRETS.into_iter().filter(|secret| text.contains(secret)).collect();
        assert_eq!(left, [""; 0]);
        assert!(text.contains("APIC2") && text.contains("intel_iommu=on"));
    }
    let [ours, scripts] = trees;
    expect![[r#"
        # A capture of a host for `planner`. `read` is what it holds. The other lines say what it lacks: what could not be
        # read, was read in part, was left out, or was redacted, and why.
        maker planner 0.1.0
        redaction on
        left-out sys/firmware/fdt: it is no whole device tree: it does not begin with 0xd00dfeed
        redacted proc/cmdline: 2 words that are no switches of IOMMU, VFIO or PCI
        redacted proc/cpuinfo: the serial number of the processor
        redacted proc/version: who built the kernel, and where
        redacted sys/devices/pci0000:00/0000:00:01.0/config: the register of Vital Product Data, the device serial number
        redacted sys/kernel/iommu_groups/3/devices/00000000-0000-0000-0000-000000000001: an identifier in the name
    "#]].assert_eq(&lacks(&ours));
    expect![[r#"
        # A capture of a host for `planner`. `read` is what it holds. The other lines say what it lacks: what could not be
        # read, was read in part, was left out, or was redacted, and why.
        maker planner-capture.sh 0.1.0
        redaction on
        left-out sys/firmware/fdt: a script cannot redact it; planner can
        redacted proc/cmdline: 2 words that are no switches of IOMMU, VFIO or PCI
        redacted proc/cpuinfo: the serial number of the processor
        redacted proc/version: who built the kernel, and where
        redacted sys/devices/pci0000:00/0000:00:01.0/config: the register of Vital Product Data, the device serial number
        redacted sys/kernel/iommu_groups/3/devices/00000000-0000-0000-0000-000000000000: an identifier in the name
    "#]].assert_eq(&lacks(&scripts));
    // The script has no memory: it writes zeros where `planner` counts.
    let [mut ours, mut scripts] = [ours, scripts].map(|tree| nodes(&tree));
    for nodes in [&mut ours, &mut scripts] {
        nodes.retain(|path, _| !path.contains("00000000-0000-"));
    }
    assert_eq!(differences(&ours, &scripts), [""; 0]);
}

#[test]
#[cfg(unix)]
fn nothing_is_taken_out_when_not_asked() {
    let place = scratch("capture-whole");
    let root = place.join("root");
    unpack(&specimen(), &root);
    capture(&root, &place.join("ours.tar.gz"), &["--no-redact"]);
    script(&place, &["--root", &root.to_string_lossy(), "-o", "scripts.tar.gz", "--no-redact"]);
    let ours = archive(&place.join("ours.tar.gz"));
    let on_the_list = |path: &str| !path.ends_with("/DSDT") && !path.ends_with("/secret");
    let mut expected = nodes(&specimen());
    expected.retain(|path, _| on_the_list(path));
    let mut found = nodes(&ours);
    found.retain(|_, node| *node != Node::Directory);
    assert_eq!(differences(&found, &expected), [""; 0]);
    assert_eq!(differences(&nodes(&archive(&place.join("scripts.tar.gz"))), &nodes(&ours)), [""; 0]);
    // What a script could not redact is redacted later.
    capture(&place.join("scripts.tar.gz"), &place.join("later.tar.gz"), &[]);
    capture(&root, &place.join("now.tar.gz"), &[]);
    let [later, now] = ["later.tar.gz", "now.tar.gz"].map(|name| nodes(&archive(&place.join(name))));
    assert_eq!(differences(&later, &now), [""; 0]);
}

#[test]
fn the_same_machine_gives_the_same_bytes() {
    let place = scratch("capture-twice");
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/captures/x86-6.1-amd.tar.gz");
    let [one, other] = ["one.tar.gz", "other.tar.gz"].map(|name| place.join(name));
    capture(&from, &one, &[]);
    capture(&one, &other, &[]);
    assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap());
}

#[test]
fn a_file_that_exists_is_not_overwritten() {
    let place = scratch("capture-exists");
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/captures/x86-6.1-amd.tar.gz");
    let to = place.join("mine.tar.gz");
    fs::write(&to, "mine").unwrap();
    let refused = capture(&from, &to, &[]);
    assert!(refused.status == 2 && refused.stderr.starts_with("error[A004]"), "{}", refused.told());
    let refused = script(&place, &["-o", "mine.tar.gz"]);
    let message = "mine.tar.gz exists; --force overwrites it\n";
    assert!(refused.status == 2 && refused.stderr.ends_with(message), "{}", refused.told());
    assert_eq!(fs::read(&to).unwrap(), b"mine");
    assert_eq!(capture(&from, &to, &["--force"]).status, 0);
    assert!(archive(&to).exists("sys/bus/pci/devices"));
}

#[test]
fn only_captures_are_made_captures_of() {
    crate::check(
        "capture --from board.host -o x.tar.gz",
        expect![[r#"
        --- stderr
        error[A030]: `board.host` is no capture
        --> board.host

        --- exit 2
    "#]],
    );
}

#[test]
fn the_script_refuses_what_it_does_not_know() {
    let place = scratch("capture-usage");
    for arguments in [["--redact"].as_slice(), &["-o"], &["--root", "nowhere"], &["--root", "."]] {
        let refused = script(&place, arguments);
        assert!(refused.status == 2 && !refused.stderr.is_empty(), "{arguments:?}: {}", refused.told());
    }
    assert_eq!(crate::names(&place), ["capture.sh"]);
    assert_eq!(script(&place, &["--help"]).status, 0);
}

#[test]
fn a_capture_goes_through_a_pipe() {
    let from = "../../../tests/captures/x86-6.1-amd.tar.gz";
    let mut writer = command(&["capture", "--from", from, "-o", "-"]);
    let mut writer = writer.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut reader = command(&["reserved", "-", "--sysfs", "0"]);
    let read = finish(reader.stdin(writer.stdout.take().expect("it is piped")));
    assert!(writer.wait().expect("it ends").success());
    assert_eq!(read.told(), run(&["reserved", from, "--sysfs", "0"]).told());
}

#[test]
fn what_was_captured_is_told_as_json() {
    let place = scratch("capture-json");
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/captures/x86-7.3-noiommu.tar.gz");
    let told = capture(&from, &place.join("out.tar.gz"), &["--json"]);
    let document: Value = serde_json::from_str(&told.stdout).expect("it is JSON");
    assert_eq!((told.status, told.stderr.as_str()), (0, ""));
    assert_eq!(document["schema"], "capture/1");
    assert_eq!(document["redacted"], true);
    assert_eq!(document["lacks"][0]["lack"], "redacted");
}

/// The page shows the list as it is printed.
#[test]
fn the_manual_shows_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/capturing.md");
    let page = fs::read_to_string(&path).expect("docs/capturing.md");
    let (before, rest) = page.split_once("```text\n").expect("the list stands in the first block");
    let (_, after) = rest.split_once("```\n").expect("the block ends");
    let list = run(&["capture", "--list"]).stdout;
    expect_test::expect_file![path.canonicalize().expect("it is there")]
        .assert_eq(&format!("{before}```text\n{list}```\n{after}"));
    let json: Value =
        serde_json::from_str(&run(&["capture", "--list", "--json"]).stdout).expect("it is JSON");
    assert_eq!(json["rows"].as_array().map(Vec::len), Some(list.lines().count()));
}
