//! The memory map that each VMM makes, and the knobs that it has, by version. Data and small functions; no syntax:
//! how a knob is written on a command line is the business of [`crate::emit`].
//!
//! The planner asks a VMM three things: which [`Variant`]s it has (settings of its knobs, the default first), which
//! memory map a [`Choice`] makes, and whether it would refuse it, in its own words.

mod arm_cpu;
mod arm_gic;
mod arm_high;
mod arm_options;
mod arm_virt;
mod capabilities;
mod cloud_hypervisor;
mod crosvm;
mod configured;
mod configured_cpus;
mod cpus_before_6_2;
mod custom;
mod describe;
mod firecracker;
mod fixed;
mod history;
mod guest_iommu;
mod kvmtool;
mod openvmm;
mod ovmf;
mod pc;
mod qemu;
mod qemu_properties;
mod riscv_cpu;
mod riscv_sockets;
mod riscv_virt;
pub mod rules;
mod x86_cpu;
mod xen_dom0less;
mod xen_hvm;

pub use capabilities::{Capabilities, capabilities, capabilities_of, known, newest, oldest};
pub use cloud_hypervisor::{PciSegments, SegmentNode, SegmentWeights};
pub use configured::{Setting, configured_map, configured_request};
pub use crosvm::{PciOption, PciRange};
pub use describe::{describe, machine_type};
pub use guest_iommu::{IommuWidth, Told, told, width};
pub use history::{Era, capabilities_at, eras};
pub use ovmf::{USUAL_EDK2, ovmf_limit, ovmf_window};
pub use qemu::ModuleArea;
pub use riscv_sockets::node_cpus;

use serde::{Deserialize, Serialize};

use crate::addr::{Gpa, Span};
use crate::facts::Arch;
use crate::facts::custom::CustomVmm;
use crate::facts::guest::{Viommu, VmmKind};
use crate::facts::host::IommuModel;
use crate::facts::words;
use crate::size::{PageSize, Size};
use crate::span_set::SpanSet;
use crate::version::Version;

words! {
    /// Kind of a region of a guest's memory map.
    RegionKind {
        /// Memory at boot.
        Ram = "ram",
        /// Where memory modules may be plugged in.
        DeviceMemory = "device-memory",
        /// Window for 32-bit BARs.
        Mmio32 = "mmio32",
        /// Window for 64-bit BARs.
        Mmio64 = "mmio64",
        /// Window for I/O ports.
        Pio = "pio",
        /// PCI configuration space.
        Ecam = "ecam",
        /// GIC distributor.
        Gicd = "gicd",
        /// GIC redistributors.
        Gicr = "gicr",
        /// GICv2 CPU interface.
        Gicc = "gicc",
        /// Interrupt translation service.
        Its = "its",
        /// GICv2m frame.
        V2m = "v2m",
        /// The guest's SMMU.
        Smmu = "smmu",
        /// Firmware flash.
        Flash = "flash",
        /// Platform devices.
        Platform = "platform",
        /// virtio-mmio transports.
        VirtioMmio = "virtio-mmio",
        /// Where MSIs go.
        Msi = "msi",
        /// A BAR of a passed device.
        Bar = "bar",
        /// Addresses that stay empty.
        Hole = "hole",
        /// Room for memory plugged in later.
        Hotplug = "hotplug",
    }
}

/// What is asked of a VMM: everything about the guest that its memory map depends on, but for the placement of RAM.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// Which VMM.
    pub kind: VmmKind,
    /// Its version.
    pub version: Version,
    /// Instruction set of the guest.
    pub arch: Arch,
    /// Machine type and options in the VMM's own words, `virt,gic-version=3`; empty for the default.
    pub machine: String,
    /// CPU model in the VMM's own words; empty for the default (`host`).
    pub cpu: String,
    /// What a `custom` VMM can do.
    pub custom: Option<CustomVmm>,
    /// Number of virtual CPUs.
    pub vcpus: u32,
    /// Number of virtual CPUs of each NUMA node, in order; empty for a guest without NUMA.
    pub node_cpus: Vec<u32>,
    /// Guest-physical address bits that the hypervisor offers (KVM), if known; with an emulated CPU the model decides.
    pub ipa_bits: Option<u8>,
    /// Memory at boot.
    pub memory: Size,
    /// Host pages behind it.
    pub pages: PageSize,
    /// Memory that may be plugged in later.
    pub hotplug: Size,
    /// Slots for it.
    pub slots: u32,
    /// The guest's IOMMU.
    pub viommu: Viommu,
}

/// A knob turned away from the VMM's default.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "knob", rename_all = "kebab-case")]
pub enum Knob {
    /// kvmtool, `custom`: RAM starts here.
    RamBase {
        /// First address of RAM.
        at: Gpa,
    },
    /// QEMU `virt`, OpenVMM: size of the 64-bit PCI window.
    HighMmioSize {
        /// QEMU: a power of two of at least 512 GiB.
        size: Size,
    },
    /// OpenVMM: size of the 32-bit PCI window.
    LowMmioSize {
        /// The size.
        size: Size,
    },
    /// crosvm: place of the 32-bit PCI window. On x86, RAM below 4 GiB ends where it starts.
    LowMmioWindow {
        /// First address.
        start: Gpa,
        /// The size.
        size: Size,
    },
    /// Cloud Hypervisor: the guest has no more address bits than these, so its 64-bit PCI window ends lower.
    MaxPhysBits {
        /// Fewer than the default of 46.
        bits: u8,
    },
    /// Cloud Hypervisor: BARs are not mapped for traffic between passed devices.
    PeerDmaOff,
    /// Xen x86: size of the hole below 4 GiB, where RAM ends.
    MmioHole {
        /// Whole mebibytes, 256 MiB to 3840 MiB.
        size: Size,
    },
    /// Cloud Hypervisor: so many PCI segments, of 32 devices each, among which the windows are split evenly.
    PciSegments {
        /// 2 to 96.
        count: u16,
    },
    /// QEMU x86: RAM below 4 GiB ends here at the latest.
    #[serde(rename = "max-ram-below-4g")]
    MaxRamBelow4g {
        /// The limit.
        limit: Size,
    },
    /// QEMU x86: size of the 64-bit PCI window.
    PciHole64Size {
        /// The size.
        size: Size,
    },
    /// `custom`: a window lies here.
    Window {
        /// Its name.
        name: String,
        /// First address.
        start: Gpa,
        /// The size.
        size: Size,
    },
    /// A further option of the machine, in the VMM's own words.
    Machine {
        /// Name.
        name: String,
        /// Value.
        value: String,
    },
}

/// How the memory at boot lies in the guest's address space.
#[derive(Clone, PartialEq, Debug)]
pub enum BootRule {
    /// It fills these spans in order, from the bottom; the VMM cannot move it. The spans end where the address bits
    /// do, not where this guest's memory does.
    ///
    /// They hold for all memory at boot. A PC with less boot memory, and the rest in modules, may keep more of it below
    /// 4 GiB, or start the second span elsewhere: [`memory_map`] knows.
    Fixed {
        /// Ascending. QEMU `virt` has one, a PC two.
        spans: Vec<Span<Gpa>>,
        /// Rule that says so, such as `M-QEMU-VIRT-RAM`.
        rule: &'static str,
    },
    /// It is one piece anywhere in here.
    Movable {
        /// Where it may lie.
        within: Span<Gpa>,
        /// Of which its base must be a multiple.
        align: Size,
        /// Where the VMM puts it unless told otherwise.
        default: Gpa,
        /// Rule that says so.
        rule: &'static str,
    },
}

/// How memory beyond the boot memory can be placed at addresses of our choice (QEMU: `pc-dimm,addr=`).
#[derive(Clone, PartialEq, Debug)]
pub struct DimmRule {
    /// Of which address and size must be multiples.
    pub align: Size,
    /// How many there can be.
    pub most: u32,
    /// Smallest boot memory that must remain (firmware, kernel and initrd live there).
    pub least_boot: Size,
    /// Multiple of which the area for modules starts at: it begins at the end of boot memory, rounded up to this.
    pub area_align: Size,
    /// Rule that says so.
    pub rule: &'static str,
}

/// Where memory plugged in later lies in a VMM that places it behind all other RAM by itself.
#[derive(Clone, PartialEq, Debug)]
pub struct RoomRule {
    /// It starts at a multiple of this.
    pub align: Size,
    /// It starts here or above.
    pub least: Gpa,
    /// Rule that says so.
    pub rule: &'static str,
}

/// How a VMM hands out the BARs of passed devices, where it maps them into the IOMMU or compares them with what the host
/// keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BarOrder {
    /// The guest's firmware or kernel chooses, and a BAR that cannot be mapped ends nothing.
    #[default]
    Guest,
    /// The VMM, one after the other from the start of the 32-bit window.
    FromStart,
    /// The VMM, one below the other from the end of its window.
    FromEnd,
}

/// One setting of a VMM's knobs.
#[derive(Clone, PartialEq, Debug)]
pub struct Variant {
    /// Knobs turned away from the default; empty for the default itself. A movable base is not among them yet.
    pub knobs: Vec<Knob>,
    /// Boot memory.
    pub boot: BootRule,
    /// Memory beyond it.
    pub dimms: Option<DimmRule>,
    /// Room for memory plugged in later, where the VMM chooses its place; otherwise it lies among the modules.
    pub room: Option<RoomRule>,
}

/// A module of memory at an address of our choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Dimm {
    /// Its addresses.
    pub span: Span<Gpa>,
}

/// A placement of RAM and a setting of the knobs: what a VMM turns into a memory map.
#[derive(Clone, PartialEq, Debug)]
pub struct Choice {
    /// Knobs turned, a movable base included.
    pub knobs: Vec<Knob>,
    /// How much of the memory is boot memory; the rest is in modules.
    pub boot: Size,
    /// Modules present at start, ascending.
    pub dimms: Vec<Dimm>,
    /// Room for modules plugged in later, ascending; empty when there is none or the VMM places them.
    pub hotplug: Vec<Span<Gpa>>,
}

/// A region of the guest's memory map.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MapRegion {
    /// Name, as the VMM calls it where it has one.
    pub name: String,
    /// Kind.
    pub kind: RegionKind,
    /// The addresses.
    #[serde(flatten)]
    pub span: Span<Gpa>,
}

/// A region that the VMM leaves out without a word.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Disabled {
    /// Name.
    pub name: String,
    /// Why.
    pub because: String,
}

/// The memory map that a VMM makes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MemoryMap {
    /// Regions, ascending.
    pub regions: Vec<MapRegion>,
    /// What was left out.
    pub disabled: Vec<Disabled>,
    /// `maxmem=` that the VMM must be given, where it has modules.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_memory: Option<Size>,
    /// `slots=` likewise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slots: Option<u32>,
    /// Guest-physical address bits that the map needs.
    pub needed_bits: u8,
    /// Whether its last window takes all address bits that the hypervisor offers, however many those are.
    #[serde(skip)]
    pub takes_all_bits: bool,
    /// How BARs get their places in its windows, where that can end the VMM.
    #[serde(skip)]
    pub bar_order: BarOrder,
    /// How many passed functions each PCI segment takes, for a VMM without bridges: the first windows of 32 and of 64 bits
    /// are those of segment 0, and so on. Empty where bridges make room for as many as one likes.
    #[serde(skip)]
    pub segments: Vec<u32>,
}

/// The VMM refuses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VmmError {
    /// What the VMM itself prints: QEMU's line with the program's name in front and without the hint lines below.
    pub text: String,
    /// Rule behind it.
    pub rule: String,
    /// The module of the choice that is refused, if one is. QEMU then names the option too; see
    /// [`VmmError::located`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimm: Option<usize>,
}

impl VmmError {
    /// The text with the option at fault behind the program's name, as QEMU prints it for options that it had already
    /// taken apart: `qemu-system-aarch64: -device pc-dimm,…: address must be aligned …`.
    #[must_use]
    pub fn located(&self, option: &str) -> String {
        match self.text.split_once(": ") {
            Some((program, message)) => format!("{program}: {option}: {message}"),
            None => self.text.clone(),
        }
    }
}

/// A VMM whose model this planner has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Known {
    /// Which VMM.
    pub kind: VmmKind,
    /// Instruction set.
    pub arch: Arch,
    /// Machine type.
    pub machine: &'static str,
}

/// The settings of the VMM's knobs for this request: the default first, then by rising number of knobs turned. Only
/// knobs that this version has, and only settings that its memory map notices.
///
/// # Errors
/// What the VMM prints when it refuses the machine, the CPU model or the memory whatever the knobs.
pub fn variants(request: &Request) -> Result<Vec<Variant>, VmmError> {
    match Model::of(request)? {
        Model::ArmVirt => arm_virt::variants(request),
        Model::Pc => pc::variants(request),
        Model::RiscvVirt => riscv_virt::variants(request),
        Model::Kvmtool => kvmtool::variants(request),
        Model::Crosvm => crosvm::variants(request),
        Model::CloudHypervisor => cloud_hypervisor::variants(request),
        Model::Firecracker => firecracker::variants(request),
        Model::Openvmm => openvmm::variants(request),
        Model::XenHvm => xen_hvm::variants(request),
        Model::XenDom0less => xen_dom0less::variants(request),
        Model::Custom => custom::variants(request),
    }
}

/// The settings where it is known what RAM must keep out of: a knob that ends RAM at any address is offered at those where
/// it must end.
///
/// # Errors
/// As [`variants`].
pub fn variants_around(request: &Request, forbidden: &SpanSet<Gpa>) -> Result<Vec<Variant>, VmmError> {
    match Model::of(request)? {
        Model::XenHvm => xen_hvm::variants_around(request, forbidden),
        _ => variants(request),
    }
}

/// The memory map that the VMM makes for this choice. Where the choice has modules, or the request leaves room for
/// them, the map says which `maxmem=` and `slots=` put every module inside the area for modules.
///
/// Modules and room for later ones lie within the region of kind [`RegionKind::DeviceMemory`]; all other regions are
/// disjoint.
///
/// # Errors
/// What the VMM prints when it refuses.
pub fn memory_map(request: &Request, choice: &Choice) -> Result<MemoryMap, VmmError> {
    memory_map_given(request, choice, None)
}

/// The memory map for this choice when `maxmem=` and `slots=` are given rather than computed, as on a command line
/// that somebody else wrote.
///
/// # Errors
/// What the VMM prints when it refuses; a module outside the area for modules is refused here.
pub fn memory_map_given(
    request: &Request,
    choice: &Choice,
    area: Option<ModuleArea>,
) -> Result<MemoryMap, VmmError> {
    let mut map = match Model::of(request)? {
        Model::ArmVirt => arm_virt::memory_map(request, choice, area),
        Model::Pc => pc::memory_map(request, choice, area),
        Model::RiscvVirt => riscv_virt::memory_map(request, choice, area),
        Model::Kvmtool => kvmtool::memory_map(request, choice),
        Model::Crosvm => crosvm::memory_map(request, choice),
        Model::CloudHypervisor => cloud_hypervisor::memory_map(request, choice),
        Model::Firecracker => firecracker::memory_map(request, choice),
        Model::Openvmm => openvmm::memory_map(request, choice),
        Model::XenHvm => xen_hvm::memory_map(request, choice),
        Model::XenDom0less => xen_dom0less::memory_map(request, choice),
        Model::Custom => custom::memory_map(request, choice),
    }?;
    map.regions.sort_by_key(|region| (region.span.first(), std::cmp::Reverse(region.span.last())));
    Ok(map)
}

/// Everything that the VMM would refuse about the machine, its options and the CPU model, one by one; empty when it
/// would take them. The VMM itself stops at the first.
#[must_use]
pub fn check_machine(request: &Request) -> Vec<VmmError> {
    match Model::of(request) {
        Err(refusal) => vec![refusal],
        Ok(Model::ArmVirt) => arm_virt::check(request),
        Ok(Model::Pc) => pc::check(request),
        Ok(Model::RiscvVirt) => riscv_virt::check(request),
        Ok(Model::Kvmtool) => kvmtool::check(request),
        Ok(Model::Crosvm) => crosvm::check(request),
        Ok(Model::CloudHypervisor) => cloud_hypervisor::check(request),
        Ok(Model::Firecracker) => firecracker::check(request),
        Ok(Model::Openvmm) => openvmm::check(request),
        Ok(Model::XenHvm) => xen_hvm::check(request),
        Ok(Model::XenDom0less) => xen_dom0less::check(request),
        Ok(Model::Custom) => custom::variants(request).err().into_iter().collect(),
    }
}

/// The machine type in full, as it stays the same in every later version of the VMM: `virt-11.1` for `virt`,
/// `pc-q35-11.1` for `q35`. Without a machine type, `virt` and `q35`. Empty for VMMs without machine types; OpenVMM's is
/// the way that it boots, Xen's the way that it lays a domain out.
///
/// # Errors
/// What the VMM prints when it does not know the machine type.
pub fn machine_name(request: &Request) -> Result<String, VmmError> {
    match Model::of(request)? {
        Model::ArmVirt => arm_virt::machine_name(request),
        Model::Pc => pc::machine_name(request),
        Model::RiscvVirt => Ok("virt".into()),
        Model::Openvmm => openvmm::machine_name(request),
        Model::XenHvm | Model::XenDom0less => xen_dom0less::machine_name(request),
        Model::Kvmtool | Model::Crosvm | Model::CloudHypervisor | Model::Firecracker | Model::Custom => {
            Ok(String::new())
        }
    }
}

/// What of the memory map memory must keep clear of wherever it is placed, with these knobs. Empty for VMMs whose rules on
/// memory say it all.
#[must_use]
pub fn kept_clear(request: &Request, knobs: &[Knob]) -> SpanSet<Gpa> {
    match request.kind {
        VmmKind::Custom => custom::kept_clear(request, knobs),
        _ => SpanSet::new(),
    }
}

/// What a described VMM has at fixed addresses, with its name; nothing for others.
pub fn fixed_regions(request: &Request) -> impl Iterator<Item = (&str, Span<Gpa>)> {
    custom::fixed_regions(request).filter(|_| request.kind == VmmKind::Custom)
}

/// Whether it gives host devices away through VFIO of the host's Linux, so that what Linux reserves, refuses and relaxes
/// binds it. Xen programs the IOMMU itself, and gives a device what firmware says that it needs.
#[must_use]
pub fn uses_vfio(kind: VmmKind) -> bool {
    kind != VmmKind::Xen
}

/// Whether there is a driver for an IOMMU of this model: Linux has one for all, a hypervisor that programs the IOMMU
/// itself for some.
#[must_use]
pub fn drives(kind: VmmKind, model: IommuModel) -> bool {
    use IommuModel::{AppleDart, Riscv, VirtioIommu};
    uses_vfio(kind) || !matches!(model, VirtioIommu | Riscv | AppleDart)
}

/// Whether the guest's RAM lies at the addresses of the host memory behind it.
#[must_use]
pub fn is_direct_mapped(request: &Request) -> bool {
    request.kind == VmmKind::Xen && xen_dom0less::machine(request) == Ok(xen_dom0less::Machine::DirectMap)
}

/// Whether anything is known of windows for BARs: nothing is of a VMM described without any.
#[must_use]
pub fn has_windows(request: &Request) -> bool {
    request.kind != VmmKind::Custom || custom::has_windows(request)
}

/// Which model answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Model {
    ArmVirt,
    Pc,
    RiscvVirt,
    Kvmtool,
    Crosvm,
    CloudHypervisor,
    Firecracker,
    Openvmm,
    XenHvm,
    XenDom0less,
    Custom,
}

impl Model {
    fn of(request: &Request) -> Result<Self, VmmError> {
        capabilities::check_version(request)?;
        Ok(match (request.kind, request.arch) {
            (VmmKind::Kvmtool, _) => Self::Kvmtool,
            (VmmKind::Crosvm, _) => Self::Crosvm,
            (VmmKind::CloudHypervisor, _) => Self::CloudHypervisor,
            (VmmKind::Firecracker, _) => Self::Firecracker,
            (VmmKind::Openvmm, _) => Self::Openvmm,
            (VmmKind::Xen, Arch::X86_64) => Self::XenHvm,
            (VmmKind::Xen, _) => Self::XenDom0less,
            (VmmKind::Custom, _) => Self::Custom,
            (VmmKind::Qemu, Arch::Aarch64) => Self::ArmVirt,
            (VmmKind::Qemu, Arch::X86_64) => Self::Pc,
            (VmmKind::Qemu, Arch::Riscv64) => Self::RiscvVirt,
        })
    }
}

/// Address bits that a hypervisor is taken to offer when nobody said: the most that KVM has on arm64 without LPA2
/// (arch/arm64/kvm/reset.c, `kvm_set_ipa_limit`), and what x86 servers have. [`MemoryMap::needed_bits`] says how many
/// of them a map uses.
const UNKNOWN_HOST_BITS: u8 = 48;

/// A region of the map, or nothing when it would be empty or pass the end of the address space.
fn region(name: &str, kind: RegionKind, start: Gpa, size: Size) -> Option<MapRegion> {
    Some(MapRegion { name: name.into(), kind, span: Span::from_start_size(start, size)? })
}
