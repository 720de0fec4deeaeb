//! Ways out of a conflict: changes of guest, VMM or host, each planned again and verified before it is told.

use serde::{Deserialize, Serialize};

use crate::facts::guest::{HazardPolicy, Viommu, VmmKind};
use crate::guest::GuestSpec;
use crate::host::Host;
use crate::kernel::report::{Question, report};
use crate::kernel::{ReservedReport, rules};
use crate::plan::problem::MEMORY_STEP;
use crate::plan::{self, Plan, Problem, place};
use crate::size::{PageSize, Size};
use crate::verify::verify;
use crate::version::KernelVersion;
use crate::{emit, vmm};

/// A change that makes the guest fit, shown by a verified plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Fix {
    /// What to change, in words.
    pub change: String,
    /// What it costs; smaller is cheaper. 1: a setting of the guest, 2: less memory or another VMM, 3: a device less or
    /// a risk, 4: a setting of the host, 5: another kernel or hypervisor.
    pub cost: u8,
    /// Whether a plan with the change was made and verified; the planner tells no other fixes.
    pub verified: bool,
    /// The options that the plan with the change needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// Everything that a fix may change.
struct Scene<'a> {
    host: &'a Host,
    reserved: &'a ReservedReport,
    guest: &'a GuestSpec,
}

/// Fixes of a guest that has no layout on the host, the cheapest first.
#[must_use]
pub fn fixes(host: &Host, reserved: &ReservedReport, guest: &GuestSpec) -> Vec<Fix> {
    let scene = Scene { host, reserved, guest };
    let mut fixes = if Problem::new(host, reserved, guest).blockers.is_empty() {
        scene.fixes_of_layout()
    } else {
        scene.fixes_of_blockers()
    };
    fixes.extend(scene.without_one_device());
    fixes.sort_by(|a, b| (a.cost, &a.change).cmp(&(b.cost, &b.change)));
    fixes
}

impl Scene<'_> {
    /// What can help where the guest could be given its devices but has no place.
    fn fixes_of_layout(&self) -> Vec<Fix> {
        let mut fixes: Vec<Fix> = Vec::new();
        fixes.extend(self.smaller_pages());
        fixes.extend(self.less_hotplug());
        fixes.extend(self.other_vmms());
        fixes.extend(self.less_memory());
        fixes.extend(self.relaxed());
        fixes
    }

    /// What can help where the kernel does not give the devices away.
    fn fixes_of_blockers(&self) -> Vec<Fix> {
        let mut fixes: Vec<Fix> = Vec::new();
        fixes.extend(self.other_interface());
        fixes.extend(self.no_viommu());
        if Problem::new(self.host, self.reserved, self.guest).vmm_lacks() {
            fixes.extend(self.other_vmms());
        }
        fixes.extend(self.unsafe_interrupts());
        fixes.extend(self.other_kernels());
        // Another hypervisor is much to ask: it is told when nothing else helps.
        if fixes.is_empty() {
            fixes.extend(self.other_hypervisor());
        }
        fixes
    }

    fn with(&self, guest: &GuestSpec) -> Option<Plan> {
        verified(self.host, self.reserved, guest)
    }

    fn try_guest(&self, cost: u8, change: String, guest: &GuestSpec) -> Option<Fix> {
        self.with(guest).map(|plan| fix(cost, change, &plan))
    }

    fn smaller_pages(&self) -> Option<Fix> {
        let mut guest = self.guest.clone();
        let smaller = [PageSize::M2, self.host.kernel.page_size];
        smaller.into_iter().filter(|&page| page < self.guest.pages).find_map(|page| {
            guest.pages = page;
            self.try_guest(
                1,
                format!("back the memory with {page} pages instead of {}", self.guest.pages),
                &guest,
            )
        })
    }

    fn less_hotplug(&self) -> Option<Fix> {
        let guest = GuestSpec { hotplug: Size::ZERO, slots: 0, ..self.guest.clone() };
        let wanted = !self.guest.hotplug.is_zero();
        let change = format!("give up the room for {} of memory to plug in", self.guest.hotplug);
        wanted.then(|| self.try_guest(1, change, &guest)).flatten()
    }

    fn other_interface(&self) -> Option<Fix> {
        let guest = GuestSpec { iommufd: !self.guest.iommufd, ..self.guest.clone() };
        let change = if guest.iommufd {
            "use iommufd instead of VFIO type1"
        } else {
            "use VFIO type1 instead of iommufd"
        };
        let possible = !guest.iommufd || self.host.kernel.iommufd == Some(true);
        possible.then(|| self.try_guest(1, change.into(), &guest)).flatten()
    }

    fn no_viommu(&self) -> Option<Fix> {
        let guest = GuestSpec { viommu: Viommu::None, ..self.guest.clone() };
        let change = format!("give the guest no {} IOMMU", self.guest.viommu);
        (self.guest.viommu != Viommu::None).then(|| self.try_guest(2, change, &guest)).flatten()
    }

    /// The host under another hypervisor, whose IOMMU driver refuses less than Linux's VFIO.
    fn other_hypervisor(&self) -> Option<Fix> {
        let mut others = vmm::known().iter().filter(|known| {
            known.kind == VmmKind::Xen && known.arch == self.guest.arch && self.guest.vmm != known.kind
        });
        others.find_map(|known| {
            let (name, guest) = self.on(known);
            self.try_guest(5, format!("run the host under Xen, and use {name}"), &guest)
        })
    }

    /// Other VMMs that take the guest as it is; if there is none, those that take more of its memory than its own.
    fn other_vmms(&self) -> Vec<Fix> {
        let others = vmm::known().iter().filter(|known| {
            known.arch == self.guest.arch
                && known.kind != VmmKind::Custom
                && (known.kind != VmmKind::Xen || self.guest.vmm == VmmKind::Xen)
                && !(known.kind == self.guest.vmm && self.is_this_machine(known.machine))
        });
        let others: Vec<(String, GuestSpec)> = others.map(|known| self.on(known)).collect();
        let whole = others.iter().filter_map(|(name, guest)| self.try_guest(2, format!("use {name}"), guest));
        let whole: Vec<Fix> = whole.collect();
        if whole.is_empty() { self.more_elsewhere(&others) } else { whole }
    }

    /// The guest on another VMM, and how that is named.
    fn on(&self, known: &vmm::Known) -> (String, GuestSpec) {
        let same = known.kind == self.guest.vmm;
        let guest = GuestSpec {
            vmm: known.kind,
            version: if same { self.guest.version } else { vmm::newest(known.kind) },
            machine: known.machine.into(),
            cpu: String::new(),
            custom: None,
            ..self.guest.clone()
        };
        (format!("{} {}", known.kind, known.machine).trim_end().to_owned(), guest)
    }

    fn more_elsewhere(&self, others: &[(String, GuestSpec)]) -> Vec<Fix> {
        let here = self.most_memory(self.guest).map_or(Size::ZERO, |guest| guest.memory);
        let most = others.iter().filter_map(|(name, guest)| Some((name, self.most_memory(guest)?)));
        let most: Vec<(&String, GuestSpec)> = most.filter(|(_, guest)| guest.memory > here).collect();
        let largest = most.iter().map(|(_, guest)| guest.memory).max();
        most.iter()
            .filter(|(_, guest)| Some(guest.memory) == largest)
            .filter_map(|(name, guest)| {
                let change = format!("use {name}, and give the guest {} of memory", guest.memory);
                self.try_guest(3, change, guest)
            })
            .collect()
    }

    fn is_this_machine(&self, machine: &str) -> bool {
        vmm::machine_type(&self.guest.request()).starts_with(machine)
    }

    /// The guest with the largest memory with which it fits, by bisection; less memory never makes a plan impossible.
    fn most_memory(&self, guest: &GuestSpec) -> Option<GuestSpec> {
        if !guest.numa.is_empty() {
            return None; // which node gives memory up is not for the planner to say
        }
        let step = MEMORY_STEP.max(guest.pages.size());
        let sized = |steps: u64| GuestSpec {
            memory: Size::from_bytes(steps.saturating_mul(step.bytes())),
            ..guest.clone()
        };
        let fits = |steps: u64| {
            let problem = Problem::new(self.host, self.reserved, &sized(steps));
            problem.blockers.is_empty() && place::search(&problem).is_some()
        };
        let (mut low, mut high) = (0, guest.memory.bytes() / step.bytes());
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            if fits(middle) { low = middle } else { high = middle }
        }
        (low > 0).then(|| sized(low))
    }

    fn less_memory(&self) -> Option<Fix> {
        let smaller = self.most_memory(self.guest)?;
        self.try_guest(2, format!("give the guest {} of memory", smaller.memory), &smaller)
    }

    fn relaxed(&self) -> Option<Fix> {
        let guest = GuestSpec { hazards: HazardPolicy::Relaxed, ..self.guest.clone() };
        let change = "accept the risk that DMA into the windows is misrouted (hazards relaxed)";
        let strict = self.guest.hazards == HazardPolicy::Strict;
        // Where the hardware is known to intercept, RAM in the window loses data: that is no way out.
        let known = self.reserved.groups.iter().flat_map(|group| &group.hazards).any(|hazard| hazard.certain);
        (strict && !known).then(|| self.try_guest(3, change.into(), &guest)).flatten()
    }

    fn without_one_device(&self) -> Vec<Fix> {
        if self.guest.pass.len() < 2 {
            return Vec::new();
        }
        let each = self.guest.pass.iter().filter_map(|&left_out| {
            let pass = self.guest.pass.iter().copied().filter(|&device| device != left_out).collect();
            let guest = GuestSpec { pass, ..self.guest.clone() };
            self.try_guest(3, format!("leave out {left_out}"), &guest)
        });
        each.collect()
    }

    fn unsafe_interrupts(&self) -> Option<Fix> {
        let blocked = self.reserved.groups.iter().flat_map(|group| &group.blockers);
        if !blocked.into_iter().any(|blocker| rules::lifted_by_unsafe_interrupts(blocker.rule)) {
            return None;
        }
        let mut host = self.host.clone();
        host.kernel.unsafe_interrupts = Some(true);
        let change = "set allow_unsafe_interrupts=1 on the host, and accept that the guest can then signal any interrupt";
        self.try_host(4, change.into(), &host)
    }

    fn other_kernels(&self) -> Option<Fix> {
        const TRIED: [KernelVersion; 3] =
            [crate::host::resolve::NEWEST_KERNEL, KernelVersion::new(6, 12), KernelVersion::new(6, 1)];
        let asked = self.reserved.kernel;
        TRIED
            .into_iter()
            .filter(|version| (version.major, version.minor) != (asked.major, asked.minor))
            .find_map(|version| {
                let mut host = self.host.clone();
                host.kernel.version = version;
                self.try_host(5, format!("run Linux {version} instead of {asked}"), &host)
            })
    }

    fn try_host(&self, cost: u8, change: String, host: &Host) -> Option<Fix> {
        let question =
            Question { version: Some(host.kernel.version), page_size: Some(self.reserved.page_size) };
        let reserved = report(host, &question);
        verified(host, &reserved, self.guest).map(|plan| fix(cost, change, &plan))
    }
}

/// A plan that the verifier accepts.
fn verified(host: &Host, reserved: &ReservedReport, guest: &GuestSpec) -> Option<Plan> {
    let plan = plan::plan(host, reserved, guest).ok()?;
    verify(host, reserved, guest, &plan).is_empty().then_some(plan)
}

fn fix(cost: u8, change: String, plan: &Plan) -> Fix {
    let options: Vec<String> = emit::options(plan).into_iter().map(|option| option.flag).collect();
    Fix { change, cost, verified: true, options }
}
