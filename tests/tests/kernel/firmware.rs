//! What firmware, hypervisors and listings add to what the drivers reserve by themselves.

use expect_test::expect;
use planner_core::facts::Arch;
use planner_core::facts::host::{FirmwareKind, IommuModel};
use planner_core::host::DoorbellSource;
use planner_core::ids::GroupId;
use planner_core::kernel::sysfs_text_of;

use crate::hosts::{host, smmu_host, with_doorbell, with_firmware, with_listing, with_window};
use crate::report::{WINDOW, check, check_on};

#[test]
fn an_rmr_region_is_a_hole_then_a_refusal() {
    let host = smmu_host("6.12");
    let host = with_firmware(host, FirmwareKind::Direct, (0x8000_0000, 0x8000_ffff), "IORT");
    let host = with_firmware(host, FirmwareKind::DirectRelaxable, (0x9000_1800, 0x9000_27ff), "IORT");
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          Predicted 0x8000_0000..=0x8000_ffff direct K-RMR
          Predicted 0x9000_1000..=0x9000_2fff direct-relaxable K-RMR
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0x7fff_ffff, 0x8001_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd K-DIRECTBLOCK: 0000:01:00.0 must reach 0x8000_0000..=0x8000_ffff (firmware0) one to one, so taking group 0 fails with EINVAL: pass another device, or have firmware drop or relax the region
          msi window 0x800_0000..=0x80f_ffff holds 256 pages
            0x809_0040 at 0x800_0040
          blocker K-DIRECTBLOCK: 0000:01:00.0 must reach 0x8000_0000..=0x8000_ffff (firmware0) one to one, so taking group 0 fails with EINVAL: pass another device, or have firmware drop or relax the region
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
    "#]],
    );
    check_on(
        &host,
        "6.1",
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
              Predicted 0x8000_0000..=0x8000_ffff direct K-RMR
              Predicted 0x9000_1000..=0x9000_2fff direct-relaxable K-RMR
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x7ff_ffff, 0x810_0000..=0x7fff_ffff, 0x8001_0000..=0xffff_ffff_ffff] pages 0x40201000
              iommufd K-IOMMUFD: Linux 6.1 has no iommufd, which came with Linux 6.2
              msi window 0x800_0000..=0x80f_ffff holds 256 pages
                0x809_0040 at 0x800_0040
              note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
              note K-DIRECTHOLE: group 0 has the direct region 0x8000_0000..=0x8000_ffff, which is only a hole on Linux 6.1: from Linux 6.6 on the group cannot be taken
        "#]],
    );
    check_on(
        &host,
        "5.10",
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] pages 0x40201000
              iommufd K-IOMMUFD: Linux 5.10 has no iommufd, which came with Linux 6.2
              msi window 0x800_0000..=0x80f_ffff holds 256 pages
                0x809_0040 at 0x800_0040
              note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
        "#]],
    );
}

#[test]
fn an_rmrr_is_refused_by_intel_before_the_general_rule() {
    let mut host = host(Arch::X86_64, IommuModel::IntelVtd, "6.12");
    host.devices[0].class = "0200".parse().ok();
    let mut host = with_firmware(
        host,
        FirmwareKind::Direct,
        (0x7c00_0000, 0x7fff_ffff),
        "sys/firmware/acpi/tables/DMAR",
    );
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x7c00_0000..=0x7fff_ffff direct K-RMRR
          Predicted 0xfee0_0000..=0xfeef_ffff msi K-X86MSI
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7bff_ffff, 0x8000_0000..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd K-DIRECTBLOCK: 0000:01:00.0 must reach 0x7c00_0000..=0x7fff_ffff (firmware0) one to one, so taking group 0 fails with EINVAL: pass another device, or have firmware drop or relax the region
          blocker K-DIRECTBLOCK: 0000:01:00.0 must reach 0x7c00_0000..=0x7fff_ffff (firmware0) one to one, so taking group 0 fails with EINVAL: pass another device, or have firmware drop or relax the region
          note K-VTDAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
          note K-INTREMAP: whether interrupt remapping is on was not said: without it, taking group 0 fails with EPERM
    "#]],
    );
    check_on(
        &host,
        "6.1",
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x7c00_0000..=0x7fff_ffff direct K-RMRR
              Predicted 0xfee0_0000..=0xfeef_ffff msi K-X86MSI
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x7bff_ffff, 0x8000_0000..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] pages 0x40201000
              iommufd K-IOMMUFD: Linux 6.1 has no iommufd, which came with Linux 6.2
              blocker K-RMRRINELIGIBLE: 0000:01:00.0 must reach 0x7c00_0000..=0x7fff_ffff (firmware0) one to one, so taking group 0 fails with EPERM: pass another device, or have firmware drop or relax the region
              note K-VTDAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
              note K-INTREMAP: whether interrupt remapping is on was not said: without it, taking group 0 fails with EPERM
        "#]],
    );
    // A display controller's driver takes over from firmware.
    host.devices[0].class = "0300".parse().ok();
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x7c00_0000..=0x7fff_ffff direct-relaxable K-RMRR
          Predicted 0xfee0_0000..=0xfeef_ffff msi K-X86MSI
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] alignment 4 KiB
          note K-VTDAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
          note K-INTREMAP: whether interrupt remapping is on was not said: without it, taking group 0 fails with EPERM
    "#]],
    );
    check_on(
        &host,
        "4.19",
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x7c00_0000..=0x7fff_ffff direct K-RELAXEDDIRECT
              Predicted 0xfee0_0000..=0xfeef_ffff msi K-X86MSI
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x7bff_ffff, 0x8000_0000..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] pages 0x40201000
              iommufd K-IOMMUFD: Linux 4.19 has no iommufd, which came with Linux 6.2
              note K-VTDAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
              note K-T1RANGES: Linux 4.19 refuses no mapping over a reserved region: user space itself has to keep out
              note K-INTREMAP: whether interrupt remapping is on was not said: without it, taking group 0 fails with EPERM
        "#]],
    );
}

#[test]
fn an_isa_bridge_behind_an_intel_iommu() {
    let mut host = host(Arch::X86_64, IommuModel::IntelVtd, "7.3");
    host.devices[0].class = "0601".parse().ok();
    host.kernel.unsafe_interrupts = Some(true);
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x0..=0xff_ffff direct-relaxable K-FLOPPYWA
          Predicted 0xfee0_0000..=0xfeef_ffff msi K-X86MSI
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] alignment 4 KiB
          note K-VTDAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
    "#]],
    );
}

#[test]
fn amd_keeps_the_hypertransport_range() {
    let host = host(Arch::X86_64, IommuModel::AmdVi, "6.1");
    let host = with_firmware(host, FirmwareKind::Direct, (0x7c00_0800, 0x7c00_17ff), "IVRS");
    check(
        &host,
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x7c00_1000..=0x7c00_1fff direct K-IVMD
              Predicted 0xfee0_0000..=0xfeef_ffff msi K-X86MSI
              Predicted 0xfd_0000_0000..=0xff_ffff_ffff reserved K-AMDHT
              aperture 0x0..=0xffff_ffff_ffff_ffff
              type1 [0x0..=0x7c00_0fff, 0x7c00_2000..=0xfedf_ffff, 0xfef0_0000..=0xfc_ffff_ffff, 0x100_0000_0000..=0xffff_ffff_ffff_ffff] pages 0xffffff7ffffff000
              iommufd K-IOMMUFD: Linux 6.1 has no iommufd, which came with Linux 6.2
              note K-AMDAPER: the aperture of IOMMU iommu0 was not said: 64 bits are assumed
              note K-DIRECTHOLE: group 0 has the direct region 0x7c00_1000..=0x7c00_1fff, which is only a hole on Linux 6.1: from Linux 6.6 on the group cannot be taken
              note K-INTREMAP: whether interrupt remapping is on was not said: without it, taking group 0 fails with EPERM
        "#]],
    );
}

#[test]
fn iommu_addresses_are_ignored_before_6_3() {
    let host = smmu_host("6.12");
    let host = with_firmware(host, FirmwareKind::Reserved, (0x5000_0000, 0x5fff_ffff), "sys/firmware/fdt");
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          Predicted 0x5000_0000..=0x5fff_ffff reserved K-OFIOVA
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0x4fff_ffff, 0x6000_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0x7ff_ffff, 0x810_0000..=0x4fff_ffff, 0x6000_0000..=0xffff_ffff_ffff] alignment 4 KiB
          msi window 0x800_0000..=0x80f_ffff holds 256 pages
            0x809_0040 at 0x800_0040
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
    "#]],
    );
    check_on(
        &host,
        "6.1",
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] pages 0x40201000
              iommufd K-IOMMUFD: Linux 6.1 has no iommufd, which came with Linux 6.2
              msi window 0x800_0000..=0x80f_ffff holds 256 pages
                0x809_0040 at 0x800_0040
              note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
        "#]],
    );
}

#[test]
fn a_hip07_has_a_window_and_a_pinned_doorbell() {
    let host = host(Arch::Aarch64, IommuModel::HisiliconHi161x, "6.12");
    let host = with_doorbell(host, DoorbellSource::Its, 0xc601_0040, (0xc600_0000, 0xc601_ffff));
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          Predicted 0xc601_0000..=0xc601_ffff msi K-HI161X
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xc600_ffff, 0xc602_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd K-FDONEMSI: group 0 has both the MSI window 0x800_0000..=0x80f_ffff and the hardware MSI region 0xc601_0000..=0xc601_ffff, and iommufd refuses to attach such a device (EINVAL): use VFIO type1
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
    "#]],
    );
    check_on(
        &host,
        "7.3",
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
              Predicted 0xc601_0000..=0xc601_ffff msi K-HI161X
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xc600_ffff, 0xc602_0000..=0xffff_ffff_ffff] pages 0x40201000
              iommufd K-FDONEMSI: group 0 has both the MSI window 0x800_0000..=0x80f_ffff and the hardware MSI region 0xc601_0000..=0xc601_ffff, and iommufd refuses to attach such a device (EINVAL): use VFIO type1
              blocker K-NOCOOKIE: group 0 has the hardware MSI region 0xc601_0000..=0xc601_ffff, so it gets no MSI window, and Linux 7.3 then refuses to enable the MSIs of 0000:01:00.0 (ENOSPC): use a kernel older than Linux 6.15, or keep the region away from the device
              note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
        "#]],
    );
}

#[test]
fn a_listing_with_a_region_that_nobody_foresaw() {
    let listing = format!("{WINDOW}0x0000000080000000 0x000000008fffffff reserved\n");
    let host = with_listing(smmu_host("6.12"), &listing);
    assert_eq!(sysfs_text_of(&host, GroupId(0)).as_deref(), Some(listing.as_str()));
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Listed 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          Listed 0x8000_0000..=0x8fff_ffff reserved K-FIRMWARE
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0x7fff_ffff, 0x9000_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0x7ff_ffff, 0x810_0000..=0x7fff_ffff, 0x9000_0000..=0xffff_ffff_ffff] alignment 4 KiB
          msi window 0x800_0000..=0x80f_ffff holds 256 pages
            0x809_0040 at 0x800_0040
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
        difference, only Listed: 0x8000_0000..=0x8fff_ffff reserved K-FIRMWARE: the kernel lists it, and the facts about the host name no firmware table or device property that asks for it: nothing contradicts it, it could only not be foreseen
    "#]],
    );
    // It is kept for other kernels, since firmware does not change with the kernel.
    check_on(
        &host,
        "7.3",
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          Listed 0x8000_0000..=0x8fff_ffff reserved K-FIRMWARE
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0x7fff_ffff, 0x9000_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0x7ff_ffff, 0x810_0000..=0x7fff_ffff, 0x9000_0000..=0xffff_ffff_ffff] alignment 4 KiB
          msi window 0x800_0000..=0x80f_ffff holds 256 pages
            0x809_0040 at 0x800_0040
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
        difference, only Listed: 0x8000_0000..=0x8fff_ffff reserved K-FIRMWARE: the kernel lists it, and the facts about the host name no firmware table or device property that asks for it: nothing contradicts it, it could only not be foreseen
    "#]],
    );
}

#[test]
fn a_listing_without_the_window_contradicts_the_rule() {
    check(
        &with_listing(smmu_host("6.12"), ""),
        expect![[r#"
        group 0: 0000:01:00.0
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0xffff_ffff_ffff] alignment 4 KiB
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
        difference, only Predicted: 0x800_0000..=0x80f_ffff msi K-SWMSI: a rule makes this region, but the kernel did not list it: the rule, or the fact that it rests on, is wrong for this host
    "#]],
    );
}

/// K-WINLISTED, K-WINHOSTONLY.
#[test]
fn a_window_listed_by_an_old_kernel_is_gone_on_a_new_one() {
    let host = with_window(smmu_host("4.14"), 0x1000_0000, (0x1000_0000, 0x3eff_ffff), None);
    let listing = format!("{WINDOW}0x0000000010000000 0x000000003effffff reserved\n");
    let host = with_listing(host, &listing);
    check_on(
        &host,
        "6.12",
        expect![[r#"
        group 0: 0000:01:00.0
          Predicted 0x800_0000..=0x80f_ffff sw-msi K-SWMSI
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] alignment 4 KiB
          msi window 0x800_0000..=0x80f_ffff holds 256 pages
            0x809_0040 at 0x800_0040
          note K-SMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
          hazard 0x1000_0000..=0x3eff_ffff H-P2PWIN possible: DMA into window mem32 0x1000_0000..=0x3eff_ffff of root complex pcie0 may be taken as peer to peer before the IOMMU sees it
    "#]],
    );
}

#[test]
fn a_virtio_iommu_that_reports_the_its() {
    let host = host(Arch::Aarch64, IommuModel::VirtioIommu, "6.12");
    let host = with_doorbell(host, DoorbellSource::Its, 0x809_0040, (0x808_0000, 0x809_ffff));
    check(
        &host,
        expect![[r#"
            group 0: 0000:01:00.0
              Predicted 0x800_0000..=0x80f_ffff sw-msi K-VIOMMUMSI
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] pages 0xfffffffffffff000
              iommufd [0x0..=0x7ff_ffff, 0x810_0000..=0xffff_ffff_ffff] alignment 4 KiB
              msi window 0x800_0000..=0x80f_ffff holds 256 pages
                0x809_0040 at 0x800_0040
              note K-VIOMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
              note K-VIOMMURESV: the hypervisor reports to the virtio-iommu of 0000:01:00.0 what it reserves, and no table tells it: QEMU reports where MSIs go (0xfee0_0000..=0xfeef_ffff on x86, the page of the ITS on Arm), which takes the place of the MSI window; reserved_regions of a running kernel lists it
        "#]],
    );
    let host = with_listing(host, "0x0000000008090000 0x000000000809ffff msi\n");
    check(
        &host,
        expect![[r#"
        group 0: 0000:01:00.0
          Listed 0x809_0000..=0x809_ffff msi K-VIOMMURESV
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0x808_ffff, 0x80a_0000..=0xffff_ffff_ffff] pages 0xfffffffffffff000
          iommufd [0x0..=0x808_ffff, 0x80a_0000..=0xffff_ffff_ffff] alignment 4 KiB
          note K-VIOMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
        difference, only Listed: 0x809_0000..=0x809_ffff msi K-VIOMMURESV: the hypervisor reported it to the guest kernel, which no table tells: it could only not be foreseen
    "#]],
    );
    check_on(
        &host,
        "7.3",
        expect![[r#"
            group 0: 0000:01:00.0
              Listed 0x809_0000..=0x809_ffff msi K-VIOMMURESV
              aperture 0x0..=0xffff_ffff_ffff
              type1 [0x0..=0x808_ffff, 0x80a_0000..=0xffff_ffff_ffff] pages 0xfffffffffffff000
              iommufd [0x0..=0x808_ffff, 0x80a_0000..=0xffff_ffff_ffff] alignment 4 KiB
              blocker K-NOCOOKIE: group 0 has the hardware MSI region 0x809_0000..=0x809_ffff, so it gets no MSI window, and Linux 7.3 then refuses to enable the MSIs of 0000:01:00.0 (ENOSPC): use a kernel older than Linux 6.15, or keep the region away from the device
              note K-VIOMMUAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
            difference, only Listed: 0x809_0000..=0x809_ffff msi K-VIOMMURESV: the hypervisor reported it to the guest kernel, which no table tells: it could only not be foreseen
        "#]],
    );
}

#[test]
fn a_kernel_without_the_floppy_workaround_differs_for_a_known_reason() {
    let mut host = host(Arch::X86_64, IommuModel::IntelVtd, "7.3");
    host.devices[0].class = "0601".parse().ok();
    check(
        &with_listing(host, "0x00000000fee00000 0x00000000feefffff msi\n"),
        expect![[r#"
        group 0: 0000:01:00.0
          Listed 0xfee0_0000..=0xfeef_ffff msi K-X86MSI
          aperture 0x0..=0xffff_ffff_ffff
          type1 [0x0..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] pages 0x40201000
          iommufd [0x0..=0xfedf_ffff, 0xfef0_0000..=0xffff_ffff_ffff] alignment 4 KiB
          note K-VTDAPER: the aperture of IOMMU iommu0 was not said: 48 bits are assumed
          note K-INTREMAP: whether interrupt remapping is on was not said: without it, taking group 0 fails with EPERM
        difference, only Predicted: 0x0..=0xff_ffff direct-relaxable K-FLOPPYWA: the kernel did not list it: it is built without CONFIG_INTEL_IOMMU_FLOPPY_WA
    "#]],
    );
}
