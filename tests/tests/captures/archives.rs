//! Archives that are damaged or hostile: one fault each.

use std::io::Write as _;

use expect_test::{Expect, expect};
use flate2::Compression;
use flate2::write::GzEncoder;
use planner_core::read::capture::archive::Limits;
use planner_core::read::capture::{Tree, from_archive, from_archive_within};
use tar::{Builder, EntryType, Header};

use super::summary::diagnostic_lines;

/// A file that makes an archive a capture.
const MINIMUM: (&str, &[u8]) = ("sys/kernel/iommu_groups/0/type", b"DMA\n");

/// Reads an archive; what is left of it and what is said about it is compared with the expected text.
fn check(bytes: &[u8], expected: &Expect) -> Tree {
    let (tree, diagnostics) = from_archive(bytes, "x.tar.gz");
    let paths: String = tree.iter().map(|(path, _)| format!("{path}\n")).collect();
    expected.assert_eq(&format!("{paths}{}", diagnostic_lines(&diagnostics)));
    tree
}

/// An archive in the making. Its paths are written without the checks of the `tar` crate.
struct Archive(Builder<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(path, EntryType::Regular, "", content)
    }

    fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, EntryType::Symlink, target, b"")
    }

    fn entry(mut self, path: &str, kind: EntryType, target: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        let old = header.as_old_mut();
        old.name[..path.len()].copy_from_slice(path.as_bytes());
        old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn tar(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    fn gzip(self) -> Vec<u8> {
        gzip(&self.tar())
    }
}

fn minimal() -> Archive {
    Archive::new().file(MINIMUM.0, MINIMUM.1)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn plain_and_compressed_archives_are_read() {
    for bytes in [minimal().tar(), minimal().gzip()] {
        check_only_minimum(&bytes);
    }
}

/// The tree holds the minimum and nothing is reported.
fn check_only_minimum(bytes: &[u8]) {
    let (tree, diagnostics) = from_archive(bytes, "x.tar.gz");
    assert_eq!(diagnostics, []);
    assert_eq!(tree.iter().map(|(path, _)| path).collect::<Vec<_>>(), [MINIMUM.0]);
}

#[test]
fn the_root_of_the_capture_is_found_below_any_name() {
    for root in ["./", "host/", "./host/", "a/b/c/"] {
        check_only_minimum(&Archive::new().file(&format!("{root}{}", MINIMUM.0), MINIMUM.1).tar());
    }
}

#[test]
fn a_copy_of_the_state_after_an_experiment_is_not_the_capture() {
    let archive = Archive::new()
        .file("host/post/sys/kernel/iommu_groups/0/type", b"identity\n")
        .file("host/post/proc/iomem", b"")
        .file("host/sys/kernel/iommu_groups/0/type", b"DMA\n");
    let tree = check(
        &archive.tar(),
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
    "#]],
    );
    assert_eq!(tree.file(MINIMUM.0), Some(MINIMUM.1));
}

#[test]
fn of_two_captures_the_larger_is_taken() {
    let archive = Archive::new()
        .file("one/sys/kernel/iommu_groups/0/type", b"DMA\n")
        .file("two/sys/kernel/iommu_groups/0/type", b"DMA\n")
        .file("two/sys/kernel/iommu_groups/1/type", b"DMA\n");
    check(
        &archive.tar(),
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        sys/kernel/iommu_groups/1/type
        warning[C006] x.tar.gz: the archive holds several captures, `one`, `two`; `two` was taken
    "#]],
    );
}

#[test]
fn what_is_not_on_the_list_is_passed_over() {
    let archive =
        minimal().file("sys/devices/pci0000:00/0000:00:01.0/rom", b"secret").file("etc/shadow", b"root");
    check(
        &archive.tar(),
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
    "#]],
    );
}

#[test]
fn an_archive_without_a_capture_is_an_error() {
    check(
        &Archive::new().file("README", b"hello").gzip(),
        &expect![[r#"
            error[C001] x.tar.gz: the archive holds no directory with `sys/kernel/iommu_groups` or `sys/bus/pci/devices`
                help: make one there with `planner capture`, or with the script that `planner capture --script` prints; or plan there with `live`
        "#]],
    );
    check(
        &gzip(b""),
        &expect![[r#"
            error[C001] x.tar.gz: the archive holds no directory with `sys/kernel/iommu_groups` or `sys/bus/pci/devices`
                help: make one there with `planner capture`, or with the script that `planner capture --script` prints; or plan there with `live`
        "#]],
    );
}

#[test]
fn absolute_paths_are_refused() {
    check(
        &minimal().file("/sys/kernel/iommu_groups/1/type", b"DMA\n").tar(),
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C004] x.tar.gz: the entry `/sys/kernel/iommu_groups/1/type` has an absolute path
    "#]],
    );
}

#[test]
fn paths_that_lead_out_are_refused() {
    check(
        &minimal().file("host/../sys/kernel/iommu_groups/1/type", b"DMA\n").tar(),
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C004] x.tar.gz: the entry `host/../sys/kernel/iommu_groups/1/type` leads out of the archive with `..`
    "#]],
    );
}

#[test]
fn paths_that_are_too_long_or_too_deep_are_refused() {
    let mut builder = minimal().0;
    for path in ["long/".repeat(1000), "d/".repeat(400)] {
        let mut header = Header::new_gnu();
        header.set_size(0);
        builder.append_data(&mut header, format!("{path}x"), std::io::empty()).unwrap();
    }
    check(
        &Archive(builder).tar(),
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C004] x.tar.gz: the entry `long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/…` has a path of 5001 bytes, more than 4096
        warning[C004] x.tar.gz: the entry `d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/…` is 401 directories deep, more than 300
    "#]],
    );
}

#[test]
fn hard_links_devices_and_sparse_files_are_refused() {
    let archive = minimal()
        .entry("proc/version", EntryType::Link, "etc/shadow", b"")
        .entry("proc/iomem", EntryType::Char, "", b"")
        .entry("proc/cmdline", EntryType::Fifo, "", b"")
        .entry("proc/meminfo", EntryType::Symlink, "../etc/shadow", b"");
    check(
        &archive.tar(),
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C005] x.tar.gz: the entry `proc/version` is a hard link
        warning[C005] x.tar.gz: the entry `proc/iomem` is a device or a pipe
        warning[C005] x.tar.gz: the entry `proc/cmdline` is a device or a pipe
        warning[C005] x.tar.gz: the entry `proc/meminfo` is a symbolic link, not a file
    "#]],
    );
}

#[test]
fn a_link_without_target_is_refused() {
    check(
        &minimal().link("sys/bus/pci/devices/0000:00:01.0", "").tar(),
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C005] x.tar.gz: the entry `sys/bus/pci/devices/0000:00:01.0` is a symbolic link whose target is missing, too long or no text
    "#]],
    );
}

#[test]
fn a_long_file_is_cut() {
    let long = vec![b'x'; 64 * 1024 + 1];
    let tree = check(
        &minimal().file("proc/cmdline", &long).file("proc/cpuinfo", &long).tar(),
        &expect![[r#"
            proc/cmdline
            proc/cpuinfo
            sys/kernel/iommu_groups/0/type
            warning[C009] proc/cmdline: `proc/cmdline` is longer than 64 KiB
        "#]],
    );
    assert_eq!(tree.file("proc/cmdline").map(<[u8]>::len), Some(64 * 1024));
    assert_eq!(tree.file("proc/cpuinfo").map(<[u8]>::len), Some(4096));
}

/// Bounds that a test reaches quickly.
const SMALL: Limits =
    Limits { archive_bytes: 100_000, inflated_bytes: 50_000, entries: 20, kept_bytes: 5000 };

fn check_within_small(bytes: &[u8], expected: &Expect) {
    let (_, diagnostics) = from_archive_within(bytes, "x.tar.gz", &SMALL);
    expected.assert_eq(&diagnostic_lines(&diagnostics));
}

#[test]
fn too_many_entries_end_the_reading() {
    let archive = |count| (1..count).fold(minimal(), |archive, _| archive.file("x", b"")).tar();
    check_within_small(&archive(20), &expect![[r#""#]]);
    check_within_small(
        &archive(21),
        &expect![[r#"
        error[C003] x.tar.gz: the archive has more than 20 entries
    "#]],
    );
}

#[test]
fn a_bomb_ends_the_reading() {
    let bomb = |size| minimal().file("bomb", &vec![0; size]).gzip();
    check_within_small(&bomb(40_000), &expect![[r#""#]]);
    check_within_small(
        &bomb(60_000),
        &expect![[r#"
        error[C003] x.tar.gz: the archive holds more than 50000 bytes after decompression
    "#]],
    );
    assert!(bomb(60_000).len() < 1000);
}

#[test]
fn more_than_can_be_kept_ends_the_reading() {
    check_within_small(
        &minimal().file("proc/iomem", &[b'\n'; 6000]).tar(),
        &expect![[r#"
        error[C003] x.tar.gz: the files that are read hold more than 5000 bytes together
    "#]],
    );
}

#[test]
fn an_archive_that_is_too_large_is_not_read() {
    check_within_small(
        &minimal().file("x", &[0; 100_000]).tar(),
        &expect![[r#"
        error[C003] x.tar.gz: the archive has 102912 bytes, more than 100000 bytes
    "#]],
    );
}

#[test]
fn a_truncated_archive_gives_what_it_held() {
    let whole = minimal().file("proc/version", &vec![b'x'; 5000]).file("proc/cmdline", b"quiet\n").tar();
    check(
        &whole[..1536],
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C002] x.tar.gz: the archive ends early; 2 entries were seen
            help: make or copy the capture again; groups and devices may be missing from this one
    "#]],
    );
    check(
        &whole[..1700],
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C002] x.tar.gz: the archive ends early; 2 entries were seen
            help: make or copy the capture again; groups and devices may be missing from this one
    "#]],
    );
    let compressed = gzip(&whole);
    check(
        &compressed[..compressed.len() - 20],
        &expect![[r#"
        proc/cmdline
        proc/version
        sys/kernel/iommu_groups/0/type
        warning[C002] x.tar.gz: the archive ends early; 3 entries were seen
            help: make or copy the capture again; groups and devices may be missing from this one
    "#]],
    );
    check(
        &compressed[..20],
        &expect![[r#"
            warning[C002] x.tar.gz: the archive ends early; 0 entries were seen
                help: make or copy the capture again; groups and devices may be missing from this one
            error[C001] x.tar.gz: the archive holds no directory with `sys/kernel/iommu_groups` or `sys/bus/pci/devices`
                help: make one there with `planner capture`, or with the script that `planner capture --script` prints; or plan there with `live`
        "#]],
    );
}

#[test]
fn a_wrong_checksum_is_noticed() {
    let mut header = minimal().file("proc/cmdline", b"quiet\n").tar();
    header[1024] ^= 1;
    check(
        &header,
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C002] x.tar.gz: the archive cannot be read further; 1 entry was seen
            note: archive header checksum mismatch
            help: make or copy the capture again; groups and devices may be missing from this one
    "#]],
    );
    let mut stream = minimal().gzip();
    let at = stream.len() - 8;
    stream[at] ^= 1;
    check(
        &stream,
        &expect![[r#"
        sys/kernel/iommu_groups/0/type
        warning[C002] x.tar.gz: the archive cannot be read further; 1 entry was seen
            note: corrupt gzip stream does not have a matching checksum
            help: make or copy the capture again; groups and devices may be missing from this one
    "#]],
    );
}

#[test]
fn a_size_that_is_no_number_is_noticed() {
    let mut bytes = minimal().tar();
    bytes[124..136].fill(b'z');
    check(
        &bytes,
        &expect![[r#"
            warning[C002] x.tar.gz: the archive cannot be read further; 0 entries were seen
                note: archive header checksum mismatch
                help: make or copy the capture again; groups and devices may be missing from this one
            error[C001] x.tar.gz: the archive holds no directory with `sys/kernel/iommu_groups` or `sys/bus/pci/devices`
                help: make one there with `planner capture`, or with the script that `planner capture --script` prints; or plan there with `live`
        "#]],
    );
}
