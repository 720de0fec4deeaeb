//! What is wrong with facts that are well spelt, whatever they were spelt in: run after the description language and
//! after JSON alike.
//!
//! Here is what can be said of one fact, or of facts of one kind beside each other. Whether facts fit together to a
//! machine (names that refer to nothing, RAM under a doorbell) is the business of [`crate::host`].

mod guest;
mod host;

use std::collections::BTreeMap;

pub use guest::check_guest;
pub use host::check_host;

use crate::diag::{Code, Diagnostic, Origin, Severity};

/// Declares the codes of this file and the list of them.
macro_rules! codes {
    ($($name:ident = $id:literal $severity:ident, $title:literal, $explanation:literal;)+) => {
        $(pub(super) static $name: Code = Code {
            id: $id, severity: Severity::$severity, title: $title, explanation: $explanation,
        };)+
        /// Every kind of diagnostic about facts that are well spelt, for `planner explain`.
        pub static CODES: &[&Code] = &[$(&$name,)+];
    };
}

codes! {
    NAMELESS = "L101" Error, "an empty name",
        "IOMMUs, interrupt controllers and root complexes are told apart, and referred to, by their names. Give each \
         one, such as its label in the devicetree.";
    TWICE = "L102" Error, "two things of one name or number",
        "Within a host no two IOMMUs have the same name, no two ITSs, GICv2m frames and doorbells, no two root \
         complexes; and no two groups, or NUMA nodes of a guest, have the same number. The second one is perhaps a copy \
         whose name was not changed.";
    BAR_SIZE = "L103" Error, "an impossible size of a base address register",
        "The size of a base address register is a power of two, because a device implements it by hard-wiring the low \
         address bits (PCI Local Bus Specification 3.0, 6.2.5.1). A memory register has at least 16 bytes and an I/O \
         register 4; a 32-bit register cannot be larger than 2 GiB. Round up to what the device implements: `lspci -v` \
         prints it.";
    BAR_INDEX = "L104" Error, "an impossible index of a base address register",
        "A PCI function has base address registers 0 to 5; the planner, like Linux, calls the expansion ROM number 6. \
         The expansion ROM is 32-bit memory. A 64-bit register takes two neighbouring indices, so it cannot be number \
         5 or 6.";
    BAR_TAKEN = "L105" Error, "two base address registers at one index",
        "Each register of a function has an index of its own, and a 64-bit one takes the next index too: after \
         `bar 0 mem64 …` the next one is `bar 2`.";
    BEYOND_4G = "L106" Error, "a 32-bit window or register that passes 4 GiB",
        "What is called 32-bit lies below 4 GiB on the PCI bus. That is the bus address: a bridge may show the window \
         elsewhere to CPUs, and then both are written, `window mem32 cpu 0x80_4000_0000 bus 0x4000_0000 size 1G`. \
         A register's `at` is where CPUs see it.";
    BUS_END = "L107" Error, "a window that passes the end of the bus address space",
        "PCI bus addresses have 64 bits. A window begins at its first bus address and is as large as CPUs see it.";
    REVERSED = "L108" Error, "a range that ends before it begins",
        "The first number of a range of buses, requester IDs, SPIs or virtual CPUs is not above the last. A listed \
         region may end one below its start, which is how the kernel prints a region of no length, but not further.";
    HALF = "L109" Error, "half a range",
        "A range has a first and a last number, and one of them is missing. Say both, or neither.";
    BITS = "L110" Error, "an impossible number of address bits",
        "Guest-physical and virtual addresses of the machines that the planner knows have 32 to 64 bits.";
    COUNT = "L111" Error, "an impossible number",
        "A function has at most 2048 MSI-X vectors, and 1, 2, 4, 8, 16 or 32 MSI vectors (PCI Express Base \
         Specification, MSI-X and MSI capabilities). No more virtual functions are enabled than there can be. A guest \
         has at least one virtual CPU.";
    PAGES = "L112" Error, "no page sizes, or impossible ones",
        "An IOMMU maps pages of at least 512 bytes; bit n of the set stands for pages of 2^n bytes. An empty set would \
         be an IOMMU that maps nothing: leave the set out when it is not known.";
    IDS_END = "L113" Error, "stream or device IDs that pass 32 bits",
        "Stream IDs and ITS device IDs have 32 bits. The first one belongs to the first requester ID, and the others \
         count up from it.";
}

/// Finds the second of two things that are called the same.
struct Names<K>(BTreeMap<K, Origin>);

impl<K: Ord> Names<K> {
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes a name; complains, in these words, if it was taken before.
    fn take(&mut self, name: K, origin: &Origin, message: impl FnOnce() -> String) -> Option<Diagnostic> {
        let Some(first) = self.0.get(&name) else {
            self.0.insert(name, origin.clone());
            return None;
        };
        let fault = Diagnostic::new(&TWICE, origin.clone(), message()).label("again");
        Some(fault.related(first.clone(), "first here"))
    }
}

/// Complains about a number of address bits outside 32 to 64.
fn bits(what: &str, bits: Option<u8>, origin: &Origin) -> Option<Diagnostic> {
    let bits = bits.filter(|bits| !(32..=64).contains(bits))?;
    let message = format!("{what}: {bits} bits, where there are 32 to 64");
    Some(Diagnostic::new(&BITS, origin.clone(), message))
}

/// Complains about half a range, and about one that ends before it begins.
fn halves<T: PartialOrd + std::fmt::Display>(
    what: &str,
    first: Option<T>,
    last: Option<T>,
    origin: &Origin,
) -> Option<Diagnostic> {
    match (first, last) {
        (None, None) => None,
        (Some(first), Some(last)) => reversed(what, &first, &last, origin),
        (Some(first), None) => {
            Some(Diagnostic::new(&HALF, origin.clone(), format!("{what} begin at {first} and have no last")))
        }
        (None, Some(last)) => {
            Some(Diagnostic::new(&HALF, origin.clone(), format!("{what} end at {last} and have no first")))
        }
    }
}

/// Complains about a range that ends before it begins.
fn reversed<T: PartialOrd + std::fmt::Display>(
    what: &str,
    first: &T,
    last: &T,
    origin: &Origin,
) -> Option<Diagnostic> {
    let message = || format!("{what} end at {last}, below their first, {first}");
    (last < first).then(|| Diagnostic::new(&REVERSED, origin.clone(), message()))
}
