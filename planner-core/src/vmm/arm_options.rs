//! The options of QEMU's arm `virt` machine that its memory map depends on, by version, read from the machine text.
//!
//! Names and values come from hw/arm/virt.c `virt_machine_class_init` and the setters above it.

use super::arm_gic::GICV4_SINCE;
use super::qemu::{self, Family};
use super::qemu_properties::{self, Board};
use super::{Knob, Request, VmmError, rules};
use crate::facts::guest::Viommu;
use crate::size::{Size, strto};
use crate::version::Version;

/// The machine with its options resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Options {
    /// Version of the machine type.
    pub(super) machine: Version,
    /// `highmem=`: addresses above 32 bits are used.
    pub(super) highmem: bool,
    /// `highmem-redists=`.
    pub(super) redists: bool,
    /// `highmem-ecam=`.
    pub(super) ecam: bool,
    /// `highmem-mmio=`.
    pub(super) mmio: bool,
    /// `highmem-mmio-size=`.
    pub(super) mmio_size: Size,
    /// `compact-highmem=`: high regions that are off leave no gap.
    pub(super) compact: bool,
    /// `gic-version=`.
    pub(super) gic: GicWord,
    /// `msi=`, or `its=` of older versions.
    pub(super) msi: MsiWord,
    /// `iommu=smmuv3`.
    pub(super) machine_smmu: bool,
    /// An accelerated `arm-smmuv3` device.
    pub(super) device_smmu: bool,
    /// `secure=`.
    pub(super) secure: bool,
    /// `virtualization=`.
    pub(super) virtualization: bool,
    /// `mte=`: memory tags.
    pub(super) mte: bool,
    /// `acpi=`: without it there are no modules.
    pub(super) acpi: bool,
    /// `virtio-mmio-transports=`.
    pub(super) transports: u8,
}

/// `gic-version=`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GicWord {
    /// Not given.
    Default,
    /// 2.
    V2,
    /// 3.
    V3,
    /// 4.
    V4,
    /// x-5.
    V5,
    /// host.
    Host,
    /// max.
    Max,
}

/// `msi=`; `its=on` is [`MsiWord::Its`], `its=off` [`MsiWord::NoIts`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MsiWord {
    /// Not given, or auto: what the GIC has.
    Auto,
    /// The ITS.
    Its,
    /// `its=off`: no ITS, but still the GICv2m frame of a GICv2.
    NoIts,
    /// A GICv2m frame.
    V2m,
    /// None.
    Off,
}

/// Default and least size of the 64-bit PCI window (hw/arm/virt.c, `DEFAULT_HIGH_PCIE_MMIO_SIZE`).
pub(super) const MMIO_SIZE: Size = Size::gib(512);

/// The last machine type without an ITS (virt_machine_2_7_options: no_its).
const NO_ITS: Version = Version::new(2, 7);
/// virtio-mmio transports that there are by default, and at most.
const MOST_TRANSPORTS: u8 = 32;

const FAMILY: Family = Family { prefix: "virt-", first: Version::new(2, 6) };

/// Options by the QEMU version that brought them; those without effect on the map are in [`qemu_properties`].
const NAMES: &[(&str, Version, Setter)] = &[
    ("highmem", Version::new(2, 5), Setter::Switch(|o, on| o.highmem = on)),
    ("highmem-redists", Version::new(8, 0), Setter::Switch(|o, on| o.redists = on)),
    ("highmem-ecam", Version::new(8, 0), Setter::Switch(|o, on| o.ecam = on)),
    ("highmem-mmio", Version::new(8, 0), Setter::Switch(|o, on| o.mmio = on)),
    ("compact-highmem", Version::new(8, 0), Setter::Switch(|o, on| o.compact = on)),
    ("secure", Version::new(2, 5), Setter::Switch(|o, on| o.secure = on)),
    ("virtualization", Version::new(2, 9), Setter::Switch(|o, on| o.virtualization = on)),
    ("mte", Version::new(5, 1), Setter::Switch(|o, on| o.mte = on)),
    ("its", Version::new(2, 9), Setter::Switch(set_its)),
    ("highmem-mmio-size", Version::new(10, 0), Setter::Value(set_mmio_size)),
    ("gic-version", Version::new(2, 5), Setter::Value(set_gic)),
    ("iommu", Version::new(3, 0), Setter::Value(set_iommu)),
    ("msi", Version::new(11, 0), Setter::Value(set_msi)),
    ("virtio-mmio-transports", Version::new(11, 0), Setter::Value(set_transports)),
    ("acpi", Version::new(5, 0), Setter::Value(set_acpi)),
];

#[derive(Clone, Copy)]
enum Setter {
    Switch(fn(&mut Options, bool)),
    Value(fn(&mut Options, &Request, &str) -> Result<(), String>),
}

impl Options {
    /// The options of this request with the knobs turned, or QEMU's first refusal.
    pub(super) fn of(request: &Request, knobs: &[Knob]) -> Result<Self, VmmError> {
        let (options, refusals) = Self::read(request, knobs)?;
        refusals.into_iter().next().map_or(Ok(options), Err)
    }

    /// The options and everything that QEMU would refuse about them.
    pub(super) fn read(request: &Request, knobs: &[Knob]) -> Result<(Self, Vec<VmmError>), VmmError> {
        let text = qemu::machine_text(request, knobs)?;
        let kind = if text.kind.is_empty() { "virt" } else { &text.kind };
        let machine = FAMILY
            .version("virt", kind, request.version)
            .ok_or_else(|| qemu::unknown_machine(request, kind))?;
        let mut options = Self::default_of(machine, request);
        let mut refusals = Vec::new();
        for (name, value) in &text.options {
            refusals.extend(options.set(request, name, value).err());
        }
        options.device_smmu = request.viommu == Viommu::SmmuV3;
        if options.device_smmu && request.version < Version::new(11, 0) {
            // qdev-monitor.c, qdev_get_device_class: the board alone could make one before 11.0.
            let text = "-device arm-smmuv3: Parameter 'driver' expects a pluggable device type";
            refusals.push(qemu::refusal(request.arch, rules::QEMU_VIRT_SMMU, text));
        }
        Ok((options, refusals))
    }

    /// The machine type in full.
    pub(super) fn name(&self) -> String {
        format!("virt-{}.{}", self.machine.major, self.machine.minor)
    }

    fn default_of(machine: Version, request: &Request) -> Self {
        Self {
            machine,
            highmem: true,
            redists: true,
            // virt_machine_2_12_options: no_highmem_ecam.
            ecam: machine > Version::new(2, 12),
            mmio: true,
            mmio_size: MMIO_SIZE,
            // virt_machine_7_1_options: no_highmem_compact. QEMU 7 has no compact layout yet.
            compact: machine > Version::new(7, 1) && request.version >= Version::new(8, 0),
            gic: GicWord::Default,
            msi: if machine > NO_ITS { MsiWord::Auto } else { MsiWord::NoIts },
            machine_smmu: false,
            device_smmu: false,
            secure: false,
            virtualization: false,
            mte: false,
            acpi: true,
            transports: MOST_TRANSPORTS,
        }
    }

    fn set(&mut self, request: &Request, name: &str, value: &str) -> Result<(), VmmError> {
        let refuse = |text: String| qemu::refusal(request.arch, rules::QEMU_MACHINE, text);
        // virt_instance_init: machine types without an ITS have no such property.
        let lacks = name == "its" && self.machine <= NO_ITS;
        let known = NAMES
            .iter()
            .find(|(known, since, _)| *known == name && *since <= request.version)
            .filter(|_| !lacks);
        match known.map(|&(_, _, setter)| setter) {
            Some(Setter::Switch(set)) => set(self, qemu::switch(request, name, value)?),
            Some(Setter::Value(set)) => set(self, request, value).map_err(refuse)?,
            None => {
                return qemu_properties::check(request, Board::ArmVirt, &self.name(), name, value);
            }
        }
        Ok(())
    }
}

fn set_its(options: &mut Options, on: bool) {
    options.msi = if on { MsiWord::Its } else { MsiWord::NoIts };
}

fn set_mmio_size(options: &mut Options, request: &Request, value: &str) -> Result<(), String> {
    let size = qemu::size(request.version, "highmem-mmio-size", value)?;
    if !size.bytes().is_power_of_two() {
        return Err("highmem-mmio-size is not a power of 2".into());
    }
    if size < MMIO_SIZE {
        return Err(format!(
            "highmem-mmio-size cannot be set to a lower value than the default ({MMIO_SIZE})"
        ));
    }
    options.mmio_size = size;
    Ok(())
}

fn set_gic(options: &mut Options, request: &Request, value: &str) -> Result<(), String> {
    options.gic = match value {
        "2" => GicWord::V2,
        "3" => GicWord::V3,
        "4" if request.version >= GICV4_SINCE => GicWord::V4,
        "host" => GicWord::Host,
        "max" => GicWord::Max,
        "x-5" if request.version >= Version::new(11, 1) => GicWord::V5,
        _ => return Err("Invalid gic-version value".into()),
    };
    Ok(())
}

fn set_iommu(options: &mut Options, _: &Request, value: &str) -> Result<(), String> {
    options.machine_smmu = match value {
        "smmuv3" => true,
        "none" => false,
        _ => return Err("Invalid iommu value".into()),
    };
    Ok(())
}

fn set_msi(options: &mut Options, _: &Request, value: &str) -> Result<(), String> {
    options.msi = match value {
        "auto" => MsiWord::Auto,
        "its" => MsiWord::Its,
        "gicv2m" => MsiWord::V2m,
        "off" => MsiWord::Off,
        _ => return Err("Invalid msi value".into()),
    };
    Ok(())
}

fn set_transports(options: &mut Options, _: &Request, value: &str) -> Result<(), String> {
    let name = "virtio-mmio-transports";
    let number = strto::int64(value).map_err(|_| format!("Parameter '{name}' expects integer"))?;
    options.transports = u8::try_from(number).map_err(|_| format!("Parameter '{name}' expects uint8_t"))?;
    // include/hw/arm/virt.h, NUM_VIRTIO_TRANSPORTS.
    if options.transports > MOST_TRANSPORTS {
        return Err(format!("{name} must not exceed {MOST_TRANSPORTS}"));
    }
    Ok(())
}

fn set_acpi(options: &mut Options, request: &Request, value: &str) -> Result<(), String> {
    options.acpi = match value {
        "on" | "auto" => true,
        "off" => false,
        _ if request.version < Version::new(6, 0) => return Err(format!("Invalid parameter '{value}'")),
        _ => return Err(format!("Parameter 'acpi' does not accept value '{value}'")),
    };
    Ok(())
}
