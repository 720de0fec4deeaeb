//! Devices of a QEMU command line: what is passed through, and the guest's IOMMU.

use super::super::address;
use super::super::codes;
use super::super::keyval::Keyval;
use super::super::sink::Sink;
use super::Line;
use super::options;
use crate::diag::Diagnostic;
use crate::facts::configured::ConfiguredFacts;
use crate::facts::guest::{PassFact, Viommu};

/// Most passed devices that are read; a PCI bus has 256 functions.
const MOST_PASSED: usize = 1024;

/// Reads the devices.
pub(super) fn read(line: &Line, facts: &mut ConfiguredFacts, sink: &mut Sink) {
    for options in &line.devices {
        let Some(driver) = options.get("driver") else {
            sink.odd(options.origin.clone(), &options.option);
            continue;
        };
        match driver {
            "vfio-pci" | "vfio-pci-nohotplug" => pass(options, facts, sink),
            "intel-iommu" => facts.guest.viommu = Some(Viommu::Intel),
            "virtio-iommu-pci" | "virtio-iommu" | "virtio-iommu-device" => {
                facts.guest.viommu = Some(Viommu::Virtio);
            }
            "arm-smmuv3" => smmu(options, facts),
            "amd-iommu" | "riscv-iommu-pci" => other_iommu(driver, options, sink),
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
}

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
