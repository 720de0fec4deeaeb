//! Small hosts and layouts for the picture.

use planner_core::addr::{Address, Gpa, Iova, Span};
use planner_core::diag::Origin;
use planner_core::facts::Arch;
use planner_core::facts::guest::{HazardPolicy, LayoutPolicy, Viommu, VmmKind};
use planner_core::facts::host::{PeerToPeer, WindowKind};
use planner_core::guest::GuestSpec;
use planner_core::host::{Device, Host, Kernel, RootComplex, Window};
use planner_core::ids::GroupId;
use planner_core::kernel::{
    Basis, GroupReport, Hazard, IommufdAnswer, ReservedRegion, ReservedReport, ResvKind, Type1Answer,
};
use planner_core::map::{AddressMap, Attempt};
use planner_core::plan::{
    HostSummary, PieceKind, Placed, PlacedRegion, Plan, RamPiece, Reason, Verdict, VmmSummary,
};
use planner_core::size::{PageSize, PageSizes, Size};
use planner_core::version::Version;
use planner_core::vmm::{MapRegion, RegionKind};

pub(crate) fn span<A: Address>(first: u64, last: u64) -> Span<A> {
    Span::of(first, last).expect("samples are well-formed")
}

fn page() -> PageSize {
    PageSize::from_bytes(4096).expect("a power of two")
}

fn line() -> Origin {
    Origin::Line { file: "seattle.host".into(), line: 12 }
}

pub(crate) fn window(kind: WindowKind, first: u64, last: u64, p2p: Option<PeerToPeer>) -> Window {
    Window { kind, cpu: span(first, last), bus: span(first, last), prefetchable: false, p2p, origin: line() }
}

/// A host with one root complex, with one device, which is in group 1.
pub(crate) fn host(name: &str, windows: Vec<Window>) -> Host {
    let complex = RootComplex {
        name: "pcie0".into(),
        segment: 0,
        first_bus: 0,
        last_bus: 0x7f,
        node: None,
        windows,
        inbound: Vec::new(),
        origin: Origin::Unstated,
    };
    let device = Device {
        address: "0000:01:00.0".parse().expect("a PCI address"),
        id: None,
        class: None,
        node: None,
        bars: Vec::new(),
        msix: None,
        msi: None,
        sriov: None,
        config: Default::default(),
        root_complex: Some(0),
        translation: None,
        msi_target: None,
        group: Some(GroupId(1)),
        origin: Origin::Unstated,
    };
    Host {
        name: name.into(),
        arch: Arch::Aarch64,
        kernel: Kernel {
            version: Version::new(6, 12),
            page_size: page(),
            va_bits: None,
            iommufd: None,
            unsafe_interrupts: None,
            origin: Origin::Unstated,
        },
        ipa_bits: None,
        ram: Vec::new(),
        iommus: Vec::new(),
        doorbells: Vec::new(),
        root_complexes: vec![complex],
        devices: vec![device],
        groups: Vec::new(),
        firmware: Vec::new(),
    }
}

pub(crate) fn reserved(kind: ResvKind, first: u64, last: u64, rule: &'static str) -> ReservedRegion {
    let (start, end) = (Iova::at(first), Iova::at(last));
    ReservedRegion { start, end, kind, rule, basis: Basis::Predicted, origin: Origin::rule(rule) }
}

pub(crate) fn group(id: u32, last: u64, reserved: Vec<ReservedRegion>, hazards: Vec<Hazard>) -> GroupReport {
    GroupReport {
        id: GroupId(id),
        devices: Vec::new(),
        reserved,
        aperture: span(0, last),
        type1: Type1Answer { usable: Vec::new(), page_sizes: PageSizes::from_bitmap(0x4020_1000) },
        iommufd: IommufdAnswer::Usable { usable: Vec::new(), alignment: Size::kib(4) },
        msi: None,
        blockers: Vec::new(),
        hazards,
        notes: Vec::new(),
    }
}

pub(crate) fn report(host: &Host, groups: Vec<GroupReport>) -> ReservedReport {
    let (kernel, page_size) = (Version::new(6, 12), page());
    ReservedReport { host: host.name.clone(), kernel, page_size, groups, differences: Vec::new() }
}

fn hazard(first: u64, last: u64, certain: bool) -> Hazard {
    let because = if certain { "takes DMA into this window" } else { "may take DMA into this window" };
    Hazard {
        span: span(first, last),
        rule: "H-P2PWIN",
        because: format!("root complex pcie0 {because} peer to peer"),
        certain,
        origin: line(),
    }
}

/// A host after AMD Seattle: the 32-bit window lies where QEMU's `virt` machine puts RAM.
pub(crate) fn seattle() -> (Host, ReservedReport) {
    let takes = Some(PeerToPeer::Intercepts);
    let host = host(
        "amd-seattle",
        vec![
            window(WindowKind::Mem32, 0x4000_0000, 0xbfff_ffff, takes),
            window(WindowKind::Mem64, 0x1_0000_0000, 0x7f_ffff_ffff, takes),
            window(WindowKind::Io, 0, 0xffff, None),
        ],
    );
    let msi = reserved(ResvKind::SoftwareMsi, 0x800_0000, 0x80f_ffff, "K-SWMSI");
    let hazards = vec![hazard(0x4000_0000, 0xbfff_ffff, true), hazard(0x1_0000_0000, 0x7f_ffff_ffff, true)];
    let report = report(&host, vec![group(1, 0xff_ffff_ffff, vec![msi], hazards)]);
    (host, report)
}

/// Two groups with different regions and apertures.
pub(crate) fn server() -> (Host, ReservedReport) {
    let through = Some(PeerToPeer::Translates);
    let host = host(
        "server",
        vec![
            window(WindowKind::Mem32, 0xc000_0000, 0xfbff_ffff, None),
            window(WindowKind::Mem64, 0x40_0000_0000, 0x7f_ffff_ffff, through),
        ],
    );
    let pinned = reserved(ResvKind::Msi, 0xfee0_0000, 0xfeef_ffff, "K-X86MSI");
    let direct = reserved(ResvKind::Direct, 0x7a00_0000, 0x7a7f_ffff, "K-RMRR");
    let relaxable = reserved(ResvKind::DirectRelaxable, 0x7b00_0000, 0x7bff_ffff, "K-RMRR");
    let hole = reserved(ResvKind::Reserved, 0xfd_0000_0000, 0xff_ffff_ffff, "K-AMDHT");
    let hazards = vec![hazard(0xc000_0000, 0xfbff_ffff, false)];
    let one = group(1, 0xffff_ffff_ffff, vec![direct, pinned.clone()], hazards);
    let two = group(2, 0x1ff_ffff_ffff, vec![relaxable, pinned, hole], Vec::new());
    let report = report(&host, vec![one, two]);
    (host, report)
}

pub(crate) fn guest(name: &str, vmm: VmmKind, version: Version) -> GuestSpec {
    GuestSpec {
        name: name.into(),
        arch: Arch::Aarch64,
        vmm,
        version,
        machine: "virt".into(),
        cpu: "host".into(),
        custom: None,
        memory: Size::gib(4),
        pages: page(),
        hotplug: Size::from_bytes(0),
        slots: 0,
        numa: Vec::new(),
        vcpus: 4,
        pass: vec!["0000:01:00.0".parse().expect("a PCI address")],
        viommu: Viommu::None,
        iommufd: false,
        hazards: HazardPolicy::Strict,
        policy: LayoutPolicy::HostFit,
        ipa_bits: None,
        avoid: Vec::new(),
        libvirt: None,
    }
}

pub(crate) fn desktop() -> GuestSpec {
    guest("desktop", VmmKind::Qemu, Version::new(11, 1))
}

pub(crate) fn region(name: &str, kind: RegionKind, first: u64, last: u64) -> MapRegion {
    MapRegion { name: name.into(), kind, span: span(first, last) }
}

/// A memory map like kvmtool's, as far as the picture needs it.
fn kvmtool_regions() -> Vec<MapRegion> {
    vec![
        region("pio", RegionKind::Pio, 0, 0xffff),
        region("platform", RegionKind::Platform, 0x100_0000, 0x1ff_ffff),
        region("virtio-mmio", RegionKind::VirtioMmio, 0x200_0000, 0x2ff_ffff),
        region("its", RegionKind::Its, 0x3ffd_0000, 0x3ffe_ffff),
        region("gicd", RegionKind::Gicd, 0x3fff_0000, 0x3fff_ffff),
        region("ecam", RegionKind::Ecam, 0x4000_0000, 0x4fff_ffff),
        region("mmio", RegionKind::Mmio32, 0x5000_0000, 0x7fff_ffff),
        region("bar 00:01.0", RegionKind::Bar, 0x5000_0000, 0x5000_3fff),
    ]
}

/// A memory map like QEMU's, but for RAM.
pub(crate) fn qemu_regions() -> Vec<MapRegion> {
    vec![
        region("flash", RegionKind::Flash, 0, 0x7ff_ffff),
        region("gicd", RegionKind::Gicd, 0x800_0000, 0x800_ffff),
        region("its", RegionKind::Its, 0x808_0000, 0x809_ffff),
        region("gicr", RegionKind::Gicr, 0x80a_0000, 0x8ff_ffff),
        region("platform", RegionKind::Platform, 0x900_0000, 0x9ff_ffff),
        region("virtio-mmio", RegionKind::VirtioMmio, 0xa00_0000, 0xa00_3fff),
        region("pcie-mmio", RegionKind::Mmio32, 0x1000_0000, 0x3efe_ffff),
        region("pcie-pio", RegionKind::Pio, 0x3eff_0000, 0x3eff_ffff),
        region("pcie-ecam", RegionKind::Ecam, 0x40_1000_0000, 0x40_1fff_ffff),
        region("pcie-mmio-high", RegionKind::Mmio64, 0x80_0000_0000, 0xff_ffff_ffff),
    ]
}

pub(crate) fn kvmtool_plan() -> Plan {
    let guest = guest("nfv0", VmmKind::Kvmtool, Version::new(2026, 1));
    let ram: Span<Gpa> = span(0x80_0000_0000, 0x80_ffff_ffff);
    let moved = Reason {
        rule: "K-APERTURE".into(),
        because: "the lowest place above every window that takes DMA".into(),
        origin: "seattle.host:12".into(),
    };
    let placed = |region: MapRegion| PlacedRegion {
        name: region.name,
        kind: region.kind,
        span: region.span,
        placed: Placed::Fixed,
        because: Vec::new(),
    };
    let mut regions: Vec<PlacedRegion> = kvmtool_regions().into_iter().map(placed).collect();
    regions.push(PlacedRegion {
        name: "ram".into(),
        kind: RegionKind::Ram,
        span: ram,
        placed: Placed::Knob,
        because: vec![moved],
    });
    let (kernel, page_size) = (Version::new(6, 12), page());
    Plan {
        verdict: Verdict::FitsWithOptions,
        host: HostSummary { name: "amd-seattle".into(), arch: Arch::Aarch64, kernel, page_size },
        vmm: VmmSummary { name: guest.vmm, version: guest.version, machine: guest.machine.clone() },
        guest,
        ram: vec![RamPiece {
            name: "ram0".into(),
            span: ram,
            kind: PieceKind::Boot,
            node: None,
            host_node: None,
        }],
        hotplug: Vec::new(),
        regions,
        segments: Vec::new(),
        disabled: Vec::new(),
        knobs: Vec::new(),
        max_memory: None,
        slots: None,
        needed_bits: 40,
        passed: Vec::new(),
        host_settings: Vec::new(),
        msi_window: None,
        warnings: Vec::new(),
    }
}

/// RAM above every window.
pub(crate) fn planned() -> AddressMap {
    let (host, report) = seattle();
    AddressMap::new(&host, &report, &[GroupId(1)], Some(&kvmtool_plan()))
}

/// RAM where the VMM puts it unless told otherwise: in the window.
pub(crate) fn refused() -> AddressMap {
    let (host, report) = seattle();
    let ram = [span(0x4000_0000, 0x1_3fff_ffff)];
    let attempt = Attempt { guest: &desktop(), ram: &ram, regions: &qemu_regions() };
    AddressMap::refused(&host, &report, &[GroupId(1)], attempt)
}

/// No guest.
pub(crate) fn bare() -> AddressMap {
    let (host, report) = server();
    AddressMap::new(&host, &report, &[], None)
}
