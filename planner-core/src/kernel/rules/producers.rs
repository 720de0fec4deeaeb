//! Rows: what the IOMMU drivers reserve by themselves, and how far they translate.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    SWMSI = "K-SWMSI", v(4, 11), ALWAYS, Documented {
        says: "behind an Arm SMMU, IOVAs 0x0800_0000..=0x080f_ffff are the MSI window: Linux maps \
            doorbells there and lets nobody else map them",
        why: "An MSI is a DMA write, so the SMMU must translate it. The SMMU drivers therefore set aside \
            one fixed mebibyte (MSI_IOVA_BASE, MSI_IOVA_LENGTH) as IOMMU_RESV_SW_MSI for every device, \
            whether it uses MSIs or not. User space cannot move it. In reserved_regions it prints as \
            `msi`, the same word as a doorbell pinned by hardware.",
        way_out: "keep guest memory out of the window; QEMU's virt machine does by default, since its RAM \
            starts at 0x4000_0000",
        from: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_get_resv_regions; \
            drivers/iommu/arm/arm-smmu/arm-smmu.c, arm_smmu_get_resv_regions",
    }
    VIOMMU_SWMSI = "K-VIOMMUMSI", v(5, 3), ALWAYS, Believed {
        says: "behind a virtio-iommu that reports no MSI region for the endpoint, IOVAs \
            0x0800_0000..=0x080f_ffff are the MSI window",
        why: "The driver asks the virtual IOMMU for the endpoint's reserved regions (property \
            VIRTIO_IOMMU_PROBE_T_RESV_MEM). An MSI region there means that the hypervisor handles the \
            doorbell itself; only without one does the driver add the same window as the SMMU drivers.",
        way_out: "as for the SMMU window; QEMU's virtio-iommu reports its doorbell, so the window is \
            replaced by the doorbell there",
        from: "drivers/iommu/virtio-iommu.c, viommu_get_resv_regions",
    }
    VIOMMU_RESV = "K-VIOMMURESV", v(5, 3), ALWAYS, Believed {
        says: "a virtio-iommu endpoint reserves what its hypervisor reports in the RESV_MEM properties",
        why: "Subtype MSI becomes a hardware MSI region, every other subtype becomes reserved. The \
            properties are known only to the running guest kernel; no firmware table holds them, so such \
            a region can be listed but not predicted.",
        way_out: "change the hypervisor's reserved-regions option, or keep guest memory out",
        from: "drivers/iommu/virtio-iommu.c, viommu_add_resv_mem",
    }
    X86_MSI = "K-X86MSI", v(4, 11), ALWAYS, Documented {
        says: "on x86, IOVAs 0xfee0_0000..=0xfeef_ffff are the interrupt range and cannot be mapped",
        why: "A DMA write to this mebibyte is an interrupt message, never a memory access, before any \
            IOMMU translates it. Intel and AMD drivers report it as a hardware MSI region for every \
            device.",
        way_out: "keep guest memory out of the range; every x86 machine model has a hole below 4 GiB that \
            covers it",
        from: "drivers/iommu/intel/iommu.c, intel_iommu_get_resv_regions; drivers/iommu/amd/iommu.c, \
            amd_iommu_get_resv_regions",
    }
    AMD_HT = "K-AMDHT", v(4, 11), ALWAYS, Documented {
        says: "behind an AMD IOMMU, IOVAs 0xfd_0000_0000..=0xff_ffff_ffff (12 GiB below 1 TiB) are \
            HyperTransport's and cannot be mapped",
        why: "HyperTransport gives these addresses special meanings (interrupts, configuration, system \
            management), so DMA there never reaches memory. Newer IOMMUs that say HT_RANGE_IGNORE in \
            their extended features do not need it, and newer kernels then leave it out; that bit is not \
            visible in a description, so the range is kept.",
        way_out: "guests above about 1010 GiB need their RAM placed above 1 TiB, as QEMU does for the pc \
            and q35 machines",
        from: "drivers/iommu/amd/iommu.c, amd_iommu_get_resv_regions (HT_RANGE_START, HT_RANGE_END)",
    }
    DART_MSI = "K-DARTMSI", v(5, 16), ALWAYS, Believed {
        says: "behind an Apple DART, the page of the PCIe doorbell 0xffff_f000 is a hardware MSI region",
        why: "The doorbell address is fixed by the PCIe controller. The region is the whole page of the \
            host kernel, so 0xffff_c000..=0xffff_ffff with 16 KiB pages.",
        way_out: "keep guest memory out of the last page below 4 GiB",
        from: "drivers/iommu/apple-dart.c, apple_dart_get_resv_regions",
    }
    SMMU_APERTURE = "K-SMMUAPER", ALWAYS, ALWAYS, Read {
        says: "an Arm SMMUv3 translates IOVAs of as many bits as the host kernel's virtual addresses, at \
            most 48 (52 with VAX)",
        why: "VFIO and iommufd use stage 1, whose input size is the smaller of what the SMMU can \
            (IDR5.VAX) and the VA_BITS of the kernel. SMMUv1 and v2 say their size in ID registers: 40 \
            bits is assumed for them unless the host says more, and 48 for the MMU-500 and ThunderX.",
        way_out: "state the aperture of the SMMU in the description, or capture the host",
        from: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_domain_finalise; \
            drivers/iommu/arm/arm-smmu/arm-smmu.c, arm_smmu_init_domain_context",
    }
    VTD_APERTURE = "K-VTDAPER", ALWAYS, ALWAYS, Read {
        says: "an Intel IOMMU translates IOVAs of 39, 48 or 57 bits, one bit less with first-stage tables",
        why: "Second-stage tables reach the guest address width that the capability registers allow; \
            first-stage tables are limited to the lower canonical half. 48 bits are assumed when the host \
            does not say.",
        way_out: "state the aperture of the IOMMU in the description, or capture the host",
        from: "drivers/iommu/intel/iommu.c, intel_iommu_domain_alloc_paging_flags",
    }
    AMD_APERTURE = "K-AMDAPER", ALWAYS, ALWAYS, Read {
        says: "an AMD IOMMU with its own table format translates all 64 bits of an IOVA",
        why: "Version 1 page tables grow by levels up to 64 bits; version 2 tables (the processor's own \
            format) reach 47 or 56 bits. Version 1 is the default for VFIO and is assumed when the host \
            does not say.",
        way_out: "state the aperture of the IOMMU in the description, or capture the host",
        from: "drivers/iommu/amd/iommu.c, amd_iommu_domain_alloc_paging_flags",
    }
    VIOMMU_APERTURE = "K-VIOMMUAPER", ALWAYS, ALWAYS, Read {
        says: "a virtio-iommu translates the input range that its hypervisor configures",
        why: "The range stands in the device's configuration space. When the host does not say it, 48 \
            bits are assumed on Arm and 39 bits on x86, as QEMU configures.",
        way_out: "state the aperture of the IOMMU in the description; in QEMU it is the option aw-bits of \
            virtio-iommu-pci",
        from: "drivers/iommu/virtio-iommu.c, viommu_domain_alloc_paging; QEMU hw/virtio/virtio-iommu.c, \
            aw-bits",
    }
    OTHER_APERTURE = "K-OTHERAPER", ALWAYS, ALWAYS, Believed {
        says: "the translated range of this IOMMU was not said and is assumed to be the smallest that its \
            kind has",
        why: "RISC-V IOMMUs use Sv39, Sv48 or Sv57 tables, of which the lower half is usable (38 bits at \
            least); early Apple DARTs translate 32 bits. Where even the kind of IOMMU is unknown, the \
            range is assumed to be the whole 64-bit space, since nothing is known that would bound it.",
        way_out: "state the model and the aperture of the IOMMU in the description, or capture the host",
        from: "drivers/iommu/riscv/iommu.c, riscv_iommu_alloc_paging_domain; drivers/iommu/apple-dart.c, \
            apple_dart_finalize_domain",
    }
    SMMU_GRANULE = "K-SMMUPGSIZES", ALWAYS, ALWAYS, Read {
        says: "an Arm SMMU's page tables use one granule, the host's page size where the SMMU has it",
        why: "Otherwise the largest granule below the page size, otherwise the smallest above. With 4 KiB \
            the page sizes are 4K, 2M and 1G, with 16 KiB 16K and 32M, with 64 KiB 64K and 512M.",
        way_out: "none is needed; guests with huge pages should be backed by pages of these sizes",
        from: "drivers/iommu/io-pgtable-arm.c, arm_lpae_restrict_pgsizes",
    }
    AMD_PGSIZES_NEW = "K-AMDPGSIZES", v(6, 12), ALWAYS, Believed {
        says: "an AMD IOMMU maps every power of two from 4 KiB to 2 PiB, except 512 GiB",
        why: "Before, every power of two of at least 4 KiB but 512 GiB was announced, including sizes \
            that no page table entry can express.",
        way_out: "none is needed",
        from: "drivers/iommu/amd/amd_iommu_types.h, AMD_IOMMU_PGSIZES",
    }
}
