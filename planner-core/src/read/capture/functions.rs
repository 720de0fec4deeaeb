//! `sys/bus/pci/devices`: the PCI functions and what their directories say.

use super::codes;
use super::config::{BarWidth, bar_address, vectors};
use super::log::{Log, quoted};
use super::resource::bars;
use super::text::{bad_attribute, decimal_attribute, hex_attribute, text};
use super::tree::Tree;
use crate::addr::{Address, BusAddr, Hpa};
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{BarKind, DeviceFact, SriovFact};
use crate::ids::{PciAddress, PciClass, PciId};

const PATH: &str = "sys/bus/pci/devices";

/// A PCI function with what decides to which host bridge and IOMMU it belongs.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Function {
    /// What is known of it.
    pub(super) fact: DeviceFact,
    /// Its directory, with all links followed.
    pub(super) path: String,
    /// Name of its IOMMU.
    pub(super) iommu: Option<String>,
    /// Each memory base address register with an address: as CPUs see it and as the bus does.
    pub(super) placed: Vec<(Hpa, BusAddr)>,
}

/// The functions, ascending by address.
pub(super) fn functions(tree: &Tree, log: &mut Log) -> Vec<Function> {
    let names = tree.names(PATH);
    if names.is_empty() {
        let message = format!("`{PATH}` holds no PCI functions");
        log.push(Diagnostic::new(&codes::NO_FUNCTIONS, Origin::file(PATH), message));
    }
    let mut functions: Vec<Function> =
        names.into_iter().filter_map(|name| function(tree, name, log)).collect();
    functions.sort_by_key(|function| function.fact.address);
    functions
}

fn function(tree: &Tree, name: &str, log: &mut Log) -> Option<Function> {
    let link = format!("{PATH}/{name}");
    let Ok(address) = name.parse::<PciAddress>() else {
        let message = format!("{} is no PCI function in a segment of 16 bits", quoted(name));
        log.push(Diagnostic::new(&codes::BAD_FUNCTION, Origin::file(&link), message));
        return None;
    };
    let path = super::follow(tree, &link, log)?;
    let fact = device(tree, &path, address, log);
    let placed = placed(tree.file(&format!("{path}/config")).unwrap_or_default(), &fact);
    let iommu = tree.link_name(&format!("{path}/iommu")).map(str::to_owned);
    Some(Function { fact, path, iommu, placed })
}

fn device(tree: &Tree, path: &str, address: PciAddress, log: &mut Log) -> DeviceFact {
    let file = |name: &str| format!("{path}/{name}");
    let resource = file("resource");
    let vectors = vectors(tree.file(&file("config")).unwrap_or_default());
    DeviceFact {
        address,
        id: id(tree, path, log),
        class: class(tree, &file("class"), log),
        // -1 stands for no node.
        node: decimal_attribute(tree, &file("numa_node"), log).and_then(|node: i64| node.try_into().ok()),
        bars: text(tree, &resource).map(|text| bars(&text, &resource, log)).unwrap_or_default(),
        msix: vectors.msix,
        msi: vectors.msi,
        sriov: sriov(tree, path, log),
        origin: Origin::file(path),
    }
}

fn id(tree: &Tree, path: &str, log: &mut Log) -> Option<PciId> {
    let mut half = |name: &str| hex_attribute::<u16>(tree, &format!("{path}/{name}"), log);
    Some(PciId { vendor: half("vendor")?, device: half("device")? })
}

fn class(tree: &Tree, path: &str, log: &mut Log) -> Option<PciClass> {
    let code = hex_attribute(tree, path, log)?;
    let class = PciClass::from_code(code);
    if class.is_none() {
        log.push(bad_attribute(path, &format!("{code:#x}"), "a class of 24 bits"));
    }
    class
}

fn sriov(tree: &Tree, path: &str, log: &mut Log) -> Option<SriovFact> {
    let mut number = |name: &str| decimal_attribute(tree, &format!("{path}/{name}"), log);
    // Zero says that the driver offers no virtual functions now.
    let total = number("sriov_totalvfs").filter(|&total| total != 0)?;
    Some(SriovFact { total, enabled: number("sriov_numvfs").unwrap_or(0) })
}

/// Where the memory registers stand, seen from both sides of the host bridge.
fn placed(config: &[u8], fact: &DeviceFact) -> Vec<(Hpa, BusAddr)> {
    let place = |bar: &crate::facts::host::BarFact| {
        let width = match bar.kind {
            BarKind::Mem32 => BarWidth::Bits32,
            BarKind::Mem64 => BarWidth::Bits64,
            BarKind::Io => return None,
        };
        Some((bar.at?, BusAddr::new(bar_address(config, bar.index, width)?)))
    };
    // Register 6, the expansion ROM, stands elsewhere in configuration space.
    fact.bars.iter().filter(|bar| bar.index < 6).filter_map(place).collect()
}
