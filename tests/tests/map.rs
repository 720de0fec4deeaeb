//! The picture: small hosts and layouts in, text and SVG out.
//!
//! The SVG files in `map/` are what a browser shows; open them to look.

use std::collections::BTreeSet;

use expect_test::{expect, expect_file};
use planner_core::addr::Iova;
use planner_core::facts::guest::HazardPolicy;
use planner_core::ids::GroupId;
use planner_core::kernel::ResvKind;
use planner_core::map::{self, AddressMap, Attempt, Band, BandKind, Drawing, Glyphs, TextStyle};
use planner_core::render::Color;
use planner_core::vmm::{MapRegion, RegionKind};

#[path = "map/samples.rs"]
mod samples;
use samples::{
    bare, desktop, group, host, planned, qemu_regions, refused, region, report, reserved, seattle, span,
};

const BOX: TextStyle = TextStyle { width: 80, glyphs: Glyphs::Box, color: Color::Never };
const ASCII: TextStyle = TextStyle { width: 80, glyphs: Glyphs::Ascii, color: Color::Never };

#[test]
fn a_host_without_guest_in_boxes() {
    expect![[r#"
        server
        Linux 6.12, 4K pages, groups 1, 2

                     address       size   PCI bus                IOVA
                                         ┌──────────────────────┬──────────────────────┐
                         0x0             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1952 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
                 0x7a00_0000      8 MiB  │                      │╫ direct ╫╫╫╫╫╫╫╫╫╫╫╫╫│
                 0x7a80_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 8 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
                 0x7b00_0000     16 MiB  │                      │┆ relaxable ┆┆┆┆┆┆┆┆┆┆│
                 0x7c00_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1088 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
                 0xc000_0000    960 MiB  │? mem32 pcie0 ????????│                      │
                 0xfc00_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 46 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
                 0xfee0_0000      1 MiB  │                      │▓ doorbell ▓▓▓▓▓▓▓▓▓▓▓│
                 0xfef0_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ~252 GiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
              0x40_0000_0000    256 GiB  │· mem64 pcie0 ········│                      │
              0x80_0000_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 500 GiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
              0xfd_0000_0000     12 GiB  │                      │╳ reserved ╳╳╳╳╳╳╳╳╳╳╳│
             0x100_0000_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1 TiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
             0x200_0000_0000    254 TiB  │                      │╱ outside…            │
          0x1_0000_0000_0000    ~16 EiB  │                      │╱╱╱╱╱╱╱╱╱╱╱╱ outside… │
                0xffff_ffff_ffff_ffff    └──────────────────────┴──────────────────────┘

          ·· window, translated     ?? window, may take DMA   ╫╫ mapped one to one
          ┆┆ one to one, relaxable  ╳╳ reserved               ▓▓ doorbell, fixed
          ╱╱ outside the aperture
    "#]]
    .assert_eq(&map::text(&bare(), &BOX));
}

#[test]
fn a_plan_in_boxes() {
    expect![[r#"
        amd-seattle / nfv0 on kvmtool 2026.1
        Linux 6.12, 4K pages, group 1

                  address       size   PCI bus         IOVA            guest
                                      ┌───────────────┬───────────────┬───────────────┐
                      0x0     64 KiB  │               │               │═ pio ═════════│
                 0x1_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ~16 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
               0x100_0000     16 MiB  │               │               │─ platform ────│
               0x200_0000     16 MiB  │               │               │─ virtio-mmio ─│
               0x300_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 80 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
               0x800_0000      1 MiB  │               │▒ MSI window ▒▒│               │
               0x810_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ~895 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
              0x3ffd_0000    128 KiB  │               │               │◆ its ◆◆◆◆◆◆◆◆◆│
              0x3fff_0000     64 KiB  │               │               │◆ gicd ◆◆◆◆◆◆◆◆│
              0x4000_0000    256 MiB  │» mem32 pcie0 »│               │┇ ecam ┇┇┇┇┇┇┇┇│
              0x5000_0000     16 KiB  │»»»»»»»»»»»»»»»│               │═ mmio ▦ bar … │
              0x5000_4000   ~768 MiB  │»»»»»»»»»»»»»»»│               │═══════        │
              0x8000_0000      1 GiB  │»»»»»»»»»»»»»»»│               │               │
              0xc000_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1 GiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
            0x1_0000_0000    508 GiB  │» mem64 pcie0 »│               │               │
           0x80_0000_0000      4 GiB  │               │               │█ ram0 ████████│
           0x81_0000_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 508 GiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
          0x100_0000_0000    ~16 EiB  │               │╱ outside ape… │               │
             0xffff_ffff_ffff_ffff    └───────────────┴───────────────┴───────────────┘

          »» window, takes DMA      ▒▒ MSI window             ╱╱ outside the aperture
          ██ guest RAM              ══ PCI window             ▦▦ BAR of a passed device
          ┇┇ configuration space    ◆◆ interrupt controller   ── platform device
    "#]]
    .assert_eq(&map::text(&planned(), &BOX));
}

#[test]
fn a_refusal_in_boxes() {
    expect![[r#"
        amd-seattle / desktop on qemu 11.1
        Linux 6.12, 4K pages, group 1

                  address       size   PCI bus         IOVA            guest
                                      ┌───────────────┬───────────────┬───────────────┐
                      0x0    128 MiB  │               │               │─ flash ───────│
               0x800_0000     64 KiB  │               │▒ MSI window ▒▒│◆ gicd ◆◆◆◆◆◆◆◆│
               0x801_0000    448 KiB  │               │▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│               │
               0x808_0000    128 KiB  │               │▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│◆ its ◆◆◆◆◆◆◆◆◆│
               0x80a_0000    384 KiB  │               │▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│◆ gicr ◆◆◆◆◆◆◆◆│
               0x810_0000     15 MiB  │               │               │◆◆◆◆◆◆◆◆◆◆◆◆◆◆◆│
               0x900_0000     16 MiB  │               │               │─ platform ────│
               0xa00_0000     16 KiB  │               │               │─ virtio-mmio ─│
               0xa00_4000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ~96 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
              0x1000_0000   ~752 MiB  │               │               │═ pcie-mmio ═══│
              0x3eff_0000     64 KiB  │               │               │═ pcie-pio ════│
              0x3f00_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 16 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
        ✗     0x4000_0000      2 GiB  │» mem32 pcie0 »│               │█ RAM █████████│
              0xc000_0000      1 GiB  │               │               │███████████████│
        ✗   0x1_0000_0000      1 GiB  │» mem64 pcie0 »│               │███████████████│
            0x1_4000_0000   ~251 GiB  │»»»»»»»»»»»»»»»│               │               │
           0x40_1000_0000    256 MiB  │»»»»»»»»»»»»»»»│               │┇ pcie-ecam ┇┇┇│
           0x40_2000_0000   ~256 GiB  │»»»»»»»»»»»»»»»│               │               │
           0x80_0000_0000    512 GiB  │               │               │═ pcie-mmio-h… │
          0x100_0000_0000    ~16 EiB  │               │╱ outside ape… │               │
             0xffff_ffff_ffff_ffff    └───────────────┴───────────────┴───────────────┘

          »» window, takes DMA      ▒▒ MSI window             ╱╱ outside the aperture
          ██ guest RAM              ══ PCI window             ┇┇ configuration space
          ◆◆ interrupt controller   ── platform device
          ✗ RAM meets what it must keep out of
    "#]]
    .assert_eq(&map::text(&refused(), &BOX));
}

#[test]
fn a_refusal_in_ascii() {
    expect![[r#"
        amd-seattle / desktop on qemu 11.1
        Linux 6.12, 4K pages, group 1

                  address       size   PCI bus         IOVA            guest
                                      +---------------+---------------+---------------+
                      0x0    128 MiB  |               |               |- flash -------|
               0x800_0000     64 KiB  |               |% MSI window %%|* gicd ********|
               0x801_0000    448 KiB  |               |%%%%%%%%%%%%%%%|               |
               0x808_0000    128 KiB  |               |%%%%%%%%%%%%%%%|* its *********|
               0x80a_0000    384 KiB  |               |%%%%%%%%%%%%%%%|* gicr ********|
               0x810_0000     15 MiB  |               |               |***************|
               0x900_0000     16 MiB  |               |               |- platform ----|
               0xa00_0000     16 KiB  |               |               |- virtio-mmio -|
               0xa00_4000             ~~~~~~~~~~~~~~~~~ ~96 MiB free ~~~~~~~~~~~~~~~~~~
              0x1000_0000   ~752 MiB  |               |               |= pcie-mmio ===|
              0x3eff_0000     64 KiB  |               |               |= pcie-pio ====|
              0x3f00_0000             ~~~~~~~~~~~~~~~~~~ 16 MiB free ~~~~~~~~~~~~~~~~~~
        !     0x4000_0000      2 GiB  |> mem32 pcie0 >|               |# RAM #########|
              0xc000_0000      1 GiB  |               |               |###############|
        !   0x1_0000_0000      1 GiB  |> mem64 pcie0 >|               |###############|
            0x1_4000_0000   ~251 GiB  |>>>>>>>>>>>>>>>|               |               |
           0x40_1000_0000    256 MiB  |>>>>>>>>>>>>>>>|               |: pcie-ecam :::|
           0x40_2000_0000   ~256 GiB  |>>>>>>>>>>>>>>>|               |               |
           0x80_0000_0000    512 GiB  |               |               |= pcie-mmio-h~ |
          0x100_0000_0000    ~16 EiB  |               |/ outside ape~ |               |
             0xffff_ffff_ffff_ffff    +---------------+---------------+---------------+

          >> window, takes DMA      %% MSI window             // outside the aperture
          ## guest RAM              == PCI window             :: configuration space
          ** interrupt controller   -- platform device
          ! RAM meets what it must keep out of
    "#]]
    .assert_eq(&map::text(&refused(), &ASCII));
}

#[test]
fn a_listing_has_every_reason() {
    expect![[r#"
        PCI bus (root-complex windows)
        ! > 0x4000_0000..=0xbfff_ffff  2 GiB  mem32 pcie0
              [H-P2PWIN] root complex pcie0 takes DMA into this window peer to peer
              (seattle.host:12)
        ! > 0x1_0000_0000..=0x7f_ffff_ffff  508 GiB  mem64 pcie0
              [H-P2PWIN] root complex pcie0 takes DMA into this window peer to peer
              (seattle.host:12)
        IOVA (what the kernel keeps)
          % 0x800_0000..=0x80f_ffff  1 MiB  MSI window
              [K-SWMSI] predicted for group 1
          / 0x100_0000_0000..=0xffff_ffff_ffff_ffff  ~16 EiB  outside aperture
              the IOMMU translates nothing but 0x0..=0xff_ffff_ffff for group 1
        guest (guest-physical)
          - 0x0..=0x7ff_ffff  128 MiB  flash
          * 0x800_0000..=0x800_ffff  64 KiB  gicd
          * 0x808_0000..=0x809_ffff  128 KiB  its
          * 0x80a_0000..=0x8ff_ffff  ~15 MiB  gicr
          - 0x900_0000..=0x9ff_ffff  16 MiB  platform
          - 0xa00_0000..=0xa00_3fff  16 KiB  virtio-mmio
          = 0x1000_0000..=0x3efe_ffff  ~752 MiB  pcie-mmio
          = 0x3eff_0000..=0x3eff_ffff  64 KiB  pcie-pio
        ! # 0x4000_0000..=0x1_3fff_ffff  4 GiB  RAM
              where the VMM would put it
          : 0x40_1000_0000..=0x40_1fff_ffff  256 MiB  pcie-ecam
          = 0x80_0000_0000..=0xff_ffff_ffff  512 GiB  pcie-mmio-high
    "#]]
    .assert_eq(&map::listing(&refused(), &ASCII));
}

#[test]
fn pictures_for_browsers() {
    expect_file!["map/bare.svg"].assert_eq(&map::svg(&bare()));
    expect_file!["map/planned.svg"].assert_eq(&map::svg(&planned()));
    expect_file!["map/refused.svg"].assert_eq(&map::svg(&refused()));
}

#[test]
fn a_page_for_browsers() {
    expect_file!["map/refused.html"].assert_eq(&map::html(&refused()));
}

// ---- what they mean ----------------------------------------------------------------------------------------------

/// RAM of a guest on a host with one region and an aperture of 40 bits.
fn ram_against(kind: ResvKind, regions: &[MapRegion]) -> AddressMap {
    let host = host("small", Vec::new());
    let kept = reserved(kind, 0x8000_0000, 0x8000_ffff, "K-TEST");
    let report = report(&host, vec![group(1, 0xff_ffff_ffff, vec![kept], Vec::new())]);
    let ram = [span(0x4000_0000, 0xbfff_ffff)];
    AddressMap::refused(&host, &report, &[GroupId(1)], Attempt { guest: &desktop(), ram: &ram, regions })
}

fn conflicting(map: &AddressMap) -> Vec<BandKind> {
    map.bands().filter(|(_, _, band)| band.conflict).map(|(_, _, band)| band.kind).collect()
}

#[test]
fn ram_clashes_with_what_the_kernel_refuses() {
    for (kind, drawn) in [
        (ResvKind::Direct, BandKind::Direct),
        (ResvKind::Reserved, BandKind::Reserved),
        (ResvKind::Msi, BandKind::HardwareMsi),
        (ResvKind::SoftwareMsi, BandKind::SoftwareMsi),
    ] {
        assert_eq!(conflicting(&ram_against(kind, &[])), [drawn, BandKind::Ram], "{kind:?}");
    }
}

#[test]
fn ram_may_lie_in_a_relaxable_region() {
    assert!(!ram_against(ResvKind::DirectRelaxable, &[]).has_conflict());
}

#[test]
fn devices_may_lie_where_ram_may_not() {
    let host = host("small", Vec::new());
    let kept = reserved(ResvKind::SoftwareMsi, 0x800_0000, 0x80f_ffff, "K-SWMSI");
    let report = report(&host, vec![group(1, 0xff_ffff_ffff, vec![kept], Vec::new())]);
    let regions = [region("gicd", RegionKind::Gicd, 0x800_0000, 0x800_ffff)];
    let attempt = Attempt { guest: &desktop(), ram: &[], regions: &regions };
    assert!(!AddressMap::refused(&host, &report, &[], attempt).has_conflict());
}

#[test]
fn ram_clashes_with_the_end_of_the_aperture() {
    let host = host("small", Vec::new());
    let report = report(&host, vec![group(1, 0xffff_ffff, Vec::new(), Vec::new())]);
    let ram = [span(0x4000_0000, 0x1_3fff_ffff)];
    let attempt = Attempt { guest: &desktop(), ram: &ram, regions: &[] };
    let map = AddressMap::refused(&host, &report, &[], attempt);
    assert_eq!(conflicting(&map), [BandKind::OutsideAperture, BandKind::Ram]);
}

#[test]
fn windows_forbid_ram_only_under_the_strict_policy() {
    let (host, report) = seattle();
    let ram = [span(0x4000_0000, 0x4fff_ffff)];
    for (policy, clashes) in
        [(HazardPolicy::Strict, true), (HazardPolicy::Relaxed, false), (HazardPolicy::Ignore, false)]
    {
        let guest = planner_core::guest::GuestSpec { hazards: policy, ..desktop() };
        let attempt = Attempt { guest: &guest, ram: &ram, regions: &[] };
        assert_eq!(AddressMap::refused(&host, &report, &[], attempt).has_conflict(), clashes, "{policy}");
    }
}

#[test]
fn what_the_guest_wants_clear_is_drawn_and_forbidden() {
    let host = host("small", Vec::new());
    let report = report(&host, Vec::new());
    let guest = planner_core::guest::GuestSpec { avoid: vec![span(0x5000_0000, 0x5fff_ffff)], ..desktop() };
    let ram = [span(0x4000_0000, 0x7fff_ffff)];
    let map = AddressMap::refused(&host, &report, &[], Attempt { guest: &guest, ram: &ram, regions: &[] });
    assert_eq!(conflicting(&map), [BandKind::Ram, BandKind::Avoid]);
}

#[test]
fn a_plan_that_holds_has_no_conflict() {
    assert!(!planned().has_conflict());
}

#[test]
fn only_windows_above_the_chosen_groups_are_drawn() {
    let (host, report) = seattle();
    let drawn = |groups: &[GroupId]| AddressMap::new(&host, &report, groups, None).lanes[0].bands.len();
    assert_eq!(drawn(&[]), 2);
    assert_eq!(drawn(&[GroupId(1)]), 2);
    assert_eq!(drawn(&[GroupId(7)]), 0);
}

#[test]
fn what_many_groups_reserve_is_one_band() {
    let host = host("large", Vec::new());
    let msi = reserved(ResvKind::SoftwareMsi, 0x800_0000, 0x80f_ffff, "K-SWMSI");
    let groups = (0..100).map(|id| group(id, u64::MAX, vec![msi.clone()], Vec::new())).collect();
    let map = AddressMap::new(&host, &report(&host, groups), &[], None);
    let bands: Vec<&Band> = map.bands().map(|(_, _, band)| band).collect();
    assert_eq!(bands.len(), 1);
    expect!["predicted for groups 0, 1, 2, 3, 4, 5 and 94 more"].assert_eq(&bands[0].because);
}

#[test]
fn small_devices_that_are_neighbours_are_one_band() {
    let host = host("small", Vec::new());
    let regions = [
        region("uart", RegionKind::Platform, 0x900_0000, 0x900_0fff),
        region("rtc", RegionKind::Platform, 0x901_0000, 0x901_0fff),
        region("gicd", RegionKind::Gicd, 0x902_0000, 0x902_ffff),
        region("gpio", RegionKind::Platform, 0x903_0000, 0x903_0fff),
        region("bus", RegionKind::Platform, 0xc00_0000, 0xdff_ffff),
    ];
    let attempt = Attempt { guest: &desktop(), ram: &[], regions: &regions };
    let map = AddressMap::refused(&host, &report(&host, Vec::new()), &[], attempt);
    let style = TextStyle { width: 100, ..ASCII };
    expect![[r#"
        guest (guest-physical)
          - 0x900_0000..=0x901_0fff  68 KiB  uart, rtc
              uart 0x900_0000..=0x900_0fff; rtc 0x901_0000..=0x901_0fff
          * 0x902_0000..=0x902_ffff  64 KiB  gicd
          - 0x903_0000..=0x903_0fff  4 KiB  gpio
          - 0xc00_0000..=0xdff_ffff  32 MiB  bus
    "#]]
    .assert_eq(&map::listing(&map, &style));
}

#[test]
fn nothing_makes_an_empty_picture() {
    let host = host("empty", Vec::new());
    let map = AddressMap::new(&host, &report(&host, Vec::new()), &[], None);
    assert!(map.axis.segments.is_empty());
    expect![[r#"
        empty
        Linux 6.12, 4K pages, no IOMMU group

          address       size   PCI bus                     IOVA
                              ┌───────────────────────────┬───────────────────────────┐
                              └───────────────────────────┴───────────────────────────┘


    "#]]
    .assert_eq(&map::text(&map, &BOX));
    assert!(map::svg(&map).ends_with("</svg>\n"));
}

// ---- the axis ----------------------------------------------------------------------------------------------------

#[test]
fn the_axis_has_no_gap_and_no_overlap() {
    for map in [bare(), planned(), refused()] {
        let segments = &map.axis.segments;
        assert_eq!(segments[0].span.first(), Iova::at(0));
        assert_eq!(segments[segments.len() - 1].span.last(), Iova::at(u64::MAX));
        for pair in segments.windows(2) {
            let next = planner_core::addr::Address::get(pair[0].span.last()) + 1;
            assert_eq!(pair[1].span.first(), Iova::at(next));
        }
    }
}

#[test]
fn boxes_lie_within_the_picture_and_do_not_overlap() {
    for map in [bare(), planned(), refused()] {
        let drawing = Drawing::new(&map);
        let boxes = drawing.bands(&map);
        assert_eq!(boxes.len(), map.bands().count());
        for (n, a) in boxes.iter().enumerate() {
            assert!(a.x + a.width <= drawing.width() && a.y + a.height <= drawing.height());
            for b in &boxes[..n] {
                let apart = a.x + a.width <= b.x
                    || b.x + b.width <= a.x
                    || a.y + a.height <= b.y
                    || b.y + b.height <= a.y;
                assert!(apart, "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn an_address_lies_in_the_strip_of_its_band() {
    let map = planned();
    let drawing = Drawing::new(&map);
    for ((_, _, band), place) in map.bands().zip(drawing.bands(&map)) {
        for address in [band.span.first(), band.span.last()] {
            let strip = drawing.strip(&map.axis, address).unwrap();
            assert!(strip.y <= place.y + place.height && place.y <= strip.y + strip.height, "{address}");
        }
    }
    assert_eq!(drawing.strip(&map.axis, Iova::at(0x100_0000)).map(|strip| strip.height), Some(38));
}

// ---- strangers ---------------------------------------------------------------------------------------------------

#[test]
fn names_are_only_text() {
    let (host, report) = seattle();
    let evil = "</text><script>alert(1)</script>\u{1b}[2J\u{202e}\u{0}";
    let host = planner_core::host::Host { name: evil.into(), ..host };
    let guest = planner_core::guest::GuestSpec { name: evil.into(), ..desktop() };
    let regions = [region(evil, RegionKind::Platform, 0, 0xffff)];
    let map =
        AddressMap::refused(&host, &report, &[], Attempt { guest: &guest, ram: &[], regions: &regions });
    for page in [map::svg(&map), map::html(&map)] {
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{page}");
    }
    for page in [map::text(&map, &BOX), map::listing(&map, &BOX)] {
        assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{page:?}");
    }
    assert!(map::text(&map, &ASCII).is_ascii());
}

#[test]
fn ten_thousand_overlapping_regions_are_drawn() {
    let host = host("large", Vec::new());
    let nested = |n: u64| region(&format!("r{n}"), RegionKind::Platform, n, u64::MAX - n);
    let regions: Vec<MapRegion> = (0..10_000).map(nested).collect();
    let attempt = Attempt { guest: &desktop(), ram: &[], regions: &regions };
    let map = AddressMap::refused(&host, &report(&host, Vec::new()), &[], attempt);
    assert_eq!(map.lanes[2].bands.len(), 10_000);
    assert!(map::text(&map, &BOX).lines().count() > 19_999);
    assert!(map::svg(&map).len() > 10_000);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [72, 80, 100, 132, 200] {
        for map in [bare(), planned(), refused()] {
            let text = map::text(&map, &TextStyle { width, ..BOX });
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn colour_changes_nothing_else() {
    for map in [bare(), planned(), refused()] {
        let coloured = map::text(&map, &TextStyle { color: Color::Always, ..BOX });
        let mut plain = String::new();
        for (n, part) in coloured.split('\u{1b}').enumerate() {
            plain.push_str(if n == 0 { part } else { part.split_once('m').unwrap().1 });
        }
        assert_eq!(plain, map::text(&map, &BOX));
    }
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let (host, report) = seattle();
    let mut regions = qemu_regions();
    let draw = |regions: &[MapRegion]| {
        map::svg(&AddressMap::refused(&host, &report, &[], Attempt { guest: &desktop(), ram: &[], regions }))
    };
    let forward = draw(&regions);
    regions.reverse();
    assert_eq!(forward, draw(&regions));
}

// ---- colours -----------------------------------------------------------------------------------------------------

/// Relative luminance (WCAG 2.2).
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("#rrggbb")) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_can_be_read_on_every_band() {
    for kind in BandKind::ALL {
        for (text, ground, colours) in
            [("#1b2027", "#ffffff", kind.light()), ("#e7ebf0", "#0e1217", kind.dark())]
        {
            assert!(contrast(text, colours.fill) >= 7.0, "{kind:?} {}", colours.fill);
            assert!(
                contrast(colours.ink, colours.fill) >= 1.9,
                "{kind:?} {} on {}",
                colours.ink,
                colours.fill
            );
            assert!(contrast(colours.ink, ground) >= 2.5, "{kind:?} {} on {ground}", colours.ink);
        }
    }
}

#[test]
fn kinds_of_one_lane_differ_without_colour() {
    use BandKind as K;
    let bus = [K::Window, K::WindowUnknown, K::WindowIntercepts];
    let iova =
        [K::Direct, K::DirectRelaxable, K::Reserved, K::HardwareMsi, K::SoftwareMsi, K::OutsideAperture];
    let guest = [
        K::SoftwareMsi,
        K::Ram,
        K::MemoryRoom,
        K::PciWindow,
        K::Bar,
        K::Ecam,
        K::InterruptController,
        K::Platform,
        K::Hole,
        K::Avoid,
    ];
    for lane in [&bus[..], &iova, &guest] {
        let textures: BTreeSet<&str> = lane.iter().map(|kind| kind.texture().path()).collect();
        assert_eq!(textures.len(), lane.len(), "{lane:?}");
    }
}
