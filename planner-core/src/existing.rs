//! What becomes of an existing configuration on a host, as it stands: the memory map that its VMM makes of it, what of that
//! the kernel refuses to map, and how the VMM ends.
//!
//! The kernel room says what is reserved, the VMM's model where things lie; both are compared here without any search. What
//! would have to change is the business of [`crate::plan`].

use serde::Serialize;

use crate::addr::{Gpa, Iova, Span};
use crate::facts::configured::{Accelerator, ConfiguredFacts};
use crate::facts::guest::{HazardPolicy, VmmKind};
use crate::guest::GuestSpec;
use crate::host::{Device, Host};
use crate::kernel::{Finding, GroupReport, IommufdAnswer, ReservedRegion, ReservedReport, ResvKind};
use crate::plan::bars::{self, BarDemand};
use crate::plan::passed::refuse_nesting;
use crate::plan::{Plan, Reason, rules};
use crate::version::Version;
use crate::vmm::{self, BarOrder, Disabled, MapRegion, MemoryMap, RegionKind, Request, Setting};

/// What becomes of the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outlook {
    /// It starts, and its devices do DMA.
    Works,
    /// It starts, and DMA to part of its memory may go astray.
    Unsafe,
    /// The VMM starts and ends when it maps the memory for the devices.
    Fails,
    /// The VMM, or the kernel, refuses it whatever the memory map.
    Refused,
}

/// A judgement of an existing configuration on a host.
#[derive(Clone, PartialEq, Debug, Serialize, schemars::JsonSchema)]
pub struct AsItStands {
    /// What becomes of it.
    pub outlook: Outlook,
    /// What the user would see on the terminal, if it ends; `…` stands for addresses that differ from run to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why, the gravest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Reason>,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Reason>,
    /// What has to change for the plan, in words; empty where the planner found none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// The memory map that the VMM makes; empty when it refuses.
    pub regions: Vec<MapRegion>,
    /// What it leaves out without a word.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disabled: Vec<Disabled>,
}

/// Judges a configuration. `guest` is what the configuration asks for on this host.
#[must_use]
pub fn judge(
    host: &Host,
    reserved: &ReservedReport,
    guest: &GuestSpec,
    facts: &ConfiguredFacts,
) -> AsItStands {
    let same = facts.guest.vmm.as_ref().is_none_or(|vmm| vmm.kind == guest.vmm);
    let version = Some(guest.version).filter(|_| same);
    let setting = Setting { arch: guest.arch, version, ipa_bits: guest.ipa_bits };
    let request = vmm::configured_request(facts, &setting);
    let map = match vmm::configured_map(facts, &request) {
        Ok(map) => map,
        Err(error) => {
            let name = vmm::describe(&request);
            let because = format!("{name} refuses the configuration itself");
            let reason = Reason { rule: error.rule.clone(), because, origin: error.rule };
            return AsItStands {
                outlook: Outlook::Refused,
                message: Some(error.text),
                because: vec![reason],
                ..AsItStands::empty()
            };
        }
    };
    let mut judgement =
        AsItStands { regions: map.regions.clone(), disabled: map.disabled.clone(), ..AsItStands::empty() };
    let groups = groups(host, reserved, guest, &mut judgement);
    judgement.check_iommu(&request, facts, guest);
    for reason in refuse_nesting(host, reserved.kernel, guest) {
        judgement.ends(Outlook::Fails, reason, None);
    }
    for group in &groups {
        judgement.check_group(&request, facts, group, guest, &map);
    }
    judgement.check_bars(&request, host, &groups, guest, &map);
    judgement.check_windows(facts, guest, &map);
    judgement
}

impl AsItStands {
    fn empty() -> Self {
        Self {
            outlook: Outlook::Works,
            message: None,
            because: Vec::new(),
            warnings: Vec::new(),
            changes: Vec::new(),
            regions: Vec::new(),
            disabled: Vec::new(),
        }
    }

    /// A reason, and what the user would see; of several messages the first is the one that is printed.
    fn ends(&mut self, outlook: Outlook, reason: Reason, message: Option<String>) {
        if self.because.contains(&reason) {
            return;
        }
        if outlook > self.outlook {
            self.outlook = outlook;
            self.message = message;
            self.because.insert(0, reason);
        } else {
            self.because.push(reason);
        }
    }

    fn warn(&mut self, rule: &str, because: String) {
        let reason = Reason { rule: rule.into(), because, origin: rule.into() };
        if !self.warnings.contains(&reason) {
            self.warnings.push(reason);
        }
    }

    fn check_iommu(&mut self, request: &Request, facts: &ConfiguredFacts, guest: &GuestSpec) {
        let (Some(option), Some(device)) = (&facts.silent_iommu, guest.pass.first()) else { return };
        let because = format!(
            "{option} is emulated and tells VFIO nothing of the guest's mappings, so a passed device cannot lie behind it; \
             accel=on needs QEMU 11.0 and an SMMUv3 of the host that translates in two stages"
        );
        let name = program(request, facts);
        let message = format!(
            "{name}: -device vfio-pci,host={device}: device … requires iommu MAP notifier which is not currently supported"
        );
        let reason = Reason { rule: vmm::rules::QEMU_NO_NOTIFIER.into(), because, origin: option.clone() };
        self.ends(Outlook::Fails, reason, Some(message));
    }

    fn check_group(
        &mut self,
        request: &Request,
        facts: &ConfiguredFacts,
        group: &GroupReport,
        guest: &GuestSpec,
        map: &MemoryMap,
    ) {
        let usable: &[Span<Iova>] = match &group.iommufd {
            IommufdAnswer::Usable { usable, .. } if guest.iommufd => usable,
            _ => &group.type1.usable,
        };
        for region in map.regions.iter().filter(|region| region.kind == RegionKind::Ram) {
            let iova: Span<Iova> = region.span.cast();
            // The kernel looks for one range that holds the whole request.
            let strict =
                vmm::capabilities(request.kind, request.version, request.arch).refuses_reserved_overlap;
            let overlaps = |listed: &ReservedRegion| listed.span().is_some_and(|span| span.overlaps(iova));
            let refused = strict && group.reserved.iter().any(overlaps);
            if refused || !usable.iter().any(|range| range.covers(iova)) {
                let message = death(request, facts, guest, group, region);
                self.ends(Outlook::Fails, refused_by(group, region), Some(message));
                continue;
            }
            self.check_hazards(group, guest, region);
        }
        let room = map.regions.iter().filter(|region| region.kind == RegionKind::DeviceMemory);
        for region in room.filter(|region| !usable.iter().any(|range| range.covers(region.span.cast()))) {
            let because = format!(
                "memory that is plugged in later may lie anywhere in {} at {}, and not all of it can be mapped for group {}: \
                 plugging it in there ends the guest",
                region.name, region.span, group.id
            );
            self.warn(crate::kernel::rules::T1_APERTURE.id, because);
        }
    }

    fn check_hazards(&mut self, group: &GroupReport, guest: &GuestSpec, region: &MapRegion) {
        if guest.hazards == HazardPolicy::Ignore {
            return;
        }
        for hazard in group.hazards.iter().filter(|hazard| hazard.span.overlaps(region.span.cast())) {
            let because = format!("{} at {} lies in it: {}", region.name, region.span, hazard.because);
            let reason = Reason { rule: hazard.rule.into(), because, origin: hazard.origin.to_string() };
            if guest.hazards == HazardPolicy::Strict {
                self.ends(Outlook::Unsafe, reason, None);
            } else if !self.warnings.contains(&reason) {
                self.warnings.push(reason);
            }
        }
    }

    /// BARs that a VMM maps for the devices, where it ends when it cannot.
    fn check_bars(
        &mut self,
        request: &Request,
        host: &Host,
        groups: &[&GroupReport],
        guest: &GuestSpec,
        map: &MemoryMap,
    ) {
        let passed: Vec<&Device> = guest.pass.iter().filter_map(|&address| host.device(address)).collect();
        let spans = match map.bar_order {
            BarOrder::FromEnd => bars::handed_out(&BarDemand::new(&passed), map),
            BarOrder::Guest | BarOrder::FromStart => return,
        };
        let name = vmm::describe(request);
        for (group, &span) in groups.iter().flat_map(|group| spans.iter().map(move |span| (group, span))) {
            let mapped = group.type1.usable.iter().any(|range| range.covers(span.cast()));
            if mapped && !guest.iommufd {
                continue;
            }
            let why = if guest.iommufd {
                "iommufd maps none".to_owned()
            } else {
                format!("the IOMMU of group {} does not translate all of it", group.id)
            };
            let because = format!("{name} maps the BARs that it puts into {span}, and {why}");
            let origin = rules::BAR_MAP.into();
            let reason = Reason { rule: rules::BAR_MAP.into(), because, origin };
            let errno =
                if guest.iommufd { "Bad address (os error 14)" } else { "Invalid argument (os error 22)" };
            let message = format!("Failed to map VFIO MMIO region: Failed to DMA map: … {errno}");
            self.ends(Outlook::Fails, reason, Some(message));
        }
    }

    /// A 64-bit window that is left out, and an emulated guest with host devices.
    fn check_windows(&mut self, facts: &ConfiguredFacts, guest: &GuestSpec, map: &MemoryMap) {
        for disabled in &map.disabled {
            let because =
                format!("the VMM leaves out `{}` without a word: {}", disabled.name, disabled.because);
            self.warn(rules::LEFT_OUT, because);
        }
        if facts.accelerator == Some(Accelerator::Emulated) && !guest.pass.is_empty() {
            let because =
                "nothing asks for KVM, so the VMM emulates the guest's CPUs (-accel kvm changes that)";
            self.warn(vmm::rules::QEMU_ACCEL, because.into());
        }
    }
}

/// Groups of the passed devices; what keeps them from being given away ends the VMM.
fn groups<'r>(
    host: &Host,
    reserved: &'r ReservedReport,
    guest: &GuestSpec,
    judgement: &mut AsItStands,
) -> Vec<&'r GroupReport> {
    let mut groups: Vec<&GroupReport> = Vec::new();
    for &address in &guest.pass {
        let group = host.device(address).and_then(|device| device.group).and_then(|id| reserved.group(id));
        let Some(group) = group else {
            let because = format!("{address} has no IOMMU group, so VFIO cannot give it away");
            let reason = Reason { rule: rules::NO_GROUP.into(), because, origin: address.to_string() };
            judgement.ends(Outlook::Refused, reason, None);
            continue;
        };
        for blocker in &group.blockers {
            let lifted = crate::kernel::rules::lifted_by_unsafe_interrupts(blocker.rule);
            if lifted && host.kernel.unsafe_interrupts != Some(false) {
                let because =
                    format!("{}; allow_unsafe_interrupts=1 on the host lets it through", blocker.because);
                judgement.warn(blocker.rule, because);
            } else {
                judgement.ends(Outlook::Refused, reason_of(blocker), None);
            }
        }
        if let (true, IommufdAnswer::Blocked { blocked }) = (guest.iommufd, &group.iommufd) {
            judgement.ends(Outlook::Refused, reason_of(blocked), None);
        }
        if !groups.iter().any(|known| known.id == group.id) {
            groups.push(group);
        }
    }
    groups
}

fn reason_of(finding: &Finding) -> Reason {
    Reason { rule: finding.rule.into(), because: finding.because.clone(), origin: finding.origin.to_string() }
}

/// Why the kernel does not map a region.
fn refused_by(group: &GroupReport, region: &MapRegion) -> Reason {
    let iova: Span<Iova> = region.span.cast();
    let overlaps = |listed: &&ReservedRegion| listed.span().is_some_and(|span| span.overlaps(iova));
    // What every VMM trips over before what only some do.
    let firm = group.reserved.iter().filter(overlaps).find(|listed| listed.kind != ResvKind::DirectRelaxable);
    let hit = firm.or_else(|| group.reserved.iter().find(overlaps));
    let what = format!("{} at {}", region.name, region.span);
    match hit {
        Some(hit) => Reason {
            rule: hit.rule.into(),
            because: format!(
                "{what} touches {}..={}, which is reserved for group {} ({})",
                hit.start,
                hit.end,
                group.id,
                kind(hit.kind)
            ),
            origin: hit.origin.to_string(),
        },
        None => Reason {
            rule: crate::kernel::rules::T1_APERTURE.id.into(),
            because: format!(
                "{what} lies outside {}, all that the IOMMU of group {} translates",
                group.aperture, group.id
            ),
            origin: crate::kernel::rules::T1_APERTURE.id.into(),
        },
    }
}

fn kind(kind: ResvKind) -> &'static str {
    match kind {
        ResvKind::SoftwareMsi => "the window where the kernel maps MSI doorbells",
        ResvKind::Msi => "a hardware MSI doorbell",
        ResvKind::Reserved => "reserved",
        ResvKind::Direct | ResvKind::DirectRelaxable => "claimed by firmware",
    }
}

fn program(request: &Request, facts: &ConfiguredFacts) -> String {
    if facts.program.is_empty() { request.kind.to_string() } else { facts.program.clone() }
}

/// How the VMM ends when a region cannot be mapped: its own words.
fn death(
    request: &Request,
    facts: &ConfiguredFacts,
    guest: &GuestSpec,
    group: &GroupReport,
    region: &MapRegion,
) -> String {
    let (start, size) = (region.span.first().to_string().replace('_', ""), region.span.size_bytes());
    match request.kind {
        VmmKind::Qemu => {
            let device = guest.pass.iter().find(|device| group.devices.contains(device));
            let device = device.map_or_else(String::new, ToString::to_string);
            let name = memory_region(request, region);
            // hw/vfio/listener.c, vfio_listener_region_add; the function was vfio_dma_map until 9.2.
            let function = if request.version >= Version::new(10, 0) {
                "vfio_container_dma_map"
            } else {
                "vfio_dma_map"
            };
            format!(
                "{}: -device vfio-pci,host={device}: vfio {device}: failed to setup container for group {}: memory listener \
                 initialization failed: Region {name}: {function}(…, {start}, {size:#x}, …) = -22 (Invalid argument)",
                program(request, facts),
                group.id
            )
        }
        // vmm/src/device_manager.rs, `DeviceManagerError::VfioDmaMap`; 47.0 prints the words of errors instead of their names.
        VmmKind::CloudHypervisor if request.version >= Version::new(47, 0) => {
            "Failed to DMA map VFIO device: … Invalid argument (os error 22)".to_owned()
        }
        VmmKind::CloudHypervisor => {
            "Error booting VM: VmBoot(DeviceManager(VfioDmaMap(IommuDmaMap(Error(22)))))".to_owned()
        }
        // devices/src/vfio.rs, `VfioError::IommuDmaMap`.
        VmmKind::Crosvm => {
            "failed to add guest memory map into iommu table: Invalid argument (os error 22)".to_owned()
        }
        // vfio/core.c, vfio_map_mem_range.
        VmmKind::Kvmtool => format!("Failed to map {start} -> … ({size}) for DMA"),
        #[allow(unreachable_patterns, reason = "each VMM that the planner learns has words of its own here")]
        other => {
            format!("{other}: the kernel refuses to map {start}, {size:#x} bytes: -22 (Invalid argument)")
        }
    }
}

/// What QEMU calls the memory behind a region (hw/arm/virt.c `mach-virt.ram`, hw/i386/pc.c `pc.ram`).
fn memory_region(request: &Request, region: &MapRegion) -> String {
    match region.name.as_str() {
        "mem" if request.arch == crate::facts::Arch::Riscv64 => "riscv_virt_board.ram".into(),
        "mem" => "mach-virt.ram".into(),
        "ram-below-4g" | "ram-above-4g" => "pc.ram".into(),
        other => other.to_owned(),
    }
}

/// What of the configuration has to change for the plan: RAM that lies elsewhere, options that are new.
#[must_use]
pub fn changes(judgement: &AsItStands, plan: &Plan) -> Vec<String> {
    let ram = |region: &&MapRegion| region.kind == RegionKind::Ram;
    let before: Vec<Span<Gpa>> = merged(judgement.regions.iter().filter(ram).map(|region| region.span));
    let after: Vec<Span<Gpa>> = merged(plan.ram.iter().map(|piece| piece.span));
    let shown = |spans: &[Span<Gpa>]| {
        let spans: Vec<String> = spans.iter().map(ToString::to_string).collect();
        spans.join(", ")
    };
    let mut changes = Vec::new();
    if !before.is_empty() && before != after {
        changes.push(format!("RAM lies at {} instead of {}", shown(&after), shown(&before)));
    }
    for region in &plan.regions {
        let windows = matches!(region.kind, RegionKind::Mmio32 | RegionKind::Mmio64);
        let old = judgement.regions.iter().find(|old| old.kind == region.kind && old.name == region.name);
        if let Some(old) = old.filter(|old| windows && old.span.size_bytes() != region.span.size_bytes()) {
            changes.push(format!("the window {} is {} instead of {}", region.name, region.span, old.span));
        }
    }
    changes
}

/// Spans in order, those that touch joined.
fn merged(spans: impl Iterator<Item = Span<Gpa>>) -> Vec<Span<Gpa>> {
    spans.collect::<crate::span_set::SpanSet<Gpa>>().iter().collect()
}
