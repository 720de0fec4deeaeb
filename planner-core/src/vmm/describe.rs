//! How a VMM is named in messages.

use super::Request;

/// The machine type of the request without its options, or the default's name.
#[must_use]
pub fn machine_type(request: &Request) -> &str {
    let asked = request.machine.split(',').next().unwrap_or_default();
    if !asked.is_empty() && !asked.contains('=') {
        return asked;
    }
    super::known()
        .iter()
        .find(|known| known.kind == request.kind && known.arch == request.arch)
        .map_or("", |known| known.machine)
}

/// `qemu 11.1 virt`, `kvmtool`: for messages.
#[must_use]
pub fn describe(request: &Request) -> String {
    let (kind, machine) = (request.kind, machine_type(request));
    if super::capabilities::has_releases(kind) {
        format!("{kind} {} {machine}", request.version).trim_end().to_owned()
    } else {
        kind.to_string()
    }
}
