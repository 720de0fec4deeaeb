//! A program that is given its input at once, and a limit: it is killed when it takes longer.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// How often a running program is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// What a program left behind.
pub(super) struct Done {
    /// Whether it ended with status 0.
    pub(super) success: bool,
    /// Standard output.
    pub(super) stdout: String,
    /// Standard error.
    pub(super) stderr: String,
}

/// Runs a program in a folder.
///
/// # Errors
/// When it cannot be started or does not end in time.
pub(super) fn run(
    command: &mut Command,
    folder: &Path,
    input: &str,
    limit: Duration,
) -> Result<Done, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| format!("{name} cannot be started: {why}"))?;
    let mut child = Killed(child);
    // A program that has ended already reads nothing; what it says on its standard error tells why.
    let _ = child.0.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let stdout = gather(child.0.stdout.take());
    let stderr = gather(child.0.stderr.take());
    let end = Instant::now() + limit;
    let status = loop {
        match child.0.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() > end => break None,
            None => std::thread::sleep(GLANCE),
        }
    };
    drop(child);
    let [stdout, stderr] = [stdout, stderr].map(|thread| thread.join().unwrap_or_default());
    match status {
        Some(status) => Ok(Done { success: status.success(), stdout, stderr }),
        None => Err(format!("{name} did not end within {} s; it said: {stderr}", limit.as_secs()).into()),
    }
}

/// A child that does not outlive its owner.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn gather(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks ends what there is to read.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
