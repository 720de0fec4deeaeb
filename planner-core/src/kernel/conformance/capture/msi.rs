//! Where MSIs of a device go: the address that the kernel programmed, or the error of enabling them.

use super::truth::{Interrupts, Probe};
use super::{Check, World, rule_among};
use crate::addr::{Address, Span};
use crate::facts::Arch;
use crate::host::{Device, Doorbell, DoorbellSource};
use crate::kernel::{GroupReport, ResvKind, rules};

/// What the rules foretell.
enum Foretold {
    /// Refused with this error.
    Refused(&'static str),
    /// This address.
    At(u64),
    /// An address from here to there: the rest of it is the interrupt's number, or not known.
    Within(u64, u64),
}

/// Compares what enabling MSI and MSI-X gave.
pub(super) fn compare(
    world: &World<'_>,
    through: &str,
    probe: &Probe,
    group: &GroupReport,
    check: &mut Check,
) {
    let Some(device) = world.host.device(probe.device) else {
        return check.unknown(world, &format!("device {}", probe.device));
    };
    for told in &probe.interrupts {
        let place = format!("{} of {} through {through}", told.kind, probe.device);
        compare_one(world, &place, told, device, group, check);
    }
}

fn compare_one(
    world: &World<'_>,
    place: &str,
    told: &Interrupts,
    device: &Device,
    group: &GroupReport,
    check: &mut Check,
) {
    let bell = world.host.doorbell_of(device);
    let unknown = format!("the MSI controller of {} was not said", device.address);
    let because = bell.is_none().then_some(unknown.as_str()).filter(|_| world.host.arch != Arch::X86_64);
    let kernel = match told.address {
        Some(address) if told.answer == "OK" => format!("{address:#x}"),
        _ => told.answer.clone(),
    };
    let ours = match foretold(world, bell, group) {
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

fn foretold(world: &World<'_>, bell: Option<&Doorbell>, group: &GroupReport) -> Option<Foretold> {
    if rule_among(&group.blockers, &[&rules::NO_COOKIE]).is_some() {
        return Some(Foretold::Refused("ENOSPC"));
    }
    let hardware = group.reserved.iter().find(|region| region.kind == ResvKind::Msi);
    let within = |span: Span<_>| {
        let (start, end): (crate::addr::Iova, crate::addr::Iova) = (span.first(), span.last());
        Foretold::Within(start.get(), end.get())
    };
    match (bell, &group.msi, hardware) {
        (_, _, Some(region)) if world.host.arch == Arch::X86_64 => region.span().map(within),
        (Some(bell), _, Some(_)) => Some(Foretold::At(bell.address.get())),
        (None, _, Some(region)) => region.span().map(within),
        (Some(bell), Some(window), None) => {
            let mapped = window.doorbells.iter().find(|mapped| mapped.address == bell.address);
            mapped.map(|mapped| Foretold::At(mapped.iova.get()))
        }
        (None, Some(window), None) => Some(within(window.span)),
        (Some(bell), None, None) if bell.source == DoorbellSource::Fixed => {
            Some(Foretold::At(bell.address.get()))
        }
        _ => None,
    }
}
