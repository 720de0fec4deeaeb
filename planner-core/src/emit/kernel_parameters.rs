//! Parameters of the kernels of host and guest that a plan rests on, as files: one parameter a line, its reason above it.

use super::OutputFile;
use super::parts::{has_modules, printable};
use crate::facts::guest::VmmKind;
use crate::plan::Plan;

/// `host-kernel.txt` and `guest-kernel.txt`, as far as there is anything to set.
///
/// The host's are those of [`Plan::host_settings`]. A guest of QEMU with memory modules must bring them online
/// (Documentation/admin-guide/mm/memory-hotplug.rst, "Onlining and Offlining Memory Blocks").
#[must_use]
pub fn kernel_parameters(plan: &Plan) -> Vec<OutputFile> {
    let host = plan.host_settings.iter().map(|setting| (setting.why.as_str(), setting.flag.as_str()));
    let modules = has_modules(plan) && plan.guest.vmm == VmmKind::Qemu;
    let guest = modules.then_some((
        "memory modules are hot-pluggable memory, which the guest's kernel does not use until it is brought online",
        "memhp_default_state=online",
    ));
    let files = [("host-kernel.txt", parameters(host)), ("guest-kernel.txt", parameters(guest.into_iter()))];
    let said = files.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(file, text)| OutputFile { file: file.to_owned(), text }).collect()
}

fn parameters<'p>(parameters: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    parameters.map(|(why, flag)| format!("# {}\n{}\n", printable(why), printable(flag))).collect()
}
