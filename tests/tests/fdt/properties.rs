//! What holds for every blob: no panic, bounded work, origins that lie within the file and point at what they say.

use planner_core::addr::Address;
use planner_core::diag::Origin;
use planner_core::facts::HostFacts;
use planner_core::read::fdt::facts;
use planner_core::read::json::host_to_json;
use planner_core::read::language::{parse_host, print_host};
use planner_core::render::{Color, Sources, render};
use proptest::prelude::*;

use super::cases;
use super::compile::compile;

/// The blobs of all cases.
fn blobs() -> Vec<Vec<u8>> {
    cases().iter().map(|path| compile(&std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_length_of_every_blob_is_read() {
    for blob in blobs().iter().filter(|blob| blob.len() < 4096) {
        for length in 0..blob.len() {
            let (host, found) = facts(&blob[..length], "x.dtb");
            check(&host, length);
            // Of a blob that was padded, only the padding may be lost without a word.
            let total = blob.first_chunk::<8>().map(|header| u64::from_be_bytes(*header) & 0xffff_ffff);
            assert!(!found.is_empty() || total <= u64::try_from(length).ok(), "{length} of {}", blob.len());
        }
    }
}

#[test]
fn facts_are_sound_and_survive_printing() {
    for blob in blobs() {
        let (host, _) = facts(&blob, "x.dtb");
        check(&host, blob.len());
        let (again, found) = parse_host("x", &print_host(&host));
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(host_to_json(&again), host_to_json(&host));
    }
}

proptest! {
    #[test]
    fn changed_bytes_are_read(case in 0_usize..1000, changes in prop::collection::vec((0_usize..1 << 16, any::<u8>()), 1..12)) {
        let blobs = blobs();
        let mut blob = blobs[case % blobs.len()].clone();
        for (at, byte) in changes {
            let length = blob.len().max(1);
            if let Some(place) = blob.get_mut(at % length) {
                *place = byte;
            }
        }
        let (host, found) = facts(&blob, "x.dtb");
        check(&host, blob.len());
        let _ = render(&found, &Sources::new(), Color::Never);
        prop_assert_eq!(facts(&blob, "x.dtb"), (host.clone(), found));
        let (again, found) = parse_host("x", &print_host(&host));
        prop_assert!(found.is_empty(), "{:?}", found);
        prop_assert_eq!(host_to_json(&again), host_to_json(&host));
    }
}

/// Every fact comes from bytes of the file.
fn check(host: &HostFacts, length: usize) {
    let bytes = |origin: &Origin| {
        let Origin::Bytes { offset, length: count, .. } = origin else { panic!("{origin:?}") };
        assert!(offset + count <= length, "{origin:?} of {length}");
    };
    host.ram.iter().for_each(|fact| bytes(&fact.origin));
    host.gicv3.iter().for_each(|fact| bytes(&fact.origin));
    host.its.iter().for_each(|fact| bytes(&fact.origin));
    host.gicv2m.iter().for_each(|fact| bytes(&fact.origin));
    host.doorbells.iter().for_each(|fact| bytes(&fact.origin));
    host.iommus.iter().for_each(|fact| bytes(&fact.origin));
    host.firmware.iter().for_each(|fact| bytes(&fact.origin));
    for complex in &host.root_complexes {
        bytes(&complex.origin);
        complex.streams.iter().for_each(|fact| bytes(&fact.origin));
        complex.msi.iter().for_each(|fact| bytes(&fact.origin));
        complex.windows.iter().for_each(|fact| bytes(&fact.origin));
        complex.inbound.iter().for_each(|fact| bytes(&fact.origin));
    }
}

#[test]
fn origins_point_at_the_numbers() {
    let source =
        std::fs::read_to_string(cases().iter().find(|path| path.ends_with("its-and-smmu.dts")).unwrap());
    let blob = compile(&source.unwrap());
    let (host, _) = facts(&blob, "x.dtb");
    let number = |origin: &Origin| match origin {
        Origin::Bytes { offset, .. } => u64::from_be_bytes(blob[*offset..offset + 8].try_into().unwrap()),
        other => panic!("{other:?}"),
    };
    assert_eq!(number(&host.its[0].origin), host.its[0].frame.first().get());
    assert_eq!(number(&host.ram[0].origin), host.ram[0].span.first().get());
    assert_eq!(number(&host.iommus[0].origin), host.iommus[0].base.unwrap().get());
    // First requester, and the reference.
    assert_eq!(number(&host.root_complexes[0].streams[1].origin) >> 32, 0x100);
}

#[test]
fn work_is_bounded() {
    // Many devices below a bus of many ranges: translation would take a hundred million steps.
    let mut source = "/ { #address-cells = <2>; #size-cells = <2>; soc { #address-cells = <1>; #size-cells = <1>; ranges = <".to_owned();
    for row in 0..20_000_u32 {
        source.push_str(&format!("{:#x} 0 {:#x} 0x1000 ", 0x1000 * row, 0x1000 * row));
    }
    source.push_str(">; ");
    for node in 0..4000 {
        source.push_str(&format!(
            "smmu@{node:x} {{ compatible = \"arm,smmu-v3\"; reg = <0xfffff000 0x1000>; }}; "
        ));
    }
    source.push_str("}; };");
    let (host, found) = facts(&compile(&source), "x.dtb");
    assert!(host.iommus.is_empty());
    assert!(found.iter().any(|diagnostic| diagnostic.code.id == "D019"));
}
