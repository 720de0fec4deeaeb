//! Parameters of the kernels of host and guest that a plan rests on, as files: one parameter a line, its reason above it.
//!
//! Left out: `iommu.passthrough=1`. On the host VFIO does not need it, and in a guest it gives up the isolation that the
//! guest's IOMMU is for; P-GUESTDMA says when it is the only way.

use super::OutputFile;
use super::parts::{has_modules, printable};
use crate::addr::Address;
use crate::facts::guest::VmmKind;
use crate::plan::{GuestPatch, Plan};
use crate::size::Size;

/// A parameter and why it is there.
type Parameter = (String, String);

/// `host-kernel.txt` and `guest-kernel.txt`, as far as there is anything to set.
///
/// The host's are those of [`Plan::host_settings`]. A guest with memory modules or memory plugged in later must bring it
/// online, whether it comes as module or by virtio-mem (Documentation/admin-guide/mm/memory-hotplug.rst, "Onlining and
/// Offlining Memory Blocks"). RAM that an x86 guest must leave unused is taken out of its map by `memmap=`
/// (Documentation/admin-guide/kernel-parameters.txt).
#[must_use]
pub fn kernel_parameters(plan: &Plan) -> Vec<OutputFile> {
    let host = plan.host_settings.iter().map(|setting| (setting.why.clone(), setting.flag.clone()));
    let guest = onlined(plan).into_iter().chain(unused(plan));
    let files = [("host-kernel.txt", parameters(host)), ("guest-kernel.txt", parameters(guest))];
    let said = files.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(file, text)| OutputFile { file: file.to_owned(), text }).collect()
}

fn onlined(plan: &Plan) -> Option<Parameter> {
    let what = match plan.guest.vmm {
        VmmKind::Qemu if has_modules(plan) => "memory modules are hot-pluggable memory",
        VmmKind::CloudHypervisor if has_modules(plan) => "memory plugged in later is hot-pluggable memory",
        _ => return None,
    };
    let why = format!("{what}, which the guest's kernel does not use until it is brought online");
    Some((why, "memhp_default_state=online".to_owned()))
}

/// `$` is a variable to shells and to GRUB, which need `\$`; the file has the parameter as the kernel reads it.
fn unused(plan: &Plan) -> impl Iterator<Item = Parameter> + '_ {
    let reserved = &plan.guest_reserved;
    let told = reserved.memory_by == Some(GuestPatch::KernelParameters);
    let rows = reserved.memory.iter().filter(move |_| told);
    rows.map(|row| {
        let size = row.span.size().map_or(0, Size::bytes);
        let why = format!("{} (in GRUB's files the $ is written \\$)", row.because.because);
        (why, format!("memmap={size:#x}${:#x}", row.span.first().get()))
    })
}

fn parameters(parameters: impl Iterator<Item = Parameter>) -> String {
    parameters.map(|(why, flag)| format!("# {}\n{}\n", printable(&why), printable(&flag))).collect()
}
