//! `planner capture`: this machine, or a capture, into an archive that `planner` reads elsewhere; the list of what is
//! read; the script that does it without `planner`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use planner_core::read::capture::Tree;
use planner_core::read::capture::allow::{Access, Place, ROWS, Row, Take};
use planner_core::record::archive::archive;
use planner_core::record::manifest::{Lack, Manifest, Note};
use planner_core::record::script::script;
use planner_core::record::{Redaction, record};
use planner_core::size::{Size, binary_size};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{CaptureArgs, Format};
use crate::json;
use crate::output::{self, Output};
use crate::paint::{Ink, paint, paragraph, table};
use crate::session::{Session, Stop};

/// Where the capture goes when nobody says. The name of the host is one of the things that a capture does not tell.
const DEFAULT_OUTPUT: &str = "capture.tar.gz";
/// Columns of running text.
const WIDTH: usize = 100;

/// The capture, the list or the script.
pub(crate) fn run(args: &CaptureArgs, session: &mut Session) -> Result<Output, Stop> {
    if args.list {
        return Ok(Output::done(list(session.format)));
    }
    if args.script {
        session.no_json("a script", "`planner capture --list --json` has what it reads")?;
        return Ok(Output::done(script()));
    }
    let path = args.output.as_deref().unwrap_or(Path::new(DEFAULT_OUTPUT));
    if path == Path::new("-") {
        session.no_json("an archive", "write it to a file with -o FILE")?;
    }
    let (tree, unread) = session.capture(args.from.as_deref().unwrap_or("live"))?;
    let redaction = if args.no_redact { Redaction::Off } else { Redaction::On };
    let (tree, manifest) = record(tree, unread, redaction);
    write(path, &tree, &manifest, args.force, session)
}

fn write(
    path: &Path,
    tree: &Tree,
    manifest: &Manifest,
    force: bool,
    session: &mut Session,
) -> Result<Output, Stop> {
    let bytes = archive(tree);
    let written = match path.to_str() {
        Some("-") => output::write_stdout_bytes(&bytes),
        _ => output::write_file(path, &bytes, force),
    };
    written.map_err(|found| session.refuse(*found))?;
    let document = CaptureDocument::new(path, bytes.len(), manifest);
    Ok(Output::done(match session.format {
        Format::Json => json::pretty(&document),
        Format::Human => {
            session.say(&told(&document));
            String::new()
        }
    }))
}

/// What was captured.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CaptureDocument {
    /// Always `capture/1`.
    schema: &'static str,
    /// The archive.
    file: String,
    /// Its size.
    size: Size,
    /// Whether serial numbers, MAC addresses, UUIDs and host names were taken out.
    redacted: bool,
    /// How many files, links and directories it holds.
    entries: usize,
    /// What could not be read, was read in part, was left out or redacted.
    lacks: Vec<Note>,
}

impl CaptureDocument {
    fn new(path: &Path, bytes: usize, manifest: &Manifest) -> Self {
        Self {
            schema: "capture/1",
            file: path.display().to_string(),
            size: Size::from_bytes(bytes as u64),
            redacted: manifest.redaction == Redaction::On,
            entries: manifest.read.len(),
            lacks: manifest.notes.clone(),
        }
    }
}

/// The report for people: files with the same fate together.
fn told(document: &CaptureDocument) -> String {
    let CaptureDocument { file, size, entries, lacks, .. } = document;
    let size = binary_size(u128::from(size.bytes()));
    let file = if file == "-" { "the capture" } else { file };
    let mut out = format!("wrote {file}: {entries} files, links and directories, {size}\n");
    let mut alike: BTreeMap<(Lack, &str), Vec<&str>> = BTreeMap::new();
    for note in lacks {
        alike.entry((note.lack, &note.why)).or_default().push(&note.path);
    }
    for ((lack, why), paths) in alike {
        let ink = if lack == Lack::Redacted { Ink::Faint } else { Ink::Care };
        let lead = format!("  {}: ", paint(ink, lack.word()));
        out.push_str(&paragraph(&lead, &format!("{}: {why}", some(&paths)), WIDTH));
    }
    if lacks.iter().any(|note| matches!(note.lack, Lack::Unread | Lack::Partly)) {
        let _ = writeln!(out, "{} as root, planner reads all of it", paint(Ink::Bold, "help:"));
    }
    out
}

/// `a`, `a and b`, `a and 7 more`
fn some(paths: &[&str]) -> String {
    match paths {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [one, others @ ..] => format!("{one} and {} more", others.len()),
    }
}

/// What is read.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CaptureListDocument {
    /// Always `capture-list/1`.
    schema: &'static str,
    /// The rows of the list.
    rows: Vec<RowDocument>,
}

#[derive(Serialize, JsonSchema)]
struct RowDocument {
    /// Where it is; `*` stands for any one name, `#` for nothing or a number.
    path: String,
    /// `file`, `link` or `presence`.
    take: &'static str,
    /// Of a file, how much at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<Size>,
    /// Who can read it: `anyone`, `root`, `partly` for all to root and a part to others, `capture` for what is in
    /// captures only.
    access: &'static str,
    /// What is read out of it.
    why: &'static str,
}

impl From<&Row> for RowDocument {
    fn from(row: &Row) -> Self {
        let (take, most) = match row.take {
            Take::File(most) | Take::Head(most) => ("file", Some(Size::from_bytes(most as u64))),
            Take::Link => ("link", None),
            Take::Presence => ("presence", None),
        };
        Self { path: whole_path(row), take, most, access: access(row.access), why: row.why }
    }
}

fn access(access: Access) -> &'static str {
    match access {
        Access::Anyone => "anyone",
        Access::Root => "root",
        Access::Partly => "partly",
        Access::Capture => "capture",
    }
}

fn whole_path(row: &Row) -> String {
    let before = match row.place {
        Place::Root => "",
        Place::Function => "sys/bus/pci/devices/*/",
        Place::Iommu => "sys/class/iommu/*/",
        Place::HostBridge => "sys/devices/platform/*/",
    };
    format!("{before}{}", row.pattern)
}

fn list(format: Format) -> String {
    let rows: Vec<RowDocument> = ROWS.iter().map(RowDocument::from).collect();
    if format == Format::Json {
        return json::pretty(&CaptureListDocument { schema: "capture-list/1", rows });
    }
    let who = |row: &RowDocument| match row.access {
        "root" => paint(Ink::Care, "root"),
        "partly" => paint(Ink::Care, "a part"),
        "capture" => paint(Ink::Faint, "captures"),
        _ => String::new(),
    };
    table(&rows.iter().map(|row| [row.path.clone(), who(row), row.why.to_owned()]).collect::<Vec<_>>())
}
