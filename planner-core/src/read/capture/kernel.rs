//! Which kernel runs on the host: release, architecture, page size and the two switches that matter.

use super::codes;
use super::log::{Log, quoted};
use super::text::{first_line, text};
use super::tree::Tree;
use crate::diag::{Diagnostic, Origin};
use crate::facts::Arch;
use crate::facts::host::KernelFact;
use crate::size::PageSize;
use crate::version::KernelVersion;

/// The kernel, if the capture says its release.
pub(super) fn kernel(tree: &Tree, arch: Option<Arch>, log: &mut Log) -> Option<KernelFact> {
    let Some((version, release, path)) = release(tree) else {
        let message = "no file of the capture tells the kernel's release";
        let diagnostic = Diagnostic::new(&codes::NO_KERNEL, Origin::file("proc/version"), message);
        log.push(diagnostic.help("say which kernel runs there: `--kernel 6.12`"));
        return None;
    };
    let page_size = page_size(tree, arch, &release);
    if page_size.is_none() {
        let message = format!("nothing in the capture tells the page size of {}", quoted(&release));
        let diagnostic = Diagnostic::new(&codes::NO_PAGE_SIZE, Origin::file(path), message);
        log.push(diagnostic.help("say it with `--page 4K`, `--page 16K` or `--page 64K`"));
    }
    Some(KernelFact {
        version,
        page_size,
        va_bits: None,
        iommufd: (tree.exists("sys/module/iommufd") || tree.exists("sys/class/misc/iommu")).then_some(true),
        unsafe_interrupts: unsafe_interrupts(tree),
        origin: Origin::line(&path.into(), 1),
    })
}

/// Release with the file that tells it.
fn release(tree: &Tree) -> Option<(KernelVersion, String, &'static str)> {
    // `Linux version 7.3.4+deb13-arm64 (…)`, `7.3.4+deb13-arm64`, `Linux NAME 7.3.4+deb13-arm64 #1 …`.
    let places = [("proc/version", 2), ("proc/sys/kernel/osrelease", 0), ("uname.txt", 2)];
    places.into_iter().find_map(|(path, word)| {
        let release = first_line(tree, path)?.split_whitespace().nth(word)?.to_owned();
        Some((KernelVersion::from_release(&release)?, release, path))
    })
}

/// The architecture.
pub(super) fn arch(tree: &Tree, log: &mut Log) -> Option<Arch> {
    let arch = said_arch(tree).or_else(|| cpuinfo_arch(tree)).or_else(|| version_arch(tree));
    if arch.is_none() {
        let message = "no file of the capture tells the architecture";
        log.push(Diagnostic::new(&codes::NO_ARCH, Origin::file("proc/version"), message));
    }
    arch
}

/// From `uname -m`: alone in `proc/sys/kernel/arch`, or a word of `uname -a`, whose last words are machine and system.
fn said_arch(tree: &Tree) -> Option<Arch> {
    ["proc/sys/kernel/arch", "uname.txt"].into_iter().find_map(|path| {
        first_line(tree, path)?
            .split_whitespace()
            .rev()
            .find_map(|word| crate::facts::value_of(&Arch::WORDS, word))
    })
}

/// From the fields that only one architecture prints (`c_show` in arch/*/kernel/, or arch/x86/kernel/cpu/proc.c).
fn cpuinfo_arch(tree: &Tree) -> Option<Arch> {
    text(tree, "proc/cpuinfo")?.lines().find_map(|line| match line.split(':').next()?.trim() {
        "vendor_id" => Some(Arch::X86_64),
        "CPU implementer" => Some(Arch::Aarch64),
        "hart" => Some(Arch::Riscv64),
        _ => None,
    })
}

/// From the name of the compiler or the suffix of the release in `proc/version`.
fn version_arch(tree: &Tree) -> Option<Arch> {
    let version = first_line(tree, "proc/version")?;
    let marks = [
        ("aarch64", Arch::Aarch64),
        ("arm64", Arch::Aarch64),
        ("x86_64", Arch::X86_64),
        ("amd64", Arch::X86_64),
        ("riscv64", Arch::Riscv64),
    ];
    marks.into_iter().find(|(mark, _)| version.contains(mark)).map(|(_, arch)| arch)
}

/// Guest-physical address bits of an x86 host: what `address sizes` in `proc/cpuinfo` says.
pub(super) fn physical_bits(tree: &Tree) -> Option<u8> {
    let text = text(tree, "proc/cpuinfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("address sizes"))?;
    let bits = line.trim_start().strip_prefix(':')?.split_whitespace().next()?.parse().ok()?;
    (32..=64).contains(&bits).then_some(bits)
}

fn page_size(tree: &Tree, arch: Option<Arch>, release: &str) -> Option<PageSize> {
    match arch {
        // arch/x86 and arch/riscv know no other.
        Some(Arch::X86_64 | Arch::Riscv64) => Some(PageSize::K4),
        Some(Arch::Aarch64) => counted_page_size(tree).or_else(|| named_page_size(release)),
        None => None,
    }
}

/// From the suffix that distributions give: Debian `-arm64-16k`, Fedora `+16k`, Ubuntu `-generic-64k`, RHEL `+64k`.
fn named_page_size(release: &str) -> Option<PageSize> {
    [("16k", PageSize::K16), ("64k", PageSize::K64)]
        .into_iter()
        .find(|(suffix, _)| release.ends_with(suffix))
        .map(|(_, page)| page)
}

/// From `proc/meminfo`: these amounts are numbers of pages, printed in KiB (meminfo_proc_show in fs/proc/meminfo.c), so
/// their greatest common divisor is a multiple of the page size, and with some ten of them almost surely the page size.
fn counted_page_size(tree: &Tree) -> Option<PageSize> {
    const FIELDS: [&str; 16] = [
        "MemTotal",
        "MemFree",
        "Buffers",
        "Cached",
        "Active",
        "Inactive",
        "Active(anon)",
        "Inactive(anon)",
        "AnonPages",
        "Mapped",
        "Shmem",
        "KReclaimable",
        "SReclaimable",
        "SUnreclaim",
        "PageTables",
        "Slab",
    ];
    /// Fewer amounts than this prove too little: with 4 KiB pages, six are all multiples of 16 KiB by chance 1 in 4096.
    const ENOUGH: usize = 6;
    let text = text(tree, "proc/meminfo")?;
    let amounts: Vec<u64> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(field, _)| FIELDS.contains(field))
        .filter_map(|(_, amount)| amount.trim().strip_suffix(" kB")?.trim().parse().ok())
        .filter(|&kib| kib != 0)
        .collect();
    let shift = amounts.iter().map(|kib| kib.trailing_zeros()).min().filter(|_| amounts.len() >= ENOUGH)?;
    match shift {
        2 | 3 => Some(PageSize::K4),
        4 | 5 => Some(PageSize::K16),
        6.. => Some(PageSize::K64),
        _ => None,
    }
}

/// Whether `allow_unsafe_interrupts` is set for either module: what sysfs says, else what the command line asked for.
fn unsafe_interrupts(tree: &Tree) -> Option<bool> {
    const MODULES: [&str; 2] = ["vfio_iommu_type1", "iommufd"];
    let now = MODULES.into_iter().filter_map(|module| {
        first_line(tree, &format!("sys/module/{module}/parameters/allow_unsafe_interrupts"))
            .and_then(|line| switch(&line))
    });
    let command_line = first_line(tree, "proc/cmdline").unwrap_or_default();
    let mut asked = command_line.split_whitespace().filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        let (module, parameter) = name.split_once('.')?;
        (MODULES.contains(&module) && parameter == "allow_unsafe_interrupts").then(|| switch(value)).flatten()
    });
    now.reduce(|one, other| one || other).or_else(|| asked.next_back())
}

/// A boolean module parameter (`kstrtobool` in lib/kstrtox.c).
fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "1" | "on" | "t" | "true" => Some(true),
        "n" | "no" | "0" | "off" | "f" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::capture::Node;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, content) in files {
            tree.insert(*path, Node::File(content.as_bytes().to_vec()));
        }
        tree
    }

    #[test]
    fn amounts_of_memory_tell_the_page_size() {
        let meminfo = |amounts: &[u64]| {
            let fields = ["MemTotal", "MemFree", "Cached", "Active", "Mapped", "Slab", "VmallocTotal"];
            let lines = fields.iter().zip(amounts).map(|(field, kib)| format!("{field}: {kib} kB\n"));
            counted_page_size(&tree(&[("proc/meminfo", &lines.collect::<String>())]))
        };
        assert_eq!(meminfo(&[4000, 300, 20, 16, 8, 4]), Some(PageSize::K4));
        assert_eq!(meminfo(&[4000, 320, 16, 32, 48, 64]), Some(PageSize::K16));
        assert_eq!(meminfo(&[64000, 640, 128, 64, 192, 256]), Some(PageSize::K64));
        // Amounts of zero prove nothing, and neither do others than those counted in pages.
        assert_eq!(meminfo(&[4000, 320, 16, 32, 48, 0]), None);
        assert_eq!(meminfo(&[64000, 640, 128, 64, 192, 256, 3]), Some(PageSize::K64));
        assert_eq!(meminfo(&[4001, 320, 16, 32, 48, 64]), None);
    }

    #[test]
    fn the_architecture_is_told_by_many_files() {
        let cases = [
            ("proc/sys/kernel/arch", "riscv64\n", Some(Arch::Riscv64)),
            ("uname.txt", "Linux x86_64 6.12.1 #1 SMP aarch64 GNU/Linux\n", Some(Arch::Aarch64)),
            ("proc/cpuinfo", "processor : 0\nCPU implementer\t: 0x41\n", Some(Arch::Aarch64)),
            ("proc/version", "Linux version 6.12.1 (x86_64-linux-gnu-gcc)\n", Some(Arch::X86_64)),
            ("proc/version", "Linux version 6.12.1 (gcc)\n", None),
        ];
        for (path, content, expected) in cases {
            assert_eq!(arch(&tree(&[(path, content)]), &mut Log::default()), expected, "{content}");
        }
    }

    #[test]
    fn unsafe_interrupts_of_either_module_count() {
        let path = |module| format!("sys/module/{module}/parameters/allow_unsafe_interrupts");
        let (type1, iommufd) = (path("vfio_iommu_type1"), path("iommufd"));
        assert_eq!(unsafe_interrupts(&tree(&[(&type1, "N\n"), (&iommufd, "Y\n")])), Some(true));
        assert_eq!(unsafe_interrupts(&tree(&[(&type1, "N\n")])), Some(false));
        assert_eq!(unsafe_interrupts(&tree(&[(&type1, "?\n")])), None);
        let command_line = "iommufd.allow_unsafe_interrupts=0 vfio_iommu_type1.allow_unsafe_interrupts=on";
        assert_eq!(unsafe_interrupts(&tree(&[("proc/cmdline", command_line)])), Some(true));
        assert_eq!(unsafe_interrupts(&tree(&[("proc/cmdline", "x.allow_unsafe_interrupts=1")])), None);
    }
}
