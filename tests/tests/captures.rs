//! Captures of booted kernels: every one is read, and what is read agrees with what the kernel said.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "captures/archives.rs"]
mod archives;
#[path = "fdt/compile.rs"]
mod compile;
#[path = "captures/conformance.rs"]
mod conformance;
#[path = "captures/faults.rs"]
mod faults;
#[path = "captures/firmware.rs"]
mod firmware;
#[path = "captures/foretold.rs"]
mod foretold;
#[path = "captures/properties.rs"]
mod properties;
#[path = "captures/summary.rs"]
mod summary;
#[path = "captures/twins.rs"]
mod twins;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use planner_core::addr::Address;
use planner_core::facts::HostFacts;
use planner_core::facts::host::{IommuModel, ListedRegion};
use planner_core::read::capture::{Tree, facts, from_archive};
use planner_core::size::parse_number;
use serde_json::Value;

/// A capture of the repository: its name and the bytes of the archive.
pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// Every capture of the repository, ascending by name.
pub(crate) fn captures() -> Vec<Capture> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut archives: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
    archives.sort();
    assert!(archives.len() >= 55, "{} captures", archives.len());
    let capture = |path: &PathBuf| Capture {
        name: path.file_name().unwrap().to_str().unwrap().trim_end_matches(".tar.gz").to_owned(),
        bytes: std::fs::read(path).unwrap(),
    };
    archives.iter().map(capture).collect()
}

/// The capture of this name, read.
pub(crate) fn capture(name: &str) -> Tree {
    let capture = captures().into_iter().find(|capture| capture.name == name).unwrap();
    from_archive(&capture.bytes, name).0
}

#[test]
fn every_capture_is_understood() {
    for Capture { name, bytes } in captures() {
        let (tree, mut diagnostics) = from_archive(&bytes, &name);
        let (host, more) = facts(&tree, &name);
        diagnostics.extend(more);
        expect_file![format!("../captures/{name}.txt")].assert_eq(&summary::of(&host, &diagnostics));
    }
}

#[test]
fn listed_regions_print_as_the_kernel_printed_them() {
    let mut files = 0;
    for Capture { name, bytes } in captures() {
        let tree = from_archive(&bytes, &name).0;
        for group in facts(&tree, &name).0.groups {
            let path = format!("sys/kernel/iommu_groups/{}/reserved_regions", group.id);
            let printed: String = group.listed.unwrap().iter().map(kernel_line).collect();
            assert_eq!(printed.as_bytes(), tree.file(&path).unwrap(), "{name}: {path}");
            files += 1;
        }
    }
    assert!(files > 500, "{files}");
}

/// One line as `iommu_group_show_resv_regions` in drivers/iommu/iommu.c prints it.
fn kernel_line(region: &ListedRegion) -> String {
    format!("{:#018x} {:#018x} {}\n", region.start.get(), region.end.get(), region.kind)
}

#[test]
fn page_sizes_and_apertures_are_what_the_running_kernel_said() {
    let mut checked = String::new();
    for Capture { name, bytes } in captures() {
        let truth = ground_truth(&bytes);
        let host = facts(&from_archive(&bytes, &name).0, &name).0;
        let page_size = host.kernel.as_ref().unwrap().page_size.unwrap();
        assert_eq!(serde_json::to_value(page_size).unwrap(), truth["page_size"], "{name}");
        if let Some((last, said)) = last_iova(&truth).zip(aperture_end(&host)) {
            assert_eq!(last, said, "{name}");
            writeln!(checked, "{name} {last:#x}").unwrap();
        }
    }
    expect_test::expect![[r#"
        x86-6.1-amd 0xffffffffffffffff
        x86-6.1-intel-intremap 0xffffffffffff
        x86-6.12-intel-intremap 0xffffffffffff
        x86-6.12-intel-rmrr 0xffffffffffff
        x86-7.3-amd-ivmd 0xffffffffffffffff
        x86-7.3-amd-ivrsioapic 0xffffffffffffffff
        x86-7.3-amd 0xffffffffffffffff
        x86-7.3-intel-intremap 0xffffffffffff
        x86-7.3-intel-ovmf 0xffffffffffff
        x86-7.3-intel-rmrr 0xffffffffffff
        x86-7.3iommufd-intel-intremap 0xffffffffffff
        x86-7.3iommufd-intel-nointremap 0xffffffffffff
        x86-7.3iommufd-intel-scalable 0x7fffffffffff
    "#]]
    .assert_eq(&checked);
}

/// What VFIO, iommufd and sysfs answered on the running host.
fn ground_truth(bytes: &[u8]) -> Value {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let is_truth = |entry: &tar::Entry<'_, _>| entry.path().unwrap().ends_with("groundtruth.json");
    serde_json::from_reader(entries.into_iter().find(is_truth).unwrap()).unwrap()
}

/// The last IOVA that VFIO offered for the first group that it accepted.
fn last_iova(truth: &Value) -> Option<u64> {
    let groups = truth["type1"]["groups"].as_array()?;
    let caps = groups.iter().find_map(|group| group["get_info"]["caps"].as_array())?;
    let ranges = caps.iter().find_map(|cap| cap["ranges"].as_array())?;
    parse_number(ranges.last()?["end"].as_str()?).ok()
}

/// The last IOVA that the capability registers of the host's only IOMMU allow.
fn aperture_end(host: &HostFacts) -> Option<u64> {
    let [iommu] = host.iommus.as_slice() else { return None };
    assert!(
        iommu.aperture.is_some() == matches!(iommu.model, Some(IommuModel::IntelVtd | IommuModel::AmdVi))
    );
    Some(iommu.aperture?.last().get())
}
