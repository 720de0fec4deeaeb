//! A large host, as a capture: it is read, grouped and planned for.

use planner_core::host::resolve::resolve;
use planner_core::host::topology::Topology;
use planner_core::read::capture::facts;

/// The host that the bench `large_host` measures.
#[path = "../../../planner-core/benches/large_host/generator.rs"]
mod generator;

#[test]
fn a_large_host_has_as_many_groups_as_it_was_made_with() {
    let tree = generator::capture(4);
    let (mut facts, diagnostics) = facts(&tree, "large");
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let (host, diagnostics) = resolve(&facts);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let counts = (host.root_complexes.len(), host.devices.len(), host.groups.len());
    facts.groups.clear();
    let (predicted, _) = resolve(&facts);
    assert_eq!(predicted.groups.len(), host.groups.len());
    assert_eq!(predicted.groups[7].devices, host.groups[7].devices);
    let topology = Topology::new(&host);
    let deepest = (0..host.devices.len()).map(|device| topology.depth(device)).max();
    expect_test::expect!["((4, 1024, 128), Some(3))"].assert_eq(&format!("{:?}", (counts, deepest)));
}
