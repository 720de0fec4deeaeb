//! The kinds of diagnostics of configuration space and its dumps, `B` and three digits.

crate::diag::diagnostic_codes! {
    HEADER_ONLY = "B001" Warning
        "configuration space was read without root"
        "The kernel shows the first 64 bytes of `config` to every reader and the rest to root only. Those 64 bytes tell \
         what the function is and which buses lie below a bridge, but not its interrupt vectors, not what kind of port \
         it is, and not whether its access control services (ACS) are switched on. So which functions Linux would put \
         into one IOMMU group, and which devices reach one another without the IOMMU, is not known. Read it as root.";
    BAD_POINTER = "B002" Warning
        "a capability list leads to no capability"
        "Capabilities form a list: each names the offset of the next. The first of the conventional list stands at \
         0x40 or above, those of the extended list at 0x100 or above. This offset is outside, so what would have \
         followed is not known. Hardware does not do this; a damaged dump, or a device that fell off the bus while it \
         was read, does.";
    LOOP = "B003" Warning
        "a capability list returns to where it was"
        "Capabilities form a list: each names the offset of the next. This list leads back to a capability that was \
         visited already, so it ends there. Linux follows at most 48 conventional capabilities for the same reason.";
    HEADER_TYPE = "B004" Warning
        "an unknown header type"
        "The header of configuration space is of type 0 (a device), 1 (a bridge between PCI buses) or 2 (a bridge to \
         CardBus). Of this function only its identity is used.";
    NO_ANSWER = "B005" Warning
        "a function that did not answer"
        "Configuration space reads as ones where no function answers: the device was removed, is powered down, or its \
         link is down. What is told by configuration space is not known for it.";
    CUT_CAPABILITY = "B006" Warning
        "configuration space ends within a structure"
        "The file or dump is shorter than what it holds. A conventional function has 256 bytes and a PCI Express one \
         4096; `lspci -xxxx` and the file `config`, read as root, show all of them.";
    PORT_TYPE = "B007" Warning
        "an unknown type of PCI Express port or device"
        "The number is reserved (PCI Express Base Specification 7.5.3.2). What the function isolates is not known.";
    BAD_WINDOW = "B008" Warning
        "a bridge window that passes the end of the address space"
        "The upper halves of a bridge window's base and limit are in registers of their own. Together they name \
         addresses below the base, which no bridge forwards.";
    DUMP_LINE = "B010" Warning
        "a line of a dump that cannot be read"
        "A line of `lspci -x` has an offset, a colon and up to 16 bytes in hexadecimal: `40: 01 50 23 c8 …`. This one \
         starts like that and goes on differently, so what it would have said is not known.";
    DUMP_ORDER = "B011" Warning
        "a line of a dump out of order"
        "The lines of a function's dump follow each other without a gap: 00, 10, 20 and so on. Bytes after a gap, or a \
         second time, are passed over.";
    DUMP_TWICE = "B012" Warning
        "a function is dumped twice"
        "The same address stands at the head of two dumps, so two texts were joined, or the text was edited. The first \
         one is used.";
    DUMP_EMPTY = "B013" Error
        "no dump of configuration space in it"
        "The text has no function with a dump of its bytes. Make one with `lspci -D -xxxx`, as root.";
    DUMP_NO_DOMAIN = "B014" Note
        "a dump without segments"
        "Without `-D`, lspci leaves out the segment (it says domain) when all functions are in segment 0000, so that is \
         taken.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_stand_once() {
        let ids: Vec<&str> = CODES.iter().map(|code| code.id).collect();
        assert!(ids.iter().all(|id| id.starts_with('B')));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    }
}
