//! Inputs of every kind, sound and unsound, one per case.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use planner_core::diag::Diagnostic;
use planner_core::read::capture::{Node, Tree, facts, from_archive};

use super::{Content, Loaded, load, name_of};

/// A directory of one test, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("planner-input-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, path: &str, content: &[u8]) -> String {
        let file = self.0.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Writes a tree below `root`.
    #[cfg(unix)]
    fn unpack(&self, root: &str, tree: &Tree) -> String {
        for (path, node) in tree.iter() {
            let path = self.0.join(root).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match node {
                Node::File(bytes) => fs::write(path, bytes).unwrap(),
                Node::Link(target) => std::os::unix::fs::symlink(target, path).unwrap(),
                Node::Directory => fs::create_dir_all(path).unwrap(),
            }
        }
        self.path(root)
    }

    fn path(&self, path: &str) -> String {
        self.0.join(path).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn archive(name: &str) -> String {
    format!("{}/../tests/captures/{name}.tar.gz", env!("CARGO_MANIFEST_DIR"))
}

fn tree(loaded: Loaded) -> Tree {
    match loaded.content {
        Content::Capture(tree) => tree,
        other => panic!("{other:?}"),
    }
}

/// What is said when `path` cannot be loaded, without the path of the test's directory.
fn complaint(scratch: &Scratch, path: &str) -> String {
    let lines = load(path).unwrap_err().iter().map(line).collect::<Vec<_>>().join("\n");
    lines.replace(scratch.0.to_str().unwrap(), "DIR")
}

fn line(diagnostic: &Diagnostic) -> String {
    let help: String = diagnostic.help.iter().map(|help| format!("; help: {help}")).collect();
    format!("{} {}{help}", diagnostic.code.id, diagnostic.message)
}

#[test]
#[cfg(unix)]
fn a_directory_says_the_same_as_its_archive() {
    let scratch = Scratch::new();
    for name in
        ["arm64-7.3-smmu-its-dt", "arm64-7.3-smmu-sriov-acpi", "x86-7.3-amd", "x86-7.3iommufd-intel-scalable"]
    {
        let loaded = load(&archive(name)).unwrap();
        assert_eq!(loaded.name, name);
        let from_archive = tree(loaded);
        let directory = load(&scratch.unpack(name, &from_archive)).unwrap();
        assert_eq!(directory.diagnostics, []);
        assert_eq!(facts(&tree(directory), name), facts(&from_archive, name));
    }
}

#[test]
fn texts_are_told_apart_by_content() {
    let scratch = Scratch::new();
    let kind = |content: &str| match load(&scratch.file("x", content.as_bytes())).unwrap().content {
        Content::Description(text) => format!("description {text}"),
        Content::Json(text) => format!("json {text}"),
        Content::Capture(_) => "capture".to_owned(),
        Content::DeviceTree(blob) => format!("devicetree of {} bytes", blob.len()),
    };
    assert_eq!(kind("host \"a\" {}"), "description host \"a\" {}");
    assert_eq!(kind("# {\nhost \"a\" {}"), "description # {\nhost \"a\" {}");
    assert_eq!(kind("\u{feff}host \"a\" {}"), "description host \"a\" {}");
    assert_eq!(kind("\n {}"), "json \n {}");
}

#[test]
fn a_devicetree_is_told_by_its_first_bytes() {
    let scratch = Scratch::new();
    let loaded = load(&scratch.file("board.dtb", b"\xd0\x0d\xfe\xed\0\0")).unwrap();
    assert_eq!(loaded.name, "board");
    assert!(matches!(loaded.content, Content::DeviceTree(blob) if blob.len() == 6));
}

#[test]
fn what_is_no_input_is_named() {
    let scratch = Scratch::new();
    let complain = |content: &[u8]| complaint(&scratch, &scratch.file("x", content));
    assert_eq!(
        complain(b" \n"),
        "C011 `DIR/x` is empty; help: a description starts with `host \"NAME\" {` or `guest \"NAME\" {`"
    );
    assert!(
        complain(b"host \xff").starts_with("C011 `DIR/x` is no text: byte 5 is not UTF-8; help: inputs are")
    );
    assert!(complain(b"host\0").starts_with("C011 `DIR/x` is no text: byte 4 is zero; help: inputs are"));
    assert!(complain(b"PK\x03\x04...").starts_with("C011 `DIR/x` is a zip file; help: unpack it"));
    assert!(complain(b"\x1f\x8b").contains("C001 the archive holds no directory with"));
    assert_eq!(
        complaint(&scratch, &scratch.path("none")),
        "C010 `DIR/none` does not exist; help: `live` reads this machine"
    );
}

#[test]
fn a_directory_without_sys_is_no_capture() {
    let scratch = Scratch::new();
    scratch.file("a/host/sys/kernel/x", b"");
    scratch.file("b/proc/iomem", b"");
    assert_eq!(
        complaint(&scratch, &scratch.path("a")),
        "C001 the directory `DIR/a` holds no directory `sys`; help: `DIR/a/host` holds one"
    );
    assert_eq!(
        complaint(&scratch, &scratch.path("b")),
        "C001 the directory `DIR/b` holds no directory `sys`; help: make one there with `planner capture`, or with the script that `planner capture --script` prints; or plan there with `live`"
    );
}

#[test]
#[cfg(unix)]
fn links_are_not_followed_out_of_the_directory() {
    use std::os::unix::fs::symlink;
    let scratch = Scratch::new();
    scratch.file("outside/0/type", b"secret");
    scratch.file("outside/version", b"secret");
    scratch.file("host/sys/kernel/x", b"");
    scratch.file("host/proc/x", b"");
    symlink(scratch.path("outside"), scratch.path("host/sys/kernel/iommu_groups")).unwrap();
    symlink(scratch.path("outside/version"), scratch.path("host/proc/version")).unwrap();
    let loaded = load(&scratch.path("host")).unwrap();
    let said: Vec<String> = loaded.diagnostics.iter().map(line).collect();
    assert_eq!(
        said,
        [
            "C005 `proc/version` is not a file",
            "C007 the directory `sys/kernel/iommu_groups` is a symbolic link and was not entered"
        ]
    );
    assert!(tree(loaded).iter().all(|(_, node)| !matches!(node, Node::File(_))));
    symlink(scratch.path("outside"), scratch.path("outside/sys")).unwrap();
    assert!(complaint(&scratch, &scratch.path("outside")).starts_with("C001"));
}

#[test]
fn a_long_file_is_cut() {
    let scratch = Scratch::new();
    scratch.file("host/sys/kernel/iommu_groups/0/type", &[b'x'; 100_000]);
    let loaded = load(&scratch.path("host")).unwrap();
    let said: Vec<String> = loaded.diagnostics.iter().map(line).collect();
    assert_eq!(said, ["C009 `sys/kernel/iommu_groups/0/type` is longer than 64 KiB"]);
    assert_eq!(tree(loaded).file("sys/kernel/iommu_groups/0/type").map(<[u8]>::len), Some(64 * 1024));
}

#[test]
#[cfg(target_os = "linux")]
fn this_machine_is_read_without_complaint_about_the_reading() {
    let loaded = load("live").unwrap();
    assert_eq!(loaded.name, "live");
    let (host, _) = facts(&tree(loaded), "live");
    assert!(host.kernel.is_some(), "every Linux has proc/version");
}

#[test]
fn names_lose_the_suffix_of_their_format() {
    let cases = [
        ("a/host1.tar.gz", "host1"),
        ("host1.tgz", "host1"),
        ("x.host", "x"),
        ("captures/host1/", "host1"),
        (".tar", ".tar"),
        ("7.3-its", "7.3-its"),
    ];
    for (path, name) in cases {
        assert_eq!(name_of(Path::new(path)), name, "{path}");
    }
    assert_eq!(
        name_of(Path::new(".")),
        std::env::current_dir().unwrap().file_name().unwrap().to_str().unwrap()
    );
}

#[test]
fn an_archive_is_an_archive_by_any_name() {
    let scratch = Scratch::new();
    let bytes = fs::read(archive("arm64-7.3-noiommu-dt")).unwrap();
    let loaded = load(&scratch.file("host.txt", &bytes)).unwrap();
    assert_eq!(tree(loaded), from_archive(&bytes, "x").0);
}
