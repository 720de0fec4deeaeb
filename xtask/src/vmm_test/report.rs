//! What came of the proofs, in lines for a person.

use std::fmt::Write as _;
use std::path::Path;

use super::Proof;
use super::case::Case;
use super::documents;
use super::proof::Verdict;
use crate::{Failure, step};

/// How many came to what.
#[derive(Default)]
struct Count {
    as_planned: usize,
    wrong: usize,
    not_planned: usize,
    not_here: usize,
}

/// Prints what is not as planned, and the sums; writes all of it to `report.txt`.
///
/// # Errors
/// If anything is wrong.
pub(super) fn write(folder: &Path, cases: &[Case], proofs: &[Proof]) -> Result<(), Failure> {
    let [mut qemu, mut readconfig, mut libvirt] = std::array::from_fn(|_| Count::default());
    let mut log = String::new();
    for (case, proof) in cases.iter().zip(proofs) {
        tell(&mut qemu, &case.name, &proof.qemu, &mut log);
        if let Some(verdict) = &proof.readconfig {
            tell(&mut readconfig, &format!("{} (-readconfig)", case.name), verdict, &mut log);
        }
        if let Some(verdict) = &proof.libvirt {
            tell(&mut libvirt, &format!("{} (libvirt)", case.name), verdict, &mut log);
        }
    }
    let others = tell_others(cases, proofs, &mut log);
    std::fs::write(folder.join("report.txt"), log)?;
    step(&format!(
        "QEMU: {} started, {} as planned; {} without a plan for QEMU, {} not proved here",
        qemu.as_planned + qemu.wrong,
        qemu.as_planned,
        qemu.not_planned,
        qemu.not_here
    ));
    step(&format!(
        "-readconfig: {} started, {} as planned; {} not proved here",
        readconfig.as_planned + readconfig.wrong,
        readconfig.as_planned,
        readconfig.not_here
    ));
    step(&format!(
        "libvirt: {} domains checked and started, {} as planned; {} not proved here",
        libvirt.as_planned + libvirt.wrong,
        libvirt.as_planned,
        libvirt.not_here
    ));
    match qemu.wrong + readconfig.wrong + libvirt.wrong + others {
        0 => Ok(()),
        wrong => Err(format!("{wrong} are not as planned").into()),
    }
}

/// Tells of the other VMMs; how many of them are wrong.
fn tell_others(cases: &[Case], proofs: &[Proof], log: &mut String) -> usize {
    let mut wrong = 0;
    for (kind, _) in documents::KINDS {
        let mut count = Count::default();
        for (case, proof) in cases.iter().zip(proofs) {
            let own = proof.others.iter().filter(|(other, _)| *other == kind);
            for (_, verdict) in own.filter(|(_, verdict)| !matches!(verdict, Verdict::NotPlanned(_))) {
                tell(&mut count, &format!("{} ({kind})", case.name), verdict, log);
            }
        }
        let checked = count.as_planned + count.wrong;
        step(&format!("{kind}: {checked} read back, {} as planned", count.as_planned));
        wrong += count.wrong;
    }
    wrong
}

fn tell(count: &mut Count, name: &str, verdict: &Verdict, log: &mut String) {
    let (which, text) = match verdict {
        Verdict::AsPlanned => (&mut count.as_planned, format!("as planned   {name}")),
        Verdict::NotPlanned(why) => (&mut count.not_planned, format!("not planned  {name}: {why}")),
        Verdict::NotHere(why) => (&mut count.not_here, format!("not proved   {name}: {why}")),
        Verdict::Wrong { why, line } => {
            (&mut count.wrong, format!("WRONG        {name}\n    {}\n    {line}", why.join("\n    ")))
        }
    };
    *which += 1;
    if !matches!(verdict, Verdict::AsPlanned) {
        eprintln!("{text}");
    }
    writeln!(log, "{text}").expect("a string takes every line");
}
