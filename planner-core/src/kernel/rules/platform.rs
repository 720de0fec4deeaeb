//! Rows: the hardware around the IOMMU.

use super::{ALWAYS, Confidence, Rule, rules};

rules! {
    P2P_WINDOW = "H-P2PWIN", ALWAYS, ALWAYS, Read {
        says: "DMA whose bus address lies in a memory window of the host bridge may be taken as peer to \
            peer before the IOMMU sees it",
        why: "A root complex or a switch that routes by address sends such an access to another device. \
            Guest memory at that address is silently corrupted or never written. The kernel does not \
            refuse to map it: it keeps only its own DMA allocator out of the windows. What counts is the \
            bus address, which is the window's CPU address minus the bridge's offset. Access control \
            services (ACS) redirect prevents it where every port has it.",
        way_out: "keep guest RAM out of the windows; say no-p2p for a window in the description if the \
            hardware is known to forward to the IOMMU",
        from: "PCI Express Base Specification, Access Control Services; drivers/iommu/dma-iommu.c, \
            iova_reserve_pci_windows",
    }
    X86_TRANSLATES_FIRST = "H-X86XLATE", ALWAYS, ALWAYS, Documented {
        says: "a root complex with VT-d or AMD-Vi translates a DMA address before it looks whether the address lies in a window",
        why: "Only the translated address is decoded for peer to peer. Switches below could still route by address, but the kernel puts devices that can reach each other so into one IOMMU group (ACS). So on x86 the windows of the host bridges are no hazard unless the description says intercepts-p2p.",
        way_out: "say intercepts-p2p for a window in the description if the hardware is known to do otherwise",
        from: "Intel Virtualization Technology for Directed I/O, Architecture Specification, Root-Complex Peer to Peer Considerations; drivers/iommu/iommu.c, pci_device_group",
    }
    NO_IOMMU = "K-NOIOMMU", ALWAYS, ALWAYS, Read {
        says: "a device without an IOMMU cannot be given to a guest safely",
        why: "VFIO has no IOMMU group to open. The no-IOMMU mode lets the device write to any memory of \
            the host and works for user-space drivers only, not for guests.",
        way_out: "enable the IOMMU in firmware and kernel (intel_iommu=on, iommu.passthrough does not \
            matter), or describe which IOMMU the device is behind",
        from: "drivers/vfio/group.c, vfio_group_find_or_alloc",
    }
}
