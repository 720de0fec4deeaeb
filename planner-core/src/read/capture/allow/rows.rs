//! The rows of the allow-list. `planner capture --list` prints them and `planner capture --script` is made of them.

use super::{Access, GROUND_TRUTH, MANIFEST, Place, Row, Take};

const fn row(place: Place, pattern: &'static str, take: Take, why: &'static str) -> Row {
    Row { place, pattern, take, access: Access::Anyone, why }
}

/// A row of a file that only root reads.
const fn root(pattern: &'static str, take: Take, why: &'static str) -> Row {
    Row { place: Place::Root, pattern, take, access: Access::Root, why }
}

/// A row of a file of which others than root see a part.
const fn partly(place: Place, pattern: &'static str, take: Take, why: &'static str) -> Row {
    Row { place, pattern, take, access: Access::Partly, why }
}

/// A row of a file that whoever makes a capture adds.
const fn recorded(pattern: &'static str, take: Take, why: &'static str) -> Row {
    Row { place: Place::Root, pattern, take, access: Access::Capture, why }
}

/// One page of 64 KiB: no attribute of sysfs is longer.
pub(super) const ATTRIBUTE: Take = Take::File(64 * 1024);
/// The longest `proc/iomem` that is read. Servers with thousands of functions have a few hundred KiB.
pub(super) const IOMEM: Take = Take::File(4 * 1024 * 1024);
/// The longest device tree. Linux takes up to 2 MiB on arm64 (`MAX_FDT_SIZE` in arch/arm64/include/asm/boot.h) and names
/// no bound elsewhere.
const DEVICE_TREE: Take = Take::File(4 * 1024 * 1024);
/// The longest table. An MADT or SRAT of thousands of processors stays below 200 KiB.
const TABLE: Take = Take::File(1024 * 1024);
/// PCI Express configuration space (PCIe Base Specification 7.2.1).
const CONFIG: Take = Take::File(4096);

/// The allow-list.
pub const ROWS: &[Row] = &[
    recorded(MANIFEST, Take::File(4 * 1024 * 1024), "what a capture holds, lacks and had redacted"),
    recorded("uname.txt", ATTRIBUTE, "release and architecture, in captures made by hand"),
    recorded(
        GROUND_TRUTH,
        Take::File(4 * 1024 * 1024),
        "what VFIO and iommufd answered, where a program recorded it; no fact comes from it",
    ),
    row(Place::Root, "proc/version", ATTRIBUTE, "release of the kernel, on which most rules depend"),
    row(Place::Root, "proc/cmdline", ATTRIBUTE, "switches of IOMMU, VFIO and PCI"),
    partly(Place::Root, "proc/iomem", IOMEM, "RAM, windows of host bridges, registers of IOMMUs and GIC"),
    row(Place::Root, "proc/meminfo", ATTRIBUTE, "page size: the amounts are multiples of it"),
    // One processor is enough, and a large machine lists a thousand.
    row(Place::Root, "proc/cpuinfo", Take::Head(4096), "architecture and physical address bits"),
    row(Place::Root, "proc/sys/kernel/arch", ATTRIBUTE, "architecture"),
    row(Place::Root, "proc/sys/kernel/osrelease", ATTRIBUTE, "release of the kernel"),
    root("sys/firmware/fdt", DEVICE_TREE, "device tree: GIC, ITS, SMMU, host bridges, IDs, reserved memory"),
    root("sys/firmware/acpi/tables/APIC#", TABLE, "MADT: GIC, ITS and GICv2m frames, IOAPICs"),
    root("sys/firmware/acpi/tables/IORT#", TABLE, "Arm: SMMUs, stream and device IDs, RMR regions"),
    root("sys/firmware/acpi/tables/MCFG#", TABLE, "segments and buses of host bridges"),
    root("sys/firmware/acpi/tables/DMAR#", TABLE, "Intel VT-d: remapping units, their devices, RMRR regions"),
    root("sys/firmware/acpi/tables/IVRS#", TABLE, "AMD-Vi: IOMMUs, their devices, aliases, IVMD regions"),
    root("sys/firmware/acpi/tables/VIOT#", TABLE, "virtio-iommu and its devices"),
    root("sys/firmware/acpi/tables/RIMT#", TABLE, "RISC-V: IOMMUs and their devices"),
    root("sys/firmware/acpi/tables/RHCT#", TABLE, "RISC-V: what the harts can do"),
    root("sys/firmware/acpi/tables/SRAT#", TABLE, "NUMA nodes of memory"),
    row(Place::Root, "sys/kernel/iommu_groups", Take::Presence, "whether there are IOMMU groups"),
    row(Place::Root, "sys/kernel/iommu_groups/*", Take::Presence, "numbers of the IOMMU groups"),
    row(Place::Root, "sys/kernel/iommu_groups/*/type", ATTRIBUTE, "type of the default domain"),
    row(
        Place::Root,
        "sys/kernel/iommu_groups/*/reserved_regions",
        ATTRIBUTE,
        "what the kernel says it reserves",
    ),
    row(
        Place::Root,
        "sys/kernel/iommu_groups/*/devices/*",
        Take::Presence,
        "which devices share an IOMMU group",
    ),
    row(Place::Root, "sys/bus/pci/devices", Take::Presence, "whether there is PCI"),
    row(
        Place::Root,
        "sys/bus/pci/devices/*",
        Take::Presence,
        "PCI functions and, by the link, what is above them",
    ),
    row(Place::Root, "sys/class/iommu/*", Take::Presence, "IOMMUs; the name tells the kind"),
    row(Place::Root, "sys/class/misc/iommu", Take::Presence, "whether iommufd is there"),
    row(Place::Root, "sys/module/iommufd", Take::Presence, "whether iommufd is there"),
    row(
        Place::Root,
        "sys/module/iommufd/parameters/allow_unsafe_interrupts",
        ATTRIBUTE,
        "whether iommufd accepts MSIs that are not isolated",
    ),
    row(
        Place::Root,
        "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
        ATTRIBUTE,
        "whether VFIO accepts MSIs that are not isolated",
    ),
    row(Place::Function, "vendor", ATTRIBUTE, "vendor ID"),
    row(Place::Function, "device", ATTRIBUTE, "device ID"),
    row(Place::Function, "class", ATTRIBUTE, "class: bridges, display, USB and so on"),
    row(Place::Function, "numa_node", ATTRIBUTE, "NUMA node"),
    row(Place::Function, "resource", ATTRIBUTE, "base address registers with sizes, windows of bridges"),
    partly(
        Place::Function,
        "config",
        CONFIG,
        "bus addresses, bridge buses, MSI, ACS, SR-IOV, ATS; others than root see 64 bytes",
    ),
    row(Place::Function, "sriov_totalvfs", ATTRIBUTE, "number of virtual functions that there can be"),
    row(Place::Function, "sriov_numvfs", ATTRIBUTE, "number of virtual functions that there are"),
    row(Place::Function, "sriov_offset", ATTRIBUTE, "where the first virtual function is"),
    row(Place::Function, "sriov_stride", ATTRIBUTE, "how far apart virtual functions are"),
    row(Place::Function, "sriov_vf_device", ATTRIBUTE, "device ID of the virtual functions"),
    row(Place::Function, "physfn", Take::Link, "the physical function of a virtual one"),
    row(Place::Function, "iommu", Take::Link, "the IOMMU of the function"),
    row(Place::Iommu, "intel-iommu/cap", ATTRIBUTE, "VT-d capabilities: widths, page sizes"),
    row(Place::Iommu, "intel-iommu/ecap", ATTRIBUTE, "VT-d capabilities: interrupt remapping, scalable mode"),
    row(Place::Iommu, "intel-iommu/version", ATTRIBUTE, "VT-d version"),
    row(Place::Iommu, "intel-iommu/address", ATTRIBUTE, "where its registers are"),
    row(Place::Iommu, "amd-iommu/cap", ATTRIBUTE, "AMD-Vi capabilities"),
    row(Place::Iommu, "amd-iommu/features", ATTRIBUTE, "AMD-Vi features: widths"),
    row(Place::Iommu, "device", Take::Link, "the device that the IOMMU is"),
    row(Place::HostBridge, "of_node", Take::Link, "the host bridge in the device tree"),
];
