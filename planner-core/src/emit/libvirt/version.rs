//! What came with which libvirt, and the libvirt that a domain is written for.

use serde::Serialize;

use super::super::Unsupported;
use super::xml::Element;
use crate::facts::Arch;
use crate::plan::Plan;
use crate::version::Version;

/// The newest libvirt whose schema was read. A domain for which no version is asked is written for it.
pub(super) const NEWEST: Version = Version::new(12, 8);
/// The oldest libvirt whose schema and source were read, that of Debian 11.
pub(super) const OLDEST: Version = Version::new(7, 0);

/// Something that not every libvirt can say of a domain (docs/formatdomain.rst, where it has a section; NEWS.rst).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, schemars::JsonSchema)]
pub struct LibvirtFeature {
    /// What it is.
    pub what: &'static str,
    /// The first version that is known to have it.
    pub since: Version,
    /// The instruction set that it is for, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
}

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $what:literal, $major:literal . $minor:literal, $arch:expr;)+) => {
        $(
            $(#[$doc])*
            pub(super) const $name: LibvirtFeature =
                LibvirtFeature { what: $what, since: Version::new($major, $minor), arch: $arch };
        )+
        /// All of them, by version.
        pub(super) const FEATURES: &[LibvirtFeature] = &[$($name),+];
    };
}

features! {
    /// CPU models and topology, "maximum".
    CPU_MAXIMUM = "CPU mode `maximum`", 7 . 1, None;
    /// IOMMU devices, model.
    VIRTIO_IOMMU = "virtio-iommu", 8 . 3, None;
    /// CPU models and topology, `maxphysaddr`.
    ADDRESS_WIDTH = "maxphysaddr", 8 . 7, Some(Arch::X86_64);
    /// src/qemu/qemu_domain.c, qemuDomainValidateDeviceDefControllerPCI: 9.0 takes them on Arm, 7.0 on q35 alone; the
    /// releases between were not read.
    ARM_EXPANDER = "PCIe expander bridges", 9 . 0, Some(Arch::Aarch64);
    /// CPU models and topology, `limit`.
    WIDTH_LIMIT = "a limit of maxphysaddr", 9 . 3, Some(Arch::X86_64);
    /// src/cpu/cpu_riscv64.c, without which there are no models, and no NUMA, which is part of `cpu`: 11.3 has it, 9.0 not;
    /// the releases between were not read.
    RISCV_CPU = "CPU models and NUMA", 11 . 3, Some(Arch::Riscv64);
    /// src/qemu/qemu_capabilities.c, `machine.virt.highmem-mmio-size`: the first capability after those of 11.3, before
    /// `bus-floppy` of 11.4.
    ARM_PCI_HOLE = "a size of the 64-bit PCI window", 11 . 4, Some(Arch::Aarch64);
    /// IOMMU devices, `granule`; its `aw_bits` for virtio is no older than 11.10 (src/qemu/qemu_capabilities.c,
    /// `virtio-iommu.aw-bits`, is behind `mshv`).
    GRANULE = "options of virtio-iommu", 12 . 1, None;
    /// USB / PCI / SCSI devices, `iommufd`.
    DEVICE_IOMMUFD = "iommufd", 12 . 1, None;
    /// Host Device IOMMUFD.
    IOMMUFD = "iommufd for a whole domain", 12 . 2, None;
    /// IOMMU devices, `accel`; `pciBus` came with 11.10.
    ACCELERATED_SMMU = "accelerated SMMUv3", 12 . 7, Some(Arch::Aarch64);
}

/// The libvirt that a domain is written for, and what the domain took of it.
#[derive(Clone, Debug)]
pub(super) struct Libvirt {
    /// Its version, if one was asked for.
    asked: Option<Version>,
    /// The oldest libvirt that has everything that was taken.
    needed: Version,
    /// Arguments for QEMU that libvirt has no element for: flag and value.
    pub(super) arguments: Vec<[String; 2]>,
    /// What the domain lacks, for its reader.
    pub(super) remarks: Vec<String>,
}

impl Libvirt {
    /// The libvirt that the plan names.
    ///
    /// # Errors
    /// [`Unsupported`] for one that is older than what was read.
    pub(super) fn of(plan: &Plan) -> Result<Self, Unsupported> {
        let asked = plan.guest.libvirt;
        if let Some(version) = asked.filter(|&version| version < OLDEST) {
            return Err(Unsupported::new(
                format!("the planner knows libvirt since {OLDEST}, and {version} was asked for"),
                format!("emit for libvirt={OLDEST} or newer, or for qemu"),
            ));
        }
        Ok(Self { asked, needed: OLDEST, arguments: Vec::new(), remarks: Vec::new() })
    }

    /// Whether it has this, which is then taken.
    pub(super) fn has(&mut self, feature: LibvirtFeature) -> bool {
        let has = feature.since <= self.asked.unwrap_or(NEWEST);
        if has {
            self.needed = self.needed.max(feature.since);
        }
        has
    }

    /// Takes what cannot be said otherwise.
    ///
    /// # Errors
    /// [`Unsupported`] when it does not have it.
    pub(super) fn require(&mut self, feature: LibvirtFeature) -> Result<(), Unsupported> {
        if self.has(feature) {
            return Ok(());
        }
        let LibvirtFeature { what, since, arch } = feature;
        let arch = arch.map(|arch| format!(" for {arch}")).unwrap_or_default();
        Err(Unsupported::new(
            format!(
                "libvirt {} has no {what}{arch}, which came with libvirt {since}",
                self.asked.unwrap_or(NEWEST)
            ),
            format!("emit for libvirt={since} or newer, or for qemu"),
        ))
    }

    /// Gives QEMU an argument that libvirt has no element for.
    pub(super) fn argument(&mut self, flag: &str, value: String) {
        self.arguments.push([flag.to_owned(), value]);
    }

    /// What the domain says of versions, and what it lacks.
    pub(super) fn comments(&self) -> Vec<String> {
        let version = match self.asked {
            Some(version) => Some(format!("Written for libvirt {version}.")),
            None if self.needed > OLDEST => Some(format!("Needs libvirt {} or newer.", self.needed)),
            None => None,
        };
        let tainted = (!self.arguments.is_empty()).then(|| {
            "libvirt has no element for what qemu:commandline says, and marks the domain as tainted."
                .to_owned()
        });
        version.into_iter().chain(self.remarks.iter().cloned()).chain(tainted).collect()
    }

    /// `<qemu:commandline>`, if there is anything for it.
    pub(super) fn commandline(&self) -> Option<Element> {
        let argument = |value: &String| Element::new("qemu:arg").with("value", value);
        let arguments = self.arguments.iter().flatten().map(argument);
        (!self.arguments.is_empty()).then(|| Element::new("qemu:commandline").children(arguments))
    }
}
