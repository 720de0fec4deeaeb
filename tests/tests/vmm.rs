//! Memory maps, knobs and refusals of the VMMs beyond what was recorded: KVM, kvmtool, computed `maxmem=`, variants.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::facts::guest::{Viommu, VmmKind};
use planner_core::size::{GIB, PageSize, Size};
use planner_core::version::Version;
use planner_core::vmm::{
    BootRule, Choice, Dimm, Knob, MemoryMap, ModuleArea, RegionKind, Request, VmmError, capabilities,
    check_machine, known, machine_name, memory_map, memory_map_given, newest, rules, variants,
};

fn request(kind: VmmKind, arch: Arch) -> Request {
    Request {
        kind,
        version: newest(kind),
        arch,
        machine: String::new(),
        cpu: String::new(),
        custom: None,
        vcpus: 8,
        node_cpus: vec![],
        ipa_bits: None,
        memory: Size::gib(16),
        pages: PageSize::K4,
        hotplug: Size::ZERO,
        slots: 0,
        viommu: Viommu::None,
    }
}

fn arm() -> Request {
    request(VmmKind::Qemu, Arch::Aarch64)
}

fn q35() -> Request {
    request(VmmKind::Qemu, Arch::X86_64)
}

fn kvmtool() -> Request {
    request(VmmKind::Kvmtool, Arch::Aarch64)
}

/// All memory at boot, no knob turned.
fn plain(request: &Request) -> Choice {
    Choice { knobs: vec![], boot: request.memory, dimms: vec![], hotplug: vec![] }
}

fn module(at: u64, size: Size) -> Dimm {
    Dimm { span: Span::from_start_size(Gpa::new(at), size).expect("a module within the address space") }
}

/// The map as a table, or the refusal.
fn show(map: Result<MemoryMap, VmmError>) -> String {
    let map = match map {
        Ok(map) => map,
        Err(error) => return format!("{} [{}]\n", error.text, error.rule),
    };
    let mut text = String::new();
    for region in &map.regions {
        let _ = writeln!(text, "{:<16} {:<13} {}", region.name, region.kind.word(), region.span);
    }
    for disabled in &map.disabled {
        let _ = writeln!(text, "no {}: {}", disabled.name, disabled.because);
    }
    if let Some(max) = map.max_memory {
        let _ = writeln!(text, "maxmem={} slots={:?}", max.compact(), map.slots);
    }
    let _ = writeln!(text, "{} bits", map.needed_bits);
    text
}

fn check(request: &Request, choice: &Choice, expected: Expect) {
    expected.assert_eq(&show(memory_map(request, choice)));
}

#[test]
fn qemu_virt_by_default() {
    let request = arm();
    check(
        &request,
        &plain(&request),
        expect![[r#"
        flash            flash         0x0..=0x7ff_ffff
        gic-dist         gicd          0x800_0000..=0x800_ffff
        gic-its          its           0x808_0000..=0x809_ffff
        gic-redist       gicr          0x80a_0000..=0x8ff_ffff
        uart0            platform      0x900_0000..=0x900_0fff
        rtc              platform      0x901_0000..=0x901_0fff
        fw-cfg           platform      0x902_0000..=0x902_0017
        gpio             platform      0x903_0000..=0x903_0fff
        uart1            platform      0x904_0000..=0x904_0fff
        pcdimm-acpi      platform      0x907_0000..=0x907_0017
        acpi-ged         platform      0x908_0000..=0x908_0003
        nvdimm-acpi      platform      0x909_0000..=0x909_0003
        pvtime           platform      0x90a_0000..=0x90a_ffff
        virtio-mmio      virtio-mmio   0xa00_0000..=0xa00_3fff
        platform-bus     platform      0xc00_0000..=0xdff_ffff
        pcie-mmio        mmio32        0x1000_0000..=0x3efe_ffff
        pcie-pio         pio           0x3eff_0000..=0x3eff_ffff
        mem              ram           0x4000_0000..=0x4_3fff_ffff
        pcie-ecam-high   ecam          0x40_1000_0000..=0x40_1fff_ffff
        pcie-mmio-high   mmio64        0x80_0000_0000..=0xff_ffff_ffff
        40 bits
    "#]],
    );
}

#[test]
fn qemu_virt_with_an_accelerated_smmu_and_a_window_of_1_tib() {
    let request = Request { viommu: Viommu::SmmuV3, machine: "virt,gic-version=3".into(), ..arm() };
    let knobs = vec![Knob::HighMmioSize { size: Size::gib(1024) }];
    let map = memory_map(&request, &Choice { knobs, ..plain(&request) }).expect("a map");
    let find = |kind: RegionKind| {
        let found = map.regions.iter().filter(|region| region.kind == kind);
        found.map(|region| region.span.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(find(RegionKind::Smmu), ["0xc00_0000..=0xc01_ffff"]);
    assert_eq!(find(RegionKind::Mmio64), ["0x100_0000_0000..=0x1ff_ffff_ffff"]);
    assert_eq!(map.needed_bits, 41);
}

/// The user sees `BAR: no space` and QEMU says nothing.
#[test]
fn a_window_that_does_not_fit_40_bits_is_gone_without_a_word() {
    let request = Request { ipa_bits: Some(40), memory: Size::gib(512), ..arm() };
    check(
        &request,
        &plain(&request),
        expect![[r#"
        flash            flash         0x0..=0x7ff_ffff
        gic-dist         gicd          0x800_0000..=0x800_ffff
        gic-its          its           0x808_0000..=0x809_ffff
        gic-redist       gicr          0x80a_0000..=0x8ff_ffff
        uart0            platform      0x900_0000..=0x900_0fff
        rtc              platform      0x901_0000..=0x901_0fff
        fw-cfg           platform      0x902_0000..=0x902_0017
        gpio             platform      0x903_0000..=0x903_0fff
        uart1            platform      0x904_0000..=0x904_0fff
        pcdimm-acpi      platform      0x907_0000..=0x907_0017
        acpi-ged         platform      0x908_0000..=0x908_0003
        nvdimm-acpi      platform      0x909_0000..=0x909_0003
        pvtime           platform      0x90a_0000..=0x90a_ffff
        virtio-mmio      virtio-mmio   0xa00_0000..=0xa00_3fff
        platform-bus     platform      0xc00_0000..=0xdff_ffff
        pcie-mmio        mmio32        0x1000_0000..=0x3efe_ffff
        pcie-pio         pio           0x3eff_0000..=0x3eff_ffff
        mem              ram           0x4000_0000..=0x80_3fff_ffff
        pcie-ecam-high   ecam          0x80_5000_0000..=0x80_5fff_ffff
        no pcie-mmio-high: it would take 0x100_0000_0000..=0x17f_ffff_ffff, beyond the 40 bits of guest-physical addresses
        40 bits
    "#]],
    );
}

#[test]
fn memory_beyond_the_address_bits_is_refused() {
    let request = Request { ipa_bits: Some(36), memory: Size::gib(64), ..arm() };
    check(
        &request,
        &plain(&request),
        expect![[r#"
        qemu-system-aarch64: Addressing limited to 36 bits, but memory exceeds it by 1073741824 bytes [M-QEMU-VIRT-LIMIT]
    "#]],
    );
    let request = Request { machine: "virt,highmem=off".into(), memory: Size::gib(4), ..arm() };
    check(
        &request,
        &plain(&request),
        expect![[r#"
        qemu-system-aarch64: Addressing limited to 32 bits, but memory exceeds it by 1073741824 bytes [M-QEMU-VIRT-LIMIT]
    "#]],
    );
}

/// 3 GiB at boot, 13 GiB beyond the conflict at 8 GiB: maxmem= must reach the end of the module, not only its size.
#[test]
fn maxmem_reaches_the_end_of_the_last_module() {
    let request = arm();
    let choice =
        Choice { boot: Size::gib(3), dimms: vec![module(0x2_0000_0000, Size::gib(13))], ..plain(&request) };
    let map = memory_map(&request, &choice).expect("a map");
    assert_eq!((map.max_memory, map.slots), (Some(Size::gib(19)), Some(1)));
    let given = ModuleArea { max_memory: map.max_memory, slots: map.slots };
    assert_eq!(memory_map_given(&request, &choice, Some(given)), Ok(map));
    let less = ModuleArea { max_memory: Some(Size::gib(18)), slots: Some(1) };
    expect![[r#"
        qemu-system-aarch64: can't add memory device [0x200000000:0x340000000], usable range for memory devices [0x100000000:0x400000000] [M-QEMU-DIMM]
    "#]].assert_eq(&show(memory_map_given(&request, &choice, Some(less))));
}

/// A module above 1 TiB makes an AMD machine move its high memory there; the area moves along, and must stay as large
/// as it was to stay there.
#[test]
fn a_module_above_1_tib_moves_the_area_of_an_amd_machine() {
    let area = |at| {
        let request = Request { cpu: "host,vendor=AuthenticAMD".into(), ..q35() };
        let dimms = vec![module(at, Size::gib(8))];
        let map =
            memory_map(&request, &Choice { boot: Size::gib(8), dimms, ..plain(&request) }).expect("a map");
        let area = map.regions.iter().find(|region| region.kind == RegionKind::DeviceMemory);
        area.map(|area| area.span.to_string())
    };
    assert_eq!(area(0x110_0000_0000), Some("0x101_8000_0000..=0x210_ffff_ffff".into()));
    assert_eq!(area(0x300_0000_0000), Some("0x101_8000_0000..=0x301_ffff_ffff".into()));
}

#[test]
fn room_for_later_modules_is_part_of_the_area() {
    let request = Request { hotplug: Size::gib(48), slots: 4, ..arm() };
    let map = memory_map(&request, &plain(&request)).expect("a map");
    assert_eq!((map.max_memory, map.slots), (Some(Size::gib(64)), Some(4)));
    let area = map.regions.iter().find(|region| region.kind == RegionKind::DeviceMemory);
    assert_eq!(area.map(|area| area.span), Span::of(0x4_4000_0000, 0x4_4000_0000 + 52 * GIB - 1));
}

#[test]
fn modules_are_refused_as_qemu_refuses_them() {
    let refusals = |area: ModuleArea, dimms: &[Dimm]| {
        let request = Request { memory: Size::gib(2), ..q35() };
        let choice = Choice { dimms: dimms.to_vec(), ..plain(&request) };
        memory_map_given(&request, &choice, Some(area)).map_err(|error| (error.text, error.dimm))
    };
    let area = |max, slots| ModuleArea { max_memory: Some(Size::gib(max)), slots: Some(slots) };
    let one = module(0x1_0000_0000, Size::gib(1));
    let other = module(0x1_0020_0000, Size::gib(1));
    let cases = [
        (area(4, 0), vec![one], "no slots where allocated, please specify the 'slots' option", 0),
        (area(8, 1), vec![one, other], "no free slots available", 1),
        (
            area(3, 4),
            vec![one, other],
            "not enough space, currently 0x40000000 in use of total space for memory devices 0x40000000",
            1,
        ),
        (area(8, 4), vec![one, other], "address range conflicts with memory device id='dimm0'", 1),
        (
            area(8, 4),
            vec![module(0x1_0010_0000, Size::gib(1))],
            "address must be aligned to 0x200000 bytes",
            0,
        ),
        (
            area(8, 4),
            vec![module(0x1_0000_0000, Size::mib(1025))],
            "backend memory size must be multiple of 0x200000",
            0,
        ),
    ];
    for (area, dimms, message, index) in cases {
        let expected = (format!("qemu-system-x86_64: {message}"), Some(index));
        assert_eq!(refusals(area, &dimms), Err(expected), "{message}");
    }
}

/// hw/core/machine.c speaks of `-m` alike on every board.
#[test]
fn maxmem_and_slots_must_agree() {
    let refusal = |area: ModuleArea| {
        let request = Request { memory: Size::gib(1), ..arm() };
        memory_map_given(&request, &plain(&request), Some(area)).expect_err("refused").text
    };
    let cases = [
        (None, Some(2), "slots specified but no max-size"),
        (
            Some(Size::mib(512)),
            Some(1),
            "invalid value of maxmem: maximum memory size (0x20000000) must be at least the initial memory size (0x40000000)",
        ),
        (
            Some(Size::gib(1)),
            Some(1),
            "invalid value of maxmem: memory slots were specified but maximum memory size (0x40000000) is equal to the initial memory size (0x40000000)",
        ),
        (Some(Size::gib(2)), Some(257), "unsupported number of memory slots: 257"),
    ];
    for (max_memory, slots, message) in cases {
        assert_eq!(refusal(ModuleArea { max_memory, slots }), format!("qemu-system-aarch64: {message}"));
    }
}

#[test]
fn q35_by_default() {
    let request = q35();
    check(
        &request,
        &plain(&request),
        expect![[r#"
        ram-below-4g     ram           0x0..=0x7fff_ffff
        pci-hole         mmio32        0x8000_0000..=0xfebf_ffff
        ioapic           platform      0xfec0_0000..=0xfec0_0fff
        hpet             platform      0xfed0_0000..=0xfed0_03ff
        apic-msi         msi           0xfee0_0000..=0xfeef_ffff
        flash            flash         0xff80_0000..=0xffff_ffff
        ram-above-4g     ram           0x1_0000_0000..=0x4_7fff_ffff
        pci-hole64       mmio64        0x4_8000_0000..=0xc_7fff_ffff
        36 bits
    "#]],
    );
}

/// An AMD vCPU moves everything above 4 GiB as soon as something would reach the HyperTransport range.
#[test]
fn an_amd_vcpu_moves_high_memory_to_1_tib() {
    let request = Request { cpu: "host,vendor=AuthenticAMD".into(), memory: Size::gib(1000), ..q35() };
    check(
        &request,
        &plain(&request),
        expect![[r#"
        ram-below-4g     ram           0x0..=0x7fff_ffff
        pci-hole         mmio32        0x8000_0000..=0xfebf_ffff
        ioapic           platform      0xfec0_0000..=0xfec0_0fff
        hpet             platform      0xfed0_0000..=0xfed0_03ff
        apic-msi         msi           0xfee0_0000..=0xfeef_ffff
        flash            flash         0xff80_0000..=0xffff_ffff
        amd-ht           hole          0xfd_0000_0000..=0xff_ffff_ffff
        ram-above-4g     ram           0x100_0000_0000..=0x1f9_7fff_ffff
        pci-hole64       mmio64        0x1f9_8000_0000..=0x201_7fff_ffff
        42 bits
    "#]],
    );
    let intel = Request { cpu: "host".into(), ..request };
    let map = memory_map(&intel, &plain(&intel)).expect("a map");
    let high = map.regions.iter().find(|region| region.name == "ram-above-4g");
    assert_eq!(high.map(|high| high.span.first()), Some(Gpa::at(0x1_0000_0000)));
}

#[test]
fn kvmtool_moves_its_ram() {
    let request = kvmtool();
    let choice = Choice { knobs: vec![Knob::RamBase { at: Gpa::at(0x1_0000_0000) }], ..plain(&request) };
    check(
        &request,
        &choice,
        expect![[r#"
        ioport           pio           0x0..=0xffff
        uart             platform      0x100_0000..=0x100_ffff
        rtc              platform      0x101_0000..=0x101_ffff
        pvtime           platform      0x102_0000..=0x102_ffff
        flash            flash         0x200_0000..=0x2ff_ffff
        virtio-mmio      virtio-mmio   0x300_0000..=0x3fec_ffff
        gic-its          its           0x3fed_0000..=0x3fee_ffff
        gic-redist       gicr          0x3fef_0000..=0x3ffe_ffff
        gic-dist         gicd          0x3fff_0000..=0x3fff_ffff
        pci-cfg          ecam          0x4000_0000..=0x4fff_ffff
        pci-mmio         mmio32        0x5000_0000..=0x7fff_ffff
        ram              ram           0x1_0000_0000..=0x4_ffff_ffff
        35 bits
    "#]],
    );
}

#[test]
fn kvmtool_on_riscv() {
    let request = request(VmmKind::Kvmtool, Arch::Riscv64);
    check(
        &request,
        &plain(&request),
        expect![[r#"
        ioport           pio           0x0..=0xffff
        imsic            msi           0x800_0000..=0x800_7fff
        aplic            platform      0x800_8000..=0x800_bfff
        irqchip          platform      0x800_c000..=0xfff_ffff
        uart             platform      0x1000_0000..=0x1000_ffff
        rtc              platform      0x1001_0000..=0x1001_ffff
        virtio-mmio      virtio-mmio   0x1002_0000..=0x2fff_ffff
        pci-cfg          ecam          0x3000_0000..=0x3fff_ffff
        pci-mmio         mmio32        0x4000_0000..=0x7fff_ffff
        ram              ram           0x8000_0000..=0x4_7fff_ffff
        35 bits
    "#]],
    );
    let large = Request { memory: Size::gib(1023), ..request };
    let map = memory_map(&large, &plain(&large)).expect("cut off, not refused");
    expect![[r#"
        [
            Disabled {
                name: "ram",
                because: "kvmtool has room for 1022 GiB from 0x8000_0000 on, and drops what is beyond",
            },
        ]
    "#]]
    .assert_debug_eq(&map.disabled);
}

/// Under KVM there is no machine mode, and no timer of QEMU's.
#[test]
fn riscv_under_kvm() {
    let virt = |machine: &str| Request {
        machine: machine.into(),
        vcpus: 6,
        node_cpus: vec![2, 4],
        ..request(VmmKind::Qemu, Arch::Riscv64)
    };
    let imsic = virt("virt,aia=aplic-imsic,aia-guests=3");
    check(
        &imsic,
        &plain(&imsic),
        expect![[r#"
        debug            platform      0x0..=0xff
        mrom             flash         0x1000..=0xffff
        test             platform      0x10_0000..=0x10_0fff
        rtc              platform      0x10_1000..=0x10_1fff
        pcie-pio         pio           0x300_0000..=0x300_ffff
        platform-bus     platform      0x400_0000..=0x5ff_ffff
        aplic-s          platform      0xd00_0000..=0xd00_7fff
        aplic-s1         platform      0xd00_8000..=0xd00_ffff
        uart0            platform      0x1000_0000..=0x1000_00ff
        virtio-mmio      virtio-mmio   0x1000_1000..=0x1000_8fff
        fw-cfg           platform      0x1010_0000..=0x1010_0017
        flash            flash         0x2000_0000..=0x23ff_ffff
        imsic-s          msi           0x2800_0000..=0x2800_7fff
        imsic-s1         msi           0x2900_0000..=0x2900_ffff
        pcie-ecam        ecam          0x3000_0000..=0x3fff_ffff
        pcie-mmio        mmio32        0x4000_0000..=0x7fff_ffff
        mem              ram           0x8000_0000..=0x4_7fff_ffff
        pcie-mmio-high   mmio64        0x8_0000_0000..=0xb_ffff_ffff
        36 bits
    "#]],
    );
    let aclint = virt("virt,aclint=on");
    let text = |request: &Request| memory_map(request, &plain(request)).map_err(|error| error.text);
    assert_eq!(
        text(&aclint).expect_err("refused"),
        "qemu-system-riscv64: 'aclint' is only available with TCG acceleration"
    );
    assert!(text(&Request { version: Version::new(8, 1), ..aclint }).is_ok());
}

#[test]
fn kvmtool_refuses() {
    let text = |request: &Request, knobs: Vec<Knob>| {
        memory_map(request, &Choice { knobs, ..plain(request) }).expect_err("refused").text
    };
    let base = |at| vec![Knob::RamBase { at: Gpa::at(at) }];
    assert_eq!(
        text(&kvmtool(), base(0x4000_0000)),
        "Fatal: RAM address is below the I/O region ending at 2GB"
    );
    let narrow = Request { ipa_bits: Some(36), ..kvmtool() };
    assert_eq!(
        text(&narrow, base(60 * GIB)),
        "Fatal: Memory too large for this system (needs 37 bits, 36 available)"
    );
    let unknown = Request { machine: "irqchip=gicv5".into(), ..kvmtool() };
    assert_eq!(text(&unknown, vec![]), "Fatal: irqchip: unknown type \"gicv5\"");
    let x86 = request(VmmKind::Kvmtool, Arch::X86_64);
    assert_eq!(text(&x86, base(GIB)), "Fatal: Invalid memory specifier: 17179869184B@1073741824B");
}

/// Names and values of machine options, all that are wrong at once.
#[test]
fn machine_options_are_refused_in_qemus_words() {
    let texts = |request: Request| check_machine(&request).into_iter().map(|e| e.text).collect::<Vec<_>>();
    let machine = |version, machine: &str| Request { version, machine: machine.into(), ..arm() };
    assert_eq!(texts(machine(Version::new(11, 1), "virt,gic-version=3,its=on")), Vec::<String>::new());
    let many = "virt,gic-version=7,foo=on,highmem=maybe,iommu=intel,highmem-mmio-size=3x";
    assert_eq!(
        texts(machine(Version::new(11, 1), many)),
        [
            "qemu-system-aarch64: Invalid gic-version value",
            "qemu-system-aarch64: Property 'virt-11.1-machine.foo' not found",
            "qemu-system-aarch64: Parameter 'highmem' expects 'on' or 'off'",
            "qemu-system-aarch64: Invalid iommu value",
            "qemu-system-aarch64: Parameter 'highmem-mmio-size' expects size",
        ]
    );
    let cases = [
        (Version::new(7, 2), "virt,highmem-ecam=off", "Property 'virt-7.2-machine.highmem-ecam' not found"),
        (Version::new(7, 2), "virt-2.5", "unsupported machine type"),
        (Version::new(7, 2), "virt-9.0", "unsupported machine type"),
        (Version::new(11, 1), "virt-5.1", "unsupported machine type: \"virt-5.1\""),
        (Version::new(11, 1), "virt-12.0", "unsupported machine type: \"virt-12.0\""),
        (
            Version::new(11, 1),
            "virt,secure=on",
            "mach-virt: KVM does not support providing Security extensions (TrustZone) to the guest CPU",
        ),
        (Version::new(7, 2), "virt,accel=tcg,gic-version=4", "gic-version=4 requires virtualization enabled"),
        (Version::new(7, 2), "virt,accel=tcg,gic-version=host", "gic-version=host requires KVM"),
        (
            Version::new(11, 1),
            "virt,highmem",
            "-machine virt,highmem: Expected '=' after parameter 'highmem'",
        ),
    ];
    for (version, text, message) in cases {
        assert_eq!(texts(machine(version, text)), [format!("qemu-system-aarch64: {message}")]);
    }
}

#[test]
fn an_smmu_device_needs_qemu_11() {
    let request = Request { viommu: Viommu::SmmuV3, version: Version::new(10, 0), ..arm() };
    assert_eq!(
        check_machine(&request)[0].text,
        "qemu-system-aarch64: -device arm-smmuv3: Parameter 'driver' expects a pluggable device type"
    );
}

#[test]
fn cpu_models_are_refused_in_qemus_words() {
    let text = |arch, cpu: &str| {
        let request = Request { cpu: cpu.into(), ..request(VmmKind::Qemu, arch) };
        check_machine(&request).into_iter().map(|e| e.text).collect::<Vec<_>>()
    };
    let cases = [
        (Arch::Aarch64, "nosuch", "qemu-system-aarch64: unable to find CPU model 'nosuch'"),
        (Arch::X86_64, "Nehalem_x", "qemu-system-x86_64: unable to find CPU model 'Nehalem_x'"),
        (
            Arch::X86_64,
            "EPYC,phys-bits=60",
            "qemu-system-x86_64: phys-bits should be between 32 and 52  (but is 60)",
        ),
    ];
    for (arch, cpu, message) in cases {
        assert_eq!(text(arch, cpu), [message], "{cpu}");
    }
    assert_eq!(text(Arch::X86_64, "EPYC-Rome-v2"), Vec::<String>::new());
}

#[test]
fn machine_types_are_named_in_full() {
    let name = |request: &Request| machine_name(request).map_err(|error| error.text);
    assert_eq!(name(&arm()), Ok("virt-11.1".into()));
    assert_eq!(name(&q35()), Ok("pc-q35-11.1".into()));
    assert_eq!(name(&Request { machine: "pc,hpet=off".into(), ..q35() }), Ok("pc-i440fx-11.1".into()));
    assert_eq!(name(&Request { machine: "type=virt-9.2".into(), ..arm() }), Ok("virt-9.2".into()));
    assert_eq!(name(&kvmtool()), Ok(String::new()));
}

/// Knobs of each variant and where boot memory may lie.
fn show_variants(request: &Request) -> String {
    let variants = match variants(request) {
        Ok(variants) => variants,
        Err(error) => return error.text,
    };
    let mut text = String::new();
    for variant in variants {
        let boot = match &variant.boot {
            BootRule::Fixed { spans, .. } => format!("{spans:?}"),
            BootRule::Movable { within, align, default, .. } => format!("{within} by {align}, {default}"),
        };
        let knobs: Vec<String> = variant.knobs.iter().map(knob).collect();
        let dimms = if variant.dimms.is_some() { "modules" } else { "no modules" };
        let _ = writeln!(text, "[{}] {boot} {dimms}", knobs.join(" "));
    }
    text
}

fn knob(knob: &Knob) -> String {
    match knob {
        Knob::RamBase { at } => format!("base={at}"),
        Knob::HighMmioSize { size } => format!("mmio={}", size.compact()),
        Knob::MaxRamBelow4g { limit } => format!("low={}", limit.compact()),
        Knob::PciHole64Size { size } => format!("hole={}", size.compact()),
        Knob::Machine { name, value } => format!("{name}={value}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn variants_start_with_the_default() {
    expect![[r#"
        [] [0x4000_0000..=0xfff_ffff_ffff] modules
        [mmio=1T] [0x4000_0000..=0xfff_ffff_ffff] modules
        [mmio=2T] [0x4000_0000..=0xfff_ffff_ffff] modules
        [mmio=4T] [0x4000_0000..=0xfff_ffff_ffff] modules
        [mmio=8T] [0x4000_0000..=0xfff_ffff_ffff] modules
    "#]]
    .assert_eq(&show_variants(&Request { ipa_bits: Some(44), ..arm() }));
    expect![[r#"
        [] [0x4000_0000..=0xffff_ffff_ffff] modules
    "#]]
    .assert_eq(&show_variants(&Request { version: Version::new(7, 2), ..arm() }));
    expect![[r#"
        [] [0x0..=0x7fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [low=1G] [0x0..=0x3fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [low=512M] [0x0..=0x1fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [hole=64G] [0x0..=0x7fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [hole=128G] [0x0..=0x7fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [hole=256G] [0x0..=0x7fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [low=1G hole=64G] [0x0..=0x3fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [low=1G hole=128G] [0x0..=0x3fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [low=1G hole=256G] [0x0..=0x3fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [low=512M hole=64G] [0x0..=0x1fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [low=512M hole=128G] [0x0..=0x1fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
        [low=512M hole=256G] [0x0..=0x1fff_ffff, 0x1_0000_0000..=0x7f_ffff_ffff] modules
    "#]]
    .assert_eq(&show_variants(&Request { ipa_bits: Some(39), ..q35() }));
    expect![[r#"
        [] 0x8000_0000..=0xffff_ffff_ffff by 2 MiB, 0x8000_0000 no modules
    "#]]
    .assert_eq(&show_variants(&kvmtool()));
    expect![[r#"
        [] [0x8000_0000..=0xffff_ffff_ffff_ffff] no modules
    "#]]
    .assert_eq(&show_variants(&request(VmmKind::Qemu, Arch::Riscv64)));
}

#[test]
fn capabilities_follow_the_version() {
    let arm = |major, minor| capabilities(VmmKind::Qemu, Version::new(major, minor), Arch::Aarch64);
    assert!(!arm(7, 2).sizes_mmio64 && arm(10, 0).sizes_mmio64);
    assert!(!arm(10, 0).viommus.contains(&Viommu::SmmuV3) && arm(11, 0).viommus.contains(&Viommu::SmmuV3));
    assert!(!arm(7, 2).iommufd && arm(9, 0).iommufd);
    let kvmtool = capabilities(VmmKind::Kvmtool, newest(VmmKind::Kvmtool), Arch::Aarch64);
    assert!(kvmtool.moves_ram && kvmtool.refuses_reserved_overlap && !kvmtool.has_mmio64);
    let refusal = check_machine(&Request { version: Version::new(2, 11), ..self::arm() });
    assert_eq!(refusal[0].text, "the planner has no model of qemu 2.11, only of 2.12 and newer");
}

/// Whatever is known has a map by default, and `explain` knows every rule.
#[test]
fn every_known_machine_has_a_map() {
    for known in known() {
        let request = Request { machine: known.machine.into(), ..request(known.kind, known.arch) };
        let map = memory_map(&request, &plain(&request));
        assert!(map.is_ok(), "{known:?}: {map:?}");
        assert!(variants(&request).is_ok(), "{known:?}");
        assert_eq!(check_machine(&request), [], "{known:?}");
    }
    for rule in rules::RULES {
        assert_eq!(rules::find(rule.id), Some(rule), "{} is there twice", rule.id);
    }
}
