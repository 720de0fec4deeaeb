//! `planner check`, `map`, `fmt` and `--locked`: things made earlier, looked at again.

use expect_test::expect;

use crate::{check, data, run, scratch};

/// A plan of `nic.guest` on `board.host`, in a file.
fn planned(name: &str) -> String {
    let path = scratch(name).join("plan.json");
    std::fs::write(&path, run(&["plan", "board.host", "nic.guest", "--json"]).stdout)
        .expect("the directory of temporary files can be written");
    path.to_string_lossy().into_owned()
}

#[test]
fn every_check_is_told() {
    let plan = planned("check-holds");
    expect![[r#"
        `nic` on `board`: Linux 6.12 with 4K pages
          ok        V001  the pieces of RAM add up to the memory of the guest and do not overlap
          ok        V002  all RAM lies where the kernel lets the passed devices map it
          ok        V003  RAM keeps out of windows that take DMA as peer to peer
          ok        V004  every passed device is on the host and can be given to a guest
          ok        V005  the VMM makes exactly the regions of the plan
          ok        V006  the MSI window of the plan is the kernel's, and no RAM lies in it
          ok        V007  RAM keeps out of what the guest is told to avoid
          ok        V008  the guest-physical address bits suffice
          ok        V009  the pieces of RAM lie on page boundaries
          ok        V010  every NUMA node has the memory that it was promised
          ok        V011  the VMM can do with host devices what the guest asks of it
          ok        V012  BARs that the VMM maps for DMA lie where the kernel lets it map them
          ok        V013  every passed device has a PCI segment with a place for it and room for its BARs
        --- exit 0
    "#]]
    .assert_eq(&run(&["check", "board.host", "nic.guest", &plan]).told());
    assert_eq!(
        run(&["check", "board.host", &plan]).told(),
        run(&["check", "board.host", "nic.guest", &plan]).told()
    );
}

#[test]
fn a_violation_is_a_finding() {
    let plan = planned("check-violated");
    let run = run(&["check", "board.host", "nic.guest", &plan, "--memory", "5G"]);
    assert_eq!((run.status, run.stderr.as_str()), (1, ""));
    let told: Vec<&str> = run.stdout.lines().map(str::trim_start).skip(1).take(2).collect();
    let expected = [
        "violated  V001  the pieces of RAM add up to the memory of the guest and do not overlap",
        "the pieces of RAM add up to 4 GiB, the guest wants 5 GiB",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_violation_in_json() {
    let plan = planned("check-json");
    let run = run(&["check", "board.host", "nic.guest", &plan, "--memory", "5G", "--json"]);
    assert_eq!(run.status, 1);
    expect![[r#"
        {
          "schema": "check/1",
          "host": {
            "name": "board",
            "kernel": "6.12",
            "page_size": "0x1000"
          },
          "guest": "nic",
          "holds": false,
          "checks": [
            {
              "code": "V001",
              "states": "the pieces of RAM add up to the memory of the guest and do not overlap",
              "holds": false,
              "violations": [
                "the pieces of RAM add up to 4 GiB, the guest wants 5 GiB"
              ]
            },"#]]
    .assert_eq(run.stdout.lines().take(18).collect::<Vec<_>>().join("\n").as_str());
}

#[test]
fn what_is_no_plan_is_refused() {
    check(
        "check board.host nic.guest",
        expect![[r#"
        --- stderr
        error[A003]: `nic.guest` is no plan: expected value at line 1 column 1
         --> nic.guest:1:1
          |
        1 | guest "nic" {
          | ^^^^^^^^^^^^^
          |
          = help: `planner plan HOST GUEST --json` prints one

        --- exit 2
    "#]],
    );
    check(
        "check board.host refusal.json",
        expect![[r#"
        --- stderr
        error[A003]: `refusal.json` is no plan: it says that there is no layout
        --> refusal.json
         = help: `planner plan HOST GUEST --json` prints one

        --- exit 2
    "#]],
    );
}

#[test]
fn an_earlier_layout_is_kept() {
    let plan = planned("locked-kept");
    let run =
        run(&["plan", "board.host", "nic.guest", "--vcpus", "2", "--locked", &plan, "--emit", "kvmtool"]);
    expect![[r#"
        # Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
        lkvm run \
          --name nic \
          -c 2 \
          -m 4096M \
          --vfio-pci 0000:01:00.0 \
          -k Image
        --- stderr
        note[A014]: the layout of the earlier plan for `nic` is kept
        --> --locked

        --- exit 0
    "#]]
    .assert_eq(&run.told());
}

#[test]
fn an_earlier_layout_that_is_not_the_planners_own_is_kept() {
    let path = scratch("locked-higher").join("plan.json");
    let higher =
        run(&["plan", "board.host", "nic.guest", "--json"]).stdout.replace("0x80000000\"", "0x100000000\"");
    std::fs::write(&path, higher.replace("0x17fffffff\"", "0x1ffffffff\"")).unwrap();
    let run =
        run(&["plan", "board.host", "nic.guest", "--locked", &path.to_string_lossy(), "--emit", "kvmtool"]);
    expect![[r#"
        # Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
        lkvm run \
          --name nic \
          -c 2 \
          -m 4096M@4096M \
          --vfio-pci 0000:01:00.0 \
          -k Image
        --- stderr
        note[A014]: the layout of the earlier plan for `nic` is kept
        --> --locked

        --- exit 0
    "#]]
    .assert_eq(&run.told());
}

#[test]
fn what_moved_is_told() {
    let plan = planned("locked-lost");
    let run =
        run(&["plan", "board.host", "nic.guest", "--memory", "5G", "--locked", &plan, "--emit", "kvmtool"]);
    expect![[r#"
        # Image stands for the guest's kernel; add -i for its initrd and -p for its command line.
        lkvm run \
          --name nic \
          -c 2 \
          -m 5120M \
          --vfio-pci 0000:01:00.0 \
          -k Image
        --- stderr
        warning[A015]: the layout of the earlier plan for `nic` does not hold any more
        --> --locked
         = note: the pieces of RAM add up to 4 GiB, the guest wants 5 GiB [V001]
         = note: ram0 moved from 0x8000_0000..=0x1_7fff_ffff to 0x8000_0000..=0x1_bfff_ffff

        --- exit 0
    "#]]
    .assert_eq(&run.told());
}

#[test]
fn a_picture_of_a_host() {
    let plain = run(&["map", "board.host", "--ascii"]);
    assert!(plain.stdout.starts_with("board\nLinux 6.12, 4K pages, groups 0, 1\n"), "{}", plain.told());
    assert!(plain.stdout.is_ascii() && !plain.stdout.contains("guest"), "{}", plain.stdout);
    let one = run(&["map", "board.host", "--group", "1"]);
    assert!(one.stdout.starts_with("board\nLinux 6.12, 4K pages, group 1\n"), "{}", one.told());
}

#[test]
fn a_list_names_the_line_of_the_description() {
    let listed = run(&["map", "board.host", "--list"]).stdout;
    assert!(listed.contains("board.host:17"), "{listed}");
}

#[test]
fn a_picture_of_a_plan_is_that_of_its_guest() {
    let plan = planned("map-plan");
    let of_plan = run(&["map", "board.host", &plan]);
    assert_eq!(of_plan.told(), run(&["map", "board.host", "nic.guest"]).told());
    assert!(of_plan.stdout.contains("ram0"), "{}", of_plan.stdout);
}

#[test]
fn a_picture_of_a_refusal_is_a_finding() {
    let run = run(&["map", "board.host", "virt.guest"]);
    assert_eq!(run.status, 1);
    assert!(run.stdout.contains('✗') && run.stderr.starts_with("no layout: "), "{}", run.told());
}

#[test]
fn a_picture_has_no_json() {
    check(
        "map board.host --json",
        expect![[r#"
        --- stderr
        error[A008]: a picture has no JSON form
        --> --json
         = help: `planner plan --json` and `planner reserved --json` have what it shows

        --- exit 2
    "#]],
    );
}

#[test]
fn a_group_that_the_host_has_not() {
    check(
        "map board.host --group 7",
        expect![[r#"
        --- stderr
        error[A007]: `board` has no IOMMU group 7
        --> --group 7
         = help: there are: 0, 1

        --- exit 2
    "#]],
    );
}

#[test]
fn a_description_in_canonical_form() {
    check(
        "fmt crooked.guest",
        expect![[r#"
        guest "crooked" {
            memory 1G
            vcpus 2
        }
        --- exit 0
    "#]],
    );
    check(
        "fmt --check crooked.guest board.host",
        expect![[r#"
        crooked.guest
        --- exit 1
    "#]],
    );
    check(
        "fmt broken.json",
        expect![[r#"
        --- stderr
        error[J002]: memory.size: `lots` not a number (write 0x4000_0000, 1048576, 16G or 2M)
         --> broken.json:1:31
          |
        1 | {"schema":"guest/1","memory":{"size":"lots"}}
          |                               ^^^^^^^^^^^^^

        --- exit 2
    "#]],
    );
}

#[test]
fn fmt_writes_in_place_and_only_what_differs() {
    let path = scratch("fmt").join("crooked.guest");
    std::fs::copy(data("crooked.guest"), &path).unwrap();
    let file = path.to_string_lossy().into_owned();
    assert_eq!(run(&["fmt", "--write", &file]).told(), "--- exit 0\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), run(&["fmt", "crooked.guest"]).stdout);
    assert_eq!(run(&["fmt", "--check", &file]).told(), "--- exit 0\n");
}
