//! QEMU's `-readconfig` file: groups of `key = "value"`.
//!
//! It knows no escapes: a value with a quote in it, or a line of more than 1023 bytes, cannot be said
//! (util/qemu-config.c, qemu_config_foreach). Such options stay on the command line, and so do those that are no group:
//! `-cpu`, `-display`, `-serial`, `-nodefaults`. Tried with QEMU 5.2.0 and 7.2.22; `-object`, `-machine` and `-smp` became
//! groups again in QEMU 6.1 (system/vl.c, qemu_record_config_group), after they had been lost in 6.0.

use super::QemuOption;
use crate::version::Version;

/// The one release that does not read these groups.
const LOST_IN: Version = Version::new(6, 0);
const LOST: [&str; 3] = ["-object", "-machine", "-smp"];
/// Elements of a list are numbered; before, a list of one is a plain value (util/qemu-config.c,
/// config_parse_qdict_section).
const NUMBERED_SINCE: Version = Version::new(6, 0);

/// qemu_config_foreach reads lines into 1024 bytes, newline and terminator included.
const LONGEST_LINE: usize = 1022;
/// It reads names into 64 bytes.
const LONGEST_NAME: usize = 63;

/// Groups by option, with the key of what stands first.
const GROUPS: [(&str, &str, &str); 9] = [
    ("-name", "name", "guest"),
    ("-machine", "machine", "type"),
    ("-accel", "accel", "accel"),
    ("-smp", "smp-opts", "cpus"),
    ("-m", "memory", "size"),
    ("-object", "object", "qom-type"),
    ("-numa", "numa", "type"),
    ("-drive", "drive", "if"),
    ("-device", "device", "driver"),
];

/// Moves what such a file can hold into one; the rest stays on the command line.
pub(super) fn split(options: Vec<QemuOption>, version: Version) -> (String, Vec<QemuOption>) {
    let mut text = String::from("# For QEMU's -readconfig; the command that uses it is in qemu.cfg.args.\n");
    let mut rest = Vec::new();
    for option in options {
        match group(&option, version) {
            Some(group) => text += &group,
            None => rest.push(option),
        }
    }
    (text, rest)
}

/// The option as a group of the file, if the file can hold it.
fn group(option: &QemuOption, version: Version) -> Option<String> {
    if Version::new(version.major, version.minor) == LOST_IN && LOST.contains(&option.flag) {
        return None;
    }
    if option.flag == "-global" {
        return global(option.head.as_deref()?);
    }
    let (_, name, first_key) = GROUPS.iter().find(|(flag, ..)| *flag == option.flag)?;
    let head = option.head.iter().map(|head| (*first_key, head.as_str()));
    let mut id = None;
    let mut lines = String::new();
    for (key, value) in
        head.chain(option.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    {
        match key {
            "id" => id = Some(value),
            // A list, whose first element a file must number (qobject_input_visitor_new_keyval).
            "host-nodes" if version >= NUMBERED_SINCE => lines += &line("host-nodes.0", value)?,
            _ => lines += &line(key, value)?,
        }
    }
    match id {
        Some(id) if id.len() > LONGEST_NAME || !can_hold(id) => None,
        Some(id) => Some(format!("\n[{name} \"{id}\"]\n{lines}")),
        None => Some(format!("\n[{name}]\n{lines}")),
    }
}

/// `-global driver.property=value`.
fn global(head: &str) -> Option<String> {
    let (driver, rest) = head.split_once('.')?;
    let (property, value) = rest.split_once('=')?;
    let lines = [line("driver", driver)?, line("property", property)?, line("value", value)?];
    Some(format!("\n[global]\n{}", lines.concat()))
}

fn line(key: &str, value: &str) -> Option<String> {
    let name = (1..=LONGEST_NAME).contains(&key.len()) && !key.contains(char::is_whitespace) && can_hold(key);
    let line = format!("  {key} = \"{value}\"\n");
    (name && can_hold(value) && line.len() <= LONGEST_LINE).then_some(line)
}

fn can_hold(text: &str) -> bool {
    !text.contains(|c: char| c == '"' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> QemuOption {
        QemuOption::new("-name").with("guest", name)
    }

    #[test]
    fn what_the_file_cannot_hold_stays_on_the_command_line() {
        let long = "x".repeat(1024);
        for name in ["a\"b", "a\nb", &long] {
            let (text, rest) = split(vec![named(name)], Version::new(11, 1));
            assert!(!text.contains("[name]"));
            assert_eq!(rest, [named(name)]);
        }
        let (_, rest) = split(vec![QemuOption::new("-cpu").head("host")], Version::new(11, 1));
        assert_eq!(rest.len(), 1);
    }

    #[test]
    fn the_longest_line_fits_the_buffer_of_qemu() {
        // fgets into 1024 bytes needs one for the terminator and one for the newline.
        let lines: Vec<usize> =
            (990..1024).filter_map(|n| line("guest", &"x".repeat(n))).map(|l| l.len()).collect();
        assert_eq!(lines.iter().max(), Some(&1022));
    }

    #[test]
    fn memory_backends_are_written_as_the_version_reads_them() {
        let backend = || QemuOption::new("-object").head("memory-backend-ram").with("host-nodes", "0");
        let written = |minor, major| split(vec![backend()], Version::new(major, minor)).0;
        assert!(written(2, 5).contains("host-nodes = \"0\""));
        assert!(!written(0, 6).contains("[object"));
        assert!(written(1, 6).contains("host-nodes.0 = \"0\""));
    }

    #[test]
    fn a_global_is_three_lines() {
        assert_eq!(
            global("q35-pcihost.pci-hole64-size=1T").unwrap(),
            "\n[global]\n  driver = \"q35-pcihost\"\n  property = \"pci-hole64-size\"\n  value = \"1T\"\n"
        );
    }
}
