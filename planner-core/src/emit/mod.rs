//! Configuration of each VMM, written from a plan. Emission decides nothing: what is planned is turned into the VMM's
//! syntax, or refused when the VMM or its version cannot say it.
//!
//! Every string of a plan may come from a stranger. Words are quoted for the POSIX shell ([`shell`]), commas doubled for
//! QEMU's option syntax, strings of Xen's `xl` and of device trees have escapes, and XML is escaped by its writer; names lose their control characters.
//!
//! Left out: what a guest boots from, its disks and its networks. The planner knows nothing of them.

pub mod shell;

mod boot;
mod cloud_hypervisor;
mod crosvm;
mod custom;
mod expander;
mod firecracker;
mod iommu;
mod kernel_parameters;
mod kvmtool;
mod libvirt;
mod machine;
mod openvmm;
mod parts;
mod qemu;
mod xen;
mod xen_dom0less;

pub use kernel_parameters::kernel_parameters;
pub use libvirt::{LibvirtFeature, LibvirtVersions, libvirt_versions};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diag::{Code, Diagnostic, Origin, Severity};
use crate::facts::Arch;
use crate::facts::guest::VmmKind;
use crate::facts::words;
use crate::plan::{Plan, VmmOption};

words! {
    /// What a plan can be turned into.
    Target {
        /// A shell command that runs QEMU.
        Qemu = "qemu",
        /// A file for QEMU's `-readconfig`, and the shell command that uses it.
        QemuReadconfig = "qemu-readconfig",
        /// A libvirt domain in XML, for the libvirt that the guest names, or the newest that is known.
        Libvirt = "libvirt",
        /// A shell command that runs kvmtool.
        Kvmtool = "kvmtool",
        /// A shell command that runs crosvm.
        Crosvm = "crosvm",
        /// A shell command that runs Cloud Hypervisor.
        CloudHypervisor = "cloud-hypervisor",
        /// The body of Cloud Hypervisor's `PUT /api/v1/vm.create`.
        CloudHypervisorApi = "cloud-hypervisor-api",
        /// A file for Firecracker's `--config-file`, and the shell command that uses it.
        Firecracker = "firecracker",
        /// A shell command that runs OpenVMM.
        Openvmm = "openvmm",
        /// A file for Xen's `xl create`.
        Xen = "xen",
        /// A device-tree overlay from which Xen builds the guest at boot.
        XenDom0less = "xen-dom0less",
        /// The plan as a table in JSON, for a VMM that the guest's file describes.
        Custom = "custom",
    }
}

/// A file of configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OutputFile {
    /// Its name: `qemu.args`, `qemu.cfg`, `qemu.cfg.args`, `domain.xml`, `kvmtool.sh`, `crosvm.sh`,
    /// `cloud-hypervisor.sh`, `vm.create.json`, `firecracker.json`, `firecracker.sh`, `openvmm.sh`, `xl.cfg`,
    /// `dom0less.dtso`, `layout.json`. No two targets share one.
    pub file: String,
    /// Its text, ending with a newline.
    pub text: String,
}

/// The target cannot express the plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Unsupported {
    /// One sentence, lower case, with what it is that cannot be said.
    pub because: String,
    /// The way out.
    pub help: String,
}

/// `planner explain E001`.
pub static UNSUPPORTED: Code = Code {
    id: "E001",
    severity: Severity::Error,
    title: "this configuration cannot express the plan",
    explanation: "A plan is made for one VMM and version. Another VMM, or an older version, may lack the option that \
                  puts memory where the plan wants it, or the device that the guest asks for; a configuration without \
                  it would make another guest than the one that was planned and verified, so none is written. Plan \
                  again for the VMM that shall run the guest.",
};

/// Every kind of diagnostic of this room.
pub const CODES: &[&Code] = &[&UNSUPPORTED];

impl Unsupported {
    fn new(because: impl Into<String>, help: impl Into<String>) -> Self {
        Self { because: because.into(), help: help.into() }
    }

    /// The same as a diagnostic, for those who print it; `origin` is where the target was asked for.
    #[must_use]
    pub fn diagnostic(self, origin: Origin) -> Diagnostic {
        Diagnostic::new(&UNSUPPORTED, origin, self.because).help(self.help)
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.because, self.help)
    }
}
impl std::error::Error for Unsupported {}

/// The configuration that makes the target run the planned guest, most important file first.
///
/// # Errors
/// [`Unsupported`] when the target, or the version of the VMM that the plan was made for, cannot express the plan.
pub fn emit(plan: &Plan, target: Target) -> Result<Vec<OutputFile>, Unsupported> {
    match target {
        Target::Qemu => qemu::command(plan),
        Target::QemuReadconfig => qemu::readconfig(plan),
        Target::Libvirt => libvirt::domain(plan),
        Target::Kvmtool => kvmtool::command(plan),
        Target::Crosvm => crosvm::command(plan),
        Target::CloudHypervisor => cloud_hypervisor::command(plan),
        Target::CloudHypervisorApi => cloud_hypervisor::api(plan),
        Target::Firecracker => firecracker::config(plan),
        Target::Openvmm => openvmm::command(plan),
        Target::Xen => xen::config(plan),
        Target::XenDom0less => xen_dom0less::overlay(plan),
        Target::Custom => custom::layout(plan),
    }
}

/// The targets that can express the plan.
#[must_use]
pub fn targets(plan: &Plan) -> Vec<Target> {
    Target::WORDS.iter().map(|&(_, target)| target).filter(|&target| emit(plan, target).is_ok()).collect()
}

/// The options that the plan needs beyond those that every guest gets, as its own VMM spells them, and why.
/// Empty for a plan that cannot be emitted.
#[must_use]
pub fn options(plan: &Plan) -> Vec<VmmOption> {
    match plan.vmm.name {
        VmmKind::Qemu => qemu::explained(plan),
        VmmKind::Kvmtool => kvmtool::explained(plan),
        VmmKind::Crosvm => crosvm::explained(plan),
        VmmKind::CloudHypervisor => cloud_hypervisor::explained(plan),
        VmmKind::Firecracker => Vec::new(),
        VmmKind::Openvmm => openvmm::explained(plan),
        VmmKind::Xen if plan.guest.arch == Arch::X86_64 => xen::explained(plan),
        VmmKind::Xen => xen_dom0less::explained(plan),
        VmmKind::Custom => custom::explained(plan),
    }
}
