//! The planner's own rules, as rows: what `planner explain P-BARROOM` prints. Code names a rule by its constant.

use serde::Serialize;

/// A rule of the planner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct PlanRule {
    /// Identifier, such as `P-AVOID`.
    pub id: &'static str,
    /// One sentence.
    pub title: &'static str,
    /// What it means and what can be done about it.
    pub explanation: &'static str,
}

macro_rules! rules {
    ($($name:ident = $id:literal, $title:literal, $explanation:literal;)+) => {
        $(#[doc = $title] pub const $name: &str = $id;)+
        /// Every rule, in the order of this file.
        pub const RULES: &[PlanRule] = &[
            $(PlanRule { id: $id, title: $title, explanation: $explanation },)+
        ];
    };
}

/// The rule with this identifier.
#[must_use]
pub fn find(id: &str) -> Option<&'static PlanRule> {
    RULES.iter().find(|rule| rule.id.eq_ignore_ascii_case(id))
}

rules! {
    AVOID = "P-AVOID", "RAM keeps out of what the guest is told to avoid",
        "The guest's description says `avoid SPAN`. Take the line out, or move the span, if a layout needs the space.";
    IPA_BITS = "P-IPABITS", "RAM lies within the guest-physical addresses that the hypervisor offers",
        "KVM gives a guest so many bits of guest-physical address (KVM_CAP_ARM_VM_IPA_SIZE on arm64, the CPU's physical \
         address bits on x86). Say it with `ipa N bits` in the host's description or with `--ipa-bits N`. Where nobody \
         says it the planner assumes nothing and tells how many bits the layout needs.";
    GROUP = "P-GROUP", "an IOMMU group is given to a guest as a whole",
        "The kernel isolates groups, not devices: VFIO refuses a group as long as a host driver holds another endpoint \
         in it. Bind all of them to vfio-pci, or pass them all. Bridges and PCIe ports may keep their drivers.";
    NO_GROUP = "P-NOGROUP", "a device without IOMMU group cannot be passed through",
        "Nothing would contain its DMA. The host has no IOMMU, firmware does not describe it, it is switched off \
         (`iommu=off`, BIOS setup), or no driver was bound yet: on arm64 before 7.x a device gets its group when a \
         driver probes it.";
    ACCEPTS = "P-ACCEPTS", "the VMM must accept the layout",
        "The VMM's own checks of machine, CPU model, memory and address bits all pass. `planner vmm` shows the memory \
         map or the refusal for any setting.";
    ONE_PIECE = "P-ONEPIECE", "this VMM takes RAM in one piece",
        "It has no option that puts memory at an address beyond the boot memory. QEMU's arm64 `virt` and PC machines do \
         (`-device pc-dimm,addr=`).";
    BAR_ROOM = "P-BARROOM", "the BARs of the passed devices fit into the guest's PCI windows",
        "32-bit BARs, and 64-bit BARs that are not prefetchable, must lie in the window below 4 GiB; prefetchable 64-bit \
         BARs in the high window where there is one. QEMU's arm64 `virt` has `highmem-mmio-size=`, its PCs have \
         `pci-hole64-size`; kvmtool has one window of 768 MiB below 2 GiB and nothing above.";
    DEVICES = "P-DEVICES", "this VMM lets neither RAM nor BARs overlap a reserved region",
        "kvmtool registers the reserved regions of every passed device's group (vfio/core.c) and dies when RAM or a BAR \
         overlaps one, also where the kernel would not mind. It hands BARs out one after the other from the start of \
         its PCI window.";
    BAR_MAP = "P-BARMAP", "this VMM dies when it cannot map a BAR for traffic between passed devices",
        "Cloud Hypervisor maps every BAR of a passed device into the IOMMU and ends when the kernel refuses. It hands BARs out \
         from the end of its 64-bit PCI window, just below the end of the guest's address bits, which may lie beyond what the \
         host's IOMMU translates, or in a reserved region. `--cpus max_phys_bits=` lowers the end; `--platform \
         vfio_p2p_dma=off` leaves the mapping out, and with it direct traffic between the devices. iommufd maps no memory of \
         devices by address (IOMMU_IOAS_MAP pins pages of memory, drivers/iommu/iommufd/pages.c), so with it the mapping \
         must be left out.";
    LACKS = "P-LACKS", "this VMM, in this version, lacks what the guest asks for",
        "`planner vmm` lists what each VMM and version can do: host devices, iommufd, IOMMUs of the guest that passed \
         devices can lie behind. Take another VMM or version, or do without.";
    PEER = "P-PEER", "a PCI window of the guest overlaps what the host keeps",
        "VMMs map the BARs of passed devices into the IOMMU so that the devices can reach each other. At an address that \
         the host reserves or that a host bridge takes, this fails or is misrouted. DMA to RAM is not affected, and a \
         guest whose devices do not talk to each other never notices.";
    MODULES = "P-MODULES", "memory modules must be brought online by the guest",
        "Memory at an explicit address (QEMU's pc-dimm) is hot-pluggable memory for the guest: neither the device tree nor \
         the e820 map lists it. The guest needs ACPI firmware, CONFIG_ACPI_HOTPLUG_MEMORY (Debian's arm64 kernels have it \
         in the cloud flavour only) and `memhp_default_state=online` (or udev rules). Linux takes modules of whole memory \
         blocks, 128 MiB with 4K pages, and leaves out others; the planner cuts them so where there is room. Firmware, \
         kernel and initrd live in boot memory.";
    LEFT_OUT = "P-LEFTOUT", "the VMM leaves a region out without a word",
        "QEMU's arm64 `virt` drops its high PCI window, ECAM or redistributors when they do not fit the address bits, and \
         starts all the same. Large BARs then find no room.";
    VIOMMU = "P-VIOMMU", "RAM keeps clear of reserved regions although the guest has a vIOMMU",
        "Until the guest's driver takes over, and for good with nested translation, all RAM is mapped one to one. Only \
         virtio-iommu with boot-bypass=off would lift this.";
    NESTED = "P-NESTED", "an SMMUv3 of the guest nests in an SMMUv3 of the host, through iommufd",
        "Passed devices behind it are translated by the host's SMMU: the guest's page tables in stage 1, the host's in stage 2 \
         (QEMU, hw/arm/smmuv3-accel.c). The host needs an SMMUv3 with both stages, the kernel CONFIG_ARM_SMMU_V3_IOMMUFD; \
         whether an SMMUv3 has both stages is not in what the planner reads, and QEMU tells when it starts. Say `iommufd \
         yes`; on other hosts `viommu virtio`.";
    ANYWHERE = "P-ANYWHERE", "any place",
        "Stands in for a VMM's own rule when the planner asks what would be possible without it.";
    OVERRUN = "P-MSIOVERRUN", "RAM keeps out of doorbell pages behind the MSI window",
        "The kernel hands out one page of its MSI window per doorbell page and never looks at the window's end: the page \
         after the last lies in what user space takes for its own. The planner counts the doorbell pages of the passed \
         devices and keeps RAM clear of those that do not fit.";
}
