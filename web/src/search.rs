//! The address box: an address, a size, or a whole line pasted from a log.

use planner_core::addr::{Address, Iova};
use planner_core::size::parse_number;

/// The first address in a text: the text itself (`0xfee0_0000`, `128M`), or else its first hexadecimal number, with or
/// without `0x`, such as in `vfio_container_dma_map(0x55d0, 0x8000000, 0x100000) = -22` or `[mem 0x40000000-0x7fffffff]`.
pub(crate) fn address(text: &str) -> Option<Iova> {
    let text = text.trim();
    let whole = parse_number(text).ok();
    whole
        .or_else(|| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find_map(prefixed))
        .map(Iova::new)
}

fn prefixed(word: &str) -> Option<u64> {
    word.starts_with("0x").then(|| parse_number(word).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_found_in_what_people_paste() {
        let of = |text| address(text).map(|address| address.to_string());
        assert_eq!(of(" 0xfee0_0000 ").as_deref(), Some("0xfee0_0000"));
        assert_eq!(of("128M").as_deref(), Some("0x800_0000"));
        assert_eq!(of("pci_bus: [mem 0x40000000-0x7fffffff window]").as_deref(), Some("0x4000_0000"));
        assert_eq!(of(""), None);
        assert_eq!(of("no address here"), None);
        assert_eq!(of("0xfffffffffffffffff"), None);
    }
}
