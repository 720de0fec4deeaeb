//! Devices of a QEMU command line: what is passed through, and the guest's IOMMU.

use super::super::address;
use super::super::codes;
use super::super::keyval::Keyval;
use super::super::sink::Sink;
use super::Line;
use super::options;
use crate::diag::Diagnostic;
use crate::facts::Arch;
use crate::facts::configured::{ConfiguredFacts, Stage};
use crate::facts::guest::{PassFact, Viommu};
use crate::version::Version;

/// Most passed devices that are read; a PCI bus has 256 functions.
const MOST_PASSED: usize = 1024;

/// Reads the devices.
pub(super) fn read(line: &Line, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    for options in &line.devices {
        let Some(driver) = options.get("driver").filter(|driver| !driver.is_empty()) else {
            let text = format!("{}: Parameter 'driver' is missing", options.option);
            sink.refuse(Stage::Devices, options.origin.clone(), text);
            continue;
        };
        if !is_known(line, driver) {
            let text = format!("{}: '{driver}' is not a valid device model name", options.option);
            sink.refuse(Stage::Devices, options.origin.clone(), text);
            continue;
        }
        match driver {
            "vfio-pci" | "vfio-pci-nohotplug" => pass(options, facts, sink),
            "intel-iommu" => facts.guest.viommu = Some(Viommu::Intel),
            "virtio-iommu-pci" | "virtio-iommu" | "virtio-iommu-device" => {
                facts.guest.viommu = Some(Viommu::Virtio);
                facts.riscv_iommus.push(options.option.clone());
            }
            "arm-smmuv3" => smmu(options, facts),
            "riscv-iommu-pci" => {
                facts.silent_iommu = Some(options.option.clone());
                facts.riscv_iommus.push(options.option.clone());
            }
            "amd-iommu" => other_iommu(driver, options, sink),
            "pc-dimm" | "nvdimm" | "virtio-mem-pci" | "virtio-mem-device" | "virtio-pmem-pci" => {}
            _ if options::is_harmless_device(driver) => {}
            _ => sink.odd(options.origin.clone(), &options.option),
        }
    }
    let iommufd = line.devices.iter().any(|options| options.get("iommufd").is_some());
    facts.guest.iommufd = iommufd.then_some(true);
    let of_machine = line.machine.iter().rev().find(|pair| pair.name == "iommu" && pair.value == "smmuv3");
    if of_machine.is_some() {
        facts.silent_iommu = Some("-machine iommu=smmuv3".into());
    }
    let of_riscv = line.machine.iter().rev().find(|pair| pair.name == "iommu-sys");
    // A virtio-iommu takes the machine's place on the bus (hw/riscv/virt.c, virt_machine_get_hotplug_handler).
    if of_riscv.is_some_and(|pair| pair.value == "on") && facts.guest.viommu != Some(Viommu::Virtio) {
        facts.silent_iommu = Some("-machine iommu-sys=on".into());
    }
}

/// Names of devices by target.
const NAMES: &str = include_str!("device_names.txt");
/// The releases whose devices are known by name, and those between them.
const NAMED_SINCE: Version = Version::new(7, 2);
const NAMED_UNTIL: Version = Version::new(11, 1);

/// Whether some release of QEMU from 7.2 to 11.1 has such a device for this target (system/qdev-monitor.c,
/// `qdev_get_device_class`). Of other releases, and where none is said, nothing is
/// known.
fn is_known(line: &Line, driver: &str) -> bool {
    let letter = match line.arch {
        Some(Arch::Aarch64) => 'a',
        Some(Arch::X86_64) => 'x',
        Some(Arch::Riscv64) => 'r',
        None => return true,
    };
    let named_release = line.version.is_some_and(|version| {
        (NAMED_SINCE..=NAMED_UNTIL).contains(&Version::new(version.major, version.minor))
    });
    // What a user cannot plug in is known, too, and so are CPUs; the model of the board judges these IOMMUs.
    let of_boards = driver.ends_with("-cpu") || driver.ends_with("pcihost");
    let of_boards = of_boards || matches!(driver, "arm-smmuv3" | "riscv-iommu-pci");
    let listed = NAMES.lines().filter(|row| !row.starts_with('#')).any(|row| {
        let (name, targets) = row.split_once(' ').unwrap_or((row, "arx"));
        name == driver && targets.contains(letter)
    });
    !named_release || of_boards || NOT_PLUGGABLE.contains(&driver) || listed
}

/// Devices that boards alone make.
const NOT_PLUGGABLE: &[&str] =
    &["cfi.pflash01", "cfi.pflash02", "fw_cfg_io", "fw_cfg_mem", "mch", "smbus-eeprom"];

fn pass(options: &Keyval, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    let (place, text) = match (options.pair("host"), options.pair("sysfsdev")) {
        (Some(pair), _) => (pair.origin.clone(), pair.value.clone()),
        // A path such as /sys/bus/pci/devices/0000:03:00.0, or one that ends with a mediated device's UUID.
        (None, Some(pair)) => {
            let name = pair.value.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            (pair.origin.clone(), name.to_owned())
        }
        (None, None) => {
            let message = format!("`{}` does not say which device of the host it is", options.option);
            let help = "add `--pass 0000:03:00.0` with its address";
            return sink
                .tell(Diagnostic::new(&codes::UNNAMED_DEVICE, options.origin.clone(), message).help(help));
        }
    };
    if address::is_uuid(&text) {
        let message =
            "a mediated device: its own driver does its DMA, so it does not bind the guest's memory";
        return sink.say(&codes::MEDIATED, place, message);
    }
    match text.parse() {
        Ok(_) if facts.guest.pass.len() >= MOST_PASSED => {
            let message = format!("more than {MOST_PASSED} devices are passed through");
            sink.say(&codes::TOO_LONG, place, message);
        }
        Ok(device) => facts.guest.pass.push(PassFact { device, origin: place }),
        Err(_) => sink.tell(address::refused(place, "vfio-pci", &text)),
    }
}

/// An SMMU of QEMU's own reports no mappings to VFIO; with `accel=on` the host's translates.
fn smmu(options: &Keyval, facts: &mut ConfiguredFacts) {
    facts.smmus.push(options.option.clone());
    if options.is_on("accel") {
        facts.guest.viommu = Some(Viommu::SmmuV3);
    } else {
        facts.silent_iommu = Some(options.option.clone());
    }
}

fn other_iommu(driver: &str, options: &Keyval, sink: &mut Sink) {
    let message =
        format!("the planner has no model of the guest IOMMU {driver}; the guest is planned without one");
    sink.say(&codes::OTHER_IOMMU, options.origin.clone(), message);
}
