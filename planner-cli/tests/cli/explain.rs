//! `planner explain`.

use std::io::Write as _;
use std::process::Stdio;

use expect_test::expect;

use crate::{check, command, run};

#[test]
fn rules_and_codes() {
    check(
        "explain k-swmsi",
        expect![[r#"
        K-SWMSI: behind an Arm SMMU, IOVAs 0x0800_0000..=0x080f_ffff are the MSI window: Linux maps
        doorbells there and lets nobody else map them
        An MSI is a DMA write, so the SMMU must translate it. The SMMU drivers therefore set aside one fixed
        mebibyte (MSI_IOVA_BASE, MSI_IOVA_LENGTH) as IOMMU_RESV_SW_MSI for every device, whether it uses
        MSIs or not. User space cannot move it. In reserved_regions it prints as `msi`, the same word as a
        doorbell pinned by hardware.
        versions: since 4.11 (as documented)
        source: drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_get_resv_regions;
        drivers/iommu/arm/arm-smmu/arm-smmu.c, arm_smmu_get_resv_regions
        way out: keep guest memory out of the window; QEMU's virt machine does by default, since its RAM
        starts at 0x4000_0000
        --- exit 0
    "#]],
    );
    check(
        "explain A004",
        expect![[r#"
        A004 (error): the file to write exists
        Nothing was written. `--force` overwrites.
        --- exit 0
    "#]],
    );
    check(
        "explain K-S",
        expect![[r#"
        --- stderr
        error[A006]: `K-S` is no code, no rule, no address and no line that planner knows
        --> K-S
         = help: there are: K-S390DMA, K-S390TABLES, K-SMMUAPER, K-SMMUPGSIZES, K-SMMUS2OAS, K-STREAMALIAS, K-SWMSI

        --- exit 2
    "#]],
    );
}

#[test]
fn who_owns_an_address() {
    check(
        "explain 0x4010_0000 --host board.host",
        expect![[r#"
        0x4010_0000 on `board`, Linux 6.12
          CPU   0x4000_0000..=0x7fff_ffff      window mem32 of root complex `pcie0`, bus address 0x4010_0000
          CPU   0x4010_0000..=0x401f_ffff      BAR 0 of 0000:01:00.0
          bus   0x4000_0000..=0x7fff_ffff      window mem32 of root complex `pcie0`
          IOVA  0x810_0000..=0xffff_ffff_ffff  usable with VFIO type1, groups 0, 1
          IOVA  0x4000_0000..=0x7fff_ffff      taken before the IOMMU, groups 0, 1 [H-P2PWIN]
        --- exit 0
    "#]],
    );
    check(
        "explain 0x603_0040 --host board.host",
        expect![[r#"
        0x603_0040 on `board`, Linux 6.12
          CPU   0x602_0000..=0x603_ffff  the doorbell of MSI controller `its0`
          IOVA  0x0..=0x7ff_ffff         usable with VFIO type1, groups 0, 1
        --- exit 0
    "#]],
    );
    check(
        "explain 0x8000040 --host board.host",
        expect![[r#"
        0x800_0040 on `board`, Linux 6.12
          IOVA  0x800_0000..=0x80f_ffff  MSI window, page of the doorbell at 0x603_0040, groups 0, 1 [K-SWMSI]
        --- exit 0
    "#]],
    );
    check(
        "explain 0x9000000010 --host board.host",
        expect![[r#"
        0x90_0000_0010 on `board`, Linux 6.12
          CPU   0x90_0000_0000..=0x93_ffff_ffff  window mem64 of root complex `pcie0`, bus address 0x10_0000_0010
          IOVA  0x810_0000..=0xffff_ffff_ffff    usable with VFIO type1, groups 0, 1
        --- exit 0
    "#]],
    );
    check(
        "explain 0x1000000000000 --host board.host --json",
        expect![[r#"
        {
          "schema": "explain/1",
          "explanations": [
            {
              "subject": "0x1000000000000",
              "title": "0x1_0000_0000_0000 on `board`, Linux 6.12",
              "text": [],
              "owners": [
                {
                  "space": "IOVA",
                  "start": "0x0",
                  "end": "0xffffffffffff",
                  "owner": "the aperture, which it is outside of, groups 0, 1"
                }
              ]
            }
          ]
        }
        --- exit 0
    "#]],
    );
}

#[test]
fn an_address_needs_a_host() {
    check(
        "explain 0x8000000",
        expect![[r#"
        --- stderr
        error[A012]: who owns 0x8000000 depends on the host
        --> 0x8000000
         = help: add `--host HOST`: a description, a capture, or `live`

        --- exit 2
    "#]],
    );
}

#[track_caller]
fn pasted(line: &str, expected: expect_test::Expect) {
    expected.assert_eq(&run(&["explain", line, "--host", "board.host"]).told());
}

#[test]
fn a_pasted_line_names_the_region_that_it_runs_into() {
    pasted(
        "vfio_container_dma_map(0x5581, 0x7000000, 0x2000000, 0x7f31) = -22 (Invalid argument)",
        expect![[r#"
            a DMA mapping that failed at 0x700_0000..=0x8ff_ffff with EINVAL
            EINVAL: the IOVAs touch a reserved region, lie outside the aperture of the IOMMU, or are not aligned
            to its smallest page [K-T1HOLE, K-T1APER]. The kernel does not say which.
            On `board`, groups 0, 1: it meets 0x800_0000..=0x80f_ffff, which the kernel reserves (msi)
            [K-SWMSI].
            --- exit 0
        "#]],
    );
    pasted(
        "vfio_dma_map(0x5581, 0x40000000, 0x80000000, 0x7f31) = -12 (Cannot allocate memory)",
        expect![[r#"
        a DMA mapping that failed at 0x4000_0000..=0xbfff_ffff with ENOMEM
        ENOMEM: the memory cannot be pinned. The limit on locked memory (RLIMIT_MEMLOCK; libvirt:
        <memtune><hard_limit>) is too low, or the host has not enough free memory. The layout is not to
        blame.
        On `board`, groups 0, 1: the kernel maps it, but DMA into window mem32 0x4000_0000..=0x7fff_ffff of
        root complex pcie0 is taken as peer to peer before the IOMMU sees it [H-P2PWIN].
        --- exit 0
    "#]],
    );
    pasted(
        "Region 0000:01:00.0 BAR 0 mmaps[0]: vfio_container_dma_map(0x1, 0x1000000000000, 0x1000, 0x2) = -22",
        expect![[r#"
            a DMA mapping that failed at 0x1_0000_0000_0000..=0x1_0000_0000_0fff with EINVAL
            EINVAL: the IOVAs touch a reserved region, lie outside the aperture of the IOMMU, or are not aligned
            to its smallest page [K-T1HOLE, K-T1APER]. The kernel does not say which.
            On `board`, groups 0, 1: it leaves the aperture 0x0..=0xffff_ffff_ffff, which is what the IOMMU
            translates.
            It is about a BAR of a device, not about RAM: only DMA from one passed device to another is
            affected. QEMU warns and goes on.
            --- exit 0
        "#]],
    );
    pasted(
        "arm-smmu-v3 x: event: F_TRANSLATION client: 0000:01:00.0 sid: 0x100 iova: 0x8000040",
        expect![[r#"
        an IOMMU fault at 0x800_0040
        The device wrote or read an IOVA that is not mapped, or not for this kind of access.
        On `board`, groups 0, 1: it meets 0x800_0000..=0x80f_ffff, which the kernel reserves (msi)
        [K-SWMSI].
        --- exit 0
    "#]],
    );
}

#[test]
fn a_line_without_address_or_host() {
    check(
        "explain VFIO_MAP_DMA failed: Invalid argument",
        expect![[r#"
        a DMA mapping that failed with EINVAL
        EINVAL: the IOVAs touch a reserved region, lie outside the aperture of the IOMMU, or are not aligned
        to its smallest page [K-T1HOLE, K-T1APER]. The kernel does not say which.
        The line has no address; other lines of the VMM around it may have one.
        --- exit 0
    "#]],
    );
    check(
        "explain hello world",
        expect![[r#"
        --- stderr
        error[A006]: `hello world` is no code, no rule, no address and no line that planner knows
        --> hello world
         = help: `planner rules` lists the rules; diagnostics have their code in brackets

        --- exit 2
    "#]],
    );
}

#[test]
fn lines_from_standard_input() {
    let mut planner = command(&["explain", "-"]);
    let mut planner = planner.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let log = "eth0: link is up\nvfio: group 7 is not viable\nVFIO_MAP_DMA failed: Bad address\n";
    planner.stdin.take().unwrap().write_all(log.as_bytes()).unwrap();
    let told = String::from_utf8(planner.wait_with_output().unwrap().stdout).unwrap();
    let titles: Vec<&str> =
        told.lines().filter(|line| line.starts_with("P-") || line.starts_with("a DMA")).collect();
    assert_eq!(
        titles,
        ["P-GROUP: an IOMMU group is given to a guest as a whole", "a DMA mapping that failed with EFAULT"]
    );
}
