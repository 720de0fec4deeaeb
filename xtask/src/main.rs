//! Jobs of several steps: `cargo xtask web`, `serve`, `web-test`, `dtb-corpus` and `vmm-test`.

mod bundle;
mod dtb_corpus;
mod policy;
mod serve;
mod vmm_test;
mod web_test;
mod webdriver;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why a job stopped, in words for the person at the terminal.
pub(crate) type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "\
usage: cargo xtask JOB

  web                  build the browser planner into web/dist
  serve [--port N]     serve web/dist on 127.0.0.1 (port 8080 unless told otherwise; 0 takes a free one)
  web-test             build, serve, and drive a headless Chromium through the page
  dtb-corpus           read every devicetree of Debian's arm64 kernels (downloads some 300 MB into target/)
  vmm-test [TEXT]      start what is emitted in QEMU and libvirt and compare it with the plans; only cases with TEXT
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["web"] => bundle::build(),
        ["serve"] => serve::forever(8080),
        ["serve", "--port", port] => {
            port.parse().map_err(|why| format!("`{port}` is no port: {why}").into()).and_then(serve::forever)
        }
        ["web-test"] => web_test::run(),
        ["dtb-corpus"] => dtb_corpus::run(),
        ["vmm-test"] => vmm_test::run(""),
        ["vmm-test", filter] => vmm_test::run(filter),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace, wherever cargo was called.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Prints a step of a job.
pub(crate) fn step(text: &str) {
    eprintln!("xtask: {text}");
}
