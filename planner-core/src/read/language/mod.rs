//! The description language for hosts and guests: text to facts, facts to text.
//!
//! ```
//! use planner_core::read::language;
//! let (host, diagnostics) = language::parse_host("board.host", "host board { ram 0x8000_0000 + 2G }");
//! assert!(diagnostics.is_empty());
//! assert_eq!(language::print_host(&host), "host \"board\" {\n    ram 0x8000_0000 + 2G\n}\n");
//! ```
//!
//! The grammar is the table in `grammar`. A text becomes tokens, the tokens a tree, the tree facts; every fault on the
//! way is reported and the reading goes on. Names that refer to other facts are not looked up here.

mod codes;
mod complain;
mod decode;
mod format;
mod grammar;
mod layout;
mod number;
mod print;
mod reference;
mod sink;
mod suggest;
mod token;
mod tree;
mod value;

pub use codes::CODES;
pub use format::format;
pub use print::{print_guest, print_host};
pub use reference::reference;
pub(crate) use suggest::shown;

use self::decode::Place;
use self::sink::Sink;
use crate::diag::{Diagnostic, TextFile};
use crate::facts::{GuestFacts, HostFacts};
use crate::read::check;

/// What a text describes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Document {
    /// Its hosts, in order.
    pub hosts: Vec<HostFacts>,
    /// Its guests, in order.
    pub guests: Vec<GuestFacts>,
}

/// Reads a text that holds `host` blocks, `guest` blocks, or both. `file` is its name in messages.
#[must_use]
pub fn parse(file: &str, text: &str) -> (Document, Vec<Diagnostic>) {
    let (document, mut sink) = read(file, text);
    if document.hosts.is_empty() && document.guests.is_empty() && !sink.has_errors() {
        let fault = sink.at(&codes::NOTHING, 0..0, "the text describes no host and no guest");
        sink.push(fault.help("write `host NAME { … }` or `guest NAME { … }`"));
    }
    (document, sink.finish())
}

/// Reads a text that describes one host; guests in it are read and left out.
#[must_use]
pub fn parse_host(file: &str, text: &str) -> (HostFacts, Vec<Diagnostic>) {
    let (document, mut sink) = read(file, text);
    let guests = document.guests.len();
    let seconds: Vec<_> = document.hosts.iter().skip(1).map(|host| host.origin.clone()).collect();
    let host = the_only(document.hosts, "host", guests, seconds, &mut sink);
    (host, sink.finish())
}

/// Reads a text that describes one guest; hosts in it are read and left out.
#[must_use]
pub fn parse_guest(file: &str, text: &str) -> (GuestFacts, Vec<Diagnostic>) {
    let (document, mut sink) = read(file, text);
    let hosts = document.hosts.len();
    let seconds: Vec<_> = document.guests.iter().skip(1).map(|guest| guest.origin.clone()).collect();
    let guest = the_only(document.guests, "guest", hosts, seconds, &mut sink);
    (guest, sink.finish())
}

/// Text to facts, without asking what there should be.
fn read(file: &str, text: &str) -> (Document, Sink) {
    let file = TextFile::new(file, text);
    let mut sink = Sink::new(file.clone());
    let tokens = token::tokens(text, &mut sink);
    let nodes = tree::tree(text, &tokens, &mut sink);
    let place = Place { file };
    let of = |keyword: &'static str| nodes.iter().filter(move |node| node.clause.keyword == keyword);
    let mut document = Document {
        hosts: of("host").map(|node| decode::host(node, &place)).collect(),
        guests: of("guest").map(|node| decode::guest(node, &place)).collect(),
    };
    check(&mut document, &mut sink);
    (document, sink)
}

/// What is wrong with the facts.
fn check(document: &mut Document, sink: &mut Sink) {
    let found = document.hosts.iter_mut().flat_map(check::check_host);
    found.chain(document.guests.iter().flat_map(check::check_guest)).for_each(|fault| sink.push(fault));
}

/// The first of what was described; complains when there is none, or more.
fn the_only<T: Default>(
    described: Vec<T>,
    kind: &str,
    others: usize,
    seconds: Vec<crate::diag::Origin>,
    sink: &mut Sink,
) -> T {
    if described.is_empty() && !sink.has_errors() {
        let why = match others {
            0 => format!("the text describes no {kind}"),
            _ if kind == "host" => "the text describes a guest, where a host was asked for".to_owned(),
            _ => "the text describes a host, where a guest was asked for".to_owned(),
        };
        let fault = sink.at(&codes::NOTHING, 0..0, why);
        sink.push(fault.help(format!("write `{kind} NAME {{ … }}`")));
    }
    for origin in seconds {
        let fault =
            Diagnostic::new(&codes::SECOND, origin, format!("a second {kind}, where one was expected"));
        sink.push(fault.help("put it into a file of its own"));
    }
    described.into_iter().next().unwrap_or_default()
}
