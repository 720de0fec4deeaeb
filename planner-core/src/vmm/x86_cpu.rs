//! CPU models of QEMU's x86 machines, as far as the memory map depends on them: the vendor and the physical address bits.
//!
//! Models that know no long mode are left out; their machines have no 64-bit PCI window.

use super::qemu;
use super::{Request, UNKNOWN_HOST_BITS, VmmError, rules};
use crate::version::Version;

/// A CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cpu {
    /// Physical address bits of the guest.
    pub(super) phys_bits: u8,
    /// Whether CPUID says `AuthenticAMD`.
    ///
    /// Under KVM every model says what the host's CPU says (target/i386/host-cpu.c, `host_cpu_instance_init`); who
    /// knows the host adds `vendor=AuthenticAMD` to the model.
    pub(super) amd: bool,
}

/// target/i386/cpu.h, `TCG_PHYS_ADDR_BITS`: what a model has unless told otherwise, under KVM too.
const DEFAULT_BITS: u8 = 40;

/// Families of models whose vendor is AMD (target/i386/cpu.c, `builtin_x86_defs`). Hygon's Dhyana is not.
const AMD: &[&str] =
    &["EPYC", "Opteron_G1", "Opteron_G2", "Opteron_G3", "Opteron_G4", "Opteron_G5", "phenom", "qemu64"];
/// The others with long mode.
const OTHERS: &[&str] = &[
    "Broadwell",
    "Cascadelake-Server",
    "ClearwaterForest",
    "Conroe",
    "Cooperlake",
    "Denverton",
    "Dhyana",
    "DiamondRapids",
    "GraniteRapids",
    "Haswell",
    "Icelake-Client",
    "Icelake-Server",
    "IvyBridge",
    "KnightsMill",
    "Nehalem",
    "Penryn",
    "SandyBridge",
    "SapphireRapids",
    "SierraForest",
    "Skylake-Client",
    "Skylake-Server",
    "Snowridge",
    "Westmere",
    "YongFeng",
    "core2duo",
    "kvm64",
];
/// When models came, those that came since 2.12 (target/i386/cpu.c; the ChangeLog of each release).
const LATER: &[(&str, Version)] = &[
    ("Cascadelake-Server", Version::new(3, 1)),
    ("Cooperlake", Version::new(4, 2)),
    ("Denverton", Version::new(4, 2)),
    ("Dhyana", Version::new(3, 1)),
    ("EPYC-Genoa", Version::new(8, 1)),
    ("EPYC-Milan", Version::new(6, 0)),
    ("EPYC-Rome", Version::new(5, 0)),
    ("GraniteRapids", Version::new(8, 1)),
    ("Icelake-Server", Version::new(3, 0)),
    ("KnightsMill", Version::new(3, 0)),
    ("SapphireRapids", Version::new(8, 0)),
    ("Snowridge", Version::new(4, 1)),
];
/// TCG takes other address bits than its own ("target/i386: allow modifying TCG phys-addr-bits").
const TCG_BITS_SINCE: Version = Version::new(6, 0);
/// Without long mode.
const WITHOUT_LONG_MODE: &[&str] =
    &["486", "athlon", "base", "coreduo", "kvm32", "n270", "pentium", "pentium2", "pentium3", "qemu32"];

/// The CPU of this request, or QEMU's refusal.
pub(super) fn cpu(request: &Request) -> Result<Cpu, VmmError> {
    let kvm = qemu::is_kvm(request);
    let mut words = request.cpu.split(',');
    let model = match words.next().unwrap_or_default() {
        "" if kvm => "host",
        "" => "qemu64",
        model => model,
    };
    let amd = vendor(request, model, kvm)?;
    let mut features =
        Features { amd, phys_bits: None, of_host: kvm && matches!(model, "host" | "max"), limit: 0 };
    for word in words {
        features.read(request, word)?;
    }
    Ok(Cpu { phys_bits: features.bits(request, kvm), amd: features.amd })
}

struct Features {
    amd: bool,
    phys_bits: Option<u8>,
    of_host: bool,
    limit: u8,
}

impl Features {
    /// One `name=value`; features without effect on the map are passed over.
    fn read(&mut self, request: &Request, word: &str) -> Result<(), VmmError> {
        let Some((name, value)) = word.split_once('=') else { return Ok(()) };
        match name {
            "vendor" => self.amd = value == "AuthenticAMD",
            "phys-bits" => self.phys_bits = phys_bits(request, value)?,
            "host-phys-bits" => self.of_host = qemu::switch(request, name, value)?,
            "host-phys-bits-limit" => self.limit = number(request, name, value)?,
            _ => {}
        }
        Ok(())
    }

    /// target/i386/cpu.c `x86_cpu_realizefn`, target/i386/host-cpu.c `host_cpu_adjust_phys_bits`: the bits of the host
    /// count under KVM only.
    fn bits(&self, request: &Request, kvm: bool) -> u8 {
        if self.of_host && kvm {
            let bits = request.ipa_bits.unwrap_or(UNKNOWN_HOST_BITS);
            return if self.limit == 0 { bits } else { bits.min(self.limit) };
        }
        self.phys_bits.unwrap_or(DEFAULT_BITS)
    }
}

fn vendor(request: &Request, model: &str, kvm: bool) -> Result<bool, VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_CPU, text));
    let in_family = |families: &[&str]| {
        let rest = families.iter().filter_map(|family| model.strip_prefix(family));
        rest.into_iter().any(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let is_later = |(name, since): &(&str, Version)| {
        model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            && *since > request.version
    };
    match model {
        _ if LATER.iter().any(is_later) => refuse(format!("unable to find CPU model '{model}'")),
        "host" if kvm => Ok(false),
        "host" if request.version < Version::new(6, 0) => refuse("CPU model 'host' requires KVM".into()),
        "host" => refuse("CPU model 'host' requires KVM or HVF".into()),
        // target/i386/tcg/tcg-cpu.c, tcg_cpu_max_instance_init.
        "max" => Ok(!kvm),
        _ if in_family(AMD) => Ok(true),
        _ if in_family(OTHERS) => Ok(false),
        _ if in_family(WITHOUT_LONG_MODE) => {
            refuse(format!("the planner has no model of machines with the 32-bit CPU '{model}'"))
        }
        _ => refuse(format!("unable to find CPU model '{model}'")),
    }
}

/// 0 is the default (target/i386/cpu.c, `x86_cpu_realizefn`).
fn phys_bits(request: &Request, value: &str) -> Result<Option<u8>, VmmError> {
    let bits = number(request, "phys-bits", value)?;
    let fixed = !qemu::is_kvm(request) && request.version < TCG_BITS_SINCE;
    if fixed && bits != 0 && bits != DEFAULT_BITS {
        let text = format!("TCG only supports phys-bits={DEFAULT_BITS}");
        return Err(qemu::refusal(request.arch, rules::QEMU_CPU, text));
    }
    match bits {
        0 => Ok(None),
        bits @ 32..=52 => Ok(Some(bits)),
        bits => {
            let text = format!("phys-bits should be between 32 and 52  (but is {bits})");
            Err(qemu::refusal(request.arch, rules::QEMU_CPU, text))
        }
    }
}

fn number(request: &Request, name: &str, value: &str) -> Result<u8, VmmError> {
    value.parse().map_err(|_| {
        let text = format!("Parameter '{name}' expects uint8_t");
        qemu::refusal(request.arch, rules::QEMU_CPU, text)
    })
}
