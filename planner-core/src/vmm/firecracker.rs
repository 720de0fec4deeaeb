//! Firecracker: RAM around a 32-bit and a 64-bit PCI window, nothing to turn. It passes no host devices through, so a plan
//! can be made for it only when none is asked for.
//!
//! Read in its tree of August 2026 (1.17-dev, 81b38b9d). Its memory hotplug (`memory-hotplug`, virtio-mem) is left out.

use super::fixed::{address_bits, filled, refusal, refuse_cut_pages, refuse_foreign, refuse_modules};
use super::qemu::{self, Row};
use super::{BootRule, Choice, MapRegion, MemoryMap, RegionKind, Request, Variant, VmmError, region, rules};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::size::{MIB, Size};

/// src/vmm/src/vmm_config/machine_config.rs, `MAX_SUPPORTED_VCPUS`.
const MOST_VCPUS: u32 = 32;
/// src/vmm/src/arch/*/layout.rs, `MMIO64_MEM_START` and `MMIO64_MEM_SIZE`: RAM goes on behind it.
const WINDOW64: Row = ("mmio64", RegionKind::Mmio64, 0x40_0000_0000, 0x40_0000_0000);

/// src/vmm/src/arch/aarch64/layout.rs.
const ARM: &[Row] = &[
    ("gic-dist", RegionKind::Gicd, ARM_GIC_DIST, 0x1_0000),
    ("boot-timer", RegionKind::Platform, 0x4000_0000, 0x1000),
    ("rtc", RegionKind::Platform, 0x4000_1000, 0x1000),
    ("serial", RegionKind::Platform, 0x4000_2000, 0x1000),
    ("mmio32", RegionKind::Mmio32, 0x4000_3000, 0x2fff_d000),
    ("pcie-ecam", RegionKind::Ecam, 0x7000_0000, 0x1000_0000),
    WINDOW64,
];
const ARM_GIC_DIST: u64 = 0x3fff_0000;
const ARM_REDIST_SIZE: u64 = 0x2_0000;
const ARM_ITS_SIZE: u64 = 0x2_0000;
/// The same file, `DRAM_MEM_START` and `DRAM_MEM_MAX_SIZE`: 1022 GiB in all.
const ARM_RAM: &[(u64, u64)] = &[(0x8000_0000, 0x3f_ffff_ffff), (0x80_0000_0000, 0x13f_ffff_ffff)];
const ARM_MOST: Size = Size::gib(1022);

/// src/vmm/src/arch/x86_64/layout.rs.
const X86: &[Row] = &[
    ("mmio32", RegionKind::Mmio32, 0xc000_1000, 0x2ebf_f000),
    ("pcie-ecam", RegionKind::Ecam, 0xeec0_0000, 0x1000_0000),
    ("ioapic", RegionKind::Platform, 0xfec0_0000, 0x1000),
    ("apic-msi", RegionKind::Msi, 0xfee0_0000, 0x10_0000),
    WINDOW64,
];
const X86_RAM: &[(u64, u64)] =
    &[(0, 0xbfff_ffff), (0x1_0000_0000, 0x3f_ffff_ffff), (0x80_0000_0000, u64::MAX)];

/// The memory map.
pub(super) fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    if let Some(refusal) = check(request).into_iter().next() {
        return Err(refusal);
    }
    refuse_modules(request, choice, rules::FIRECRACKER_RAM)?;
    let ram = filled(&["ram0", "ram1", "ram2"], &spans(request.arch), choice.boot).ok_or_else(|| {
        // src/vmm/src/arch/aarch64/mod.rs, `arch_memory_regions`: a warning, and a smaller guest than was asked for.
        let (asked, most) = (choice.boot.bytes(), ARM_MOST.bytes());
        let text = format!(
            "Requested memory size {asked} exceeds architectural maximum (1022GiB). Size has been truncated to {most}"
        );
        refusal(rules::FIRECRACKER_RAM, text)
    })?;
    let mut regions: Vec<MapRegion> = match request.arch {
        Arch::Aarch64 => qemu::regions(ARM).chain(gic(request)).collect(),
        _ => qemu::regions(X86).collect(),
    };
    regions.extend(ram);
    refuse_cut_pages(request, &regions, rules::FIRECRACKER_RAM)?;
    let last = regions.iter().map(|region| region.span.last()).max().unwrap_or(Gpa::at(0));
    let needed_bits = qemu::bits_of(last);
    let offered = address_bits(request, 64);
    if request.ipa_bits.is_some() && needed_bits > offered {
        let text = format!("the guest needs {needed_bits} address bits, and the hypervisor offers {offered}");
        return Err(refusal(rules::FIRECRACKER_RAM, text));
    }
    Ok(MemoryMap { regions, needed_bits, ..MemoryMap::default() })
}

/// The one setting.
pub(super) fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    if let Some(refusal) = check(request).into_iter().next() {
        return Err(refusal);
    }
    let boot = BootRule::Fixed { spans: spans(request.arch), rule: rules::FIRECRACKER_RAM };
    Ok(vec![Variant { knobs: vec![], boot, dimms: None, room: None }])
}

/// What Firecracker refuses about the machine (src/vmm/src/vmm_config/machine_config.rs, `MachineConfigError`).
pub(super) fn check(request: &Request) -> Vec<VmmError> {
    let mut found: Vec<VmmError> =
        refuse_foreign(request, rules::FIRECRACKER_RAM).err().into_iter().collect();
    if request.vcpus > MOST_VCPUS {
        let text = "The vCPU number is invalid! The vCPU number can only be 1 or an even number when SMT is enabled.";
        found.push(refusal(rules::FIRECRACKER_VCPUS, text));
    }
    if !request.memory.bytes().is_multiple_of(MIB) {
        found.push(refusal(rules::FIRECRACKER_RAM, "The memory size (MiB) is invalid."));
    }
    found
}

fn spans(arch: Arch) -> Vec<Span<Gpa>> {
    let rows = if arch == Arch::Aarch64 { ARM_RAM } else { X86_RAM };
    rows.iter().filter_map(|&(first, last)| Span::of(first, last)).collect()
}

/// The redistributors below the distributor and the ITS below them.
fn gic(request: &Request) -> impl Iterator<Item = MapRegion> {
    let size = u64::from(request.vcpus.min(MOST_VCPUS)) * ARM_REDIST_SIZE;
    let redist = ARM_GIC_DIST - size;
    let its = Gpa::new(redist - ARM_ITS_SIZE);
    let redist = region("gic-redist", RegionKind::Gicr, Gpa::new(redist), Size::from_bytes(size));
    redist.into_iter().chain(region("gic-its", RegionKind::Its, its, Size::from_bytes(ARM_ITS_SIZE)))
}
