//! QEMU's options, as one list from which the shell command and the `-readconfig` file are both written.
//!
//! [`machine`] holds machine, processor and firmware, [`memory`] the memory, [`devices`] what is passed through and the
//! guest's IOMMU.

mod devices;
mod machine;
mod memory;
mod readconfig;

use super::parts::{made_for, one_line, refuse_modules_and_nodes};
use super::{OutputFile, Unsupported, shell};
use crate::addr::Address;
use crate::facts::Arch;
use crate::facts::guest::VmmKind;
use crate::plan::{Plan, VmmOption};

/// One option of QEMU's command line, such as `-m 3G,slots=1,maxmem=32G`.
#[derive(Clone, PartialEq, Debug)]
struct QemuOption {
    /// `-m`.
    flag: &'static str,
    /// What stands first, without its name, as QEMU takes it: `3G`.
    head: Option<String>,
    /// The rest, by name.
    properties: Vec<(String, String)>,
    /// Why the plan needs it, if not every guest has it.
    why: Option<String>,
}

impl QemuOption {
    fn new(flag: &'static str) -> Self {
        Self { flag, head: None, properties: Vec::new(), why: None }
    }
    fn head(mut self, head: impl Into<String>) -> Self {
        self.head = Some(head.into());
        self
    }
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.properties.push((name.to_owned(), value.into()));
        self
    }
    fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The value as QEMU parses it: a comma within a name or value is doubled (util/qemu-option.c, get_opt_value).
    fn value(&self) -> String {
        let rest = self.properties.iter().map(|(name, value)| format!("{}={}", double(name), double(value)));
        self.head.iter().cloned().chain(rest).collect::<Vec<_>>().join(",")
    }

    /// Flag and value as words of a command.
    fn words(&self) -> Vec<String> {
        let value = self.value();
        let mut words = vec![self.flag.to_owned()];
        if !value.is_empty() {
            words.push(value);
        }
        words
    }
}

/// The text as part of an option that separates by commas.
fn double(text: &str) -> String {
    text.replace(',', ",,")
}

/// `qemu.args`.
pub(super) fn command(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    let options = options(plan)?;
    let mut words = vec![vec![program(plan.guest.arch).to_owned()]];
    words.extend(options.iter().map(QemuOption::words));
    let text = shell::script(&comments(plan), &words);
    Ok(vec![OutputFile { file: "qemu.args".to_owned(), text }])
}

/// `qemu.cfg` and the `qemu.cfg.args` that uses it.
pub(super) fn readconfig(plan: &Plan) -> Result<Vec<OutputFile>, Unsupported> {
    let (config, rest) = readconfig::split(options(plan)?, plan.vmm.version);
    let mut words = vec![vec![program(plan.guest.arch).to_owned()]];
    words.push(vec!["-readconfig".to_owned(), "qemu.cfg".to_owned()]);
    words.extend(rest.iter().map(QemuOption::words));
    let mut comments = comments(plan);
    comments.push("Run it in the directory of qemu.cfg.".to_owned());
    let text = shell::script(&comments, &words);
    Ok(vec![
        OutputFile { file: "qemu.cfg".to_owned(), text: config },
        OutputFile { file: "qemu.cfg.args".to_owned(), text },
    ])
}

/// The options that the plan needs, with the reason.
pub(super) fn explained(plan: &Plan) -> Vec<VmmOption> {
    let options = options(plan).unwrap_or_default();
    let explain = |option: QemuOption| {
        let flag = option.words().join(" ");
        option.why.map(|why| VmmOption { flag, why })
    };
    options.into_iter().filter_map(explain).collect()
}

/// Every option, in an order in which QEMU takes them: a backend before its user, an IOMMU before the devices behind it.
fn options(plan: &Plan) -> Result<Vec<QemuOption>, Unsupported> {
    made_for(plan, VmmKind::Qemu)?;
    refuse_modules_and_nodes(plan)?;
    one_line("CPU model", &plan.guest.cpu)?;
    let memory = memory::Memory::of(plan)?;
    let mut options = machine::options(plan, &memory)?;
    options.extend(memory.options);
    options.extend(machine::firmware(plan));
    options.extend(machine::no_defaults());
    options.extend(devices::options(plan)?);
    Ok(options)
}

fn comments(plan: &Plan) -> Vec<String> {
    let version = plan.vmm.version;
    let mut comments =
        vec![format!("Made for QEMU {version}. Add what the guest boots from, its disks and its networks.")];
    comments.extend(machine::firmware_comment(plan));
    comments.extend(plan.hotplug.iter().map(|room| {
        let addr = room.first().get();
        format!("Memory plugged in later belongs to {room}: device_add pc-dimm,memdev=ID,addr={addr:#x}")
    }));
    comments
}

fn program(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 => "qemu-system-aarch64",
        Arch::X86_64 => "qemu-system-x86_64",
        Arch::Riscv64 => "qemu-system-riscv64",
    }
}
