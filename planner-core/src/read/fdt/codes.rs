//! The kinds of diagnostics of this room, `D` and three digits: what `planner explain` says about each.

use crate::diag::Code;

crate::diag::diagnostic_codes! {
    NOT_A_TREE = "D001" Error
        "no flattened devicetree"
        "A flattened devicetree starts with the four bytes d0 0d fe ed and a header of ten 32-bit numbers \
         (Devicetree Specification 0.4, 5.2). `sys/firmware/fdt` and `.dtb` files have that form; `.dts` files are \
         sources, which `dtc -O dtb` compiles.";
    BAD_VERSION = "D002" Error
        "a flattened devicetree of a version that is not read"
        "Versions 16 and 17 are read, which everything has written since 2005. Recompile the tree with `dtc -V 17`.";
    BAD_BLOCK = "D003" Error
        "a part of the devicetree lies outside of it"
        "The header says where the blocks of the blob are: memory reservations, structure, strings. One of them does \
         not lie in the file, so it is no blob, or the file was cut. Copy it again.";
    CUT = "D004" Warning
        "the devicetree is shorter than its header says"
        "The header tells the size of the whole blob, and the file has less. What is there was read. Copy the file \
         again; `sys/firmware/fdt` is as long as its header says, or longer.";
    BROKEN = "D005" Warning
        "the structure of the devicetree is broken"
        "The structure block is a row of tokens: node begins, property, node ends. From this offset on it is \
         something else, and what follows was not read: devices, host bridges and reservations may be missing. \
         `dtc -I dtb -O dts` says more about what is wrong.";
    TOO_DEEP = "D006" Warning
        "nodes are nested too deeply"
        "Linux takes 64 levels (FDT_MAX_DEPTH in drivers/of/fdt.c). What lies deeper was passed over.";
    BAD_NAME = "D007" Warning
        "a property whose name is not in the strings block"
        "A property refers to its name by an offset into the strings block of the blob. This one points outside of \
         the block, or to a name without an end. The property was passed over.";
    TWICE = "D008" Warning
        "two nodes have the same phandle"
        "Nodes refer to one another by phandles, so each belongs to one node. References lead to the first, as in \
         Linux. An overlay was perhaps applied twice.";
    NO_NODE = "D009" Warning
        "a reference to a node that does not exist"
        "No node has the phandle that this property names. What it would have said, such as which IOMMU translates \
         or where MSIs go, is not known.";
    BAD_CELLS = "D010" Warning
        "an impossible number of cells"
        "`#address-cells` is 1 to 4 and `#size-cells` 0 to 4 (OF_MAX_ADDR_CELLS in drivers/of/address.c); below a \
         PCI host bridge they are 3 and 2. Addresses below this node are not known.";
    BAD_LENGTH = "D011" Warning
        "a property of a length that makes no sense"
        "Properties are rows of 32-bit cells, so many to a row as `#address-cells` and `#size-cells` of the node, its \
         parent or the node referred to say. This property does not come out even; the last row was passed over.";
    NO_ADDRESS = "D012" Warning
        "an address that CPUs cannot reach"
        "Addresses of a node are translated to those of the CPUs by `ranges` of every bus above it. One of these has \
         no `ranges`, or none that holds this address. So it is not known where the device is.";
    UNKNOWN_IOMMU = "D013" Warning
        "an IOMMU of a kind that is not known here"
        "A host bridge is behind an IOMMU whose driver this planner does not model. What that one reserves and \
         translates is not predicted; a capture of the running host lists it.";
    BAD_MAP = "D014" Warning
        "a map of requester IDs that cannot be right"
        "`iommu-map` and `msi-map` have rows of first requester ID, phandle, first ID and number, and a mask that is \
         applied to requester IDs first (of_map_id in drivers/of/base.c). A row starts outside of the mask or beyond \
         16 bits, and Linux refuses such a map.";
    DOMAIN_TAKEN = "D015" Warning
        "two host bridges want the same PCI domain"
        "`linux,pci-domain` gives a host bridge the number of its segment. Two of them have the same number and share \
         buses, and Linux gives it to the first only (pci_bus_find_domain_nr in drivers/pci/pci.c). The second was \
         passed over.";
    BAD_BUSES = "D016" Warning
        "an impossible bus-range"
        "`bus-range` is the first and the last bus of a host bridge, 0 to 255. 0 to 255 is assumed.";
    NO_FUNCTION = "D017" Warning
        "a reservation for a device whose place is not known"
        "`iommu-addresses` reserves addresses for a PCI function below a bridge, and the devicetree does not say \
         which bus that bridge leads to. A capture of the running host does.";
    BAD_SPAN = "D018" Warning
        "addresses that pass the end of the address space"
        "Start and size together pass 2^64, or the size is zero where it cannot be. It was passed over.";
    TOO_MANY = "D019" Warning
        "more than a machine has"
        "The reader bounds what it takes of one blob: nodes of one kind, rows of one property, and the work of \
         translating addresses. Real boards stay far below these bounds. What lies beyond was passed over.";
    BRIDGE_ONLY = "D020" Note
        "an `iommus` property that is not for PCI devices"
        "Linux takes the IOMMU of PCI devices from `iommu-map` of their host bridge alone (of_iommu_configure in \
         drivers/iommu/of_iommu.c); `iommus` there is for DMA of the bridge itself, such as its own MSI receiver. \
         Devices below the bridge are not translated.";
    ONE_IOMMU_EACH = "D021" Note
        "requester IDs are masked in a way that is not followed"
        "`iommu-map-mask` or `msi-map-mask` leaves out bits in the middle of the requester ID. Which IOMMU or MSI \
         controller serves the devices is known, but not under which IDs.";
    NO_MSI_PROPERTY = "D022" Note
        "an interrupt translation service that Linux does not use"
        "An ITS or a GICv2m frame without the property `msi-controller` is ignored (its_of_probe in \
         drivers/irqchip/irq-gic-v3-its.c, gicv2m_of_init in drivers/irqchip/irq-gic-v2m.c).";
}

/// What helps, by kind, where there is something.
pub(super) static WAYS_OUT: &[(&Code, &str)] = &[
    (&NOT_A_TREE, "name a `.dtb` file or `/sys/firmware/fdt`; `dtc -O dtb FILE.dts` makes one of a source"),
    (&BAD_VERSION, "`dtc -I dtb -O dtb -V 17` writes it as version 17"),
    (&BAD_BLOCK, "copy the file again, whole"),
    (&CUT, "copy the file again, whole"),
    (&BROKEN, "what follows was not read; `dtc -I dtb -O dts FILE` may say more"),
    (&UNKNOWN_IOMMU, "a capture of the running host lists what it reserves"),
    (&NO_FUNCTION, "a capture of the running host tells it"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_stand_once() {
        let ids: Vec<&str> = CODES.iter().map(|code| code.id).collect();
        assert!(ids.iter().all(|id| id.starts_with('D')));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    }
}
