//! An emitted command line as a machine without KVM, VFIO, huge pages and much memory can start it.
//!
//! What is replaced moves nothing in the guest's address space: the accelerator, the CPU model (by one of QEMU's own with
//! as many address bits), the passed devices (by QEMU's `pci-testdev` in the same place), and what memory is made of.
//! What that leaves unproved is listed in `tests/README.md`.

use planner_core::facts::Arch;
use planner_core::plan::Plan;

use super::words::Properties;

/// The line with what this machine lacks replaced. `Err` says what has no replacement.
pub(super) fn startable(words: &[String], plan: &Plan) -> Result<Vec<String>, String> {
    let mut line = Vec::new();
    let mut words = words.iter();
    while let Some(flag) = words.next() {
        if !takes_value(flag) {
            line.push(flag.clone());
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{flag} stands without a value"))?;
        if let Some(value) = replaced(flag, value, plan)? {
            line.extend([flag.clone(), value]);
        }
    }
    back_memory(&mut line);
    Ok(line)
}

/// Whether the option has a value. Of the options that are emitted, one has none.
fn takes_value(flag: &str) -> bool {
    flag != "-nodefaults"
}

/// The value in place of this one; `None` leaves the option out.
pub(super) fn replaced(flag: &str, value: &str, plan: &Plan) -> Result<Option<String>, String> {
    let mut properties = Properties::read(value);
    Ok(match (flag, properties.head()) {
        ("-accel", _) => Some("tcg".to_owned()),
        ("-machine", _) => {
            properties.remove("accel");
            Some(properties.write())
        }
        ("-cpu", model) => Some(cpu(model, &properties, plan)?),
        ("-object", "iommufd") | ("-device", "arm-smmuv3") => None,
        ("-object", "memory-backend-ram" | "memory-backend-memfd") => Some(backend(&properties)),
        ("-device", "vfio-pci") => {
            properties.set_head("pci-testdev");
            properties.keep(&["bus"]);
            Some(properties.write())
        }
        // The monitor and the guest's console are not for a person here.
        ("-serial", _) => Some("null".to_owned()),
        _ => Some(value.to_owned()),
    })
}

/// A CPU that QEMU emulates, with as many address bits as the planned one and, on x86, of the same vendor: that is all of
/// a CPU that the memory map depends on (hw/arm/virt.c, virt_set_memmap; hw/i386/pc.c, pc_memory_init).
fn cpu(model: &str, properties: &Properties, plan: &Plan) -> Result<String, String> {
    if model != "host" {
        return Ok(properties.write());
    }
    match emulated(plan)? {
        model if plan.guest.arch == Arch::X86_64 => {
            let vendor = properties.get("vendor").unwrap_or("GenuineIntel");
            Ok(format!("{model},vendor={vendor}"))
        }
        model => Ok(model.to_owned()),
    }
}

/// The model that stands for the host's CPU.
pub(super) fn emulated(plan: &Plan) -> Result<&'static str, String> {
    let bits = plan.guest.ipa_bits.unwrap_or(48);
    match (plan.guest.arch, bits) {
        // target/arm/cpu64.c, ID_AA64MMFR0.PARANGE of the models.
        (Arch::Aarch64, 40) => Ok("cortex-a53"),
        (Arch::Aarch64, 44) => Ok("cortex-a57"),
        (Arch::Aarch64, 48) => Ok("neoverse-n1"),
        (Arch::Aarch64, 52) => Ok("max"),
        // target/i386/cpu.c, x86_cpu_realizefn: "TCG only supports phys-bits=40".
        (Arch::X86_64, 40) => Ok("qemu64"),
        (Arch::Riscv64, _) => Ok("rv64"),
        (arch, bits) => Err(format!("QEMU emulates no {arch} CPU with {bits} address bits")),
    }
}

/// The same memory without huge pages, host nodes or a promise that there is so much of it.
fn backend(properties: &Properties) -> String {
    let mut properties = properties.clone();
    properties.set_head("memory-backend-ram");
    properties.keep(&["id", "size"]);
    properties.push("reserve", "off");
    properties.write()
}

/// Gives boot memory that has no backend of its own one that reserves nothing, so that guests larger than this machine
/// start. QEMU would make the same memory itself (hw/core/machine.c, create_default_memdev).
fn back_memory(words: &mut Vec<String>) {
    let named = words.iter().any(|word| word.contains("memdev=") || word.contains("memory-backend="));
    let size = value_of(words, "-m").map(|value| {
        let properties = Properties::read(value);
        properties.get("size").unwrap_or(properties.head()).to_owned()
    });
    let (false, Some(size)) = (named, size) else { return };
    words.extend(["-object".to_owned(), format!("memory-backend-ram,id=boot,size={size},reserve=off")]);
    let machine = words.iter().position(|word| word == "-machine").and_then(|at| words.get_mut(at + 1));
    if let Some(machine) = machine {
        machine.push_str(",memory-backend=boot");
    }
}

fn value_of<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == flag)?;
    words.get(at + 1).map(String::as_str)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::case::{Case, HostSource, Planned, Wanted};
    use super::*;

    /// A plan for a CPU with so many address bits.
    pub(in super::super) fn plan(arch: &str, bits: u8) -> Plan {
        let (model, machine) = match arch {
            "aarch64" => ("smmuv3", "{ machine \"virt,gic-version=3\" }"),
            _ => ("intel-vtd", "{ machine q35 }"),
        };
        let case = Case {
            name: String::new(),
            host: HostSource::Text(format!(
                "host h {{ arch {arch} kernel linux 6.12 ipa {bits} bits smmu s {{ model {model} }} \
                 root-complex r {{ smmu s device 01:00.0 {{ class 0200 }} }} }}"
            )),
            guest: format!("guest g {{ vmm qemu 7.2 {machine} memory 2G pass 0000:01:00.0 }}"),
            version: None,
            wanted: Wanted::Started,
        };
        match case.plan().unwrap() {
            Planned::Plan(plan) => *plan,
            Planned::Nothing(why) => panic!("{why}"),
        }
    }

    fn check(line: &str, plan: &Plan) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        startable(&words, plan).map_or_else(|why| why, |line| line.join(" "))
    }

    #[test]
    fn what_needs_kvm_or_vfio_is_replaced() {
        let plan = plan("aarch64", 44);
        for (line, expected) in [
            ("-accel kvm", "-accel tcg"),
            ("-machine virt,accel=kvm,gic-version=3", "-machine virt,gic-version=3"),
            ("-cpu host", "-cpu cortex-a57"),
            ("-cpu cortex-a72", "-cpu cortex-a72"),
            ("-nodefaults -serial mon:stdio", "-nodefaults -serial null"),
            ("-object iommufd,id=iommufd0", ""),
            ("-device arm-smmuv3,primary-bus=pcie.1,id=smmu1,accel=on", ""),
            ("-device vfio-pci,host=0000:01:00.0,bus=rp0,iommufd=iommufd0", "-device pci-testdev,bus=rp0"),
            (
                "-object memory-backend-memfd,id=ram0,size=8G,hugetlb=on,hugetlbsize=1G,prealloc=on,host-nodes=0,policy=bind",
                "-object memory-backend-ram,id=ram0,size=8G,reserve=off",
            ),
            ("-device pc-dimm,memdev=ram1,addr=0x100000000", "-device pc-dimm,memdev=ram1,addr=0x100000000"),
            (
                "-machine virt -m 64G",
                "-machine virt,memory-backend=boot -m 64G -object memory-backend-ram,id=boot,size=64G,reserve=off",
            ),
            ("-machine virt -m 64G -numa node,memdev=ram0", "-machine virt -m 64G -numa node,memdev=ram0"),
        ] {
            assert_eq!(check(line, &plan), expected, "{line}");
        }
    }

    #[test]
    fn a_host_cpu_becomes_one_with_as_many_address_bits() {
        for (arch, bits, expected) in [
            ("aarch64", 40, "-cpu cortex-a53"),
            ("aarch64", 48, "-cpu neoverse-n1"),
            ("aarch64", 39, "QEMU emulates no aarch64 CPU with 39 address bits"),
            ("x86_64", 40, "-cpu qemu64,vendor=GenuineIntel"),
            ("x86_64", 46, "QEMU emulates no x86_64 CPU with 46 address bits"),
        ] {
            assert_eq!(check("-cpu host", &plan(arch, bits)), expected, "{arch} {bits}");
        }
        assert_eq!(
            check("-cpu host,vendor=AuthenticAMD", &plan("x86_64", 40)),
            "-cpu qemu64,vendor=AuthenticAMD"
        );
    }
}
