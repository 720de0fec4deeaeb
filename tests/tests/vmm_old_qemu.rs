//! QEMU from 2.12 to 6.2 where no recording of a binary proves the model: what it says is pinned, so that a change is seen.
//!
//! hw/arm/virt.c was read whole in 3.1 and 5.2; what lies between and around them is from the patches that changed it, and
//! from what later releases keep for older machine types. 5.2.0 was also recorded (tests/vectors/vmm).

use std::fmt::Write as _;

use expect_test::expect;
use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::facts::guest::{Viommu, VmmKind};
use planner_core::read::vmm::read_command;
use planner_core::read::vmm::words::Word;
use planner_core::size::{PageSize, Size};
use planner_core::version::Version;
use planner_core::vmm::{
    BootRule, Choice, Dimm, MemoryMap, ModuleArea, RegionKind, Request, Setting, VmmError, capabilities,
    configured_map, configured_request, memory_map, memory_map_given, oldest, variants,
};

/// The releases from the oldest that has a model to the first with the refusals of today.
const RELEASES: [Version; 14] = [
    Version::new(2, 12),
    Version::new(3, 0),
    Version::new(3, 1),
    Version::new(4, 0),
    Version::new(4, 1),
    Version::new(4, 2),
    Version::new(5, 0),
    Version::new(5, 1),
    Version::new(5, 2),
    Version::new(6, 0),
    Version::new(6, 1),
    Version::new(6, 2),
    Version::new(7, 0),
    Version::new(7, 1),
];

fn arm(version: Version) -> Request {
    Request {
        kind: VmmKind::Qemu,
        version,
        arch: Arch::Aarch64,
        machine: "virt,gic-version=3".into(),
        cpu: "host".into(),
        custom: None,
        vcpus: 8,
        node_cpus: Vec::new(),
        ipa_bits: Some(44),
        memory: Size::gib(16),
        pages: PageSize::K4,
        hotplug: Size::ZERO,
        slots: 0,
        viommu: Viommu::None,
    }
}

fn plain(request: &Request) -> Choice {
    Choice { knobs: vec![], boot: request.memory, dimms: vec![], hotplug: vec![] }
}

/// Where the high regions lie, how many address bits are needed, or the refusal.
fn high(map: Result<MemoryMap, VmmError>) -> String {
    let map = match map {
        Ok(map) => map,
        Err(error) => return error.text,
    };
    let wanted = [RegionKind::Ecam, RegionKind::Mmio64, RegionKind::DeviceMemory];
    let mut text = format!("{} bits", map.needed_bits);
    for region in &map.regions {
        let second = region.kind == RegionKind::Gicr && region.span.first() > Gpa::at(1 << 32);
        if second || wanted.contains(&region.kind) {
            write!(text, ", {} {}", region.name, region.span.first()).expect("a string takes all text");
        }
    }
    text
}

/// A line for each run of releases that answer alike.
fn by_release(ask: impl Fn(Version) -> String) -> String {
    let mut runs: Vec<(Version, Version, String)> = Vec::new();
    for version in RELEASES {
        let answer = ask(version);
        match runs.last_mut() {
            Some((_, last, same)) if *same == answer => *last = version,
            _ => runs.push((version, version, answer)),
        }
    }
    let line = |(first, last, answer): &(Version, Version, String)| {
        let releases = if first == last { first.to_string() } else { format!("{first} to {last}") };
        format!("{releases}: {answer}\n")
    };
    runs.iter().map(line).collect()
}

fn ask(change: impl Fn(&mut Request)) -> String {
    by_release(|version| {
        let mut request = arm(version);
        change(&mut request);
        high(memory_map(&request, &plain(&request)))
    })
}

#[test]
fn the_high_regions() {
    expect![[r#"
        2.12: 40 bits, pcie-ecam 0x3f00_0000, pcie-mmio-high 0x80_0000_0000
        3.0 to 7.1: 40 bits, pcie-ecam-high 0x40_1000_0000, pcie-mmio-high 0x80_0000_0000
    "#]]
    .assert_eq(&ask(|_| ()));
}

#[test]
fn highmem_off() {
    expect![[r#"
        2.12 to 6.2: 40 bits, pcie-ecam 0x3f00_0000
        7.0 to 7.1: 32 bits, pcie-ecam 0x3f00_0000
    "#]]
    .assert_eq(&ask(|request| {
        request.machine = "virt,gic-version=3,highmem=off".into();
        request.memory = Size::gib(2);
    }));
}

#[test]
fn memory_of_300_gib() {
    expect![[r#"
        2.12 to 3.1: qemu-system-aarch64: mach-virt: cannot model more than 255GB RAM
        4.0 to 7.1: 40 bits, pcie-ecam-high 0x4b_5000_0000, pcie-mmio-high 0x80_0000_0000
    "#]]
    .assert_eq(&ask(|request| request.memory = Size::gib(300)));
}

#[test]
fn memory_that_pushes_the_window_beyond_40_bits() {
    expect![[r#"
        2.12 to 3.1: qemu-system-aarch64: mach-virt: cannot model more than 255GB RAM
        4.0 to 6.2: qemu-system-aarch64: -m and ,maxmem option values require an IPA range (41 bits) larger than the one supported by the host (40 bits)
        7.0 to 7.1: 40 bits, pcie-ecam-high 0x96_5000_0000
    "#]].assert_eq(&ask(|request| {
        request.memory = Size::gib(600);
        request.ipa_bits = Some(40);
    }));
}

#[test]
fn a_host_of_36_bits() {
    expect![[r#"
        2.12 to 3.1: qemu-system-aarch64: failed to initialize KVM: Invalid argument
        4.0 to 6.2: qemu-system-aarch64: -m and ,maxmem option values require an IPA range (40 bits) larger than the one supported by the host (36 bits)
        7.0 to 7.1: 35 bits, pcie-ecam 0x3f00_0000
    "#]].assert_eq(&ask(|request| request.ipa_bits = Some(36)));
}

#[test]
fn an_emulated_cpu_of_48_bits_once() {
    expect![[r#"
        2.12 to 3.1: qemu-system-aarch64: mach-virt: cannot model more than 255GB RAM
        4.0 to 5.1: qemu-system-aarch64: VCPU supports less PA bits (44) than requested by the memory map (45)
        5.2 to 7.1: 45 bits, pcie-ecam-high 0x1400_5000_0000, pcie-mmio-high 0x1480_0000_0000
    "#]]
    .assert_eq(&ask(|request| {
        request.cpu = "max".into();
        request.ipa_bits = None;
        request.memory = Size::gib(20 << 10);
    }));
}

#[test]
fn many_cpus() {
    expect![[r#"
        2.12: qemu-system-aarch64: Number of SMP CPUs requested (200) exceeds max CPUs supported by machine 'mach-virt' (123)
        3.0 to 7.1: 40 bits, gic-redist-high 0x40_0000_0000, pcie-ecam-high 0x40_1000_0000, pcie-mmio-high 0x80_0000_0000
    "#]].assert_eq(&ask(|request| request.vcpus = 200));
    expect![[r#"
        2.12: qemu-system-aarch64: Number of SMP CPUs requested (200) exceeds max CPUs supported by machine 'mach-virt' (123)
        3.0 to 6.1: qemu-system-aarch64: VGICv3 redist region number(2) not equal to 1
        6.2 to 7.1: 40 bits, gic-redist-high 0x40_0000_0000, pcie-ecam-high 0x40_1000_0000, pcie-mmio-high 0x80_0000_0000
    "#]].assert_eq(&ask(|request| {
        request.vcpus = 200;
        request.cpu = "cortex-a57".into();
        request.ipa_bits = None;
    }));
    expect![[r#"
        2.12 to 7.1: qemu-system-aarch64: Invalid SMP CPUs 300. The max CPUs supported by machine 'virt-2.12' is 255
    "#]].assert_eq(&ask(|request| {
        request.vcpus = 300;
        request.machine = "virt-2.12,gic-version=3".into();
    }));
}

#[test]
fn the_gic_of_a_machine_that_says_none() {
    expect![[r#"
        2.12 to 4.2: GICv2
        5.0 to 7.1: GICv3
    "#]]
    .assert_eq(&by_release(|version| {
        let request = Request { machine: "virt".into(), ..arm(version) };
        let map = memory_map(&request, &plain(&request)).expect("a plain machine");
        map.regions.iter().find(|region| region.kind == RegionKind::Gicr).map_or("GICv2", |_| "GICv3").into()
    }));
}

#[test]
fn the_its_of_an_emulated_gic() {
    expect![[r#"
        2.12 to 6.1: no MSIs
        6.2 to 7.1: gic-its
    "#]]
    .assert_eq(&by_release(|version| {
        let request = Request { cpu: "cortex-a57".into(), ipa_bits: None, ..arm(version) };
        let map = memory_map(&request, &plain(&request)).expect("a plain machine");
        let msi = map.regions.iter().find(|region| matches!(region.kind, RegionKind::Its | RegionKind::V2m));
        msi.map_or("no MSIs".into(), |region| region.name.clone())
    }));
}

#[test]
fn worlds_that_kvm_does_not_give() {
    for option in ["secure=on", "virtualization=on"] {
        let lines = ask(|request| request.machine = format!("virt,gic-version=3,{option}"));
        match option {
            "secure=on" => expect![[r#"
                2.12 to 6.2: qemu-system-aarch64: mach-virt: KVM does not support Security extensions
                7.0 to 7.1: qemu-system-aarch64: mach-virt: KVM does not support providing Security extensions (TrustZone) to the guest CPU
            "#]].assert_eq(&lines),
            _ => expect![[r#"
                2.12 to 7.1: qemu-system-aarch64: mach-virt: KVM does not support providing Virtualization extensions to the guest CPU
            "#]].assert_eq(&lines),
        }
    }
}

#[test]
fn models_that_the_board_takes() {
    let models = ["cortex-a72", "cortex-a7", "cortex-a76", "a64fx", "cortex-a9"];
    let mut text = String::new();
    for model in models {
        let lines = ask(|request| {
            request.cpu = model.into();
            request.ipa_bits = None;
        });
        let first_word = |line: &str| line.split(", ").next().unwrap_or_default().to_owned();
        let lines: Vec<String> = lines.lines().map(first_word).collect();
        writeln!(text, "{model}\n  {}", lines.join("\n  ")).expect("a string takes all text");
    }
    expect![[r#"
        cortex-a72
          2.12 to 3.0: qemu-system-aarch64: unable to find CPU model 'cortex-a72'
          3.1 to 7.1: 40 bits
        cortex-a7
          2.12: qemu-system-aarch64: unable to find CPU model 'cortex-a7'
          3.0 to 4.0: qemu-system-aarch64: mach-virt: CPU type cortex-a7-arm-cpu not supported
          4.1 to 7.1: 40 bits
        cortex-a76
          2.12 to 6.2: qemu-system-aarch64: unable to find CPU model 'cortex-a76'
          7.0 to 7.1: 40 bits
        a64fx
          2.12 to 6.1: qemu-system-aarch64: unable to find CPU model 'a64fx'
          6.2 to 7.1: 40 bits
        cortex-a9
          2.12 to 7.1: qemu-system-aarch64: mach-virt: CPU type cortex-a9-arm-cpu not supported
    "#]]
    .assert_eq(&text);
}

#[test]
fn modules() {
    let at = Span::from_start_size(Gpa::at(0x8_0000_0000), Size::gib(4)).expect("a small module");
    expect![[r#"
        2.12 to 4.1: qemu-system-aarch64: 'pc-dimm' is not a valid device model name
        4.2 to 7.1: 40 bits, device-memory 0x4_4000_0000, pcie-ecam-high 0x40_1000_0000, pcie-mmio-high 0x80_0000_0000
    "#]].assert_eq(&by_release(|version| {
        let request = arm(version);
        let choice = Choice { dimms: vec![Dimm { span: at }], ..plain(&request) };
        high(memory_map(&request, &choice))
    }));
}

#[test]
fn room_that_boards_without_modules_leave_unread() {
    let area = ModuleArea { max_memory: Some(Size::gib(64)), slots: Some(300) };
    expect![[r#"
        2.12: 40 bits, pcie-ecam 0x3f00_0000, pcie-mmio-high 0x80_0000_0000
        3.0 to 3.1: 40 bits, pcie-ecam-high 0x40_1000_0000, pcie-mmio-high 0x80_0000_0000
        4.0 to 7.1: qemu-system-aarch64: unsupported number of memory slots: 300
    "#]]
    .assert_eq(&by_release(|version| {
        let request = arm(version);
        high(memory_map_given(&request, &plain(&request), Some(area)))
    }));
}

/// Refusals of modules on a PC: too far up, below the area, one over the other, too large.
#[test]
fn words_about_modules() {
    let pc = |version| Request { arch: Arch::X86_64, machine: "q35".into(), ..arm(version) };
    let area = Some(ModuleArea { max_memory: Some(Size::gib(32)), slots: Some(4) });
    let say = |modules: &[(u64, u64)]| {
        by_release(|version| {
            let dimms = modules.iter().map(|&(at, size)| Dimm {
                span: Span::from_start_size(Gpa::new(at << 30), Size::gib(size)).expect("a small module"),
            });
            let request = pc(version);
            let choice = Choice { dimms: dimms.collect(), ..plain(&request) };
            memory_map_given(&request, &choice, area).err().map_or("taken".into(), |error| error.text)
        })
    };
    expect![[r#"
        2.12 to 3.1: qemu-system-x86_64: can't add memory [0x1900000000:0x100000000] beyond 0x980000000
        4.0 to 7.1: qemu-system-x86_64: can't add memory device [0x1900000000:0x100000000], usable range for memory devices [0x480000000:0x500000000]
    "#]].assert_eq(&say(&[(100, 4)]));
    expect![[r#"
        2.12 to 3.1: qemu-system-x86_64: can't add memory [0x200000000:0x100000000] at 0x480000000
        4.0 to 7.1: qemu-system-x86_64: can't add memory device [0x200000000:0x100000000], usable range for memory devices [0x480000000:0x500000000]
    "#]].assert_eq(&say(&[(8, 4)]));
    expect![[r#"
        2.12 to 3.0: qemu-system-x86_64: address range conflicts with 'dimm0'
        3.1 to 7.1: qemu-system-x86_64: address range conflicts with memory device id='dimm0'
    "#]]
    .assert_eq(&say(&[(32, 4), (34, 4)]));
    expect![[r#"
        2.12: qemu-system-x86_64: not enough space, currently 0x0 in use of total hot pluggable 0x400000000
        3.0 to 7.1: qemu-system-x86_64: not enough space, currently 0x0 in use of total space for memory devices 0x400000000
    "#]].assert_eq(&say(&[(32, 17)]));
}

/// A PC whose window passes the address bits of its CPU.
#[test]
fn a_pc_beyond_its_address_bits() {
    expect![[r#"
        2.12 to 7.0: 41 bits, pci-hole64 0x113_8000_0000
        7.1: qemu-system-x86_64: Address space limit 0xffffffffff < 0x11b7fffffff phys-bits too low (40)
    "#]]
    .assert_eq(&by_release(|version| {
        let machine = "q35".into();
        let request = Request {
            arch: Arch::X86_64,
            machine,
            memory: Size::gib(1100),
            ipa_bits: Some(40),
            ..arm(version)
        };
        high(memory_map(&request, &plain(&request)))
    }));
}

/// The last address that memory may have, which the planner keeps to.
#[test]
fn where_memory_may_lie() {
    expect![[r#"
        2.12 to 3.1: [0x4000_0000..=0x3f_ffff_ffff], no modules
        4.0 to 4.1: [0x4000_0000..=0xf7f_bfff_ffff], no modules
        4.2 to 6.2: [0x4000_0000..=0xf7f_bfff_ffff], modules
        7.0 to 7.1: [0x4000_0000..=0xfff_ffff_ffff], modules
    "#]]
    .assert_eq(&by_release(|version| {
        let found = variants(&arm(version)).expect("a plain machine");
        let first = found.first().expect("the default");
        let modules = if first.dimms.is_some() { "modules" } else { "no modules" };
        match &first.boot {
            BootRule::Fixed { spans, .. } => format!("{spans:?}, {modules}"),
            BootRule::Movable { .. } => unreachable!("QEMU moves no memory"),
        }
    }));
}

/// All memory that a variant allows is memory that the map is made for, and one gibibyte more is not.
#[test]
fn the_most_memory_is_taken_and_more_is_not() {
    for version in RELEASES {
        for bits in [40, 42, 44, 48] {
            let request = Request { ipa_bits: Some(bits), ..arm(version) };
            let variant = variants(&request).expect("a plain machine").remove(0);
            let BootRule::Fixed { spans, .. } = &variant.boot else { unreachable!("QEMU moves no memory") };
            let span = spans.first().expect("one span");
            let most = span.size().expect("less than the address space");
            let map = |memory| {
                let request = Request { memory, ..request.clone() };
                memory_map(&request, &plain(&request))
            };
            assert!(map(most).is_ok(), "{version} with {bits} bits: {:?}", map(most));
            let more = most.checked_add(Size::gib(1)).expect("a size");
            assert!(map(more).is_err(), "{version} with {bits} bits takes {more}");
        }
    }
}

fn answer(line: &str) -> String {
    by_release(|version| {
        let words: Vec<Word> = line.split(' ').map(Word::argument).collect();
        let (facts, _) = read_command(&words, Some(version), &Default::default());
        let setting = Setting { arch: Arch::Aarch64, version: Some(version), ipa_bits: None };
        match configured_map(&facts, &configured_request(&facts, &setting)) {
            Ok(_) => "taken".into(),
            Err(error) => error.text,
        }
    })
}

/// Command lines that releases took, or refused, in different words.
const LINES: &[&str] = &[
    "qemu-system-aarch64 -M virt,foo=bar -cpu cortex-a57",
    "qemu-system-aarch64 -M virt,gic-version=4,virtualization=on -cpu cortex-a57",
    "qemu-system-aarch64 -M virt,iommu=smmuv3 -cpu cortex-a57",
    "qemu-system-aarch64 -M virt,highmem -cpu cortex-a57",
    "qemu-system-aarch64 -M virt-2.7,its=on -cpu cortex-a57",
    "qemu-system-aarch64 -M virt-9.0 -cpu cortex-a57",
    "qemu-system-aarch64 -M virt -cpu cortex-a57 -m 4G,maxmem=2G",
    "qemu-system-aarch64 -M virt -cpu cortex-a57 -m 4G,slots=2",
    "qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 4,clusters=2",
    "qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 4,dies=2",
    "qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 4,sockets=4,cores=2,threads=1",
    "qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 4,sockets=1,cores=2,threads=1",
    "qemu-system-x86_64 -M q35 -smp 4,maxcpus=8,sockets=2",
    "qemu-system-x86_64 -M q35 -cpu qemu64,phys-bits=46",
    "qemu-system-x86_64 -M q35 -cpu EPYC-Rome",
    "qemu-system-x86_64 -M pc-i440fx-1.7 -m 4G,maxmem=8G,slots=1",
];

#[test]
fn words_of_command_lines() {
    let mut text = String::new();
    for line in LINES {
        writeln!(text, "{line}\n{}", answer(line)).expect("a string takes all text");
    }
    expect![[r#"
        qemu-system-aarch64 -M virt,foo=bar -cpu cortex-a57
        2.12 to 5.1: qemu-system-aarch64: Property '.foo' not found
        5.2: qemu-system-aarch64: Property 'virt-5.2-machine.foo' not found
        6.0: qemu-system-aarch64: Property 'virt-6.0-machine.foo' not found
        6.1: qemu-system-aarch64: Property 'virt-6.1-machine.foo' not found
        6.2: qemu-system-aarch64: Property 'virt-6.2-machine.foo' not found
        7.0: qemu-system-aarch64: Property 'virt-7.0-machine.foo' not found
        7.1: qemu-system-aarch64: Property 'virt-7.1-machine.foo' not found

        qemu-system-aarch64 -M virt,gic-version=4,virtualization=on -cpu cortex-a57
        2.12 to 7.0: qemu-system-aarch64: Invalid gic-version value
        7.1: taken

        qemu-system-aarch64 -M virt,iommu=smmuv3 -cpu cortex-a57
        2.12: qemu-system-aarch64: Property '.iommu' not found
        3.0 to 7.1: taken

        qemu-system-aarch64 -M virt,highmem -cpu cortex-a57
        2.12 to 6.0: taken
        6.1 to 7.1: qemu-system-aarch64: -M virt,highmem: Expected '=' after parameter 'highmem'

        qemu-system-aarch64 -M virt-2.7,its=on -cpu cortex-a57
        2.12 to 5.1: qemu-system-aarch64: Property '.its' not found
        5.2 to 7.1: qemu-system-aarch64: Property 'virt-2.7-machine.its' not found

        qemu-system-aarch64 -M virt-9.0 -cpu cortex-a57
        2.12 to 6.0: qemu-system-aarch64: -M virt-9.0: unsupported machine type
        6.1 to 7.1: qemu-system-aarch64: unsupported machine type

        qemu-system-aarch64 -M virt -cpu cortex-a57 -m 4G,maxmem=2G
        2.12 to 7.0: qemu-system-aarch64: -m 4G,maxmem=2G: invalid value of -m option maxmem: maximum memory size (0x80000000) must be at least the initial memory size (0x100000000)
        7.1: qemu-system-aarch64: invalid value of maxmem: maximum memory size (0x80000000) must be at least the initial memory size (0x100000000)

        qemu-system-aarch64 -M virt -cpu cortex-a57 -m 4G,slots=2
        2.12 to 7.0: qemu-system-aarch64: -m 4G,slots=2: invalid -m option value: missing 'maxmem' option
        7.1: qemu-system-aarch64: slots specified but no max-size

        qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 4,clusters=2
        2.12 to 6.0: qemu-system-aarch64: -smp 4,clusters=2: Invalid parameter 'clusters'
        6.1 to 6.2: qemu-system-aarch64: Parameter 'smp.clusters' is unexpected
        7.0 to 7.1: taken

        qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 4,dies=2
        2.12 to 4.0: qemu-system-aarch64: -smp 4,dies=2: Invalid parameter 'dies'
        4.1 to 6.0: taken
        6.1 to 7.1: qemu-system-aarch64: dies not supported by this machine's CPU topology

        qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 4,sockets=4,cores=2,threads=1
        2.12 to 5.1: qemu-system-aarch64: cpu topology: sockets (4) * cores (2) * threads (1) > maxcpus (4)
        5.2 to 6.1: qemu-system-aarch64: Invalid CPU topology: sockets (4) * cores (2) * threads (1) != maxcpus (4)
        6.2 to 7.1: qemu-system-aarch64: Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (4) * clusters (1) * cores (2) * threads (1) != maxcpus (4)

        qemu-system-aarch64 -M virt -cpu cortex-a57 -smp 4,sockets=1,cores=2,threads=1
        2.12 to 6.1: qemu-system-aarch64: cpu topology: sockets (1) * cores (2) * threads (1) < smp_cpus (4)
        6.2 to 7.1: qemu-system-aarch64: Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (1) * clusters (1) * cores (2) * threads (1) != maxcpus (4)

        qemu-system-x86_64 -M q35 -smp 4,maxcpus=8,sockets=2
        2.12 to 5.1: taken
        5.2 to 6.1: qemu-system-x86_64: Invalid CPU topology deprecated: sockets (2) * dies (1) * cores (2) * threads (1) != maxcpus (8)
        6.2 to 7.1: taken

        qemu-system-x86_64 -M q35 -cpu qemu64,phys-bits=46
        2.12 to 5.2: qemu-system-x86_64: TCG only supports phys-bits=40
        6.0 to 7.1: taken

        qemu-system-x86_64 -M q35 -cpu EPYC-Rome
        2.12 to 4.2: qemu-system-x86_64: unable to find CPU model 'EPYC-Rome'
        5.0 to 7.1: taken

        qemu-system-x86_64 -M pc-i440fx-1.7 -m 4G,maxmem=8G,slots=1
        2.12 to 7.1: qemu-system-x86_64: "-memory 'slots|maxmem'" is not supported by: pc-i440fx-1.7

    "#]].assert_eq(&text);
}

/// Older releases can express less; none of what they can is lost later.
#[test]
fn what_can_be_expressed_only_grows() {
    for arch in [Arch::Aarch64, Arch::X86_64] {
        assert_eq!(oldest(VmmKind::Qemu, arch), Version::new(2, 12));
        for pair in RELEASES.windows(2) {
            let [older, newer] = pair else { unreachable!("pairs") };
            let can = |version: &Version| capabilities(VmmKind::Qemu, *version, arch);
            let (older, newer) = (can(older), can(newer));
            assert!(older.splits_ram <= newer.splits_ram && older.hotplug <= newer.hotplug);
            assert!(older.viommus.iter().all(|viommu| newer.viommus.contains(viommu)));
            assert!(older.knobs.iter().all(|knob| newer.knobs.contains(knob)));
        }
    }
}
