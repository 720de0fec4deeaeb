//! Rows: VFIO type1.

use super::{ALWAYS, Confidence, Rule, rules, v};

rules! {
    T1_RANGES = "K-T1RANGES", v(5, 4), ALWAYS, Documented {
        says: "VFIO type1 reports usable IOVA ranges and refuses to map outside of them",
        why: "VFIO_IOMMU_GET_INFO carries the capability VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE. Before, \
            the kernel listed reserved regions and enforced nothing: mapping over the MSI window \
            succeeded, and broke interrupts.",
        way_out: "on an older kernel keep guest memory out of the regions yourself",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_iova_build_caps",
    }
    T1_HOLE = "K-T1HOLE", v(5, 4), ALWAYS, Documented {
        says: "every reserved region except direct-relaxable is a hole in the usable IOVA ranges of VFIO \
            type1, to the byte",
        why: "This includes the MSI window. A map request must lie inside one range, so one that touches \
            a hole fails with EINVAL. Nothing is rounded to pages.",
        way_out: "place guest memory between the holes",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_resv_exclude and vfio_iommu_iova_dma_valid",
    }
    T1_APERTURE = "K-T1APER", v(5, 4), ALWAYS, Documented {
        says: "the usable ranges of VFIO type1 end where the IOMMU's translation ends",
        why: "Each group that joins a container narrows it to its own aperture. A map request beyond \
            fails with EINVAL.",
        way_out: "place guest memory below the end of the aperture; QEMU: lower the high PCI window \
            (highmem) or the amount of RAM",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_aper_resize",
    }
    T1_CONFLICT = "K-T1CONFLICT", v(5, 4), ALWAYS, Documented {
        says: "a group cannot join a container in which something is mapped over one of its reserved \
            regions or beyond its aperture: EINVAL",
        why: "Hot-plug runs into this: guest memory is already mapped when the device comes.",
        way_out: "plan for every device that may ever be plugged in, and on Arm always leave \
            0x0800_0000..=0x080f_ffff free",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_resv_conflict and vfio_iommu_aper_conflict",
    }
    T1_PGSIZES = "K-T1PGSIZES", ALWAYS, ALWAYS, Read {
        says: "VFIO type1 maps no pages smaller than the host's, whatever the IOMMU can",
        why: "Page sizes below the host's page size are taken from the set and replaced by the host's. \
            The set is what all IOMMUs of the container have in common; the smallest of it aligns every \
            map request.",
        way_out: "none is needed",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_update_pgsize_bitmap",
    }
    T1_INCLUSIVE = "K-T1EDGE", v(6, 18), ALWAYS, Believed {
        says: "VFIO type1 computes with inclusive ends: a request that wraps past 2^64 fails with \
            EOVERFLOW, and mappings at the very top are seen",
        why: "Before, ends were exclusive and wrapped to zero, so that a mapping or a region that ends at \
            2^64-1 was missed in overlap checks, and a wrapping request failed with EINVAL.",
        way_out: "none is needed; do not map the last page of the 64-bit space on older kernels",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_find_dma and vfio_dma_do_map",
    }
    ISOLATED_GROUP = "K-ISOGROUP", v(6, 3), ALWAYS, Believed {
        says: "a group whose devices have no isolated MSIs is refused with EPERM unless \
            allow_unsafe_interrupts is set",
        why: "Without an ITS (Arm) or interrupt remapping (x86) a guest can make its device write any \
            interrupt of the host. Every device of the group must be isolated. A GICv2m frame isolates \
            nothing.",
        way_out: "set vfio_iommu_type1.allow_unsafe_interrupts=1 (or iommufd.allow_unsafe_interrupts=1) \
            if the guest is trusted, or use a machine with an ITS or interrupt remapping",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_attach_group; drivers/iommu/iommu.c, \
            iommu_group_has_isolated_msi",
    }
    ISOLATED_ANY = "K-ISOANY", ALWAYS, v(6, 3), Believed {
        says: "a group is refused with EPERM unless all MSI controllers of the host isolate, or one of \
            its devices has interrupt remapping, or allow_unsafe_interrupts is set",
        why: "Before 6.3 the question was asked of the whole host: one GICv2m frame anywhere made every \
            group unsafe.",
        way_out: "set vfio_iommu_type1.allow_unsafe_interrupts=1 if the guest is trusted, or use a \
            machine with an ITS or interrupt remapping",
        from: "drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_attach_group; kernel/irq/irqdomain.c, \
            irq_domain_check_msi_remap",
    }
    INTERRUPT_REMAPPING = "K-INTREMAP", ALWAYS, ALWAYS, Read {
        says: "on x86, MSIs are isolated only where interrupt remapping is on, which the facts about the \
            host do not say",
        why: "The DMAR or IVRS table and the kernel's command line decide. Without it VFIO refuses the \
            group with EPERM unless allow_unsafe_interrupts is set. dmesg tells: look for Interrupt \
            remapping enabled or Enabled IRQ remapping.",
        way_out: "if the kernel refuses with EPERM, enable interrupt remapping in firmware, or set \
            allow_unsafe_interrupts=1 if the guest is trusted",
        from: "drivers/iommu/intel/irq_remapping.c; drivers/iommu/amd/init.c, amd_iommu_prepare",
    }
}
