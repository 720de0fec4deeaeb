//! Files of `-readconfig`: groups of options, `[device "dimm0"]`, each line `name = "value"` (util/qemu-config.c,
//! `qemu_config_foreach`).

use super::super::codes;
use super::super::keyval::{Keyval, Pair};
use super::super::sink::Sink;
use super::super::words::Word;
use super::{Files, Line};
use crate::diag::{Diagnostic, Origin, TextFile};
use crate::facts::configured::Stage;

/// Takes the options of a file, in the place of the option that names it.
pub(super) fn read(line: &mut Line, name: &Word, files: &Files, sink: &mut Sink) {
    let Some(text) = files.get(&name.text) else {
        let message = format!("`{}` is not at hand", name.text);
        let help = "give the options themselves, or run planner where the file is";
        sink.tell(Diagnostic::new(&codes::NO_FILE, name.origin.clone(), message).help(help));
        return;
    };
    let file = TextFile::new(&name.text, text);
    let mut group: Option<(String, Keyval)> = None;
    let mut at: usize = 0;
    for (index, row) in text.split('\n').enumerate() {
        let origin = file.origin(at..at.saturating_add(row.len()));
        at = at.saturating_add(row.len()).saturating_add(1);
        let number = index.saturating_add(1);
        let row = row.trim();
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        if let Some(header) = row.strip_prefix('[') {
            close(line, group.take(), sink);
            group = Some(open(header, &format!("{}:{number}", name.text), origin));
            continue;
        }
        let pair = pair(row, &origin);
        match (&mut group, pair) {
            (Some((_, options)), Some(pair)) => options.pairs.push(pair),
            (None, Some(_)) => {
                sink.refuse(Stage::Words, origin, format!("{}:{number}: no group defined", name.text));
            }
            (_, None) => sink.refuse(Stage::Words, origin, format!("{}:{number}: parse error", name.text)),
        }
    }
    close(line, group, sink);
}

/// `device "dimm0"]`
fn open(header: &str, place: &str, origin: Origin) -> (String, Keyval) {
    let header = header.trim_end().trim_end_matches(']');
    let (group, id) =
        header.split_once('"').map_or((header, None), |(group, id)| (group, id.split('"').next()));
    let pairs = id
        .map(|id| Pair { name: "id".into(), value: id.into(), has_value: true, origin: origin.clone() })
        .into_iter()
        .collect();
    (group.trim().to_owned(), Keyval { option: place.to_owned(), pairs, origin })
}

fn pair(row: &str, origin: &Origin) -> Option<Pair> {
    let (name, value) = row.split_once('=')?;
    let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    Some(Pair { name: name.trim().into(), value: value.into(), has_value: true, origin: origin.clone() })
}

fn close(line: &mut Line, group: Option<(String, Keyval)>, sink: &mut Sink) {
    let Some((name, options)) = group else { return };
    if is_layout(&name) {
        line.group(&name, options, sink);
    } else if !is_harmless(&name) {
        sink.odd(options.origin, format!("[{name}]"));
    }
}

fn is_layout(group: &str) -> bool {
    matches!(
        group,
        "machine"
            | "memory"
            | "smp-opts"
            | "accel"
            | "object"
            | "device"
            | "global"
            | "numa"
            | "drive"
            | "name"
    )
}

fn is_harmless(group: &str) -> bool {
    const GROUPS: &[&str] = &[
        "acpi",
        "action",
        "add-fd",
        "audiodev",
        "blockdev",
        "boot-opts",
        "chardev",
        "fsdev",
        "fw_cfg",
        "icount",
        "iscsi",
        "mon",
        "msg",
        "net",
        "netdev",
        "nic",
        "overcommit",
        "option-rom",
        "rtc",
        "sandbox",
        "semihosting-config",
        "smbios",
        "spice",
        "tpmdev",
        "trace",
        "vnc",
    ];
    GROUPS.contains(&group)
}

/// Whether a text is such a file: its first line that says anything opens a group that QEMU knows.
pub(super) fn is_file(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let group = first.and_then(|line| line.strip_prefix('[')?.strip_suffix(']'));
    let name = group.map(|group| group.split('"').next().unwrap_or(group).trim());
    name.is_some_and(|name| is_layout(name) || is_harmless(name))
}
