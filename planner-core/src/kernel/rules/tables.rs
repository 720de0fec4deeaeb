//! Rows: the small print of firmware tables and of lists of regions.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    VIOMMU_WRAP = "K-VIOMMUWRAP", v(5, 3), ALWAYS, Read {
        says: "a virtio-iommu refuses a reserved region of 2^64 bytes only; one that ends before it starts wraps around",
        why: "The length is computed in 64 bits and only compared with itself less one, so an end one below the start and \
            the whole space fail with EOVERFLOW, while an end further below makes a region of almost everything. \
            A subtype other than 0 and 1 is taken as reserved, with a warning.",
        way_out: "correct the hypervisor's reserved-regions option",
        from: "drivers/iommu/virtio-iommu.c, viommu_add_resv_mem",
    }
    RMR_ALIGNMENT = "K-RMRALIGN", v(6, 0), ALWAYS, Believed {
        says: "an RMR whose start or size is no multiple of 64 KiB is widened to pages of the host kernel",
        why: "The table demands 64 KiB; the kernel warns and goes on with its own pages, so the region depends on the page \
            size of the kernel. A size of zero is taken, with a warning.",
        way_out: "firmware: align the region",
        from: "drivers/acpi/arm64/iort.c, iort_rmr_alloc",
    }
    RMR_IDS = "K-RMRIDS", v(6, 0), ALWAYS, Believed {
        says: "an RMR counts for the stream IDs from the first of its mapping up to and with the last",
        why: "The table gives the number of IDs less one. A mapping with 0 there is for one device.",
        way_out: "none is needed",
        from: "drivers/acpi/arm64/iort.c, iort_iommu_rmr_get_resv_regions",
    }
    OF_SMALL_MEMORY = "K-OFONEBYTE", v(6, 3), ALWAYS, Believed {
        says: "a reserved-memory node whose memory has one byte counts as without memory, and an entry of length 0 is skipped",
        why: "The kernel asks whether the memory's start lies below its end. Without memory the IOVAs are reserved, \
            never direct. IOVAs other than the memory are reserved, with a warning.",
        way_out: "change the devicetree",
        from: "drivers/iommu/of_iommu.c, iommu_resv_region_get_type",
    }
    CONSUMERS = "K-CONSUMERS", v(4, 11), ALWAYS, Read {
        says: "sysfs and VFIO type1 see the regions of a group merged, iommufd those of each device as they are",
        why: "The host's own DMA domain takes those of the device that initialises it, and no others of the group. So the \
            three can differ for a group of several devices.",
        way_out: "none is needed",
        from: "drivers/iommu/iommu.c, iommu_get_group_resv_regions; drivers/iommu/iommufd/io_pagetable.c, \
            iopt_table_enforce_dev_resv_regions; drivers/iommu/dma-iommu.c, iova_reserve_iommu_regions",
    }
    DIRECT_MAPPED = "K-DIRECTMAP", v(4, 11), ALWAYS, Read {
        says: "in the host's own DMA domain direct and direct-relaxable regions are mapped one to one, page by page",
        why: "Start and end are each rounded up to the smallest page of the domain, so that a start within a page leaves \
            the part below unmapped. What is mapped already is skipped.",
        way_out: "none is needed",
        from: "drivers/iommu/iommu.c, iommu_create_device_direct_mappings",
    }
    RESV_PROT = "K-RESVPROT", v(4, 11), ALWAYS, Read {
        says: "regions that merge keep the protection of the one that starts lowest",
        why: "The others are dropped with what they said about caching and execution.",
        way_out: "none is needed",
        from: "drivers/iommu/iommu.c, iommu_insert_resv_region",
    }
    RESV_WRAP = "K-RESVWRAP", v(4, 11), ALWAYS, Read {
        says: "nothing merges into a region that ends at 2^64-1, and a region of length 0 merges as if it ended one below its start",
        why: "One past the end wraps to zero. A region of length 0 at address 0 prints an end of 0xffff_ffff_ffff_ffff.",
        way_out: "none is needed: such regions come of faulty tables",
        from: "drivers/iommu/iommu.c, iommu_insert_resv_region",
    }
}
