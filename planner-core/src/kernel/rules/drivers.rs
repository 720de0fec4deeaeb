//! Rows: IOMMU drivers beyond the usual ones, and how far each translates by version.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    SMMU_STAGE2_OAS = "K-SMMUS2OAS", v(7, 3), ALWAYS, Believed {
        says: "stage 2 of an Arm SMMUv3 translates as many bits as it puts out (IDR5.OAS)",
        why: "Before, it was the input size of the SMMU: the output size, but at least 40 bits where it has AArch32 \
            tables, too. Stage 2 is used for nesting parents only; VFIO and iommufd otherwise take stage 1.",
        way_out: "none is needed",
        from: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_domain_finalise",
    }
    AMD_HT_IGNORED = "K-AMDHTIGNORE", v(7, 3), ALWAYS, Believed {
        says: "the HyperTransport range is left out where all IOMMUs of the host say HT_RANGE_IGNORE",
        why: "Newer IOMMUs translate these addresses like any others, and say so in their second extended feature \
            register. Older kernels keep the range all the same.",
        way_out: "none is needed; on such hosts a newer kernel lets guests have memory below 1 TiB",
        from: "drivers/iommu/amd/iommu.c, amd_iommu_get_resv_regions (FEATURE_HT_RANGE_IGNORE)",
    }
    AMD_NO_ID = "K-AMDNOSBDF", v(4, 11), ALWAYS, Read {
        says: "an AMD IOMMU reserves nothing for a device that has neither a PCI address nor an ACPI HID entry",
        why: "Regions are looked up by requester ID. A device without one gets an empty list, not even the interrupt range.",
        way_out: "none is needed: such a device cannot be given to a guest by VFIO-PCI",
        from: "drivers/iommu/amd/iommu.c, amd_iommu_get_resv_regions (get_device_sbdf_id)",
    }
    AMD_HATS = "K-AMDHATS", v(7, 3), ALWAYS, Believed {
        says: "the tables of an AMD IOMMU translate as many bits as it has levels for (EFR.HATS): 48, 57 or 64",
        why: "Before, the aperture was 64 bits whatever the hardware could, since tables grow by levels as they are \
            filled, and a mapping out of reach failed when it was made.",
        way_out: "none is needed; the aperture in a capture is that of the hardware",
        from: "drivers/iommu/amd/iommu.c, amd_iommu_domain_alloc_paging_v1",
    }
    AMD_V2_HALF = "K-AMDV2HALF", v(6, 12), ALWAYS, Believed {
        says: "AMD's version 2 tables translate one bit less than they have: 47 or 56",
        why: "They are the processor's own format, whose upper half would have to be sign-extended. Linux 6.1 announced \
            48 bits.",
        way_out: "none is needed",
        from: "drivers/iommu/amd/iommu.c, amd_iommu_domain_alloc_paging_v2",
    }
    VTD_TABLES = "K-VTDTABLES", v(7, 3), ALWAYS, Believed {
        says: "the aperture of an Intel IOMMU is the smaller of what its tables reach (SAGAW) and its guest address width",
        why: "The tables are those of the generic page table code, which knows the width of each format. For a unit that \
            agrees with itself the outcome is as before.",
        way_out: "none is needed",
        from: "drivers/iommu/intel/iommu.c, intel_iommu_domain_alloc_second_stage and first_stage",
    }
    RISCV_NOTHING = "K-RISCVNONE", v(6, 13), ALWAYS, Believed {
        says: "behind a RISC-V IOMMU nothing is reserved, and there is no MSI window",
        why: "The driver has no get_resv_regions, and the MSI controller's driver (IMSIC) does not ask for its doorbells \
            to be mapped. Interrupt files are identity mapped or translated by the IOMMU's own MSI tables.",
        way_out: "none is needed; MSIs of passed devices work only where the IOMMU remaps them",
        from: "drivers/iommu/riscv/iommu.c, riscv_iommu_ops",
    }
    RISCV_APERTURE = "K-RISCVAPER", v(6, 13), ALWAYS, Believed {
        says: "a RISC-V IOMMU translates the lower half of what its mode has: 38, 47 or 56 bits",
        why: "Upper addresses of Sv39, Sv48 and Sv57 would have to be sign-extended, which nobody above the driver does.",
        way_out: "state the aperture of the IOMMU in the description",
        from: "drivers/iommu/riscv/iommu.c, riscv_iommu_alloc_paging_domain",
    }
    DART_BITS = "K-DARTBITS", v(6, 3), ALWAYS, Believed {
        says: "an Apple DART translates as many bits as its hardware says; before, 32",
        why: "The first machines have 32 bits; later ones up to 42, which the driver reads from PARAMS.",
        way_out: "state the aperture of the IOMMU in the description",
        from: "drivers/iommu/apple-dart.c, apple_dart_finalize_domain (input_address_size)",
    }
    MTK_REGIONS = "K-MTKREGIONS", v(5, 12), ALWAYS, Believed {
        says: "a MediaTek M4U reserves the IOVA regions of the chip that lie strictly inside the device's own",
        why: "The multimedia IOVA space is cut into regions by SoC, and some units must have one for themselves: on the \
            MT8192 two of 64 MiB from 0x2_4000_0000. A region that shares an end with the device's is not listed.",
        way_out: "none is needed: these are no PCI devices",
        from: "drivers/iommu/mtk_iommu.c, mtk_iommu_get_resv_regions",
    }
    S390_REGIONS = "K-S390DMA", v(6, 2), ALWAYS, Believed {
        says: "on s390 everything outside the function's DMA range is reserved, as far as the tables reach",
        why: "Firmware gives each PCI function a range of DMA addresses. Before, the driver made it the aperture of the \
            domain and listed nothing.",
        way_out: "keep guest memory inside the function's range",
        from: "drivers/iommu/s390-iommu.c, s390_iommu_get_resv_regions",
    }
    S390_TABLES = "K-S390TABLES", v(6, 16), ALWAYS, Believed {
        says: "on s390 the reserved range above the function's depends on the domain that is attached",
        why: "Its end is what the tables of that domain reach: 42, 53 or 64 bits; with a blocked or identity domain there \
            is no such range at all. So reserved_regions changes when VFIO takes the device. Before, it always \
            ended at 42 bits.",
        way_out: "read reserved_regions while VFIO has the device",
        from: "drivers/iommu/s390-iommu.c, s390_iommu_get_resv_regions and max_tbl_size",
    }
    NO_REGIONS = "K-NOREGIONS", v(4, 11), ALWAYS, Read {
        says: "these IOMMU drivers reserve nothing and have no MSI window: hyperv, tegra-smmu, rockchip, ipmmu-vmsa, \
            sun50i, sprd, omap, msm, qcom_iommu, fsl_pamu, vsi",
        why: "They have no get_resv_regions. Behind such an IOMMU nothing maps the doorbell of an MSI controller, so that \
            the MSIs of a passed device fault by themselves.",
        way_out: "pass devices without MSIs, or use a machine with an SMMU",
        from: "drivers/iommu, iommu_ops without get_resv_regions",
    }
    EXYNOS_OF = "K-EXYNOSOF", v(7, 3), ALWAYS, Believed {
        says: "a Samsung sysmmu reserves what the devicetree's iommu-addresses name",
        why: "Before, its driver had no get_resv_regions, and the property was ignored behind it.",
        way_out: "change the devicetree",
        from: "drivers/iommu/exynos-iommu.c, iommu_dma_get_resv_regions",
    }
    NO_REGIONS_EMULATED = "K-EMULATED", v(4, 11), ALWAYS, Read {
        says: "a mediated or no-IOMMU device has no reserved regions, and a container with nothing else lets everything be mapped",
        why: "No IOMMU translates for them. The list of usable ranges is empty then, which VFIO takes for no bounds, and \
            the capability with the ranges is not reported.",
        way_out: "none is needed; a device that is plugged in later still refuses what is mapped over its regions",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_iova_dma_valid and vfio_iommu_type1_attach_group",
    }
}
