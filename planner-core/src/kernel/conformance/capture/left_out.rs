//! What a ground truth tells and nothing compares, so that it can be said.

use super::behaviour::SPAN;
use crate::kernel::conformance::json::Json;
use crate::kernel::conformance::shortened;
use std::collections::BTreeSet;

/// Members of an object: those that are compared or only say who is meant, and what the others are about.
struct Row {
    path: &'static str,
    read: &'static [&'static str],
    left_out: &'static [(&'static str, &'static str)],
}

const TRACE: &str = "traces of the iommu:map event";
const DEVICE: &str = "what VFIO says of the device's regions and interrupts";
const CAPABILITY: &str = "MSI capabilities beyond the address";
const INFO: &str = "capabilities of the container beyond its ranges";

const ROWS: [Row; 12] = [
    Row { path: "", read: &["version", "page_size", "type1", "iommufd", "devices", "groups"], left_out: &[] },
    Row { path: ".type1", read: &["groups", "all_in_one"], left_out: &[] },
    Row {
        path: ".type1.groups",
        read: &[
            "group",
            "devices",
            "group_status",
            "api",
            "set_container",
            "unbound_bridges",
            "set_container_after_bridge_unbind",
            "set_iommu",
            "set_allow_unsafe",
            "set_iommu_unsafe",
            "get_info",
            "map_trials",
            "behaviour",
            "device_probe",
        ],
        left_out: &[("extensions", INFO)],
    },
    Row {
        path: ".type1.groups.get_info",
        read: &["rc", "argsz", "iova_pgsizes", "cap_offset"],
        left_out: &[("flags", INFO), ("caps", INFO)],
    },
    Row {
        path: ".type1.groups.device_probe",
        read: &["bdf", "device_info"],
        left_out: &[("host_caps_before", CAPABILITY), ("after_irq", "mapping the MSI window after use")],
    },
    PROBE.at(".type1.groups.device_probe.device_info"),
    PROBE.at(".iommufd.devices.device_info"),
    Row { path: ".type1.all_in_one", read: &["attach", "get_info"], left_out: &[] },
    Row {
        path: ".iommufd",
        read: &["open", "ioas_alloc", "ranges_unattached", "devices", "all_in_one"],
        left_out: &[],
    },
    Row { path: ".iommufd.all_in_one", read: &["attach", "ranges"], left_out: &[] },
    Row {
        path: ".iommufd.devices",
        read: &[
            "bdf",
            "group",
            "ioas_alloc",
            "ranges_before_attach",
            "set_allow_unsafe",
            "bind",
            "bind_unsafe",
            "devid",
            "hw_info",
            "preattach_conflict",
            "preattach_allow_0_4g",
            "preattach_allow_4g_8g",
            "premap_fixed_0x50000000",
            "attach",
            "unmap_pre",
            "attach_after_unmap",
            "ranges_after_attach",
            "auto_alloc",
            "auto_alloc_big",
            "auto_alloc_voff",
            "unmap_all",
            "unmap_all_len",
            "allow_40000000_and_4g",
            "ranges_after_allow",
            "auto_alloc_allow",
            "allow_over_reserved",
            "allow_clear",
            "ranges_after_allow_clear",
            "map_trials",
            "device_info",
            "ranges_after_irq",
            "hwpt",
            "detach",
            "ranges_after_detach",
        ],
        left_out: &[
            ("trace_on_attach", TRACE),
            ("fixed_outside_allow", "fixed maps outside of what is allowed"),
        ],
    },
    Row {
        path: ".iommufd.devices.hw_info",
        read: &["rc", "type", "capabilities", "data_len"],
        left_out: &[("data", "registers in hw_info"), ("max_pasid_log2", "the PASID width in hw_info")],
    },
];

const PROBE: Row = Row {
    path: "",
    read: &["msi_enable", "msix_enable"],
    left_out: &[
        ("flags", DEVICE),
        ("num_regions", DEVICE),
        ("num_irqs", DEVICE),
        ("regions", DEVICE),
        ("irqs", DEVICE),
        ("vfio_config_256", "the device's configuration space"),
    ],
};

impl Row {
    const fn at(self, path: &'static str) -> Self {
        Self { path, ..self }
    }
}

/// How many things nobody knows are named.
const MOST: usize = 20;

/// What of the ground truth is not compared: in words, and members that are not known by their names.
pub(super) fn find(truth: &Json<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(truth, "", &mut found);
    found
}

/// Goes down as far as there are rows for it.
fn walk(json: &Json<'_>, path: &str, found: &mut BTreeSet<String>) {
    let Some(row) = ROWS.iter().find(|row| row.path == path) else { return };
    match json {
        Json::List(items) => items.iter().for_each(|item| members(item, row, found)),
        object => members(object, row, found),
    }
}

fn members(json: &Json<'_>, row: &Row, found: &mut BTreeSet<String>) {
    let Json::Object(members) = json else { return };
    for (key, value) in members {
        let known = row.left_out.iter().find(|(known, _)| known == key);
        if row.read.contains(&&**key) {
            walk(value, &format!("{}.{key}", row.path), found);
        } else if found.len() < MOST && !key.starts_with(SPAN) {
            found.insert(known.map_or_else(|| unknown(row, key), |(_, about)| (*about).to_owned()));
        }
    }
}

fn unknown(row: &Row, key: &str) -> String {
    let path = format!("{}.{}", row.path, shortened(key, 40));
    format!("`{}`", path.trim_start_matches('.').escape_debug())
}
