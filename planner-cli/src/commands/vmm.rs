//! `planner vmm`: the VMMs known, what each version can express, and the memory map that one would make.

use planner_core::addr::{Gpa, Span};
use planner_core::diag::{Diagnostic, Origin};
use planner_core::facts::guest::{Viommu, VmmKind};
use planner_core::facts::{Arch, value_of};
use planner_core::size::{PageSize, Size};
use planner_core::version::Version;
use planner_core::vmm::{
    self, Choice, Disabled, MapRegion, MemoryMap, ModuleArea, Request, Setting, VmmError, describe,
};
use serde::Serialize;

use crate::args::{Format, VmmArgs};
use crate::codes;
use crate::flags::Flag;
use crate::json;
use crate::output::{Output, Status};
use crate::paint::{Ink, paint, table};
use crate::session::{Session, Stop};

/// Name and major version of the JSON of a memory map.
pub(crate) const SCHEMA: &str = "vmm-map/1";

/// The memory map that a VMM makes: schema `vmm-map/1`.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct VmmMapDocument {
    /// Always `vmm-map/1`.
    schema: &'static str,
    /// The VMM.
    vmm: Summary,
    /// Regions, ascending; none when the VMM refuses.
    regions: Vec<MapRegion>,
    /// What the VMM leaves out without a word.
    disabled: Vec<Disabled>,
    /// Where the firmware puts 64-bit BARs, for a PC whose command line names firmware: it chooses by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    firmware: Option<Firmware>,
    /// What the VMM prints when it refuses.
    error: Option<String>,
    /// The rule behind the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

/// Firmware that chooses a PCI window of its own.
#[derive(Clone, Serialize, schemars::JsonSchema)]
struct Firmware {
    /// Always `ovmf`.
    name: &'static str,
    /// The stable tag of edk2 that is assumed: `202502`.
    edk2: String,
    /// Its 64-bit window.
    mmio64: Span<Gpa>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct Summary {
    name: VmmKind,
    version: Version,
    machine: String,
}

/// QEMU's memory without `-m` (hw/core/machine.c, `machine_class_init`: `default_ram_size`).
const QEMU_MEMORY: Size = Size::mib(128);

/// The list, or a memory map when anything about a machine is said.
pub(crate) fn run(args: &VmmArgs, session: &mut Session) -> Result<Output, Stop> {
    let asked = session.flag("VMM", args.vmm.as_ref(), Flag::vmm)?;
    if !args.command.is_empty() {
        return command_map(args, asked, session);
    }
    let about_a_machine = [&args.machine, &args.cpu, &args.memory, &args.vcpus, &args.ipa_bits, &args.page];
    match asked {
        Some((kind, version)) if about_a_machine.into_iter().any(Option::is_some) => {
            let version = version.unwrap_or_else(|| vmm::newest(kind));
            let (request, area) = request(args, kind, version, session)?;
            Ok(memory_map(&request, area, session.format))
        }
        asked => Ok(super::vmm_list::list(asked, args, session.format)),
    }
}

/// The memory map of a command line.
fn command_map(
    args: &VmmArgs,
    asked: Option<(VmmKind, Option<Version>)>,
    session: &mut Session,
) -> Result<Output, Stop> {
    let ipa_bits = session.flag("--ipa-bits", args.ipa_bits.as_ref(), Flag::ipa_bits)?;
    let version = asked.and_then(|(_, version)| version);
    let facts = session.command(&args.command, version)?;
    if let (Some((kind, _)), Some(vmm)) = (asked, &facts.guest.vmm)
        && vmm.kind != kind
    {
        let message = format!("VMM: found `{kind}`, and the command is of {}", vmm.kind);
        return Err(session.refuse(Diagnostic::new(&codes::BAD_VALUE, vmm.origin.clone(), message)));
    }
    let machine = facts.guest.vmm.as_ref().and_then(|vmm| vmm.machine.as_deref()).unwrap_or_default();
    let setting = Setting { arch: arch(args).unwrap_or(usual_arch(machine)), version, ipa_bits };
    let request = vmm::configured_request(&facts, &setting);
    let made = vmm::configured_map(&facts, &request);
    let firmware = made.as_ref().ok().filter(|_| facts.firmware).and_then(|map| {
        let mmio64 = vmm::ovmf_window(&request, map, vmm::USUAL_EDK2, facts.ovmf_window)?;
        let edk2 = format!("{}{:02}", vmm::USUAL_EDK2.major, vmm::USUAL_EDK2.minor);
        Some(Firmware { name: "ovmf", edk2, mmio64 })
    });
    Ok(told_as(&request, made, firmware, session.format))
}

/// The instruction set that was asked for.
pub(crate) fn arch(args: &VmmArgs) -> Option<Arch> {
    args.arch.as_deref().and_then(|word| value_of(&Arch::WORDS, word))
}

/// The instruction set that a machine type of this name is meant for, where nothing else says it.
fn usual_arch(machine: &str) -> Arch {
    let kind = machine.split(',').next().filter(|kind| !kind.contains('=')).unwrap_or_default();
    let x86 = kind.starts_with("pc") || kind.starts_with("q35") || kind == "hvm";
    if x86 { Arch::X86_64 } else { Arch::Aarch64 }
}

fn request(
    args: &VmmArgs,
    kind: VmmKind,
    version: Version,
    session: &mut Session,
) -> Result<(Request, Option<ModuleArea>), Stop> {
    let memory = session.flag("--memory", args.memory.as_ref(), Flag::memory)?;
    let said = args.memory.is_some();
    let machine = args.machine.clone().unwrap_or_default();
    let hotplug = memory.as_ref().and_then(|memory| memory.hotplug).unwrap_or(Size::ZERO);
    let slots = memory.as_ref().and_then(|memory| memory.slots);
    let size = match memory {
        Some(memory) => memory.size,
        None if kind == VmmKind::Qemu => QEMU_MEMORY,
        None => return Err(session.refuse(no_memory(kind))),
    };
    let request = Request {
        kind,
        version,
        arch: arch(args).unwrap_or(usual_arch(&machine)),
        machine,
        cpu: args.cpu.clone().unwrap_or_default(),
        custom: None,
        vcpus: session.flag("--vcpus", args.vcpus.as_ref(), Flag::positive)?.unwrap_or(1),
        node_cpus: Vec::new(),
        ipa_bits: session.flag("--ipa-bits", args.ipa_bits.as_ref(), Flag::ipa_bits)?,
        memory: size,
        pages: session.flag("--page", args.page.as_ref(), Flag::page)?.unwrap_or(PageSize::K4),
        hotplug,
        slots: slots.unwrap_or(0),
        viommu: args.viommu.as_deref().and_then(|word| value_of(Viommu::WORDS, word)).unwrap_or(Viommu::None),
    };
    let max_memory = size.checked_add(hotplug).filter(|_| !hotplug.is_zero());
    let area = said.then_some(ModuleArea { max_memory, slots });
    Ok((request, area))
}

fn no_memory(kind: VmmKind) -> Diagnostic {
    let message =
        format!("--memory: found nothing, expected a size: what {kind} does without depends on its host");
    Diagnostic::new(&codes::BAD_VALUE, Origin::argument("--memory"), message)
        .help("say for instance `--memory 1G`")
}

fn memory_map(request: &Request, area: Option<ModuleArea>, format: Format) -> Output {
    let choice = Choice { knobs: Vec::new(), boot: request.memory, dimms: Vec::new(), hotplug: Vec::new() };
    let made = match vmm::check_machine(request).into_iter().next() {
        Some(refusal) => Err(refusal),
        None => vmm::memory_map_given(request, &choice, area),
    };
    told_as(request, made, None, format)
}

fn told_as(
    request: &Request,
    made: Result<MemoryMap, VmmError>,
    firmware: Option<Firmware>,
    format: Format,
) -> Output {
    let status = if made.is_ok() { Status::Done } else { Status::Finding };
    let text = match format {
        Format::Json => json::pretty(&document(request, made, firmware)),
        Format::Human => match made {
            Ok(map) => told(request, &map, firmware.as_ref()),
            Err(refusal) => refused(request, &refusal),
        },
    };
    Output { text, status }
}

fn document(
    request: &Request,
    made: Result<MemoryMap, VmmError>,
    firmware: Option<Firmware>,
) -> VmmMapDocument {
    let (map, refusal) = match made {
        Ok(map) => (map, None),
        Err(refusal) => (MemoryMap::default(), Some(refusal)),
    };
    VmmMapDocument {
        schema: SCHEMA,
        vmm: Summary { name: request.kind, version: request.version, machine: machine_type(request) },
        regions: map.regions,
        disabled: map.disabled,
        firmware,
        error: refusal.as_ref().map(|refusal| refusal.text.clone()),
        rule: refusal.map(|refusal| refusal.rule),
    }
}

/// The machine type without its options, or the default's name.
fn machine_type(request: &Request) -> String {
    let asked = request.machine.split(',').next().filter(|asked| !asked.is_empty() && !asked.contains('='));
    let same = |known: &&vmm::Known| known.kind == request.kind && known.arch == request.arch;
    asked.or(vmm::known().iter().find(same).map(|known| known.machine)).unwrap_or_default().into()
}

fn told(request: &Request, map: &MemoryMap, firmware: Option<&Firmware>) -> String {
    let mut out =
        format!("{}\n", paint(Ink::Bold, &format!("{} with {}", describe(request), request.memory)));
    let rows: Vec<[String; 4]> = map
        .regions
        .iter()
        .map(|region| {
            let size = planner_core::size::binary_size(region.span.size_bytes());
            [region.span.to_string(), size, region.kind.to_string(), region.name.clone()]
        })
        .collect();
    out.push_str(&table(&rows));
    for disabled in &map.disabled {
        let Disabled { name, because } = disabled;
        out.push_str(&format!("{}: left out without a word: {because}\n", paint(Ink::Care, name)));
    }
    if let Some(Firmware { edk2, mmio64, .. }) = firmware {
        out.push_str(&format!("OVMF (edk2-stable{edk2}) puts 64-bit BARs into {mmio64}\n"));
    }
    out
}

fn refused(request: &Request, refusal: &VmmError) -> String {
    let head = paint(Ink::Bad, &format!("{} refuses:", describe(request)));
    format!("{head} [{}]\n{}\n", refusal.rule, refusal.text)
}
