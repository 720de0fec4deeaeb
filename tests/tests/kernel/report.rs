//! What is said about small hosts, one mechanism for each case.

use expect_test::{Expect, expect};
use planner_core::facts::Arch;
use planner_core::facts::host::{IommuModel, PeerToPeer};
use planner_core::host::{DoorbellSource, Host};
use planner_core::ids::GroupId;
use planner_core::kernel::{Question, report, sysfs_text_of};
use planner_core::size::PageSize;

use crate::hosts::{host, print, smmu_host, with_doorbell, with_listing, with_window};

pub(crate) const WINDOW: &str = "0x0000000008000000 0x00000000080fffff msi\n";

pub(crate) fn check(host: &Host, expected: Expect) {
    expected.assert_eq(&print(&report(host, &Question::default())));
}

pub(crate) fn check_on(host: &Host, kernel: &str, expected: Expect) {
    let version = Some(kernel.parse().expect("a version"));
    expected.assert_eq(&print(&report(host, &Question { version, page_size: None })));
}

#[test]
fn an_smmu_with_an_its() {
    check(
        &smmu_host("6.12"),
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] alignment 4 KiB
          msi window 0x800_0000..=0x80f_ffff holds 256 pages
            0x809_0040 at 0x800_0040
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
    "#]],
    );
}

#[test]
fn amd_seattle_with_a_gicv2m_frame_and_a_window_where_qemu_puts_ram() {
    let host = host(Arch::Aarch64, IommuModel::Mmu401, "6.12");
    let host = with_doorbell(host, DoorbellSource::GicV2m, 0xe118_0040, (0xe118_0000, 0xe118_0fff));
    let host = with_window(host, 0x4000_0000, (0x4000_0000, 0xbfff_ffff), Some(PeerToPeer::Intercepts));
    let mut host = with_window(host, 0x80_4000_0000, (0xc000_0000, 0xcfff_ffff), None);
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          aperture 0x0..=0xff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xff_ffff_ffff] pages 0x40201000
          iommufd K-FDISO: the MSI controller msi0 (doorbell 0xe118_0040) isolates no interrupts, so taking group 0 with 0000:01:00.0 fails with EPERM: if the guest is trusted, set allow_unsafe_interrupts=1, or use a machine with an ITS
          msi window 0x800_0000..=0x80f_ffff holds 256 pages
            0xe118_0040 at 0x800_0040
          blocker K-ISOGROUP: the MSI controller msi0 (doorbell 0xe118_0040) isolates no interrupts, so taking group 0 with 0000:01:00.0 fails with EPERM: if the guest is trusted, set allow_unsafe_interrupts=1, or use a machine with an ITS
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 40 bits are assumed
          hazard 0x4000_0000..=0xbfff_ffff H-P2PWIN certain: DMA into window mem32 0x4000_0000..=0xbfff_ffff of root complex pcie0 is taken as peer to peer before the IOMMU sees it
          hazard 0xc000_0000..=0xcfff_ffff H-P2PWIN possible: DMA into window mem32 0xc000_0000..=0xcfff_ffff (CPU address 0x80_4000_0000) of root complex pcie0 may be taken as peer to peer before the IOMMU sees it
    "#]],
    );
    host.kernel.unsafe_interrupts = Some(true);
    check_on(
        &host,
        "4.14",
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
              Predicted 0x4000_0000..=0xcfff_ffff reserved K-WINLISTED
              aperture 0x0..=0xff_ffff_ffff
              type1 [0x0..=0x7ff_ffff, 0x810_0000..=0x3fff_ffff, 0xd000_0000..=0xff_ffff_ffff] pages 0x40201000
              iommufd K-IOMMUFD: Linux 4.14 has no iommufd, which came with Linux 6.2
              msi window 0x800_0000..=0x80f_ffff holds 256 pages
                0xe118_0040 at 0x800_0040
              note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 40 bits are assumed
              note K-T1RANGES: Linux 4.14 refuses no mapping over a reserved region: user space itself has to keep out
              hazard 0x4000_0000..=0xbfff_ffff H-P2PWIN certain: DMA into window mem32 0x4000_0000..=0xbfff_ffff of root complex pcie0 is taken as peer to peer before the IOMMU sees it
              hazard 0xc000_0000..=0xcfff_ffff H-P2PWIN possible: DMA into window mem32 0xc000_0000..=0xcfff_ffff (CPU address 0x80_4000_0000) of root complex pcie0 may be taken as peer to peer before the IOMMU sees it
        "#]],
    );
}

#[test]
fn a_window_that_forwards_to_the_iommu_is_no_hazard() {
    let host = smmu_host("7.3");
    let host = with_window(host, 0x1000_0000, (0x1000_0000, 0x3eff_ffff), Some(PeerToPeer::Translates));
    assert_eq!(report(&host, &Question::default()).groups[0].hazards, []);
}

/// K-RESVSYSFS.
#[test]
fn the_text_of_reserved_regions() {
    assert_eq!(sysfs_text_of(&smmu_host("6.12"), GroupId(0)).as_deref(), Some(WINDOW));
    assert_eq!(sysfs_text_of(&smmu_host("4.10"), GroupId(0)), None);
    assert_eq!(sysfs_text_of(&smmu_host("6.12"), GroupId(1)), None);
}

#[test]
fn the_report_as_json() {
    let mut report = report(&smmu_host("6.12"), &Question::default());
    let group = &mut report.groups[0];
    group.notes.clear();
    let json = serde_json::to_string(group).expect("a report is JSON");
    expect![[r#"
        {"id":0,"devices":["0000:01:00.0"],"reserved":[{"start":"0x8000000","end":"0x80fffff","type":"msi","rule":"K-SWMSI","basis":"predicted","origin":{"kind":"unstated"}}],"aperture":{"start":"0x0","end":"0xffffffffffff"},
        "type1":{"usable":[{"start":"0x0","end":"0x7ffffff"},
        {"start":"0x8100000","end":"0xffffffffffff"}],"page_sizes":"0x40201000"},
        "iommufd":{"usable":[{"start":"0x0","end":"0x7ffffff"},
        {"start":"0x8100000","end":"0xffffffffffff"}],"alignment":"0x1000"},
        "msi":{"base":"0x8000000","span":{"start":"0x8000000","end":"0x80fffff"},
        "doorbell_pages":256,"doorbells":[{"address":"0x8090040","iova":"0x8000040"}]},
        "blockers":[],"hazards":[]}"#]].assert_eq(&json.replace("},", "},\n"));
}

#[test]
fn a_question_about_other_pages() {
    let question = Question { version: None, page_size: Some(PageSize::K64) };
    let report = report(&smmu_host("6.12"), &question);
    let group = &report.groups[0];
    let window = group.msi.as_ref().expect("a window");
    assert_eq!(window.doorbell_pages, 16);
    assert_eq!(window.doorbells[0].iova.to_string(), "0x800_0040");
    assert_eq!(group.type1.page_sizes.bitmap(), 0x2001_0000);
}

#[test]
fn a_virtio_iommu_on_x86_isolates_nothing() {
    let host = host(Arch::X86_64, IommuModel::VirtioIommu, "7.3");
    let host = with_listing(host, "0x00000000fee00000 0x00000000feefffff msi\n");
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Listed 0xfee0_0000..=0xfeef_ffff msi K-VIOMMURESV
          aperture 0x0..=0x7f_ffff_ffff
          type1 [0x0..=0xfedf_ffff, 0xfef0_0000..=0x7f_ffff_ffff] pages 0xfffffffffffff000
          iommufd K-FDISO: a virtio-iommu remaps no interrupts, so the MSIs of 0000:01:00.0 are not isolated and taking group 0 fails with EPERM: if the guest is trusted, set allow_unsafe_interrupts=1
          blocker K-ISOGROUP: a virtio-iommu remaps no interrupts, so the MSIs of 0000:01:00.0 are not isolated and taking group 0 fails with EPERM: if the guest is trusted, set allow_unsafe_interrupts=1
          note K-VIOMMUAPER: the aperture of IOMMU iommu0 was not said: 39 bits are assumed
        difference, only Listed: 0xfee0_0000..=0xfeef_ffff msi K-VIOMMURESV: the hypervisor reported it to the guest kernel, which no table tells: it could only not be foreseen
    "#]],
    );
}

#[test]
fn a_pinned_doorbell_is_a_hardware_region() {
    let host = host(Arch::Aarch64, IommuModel::AppleDart, "6.12");
    let mut host = with_doorbell(host, DoorbellSource::Fixed, 0xfee0_0000, (0xfee0_0000, 0xfeef_ffff));
    host.kernel.page_size = PageSize::K16;
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0xfee0_0000..=0xfeef_ffff msi K-FIXEDBELL
          Predicted 0xffff_c000..=0xffff_ffff msi K-DARTMSI
          aperture 0x0..=0xffff_ffff
          type1 [0x0..=0xfedf_ffff, 0xfef0_0000..=0xffff_bfff] pages 0x4000
          iommufd [0x0..=0xfedf_ffff, 0xfef0_0000..=0xffff_bfff] alignment 16 KiB
          note K-OTHERAPER: the aperture of IOMMU iommu0 was not said: 32 bits are assumed
    "#]],
    );
    host.devices[0].msi_target = None;
    let regions = report(&host, &Question::default()).groups[0].reserved.len();
    assert_eq!(regions, 2, "which doorbell is not known, so all pinned ones count");
}

#[test]
fn a_controller_that_linux_never_maps() {
    let host = host(Arch::Aarch64, IommuModel::SmmuV2, "6.12");
    check(
        &with_doorbell(host, DoorbellSource::Unmapped, 0x7900_0000, (0x7900_0000, 0x798f_ffff)),
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
              aperture 0x0..=0xff_ffff_ffff
              type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xff_ffff_ffff] pages 0x40201000
              iommufd K-FDISO: the MSI controller msi0 (doorbell 0x7900_0000) isolates no interrupts, so taking group 0 with 0000:01:00.0 fails with EPERM: if the guest is trusted, set allow_unsafe_interrupts=1, or use a machine with an ITS
              msi window 0x800_0000..=0x80f_ffff holds 256 pages
              blocker K-ISOGROUP: the MSI controller msi0 (doorbell 0x7900_0000) isolates no interrupts, so taking group 0 with 0000:01:00.0 fails with EPERM: if the guest is trusted, set allow_unsafe_interrupts=1, or use a machine with an ITS
              note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 40 bits are assumed
              note K-UNMAPPEDBELL: 0000:01:00.0 signals through msi0 at 0x7900_0000, which Linux never maps: behind a translating IOMMU its MSIs fault
        "#]],
    );
}

#[test]
fn one_unsafe_controller_spoils_every_group_of_an_older_kernel() {
    let host = smmu_host("6.1");
    let mut host = with_doorbell(host, DoorbellSource::GicV2m, 0x802_0040, (0x802_0000, 0x802_0fff));
    host.devices[0].msi_target.as_mut().expect("a doorbell").doorbell = 0;
    let rules = |kernel: &str| -> Vec<&str> {
        let version = Some(kernel.parse().expect("a version"));
        let report = report(&host, &Question { version, page_size: None });
        report.groups[0].blockers.iter().map(|finding| finding.rule).collect()
    };
    assert_eq!(rules("6.1"), ["K-ISOANY"]);
    assert_eq!(rules("6.3"), <[&str; 0]>::default());
}

#[test]
fn a_group_without_an_iommu() {
    let mut host = smmu_host("6.12");
    host.iommus.clear();
    host.devices[0].translation = None;
    check(
        &host,
        expect![[r#"
            group 0: 0000:01:00.0
              aperture 0x0..=0xffff_ffff_ffff_ffff
              type1 [0x0..=0xffff_ffff_ffff_ffff] pages 0xfffffffffffff000
              iommufd K-NOIOMMU: 0000:01:00.0 is behind no IOMMU that is known of, so VFIO cannot take group 0
              blocker K-NOIOMMU: 0000:01:00.0 is behind no IOMMU that is known of, so VFIO cannot take group 0
        "#]],
    );
}

#[test]
fn a_device_of_a_listed_group_is_behind_the_only_kind_of_iommu() {
    let mut host = with_listing(smmu_host("6.12"), WINDOW);
    host.devices[0].translation = None;
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Listed 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] alignment 4 KiB
          msi window 0x800_0000..=0x80f_ffff holds 256 pages
            0x809_0040 at 0x800_0040
          note K-SMMUAPER: the aperture of the IOMMU was not said: 48 bits are assumed
    "#]],
    );
}

#[test]
fn an_iommu_with_larger_pages_than_the_host() {
    let mut host = smmu_host("6.12");
    host.iommus[0].pages = Some(planner_core::size::PageSizes::from_bitmap(0x2001_0000));
    check(
        &host,
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] pages 0x20010000
              iommufd K-FDGRANULE: the smallest page of the IOMMU is 64 KiB, larger than the host's pages of 4 KiB: attaching fails with EINVAL; use a host kernel with pages of 64 KiB
              msi window 0x800_0000..=0x80f_ffff holds 256 pages
                0x809_0040 at 0x800_0040
              note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
        "#]],
    );
}

#[test]
fn more_doorbell_pages_than_the_window_holds() {
    let mut host = smmu_host("6.12");
    host.kernel.page_size = PageSize::K64;
    let mut device = host.devices[0].clone();
    for number in 1..=16_u8 {
        let base = 0x1_0000_0000 + (u64::from(number) << 20);
        host = with_doorbell(host, DoorbellSource::Its, base + 0x1_0040, (base, base + 0x1_ffff));
        device.address = planner_core::ids::PciAddress::new(0, number + 1, 0, 0).expect("a PCI address");
        device.msi_target =
            Some(planner_core::host::MsiTarget { doorbell: usize::from(number), device_id: None });
        host.devices.push(device.clone());
        host.groups[0].devices.push(device.address);
    }
    for (number, device) in host.devices.iter_mut().enumerate() {
        device.msi_target.as_mut().expect("a doorbell").doorbell = number;
    }
    let report = report(&host, &Question::default());
    let hazards: Vec<String> = report.groups[0]
        .hazards
        .iter()
        .map(|hazard| format!("{} {}: {}", hazard.rule, hazard.span, hazard.because))
        .collect();
    expect!["K-DOORBELLOVERRUN 0x810_0000..=0x810_ffff: 17 doorbells need more than the 16 pages of the MSI window 0x800_0000..=0x80f_ffff, and the kernel maps the rest behind it"].assert_eq(&hazards.join("\n"));
}

/// H-X86XLATE: what the description says of a window counts all the same.
#[test]
fn a_window_on_x86_is_a_hazard_only_when_it_is_said_to_be_one() {
    let hazards = |p2p| {
        let host = host(Arch::X86_64, IommuModel::IntelVtd, "7.3");
        let host = with_window(host, 0xc000_0000, (0xc000_0000, 0xcfff_ffff), p2p);
        report(&host, &Question::default()).groups[0].hazards.len()
    };
    assert_eq!((hazards(None), hazards(Some(PeerToPeer::Intercepts))), (0, 1));
}

/// K-RISCVNONE.
#[test]
fn behind_a_riscv_iommu_nothing_is_reserved() {
    let report = report(&host(Arch::Riscv64, IommuModel::Riscv, "7.3"), &Question::default());
    assert!(report.groups[0].reserved.is_empty() && report.groups[0].msi.is_none());
}

/// K-LISTED.
#[test]
fn a_hardware_doorbell_that_no_rule_explains_is_kept_as_listed() {
    let listing = format!("{WINDOW}0x0000000009000000 0x0000000009000fff msi\n");
    let report = report(&with_listing(smmu_host("7.3"), &listing), &Question::default());
    let rules: Vec<&str> = report.groups[0].reserved.iter().map(|region| region.rule).collect();
    assert_eq!(rules, ["K-SWMSI", "K-LISTED"]);
}
