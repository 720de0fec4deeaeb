//! Whatever is asked of a VMM is answered: no request panics, and a map that comes back is sound.

use planner_core::addr::{Address, Gpa, Span};
use planner_core::facts::Arch;
use planner_core::facts::custom::{
    BarMapping, CustomRegion, CustomRegionKind, CustomVmm, CustomWindow, CustomWindowKind,
};
use planner_core::facts::guest::{Viommu, VmmKind};
use planner_core::size::{PageSize, Size};
use planner_core::version::Version;
use planner_core::vmm::{
    Choice, Dimm, Knob, MapRegion, MemoryMap, RegionKind, Request, check_machine, machine_name, memory_map,
    variants,
};
use proptest::prelude::*;

/// All memory at boot, no knob turned.
fn plain(request: &Request) -> Choice {
    Choice { knobs: vec![], boot: request.memory, dimms: vec![], hotplug: vec![] }
}

/// A VMM in its user's words.
fn described() -> CustomVmm {
    let region = |name: &str, first, last, kind| CustomRegion {
        name: name.into(),
        span: Span::of(first, last).expect("in order"),
        kind,
    };
    let window = |name: &str, kind, first, last, size: Option<Size>| CustomWindow {
        name: name.into(),
        kind,
        span: Span::of(first, last).expect("in order"),
        size,
        most: size.and_then(|size| size.checked_add(size)),
    };
    CustomVmm {
        movable: Span::of(0x4000_0000, 0xff_ffff_ffff),
        pieces: Some(3),
        regions: vec![region("gic", 0x800_0000, 0x801_ffff, CustomRegionKind::Gicd)],
        windows: vec![
            window("low", CustomWindowKind::Mmio32, 0x1000_0000, 0x3fff_ffff, None),
            window("high", CustomWindowKind::Mmio64, 0x40_0000_0000, 0x7f_ffff_ffff, Some(Size::gib(16))),
        ],
        bars: Some(BarMapping::Dies),
        ..CustomVmm::default()
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    let kind = prop::sample::select(VmmKind::WORDS).prop_map(|(_, kind)| kind);
    let arch = prop_oneof![Just(Arch::Aarch64), Just(Arch::X86_64), Just(Arch::Riscv64)];
    let machine = prop_oneof![
        Just(String::new()),
        "(virt|q35|pc|virt-7.1|pc-q35-7.0|uefi|linux|hvm|dom0less|direct-map)?(,(highmem|highmem-ecam|compact-highmem|its|gic-version|max-ram-below-4g|highmem-mmio-size|msi|secure|aia)=(on|off|2|3|1G|1T|16E|its)){0,3}",
        ".{0,20}",
        "((num_pci_segments=[0-9]{1,3}|iommu_segments=\\[[0-9,-]{0,6}\\]|pci_segment=[0-9]|mmio(32|64)_aperture_weight=[0-9]{1,10}|guest_numa_id=[01]|pci_segments=[0-9]),){0,4}",
        "((mem|cam|ecam)=\\[start=(0x)?[0-9]{1,18}(,size=(0x)?[0-9]{1,12})?\\],){0,2}",
    ];
    let cpu =
        prop_oneof!["(|host|max|neoverse-n1|EPYC|qemu64)", "(EPYC|host),phys-bits=[0-9]{1,3}", ".{0,8}"];
    let numbers = (any::<u32>(), any::<Option<u8>>(), any::<u64>(), any::<u64>(), 0_u32..300);
    (kind, arch, 0_u16..60, 0_u16..20, machine, cpu, numbers).prop_map(
        |(kind, arch, major, minor, machine, cpu, (vcpus, ipa_bits, memory, hotplug, slots))| Request {
            kind,
            version: Version::new(major, minor),
            arch,
            machine,
            cpu,
            custom: (slots % 3 == 0).then(described),
            vcpus: vcpus % 600,
            ipa_bits,
            // Half of the sizes are realistic.
            memory: Size::from_bytes(if memory % 2 == 0 { memory } else { memory >> 26 << 20 }),
            pages: PageSize::M2,
            hotplug: Size::from_bytes(if hotplug % 2 == 0 { 0 } else { hotplug >> 24 }),
            slots,
            viommu: if slots % 2 == 0 { Viommu::None } else { Viommu::SmmuV3 },
        },
    )
}

fn any_choice() -> impl Strategy<Value = (Vec<Knob>, Vec<Span<Gpa>>)> {
    let knob = prop_oneof![
        any::<u64>().prop_map(|at| Knob::RamBase { at: Gpa::new(at) }),
        (20_u32..64).prop_map(|bit| Knob::HighMmioSize { size: Size::from_bytes(1 << bit) }),
        any::<u64>().prop_map(|size| Knob::PciHole64Size { size: Size::from_bytes(size) }),
        any::<u32>().prop_map(|limit| Knob::MaxRamBelow4g { limit: Size::from_bytes(limit.into()) }),
        any::<u32>().prop_map(|size| Knob::LowMmioSize { size: Size::from_bytes(size.into()) }),
        any::<(u32, u32)>().prop_map(|(start, size)| Knob::LowMmioWindow {
            start: Gpa::at(start.into()),
            size: Size::from_bytes(size.into()),
        }),
        any::<u8>().prop_map(|bits| Knob::MaxPhysBits { bits }),
        (0_u64..4200).prop_map(|size| Knob::MmioHole { size: Size::mib(size) }),
        Just(Knob::PeerDmaOff),
        any::<u16>().prop_map(|count| Knob::PciSegments { count }),
        any::<(u64, u32)>().prop_map(|(start, size)| Knob::Window {
            name: "high".into(),
            start: Gpa::new(start >> 20 << 20),
            size: Size::from_bytes(size.into()),
        }),
    ];
    let span = (any::<u64>(), 0_u32..44).prop_map(|(at, bit)| {
        let at = Gpa::new(at >> 20 << 21);
        Span::from_start_size(at, Size::from_bytes(1 << bit)).unwrap_or(Span::single(at))
    });
    (prop::collection::vec(knob, 0..3), prop::collection::vec(span, 0..3))
}

/// What is wrong with a map: modules lie in their area, everything else is disjoint, and the bits reach all of it.
fn fault(map: &MemoryMap) -> Option<String> {
    let is_module =
        |region: &&MapRegion| region.name.starts_with("dimm") || region.name.starts_with("hotplug");
    let outer: Vec<&MapRegion> = map.regions.iter().filter(|region| !is_module(region)).collect();
    let overlap = outer.windows(2).find(|pair| matches!(pair, [a, b] if a.span.overlaps(b.span)));
    let area = outer.iter().find(|region| region.kind == RegionKind::DeviceMemory);
    let mut modules = map.regions.iter().filter(is_module);
    let stray = modules.find(|module| !area.is_some_and(|area| area.span.covers(module.span)));
    let reach = 1_u128 << map.needed_bits;
    let beyond = |region: &&MapRegion| u128::from(region.span.last().get()) >= reach;
    // The HyperTransport range is reserved on a small AMD machine too, which never reaches it.
    let far = map.regions.iter().filter(|region| region.kind != RegionKind::Hole).find(beyond);
    overlap
        .map(|pair| format!("{pair:?} overlap"))
        .or(stray.map(|module| format!("{module:?} lies outside its area")))
        .or(far.map(|region| format!("{region:?} lies beyond {} bits", map.needed_bits)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_request_is_answered(request in any_request(), (knobs, spans) in any_choice()) {
        let dimms = spans.iter().map(|&span| Dimm { span }).collect();
        let choices = [plain(&request), Choice { knobs, dimms, ..plain(&request) }];
        let _ = (variants(&request), check_machine(&request), machine_name(&request));
        for map in choices.iter().filter_map(|choice| memory_map(&request, choice).ok()) {
            prop_assert_eq!(fault(&map), None, "{:?}", map);
        }
    }

    /// Every variant that is offered can be made, or is refused in words, without modules and with the least boot memory.
    #[test]
    fn any_variant_is_answered(mut request in any_request()) {
        request.hotplug = Size::ZERO;
        request.slots = 0;
        for variant in variants(&request).unwrap_or_default() {
            let boot = request.memory.min(Size::gib(4));
            let choice = Choice { knobs: variant.knobs, boot, ..plain(&request) };
            if let Ok(map) = memory_map(&request, &choice) {
                prop_assert_eq!(fault(&map), None);
            }
        }
    }
}
