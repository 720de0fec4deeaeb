//! Where MSIs of a device go: the address that the kernel programmed, or the error of enabling them.

use super::truth::{Interrupts, Probe};
use super::{Check, World, rule_among};
use crate::addr::Address;
use crate::facts::Arch;
use crate::host::{Device, Doorbell, DoorbellSource};
use crate::kernel::iommufd::sw_msi::SwMsiMaps;
use crate::kernel::{GroupReport, MsiWindow, ResvKind, rules};

/// What the rules foretell.
enum Foretold {
    /// Refused with this error.
    Refused(&'static str),
    /// This address.
    At(u64),
    /// An address from here to there: the rest of it is the interrupt's number, or not known.
    Within(u64, u64),
}

/// Who mapped the doorbell.
pub(super) enum Through<'m> {
    /// VFIO type1, or an iommufd that does as it: each domain has a window of its own.
    Domain(&'static str),
    /// One open /dev/iommu, whose devices share a window.
    OpenFile(&'m mut SwMsiMaps),
}

/// Compares what enabling MSI and MSI-X gave.
pub(super) fn compare(
    world: &World<'_>,
    mut through: Through<'_>,
    probe: &Probe,
    group: &GroupReport,
    check: &mut Check,
) {
    let Some(device) = world.host.device(probe.device) else {
        return check.unknown(world, &format!("device {}", probe.device));
    };
    for told in &probe.interrupts {
        let name = match &through {
            Through::Domain(name) => name,
            Through::OpenFile(_) => "iommufd",
        };
        let place = format!("{} of {} through {name}", told.kind, probe.device);
        let foretold = foretold(world, &mut through, device, group);
        compare_one(world, &place, told, device, foretold, check);
    }
}

fn compare_one(
    world: &World<'_>,
    place: &str,
    told: &Interrupts,
    device: &Device,
    foretold: Option<Foretold>,
    check: &mut Check,
) {
    let bell = world.host.doorbell_of(device);
    let unknown = format!("the MSI controller of {} was not said", device.address);
    // Where there is a window, no controller's doorbell can lie elsewhere.
    let refused = told.answer != "OK" && bell.is_none() && world.host.arch != Arch::X86_64;
    let because = refused.then_some(unknown.as_str());
    let kernel = match told.address {
        Some(address) if told.answer == "OK" => format!("{address:#x}"),
        _ => told.answer.clone(),
    };
    let ours = match foretold {
        Some(Foretold::Refused(errno)) => errno.to_owned(),
        Some(Foretold::At(address)) => format!("{address:#x}"),
        Some(Foretold::Within(start, end)) => match told.address {
            Some(address) if told.answer == "OK" && (start..=end).contains(&address) => kernel.clone(),
            _ => format!("{start:#x}..={end:#x}"),
        },
        None => "unknown".to_owned(),
    };
    check.equal(place, &kernel, &ours, because);
}

fn foretold(
    world: &World<'_>,
    through: &mut Through<'_>,
    device: &Device,
    group: &GroupReport,
) -> Option<Foretold> {
    if rule_among(&group.blockers, &[&rules::NO_COOKIE]).is_some() {
        return Some(Foretold::Refused("ENOSPC"));
    }
    let bell = world.host.doorbell_of(device);
    let hardware = group.reserved.iter().find(|region| region.kind == ResvKind::Msi);
    match (bell, &group.msi, hardware) {
        (Some(bell), _, Some(_)) if world.host.arch != Arch::X86_64 => Some(Foretold::At(bell.address.get())),
        (_, _, Some(region)) => Some(Foretold::Within(region.start.get(), region.end.get())),
        (Some(bell), Some(window), None) => mapped(world, through, bell, window).map(Foretold::At),
        (None, Some(window), None) => {
            // At most one page for each device of the group, from the base upwards.
            let pages = (group.devices.len() as u64).max(1);
            let bytes = pages.saturating_mul(world.host.kernel.page_size.size().bytes());
            let end = window.base.get().saturating_add(bytes).saturating_sub(1);
            Some(Foretold::Within(window.base.get(), end))
        }
        (Some(bell), None, None) if bell.source == DoorbellSource::Fixed => {
            Some(Foretold::At(bell.address.get()))
        }
        _ => None,
    }
}

/// The IOVA of a doorbell in the window.
fn mapped(world: &World<'_>, through: &mut Through<'_>, bell: &Doorbell, window: &MsiWindow) -> Option<u64> {
    match through {
        Through::Domain(_) => {
            let mapped = window.doorbells.iter().find(|mapped| mapped.address == bell.address)?;
            Some(mapped.iova.get())
        }
        Through::OpenFile(maps) => {
            let offset = bell.address.get() % world.host.kernel.page_size.size().bytes();
            let page = maps.page_of(window.base, bell.address).ok()?;
            Some(page.get().wrapping_add(offset))
        }
    }
}
