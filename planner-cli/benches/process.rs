//! The command as a whole process: start, and from a capture to a plan, beside `gzip` and `tar` on the same archive.
//!
//! `cargo bench -p planner-cli --bench process [-- CAPTURE.tar.gz DEVICE]` prints the best and the middle of the runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 50;

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/qemu-virt-capture/host.tar.gz");
    let capture = words.next().map_or(example, PathBuf::from);
    let device = words.next().unwrap_or_else(|| "0000:02:00.0".into());
    let unpacked = unpack(&capture);
    let planner = env!("CARGO_BIN_EXE_planner");
    let plan = |host: &Path| {
        let mut command = Command::new(planner);
        command.arg("plan").arg(host).args(["--memory", "4G", "--pass", &device, "--json"]);
        command
    };
    println!("capture: {}", capture.display());
    print("planner --version", || Command::new(planner).arg("--version").stdout(Stdio::null()).status());
    print("tar.gz to plan", || silent(plan(&capture)).status());
    print("directory to plan", || silent(plan(&unpacked)).status());
    print("gzip -dc", || silent(with(&["gzip", "-dc"], &capture)).status());
    let folder = scratch("again");
    print("tar xzf", || silent(with(&["tar", "-C", &folder.to_string_lossy(), "-xzf"], &capture)).status());
}

fn with(words: &[&str], file: &Path) -> Command {
    let (program, rest) = words.split_first().expect("a program");
    let mut command = Command::new(program);
    command.args(rest).arg(file);
    command
}

fn silent(mut command: Command) -> Command {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn print(what: &str, mut run: impl FnMut() -> std::io::Result<std::process::ExitStatus>) {
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let status = run().expect("the process starts");
        times.push(start.elapsed());
        assert!(status.success(), "{what}: {status}");
    }
    times.sort_unstable();
    let milliseconds = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    println!("{what:<20} best {:>9}   middle {:>9}", milliseconds(times[0]), milliseconds(times[RUNS / 2]));
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder for scratch files");
    folder
}

/// The capture as a directory; the one folder that the archive holds, where it holds one.
fn unpack(capture: &Path) -> PathBuf {
    let folder = scratch("capture");
    let status =
        with(&["tar", "-C", &folder.to_string_lossy(), "-xzf"], capture).status().expect("tar starts");
    assert!(status.success(), "tar: {status}");
    let name = capture.file_name().expect("a file").to_string_lossy().replace(".tar.gz", "");
    let inner = std::fs::read_dir(&folder)
        .expect("it was made above")
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    let roots: Vec<PathBuf> = inner.filter(|path| path.join("sys").is_dir()).collect();
    let own = roots.iter().find(|path| path.ends_with(&name)).or(roots.first());
    own.cloned().unwrap_or(folder)
}
