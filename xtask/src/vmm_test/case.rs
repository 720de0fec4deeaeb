//! A case: a host and a guest, and what the planner makes of them.

use planner_core::answer::{Outcome, answer};
use planner_core::diag::{Diagnostic, Origin, has_errors};
use planner_core::facts::guest::{GuestFacts, VmmFact, VmmKind};
use planner_core::facts::{Arch, HostFacts};
use planner_core::guest::{GuestSpec, resolve as guest_resolve};
use planner_core::host::resolve as host_resolve;
use planner_core::kernel::report::Question;
use planner_core::plan::Plan;
use planner_core::read::{capture, language};
use planner_core::version::Version;
use planner_core::vmm::{capabilities, newest};

use crate::Failure;

/// What a host is read from.
#[derive(Clone, Debug)]
pub(super) enum HostSource {
    /// A description.
    Text(String),
    /// A packed capture.
    Archive(Vec<u8>),
}

/// What must come of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// A plan, emitted and started; anything else is a failure.
    Started,
    /// A plan if there is one: the planner may refuse, and then there is nothing to start.
    StartedIfPlanned,
}

/// A host and a guest.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Its name, for the report.
    pub(super) name: String,
    /// The host.
    pub(super) host: HostSource,
    /// The guest as a description.
    pub(super) guest: String,
    /// The version of QEMU to plan for, instead of the VMM or the version that the guest names.
    pub(super) version: Option<Version>,
    /// What must come of it.
    pub(super) wanted: Wanted,
}

/// What the planner says to a case.
pub(super) enum Planned {
    /// A layout, checked by the verifier.
    Plan(Box<Plan>),
    /// No layout, or none for this VMM, and why.
    Nothing(String),
}

impl Case {
    /// Plans it.
    ///
    /// # Errors
    /// When host or guest cannot be read, or the verifier rejects the plan: the case itself is at fault, or the planner.
    pub(super) fn plan(&self) -> Result<Planned, Failure> {
        let of_qemu = |facts: &mut GuestFacts, host: Arch| {
            if self.version.is_some() && facts.vmm.as_ref().is_none_or(|vmm| vmm.kind != VmmKind::Qemu) {
                facts.vmm = Some(qemu(facts.arch.unwrap_or(host)));
            }
        };
        self.answered(of_qemu, |guest| {
            guest.version = self.version.unwrap_or(guest.version);
            (guest.vmm == VmmKind::Qemu)
                .then_some(())
                .ok_or_else(|| format!("the guest runs on {}", guest.vmm))
        })
    }

    /// Plans it for another VMM, in that VMM's newest version; for one without passthrough, without the devices.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub(super) fn plan_for(&self, kind: VmmKind) -> Result<Planned, Failure> {
        self.answered(
            |_, _| (),
            |guest| {
                if guest.vmm != kind {
                    (guest.vmm, guest.version, guest.custom) = (kind, newest(kind), None);
                    guest.machine.clear();
                    guest.cpu.clear();
                }
                if !capabilities(kind, guest.version, guest.arch).passthrough {
                    guest.pass.clear();
                }
                Ok(())
            },
        )
    }

    /// The answer to the guest as both changes leave it, or why nothing is asked.
    fn answered(
        &self,
        change_facts: impl FnOnce(&mut GuestFacts, Arch),
        change: impl FnOnce(&mut GuestSpec) -> Result<(), String>,
    ) -> Result<Planned, Failure> {
        let (facts, found) = facts(&self.host);
        refuse(&found)?;
        let (host, found) = host_resolve::resolve(&facts);
        refuse(&found)?;
        let (mut facts, found) = language::parse_guest("guest", &self.guest);
        refuse(&found)?;
        change_facts(&mut facts, host.arch);
        let (guest, found) = guest_resolve::resolve(&facts, &host);
        let mut guest = guest.ok_or_else(|| messages(&found))?;
        if let Err(why) = change(&mut guest) {
            return Ok(Planned::Nothing(why));
        }
        let answer = answer(&host, &guest, &Question::default());
        if let Some(violation) = answer.violations.first() {
            return Err(format!("the verifier rejects the plan: {violation:?}").into());
        }
        Ok(match answer.outcome {
            Outcome::Plan(plan) => Planned::Plan(plan),
            Outcome::Conflict { conflict, .. } => {
                let causes: Vec<&str> = conflict.causes.iter().map(|cause| cause.because.as_str()).collect();
                Planned::Nothing(causes.join("; "))
            }
        })
    }
}

/// QEMU with its defaults, but for the GIC, whose version would be that of the host's under KVM.
fn qemu(arch: Arch) -> VmmFact {
    let machine = (arch == Arch::Aarch64).then(|| "virt,gic-version=3".to_owned());
    let origin = Origin::Unstated;
    VmmFact { kind: VmmKind::Qemu, version: None, machine, cpu: None, custom: None, origin }
}

fn facts(source: &HostSource) -> (HostFacts, Vec<Diagnostic>) {
    match source {
        HostSource::Text(text) => language::parse_host("host", text),
        HostSource::Archive(bytes) => {
            let (tree, mut found) = capture::from_archive(bytes, "host.tar.gz");
            let (facts, more) = capture::facts(&tree, "capture");
            found.extend(more);
            (facts, found)
        }
    }
}

fn refuse(found: &[Diagnostic]) -> Result<(), Failure> {
    if has_errors(found) { Err(messages(found).into()) } else { Ok(()) }
}

fn messages(found: &[Diagnostic]) -> String {
    let texts: Vec<&str> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    texts.join("; ")
}
