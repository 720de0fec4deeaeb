//! The problem: what RAM must keep out of, what the VMM can do, and what forbids the whole undertaking.

use super::bars::BarDemand;
use super::{
    DoorbellPlan, HostSummary, MsiPlan, PassedDevice, Reason, ReservedDma, VmmOption, guest_reserved, passed,
    rules,
};
use crate::addr::{Address, Gpa, Span};
use crate::facts::Arch;
use crate::facts::guest::{HazardPolicy, LayoutPolicy, Viommu};
use crate::facts::host::IommuModel;
use crate::guest::GuestSpec;
use crate::host::{Device, Host};
use crate::ids::PciAddress;
use crate::kernel::msi::MsiCookie;
use crate::kernel::{Basis, Finding, GroupReport, IommufdAnswer, ReservedRegion, ReservedReport, ResvKind};
use crate::size::Size;
use crate::span_set::SpanSet;
use crate::vmm::{self, Request};

/// What a constraint says.
#[derive(Clone, PartialEq, Debug)]
pub enum Demand {
    /// RAM touches none of these.
    KeepOut(SpanSet<Gpa>),
    /// The VMM's rule on where boot memory lies. Without it boot memory could lie anywhere.
    BootRule,
    /// The VMM's rule on memory beyond boot memory. Without it RAM could be in any number of pieces anywhere.
    PieceRule,
    /// The VMM makes a memory map out of it without an error of its own.
    VmmAccepts,
    /// The BARs of the passed devices fit into the windows of the memory map.
    BarRoom,
    /// BARs, where the VMM hands them out, touch none of these.
    BarsKeepOut(SpanSet<Gpa>),
}

/// A constraint with its reason. Dropping one never makes a solvable problem unsolvable.
#[derive(Clone, PartialEq, Debug)]
pub struct Constraint {
    /// What it says.
    pub demand: Demand,
    /// Why.
    pub reason: Reason,
}

/// Everything that a placement depends on.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    /// The host, for the answer.
    pub host: HostSummary,
    /// The guest.
    pub guest: GuestSpec,
    /// The guest, as the VMM is asked about it.
    pub request: Request,
    /// Constraints, in the order in which they are told.
    pub constraints: Vec<Constraint>,
    /// Reasons for which no layout whatever can run.
    pub blockers: Vec<Reason>,
    /// Settings of the host without which the kernel refuses.
    pub host_settings: Vec<VmmOption>,
    /// The passed devices.
    pub passed: Vec<PassedDevice>,
    /// BARs of the passed devices.
    pub bars: BarDemand,
    /// Where MSIs of the passed devices go.
    pub msi: Option<MsiPlan>,
    /// DMA addresses that the guest's kernel must not use and does not hear of from its VMM.
    pub guest_dma: Vec<ReservedDma>,
    /// Hazards that the policy lets RAM lie in.
    pub tolerated: Vec<Constraint>,
    /// What the user should know whatever the layout.
    pub warnings: Vec<Reason>,
}

/// A finding of the kernel room as a reason.
fn reason_of(finding: &Finding) -> Reason {
    Reason { rule: finding.rule.into(), because: finding.because.clone(), origin: finding.origin.to_string() }
}

/// A reason that rests on a rule alone.
pub(crate) fn rule_reason(rule: &str, because: impl Into<String>) -> Reason {
    Reason { rule: rule.into(), because: because.into(), origin: rule.into() }
}

impl Problem {
    /// The problem that host, reserved regions and guest make.
    #[must_use]
    pub fn new(host: &Host, reserved: &ReservedReport, guest: &GuestSpec) -> Self {
        let passed: Vec<&Device> = guest.pass.iter().filter_map(|&address| host.device(address)).collect();
        let mut problem = Self {
            host: HostSummary {
                name: host.name.clone(),
                arch: host.arch,
                kernel: reserved.kernel,
                page_size: reserved.page_size,
            },
            guest: guest.clone(),
            request: guest.request(),
            constraints: Vec::new(),
            blockers: Vec::new(),
            host_settings: Vec::new(),
            passed: passed.iter().map(|device| passed::of(host, device)).collect(),
            bars: BarDemand::new(&passed),
            msi: None,
            guest_dma: Vec::new(),
            tolerated: Vec::new(),
            warnings: Vec::new(),
        };
        problem.check_devices(host, reserved, &passed);
        problem.blockers.extend(passed::refuse_nesting(host, reserved.kernel, guest));
        problem.check_vmm(&passed);
        problem.check_driver(host);
        let groups = groups_of_interest(host, reserved, guest, &passed);
        for group in &groups {
            problem.add_group(group);
        }
        if vmm::uses_vfio(guest.vmm) {
            problem.msi = msi_plan(&groups, reserved);
            problem.guest_dma = guest_reserved::of_groups(&problem, &groups);
        }
        problem.add_msi_overrun(reserved);
        problem.add_guest_wishes();
        problem.add_direct_map(host);
        problem.warn_of_shared_memory(host);
        problem.add_vmm_rules();
        problem
    }

    /// The problem with these constraints only, for asking what they alone forbid.
    #[must_use]
    pub fn with_constraints(&self, constraints: Vec<Constraint>) -> Self {
        Self { constraints, ..self.clone() }
    }

    /// Whether the VMM itself stands in the way, so that another may help.
    #[must_use]
    pub fn vmm_lacks(&self) -> bool {
        self.blockers.iter().any(|reason| reason.rule == rules::LACKS)
    }

    /// Everything that RAM must keep out of.
    #[must_use]
    pub fn forbidden(&self) -> SpanSet<Gpa> {
        let spans = self.constraints.iter().filter_map(|constraint| match &constraint.demand {
            Demand::KeepOut(set) => Some(set.iter()),
            _ => None,
        });
        spans.flatten().collect()
    }

    /// Whether a demand of this kind is among the constraints.
    pub(super) fn demands(&self, is: fn(&Demand) -> bool) -> bool {
        self.constraints.iter().any(|constraint| is(&constraint.demand))
    }

    /// What the guest asks for and the VMM, in this version, has not.
    fn check_vmm(&mut self, passed: &[&Device]) {
        let (name, can) = (vmm::describe(&self.request), self.can());
        if !can.passthrough && !passed.is_empty() {
            // What Xen passes on arm64 is named in the device tree.
            let what = if vmm::uses_vfio(self.guest.vmm) { "host devices" } else { "PCI functions" };
            let because = format!("{name} passes no {what} through");
            self.blockers.push(rule_reason(rules::LACKS, because));
        }
        if !can.iommufd && self.guest.iommufd {
            let because = format!("{name} has no iommufd");
            self.blockers.push(rule_reason(rules::LACKS, because));
        }
        if self.guest.iommufd && can.bar_map_failure_is_fatal {
            let because = format!(
                "{name} maps BARs for traffic between devices and dies when it cannot, and iommufd maps none"
            );
            let reason = rule_reason(rules::BAR_MAP, because);
            let everywhere = [Span::full()].into_iter().collect();
            self.push(Constraint { demand: Demand::BarsKeepOut(everywhere), reason });
        }
        if !can.viommus.contains(&self.guest.viommu) {
            let because =
                format!("{name} has no {} IOMMU that passed devices could lie behind", self.guest.viommu);
            self.blockers.push(rule_reason(rules::LACKS, because));
        }
    }

    fn check_devices(&mut self, host: &Host, reserved: &ReservedReport, passed: &[&Device]) {
        for device in passed {
            let address = device.address;
            let group = device.group.and_then(|id| reserved.group(id));
            let Some(group) = group else {
                self.blockers.push(no_group(host, device));
                continue;
            };
            self.add_blockers(host, group);
            let others: Vec<String> = group
                .devices
                .iter()
                .filter(|&&other| other != address && !self.guest.pass.contains(&other))
                .filter(|&&other| !host.device(other).is_some_and(is_bridge))
                .map(ToString::to_string)
                .collect();
            if !others.is_empty() {
                let (id, others) = (group.id, others.join(", "));
                let because = if vmm::uses_vfio(self.guest.vmm) {
                    format!(
                        "group {id} of {address} also holds {others}: bind them to vfio-pci or to no driver, or VFIO \
                         refuses the group"
                    )
                } else {
                    format!(
                        "group {id} of {address} also holds {others}: nothing isolates them from one another, and Xen, \
                         which knows no groups, does not mind"
                    )
                };
                self.warnings.push(rule_reason(rules::GROUP, because));
            }
        }
        if self.guest.viommu != Viommu::None && !passed.is_empty() {
            self.warnings.push(rule_reason(
                rules::VIOMMU,
                "RAM keeps clear of what the host reserves although the guest has a vIOMMU: it is mapped one to one \
                 until the guest takes over, and for good with nested translation",
            ));
        }
    }

    fn add_blockers(&mut self, host: &Host, group: &GroupReport) {
        let mut reasons: Vec<Reason> = Vec::new();
        // All but a missing IOMMU are checks of Linux's VFIO and iommufd.
        let vfio = vmm::uses_vfio(self.guest.vmm);
        let binds = |finding: &&Finding| vfio || finding.rule == crate::kernel::rules::NO_IOMMU.id;
        for finding in group.blockers.iter().filter(binds) {
            if crate::kernel::rules::lifted_by_unsafe_interrupts(finding.rule)
                && host.kernel.unsafe_interrupts != Some(false)
            {
                // Nobody said that the setting is off, so it is a thing to do rather than an end.
                self.add_unsafe_setting(finding);
            } else {
                reasons.push(reason_of(finding));
            }
        }
        if let (true, IommufdAnswer::Blocked { blocked }) = (self.guest.iommufd, &group.iommufd) {
            reasons.push(reason_of(blocked));
        }
        for reason in reasons {
            if !self.blockers.contains(&reason) {
                self.blockers.push(reason);
            }
        }
    }

    fn add_unsafe_setting(&mut self, finding: &Finding) {
        let module = if self.guest.iommufd { "iommufd" } else { "vfio_iommu_type1" };
        let setting = VmmOption {
            flag: format!("{module}.allow_unsafe_interrupts=1"),
            why: format!("{}; the risk: a guest can then signal any interrupt of the host", finding.because),
        };
        if !self.host_settings.contains(&setting) {
            self.host_settings.push(setting);
        }
    }

    fn add_group(&mut self, group: &GroupReport) {
        for region in &group.reserved {
            let Some(span) = region.span().filter(|_| self.minds(region)) else {
                continue;
            };
            let set: SpanSet<Gpa> = [span.cast()].into_iter().collect();
            self.keep_out(set.clone(), region_reason(region, group));
            self.bars_keep_out(set, &format!("{span}, which is reserved for group {}", group.id));
        }
        let beyond: SpanSet<Gpa> = [group.aperture.cast()].into_iter().collect::<SpanSet<Gpa>>().complement();
        if !beyond.is_empty() {
            let because = format!("the IOMMU of group {} translates {} only", group.id, group.aperture);
            if self.can().bar_map_failure_is_fatal {
                let what = format!(
                    "what lies beyond {}, where the IOMMU of group {} ends",
                    group.aperture, group.id
                );
                self.bars_keep_out(beyond.clone(), &what);
            }
            self.keep_out(beyond, rule_reason(crate::kernel::rules::T1_APERTURE.id, because));
        }
        for hazard in &group.hazards {
            let set: SpanSet<Gpa> = [hazard.span.cast()].into_iter().collect();
            let reason = Reason {
                rule: hazard.rule.into(),
                because: hazard.because.clone(),
                origin: hazard.origin.to_string(),
            };
            match self.guest.hazards {
                HazardPolicy::Strict => self.keep_out(set, reason),
                HazardPolicy::Relaxed => {
                    let tolerated = Constraint { demand: Demand::KeepOut(set), reason };
                    if !self.tolerated.contains(&tolerated) {
                        self.tolerated.push(tolerated);
                    }
                }
                HazardPolicy::Ignore => {}
            }
        }
    }

    /// Whether RAM must keep out of the region: of all but relaxable ones where Linux owns the IOMMU; where Xen does, of
    /// those too, and not of what Linux reserves for itself.
    fn minds(&self, region: &ReservedRegion) -> bool {
        if vmm::uses_vfio(self.guest.vmm) {
            region.kind != ResvKind::DirectRelaxable
        } else {
            !region.is_of_linux()
        }
    }

    /// What the VMM can do.
    fn can(&self) -> vmm::Capabilities {
        vmm::capabilities_of(&self.request)
    }

    /// Keeps BARs out of a set, for a VMM that would die of them.
    fn bars_keep_out(&mut self, set: SpanSet<Gpa>, what: &str) {
        let (name, can) = (vmm::describe(&self.request), self.can());
        let reason = if can.refuses_reserved_overlap {
            let because = format!(
                "{name} refuses a BAR that overlaps {what}, and hands BARs out from the start of its PCI window"
            );
            rule_reason(rules::DEVICES, because)
        } else if can.bar_map_failure_is_fatal {
            let because = format!(
                "{name} maps BARs for traffic between devices, hands them out from the end of its PCI windows, and dies \
                 when one meets {what}"
            );
            rule_reason(rules::BAR_MAP, because)
        } else {
            return;
        };
        self.push(Constraint { demand: Demand::BarsKeepOut(set), reason });
    }

    fn keep_out(&mut self, set: SpanSet<Gpa>, reason: Reason) {
        self.push(Constraint { demand: Demand::KeepOut(set), reason });
    }

    /// Adds a constraint, unless an earlier one of the same rule demands the same: groups behind one IOMMU, devices
    /// below one root complex repeat each other, and a cause is told once.
    fn push(&mut self, constraint: Constraint) {
        let same = |known: &Constraint| {
            known.demand == constraint.demand && known.reason.rule == constraint.reason.rule
        };
        if !self.constraints.iter().any(same) {
            self.constraints.push(constraint);
        }
    }

    /// The kernel hands out doorbell pages without looking at the end of its window.
    fn add_msi_overrun(&mut self, reserved: &ReservedReport) {
        let Some(msi) = &self.msi else { return };
        let page = reserved.page_size.size();
        let highest = msi.doorbells.iter().map(|doorbell| doorbell.iova.align_down(page)).max();
        let Some(end) = highest.and_then(|at| Span::from_start_size(at, page)) else { return };
        let Some(first) = msi.span.last().get().checked_add(1) else { return };
        if let Some(span) = Span::<Gpa>::of(first, end.last().get()) {
            let because = format!(
                "the passed devices use more doorbell pages than the {} that fit the MSI window {}; the kernel puts the \
                 rest behind it, at {span}",
                msi.capacity_pages, msi.span
            );
            self.keep_out([span].into_iter().collect(), rule_reason(rules::OVERRUN, because));
        }
    }

    fn add_guest_wishes(&mut self) {
        for &span in &self.guest.avoid.clone() {
            let because = format!("the guest is told to avoid {span}");
            self.keep_out([span].into_iter().collect(), rule_reason(rules::AVOID, because));
        }
        if let Some(above) = self.guest.ipa_bits.and_then(above_bits) {
            let bits = self.guest.ipa_bits.unwrap_or(64);
            let because = format!("the hypervisor offers {bits} bits of guest-physical address");
            self.keep_out([above].into_iter().collect(), rule_reason(rules::IPA_BITS, because));
        }
    }

    /// RAM at the addresses of the host memory behind it lies where the host has memory.
    fn add_direct_map(&mut self, host: &Host) {
        if !vmm::is_direct_mapped(&self.request) {
            return;
        }
        let (name, rule) = (vmm::describe(&self.request), vmm::rules::XEN_DIRECT_MAP);
        let ram: SpanSet<Gpa> = host.ram.iter().map(|bank| bank.span.cast()).collect();
        if ram.is_empty() {
            let because = format!("{name} puts RAM where the host has RAM, and where that is was not said");
            self.blockers.push(rule_reason(rule, because));
            return;
        }
        let because = format!("{name} puts RAM at the addresses of RAM of the host, {}", in_words(&ram));
        self.keep_out(ram.complement(), rule_reason(rule, because));
    }

    /// A hypervisor without a driver for the IOMMU contains no DMA.
    fn check_driver(&mut self, host: &Host) {
        let known = |iommu: &crate::host::Iommu| vmm::drives(self.guest.vmm, iommu.model);
        if self.guest.pass.is_empty() || host.iommus.is_empty() || host.iommus.iter().any(known) {
            return;
        }
        let name = vmm::describe(&self.request);
        let because = format!("{name} has no driver for the IOMMU of the host");
        self.blockers.push(rule_reason(vmm::rules::XEN_IOMMU, because));
    }

    /// Xen refuses a device that shares its region with another, unless it is told to be lax about it.
    fn warn_of_shared_memory(&mut self, host: &Host) {
        let intel = host.iommus.iter().any(|iommu| iommu.model == IommuModel::IntelVtd);
        if vmm::uses_vfio(self.guest.vmm) || !intel {
            return;
        }
        for region in host.firmware.iter().filter(|region| region.devices.len() > 1) {
            let passed = |device: &&PciAddress| self.guest.pass.contains(*device);
            let Some(device) = region.devices.iter().find(passed) else { continue };
            let others: Vec<String> =
                region.devices.iter().filter(|&other| other != device).map(ToString::to_string).collect();
            let because = format!(
                "firmware claims {} for {device} and for {}: Xen refuses to give {device} away (`It's disallowed to assign \
                 … with shared RMRR`) unless its rdm_policy= is relaxed instead of strict",
                region.span,
                others.join(", ")
            );
            self.warnings.push(rule_reason(vmm::rules::XEN_RDM, because));
        }
    }

    fn add_vmm_rules(&mut self) {
        let name = vmm::describe(&self.request);
        let fixed: Vec<(String, Span<Gpa>)> =
            vmm::fixed_regions(&self.request).map(|(region, span)| (region.to_owned(), span)).collect();
        for (region, span) in fixed {
            let because = format!("{name} has {region} at {span}");
            let reason = rule_reason(vmm::rules::CUSTOM_REGION, because);
            self.keep_out([span].into_iter().collect(), reason);
        }
        let bits = self.request.custom.as_ref().and_then(|custom| custom.ipa_bits);
        if let Some((bits, above)) = bits.and_then(|bits| Some((bits, above_bits(bits)?))) {
            let because = format!("{name} handles {bits} bits of guest-physical address");
            let reason = rule_reason(vmm::rules::CUSTOM_LIMIT, because);
            self.keep_out([above].into_iter().collect(), reason);
        }
        for (demand, reason) in super::place::vmm_rules(&self.request) {
            self.push(Constraint { demand, reason });
        }
        if !self.bars.is_empty() && vmm::has_windows(&self.request) {
            let because = super::place::bar_room(&self.request, &self.bars);
            self.push(Constraint { demand: Demand::BarRoom, reason: rule_reason(rules::BAR_ROOM, because) });
        }
    }
}

/// The first spans of a set, for messages.
fn in_words(set: &SpanSet<Gpa>) -> String {
    const TOLD: usize = 4;
    let mut words: Vec<String> = set.iter().take(TOLD).map(|span| span.to_string()).collect();
    if set.len() > TOLD {
        words.push(format!("and {} more", set.len().saturating_sub(TOLD)));
    }
    words.join(", ")
}

fn is_bridge(device: &Device) -> bool {
    device.class.is_some_and(crate::ids::PciClass::is_bridge)
}

fn no_group(host: &Host, device: &Device) -> Reason {
    let address = device.address;
    let because = if host.iommus.is_empty() {
        format!(
            "{address} has no IOMMU group: the host has no IOMMU, or it is switched off, so VFIO cannot contain its DMA"
        )
    } else if host.arch == Arch::Aarch64 && host.kernel.version.major < 7 {
        format!(
            "{address} has no IOMMU group: Linux {} makes it when a driver is bound, and none was, or no IOMMU \
             translates the device",
            host.kernel.version
        )
    } else {
        format!(
            "{address} has no IOMMU group: the kernel made none, since no IOMMU translates the device or it shares its \
             stream ID with another"
        )
    };
    Reason { rule: rules::NO_GROUP.into(), because, origin: device.origin.to_string() }
}

/// Groups whose reservations the layout must respect: those of the passed devices, or all for a portable layout.
fn groups_of_interest<'a>(
    host: &Host,
    reserved: &'a ReservedReport,
    guest: &GuestSpec,
    passed: &[&Device],
) -> Vec<&'a GroupReport> {
    match guest.policy {
        LayoutPolicy::Portable => reserved.groups.iter().collect(),
        LayoutPolicy::HostFit => {
            let ids: std::collections::BTreeSet<_> =
                passed.iter().filter_map(|device| device.group).collect();
            let _ = host;
            reserved.groups.iter().filter(|group| ids.contains(&group.id)).collect()
        }
    }
}

pub(super) fn region_reason(region: &ReservedRegion, group: &GroupReport) -> Reason {
    let span = format!("{}..={}", region.start, region.end);
    let what = match region.kind {
        ResvKind::SoftwareMsi => "the window where the kernel maps MSI doorbells",
        ResvKind::Msi => "a hardware MSI doorbell",
        ResvKind::Reserved => "reserved",
        ResvKind::Direct => "claimed by firmware, to be mapped one to one",
        ResvKind::DirectRelaxable => "claimed by firmware, relaxable",
    };
    let basis = match region.basis {
        Basis::Listed => "the kernel lists it",
        Basis::Predicted => "predicted",
    };
    Reason {
        rule: region.rule.into(),
        because: format!("{span} is {what} of group {} ({basis})", group.id),
        origin: region.origin.to_string(),
    }
}

/// Where MSIs of all the groups go. The VMM puts the groups into one container, so they share the window and its pages.
fn msi_plan(groups: &[&GroupReport], reserved: &ReservedReport) -> Option<MsiPlan> {
    let window = groups.iter().find_map(|group| group.msi.as_ref())?;
    let mut cookie = MsiCookie::new(window.base, reserved.page_size, Span::full());
    let mut doorbells: Vec<DoorbellPlan> = Vec::new();
    for doorbell in groups.iter().filter_map(|group| group.msi.as_ref()).flat_map(|msi| &msi.doorbells) {
        let known = doorbells.iter().any(|plan| plan.address == doorbell.address);
        if !known && let Some(iova) = cookie.map(doorbell.address) {
            doorbells.push(DoorbellPlan { address: doorbell.address, iova });
        }
    }
    Some(MsiPlan { span: window.span, capacity_pages: window.doorbell_pages, doorbells })
}

/// Everything above so many address bits; nothing for 64 or more.
fn above_bits(bits: u8) -> Option<Span<Gpa>> {
    Span::of(1_u64.checked_shl(u32::from(bits))?, u64::MAX)
}

impl Constraint {
    /// How much of the space below `top` it takes, for ranking explanations.
    #[must_use]
    pub fn bytes_below(&self, top: Gpa) -> u128 {
        let Demand::KeepOut(set) = &self.demand else { return 0 };
        set.iter()
            .filter_map(|span| span.intersection(Span::new(Gpa::at(0), top)?))
            .map(Span::size_bytes)
            .sum()
    }
}

/// Sizes of memory are counted in this unit when the planner looks for the largest that fits.
pub const MEMORY_STEP: Size = Size::mib(2);
