//! CPU models of QEMU's arm `virt` machine, as far as its memory map depends on them: the physical address bits.

use super::qemu;
use super::{Request, UNKNOWN_HOST_BITS, VmmError, rules};
use crate::version::Version;

/// `ID_AA64MMFR0_EL1.PARange` of the models that the board takes, with the version since which it does
/// (target/arm/cpu64.c, later target/arm/tcg/cpu64.c; hw/arm/virt.c, `valid_cpus`). A later row of the same model holds
/// from its version on.
const MODELS: &[(&str, u8, Version)] = &[
    ("a64fx", 40, Version::new(6, 2)),
    ("cortex-a15", 40, Version::new(2, 0)),
    ("cortex-a35", 40, Version::new(7, 1)),
    ("cortex-a53", 40, Version::new(2, 0)),
    ("cortex-a55", 40, Version::new(8, 0)),
    ("cortex-a57", 44, Version::new(2, 0)),
    ("cortex-a7", 40, Version::new(4, 1)),
    ("cortex-a710", 40, Version::new(8, 2)),
    ("cortex-a72", 44, Version::new(3, 1)),
    ("cortex-a76", 40, Version::new(7, 0)),
    ("max", 44, Version::new(2, 0)),
    // "target/arm: Make '-cpu max' have a 48-bit PA", then FEAT_LPA.
    ("max", 48, Version::new(5, 2)),
    ("max", 52, Version::new(7, 0)),
    ("neoverse-n1", 48, Version::new(7, 0)),
    ("neoverse-n2", 48, Version::new(8, 2)),
    ("neoverse-v1", 48, Version::new(8, 1)),
];

/// Models that every QEMU has had since 2.12 and that the board takes in no version (target/arm/cpu.c, `arm_cpus`).
const OF_OTHER_BOARDS: &[&str] = &[
    "arm1026",
    "arm1136",
    "arm1136-r2",
    "arm1176",
    "arm11mpcore",
    "arm926",
    "arm946",
    "cortex-a8",
    "cortex-a9",
    "cortex-m3",
    "cortex-m4",
    "cortex-r5",
    "sa1100",
    "sa1110",
    "ti925t",
];
/// The models that the board knows before it takes them (target/arm/cpu.c).
const EARLIER: &[(&str, Version)] = &[("cortex-a7", Version::new(3, 0)), ("cortex-a72", Version::new(3, 1))];
/// The board says which models it does not take since 9.0 in other words (hw/core/machine.c, `is_cpu_type_supported`).
const OTHER_WORDS_SINCE: Version = Version::new(9, 0);

/// The model without its features.
fn model(request: &Request) -> &str {
    match request.cpu.split(',').next().unwrap_or_default() {
        // virt_machine_class_init, default_cpu_type.
        "" => "cortex-a15",
        model => model,
    }
}

/// Whether an emulated CPU has no 64-bit instructions.
pub(super) fn is_32_bit(request: &Request) -> bool {
    matches!(model(request), "cortex-a7" | "cortex-a15") && !qemu::is_kvm(request)
}

/// Physical address bits: KVM's, or those of the emulated CPU. Refuses models that this QEMU does not have.
pub(super) fn bits(request: &Request) -> Result<u8, VmmError> {
    if qemu::is_kvm(request) {
        return Ok(request.ipa_bits.unwrap_or(UNKNOWN_HOST_BITS));
    }
    let model = model(request);
    let mut rows = MODELS.iter().filter(|(name, _, since)| *name == model && *since <= request.version);
    match rows.next_back() {
        Some(&(_, bits, _)) => Ok(bits),
        // The board refuses it later.
        None if is_of_other_board(request) => Ok(UNKNOWN_HOST_BITS),
        None => Err(qemu::refusal(
            request.arch,
            rules::QEMU_CPU,
            format_args!("unable to find CPU model '{model}'"),
        )),
    }
}

fn is_of_other_board(request: &Request) -> bool {
    let model = model(request);
    let taken = MODELS.iter().any(|(name, _, since)| *name == model && *since <= request.version);
    let known = EARLIER.iter().any(|(name, since)| *name == model && *since <= request.version);
    request.version < OTHER_WORDS_SINCE && !taken && (known || OF_OTHER_BOARDS.contains(&model))
}

/// Refuses models that QEMU has and the board does not take (hw/arm/virt.c, `cpu_type_valid`).
pub(super) fn check_board(request: &Request) -> Result<(), VmmError> {
    if qemu::is_kvm(request) || !is_of_other_board(request) {
        return Ok(());
    }
    let text = format!("mach-virt: CPU type {}-arm-cpu not supported", model(request));
    Err(qemu::refusal(request.arch, rules::QEMU_CPU, text))
}
