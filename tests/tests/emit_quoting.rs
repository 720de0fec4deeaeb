//! Whatever stands in a plan, the shell, QEMU and Xen's `xl` read back what was meant.

#[path = "emit_quoting/xl.rs"]
mod xl;

use std::process::Command;

use planner_core::emit::shell::quote;
use planner_core::emit::{OutputFile, Target, Unsupported, emit};
use planner_core::facts::Arch;
use planner_core::plan::Plan;
use planner_core::size::Size;
use planner_core::version::Version;
use planner_core::vmm::Knob;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::json;

/// Text with what shells, QEMU, INI files and XML care about in every other place.
fn hostile() -> impl Strategy<Value = String> {
    let special = prop::sample::select(
        " \t\n\r'\"\\$`!*?[]{}()<>|&;#~=,%@:+-./^\u{1}\u{7f}\u{85}\u{202e}\u{2028}\u{fffe}\u{feff}é𝄞"
            .chars()
            .collect::<Vec<_>>(),
    );
    let any = any::<char>().prop_filter("no argument holds a NUL", |&c| c != '\0');
    prop::collection::vec(prop_oneof![special, any], 0..40).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn a_quoted_word_splits_into_itself(word in hostile()) {
        prop_assert_eq!(shlex::split(&quote(&word)), Some(vec![word]));
    }

    #[test]
    fn a_quoted_word_is_safe_in_the_middle_of_a_command(words in prop::collection::vec(hostile(), 0..5)) {
        let line: Vec<String> = words.iter().map(|word| quote(word)).collect();
        prop_assert_eq!(shlex::split(&line.join(" ")), Some(words));
    }
}

/// A process for each case would be slow, so one shell prints many words.
#[test]
fn the_shell_itself_reads_back_what_was_quoted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..8 {
        let words = prop::collection::vec(hostile(), 200..201).new_tree(&mut runner).unwrap().current();
        let line: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let script = format!("printf '%s\\0' {}", line.join(" "));
        let output = Command::new("sh").arg("-c").arg(&script).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let read: Vec<&str> = printed.split_terminator('\0').collect();
        assert_eq!(read, words);
    }
}

#[test]
fn what_no_shell_expands_stays_bare() {
    for word in ["-m", "3G,slots=1,maxmem=32G", "host=0000:03:00.0", "16384M@524288M", "pcie.0"] {
        assert_eq!(quote(word), word);
    }
    for (word, quoted) in [("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("~", "'~'"), ("#x", "'#x'")]
    {
        assert_eq!(quote(word), quoted);
    }
}

fn plan(name: &str, machine: &str, vmm: &str, base: u64) -> Plan {
    serde_json::from_value(json!({
        "verdict": "fits",
        "host": { "name": name, "arch": "aarch64", "kernel": "6.12", "page_size": "0x1000" },
        "guest": {
            "name": name, "arch": "aarch64", "vmm": vmm, "version": "11.1", "machine": machine, "cpu": machine,
            "memory": "0x40000000", "pages": "0x1000", "hotplug": "0x0", "slots": 0, "numa": [], "vcpus": 2,
            "pass": [], "viommu": "none", "iommufd": false, "hazards": "strict", "policy": "host-fit",
            "ipa_bits": null, "avoid": []
        },
        "vmm": { "name": vmm, "version": "11.1", "machine": "" },
        "ram": [{ "name": "ram0", "start": base, "end": base + 0x3fff_ffff, "kind": "boot" }],
        "regions": [],
        "needed_bits": 40
    }))
    .expect("the plan has every field")
}

/// `xl.cfg` of a guest with this name, two devices and a larger hole.
fn xl_cfg(name: &str) -> String {
    let mut plan = plan(name, "hvm", "xen", 0);
    plan.guest.arch = Arch::X86_64;
    plan.guest.pass = ["0000:01:00.0", "0000:01:00.1"].map(|place| place.parse().expect("a place")).to_vec();
    plan.knobs = vec![Knob::MmioHole { size: Size::gib(1) }];
    let files = emit(&plan, Target::Xen).expect("the plan can be said");
    files[0].text.clone()
}

/// The words of a script, without its comments and line continuations.
fn words(files: &[OutputFile], name: &str) -> Vec<String> {
    let text = &files.iter().find(|file| file.file == name).expect("the file was emitted").text;
    let lines: Vec<&str> = text.lines().skip_while(|line| line.starts_with('#')).collect();
    shlex::split(&lines.join("\n").replace(" \\\n", " ")).expect("the quotes are closed")
}

fn after<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == flag)?;
    words.get(at + 1).map(String::as_str)
}

/// What QEMU makes of a value: `,,` is a comma.
fn qemu_values(text: &str) -> Vec<String> {
    text.replace(",,", "\0").split(',').map(|value| value.replace('\0', ",")).collect()
}

/// The domain for a libvirt that has no element for the limit of a CPU's address bits.
fn limited_domain(limit: &str) -> Result<String, Unsupported> {
    let mut plan = plan("guest", "virt", "qemu", 0x4000_0000);
    plan.guest.cpu = format!("host,host-phys-bits-limit={}", limit.replace(',', ",,"));
    plan.guest.libvirt = Some(Version::new(8, 0));
    emit(&plan, Target::Libvirt).map(|mut files| files.remove(0).text)
}

proptest! {
    #[test]
    fn a_name_is_one_value_of_one_word_of_one_line(name in hostile()) {
        let files = emit(&plan(&name, "virt", "qemu", 0x4000_0000), Target::Qemu).unwrap();
        let words = words(&files, "qemu.args");
        prop_assert_eq!(words.iter().filter(|word| word.starts_with('-')).count(), 9 - usize::from(name.is_empty()));
        if let Some(value) = after(&words, "-name") {
            let values = qemu_values(value);
            prop_assert_eq!(values.len(), 1);
            prop_assert_eq!(values[0].chars().count(), "guest=".len() + name.chars().count());
            prop_assert!(!value.contains(char::is_control));
        } else {
            prop_assert!(name.is_empty());
        }
    }

    #[test]
    fn kvmtool_gets_a_name_that_is_no_path(name in hostile()) {
        let files = emit(&plan(&name, "", "kvmtool", 0x8000_0000), Target::Kvmtool).unwrap();
        let words = words(&files, "kvmtool.sh");
        let value = after(&words, "--name").unwrap();
        prop_assert!(!value.contains('/') && !value.contains(char::is_control) && !value.trim().is_empty());
        prop_assert_eq!(words.len(), 10);
    }

    /// crosvm, Cloud Hypervisor, Firecracker and OpenVMM take no name, and what is written for them holds no word of a
    /// stranger.
    #[test]
    fn others_are_told_nothing_in_strangers_words(text in hostile()) {
        for (vmm, base, target) in [
            ("crosvm", 0x8000_0000, Target::Crosvm),
            ("cloud-hypervisor", 0x4000_0000, Target::CloudHypervisor),
            ("cloud-hypervisor", 0x4000_0000, Target::CloudHypervisorApi),
            ("firecracker", 0x8000_0000, Target::Firecracker),
            ("openvmm", 0x4000_0000, Target::Openvmm),
        ] {
            let plain = emit(&plan("guest", "", vmm, base), target).unwrap();
            let mut strange = plan(&text, "", vmm, base);
            strange.guest.cpu.clone_from(&text);
            prop_assert_eq!(&plain, &emit(&strange, target).unwrap());
            for file in plain.iter().filter(|file| file.file.ends_with(".sh")) {
                let words = words(&plain, &file.file);
                prop_assert!(words.len() > 3 && words.iter().all(|word| !word.contains(char::is_control)));
            }
        }
    }

    /// Their machines are words that are understood, or refused.
    #[test]
    fn a_strange_machine_is_refused(text in hostile()) {
        for (vmm, base, target) in [
            ("crosvm", 0x8000_0000, Target::Crosvm),
            ("cloud-hypervisor", 0x4000_0000, Target::CloudHypervisor),
        ] {
            let plain = emit(&plan("guest", "", vmm, base), target).unwrap();
            let mut strange = plan("guest", "", vmm, base);
            strange.guest.machine.clone_from(&text);
            let emitted = emit(&strange, target);
            prop_assert!(emitted.is_err() || emitted.as_ref() == Ok(&plain), "{text:?}: {emitted:?}");
        }
    }

    /// The names of a described VMM stand in JSON strings, nowhere else.
    #[test]
    fn a_layout_is_json_that_reads_back(name in hostile()) {
        let files = emit(&plan(&name, "", "custom", 0x4000_0000), Target::Custom).unwrap();
        let layout: serde_json::Value = serde_json::from_str(&files[0].text).unwrap();
        prop_assert_eq!(layout["name"].as_str(), Some(name.as_str()));
        prop_assert_eq!(layout["memory"][0]["start"].as_str(), Some("0x40000000"));
    }

    /// A name is one value of `xl.cfg`, and changes no other.
    #[test]
    fn xl_reads_back_the_name(name in hostile()) {
        let plain = xl::read(&xl_cfg("guest")).unwrap();
        let strange = xl::read(&xl_cfg(&name)).unwrap();
        prop_assert_eq!(plain.len(), strange.len());
        for (key, value) in &strange {
            if key == "name" {
                let xl::Value::Text(text) = value else { panic!("a name is no list") };
                prop_assert!(!text.contains('/') && !text.contains(char::is_control) && !text.trim().is_empty());
                let changed = |(a, b): (char, char)| a != b && b != '_';
                prop_assert!(text == "guest" || !name.chars().zip(text.chars()).any(changed));
            } else {
                prop_assert_eq!(Some(value), plain.get(key));
            }
        }
    }

    /// A name is a comment of one line and the name of one node.
    #[test]
    fn an_overlay_holds_a_name_in_two_lines(name in hostile()) {
        let overlay = |name: &str| {
            let files = emit(&plan(name, "", "xen", 0x4000_0000), Target::XenDom0less).unwrap();
            files[0].text.clone()
        };
        let (plain, strange) = (overlay("guest"), overlay(&name));
        prop_assert_eq!(plain.lines().count(), strange.lines().count());
        for (plain, strange) in plain.lines().zip(strange.lines()).filter(|(plain, strange)| plain != strange) {
            let comment = plain.starts_with("// ") && strange.starts_with("// ") && strange.ends_with('.');
            let node = strange.strip_prefix("\tdomU-").and_then(|rest| rest.strip_suffix(" {"));
            let plain_node = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || ",._+-".contains(c));
            prop_assert!(comment || node.is_some_and(plain_node), "{}", strange);
            prop_assert!(!strange.trim_start().contains(char::is_control));
        }
    }

    #[test]
    fn a_config_file_holds_one_value_on_a_line(name in hostile()) {
        let files = emit(&plan(&name, "virt", "qemu", 0x4000_0000), Target::QemuReadconfig).unwrap();
        let config = &files.iter().find(|file| file.file == "qemu.cfg").unwrap().text;
        for line in config.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let group = line.starts_with('[') && line.ends_with(']');
            let value = line.starts_with("  ") && line.ends_with('"') && line.matches('"').count() == 2;
            prop_assert!(group || value, "{}", line);
            prop_assert!(line.len() < 1023);
        }
        let named = words(&files, "qemu.cfg.args").iter().any(|word| word == "-name");
        prop_assert_eq!(named, name.contains('"'));
    }

    /// What libvirt 8.0 has no element for goes to QEMU: a flag and a value each time, whatever stands in the value.
    #[test]
    fn an_argument_of_a_domain_is_one_element(text in hostile()) {
        let tags = |domain: &str| domain.matches('<').count();
        match limited_domain(&text) {
            Ok(domain) => {
                prop_assert_eq!(tags(&domain), tags(&limited_domain("39").unwrap()));
                prop_assert_eq!(domain.matches("<qemu:arg value=\"").count(), 4);
                prop_assert!(domain.chars().all(|c| c == '\n' || !c.is_control()));
            }
            Err(why) => prop_assert!(!why.because.contains(char::is_control) && !why.help.is_empty()),
        }
    }

    #[test]
    fn words_of_the_machine_and_of_the_cpu_come_through_or_are_refused(text in hostile()) {
        let machine = format!("virt,x={}", text.replace(',', ",,"));
        for target in [Target::Qemu, Target::QemuReadconfig, Target::Libvirt] {
            match emit(&plan("guest", &machine, "qemu", 0x4000_0000), target) {
                Ok(files) if target == Target::Qemu => {
                    let words = words(&files, "qemu.args");
                    prop_assert_eq!(after(&words, "-machine"), Some(machine.as_str()));
                    prop_assert_eq!(after(&words, "-cpu"), Some(machine.as_str()));
                }
                Ok(_) => {}
                Err(why) => prop_assert!(!why.because.contains(char::is_control) && !why.help.is_empty()),
            }
        }
    }
}
