//! What QEMU's arm `virt` machine has above its RAM: the area for modules, the high redistributors, the high ECAM and the
//! 64-bit PCI window. Three generations of it: at fixed addresses up to 3.1, behind RAM up to 6.2, and since 7.0 as far
//! as they fit the address bits (hw/arm/virt.c).

use super::arm_cpu;
use super::arm_options::{MMIO_SIZE, Options};
use super::qemu::{self, AREA_ALIGN, Memory};
use super::{Disabled, MapRegion, RegionKind, Request, VmmError, rules};
use crate::addr::{Address, Gpa, Span};
use crate::size::{GIB, Size};
use crate::version::Version;

/// Where RAM starts.
pub(super) const RAM: Gpa = Gpa::at(0x4000_0000);
/// The high regions never start below this (hw/arm/virt.c, `LEGACY_RAMLIMIT_BYTES`); at fixed addresses, RAM ends here.
pub(super) const HIGH_START: Gpa = Gpa::at(256 * GIB);
/// What KVM gives a machine that does not ask for another number of bits (arch/arm64/kvm/mmu.c, `KVM_PHYS_SHIFT`).
const DEFAULT_IPA_BITS: u8 = 40;
const REDISTS_SIZE: Size = Size::mib(64);
const ECAM_SIZE: Size = Size::mib(256);

/// How a version of QEMU places what lies above RAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Generation {
    /// At fixed addresses, so that RAM ends at 256 GiB (`a15memmap`).
    Fixed,
    /// Behind RAM, and more than the address bits reach is refused (`virt_set_memmap`, `virt_cpu_post_init`,
    /// `virt_kvm_type`).
    Stacked,
    /// Behind RAM, and what the address bits do not reach is left out (`virt_set_high_memmap`).
    Fitted,
}

impl Generation {
    fn of(version: Version) -> Self {
        match version {
            version if version < Version::new(4, 0) => Self::Fixed,
            version if version < Version::new(7, 0) => Self::Stacked,
            _ => Self::Fitted,
        }
    }
}

/// What lies above RAM.
pub(super) struct High {
    /// The area for modules.
    pub(super) area: Option<Span<Gpa>>,
    /// What was left out.
    pub(super) disabled: Vec<Disabled>,
    /// The last address that the address bits must reach.
    pub(super) top: Gpa,
    /// The high regions that are there.
    placed: Vec<(HighKind, Span<Gpa>)>,
}

/// A high region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HighKind {
    /// Redistributors.
    Redists,
    /// PCI configuration space.
    Ecam,
    /// The 64-bit PCI window.
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

/// Where the area for modules starts (hw/arm/virt.c, `virt_set_memmap`).
pub(super) fn area_start(boot: Size) -> Option<Gpa> {
    RAM.checked_add(boot)?.align_up(AREA_ALIGN)
}

/// Everything above RAM. Refuses memory that cannot be placed; with an emulated CPU, QEMU 4.0 to 6.2 look at the address
/// bits later ([`check_model`]).
pub(super) fn regions(
    request: &Request,
    options: &Options,
    memory: Memory,
    bits: u8,
) -> Result<High, VmmError> {
    if Generation::of(request.version) == Generation::Fixed {
        check_default_ipa(request)?;
        return Ok(fixed(request, options));
    }
    let too_huge = || qemu::refusal(request.arch, rules::QEMU_VIRT_LIMIT, "maxmem/slots too huge");
    let start = area_start(memory.boot).ok_or_else(too_huge)?;
    let size = qemu::area_size(memory).ok_or_else(too_huge)?;
    let top = start.checked_add(size).and_then(|end| end.align_up(AREA_ALIGN)).ok_or_else(too_huge)?;
    let highest = Gpa::new(top.get().saturating_sub(1));
    let fitted = Generation::of(request.version) == Generation::Fitted;
    if fitted && highest > qemu::last_of(bits) {
        return Err(limited(request, bits, top));
    }
    let area = Span::from_start_size(start, size);
    let mut high = High { area, placed: vec![], disabled: vec![], top: highest };
    if fitted {
        high.fit(options, top.max(HIGH_START), bits);
    } else {
        high.pile(options, top.max(HIGH_START)).ok_or_else(too_huge)?;
        check_ipa(request, &high, bits)?;
    }
    Ok(high)
}

/// Whether there are high redistributors (hw/arm/virt.c, `virt_redist_capacity`; up to 6.2 whatever `highmem=`).
pub(super) fn has_redists(request: &Request, options: &Options) -> bool {
    match Generation::of(request.version) {
        Generation::Fixed => request.version >= Version::new(3, 0),
        Generation::Stacked => true,
        Generation::Fitted => options.redists && options.highmem,
    }
}

/// The last address that memory, its area for modules included, can have at most.
pub(super) fn last_of_memory(request: &Request, bits: u8) -> Gpa {
    let last = qemu::last_of(bits);
    match Generation::of(request.version) {
        Generation::Fixed => Gpa::new(HIGH_START.get() - 1),
        Generation::Fitted => last,
        Generation::Stacked => {
            // The window takes the last 512 GiB, the high ECAM and redistributors some of the gibibyte below.
            let above = MMIO_SIZE.bytes().saturating_add(GIB);
            Gpa::new(last.get().saturating_sub(above).max(RAM.get()))
        }
    }
}

/// The addresses of `a15memmap`. Of these regions only those of PCI obey `highmem=off`.
fn fixed(request: &Request, options: &Options) -> High {
    let last = qemu::last_of(DEFAULT_IPA_BITS);
    let mut high = High { area: None, placed: vec![], disabled: vec![], top: last };
    let has_more_than_mmio = request.version >= Version::new(3, 0);
    let rows = [
        (HighKind::Redists, HIGH_START, REDISTS_SIZE, has_more_than_mmio),
        (HighKind::Ecam, Gpa::at(0x40_1000_0000), ECAM_SIZE, has_more_than_mmio && options.ecam),
        (HighKind::Mmio, Gpa::at(0x80_0000_0000), MMIO_SIZE, true),
    ];
    for (kind, start, size, on) in rows {
        high.put(options, kind, Span::from_start_size(start, size), on);
    }
    high
}

/// Refuses more memory than there is room for at fixed addresses (hw/arm/virt.c up to 3.1, `machvirt_init`).
pub(super) fn check_memory(request: &Request, memory: Memory) -> Result<(), VmmError> {
    let most = Size::gib(255);
    if Generation::of(request.version) != Generation::Fixed || memory.boot <= most {
        return Ok(());
    }
    let text = format!("mach-virt: cannot model more than {}GB RAM", most.bytes() / GIB);
    Err(qemu::refusal(request.arch, rules::QEMU_VIRT_LIMIT, text))
}

/// Refuses a map beyond the address bits of an emulated 64-bit CPU (hw/arm/virt.c of 4.0 to 6.2,
/// `virt_cpu_post_init`; up to 5.1 `machvirt_init`).
pub(super) fn check_model(
    request: &Request,
    options: &Options,
    high: &High,
    bits: u8,
) -> Result<(), VmmError> {
    let wanted = qemu::bits_of(high.top);
    let looks = Generation::of(request.version) == Generation::Stacked
        && !qemu::is_kvm(request)
        && !arm_cpu::is_32_bit(request)
        && options.highmem;
    if !looks || wanted <= bits {
        return Ok(());
    }
    let text = format!("VCPU supports less PA bits ({bits}) than requested by the memory map ({wanted})");
    Err(qemu::refusal(request.arch, rules::QEMU_VIRT_LIMIT, text))
}

/// Refuses a map beyond what KVM offers, whatever `highmem=` says (hw/arm/virt.c of 4.0 to 6.2, `virt_kvm_type`).
fn check_ipa(request: &Request, high: &High, bits: u8) -> Result<(), VmmError> {
    let wanted = qemu::bits_of(high.top);
    if !qemu::is_kvm(request) || wanted <= bits {
        return Ok(());
    }
    let text = format!(
        "-m and ,maxmem option values require an IPA range ({wanted} bits) larger than the one supported by the host \
         ({bits} bits)"
    );
    Err(qemu::refusal(request.arch, rules::QEMU_VIRT_LIMIT, text))
}

/// Before 4.0 QEMU asks KVM for no number of bits, and KVM makes it 40 or nothing (arch/arm64/kvm/mmu.c,
/// `kvm_init_ipa_range`; accel/accel.c, `accel_init_machine`).
fn check_default_ipa(request: &Request) -> Result<(), VmmError> {
    if !qemu::is_kvm(request) || request.ipa_bits.is_none_or(|bits| bits >= DEFAULT_IPA_BITS) {
        return Ok(());
    }
    let text = "failed to initialize KVM: Invalid argument";
    Err(qemu::refusal(request.arch, rules::QEMU_VIRT_LIMIT, text))
}

impl High {
    /// One above the other, each aligned to its size, and each takes its place even where it is off. Only the PCI
    /// regions obey `highmem=off`. `None` past the end of all addresses.
    fn pile(&mut self, options: &Options, mut base: Gpa) -> Option<()> {
        let wanted = [
            (HighKind::Redists, REDISTS_SIZE, true),
            (HighKind::Ecam, ECAM_SIZE, options.ecam),
            (HighKind::Mmio, MMIO_SIZE, true),
        ];
        for (kind, size, on) in wanted {
            let span = Span::from_start_size(base.align_up(size)?, size)?;
            self.put(options, kind, Some(span), on);
            self.top = span.last();
            base = span.last().checked_add(Size::from_bytes(1)).unwrap_or(span.last());
        }
        Some(())
    }

    /// A region that lies where it lies, unless it is switched off.
    fn put(&mut self, options: &Options, kind: HighKind, span: Option<Span<Gpa>>, on: bool) {
        let obeys = kind != HighKind::Redists;
        match span.filter(|_| on && (options.highmem || !obeys)) {
            Some(span) => self.placed.push((kind, span)),
            None => self.disable(kind, off(options, kind)),
        }
    }

    /// Puts the high regions one above the other, each aligned to its size, as far as they fit (hw/arm/virt.c,
    /// `virt_set_high_memmap`).
    fn fit(&mut self, options: &Options, mut base: Gpa, bits: u8) {
        let wanted = [
            (HighKind::Redists, REDISTS_SIZE, options.redists),
            (HighKind::Ecam, ECAM_SIZE, options.ecam),
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

    /// Where a region lies, if it is there.
    pub(super) fn place(&self, wanted: HighKind) -> Option<Span<Gpa>> {
        self.placed.iter().find(|(kind, _)| *kind == wanted).map(|&(_, span)| span)
    }

    fn disable(&mut self, kind: HighKind, because: String) {
        self.disabled.push(Disabled { name: kind.name().into(), because });
    }

    /// The redistributors are there only when the low region has not enough of them.
    pub(super) fn regions(&self, redists: bool) -> impl Iterator<Item = MapRegion> {
        self.placed
            .iter()
            .filter(move |(kind, _)| redists || *kind != HighKind::Redists)
            .map(|&(kind, span)| MapRegion { name: kind.name().into(), kind: kind.region_kind(), span })
    }
}

/// Why a region is not there although the address bits would reach it.
fn off(options: &Options, kind: HighKind) -> String {
    if !options.highmem {
        return "highmem=off keeps every address below 4 GiB".into();
    }
    if kind == HighKind::Mmio {
        return format!("{}=off", kind.option());
    }
    if kind == HighKind::Ecam && options.machine <= Version::new(2, 12) {
        return format!("machine type {} has the low ECAM only", options.name());
    }
    if options.machine <= Version::new(2, 12) {
        return "QEMU has had it since 3.0".into();
    }
    format!("{}=off", kind.option())
}

fn reason(options: &Options, kind: HighKind, span: Option<Span<Gpa>>, bits: u8, on: bool) -> String {
    if !options.highmem || !on {
        return off(options, kind);
    }
    match span {
        Some(span) => format!("it would take {span}, beyond the {bits} bits of guest-physical addresses"),
        None => format!("it would end beyond the {bits} bits of guest-physical addresses"),
    }
}

/// The refusal of memory that ends at `end`.
pub(super) fn limited(request: &Request, bits: u8, end: Gpa) -> VmmError {
    let over = end.get().saturating_sub(1).saturating_sub(qemu::last_of(bits).get());
    let text = format!("Addressing limited to {bits} bits, but memory exceeds it by {over} bytes");
    qemu::refusal(request.arch, rules::QEMU_VIRT_LIMIT, text)
}
