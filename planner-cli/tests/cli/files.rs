//! What `-o` writes: everything or nothing.

use std::fs;

use expect_test::expect;

use crate::{names, run, scratch};

fn plan_into(directory: &std::path::Path, guest: &str, more: &[&str]) -> crate::Run {
    let place = directory.to_string_lossy();
    let mut arguments = vec!["plan", "board.host", guest, "-o", &place];
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn a_plan_is_written_with_all_that_belongs_to_it() {
    let directory = scratch("out-new").join("nic");
    let run = plan_into(&directory, "nic.guest", &[]);
    assert_eq!(run.status, 0, "{}", run.told());
    assert_eq!(names(&directory), ["README.md", "kvmtool.sh", "map.svg", "plan.json"]);
    assert_eq!(names(directory.parent().unwrap()), ["nic"]);
    let planned = crate::run(&["plan", "board.host", "nic.guest", "--json"]).stdout;
    assert_eq!(fs::read_to_string(directory.join("plan.json")).unwrap(), planned);
    expect![[r#"
        # nic on kvmtool 2024.7

        4 GiB of RAM in one piece on host `board` (Linux 6.12, 4K pages), with 0000:01:00.0. The guest needs 33 bits of guest-physical address. The kernel maps MSI doorbells at 0x800_0000..=0x80f_ffff, 1 of 256 pages are taken.

        ## Memory map

        | region | addresses | size | placed |
        |---|---|---|---|
        | ioport | 0x0..=0xffff | 64 KiB | where the VMM puts it |
        | uart | 0x100_0000..=0x100_ffff | 64 KiB | where the VMM puts it |
        | rtc | 0x101_0000..=0x101_ffff | 64 KiB | where the VMM puts it |
        | pvtime | 0x102_0000..=0x102_ffff | 64 KiB | where the VMM puts it |
        | flash | 0x200_0000..=0x2ff_ffff | 16 MiB | where the VMM puts it |
        | virtio-mmio | 0x300_0000..=0x3ff8_ffff | 998976 KiB | where the VMM puts it |
        | msi-window | 0x800_0000..=0x80f_ffff | 1 MiB | kept by the kernel |
        | gic-its | 0x3ff9_0000..=0x3ffa_ffff | 128 KiB | where the VMM puts it |
        | gic-redist | 0x3ffb_0000..=0x3ffe_ffff | 256 KiB | where the VMM puts it |
        | gic-dist | 0x3fff_0000..=0x3fff_ffff | 64 KiB | where the VMM puts it |
        | pci-cfg | 0x4000_0000..=0x4fff_ffff | 256 MiB | where the VMM puts it |
        | pci-mmio | 0x5000_0000..=0x7fff_ffff | 768 MiB | where the VMM puts it |
        | ram0 | 0x8000_0000..=0x1_7fff_ffff | 4 GiB | where the VMM puts it |

        ## Files

        - `plan.json`: the plan, for `planner check`, `emit` and `map`
        - `map.svg`: the picture
        - `kvmtool.sh`: configuration

        `planner check HOST plan.json` verifies the plan again, on this host or another.
    "#]].assert_eq(&fs::read_to_string(directory.join("README.md")).unwrap());
}

#[test]
fn files_join_a_directory_that_is_there() {
    let directory = scratch("out-there");
    fs::write(directory.join("notes.txt"), "mine").unwrap();
    assert_eq!(plan_into(&directory, "nic.guest", &[]).status, 0);
    assert_eq!(names(&directory), ["README.md", "kvmtool.sh", "map.svg", "notes.txt", "plan.json"]);
}

#[test]
fn nothing_is_overwritten() {
    let directory = scratch("out-taken");
    fs::write(directory.join("README.md"), "mine").unwrap();
    let run = plan_into(&directory, "nic.guest", &[]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(
        run.stderr.contains("README.md` exists") && run.stderr.contains("--force overwrites it"),
        "{}",
        run.stderr
    );
    assert_eq!(names(&directory), ["README.md"]);
    assert_eq!(fs::read_to_string(directory.join("README.md")).unwrap(), "mine");
}

#[test]
fn force_overwrites() {
    let directory = scratch("out-force");
    fs::write(directory.join("README.md"), "mine").unwrap();
    assert_eq!(plan_into(&directory, "nic.guest", &["--force"]).status, 0);
    assert!(fs::read_to_string(directory.join("README.md")).unwrap().starts_with("# nic on kvmtool"));
}

#[test]
fn a_directory_in_the_way_is_not_forced() {
    let directory = scratch("out-directory");
    fs::create_dir(directory.join("plan.json")).unwrap();
    let run = plan_into(&directory, "nic.guest", &["--force"]);
    assert_eq!(run.status, 2);
    assert_eq!(names(&directory), ["plan.json"]);
}

#[test]
fn no_layout_writes_nothing() {
    let directory = scratch("out-conflict").join("virt");
    let run = plan_into(&directory, "virt.guest", &[]);
    assert_eq!(run.status, 1);
    assert!(!directory.exists());
}

#[test]
fn bad_input_writes_nothing() {
    let directory = scratch("out-bad").join("nic");
    assert_eq!(plan_into(&directory, "nic.guest", &["--memory", "lots"]).status, 2);
    assert!(!directory.exists());
}

#[test]
fn a_place_that_is_a_file() {
    let file = scratch("out-file").join("nic");
    fs::write(&file, "mine").unwrap();
    let run = plan_into(&file, "nic.guest", &["--force"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("cannot be written"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_place_whose_parent_is_missing() {
    let directory = scratch("out-orphan").join("no/such");
    let run = plan_into(&directory, "nic.guest", &[]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("cannot be written"), "{}", run.stderr);
}

#[test]
fn pictures_by_the_ending_of_their_file() {
    let directory = scratch("out-pictures");
    for (name, start) in [("map.svg", "<svg "), ("map.html", "<!doctype html>")] {
        let path = directory.join(name);
        let run = run(&["map", "board.host", "-o", &path.to_string_lossy()]);
        assert_eq!((run.status, run.stdout.as_str()), (0, ""));
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        assert!(text.starts_with(start), "{text:.60}");
    }
    let again = run(&["map", "board.host", "-o", &directory.join("map.svg").to_string_lossy()]);
    assert_eq!(again.status, 2);
    let png = run(&["map", "board.host", "-o", &directory.join("map.png").to_string_lossy()]);
    assert!(png.status == 2 && png.stderr.contains("neither in .svg nor in .html"), "{}", png.told());
    assert_eq!(names(&directory), ["map.html", "map.svg"]);
}
