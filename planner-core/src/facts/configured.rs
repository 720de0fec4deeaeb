//! What an existing configuration of a VMM says: the guest, and what the memory map of its VMM depends on besides.
//!
//! A guest that somebody already runs has its modules at addresses that somebody chose. The planner places its own; to
//! judge the configuration as it stands, what was chosen is kept here. What the VMM itself would refuse about the words
//! is kept, too, in its own words and with the moment at which it would.

use super::guest::GuestFacts;
use crate::addr::Gpa;
use crate::diag::Origin;
use crate::size::Size;

/// An existing configuration.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ConfiguredFacts {
    /// The guest, with all of its memory: at boot and in modules.
    pub guest: GuestFacts,
    /// Name of the program, as it stands in front of the VMM's own messages; empty where no command was read.
    pub program: String,
    /// The first option about the machine, as the VMM quotes it: `-machine virt,…`.
    pub machine_option: Option<String>,
    /// The first option about the memory, likewise: `-m 4G,…`.
    pub memory_option: Option<String>,
    /// Whether the hypervisor of the host runs the guest's CPUs, if it was said.
    pub accelerator: Option<Accelerator>,
    /// Memory at boot, if it was said.
    pub boot: Option<Size>,
    /// `maxmem=`.
    pub max_memory: Option<Size>,
    /// `slots=`.
    pub slots: Option<u32>,
    /// `-smp`, as far as it was said.
    pub smp: SmpFact,
    /// Where RAM starts, for VMMs that can be told.
    pub ram_base: Option<Gpa>,
    /// Most guest-physical address bits that shall be used, where the VMM can be told.
    pub address_bits: Option<u8>,
    /// Size of the 64-bit PCI window, for machines that take it outside their own options.
    pub pci_window: Option<Size>,
    /// Size of the 32-bit PCI window likewise.
    pub low_window: Option<Size>,
    /// Whether BARs are mapped for traffic between passed devices, if it was said.
    pub peer_dma: Option<bool>,
    /// Memory beyond the boot memory, in the order in which the VMM plugs it in.
    pub modules: Vec<ModuleFact>,
    /// SMMUs that are devices of their own, each as the option was written.
    pub smmus: Vec<String>,
    /// IOMMUs for a riscv board that are devices of their own, each as the option was written.
    pub riscv_iommus: Vec<String>,
    /// A guest IOMMU that reports no mappings to VFIO: the option that asks for it.
    pub silent_iommu: Option<String>,
    /// Whether firmware is loaded; without it some machines have no ACPI.
    pub firmware: bool,
    /// Size of the 64-bit PCI window that the firmware of a PC is asked for (QEMU's
    /// `-fw_cfg name=opt/ovmf/X-PciMmio64Mb,string=`).
    pub ovmf_window: Option<Size>,
    /// What the VMM refuses about the words themselves.
    pub refusals: Vec<RefusalFact>,
}

/// QEMU's `-smp`: numbers of CPUs and of what they are grouped into.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SmpFact {
    /// CPUs at start.
    pub cpus: Option<u32>,
    /// CPUs that there can ever be.
    pub maxcpus: Option<u32>,
    /// Sockets.
    pub sockets: Option<u32>,
    /// Dies in a socket.
    pub dies: Option<u32>,
    /// Clusters in a die.
    pub clusters: Option<u32>,
    /// Modules in a cluster.
    pub modules: Option<u32>,
    /// Cores in a module.
    pub cores: Option<u32>,
    /// Threads of a core.
    pub threads: Option<u32>,
    /// Books in a drawer, of s390x alone.
    pub books: Option<u32>,
    /// Drawers, of s390x alone.
    pub drawers: Option<u32>,
}

impl SmpFact {
    /// CPUs at start: as said, else all that there can be, else one for each thread of the topology.
    #[must_use]
    pub fn at_start(&self) -> u32 {
        let factors = [self.sockets, self.dies, self.clusters, self.modules, self.cores, self.threads];
        let product = factors.into_iter().flatten().fold(1_u32, u32::saturating_mul);
        [self.cpus, self.maxcpus].into_iter().flatten().find(|&count| count > 0).unwrap_or(product.max(1))
    }
}

/// What runs the guest's CPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accelerator {
    /// The hypervisor of the host.
    Kvm,
    /// Nothing: the VMM emulates them.
    Emulated,
}

/// Memory beyond the boot memory.
#[derive(Clone, PartialEq, Debug)]
pub struct ModuleFact {
    /// Its identifier, if it has one.
    pub id: Option<String>,
    /// What kind of device it is.
    pub kind: ModuleKind,
    /// How large it is.
    pub size: Size,
    /// Where it shall lie; the VMM chooses if absent.
    pub at: Option<Gpa>,
    /// The option that asks for it, as the VMM quotes it: `-device pc-dimm,…`.
    pub option: String,
    /// What the VMM refuses about the option itself.
    pub fault: Option<String>,
    /// What it refuses when it plugs the module in.
    pub plug_fault: Option<String>,
    /// Where it was said.
    pub origin: Origin,
}

/// Kinds of memory beyond the boot memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModuleKind {
    /// A module in a slot (`pc-dimm`, `nvdimm`).
    Dimm,
    /// virtio-mem: it takes address space but no slot, and the guest asks for its blocks one by one.
    VirtioMem,
}

/// Something that the VMM refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusalFact {
    /// When it does.
    pub stage: Stage,
    /// What it prints behind the name of the program.
    pub text: String,
    /// Where it was said.
    pub origin: Origin,
}

/// The moments at which a VMM looks at its configuration; the first refusal ends it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// While the words are taken apart.
    Words,
    /// When the machine gets its properties.
    Machine,
    /// When memory backends are made, before the memory map.
    Backends,
    /// When devices are made, after the memory map.
    Devices,
}
