//! What the guest's own kernel must be told. `cases/guest_side/NAME.host` holds host and guest, `NAME.txt` what the plan
//! says of it and the files that tell the guest; `UPDATE_EXPECT=1` rewrites them.
//!
//! The IORT is also made into bytes, by the sizes that its fields state, and read by the reader of ACPI tables: what comes
//! back must be what the plan reserves.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use planner_core::addr::{Address, Iova, Span};
use planner_core::answer::{Outcome, answer, read_plan};
use planner_core::emit::{Target, emit, kernel_parameters};
use planner_core::facts::host::FirmwareKind;
use planner_core::guest::resolve as guest_resolve;
use planner_core::host::resolve as host_resolve;
use planner_core::kernel::report::Question;
use planner_core::plan::{GuestPatch, Plan};
use planner_core::read::acpi::{self, TableFile};
use planner_core::read::language;
use planner_core::size::Size;
use planner_core::span_set::SpanSet;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/guest_side");
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "host"))
        .collect();
    cases.sort();
    cases
}

fn planned(case: &Path) -> Plan {
    let text = std::fs::read_to_string(case).expect("the case can be read");
    let (document, found) = language::parse("case", &text);
    assert!(!planner_core::diag::has_errors(&found), "{}: {found:#?}", case.display());
    let (host, _) = host_resolve::resolve(&document.hosts[0]);
    let (guest, found) = guest_resolve::resolve(&document.guests[0], &host);
    let guest = guest.unwrap_or_else(|| panic!("{}: {found:#?}", case.display()));
    let answer = answer(&host, &guest, &Question::default());
    assert_eq!(answer.violations, []);
    match answer.outcome {
        Outcome::Plan(plan) => *plan,
        Outcome::Conflict { conflict, .. } => panic!("{}: {conflict:#?}", case.display()),
    }
}

/// What tells the guest: files, and the command lines that change with them.
fn files(plan: &Plan) -> Vec<(String, String)> {
    let targets = [Target::GuestDt, Target::GuestIort, Target::Crosvm];
    let emitted = targets.into_iter().filter_map(|target| emit(plan, target).ok()).flatten();
    let parameters = kernel_parameters(plan).into_iter().filter(|file| file.file == "guest-kernel.txt");
    emitted.chain(parameters).map(|file| (file.file, file.text)).collect()
}

fn told(plan: &Plan) -> String {
    let mut out = String::new();
    let reserved = &plan.guest_reserved;
    for row in &reserved.dma {
        let devices: Vec<String> = row.devices.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "dma {} [{}] of {}", row.span, row.because.rule, devices.join(" "));
    }
    for row in &reserved.memory {
        let _ = writeln!(out, "memory {} [{}]", row.span, row.because.rule);
    }
    let _ = writeln!(out, "told by {:?}, {:?}", reserved.dma_by, reserved.memory_by);
    for warning in plan.warnings.iter().filter(|warning| warning.rule.starts_with("P-GUEST")) {
        let _ = writeln!(out, "warning [{}] {}", warning.rule, warning.because);
    }
    for (file, text) in files(plan) {
        let _ = write!(out, "--- {file}\n{text}");
    }
    out
}

#[test]
fn guests_are_told_as_written() {
    let cases = cases();
    assert!(cases.len() >= 12, "{} cases", cases.len());
    for case in cases {
        expect_file![case.with_extension("txt")].assert_eq(&told(&planned(&case)));
    }
}

#[test]
fn a_plan_read_back_tells_the_guest_the_same() {
    for case in cases() {
        let plan = planned(&case);
        let mut json = serde_json::to_value(&plan).expect("a plan is JSON");
        json["schema"] = "plan/1".into();
        let again = read_plan(&json.to_string()).expect("what was written can be read");
        assert_eq!(told(&plan), told(&again), "{}", case.display());
    }
}

/// The bytes of a data table in iasl's source language, by the size in front of each field.
fn assembled(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let Some((size, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else {
            continue;
        };
        let size: usize = size.parse().expect("a size");
        let (_, value) = rest.split_once(" : ").expect("a value");
        if let Some(text) = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            assert_eq!(text.len(), size, "{line}");
            bytes.extend(text.bytes());
        } else if !value.starts_with('[') {
            let value = u64::from_str_radix(value, 16).expect("a number");
            bytes.extend(value.to_le_bytes().iter().take(size));
        }
    }
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[9] = bytes[9].wrapping_sub(sum);
    bytes
}

/// What the plan reserves, in the units of 64 KiB that the table has.
fn reserved(plan: &Plan) -> SpanSet<Iova> {
    let unit = Size::kib(64);
    let widened =
        |span: Span<Iova>| Span::of(span.first().align_down(unit).get(), span.last().get() | 0xffff);
    plan.guest_reserved.dma.iter().filter_map(|row| widened(row.span)).collect()
}

#[test]
fn the_iort_holds_what_the_plan_reserves_and_qemus_own_range() {
    let mut count = 0;
    for case in cases() {
        let plan = planned(&case);
        let Ok(files) = emit(&plan, Target::GuestIort) else { continue };
        let bytes = assembled(&files[0].text);
        let (facts, found) = acpi::facts(&[TableFile { name: "IORT", bytes: &bytes }], &[]);
        // No MADT is given, so none has the ITS.
        let found: Vec<_> = found.iter().filter(|found| found.code.id != "T027").collect();
        assert!(found.is_empty(), "{}: {found:#?}", case.display());
        let mut read: SpanSet<Iova> = SpanSet::default();
        for region in &facts.firmware {
            assert_eq!(region.kind, FirmwareKind::Direct);
            assert!(!region.requesters.is_empty(), "{}: {} is nobody's", case.display(), region.name);
            read.insert(region.span);
        }
        let mut expected = reserved(&plan);
        if plan.vmm.name.word() == "qemu" {
            expected.insert(Span::of(0x800_0000, 0x80f_ffff).expect("a window"));
        }
        assert_eq!(read, expected, "{}", case.display());
        count += 1;
    }
    assert!(count >= 2, "{count} tables");
}

#[test]
fn hostile_names_stay_in_comments() {
    let mut plan = planned(&cases()[0]);
    for case in cases() {
        let candidate = planned(&case);
        if candidate.guest_reserved.dma_by == Some(GuestPatch::DeviceTree) {
            plan = candidate;
        }
    }
    let clean = emit(&plan, Target::GuestDt).expect("the case has an overlay");
    let code = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
    };
    plan.guest.name = "a */ };\n&{/} { evil; \\".to_owned();
    for row in &mut plan.guest_reserved.dma {
        row.because.because = "*/ } \u{2028}\n/delete-node/ &x; \\".to_owned();
        row.because.rule = "\\\n/include/ \"/etc/passwd\"".to_owned();
    }
    let hostile = emit(&plan, Target::GuestDt).expect("it has one still");
    assert_eq!(code(&clean[0].text), code(&hostile[0].text));
    assert!(hostile[0].text.lines().all(|line| !line.ends_with('\\')));
}

#[test]
fn hostile_names_stay_in_the_tables_comment() {
    let with_table = |case: &PathBuf| planned(case).guest_reserved.dma_by == Some(GuestPatch::Iort);
    let mut plan = planned(cases().iter().find(|case| with_table(case)).expect("a case with a table"));
    plan.guest.name = "a */ [0004] Signature : \"EVIL\"".to_owned();
    for row in &mut plan.guest_reserved.dma {
        row.because.because = "**/ x".to_owned();
        row.because.rule = "*/".to_owned();
    }
    let text = emit(&plan, Target::GuestIort).expect("it has one still").remove(0).text;
    assert_eq!(text.matches("*/").count(), 1, "{text}");
}
