//! Nodes and ID mappings of an IORT with one fault each: what is said about it, and which facts are lost by it.

use expect_test::expect;

use crate::faults::iort;
use crate::writer::patched;

#[test]
fn there_are_fewer_nodes_than_the_table_says() {
    iort(
        |table| patched(table, 0x24, &[8]),
        &expect![[r#"
        warning[T014] IORT+0x24: the table says that it has 8 nodes, and 7 can be read
    "#]],
    );
    iort(
        |table| patched(table, 0x28, &0xffff_u32.to_le_bytes()),
        &expect![[r#"
        - iommu smmu3.0x0000000009050000 smmuv3 base 0x905_0000  IORT+0x48
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x4000..=0x42ff -> smmu3.0x0000000009050000 stream 0x4000  IORT+0xd8
        - and 9 more
        warning[T014] IORT+0x24: the table says that it has 7 nodes, and 0 can be read
    "#]],
    );
}

#[test]
fn id_mappings_do_not_fit_into_their_node() {
    iort(
        |table| patched(table, 0xa8, &[5]),
        &expect![[r#"
        warning[T020] IORT+0xa0: the node at 0xa0 says that it has 5 ID mappings from its byte 0x24, and 4 fit into its 116 bytes
    "#]],
    );
    iort(
        |table| patched(table, 0xac, &u32::MAX.to_le_bytes()),
        &expect![[r#"
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x4000..=0x42ff -> smmu3.0x0000000009050000 stream 0x4000  IORT+0xd8
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        - and 8 more
        + firmware rmr0 0x7000_0000..=0x700f_ffff direct []  IORT+0x144
        + firmware rmr1.0 0x7100_0000..=0x711f_ffff direct-relaxable []  IORT+0x188
        + firmware rmr1.1 0x7200_0000..=0x7200_ffff direct-relaxable []  IORT+0x19c
        + and 2 more
        warning[T020] IORT+0xa0: the node at 0xa0 says that it has 4 ID mappings from its byte 0xffff_ffff, and 0 fit into its 116 bytes
        note[T031] IORT+0x114: the RMR node at 0x114 is for stream IDs 0x30..=0x30, which no root complex gives to its requesters
        note[T031] IORT+0x158: the RMR node at 0x158 is for stream IDs 0x100..=0x1ff, which no root complex gives to its requesters
        note[T031] IORT+0x1b0: the RMR node at 0x1b0 is for stream IDs 0x200..=0x200, which no root complex gives to its requesters
        note[T031] IORT+0x1f4: the RMR node at 0x1f4 is for stream IDs 0x300..=0x300, which no root complex gives to its requesters
    "#]],
    );
}

#[test]
fn a_reference_leads_nowhere() {
    iort(
        |table| patched(table, 0xd0, &[0x49]),
        &expect![[r#"
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        - firmware rmr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IORT+0x144
        - and 4 more
        + firmware rmr0 0x7000_0000..=0x700f_ffff direct []  IORT+0x144
        + firmware rmr1.0 0x7100_0000..=0x711f_ffff direct-relaxable []  IORT+0x188
        + firmware rmr1.1 0x7200_0000..=0x7200_ffff direct-relaxable []  IORT+0x19c
        + and 2 more
        warning[T021] IORT+0xc4: the node at 0xa0 maps IDs to offset 0x49, where no node begins
        note[T031] IORT+0x114: the RMR node at 0x114 is for stream IDs 0x30..=0x30, which no root complex gives to its requesters
        note[T031] IORT+0x158: the RMR node at 0x158 is for stream IDs 0x100..=0x1ff, which no root complex gives to its requesters
        note[T031] IORT+0x1b0: the RMR node at 0x1b0 is for stream IDs 0x200..=0x200, which no root complex gives to its requesters
        note[T031] IORT+0x1f4: the RMR node at 0x1f4 is for stream IDs 0x300..=0x300, which no root complex gives to its requesters
    "#]],
    );
    // To the root complex itself, where the SMMU is meant.
    iort(
        |table| patched(table, 0x13c, &[0xa0]),
        &expect![[r#"
        - firmware rmr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IORT+0x144
        + firmware rmr0 0x7000_0000..=0x700f_ffff direct []  IORT+0x144
        warning[T021] IORT+0x130: the RMR node at 0x114 maps IDs to offset 0xa0, where no SMMU begins
        note[T031] IORT+0x114: the RMR node at 0x114 is for stream IDs 0x30..=0x30, which no root complex gives to its requesters
    "#]],
    );
}

#[test]
fn references_form_a_loop() {
    iort(
        |table| patched(table, 0x98, &[0x48]),
        &expect![[r#"
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        -   0x4000..=0x42ff -> its0 device-id 0x4000  IORT+0xd8
        warning[T022] IORT+0xd8: requesters 0x4000..=0x42ff are sent through 8 nodes, the last of them at 0x48, and arrive nowhere
    "#]],
    );
    iort(
        |table| patched(table, 0xd0, &[0xa0]),
        &expect![[r#"
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        - firmware rmr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IORT+0x144
        - and 4 more
        + firmware rmr0 0x7000_0000..=0x700f_ffff direct []  IORT+0x144
        + firmware rmr1.0 0x7100_0000..=0x711f_ffff direct-relaxable []  IORT+0x188
        + firmware rmr1.1 0x7200_0000..=0x7200_ffff direct-relaxable []  IORT+0x19c
        + and 2 more
        warning[T022] IORT+0xc4: requesters 0x0..=0x5ff are sent through 8 nodes, the last of them at 0xa0, and arrive nowhere
        note[T031] IORT+0x114: the RMR node at 0x114 is for stream IDs 0x30..=0x30, which no root complex gives to its requesters
        note[T031] IORT+0x158: the RMR node at 0x158 is for stream IDs 0x100..=0x1ff, which no root complex gives to its requesters
        note[T031] IORT+0x1b0: the RMR node at 0x1b0 is for stream IDs 0x200..=0x200, which no root complex gives to its requesters
        note[T031] IORT+0x1f4: the RMR node at 0x1f4 is for stream IDs 0x300..=0x300, which no root complex gives to its requesters
    "#]],
    );
}

#[test]
fn an_smmu_has_a_single_mapping() {
    iort(
        |table| patched(table, 0x9c, &[1]),
        &expect![[r#"
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        -   0x4000..=0x42ff -> its0 device-id 0x4000  IORT+0xd8
        warning[T023] IORT+0x8c: the node at 0x48 is neither component nor root complex and has a single mapping
    "#]],
    );
}

#[test]
fn mappings_overlap() {
    iort(
        |table| patched(table, 0xdd, &[0xff]),
        &expect![[r#"
        -   0x4000..=0x42ff -> smmu3.0x0000000009050000 stream 0x4000  IORT+0xd8
        -   0x4000..=0x42ff -> its0 device-id 0x4000  IORT+0xd8
        -   0x4300..=0xffff -> its0 device-id 0x4300  IORT+0x100
        +   0x4000..=0xffff -> smmu3.0x0000000009050000 stream 0x4000  IORT+0xd8
        +   0x4000..=0xffff -> its0 device-id 0x4000  IORT+0xd8
        warning[T024] IORT+0x100: IDs from 0x4300 to 0xffff are mapped by an earlier mapping too, which wins
    "#]],
    );
}

#[test]
fn ids_pass_32_bits() {
    iort(
        |table| patched(table, 0xcc, &[0xff, 0xff, 0xff, 0xff]),
        &expect![[r#"
        -   0x0..=0x5ff -> smmu3.0x0000000009050000 stream 0x0  IORT+0xc4
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        - firmware rmr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IORT+0x144
        - and 4 more
        +   0x0..=0x0 -> smmu3.0x0000000009050000 stream 0xffffffff  IORT+0xc4
        + firmware rmr0 0x7000_0000..=0x700f_ffff direct []  IORT+0x144
        + firmware rmr1.0 0x7100_0000..=0x711f_ffff direct-relaxable []  IORT+0x188
        + and 3 more
        warning[T025] IORT+0xc4: 1536 IDs from 0x0 to 0xffff_ffff pass 0xffff_ffff
        note[T031] IORT+0x114: the RMR node at 0x114 is for stream IDs 0x30..=0x30, which no root complex gives to its requesters
        note[T031] IORT+0x158: the RMR node at 0x158 is for stream IDs 0x100..=0x1ff, which no root complex gives to its requesters
        note[T031] IORT+0x1b0: the RMR node at 0x1b0 is for stream IDs 0x200..=0x200, which no root complex gives to its requesters
        note[T031] IORT+0x1f4: the RMR node at 0x1f4 is for stream IDs 0x300..=0x300, which no root complex gives to its requesters
    "#]],
    );
}

#[test]
fn an_its_group_names_an_its_that_is_not_there() {
    iort(
        |table| patched(table, 0x44, &[9]),
        &expect![[r#"
        -   0x0..=0x5ff -> its0 device-id 0x0  IORT+0xc4
        -   0x600..=0x3fff -> its0 device-id 0x600  IORT+0xec
        -   0x4000..=0x42ff -> its0 device-id 0x4000  IORT+0xd8
        - and 1 more
        warning[T027] IORT+0x30: the first of the ITS group at 0x30 is ITS 9, and the MADT has 0
    "#]],
    );
    iort(
        |table| patched(table, 0x40, &[2]),
        &expect![[r#"
        warning[T012] IORT+0x30: the ITS group at 0x30 says that it has 2 ITSs, and 1 fit
    "#]],
    );
}

#[test]
fn memory_of_an_rmr_is_outside_of_it() {
    iort(
        |table| patched(table, 0x12c, &[0x31]),
        &expect![[r#"
        - firmware rmr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IORT+0x144
        warning[T028] IORT+0x114: the RMR node at 0x114 says that it has 1 memory descriptors from its byte 0x31, and 0 fit into its 68 bytes
    "#]],
    );
    iort(
        |table| patched(table, 0x128, &[2]),
        &expect![[r#"
        warning[T028] IORT+0x114: the RMR node at 0x114 says that it has 2 memory descriptors from its byte 0x30, and 1 fit into its 68 bytes
    "#]],
    );
}

#[test]
fn memory_of_an_rmr_is_no_region() {
    iort(
        |table| patched(table, 0x14c, &[0; 8]),
        &expect![[r#"
        - firmware rmr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IORT+0x144
        warning[T029] IORT+0x144: the region at 0x7000_0000 has no length
    "#]],
    );
    iort(
        |table| patched(table, 0x144, &[0xff; 8]),
        &expect![[r#"
        - firmware rmr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IORT+0x144
        warning[T029] IORT+0x144: 0x10_0000 bytes from 0xffff_ffff_ffff_ffff pass the end of the address space
    "#]],
    );
}

#[test]
fn rmrs_of_an_early_revision_do_not_count() {
    iort(
        |table| patched(table, 8, &[3]),
        &expect![[r#"
        - firmware rmr0 0x7000_0000..=0x700f_ffff direct [0000:00:06.0]  IORT+0x144
        - firmware rmr1.0 0x7100_0000..=0x711f_ffff direct-relaxable [0000/0x100..=0x1ff]  IORT+0x188
        - firmware rmr1.1 0x7200_0000..=0x7200_ffff direct-relaxable [0000/0x100..=0x1ff]  IORT+0x19c
        - and 2 more
        note[T030] IORT+0x114: the table is of revision 3, and Linux takes RMR nodes from revision 5 on
    "#]],
    );
}
