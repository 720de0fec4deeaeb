//! What the page asks of the core: two texts in, everything that the page shows out. Pure; no other file calls the
//! planner.

use std::rc::Rc;

use planner_core::answer::{self, Outcome};
use planner_core::diag::{Diagnostic, Origin, Severity, has_errors};
use planner_core::emit::{self, OutputFile};
use planner_core::guest::GuestSpec;
use planner_core::host::Host;
use planner_core::kernel::report::{Question, report};
use planner_core::map::{self, AddressMap};
use planner_core::plan::{Plan, Reason, Verdict as Fit, VmmOption};
use planner_core::read::capture;
use planner_core::read::language;
use planner_core::verify::Violation;
use planner_core::{guest, host};

/// Names of the two texts in messages.
pub(crate) const HOST_FILE: &str = "host.host";
pub(crate) const GUEST_FILE: &str = "guest.guest";

/// One of the two texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Host,
    Guest,
}

/// Something that is wrong with a text, and where to look.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Fault {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
    /// Line, from 1, if it is about a place in the text.
    pub(crate) line: Option<usize>,
    /// What to select: characters as browsers count them (UTF-16).
    pub(crate) range: (u32, u32),
    pub(crate) message: String,
    pub(crate) label: String,
    /// Notes and ways out, each with the word for what it is.
    pub(crate) more: Vec<(&'static str, String)>,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// One of the texts cannot be used.
    Unreadable,
    /// There is no layout.
    Impossible,
    /// There is one, with options.
    FitsWithOptions,
    /// There is one.
    Fits,
}

/// A way out, told only after its plan was verified.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Fix {
    pub(crate) change: String,
    pub(crate) options: Vec<String>,
}

/// The picture as data and as SVG.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Picture {
    pub(crate) map: AddressMap,
    pub(crate) svg: Rc<str>,
}

/// Everything that the page shows of two texts.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Look {
    pub(crate) host: Vec<Fault>,
    pub(crate) guest: Vec<Fault>,
    pub(crate) verdict: Verdict,
    pub(crate) headline: String,
    pub(crate) causes: Vec<Reason>,
    pub(crate) also: Vec<Reason>,
    pub(crate) fixes: Vec<Fix>,
    pub(crate) warnings: Vec<Reason>,
    pub(crate) options: Vec<VmmOption>,
    pub(crate) files: Vec<OutputFile>,
    pub(crate) picture: Option<Picture>,
}

/// Looks at a host and a guest.
pub(crate) fn look(host_text: &str, guest_text: &str) -> Look {
    let (host_facts, mut found) = language::parse_host(HOST_FILE, host_text);
    let (guest_facts, guest_found) = language::parse_guest(GUEST_FILE, guest_text);
    let host_is_read = !has_errors(&found);
    let (host, more) = host::resolve::resolve(&host_facts);
    let usable_host = (host_is_read && !has_errors(&more)).then_some(host);
    if host_is_read {
        found.extend(more);
    }
    let guest_is_read = !has_errors(&guest_found);
    found.extend(guest_found);
    let mut spec = None;
    if let Some(host) = usable_host.as_ref().filter(|_| guest_is_read) {
        let (resolved, more) = guest::resolve::resolve(&guest_facts, host);
        spec = resolved;
        found.extend(more);
    }
    let mut look = match (&usable_host, &spec) {
        (Some(host), Some(guest)) => answered(host, guest),
        (host, _) => unanswered(host.as_ref()),
    };
    look.host = faults(&found, Side::Host, host_text);
    look.guest = faults(&found, Side::Guest, guest_text);
    look
}

/// A host and perhaps no guest: the picture of what there is.
fn unanswered(host: Option<&Host>) -> Look {
    let side = if host.is_some() { "guest" } else { "host" };
    let picture = host.map(|host| {
        let reserved = report(host, &Question::default());
        draw(AddressMap::new(host, &reserved, &[], None))
    });
    Look {
        picture,
        ..Look::empty(Verdict::Unreadable, format!("the description of the {side} cannot be used"))
    }
}

fn answered(host: &Host, guest: &GuestSpec) -> Look {
    let answer = answer::answer(host, guest, &Question::default());
    let picture = Some(draw(answer::picture(host, guest, &answer)));
    match answer.outcome {
        Outcome::Plan(plan) => {
            let bugs = answer.violations.iter().map(planner_bug);
            let warnings = bugs.chain(plan.warnings.iter().cloned()).collect();
            Look { picture, warnings, ..planned(&plan) }
        }
        Outcome::Conflict { conflict, fixes } => {
            let fixes =
                fixes.into_iter().map(|fix| Fix { change: fix.change, options: fix.options }).collect();
            let headline = format!("no place for {}", conflict.subject);
            Look {
                causes: conflict.causes,
                also: conflict.also,
                fixes,
                picture,
                ..Look::empty(Verdict::Impossible, headline)
            }
        }
    }
}

fn planned(plan: &Plan) -> Look {
    let pieces: Vec<String> =
        plan.ram.iter().map(|piece| format!("{} at {}", size(piece.span), piece.span.first())).collect();
    let headline = format!(
        "{} fits on {} with {} {}: {}",
        plan.guest.name,
        plan.host.name,
        plan.vmm.name,
        plan.vmm.version,
        pieces.join(", ")
    );
    let verdict = if plan.verdict == Fit::Fits { Verdict::Fits } else { Verdict::FitsWithOptions };
    let files = emit::targets(plan).into_iter().filter_map(|target| emit::emit(plan, target).ok()).flatten();
    Look { options: emit::options(plan), files: files.collect(), ..Look::empty(verdict, headline) }
}

fn size(span: planner_core::addr::Span<planner_core::addr::Gpa>) -> String {
    planner_core::size::binary_size(span.size_bytes())
}

/// The verifier objects to the plan: never the reader's fault.
fn planner_bug(violation: &Violation) -> Reason {
    let because = format!("the second opinion objects, which is a bug of the planner: {}", violation.message);
    Reason { rule: violation.code.into(), because, origin: String::new() }
}

fn draw(map: AddressMap) -> Picture {
    let svg = map::svg(&map).into();
    Picture { map, svg }
}

impl Look {
    fn empty(verdict: Verdict, headline: String) -> Self {
        Self {
            host: Vec::new(),
            guest: Vec::new(),
            verdict,
            headline,
            causes: Vec::new(),
            also: Vec::new(),
            fixes: Vec::new(),
            warnings: Vec::new(),
            options: Vec::new(),
            files: Vec::new(),
            picture: None,
        }
    }
}

/// What is wrong with one of the texts; what has no place in either belongs to the guest.
fn faults(found: &[Diagnostic], side: Side, text: &str) -> Vec<Fault> {
    let about = |diagnostic: &&Diagnostic| match (&diagnostic.origin, side) {
        (Origin::Text { file, .. }, Side::Host) => &**file == HOST_FILE,
        (Origin::Text { file, .. }, Side::Guest) => &**file != HOST_FILE,
        (_, side) => side == Side::Guest,
    };
    found.iter().filter(about).map(|diagnostic| fault(diagnostic, text)).collect()
}

fn fault(diagnostic: &Diagnostic, text: &str) -> Fault {
    let (line, range) = match diagnostic.origin {
        Origin::Text { line, start, end, .. } => (Some(line), (utf16(text, start), utf16(text, end))),
        _ => (None, (0, 0)),
    };
    let related = diagnostic.related.iter().map(|(origin, label)| ("see", format!("{label} ({origin})")));
    let notes = diagnostic.notes.iter().map(|note| ("note", note.clone()));
    let help = diagnostic.help.iter().map(|help| ("help", help.clone()));
    Fault {
        severity: diagnostic.code.severity,
        code: diagnostic.code.id,
        title: diagnostic.code.title,
        line,
        range,
        message: diagnostic.message.clone(),
        label: diagnostic.label.clone(),
        more: related.chain(notes).chain(help).collect(),
    }
}

/// The place of a byte, as browsers count.
fn utf16(text: &str, byte: usize) -> u32 {
    let before = text.get(..text.floor_char_boundary(byte)).unwrap_or(text);
    u32::try_from(before.encode_utf16().count()).unwrap_or(u32::MAX)
}

/// The description of the host in a file that a reader opened: a capture's archive, or a text as it is.
///
/// # Errors
/// Why the file is neither, in one sentence.
pub(crate) fn describe(name: &str, bytes: &[u8]) -> Result<String, String> {
    if !capture::is_archive(bytes) {
        return String::from_utf8(bytes.to_vec())
            .map_err(|_| format!("{name} is neither text nor a capture"));
    }
    let (tree, found) = capture::from_archive(bytes, name);
    if let Some(error) = found.iter().find(|diagnostic| diagnostic.is_error()) {
        return Err(format!("{name}: {}", error.message));
    }
    let stem = name.split('.').next().unwrap_or(name);
    let (facts, _) = capture::facts(&tree, stem);
    Ok(language::print_host(&facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::EXAMPLES;

    #[test]
    fn every_example_is_answered() {
        for example in EXAMPLES {
            let look = look(example.host, example.guest);
            assert_ne!(look.verdict, Verdict::Unreadable, "{}", example.title);
            let errors =
                look.host.iter().chain(&look.guest).filter(|fault| fault.severity == Severity::Error);
            assert_eq!(errors.count(), 0, "{}", example.title);
            let picture = look.picture.expect("a host that can be read has a picture");
            assert_eq!(picture.map.has_conflict(), look.verdict == Verdict::Impossible, "{}", example.title);
        }
    }

    #[test]
    fn a_cause_names_a_line() {
        let example = &EXAMPLES[1];
        let look = look(example.host, example.guest);
        assert_eq!(look.verdict, Verdict::Impossible);
        let origins: Vec<&str> = look.causes.iter().map(|cause| cause.origin.as_str()).collect();
        assert!(origins.iter().any(|origin| origin.starts_with("host.host:")), "{origins:?}");
    }

    #[test]
    fn a_fault_is_where_browsers_count_it() {
        let host = "# é😀\nhost h { kernal linux 6.12 }";
        let look = look(host, EXAMPLES[0].guest);
        let fault =
            look.host.iter().find(|fault| fault.line.is_some()).expect("a misspelled word has a place");
        assert_eq!(fault.line, Some(2));
        let before: u32 = "# é😀\nhost h { ".encode_utf16().count().try_into().unwrap();
        assert_eq!(fault.range, (before, before + 6));
    }

    #[test]
    fn any_text_is_answered() {
        for text in ["", "}", "host", "\u{0}", "host h { }", "guest g { }"] {
            assert_eq!(look(text, text).verdict, Verdict::Unreadable, "{text}");
        }
    }

    #[test]
    fn what_is_neither_text_nor_capture_is_refused() {
        assert_eq!(describe("a.host", b"host h { }").as_deref(), Ok("host h { }"));
        assert!(describe("a.bin", &[0xff, 0xfe]).is_err());
        assert!(describe("a.tar.gz", &[0x1f, 0x8b, 0, 0]).is_err());
    }
}
