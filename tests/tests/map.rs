//! The picture: small hosts and layouts in, text and SVG out.
//!
//! The SVG files in `map/` are what a browser shows; open them to look.

use expect_test::{expect, expect_file};
use planner_core::map::{self, Color, Glyphs, TextStyle};

#[path = "map/samples.rs"]
mod samples;
use samples::{bare, planned, refused};

const BOX: TextStyle = TextStyle { width: 80, glyphs: Glyphs::Box, color: Color::Plain };
const ASCII: TextStyle = TextStyle { width: 80, glyphs: Glyphs::Ascii, color: Color::Plain };

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
                 0xc000_0000    960 MiB  │? pcie0 mem32 ????????│                      │
                 0xfc00_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 46 MiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
                 0xfee0_0000      1 MiB  │                      │▓ doorbell ▓▓▓▓▓▓▓▓▓▓▓│
                 0xfef0_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ ~252 GiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
              0x40_0000_0000    256 GiB  │· pcie0 mem64 ········│                      │
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
              0x4000_0000    256 MiB  │» pcie0 mem32 »│               │┇ ecam ┇┇┇┇┇┇┇┇│
              0x5000_0000     16 KiB  │»»»»»»»»»»»»»»»│               │═ mmio ▦ bar … │
              0x5000_4000   ~768 MiB  │»»»»»»»»»»»»»»»│               │═══════        │
              0x8000_0000      1 GiB  │»»»»»»»»»»»»»»»│               │               │
              0xc000_0000             ┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ 1 GiB free ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼
            0x1_0000_0000    508 GiB  │» pcie0 mem64 »│               │               │
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
        ✗     0x4000_0000      2 GiB  │» pcie0 mem32 »│               │█ RAM █████████│
              0xc000_0000      1 GiB  │               │               │███████████████│
        ✗   0x1_0000_0000      1 GiB  │» pcie0 mem64 »│               │███████████████│
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
        !     0x4000_0000      2 GiB  |> pcie0 mem32 >|               |# RAM #########|
              0xc000_0000      1 GiB  |               |               |###############|
        !   0x1_0000_0000      1 GiB  |> pcie0 mem64 >|               |###############|
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
        ! > 0x4000_0000..=0xbfff_ffff  2 GiB  pcie0 mem32
              [H-P2PWIN] root complex pcie0 takes DMA into this window peer to peer
              (seattle.host:12)
        ! > 0x1_0000_0000..=0x7f_ffff_ffff  508 GiB  pcie0 mem64
              [H-P2PWIN] root complex pcie0 takes DMA into this window peer to peer
              (seattle.host:12)
        IOVA (what the kernel keeps)
          % 0x800_0000..=0x80f_ffff  1 MiB  MSI window
              [K-SWMSI] predicted for group 1
          / 0x100_0000_0000..=0xffff_ffff_ffff_ffff  ~16 EiB  outside aperture
              the IOMMU of group 1 translates 0x0..=0xff_ffff_ffff only
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
