//! CPU models of QEMU's x86 machines, as far as the memory map depends on them: the vendor and the physical address bits.
//!
//! Left out: which features a model has.

use super::qemu;
use super::{Request, UNKNOWN_HOST_BITS, VmmError, rules};
use crate::size::strto;
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
    /// Whether it knows long mode; without it nothing lies above the memory and the area for modules.
    pub(super) long: bool,
}

/// target/i386/cpu.h, `TCG_PHYS_ADDR_BITS`: what a model has unless told otherwise, under KVM too.
const DEFAULT_BITS: u8 = 40;

/// Models with their vendor, how wide they are, and the highest `-vN` of 7.2, 10.0 and 11.1; 0 where the model is missing
/// (target/i386/cpu.c, `builtin_x86_defs`). Hygon's Dhyana is not AMD.
const MODELS: &[(&str, Vendor, Width, [u32; 3])] = &[
    ("486", Vendor::Other, Width::Bits32, [1, 1, 1]),
    ("Broadwell", Vendor::Other, Width::Long, [4, 4, 4]),
    ("Cascadelake-Server", Vendor::Other, Width::Long, [5, 5, 7]),
    ("ClearwaterForest", Vendor::Other, Width::Long, [0, 1, 4]),
    ("Conroe", Vendor::Other, Width::Long, [1, 1, 1]),
    ("Cooperlake", Vendor::Other, Width::Long, [2, 2, 2]),
    ("Denverton", Vendor::Other, Width::Long, [3, 3, 3]),
    ("Dhyana", Vendor::Other, Width::Long, [2, 2, 2]),
    ("DiamondRapids", Vendor::Other, Width::Long, [0, 0, 2]),
    ("EPYC", Vendor::Amd, Width::Long, [3, 4, 5]),
    ("EPYC-Genoa", Vendor::Amd, Width::Long, [0, 1, 3]),
    ("EPYC-Milan", Vendor::Amd, Width::Long, [1, 2, 4]),
    ("EPYC-Rome", Vendor::Amd, Width::Long, [2, 4, 5]),
    ("EPYC-Turin", Vendor::Amd, Width::Long, [0, 0, 2]),
    ("GraniteRapids", Vendor::Other, Width::Long, [0, 2, 7]),
    ("Haswell", Vendor::Other, Width::Long, [4, 4, 4]),
    ("Icelake-Client", Vendor::Other, Width::Long, [0, 0, 0]),
    ("Icelake-Server", Vendor::Other, Width::Long, [6, 7, 9]),
    ("IvyBridge", Vendor::Other, Width::Long, [2, 2, 2]),
    ("KnightsMill", Vendor::Other, Width::Long, [1, 1, 1]),
    ("Nehalem", Vendor::Other, Width::Long, [2, 2, 2]),
    ("Opteron_G1", Vendor::Amd, Width::Long, [1, 1, 1]),
    ("Opteron_G2", Vendor::Amd, Width::Long, [1, 1, 1]),
    ("Opteron_G3", Vendor::Amd, Width::Long, [1, 1, 1]),
    ("Opteron_G4", Vendor::Amd, Width::Long, [1, 1, 1]),
    ("Opteron_G5", Vendor::Amd, Width::Long, [1, 1, 1]),
    ("Penryn", Vendor::Other, Width::Long, [1, 1, 1]),
    ("SandyBridge", Vendor::Other, Width::Long, [2, 2, 2]),
    ("SapphireRapids", Vendor::Other, Width::Long, [0, 3, 8]),
    ("SierraForest", Vendor::Other, Width::Long, [0, 2, 6]),
    ("Skylake-Client", Vendor::Other, Width::Long, [4, 4, 4]),
    ("Skylake-Server", Vendor::Other, Width::Long, [5, 5, 6]),
    ("Snowridge", Vendor::Other, Width::Long, [4, 4, 4]),
    ("Westmere", Vendor::Other, Width::Long, [2, 2, 2]),
    ("YongFeng", Vendor::Other, Width::Long, [0, 2, 3]),
    ("athlon", Vendor::Amd, Width::Bits36, [1, 1, 1]),
    ("core2duo", Vendor::Other, Width::Long, [1, 1, 1]),
    ("coreduo", Vendor::Other, Width::Pae, [1, 1, 1]),
    ("kvm32", Vendor::Other, Width::Bits36, [1, 1, 1]),
    ("kvm64", Vendor::Other, Width::Long, [1, 1, 1]),
    ("n270", Vendor::Other, Width::Pae, [1, 1, 1]),
    ("pentium", Vendor::Other, Width::Bits32, [1, 1, 1]),
    ("pentium2", Vendor::Other, Width::Bits36, [1, 1, 1]),
    ("pentium3", Vendor::Other, Width::Bits36, [1, 1, 1]),
    ("phenom", Vendor::Amd, Width::Long, [1, 1, 1]),
    ("qemu32", Vendor::Other, Width::Pae, [1, 1, 1]),
    ("qemu64", Vendor::Amd, Width::Long, [1, 1, 1]),
];

/// Names for some version of a model.
const ALIASES: &[(&str, &str)] = &[
    ("Broadwell-IBRS", "Broadwell"),
    ("Broadwell-noTSX", "Broadwell"),
    ("Broadwell-noTSX-IBRS", "Broadwell"),
    ("Cascadelake-Server-noTSX", "Cascadelake-Server"),
    ("EPYC-IBPB", "EPYC"),
    ("Haswell-IBRS", "Haswell"),
    ("Haswell-noTSX", "Haswell"),
    ("Haswell-noTSX-IBRS", "Haswell"),
    ("Icelake-Server-noTSX", "Icelake-Server"),
    ("IvyBridge-IBRS", "IvyBridge"),
    ("Nehalem-IBRS", "Nehalem"),
    ("SandyBridge-IBRS", "SandyBridge"),
    ("Skylake-Client-IBRS", "Skylake-Client"),
    ("Skylake-Client-noTSX-IBRS", "Skylake-Client"),
    ("Skylake-Server-IBRS", "Skylake-Server"),
    ("Skylake-Server-noTSX-IBRS", "Skylake-Server"),
    ("Westmere-IBRS", "Westmere"),
];

/// Models with x2APIC (target/i386/cpu.c, `CPUID_EXT_X2APIC`).
const WITH_X2APIC: &[&str] = &[
    "Broadwell",
    "Cascadelake-Server",
    "ClearwaterForest",
    "Cooperlake",
    "Denverton",
    "DiamondRapids",
    "GraniteRapids",
    "Haswell",
    "Icelake-Server",
    "IvyBridge",
    "KnightsMill",
    "SandyBridge",
    "SapphireRapids",
    "SierraForest",
    "Skylake-Client",
    "Skylake-Server",
    "Snowridge",
    "YongFeng",
    "max",
];
/// When families of models came, those that came since 2.12 (target/i386/cpu.c; the ChangeLog of each release).
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

/// "hw/i386/pc: improve physical address space bound check for 32-bit x86 systems".
const PAE_SINCE: Version = Version::new(8, 2);
/// The QEMU that lost the upper limit from this text.
const BITS_AT_LEAST_SINCE: Version = Version::new(11, 0);

/// Whether an emulated CPU has x2APIC, which CPUs need whose APIC ID does not fit 8 bits.
pub(super) fn has_x2apic(request: &Request) -> bool {
    let mut words = request.cpu.split(',');
    let name = words.next().unwrap_or_default();
    let model = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |&(_, model)| model);
    let family = model.rsplit_once("-v").map_or(model, |(family, _)| family);
    let mut said = words.filter_map(|word| match word {
        "+x2apic" | "x2apic" | "x2apic=on" => Some(true),
        "-x2apic" | "x2apic=off" => Some(false),
        _ => None,
    });
    said.next_back().unwrap_or(WITH_X2APIC.contains(&family))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Vendor {
    Amd,
    Other,
}

/// What a model can address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Width {
    /// Long mode.
    Long,
    /// None, but page tables with PSE36.
    Bits36,
    /// None, but page tables with PAE, which count since 8.2 ([`PAE_SINCE`]).
    Pae,
    /// Neither.
    Bits32,
}

/// The CPU of this request, or QEMU's refusal.
pub(super) fn cpu(request: &Request) -> Result<Cpu, VmmError> {
    let kvm = qemu::is_kvm(request);
    let mut words = request.cpu.split(',');
    let name = match words.next().unwrap_or_default() {
        "" if kvm => "host",
        "" => "qemu64",
        name => name,
    };
    let (amd, width) = model(request, name, kvm)?;
    let mut features = Features {
        name,
        amd,
        phys_bits: None,
        of_host: kvm && matches!(name, "host" | "max"),
        limit: 0,
        long: width == Width::Long,
        wide: match width {
            Width::Long | Width::Bits36 => true,
            Width::Pae => request.version >= PAE_SINCE,
            Width::Bits32 => false,
        },
    };
    for word in words {
        features.read(request, word)?;
    }
    let phys_bits = features.bits(request, kvm)?;
    Ok(Cpu { phys_bits, amd: features.amd, long: features.long })
}

struct Features<'r> {
    name: &'r str,
    amd: bool,
    phys_bits: Option<u8>,
    of_host: bool,
    limit: u8,
    long: bool,
    wide: bool,
}

impl Features<'_> {
    /// One `name=value`, `name`, `+name` or `-name`; features without effect on the map are passed over
    /// (target/i386/cpu.c, `x86_cpu_parse_featurestr`).
    fn read(&mut self, request: &Request, word: &str) -> Result<(), VmmError> {
        let (name, value) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(name), _) => (name, "on"),
            (None, Some(name)) => (name, "off"),
            (None, None) => word.split_once('=').unwrap_or((word, "on")),
        };
        let called = self.name;
        let refuse = |text: String| {
            let text = format!("can't apply global {called}-x86_64-cpu.{name}={value}: {text}");
            qemu::refusal(request.arch, rules::QEMU_CPU, text)
        };
        match name {
            "vendor" if value.len() != 12 => {
                let text = if request.version < Version::new(10, 0) {
                    format!("Property '.vendor' doesn't take value '{value}'")
                } else {
                    "value of property 'vendor' must consist of exactly 12 characters".to_owned()
                };
                return Err(refuse(text));
            }
            "vendor" => self.amd = value == "AuthenticAMD",
            "phys-bits" | "phys_bits" => self.phys_bits = Some(number("phys-bits", value).map_err(refuse)?),
            "host-phys-bits" => self.of_host = qemu::is_switch(name, value).map_err(refuse)?,
            "host-phys-bits-limit" => self.limit = number(name, value).map_err(refuse)?,
            "lm" => self.long = qemu::is_switch(name, value).map_err(refuse)?,
            _ => {}
        }
        Ok(())
    }

    /// target/i386/cpu.c `x86_cpu_realizefn`, target/i386/host-cpu.c `host_cpu_adjust_phys_bits`: the bits of the host
    /// count under KVM only.
    fn bits(&self, request: &Request, kvm: bool) -> Result<u8, VmmError> {
        let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_CPU, text));
        if self.of_host && kvm {
            let bits = request.ipa_bits.unwrap_or(UNKNOWN_HOST_BITS);
            return Ok(if self.limit == 0 { bits } else { bits.min(self.limit) });
        }
        match self.phys_bits.filter(|&bits| bits != 0) {
            Some(_) if !self.long => refuse("phys-bits is not user-configurable in 32 bit".into()),
            None if !self.long => Ok(if self.wide { 36 } else { 32 }),
            Some(bits) if !kvm && request.version < TCG_BITS_SINCE && bits != DEFAULT_BITS => {
                refuse(format!("TCG only supports phys-bits={DEFAULT_BITS}"))
            }
            Some(bits) if bits < 32 && request.version >= BITS_AT_LEAST_SINCE => {
                refuse(format!("phys-bits should be at least 32 (but is {bits})"))
            }
            Some(bits) if !(32..=52).contains(&bits) => {
                refuse(format!("phys-bits should be between 32 and 52  (but is {bits})"))
            }
            bits => Ok(bits.unwrap_or(DEFAULT_BITS)),
        }
    }
}

/// Whether a model says `AuthenticAMD`, and its width.
fn model(request: &Request, name: &str, kvm: bool) -> Result<(bool, Width), VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_CPU, text));
    let is_later = |(family, since): &(&str, Version)| {
        name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            && *since > request.version
    };
    match name {
        "host" if kvm => return Ok((false, Width::Long)),
        "host" if request.version < Version::new(6, 0) => {
            return refuse("CPU model 'host' requires KVM".into());
        }
        "host" => return refuse("CPU model 'host' requires KVM or HVF".into()),
        _ if LATER.iter().any(is_later) => return refuse(format!("unable to find CPU model '{name}'")),
        // target/i386/tcg/tcg-cpu.c, tcg_cpu_max_instance_init.
        "max" => return Ok((!kvm, Width::Long)),
        "base" => return Ok((false, Width::Bits32)),
        _ => {}
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|&(_, model)| model);
    let (family, number) = match name.rsplit_once("-v") {
        Some((family, number)) if alias.is_none() => (family, number.parse::<u32>().ok()),
        _ => (alias.unwrap_or(name), Some(1)),
    };
    let known = MODELS.iter().find(|(model, ..)| *model == family);
    let known = known.filter(|(.., most)| number.is_some_and(|number| has_version(request, *most, number)));
    match known {
        Some(&(_, vendor, width, _)) => Ok((vendor == Vendor::Amd, width)),
        None => refuse(format!("unable to find CPU model '{name}'")),
    }
}

/// Whether a release has version `number` of a model. Between the releases whose models are known, the newer one counts;
/// before 7.2 a model that any of them has is taken, but none that came later.
fn has_version(request: &Request, most: [u32; 3], number: u32) -> bool {
    let [oldest, middle, newest] = most;
    let came_later = oldest == 0 && newest > 0;
    let most = match request.version {
        version if version < Version::new(7, 2) => return number > 0 && !came_later,
        version if version < Version::new(8, 0) => oldest,
        version if version < Version::new(10, 1) => middle,
        _ => newest,
    };
    (1..=most).contains(&number)
}

/// An unsigned property of 8 or 32 bits (qapi/qapi-visit-core.c, `visit_type_uintN`).
fn number(name: &str, value: &str) -> Result<u8, String> {
    let value = strto::uint64(value).map_err(|_| format!("Parameter '{name}' expects uint64"))?;
    let expected = if name == "phys-bits" { "uint32_t" } else { "uint8_t" };
    // What does not fit is refused for its range anyway.
    u8::try_from(value).or_else(|_| {
        let fits = name == "phys-bits" && u32::try_from(value).is_ok();
        if fits { Ok(u8::MAX) } else { Err(format!("Parameter '{name}' expects {expected}")) }
    })
}
