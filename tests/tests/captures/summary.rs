//! Facts about a host as a text to compare: everything that a reader of captures finds.

use std::fmt::Write as _;

use planner_core::diag::Diagnostic;
use planner_core::facts::HostFacts;
use planner_core::facts::host::{BarFact, DeviceFact, GroupFact, IommuFact, RootComplexFact};
use planner_core::facts::pci::ConfigFact;

/// The whole host.
pub(crate) fn of(host: &HostFacts, diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    line(
        &mut text,
        "host",
        &[host.name.clone(), some("", host.arch.as_ref()), some("ipa ", host.ipa_bits.as_ref())],
    );
    if let Some(kernel) = &host.kernel {
        let words = [
            kernel.version.to_string(),
            some("page ", kernel.page_size.as_ref()),
            some("iommufd ", kernel.iommufd.as_ref()),
            some("unsafe-interrupts ", kernel.unsafe_interrupts.as_ref()),
            kernel.origin.to_string(),
        ];
        line(&mut text, "kernel", &words);
    }
    for ram in &host.ram {
        line(&mut text, "ram", &[ram.span.to_string(), ram.origin.to_string()]);
    }
    for iommu in &host.iommus {
        line(&mut text, "iommu", &words_of_iommu(iommu));
    }
    for gic in &host.gicv3 {
        line(&mut text, "gicv3", &[gic.distributor.to_string(), format!("{:?}", gic.redistributors)]);
    }
    for bridge in &host.root_complexes {
        root_complex(&mut text, bridge);
    }
    for group in &host.groups {
        line(&mut text, "group", &words_of_group(group));
    }
    text.push_str(&diagnostic_lines(diagnostics));
    text
}

/// Each diagnostic with everything that it says.
pub(crate) fn diagnostic_lines(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let Diagnostic { code, message, origin, notes, help, .. } = diagnostic;
        writeln!(text, "{}[{}] {origin}: {message}", code.severity, code.id).unwrap();
        for (word, lines) in [("note", notes), ("help", help)] {
            lines.iter().for_each(|line| writeln!(text, "    {word}: {line}").unwrap());
        }
    }
    text
}

fn line(text: &mut String, kind: &str, words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    writeln!(text, "{kind} {}", words.join("  ")).unwrap();
}

fn some(before: &str, value: Option<&impl ToString>) -> String {
    value.map(|value| format!("{before}{}", value.to_string())).unwrap_or_default()
}

fn words_of_iommu(iommu: &IommuFact) -> [String; 5] {
    [
        iommu.name.clone(),
        some("", iommu.model.as_ref()),
        some("at ", iommu.base.as_ref()),
        some("aperture ", iommu.aperture.as_ref()),
        iommu.pages.map(|pages| format!("pages {:#x}", pages.bitmap())).unwrap_or_default(),
    ]
}

fn root_complex(text: &mut String, bridge: &RootComplexFact) {
    let buses = format!("buses {:02x}..={:02x}", bridge.first_bus, bridge.last_bus);
    line(text, "root-complex", &[bridge.name.clone(), buses, bridge.origin.to_string()]);
    for window in &bridge.windows {
        let words = [window.kind.to_string(), window.cpu.to_string(), format!("bus {}", window.bus)];
        line(text, "  window", &words);
    }
    for stream in &bridge.streams {
        line(text, "  stream", &[format!("{}..={}", stream.first, stream.last), stream.iommu.clone()]);
    }
    for device in &bridge.devices {
        line(text, "  device", &words_of_device(device));
    }
}

fn words_of_device(device: &DeviceFact) -> Vec<String> {
    let mut words = vec![
        device.address.to_string(),
        some("", device.id.as_ref()),
        some("", device.class.as_ref()),
        some("node ", device.node.as_ref()),
        some("msi ", device.msi.as_ref()),
        some("msix ", device.msix.as_ref()),
        device.sriov.map(|sriov| format!("vfs {}/{}", sriov.enabled, sriov.total)).unwrap_or_default(),
    ];
    words.extend(words_of_config(&device.config));
    words.extend(device.bars.iter().map(word_of_bar));
    words
}

fn words_of_config(config: &ConfigFact) -> Vec<String> {
    let mut words = vec![some("", config.port_type.as_ref())];
    if let Some(buses) = config.buses {
        words.push(format!("buses {:02x}..={:02x}", buses.secondary, buses.subordinate));
    }
    if let Some(acs) = config.acs {
        words.push(format!("acs {:#x} control {:#x}", acs.capability, acs.control.unwrap_or(0)));
    }
    words.push(some("vf-of ", config.physical_function.as_ref()));
    if let Some(vfs) = &config.virtual_functions {
        words.push(format!("vfs {:#x}+n*{:#x} {:x?}", vfs.offset, vfs.stride, vfs.device_id));
        words.extend(vfs.bars.iter().map(|bar| format!("vf-{}", word_of_bar(bar))));
    }
    words.push(some("pasid ", config.pasid_bits.as_ref()));
    words.extend(
        config.resizable.iter().map(|bar| format!("resizable{} {:#x}", bar.index, bar.sizes.bitmap())),
    );
    for (has, word) in [(config.multifunction, "multifunction"), (config.ats, "ats"), (config.pri, "pri")] {
        words.extend(has.then(|| word.to_owned()));
    }
    words
}

fn word_of_bar(bar: &BarFact) -> String {
    let prefetchable = if bar.prefetchable { " prefetchable" } else { "" };
    let at = bar.at.map(|at| format!(" at {at}")).unwrap_or_default();
    format!("bar{} {}{prefetchable} {}{at}", bar.index, bar.kind, bar.size.compact())
}

fn words_of_group(group: &GroupFact) -> Vec<String> {
    let mut words = vec![group.id.to_string(), some("", group.domain.as_ref())];
    words.extend(group.devices.iter().map(ToString::to_string));
    words.extend(group.others.iter().cloned());
    match &group.listed {
        None => words.push("nothing listed".to_owned()),
        Some(listed) => words.extend(
            listed.iter().map(|region| format!("[{}..={} {}]", region.start, region.end, region.kind)),
        ),
    }
    words
}
