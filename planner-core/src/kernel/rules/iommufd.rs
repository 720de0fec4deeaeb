//! Rows: iommufd.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    IOMMUFD = "K-IOMMUFD", v(6, 2), ALWAYS, Believed {
        says: "iommufd exists",
        why: "The character device /dev/iommu needs CONFIG_IOMMUFD; many distributions leave it off, and \
            older kernels do not have it.",
        way_out: "use VFIO type1 (for QEMU: leave the iommufd object away)",
        from: "drivers/iommu/iommufd/main.c",
    }
    FD_RANGES = "K-FDRANGES", v(6, 2), ALWAYS, Read {
        says: "iommufd refuses every reserved region except direct-relaxable, and everything outside the \
            aperture, once a device is attached",
        why: "IOMMU_IOAS_IOVA_RANGES reports the holes of the reserved tree. Mapping into a reserved \
            region fails with EINVAL; attaching a device over an existing mapping fails with EADDRINUSE, \
            where VFIO type1 says EINVAL.",
        way_out: "place guest memory inside the ranges; IOMMU_IOAS_ALLOW_IOVAS pins them down against \
            devices that come later",
        from: "drivers/iommu/iommufd/io_pagetable.c, iopt_table_enforce_dev_resv_regions and \
            iopt_reserve_iova",
    }
    FD_ONE_MSI = "K-FDONEMSI", v(6, 2), ALWAYS, Read {
        says: "iommufd refuses a device that has a hardware MSI region and the MSI window, or two \
            windows: EINVAL and a warning",
        why: "It could not know where MSIs go. HiSilicon hip06 and hip07 with ACPI are such machines. \
            VFIO type1 takes the device.",
        way_out: "use VFIO type1 for this device",
        from: "drivers/iommu/iommufd/io_pagetable.c, iopt_table_enforce_dev_resv_regions",
    }
    FD_GRANULE = "K-FDGRANULE", v(6, 2), ALWAYS, Read {
        says: "iommufd refuses an IOMMU whose smallest page is larger than the host's: EINVAL",
        why: "Every mapping must be a multiple of the IOMMU's smallest page, and iommufd promises no more \
            than the host's page size.",
        way_out: "use a host kernel with larger pages, or VFIO type1",
        from: "drivers/iommu/iommufd/io_pagetable.c, iopt_table_add_domain",
    }
    FD_ISOLATED = "K-FDISO", v(6, 2), ALWAYS, Read {
        says: "iommufd refuses to bind a device without isolated MSIs with EPERM unless \
            iommufd.allow_unsafe_interrupts is set",
        why: "As for VFIO type1: the guest could make its device write any interrupt of the host.",
        way_out: "set iommufd.allow_unsafe_interrupts=1 if the guest is trusted",
        from: "drivers/iommu/iommufd/device.c, iommufd_device_bind",
    }
    FD_MEMORY_FIRST = "K-FDUVAFIRST", v(6, 13), ALWAYS, Believed {
        says: "IOMMU_IOAS_MAP looks first whether the user's address wraps, then whether the length is too \
            large",
        why: "A request with a length within a page of 2^64 and an address that wraps fails with EOVERFLOW; \
            before, the length was looked at first and it failed with EINVAL. The order changed when files \
            could be mapped, too. Nothing else differs.",
        way_out: "none is needed: both refuse the request",
        from: "drivers/iommu/iommufd/io_pagetable.c, iopt_map_user_pages; drivers/iommu/iommufd/pages.c, \
            iopt_alloc_user_pages",
    }
    FD_SWMSI = "K-FDSWMSI", v(6, 15), ALWAYS, Believed {
        says: "iommufd gives a doorbell page the same place in the window in all address spaces of one \
            file descriptor, for at most 64 pages",
        why: "The 65th page fails with EOVERFLOW. The length of the window is not checked: with 64 KiB \
            pages the 17th page lies past its end.",
        way_out: "keep the number of doorbell pages within the window",
        from: "drivers/iommu/iommufd/driver.c, iommufd_sw_msi_get_map",
    }
}
