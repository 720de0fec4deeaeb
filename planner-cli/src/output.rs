//! Everything that is written: standard output and error, and files, all of them or none.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use planner_core::diag::{Diagnostic, Origin};
use planner_core::emit::OutputFile;

use crate::args::When;
use crate::codes;

/// How a verb ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Status {
    /// Done, or the guest fits, or all checks hold.
    Done,
    /// No layout, a violation, a difference.
    Finding,
    /// Bad usage or bad input.
    BadInput,
    /// A bug of the planner.
    Bug,
}

impl Status {
    /// The exit status of the process.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// What a verb has to say on standard output.
#[derive(Debug)]
pub(crate) struct Output {
    /// The text. It may have escape sequences for colours, which are left out where nobody sees colours.
    pub(crate) text: String,
    /// How it ended.
    pub(crate) status: Status,
}

impl Output {
    /// The text of a verb that is done.
    pub(crate) fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: Status::Done }
    }
}

/// Writes data. A reader that has gone away is no error.
pub(crate) fn write_stdout(text: &str, when: When) -> io::Result<()> {
    let stdout = io::stdout().lock();
    let text = if stdout.is_terminal() { harmless(text) } else { text.into() };
    let mut stream = AutoStream::new(stdout, choice(when, AutoStream::choice(&io::stdout())));
    quiet(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()))
}

/// Writes talk. Whether it arrives changes nothing.
pub(crate) fn write_stderr(text: &str, when: When) {
    let stderr = io::stderr().lock();
    let text = if stderr.is_terminal() { harmless(text) } else { text.into() };
    let mut stream = AutoStream::new(stderr, choice(when, AutoStream::choice(&io::stderr())));
    let _ = stream.write_all(text.as_bytes());
}

fn choice(when: When, auto: ColorChoice) -> ColorChoice {
    match when {
        When::Auto => auto,
        When::Always => ColorChoice::AlwaysAnsi,
        When::Never => ColorChoice::Never,
    }
}

/// ripgrep and others agree: a pipe that was closed early (`| head`) is success.
fn quiet(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The text without control characters, but for line breaks, tabs and colours: names come from strangers' machines, and a
/// terminal obeys what it is sent.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\n' && c != '\t') {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        let colour = colour_length(from);
        if colour == 0 {
            out.push('\u{fffd}');
        }
        let skip = if colour == 0 { from.chars().next().map_or(1, char::len_utf8) } else { colour };
        let (taken, after) = from.split_at(skip);
        if colour != 0 {
            out.push_str(taken);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Bytes of the Select Graphic Rendition sequence (ECMA-48, 8.3.117) at the start, or 0.
fn colour_length(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let digits = parameters.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    if parameters.as_bytes().get(digits) == Some(&b'm') { digits + 3 } else { 0 }
}

/// Writes bytes that are no text. On a terminal they would only do harm, so there they are refused.
pub(crate) fn write_stdout_bytes(bytes: &[u8]) -> Result<(), Box<Diagnostic>> {
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        let message = "an archive is not written to a terminal";
        let diagnostic = Diagnostic::new(&codes::CANNOT_WRITE, Origin::argument("-o -"), message);
        return Err(Box::new(diagnostic.help("name a file, or write into a pipe")));
    }
    quiet(stdout.write_all(bytes).and_then(|()| stdout.flush())).map_err(|error| {
        let message = format!("standard output cannot be written: {error}");
        Box::new(Diagnostic::new(&codes::CANNOT_WRITE, Origin::argument("-o -"), message))
    })
}

/// Writes one file.
pub(crate) fn write_file(path: &Path, content: impl AsRef<[u8]>, force: bool) -> Result<(), Box<Diagnostic>> {
    // What is overwritten through a link leaves the link in place.
    let followed = if force { path.canonicalize().ok() } else { None };
    let path = followed.as_deref().unwrap_or(path);
    let place = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !place.is_dir() {
        let why = io::Error::from(io::ErrorKind::NotFound);
        return Err(cannot(path, &why, "its directory is not there"));
    }
    write_named(place, &[(name.as_str(), content.as_ref())], force)
}

/// Writes files into a directory, which is made if it is not there: all of them, or none.
pub(crate) fn write_all(directory: &Path, files: &[OutputFile], force: bool) -> Result<(), Box<Diagnostic>> {
    let files: Vec<Named<'_>> = files.iter().map(|file| (file.file.as_str(), file.text.as_bytes())).collect();
    write_named(directory, &files, force)
}

/// Name and content of a file.
type Named<'a> = (&'a str, &'a [u8]);

fn write_named(directory: &Path, files: &[Named<'_>], force: bool) -> Result<(), Box<Diagnostic>> {
    if let Some(taken) =
        files.iter().map(|(name, _)| directory.join(name)).find(|path| in_the_way(path, force))
    {
        let message = format!("`{}` exists", taken.display());
        let diagnostic =
            Diagnostic::new(&codes::EXISTS, argument(&taken), message).note("nothing was written");
        return Err(Box::new(match taken.is_dir() {
            true => diagnostic.help("it is a directory; choose another place"),
            false => diagnostic.help("--force overwrites it"),
        }));
    }
    let stage = Stage::new(directory).map_err(|error| cannot(directory, &error, "nothing was written"))?;
    for (name, content) in files {
        let path = stage.temporary.join(name);
        fs::write(&path, content).map_err(|error| cannot(&path, &error, "nothing was written"))?;
    }
    stage.publish(files).map_err(|error| cannot(directory, &error, "nothing was written"))
}

fn in_the_way(path: &Path, force: bool) -> bool {
    path.symlink_metadata().is_ok_and(|found| !force || found.is_dir())
}

fn cannot(path: &Path, error: &io::Error, note: &str) -> Box<Diagnostic> {
    let message = format!("`{}` cannot be written: {error}", path.display());
    Box::new(Diagnostic::new(&codes::CANNOT_WRITE, argument(path), message).note(note))
}

fn argument(path: &Path) -> Origin {
    Origin::argument(format!("-o {}", path.display()))
}

/// Files under a temporary name, removed again unless they are published.
struct Stage {
    temporary: PathBuf,
    directory: PathBuf,
    is_new: bool,
}

impl Stage {
    /// The temporary directory lies inside a directory that is there and beside one that is not: on its file system.
    fn new(directory: &Path) -> io::Result<Self> {
        let name = format!(".planner-{}", std::process::id());
        let is_new = directory.symlink_metadata().is_err();
        let temporary = if is_new { sibling(directory, &name) } else { directory.join(name) };
        fs::create_dir(&temporary)?;
        Ok(Self { temporary, directory: directory.into(), is_new })
    }

    fn publish(&self, files: &[Named<'_>]) -> io::Result<()> {
        if self.is_new {
            return fs::rename(&self.temporary, &self.directory);
        }
        let mut placed: Vec<PathBuf> = Vec::new();
        for (name, _) in files {
            let target = self.directory.join(name);
            let before = target.symlink_metadata().ok();
            if let Err(error) = replace(&self.temporary.join(name), &target, before.as_ref()) {
                placed.iter().for_each(|path| drop(fs::remove_file(path)));
                return Err(error);
            }
            if before.is_none() {
                placed.push(target);
            }
        }
        Ok(())
    }
}

/// A file that is overwritten keeps its permissions.
fn replace(new: &Path, target: &Path, before: Option<&fs::Metadata>) -> io::Result<()> {
    if let Some(before) = before.filter(|before| before.is_file()) {
        fs::set_permissions(new, before.permissions())?;
    }
    fs::rename(new, target)
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.temporary); // gone already when it was renamed
    }
}

fn sibling(path: &Path, name: &str) -> PathBuf {
    match path.parent() {
        Some(parent) => parent.join(name),
        None => PathBuf::from(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_colours_and_no_other_commands() {
        assert_eq!(harmless("a\u{1b}[1;31mred\u{1b}[0m\tb\n"), "a\u{1b}[1;31mred\u{1b}[0m\tb\n");
        assert_eq!(harmless("\u{1b}]0;title\u{7}x"), "\u{fffd}]0;title\u{fffd}x");
        assert_eq!(harmless("\u{1b}[2Jx\u{9b}2Jy\u{1b}"), "\u{fffd}[2Jx\u{fffd}2Jy\u{fffd}");
    }

    #[test]
    fn the_status_is_the_contract() {
        let codes = [Status::Done, Status::Finding, Status::BadInput, Status::Bug].map(Status::code);
        assert_eq!(codes, [0, 1, 2, 3]);
    }
}
