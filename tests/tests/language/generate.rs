//! Random facts that nothing is wrong with, for the properties.

use planner_core::addr::{Address, BusAddr, Gpa, Hpa, Iova, Span};
use planner_core::diag::Origin;
use planner_core::facts::Arch;
use planner_core::facts::custom::{
    BarMapping, CustomRegion, CustomRegionKind, CustomVmm, CustomWindow, CustomWindowKind,
};
use planner_core::facts::guest::{
    AvoidFact, GuestFacts, HazardPolicy, LayoutPolicy, MemoryFact, NumaFact, PassFact, Viommu, VmmFact,
    VmmKind,
};
use planner_core::facts::host::{
    BarFact, BarKind, DeviceFact, DoorbellFact, DoorbellKind, FirmwareKind, FirmwareRegionFact, GicV2mFact,
    GicV3Fact, GroupFact, HostFacts, InboundFact, IommuFact, IommuModel, ItsFact, KernelFact, ListedKind,
    ListedRegion, MsiMapFact, PeerToPeer, RamFact, RequesterRange, RootComplexFact, SriovFact, StreamMapFact,
    WindowFact, WindowKind,
};
use planner_core::facts::pci::{
    AcsFact, BridgeBusesFact, ConfigFact, PortType, ResizableBarFact, VirtualFunctionsFact,
};
use planner_core::ids::{GroupId, MsiDeviceId, PciAddress, PciClass, PciId, RequesterId, StreamId};
use planner_core::size::{PageSize, PageSizes, Size};
use planner_core::version::Version;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const NOBODY: Origin = Origin::Unstated;

/// One of the values of a table of words.
fn word<T: Copy + std::fmt::Debug + 'static>(
    words: &[(&'static str, T)],
) -> impl Strategy<Value = T> + use<T> {
    select(words.iter().map(|&(_, value)| value).collect::<Vec<T>>())
}

/// Text of any kind: plain words, keywords, quotes, line breaks, other scripts.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z][a-z0-9_@/:-]{0,10}",
        1 => select(vec!["window", "smmu", "a..b", "a->b", "0x1000", "-", "pcie@1f.2", "fixed", "none", "#", "{", ""])
            .prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => proptest::collection::vec(any::<char>(), 0..6).prop_map(|chars| chars.into_iter().collect()),
    ]
}

/// Names of which no two are the same.
fn named<T: std::fmt::Debug>(
    things: impl Strategy<Value = Vec<T>>,
    name: fn(&mut T) -> &mut String,
) -> impl Strategy<Value = Vec<T>> {
    things.prop_map(move |mut things| {
        for (index, thing) in things.iter_mut().enumerate() {
            name(thing).push_str(&format!("-{index}"));
        }
        things
    })
}

/// Addresses and sizes near the edges as well as anywhere.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        any::<u32>().prop_map(u64::from),
        (0..64_u32).prop_map(|bit| 1 << bit),
        (0..64_u32).prop_map(|bit| (1 << bit) - 1),
        Just(u64::MAX),
    ]
}

fn span<A: Address>() -> impl Strategy<Value = Span<A>> {
    let aligned = (0..1_u64 << 40, 1..1_u64 << 12)
        .prop_map(|(page, pages)| (page << 12, (page << 12) + (pages << 12) - 1));
    prop_oneof![(number(), number()), aligned]
        .prop_map(|(a, b)| Span::of(a.min(b), a.max(b)).expect("in order"))
}

fn page() -> impl Strategy<Value = PageSize> {
    (9..64_u32).prop_map(|bit| PageSize::from_bytes(1 << bit).expect("a power of two of 512 or more"))
}

fn bits() -> impl Strategy<Value = u8> {
    32..=64_u8
}

fn version() -> impl Strategy<Value = Version> {
    (any::<u16>(), any::<u16>(), any::<u16>()).prop_map(|(major, minor, patch)| Version {
        major,
        minor,
        patch,
    })
}

fn pci() -> impl Strategy<Value = PciAddress> {
    (any::<u16>(), any::<u16>())
        .prop_map(|(segment, requester)| PciAddress::from_requester(segment, RequesterId(requester)))
}

fn ordered<T: Ord + Copy>((a, b): (T, T)) -> (T, T) {
    (a.min(b), a.max(b))
}

fn kernel() -> impl Strategy<Value = KernelFact> {
    (version(), option::of(page()), option::of(bits()), any::<Option<bool>>(), any::<Option<bool>>())
        .prop_map(|(version, page_size, va_bits, iommufd, unsafe_interrupts)| KernelFact {
            version,
            page_size,
            va_bits,
            iommufd,
            unsafe_interrupts,
            origin: NOBODY,
        })
}

fn iommu() -> impl Strategy<Value = IommuFact> {
    let aperture = prop_oneof![
        (12..64_u32).prop_map(|bits| Span::of(0, (1 << bits) - 1).expect("in order")),
        Just(Span::<Iova>::full()),
        span()
    ];
    let pages = (1..1_u64 << 55).prop_map(|bits| PageSizes::from_bitmap(bits << 9));
    let model = word(IommuModel::WORDS);
    let base = number().prop_map(Hpa::at);
    (text(), option::of(model), option::of(base), option::of(aperture), option::of(pages)).prop_map(
        |(name, model, base, aperture, pages)| IommuFact {
            name,
            model,
            base,
            aperture,
            pages,
            origin: NOBODY,
        },
    )
}

fn gicv3() -> impl Strategy<Value = GicV3Fact> {
    (text(), span(), vec(span(), 0..3)).prop_map(|(name, distributor, redistributors)| GicV3Fact {
        name,
        distributor,
        redistributors,
        origin: NOBODY,
    })
}

fn gicv2m() -> impl Strategy<Value = GicV2mFact> {
    (text(), span(), option::of(any::<(u32, u32)>().prop_map(ordered))).prop_map(|(name, frame, spis)| {
        GicV2mFact {
            name,
            frame,
            first_spi: spis.map(|(first, _)| first),
            last_spi: spis.map(|(_, last)| last),
            origin: NOBODY,
        }
    })
}

fn requesters() -> impl Strategy<Value = (RequesterId, RequesterId)> {
    prop_oneof![Just((0, 0xffff)), any::<(u16, u16)>().prop_map(ordered)]
        .prop_map(|(first, last)| (RequesterId(first), RequesterId(last)))
}

/// A first ID from which one can count up 16 bits.
fn id() -> impl Strategy<Value = Option<u32>> {
    option::of(0..=u32::MAX - 0xffff)
}

fn stream() -> impl Strategy<Value = StreamMapFact> {
    (select(vec!["a", "b", "smmu c"]), requesters(), id(), any::<bool>()).prop_map(
        |(iommu, (first, last), stream, shared)| StreamMapFact {
            iommu: iommu.into(),
            first,
            last,
            stream: stream.map(StreamId),
            shared,
            origin: NOBODY,
        },
    )
}

fn msi() -> impl Strategy<Value = MsiMapFact> {
    (select(vec!["its", "v2m", "window"]), requesters(), id()).prop_map(|(controller, (first, last), id)| {
        MsiMapFact {
            controller: controller.into(),
            first,
            last,
            device_id: id.map(MsiDeviceId),
            origin: NOBODY,
        }
    })
}

/// CPU addresses and a first bus address, of which the last is at most this.
fn shown_at(most: u64) -> impl Strategy<Value = (Span<Hpa>, BusAddr)> {
    let same = span::<Hpa>().prop_filter_map("passes the end", move |cpu| {
        (cpu.last().get() <= most).then(|| (cpu, BusAddr::at(cpu.first().get())))
    });
    let translated = (number(), 0..1_u64 << 31, 0..1_u64 << 31).prop_map(|(cpu, bus, length)| {
        let first = cpu.min(u64::MAX - length);
        (Span::of(first, first + length).expect("in order"), BusAddr::at(bus))
    });
    prop_oneof![2 => translated, 1 => same]
}

fn window() -> impl Strategy<Value = WindowFact> {
    let kinds = word(WindowKind::WORDS);
    let shown = kinds.prop_flat_map(|kind| {
        let most = if kind == WindowKind::Mem64 { u64::MAX } else { 0xffff_ffff };
        (Just(kind), shown_at(most).boxed())
    });
    (shown, any::<bool>(), option::of(word(PeerToPeer::WORDS))).prop_map(
        |((kind, (cpu, bus)), prefetchable, p2p)| WindowFact {
            kind,
            cpu,
            bus,
            prefetchable,
            p2p,
            origin: NOBODY,
        },
    )
}

fn inbound() -> impl Strategy<Value = InboundFact> {
    shown_at(u64::MAX).prop_map(|(cpu, bus)| InboundFact { cpu, bus, origin: NOBODY })
}

/// Base address registers at indices that do not collide. Those of 32 bits have no address, because that may be
/// anything only when no window shows it.
fn bars() -> impl Strategy<Value = Vec<BarFact>> {
    let bar = (word(BarKind::WORDS), any::<bool>(), 0..60_u32, option::of(number()));
    vec(bar, 0..4).prop_map(|bars| {
        let mut index = 0;
        let mut facts = Vec::new();
        for (kind, prefetchable, bit, at) in bars {
            let wide = kind == BarKind::Mem64;
            if index > if wide { 4 } else { 5 } {
                break;
            }
            let size = 1 << if wide { 4 + bit % 60 } else { 4 + bit % 28 };
            let at = at.filter(|_| wide).map(Hpa::at);
            facts.push(BarFact {
                index,
                kind,
                prefetchable,
                size: Size::from_bytes(size),
                at,
                origin: NOBODY,
            });
            index += if wide { 2 } else { 1 };
        }
        facts
    })
}

fn device(segment: u16, requester: u16) -> impl Strategy<Value = DeviceFact> {
    let address = PciAddress::from_requester(segment, RequesterId(requester));
    let id = any::<(u16, u16)>().prop_map(|(vendor, device)| PciId { vendor, device });
    let class = (0..1_u32 << 24).prop_map(|code| PciClass::from_code(code).expect("24 bits"));
    let sriov =
        any::<(u16, u16)>().prop_map(ordered).prop_map(|(enabled, total)| SriovFact { total, enabled });
    let vectors = (option::of(0..=2048_u16), option::of(select(vec![0, 1, 2, 4, 8, 16, 32_u16])));
    (option::of(id), option::of(class), any::<Option<u32>>(), bars(), vectors, option::of(sriov)).prop_map(
        move |(id, class, node, bars, (msix, msi), sriov)| DeviceFact {
            address,
            id,
            class,
            node,
            bars,
            msix,
            msi,
            sriov,
            config: ConfigFact::default(),
            origin: NOBODY,
        },
    )
}

/// A device with, half the time, what its configuration space says.
fn whole_device(segment: u16, requester: u16) -> impl Strategy<Value = DeviceFact> {
    (device(segment, requester), prop_oneof![Just(ConfigFact::default()), config(segment)])
        .prop_map(|(device, config)| DeviceFact { config, ..device })
}

fn config(segment: u16) -> impl Strategy<Value = ConfigFact> {
    let buses = any::<(u8, u8)>()
        .prop_map(ordered)
        .prop_map(|(secondary, subordinate)| BridgeBusesFact { secondary, subordinate });
    let acs = any::<(u16, Option<u16>)>().prop_map(|(capability, control)| AcsFact { capability, control });
    let other = prop_oneof![3 => Just(segment), 1 => any::<u16>()];
    let physical = (other, any::<u16>())
        .prop_map(|(segment, requester)| PciAddress::from_requester(segment, RequesterId(requester)));
    let vfs = (any::<(u16, u16, Option<u16>)>(), bars()).prop_map(|((offset, stride, device_id), bars)| {
        VirtualFunctionsFact { offset, stride, device_id, bars }
    });
    let resizable = (0..=5_u8, 1..1_u64 << 44)
        .prop_map(|(index, sizes)| ResizableBarFact { index, sizes: PageSizes::from_bitmap(sizes << 20) });
    let place = (option::of(word(PortType::WORDS)), option::of(buses), option::of(acs), option::of(physical));
    (place, option::of(vfs), any::<(bool, bool, bool)>(), option::of(0..=20_u8), vec(resizable, 0..3))
        .prop_map(
            |(
                (port_type, buses, acs, physical_function),
                virtual_functions,
                flags,
                pasid_bits,
                resizable,
            )| {
                let (multifunction, ats, pri) = flags;
                ConfigFact {
                    port_type,
                    buses,
                    multifunction,
                    acs,
                    physical_function,
                    virtual_functions,
                    ats,
                    pri,
                    pasid_bits,
                    resizable,
                }
            },
        )
}

fn root_complex(segment: u16) -> impl Strategy<Value = RootComplexFact> {
    let buses = prop_oneof![Just((0, 0xff)), any::<(u8, u8)>().prop_map(ordered)];
    let devices = buses.prop_flat_map(move |(first, last)| {
        let from = u16::from(first) << 8;
        let to = u16::from(last) << 8 | 0xff;
        let requesters = proptest::collection::btree_set(from..=to, 0..4);
        let devices = requesters.prop_flat_map(move |requesters| {
            requesters
                .into_iter()
                .map(|requester| whole_device(segment, requester).boxed())
                .collect::<Vec<_>>()
        });
        (Just((first, last)), devices)
    });
    let maps = (vec(stream(), 0..5), vec(msi(), 0..4));
    (text(), devices, any::<Option<u32>>(), maps, vec(window(), 0..4), vec(inbound(), 0..2)).prop_map(
        move |(name, ((first_bus, last_bus), devices), node, (streams, msi), windows, inbound)| {
            RootComplexFact {
                name,
                segment,
                first_bus,
                last_bus,
                node,
                streams,
                msi,
                windows,
                inbound,
                devices,
                origin: NOBODY,
            }
        },
    )
}

fn listed() -> impl Strategy<Value = ListedRegion> {
    let range = prop_oneof![
        any::<(u64, u64)>().prop_map(ordered),
        any::<u64>().prop_map(|start| (start, start.wrapping_sub(1)))
    ];
    (range, word(ListedKind::WORDS)).prop_map(|((start, end), kind)| ListedRegion {
        start: Iova::at(start),
        end: Iova::at(end),
        kind,
        origin: NOBODY,
    })
}

/// Groups of which no two have a device in common.
fn groups() -> impl Strategy<Value = Vec<GroupFact>> {
    let group = (vec(text(), 0..2), option::of(text()), option::of(vec(listed(), 0..4)));
    let members = proptest::collection::btree_set(pci(), 0..20);
    (vec((any::<u32>(), group), 0..4), members).prop_map(|(mut groups, members)| {
        groups.sort_by_key(|(id, _)| *id);
        groups.dedup_by_key(|(id, _)| *id);
        let mut members = members.into_iter();
        let facts = groups.into_iter().map(|(id, (others, domain, listed))| GroupFact {
            id: GroupId(id),
            devices: members.by_ref().take(8).collect(),
            others,
            domain,
            listed,
            origin: NOBODY,
        });
        facts.collect()
    })
}

fn firmware() -> impl Strategy<Value = FirmwareRegionFact> {
    let ranges = (any::<u16>(), requesters()).prop_map(|(segment, (first, last))| RequesterRange {
        segment,
        first,
        last,
    });
    let whom = (vec(pci(), 0..9), vec(ranges, 0..3));
    (text(), word(FirmwareKind::WORDS), span(), whom).prop_map(|(name, kind, span, (devices, requesters))| {
        FirmwareRegionFact { name, kind, span, devices, requesters, origin: NOBODY }
    })
}

fn doorbell() -> impl Strategy<Value = (Option<String>, DoorbellKind, Span<Hpa>)> {
    (option::of(text()), word(DoorbellKind::WORDS), span())
}

/// Any host that nothing is wrong with.
pub(crate) fn host() -> impl Strategy<Value = HostFacts> {
    let head = (text(), option::of(word(&Arch::WORDS)), option::of(kernel()), option::of(bits()));
    let ram = (span(), any::<Option<u32>>()).prop_map(|(span, node)| RamFact { span, node, origin: NOBODY });
    let its = (text(), span()).prop_map(|(name, frame)| ItsFact { name, frame, origin: NOBODY });
    let gics = (
        named(vec(gicv3(), 0..2), |gic| &mut gic.name),
        named(vec(its, 0..3), |its| &mut its.name),
        named(vec(gicv2m(), 0..2), |frame| &mut frame.name),
        vec(doorbell(), 0..3),
    );
    let iommus = named(vec(iommu(), 0..4), |iommu| &mut iommu.name);
    let roots =
        (0..3_u16).prop_flat_map(|count| (0..count).map(|n| root_complex(n * 7).boxed()).collect::<Vec<_>>());
    let roots = named(roots, |root| &mut root.name);
    let rest = (iommus, roots, groups(), vec(firmware(), 0..3));
    (head, vec(ram, 0..4), gics, rest).prop_map(|(head, ram, (gicv3, its, gicv2m, doorbells), rest)| {
        let (name, arch, kernel, ipa_bits) = head;
        let (iommus, root_complexes, groups, firmware) = rest;
        let mut facts = HostFacts {
            name,
            origin: NOBODY,
            arch,
            kernel,
            ipa_bits,
            ram,
            iommus,
            gicv3,
            its,
            gicv2m,
            doorbells: Vec::new(),
            root_complexes,
            groups,
            firmware,
        };
        tell_controllers_apart(&mut facts);
        for (index, (name, kind, span)) in doorbells.into_iter().enumerate() {
            let name = name.map(|name| format!("{name}-d{index}"));
            facts.doorbells.push(DoorbellFact { name, kind, span, origin: NOBODY });
        }
        facts
    })
}

/// MSI controllers of different kinds share their names.
fn tell_controllers_apart(facts: &mut HostFacts) {
    facts.its.iter_mut().for_each(|its| its.name.push('i'));
    facts.gicv2m.iter_mut().for_each(|frame| frame.name.push('f'));
}

/// NUMA nodes whose virtual CPUs are apart.
fn numa() -> impl Strategy<Value = Vec<NumaFact>> {
    let node = (1..9_u32, number(), any::<bool>(), any::<Option<u32>>());
    vec(node, 0..4).prop_map(|nodes| {
        let mut next = 0;
        let facts = nodes.into_iter().zip(0..).map(|((cpus, memory, with_cpus, host_node), node)| {
            let first = next;
            next += cpus;
            NumaFact {
                node,
                memory: Size::from_bytes(memory),
                first_cpu: with_cpus.then_some(first),
                last_cpu: with_cpus.then_some(next - 1),
                host_node,
                origin: NOBODY,
            }
        });
        facts.collect()
    })
}

fn memory() -> impl Strategy<Value = MemoryFact> {
    let hotplug = option::of(number().prop_map(Size::from_bytes));
    (1..u64::MAX, option::of(page()), hotplug, any::<Option<u32>>()).prop_map(
        |(size, pages, hotplug, slots)| MemoryFact {
            size: Size::from_bytes(size),
            pages,
            hotplug,
            slots,
            origin: NOBODY,
        },
    )
}

/// The description of a VMM, if anything is said.
fn custom() -> impl Strategy<Value = Option<CustomVmm>> {
    let size = || option::of(number().prop_map(Size::from_bytes));
    let region = (text(), span::<Gpa>(), word(CustomRegionKind::WORDS))
        .prop_map(|(name, span, kind)| CustomRegion { name, span, kind });
    let window = (text(), word(CustomWindowKind::WORDS), span::<Gpa>(), size(), size())
        .prop_map(|(name, kind, span, size, most)| CustomWindow { name, kind, span, size, most });
    let numbers = (size(), option::of(0..65_u32), option::of(bits()), option::of(word(BarMapping::WORDS)));
    let spans = (vec(span::<Gpa>(), 0..3), option::of(span::<Gpa>()));
    (spans, numbers, vec(region, 0..3), vec(window, 0..3)).prop_map(
        |((ram, movable), (align, pieces, ipa_bits, bars), regions, windows)| {
            let custom = CustomVmm { ram, movable, align, pieces, regions, windows, ipa_bits, bars };
            Some(custom).filter(|custom| *custom != CustomVmm::default())
        },
    )
}

/// Any guest that nothing is wrong with.
pub(crate) fn guest() -> impl Strategy<Value = GuestFacts> {
    let vmm = (word(VmmKind::WORDS), option::of(version()), option::of(text()), option::of(text()), custom())
        .prop_map(|(kind, version, machine, cpu, custom)| VmmFact {
            kind,
            version,
            machine,
            cpu,
            custom,
            origin: NOBODY,
        });
    let pass = proptest::collection::btree_set(pci(), 0..14);
    let avoid = vec(span::<Gpa>().prop_map(|span| AvoidFact { span, origin: NOBODY }), 0..3);
    let words = (
        option::of(word(&Arch::WORDS)),
        option::of(word(Viommu::WORDS)),
        any::<Option<bool>>(),
        option::of(word(HazardPolicy::WORDS)),
        option::of(word(LayoutPolicy::WORDS)),
    );
    let numbers = (option::of(1..u32::MAX), option::of(bits()), option::of(version()));
    (text(), words, numbers, option::of(vmm), option::of(memory()), numa(), pass, avoid).prop_map(
        |(
            name,
            (arch, viommu, iommufd, hazards, policy),
            (vcpus, ipa_bits, libvirt),
            vmm,
            memory,
            numa,
            pass,
            avoid,
        )| {
            GuestFacts {
                name,
                origin: NOBODY,
                arch,
                vmm,
                memory,
                numa,
                vcpus,
                pass: pass.into_iter().map(|device| PassFact { device, origin: NOBODY }).collect(),
                viommu,
                iommufd,
                hazards,
                policy,
                ipa_bits,
                avoid,
                libvirt,
            }
        },
    )
}
