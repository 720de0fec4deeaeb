//! Tables that no machine at hand has: what is read of them.

use expect_test::{Expect, expect};
use planner_core::read::acpi::{BridgeBuses, dmar, iort, ivrs, rhct};

use super::{Tables, read, summary};
use crate::writer::*;

fn check(tables: &[(&str, Vec<u8>)], bridges: &[BridgeBuses], expected: &Expect) {
    let tables: Tables = tables.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
    let (host, diagnostics) = read(&tables, bridges);
    expected.assert_eq(&summary::of(&host, &diagnostics));
}

/// The MADT with the ITSs 0 and 7.
fn two_its() -> (&'static str, Vec<u8>) {
    ("APIC", madt(&[madt_its(0, 0x800_0000), madt_its(7, 0x900_0000)]))
}

#[test]
fn requesters_go_through_an_smmu_to_an_its_or_past_it() {
    let nodes = [
        its_group(&[7, 0]),
        smmu_v3(0x2b40_0000, 0, 1, &[[0x100, 0xfff, 0x1_0000, 0x30, 0], [0x0, 0, 0x99, 0x30, 1]]),
        root(0, &[[0, 0x1ff, 0x0, 0x4c, 0], [0x1000, 0xefff, 0x2_1000, 0x30, 0]]),
    ];
    check(
        &[two_its(), ("IORT", iort(5, &nodes))],
        &[],
        &expect![[r#"
        arch aarch64
        iommu smmu3.0x000000002b400000 smmuv3 base 0x2b40_0000  IORT+0x4c
        its its0 0x800_0000..=0x801_ffff  APIC+0x2c
        its its1 0x900_0000..=0x901_ffff  APIC+0x40
        root-complex pci0000:00 segment 0 buses 0x00..=0xff  IORT+0xb8
          0x0..=0x1ff -> smmu3.0x000000002b400000 stream 0x0  IORT+0xdc
          0x100..=0x1ff -> its1 device-id 0x10000  IORT+0xdc
          0x1000..=0xffff -> its1 device-id 0x21000  IORT+0xf0
    "#]],
    );
}

#[test]
fn ranges_that_are_one_too_long_lose_their_last_id_to_the_next() {
    let nodes = [
        its_group(&[0]),
        smmu_v3(0x2b40_0000, 0, 0, &[]),
        smmu_v3(0x2b60_0000, 0, 0, &[]),
        root(0, &[[0, 0x100, 0x0, 0x48, 0], [0x100, 0x100, 0x100, 0x8c, 0], [0x180, 0x1000, 0x0, 0x48, 0]]),
    ];
    check(
        &[("IORT", iort(5, &nodes))],
        &[],
        &expect![[r#"
            arch aarch64
            iommu smmu3.0x000000002b400000 smmuv3 base 0x2b40_0000  IORT+0x48
            iommu smmu3.0x000000002b600000 smmuv3 base 0x2b60_0000  IORT+0x8c
            root-complex pci0000:00 segment 0 buses 0x00..=0xff  IORT+0xd0
              0x0..=0xff -> smmu3.0x000000002b400000 stream 0x0  IORT+0xf4
              0x100..=0x200 -> smmu3.0x000000002b600000 stream 0x100  IORT+0x108
              0x201..=0x1180 -> smmu3.0x000000002b400000 stream 0x81  IORT+0x11c
            warning[T024] IORT+0x108: ID 0x100 of the node at 0xd0 ends one mapping and begins another: it belongs to the one that it begins
                note: the number in a mapping is that of its IDs less one; the earlier mapping is probably one too long
            warning[T024] IORT+0x11c: IDs from 0x180 to 0x1180 are mapped by an earlier mapping too, which wins
        "#]],
    );
}

#[test]
fn a_single_mapping_gives_all_requesters_one_stream() {
    let nodes = [
        its_group(&[0]),
        smmu(0x2b40_0000, 3, &[[0, 0xffff, 0x4_0000, 0x30, 0]]),
        root(0, &[[0, 0, 0x42, 0x48, 1]]),
    ];
    check(
        &[two_its(), ("IORT", iort(3, &nodes)), ("MCFG", mcfg(&[(0x4000_0000, 0, 0x10, 0x7f)]))],
        &[],
        &expect![[r#"
            arch aarch64
            iommu smmu.0x000000002b400000 mmu-500 base 0x2b40_0000  IORT+0x48
            its its0 0x800_0000..=0x801_ffff  APIC+0x2c
            its its1 0x900_0000..=0x901_ffff  APIC+0x40
            root-complex pci0000:10 segment 0 buses 0x10..=0x7f  MCFG+0x2c
              0x1000..=0x7fff -> smmu.0x000000002b400000 stream 0x42 shared  IORT+0xbc
              0x1000..=0x7fff -> its0  IORT+0xbc
        "#]],
    );
}

#[test]
fn models_of_smmus_are_told_apart() {
    let mut nodes: Vec<Vec<u8>> =
        (0..8).map(|model| smmu(0x1_0000_0000 + u64::from(model), model, &[])).collect();
    nodes.extend((0..4).map(|model| smmu_v3(0x2_0000_0000 + u64::from(model), model, 0, &[])));
    nodes.push(smmu(0x1_0000_0000, 0, &[]));
    check(
        &[("IORT", iort(0, &nodes))],
        &[],
        &expect![[r#"
        arch aarch64
        iommu smmu.0x0000000100000000 smmuv1 base 0x1_0000_0000  IORT+0x30
        iommu smmu.0x0000000100000001 smmuv2 base 0x1_0000_0001  IORT+0x6c
        iommu smmu.0x0000000100000002 mmu-400 base 0x1_0000_0002  IORT+0xa8
        iommu smmu.0x0000000100000003 mmu-500 base 0x1_0000_0003  IORT+0xe4
        iommu smmu.0x0000000100000004 mmu-401 base 0x1_0000_0004  IORT+0x120
        iommu smmu.0x0000000100000005 cavium-smmuv2 base 0x1_0000_0005  IORT+0x15c
        iommu smmu.0x0000000100000006 smmuv2 base 0x1_0000_0006  IORT+0x198
        iommu smmu.0x0000000100000007 smmuv2 base 0x1_0000_0007  IORT+0x1d4
        iommu smmu3.0x0000000200000000 smmuv3 base 0x2_0000_0000  IORT+0x210
        iommu smmu3.0x0000000200000001 hisilicon-hi161x base 0x2_0000_0001  IORT+0x254
        iommu smmu3.0x0000000200000002 cavium-cn99xx base 0x2_0000_0002  IORT+0x298
        iommu smmu3.0x0000000200000003 smmuv3 base 0x2_0000_0003  IORT+0x2dc
    "#]],
    );
}

#[test]
fn segments_have_root_complexes_of_their_own() {
    let nodes = [
        its_group(&[0]),
        smmu_v3(0x2b40_0000, 0, 0, &[]),
        root(0, &[[0, 0xffff, 0, 0x48, 0]]),
        root(3, &[[0, 0xffff, 0x1_0000, 0x48, 0]]),
        root(0, &[[0, 0xffff, 0, 0x30, 0]]),
        root(0x1_0000, &[[0, 0xffff, 0, 0x30, 0]]),
    ];
    let buses = [(0x1000_0000, 0, 0, 0x3f), (0x1000_0000, 0, 0x40, 0xff), (0x2000_0000, 1, 0, 0)];
    check(
        &[("IORT", iort(5, &nodes)), ("MCFG", mcfg(&buses))],
        &[],
        &expect![[r#"
            arch aarch64
            iommu smmu3.0x000000002b400000 smmuv3 base 0x2b40_0000  IORT+0x48
            root-complex pci0000:00 segment 0 buses 0x00..=0x3f  MCFG+0x2c
              0x0..=0x3fff -> smmu3.0x000000002b400000 stream 0x0  IORT+0xb0
            root-complex pci0000:40 segment 0 buses 0x40..=0xff  MCFG+0x3c
              0x4000..=0xffff -> smmu3.0x000000002b400000 stream 0x4000  IORT+0xb0
            root-complex pci0001:00 segment 1 buses 0x00..=0x00  MCFG+0x4c
            root-complex pci0003:00 segment 3 buses 0x00..=0xff  IORT+0xc4
              0x0..=0xffff -> smmu3.0x000000002b400000 stream 0x10000  IORT+0xe8
            warning[T026] IORT+0xfc: segment 0x0000 has a second root complex, at 0xfc, which Linux never finds
                first here: IORT+0x8c
            warning[T026] IORT+0x134: the root complex at 0x134 is of segment 0x10000, and there are at most 0x10000
        "#]],
    );
}

#[test]
fn reserved_memory_is_for_the_requesters_behind_its_streams() {
    let nodes = [
        its_group(&[0]),
        smmu_v3(0x2b40_0000, 0, 0, &[]),
        root(0, &[[0, 0xff, 0x1000, 0x48, 0], [0x100, 0, 0x2000, 0x48, 0]]),
        root(1, &[[0, 0, 0x10ff, 0x48, 1]]),
        rmr(
            1,
            &[[0, 0, 0x10ff, 0x48, 0], [0, 1, 0x1ffff, 0x48, 0]],
            &[(0x8000_0000, 0x1_0000), (0x9000_0000, 0)],
        ),
        rmr(2, &[[0, 0xff, 0x1080, 0x48, 0]], &[(u64::MAX - 0xffff, 0x1_0000)]),
    ];
    let buses = [(0x1000_0000, 0, 0, 0xff), (0x2000_0000, 1, 0, 1)];
    check(
        &[("IORT", iort(5, &nodes)), ("MCFG", mcfg(&buses))],
        &[],
        &expect![[r#"
            arch aarch64
            iommu smmu3.0x000000002b400000 smmuv3 base 0x2b40_0000  IORT+0x48
            root-complex pci0000:00 segment 0 buses 0x00..=0xff  MCFG+0x2c
              0x0..=0xff -> smmu3.0x000000002b400000 stream 0x1000  IORT+0xb0
              0x100..=0x100 -> smmu3.0x000000002b400000 stream 0x2000  IORT+0xc4
            root-complex pci0001:00 segment 1 buses 0x00..=0x01  MCFG+0x3c
              0x0..=0x1ff -> smmu3.0x000000002b400000 stream 0x10ff shared  IORT+0xfc
            firmware rmr0.0 0x8000_0000..=0x8000_ffff direct-relaxable [0000:00:1f.7, 0001/0x0..=0xffff]  IORT+0x154
            firmware rmr1 0xffff_ffff_ffff_0000..=0xffff_ffff_ffff_ffff direct [0000/0x80..=0xff, 0001/0x0..=0xffff]  IORT+0x1ac
            warning[T029] IORT+0x168: the region at 0x9000_0000 has no length
        "#]],
    );
}

#[test]
fn other_nodes_are_kept_as_they_are() {
    let component = bytes().u32(0).u64(1).u8(40).raw(b"\\_SB.DMA0\0");
    let performance = bytes().u64(0x2b42_0000).u32(0x101).u32(0x30).u64(0x2b43_0000);
    let nodes =
        [its_group(&[0]), node(1, 4, &component, &[[0, 0, 5, 0x30, 1]]), node(5, 2, &performance, &[])];
    let (table, found) = iort::parse("IORT", &iort(6, &nodes));
    assert_eq!(found, []);
    let kinds: Vec<String> = table.nodes.iter().map(|node| format!("{:?}\n", node.kind)).collect();
    expect![[r#"
        ItsGroup { its: [0] }
        NamedComponent { name: "\\_SB.DMA0", address_bits: 40 }
        Pmcg
    "#]]
    .assert_eq(&kinds.concat());
}

#[test]
fn without_an_its_the_first_frame_serves_all() {
    let frame = |base, flags| bytes().u8(0x0d).u8(24).u16(0).u32(0).u64(base).u32(flags).u16(32).u16(160);
    let gicd = bytes().u8(0x0c).u8(24).u16(0).u32(0).u64(0x2f00_0000).u32(0).u8(2).zeros(3);
    let tables = [
        ("APIC", madt(&[gicd, frame(0x2c1c_0000, 1), frame(0x2c1d_0000, 0)])),
        ("MCFG", mcfg(&[(0x4000_0000, 2, 0, 0xff)])),
    ];
    check(
        &tables,
        &[],
        &expect![[r#"
        arch aarch64
        gicv2m v2m0 0x2c1c_0000..=0x2c1c_0fff spis 160..=191  APIC+0x44
        gicv2m v2m1 0x2c1d_0000..=0x2c1d_0fff  APIC+0x5c
        root-complex pci0002:00 segment 2 buses 0x00..=0xff  MCFG+0x2c
          0x0..=0xffff -> v2m0  APIC+0x44
    "#]],
    );
}

#[test]
fn redistributors_are_found_at_the_processors_too() {
    let gicd = bytes().u8(0x0c).u8(24).u16(0).u32(0).u64(0x2f00_0000).u32(0).u8(3).zeros(3);
    let gicc = |flags, base| bytes().u8(0x0b).u8(80).zeros(10).u32(flags).zeros(44).u64(base).zeros(12);
    let old = bytes().u8(0x0b).u8(40).zeros(10).u32(1).zeros(24);
    check(
        &[("APIC", madt(&[gicd, gicc(1, 0x2f10_0000), gicc(0, 0x2f12_0000), gicc(1, 0x2f14_0000), old]))],
        &[],
        &expect![[r#"
            arch aarch64
            gicv3 0x2f00_0000..=0x2f00_ffff [0x2f10_0000..=0x2f11_ffff, 0x2f14_0000..=0x2f15_ffff]  APIC+0x2c
        "#]],
    );
}

fn bridge(at: &str, secondary: u8, subordinate: u8) -> BridgeBuses {
    BridgeBuses { bridge: at.parse().unwrap(), secondary, subordinate }
}

/// Units for a function, for a bridge and all below it, for what stands behind a bridge, and for all else.
fn units() -> Vec<u8> {
    dmar(&[
        drhd(
            0,
            0,
            0xfed9_0000,
            &[scope(1, 0, &[(2, 0)]), scope(2, 0, &[(0x1c, 0)]), scope(3, 0xf0, &[(0x1f, 0)])],
        ),
        drhd(0, 0, 0xfed9_1000, &[scope(1, 0, &[(0x1d, 0), (0, 1)])]),
        drhd(1, 0, 0xfed9_2000, &[scope(4, 0, &[(0x1e, 0)])]),
        drhd(1, 1, 0xfed9_3000, &[]),
        rmrr(0, 0x7000_0000, 0x700f_ffff, &[scope(1, 0, &[(2, 0)]), scope(2, 0, &[(0x1c, 0)])]),
        rmrr(1, 0x7100_0800, 0x7100_17ff, &[scope(1, 0, &[(0x1d, 0), (0, 1)])]),
        rmrr(0, 0x7200_0000, 0x71ff_ffff, &[]),
        dmar_structure(2, &bytes().u8(1).u8(0).u16(0), &[]),
        dmar_structure(5, &bytes().u8(1).u8(0).u16(0), &[scope(1, 0x6a, &[(1, 0)])]),
        dmar_structure(3, &bytes().u32(0).u64(0xfed9_0000).u32(1), &[]),
        dmar_structure(4, &bytes().zeros(3).u8(1).raw(b"\\_SB.DMA0\0"), &[]),
    ])
}

#[test]
fn units_serve_what_is_in_their_scopes() {
    let bridges = [bridge("0000:00:1c.0", 3, 5), bridge("0000:00:1d.0", 6, 6), bridge("0001:00:1d.0", 7, 7)];
    check(
        &[("DMAR", units())],
        &bridges,
        &expect![[r#"
            arch x86_64
            iommu dmar0 intel-vtd base 0xfed9_0000  DMAR+0x30
            iommu dmar1 intel-vtd base 0xfed9_1000  DMAR+0x58
            iommu dmar2 intel-vtd base 0xfed9_2000  DMAR+0x72
            iommu dmar3 intel-vtd base 0xfed9_3000  DMAR+0x8a
            root-complex pci0000:00 segment 0 buses 0x00..=0xff  DMAR+0x58
              0x0..=0xf -> dmar2  DMAR+0x72
              0x10..=0x10 -> dmar0  DMAR+0x40
              0x11..=0xdf -> dmar2  DMAR+0x72
              0xe0..=0xe0 -> dmar0  DMAR+0x48
              0xe1..=0x2ff -> dmar2  DMAR+0x72
              0x300..=0x5ff -> dmar0  DMAR+0x48
              0x600..=0x600 -> dmar2  DMAR+0x72
              0x601..=0x601 -> dmar1  DMAR+0x68
              0x602..=0xffff -> dmar2  DMAR+0x72
            root-complex pci0001:00 segment 1 buses 0x00..=0xff  DMAR+0x8a
              0x0..=0xffff -> dmar3  DMAR+0x8a
            firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:02.0, 0000:00:1c.0, 0000/0x300..=0x5ff]  DMAR+0x9a
            firmware rmrr1 0x7100_0800..=0x7100_17ff direct [0001:07:00.1]  DMAR+0xc2
            warning[T032] DMAR+0xc2: the RMRR 0x7100_0800..=0x7100_17ff does not begin and end with pages of 4 KiB
            warning[T029] DMAR+0xe4: the RMRR goes from 0x7200_0000 to 0x71ff_ffff
        "#]],
    );
    check(
        &[("DMAR", units())],
        &[],
        &expect![[r#"
            arch x86_64
            iommu dmar0 intel-vtd base 0xfed9_0000  DMAR+0x30
            iommu dmar1 intel-vtd base 0xfed9_1000  DMAR+0x58
            iommu dmar2 intel-vtd base 0xfed9_2000  DMAR+0x72
            iommu dmar3 intel-vtd base 0xfed9_3000  DMAR+0x8a
            root-complex pci0000:00 segment 0 buses 0x00..=0xff  DMAR+0x58
              0x0..=0xf -> dmar2  DMAR+0x72
              0x10..=0x10 -> dmar0  DMAR+0x40
              0x11..=0xdf -> dmar2  DMAR+0x72
              0xe0..=0xe0 -> dmar0  DMAR+0x48
              0xe1..=0xffff -> dmar2  DMAR+0x72
            root-complex pci0001:00 segment 1 buses 0x00..=0xff  DMAR+0x8a
              0x0..=0xffff -> dmar3  DMAR+0x8a
            firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:02.0, 0000:00:1c.0]  DMAR+0x9a
            firmware rmrr1 0x7100_0800..=0x7100_17ff direct []  DMAR+0xc2
            note[T040] DMAR+0x68: the path of the device scope leads through 0000:00:1d.0, and the bus behind it is not known
                help: capture the configuration space of the bridges: `sys/bus/pci/devices/*/config`
            note[T040] DMAR+0x48: the device scope is 0000:00:1c.0 and all below it, and the buses below are not known
                help: capture the configuration space of the bridges: `sys/bus/pci/devices/*/config`
            note[T040] DMAR+0xba: the device scope is 0000:00:1c.0 and all below it, and the buses below are not known
                help: capture the configuration space of the bridges: `sys/bus/pci/devices/*/config`
            warning[T032] DMAR+0xc2: the RMRR 0x7100_0800..=0x7100_17ff does not begin and end with pages of 4 KiB
            note[T040] DMAR+0xda: the path of the device scope leads through 0001:00:1d.0, and the bus behind it is not known
                help: capture the configuration space of the bridges: `sys/bus/pci/devices/*/config`
            warning[T029] DMAR+0xe4: the RMRR goes from 0x7200_0000 to 0x71ff_ffff
        "#]],
    );
}

#[test]
fn what_a_dmar_says_of_ats_and_nodes_is_kept() {
    let (dmar, found) = dmar::parse("DMAR", &units());
    assert_eq!(found, []);
    assert!(dmar.interrupt_remapping && !dmar.x2apic_opt_out && !dmar.dma_control_opt_in);
    assert_eq!(dmar.address_bits, 48);
    assert!(dmar.root_ports[0].all && dmar.integrated[0].required);
    assert_eq!((dmar.integrated[0].scopes[0].bus, dmar.affinities[0].node), (0x6a, 1));
}

#[test]
fn the_last_kind_of_block_of_an_amd_iommu_counts() {
    let hid = entry(0xf0, 0x0068).raw(b"AMDI0020").zeros(8).u8(2).u8(4).raw(b"\\_SB");
    let new = [
        entry(1, 0),
        entry(2, 0x0010),
        entry(3, 0x0100),
        entry(4, 0x01ff),
        aliased(0x42, 0x0300, 0x0200),
        aliased(0x43, 0x0400, 0x00a4),
        entry(4, 0x04ff),
        entry(0x46, 0x0020).u32(0),
        entry(0, 0),
        entry(0x48, 0).u8(0x20).u16(0x00a0).u8(1),
        entry(0x48, 0).u8(0).u16(0x00a1).u8(2),
        hid,
    ];
    let blocks = [
        ivhd(0x10, 0x0002, 0, 0xfeb8_0000, &[entry(3, 0x8), entry(4, 0xfffe)]),
        ivhd(0x11, 0x0002, 0, 0xfeb8_0000, &[entry(3, 0x8), entry(4, 0xfffe)]),
        ivhd(0x40, 0x0002, 0, 0xfeb8_0000, &new),
        ivhd(0x40, 0x0002, 1, 0xfeb9_0000, &[entry(0x47, 0x0000).u32(0), entry(4, 0x0fff)]),
        ivmd(0x20, 0x01, (0, 0), 1, (0x7000_0000, 0x1000)),
        ivmd(0x22, 0x08, (0x0100, 0x01ff), 0, (0x7100_0800, 0x1000)),
        ivmd(0x21, 0x06, (0x0100, 0), 0, (0x7200_0000, 0x1000)),
    ];
    check(
        &[("IVRS", ivrs(&blocks))],
        &[],
        &expect![[r#"
        arch x86_64
        iommu ivhd0 amd-vi base 0xfeb8_0000  IVRS+0x80
        iommu ivhd1 amd-vi base 0xfeb9_0000  IVRS+0x102
        root-complex pci0000:00 segment 0 buses 0x00..=0xff  IVRS+0x80
          0x0..=0x1 -> ivhd0 stream 0x0  IVRS+0xa8
          0x3..=0xf -> ivhd0 stream 0x3  IVRS+0xa8
          0x10..=0x10 -> ivhd0 stream 0x10  IVRS+0xac
          0x11..=0x1f -> ivhd0 stream 0x11  IVRS+0xa8
          0x20..=0x20 -> ivhd0 stream 0x20  IVRS+0xcc
          0x21..=0x67 -> ivhd0 stream 0x21  IVRS+0xa8
          0x68..=0x68 -> ivhd0 stream 0x68  IVRS+0xe8
          0x69..=0x9f -> ivhd0 stream 0x69  IVRS+0xa8
          0xa0..=0xa0 -> ivhd0 stream 0xa0  IVRS+0xd8
          0xa1..=0xa1 -> ivhd0 stream 0xa1  IVRS+0xe0
          0xa2..=0xff -> ivhd0 stream 0xa2  IVRS+0xa8
          0x100..=0x1ff -> ivhd0 stream 0x100  IVRS+0xb4
          0x200..=0x2ff -> ivhd0 stream 0x200  IVRS+0xa8
          0x300..=0x300 -> ivhd0 stream 0x200  IVRS+0xb8
          0x301..=0x3ff -> ivhd0 stream 0x301  IVRS+0xa8
          0x400..=0x4ff -> ivhd0 stream 0xa4 shared  IVRS+0xc8
          0x500..=0xffff -> ivhd0 stream 0x500  IVRS+0xa8
        root-complex pci0001:00 segment 1 buses 0x00..=0xff  IVRS+0x102
          0x0..=0x1 -> ivhd1 stream 0x0  IVRS+0x132
          0x3..=0xfff -> ivhd1 stream 0x3  IVRS+0x132
        firmware ivmd0 0x7000_0000..=0x7000_0fff direct [0001/0x0..=0xffff]  IVRS+0x136
        firmware ivmd1 0x7100_0800..=0x7100_17ff direct [0000/0x100..=0x1ff]  IVRS+0x156
    "#]],
    );
    let (table, _) = ivrs::parse("IVRS", &ivrs(&blocks));
    let special: Vec<_> = table.units[2].entries.iter().filter_map(|entry| entry.special.as_ref()).collect();
    expect![[r#"[IoApic(32), Hpet(0), Acpi("AMDI0020")]"#]].assert_eq(&format!("{special:?}"));
}

#[test]
fn a_later_entry_wins_over_an_earlier_one() {
    let first = [entry(3, 0), entry(4, 0xffff)];
    let second = [aliased(0x43, 0x0100, 0x0100), entry(4, 0x01ff)];
    let blocks = [ivhd(0x10, 2, 0, 0xfeb8_0000, &first), ivhd(0x10, 3, 0, 0xfeb9_0000, &second)];
    check(
        &[("IVRS", ivrs(&blocks))],
        &[],
        &expect![[r#"
        arch x86_64
        iommu ivhd0 amd-vi base 0xfeb8_0000  IVRS+0x30
        iommu ivhd1 amd-vi base 0xfeb9_0000  IVRS+0x50
        root-complex pci0000:00 segment 0 buses 0x00..=0xff  IVRS+0x30
          0x0..=0x1 -> ivhd0 stream 0x0  IVRS+0x4c
          0x4..=0xff -> ivhd0 stream 0x4  IVRS+0x4c
          0x100..=0x1ff -> ivhd1 stream 0x100 shared  IVRS+0x70
          0x200..=0xffff -> ivhd0 stream 0x200  IVRS+0x4c
    "#]],
    );
}

#[test]
fn iommus_of_risc_v_serve_root_complexes() {
    let unit = |base, flags, device| {
        bytes()
            .u8(0)
            .u8(1)
            .u16(40)
            .u16(0)
            .u16(0)
            .raw(b"RSCV0004")
            .u64(base)
            .u32(flags)
            .u32(0)
            .u16(0)
            .u16(device)
            .u32(0)
    };
    let root = |segment: u16, maps: &[[u32; 5]]| {
        let length = u16::try_from(20 + 20 * maps.len()).unwrap();
        let head = bytes().u8(1).u8(1).u16(length).u32(0).u32(1).u16(0).u16(segment).u16(20);
        let head = head.u16(u16::try_from(maps.len()).unwrap());
        maps.iter().flatten().fold(head, |bytes, field| bytes.u32(*field))
    };
    let nodes = [
        unit(0x301_0000, 0, 0),
        unit(0, 1, 8),
        root(0, &[[0, 0xfff, 0x1_0000, 0x30, 0], [0x1000, 0xefff, 0x0, 0x58, 0]]),
        root(1, &[[0, 0xffff, 0, 0x99, 0]]),
        root(1, &[]),
    ];
    let body = nodes.iter().fold(bytes().u32(5).u32(48).u32(0), |bytes, node| bytes.raw(&node.0));
    check(
        &[("RIMT", table("RIMT", 1, &body.0))],
        &[],
        &expect![[r#"
            arch riscv64
            iommu riscv-iommu@0x301_0000 riscv-iommu base 0x301_0000  RIMT+0x30
            iommu riscv-iommu@0000:00:01.0 riscv-iommu  RIMT+0x58
            root-complex pci0000:00 segment 0 buses 0x00..=0xff  RIMT+0x80
              0x0..=0xfff -> riscv-iommu@0x301_0000 stream 0x10000  RIMT+0x94
              0x1000..=0xffff -> riscv-iommu@0000:00:01.0 stream 0x0  RIMT+0xa8
            root-complex pci0001:00 segment 1 buses 0x00..=0xff  RIMT+0xbc
            warning[T021] RIMT+0xd0: the mapping leads to offset 0x99, where no IOMMU begins
            warning[T026] RIMT+0xe4: segment 0x0001 has a second root complex, which Linux never finds
        "#]],
    );
}

#[test]
fn harts_say_what_they_can_do() {
    let isa = bytes().u16(0).u16(16).u16(1).u16(8).raw(b"rv64gc\0\0");
    let mmu = bytes().u16(2).u16(8).u16(1).u8(0).u8(1);
    let body = bytes().u32(0).u64(10_000_000).u32(2).u32(56).raw(&isa.0).raw(&mmu.0);
    let bytes = table("RHCT", 1, &body.0);
    let (table, found) = rhct::parse("RHCT", &bytes);
    assert_eq!(found, []);
    assert_eq!((table.instruction_sets[0].text.as_str(), table.mmus.as_slice()), ("rv64gc", &[48][..]));
    check(
        &[("RHCT", bytes)],
        &[],
        &expect![[r#"
        arch riscv64
    "#]],
    );
}

#[test]
fn virtio_iommus_serve_segments() {
    let range = bytes().u8(1).u8(0).u16(24).u32(0x100).u16(0).u16(1).u16(0).u16(0xffff).u16(72).zeros(6);
    let mmio = bytes().u8(4).u8(0).u16(16).u32(0).u64(0xa00_3e00);
    let endpoint = bytes().u8(2).u8(0).u16(24).u32(1).u64(0x900_0000).u16(72).zeros(6);
    let dangling = bytes().u8(1).u8(0).u16(24).u32(0).u16(2).u16(2).u16(0).u16(1).u16(48).zeros(6);
    let nodes = [range, mmio, endpoint, dangling];
    let body = nodes.iter().fold(bytes().u16(4).u16(48).zeros(8), |bytes, node| bytes.raw(&node.0));
    let buses = mcfg(&[(0x1000_0000, 0, 0, 0xff), (0x2000_0000, 1, 0, 0xff)]);
    check(
        &[("MCFG", buses), ("VIOT", table("VIOT", 0, &body.0))],
        &[],
        &expect![[r#"
            iommu virtio-mmio@0xa00_3e00 virtio-iommu base 0xa00_3e00  VIOT+0x48
            root-complex pci0000:00 segment 0 buses 0x00..=0xff  MCFG+0x2c
              0x0..=0xffff -> virtio-mmio@0xa00_3e00 stream 0x100  VIOT+0x30
            root-complex pci0001:00 segment 1 buses 0x00..=0xff  MCFG+0x3c
              0x0..=0xffff -> virtio-mmio@0xa00_3e00 stream 0x10100  VIOT+0x30
            warning[T021] VIOT+0x70: the range leads to offset 0x30, where no virtio-iommu begins
        "#]],
    );
}
