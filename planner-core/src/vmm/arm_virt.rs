//! QEMU's arm `virt` machine: its devices below 1 GiB, RAM from there on (hw/arm/virt.c), and above it what
//! [`arm_high`](super::arm_high) has.

use super::arm_high::{self, HIGH_START, High, HighKind, RAM};
use super::arm_options::{MMIO_SIZE, Options};
use super::qemu::{self, AREA_ALIGN, ModuleArea, Row};
use super::{
    BootRule, Choice, DimmRule, Knob, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, region,
    rules,
};
use super::{arm_cpu, arm_gic};
use crate::addr::{Address, Span};
use crate::size::Size;
use crate::version::Version;

/// Firmware, kernel and initrd need this much boot memory.
const LEAST_BOOT: Size = Size::gib(1);

/// What lies below RAM whatever the options (hw/arm/virt.c, `base_memmap`).
const LOW: &[Row] = &[
    ("flash", RegionKind::Flash, 0, 0x800_0000),
    ("uart0", RegionKind::Platform, 0x900_0000, 0x1000),
    ("rtc", RegionKind::Platform, 0x901_0000, 0x1000),
    ("fw-cfg", RegionKind::Platform, 0x902_0000, 0x18),
    ("gpio", RegionKind::Platform, 0x903_0000, 0x1000),
    ("uart1", RegionKind::Platform, 0x904_0000, 0x1000),
    ("pcie-mmio", RegionKind::Mmio32, 0x1000_0000, 0x2eff_0000),
    ("pcie-pio", RegionKind::Pio, 0x3eff_0000, 0x1_0000),
];
/// What came to lie there later, by version.
const LATER: &[(Version, Row)] = &[
    (Version::new(4, 2), ("pcdimm-acpi", RegionKind::Platform, 0x907_0000, 0x18)),
    (Version::new(4, 2), ("acpi-ged", RegionKind::Platform, 0x908_0000, 0x4)),
    (Version::new(5, 1), ("nvdimm-acpi", RegionKind::Platform, 0x909_0000, 0x4)),
    (Version::new(5, 2), ("pvtime", RegionKind::Platform, 0x90a_0000, 0x1_0000)),
];
const LOW_ECAM: Row = ("pcie-ecam", RegionKind::Ecam, 0x3f00_0000, 0x100_0000);
/// The secure world, by version.
const SECURE: &[(Version, Row)] = &[
    (Version::new(2, 5), ("secure-mem", RegionKind::Platform, 0xe00_0000, 0x100_0000)),
    (Version::new(6, 0), ("secure-gpio", RegionKind::Platform, 0x90b_0000, 0x1000)),
];
const MACHINE_SMMU: Row = ("smmu", RegionKind::Smmu, 0x905_0000, 0x2_0000);
const PLATFORM_BUS: Row = ("platform-bus", RegionKind::Platform, 0xc00_0000, 0x200_0000);
/// `-device arm-smmuv3` takes the first free addresses of the platform bus.
const DEVICE_SMMU: Row = ("smmuv3", RegionKind::Smmu, 0xc00_0000, 0x2_0000);
const DEVICE_SMMU_REST: Row = ("platform-bus", RegionKind::Platform, 0xc02_0000, 0x1fe_0000);

/// The memory map.
pub(super) fn memory_map(
    request: &Request,
    choice: &Choice,
    area: Option<ModuleArea>,
) -> Result<MemoryMap, VmmError> {
    let options = Options::of(request, &choice.knobs)?;
    let bits = address_bits(request, &options)?;
    let memory = qemu::memory(request, choice, area, |memory| arm_high::area_start(memory.boot))?;
    let high = arm_high::regions(request, &options, memory, bits)?;
    let gic = arm_gic::version(request, &options)?;
    arm_cpu::check_board(request)?;
    let msi = arm_gic::msi(request, &options, gic)?;
    let has_high = high.place(HighKind::Redists).is_some();
    arm_gic::check_cpus(request, gic, &options, has_high)?;
    arm_high::check_memory(request, memory)?;
    arm_gic::check_worlds(request, &options)?;
    check_tags(request, &options)?;
    arm_gic::check_redists(request, gic, has_high)?;
    arm_high::check_model(request, &options, &high, bits)?;
    refuse_modules(request, choice, &options)?;

    let mut regions: Vec<MapRegion> = qemu::regions(LOW).collect();
    regions.extend(qemu::regions(&arm_gic::rows(&options, gic, msi)));
    regions.extend(qemu::regions(&optional_rows(request, &options, &high)));
    regions.extend(region("mem", RegionKind::Ram, RAM, memory.boot));
    regions.extend(qemu::modules(request, choice, memory, high.area)?);
    regions.extend(high.regions(arm_gic::needs_high_redists(request, gic)));
    Ok(MemoryMap {
        regions,
        max_memory: high.area.map(|_| memory.max),
        slots: high.area.filter(|_| memory.slots > 0).map(|_| memory.slots),
        needed_bits: qemu::bits_of(high.top),
        disabled: high.disabled,
        ..MemoryMap::default()
    })
}

/// Refuses memory tags that the emulated CPU has not (hw/arm/virt.c, `machvirt_init`).
fn check_tags(request: &Request, options: &Options) -> Result<(), VmmError> {
    if !options.mte || qemu::is_kvm(request) || arm_cpu::has_tags(request) {
        return Ok(());
    }
    let text = "MTE requested, but not supported by the guest CPU";
    Err(qemu::refusal(request.arch, rules::QEMU_MACHINE, text))
}

/// The settings of the 64-bit PCI window that fit the address bits, after the default.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    let options = Options::of(request, &[])?;
    let bits = address_bits(request, &options)?;
    let gic = arm_gic::version(request, &options)?;
    arm_gic::msi(request, &options, gic)?;
    let Some(within) = Span::new(RAM, arm_high::last_of_memory(request, bits)) else {
        return Err(arm_high::limited(request, bits, RAM));
    };
    let variant = |knobs| Variant {
        knobs,
        boot: BootRule::Fixed { spans: vec![within], rule: rules::QEMU_VIRT_RAM },
        room: None,
        dimms: has_modules(&options).then(|| DimmRule {
            align: qemu::module_align(request),
            most: qemu::MAX_SLOTS,
            least_boot: LEAST_BOOT,
            area_align: AREA_ALIGN,
            rule: rules::QEMU_DIMM,
        }),
    };
    let sizes = window_sizes(request, &options, bits);
    let mut variants = vec![variant(vec![])];
    variants.extend(sizes.into_iter().map(|size| variant(vec![Knob::HighMmioSize { size }])));
    Ok(variants)
}

/// What QEMU would refuse about the machine and the CPU.
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    let (options, mut refusals) = match Options::read(request, &[]) {
        Ok(read) => read,
        Err(refusal) => return vec![refusal],
    };
    refusals.extend(address_bits(request, &options).err());
    refusals.extend(arm_cpu::check_board(request).err());
    refusals.extend(arm_gic::check_worlds(request, &options).err());
    refusals.extend(check_tags(request, &options).err());
    match arm_gic::version(request, &options) {
        Err(refusal) => refusals.push(refusal),
        Ok(gic) => {
            refusals.extend(arm_gic::msi(request, &options, gic).err());
            let high = arm_high::has_redists(request, &options);
            refusals.extend(arm_gic::check_cpus(request, gic, &options, high).err());
            refusals.extend(arm_gic::check_redists(request, gic, high).err());
        }
    }
    refusals
}

/// Powers of two above the size in force that fit the address bits above the least memory, where the version has the
/// option and the user left it alone.
fn window_sizes(request: &Request, options: &Options, bits: u8) -> Vec<Size> {
    if request.version < Version::new(10, 0) || options.mmio_size != MMIO_SIZE || !options.mmio {
        return vec![];
    }
    let fits = |size: &Size| {
        let start = HIGH_START.align_up(*size);
        start
            .and_then(|start| Span::from_start_size(start, *size))
            .is_some_and(|span| span.last() <= qemu::last_of(bits))
    };
    (40..63).map(|bit| Size::from_bytes(1 << bit)).take_while(fits).collect()
}

/// Modules need the ACPI GED, which machine types have since 4.2 (hw/arm/virt.c, `no_ged`).
fn has_modules(options: &Options) -> bool {
    options.acpi && options.machine > Version::new(4, 1)
}

fn refuse_modules(request: &Request, choice: &Choice, options: &Options) -> Result<(), VmmError> {
    if choice.dimms.is_empty() || has_modules(options) {
        return Ok(());
    }
    let text = no_modules(request.version);
    Err(VmmError { dimm: Some(0), ..qemu::refusal(request.arch, rules::QEMU_DIMM, text) })
}

/// What a QEMU says to a module that its board cannot take (hw/arm/virt.c, `virt_memory_pre_plug`; before 4.2 the
/// program had no such device, system/qdev-monitor.c, `qdev_get_device_class`).
pub(super) fn no_modules(version: Version) -> &'static str {
    if version < Version::new(4, 2) {
        return "'pc-dimm' is not a valid device model name";
    }
    "memory hotplug is not enabled: missing acpi-ged device"
}

/// The versioned machine type.
pub(super) fn machine_name(request: &Request) -> Result<String, VmmError> {
    Options::of(request, &[]).map(|options| options.name())
}

/// The rows that depend on the version and on options.
fn optional_rows(request: &Request, options: &Options, high: &High) -> Vec<Row> {
    let mut rows =
        vec![("virtio-mmio", RegionKind::VirtioMmio, 0xa00_0000, u64::from(options.transports) * 0x200)];
    let since = |rows: &'static [(Version, Row)]| {
        rows.iter().filter(|(since, _)| *since <= request.version).map(|&(_, row)| row)
    };
    rows.extend(since(LATER));
    if options.machine_smmu {
        rows.push(MACHINE_SMMU);
    }
    if options.device_smmu {
        rows.extend([DEVICE_SMMU, DEVICE_SMMU_REST]);
    } else {
        rows.push(PLATFORM_BUS);
    }
    if options.secure {
        rows.extend(since(SECURE));
    }
    if high.place(HighKind::Ecam).is_none() {
        rows.push(LOW_ECAM);
    }
    rows
}

/// Guest-physical address bits: KVM's, or those of the emulated CPU; 32 with `highmem=off`, which up to 6.2 governs the
/// PCI regions only.
fn address_bits(request: &Request, options: &Options) -> Result<u8, VmmError> {
    let bits = arm_cpu::bits(request)?;
    let all = options.highmem || request.version < Version::new(7, 0);
    Ok(if all { bits.min(64) } else { 32 })
}
