//! CPU models of QEMU's arm `virt` machine: which it takes, their address bits, and the features that they have.

use super::qemu;
use super::{Request, UNKNOWN_HOST_BITS, VmmError, rules};
use crate::version::Version;

/// A CPU model.
struct Model {
    name: &'static str,
    /// `ID_AA64MMFR0_EL1.PARange`, or what the long descriptors of a 32-bit CPU reach.
    bits: u8,
    since: Version,
    features: Features,
}

/// Which optional features a model has (target/arm/cpu.c `arm_cpu_post_init`, target/arm/cpu64.c).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Features {
    /// A 32-bit CPU.
    A32,
    /// A 64-bit CPU.
    A64,
    /// With SVE.
    Sve,
    /// With SVE and pointer authentication.
    Pauth,
    /// Everything.
    Max,
}

const fn model(name: &'static str, bits: u8, since: Version, features: Features) -> Model {
    Model { name, bits, since, features }
}

/// Models of target/arm/tcg/cpu64.c and cpu32.c that the board takes (hw/arm/virt.c, `valid_cpus`, later
/// `valid_cpu_types`), with the version since which it does. A later row of the same model holds from its version on.
const MODELS: &[Model] = &[
    model("a64fx", 40, Version::new(6, 2), Features::Sve),
    model("cortex-a15", 40, Version::new(2, 0), Features::A32),
    model("cortex-a35", 40, Version::new(7, 1), Features::A64),
    model("cortex-a53", 40, Version::new(2, 0), Features::A64),
    model("cortex-a55", 40, Version::new(8, 0), Features::A64),
    model("cortex-a57", 44, Version::new(2, 0), Features::A64),
    model("cortex-a7", 40, Version::new(4, 1), Features::A32),
    model("cortex-a710", 40, Version::new(8, 2), Features::Pauth),
    model("cortex-a72", 44, Version::new(3, 1), Features::A64),
    model("cortex-a76", 40, Version::new(7, 0), Features::A64),
    model("max", 44, Version::new(2, 0), Features::Max),
    // "target/arm: Make '-cpu max' have a 48-bit PA", then FEAT_LPA.
    model("max", 48, Version::new(5, 2), Features::Max),
    model("max", 52, Version::new(7, 0), Features::Max),
    model("neoverse-n1", 48, Version::new(7, 0), Features::A64),
    model("neoverse-n2", 48, Version::new(8, 2), Features::Pauth),
    model("neoverse-v1", 48, Version::new(8, 1), Features::Pauth),
];

/// Models that QEMU has for other boards, with the first version that has them and the first that has not; 0 where none
/// that the planner knows lacks them (target/arm/cpu.c, `arm_cpus`; later target/arm/tcg/cpu32.c and cpu-v7m.c).
const OF_OTHER_BOARDS: &[(&str, Version, Version)] = &[
    ("arm1026", Version::new(0, 0), NEVER),
    ("arm1136", Version::new(0, 0), NEVER),
    ("arm1136-r2", Version::new(0, 0), NEVER),
    ("arm1176", Version::new(0, 0), NEVER),
    ("arm11mpcore", Version::new(0, 0), NEVER),
    ("arm926", Version::new(0, 0), NEVER),
    ("arm946", Version::new(0, 0), NEVER),
    // The board takes it later.
    ("cortex-a7", Version::new(3, 0), NEVER),
    ("cortex-a78ae", Version::new(11, 0), NEVER),
    ("cortex-a8", Version::new(0, 0), NEVER),
    ("cortex-a9", Version::new(0, 0), NEVER),
    ("cortex-m0", Version::new(0, 0), NEVER),
    ("cortex-m3", Version::new(0, 0), NEVER),
    ("cortex-m33", Version::new(0, 0), NEVER),
    ("cortex-m4", Version::new(0, 0), NEVER),
    ("cortex-m55", Version::new(0, 0), NEVER),
    ("cortex-m7", Version::new(0, 0), NEVER),
    ("cortex-r5", Version::new(0, 0), NEVER),
    ("cortex-r52", Version::new(8, 0), NEVER),
    ("cortex-r5f", Version::new(0, 0), NEVER),
    ("pxa250", Version::new(0, 0), PXA_GONE),
    ("pxa255", Version::new(0, 0), PXA_GONE),
    ("pxa260", Version::new(0, 0), PXA_GONE),
    ("pxa261", Version::new(0, 0), PXA_GONE),
    ("pxa262", Version::new(0, 0), PXA_GONE),
    ("pxa270", Version::new(0, 0), PXA_GONE),
    ("pxa270-a0", Version::new(0, 0), PXA_GONE),
    ("pxa270-a1", Version::new(0, 0), PXA_GONE),
    ("pxa270-b0", Version::new(0, 0), PXA_GONE),
    ("pxa270-b1", Version::new(0, 0), PXA_GONE),
    ("pxa270-c0", Version::new(0, 0), PXA_GONE),
    ("pxa270-c5", Version::new(0, 0), PXA_GONE),
    ("sa1100", Version::new(0, 0), NEVER),
    ("sa1110", Version::new(0, 0), NEVER),
    ("ti925t", Version::new(0, 0), NEVER),
];
const NEVER: Version = Version::new(u16::MAX, 0);
/// docs/about/removed-features.rst has no release for these; 10.0 has them and 11.1 has not.
const PXA_GONE: Version = Version::new(11, 0);

/// The board looks at the model before it lays memory out; earlier ones do so after they have looked at the GIC
/// (hw/arm/virt.c, `machvirt_init`).
const CHECKED_FIRST_SINCE: Version = Version::new(7, 0);
/// The board says which models it does not take in other words (hw/core/machine.c, `is_cpu_type_supported`).
const OTHER_WORDS_SINCE: Version = Version::new(9, 0);

/// The model without its features.
fn name(request: &Request) -> &str {
    match request.cpu.split(',').next().unwrap_or_default() {
        // virt_machine_class_init, default_cpu_type.
        "" => "cortex-a15",
        name => name,
    }
}

/// The model of this request in this version, if the board takes it.
fn taken(request: &Request) -> Option<&'static Model> {
    let name = name(request);
    MODELS.iter().rfind(|model| model.name == name && model.since <= request.version)
}

/// Whether an emulated CPU has no 64-bit instructions.
pub(super) fn is_32_bit(request: &Request) -> bool {
    !qemu::is_kvm(request) && taken(request).is_some_and(|model| model.features == Features::A32)
}

/// Address bits: KVM's, or those of the emulated CPU, or QEMU's refusal of it.
pub(super) fn bits(request: &Request) -> Result<u8, VmmError> {
    if qemu::is_kvm(request) {
        return Ok(request.ipa_bits.unwrap_or(UNKNOWN_HOST_BITS));
    }
    let refuse = |text: String| qemu::refusal(request.arch, rules::QEMU_CPU, text);
    let name = name(request);
    let Some(model) = taken(request) else {
        let later = is_of_other_board(request) && request.version < CHECKED_FIRST_SINCE;
        return if later { Ok(UNKNOWN_HOST_BITS) } else { Err(refuse(not_taken(request))) };
    };
    let mut bits = model.bits;
    for word in request.cpu.split(',').skip(1).filter(|word| !word.is_empty()) {
        let (feature, value) = match word.split_once('=') {
            Some(pair) => pair,
            // hw/core/cpu-common.c, cpu_common_parse_features.
            None => return Err(refuse(format!("Expected key=value format, found {word}."))),
        };
        check(request, model, feature, value)
            .map_err(|text| refuse(format!("can't apply global {name}-arm-cpu.{feature}={value}: {text}")))?;
        if feature == "aarch64" && value == "off" {
            bits = 40;
        }
    }
    Ok(bits)
}

/// Refuses models that QEMU has and the board does not take, where the board notices late.
pub(super) fn check_board(request: &Request) -> Result<(), VmmError> {
    if qemu::is_kvm(request) || taken(request).is_some() || !is_of_other_board(request) {
        return Ok(());
    }
    Err(qemu::refusal(request.arch, rules::QEMU_CPU, not_taken(request)))
}

/// Whether an emulated CPU has memory tags (target/arm/cpu.c `arm_cpu_post_init`: `tag-memory`).
pub(super) fn has_tags(request: &Request) -> bool {
    matches!(name(request), "max" | "cortex-a710" | "neoverse-n2")
}

fn is_of_other_board(request: &Request) -> bool {
    let name = name(request);
    OF_OTHER_BOARDS
        .iter()
        .any(|(other, since, gone)| *other == name && (*since..*gone).contains(&request.version))
}

/// hw/arm/virt.c, `cpu_type_valid`; hw/core/machine.c, `is_cpu_type_supported`.
fn not_taken(request: &Request) -> String {
    let name = name(request);
    match is_of_other_board(request) {
        false => format!("unable to find CPU model '{name}'"),
        true if request.version < OTHER_WORDS_SINCE => {
            format!("mach-virt: CPU type {name}-arm-cpu not supported")
        }
        true => format!("Invalid CPU model: {name}"),
    }
}

/// Properties that a user can set, with the version that brought them.
const OF_ALL: &[(&str, Version)] = &[
    ("backcompat-cntfrq", Version::new(9, 1)),
    ("backcompat-pauth-default-use-qarma5", Version::new(10, 0)),
    ("cfgend", Version::new(0, 0)),
    ("cntfrq", Version::new(0, 0)),
    ("core-count", Version::new(0, 0)),
    ("has_el2", Version::new(0, 0)),
    ("has_el3", Version::new(0, 0)),
    ("memory", Version::new(0, 0)),
    ("midr", Version::new(0, 0)),
    ("mp-affinity", Version::new(0, 0)),
    ("neon", Version::new(0, 0)),
    ("node-id", Version::new(0, 0)),
    ("pmu", Version::new(0, 0)),
    ("psci-conduit", Version::new(0, 0)),
    ("reset-cbar", Version::new(0, 0)),
    ("reset-hivecs", Version::new(0, 0)),
    ("start-powered-off", Version::new(0, 0)),
    ("vfp", Version::new(0, 0)),
];

/// Whether the model has the feature, and the feature takes the value.
fn check(request: &Request, model: &Model, feature: &str, value: &str) -> Result<(), String> {
    let known = OF_ALL.iter().any(|(name, since)| *name == feature && *since <= request.version);
    if !known && !has_feature(model.features, feature) {
        let class = format!("{}-arm-cpu", model.name);
        return Err(qemu::no_property(request.version, &class, feature));
    }
    let of_other_type =
        matches!(feature, "cntfrq" | "core-count" | "midr" | "mp-affinity" | "node-id" | "memory")
            || matches!(feature, "psci-conduit" | "reset-cbar" | "rvbar" | "sve-max-vq" | "x-l0gptsz");
    if of_other_type {
        return Ok(());
    }
    let on = qemu::is_switch(feature, value)?;
    // target/arm/cpu64.c, aarch64_cpu_set_aarch64: until 11.0 only KVM could do without.
    if feature == "aarch64" && !on && request.version < Version::new(11, 0) {
        return Err(
            "'aarch64' feature cannot be disabled unless KVM is enabled and 32-bit EL1 is supported".into()
        );
    }
    Ok(())
}

fn has_feature(features: Features, feature: &str) -> bool {
    let a64 = features != Features::A32;
    match feature {
        "aarch64" | "rvbar" => a64,
        "vfp-d32" => !a64,
        "pauth" | "pauth-impdef" | "pauth-qarma3" | "pauth-qarma5" => {
            matches!(features, Features::Pauth | Features::Max)
        }
        "lpa2" | "sme" | "sme_fa64" | "sve-max-vq" | "x-rme" | "x-l0gptsz" => features == Features::Max,
        "has_gcie" => a64,
        _ if feature.starts_with("sve") => {
            matches!(features, Features::Sve | Features::Pauth | Features::Max)
        }
        _ if feature.starts_with("sme") => features == Features::Max,
        _ => false,
    }
}
