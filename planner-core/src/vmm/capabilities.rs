//! Which VMMs the planner has a model of, and what each version can express. Data only.

use serde::Serialize;

use super::{Known, Request, VmmError, rules};
use crate::facts::Arch;
use crate::facts::guest::{Viommu, VmmKind};
use crate::version::Version;

/// What a VMM can do about its memory map, and how it treats host devices.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct Capabilities {
    /// It can give host devices to a guest (VFIO).
    pub passthrough: bool,
    /// RAM can start elsewhere.
    pub moves_ram: bool,
    /// Memory can be put at addresses of our choice beyond the boot memory.
    pub splits_ram: bool,
    /// The 32-bit PCI window can be given another place or size.
    pub moves_mmio32: bool,
    /// The 64-bit PCI window can be given another size; its place follows.
    pub sizes_mmio64: bool,
    /// There is a 64-bit PCI window at all.
    pub has_mmio64: bool,
    /// It keeps its RAM clear of the host's reserved regions by itself, those below 4 GiB at least.
    pub avoids_reserved: bool,
    /// It compares its RAM, its MMIO and the BARs with the host's reserved regions and dies on an overlap, even with a
    /// `direct-relaxable` region, which the kernel would let it map.
    pub refuses_reserved_overlap: bool,
    /// It maps BARs of passed devices into the IOMMU, for peer-to-peer.
    pub maps_bars: bool,
    /// A BAR that cannot be mapped ends it; otherwise it warns.
    pub bar_map_failure_is_fatal: bool,
    /// It can use iommufd.
    pub iommufd: bool,
    /// Memory can be added while the guest runs.
    pub hotplug: bool,
    /// Guest IOMMUs that work with passed devices.
    pub viommus: &'static [Viommu],
    /// Options that change the memory map, in the VMM's own words.
    pub knobs: Vec<&'static str>,
}

/// The newest version with a model.
#[must_use]
pub fn newest(kind: VmmKind) -> Version {
    match kind {
        VmmKind::Qemu => Version::new(11, 1),
        // kvmtool has no releases; this stands for its tree of July 2024 (b48735e5). Those of 2025, in which arm/ became
        // arm64/, have the same layouts and messages.
        VmmKind::Kvmtool => Version::new(2024, 7),
        // crosvm has none either (f1e797a6), and OpenVMM calls its interface unstable between versions.
        VmmKind::Crosvm => Version::new(2026, 8),
        VmmKind::Openvmm => Version::new(2026, 10),
        VmmKind::CloudHypervisor => Version::new(53, 0),
        VmmKind::Firecracker => Version::new(1, 17),
        VmmKind::Xen => Version::new(4, 21),
        VmmKind::Custom => Version::new(1, 0),
    }
}

/// Whether its version is a release, rather than the month of the tree that was read.
pub(super) fn has_releases(kind: VmmKind) -> bool {
    !matches!(kind, VmmKind::Kvmtool | VmmKind::Crosvm | VmmKind::Openvmm | VmmKind::Custom)
}

/// The oldest version with a model for this instruction set.
#[must_use]
pub fn oldest(kind: VmmKind, arch: Arch) -> Version {
    match kind {
        // Before 5.2 nothing was compared, and before 6.0 its PCI has no 64-bit window.
        VmmKind::Qemu if arch == Arch::Riscv64 => Version::new(5, 2),
        VmmKind::Qemu => Version::new(2, 12),
        VmmKind::Kvmtool | VmmKind::Crosvm | VmmKind::Openvmm | VmmKind::Custom => Version::new(0, 0),
        // Weights of segments came with 39.0, and no release notes since tell of another memory map. Before 34.0 huge pages
        // were cut at the hole.
        VmmKind::CloudHypervisor => Version::new(39, 0),
        // PCI, and with it the 64-bit window, came with 1.13.
        VmmKind::Firecracker => Version::new(1, 13),
        // direct-map came with 4.17, and the trees before were not compared.
        VmmKind::Xen => Version::new(4, 17),
    }
}

/// The VMMs with a model, by architecture and machine type.
#[must_use]
pub fn known() -> &'static [Known] {
    use VmmKind::{CloudHypervisor, Crosvm, Custom, Firecracker, Kvmtool, Openvmm, Qemu, Xen};
    const fn row(kind: VmmKind, arch: Arch, machine: &'static str) -> Known {
        Known { kind, arch, machine }
    }
    const ROWS: &[Known] = &[
        row(Qemu, Arch::Aarch64, "virt"),
        row(Qemu, Arch::X86_64, "q35"),
        row(Qemu, Arch::X86_64, "pc"),
        row(Qemu, Arch::Riscv64, "virt"),
        row(Kvmtool, Arch::Aarch64, ""),
        row(Kvmtool, Arch::X86_64, ""),
        row(Kvmtool, Arch::Riscv64, ""),
        row(Crosvm, Arch::Aarch64, ""),
        row(Crosvm, Arch::X86_64, ""),
        row(Crosvm, Arch::Riscv64, ""),
        row(CloudHypervisor, Arch::Aarch64, ""),
        row(CloudHypervisor, Arch::X86_64, ""),
        row(CloudHypervisor, Arch::Riscv64, ""),
        row(Firecracker, Arch::Aarch64, ""),
        row(Firecracker, Arch::X86_64, ""),
        row(Openvmm, Arch::Aarch64, "linux"),
        row(Openvmm, Arch::Aarch64, "uefi"),
        row(Openvmm, Arch::X86_64, "linux"),
        row(Openvmm, Arch::X86_64, "uefi"),
        row(Xen, Arch::Aarch64, "dom0less"),
        row(Xen, Arch::Aarch64, "direct-map"),
        row(Xen, Arch::X86_64, "hvm"),
        row(Custom, Arch::Aarch64, ""),
        row(Custom, Arch::X86_64, ""),
        row(Custom, Arch::Riscv64, ""),
    ];
    ROWS
}

/// What this version of a VMM can express on this architecture.
#[must_use]
pub fn capabilities(kind: VmmKind, version: Version, arch: Arch) -> Capabilities {
    match kind {
        VmmKind::Qemu => qemu(version, arch),
        VmmKind::Kvmtool => kvmtool(arch),
        VmmKind::Crosvm => crosvm(arch),
        VmmKind::CloudHypervisor => cloud_hypervisor(version, arch),
        VmmKind::Firecracker => Capabilities { has_mmio64: true, ..NOTHING },
        VmmKind::Openvmm => openvmm(),
        VmmKind::Xen => xen(arch),
        VmmKind::Custom => custom(),
    }
}

/// What the VMM of this request can express; for a `custom` one, as far as its description binds it.
#[must_use]
pub fn capabilities_of(request: &Request) -> Capabilities {
    let can = capabilities(request.kind, request.version, request.arch);
    match request.kind {
        VmmKind::Custom => Capabilities {
            maps_bars: super::custom::maps_bars(request),
            bar_map_failure_is_fatal: super::custom::dies(request),
            ..can
        },
        // Without direct-map the guest's banks have their own addresses, whatever the host's memory behind them.
        VmmKind::Xen if can.moves_ram && !super::is_direct_mapped(request) => {
            Capabilities { moves_ram: false, splits_ram: false, ..can }
        }
        _ => can,
    }
}

/// What a description may grant.
fn custom() -> Capabilities {
    Capabilities {
        passthrough: true,
        moves_ram: true,
        splits_ram: true,
        moves_mmio32: true,
        sizes_mmio64: true,
        has_mmio64: true,
        iommufd: true,
        hotplug: true,
        viommus: &[Viommu::None, Viommu::Virtio, Viommu::SmmuV3, Viommu::Intel],
        ..NOTHING
    }
}

/// A VMM that can do nothing of all this.
const NOTHING: Capabilities = Capabilities {
    passthrough: false,
    moves_ram: false,
    splits_ram: false,
    moves_mmio32: false,
    sizes_mmio64: false,
    has_mmio64: false,
    avoids_reserved: false,
    refuses_reserved_overlap: false,
    maps_bars: false,
    bar_map_failure_is_fatal: false,
    iommufd: false,
    hotplug: false,
    viommus: &[Viommu::None],
    knobs: Vec::new(),
};

/// iommufd came with 9.0, accelerated SMMUv3 with 11.0, highmem-mmio-size with 10.0, modules on Arm with 4.2 (each
/// release's ChangeLog).
fn qemu(version: Version, arch: Arch) -> Capabilities {
    let since = |major, minor| version >= Version::new(major, minor);
    let (arm, x86) = (arch == Arch::Aarch64, arch == Arch::X86_64);
    let has_modules = x86 || (arm && since(4, 2));
    Capabilities {
        passthrough: true,
        moves_ram: false,
        splits_ram: has_modules,
        moves_mmio32: x86,
        sizes_mmio64: x86 || (arm && since(10, 0)),
        // hw/riscv/virt.c: "Map high mmio for PCIe".
        has_mmio64: arm || x86 || since(6, 0),
        avoids_reserved: false,
        refuses_reserved_overlap: false,
        maps_bars: true,
        bar_map_failure_is_fatal: false,
        iommufd: since(9, 0),
        hotplug: has_modules,
        viommus: qemu_viommus(version, arch),
        knobs: qemu_knobs(version, arch),
    }
}

/// virtio-iommu tells VFIO of its mappings since 5.2 (hw/virtio/virtio-iommu.c, `virtio_iommu_replay`), and machines
/// with ACPI have it since 6.2 on x86 and 7.0 on Arm (hw/acpi/viot.c; hw/arm/virt.c, `virt_machine_get_hotplug_handler`).
fn qemu_viommus(version: Version, arch: Arch) -> &'static [Viommu] {
    let since = |major, minor| version >= Version::new(major, minor);
    match arch {
        Arch::Aarch64 if since(11, 0) => &[Viommu::None, Viommu::Virtio, Viommu::SmmuV3],
        Arch::Aarch64 if since(5, 2) => &[Viommu::None, Viommu::Virtio],
        Arch::X86_64 if since(6, 2) => &[Viommu::None, Viommu::Virtio, Viommu::Intel],
        Arch::X86_64 => &[Viommu::None, Viommu::Intel],
        // hw/riscv/virt.c, create_fdt_virtio_iommu; before, the machine takes none.
        Arch::Riscv64 if since(9, 0) => &[Viommu::None, Viommu::Virtio],
        Arch::Aarch64 | Arch::Riscv64 => &[Viommu::None],
    }
}

fn qemu_knobs(version: Version, arch: Arch) -> Vec<&'static str> {
    let since = |major, minor| version >= Version::new(major, minor);
    match arch {
        Arch::Aarch64 => {
            let mut knobs = vec!["highmem=", "gic-version=", "its="];
            if since(4, 2) {
                knobs.splice(0..0, ["-device pc-dimm,addr=", "-m maxmem=,slots="]);
            }
            if since(8, 0) {
                knobs.extend(["highmem-ecam=", "highmem-mmio=", "highmem-redists=", "compact-highmem="]);
            }
            if since(10, 0) {
                knobs.push("highmem-mmio-size=");
            }
            if since(11, 0) {
                knobs.push("msi=");
            }
            knobs
        }
        Arch::X86_64 => vec![
            "-device pc-dimm,addr=",
            "-m maxmem=,slots=",
            "max-ram-below-4g=",
            "-global q35-pcihost.pci-hole64-size=",
            "-cpu phys-bits=",
        ],
        Arch::Riscv64 if since(10, 0) => vec!["aia=", "aia-guests=", "iommu-sys="],
        Arch::Riscv64 => vec!["aia=", "aia-guests="],
    }
}

/// kvmtool compares what it maps with `reserved_regions` (vfio/core.c, `vfio_group_get_reserved_regions`), whatever
/// their type.
fn kvmtool(arch: Arch) -> Capabilities {
    let arm = arch == Arch::Aarch64;
    Capabilities {
        passthrough: true,
        moves_ram: arm,
        refuses_reserved_overlap: true,
        knobs: if arm { vec!["--mem SIZE@ADDR", "--irqchip"] } else { vec![] },
        ..NOTHING
    }
}

/// BARs of PCI devices are not mapped into the IOMMU (devices/src/pci/vfio_pci.rs). On riscv64 the device tree knows no
/// IOMMU and nothing can be moved (riscv64/src/lib.rs, `Error::PciMemNotConfigurable`).
fn crosvm(arch: Arch) -> Capabilities {
    let knobs = match arch {
        Arch::Aarch64 => vec!["--pci mem=[start=,size=]", "--pci cam=[start=]"],
        Arch::X86_64 => vec!["--pci mem=[start=,size=]", "--pci ecam=[start=,size=]"],
        Arch::Riscv64 => vec![],
    };
    Capabilities {
        passthrough: true,
        moves_mmio32: arch != Arch::Riscv64,
        has_mmio64: true,
        viommus: if arch == Arch::Riscv64 { &[Viommu::None] } else { &[Viommu::None, Viommu::Virtio] },
        knobs,
        ..NOTHING
    }
}

/// A BAR that cannot be mapped ends the VMM (pci/src/vfio.rs, `map_mmio_regions`). On riscv64 the device tree names no
/// virtio-iommu (arch/src/riscv64/fdt.rs).
fn cloud_hypervisor(version: Version, arch: Arch) -> Capabilities {
    let modern = version >= super::cloud_hypervisor::IOMMUFD_SINCE;
    let mut knobs = vec![
        "--cpus max_phys_bits=",
        "--memory hotplug_size=",
        "--platform num_pci_segments=",
        "--pci-segment mmio32_aperture_weight=,mmio64_aperture_weight=",
    ];
    if modern {
        knobs.push("--platform vfio_p2p_dma=");
    }
    Capabilities {
        passthrough: true,
        sizes_mmio64: true,
        has_mmio64: true,
        maps_bars: true,
        bar_map_failure_is_fatal: true,
        iommufd: modern,
        hotplug: true,
        viommus: if arch == Arch::Riscv64 { &[Viommu::None] } else { &[Viommu::None, Viommu::Virtio] },
        knobs,
        ..NOTHING
    }
}

/// Passed devices cannot lie behind its emulated IOMMUs (Guide, "SMMU": "VFIO devices therefore cannot currently be placed
/// behind an SMMU-covered root complex").
fn openvmm() -> Capabilities {
    Capabilities {
        passthrough: true,
        moves_mmio32: true,
        sizes_mmio64: true,
        has_mmio64: true,
        iommufd: true,
        knobs: vec!["--pcie-root-complex rc0,low_mmio=,high_mmio="],
        ..NOTHING
    }
}

/// On x86 libxl keeps RAM below 4 GiB clear of reserved device memory, see [`super::xen_hvm`], and BARs lie in the page
/// tables that the IOMMU shares (xen/include/xen/iommu.h, `iommu_use_hap_pt`). On arm64 a domain gets no PCI function, only
/// what its partial device tree names (docs/misc/arm/passthrough.txt; SUPPORT.md, "ARM/Non-PCI device passthrough").
fn xen(arch: Arch) -> Capabilities {
    let x86 = arch == Arch::X86_64;
    Capabilities {
        passthrough: x86,
        moves_ram: !x86,
        splits_ram: !x86,
        moves_mmio32: x86,
        has_mmio64: true,
        avoids_reserved: x86,
        maps_bars: x86,
        knobs: if x86 {
            vec!["mmio_hole=", "rdm_mem_boundary=", "pci=[\"…,rdm_policy=\"]"]
        } else {
            vec!["xen,static-mem", "direct-map"]
        },
        ..NOTHING
    }
}

/// Refuses versions without a model. Newer ones are taken as the newest known.
pub(super) fn check_version(request: &Request) -> Result<(), VmmError> {
    let (kind, version) = (request.kind, request.version);
    let oldest = oldest(kind, request.arch);
    if version >= oldest {
        return Ok(());
    }
    let text = format!("the planner has no model of {kind} {version}, only of {oldest} and newer");
    Err(VmmError { text, rule: rules::VERSION.into(), dimm: None })
}
