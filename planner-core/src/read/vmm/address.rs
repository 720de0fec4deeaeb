//! Addresses of passed devices as people write them, and what is wrong with them.

use super::codes;
use crate::diag::{Diagnostic, Origin};
use crate::ids::PciAddress;

/// What a text that is no PCI address was perhaps meant to be.
pub(super) fn refused(origin: Origin, what: &str, text: &str) -> Diagnostic {
    const EXPECTED: &str = "a PCI address such as 0000:03:00.0";
    let message = format!("{what}: found `{text}`, expected {EXPECTED}");
    let diagnostic =
        Diagnostic::new(&codes::BAD_VALUE, origin, message).label(format!("expected {EXPECTED}"));
    match meant(text) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn meant(text: &str) -> Option<String> {
    let is_address = |text: &str| text.parse::<PciAddress>().is_ok();
    if is_address(&format!("{text}.0")) {
        return Some(format!("a function is missing: `{text}.0` is the first of the device"));
    }
    if let Some((vendor, device)) = text.split_once(':') {
        let is_id = |id: &str| id.len() == 4 && id.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id(vendor) && is_id(device) {
            return Some(format!("this is the ID of a model; `lspci -Dd {text}` prints addresses"));
        }
    }
    // libvirt's own names: `virsh nodedev-list`.
    let name = text.strip_prefix("pci_").map(|name| name.replace('_', ":"));
    let (place, function) = name.as_deref()?.rsplit_once(':')?;
    let address = format!("{place}.{function}");
    is_address(&address).then(|| format!("write `{address}`"))
}

/// Whether a text is a UUID, the name of a mediated device.
pub(super) fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]);
    lengths && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}
