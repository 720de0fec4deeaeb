//! What QEMU's riscv `virt` machine has once for each socket: timers, software interrupts, external interrupts and MSIs
//! (hw/riscv/virt.c, `virt_machine_init`). A socket is a NUMA node.

use super::qemu::{self, Row};
use super::{MapRegion, RegionKind, Request, VmmError, rules};
use crate::facts::guest::NumaFact;
use crate::version::Version;

/// include/hw/riscv/virt.h, `VIRT_SOCKETS_MAX`; before 7.0 it was 8.
const MOST_SOCKETS: usize = 4;
/// hw/riscv/virt.c, `virt_memmap`: registers of one socket; the next socket's follow.
const CLINT: (u64, u64) = (0x200_0000, 0x1_0000);
const ACLINT_SSWI: (u64, u64) = (0x2f0_0000, 0x4000);
const PLIC: u64 = 0xc00_0000;
const APLIC_M: (u64, u64) = (0xc00_0000, 0x8000);
const APLIC_S: (u64, u64) = (0xd00_0000, 0x8000);
/// include/hw/intc/riscv_aclint.h, `RISCV_ACLINT_SWI_SIZE` and `RISCV_ACLINT_DEFAULT_MTIMER_SIZE`. Beside software
/// interrupts the device tree gives the timer the rest of the CLINT's registers.
const SWI_SIZE: u64 = 0x4000;
const MTIMER_SIZE: u64 = 0x8000;
/// hw/riscv/virt.c, `virt_memmap`; an IMSIC has its hart's interrupt file and one for each guest of a hypervisor in the
/// guest.
const IMSIC_M: u64 = 0x2400_0000;
const IMSIC_S: u64 = 0x2800_0000;
/// include/hw/intc/riscv_imsic.h, `IMSIC_MMIO_PAGE_SZ` and `IMSIC_MMIO_GROUP_MIN_SHIFT`.
const IMSIC_PAGE: u64 = 0x1000;
const IMSIC_GROUP: u64 = 1 << 24;

/// Interrupt controllers by `aia=`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Aia {
    /// A PLIC: wires only.
    None,
    /// APLICs: wires only.
    Aplic,
    /// APLICs, and an IMSIC for each hart, which takes MSIs.
    AplicImsic,
}

/// What the machine's options say about interrupts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Interrupts {
    pub(super) aia: Aia,
    pub(super) aclint: bool,
    /// `aia-guests=`, 0 to 7.
    pub(super) guests: u8,
}

/// Number of harts of each socket.
///
/// # Errors
/// What QEMU says of nodes that cannot be sockets.
pub(super) fn harts(request: &Request) -> Result<Vec<u32>, VmmError> {
    let refuse = |text: String| Err(qemu::refusal(request.arch, rules::QEMU_RISCV_SOCKETS, text));
    let most = most_harts(request.version);
    if request.vcpus > most {
        // hw/core/machine-smp.c, machine_parse_smp_config.
        let cpus = request.vcpus;
        return refuse(format!(
            "Invalid SMP CPUs {cpus}. The max CPUs supported by machine 'virt' is {most}"
        ));
    }
    // Harts that can be plugged in later have nothing yet (hw/riscv/numa.c, riscv_socket_last_hartid).
    let cpus = qemu::cpus_at_start(request);
    let nodes = &request.node_cpus;
    if nodes.is_empty() {
        return Ok(vec![cpus]);
    }
    let count = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    if count > cpus {
        // hw/riscv/numa.c, riscv_numa_get_default_cpu_node_id.
        return refuse(format!(
            "Number of NUMA nodes ({count}) cannot exceed the number of available CPUs ({cpus})."
        ));
    }
    if nodes.len() > MOST_SOCKETS {
        return refuse(format!("number of sockets/nodes should be less than {MOST_SOCKETS}"));
    }
    match nodes.iter().position(|&cpus| cpus == 0) {
        // hw/riscv/numa.c, riscv_socket_check_hartids: a socket without harts has no first one.
        Some(socket) => refuse(format!("discontinuous hartids in socket{socket}")),
        None => Ok(nodes.clone()),
    }
}

/// Most harts (include/hw/riscv/virt.h, `VIRT_CPUS_MAX`).
pub(super) fn most_harts(version: Version) -> u32 {
    match version {
        version if version < Version::new(6, 2) => 8,
        version if version < Version::new(7, 0) => 32,
        _ => 512,
    }
}

/// Room for two contexts of every hart that there can be (include/hw/riscv/virt.h, `VIRT_PLIC_SIZE`).
fn plic_size(version: Version) -> u64 {
    0x20_0000 + u64::from(most_harts(version)) * 2 * 0x1000
}

/// The regions of all sockets. KVM has the timers and the machine mode of its harts in itself.
pub(super) fn regions(request: &Request, interrupts: Interrupts, harts: &[u32]) -> Vec<MapRegion> {
    let kvm = qemu::is_kvm(request);
    let mut regions = Vec::new();
    for (socket, &harts) in (0..).zip(harts) {
        let mut rows = Vec::new();
        if !kvm {
            timers(interrupts, socket, &mut rows);
        }
        let plic = (PLIC, plic_size(request.version));
        controllers(interrupts, (plic, Emulated { machine_mode: !kvm }), socket, &mut rows);
        if interrupts.aia == Aia::AplicImsic {
            imsics(interrupts, Emulated { machine_mode: !kvm }, (socket, harts), &mut rows);
        }
        let suffix = if socket == 0 { String::new() } else { format!("{socket}") };
        regions.extend(
            qemu::regions(&rows).map(|row| MapRegion { name: format!("{}{suffix}", row.name), ..row }),
        );
    }
    regions
}

/// What QEMU makes of a hart.
#[derive(Clone, Copy)]
struct Emulated {
    machine_mode: bool,
}

/// The registers of this socket, behind those of the sockets before.
fn of_socket(name: &'static str, (base, size): (u64, u64), socket: u64) -> Row {
    (name, RegionKind::Platform, base + socket * size, size)
}

fn timers(interrupts: Interrupts, socket: u64, rows: &mut Vec<Row>) {
    if !interrupts.aclint {
        return rows.push(of_socket("clint", CLINT, socket));
    }
    if interrupts.aia == Aia::AplicImsic {
        // MSIs stand in for the software interrupts.
        return rows.push(of_socket("aclint-mtimer", (CLINT.0, MTIMER_SIZE), socket));
    }
    let (clint, _) = CLINT;
    let base = clint + socket * CLINT.1;
    rows.push(("aclint-mswi", RegionKind::Platform, base, SWI_SIZE));
    rows.push(("aclint-mtimer", RegionKind::Platform, base + SWI_SIZE, CLINT.1 - SWI_SIZE));
    rows.push(of_socket("aclint-sswi", ACLINT_SSWI, socket));
}

fn controllers(
    interrupts: Interrupts,
    (plic, emulated): ((u64, u64), Emulated),
    socket: u64,
    rows: &mut Vec<Row>,
) {
    if interrupts.aia == Aia::None {
        return rows.push(of_socket("plic", plic, socket));
    }
    if emulated.machine_mode {
        rows.push(of_socket("aplic-m", APLIC_M, socket));
    }
    rows.push(of_socket("aplic-s", APLIC_S, socket));
}

/// hw/riscv/virt.c, `create_fdt_one_imsic`: every socket starts on its own 16 MiB, and a hart has a power of two of pages.
fn imsics(interrupts: Interrupts, emulated: Emulated, (socket, harts): (u64, u32), rows: &mut Vec<Row>) {
    let group = socket * IMSIC_GROUP;
    let harts = u64::from(harts);
    if emulated.machine_mode {
        rows.push(("imsic-m", RegionKind::Msi, IMSIC_M + group, IMSIC_GROUP.min(harts * IMSIC_PAGE)));
    }
    let pages = u64::from(interrupts.guests).saturating_add(1).next_power_of_two();
    rows.push(("imsic-s", RegionKind::Msi, IMSIC_S + group, IMSIC_GROUP.min(harts * pages * IMSIC_PAGE)));
}

/// `aia-guests=` (`virt_set_aia_guests`): a number as `atoi` reads it, what is none is 0.
pub(super) fn guests(request: &Request, value: &str) -> Result<u8, VmmError> {
    let text = value.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let digits = digits.get(..end).unwrap_or_default().trim_start_matches('0');
    match (negative, digits.parse::<u8>()) {
        (_, _) if digits.is_empty() => Ok(0),
        (false, Ok(guests @ 0..=7)) => Ok(guests),
        _ => Err(qemu::refusal(request.arch, rules::QEMU_MACHINE, "Invalid number of AIA IMSIC guests")),
    }
}

/// The CPUs of each node, as QEMU hands out those of a configuration that does not say it (hw/riscv/numa.c,
/// `riscv_numa_get_default_cpu_node_id`): equal shares, and the rest to the last. Where some nodes name theirs, the first
/// takes what nobody names.
pub(super) fn by_default(numa: &[NumaFact], vcpus: u32) -> Vec<u32> {
    let nodes = u32::try_from(numa.len()).unwrap_or(u32::MAX);
    let mut counts: Vec<u32> = numa.iter().map(stated).collect();
    let named = counts.iter().copied().fold(0, u32::saturating_add);
    if named == 0 {
        let share = vcpus.checked_div(nodes).unwrap_or(0);
        counts.fill(share);
        if let Some(last) = counts.last_mut() {
            *last = vcpus.saturating_sub(share.saturating_mul(nodes.saturating_sub(1)));
        }
    } else if let Some(first) = counts.first_mut() {
        *first = first.saturating_add(vcpus.saturating_sub(named));
    }
    counts
}

/// The CPUs of each node of a guest that the planner writes a configuration for: those that its nodes name, or else equal
/// shares, which the configuration then names.
#[must_use]
pub fn node_cpus(numa: &[NumaFact], vcpus: u32) -> Vec<u32> {
    if numa.iter().any(|node| stated(node) > 0) {
        return by_default(numa, vcpus);
    }
    let (vcpus, nodes) = (u64::from(vcpus), numa.len() as u64);
    let start = |index: u64| vcpus.saturating_mul(index).checked_div(nodes).unwrap_or(0);
    let share = |index: u64| start(index.saturating_add(1)).saturating_sub(start(index));
    (0..nodes).map(|index| u32::try_from(share(index)).unwrap_or(u32::MAX)).collect()
}

/// How many CPUs a node names.
fn stated(node: &NumaFact) -> u32 {
    let (Some(first), Some(last)) = (node.first_cpu.or(node.last_cpu), node.last_cpu.or(node.first_cpu))
    else {
        return 0;
    };
    last.checked_sub(first).map_or(0, |more| more.saturating_add(1))
}

/// The QEMU whose machine refuses `aclint=on` under KVM; earlier ones pass over it (hw/riscv/virt.c,
/// `virt_machine_init`, since v8.2.0).
pub(super) const ACLINT_REFUSED_SINCE: Version = Version::new(8, 2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Size;

    fn node(cpus: Option<(u32, u32)>) -> NumaFact {
        NumaFact {
            node: 0,
            memory: Size::gib(1),
            first_cpu: cpus.map(|(first, _)| first),
            last_cpu: cpus.map(|(_, last)| last),
            host_node: None,
            origin: crate::diag::Origin::Unstated,
        }
    }

    #[test]
    fn cpus_that_no_node_names_are_shared_as_qemu_shares_them() {
        for (nodes, vcpus, counts) in [
            (vec![], 4, vec![]),
            (vec![node(None); 3], 8, vec![2, 2, 4]),
            (vec![node(Some((0, 4))), node(Some((5, 7)))], 8, vec![5, 3]),
            (vec![node(Some((0, 1))), node(None)], 8, vec![8, 0]),
            (vec![node(Some((3, 1)))], 1, vec![1]),
        ] {
            assert_eq!(by_default(&nodes, vcpus), counts, "{nodes:?}");
        }
    }

    #[test]
    fn cpus_of_a_planned_guest_are_shared_evenly() {
        assert_eq!(node_cpus(&vec![node(None); 3], 8), [2, 3, 3]);
        assert_eq!(node_cpus(&[node(Some((0, 0))), node(Some((1, 3)))], 4), [1, 3]);
        assert!(node_cpus(&[], 4).is_empty());
    }
}
