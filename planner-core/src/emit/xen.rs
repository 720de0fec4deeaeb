//! Xen's `xl.cfg` of an HVM domain (docs/man/xl.cfg.5.pod.in).
//!
//! Its strings stand in double quotes, within which a backslash takes away the meaning of a quote and of itself
//! (tools/libs/util/libxlu_cfg_l.l, libxlu_cfg.c xlu__cfgl_dequote). A comment runs to the end of its line.
//!
//! Left out: `rdm=`. xl drops it without a word where it has a policy, because `xlu_rdm_parse` (tools/libs/util/libxlu_pci.c)
//! takes the success of `parse_rdm_policy` for a failure; where it has none, xl takes the policy from memory that nobody
//! wrote (tools/xl/xl_parse.c, parse_config_data: `libxl_rdm_reserve rdm;`). So it is in 4.17 and in 4.20. The policy of
//! each device is read well, and the plan needs no more. vNUMA is left out, too.

use super::boot::{BEHIND_4G, boot_memory, boot_size, refuse_elsewhere};
use super::parts::{file_name, has_modules, made_for, printable};
use super::{OutputFile, Unsupported};
use crate::addr::{Address, Gpa};
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::plan::{Plan, VmmOption};
use crate::size::{MIB, Size};
use crate::vmm::Knob;

/// `xl.cfg`.
pub(super) fn config(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    made_for(plan, VmmKind::Xen)?;
    refuse(plan)?;
    refuse_elsewhere(plan, Gpa::at(0), BEHIND_4G)?;
    let memory = mebibytes("memory", boot_size(&boot_memory(plan)?)?)?;
    let guest = &plan.guest;
    let mut lines: Vec<String> = comments(plan).iter().map(|line| format!("# {}", printable(line))).collect();
    lines.push(format!("name = {}", quote(&file_name(&guest.name))));
    lines.push("type = \"hvm\"".to_owned());
    lines.push(format!("memory = {memory}"));
    lines.push(format!("maxmem = {memory}"));
    lines.push(format!("vcpus = {}", guest.vcpus));
    // Video memory would be taken from the memory of the guest.
    lines.push("vga = \"none\"".to_owned());
    if let Some(size) = hole(plan) {
        lines.push(format!("mmio_hole = {}", mebibytes("mmio_hole", size)?));
    }
    let pass: Vec<String> =
        guest.pass.iter().map(|device| quote(&format!("{device},rdm_policy=strict"))).collect();
    if !pass.is_empty() {
        lines.push(format!("pci = [ {} ]", pass.join(", ")));
    }
    Ok(vec![OutputFile { file: "xl.cfg".to_owned(), text: lines.join("\n") + "\n" }])
}

/// The options that the plan needs, with the reason.
pub(super) fn explained(plan: &Plan) -> Vec<VmmOption> {
    if config(plan).is_err() {
        return Vec::new();
    }
    let hole = hole(plan).and_then(|size| {
        let end = Gpa::new(0x1_0000_0000_u64.checked_sub(size.bytes())?);
        let why = format!("RAM below 4 GiB ends at {end}, the rest lies above 4 GiB");
        Some(VmmOption { flag: format!("mmio_hole={}", size.bytes() / MIB), why })
    });
    hole.into_iter().collect()
}

/// A string of `xl.cfg`.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for c in printable(text).chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

fn comments(plan: &Plan) -> Vec<String> {
    let mut lines =
        vec!["`xl create` takes this file; add the guest's firmware, its disks and its networks.".to_owned()];
    if !plan.guest.pass.is_empty() {
        let devices: Vec<String> = plan.guest.pass.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "Before: `modprobe xen-pciback`, and `xl pci-assignable-add` for each of {}; or xen-pciback.hide=({}) on the \
             command line of dom0's kernel.",
            devices.join(" "),
            devices.join(")(")
        ));
    }
    lines
}

/// What this file does not say.
fn refuse(plan: &Plan) -> Result<(), Unsupported> {
    let guest = &plan.guest;
    let lacks =
        |what: &str| Err(Unsupported::new(format!("xl.cfg has no {what}"), "plan again with --vmm qemu"));
    if guest.arch != Arch::X86_64 {
        let because = "xl.cfg moves no memory of a guest on arm64";
        return Err(Unsupported::new(because, "emit xen-dom0less instead"));
    }
    if has_modules(plan) {
        return lacks("memory modules");
    }
    if !guest.numa.is_empty() {
        let because = "the planner writes no vnuma= for Xen";
        return Err(Unsupported::new(because, "plan again without NUMA, or with --vmm qemu"));
    }
    if guest.viommu != Viommu::None {
        return lacks(&format!("{} IOMMU for its guest", guest.viommu));
    }
    if guest.iommufd {
        return lacks("iommufd");
    }
    match plan.knobs.iter().find(|knob| !matches!(knob, Knob::MmioHole { .. })) {
        Some(knob) => lacks(&format!("option for {knob:?}, which the plan sets")),
        None => Ok(()),
    }
}

fn hole(plan: &Plan) -> Option<Size> {
    plan.knobs.iter().rev().find_map(|knob| match knob {
        Knob::MmioHole { size } => Some(*size),
        _ => None,
    })
}

fn mebibytes(what: &str, size: Size) -> Result<u64, Unsupported> {
    if size.bytes().is_multiple_of(MIB) {
        return Ok(size.bytes() / MIB);
    }
    let because = format!("xl.cfg takes whole mebibytes for {what}=, and the plan has {size}");
    Err(Unsupported::new(because, "plan again with a multiple of 1M"))
}
