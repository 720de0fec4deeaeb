//! Rows: what firmware makes Linux reserve, and what a one-to-one region means for assignment.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    DIRECT_BLOCKS = "K-DIRECTBLOCK", v(6, 6), ALWAYS, Believed {
        says: "a device with a direct region cannot be given to a guest: claiming its group fails with \
            EINVAL",
        why: "Firmware says that the device must always reach this memory one to one, for example because \
            it does DMA on behalf of firmware. Taking the group over would pass through a domain that \
            blocks all DMA, which the kernel refuses for such devices. dmesg says: Firmware has requested \
            this device have a 1:1 IOMMU mapping.",
        way_out: "pass through another device, or have firmware drop the region or mark it relaxable \
            (RMR: remap permitted); a kernel before 6.6 takes SMMU and AMD groups and leaves a hole \
            instead",
        from: "drivers/iommu/iommu.c, iommu_create_device_direct_mappings and __iommu_device_set_domain \
            (require_direct)",
    }
    DIRECT_HOLE = "K-DIRECTHOLE", ALWAYS, v(6, 6), Believed {
        says: "a direct region is only a hole in the IOVA space of SMMU and AMD groups",
        why: "Until the kernel refused such devices altogether, VFIO took the group and merely kept user \
            space from mapping the region.",
        way_out: "keep guest memory out of the region; from 6.6 on the device cannot be assigned at all",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_resv_exclude",
    }
    RMRR_INELIGIBLE = "K-RMRRINELIGIBLE", ALWAYS, v(6, 6), Believed {
        says: "an Intel device with an RMRR that is not relaxable cannot be given to a guest: attaching \
            its group fails with EPERM",
        why: "dmesg says: Device is ineligible for IOMMU domain attach due to platform RMRR requirement. \
            USB controllers and graphics devices are exempt. From 6.6 on the general rule for direct \
            regions takes its place, with EINVAL.",
        way_out: "pass through another device, or have firmware drop the RMRR (some vendors have a \
            setting for the shared memory that causes it)",
        from: "drivers/iommu/intel/iommu.c, intel_iommu_attach_device and device_is_rmrr_locked",
    }
    RELAXABLE = "K-RELAXABLE", v(5, 3), ALWAYS, Documented {
        says: "a direct-relaxable region does not hinder assignment and leaves no hole",
        why: "Firmware needs the one-to-one mapping only until a driver takes the device over. VFIO and \
            iommufd ignore the region; before 5.3 the kind did not exist and such regions were listed as \
            direct.",
        way_out: "none is needed",
        from: "Documentation/ABI/testing/sysfs-kernel-iommu_groups; drivers/vfio/vfio_iommu_type1.c, \
            vfio_iommu_resv_exclude",
    }
    RELAXED_DIRECT = "K-RELAXEDDIRECT", ALWAYS, v(5, 3), Documented {
        says: "a region that could be given up is listed as direct, and does not hinder assignment",
        why: "The kind direct-relaxable came with 5.3. Before, VFIO made exceptions for USB and graphics \
            devices and listed their regions like all others.",
        way_out: "none is needed",
        from: "drivers/iommu/intel/iommu.c, device_is_rmrr_locked",
    }
    RMR = "K-RMR", v(6, 0), ALWAYS, Believed {
        says: "an IORT RMR node reserves its region for the devices that it names",
        why: "The region is direct, or direct-relaxable when the node permits remapping. Bounds that are \
            not multiples of 64 KiB are rounded outwards to pages of the host kernel. For PCI devices the \
            kernel honours the node only if firmware asks to preserve the boot configuration (_DSM \
            function 5).",
        way_out: "firmware: permit remapping, or drop the node",
        from: "drivers/acpi/arm64/iort.c, iort_rmr_alloc and iort_iommu_rmr_get_resv_regions",
    }
    RMRR = "K-RMRR", v(4, 11), ALWAYS, Documented {
        says: "a DMAR RMRR reserves its region for the devices in its scope and below bridges in its scope",
        why: "The region is direct, but direct-relaxable for USB controllers and graphics devices, whose \
            drivers take over from firmware.",
        way_out: "firmware: drop the RMRR, or take the device out of its scope",
        from: "drivers/iommu/intel/iommu.c, intel_iommu_get_resv_regions and device_rmrr_is_relaxable",
    }
    FLOPPY = "K-FLOPPYWA", v(5, 3), ALWAYS, Believed {
        says: "behind an Intel IOMMU, an ISA bridge has a direct-relaxable region 0x0..=0xff_ffff",
        why: "The floppy controller does DMA to the first 16 MiB through the bridge \
            (CONFIG_INTEL_IOMMU_FLOPPY_WA, on by default).",
        way_out: "none is needed: the region is relaxable",
        from: "drivers/iommu/intel/iommu.c, intel_iommu_get_resv_regions",
    }
    IVMD = "K-IVMD", v(4, 11), ALWAYS, Documented {
        says: "an IVRS IVMD entry reserves its region as direct for the devices that it covers",
        why: "Unity maps and exclusion ranges end up the same. The start is rounded up to a page, as is \
            the length.",
        way_out: "firmware: drop the entry",
        from: "drivers/iommu/amd/iommu.c, amd_iommu_get_resv_regions; drivers/iommu/amd/init.c, \
            init_unity_map_range",
    }
    OF_IOVA = "K-OFIOVA", v(6, 3), ALWAYS, Believed {
        says: "a reserved-memory node with iommu-addresses reserves these IOVAs for the devices that \
            refer to it",
        why: "When the IOVAs equal the node's memory the region is direct, otherwise, or without memory, \
            it is reserved. Older kernels ignore the property.",
        way_out: "change the devicetree, or keep guest memory out",
        from: "drivers/iommu/of_iommu.c, of_iommu_get_resv_regions",
    }
    HI161X = "K-HI161X", v(4, 17), ALWAYS, Believed {
        says: "on HiSilicon hip06 and hip07 the ITS translation frame, 64 KiB from 0x1_0000 above the ITS \
            base, is a hardware MSI region besides the MSI window",
        why: "Erratum 161010801: these SMMUv3 do not translate writes to the doorbell. The IORT names the \
            model; with a devicetree the kernel does not know it.",
        way_out: "keep guest memory out of the frame; iommufd refuses such devices, VFIO type1 takes them",
        from: "drivers/acpi/arm64/iort.c, iort_iommu_msi_get_resv_regions",
    }
    WINDOWS_LISTED = "K-WINLISTED", v(4, 11), v(4, 18), Believed {
        says: "behind an Arm SMMU, the memory windows of the host bridge are listed as reserved, in bus \
            addresses",
        why: "For a few releases the helper that SMMU drivers call reported the windows, so that user \
            space could keep out. Since 4.18 only the host's own DMA allocator keeps out and user space \
            is told nothing, although the hardware has not changed.",
        way_out: "keep guest memory out of the windows; with a newer kernel see H-P2PWIN",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_get_resv_regions (4.11 to 4.17)",
    }
    WINDOWS_UNLISTED = "K-WINHOSTONLY", v(4, 18), ALWAYS, Believed {
        says: "the memory windows of host bridges are kept out of the host's own DMA domain, but not \
            listed and not refused to user space",
        why: "iova_reserve_pci_windows serves the host's DMA allocator only. VFIO and iommufd map guest \
            memory into the windows without a word.",
        way_out: "see H-P2PWIN",
        from: "drivers/iommu/dma-iommu.c, iova_reserve_pci_windows",
    }
    FIRMWARE = "K-FIRMWARE", v(4, 11), ALWAYS, Documented {
        says: "firmware or the hypervisor claims this region, and the facts about the host do not say \
            through which table",
        why: "The kernel lists it, so it is there. It comes from an RMR, RMRR, IVMD or iommu-addresses \
            entry, or from the property of a virtio-iommu, none of which was given with the host.",
        way_out: "capture the host with its firmware tables to know which",
        from: "drivers/iommu/iommu.c, iommu_get_resv_regions",
    }
}
