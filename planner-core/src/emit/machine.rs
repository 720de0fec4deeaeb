//! QEMU's machine: its type and options as the user gave them, with the knobs of the plan turned.

use std::collections::BTreeSet;

use super::parts::{needs, needs_firmware, one_line};
use super::{Unsupported, expander};
use crate::addr::Gpa;
use crate::facts::Arch;
use crate::plan::Plan;
use crate::size::Size;
use crate::version::Version;
use crate::vmm::{Knob, RegionKind};

/// hw/arm/virt.c, virt_set_highmem_mmio_size: in QEMU 10.0, not in 9.2.
const HIGHMEM_MMIO_SIZE_SINCE: Version = Version::new(10, 0);

/// The machine's option for the size of its 64-bit PCI window.
pub(super) const HIGH_MMIO_SIZE: &str = "highmem-mmio-size";

/// The machine of a QEMU plan: its type and its options, in the order that the user gave them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Machine {
    /// Type: `virt`, `q35`, `pc`, also with a version.
    pub(super) kind: String,
    /// Options.
    pub(super) options: Vec<(String, String)>,
}

impl Machine {
    /// The machine of the plan, and for each knob that is an option of the machine the reason that it is turned.
    ///
    /// # Errors
    /// [`Unsupported`] for a knob that QEMU, or its version, does not have.
    pub(super) fn planned(plan: &Plan) -> Result<(Self, Vec<String>), Unsupported> {
        let mut machine = Self::of(plan)?;
        let mut reasons = Vec::new();
        for knob in &plan.knobs {
            reasons.extend(machine.turn(plan, knob)?);
        }
        machine.settle();
        if needs_firmware(plan) && machine.is_off("acpi") {
            return Err(Unsupported::new(
                "the guest would find its memory modules or its SMMU only in ACPI tables, and the machine has acpi=off",
                "plan again without acpi=off",
            ));
        }
        Ok((machine, reasons))
    }

    /// Turns a knob; the reason, or `None` for a knob that is no option of the machine.
    fn turn(&mut self, plan: &Plan, knob: &Knob) -> Result<Option<String>, Unsupported> {
        Ok(match knob {
            Knob::HighMmioSize { size } => {
                needs(plan, HIGHMEM_MMIO_SIZE_SINCE, "highmem-mmio-size=")?;
                self.push(HIGH_MMIO_SIZE, &with_unit(*size));
                Some(window_reason(plan, *size))
            }
            Knob::MaxRamBelow4g { limit } => {
                self.push("max-ram-below-4g", &with_unit(*limit));
                Some(format!("boot memory below 4 GiB ends at {limit}, the rest lies above 4 GiB"))
            }
            Knob::Machine { name, value } => {
                one_line("machine option", name)?;
                one_line("machine option", value)?;
                self.push(name, value);
                Some(format!("the layout was planned with {name}={value}"))
            }
            Knob::PciHole64Size { .. } => None,
            Knob::LowMmioSize { .. }
            | Knob::LowMmioWindow { .. }
            | Knob::MmioHole { .. }
            | Knob::MaxPhysBits { .. }
            | Knob::PciSegments { .. }
            | Knob::Window { .. }
            | Knob::PeerDmaOff => {
                let because = format!("QEMU has no option for {knob:?}, which the plan sets");
                return Err(Unsupported::new(because, "plan again with --vmm qemu"));
            }
            Knob::RamBase { .. } => {
                return Err(Unsupported::new(
                    "QEMU cannot move the base of memory",
                    "plan again with --vmm qemu, which places memory in modules instead",
                ));
            }
        })
    }

    /// The options that the user gave, with the type in full that the plan names.
    fn of(plan: &Plan) -> Result<Self, Unsupported> {
        let mut machine = Self { kind: default_machine(plan.guest.arch).to_owned(), options: Vec::new() };
        machine.read(&plan.guest.machine)?;
        machine.read(&plan.vmm.machine)?;
        Ok(machine)
    }

    /// Takes `q35,max-ram-below-4g=1G` apart as QEMU does (util/keyval.c, keyval_parse_one: `,,` is a comma within a
    /// value, and every option but the first, the type, needs a value).
    fn read(&mut self, text: &str) -> Result<(), Unsupported> {
        one_line("machine", text)?;
        for (index, word) in split_options(text).into_iter().enumerate() {
            match word.split_once('=') {
                None if word.is_empty() => {}
                None if index == 0 => self.kind = word,
                Some(("type", kind)) => kind.clone_into(&mut self.kind),
                Some((name, value)) => self.push(name, value),
                None => {
                    let because = format!("QEMU wants a value for the machine option {word}");
                    return Err(Unsupported::new(
                        because,
                        format!("plan again with {word}=on or without it"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether the option is switched off, in any of QEMU's words for it (util/cutils.c, qapi_bool_parse).
    pub(super) fn is_off(&self, name: &str) -> bool {
        matches!(self.get(name), Some("off" | "no" | "false" | "n"))
    }

    /// Whether the guest needs ACPI tables, and on Arm with them UEFI firmware.
    pub(super) fn wants_firmware(&self, plan: &Plan) -> bool {
        needs_firmware(plan) || plan.guest.arch == Arch::Aarch64 && expander::any(plan, self)
    }

    /// The accelerator, unless the machine's own options choose it: KVM runs the host's instruction set only.
    pub(super) fn accelerator(&self, plan: &Plan) -> Option<&'static str> {
        match self.get("accel") {
            Some(_) => None,
            None if plan.guest.arch == plan.host.arch => Some("kvm"),
            None => Some("tcg"),
        }
    }

    fn push(&mut self, name: &str, value: &str) {
        self.options.push((name.to_owned(), value.to_owned()));
    }

    /// Leaves of each option its last setting, which is the one that QEMU takes.
    fn settle(&mut self) {
        let mut seen = BTreeSet::new();
        self.options.reverse();
        self.options.retain(|(name, _)| seen.insert(name.clone()));
        self.options.reverse();
    }

    /// Sets an option.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.options.retain(|(known, _)| known != name);
        self.push(name, value);
    }

    /// Takes an option out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.options.iter().position(|(known, _)| known == name)?;
        Some(self.options.remove(at).1)
    }

    /// The value of an option.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The type without its version: `virt` for `virt-11.1`, `pc` for `pc-i440fx-9.2`, `q35` for `pc-q35-9.2`.
    pub(super) fn family(&self) -> &str {
        let kind = self.kind.strip_prefix("pc-").unwrap_or(&self.kind);
        match kind.split('-').next().unwrap_or(kind) {
            "i440fx" => "pc",
            family => family,
        }
    }
}

/// Where the machine puts boot memory (hw/arm/virt.c, base_memmap; hw/riscv/virt.c, virt_memmap).
pub(super) fn ram_base(arch: Arch) -> Gpa {
    match arch {
        Arch::Aarch64 => Gpa::at(0x4000_0000),
        Arch::X86_64 => Gpa::at(0),
        Arch::Riscv64 => Gpa::at(0x8000_0000),
    }
}

fn default_machine(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 | Arch::Riscv64 => "virt",
        Arch::X86_64 => "q35",
    }
}

pub(super) fn split_options(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let separates = c == ',' && chars.next_if_eq(&',').is_none();
        match words.last_mut() {
            Some(word) if !separates => word.push(c),
            _ => words.push(String::new()),
        }
    }
    words
}

/// The size as QEMU's options take it: a number without unit would be MiB in `-m` (system/vl.c,
/// parse_memory_options) and bytes elsewhere, so bytes carry a `B`.
pub(super) fn with_unit(size: Size) -> String {
    let text = size.compact();
    if text.ends_with(|c: char| c.is_ascii_digit()) { text + "B" } else { text }
}

/// The host bridge of a PC, as QEMU calls it (hw/pci-host/q35.c, hw/pci-host/i440fx.c).
pub(super) struct HostBridge {
    /// QEMU's type.
    pub(super) qemu: &'static str,
    /// Size of its 64-bit window.
    pub(super) window: Size,
}

/// The host bridge of a PC, if the plan sets the size of its 64-bit window.
pub(super) fn pci_hole(plan: &Plan, machine: &Machine) -> Result<Option<HostBridge>, Unsupported> {
    let size = plan.knobs.iter().find_map(|knob| match knob {
        Knob::PciHole64Size { size } => Some(*size),
        _ => None,
    });
    let Some(window) = size else { return Ok(None) };
    match machine.family() {
        "q35" => Ok(Some(HostBridge { qemu: "q35-pcihost", window })),
        "pc" => Ok(Some(HostBridge { qemu: "i440FX-pcihost", window })),
        other => {
            let because = format!("the machine {other} has no pci-hole64-size");
            Err(Unsupported::new(because, "plan again with --machine q35"))
        }
    }
}

/// Why the 64-bit PCI window has this size.
pub(super) fn window_reason(plan: &Plan, size: Size) -> String {
    let region = plan.regions.iter().find(|region| region.kind == RegionKind::Mmio64);
    let at = region.map_or_else(String::new, |region| format!(", at {}", region.span));
    format!("the 64-bit PCI window is {size} large{at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_comma_separates_nothing() {
        for (text, words) in [
            ("", &[""] as &[&str]),
            ("virt", &["virt"]),
            ("virt,a=b,,c,d=", &["virt", "a=b,c", "d="]),
            ("a,,,b", &["a,", "b"]),
            (",", &["", ""]),
        ] {
            assert_eq!(split_options(text), words, "{text}");
        }
    }

    #[test]
    fn bytes_carry_a_unit() {
        let text = |bytes| with_unit(Size::from_bytes(bytes));
        assert_eq!([text(3 << 30), text(1 << 40), text(513), text(0)], ["3G", "1T", "513B", "0B"]);
    }
}
