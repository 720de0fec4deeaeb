//! Any text as a libvirt domain and as the JSON of cloud-hypervisor: nothing panics in the readers, the renderer or the VMM's
//! model.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::facts::Arch;
use planner_core::read::vmm::{Format, read_text};
use planner_core::render::{Color, Sources, render};
use planner_core::vmm::{Setting, configured_map, configured_request};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut sources = Sources::new();
    sources.insert("f", text.clone());
    for format in [Format::DomainXml, Format::CloudHypervisorJson, Format::FirecrackerJson] {
        let (facts, found) = read_text(format, "f", &text, None, &Default::default());
        let _ = render(&found, &sources, Color::Never);
        let setting = Setting { arch: Arch::X86_64, version: None, ipa_bits: None };
        let _ = configured_map(&facts, &configured_request(&facts, &setting));
    }
});
