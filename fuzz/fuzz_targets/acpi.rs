//! Any bytes as tables of ACPI firmware: each table is the bytes up to the next 0xff, under a sound header of the signature
//! that its first byte chooses, and once more as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::read::acpi::{SIGNATURES, TableFile, facts};

fuzz_target!(|bytes: &[u8]| {
    let tables: Vec<(&str, Vec<u8>)> = bytes.split(|&byte| byte == 0xff).filter_map(table).collect();
    let files = tables.iter().map(|(name, bytes)| TableFile { name, bytes });
    let raw = SIGNATURES.iter().map(|name| TableFile { name, bytes });
    for files in [files.collect::<Vec<_>>(), raw.collect()] {
        assert_eq!(facts(&files, &[]), facts(&files, &[]), "the same tables give the same facts");
    }
});

fn table(bytes: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let (&choice, body) = bytes.split_first()?;
    let name = SIGNATURES[usize::from(choice) % SIGNATURES.len()];
    let length = u32::try_from(36 + body.len()).ok()?;
    let mut table = [name.as_bytes(), &length.to_le_bytes(), &[5, 0], &[0; 26], body].concat();
    table[9] = table.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    Some((name, table))
}
