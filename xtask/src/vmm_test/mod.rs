//! `cargo xtask vmm-test`: what is emitted is given to the programs that it is for.
//!
//! [`matrix`] makes cases, [`case`] plans them, [`proof`] starts the emitted command line in a real QEMU without KVM
//! ([`replace`] says what stands in for what) and compares where memory, windows, interrupt controllers and modules are
//! with the plan. Nothing here needs `/dev/kvm` or a device.

mod case;
mod compare;
mod device_tree;
mod matrix;
mod memory_tree;
mod process;
mod proof;
mod qemu;
mod replace;
mod shell;
mod words;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use planner_core::facts::Arch;

use self::case::Case;
use self::proof::{Bench, Verdict};
use crate::{Failure, root, step};

/// How many QEMUs run at a time.
const WORKERS: usize = 2;

/// Runs every proof whose name contains `filter`.
pub(crate) fn run(filter: &str) -> Result<(), Failure> {
    let installed = qemu::version(Arch::Aarch64)?;
    let folder = proof::folder(&root());
    let mut cases = matrix::examples(installed)?;
    cases.extend(matrix::generated(installed));
    cases.retain(|case| case.name.contains(filter));
    step(&format!("QEMU {installed}: {} cases", cases.len()));
    let benches = (0..WORKERS)
        .map(|worker| Bench::new(folder.join(format!("worker-{worker}")), installed))
        .collect::<Result<Vec<_>, _>>()?;
    let verdicts = prove_all(&cases, &benches);
    report(&folder, &cases, &verdicts)
}

/// Proves all cases, each once, on all benches.
fn prove_all(cases: &[Case], benches: &[Bench]) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let work = |bench: &Bench| {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else { return done };
            done.push((index, bench.prove(case)));
        }
    };
    let mut done: Vec<(usize, Verdict)> = std::thread::scope(|scope| {
        let threads: Vec<_> = benches.iter().map(|bench| scope.spawn(|| work(bench))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a proof does not panic")).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, verdict)| verdict).collect()
}

/// Tells what came of the cases; a failure if anything is wrong.
fn report(folder: &Path, cases: &[Case], verdicts: &[Verdict]) -> Result<(), Failure> {
    let [mut as_planned, mut wrong, mut not_planned, mut not_here] = [0_usize; 4];
    let mut log = String::new();
    for (case, verdict) in cases.iter().zip(verdicts) {
        let name = &case.name;
        let text = match verdict {
            Verdict::AsPlanned => {
                as_planned += 1;
                format!("as planned    {name}\n")
            }
            Verdict::NotPlanned(why) => {
                not_planned += 1;
                format!("not planned   {name}: {why}\n")
            }
            Verdict::NotHere(why) => {
                not_here += 1;
                format!("not proved    {name}: {why}\n")
            }
            Verdict::Wrong { why, line } => {
                wrong += 1;
                format!("WRONG         {name}\n    {}\n    {line}\n", why.join("\n    "))
            }
        };
        if !matches!(verdict, Verdict::AsPlanned) {
            eprint!("{text}");
        }
        log.push_str(&text);
    }
    std::fs::write(folder.join("report.txt"), log)?;
    let started = as_planned + wrong;
    step(&format!(
        "{started} started, {as_planned} as planned; {not_planned} without a plan for QEMU, {not_here} not proved here"
    ));
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} are not as planned").into()) }
}
