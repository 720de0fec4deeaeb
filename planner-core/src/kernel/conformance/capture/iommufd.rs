//! iommufd: what an address space answered with each device, and with all devices together.

use super::hardware;
use super::msi::{self, Through};
use super::truth::{AllDevices, Automatic, FdDevice, Iommufd, Ranges, Trial};
use super::type1::unknown_isolation;
use super::{
    Check, IommufdAnswer, MEMORY, Space, Spaces, World, assumed_aperture, ends, name, same_below, shown,
};
use crate::addr::{Address, Iova, Span};
use crate::ids::GroupId;
use crate::kernel::errno::Errno;
use crate::kernel::iommufd::ioas::{FIXED_IOVA, Ioas, MapRequest, Owner, READABLE, WRITEABLE};
use crate::kernel::iommufd::sw_msi::SwMsiMaps;
use crate::kernel::{GroupReport, rules};
use crate::size::{PageSize, Size};

/// Compares everything about iommufd.
pub(super) fn compare(world: &World<'_>, told: &Iommufd, spaces: &Spaces, check: &mut Check) {
    check.case = "iommufd".to_owned();
    let kernel = &world.host.kernel;
    let there = rules::IOMMUFD.holds(kernel.version) && kernel.iommufd != Some(false);
    if let Some(error) = &told.open {
        let because =
            (there && kernel.iommufd.is_none()).then_some("whether the kernel has iommufd was not said");
        check.equal("opening /dev/iommu", error, &if there { "OK" } else { "ENOENT" }, because);
    }
    if let Some(unattached) = &told.unattached {
        compare_ranges("ranges of an empty address space", unattached, &ioas(world), None, check);
    }
    let mut open = Open { trusted: false, doorbells: SwMsiMaps::new(kernel.page_size) };
    for told in &told.devices {
        check.case = format!("device {}", told.device);
        open.trusted |= told.bind_unsafe.is_some();
        compare_device(world, told, spaces, &mut open, check);
    }
    if let Some(all) = &told.all_devices {
        compare_all(world, all, spaces, check);
    }
}

/// What stays from one device to the next: the recording program opened /dev/iommu once.
struct Open {
    /// Whether allow_unsafe_interrupts has been set.
    trusted: bool,
    doorbells: SwMsiMaps,
}

fn compare_all(world: &World<'_>, all: &AllDevices, spaces: &Spaces, check: &mut Check) {
    check.case = "all devices in one address space".to_owned();
    let mut ioas = ioas(world);
    for (number, (device, attached)) in (0_u32..).zip(&all.attached) {
        let group = world.host.device(*device).and_then(|device| device.group);
        let space = group.and_then(|group| spaces.get(&group.0)).filter(|_| *attached);
        let Some(space) = space else { continue };
        let ours = name(attach(&mut ioas, number, space));
        check.equal(&format!("attaching {device}"), &"OK", &ours, None);
    }
    if let Some(kernel) = &all.ranges {
        compare_ranges("usable ranges", kernel, &ioas, None, check);
    }
}

fn compare_device(world: &World<'_>, told: &FdDevice, spaces: &Spaces, open: &mut Open, check: &mut Check) {
    let groups = (world.foretold.group(GroupId(told.group)), world.trusting.group(GroupId(told.group)));
    let ((Some(group), Some(trusting)), Some(space)) = (groups, spaces.get(&told.group)) else {
        return check.unknown(world, &format!("group {}", told.group));
    };
    if let Some(before) = &told.ranges_before {
        compare_ranges("ranges before attaching", before, &ioas(world), None, check);
    }
    let asked = if open.trusted && told.bind_unsafe.is_none() { trusting } else { group };
    if let Some(kernel) = &told.bind {
        let because = unknown_isolation(asked, kernel);
        check.equal("binding", kernel, &bind_answer(asked), because.as_deref());
    }
    if let Some(kernel) = &told.bind_unsafe {
        check.equal("binding with allow_unsafe_interrupts", kernel, &bind_answer(trusting), None);
    }
    if bind_answer(trusting) == "OK" {
        let subject = Subject { group: trusting, space, doorbells: &mut open.doorbells };
        compare_bound(world, told, subject, check);
    }
}

/// What `VFIO_DEVICE_BIND_IOMMUFD` answers.
fn bind_answer(group: &GroupReport) -> &'static str {
    let IommufdAnswer::Blocked { blocked } = &group.iommufd else { return "OK" };
    match blocked.rule {
        rule if rule == rules::FD_ISOLATED.id || rule == rules::RMRR_INELIGIBLE.id => "EPERM",
        rule if rule == rules::DIRECT_BLOCKS.id => "EINVAL",
        // Refused when it is attached.
        rule if rule == rules::FD_ONE_MSI.id || rule == rules::FD_GRANULE.id => "OK",
        _ => "ENOENT",
    }
}

/// A device that was bound.
struct Subject<'a> {
    group: &'a GroupReport,
    space: &'a Space,
    doorbells: &'a mut SwMsiMaps,
}

/// Everything that was asked once the device was bound.
fn compare_bound(world: &World<'_>, told: &FdDevice, subject: Subject<'_>, check: &mut Check) {
    let Subject { group, space, doorbells } = subject;
    let space = &aperture_told(told, group, space, check);
    let hardware = told.hardware.as_ref().zip(world.host.device(told.device));
    if let Some((info, device)) = hardware {
        hardware::compare_info(world, device, info, check);
    }
    compare_before_attaching(world, told, space, check);
    let mut ioas = ioas(world);
    if let Some(kernel) = &told.map_before {
        check.equal(
            "mapping 0x50000000 before attaching",
            kernel,
            &name(fixed(world, &mut ioas, 0x5000_0000)),
            None,
        );
    }
    let mut attached = attach(&mut ioas, 0, space);
    if let Some(kernel) = &told.attach {
        check.equal("attaching", kernel, &name(attached), None);
    }
    // What lay in the way goes.
    let _ = ioas.unmap(Iova::new(0), u64::MAX);
    if let Some(kernel) = &told.attach_again {
        attached = attach(&mut ioas, 0, space);
        check.equal("attaching after unmapping", kernel, &name(attached), None);
    }
    if attached.is_err() {
        return;
    }
    if let Some(after) = &told.ranges_after {
        compare_ranges("usable ranges", after, &ioas, None, check);
    }
    let mut unmapped = 0;
    for (list, requests) in &told.automatic {
        unmapped = compare_automatic(list, requests, &mut ioas, check);
    }
    if let Some(kernel) = told.unmapped {
        check.equal("unmapping everything, size", &format!("{kernel:#x}"), &format!("{unmapped:#x}"), None);
    }
    compare_allowed(told, space, &mut ioas, check);
    compare_trials(&told.trials, &mut ioas, check);
    let through = if rules::FD_SWMSI.holds(world.host.kernel.version) {
        Through::OpenFile(doorbells)
    } else {
        Through::Domain("iommufd")
    };
    msi::compare(world, through, &told.probe, group, check);
    if let Some(ranges) = &told.ranges_interrupts {
        compare_ranges("usable ranges with interrupts enabled", ranges, &ioas, None, check);
    }
    if let Some((info, _)) = hardware {
        hardware::compare_tables(&told.tables, info, check);
    }
    ioas.release(Owner::Device(0));
    ioas.remove_domain(0);
    if let Some(detached) = &told.ranges_detached {
        compare_ranges("ranges after detaching", detached, &ioas, None, check);
    }
}

/// The address space with the aperture that the kernel has, where ours was assumed and type1 has not told it before.
fn aperture_told(told: &FdDevice, group: &GroupReport, space: &Space, check: &mut Check) -> Space {
    let mut space = space.clone();
    let Some(after) = told.ranges_after.as_ref().filter(|_| space.aperture == group.aperture) else {
        return space;
    };
    let ours = match &group.iommufd {
        IommufdAnswer::Usable { usable, .. } => ends(usable),
        IommufdAnswer::Blocked { .. } => return space,
    };
    let assumed =
        assumed_aperture(group).filter(|_| ours != after.ranges && same_below(&after.ranges, &ours));
    if let (Some(because), Some(&(_, last))) = (assumed, after.ranges.last()) {
        check.differ("usable ranges", shown(&after.ranges), shown(&ours), Some(&because));
        space.aperture = Span::new(space.aperture.first(), Iova::new(last)).unwrap_or(space.aperture);
    }
    space
}

/// What was tried in address spaces of its own before the device was attached.
fn compare_before_attaching(world: &World<'_>, told: &FdDevice, space: &Space, check: &mut Check) {
    for (iova, mapped, attached) in &told.conflicts {
        let mut ioas = ioas(world);
        let ours = name(fixed(world, &mut ioas, *iova));
        check.equal(&format!("mapping {iova:#x} before attaching"), mapped, &ours, None);
        let ours = name(attach(&mut ioas, 0, space));
        check.equal(&format!("attaching over a mapping at {iova:#x}"), attached, &ours, None);
    }
    let four_gib = Size::gib(4).bytes();
    if let Some((allowed, attached)) = &told.allow_low {
        let mut ioas = ioas(world);
        let ours = name(ioas.allow(&[(Iova::new(0), Iova::new(four_gib.saturating_sub(1)))]));
        check.equal("allowing the first 4 GiB", allowed, &ours, None);
        if let Some(attached) = attached {
            check.equal(
                "attaching with the first 4 GiB allowed",
                attached,
                &name(attach(&mut ioas, 0, space)),
                None,
            );
        }
    }
    if let Some(told) = &told.allow_high {
        let mut ioas = ioas(world);
        let ours = name(ioas.allow(&[SECOND_4_GIB]));
        check.equal("allowing the second 4 GiB", &told.allow, &ours, None);
        let attached = attach(&mut ioas, 0, space);
        if let Some(kernel) = &told.attach {
            check.equal("attaching with the second 4 GiB allowed", kernel, &name(attached), None);
        }
        if let Some(kernel) = told.ranges.as_ref().filter(|_| attached.is_ok()) {
            compare_ranges("usable ranges with the second 4 GiB allowed", kernel, &ioas, None, check);
            compare_automatic("the second 4 GiB allowed", &told.automatic, &mut ioas, check);
        }
    }
}

const SECOND_4_GIB: (Iova, Iova) = (Iova::at(0x1_0000_0000), Iova::at(0x1_ffff_ffff));

/// What was allowed once the device was attached.
fn compare_allowed(told: &FdDevice, space: &Space, ioas: &mut Ioas, check: &mut Check) {
    if let Some(kernel) = &told.allow {
        let low = (Iova::at(0x4000_0000), Iova::at(0x7fff_ffff));
        check.equal("allowing 0x40000000 and 4 GiB", kernel, &name(ioas.allow(&[low, SECOND_4_GIB])), None);
    }
    if let Some(ranges) = &told.ranges_allowed {
        compare_ranges("usable ranges with ranges allowed", ranges, ioas, None, check);
    }
    compare_automatic("allowed", &told.automatic_allowed, ioas, check);
    let region = space.regions.iter().find(|region| region.kind != crate::kernel::ResvKind::DirectRelaxable);
    if let (Some(kernel), Some(region)) = (&told.allow_reserved, region) {
        let ours = name(ioas.allow(&[(Iova::new(region.start), Iova::new(region.end()))]));
        check.equal("allowing a reserved region", kernel, &ours, None);
    }
    if let Some(kernel) = &told.allow_nothing {
        check.equal("allowing everything again", kernel, &name(ioas.allow(&[])), None);
    }
    if let Some(ranges) = &told.ranges_allowed_again {
        compare_ranges("usable ranges with everything allowed again", ranges, ioas, None, check);
    }
}

fn ioas(world: &World<'_>) -> Ioas {
    let kernel = &world.host.kernel;
    Ioas::new(kernel.version, kernel.page_size, huge_page(kernel.page_size))
}

/// What one entry of the second lowest level maps (`PMD_SIZE`): a page full of entries of 8 bytes, each a page.
fn huge_page(page_size: PageSize) -> Size {
    let bits = u32::from(page_size.bits());
    Size::from_bytes(1_u64.checked_shl(bits.saturating_mul(2).saturating_sub(3)).unwrap_or(0))
}

/// Attaches a device: its regions first, then its domain (`iommufd_hw_pagetable_attach`).
fn attach(ioas: &mut Ioas, number: u32, space: &Space) -> Result<(), Errno> {
    ioas.add_device(number, &space.regions).0?;
    let ends = (space.aperture.first(), space.aperture.last());
    ioas.add_domain(number, ends, space.page_sizes).inspect_err(|_| ioas.release(Owner::Device(number)))
}

/// Maps one page at a fixed place.
fn fixed(world: &World<'_>, ioas: &mut Ioas, iova: u64) -> Result<(), Errno> {
    let length = world.host.kernel.page_size.size().bytes();
    let flags = FIXED_IOVA | READABLE | WRITEABLE;
    ioas.map(&MapRequest { iova: Iova::new(iova), length, vaddr: MEMORY, flags }).map(drop)
}

fn compare_ranges(place: &str, kernel: &Ranges, ioas: &Ioas, because: Option<&str>, check: &mut Check) {
    check.equal(place, &shown(&kernel.ranges), &shown(&ends(&ioas.usable())), because);
    let ours = ioas.alignment().bytes();
    check.equal(
        &format!("{place}: alignment"),
        &format!("{:#x}", kernel.alignment),
        &format!("{ours:#x}"),
        None,
    );
}

/// Automatic IOVAs, one after the other; everything is unmapped at the end. The number of bytes that were mapped.
fn compare_automatic(list: &str, requests: &[Automatic], ioas: &mut Ioas, check: &mut Check) -> u64 {
    for (index, request) in requests.iter().enumerate() {
        let vaddr = MEMORY.wrapping_add(request.vaddr_offset);
        let asked =
            MapRequest { iova: Iova::new(0), length: request.size, vaddr, flags: READABLE | WRITEABLE };
        let ours = match ioas.map(&asked) {
            Ok(iova) => format!("{:#x}", iova.get()),
            Err(errno) => errno.name().to_owned(),
        };
        let kernel = match &request.answer {
            Ok(iova) => format!("{iova:#x}"),
            Err(error) => error.clone(),
        };
        check.equal(
            &format!("automatic IOVA, {list}[{index}] ({:#x} bytes)", request.size),
            &kernel,
            &ours,
            None,
        );
    }
    if requests.is_empty() { 0 } else { ioas.unmap(Iova::new(0), u64::MAX).unwrap_or(0) }
}

/// The map requests, one after the other; what was mapped is unmapped again.
fn compare_trials(trials: &[Trial], ioas: &mut Ioas, check: &mut Check) {
    for trial in trials {
        let place = format!("map {} ({:#x}+{:#x})", trial.name, trial.iova, trial.size);
        let request = MapRequest {
            iova: Iova::new(trial.iova),
            length: trial.size,
            vaddr: MEMORY.wrapping_add(trial.vaddr_offset),
            flags: FIXED_IOVA | READABLE | WRITEABLE,
        };
        let mapped = ioas.map(&request).map(drop);
        check.equal(&place, &trial.answer, &name(mapped), None);
        if mapped.is_ok() {
            let _ = ioas.unmap(request.iova, request.length);
        }
    }
}
