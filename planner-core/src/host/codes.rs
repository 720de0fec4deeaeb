//! Diagnostics of the host room, for `planner explain`.

crate::diag::diagnostic_codes! {
    UNKNOWN_NAME = "H001" Error "a name refers to nothing"
        "A root complex names an IOMMU or an MSI controller that the description does not define. Definitions may \
         stand anywhere in the host block, before or after their use; check the spelling against the names listed.";
    KERNEL_ASSUMED = "H002" Warning "the kernel is not known"
        "What Linux reserves depends on its version and page size. Where neither the description nor the capture says \
         which kernel runs, the newest known version with 4 KiB pages is assumed. Add `kernel linux 6.12 { page 4K }` \
         to the description, or ask with `--kernel` and `--page`.";
    ARCH_ASSUMED = "H003" Warning "the architecture is not known"
        "Nothing in the input tells the instruction set of the host; it is taken to be aarch64. Add `arch` to the \
         description.";
    RAM_OVERLAP = "H004" Error "two banks of RAM overlap"
        "System RAM is described twice. A capture takes it from proc/iomem, where this cannot happen; in a \
         description one of the two lines is wrong.";
    BUS_OVERLAP = "H005" Error "two root complexes claim the same bus"
        "Within one PCI segment every bus number belongs to one root complex. Give one of them another segment or \
         narrow its `buses`.";
    DEVICE_BUS = "H006" Error "a device lies outside its root complex"
        "The bus of the device is not among the buses of the root complex that it is described under, or its segment \
         is another.";
    DOORBELL_IN_RAM = "H007" Error "a doorbell lies inside a RAM bank"
        "An ITS, a GICv2m frame or a fixed doorbell is a device: its registers cannot lie in system RAM. An ITS is two \
         64 KiB frames, a GICv2m frame is 4 KiB; compare the base with the MADT or the device tree.";
    WINDOW_OVERLAP = "H008" Error "two windows of a root complex overlap on the bus"
        "A bus address belongs to one memory window of a host bridge at most. Where the bridge translates, remember \
         that windows which are apart as CPU addresses can overlap as bus addresses.";
    BAR_OUTSIDE = "H009" Warning "a BAR lies outside the windows of its root complex"
        "CPUs reach a BAR only through a window of its host bridge. Either the window list is incomplete or the BAR is \
         not assigned yet.";
    GROUP_UNKNOWN_DEVICE = "H010" Error "a group lists a device that is not described"
        "Every function of an IOMMU group must stand under a root complex. In a capture this means that \
         sys/bus/pci/devices is incomplete.";
    GROUP_TWICE = "H011" Error "a device is in two IOMMU groups"
        "The kernel puts a device into one group. One of the two lists is wrong.";
    DEVICE_TWICE = "H012" Error "a device is described twice"
        "Two functions cannot have one address. One of the two lines is wrong.";
    INBOUND_SHORT = "H013" Warning "a device cannot reach all of RAM"
        "The inbound windows (`dma-ranges`) of the root complex leave out a part of system RAM. Without an IOMMU \
         devices could not reach it; with one it only matters to the host's own mappings.";
    BRIDGE_BUSES = "H020" Warning "a bridge leads to buses that are not below it"
        "The secondary bus of a bridge lies above the bus that the bridge is on, and its subordinate bus is not below its \
        secondary one. Linux gives such a bridge new numbers (pci_scan_bridge_extend in drivers/pci/probe.c); here it is \
        passed over, so what is below it hangs elsewhere. The dump or description is damaged, or was made before the \
        kernel numbered the buses.";
    BRIDGE_TWICE = "H021" Warning "two bridges lead to one bus"
        "A bus is directly below one bridge. The bridge with the lower address is believed.";
    HIDDEN_BRIDGE = "H022" Note "the bridge above a function is not known"
        "No bridge that is known of has the function's bus directly below it, so it is not known which ports its DMA \
        passes, and whether they isolate it. It is taken to hang below the nearest bridge around that bus.";
    GROUP_SPLIT = "H023" Warning "groups that Linux would have joined"
        "Linux joins functions that can reach one another without the IOMMU seeing it: below a port without access \
        control services (ACS), among functions of a device without them, or behind a bridge to PCI, which sends all \
        DMA under its own requester ID (pci_device_group in drivers/iommu/iommu.c). The host lists them apart. Either its \
        kernel was told to pretend (`pcie_acs_override`, a patch that distributions of hypervisors carry), and then the \
        isolation is not there; or its configuration space was read in another state than when the groups were formed. \
        What is listed is used.";
    GROUP_MERGED = "H024" Warning "a group that Linux would not have formed"
        "The ports and functions between these functions isolate them by what their configuration space says now, yet \
        the host lists them in one group. Access control services may have been switched on after the group was formed, \
        or the kernel knows a quirk that this planner does not. What is listed is used.";
    GROUP_UNEXPECTED = "H025" Warning "a group for a function that Linux would give none"
        "By what is known of the IOMMU, its driver refuses the function. The host lists a group for it all the same, \
        which is used.";
}
