//! CPU models of QEMU's riscv `virt` machine: their names, and whether they are 32-bit.
//!
//! Left out: which features a model has; QEMU refuses those that it has not.

use super::qemu;
use super::{Request, VmmError, rules};
use crate::version::Version;

/// What the memory map depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cpu {
    /// 32-bit registers: 34 address bits.
    Rv32,
    /// 64-bit registers.
    Rv64,
}

/// target/riscv/cpu.c, `riscv_cpu_type_infos`, with the first version that has the model and the first that has not. A
/// 64-bit QEMU runs 32-bit models since 10.0.
const MODELS: &[(&str, Cpu, Version, Version)] = &[
    ("any", Cpu::Rv64, EVER, Version::new(9, 2)),
    ("lowrisc-ibex", Cpu::Rv32, V10, NEVER),
    ("max", Cpu::Rv64, Version::new(8, 2), NEVER),
    ("max32", Cpu::Rv32, V10, NEVER),
    ("mips-p8700", Cpu::Rv64, Version::new(10, 2), NEVER),
    ("rv32", Cpu::Rv32, V10, NEVER),
    ("rv32e", Cpu::Rv32, V10, NEVER),
    ("rv32i", Cpu::Rv32, V10, NEVER),
    ("rv64", Cpu::Rv64, EVER, NEVER),
    ("rv64e", Cpu::Rv64, Version::new(9, 0), NEVER),
    ("rv64i", Cpu::Rv64, Version::new(8, 2), NEVER),
    ("rva22s64", Cpu::Rv64, Version::new(9, 0), NEVER),
    ("rva22u64", Cpu::Rv64, Version::new(8, 2), NEVER),
    ("rva23s64", Cpu::Rv64, V10, NEVER),
    ("rva23u64", Cpu::Rv64, V10, NEVER),
    ("shakti-c", Cpu::Rv64, EVER, NEVER),
    ("sifive-e31", Cpu::Rv32, V10, NEVER),
    ("sifive-e34", Cpu::Rv32, V10, NEVER),
    ("sifive-e51", Cpu::Rv64, EVER, NEVER),
    ("sifive-u34", Cpu::Rv32, V10, NEVER),
    ("sifive-u54", Cpu::Rv64, EVER, NEVER),
    ("thead-c906", Cpu::Rv64, Version::new(8, 0), NEVER),
    ("thead-c908", Cpu::Rv64, Version::new(11, 0), NEVER),
    ("thead-c908v", Cpu::Rv64, Version::new(11, 0), NEVER),
    ("tt-ascalon", Cpu::Rv64, V10, NEVER),
    ("veyron-v1", Cpu::Rv64, Version::new(8, 1), NEVER),
    ("x-rv128", Cpu::Rv64, EVER, NEVER),
    ("xiangshan-kunminghu", Cpu::Rv64, Version::new(10, 1), NEVER),
    ("xiangshan-nanhu", Cpu::Rv64, V10, NEVER),
];
const EVER: Version = Version::new(0, 0);
const V10: Version = Version::new(10, 0);
const NEVER: Version = Version::new(u16::MAX, 0);

/// The CPU of this request, or QEMU's refusal.
pub(super) fn cpu(request: &Request) -> Result<Cpu, VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_CPU, text));
    let kvm = qemu::is_kvm(request);
    let mut words = request.cpu.split(',');
    let name = match words.next().unwrap_or_default() {
        "" => return Ok(Cpu::Rv64),
        "host" if kvm => return Ok(Cpu::Rv64),
        name => name,
    };
    let known = MODELS
        .iter()
        .find(|(model, _, since, gone)| *model == name && (*since..*gone).contains(&request.version));
    let Some(&(_, cpu, ..)) = known else { return refuse(format!("unable to find CPU model '{name}'")) };
    // hw/core/cpu-common.c, cpu_common_parse_features.
    if let Some(word) = words.find(|word| !word.is_empty() && !word.contains('=')) {
        return refuse(format!("Expected key=value format, found {word}."));
    }
    Ok(cpu)
}
