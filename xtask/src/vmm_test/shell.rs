//! The words of an emitted command, as a POSIX shell makes them of it: the text is run by `sh` with a program of the same
//! name in front of the real one that does nothing but print its arguments.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// Prints every argument, a NUL behind each.
const STUB: &str = "#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n";

/// Writes the stand-ins for these programs into a folder.
pub(super) fn write_stubs(folder: &Path, programs: &[&str]) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    for program in programs {
        let path = folder.join(program);
        fs::write(&path, STUB)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// The arguments that the command gives its program. Nothing but the stand-ins in `folder` can be run by it.
///
/// # Errors
/// When the shell finds fault with the text, or the text does anything but call a program.
pub(super) fn words(text: &str, folder: &Path) -> Result<Vec<String>, Failure> {
    let mut shell = Command::new("/bin/sh")
        .current_dir(folder)
        .env_clear()
        .env("PATH", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = shell.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let output = shell.wait_with_output()?;
    if !output.status.success() || !output.stderr.is_empty() {
        return Err(format!("the shell refuses it: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let printed = String::from_utf8(output.stdout)?;
    let printed = printed.strip_suffix('\0').ok_or("the command has no arguments")?;
    Ok(printed.split('\0').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_takes_quotes_off_and_runs_nothing_else() {
        let folder = std::env::temp_dir().join(format!("vmm-test-shell-{}", std::process::id()));
        write_stubs(&folder, &["vmm"]).unwrap();
        assert_eq!(
            words("# c\nvmm -a 'b c' \\\n  'd'\\''$(e)'\n", &folder).unwrap(),
            ["-a", "b c", "d'$(e)"]
        );
        assert!(words("vmm 'a\n", &folder).is_err());
        assert!(words("vmm a; touch b\n", &folder).is_err());
        assert!(words("true\n", &folder).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
