//! Existing configurations of VMMs: `cases/existing/HOST.NAME.*` is read as a guest and judged on `hosts/HOST.host`, the
//! answer stands in `HOST.NAME.txt`; `cases/existing/faults/*` have one fault each, what is said about it stands beside.
//! `UPDATE_EXPECT=1` rewrites the answers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::{expect, expect_file};
use planner_core::answer::{Outcome, answer, as_it_stands};
use planner_core::diag::{Diagnostic, has_errors};
use planner_core::facts::ConfiguredFacts;
use planner_core::guest::resolve as guest_resolve;
use planner_core::host::Host;
use planner_core::host::resolve as host_resolve;
use planner_core::kernel::report::Question;
use planner_core::read::language;
use planner_core::read::vmm::{Format, files_in, foreign, read_text, recognise};
use planner_core::render::{Color, Sources, render};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/existing")
}

/// The configurations in a folder.
fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let is_case = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| ["sh", "xml", "json"].iter().any(|known| extension == *known))
    };
    let mut cases: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry").path()).filter(is_case).collect();
    cases.sort();
    cases
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the case can be read")
}

fn name(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

/// Reads a configuration with the files that it names, from its own folder.
fn configuration(case: &Path) -> (ConfiguredFacts, Vec<Diagnostic>, Sources) {
    let (name, text) = (name(case), read(case));
    let format = recognise(&text).unwrap_or_else(|| panic!("{name} is not recognised"));
    let named = files_in(format, &name, &text);
    let files = named.into_iter().filter_map(|file| {
        let path = case.with_file_name(&file);
        path.is_file().then(|| (file, read(&path)))
    });
    let files = files.collect();
    let (facts, found) = read_text(format, &name, &text, None, &files);
    let mut sources = Sources::new();
    sources.insert(&*name, text);
    for (name, text) in files {
        sources.insert(&*name, text);
    }
    (facts, found, sources)
}

fn host(name: &str) -> Host {
    let (facts, found) = language::parse_host(name, &read(&folder().join(format!("hosts/{name}.host"))));
    assert!(!has_errors(&found), "{found:#?}");
    host_resolve::resolve(&facts).0
}

fn judged(case: &Path) -> String {
    let name = name(case);
    let host = host(name.split('.').next().expect("the name of the host"));
    let (facts, mut found, sources) = configuration(case);
    let mut out = language::print_guest(&facts.guest);
    let (guest, more) = guest_resolve::resolve(&facts.guest, &host);
    found.extend(more);
    write!(out, "\n{}", render(&found, &sources, Color::Never)).expect("a string");
    let Some(guest) = guest.filter(|_| !has_errors(&found)) else { return out };
    let answer = answer(&host, &guest, &Question::default());
    assert_eq!(answer.violations, []);
    let judgement = as_it_stands(&host, &guest, &answer, &facts);
    writeln!(out, "as it stands: {:?}", judgement.outlook).expect("a string");
    for reason in &judgement.because {
        writeln!(out, "because [{}] {}", reason.rule, reason.because).expect("a string");
    }
    for reason in &judgement.warnings {
        writeln!(out, "mind [{}] {}", reason.rule, reason.because).expect("a string");
    }
    if let Some(message) = &judgement.message {
        writeln!(out, "{message}").expect("a string");
    }
    match &answer.outcome {
        Outcome::Plan(plan) => writeln!(out, "plan: {:?}", plan.verdict).expect("a string"),
        Outcome::Conflict { conflict, .. } => {
            writeln!(out, "no layout: {}", conflict.subject).expect("a string");
        }
    }
    for change in &judgement.changes {
        writeln!(out, "- {change}").expect("a string");
    }
    out
}

#[test]
fn configurations_are_judged_as_written() {
    let cases = cases(&folder());
    assert!(cases.len() >= 85, "{} cases", cases.len());
    for case in cases {
        expect_file![case.with_extension("txt")].assert_eq(&judged(&case));
    }
}

#[test]
fn one_fault_is_told_as_written() {
    let cases = cases(&folder().join("faults"));
    assert!(cases.len() >= 55, "{} cases", cases.len());
    for case in cases {
        let text = read(&case);
        let (found, sources) = match recognise(&text) {
            Some(_) => {
                let (_, found, sources) = configuration(&case);
                (found, sources)
            }
            // What is no configuration is a description to the planner.
            None => {
                let mut sources = Sources::new();
                sources.insert(name(&case), text.clone());
                (language::parse_guest(&name(&case), &text).1, sources)
            }
        };
        assert!(!found.is_empty(), "{case:?} has no fault");
        let told = render(&found, &sources, Color::Never);
        let extension = format!("{}.txt", case.extension().expect("checked").to_string_lossy());
        expect_file![case.with_extension(extension)].assert_eq(&told);
    }
}

/// Reads a text and gives back the codes of what was found.
fn codes(format: Format, text: &str) -> Vec<&'static str> {
    let (_, found) = read_text(format, "t", text, None, &Default::default());
    found.iter().map(|found| found.code.id).collect()
}

#[test]
fn deep_and_large_texts_end_at_a_bound() {
    let deep = format!("<domain>{}", "<a>".repeat(100_000));
    assert_eq!(codes(Format::DomainXml, &deep), ["M114"]);
    let wide = format!("<domain>{}</domain>", "<a/>".repeat(200_000));
    assert_eq!(codes(Format::DomainXml, &wide), ["M114"]);
    let doubling: String = (1..60).map(|n| format!("a{n}=\"$a{m}$a{m}\"\n", m = n - 1)).collect();
    let doubling = format!("a0=xxxxxxxxxxxxxxxx\n{doubling}qemu-system-aarch64 -append \"$a59\"");
    assert_eq!(codes(Format::Command, &doubling), ["M114"]);
    let nested = format!("{{\"memory\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(codes(Format::CloudHypervisorJson, &nested), ["M110"]);
}

#[test]
fn entities_of_a_document_type_stay_as_they_are_written() {
    let text = "<!DOCTYPE domain [ <!ENTITY a \"&b;&b;\"> <!ENTITY b \"&a;&a;\"> ]>\n<domain type='kvm'><name>&a;&lt;&#x41;</name>\
                <memory unit='GiB'>1</memory></domain>";
    let (facts, _) = read_text(Format::DomainXml, "t", text, None, &Default::default());
    assert_eq!(facts.guest.name, "&a;<A");
}

#[test]
fn descriptions_and_plans_are_no_configurations() {
    for text in [
        "host \"a\" { }",
        "# started by qemu-system-aarch64 -m 1G\nguest \"a\" { vmm qemu  memory 1G }",
        "guest \"g\" {\n  vmm qemu 11.1\n}",
        "{\"schema\":\"guest/1\",\"devices\":[]}",
        "{}",
        "",
        "modprobe kvm\n",
    ] {
        assert_eq!(recognise(text), None, "{text}");
    }
    assert_eq!(recognise("kvm -m 1G"), Some(Format::Command));
    assert_eq!(recognise("\n<domain/>"), Some(Format::DomainXml));
}

/// A text of one line that is repeated, and how it is told or read must not grow faster than it.
#[test]
fn long_texts_are_read_in_one_go() {
    let device = " \\\n  -device vfio-pci,host=01:00.0";
    let long = format!("qemu-system-x86_64 -m 8G{}", device.repeat(50_000));
    let (facts, _) = read_text(Format::Command, "t", &long, None, &Default::default());
    assert_eq!(facts.guest.pass.len(), 1024);
    for piece in ["{\"", "$(", "`", "${", "\\ \n", "A+=x ", "> ", "^\n", "-", "'\"", "<domain", "{\"a\":1} "]
    {
        let long = format!("qemu-system-x86_64 -m 8G {}", piece.repeat(20_000));
        let _ = recognise(&long);
        let (_, found) = read_text(Format::Command, "t", &long, None, &Default::default());
        assert!(found.len() <= 50_000, "{piece}: {}", found.len());
    }
}

#[test]
fn configurations_of_other_programs_are_named() {
    let mut told = String::new();
    for text in [
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata:\n  name: g\n",
        "agent: 1\nhostpci0: 0000:01:00,pcie=1\nmemory: 16384\nostype: l26\nscsihw: virtio-scsi-single\n",
        "services:\n  guest:\n    image: example/guest\n",
        "guest_os=\"linux\"\ndisk_img=\"g/disk.qcow2\"\n",
        "virt-install --name g --memory 4096 --hostdev 01:00.0\n",
        "Vagrant.configure(\"2\") do |config|\nend\n",
    ] {
        assert_eq!(recognise(text), None, "{text}");
        let found = foreign("t", text).expect("a form that is known");
        writeln!(told, "{}: {}\n  {}", found.code.id, found.message, found.help.join("; "))
            .expect("a string");
    }
    for text in ["host \"a\" { }\nguest \"b\" { memory 1G }", "memory: 1", ""] {
        assert_eq!(foreign("t", text), None, "{text}");
    }
    expect![[r#"
        M139: this is a virtual machine of KubeVirt, which is not read
          `kubectl exec POD -c compute -- virsh dumpxml 1 > guest.xml` writes what KubeVirt makes of it, where POD is its virt-launcher
        M139: this is the configuration of a guest of Proxmox, which is not read
          `qm showcmd VMID --pretty > guest.sh` writes the command that Proxmox makes of it
        M139: this is a file of Docker Compose, which is not read
          `tr '\0' ' ' < /proc/PID/cmdline > guest.sh` writes the command line of the VMM that runs in the container
        M139: this is a configuration of quickemu, which is not read
          quickemu writes the command that it runs to a file `.sh` beside the disks of the guest: name that file
        M139: this is a command of virt-install, which is not read
          `virt-install … --print-xml > guest.xml` writes the domain without making it
        M139: this is a file of Vagrant, which is not read
          `virsh dumpxml NAME > guest.xml` writes the domain that Vagrant made
    "#]].assert_eq(&told);
}

#[test]
fn what_stands_around_a_configuration_is_passed_over() {
    for text in [
        "\u{feff}qemu-system-x86_64 -m 8G",
        "$ qemu-system-x86_64 -m 8G",
        "> qemu-system-x86_64 \\\n>  -m 8G",
        "Start it:\n\n```sh\nqemu-system-x86_64 -m 8G\n```\nand wait.\n",
        "+ qemu-system-x86_64 -m 8G",
        "ExecStart=-/usr/bin/qemu-system-x86_64 -m 8G",
        "Q=qemu-system-x86_64\n$Q -m 8G",
        "ssh host 'qemu-system-x86_64 -m 8G'",
        "\"C:\\qemu\\qemu-system-x86_64.exe\" ^\r\n -m 8G\r\n",
        "C=qemu-system-x86_64; C+=\" -m 8G\"; $C",
        "[memory]\n  size = \"8G\"\n",
    ] {
        assert_eq!(recognise(text), Some(Format::Command), "{text}");
        let (facts, found) = read_text(Format::Command, "t", text, None, &Default::default());
        let size = facts.guest.memory.map(|memory| memory.size);
        assert_eq!(size, Some(planner_core::size::Size::gib(8)), "{text}: {found:#?}");
    }
}

#[test]
fn words_of_the_shell() {
    let text = "A='one two'; B=(\"x y\" z) B+=(w)\nsudo env K=1 qemu-system-aarch64 -append \"$A\" $A \"${B[@]}\" \\\n  -name a\\ b # -m 9G\n";
    let file = planner_core::diag::TextFile::new("t", text);
    let (commands, found) = planner_core::read::vmm::words::commands(&file, text);
    assert_eq!(found, []);
    let words: Vec<String> =
        commands.iter().flatten().map(|word| format!("{} {}", word.origin, word.text)).collect();
    expect![[r#"
        t:2 sudo
        t:2 env
        t:2 K=1
        t:2 qemu-system-aarch64
        t:2 -append
        t:1 one two
        t:1 one
        t:1 two
        t:1 x y
        t:1 z
        t:1 w
        t:3 -name
        t:3 a b"#]]
    .assert_eq(&words.join("\n"));
}
