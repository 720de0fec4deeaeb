//! What the verbs share: the host, guest and plan that the words of the command line name, and the talk about them.

use planner_core::answer::{PlanError, read_plan};
use planner_core::diag::{Diagnostic, Origin, has_errors};
use planner_core::facts::{GuestFacts, HostFacts};
use planner_core::guest::{self, GuestSpec};
use planner_core::host::{self, Host};
use planner_core::kernel::ReservedReport;
use planner_core::kernel::report::Question;
use planner_core::plan::Plan;
use planner_core::render::Sources;

use crate::args::{Format, GuestArgs, KernelArgs};
use crate::flags::{Flag, Found, flag, override_guest};
use crate::output::Status;
use crate::{codes, input};

/// The verb cannot go on; why stands in the session's diagnostics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stop(pub(crate) Status);

/// One run of the command.
pub(crate) struct Session {
    /// For whom to print.
    pub(crate) format: Format,
    /// What there is to say, in order.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The texts that diagnostics point into.
    pub(crate) sources: Sources,
    /// Whether standard input has been read.
    stdin_taken: bool,
}

impl Session {
    /// A run that prints like this.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, diagnostics: Vec::new(), sources: Sources::new(), stdin_taken: false }
    }

    /// Says why the verb cannot go on.
    pub(crate) fn refuse(&mut self, diagnostic: Diagnostic) -> Stop {
        self.diagnostics.push(diagnostic);
        Stop(Status::BadInput)
    }

    /// Says what was found, and stops when the input cannot be used.
    pub(crate) fn tell(&mut self, found: Vec<Diagnostic>) -> Result<(), Stop> {
        let stop = has_errors(&found);
        self.diagnostics.extend(found);
        if stop { Err(Stop(Status::BadInput)) } else { Ok(()) }
    }

    /// Stops when the user wants JSON of something that has none.
    pub(crate) fn no_json(&mut self, what: &str, instead: &str) -> Result<(), Stop> {
        if self.format == Format::Human {
            return Ok(());
        }
        let message = format!("{what} has no JSON form");
        Err(self.refuse(Diagnostic::new(&codes::NO_JSON, Origin::argument("--json"), message).help(instead)))
    }

    /// The value of a flag, if it was given.
    pub(crate) fn flag<T>(
        &mut self,
        name: &'static str,
        value: Option<&String>,
        read: impl FnOnce(Flag<'_>) -> crate::flags::Read<T>,
    ) -> Result<Option<T>, Stop> {
        let mut found = Found::default();
        let value = found.take(flag(name, value), read);
        self.tell(found.0)?;
        Ok(value)
    }

    /// The kernel asked about.
    pub(crate) fn question(&mut self, args: &KernelArgs) -> Result<Question, Stop> {
        Ok(Question {
            version: self.flag("--kernel", args.kernel.as_ref(), Flag::version)?,
            page_size: self.flag("--kernel-page", args.kernel_page.as_ref(), Flag::page)?,
        })
    }

    /// The host that a word of the command line names.
    pub(crate) fn host(&mut self, word: &str) -> Result<Host, Stop> {
        self.take_stdin(word)?;
        let facts = input::host(word, &mut self.sources);
        let facts: HostFacts = self.read(facts)?;
        let (host, found) = host::resolve::resolve(&facts);
        self.tell(found)?;
        Ok(host)
    }

    /// The guest that a word and flags name, resolved on the host.
    pub(crate) fn guest(
        &mut self,
        word: Option<&str>,
        flags: &GuestArgs,
        host: &Host,
    ) -> Result<GuestSpec, Stop> {
        let facts = match word {
            Some(word) => {
                self.take_stdin(word)?;
                let facts = input::guest(word, &mut self.sources);
                self.read(facts)?
            }
            None => GuestFacts::default(),
        };
        self.resolve_guest(facts, flags, host)
    }

    /// The guest that facts and flags describe, resolved on the host.
    pub(crate) fn resolve_guest(
        &mut self,
        mut facts: GuestFacts,
        flags: &GuestArgs,
        host: &Host,
    ) -> Result<GuestSpec, Stop> {
        let found = override_guest(flags, &mut facts);
        self.tell(found)?;
        let (guest, found) = guest::resolve::resolve(&facts, host);
        self.tell(found)?;
        guest.ok_or(Stop(Status::BadInput))
    }

    /// The plan in a file.
    pub(crate) fn plan(&mut self, word: &str) -> Result<Plan, Stop> {
        let text = self.text(word)?;
        self.plan_in(word, &text)
    }

    /// The plan in a text that was read from this file.
    pub(crate) fn plan_in(&mut self, word: &str, text: &str) -> Result<Plan, Stop> {
        read_plan(text).map_err(|error| self.refuse(not_a_plan(word, &error)))
    }

    /// The text of a file, or of standard input.
    pub(crate) fn text(&mut self, word: &str) -> Result<String, Stop> {
        self.take_stdin(word)?;
        let text = input::text(word);
        self.read(text)
    }

    fn read<T>(&mut self, (value, found): (T, Vec<Diagnostic>)) -> Result<T, Stop> {
        self.tell(found)?;
        Ok(value)
    }

    fn take_stdin(&mut self, word: &str) -> Result<(), Stop> {
        if word != "-" {
            return Ok(());
        }
        if std::mem::replace(&mut self.stdin_taken, true) {
            let message = "standard input is read for two things";
            return Err(self.refuse(Diagnostic::new(&codes::STDIN_TWICE, Origin::argument("-"), message)));
        }
        Ok(())
    }

    /// What the kernel asked about reserves on the host; a group that is not there stops.
    pub(crate) fn check_groups(
        &mut self,
        report: &ReservedReport,
        groups: &[String],
        name: &'static str,
    ) -> Result<Vec<planner_core::ids::GroupId>, Stop> {
        let mut chosen = Vec::new();
        for typed in groups {
            let Some(id) = self.flag(name, Some(typed), Flag::group)? else { continue };
            if report.group(id).is_none() {
                let message = format!("`{}` has no IOMMU group {id}", report.host);
                let there: Vec<String> = report.groups.iter().take(16).map(|group| group.id.to_string()).collect();
                let origin = Origin::argument(format!("{name} {typed}"));
                let diagnostic = Diagnostic::new(&codes::NO_SUCH_GROUP, origin, message);
                return Err(self.refuse(diagnostic.help(format!("there are: {}", there.join(", ")))));
            }
            chosen.push(id);
        }
        Ok(chosen)
    }
}

fn not_a_plan(word: &str, error: &PlanError) -> Diagnostic {
    let (message, place) = match error {
        PlanError::Malformed { line: 0, message, .. } => (message.clone(), Origin::file(word)),
        PlanError::Malformed { line, message, .. } => (message.clone(), Origin::line(&word.into(), *line)),
        PlanError::Impossible => ("it says that there is no layout".into(), Origin::file(word)),
    };
    Diagnostic::new(&codes::NOT_A_PLAN, place, format!("`{word}` is no plan: {message}"))
        .help("`planner plan HOST GUEST --json` prints one")
}
