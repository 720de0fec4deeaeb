//! `sys/bus/pci/devices`: the PCI functions and what their directories say.

use super::codes;
use super::log::{Log, quoted};
use super::resource::{bars, virtual_bars};
use super::text::{bad_attribute, decimal_attribute, hex_attribute, text};
use super::tree::Tree;
use crate::addr::{BusAddr, Hpa};
use crate::diag::{Diagnostic, Origin};
use crate::facts::host::{BarKind, DeviceFact, SriovFact};
use crate::facts::pci::ConfigFact;
use crate::ids::{PciAddress, PciClass, PciId};
use crate::read::pci::lspci::{Short, link_virtual_functions};
use crate::read::pci::{ConfigSpace, read_into};

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
    let mut short = Short::default();
    let mut functions: Vec<Function> =
        names.into_iter().filter_map(|name| function(tree, name, &mut short, log)).collect();
    log.extend(short.diagnostic(Origin::file(PATH)));
    functions.sort_by_key(|function| function.fact.address);
    link_virtual_functions(&mut functions.iter_mut().map(|function| &mut function.fact).collect::<Vec<_>>());
    functions
}

fn function(tree: &Tree, name: &str, short: &mut Short, log: &mut Log) -> Option<Function> {
    let link = format!("{PATH}/{name}");
    let Ok(address) = name.parse::<PciAddress>() else {
        let message = format!("{} is no PCI function in a segment of 16 bits", quoted(name));
        log.push(Diagnostic::new(&codes::BAD_FUNCTION, Origin::file(&link), message));
        return None;
    };
    let path = super::follow(tree, &link, log)?;
    let file = format!("{path}/config");
    let config = read_into(tree.file(&file).unwrap_or_default(), &file, log);
    short.count(&config);
    let fact = device(tree, &path, address, &config, log);
    let placed = placed(&config, &fact);
    let iommu = tree.link_name(&format!("{path}/iommu")).map(str::to_owned);
    Some(Function { fact, path, iommu, placed })
}

fn device(tree: &Tree, path: &str, address: PciAddress, config: &ConfigSpace, log: &mut Log) -> DeviceFact {
    let file = |name: &str| format!("{path}/{name}");
    let resource = file("resource");
    DeviceFact {
        address,
        id: id(tree, path, log),
        class: class(tree, &file("class"), log),
        // -1 stands for no node.
        node: decimal_attribute(tree, &file("numa_node"), log).and_then(|node: i64| node.try_into().ok()),
        bars: text(tree, &resource).map(|text| bars(&text, &resource, log)).unwrap_or_default(),
        msix: config.msix.map(|msix| msix.vectors),
        msi: config.msi,
        sriov: sriov(tree, path, log),
        config: config_fact(tree, path, config),
        origin: Origin::file(path),
    }
}

/// What configuration space says, and what sysfs adds to it: the physical function of a virtual one, and where the
/// registers of virtual functions are.
fn config_fact(tree: &Tree, path: &str, config: &ConfigSpace) -> ConfigFact {
    let mut fact = config.facts();
    fact.physical_function =
        tree.link_name(&format!("{path}/physfn")).and_then(|name| name.parse::<PciAddress>().ok());
    let resource = format!("{path}/resource");
    // Not `sriov_totalvfs`, which a driver may lower: there is room for as many as the hardware can have.
    if let (Some(vfs), Some(sriov), Some(text)) =
        (&mut fact.virtual_functions, &config.sriov, text(tree, &resource))
    {
        vfs.bars = virtual_bars(&text, &resource, sriov.total);
    }
    fact
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
fn placed(config: &ConfigSpace, fact: &DeviceFact) -> Vec<(Hpa, BusAddr)> {
    let place = |bar: &crate::facts::host::BarFact| {
        // Register 6, the expansion ROM, stands elsewhere in configuration space.
        let register = config.bars.iter().find(|register| register.index == bar.index)?;
        Some((bar.at?, register.address?)).filter(|_| bar.kind != BarKind::Io && register.kind == bar.kind)
    };
    fact.bars.iter().filter_map(place).collect()
}
