//! `cargo xtask vmm-test`: what is emitted is given to the programs that it is for.
//!
//! [`matrix`] makes cases, [`case`] plans them, [`proof`] starts the emitted command line in a real QEMU without KVM
//! ([`replace`] says what stands in for what) and compares where memory, windows, interrupt controllers and modules are
//! with the plan. Nothing here needs `/dev/kvm` or a device. What is emitted for the other VMMs is checked by
//! [`documents`].

mod boot;
mod case;
mod compare;
mod device_tree;
mod documents;
mod initramfs;
mod iomem;
mod libvirt;
mod matrix;
mod memory_tree;
mod packages;
mod process;
mod proof;
mod qemu;
mod readconfig;
mod replace;
mod report;
mod shell;
mod unproved;
mod words;
mod xen;

use std::sync::atomic::{AtomicUsize, Ordering};

use planner_core::facts::Arch;
use planner_core::facts::guest::VmmKind;

use self::case::Case;
use self::libvirt::Libvirt;
use self::proof::{Bench, Verdict};
use crate::{Failure, root, step};

/// How many QEMUs run at a time.
const WORKERS: usize = 2;

/// The filter that leaves nothing but the boots.
const BOOT: &str = "boot";

/// The filter that leaves nothing but the overlays for Xen.
const XEN: &str = "xen";

/// Runs every proof whose name contains `filter`.
pub(crate) fn run(filter: &str) -> Result<(), Failure> {
    let installed = qemu::version(Arch::Aarch64)?;
    let folder = proof::folder(&root());
    if filter.is_empty() || filter == XEN {
        xen::run(&folder)?;
    }
    if filter == XEN {
        return unproved::print();
    }
    let mut cases = matrix::examples(installed)?;
    cases.extend(matrix::generated(installed));
    cases.retain(|case| case.name.contains(filter));
    if cases.is_empty() && filter != BOOT {
        return Err(format!(
            "no case has `{filter}` in its name; `{BOOT}` boots Linux only, `{XEN}` compiles overlays"
        )
        .into());
    }
    step(&format!("QEMU {installed}: {} cases", cases.len()));
    let benches = (0..WORKERS)
        .map(|worker| {
            let bench = Bench::new(folder.join(format!("worker-{worker}")), installed)?;
            Ok((bench, Libvirt::new(worker)?))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let proofs = prove_all(&cases, &benches);
    report::write(&folder, &cases, &proofs)?;
    if let Some((bench, _)) = benches.first().filter(|_| filter.is_empty() || filter == BOOT) {
        boot::run(&folder, bench, installed)?;
    }
    unproved::print()
}

/// What a case came to: QEMU's command line, its `-readconfig` file, libvirt's domain if there is one, and what was emitted
/// for other VMMs.
struct Proof {
    qemu: Verdict,
    readconfig: Option<Verdict>,
    libvirt: Option<Verdict>,
    others: Vec<(VmmKind, Verdict)>,
}

/// Proves all cases, each once, on all benches.
fn prove_all(cases: &[Case], benches: &[(Bench, Libvirt)]) -> Vec<Proof> {
    let next = AtomicUsize::new(0);
    let work = |bench: &(Bench, Libvirt)| {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(index) else { return done };
            done.push((index, prove(case, bench)));
        }
    };
    let mut done: Vec<(usize, Proof)> = std::thread::scope(|scope| {
        let threads: Vec<_> = benches.iter().map(|bench| scope.spawn(|| work(bench))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a proof does not panic")).collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, proof)| proof).collect()
}

fn prove(case: &Case, (bench, libvirt): &(Bench, Libvirt)) -> Proof {
    let others = documents::prove(case);
    match bench.plan(case) {
        Ok(plan) => Proof {
            others,
            qemu: bench.prove(&plan),
            readconfig: Some(bench.prove_readconfig(&plan)),
            libvirt: libvirt.prove(&plan, bench),
        },
        Err(verdict) => Proof { qemu: verdict, readconfig: None, libvirt: None, others },
    }
}
