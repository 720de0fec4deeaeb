//! The overlays for domains that Xen builds at boot: compiled by `dtc`, applied to a device tree by `fdtoverlay`, and their
//! memory compared with the plan.
//!
//! What stands in the repository is used, which the tests keep equal to what is emitted: the examples, with their plans,
//! and the cases of `tests/cases/emit`, whose names come from strangers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use planner_core::answer::read_plan;
use planner_core::plan::Plan;

use super::process;
use crate::{Failure, root, step};

const LIMIT: Duration = Duration::from_secs(30);
/// A device tree as a boot loader has it, with a module that was there before.
const BASE: &str = "/dts-v1/;
/ { chosen { #address-cells = <2>; #size-cells = <2>; module@4000000 {
    compatible = \"multiboot,kernel\", \"multiboot,module\"; reg = <0x0 0x4000000 0x0 0x1000000>; }; }; };
";

/// Proves all of them.
pub(super) fn run(folder: &Path) -> Result<(), Failure> {
    let mut count = 0_usize;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("base.dts"), BASE)?;
    program(folder, "dtc", &["-q", "-@", "-I", "dts", "-O", "dtb", "-o", "base.dtb", "base.dts"])?;
    for overlay in overlays()? {
        let text = applied(folder, &overlay).map_err(|why| format!("{}: {why}", overlay.display()))?;
        let plan = fs::read_to_string(overlay.with_extension("").with_extension("plan.json"));
        if let Ok(plan) = plan {
            let plan = read_plan(&plan).map_err(|why| format!("{}: {why:?}", overlay.display()))?;
            compare(&plan, &text).map_err(|why| format!("{}: {why}", overlay.display()))?;
        }
        count += 1;
    }
    if count == 0 {
        return Err("no overlay for Xen was found".into());
    }
    step(&format!("Xen: {count} overlays compile, apply, and have the memory of their plans"));
    Ok(())
}

/// `examples/*/expected/*.dom0less.dtso` and `tests/cases/emit/*/dom0less.dtso`.
fn overlays() -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for (folder, below) in [("examples", "expected"), ("tests/cases/emit", "")] {
        for case in fs::read_dir(root().join(folder))? {
            let case = case?.path().join(below);
            if !case.is_dir() {
                continue;
            }
            for file in fs::read_dir(case)? {
                let file = file?.path();
                found.extend(file.to_string_lossy().ends_with("dom0less.dtso").then_some(file));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The device tree with the overlay, as text.
fn applied(folder: &Path, overlay: &Path) -> Result<String, Failure> {
    let source = overlay.display().to_string();
    let warning = "no-avoid_unnecessary_addr_size";
    let compile = ["-@", "-W", warning, "-I", "dts", "-O", "dtb", "-o", "overlay.dtbo", &source];
    let said = program(folder, "dtc", &compile)?;
    if !said.is_empty() {
        return Err(format!("dtc says: {said}").into());
    }
    program(folder, "fdtoverlay", &["-i", "base.dtb", "-o", "merged.dtb", "overlay.dtbo"])?;
    program(folder, "dtc", &["-q", "-I", "dtb", "-O", "dts", "merged.dtb"])
}

/// What the program prints.
fn program(folder: &Path, name: &str, arguments: &[&str]) -> Result<String, Failure> {
    let done = process::run(Command::new(name).args(arguments), folder, "", LIMIT)?;
    if done.success { Ok(done.stdout + &done.stderr) } else { Err(format!("{name}: {}", done.stderr).into()) }
}

/// The memory of the domain's node against the plan.
fn compare(plan: &Plan, text: &str) -> Result<(), Failure> {
    let kibibytes: u128 = plan.ram.iter().map(|piece| piece.span.size_bytes()).sum::<u128>() / 1024;
    if cells(text, "memory") != Some(vec![kibibytes]) {
        return Err(format!("memory is {:?}, planned are {kibibytes} KiB", cells(text, "memory")).into());
    }
    let banks: Vec<u128> = plan
        .ram
        .iter()
        .flat_map(|piece| {
            [u128::from(planner_core::addr::Address::get(piece.span.first())), piece.span.size_bytes()]
        })
        .collect();
    let direct = plan.vmm.machine == "direct-map";
    let wanted = direct.then_some(banks);
    let found = cells(text, "xen,static-mem");
    if found == wanted && text.contains("direct-map;") == direct {
        return Ok(());
    }
    Err(format!("static memory is {found:x?}, planned is {wanted:x?}").into())
}

/// The numbers of a property, of two cells each.
fn cells(text: &str, name: &str) -> Option<Vec<u128>> {
    let start = format!("{name} = <");
    let line = text.lines().map(str::trim).find_map(|line| line.strip_prefix(&start))?;
    let words = line.trim_end_matches([';', '>']).split_whitespace();
    let cells: Vec<u128> = words
        .map(|word| u128::from_str_radix(word.trim_start_matches("0x"), 16))
        .collect::<Result<_, _>>()
        .ok()?;
    let pair = |pair: &[u128]| match pair {
        [high, low] => Some((high << 32) | low),
        _ => None,
    };
    cells.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_two_cells() {
        let text = "a {\n\tmemory = <0x00 0x200000>;\n\txen,static-mem = <0x08 0x00 0x01 0x02>;\n};\n";
        assert_eq!(cells(text, "memory"), Some(vec![0x20_0000]));
        assert_eq!(cells(text, "xen,static-mem"), Some(vec![0x8_0000_0000, 0x1_0000_0002]));
        assert_eq!(cells(text, "reg"), None);
        assert_eq!(cells("memory = <0x00>;", "memory"), None);
    }
}
