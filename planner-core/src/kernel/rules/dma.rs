//! Rows: the host's own DMA addresses, which devices that stay with the host use.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    DMA_WINDOWS = "K-DMAWIN", v(4, 9), ALWAYS, Believed {
        says: "the host's own DMA keeps out of the memory windows of the PCI host bridge",
        why: "An IOVA inside a window, taken as bus address, might be routed peer to peer. The first PCI \
            device of a domain reserves its bridge's windows, less their offset, rounded out to the \
            IOMMU's smallest page. Nothing of this is told to user space, and VFIO and iommufd do not do \
            it for guests.",
        way_out: "none is needed for the host; keep guest memory out of the windows yourself",
        from: "drivers/iommu/dma-iommu.c, iova_reserve_pci_windows",
    }
    DMA_RANGES = "K-DMARANGES", v(5, 3), ALWAYS, Believed {
        says: "the host's own DMA keeps to the inbound windows (dma-ranges) of the PCI host bridge, and \
            loses the first page of each window that does not start at bus address 0",
        why: "What lies between the windows is reserved up to and with the first address of the next one. \
            Of a window that ends at 2^64-1 nothing at all is left, because the address behind it wraps \
            to 0 and everything from there on is reserved.",
        way_out: "none is needed; firmware that ends its last window below 2^64-1 avoids the loss of all",
        from: "drivers/iommu/dma-iommu.c, iova_reserve_pci_windows",
    }
    DMA_RANGES_ORDER = "K-DMAORDER", v(5, 3), ALWAYS, Believed {
        says: "inbound windows whose bus addresses overlap, or do not ascend as their CPU addresses do, \
            make the setup of the host's DMA domain fail with EINVAL",
        why: "The windows are sorted by CPU address and expected to ascend by bus address. What had been \
            reserved stays, and the next attempt succeeds without reserving the rest: the domain hands \
            out addresses that the bridge may not pass on. dmesg says: Failed to reserve IOVA.",
        way_out: "have firmware describe inbound windows that do not overlap",
        from: "drivers/iommu/dma-iommu.c, iova_reserve_pci_windows and iommu_dma_init_domain",
    }
    DMA_RANGES_TOUCHING = "K-DMATOUCH", v(5, 3), v(5, 10), Believed {
        says: "inbound windows that touch, and one that starts at bus address 0, make the setup of the \
            host's DMA domain fail with EINVAL",
        why: "The kernel took an empty stretch between two windows for a list out of order. The change \
            that names it is Fix IOVA reserve dma ranges, of 5.10.",
        way_out: "use kernel 5.10 or newer",
        from: "drivers/iommu/dma-iommu.c, iova_reserve_pci_windows",
    }
    DMA_REGIONS = "K-DMARESV", v(4, 11), ALWAYS, Read {
        says: "the host's own DMA keeps out of the reserved regions of the first device of a domain, \
            except the MSI window",
        why: "Regions of devices that join the domain later are not looked at. The MSI window is no \
            obstacle, because in such a domain doorbells get addresses like any other memory. A hardware \
            MSI region is taken as mapped one to one, page by page.",
        way_out: "none is needed",
        from: "drivers/iommu/dma-iommu.c, iova_reserve_iommu_regions and cookie_init_hw_msi_region",
    }
    DMA_BASE = "K-DMABASE", ALWAYS, v(6, 10), Believed {
        says: "the host's own DMA hands out nothing below the lowest DMA address that firmware names for \
            the device",
        why: "The base and the limit of dma-ranges or _DMA are handed to the domain. A range that lies \
            wholly outside of the IOMMU's aperture makes the setup fail with EFAULT. The start of the \
            aperture counts only where the aperture is enforced.",
        way_out: "none is needed",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_init_domain",
    }
    DMA_MAP = "K-DMAMAP", v(6, 10), ALWAYS, Believed {
        says: "the host's own DMA starts at the IOMMU's aperture, wherever firmware says that DMA begins",
        why: "The device's DMA ranges are only compared with the aperture: setup fails with EFAULT when \
            they lie wholly outside of it. What lies between them is left to the inbound windows of the \
            host bridge.",
        way_out: "none is needed",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_init_domain",
    }
    DMA_32BIT_ALWAYS = "K-DMA32EVERY", v(4, 10), v(6, 6), Documented {
        says: "every allocation for a PCI device is tried below 4 GiB first",
        why: "Many devices and bridges do not work above, whatever they claim. Once the space below \
            4 GiB is full, each allocation searches it in vain before it goes higher. The kernel's \
            parameter iommu.forcedac=1 turns it off.",
        way_out: "set iommu.forcedac=1 if mapping is slow and the devices are sound",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_alloc_iova",
    }
    DMA_32BIT_UNTIL_FULL = "K-DMA32FIRST", v(6, 6), ALWAYS, Documented {
        says: "allocations for a PCI device are tried below 4 GiB first, until that fails once",
        why: "From then on that device gets addresses from the top of its DMA mask. dmesg says: Using \
            64-bit DMA addresses. The kernel's parameter iommu.forcedac=1 turns it off from the start.",
        way_out: "set iommu.forcedac=1 to be without the change of behaviour",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_alloc_iova (pci_32bit_workaround)",
    }
    DMA_TOP_DOWN = "K-DMATOPDOWN", v(4, 15), ALWAYS, Read {
        says: "the host hands out DMA addresses downward from the last one, and looks above it only when \
            there is nothing below",
        why: "Two places are kept, one for 32-bit addresses and one for all others, and a range that is \
            freed above brings its place back up. So a limit above 4 GiB can give an address below it \
            while there is room above.",
        way_out: "none is needed",
        from: "drivers/iommu/iova.c, __alloc_and_insert_iova_range and __cached_rbnode_delete_update",
    }
    IOVA_RETRY = "K-DMARETRY", v(5, 11), ALWAYS, Believed {
        says: "an allocation that finds nothing below the last one is tried again above it",
        why: "Before, it failed, and the cache of freed ranges had to be emptied to bring the place back \
            up. The change that names it is Retry from last rb tree node if iova search fails.",
        way_out: "use a newer kernel if 32-bit devices run out of addresses",
        from: "drivers/iommu/iova.c, __alloc_and_insert_iova_range",
    }
    DMA_32BIT_BARRED = "K-DMA32BAR", v(4, 20), ALWAYS, Read {
        says: "after an allocation has failed, requests for 32-bit addresses of that size or above fail \
            at once until a range below 4 GiB is freed",
        why: "Any failure counts, also one with a low limit or with one above 4 GiB.",
        way_out: "none is needed",
        from: "drivers/iommu/iova.c, __alloc_and_insert_iova_range (max32_alloc_size)",
    }
    DMA_CACHES = "K-DMACACHE", v(4, 7), ALWAYS, Read {
        says: "freed DMA ranges of up to 32 pages stay taken and wait, by CPU and size, to be handed out \
            again",
        why: "What waits is given back only when an allocation fails, or after a while when there is very \
            much of it. So an address that was freed may be out of reach for other sizes and other CPUs.",
        way_out: "none is needed",
        from: "drivers/iommu/iova.c, iova_rcache_insert and alloc_iova_fast",
    }
    MAGAZINE_127 = "K-DMAMAG127", v(6, 0), ALWAYS, Believed {
        says: "a magazine of freed DMA ranges holds 127 of them; before, it held 128",
        why: "With its header it then fits 1 KiB of memory. The change that names it is change \
            IOVA_MAG_SIZE to 127 to save memory.",
        way_out: "none is needed",
        from: "drivers/iommu/iova.c, IOVA_MAG_SIZE",
    }
    DEPOT_BOUNDED = "K-DMADEPOT", v(4, 7), v(6, 7), Believed {
        says: "at most 32 full magazines of freed DMA ranges of one size wait in the depot; a further one \
            is freed at once",
        why: "Since 6.7 (Make the rcache depot scale better) the depot has no bound, and gives one \
            magazine back every 100 ms while it holds more than there are CPUs.",
        way_out: "none is needed",
        from: "drivers/iommu/iova.c, __iova_rcache_insert (MAX_GLOBAL_MAGS)",
    }
    DMA_DOORBELLS = "K-DMADOORBELL", v(4, 9), ALWAYS, Read {
        says: "in a domain of the host's own DMA, a doorbell page is an allocation like any other, below \
            the device's DMA mask",
        why: "The page is that of the IOMMU's smallest page, not of the host. When no address is left, \
            the device gets no MSIs.",
        way_out: "none is needed",
        from: "drivers/iommu/dma-iommu.c, iommu_dma_get_msi_page",
    }
}
