//! What is said about small hosts, one mechanism for each case.

use expect_test::{Expect, expect};
use planner_core::facts::Arch;
use planner_core::facts::host::{FirmwareKind, IommuModel, PeerToPeer};
use planner_core::host::{DoorbellSource, Host};
use planner_core::ids::GroupId;
use planner_core::kernel::{Question, report, sysfs_text_of};
use planner_core::size::PageSize;

use crate::hosts::{host, print, smmu_host, with_doorbell, with_firmware, with_listing, with_window};

const WINDOW: &str = "0x0000000008000000 0x00000000080fffff msi\n";

fn check(host: &Host, expected: Expect) {
    expected.assert_eq(&print(&report(host, &Question::default())));
}

fn check_on(host: &Host, kernel: &str, expected: Expect) {
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
          iommufd K-IOMMUFD: Linux 4.14 has no iommufd, which came with 6.2
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

#[test]
fn the_text_of_reserved_regions() {
    assert_eq!(sysfs_text_of(&smmu_host("6.12"), GroupId(0)).as_deref(), Some(WINDOW));
    assert_eq!(sysfs_text_of(&smmu_host("4.10"), GroupId(0)), None);
    assert_eq!(sysfs_text_of(&smmu_host("6.12"), GroupId(1)), None);
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
