//! Properties of QEMU's boards that leave the memory map alone, with the values that they take: what is on this list is
//! read and checked, what is not is refused as QEMU refuses it.
//!
//! Names and types come from hw/core/machine.c `machine_class_init`, hw/arm/virt.c `virt_machine_class_init`,
//! hw/i386/x86.c `x86_machine_class_init`, hw/i386/pc.c `pc_machine_class_init`, hw/riscv/virt.c
//! `virt_machine_class_init`, and from `-machine TYPE,help` of 7.2, 10.0 and 11.1.

use super::qemu;
use super::{Request, VmmError, rules};
use crate::size::strto;
use crate::version::Version;

/// A board.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Board {
    /// arm `virt`.
    ArmVirt,
    /// riscv `virt`.
    RiscvVirt,
    /// x86 `q35`.
    Q35,
    /// x86 `pc`.
    I440fx,
}

/// The boards that have a property.
#[derive(Clone, Copy)]
enum Of {
    All,
    Arm,
    Riscv,
    X86,
    Q35,
    I440fx,
    /// arm and x86, which have memory modules.
    Modules,
    /// arm and riscv.
    Virt,
}

impl Of {
    const fn has(self, board: Board) -> bool {
        match self {
            Self::All => true,
            Self::Arm => matches!(board, Board::ArmVirt),
            Self::Riscv => matches!(board, Board::RiscvVirt),
            Self::X86 => matches!(board, Board::Q35 | Board::I440fx),
            Self::Q35 => matches!(board, Board::Q35),
            Self::I440fx => matches!(board, Board::I440fx),
            Self::Modules => !matches!(board, Board::RiscvVirt),
            Self::Virt => matches!(board, Board::ArmVirt | Board::RiscvVirt),
        }
    }
}

/// What a property takes.
#[derive(Clone, Copy)]
enum Kind {
    /// Any text, or something that is not checked here.
    Text,
    /// A switch.
    Switch,
    /// on, off or auto.
    OnOffAuto,
    /// An integer.
    Integer,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text of so many bytes; longer ones are called by the second name.
    Short(usize, &'static str),
    /// Size of the firmware.
    Firmware,
    /// cpu or mem-ctrl.
    Persistence,
    /// A group of further properties, written `name.part=value`.
    Group(&'static str),
}

const EVER: Version = Version::new(0, 0);

/// Where the versions are 0, no release that the planner knows lacks the property.
const PROPERTIES: &[(&str, Of, Version, Kind)] = &[
    ("accel", Of::All, EVER, Kind::Text),
    ("acpi", Of::X86, EVER, Kind::OnOffAuto),
    ("acpi", Of::Riscv, Version::new(8, 0), Kind::OnOffAuto),
    ("append", Of::All, EVER, Kind::Text),
    ("aux-ram-share", Of::All, Version::new(10, 0), Kind::Switch),
    ("boot", Of::All, Version::new(7, 1), Kind::Group("object")),
    ("bus-lock-ratelimit", Of::X86, Version::new(6, 1), Kind::Integer),
    ("confidential-guest-support", Of::All, Version::new(6, 0), Kind::Text),
    ("cxl", Of::X86, Version::new(7, 1), Kind::Switch),
    ("cxl", Of::Arm, Version::new(10, 2), Kind::Switch),
    ("cxl-fmw", Of::X86, Version::new(7, 1), Kind::Group("array")),
    ("cxl-fmw", Of::Arm, Version::new(10, 2), Kind::Group("array")),
    ("default-bus-bypass-iommu", Of::Modules, Version::new(6, 1), Kind::Switch),
    ("dt-compatible", Of::All, EVER, Kind::Text),
    ("dtb", Of::All, EVER, Kind::Text),
    ("dtb-kaslr-seed", Of::Arm, Version::new(7, 0), Kind::Switch),
    ("dtb-randomness", Of::Arm, Version::new(7, 1), Kind::Switch),
    ("dump-guest-core", Of::All, EVER, Kind::Switch),
    ("dumpdtb", Of::All, EVER, Kind::Text),
    ("fd-bootchk", Of::X86, Version::new(9, 0), Kind::Switch),
    ("firmware", Of::All, EVER, Kind::Text),
    ("graphics", Of::All, EVER, Kind::Switch),
    ("hmat", Of::All, Version::new(5, 0), Kind::Switch),
    ("hpet", Of::X86, Version::new(5, 2), Kind::Switch),
    ("i8042", Of::X86, Version::new(7, 0), Kind::Switch),
    ("igd-passthru", Of::All, EVER, Kind::Text),
    ("igvm-cfg", Of::X86, Version::new(10, 1), Kind::Text),
    ("initrd", Of::All, EVER, Kind::Text),
    ("kernel", Of::All, EVER, Kind::Text),
    ("kernel-irqchip", Of::All, EVER, Kind::Text),
    ("kvm-shadow-mem", Of::All, EVER, Kind::Text),
    ("max-fw-size", Of::X86, Version::new(6, 0), Kind::Firmware),
    ("mem-merge", Of::All, EVER, Kind::Switch),
    ("memory", Of::All, Version::new(7, 1), Kind::Group("object")),
    ("memory-backend", Of::All, Version::new(5, 0), Kind::Text),
    ("memory-encryption", Of::All, EVER, Kind::Text),
    ("nvdimm", Of::X86, EVER, Kind::Switch),
    ("nvdimm", Of::Arm, Version::new(5, 1), Kind::Switch),
    ("nvdimm-persistence", Of::X86, Version::new(3, 1), Kind::Persistence),
    ("nvdimm-persistence", Of::Arm, Version::new(5, 1), Kind::Persistence),
    ("pflash0", Of::X86, Version::new(4, 0), Kind::Text),
    ("pflash0", Of::Virt, EVER, Kind::Text),
    ("pflash1", Of::X86, Version::new(4, 0), Kind::Text),
    ("pflash1", Of::Virt, EVER, Kind::Text),
    ("phandle-start", Of::All, EVER, Kind::Integer),
    ("pic", Of::X86, Version::new(6, 2), Kind::OnOffAuto),
    ("pit", Of::X86, EVER, Kind::OnOffAuto),
    ("ras", Of::Arm, Version::new(5, 1), Kind::Switch),
    ("sata", Of::X86, EVER, Kind::Switch),
    ("sgx-epc", Of::X86, Version::new(6, 2), Kind::Group("array")),
    ("shim", Of::All, Version::new(10, 0), Kind::Text),
    ("smbios-entry-point-type", Of::X86, Version::new(8, 1), Kind::Word(&["32", "64", "auto"])),
    ("smbios-entry-point-type", Of::X86, Version::new(6, 2), Kind::Word(&["32", "64"])),
    ("smbus", Of::X86, EVER, Kind::Switch),
    ("smm", Of::X86, EVER, Kind::OnOffAuto),
    ("smp", Of::All, Version::new(6, 1), Kind::Group("object")),
    ("smp-cache", Of::All, Version::new(9, 2), Kind::Group("array")),
    ("spcr", Of::All, Version::new(10, 1), Kind::Switch),
    ("suppress-vmdesc", Of::All, EVER, Kind::Switch),
    ("usb", Of::All, EVER, Kind::Switch),
    ("vmport", Of::X86, EVER, Kind::OnOffAuto),
    ("wdat", Of::Q35, Version::new(11, 1), Kind::Switch),
    ("x-change-vmfd-on-reset", Of::All, Version::new(11, 0), Kind::Switch),
    ("x-oem-id", Of::Arm, Version::new(6, 0), Kind::Short(6, "oem-id")),
    ("x-oem-id", Of::X86, Version::new(6, 0), Kind::Short(6, "x-oem-id")),
    ("x-oem-table-id", Of::Arm, Version::new(6, 0), Kind::Short(8, "oem-table-id")),
    ("x-oem-table-id", Of::X86, Version::new(6, 0), Kind::Short(8, "x-oem-table-id")),
    ("x-south-bridge", Of::I440fx, Version::new(9, 0), Kind::Word(&["PIIX3", "piix4-isa"])),
];

/// Checks a property that has no effect on the memory map. `class` is the machine type in full.
pub(super) fn check(
    request: &Request,
    board: Board,
    class: &str,
    name: &str,
    value: &str,
) -> Result<(), VmmError> {
    // The reader of a configuration says it to every version; QEMU's own came with `smp`.
    if name == "smp.cpus" {
        return Ok(());
    }
    let refuse = |text: String| qemu::refusal(request.arch, rules::QEMU_MACHINE, text);
    let (group, part) = name.split_once('.').map_or((name, None), |(group, part)| (group, Some(part)));
    let known = PROPERTIES.iter().find(|(known, of, since, kind)| {
        let is_group = matches!(kind, Kind::Group(_));
        *known == group && (part.is_none() || is_group) && of.has(board) && *since <= request.version
    });
    match known {
        Some((.., Kind::Group(_))) if part.is_some() => Ok(()),
        Some(&(.., kind)) => check_value(request, kind, name, value).map_err(refuse),
        None => Err(refuse(qemu::no_property(request.version, &format!("{class}-machine"), name))),
    }
}

fn check_value(request: &Request, kind: Kind, name: &str, value: &str) -> Result<(), String> {
    let not_taken = || match request.version < Version::new(6, 0) {
        true => format!("Invalid parameter '{value}'"),
        false => format!("Parameter '{name}' does not accept value '{value}'"),
    };
    let ok = match kind {
        Kind::Text => return Ok(()),
        Kind::Switch => return qemu::is_switch(name, value).map(|_| ()),
        Kind::OnOffAuto => ["on", "off", "auto"].contains(&value),
        Kind::Word(words) => words.contains(&value),
        Kind::Integer => {
            return strto::int64(value)
                .map(|_| ())
                .map_err(|_| format!("Parameter '{name}' expects integer"));
        }
        Kind::Short(bytes, called) if value.len() > bytes => {
            return Err(format!("User specified {called} value is bigger than {bytes} bytes in size"));
        }
        Kind::Short(..) => true,
        Kind::Firmware => return check_firmware(request, name, value),
        Kind::Persistence if !matches!(value, "cpu" | "mem-ctrl") => {
            return Err(format!("-machine nvdimm-persistence={value}: unsupported option"));
        }
        Kind::Persistence => true,
        Kind::Group(expected) => {
            return Err(format!("Invalid parameter type for '{name}', expected: {expected}"));
        }
    };
    if ok { Ok(()) } else { Err(not_taken()) }
}

/// hw/i386/pc.c, `pc_machine_set_max_fw_size`; the slip of the pen was mended in 8.0.
fn check_firmware(request: &Request, name: &str, value: &str) -> Result<(), String> {
    let bytes = qemu::size(request.version, name, value)?.bytes();
    if bytes <= 16 << 20 {
        return Ok(());
    }
    let firmware = if request.version < Version::new(8, 0) { "firwmare" } else { "firmware" };
    Err(format!(
        "User specified max allowed firmware size {bytes} is greater than 16MiB. If combined {firmware} size exceeds \
         16MiB the system may not boot, or experience intermittentstability issues."
    ))
}
