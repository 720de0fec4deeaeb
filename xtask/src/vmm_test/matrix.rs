//! The cases: the examples of the repository, and a matrix of generated hosts and guests.
//!
//! All of it is planned for the installed QEMU. Nothing is random: the places of holes come from a generator with a fixed
//! seed, so that a case has the same name and content in every run.

use std::fs;
use std::path::Path;

use planner_core::facts::Arch;
use planner_core::size::{GIB, MIB};
use planner_core::version::Version;

use super::case::{Case, HostSource, Wanted};
use crate::{Failure, root};

/// How many places are tried for a hole, on each of arm64 and q35.
const PLACES: u32 = 24;

/// The guests of `examples/`, as they stand there and for the installed QEMU.
pub(super) fn examples(installed: Version) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    for folder in sorted(&root().join("examples"))?.iter().filter(|path| path.is_dir()) {
        let host = match fs::read_to_string(folder.join("host.host")) {
            Ok(text) => HostSource::Text(text),
            Err(_) => HostSource::Archive(fs::read(folder.join("host.tar.gz"))?),
        };
        for path in sorted(folder)?.iter().filter(|path| path.extension().is_some_and(|end| end == "guest")) {
            let name = path.strip_prefix(root()).unwrap_or(path).display().to_string();
            let case = |name: String, version| -> Result<Case, Failure> {
                let guest = fs::read_to_string(path)?;
                Ok(Case { name, host: host.clone(), guest, version, wanted: Wanted::StartedIfPlanned })
            };
            cases.push(case(name.clone(), None)?);
            cases.push(case(format!("{name} for QEMU {installed}"), Some(installed))?);
        }
    }
    Ok(cases)
}

fn sorted(folder: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let mut paths =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failure>>()?;
    paths.sort();
    Ok(paths)
}

/// A host to generate: what the map depends on.
struct HostText<'a> {
    arch: Arch,
    bits: u8,
    /// First address and size in bytes of what firmware reserves for the device.
    holes: &'a [(u64, u64)],
    /// Size of a BAR of the first device, as the language writes it.
    bar: &'a str,
}

impl HostText<'_> {
    fn write(&self) -> String {
        let model = match self.arch {
            Arch::Aarch64 => "smmuv3",
            Arch::X86_64 => "intel-vtd",
            Arch::Riscv64 => "riscv-iommu",
        };
        let holes: String = self
            .holes
            .iter()
            .enumerate()
            .map(|(n, (first, size))| {
                format!("firmware hole{n} {first:#x} + {size:#x} reserved {{ devices 0000:01:00.0 }}\n")
            })
            .collect();
        let Self { arch, bits, bar, .. } = self;
        format!(
            "host generated {{
                arch {arch}
                kernel linux 6.12 {{ page 4K  unsafe-interrupts yes }}
                ipa {bits} bits
                smmu smmu0 {{ model {model}  aperture 48 bits }}
                root-complex pcie0 {{
                    smmu smmu0 {{ rid 0x0..=0xffff -> stream 0x0 }}
                    device 01:00.0 {{ class 0200  bar 0 mem64 prefetchable {bar} }}
                    device 02:00.0 {{ class 0108  bar 0 mem64 16K }}
                    device 03:00.0 {{ class 0302  bar 0 mem64 16K }}
                }}
                {holes}
            }}"
        )
    }
}

/// A plain host of an architecture: no holes, the address bits of a CPU that QEMU emulates.
fn plain(arch: Arch, bits: u8) -> HostSource {
    HostSource::Text(HostText { arch, bits, holes: &[], bar: "1M" }.write())
}

/// Address bits that TCG has without further words.
fn usual_bits(arch: Arch) -> u8 {
    match arch {
        Arch::Aarch64 => 44,
        Arch::X86_64 => 40,
        Arch::Riscv64 => 48,
    }
}

fn guest(machine: &str, clauses: &str) -> String {
    format!("guest generated {{ vmm qemu {{ machine \"{machine}\" }}\n {clauses}\n pass 0000:01:00.0 }}")
}

/// All generated cases.
pub(super) fn generated(installed: Version) -> Vec<Case> {
    let mut cases = Vec::new();
    for arch in [Arch::Aarch64, Arch::X86_64] {
        cases.extend(holes(arch));
    }
    cases.extend(arm_sizes());
    cases.extend(arm_processors());
    cases.extend(pc_sizes());
    cases.extend(riscv());
    cases.extend(shapes());
    cases.extend(near_devices());
    cases.extend(machine_types());
    cases.extend(names());
    for case in &mut cases {
        case.version = Some(installed);
    }
    cases
}

fn case(name: String, host: HostSource, guest: String) -> Case {
    Case { name, host, guest, version: None, wanted: Wanted::Started }
}

/// RAM around a hole of 2 MiB to 1 GiB at an arbitrary place, which is a multiple of 2 MiB: on arm64 above the first GiB
/// of RAM, which must stay for firmware and kernel; on q35 above the first GiB.
fn holes(arch: Arch) -> Vec<Case> {
    let mut numbers = Numbers(0x5eed + arch as u64);
    let machine = if arch == Arch::Aarch64 { "virt,gic-version=3" } else { "q35" };
    (0..PLACES)
        .map(|_| {
            let memory = 4 + numbers.below(28);
            let size = (1 + numbers.below(512)) * 2 * MIB;
            let first = hole(arch, memory, &mut numbers);
            let host = HostText { arch, bits: usual_bits(arch), holes: &[(first, size)], bar: "1M" }.write();
            let name = format!("{arch} {memory}G around {first:#x} + {}M", size / MIB);
            case(name, HostSource::Text(host), guest(machine, &format!("memory {memory}G")))
        })
        .collect()
}

/// A place within what would be RAM if nothing were in the way.
fn hole(arch: Arch, memory_gib: u64, numbers: &mut Numbers) -> u64 {
    let steps = |gib: u64| gib * GIB / (2 * MIB);
    match arch {
        Arch::X86_64 if numbers.below(2) == 0 => GIB + numbers.below(steps(1)) * 2 * MIB,
        Arch::X86_64 => 4 * GIB + numbers.below(steps(memory_gib - 2)) * 2 * MIB,
        _ => 2 * GIB + numbers.below(steps(memory_gib - 1)) * 2 * MIB,
    }
}

/// Sizes where something changes: the low ECAM, 255 GiB, what no longer fits the address bits.
fn arm_sizes() -> Vec<Case> {
    let sizes = ["128M", "1G", "3G", "3072M", "4G", "31G", "255G", "256G", "511G", "512G", "767G"];
    let mut cases = Vec::new();
    for bits in [40, 44, 48] {
        for size in sizes {
            let name = format!("aarch64 {bits} bits {size}");
            let guest = guest("virt,gic-version=3", &format!("memory {size} vcpus 2"));
            cases.push(case(name, plain(Arch::Aarch64, bits), guest));
        }
    }
    for size in ["1G", "3G"] {
        let guest = guest("virt,gic-version=3,highmem=off", &format!("memory {size}"));
        cases.push(case(format!("aarch64 highmem=off {size}"), plain(Arch::Aarch64, 44), guest));
    }
    cases
}

/// Processors and interrupt controllers: the limits of GICv2 and of both redistributor regions.
fn arm_processors() -> Vec<Case> {
    let rows = [
        ("virt,gic-version=2", 1),
        ("virt,gic-version=2", 8),
        ("virt,gic-version=3", 8),
        ("virt,gic-version=3", 123),
        ("virt,gic-version=3", 124),
        ("virt,gic-version=3", 200),
        ("virt,gic-version=3,its=off", 4),
        ("virt,gic-version=max", 16),
    ];
    let row = |(machine, vcpus): (&str, u32)| {
        let guest = guest(machine, &format!("memory 2G vcpus {vcpus}"));
        case(format!("aarch64 {machine} {vcpus} vCPUs"), plain(Arch::Aarch64, 44), guest)
    };
    rows.into_iter().map(row).collect()
}

/// Sizes around the splits of q35 and pc.
fn pc_sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    for machine in ["q35", "pc"] {
        for size in
            ["512M", "2G", "2814M", "2816M", "3G", "3582M", "3584M", "4G", "16G", "64G", "500G", "900G"]
        {
            let guest = guest(machine, &format!("memory {size} vcpus 4"));
            cases.push(case(format!("x86_64 {machine} {size}"), plain(Arch::X86_64, 40), guest));
        }
    }
    let host = HostText { arch: Arch::X86_64, bits: 40, holes: &[], bar: "64G" }.write();
    let large = guest("q35", "memory 8G");
    cases.push(case("x86_64 q35 BAR of 64G".to_owned(), HostSource::Text(host), large));
    cases
}

/// riscv64 places nothing, but what it places must be where the plan says.
fn riscv() -> Vec<Case> {
    let rows = [
        ("virt", "memory 1G"),
        ("virt", "memory 5G vcpus 4"),
        ("virt", "memory 14G"),
        ("virt,aia=aplic-imsic", "memory 32G vcpus 4"),
        ("virt,aia=aplic-imsic", "memory 100G vcpus 8"),
        ("virt", "memory 4G vcpus 2 numa 0 { memory 1G cpus 0 } numa 1 { memory 3G cpus 1 }"),
    ];
    let row = |(machine, clauses)| {
        case(format!("riscv64 {machine} {clauses}"), plain(Arch::Riscv64, 48), guest(machine, clauses))
    };
    rows.into_iter().map(row).collect()
}

/// NUMA, huge pages, room for hotplug, IOMMUs, several devices; with and without a hole in the way.
fn shapes() -> Vec<Case> {
    const CLAUSES: &[&str] = &[
        "memory 8G vcpus 4 numa 0 { memory 2G cpus 0..=1 } numa 1 { memory 6G cpus 2..=3 }",
        "memory 16G vcpus 8 numa 0 { memory 4G } numa 1 { memory 4G } numa 2 { memory 4G } numa 3 { memory 4G }",
        "memory 8G { pages 2M }",
        "memory 8G { pages 1G }",
        "memory 8G { hotplug 8G slots 2 }",
        "memory 8G { pages 1G hotplug 16G slots 4 } vcpus 2 numa 0 { memory 4G cpus 0 } numa 1 { memory 4G cpus 1 }",
        "memory 8G viommu virtio",
        "memory 8G pass 0000:02:00.0 0000:03:00.0",
        "memory 8G avoid 0xa000_0000 + 6M avoid 0x1_2340_0000 + 1G",
        "memory 200G { hotplug 100G slots 8 }",
    ];
    let hole = [(0x1_7000_0000, 0x1260_0000)];
    let mut cases = Vec::new();
    for (arch, machine) in [(Arch::Aarch64, "virt,gic-version=3"), (Arch::X86_64, "q35")] {
        for clauses in CLAUSES {
            for (word, holes) in [("", &[] as &[_]), (" around a hole", &hole)] {
                let host = HostText { arch, bits: usual_bits(arch), holes, bar: "1M" }.write();
                let name = format!("{arch} {clauses}{word}");
                cases.push(case(name, HostSource::Text(host), guest(machine, clauses)));
            }
        }
    }
    let intel = guest("q35", "memory 8G viommu intel");
    cases.push(case("x86_64 viommu intel".to_owned(), plain(Arch::X86_64, 40), intel));
    cases
}

/// Devices that the guest is told to be near to one of its NUMA nodes, behind PCIe expander bridges, and one that is not.
fn near_devices() -> Vec<Case> {
    let row = |(arch, machine, model): (Arch, &str, &str)| {
        let bits = usual_bits(arch);
        let host = format!(
            "host generated {{
                arch {arch}
                kernel linux 6.12 {{ page 4K  unsafe-interrupts yes }}
                ipa {bits} bits
                smmu smmu0 {{ model {model}  aperture 48 bits }}
                root-complex pcie0 {{
                    smmu smmu0
                    device 01:00.0 {{ class 0200  bar 0 mem64 prefetchable 1M  node 0 }}
                    device 02:00.0 {{ class 0108  bar 0 mem64 16K  node 1 }}
                    device 03:00.0 {{ class 0302  bar 0 mem64 16K  node 1 }}
                    device 04:00.0 {{ class 0302  bar 0 mem64 16K  node 2 }}
                }}
            }}"
        );
        let clauses = "memory 8G vcpus 4 numa 0 { memory 4G cpus 0..=1 host-node 0 } \
                       numa 1 { memory 4G cpus 2..=3 host-node 1 } \
                       pass 0000:02:00.0 0000:03:00.0 0000:04:00.0";
        case(format!("{arch} devices near NUMA nodes"), HostSource::Text(host), guest(machine, clauses))
    };
    [(Arch::Aarch64, "virt,gic-version=3", "smmuv3"), (Arch::X86_64, "q35", "intel-vtd")].map(row).into()
}

/// Older machine types, which keep their own maps.
fn machine_types() -> Vec<Case> {
    let arm = ["virt-7.1", "virt-6.2", "virt-6.1", "virt-5.0", "virt-4.1", "virt-3.0", "virt-2.12"];
    let pc = ["pc-q35-7.1", "pc-q35-7.0", "pc-q35-5.2", "pc-q35-2.12", "pc-i440fx-6.2", "pc-i440fx-2.12"];
    let mut cases = Vec::new();
    for (arch, machines) in [(Arch::Aarch64, &arm[..]), (Arch::X86_64, &pc[..])] {
        for machine in machines {
            // Without KVM they have no ITS (hw/arm/virt.c, no_tcg_its), and then no root ports either.
            let options = if arch == Arch::Aarch64 { ",gic-version=2" } else { "" };
            let guest = guest(&format!("{machine}{options}"), "memory 6G vcpus 4");
            cases.push(Case {
                // The oldest go away in time (include/hw/boards.h, MACHINE_VER_DELETION).
                wanted: Wanted::StartedIfPlanned,
                ..case(format!("{arch} {machine}"), plain(arch, usual_bits(arch)), guest)
            });
        }
    }
    cases
}

/// Names that mean something to a shell or to QEMU's options.
fn names() -> Vec<Case> {
    let names = ["a b", "it's", "$(touch pwned)", "`id`;#&|", "a,b=c,,d", "-daemonize", "ü<&>", "x\\\"y"];
    let row = |name: &str| {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let guest = format!(
            "guest \"{quoted}\" {{ vmm qemu {{ machine \"virt,gic-version=3\" }} memory 1G pass 0000:01:00.0 }}"
        );
        case(format!("a guest called {name:?}"), plain(Arch::Aarch64, 44), guest)
    };
    names.into_iter().map(row).collect()
}

/// Numbers without a pattern from a fixed seed (Knuth's MMIX generator, upper half).
struct Numbers(u64);

impl Numbers {
    /// A number below `end`, which is not 0.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) % end
    }
}
