//! The devicetrees of all boards in Debian's arm64 kernels: downloaded, read, and counted a second time with dtc.
//!
//! `apt-get` fetches and checks the packages, with lists and settings of its own below `target/`, so that the machine's
//! are left alone. Needs `apt-get`, `dpkg-deb`, `tar`, `dtc`, `python3` and the network.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{Failure, root, step};

/// Where Debian's packages are, and the suites whose kernels hold devicetrees.
const MIRROR: &str = "http://deb.debian.org/debian";
const SUITES: [&str; 5] = ["bookworm", "bookworm-backports", "trixie", "trixie-backports", "sid"];
/// Distinct blobs that there must be at least, or something went wrong on the way.
const LEAST_BLOBS: usize = 1700;
/// How long one blob may take.
const GOAL: Duration = Duration::from_millis(20);

/// Downloads, reads and compares.
pub(crate) fn run() -> Result<(), Failure> {
    let folder = root().join("target/dtb-corpus");
    let blobs = folder.join("blobs");
    fs::create_dir_all(&blobs)?;
    let apt = Apt::new(&folder)?;
    step("asking the mirror for kernels");
    apt.get(&["update", "-q"])?;
    for package in apt.kernels()? {
        unpack(&apt, &package, &folder, &blobs)?;
    }
    compare(&blobs)
}

/// An apt of its own.
struct Apt {
    folder: PathBuf,
    options: Vec<String>,
}

impl Apt {
    fn new(folder: &Path) -> Result<Self, Failure> {
        let here = folder.join("apt");
        for inner in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(here.join(inner))?;
        }
        let sources = here.join("sources.list");
        let lines = SUITES.map(|suite| format!("deb [arch=arm64] {MIRROR} {suite} main\n"));
        fs::write(&sources, lines.concat())?;
        fs::write(here.join("status"), "")?;
        let path = |name: &str| here.join(name).display().to_string();
        let settings = [
            format!("Dir::Etc::sourcelist={}", sources.display()),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            format!("Dir::State={}", here.display()),
            format!("Dir::State::lists={}", path("lists")),
            format!("Dir::State::status={}", path("status")),
            format!("Dir::Cache={}", path("cache")),
            "APT::Architecture=arm64".to_owned(),
            "APT::Architectures=arm64".to_owned(),
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        let options = settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect();
        Ok(Self { folder: folder.to_owned(), options })
    }

    fn get(&self, arguments: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new("apt-get");
        command.args(&self.options).args(arguments).current_dir(&self.folder).stdout(Stdio::null());
        ran(&mut command, "apt-get").map_err(|why| format!("{why}: is the network there?").into())
    }

    fn cache(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = Command::new("apt-cache").args(&self.options).args(arguments).output()?;
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The kernel package of each suite, as the metapackage names it: `linux-image-6.12.95+deb12-arm64`.
    fn kernels(&self) -> Result<BTreeSet<String>, Failure> {
        let shown = self.cache(&["show", "--all-versions", "linux-image-arm64"])?;
        let depends = shown.lines().filter_map(|line| line.strip_prefix("Depends: "));
        let names = depends.flat_map(|line| line.split(", ")).filter_map(|word| word.split(' ').next());
        let kernels: BTreeSet<String> =
            names.filter(|name| name.starts_with("linux-image-")).map(str::to_owned).collect();
        if kernels.is_empty() { Err("the mirror names no kernels".into()) } else { Ok(kernels) }
    }
}

fn ran(command: &mut Command, name: &str) -> Result<(), Failure> {
    let status = command.status().map_err(|why| format!("{name} does not run: {why}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} failed with {status}").into()) }
}

/// Puts the blobs of a package into one folder, each content once, named by kernel, vendor and board.
fn unpack(apt: &Apt, package: &str, folder: &Path, blobs: &Path) -> Result<(), Failure> {
    let inside = folder.join(package);
    if !inside.is_dir() {
        step(&format!("fetching {package}"));
        apt.get(&["download", "-q", package])?;
        let archive = archive(folder, package)?;
        let partly = folder.join("partly");
        let _ = fs::remove_dir_all(&partly);
        fs::create_dir_all(&partly)?;
        let mut stream =
            Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&archive).stdout(Stdio::piped()).spawn()?;
        let input = stream.stdout.take().ok_or("dpkg-deb has no output")?;
        // tar fails where a package holds no blobs, which newer ones do not.
        let _ = Command::new("tar")
            .arg("-C")
            .arg(&partly)
            .args(["-x", "--wildcards", "*.dtb"])
            .stdin(input)
            .stderr(Stdio::null())
            .status()?;
        if !stream.wait()?.success() {
            return Err(format!("{} cannot be unpacked", archive.display()).into());
        }
        fs::remove_file(archive)?;
        fs::rename(partly, &inside)?;
    }
    let mut found = Vec::new();
    walk(&inside, &mut found)?;
    for path in found {
        let content = fs::read(&path)?;
        let digest: String =
            Sha256::digest(&content).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let board = path.file_stem().unwrap_or_default().to_string_lossy();
        fs::write(blobs.join(format!("{board}-{digest}.dtb")), content)?;
    }
    Ok(())
}

fn archive(folder: &Path, package: &str) -> Result<PathBuf, Failure> {
    let paths = fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let start = format!("{package}_");
    let is_it = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "deb")
            && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start))
    };
    paths.into_iter().find(is_it).ok_or_else(|| format!("apt-get left no archive of {package}").into())
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), found)?;
        } else {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// What both counts say of each blob.
fn compare(blobs: &Path) -> Result<(), Failure> {
    step("counting with dtc");
    let theirs = rows(Command::new("python3").arg(root().join("xtask/dtb_count.py")).arg(blobs))?;
    step("reading");
    let bench = ["bench", "--locked", "-q", "-p", "planner-core", "--bench", "fdt", "--"];
    let ours = rows(Command::new(env!("CARGO")).args(bench).arg(blobs).current_dir(root()))?;
    if theirs.len() < LEAST_BLOBS {
        return Err(format!("only {} blobs; there should be {LEAST_BLOBS}", theirs.len()).into());
    }
    let mut wrong = 0_usize;
    for (board, counts) in &theirs {
        let ours = ours.get(board).and_then(|row| row.get(..4));
        if ours != Some(counts) {
            wrong += 1;
            eprintln!("{board}: SMMUs, ITSs, frames, bridges are {counts:?}; read were {ours:?}");
        }
    }
    let mut times: Vec<(u64, &String)> =
        ours.iter().filter_map(|(board, row)| Some((row.get(4)?.parse().ok()?, board))).collect();
    times.sort_unstable_by(|one, other| other.cmp(one));
    for (micros, board) in times.iter().take(5) {
        eprintln!("{:>8.1?}  {board}", Duration::from_micros(*micros));
    }
    let slow = times.iter().filter(|(micros, _)| Duration::from_micros(*micros) >= GOAL).count();
    step(&format!("{} blobs, {wrong} counted differently, {slow} slower than {GOAL:?}", theirs.len()));
    if wrong == 0 && slow == 0 {
        Ok(())
    } else {
        Err("the devicetrees of Debian are not all read right".into())
    }
}

/// Rows of a command's output: first column to the others.
fn rows(command: &mut Command) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} failed with {}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let row = |line: &str| {
        let mut cells = line.split('\t').map(str::to_owned);
        Some((cells.next()?, cells.collect()))
    };
    Ok(text.lines().filter(|line| line.contains('\t')).filter_map(row).collect())
}
