//! Configuration space from any bytes, and the same bytes as the text of a dump of lspci.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planner_core::host::resolve::resolve;
use planner_core::host::topology::Topology;
use planner_core::read::pci::{lspci, read};

fuzz_target!(|bytes: &[u8]| {
    let (config, diagnostics) = read(bytes, "config");
    assert!(config.bytes <= 4096 && diagnostics.len() < 100);
    assert_eq!((&config, &diagnostics), (&read(bytes, "config").0, &diagnostics));
    let _ = config.facts();

    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (facts, _) = lspci::facts(text, "dump");
    let (host, _) = resolve(&facts);
    let topology = Topology::new(&host);
    for (from, to) in (0..host.devices.len()).zip((0..host.devices.len()).rev()) {
        let _ = topology.p2p(from, to);
    }
    let _ = topology.p2p_turns();
});
