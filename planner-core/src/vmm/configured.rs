//! The memory map that a VMM makes of an existing configuration, or what it prints when it refuses: in the order in which
//! QEMU looks at things, so that the first refusal is the one that a user would see.

use super::configured_cpus as cpus;
use super::qemu::{self, ModuleArea};
use super::{
    Choice, Dimm, Knob, MapRegion, MemoryMap, RegionKind, Request, VmmError, machine_name, memory_map_given,
    newest, rules,
};
use super::{arm_cpu, arm_virt};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::facts::configured::{Accelerator, ConfiguredFacts, ModuleFact, ModuleKind, SmpFact, Stage};
use crate::facts::guest::{Viommu, VmmKind};
use crate::size::{PageSize, Size};
use crate::version::Version;

/// QEMU's memory without `-m` (hw/core/machine.c, `machine_class_init`: `default_ram_size`).
const QEMU_MEMORY: Size = Size::mib(128);

/// Before, QEMU quotes the option when it does not know the machine type (system/vl.c, `select_machine`).
const MACHINE_UNQUOTED_SINCE: Version = Version::new(6, 1);
/// The QEMU that brought `-device arm-smmuv3`.
const SMMU_DEVICE_SINCE: Version = Version::new(11, 0);

/// What the configuration itself does not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Instruction set, where the program does not say it.
    pub arch: Arch,
    /// Version of the VMM, if the user knows it; else what the configuration says, else the newest known.
    pub version: Option<Version>,
    /// Guest-physical address bits that the hypervisor offers, if known.
    pub ipa_bits: Option<u8>,
}

/// The configuration, as its VMM is asked about it.
#[must_use]
pub fn configured_request(facts: &ConfiguredFacts, setting: &Setting) -> Request {
    let vmm = facts.guest.vmm.as_ref();
    let kind = vmm.map_or(VmmKind::Qemu, |vmm| vmm.kind);
    let arch = facts.guest.arch.unwrap_or(setting.arch);
    let version = setting.version.or(vmm.and_then(|vmm| vmm.version)).unwrap_or_else(|| newest(kind));
    let machine = vmm.and_then(|vmm| vmm.machine.clone()).unwrap_or_default();
    let cpu = vmm.and_then(|vmm| vmm.cpu.clone()).unwrap_or_default();
    let memory = facts.guest.memory.as_ref();
    Request {
        kind,
        version,
        arch,
        machine: if kind == VmmKind::Qemu { qemu_machine(facts, arch, machine) } else { machine },
        cpu,
        custom: None,
        vcpus: cpus::most(facts),
        node_cpus: super::riscv_sockets::by_default(&facts.guest.numa, at_start(facts, kind)),
        ipa_bits: setting
            .ipa_bits
            .filter(|_| facts.accelerator != Some(Accelerator::Emulated))
            .map(|bits| facts.address_bits.map_or(bits, |most| most.min(bits)))
            .or(facts.address_bits),
        memory: facts.boot.unwrap_or(if kind == VmmKind::Qemu { QEMU_MEMORY } else { Size::ZERO }),
        pages: memory.and_then(|memory| memory.pages).unwrap_or(PageSize::K4),
        hotplug: room(facts, kind),
        slots: facts.slots.unwrap_or(0),
        viommu: viommu(facts, version),
    }
}

/// Room for later memory, for a VMM that puts it where it likes; QEMU is given `maxmem=` instead.
fn room(facts: &ConfiguredFacts, kind: VmmKind) -> Size {
    let memory = facts.guest.memory.as_ref().filter(|_| kind == VmmKind::CloudHypervisor);
    memory.and_then(|memory| memory.hotplug).unwrap_or(Size::ZERO)
}

/// What the board makes room for: any SMMU that is a device, with `accel=on` or without.
fn viommu(facts: &ConfiguredFacts, version: Version) -> Viommu {
    match (facts.smmus.is_empty(), facts.guest.viommu) {
        (false, _) if version >= SMMU_DEVICE_SINCE => Viommu::SmmuV3,
        (false, _) | (true, None) => Viommu::None,
        (true, Some(viommu)) => viommu,
    }
}

/// CPUs at start, where QEMU tells them from those that there can ever be.
fn at_start(facts: &ConfiguredFacts, kind: VmmKind) -> u32 {
    let most = cpus::most(facts);
    match kind {
        VmmKind::Qemu if facts.smp != SmpFact::default() => facts.smp.at_start().min(most),
        _ => most,
    }
}

/// The machine with the accelerator, which the model asks about. A PC is QEMU's own default on x86.
fn qemu_machine(facts: &ConfiguredFacts, arch: Arch, machine: String) -> String {
    let accelerator = match facts.accelerator {
        Some(Accelerator::Kvm) => "accel=kvm",
        Some(Accelerator::Emulated) => "accel=tcg",
        None => return machine,
    };
    let no_type = machine.split(',').next().is_none_or(|first| first.is_empty() || first.contains('='));
    let kind = if no_type && arch == Arch::X86_64 { "pc" } else { "" };
    let at_start = at_start(facts, VmmKind::Qemu);
    let cpus = if at_start < cpus::most(facts) { format!("smp.cpus={at_start}") } else { String::new() };
    let words = [kind, &machine, accelerator, &cpus];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(",")
}

/// The memory map that the VMM makes of the configuration.
///
/// # Errors
/// What the VMM prints when it refuses, with the name of the program that the configuration starts in front.
pub fn configured_map(facts: &ConfiguredFacts, request: &Request) -> Result<MemoryMap, VmmError> {
    let made = match request.kind {
        VmmKind::Qemu => qemu_map(facts, request),
        _ => {
            let text = facts.refusals.first().map(|refusal| refusal.text.clone());
            match text {
                Some(text) => Err(VmmError { text, rule: rules::WORDS.into(), dimm: None }),
                None => memory_map_given(request, &choice(facts, request, Vec::new()), None),
            }
        }
    };
    made.map_err(|error| named(error, facts, request))
}

/// The error with the name of the program as the user calls it (util/error-report.c, `error_init`).
fn named(mut error: VmmError, facts: &ConfiguredFacts, request: &Request) -> VmmError {
    let program = qemu::program(request.arch);
    if let Some(rest) = error.text.strip_prefix(program).filter(|_| !facts.program.is_empty()) {
        error.text = format!("{}{rest}", facts.program);
    }
    error
}

/// The order of system/vl.c, `qemu_init` and `qmp_x_exit_preconfig`.
fn qemu_map(facts: &ConfiguredFacts, request: &Request) -> Result<MemoryMap, VmmError> {
    refused_at(facts, request, Stage::Words)?;
    check_type(request)?;
    if let Err(error) = machine_name(request) {
        let unknown = error == qemu::unknown_machine(request, "");
        let option = facts.machine_option.as_deref().filter(|_| unknown);
        return Err(located(error, option, request, MACHINE_UNQUOTED_SINCE));
    }
    refused_at(facts, request, Stage::Machine)?;
    cpus::check(facts, request)?;
    let board = memory_map_given(request, &choice(facts, request, Vec::new()), Some(area(facts)));
    let early = |error: &VmmError| [rules::QEMU_MACHINE, rules::QEMU_CPU].contains(&error.rule.as_str());
    let board = match board {
        Err(error) if error.rule == rules::QEMU_MEMORY => {
            let option = facts.memory_option.as_deref();
            return Err(located(error, option, request, qemu::MEMORY_OF_MACHINE_SINCE));
        }
        Err(error) if early(&error) => return Err(error),
        other => other,
    };
    cpus::check_apics(facts, request)?;
    refused_at(facts, request, Stage::Backends)?;
    let board = board?;
    refused_at(facts, request, Stage::Devices)?;
    check_smmus(facts, request)?;
    check_riscv_iommus(facts, request)?;
    let mut map = plug_in(facts, request, &board)?;
    add_smmus(facts, &mut map);
    Ok(map)
}

/// The error with the option in front that QEMU before `since` quotes.
fn located(error: VmmError, option: Option<&str>, request: &Request, since: Version) -> VmmError {
    match option.filter(|_| request.version < since) {
        Some(option) => VmmError { text: error.located(option), ..error },
        None => error,
    }
}

/// Machines that QEMU has and this planner has no model of, and no machine at all (system/vl.c, `select_machine`).
fn check_type(request: &Request) -> Result<(), VmmError> {
    let first = request.machine.split(',').next().unwrap_or_default();
    if first.is_empty() || first.contains('=') {
        let refuse = |rule, text: &str| Err(qemu::refusal(request.arch, rule, text));
        return match request.arch {
            Arch::Riscv64 => {
                refuse(rules::VERSION, "the planner has no model of riscv64's default machine, spike")
            }
            _ => refuse(rules::QEMU_MACHINE, "No machine specified, and there is no default"),
        };
    }
    if is_other_machine(request.arch, first) {
        let text = format!("the planner has no model of the machine '{first}'");
        return Err(qemu::refusal(request.arch, rules::VERSION, text));
    }
    Ok(())
}

/// Names of machines by target.
const OTHER_MACHINES: &str = include_str!("other_machines.txt");

fn is_other_machine(arch: Arch, name: &str) -> bool {
    let letter = match arch {
        Arch::Aarch64 => 'a',
        Arch::X86_64 => 'x',
        Arch::Riscv64 => 'r',
    };
    let mut rows =
        OTHER_MACHINES.lines().filter(|row| !row.starts_with('#')).filter_map(|row| row.split_once(' '));
    rows.any(|(other, targets)| other == name && targets.contains(letter))
}

fn refused_at(facts: &ConfiguredFacts, request: &Request, stage: Stage) -> Result<(), VmmError> {
    match facts.refusals.iter().find(|refusal| refusal.stage == stage) {
        Some(refusal) => Err(qemu::refusal(request.arch, rules::WORDS, &refusal.text)),
        None => Ok(()),
    }
}

fn area(facts: &ConfiguredFacts) -> ModuleArea {
    ModuleArea { max_memory: facts.max_memory, slots: facts.slots }
}

fn choice(facts: &ConfiguredFacts, request: &Request, dimms: Vec<Dimm>) -> Choice {
    let base = facts.ram_base.map(|at| Knob::RamBase { at });
    let window = facts.pci_window.map(|size| match request.kind {
        VmmKind::Openvmm => Knob::HighMmioSize { size },
        _ => Knob::PciHole64Size { size },
    });
    let low = facts.low_window.map(|size| Knob::LowMmioSize { size });
    let peer = (facts.peer_dma == Some(false)).then_some(Knob::PeerDmaOff);
    Choice {
        knobs: base.into_iter().chain(window).chain(low).chain(peer).collect(),
        boot: request.memory,
        dimms,
        hotplug: Vec::new(),
    }
}

/// `arm-smmuv3` devices came with 11.0; before, the board alone could make one (system/qdev-monitor.c,
/// `qdev_get_device_class`).
fn check_smmus(facts: &ConfiguredFacts, request: &Request) -> Result<(), VmmError> {
    let Some(option) = facts.smmus.first() else { return Ok(()) };
    let text = match request.arch {
        Arch::Aarch64 if request.version >= SMMU_DEVICE_SINCE => return Ok(()),
        Arch::Aarch64 if request.version < Version::new(6, 0) => {
            "Parameter 'driver' expects pluggable device type"
        }
        Arch::Aarch64 => "Parameter 'driver' expects a pluggable device type",
        _ => "'arm-smmuv3' is not a valid device model name",
    };
    Err(qemu::refusal(request.arch, rules::QEMU_VIRT_SMMU, format_args!("{option}: {text}")))
}

/// The QEMU whose riscv `virt` takes virtio-iommu-pci, and the one that brought riscv-iommu-pci.
const RISCV_VIRTIO_IOMMU_SINCE: Version = Version::new(9, 0);
const RISCV_IOMMU_SINCE: Version = Version::new(9, 2);

/// IOMMUs that are devices, for a riscv board: earlier versions lack them, and of two kinds the second finds the bus
/// taken (hw/riscv/riscv-iommu.c, `riscv_iommu_pci_setup_iommu`).
fn check_riscv_iommus(facts: &ConfiguredFacts, request: &Request) -> Result<(), VmmError> {
    let refuse = |option: &str, text: &str| {
        Err(qemu::refusal(request.arch, rules::QEMU_RISCV_IOMMU, format_args!("{option}: {text}")))
    };
    let riscv = request.arch == Arch::Riscv64;
    let mut taken = false;
    for option in &facts.riscv_iommus {
        if !option.contains("riscv-iommu") {
            taken = true;
            if riscv && request.version < RISCV_VIRTIO_IOMMU_SINCE {
                let text = "Check your machine implements a hotplug handler for the virtio-iommu-pci device";
                return refuse(option, text);
            }
        } else if !riscv || request.version < RISCV_IOMMU_SINCE {
            return refuse(option, "'riscv-iommu-pci' is not a valid device model name");
        } else if taken {
            return refuse(option, "can't register secondary IOMMU for PCI bus #0");
        }
    }
    Ok(())
}

/// Plugs the modules in one by one; those without an address go to the first gap (hw/mem/memory-device.c,
/// `memory_device_get_free_addr`).
fn plug_in(facts: &ConfiguredFacts, request: &Request, board: &MemoryMap) -> Result<MemoryMap, VmmError> {
    let area_span =
        board.regions.iter().find(|region| region.kind == RegionKind::DeviceMemory).map(|region| region.span);
    let mut placed: Vec<(usize, Span<Gpa>)> = Vec::new();
    let mut map = board.clone();
    for (index, module) in facts.modules.iter().enumerate() {
        let refuse = |text: &str| {
            let text = format!("{}: {text}", module.option);
            qemu::refusal(request.arch, rules::QEMU_DIMM, text)
        };
        let fault = module
            .fault
            .as_deref()
            .or(missing_firmware(facts, request, module))
            .or(module.plug_fault.as_deref());
        if let Some(fault) = fault {
            return Err(refuse(fault));
        }
        let span = match (module.at, area_span) {
            (Some(at), _) => Span::from_start_size(at, module.size),
            (None, Some(area)) => first_gap(request, area, &placed, module.size),
            // Without an area QEMU refuses whatever the address.
            (None, None) => Span::from_start_size(Gpa::at(0), module.size),
        };
        let Some(span) = span else {
            let text = "could not find position in guest address space for memory device - memory fragmented due to \
                        alignments";
            return Err(refuse(text));
        };
        map = with_module(facts, request, &placed, (index, span))
            .map_err(|error| quoted(error, (facts, request), module, &placed))?;
        placed.push((index, span));
    }
    rename(&mut map, facts, &placed);
    Ok(map)
}

/// The map with the modules so far and one more. virtio-mem takes no slot, so it is checked against the area here.
fn with_module(
    facts: &ConfiguredFacts,
    request: &Request,
    placed: &[(usize, Span<Gpa>)],
    new: (usize, Span<Gpa>),
) -> Result<MemoryMap, VmmError> {
    let all: Vec<(usize, Span<Gpa>)> = placed.iter().copied().chain([new]).collect();
    let is_dimm =
        |index: usize| facts.modules.get(index).is_some_and(|module| module.kind == ModuleKind::Dimm);
    let dimms: Vec<Dimm> =
        all.iter().filter(|(index, _)| is_dimm(*index)).map(|&(_, span)| Dimm { span }).collect();
    let mut map = memory_map_given(request, &choice(facts, request, dimms), Some(area(facts)))?;
    let area =
        map.regions.iter().find(|region| region.kind == RegionKind::DeviceMemory).map(|region| region.span);
    for &(index, span) in all.iter().filter(|(index, _)| !is_dimm(*index)) {
        qemu::check_address(request, span, area)
            .map_err(|text| qemu::refusal(request.arch, rules::QEMU_DIMM, text))?;
        let name = format!("virtio-mem{index}");
        map.regions.push(MapRegion { name, kind: RegionKind::Ram, span });
    }
    let overlap = placed.iter().position(|(_, span)| span.overlaps(new.1));
    if let Some(position) = overlap {
        let text = qemu::conflict(request, &format!("dimm{position}"));
        return Err(qemu::refusal(request.arch, rules::QEMU_DIMM, text));
    }
    map.regions.sort_by_key(|region| (region.span.first(), std::cmp::Reverse(region.span.last())));
    Ok(map)
}

/// A board without firmware has no ACPI, and a 32-bit CPU neither (hw/arm/virt.c, `machvirt_init`: `acpi_dev`).
fn missing_firmware(facts: &ConfiguredFacts, request: &Request, module: &ModuleFact) -> Option<&'static str> {
    let is_32_bit = arm_cpu::is_32_bit(request);
    let is_dimm = module.kind == ModuleKind::Dimm;
    let missing = request.arch == Arch::Aarch64 && is_dimm && (!facts.firmware || is_32_bit);
    missing.then(|| arm_virt::no_modules(request.version))
}

fn first_gap(
    request: &Request,
    area: Span<Gpa>,
    placed: &[(usize, Span<Gpa>)],
    size: Size,
) -> Option<Span<Gpa>> {
    let align = qemu::module_align(request);
    let mut taken: Vec<Span<Gpa>> = placed.iter().map(|&(_, span)| span).collect();
    taken.sort();
    let mut start = area.first().align_up(align)?;
    for span in taken {
        let fits = Span::from_start_size(start, size).is_some_and(|wanted| wanted.last() < span.first());
        if fits {
            break;
        }
        let after = span.last().checked_add(Size::from_bytes(1))?.align_up(align)?;
        start = start.max(after);
    }
    Span::from_start_size(start, size)
}

/// The error with the option at fault, and with the identifier of the module in the way rather than its number.
fn quoted(
    mut error: VmmError,
    (facts, request): (&ConfiguredFacts, &Request),
    module: &ModuleFact,
    placed: &[(usize, Span<Gpa>)],
) -> VmmError {
    for (position, &(index, _)) in placed.iter().enumerate() {
        let numbered = qemu::conflict(request, &format!("dimm{position}"));
        if let Some(before) = error.text.strip_suffix(&numbered) {
            let id = facts.modules.get(index).and_then(|module| module.id.as_deref()).unwrap_or("(unnamed)");
            error.text = format!("{before}{}", qemu::conflict(request, id));
            break;
        }
    }
    VmmError { text: error.located(&module.option), dimm: None, ..error }
}

/// Modules are called what the user calls them.
fn rename(map: &mut MemoryMap, facts: &ConfiguredFacts, placed: &[(usize, Span<Gpa>)]) {
    for region in map.regions.iter_mut().filter(|region| region.kind == RegionKind::Ram) {
        let module = placed.iter().find(|(_, span)| *span == region.span);
        let id = module.and_then(|&(index, _)| facts.modules.get(index)).and_then(|module| module.id.clone());
        if let Some(id) = id {
            region.name = id;
        }
    }
}

/// Size of the registers of an SMMUv3, and the start of the platform bus on which the devices lie one behind the other
/// (hw/arm/virt.c `base_memmap`, hw/core/platform-bus.c `platform_bus_map_mmio`).
const SMMU_SIZE: Size = Size::kib(128);
const PLATFORM_BUS: Gpa = Gpa::at(0xc00_0000);

/// The model knows one `arm-smmuv3`; the others follow it on the platform bus.
fn add_smmus(facts: &ConfiguredFacts, map: &mut MemoryMap) {
    let extra = facts.smmus.len().saturating_sub(1);
    let Some(at) = map.regions.iter().position(|region| region.name == "platform-bus").filter(|_| extra > 0)
    else {
        return;
    };
    let bus = map.regions.remove(at);
    let mut start = PLATFORM_BUS.checked_add(SMMU_SIZE).unwrap_or(bus.span.first());
    for index in 1..=extra.min(254) {
        let Some(span) = Span::from_start_size(start, SMMU_SIZE) else { break };
        map.regions.push(MapRegion { name: format!("smmuv3-{index}"), kind: RegionKind::Smmu, span });
        start = start.checked_add(SMMU_SIZE).unwrap_or(start);
    }
    let rest = Span::new(start, bus.span.last()).map(|span| MapRegion { span, ..bus });
    map.regions.extend(rest);
    map.regions.sort_by_key(|region| (region.span.first(), std::cmp::Reverse(region.span.last())));
}
