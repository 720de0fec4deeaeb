//! QEMU's arm `virt` machine: RAM from 1 GiB on, the area for modules above it, and above both the high redistributors,
//! the high ECAM and the 64-bit PCI window, as far as they fit (hw/arm/virt.c).

use super::arm_cpu;
use super::arm_gic;
use super::arm_options::{MMIO_SIZE, Options};
use super::qemu::{self, AREA_ALIGN, Memory, ModuleArea, Row};
use super::{
    BootRule, Choice, DimmRule, Disabled, Knob, MapRegion, MemoryMap, RegionKind, Request, UNKNOWN_HOST_BITS,
    Variant, VmmError, region, rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::size::{GIB, Size};
use crate::version::Version;

/// Where RAM starts.
const RAM: Gpa = Gpa::at(0x4000_0000);
/// The high regions never start below this (hw/arm/virt.c, `LEGACY_RAMLIMIT_BYTES`).
const HIGH_START: Gpa = Gpa::at(256 * GIB);
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
    ("pcdimm-acpi", RegionKind::Platform, 0x907_0000, 0x18),
    ("acpi-ged", RegionKind::Platform, 0x908_0000, 0x4),
    ("nvdimm-acpi", RegionKind::Platform, 0x909_0000, 0x4),
    ("pvtime", RegionKind::Platform, 0x90a_0000, 0x1_0000),
    ("pcie-mmio", RegionKind::Mmio32, 0x1000_0000, 0x2eff_0000),
    ("pcie-pio", RegionKind::Pio, 0x3eff_0000, 0x1_0000),
];
const LOW_ECAM: Row = ("pcie-ecam", RegionKind::Ecam, 0x3f00_0000, 0x100_0000);
const SECURE: &[Row] = &[
    ("secure-gpio", RegionKind::Platform, 0x90b_0000, 0x1000),
    ("secure-mem", RegionKind::Platform, 0xe00_0000, 0x100_0000),
];
const MACHINE_SMMU: Row = ("smmu", RegionKind::Smmu, 0x905_0000, 0x2_0000);
const PLATFORM_BUS: Row = ("platform-bus", RegionKind::Platform, 0xc00_0000, 0x200_0000);
/// `-device arm-smmuv3` takes the first free addresses of the platform bus.
const DEVICE_SMMU: Row = ("smmuv3", RegionKind::Smmu, 0xc00_0000, 0x2_0000);
const DEVICE_SMMU_REST: Row = ("platform-bus", RegionKind::Platform, 0xc02_0000, 0x1fe_0000);

/// What lies above RAM.
struct High {
    area: Option<Span<Gpa>>,
    placed: Vec<(HighKind, Span<Gpa>)>,
    disabled: Vec<Disabled>,
    top: Gpa,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum HighKind {
    Redists,
    Ecam,
    Mmio,
}

impl HighKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Redists => "gic-redist-high",
            Self::Ecam => "pcie-ecam-high",
            Self::Mmio => "pcie-mmio-high",
        }
    }

    const fn option(self) -> &'static str {
        match self {
            Self::Redists => "highmem-redists",
            Self::Ecam => "highmem-ecam",
            Self::Mmio => "highmem-mmio",
        }
    }

    const fn region_kind(self) -> RegionKind {
        match self {
            Self::Redists => RegionKind::Gicr,
            Self::Ecam => RegionKind::Ecam,
            Self::Mmio => RegionKind::Mmio64,
        }
    }
}

/// The memory map.
pub(super) fn memory_map(
    request: &Request,
    choice: &Choice,
    area: Option<ModuleArea>,
) -> Result<MemoryMap, VmmError> {
    let options = Options::of(request, &choice.knobs)?;
    let bits = address_bits(request, &options)?;
    let memory = qemu::memory(request, choice, area, |memory| area_start(memory.boot))?;
    let high = high_regions(request, &options, memory, bits)?;
    let gic = arm_gic::version(request, &options)?;
    let msi = arm_gic::msi(request, &options, gic)?;
    arm_gic::check_cpus(request, gic, &name(&options), high.place(HighKind::Redists).is_some())?;
    arm_gic::check_secure(request, &options)?;
    check_tags(request, &options)?;
    arm_gic::check_redists(request, gic, high.place(HighKind::Redists).is_some())?;

    let mut regions: Vec<MapRegion> = qemu::regions(LOW).collect();
    regions.extend(qemu::regions(&arm_gic::rows(&options, gic, msi)));
    regions.extend(qemu::regions(&optional_rows(&options, &high)));
    regions.extend(region("mem", RegionKind::Ram, RAM, memory.boot));
    if !choice.dimms.is_empty() && !has_modules(&options) {
        let text = "memory hotplug is not enabled: missing acpi-ged device";
        return Err(VmmError { dimm: Some(0), ..qemu::refusal(request.arch, rules::QEMU_DIMM, text) });
    }
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
    let Some(within) = Span::new(RAM, qemu::last_of(bits)) else {
        return Err(limited(request, bits, RAM));
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
    refusals.extend(arm_gic::check_secure(request, &options).err());
    match arm_gic::version(request, &options) {
        Err(refusal) => refusals.push(refusal),
        Ok(gic) => {
            refusals.extend(arm_gic::msi(request, &options, gic).err());
            let high = options.redists && options.highmem;
            refusals.extend(arm_gic::check_cpus(request, gic, &name(&options), high).err());
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

/// The versioned machine type.
pub(super) fn machine_name(request: &Request) -> Result<String, VmmError> {
    Options::of(request, &[]).map(|options| name(&options))
}

fn name(options: &Options) -> String {
    format!("virt-{}.{}", options.machine.major, options.machine.minor)
}

/// The rows that depend on options.
fn optional_rows(options: &Options, high: &High) -> Vec<Row> {
    let mut rows =
        vec![("virtio-mmio", RegionKind::VirtioMmio, 0xa00_0000, u64::from(options.transports) * 0x200)];
    if options.machine_smmu {
        rows.push(MACHINE_SMMU);
    }
    if options.device_smmu {
        rows.extend([DEVICE_SMMU, DEVICE_SMMU_REST]);
    } else {
        rows.push(PLATFORM_BUS);
    }
    if options.secure {
        rows.extend(SECURE);
    }
    if high.place(HighKind::Ecam).is_none() {
        rows.push(LOW_ECAM);
    }
    rows
}

/// Where the area for modules starts (hw/arm/virt.c, `virt_set_memmap`).
fn area_start(boot: Size) -> Option<Gpa> {
    RAM.checked_add(boot)?.align_up(AREA_ALIGN)
}

/// Everything above RAM (hw/arm/virt.c, `virt_set_memmap`).
fn high_regions(request: &Request, options: &Options, memory: Memory, bits: u8) -> Result<High, VmmError> {
    let too_huge = || qemu::refusal(request.arch, rules::QEMU_VIRT_LIMIT, "maxmem/slots too huge");
    let start = area_start(memory.boot).ok_or_else(too_huge)?;
    let size = qemu::area_size(memory).ok_or_else(too_huge)?;
    let top = start.checked_add(size).and_then(|end| end.align_up(AREA_ALIGN)).ok_or_else(too_huge)?;
    let highest = Gpa::new(top.get().saturating_sub(1));
    if highest > qemu::last_of(bits) {
        return Err(limited(request, bits, top));
    }
    let area = Span::from_start_size(start, size);
    let mut high = High { area, placed: vec![], disabled: vec![], top: highest };
    high.stack(options, top.max(HIGH_START), bits);
    Ok(high)
}

impl High {
    /// Puts the high regions one above the other, each aligned to its size (hw/arm/virt.c, `virt_set_high_memmap`).
    fn stack(&mut self, options: &Options, mut base: Gpa, bits: u8) {
        let wanted = [
            (HighKind::Redists, Size::mib(64), options.redists),
            (HighKind::Ecam, Size::mib(256), options.ecam),
            (HighKind::Mmio, options.mmio_size, options.mmio),
        ];
        for (kind, size, on) in wanted {
            let span = base.align_up(size).and_then(|start| Span::from_start_size(start, size));
            let fits = span.filter(|span| span.last() <= qemu::last_of(bits));
            match fits.filter(|_| on) {
                Some(span) => self.placed.push((kind, span)),
                None => self.disable(kind, reason(options, kind, span, bits, on)),
            }
            if options.compact && (fits.is_none() || !on) {
                continue;
            }
            // Without the compact layout a region that is off or does not fit still takes its place.
            self.top = fits.map_or(self.top, Span::last);
            let Some(end) = span.and_then(|span| span.last().checked_add(Size::from_bytes(1))) else { break };
            base = end;
        }
    }

    fn place(&self, wanted: HighKind) -> Option<Span<Gpa>> {
        self.placed.iter().find(|(kind, _)| *kind == wanted).map(|&(_, span)| span)
    }

    fn disable(&mut self, kind: HighKind, because: String) {
        self.disabled.push(Disabled { name: kind.name().into(), because });
    }

    /// The redistributors are there only when the low region has not enough of them.
    fn regions(&self, redists: bool) -> impl Iterator<Item = MapRegion> {
        self.placed
            .iter()
            .filter(move |(kind, _)| redists || *kind != HighKind::Redists)
            .map(|&(kind, span)| MapRegion { name: kind.name().into(), kind: kind.region_kind(), span })
    }
}

fn reason(options: &Options, kind: HighKind, span: Option<Span<Gpa>>, bits: u8, on: bool) -> String {
    if !options.highmem {
        return "highmem=off keeps every address below 4 GiB".into();
    }
    if !on && kind == HighKind::Ecam && options.machine <= Version::new(2, 12) {
        return format!("machine type {} has the low ECAM only", name(options));
    }
    if !on {
        return format!("{}=off", kind.option());
    }
    match span {
        Some(span) => format!("it would take {span}, beyond the {bits} bits of guest-physical addresses"),
        None => format!("it would end beyond the {bits} bits of guest-physical addresses"),
    }
}

/// Guest-physical address bits: KVM's, or those of the emulated CPU; 32 with `highmem=off`.
fn address_bits(request: &Request, options: &Options) -> Result<u8, VmmError> {
    let bits = if qemu::is_kvm(request) {
        request.ipa_bits.unwrap_or(UNKNOWN_HOST_BITS)
    } else {
        arm_cpu::address_bits(request)?
    };
    Ok(if options.highmem { bits.min(64) } else { 32 })
}

fn limited(request: &Request, bits: u8, end: Gpa) -> VmmError {
    let over = end.get().saturating_sub(1).saturating_sub(qemu::last_of(bits).get());
    let text = format!("Addressing limited to {bits} bits, but memory exceeds it by {over} bytes");
    qemu::refusal(request.arch, rules::QEMU_VIRT_LIMIT, text)
}
