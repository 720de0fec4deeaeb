//! Rows: the small print of VFIO type1 containers.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    T1_ORDER = "K-T1ORDER", v(5, 4), ALWAYS, Documented {
        says: "a group that conflicts with what is mapped fails with EINVAL, even where it would also fail with EPERM",
        why: "Aperture and regions are looked at before the isolation of MSIs. The container stays as it was.",
        way_out: "resolve the conflict first; a missing allow_unsafe_interrupts shows afterwards",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_attach_group",
    }
    T1_ONE_ADDRESS = "K-T1ONEADDR", v(5, 4), ALWAYS, Documented {
        says: "a usable range of which an aperture would leave a single address goes altogether",
        why: "The comparison that should keep it excludes equality.",
        way_out: "none is needed: no aperture ends so",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_aper_resize",
    }
    T1_SEAM = "K-T1SEAM", v(5, 4), ALWAYS, Documented {
        says: "a reserved region of length 0 cuts a usable range in two that touch, and nothing can be mapped across the seam",
        why: "A map request must lie within one range, and ranges that touch are not joined.",
        way_out: "correct the table that makes the empty region",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_resv_exclude and vfio_iommu_iova_dma_valid",
    }
    T1_COOKIE_JOIN = "K-T1COOKIEJOIN", v(4, 11), ALWAYS, Read {
        says: "a group that joins the domain of another brings no MSI window of its own: the domain has that of its first group, or none",
        why: "The window is set up when a domain is made. Behind one kind of IOMMU a group with a hardware MSI region and \
            one with a window may so share a domain without a window, and the MSIs of the second are not mapped.",
        way_out: "give the groups containers of their own, the one with the window first, or use iommufd",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_attach_group",
    }
    T1_COOKIE_STAYS = "K-T1COOKIESTAYS", v(5, 4), ALWAYS, Documented {
        says: "when the group with the MSI window leaves, the window is given back as usable while doorbells stay mapped there",
        why: "The mapping of a doorbell is removed with the domain only, and the domain lives on with its other groups.",
        way_out: "never map 0x0800_0000..=0x080f_ffff on Arm, whatever the ranges say",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_detach_group and vfio_iommu_resv_refresh",
    }
    T1_LIMIT = "K-T1LIMIT", v(5, 1), ALWAYS, Believed {
        says: "a container holds 65535 mappings (dma_entry_limit); one more fails with ENOSPC",
        why: "The limit bounds what an unprivileged owner of a container can make the kernel keep. Overlap is looked at \
            before, the usable ranges after it.",
        way_out: "map larger pieces, or set vfio_iommu_type1.dma_entry_limit",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_dma_do_map",
    }
    T1_NO_COMMON_PAGE = "K-T1NOPAGE", ALWAYS, ALWAYS, Read {
        says: "IOMMUs without a page size in common must not share a container",
        why: "The common set is empty then, and the kernel computes with the lowest bit of zero, which means nothing.",
        way_out: "give the groups containers of their own",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_update_pgsize_bitmap",
    }
    T1_DETACH = "K-T1DETACH", v(5, 4), ALWAYS, Documented {
        says: "when a group leaves a container, the usable ranges are made anew from the groups that stay; after the last they are all addresses",
        why: "The aperture grows back to what the remaining domains have in common. With the last group of the last \
            domain everything is unmapped.",
        way_out: "none is needed",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_detach_group and vfio_iommu_aper_expand",
    }
    T1_SHARED_TABLES = "K-T1SHARED", v(5, 4), ALWAYS, Documented {
        says: "a group that joins a domain uses the tables of its first group, while the ranges are narrowed to its own aperture",
        why: "Groups of one driver share tables where they agree on cache coherency. The first group's tables are not \
            exchanged for narrower ones.",
        way_out: "none is needed",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_attach_group",
    }
    T1_TOP = "K-T1TOP", ALWAYS, v(6, 18), Believed {
        says: "a mapping that ends at 2^64-1 is overlooked: it cannot be unmapped, and what overlaps it may or may not be noticed",
        why: "Its end wraps to zero, so that every search that meets it turns the wrong way. What lies below may be \
            overlooked with it, depending on the order in which mappings were made. Only IOMMUs with 64 bits (AMD) \
            let one be made.",
        way_out: "never map the last page of the 64-bit space",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_find_dma and vfio_find_dma_first_node",
    }
}
