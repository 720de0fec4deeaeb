//! crosvm's `--pci`, which is its machine in its own words: `mem=[start=0x4000000,size=0x20000000],cam=[start=0x10000]`
//! (arch/src/lib.rs, `PciConfig`).

use super::super::fixed::refusal;
use super::super::{VmmError, rules};
use crate::addr::{Address, Gpa};
use crate::facts::Arch;
use crate::size::Size;

/// What `--pci` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PciOption {
    /// `mem=`: the 32-bit window.
    pub mem: Option<PciRange>,
    /// `cam=` on arm64, `ecam=` on x86: the configuration space.
    pub configuration: Option<PciRange>,
}

/// `[start=,size=]` (arch/src/lib.rs, `MemoryRegionConfig`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PciRange {
    /// First address.
    pub start: Gpa,
    /// Its size; without one, as large as usual, or on x86 up to where it usually ends.
    pub size: Option<Size>,
}

impl PciOption {
    /// Takes the words apart.
    ///
    /// # Errors
    /// What crosvm prints when it cannot (serde_keyvalue/src/key_values.rs).
    pub fn read(machine: &str, arch: Arch) -> Result<Self, VmmError> {
        let mut option = Self::default();
        let space = if arch == Arch::X86_64 { "ecam" } else { "cam" };
        for word in parts(machine) {
            let Some((name, value)) = word.split_once('=') else {
                let text = format!("crosvm has no machine types, and {word:?} is asked for");
                return Err(refusal(rules::NO_MACHINES, text));
            };
            let range = range(value)?;
            match name.trim() {
                "mem" => option.mem = Some(range),
                name if name == space => option.configuration = Some(range),
                name => {
                    let text = format!("unknown field `{name}`, expected `{space}` or `mem`");
                    return Err(refusal(rules::CROSVM_WINDOW, text));
                }
            }
        }
        Ok(option)
    }
}

fn range(value: &str) -> Result<PciRange, VmmError> {
    let refuse = |text: String| refusal(rules::CROSVM_WINDOW, text);
    let inner = value.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.ok_or_else(|| refuse(format!("expected `[start=,size=]`, found `{value}`")))?;
    let (mut start, mut size) = (None, None);
    for member in inner.split(',').filter(|member| !member.trim().is_empty()) {
        let (name, text) = member.split_once('=').unwrap_or(("start", member));
        let number =
            number(text.trim()).ok_or_else(|| refuse(format!("expected a number, found `{text}`")))?;
        match name.trim() {
            "start" => start = Some(Gpa::new(number)),
            "size" => size = Some(Size::from_bytes(number)),
            name => return Err(refuse(format!("unknown field `{name}`, expected `start` or `size`"))),
        }
    }
    let start = start.ok_or_else(|| refuse("missing field `start`".to_owned()))?;
    Ok(PciRange { start, size })
}

/// Decimal, or hexadecimal behind `0x`; there are no units.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Words at commas outside of brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.extend(text.get(start..at));
                start = at.saturating_add(1);
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_crosvm_does() {
        let option =
            PciOption::read("mem=[start=0x4000000,size=536870912],cam=[start=0x20000]", Arch::Aarch64);
        let mem = PciRange { start: Gpa::at(0x400_0000), size: Some(Size::mib(512)) };
        let configuration = Some(PciRange { start: Gpa::at(0x2_0000), size: None });
        assert_eq!(option, Ok(PciOption { mem: Some(mem), configuration }));
    }

    #[test]
    fn refusals_name_the_fault() {
        for (machine, text) in [
            ("virt", "crosvm has no machine types, and \"virt\" is asked for"),
            ("ecam=[start=0]", "unknown field `ecam`, expected `cam` or `mem`"),
            ("mem=[size=1]", "missing field `start`"),
            ("mem=[start=1G]", "expected a number, found `1G`"),
            ("mem=[start=1,end=2]", "unknown field `end`, expected `start` or `size`"),
            ("mem=1", "expected `[start=,size=]`, found `1`"),
        ] {
            let refused = PciOption::read(machine, Arch::Aarch64).expect_err("refused");
            assert_eq!(refused.text, text);
        }
    }
}
