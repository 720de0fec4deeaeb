//! The memory maps of VMMs whose RAM lies at fixed places: crosvm, Cloud Hypervisor, Firecracker, OpenVMM, Xen. `cases/vmm`
//! has a file for each; `UPDATE_EXPECT=1` rewrites them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::facts::guest::{Viommu, VmmKind};
use planner_core::size::{PageSize, Size};
use planner_core::span_set::SpanSet;
use planner_core::version::Version;
use planner_core::vmm::{
    Choice, Knob, Request, VmmError, capabilities, known, memory_map, newest, oldest, variants,
    variants_around,
};

fn request(kind: VmmKind, arch: Arch) -> Request {
    Request {
        kind,
        version: newest(kind),
        arch,
        machine: String::new(),
        cpu: String::new(),
        custom: None,
        vcpus: 4,
        node_cpus: vec![],
        ipa_bits: Some(48),
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

fn refused(request: &Request, choice: &Choice) -> VmmError {
    memory_map(request, choice).expect_err("refused")
}

/// Sizes that end below, at and above the holes, and requests that change more than the size.
fn requests(kind: VmmKind, arch: Arch) -> Vec<(String, Request)> {
    let base = request(kind, arch);
    let sizes = [512, 2 << 10, 3 << 10, 4 << 10, 16 << 10, 300 << 10, 1100 << 10].map(Size::mib);
    let mut all: Vec<(String, Request)> =
        sizes.into_iter().map(|memory| (format!("{memory}"), Request { memory, ..base.clone() })).collect();
    let mut other = |what: &str, request: Request| all.push((format!("16 GiB, {what}"), request));
    other("40 address bits", Request { ipa_bits: Some(40), ..base.clone() });
    other("unknown address bits", Request { ipa_bits: None, ..base.clone() });
    other("64 vCPUs", Request { vcpus: 64, ..base.clone() });
    other("pages of 1 GiB", Request { pages: PageSize::G1, ..base.clone() });
    other("8 GiB to plug in", Request { hotplug: Size::gib(8), ..base.clone() });
    other("the oldest version", Request { version: oldest(kind, base.arch), ..base.clone() });
    for words in machines(kind, arch) {
        other(words, Request { machine: (*words).into(), ..base.clone() });
    }
    for known in known().iter().filter(|known| known.kind == kind && known.arch == arch).skip(1) {
        other(known.machine, Request { machine: known.machine.into(), ..base.clone() });
    }
    all
}

/// What a VMM without machine types takes as its machine, in its own words.
fn machines(kind: VmmKind, arch: Arch) -> &'static [&'static str] {
    match (kind, arch) {
        (VmmKind::CloudHypervisor, _) => &[
            "num_pci_segments=2,pci_segment=1,mmio64_aperture_weight=4",
            "num_pci_segments=3",
            "num_pci_segments=97",
        ],
        (VmmKind::Crosvm, Arch::Aarch64) => &[
            "mem=[start=0x8000000]",
            "cam=[start=0x10000000]",
            "cam=[start=0x10000,size=0x100000]",
            "cam=[start=0x7f800000]",
        ],
        (VmmKind::Crosvm, Arch::X86_64) => &[
            "mem=[start=0xa0000000]",
            "ecam=[start=0xb0000000,size=0x10000000]",
            "ecam=[start=0xc0000000,size=0x10000000],mem=[start=0xb0000000,size=0x40000000]",
            "ecam=[start=0xf4100000]",
            "ecam=[start=0x40000000,size=0x10000000],mem=[start=0xd0000000]",
        ],
        (VmmKind::Crosvm, Arch::Riscv64) => &["mem=[start=0x8000000]"],
        _ => &[],
    }
}

fn shown(kind: VmmKind, arch: Arch) -> String {
    let mut text = String::new();
    for (what, request) in requests(kind, arch) {
        let _ = writeln!(text, "{what}");
        match memory_map(&request, &plain(&request)) {
            Err(refusal) => drop(writeln!(text, "  refused [{}] {}", refusal.rule, refusal.text)),
            Ok(map) => {
                for region in &map.regions {
                    let _ = writeln!(text, "  {} {} {}", region.span, region.kind, region.name);
                }
                let _ = writeln!(text, "  {} address bits", map.needed_bits);
            }
        }
    }
    let base = request(kind, arch);
    let _ = writeln!(text, "settings");
    for variant in variants(&base).expect("it takes the request") {
        let choice = Choice { knobs: variant.knobs.clone(), ..plain(&base) };
        let made = memory_map(&base, &choice).map(|map| {
            let windows = map.regions.iter().filter(|region| region.kind.word().starts_with("mmio"));
            windows.map(|region| format!("{} {}", region.kind, region.span)).collect::<Vec<_>>().join(", ")
        });
        let _ = writeln!(text, "  {:?} {}", variant.knobs, made.unwrap_or_else(|refusal| refusal.text));
    }
    text
}

#[test]
fn maps_are_as_written() {
    use VmmKind::{CloudHypervisor, Crosvm, Firecracker, Openvmm, Xen};
    for kind in [Crosvm, CloudHypervisor, Firecracker, Openvmm, Xen] {
        let arches = known().iter().filter(|known| known.kind == kind).map(|known| known.arch);
        for arch in arches.collect::<BTreeSet<Arch>>() {
            let file = format!("cases/vmm/{kind}-{arch}.txt");
            expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join(file)].assert_eq(&shown(kind, arch));
        }
    }
}

#[test]
fn the_sum_of_ram_is_what_was_asked_for() {
    for known in known() {
        let request = Request { machine: known.machine.into(), ..request(known.kind, known.arch) };
        let map = memory_map(&request, &plain(&request)).expect("16 GiB are taken");
        let ram = map.regions.iter().filter(|region| region.kind.word() == "ram");
        let sum: u128 = ram.map(|region| region.span.size_bytes()).sum();
        assert_eq!(sum, u128::from(request.memory.bytes()), "{known:?}");
    }
}

#[test]
fn what_they_refuse_has_their_words() {
    let crosvm =
        Request { ipa_bits: Some(36), memory: Size::gib(63), ..request(VmmKind::Crosvm, Arch::Aarch64) };
    let text = refused(&crosvm, &plain(&crosvm)).text;
    assert_eq!(text, "guest_phys_end 0x1000000000 < high_mmio_base 0x1080000000");

    let firecracker = Request { vcpus: 33, ..request(VmmKind::Firecracker, Arch::Aarch64) };
    let refusal = refused(&firecracker, &plain(&firecracker));
    assert!(refusal.text.starts_with("The vCPU number is invalid!"), "{}", refusal.text);
    let firecracker = Request { memory: Size::gib(1023), ..request(VmmKind::Firecracker, Arch::Aarch64) };
    let refusal = refused(&firecracker, &plain(&firecracker));
    assert!(refusal.text.contains("exceeds architectural maximum (1022GiB)"), "{}", refusal.text);

    let openvmm =
        Request { ipa_bits: Some(36), memory: Size::gib(63), ..request(VmmKind::Openvmm, Arch::X86_64) };
    let text = refused(&openvmm, &plain(&openvmm)).text;
    assert_eq!(text, "memory layout ends at 0x1040000000, which exceeds the address width of 36 bits");
    let low = Knob::LowMmioSize { size: Size::gib(4) };
    let openvmm = request(VmmKind::Openvmm, Arch::X86_64);
    let choice = Choice { knobs: vec![low], ..plain(&openvmm) };
    assert!(
        refused(&openvmm, &choice).text.starts_with("pcie-rc0-low-mmio: cannot allocate 0x100000000 bytes")
    );
}

#[test]
fn xen_refuses_in_its_words() {
    let xen = request(VmmKind::Xen, Arch::X86_64);
    for (size, taken) in [(256, true), (3840, true), (255, false), (3841, false), (4096, false)] {
        let choice = Choice { knobs: vec![Knob::MmioHole { size: Size::mib(size) }], ..plain(&xen) };
        match memory_map(&xen, &choice) {
            Ok(_) => assert!(taken, "{size} MiB"),
            Err(refusal) => {
                assert!(!taken, "{size} MiB: {}", refusal.text);
                assert_eq!(refusal.text, format!("ERROR: invalid value {size} for \"mmio_hole\""));
            }
        }
    }
    for arch in [Arch::X86_64, Arch::Aarch64] {
        let xen = Request { vcpus: 129, ..request(VmmKind::Xen, arch) };
        assert_eq!(refused(&xen, &plain(&xen)).text, "Requested vCPUs (129) exceeds max (128)");
    }
    let xen = Request { memory: Size::gib(1020), ..request(VmmKind::Xen, Arch::Aarch64) };
    let text = refused(&xen, &plain(&xen)).text;
    assert_eq!(
        text,
        "Failed to allocate requested domain memory. 1048576KB unallocated. Fix the VMs configurations."
    );
    let xen = Request { machine: "virt".into(), ..request(VmmKind::Xen, Arch::X86_64) };
    assert!(refused(&xen, &plain(&xen)).text.contains("not \"virt\" for x86_64"));
}

#[test]
fn the_hole_of_xen_ends_ram_below_what_it_must_keep_out_of() {
    let xen = request(VmmKind::Xen, Arch::X86_64);
    let rmrr = |at| -> SpanSet<Gpa> { Span::of(at, at + 0xffff).into_iter().collect() };
    let holes = |at| -> Vec<u64> {
        let variants = variants_around(&xen, &rmrr(at)).expect("it takes the request");
        let knobs = variants.iter().flat_map(|variant| &variant.knobs);
        knobs.map(|knob| if let Knob::MmioHole { size } = knob { size.bytes() >> 20 } else { 0 }).collect()
    };
    // 2264 MiB end at the start of the region, rounded down to 2 MiB.
    assert_eq!(holes(0x8d9f_0000), [512, 1024, 1832, 2048, 3072]);
    assert_eq!(holes(0x1000_0000), [512, 1024, 2048, 3072, 3840]);
    assert_eq!(holes(0x0fff_0000), [512, 1024, 2048, 3072]);
    assert_eq!(holes(0xf000_0000), [512, 1024, 2048, 3072]);
    assert_eq!(holes(0x1_0000_0000), [512, 1024, 2048, 3072]);
}

#[test]
fn windows_of_crosvm_keep_clear_of_its_devices() {
    let request = request(VmmKind::Crosvm, Arch::Aarch64);
    for (start, size, taken) in [
        (0x200_0000, 0x200_0000, true),
        (0x400_0000, 0x3800_0000, true),
        (0x0, 0x100_0000, false),
        (0x3000_0000, 0x1000_0000, false),
        (0x5000_0000, 0x1000_0000, false),
        (u64::MAX - 0xfff, 0x1000_0000, false),
    ] {
        let knob = Knob::LowMmioWindow { start: Gpa::new(start), size: Size::from_bytes(size) };
        let made = memory_map(&request, &Choice { knobs: vec![knob], ..plain(&request) });
        assert_eq!(made.is_ok(), taken, "{start:#x} {size:#x}");
    }
}

/// Cloud Hypervisor keeps the room where it puts it, whatever the plan says; the plan's spans must lie within.
#[test]
fn room_for_later_memory_lies_behind_ram() {
    let request = Request {
        memory: Size::mib(6080),
        hotplug: Size::gib(4),
        ..request(VmmKind::CloudHypervisor, Arch::Aarch64)
    };
    let room = Span::from_start_size(Gpa::at(0x1_c000_0000), Size::gib(4)).expect("a span");
    let map = memory_map(&request, &Choice { hotplug: vec![room], ..plain(&request) }).expect("a map");
    let area = map.regions.iter().find(|region| region.name == "hotplug-area").expect("the area");
    assert_eq!(area.span, room);
    let elsewhere = Span::from_start_size(Gpa::at(0x2_0000_0000), Size::gib(4)).expect("a span");
    let refusal = refused(&request, &Choice { hotplug: vec![elsewhere], ..plain(&request) });
    assert!(refusal.text.contains("cloud-hypervisor has it at 0x1_c000_0000"), "{}", refusal.text);
    let odd = Request { hotplug: Size::mib(100), ..request };
    assert!(refused(&odd, &plain(&odd)).text.contains("128 MiB"));
}

#[test]
fn versions_and_capabilities() {
    let hypervisor = |major| capabilities(VmmKind::CloudHypervisor, Version::new(major, 0), Arch::X86_64);
    assert!(!hypervisor(51).iommufd && hypervisor(52).iommufd && hypervisor(50).bar_map_failure_is_fatal);
    let crowd = |version| Request { version, vcpus: 255, ..request(VmmKind::CloudHypervisor, Arch::X86_64) };
    assert!(memory_map(&crowd(Version::new(48, 0)), &plain(&crowd(Version::new(48, 0)))).is_ok());
    let old = crowd(Version::new(47, 0));
    assert_eq!(refused(&old, &plain(&old)).text, "cloud-hypervisor 47.0 takes 254 vCPUs at most");
    let firecracker = capabilities(VmmKind::Firecracker, newest(VmmKind::Firecracker), Arch::X86_64);
    assert!(!firecracker.passthrough && firecracker.knobs.is_empty());
    let old = Request { version: Version::new(38, 0), ..request(VmmKind::CloudHypervisor, Arch::X86_64) };
    assert_eq!(
        refused(&old, &plain(&old)).text,
        "the planner has no model of cloud-hypervisor 38.0, only of 39.0 and newer"
    );
    let old = Request { version: Version::new(44, 0), ..request(VmmKind::CloudHypervisor, Arch::Riscv64) };
    assert_eq!(
        refused(&old, &plain(&old)).text,
        "cloud-hypervisor 44.0 is not made for riscv64, which came with 45.0"
    );
    let machine = Request { machine: "virt".into(), ..request(VmmKind::Crosvm, Arch::Aarch64) };
    assert_eq!(refused(&machine, &plain(&machine)).rule, "M-NO-MACHINES");
    let riscv = request(VmmKind::Openvmm, Arch::Riscv64);
    assert_eq!(refused(&riscv, &plain(&riscv)).text, "the planner has no model of openvmm for riscv64");
}
