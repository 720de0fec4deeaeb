//! Tables with one fault each: what is said about it, and which facts are lost by it.

use expect_test::{Expect, expect};
use planner_core::read::acpi::BridgeBuses;

use super::{Tables, machine, read, summary};
use crate::writer::*;

/// The bridges of the recorded machines and the buses behind them.
const BRIDGES: [(&str, u8, u8); 6] = [
    ("0000:00:02.0", 1, 1),
    ("0000:00:03.0", 2, 2),
    ("0000:00:04.0", 3, 3),
    ("0000:00:05.0", 4, 5),
    ("0000:40:00.0", 0x41, 0x41),
    ("0000:40:01.0", 0x42, 0x42),
];

fn bridge(&(at, secondary, subordinate): &(&str, u8, u8)) -> BridgeBuses {
    BridgeBuses { bridge: at.parse().unwrap(), secondary, subordinate }
}

/// Compares what is said about a table in the place of the one of its name in a sound machine, and the lines in which
/// the facts differ from those of the sound one.
fn check(machine: &str, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>, expected: &Expect) {
    let sound = super::machine(machine);
    let table = sound.iter().find(|(other, _)| other == name).unwrap().1.clone();
    let mut faulty: Tables = sound.iter().filter(|(other, _)| other != name).cloned().collect();
    faulty.push((name.to_owned(), change(table)));
    let bridges: Vec<BridgeBuses> = BRIDGES.iter().map(bridge).collect();
    let (host, diagnostics) = read(&faulty, &bridges);
    let (before, after) = (summary::of(&read(&sound, &bridges).0, &[]), summary::of(&host, &[]));
    let lost: Vec<&str> = before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
    let found: Vec<&str> = after.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    let lines = short("-", &lost) + &short("+", &found);
    expected.assert_eq(&(lines + &summary::diagnostic_lines(&diagnostics)));
}

/// The first of these lines, and how many more there are.
fn short(sign: &str, lines: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown: String = lines.iter().take(SHOWN).map(|line| format!("{sign} {line}\n")).collect();
    match lines.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}{sign} and {more} more\n"),
    }
}

pub(crate) fn iort(change: impl FnOnce(Vec<u8>) -> Vec<u8>, expected: &Expect) {
    check("arm64-smmu-iort-rmr", "IORT", change, expected);
}
fn dmar(change: impl FnOnce(Vec<u8>) -> Vec<u8>, expected: &Expect) {
    check("x86-intel-rmrr", "DMAR", change, expected);
}
fn ivrs(change: impl FnOnce(Vec<u8>) -> Vec<u8>, expected: &Expect) {
    check("x86-amd-ivmd", "IVRS", change, expected);
}
fn madt(change: impl FnOnce(Vec<u8>) -> Vec<u8>, expected: &Expect) {
    check("arm64-smmu-its", "APIC", change, expected);
}

#[test]
fn a_table_is_shorter_than_its_header() {
    iort(
        |table| table[..35].to_vec(),
        &expect![[r#"
        - iommu smmu3.0x0000000009050000 smmuv3 base 0x905_0000  IORT+0x48
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x4000..=0x42ff -> smmu3.0x0000000009050000 stream 0x4000  IORT+0xd8
        - and 9 more
        warning[T001] IORT+0x0: the file has 35 bytes, and the header of a table has 36
    "#]],
    );
    iort(
        |_| Vec::new(),
        &expect![[r#"
        - iommu smmu3.0x0000000009050000 smmuv3 base 0x905_0000  IORT+0x48
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x4000..=0x42ff -> smmu3.0x0000000009050000 stream 0x4000  IORT+0xd8
        - and 9 more
        warning[T001] IORT+0x0: the file has 0 bytes, and the header of a table has 36
    "#]],
    );
}

#[test]
fn a_table_is_another() {
    iort(
        |table| patched(table, 0, b"XORT"),
        &expect![[r#"
        - iommu smmu3.0x0000000009050000 smmuv3 base 0x905_0000  IORT+0x48
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x4000..=0x42ff -> smmu3.0x0000000009050000 stream 0x4000  IORT+0xd8
        - and 9 more
        warning[T002] IORT+0x0: the table is `XORT`, not `IORT`
    "#]],
    );
}

#[test]
fn a_checksum_is_wrong() {
    iort(
        |mut table| {
            table[9] ^= 1;
            table
        },
        &expect![[r#"
            warning[T004] IORT+0x9: the bytes of the table add up to 0xff, not to 0
                help: Linux uses the table all the same; capture it again to rule out damage
        "#]],
    );
}

#[test]
fn a_file_is_not_as_long_as_its_table() {
    madt(
        |table| table[..table.len() - 21].to_vec(),
        &expect![[r#"
        - gicv3 0x800_0000..=0x800_ffff [0x80a_0000..=0x8ff_ffff]  APIC+0x2c
        - its its0 0x808_0000..=0x809_ffff  APIC+0xf4
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        - and 3 more
        + gicv3 0x800_0000..=0x800_ffff []  APIC+0x2c
        warning[T003] APIC+0x4: the table says that it has 264 bytes, and the file has 243
        warning[T011] APIC+0xe4: the structure at 0xe4 has 16 bytes, and only 15 are left
        warning[T027] IORT+0x30: the first of the ITS group at 0x30 is ITS 0, and the MADT has none
    "#]],
    );
    madt(
        |table| [table, vec![0x5a; 3]].concat(),
        &expect![[r#"
        warning[T003] APIC+0x4: the table says that it has 264 bytes, and the file has 267
    "#]],
    );
    madt(
        |table| patched(table, 4, &20_u32.to_le_bytes()),
        &expect![[r#"
        warning[T003] APIC+0x4: the table says that it has 20 bytes, and the file has 264
    "#]],
    );
}

#[test]
fn a_table_is_there_twice() {
    let mut tables = machine("x86-intel");
    tables.push(("DMAR2".to_owned(), super::machine("x86-intel-rmrr")[1].1.clone()));
    let (_, diagnostics) = read(&tables, &BRIDGES.iter().map(bridge).collect::<Vec<_>>());
    expect![[r#"
        warning[T005] DMAR2: `DMAR2` is a second DMAR, after `DMAR`
    "#]]
    .assert_eq(&summary::diagnostic_lines(&diagnostics));
}

#[test]
fn tables_that_are_not_read_are_passed_over() {
    let tables = vec![("DSDT".to_owned(), vec![1, 2, 3]), ("SSDT1".to_owned(), table("SSDT", 2, b"AML"))];
    let (host, diagnostics) = read(&tables, &[]);
    assert_eq!((summary::of(&host, &diagnostics).as_str(), host.root_complexes.len()), ("", 0));
}

#[test]
fn a_structure_has_no_length() {
    iort(
        |table| patched(table, 0xa1, &[0, 0]),
        &expect![[r#"
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x4000..=0x42ff -> smmu3.0x0000000009050000 stream 0x4000  IORT+0xd8
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        - and 8 more
        warning[T010] IORT+0xa0: the node at 0xa0 says that it has 0 bytes, and its header alone has 16
            help: what stands behind it is not read; only firmware can mend this
        warning[T014] IORT+0x24: the table says that it has 7 nodes, and 2 can be read
    "#]],
    );
    dmar(
        |table| patched(table, 0xb2, &[0, 0]),
        &expect![[r#"
        - firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  DMAR+0xb0
        - firmware rmrr1 0x7100_0000..=0x71ff_ffff direct [0000:00:08.0]  DMAR+0xd0
        - firmware rmrr2 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  DMAR+0xf0
        - and 1 more
        warning[T010] DMAR+0xb0: the structure at 0xb0 says that it has 0 bytes, and its header alone has 4
            help: what stands behind it is not read; only firmware can mend this
    "#]],
    );
    ivrs(
        |table| patched(table, 0x162, &[3, 0]),
        &expect![[r#"
        - firmware ivmd0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IVRS+0x160
        - firmware ivmd1 0x7100_0000..=0x711f_ffff direct [0000/0x100..=0x1ff]  IVRS+0x180
        - firmware ivmd2 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  IVRS+0x1a0
        warning[T010] IVRS+0x160: the block at 0x160 says that it has 3 bytes, and its header alone has 4
            help: what stands behind it is not read; only firmware can mend this
    "#]],
    );
    madt(
        |table| patched(table, 0xe5, &[1]),
        &expect![[r#"
        - gicv3 0x800_0000..=0x800_ffff [0x80a_0000..=0x8ff_ffff]  APIC+0x2c
        - its its0 0x808_0000..=0x809_ffff  APIC+0xf4
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        - and 3 more
        + gicv3 0x800_0000..=0x800_ffff []  APIC+0x2c
        warning[T010] APIC+0xe4: the structure at 0xe4 says that it has 1 bytes, and its header alone has 2
            help: what stands behind it is not read; only firmware can mend this
        warning[T027] IORT+0x30: the first of the ITS group at 0x30 is ITS 0, and the MADT has none
    "#]],
    );
}

#[test]
fn a_structure_passes_the_end() {
    iort(
        |table| patched(table, 0x1f5, &[0x60, 0]),
        &expect![[r#"
        - firmware rmr3 0x800_0000..=0x800_ffff direct [0000:03:00.0]  IORT+0x224
        warning[T011] IORT+0x1f4: the node at 0x1f4 has 96 bytes, and only 68 are left
        warning[T014] IORT+0x24: the table says that it has 7 nodes, and 6 can be read
    "#]],
    );
    dmar(
        |table| patched(table, 0x114, &[0x21, 0]),
        &expect![[r#"
        - firmware rmrr3 0x7300_0000..=0x73ff_ffff direct [0000:00:01.0]  DMAR+0x112
        warning[T011] DMAR+0x112: the structure at 0x112 has 33 bytes, and only 32 are left
    "#]],
    );
    madt(
        |table| patched(table, 0xf5, &[21]),
        &expect![[r#"
        - its its0 0x808_0000..=0x809_ffff  APIC+0xf4
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        -   0x600..=0x3fff -> its0 device-id 0x600  IORT+0xec
        - and 2 more
        warning[T011] APIC+0xf4: the structure at 0xf4 has 21 bytes, and only 20 are left
        warning[T027] IORT+0x30: the first of the ITS group at 0x30 is ITS 0, and the MADT has none
    "#]],
    );
}

#[test]
fn a_structure_is_too_short_for_its_kind() {
    iort(
        |table| patched(table, 0x30, &[4]),
        &expect![[r#"
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        -   0x600..=0x3fff -> its0 device-id 0x600  IORT+0xec
        -   0x4000..=0x42ff -> its0 device-id 0x4000  IORT+0xd8
        - and 1 more
        warning[T012] IORT+0x30: the node at 0x30 is an SMMUv3 and has only 24 bytes
        warning[T021] IORT+0xec: the node at 0xa0 maps IDs to offset 0x30, where no node begins
        warning[T021] IORT+0x8c: the node at 0x48 maps IDs to offset 0x30, where no node begins
    "#]],
    );
    dmar(
        |_| crate::writer::dmar(&[dmar_structure(1, &bytes().zeros(19), &[])]),
        &expect![[r#"
        - iommu dmar0 intel-vtd base 0xfed9_0000  DMAR+0x30
        -   0x0..=0x0 -> dmar0  DMAR+0x48
        -   0x8..=0x8 -> dmar0  DMAR+0x50
        - and 21 more
        warning[T012] DMAR+0x30: the structure at 0x30 is an RMRR and has only 23 bytes
    "#]],
    );
    madt(
        |table| patched(table, 0xe4, &[0x0f]),
        &expect![[r#"
        - gicv3 0x800_0000..=0x800_ffff [0x80a_0000..=0x8ff_ffff]  APIC+0x2c
        - its its0 0x808_0000..=0x809_ffff  APIC+0xf4
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        - and 3 more
        + gicv3 0x800_0000..=0x800_ffff []  APIC+0x2c
        + its its0 0xf6_0000_0000_0000..=0xf6_0000_0001_ffff  APIC+0xe4
        + its its1 0x808_0000..=0x809_ffff  APIC+0xf4
        + and 4 more
    "#]],
    );
    ivrs(
        |table| patched(table, 0x160, &[0x11]),
        &expect![[r#"
        - firmware ivmd0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IVRS+0x160
        - firmware ivmd1 0x7100_0000..=0x711f_ffff direct [0000/0x100..=0x1ff]  IVRS+0x180
        - firmware ivmd2 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  IVRS+0x1a0
        + firmware ivmd0 0x7100_0000..=0x711f_ffff direct [0000/0x100..=0x1ff]  IVRS+0x180
        + firmware ivmd1 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  IVRS+0x1a0
        warning[T012] IVRS+0x160: the block at 0x160 is an IVHD and has only 32 bytes
    "#]],
    );
}

#[test]
fn a_structure_is_of_an_unknown_kind() {
    iort(
        |table| patched(table, 0x1b0, &[7]),
        &expect![[r#"
        - firmware rmr2 0x7300_0800..=0x7300_1fff direct [0000:02:00.0]  IORT+0x1e0
        - firmware rmr3 0x800_0000..=0x800_ffff direct [0000:03:00.0]  IORT+0x224
        + firmware rmr2 0x800_0000..=0x800_ffff direct [0000:03:00.0]  IORT+0x224
        note[T013] IORT+0x1b0: the node at 0x1b0 is of kind 0x7, which is not known here
        warning[T023] IORT+0x1cc: the node at 0x1b0 is neither component nor root complex and has a single mapping
    "#]],
    );
    dmar(
        |table| patched(table, 0xb0, &[9, 0]),
        &expect![[r#"
        - firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  DMAR+0xb0
        - firmware rmrr1 0x7100_0000..=0x71ff_ffff direct [0000:00:08.0]  DMAR+0xd0
        - firmware rmrr2 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  DMAR+0xf0
        - and 1 more
        + firmware rmrr0 0x7100_0000..=0x71ff_ffff direct [0000:00:08.0]  DMAR+0xd0
        + firmware rmrr1 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  DMAR+0xf0
        + firmware rmrr2 0x7300_0000..=0x73ff_ffff direct [0000:00:01.0]  DMAR+0x112
        note[T013] DMAR+0xb0: the structure at 0xb0 is of kind 0x9, which is not known here
    "#]],
    );
    dmar(
        |table| patched(table, 0xc8, &[9]),
        &expect![[r#"
        - firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  DMAR+0xb0
        + firmware rmrr0 0x7000_0000..=0x700f_ffff direct []  DMAR+0xb0
        note[T013] DMAR+0xc8: the device scope at 0xc8 is of kind 0x9, which is not known here
    "#]],
    );
    ivrs(
        |table| patched(table, 0x1a0, &[0x23]),
        &expect![[r#"
        - firmware ivmd2 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  IVRS+0x1a0
        note[T013] IVRS+0x1a0: the block at 0x1a0 is of kind 0x23, which is not known here
    "#]],
    );
    madt(
        |table| patched(table, 0xe4, &[0x7f]),
        &expect![[r#"
        - gicv3 0x800_0000..=0x800_ffff [0x80a_0000..=0x8ff_ffff]  APIC+0x2c
        + gicv3 0x800_0000..=0x800_ffff []  APIC+0x2c
        note[T013] APIC+0xe4: the structure at 0xe4 is of kind 0x7f, which is not known here
    "#]],
    );
}

#[test]
fn a_device_scope_does_not_fit() {
    dmar(
        |table| patched(table, 0xc9, &[9]),
        &expect![[r#"
        - firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  DMAR+0xb0
        + firmware rmrr0 0x7000_0000..=0x700f_ffff direct []  DMAR+0xb0
        warning[T011] DMAR+0xc8: the device scope at 0xc8 has 9 bytes, and only 8 are left
    "#]],
    );
    dmar(
        |table| patched(table, 0xc9, &[5]),
        &expect![[r#"
        - firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  DMAR+0xb0
        + firmware rmrr0 0x7000_0000..=0x700f_ffff direct []  DMAR+0xb0
        warning[T010] DMAR+0xc8: the device scope at 0xc8 says that it has 5 bytes, and its header alone has 6
            help: what stands behind it is not read; only firmware can mend this
    "#]],
    );
    dmar(
        |table| patched(patched(table, 0xb2, &[0x1e, 0]), 0xc9, &[6]),
        &expect![[r#"
        - firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  DMAR+0xb0
        - firmware rmrr1 0x7100_0000..=0x71ff_ffff direct [0000:00:08.0]  DMAR+0xd0
        - firmware rmrr2 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  DMAR+0xf0
        - and 1 more
        + firmware rmrr0 0x7000_0000..=0x700f_ffff direct []  DMAR+0xb0
        warning[T010] DMAR+0xce: the structure at 0xce says that it has 1 bytes, and its header alone has 4
            help: what stands behind it is not read; only firmware can mend this
        warning[T012] DMAR+0xc8: the device scope at 0xc8 is a device scope with a path and has only 6 bytes
    "#]],
    );
    dmar(
        |table| patched(table, 0xce, &[32]),
        &expect![[r#"
        - firmware rmrr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  DMAR+0xb0
        + firmware rmrr0 0x7000_0000..=0x700f_ffff direct []  DMAR+0xb0
        note[T040] DMAR+0xc8: the path of the device scope names device 0x20, function 0x0: devices go to 0x1f, functions to 0x7
    "#]],
    );
}

#[test]
fn a_unit_has_no_registers() {
    dmar(
        |table| patched(table, 0x38, &[0; 8]),
        &expect![[r#"
        - iommu dmar0 intel-vtd base 0xfed9_0000  DMAR+0x30
        -   0x0..=0x0 -> dmar0  DMAR+0x48
        -   0x8..=0x8 -> dmar0  DMAR+0x50
        - and 17 more
        warning[T041] DMAR+0x30: unit 0 has its registers at 0x0
            help: update the firmware; Linux uses no remapping unit at all with such a table
    "#]],
    );
}

#[test]
fn a_block_of_an_amd_iommu_has_an_odd_entry() {
    // Of the second block, which is the one that counts.
    ivrs(
        |table| patched(table, 0xe8, &[0x90]),
        &expect![[r#"
        -   0x0..=0x0 -> ivhd0 stream 0x0  IVRS+0xe8
        -   0x8..=0x8 -> ivhd0 stream 0x8  IVRS+0xec
        -   0x10..=0x10 -> ivhd0 stream 0x10  IVRS+0xf0
        - and 18 more
        warning[T051] IVRS+0xe8: the device entry at 0xe8 is of kind 0x90 and 120 bytes are left
    "#]],
    );
    ivrs(
        |table| patched(table, 0xe8, &[0x3f]),
        &expect![[r#"
        -   0x0..=0x0 -> ivhd0 stream 0x0  IVRS+0xe8
        note[T013] IVRS+0xe8: the device entry at 0xe8 is of kind 0x3f, which is not known here
    "#]],
    );
    ivrs(
        |table| patched(table, 0xe8, &[4]),
        &expect![[r#"
        -   0x0..=0x0 -> ivhd0 stream 0x0  IVRS+0xe8
        warning[T050] IVRS+0xe8: the device entry at 0xe8 ends a range that did not start
    "#]],
    );
    ivrs(
        |table| patched(table, 0xe8, &[3]),
        &expect![[r#"
        -   0x0..=0x0 -> ivhd0 stream 0x0  IVRS+0xe8
        warning[T050] IVRS+0xe8: the device entry at 0xe8 starts a range that does not end
    "#]],
    );
    ivrs(
        |table| patched(table, 0xf8, &[0, 0]),
        &expect![[r#"
        -   0x100..=0x1ff -> ivhd0 stream 0x100  IVRS+0xf8
        warning[T050] IVRS+0xf4: the device entry at 0xf4 starts a range that does not end
    "#]],
    );
    ivrs(
        |table| patched(table, 0x158, &[3]),
        &expect![[r#"
        -   0xa0..=0xa0 -> ivhd0 stream 0xa0  IVRS+0x158
        warning[T050] IVRS+0x158: the device entry at 0x158 starts a range that does not end
    "#]],
    );
}

#[test]
fn reserved_memory_of_amd_is_none() {
    ivrs(
        |table| patched(table, 0x178, &[0; 8]),
        &expect![[r#"
        - firmware ivmd0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IVRS+0x160
        warning[T029] IVRS+0x160: the region at 0x7000_0000 has no length
    "#]],
    );
    ivrs(
        |table| patched(table, 0x186, &[0, 0]),
        &expect![[r#"
        - firmware ivmd1 0x7100_0000..=0x711f_ffff direct [0000/0x100..=0x1ff]  IVRS+0x180
        - firmware ivmd2 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  IVRS+0x1a0
        + firmware ivmd1 0x7200_0000..=0x7200_ffff direct [0000:02:00.0]  IVRS+0x1a0
        warning[T050] IVRS+0x180: the device entry at 0x180 ends at 0x0, below its start, 0x100
    "#]],
    );
}

#[test]
fn entries_of_the_mcfg_overlap() {
    let twice = |table: Vec<u8>| mcfg_of(&table, &[(0x40_1000_0000, 0, 0x40, 0x7f)]);
    check(
        "arm64-smmu-its",
        "MCFG",
        twice,
        &expect![[r#"
        warning[T060] MCFG+0x3c: segment 0x0000 has buses 0x40..=0x7f, some for a second time
            first here: MCFG+0x2c
    "#]],
    );
    let reversed = |_: Vec<u8>| mcfg(&[(0x40_1000_0000, 0, 0x40, 0x3f)]);
    check(
        "arm64-smmu-its",
        "MCFG",
        reversed,
        &expect![[r#"
        - root-complex pci0000:00 segment 0 buses 0x00..=0xff  MCFG+0x2c
        + root-complex pci0000:00 segment 0 buses 0x00..=0xff  IORT+0xa0
        warning[T060] MCFG+0x2c: segment 0x0000 has buses 0x40 to 0x3f
    "#]],
    );
    check(
        "arm64-smmu-its",
        "MCFG",
        |table| summed_length(table, 59),
        &expect![[r#"
        - root-complex pci0000:00 segment 0 buses 0x00..=0xff  MCFG+0x2c
        + root-complex pci0000:00 segment 0 buses 0x00..=0xff  IORT+0xa0
        warning[T011] MCFG+0x2c: 15 bytes are left behind 0 entries of 16
    "#]],
    );
}

/// The MCFG with further entries.
fn mcfg_of(table: &[u8], more: &[(u64, u16, u8, u8)]) -> Vec<u8> {
    let longer = [&table[44..], &mcfg(more)[44..]].concat();
    let body = bytes().zeros(8).raw(&longer);
    crate::writer::table("MCFG", 1, &body.0)
}

/// The first bytes of a table as a table of that length.
fn summed_length(mut table: Vec<u8>, length: u32) -> Vec<u8> {
    table.truncate(usize::try_from(length).unwrap());
    patched(table, 4, &length.to_le_bytes())
}

#[test]
fn nodes_of_small_tables_are_checked_too() {
    check(
        "x86-viommu",
        "VIOT",
        |table| patched(table, 0x24, &[4]),
        &expect![[r#"
        warning[T014] VIOT+0x24: the table says that it has 4 nodes, and 3 can be read
    "#]],
    );
    check(
        "x86-viommu",
        "VIOT",
        |table| patched(table, 0x50, &[0x31]),
        &expect![[r#"
        -   0x0..=0x47 -> 0000:00:09.0 stream 0x0  VIOT+0x40
        -   0x49..=0x5ff -> 0000:00:09.0 stream 0x49  VIOT+0x40
        warning[T021] VIOT+0x40: the range leads to offset 0x31, where no virtio-iommu begins
    "#]],
    );
    check(
        "x86-viommu",
        "VIOT",
        |table| patched(table, 0x40, &[9]),
        &expect![[r#"
        -   0x0..=0x47 -> 0000:00:09.0 stream 0x0  VIOT+0x40
        -   0x49..=0x5ff -> 0000:00:09.0 stream 0x49  VIOT+0x40
        note[T013] VIOT+0x40: the node at 0x40 is of kind 0x9, which is not known here
    "#]],
    );
    check(
        "x86-viommu",
        "VIOT",
        |table| summed_length(table, 38),
        &expect![[r#"
        - iommu 0000:00:09.0 virtio-iommu  VIOT+0x30
        -   0x0..=0x47 -> 0000:00:09.0 stream 0x0  VIOT+0x40
        -   0x49..=0x5ff -> 0000:00:09.0 stream 0x49  VIOT+0x40
        - and 1 more
        warning[T011] VIOT+0x0: the table ends before the number of its nodes
    "#]],
    );
}
