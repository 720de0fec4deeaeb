//! Rows: how the regions of a group are merged and printed in `reserved_regions`.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    RESV_SYSFS = "K-RESVSYSFS", v(4, 11), ALWAYS, Documented {
        says: "the reserved regions of an IOMMU group stand in /sys/kernel/iommu_groups/N/reserved_regions",
        why: "One line for each region: first address, last address, kind. Not listed does not mean not \
            reserved: a hardware MSI region and the MSI window print the same word, and host bridge \
            windows are not there.",
        way_out: "on an older kernel nothing tells user space what to avoid",
        from: "Documentation/ABI/testing/sysfs-kernel-iommu_groups",
    }
    RESV_MERGE = "K-RESVMERGE", v(4, 11), ALWAYS, Read {
        says: "regions of one kind that overlap or touch are listed as one, regions of different kinds \
            never merge",
        why: "The regions of all devices of the group go into one list, sorted by first address and then \
            by kind. Regions of different kinds may overlap in it. The arithmetic is that of 64-bit \
            numbers that wrap.",
        way_out: "none is needed",
        from: "drivers/iommu/iommu.c, iommu_insert_resv_region",
    }
    RESV_STOP = "K-RESVSTOP", ALWAYS, ALWAYS, Read {
        says: "the list of a group ends at the first device that has no IOMMU",
        why: "The walk over the group's devices stops there silently, and regions of the devices after it \
            are not listed.",
        way_out: "none is needed: such a group is not a usual one",
        from: "drivers/iommu/iommu.c, iommu_insert_device_resv_regions and iommu_get_group_resv_regions",
    }
    RESV_PAGE = "K-RESVPAGE", v(6, 12), ALWAYS, Believed {
        says: "the text of reserved_regions is cut at one page of the host kernel",
        why: "sysfs_emit_at writes no further, so with 4 KiB pages a group shows 4095 characters, some 87 \
            regions, and the last line may be broken off. Older kernels wrote past the page.",
        way_out: "none; so many regions are rare",
        from: "drivers/iommu/iommu.c, iommu_group_show_resv_regions (sysfs_emit_at)",
    }
    LISTED = "K-LISTED", v(4, 11), ALWAYS, Documented {
        says: "the kernel lists this region, and no other rule of this table says why",
        why: "What the kernel lists is true of the host that it was read from, whether or not the planner \
            can explain it.",
        way_out: "keep guest memory out of the region; a capture with firmware tables may explain it",
        from: "Documentation/ABI/testing/sysfs-kernel-iommu_groups",
    }
}
