//! Texts as people keep them: what a mail, a web page, a terminal, a unit file or another shell put around a configuration
//! is blanked byte for byte, so that every place stays true. And the configurations of programs around VMMs, which are
//! not read: each with the way to one that is.
//!
//! Left out: anything that would change what a command says.

use std::borrow::Cow;

use super::codes;
use crate::diag::{Diagnostic, TextFile};

/// Most lines at the start of a text that tell what it is.
const TELLING_LINES: usize = 400;

/// The text with nothing around the configuration.
pub(super) fn prepared(text: &str) -> Cow<'_, str> {
    let mut bytes = text.as_bytes().to_vec();
    if text.starts_with('\u{feff}') {
        blank(&mut bytes, 0..3);
    }
    let lines = lines(text);
    let quoted = lines.iter().all(|(_, line)| line.trim().is_empty() || line.starts_with('>'));
    let fenced = lines.iter().any(|(_, line)| is_fence(line));
    let ends_with = |mark: &str| lines.iter().any(|(_, line)| line.trim_end().ends_with(mark));
    let (batch, powershell) = (ends_with("^"), ends_with(" `"));
    let of_windows = (batch || powershell) && !ends_with("\\");
    let mut outside = true;
    let mut goes_on = false;
    for &(start, line) in &lines {
        if fenced && (is_fence(line) || outside) {
            outside ^= is_fence(line);
            blank(&mut bytes, start..start.saturating_add(line.len()));
            continue;
        }
        if quoted {
            let mark = line.find(|c| c != '>' && c != ' ').unwrap_or(line.len());
            blank(&mut bytes, start..start.saturating_add(mark));
        } else if !goes_on {
            blank(&mut bytes, start..start.saturating_add(before_command(line)));
        }
        goes_on = line.trim_end().ends_with('\\');
        if of_windows {
            goes_on = other_shell(&mut bytes, start, line, batch);
        }
    }
    match String::from_utf8(bytes) {
        Ok(changed) if changed != text => Cow::Owned(changed),
        _ => Cow::Borrowed(text),
    }
}

/// The start of an XML text, before which a terminal may have said something. Nothing where there is no domain.
pub(super) fn domain_start(text: &str) -> Option<usize> {
    let lines = lines(text);
    let first = lines.iter().find(|(_, line)| !line.trim().is_empty())?;
    if first.1.trim_start().starts_with('<') {
        return Some(0);
    }
    let is_prompt = first.1.contains("virsh") && first.1.contains("dumpxml");
    let domain = lines.iter().find(|(_, line)| line.starts_with("<domain") || line.starts_with("<?xml"));
    domain.filter(|_| is_prompt).map(|(start, _)| *start)
}

/// The text with everything before a place blanked, but for the ends of lines.
pub(super) fn from(text: &str, start: usize) -> Cow<'_, str> {
    if start == 0 {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.as_bytes().to_vec();
    blank(&mut bytes, 0..start);
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Lines with the places where they start.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let mut start: usize = 0;
    let line = |line| {
        let at = start;
        start = start.saturating_add(str::len(line));
        (at, line)
    };
    text.split_inclusive('\n').map(line).collect()
}

fn blank(bytes: &mut [u8], range: std::ops::Range<usize>) {
    for byte in bytes.get_mut(range).into_iter().flatten().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

/// A line of Markdown around code.
fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

/// Length of what stands before a command: a prompt (`$ `), the mark of a shell that shows what it runs (`+ `), the key
/// of a systemd unit with its signs (systemd.service(5), `ExecStart=`).
fn before_command(line: &str) -> usize {
    let text = line.trim_start();
    let indent = line.len().saturating_sub(text.len());
    let prompt = ["$ ", "% ", "+ ", "++ "].iter().find(|prompt| text.starts_with(**prompt));
    let prompt = prompt.map_or(0, |prompt| prompt.len());
    let unit = text.strip_prefix("ExecStart=").map_or(0, |rest| {
        let signs = rest.len().saturating_sub(rest.trim_start_matches(['-', '@', ':', '+', '!']).len());
        "ExecStart=".len().saturating_add(signs)
    });
    match prompt.max(unit) {
        0 => 0,
        length => indent.saturating_add(length),
    }
}

/// Signs of the shells of Windows: `^` or a backquote at the end of a line that goes on, `\` in paths. True where the
/// line goes on.
fn other_shell(bytes: &mut [u8], start: usize, line: &str, batch: bool) -> bool {
    let end = line.trim_end();
    let last = start.saturating_add(end.len()).saturating_sub(1);
    let goes_on = (batch && end.ends_with('^')) || end.ends_with(" `");
    if batch {
        let of_line = bytes.get_mut(start..=last).into_iter().flatten();
        of_line.filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    }
    if let Some(byte) = bytes.get_mut(last).filter(|_| goes_on) {
        *byte = b'\\';
    }
    goes_on
}

/// A form of configuration that is not read, and how to get one that is.
struct Foreign {
    /// What it is.
    what: &'static str,
    /// Starts of lines, all of which are there.
    marks: &'static [&'static str],
    /// The way out.
    help: &'static str,
}

const FOREIGN: &[Foreign] = &[
    Foreign {
        what: "a virtual machine of KubeVirt",
        marks: &["apiVersion: kubevirt.io", "kind: VirtualMachine"],
        help: "`kubectl exec POD -c compute -- virsh dumpxml 1 > guest.xml` writes what KubeVirt makes of it, where POD is its \
               virt-launcher",
    },
    Foreign {
        what: "the configuration of a guest of Proxmox",
        marks: &["memory: ", "scsihw: "],
        help: "`qm showcmd VMID --pretty > guest.sh` writes the command that Proxmox makes of it",
    },
    Foreign {
        what: "the configuration of a guest of Proxmox",
        marks: &["memory: ", "ostype: "],
        help: "`qm showcmd VMID --pretty > guest.sh` writes the command that Proxmox makes of it",
    },
    Foreign {
        what: "a file of Docker Compose",
        marks: &["services:"],
        help: "`tr '\\0' ' ' < /proc/PID/cmdline > guest.sh` writes the command line of the VMM that runs in the container",
    },
    Foreign {
        what: "a configuration of quickemu",
        marks: &["guest_os="],
        help: "quickemu writes the command that it runs to a file `.sh` beside the disks of the guest: name that file",
    },
    Foreign {
        what: "a command of virt-install",
        marks: &["virt-install "],
        help: "`virt-install … --print-xml > guest.xml` writes the domain without making it",
    },
    Foreign {
        what: "a file of Vagrant",
        marks: &["Vagrant.configure"],
        help: "`virsh dumpxml NAME > guest.xml` writes the domain that Vagrant made",
    },
];

/// What a text is that is no configuration of a VMM but of a program that starts one.
pub(super) fn foreign(name: &str, text: &str) -> Option<Diagnostic> {
    let lines = lines(text);
    let telling = || lines.iter().take(TELLING_LINES);
    let at = |mark: &str| telling().find(|(_, line)| line.trim_start().starts_with(mark));
    let form = FOREIGN.iter().find(|form| form.marks.iter().all(|mark| at(mark).is_some()))?;
    let (start, line) = form.marks.first().and_then(|mark| at(mark))?;
    let origin = TextFile::new(name, text).origin(*start..start.saturating_add(line.trim_end().len()));
    let message = format!("this is {}, which is not read", form.what);
    Some(Diagnostic::new(&codes::FOREIGN, origin, message).help(form.help))
}
