//! Numbers of CPUs of an existing configuration, as QEMU before 6.2 takes `-smp` (hw/core/machine.c `smp_parse`,
//! hw/i386/pc.c `pc_smp_parse`): sockets are preferred to cores, and what is left out is computed in one fixed order.

use super::qemu;
use super::{Request, VmmError, rules};
use crate::facts::Arch;
use crate::facts::configured::{ConfiguredFacts, SmpFact};
use crate::version::Version;

/// Since then hw/core/machine-smp.c does it.
pub(super) const SINCE: Version = Version::new(6, 2);
/// A topology of fewer CPUs than `maxcpus=` is refused; before, a warning is all.
const EXACT_SINCE: Version = Version::new(5, 2);
/// Boards without dies refuse them; before, they leave them unread.
const REFUSES_DIES_SINCE: Version = Version::new(6, 1);
/// x86 has dies.
const DIES_SINCE: Version = Version::new(4, 1);

struct Topology {
    sockets: u32,
    dies: u32,
    cores: u32,
    threads: u32,
    cpus: u32,
}

/// Most CPUs that there can ever be, or the refusal of a topology that does not fit.
pub(super) fn check(facts: &ConfiguredFacts, request: &Request) -> Result<u32, VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_SMP, text));
    let smp = &facts.smp;
    if *smp == SmpFact::default() {
        return Ok(1);
    }
    let has_dies = request.arch == Arch::X86_64 && request.version >= DIES_SINCE;
    if !has_dies && request.version >= REFUSES_DIES_SINCE && smp.dies.is_some_and(|dies| dies > 1) {
        return refuse("dies not supported by this machine's CPU topology".into());
    }
    let topology = topology(smp, has_dies);
    let shown = hierarchy(&topology, has_dies);
    let (total, cpus) = (topology.total(), topology.cpus);
    if said_all(smp) && total < cpus {
        return refuse(format!("cpu topology: {shown} < smp_cpus ({cpus})"));
    }
    let most = smp.maxcpus.unwrap_or(cpus);
    if most < cpus {
        return refuse("maxcpus must be equal to or greater than smp".into());
    }
    if total > most && request.version < EXACT_SINCE {
        return refuse(format!("cpu topology: {shown} > maxcpus ({most})"));
    }
    if total != most && request.version >= EXACT_SINCE {
        let deprecated = if has_dies { " deprecated" } else { "" };
        return refuse(format!("Invalid CPU topology{deprecated}: {shown} != maxcpus ({most})"));
    }
    Ok(most)
}

/// Only what is said in full is compared with the CPUs at start.
fn said_all(smp: &SmpFact) -> bool {
    let said = |count: Option<u32>| count.is_some_and(|count| count > 0);
    [smp.cpus, smp.sockets, smp.cores, smp.threads].into_iter().all(said)
}

fn topology(smp: &SmpFact, has_dies: bool) -> Topology {
    let number = |count: Option<u32>| count.unwrap_or(0);
    let (mut sockets, mut cores, mut threads) = (number(smp.sockets), number(smp.cores), number(smp.threads));
    let dies = smp.dies.filter(|_| has_dies).unwrap_or(1);
    let mut cpus = number(smp.cpus);
    let share = |all: u32, others: [u32; 3]| all.checked_div(product(&others)).unwrap_or(0);
    if cpus == 0 || sockets == 0 {
        (cores, threads) = (cores.max(1), threads.max(1));
        if cpus == 0 {
            sockets = sockets.max(1);
            cpus = product(&[cores, threads, dies, sockets]);
        } else {
            sockets = share(smp.maxcpus.unwrap_or(cpus), [cores, threads, dies]);
        }
    } else if cores == 0 {
        threads = threads.max(1);
        cores = share(cpus, [sockets, dies, threads]).max(1);
    } else if threads == 0 {
        threads = share(cpus, [cores, dies, sockets]).max(1);
    }
    Topology { sockets, dies, cores, threads, cpus }
}

impl Topology {
    fn total(&self) -> u32 {
        product(&[self.sockets, self.dies, self.cores, self.threads])
    }
}

fn product(factors: &[u32]) -> u32 {
    factors.iter().copied().fold(1, u32::saturating_mul)
}

fn hierarchy(topology: &Topology, has_dies: bool) -> String {
    let Topology { sockets, dies, cores, threads, .. } = topology;
    let middle = if has_dies { format!(" * dies ({dies})") } else { String::new() };
    format!("sockets ({sockets}){middle} * cores ({cores}) * threads ({threads})")
}
