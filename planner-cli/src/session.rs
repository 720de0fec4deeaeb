//! What the verbs share: the host, guest and plan that the words of the command line name, and the talk about them.

use std::path::Path;

use planner_core::answer::{PlanError, read_plan};
use planner_core::diag::{Diagnostic, Origin, has_errors};
use planner_core::facts::{ConfiguredFacts, GuestFacts, HostFacts};
use planner_core::guest::{self, GuestSpec};
use planner_core::host::besides::faults_besides;
use planner_core::host::{self, Host};
use planner_core::kernel::ReservedReport;
use planner_core::kernel::report::Question;
use planner_core::map::{Glyphs, TextStyle};
use planner_core::plan::Plan;
use planner_core::read::capture::Tree;
use planner_core::read::capture::allow::MANIFEST;
use planner_core::read::pci::lspci;
use planner_core::read::vmm as configuration;
use planner_core::read::vmm::Format;
use planner_core::read::vmm::words::Word;
use planner_core::read::{capture, fdt, json, language};
use planner_core::record::manifest::{Manifest, Note};
use planner_core::render::{Color, Sources, render};
use planner_core::verify::Violation;
use planner_core::version::Version;

use crate::args::{Format as Printing, GuestArgs, KernelArgs, PictureArgs};
use crate::flags::{Flag, Found, Read, flag, override_guest};
use crate::input::{self, Content, Loaded};
use crate::output::Status;
use crate::{codes, crash};

/// The verb cannot go on; why stands in the session's diagnostics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stop(pub(crate) Status);

/// One run of the command.
pub(crate) struct Session {
    /// For whom to print.
    pub(crate) format: Printing,
    /// What there is to say, in order.
    diagnostics: Vec<Diagnostic>,
    /// The texts that diagnostics point into.
    sources: Sources,
    /// The captures that were read.
    captures: Vec<Tree>,
    /// What there is to say besides diagnostics.
    said: String,
    /// Whether standard input has been read.
    stdin_taken: bool,
    /// The existing configuration that the guest came from.
    existing: Option<ConfiguredFacts>,
}

/// What a devicetree says about the host of this name. Where the file lies must not show in what is printed.
pub(crate) fn device_tree(blob: &[u8], name: &str) -> (HostFacts, Vec<Diagnostic>) {
    let (facts, found) = fdt::facts(blob, &format!("{name}.dtb"));
    (HostFacts { name: name.to_owned(), ..facts }, found)
}

/// What a picture shall show.
pub(crate) enum Wanted {
    /// A guest, to be planned.
    Guest(Box<GuestSpec>),
    /// A plan made earlier.
    Plan(Box<Plan>),
}

impl Session {
    /// A run that prints like this.
    pub(crate) fn new(format: Printing) -> Self {
        let sources = Sources::new();
        Self {
            format,
            diagnostics: Vec::new(),
            sources,
            captures: Vec::new(),
            said: String::new(),
            stdin_taken: false,
            existing: None,
        }
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

    /// What there is to say so far.
    pub(crate) fn found(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The manifest of the last capture that was read, if it has one.
    pub(crate) fn manifest(&self) -> Option<Manifest> {
        let text = self.captures.last()?.file(MANIFEST)?;
        Some(Manifest::parse(&String::from_utf8_lossy(text)))
    }

    /// Stops when the user wants JSON of something that has none.
    pub(crate) fn no_json(&mut self, what: &str, instead: &str) -> Result<(), Stop> {
        if self.format == Printing::Human {
            return Ok(());
        }
        let message = format!("{what} has no JSON form");
        Err(self.refuse(Diagnostic::new(&codes::NO_JSON, Origin::argument("--json"), message).help(instead)))
    }

    /// The value of a flag, if it was given.
    pub(crate) fn flag<'a, T>(
        &mut self,
        name: &'static str,
        value: Option<&'a String>,
        read: impl FnOnce(Flag<'a>) -> Read<T>,
    ) -> Result<Option<T>, Stop> {
        let mut found = Found::default();
        let value = found.take(flag(name, value), read);
        self.tell(found.0)?;
        Ok(value)
    }

    /// The kernel asked about. All flags are looked at first, so that one run tells everything that is wrong with them.
    pub(crate) fn question(&mut self, args: &KernelArgs, guest: &GuestArgs) -> Result<Question, Stop> {
        let mut found = Found(override_guest(guest, &mut GuestFacts::default()));
        let version = found.take(flag("--kernel", args.kernel.as_ref()), Flag::version);
        let page_size = found.take(flag("--kernel-page", args.kernel_page.as_ref()), Flag::page);
        self.tell(found.0)?;
        Ok(Question { version, page_size })
    }

    /// The host that a word of the command line names.
    pub(crate) fn host(&mut self, word: &str) -> Result<Host, Stop> {
        let Loaded { name, content, .. } = self.load(word)?;
        let (facts, found) = match &content {
            Content::Description(text) if lspci::is_dump(text) => lspci::facts(text, word),
            Content::Description(text) => language::parse_host(word, text),
            Content::Json(text) => json::parse_host_json(word, text),
            Content::Capture(tree) => capture::facts(tree, &name),
            Content::DeviceTree(blob) => device_tree(blob, &name),
        };
        let unusable = self.tell(found);
        match content {
            Content::Description(text) | Content::Json(text) if unusable.is_err() => {
                self.diagnostics.extend(faults_besides(&facts, &text));
            }
            Content::Capture(tree) => self.captures.push(tree),
            Content::Description(_) | Content::Json(_) | Content::DeviceTree(_) => {}
        }
        unusable?;
        let (host, found) = host::resolve::resolve(&facts);
        self.tell(found)?;
        Ok(host)
    }

    /// The host, for a guest that another word names: where the host cannot be used, what is wrong with the guest's text
    /// is told in the same run.
    pub(crate) fn host_for(&mut self, word: &str, guest: Option<&str>) -> Result<Host, Stop> {
        let host = self.host(word);
        if host.is_err()
            && let Some(guest) = guest
        {
            // Whatever comes out: the host's errors have stopped the verb.
            let flags = GuestArgs::default();
            let _ = self.load(guest).and_then(|loaded| self.guest_facts(guest, loaded.content, &flags));
        }
        host
    }

    /// The configuration in the words of a VMM's own command line. What the VMM itself would refuse about them is part
    /// of the answer, and not told here.
    pub(crate) fn command(
        &mut self,
        words: &[String],
        version: Option<Version>,
    ) -> Result<ConfiguredFacts, Stop> {
        let words: Vec<Word> = words.iter().map(|word| Word::argument(word)).collect();
        let files = input::named_files(&configuration::files_named(&words), Path::new("."));
        let (facts, found) = configuration::read_command(&words, version, &files);
        self.tell(found.into_iter().filter(|found| !configuration::is_refusal(found)).collect())?;
        Ok(facts)
    }

    /// The guest that a word and flags name, resolved on the host.
    pub(crate) fn guest(
        &mut self,
        word: Option<&str>,
        flags: &GuestArgs,
        host: &Host,
    ) -> Result<GuestSpec, Stop> {
        let mut facts = GuestFacts::default();
        if let Some(word) = word {
            let content = self.load(word)?.content;
            facts = self.guest_facts(word, content, flags)?;
        }
        self.resolve_guest(facts, flags, host)
    }

    /// The guest or the plan that a word names; flags override the guest.
    pub(crate) fn layout(&mut self, word: &str, flags: &GuestArgs, host: &Host) -> Result<Wanted, Stop> {
        let content = self.load(word)?.content;
        if let Content::Json(text) = &content
            && json::schema_of(text).is_some_and(|schema| schema.starts_with("plan/"))
        {
            return self.plan_in(word, text).map(|plan| Wanted::Plan(Box::new(plan)));
        }
        let facts = self.guest_facts(word, content, flags)?;
        self.resolve_guest(facts, flags, host).map(|guest| Wanted::Guest(Box::new(guest)))
    }

    fn guest_facts(&mut self, word: &str, content: Content, flags: &GuestArgs) -> Result<GuestFacts, Stop> {
        let text = match &content {
            Content::Description(text) | Content::Json(text) => text,
            Content::Capture(_) | Content::DeviceTree(_) => return Err(self.refuse(no_text(word, "a guest"))),
        };
        if let Some(format) = configuration::recognise(text) {
            let vmm = self.flag("--vmm", flags.vmm.as_ref(), Flag::vmm)?;
            return self.configured(format, word, text, vmm.and_then(|(_, version)| version));
        }
        if let Some(foreign) = configuration::foreign(word, text) {
            return Err(self.refuse(foreign));
        }
        let (facts, found) = match &content {
            Content::Json(text) => json::parse_guest_json(word, text),
            _ => language::parse_guest(word, text),
        };
        self.tell(found)?;
        Ok(facts)
    }

    /// The guest in an existing configuration of a VMM, which is kept for the judgement.
    fn configured(
        &mut self,
        format: Format,
        word: &str,
        text: &str,
        version: Option<Version>,
    ) -> Result<GuestFacts, Stop> {
        let folder = Path::new(word).parent().unwrap_or(Path::new("."));
        let files = input::named_files(&configuration::files_in(format, word, text), folder);
        let (facts, found) = configuration::read_text(format, word, text, version, &files);
        for (name, text) in files {
            self.sources.insert(&*name, text);
        }
        self.tell(found)?;
        let mut guest = facts.guest.clone();
        if guest.name.is_empty() {
            guest.name = input::name_of(Path::new(word));
        }
        self.existing = Some(facts);
        Ok(guest)
    }

    /// The existing configuration that the guest came from, if it came from one.
    pub(crate) fn existing(&self) -> Option<&ConfiguredFacts> {
        self.existing.as_ref()
    }

    fn resolve_guest(
        &mut self,
        mut facts: GuestFacts,
        flags: &GuestArgs,
        host: &Host,
    ) -> Result<GuestSpec, Stop> {
        let found = override_guest(flags, &mut facts);
        self.tell(found)?;
        // A machine or CPU that a flag names is judged, too; another VMM is not what the configuration is for.
        let vmm_of = |facts: &GuestFacts| facts.vmm.as_ref().map(|vmm| vmm.kind);
        if let Some(existing) =
            self.existing.as_mut().filter(|existing| vmm_of(&existing.guest) == vmm_of(&facts))
        {
            existing.guest.vmm.clone_from(&facts.vmm);
        }
        let (guest, found) = guest::resolve::resolve(&facts, host);
        self.tell(found)?;
        guest.ok_or(Stop(Status::BadInput))
    }

    /// The plan in a file.
    pub(crate) fn plan(&mut self, word: &str) -> Result<Plan, Stop> {
        let text = self.text(word)?;
        self.plan_in(word, &text)
    }

    fn plan_in(&mut self, word: &str, text: &str) -> Result<Plan, Stop> {
        read_plan(text).map_err(|error| self.refuse(not_a_plan(word, &error)))
    }

    /// The text of a file, or of standard input.
    pub(crate) fn text(&mut self, word: &str) -> Result<String, Stop> {
        match self.load(word)?.content {
            Content::Description(text) | Content::Json(text) => Ok(text),
            Content::Capture(_) | Content::DeviceTree(_) => Err(self.refuse(no_text(word, "a text"))),
        }
    }

    /// Reads what a word names, without keeping a text: its lines are too long to be shown.
    pub(crate) fn load_unquoted(&mut self, word: &str) -> Result<Loaded, Stop> {
        self.take_stdin(word)?;
        let loaded = input::load(word).map_err(|found| {
            self.diagnostics.extend(found);
            Stop(Status::BadInput)
        })?;
        self.diagnostics.extend(loaded.diagnostics.iter().cloned());
        Ok(loaded)
    }

    /// The capture that a word names, and what of it could not be read. Whoever asks reports the latter.
    pub(crate) fn capture(&mut self, word: &str) -> Result<(Tree, Vec<Note>), Stop> {
        self.take_stdin(word)?;
        let loaded = input::load(word).map_err(|found| {
            self.diagnostics.extend(found);
            Stop(Status::BadInput)
        })?;
        let Content::Capture(tree) = loaded.content else {
            let message = format!("`{word}` is no capture");
            return Err(self.refuse(Diagnostic::new(&codes::NOT_A_CAPTURE, Origin::file(word), message)));
        };
        let told = loaded.diagnostics.into_iter().filter(|found| found.code != &capture::codes::UNREADABLE);
        self.diagnostics.extend(told);
        Ok((tree, loaded.unread))
    }

    /// Reads what a word names; a text is kept for the diagnostics that will point into it.
    pub(crate) fn load(&mut self, word: &str) -> Result<Loaded, Stop> {
        self.take_stdin(word)?;
        match input::load(word) {
            Ok(loaded) => {
                if let Content::Description(text) | Content::Json(text) = &loaded.content {
                    self.sources.insert(word, text.clone());
                }
                self.diagnostics.extend(loaded.diagnostics.iter().cloned());
                Ok(loaded)
            }
            Err(found) => {
                self.diagnostics.extend(found);
                Err(Stop(Status::BadInput))
            }
        }
    }

    /// Everything there is to say, with the lines of captures that it points into.
    pub(crate) fn talk(&mut self) -> String {
        for diagnostic in &self.diagnostics {
            let related = diagnostic.related.iter().map(|(origin, _)| origin);
            for origin in related.chain([&diagnostic.origin]) {
                let Origin::Line { file, .. } = origin else { continue };
                let text = self.captures.iter().find_map(|tree| tree.file(file));
                if let Some(text) = text.filter(|_| self.sources.get(file).is_none()) {
                    self.sources.insert(&**file, String::from_utf8_lossy(text));
                }
            }
        }
        render(&self.diagnostics, &self.sources, Color::Always) + &self.said
    }

    /// Says something that is no diagnostic, after them.
    pub(crate) fn say(&mut self, text: &str) {
        self.said.push_str(text);
    }

    /// The verifier contradicts our own plan.
    pub(crate) fn bug(&mut self, violations: &[Violation]) -> Stop {
        for violation in violations {
            self.say(&crash::told(&format!("its plan is wrong: {} [{}]", violation.message, violation.code)));
        }
        Stop(Status::Bug)
    }

    /// How pictures are drawn.
    pub(crate) fn style(&mut self, args: &PictureArgs) -> Result<TextStyle, Stop> {
        let asked = self.flag("--width", args.width.as_ref(), Flag::columns)?;
        let terminal = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let glyphs = if args.ascii { Glyphs::Ascii } else { Glyphs::Box };
        Ok(TextStyle { width: asked.or_else(terminal).unwrap_or(80), glyphs, color: Color::Always })
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
                let there: Vec<String> =
                    report.groups.iter().take(16).map(|group| group.id.to_string()).collect();
                let origin = Origin::argument(format!("{name} {typed}"));
                let diagnostic = Diagnostic::new(&codes::NO_SUCH_GROUP, origin, message);
                return Err(self.refuse(diagnostic.help(format!("there are: {}", there.join(", ")))));
            }
            chosen.push(id);
        }
        Ok(chosen)
    }
}

fn no_text(word: &str, what: &str) -> Diagnostic {
    let message = format!("`{word}` is a capture, expected {what}");
    Diagnostic::new(&codes::CANNOT_READ, Origin::file(word), message)
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
