//! Captures: what the files of sysfs and procfs say about a host.
//!
//! A [`Tree`] holds the files of the [allow-list](allow); [`from_archive`] makes one of a `.tar.gz`, and the command
//! line makes one of a directory or of the live system. [`facts`] reads it. Every fact names the file and line that it
//! comes from, and what is missing is reported together with what is lost without it.
//!
//! What firmware says, in its device tree or its tables, is read by the readers for these and put together with it here;
//! what the kernel lists wins. Not here: what Linux makes of all this ([`crate::kernel`]).

pub mod allow;
pub mod archive;
pub mod codes;
pub mod log;
pub mod tree;

mod bridges;
mod firmware;
mod functions;
mod gic;
mod groups;
mod iomem;
mod iommus;
mod kernel;
mod regions;
mod resource;
mod text;
mod vtd;
mod windows;

pub use archive::{from_archive, from_archive_within, is_archive};
pub use tree::{LinkFault, Node, Tree};

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diagnostic, Origin};
use crate::facts::HostFacts;
use crate::facts::host::{DeviceFact, RamFact};
use iomem::Resource;
use log::Log;

/// How a capture is made, for the help of diagnostics.
pub const HOW_TO_CAPTURE: &str = "make one there with `planner capture`, or with the script that `planner capture \
     --script` prints; or plan there with `live`";

/// What the capture says about the host. `name` is the host's name, for messages: that of the file or directory.
#[must_use]
pub fn facts(tree: &Tree, name: &str) -> (HostFacts, Vec<Diagnostic>) {
    let mut log = Log::default();
    let arch = kernel::arch(tree, &mut log);
    let kernel = kernel::kernel(tree, arch, &mut log);
    let iomem = iomem::resources(tree, &mut log);
    let version = kernel.as_ref().map(|kernel| kernel.version);
    let iommus = iommus::iommus(tree, &iomem, version, &mut log);
    let functions = functions::functions(tree, &mut log);
    report_lost_iommus(&functions, &iommus, &mut log);
    let said = firmware::firmware(tree, &functions, &mut log);
    let mut facts = HostFacts {
        name: name.to_owned(),
        origin: Origin::file(name),
        arch,
        kernel,
        ipa_bits: kernel::physical_bits(tree),
        ram: ram(&iomem),
        iommus,
        gicv3: gic::distributors(&iomem),
        its: gic::translation_services(&iomem),
        root_complexes: bridges::root_complexes(tree, functions, &iomem, (arch, &said), &mut log),
        groups: groups::groups(tree, &mut log),
        ..HostFacts::default()
    };
    firmware::merge(&mut facts, said, tree, &mut log);
    (facts, log.finish())
}

/// System RAM: the entries of that name that are part of nothing else (`walk_system_ram_range` in kernel/resource.c).
fn ram(iomem: &[Resource]) -> Vec<RamFact> {
    iomem
        .iter()
        .filter(|resource| resource.parent.is_none() && resource.name == "System RAM")
        .map(|resource| RamFact { span: resource.span, node: None, origin: resource.origin.clone() })
        .collect()
}

/// Follows the links of a path; a path that leads nowhere is reported.
fn follow(tree: &Tree, path: &str, log: &mut Log) -> Option<String> {
    let followed = tree.canonical(path);
    if let Err(fault) = followed {
        let target = log::quoted(tree.link(path).unwrap_or(path));
        let message = format!("the link to {target} {fault}");
        log.push(Diagnostic::new(&codes::BAD_LINK, Origin::file(path), message));
    }
    followed.ok()
}

fn report_lost_iommus(
    functions: &[functions::Function],
    iommus: &[crate::facts::host::IommuFact],
    log: &mut Log,
) {
    let known: BTreeSet<&str> = iommus.iter().map(|iommu| iommu.name.as_str()).collect();
    let mut lost: BTreeMap<&str, Vec<&DeviceFact>> = BTreeMap::new();
    for function in functions {
        if let Some(name) = function.iommu.as_deref().filter(|name| !known.contains(name)) {
            lost.entry(name).or_default().push(&function.fact);
        }
    }
    for (name, devices) in lost {
        let Some((first, others)) = devices.split_first() else { continue };
        let name = log::quoted(name);
        let message = format!(
            "{name}, the IOMMU of {} and {} other functions, is not in `sys/class/iommu`",
            first.address,
            others.len()
        );
        log.push(Diagnostic::new(&codes::LOST_IOMMU, first.origin.clone(), message));
    }
}
