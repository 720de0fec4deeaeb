//! Rows: where MSIs go.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    DOORBELL_PAGES = "K-DOORBELLS", v(4, 11), ALWAYS, Read {
        says: "each page with a doorbell gets one page of the MSI window, from its base upwards, in the \
            order in which devices ask",
        why: "The page is that of the host kernel: 256 fit with 4 KiB, 64 with 16 KiB, 16 with 64 KiB. \
            Doorbells within one page share it. The address that the device gets is the page in the \
            window plus the doorbell's offset within its page.",
        way_out: "none is needed",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_get_msi_page; drivers/iommu/iommufd/driver.c, \
            iommufd_sw_msi_get_map",
    }
    DOORBELL_OVERRUN = "K-DOORBELLOVERRUN", v(4, 11), ALWAYS, Read {
        says: "doorbell pages that no longer fit into the MSI window are put behind it, where user space \
            may have mapped guest memory",
        why: "Nothing compares the next page with the window's length.",
        way_out: "leave as much room behind the window as there are doorbell pages too many, or pass \
            devices with fewer doorbells",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_get_msi_page",
    }
    HW_MSI_WINS = "K-HWMSI", v(4, 11), ALWAYS, Read {
        says: "a hardware MSI region anywhere in the group means that VFIO type1 makes no MSI window",
        why: "The kernel takes it that doorbells are used at their physical addresses.",
        way_out: "none is needed where that is so, as on x86",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_has_sw_msi",
    }
    NO_COOKIE = "K-NOCOOKIE", v(6, 15), ALWAYS, Believed {
        says: "on Arm, a group with a hardware MSI region gets no MSIs through VFIO: enabling them fails \
            with ENOSPC",
        why: "Without a window the domain has no MSI cookie, and since the rework iommu_dma_prepare_msi \
            answers EOPNOTSUPP instead of leaving the message alone; the ITS driver turns it into ENOSPC. \
            Older kernels program the doorbell's physical address.",
        way_out: "use a kernel before 6.15; under QEMU's virtio-iommu remove the MSI region from the \
            endpoint, or use an SMMUv3 instead",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_sw_msi; drivers/iommu/iommu.c, iommu_dma_prepare_msi",
    }
    FIXED_DOORBELL = "K-FIXEDBELL", v(4, 11), ALWAYS, Believed {
        says: "a doorbell that hardware pins is a hardware MSI region: devices write to its physical \
            address, and nothing else can be mapped there",
        why: "The write never reaches the IOMMU's tables, or passes them untranslated.",
        way_out: "keep guest memory out of the region",
        from: "include/linux/iommu.h, IOMMU_RESV_MSI",
    }
    UNMAPPED_DOORBELL = "K-UNMAPPEDBELL", ALWAYS, ALWAYS, Read {
        says: "this MSI controller's driver never maps its doorbell, so behind a translating IOMMU its \
            MSIs fault",
        why: "Only the ITS, GICv2m, MBI and LS SCFG drivers call iommu_dma_prepare_msi. X-Gene, Alpine \
            and Broadcom MIP controllers do not.",
        way_out: "there is none with this controller; use a device below an ITS or GICv2m frame",
        from: "drivers/irqchip, callers of iommu_dma_prepare_msi",
    }
    UNKNOWN_DOORBELL = "K-UNKNOWNBELL", ALWAYS, ALWAYS, Read {
        says: "it is not known which MSI controller the device uses, so whether its MSIs are isolated and \
            where they go cannot be told",
        why: "The devicetree's msi-map or msi-parent, or the IORT, tells; the facts about this host have \
            none of them for the device.",
        way_out: "state the controller of the root complex in the description (`msi`), or capture the \
            host with its firmware tables",
        from: "drivers/pci/msi/irqdomain.c, pci_msi_get_device_domain",
    }
}
