//! Rows: which IOMMU groups exist at all, and whether one can be taken.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    GROUP_AT_PROBE = "K-GROUPATPROBE", ALWAYS, v(6, 15), Believed {
        says: "on Arm with a devicetree or IORT, a device has an IOMMU group only once a driver was bound to it",
        why: "The IOMMU of a device was set up when its driver was probed, so devices without a driver and host bridges \
            are in no group. Booted kernels: so on 6.1 and 6.12; on 7.3 every PCI function has its group from \
            enumeration on. On x86 it always had.",
        way_out: "bind vfio-pci (driver_override), and the group appears; a capture shows what was there",
        from: "drivers/of/device.c, of_dma_configure_id; drivers/base/dd.c, really_probe (dma_configure)",
    }
    GROUP_WITH_PORT = "K-GROUPWITHPORT", ALWAYS, v(6, 15), Believed {
        says: "with a devicetree, a root port and the function below it share a group",
        why: "Access control services (ACS) were asked for only after devices had been enumerated. Booted kernels: so on \
            6.1 and 6.12; with ACPI, and on 7.3, they are apart.",
        way_out: "none is needed: a root port with pcieport bound does not keep the group from being taken",
        from: "drivers/pci/probe.c, pci_acs_init; drivers/pci/of.c; drivers/iommu/iommu.c, pci_device_group",
    }
    STREAM_ALIAS = "K-STREAMALIAS", v(7, 3), ALWAYS, Believed {
        says: "of two devices behind a PCIe-to-PCI bridge that share a stream ID, an SMMUv3 takes the first only",
        why: "The second gets no group; dmesg says: Aliasing StreamID unsupported, expect DMA to be broken. Booted \
            kernels: so on 7.3; 6.1 and 6.12 put both into one group.",
        way_out: "put the device into a slot of its own",
        from: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_insert_master",
    }
    VIOMMU_VANISH = "K-VIOMMUVANISH", v(7, 3), ALWAYS, Believed {
        says: "behind a virtio-iommu, a conventional PCI device makes all IOMMU groups disappear",
        why: "Setting the bus up fails silently after dmesg has announced groups. Booted kernels: so on 7.3, where 6.12 \
            keeps the groups of the other devices; also with a granule of 64 KiB below a kernel with 4 KiB pages.",
        way_out: "remove the conventional PCI device (and its bridge) from the machine",
        from: "drivers/iommu/virtio-iommu.c, viommu_probe_device; drivers/iommu/iommu.c, bus_iommu_probe",
    }
    NOT_VIABLE = "K-NOTVIABLE", ALWAYS, ALWAYS, Read {
        says: "a group can be taken only when no device of it has a driver of the host: VFIO_GROUP_SET_CONTAINER fails with EPERM",
        why: "A host driver would share the guest's address space. Devices without a driver, with a vfio driver, and \
            bridges with pcieport do no harm; a PCIe-to-PCI bridge with shpchp does.",
        way_out: "unbind the other devices of the group, or bind them to vfio-pci; unbind shpchp from the bridge",
        from: "drivers/iommu/iommu.c, iommu_group_claim_dma_owner; drivers/vfio/group.c, vfio_group_ioctl_set_container",
    }
    NO_MSI_CONTROLLER = "K-NOMSICTRL", ALWAYS, ALWAYS, Read {
        says: "with a GICv3 without ITS or GICv2m frame, enabling MSI-X fails with ENOTSUPP and MSI with EINVAL",
        why: "There is no MSI controller. Usable ranges and regions are as with one.",
        way_out: "give the machine an ITS; line interrupts work without",
        from: "drivers/pci/msi/msi.c, __pci_enable_msix_range",
    }
    MSI_COARSE = "K-MSICOARSE", v(4, 11), ALWAYS, Read {
        says: "where the smallest page of the IOMMU is larger than the host's, doorbells cannot be mapped",
        why: "A doorbell takes one page of the host kernel, which the IOMMU cannot map: EINVAL. iommufd refuses such an \
            IOMMU altogether.",
        way_out: "use a host kernel with larger pages",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_get_msi_page",
    }
}
