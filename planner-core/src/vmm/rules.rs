//! The rules of VMMs, as rows: what `planner explain M-QEMU-VIRT-RAM` prints. Code names a rule by its constant.

use serde::Serialize;

/// A rule of a VMM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct VmmRule {
    /// Identifier, such as `M-QEMU-VIRT-RAM`.
    pub id: &'static str,
    /// One sentence.
    pub title: &'static str,
    /// What it means and what can be done about it.
    pub explanation: &'static str,
    /// Where it is written: file and function of the VMM's source.
    pub source: &'static str,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $title:literal, $explanation:literal, $source:literal;)+) => {
        $($(#[$doc])* pub const $name: &str = $id;)+
        /// Every rule, by identifier.
        pub const RULES: &[VmmRule] = &[
            $(VmmRule { id: $id, title: $title, explanation: $explanation, source: $source },)+
        ];
    };
}

/// The rule with this identifier.
#[must_use]
pub fn find(id: &str) -> Option<&'static VmmRule> {
    RULES.iter().find(|rule| rule.id == id)
}

rules! {
    /// CPU model unknown to the VMM.
    QEMU_CPU = "M-QEMU-CPU",
        "QEMU knows its CPU models by name, and each board takes some of them",
        "The model decides how many guest-physical address bits an emulated CPU has; with `host`, the hypervisor does. \
         `-cpu help` lists the models of a binary.",
        "hw/core/machine.c machine_class_default_cpu_type, target/arm/cpu64.c, target/i386/cpu.c";
    /// Machine type or option unknown.
    QEMU_MACHINE = "M-QEMU-MACHINE",
        "QEMU refuses machine types and options that this version does not have",
        "A versioned machine type (`virt-9.2`, `pc-q35-9.2`) keeps its layout in every later QEMU until it is removed, \
         some six years later; options come with a release and are unknown before it. `-machine TYPE,help` lists them.",
        "qom/object.c object_property_find_err, system/vl.c select_machine";
    /// `-m size,maxmem=,slots=` inconsistent.
    QEMU_MEMORY = "M-QEMU-MEMORY",
        "maxmem= must not lie below the boot memory, and slots= need a larger maxmem=",
        "Memory modules need an area, whose size is maxmem less the boot memory, and one gibibyte more for each slot.",
        "hw/core/machine.c machine_set_mem";
    /// An emulated SMMU.
    QEMU_NO_NOTIFIER = "M-QEMU-NO-NOTIFIER",
        "an SMMUv3 that QEMU emulates tells VFIO nothing of the guest's mappings",
        "QEMU refuses a passed device behind it. With `arm-smmuv3,accel=on` (QEMU 11.0, iommufd, nested translation on the \
         host) the host's SMMU translates; virtio-iommu works everywhere.",
        "hw/arm/smmuv3.c smmuv3_notify_flag_changed";
    /// Emulation.
    QEMU_ACCEL = "M-QEMU-ACCEL",
        "QEMU emulates the guest's CPUs unless it is told to use KVM",
        "`-accel kvm`, `-enable-kvm` or `-machine accel=kvm` asks for KVM; a program whose name ends with `kvm` uses it by \
         itself. The address bits of the memory map come from KVM or from the emulated CPU.",
        "system/vl.c configure_accelerators";
    /// Numbers of CPUs.
    QEMU_SMP = "M-QEMU-SMP",
        "sockets, dies, clusters, cores and threads of -smp must multiply to maxcpus, and a machine has a most of them",
        "What is left out is computed from the rest; a machine type before 6.2 fills sockets first, later ones cores. \
         Levels that a machine does not have may only be 1.",
        "hw/core/machine-smp.c machine_parse_smp_config";
    /// Words that the VMM cannot read.
    WORDS = "M-WORDS",
        "the VMM refuses a word of its configuration before it makes a memory map",
        "An option that the version does not have, a value that cannot be read, or a name that stands for nothing.",
        "qemu: system/vl.c, util/qemu-option.c, util/keyval.c";
    /// Placement of modules.
    QEMU_DIMM = "M-QEMU-DIMM",
        "pc-dimm,addr= puts memory at an exact guest-physical address within the area for memory devices",
        "The area starts at the end of boot memory, rounded up to 1 GiB, and grows with maxmem=. Addresses are multiples \
         of 2 MiB or of the backend's page size. The guest finds modules through ACPI only, so it needs firmware, and \
         kernel, initrd and firmware live in boot memory. Arm has modules since 4.2.",
        "hw/mem/memory-device.c memory_device_get_free_addr";
    /// Number of slots.
    QEMU_SLOTS = "M-QEMU-SLOTS",
        "a QEMU machine has at most 256 memory slots",
        "ACPI_MAX_RAM_SLOTS is 256.",
        "include/hw/acpi/acpi.h ACPI_MAX_RAM_SLOTS";
    /// Where RAM of `virt` lies.
    QEMU_VIRT_RAM = "M-QEMU-VIRT-RAM",
        "RAM of QEMU's arm virt machine is one piece from 0x4000_0000 upwards",
        "It has no option to move it and no hole at 4 GiB. What must lie elsewhere is given as memory modules.",
        "hw/arm/virt.c base_memmap, virt_set_memmap";
    /// RAM does not fit the address bits.
    QEMU_VIRT_LIMIT = "M-QEMU-VIRT-LIMIT",
        "RAM and the area for modules must fit the guest-physical address bits",
        "The bits come from KVM (KVM_CAP_ARM_VM_IPA_SIZE) or from the emulated CPU; highmem=off makes them 32 since 7.0. \
         QEMU 4.0 to 6.2 refuse when the high regions do not fit either, which takes 40 bits at least; up to 3.1 memory is \
         255 GiB at most.",
        "hw/arm/virt.c virt_set_memmap, virt_kvm_type, machvirt_init";
    /// High regions.
    QEMU_VIRT_HIGH = "M-QEMU-VIRT-HIGH",
        "the high redistributors, ECAM and PCI window lie above RAM and are left out without a word if they do not fit",
        "They start at the end of the area for modules, at 256 GiB at least, each aligned to its own size, and each that \
         would pass the end of the guest-physical address bits is disabled. A guest then sees `BAR: no space`. QEMU up to \
         6.2 leaves none out, up to 3.1 they have fixed addresses.",
        "hw/arm/virt.c virt_set_high_memmap";
    /// GIC and CPU count.
    QEMU_VIRT_GIC = "M-QEMU-VIRT-GIC",
        "the GIC version decides how many CPUs and which MSI controller the guest has",
        "GICv2 takes 8 CPUs and has a GICv2m frame; GICv3 takes 123 and 512 more with the high redistributors, and has \
         an ITS unless it is switched off. Before 5.0 the machine has a GICv2 unless gic-version= says otherwise; before \
         6.2 an emulated GICv3 has no ITS and takes no more than 123 CPUs.",
        "hw/arm/virt.c finalize_gic_version, machvirt_init";
    /// vIOMMU.
    QEMU_VIRT_SMMU = "M-QEMU-VIRT-SMMU",
        "the machine's own SMMUv3 lies at 0x0905_0000, arm-smmuv3 devices from 0x0c00_0000 on",
        "Each takes 128 KiB. With accel=on the guest's RAM is still mapped at its guest-physical address.",
        "hw/arm/virt.c create_smmu, create_smmuv3_dev_dtb";
    /// RAM of a PC.
    QEMU_PC_RAM = "M-QEMU-PC-RAM",
        "RAM of a PC lies below the 32-bit PCI hole and, the rest, from 4 GiB on",
        "q35 keeps 2 GiB low once there are 2.75 GiB, i440fx 3 GiB once there are 3.5 GiB; max-ram-below-4g= only lowers it.",
        "hw/i386/pc_q35.c pc_q35_init, hw/i386/pc_piix.c pc_init1";
    /// AMD HyperTransport hole.
    QEMU_PC_AMD = "M-QEMU-PC-AMD-1T",
        "with an AMD vCPU, memory above 4 GiB moves to 1 TiB if anything would reach 0xfd_0000_0000",
        "The range 0xfd_0000_0000..=0xff_ffff_ffff is HyperTransport's and an AMD IOMMU cannot map it. The vendor of the \
         CPU model counts, not the host's; machine types up to 7.0 keep the old layout. A large 64-bit PCI window or \
         maxmem= triggers it as well as RAM does.",
        "hw/i386/pc.c pc_memory_init, pc_max_used_gpa";
    /// phys-bits too low.
    QEMU_PC_LIMIT = "M-QEMU-PC-LIMIT",
        "the end of the 64-bit PCI window must fit the CPU's phys-bits",
        "They are 40 unless phys-bits= or host-phys-bits=on says otherwise; -cpu host has the host's. QEMU before 7.1 makes \
         what the CPU cannot address without a word.",
        "hw/i386/pc.c pc_memory_init";
    /// OVMF's window.
    OVMF_WINDOW = "M-OVMF-WINDOW",
        "OVMF puts the 64-bit BARs of a PC at the end of the guest's address bits, whatever QEMU's own window",
        "Since edk2-stable202211 its 64-bit PCI window is the last eighth of the address space that the guest's CPU names, of \
         46 bits at most (47 in 202211): 0x3800_0000_0000 for 46 bits and more. Where the host's IOMMU translates less, or \
         reserves what lies there, QEMU cannot map the BARs for traffic between passed devices and says `PCI peer-to-peer \
         transactions on BARs are not supported`: a warning, the devices work. `-cpu host,host-phys-bits-limit=N` moves the \
         window down; pci-hole64-size does not; with edk2-stable202505 and Debian's 2025.02 \
         `-fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=SIZE` puts one of that size just above memory. After 202608 it is the last \
         quarter. OVMF believes 40 bits and fewer only where CPUs of the vendor have them, else \
         the window lies just above memory, as with older versions.",
        "edk2 OvmfPkg/Library/PlatformInitLib/MemDetect.c PlatformAddressWidthFromCpuid, PlatformDynamicMmioWindow, \
         PlatformGetFirstNonAddress";
    /// RISC-V virt.
    QEMU_RISCV_RAM = "M-QEMU-RISCV-RAM",
        "RAM of QEMU's riscv virt machine is one piece from 0x8000_0000 upwards, with a 64-bit PCI window of 16 GiB above",
        "Nothing of it can be moved, and the machine takes no memory modules. The window came with 6.0.",
        "hw/riscv/virt.c virt_memmap, virt_machine_init";
    /// Sockets of RISC-V virt.
    QEMU_RISCV_SOCKETS = "M-QEMU-RISCV-SOCKETS",
        "every NUMA node of QEMU's riscv virt machine is a socket with interrupt controllers of its own, four at most",
        "With aia=aplic-imsic a device writes its MSIs into the IMSICs from 0x2800_0000 on, one page for each hart (more with \
         aia-guests=), 16 MiB for each socket; with aia=none and aia=aplic there are wires only. Under KVM the timers and \
         machine mode are the host's: aclint=on is refused.",
        "hw/riscv/virt.c virt_machine_init, virt_create_aia, create_fdt_one_imsic; hw/riscv/numa.c";
    /// An emulated RISC-V IOMMU.
    QEMU_RISCV_IOMMU = "M-QEMU-RISCV-IOMMU",
        "a RISC-V IOMMU that QEMU emulates tells VFIO nothing of the guest's mappings",
        "iommu-sys=on (QEMU 10.0) and riscv-iommu-pci (9.2) take the notifier that VFIO hangs on them, but a guest's mapping \
         never reaches it: a passed device behind them does no DMA. virtio-iommu-pci (9.0 for this machine) works.",
        "hw/riscv/riscv-iommu.c riscv_iommu_memory_region_notify, riscv_iommu_ats";
    /// kvmtool RAM base.
    KVMTOOL_ARM_RAM = "M-KVMTOOL-ARM-RAM",
        "kvmtool's RAM is one piece; on arm64 --mem SIZE@ADDR starts it anywhere from 2 GiB on",
        "Below 2 GiB lie its devices: the only PCI window is 0x5000_0000..=0x7fff_ffff.",
        "arm/kvm.c kvm__arch_validate_cfg, arm/include/arm-common/kvm-arch.h";
    /// kvmtool IPA.
    KVMTOOL_ARM_LIMIT = "M-KVMTOOL-ARM-LIMIT",
        "the end of kvmtool's RAM must fit the guest-physical address bits of KVM",
        "It asks KVM for as many bits as the last byte of RAM needs, 32 at least.",
        "arm/aarch64/kvm.c kvm__get_vm_type";
    /// kvmtool irqchip.
    KVMTOOL_IRQCHIP = "M-KVMTOOL-IRQCHIP",
        "kvmtool's GIC lies below 0x4000_0000 and grows downwards with the number of CPUs",
        "--irqchip is gicv2, gicv2m, gicv3 or gicv3-its; without it kvmtool takes the best that the host has.",
        "arm/gic.c gic__create";
    /// kvmtool fixed RAM.
    KVMTOOL_RAM = "M-KVMTOOL-RAM",
        "kvmtool's RAM cannot be moved on this architecture",
        "x86 has 3.25 GiB below the gap and the rest from 4 GiB on, RISC-V one piece from 2 GiB to 1 TiB, beyond which memory is \
         dropped without a word.",
        "x86/kvm.c kvm__init_ram, riscv/include/kvm/kvm-arch.h, riscv/kvm.c kvm__arch_init";
    /// crosvm RAM on arm64.
    CROSVM_ARM_RAM = "M-CROSVM-ARM-RAM",
        "crosvm's RAM on arm64 is one piece from 2 GiB upwards",
        "It has no option to move it. Directly behind it lie 1 GiB for platform devices and the 64-bit PCI window.",
        "aarch64/src/lib.rs guest_memory_layout, get_system_allocator_config";
    /// crosvm address bits.
    CROSVM_ARM_LIMIT = "M-CROSVM-ARM-LIMIT",
        "crosvm panics when RAM and 1 GiB behind it pass the end of the guest-physical address bits",
        "The 64-bit PCI window starts 1 GiB behind RAM and takes what is left of the bits that KVM offers.",
        "aarch64/src/lib.rs get_system_allocator_config";
    /// crosvm RAM on x86.
    CROSVM_RAM = "M-CROSVM-RAM",
        "crosvm's RAM on x86 lies below the 32-bit PCI window and, the rest, from 4 GiB on",
        "The window starts at 0xd000_0000 unless --pci mem=[start=] says otherwise; RAM below 4 GiB ends there.",
        "x86_64/src/lib.rs arch_memory_regions, create_arch_memory_layout";
    /// crosvm RAM on riscv64.
    CROSVM_RISCV_RAM = "M-CROSVM-RISCV-RAM",
        "crosvm's RAM on riscv64 is one piece from 2 GiB upwards",
        "It has no option to move it. Directly behind it lies the 64-bit PCI window; the 32-bit one is 1 MiB.",
        "riscv64/src/lib.rs guest_memory_layout, get_high_mmio_base_size";
    /// crosvm window.
    CROSVM_WINDOW = "M-CROSVM-WINDOW",
        "crosvm's 32-bit PCI window must lie clear of its other devices",
        "On arm64 the default is 32 MiB at 0x0200_0000; --pci mem=[start=,size=] gives it another place, below the \
         redistributors of the GIC. The configuration space moves with cam=[start=] on arm64 and ecam=[start=,size=] on x86; \
         nothing moves on riscv64.",
        "arch/src/lib.rs PciConfig, aarch64/src/lib.rs AARCH64_PCI_MEM_BASE_DEFAULT";
    /// Cloud Hypervisor RAM on arm64.
    CH_ARM_RAM = "M-CH-ARM-RAM",
        "Cloud Hypervisor's RAM on arm64 lies from 1 GiB to 0xfc00_0000 and, the rest, from 4 GiB on",
        "No option moves it: memory zones have no address and are packed in order.",
        "arch/src/aarch64/mod.rs arch_memory_regions";
    /// Cloud Hypervisor RAM on x86.
    CH_RAM = "M-CH-RAM",
        "Cloud Hypervisor's RAM on x86 lies below 3 GiB and, the rest, from 4 GiB on",
        "No option moves it, and it leaves no hole for HyperTransport: with an AMD host, memory must end below \
         0xfd_0000_0000.",
        "arch/src/x86_64/mod.rs arch_memory_regions";
    /// Cloud Hypervisor address bits.
    CH_LIMIT = "M-CH-LIMIT",
        "RAM of Cloud Hypervisor must leave room for a 64-bit PCI window of 4 GiB below the end of the address bits",
        "They are the host's, 46 at most, fewer with --cpus max_phys_bits=. The last mebibyte and 64 KiB are kept for \
         platform devices.",
        "vmm/src/memory_manager.rs MemoryManager::new, vmm/src/device_manager.rs create_mmio_allocators";
    /// Cloud Hypervisor hotplug.
    CH_ROOM = "M-CH-ROOM",
        "Cloud Hypervisor puts memory plugged in later directly behind RAM, from 4 GiB on",
        "--memory hotplug_size= reserves the room, in multiples of 128 MiB; the 64-bit PCI window starts behind it. \
         Memory modules cannot be given addresses.",
        "vmm/src/memory_manager.rs start_addr, MemoryManager::new";
    /// Cloud Hypervisor RAM on riscv64.
    CH_RISCV_RAM = "M-CH-RISCV-RAM",
        "Cloud Hypervisor's RAM on riscv64 is one piece from 1 GiB upwards",
        "No option moves it. The 64-bit PCI window lies directly behind it, and 40 address bits are used whatever the host \
         has.",
        "arch/src/riscv64/mod.rs arch_memory_regions, get_host_cpu_phys_bits";
    /// Cloud Hypervisor segments.
    CH_SEGMENTS = "M-CH-SEGMENTS",
        "Cloud Hypervisor splits its PCI windows among its PCI segments by their weights",
        "Each segment is one bus of 32 devices. --platform num_pci_segments= says how many there are, --pci-segment their \
         weights; devices on a segment of iommu_segments= must lie behind the guest's IOMMU. In a description these words \
         are the machine: `vmm cloud-hypervisor { machine \"num_pci_segments=2\" }`.",
        "vmm/src/device_manager.rs create_mmio_allocators, vmm/src/config.rs VmConfig::validate";
    /// Cloud Hypervisor vCPUs.
    CH_VCPUS = "M-CH-VCPUS",
        "Cloud Hypervisor before 48.0 takes 254 vCPUs at most",
        "The number was a byte, and KVM's APIC identifiers without x2APIC end there.",
        "vmm/src/vm_config.rs CpusConfig, release notes of 48.0";
    /// Firecracker RAM.
    FIRECRACKER_RAM = "M-FIRECRACKER-RAM",
        "Firecracker's RAM lies around its PCI windows at fixed places",
        "On arm64 from 2 GiB to 256 GiB and from 512 GiB on, 1022 GiB in all; on x86 below 3 GiB, from 4 GiB to 256 GiB \
         and from 512 GiB on. There is nothing to turn.",
        "src/vmm/src/arch/*/mod.rs arch_memory_regions";
    /// Firecracker vCPUs.
    FIRECRACKER_VCPUS = "M-FIRECRACKER-VCPUS",
        "Firecracker takes 32 vCPUs at most",
        "MAX_SUPPORTED_VCPUS is 32.",
        "src/vmm/src/vmm_config/machine_config.rs";
    /// OpenVMM RAM.
    OPENVMM_RAM = "M-OPENVMM-RAM",
        "OpenVMM places RAM from the bottom, around its 32-bit windows, which end at 4 GiB",
        "A directly booted arm64 Linux has RAM from 1 GiB on, clear of the MSI window of the host; with UEFI, and on x86, \
         it starts at 0.",
        "openvmm/openvmm_core/src/worker/memory_layout.rs resolve_memory_layout";
    /// OpenVMM address bits.
    OPENVMM_LIMIT = "M-OPENVMM-LIMIT",
        "OpenVMM's windows must fit below 4 GiB, and its whole layout the address bits of the host",
        "The 64-bit PCI window lies behind RAM, 1 GiB large unless high_mmio= says otherwise.",
        "vm/vmcore/vm_topology/src/layout.rs LayoutBuilder::allocate";
    /// OpenVMM boot.
    OPENVMM_MACHINE = "M-OPENVMM-MACHINE",
        "the machines linux and uefi of OpenVMM stand for the two ways that it boots",
        "Where RAM starts on arm64 depends on it.",
        "openvmm/openvmm_core/src/worker/dispatch.rs";
    /// RAM of a Xen HVM domain.
    XEN_HVM_RAM = "M-XEN-HVM-RAM",
        "RAM of a Xen HVM domain lies below the hole for MMIO and, the rest, from 4 GiB on",
        "The hole is 256 MiB unless mmio_hole= makes it larger. libxl makes RAM end where reserved device memory of a passed \
         device starts, if that is above rdm_mem_boundary= (2048 MiB) and below 4 GiB. RAM from 4 GiB on is never moved. \
         `rdm=\"strategy=host,policy=…\"` would do so for every device of the host, but xl drops it without a word, in \
         4.17 and in 4.20.",
        "tools/libs/light/libxl_dom.c libxl__build_hvm, tools/libs/light/libxl_dm.c libxl__domain_device_construct_rdm";
    /// The hole.
    XEN_HVM_HOLE = "M-XEN-HVM-HOLE",
        "mmio_hole= of Xen is 256 to 3840 mebibytes",
        "RAM below 4 GiB ends where the hole starts, and hvmloader hands BARs out from its start to 0xfbff_ffff.",
        "tools/xl/xl_parse.c parse_config_data, tools/firmware/hvmloader/pci.c pci_setup";
    /// Reserved device memory.
    XEN_RDM = "M-XEN-RDM",
        "RAM of a Xen domain that meets reserved device memory is refused with the policy strict, and left broken with relaxed",
        "Xen maps an RMRR or IVMD block of a passed device one to one, whatever Linux says about relaxing it. With \
         rdm_policy=strict libxl refuses RAM there (`RDM conflict at 0x…`) and Xen refuses a device that shares its region \
         with another (`It's disallowed to assign … with shared RMRR`); with relaxed, the default, both are let through \
         with a warning.",
        "tools/libs/light/libxl_dm.c libxl__domain_device_construct_rdm, xen/drivers/passthrough/vtd/iommu.c \
         intel_iommu_assign_device";
    /// Address bits of a Xen HVM domain.
    XEN_HVM_LIMIT = "M-XEN-HVM-LIMIT",
        "64-bit BARs of a Xen HVM domain lie behind its RAM, up to the end of the processor's address bits",
        "hvmloader puts BARs of more than 1 GiB there, and smaller ones that the hole below 4 GiB cannot hold.",
        "tools/firmware/hvmloader/pci.c pci_setup";
    /// RAM of a dom0less domain.
    XEN_ARM_RAM = "M-XEN-ARM-RAM",
        "RAM of a Xen domain on arm64 lies from 1 GiB to 4 GiB and, the rest, from 8 GiB on",
        "GUEST_RAM0_BASE and GUEST_RAM1_BASE. Nothing but the machine `direct-map` moves it; xen,static-mem alone chooses the \
         host memory behind it.",
        "xen/include/public/arch-arm.h, xen/arch/arm/domain_build.c allocate_memory";
    /// Static memory, direct map.
    XEN_STATIC_MEM = "M-XEN-STATIC-MEM",
        "with xen,static-mem and direct-map, each bank of memory lies at the host's addresses of it",
        "The banks add up to `memory`, do not overlap, and lie in RAM of the host that neither Xen nor another domain nor a boot \
         module nor reserved-memory uses. The kernel, its device tree and its initrd must fit the first.",
        "xen/arch/arm/static-memory.c assign_static_memory_11, xen/arch/arm/kernel.c place_modules";
    /// Direct map and the host's RAM.
    XEN_DIRECT_MAP = "M-XEN-DIRECT-MAP",
        "RAM of a direct-mapped Xen domain lies where the host has RAM",
        "Its guest-physical addresses are the host's. Where the host's RAM is not known, nothing can be planned: say `ram` in \
         the host's description.",
        "xen/arch/arm/static-memory.c acquire_static_memory_bank";
    /// Address bits of a dom0less domain.
    XEN_ARM_LIMIT = "M-XEN-ARM-LIMIT",
        "the memory map of a Xen domain must fit the address bits of stage 2",
        "They are those of the processors, or of the SMMUs where these have fewer.",
        "xen/arch/arm/mmu/p2m.c setup_virt_paging, xen/arch/arm/p2m.c p2m_restrict_ipa_bits";
    /// Drivers of IOMMUs.
    XEN_IOMMU = "M-XEN-IOMMU",
        "Xen drives VT-d, AMD-Vi and SMMUs, and no virtio-iommu",
        "Xen programs the IOMMU itself. A machine whose IOMMU it does not know, such as a guest of QEMU with a virtio-iommu, \
         gives no devices away.",
        "xen/drivers/passthrough/vtd/iommu.c, xen/drivers/passthrough/amd/pci_amd_iommu.c";
    /// vCPUs.
    XEN_VCPUS = "M-XEN-VCPUS",
        "Xen takes 128 vCPUs at most for an HVM domain and for a domain on arm64",
        "HVM_MAX_VCPUS and GUEST_MAX_VCPUS are 128.",
        "xen/include/public/hvm/hvm_info_table.h, xen/include/public/arch-arm.h";
    /// Machines.
    XEN_MACHINE = "M-XEN-MACHINE",
        "the machines hvm, dom0less and direct-map of Xen stand for the three ways that a domain is laid out",
        "On arm64 `dom0less` has RAM where Xen puts it, `direct-map` where the host has it.",
        "xen/arch/arm/dom0less-build.c create_domUs";
    /// Memory of a described VMM.
    CUSTOM_RAM = "M-CUSTOM-RAM",
        "memory of a described VMM lies where its description lets it",
        "`ram` names the spans that memory at boot fills in order, `movable` the one in which it may start anywhere.",
        "vmm custom { ram … movable … }";
    /// Pieces of memory of a described VMM.
    CUSTOM_PIECES = "M-CUSTOM-PIECES",
        "a described VMM takes memory in as many pieces as its description says",
        "One unless `pieces` says otherwise. Each lies at a multiple of `align`, all but the first above the first.",
        "vmm custom { pieces … align … }";
    /// Fixed regions of a described VMM.
    CUSTOM_REGION = "M-CUSTOM-REGION",
        "memory keeps clear of what a described VMM has at fixed addresses",
        "`region` and a `window` without a size name what lies there whatever the plan.",
        "vmm custom { region … window … }";
    /// Windows of a described VMM.
    CUSTOM_WINDOW = "M-CUSTOM-WINDOW",
        "a window of a described VMM lies within the span that its description names",
        "With a size it may lie anywhere in the span; the planner tries a few places from its start and the one at its end.",
        "vmm custom { window … }";
    /// Address bits of a described VMM.
    CUSTOM_LIMIT = "M-CUSTOM-LIMIT",
        "the layout must fit the address bits of a described VMM",
        "`ipa` of the description bounds it, besides that of the host.",
        "vmm custom { ipa … }";
    /// No machine types.
    NO_MACHINES = "M-NO-MACHINES",
        "this VMM has no machine types",
        "crosvm, Cloud Hypervisor and Firecracker make one kind of machine for each instruction set. Leave the machine out, or \
         say what the first two take in their own words: `mem=[start=0x4000000]` (crosvm's --pci), `num_pci_segments=2` (Cloud \
         Hypervisor's --platform).",
        "planner vmm";
    /// VMM version without a model.
    VERSION = "M-VERSION",
        "the planner has no model of this version of the VMM",
        "Models were checked against the versions that `planner vmm` lists.",
        "planner vmm";
}
