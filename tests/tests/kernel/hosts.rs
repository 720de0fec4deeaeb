//! Small hosts, built from as little as a case needs, and the text in which their reports are compared.

use std::fmt::Write as _;

use planner_core::addr::{BusAddr, Hpa, Iova, Span};
use planner_core::diag::Origin;
use planner_core::facts::Arch;
use planner_core::facts::host::{
    FirmwareKind, FirmwareRegionFact, IommuModel, ListedKind, ListedRegion, PeerToPeer, WindowKind,
};
use planner_core::host::{
    Device, Doorbell, DoorbellSource, Group, Host, Iommu, Kernel, MsiTarget, RootComplex, Translation, Window,
};
use planner_core::ids::GroupId;
use planner_core::kernel::{IommufdAnswer, ReservedReport, ResvKind};
use planner_core::size::PageSize;

pub(crate) const DEVICE: &str = "0000:01:00.0";

/// A host with one device, `0000:01:00.0` in group 0, behind an IOMMU of this model, below one root complex.
pub(crate) fn host(arch: Arch, model: IommuModel, kernel: &str) -> Host {
    let address = DEVICE.parse().expect("a PCI address");
    let iommu = Iommu {
        name: "iommu0".into(),
        model,
        base: None,
        aperture: None,
        pages: None,
        origin: Origin::Unstated,
    };
    let device = Device {
        address,
        id: None,
        class: None,
        node: None,
        bars: Vec::new(),
        msix: None,
        msi: None,
        sriov: None,
        config: Default::default(),
        root_complex: Some(0),
        translation: Some(Translation { iommu: 0, stream: None }),
        msi_target: None,
        group: Some(GroupId(0)),
        origin: Origin::Unstated,
    };
    let group = Group {
        id: GroupId(0),
        devices: vec![address],
        others: Vec::new(),
        domain: None,
        listed: None,
        origin: Origin::Unstated,
    };
    Host {
        name: "test".into(),
        arch,
        kernel: Kernel {
            version: kernel.parse().expect("a version"),
            page_size: PageSize::K4,
            va_bits: None,
            iommufd: None,
            unsafe_interrupts: None,
            origin: Origin::Unstated,
        },
        ipa_bits: None,
        ram: Vec::new(),
        iommus: vec![iommu],
        doorbells: Vec::new(),
        root_complexes: vec![root_complex()],
        devices: vec![device],
        groups: vec![group],
        firmware: Vec::new(),
    }
}

fn root_complex() -> RootComplex {
    RootComplex {
        name: "pcie0".into(),
        segment: 0,
        first_bus: 0,
        last_bus: 0xff,
        node: None,
        windows: Vec::new(),
        inbound: Vec::new(),
        origin: Origin::Unstated,
    }
}

/// An Arm host with an SMMUv3 and an ITS at `0x0808_0000`, as QEMU's virt machine has them.
pub(crate) fn smmu_host(kernel: &str) -> Host {
    let host = host(Arch::Aarch64, IommuModel::SmmuV3, kernel);
    with_doorbell(host, DoorbellSource::Its, 0x809_0040, (0x808_0000, 0x809_ffff))
}

/// The host, with a doorbell that its device writes to.
pub(crate) fn with_doorbell(mut host: Host, source: DoorbellSource, address: u64, frame: (u64, u64)) -> Host {
    let number = host.doorbells.len();
    host.doorbells.push(Doorbell {
        name: format!("msi{number}"),
        source,
        address: Hpa::at(address),
        frame: Span::of(frame.0, frame.1).expect("a frame"),
        origin: Origin::Unstated,
    });
    for device in &mut host.devices {
        device.msi_target = Some(MsiTarget { doorbell: number, device_id: None });
    }
    host
}

/// The host, with what its kernel listed for group 0, as `0xSTART 0xEND WORD` lines.
pub(crate) fn with_listing(mut host: Host, text: &str) -> Host {
    let region = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [start, end, kind] = words[..] else { panic!("not a line of reserved_regions: {line}") };
        let number =
            |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("hexadecimal");
        let kind = ListedKind::WORDS.iter().find(|(word, _)| *word == kind).expect("a kind").1;
        ListedRegion {
            start: Iova::at(number(start)),
            end: Iova::at(number(end)),
            kind,
            origin: Origin::Unstated,
        }
    };
    host.groups[0].listed = Some(text.lines().map(region).collect());
    host
}

/// The host, with a firmware region for its device, read from `file`.
pub(crate) fn with_firmware(mut host: Host, kind: FirmwareKind, span: (u64, u64), file: &str) -> Host {
    host.firmware.push(FirmwareRegionFact {
        name: format!("firmware{}", host.firmware.len()),
        kind,
        span: Span::of(span.0, span.1).expect("a span"),
        devices: vec![DEVICE.parse().expect("a PCI address")],
        origin: Origin::file(file),
    });
    host
}

/// The host, with a memory window of its root complex whose CPU and bus addresses differ.
pub(crate) fn with_window(mut host: Host, cpu: u64, bus: (u64, u64), p2p: Option<PeerToPeer>) -> Host {
    let bus: Span<BusAddr> = Span::of(bus.0, bus.1).expect("a span");
    host.root_complexes[0].windows.push(Window {
        kind: WindowKind::Mem32,
        cpu: Span::from_start_size(Hpa::at(cpu), bus.size().expect("a size")).expect("a span"),
        bus,
        prefetchable: false,
        p2p,
        origin: Origin::Unstated,
    });
    host
}

/// Everything that a report says, one fact a line.
pub(crate) fn print(report: &ReservedReport) -> String {
    let mut text = String::new();
    for group in &report.groups {
        let names: Vec<String> = group.devices.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "group {}: {}", group.id, names.join(" "));
        for region in &group.reserved {
            let kind = if region.kind == ResvKind::SoftwareMsi { "sw-msi" } else { region.kind.sysfs_word() };
            let (start, end) = (region.start, region.end);
            let _ = writeln!(text, "  {:?} {start}..={end} {kind} {}", region.basis, region.rule);
        }
        let _ = writeln!(text, "  aperture {}", group.aperture);
        let type1 = &group.type1;
        let _ = writeln!(text, "  type1 {:?} pages {:#x}", type1.usable, type1.page_sizes.bitmap());
        let _ = match &group.iommufd {
            IommufdAnswer::Usable { usable, alignment } => {
                writeln!(text, "  iommufd {usable:?} alignment {alignment}")
            }
            IommufdAnswer::Blocked { blocked } => {
                writeln!(text, "  iommufd {}: {}", blocked.rule, blocked.because)
            }
        };
        if let Some(msi) = &group.msi {
            let _ = writeln!(text, "  msi window {} holds {} pages", msi.span, msi.doorbell_pages);
            for bell in &msi.doorbells {
                let _ = writeln!(text, "    {} at {}", bell.address, bell.iova);
            }
        }
        for (word, findings) in [("blocker", &group.blockers), ("note", &group.notes)] {
            for finding in findings {
                let _ = writeln!(text, "  {word} {}: {}", finding.rule, finding.because);
            }
        }
        for hazard in &group.hazards {
            let certain = if hazard.certain { "certain" } else { "possible" };
            let _ = writeln!(text, "  hazard {} {} {certain}: {}", hazard.span, hazard.rule, hazard.because);
        }
    }
    for difference in &report.differences {
        let region = &difference.region;
        let _ = writeln!(
            text,
            "difference, only {:?}: {}..={} {} {}: {}",
            difference.only,
            region.start,
            region.end,
            region.kind.sysfs_word(),
            region.rule,
            difference.because
        );
    }
    text
}
