//! A small Linux booted with an emitted configuration: what it finds is compared with the plan.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use planner_core::addr::Address;
use planner_core::emit::{self, Target};
use planner_core::facts::Arch;
use planner_core::plan::{PieceKind, Plan};
use planner_core::version::Version;
use planner_core::vmm::RegionKind;

use super::case::{Case, HostSource, Planned, Wanted};
use super::proof::Bench;
use super::{initramfs, iomem, packages, process, qemu, replace};
use crate::{Failure, step};

/// With TCG and UEFI a boot takes about ten seconds.
const LIMIT: Duration = Duration::from_secs(300);

/// Boots every guest.
pub(super) fn run(folder: &Path, bench: &Bench, installed: Version) -> Result<(), Failure> {
    for (case, debian, modules) in [(arm(installed), "arm64", 2), (pc(installed), "amd64", 1)] {
        let guest = packages::fetch(folder, debian)?;
        let plan = plan(&case, modules)?;
        let wrong = boot(folder, bench, &case.name, &plan, &guest)?;
        if !wrong.is_empty() {
            return Err(format!("{}: {}", case.name, wrong.join("\n    ")).into());
        }
        step(&format!("{}: /proc/iomem is as planned", case.name));
    }
    Ok(())
}

/// RAM in three pieces around two holes: boot memory and two modules, below the end of what the SMMU translates.
fn arm(installed: Version) -> Case {
    let host = "host \"boot\" {
        arch aarch64
        kernel linux 6.12 { page 4K }
        ipa 44 bits
        its its0 { frame 0x808_0000 + 128K }
        smmu smmu0 { model smmuv3  aperture 0x0..=0x1_8fff_ffff }
        root-complex pcie0 {
            smmu smmu0 { rid 0x0..=0xffff -> stream 0x0 }
            msi its0 { rid 0x0..=0xffff -> device-id 0x0 }
            device 01:00.0 { class 0200  bar 0 mem64 prefetchable 1M }
        }
        firmware low  0xa780_0000 + 346M reserved { devices 0000:01:00.0 }
        firmware high 0x1_3000_0000 + 1G reserved { devices 0000:01:00.0 }
    }";
    let guest = "guest \"boot test\" {
        vmm qemu { machine \"virt,gic-version=3\" }
        memory 3584M
        vcpus 2
        pass 0000:01:00.0
    }";
    case("arm64 boots with UEFI and RAM around two holes", host, guest, installed)
}

/// RAM below a hole that lies above 4 GiB, and a module beyond it.
fn pc(installed: Version) -> Case {
    let host = "host \"boot\" {
        arch x86_64
        kernel linux 6.12 { page 4K }
        ipa 40 bits
        smmu smmu0 { model intel-vtd  aperture 48 bits }
        root-complex pcie0 {
            smmu smmu0
            device 01:00.0 { class 0200  bar 0 mem64 prefetchable 1M }
        }
        firmware high 0x1_1260_0000 + 750M reserved { devices 0000:01:00.0 }
    }";
    let guest = "guest \"boot test\" {
        vmm qemu { machine q35 }
        memory 4G
        vcpus 2
        pass 0000:01:00.0
    }";
    case("q35 boots with RAM around a hole", host, guest, installed)
}

fn case(name: &str, host: &str, guest: &str, installed: Version) -> Case {
    Case {
        name: name.to_owned(),
        host: HostSource::Text(host.to_owned()),
        guest: guest.to_owned(),
        version: Some(installed),
        wanted: Wanted::Started,
    }
}

/// The plan of a case, which must have so many modules: with fewer it would prove too little.
fn plan(case: &Case, modules: usize) -> Result<Plan, Failure> {
    let plan = match case.plan()? {
        Planned::Plan(plan) => plan,
        Planned::Nothing(why) => return Err(format!("{}: not planned: {why}", case.name).into()),
    };
    let planned = plan.ram.iter().filter(|piece| piece.kind == PieceKind::Dimm).count();
    if planned != modules {
        return Err(format!("{}: the plan has {planned} modules, not {modules}", case.name).into());
    }
    Ok(*plan)
}

/// Boots a plan; what is not as planned.
fn boot(
    folder: &Path,
    bench: &Bench,
    name: &str,
    plan: &Plan,
    guest: &packages::Boot,
) -> Result<Vec<String>, Failure> {
    let files = emit::emit(plan, Target::Qemu).map_err(|why| why.to_string())?;
    let words = bench.words(files.first().map_or("", |file| &file.text))?;
    let mut line = replace::startable(&words, plan)?;
    let arch = plan.guest.arch;
    let serial = folder.join(format!("boot-{arch}.txt"));
    let initrd = bench.folder.join("initramfs");
    fs::write(&initrd, initramfs::archive(&fs::read(&guest.busybox)?))?;
    fs::write(&serial, "")?;
    if let Some(at) = line.iter().position(|word| word == "null") {
        line[at] = format!("file:{}", serial.display());
    }
    let mut command = Command::new(qemu::program(arch));
    command.args(line).args(["-monitor", "none", "-no-reboot", "-append", &append(plan)]);
    command.arg("-kernel").arg(&guest.kernel).arg("-initrd").arg(&initrd);
    step(&format!("{name}: waiting at most {} s, console in {}", LIMIT.as_secs(), serial.display()));
    let done = process::run(&mut command, &bench.folder, "", LIMIT)?;
    let console = String::from_utf8_lossy(&fs::read(&serial)?).replace('\r', "");
    judge(plan, &console).ok_or_else(|| {
        let tail: Vec<&str> = console.lines().rev().take(5).collect();
        format!("{name}: it did not come up: {}\n{}", done.stderr.trim(), tail.join("\n")).into()
    })
}

/// A guest that fails restarts at once, which `-no-reboot` turns into an end.
fn append(plan: &Plan) -> String {
    let console = if plan.guest.arch == Arch::Aarch64 { "ttyAMA0" } else { "ttyS0" };
    format!("console={console} memhp_default_state=online panic=-1")
}

/// What the console shows that is not as planned; `None` if it does not show all.
fn judge(plan: &Plan, console: &str) -> Option<Vec<String>> {
    let (log, rest) = console.split_once(&format!("\n{}\n", initramfs::BEGIN))?;
    let (resources, _) = rest.split_once(&format!("\n{}", initramfs::END))?;
    let mut found = iomem::differences(plan, &iomem::resources(resources));
    // drivers/irqchip/irq-gic-v3-its.c, its_probe_one; it claims no resource.
    for region in plan.regions.iter().filter(|region| region.kind == RegionKind::Its) {
        let (first, last) = (region.span.first(), region.span.last());
        let expected = format!("ITS [mem {:#010x}-{:#010x}]", first.get(), last.get());
        if !log.contains(&expected) {
            found.push(format!("the kernel's log has no `{expected}`"));
        }
    }
    Some(found)
}
