//! Devices of the host in a domain: `<hostdev>`, `<interface type='hostdev'>`, and what `<qemu:override>` changes about
//! devices.

use super::Words;
use crate::diag::Diagnostic;
use crate::read::vmm::codes;
use crate::read::vmm::tree::Node;

/// Properties that say where a device or memory lies, or which device of the host it is.
const OF_THE_LAYOUT: &[&str] =
    &["addr", "host", "iommufd", "memaddr", "memdev", "pci-hole64-size", "size", "sysfsdev"];

impl Words<'_> {
    /// `<hostdev>`, or an `<interface>` that is one (src/conf/domain_conf.c, `virDomainHostdevDefParseXML`).
    pub(super) fn hostdev(&mut self, device: &Node, domain: &Node) {
        let source = device.at(&["source", "address"]);
        let kind = match device.name.as_str() {
            "interface" => source.and_then(|address| address.attribute("type")),
            _ => device.attribute("type"),
        };
        match (kind, source) {
            (Some("pci") | None, Some(address)) => self.function(device, domain, address),
            (Some("pci") | None, _) => {
                let message = format!("<{}> does not say which PCI function of the host it is", device.name);
                let help =
                    "add <source><address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/></source>";
                let found = Diagnostic::new(&codes::BAD_VALUE, device.origin.clone(), message);
                self.sink.tell(found.help(help));
            }
            (Some("mdev"), _) => {
                let message =
                    "a mediated device: its own driver does its DMA, so it does not bind the guest's memory";
                self.sink.say(&codes::MEDIATED, device.origin.clone(), message);
            }
            (Some("scsi" | "scsi_host" | "usb"), _) => {}
            (Some(other), _) => {
                self.sink.odd(device.origin.clone(), format!("<{} type='{other}'>", device.name));
            }
        }
    }

    fn function(&mut self, device: &Node, domain: &Node, address: &Node) {
        let part = |name: &str| number(address.attribute(name).unwrap_or("0"));
        let parts = (part("domain"), part("bus"), part("slot"), part("function"));
        let (Some(segment), Some(bus), Some(slot), Some(function)) = parts else {
            let text = |name: &str| address.attribute(name).unwrap_or("0").to_owned();
            let found = ["domain", "bus", "slot", "function"].map(text).join(", ");
            let expected = "numbers of domain, bus, slot and function, in hexadecimal behind 0x";
            self.sink.bad_value(address.origin.clone(), &device.name, &found, expected);
            return;
        };
        let on = |node: Option<&Node>, name: &str| node.and_then(|node| node.attribute(name)) == Some("yes");
        let iommufd = on(domain.child("iommufd"), "enabled") || on(device.child("driver"), "iommufd");
        let backend = if iommufd { ",iommufd=iommufd0" } else { "" };
        self.push(
            "-device",
            format!("vfio-pci,host={segment:04x}:{bus:02x}:{slot:02x}.{function:x}{backend}"),
            address,
        );
    }

    /// Properties that the user changes behind libvirt's back; those that change the layout are told.
    pub(super) fn overrides(&mut self, node: &Node) {
        let frontends = node.children.iter().flat_map(|device| &device.children);
        for property in frontends.flat_map(|frontend| &frontend.children) {
            let name = property.attribute("name").unwrap_or_default();
            if OF_THE_LAYOUT.contains(&name) {
                let value = property.attribute("value").unwrap_or_default();
                self.sink.odd(
                    property.origin.clone(),
                    format!("<{} name='{name}' value='{value}'>", property.name),
                );
            }
        }
    }
}

/// A number as libvirt reads it: hexadecimal behind `0x`, octal behind `0`, else decimal (src/conf/device_conf.c,
/// `virPCIDeviceAddressParseXML`: `virXMLPropUInt` with base 0).
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    match text.strip_prefix('0').filter(|digits| !digits.is_empty()) {
        Some(digits) => u32::from_str_radix(digits, 8).ok(),
        None => text.parse().ok(),
    }
}
