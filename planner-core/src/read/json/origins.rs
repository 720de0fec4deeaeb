//! Gives facts that were read from JSON the places where they stand.

use super::outline::Outline;
use crate::diag::{Origin, TextFile};
use crate::facts::host::RootComplexFact;
use crate::facts::{GuestFacts, HostFacts};

/// Gives every fact about a host its place.
pub(super) fn host(facts: &mut HostFacts, outline: &Outline, file: &TextFile) {
    let places = Places { outline, file };
    facts.origin = places.of(Some(0));
    if let Some(kernel) = &mut facts.kernel {
        kernel.origin = places.of(outline.member(0, "kernel"));
    }
    places.each("ram", facts.ram.iter_mut().map(|fact| &mut fact.origin));
    places.each("iommus", facts.iommus.iter_mut().map(|fact| &mut fact.origin));
    places.each("gicv3", facts.gicv3.iter_mut().map(|fact| &mut fact.origin));
    places.each("its", facts.its.iter_mut().map(|fact| &mut fact.origin));
    places.each("gicv2m", facts.gicv2m.iter_mut().map(|fact| &mut fact.origin));
    places.each("doorbells", facts.doorbells.iter_mut().map(|fact| &mut fact.origin));
    places.each("firmware", facts.firmware.iter_mut().map(|fact| &mut fact.origin));
    for (fact, at) in facts.root_complexes.iter_mut().zip(places.items(0, "root_complexes")) {
        root_complex(fact, &places, at);
    }
    for (fact, at) in facts.groups.iter_mut().zip(places.items(0, "groups")) {
        fact.origin = places.of(Some(at));
        places.each_of(at, "listed", fact.listed.iter_mut().flatten().map(|region| &mut region.origin));
    }
}

fn root_complex(fact: &mut RootComplexFact, places: &Places<'_>, at: usize) {
    fact.origin = places.of(Some(at));
    places.each_of(at, "streams", fact.streams.iter_mut().map(|fact| &mut fact.origin));
    places.each_of(at, "msi", fact.msi.iter_mut().map(|fact| &mut fact.origin));
    places.each_of(at, "windows", fact.windows.iter_mut().map(|fact| &mut fact.origin));
    places.each_of(at, "inbound", fact.inbound.iter_mut().map(|fact| &mut fact.origin));
    for (device, at) in fact.devices.iter_mut().zip(places.items(at, "devices")) {
        device.origin = places.of(Some(at));
        places.each_of(at, "bars", device.bars.iter_mut().map(|bar| &mut bar.origin));
        let vfs = outline_of_vfs(places, at);
        if let (Some(at), Some(fact)) = (vfs, &mut device.config.virtual_functions) {
            places.each_of(at, "bars", fact.bars.iter_mut().map(|bar| &mut bar.origin));
        }
    }
}

/// Where a device tells of its virtual functions.
fn outline_of_vfs(places: &Places<'_>, device: usize) -> Option<usize> {
    places.outline.member(places.outline.member(device, "config")?, "virtual_functions")
}

/// Gives every fact about a guest its place.
pub(super) fn guest(facts: &mut GuestFacts, outline: &Outline, file: &TextFile) {
    let places = Places { outline, file };
    facts.origin = places.of(Some(0));
    if let Some(vmm) = &mut facts.vmm {
        vmm.origin = places.of(outline.member(0, "vmm"));
    }
    if let Some(memory) = &mut facts.memory {
        memory.origin = places.of(outline.member(0, "memory"));
    }
    places.each("numa", facts.numa.iter_mut().map(|fact| &mut fact.origin));
    places.each("pass", facts.pass.iter_mut().map(|fact| &mut fact.origin));
    places.each("avoid", facts.avoid.iter_mut().map(|fact| &mut fact.origin));
}

struct Places<'o> {
    outline: &'o Outline,
    file: &'o TextFile,
}

impl Places<'_> {
    fn of(&self, node: Option<usize>) -> Origin {
        match node.map(|node| self.outline.shown(node)) {
            Some(at) => self.file.origin(at),
            None => Origin::file(self.file.name()),
        }
    }

    /// The items of a list that is a member of this object.
    fn items(&self, object: usize, key: &str) -> impl Iterator<Item = usize> {
        self.outline.member(object, key).into_iter().flat_map(|list| self.outline.children(list))
    }

    fn each<'f>(&self, key: &str, origins: impl Iterator<Item = &'f mut Origin>) {
        self.each_of(0, key, origins);
    }

    fn each_of<'f>(&self, object: usize, key: &str, origins: impl Iterator<Item = &'f mut Origin>) {
        for (origin, at) in origins.zip(self.items(object, key)) {
            *origin = self.of(Some(at));
        }
    }
}
