//! What tables say about a host as a text to compare, each fact with its place.

use std::fmt::Write as _;

use planner_core::diag::Diagnostic;
use planner_core::facts::HostFacts;
use planner_core::facts::host::{FirmwareRegionFact, RootComplexFact};

/// Every fact, then every diagnostic.
pub(crate) fn of(host: &HostFacts, diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    host.arch.iter().for_each(|arch| writeln!(text, "arch {arch}").unwrap());
    for iommu in &host.iommus {
        let base = iommu.base.map(|base| format!(" base {base}")).unwrap_or_default();
        writeln!(text, "iommu {} {}{base}  {}", iommu.name, iommu.model.unwrap(), iommu.origin).unwrap();
    }
    for gic in &host.gicv3 {
        writeln!(text, "gicv3 {} {:?}  {}", gic.distributor, gic.redistributors, gic.origin).unwrap();
    }
    for its in &host.its {
        writeln!(text, "its {} {}  {}", its.name, its.frame, its.origin).unwrap();
    }
    for frame in &host.gicv2m {
        let spis = frame.first_spi.zip(frame.last_spi);
        let spis = spis.map(|(first, last)| format!(" spis {first}..={last}")).unwrap_or_default();
        writeln!(text, "gicv2m {} {}{spis}  {}", frame.name, frame.frame, frame.origin).unwrap();
    }
    host.root_complexes.iter().for_each(|root| root_complex(&mut text, root));
    host.firmware.iter().for_each(|region| firmware(&mut text, region));
    text + &diagnostic_lines(diagnostics)
}

/// Each diagnostic with everything that it says.
pub(crate) fn diagnostic_lines(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for Diagnostic { code, message, origin, notes, help, related, .. } in diagnostics {
        writeln!(text, "{}[{}] {origin}: {message}", code.severity, code.id).unwrap();
        related.iter().for_each(|(place, label)| writeln!(text, "    {label}: {place}").unwrap());
        notes.iter().for_each(|note| writeln!(text, "    note: {note}").unwrap());
        help.iter().for_each(|help| writeln!(text, "    help: {help}").unwrap());
    }
    text
}

fn root_complex(text: &mut String, root: &RootComplexFact) {
    let RootComplexFact { name, segment, first_bus, last_bus, .. } = root;
    writeln!(
        text,
        "root-complex {name} segment {segment} buses {first_bus:#04x}..={last_bus:#04x}  {}",
        root.origin
    )
    .unwrap();
    for row in &root.streams {
        let stream = row.stream.map(|stream| format!(" stream {stream}")).unwrap_or_default();
        let shared = if row.shared { " shared" } else { "" };
        writeln!(text, "  {}..={} -> {}{stream}{shared}  {}", row.first, row.last, row.iommu, row.origin)
            .unwrap();
    }
    for row in &root.msi {
        let id = row.device_id.map(|id| format!(" device-id {id}")).unwrap_or_default();
        writeln!(text, "  {}..={} -> {}{id}  {}", row.first, row.last, row.controller, row.origin).unwrap();
    }
}

fn firmware(text: &mut String, region: &FirmwareRegionFact) {
    let FirmwareRegionFact { name, kind, span, devices, requesters, origin } = region;
    let devices = devices.iter().map(ToString::to_string);
    let ranges =
        requesters.iter().map(|range| format!("{:04x}/{}..={}", range.segment, range.first, range.last));
    let whom: Vec<String> = devices.chain(ranges).collect();
    writeln!(text, "firmware {name} {span} {kind} [{}]  {origin}", whom.join(", ")).unwrap();
}
