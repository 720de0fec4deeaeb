//! The description language and its JSON: text to facts, facts to text, and what is said about faults.
//!
//! Each file of `cases/language` holds one fault (`ok-…`: none; `many-…`: several), and the file of the same name with
//! `.stderr` what the planner says about it. `UPDATE_EXPECT=1` writes these; read what changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[path = "language/generate.rs"]
mod generate;
#[path = "language/properties.rs"]
mod properties;
#[path = "language/rendering.rs"]
mod rendering;

use expect_test::{expect, expect_file};
use planner_core::diag::Diagnostic;
use planner_core::read::{codes, json, language};
use planner_core::render::{Color, Sources, render};

fn cases() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/language");
    let entries = std::fs::read_dir(directory).expect("the folder of cases is there");
    let entries = entries.map(|entry| entry.expect("a folder that can be listed").path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| name(path) != "README.md").collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension != "stderr"));
    paths.sort();
    paths
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("names of cases are ASCII")
}

/// What is found in a case: its name says how it is read.
fn diagnose(file: &str, text: &str) -> Vec<Diagnostic> {
    match file.split_once('.').map(|(_, kind)| kind) {
        Some("host") => language::parse_host(file, text).1,
        Some("guest") => language::parse_guest(file, text).1,
        Some("host.json") => json::parse_host_json(file, text).1,
        Some("guest.json") => json::parse_guest_json(file, text).1,
        _ => panic!("{file} is no case"),
    }
}

fn rendered(file: &str, text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut sources = Sources::new();
    sources.insert(file, text);
    render(diagnostics, &sources, Color::Never)
}

#[test]
fn each_fault_is_told_once_and_well() {
    let mut codes_seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in cases() {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = name(&path);
        let diagnostics = diagnose(file, &text);
        codes_seen.extend(diagnostics.iter().map(|diagnostic| diagnostic.code.id));
        let shown = rendered(file, &text, &diagnostics);
        expect_file![path.with_file_name(format!("{file}.stderr"))].assert_eq(&shown);
        let as_named = match file.split('-').next() {
            Some("ok") => diagnostics.is_empty(),
            Some("many") => diagnostics.len() > 2,
            _ => diagnostics.len() == 1,
        };
        if !as_named {
            wrong.push(format!("{file}: {} diagnostics\n{shown}", diagnostics.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: BTreeSet<&str> = codes().map(|code| code.id).filter(|id| id.starts_with(['L', 'J'])).collect();
    assert_eq!(codes_seen, known, "every code has a case, and every case a code of the list");
}

#[test]
fn every_code_is_explained() {
    let mut ids = BTreeSet::new();
    for code in codes() {
        assert!(ids.insert(code.id), "{} stands twice", code.id);
        assert!(code.explanation.ends_with('.') && code.explanation.len() > 80, "{}", code.id);
        assert!(
            !code.title.ends_with('.') && code.title.starts_with(char::is_lowercase) || code.id == "J001"
        );
    }
}

#[test]
fn ten_faults_give_ten_diagnostics() {
    let file = "many-ten.host";
    let text = include_str!("../cases/language/many-ten.host");
    let diagnostics = diagnose(file, text);
    assert_eq!(diagnostics.len(), 10, "{}", rendered(file, text, &diagnostics));
}

const SEATTLE: &str = include_str!("../cases/language/ok-seattle.host");

#[test]
fn the_sketch_of_the_design_reads_and_prints() {
    let (document, diagnostics) = language::parse("seattle.host", SEATTLE);
    assert_eq!(rendered("seattle.host", SEATTLE, &diagnostics), "");
    let hosts: String = document.hosts.iter().map(language::print_host).collect();
    let guests: String = document.guests.iter().map(language::print_guest).collect();
    expect![[r#"
        host "amd-seattle" {
            kernel linux 6.12 { page 4K }
            ram 0x80_0000_0000 + 16G
            gicv2m v2m0 { frame 0xe118_0000 + 4K  spis 64..=319 }
            doorbell fixed 0xfee0_0000 + 1M
            smmu pcie-smmu { model mmu-401  aperture 40 bits  pages 4K 2M 1G }
            root-complex pcie0 {
                buses 0x00..=0x7f
                smmu pcie-smmu { rid 0x0..=0xffff -> stream 0x0 }
                msi v2m0
                window mem32 0x4000_0000 + 2G intercepts-p2p
                window mem64 0x1_0000_0000 + 508G intercepts-p2p
                device 01:00.0 { id 8086:1520  class 0200  bar 0 mem64 prefetchable 16K  msix 3 }
            }
        }
        guest "nfv0" {
            vmm kvmtool
            memory 16G { pages 2M }
            vcpus 8
            pass 0000:01:00.0
        }
    "#]]
    .assert_eq(&format!("{hosts}{guests}"));
}

#[test]
fn formatting_keeps_comments_order_and_lines() {
    let text = "\
# the board on my desk


host   'x
";
    assert!(language::format("f", text).is_err());
    let text = "#first\n\n\n\nhost board   # trailing\n{ # opening\n\n  ram 0X40000000+16GiB   ipa  44 bits # both\n\
        \t# own line\n\n\n  smmu s{model mmu-401   pages 4k 2mib 1G}   root-complex pcie0 {\n\
        device 0000:0A:00.0 {id 8086:15B3 class 0C03   bar 0 mem64 16KiB prefetchable   msix 3   msi 32   sriov total 8}}\n\
        # last\n}  # end\n# after";
    expect![[r##"
        #first

        host "board" {  # trailing
            # opening

            ram 0x4000_0000 + 16G  # both
            ipa 44 bits
            # own line

            smmu s { model mmu-401  pages 4K 2M 1G }
            root-complex pcie0 {
                device 0000:0a:00.0 {
                    id 8086:15b3  class 0c03  bar 0 mem64 16K prefetchable  msix 3  msi 32  sriov total 8
                }
            }
            # last
        }  # end
        # after
    "##]]
    .assert_eq(&language::format("f", text).unwrap());
}

const GUIDE: &str = include_str!("../../docs/language.md");

/// The marker in front of what is written from the grammar's table.
const MARKER: &str = "grammar's table. -->\n";

#[test]
fn the_guide_holds_the_reference_of_the_grammar() {
    let (prose, _) = GUIDE.split_once(MARKER).expect("the marker is there");
    let guide = format!("{prose}{MARKER}\n{}\n", language::reference().trim_end());
    expect_file!["../../docs/language.md"].assert_eq(&guide);
}

#[test]
fn every_example_of_the_guide_reads() {
    let (prose, _) = GUIDE.split_once(MARKER).expect("the marker is there");
    let mut seen = 0;
    for (language, example) in fences(prose) {
        let found = match language {
            "text" => language::parse("example", example).1,
            "json" if example.contains("\"host/1\"") => json::parse_host_json("example", example).1,
            "json" => json::parse_guest_json("example", example).1,
            "console" => continue,
            other => panic!("no example is in {other}"),
        };
        assert!(found.is_empty(), "{}", rendered("example", example, &found));
        if language == "text" {
            let formatted = language::format("example", example).unwrap();
            assert_eq!(formatted, format!("{example}\n"), "examples are in canonical form");
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// The fenced blocks of a Markdown text, each with its language.
fn fences(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n'))
}

#[test]
fn schemas_are_published_as_they_are_read() {
    for (schema, name) in [(json::host_schema(), "host/1"), (json::guest_schema(), "guest/1")] {
        assert_eq!(schema["properties"]["schema"]["const"], name);
        assert!(schema["$id"].as_str().unwrap().ends_with(&format!("/{name}.json")));
        assert_eq!(schema["additionalProperties"], false);
        assert!(schema["title"].is_string());
    }
    let (host, _) = language::parse_host("seattle.host", SEATTLE);
    let text = json::host_to_json(&host);
    assert_eq!(json::schema_of(&text).as_deref(), Some("host/1"));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let known = json::host_schema();
    for key in value.as_object().unwrap().keys() {
        assert!(known["properties"].get(key).is_some(), "{key}");
    }
}
