//! The kinds of diagnostics of this room, `T` and three digits: what `planner explain` says about each.

crate::diag::diagnostic_codes! {
    SHORT_TABLE = "T001" Warning
        "a table that is shorter than its header"
        "Every ACPI table begins with 36 bytes: signature, length, revision, checksum and who made it (ACPI Specification \
         6.5, 5.2.6). This file has fewer, so nothing of it can be read. It was cut when it was copied: files below \
         `/sys/firmware/acpi/tables` are readable by root alone.";
    SIGNATURE = "T002" Warning
        "a file that does not hold the table of its name"
        "Linux names the files in `/sys/firmware/acpi/tables` by the signature of the table. The first four bytes of this \
         one say something else, so it was passed over. The file is damaged or was renamed.";
    TABLE_LENGTH = "T003" Warning
        "a table whose length is not that of its file"
        "The header says how long the table is. When the file is shorter, it was cut and what lay behind the cut is not \
         known; when it is longer, what follows the table belongs to something else and is passed over.";
    CHECKSUM = "T004" Warning
        "a table with a wrong checksum"
        "The bytes of a table add up to 0 modulo 256 (ACPI Specification 6.5, 5.2.6). Linux warns about a table whose bytes \
         do not, and uses it all the same; so does the planner. Either firmware is wrong or the file was changed.";
    SECOND_TABLE = "T005" Warning
        "a second table of one kind"
        "Linux takes the first table of this signature (acpi_get_table with instance 1) and never looks at another. Where a \
         capture was put together of several boots, keep the tables of one.";
    STRUCTURE_LENGTH = "T010" Warning
        "a structure of a table whose length cannot be"
        "A table is a row of structures each of which says its own length, which is how a reader finds the next one. A \
         length of zero, or one shorter than the header of the structure, leaves no way to the next: reading stops there, \
         and what stands behind it is not known.";
    STRUCTURE_END = "T011" Warning
        "a structure that passes the end of its table"
        "The structure says that it is longer than what is left of the table, or of the structure that it is part of. It \
         was passed over together with all behind it.";
    STRUCTURE_SHORT = "T012" Warning
        "a structure that is too short for its kind"
        "The structure ends before the last field that Linux reads of one of its kind. It was passed over.";
    UNKNOWN_STRUCTURE = "T013" Note
        "a structure of unknown kind"
        "The table holds a structure of a kind that this planner does not know, perhaps because the table is newer. It was \
         passed over, as the specifications of these tables want it.";
    NODE_COUNT = "T014" Warning
        "fewer nodes than a table says"
        "The header of the table counts its nodes, and the table ends before that many. What is missing is not known.";
    TOO_MANY = "T015" Warning
        "more facts than a table of a real machine gives"
        "Tables come from other people's machines, so the reader bounds what it makes of them: 65,536 ranges of requesters, \
         1,024 regions, 4,096 host bridges. Real tables stay far below. What is beyond was left out.";
    MAPPING_ARRAY = "T020" Warning
        "an array of ID mappings that passes the end of its node"
        "The node says where in it its ID mappings stand and how many there are (Arm DEN 0049, ID mappings). They do not fit \
         into the node. Those that fit were taken.";
    DANGLING = "T021" Warning
        "a reference that leads to no node"
        "An ID mapping names the node that takes the IDs, an SMMU or an ITS group, by its offset in the table. No node \
         begins there, or it is of a kind that takes no IDs. Whatever is mapped to it is translated by nothing that the \
         planner knows.";
    CHAIN = "T022" Warning
        "a chain of ID mappings that does not end"
        "From a root complex IDs go to an SMMU and from there to an ITS group. Here the references form a loop, or a chain \
         of more than eight nodes; Linux would follow it for ever. The requesters on it are left unmapped.";
    SINGLE = "T023" Warning
        "a single mapping where none can be"
        "The flag `single mapping` gives every ID the same output. It is for named components and root complexes only; \
         Linux passes over such a mapping of another node (iort_id_map in drivers/acpi/arm64/iort.c).";
    OVERLAP = "T024" Warning
        "overlapping ID mappings"
        "Two mappings of one node take the same ID. The number in a mapping is that of its IDs *less one*, and firmware that \
         forgot it has ranges one too long: Linux lets a mapping that begins where another ends have that ID, and \
         otherwise the first mapping wins (iort_id_map and iort_node_map_id in drivers/acpi/arm64/iort.c).";
    IDS_END = "T025" Warning
        "an ID mapping that passes 32 bits"
        "Stream IDs and device IDs have 32 bits. The mapping would count beyond 0xffff_ffff; the IDs there were left out.";
    SECOND_ROOT_COMPLEX = "T026" Warning
        "a second root complex of one segment"
        "Linux finds the root complex of a device by its PCI segment alone and takes the first that matches \
         (iort_match_node_callback in drivers/acpi/arm64/iort.c, rimt_match_node_callback in drivers/acpi/riscv/rimt.c). \
         What this one says has no effect.";
    UNKNOWN_ITS = "T027" Warning
        "an ITS that the MADT does not have"
        "An ITS group names its ITSs by the number that they have in the MADT, and the MADT has none of this number, or no \
         MADT was captured. Where the MSIs of the devices go is not known, and on the host they do not work.";
    DESCRIPTORS = "T028" Warning
        "memory descriptors outside of their node"
        "An RMR node says where in it its memory descriptors stand and how many there are. They do not fit into the node. \
         Those that fit were taken.";
    REGION = "T029" Warning
        "a region of no length, or one that passes the end of the address space"
        "Firmware reserves a region for devices, and its bounds make no region. It was passed over. What Linux makes of it \
         depends on the table: an RMR of length zero is taken with a warning, an RMRR that ends before it begins too.";
    RMR_REVISION = "T030" Note
        "an early revision of a table with RMR nodes"
        "The layout of RMR nodes changed in the draft revisions. Linux takes them from tables of revision 5 (E.b) on and \
         passes over them in older ones (iort_find_rmrs in drivers/acpi/arm64/iort.c).";
    NOBODYS_REGION = "T031" Note
        "a region for devices that are not PCI functions"
        "Firmware reserves a region for IDs that no root complex gives to its requesters: for a platform device, or for none \
         at all. It does not concern a device that is passed through.";
    UNALIGNED_RMRR = "T032" Warning
        "an RMRR that is not made of pages"
        "Base and length of an RMRR are multiples of 4 KiB (Intel Virtualization Technology for Directed I/O 4.1, 8.4). \
         Linux calls the BIOS broken (rmrr_sanity_check in drivers/iommu/intel/iommu.c) and takes it all the same.";
    SCOPE_PATH = "T040" Note
        "a device scope that cannot be resolved from the tables alone"
        "A device scope names a device by the bridges that lead to it, and a bridge for everything below it. Bus numbers \
         behind bridges are in their configuration space. Without it, the scope says nothing about devices behind \
         bridges: capture the `config` files of the bridges.";
    UNIT_BASE = "T041" Warning
        "a remapping unit without registers"
        "The address of the registers is 0 or all ones. Linux reports a BIOS bug and goes without the unit \
         (dmar_validate_one_drhd in drivers/iommu/intel/dmar.c).";
    RANGE_PAIR = "T050" Warning
        "half a range of devices"
        "In an IVHD block a range is two entries, its start and its end (AMD I/O Virtualization Technology Specification, \
         5.2.2.1). One of them stands alone, or the range ends before it begins. It was passed over.";
    DEVICE_ENTRY = "T051" Warning
        "a device entry of unknown length"
        "The length of an entry of an IVHD block follows from its kind, and this kind is not known. Reading of the block \
         stops there (ivhd_entry_length in drivers/iommu/amd/init.c).";
    ECAM_OVERLAP = "T060" Warning
        "two descriptions of one bus"
        "Two entries of the MCFG describe configuration space of the same bus of the same segment, or one ends before it \
         begins. The first was taken.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_stand_once() {
        let ids: Vec<&str> = CODES.iter().map(|code| code.id).collect();
        assert!(ids.iter().all(|id| id.starts_with('T')));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    }
}
