//! What QEMU's boards have in common: reading machine text, `-m`, modules and their area, and how refusals are worded.
//!
//! Texts are those of `error_report` and `error_setg`, with the program's name before and without the hint lines that
//! QEMU may print below.

use super::{Choice, Dimm, Knob, MapRegion, RegionKind, Request, VmmError, region, rules};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::size::{GIB, Size, strto};
use crate::version::Version;

/// `maxmem=` and `slots=` as they are given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModuleArea {
    /// `maxmem=`; the boot memory if absent.
    pub max_memory: Option<Size>,
    /// `slots=`; none if absent.
    pub slots: Option<u32>,
}

/// `-m`, complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Memory {
    /// Boot memory.
    pub(super) boot: Size,
    /// Boot memory and all that modules can add.
    pub(super) max: Size,
    /// Slots for modules.
    pub(super) slots: u32,
}

/// Most slots (include/hw/acpi/acpi.h, `ACPI_MAX_RAM_SLOTS`).
pub(super) const MAX_SLOTS: u32 = 256;
/// Alignment of modules: `memory-backend-ram` asks for transparent huge pages (util/mmap-alloc.c `qemu_fd_getpagesize`,
/// backends/hostmem.c; observed as "address must be aligned to 0x200000 bytes").
pub(super) const MODULE_ALIGN: Size = Size::mib(2);
/// The area for modules starts on this and grows by this for each slot (hw/arm/virt.c `virt_set_memmap`,
/// hw/i386/pc.c `pc_get_device_memory_range`).
pub(super) const AREA_ALIGN: Size = Size::gib(1);

/// `-m` is a property of the machine ("machine: move more memory validation to Machine object").
pub(super) const MEMORY_OF_MACHINE_SINCE: Version = Version::new(7, 1);

/// A refusal in the words of QEMU for this architecture.
pub(super) fn refusal(arch: Arch, rule: &str, message: impl std::fmt::Display) -> VmmError {
    VmmError { text: format!("{}: {message}", program(arch)), rule: rule.into(), dimm: None }
}

/// The name of the program (argv[0] of QEMU's own messages).
pub(super) fn program(arch: Arch) -> &'static str {
    match arch {
        Arch::Aarch64 => "qemu-system-aarch64",
        Arch::X86_64 => "qemu-system-x86_64",
        Arch::Riscv64 => "qemu-system-riscv64",
    }
}

/// Whether KVM runs the guest or QEMU emulates it (TCG): `accel=` in the machine text, or else the CPU model. Only KVM
/// has `host`; where a model can be either, knowing the address bits of a host tells.
pub(super) fn is_kvm(request: &Request) -> bool {
    let mut accelerators = request.machine.split(',').filter_map(|word| word.trim().strip_prefix("accel="));
    if let Some(accelerator) = accelerators.next_back() {
        return accelerator.starts_with("kvm");
    }
    match request.cpu.split(',').next().unwrap_or_default() {
        "" | "host" => true,
        "max" => request.ipa_bits.is_some(),
        _ => request.arch == Arch::X86_64 && request.ipa_bits.is_some(),
    }
}

/// A machine type with its options, in the order in which they were written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct MachineText {
    /// Type, such as `virt-9.2`; empty when none was given.
    pub(super) kind: String,
    /// Options.
    pub(super) options: Vec<(String, String)>,
}

/// Reads `virt,gic-version=3` and puts the machine options among the knobs behind. In QEMU the last of two wins.
pub(super) fn machine_text(request: &Request, knobs: &[Knob]) -> Result<MachineText, VmmError> {
    let refuse = |message: String| refusal(request.arch, rules::QEMU_MACHINE, message);
    let mut parts = request.machine.split(',');
    let first = parts.next().unwrap_or_default().trim();
    let (kind, mut options) = match first.split_once('=') {
        None => (first.to_owned(), Vec::new()),
        Some(("type", kind)) => (kind.to_owned(), Vec::new()),
        Some((name, value)) => (String::new(), vec![(name.to_owned(), value.to_owned())]),
    };
    for part in parts {
        match part.trim().split_once('=') {
            Some(("", _)) => {
                return Err(refuse(format!("-machine {}: Invalid parameter ''", request.machine)));
            }
            Some((name, value)) => options.push((name.to_owned(), value.to_owned())),
            None => {
                let text = format!("-machine {}: Expected '=' after parameter '{part}'", request.machine);
                return Err(refuse(text));
            }
        }
    }
    options.extend(knobs.iter().filter_map(|knob| match knob {
        Knob::Machine { name, value } => Some((name.clone(), value.clone())),
        Knob::HighMmioSize { size } => Some(("highmem-mmio-size".into(), size.compact())),
        Knob::MaxRamBelow4g { limit } => Some(("max-ram-below-4g".into(), limit.compact())),
        _ => None,
    }));
    Ok(MachineText { kind, options })
}

/// A family of versioned machine types, such as `virt-*`.
pub(super) struct Family {
    /// Before the version.
    pub(super) prefix: &'static str,
    /// The first version ever.
    pub(super) first: Version,
}

impl Family {
    /// The version of the machine type `kind`: that of this QEMU for the bare `alias`, else the one in its name, if this
    /// QEMU has it.
    pub(super) fn version(&self, alias: &str, kind: &str, qemu: Version) -> Option<Version> {
        let newest = Version::new(qemu.major, qemu.minor);
        if kind == alias {
            return Some(newest);
        }
        let version: Version = kind.strip_prefix(self.prefix)?.parse().ok()?;
        // 1.4 to 1.7 and 2.0 to 2.12 are followed by 3.0, 3.1, 4.0 …, and each major since 4 has minors 0 to 2.
        let exists = match version.major {
            0 | 1 => version.minor <= 7,
            2 => version.minor <= 12,
            3 => version.minor <= 1,
            _ => version.minor <= 2,
        };
        let plain = version.patch == 0 || kind == "pc-q35-4.0.1";
        (exists && plain && version >= oldest_machine(qemu).max(self.first) && version <= newest)
            .then_some(version)
    }
}

/// The oldest versioned machine type that a QEMU still has. Since 10.1 they go after six years
/// (include/hw/boards.h, `MACHINE_VER_DELETION`): 11.1 has lost 5.1.
fn oldest_machine(qemu: Version) -> Version {
    // docs/about/removed-features.rst: pc-i440fx-1.4 to 1.7 went with 8.2, 2.0 to 2.3 with 9.1.
    match qemu {
        qemu if qemu < Version::new(8, 2) => return Version::new(0, 0),
        qemu if qemu < Version::new(9, 1) => return Version::new(2, 0),
        qemu if qemu < Version::new(10, 1) => return Version::new(2, 4),
        _ => {}
    }
    let gone = Version::new(qemu.major.saturating_sub(6), qemu.minor);
    match gone.minor {
        2.. => Version::new(gone.major.saturating_add(1), 0),
        minor => Version::new(gone.major, minor + 1),
    }
}

/// The refusal of a machine type (system/vl.c, `select_machine`; the name is quoted since 9.0).
pub(super) fn unknown_machine(request: &Request, kind: &str) -> VmmError {
    let quoted = if request.version >= Version::new(9, 0) { format!(": \"{kind}\"") } else { String::new() };
    refusal(request.arch, rules::QEMU_MACHINE, format_args!("unsupported machine type{quoted}"))
}

/// What QEMU says to a property that a type does not have (qom/object.c, `object_property_find_err`; before 5.2 without
/// the type).
pub(super) fn no_property(version: Version, class: &str, name: &str) -> String {
    let class = if version < Version::new(5, 2) { "" } else { class };
    format!("Property '{class}.{name}' not found")
}

/// A switch as QEMU reads it (qapi/qobject-input-visitor.c, `qobject_input_type_bool_keyval`; util/cutils.c
/// `qapi_bool_parse`).
pub(super) fn switch(request: &Request, name: &str, value: &str) -> Result<bool, VmmError> {
    is_switch(name, value).map_err(|text| refusal(request.arch, rules::QEMU_MACHINE, text))
}

/// The same without the name of the program.
pub(super) fn is_switch(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "on" | "yes" | "true" | "y" => Ok(true),
        "off" | "no" | "false" | "n" => Ok(false),
        _ => Err(format!("Parameter '{name}' expects 'on' or 'off'")),
    }
}

/// A size as a property takes it (qapi/qobject-input-visitor.c, `qobject_input_type_size_keyval`).
pub(super) fn size(version: Version, name: &str, value: &str) -> Result<Size, String> {
    strto::size(value, version).map_err(|_| format!("Parameter '{name}' expects size"))
}

/// CPUs at start, where fewer than there can ever be: `smp.cpus=` of the machine.
pub(super) fn cpus_at_start(request: &Request) -> u32 {
    let said = request.machine.split(',').filter_map(|word| word.trim().strip_prefix("smp.cpus="));
    said.filter_map(|count| count.parse().ok()).next_back().unwrap_or(request.vcpus)
}

/// `-m` for this choice: as given, or as much as puts every module into the area, which starts at `area_start`.
pub(super) fn memory(
    request: &Request,
    choice: &Choice,
    area: Option<ModuleArea>,
    area_start: impl Fn(Memory) -> Option<Gpa>,
) -> Result<Memory, VmmError> {
    let memory = match area {
        Some(area) => given(request, choice.boot, area)?,
        None => computed(request, choice, area_start)?,
    };
    // Before 4.0 arm leaves modules unread.
    let reads_slots = request.arch == Arch::X86_64 || request.version >= Version::new(4, 0);
    if memory.slots > MAX_SLOTS && reads_slots {
        // x86 says "amount" (hw/i386/pc.c, pc_memory_init), arm "number" (hw/arm/virt.c, virt_set_memmap).
        let word = if request.arch == Arch::X86_64 { "amount" } else { "number" };
        let text = format!("unsupported {word} of memory slots: {}", memory.slots);
        return Err(refusal(request.arch, rules::QEMU_SLOTS, text));
    }
    Ok(memory)
}

/// hw/core/machine.c, `machine_set_mem`; before 7.1 system/vl.c, `set_memory_options`, whose refusals have the option
/// in front.
pub(super) fn given(request: &Request, boot: Size, area: ModuleArea) -> Result<Memory, VmmError> {
    let refuse = |text: String| Err(refusal(request.arch, rules::QEMU_MEMORY, text));
    let slots = area.slots.unwrap_or(0);
    let old = request.version < MEMORY_OF_MACHINE_SINCE;
    let Some(max) = area.max_memory else {
        if area.slots.is_some() {
            let text = "invalid -m option value: missing 'maxmem' option";
            return refuse(if old { text } else { "slots specified but no max-size" }.into());
        }
        return Ok(Memory { boot, max: boot, slots });
    };
    let value = if old { "invalid value of -m option maxmem" } else { "invalid value of maxmem" };
    if max < boot {
        return refuse(format!(
            "{value}: maximum memory size ({:#x}) must be at least the initial memory size ({:#x})",
            max.bytes(),
            boot.bytes()
        ));
    }
    if slots > 0 && max == boot {
        return refuse(format!(
            "{value}: memory slots were specified but maximum memory size ({:#x}) is equal to the initial memory size \
             ({:#x})",
            max.bytes(),
            boot.bytes()
        ));
    }
    Ok(Memory { boot, max, slots })
}

fn computed(
    request: &Request,
    choice: &Choice,
    area_start: impl Fn(Memory) -> Option<Gpa>,
) -> Result<Memory, VmmError> {
    let too_huge = || refusal(request.arch, rules::QEMU_MEMORY, "maxmem/slots too huge");
    let modules = u32::try_from(choice.dimms.len()).map_err(|_| too_huge())?;
    let slots = request.slots.checked_add(modules).ok_or_else(too_huge)?;
    let mut max = choice.boot.checked_add(request.hotplug).ok_or_else(too_huge)?;
    for dimm in &choice.dimms {
        max = dimm.span.size().and_then(|size| max.checked_add(size)).ok_or_else(too_huge)?;
    }
    let memory = Memory { boot: choice.boot, max, slots };
    let highest = choice.dimms.iter().map(|dimm| dimm.span).chain(choice.hotplug.iter().copied());
    let Some(highest) = highest.map(Span::last).max() else {
        return given(request, choice.boot, request_area(request, max));
    };
    let with_area_at = |start| reach(memory, start, highest).map(|max| Memory { max, ..memory });
    let start = area_start(memory).ok_or_else(too_huge)?;
    let enough = with_area_at(start).ok_or_else(too_huge)?;
    // A large area can move itself upwards (hw/i386/pc.c, the AMD hole); from there less of it reaches as far.
    let moved = area_start(enough).filter(|moved| *moved != start);
    let less = moved.and_then(|moved| with_area_at(moved).filter(|less| area_start(*less) == Some(moved)));
    Ok(less.unwrap_or(enough))
}

/// What a request without modules at start says: `maxmem=` only if there is room for later, `slots=` if there are any.
fn request_area(request: &Request, max: Size) -> ModuleArea {
    ModuleArea {
        max_memory: (!request.hotplug.is_zero()).then_some(max),
        slots: (request.slots > 0).then_some(request.slots),
    }
}

/// The smallest `maxmem=` (in steps of 1 GiB above the boot memory, unless the modules alone need it) with which the
/// area from `start` on contains `highest`.
fn reach(memory: Memory, start: Gpa, highest: Gpa) -> Option<Size> {
    let wanted = highest.get().checked_add(1)?.saturating_sub(start.get());
    let of_slots = u64::from(memory.slots).checked_mul(GIB)?;
    let of_max = AREA_ALIGN.round_up(wanted.saturating_sub(of_slots))?;
    Some(memory.max.max(memory.boot.checked_add(Size::from_bytes(of_max))?))
}

/// Size of the area for modules: what `maxmem=` adds, and room to align each slot to 1 GiB.
pub(super) fn area_size(memory: Memory) -> Option<Size> {
    let added = memory.max.checked_sub(memory.boot)?;
    added.checked_add(Size::from_bytes(u64::from(memory.slots).checked_mul(GIB)?))
}

/// The regions of the area for modules: the area itself, and in it the modules and the room for later ones. Refuses a
/// module that has no slot, no room or no good address.
pub(super) fn modules(
    request: &Request,
    choice: &Choice,
    memory: Memory,
    area: Option<Span<Gpa>>,
) -> Result<Vec<MapRegion>, VmmError> {
    let mut regions: Vec<MapRegion> = Vec::new();
    if let Some(span) = area {
        regions.push(MapRegion { name: "device-memory".into(), kind: RegionKind::DeviceMemory, span });
    }
    let mut used = Size::ZERO;
    for (index, dimm) in choice.dimms.iter().enumerate() {
        let refuse =
            |text: String| VmmError { dimm: Some(index), ..refusal(request.arch, rules::QEMU_DIMM, text) };
        check_slot(memory, index).map_err(refuse)?;
        used = check_room(request, memory, used, dimm.span).map_err(refuse)?;
        check_address(request, dimm.span, area).map_err(refuse)?;
        check_conflict(request, &choice.dimms, index).map_err(refuse)?;
        regions.push(MapRegion { name: format!("dimm{index}"), kind: RegionKind::Ram, span: dimm.span });
    }
    for (index, &span) in choice.hotplug.iter().enumerate() {
        let refuse = |text: String| refusal(request.arch, rules::QEMU_DIMM, text);
        check_address(request, span, area).map_err(refuse)?;
        regions.push(MapRegion { name: format!("hotplug{index}"), kind: RegionKind::Hotplug, span });
    }
    Ok(regions)
}

/// hw/mem/pc-dimm.c, `pc_dimm_get_free_slot`.
fn check_slot(memory: Memory, index: usize) -> Result<(), String> {
    match usize::try_from(memory.slots) {
        Ok(0) => Err("no slots where allocated, please specify the 'slots' option".into()),
        Ok(slots) if index >= slots => Err("no free slots available".into()),
        _ => Ok(()),
    }
}

/// hw/mem/memory-device.c, `memory_device_check_addable`; returns what is in use with this module.
fn check_room(request: &Request, memory: Memory, used: Size, span: Span<Gpa>) -> Result<Size, String> {
    let old = request.version < Version::new(3, 0);
    let what = if old { "hot pluggable" } else { "space for memory devices" };
    let total = memory.max.checked_sub(memory.boot).unwrap_or(Size::ZERO);
    let after = span.size().and_then(|size| used.checked_add(size)).filter(|after| *after <= total);
    after.ok_or_else(|| {
        format!("not enough space, currently {:#x} in use of total {what} {:#x}", used.bytes(), total.bytes())
    })
}

/// hw/mem/memory-device.c, `memory_device_pre_plug`: without `maxmem=` there is no area for modules.
fn no_area(request: &Request) -> &'static str {
    if request.version < Version::new(8, 2) {
        "memory devices (e.g. for memory hotplug) are not enabled, please specify the maxmem option"
    } else {
        "the configuration is not prepared for memory devices (e.g., for memory hotplug), consider specifying the maxmem \
         option"
    }
}

/// hw/mem/memory-device.c, `memory_device_get_free_addr`.
pub(super) fn check_address(
    request: &Request,
    span: Span<Gpa>,
    area: Option<Span<Gpa>>,
) -> Result<(), String> {
    let size = span.size().map_or(0, Size::bytes);
    let Some(area) = area else { return Err(no_area(request).into()) };
    let align = module_align(request);
    if !span.first().is_aligned(align) {
        return Err(format!("address must be aligned to {:#x} bytes", align.bytes()));
    }
    if align.round_down(size) != size {
        return Err(format!("backend memory size must be multiple of {:#x}", align.bytes()));
    }
    if area.covers(span) { Ok(()) } else { Err(outside(request, span, area)) }
}

/// A device that does not lie in the area (hw/mem/memory-device.c, `memory_device_get_free_addr`; before 4.0 it was
/// compared with the start of the area and then with its end).
pub(super) fn outside(request: &Request, span: Span<Gpa>, area: Span<Gpa>) -> String {
    let (start, size) = (span.first().get(), span.size().map_or(0, Size::bytes));
    let (first, all) = (area.first().get(), area.size().map_or(0, Size::bytes));
    if request.version >= Version::new(4, 0) {
        return format!(
            "can't add memory device [{start:#x}:{size:#x}], usable range for memory devices [{first:#x}:{all:#x}]"
        );
    }
    if start < first {
        return format!("can't add memory [{start:#x}:{size:#x}] at {first:#x}");
    }
    format!("can't add memory [{start:#x}:{size:#x}] beyond {:#x}", first.saturating_add(all))
}

/// hw/mem/memory-device.c, `memory_device_get_free_addr`: the name is that of the module already there.
fn check_conflict(request: &Request, dimms: &[Dimm], index: usize) -> Result<(), String> {
    let Some(dimm) = dimms.get(index) else { return Ok(()) };
    let other = dimms.iter().take(index).position(|other| other.span.overlaps(dimm.span));
    match other {
        Some(other) => Err(conflict(request, &format!("dimm{other}"))),
        None => Ok(()),
    }
}

/// A device where another is ("memory-device: improve "range conflicts" error message" came with 3.1).
pub(super) fn conflict(request: &Request, id: &str) -> String {
    let whose = if request.version < Version::new(3, 1) { "" } else { "memory device id=" };
    format!("address range conflicts with {whose}'{id}'")
}

/// Of which addresses and sizes of modules are multiples: 2 MiB, or the size of the pages behind them.
pub(super) fn module_align(request: &Request) -> Size {
    MODULE_ALIGN.max(request.pages.size())
}

/// Rows of a fixed part of a map.
pub(super) type Row = (&'static str, RegionKind, u64, u64);

/// The regions of some rows.
pub(super) fn regions<'a>(rows: impl IntoIterator<Item = &'a Row>) -> impl Iterator<Item = MapRegion> {
    rows.into_iter()
        .filter_map(|&(name, kind, start, size)| region(name, kind, Gpa::at(start), Size::from_bytes(size)))
}

/// The last address that so many bits reach.
pub(super) fn last_of(bits: u8) -> Gpa {
    Gpa::new(1_u64.checked_shl(u32::from(bits)).map_or(u64::MAX, |end| end.saturating_sub(1)))
}

/// The number of address bits that reach `last`; at least 32, as KVM wants
/// (hw/arm/virt.c, `virt_kvm_type`).
pub(super) fn bits_of(last: Gpa) -> u8 {
    let bits = u64::BITS - last.get().leading_zeros();
    u8::try_from(bits.max(32)).unwrap_or(64)
}
