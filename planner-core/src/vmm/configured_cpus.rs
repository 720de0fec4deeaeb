//! Numbers of CPUs of an existing configuration, as QEMU takes `-smp` (hw/core/machine-smp.c,
//! `machine_parse_smp_config`).

use super::arm_gic;
use super::cpus_before_6_2 as before_6_2;
use super::qemu;
use super::riscv_sockets;
use super::x86_cpu;
use super::{Request, VmmError, machine_name, rules};
use crate::facts::Arch;
use crate::facts::configured::ConfiguredFacts;
use crate::facts::guest::VmmKind;
use crate::version::Version;

/// Most CPUs that there can ever be: that is what boards make room for.
pub(super) fn most(facts: &ConfiguredFacts) -> u32 {
    let at_start = facts.guest.vcpus.unwrap_or(1).max(1);
    if facts.guest.vmm.as_ref().is_some_and(|vmm| vmm.kind != VmmKind::Qemu) {
        return at_start;
    }
    facts.smp.maxcpus.unwrap_or(at_start).max(at_start)
}

/// The topology with everything that was not said filled in.
struct Topology {
    sockets: u32,
    dies: u32,
    clusters: u32,
    modules: u32,
    cores: u32,
    threads: u32,
    cpus: u32,
    most: u32,
}

/// Refuses what QEMU refuses about the number of CPUs, before the board looks at it.
pub(super) fn check(facts: &ConfiguredFacts, request: &Request) -> Result<(), VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_SMP, text));
    if request.version < before_6_2::SINCE {
        return check_most(before_6_2::check(facts, request)?, request);
    }
    let smp = &facts.smp;
    let said =
        [smp.cpus, smp.maxcpus, smp.sockets, smp.dies, smp.clusters, smp.modules, smp.cores, smp.threads];
    let said = said.into_iter().chain([smp.books, smp.drawers]);
    if said.into_iter().any(|count| count == Some(0)) && request.version >= Version::new(9, 0) {
        return refuse("Invalid CPU topology: CPU topology parameters must be greater than zero".into());
    }
    let x86 = request.arch == Arch::X86_64;
    let with_modules = x86 && request.version >= Version::new(9, 1);
    let supported = [
        (smp.modules, "modules", with_modules),
        (smp.clusters, "clusters", request.arch == Arch::Aarch64),
        (smp.dies, "dies", x86),
        (smp.books, "books", false),
        (smp.drawers, "drawers", false),
    ];
    for (count, name, supported) in supported {
        if !supported && count.is_some_and(|count| count > 1) {
            // Until 9.0 the text is without "> 1".
            let more = if request.version >= Version::new(9, 1) { " > 1" } else { "" };
            return refuse(format!("{name}{more} not supported by this machine's CPU topology"));
        }
    }
    let topology = topology(facts, request);
    check_numbers(&topology, request)
}

/// Refuses emulated x86 CPUs whose APIC IDs need more than 8 bits (hw/i386/x86-common.c `x86_cpus_init`,
/// hw/intc/apic_common.c `apic_common_set_id`).
pub(super) fn check_apics(facts: &ConfiguredFacts, request: &Request) -> Result<(), VmmError> {
    if request.arch != Arch::X86_64 || qemu::is_kvm(request) {
        return Ok(());
    }
    let topology = topology(facts, request);
    let old = request.version < Version::new(9, 0);
    let cpus = if old { topology.most } else { topology.cpus }.min(MOST_CPUS);
    let beyond = (0..cpus).map(|cpu| apic_id(&topology, cpu)).find(|&id| id > 254);
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_SMP, text));
    match beyond {
        None => Ok(()),
        Some(_) if old => {
            refuse("current -smp configuration requires kernel irqchip and X2APIC API support.".into())
        }
        Some(_) if x86_cpu::has_x2apic(request) => Ok(()),
        Some(id) => refuse(format!("APIC ID {id} requires x2APIC feature in CPU")),
    }
}

/// More CPUs than any machine has.
const MOST_CPUS: u32 = 4096;

/// Each level of the topology has as many bits as its count needs (include/hw/i386/topology.h,
/// `x86_apicid_from_topo_ids`).
fn apic_id(topology: &Topology, cpu: u32) -> u64 {
    let counts = [topology.threads, topology.cores, topology.modules, topology.dies];
    let (mut rest, mut id, mut shift) = (cpu, 0_u64, 0_u32);
    for count in counts.map(|count| count.max(1)) {
        let part = rest.checked_rem(count).unwrap_or(0);
        rest = rest.checked_div(count).unwrap_or(0);
        id = id.saturating_add(u64::from(part).checked_shl(shift).unwrap_or(u64::MAX));
        let width = count.checked_next_power_of_two().map_or(u32::BITS, u32::trailing_zeros);
        shift = shift.saturating_add(width);
    }
    id.saturating_add(u64::from(rest).checked_shl(shift).unwrap_or(u64::MAX))
}

fn topology(facts: &ConfiguredFacts, request: &Request) -> Topology {
    let smp = &facts.smp;
    let one = |count: Option<u32>| count.unwrap_or(1).max(1);
    let number = |count: Option<u32>| count.unwrap_or(0);
    let (dies, clusters, modules) = (one(smp.dies), one(smp.clusters), one(smp.modules));
    let fixed = product(&[dies, clusters, modules]);
    let (mut sockets, mut cores, mut threads) = (number(smp.sockets), number(smp.cores), number(smp.threads));
    let (cpus, mut most) = (number(smp.cpus), number(smp.maxcpus));
    // Without -smp there is one CPU.
    let cpus = if *smp == Default::default() { 1 } else { cpus };
    if cpus == 0 && most == 0 {
        (sockets, cores, threads) = (sockets.max(1), cores.max(1), threads.max(1));
    } else {
        most = if most > 0 { most } else { cpus };
        let share = |others: &[u32]| most.checked_div(product(others)).unwrap_or(0);
        if prefers_sockets(request) {
            if sockets == 0 {
                (cores, threads) = (cores.max(1), threads.max(1));
                sockets = share(&[fixed, cores, threads]);
            } else if cores == 0 {
                threads = threads.max(1);
                cores = share(&[fixed, sockets, threads]);
            }
        } else if cores == 0 {
            (sockets, threads) = (sockets.max(1), threads.max(1));
            cores = share(&[fixed, sockets, threads]);
        } else if sockets == 0 {
            threads = threads.max(1);
            sockets = share(&[fixed, cores, threads]);
        }
        if threads == 0 {
            threads = share(&[fixed, sockets, cores]);
        }
    }
    let total = product(&[fixed, sockets, cores, threads]);
    let most = if most > 0 { most } else { total };
    let cpus = if cpus > 0 { cpus } else { most };
    Topology { sockets, dies, clusters, modules, cores, threads, cpus, most }
}

fn product(factors: &[u32]) -> u32 {
    // In C they are unsigned, too.
    factors.iter().copied().fold(1, u32::wrapping_mul)
}

/// Machine types before 6.2 prefer sockets to cores.
fn prefers_sockets(request: &Request) -> bool {
    machine_version(request).is_some_and(|version| version < Version::new(6, 2))
}

/// The version at the end of the machine type in full.
fn machine_version(request: &Request) -> Option<Version> {
    machine_name(request).ok()?.rsplit('-').next()?.parse().ok()
}

fn check_numbers(topology: &Topology, request: &Request) -> Result<(), VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_SMP, text));
    let &Topology { sockets, dies, clusters, modules, cores, threads, cpus, most } = topology;
    let shown = hierarchy(topology, request);
    if product(&[sockets, dies, clusters, modules, cores, threads]) != most {
        return refuse(format!(
            "Invalid CPU topology: product of the hierarchy must match maxcpus: {shown} != maxcpus ({most})"
        ));
    }
    if most < cpus {
        return refuse(format!(
            "Invalid CPU topology: maxcpus must be equal to or greater than smp: {shown} == maxcpus ({most}) < smp_cpus \
             ({cpus})"
        ));
    }
    check_most(most, request)
}

/// system/vl.c, later hw/core/machine-smp.c: `max_cpus` of the machine.
fn check_most(most: u32, request: &Request) -> Result<(), VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_SMP, text));
    let name = machine_name(request)?;
    let limit = limit(request, &name);
    if most > limit {
        // Printed with a sign.
        let most = most.cast_signed();
        return refuse(format!(
            "Invalid SMP CPUs {most}. The max CPUs supported by machine '{name}' is {limit}"
        ));
    }
    Ok(())
}

fn hierarchy(topology: &Topology, request: &Request) -> String {
    let Topology { sockets, dies, clusters, modules, cores, threads, .. } = topology;
    let middle = match request.arch {
        Arch::X86_64 if request.version >= Version::new(9, 1) => {
            format!(" * dies ({dies}) * modules ({modules})")
        }
        Arch::X86_64 => format!(" * dies ({dies})"),
        Arch::Aarch64 => format!(" * clusters ({clusters})"),
        Arch::Riscv64 => String::new(),
    };
    format!("sockets ({sockets}){middle} * cores ({cores}) * threads ({threads})")
}

/// Most CPUs of a machine (hw/i386/pc_q35.c, hw/i386/pc_piix.c, hw/arm/virt.c, hw/riscv/virt.c: `max_cpus`).
fn limit(request: &Request, name: &str) -> u32 {
    match request.arch {
        Arch::Aarch64 => machine_version(request).map_or(512, arm_gic::machine_cpus),
        Arch::Riscv64 => riscv_sockets::most_harts(request.version),
        Arch::X86_64 if name.starts_with("pc-i440fx") => 255,
        // pc_q35_8_0_machine_options and pc_q35_8_2_machine_options.
        Arch::X86_64 => match machine_version(request) {
            Some(version) if version <= Version::new(8, 0) => 288,
            Some(version) if version <= Version::new(8, 2) => 1024,
            _ => 4096,
        },
    }
}
