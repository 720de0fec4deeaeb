//! `planner reserved`, `rules` and `schema`.

use expect_test::{expect, expect_file};

use crate::{check, run};

#[test]
fn groups_that_are_alike_are_told_together() {
    check(
        "reserved board.host",
        expect![[r#"
            board: Linux 6.12 with 4K pages

            groups 0-1: 0000:01:00.0, 0000:02:00.0
              reserved
                0x800_0000..=0x80f_ffff  1 MiB  msi  predicted [K-SWMSI]
              usable with VFIO type1, in pages of 4K 2M 1G
                0x0..=0x7ff_ffff               128 MiB
                0x810_0000..=0xffff_ffff_ffff  ~256 TiB
              usable with iommufd: the same, aligned to 4K
              MSI window 0x800_0000..=0x80f_ffff has room for 256 doorbell pages
                the doorbell at 0x603_0040 is seen at 0x800_0040
              hazard: DMA into window mem32 0x4000_0000..=0x7fff_ffff of root complex pcie0 is taken as peer to
                      peer before the IOMMU sees it [H-P2PWIN]
            --- exit 0
        "#]],
    );
}

#[test]
fn one_group_in_json() {
    let run = run(&["reserved", "board.host", "--group", "1", "--json"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    expect_file!["../data/reserved.json"].assert_eq(&run.stdout);
}

#[test]
fn the_text_of_the_kernels_file() {
    check(
        "reserved board.host --sysfs 0",
        expect![[r#"
        0x0000000008000000 0x00000000080fffff msi
        --- exit 0
    "#]],
    );
}

#[test]
fn another_kernel_and_page_size() {
    let run = run(&["reserved", "board.host", "--kernel", "6.1", "--page", "64K"]);
    assert!(run.stdout.starts_with("board: Linux 6.1 with 64K pages\n"), "{}", run.told());
    assert!(run.stdout.contains("room for 16 doorbell pages"), "{}", run.stdout);
}

#[test]
fn groups_and_kernels_that_are_none() {
    check(
        "reserved board.host --sysfs 9",
        expect![[r#"
        --- stderr
        error[A007]: `board` has no IOMMU group 9
        --> --sysfs 9
         = help: there are: 0, 1

        --- exit 2
    "#]],
    );
    check(
        "reserved board.host --group one",
        expect![[r#"
        --- stderr
        error[A001]: --group: found `one`, expected a number
        --> --group one

        --- exit 2
    "#]],
    );
    check(
        "reserved board.host --kernel six --page 5K",
        expect![[r#"
        --- stderr
        error[A001]: --kernel: found `six`, expected a version such as 6.12 or 6.1.192
        --> --kernel six

        --- exit 2
    "#]],
    );
    check(
        "reserved board.host --sysfs 0 --kernel 4.9",
        expect![[r#"
        --- stderr
        error[A006]: Linux 4.9 has no file reserved_regions
        --> --sysfs 0
         = help: it came since 4.11

        --- exit 2
    "#]],
    );
}

#[test]
fn a_host_without_groups() {
    check(
        "reserved bare.host",
        expect![[r#"
        bare: Linux 6.12 with 4K pages
        --- stderr
        warning[A013]: `bare` has no IOMMU group
         |
         = help: say which IOMMU translates for a root complex, and which devices are behind it

        --- exit 0
    "#]],
    );
}

#[test]
fn rules_by_kernel() {
    let all = run(&["rules"]).stdout;
    let old = run(&["rules", "--kernel", "4.12"]).stdout;
    assert!(all.contains("K-DIRECTBLOCK ") && !old.contains("K-DIRECTBLOCK "));
    assert!(all.contains("M-QEMU-VIRT-RAM ") && all.contains("P-AVOID "));
    let json = run(&["rules", "--json"]).stdout;
    assert!(
        json.starts_with("{\n  \"schema\": \"rules/1\",\n  \"rules\": [\n    {\n      \"id\": \"K-"),
        "{json:.200}"
    );
}

#[test]
fn schemas_by_name() {
    check(
        "schema",
        expect![[r#"
              host          a host, as input
              guest         a guest, as input
              plan          planner plan --json
              reserved      planner reserved --json
              inspect       planner inspect --json
              capture       planner capture --json
              capture-list  planner capture --list --json
              check         planner check --json
              conformance   planner conformance --json
              rules         planner rules --json
              vmm-map       planner vmm VMM --memory … --json
              explain       planner explain --json
              vmms          planner vmm --json
            --- exit 0
        "#]],
    );
    check(
        "schema plam",
        expect![[r#"
            --- stderr
            error[A006]: there is no schema `plam`
            --> plam
             = help: there are: host, guest, plan, reserved, inspect, capture, capture-list, check, conformance, rules, vmm-map, explain, vmms

            --- exit 2
        "#]],
    );
    for name in run(&["schema"]).stdout.lines().filter_map(|line| line.split_whitespace().next()) {
        let run = run(&["schema", name]);
        assert!(run.status == 0 && run.stdout.contains("\"$schema\""), "{name}: {}", run.told());
    }
}
