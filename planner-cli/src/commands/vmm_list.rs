//! `planner vmm` without a machine: the VMMs known and what each version can express.

use planner_core::emit::{LibvirtVersions, libvirt_versions};
use planner_core::facts::Arch;
use planner_core::facts::guest::{Viommu, VmmKind};
use planner_core::size::approximate_size;
use planner_core::version::Version;
use planner_core::vmm::{self, Capabilities, Era, Known};
use serde::Serialize;

use crate::args::{Format, VmmArgs};
use crate::json;
use crate::output::Output;
use crate::paint::{Ink, paint, paragraph, table};

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
    /// What it could express from version to version, oldest first.
    history: Vec<Era>,
    /// What libvirt can say of such a guest, by its version, where libvirt runs this VMM.
    #[serde(skip_serializing_if = "Option::is_none")]
    libvirt: Option<LibvirtVersions>,
}

/// The VMMs of this kind, version and architecture, or all of them: the matrix unless a version was named, and what is
/// behind it if a VMM was.
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
        Format::Human => match asked {
            None => matrix(&document.vmms) + HINT,
            Some((_, None)) => matrix(&document.vmms) + "\n" + &all_told(&document.vmms),
            Some((_, Some(_))) => all_told(&document.vmms),
        },
    })
}

/// What the columns of the matrix mean, and where there is more.
const HINT: &str = "
  move RAM    memory can start elsewhere
  split RAM   memory can be put at addresses of our choice
  MMIO32      the 32-bit PCI window can be moved or resized
  MMIO64      the 64-bit PCI window can be resized
  BAR room    the largest window for BARs, for a guest of 4 GiB on a hypervisor with 48 address bits
  avoids      it keeps memory clear of what the host reserves by itself
  vIOMMU      the guest's IOMMUs that passed devices can lie behind

`planner vmm NAME` says more about one, `planner vmm NAME=VERSION` about a version.
";

fn all_told(rows: &[Row]) -> String {
    rows.iter().map(told).collect::<Vec<_>>().join("\n")
}

/// A line for each era of each VMM.
fn matrix(rows: &[Row]) -> String {
    let head = [
        "VMM",
        "guest",
        "version",
        "passes",
        "move RAM",
        "split RAM",
        "MMIO32",
        "MMIO64",
        "BAR room",
        "avoids",
        "hotplug",
        "iommufd",
        "vIOMMU",
    ];
    let mut lines = vec![head.map(|title| paint(Ink::Bold, title))];
    for row in rows {
        let mut name = format!("{} {}", row.name, row.machine).trim_end().to_owned();
        let mut arch = row.arch.to_string();
        for eras in row.history.chunk_by(|a, b| cells_of(a) == cells_of(b)) {
            let [.., last] = eras else { continue };
            let version = versions(eras.first().unwrap_or(last).since, last.until);
            let [a, b, c, d, e, f, g, h, i, j] = cells_of(last);
            lines.push([
                std::mem::take(&mut name),
                std::mem::take(&mut arch),
                version,
                a,
                b,
                c,
                d,
                e,
                f,
                g,
                h,
                i,
                j,
            ]);
        }
    }
    table(&lines)
}

fn versions(since: Version, until: Version) -> String {
    if since == until { since.to_string() } else { format!("{since} to {until}") }
}

/// What the matrix says of an era; the options that came with it are left out.
fn cells_of(Era { can, bar_room, .. }: &Era) -> [String; 10] {
    let mark = |holds: bool| if holds { paint(Ink::Good, "yes") } else { paint(Ink::Faint, "-") };
    let viommus = can.viommus.iter().filter(|&&viommu| viommu != Viommu::None);
    let viommus: Vec<&str> = viommus.map(|viommu| viommu.word()).collect();
    [
        mark(can.passthrough),
        mark(can.moves_ram),
        mark(can.splits_ram),
        mark(can.moves_mmio32),
        mark(can.sizes_mmio64),
        bar_room.map_or_else(|| paint(Ink::Faint, "-"), |size| approximate_size(size.bytes().into())),
        mark(can.avoids_reserved),
        mark(can.hotplug),
        mark(can.iommufd),
        if viommus.is_empty() { paint(Ink::Faint, "-") } else { viommus.join(", ") },
    ]
}

fn row(known: &Known, version: Option<Version>) -> Row {
    let Known { kind, arch, machine } = *known;
    let version = version.unwrap_or_else(|| vmm::newest(kind));
    Row {
        name: kind,
        arch,
        machine,
        oldest: vmm::oldest(kind, arch),
        version,
        can: vmm::capabilities_at(known, version),
        history: vmm::eras(known),
        libvirt: (kind == VmmKind::Qemu).then(|| libvirt_versions(arch)),
    }
}

fn told(row: &Row) -> String {
    let Row { name, arch, machine, oldest, version, can, libvirt, .. } = row;
    let title = paint(Ink::Bold, format!("{name} {version} {machine}").trim_end());
    let known = if *oldest > Version::new(0, 0) { format!(" (known since {oldest})") } else { String::new() };
    let mut out = format!("{title} for {arch}{known}\n");
    let mut line = |what: &str, text: &str| out.push_str(&paragraph(&format!("  {what:<12}"), text, 100));
    line("can", &list_of(&abilities(can), "nothing that matters here"));
    line("takes care", &list_of(&cares(can), "of nothing by itself"));
    line("options", &list_of(&can.knobs, "none that move memory"));
    let viommus: Vec<&str> = can.viommus.iter().map(|viommu| viommu.word()).collect();
    line("viommu", &list_of(&viommus, "none"));
    if let Some(libvirt) = libvirt {
        line("libvirt", &by_version(libvirt));
    }
    out
}

fn by_version(libvirt: &LibvirtVersions) -> String {
    let LibvirtVersions { oldest, newest, features } = libvirt;
    let since: Vec<String> =
        features.iter().map(|feature| format!("{} since {}", feature.what, feature.since)).collect();
    format!("{oldest} to {newest}; {}", since.join(", "))
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
