//! Readers: files in, facts and diagnostics out. Nothing is believed here; [`crate::host`] does that.

pub mod acpi;
pub mod capture;
pub mod check;
pub mod fdt;
pub mod json;
pub mod language;
pub mod pci;
pub mod vmm;

use crate::diag::Code;

/// Every kind of diagnostic of the readers, for `planner explain`: `L` for the language and for facts, `J` for JSON,
/// `C` for captures, `T` for tables of ACPI firmware, `B` for configuration space, `D` for devicetrees, `M` for
/// configurations of VMMs.
pub fn codes() -> impl Iterator<Item = &'static Code> {
    let firmware = [acpi::codes::CODES, fdt::codes::CODES, pci::codes::CODES];
    [language::CODES, check::CODES, json::CODES, capture::codes::CODES, vmm::codes::CODES]
        .into_iter()
        .chain(firmware)
        .flatten()
        .copied()
}
