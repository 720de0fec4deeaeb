//! A bug of the planner ends with a message that says so, and with exit status 3.

use std::io::Write;
use std::panic::PanicHookInfo;

/// Exit status of a bug.
const BUG: i32 = 3;

/// From now on a panic prints where it was and ends the process.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        // Not eprint!: a closed stderr would make it panic again.
        let _ = std::io::stderr().write_all(message(panic).as_bytes());
        std::process::exit(BUG);
    }));
}

fn message(panic: &PanicHookInfo<'_>) -> String {
    let what = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
    told(&format!("{what} ({place})"))
}

/// The message about a bug.
pub(crate) fn told(what: &str) -> String {
    format!(
        "error: this is a bug in planner {}: {what}\n  = help: please report it, with the input if you can\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    const PANICKING: &str = "PLANNER_TEST_PANICS";

    #[test]
    fn a_panic_ends_with_status_three() {
        if std::env::var_os(PANICKING).is_some() {
            super::install();
            panic!("page {}", 7);
        }
        // The hook ends its process, so this test runs itself in another one.
        let test = std::env::current_exe().unwrap();
        let itself = ["--exact", "crash::tests::a_panic_ends_with_status_three", "--nocapture"];
        let output = Command::new(test).args(itself).env(PANICKING, "1").output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("this is a bug in planner"), "{told}");
        assert!(told.contains("page 7 (planner-cli/src/crash.rs:"), "{told}");
    }
}
