//! Any text as a script that starts a VMM: nothing panics in the reader, the renderer or the VMM's model, and reading it
//! twice gives the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::facts::Arch;
use planner_core::read::vmm::{Format, read_text, recognise};
use planner_core::render::{Color, Sources, render};
use planner_core::vmm::{Setting, configured_map, configured_request};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let _ = recognise(&text);
    let (facts, found) = read_text(Format::Command, "f", &text, None, &Default::default());
    assert_eq!(read_text(Format::Command, "f", &text, None, &Default::default()), (facts.clone(), found.clone()));
    let mut sources = Sources::new();
    sources.insert("f", text.clone());
    let _ = render(&found, &sources, Color::Never);
    for arch in [Arch::Aarch64, Arch::X86_64, Arch::Riscv64] {
        let setting = Setting { arch, version: None, ipa_bits: Some(48) };
        let _ = configured_map(&facts, &configured_request(&facts, &setting));
    }
});
