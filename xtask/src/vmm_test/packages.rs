//! A guest kernel and busybox from Debian, fetched by apt, which checks the signatures of the archive.
//!
//! apt gets a state of its own below `target/`, so that nothing is installed and no architecture is added to the system.
//! The cloud flavour of the kernel is taken: Debian's others have no `CONFIG_ACPI_HOTPLUG_MEMORY` on arm64 (6.1, 6.12 and
//! 7.2 were looked at), and without it Linux ignores memory modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::process::{self, Done};
use crate::{Failure, step};

const LIMIT: Duration = Duration::from_secs(300);

/// What a guest boots.
pub(super) struct Boot {
    /// The kernel.
    pub(super) kernel: PathBuf,
    /// A statically linked busybox.
    pub(super) busybox: PathBuf,
}

/// The kernel and busybox for an architecture in Debian's words (`arm64`); kept from an earlier run if they are there.
pub(super) fn fetch(folder: &Path, debian: &str) -> Result<Boot, Failure> {
    let folder = folder.join(format!("guest-{debian}"));
    let boot = Boot { kernel: folder.join("kernel"), busybox: folder.join("busybox") };
    if !boot.kernel.is_file() || !boot.busybox.is_file() {
        step(&format!(
            "fetching a kernel and busybox for {debian} from Debian with apt, at most 300 s a step"
        ));
        fetch_anew(&folder, debian, &boot)?;
    }
    for path in [&boot.kernel, &boot.busybox] {
        let sum: String = Sha256::digest(fs::read(path)?).iter().map(|byte| format!("{byte:02x}")).collect();
        step(&format!("{}: sha256 {sum}", path.display()));
    }
    Ok(boot)
}

fn fetch_anew(folder: &Path, debian: &str, boot: &Boot) -> Result<(), Failure> {
    let apt = Apt::new(folder.join("apt"), debian)?;
    apt.run("apt-get", &["update"])?;
    let mut packages = apt.kernel(&format!("linux-image-cloud-{debian}"))?;
    packages.push("busybox-static".to_owned());
    step(&format!("packages: {}", packages.join(" ")));
    let names: Vec<&str> = ["download"].into_iter().chain(packages.iter().map(String::as_str)).collect();
    apt.run("apt-get", &names)?;
    let unpacked = folder.join("unpacked");
    for entry in fs::read_dir(&apt.folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "deb") {
            let mut unpack = Command::new("dpkg-deb");
            run(unpack.arg("-x").arg(&path).arg(&unpacked), folder)?;
        }
    }
    // Until Debian 13 in /boot, later below /usr/lib/modules.
    let kernel = find(&unpacked, &is_kernel)?.ok_or("no package has a kernel")?;
    fs::rename(kernel, &boot.kernel)?;
    let busybox = find(&unpacked, &|path| path.ends_with("bin/busybox"))?.ok_or("no package has busybox")?;
    fs::rename(busybox, &boot.busybox)?;
    fs::remove_dir_all(unpacked)?;
    Ok(())
}

/// An apt for another architecture.
struct Apt {
    folder: PathBuf,
    config: PathBuf,
}

impl Apt {
    fn new(folder: PathBuf, debian: &str) -> Result<Self, Failure> {
        fs::create_dir_all(folder.join("state/lists/partial"))?;
        fs::create_dir_all(folder.join("cache/archives/partial"))?;
        fs::write(folder.join("status"), "")?;
        let at = folder.display();
        let config = folder.join("apt.conf");
        let text = format!(
            "APT::Architecture \"{debian}\";\nAPT::Architectures {{ \"{debian}\"; }};\nAPT::Sandbox::User \"root\";\n\
             Dir::State \"{at}/state\";\nDir::State::status \"{at}/status\";\nDir::Cache \"{at}/cache\";\n\
             Acquire::Languages \"none\";\nAcquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n"
        );
        fs::write(&config, text)?;
        Ok(Self { folder, config })
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<Done, Failure> {
        let mut command = Command::new(program);
        // Without a locale the words that are looked for below are English.
        command.args(arguments).env("APT_CONFIG", &self.config).env("LC_ALL", "C");
        run(&mut command, &self.folder)
    }

    /// The packages that hold the kernel of a metapackage: one, or since Debian 14 one more below it.
    fn kernel(&self, metapackage: &str) -> Result<Vec<String>, Failure> {
        let mut packages = vec![metapackage.to_owned()];
        for depth in 0..2 {
            let Some(last) = packages.get(depth) else { break };
            let done = self.run("apt-cache", &["depends", "--important", last])?;
            let names = done.stdout.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
            let is_kernel =
                |name: &str| name.starts_with("linux-image-") || name.starts_with("linux-binary-");
            let next = names.map(str::to_owned).find(|name| is_kernel(name));
            packages.extend(next);
        }
        Ok(packages)
    }
}

fn run(command: &mut Command, folder: &Path) -> Result<Done, Failure> {
    let name = format!("{command:?}");
    let done = process::run(command, folder, "", LIMIT)?;
    if done.success { Ok(done) } else { Err(format!("{name}: {}", done.stderr.trim()).into()) }
}

fn is_kernel(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("vmlinuz"))
}

/// The first file below a folder whose path will do.
fn find(folder: &Path, will_do: &dyn Fn(&Path) -> bool) -> Result<Option<PathBuf>, Failure> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            if let Some(found) = find(&path, will_do)? {
                return Ok(Some(found));
            }
        } else if kind.is_file() && will_do(&path) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
