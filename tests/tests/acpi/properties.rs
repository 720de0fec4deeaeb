//! Whatever the bytes: the reader returns, says the same again, and what it says is small.

use planner_core::diag::Origin;
use planner_core::facts::HostFacts;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Tables, machines, read};
use crate::writer::{node, summed};

/// Reads, and checks what holds of every answer.
fn sound(tables: &Tables) {
    let (host, diagnostics) = read(tables, &[]);
    assert_eq!((&host, &diagnostics), (&read(tables, &[]).0, &read(tables, &[]).1));
    assert!(diagnostics.len() < 500);
    let bytes: usize = tables.iter().map(|(_, bytes)| bytes.len()).sum();
    for diagnostic in &diagnostics {
        within(&diagnostic.origin, tables);
    }
    assert!(rows(&host) <= 64 * (bytes + 64), "{} rows of {bytes} bytes", rows(&host));
    for root in &host.root_complexes {
        let ends: Vec<_> = root.streams.iter().map(|row| (row.first, row.last)).collect();
        assert!(ends.iter().all(|(first, last)| first <= last), "{ends:?}");
        assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ends:?}");
        root.streams.iter().for_each(|row| within(&row.origin, tables));
    }
}

fn rows(host: &HostFacts) -> usize {
    let of_roots = host.root_complexes.iter().map(|root| root.streams.len() + root.msi.len() + 1);
    of_roots.sum::<usize>() + host.firmware.len() + host.iommus.len() + host.its.len()
}

/// Every place is within its table.
fn within(origin: &Origin, tables: &Tables) {
    if let Origin::Bytes { file, offset, length } = origin {
        let (_, bytes) = tables.iter().find(|(name, _)| **name == **file).unwrap();
        assert!(offset + length <= bytes.len().max(36), "{origin:?}");
    }
}

#[test]
fn tables_that_are_cut_anywhere_are_read() {
    for (_, tables) in machines() {
        for (index, (_, bytes)) in tables.iter().enumerate() {
            for length in 0..bytes.len() {
                let mut cut = tables.clone();
                cut[index].1.truncate(length);
                let _ = read(&cut, &[]);
            }
        }
    }
}

/// A recorded machine with some bytes of one table changed, under a right checksum.
fn changed() -> impl Strategy<Value = Tables> {
    let machines: Vec<Tables> = machines().into_iter().map(|(_, tables)| tables).collect();
    let changes = vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), odd_byte()), 1..6);
    (prop::sample::select(machines), changes).prop_map(|(mut tables, changes)| {
        for (table, at, byte) in changes {
            let (_, bytes) = table.get(&tables).clone();
            let index = table.index(tables.len());
            let mut bytes = bytes;
            let at = at.index(bytes.len());
            bytes[at] = byte;
            tables[index].1 = summed(bytes);
        }
        tables
    })
}

fn odd_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        any::<u8>(),
        prop::sample::select(vec![0_u8, 1, 2, 4, 0x10, 0x30, 0x48, 0x7f, 0x80, 0xfe, 0xff])
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_with_changed_bytes_are_read(tables in changed()) {
        sound(&tables);
    }

    #[test]
    fn any_bytes_are_read_as_any_table(
        name in prop::sample::select(planner_core::read::acpi::SIGNATURES.to_vec()),
        body in vec(any::<u8>(), 0..400),
    ) {
        sound(&vec![(name.to_owned(), crate::writer::table(name, 5, &body))]);
    }
}

/// Tables that would take for ever if work grew with the square of their size.
#[test]
fn large_tables_are_read_in_no_time() {
    let everywhere = |target: u32| [0_u32, 0xffff_ffff, 0, target, 0];
    let many: Vec<[u32; 5]> =
        (0..3000).map(|id| [id, 0, id, 0x30, 0]).chain((0..200).map(|_| everywhere(0x30))).collect();
    let smmu = crate::writer::smmu_v3(0x1000, 0, 0, &many);
    let mut nodes = vec![crate::writer::its_group(&[0]), smmu];
    for segment in 0..3000 {
        nodes.push(crate::writer::root(segment, &[[0, 0xffff, 0, 0x48, 0]]));
    }
    nodes.push(node(
        6,
        3,
        &crate::writer::bytes().u32(0).u32(0).u32(0),
        &vec![[0, 0xffff, 0, 0x48, 0]; 3000],
    ));
    let madt = crate::writer::madt(&[crate::writer::madt_its(0, 0x1000)]);
    let tables = vec![("APIC".to_owned(), madt), ("IORT".to_owned(), crate::writer::iort(5, &nodes))];
    let (host, diagnostics) = read(&tables, &[]);
    assert_eq!(host.root_complexes.len(), 3000);
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.code.id == "T015"), "{diagnostics:#?}");
}
