//! Facts to needs: defaults filled in, and everything that cannot be meant reported.

use std::collections::BTreeSet;

use super::{GuestSpec, codes};
use crate::addr::Span;
use crate::diag::{Diagnostic, Origin};
use crate::facts::GuestFacts;
use crate::facts::guest::{HazardPolicy, LayoutPolicy, MemoryFact, Viommu, VmmKind};
use crate::host::Host;
use crate::ids::PciAddress;
use crate::size::{PageSize, Size};

/// What QEMU demands of a memory module's address and size with ordinary backends
/// (hw/mem/memory-device.c, `memory_device_get_free_addr`; `qemu_ram_pagesize` rounded up to 2 MiB).
const MODULE_ALIGN: Size = Size::mib(2);

/// What the guest needs on this host, or `None` when the facts cannot be meant.
#[must_use]
pub fn resolve(facts: &GuestFacts, host: &Host) -> (Option<GuestSpec>, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let arch = facts.arch.unwrap_or(host.arch);
    let kind = facts.vmm.as_ref().map_or(VmmKind::Qemu, |vmm| vmm.kind);
    if arch != host.arch {
        let message = format!("the guest is {arch} and the host {}", host.arch);
        found.push(
            Diagnostic::new(&codes::ARCH_DIFFERS, facts.origin.clone(), message)
                .help("leave out `arch` of the guest"),
        );
    }
    if !crate::vmm::known().iter().any(|known| known.kind == kind && known.arch == arch) {
        let origin = facts.vmm.as_ref().map_or(Origin::Unstated, |vmm| vmm.origin.clone());
        found.push(Diagnostic::new(&codes::VMM_ARCH, origin, format!("{kind} for {arch} is not known here")));
    }
    found.extend(facts.vmm.iter().flat_map(super::custom::check));
    let memory = memory(facts, host, &mut found);
    let vcpus = facts.vcpus.unwrap_or(1).max(1);
    let pages = facts.memory.as_ref().and_then(|memory| memory.pages).unwrap_or(host.kernel.page_size);
    check_numa(facts, memory, vcpus, pages, &mut found);
    let pass = pass(facts, host, &mut found);
    let vmm = facts.vmm.as_ref();
    let spec = GuestSpec {
        name: if facts.name.is_empty() { "guest".into() } else { facts.name.clone() },
        arch,
        vmm: kind,
        version: vmm.and_then(|vmm| vmm.version).unwrap_or_else(|| crate::vmm::newest(kind)),
        machine: vmm.and_then(|vmm| vmm.machine.clone()).unwrap_or_default(),
        cpu: vmm.and_then(|vmm| vmm.cpu.clone()).unwrap_or_default(),
        custom: vmm.and_then(|vmm| vmm.custom.clone()),
        memory,
        pages,
        hotplug: facts.memory.as_ref().and_then(|memory| memory.hotplug).unwrap_or(Size::ZERO),
        slots: facts.memory.as_ref().and_then(|memory| memory.slots).unwrap_or(0),
        numa: facts.numa.clone(),
        vcpus,
        pass,
        viommu: facts.viommu.unwrap_or(Viommu::None),
        iommufd: facts.iommufd.unwrap_or(false),
        hazards: facts.hazards.unwrap_or(HazardPolicy::Strict),
        policy: facts.policy.unwrap_or(LayoutPolicy::HostFit),
        ipa_bits: facts.ipa_bits.or(host.ipa_bits),
        avoid: facts.avoid.iter().map(|avoid| avoid.span).collect::<Vec<Span<_>>>(),
        libvirt: facts.libvirt,
    };
    let usable = !crate::diag::has_errors(&found);
    (usable.then_some(spec), found)
}

fn memory(facts: &GuestFacts, host: &Host, found: &mut Vec<Diagnostic>) -> Size {
    let Some(memory) = facts.memory.as_ref().filter(|memory| !memory.size.is_zero()) else {
        let origin = facts.memory.as_ref().map_or(facts.origin.clone(), |memory| memory.origin.clone());
        found.push(
            Diagnostic::new(&codes::NO_MEMORY, origin, format!("the guest `{}` has no memory", facts.name))
                .help("say `memory 16G`, or `--memory 16G`"),
        );
        return Size::ZERO;
    };
    check_pages(memory, host, found);
    let has: u128 = host.ram.iter().map(|bank| bank.span.size_bytes()).sum();
    if has != 0 && u128::from(memory.size.bytes()) > has {
        let message =
            format!("the guest has {} of memory and the host {}", memory.size, crate::size::binary_size(has));
        found.push(
            Diagnostic::new(&codes::MORE_THAN_HOST, memory.origin.clone(), message)
                .note("VFIO pins all memory of a guest with a passed-through device"),
        );
    }
    memory.size
}

fn check_pages(memory: &MemoryFact, host: &Host, found: &mut Vec<Diagnostic>) {
    let page = memory.pages.unwrap_or(host.kernel.page_size);
    let parts = [("memory", Some(memory.size)), ("hotplug room", memory.hotplug)];
    for (what, size) in parts {
        let Some(size) = size.filter(|size| page.size().round_down(size.bytes()) != size.bytes()) else {
            continue;
        };
        let down = Size::from_bytes(page.size().round_down(size.bytes()));
        let up = page.size().round_up(size.bytes()).map_or(down, Size::from_bytes);
        found.push(
            Diagnostic::new(
                &codes::MEMORY_PAGES,
                memory.origin.clone(),
                format!("the {what} of {size} is no whole number of {page} pages"),
            )
            .help(format!("{} or {} would be", down.compact(), up.compact())),
        );
    }
}

fn check_numa(facts: &GuestFacts, memory: Size, vcpus: u32, pages: PageSize, found: &mut Vec<Diagnostic>) {
    let Some(first) = facts.numa.first() else { return };
    let sum: u128 = facts.numa.iter().map(|node| u128::from(node.memory.bytes())).sum();
    if !memory.is_zero() && sum != u128::from(memory.bytes()) {
        let message =
            format!("the NUMA nodes have {} together and the guest {memory}", crate::size::binary_size(sum));
        found.push(Diagnostic::new(&codes::NUMA_SUM, first.origin.clone(), message));
    }
    let align = pages.size().max(MODULE_ALIGN);
    let (mut taken, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for node in &facts.numa {
        if !numbers.insert(node.node) {
            let message = format!("there are two NUMA nodes {}", node.node);
            found.push(Diagnostic::new(&codes::NUMA_TWICE, node.origin.clone(), message));
        }
        if align.round_down(node.memory.bytes()) != node.memory.bytes() {
            let message = format!("NUMA node {} has {}, no multiple of {align}", node.node, node.memory);
            found.push(Diagnostic::new(&codes::NUMA_PAGES, node.origin.clone(), message));
        }
        let (Some(low), Some(high)) = (node.first_cpu, node.last_cpu) else { continue };
        let twice = (low..=high.min(vcpus)).find(|&cpu| !taken.insert(cpu));
        if high >= vcpus || twice.is_some() {
            let message = format!(
                "NUMA node {} has CPUs {low} to {high}; the guest has {vcpus}, each in one node",
                node.node
            );
            found.push(Diagnostic::new(&codes::NUMA_CPUS, node.origin.clone(), message));
        }
    }
}

fn pass(facts: &GuestFacts, host: &Host, found: &mut Vec<Diagnostic>) -> Vec<PciAddress> {
    let mut pass = BTreeSet::new();
    for fact in &facts.pass {
        let Some(device) = host.device(fact.device) else {
            found.push(unknown_device(fact.device, host, &fact.origin));
            continue;
        };
        if device.class.is_some_and(crate::ids::PciClass::is_bridge) {
            let message = format!("{} is a bridge", fact.device);
            found.push(
                Diagnostic::new(&codes::BRIDGE, fact.origin.clone(), message)
                    .related(device.origin.clone(), "its class")
                    .help("pass the functions behind it"),
            );
        } else if !pass.insert(fact.device) {
            let message = format!("{} is passed through already", fact.device);
            found.push(Diagnostic::new(&codes::PASSED_TWICE, fact.origin.clone(), message));
        }
    }
    if facts.pass.is_empty() {
        let message = format!("no device of `{}` is passed through", host.name);
        found.push(Diagnostic::new(&codes::NO_DEVICE, facts.origin.clone(), message));
    }
    pass.into_iter().collect()
}

fn unknown_device(address: PciAddress, host: &Host, origin: &Origin) -> Diagnostic {
    let message = format!("there is no function {address} on `{}`", host.name);
    let diagnostic =
        Diagnostic::new(&codes::UNKNOWN_DEVICE, origin.clone(), message).label("not on this host");
    let near: Vec<String> = host
        .devices
        .iter()
        .filter(|device| !device.class.is_some_and(crate::ids::PciClass::is_bridge))
        .filter(|device| device.address.bus() == address.bus() || host.devices.len() <= 8)
        .take(8)
        .map(|device| device.address.to_string())
        .collect();
    if near.is_empty() {
        diagnostic.help("compare with `lspci -D` on the host")
    } else {
        diagnostic.help(format!("there are: {}", near.join(", ")))
    }
}
