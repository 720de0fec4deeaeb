//! Diagnostics of the guest room, for `planner explain`.

crate::diag::diagnostic_codes! {
    NO_MEMORY = "G001" Error "the guest has no memory"
        "Without a size there is nothing to place. Say `memory 16G` in the description or `--memory 16G` on the \
         command line.";
    MEMORY_PAGES = "G002" Error "the memory is no whole number of pages"
        "The VMM backs guest memory with host pages of the size asked for; a part of a page cannot be mapped. Round \
         the size, or ask for smaller pages.";
    UNKNOWN_DEVICE = "G003" Error "a device to pass through is not on the host"
        "The address names no PCI function of the host. Compare with `lspci -D` there, and mind the segment: \
         `0000:` is assumed where none is given.";
    BRIDGE = "G004" Error "a bridge cannot be passed through"
        "vfio-pci binds endpoints only. Bridges stay with the host; pass the functions behind it.";
    PASSED_TWICE = "G005" Warning "a device is passed through twice"
        "The second mention has no effect.";
    NUMA_SUM = "G006" Error "the NUMA nodes do not add up"
        "The memory of the nodes must add up to the memory of the guest, so that every byte has a node.";
    NUMA_CPUS = "G007" Error "the virtual CPUs of the NUMA nodes do not fit"
        "Every virtual CPU from 0 to the number of CPUs less one belongs to one node at most.";
    ARCH_DIFFERS = "G008" Error "guest and host have different architectures"
        "A device can only be passed through to a guest that runs on the host's own CPUs (KVM), so both have the \
         same instruction set.";
    MORE_THAN_HOST = "G009" Warning "the guest has more memory than the host"
        "VFIO pins all guest memory. A guest with a passed-through device cannot have more memory than the host has \
         to give; the VMM fails with -ENOMEM when it maps the guest.";
    NUMA_PAGES = "G010" Error "a NUMA node's memory is no whole number of its pages"
        "Pieces of memory at explicit addresses are cut at node boundaries, which must therefore lie on page \
         boundaries (2 MiB at least, which QEMU demands of memory modules).";
    VMM_ARCH = "G011" Error "the planner has no such machine of this VMM"
        "The memory map of a guest depends on VMM and architecture; this combination is not among those that \
         `planner vmm` lists.";
    DESCRIBED = "G013" Error "the description of the VMM contradicts itself"
        "A `vmm custom { … }` says where its memory, its windows and its devices lie. They must not overlap, each needs a \
         name of its own, memory is either movable or at fixed places, and a window that is moved must fit into the span \
         in which it may lie.";
    NOT_CUSTOM = "G014" Error "only a custom VMM is described"
        "The planner has models of the VMMs that it knows by name; what they do is not for the description to say. \
         `vmm custom { … }` describes any other.";
    NO_DEVICE = "G012" Note "no device is passed through"
        "Without a passed-through device the host's IOMMU reserves nothing in the guest. The plan is what the VMM \
         does by itself; `policy portable` plans for every device of the host.";
    NUMA_TWICE = "G018" Error "two NUMA nodes of one number"
        "Each node has a number of its own, by which processors and memory find it. Cloud Hypervisor takes a node without \
         `guest_numa_id=` for node 0.";
}
