//! Rows: the small print of iommufd address spaces.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    FD_ALLOW = "K-FDALLOW", v(6, 2), ALWAYS, Read {
        says: "IOMMU_IOAS_ALLOW_IOVAS keeps later devices from reserving in the ranges, and automatic IOVAs inside them; fixed maps ignore it",
        why: "A device whose regions or aperture touch an allowed range is refused with EADDRINUSE, and so is an allowed \
            range over a region. Each range needs at least two addresses and none may overlap (EINVAL). No ranges \
            allow everything.",
        way_out: "allow the guest's RAM before devices are plugged in, and a device that does not fit is refused at once",
        from: "drivers/iommu/iommufd/ioas.c, iommufd_ioas_allow_iovas; drivers/iommu/iommufd/io_pagetable.c, \
            iopt_set_allow_iova",
    }
    FD_CONFLICT = "K-FDCONFLICT", v(6, 2), ALWAYS, Read {
        says: "iommufd refuses a device with EADDRINUSE when something is mapped over one of its regions or beyond its aperture",
        why: "VFIO type1 says EINVAL to the same. Regions of several devices may overlap one another; each is given back \
            with its device.",
        way_out: "plan for every device that may ever be plugged in",
        from: "drivers/iommu/iommufd/io_pagetable.c, iopt_reserve_iova",
    }
    FD_DOMAIN_SWMSI = "K-FDDOMAINMSI", v(6, 2), v(6, 15), Believed {
        says: "iommufd gives each domain an MSI window of its own, which is filled as VFIO type1 fills it",
        why: "The first device of a group sets it up. From 6.15 on one window serves a whole file descriptor.",
        way_out: "none is needed",
        from: "drivers/iommu/iommufd/device.c, iommufd_group_setup_msi; drivers/iommu/dma-iommu.c, iommu_get_msi_cookie",
    }
    FD_FIXED_WINDOW = "K-FDFIXEDMSI", v(6, 2), ALWAYS, Read {
        says: "user space cannot choose where the MSI window lies",
        why: "iommufd has two options, for memory limits and for huge pages. One for the window was proposed in 2025 and \
            is not there.",
        way_out: "keep guest memory out of 0x0800_0000..=0x080f_ffff on Arm",
        from: "include/uapi/linux/iommufd.h, enum iommufd_option",
    }
    FD_FIXED = "K-FDFIXED", v(6, 2), ALWAYS, Read {
        says: "a fixed map fails with EINVAL over a reserved region, with EEXIST over a mapping, with EINVAL where it is not aligned",
        why: "The order is: unknown flags EOPNOTSUPP; an address or length of 2^64-1 EOVERFLOW; neither readable nor \
            writeable EINVAL; length 0 EINVAL; alignment EINVAL; past the end EOVERFLOW; reserved EINVAL; mapped \
            EEXIST. The offset of the memory within its page must suit the alignment, too.",
        way_out: "none is needed",
        from: "drivers/iommu/iommufd/ioas.c, iommufd_ioas_map; drivers/iommu/iommufd/io_pagetable.c, iopt_check_iova",
    }
    FD_AUTOMATIC = "K-FDAUTO", v(6, 2), ALWAYS, Read {
        says: "an automatic IOVA is the lowest that fits, never in the first or last page, aligned as the memory is",
        why: "The alignment is the smaller of the length rounded up to a power of two and what the user's address is \
            aligned to, at most a huge page (2 MiB with pages of 4 KiB, 32 MiB with 16 KiB, 512 MiB with 64 KiB). \
            Nothing suitable is ENOSPC; half of the space or more is EOVERFLOW.",
        way_out: "VMMs map at fixed addresses; only user-space drivers meet this",
        from: "drivers/iommu/iommufd/io_pagetable.c, iopt_alloc_iova",
    }
    FD_UNMAP = "K-FDUNMAP", v(6, 2), ALWAYS, Read {
        says: "an unmap must cover whole mappings: it fails with ENOENT where there is none or one would be cut",
        why: "VFIO type1 says EINVAL to a cut and success to nothing. From 0 with a length of 2^64-1 everything is \
            unmapped, and nothing there is no error.",
        way_out: "none is needed",
        from: "drivers/iommu/iommufd/io_pagetable.c, iopt_unmap_iova_range",
    }
    FD_COMPAT = "K-FDCOMPAT", v(6, 2), ALWAYS, Read {
        says: "a container of iommufd's VFIO emulation reports the same usable ranges as iommufd itself",
        why: "With CONFIG_IOMMUFD_VFIO_CONTAINER /dev/vfio/vfio is iommufd. Ranges are the holes of what is reserved; \
            errors are translated to those of type1.",
        way_out: "none is needed",
        from: "drivers/iommu/iommufd/vfio_compat.c, iommufd_fill_cap_iova",
    }
    FD_NO_IOMMU = "K-FDNOIOMMU", v(7, 3), ALWAYS, Believed {
        says: "iommufd binds no-IOMMU devices, and enforces no regions for them",
        why: "They serve user-space drivers that are trusted with all memory; guests cannot use them.",
        way_out: "none is needed",
        from: "drivers/iommu/iommufd/device.c, iommufd_device_bind",
    }
    FD_HW_INFO = "K-FDHWINFO", v(6, 6), ALWAYS, Believed {
        says: "IOMMU_GET_HW_INFO tells which kind of IOMMU a device is behind, and for VT-d its capability registers",
        why: "Drivers that hand out no registers answer with type 0, which is no error. A VMM needs the registers to build \
            an IOMMU for its guest that nests in the host's.",
        way_out: "none is needed",
        from: "drivers/iommu/iommufd/device.c, iommufd_get_hw_info; drivers/iommu/intel/iommu.c, intel_iommu_hw_info",
    }
    FD_HW_SMMU = "K-FDHWSMMU", v(6, 13), ALWAYS, Believed {
        says: "an SMMUv3 hands out its ID registers, and with both stages it lets page tables be made that others nest in",
        why: "Before, IOMMU_GET_HW_INFO answers with type 0 and IOMMU_HWPT_ALLOC_NEST_PARENT fails with EOPNOTSUPP, as it \
            still does for an SMMU with one stage. The kernel needs CONFIG_ARM_SMMU_V3_IOMMUFD.",
        way_out: "use kernel 6.13 or newer for a nested SMMU; without one nothing changes for the guest",
        from: "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-iommufd.c, arm_smmu_hw_info; \
            drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_domain_alloc_paging_flags",
    }
}
