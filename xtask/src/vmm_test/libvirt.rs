//! An emitted domain, checked against libvirt's own schema, turned into QEMU's arguments by libvirt, and started.
//!
//! libvirt runs inside `virsh` (`qemu:///embed`), without a daemon, as a user who owns nothing. It looks at the host, so it
//! gets the domain without what this machine lacks: KVM, host devices, huge pages, host NUMA nodes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use planner_core::emit::{self, Target};
use planner_core::facts::Arch;
use planner_core::plan::Plan;
use planner_core::version::Version;

use super::process::{self, Done};
use super::proof::{Bench, Verdict, Writer};
use super::replace;
use super::words::Properties;
use crate::Failure;

const LIMIT: Duration = Duration::from_secs(60);

/// Where Debian's libvirt-daemon or libvirt-common puts it.
const SCHEMA: &str = "/usr/share/libvirt/schemas/domain.rng";

/// User and group of Debian's `nobody` and `nogroup` (base-passwd).
const NOBODY: &str = "65534";

/// Elements that are left out, with all that is in them.
const LEFT_OUT: &[&str] = &["hostdev", "memoryBacking", "numatune"];

/// Arguments of libvirt that the memory map depends on. The rest is sockets, logs and a sandbox.
const KEPT: &[&str] =
    &["-name", "-machine", "-accel", "-cpu", "-m", "-smp", "-numa", "-global", "-object", "-device"];

/// libvirt 9.0 knows no CPU of riscv64, and so no NUMA there, whose cells are part of it.
const NO_CPU_DRIVER: &str = "architecture is not supported by CPU driver";

/// Devices that the memory map depends on, or that others stand behind.
const DEVICES: &[&str] =
    &["pc-dimm", "intel-iommu", "virtio-iommu", "virtio-iommu-pci", "pcie-root-port", "pxb-pcie"];

/// A libvirt of its own, with a folder that its user can write.
pub(super) struct Libvirt {
    folder: PathBuf,
    installed: Version,
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        // Left behind it does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Libvirt {
    /// Prepares a folder below the system's temporary one, which every user can reach.
    pub(super) fn new(worker: usize) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("vmm-test-{}-{worker}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let done = run(Command::new("virsh").arg("--version"), &folder)?;
        let installed = done.stdout.trim().parse().map_err(|why| format!("virsh --version: {why}"))?;
        let libvirt = Self { folder, installed };
        if is_root()? {
            run(Command::new("chown").arg(NOBODY).arg(&libvirt.folder), &libvirt.folder)?;
        }
        Ok(libvirt)
    }

    /// Proves the domain of a plan as it is written for the installed libvirt; `None` when there is none, which the
    /// emitter has said.
    pub(super) fn prove(&self, plan: &Plan, bench: &Bench) -> Option<Verdict> {
        let mut plan = plan.clone();
        plan.guest.libvirt = Some(self.installed);
        let plan = &plan;
        let files = emit::emit(plan, Target::Libvirt).ok()?;
        let domain = &files.first()?.text;
        Some(match self.arguments(plan, domain) {
            Err(why) => Verdict::Wrong { why: vec![why.to_string()], line: domain.clone() },
            Ok(Err(why)) => Verdict::NotHere(why),
            Ok(Ok(words)) => bench.prove_words(plan, &words, Writer::Libvirt),
        })
    }

    /// The arguments that libvirt makes of a domain, as far as they matter; or why this machine cannot have it.
    fn arguments(&self, plan: &Plan, domain: &str) -> Result<Result<Vec<String>, String>, Failure> {
        let path = self.folder.join("domain.xml");
        fs::write(&path, domain)?;
        let mut xmllint = Command::new("xmllint");
        run(xmllint.args(["--noout", "--relaxng", SCHEMA]).arg(&path), &self.folder)
            .map_err(|why| format!("the schema refuses it: {why}"))?;
        let cpu = match replace::emulated(plan) {
            Ok(cpu) => cpu,
            Err(why) => return Ok(Err(why)),
        };
        fs::write(&path, reduced(domain, plan.guest.arch, cpu))?;
        let done = run(self.virsh()?.arg("domxml-to-native").arg("qemu-argv").arg(&path), &self.folder);
        let done = match done {
            Ok(done) => done,
            Err(why) if why.to_string().contains(NO_CPU_DRIVER) => return Ok(Err(why.to_string())),
            Err(why) => return Err(format!("libvirt refuses it: {why}").into()),
        };
        let words = shlex::split(&done.stdout).ok_or("libvirt's arguments are no words of a shell")?;
        Ok(Ok(kept(&words, wants_firmware(domain))))
    }

    fn virsh(&self) -> Result<Command, Failure> {
        let mut command = Command::new(if is_root()? { "setpriv" } else { "virsh" });
        if is_root()? {
            let group = format!("--regid={NOBODY}");
            command.args([&format!("--reuid={NOBODY}"), &group, "--clear-groups", "virsh"]);
        }
        command.env("HOME", &self.folder).env("XDG_RUNTIME_DIR", &self.folder).env_remove("XDG_CACHE_HOME");
        command.args(["-q", "-c", &format!("qemu:///embed?root={}/root", self.folder.display())]);
        Ok(command)
    }
}

fn is_root() -> Result<bool, Failure> {
    let done = process::run(Command::new("id").arg("-u"), Path::new("/"), "", LIMIT)?;
    Ok(done.stdout.trim() == "0")
}

fn run(command: &mut Command, folder: &Path) -> Result<Done, Failure> {
    let done = process::run(command, folder, "", LIMIT)?;
    if done.success {
        return Ok(done);
    }
    // libvirt's log is in it too, each line with a date in front.
    let lines: Vec<&str> = done.stderr.lines().filter(|line| !line.starts_with("20")).collect();
    Err(lines.join("; ").into())
}

/// The domain without what this machine lacks. Emitted domains have an element a line.
fn reduced(domain: &str, arch: Arch, cpu: &str) -> String {
    let mut text = String::new();
    let mut inside: Option<&str> = None;
    for line in domain.lines() {
        let element = line.trim();
        if let Some(name) = inside {
            if element == format!("</{name}>") {
                inside = None;
            }
            continue;
        }
        let opens = LEFT_OUT.iter().find(|name| element.starts_with(&format!("<{name}")));
        if let Some(name) = opens {
            inside = (!element.ends_with("/>") && !element.contains("</")).then_some(*name);
            continue;
        }
        text.push_str(&without_kvm(line, arch, cpu));
        text.push('\n');
    }
    text
}

/// The type of the domain and its CPU, which libvirt describes by a model and a vendor of their own.
fn without_kvm(line: &str, arch: Arch, cpu: &str) -> String {
    let model = cpu.split(',').next().unwrap_or_default();
    // The vendor of x86 is left to QEMU: it matters from 1012 GiB on, which TCG's 40 address bits do not reach with room.
    let model = format!("<cpu mode=\"custom\"><model>{model}</model>");
    if arch == Arch::Riscv64 && line.trim() == "<cpu mode=\"host-passthrough\"/>" {
        return String::new();
    }
    line.replace("<domain type=\"kvm\"", "<domain type=\"qemu\"")
        .replace("<cpu mode=\"host-passthrough\"/>", &format!("{model}</cpu>"))
        .replace("<cpu mode=\"host-passthrough\">", &model)
}

/// Whether the domain asks for UEFI firmware.
fn wants_firmware(domain: &str) -> bool {
    domain.contains("<os firmware=\"efi\"")
}

/// The arguments that matter. Firmware that libvirt found is given as this test gives it everywhere: libvirt's own is
/// written to when the domain starts, which it does not.
fn kept(words: &[String], firmware: bool) -> Vec<String> {
    let mut kept = vec!["-nodefaults".to_owned()];
    for pair in words.windows(2) {
        let [flag, value] = pair else { continue };
        if !KEPT.contains(&flag.as_str()) || value.starts_with('-') {
            continue;
        }
        let mut properties = Properties::read(value);
        let matters = match flag.as_str() {
            "-object" => properties.head().starts_with("memory-backend"),
            "-device" => DEVICES.contains(&properties.head()),
            _ => true,
        };
        if flag == "-machine" {
            properties.remove("pflash0");
            properties.remove("pflash1");
        }
        if matters {
            kept.extend([flag.clone(), properties.write()]);
        }
    }
    if firmware {
        for (unit, file) in [(0, "readonly=on,file=AAVMF_CODE.fd"), (1, "file=AAVMF_VARS.fd")] {
            kept.extend(["-drive".to_owned(), format!("if=pflash,format=raw,unit={unit},{file}")]);
        }
    }
    kept.extend(["-display".to_owned(), "none".to_owned()]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_loses_what_this_machine_lacks() {
        let domain = "\
<domain type=\"kvm\">
  <memoryBacking>
    <hugepages/>
  </memoryBacking>
  <cpu mode=\"host-passthrough\"/>
  <devices>
    <hostdev mode=\"subsystem\">
      <source/>
    </hostdev>
    <memory model=\"dimm\"/>
  </devices>
</domain>
";
        assert_eq!(
            reduced(domain, Arch::Aarch64, "cortex-a57"),
            "<domain type=\"qemu\">\n  <cpu mode=\"custom\"><model>cortex-a57</model></cpu>\n  <devices>\n    \
             <memory model=\"dimm\"/>\n  </devices>\n</domain>\n"
        );
        assert!(!reduced(domain, Arch::Riscv64, "rv64").contains("<cpu"));
    }

    #[test]
    fn arguments_that_matter_are_kept() {
        let words = [
            "/usr/bin/qemu-system-aarch64",
            "-S",
            "-object",
            r#"{"qom-type":"secret","id":"masterKey0"}"#,
            "-machine",
            "virt-7.2,pflash0=a,gic-version=3",
            "-object",
            r#"{"qom-type":"memory-backend-ram","id":"ram","size":4096}"#,
            "-mon",
            "chardev=charmonitor",
        ];
        let words = words.map(str::to_owned);
        assert_eq!(
            kept(&words, true).join(" "),
            "-nodefaults -machine virt-7.2,gic-version=3 -object memory-backend-ram,id=ram,size=4096 \
             -drive if=pflash,format=raw,unit=0,readonly=on,file=AAVMF_CODE.fd \
             -drive if=pflash,format=raw,unit=1,file=AAVMF_VARS.fd -display none"
        );
    }
}
