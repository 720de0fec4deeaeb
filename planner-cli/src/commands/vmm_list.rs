//! `planner vmm` without a machine: the VMMs known and what each can express.

use planner_core::facts::Arch;
use planner_core::facts::guest::VmmKind;
use planner_core::version::Version;
use planner_core::vmm::{self, Capabilities, Known};
use serde::Serialize;

use crate::args::{Format, VmmArgs};
use crate::json;
use crate::output::Output;
use crate::paint::{Ink, paint, paragraph};

/// Name and major version of the JSON.
const SCHEMA: &str = "vmms/1";

/// The VMMs known: schema `vmms/1`.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct ListDocument {
    schema: &'static str,
    vmms: Vec<Row>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Row {
    name: VmmKind,
    arch: Arch,
    machine: &'static str,
    oldest: Version,
    version: Version,
    #[serde(flatten)]
    can: Capabilities,
}

/// The VMMs of this kind, version and architecture, or all of them in their newest version.
pub(crate) fn list(asked: Option<(VmmKind, Option<Version>)>, args: &VmmArgs, format: Format) -> Output {
    let arch = super::vmm::arch(args);
    let wanted = |known: &&Known| {
        asked.is_none_or(|(kind, _)| kind == known.kind) && arch.is_none_or(|arch| arch == known.arch)
    };
    let vmms =
        vmm::known().iter().filter(wanted).map(|known| row(known, asked.and_then(|(_, v)| v))).collect();
    let document = ListDocument { schema: SCHEMA, vmms };
    Output::done(match format {
        Format::Json => json::pretty(&document),
        Format::Human => document.vmms.iter().map(told).collect::<Vec<_>>().join("\n"),
    })
}

fn row(known: &Known, version: Option<Version>) -> Row {
    let Known { kind, arch, machine } = *known;
    let version = version.unwrap_or_else(|| vmm::newest(kind));
    Row {
        name: kind,
        arch,
        machine,
        oldest: vmm::oldest(kind),
        version,
        can: vmm::capabilities(kind, version, arch),
    }
}

fn told(row: &Row) -> String {
    let Row { name, arch, machine, oldest, version, can } = row;
    let title = paint(Ink::Bold, format!("{name} {version} {machine}").trim_end());
    let mut out = format!("{title} for {arch} (known since {oldest})\n");
    let mut line = |what: &str, text: &str| out.push_str(&paragraph(&format!("  {what:<12}"), text, 100));
    line("can", &list_of(&abilities(can), "nothing that matters here"));
    line("takes care", &list_of(&cares(can), "of nothing by itself"));
    line("options", &list_of(&can.knobs, "none that move memory"));
    let viommus: Vec<&str> = can.viommus.iter().map(|viommu| viommu.word()).collect();
    line("viommu", &list_of(&viommus, "none"));
    out
}

fn list_of(words: &[&str], none: &str) -> String {
    if words.is_empty() { none.into() } else { words.join(", ") }
}

fn chosen(all: &[(bool, &'static str)]) -> Vec<&'static str> {
    all.iter().filter(|(holds, _)| *holds).map(|&(_, words)| words).collect()
}

fn abilities(can: &Capabilities) -> Vec<&'static str> {
    chosen(&[
        (can.passthrough, "pass host devices through"),
        (can.moves_ram, "start RAM elsewhere"),
        (can.splits_ram, "put memory at chosen addresses"),
        (can.moves_mmio32, "move the 32-bit PCI window"),
        (can.sizes_mmio64, "size the 64-bit PCI window"),
        (can.hotplug, "plug memory in"),
        (can.iommufd, "use iommufd"),
    ])
}

fn cares(can: &Capabilities) -> Vec<&'static str> {
    chosen(&[
        (can.avoids_reserved, "keeps RAM clear of reserved regions"),
        (can.refuses_reserved_overlap, "dies when anything overlaps a reserved region"),
        (can.maps_bars, "maps BARs of passed devices into the IOMMU"),
        (can.bar_map_failure_is_fatal, "dies when a BAR cannot be mapped"),
    ])
}
